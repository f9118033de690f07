//! Sensors as they are kept, and how long each of them watched.

use std::collections::BTreeMap;

use rusqlite::{Connection, types::Type};

use super::{QueryError, Step, count, spans};
use crate::{
    model::{Role, Service, Slot, Zone},
    store::Reader,
};

/// A sensor as it was defined from one time to another. A changed definition is another row of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSensor {
    /// Its row in the store.
    pub row: i64,
    pub name: String,
    /// The name that publications use.
    pub alias: Option<String>,
    pub role: Role,
    pub group: Option<String>,
    /// Separated by spaces; empty: everything.
    pub prefixes: String,
    /// IPv4 addresses that are watched; `None` where that is not known.
    pub addresses: Option<u64>,
    /// Services that never arrive, as they are filtered upstream.
    pub filtered: Vec<Service>,
    /// Since when, in seconds since 1970; `None` of captures, whose times nobody told.
    pub valid_from: Option<i64>,
    /// Until when; `None`: in use, if there is a `valid_from`.
    pub valid_to: Option<i64>,
}

/// How long a sensor watched within an hour or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The sensor's row in the store.
    pub sensor: i64,
    /// The first second, since 1970.
    pub start: i64,
    /// Of the whole hour or day, also where the period begins or ends within.
    pub seconds: u64,
    /// Nanoseconds in which packets could arrive, summed over all agents that watch for it.
    pub observed_ns: u64,
    /// Of all classes.
    pub packets: u64,
}

impl Reader {
    /// All sensors, in the order of their rows.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or a role or service in it is none.
    pub fn sensors(&self) -> Result<Vec<KeptSensor>, QueryError> {
        Ok(sensors(self.connection())?)
    }

    /// How long each sensor watched in each hour or day of a period, in the order of time and of their rows; nothing
    /// where the store knows of no time. From the spans that [`Reader::query`] answers from with dimension `time`:
    /// by hours, epochs that are longer are not among them.
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn exposure(&self, from: i64, to: i64, step: Step) -> Result<Vec<Exposure>, QueryError> {
        exposure(self.connection(), self.zone(), from, to, step)
    }
}

pub(super) fn sensors(connection: &Connection) -> rusqlite::Result<Vec<KeptSensor>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, alias, role, sensor_group, prefixes, addresses, filtered, valid_from, valid_to FROM sensor \
         ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let role: String = row.get(3)?;
        let role = role.parse().map_err(|error| invalid(3, error))?;
        let filtered: String = row.get(7)?;
        let filtered = filtered.split_whitespace().map(str::parse).collect::<Result<_, _>>();
        let addresses: Option<i64> = row.get(6)?;
        Ok(KeptSensor {
            row: row.get(0)?,
            name: row.get(1)?,
            alias: row.get(2)?,
            role,
            group: row.get(4)?,
            prefixes: row.get(5)?,
            addresses: addresses.and_then(|addresses| u64::try_from(addresses).ok()),
            filtered: filtered.map_err(|error| invalid(7, error))?,
            valid_from: row.get(8)?,
            valid_to: row.get(9)?,
        })
    })?;
    rows.collect()
}

fn invalid(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

pub(super) fn exposure(
    connection: &Connection,
    zone: &Zone,
    from: i64,
    to: i64,
    step: Step,
) -> Result<Vec<Exposure>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let _state = super::one_state(connection)?;
    let near = spans::near(connection, from, to)?;
    let chosen = spans::choose(&near, from, to, Some(step), false, zone);
    let mut find =
        connection.prepare_cached("SELECT sensor, observed_ns, packets FROM span_sensor WHERE span = ?")?;
    let mut sums: BTreeMap<(Slot, i64), (u64, u64)> = BTreeMap::new();
    for span in chosen.spans {
        let Some(slot) = span.slot(step, zone) else { continue };
        let mut rows = find.query([span.id])?;
        while let Some(row) = rows.next()? {
            let (observed_ns, packets) = sums.entry((slot, row.get(0)?)).or_default();
            *observed_ns = observed_ns.saturating_add(count(row, 1)?);
            *packets = packets.saturating_add(count(row, 2)?);
        }
    }
    let exposures = sums.into_iter().map(|((slot, sensor), (observed_ns, packets))| Exposure {
        sensor,
        start: slot.start,
        seconds: u64::try_from(slot.seconds).unwrap_or(0),
        observed_ns,
        packets,
    });
    Ok(exposures.collect())
}
