//! A report as a page: headings, sentences, tables and charts in a language, in no format yet.
//!
//! HTML, Markdown and CSV are written from this, so that they say the same.

use jiff::civil::Date;

use crate::model::Value;

/// A whole page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// BCP 47 tag of the language: `en`, `ja`.
    pub lang: &'static str,
    pub title: String,
    pub subtitle: String,
    /// What has to be known before anything else: incomplete data, pending counts.
    pub alerts: Vec<String>,
    /// Label and value: period, time zone, sensors, databases, observed time …
    pub cover: Vec<(String, String)>,
    /// The period in a few sentences.
    pub summary: Vec<String>,
    /// What an analyst has written of the whole, as Markdown.
    pub note: Option<String>,
    pub sections: Vec<Section>,
    /// Small print at the end.
    pub footer: Vec<String>,
    /// Words of the page itself, which are no content.
    pub words: Words,
}

impl Page {
    /// All tables, in their order.
    pub fn tables(&self) -> Vec<&Table> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks
            .filter_map(|block| match block {
                Block::Table(table) => Some(table),
                _ => None,
            })
            .collect()
    }
}

/// Words that a format needs for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Heading over the sections' links.
    pub contents: String,
    /// Label of what an analyst has added.
    pub analyst: String,
    /// Heading over [`Page::summary`].
    pub summary: String,
    /// Label of a chart's figures as a table, and the name of the dates' column.
    pub chart_data: String,
    pub date: String,
    /// What stands in a chart where nothing was observed.
    pub not_observed: String,
    /// A link past everything that comes before the text.
    pub skip: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Stays the same in all languages: `ports`, `regions`, `trends`, `phenomena` …
    pub id: &'static str,
    pub heading: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(String),
    /// Small print.
    Note(String),
    List(Vec<String>),
    /// A heading below the section's.
    Heading(String),
    Table(Table),
    Chart(Chart),
    Finding(Told),
}

/// A finding as it is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// [`super::model::Finding::id`].
    pub id: String,
    /// Colour and mark: `rise`, `fall`, `silence`, `blind`, `newcomer`.
    pub kind: &'static str,
    /// Name of the kind, in the language.
    pub label: String,
    pub heading: String,
    /// Sentences.
    pub text: String,
    /// Label and value.
    pub details: Vec<(String, String)>,
    /// What an analyst has written, as Markdown.
    pub note: Option<String>,
    pub chart: Option<Chart>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Name of the CSV file: `ports`, `regions`, `sensor-ports-NAME` …
    pub id: String,
    pub caption: String,
    pub columns: Vec<Column>,
    /// Each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Below the table.
    pub notes: Vec<String>,
    /// What stands in place of a table without rows.
    pub empty: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Header in CSV; stays the same in all languages.
    pub id: &'static str,
    pub heading: String,
    pub is_number: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// For people.
    pub text: String,
    /// For CSV.
    pub value: Value,
    /// 0 to 1, drawn as a bar behind the text where it is given.
    pub bar: Option<f64>,
    pub mark: Mark,
}

/// How a cell is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    Plain,
    Rise,
    Fall,
    /// Something that was not there before.
    New,
    /// The cell that names the row.
    Head,
    /// Below the others in importance.
    Faint,
}

/// Lines over days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    pub id: String,
    pub title: String,
    /// What it shows, in sentences, for those who do not see it.
    pub description: String,
    /// Of the vertical axis.
    pub unit: String,
    pub first: Date,
    /// Text of a day for tick `i` of the horizontal axis: index of the day and its label, in order.
    pub ticks: Vec<(usize, String)>,
    pub lines: Vec<Line>,
    pub marks: Vec<DayMark>,
    /// Index of the first day of the period, where the chart begins before it.
    pub from: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub name: String,
    /// A value of each day; `None` where nothing was observed, which is a gap and not zero.
    pub values: Vec<Option<f64>>,
}

/// Something that happened on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayMark {
    pub day: usize,
    pub label: String,
}
