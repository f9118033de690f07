//! Questions to a store: packets, sources, shares and rates by dimensions.
//!
//! A question is answered from the smallest cube that holds what it asks for, span by span. SQLite
//! adds up what is alike within a span, in the order of its index; the rest is done here, so that a
//! condition and a dimension mean the same as in [`crate::cube`].

mod bins;
mod compare;
mod daily;
mod extract;
mod group;
mod prefixes;
mod quality;
mod sensors;
#[cfg(test)]
mod series_tests;
mod spans;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{CachedStatement, Connection, Transaction, params_from_iter, types::Value as SqlValue};
use schemars::JsonSchema;
use sensor_common::kind::Family;
use serde::Serialize;

use self::{
    group::Group,
    spans::{Chosen, Span},
    table::{Bounds, Cells},
};
use super::{Reader, StoreError, tables::Column};
use crate::{
    model::{Class, Dimension, Fact, Filter, Literal, Row, Zone},
    sketch::{Sketch, SketchError},
};

pub(in crate::store) use daily::service_of;

pub use self::{
    bins::{Binned, Bins, Series},
    compare::{Compared, Previous},
    daily::{Daily, DailyCounts, Key, SensorRow, Told},
    extract::{ExtractLevel, Extracted},
    prefixes::{PrefixChange, PrefixChanges, PrefixesOf, SurveyPackets},
    quality::{Quality, Scanner, Victim},
    sensors::{Exposure, KeptSensor},
    table::Table,
};

/// By what rows are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rank {
    #[default]
    Packets,
    Sources,
}

/// Length of the intervals of dimension `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An hour of the store's time zone.
    Hour,
    /// A day of it.
    Day,
}

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The first second, since 1970.
    pub from: i64,
    /// The first second after the period.
    pub to: i64,
    /// Dimensions of the rows, in the order of the columns.
    pub by: Vec<Dimension>,
    pub filter: Option<Filter>,
    /// `None`: any.
    pub class: Option<Class>,
    /// `None`: both.
    pub family: Option<Family>,
    /// How many rows are wanted, of each step where the dimensions have `time`; `None`: all.
    pub top: Option<usize>,
    pub rank: Rank,
    /// Of dimension `time`; days unless said otherwise.
    pub step: Option<Step>,
    /// Sources are not wanted, and so no sketch is read.
    pub packets_only: bool,
    /// More rows than this, before `top` is looked at, are an error; `None`: there is room for any number.
    pub most: Option<usize>,
}

/// What is known about the packets of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The values of the dimensions. The sensor is in `sensor`.
    pub row: Row,
    /// Name of the sensor.
    pub sensor: Option<String>,
    pub packets: u64,
    /// Estimate of how many sources sent them; `None` where no source is known.
    pub sources: Option<u64>,
    /// Part of [`Summary::packets`].
    pub share: f64,
    /// IPv4 packets per watched IPv4 address and day observed; `None` where addresses are not known, or nothing
    /// was observed, or the row has no IPv4 packets by what it is.
    pub rate: Option<f64>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Dimensions of the rows, in the order of the columns.
    pub by: Vec<Dimension>,
    pub rows: Vec<Measured>,
    pub summary: Summary,
}

/// What an answer is of, and what is missing from it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Summary {
    /// Begin of the period, with the offset of the store's time zone.
    pub from: String,
    /// Its end, which is not included.
    pub to: String,
    /// IANA name of the store's time zone.
    pub time_zone: String,
    /// Length of the period.
    pub seconds: u64,
    /// Seconds of them, summed over all agents, in which packets could arrive.
    pub observed_seconds: f64,
    /// Begin of the first stretch with data; null where there is none.
    pub first: Option<String>,
    /// End of the last one.
    pub last: Option<String>,
    /// Cubes that the answer is from.
    pub cubes: Vec<&'static str>,
    /// Packets that match or may match: those of all rows, and `other`.
    pub packets: u64,
    /// Estimate of how many sources sent them; null where no source is known.
    pub sources: Option<u64>,
    /// How many rows there are.
    pub rows: u64,
    /// How many of them are given.
    pub given: u64,
    /// Packets in no row: a bound of the store cut a value that was asked for, or it was lost with the source.
    pub other: u64,
    /// Packets that match or may match whose source was lost. They are among `packets`.
    pub unattributed: u64,
    /// Packets of all kinds in the period that lost their source.
    pub lost: u64,
    /// Packets of all kinds in stretches that reach beyond the period, or beyond a step. They are not counted.
    pub partial: u64,
    /// Epochs in the period that are not in the cubes yet. They are not counted.
    pub pending_epochs: u64,
    /// Their packets of all kinds.
    pub pending_packets: u64,
    /// Whether a bound cut rows of the cubes that were used.
    pub cut: bool,
    /// Whether only the largest prefixes are kept of what was asked.
    pub largest_only: bool,
    /// Why some sources cannot be told: sketches that do not merge, or are damaged.
    pub sources_missing: Option<String>,
    /// Databases of regions and autonomous systems that were in use.
    pub databases: Vec<Database>,
}

/// A database of regions or autonomous systems that was in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Database {
    /// `country` or `asn`.
    pub role: String,
    /// What its maker calls it.
    #[serde(rename = "type")]
    pub name: String,
    /// When it was built; null where it does not say.
    pub built: Option<String>,
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.role, self.name)?;
        self.built.iter().try_for_each(|built| write!(f, " of {built}"))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("cannot read the store")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the store is written all the time, so that two looks at it never see the same")]
    Restless,
    #[error("the period is empty: it ends before it begins")]
    Period,
    #[error("the period has more than 65,535 days")]
    Long,
    #[error("a day has no equal parts of {0} hours; write 1, 2, 3, 4, 6, 8, 12 or 24")]
    Bin(u32),
    #[error(
        "{asked} are not kept together; beside time, sensor, class, kind and family there are {kept}",
        kept = kept()
    )]
    NotKept { asked: String },
    #[error("sources are not kept one by one: the nearest is `prefix`")]
    Source,
    #[error("dimension {0} is asked for twice")]
    Twice(&'static str),
    #[error(
        "there are more than {0} rows to tell apart; ask for a shorter period, fewer dimensions, or less of them"
    )]
    Many(usize),
    #[error("rows by time have no period before to be compared with")]
    Time,
    #[error("there is no sensor `{name}` in the store; there {}", sensors_said(.known))]
    NoSensor { name: String, known: Vec<String> },
}

fn kept() -> String {
    Table::ALL
        .map(Table::dimensions)
        .into_iter()
        .filter(|kept| !kept.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

fn sensors_said(known: &[String]) -> String {
    if known.is_empty() { "is none yet".to_owned() } else { format!("are {}", known.join(", ")) }
}

/// Groups whose sketches are in memory at the same time.
const BATCH: usize = 1 << 16;

impl Reader {
    /// Answers a question, from one state of the store.
    ///
    /// # Errors
    ///
    /// If no cube holds what is asked, a sensor is not known, or the store cannot be read.
    pub fn query(&self, query: &Query) -> Result<Answer, QueryError> {
        answer(self.connection(), self.zone(), query)
    }

    /// Asks several questions of one state of the store, in two threads: the reader that `ask` is given sees the same
    /// state as this one, as long as it lives.
    ///
    /// # Errors
    ///
    /// Those of the questions, and if the store cannot be read, or is written again and again in the moment between two
    /// looks at it.
    pub fn at_rest<T, E>(&self, ask: impl FnOnce(Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<QueryError> + From<StoreError>,
    {
        let connection = self.connection();
        for _ in 0..TRIES {
            let other = self.again()?;
            // What another connection commits changes this number; what it sees while a transaction lasts does not.
            let version =
                || other.connection().pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
            let look = || -> rusqlite::Result<_> {
                let before = version()?;
                let state = connection.unchecked_transaction()?;
                connection.query_row("SELECT id FROM meta", [], |_| Ok(()))?;
                other.connection().execute_batch("BEGIN")?;
                Ok((version()? == before).then_some(state))
            };
            if let Some(_state) = look().map_err(QueryError::from)? {
                return ask(other);
            }
        }
        Err(QueryError::Restless.into())
    }
}

/// So often two connections are tried to be brought to one state. Somebody would have to commit in each of these
/// moments, which are far shorter than a commit takes.
const TRIES: usize = 100;

/// Makes all that is read until the end of the value be of one state of the store. Nothing is written, so there is
/// nothing to commit.
fn one_state(connection: &Connection) -> rusqlite::Result<Option<Transaction<'_>>> {
    connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()
}

/// Rows of one group.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    packets: u64,
    /// Those that are not IPv6.
    v4: u64,
}

type Groups<T> = HashMap<Group, T, FixedState>;

/// Sensors as they are in the store.
struct Sensors {
    /// Names in order, each once.
    names: Vec<String>,
    /// Row, place of the name, addresses.
    rows: HashMap<i64, (u32, Option<u64>), FixedState>,
}

impl Sensors {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached("SELECT id, name, addresses FROM sensor")?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String, Option<i64>)>>>()?;
        let names: BTreeSet<String> = rows.iter().map(|(_, name, _)| name.clone()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let rows = rows.into_iter().map(|(id, name, addresses)| {
            let place = names.binary_search(&name).unwrap_or_default() as u32;
            (id, (place, addresses.and_then(|addresses| u64::try_from(addresses).ok())))
        });
        Ok(Self { rows: rows.collect(), names })
    }

    fn name(&self, id: i64) -> Option<&str> {
        let &(place, _) = self.rows.get(&id)?;
        self.names.get(place as usize).map(String::as_str)
    }

    fn place(&self, id: i64) -> Option<u32> {
        self.rows.get(&id).map(|&(place, _)| place)
    }

    fn rows_of(&self, name: &str) -> Vec<i64> {
        self.rows.keys().copied().filter(|&id| self.name(id) == Some(name)).collect()
    }
}

/// All that does not change while a question is answered.
struct Plan<'a> {
    connection: &'a Connection,
    zone: &'a Zone,
    by: &'a [Dimension],
    filter: Option<Filter>,
    /// Dimensions of the rows and of the condition.
    needed: Vec<Dimension>,
    /// Only where `by` has time.
    step: Option<Step>,
    sensors: &'a Sensors,
}

impl<'a> Plan<'a> {
    /// The cube for a span: the smallest that holds everything, if it can be one that is not cut; else
    /// the last, which is cut last.
    fn table(&self, cut: i64) -> Option<Table> {
        let holds = |table: &Table| table.columns_for(&self.needed).is_some();
        let mut tables = Table::ALL.into_iter().filter(holds);
        tables.clone().find(|table| !table.is_cut(cut)).or_else(|| tables.next_back())
    }

    fn sensor_name(&self, id: i64) -> Option<&'a str> {
        self.sensors.name(id)
    }

    /// Whether a row fulfils the condition; `None` if it may.
    fn matches(&self, table: Table, cells: &Cells) -> Option<bool> {
        let Some(filter) = &self.filter else { return Some(true) };
        filter.test(&|dimension| cells.fact(table, dimension, |id| self.sensor_name(id)))
    }

    /// The group of a row that matches; `None` if a value of it was cut.
    fn group(&self, table: Table, cells: &Cells, time: Option<i64>) -> Option<Group> {
        let mut row = cells.row(table, self.by)?;
        row.time = time;
        let by_sensor = self.by.contains(&Dimension::Sensor);
        let sensor = cells.sensor().filter(|_| by_sensor).and_then(|id| self.sensors.place(id));
        Some(Group { row, sensor })
    }

    /// Start of the step of a span, in nanoseconds, where time is asked for.
    fn time(&self, span: &Span) -> Option<i64> {
        let slot = span.slot(self.step?, self.zone)?;
        Some(slot.start.saturating_mul(1_000_000_000))
    }

    /// What is told to SQLite of the condition, and of the groups that are wanted.
    fn bounds(&self, table: Table, groups: Option<&Filter>) -> Bounds {
        let all = self.filter.iter().chain(groups).cloned().reduce(Filter::and);
        let bounds = |filter| Bounds::of(&filter, table, |name| self.sensors.rows_of(name));
        all.map(bounds).unwrap_or_default()
    }
}

/// A statement over one span of a cube, and how to call it.
struct Scan<'a> {
    table: Table,
    columns: usize,
    bounds: Bounds,
    statement: CachedStatement<'a>,
}

/// What a scan reads behind the columns of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Packets, and those that are not IPv6; one row for all rows of an equal key.
    Counts,
    /// The sketch of every row that has one.
    Sketches,
    /// The same, of rows of one key only.
    SketchesOfKey,
}

impl<'a> Scan<'a> {
    /// `columns`: how many of the key are read, from the first on.
    fn new(
        connection: &'a Connection,
        table: Table,
        columns: usize,
        bounds: Bounds,
        reads: Reads,
    ) -> rusqlite::Result<Self> {
        let names = table.key()[..columns].iter().map(|column| column.name()).collect::<Vec<_>>();
        let listed = names.iter().map(|name| format!("{name}, ")).collect::<String>();
        let from = format!("FROM {} WHERE span = ?{}", table.as_str(), bounds.sql);
        let sql = match reads {
            Reads::Counts => {
                let counts = "sum(packets), sum(CASE family WHEN 6 THEN 0 ELSE packets END)";
                let group =
                    if names.is_empty() { String::new() } else { format!(" GROUP BY {}", names.join(", ")) };
                // Without a group, a sum over nothing is a row of nulls.
                let having = if names.is_empty() { " HAVING count(*) > 0" } else { "" };
                format!("SELECT {listed}{counts} {from}{group}{having}")
            }
            Reads::Sketches => format!("SELECT {listed}sources {from} AND sources IS NOT NULL"),
            Reads::SketchesOfKey => {
                let key = names.iter().map(|name| format!(" AND {name} = ?")).collect::<String>();
                format!("SELECT sources {from} AND sources IS NOT NULL{key}")
            }
        };
        Ok(Self { table, columns, bounds, statement: connection.prepare_cached(&sql)? })
    }

    fn key(&self) -> &'static [Column] {
        &self.table.key()[..self.columns]
    }

    /// Calls `each` with the rows of a span.
    fn run<E: From<rusqlite::Error>>(
        &mut self,
        span: i64,
        cells: Option<&Cells>,
        mut each: impl FnMut(Cells, &rusqlite::Row<'_>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let key = self.key();
        let of_key = cells.into_iter().flat_map(|cells| key.iter().map(|&column| cells.sql(column)));
        let parameters =
            std::iter::once(SqlValue::Integer(span)).chain(self.bounds.parameters.iter().cloned());
        let mut rows = self.statement.query(params_from_iter(parameters.chain(of_key)))?;
        while let Some(row) = rows.next()? {
            match cells {
                Some(&cells) => each(cells, row, 0)?,
                None => each(Cells::read(row, key)?, row, key.len())?,
            }
        }
        Ok(())
    }
}

/// Scans by cube, prepared when first wanted.
struct Scans<'a, 'f> {
    reads: Reads,
    /// A condition that all groups that are wanted fulfil.
    groups: Option<&'f Filter>,
    scans: Vec<Scan<'a>>,
}

impl<'a, 'f> Scans<'a, 'f> {
    const fn new(reads: Reads, groups: Option<&'f Filter>) -> Self {
        Self { reads, groups, scans: Vec::new() }
    }

    fn of(&mut self, plan: &Plan<'a>, table: Table) -> rusqlite::Result<&mut Scan<'a>> {
        let index = match self.scans.iter().position(|scan| scan.table == table) {
            Some(index) => index,
            None => {
                let columns = table.columns_for(&plan.needed).unwrap_or(table.key().len());
                let bounds = match self.reads {
                    // Of a key that is known there is nothing more to tell.
                    Reads::SketchesOfKey => Bounds::default(),
                    Reads::Counts | Reads::Sketches => plan.bounds(table, self.groups),
                };
                self.scans.push(Scan::new(plan.connection, table, columns, bounds, self.reads)?);
                self.scans.len() - 1
            }
        };
        Ok(&mut self.scans[index])
    }
}

/// Unsigned, as counts are; what is negative in a damaged store counts as nothing.
fn count(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, Option<i64>>(index)?.unwrap_or(0)).unwrap_or(0))
}

/// Packets of all groups, and those in none.
#[derive(Default)]
struct Counted {
    groups: Groups<Counts>,
    other: u64,
}

impl Plan<'_> {
    fn count(&self, spans: &[Span], most: Option<usize>) -> Result<Counted, QueryError> {
        let mut scans = Scans::new(Reads::Counts, None);
        let mut counted = Counted::default();
        for span in spans {
            let Some(table) = self.table(span.cut) else { continue };
            let time = self.time(span);
            scans.of(self, table)?.run::<QueryError>(span.id, None, |cells, row, next| {
                let (packets, v4) = (count(row, next)?, count(row, next + 1)?);
                let group = match self.matches(table, &cells) {
                    Some(false) => return Ok(()),
                    Some(true) => self.group(table, &cells, time),
                    None => None,
                };
                match group {
                    Some(group) => {
                        let counts = counted.groups.entry(group).or_default();
                        counts.packets = counts.packets.saturating_add(packets);
                        counts.v4 = counts.v4.saturating_add(v4);
                        if let Some(most) = most.filter(|&most| counted.groups.len() > most) {
                            return Err(QueryError::Many(most));
                        }
                    }
                    None => counted.other = counted.other.saturating_add(packets),
                }
                Ok(())
            })?;
        }
        Ok(counted)
    }

    /// Sources of these groups, in their order. `all`: there are no other groups.
    fn sources(
        &self,
        spans: &[Span],
        groups: &[Group],
        all: bool,
    ) -> rusqlite::Result<(Vec<Union>, Option<String>)> {
        if all {
            return self.unions(spans, groups, None);
        }
        // Those that want the same values apart, so that SQLite can be told to look at few rows.
        let mut alike: HashMap<u32, Vec<usize>, FixedState> = HashMap::default();
        for (place, group) in groups.iter().enumerate() {
            alike.entry(group::nulls(group, self.by)).or_default().push(place);
        }
        let mut unions = vec![Union::default(); groups.len()];
        let mut trouble = None;
        for places in alike.into_values() {
            let wanted: Vec<Group> = places.iter().map(|&place| groups[place]).collect();
            let condition = group::condition(&wanted, self.by, &self.sensors.names);
            let (found, failure) = self.unions(spans, &wanted, Some(&condition))?;
            trouble = trouble.or(failure);
            for (place, union) in places.into_iter().zip(found) {
                unions[place] = union;
            }
        }
        Ok((unions, trouble))
    }

    /// Sources of groups that all fulfil a condition; without one there are no other groups, which spares a look at
    /// each key before its sketches.
    fn unions(
        &self,
        spans: &[Span],
        groups: &[Group],
        condition: Option<&Filter>,
    ) -> rusqlite::Result<(Vec<Union>, Option<String>)> {
        let all = condition.is_none();
        let mut unions = vec![Union::default(); groups.len()];
        let places: Groups<usize> = groups.iter().enumerate().map(|(place, &group)| (group, place)).collect();
        let mut trouble = None;
        let mut keys = Scans::new(Reads::Counts, condition);
        let mut sketches = Scans::new(if all { Reads::Sketches } else { Reads::SketchesOfKey }, None);
        for span in spans {
            let Some(table) = self.table(span.cut) else { continue };
            let time = self.time(span);
            let place = |cells: &Cells| {
                if self.matches(table, cells) != Some(true) {
                    return None;
                }
                places.get(&self.group(table, cells, time)?).copied()
            };
            let mut add = |place: usize, row: &rusqlite::Row<'_>, index: usize| -> rusqlite::Result<()> {
                let union: &mut Union = &mut unions[place];
                if let (Ok(bytes), false) = (row.get_ref(index)?.as_blob(), union.failed)
                    && let Err(error) = union.add(bytes)
                {
                    union.failed = true;
                    trouble.get_or_insert_with(|| error.to_string());
                }
                Ok(())
            };
            let scan = sketches.of(self, table)?;
            if all {
                scan.run::<rusqlite::Error>(span.id, None, |cells, row, next| match place(&cells) {
                    Some(place) => add(place, row, next),
                    None => Ok(()),
                })?;
                continue;
            }
            keys.of(self, table)?.run::<rusqlite::Error>(span.id, None, |cells, _, _| {
                let Some(place) = place(&cells) else { return Ok(()) };
                scan.run(span.id, Some(&cells), |_, row, next| add(place, row, next))
            })?;
        }
        Ok((unions, trouble))
    }
}

/// Sources of a group, IPv4 and IPv6 apart.
#[derive(Clone, Default)]
struct Union {
    sketches: [Option<Box<Sketch>>; 2],
    failed: bool,
}

impl Union {
    fn add(&mut self, bytes: &[u8]) -> Result<(), SketchError> {
        // Most are of the family of the first.
        for place in [0, 1] {
            match &mut self.sketches[place] {
                Some(sketch) => match sketch.merge_bytes(bytes) {
                    Err(SketchError::Scope(here, other)) if here.family != other.family => {}
                    result => return result,
                },
                free => {
                    *free = Some(Box::new(Sketch::from_bytes(bytes)?));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// How many there are; `None` where none is known.
    fn estimate(&self) -> Option<u64> {
        let estimates = self.sketches.iter().flatten().map(|sketch| sketch.estimate());
        // Finite and not negative.
        (!self.failed && self.sketches[0].is_some()).then(|| estimates.sum::<f64>().round() as u64)
    }
}

/// Addresses × nanoseconds observed, by step and place of the sensor's name; `None` where addresses are not known.
type Watched = HashMap<(Option<i64>, u32), Option<u128>, FixedState>;

impl Plan<'_> {
    /// What the sensors that the condition is about watched.
    fn watched(&self, spans: &[Span]) -> rusqlite::Result<Watched> {
        let concerned: Vec<bool> = self
            .sensors
            .names
            .iter()
            .map(|name| {
                let holds = |filter: &Filter| {
                    filter.test(&|dimension| match dimension {
                        Dimension::Sensor => Fact::Sensor(name),
                        _ => Fact::Open,
                    })
                };
                self.filter.as_ref().and_then(holds) != Some(false)
            })
            .collect();
        let mut watched = Watched::default();
        let sql = "SELECT sensor, observed_ns FROM span_sensor WHERE span = ?";
        let mut statement = self.connection.prepare_cached(sql)?;
        for span in spans {
            let time = self.time(span);
            let mut rows = statement.query([span.id])?;
            while let Some(row) = rows.next()? {
                let Some(&(place, addresses)) = self.sensors.rows.get(&row.get::<_, i64>(0)?) else {
                    continue;
                };
                let observed_ns = count(row, 1)?;
                if observed_ns == 0 || !concerned.get(place as usize).is_some_and(|&concerned| concerned) {
                    continue;
                }
                let sum = watched.entry((time, place)).or_insert(Some(0));
                *sum = sum.zip(addresses).and_then(|(sum, addresses)| {
                    sum.checked_add(u128::from(addresses) * u128::from(observed_ns))
                });
            }
        }
        Ok(watched)
    }
}

/// Address-days that a group's packets came to.
fn address_days(watched: &Watched, group: &Group, by_sensor: bool) -> Option<f64> {
    let sum = if by_sensor {
        *watched.get(&(group.row.time, group.sensor?))?
    } else {
        let of_time = watched.iter().filter(|((time, _), _)| *time == group.row.time);
        of_time.map(|(_, sum)| *sum).try_fold(0u128, |all, sum| all.checked_add(sum?))
    };
    sum.filter(|&sum| sum > 0).map(|sum| sum as f64 / 1e9 / 86_400.0)
}

/// What a question needs before it is answered.
struct Asked<'a> {
    plan: Plan<'a>,
    /// The cube for a span that is not cut.
    table: Table,
    chosen: Chosen,
}

impl<'a> Asked<'a> {
    fn new(
        connection: &'a Connection,
        zone: &'a Zone,
        query: &'a Query,
        sensors: &'a Sensors,
    ) -> Result<Self, QueryError> {
        if query.from >= query.to {
            return Err(QueryError::Period);
        }
        let mut seen = 0u32;
        for &dimension in &query.by {
            if dimension == Dimension::Source {
                return Err(QueryError::Source);
            }
            if seen >> dimension as u8 & 1 != 0 {
                return Err(QueryError::Twice(dimension.as_str()));
            }
            seen |= 1 << dimension as u8;
        }
        let filter = condition(query);
        let unknown = |name: &&str| !sensors.names.iter().any(|known| known == name);
        if let Some(name) = filter.iter().flat_map(Filter::sensors).find(unknown) {
            return Err(QueryError::NoSensor { name: name.to_owned(), known: sensors.names.clone() });
        }
        let by_time = query.by.contains(&Dimension::Time);
        let step = by_time.then(|| query.step.unwrap_or(Step::Day));
        let needed: Vec<Dimension> = query.by.iter().copied().chain(of_filter(filter.as_ref())).collect();
        let plan = Plan { connection, zone, by: &query.by, filter, needed, step, sensors };
        let Some(table) = plan.table(0) else {
            return Err(QueryError::NotKept { asked: asked(&plan.needed) });
        };
        let near = spans::near(connection, query.from, query.to)?;
        let chosen = spans::choose(&near, query.from, query.to, step, table.is_of_days(), zone);
        Ok(Self { plan, table, chosen })
    }
}

/// Groups with their counts and sources.
type Ranking = Vec<(Group, Counts, Option<u64>)>;

/// Groups in the order of a question, with sources where they are wanted; and why some cannot be told.
fn rank(
    plan: &Plan<'_>,
    spans: &[Span],
    groups: Groups<Counts>,
    query: &Query,
) -> rusqlite::Result<(Ranking, Option<String>)> {
    let mut ranked: Ranking = groups.into_iter().map(|(group, counts)| (group, counts, None)).collect();
    let count = ranked.len();
    if query.rank == Rank::Packets {
        order(&mut ranked, query.top);
    }
    let with_sources = if query.packets_only { 0 } else { ranked.len() };
    let mut missing = None;
    for batch in ranked[..with_sources].chunks_mut(BATCH) {
        let wanted: Vec<Group> = batch.iter().map(|(group, ..)| *group).collect();
        let (unions, trouble) = plan.sources(spans, &wanted, wanted.len() == count)?;
        missing = missing.or(trouble);
        for ((_, _, sources), union) in batch.iter_mut().zip(unions) {
            *sources = union.estimate();
        }
    }
    if query.rank == Rank::Sources {
        order(&mut ranked, query.top);
    }
    Ok((ranked, missing))
}

/// Answers a question, from one state of the store.
fn answer(connection: &Connection, zone: &Zone, query: &Query) -> Result<Answer, QueryError> {
    let _state = one_state(connection)?;
    let sensors = Sensors::read(connection)?;
    Ok(found(connection, zone, query, &sensors)?.0)
}

/// The answer to a question, and the groups that its rows are of.
fn found(
    connection: &Connection,
    zone: &Zone,
    query: &Query,
    sensors: &Sensors,
) -> Result<(Answer, Vec<Group>), QueryError> {
    let Asked { plan, table, chosen } = Asked::new(connection, zone, query, sensors)?;
    let Counted { groups, other } = plan.count(&chosen.spans, query.most)?;

    let mut summary = summary(&plan, query, &chosen)?;
    let in_rows = groups.values().fold(0u64, |sum, counts| sum.saturating_add(counts.packets));
    summary.other = other;
    summary.packets = in_rows.saturating_add(other);
    summary.rows = groups.len() as u64;

    if !query.packets_only {
        // Of all. Where there are no rows to tell apart this may be another, smaller cube, but not one that
        // knows of prefixes beyond the largest.
        let needed = if table.is_of_days() { plan.needed.clone() } else { of_filter(plan.filter.as_ref()) };
        let all = Plan { by: &[], needed, step: None, filter: plan.filter.clone(), ..plan };
        let (total, trouble) = all.sources(&chosen.spans, &[Group::default()], true)?;
        summary.sources = total.first().and_then(Union::estimate);
        summary.sources_missing = trouble;
    }

    let (ranked, trouble) = rank(&plan, &chosen.spans, groups, query)?;
    summary.sources_missing = summary.sources_missing.or(trouble);
    summary.given = ranked.len() as u64;

    let watched = plan.watched(&chosen.spans)?;
    let is_v6 = |filter: &Filter| {
        let holds = filter.test(&|dimension| match dimension {
            Dimension::Family => Fact::Family(Family::V4),
            _ => Fact::Open,
        });
        holds == Some(false)
    };
    let only_v6 = plan.filter.as_ref().is_some_and(is_v6);
    let by_sensor = query.by.contains(&Dimension::Sensor);
    let groups = ranked.iter().map(|(group, ..)| *group).collect();
    let rows = ranked.into_iter().map(|(group, counts, sources)| {
        let days = address_days(&watched, &group, by_sensor);
        let is_v6 = only_v6 || group.row.family == Some(Family::V6);
        Measured {
            sensor: group.sensor.and_then(|place| sensors.names.get(place as usize)).cloned(),
            row: group.row,
            packets: counts.packets,
            sources,
            share: if summary.packets == 0 { 0.0 } else { counts.packets as f64 / summary.packets as f64 },
            rate: days.filter(|_| !is_v6).map(|days| counts.v4 as f64 / days),
        }
    });
    Ok((Answer { by: query.by.clone(), rows: rows.collect(), summary }, groups))
}

/// The dimensions that a condition hangs on.
fn of_filter(filter: Option<&Filter>) -> Vec<Dimension> {
    let mut dimensions = Vec::new();
    if let Some(filter) = filter {
        filter.dimensions(&mut |dimension| dimensions.push(dimension));
    }
    dimensions
}

/// The condition of a question, class and family included.
fn condition(query: &Query) -> Option<Filter> {
    let class = query.class.map(|class| Filter::is(Dimension::Class, Literal::Class(class)));
    let family = query.family.map(|family| Filter::is(Dimension::Family, Literal::Family(family)));
    [class, family, query.filter.clone()].into_iter().flatten().reduce(Filter::and)
}

/// The dimensions that not every cube has, as a list.
fn asked(needed: &[Dimension]) -> String {
    let everywhere =
        [Dimension::Time, Dimension::Sensor, Dimension::Class, Dimension::Kind, Dimension::Family];
    let asked: Vec<&str> = Dimension::ALL
        .into_iter()
        .filter(|dimension| needed.contains(dimension) && !everywhere.contains(dimension))
        .map(Dimension::as_str)
        .collect();
    match asked.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => asked.join(", "),
    }
}

/// Sorts by time, then the most first, then by values; keeps the first so many of each time.
fn order(ranked: &mut Ranking, top: Option<usize>) {
    ranked.sort_unstable_by(|(a, more, more_sources), (b, less, less_sources)| {
        a.row
            .time
            .cmp(&b.row.time)
            .then(less_sources.cmp(more_sources))
            .then(less.packets.cmp(&more.packets))
            .then_with(|| a.cmp(b))
    });
    if let Some(top) = top {
        let (mut time, mut taken) = (None, 0);
        ranked.retain(|(group, ..)| {
            if group.row.time != time {
                (time, taken) = (group.row.time, 0);
            }
            taken += 1;
            taken <= top
        });
    }
}

/// All of the summary that does not hang on the rows.
fn summary(plan: &Plan<'_>, query: &Query, chosen: &Chosen) -> Result<Summary, QueryError> {
    let spans = &chosen.spans;
    let with_data = || spans.iter().filter(|span| span.observed_ns > 0 || span.packets > 0);
    let mut cubes: Vec<&'static str> = Vec::new();
    let mut cut = false;
    for span in spans {
        if let Some(table) = plan.table(span.cut) {
            cut |= table.is_cut(span.cut);
            if !cubes.contains(&table.as_str()) {
                cubes.push(table.as_str());
            }
        }
    }
    let pending = plan.connection.query_row(
        "SELECT count(*), sum(e.packets) FROM epoch e JOIN generation g ON g.id = e.generation \
         WHERE e.tallies IS NOT NULL AND g.complete = 1 AND e.start_ns < ?2 AND e.end_ns > ?1",
        [query.from, query.to].map(|second| second.saturating_mul(1_000_000_000)),
        |row| Ok((count(row, 0)?, count(row, 1)?)),
    )?;
    Ok(Summary {
        from: plan.zone.rfc3339(query.from),
        to: plan.zone.rfc3339(query.to),
        time_zone: plan.zone.name().to_owned(),
        seconds: query.to.abs_diff(query.from),
        observed_seconds: spans.iter().map(|span| u128::from(span.observed_ns)).sum::<u128>() as f64 / 1e9,
        first: with_data().map(|span| span.start).min().map(|second| plan.zone.rfc3339(second)),
        last: with_data().map(|span| span.end).max().map(|second| plan.zone.rfc3339(second)),
        cubes,
        lost: spans.iter().fold(0, |sum, span| sum.saturating_add(span.lost)),
        unattributed: unattributed(plan, spans)?,
        partial: chosen.partial,
        pending_epochs: pending.0,
        pending_packets: pending.1,
        cut,
        largest_only: plan.needed.contains(&Dimension::Prefix),
        databases: databases(plan, spans)?,
        ..Summary::default()
    })
}

/// Packets that match or may match whose source was lost.
fn unattributed(plan: &Plan<'_>, spans: &[Span]) -> rusqlite::Result<u64> {
    let mut needed = of_filter(plan.filter.as_ref());
    if needed.contains(&Dimension::Prefix) {
        // The lists of prefixes hold no such packets.
        return Ok(0);
    }
    needed.push(Dimension::Region);
    let mut plan = Plan { by: &[], needed, step: None, filter: plan.filter.clone(), ..*plan };
    if plan.table(0).is_none() {
        // Ports with tools: there the tool tells.
        plan.needed.pop();
        plan.needed.push(Dimension::Tool);
    }
    let mut scans = Scans::new(Reads::Counts, None);
    let mut sum = 0u64;
    for span in spans.iter().filter(|span| span.lost > 0) {
        let Some(table) = plan.table(span.cut) else { continue };
        scans.of(&plan, table)?.run::<rusqlite::Error>(span.id, None, |cells, row, next| {
            if cells.is_lost(table) && plan.matches(table, &cells) != Some(false) {
                sum = sum.saturating_add(count(row, next)?);
            }
            Ok(())
        })?;
    }
    Ok(sum)
}

fn databases(plan: &Plan<'_>, spans: &[Span]) -> rusqlite::Result<Vec<Database>> {
    let mut ids = BTreeSet::new();
    let mut statement =
        plan.connection.prepare_cached("SELECT database FROM span_database WHERE span = ?")?;
    for span in spans {
        let mut rows = statement.query([span.id])?;
        while let Some(row) = rows.next()? {
            ids.insert(row.get::<_, i64>(0)?);
        }
    }
    let mut statement =
        plan.connection.prepare_cached("SELECT role, type, built FROM database WHERE id = ?")?;
    let mut databases = Vec::new();
    for id in ids {
        let database = statement.query_map([id], |row| {
            let built: Option<i64> = row.get(2)?;
            Ok(Database {
                role: row.get(0)?,
                name: row.get(1)?,
                built: built.map(|second| plan.zone.rfc3339(second)),
            })
        })?;
        for database in database {
            databases.push(database?);
        }
    }
    Ok(databases)
}
