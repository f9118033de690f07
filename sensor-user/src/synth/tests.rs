//! The frames as the classifier and an independent parser see them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use etherparse::{NetSlice, SlicedPacket, TransportSlice, checksum};
use sensor_common::{
    classify::{Counted, SourceMasks, Verdict, Watch, classify},
    kind::{Kind, Tool},
};

use super::*;
use crate::{
    geo::{Geo, Paths, tests::tables_of},
    model::{Class, Role},
};

const FRAMES: usize = 100_000;

fn watched() -> Vec<IpNet> {
    ["192.0.2.0/24", "198.51.100.0/25", "2001:db8:1::/48"].map(|prefix| prefix.parse().unwrap()).to_vec()
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

/// A database in which every region but Lithuania has two networks of IPv4 and one of IPv6.
fn geo() -> Arc<Tables> {
    let crowds =
        [Crowd::Scanners, Crowd::Devices, Crowd::Offices, Crowd::Databases, Crowd::Servers, Crowd::Gateways];
    let codes: HashSet<&'static str> = crowds
        .iter()
        .flat_map(|&crowd| mix::regions(crowd))
        .chain(VICTIMS)
        .map(|&(code, _)| code)
        .filter(|&code| code != "LT")
        .collect();
    let mut codes: Vec<_> = codes.into_iter().collect();
    codes.sort_unstable();
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

fn no_geo() -> Arc<Tables> {
    Geo::open(Paths::default()).unwrap().tables()
}

fn traffic(seed: u64, watched: &[IpNet], geo: &Tables) -> impl Iterator<Item = (Made, Vec<u8>)> {
    let mut traffic = Traffic::new(seed, watched, geo).unwrap();
    std::iter::from_fn(move || {
        let mut frame = Vec::new();
        let made = traffic.next_frame(&mut frame);
        Some((made, frame))
    })
}

#[test]
fn nobody_to_send_to() {
    assert!(Traffic::new(1, &[], &no_geo()).is_err());
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let geo = geo();
    let frames = |seed| traffic(seed, &watched(), &geo).take(2000).collect::<Vec<_>>();
    assert_eq!(frames(1), frames(1));
    assert_ne!(frames(1), frames(2));
    // A buffer in which something stands changes nothing.
    let mut again = Traffic::new(1, &watched(), &geo).unwrap();
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
    for (made, frame) in traffic(3, &watched, &geo).take(FRAMES) {
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
    for (shape, share) in Shape::SHARES {
        assert_share(&shape, shapes[&shape], FRAMES, share as f64 / 1000.0);
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(&(kind, Family::V4)), "no {kind:?} over IPv4");
    }
    assert_eq!(Shape::SHARES.iter().map(|(_, share)| share).sum::<u64>(), 1000);
    let packets = families[0] + families[1];
    assert_share(&"IPv6", families[1], packets, OVER_V6 as f64 / 1000.0);
    assert_share(&"one tag", tags[1], packets, TAGGED as f64 / 1000.0);
    assert_share(&"two tags", tags[2], packets, DOUBLE_TAGGED as f64 / 1000.0);
    assert_share(&"larger sensor", sensors[0], families[0], 256.0 / 384.0);
}

#[test]
fn services_and_tools_are_in_the_shares_asked() {
    let watched = watched();
    let (mut services, mut mirai, mut tools, mut scans) = (HashMap::new(), 0, HashMap::new(), 0);
    for (made, frame) in traffic(4, &watched, &geo()).take(FRAMES) {
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
    let all: u64 = SERVICES.iter().map(|(_, weight, ..)| weight).sum();
    for &(service, weight, ..) in SERVICES {
        let key = match service {
            Service::Tcp(port) => (Kind::Syn, port),
            Service::Udp(port) => (Kind::Udp, port),
            Service::Sctp(port) => (Kind::Sctp, port),
            Service::Ping | Service::AnyTcp => continue,
        };
        assert_share(&service, services[&key], scans, weight as f64 / all as f64);
    }
    assert_share(&"mirai on 23", mirai, services[&(Kind::Syn, 23)], 0.55 * (1.0 - OVER_V6 as f64 / 1000.0));
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
    for (made, frame) in traffic(5, &watched, &geo).take(FRAMES) {
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
    for (made, frame) in traffic(6, &watched, &geo).take(20_000) {
        let Verdict::Packet(Counted { key, .. }) = verdict(&frame, &watched) else { continue };
        assert_eq!(geo.region(key.family, key.source), made.region.unwrap_or(Region::UNKNOWN), "{made:?}");
    }
}

#[test]
fn any_watched_prefixes_will_do() {
    let geo = no_geo();
    for texts in [&["2001:db8::/32"][..], &["203.0.113.9/32"], &["0.0.0.0/0", "::/0"], &["::1/128"]] {
        let watched: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
        for (made, frame) in traffic(7, &watched, &geo).take(5000) {
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
    for (made, frame) in traffic(8, &watched(), &geo()).take(30_000) {
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
