//! A page as Markdown, to be pasted into a publication: CommonMark with GitHub's tables.
//!
//! Charts are told in words; their figures are in the JSON form. All texts are escaped but the analysts' notes, which
//! are Markdown themselves: their headings are put below the heading that they stand under.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::page::{Block, Cell, Chart, Page, Section, Table, Told};

/// Writes a page.
///
/// # Errors
///
/// Those of the writer.
pub fn write(page: &Page, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "# {}\n\n**{}**\n", line(&page.title), escaped(&page.subtitle))?;
    for alert in &page.alerts {
        writeln!(to, "> {}\n>", line(alert))?;
    }
    if !page.alerts.is_empty() {
        writeln!(to)?;
    }
    pairs(&page.cover, to)?;
    if !page.summary.is_empty() {
        writeln!(to, "## {}\n", line(&page.words.summary))?;
        for paragraph in &page.summary {
            writeln!(to, "{}\n", line(paragraph))?;
        }
    }
    if let Some(text) = &page.note {
        note(text, &page.words.analyst, 2, to)?;
    }
    for section in &page.sections {
        write_section(section, page, to)?;
    }
    if !page.footer.is_empty() {
        writeln!(to, "---\n")?;
        for paragraph in &page.footer {
            writeln!(to, "{}\n", line(paragraph))?;
        }
    }
    Ok(())
}

fn write_section(section: &Section, page: &Page, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "## {}\n", line(&section.heading))?;
    for block in &section.blocks {
        match block {
            Block::Paragraph(text) | Block::Note(text) => writeln!(to, "{}\n", line(text))?,
            Block::List(items) => list(items, to)?,
            Block::Heading(text) => writeln!(to, "### {}\n", line(text))?,
            Block::Table(table) if table.rows.is_empty() => writeln!(to, "{}\n", line(&table.empty))?,
            Block::Table(table) => write_table(table, to)?,
            Block::Chart(chart) => write_chart(chart, to)?,
            Block::Finding(told) => finding(told, page, to)?,
        }
    }
    Ok(())
}

fn finding(told: &Told, page: &Page, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "### {}\n\n{}\n", line(&told.heading), line(&told.text))?;
    pairs(&told.details, to)?;
    // By which notes are written for it.
    writeln!(to, "`{}`\n", told.id)?;
    if let Some(text) = &told.note {
        note(text, &page.words.analyst, 3, to)?;
    }
    told.chart.as_ref().map_or(Ok(()), |chart| write_chart(chart, to))
}

/// An analyst's Markdown under a heading of a level.
fn note(text: &str, label: &str, level: usize, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "**{}**\n\n{}\n", escaped(label), demoted(text, level).trim_end())
}

fn write_chart(chart: &Chart, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "*{}*: {}\n", escaped(&chart.title), escaped(&chart.description))
}

fn pairs(pairs: &[(String, String)], to: &mut impl Write) -> io::Result<()> {
    for (label, value) in pairs {
        writeln!(to, "- **{}**: {}", escaped(label), escaped(value))?;
    }
    if pairs.is_empty() { Ok(()) } else { writeln!(to) }
}

fn list(items: &[String], to: &mut impl Write) -> io::Result<()> {
    for item in items {
        writeln!(to, "- {}", line(item))?;
    }
    if items.is_empty() { Ok(()) } else { writeln!(to) }
}

fn write_table(table: &Table, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "**{}**\n", escaped(&table.caption))?;
    let mut head = String::from("|");
    let mut rule = String::from("|");
    for column in &table.columns {
        // Writing to a string does not fail.
        let _ = write!(head, " {} |", escaped(&column.heading));
        rule.push_str(if column.is_number { " ---: |" } else { " --- |" });
    }
    writeln!(to, "{head}\n{rule}")?;
    for row in &table.rows {
        let cells = row.iter().map(|cell| format!(" {} |", in_cell(cell)));
        writeln!(to, "|{}", cells.collect::<String>())?;
    }
    writeln!(to)?;
    list(&table.notes, to)
}

/// A cell's text; an address on the web stays one.
fn in_cell(cell: &Cell) -> String {
    let is_address = ["https://", "http://"].iter().any(|scheme| cell.text.starts_with(scheme))
        && cell.text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'\\'));
    if is_address { format!("<{}>", cell.text.replace('|', "%7C")) } else { escaped(&cell.text) }
}

/// A text in one line whose letters mean nothing to Markdown, wherever in a line it stands.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' => {
                safe.push('\\');
                safe.push(letter);
            }
            '\n' | '\r' | '\t' => safe.push(' '),
            letter if letter.is_control() => {}
            letter => safe.push(letter),
        }
    }
    safe
}

/// The same at the begin of a line, where more letters mean something.
fn line(text: &str) -> String {
    let safe = escaped(text);
    let safe = safe.trim_start();
    let digits = safe.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = safe.split_at(digits);
    let mut letters = rest.chars();
    let (first, second) = (letters.next(), letters.next());
    let ends = second.is_none_or(|letter| letter.is_whitespace() || Some(letter) == first);
    // Lists, headings and rules begin so: `- `, `+ `, `---`, `#`, `=`, `1. `, `1) `.
    let means = match first {
        Some('#' | '=') => number.is_empty(),
        Some('-' | '+') => number.is_empty() && ends,
        Some('.' | ')') => !number.is_empty() && ends,
        _ => false,
    };
    if means {
        return format!("{number}\\{rest}");
    }
    safe.to_owned()
}

/// Markdown whose headings begin below a level.
fn demoted(text: &str, level: usize) -> Cow<'_, str> {
    let mut changes = Vec::new();
    let mut inline: Option<std::ops::Range<usize>> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => inline = Some(range.end..range.start),
            Event::End(TagEnd::Heading(own)) => {
                let inside = inline.take().unwrap_or_default();
                let title = if inside.start < inside.end { &text[inside] } else { "" };
                let end = range.start + text[range.clone()].trim_end().len();
                let marks = "#".repeat((number(own) + level).min(6));
                let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
                changes.push((range.start..end, format!("{marks} {title}")));
            }
            _ => {
                if let Some(inside) = &mut inline {
                    *inside = inside.start.min(range.start)..inside.end.max(range.end);
                }
            }
        }
    }
    if changes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = text.to_owned();
    for (range, heading) in changes.into_iter().rev() {
        out.replace_range(range, &heading);
    }
    Cow::Owned(out)
}

fn number(level: HeadingLevel) -> usize {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Options, html};

    use super::*;
    use crate::report::{compose, lang::Lang, names::Names, sample};

    fn written(lang: Lang) -> String {
        let page = compose::page(&sample::sample(), lang, &Names::new(None).unwrap());
        let mut bytes = Vec::new();
        write(&page, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn to_html(markdown: &str) -> String {
        let mut out = String::new();
        html::push_html(&mut out, Parser::new_ext(markdown, Options::ENABLE_TABLES));
        out
    }

    #[test]
    fn tables_are_aligned_and_headings_nested() {
        let text = written(Lang::Ja);
        assert!(
            text.starts_with("# インターネット定点観測レポート\n\n**2019年10月～12月**\n\n> 観測できたのは")
        );
        assert!(text.contains(
            "**宛先ポート番号TOP5（2019年10月～12月）**\n\n| 順位 | 宛先ポート番号 | サービス名 | パケット数 | 割合 | \
             前期比 | 増減（パケット数） | 前期順位 | 送信元アドレス数 | 1アドレス1日あたり |\n| ---: | --- | --- | \
             ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n| 1 | 23/TCP | telnet | 3,086,420 | 25.0% | +25.0% | \
             +617,284 | 1 | 280,583 | 104.8 |\n"
        ));
        assert!(
            text.contains(
                "\n## 注目すべき動向\n\n### 1433/TCP：10月4日からの増加\n\n2019年10月4日ごろから、"
            )
        );
        assert!(text.contains("\n- **サービス名**: ms-sql-s\n"));
    }

    #[test]
    fn no_text_from_outside_becomes_markup() {
        let text = written(Lang::En);
        let html = to_html(&text);
        assert!(html.contains("Huawei HG532 &lt;script&gt;alert(1)&lt;/script&gt;|*"), "{html}");
        assert!(html.contains("<td>oak|&lt;b&gt;*elm*</td>"));
        assert!(html.contains("<td>_birch_ &amp; `co`</td>"));
        assert!(html.contains("<td>Example &lt;Census&gt; | 0</td>"));
        assert!(html.contains(r#"<a href="https://www.example.org/a?b=1&amp;c=2">"#));
        assert!(!html.contains("<script") && !html.contains("<b>"));
        // Every row has as many cells as its head.
        let cells = |line: &str| line.replace(r"\|", "").matches('|').count();
        let mut width = None;
        for line in text.lines() {
            if line.starts_with('|') {
                assert_eq!(*width.get_or_insert(cells(line)), cells(line), "{line}");
            } else {
                width = None;
            }
        }
    }

    #[test]
    fn letters_that_mean_something_are_escaped() {
        assert_eq!(escaped(r"a*b_c`d|e<f>[g]~\&"), r"a\*b\_c\`d\|e\<f\>\[g\]\~\\\&");
        assert_eq!(escaped("a\nb\u{7}c\r\nd"), "a bc  d");
        for text in
            ["# a", "- a", "+ a", "= a", "--- ", "1. a", "12) a", "   4. a", "1\n- a", "<a>", "    code"]
        {
            let html = to_html(&format!("x\n\n{}\n", line(text)));
            assert!(html.starts_with("<p>x</p>\n<p>") && html.matches("<p>").count() == 2, "{text}: {html}");
            assert!(
                !html.contains("<li>") && !html.contains("<h1>") && !html.contains("<code>"),
                "{text}: {html}"
            );
        }
        // Dates and ports begin lines without harm.
        assert_eq!(line("4 October 2019"), "4 October 2019");
        assert_eq!(line("23/TCP"), "23/TCP");
        assert_eq!(line("401.5 packets"), "401.5 packets");
        assert_eq!(line("+25.0%"), "+25.0%");
    }

    #[test]
    fn notes_stay_markdown_below_their_heading() {
        let text = written(Lang::En);
        assert!(text.contains(
            "**Analyst’s comment**\n\nLogs of a honeypot show **brute force** of `sa`.\n\n#### Advice\n\n- Close \
             1433/TCP.\n"
        ));
        assert!(text.contains("**Analyst’s comment**\n\n### Whole\n\nWe thank *all* who keep sensors.\n"));
        assert_eq!(demoted("plain *text*", 3), "plain *text*");
        assert_eq!(
            demoted("# A `b` *c*\n\n## D ##\n\nE\n===\nf\n", 2),
            "### A `b` *c*\n\n#### D\n\n### E\nf\n"
        );
        assert_eq!(demoted("###### deep", 3), "###### deep");
        assert_eq!(demoted("```\n# code\n```\n\n#\n", 1), "```\n# code\n```\n\n## \n");
    }
}
