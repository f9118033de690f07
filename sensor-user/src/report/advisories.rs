//! Advisories, malware and tool notes that a user keeps, as TOML: what is known of a service. The form is documented in
//! `docs/advisories.md`.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::model::Service;

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// Most characters of a title, an id or a URL.
const MOST_CHARS: usize = 500;
/// Most characters of a problem's text, which quotes what it is about.
const MOST_SAID: usize = 300;

const KEYS: &str = "date, title, url, id, ports and note";
const DATE: &str = "write a date, such as 2019-08-16";

/// What is known since when of which services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// A public identifier, such as `CVE-2019-15107`.
    pub id: Option<String>,
    /// When it was published.
    pub date: Date,
    pub title: String,
    pub url: Option<String>,
    /// Never empty, none twice.
    pub ports: Vec<Service>,
    pub note: Option<String>,
}

/// All of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisories {
    pub list: Vec<Advisory>,
}

/// What is wrong with a file, and where: line and column from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// What a file says, and all that is wrong with it, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Those without an error.
    pub advisories: Advisories,
    /// A file with errors is not used.
    pub errors: Vec<Problem>,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
}

/// A file of advisories that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    #[error("cannot read the advisories {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the advisories {} have more than {MOST_BYTES} bytes; split the file", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}:{first}{}", path.display(), more(*others))]
    Bad { path: PathBuf, first: Problem, others: usize },
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" (and {others} more; `teiten advisories check` tells them all)"),
    }
}

impl Advisories {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is too large, or anything is wrong with it.
    pub fn read(path: &Path) -> Result<Self, AdvisoryError> {
        // No date is in the future of the last day there is: warnings are for those who check.
        let checked = check(&read(path)?, Date::MAX);
        match checked.errors.split_first() {
            None => Ok(checked.advisories),
            Some((first, others)) => {
                Err(AdvisoryError::Bad { path: path.to_owned(), first: first.clone(), others: others.len() })
            }
        }
    }
}

/// The text of a file. What is no UTF-8 in it becomes U+FFFD, which no key and no value may have.
///
/// # Errors
///
/// If it cannot be read or is too large.
pub fn read(path: &Path) -> Result<String, AdvisoryError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| AdvisoryError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(AdvisoryError::TooLarge { path: path.to_owned() });
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Checks a file's text, all of it. Dates after `today` are warned of.
pub fn check(text: &str, today: Date) -> Checked {
    let mut reader = Reader::new(text, today);
    let (table, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        reader.error(fault.span().map_or(0, |span| span.start), fault.message().to_owned());
    }
    if let Some(at) = text.find('\u{fffd}') {
        reader.error(at, "this is no UTF-8; save the file as UTF-8".to_owned());
    }
    // What follows a fault may be read as something else: it is not judged.
    if reader.errors.is_empty() {
        reader.document(table.get_ref());
    }
    reader.finish()
}

/// Takes advisories out of a document, and notes what is wrong with it by the byte where it is.
struct Reader<'a> {
    text: &'a str,
    today: Date,
    list: Vec<Advisory>,
    errors: Vec<(usize, String)>,
    warnings: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, today: Date) -> Self {
        Self { text, today, list: Vec::new(), errors: Vec::new(), warnings: Vec::new() }
    }

    fn error(&mut self, at: usize, what: String) {
        self.errors.push((at, what));
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (key, value) in document {
            let name: &str = key.get_ref();
            if name != "advisory" {
                let what =
                    format!("`{name}` is nothing here; write [[advisory]] before the keys of each advisory");
                self.error(key.span().start, what);
                continue;
            }
            match value.get_ref() {
                DeValue::Array(items) if items.is_empty() => {
                    self.error(value.span().start, "there is no advisory in this list".to_owned());
                }
                DeValue::Array(items) => items.iter().for_each(|item| self.item(item)),
                _ => self.error(
                    key.span().start,
                    "`advisory` is a list; write [[advisory]], with two brackets".to_owned(),
                ),
            }
        }
        if document.is_empty() {
            self.error(
                0,
                "there is no advisory; write [[advisory]], and below it its date, title and ports".to_owned(),
            );
        }
    }

    fn item(&mut self, item: &Spanned<DeValue<'_>>) {
        let place = item.span().start;
        let DeValue::Table(table) = item.get_ref() else {
            return self.error(place, "an advisory is a table; write [[advisory]]".to_owned());
        };
        let before = self.errors.len();
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !matches!(name, "date" | "title" | "url" | "id" | "ports" | "note") {
                self.error(key.span().start, format!("an advisory has no `{name}`; it has {KEYS}"));
            }
        }
        let date = self.date(table, place);
        let title = self.line(table, "title");
        if title.is_none() && !table.contains_key("title") {
            self.error(place, "this advisory wants a `title`".to_owned());
        }
        let url = self.url(table);
        let id = self.line(table, "id");
        let ports = self.ports(table, place);
        let note = self.note(table);
        if let (Some(id), Some(value)) = (&id, table.get("id"))
            && self.list.iter().any(|other| other.id.as_ref() == Some(id))
        {
            self.error(
                value.span().start,
                format!("id `{id}` stands for an advisory above, too; put both together"),
            );
        }
        if let (Some(date), Some(title), Some(value)) = (date, &title, table.get("title"))
            && self.list.iter().any(|other| other.date == date && other.title == *title && other.id == id)
        {
            self.error(
                value.span().start,
                "an advisory above has the same date and title; remove one".to_owned(),
            );
        }
        if let (Some(date), Some(title)) = (date, title)
            && self.errors.len() == before
        {
            self.list.push(Advisory { id, date, title, url, ports, note });
        }
    }

    fn date(&mut self, table: &DeTable<'_>, place: usize) -> Option<Date> {
        let Some(value) = table.get("date") else {
            self.error(place, format!("this advisory wants a `date`; {DATE}"));
            return None;
        };
        let at = value.span().start;
        let date = match value.get_ref() {
            DeValue::Datetime(time) if time.time.is_none() && time.offset.is_none() => {
                time.date.and_then(|date| {
                    let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
                    Date::new(i16::try_from(date.year).ok()?, month, day).ok()
                })
            }
            // Nothing else that can be read as a date is as long.
            DeValue::String(text) if text.len() == "2019-08-16".len() => text.parse().ok(),
            _ => None,
        };
        match date {
            None => self.error(at, format!("this is no date; {DATE}")),
            Some(date) if date > self.today => {
                self.warnings.push((at, format!("{date} is in the future")));
            }
            Some(_) => {}
        }
        date
    }

    /// A text of one line.
    fn line(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        let at = value.span().start;
        let wrong = match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => format!("`{key}` is empty"),
            DeValue::String(text) if text.chars().any(char::is_control) => {
                format!("`{key}` is a text of one line, without control characters")
            }
            DeValue::String(text) if text.chars().count() > MOST_CHARS => {
                format!("`{key}` is longer than {MOST_CHARS} characters")
            }
            DeValue::String(text) => return Some(text.trim().to_owned()),
            _ => format!("`{key}` is a text; write it in quotation marks"),
        };
        self.error(at, wrong);
        None
    }

    fn url(&mut self, table: &DeTable<'_>) -> Option<String> {
        let url = self.line(table, "url")?;
        let at = table.get("url").map_or(0, |value| value.span().start);
        let has = |scheme: &str| {
            url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
                && url.len() > scheme.len()
                && !url.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'))
        };
        if has("http://") {
            self.warnings.push((at, "the url is not https".to_owned()));
        } else if !has("https://") {
            self.error(at, format!("`{url}` is no url; write one that begins with https://"));
            return None;
        }
        Some(url)
    }

    fn ports(&mut self, table: &DeTable<'_>, place: usize) -> Vec<Service> {
        const EXAMPLE: &str = "[\"10000/tcp\", \"53/udp\"]";
        let mut ports = Vec::new();
        let Some(value) = table.get("ports") else {
            self.error(place, format!("this advisory wants `ports`, such as {EXAMPLE}"));
            return ports;
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.error(value.span().start, format!("`ports` is a list, such as {EXAMPLE}"));
            return ports;
        };
        if items.is_empty() {
            self.error(value.span().start, format!("`ports` is empty; write some, such as {EXAMPLE}"));
        }
        for item in items.iter() {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(text) => match text.parse::<Service>() {
                    Ok(service) if ports.contains(&service) => {
                        self.error(at, format!("{service} stands here twice"))
                    }
                    Ok(service) => ports.push(service),
                    Err(error) => self.error(at, error.to_string()),
                },
                _ => self.error(at, format!("`ports` is a list of texts, such as {EXAMPLE}")),
            }
        }
        ports
    }

    /// A text that may have several lines.
    fn note(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("note")?;
        let wrong = match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => "`note` is empty",
            DeValue::String(text)
                if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) =>
            {
                "`note` has control characters"
            }
            DeValue::String(text) => return Some(text.trim().to_owned()),
            _ => "`note` is a text; write it in quotation marks",
        };
        self.error(value.span().start, wrong.to_owned());
        None
    }

    fn finish(self) -> Checked {
        let lines: Vec<usize> =
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let places = |mut problems: Vec<(usize, String)>| {
            problems.sort_by_key(|(at, _)| *at);
            problems
                .into_iter()
                .map(|(at, what)| {
                    let line = lines.partition_point(|&begin| begin <= at);
                    let begin = line.checked_sub(1).and_then(|line| lines.get(line)).copied().unwrap_or(0);
                    let column = 1 + self.text.get(begin..at).map_or(0, |before| before.chars().count());
                    Problem { line, column, what: printable(&what) }
                })
                .collect()
        };
        Checked {
            advisories: Advisories { list: self.list },
            errors: places(self.errors),
            warnings: places(self.warnings),
        }
    }
}

/// A text that quotes a file, so that it does no harm to a terminal.
fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(MOST_SAID).map(clean).collect();
    if short.len() < text.len() && text.chars().nth(MOST_SAID).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2020, 1, 1);

    const FINE: &str = r#"
        [[advisory]]
        date = 2019-08-16
        title = "Webmin"
        url = "https://example.org/a"
        id = "CVE-2019-15107"
        ports = ["10000/tcp"]
        note = """
            Only 1.890 as it is installed.
        """

        [[advisory]]
        date = "2016-10-14"
        title = "Mirai"
        ports = ["23/TCP", "2323/tcp"]
    "#;

    fn said(text: &str) -> Vec<String> {
        let checked = check(text, TODAY);
        assert_eq!(checked.advisories.list.len(), text.matches("\"fine\"").count(), "{:?}", checked.errors);
        checked.errors.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_file_is_read() {
        let checked = check(FINE, TODAY);
        assert_eq!((&checked.errors, &checked.warnings), (&Vec::new(), &Vec::new()));
        let [webmin, mirai] = checked.advisories.list.as_slice() else { panic!("{checked:?}") };
        assert_eq!(webmin.date, jiff::civil::date(2019, 8, 16));
        assert_eq!(webmin.id.as_deref(), Some("CVE-2019-15107"));
        assert_eq!(webmin.note.as_deref(), Some("Only 1.890 as it is installed."));
        assert_eq!(webmin.ports, ["10000/tcp".parse().unwrap()]);
        assert_eq!(mirai.ports, ["23/tcp".parse().unwrap(), "2323/tcp".parse().unwrap()]);
        assert_eq!((&mirai.id, &mirai.url, &mirai.note), (&None, &None, &None));
    }

    #[test]
    fn all_problems_are_told_with_their_places() {
        let text = "\
[[advisory]]
date = \"2019-13-01\"
titel = \"é\"
ports = [\"10000\", 23, \"7/tcp\", \"7/TCP\"]

[[advisory]]
date = 2019-08-16T12:00:00
title = 7
url = \"javascript:alert(1)\"
ports = []

[[advisory]]
title = \"\"
ports = \"23/tcp\"
note = 1
";
        let said = said(text);
        let begins = [
            "1:1: this advisory wants a `title`",
            "2:8: this is no date; write a date, such as 2019-08-16",
            "3:1: an advisory has no `titel`; it has date, title, url, id, ports and note",
            "4:10: `10000` is no service; write a port and its protocol such as 25/tcp",
            "4:19: `ports` is a list of texts",
            "4:32: 7/tcp stands here twice",
            "7:8: this is no date",
            "8:9: `title` is a text; write it in quotation marks",
            "9:7: `javascript:alert(1)` is no url; write one that begins with https://",
            "10:9: `ports` is empty",
            "12:1: this advisory wants a `date`",
            "13:9: `title` is empty",
            "14:9: `ports` is a list, such as",
            "15:8: `note` is a text",
        ];
        assert_eq!(said.len(), begins.len(), "{said:#?}");
        for (said, begin) in said.iter().zip(begins) {
            assert!(said.starts_with(begin), "{said} is not {begin}");
        }
    }

    #[test]
    fn columns_are_characters() {
        let text = "[[advisory]]\ndate = 2019-08-16\ntitle = \"fine\"\nports = [\"23/tcp\"]\n\
                    [[advisory]]\ndate = 2019-08-16\ntitle = \"テレメ\"\nports = [\"é\", \"x\"]";
        let said = said(text);
        assert!(said[0].starts_with("8:10: `é` is no service"), "{said:?}");
        assert!(said[1].starts_with("8:15: `x` is no service"), "{said:?}");
    }

    #[test]
    fn documents_of_another_form() {
        assert!(said("")[0].starts_with("1:1: there is no advisory; write [[advisory]]"));
        assert!(said("advisory = []")[0].starts_with("1:12: there is no advisory"));
        assert!(said("advisory = [1]")[0].starts_with("1:13: an advisory is a table"));
        assert!(said("[advisory]\ndate = 2019-08-16")[0].ends_with("write [[advisory]], with two brackets"));
        assert!(
            said("\n[[advisories]]\n")[0]
                .starts_with("2:3: `advisories` is nothing here; write [[advisory]]")
        );
        // A fault of TOML, and another one.
        let said = said("[[advisory]]\ndate = \ntitle = \"a\nports = [\"23/tcp\"]");
        assert!(said.len() >= 2 && said[0].starts_with("2:") && said[1].starts_with("3:"), "{said:?}");
    }

    #[test]
    fn advisories_stand_once() {
        let one = |id: &str| {
            format!("[[advisory]]\ndate = 2019-08-16\ntitle = \"fine\"\n{id}ports = [\"23/tcp\"]\n")
                .replace("fine", "a")
        };
        let same = check(&(one("") + &one("")), TODAY);
        assert_eq!(
            same.errors[0].to_string(),
            "7:9: an advisory above has the same date and title; remove one"
        );
        let id = check(&(one("id = \"X-1\"\n") + &one("id = \"X-1\"\n").replace("\"a\"", "\"b\"")), TODAY);
        assert_eq!((id.errors.len(), id.errors[0].line, id.errors[0].column), (1, 9, 6));
        let others = check(&(one("id = \"X-1\"\n") + &one("id = \"X-2\"\n")), TODAY);
        assert_eq!((others.errors.len(), others.advisories.list.len()), (0, 2));
    }

    #[test]
    fn what_is_probably_not_meant() {
        let text = FINE.replace("2019-08-16", "2020-01-02").replace("https", "http");
        let checked = check(&text, TODAY);
        let said: Vec<String> = checked.warnings.iter().map(Problem::to_string).collect();
        assert_eq!(said, ["3:16: 2020-01-02 is in the future", "5:15: the url is not https"]);
        assert_eq!((checked.errors.len(), checked.advisories.list.len()), (0, 2));
    }

    #[test]
    fn quotations_do_no_harm() {
        let long = "x".repeat(10_000);
        let text = format!("[[advisory]]\ndate = 1-1\n\"\\u001b[31m{long}\" = 1\n");
        for said in said(&text) {
            assert!(said.chars().count() < MOST_SAID + 20 && !said.contains('\u{1b}'), "{said}");
        }
        let title = |title: &str| {
            format!("[[advisory]]\ndate = 2019-08-16\ntitle = \"{title}\"\nports = [\"1/tcp\"]")
        };
        assert!(said(&title("a\\u001b[31m"))[0].contains("control characters"));
        assert!(said(&title(&long))[0].contains("longer than 500"));
        assert!(said(&title("\u{fffd}"))[0].contains("UTF-8"));
        assert!(!said(&format!("a = {}", "[".repeat(100_000))).is_empty());
    }

    #[test]
    fn files() {
        let folder = std::env::temp_dir().join(format!("teiten-advisories-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.toml");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            Advisories::read(&path)
        };
        assert_eq!(read(FINE.as_bytes()).unwrap().list.len(), 2);
        let bad = read(b"[[advisory]]").unwrap_err().to_string();
        assert!(
            bad.contains("a.toml:1:1: this advisory wants a `date`") && bad.contains("and 2 more"),
            "{bad}"
        );
        assert!(read(b"[[advisory]]\ntitle = \"\xff\"").unwrap_err().to_string().contains("UTF-8"));
        let large = vec![b'#'; MOST_BYTES as usize + 1];
        assert!(matches!(read(&large), Err(AdvisoryError::TooLarge { .. })));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(Advisories::read(&path), Err(AdvisoryError::Read { .. })));
    }

    #[test]
    fn the_example_is_fine() {
        let text = include_str!("../../../docs/advisories.example.toml");
        let checked = check(text, TODAY);
        assert_eq!((&checked.errors, &checked.warnings), (&Vec::new(), &Vec::new()));
        for port in ["23/tcp", "445/tcp", "37215/tcp", "80/tcp", "22/tcp", "1433/tcp", "10000/tcp"] {
            let service: Service = port.parse().unwrap();
            assert!(
                checked.advisories.list.iter().any(|advisory| advisory.ports.contains(&service)),
                "{port}"
            );
        }
    }
}
