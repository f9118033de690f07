//! Tables as CSV, for machines and spreadsheets: raw values under headers that are the same in every language.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use super::page::Table;
use crate::model::Value;

/// What begins a formula in a spreadsheet.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes a table after RFC 4180, in UTF-8, with a byte-order mark on request (by which spreadsheets know UTF-8).
/// What is not known is empty. A text that a spreadsheet would take for a formula has an apostrophe before it;
/// numbers never have.
///
/// # Errors
///
/// Those of the writer.
pub fn write(table: &Table, bom: bool, to: &mut impl Write) -> io::Result<()> {
    // By itself, csv's error becomes an I/O error of no kind, and a broken pipe is not known as one.
    let io = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    if bom {
        to.write_all("\u{feff}".as_bytes())?;
    }
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(to);
    writer.write_record(table.columns.iter().map(|column| column.id)).map_err(io)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(|cell| text(&cell.value))).map_err(io)?;
    }
    writer.flush()
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) if text.starts_with(FORMULA) => format!("'{text}"),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::{Cell, Column, Mark};

    fn written(values: Vec<Value>, bom: bool) -> String {
        let column = |id| Column { id, heading: "Überschrift".into(), is_number: false };
        let cell = |value| Cell { text: "for people".into(), value, bar: None, mark: Mark::Plain };
        let table = Table {
            id: "ports".into(),
            columns: ["a", "b"].map(column).to_vec(),
            rows: values.chunks(2).map(|pair| pair.iter().cloned().map(cell).collect()).collect(),
            ..Table::default()
        };
        let mut bytes = Vec::new();
        write(&table, bom, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_are_raw_and_quoted_where_they_must_be() {
        let values = vec![
            Value::Number(1_234_567),
            Value::Real(-0.111),
            Value::Null,
            Value::Text("a \"b\", c\nd".into()),
        ];
        assert_eq!(written(values, false), "a,b\r\n1234567,-0.111\r\n,\"a \"\"b\"\", c\nd\"\r\n");
    }

    #[test]
    fn a_byte_order_mark_comes_on_request_only() {
        assert_eq!(written(Vec::new(), true), "\u{feff}a,b\r\n");
        assert_eq!(written(Vec::new(), false), "a,b\r\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
            let line = written(vec![Value::Text(text.into()), Value::Text("fine - so".into())], false);
            assert_eq!(line, format!("a,b\r\n'{text},fine - so\r\n"));
        }
        // A negative number is one.
        assert!(written(vec![Value::Real(-5.0), Value::Null], false).ends_with("\r\n-5,\r\n"));
    }
}
