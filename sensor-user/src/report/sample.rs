//! A made-up report that has something of everything, for the tests of what writes reports.

use jiff::civil::{Date, date};

use super::model::*;
use crate::{
    analysis::{silence, surge},
    model::{Protocol, Region, Service},
};

pub(crate) fn region(code: &str) -> Region {
    Region::named(code).expect("the region of a test")
}

pub(crate) fn service(text: &str) -> Service {
    text.parse().expect("the service of a test")
}

/// 1433/TCP from 4 October 2019, in the form of the golden quarter.
pub(crate) fn surge() -> Surge {
    let onset = date(2019, 10, 4);
    Surge {
        subject: Subject { service: Some(service("1433/tcp")), region: None },
        direction: surge::Direction::Rise,
        onset,
        found: date(2019, 10, 6),
        last: date(2019, 12, 31),
        end: surge::End::NewLevel,
        before: 12.0,
        since: 340.0,
        peak: date(2019, 10, 29),
        peak_packets: 512.0,
        z: 41.3,
        phi: 1.7,
        packets: 30_260,
        regions: contributions(&[
            ("CN", 18_700, 0.618, 0.62),
            ("US", 3_026, 0.1, 0.098),
            ("IN", 1_815, 0.06, 0.061),
            ("VN", 1_210, 0.04, 0.041),
            ("RU", 908, 0.03, 0.03),
            ("BR", 605, 0.02, 0.02),
            ("ID", 484, 0.016, 0.016),
            ("TH", 424, 0.014, 0.014),
            ("KR", 393, 0.013, 0.013),
            ("TW", 363, 0.012, 0.012),
        ]),
        services: Vec::new(),
        home: Some(Contribution {
            rank: 13,
            subject: region("JP"),
            packets: 242,
            share: 0.008,
            of_change: 0.008,
        }),
        sources: Some(Levels { before: 9.0, since: 212.0 }),
        width: Width::Wide,
        effective_sensors: Some(4.6),
        sensors: 5,
        sensor_local: false,
        tools: Vec::new(),
        newcomer: false,
    }
}

pub(crate) fn silence() -> Silence {
    Silence {
        region: region("IR"),
        onset: "2019-11-16T18:00:00+09:00".into(),
        end: Some("2019-11-23T12:00:00+09:00".into()),
        bin_hours: 6,
        hours: 162,
        level_change: false,
        usual: 84.0,
        least: 3.0,
        depth: 0.964,
        missing: 2_187.0,
        packets: Levels { before: 402.0, since: 21.0 },
    }
}

fn contributions(rows: &[(&str, u64, f64, f64)]) -> Vec<Contribution<Region>> {
    (1..)
        .zip(rows)
        .map(|(rank, &(code, packets, share, of_change))| Contribution {
            rank,
            subject: region(code),
            packets,
            share,
            of_change,
        })
        .collect()
}

fn services(rows: &[(&str, u64, f64, f64)]) -> Vec<Contribution<Service>> {
    (1..)
        .zip(rows)
        .map(|(rank, &(text, packets, share, of_change))| Contribution {
            rank,
            subject: service(text),
            packets,
            share,
            of_change,
        })
        .collect()
}

fn finding(id: &str, weight: f64, what: What) -> Finding {
    Finding { id: id.into(), weight, what }
}

/// Twelve findings, of every kind, the heaviest first.
pub(crate) fn findings() -> Vec<Finding> {
    let mirai = ToolShare { tool: Tool::Mirai, packets: 7_520, share: 0.94, sources: Some(1_804) };
    let rise_37215 = Surge {
        subject: Subject { service: Some(service("37215/tcp")), region: None },
        onset: date(2019, 11, 8),
        found: date(2019, 11, 10),
        last: date(2019, 11, 20),
        end: surge::End::Ended,
        before: 150.0,
        since: 615.4,
        peak: date(2019, 11, 12),
        peak_packets: 903.0,
        packets: 8_000,
        regions: contributions(&[
            ("EG", 5_600, 0.7, 0.81),
            ("CN", 1_600, 0.2, 0.11),
            ("BR", 400, 0.05, 0.03),
        ]),
        home: None,
        tools: vec![mirai],
        ..surge()
    };
    let rise_nl = Surge {
        subject: Subject { service: None, region: Some(region("NL")) },
        onset: date(2019, 12, 2),
        found: date(2019, 12, 4),
        last: date(2019, 12, 31),
        end: surge::End::Continuing,
        before: 1_430.5,
        since: 3_862.0,
        peak: date(2019, 12, 18),
        peak_packets: 5_011.0,
        packets: 115_860,
        regions: Vec::new(),
        services: services(&[
            ("3389/tcp", 9_269, 0.08, 0.09),
            ("22/tcp", 6_952, 0.06, 0.05),
            ("5900/tcp", 5_793, 0.05, 0.045),
            ("8080/tcp", 3_476, 0.03, 0.03),
            ("81/tcp", 2_317, 0.02, 0.02),
        ]),
        home: None,
        sources: Some(Levels { before: 61.0, since: 66.0 }),
        width: Width::Narrow { prefixes: 2 },
        ..surge()
    };
    let fall_445 = Surge {
        subject: Subject { service: Some(service("445/tcp")), region: None },
        direction: surge::Direction::Fall,
        onset: date(2019, 12, 24),
        found: date(2019, 12, 26),
        last: date(2019, 12, 28),
        end: surge::End::Ended,
        before: 2_210.0,
        since: 940.0,
        peak: date(2019, 12, 25),
        peak_packets: 811.0,
        packets: 4_700,
        regions: contributions(&[("RU", 900, 0.191, 0.33), ("VN", 700, 0.149, 0.18)]),
        home: None,
        sources: Some(Levels { before: 890.0, since: 402.0 }),
        width: Width::Undetermined,
        ..surge()
    };
    let rise_jp_23 = Surge {
        subject: Subject { service: Some(service("23/tcp")), region: Some(region("JP")) },
        onset: date(2019, 10, 21),
        found: date(2019, 10, 23),
        last: date(2019, 11, 2),
        end: surge::End::Ended,
        before: 31.0,
        since: 98.0,
        peak: date(2019, 10, 24),
        peak_packets: 140.0,
        packets: 1_274,
        regions: Vec::new(),
        home: None,
        sources: Some(Levels { before: 22.0, since: 71.0 }),
        ..surge()
    };
    let local_5555 = Surge {
        subject: Subject { service: Some(service("5555/tcp")), region: None },
        onset: date(2019, 10, 14),
        found: date(2019, 10, 16),
        last: date(2019, 10, 17),
        end: surge::End::Ended,
        before: 40.0,
        since: 260.0,
        peak: date(2019, 10, 15),
        peak_packets: 331.0,
        packets: 1_040,
        regions: contributions(&[("KR", 1_040, 1.0, 1.0)]),
        home: None,
        sources: None,
        width: Width::Narrow { prefixes: 1 },
        effective_sensors: Some(1.0),
        sensor_local: true,
        ..surge()
    };
    let open = Silence {
        region: region("IQ"),
        onset: "2019-12-27T00:00:00+09:00".into(),
        end: None,
        bin_hours: 24,
        hours: 120,
        usual: 71.0,
        least: 12.0,
        depth: 0.831,
        missing: 280.0,
        packets: Levels { before: 130.0, since: 24.5 },
        ..silence()
    };
    let level = Silence {
        region: region("TM"),
        onset: "2019-10-09T00:00:00+09:00".into(),
        end: None,
        bin_hours: 24,
        hours: 2_016,
        level_change: true,
        usual: 66.0,
        least: 4.0,
        depth: 0.939,
        missing: 4_900.0,
        packets: Levels { before: 101.0, since: 9.0 },
    };
    let blind = |reason, from: &str, to: &str, hours| {
        What::Blind(Blind { from: from.into(), to: to.into(), hours, reason })
    };
    vec![
        finding("rise-1433-tcp-2019-10-04", 29_192.0, What::Surge(Box::new(surge()))),
        finding("rise-NL-2019-12-02", 12_000.0, What::Surge(Box::new(rise_nl))),
        finding("silence-IR-2019-11-16", 2_187.0, What::Silence(silence())),
        finding("rise-37215-tcp-2019-11-08", 2_100.0, What::Surge(Box::new(rise_37215))),
        finding("fall-445-tcp-2019-12-24", 1_900.0, What::Surge(Box::new(fall_445))),
        finding("silence-TM-2019-10-09", 1_500.0, What::Silence(level)),
        finding("silence-IQ-2019-12-27", 280.0, What::Silence(open)),
        finding(
            "new-26-tcp",
            200.0,
            What::Newcomer(Newcomer {
                service: service("26/tcp"),
                rank: 9,
                packets: 2_950,
                sources: 871,
                days: 61,
                first: date(2019, 10, 30),
                seen_by: 5,
                sensors: 5,
            }),
        ),
        finding("rise-JP-23-tcp-2019-10-21", 180.0, What::Surge(Box::new(rise_jp_23))),
        finding(
            "blind-2019-11-03T02",
            30.0,
            blind(silence::Reason::Nothing, "2019-11-03T02:00:00+09:00", "2019-11-03T09:00:00+09:00", 7),
        ),
        finding(
            "blind-2019-12-08T12",
            20.0,
            blind(silence::Reason::AllRegions, "2019-12-08T12:00:00+09:00", "2019-12-08T13:00:00+09:00", 1),
        ),
        finding("rise-5555-tcp-2019-10-14", 10.0, What::Surge(Box::new(local_5555))),
    ]
}

fn ranked<S>(rank: u32, subject: S, packets: u64, population: u64, previous: PreviousRank) -> Ranked<S> {
    let change = match previous {
        PreviousRank::Unknown => None,
        PreviousRank::New => Some(Change { packets: packets as i64, relative: None }),
        PreviousRank::Rank(place) if place < rank => {
            Some(Change { packets: -((packets / 8) as i64), relative: Some(-0.1111) })
        }
        _ => Some(Change { packets: (packets / 5) as i64, relative: Some(0.25) }),
    };
    Ranked {
        rank,
        close: false,
        subject,
        packets,
        sources: Some(packets / 11),
        share: packets as f64 / population as f64,
        rate: Some(Rate { mean: packets as f64 / (92.0 * 320.0), median: packets as f64 / (92.0 * 330.0) }),
        change,
        previous,
    }
}

/// A line of so many days about a mean, with a weekly rhythm, gaps where days do not count.
fn line(mean: f64, days: usize, of: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
    (0..days)
        .map(|day| {
            let wobble = 1.0 + 0.08 * ((day * 7 + 3) % 11) as f64 / 11.0 - 0.03 * (day % 7) as f64 / 7.0;
            (day != 33 && day != 34).then(|| mean * wobble * of(day))
        })
        .collect()
}

/// A report of the last quarter of 2019: five sensors in two groups, incomplete data, twelve findings, hostile texts.
pub(crate) fn sample() -> Report {
    use PreviousRank::{New, Outside, Rank as Was, Unknown};
    let first = date(2019, 10, 1);
    let last = date(2019, 12, 31);
    let sensor = |name: &str, group: &str, addresses, compared| Sensor {
        name: name.into(),
        alias: None,
        role: "dark".into(),
        group: Some(group.into()),
        addresses: Some(addresses),
        first: Some(if compared { first } else { date(2019, 11, 11) }),
        last: Some(last),
        filtered: if name == "sakura" { vec![service("445/tcp"), service("25/tcp")] } else { Vec::new() },
        compared,
    };
    let population = 12_345_678;
    let port =
        |rank, text: &str, packets, previous| ranked(rank, service(text), packets, population, previous);
    let land =
        |rank, code: &str, packets, previous| ranked(rank, region(code), packets, population, previous);
    let ports = vec![
        port(1, "23/tcp", 3_086_420, Was(1)),
        port(2, "445/tcp", 1_234_568, Was(2)),
        port(3, "1433/tcp", 617_284, Outside(10)),
        Ranked { close: true, ..port(4, "80/tcp", 616_900, Was(5)) },
        port(5, "22/tcp", 493_827, Was(3)),
        port(6, "8/icmp", 370_370, Was(6)),
        port(7, "37215/tcp", 246_914, Was(4)),
        port(8, "5060/udp", 185_185, Unknown),
        port(9, "26/tcp", 123_457, New),
        port(9, "8545/tcp", 123_457, Outside(50)),
        port(11, "50013/tcp", 99_000, Outside(50)),
    ];
    let regions = vec![
        land(1, "NL", 2_469_136, Was(4)),
        land(2, "RU", 1_851_852, Was(1)),
        land(3, "US", 1_604_938, Was(2)),
        land(4, "CN", 1_358_025, Was(3)),
        land(5, "RO", 987_654, Was(6)),
        land(6, "TW", 617_284, Was(5)),
        land(7, "HK", 370_370, Outside(10)),
        land(8, "BR", 246_914, Was(8)),
        land(9, "JP", 185_185, Was(9)),
        land(10, "IR", 123_457, Was(10)),
    ];
    let step = |day: usize| if day >= 28 { 1.0 } else { 0.04 };
    Report {
        schema: SCHEMA,
        program: "teiten 0.1.0".into(),
        made: "2020-01-09T10:12:30+09:00".into(),
        frozen: None,
        profile: Profile::Publish,
        rank_by: RankBy::Packets,
        top: 5,
        home: Some(region("JP")),
        time_zone: "Asia/Tokyo".into(),
        period: stretch("2019-Q4", first, last, "+09:00", 90, 0.978),
        previous: stretch("2019-Q3", date(2019, 7, 1), date(2019, 9, 30), "+09:00", 92, 1.0),
        sensors: vec![
            sensor("ume", "domestic", 128, true),
            sensor("sakura", "domestic", 64, true),
            sensor("momo", "domestic", 64, false),
            sensor("oak|<b>*elm*", "overseas", 32, true),
            sensor("_birch_ & `co`", "overseas", 32, true),
        ],
        addresses: Some(320),
        databases: vec![
            Database {
                role: "country".into(),
                name: "DBIP-Country-Lite".into(),
                built: Some("2019-10-01".into()),
                first,
                last: date(2019, 11, 14),
            },
            Database {
                role: "country".into(),
                name: "DBIP-Country-Lite".into(),
                built: Some("2019-11-01".into()),
                first: date(2019, 11, 15),
                last,
            },
            Database { role: "asn".into(), name: "RouteViews".into(), built: None, first, last },
        ],
        quality: Quality {
            frames: 13_400_000,
            packets: 13_250_000,
            lost: 12_034,
            malformed: 4_411,
            non_ip: 120_006,
            unwatched: 29_994,
            local: 0,
            uncounted: 0,
            mismatches: 0,
            nic_received: Some(13_400_310),
            nic_dropped: Some(310),
            restarts: 2,
            days_out: vec![date(2019, 11, 3), date(2019, 11, 4)],
            gaps: vec![Gap {
                from: "2019-11-03T02:00:00+09:00".into(),
                to: "2019-11-05T01:00:00+09:00".into(),
                hours: 47,
            }],
            partial: 1_200,
            pending: 0,
            cut: true,
        },
        totals: Totals {
            packets: population,
            sources: Some(1_122_334),
            rate: Some(Rate { mean: 419.3, median: 402.8 }),
            previous_packets: Some(11_000_000),
            change: Some(Change { packets: 1_345_678, relative: Some(0.1223) }),
        },
        ports: Ranking {
            rows: ports,
            below: Below { unattributed: 12_034, unknown: 0, non_routable: 0, other: 3_210 },
            population,
            ranked: 41_877,
            withheld: Vec::new(),
        },
        regions: Ranking {
            rows: regions,
            below: Below { unattributed: 12_034, unknown: 8_120, non_routable: 512, other: 0 },
            population: 12_300_000,
            ranked: 203,
            withheld: Vec::new(),
        },
        port_trend: Trend {
            first: date(2019, 9, 6),
            is_rate: true,
            series: vec![
                TrendLine { subject: service("23/tcp"), values: line(105.0, 117, |_| 1.0) },
                TrendLine { subject: service("445/tcp"), values: line(42.0, 117, |_| 1.0) },
                TrendLine { subject: service("1433/tcp"), values: line(24.0, 117, step) },
                TrendLine { subject: service("80/tcp"), values: line(21.0, 117, |_| 1.0) },
                TrendLine { subject: service("22/tcp"), values: line(17.0, 117, |_| 1.0) },
            ],
        },
        region_trend: Trend {
            first: date(2019, 9, 6),
            is_rate: true,
            series: vec![
                TrendLine { subject: region("NL"), values: line(60.0, 117, |day| 1.0 + day as f64 / 60.0) },
                TrendLine { subject: region("RU"), values: line(63.0, 117, |_| 1.0) },
                TrendLine { subject: region("US"), values: line(54.0, 117, |_| 1.0) },
                TrendLine { subject: region("CN"), values: line(46.0, 117, |_| 1.0) },
                TrendLine { subject: region("RO"), values: line(33.0, 117, |_| 1.0) },
                TrendLine {
                    subject: region("IR"),
                    values: line(1.3, 117, |day| if (72..78).contains(&day) { 0.04 } else { 1.0 }),
                },
            ],
        },
        parts: vec![
            part("domestic", true, 3, &[("23/tcp", 0.26), ("445/tcp", 0.12), ("1433/tcp", 0.06)]),
            part("overseas", true, 2, &[("23/tcp", 0.22), ("22/tcp", 0.09), ("1433/tcp", 0.04)]),
            part("ume", false, 1, &[("23/tcp", 0.3), ("445/tcp", 0.1)]),
            part("oak|<b>*elm*", false, 1, &[("23/tcp", 0.2), ("8/icmp", 0.1)]),
        ],
        findings: findings(),
        tested: Tested {
            ports: 163,
            regions: 41,
            pairs: 380,
            no_history: false,
            silence_regions: 61,
            not_testable: ["JP", "FI", "KE"].map(region).to_vec(),
            lit_only: false,
        },
        tools: Tools {
            packets: 10_900_000,
            rows: vec![
                ToolShare { tool: Tool::None, packets: 7_100_000, share: 0.6514, sources: Some(801_000) },
                ToolShare { tool: Tool::Mirai, packets: 2_180_000, share: 0.2, sources: Some(310_000) },
                ToolShare { tool: Tool::Zmap, packets: 1_090_000, share: 0.1, sources: Some(420) },
                ToolShare { tool: Tool::Masscan, packets: 530_000, share: 0.0486, sources: Some(1_208) },
            ],
            by_port: vec![
                ToolsOf {
                    subject: service("23/tcp"),
                    packets: 3_086_420,
                    shares: vec![
                        ToolShare {
                            tool: Tool::Mirai,
                            packets: 1_975_309,
                            share: 0.64,
                            sources: Some(290_000),
                        },
                        ToolShare { tool: Tool::Masscan, packets: 30_864, share: 0.01, sources: Some(97) },
                    ],
                },
                ToolsOf { subject: service("22/tcp"), packets: 493_827, shares: Vec::new() },
            ],
            by_region: vec![ToolsOf {
                subject: region("NL"),
                packets: 2_300_000,
                shares: vec![ToolShare {
                    tool: Tool::Masscan,
                    packets: 400_000,
                    share: 0.1739,
                    sources: Some(300),
                }],
            }],
            chance: chance(),
            suppressed: 3,
        },
        surveys: Surveys {
            ports_a_day: 10,
            prefixes: 1_204,
            packets: 3_703_703,
            share: 0.3,
            days: 90,
            rows: Vec::new(),
            declared: vec![DeclaredRow {
                organisation: "Example <Census> | 0".into(),
                url: Some("https://scan.example.org/about".into()),
                prefixes: 4,
                packets: 120_000,
            }],
            ports_without: Some(vec![
                WithoutRow { rank: 1, rank_with: 1, subject: service("23/tcp"), packets: 2_900_000 },
                WithoutRow { rank: 2, rank_with: 2, subject: service("445/tcp"), packets: 1_200_000 },
                WithoutRow { rank: 3, rank_with: 5, subject: service("22/tcp"), packets: 450_000 },
            ]),
            regions_without: Some(vec![
                WithoutRow { rank: 1, rank_with: 2, subject: region("RU"), packets: 1_500_000 },
                WithoutRow { rank: 2, rank_with: 4, subject: region("CN"), packets: 1_300_000 },
            ]),
            withheld: Vec::new(),
            slowest: Some(1_864.135),
        },
        backscatter: Backscatter {
            on: true,
            packets: 801_234,
            sources: Some(9_402),
            services: vec![
                BackscatterRow { subject: service("80/tcp"), packets: 410_000, sources: Some(3_200) },
                BackscatterRow { subject: service("443/tcp"), packets: 190_000, sources: Some(2_100) },
            ],
            regions: vec![
                BackscatterRow { subject: region("CN"), packets: 300_000, sources: Some(2_800) },
                BackscatterRow { subject: region("US"), packets: 200_000, sources: None },
            ],
            mismatches: 77,
            victims: 412,
            victim_days: 655,
            moore: 9,
            victim_services: vec![(service("80/tcp"), 300), (service("443/tcp"), 90)],
            attacks: true,
            detectable: Some(111_848.1),
            days: 90,
        },
        advisories: vec![
            AdvisoryMatch {
                id: Some("CVE-2017-17215".into()),
                date: date(2017, 12, 22),
                title: "Huawei HG532 <script>alert(1)</script>|*".into(),
                url: Some("https://www.example.org/a?b=1&c=2".into()),
                note: Some("Exploited by *Mirai* variants | 37215".into()),
                services: vec![AdvisoryService {
                    service: service("37215/tcp"),
                    rank: Some(7),
                    findings: vec!["rise-37215-tcp-2019-11-08".into()],
                }],
            },
            AdvisoryMatch {
                id: None,
                date: date(2019, 10, 24),
                title: "Attacks on Microsoft SQL Server".into(),
                url: None,
                note: None,
                services: vec![AdvisoryService {
                    service: service("1433/tcp"),
                    rank: Some(3),
                    findings: vec!["rise-1433-tcp-2019-10-04".into()],
                }],
            },
        ],
        corrections: vec![
            Correction {
                period: "2019-Q3".into(),
                subject: Subject { service: Some(service("22/tcp")), region: None },
                frozen_rank: Some(4),
                rank: Some(3),
                frozen_packets: Some(470_000),
                packets: 481_234,
            },
            Correction {
                period: "2019-Q3".into(),
                subject: Subject { service: None, region: Some(region("RO")) },
                frozen_rank: None,
                rank: Some(6),
                frozen_packets: None,
                packets: 900_000,
            },
        ],
        parameters: Parameters::default(),
        few_sources: Vec::new(),
        notes: [
            ("report", "# Whole\n\nWe thank *all* who keep sensors."),
            (
                "rise-1433-tcp-2019-10-04",
                "Logs of a honeypot show **brute force** of `sa`.\n\n# Advice\n\n- Close 1433/TCP.\n",
            ),
        ]
        .map(|(id, text)| (id.to_owned(), text.to_owned()))
        .into(),
    }
}

fn chance() -> Vec<ToolChance> {
    let tools = [(Tool::Mirai, 32), (Tool::Zmap, 16), (Tool::Masscan, 16)];
    tools.map(|(tool, bits)| ToolChance { tool, share: 2f64.powi(-bits) }).to_vec()
}

fn part(name: &str, is_group: bool, sensors: u32, ports: &[(&str, f64)]) -> Part {
    let packets = 2_400_000;
    Part {
        name: name.into(),
        is_group,
        sensors,
        packets,
        rate: Some(401.5),
        ports: (1..)
            .zip(ports)
            .map(|(rank, &(text, share))| PartRow {
                rank,
                service: service(text),
                packets: (packets as f64 * share) as u64,
                share,
                sources: Some(10_000 / u64::from(rank)),
            })
            .collect(),
        withheld: Vec::new(),
    }
}

pub(crate) fn stretch(
    text: &str,
    first: Date,
    last: Date,
    offset: &str,
    days_counted: u32,
    observed: f64,
) -> Stretch {
    let after = last.tomorrow().expect("a day after the period of a test");
    Stretch {
        text: text.into(),
        first,
        last,
        from: format!("{first}T00:00:00{offset}"),
        to: format!("{after}T00:00:00{offset}"),
        days: (after - first).get_days().unsigned_abs(),
        days_counted,
        observed,
    }
}

/// A first period in which nothing happened, on one sensor whose addresses are not known.
pub(crate) fn quiet() -> Report {
    let none = date(2019, 9, 30);
    let mut report = sample();
    report.period = stretch("2019-10-01", date(2019, 10, 1), date(2019, 10, 1), "+05:30", 1, 1.0);
    report.previous =
        Stretch { days_counted: 0, observed: 0.0, ..stretch("2019-09-30", none, none, "+05:30", 0, 0.0) };
    report.time_zone = "Asia/Kolkata".into();
    report.home = None;
    report.sensors.truncate(1);
    report.sensors[0].addresses = None;
    report.sensors[0].group = None;
    report.addresses = None;
    report.databases.clear();
    report.quality = Quality { frames: 10, packets: 10, ..Quality::default() };
    report.totals = Totals { packets: 10, sources: Some(4), ..Totals::default() };
    for row in &mut report.ports.rows {
        (row.rate, row.change, row.previous) = (None, None, PreviousRank::Unknown);
    }
    report.ports.rows.truncate(1);
    report.ports.below = Below::default();
    report.regions.rows.clear();
    report.regions.below = Below { unknown: 10, ..Below::default() };
    report.port_trend = Trend {
        first: date(2019, 10, 1),
        is_rate: false,
        series: vec![TrendLine {
            subject: Service { protocol: Protocol::Tcp, number: 23 },
            values: vec![Some(10.0)],
        }],
    };
    report.region_trend.series.clear();
    report.parts.clear();
    report.findings.clear();
    report.tested = Tested { no_history: true, not_testable: vec![region("JP")], ..Tested::default() };
    report.tools = Tools { chance: chance(), ..Tools::default() };
    report.surveys = Surveys { ports_a_day: 10, ..Surveys::default() };
    report.backscatter = Backscatter::default();
    report.advisories.clear();
    report.corrections.clear();
    report.notes.clear();
    report
}

#[test]
fn the_sample_survives_json() {
    for report in [sample(), quiet()] {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
