//! Any table as a Parquet file.
//!
//! Columns are compressed by zstd. Each field of the schema that Arrow's readers see carries the
//! column's `description` and `unit`; the file's own metadata says what made it and of what.

use std::{io::Write, sync::Arc};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};

use crate::model::Value;

use super::records::{Column, Records, Shape};

/// Rows that are turned into columns at once.
const BATCH: usize = 8192;
/// Rows of a row group, which is held in memory (encoded) until it is full.
const ROW_GROUP: usize = 131_072;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetFileError {
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
    #[error("cannot make columns for Parquet: {0}")]
    Arrow(#[from] ArrowError),
}

/// A file in the making. What is dropped before [`ParquetFile::finish`] is no Parquet file.
pub struct ParquetFile<W: Write + Send> {
    schema: Arc<Schema>,
    shapes: Vec<Shape>,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetFile<W> {
    /// A file of these columns. `metadata`: keys and values for whoever reads the file.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(to: W, columns: &[Column], metadata: &[(&str, String)]) -> Result<Self, ParquetFileError> {
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let metadata = metadata
            .iter()
            .map(|(key, value)| KeyValue::new(format!("teiten.{key}"), value.clone()))
            .collect();
        let properties = WriterProperties::builder()
            .set_created_by(concat!("teiten ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_key_value_metadata(Some(metadata))
            .build();
        let writer = ArrowWriter::try_new(to, Arc::clone(&schema), Some(properties))?;
        Ok(Self { schema, shapes: columns.iter().map(|column| column.shape).collect(), writer })
    }

    /// Adds rows, whose columns are those of the file.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&mut self, records: &(impl Records + ?Sized)) -> Result<(), ParquetFileError> {
        for start in (0..records.len()).step_by(BATCH) {
            let rows = start..records.len().min(start + BATCH);
            let columns = self.shapes.iter().enumerate();
            let arrays = columns
                .map(|(column, &shape)| array(shape, rows.clone().map(|row| records.value(row, column))))
                .collect();
            self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        }
        Ok(())
    }

    /// Writes the rest and the foot of the file, and gives back what was written to.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(self) -> Result<W, ParquetFileError> {
        Ok(self.writer.into_inner()?)
    }
}

/// Writes one table as a file.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    records: &(impl Records + ?Sized),
    to: impl Write + Send,
    metadata: &[(&str, String)],
) -> Result<(), ParquetFileError> {
    let columns: Vec<Column> = (0..records.width()).map(|column| records.column(column)).collect();
    let mut file = ParquetFile::new(to, &columns, metadata)?;
    file.write(records)?;
    file.finish()?;
    Ok(())
}

fn field(column: &Column) -> Field {
    let kind = match column.shape {
        Shape::Text => DataType::Utf8,
        Shape::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Shape::Bool => DataType::Boolean,
        Shape::Number => DataType::UInt32,
        Shape::Count => DataType::Int64,
        Shape::Real | Shape::Share => DataType::Float64,
        Shape::Bytes => DataType::Binary,
    };
    let said = [("description", column.description), ("unit", column.unit)];
    Field::new(column.name, kind, true).with_metadata(
        said.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect::<arrow_schema::Metadata>(),
    )
}

/// The values of a column. One that is not of the column's shape is null.
fn array(shape: Shape, values: impl Iterator<Item = Value>) -> ArrayRef {
    match shape {
        Shape::Text => Arc::new(
            values
                .map(|value| if let Value::Text(text) = value { Some(text) } else { None })
                .collect::<StringArray>(),
        ),
        Shape::Time => Arc::new(
            values
                .map(|value| if let Value::Time(time) = value { Some(time.as_microsecond()) } else { None })
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Shape::Bool => Arc::new(
            values
                .map(|value| if let Value::Bool(yes) = value { Some(yes) } else { None })
                .collect::<BooleanArray>(),
        ),
        Shape::Number => Arc::new(
            values
                .map(
                    |value| if let Value::Number(number) = value { u32::try_from(number).ok() } else { None },
                )
                .collect::<UInt32Array>(),
        ),
        // Counts come from SQLite, whose integers are these.
        Shape::Count => Arc::new(
            values
                .map(
                    |value| if let Value::Number(number) = value { i64::try_from(number).ok() } else { None },
                )
                .collect::<Int64Array>(),
        ),
        Shape::Real | Shape::Share => Arc::new(
            values
                .map(|value| if let Value::Real(number) = value { Some(number) } else { None })
                .collect::<Float64Array>(),
        ),
        Shape::Bytes => Arc::new(
            values
                .map(|value| if let Value::Bytes(bytes) = value { Some(bytes) } else { None })
                .collect::<BinaryArray>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(usize);

    const COLUMNS: [Column; 3] = [
        Column { name: "row", shape: Shape::Count, description: "Which row", unit: "rows" },
        Column { name: "text", shape: Shape::Text, description: "The same", unit: "" },
        Column { name: "time", shape: Shape::Time, description: "The same, as a time", unit: "" },
    ];

    impl Records for Numbers {
        fn width(&self) -> usize {
            COLUMNS.len()
        }
        fn len(&self) -> usize {
            self.0
        }
        fn column(&self, index: usize) -> Column {
            COLUMNS[index]
        }
        fn value(&self, row: usize, column: usize) -> Value {
            match column {
                0 => Value::Number(row as u64),
                1 if row.is_multiple_of(2) => Value::Text(row.to_string()),
                2 => Value::Time(jiff::Timestamp::from_second(row as i64).unwrap()),
                _ => Value::Null,
            }
        }
    }

    #[test]
    fn row_groups_are_bounded() {
        let mut bytes = Vec::new();
        let rows = 2 * ROW_GROUP + 1;
        let mut file = ParquetFile::new(&mut bytes, &COLUMNS, &[("level", "day".to_owned())]).unwrap();
        file.write(&Numbers(rows)).unwrap();
        let metadata = file.writer.finish().unwrap();
        assert_eq!(metadata.num_row_groups(), 3);
        assert_eq!(metadata.file_metadata().num_rows(), rows as i64);
        let said = metadata.file_metadata().key_value_metadata().unwrap();
        let level = said.iter().find(|pair| pair.key == "teiten.level").unwrap();
        assert_eq!(level.value.as_deref(), Some("day"));
        assert!(metadata.file_metadata().created_by().unwrap().starts_with("teiten "));
        for group in metadata.row_groups() {
            assert!(
                group.columns().iter().all(|column| matches!(column.compression(), Compression::ZSTD(_)))
            );
        }
        drop(file);
        assert_eq!(&bytes[..4], b"PAR1");
        assert_eq!(&bytes[bytes.len() - 4..], b"PAR1");
    }

    #[test]
    fn fields_say_what_they_are() {
        let field = field(&COLUMNS[0]);
        assert_eq!(field.metadata()["description"], "Which row");
        assert_eq!(field.metadata()["unit"], "rows");
    }

    #[test]
    fn no_rows_are_a_file_too() {
        let mut bytes = Vec::new();
        write(&Numbers(0), &mut bytes, &[]).unwrap();
        assert_eq!(&bytes[bytes.len() - 4..], b"PAR1");
    }
}
