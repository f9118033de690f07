//! Packets of class `scan` by day: what rankings, trends and surges are made of.
//!
//! [`Reader::query`] can tell the same, but of all its dimensions. This reads packets only, once for each row, and
//! keeps what it finds as short series.

use std::{fmt::Write as _, hash::Hash};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{Connection, Row, params_from_iter, types::Value};
use sensor_common::kind::{Family, Kind};

use super::{QueryError, Step, Union, count, spans, table::Table};
use crate::{
    model::{Class, Dimension, Protocol, Region, Service, Zone},
    store::Reader,
};

/// Of which packets. All are of class `scan`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Daily<'a> {
    /// The first second, since 1970.
    pub from: i64,
    /// The first second after the period.
    pub to: i64,
    /// Only those of these services.
    pub services: Option<&'a [Service]>,
    /// Only those of these regions.
    pub regions: Option<&'a [Region]>,
    /// Only those of these sensors, by their rows.
    pub sensors: Option<&'a [i64]>,
}

/// A sensor by its row in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SensorRow(pub i64);

/// What a row of a cube says of its packets. What it does not say is `None`: it was not read, or cut by a bound, or
/// lost with the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub service: Option<Service>,
    pub region: Option<Region>,
    pub sensor: Option<i64>,
}

/// What packets are counted by: [`Service`], [`Region`], both, and any of these with a [`SensorRow`] behind it.
pub trait Key: Copy + Ord + Hash {
    const BY_SERVICE: bool = false;
    const BY_REGION: bool = false;
    const BY_SENSOR: bool = false;

    fn of(told: &Told) -> Option<Self>;
}

impl Key for Service {
    const BY_SERVICE: bool = true;

    fn of(told: &Told) -> Option<Self> {
        told.service
    }
}

impl Key for Region {
    const BY_REGION: bool = true;

    fn of(told: &Told) -> Option<Self> {
        told.region
    }
}

impl Key for (Region, Service) {
    const BY_SERVICE: bool = true;
    const BY_REGION: bool = true;

    fn of(told: &Told) -> Option<Self> {
        told.region.zip(told.service)
    }
}

impl<K: Key> Key for (K, SensorRow) {
    const BY_SERVICE: bool = K::BY_SERVICE;
    const BY_REGION: bool = K::BY_REGION;
    const BY_SENSOR: bool = true;

    fn of(told: &Told) -> Option<Self> {
        K::of(told).zip(told.sensor.map(SensorRow))
    }
}

/// Packets by day and key.
///
/// Regions are those of the cubes: beside countries, [`Region::UNKNOWN`], [`Region::NON_ROUTABLE`],
/// [`Region::UNATTRIBUTED`], and without services [`Region::OTHER`].
#[derive(Clone, Debug)]
pub struct DailyCounts<K> {
    /// When each day begins, in seconds since 1970: all days of the period, with or without data.
    pub starts: Vec<i64>,
    /// Keys, the days that have packets of them, by their place in `starts`, and how many: in order, each once. Series
    /// by themselves would take more memory, and far more time to fill.
    rows: Vec<(K, u16, u64)>,
    /// Packets of each day that are in no row but may belong there: a bound cut what was asked for, or it was lost
    /// with the source.
    pub other: Vec<u64>,
    /// Packets of all classes in spans that reach beyond the period or a day. They are not counted.
    pub partial: u64,
}

impl<K: Copy + Ord> DailyCounts<K> {
    /// All keys in order, each with the days that have packets of it, by their place in `starts` and in order, and how
    /// many.
    pub fn iter(&self) -> impl Iterator<Item = (K, impl Iterator<Item = (usize, u64)> + Clone)> {
        let series = self.rows.chunk_by(|(a, ..), (b, ..)| a == b);
        series.filter_map(|rows| Some((rows.first()?.0, days_of(rows))))
    }

    /// The days that have packets of a key, by their place in `starts` and in order, and how many.
    pub fn days(&self, key: &K) -> impl Iterator<Item = (usize, u64)> + Clone {
        let rows = &self.rows[self.rows.partition_point(|(own, ..)| own < key)..];
        days_of(&rows[..rows.partition_point(|(own, ..)| own == key)])
    }

    /// Whether there are no packets of any key.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn days_of<K>(rows: &[(K, u16, u64)]) -> impl Iterator<Item = (usize, u64)> + Clone {
    rows.iter().map(|&(_, day, packets)| (usize::from(day), packets))
}

/// Rows of [`DailyCounts`], day by day.
struct Rows<K> {
    day: u16,
    /// Of this day, not in order yet, and keys more than once.
    of_day: Vec<(K, u64)>,
    /// Of the days before.
    all: Vec<(K, u16, u64)>,
}

impl<K: Copy + Ord> Rows<K> {
    fn add(&mut self, day: u16, key: K, packets: u64) {
        if day != self.day {
            self.end();
            self.day = day;
        }
        match self.of_day.last_mut() {
            Some((last, sum)) if *last == key => *sum = sum.saturating_add(packets),
            _ => self.of_day.push((key, packets)),
        }
    }

    /// Ends the day.
    fn end(&mut self) {
        self.of_day.sort_unstable_by_key(|&(key, _)| key);
        for (key, packets) in self.of_day.drain(..) {
            match self.all.last_mut() {
                Some((last, day, sum)) if (*last, *day) == (key, self.day) => {
                    *sum = sum.saturating_add(packets);
                }
                _ => self.all.push((key, self.day, packets)),
            }
        }
    }

    fn finish(mut self) -> Vec<(K, u16, u64)> {
        self.end();
        // Stable, so that the days of a key stay in order, and quick with days that are in order themselves.
        self.all.sort_by_key(|&(key, ..)| key);
        self.all
    }
}

impl Reader {
    /// Packets of class `scan` by day and key. Days that are wholly in the period and closed are read as such, others
    /// from their hours.
    ///
    /// # Errors
    ///
    /// If the period is empty or has more than 65,535 days, or the store cannot be read.
    pub fn daily<K: Key>(&self, daily: &Daily<'_>) -> Result<DailyCounts<K>, QueryError> {
        counts(self.connection(), self.zone(), daily)
    }

    /// Those of the services that are asked for to which fewer than so many sources sent in the period, all its days
    /// together, or whose sources cannot be told; in the order in which they are asked for.
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn of_few_sources(&self, daily: &Daily<'_>, least: u64) -> Result<Vec<Service>, QueryError> {
        of_few_sources(self.connection(), self.zone(), daily, least)
    }

    /// Packets of class `scan` by key, of all days that [`Reader::daily`] counts together. What is in no row there is
    /// in none here.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::daily`].
    pub fn sums<K: Key>(&self, daily: &Daily<'_>) -> Result<HashMap<K, u64, FixedState>, QueryError> {
        sums(self.connection(), self.zone(), daily)
    }
}

/// When the days of a period begin.
///
/// # Errors
///
/// If it is empty, or has more days than a `u16` tells apart.
pub(super) fn days(zone: &Zone, from: i64, to: i64) -> Result<Vec<i64>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let mut starts = Vec::new();
    let mut day = zone.day_of(from);
    loop {
        if starts.len() == usize::from(u16::MAX) {
            return Err(QueryError::Long);
        }
        starts.push(day.start);
        let next = zone.day_of(day.end());
        if day.end() >= to || next.start <= day.start {
            return Ok(starts);
        }
        day = next;
    }
}

/// The number of a row whose class was lost with its source.
const UNDETERMINED: i64 = 3;
/// The most values that SQLite is told to look for.
const MOST_BOUNDS: usize = 64;

/// Which columns a statement reads, at which places. What is counted is always the first.
#[derive(Clone, Copy, Default)]
struct Places {
    kind: usize,
    region: usize,
    sensor: usize,
}

/// How a cube is read.
struct Sql {
    text: String,
    parameters: Vec<Value>,
    places: Places,
}

impl<'a> Daily<'a> {
    fn needs_service<K: Key>(&self) -> bool {
        K::BY_SERVICE || self.services.is_some()
    }

    fn needs_region<K: Key>(&self) -> bool {
        K::BY_REGION || self.regions.is_some()
    }

    fn needs_sensor<K: Key>(&self) -> bool {
        K::BY_SENSOR || self.sensors.is_some()
    }

    /// The cube for a span: the smallest that holds everything, if it can be one that is not cut; else the last, which
    /// is cut last.
    fn table<K: Key>(&self, cut: i64) -> Option<Table> {
        let service = self.needs_service::<K>().then_some(Dimension::DstPort);
        let region = self.needs_region::<K>().then_some(Dimension::Region);
        let dimensions: Vec<Dimension> = service.into_iter().chain(region).collect();
        let holds = |table: &Table| table.columns_for(&dimensions).is_some();
        let mut tables = Table::ALL.into_iter().filter(holds);
        tables.clone().find(|table| !table.is_cut(cut)).or_else(|| tables.next_back())
    }

    /// `counted`: the column that is read for each row.
    fn sql<K: Key>(&self, table: Table, counted: &str) -> Sql {
        let mut places = Places::default();
        let mut columns = format!("{counted}, class");
        let mut next = 2;
        let mut add = |wanted: bool, names: &str, width: usize| {
            let place = next;
            if wanted {
                columns += names;
                next += width;
            }
            place
        };
        places.kind = add(self.needs_service::<K>(), ", kind, port, family", 3);
        places.region = add(self.needs_region::<K>(), ", region", 1);
        places.sensor = add(self.needs_sensor::<K>(), ", sensor", 1);
        let scan = Class::Scan as u8;
        let mut text = format!(
            "SELECT {columns} FROM {} WHERE span = ? AND class IN ({scan}, {UNDETERMINED})",
            table.as_str()
        );
        let mut parameters = Vec::new();
        if let Some(services) = self.services {
            let asks = |kind: &Kind| {
                let protocols = [Family::V4, Family::V6].map(|family| Protocol::of_kind(*kind, family));
                (kind.has_dst_port() || kind.has_icmp_type())
                    && services.iter().any(|service| protocols.contains(&Some(service.protocol)))
            };
            let kinds = Kind::ALL.into_iter().filter(asks).map(|kind| kind as i64);
            bound(&mut text, "kind", kinds);
            // Of ICMP the column holds the code, too.
            if services.len() <= MOST_BOUNDS && services.iter().all(|service| service.has_port()) {
                let ports = services.iter().map(|service| i64::from(service.number));
                bound(&mut text, "port", ports.chain([-1]));
            }
        }
        if let Some(regions) = self.regions.filter(|regions| regions.len() <= MOST_BOUNDS) {
            let open = [Region::UNATTRIBUTED, Region::OTHER];
            let regions: Vec<&Region> = regions.iter().chain(&open).collect();
            text += &format!(" AND region IN ({})", vec!["?"; regions.len()].join(", "));
            parameters.extend(regions.into_iter().map(|region| Value::Text(region.as_str().to_owned())));
        }
        if let Some(sensors) = self.sensors {
            bound(&mut text, "sensor", sensors.iter().copied().chain([0]));
        }
        Sql { text, parameters, places }
    }

    /// What a row says, if it can be of what is asked for; `None` if it is not.
    fn told<K: Key>(&self, row: &Row<'_>, places: Places) -> rusqlite::Result<Option<Told>> {
        let mut told = Told::default();
        if self.needs_service::<K>() {
            told.service = service(row, places.kind)?;
            if let (Some(services), Some(service)) = (self.services, told.service)
                && !services.contains(&service)
            {
                return Ok(None);
            }
        }
        if self.needs_region::<K>() {
            told.region = row.get_ref(places.region)?.as_str().ok().and_then(Region::named);
            if let (Some(regions), Some(region)) = (self.regions, told.region)
                && !regions.contains(&region)
            {
                if region != Region::UNATTRIBUTED && region != Region::OTHER {
                    return Ok(None);
                }
                told.region = None;
            }
        }
        if self.needs_sensor::<K>() {
            told.sensor = Some(row.get(places.sensor)?).filter(|&sensor| sensor != 0);
            if let (Some(sensors), Some(sensor)) = (self.sensors, told.sensor)
                && !sensors.contains(&sensor)
            {
                return Ok(None);
            }
        }
        Ok(Some(told))
    }

    /// Whether the row is surely of what is asked for, as far as it is asked.
    fn is_sure(&self, told: &Told) -> bool {
        (self.services.is_none() || told.service.is_some())
            && (self.regions.is_none() || told.region.is_some())
            && (self.sensors.is_none() || told.sensor.is_some())
    }
}

fn bound(text: &mut String, column: &str, values: impl Iterator<Item = i64>) {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    // Writing to a string does not fail.
    let _ = write!(text, " AND {column} IN ({})", values.join(", "));
}

/// The service of columns kind, port and family.
fn service(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Service>> {
    let (kind, port, family): (i64, i64, i64) = (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?);
    Ok(service_of(kind, port, family))
}

/// The service of a row of class `scan`, if it tells one.
pub(in crate::store) fn service_of(kind: i64, port: i64, family: i64) -> Option<Service> {
    let kind = Kind::from_number(u8::try_from(kind).ok()?)?;
    let family = if family == 6 { Family::V6 } else { Family::V4 };
    Service::of(kind, family, u16::try_from(port).ok()?)
}

pub(super) fn counts<K: Key>(
    connection: &Connection,
    zone: &Zone,
    daily: &Daily<'_>,
) -> Result<DailyCounts<K>, QueryError> {
    let starts = days(zone, daily.from, daily.to)?;
    let mut other = vec![0u64; starts.len()];
    let mut rows = Rows { day: 0, of_day: Vec::new(), all: Vec::new() };
    let partial = scan(connection, zone, daily, &starts, |day, key, packets| match key {
        None => other[day] = other[day].saturating_add(packets),
        // The days are as many as fit.
        Some(key) => rows.add(day as u16, key, packets),
    })?;
    Ok(DailyCounts { starts, rows: rows.finish(), other, partial })
}

pub(super) fn sums<K: Key>(
    connection: &Connection,
    zone: &Zone,
    daily: &Daily<'_>,
) -> Result<HashMap<K, u64, FixedState>, QueryError> {
    let starts = days(zone, daily.from, daily.to)?;
    let mut sums = HashMap::default();
    scan(connection, zone, daily, &starts, |_, key: Option<K>, packets| {
        if let Some(key) = key {
            let sum = sums.entry(key).or_insert(0u64);
            *sum = sum.saturating_add(packets);
        }
    })?;
    Ok(sums)
}

/// Reads all rows in the order of days, which begin at `starts`; `each` gets the day's place, the key, and packets.
/// Returns the packets of spans that reach beyond the period or a day.
fn scan<K: Key>(
    connection: &Connection,
    zone: &Zone,
    daily: &Daily<'_>,
    starts: &[i64],
    mut each: impl FnMut(usize, Option<K>, u64),
) -> Result<u64, QueryError> {
    let _state = super::one_state(connection)?;
    let near = spans::near(connection, daily.from, daily.to)?;
    let chosen = spans::choose(&near, daily.from, daily.to, Some(Step::Day), false, zone);
    for span in chosen.spans {
        let Some(table) = daily.table::<K>(span.cut) else { continue };
        let Some(day) = span.slot(Step::Day, zone).and_then(|day| starts.binary_search(&day.start).ok())
        else {
            continue;
        };
        let Sql { text, parameters, places } = daily.sql::<K>(table, "packets");
        let mut statement = connection.prepare_cached(&text)?;
        let parameters = std::iter::once(Value::Integer(span.id)).chain(parameters);
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let Some(told) = daily.told::<K>(row, places)? else { continue };
            let packets = count(row, 0)?;
            let is_scan = row.get::<_, i64>(1)? == Class::Scan as i64;
            each(day, K::of(&told).filter(|_| is_scan && daily.is_sure(&told)), packets);
        }
    }
    Ok(chosen.partial)
}

pub(super) fn of_few_sources(
    connection: &Connection,
    zone: &Zone,
    daily: &Daily<'_>,
    least: u64,
) -> Result<Vec<Service>, QueryError> {
    if daily.from >= daily.to {
        return Err(QueryError::Period);
    }
    let _state = super::one_state(connection)?;
    let near = spans::near(connection, daily.from, daily.to)?;
    let chosen = spans::choose(&near, daily.from, daily.to, None, false, zone);
    let mut few = daily.services.unwrap_or_default().to_vec();
    let mut unions: HashMap<Service, Union, FixedState> = HashMap::default();
    let is_few = |union: Option<&Union>| union.and_then(Union::estimate).unwrap_or(0) < least;
    for span in chosen.spans {
        // Most have enough of them on the first day.
        few.retain(|service| is_few(unions.get(service)));
        let asked = Daily { services: Some(&few), ..*daily };
        let Some(table) = asked.table::<Service>(span.cut).filter(|_| !few.is_empty()) else { continue };
        let Sql { text, parameters, places } = asked.sql::<Service>(table, "sources");
        let mut statement = connection.prepare_cached(&text)?;
        let parameters = std::iter::once(Value::Integer(span.id)).chain(parameters);
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let Some(told) = asked.told::<Service>(row, places)? else { continue };
            let is_scan = row.get::<_, i64>(1)? == Class::Scan as i64;
            if let Some(service) = told.service.filter(|_| is_scan && asked.is_sure(&told))
                && let Some(bytes) = row.get_ref(0)?.as_blob_or_null().ok().flatten()
            {
                unions.entry(service).or_default().try_add(bytes);
            }
        }
    }
    few.retain(|service| is_few(unions.get(service)));
    Ok(few)
}
