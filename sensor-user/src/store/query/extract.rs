//! The rows of a cube as they are kept, one after the other.

use super::{
    QueryError, Sensors, Table, count,
    spans::{self, Level},
    table::Cells,
};
use crate::{
    model::{Dimension, Row},
    sketch::Sketch,
    store::Reader,
};

/// Which spans are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtractLevel {
    /// Hours, and epochs that are longer than their hour.
    Hour,
    /// Days that are closed, and epochs that reach over midnight, which no day holds.
    Day,
}

/// A row of a cube.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    /// The first second of its span, since 1970.
    pub start: i64,
    pub seconds: u64,
    /// What the cube holds; the sensor is in `sensor`.
    pub row: Row,
    pub sensor: Option<String>,
    pub packets: u64,
    /// Estimate of how many sources there are; `None` where none is known, or the sketch is damaged.
    pub sources: Option<u64>,
    pub sketch: Option<Vec<u8>>,
    /// Whether it holds what a bound cut.
    pub other: bool,
}

impl Table {
    /// The dimensions that its rows have values of, in the order of outputs.
    pub fn values(self) -> Vec<Dimension> {
        use Dimension::{
            Asn, Class, DstPort, Family, IcmpCode, IcmpType, Kind, Prefix, Protocol, Region, Sensor, Tool,
            VictimPort,
        };
        let ports = [Protocol, DstPort, VictimPort, IcmpType, IcmpCode];
        let own: &[Dimension] = match self {
            Self::Total => &[],
            Self::PortRegion => &[Region],
            Self::PortTool => &[Tool],
            Self::RegionAsn => &[Region, Asn],
            Self::RegionTool => &[Region, Tool],
            Self::PortPrefix => &[Prefix],
        };
        let ports = if matches!(self, Self::PortRegion | Self::PortTool | Self::PortPrefix) {
            &ports[..]
        } else {
            &[]
        };
        [&[Class, Kind, Family], ports, own, &[Sensor]].concat()
    }
}

impl Reader {
    /// Calls `each` with all rows of a cube in spans that lie wholly in a period, by time, each with
    /// its sketch.
    ///
    /// # Errors
    ///
    /// If the period is empty or the store cannot be read; and those of `each`.
    pub fn extract<E: From<QueryError>>(
        &self,
        table: Table,
        level: ExtractLevel,
        (from, to): (i64, i64),
        mut each: impl FnMut(Extracted) -> Result<(), E>,
    ) -> Result<(), E> {
        if from >= to {
            return Err(QueryError::Period.into());
        }
        let connection = self.connection();
        let read = || -> Result<_, QueryError> {
            let state = connection.unchecked_transaction()?;
            let key = table.key();
            let names = key.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT {names}, packets, sources FROM {} WHERE span = ?", table.as_str());
            let statement = connection.prepare_cached(&sql)?;
            Ok((state, Sensors::read(connection)?, spans::near(connection, from, to)?, statement))
        };
        let (_state, sensors, near, mut statement) = read()?;
        let dimensions = table.values();
        let key = table.key();
        for span in near {
            let is_taken = match (span.level, level) {
                (Level::Hour, ExtractLevel::Hour) | (Level::Day, ExtractLevel::Day) => true,
                (Level::Coarse, ExtractLevel::Hour) => true,
                (Level::Coarse, ExtractLevel::Day) => span.slot(super::Step::Day, self.zone()).is_none(),
                (Level::Hour, ExtractLevel::Day) | (Level::Day, ExtractLevel::Hour) => false,
            };
            if !is_taken || span.start < from || span.end > to {
                continue;
            }
            let mut rows = statement.query([span.id]).map_err(QueryError::from)?;
            while let Some(row) = rows.next().map_err(QueryError::from)? {
                let extract = || -> rusqlite::Result<Extracted> {
                    let cells = Cells::read(row, key)?;
                    let sketch = row.get_ref(key.len() + 1)?.as_blob().ok();
                    let sources = sketch.and_then(|bytes| Sketch::from_bytes(bytes).ok());
                    Ok(Extracted {
                        start: span.start,
                        seconds: span.end.abs_diff(span.start),
                        row: cells.known(table, &dimensions),
                        sensor: cells.sensor().and_then(|id| sensors.name(id)).map(str::to_owned),
                        packets: count(row, key.len())?,
                        sources: sources.map(|sketch| sketch.estimate().round() as u64),
                        sketch: sketch.map(<[u8]>::to_vec),
                        other: cells.is_other(table),
                    })
                };
                each(extract().map_err(QueryError::from)?)?;
            }
        }
        Ok(())
    }
}
