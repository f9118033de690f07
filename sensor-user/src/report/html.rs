//! A page as HTML: one file that asks for nothing else and runs no script.
//!
//! `templates/report.html` and `templates/report.css` say how it looks. The template escapes all text; what an analyst
//! has written is Markdown, of which no HTML and no image is taken over, and no link but to the web or a mailbox.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use askama::Template;
use pulldown_cmark::{CowStr, Event, Parser, Tag, TagEnd};

use super::{
    chart::Figure,
    page::{Block, Cell, Column, Mark, Page, Section, Table, Told, Words},
};

/// Writes a page as an HTML document.
pub fn write(page: &Page, out: &mut impl Write) -> io::Result<()> {
    let mut ids = Ids::default();
    let document = Document {
        page,
        style: include_str!("../../templates/report.css"),
        summary: page.summary.iter().map(|text| pieces(text)).collect(),
        alerts: page.alerts.iter().map(|text| pieces(text)).collect(),
        cover: page.cover.iter().map(|(label, value)| (label.as_str(), pieces(value))).collect(),
        note: page.note.as_deref().map(markdown),
        sections: page
            .sections
            .iter()
            .map(|section| SectionView::new(section, &page.words, &mut ids))
            .collect(),
        footer: page.footer.iter().map(|text| pieces(text)).collect(),
    };
    document.write_into(out)
}

#[derive(Template)]
#[template(path = "report.html")]
struct Document<'a> {
    page: &'a Page,
    style: &'static str,
    alerts: Vec<Vec<Piece<'a>>>,
    cover: Vec<(&'a str, Vec<Piece<'a>>)>,
    summary: Vec<Vec<Piece<'a>>>,
    /// HTML.
    note: Option<String>,
    sections: Vec<SectionView<'a>>,
    footer: Vec<Vec<Piece<'a>>>,
}

struct SectionView<'a> {
    id: String,
    heading: &'a str,
    blocks: Vec<BlockView<'a>>,
}

enum BlockView<'a> {
    Paragraph(Vec<Piece<'a>>),
    Note(Vec<Piece<'a>>),
    List(Vec<Vec<Piece<'a>>>),
    Heading(&'a str),
    Table(TableView<'a>),
    Chart(Box<Figure<'a>>),
    Finding(Box<FindingView<'a>>),
}

struct TableView<'a> {
    id: String,
    table: &'a Table,
    rows: Vec<Vec<CellView<'a>>>,
    notes: Vec<Vec<Piece<'a>>>,
}

/// Columns of a terminal that a text in a cell may take and still be kept in one line.
const SHORT_TEXT: usize = 18;

struct CellView<'a> {
    is_head: bool,
    class: String,
    /// Drawn before the text, for those who see it; the text says the same.
    sign: &'static str,
    /// Part of the column's width.
    bar: Option<String>,
    text: Vec<Piece<'a>>,
}

struct FindingView<'a> {
    id: String,
    kind: &'static str,
    sign: &'static str,
    /// Of its heading: below the section's, or below a heading within it.
    level: u8,
    told: &'a Told,
    text: Vec<Piece<'a>>,
    details: Vec<(&'a str, Vec<Piece<'a>>)>,
    figure: Option<Figure<'a>>,
    /// HTML.
    note: Option<String>,
}

impl<'a> SectionView<'a> {
    fn new(section: &'a Section, words: &'a Words, ids: &mut Ids) -> Self {
        let id = ids.unique(section.id);
        let mut level = 3;
        let mut blocks = Vec::with_capacity(section.blocks.len());
        for block in &section.blocks {
            blocks.push(match block {
                Block::Paragraph(text) => BlockView::Paragraph(pieces(text)),
                Block::Note(text) => BlockView::Note(pieces(text)),
                Block::List(items) => BlockView::List(items.iter().map(|item| pieces(item)).collect()),
                Block::Heading(text) => {
                    level = 4;
                    BlockView::Heading(text)
                }
                Block::Table(table) if table.rows.is_empty() => BlockView::Paragraph(pieces(&table.empty)),
                Block::Table(table) => BlockView::Table(TableView::new(table, ids)),
                Block::Chart(chart) => {
                    let id = ids.unique(&format!("chart-{}", chart.id));
                    BlockView::Chart(Box::new(Figure::new(id, chart, words)))
                }
                Block::Finding(told) => {
                    BlockView::Finding(Box::new(FindingView::new(told, level, words, ids)))
                }
            });
        }
        Self { id, heading: &section.heading, blocks }
    }
}

impl<'a> TableView<'a> {
    fn new(table: &'a Table, ids: &mut Ids) -> Self {
        let is_number = |index| table.columns.get(index).is_some_and(|column: &Column| column.is_number);
        // The longest bar of a column fills it.
        let bar = |index: usize| {
            let bars = table.rows.iter().filter_map(|cells| cells.get(index)?.bar);
            bars.filter(|bar| bar.is_finite()).fold(0.0, f64::max)
        };
        let longest: Vec<f64> = (0..table.columns.len()).map(bar).collect();
        let row = |cells: &'a Vec<Cell>| {
            // A row may name itself once.
            let head = cells.iter().position(|cell| cell.mark == Mark::Head);
            let view = |(index, cell)| {
                let longest = longest.get(index).copied().unwrap_or(1.0);
                CellView::new(cell, head == Some(index), is_number(index), longest)
            };
            cells.iter().enumerate().map(view).collect()
        };
        Self {
            id: ids.unique(&format!("table-{}", table.id)),
            table,
            rows: table.rows.iter().map(row).collect(),
            notes: table.notes.iter().map(|note| pieces(note)).collect(),
        }
    }
}

impl<'a> CellView<'a> {
    fn new(cell: &'a Cell, is_head: bool, is_number: bool, longest: f64) -> Self {
        let (mark, sign) = match cell.mark {
            Mark::Plain | Mark::Head => ("", ""),
            Mark::Rise => ("rise", "▲"),
            Mark::Fall => ("fall", "▼"),
            Mark::New => ("new", ""),
            Mark::Faint => ("faint", ""),
        };
        let bar = cell.bar.filter(|bar| bar.is_finite() && longest > 0.0);
        let bar = bar.map(|bar| format!("{:.3}", (bar / longest).clamp(0.0, 1.0)));
        let number = if is_number { "n" } else { "" };
        let with_bar = if bar.is_some() { "bar" } else { "" };
        // So that no name is broken at its hyphen.
        let is_short = textwrap::core::display_width(&cell.text) <= SHORT_TEXT;
        let short = if is_short && !is_number { "short-text" } else { "" };
        let classes = [number, mark, with_bar, short].into_iter().filter(|class| !class.is_empty());
        let class = classes.collect::<Vec<_>>().join(" ");
        Self { is_head, class, sign, bar, text: pieces(&cell.text) }
    }
}

impl<'a> FindingView<'a> {
    fn new(told: &'a Told, level: u8, words: &'a Words, ids: &mut Ids) -> Self {
        let (kind, sign) = match told.kind {
            "rise" => ("rise", "▲"),
            "fall" => ("fall", "▼"),
            "silence" => ("silence", "○"),
            "blind" => ("blind", "×"),
            "newcomer" => ("newcomer", "+"),
            _ => ("other", ""),
        };
        Self {
            id: ids.unique(&told.id),
            kind,
            sign,
            level,
            told,
            text: pieces(&told.text),
            details: told.details.iter().map(|(label, value)| (label.as_str(), pieces(value))).collect(),
            figure: told
                .chart
                .as_ref()
                .map(|chart| Figure::new(ids.unique(&format!("chart-{}", chart.id)), chart, words)),
            note: told.note.as_deref().map(markdown),
        }
    }
}

/// Ids that are taken in the document.
struct Ids(BTreeSet<String>);

impl Default for Ids {
    /// Those that the template takes itself.
    fn default() -> Self {
        Self(["top", "main", "contents", "summary"].map(str::to_owned).into())
    }
}

impl Ids {
    /// An id that nothing else has: as it is wanted, as far as that will do for an id and its anchor.
    fn unique(&mut self, wanted: &str) -> String {
        let fit = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let wanted: String = wanted.chars().map(|letter| if fit(letter) { letter } else { '-' }).collect();
        let wanted = if wanted.is_empty() { "part".to_owned() } else { wanted };
        let numbered = (2..).map(|number: u64| format!("{wanted}-{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|id| !self.0.contains(id));
        let id = free.unwrap_or(wanted);
        self.0.insert(id.clone());
        id
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    pub is_link: bool,
}

/// A text, with the web addresses in it apart.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((begin, end)) = link(rest) {
        if begin > 0 {
            pieces.push(Piece { text: &rest[..begin], is_link: false });
        }
        pieces.push(Piece { text: &rest[begin..end], is_link: true });
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        pieces.push(Piece { text: rest, is_link: false });
    }
    pieces
}

/// Where the first web address of a text begins and ends.
fn link(text: &str) -> Option<(usize, usize)> {
    let of_address =
        |letter: char| letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(letter);
    let schemes = text.match_indices("http").map(|(begin, _)| begin);
    schemes
        .filter_map(|begin| {
            let address = &text[begin..];
            let scheme = ["https://", "http://"].into_iter().find(|scheme| address.starts_with(scheme))?;
            let end = address.find(|letter| !of_address(letter)).unwrap_or(address.len());
            // What ends a sentence or a parenthesis is none of the address.
            let mut address = address[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
            while let Some(shorter) = address.strip_suffix(')')
                && address.matches(')').count() > address.matches('(').count()
            {
                address = shorter.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
            }
            (address.len() > scheme.len()).then_some((begin, begin + address.len()))
        })
        .next()
}

/// Markdown as HTML that can do no harm.
fn markdown(text: &str) -> String {
    // Whether each link that is open was taken over.
    let mut links = Vec::new();
    let events = Parser::new(text).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        // Headings of their own would disturb the document's order.
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let is_taken = is_email(link_type) || may_link(&dest_url);
            links.push(is_taken);
            is_taken.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
        other => Some(other),
    });
    let mut html = String::with_capacity(text.len() + text.len() / 2);
    pulldown_cmark::html::push_html(&mut html, events);
    // A report may stand in a frame, which no other page may take. Text has no `<` of its own.
    html.replace("<a href=", "<a target=\"_blank\" rel=\"noopener noreferrer\" href=")
}

fn is_email(link_type: pulldown_cmark::LinkType) -> bool {
    link_type == pulldown_cmark::LinkType::Email
}

fn may_link(url: &CowStr<'_>) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https" | "mailto"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        model::Value,
        report::page::{Chart, DayMark, Line},
    };

    fn html(page: &Page) -> String {
        let mut out = Vec::new();
        write(page, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// What would be markup, or end an attribute, if it were not escaped.
    const EVIL: &str = "</title></style><img src=x onerror='alert(1)'>\"&amp;";

    fn evil() -> String {
        EVIL.to_owned()
    }

    fn evil_page() -> Page {
        let chart = Chart {
            id: evil(),
            title: evil(),
            description: evil(),
            unit: evil(),
            first: date(2019, 10, 1),
            ticks: vec![(0, evil())],
            lines: vec![Line { name: evil(), values: vec![Some(1.0), None] }],
            marks: vec![DayMark { day: 1, label: evil() }],
            from: 1,
        };
        let mark = |mark| Cell { text: evil(), value: Value::Null, bar: Some(0.5), mark };
        let table = Table {
            empty: String::new(),
            id: evil(),
            caption: evil(),
            columns: vec![
                Column { id: "a", heading: evil(), is_number: false },
                Column { id: "b", heading: evil(), is_number: true },
            ],
            rows: vec![vec![mark(Mark::Head), mark(Mark::Rise)], vec![mark(Mark::New), mark(Mark::Faint)]],
            notes: vec![evil()],
        };
        let told = Told {
            id: evil(),
            kind: "\" onclick=x",
            label: evil(),
            heading: evil(),
            text: evil(),
            details: vec![(evil(), evil())],
            note: Some(evil()),
            chart: Some(chart.clone()),
        };
        Page {
            lang: "en",
            title: evil(),
            subtitle: evil(),
            alerts: vec![evil()],
            cover: vec![(evil(), evil())],
            summary: vec![evil()],
            note: Some(evil()),
            sections: vec![Section {
                id: "s",
                heading: evil(),
                blocks: vec![
                    Block::Paragraph(evil()),
                    Block::Note(evil()),
                    Block::List(vec![evil()]),
                    Block::Heading(evil()),
                    Block::Table(table),
                    Block::Chart(chart),
                    Block::Finding(told),
                ],
            }],
            footer: vec![evil()],
            words: Words {
                contents: evil(),
                analyst: evil(),
                summary: evil(),
                chart_data: evil(),
                date: evil(),
                not_observed: evil(),
                skip: evil(),
            },
        }
    }

    #[test]
    fn no_text_is_taken_for_markup() {
        let html = html(&evil_page());
        assert_eq!(html.matches("<img").count(), 0);
        assert_eq!(html.matches("</style>").count(), 1);
        // The page's own, and one of each drawing: two charts in two layouts.
        assert_eq!(html.matches("</title>").count(), 5);
        assert!(!html.contains("onclick"), "a kind of finding is one of those known");
        // Wherever the text stands, nothing of it ends an attribute.
        for at in html.match_indices("onerror=").map(|(at, _)| at) {
            let (text, quote) = (&html[at..at + 30], &html[at + 8..at + 9]);
            assert!(quote == "&" || text.starts_with("onerror='alert(1)'&gt;"), "{text}");
        }
    }

    #[test]
    fn the_page_asks_for_nothing_else() {
        let mut page = evil_page();
        page.footer = vec!["see https://example.org/a?b=1&c=2.".into()];
        let html = html(&page);
        assert!(html.contains("default-src 'none'"));
        for reference in ["src=", "@import", "url(http", "<script", "<iframe", "<object", "<base"] {
            let text = html.replace("src=x onerror", "");
            assert!(!text.contains(reference), "{reference}");
        }
        assert!(html.contains(
            "<a href=\"https://example.org/a?b=1&#38;c=2\" target=\"_blank\" rel=\"noopener noreferrer\">https://example.org/a?b=1&#38;c=2</a>."
        ));
    }

    #[test]
    fn ids_are_taken_once() {
        let mut ids = Ids::default();
        assert_eq!(ids.unique("main"), "main-2");
        assert_eq!(ids.unique("silence-IR 2019"), "silence-IR-2019");
        assert_eq!(ids.unique("silence-IR-2019"), "silence-IR-2019-2");
        assert_eq!(ids.unique(""), "part");
    }

    #[test]
    fn web_addresses_end_where_they_do() {
        let links = |text| -> Vec<String> {
            let pieces = pieces(text);
            assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), text);
            pieces.iter().filter(|piece| piece.is_link).map(|piece| piece.text.to_owned()).collect()
        };
        assert_eq!(
            links("see https://a.example/x, or (http://b.example/y)."),
            ["https://a.example/x", "http://b.example/y"]
        );
        assert_eq!(links("https://a.example/x_(y)をご覧ください。"), ["https://a.example/x_(y)"]);
        assert_eq!(links("httpd http: https:// javascript:alert(1)"), [""; 0]);
        assert_eq!(links("https://a.example https://b.example"), ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn markdown_brings_no_markup_of_its_own() {
        let html = markdown(
            "# Heading\n\n**bold** <b onclick=x>inline</b>\n\n<script>\nalert(1)\n</script>\n\n\
             ![picture](https://example.org/x.png) [good](https://example.org/?a&b) [mail](mailto:a@b.example) \
             [bad](javascript:alert(1)) [data](data:text/html,x) [near](/x) <c@d.example>",
        );
        assert!(html.contains("<p>Heading</p>"), "{html}");
        assert!(html.contains("<strong>bold</strong> &lt;b onclick=x&gt;inline&lt;/b&gt;"), "{html}");
        assert!(html.contains("<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;\n</p>"), "{html}");
        let link = "<a target=\"_blank\" rel=\"noopener noreferrer\" href=";
        assert!(html.contains(&format!("picture {link}\"https://example.org/?a&amp;b\">good</a>")), "{html}");
        assert!(html.contains(&format!("{link}\"mailto:a@b.example\">mail</a> bad data near")), "{html}");
        assert!(html.contains(&format!("{link}\"mailto:c@d.example\">")), "{html}");
        assert_eq!(html.matches("<a ").count(), 3, "{html}");
    }

    #[test]
    fn findings_stand_below_the_heading_before_them() {
        let told = || Block::Finding(Told { id: "x".into(), heading: "Told".into(), ..Told::default() });
        let blocks = vec![told(), Block::Heading("Within".into()), told()];
        let page = Page {
            sections: vec![Section { id: "s", heading: "Section".into(), blocks }],
            ..Page::default()
        };
        let html = html(&page);
        let order = ["<h3 id=\"x-heading\">Told</h3>", "<h3>Within</h3>", "<h4 id=\"x-2-heading\">Told</h4>"];
        let places = order.map(|text| html.find(text).unwrap_or_else(|| panic!("{text} is missing")));
        assert!(places.is_sorted());
    }

    #[test]
    fn the_longest_bar_fills_its_column() {
        let cell = |bar| Cell { text: String::new(), value: Value::Null, bar, mark: Mark::Plain };
        let rows = [Some(0.2), Some(0.4), None, Some(f64::NAN)].map(|bar| vec![cell(bar)]).to_vec();
        let table = Table { columns: vec![Column::default()], rows, ..Table::default() };
        let view = TableView::new(&table, &mut Ids::default());
        let bars: Vec<_> = view.rows.iter().map(|row| row[0].bar.as_deref()).collect();
        assert_eq!(bars, [Some("0.500"), Some("1.000"), None, None]);
    }
}
