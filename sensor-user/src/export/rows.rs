//! Rows of counts as a table, JSON Lines, CSV, or one JSON document.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    kernel::Drain,
    model::{Dimension, Row, Sensors, Value},
};

use super::records::{self, Column, Records, Shape, dimension};
pub use super::records::{grouped, share};

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

const PACKETS: Column =
    Column { name: "packets", shape: Shape::Count, description: "Packets counted", unit: "packets" };

/// The dimensions in the order asked, then `packets`.
impl Records for Rows<'_> {
    fn width(&self) -> usize {
        self.dimensions.len() + 1
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn column(&self, index: usize) -> Column {
        self.dimensions.get(index).map_or(PACKETS, |&asked| dimension(asked))
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let Some((row, packets)) = self.rows.get(row) else { return Value::Null };
        self.dimensions.get(column).map_or(Value::Number(*packets), |&asked| row.value(asked, self.sensors))
    }
}

/// Rows with their share of all packets, for people.
struct Shared<'a> {
    rows: Rows<'a>,
    all: u64,
}

impl Records for Shared<'_> {
    fn width(&self) -> usize {
        self.rows.width() + 1
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn column(&self, index: usize) -> Column {
        if index < self.rows.width() {
            return self.rows.column(index);
        }
        Column { name: "share", shape: Shape::Share, description: "Part of all packets", unit: "1" }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        if column < self.rows.width() {
            return self.rows.value(row, column);
        }
        Value::Text(
            self.rows.rows.get(row).map_or_else(String::new, |(_, packets)| share(*packets, self.all)),
        )
    }
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
    /// Adds what was drained, but for the frames, which whoever read them has counted.
    pub fn add(&mut self, drain: &Drain) {
        self.packets += drain.outcomes.packets;
        self.non_ip += drain.outcomes.non_ip;
        self.malformed += drain.outcomes.malformed;
        self.unwatched += drain.outcomes.unwatched;
        self.local += drain.outcomes.local;
        self.lost += drain.lost;
        self.uncounted += drain.uncounted;
    }

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

impl<'a> Rows<'a> {
    /// Writes one object a line.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_jsonl(self, to: &mut impl Write) -> io::Result<()> {
        records::write_jsonl(&self, to)
    }

    /// Writes one object a line, each of type `row` and with the start of its interval.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_interval_jsonl(self, to: &mut impl Write, start: &str) -> io::Result<()> {
        struct Typed<'a>(&'a str, Rows<'a>, usize);
        impl Serialize for Typed<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", "row")?;
                if !self.1.dimensions.contains(&Dimension::Time) {
                    map.serialize_entry("time", self.0)?;
                }
                records::add_to(&self.1, self.2, &mut map)?;
                map.end()
            }
        }
        for row in 0..self.rows.len() {
            records::write_line(to, &Typed(start, self, row))?;
        }
        Ok(())
    }

    /// Writes a header and one record a row. Values that do not apply are empty.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_csv(self, to: &mut impl Write) -> io::Result<()> {
        records::write_csv(&self, to)
    }

    /// Writes `{"summary": {…}, "rows": […]}`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(self, to: &mut impl Write, summary: &Summary) -> io::Result<()> {
        records::write_json(&self, to, summary)
    }

    /// Writes aligned columns, with each row's share of `all` packets.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_table(self, to: &mut impl Write, all: u64) -> io::Result<()> {
        records::write_table(&Shared { rows: self, all }, to)
    }
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
}
