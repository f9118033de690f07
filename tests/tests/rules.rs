//! Holds the classifier against the table of rules.

use std::{collections::HashSet, net::Ipv6Addr};

use sensor_common::{
    classify::{SourceMasks, classify},
    kind::{Kind, Tool},
};
use teiten_tests::{
    frames::{ARP, GRE, Ipv4, Ipv6, TCP, Tcp, UDP, Udp, ethernet},
    host::{Prefixes, Reaching, classified, hex},
    rules::{Case, Expected, REPLY_PORTS, SourceBits, cases, cases_cut},
};

/// All mismatches, not the first one only.
fn mismatches(cases: &[Case], masks: &SourceMasks) -> Vec<String> {
    let mut found = Vec::new();
    for case in cases {
        let (outcome, verdict) = classified(&case.frame, masks);
        if outcome != case.expected || verdict != case.verdict {
            found.push(format!(
                "{}\n  expected {:?}, {:?}\n  observed {outcome:?}, {verdict:?}\n  frame {}",
                case.name,
                case.expected,
                case.verdict,
                hex(&case.frame),
            ));
        }
    }
    found
}

#[test]
fn classifier_follows_the_rules() {
    let cases = cases();
    let found = mismatches(&cases, &SourceMasks::new(32, 64));
    assert!(found.is_empty(), "{} of {} cases:\n{}", found.len(), cases.len(), found.join("\n"));
}

#[test]
fn classifier_cuts_sources() {
    let mut found = Vec::new();
    for (SourceBits { v4, v6 }, cases) in cases_cut() {
        let name = |mismatch| format!("/{v4} and /{v6}: {mismatch}");
        found.extend(mismatches(&cases, &SourceMasks::new(v4, v6)).into_iter().map(name));
    }
    assert!(found.is_empty(), "{} cases:\n{}", found.len(), found.join("\n"));
}

#[test]
fn longer_source_prefixes_than_there_are_count_as_whole() {
    for (v4, v6) in [(33, 65), (64, 128), (255, 255)] {
        assert_eq!(SourceMasks::new(v4, v6), SourceMasks { v4: 0xffff_ffff, v6: 0xffff_ffff_ffff_ffff });
    }
}

#[test]
fn names_are_unique_and_every_rule_has_cases() {
    let cases = cases();
    let mut names = HashSet::new();
    let twice: Vec<_> = cases.iter().filter(|c| !names.insert(&c.name)).map(|c| &c.name).collect();
    assert!(twice.is_empty(), "{twice:#?}");
    // Classes (8) follow from kinds and are the agent's.
    for rule in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11] {
        assert!(cases.iter().any(|c| c.rule == rule), "rule {rule}");
    }
    for kind in Kind::ALL {
        let has = |c: &Case| matches!(c.expected, Expected::Packet(p) if p.kind == kind);
        assert!(cases.iter().any(has), "{kind:?}");
    }
    // They all fit into one Ethernet frame with its tags, so that every test can send them.
    assert!(cases.iter().all(|c| c.frame.len() <= 1514 + 20));
}

fn kind_and_port(frame: &[u8]) -> (Kind, u16) {
    match classified(frame, &SourceMasks::new(32, 64)).0 {
        Expected::Packet(packet) => (packet.kind, packet.port),
        other => panic!("{other:?}: {}", hex(frame)),
    }
}

#[test]
fn udp_replies_come_from_eighteen_ports() {
    for from in 0..=u16::MAX {
        let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).udp(Udp::new(from, 40001)).frame();
        let expected = if REPLY_PORTS.contains(&from) { (Kind::UdpReply, from) } else { (Kind::Udp, 40001) };
        assert_eq!(kind_and_port(&frame), expected, "from port {from}");
    }
}

#[test]
fn udp_replies_go_to_1024_and_above() {
    for to in 0..=u16::MAX {
        let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).udp(Udp::new(123, to)).frame();
        let expected = if to >= 1024 { (Kind::UdpReply, 123) } else { (Kind::Udp, to) };
        assert_eq!(kind_and_port(&frame), expected, "to port {to}");
    }
}

#[test]
fn zmap_has_one_identification() {
    for id in 0..=u16::MAX {
        // masscan's mark would be 0x5c87.
        let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).id(id).tcp(Tcp::syn(40000, 23)).frame();
        let expected = match id {
            54321 => Tool::Zmap,
            0x5c87 => Tool::Masscan,
            _ => Tool::None,
        };
        let Expected::Packet(packet) = classified(&frame, &SourceMasks::new(32, 64)).0 else {
            panic!("{}", hex(&frame))
        };
        assert_eq!(packet.tool, expected, "identification {id}");
    }
}

/// How many bytes the classifier must reach; with fewer it must ask for more, with more it must say
/// the same as with all.
fn needed(frame: &[u8]) -> Result<usize, String> {
    let masks = SourceMasks::new(32, 64);
    let watch = Prefixes::watched();
    let whole = classify(frame, &watch, &masks).map_err(|_| "out of reach with all of the frame")?;
    let mut needed = None;
    for reach in 0..=frame.len() {
        match (classify(&Reaching { frame, reach }, &watch, &masks), needed) {
            (Ok(verdict), _) if verdict != whole => {
                return Err(format!("{verdict:?} with {reach} bytes, {whole:?} with all"));
            }
            (Ok(_), None) => needed = Some(reach),
            (Err(_), Some(needed)) => {
                return Err(format!("out of reach with {reach} bytes, not with {needed}"));
            }
            (Ok(_), Some(_)) | (Err(_), None) => {}
        }
    }
    needed.ok_or_else(|| "never within reach".to_owned())
}

#[test]
fn what_is_not_reached_is_asked_for() {
    let found: Vec<_> = cases()
        .iter()
        .filter_map(|case| needed(&case.frame).err().map(|error| format!("{}: {error}", case.name)))
        .collect();
    assert!(found.is_empty(), "{} cases:\n{}", found.len(), found.join("\n"));
}

#[test]
fn payloads_are_not_asked_for() {
    let payload = [0xaa; 1000];
    let tcp = [&Tcp::syn(40000, 23).bytes()[..], &payload].concat();
    let udp = [&Udp::new(40000, 23).bytes()[..], &payload].concat();
    let (from4, to4) = ([198, 51, 100, 7], [192, 0, 2, 1]);
    let (from6, to6) = (0x2001_0db8_0002_u128 << 80 | 1, 0x2001_0db8_0001_u128 << 80 | 1);
    let ipv6 = || Ipv6::new(Ipv6Addr::from_bits(from6), Ipv6Addr::from_bits(to6));
    for (name, frame, most) in [
        ("TCP", Ipv4::new(from4, to4).carrying(TCP, &tcp).frame(), 54),
        ("UDP", Ipv4::new(from4, to4).carrying(UDP, &udp).frame(), 42),
        ("GRE", Ipv4::new(from4, to4).carrying(GRE, &payload).frame(), 34),
        ("a fragment", Ipv4::new(from4, to4).fragment(1, true).carrying(TCP, &payload).frame(), 34),
        ("TCP over IPv6", ipv6().carrying(TCP, &tcp).frame(), 74),
        ("UDP over IPv6", ipv6().carrying(UDP, &udp).frame(), 62),
        ("no IP", ethernet(ARP, &payload), 18),
    ] {
        let needed = needed(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(needed <= most, "{name} needs {needed} bytes, not {most}");
    }
}
