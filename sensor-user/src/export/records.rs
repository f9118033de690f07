//! Any table of columns and values, as aligned columns, JSON Lines, CSV, or one JSON document.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use schemars::{Schema, json_schema};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::model::{Dimension, Value};

/// What a column's values are, and how people read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Time,
    Bool,
    /// A number that names something, such as a port.
    Number,
    /// A number of things.
    Count,
    /// A real number.
    Real,
    /// A part of a whole, 0 to 1.
    Share,
    Bytes,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub shape: Shape,
    /// What the values mean, in a sentence without a full stop.
    pub description: &'static str,
    /// Unit of the values; empty where they have none.
    pub unit: &'static str,
}

/// A table. A value beyond its bounds is null.
pub trait Records {
    /// How many columns there are.
    fn width(&self) -> usize;
    /// How many rows there are.
    fn len(&self) -> usize;
    /// The column at a place below [`Records::width`].
    fn column(&self, index: usize) -> Column;
    /// The value of a row in a column: null, or of the column's shape.
    fn value(&self, row: usize, column: usize) -> Value;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The column of a dimension.
pub const fn dimension(asked: Dimension) -> Column {
    let (shape, description) = match asked {
        Dimension::Time => (Shape::Time, "Start of the interval"),
        Dimension::Sensor => (Shape::Text, "Name of the sensor; null where it was lost with the source"),
        Dimension::Class => {
            (Shape::Text, "scan, backscatter or other; null where a lost source leaves it open")
        }
        Dimension::Kind => (Shape::Text, "What the packets are, by their headers"),
        Dimension::Family => (Shape::Number, "IP version, 4 or 6"),
        Dimension::Protocol => (Shape::Text, "Name of the protocol, or its number at IANA"),
        Dimension::DstPort => (Shape::Number, "Destination port; null for kinds that have none"),
        Dimension::VictimPort => {
            (Shape::Number, "Port of the service that answered or was out of reach; null for other kinds")
        }
        Dimension::IcmpType => (Shape::Number, "ICMP or ICMPv6 type; null for other kinds"),
        Dimension::IcmpCode => (Shape::Number, "ICMP or ICMPv6 code; null for other kinds"),
        Dimension::Source => (Shape::Text, "Source, as it is counted"),
        Dimension::Prefix => (Shape::Text, "Source prefix: /24 of IPv4, /48 of IPv6"),
        Dimension::Region => {
            (Shape::Text, "Region of the source: ISO 3166-1 alpha-2, unknown, non-routable or unattributed")
        }
        Dimension::Asn => (Shape::Number, "Autonomous system of the source; null where it is not known"),
        Dimension::Tool => (Shape::Text, "Scanning tool by its mark: mirai, zmap, masscan or none"),
    };
    Column { name: asked.as_str(), shape, description, unit: "" }
}

/// How a column stands in a row's JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In every row, with a value.
    Always,
    /// In every row; null where there is no value.
    Nullable,
    /// In rows that were asked for it; null where there is no value.
    Asked,
}

/// The JSON Schema of a row as an object.
pub fn row_schema(columns: impl IntoIterator<Item = (Column, Presence)>) -> Schema {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (column, presence) in columns {
        let (kind, format) = match column.shape {
            Shape::Text | Shape::Bytes => ("string", None),
            Shape::Time => ("string", Some("date-time")),
            Shape::Bool => ("boolean", None),
            Shape::Number | Shape::Count => ("integer", Some("uint64")),
            Shape::Real | Shape::Share => ("number", Some("double")),
        };
        let mut schema = match presence {
            Presence::Always => json_schema!({ "type": kind }),
            Presence::Nullable | Presence::Asked => json_schema!({ "type": [kind, "null"] }),
        };
        if let Some(format) = format {
            schema.insert("format".to_owned(), format.into());
        }
        let unit = if column.unit.is_empty() { String::new() } else { format!(" [{}]", column.unit) };
        schema.insert("description".to_owned(), format!("{}{unit}", column.description).into());
        properties.insert(column.name.to_owned(), schema.into());
        if presence != Presence::Asked {
            required.push(column.name);
        }
    }
    json_schema!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false
    })
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Real(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Time(_) | Self::Bytes(_) => serializer.collect_str(self),
        }
    }
}

/// A row as an object, its columns in their order.
struct Object<'a, R: ?Sized>(&'a R, usize);

impl<R: Records + ?Sized> Serialize for Object<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.width()))?;
        add_to(self.0, self.1, &mut map)?;
        map.end()
    }
}

/// Adds the columns of a row to an object.
pub(super) fn add_to<M: SerializeMap>(
    records: &(impl Records + ?Sized),
    row: usize,
    map: &mut M,
) -> Result<(), M::Error> {
    for column in 0..records.width() {
        map.serialize_entry(records.column(column).name, &records.value(row, column))?;
    }
    Ok(())
}

/// Writes one object a line.
///
/// # Errors
///
/// Those of the writer.
pub fn write_jsonl(records: &(impl Records + ?Sized), to: &mut impl Write) -> io::Result<()> {
    for row in 0..records.len() {
        write_line(to, &Object(records, row))?;
    }
    Ok(())
}

/// Writes a header and one record a row. Values that do not apply are empty.
///
/// # Errors
///
/// Those of the writer.
pub fn write_csv(records: &(impl Records + ?Sized), to: &mut impl Write) -> io::Result<()> {
    // By itself, csv's error becomes an I/O error of no kind, and a broken pipe is not known as one.
    let io = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    let mut writer = csv::Writer::from_writer(to);
    let columns = 0..records.width();
    writer.write_record(columns.clone().map(|column| records.column(column).name)).map_err(io)?;
    for row in 0..records.len() {
        writer
            .write_record(columns.clone().map(|column| records.value(row, column).to_string()))
            .map_err(io)?;
    }
    writer.flush()
}

/// Writes `{"summary": {…}, "rows": […]}`.
///
/// # Errors
///
/// Those of the writer.
pub fn write_json(
    records: &(impl Records + ?Sized),
    to: &mut impl Write,
    summary: &impl Serialize,
) -> io::Result<()> {
    struct Document<'a, R: ?Sized, S>(&'a R, &'a S);
    struct List<'a, R: ?Sized>(&'a R);
    impl<R: Records + ?Sized> Serialize for List<'_, R> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(Some(self.0.len()))?;
            for row in 0..self.0.len() {
                list.serialize_element(&Object(self.0, row))?;
            }
            list.end()
        }
    }
    impl<R: Records + ?Sized, T: Serialize> Serialize for Document<'_, R, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("summary", self.1)?;
            map.serialize_entry("rows", &List(self.0))?;
            map.end()
        }
    }
    write_line(to, &Document(records, summary))
}

/// Writes aligned columns.
///
/// # Errors
///
/// Those of the writer.
pub fn write_table(records: &(impl Records + ?Sized), to: &mut impl Write) -> io::Result<()> {
    let mut table = columns();
    let shapes: Vec<Column> = (0..records.width()).map(|column| records.column(column)).collect();
    table.set_header(shapes.iter().map(|column| column.name.to_uppercase().replace('_', " ")));
    for row in 0..records.len() {
        let cells = shapes.iter().enumerate();
        table.add_row(cells.map(|(index, column)| cell(&records.value(row, index), column.shape)));
    }
    for (index, column) in shapes.iter().enumerate() {
        let alignment = match column.shape {
            Shape::Text | Shape::Time | Shape::Bool | Shape::Bytes => CellAlignment::Left,
            Shape::Number | Shape::Count | Shape::Real | Shape::Share => CellAlignment::Right,
        };
        align(&mut table, index, alignment);
    }
    writeln!(to, "{}", table.trim_fmt())
}

/// A value as people read it.
fn cell(value: &Value, shape: Shape) -> String {
    match (value, shape) {
        (Value::Null, _) => "-".to_owned(),
        (Value::Number(count), Shape::Count) => grouped(*count),
        (Value::Real(part), Shape::Share) => format!("{:.1} %", part * 100.0),
        (Value::Real(number), _) if *number >= 100.0 => grouped(number.round() as u64),
        (Value::Real(number), _) if *number >= 10.0 => format!("{number:.1}"),
        (Value::Real(number), _) => format!("{number:.2}"),
        (value, _) => value.to_string(),
    }
}

pub(super) fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
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
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 0), "");
        let real = |number| cell(&Value::Real(number), Shape::Real);
        assert_eq!([0.126, 12.34, 4321.5].map(real), ["0.13", "12.3", "4,322"]);
        assert_eq!(cell(&Value::Real(0.126), Shape::Share), "12.6 %");
        assert_eq!(cell(&Value::Null, Shape::Count), "-");
    }

    #[test]
    fn values_as_text() {
        let time = Value::Time("2019-10-04T00:00:00Z".parse().unwrap());
        for (value, text) in [
            (time, "2019-10-04T00:00:00Z"),
            (Value::Bytes(vec![0, 0xab]), "00ab"),
            (Value::Bool(true), "true"),
            (Value::Real(0.5), "0.5"),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }
}
