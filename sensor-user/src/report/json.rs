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

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    /// With TEITEN_WRITE_SCHEMA set, the file is written anew.
    #[test]
    fn the_schema_that_is_documented_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
        let schema = serde_json::to_string_pretty(&super::schema()).unwrap() + "\n";
        if env::var_os("TEITEN_WRITE_SCHEMA").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let documented = fs::read_to_string(&path).unwrap();
        assert!(
            documented == schema,
            "set TEITEN_WRITE_SCHEMA and run this test, then look at the difference"
        );
    }
}
