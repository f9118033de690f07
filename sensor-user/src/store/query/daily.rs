//! Packets of class `scan` by day: what rankings, trends and surges are made of.
//!
//! [`Reader::query`] can tell the same, but of all its dimensions. This reads packets only, once for each row, and
//! keeps what it finds as short series.

use std::{fmt::Write as _, hash::Hash};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{Connection, Row, params_from_iter, types::Value};
use sensor_common::kind::{Family, Kind};

use super::{QueryError, Step, count, spans, table::Table};
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
pub trait Key: Copy + Eq + Hash {
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
#[derive(Clone, Debug)]
pub struct DailyCounts<K> {
    /// When each day begins, in seconds since 1970: all days of the period, with or without data.
    pub starts: Vec<i64>,
    /// The days that have packets of a key, by their place in `starts`, in order; and how many.
    ///
    /// Regions are those of the cubes: beside countries, [`Region::UNKNOWN`], [`Region::NON_ROUTABLE`],
    /// [`Region::UNATTRIBUTED`], and without services [`Region::OTHER`].
    pub rows: HashMap<K, Vec<(u16, u64)>, FixedState>,
    /// Packets of each day that are in no row but may belong there: a bound cut what was asked for, or it was lost
    /// with the source.
    pub other: Vec<u64>,
    /// Packets of all classes in spans that reach beyond the period or a day. They are not counted.
    pub partial: u64,
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

/// Which columns a statement reads, at which places. Packets are always the first.
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

    fn sql<K: Key>(&self, table: Table) -> Sql {
        let mut places = Places::default();
        let mut columns = "packets, class".to_owned();
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
    let _state = super::one_state(connection)?;
    let near = spans::near(connection, daily.from, daily.to)?;
    let chosen = spans::choose(&near, daily.from, daily.to, Some(Step::Day), false, zone);
    let mut counts = DailyCounts {
        other: vec![0; starts.len()],
        starts,
        rows: HashMap::default(),
        partial: chosen.partial,
    };
    for span in chosen.spans {
        let Some(table) = daily.table::<K>(span.cut) else { continue };
        let Some(day) =
            span.slot(Step::Day, zone).and_then(|day| counts.starts.binary_search(&day.start).ok())
        else {
            continue;
        };
        let Sql { text, parameters, places } = daily.sql::<K>(table);
        let mut statement = connection.prepare_cached(&text)?;
        let parameters = std::iter::once(Value::Integer(span.id)).chain(parameters);
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let Some(told) = daily.told::<K>(row, places)? else { continue };
            let packets = count(row, 0)?;
            let is_scan = row.get::<_, i64>(1)? == Class::Scan as i64;
            match K::of(&told).filter(|_| is_scan && daily.is_sure(&told)) {
                None => counts.other[day] = counts.other[day].saturating_add(packets),
                Some(key) => {
                    let series = counts.rows.entry(key).or_default();
                    match series.last_mut() {
                        Some((last, sum)) if usize::from(*last) == day => *sum = sum.saturating_add(packets),
                        // The days are as many as fit.
                        _ => series.push((day as u16, packets)),
                    }
                }
            }
        }
    }
    Ok(counts)
}
