//! A store of many hours, made: the same rows in every run.
//!
//! Every hour has events drawn for it, each of some sources that look for one service, until its cubes have their
//! share of the rows. An event is in every cube, so that the cubes agree, as those of a real store do. Hours only:
//! the store makes days of them itself.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Result, ensure};
use rusqlite::{Connection, Statement, params};
use sensor_common::kind::{Family, Kind};
use teiten::{
    cube::SourceLengths,
    geo::{Geo, Paths},
    model::{Class, Role, Sensors},
    sketch::{Scope, Sketch, SketchKey},
    store::{Limits, NewGeneration, Origin, Place, Store},
};
use teiten_tests::random::{Random, mix};

use crate::keys::{below, rank};

/// 2019-01-01T00:00Z, when the first hour begins.
pub const START: i64 = 1_546_300_800;
pub const DAYS: i64 = 400;
pub const REGIONS: usize = 200;
const HOURS: i64 = DAYS * 24;
const SYSTEMS_OF_REGION: usize = 40;
/// The ports of so many busiest ranks change places, four by four, from time to time.
const RESTLESS: usize = 64;
/// After so many days.
const REST: i64 = 45;
/// The most sources of an event.
const CROWD: f64 = 20_000.0;

/// What was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    pub rows: u64,
    /// Rows with up to five sources, and with a thousand or more.
    pub few: u64,
    pub many: u64,
}

/// A cube, and which of an event's columns are its own.
struct Cube {
    name: &'static str,
    own: [Own; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    None,
    Port,
    Region,
    Asn,
    Tool,
}

const CUBES: [Cube; 5] = [
    Cube { name: "total", own: [Own::None, Own::None] },
    Cube { name: "port_region", own: [Own::Port, Own::Region] },
    Cube { name: "port_tool", own: [Own::Port, Own::Tool] },
    Cube { name: "region_asn", own: [Own::Region, Own::Asn] },
    Cube { name: "region_tool", own: [Own::Region, Own::Tool] },
];

/// Kinds, with how many of a hundred events have them.
const KINDS: [(Kind, u64); 8] = [
    (Kind::Syn, 70),
    (Kind::Udp, 10),
    (Kind::SynAck, 8),
    (Kind::Rst, 4),
    (Kind::Echo, 3),
    (Kind::Tcp, 2),
    (Kind::UdpReply, 2),
    (Kind::IcmpReply, 1),
];

/// Some sources of an autonomous system that look for one service.
struct Event {
    kind: Kind,
    family: Family,
    sensor: i64,
    port: u16,
    region: usize,
    asn: usize,
    tool: usize,
    sources: u64,
    packets: i64,
}

/// Class, kind, the cube's own columns, family, sensor: the order of the index.
type Columns = (u8, u8, usize, usize, u8, i64);

struct Sum {
    packets: i64,
    /// How often a source was added: at least as many as there are.
    added: u64,
    sources: Sketch,
}

type Rows = BTreeMap<Columns, Sum>;

/// The code of a region; codes sort as their numbers do.
pub fn code(region: usize) -> String {
    [b'A' + (region / 26) as u8, b'A' + (region % 26) as u8].map(char::from).into_iter().collect()
}

/// The port of a rank, from 1 on, on a day.
pub fn port(rank: usize, day: i64) -> u16 {
    let rank = match rank - 1 {
        rank if rank < RESTLESS => (rank & !3 | (rank + (day / REST) as usize) & 3) + 1,
        rank => rank + 1,
    };
    // An odd factor: every rank has a port of its own.
    (rank as u16).wrapping_mul(0x9e37)
}

/// Makes a store of about so many rows.
pub fn make(path: &Path, rows: u64) -> Result<Made> {
    let mut store = Store::open(&Place::new(path), Some("UTC"))?;
    store.add_generation(&NewGeneration {
        generation: [1; 16],
        host: "bench",
        origin: Origin::Replay,
        created: START,
        lengths: SourceLengths { v4: 32, v6: 64 },
        sensors: &Sensors::new(vec!["west=192.0.2.0/24".parse()?, "east=198.51.100.0/24".parse()?])?,
    })?;
    drop(store);
    let connection = Connection::open(path)?;
    // Of this connection only: nothing here has to survive a power cut.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -262_144)?;

    let key = SketchKey::new([7; 16]);
    let scopes = [(Family::V4, 32), (Family::V6, 64)].map(|(family, bits)| Scope::new(&key, family, bits));
    let mut random = Random(0x0073_746f_7265);
    let mut made = Made::default();
    let mut span = connection.prepare(
        "INSERT INTO span (level, start, seconds, observed_ns, frames, packets)
         VALUES (0, ?, 3600, 3600000000000, ?2, ?2)",
    )?;
    let mut sensor = connection.prepare("INSERT INTO span_sensor VALUES (?, ?, 3600000000000, ?)")?;
    let mut inserts = CUBES
        .iter()
        .map(|cube| {
            let own = cube.own.iter().filter(|own| **own != Own::None).count();
            let values = vec!["?"; 7 + own].join(", ");
            connection.prepare(&format!("INSERT INTO {} VALUES ({values})", cube.name))
        })
        .collect::<rusqlite::Result<Vec<_>>>()?;
    connection.execute_batch("BEGIN")?;
    for hour in 0..HOURS {
        let wanted = rows * (hour as u64 + 1) / HOURS as u64;
        let mut cubes: [Rows; CUBES.len()] = Default::default();
        let (mut count, mut packets) = (0, [0; 2]);
        while made.rows + count < wanted {
            let event = event(&mut random, hour / 24);
            packets[event.sensor as usize - 1] += event.packets;
            count += add(&mut cubes, &event, scopes[event.family as usize], &mut random);
        }
        let id = span.insert(params![START + hour * 3600, packets.iter().sum::<i64>()])?;
        for (number, packets) in (1..).zip(packets) {
            sensor.execute(params![id, number, packets])?;
        }
        for ((cube, rows), insert) in CUBES.iter().zip(&cubes).zip(&mut inserts) {
            for (place, sum) in rows {
                put(insert, cube, id, place, sum)?;
                made.few += u64::from(sum.added <= 5);
                made.many += u64::from(sum.added >= 1000);
            }
        }
        made.rows += count;
        if hour % 24 == 23 {
            connection.execute_batch("COMMIT; BEGIN")?;
        }
    }
    connection.execute_batch("COMMIT")?;
    Ok(made)
}

/// Closes all days of the store; says how many.
pub fn close(path: &Path) -> Result<usize> {
    // There are no prefixes whose regions could be told.
    let geo = Geo::open(Paths::default())?.tables();
    let mut store = Store::open(&Place::new(path), None)?;
    let closed = store.close_days(START + DAYS * 86_400, &Limits::default(), &geo)?.len();
    ensure!(closed as i64 == DAYS, "{closed} days were closed");
    Ok(closed)
}

fn event(random: &mut Random, day: i64) -> Event {
    let mut of_hundred = below(random, 100);
    let find = |(_, share): &&(Kind, u64)| {
        let is_it = of_hundred < *share;
        of_hundred = of_hundred.saturating_sub(*share);
        is_it
    };
    let kind = KINDS.iter().find(find).map_or(Kind::Syn, |(kind, _)| *kind);
    let family = if below(random, 100) < 3 { Family::V6 } else { Family::V4 };
    let rank_of_port = rank(random.draw(), 1 << 16);
    let port = match kind {
        Kind::Echo if family == Family::V6 => 128 << 8,
        Kind::Echo => 8 << 8,
        Kind::IcmpReply => 0,
        // Few services are attacked.
        Kind::SynAck | Kind::Rst | Kind::UdpReply => port(rank_of_port.min(100), 0),
        _ => port(rank_of_port, day),
    };
    // Every port has regions of its own beside those that all have.
    let region = rank(random.draw(), REGIONS) - 1;
    let shift = if below(random, 10) < 4 { mix(port.into()) as usize } else { 0 };
    let region = (region + shift % REGIONS) % REGIONS;
    let asn = region * SYSTEMS_OF_REGION + rank(random.draw(), SYSTEMS_OF_REGION);
    // Most have a single source, few have thousands: as 1/n^1.1 have n or more.
    let unit = ((random.draw() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let sources = unit.powf(-1.0 / 1.1).min(CROWD) as u64;
    Event {
        kind,
        family,
        sensor: 1 + i64::from(below(random, 10) < 4),
        port,
        region,
        asn,
        tool: if mix(u64::from(port) << 1) % 4 == below(random, 4) { below(random, 4) as usize } else { 0 },
        sources,
        packets: (sources * (1 + below(random, 20))) as i64,
    }
}

/// Adds an event to all cubes; says how many rows are new.
fn add(cubes: &mut [Rows; CUBES.len()], event: &Event, scope: Scope, random: &mut Random) -> u64 {
    let class = Class::of(event.kind, Role::Dark) as u8;
    let family = if event.family == Family::V6 { 6 } else { 4 };
    // Sources of a population of their own, which is a few times as large: many come again.
    let population = mix((event.asn as u64) << 32 | u64::from(event.port) << 8 | event.kind as u64);
    let hashes: Vec<u64> =
        (0..event.sources).map(|_| mix(population ^ below(random, 8 * event.sources + 16))).collect();
    let mut new = 0;
    for (cube, rows) in CUBES.iter().zip(cubes) {
        let [a, b] = cube.own.map(|own| match own {
            Own::None => 0,
            Own::Port => event.port.into(),
            Own::Region => event.region,
            Own::Asn => event.asn,
            Own::Tool => event.tool,
        });
        let sum = rows.entry((class, event.kind as u8, a, b, family, event.sensor)).or_insert_with(|| {
            new += 1;
            Sum { packets: 0, added: 0, sources: Sketch::new(scope) }
        });
        sum.packets += event.packets;
        sum.added += event.sources;
        hashes.iter().for_each(|&hash| sum.sources.insert(hash));
    }
    new
}

fn put(insert: &mut Statement<'_>, cube: &Cube, span: i64, place: &Columns, sum: &Sum) -> Result<()> {
    let &(class, kind, a, b, family, sensor) = place;
    let mut next = 4;
    insert.raw_bind_parameter(1, span)?;
    insert.raw_bind_parameter(2, class)?;
    insert.raw_bind_parameter(3, kind)?;
    for (own, value) in cube.own.into_iter().zip([a, b]) {
        match own {
            Own::None => continue,
            Own::Region => insert.raw_bind_parameter(next, code(value))?,
            Own::Port | Own::Asn | Own::Tool => insert.raw_bind_parameter(next, value as i64)?,
        }
        next += 1;
    }
    insert.raw_bind_parameter(next, family)?;
    insert.raw_bind_parameter(next + 1, sensor)?;
    insert.raw_bind_parameter(next + 2, sum.packets)?;
    insert.raw_bind_parameter(next + 3, sum.sources.to_bytes())?;
    insert.raw_execute()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_ranks_differ_on_every_day() {
        for day in [0, REST, 3 * REST] {
            let ports: std::collections::HashSet<_> = (1..=1 << 16).map(|rank| port(rank, day)).collect();
            assert_eq!(ports.len(), 1 << 16);
        }
        assert_ne!(port(1, 0), port(1, REST));
    }

    #[test]
    fn codes_sort_as_their_numbers() {
        assert!((0..REGIONS).map(code).is_sorted());
    }
}
