//! Reports, and stores to report on: traffic in the making, a report's tables as they are read back from each format.

use std::{
    env,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

use crate::{
    agent::{Finished, binary},
    capture::{ETHERNET, pcap},
    frames::{ARP, Ipv4, Tcp, ethernet},
    mmdb::countries,
    scratch::Scratch,
};

/// The regions of made traffic: /8 networks of a database that knows no others.
pub const REGIONS: [(u8, &str); 14] = [
    (1, "CN"),
    (2, "US"),
    (3, "NL"),
    (4, "RU"),
    (5, "JP"),
    (6, "BR"),
    (8, "IN"),
    (9, "TW"),
    (11, "VN"),
    (12, "KR"),
    (13, "DE"),
    (14, "RO"),
    (15, "FR"),
    (16, "IR"),
];

/// A network that the database does not know.
pub const UNKNOWN: u8 = 20;
/// A network that is not routed.
pub const NON_ROUTABLE: u8 = 10;

/// The addresses of two sensors.
pub const WEST: u8 = 1;
pub const EAST: u8 = 2;
pub const SOUTH: u8 = 3;

/// Prefix of a sensor's addresses.
pub fn prefix(sensor: u8) -> String {
    format!("198.18.{sensor}.0/24")
}

/// A time on the clock of a zone, in seconds since 1970.
///
/// # Panics
///
/// If the zone or the time is none.
pub fn at(zone: &str, time: &str) -> i64 {
    let zone = TimeZone::get(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
    let time: DateTime = time.parse().unwrap_or_else(|error| panic!("{time}: {error}"));
    zone.to_ambiguous_zoned(time).compatible().expect("a time of the zone").timestamp().as_second()
}

/// Connection requests to a port that go on, the same number every hour.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub port: u16,
    /// The /8 network of its sources.
    pub from: u8,
    /// How many addresses there are in it that take turns.
    pub sources: u16,
    /// Packets an hour.
    pub hourly: u16,
    /// The sensor that it reaches.
    pub to: u8,
}

/// Traffic in the making.
#[derive(Debug)]
pub struct Traffic {
    zone: &'static str,
    /// Seconds since 1970, and the frame.
    frames: Vec<(i64, Vec<u8>)>,
    sent: u32,
}

impl Traffic {
    /// None yet; days are those of a zone.
    pub fn new(zone: &'static str) -> Self {
        Self { zone, frames: Vec::new(), sent: 0 }
    }

    /// Something that is no packet, at the begin of every hour from one local midnight to another and at the last
    /// second: the sensor is there and observes.
    pub fn watch(&mut self, from: &str, to: &str) {
        let (from, to) = (self.midnight(from), self.midnight(to));
        let frame = ethernet(ARP, &[0; 28]);
        let times = (from..to).step_by(3600).chain([to - 1]);
        self.frames.extend(times.map(|time| (time, frame.clone())));
    }

    /// Flows from one local midnight to another, in the first minute of every hour.
    pub fn flow(&mut self, from: &str, to: &str, flows: &[Flow]) {
        let (from, to) = (self.midnight(from), self.midnight(to));
        for hour in (from..to).step_by(3600) {
            for flow in flows {
                for _ in 0..flow.hourly {
                    self.send(hour + 1, *flow);
                }
            }
        }
    }

    /// One packet of a flow at a local time.
    pub fn packet(&mut self, time: &str, flow: Flow) {
        self.send(at(self.zone, time), flow);
    }

    fn send(&mut self, time: i64, flow: Flow) {
        // Sources take turns by flow, and spread over /24 networks.
        self.sent = self.sent.wrapping_add(1);
        let source = (self.sent.wrapping_mul(0x9e37_79b1) >> 8) % u32::from(flow.sources);
        let [high, low] = ((source * 16) as u16).to_be_bytes();
        let source = Ipv4Addr::new(flow.from, (flow.port % 200) as u8 + 1, high, low | 1);
        let target = Ipv4Addr::new(198, 18, flow.to, (self.sent % 254) as u8 + 1);
        self.frames.push((time, Ipv4::new(source, target).tcp(Tcp::syn(40_000, flow.port)).frame()));
    }

    fn midnight(&self, date: &str) -> i64 {
        at(self.zone, &format!("{date}T00:00:00"))
    }

    /// Packets, without what only shows that a sensor is there.
    pub fn packets(&self) -> u32 {
        self.sent
    }

    /// Adds it to a store, which is made if it is not there, through the loaded program.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn replay(mut self, scratch: &Scratch, store: &Path, sensors: &[&str]) {
        self.frames.sort_by_key(|(time, _)| *time);
        let frames = self.frames.iter().map(|(time, frame)| (*time as u64 * 1_000_000_000, frame.as_slice()));
        let capture = scratch.write("traffic.pcap", pcap(ETHERNET, frames));
        let database = scratch.write("country.mmdb", countries(&REGIONS));
        let mut command = plain();
        command.env("TEITEN_SPILL_MEMORY", "8M").args(["replay", "--by=class", "--time-zone", self.zone]);
        command.arg("--store").arg(store).arg("--country").arg(database);
        command.args(sensors.iter().flat_map(|sensor| ["--sensor", sensor])).arg(capture);
        run(command).good();
    }
}

/// The agent with no setting but those given.
pub fn plain() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("TEITEN_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, however long it takes.
///
/// # Panics
///
/// If it cannot be started or writes what is no text.
pub fn run(mut command: Command) -> Finished {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8(bytes).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// `teiten report` of a store.
pub fn report(store: &Path, words: &[&str]) -> Finished {
    let mut command = plain();
    command.arg("report").arg("--store").arg(store).args(words);
    run(command)
}

/// The same, as it is written to standard output.
///
/// # Panics
///
/// If it fails.
#[track_caller]
pub fn written(store: &Path, words: &[&str]) -> String {
    let finished = report(store, words);
    assert_eq!(finished.code(), 0, "exit code of `teiten report {}`:\n{}", words.join(" "), finished.stderr);
    finished.stdout
}

/// The same, as JSON.
///
/// # Panics
///
/// If it fails.
#[track_caller]
pub fn document(store: &Path, words: &[&str]) -> Value {
    let words = [words, &["--format=json"]].concat();
    let text = written(store, &words);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("teiten report {words:?}: {error}\n{text}"))
}

/// Rows of cells.
pub type Rows = Vec<Vec<String>>;

/// The tables of a Markdown text, header first, without the line of dashes; cells without their marks.
pub fn markdown_tables(text: &str) -> Vec<Rows> {
    let mut tables = vec![Rows::new()];
    for line in text.lines().map(str::trim) {
        if let Some(row) = line.strip_prefix('|') {
            let row = markdown_cells(row);
            let is_rule = row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| "-: ".contains(c)));
            if !is_rule {
                tables.last_mut().expect("a table").push(row);
            }
        } else {
            tables.push(Rows::new());
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}

/// The cells of a row behind its first stroke.
fn markdown_cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut rest = row.chars();
    while let Some(char) = rest.next() {
        let cell = cells.last_mut().expect("a cell");
        match char {
            '\\' => cell.extend(rest.next()),
            '|' => cells.push(String::new()),
            '*' | '`' => {}
            char => cell.push(char),
        }
    }
    // Behind the last stroke there is nothing.
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The tables of a page, by its tags.
pub fn html_tables(page: &str) -> Vec<Rows> {
    page.split("<table")
        .skip(1)
        .map(|table| {
            let table = table.split("</table").next().unwrap_or_default();
            let rows = table.split("<tr").skip(1).map(|row| {
                let cells = row.split("<t").skip(1).filter(|cell| cell.starts_with(['d', 'h']));
                cells
                    .filter(|cell| !cell.starts_with("head"))
                    .map(|cell| html_text(&format!("<t{}", cell.split("</t").next().unwrap_or_default())))
                    .collect()
            });
            rows.filter(|row: &Vec<String>| !row.is_empty()).collect()
        })
        .collect()
}

/// The text of a page: no tags, no style, no script, character references resolved, spaces put together.
pub fn html_text(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        text.push(' ');
        rest = &rest[open..];
        for hidden in ["style", "script"] {
            if rest[1..].starts_with(hidden) {
                rest = rest.find(&format!("</{hidden}")).map_or("", |end| &rest[end..]);
            }
        }
        rest = rest.find('>').map_or("", |close| &rest[close + 1..]);
    }
    text.push_str(rest);
    let text = resolved(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text with its character references resolved.
fn resolved(text: &str) -> String {
    let mut parts = text.split('&');
    let mut resolved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap_or(("", part));
        let char = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "nbsp" => Some(' '),
            number => number.strip_prefix('#').and_then(|n| n.parse().ok()).and_then(char::from_u32),
        };
        match char {
            Some(char) => {
                resolved.push(char);
                resolved.push_str(rest);
            }
            // No reference that is known here.
            None => {
                resolved.push('&');
                resolved.push_str(part);
            }
        }
    }
    resolved
}

/// The rows of a CSV text, header first.
///
/// # Panics
///
/// If a quote is not closed.
pub fn csv_rows(text: &str) -> Rows {
    let mut rows = Rows::new();
    let mut row = vec![String::new()];
    let (mut is_quoted, mut rest) = (false, text.trim_start_matches('\u{feff}').chars().peekable());
    while let Some(char) = rest.next() {
        let cell = row.last_mut().expect("a cell");
        match char {
            '"' if is_quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(String::new()),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => rows.push(std::mem::replace(&mut row, vec![String::new()])),
            char => cell.push(char),
        }
    }
    assert!(!is_quoted, "a quote that is not closed:\n{text}");
    if row != [""] {
        rows.push(row);
    }
    rows
}

/// Directories of fixtures, which live until the process ends.
static KEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

extern "C" fn remove_kept() {
    for path in KEPT.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default() {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// A directory that several tests share; it is removed when the process ends.
///
/// # Panics
///
/// If it cannot be made.
pub fn shared() -> &'static Scratch {
    let scratch: &'static Scratch = Box::leak(Box::new(Scratch::new()));
    let mut kept = KEPT.lock().expect("the list of directories");
    if kept.is_empty() {
        // SAFETY: a function without arguments that does not unwind.
        unsafe { libc::atexit(remove_kept) };
    }
    kept.push(scratch.dir().to_owned());
    scratch
}

/// Copies a store with its key.
///
/// # Panics
///
/// If it cannot be copied.
pub fn copied(store: &Path, scratch: &Scratch) -> PathBuf {
    let copy = scratch.path("copy.db");
    for suffix in ["", "-wal", ".key"] {
        let (mut from, mut to) = (store.as_os_str().to_owned(), copy.as_os_str().to_owned());
        from.push(suffix);
        to.push(suffix);
        match std::fs::copy(&from, &to) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && suffix == "-wal" => {}
            Err(error) => panic!("{}: {error}", Path::new(&from).display()),
        }
    }
    copy
}

/// The date of a day, so many days after another.
///
/// # Panics
///
/// If the text is no date.
pub fn day_after(date: &str, days: i64) -> String {
    let date: jiff::civil::Date = date.parse().unwrap_or_else(|error| panic!("{date}: {error}"));
    date.saturating_add(jiff::Span::new().days(days)).to_string()
}

/// Days from one date to another.
///
/// # Panics
///
/// If a text does not begin with a date.
pub fn days_between(from: &str, to: &str) -> i64 {
    let day = |text: &str| -> i64 {
        let date = text.get(..10).unwrap_or(text);
        let date: jiff::civil::Date = date.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        date.to_zoned(TimeZone::UTC).expect("a date").timestamp().as_second() / 86_400
    };
    day(to) - day(from)
}

/// Seconds since 1970 of a time with its offset.
///
/// # Panics
///
/// If it is none.
pub fn seconds(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap_or_else(|error| panic!("{time}: {error}")).as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_back() {
        let markdown = "# T\n\n| a | **b** |\n| --- | ---: |\n| x \\| y | `1` |\n\ntext\n\n| c |\n|---|\n";
        assert_eq!(markdown_tables(markdown), [vec![vec!["a", "b"], vec!["x | y", "1"]], vec![vec!["c"]]]);
        let html = "<style>a<b</style><table class=x><thead><tr><th scope=col>a &amp; b</th></tr></thead><tbody>\
                    <tr><td><span>1</span> <i>2</i></td><td></td></tr></tbody></table>";
        assert_eq!(html_tables(html), [vec![vec!["a & b"], vec!["1 2", ""]]]);
        assert_eq!(html_text(html), "a & b 1 2");
        assert_eq!(html_text("&#60;b&#62; &amp;lt; &c; &"), "<b> &lt; &c; &");
        assert_eq!(csv_rows("\u{feff}a,b\r\n\"x, \"\"y\"\"\",1\n"), [vec!["a", "b"], vec!["x, \"y\"", "1"]]);
    }

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(at("Asia/Tokyo", "2019-10-04T00:00:00"), 1_570_114_800);
        assert_eq!(at("Asia/Kolkata", "2019-10-04T00:00:00"), 1_570_127_400);
        assert_eq!(days_between("2019-10-04", "2020-01-01T00:00:00+09:00"), 89);
        assert_eq!(day_after("2020-02-28", 2), "2020-03-01");
    }
}
