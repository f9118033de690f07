//! A store whose answers are known: some packets in October 2019, on Tokyo's clock.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, params};
use sensor_common::kind::{Family, Kind};
use teiten::{
    sketch::{Scope, Sketch, SketchKey},
    store::{Place, Store},
};

use crate::scratch::Scratch;

/// Midnight of 2019-10-04 in Tokyo.
pub const START: i64 = 1_570_114_800;
/// Hours of the day that have packets.
pub const HOURS: i64 = 3;

/// What is in each hour: kind, port, region, AS, packets and sources.
pub const COUNTED: [(Kind, u16, &str, i64, i64, u64); 4] = [
    (Kind::Syn, 23, "CN", 4134, 600, 50),
    (Kind::Syn, 1433, "CN", 4134, 300, 20),
    (Kind::Syn, 1433, "US", 0, 100, 10),
    (Kind::SynAck, 80, "NL", 1136, 5000, 4),
];

/// Makes the store: a sensor `west` with 256 addresses, hours, and the day that they make. The sources of all hours
/// are the same.
///
/// # Panics
///
/// If that fails.
pub fn store(scratch: &Scratch) -> PathBuf {
    let path = scratch.path("teiten.db");
    drop(Store::open(&Place::new(&path), Some("Asia/Tokyo")).expect("a new store"));
    // Not the store's own key, which is random: estimates are to be the same in every run.
    fill(&path, &SketchKey::new([7; 16])).expect("rows");
    path
}

/// The cubes and the two columns of each that not all have.
const CUBES: [(&str, &[&str]); 6] = [
    ("total", &[]),
    ("port_region", &["port", "region"]),
    ("port_tool", &["port", "tool"]),
    ("region_asn", &["region", "asn"]),
    ("region_tool", &["region", "tool"]),
    ("port_prefix", &["port", "prefix"]),
];

fn fill(path: &Path, key: &SketchKey) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let rows = connection.transaction()?;
    rows.execute("INSERT INTO sensor VALUES (1, 'west', NULL, 'dark', NULL, '', 256, '', 0, NULL)", [])?;
    rows.execute("INSERT INTO database VALUES (1, 'country', 'made', 1570000000)", [])?;
    let hours = (0..HOURS).map(|hour| (0, START + hour * 3600, 3600, 1));
    for (level, start, seconds, times) in hours.chain([(1, START, 86_400, HOURS)]) {
        let observed = times * 3600 * 1_000_000_000;
        let all: i64 = COUNTED.iter().map(|(.., packets, _)| packets * times).sum();
        rows.execute(
            "INSERT INTO span (level, start, seconds, observed_ns, frames, packets) VALUES (?, ?, ?, ?, ?5, ?5)",
            params![level, start, seconds, observed, all],
        )?;
        let span = rows.last_insert_rowid();
        rows.execute("INSERT INTO span_sensor VALUES (?, 1, ?, ?)", params![span, observed, all])?;
        rows.execute("INSERT INTO span_database VALUES (?, 1)", [span])?;
        for (table, columns) in CUBES.into_iter().filter(|(table, _)| level == 1 || *table != "port_prefix") {
            let mut cube: BTreeMap<_, (i64, Sketch)> = BTreeMap::new();
            for (first, &(kind, port, region, asn, packets, sources)) in (0u64..).step_by(1000).zip(&COUNTED)
            {
                let own = columns.iter().map(|&column| match column {
                    "port" => port.to_string(),
                    "region" => region.to_owned(),
                    "asn" => asn.to_string(),
                    "tool" => "0".to_owned(),
                    _ => (first >> 8).to_string(),
                });
                let row = (kind, own.collect::<Vec<_>>());
                let empty = || (0, Sketch::new(Scope::new(key, Family::V4, 32)));
                let (sum, sketch) = cube.entry(row).or_insert_with(empty);
                *sum += packets * times;
                (first..first + sources).for_each(|source| sketch.insert(key.hash(source)));
            }
            for ((kind, own), (packets, sketch)) in cube {
                let class = i64::from(kind == Kind::SynAck);
                // Columns turn digits into numbers by themselves.
                let own = own.iter().map(|value| format!("'{value}', ")).collect::<String>();
                let columns = columns.iter().map(|column| format!("{column}, ")).collect::<String>();
                rows.execute(
                    &format!(
                        "INSERT INTO {table} (span, class, kind, {columns}family, sensor, packets, sources)
                         VALUES (?, ?, ?, {own}4, 1, ?, ?)"
                    ),
                    params![span, class, kind as i64, packets, sketch.to_bytes()],
                )?;
            }
        }
    }
    rows.commit()
}
