//! Series of days and bins, and what sensors watched, compared with counting one by one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use rusqlite::Connection;
use sensor_common::kind::{Family, Kind};

use super::{
    bins::{Binned, Bins, binned},
    daily::{Daily, DailyCounts, Key, SensorRow, counts, of_few_sources, sums},
    sensors::{exposure, sensors},
    table::Table,
    tests::{DAY, Event, HOUR, START, bare, events, fill, filled, int, key, store, text, zone},
    *,
};
use crate::{
    model::{Region, Role, Service},
    sketch::{Scope, Sketch, SketchKey},
};

fn region(name: &str) -> Region {
    Region::named(name).unwrap()
}

fn service(name: &str) -> Service {
    name.parse().unwrap()
}

fn daily(from_hour: i64, to_hour: i64) -> Daily<'static> {
    Daily { from: START + from_hour * HOUR, to: START + to_hour * HOUR, ..Daily::default() }
}

fn ask<K: Key>(connection: &Connection, daily: &Daily<'_>) -> DailyCounts<K> {
    counts(connection, &zone(), daily).unwrap()
}

/// Packets by key and hour of the day's start.
type Days<K> = BTreeMap<(K, i64), u64>;

fn days<K: Key + Ord>(counts: &DailyCounts<K>) -> Days<K> {
    let mut days = Days::new();
    assert!(counts.iter().is_sorted_by(|a, b| a.0 < b.0), "each key once");
    for (key, series) in counts.iter() {
        assert!(series.clone().is_sorted_by(|a, b| a.0 < b.0), "each day once");
        assert!(counts.days(&key).eq(series.clone()));
        for (day, packets) in series {
            days.insert((key, (counts.starts[day] - START) / HOUR), packets);
        }
    }
    days
}

fn expect<'a, K: Ord>(
    events: impl Iterator<Item = &'a Event>,
    of: impl Fn(&Event, Service) -> Option<K>,
) -> Days<K> {
    let mut days = Days::new();
    for event in events.filter(|event| event.class() == Class::Scan) {
        let service = Service::of(event.kind, event.family, event.port).unwrap();
        if let Some(key) = of(event, service) {
            *days.entry((key, event.hour.div_euclid(24) * 24)).or_default() += event.packets;
        }
    }
    days
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn days_are_those_of_counting_one_by_one(
        events in events(),
        closed in prop::sample::subsequence(vec![0i64, 1, 2], 0..=3),
        (from, hours) in (0..72i64, 1..73i64),
        services in prop::option::of(prop::sample::subsequence(vec!["23/tcp", "80/udp", "8/icmp", "132/icmpv6"], 0..4)),
        regions in prop::option::of(prop::sample::subsequence(vec!["CN", "JP", "unknown"], 0..3)),
        sensors in prop::option::of(prop::sample::subsequence(vec![1i64, 2, 3], 0..3)),
    ) {
        let connection = filled(&events, &closed);
        let services: Option<Vec<Service>> = services.map(|names| names.into_iter().map(service).collect());
        let regions: Option<Vec<Region>> = regions.map(|names| names.into_iter().map(region).collect());
        let asked = Daily {
            services: services.as_deref(),
            regions: regions.as_deref(),
            sensors: sensors.as_deref(),
            ..daily(from, from + hours)
        };
        let matching: Vec<Event> = events
            .into_iter()
            .filter(|event| {
                (from..from + hours).contains(&event.hour)
                    && regions.as_ref().is_none_or(|regions| regions.contains(&region(event.region)))
                    && sensors.as_ref().is_none_or(|sensors| sensors.contains(&event.sensor))
                    && services.as_ref().is_none_or(|services| {
                        Service::of(event.kind, event.family, event.port).is_some_and(|of| services.contains(&of))
                    })
            })
            .collect();
        let events = || matching.iter();
        let found = ask::<Service>(&connection, &asked);
        prop_assert_eq!(days(&found), expect(events(), |_, service| Some(service)));
        prop_assert!(found.other.iter().all(|&packets| packets == 0));
        let (first, last) = (from.div_euclid(24), (from + hours - 1).div_euclid(24));
        let starts: Vec<i64> = (first..=last).map(|day| START + day * DAY).collect();
        prop_assert_eq!(&found.starts, &starts);
        prop_assert_eq!(
            days(&ask::<Region>(&connection, &asked)),
            expect(events(), |event, _| Some(region(event.region)))
        );
        prop_assert_eq!(
            days(&ask::<(Region, Service)>(&connection, &asked)),
            expect(events(), |event, service| Some((region(event.region), service)))
        );
        let of_sensors = days(&ask::<(Service, SensorRow)>(&connection, &asked));
        prop_assert_eq!(
            &of_sensors,
            &expect(events(), |event, service| Some((service, SensorRow(event.sensor))))
        );
        let mut summed = BTreeMap::new();
        for ((key, _), packets) in of_sensors {
            *summed.entry(key).or_insert(0) += packets;
        }
        let found: HashMap<(Service, SensorRow), u64, _> = sums(&connection, &zone(), &asked).unwrap();
        prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), summed);
    }

    #[test]
    fn services_of_few_sources(counts in prop::collection::vec(0..6u64, 4)) {
        let names = ["23/tcp", "80/udp", "8/icmp", "443/tcp"];
        let whats = [(Kind::Syn, 23), (Kind::Udp, 80), (Kind::Echo, 8 << 8), (Kind::Syn, 443)];
        // Each source on a day of its own, the first two of them closed.
        let events: Vec<Event> = whats
            .into_iter()
            .zip(&counts)
            .flat_map(|((kind, port), &count)| {
                (0..count).map(move |source| Event {
                    hour: source as i64 % 3 * 24,
                    kind,
                    port,
                    source: 0x0101_0000 + source * 130,
                    ..Event::default()
                })
            })
            .collect();
        let connection = filled(&events, &[0, 1]);
        let services = names.map(service);
        let asked = Daily { services: Some(&services), ..daily(0, 72) };
        for least in 0..7 {
            let few = of_few_sources(&connection, &zone(), &asked, least).unwrap();
            let expected: Vec<Service> =
                services.iter().zip(&counts).filter(|(_, count)| **count < least).map(|(service, _)| *service).collect();
            prop_assert_eq!(few, expected);
            let elsewhere = Daily { sensors: Some(&[2]), ..asked };
            let few = of_few_sources(&connection, &zone(), &elsewhere, least).unwrap();
            prop_assert_eq!(few.len(), if least == 0 { 0 } else { services.len() });
        }
    }

    #[test]
    fn bins_are_those_of_counting_one_by_one(
        events in events(),
        closed in prop::sample::subsequence(vec![0i64, 1, 2], 0..=3),
        lengths in prop::sample::subsequence(vec![1u32, 2, 3, 4, 6, 8, 12, 24], 1..8).prop_shuffle(),
        sensors in prop::option::of(prop::sample::subsequence(vec![1i64, 2], 1..3)),
    ) {
        let connection = filled(&events, &closed);
        let asked = Bins { sensors: sensors.as_deref(), ..bins(0, 72, &lengths) };
        let found = binned(&connection, &zone(), &asked).unwrap();
        prop_assert_eq!(found.iter().map(|binned| binned.hours).collect::<Vec<_>>(), lengths);
        for Binned { hours, starts, observed, regions } in &found {
            let expected: Vec<i64> = (0..72 / i64::from(*hours)).map(|bin| START + bin * i64::from(*hours) * HOUR).collect();
            prop_assert_eq!(starts, &expected);
            // An hour of which anything is kept was observed in full.
            let seen: BTreeSet<i64> = events.iter().map(|event| event.hour).collect();
            for (bin, &observed) in observed.iter().enumerate() {
                let of_bin = bin as i64 * i64::from(*hours)..(bin as i64 + 1) * i64::from(*hours);
                let by_day = *hours == 24 && closed.contains(&(bin as i64));
                let part = if by_day { 1.0 } else { seen.range(of_bin).count() as f64 / f64::from(*hours) };
                prop_assert!((observed - part).abs() < 1e-9, "{observed} of bin {bin}, not {part}");
            }
            let mut sums: BTreeMap<(Region, usize), (u64, Sources)> = BTreeMap::new();
            for event in events.iter().filter(|event| event.class() == Class::Scan) {
                if sensors.as_ref().is_none_or(|sensors| sensors.contains(&event.sensor)) {
                    let bin = (event.hour / i64::from(*hours)) as usize;
                    let (packets, sources) = sums.entry((region(event.region), bin)).or_default();
                    *packets += event.packets;
                    sources.insert((event.family, event.source));
                }
            }
            let found: BTreeSet<Region> = regions.keys().copied().collect();
            prop_assert_eq!(found, sums.keys().map(|&(region, _)| region).collect());
            for (region, series) in regions {
                prop_assert_eq!((series.packets.len(), series.sources.len()), (starts.len(), starts.len()));
                for (bin, observed) in observed.iter().enumerate() {
                    let (packets, sources) = sums.get(&(*region, bin)).cloned().unwrap_or_default();
                    let known = *observed > 0.0;
                    prop_assert_eq!(series.packets[bin], known.then_some(packets));
                    prop_assert_eq!(series.sources[bin], known.then(|| estimate(&sources)));
                }
            }
        }
    }
}

fn bins(from_hour: i64, to_hour: i64, hours: &[u32]) -> Bins<'_> {
    let (from, to) = (START + from_hour * HOUR, START + to_hour * HOUR);
    Bins { from, to, hours, regions: None, sensors: None, least_observed: 0.0 }
}

type Sources = HashSet<(Family, u64)>;

fn estimate(sources: &Sources) -> f64 {
    let of = |family| {
        let mut sketch = Sketch::new(Scope::new(&key(), family, 32));
        let of_family = sources.iter().filter(|(of, _)| *of == family);
        of_family.for_each(|(_, source)| sketch.insert(key().hash(*source)));
        sketch.estimate()
    };
    of(Family::V4) + of(Family::V6)
}

#[test]
fn what_was_cut_or_lost_is_other_where_it_may_belong() {
    let connection = store();
    let id = fill(&connection, 1, START, DAY, &[Event { packets: 5, ..Event::default() }]);
    bare(&connection, Table::PortTool, id, [int(0), int(0), int(-1), int(-1), int(4), int(1)], 7);
    bare(&connection, Table::RegionTool, id, [int(0), int(0), text("other"), int(-1), int(4), int(1)], 7);
    let lost = |class, port, sensor| [int(class), int(1), int(port), int(-1), int(0), int(sensor)];
    bare(&connection, Table::PortTool, id, lost(3, 23, 0), 100);
    bare(&connection, Table::PortTool, id, lost(0, 23, 0), 1000);
    let lost = |class| [int(class), int(1), text("unattributed"), int(-1), int(0), int(0)];
    bare(&connection, Table::RegionTool, id, lost(3), 100);
    bare(&connection, Table::RegionTool, id, lost(0), 1000);
    bare(&connection, Table::PortTool, id, [int(1), int(4), int(23), int(0), int(4), int(1)], 1 << 20);

    let all = daily(0, 24);
    let found = ask::<Service>(&connection, &all);
    assert_eq!(days(&found), Days::from([((service("23/tcp"), 0), 1005)]));
    assert_eq!(found.other, [107]);
    let found = ask::<Region>(&connection, &all);
    let expected =
        [("CN", 5), ("other", 7), ("unattributed", 1000)].map(|(of, packets)| ((region(of), 0), packets));
    assert_eq!(days(&found), Days::from(expected));
    assert_eq!(found.other, [100]);
    let other = |daily: Daily<'_>| {
        let found = ask::<Service>(&connection, &daily);
        (found.iter().flat_map(|(_, days)| days).map(|(_, packets)| packets).sum::<u64>(), found.other[0])
    };
    let some = [service("23/tcp")];
    assert_eq!(other(Daily { services: Some(&some), ..all }), (1005, 107));
    assert_eq!(other(Daily { services: Some(&[service("22/tcp")]), ..all }), (0, 7));
    assert_eq!(other(Daily { services: Some(&[service("53/udp")]), ..all }), (0, 0));
    assert_eq!(other(Daily { sensors: Some(&[1]), ..all }), (5, 1107));
    assert_eq!(other(Daily { sensors: Some(&[2]), ..all }), (0, 1100));
    let jp = [region("JP")];
    let found = ask::<Region>(&connection, &Daily { regions: Some(&jp), ..all });
    assert_eq!((found.iter().count(), found.other), (0, vec![1107]));
    let by_sensor = ask::<(Region, SensorRow)>(&connection, &all);
    assert_eq!(by_sensor.iter().count(), 2);
    assert_eq!(by_sensor.other, [1100]);

    // A smaller cube that was cut is passed over for one that was not.
    connection.execute("UPDATE span SET cut = 4", []).unwrap();
    assert_eq!(ask::<Service>(&connection, &all).other, [0], "of port and region");
    connection.execute("UPDATE span SET cut = 6", []).unwrap();
    assert_eq!(ask::<Service>(&connection, &all).other, [0], "both are cut");
}

#[test]
fn periods_that_are_none_are_refused() {
    let connection = filled(&[Event::default()], &[]);
    let refused = |daily: &Daily<'_>| counts::<Service>(&connection, &zone(), daily).unwrap_err().to_string();
    assert!(refused(&daily(1, 1)).contains("empty"));
    assert!(refused(&Daily { from: i64::MIN, to: i64::MAX, ..Daily::default() }).contains("65,535 days"));
    assert_eq!(ask::<Service>(&connection, &daily(0, 65_535 * 24)).starts.len(), 65_535);
    let beyond = Daily { from: i64::MAX - 1, to: i64::MAX, ..Daily::default() };
    assert_eq!(ask::<Service>(&connection, &beyond).starts.len(), 1);
    let refused = |bins: &Bins<'_>| binned(&connection, &zone(), bins).unwrap_err().to_string();
    assert!(refused(&bins(0, 0, &[1])).contains("empty"));
    assert!(refused(&bins(0, 1, &[1, 5])).contains("parts of 5 hours"));
    assert!(refused(&bins(0, 1, &[0])).contains("parts of 0 hours"));
    assert!(exposure(&connection, &zone(), 1, 1, Step::Day).is_err());
}

#[test]
fn bins_that_were_watched_too_little_say_nothing() {
    let event = |hour, region, source| Event { hour, region, source, ..Event::default() };
    let connection = filled(
        &[event(0, "CN", 1), event(0, "JP", 2), event(1, "CN", 1), event(3, "CN", 3), event(30, "CN", 1)],
        &[],
    );
    // Half of hour 1 was observed by both; sensor 2 ended before hour 30.
    connection
        .execute_batch(
            "UPDATE span_sensor SET observed_ns = observed_ns / 2 WHERE span = 2;
             DELETE FROM span_sensor WHERE span = 4 AND sensor = 2",
        )
        .unwrap();
    let found = binned(
        &connection,
        &zone(),
        &Bins { least_observed: 0.8, regions: Some(&[region("CN")]), ..bins(0, 48, &[1, 4]) },
    )
    .unwrap();
    assert_eq!(found[0].observed[..5], [1.0, 0.5, 0.0, 1.0, 0.0]);
    assert_eq!(found[0].observed[30], 1.0, "of the sensor that is left");
    assert_eq!(found[0].regions.len(), 1);
    let series = &found[0].regions[&region("CN")];
    assert_eq!(series.packets[..5], [Some(1), None, None, Some(1), None]);
    assert_eq!(series.sources[1], None);
    assert!(series.sources[0].is_some_and(|sources| (sources - 1.0).abs() < 0.01));
    assert!((found[1].observed[0] - 0.625).abs() < 1e-9);
    assert_eq!(found[1].regions[&region("CN")].packets, vec![None; 12]);
    // An epoch longer than an hour counts where it lies within a bin.
    fill(&connection, 2, START + HOUR, 3 * HOUR, &[event(1, "CN", 9)]);
    let found =
        binned(&connection, &zone(), &Bins { least_observed: 0.8, ..bins(0, 24, &[1, 2, 4]) }).unwrap();
    assert_eq!(found[0].regions[&region("CN")].packets[..4], [Some(1), None, None, Some(1)]);
    assert_eq!(found[2].regions[&region("CN")].packets[0], Some(4));
    let sources = found[2].regions[&region("CN")].sources[0].unwrap();
    assert!((sources - 3.0).abs() < 0.1, "{sources}");

    // Sketches that do not merge.
    let foreign = Sketch::new(Scope::new(&SketchKey::new([8; 16]), Family::V4, 32)).to_bytes();
    connection.execute("UPDATE region_tool SET sources = ? WHERE span = 1", [foreign]).unwrap();
    let found = binned(&connection, &zone(), &bins(0, 24, &[1, 2, 24])).unwrap();
    assert_eq!(found[0].regions[&region("CN")].sources[0], Some(0.0), "an empty one of its own");
    for binned in &found[1..] {
        assert_eq!(binned.regions[&region("CN")].sources[0], None);
        assert!(binned.regions[&region("CN")].packets[0].is_some());
    }
}

#[test]
fn days_on_which_the_clock_is_set_have_as_many_bins() {
    let connection = store();
    let zone = Zone::named("Europe/Paris").unwrap();
    // 2019-10-27 has 25 hours, 2019-03-31 has 23.
    for (start, hours) in [(1_572_127_200, 25), (1_553_986_800, 23)] {
        for hour in 0..hours {
            fill(&connection, 0, start + hour * HOUR, HOUR, &[Event { packets: 1, ..Event::default() }]);
        }
        let asked =
            Bins { from: start, to: start + hours * HOUR, least_observed: 1.0, ..bins(0, 1, &[1, 6, 24]) };
        let found = binned(&connection, &zone, &asked).unwrap();
        let packets = |binned: &Binned| binned.regions[&region("CN")].packets.clone();
        let last = if hours == 25 { Some(2) } else { None };
        assert_eq!(packets(&found[0]), [vec![Some(1); 23], vec![last]].concat());
        assert_eq!(packets(&found[1]), [Some(6), Some(6), Some(6), Some(hours as u64 - 18)]);
        assert_eq!(packets(&found[2]), [Some(hours as u64)]);
    }
}

#[test]
fn sensors_and_how_long_they_watched() {
    let connection = filled(&[Event::default(), Event { hour: 25, ..Event::default() }], &[0]);
    connection
        .execute_batch(
            "UPDATE sensor SET alias = 'S1', role = 'lit', sensor_group = 'domestic', prefixes = '192.0.2.0/24',
             filtered = '25/tcp 8/icmp', valid_to = 9 WHERE id = 1;
             UPDATE sensor SET addresses = NULL, valid_from = NULL WHERE id = 2;
             UPDATE span_sensor SET packets = 4 WHERE span = 2 AND sensor = 1",
        )
        .unwrap();
    let kept = sensors(&connection).unwrap();
    assert_eq!(
        kept.iter().map(|sensor| (sensor.row, sensor.name.as_str())).collect::<Vec<_>>(),
        [(1, "west"), (2, "east"), (3, "west")]
    );
    assert_eq!(kept[0].alias.as_deref(), Some("S1"));
    assert_eq!((kept[0].role, kept[0].group.as_deref()), (Role::Lit, Some("domestic")));
    assert_eq!(kept[0].filtered, [service("25/tcp"), service("8/icmp")]);
    assert_eq!((kept[0].prefixes.as_str(), kept[0].addresses), ("192.0.2.0/24", Some(256)));
    assert_eq!((kept[0].valid_from, kept[0].valid_to), (Some(0), Some(9)));
    assert_eq!((kept[1].addresses, kept[1].valid_from), (None, None));

    let by = |step| exposure(&connection, &zone(), START, START + 2 * DAY, step).unwrap();
    let told =
        |step| by(step).iter().map(|e| ((e.start - START) / HOUR, e.sensor, e.packets)).collect::<Vec<_>>();
    assert_eq!(told(Step::Day), [(0, 1, 0), (0, 2, 0), (24, 1, 4), (24, 2, 0)]);
    assert_eq!(told(Step::Hour), [(0, 1, 0), (0, 2, 0), (25, 1, 4), (25, 2, 0)]);
    let day = by(Step::Day);
    assert_eq!((day[0].seconds, day[0].observed_ns), (86_400, 86_400_000_000_000));
    assert_eq!((day[2].seconds, day[2].observed_ns), (86_400, 3_600_000_000_000));

    connection.execute("UPDATE sensor SET filtered = '25/http' WHERE id = 3", []).unwrap();
    assert!(sensors(&connection).unwrap_err().to_string().contains("`25/http` is no service"));
    connection.execute("UPDATE sensor SET role = 'grey' WHERE id = 3", []).unwrap();
    assert!(sensors(&connection).unwrap_err().to_string().contains("`grey` is no role"));
}

#[test]
fn a_damaged_store_is_no_reason_to_panic() {
    let connection = filled(&[Event::default()], &[]);
    bare(
        &connection,
        Table::PortTool,
        1,
        [int(0), int(-99), int(i64::MIN), int(50), int(7), int(77)],
        -3i64 as u64,
    );
    bare(
        &connection,
        Table::RegionTool,
        1,
        [int(0), int(0), text(""), int(i64::MAX), int(7), int(77)],
        u64::MAX / 2,
    );
    connection
        .execute_batch(
            "INSERT INTO span (level, start, seconds, observed_ns, packets, cut) VALUES
             (7, 9223372036854775807, 9223372036854775807, -1, -1, -1), (1, -9223372036854775808, -5, 0, 0, 0);
             UPDATE region_tool SET sources = x'ff00'",
        )
        .unwrap();
    let all = daily(-24, 24);
    assert_eq!(ask::<Service>(&connection, &all).other, [0, 0]);
    let found = ask::<Region>(&connection, &all);
    assert_eq!((found.iter().count(), found.other[1]), (1, u64::MAX / 2));
    let found = binned(&connection, &zone(), &bins(-24, 24, &[1, 24])).unwrap();
    assert!(found.iter().all(|binned| binned.regions.values().all(|series| series.sources[0].is_none())));
    assert_eq!(found[0].regions[&region("CN")].sources[24], None);
    exposure(&connection, &zone(), i64::MIN, i64::MAX, Step::Day).unwrap();
}
