//! Answers from stores that are filled by hand, compared with counting one by one.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use rusqlite::{Connection, params};
use sensor_common::{
    key::Key,
    kind::{Family, Kind, Tool},
    layout::Slot,
};

use super::*;
use crate::{
    cube::{Cube, SourceLengths},
    geo::{Geo, Paths, Tables},
    kernel::Drain,
    model::{Prefix, Region, Role, Sensors as Watched},
    sketch::{Scope, SketchKey},
    store::schema,
};

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;
/// Midnight of 2019-10-04 in Tokyo.
pub(super) const START: i64 = 1_570_114_800;

pub(super) fn zone() -> Zone {
    Zone::named("Asia/Tokyo").unwrap()
}

/// Some packets of one source in one hour.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Hours since [`START`].
    pub hour: i64,
    pub kind: Kind,
    pub port: u16,
    pub region: &'static str,
    pub asn: u32,
    pub tool: Tool,
    pub family: Family,
    /// Row of the sensor.
    pub sensor: i64,
    pub source: u64,
    pub packets: u64,
}

impl Default for Event {
    fn default() -> Self {
        Self {
            hour: 0,
            kind: Kind::Syn,
            port: 23,
            region: "CN",
            asn: 4134,
            tool: Tool::None,
            family: Family::V4,
            sensor: 1,
            source: 0x0101_0101,
            packets: 1,
        }
    }
}

impl Event {
    pub fn class(&self) -> Class {
        Class::of(self.kind, Role::Dark)
    }

    fn number(&self, column: Column) -> SqlValue {
        SqlValue::Integer(match column {
            Column::Region => return SqlValue::Text(self.region.to_owned()),
            Column::Class => self.class() as i64,
            Column::Kind => self.kind as i64,
            Column::Port => self.port.into(),
            Column::Asn => self.asn.into(),
            Column::Tool => self.tool as i64,
            Column::Prefix => match self.family {
                Family::V4 => (self.source >> 8) as i64,
                Family::V6 => (self.source >> 16) as i64,
            },
            Column::Family => family_number(self.family),
            Column::Sensor => self.sensor,
        })
    }
}

fn family_number(family: Family) -> i64 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}

pub(super) fn key() -> SketchKey {
    SketchKey::new([7; 16])
}

/// An empty store with three rows of two sensors: 1 west, 2 east, 3 west as it was defined later.
pub(super) fn store() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for (step, number) in schema::steps(0) {
        schema::migrate(&connection, step, number).unwrap();
    }
    for (id, name, addresses) in [(1, "west", Some(256)), (2, "east", Some(16)), (3, "west", Some(128))] {
        let sql = "INSERT INTO sensor VALUES (?, ?, NULL, 'dark', NULL, '', ?, '', 0, NULL)";
        connection.execute(sql, params![id, name, addresses]).unwrap();
    }
    connection
}

pub(super) fn span(connection: &Connection, level: i64, start: i64, seconds: i64, packets: u64) -> i64 {
    let sql = "INSERT INTO span (level, start, seconds, observed_ns, packets) VALUES (?, ?, ?, ?, ?)";
    connection.execute(sql, params![level, start, seconds, seconds * 1_000_000_000, packets as i64]).unwrap();
    let id = connection.last_insert_rowid();
    for sensor in [1, 2] {
        let sql = "INSERT INTO span_sensor VALUES (?, ?, ?, 0)";
        connection.execute(sql, params![id, sensor, seconds * 1_000_000_000]).unwrap();
    }
    id
}

/// Adds a span that holds these events, in all cubes.
pub(super) fn fill(connection: &Connection, level: i64, start: i64, seconds: i64, events: &[Event]) -> i64 {
    let id = span(connection, level, start, seconds, events.iter().map(|event| event.packets).sum());
    for table in Table::ALL.into_iter().filter(|table| level == 1 || !table.is_of_days()) {
        let columns = table.key();
        let mut rows: Vec<(Vec<SqlValue>, u64, Sketch)> = Vec::new();
        for event in events {
            let values: Vec<SqlValue> = columns.iter().map(|&column| event.number(column)).collect();
            let row = match rows.iter_mut().find(|(of, ..)| *of == values) {
                Some(row) => row,
                None => {
                    rows.push((values, 0, Sketch::new(Scope::new(&key(), event.family, 32))));
                    rows.last_mut().unwrap()
                }
            };
            row.1 += event.packets;
            row.2.insert(key().hash(event.source));
        }
        for (values, packets, sketch) in rows {
            put(connection, table, id, values, packets, Some(sketch.to_bytes()));
        }
    }
    id
}

fn put(
    connection: &Connection,
    table: Table,
    span: i64,
    values: Vec<SqlValue>,
    packets: u64,
    sketch: Option<Vec<u8>>,
) {
    let holes = vec!["?"; values.len() + 3].join(", ");
    let parameters = [SqlValue::Integer(span)]
        .into_iter()
        .chain(values)
        .chain([SqlValue::Integer(packets as i64), sketch.map_or(SqlValue::Null, SqlValue::Blob)]);
    let key: String = table.key().iter().map(|column| format!("{}, ", column.name())).collect();
    let sql = format!("INSERT INTO {} (span, {key}packets, sources) VALUES ({holes})", table.as_str());
    connection.execute(&sql, params_from_iter(parameters)).unwrap();
}

/// Hours of all events, and days of those that are closed.
pub(super) fn filled(events: &[Event], closed: &[i64]) -> Connection {
    let connection = store();
    let hours: BTreeMap<i64, Vec<Event>> = events.iter().fold(BTreeMap::new(), |mut hours, event| {
        hours.entry(event.hour).or_insert_with(Vec::new).push(event.clone());
        hours
    });
    for (hour, events) in &hours {
        fill(&connection, 0, START + hour * HOUR, HOUR, events);
    }
    for day in closed {
        let of_day: Vec<Event> =
            events.iter().filter(|event| event.hour.div_euclid(24) == *day).cloned().collect();
        fill(&connection, 1, START + day * DAY, DAY, &of_day);
    }
    connection
}

fn query(by: &[Dimension], from_hour: i64, to_hour: i64) -> Query {
    Query { from: START + from_hour * HOUR, to: START + to_hour * HOUR, by: by.to_vec(), ..Query::default() }
}

fn ask(connection: &Connection, query: &Query) -> Answer {
    let answer = answer(connection, &zone(), query).unwrap();
    let rows: u64 = answer.rows.iter().map(|row| row.packets).sum();
    if query.top.is_none() {
        assert_eq!(rows + answer.summary.other, answer.summary.packets);
    }
    answer
}

fn ports(answer: &Answer) -> Vec<(Option<u16>, u64)> {
    answer.rows.iter().map(|row| (row.row.dst_port, row.packets)).collect()
}

fn with(filter: &str, query: Query) -> Query {
    Query { filter: Some(Filter::parse(filter).unwrap()), ..query }
}

#[test]
fn ranks_shares_and_rates() {
    let event = Event::default;
    let events = [
        Event { packets: 60, ..event() },
        Event { port: 445, packets: 30, source: 2, ..event() },
        Event { port: 445, packets: 10, source: 3, sensor: 2, hour: 30, ..event() },
        Event { port: 80, packets: 4, family: Family::V6, source: 0x2001_0db8_0000_0000, ..event() },
        Event { kind: Kind::SynAck, port: 80, packets: 100, ..event() },
    ];
    let connection = filled(&events, &[0]);
    let scan = Query { class: Some(Class::Scan), ..query(&[Dimension::DstPort], 0, 48) };
    let answer = ask(&connection, &scan);
    assert_eq!(ports(&answer), [(Some(23), 60), (Some(445), 40), (Some(80), 4)]);
    assert_eq!(answer.summary.packets, 104);
    assert_eq!(answer.summary.sources, Some(4));
    assert_eq!(answer.summary.cubes, ["port_tool"]);
    assert_eq!(answer.rows[1].sources, Some(2));
    assert!((answer.rows[0].share - 60.0 / 104.0).abs() < 1e-12);
    // 25 hours were observed: a day, and the hour that had packets.
    let days = 25.0 / 24.0 * (256.0 + 16.0);
    assert!((answer.rows[0].rate.unwrap() - 60.0 / days).abs() < 1e-9);
    // IPv6 packets are no part of a rate by IPv4 addresses.
    assert_eq!(answer.rows[2].rate, Some(0.0));
    assert_eq!(ask(&connection, &Query { family: Some(Family::V6), ..scan.clone() }).rows[0].rate, None);

    let sensors = ask(&connection, &Query { by: vec![Dimension::Sensor], ..scan.clone() });
    let said: Vec<_> = sensors.rows.iter().map(|row| (row.sensor.as_deref(), row.packets)).collect();
    assert_eq!(said, [(Some("west"), 94), (Some("east"), 10)]);
    assert!((sensors.rows[1].rate.unwrap() - 10.0 / (25.0 / 24.0 * 16.0)).abs() < 1e-9);
    let east = ask(&connection, &with("sensor = east", scan.clone()));
    assert!((east.rows[0].rate.unwrap() - 10.0 / (25.0 / 24.0 * 16.0)).abs() < 1e-9);

    let by_sources = ask(&connection, &Query { rank: Rank::Sources, top: Some(1), ..scan.clone() });
    assert_eq!(ports(&by_sources), [(Some(445), 40)]);
    assert_eq!((by_sources.summary.rows, by_sources.summary.given), (3, 1));
    assert_eq!(by_sources.rows[0].sources, Some(2));
    let top = ask(&connection, &Query { top: Some(2), ..scan.clone() });
    assert_eq!(top.rows, answer.rows[..2]);
    let packets_only = ask(&connection, &Query { packets_only: true, ..scan.clone() });
    assert_eq!(ports(&packets_only), ports(&answer));
    assert!(packets_only.rows.iter().all(|row| row.sources.is_none()));
    assert_eq!((packets_only.summary.packets, packets_only.summary.sources), (104, None));

    let by_time =
        ask(&connection, &Query { by: vec![Dimension::Time, Dimension::DstPort], top: Some(1), ..scan });
    let times: Vec<_> = by_time.rows.iter().map(|row| row.row.time.unwrap() / 1_000_000_000).collect();
    assert_eq!(times, [START, START + DAY]);
    assert!((by_time.rows[1].rate.unwrap() - 10.0 / (1.0 / 24.0 * 272.0)).abs() < 1e-9);
}

#[test]
fn rates_want_addresses_and_observation() {
    let connection = filled(&[Event::default()], &[]);
    connection.execute("UPDATE sensor SET addresses = NULL WHERE id = 2", []).unwrap();
    let by = [Dimension::Sensor];
    let rows = ask(&connection, &query(&by, 0, 24)).rows;
    assert!(rows[0].rate.is_some(), "west alone is known");
    assert_eq!(ask(&connection, &query(&[], 0, 24)).rows[0].rate, None);
    connection.execute("UPDATE span_sensor SET observed_ns = 0", []).unwrap();
    assert_eq!(ask(&connection, &query(&by, 0, 24)).rows[0].rate, None);
}

#[test]
fn sources_of_hours_are_not_added() {
    let event = |hour, source| Event { hour, source, ..Event::default() };
    let events: Vec<Event> =
        (0..30).flat_map(|hour| (0..20).map(move |source| event(hour, source))).collect();
    for closed in [&[][..], &[0]] {
        let answer = ask(&filled(&events, closed), &query(&[Dimension::Region], 0, 48));
        assert_eq!(answer.rows[0].packets, 600);
        assert_eq!(answer.rows[0].sources, Some(20));
    }
}

#[test]
fn sketches_that_do_not_merge_leave_sources_open() {
    let connection = filled(&[Event::default(), Event { hour: 1, ..Event::default() }], &[]);
    let foreign = Sketch::new(Scope::new(&SketchKey::new([8; 16]), Family::V4, 32)).to_bytes();
    connection.execute("UPDATE region_tool SET sources = ? WHERE span = 2", [foreign]).unwrap();
    let answer = ask(&connection, &query(&[Dimension::Region], 0, 24));
    assert_eq!((answer.rows[0].packets, answer.rows[0].sources), (2, None));
    assert!(answer.summary.sources_missing.unwrap().contains("does not merge"));
    assert_eq!(answer.summary.sources, Some(1), "those of the totals are not hurt");
    connection.execute("UPDATE region_tool SET sources = x'ff00' WHERE span = 2", []).unwrap();
    assert_eq!(ask(&connection, &query(&[Dimension::Region], 0, 24)).rows[0].sources, None);
    connection.execute("UPDATE region_tool SET sources = NULL", []).unwrap();
    assert_eq!(ask(&connection, &query(&[Dimension::Region], 0, 24)).rows[0].sources, None);
}

#[test]
fn days_hours_and_long_epochs_are_put_together() {
    let event = |hour, packets| Event { hour, packets, ..Event::default() };
    // Day 0 is closed, day 1 is open.
    let connection = filled(&[event(2, 1), event(23, 2), event(24, 4), event(47, 8)], &[0]);
    let long = |hour, hours, packets| {
        fill(&connection, 2, START + hour * HOUR, hours * HOUR, &[event(hour, packets)]);
    };
    // Within day 0, whose span holds it already; over midnight; within day 1.
    long(4, 3, 16);
    connection.execute("UPDATE span SET packets = packets + 16 WHERE level = 1", []).unwrap();
    connection.execute("UPDATE total SET packets = packets + 16 WHERE span = 5", []).unwrap();
    long(22, 4, 32);
    long(30, 2, 64);
    let asked = |from, to| {
        let answer = ask(&connection, &query(&[], from, to));
        (answer.summary.packets, answer.summary.partial)
    };
    assert_eq!(asked(0, 48), (127, 0));
    // From the day's second hour on: hours instead of the day.
    assert_eq!(asked(2, 48), (127, 0));
    assert_eq!(asked(5, 48), (110, 16));
    assert_eq!(asked(0, 24), (19, 32));
    assert_eq!(asked(24, 31), (4, 96));
    // An edge within an hour.
    let within = Query { to: START + 2 * HOUR + 1800, ..query(&[], 0, 24) };
    assert_eq!(ask(&connection, &within).summary.partial, 1);

    let by_day = Query { by: vec![Dimension::Time], ..query(&[], 0, 48) };
    let answer = ask(&connection, &by_day);
    assert_eq!(answer.rows.iter().map(|row| row.packets).collect::<Vec<_>>(), [19, 76]);
    assert_eq!(answer.summary.partial, 32);
    let by_hour = Query { step: Some(Step::Hour), ..by_day };
    let answer = ask(&connection, &by_hour);
    assert_eq!(answer.rows.iter().map(|row| row.packets).collect::<Vec<_>>(), [1, 2, 4, 8]);
    assert_eq!(answer.summary.partial, 112);

    // Hours that are gone: the day is all there is.
    connection.execute("DELETE FROM span WHERE level = 0 AND start < ?", [START + DAY]).unwrap();
    connection.execute("DELETE FROM total WHERE span NOT IN (SELECT id FROM span)", []).unwrap();
    assert_eq!(asked(0, 48), (127, 0));
    assert_eq!(asked(5, 48), (108, 19));
    assert_eq!(ask(&connection, &by_hour).summary.partial, 115);
}

#[test]
fn what_is_not_folded_yet_is_told() {
    let connection = filled(&[Event::default()], &[]);
    connection
        .execute_batch(
            "INSERT INTO generation VALUES (1, 'a', x'00000000000000000000000000000001', 'live', 0, 32, 64, 3, 0, 0, 0, 1),
             (2, 'a', x'00000000000000000000000000000002', 'replay', 0, 32, 64, 3, 0, 0, 0, 0)",
        )
        .unwrap();
    for (generation, epoch, hour, tallies) in [
        (1, 1, 1, Some(&b"x"[..])),
        (1, 2, 2, Some(b"x")),
        (1, 3, 3, None),
        (1, 4, 99, Some(b"x")),
        (2, 1, 1, Some(b"x")),
    ] {
        let start = (START + hour * HOUR) * 1_000_000_000;
        let sql = "INSERT INTO epoch VALUES (NULL, ?, ?, ?, ?, 0, 0, 7, 5, NULL, NULL, ?)";
        connection.execute(sql, params![generation, epoch, start, start + 10, tallies]).unwrap();
    }
    let summary = ask(&connection, &query(&[], 0, 24)).summary;
    assert_eq!((summary.pending_epochs, summary.pending_packets), (2, 10));
    assert!(summary.sentences().iter().any(|line| line.contains("10 packets of all kinds in 2 epochs")));
}

/// A row of port × region with these packets and no sketch.
pub(super) fn bare(connection: &Connection, table: Table, span: i64, cells: [SqlValue; 6], packets: u64) {
    put(connection, table, span, cells.to_vec(), packets, None);
}

pub(super) fn int(number: i64) -> SqlValue {
    SqlValue::Integer(number)
}

pub(super) fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.to_owned())
}

#[test]
fn what_a_bound_cut_is_other_where_it_may_match() {
    let connection = store();
    let id = fill(&connection, 0, START, HOUR, &[Event { packets: 5, ..Event::default() }]);
    // All cubes but port × region and the total were cut.
    connection.execute("UPDATE span SET cut = 60, packets = 12", []).unwrap();
    connection.execute("UPDATE total SET packets = 12", []).unwrap();
    bare(&connection, Table::PortTool, id, [int(0), int(0), int(-1), int(-1), int(4), int(1)], 7);
    bare(&connection, Table::RegionTool, id, [int(0), int(0), text("other"), int(-1), int(4), int(1)], 7);
    bare(&connection, Table::RegionAsn, id, [int(0), int(0), text("other"), int(-1), int(4), int(1)], 7);
    bare(&connection, Table::PortRegion, id, [int(0), int(0), int(445), text("US"), int(4), int(1)], 7);
    // Port × region is whole, so it answers although it is not the smallest.
    let answer = ask(&connection, &query(&[Dimension::DstPort], 0, 1));
    assert_eq!(ports(&answer), [(Some(445), 7), (Some(23), 5)]);
    assert_eq!((answer.summary.cubes.as_slice(), answer.summary.cut), (&["port_region"][..], false));
    // Of tools there is nothing else.
    let tools = ask(&connection, &query(&[Dimension::Tool], 0, 1));
    assert_eq!((tools.rows.len(), tools.summary.other, tools.summary.cut), (1, 7, true));
    assert!((tools.rows[0].share - 5.0 / 12.0).abs() < 1e-12);
    let both = query(&[Dimension::Tool, Dimension::DstPort], 0, 1);
    for (filter, packets, other) in [
        ("tool = none", 12, 7),
        ("tool = mirai", 7, 7),
        ("dst_port = 23", 12, 7),
        ("dst_port = 23 and kind = udp", 0, 0),
        ("class = backscatter and tool = none", 0, 0),
        ("not kind = syn or dst_port < 23", 7, 7),
    ] {
        let summary = ask(&connection, &with(filter, both.clone())).summary;
        assert_eq!((summary.packets, summary.other), (packets, other), "{filter}");
    }
    // The kind alone is known of all.
    let kinds = ask(&connection, &with("protocol = tcp", query(&[Dimension::Kind], 0, 1)));
    assert_eq!((kinds.rows[0].packets, kinds.summary.other), (12, 0));
    let asn = ask(&connection, &with("asn = 4134", query(&[Dimension::Region], 0, 1)));
    assert_eq!((asn.rows[0].packets, asn.summary.other), (5, 7));
}

#[test]
fn what_lost_its_source_is_told() {
    let connection = store();
    let id = fill(&connection, 0, START, HOUR, &[Event { packets: 5, ..Event::default() }]);
    connection.execute("UPDATE span SET lost = 3, packets = 8", []).unwrap();
    bare(
        &connection,
        Table::PortRegion,
        id,
        [int(3), int(1), int(23), text("unattributed"), int(0), int(0)],
        3,
    );
    bare(
        &connection,
        Table::RegionTool,
        id,
        [int(3), int(1), text("unattributed"), int(-1), int(0), int(0)],
        3,
    );
    bare(&connection, Table::PortTool, id, [int(3), int(1), int(23), int(-1), int(0), int(0)], 3);
    bare(
        &connection,
        Table::RegionAsn,
        id,
        [int(3), int(1), text("unattributed"), int(0), int(0), int(0)],
        3,
    );
    let summary = |filter: &str, by: &[Dimension]| {
        let query = query(by, 0, 1);
        let query = if filter.is_empty() { query } else { with(filter, query) };
        let answer = ask(&connection, &query);
        (answer.summary.packets, answer.summary.other, answer.summary.unattributed, answer.rows.len())
    };
    assert_eq!(summary("", &[Dimension::Region]), (8, 0, 3, 2));
    assert_eq!(summary("region = JP", &[Dimension::Region]), (3, 3, 3, 0));
    assert_eq!(summary("region = unattributed", &[Dimension::Region]), (3, 0, 3, 1));
    assert_eq!(summary("class = scan", &[Dimension::DstPort]), (8, 3, 3, 1));
    assert_eq!(summary("class = backscatter", &[Dimension::DstPort]), (0, 0, 0, 0));
    assert_eq!(summary("family = 4 and dst_port = 23", &[Dimension::Region]), (8, 3, 3, 1));
    assert_eq!(summary("sensor = east", &[Dimension::Tool]), (3, 3, 3, 0));
    assert_eq!(summary("asn = 1", &[Dimension::Asn]), (3, 3, 3, 0));
    assert_eq!(summary("dst_port = 23 and tool = mirai", &[]), (3, 3, 3, 0));
    let rows = ask(&connection, &query(&[Dimension::Sensor, Dimension::Asn, Dimension::Class], 0, 1)).rows;
    let lost = rows.iter().find(|row| row.packets == 3).unwrap();
    assert_eq!((&lost.sensor, lost.row.asn, lost.row.class, lost.sources), (&None, None, None, None));
}

#[test]
fn what_is_not_kept_together_is_said() {
    let connection = filled(&[Event::default()], &[0]);
    let error = |query: Query| answer(&connection, &zone(), &query).unwrap_err().to_string();
    let said = error(with("tool = mirai", query(&[Dimension::DstPort, Dimension::Region], 0, 24)));
    assert!(said.starts_with("dst_port, region and tool are not kept together"), "{said}");
    assert!(said.contains("region with tool; ports and protocols with tool; region with asn"), "{said}");
    assert!(error(query(&[Dimension::Asn, Dimension::DstPort], 0, 24)).starts_with("dst_port and asn are"));
    assert!(error(query(&[Dimension::Source], 0, 24)).contains("`prefix`"));
    assert!(error(query(&[Dimension::Kind, Dimension::Kind], 0, 24)).contains("kind is asked for twice"));
    assert!(error(query(&[], 1, 1)).contains("empty"));
    let said = error(with("sensor = north", query(&[], 0, 24)));
    assert_eq!(said, "there is no sensor `north` in the store; there are east, west");
}

#[test]
fn prefixes_are_of_whole_days() {
    let event = Event { source: 0xc000_0207, packets: 9, ..Event::default() };
    let connection = filled(&[event.clone(), Event { hour: 24, packets: 2, ..event }], &[0]);
    let answer = ask(&connection, &query(&[Dimension::Prefix, Dimension::DstPort], 0, 48));
    assert_eq!(answer.rows.len(), 1);
    assert_eq!(answer.rows[0].row.prefix.unwrap().to_string(), "192.0.2.0/24");
    assert_eq!((answer.summary.packets, answer.summary.partial, answer.summary.largest_only), (9, 2, true));
    // Beyond the largest prefixes there are more sources, which the packets are not of.
    connection
        .execute("UPDATE total SET sources = NULL WHERE span IN (SELECT id FROM span WHERE level = 1)", [])
        .unwrap();
    let again = ask(&connection, &query(&[Dimension::Prefix, Dimension::DstPort], 0, 48));
    assert_eq!((answer.summary.sources, again.summary.sources), (Some(1), Some(1)));
    let one = with("prefix = 192.0.2.0/24 and dst_port = 23", query(&[], 0, 48));
    assert_eq!(ask(&connection, &one).summary.packets, 9);
    let other = with("prefix = 192.0.3.0/24", query(&[], 0, 48));
    assert_eq!(ask(&connection, &other).summary.packets, 0);
}

#[test]
fn quality_of_hours_and_days() {
    let connection = filled(
        &[Event::default(), Event { hour: 1, ..Event::default() }, Event { hour: 25, ..Event::default() }],
        &[0],
    );
    connection
        .execute_batch(
            "UPDATE span SET frames = packets + 1, nic_dropped = 3, restarts = 1 WHERE level = 0;
             INSERT INTO database VALUES (1, 'country', 'GeoLite2-Country', 1570000000), (2, 'asn', 'csv', NULL);
             INSERT INTO span_database VALUES (1, 1), (1, 2), (3, 2)",
        )
        .unwrap();
    let rows = quality::quality(&connection, &zone(), START, START + 2 * DAY, Step::Hour).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.start).collect::<Vec<_>>(),
        [0, 1, 25].map(|hour| START + hour * HOUR)
    );
    assert_eq!((rows[0].frames, rows[0].nic_dropped, rows[0].nic_received), (2, Some(3), None));
    assert_eq!(
        rows[0].databases.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["asn: csv", "country: GeoLite2-Country of 2019-10-02T16:06:40+09:00"]
    );
    let rows = quality::quality(&connection, &zone(), START, START + 2 * DAY, Step::Day).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].packets, rows[0].observed_ns), (2, 86_400_000_000_000));
    assert_eq!((rows[1].start, rows[1].seconds, rows[1].packets), (START + DAY, 86_400, 1));
    let answer = ask(&connection, &query(&[], 0, 48));
    assert_eq!(answer.summary.databases.len(), 1, "the day that is closed was not given any");
}

#[test]
fn scanners_and_victims() {
    let connection = store();
    let id = span(&connection, 1, START, DAY, 0);
    connection
        .execute_batch(&format!(
            "INSERT INTO survey VALUES ({id}, 5, 4, 12, 100, NULL), ({id}, 6, 4, 20, 10, NULL);
             INSERT INTO victim VALUES ({id}, -1, 5, 80, 6, 0, 50, 3, {START}, {START} + 120, 30, 0),
             ({id}, 1, 5, 443, 4, 1, 70, 3, {START}, {START} + 120, 30, 1)"
        ))
        .unwrap();
    let scanners = quality::survey_scanners(&connection, START, START + DAY).unwrap();
    assert_eq!(scanners.iter().map(|scanner| scanner.prefix).collect::<Vec<_>>(), [6, 5]);
    assert!(quality::survey_scanners(&connection, START + 1, START + DAY).unwrap().is_empty());
    let victims = |moore| quality::victims(&connection, START, START + DAY, moore).unwrap();
    assert_eq!(victims(false).iter().map(|victim| victim.source).collect::<Vec<_>>(), [1, u64::MAX]);
    assert_eq!(victims(true).len(), 1);
}

#[test]
fn a_damaged_store_is_no_reason_to_panic() {
    let connection = filled(&[Event::default()], &[]);
    let id = 1;
    bare(&connection, Table::PortRegion, id, [int(9), int(99), int(99_999), text("?"), int(7), int(77)], 3);
    bare(&connection, Table::PortTool, id, [int(-9), int(-99), int(i64::MIN), int(50), int(7), int(77)], 3);
    bare(&connection, Table::RegionTool, id, [int(0), int(0), text(""), int(i64::MAX), int(7), int(77)], 3);
    bare(&connection, Table::RegionAsn, id, [int(0), int(0), text("CN"), int(i64::MAX), int(7), int(77)], 3);
    connection.execute("INSERT INTO span (level, start, seconds, observed_ns, packets, cut) VALUES (7, 9223372036854775807, 9223372036854775807, -1, -1, -1), (1, -9223372036854775808, -5, 0, 0, 0)", []).unwrap();
    for dimension in Dimension::ALL {
        for to in [24, i64::MAX / HOUR / 2] {
            let _ = answer(&connection, &zone(), &query(&[Dimension::Time, dimension], 0, to));
            let _ = answer(&connection, &zone(), &query(&[dimension], -to, to));
        }
    }
    let all = Query {
        from: i64::MIN,
        to: i64::MAX,
        by: vec![Dimension::DstPort, Dimension::Region],
        ..Query::default()
    };
    assert_eq!(ask(&connection, &all).summary.other, 3);
    quality::quality(&connection, &zone(), i64::MIN, i64::MAX, Step::Day).unwrap();
}

/// What counting one by one says of an event: by [`Cube`], which knows nothing of stores.
fn row_of(event: &Event, geo: &Tables) -> Row {
    let key = Key {
        source: event.source,
        port: event.port,
        kind: event.kind,
        family: event.family,
        tool: event.tool,
        sensor: 0,
    };
    let drain = Drain {
        tallies: vec![Slot { source: key.source, meta: key.meta(), packets: 1 }],
        ..Drain::default()
    };
    let mut cube = Cube::new(&Dimension::ALL, SourceLengths { v4: 32, v6: 64 });
    cube.add(&drain, 0, &Watched::everything("a", Role::Dark), geo);
    let region = match event.region {
        "unknown" => Region::UNKNOWN,
        code => Region::from_code(code).unwrap(),
    };
    Row { region: Some(region), asn: Some(event.asn).filter(|&asn| asn > 0), ..cube.sorted()[0].0 }
}

fn fact<'a>(row: &Row, sensor: &'a str, dimension: Dimension) -> Fact<'a> {
    fn told<'a, T>(value: Option<T>, fact: impl FnOnce(T) -> Fact<'a>) -> Fact<'a> {
        value.map_or(Fact::Absent, fact)
    }
    match dimension {
        Dimension::Sensor => Fact::Sensor(sensor),
        Dimension::Class => told(row.class, Fact::Class),
        Dimension::Kind => told(row.kind, Fact::Kind),
        Dimension::Family => told(row.family, Fact::Family),
        Dimension::Protocol => told(row.protocol, Fact::Protocol),
        Dimension::DstPort => told(row.dst_port, |port| Fact::Number(port.into())),
        Dimension::VictimPort => told(row.victim_port, |port| Fact::Number(port.into())),
        Dimension::IcmpType => told(row.icmp_type, |number| Fact::Number(number.into())),
        Dimension::IcmpCode => told(row.icmp_code, |number| Fact::Number(number.into())),
        Dimension::Region => told(row.region, Fact::Region),
        Dimension::Asn => told(row.asn, Fact::Number),
        Dimension::Tool => told(row.tool, Fact::Tool),
        Dimension::Prefix => told(row.prefix, Fact::Prefix),
        Dimension::Time | Dimension::Source => panic!("not asked"),
    }
}

/// A row with nothing but these dimensions.
fn only(row: &Row, by: &[Dimension], time: i64) -> Row {
    let mut only = Row::default();
    for dimension in by {
        match dimension {
            Dimension::Time => only.time = Some(time * 1_000_000_000),
            Dimension::Class => only.class = row.class,
            Dimension::Kind => only.kind = row.kind,
            Dimension::Family => only.family = row.family,
            Dimension::Protocol => only.protocol = row.protocol,
            Dimension::DstPort => only.dst_port = row.dst_port,
            Dimension::VictimPort => only.victim_port = row.victim_port,
            Dimension::IcmpType => only.icmp_type = row.icmp_type,
            Dimension::IcmpCode => only.icmp_code = row.icmp_code,
            Dimension::Region => only.region = row.region,
            Dimension::Asn => only.asn = row.asn,
            Dimension::Tool => only.tool = row.tool,
            Dimension::Prefix => only.prefix = row.prefix,
            Dimension::Sensor | Dimension::Source => {}
        }
    }
    only
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let what = (
        prop::sample::select(Kind::ALL.to_vec()),
        prop::sample::select(vec![0u16, 1, 6, 17, 23, 58, 80, 132, 443, 8 << 8, 3 << 8 | 1]),
        prop::sample::select(Tool::ALL.to_vec()),
        prop::sample::select(vec![Family::V4, Family::V6]),
    );
    let whence = (prop::sample::select(vec!["CN", "US", "JP", "unknown"]), 0..4u32, 1..4i64, 0..6u64);
    let event = (0..72i64, what, whence, 1..100u64).prop_map(|(hour, what, whence, packets)| {
        let (kind, port, tool, family) = what;
        let (region, asn, sensor, source) = whence;
        let source = match family {
            Family::V4 => 0x0101_0000 + source * 130,
            Family::V6 => 0x2a00_0000_0000_0000 + source * 40_000,
        };
        Event { hour, kind, port, region, asn, tool, family, sensor, source, packets }
    });
    prop::collection::vec(event, 1..60)
}

fn asked() -> impl Strategy<Value = (Vec<Dimension>, Option<String>)> {
    use Dimension::{
        Asn, Class, DstPort, Family, IcmpCode, IcmpType, Kind, Protocol, Region, Sensor, Time, Tool,
        VictimPort,
    };
    let everywhere = [Time, Sensor, Class, Kind, Family];
    let ports = [Protocol, DstPort, VictimPort, IcmpType, IcmpCode];
    let sets = vec![
        everywhere.to_vec(),
        [&everywhere[..], &ports, &[Region]].concat(),
        [&everywhere[..], &ports, &[Tool]].concat(),
        [&everywhere[..], &[Region, Asn]].concat(),
        [&everywhere[..], &[Region, Tool]].concat(),
    ];
    prop::sample::select(sets).prop_flat_map(|set| {
        let filterable: Vec<Dimension> = set.iter().copied().filter(|dimension| *dimension != Time).collect();
        let comparison = prop::sample::select(filterable).prop_flat_map(|dimension| {
            prop::sample::select(match dimension {
                Sensor => vec!["sensor = west", "sensor not in (east)"],
                Class => vec!["class = scan", "class != backscatter"],
                Kind => vec!["kind in (syn, icmp_error)", "kind != udp"],
                Family => vec!["family = 4", "not family = 4"],
                Protocol => vec!["protocol = tcp", "protocol in (1, 17)", "protocol != icmpv6"],
                DstPort => vec!["dst_port = 23", "dst_port != 80", "dst_port < 100", "dst_port in (80, 443)"],
                VictimPort => vec!["victim_port = 80", "victim_port >= 80"],
                IcmpType => vec!["icmp_type = 8", "icmp_type <= 3"],
                IcmpCode => vec!["icmp_code = 1", "icmp_code != 0"],
                Region => vec!["region = CN", "region in (US, unknown)", "region not in (JP)"],
                Asn => vec!["asn = 1", "asn > 1", "asn != 2"],
                _ => vec!["tool = mirai", "tool in (none, zmap)"],
            })
        });
        let filter =
            prop::collection::vec((comparison, any::<bool>(), any::<bool>()), 0..4).prop_map(|parts| {
                parts.into_iter().fold(None, |all: Option<String>, (part, and, not)| {
                    let part = if not { format!("not {part}") } else { part.to_owned() };
                    Some(match all {
                        Some(all) => format!("({all}) {} {part}", if and { "and" } else { "or" }),
                        None => part,
                    })
                })
            });
        (prop::sample::subsequence(set, 0..4), filter)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn answers_are_those_of_counting_one_by_one(
        events in events(),
        (by, filter) in asked(),
        closed in prop::sample::subsequence(vec![0i64, 1, 2], 0..=3),
        (from, hours) in (0..72i64, 1..73i64),
        hourly in any::<bool>(),
    ) {
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let to = from + hours;
        let step = if hourly { Step::Hour } else { Step::Day };
        let filter = filter.map(|text| Filter::parse(&text).unwrap());
        let query = Query { filter: filter.clone(), step: Some(step), ..query(&by, from, to) };
        let answer = ask(&filled(&events, &closed), &query);
        prop_assert_eq!((answer.summary.other, answer.summary.partial), (0, 0));

        type Expected = BTreeMap<(Row, Option<&'static str>), (u64, HashSet<(Family, u64)>)>;
        let mut expected = Expected::new();
        for event in events.iter().filter(|event| (from..to).contains(&event.hour)) {
            let row = row_of(event, &geo);
            let sensor = if event.sensor == 2 { "east" } else { "west" };
            if filter.as_ref().is_none_or(|filter| filter.test(&|of| fact(&row, sensor, of)).unwrap()) {
                let time = if hourly { event.hour } else { event.hour.div_euclid(24) * 24 };
                let group = only(&row, &by, START + time * HOUR);
                let sensor = by.contains(&Dimension::Sensor).then_some(sensor);
                let (packets, sources) = expected.entry((group, sensor)).or_default();
                *packets += event.packets;
                sources.insert((event.family, event.source));
            }
        }
        let estimate = |sources: &HashSet<(Family, u64)>| {
            let of = |family| {
                let mut sketch = Sketch::new(Scope::new(&key(), family, 32));
                sources.iter().filter(|(of, _)| *of == family).for_each(|(_, source)| sketch.insert(key().hash(*source)));
                sketch.estimate()
            };
            (of(Family::V4) + of(Family::V6)).round() as u64
        };
        let all: u64 = expected.values().map(|(packets, _)| packets).sum();
        prop_assert_eq!(answer.summary.packets, all);
        prop_assert_eq!(answer.rows.len(), expected.len());
        for row in &answer.rows {
            let (packets, sources) = &expected[&(row.row, row.sensor.as_deref().map(|name| if name == "east" { "east" } else { "west" }))];
            prop_assert_eq!(row.packets, *packets);
            prop_assert_eq!(row.sources, Some(estimate(sources)));
        }
        // Fewer rows are the first of all rows, sources included.
        if !by.contains(&Dimension::Time) {
            let top = ask(&filled(&events, &closed), &Query { top: Some(2), ..query });
            prop_assert_eq!(&top.rows[..], &answer.rows[..answer.rows.len().min(2)]);
        }
    }
}

#[test]
fn prefix_values_survive() {
    let prefix = Prefix { family: Family::V6, source: 0x2001_0db8_0001_0000, length: 48 };
    let event = Event { family: Family::V6, source: 0x2001_0db8_0001_ffff, ..Event::default() };
    let rows = ask(&filled(&[event], &[0]), &query(&[Dimension::Prefix], 0, 24)).rows;
    assert_eq!(rows[0].row.prefix, Some(prefix));
}
