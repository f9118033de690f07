//! A report as its JSON document, with the sentences of a language.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use schemars::JsonSchema;
use serde::Serialize;

use super::model::Report;

/// A report with what is told of its findings.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Report of Teiten")]
pub struct Document<'a> {
    #[serde(flatten)]
    pub report: &'a Report,
    /// Language of `text`: `en` or `ja`.
    pub language: &'a str,
    /// Sentences by the id of the finding.
    pub text: &'a BTreeMap<String, String>,
}

/// Writes the document, indented.
///
/// # Errors
///
/// Those of the writer.
pub fn write(document: &Document<'_>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}

/// The document's JSON Schema, as it stands in `docs/report.schema.json`.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Document<'static>)
}
