//! What else a store tells: the quality of its data, survey scanners, victims.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};

use super::{Database, QueryError, Step, count, one_state, spans};
use crate::{
    model::{Slot, Zone},
    sketch::Sketch,
    store::Reader,
};

/// How complete the data of a stretch of time are. Counts are of packets or frames of all kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// The first second, since 1970.
    pub start: i64,
    pub seconds: u64,
    /// Nanoseconds in which packets could arrive, summed over all agents.
    pub observed_ns: u64,
    pub frames: u64,
    pub packets: u64,
    /// Packets whose source was lost; they are among `packets`.
    pub lost: u64,
    pub non_ip: u64,
    pub malformed: u64,
    pub unwatched: u64,
    pub local: u64,
    /// Frames whose counters could not be found. Must be 0.
    pub uncounted: u64,
    /// Accounting identities that did not hold. Must be 0.
    pub mismatches: u64,
    /// By the network cards' own counters; `None` where they are not known.
    pub nic_received: Option<u64>,
    pub nic_dropped: Option<u64>,
    /// How often an agent started.
    pub restarts: u64,
    /// Databases of regions and autonomous systems in use.
    pub databases: BTreeSet<Database>,
}

/// A prefix that hit many ports in a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanner {
    /// The day's first second, since 1970.
    pub day: i64,
    /// Upper 24 bits of the IPv4 address, upper 48 of the IPv6 address.
    pub prefix: u64,
    /// 4 or 6.
    pub family: u8,
    /// How many ports it hit.
    pub ports: u64,
    pub packets: u64,
    /// Estimate of how many sources it has; `None` where that cannot be told.
    pub sources: Option<u64>,
}

/// A source whose backscatter came to a sensor in bursts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The day's first second, since 1970.
    pub day: i64,
    /// As in a key: the IPv4 address, or the upper 64 bits of the IPv6 address.
    pub source: u64,
    /// 4 or 6.
    pub family: u8,
    /// Number of the [`sensor_common::kind::Kind`].
    pub kind: u8,
    /// As in a key.
    pub port: u16,
    /// Name of the sensor; `None` if the store does not tell.
    pub sensor: Option<String>,
    pub packets: u64,
    /// Minutes with packets.
    pub minutes: u64,
    /// Start of the first and the last of them, in seconds since 1970.
    pub first: i64,
    pub last: i64,
    /// Packets of the busiest one.
    pub peak: u64,
    /// Whether it is a victim by Moore's thresholds, too.
    pub moore: bool,
}

impl Quality {
    /// Adds what is known of another stretch; begin and length stay.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.observed_ns, other.observed_ns),
            (&mut self.frames, other.frames),
            (&mut self.packets, other.packets),
            (&mut self.lost, other.lost),
            (&mut self.non_ip, other.non_ip),
            (&mut self.malformed, other.malformed),
            (&mut self.unwatched, other.unwatched),
            (&mut self.local, other.local),
            (&mut self.uncounted, other.uncounted),
            (&mut self.mismatches, other.mismatches),
            (&mut self.restarts, other.restarts),
        ] {
            *sum = sum.saturating_add(count);
        }
        for (sum, count) in
            [(&mut self.nic_received, other.nic_received), (&mut self.nic_dropped, other.nic_dropped)]
        {
            if let Some(count) = count {
                *sum = Some(sum.unwrap_or(0).saturating_add(count));
            }
        }
        self.databases.extend(other.databases.iter().cloned());
    }
}

impl Reader {
    /// The quality of the data of a period: a row for each hour, or each day, of which anything is kept and that lies
    /// wholly in it. Epochs that are longer have rows of their own.
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn quality(&self, from: i64, to: i64, step: Step) -> Result<Vec<Quality>, QueryError> {
        quality(self.connection(), self.zone(), from, to, step)
    }

    /// How many days that lie wholly in a period are closed, so that their lists are known.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn closed_days(&self, from: i64, to: i64) -> Result<u32, QueryError> {
        let sql = "SELECT count(*) FROM span WHERE level = 1 AND start >= ?1 AND start + seconds <= ?2";
        Ok(self.connection().prepare_cached(sql)?.query_row([from, to], |row| row.get(0))?)
    }

    /// The survey scanners of all days that lie wholly in a period, each day the most ports first.
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn survey_scanners(&self, from: i64, to: i64) -> Result<Vec<Scanner>, QueryError> {
        survey_scanners(self.connection(), from, to)
    }

    /// The victims of all days that lie wholly in a period, each day the most packets first. `moore`: by Moore's
    /// thresholds only.
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn victims(&self, from: i64, to: i64, moore: bool) -> Result<Vec<Victim>, QueryError> {
        victims(self.connection(), from, to, moore)
    }
}

pub(super) fn quality(
    connection: &Connection,
    zone: &Zone,
    from: i64,
    to: i64,
    step: Step,
) -> Result<Vec<Quality>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let _state = one_state(connection)?;
    let near = spans::near(connection, from, to)?;
    // Coarse spans count for no hour, and hours that are gone are told by nobody.
    let days = (step == Step::Day).then_some(Step::Day);
    let chosen = match days {
        Some(_) => spans::choose(&near, from, to, None, false, zone).spans,
        None => near
            .into_iter()
            .filter(|span| span.level != spans::Level::Day && from <= span.start && span.end <= to)
            .collect(),
    };
    let mut statement = connection.prepare_cached(
        "SELECT observed_ns, frames, packets, lost, non_ip, malformed, unwatched, local, uncounted, mismatches, \
         restarts, nic_received, nic_dropped FROM span WHERE id = ?",
    )?;
    let mut databases = connection.prepare_cached(
        "SELECT d.role, d.type, d.built FROM span_database s JOIN database d ON d.id = s.database WHERE s.span = ?",
    )?;
    let mut rows: BTreeMap<Slot, Quality> = BTreeMap::new();
    for span in chosen {
        let own = Slot { start: span.start, seconds: span.end.saturating_sub(span.start) };
        let slot = days.and_then(|step| span.slot(step, zone)).unwrap_or(own);
        let row = rows.entry(slot).or_default();
        row.start = slot.start;
        row.seconds = u64::try_from(slot.seconds).unwrap_or(0);
        row.add(&statement.query_row([span.id], of_span)?);
        let mut found = databases.query([span.id])?;
        while let Some(sql) = found.next()? {
            let (role, name, built): (String, String, Option<i64>) = (sql.get(0)?, sql.get(1)?, sql.get(2)?);
            let built = built.map(|second| zone.rfc3339(second));
            row.databases.insert(Database { role, name, built });
        }
    }
    Ok(rows.into_values().collect())
}

/// What the row of a span says.
fn of_span(row: &Row<'_>) -> rusqlite::Result<Quality> {
    let count_or_none = |index| row.get::<_, Option<i64>>(index)?.map(|_| count(row, index)).transpose();
    Ok(Quality {
        observed_ns: count(row, 0)?,
        frames: count(row, 1)?,
        packets: count(row, 2)?,
        lost: count(row, 3)?,
        non_ip: count(row, 4)?,
        malformed: count(row, 5)?,
        unwatched: count(row, 6)?,
        local: count(row, 7)?,
        uncounted: count(row, 8)?,
        mismatches: count(row, 9)?,
        restarts: count(row, 10)?,
        nic_received: count_or_none(11)?,
        nic_dropped: count_or_none(12)?,
        ..Quality::default()
    })
}

pub(super) fn survey_scanners(
    connection: &Connection,
    from: i64,
    to: i64,
) -> Result<Vec<Scanner>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let mut statement = connection.prepare_cached(
        "SELECT d.start, s.prefix, s.family, s.ports, s.packets, s.sources FROM survey s JOIN span d ON d.id = s.span \
         WHERE d.level = 1 AND d.start >= ?1 AND d.start + d.seconds <= ?2 \
         ORDER BY d.start, s.ports DESC, s.packets DESC, s.family, s.prefix",
    )?;
    let rows = statement.query_map([from, to], |row| {
        let sketch = row.get_ref(5)?.as_blob().ok().and_then(|bytes| Sketch::from_bytes(bytes).ok());
        Ok(Scanner {
            day: row.get(0)?,
            prefix: count(row, 1)?,
            family: row.get(2)?,
            ports: count(row, 3)?,
            packets: count(row, 4)?,
            sources: sketch.map(|sketch| sketch.estimate().round() as u64),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn victims(
    connection: &Connection,
    from: i64,
    to: i64,
    moore: bool,
) -> Result<Vec<Victim>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let mut statement = connection.prepare_cached(
        "SELECT d.start, v.source, v.family, v.kind, v.port, v.packets, v.minutes, v.first, v.last, v.peak, v.moore, \
         n.name FROM victim v JOIN span d ON d.id = v.span LEFT JOIN sensor n ON n.id = v.sensor \
         WHERE d.level = 1 AND d.start >= ?1 AND d.start + d.seconds <= ?2 AND v.moore >= ?3 \
         ORDER BY d.start, v.packets DESC, v.family, v.source, v.kind, v.port, v.sensor",
    )?;
    let rows = statement.query_map([from, to, i64::from(moore)], |row| {
        Ok(Victim {
            day: row.get(0)?,
            source: row.get::<_, i64>(1)?.cast_unsigned(),
            family: row.get(2)?,
            kind: row.get(3)?,
            port: row.get(4)?,
            sensor: row.get(11)?,
            packets: count(row, 5)?,
            minutes: count(row, 6)?,
            first: row.get(7)?,
            last: row.get(8)?,
            peak: count(row, 9)?,
            moore: row.get::<_, i64>(10)? != 0,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
