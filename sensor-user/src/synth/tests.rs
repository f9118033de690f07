//! The frames as the classifier and an independent parser see them.

mod scenarios;

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use etherparse::{NetSlice, SlicedPacket, TransportSlice, checksum};
use ipnet::IpNet;
use sensor_common::{
    classify::{Counted, SourceMasks, Verdict, Watch, classify},
    kind::{Family, Kind, Tool},
};

use super::{
    plan::Make,
    scenario::{Amount, Answer, ServiceEntry},
    *,
};
use crate::{
    geo::{Geo, Paths, tests::tables_of},
    model::{Class, Protocol, Role},
};

const FRAMES: usize = 100_000;

fn watched() -> Vec<IpNet> {
    prefixes(&demo())
}

/// What is watched on the first day of a plan.
fn prefixes(plan: &Plan) -> Vec<IpNet> {
    let sensors = plan.watches[plan.days[0].watch].sensors.as_ref().unwrap();
    sensors.watched().into_iter().map(|(prefix, _)| prefix).collect()
}

struct Prefixes(Vec<IpNet>);

impl Watch for Prefixes {
    fn v4(&self, destination: [u8; 4]) -> Option<u8> {
        let address = IpAddr::from(destination);
        self.0.iter().position(|prefix| prefix.contains(&address)).map(|sensor| sensor as u8)
    }

    fn v6(&self, destination: [u8; 16]) -> Option<u8> {
        let address = IpAddr::from(destination);
        self.0.iter().position(|prefix| prefix.contains(&address)).map(|sensor| sensor as u8)
    }
}

fn verdict(frame: &[u8], watched: &[IpNet]) -> Verdict {
    classify(frame, &Prefixes(watched.to_vec()), &SourceMasks::new(32, 64)).unwrap()
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse("test", text).unwrap_or_else(|error| panic!("{error}"))
}

fn demo() -> Plan {
    Plan::new(scenario(DEMO)).unwrap()
}

/// A database in which every region of a plan but Lithuania has two networks of IPv4 and one of IPv6.
fn geo_of(plan: &Plan) -> Arc<Tables> {
    let codes = plan.regions.iter().map(ToString::to_string).filter(|code| code != "LT");
    // Texts of a test's database live as long as the test.
    let codes: Vec<&'static str> = codes.map(|code| &*code.leak()).collect();
    if codes.is_empty() {
        return no_geo();
    }
    let networks: Vec<(String, &str)> = codes
        .iter()
        .enumerate()
        .flat_map(|(number, &code)| {
            let networks = [
                format!("{}.{}.0.0/16", 20 + number, number),
                format!("{}.9.128.0/17", 130 - number),
                format!("2a{number:02x}::/20"),
            ];
            networks.map(|network| (network, code))
        })
        .collect();
    tables_of(&networks)
}

fn geo() -> Arc<Tables> {
    geo_of(&demo())
}

fn no_geo() -> Arc<Tables> {
    Geo::open(Paths::default()).unwrap().tables()
}

fn traffic_of(plan: Plan, seed: u64, geo: &Tables) -> impl Iterator<Item = (Made, Vec<u8>)> {
    let mut traffic = Traffic::new(plan, seed, geo);
    std::iter::from_fn(move || {
        let mut frame = Vec::new();
        let made = traffic.next_frame(&mut frame);
        Some((made, frame))
    })
}

fn traffic(seed: u64, geo: &Tables) -> impl Iterator<Item = (Made, Vec<u8>)> {
    traffic_of(demo(), seed, geo)
}

/// The shares of shapes among all frames that a plan's first day asks for.
fn shares(plan: &Plan) -> HashMap<Shape, f64> {
    let mut shares = HashMap::new();
    for (cell, rate) in plan.cells.iter().zip(plan.rates(0)) {
        let shape = match plan.streams[cell.stream].make {
            Make::Noise(shape) => shape,
            _ => Shape::Scan,
        };
        *shares.entry(shape).or_insert(0.0) += rate;
    }
    for entry in &plan.scenario.backscatter {
        let attack = entry.get_ref();
        let packets = attack.attacks.0 * f64::from(attack.minutes) * attack.rate.0;
        let all: f64 = attack.answers.values().map(|weight| weight.0).sum();
        for (answer, weight) in &attack.answers {
            let shape = match answer {
                Answer::Synack => Shape::SynAck,
                Answer::Rst => Shape::Rst,
                Answer::UdpReply => Shape::UdpReply,
                Answer::EchoReply => Shape::EchoReply,
                Answer::IcmpError => Shape::IcmpError,
            };
            *shares.entry(shape).or_insert(0.0) += packets * weight.0 / all;
        }
    }
    let sum: f64 = shares.values().sum();
    shares.values_mut().for_each(|share| *share /= sum);
    shares
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let geo = geo();
    let frames = |seed| traffic(seed, &geo).take(2000).collect::<Vec<_>>();
    assert_eq!(frames(1), frames(1));
    assert_ne!(frames(1), frames(2));
    // A buffer in which something stands changes nothing.
    let mut again = Traffic::new(demo(), 1, &geo);
    let mut frame = vec![7; 3000];
    for (made, expected) in frames(1) {
        assert_eq!((again.next_frame(&mut frame), &frame), (made, &expected));
    }
}

/// What each shape must be to the classifier.
fn is_as_made(shape: Shape, verdict: &Verdict) -> bool {
    let kind = match verdict {
        Verdict::Packet(Counted { key, .. }) => Some(key.kind),
        _ => None,
    };
    match shape {
        Shape::Scan => matches!(kind, Some(Kind::Syn | Kind::Udp | Kind::Sctp | Kind::Echo)),
        Shape::Probe => kind == Some(Kind::Tcp),
        Shape::Query => kind == Some(Kind::Icmp),
        Shape::SynAck => kind == Some(Kind::SynAck),
        Shape::Rst => kind == Some(Kind::Rst),
        Shape::UdpReply => kind == Some(Kind::UdpReply),
        Shape::EchoReply => kind == Some(Kind::IcmpReply),
        Shape::IcmpError => matches!(
            kind,
            Some(Kind::IcmpErrorTcp | Kind::IcmpErrorUdp | Kind::IcmpErrorIcmp | Kind::IcmpErrorOther)
        ),
        Shape::IcmpMismatch => kind == Some(Kind::IcmpMismatch),
        Shape::Fragment => kind == Some(Kind::Fragment),
        Shape::Gre => kind == Some(Kind::Ip),
        Shape::Arp | Shape::NonIp => *verdict == Verdict::NonIp,
        Shape::Malformed => *verdict == Verdict::Malformed,
        Shape::Unwatched => *verdict == Verdict::Unwatched,
        Shape::Local => *verdict == Verdict::Local,
    }
}

/// Holds a count against the share that is wanted: five standard deviations either way.
fn assert_share(what: &dyn std::fmt::Debug, count: usize, of: usize, share: f64) {
    let expected = of as f64 * share;
    let sd = (expected * (1.0 - share)).sqrt();
    assert!(
        (count as f64 - expected).abs() <= 5.0 * sd + 1.0,
        "{what:?}: {count} of {of}, {expected:.0} wanted"
    );
}

#[test]
fn frames_are_what_they_are_made_to_be_in_the_shares_asked() {
    let (watched, geo) = (watched(), geo());
    let (mut shapes, mut kinds, mut families) = (HashMap::new(), HashSet::new(), [0; 2]);
    let (mut sensors, mut tags) = ([0; 3], [0; 3]);
    for (made, frame) in traffic(3, &geo).take(FRAMES) {
        assert!((15..=1514).contains(&frame.len()), "{made:?}: {} bytes", frame.len());
        let verdict = verdict(&frame, &watched);
        assert!(is_as_made(made.shape, &verdict), "{made:?} is {verdict:?}: {frame:02x?}");
        *shapes.entry(made.shape).or_insert(0) += 1;
        if let Verdict::Packet(Counted { key, .. }) = verdict {
            kinds.insert((key.kind, key.family));
            families[key.family as usize] += 1;
            sensors[usize::from(key.sensor)] += 1;
            let tagged = [12, 16].iter().filter(|&&at| matches!(frame[at..at + 2], [0x81, 0] | [0x88, 0xa8]));
            tags[tagged.count()] += 1;
        }
    }
    let (plan, wanted) = (demo(), shares(&demo()));
    assert_eq!(wanted.len(), 16, "every shape is asked for: {wanted:?}");
    for (shape, share) in wanted {
        assert_share(&shape, shapes[&shape], FRAMES, share);
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(&(kind, Family::V4)), "no {kind:?} over IPv4");
    }
    let packets = families[0] + families[1];
    let noise = plan.scenario.noise;
    assert_share(&"IPv6", families[1], packets, noise.ipv6.0 / 1000.0);
    assert_share(&"one tag", tags[1], packets, noise.vlan.0 / 1000.0);
    assert_share(&"two tags", tags[2], packets, noise.double_vlan.0 / 1000.0);
    assert_share(&"larger sensor", sensors[0], families[0], 256.0 / 384.0);
}

#[test]
fn services_and_tools_are_in_the_shares_asked() {
    let watched = watched();
    let (mut services, mut mirai, mut tools, mut scans) = (HashMap::new(), 0, HashMap::new(), 0);
    for (made, frame) in traffic(4, &geo()).take(FRAMES) {
        let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) else { continue };
        if made.shape != Shape::Scan {
            continue;
        }
        scans += 1;
        *services.entry((key.kind, key.port)).or_insert(0) += 1;
        if key.kind == Kind::Syn && key.family == Family::V4 {
            *tools.entry(key.tool).or_insert(0) += 1;
            mirai += usize::from(key.port == 23 && key.tool == Tool::Mirai);
        }
    }
    let scenario = demo().scenario;
    let share = |entry: &ServiceEntry| entry.share.unwrap().0;
    let all: f64 = scenario.services.iter().map(|entry| share(entry.get_ref())).sum();
    for entry in &scenario.services {
        let entry = entry.get_ref();
        let Target::Service(service) = entry.port else { continue };
        let key = match service.protocol {
            Protocol::Tcp => (Kind::Syn, service.number),
            Protocol::Udp => (Kind::Udp, service.number),
            Protocol::Sctp => (Kind::Sctp, service.number),
            _ => continue,
        };
        assert_share(&service, services[&key], scans, share(entry) / all);
    }
    let over_v4 = 1.0 - scenario.noise.ipv6.0 / 1000.0;
    assert_share(&"mirai on 23", mirai, services[&(Kind::Syn, 23)], 0.55 * over_v4);
    for tool in Tool::ALL {
        assert!(tools[&tool] > 3000, "{tools:?}");
    }
    // The order of October to December 2019.
    let mut ranking: Vec<_> = services.into_iter().map(|(key, packets)| (packets, key)).collect();
    ranking.sort_unstable();
    let first: Vec<_> = ranking.iter().rev().map(|(_, (_, port))| *port).take(5).collect();
    assert_eq!(first, [23, 445, 1433, 80, 22]);
}

#[test]
fn sources_are_in_the_region_that_was_drawn() {
    let (watched, geo) = (watched(), geo());
    let (mut regions, mut anywhere, mut packets) = (HashMap::new(), 0, 0);
    let (mut databases, mut sources) = (HashMap::new(), HashSet::new());
    for (made, frame) in traffic(5, &geo).take(FRAMES) {
        let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) else { continue };
        packets += 1;
        let found = geo.region(key.family, key.source);
        match made.region {
            Some(region) => assert_eq!(found, region, "{made:?}: {key:x?}"),
            None => anywhere += 1,
        }
        sources.insert((key.family, key.source));
        if Class::of(key.kind, Role::Dark) == Class::Scan {
            *regions.entry(found).or_insert(0) += 1;
            if key.kind == Kind::Syn && key.port == 1433 {
                *databases.entry(found).or_insert(0) += 1;
            }
        }
    }
    assert!(anywhere < packets / 100, "only Lithuania is missing: {anywhere} of {packets}");
    assert!((packets / 20..packets / 2).contains(&sources.len()), "{} sources", sources.len());
    let ranking = |counts: &HashMap<Region, usize>, most| {
        let mut counts: Vec<_> = counts.iter().map(|(region, count)| (*count, region.to_string())).collect();
        counts.sort_unstable();
        counts.into_iter().rev().map(|(_, region)| region).take(most).collect::<Vec<_>>()
    };
    // The order of October to December 2019.
    assert_eq!(ranking(&regions, 5), ["NL", "RU", "US", "CN", "RO"], "{regions:?}");
    assert_eq!(ranking(&databases, 5), ["CN", "US", "IN", "VN", "RU"], "{databases:?}");
    assert!(regions.len() > 30);
    assert!(regions[&Region::NON_ROUTABLE] > 0);
}

#[test]
fn without_a_database_sources_are_anywhere_that_is_routed() {
    let (watched, geo) = (watched(), no_geo());
    for (made, frame) in traffic(6, &geo).take(20_000) {
        let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) else { continue };
        assert_eq!(geo.region(key.family, key.source), made.region.unwrap_or(Region::UNKNOWN), "{made:?}");
    }
}

#[test]
fn any_watched_prefixes_will_do() {
    let geo = no_geo();
    for texts in [&["2001:db8::/32"][..], &["203.0.113.9/32"], &["0.0.0.0/0", "::/0"], &["::1/128"]] {
        let watched: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let mut few = scenario(DEMO);
        if texts[0] == "0.0.0.0/0" {
            // As a day to all of IPv4 has too many packets.
            few.packets = Amount(1e-4);
            few.surges.clear();
        }
        let sensor = format!("a={}", texts.join(",")).parse().unwrap();
        let plan = Plan::new(few.with_sensors(vec![sensor])).unwrap();
        for (made, frame) in traffic_of(plan, 7, &geo).take(5000) {
            let verdict = verdict(&frame, &watched);
            // Drawn from everywhere, destinations are multicast at times.
            if !(texts[0] == "0.0.0.0/0" && verdict == Verdict::Local) {
                assert!(
                    is_as_made(made.shape, &verdict),
                    "{made:?} to {texts:?} is {verdict:?}: {frame:02x?}"
                );
            }
        }
    }
}

/// Every checksum, by a parser that shares nothing with the builder.
#[test]
fn checksums_hold() {
    let mut checked = HashMap::new();
    for (made, frame) in traffic(8, &geo()).take(30_000) {
        if matches!(made.shape, Shape::Malformed | Shape::Arp | Shape::NonIp) {
            continue;
        }
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        match packet.net.as_ref().unwrap() {
            NetSlice::Ipv4(ip) => {
                let header = ip.header().to_header();
                assert_eq!(header.header_checksum, header.calc_header_checksum(), "{made:?}");
                if ip.is_payload_fragmented() {
                    continue;
                }
                let (source, destination) = (header.source, header.destination);
                let sum = match packet.transport.as_ref() {
                    Some(TransportSlice::Tcp(tcp)) => {
                        let header = tcp.to_header();
                        let sum = header.calc_checksum_ipv4_raw(source, destination, tcp.payload()).unwrap();
                        (header.checksum, sum)
                    }
                    Some(TransportSlice::Udp(udp)) => {
                        let header = udp.to_header();
                        let sum = header.calc_checksum_ipv4_raw(source, destination, udp.payload()).unwrap();
                        (header.checksum, sum)
                    }
                    Some(TransportSlice::Icmpv4(icmp)) => {
                        let sum = checksum::Sum16BitWords::new().add_slice(icmp.slice());
                        assert_eq!(sum.ones_complement(), 0, "{made:?}");
                        continue;
                    }
                    _ => continue,
                };
                assert_eq!(sum.0, sum.1, "{made:?}");
                *checked.entry(("IPv4", made.shape)).or_insert(0) += 1;
            }
            NetSlice::Ipv6(ip) => {
                let (source, destination) = (ip.header().source(), ip.header().destination());
                let (found, sum) = match packet.transport.as_ref() {
                    Some(TransportSlice::Tcp(tcp)) => {
                        let header = tcp.to_header();
                        let sum = header.calc_checksum_ipv6_raw(source, destination, tcp.payload()).unwrap();
                        (header.checksum, sum)
                    }
                    Some(TransportSlice::Udp(udp)) => {
                        let header = udp.to_header();
                        let sum = header.calc_checksum_ipv6_raw(source, destination, udp.payload()).unwrap();
                        (header.checksum, sum)
                    }
                    Some(TransportSlice::Icmpv6(icmp)) => {
                        assert!(icmp.is_checksum_valid(source, destination), "{made:?}");
                        continue;
                    }
                    _ => continue,
                };
                assert_eq!(found, sum, "{made:?}");
                *checked.entry(("IPv6", made.shape)).or_insert(0) += 1;
            }
            NetSlice::Arp(_) => panic!("{made:?} is ARP"),
        }
    }
    for family in ["IPv4", "IPv6"] {
        for shape in [Shape::Scan, Shape::SynAck, Shape::UdpReply] {
            assert!(checked.contains_key(&(family, shape)), "{family} {shape:?}: {checked:?}");
        }
    }
}
