//! Rows of counts as a table, JSON Lines, CSV, or one JSON document.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::model::{Dimension, Row, Sensors, Value};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, for people
    Table,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// One JSON document
    Json,
}

/// Rows with the names that their values need.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub dimensions: &'a [Dimension],
    pub sensors: &'a Sensors,
    pub rows: &'a [(Row, u64)],
}

/// How all frames ended: the totals beside rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Frames counted under a key.
    pub packets: u64,
    pub non_ip: u64,
    pub malformed: u64,
    pub unwatched: u64,
    pub local: u64,
    /// Packets without joint detail; they are among `packets`.
    pub lost: u64,
    /// Frames whose counters could not be found. Must be 0.
    pub uncounted: u64,
}

impl Summary {
    /// Names and values, in order.
    pub fn fields(&self) -> [(&'static str, u64); 8] {
        [
            ("frames", self.frames),
            ("packets", self.packets),
            ("non_ip", self.non_ip),
            ("malformed", self.malformed),
            ("unwatched", self.unwatched),
            ("local", self.local),
            ("lost", self.lost),
            ("uncounted", self.uncounted),
        ]
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A row as an object: the dimensions in the order asked, then `packets`.
struct Object<'a> {
    rows: Rows<'a>,
    row: &'a Row,
    packets: u64,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.rows.dimensions.len() + 1))?;
        self.add_to(&mut map)?;
        map.end()
    }
}

impl Object<'_> {
    fn add_to<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for &dimension in self.rows.dimensions {
            map.serialize_entry(dimension.as_str(), &self.row.value(dimension, self.rows.sensors))?;
        }
        map.serialize_entry("packets", &self.packets)
    }
}

impl<'a> Rows<'a> {
    fn objects(self) -> impl Iterator<Item = Object<'a>> {
        self.rows.iter().map(move |(row, packets)| Object { rows: self, row, packets: *packets })
    }

    /// Writes one object a line.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_jsonl(self, to: &mut impl Write) -> io::Result<()> {
        for object in self.objects() {
            write_line(to, &object)?;
        }
        Ok(())
    }

    /// Writes one object a line, each of type `row` and with the start of its interval.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_interval_jsonl(self, to: &mut impl Write, start: &str) -> io::Result<()> {
        struct Typed<'a>(&'a str, Object<'a>);
        impl Serialize for Typed<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", "row")?;
                if !self.1.rows.dimensions.contains(&Dimension::Time) {
                    map.serialize_entry("time", self.0)?;
                }
                self.1.add_to(&mut map)?;
                map.end()
            }
        }
        for object in self.objects() {
            write_line(to, &Typed(start, object))?;
        }
        Ok(())
    }

    /// Writes a header and one record a row. Values that do not apply are empty.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_csv(self, to: &mut impl Write) -> io::Result<()> {
        // By itself, csv's error becomes an I/O error of no kind, and a broken pipe is not known as one.
        let io = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        let mut writer = csv::Writer::from_writer(to);
        let header = self.dimensions.iter().map(|dimension| dimension.as_str()).chain(["packets"]);
        writer.write_record(header).map_err(io)?;
        for (row, packets) in self.rows {
            let values = self.dimensions.iter().map(|&dimension| row.value(dimension, self.sensors));
            let values = values.chain([Value::Number(*packets)]).map(|value| value.to_string());
            writer.write_record(values).map_err(io)?;
        }
        writer.flush()
    }

    /// Writes `{"summary": {…}, "rows": […]}`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(self, to: &mut impl Write, summary: &Summary) -> io::Result<()> {
        struct Document<'a>(&'a Summary, Rows<'a>);
        struct List<'a>(Rows<'a>);
        impl Serialize for List<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(Some(self.0.rows.len()))?;
                for object in self.0.objects() {
                    list.serialize_element(&object)?;
                }
                list.end()
            }
        }
        impl Serialize for Document<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("summary", self.0)?;
                map.serialize_entry("rows", &List(self.1))?;
                map.end()
            }
        }
        write_line(to, &Document(summary, self))
    }

    /// Writes aligned columns, with each row's share of `all` packets.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_table(self, to: &mut impl Write, all: u64) -> io::Result<()> {
        let mut table = columns();
        let names = self.dimensions.iter().map(|dimension| dimension.as_str()).chain(["packets", "share"]);
        table.set_header(names.map(|name| name.to_uppercase().replace('_', " ")));
        for (row, packets) in self.rows {
            let values = self.dimensions.iter().map(|&dimension| match row.value(dimension, self.sensors) {
                Value::Null => "-".to_owned(),
                value => value.to_string(),
            });
            table.add_row(values.chain([grouped(*packets), share(*packets, all)]));
        }
        for (index, &dimension) in self.dimensions.iter().enumerate() {
            let is_text = matches!(
                dimension,
                Dimension::Time
                    | Dimension::Sensor
                    | Dimension::Class
                    | Dimension::Kind
                    | Dimension::Protocol
                    | Dimension::Source
                    | Dimension::Prefix
                    | Dimension::Region
                    | Dimension::Tool
            );
            align(&mut table, index, if is_text { CellAlignment::Left } else { CellAlignment::Right });
        }
        align(&mut table, self.dimensions.len(), CellAlignment::Right);
        align(&mut table, self.dimensions.len() + 1, CellAlignment::Right);
        writeln!(to, "{}", table.trim_fmt())
    }
}

fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// A table without lines, as wide as it needs to be.
pub(super) fn columns() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Aligns a column, and sets it two spaces apart from the next.
pub(super) fn align(table: &mut Table, column: usize, alignment: CellAlignment) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(alignment);
        column.set_padding((0, 2));
    }
}

/// A count with its digits in groups of three.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent with one decimal; nothing where there is nothing to share.
pub fn share(part: u64, all: u64) -> String {
    if all == 0 { String::new() } else { format!("{:.1} %", part as f64 * 100.0 / all as f64) }
}

#[cfg(test)]
mod tests {
    use crate::model::{Class, Protocol, Region, Role};

    use super::*;

    const DIMENSIONS: [Dimension; 4] =
        [Dimension::Region, Dimension::Protocol, Dimension::DstPort, Dimension::Class];

    fn rows() -> Vec<(Row, u64)> {
        let telnet = Row {
            region: Region::from_code("nl"),
            protocol: Some(Protocol::Tcp),
            dst_port: Some(23),
            class: Some(Class::Scan),
            ..Row::default()
        };
        let gre = Row { protocol: Some(Protocol::Number(47)), dst_port: None, class: None, ..telnet };
        vec![(telnet, 1234), (gre, 1)]
    }

    fn written(write: impl FnOnce(Rows<'_>, &mut Vec<u8>) -> io::Result<()>) -> String {
        let (rows, sensors) = (rows(), Sensors::everything("a", Role::Dark));
        let mut text = Vec::new();
        write(Rows { dimensions: &DIMENSIONS, sensors: &sensors, rows: &rows }, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn jsonl_keeps_the_order_asked_and_says_null() {
        assert_eq!(
            written(|rows, to| rows.write_jsonl(to)),
            "{\"region\":\"NL\",\"protocol\":\"tcp\",\"dst_port\":23,\"class\":\"scan\",\"packets\":1234}\n\
             {\"region\":\"NL\",\"protocol\":\"47\",\"dst_port\":null,\"class\":null,\"packets\":1}\n"
        );
    }

    #[test]
    fn csv_leaves_empty_what_does_not_apply() {
        assert_eq!(
            written(|rows, to| rows.write_csv(to)),
            "region,protocol,dst_port,class,packets\nNL,tcp,23,scan,1234\nNL,47,,,1\n"
        );
    }

    #[test]
    fn json_is_one_document() {
        let summary = Summary { frames: 1240, packets: 1235, non_ip: 5, ..Summary::default() };
        let text = written(|rows, to| rows.write_json(to, &summary));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["summary"]["frames"], 1240);
        assert_eq!(document["summary"].as_object().unwrap().len(), 8);
        assert_eq!(document["rows"][0]["packets"], 1234);
        assert!(document["rows"][1]["dst_port"].is_null());
    }

    #[test]
    fn the_table_is_aligned() {
        let text = written(|rows, to| rows.write_table(to, 1235));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "REGION  PROTOCOL  DST PORT  CLASS  PACKETS   SHARE");
        assert_eq!(lines[1], "NL      tcp             23  scan     1,234  99.9 %");
        assert_eq!(lines[2], "NL      47               -  -            1   0.1 %");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 0), "");
    }
}
