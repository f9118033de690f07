//! An analyst's own text: a Markdown file with a heading for each finding.
//!
//! ```markdown
//! # report
//!
//! Words on the whole period.
//!
//! # rise-1433-tcp-2019-10-04
//!
//! What a honeypot saw of it.
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::toml_file;

/// Heading of the text about the whole.
pub const WHOLE: &str = "report";

/// Largest file of notes, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Notes that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    #[error("reading notes from {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("notes in {} have more than 1 MiB; shorten them", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}:{line}: {reason}", path.display())]
    Form { path: PathBuf, line: usize, reason: String },
    #[error(
        "notes in {} are of `{}`, which is no finding of this report; there are {}",
        path.display(),
        unknown.join("`, `"),
        known.join(", ")
    )]
    Unknown { path: PathBuf, unknown: Vec<String>, known: Vec<String> },
}

/// Reads a file of notes: Markdown by the id of the finding that stands in the level-1 heading before it.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>, NotesError> {
    let failed = |error| NotesError::Read { path: path.to_owned(), error };
    let text = toml_file::bounded(path, LARGEST_FILE).map_err(failed)?;
    let text = text.ok_or_else(|| NotesError::TooLarge { path: path.to_owned() })?;
    parse(&text).map_err(|(at, reason)| {
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        NotesError::Form { path: path.to_owned(), line, reason }
    })
}

/// That each note is of the whole or of one of these findings.
pub fn check<'a>(
    notes: &BTreeMap<String, String>,
    path: &Path,
    findings: impl IntoIterator<Item = &'a str>,
) -> Result<(), NotesError> {
    let known: BTreeSet<&str> = findings.into_iter().chain([WHOLE]).collect();
    let unknown: Vec<String> = notes.keys().filter(|id| !known.contains(id.as_str())).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known = known.into_iter().map(str::to_owned).collect();
    Err(NotesError::Unknown { path: path.to_owned(), unknown, known })
}

/// Notes by id. Of an error, where it is in the text.
fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, String)> {
    // An editor's byte-order mark is no text.
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let headings = headings(text, start);
    let before = headings.first().map_or(text.len(), |(_, range)| range.start);
    if let Some(at) = text[start..before].find(|letter: char| !letter.is_whitespace()) {
        let reason = "this is of no finding; write a line `# report` or `# ID` with a finding's id before it";
        return Err((start + at, reason.into()));
    }
    let mut notes = BTreeMap::new();
    for (index, (id, range)) in headings.iter().enumerate() {
        let end = headings.get(index + 1).map_or(text.len(), |(_, next)| next.start);
        let note = text[range.end..end].trim_matches(['\r', '\n']).trim_end();
        if id.is_empty() {
            return Err((range.start, "the heading is empty; write a finding's id, or `report`".into()));
        }
        if notes.insert(id.clone(), note.to_owned()).is_some() {
            return Err((range.start, format!("`{id}` has a heading already; put both texts under one")));
        }
    }
    notes.retain(|_, note: &mut String| !note.trim().is_empty());
    Ok(notes)
}

/// Text and place of each level-1 heading that stands in no quotation, list or block of code.
fn headings(text: &str, start: usize) -> Vec<(String, Range<usize>)> {
    let mut headings = Vec::new();
    let mut depth = 0_usize;
    let mut current: Option<String> = None;
    for (event, range) in Parser::new(&text[start..]).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) if depth == 0 => {
                current = Some(String::new());
            }
            Event::End(TagEnd::Heading(HeadingLevel::H1)) if depth == 0 => {
                if let Some(id) = current.take() {
                    headings.push((id.trim().to_owned(), start + range.start..start + range.end));
                }
            }
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => depth += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Text(part) | Event::Code(part) => {
                if let Some(id) = &mut current {
                    id.push_str(&part);
                }
            }
            _ => {}
        }
    }
    headings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().collect()
    }

    fn pair(id: &str, note: &str) -> (String, String) {
        (id.into(), note.into())
    }

    #[test]
    fn a_note_reaches_to_the_next_heading_of_the_first_level() {
        let text = "\u{feff}# report\n\nAll *well*.\n\n# `rise-1433-tcp-2019-10-04`\r\n\r\nTwo\n\n## Part\n\nMore.\n\n# fall-x\n\n";
        assert_eq!(
            parsed(text),
            [pair("report", "All *well*."), pair("rise-1433-tcp-2019-10-04", "Two\n\n## Part\n\nMore.")]
        );
        assert_eq!(parsed(" \n"), []);
    }

    #[test]
    fn what_only_looks_like_a_heading_is_none() {
        let text = "# report\n\n```sh\n# no heading\n```\n\n    # nor this\n\n> # nor that\n\n- # nor here\n";
        assert_eq!(parsed(text), [pair("report", text.strip_prefix("# report\n\n").unwrap().trim_end())]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_place() {
        let error = |text: &str| parse(text).unwrap_err();
        let (at, reason) = error("\n\nhello\n# report\n");
        assert_eq!(at, 2);
        assert!(reason.contains("# report"), "{reason}");
        let (at, reason) = error("# a\nx\n# b\ny\n# a\nz\n");
        assert_eq!((at, reason.contains("`a`")), (12, true));
        assert!(error("#\ntext\n").1.contains("empty"));
    }

    #[test]
    fn a_note_of_no_finding_is_an_error_that_lists_the_findings() {
        let notes: BTreeMap<_, _> = [pair("report", "x"), pair("rise-x", "y")].into();
        let path = Path::new("notes.md");
        assert!(check(&notes, path, ["rise-x", "fall-y"]).is_ok());
        let error = check(&notes, path, ["fall-y"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "notes in notes.md are of `rise-x`, which is no finding of this report; there are fall-y, report"
        );
    }

    #[test]
    fn files_are_read_to_a_bound_and_errors_name_their_line() {
        let dir = std::env::temp_dir().join(format!("teiten-notes-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("notes.md");
        std::fs::write(&path, "# report\nx\n\n# report\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().starts_with(&format!("{}:4: ", path.display())));
        std::fs::write(&path, "a".repeat(LARGEST_FILE as usize + 1)).unwrap();
        assert!(matches!(read(&path), Err(NotesError::TooLarge { .. })));
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(matches!(read(&path), Err(NotesError::Read { .. })));
    }
}
