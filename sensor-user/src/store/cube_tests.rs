//! From epochs to cubes, days and lists: nothing lost, nothing twice.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use rusqlite::types::FromSql;
use sensor_common::{
    key::Key,
    kind::{Family, Kind, Tool},
    layout::{Outcomes, Slot},
};

use super::{
    tests::{FIXTURE_KEY, Scratch},
    *,
};
use crate::{
    cube::SourceLengths,
    geo::{Geo, Paths, Tables},
    kernel::{Drain, Span, Unattributed, account::Detail},
    model::{Region, Sensors, Service},
    store::query::{PrefixChange, PrefixesOf, SurveyPackets},
};

const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };
/// 2019-10-04T00:00:00 in Tokyo.
const DAY: i64 = 1_570_114_800;
const HOUR: i64 = 3600;
/// Nothing is cut.
const WIDE: Limits = Limits {
    rows: 1 << 40,
    port_tool: 1 << 40,
    region_asn: 1 << 40,
    region_tool: 1 << 40,
    prefix: 1 << 40,
    backscatter: 1 << 40,
};
/// All that waits.
const ALL: Portion = Portion { generation: None, tallies: usize::MAX, epochs: u64::MAX };
const CUBES: [&str; 5] = ["total", "port_region", "port_tool", "region_asn", "region_tool"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ number >> 31) % bound
    }
}

/// A store in a directory of its own, with a generation of three sensors.
struct Rig {
    store: Store,
    /// Dropped behind the store.
    _scratch: Scratch,
    geo: Arc<Tables>,
    generation: i64,
    epochs: u64,
}

impl Rig {
    fn new() -> Self {
        Self::of(&["dark=192.0.2.0/24", "lit=198.51.100.0/24;role=lit", "pot=203.0.113.0/24;role=honeypot"])
    }

    fn of(sensors: &[&str]) -> Self {
        let scratch = Scratch::new();
        // With the same key always, estimates are the same.
        fs::write(scratch.place().key(), FIXTURE_KEY).unwrap();
        let store = Store::open(&scratch.place(), Some("Asia/Tokyo")).unwrap();
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let mut rig = Self { store, _scratch: scratch, geo, generation: 0, epochs: 0 };
        rig.generation(1, sensors, LENGTHS, Origin::Live);
        rig
    }

    /// Epochs that are kept from now on are of this generation.
    fn generation(&mut self, number: u8, sensors: &[&str], lengths: SourceLengths, origin: Origin) {
        let sensors = Sensors::new(sensors.iter().map(|text| text.parse().unwrap()).collect()).unwrap();
        let new = NewGeneration {
            generation: [number; 16],
            host: "host",
            origin,
            created: DAY,
            lengths,
            sensors: &sensors,
        };
        self.generation = self.store.add_generation(&new).unwrap().id;
        self.epochs = 0;
    }

    /// Keeps an epoch; times in seconds from the day's start.
    fn keep(&mut self, start: i64, end: i64, tallies: &[Slot]) {
        self.keep_with(start, end, tallies, &[]);
    }

    fn keep_with(&mut self, start: i64, end: i64, tallies: &[Slot], unattributed: &[Unattributed]) {
        let ns = |second: i64| u64::try_from(DAY + second).unwrap() * 1_000_000_000;
        let lost = unattributed.iter().map(|lost| lost.packets).sum::<u64>();
        let packets = tallies.iter().map(|slot| u64::from(slot.packets)).sum::<u64>() + lost;
        let mut drain = Drain {
            epoch: self.epochs,
            span: Span { start_ns: ns(start), end_ns: ns(end) },
            tallies: tallies.to_vec(),
            unattributed: unattributed.to_vec(),
            outcomes: Outcomes { runs: packets + 3, non_ip: 2, malformed: 1, packets, ..Outcomes::default() },
            lost,
            ..Drain::default()
        };
        drain.kinds[0][0].packets = packets;
        drain.kinds[0][0].bytes = packets * 40;
        let notes = Notes { observed: true, restarted: self.epochs == 0, ..Notes::default() };
        self.store.commit(&Epoch::new(self.generation, &drain, notes)).unwrap();
        self.epochs += 1;
    }

    fn fold(&mut self) -> Folded {
        self.fold_within(&WIDE)
    }

    fn fold_within(&mut self, limits: &Limits) -> Folded {
        let geo = Arc::clone(&self.geo);
        self.store.fold(&geo, limits, &ALL).unwrap()
    }

    fn close(&mut self) -> Vec<i64> {
        self.store.close_days(i64::MAX, &WIDE, &self.geo).unwrap()
    }

    /// Takes every step that there is. Gives the starts of the days that were closed, and all that was
    /// deleted.
    fn maintain(&mut self, now: i64, retention: &Retention) -> (Vec<i64>, Maintained) {
        let (mut closed, mut all) = (Vec::new(), Maintained::default());
        loop {
            let done = self.store.maintain(now, retention, &WIDE, &self.geo).unwrap();
            closed.extend(done.closed);
            all.spans += done.spans;
            all.epochs += done.epochs;
            all.doubted = done.doubted;
            if !done.more {
                return (closed, all);
            }
        }
    }

    fn connection(&self) -> &Connection {
        self.store.connection().unwrap()
    }

    fn one<T: FromSql>(&self, sql: &str) -> T {
        self.connection()
            .query_row(sql, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Rows of numbers, separated by spaces.
    fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.connection().prepare(sql).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let texts = (0..width).map(|column| match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Real(number) => format!("{number:.0}"),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Blob(_) => "blob".to_owned(),
            });
            Ok(texts.collect::<Vec<_>>().join(" "))
        });
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    /// All that the store says, but for the tables of generations.
    fn dump(&self) -> Vec<String> {
        let tables = [
            "span",
            "span_sensor",
            "open_prefix",
            "open_backscatter",
            "port_prefix",
            "region_prefix",
            "survey",
            "survey_port",
            "survey_region",
            "victim",
        ];
        let tables = tables.into_iter().chain(CUBES);
        tables
            .flat_map(|table| {
                let mut rows = self.rows(&format!("SELECT * FROM {table}"));
                rows.sort();
                rows.insert(0, table.to_owned());
                rows
            })
            .collect()
    }

    /// Every span has each of its packets once in each of its cubes.
    fn check_sums(&self) {
        for cube in CUBES {
            let sql = format!(
                "SELECT s.level, s.start, s.packets, (SELECT sum(c.packets) FROM {cube} c WHERE c.span = s.id)
                 FROM span s WHERE s.packets > 0 AND s.packets IS NOT
                   (SELECT sum(c.packets) FROM {cube} c WHERE c.span = s.id)"
            );
            assert_eq!(self.rows(&sql), [""; 0], "{cube}");
        }
    }
}

fn slot_of(kind: Kind, family: Family, port: u16, source: u64, tool: Tool, sensor: u8, packets: u32) -> Slot {
    let key = Key { source, port, kind, family, tool, sensor };
    Slot { source, meta: key.meta(), packets }
}

/// Of IPv4 and the first sensor.
fn slot(kind: Kind, port: u16, source: u64, packets: u32) -> Slot {
    slot_of(kind, Family::V4, port, source, Tool::None, 0, packets)
}

fn random_slots(random: &mut Random, many: u64, sensors: u64) -> Vec<Slot> {
    let slots = (0..many).map(|_| {
        let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
        let family = if random.below(3) == 0 { Family::V6 } else { Family::V4 };
        let source = match family {
            Family::V4 => random.below(1 << 12) << 20 | random.below(4),
            Family::V6 => random.below(1 << 12) << 52 | random.below(4),
        };
        let tool = Tool::ALL[random.below(4) as usize];
        let port = random.below(40) as u16 * 100;
        slot_of(kind, family, port, source, tool, random.below(sensors) as u8, random.below(5) as u32 + 1)
    });
    slots.collect()
}

fn random_lost(random: &mut Random, many: u64) -> Vec<Unattributed> {
    let lost = (0..many).map(|_| {
        let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
        let family = (random.below(2) == 0).then_some(Family::V4);
        let detail = match kind {
            kind if kind.has_dst_port() => Detail::Port(random.below(30) as u16),
            kind if kind.has_icmp_type() => Detail::IcmpType(random.below(200) as u8),
            kind if kind.has_protocol() => Detail::Protocol(random.below(200) as u8),
            _ => Detail::None,
        };
        let family = if kind.has_dst_port() { None } else { family.or(Some(Family::V6)) };
        Unattributed { kind, family, detail, packets: random.below(9) + 1 }
    });
    lost.collect()
}

#[test]
fn every_packet_is_in_each_cube_once() {
    let mut random = Random(1);
    let mut rig = Rig::new();
    let mut all = 0i64;
    // By kind, port, tool, family and sensor's number.
    let mut exact: HashMap<(u8, i64, i64, u8, i64), u64> = HashMap::new();
    for round in 0..30 {
        let start = random.below(30 * 3600) as i64;
        let end = start + if round % 7 == 0 { 9_000 } else { random.below(300) as i64 };
        // A number that is no sensor's is among them.
        let (tallies, lost) = (random_slots(&mut random, 200, 4), random_lost(&mut random, 20));
        rig.keep_with(start, end, &tallies, &lost);
        for slot in &tallies {
            let key = Key::unpack(slot.source, slot.meta).unwrap();
            let sensor = if key.sensor < 3 { i64::from(key.sensor) + 1 } else { 0 };
            let family = if key.family == Family::V4 { 4 } else { 6 };
            let place = (key.kind as u8, i64::from(key.port), key.tool as i64, family, sensor);
            *exact.entry(place).or_default() += u64::from(slot.packets);
            all += i64::from(slot.packets);
        }
        all += lost.iter().map(|lost| lost.packets as i64).sum::<i64>();
        if round % 5 == 4 {
            assert!(rig.fold().epochs > 0);
        }
    }
    rig.check_sums();
    assert_eq!(rig.one::<i64>("SELECT sum(packets) FROM span"), all);
    let found = rig.rows(
        "SELECT kind, port, tool, family, sensor, sum(packets) FROM port_tool WHERE tool <> -1 GROUP BY 1, 2, 3, 4, 5",
    );
    let mut expected: Vec<_> = exact
        .iter()
        .map(|((kind, port, tool, family, sensor), packets)| {
            format!("{kind} {port} {tool} {family} {sensor} {packets}")
        })
        .collect();
    let mut found_sorted = found;
    found_sorted.sort();
    expected.sort();
    assert_eq!(found_sorted, expected);
    // Sources are those of all that did not lose theirs.
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM total WHERE sources IS NULL AND sensor <> 0"), 0);
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM port_tool WHERE tool = -1 AND sources IS NOT NULL"), 0);

    assert!(!rig.close().is_empty());
    rig.check_sums();
    // What is late comes to closed days, too.
    let late = random_slots(&mut random, 200, 3);
    rig.keep_with(3_700, 3_710, &late, &random_lost(&mut random, 20));
    rig.fold();
    rig.check_sums();
    // Folding again changes nothing.
    let before = rig.dump();
    assert_eq!(rig.fold(), Folded::default());
    assert_eq!(rig.dump(), before);
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM epoch WHERE tallies IS NOT NULL"), 0);
}

#[test]
fn classes_and_columns() {
    let mut rig = Rig::new();
    let lost = |kind, family, detail| Unattributed { kind, family, detail, packets: 7 };
    rig.keep_with(
        10,
        20,
        &[
            slot_of(Kind::Syn, Family::V4, 23, 0x0101_0101, Tool::Mirai, 0, 1),
            slot_of(Kind::Tcp, Family::V4, 23, 0x0a00_0001, Tool::None, 0, 2),
            slot_of(Kind::Tcp, Family::V4, 23, 0x0a00_0001, Tool::None, 1, 3),
            slot_of(Kind::SynAck, Family::V6, 443, 0x2a00_1450_4001_0815, Tool::None, 2, 4),
            slot_of(Kind::Tcp, Family::V4, 23, 0x0101_0101, Tool::None, 9, 5),
            slot_of(Kind::Echo, Family::V4, 8 << 8, 0x0101_0101, Tool::None, 0, 6),
        ],
        &[
            lost(Kind::Syn, None, Detail::Port(22)),
            lost(Kind::Tcp, None, Detail::Port(22)),
            lost(Kind::Echo, Some(Family::V4), Detail::IcmpType(8)),
            lost(Kind::Ip, Some(Family::V6), Detail::Protocol(47)),
            lost(Kind::Rst, Some(Family::V4), Detail::None),
        ],
    );
    rig.fold();
    let found = rig.rows("SELECT class, kind, port, region, family, sensor, packets FROM port_region");
    assert_eq!(
        found,
        [
            "0 0 22 unattributed 0 0 7",
            "0 0 23 unknown 4 1 1",
            "0 1 23 non-routable 4 1 2",
            "0 7 2048 unattributed 4 0 7",
            "0 7 2048 unknown 4 1 6",
            "1 4 -1 unattributed 4 0 7",
            "1 5 443 unknown 6 3 4",
            "2 1 23 non-routable 4 2 3",
            "2 16 47 unattributed 6 0 7",
            "3 1 22 unattributed 0 0 7",
            "3 1 23 unknown 4 0 5",
        ]
    );
    assert_eq!(rig.rows("SELECT port, tool, packets FROM port_tool WHERE kind = 0"), ["22 -1 7", "23 1 1"]);
    assert_eq!(
        rig.rows("SELECT region, asn, packets FROM region_asn WHERE kind = 0"),
        ["unattributed 0 7", "unknown 0 1"]
    );
    assert_eq!(
        rig.rows("SELECT region, tool, packets FROM region_tool WHERE kind = 0"),
        ["unattributed -1 7", "unknown 1 1"]
    );
    assert_eq!(
        rig.rows("SELECT kind, port, prefix, family, packets FROM open_prefix ORDER BY prefix, kind"),
        ["0 23 65793 4 1", "7 2048 65793 4 6", "1 23 655360 4 2"]
    );
    assert_eq!(
        rig.rows("SELECT minute, kind, port, family, packets FROM open_backscatter"),
        [format!("{DAY} 5 443 6 4")]
    );
    let spans = "SELECT level, start, seconds, observed_ns, frames, non_ip, malformed, packets, bytes, lost, restarts FROM span";
    assert_eq!(rig.rows(spans), [format!("0 {DAY} 3600 10000000000 59 2 1 56 2240 35 1")]);
    assert_eq!(
        rig.rows("SELECT sensor, observed_ns, packets FROM span_sensor"),
        ["1 10000000000 9", "2 10000000000 3", "3 10000000000 4"]
    );
}

#[test]
fn what_lost_its_source_is_the_only_sensors() {
    let mut rig = Rig::of(&["lit=198.51.100.0/24;role=lit"]);
    let lost = Unattributed { kind: Kind::Tcp, family: None, detail: Detail::Port(22), packets: 7 };
    rig.keep_with(10, 20, &[], &[lost]);
    rig.fold();
    assert_eq!(rig.rows("SELECT class, kind, family, sensor, packets FROM total"), ["2 1 0 1 7"]);
    assert_eq!(rig.rows("SELECT sensor, packets FROM span_sensor"), ["1 7"]);
}

#[test]
fn a_day_is_the_sum_of_its_hours_and_of_coarse_spans_within() {
    let mut rig = Rig::new();
    let mut random = Random(2);
    for hour in [0, 1, 1, 13, 23] {
        rig.keep(hour * HOUR + 5, hour * HOUR + 15, &random_slots(&mut random, 300, 3));
    }
    rig.keep(5 * HOUR, 8 * HOUR, &random_slots(&mut random, 300, 3));
    // Across midnight: part of no day.
    rig.keep(22 * HOUR, 26 * HOUR, &random_slots(&mut random, 300, 3));
    rig.keep(26 * HOUR, 26 * HOUR + 10, &random_slots(&mut random, 300, 3));
    rig.fold();
    let levels = "SELECT level, count(*) FROM span GROUP BY level";
    assert_eq!(rig.rows(levels), ["0 5", "2 2"]);
    assert_eq!(rig.close(), [DAY, DAY + 24 * HOUR]);
    assert_eq!(rig.rows(levels), ["0 5", "1 2", "2 2"]);
    rig.check_sums();
    let day: i64 = rig.one(&format!("SELECT id FROM span WHERE level = 1 AND start = {DAY}"));
    let parts = format!(
        "SELECT id FROM span WHERE level <> 1 AND start >= {DAY} AND start + seconds <= {}",
        DAY + 24 * HOUR
    );
    for (cube, columns) in [
        ("total", "class, kind, family, sensor"),
        ("port_region", "class, kind, port, region, family, sensor"),
        ("port_tool", "class, kind, port, tool, family, sensor"),
        ("region_asn", "class, kind, region, asn, family, sensor"),
        ("region_tool", "class, kind, region, tool, family, sensor"),
    ] {
        let sum = format!(
            "SELECT {columns}, sum(packets), hex(hll_merge(sources)) FROM {cube} WHERE span IN ({parts})
             GROUP BY {columns} ORDER BY {columns}"
        );
        let rows = rig.rows(&sum);
        assert!(!rows.is_empty());
        assert_eq!(
            rows,
            rig.rows(&format!(
                "SELECT {columns}, packets, hex(sources) FROM {cube} WHERE span = {day} ORDER BY {columns}"
            ))
        );
    }
    assert_eq!(
        rig.rows(&format!(
            "SELECT sum(observed_ns), sum(frames), sum(restarts) FROM span WHERE id IN ({parts})"
        )),
        rig.rows(&format!("SELECT observed_ns, frames, restarts FROM span WHERE id = {day}"))
    );
    assert_eq!(
        rig.rows(&format!("SELECT sensor, sum(packets) FROM span_sensor WHERE span IN ({parts}) GROUP BY 1")),
        rig.rows(&format!("SELECT sensor, packets FROM span_sensor WHERE span = {day}"))
    );
}

#[test]
fn unique_sources_are_not_added_up() {
    let mut rig = Rig::new();
    for hour in 0..4 {
        let tallies: Vec<_> = (0..50).map(|n| slot(Kind::Syn, 23, 0x0101_0000 + n, 1)).collect();
        rig.keep(hour * HOUR, hour * HOUR + 10, &tallies);
    }
    rig.fold();
    rig.close();
    let hours =
        "SELECT round(hll_count(sources)) FROM total c JOIN span s ON s.id = c.span ORDER BY level, start";
    assert_eq!(rig.rows(hours), ["50", "50", "50", "50", "50"]);
}

#[test]
fn a_day_closes_when_its_grace_is_over() {
    let mut rig = Rig::new();
    rig.keep(HOUR, HOUR + 10, &[slot(Kind::Syn, 23, 1, 1)]);
    rig.keep(50 * HOUR, 50 * HOUR + 10, &[slot(Kind::Syn, 23, 1, 1)]);
    rig.fold();
    let (retention, end) = (Retention::default(), DAY + 24 * HOUR);
    let maintain = |rig: &mut Rig, now| rig.maintain(now, &retention).0;
    assert_eq!(maintain(&mut rig, end + GRACE - 1), [0i64; 0]);
    assert_eq!(maintain(&mut rig, end + GRACE), [DAY]);
    assert_eq!(maintain(&mut rig, end + GRACE), [0i64; 0]);
    // The day between has no data, and no span.
    assert_eq!(maintain(&mut rig, end + 90 * HOUR), [DAY + 48 * HOUR]);
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM span WHERE level = 1"), 2);
}

#[test]
fn a_day_waits_for_what_is_not_folded() {
    let mut rig = Rig::new();
    rig.keep(HOUR, HOUR + 10, &[slot(Kind::Syn, 23, 1, 1)]);
    rig.fold();
    // Behind midnight, but within the reach of bursts of the day before.
    rig.keep(24 * HOUR + 60, 24 * HOUR + 70, &[slot(Kind::Syn, 23, 1, 1)]);
    assert_eq!(rig.close(), [0i64; 0]);
    rig.fold();
    assert_eq!(rig.close(), [DAY, DAY + 24 * HOUR]);
    // What cannot be folded does not keep days open.
    rig.keep(49 * HOUR, 49 * HOUR + 10, &[slot(Kind::Syn, 23, 1, 1)]);
    rig.keep(49 * HOUR + 10, 49 * HOUR + 20, &[slot(Kind::Syn, 23, 1, 1)]);
    rig.connection().execute("UPDATE epoch SET tallies = x'0102' WHERE epoch = 3", []).unwrap();
    assert_eq!(rig.fold().damaged.len(), 1);
    assert_eq!(rig.close(), [DAY + 48 * HOUR]);
}

#[test]
fn bounds_keep_sums_and_cut_port_region_last() {
    let mut random = Random(3);
    let limits =
        Limits { rows: 3_500, port_tool: 100, region_asn: 60, region_tool: 60, prefix: 100, backscatter: 50 };
    let mut rig = Rig::new();
    for round in 0..6 {
        rig.keep_with(round, round + 1, &random_slots(&mut random, 400, 3), &random_lost(&mut random, 10));
    }
    let folded = rig.fold_within(&limits);
    assert!(folded.cut > 0);
    rig.check_sums();
    let cut = rig.one::<i64>("SELECT cut FROM span");
    assert_eq!(cut, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, "all but port_region");
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM port_region WHERE region = 'other'"), 0);
    for (table, bound) in [("port_tool", 100), ("open_prefix", 100), ("open_backscatter", 50)] {
        let not_other = if table == "port_tool" { "port <> -1" } else { "true" };
        let rows = rig.one::<i64>(&format!("SELECT count(*) FROM {table} WHERE {not_other}"));
        assert!((bound / 2..=bound).contains(&rows), "{table}: {rows}");
    }
    // What is left has at least as many packets as what went; one row at most by class, kind, family, sensor.
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM port_tool WHERE port = -1 AND tool <> -1"), 0);
    let sources = "SELECT round(hll_count(hll_merge(sources))) FROM";
    assert_eq!(
        rig.rows(&format!("{sources} port_tool WHERE family = 4")),
        rig.rows(&format!("{sources} port_region WHERE family = 4")),
        "sources stay when rows go"
    );
    // And then it, too.
    // (The others have 90, 54 and 54 rows then.)
    let limits = Limits { rows: 200 + 198, ..limits };
    rig.keep(10, 11, &random_slots(&mut random, 400, 3));
    rig.fold_within(&limits);
    rig.check_sums();
    assert_eq!(rig.one::<i64>("SELECT cut >> 1 & 1 FROM span"), 1);
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM port_region WHERE region <> 'other'"), 180);
    // Days are bounded as well.
    rig.store.close_days(i64::MAX, &limits, &rig.geo).unwrap();
    rig.check_sums();
    assert_eq!(rig.one::<i64>("SELECT cut FROM span WHERE level = 1"), 0b111_1110);
}

#[test]
fn of_equal_rows_the_last_are_cut() {
    let limits = Limits { port_tool: 10, region_asn: 10, region_tool: 10, rows: 9 + 1 + 1 + 10, ..WIDE };
    let mut rig = Rig::new();
    let tallies: Vec<_> =
        (0..15).map(|port| slot(Kind::Syn, port, 1, if port == 14 { 5 } else { 1 })).collect();
    rig.keep(0, 10, &tallies);
    assert_eq!(rig.fold_within(&limits).cut, 12);
    assert_eq!(
        rig.rows("SELECT port, packets FROM port_tool"),
        ["-1 6", "0 1", "1 1", "2 1", "3 1", "4 1", "5 1", "6 1", "7 1", "14 5"].map(str::to_owned)
    );
}

#[test]
fn an_error_in_the_middle_leaves_everything_as_it_was() {
    for table in ["total", "region_tool", "open_prefix", "open_backscatter", "span_sensor"] {
        let mut rig = Rig::new();
        let mut random = Random(4);
        rig.keep(0, 10, &random_slots(&mut random, 100, 3));
        rig.fold();
        rig.keep(20, 30, &random_slots(&mut random, 100, 3));
        rig.keep(HOUR, HOUR + 10, &random_slots(&mut random, 100, 3));
        let before = rig.dump();
        rig.connection()
            .execute_batch(&format!(
                "CREATE TEMP TRIGGER broken BEFORE INSERT ON {table}
                 WHEN (SELECT count(*) FROM span) > 1 BEGIN SELECT RAISE(ABORT, 'pulled the plug'); END"
            ))
            .unwrap();
        // The one that fails is alone in its hour; of it nothing is there.
        let folded = rig.fold();
        assert_eq!((folded.epochs, folded.damaged.len(), folded.more), (1, 1, true), "{table}");
        assert!(folded.damaged[0].reason.contains("pulled the plug"), "{table}: {folded:?}");
        assert_ne!(rig.dump(), before, "{table}");
        let before = rig.dump();
        rig.check_sums();
        assert_eq!(rig.one::<i64>("SELECT count(*) FROM span"), 1, "{table}");
        rig.store.damaged.clear();
        assert_eq!(rig.fold().damaged.len(), 1, "{table}");
        assert_eq!(rig.dump(), before, "{table}");
        assert_eq!(rig.store.pending().unwrap().epochs, 1, "{table}");
        rig.connection().execute_batch("DROP TRIGGER broken").unwrap();
        assert_eq!(rig.fold(), Folded::default(), "not tried again");
        rig.store.damaged.clear();
        assert_eq!(rig.fold().epochs, 1);
        rig.check_sums();
        // The same for a day.
        let before = rig.dump();
        rig.connection()
            .execute_batch(
                "CREATE TEMP TRIGGER broken BEFORE INSERT ON region_tool BEGIN SELECT RAISE(ABORT, 'again'); END",
            )
            .unwrap();
        rig.store.close_days(i64::MAX, &WIDE, &rig.geo).unwrap_err();
        assert_eq!(rig.dump(), before);
    }
}

#[test]
fn late_epochs_are_added_to_a_closed_day() {
    let mut rig = Rig::new();
    let survey: Vec<_> = (0..10).map(|port| slot(Kind::Syn, port, 0x0101_0101, 1)).collect();
    rig.keep(HOUR, HOUR + 10, &survey);
    rig.keep(HOUR + 10, HOUR + 20, &[slot(Kind::SynAck, 80, 0x0202_0202, 3)]);
    rig.keep(HOUR + 70, HOUR + 80, &[slot(Kind::SynAck, 80, 0x0202_0202, 2)]);
    rig.fold();
    rig.close();
    rig.keep(
        HOUR + 100,
        HOUR + 110,
        &[
            slot(Kind::Syn, 3, 0x0101_0105, 4),
            slot(Kind::Syn, 3, 0x0909_0909, 4),
            slot(Kind::SynAck, 80, 0x0202_0202, 9),
            slot(Kind::SynAck, 80, 0x0202_0203, 9),
        ],
    );
    rig.fold();
    rig.check_sums();
    assert_eq!(
        rig.rows("SELECT prefix, packets, round(hll_count(sources)) FROM port_prefix WHERE port = 3"),
        ["65793 5 2"]
    );
    assert_eq!(
        rig.rows("SELECT prefix, ports, packets, round(hll_count(sources)) FROM survey"),
        ["65793 10 14 2"]
    );
    assert_eq!(rig.rows("SELECT source, packets, minutes FROM victim"), [format!("{} 14 2", 0x0202_0202)]);
    assert_eq!(
        rig.one::<i64>("SELECT count(*) FROM open_prefix")
            + rig.one::<i64>("SELECT count(*) FROM open_backscatter"),
        0
    );
    assert_eq!(rig.rows("SELECT DISTINCT packets FROM span"), ["41"]);
}

#[test]
fn surveys_are_of_ten_ports_in_a_calendar_day() {
    let mut rig = Rig::new();
    let hit = |prefix: u64, kind, ports: std::ops::Range<u16>| {
        ports.map(|port| slot(kind, port, prefix << 8 | u64::from(port % 7), 2)).collect::<Vec<_>>()
    };
    rig.keep(0, 10, &hit(1, Kind::Syn, 0..5));
    rig.keep(20 * HOUR, 20 * HOUR + 10, &hit(1, Kind::Udp, 0..5));
    // Nine ports; SYN and other TCP are one service, ICMP is none.
    rig.keep(
        20,
        30,
        &[hit(2, Kind::Syn, 0..9), hit(2, Kind::Tcp, 0..9), hit(2, Kind::Echo, 0..900)].concat(),
    );
    // Five on each side of midnight.
    rig.keep(23 * HOUR, 23 * HOUR + 10, &hit(3, Kind::Syn, 0..5));
    rig.keep(25 * HOUR, 25 * HOUR + 10, &hit(3, Kind::Syn, 5..10));
    // The same number of a prefix in the other family.
    let other = (0..12).map(|port| slot_of(Kind::Syn, Family::V6, port, 2 << 16, Tool::None, 0, 1));
    rig.keep(30, 40, &other.collect::<Vec<_>>());
    rig.fold();
    rig.close();
    assert_eq!(
        rig.rows("SELECT prefix, family, ports, packets, round(hll_count(sources)) FROM survey"),
        ["1 4 10 20 5", "2 6 12 12 1"]
    );
}

#[test]
fn what_surveys_sent_is_known_by_service_and_region() {
    let mut rig = Rig::new();
    let hit = |prefix: u64, sensor, kind, ports: std::ops::Range<u16>, packets| {
        let slot = move |port| slot_of(kind, Family::V4, port, prefix << 8, Tool::None, sensor, packets);
        ports.map(slot).collect::<Vec<_>>()
    };
    // 1.1.1.0/24, whose region no database tells, and 10.1.1.0/24, which is not routable.
    let (unknown, private) = (0x01_0101, 0x0a_0101);
    rig.keep(0, 10, &hit(unknown, 0, Kind::Syn, 0..10, 1));
    rig.keep(10, 20, &hit(unknown, 2, Kind::Syn, 3..4, 2));
    rig.keep(
        20,
        30,
        &[hit(unknown, 0, Kind::Tcp, 3..4, 4), hit(unknown, 0, Kind::Echo, 0x801..0x802, 8)].concat(),
    );
    rig.keep(30, 40, &hit(private, 0, Kind::Udp, 0..12, 1));
    let v6 =
        (0..10).map(|port| slot_of(Kind::Syn, Family::V6, port, 0x2a00_0000_0001_0000, Tool::None, 0, 16));
    rig.keep(40, 50, &v6.collect::<Vec<_>>());
    // At a host in use, and of one that hits too little.
    rig.keep(
        50,
        60,
        &[hit(unknown, 1, Kind::Syn, 3..4, 1000), hit(0x01_0102, 0, Kind::Syn, 3..4, 1000)].concat(),
    );
    // What happens the next day is of the next day.
    rig.keep(25 * HOUR, 25 * HOUR + 10, &hit(0x01_0103, 0, Kind::Syn, 0..10, 1));
    rig.fold();
    let path = rig.store.path().to_owned();
    let ask = |from: i64, to: i64| {
        Reader::open(&path).unwrap().survey_packets(DAY + from * HOUR, DAY + to * HOUR).unwrap()
    };
    assert_eq!(ask(0, 48), SurveyPackets::default(), "no day is closed");
    rig.close();
    let known = |found: &SurveyPackets, service: &str| {
        found.services.get(&service.parse::<Service>().unwrap()).copied()
    };
    let found = ask(0, 24);
    assert_eq!((found.days, found.starts.as_slice()), (1, &[DAY][..]));
    let services = ["0/tcp", "3/tcp", "8/icmp", "11/udp", "3/icmp"].map(|service| known(&found, service));
    assert_eq!(services, [Some(17), Some(16 + 1 + 2 + 4), Some(8), Some(1), None]);
    let regions = |found: &SurveyPackets| {
        [Region::UNKNOWN, Region::NON_ROUTABLE].map(|region| found.regions.get(&region).copied())
    };
    let all = 10 + 2 + 4 + 8 + 160;
    assert_eq!((regions(&found), found.regions.len()), ([Some(all), Some(12)], 2));
    assert_eq!(found.services.values().sum::<u64>(), all + 12);
    assert_eq!(rig.one::<i64>("SELECT sum(packets) FROM survey"), (all + 12 + 10) as i64);
    assert_eq!((ask(0, 48).days, known(&ask(0, 48), "3/tcp")), (2, Some(24)));
    assert_eq!(ask(1, 48).days, 1, "days that lie in the period");

    // What comes late.
    let late = [
        hit(unknown, 0, Kind::Syn, 3..4, 100),
        hit(unknown, 0, Kind::Udp, 700..701, 100),
        hit(unknown, 1, Kind::Syn, 3..4, 100),
        hit(0x01_0102, 0, Kind::Syn, 3..4, 100),
    ];
    rig.keep(60, 70, &late.concat());
    rig.fold();
    let found = ask(0, 24);
    assert_eq!(["3/tcp", "700/udp"].map(|service| known(&found, service)), [Some(123), Some(100)]);
    assert_eq!(regions(&found), [Some(all + 200), Some(12)]);
    let sum: i64 = rig.one("SELECT sum(packets) FROM survey");
    assert_eq!(rig.one::<i64>("SELECT sum(packets) FROM survey_port"), sum);
    assert_eq!(rig.one::<i64>("SELECT sum(packets) FROM survey_region"), sum);

    // Nothing is known, and nothing added, where lists are older.
    let rows: i64 = rig.one("SELECT count(*) FROM survey_port");
    rig.connection().execute_batch("UPDATE span SET lists = 1").unwrap();
    rig.keep(70, 80, &hit(unknown, 0, Kind::Syn, 800..810, 1));
    rig.fold();
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM survey_port"), rows);
    assert_eq!(ask(0, 48).days, 0);
}

#[test]
fn prefixes_that_make_a_change_are_known() {
    let mut rig = Rig::new();
    let (v4, v6) = (Family::V4, Family::V6);
    let of = |family, port, source, sensor, packets| {
        slot_of(Kind::Syn, family, port, source, Tool::None, sensor, packets)
    };
    // Thirty prefixes each day, the later ones with more; on the last day one of them with much more, on many ports.
    for day in 0..3 {
        let usual = (1..=30u64).map(|n| of(v4, 23, 0x0101_0000 | n << 8, 0, n as u32));
        let mut tallies: Vec<_> = usual.collect();
        tallies.push(of(v6, 23, 0x2a00_0000_0001_0000, 0, 40));
        tallies.push(of(v4, 23, 0x0a00_0100, 0, 7));
        if day == 2 {
            tallies.extend((0..50).map(|port| of(v4, 1000 + port, 0x0101_0500, u8::from(port % 2 == 0), 10)));
        }
        rig.keep(day * 24 * HOUR, day * 24 * HOUR + 10, &tallies);
    }
    rig.fold();
    rig.close();
    assert_eq!(
        rig.one::<i64>("SELECT max(n) FROM (SELECT count(*) AS n FROM region_prefix GROUP BY span, region)"),
        20
    );
    let reader = Reader::open(rig.store.path()).unwrap();
    let (before, since) = ((DAY, DAY + 48 * HOUR), (DAY + 48 * HOUR, DAY + 72 * HOUR));
    let ask = |service: Option<&str>, region| {
        let of = PrefixesOf { service: service.map(|service| service.parse().unwrap()), region };
        let found = reader.prefix_changes(of, before, since).unwrap();
        assert_eq!((found.days_before, found.days_since), (2, 1));
        let change = |change: PrefixChange| (change.prefix.to_string(), change.before, change.since);
        found.prefixes.into_iter().map(change).collect::<Vec<_>>()
    };
    let told = |prefix: &str, before, since| (prefix.to_owned(), before, since);
    let found = ask(None, Some(Region::UNKNOWN));
    assert_eq!(found[0], told("1.1.5.0/24", 0, 505), "it was not among the first 20 before");
    assert!(found.contains(&told("2a00:0:1::/48", 80, 40)));
    assert!(found.contains(&told("1.1.30.0/24", 60, 30)));
    assert!(!found.iter().any(|(prefix, ..)| prefix == "1.1.4.0/24"));
    assert_eq!(ask(None, Some(Region::NON_ROUTABLE)), [told("10.0.1.0/24", 14, 7)]);
    let all = ask(None, None);
    assert_eq!(all.len(), found.len() + 1);
    let of_port = ask(Some("1000/tcp"), None);
    assert_eq!(of_port, [told("1.1.5.0/24", 0, 10)]);
    assert_eq!(ask(Some("1000/udp"), None), []);
    assert_eq!(ask(Some("23/tcp"), Some(Region::NON_ROUTABLE)), [], "not among the first 20 of the port");
    assert_eq!(ask(Some("23/tcp"), Some(Region::UNKNOWN)).len(), 20);

    // What comes late is added where there is a row.
    rig.keep(60, 70, &[of(v4, 99, 0x0101_1e00, 0, 1000), of(v4, 99, 0x0101_0100, 0, 1000)]);
    rig.fold();
    let found = ask(None, Some(Region::UNKNOWN));
    assert!(found.contains(&told("1.1.30.0/24", 1060, 30)));
    assert!(!found.iter().any(|(prefix, ..)| prefix == "1.1.1.0/24"));

    // Lists of version 1 tell prefixes by service only.
    rig.connection().execute_batch("UPDATE span SET lists = 1").unwrap();
    let days = |of| {
        let found = reader.prefix_changes(of, before, since).unwrap();
        (found.days_before, found.days_since, found.prefixes.len())
    };
    let service = Some("23/tcp".parse().unwrap());
    assert_eq!(days(PrefixesOf { service, region: None }), (2, 1, 20));
    assert_eq!(days(PrefixesOf { service, region: Some(Region::UNKNOWN) }), (0, 0, 0));
    assert_eq!(days(PrefixesOf::default()), (0, 0, 0));
    assert!(reader.prefix_changes(PrefixesOf::default(), (1, 1), since).is_err());
}

#[test]
fn victims_are_told_by_minutes() {
    let mut rig = Rig::new();
    let mut answers = |minute: i64, source: u64, packets| {
        rig.keep(minute * 60 + 5, minute * 60 + 15, &[slot(Kind::SynAck, 80, source, packets)]);
    };
    // Five in two minutes; five in one; two minutes that are eleven apart.
    answers(100, 1, 4);
    answers(101, 1, 1);
    answers(200, 2, 5);
    answers(300, 3, 3);
    answers(310, 3, 3);
    // Across midnight, three before and two behind.
    answers(1439, 4, 3);
    answers(1441, 4, 2);
    answers(500, 5, 30);
    answers(502, 5, 1);
    // Too long to tell minutes.
    rig.keep(700 * 60, 702 * 60, &[slot(Kind::SynAck, 80, 6, 500)]);
    assert_eq!(rig.fold().untestable, 1);
    let end = DAY + 24 * HOUR;
    rig.maintain(end + GRACE, &Retention::default());
    let victims = "SELECT v.source, v.packets, v.minutes, (v.first - s.start) / 60, (v.last - s.start) / 60,
                          v.peak, v.moore FROM victim v JOIN span s ON s.id = v.span ORDER BY s.start, v.source";
    assert_eq!(rig.rows(victims), ["1 5 2 100 101 4 0", "4 3 1 1439 1439 3 0", "5 31 2 500 502 30 1"]);
    assert_eq!(rig.rows("SELECT source, packets FROM open_backscatter"), ["4 3", "4 2"], "for the next day");
    rig.maintain(end + 24 * HOUR + GRACE, &Retention::default());
    assert_eq!(rig.rows(victims)[3..], ["4 2 1 1 1 2 0"]);
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM open_backscatter"), 0);
}

#[test]
fn prefixes_of_the_services_that_matter() {
    let mut rig = Rig::new();
    // 100 services with 50 packets each on three days, and one with less.
    for day in 0..3 {
        let mut tallies: Vec<_> = (0..100).map(|port| slot(Kind::Syn, 1000 + port, 1 << 8, 50)).collect();
        let small = [10, 20, 26][day as usize];
        tallies.push(slot(Kind::Syn, 7, 1 << 8, small));
        tallies.push(slot(Kind::Syn, 8, 1 << 8, 20));
        // On one port, one packet each from 25 prefixes, and more from one of them.
        tallies
            .extend((0..25u64).map(|n| slot(Kind::Syn, 1000, (100 + n) << 8, if n == 17 { 60 } else { 2 })));
        rig.keep(day * 24 * HOUR, day * 24 * HOUR + 10, &tallies);
    }
    rig.fold();
    rig.close();
    let days = |port: u16| {
        rig.rows(&format!(
            "SELECT (s.start - {DAY}) / 86400, p.packets FROM port_prefix p JOIN span s ON s.id = p.span
             WHERE p.port = {port} ORDER BY 1"
        ))
    };
    assert_eq!(days(1001), ["0 50", "1 50", "2 50"]);
    // 20 is 2.0 · 10 and 10 above it; 26 is 1.73 · 15 and 11 above it.
    assert_eq!(days(7), ["1 20", "2 26"]);
    assert_eq!(days(8), [""; 0]);
    let top = rig.rows("SELECT packets FROM port_prefix WHERE port = 1000 AND span = (SELECT min(span) FROM port_prefix) ORDER BY 1 DESC");
    assert_eq!(top.len(), 20);
    assert_eq!(top[..3], ["60", "50", "2"]);
}

#[test]
fn old_hours_go_and_days_stay() {
    let mut rig = Rig::new();
    let mut random = Random(5);
    for hour in [0, 5, 24, 48] {
        rig.keep(hour * HOUR, hour * HOUR + 10, &random_slots(&mut random, 50, 3));
    }
    rig.keep(HOUR, 3 * HOUR, &random_slots(&mut random, 50, 3));
    rig.keep(22 * HOUR, 26 * HOUR, &random_slots(&mut random, 50, 3));
    rig.fold();
    let retention = Retention { hours: 2, days: None, epochs: 1 };
    // Two days and some behind the end of the second.
    let now = DAY + 24 * HOUR + 2 * 24 * HOUR + 30 * 60;
    let (closed, done) = rig.maintain(now, &retention);
    assert_eq!(closed.len(), 3);
    // Two hours and the coarse span within the first day, but not the one that is in no day.
    assert_eq!((done.spans, done.epochs), (3, 5));
    let left = "SELECT (start - 1570114800) / 3600, level FROM span ORDER BY start, level";
    assert_eq!(rig.rows(left), ["0 1", "22 2", "24 0", "24 1", "48 0", "48 1"]);
    rig.check_sums();
    for cube in CUBES {
        let orphans = format!("SELECT count(*) FROM {cube} WHERE span NOT IN (SELECT id FROM span)");
        assert_eq!(rig.one::<i64>(&orphans), 0);
    }
    assert_eq!(rig.rows("SELECT epoch FROM epoch"), ["5"], "the generation's last");
    // What is late for a deleted hour is in the day.
    let day = "SELECT packets FROM span WHERE level = 1 ORDER BY start LIMIT 1";
    let before: i64 = rig.one(day);
    rig.keep(0, 10, &[slot(Kind::Syn, 23, 1, 5)]);
    rig.fold();
    assert_eq!(rig.one::<i64>(day), before + 5);
    assert_eq!(rig.maintain(now, &retention).0, [0i64; 0]);

    let retention = Retention { days: Some(1), ..retention };
    assert_eq!(rig.maintain(now, &retention).0, [0i64; 0]);
    assert_eq!(rig.rows(left), ["48 0", "48 1"]);
    assert_eq!(rig.maintain(now, &retention).0, [0i64; 0]);
}

#[test]
fn a_clock_far_ahead_closes_and_deletes_nothing() {
    let mut rig = Rig::new();
    let packet = [slot(Kind::Syn, 23, 1, 1)];
    for hour in 0..30 {
        rig.keep(hour * HOUR, hour * HOUR + 10, &packet);
    }
    rig.fold();
    let retention = Retention { hours: 2, days: Some(30), epochs: 1 };
    let (newest, far) = (DAY + 30 * HOUR, 500 * 24 * HOUR);
    let nothing = |until| Maintained { doubted: Some(until), ..Maintained::default() };
    let done = |rig: &mut Rig, now| rig.store.maintain(now, &retention, &WIDE, &rig.geo).unwrap();
    assert_eq!(done(&mut rig, DAY + far), nothing(newest));
    assert_eq!(done(&mut rig, newest + 72 * HOUR + 1), nothing(newest));
    assert_eq!(done(&mut rig, i64::MAX), nothing(newest));
    // What is counted by that clock changes nothing, for almost a day; nor does what the clock was
    // set during.
    rig.keep(30 * HOUR, far, &packet);
    for hour in 0..23 {
        rig.keep(far + hour * HOUR, far + hour * HOUR + 10, &packet);
        rig.keep(far + hour * HOUR + 20, far + hour * HOUR + 30, &packet);
    }
    rig.fold();
    assert_eq!(done(&mut rig, DAY + far + 23 * HOUR), nothing(newest));
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM span WHERE level = 0"), 53);
    // The clock is right again; what lies beyond it does not matter.
    let (closed, all) = rig.maintain(DAY + 30 * HOUR + 60, &retention);
    assert_eq!((closed, all.doubted), (vec![DAY], None));
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM span WHERE level = 0"), 53);
    assert_eq!(rig.maintain(newest + 72 * HOUR, &retention).0, [DAY + 24 * HOUR]);
}

#[test]
fn a_store_that_was_left_alone_is_looked_after_again() {
    let mut rig = Rig::new();
    let packet = [slot(Kind::Syn, 23, 1, 1)];
    let retention = Retention { hours: 2, days: None, epochs: 1 };
    assert_eq!(rig.maintain(DAY, &retention), (vec![], Maintained::default()), "an empty one");
    rig.keep(0, 10, &packet);
    rig.fold();
    let month = 31 * 24 * HOUR;
    for hour in 0..25 {
        rig.keep(month + hour * HOUR, month + hour * HOUR + 10, &packet);
        rig.fold();
        let (closed, all) = rig.maintain(DAY + month + hour * HOUR + 60, &retention);
        assert_eq!((closed.is_empty(), all.spans), (hour < 24, u64::from(hour == 24)), "{hour}");
        assert_eq!(all.doubted, (hour < 24).then_some(DAY + HOUR));
    }
    assert_eq!(rig.rows("SELECT level, packets FROM span ORDER BY start LIMIT 2"), ["1 1", "0 1"]);
    // A pause of less than three days, such as over a weekend, changes nothing.
    let now = month + 24 * HOUR + 60 * HOUR;
    assert_eq!(rig.maintain(DAY + now, &retention).0, [DAY + month, DAY + month + 24 * HOUR]);
    rig.keep(now, now + 10, &packet);
    rig.fold();
    assert_eq!(rig.maintain(DAY + now + 24 * HOUR, &retention).1.doubted, None);
}

#[test]
fn what_is_damaged_stays_and_the_rest_goes_on() {
    let mut rig = Rig::new();
    for n in 0..3 {
        rig.keep(n * 10, n * 10 + 10, &[slot(Kind::Syn, 23, 1, 5)]);
    }
    rig.connection().execute("UPDATE epoch SET tallies = x'0102' WHERE id = 2", []).unwrap();
    let folded = rig.fold();
    assert_eq!((folded.epochs, folded.packets, folded.damaged.len()), (2, 10, 1));
    assert_eq!((folded.damaged[0].row, folded.damaged[0].epoch), (2, 1));
    assert!(!folded.damaged[0].reason.is_empty());
    assert_eq!(rig.fold(), Folded::default(), "told once");
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM epoch WHERE tallies IS NOT NULL"), 1);
    rig.check_sums();
}

#[test]
fn a_damaged_sketch_holds_up_nothing_but_its_own_row() {
    let mut rig = Rig::new();
    rig.keep(0, 10, &[slot(Kind::Syn, 23, 1, 1), slot(Kind::Syn, 80, 1, 1)]);
    rig.fold();
    let mut sketch: Vec<u8> = rig.one("SELECT sources FROM port_tool WHERE port = 23");
    // The first half of a pair of bytes.
    sketch.truncate(4);
    sketch.push(0xff);
    rig.connection().execute("UPDATE port_tool SET sources = ? WHERE port = 23", [sketch]).unwrap();
    for n in 1..10 {
        let port = if n == 4 || n == 7 { 23 } else { 80 };
        rig.keep(n * 10, n * 10 + 10, &[slot(Kind::Syn, port, 2, 1)]);
    }
    let folded = rig.fold();
    let damaged: Vec<_> = folded.damaged.iter().map(|damaged| (damaged.row, damaged.epoch)).collect();
    assert_eq!((folded.epochs, folded.packets, damaged), (7, 7, vec![(5, 4), (8, 7)]));
    assert!(folded.damaged[0].reason.contains("sketch"), "{folded:?}");
    rig.check_sums();
    assert_eq!(rig.one::<i64>("SELECT packets FROM span"), 9);
    assert_eq!(rig.fold(), Folded::default(), "told once");
    // What comes later is folded.
    rig.keep(100, 110, &[slot(Kind::Syn, 80, 3, 1)]);
    assert_eq!(rig.fold().epochs, 1);
    assert_eq!(rig.store.pending().unwrap().epochs, 2);
}

#[test]
fn hosts_in_use_have_no_victims_and_are_not_surveyed() {
    let mut rig = Rig::new();
    let of = |kind, port, source, sensor, packets| {
        slot_of(kind, Family::V4, port, source, Tool::None, sensor, packets)
    };
    // By the minute: three at each of two sensors; enough at a host in use; enough at a honeypot.
    let answers = |minute: i64| {
        let sensor = if minute == 100 { 0 } else { 2 };
        [of(Kind::SynAck, 80, 9, sensor, 3), of(Kind::SynAck, 80, 8, 1, 9), of(Kind::SynAck, 80, 7, 2, 3)]
    };
    for minute in [100, 101] {
        rig.keep(minute * 60, minute * 60 + 10, &answers(minute));
    }
    // Ten ports at a dark sensor and a honeypot; as many at a host in use.
    let hits = |prefix: u64, ports: std::ops::Range<u16>, sensor| {
        ports.map(move |port| of(Kind::Syn, port, prefix << 8, sensor, 1))
    };
    let hits = hits(1, 0..5, 0).chain(hits(1, 5..10, 2)).chain(hits(1, 0..3, 1)).chain(hits(2, 0..10, 1));
    rig.keep(0, 10, &hits.collect::<Vec<_>>());
    rig.fold();
    let listed = "SELECT source, sensor, sum(packets) FROM open_backscatter GROUP BY 1, 2";
    assert_eq!(rig.rows(listed), ["7 3 6", "9 1 3", "9 3 3"]);
    rig.close();
    assert_eq!(rig.rows("SELECT source, sensor, packets FROM victim"), ["7 3 6"]);
    let surveys = "SELECT prefix, ports, packets FROM survey";
    assert_eq!(rig.rows(surveys), ["1 10 10"]);
    // Late ones.
    rig.keep(20, 30, &[of(Kind::Syn, 1, 1 << 8, 0, 1), of(Kind::Syn, 1, 1 << 8, 1, 1)]);
    rig.keep(100 * 60 + 20, 100 * 60 + 30, &[answers(101), answers(100)].concat());
    rig.fold();
    assert_eq!(rig.rows(surveys), ["1 10 11"]);
    assert_eq!(rig.rows("SELECT source, sensor, packets FROM victim"), ["7 3 12"]);
}

#[test]
fn counters_that_cannot_be_are_damage() {
    let mut rig = Rig::new();
    let lost = Unattributed { kind: Kind::Tcp, family: None, detail: Detail::Port(22), packets: 1 << 57 };
    rig.keep_with(0, 10, &[], &[lost]);
    let folded = rig.fold();
    assert_eq!((folded.epochs, folded.damaged.len()), (0, 1));
}

#[test]
fn a_capture_is_folded_when_it_is_whole() {
    let mut rig = Rig::new();
    rig.generation(2, &["dark=192.0.2.0/24"], LENGTHS, Origin::Replay);
    rig.keep(0, 10, &[slot(Kind::Syn, 23, 1, 5)]);
    assert_eq!(rig.fold().epochs, 0);
    assert!(rig.store.set_complete(rig.generation, [3; 16]).unwrap());
    assert_eq!(rig.fold().epochs, 1);
}

#[test]
fn portions() {
    let mut rig = Rig::new();
    let geo = Arc::clone(&rig.geo);
    let fold = |rig: &mut Rig, portion| {
        let folded = rig.store.fold(&geo, &WIDE, &portion).unwrap();
        (folded.epochs, folded.tallies, folded.more)
    };
    for n in 0..7 {
        rig.keep(n * 10, n * 10 + 10, &[slot(Kind::Syn, 23, 1, 5), slot(Kind::Syn, 23, 2, 5)]);
    }
    let live = rig.generation;
    rig.generation(2, &["dark=192.0.2.0/24"], LENGTHS, Origin::Replay);
    let replay = rig.generation;
    rig.keep(0, 10, &[slot(Kind::Syn, 23, 1, 5)]);
    // A capture that is being read, and one epoch that is damaged, do not count.
    rig.connection().execute("UPDATE epoch SET tallies = x'0102' WHERE id = 1", []).unwrap();
    assert_eq!(fold(&mut rig, Portion { tallies: 3, ..ALL }), (2, 4, true));
    assert_eq!(fold(&mut rig, Portion { epochs: 3, ..ALL }), (3, 6, true));
    assert_eq!(fold(&mut rig, Portion { generation: Some(replay), ..ALL }), (0, 0, false));
    assert!(rig.store.set_complete(replay, [3; 16]).unwrap());
    assert_eq!(fold(&mut rig, Portion { generation: Some(replay), ..ALL }), (1, 1, false));
    assert_eq!(rig.one::<i64>("SELECT count(*) FROM epoch WHERE tallies IS NOT NULL"), 2);
    assert_eq!(fold(&mut rig, Portion { generation: Some(live), ..ALL }), (1, 2, false));
    rig.check_sums();
}

#[test]
fn sources_of_different_lengths_do_not_mix() {
    let mut rig = Rig::new();
    let sensors = ["dark=192.0.2.0/24"];
    let tallies =
        |low: u64| (0..20).map(|n| slot(Kind::Syn, 23, (n << 16 | low) & !low, 1)).collect::<Vec<_>>();
    rig.generation(2, &sensors, SourceLengths { v4: 24, v6: 64 }, Origin::Live);
    rig.keep(0, 10, &tallies(0));
    rig.fold();
    // Finer ones are cut to those that are there.
    rig.generation(3, &sensors, LENGTHS, Origin::Live);
    let fine: Vec<_> = (0..20u64).map(|n| slot(Kind::Syn, 23, n << 16 | 7, 1)).collect();
    rig.keep(10, 20, &fine);
    rig.keep(HOUR, HOUR + 10, &[slot(Kind::Syn, 23, 7, 1)]);
    rig.fold();
    let spans = "SELECT s.level, s.cut, t.packets, round(hll_count(t.sources)) FROM span s JOIN total t ON t.span = s.id
                 ORDER BY s.level, s.start";
    assert_eq!(rig.rows(spans), ["0 0 40 20", "0 0 1 1"]);
    // Coarser ones cannot be added to finer ones.
    rig.generation(4, &sensors, SourceLengths { v4: 16, v6: 64 }, Origin::Live);
    rig.keep(30, 40, &tallies(0));
    rig.fold();
    assert_eq!(rig.rows(spans), ["0 128 60 20", "0 0 1 1"]);
    rig.close();
    assert_eq!(rig.rows(spans)[2..], ["1 128 61 20"]);
    // Late ones are added as far as they go with the day.
    rig.generation(5, &sensors, LENGTHS, Origin::Live);
    rig.keep(HOUR + 10, HOUR + 20, &[slot(Kind::Syn, 23, 9 << 24, 1)]);
    rig.fold();
    assert_eq!(rig.rows(spans), ["0 128 60 20", "0 0 2 2", "1 128 62 20"]);
    rig.check_sums();
}

#[test]
fn days_of_25_hours_and_zones_off_by_half_an_hour() {
    for (zone, start, hours) in [
        ("Europe/Berlin", "2019-10-26T22:00:00Z", 25),
        ("Europe/Berlin", "2019-03-30T23:00:00Z", 23),
        ("Asia/Kolkata", "2019-10-03T18:30:00Z", 24),
    ] {
        let scratch = Scratch::new();
        let mut store = Store::open(&scratch.place(), Some(zone)).unwrap();
        let sensors = Sensors::everything("here", crate::model::Role::Dark);
        let new = NewGeneration {
            generation: [1; 16],
            host: "host",
            origin: Origin::Live,
            created: DAY,
            lengths: LENGTHS,
            sensors: &sensors,
        };
        let generation = store.add_generation(&new).unwrap().id;
        let start = start.parse::<jiff::Timestamp>().unwrap().as_second();
        for hour in -1..=hours {
            let start_ns = u64::try_from(start + hour * HOUR).unwrap() * 1_000_000_000;
            let drain = Drain {
                epoch: u64::try_from(hour + 1).unwrap(),
                span: Span { start_ns, end_ns: start_ns + 10_000_000_000 },
                tallies: vec![slot(Kind::Syn, 23, 1, 1)],
                outcomes: Outcomes { runs: 1, packets: 1, ..Outcomes::default() },
                ..Drain::default()
            };
            store.commit(&Epoch::new(generation, &drain, Notes::default())).unwrap();
        }
        let geo = Geo::open(Paths::default()).unwrap().tables();
        store.fold(&geo, &WIDE, &ALL).unwrap();
        assert_eq!(store.close_days(i64::MAX, &WIDE, &geo).unwrap()[1], start, "{zone}");
        let (seconds, packets): (i64, i64) = store
            .connection()
            .unwrap()
            .query_row("SELECT seconds, packets FROM span WHERE level = 1 AND start = ?", [start], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((seconds, packets), (hours * HOUR, hours), "{zone}");
    }
}

#[test]
fn regions_have_their_texts() {
    let mut regions: Vec<Region> = (0..Region::INDICES).map(Region::at).filter(|r| r.is_ranked()).collect();
    regions.retain(|region| region.as_str().bytes().all(|byte| byte.is_ascii_uppercase()));
    regions.extend([Region::UNKNOWN, Region::NON_ROUTABLE, Region::UNATTRIBUTED, Region::OTHER]);
    assert_eq!(regions.len(), 26 * 26 + 4);
    let by_text: BTreeMap<_, _> =
        regions.iter().map(|region| (region.as_str().to_owned(), *region)).collect();
    assert_eq!(by_text.len(), regions.len());
    for (text, region) in by_text {
        assert_eq!(Region::named(&text), Some(region));
    }
    for text in ["", "jp", "J", "JPN", "Unknown", "1A"] {
        assert_eq!(Region::named(text), None);
    }
}
