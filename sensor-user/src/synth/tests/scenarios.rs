//! Scenarios in virtual time, and what is planned of them.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::{Date, date};
use sensor_common::key::Key;

use super::{super::random::Random, *};
use crate::{
    cube::victims::{MINUTES, PACKETS},
    model::Zone,
};

const GOLDEN: &str = include_str!("../../../../docs/scenarios/golden-2019.toml");
const QUIET: &str = include_str!("../../../../docs/scenarios/quiet.toml");
const WEEK: &str = "from = 2019-10-01\nto = 2019-10-07";

fn region(code: &str) -> Region {
    Region::from_code(code).unwrap()
}

/// Days of two services to one address, without chance, with more lines.
fn small(days: &str, more: &str) -> Scenario {
    let services = "[[service]]\nport = \"23/tcp\"\nshare = 60\n[[service]]\nport = \"53/udp\"\nshare = 40";
    scenario(&format!(
        "zone = \"Asia/Tokyo\"\n{days}\nsensors = [\"a=192.0.2.1\"]\npackets = 1000\noverdispersion = 0\n\
         regions = {{ JP = 1, IR = 3, CN = 2 }}\n{services}\n{more}\n"
    ))
}

/// All steps of a scenario, with the frames.
fn steps(scenario: &Scenario) -> Vec<(Step, Vec<u8>)> {
    let plan = Plan::new(scenario.clone()).unwrap();
    let geo = geo_of(&plan);
    let mut timeline = Timeline::new(plan, scenario.seed, &geo);
    let (mut steps, mut frame) = (Vec::new(), Vec::new());
    while timeline.upcoming().is_some() {
        timeline.begin();
        while let Some(step) = timeline.step(&mut frame) {
            steps.push((step, frame.clone()));
        }
    }
    steps
}

/// What the sensors of the first day count: the day, from 0, the key and its region.
fn counted(scenario: &Scenario) -> Vec<(i64, Key, Region)> {
    let plan = Plan::new(scenario.clone()).unwrap();
    let (watched, geo) = (prefixes(&plan), geo_of(&plan));
    let start = plan.days[0].slot.start;
    let mut keys = Vec::new();
    for (step, frame) in steps(scenario) {
        let Step::Frame { time_ns, .. } = step else { continue };
        if let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) {
            keys.push(((time_ns / 1_000_000_000 - start) / 86_400, key, geo.region(key.family, key.source)));
        }
    }
    keys
}

/// Names in the order of their packets; neighbours among the first ones differ by 5 % or more.
fn ranks<T: ToString + Ord>(counts: &BTreeMap<T, f64>, apart: usize) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().map(|(name, packets)| (*packets, name.to_string())).collect();
    counts.sort_by(|a, b| b.0.total_cmp(&a.0));
    for pair in counts[..=apart].windows(2) {
        assert!(pair[0].0 >= 1.05 * pair[1].0, "{pair:?} are too close");
    }
    counts.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn the_golden_quarters_are_planned() {
    let plan = Plan::new(scenario(GOLDEN)).unwrap();
    let quarters = [
        (date(2019, 4, 1), date(2019, 6, 30)),
        (date(2019, 7, 1), date(2019, 9, 30)),
        (date(2019, 10, 1), date(2019, 12, 31)),
    ];
    let [second, third, fourth] = quarters.map(|(from, to)| {
        let mut expected = plan.expected(from, to);
        // No port of it has any rank.
        expected.services.remove(&Target::AnyTcp).unwrap();
        (ranks(&expected.services, 5), ranks(&expected.regions, 6))
    });
    let tcp = |ports: [u16; 5]| ports.map(|port| format!("{port}/tcp"));
    assert_eq!(second.0[..5], tcp([23, 445, 37215, 22, 80]));
    assert_eq!(third.0[..5], tcp([23, 445, 22, 37215, 80]));
    assert_eq!(fourth.0[..5], tcp([23, 445, 1433, 80, 22]));
    for quarter in [&second, &third] {
        let sql = quarter.0.iter().position(|name| name == "1433/tcp").unwrap();
        assert!((10..50).contains(&sql), "1433/tcp is at {sql}, from 0");
    }
    assert_eq!(second.1[..5], ["RU", "US", "CN", "NL", "TW"]);
    assert_eq!(third.1[..6], ["NL", "RU", "US", "CN", "TW", "RO"]);
    assert_eq!(fourth.1[..5], ["NL", "RU", "US", "CN", "RO"]);

    let since = plan.expected(date(2019, 10, 4), date(2019, 12, 31));
    let sql: Target = "1433/tcp".parse().unwrap();
    let of_sql = since.pairs.iter().filter(|((target, _), _)| *target == sql);
    let of_sql: BTreeMap<Region, f64> = of_sql.map(|((_, region), packets)| (*region, *packets)).collect();
    let order = ranks(&of_sql, 13);
    assert_eq!(order[..5], ["CN", "US", "IN", "VN", "RU"]);
    assert_eq!(order[12], "JP");
    assert!(of_sql[&region("CN")] > 0.5 * since.services[&sql], "most of it is from CN");

    let iran = |from, to| plan.expected(from, to).regions[&region("IR")];
    let usual = iran(date(2019, 11, 11), date(2019, 11, 13));
    assert!(iran(date(2019, 11, 18), date(2019, 11, 20)) < 0.1 * usual);
    let sources = usual / 3.0 / plan.scenario.each.0;
    assert!((180.0..200.0).contains(&sources), "{sources} sources of IR a day");
}

/// Services and regions of which three days are far from the four weeks before them, and the first of
/// the three days.
fn changes(plan: &Plan) -> Vec<(String, Date)> {
    let days: Vec<_> = plan.days.iter().map(|day| plan.expected(day.date, day.date)).collect();
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (at, day) in days.iter().enumerate() {
        let services = day.services.iter().map(|(target, packets)| (target.to_string(), packets));
        let regions = day.regions.iter().map(|(region, packets)| (region.to_string(), packets));
        for (name, packets) in services.chain(regions) {
            series.entry(name).or_insert_with(|| vec![0.0; days.len()])[at] = *packets;
        }
    }
    let mut changes = Vec::new();
    for (name, series) in series {
        let mut next = 28;
        for at in 28..days.len() - 3 {
            let before = series[at - 28..at].iter().sum::<f64>() / 28.0;
            let now = series[at..at + 3].iter().sum::<f64>() / 3.0;
            if at >= next && (now > before * 1.45 || now < before / 1.45) {
                changes.push((name.clone(), plan.days[at].date));
                next = at + 28;
            }
        }
    }
    changes
}

#[test]
fn nothing_else_changes_by_much() {
    let mut seen = changes(&Plan::new(scenario(GOLDEN)).unwrap());
    seen.retain(|(name, _)| name != "any/tcp");
    let expected = [
        ("37215/tcp", date(2019, 7, 10)),
        ("37215/tcp", date(2019, 8, 11)),
        ("10000/tcp", date(2019, 8, 20)),
        ("NL", date(2019, 8, 26)),
        ("1433/tcp", date(2019, 10, 4)),
        ("IR", date(2019, 11, 16)),
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (name, onset) in expected {
        // Three days are looked at together, so that a large change shows up to two days before.
        let is_near = |day: Date| (0..=2).contains(&onset.since(day).unwrap().get_days());
        assert!(
            seen.iter().any(|(other, day)| other == name && is_near(*day)),
            "no {name}, {onset}: {seen:?}"
        );
    }
    assert_eq!(changes(&Plan::new(scenario(QUIET)).unwrap()), []);
}

#[test]
fn without_overdispersion_days_are_exact() {
    let surge = "[[surge]]\nservice = \"53/udp\"\nfrom = 2019-10-03\nto = 2019-10-05\nfactor = 2";
    let mut days: BTreeMap<(i64, u16), u32> = BTreeMap::new();
    let mut regions: BTreeMap<Region, u32> = BTreeMap::new();
    for (day, key, region) in counted(&small(WEEK, surge)) {
        *days.entry((day, key.port)).or_default() += 1;
        *regions.entry(region).or_default() += 1;
    }
    for day in 0..7 {
        assert_eq!(days[&(day, 23)], 600, "{days:?}");
        assert_eq!(days[&(day, 53)], if (2..=4).contains(&day) { 800 } else { 400 }, "{days:?}");
    }
    for (code, part) in [("JP", 1.0), ("CN", 2.0), ("IR", 3.0)] {
        // Each service of each day may be one off.
        let (count, expected) = (f64::from(regions[&region(code)]), part * 8200.0 / 6.0);
        assert!((count - expected).abs() <= 17.0, "{code} has {count}, not {expected}");
    }
}

#[test]
fn levels_are_reached_in_a_straight_line() {
    let levels =
        "levels = [\n{ from = 2019-10-02, factor = 2, over = 2 },\n{ from = 2019-10-05, factor = 0.5 }]";
    let region = "[[region]]\ncode = \"IR\"\nlevels = [{ from = 2019-10-07, factor = 0 }]";
    let mut days = [0; 7];
    for (day, key, _) in counted(&small(WEEK, &format!("{levels}\n{region}"))) {
        days[day as usize] += i32::from(key.port == 53);
    }
    assert_eq!(days, [400, 600, 800, 800, 200, 200, 100]);
}

#[test]
fn overdispersion_is_what_it_says() {
    for phi in [1.0, 5.0] {
        let mut scenario = small("from = 2019-01-01\nto = 2019-12-31", "");
        scenario.overdispersion = Amount(phi);
        let mut days = vec![0.0; 365];
        for (day, key, _) in counted(&scenario) {
            days[day as usize] += f64::from(u8::from(key.port == 23));
        }
        let mean = days.iter().sum::<f64>() / 365.0;
        let variance = days.iter().map(|day| (day - mean).powi(2)).sum::<f64>() / 364.0;
        assert!((mean - 600.0).abs() < 4.0 * (600.0 * phi / 365.0_f64).sqrt(), "{mean}");
        // The variance of 365 days is known to 7.4 % (one standard deviation).
        assert!((variance / mean / phi - 1.0).abs() < 0.3, "{phi}: {}", variance / mean);
    }
}

/// Epochs of a scenario, in seconds since its start, each with its number of frames.
fn epochs(scenario: &Scenario) -> Vec<(i64, i64, usize)> {
    let start = Plan::new(scenario.clone()).unwrap().days[0].slot.start;
    let mut epochs = Vec::new();
    let (mut frames, mut last) = (Vec::new(), i64::MIN);
    for (step, _) in steps(scenario) {
        match step {
            Step::Frame { time_ns, .. } => {
                assert!(time_ns >= last, "frames are in the order of their time");
                last = time_ns;
                frames.push(time_ns);
            }
            Step::Epoch { start_ns, end_ns } => {
                assert!(frames.iter().all(|time| (start_ns..end_ns).contains(time)));
                let seconds = |ns: i64| ns / 1_000_000_000 - start;
                epochs.push((seconds(start_ns), seconds(end_ns), frames.len()));
                frames.clear();
            }
        }
    }
    assert!(frames.is_empty(), "the last epoch ends after the last frame");
    epochs
}

#[test]
fn epochs_are_hours_without_gaps() {
    for zone in ["Asia/Tokyo", "Asia/Kolkata", "Europe/Paris"] {
        // In Paris, the clock is set back on the 27th.
        let mut scenario = small("from = 2019-10-26\nto = 2019-10-28", "");
        scenario.zone = Zone::named(zone).unwrap();
        let epochs = epochs(&scenario);
        assert_eq!(epochs.len(), if zone == "Europe/Paris" { 73 } else { 72 }, "{zone}");
        for (hour, (start, end, frames)) in (0..).zip(epochs) {
            assert_eq!((start, end), (hour * 3600, hour * 3600 + 3600), "{zone}");
            // 1,000 a day are 41.7 an hour.
            assert!((33..=50).contains(&frames), "{frames} in an hour");
        }
    }
}

#[test]
fn blind_is_observed_and_a_gap_is_not() {
    let blind = "[[blind]]\nfrom = 2019-10-02T06:30:00\nto = 2019-10-02T09:00:00";
    let of_blind = epochs(&small(WEEK, blind));
    assert_eq!(of_blind.len(), 7 * 24);
    let frames = |hour: usize| of_blind[24 + hour].2;
    assert_eq!([frames(7), frames(8)], [0, 0]);
    assert!((12..30).contains(&frames(6)), "half of an hour: {}", frames(6));
    assert!(frames(5) > 32 && frames(9) > 32);

    let gap = "[[gap]]\nfrom = 2019-10-02T06:30:00\nto = 2019-10-02T09:10:00\n\
               [[gap]]\nfrom = 2019-10-04\nto = 2019-10-05";
    let of_gap = epochs(&small(WEEK, gap));
    let day = |day: i64| {
        let epochs = of_gap.iter().filter(move |(start, ..)| start / 86_400 == day);
        epochs.map(|(start, end, _)| (start % 86_400, (end - 1) % 86_400 + 1)).collect::<Vec<_>>()
    };
    assert!(day(3).is_empty() && day(4).is_empty(), "a date as the end is included");
    assert_eq!(day(1)[6..8], [(6 * 3600, 6 * 3600 + 1800), (9 * 3600 + 600, 10 * 3600)]);
    assert_eq!([day(1).len(), day(2).len()], [22, 24]);
    let frames: usize = of_gap.iter().map(|(.., frames)| frames).sum();
    let expected = 5000.0 - 1000.0 * 160.0 / 1440.0;
    assert!((frames as f64 - expected).abs() < 10.0, "{frames}, {expected} expected");
}

#[test]
fn a_region_falls_silent() {
    let silences = "[[silence]]\nregion = \"IR\"\nfrom = 2019-10-03\nto = 2019-10-04\n\
                    [[silence]]\nregion = \"CN\"\nfrom = 2019-10-06\nto = 2019-10-06\ndepth = 0.5";
    let mut days: BTreeMap<(i64, Region), (u32, HashSet<u64>)> = BTreeMap::new();
    for (day, key, region) in counted(&small(WEEK, silences)) {
        let (packets, sources) = days.entry((day, region)).or_default();
        *packets += 1;
        sources.insert(key.source);
    }
    let of = |day: i64, code: &str| {
        let found = days.get(&(day, region(code)));
        found.map_or((0, 0), |(packets, sources)| (*packets, sources.len()))
    };
    for day in 0..7 {
        let (packets, sources) = of(day, "IR");
        match day {
            2 | 3 => assert_eq!(packets, 0),
            // A source sends three packets.
            _ => assert!(
                (498..=502).contains(&packets) && (145..190).contains(&sources),
                "{packets}, {sources}"
            ),
        }
        let (packets, sources) = of(day, "CN");
        let part = if day == 5 { 0.5 } else { 1.0 };
        assert!((f64::from(packets) / 333.0 - part).abs() < 0.2, "{day}: {packets}");
        assert!((sources as f64 / 111.0 - part).abs() < 0.25, "{day}: {sources}");
    }
}

#[test]
fn a_surge_comes_from_few_prefixes() {
    let surge = "[[surge]]\nregion = \"JP\"\nfrom = 2019-10-03\nto = 2019-10-05\npackets = 500\nprefixes = 2\nover = 2";
    let mut days = [0; 7];
    let (mut prefixes, mut ports) = (HashSet::new(), HashSet::new());
    for (day, key, from) in counted(&small(WEEK, surge)) {
        if ![23, 53].contains(&key.port) {
            assert_eq!((from, key.kind), (region("JP"), Kind::Syn));
            days[day as usize] += 1;
            prefixes.insert(key.source >> 8);
            ports.insert(key.port);
        }
    }
    assert_eq!(days, [0, 0, 250, 500, 500, 0, 0]);
    assert_eq!(prefixes.len(), 2);
    assert!(ports.len() > 1200, "{} ports", ports.len());
}

#[test]
fn a_surge_of_a_service_from_a_region_is_of_their_part() {
    let surge =
        "[[surge]]\nservice = \"23/tcp\"\nregion = \"IR\"\nfrom = 2019-10-02\nto = 2019-10-02\nfactor = 3";
    let mut packets: BTreeMap<(i64, u16, Region), u32> = BTreeMap::new();
    for (day, key, region) in counted(&small(WEEK, surge)) {
        *packets.entry((day, key.port, region)).or_default() += 1;
    }
    let of = |day, port, code| packets[&(day, port, region(code))];
    assert_eq!([of(0, 23, "IR"), of(1, 23, "IR"), of(2, 23, "IR")], [300, 900, 300]);
    assert_eq!([of(1, 53, "IR"), of(1, 23, "CN")], [200, 200]);
}

#[test]
fn attacks_have_minutes_of_their_own_and_victims() {
    let attacks = "[[backscatter]]\nservices = { \"80/tcp\" = 1 }\nanswers = { synack = 1 }\nattacks = 3\n\
                   minutes = 4\nrate = 6";
    let scenario = small(WEEK, attacks);
    let watched = prefixes(&Plan::new(scenario.clone()).unwrap());
    let mut victims: BTreeMap<u64, BTreeMap<i64, u64>> = BTreeMap::new();
    let (mut has_backscatter, mut epochs) = (false, 0);
    for (step, frame) in steps(&scenario) {
        match step {
            Step::Frame { time_ns, .. } => {
                let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) else {
                    panic!("{frame:?}")
                };
                if key.kind == Kind::SynAck {
                    assert_eq!(key.port, 80);
                    *victims.entry(key.source).or_default().entry(time_ns / 60_000_000_000).or_default() += 1;
                    has_backscatter = true;
                }
            }
            Step::Epoch { start_ns, end_ns } => {
                assert!(!has_backscatter || end_ns - start_ns == 60_000_000_000);
                epochs += u32::from(has_backscatter);
                has_backscatter = false;
            }
        }
    }
    assert_eq!(victims.len(), 21, "3 a day");
    assert!((75..=84).contains(&epochs), "{epochs} minutes, some of them with two victims");
    for minutes in victims.values() {
        assert!(minutes.values().sum::<u64>() >= PACKETS && minutes.len() >= MINUTES, "{minutes:?}");
        assert_eq!((minutes.len(), minutes.values().max()), (4, Some(&6)));
    }
}

#[test]
fn a_survey_looks_for_its_ports_from_one_prefix() {
    let survey = "[[survey]]\nregion = \"JP\"\nports = 30\npackets = 100\ntools = { zmap = 100 }";
    let (mut ports, mut prefixes, mut packets) = (HashSet::new(), HashSet::new(), 0);
    for (_, key, from) in counted(&small(WEEK, survey)) {
        if ![23, 53].contains(&key.port) {
            assert_eq!((key.tool, from), (Tool::Zmap, region("JP")));
            ports.insert(key.port);
            prefixes.insert(key.source >> 8);
            packets += 1;
        }
    }
    assert_eq!((ports.len(), prefixes.len(), packets), (30, 1, 700));
}

#[test]
fn sensors_come_and_go() {
    let scenario = scenario(
        "zone = \"UTC\"\nfrom = 2020-02-28\nto = 2020-03-02\npackets = 100\noverdispersion = 0\n\
         [[sensor]]\nsensor = \"a=192.0.2.1\"\nto = 2020-02-29\n\
         [[sensor]]\nsensor = \"b=198.51.100.0/31\"\nfrom = 2020-02-29\nto = 2020-03-01\nactivity = 0.5\n\
         [[service]]\nport = \"8/icmp\"\nshare = 100\n",
    );
    let plan = Plan::new(scenario.clone()).unwrap();
    let names = |watch: usize| {
        let sensors = plan.watches[watch].sensors.as_ref();
        sensors.map(|sensors| sensors.iter().map(|sensor| sensor.name.clone()).collect::<String>())
    };
    let by_day: Vec<_> = plan.days.iter().map(|day| names(day.watch)).collect();
    let some = |names: &str| Some(names.to_owned());
    assert_eq!(by_day, [some("a"), some("ab"), some("b"), None], "2020 is a leap year");
    let mut days: BTreeMap<(i64, u8), u32> = BTreeMap::new();
    for (step, frame) in steps(&scenario) {
        let second = match step {
            Step::Frame { time_ns, .. } => time_ns / 1_000_000_000 - plan.days[0].slot.start,
            Step::Epoch { end_ns, .. } => {
                assert!(end_ns / 1_000_000_000 <= plan.days[3].slot.start, "nobody watches on the last day");
                continue;
            }
        };
        // The first byte of the destination.
        *days.entry((second / 86_400, frame[30])).or_default() += 1;
    }
    assert_eq!((days[&(0, 192)], days[&(2, 198)]), (100, 100));
    assert_eq!(days[&(1, 192)] + days[&(1, 198)], 200);
    assert!((70..130).contains(&days[&(1, 192)]), "{days:?}");
    assert!(days.keys().all(|(day, _)| *day < 3));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let good = "zone = \"UTC\"\nfrom = 2019-01-01\nto = 2019-01-02\nsensors = [\"a=192.0.2.1\"]\n";
    let service = "[[service]]\nport = \"23/tcp\"\nshare = 50\n";
    let planned = |text: &str| Plan::new(scenario(text));
    assert!(planned(&format!("{good}{service}")).is_ok());
    assert!(matches!(planned(good), Err(PlanError::Nothing)));
    let nobody = format!("{good}{service}").replace("sensors = [\"a=192.0.2.1\"]\n", "");
    assert!(matches!(planned(&nobody), Err(PlanError::NothingWatched)));
    let many = format!("{good}{service}").replace("192.0.2.1", "10.0.0.0/8");
    assert!(matches!(planned(&many), Err(PlanError::TooMany { .. })));

    let surge = "from = 2019-01-01\nto = 2019-01-01";
    let wrong = [
        ("nonsense = 1", "5:1: unknown field `nonsense`"),
        ("packets = -1", "5:11: -1 is out of range"),
        ("packets = nan", "5:11: NaN is out of range"),
        ("regions = { Japan = 1 }", "`Japan` is no region"),
        ("overdispersion = 0.5", "`overdispersion` is 0 (nothing is left to chance), 1"),
        ("[[service]]\nport = \"23\"\nshare = 1", "6:8: `23` is no service"),
        ("[[service]]\nport = \"13/icmp\"\nshare = 1", "6:8: of ICMP, only pings"),
        ("[[service]]\nport = \"23/tcp\"", "5:1: a service wants either `share`"),
        ("[[service]]\nport = \"23/tcp\"\nshare = 101", "more than 100 %"),
        (
            "[[service]]\nport = \"23/tcp\"\nshare = 1\ncrowd = \"x\"",
            "8:9: there is no crowd `x`: write [crowds.x]",
        ),
        ("[[service]]\nport = \"23/tcp\"\nshare = 1\ntools = { mirai = 60, zmap = 60 }", "120 % together"),
        (
            "regions = { JP = 1 }\n[[region]]\ncode = \"JP\"\nlevels = [{ from = 2019-01-02, factor = 1 }, { from = 2019-01-01, factor = 1 }]",
            "levels are in the order of their days",
        ),
        (&format!("[[surge]]\n{surge}\nfactor = 2"), "5:1: a surge is of a `service`"),
        (&format!("[[surge]]\nregion = \"JP\"\n{surge}\nfactor = 0.5"), "use `levels`"),
        (&format!("[[surge]]\nregion = \"JP\"\n{surge}\nfactor = 2"), "nothing comes from JP"),
        (&format!("[[surge]]\nservice = \"23/tcp\"\n{surge}\nfactor = 2"), "no [[service]] 23/tcp"),
        (
            "[[surge]]\nregion = \"JP\"\nfrom = 2019-01-02\nto = 2019-01-01\nfactor = 2",
            "`to` is before its `from`",
        ),
        ("[[silence]]\nregion = \"JP\"\nfrom = 2019-01-01\nto = 2019-01-01", "5:1: nothing comes from JP"),
        ("[[blind]]\nfrom = 2019-01-02\nto = 2019-01-01", "it ends before it begins"),
        ("[[gap]]\nfrom = 2019-01-02T00:00:00Z\nto = 2019-01-01", "6:8: times are of the scenario's zone"),
        ("[[blind]]\nfrom = \"2019-01-02\"\nto = 2019-01-01", "6:8: "),
        ("[[survey]]\nregion = \"JP\"\nports = 0\npackets = 1", "at least one port"),
        (
            "[[backscatter]]\nservices = {}\nanswers = { rst = 1 }\nattacks = 1\nminutes = 1\nrate = 1",
            "nothing is attacked",
        ),
        ("[[sensor]]\nsensor = \"a=192.0.2.9\"", "two sensors are named `a`"),
        ("[[sensor]]\nsensor = \"b\"", "`b` has no `=`"),
        ("[noise]\nforged = 1001", "at most 1000"),
    ];
    for (line, reason) in wrong {
        let error = Scenario::parse("file", &format!("{good}{line}\n")).unwrap_err().to_string();
        assert!(error.starts_with("file:") && error.contains(reason), "{line}: {error}");
    }
    for (from, to) in [
        ("zone = \"UTC\"", "zone = \"Mars\""),
        ("to = 2019-01-02", "to = 2018-01-02"),
        ("to = 2019-01-02", "to = 2039-01-02"),
        ("from = 2019", "from = 1969"),
    ] {
        assert!(Scenario::parse("file", &good.replace(from, to)).is_err(), "{to}");
    }
}

/// No text makes a panic: what is read is planned or refused.
#[test]
fn any_text_is_read_or_refused() {
    let mut random = Random::new(1);
    for text in [DEMO, GOLDEN] {
        for _ in 0..300 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len() as u64) as usize;
                let new = random.pick(b"0123456789.-=[]{}\"\n e");
                match random.below(20) {
                    0 => bytes.truncate(at.max(1)),
                    1..=9 => bytes.insert(at, new),
                    _ => bytes[at] = new,
                }
            }
            let Ok(mut scenario) = Scenario::parse("file", &String::from_utf8_lossy(&bytes)) else {
                continue;
            };
            // Planning looks at each day: a few will do.
            let last = scenario.from.0.tomorrow().unwrap();
            if scenario.to.get_ref().0 > last {
                scenario.to.get_mut().0 = last;
            }
            drop(Plan::new(scenario));
        }
    }
}

#[test]
fn a_scenario_can_be_moved_to_another_time() {
    let events = "[[sensor]]\nsensor = \"b=192.0.2.9\"\nfrom = 2019-10-03\n\
                  [[region]]\ncode = \"CN\"\nlevels = [{ from = 2019-10-02, factor = 2 }]\n\
                  [[surge]]\nservice = \"23/tcp\"\nfrom = 2019-10-04\nto = 2019-10-05\nfactor = 3\n\
                  [[silence]]\nregion = \"IR\"\nfrom = 2019-10-05T06:00:00\nto = 2019-10-06\n\
                  [[blind]]\nfrom = 2019-10-02T01:00:00\nto = 2019-10-02T02:00:00\n\
                  [[gap]]\nfrom = 2019-10-07\nto = 2019-10-07";
    let written = small(WEEK, events);
    let moved = written.clone().moved_to(date(2024, 3, 1)).unwrap();
    assert_eq!((moved.from.0, moved.to.get_ref().0), (date(2024, 2, 24), date(2024, 3, 1)));
    let days = |scenario: &Scenario| {
        let plan = Plan::new(scenario.clone()).unwrap();
        let expected = plan.days.iter().map(|day| plan.expected(day.date, day.date));
        expected.map(|day| (day.services, day.regions, day.noise)).collect::<Vec<_>>()
    };
    let (before, after) = (days(&written), days(&moved));
    assert_eq!(before, after, "all that happens has moved along");
    assert!((1..7).all(|day| before[day] != before[0]), "something happens on every other day");
    // The frames are the same at another time, too: the zone's clock was not set.
    let by = (date(2024, 3, 1).duration_since(date(2019, 10, 7)).as_secs()) * 1_000_000_000;
    let (before, after) = (steps(&written), steps(&moved));
    assert_eq!(before.len(), after.len());
    for ((step, frame), (late, same)) in before.iter().zip(&after) {
        assert_eq!(frame, same);
        match (step, late) {
            (Step::Frame { time_ns, .. }, Step::Frame { time_ns: late, .. }) => {
                assert_eq!(time_ns + by, *late)
            }
            (Step::Epoch { end_ns, .. }, Step::Epoch { end_ns: late, .. }) => assert_eq!(end_ns + by, *late),
            other => panic!("{other:?}"),
        }
    }
    for last in [date(1971, 1, 6), date(2106, 1, 1), Date::MIN, Date::MAX] {
        let refused = written.clone().moved_to(last).unwrap_err().to_string();
        assert!(refused.contains("1971 to 2105"), "{refused}");
    }
    assert!(written.moved_to(date(1971, 1, 7)).is_ok());
}

#[test]
fn after_a_scenario_is_cut_off_nobody_watches() {
    let whole = small(WEEK, "");
    let cut = whole.clone().cut_off(date(2019, 10, 7).at(9, 30, 0, 0));
    let end = |steps: &[(Step, Vec<u8>)]| {
        let ends = steps.iter().filter_map(|(step, _)| match step {
            Step::Epoch { end_ns, .. } => Some(*end_ns),
            Step::Frame { .. } => None,
        });
        ends.max().unwrap()
    };
    let (whole, cut) = (steps(&whole), steps(&cut));
    assert_eq!(end(&whole) - end(&cut), (24 * 60 - (9 * 60 + 30)) * 60 * 1_000_000_000);
    let before = |steps: &[(Step, Vec<u8>)]| {
        let last = end(&cut);
        let frames = steps.iter().filter_map(|(step, _)| match step {
            Step::Frame { time_ns, .. } => Some(*time_ns),
            Step::Epoch { .. } => None,
        });
        (frames.clone().filter(|&time| time < last).count(), frames.filter(|&time| time >= last).count())
    };
    assert_eq!(before(&whole).0, before(&cut).0, "until then it is the same");
    assert!(before(&whole).1 > 0);
    assert_eq!(before(&cut).1, 0);
}

#[test]
fn a_sample_has_its_part_of_the_frames() {
    let attacks = "[[backscatter]]\nregions = { CN = 1 }\nservices = { \"80/tcp\" = 1 }\n\
                   answers = { synack = 1 }\nattacks = 100\nminutes = 5\nrate = 30\n";
    for overdispersion in ["0", "1", "4"] {
        let scenario =
            Scenario { overdispersion: Amount(overdispersion.parse().unwrap()), ..small(WEEK, attacks) };
        let shapes = |sample| {
            let plan = Plan::new(scenario.clone()).unwrap();
            let geo = geo_of(&plan);
            let mut timeline = Timeline::new(plan, 1, &geo).sampled(sample);
            let (mut shapes, mut frame) = (BTreeMap::<Shape, usize>::new(), Vec::new());
            while timeline.upcoming().is_some() {
                timeline.begin();
                while let Some(step) = timeline.step(&mut frame) {
                    if let Step::Frame { made, .. } = step {
                        *shapes.entry(made.shape).or_default() += 1;
                    }
                }
            }
            shapes
        };
        let (all, part) = (shapes(1), shapes(10));
        assert_eq!(all.len(), 2);
        for (shape, frames) in all {
            let ratio = part[&shape] as f64 * 10.0 / frames as f64;
            assert!((0.8..1.25).contains(&ratio), "{shape:?} with {overdispersion}: {ratio}");
        }
    }
}
