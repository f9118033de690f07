//! What surveys sent, and which prefixes make a change: from the lists of closed days.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{Connection, params_from_iter, types::Value};
use sensor_common::kind::{Family, Kind};

use super::{QueryError, count, daily::service_of};
use crate::{
    model::{Class, Prefix, Protocol, Region, Service},
    store::Reader,
};

/// Scan packets of survey scanners, at sensors that are dark or honeypots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SurveyPackets {
    /// For how many days they are known: closed ones that lie wholly in the period, and whose lists were made by
    /// version 2 of the store or later.
    pub days: u32,
    /// When each of these days begins, in seconds since 1970.
    pub starts: Vec<i64>,
    pub services: HashMap<Service, u64, FixedState>,
    /// By the first address of each scanner's prefix.
    pub regions: HashMap<Region, u64, FixedState>,
}

/// Whose packets are wanted, by prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixesOf {
    /// `None`: of all services together.
    pub service: Option<Service>,
    /// `None`: of all regions. The region of a prefix is that of its first address.
    pub region: Option<Region>,
}

/// Packets by prefix in two stretches of days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixChanges {
    /// For how many days of each stretch prefixes are known. (Of a service, these are not all days that have a list:
    /// on a day on which it neither was among the 100 largest nor rose, its prefixes are not listed, and count as
    /// none.)
    pub days_before: u32,
    pub days_since: u32,
    /// Of the prefixes with the most packets of each day (/24, IPv6 /48), those that sent more since than before in a
    /// day come first, by how many.
    pub prefixes: Vec<PrefixChange>,
}

/// Packets of a prefix in two stretches of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixChange {
    pub prefix: Prefix,
    pub before: u64,
    pub since: u64,
}

impl PrefixChanges {
    /// By how many packets a day a prefix sends more since than before.
    fn rise(&self, change: &PrefixChange) -> f64 {
        let mean = |packets: u64, days: u32| if days == 0 { 0.0 } else { packets as f64 / f64::from(days) };
        mean(change.since, self.days_since) - mean(change.before, self.days_before)
    }
}

impl Reader {
    /// What survey scanners sent in a period, so that rankings can be told without them. They are those of
    /// [`Reader::survey_scanners`].
    ///
    /// # Errors
    ///
    /// If the period is empty, or the store cannot be read.
    pub fn survey_packets(&self, from: i64, to: i64) -> Result<SurveyPackets, QueryError> {
        survey_packets(self.connection(), from, to)
    }

    /// Packets of class `scan` by prefix in two stretches of time, each from a first second since 1970 to the first
    /// one after it; of closed days that lie wholly in one of them.
    ///
    /// Of a service, the 20 prefixes with the most packets of each kind and sensor are known, on days on which it is
    /// large or rises; with a region, on days whose lists were made by version 2 of the store or later. Of a region, or
    /// of all, the 20 with the most packets of each region, on such days, too.
    ///
    /// # Errors
    ///
    /// If a stretch is empty, or the store cannot be read.
    pub fn prefix_changes(
        &self,
        of: PrefixesOf,
        before: (i64, i64),
        since: (i64, i64),
    ) -> Result<PrefixChanges, QueryError> {
        prefix_changes(self.connection(), of, before, since)
    }
}

/// Rows and starts of the closed days that lie wholly in a period and whose lists are at least of a version.
fn days(
    connection: &Connection,
    (from, to): (i64, i64),
    version: i64,
) -> Result<Vec<(i64, i64)>, QueryError> {
    if from >= to {
        return Err(QueryError::Period);
    }
    let mut find = connection.prepare_cached(
        "SELECT id, start FROM span WHERE level = 1 AND start >= ?1 AND start < ?2 AND start + seconds <= ?2 \
         AND lists >= ?3 ORDER BY start",
    )?;
    let rows = find.query_map([from, to, version], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn add<K: Eq + std::hash::Hash>(sums: &mut HashMap<K, u64, FixedState>, key: K, packets: u64) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(packets);
}

pub(super) fn survey_packets(
    connection: &Connection,
    from: i64,
    to: i64,
) -> Result<SurveyPackets, QueryError> {
    let _state = connection.unchecked_transaction()?;
    let days = days(connection, (from, to), 2)?;
    let mut sums = SurveyPackets { days: days.len() as u32, ..SurveyPackets::default() };
    let mut ports =
        connection.prepare_cached("SELECT packets, kind, port, family FROM survey_port WHERE span = ?")?;
    let mut regions =
        connection.prepare_cached("SELECT packets, region FROM survey_region WHERE span = ?")?;
    for (id, start) in days {
        sums.starts.push(start);
        let mut rows = ports.query([id])?;
        while let Some(row) = rows.next()? {
            if let Some(service) = service_of(row.get(1)?, row.get(2)?, row.get(3)?) {
                add(&mut sums.services, service, count(row, 0)?);
            }
        }
        let mut rows = regions.query([id])?;
        while let Some(row) = rows.next()? {
            if let Some(region) = row.get_ref(1)?.as_str().ok().and_then(Region::named) {
                add(&mut sums.regions, region, count(row, 0)?);
            }
        }
    }
    Ok(sums)
}

/// How the packets of a day's prefixes are found, behind `WHERE span = ?`.
fn sql(of: PrefixesOf) -> (String, Vec<Value>) {
    let mut parameters = Vec::new();
    let mut text = match of.service {
        None => "SELECT packets, prefix, family FROM region_prefix WHERE span = ?".to_owned(),
        Some(service) => {
            let family = if service.protocol == Protocol::Icmpv6 { Family::V6 } else { Family::V4 };
            let asks = |kind: &Kind| {
                (kind.has_dst_port() || kind.has_icmp_type())
                    && Protocol::of_kind(*kind, family) == Some(service.protocol)
            };
            let kinds = Kind::ALL.into_iter().filter(asks).map(|kind| (kind as u8).to_string());
            let kinds = kinds.collect::<Vec<_>>().join(", ");
            let number = i64::from(service.number);
            let (first, last) =
                if service.has_port() { (number, number) } else { (number << 8, number << 8 | 0xff) };
            format!(
                "SELECT packets, prefix, family, kind, port FROM port_prefix \
                 WHERE span = ? AND class = {} AND kind IN ({kinds}) AND port BETWEEN {first} AND {last}",
                Class::Scan as u8
            )
        }
    };
    if let Some(region) = of.region {
        text += " AND region = ?";
        parameters.push(Value::Text(region.as_str().to_owned()));
    }
    (text, parameters)
}

pub(super) fn prefix_changes(
    connection: &Connection,
    of: PrefixesOf,
    before: (i64, i64),
    since: (i64, i64),
) -> Result<PrefixChanges, QueryError> {
    let _state = connection.unchecked_transaction()?;
    let version = if of.service.is_some() && of.region.is_none() { 1 } else { 2 };
    let stretches = [days(connection, before, version)?, days(connection, since, version)?];
    let (text, parameters) = sql(of);
    let mut find = connection.prepare_cached(&text)?;
    let mut sums: HashMap<Prefix, [u64; 2], FixedState> = HashMap::default();
    for (stretch, days) in stretches.iter().enumerate() {
        for &(id, _) in days {
            let parameters = std::iter::once(Value::Integer(id)).chain(parameters.iter().cloned());
            let mut rows = find.query(params_from_iter(parameters))?;
            while let Some(row) = rows.next()? {
                let family = match row.get::<_, i64>(2)? {
                    4 => Family::V4,
                    6 => Family::V6,
                    _ => continue,
                };
                // A kind of ICMP has the type of either family.
                if let Some(service) = of.service
                    && service_of(row.get(3)?, row.get(4)?, row.get(2)?) != Some(service)
                {
                    continue;
                }
                let upper = u64::try_from(row.get::<_, i64>(1)?).ok();
                let Some(prefix) = upper.and_then(|upper| Prefix::of_upper(family, upper)) else { continue };
                let sum = &mut sums.entry(prefix).or_default()[stretch];
                *sum = sum.saturating_add(count(row, 0)?);
            }
        }
    }
    let [before, since] = stretches.map(|days| days.len() as u32);
    let mut changes =
        PrefixChanges { days_before: before, days_since: since, prefixes: Vec::with_capacity(sums.len()) };
    let prefixes = sums.into_iter().map(|(prefix, [before, since])| PrefixChange { prefix, before, since });
    let mut prefixes: Vec<PrefixChange> = prefixes.collect();
    prefixes.sort_unstable_by(|a, b| {
        changes.rise(b).total_cmp(&changes.rise(a)).then_with(|| a.prefix.cmp(&b.prefix))
    });
    changes.prefixes = prefixes;
    Ok(changes)
}
