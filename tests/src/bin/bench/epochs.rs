//! Drained epochs as a telescope's kernel gives them, made: the same ones in every run.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use sensor_common::{
    key::{Key, Meta},
    kind::{Family, Kind, Tool},
    layout::{Cell, Outcomes, Slot},
};
use teiten::{
    cube::SourceLengths,
    geo::{Geo, Paths},
    kernel::{Drain, Span},
    model::Sensors,
    store::{Epoch, NewGeneration, Notes, Origin, Place, Store},
};
use teiten_tests::random::{Random, mix};

use crate::keys::{below, rank};

/// 2019-10-01T00:00Z.
pub const START: i64 = 1_569_888_000;
/// Services, of which the one of rank r is wanted by about 1/r of the sources.
const SERVICES: usize = 2000;

/// The databases that regions and autonomous systems are looked up in.
pub fn geo() -> Result<Geo> {
    let data = PathBuf::from(std::env::var_os("TEITEN_DATA").context("TEITEN_DATA is not set")?);
    let country = data.join("country.mmdb");
    ensure!(country.is_file(), "{} is not there: `cargo xtask setup --only data`", country.display());
    let asn = ["asn-ipv4.csv", "asn-ipv6.csv"].map(|name| data.join(name)).to_vec();
    Ok(Geo::open(Paths { country: Some(country), asn })?)
}

/// A new store with one dark sensor; also the row of its generation.
pub fn store(path: PathBuf, sensor: &str) -> Result<(Store, i64)> {
    let mut store = Store::open(&Place::new(path), Some("UTC"))?;
    let generation = store.add_generation(&NewGeneration {
        generation: [1; 16],
        host: "bench",
        origin: Origin::Live,
        created: START,
        lengths: SourceLengths { v4: 32, v6: 64 },
        sensors: &Sensors::new(vec![sensor.parse()?])?,
    })?;
    Ok((store, generation.id))
}

/// An epoch of these tallies; its time in seconds from [`START`] on.
pub fn epoch(generation: i64, number: u64, from: i64, to: i64, tallies: Vec<Slot>) -> Epoch {
    let drain = drain(number, from, to, tallies);
    Epoch::new(generation, &drain, Notes { observed: true, ..Notes::default() })
}

/// The drain of these tallies.
pub fn drain(number: u64, from: i64, to: i64, tallies: Vec<Slot>) -> Drain {
    let ns = |second: i64| (START + second).unsigned_abs() * 1_000_000_000;
    let mut drain = Drain {
        epoch: number,
        span: Span { start_ns: ns(from), end_ns: ns(to) },
        tallies,
        ..Drain::default()
    };
    let mut sum = 0;
    for slot in &drain.tallies {
        let packets = u64::from(slot.packets);
        sum += packets;
        if let Some(cell) = drain.kinds.get_mut(slot.meta.kind()) {
            cell[slot.meta.family()] += Cell { packets, bytes: 40 * packets };
        }
    }
    drain.outcomes = Outcomes { runs: sum, packets: sum, ..Outcomes::default() };
    drain
}

/// Tallies of these keys, which differ, of one packet each.
pub fn once(keys: impl Iterator<Item = u64>, pair: impl Fn(u64) -> (u64, Meta)) -> Vec<Slot> {
    let tally = |key| {
        let (source, meta) = pair(key);
        Slot { source, meta, packets: 1 }
    };
    keys.map(tally).collect()
}

/// Packets drawn one by one, put together by key.
pub fn drawn(packets: u64, mut draw: impl FnMut() -> (u64, Meta)) -> Vec<Slot> {
    let mut tallies: HashMap<(u64, Meta), u32> = HashMap::new();
    for _ in 0..packets {
        *tallies.entry(draw()).or_default() += 1;
    }
    tallies.into_iter().map(|((source, meta), packets)| Slot { source, meta, packets }).collect()
}

/// A key as floods have it: a source of its own for each number below 2^32, any port.
pub fn flood(number: u64) -> (u64, Meta) {
    // Odd factors and shifts: nothing falls together.
    let number = number as u32;
    let mixed = (number ^ number >> 16).wrapping_mul(0x7feb_352d);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x846c_a68b);
    let rest = mix(u64::from(number) | 1 << 40);
    (u64::from(mixed ^ mixed >> 16), meta(rest, port(rank(rest, 1 << 16))))
}

/// A key as bots have it: every source looks for two services.
pub fn bot(number: u64) -> (u64, Meta) {
    let source = mix(number / 2) >> 32;
    let rest = mix(number | 1 << 41);
    (address(source), meta(rest, port(rank(rest, SERVICES))))
}

/// A key of one of some scanners who go through all ports.
pub fn scanner(random: &mut Random, scanners: u64) -> (u64, Meta) {
    let number = below(random, scanners);
    let key = Key {
        source: address(mix(number | 1 << 42) >> 32),
        port: random.draw() as u16,
        kind: if number.is_multiple_of(8) { Kind::Udp } else { Kind::Syn },
        family: Family::V4,
        tool: [Tool::None, Tool::Zmap, Tool::Masscan][number as usize % 3],
        sensor: 0,
    };
    (key.source, key.meta())
}

/// 1.0.0.0 to 223.255.255.255.
fn address(number: u64) -> u64 {
    0x0100_0000 + number % 0xdf00_0000
}

/// The port of a rank. An odd factor: every rank has one of its own.
fn port(rank: usize) -> u16 {
    (rank as u16).wrapping_mul(0x9e37)
}

/// Kind, tool and port by a number without a pattern.
fn meta(number: u64, port: u16) -> Meta {
    let (kind, port) = match number & 0xff {
        0..205 => (Kind::Syn, port),
        205..226 => (Kind::Udp, port),
        226..233 => (Kind::Echo, 8 << 8),
        233..246 => (Kind::SynAck, [80, 443, 22, 53][port as usize % 4]),
        246..253 => (Kind::Rst, [80, 443, 22, 53][port as usize % 4]),
        _ => (Kind::Tcp, port),
    };
    let tool = match (kind, number >> 8 & 0xf) {
        (Kind::Syn, 0..4) => Tool::Mirai,
        (Kind::Syn, 4) => Tool::Zmap,
        (Kind::Syn, 5 | 6) => Tool::Masscan,
        _ => Tool::None,
    };
    Key { source: 0, port, kind, family: Family::V4, tool, sensor: 0 }.meta()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_of_a_flood_differ() {
        let keys: HashSet<_> = (0..1 << 18).map(flood).collect();
        assert_eq!(keys.len(), 1 << 18);
    }

    #[test]
    fn drains_are_whole() {
        let mut random = Random(1);
        let tallies = drawn(1000, || bot(below(&mut random, 100)));
        assert!(tallies.len() <= 100);
        let drain = drain(3, 0, 60, tallies);
        assert_eq!(drain.outcomes.packets, 1000);
        let of_kinds: u64 = drain.kinds.as_flattened().iter().map(|cell| cell.packets).sum();
        assert_eq!(of_kinds, 1000);
    }
}
