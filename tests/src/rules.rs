//! The accounting rules as a table: frames, and what must become of each.
//!
//! The rules are numbered as in the documentation:
//!
//! 1. Ethernet and VLAN tags; 2. IPv4 and IPv6 headers; 3. unwatched and local packets;
//! 4. IPv6 extension headers and fragments; 5. where a packet ends and how much of its transport
//!    header must be there; 6. kinds; 7. what a key holds; 8. classes, which follow from kinds;
//! 9. tools; 10. bytes; 11. what `--action drop` drops.
//!
//! Expectations are written from the rules, as numbers wherever that can be read, and never with
//! the classifier's own helpers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_common::kind::{Family, Kind, Tool};

use crate::frames::*;

/// The prefixes that are watched in all cases, with the numbers of their sensors. Among them are
/// prefixes inside others, and the neighbourhood of multicast addresses.
pub const WATCHED: &[(&str, u8)] = &[
    ("192.0.2.0/24", 0),
    ("192.0.2.128/25", 1),
    ("192.0.2.200/32", 2),
    ("222.0.0.0/7", 3),
    ("224.0.0.0/3", 3),
    ("2001:db8:1::/48", 0),
    ("2001:db8:1:8000::/49", 1),
    ("2001:db8:1:8000::c8/128", 2),
    ("fe00::/7", 3),
];

/// A frame and what must become of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique within its table.
    pub name: String,
    /// The rule that the case is about.
    pub rule: u8,
    pub frame: Vec<u8>,
    pub expected: Expected,
    /// What an XDP program that was told to drop must do.
    pub verdict: Xdp,
}

/// How a frame must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    NonIp,
    Malformed,
    Unwatched,
    Local,
    Packet(Packet),
}

/// What a counted packet must be counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// IPv4 address, or upper half of the IPv6 address, in host order.
    pub source: u64,
    pub port: u16,
    pub kind: Kind,
    pub family: Family,
    pub tool: Tool,
    pub sensor: u8,
    /// IP bytes.
    pub bytes: u32,
}

/// An XDP verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xdp {
    Pass,
    Drop,
}

/// To how many bits sources are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceBits {
    pub v4: u8,
    pub v6: u8,
}

/// A prefix as [`WATCHED`] writes it, as its address and its length in bits.
///
/// # Panics
///
/// If it is none.
pub fn prefix(text: &str) -> (IpAddr, u32) {
    let (address, bits) = text.split_once('/').expect("a prefix has a slash");
    (address.parse().expect("an address"), bits.parse().expect("a prefix length"))
}

const V4_FROM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const V4_TO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Where packets went that errors quote.
const V4_VICTIM: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const V4_FROM_KEY: u64 = 0xc633_6407;
const V4_VICTIM_KEY: u64 = 0xcb00_7109;

const V6_FROM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff01, 0x203, 0x405, 0x607, 0x809, 0xa0b);
const V6_TO: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const V6_VICTIM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0x9a9b, 0x9c9d, 0, 0, 9);
const V6_FROM_KEY: u64 = 0x2001_0db8_ff01_0203;
const V6_VICTIM_KEY: u64 = 0x2001_0db8_0099_9a9b;

const TAGS: [u16; 3] = [VLAN, SERVICE_VLAN, OLD_VLAN];

/// All extension headers but those for fragments and authentication.
const PLAIN_EXTENSIONS: [u8; 6] = [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6];

/// Services whose answers are told by their source port.
pub const REPLY_PORTS: [u16; 18] =
    [17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 443, 500, 1900, 3478, 3702, 5353, 5683, 11211];

fn ipv4() -> Ipv4 {
    Ipv4::new(V4_FROM, V4_TO)
}

fn ipv6() -> Ipv6 {
    Ipv6::new(V6_FROM, V6_TO)
}

/// A SYN to port 23, 20 bytes, with no tool's mark.
fn syn() -> Tcp {
    Tcp::syn(40000, 23)
}

/// Counted as from [`V4_FROM`] to sensor 0.
fn v4(kind: Kind, port: u16, bytes: u32) -> Expected {
    let family = Family::V4;
    Expected::Packet(Packet { source: V4_FROM_KEY, port, kind, family, tool: Tool::None, sensor: 0, bytes })
}

/// Counted as from [`V6_FROM`] to sensor 0.
fn v6(kind: Kind, port: u16, bytes: u32) -> Expected {
    let family = Family::V6;
    Expected::Packet(Packet { source: V6_FROM_KEY, port, kind, family, tool: Tool::None, sensor: 0, bytes })
}

/// Counted under the victim of a quoted packet.
fn v4_error(kind: Kind, port: u16, bytes: u32) -> Expected {
    v4(kind, port, bytes).source(V4_VICTIM_KEY)
}

/// Counted under the victim of a quoted packet.
fn v6_error(kind: Kind, port: u16, bytes: u32) -> Expected {
    v6(kind, port, bytes).source(V6_VICTIM_KEY)
}

impl Expected {
    fn map(self, change: impl FnOnce(&mut Packet)) -> Self {
        let Self::Packet(mut packet) = self else { panic!("only packets have a key") };
        change(&mut packet);
        Self::Packet(packet)
    }

    fn source(self, source: u64) -> Self {
        self.map(|p| p.source = source)
    }

    fn tool(self, tool: Tool) -> Self {
        self.map(|p| p.tool = tool)
    }

    fn sensor(self, sensor: u8) -> Self {
        self.map(|p| p.sensor = sensor)
    }
}

/// Cases in the making.
#[derive(Default)]
struct Table {
    rule: u8,
    cases: Vec<Case>,
}

impl Table {
    /// Counted packets are dropped, all else passes.
    fn add(&mut self, name: impl Into<String>, frame: Vec<u8>, expected: Expected) {
        let verdict = match expected {
            Expected::Packet(_) => Xdp::Drop,
            _ => Xdp::Pass,
        };
        self.push(name, frame, expected, verdict);
    }

    /// Neighbour discovery: counted, and passes all the same.
    fn add_passing(&mut self, name: impl Into<String>, frame: Vec<u8>, expected: Expected) {
        self.push(name, frame, expected, Xdp::Pass);
    }

    fn push(&mut self, name: impl Into<String>, frame: Vec<u8>, expected: Expected, verdict: Xdp) {
        let name = format!("{}: {}", self.rule, name.into());
        self.cases.push(Case { name, rule: self.rule, frame, expected, verdict });
    }
}

/// Adds the cases of one subject.
type Section = fn(&mut Table);

/// All cases under whole sources: 32 and 64 bits.
pub fn cases() -> Vec<Case> {
    let mut table = Table::default();
    let sections: [(u8, Section); 15] = [
        (1, ethernet_header),
        (1, vlan_tags),
        (2, ipv4_header),
        (2, ipv6_header),
        (3, unwatched_and_local),
        (3, order_of_outcomes),
        (4, extension_headers),
        (4, fragments),
        (5, ends_of_packets),
        (6, kinds),
        (7, keys),
        (7, quotations_v4),
        (7, quotations_v6),
        (9, tools),
        (10, bytes),
    ];
    for (rule, section) in sections {
        table.rule = rule;
        section(&mut table);
    }
    table.rule = 11;
    neighbour_discovery(&mut table);
    table.cases
}

fn ethernet_header(t: &mut Table) {
    for len in 0..14 {
        t.add(format!("{len} bytes of IPv4"), cut(ipv4().tcp(syn()).frame(), len), Expected::Malformed);
        t.add(format!("{len} bytes of ARP"), cut(ethernet(ARP, &[0; 28]), len), Expected::Malformed);
        t.add(
            format!("{len} bytes of a tagged frame"),
            cut(ipv4().tagged(&[VLAN]), len),
            Expected::Malformed,
        );
    }
    t.add("14 bytes of IPv4", cut(ipv4().tcp(syn()).frame(), 14), Expected::Malformed);
    t.add("14 bytes of IPv6", cut(ipv6().tcp(syn()).frame(), 14), Expected::Malformed);
    t.add("14 bytes of ARP", cut(ethernet(ARP, &[0; 28]), 14), Expected::NonIp);

    let packet = ipv4().tcp(syn()).packet();
    let others: [(&str, u16); 26] = [
        ("ARP", ARP),
        ("LLC, length 0", 0),
        ("LLC, length 46", 46),
        ("LLC, length 1500", 1500),
        ("the lowest EtherType", 0x0600),
        ("MPLS", 0x8847),
        ("MPLS multicast", 0x8848),
        ("PPPoE discovery", 0x8863),
        ("PPPoE session", 0x8864),
        ("EAPOL", 0x888e),
        ("MACsec", 0x88e5),
        ("LLDP", 0x88cc),
        ("one below IPv4", 0x07ff),
        ("one above IPv4", 0x0801),
        ("IPv4 in the other byte order", 0x0008),
        ("one below IPv6", 0x86dc),
        ("one above IPv6", 0x86de),
        ("IPv6 in the other byte order", 0xdd86),
        ("one below a VLAN tag", 0x80ff),
        ("one above a VLAN tag", 0x8101),
        ("a VLAN tag in the other byte order", 0x0081),
        ("one below a service tag", 0x88a7),
        ("one above a service tag", 0x88a9),
        ("one above an old tag", 0x9101),
        ("another old tag", 0x9200),
        ("the highest EtherType", 0xffff),
    ];
    for (name, ethertype) in others {
        t.add(name, ethernet(ethertype, &packet), Expected::NonIp);
        t.add(format!("{name}, tagged"), ethernet_tagged(&[VLAN], ethertype, &packet), Expected::NonIp);
        t.add(format!("{name}, no payload"), ethernet(ethertype, &[]), Expected::NonIp);
    }
    t.add(
        "IPv6 behind the EtherType of IPv4",
        ethernet(IPV4, &ipv6().tcp(syn()).packet()),
        Expected::Malformed,
    );
    t.add(
        "IPv4 behind the EtherType of IPv6",
        ethernet(IPV6, &ipv4().tcp(syn()).packet()),
        Expected::Malformed,
    );
}

fn vlan_tags(t: &mut Table) {
    for tag in TAGS {
        for count in 0..=4 {
            let tags = vec![tag; count];
            let name = format!("{count} tags {tag:#06x}");
            t.add(format!("{name}, IPv4"), ipv4().tcp(syn()).tagged(&tags), v4(Kind::Syn, 23, 40));
            t.add(format!("{name}, IPv6"), ipv6().tcp(syn()).tagged(&tags), v6(Kind::Syn, 23, 60));
            t.add(format!("{name}, ARP"), ethernet_tagged(&tags, ARP, &[0; 28]), Expected::NonIp);
        }
        let five = vec![tag; 5];
        t.add(format!("5 tags {tag:#06x}, IPv4"), ipv4().tcp(syn()).tagged(&five), Expected::Malformed);
        t.add(format!("5 tags {tag:#06x}, IPv6"), ipv6().tcp(syn()).tagged(&five), Expected::Malformed);
        t.add(format!("5 tags {tag:#06x}, ARP"), ethernet_tagged(&five, ARP, &[0; 28]), Expected::Malformed);
        // The whole frame is tags and nothing else, the last one whole and followed by IPv4.
        for count in 1..=5 {
            for have in 0..TAG_LEN {
                let frame = ipv4().tcp(syn()).tagged(&vec![tag; count]);
                let len = ETHERNET_LEN + TAG_LEN * (count - 1) + have;
                t.add(
                    format!("{have} bytes of tag {count} of {tag:#06x}"),
                    cut(frame, len),
                    Expected::Malformed,
                );
            }
        }
        t.add(
            format!("{tag:#06x} and the end of the frame"),
            ethernet_tagged(&[tag], IPV4, &[]),
            Expected::Malformed,
        );
        t.add(
            format!("{tag:#06x} and ARP and the end of the frame"),
            ethernet_tagged(&[tag], ARP, &[]),
            Expected::NonIp,
        );
    }
    for first in TAGS {
        for second in TAGS {
            let tags = [first, second];
            t.add(format!("mixed tags {tags:04x?}"), ipv4().tcp(syn()).tagged(&tags), v4(Kind::Syn, 23, 40));
            for fourth in TAGS {
                let tags = [first, second, SERVICE_VLAN, fourth];
                t.add(
                    format!("mixed tags {tags:04x?}"),
                    ipv4().tcp(syn()).tagged(&tags),
                    v4(Kind::Syn, 23, 40),
                );
                for fifth in TAGS {
                    let tags = [first, second, SERVICE_VLAN, fourth, fifth];
                    let frame = ipv4().tcp(syn()).tagged(&tags);
                    t.add(format!("mixed tags {tags:04x?}"), frame, Expected::Malformed);
                }
            }
        }
    }
    // The number of a VLAN is no EtherType.
    let frame = with_byte(with_byte(ipv4().tcp(syn()).tagged(&[VLAN]), 14, 0x81), 15, 0x00);
    t.add("VLAN 256, priority 4, looks like a tag", frame, v4(Kind::Syn, 23, 40));
}

fn ipv4_header(t: &mut Table) {
    for version in (0..16).filter(|&v| v != 4) {
        t.add(
            format!("IPv4, version {version}"),
            ipv4().version(version).tcp(syn()).frame(),
            Expected::Malformed,
        );
    }
    for ihl in 0..5 {
        let packet = ipv4().options(10).ihl(ihl).tcp(syn());
        t.add(format!("IHL {ihl}"), packet.frame(), Expected::Malformed);
        t.add(format!("IHL {ihl}, total length 0"), packet.total_length(0).frame(), Expected::Malformed);
    }
    for ihl in 5..16u8 {
        let header = 4 * usize::from(ihl);
        let packet = ipv4().options(usize::from(ihl) - 5).tcp(syn());
        t.add(format!("IHL {ihl}"), packet.frame(), v4(Kind::Syn, 23, header as u32 + 20));
        let bare = ipv4().options(usize::from(ihl) - 5);
        t.add(format!("IHL {ihl}, no payload"), bare.frame(), v4(Kind::Ip, 253, header as u32));
        t.add(
            format!("IHL {ihl}, header cut by one byte"),
            cut(packet.frame(), ETHERNET_LEN + header - 1),
            Expected::Malformed,
        );
        t.add(
            format!("IHL {ihl}, header cut by one byte, total length 0"),
            cut(packet.clone().total_length(0).frame(), ETHERNET_LEN + header - 1),
            Expected::Malformed,
        );
        for (name, length) in [("1", 1), ("20 less one", 19), ("header less one", header - 1)] {
            t.add(
                format!("IHL {ihl}, total length {name}"),
                packet.clone().total_length(length as u16).frame(),
                Expected::Malformed,
            );
        }
        t.add(
            format!("IHL {ihl}, total length of the header"),
            bare.total_length(header as u16).carrying(253, &[9; 20]).frame(),
            v4(Kind::Ip, 253, header as u32),
        );
        t.add(
            format!("IHL {ihl}, total length 0"),
            packet.total_length(0).frame(),
            v4(Kind::Syn, 23, header as u32 + 20),
        );
    }
    t.add("IHL 15 past the frame", ipv4().ihl(15).tcp(syn()).frame(), Expected::Malformed);
    // Nobody would miss the header's end behind it: no transport header, or none that is read.
    for (name, packet) in [
        ("unread protocol", ipv4().carrying(253, &[0; 20])),
        ("fragment", ipv4().fragment(1, true).tcp(syn())),
        ("unwatched packet", Ipv4::new(V4_FROM, [192, 0, 3, 1]).tcp(syn())),
        ("local packet", Ipv4::new([169, 254, 0, 1], V4_TO).tcp(syn())),
    ] {
        for total_length in [0, 60, 100, 65535] {
            let packet = packet.clone().ihl(15).total_length(total_length);
            t.add(
                format!("{name}, IHL 15 past the frame, total length {total_length}"),
                packet.frame(),
                Expected::Malformed,
            );
        }
    }
    t.add("IHL 15 past the packet", padded(ipv4().ihl(15).tcp(syn()).frame(), 100), Expected::Malformed);
    for len in 0..IPV4_LEN {
        let frame = cut(ipv4().tcp(syn()).frame(), ETHERNET_LEN + len);
        t.add(format!("{len} bytes of IPv4 header"), frame, Expected::Malformed);
    }
    for length in 1..20 {
        let frame = ipv4().total_length(length).tcp(syn()).frame();
        t.add(format!("total length {length}"), frame, Expected::Malformed);
    }
    t.add("total length 256 is not 1", ipv4().total_length(256).tcp(syn()).frame(), v4(Kind::Syn, 23, 256));
    let below_header = ipv4().options(1).total_length(20).carrying(253, &[0; 20]);
    t.add("total length of a header without the options it has", below_header.frame(), Expected::Malformed);
    t.add("total length past the frame", ipv4().total_length(41).tcp(syn()).frame(), v4(Kind::Syn, 23, 41));
    t.add(
        "total length far past the frame",
        ipv4().total_length(65535).tcp(syn()).frame(),
        v4(Kind::Syn, 23, 65535),
    );
    t.add("don't fragment", ipv4().other_flags(true, false).tcp(syn()).frame(), v4(Kind::Syn, 23, 40));
    t.add("the reserved flag", ipv4().other_flags(false, true).tcp(syn()).frame(), v4(Kind::Syn, 23, 40));
    t.add("a wrong header checksum", with_byte(ipv4().tcp(syn()).frame(), 24, 0x77), v4(Kind::Syn, 23, 40));
}

fn ipv6_header(t: &mut Table) {
    for version in (0..16).filter(|&v| v != 6) {
        t.add(
            format!("IPv6, version {version}"),
            ipv6().version(version).tcp(syn()).frame(),
            Expected::Malformed,
        );
    }
    for len in 0..IPV6_LEN {
        let frame = cut(ipv6().tcp(syn()).frame(), ETHERNET_LEN + len);
        t.add(format!("{len} bytes of IPv6 header"), frame, Expected::Malformed);
    }
    t.add("40 bytes of IPv6", ipv6().frame(), v6(Kind::Ip, 253, 40));
    t.add("40 bytes of IPv6, with TCP to come", cut(ipv6().tcp(syn()).frame(), 54), Expected::Malformed);
    t.add("payload length 0", ipv6().payload_length(0).tcp(syn()).frame(), v6(Kind::Syn, 23, 60));
    t.add(
        "payload length past the frame",
        ipv6().payload_length(21).tcp(syn()).frame(),
        v6(Kind::Syn, 23, 61),
    );
    t.add("payload length 65535", ipv6().payload_length(65535).tcp(syn()).frame(), v6(Kind::Syn, 23, 65575));
    t.add(
        "payload length 256 is not 1",
        ipv6().payload_length(256).tcp(syn()).frame(),
        v6(Kind::Syn, 23, 296),
    );
    let mut frame = ipv6().tcp(syn()).frame();
    frame[14..18].copy_from_slice(&[0x6f, 0xff, 0xff, 0xff]);
    t.add("traffic class and flow label", frame, v6(Kind::Syn, 23, 60));
}

fn unwatched_and_local(t: &mut Table) {
    let to4 = |to: [u8; 4]| Ipv4::new(V4_FROM, to).tcp(syn()).frame();
    let sensors4: [([u8; 4], Option<u8>); 16] = [
        ([192, 0, 1, 255], None),
        ([192, 0, 2, 0], Some(0)),
        ([192, 0, 2, 127], Some(0)),
        ([192, 0, 2, 128], Some(1)),
        ([192, 0, 2, 199], Some(1)),
        ([192, 0, 2, 200], Some(2)),
        ([192, 0, 2, 201], Some(1)),
        ([192, 0, 2, 255], Some(1)),
        ([192, 0, 3, 0], None),
        ([2, 0, 192, 0], None),
        ([1, 2, 0, 192], None),
        ([198, 51, 100, 7], None),
        ([221, 255, 255, 255], None),
        ([222, 0, 0, 0], Some(3)),
        ([127, 0, 0, 1], None),
        ([0, 0, 0, 0], None),
    ];
    for (to, sensor) in sensors4 {
        let expected = sensor.map_or(Expected::Unwatched, |s| v4(Kind::Syn, 23, 40).sensor(s));
        t.add(format!("to {}", Ipv4Addr::from(to)), to4(to), expected);
    }
    let to6 = |to: &str| Ipv6::new(V6_FROM, to.parse::<Ipv6Addr>().expect("an address")).tcp(syn()).frame();
    let sensors6: [(&str, Option<u8>); 12] = [
        ("2001:db8:0:ffff:ffff:ffff:ffff:ffff", None),
        ("2001:db8:1::", Some(0)),
        ("2001:db8:1:7fff:ffff:ffff:ffff:ffff", Some(0)),
        ("2001:db8:1:8000::", Some(1)),
        ("2001:db8:1:8000::c7", Some(1)),
        ("2001:db8:1:8000::c8", Some(2)),
        ("2001:db8:1:8000::c9", Some(1)),
        ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", Some(1)),
        ("2001:db8:2::", None),
        ("::ffff:192.0.2.1", None),
        ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("fe00::", Some(3)),
    ];
    for (to, sensor) in sensors6 {
        let expected = sensor.map_or(Expected::Unwatched, |s| v6(Kind::Syn, 23, 60).sensor(s));
        t.add(format!("to {to}"), to6(to), expected);
    }

    let from4: [([u8; 4], Option<u64>); 14] = [
        ([0, 0, 0, 0], None),
        ([0, 0, 0, 1], Some(0x0000_0001)),
        ([0, 0, 1, 0], Some(0x0000_0100)),
        ([1, 0, 0, 0], Some(0x0100_0000)),
        ([169, 253, 255, 255], Some(0xa9fd_ffff)),
        ([169, 254, 0, 0], None),
        ([169, 254, 255, 255], None),
        ([169, 255, 0, 0], Some(0xa9ff_0000)),
        ([254, 169, 0, 0], Some(0xfea9_0000)),
        ([0, 0, 169, 254], Some(0x0000_a9fe)),
        ([10, 0, 0, 1], Some(0x0a00_0001)),
        ([127, 0, 0, 1], Some(0x7f00_0001)),
        ([224, 0, 0, 1], Some(0xe000_0001)),
        ([255, 255, 255, 255], Some(0xffff_ffff)),
    ];
    for (from, source) in from4 {
        let frame = Ipv4::new(from, V4_TO).tcp(syn()).frame();
        let expected = source.map_or(Expected::Local, |s| v4(Kind::Syn, 23, 40).source(s));
        t.add(format!("from {}", Ipv4Addr::from(from)), frame, expected);
    }
    let from6: [(&str, Option<u64>); 17] = [
        ("::", None),
        ("::1", Some(0)),
        ("::1:0:0:0", Some(0)),
        ("0:0:0:1::", Some(1)),
        ("0:1::", Some(0x0000_0001_0000_0000)),
        ("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(0xfe7f_ffff_ffff_ffff)),
        ("fe80::", None),
        ("fe80::1", None),
        ("fe80:1::1", None),
        ("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("fec0::", Some(0xfec0_0000_0000_0000)),
        ("80fe::1", Some(0x80fe_0000_0000_0000)),
        ("ff02::1", Some(0xff02_0000_0000_0000)),
        ("fd00::1", Some(0xfd00_0000_0000_0000)),
        ("::fe80:0:0:0", Some(0)),
        ("::ffff:169.254.0.1", Some(0)),
        ("a9fe::1", Some(0xa9fe_0000_0000_0000)),
    ];
    for (from, source) in from6 {
        let frame = Ipv6::new(from.parse::<Ipv6Addr>().expect("an address"), V6_TO).tcp(syn()).frame();
        let expected = source.map_or(Expected::Local, |s| v6(Kind::Syn, 23, 60).source(s));
        t.add(format!("from {from}"), frame, expected);
    }

    for (to, local) in [
        ([223, 255, 255, 255], false),
        ([224, 0, 0, 0], true),
        ([224, 0, 0, 251], true),
        ([231, 255, 0, 1], true),
        ([239, 255, 255, 255], true),
        ([240, 0, 0, 0], false),
        ([255, 0, 0, 0], false),
        ([255, 255, 255, 254], false),
        ([255, 255, 255, 255], true),
    ] {
        let expected = if local { Expected::Local } else { v4(Kind::Syn, 23, 40).sensor(3) };
        t.add(format!("to {}", Ipv4Addr::from(to)), to4(to), expected);
    }
    for (to, local) in [
        ("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
        ("fe80::1", false),
        ("ff00::", true),
        ("ff02::1", true),
        ("ff02::1:ff00:1", true),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true),
    ] {
        let expected = if local { Expected::Local } else { v6(Kind::Syn, 23, 60).sensor(3) };
        t.add(format!("to {to}"), to6(to), expected);
    }
}

fn order_of_outcomes(t: &mut Table) {
    let away4 = Ipv4Addr::new(192, 0, 3, 1);
    let away6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
    let local4 = Ipv4Addr::new(169, 254, 1, 1);
    let local6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    // A malformed IP header comes before all else.
    for (name, from, to) in
        [("unwatched", V4_FROM, away4), ("local", local4, V4_TO), ("local and unwatched", local4, away4)]
    {
        let packet = Ipv4::new(from, to).tcp(syn());
        for (what, frame) in [
            ("version 5", packet.clone().version(5).frame()),
            ("IHL 4", packet.clone().ihl(4).frame()),
            ("header past the frame", packet.clone().ihl(15).frame()),
            ("total length 19", packet.clone().total_length(19).frame()),
        ] {
            t.add(format!("{name} IPv4 with {what}"), frame, Expected::Malformed);
        }
    }
    for (name, from, to) in
        [("unwatched", V6_FROM, away6), ("local", local6, V6_TO), ("local and unwatched", local6, away6)]
    {
        let packet = Ipv6::new(from, to).tcp(syn());
        t.add(format!("{name} IPv6 with version 5"), packet.clone().version(5).frame(), Expected::Malformed);
        t.add(format!("{name} IPv6 with 39 bytes"), cut(packet.frame(), 53), Expected::Malformed);
    }

    // Unwatched comes before local, and both before anything behind the IP header.
    for (from, to, expected) in [
        (V4_FROM, away4, Expected::Unwatched),
        (local4, away4, Expected::Unwatched),
        (Ipv4Addr::UNSPECIFIED, away4, Expected::Unwatched),
        (local4, V4_TO, Expected::Local),
        (Ipv4Addr::UNSPECIFIED, V4_TO, Expected::Local),
        (V4_FROM, Ipv4Addr::BROADCAST, Expected::Local),
        (V4_FROM, Ipv4Addr::new(224, 0, 0, 1), Expected::Local),
    ] {
        let packet = Ipv4::new(from, to);
        let name = format!("{from} to {to}");
        t.add(format!("{name}, whole"), packet.clone().tcp(syn()).frame(), expected);
        t.add(format!("{name}, no transport header"), packet.clone().carrying(TCP, &[]).frame(), expected);
        t.add(format!("{name}, 13 bytes of TCP"), packet.clone().carrying(TCP, &[0; 13]).frame(), expected);
        t.add(format!("{name}, a fragment"), packet.fragment(1, false).tcp(syn()).frame(), expected);
    }
    for (from, to, expected) in [
        (V6_FROM, away6, Expected::Unwatched),
        (local6, away6, Expected::Unwatched),
        (Ipv6Addr::UNSPECIFIED, away6, Expected::Unwatched),
        (local6, V6_TO, Expected::Local),
        (Ipv6Addr::UNSPECIFIED, V6_TO, Expected::Local),
        (V6_FROM, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), Expected::Local),
    ] {
        let packet = Ipv6::new(from, to);
        let name = format!("{from} to {to}");
        t.add(format!("{name}, whole"), packet.clone().tcp(syn()).frame(), expected);
        t.add(format!("{name}, no transport header"), packet.clone().carrying(TCP, &[]).frame(), expected);
        let nine = (0..9).fold(packet.clone(), |p, _| p.extension(Extension::new(HOP_BY_HOP, 0)));
        t.add(format!("{name}, nine extensions"), nine.tcp(syn()).frame(), expected);
        let long = packet.extension(Extension::new(ROUTING, 0).claiming(255));
        t.add(format!("{name}, an extension past the end"), long.tcp(syn()).frame(), expected);
    }

    // Multicast that nobody watches cannot be tested here: 224.0.0.0/3 is watched. An address that
    // is both is local.
    t.add(
        "an unwatched destination that is nearly broadcast",
        Ipv4::new(V4_FROM, [192, 0, 3, 255]).tcp(syn()).frame(),
        Expected::Unwatched,
    );
    t.add(
        "the directed broadcast of a watched prefix",
        Ipv4::new(V4_FROM, [192, 0, 2, 255]).tcp(syn()).frame(),
        v4(Kind::Syn, 23, 40).sensor(1),
    );
}

fn extension_headers(t: &mut Table) {
    // Every protocol number, over a payload that is 59 and zeros to whoever reads it.
    let mut payload = [0; 40];
    payload[0] = NO_NEXT_HEADER;
    for protocol in 0..=255u8 {
        let expected4 = match protocol {
            ICMP => v4(Kind::Icmp, 59 << 8, 60),
            TCP => v4(Kind::Tcp, 0, 60),
            UDP => v4(Kind::Udp, 0, 60),
            SCTP => v4(Kind::Sctp, 0, 60),
            _ => v4(Kind::Ip, u16::from(protocol), 60),
        };
        t.add(format!("protocol {protocol} of IPv4"), ipv4().carrying(protocol, &payload).frame(), expected4);
        let expected6 = match protocol {
            0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 => v6(Kind::Ip, 59, 80),
            ICMPV6 => v6(Kind::Icmp, 59 << 8, 80),
            TCP => v6(Kind::Tcp, 0, 80),
            UDP => v6(Kind::Udp, 0, 80),
            SCTP => v6(Kind::Sctp, 0, 80),
            _ => v6(Kind::Ip, u16::from(protocol), 80),
        };
        t.add(
            format!("next header {protocol} of IPv6"),
            ipv6().carrying(protocol, &payload).frame(),
            expected6,
        );
        let via_options =
            ipv6().extension(Extension::new(DESTINATION_OPTIONS, 0)).carrying(protocol, &payload);
        t.add(
            format!("next header {protocol} behind an extension"),
            via_options.frame(),
            expected6.map(|p| p.bytes = 88),
        );
    }

    let mut extensions = vec![
        ("fragment".to_owned(), Extension::fragment(0, false), 8),
        ("fragment with more".to_owned(), Extension::fragment(0, true), 8),
        ("fragment that claims a length".to_owned(), Extension::fragment(0, true).claiming(255), 8),
    ];
    for number in PLAIN_EXTENSIONS {
        for units in [0, 1, 2, 3, 7, 31, 100] {
            let len = 8 + 8 * u32::from(units);
            extensions.push((format!("{number} of {len} bytes"), Extension::new(number, units), len));
        }
    }
    for units in [0, 1, 2, 3, 4, 5, 6, 30, 127, 255] {
        let len = 8 + 4 * u32::from(units);
        extensions.push((format!("authentication of {len} bytes"), Extension::authentication(units), len));
    }
    for (name, extension, len) in &extensions {
        let packet = ipv6().extension(extension.clone()).tcp(syn());
        t.add(format!("{name}, TCP"), packet.frame(), v6(Kind::Syn, 23, 60 + len));
        t.add(format!("{name}, tagged"), packet.tagged(&[SERVICE_VLAN, VLAN]), v6(Kind::Syn, 23, 60 + len));
        t.add(
            format!("{name}, payload length 0"),
            packet.clone().payload_length(0).frame(),
            v6(Kind::Syn, 23, 60 + len),
        );
        let bare = ipv6().extension(extension.clone());
        t.add(format!("{name}, nothing behind it"), bare.frame(), v6(Kind::Ip, 253, 40 + len));
        let whole = bare.frame().len();
        let mut cuts = vec![1, 2, 3, 7, *len as usize];
        cuts.retain(|cut| *cut <= *len as usize);
        for missing in cuts {
            t.add(
                format!("{name}, {missing} bytes missing in the frame"),
                cut(bare.frame(), whole - missing),
                Expected::Malformed,
            );
            // A length of 0 would stand for the whole frame.
            let length = *len as usize - missing;
            if length > 0 {
                t.add(
                    format!("{name}, {missing} bytes missing in the packet"),
                    bare.clone().payload_length(length as u16).carrying(TCP, &syn().bytes()).frame(),
                    Expected::Malformed,
                );
            }
        }
        t.add(
            format!("{name}, 13 bytes of TCP"),
            ipv6().extension(extension.clone()).carrying(TCP, &[0; 13]).frame(),
            Expected::Malformed,
        );
        // The same number in IPv4 is a protocol like any other.
        let number = bare.packet()[6];
        t.add(
            format!("{name}, in IPv4"),
            ipv4().carrying(number, &bare.packet()[40..]).frame(),
            v4(Kind::Ip, u16::from(number), 20 + len),
        );
    }
    for number in PLAIN_EXTENSIONS {
        // 28 bytes are left: three units of 8 are, four are not.
        for (units, fits) in [(1, true), (2, true), (3, false), (4, false)] {
            let mut payload = [0; 28];
            payload[0] = ESP;
            payload[1] = units;
            t.add(
                format!("{number} of {units} units and one in 28 bytes"),
                ipv6().carrying(number, &payload).frame(),
                if fits { v6(Kind::Ip, 50, 68) } else { Expected::Malformed },
            );
        }
        t.add(
            format!("{number} of 255 units"),
            ipv6().extension(Extension::new(number, 0).claiming(255)).tcp(syn()).frame(),
            Expected::Malformed,
        );
    }
    for (units, fits) in [(4, true), (5, true), (6, false), (255, false)] {
        let mut payload = [0; 28];
        payload[0] = ESP;
        payload[1] = units;
        t.add(
            format!("authentication of {units} units in 28 bytes"),
            ipv6().carrying(AUTHENTICATION, &payload).frame(),
            if fits { v6(Kind::Ip, 50, 68) } else { Expected::Malformed },
        );
    }

    let all = PLAIN_EXTENSIONS.map(|n| Extension::new(n, 0)).to_vec();
    let kinds = [all, vec![Extension::fragment(0, true), Extension::authentication(1)]].concat();
    for extension in &kinds {
        let number = ipv6().extension(extension.clone()).packet()[6];
        let each = ipv6().extension(extension.clone()).packet().len() as u32 - 40;
        for count in [2, 7, 8, 9, 10] {
            let packet = (0..count).fold(ipv6(), |p, _| p.extension(extension.clone())).tcp(syn());
            let expected =
                if count <= 8 { v6(Kind::Syn, 23, 60 + count * each) } else { Expected::Malformed };
            t.add(format!("{count} headers {number}"), packet.frame(), expected);
        }
    }
    let eight = kinds.iter().fold(ipv6(), |p, e| p.extension(e.clone()));
    t.add("all eight extensions", eight.clone().tcp(syn()).frame(), v6(Kind::Syn, 23, 128));
    t.add(
        "all eight extensions, tagged",
        eight.clone().tcp(syn()).tagged(&[VLAN; 4]),
        v6(Kind::Syn, 23, 128),
    );
    t.add(
        "all eight extensions and no next header",
        eight.clone().carrying(59, &[]).frame(),
        v6(Kind::Ip, 59, 108),
    );
    let nine = eight.clone().extension(Extension::fragment(0, false));
    t.add("nine extensions, the last a fragment header", nine.tcp(syn()).frame(), Expected::Malformed);
    t.add(
        "eight extensions and a ninth that is not there",
        eight.carrying(HOP_BY_HOP, &[]).frame(),
        Expected::Malformed,
    );

    t.add("no next header", ipv6().carrying(NO_NEXT_HEADER, &[]).frame(), v6(Kind::Ip, 59, 40));
    t.add("ESP", ipv6().carrying(ESP, &[1; 30]).frame(), v6(Kind::Ip, 50, 70));
    t.add("ESP of IPv4", ipv4().carrying(ESP, &[1; 30]).frame(), v4(Kind::Ip, 50, 50));
    for protocol in [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6]
    {
        t.add(
            format!("protocol {protocol} of IPv4 without payload"),
            ipv4().carrying(protocol, &[]).frame(),
            v4(Kind::Ip, u16::from(protocol), 20),
        );
        t.add(
            format!("extension {protocol} that is not there"),
            ipv6().carrying(protocol, &[]).frame(),
            Expected::Malformed,
        );
    }
}

fn fragments(t: &mut Table) {
    for offset in [1, 2, 0x80, 0xff, 0x100, 0x1000, 0x1fff] {
        for more in [false, true] {
            let name = format!("fragment at {offset}, more {more}");
            for protocol in [TCP, UDP, ICMP, SCTP, ICMPV6, ESP, 253] {
                t.add(
                    format!("{name}, protocol {protocol}"),
                    ipv4().fragment(offset, more).carrying(protocol, &[0x55; 24]).frame(),
                    v4(Kind::Fragment, u16::from(protocol), 44),
                );
                t.add(
                    format!("{name}, next header {protocol}"),
                    ipv6()
                        .extension(Extension::fragment(offset, more))
                        .carrying(protocol, &[0x55; 24])
                        .frame(),
                    v6(Kind::Fragment, u16::from(protocol), 72),
                );
            }
        }
    }
    for protocol in 0..=255u8 {
        t.add(
            format!("empty fragment of protocol {protocol}"),
            ipv4().fragment(1, false).carrying(protocol, &[]).frame(),
            v4(Kind::Fragment, u16::from(protocol), 20),
        );
        // Its protocol is not looked behind, even if it is one more extension header.
        t.add(
            format!("empty fragment of next header {protocol}"),
            ipv6().extension(Extension::fragment(1, false)).carrying(protocol, &[]).frame(),
            v6(Kind::Fragment, u16::from(protocol), 48),
        );
    }
    for more in [false, true] {
        let name = format!("first fragment, more {more}");
        t.add(format!("{name}, TCP"), ipv4().fragment(0, more).tcp(syn()).frame(), v4(Kind::Syn, 23, 40));
        t.add(
            format!("{name}, UDP"),
            ipv4().fragment(0, more).udp(Udp::new(53, 4097)).frame(),
            v4(Kind::UdpReply, 53, 28),
        );
        t.add(
            format!("{name}, 13 bytes of TCP"),
            ipv4().fragment(0, more).carrying(TCP, &[0; 13]).frame(),
            Expected::Malformed,
        );
        let packet = ipv6().extension(Extension::fragment(0, more));
        t.add(format!("{name}, TCP over IPv6"), packet.clone().tcp(syn()).frame(), v6(Kind::Syn, 23, 68));
        t.add(
            format!("{name}, 13 bytes of TCP over IPv6"),
            packet.carrying(TCP, &[0; 13]).frame(),
            Expected::Malformed,
        );
    }
    t.add(
        "don't fragment and reserved flag are no offset",
        ipv4().fragment(0, true).other_flags(true, true).tcp(syn()).frame(),
        v4(Kind::Syn, 23, 40),
    );
    // Offset, two reserved bits, more.
    let first = ipv6().extension(Extension::fragment(0, false)).tcp(syn()).frame();
    for low in 0..8 {
        t.add(
            format!("low bits {low} of the fragment header are no offset"),
            with_byte(first.clone(), 57, low),
            v6(Kind::Syn, 23, 68),
        );
    }
    t.add("the lowest bit of the offset", with_byte(first.clone(), 57, 8), v6(Kind::Fragment, 6, 68));
    t.add("the highest bit of the offset", with_byte(first.clone(), 56, 0x80), v6(Kind::Fragment, 6, 68));
    t.add("the identification is no offset", with_byte(first, 58, 0xff), v6(Kind::Syn, 23, 68));

    let options = Extension::new(DESTINATION_OPTIONS, 1);
    t.add(
        "a fragment behind options",
        ipv6().extension(options.clone()).extension(Extension::fragment(1, false)).tcp(syn()).frame(),
        v6(Kind::Fragment, 6, 84),
    );
    t.add(
        "a first fragment before options",
        ipv6().extension(Extension::fragment(0, true)).extension(options.clone()).tcp(syn()).frame(),
        v6(Kind::Syn, 23, 84),
    );
    t.add(
        "a later fragment before options",
        ipv6().extension(Extension::fragment(9, true)).extension(options.clone()).tcp(syn()).frame(),
        v6(Kind::Fragment, 60, 84),
    );
    t.add(
        "a first and a later fragment header",
        ipv6()
            .extension(Extension::fragment(0, true))
            .extension(Extension::fragment(9, true))
            .tcp(syn())
            .frame(),
        v6(Kind::Fragment, 6, 76),
    );
    let seven = (0..7).fold(ipv6(), |p, _| p.extension(Extension::new(DESTINATION_OPTIONS, 0)));
    t.add(
        "a later fragment as the eighth header",
        seven.clone().extension(Extension::fragment(1, false)).tcp(syn()).frame(),
        v6(Kind::Fragment, 6, 124),
    );
    t.add(
        "a later fragment as the eighth header, of options",
        seven.clone().extension(Extension::fragment(1, false)).carrying(60, &[0; 8]).frame(),
        v6(Kind::Fragment, 60, 112),
    );
    t.add(
        "a first fragment as the eighth header",
        seven.clone().extension(Extension::fragment(0, true)).tcp(syn()).frame(),
        v6(Kind::Syn, 23, 124),
    );
    t.add(
        "a later fragment as the ninth header",
        seven
            .extension(Extension::new(DESTINATION_OPTIONS, 0))
            .extension(Extension::fragment(1, false))
            .tcp(syn())
            .frame(),
        Expected::Malformed,
    );
    let later = ipv6().extension(Extension::fragment(1, false));
    for have in 0..8 {
        t.add(
            format!("{have} bytes of a later fragment's header"),
            cut(later.frame(), 54 + have),
            Expected::Malformed,
        );
    }
    t.add(
        "a fragment in a frame that is cut behind the header",
        cut(ipv4().fragment(1, true).tcp(syn()).frame(), 34),
        v4(Kind::Fragment, 6, 40),
    );
}

fn ends_of_packets(t: &mut Table) {
    let headers = [
        ("TCP", TCP, syn().bytes(), 14, Kind::Syn, 23),
        ("UDP", UDP, Udp::new(40000, 23).bytes(), 4, Kind::Udp, 23),
        ("SCTP", SCTP, Sctp::new(40000, 23).bytes(), 4, Kind::Sctp, 23),
        ("ICMP", ICMP, Icmp::new(13, 7).bytes(), 2, Kind::Icmp, 13 << 8 | 7),
        ("ICMPv6", ICMPV6, Icmp::new(140, 7).bytes(), 2, Kind::Icmp, 140 << 8 | 7),
    ];
    for (name, protocol, header, least, kind, port) in headers {
        for have in 0..=least + 1 {
            let whole = header.len() as u32;
            let enough = have >= least;
            let ends = |expected: Expected| if enough { expected } else { Expected::Malformed };
            if protocol != ICMPV6 {
                let packet = ipv4().carrying(protocol, &header);
                let length = 20 + have as u32;
                t.add(
                    format!("{have} bytes of {name}, then the frame ends"),
                    cut(packet.frame(), 34 + have),
                    ends(v4(kind, port, 20 + whole)),
                );
                t.add(
                    format!("{have} bytes of {name} in the packet, the rest in the padding"),
                    packet.clone().total_length(length as u16).frame(),
                    ends(v4(kind, port, length)),
                );
                t.add(
                    format!("{have} bytes of {name}, total length 0"),
                    cut(packet.clone().total_length(0).frame(), 34 + have),
                    ends(v4(kind, port, length)),
                );
                t.add(
                    format!("{have} bytes of {name} behind options, the rest in the padding"),
                    ipv4().options(10).carrying(protocol, &header).total_length(60 + have as u16).frame(),
                    ends(v4(kind, port, 60 + have as u32)),
                );
                t.add(
                    format!("{have} bytes of {name} behind tags, the rest in the padding"),
                    packet.total_length(length as u16).tagged(&[VLAN, VLAN]),
                    ends(v4(kind, port, length)),
                );
            }
            if protocol != ICMP {
                let packet = ipv6().carrying(protocol, &header);
                let length = 40 + have as u32;
                t.add(
                    format!("{have} bytes of {name} over IPv6, then the frame ends"),
                    cut(packet.frame(), 54 + have),
                    ends(v6(kind, port, 40 + whole)),
                );
                // A length of 0 stands for the frame.
                if have > 0 {
                    t.add(
                        format!("{have} bytes of {name} in the IPv6 packet, the rest in the padding"),
                        packet.clone().payload_length(have as u16).frame(),
                        ends(v6(kind, port, length)),
                    );
                }
                t.add(
                    format!("{have} bytes of {name} over IPv6, payload length 0"),
                    cut(packet.clone().payload_length(0).frame(), 54 + have),
                    ends(v6(kind, port, length)),
                );
                t.add(
                    format!("{have} bytes of {name} behind an extension, the rest in the padding"),
                    ipv6()
                        .extension(Extension::new(HOP_BY_HOP, 0))
                        .carrying(protocol, &header)
                        .payload_length(8 + have as u16)
                        .frame(),
                    ends(v6(kind, port, 8 + length)),
                );
            }
        }
        // Neither protocol means anything in the other family.
        if protocol == ICMP {
            t.add("ICMP over IPv6 is no ICMP", ipv6().carrying(ICMP, &[]).frame(), v6(Kind::Ip, 1, 40));
        }
        if protocol == ICMPV6 {
            t.add("ICMPv6 over IPv4 is no ICMP", ipv4().carrying(ICMPV6, &[]).frame(), v4(Kind::Ip, 58, 20));
        }
    }
    t.add(
        "a SYN whose TCP header is all padding",
        padded_with(ipv4().carrying(TCP, &[]).frame(), &syn().bytes()),
        Expected::Malformed,
    );
    t.add(
        "an IPv6 SYN whose TCP header is all padding, behind an extension",
        padded_with(
            ipv6().extension(Extension::new(HOP_BY_HOP, 0)).carrying(TCP, &[]).frame(),
            &syn().bytes(),
        ),
        Expected::Malformed,
    );
    t.add("a SYN with padding", padded(ipv4().tcp(syn()).frame(), 60), v4(Kind::Syn, 23, 40));
    t.add("an IPv6 SYN with padding", padded(ipv6().tcp(syn()).frame(), 90), v6(Kind::Syn, 23, 60));
    t.add(
        "any protocol with nothing but padding",
        padded(ipv4().carrying(47, &[]).frame(), 60),
        v4(Kind::Ip, 47, 20),
    );
    for offset in [0x00, 0x40, 0xf0, 0xff] {
        t.add(
            format!("a TCP data offset of {offset:#04x} does not matter"),
            with_byte(ipv4().tcp(syn()).frame(), 46, offset),
            v4(Kind::Syn, 23, 40),
        );
    }
    t.add(
        "a UDP length past the end does not matter",
        with_byte(ipv4().udp(Udp::new(40000, 23)).frame(), 38, 0xff),
        v4(Kind::Udp, 23, 28),
    );
}

fn kinds(t: &mut Table) {
    for flags in 0..=255u8 {
        let has = |flag| flags & flag != 0;
        let (kind, port) = match (has(RST), has(SYN), has(ACK), has(FIN)) {
            (true, _, _, _) => (Kind::Rst, 40000),
            (false, true, true, _) => (Kind::SynAck, 40000),
            (false, true, false, false) => (Kind::Syn, 23),
            (false, true, false, true) | (false, false, _, _) => (Kind::Tcp, 23),
        };
        let tcp = syn().flags(flags);
        t.add(format!("TCP flags {flags:#04x}"), ipv4().tcp(tcp).frame(), v4(kind, port, 40));
        t.add(format!("TCP flags {flags:#04x} over IPv6"), ipv6().tcp(tcp).frame(), v6(kind, port, 60));
    }
    t.add(
        "TCP's accurate ECN bit does not matter",
        with_byte(ipv4().tcp(syn()).frame(), 46, 0x51),
        v4(Kind::Syn, 23, 40),
    );

    for from in REPLY_PORTS {
        for (to, reply) in [(0, false), (53, false), (1023, false), (1024, true), (1025, true), (65535, true)]
        {
            let udp = Udp::new(from, to);
            let (kind, port) = if reply { (Kind::UdpReply, from) } else { (Kind::Udp, to) };
            t.add(format!("UDP {from} to {to}"), ipv4().udp(udp).frame(), v4(kind, port, 28));
            t.add(format!("UDP {from} to {to} over IPv6"), ipv6().udp(udp).frame(), v6(kind, port, 48));
        }
        for neighbour in [from - 1, from + 1, from.swap_bytes()] {
            t.add(
                format!("UDP {neighbour}, which is not {from}"),
                ipv4().udp(Udp::new(neighbour, 40001)).frame(),
                v4(Kind::Udp, 40001, 28),
            );
        }
        let request = Udp::new(40001, from);
        t.add(format!("UDP to {from}"), ipv4().udp(request).frame(), v4(Kind::Udp, from, 28));
        let tcp = Tcp::syn(from, 40001);
        t.add(format!("TCP from {from}"), ipv4().tcp(tcp).frame(), v4(Kind::Syn, 40001, 40));
        let sctp = Sctp::new(from, 40001);
        t.add(format!("SCTP from {from}"), ipv4().sctp(sctp).frame(), v4(Kind::Sctp, 40001, 32));
    }
    // 0x0400 in the other byte order.
    t.add("UDP 53 to 4", ipv4().udp(Udp::new(53, 4)).frame(), v4(Kind::Udp, 4, 28));
    t.add("UDP 0 to 0", ipv4().udp(Udp::new(0, 0)).frame(), v4(Kind::Udp, 0, 28));
    t.add("SCTP", ipv4().sctp(Sctp::new(40000, 2905)).frame(), v4(Kind::Sctp, 2905, 32));
    t.add("SCTP over IPv6", ipv6().sctp(Sctp::new(40000, 2905)).frame(), v6(Kind::Sctp, 2905, 52));

    let quoted4 = Ipv4::new(V4_TO, V4_VICTIM).tcp(Tcp::syn(7, 80)).packet();
    let quoted6 = Ipv6::new(V6_TO, V6_VICTIM).tcp(Tcp::syn(7, 80)).packet();
    for icmp_type in 0..=255u8 {
        // An odd code, so that type and code cannot be mixed up.
        let icmp = Icmp::new(icmp_type, 9);
        let port = u16::from(icmp_type) * 256 + 9;

        let kind4 = match icmp_type {
            8 => Kind::Echo,
            0 | 14 | 16 | 18 => Kind::IcmpReply,
            3 | 4 | 5 | 11 | 12 => Kind::IcmpMismatch,
            _ => Kind::Icmp,
        };
        t.add(format!("ICMP type {icmp_type}"), ipv4().icmp(icmp.clone()).frame(), v4(kind4, port, 28));
        let expected = match kind4 {
            Kind::IcmpMismatch => v4_error(Kind::IcmpErrorTcp, 80, 68),
            _ => v4(kind4, port, 68),
        };
        let quoting = icmp.clone().quoting(&quoted4);
        t.add(format!("ICMP type {icmp_type} with a quotation"), ipv4().icmp(quoting).frame(), expected);

        let kind6 = match icmp_type {
            128 => Kind::Echo,
            129 => Kind::IcmpReply,
            1..=4 => Kind::IcmpMismatch,
            _ => Kind::Icmp,
        };
        let bare = ipv6().icmp(icmp.clone()).frame();
        let expected_bare = v6(kind6, port, 48);
        let quoting = ipv6().icmp(icmp.clone().quoting(&quoted6)).frame();
        let expected_quoting = match kind6 {
            Kind::IcmpMismatch => v6_error(Kind::IcmpErrorTcp, 80, 108),
            _ => v6(kind6, port, 108),
        };
        let (name_bare, name_quoting) =
            (format!("ICMPv6 type {icmp_type}"), format!("ICMPv6 type {icmp_type} with a quotation"));
        if (133..=137).contains(&icmp_type) {
            t.add_passing(name_bare, bare, expected_bare);
            t.add_passing(name_quoting, quoting, expected_quoting);
        } else {
            t.add(name_bare, bare, expected_bare);
            t.add(name_quoting, quoting, expected_quoting);
        }

        // The numbers of the other family.
        t.add(
            format!("ICMPv6 type {icmp_type} over IPv4"),
            ipv4().carrying(ICMPV6, &icmp.bytes()).frame(),
            v4(Kind::Ip, 58, 28),
        );
        t.add(
            format!("ICMP type {icmp_type} over IPv6"),
            ipv6().carrying(ICMP, &icmp.bytes()).frame(),
            v6(Kind::Ip, 1, 48),
        );
    }
    for code in [0, 1, 255] {
        t.add(
            format!("echo request, code {code}"),
            ipv4().icmp(Icmp::new(8, code)).frame(),
            v4(Kind::Echo, 0x0800 + u16::from(code), 28),
        );
    }
}

fn keys(t: &mut Table) {
    // No two bytes of ports and addresses are the same.
    let (from, to) = (0x0102, 0x0304);
    let far4 = Ipv4::new([0x11, 0x12, 0x13, 0x14], V4_TO);
    let far6 = Ipv6::new(
        [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20],
        V6_TO,
    );
    let (key4, key6) = (0x1112_1314, 0x1112_1314_1516_1718);
    for (name, flags, kind, port) in [
        ("SYN", SYN, Kind::Syn, to),
        ("SYN and ACK", SYN | ACK, Kind::SynAck, from),
        ("RST", RST, Kind::Rst, from),
        ("RST and ACK", RST | ACK, Kind::Rst, from),
        ("ACK", ACK, Kind::Tcp, to),
    ] {
        let tcp = Tcp::new(from, to).flags(flags);
        t.add(format!("key of {name}"), far4.clone().tcp(tcp).frame(), v4(kind, port, 40).source(key4));
        t.add(
            format!("key of {name} over IPv6"),
            far6.clone().tcp(tcp).frame(),
            v6(kind, port, 60).source(key6),
        );
    }
    t.add("key of UDP", far4.clone().udp(Udp::new(from, to)).frame(), v4(Kind::Udp, to, 28).source(key4));
    let reply = Udp::new(11211, 0x1234);
    t.add("key of a UDP reply", far4.clone().udp(reply).frame(), v4(Kind::UdpReply, 11211, 28).source(key4));
    t.add("key of SCTP", far4.clone().sctp(Sctp::new(from, to)).frame(), v4(Kind::Sctp, to, 32).source(key4));
    t.add("key of ICMP", far4.icmp(Icmp::new(13, 14)).frame(), v4(Kind::Icmp, 0x0d0e, 28).source(key4));
    t.add(
        "key of ICMPv6",
        far6.icmp(Icmp::new(129, 14)).frame(),
        v6(Kind::IcmpReply, 0x810e, 48).source(key6),
    );
}

fn quotations_v4(t: &mut Table) {
    let quoted = || Ipv4::new(V4_TO, V4_VICTIM);
    let error = |quotation: &[u8]| ipv4().icmp(Icmp::new(3, 1).quoting(quotation));
    let mismatch = |len: usize| v4(Kind::IcmpMismatch, 0x0301, 28 + len as u32);
    let mut add = |name: String, quotation: &[u8], expected: Expected| {
        t.add(format!("quoted {name}"), error(quotation).frame(), expected);
    };

    let tcp = quoted().tcp(Tcp::syn(0x0102, 0x0304)).packet();
    add("TCP".into(), &tcp, v4_error(Kind::IcmpErrorTcp, 0x0304, 68));
    let udp = quoted().udp(Udp::new(0x0102, 0x0304)).packet();
    add("UDP".into(), &udp, v4_error(Kind::IcmpErrorUdp, 0x0304, 56));
    let reply = quoted().udp(Udp::new(53, 0x0304)).packet();
    add("UDP that would be a reply".into(), &reply, v4_error(Kind::IcmpErrorUdp, 0x0304, 56));
    let reset = quoted().tcp(Tcp::new(0x0102, 0x0304).flags(RST)).packet();
    add("TCP reset".into(), &reset, v4_error(Kind::IcmpErrorTcp, 0x0304, 68));
    let icmp = quoted().icmp(Icmp::new(8, 0)).packet();
    add("ICMP".into(), &icmp, v4_error(Kind::IcmpErrorIcmp, 0, 56));
    add(
        "ICMP error".into(),
        &quoted().icmp(Icmp::new(3, 1).quoting(&tcp)).packet(),
        v4_error(Kind::IcmpErrorIcmp, 0, 96),
    );
    let sctp = quoted().sctp(Sctp::new(0x0102, 0x0304)).packet();
    add("SCTP".into(), &sctp, v4_error(Kind::IcmpErrorOther, 132, 60));
    add("GRE".into(), &quoted().carrying(GRE, &[0; 8]).packet(), v4_error(Kind::IcmpErrorOther, 47, 56));

    for protocol in 0..=255u8 {
        let expected = match protocol {
            1 => v4_error(Kind::IcmpErrorIcmp, 0, 52),
            6 => v4_error(Kind::IcmpErrorTcp, 0x0304, 52),
            17 => v4_error(Kind::IcmpErrorUdp, 0x0304, 52),
            _ => v4_error(Kind::IcmpErrorOther, u16::from(protocol), 52),
        };
        let packet = quoted().carrying(protocol, &[1, 2, 3, 4]).packet();
        add(format!("protocol {protocol}"), &packet, expected);
        let expected = match protocol {
            1 => v4_error(Kind::IcmpErrorIcmp, 0, 52),
            6 => v4_error(Kind::IcmpErrorTcp, 0, 52),
            17 => v4_error(Kind::IcmpErrorUdp, 0, 52),
            _ => v4_error(Kind::IcmpErrorOther, u16::from(protocol), 52),
        };
        let packet = quoted().fragment(1, false).carrying(protocol, &[1, 2, 3, 4]).packet();
        add(format!("later fragment of protocol {protocol}"), &packet, expected);
    }

    // Whose packet it was.
    let others = [
        Ipv4Addr::new(192, 0, 2, 0),
        Ipv4Addr::new(192, 0, 3, 1),
        Ipv4Addr::new(192, 1, 2, 1),
        Ipv4Addr::new(193, 0, 2, 1),
        Ipv4Addr::new(1, 2, 0, 192),
        V4_FROM,
        V4_VICTIM,
    ];
    for other in others {
        let packet = Ipv4::new(other, V4_VICTIM).tcp(syn()).packet();
        add(format!("source {other}"), &packet, mismatch(40));
        let packet = Ipv4::new(other, V4_TO).tcp(syn()).packet();
        add(format!("source {other}, turned round"), &packet, mismatch(40));
    }
    for (victim, key) in [
        (Ipv4Addr::new(10, 1, 2, 3), 0x0a01_0203),
        (Ipv4Addr::new(169, 254, 1, 1), 0xa9fe_0101),
        (Ipv4Addr::new(224, 0, 0, 1), 0xe000_0001),
        (V4_TO, 0xc000_0201),
        (Ipv4Addr::UNSPECIFIED, 0),
    ] {
        let packet = Ipv4::new(V4_TO, victim).tcp(syn()).packet();
        add(format!("destination {victim}"), &packet, v4_error(Kind::IcmpErrorTcp, 23, 68).source(key));
    }

    // What can be read.
    for (name, packet, kind) in [("TCP", &tcp, Kind::IcmpErrorTcp), ("UDP", &udp, Kind::IcmpErrorUdp)] {
        for len in 0..=packet.len() {
            let expected = match len {
                0..20 => mismatch(len),
                20..24 => v4_error(kind, 0, 28 + len as u32),
                _ => v4_error(kind, 0x0304, 28 + len as u32),
            };
            add(format!("{len} bytes of {name}"), &packet[..len], expected);
        }
    }
    for len in 20..24 {
        add(
            format!("{len} bytes of SCTP"),
            &sctp[..len],
            v4_error(Kind::IcmpErrorOther, 132, 28 + len as u32),
        );
        add(format!("{len} bytes of ICMP"), &icmp[..len], v4_error(Kind::IcmpErrorIcmp, 0, 28 + len as u32));
    }
    for words in 1..=10 {
        let packet = quoted().options(words).tcp(Tcp::syn(0x0102, 0x0304)).packet();
        let header = 20 + 4 * words;
        for len in [20, header - 1, header, header + 1, header + 3, header + 4, packet.len()] {
            let expected = if len < header {
                mismatch(len)
            } else if len < header + 4 {
                v4_error(Kind::IcmpErrorTcp, 0, 28 + len as u32)
            } else {
                v4_error(Kind::IcmpErrorTcp, 0x0304, 28 + len as u32)
            };
            add(format!("{words} words of options, {len} bytes"), &packet[..len], expected);
        }
    }
    for version in (0..16).filter(|&v| v != 4) {
        let packet = quoted().version(version).tcp(syn()).packet();
        add(format!("version {version}"), &packet, mismatch(40));
    }
    for ihl in 0..5 {
        let packet = quoted().ihl(ihl).tcp(syn()).packet();
        add(format!("IHL {ihl}"), &packet, mismatch(40));
    }
    add("IHL past the end".into(), &quoted().ihl(11).tcp(syn()).packet(), mismatch(40));
    add("IHL to the end".into(), &quoted().ihl(10).tcp(syn()).packet(), v4_error(Kind::IcmpErrorTcp, 0, 68));
    let quoted6 = Ipv6::new(V6_TO, V6_VICTIM).tcp(syn()).packet();
    add("IPv6".into(), &quoted6, mismatch(60));
    add(
        "first fragment".into(),
        &quoted().fragment(0, true).tcp(syn()).packet(),
        v4_error(Kind::IcmpErrorTcp, 23, 68),
    );
    add(
        "packet that must not be fragmented".into(),
        &quoted().other_flags(true, false).tcp(syn()).packet(),
        v4_error(Kind::IcmpErrorTcp, 23, 68),
    );
    for offset in [1, 0x100, 0x1000, 0x1fff] {
        add(
            format!("fragment at {offset}"),
            &quoted().fragment(offset, true).tcp(syn()).packet(),
            v4_error(Kind::IcmpErrorTcp, 0, 68),
        );
    }
    // Routers are known to quote with the length they made of it: it says nothing of the quotation.
    for length in [0, 40, 0x2800, 1500, 65535] {
        add(
            format!("total length {length}"),
            &quoted().total_length(length).tcp(syn()).packet(),
            v4_error(Kind::IcmpErrorTcp, 23, 68),
        );
    }

    // The quotation ends with the packet that quotes.
    for have in 0..=24usize {
        let frame = error(&tcp).total_length(28 + have as u16).frame();
        let expected = match have {
            0..20 => mismatch(have),
            20..24 => v4_error(Kind::IcmpErrorTcp, 0, 28 + have as u32),
            _ => v4_error(Kind::IcmpErrorTcp, 0x0304, 28 + have as u32),
        };
        t.add(format!("quotation of {have} bytes, the rest in the padding"), frame, expected);
    }
    for have in 2..8usize {
        t.add(
            format!("{have} bytes of an error"),
            ipv4().carrying(ICMP, &Icmp::new(3, 1).bytes()[..have]).frame(),
            v4(Kind::IcmpMismatch, 0x0301, 20 + have as u32),
        );
    }
    t.add(
        "quotation with total length 0 around it",
        error(&tcp).total_length(0).frame(),
        v4_error(Kind::IcmpErrorTcp, 0x0304, 68),
    );
    t.add(
        "quotation behind options and tags",
        ipv4().options(3).icmp(Icmp::new(11, 0).quoting(&tcp)).tagged(&[SERVICE_VLAN, VLAN]),
        v4_error(Kind::IcmpErrorTcp, 0x0304, 80),
    );
    t.add(
        "quotation to another sensor",
        Ipv4::new(V4_FROM, [192, 0, 2, 200])
            .icmp(
                Icmp::new(3, 3)
                    .quoting(&Ipv4::new([192, 0, 2, 200], V4_VICTIM).udp(Udp::new(1, 53)).packet()),
            )
            .frame(),
        v4_error(Kind::IcmpErrorUdp, 53, 56).sensor(2),
    );
    t.add("quotation in a later fragment", error(&tcp).fragment(1, false).frame(), v4(Kind::Fragment, 1, 68));
    t.add(
        "quotation in a first fragment",
        error(&tcp).fragment(0, true).frame(),
        v4_error(Kind::IcmpErrorTcp, 0x0304, 68),
    );
}

fn quotations_v6(t: &mut Table) {
    let quoted = || Ipv6::new(V6_TO, V6_VICTIM);
    let error = |quotation: &[u8]| ipv6().icmp(Icmp::new(1, 4).quoting(quotation));
    let mismatch = |len: usize| v6(Kind::IcmpMismatch, 0x0104, 48 + len as u32);
    let mut add = |name: String, quotation: &[u8], expected: Expected| {
        t.add(format!("quoted in ICMPv6: {name}"), error(quotation).frame(), expected);
    };

    let tcp = quoted().tcp(Tcp::syn(0x0102, 0x0304)).packet();
    let udp = quoted().udp(Udp::new(0x0102, 0x0304)).packet();
    for (name, packet, kind) in [("TCP", &tcp, Kind::IcmpErrorTcp), ("UDP", &udp, Kind::IcmpErrorUdp)] {
        for len in 0..=packet.len() {
            let expected = match len {
                0..40 => mismatch(len),
                40..44 => v6_error(kind, 0, 48 + len as u32),
                _ => v6_error(kind, 0x0304, 48 + len as u32),
            };
            add(format!("{len} bytes of {name}"), &packet[..len], expected);
        }
    }
    for protocol in (0..=255u8).filter(|p| ![0, 43, 44, 51, 60, 135, 139, 140].contains(p)) {
        let expected = match protocol {
            58 => v6_error(Kind::IcmpErrorIcmp, 0, 92),
            6 => v6_error(Kind::IcmpErrorTcp, 0x0304, 92),
            17 => v6_error(Kind::IcmpErrorUdp, 0x0304, 92),
            _ => v6_error(Kind::IcmpErrorOther, u16::from(protocol), 92),
        };
        let packet = quoted().carrying(protocol, &[1, 2, 3, 4]).packet();
        add(format!("protocol {protocol}"), &packet, expected);
        let expected = expected.map(|p| {
            p.bytes += 8;
            if matches!(p.kind, Kind::IcmpErrorTcp | Kind::IcmpErrorUdp) {
                p.port = 0;
            }
        });
        let packet =
            quoted().extension(Extension::fragment(1, false)).carrying(protocol, &[1, 2, 3, 4]).packet();
        add(format!("later fragment of protocol {protocol}"), &packet, expected);
    }
    let options =
        quoted().extension(Extension::fragment(1, false)).carrying(60, &[6, 0, 0, 0, 0, 0, 0, 0]).packet();
    add("later fragment of options".into(), &options, v6_error(Kind::IcmpErrorOther, 60, 104));

    // Whose packet it was: all 128 bits count.
    for bit in [0, 1, 31, 32, 47, 63, 64, 65, 95, 96, 126, 127] {
        let other = Ipv6Addr::from_bits(V6_TO.to_bits() ^ 1 << bit);
        let packet = Ipv6::new(other, V6_VICTIM).tcp(syn()).packet();
        add(format!("bit {bit} of the source"), &packet, mismatch(60));
    }
    let turned = Ipv6::new(V6_VICTIM, V6_TO).tcp(syn()).packet();
    add("turned round".into(), &turned, mismatch(60));
    let own = Ipv6::new(V6_FROM, V6_VICTIM).tcp(syn()).packet();
    add("the router's own packet".into(), &own, mismatch(60));

    for version in (0..16).filter(|&v| v != 6) {
        add(format!("version {version}"), &quoted().version(version).tcp(syn()).packet(), mismatch(60));
    }
    add("IPv4".into(), &Ipv4::new(V4_TO, V4_VICTIM).options(5).tcp(syn()).packet(), mismatch(60));
    for length in [0, 1, 20, 1500, 65535] {
        let packet = quoted().payload_length(length).tcp(syn()).packet();
        add(format!("payload length {length}"), &packet, v6_error(Kind::IcmpErrorTcp, 23, 108));
    }

    // Extension headers are walked.
    let mut in_packet = Vec::new();
    let mut extensions = vec![
        ("authentication of 8".to_owned(), Extension::authentication(0), 8),
        ("authentication of 12".to_owned(), Extension::authentication(1), 12),
        ("authentication of 16".to_owned(), Extension::authentication(2), 16),
        ("first fragment".to_owned(), Extension::fragment(0, true), 8),
        ("atomic fragment that claims a length".to_owned(), Extension::fragment(0, false).claiming(9), 8),
    ];
    for number in PLAIN_EXTENSIONS {
        extensions.push((format!("extension {number} of 8"), Extension::new(number, 0), 8));
        extensions.push((format!("extension {number} of 24"), Extension::new(number, 2), 24));
    }
    for (name, extension, len) in &extensions {
        let packet = quoted().extension(extension.clone());
        let tcp = packet.clone().tcp(Tcp::syn(0x0102, 0x0304)).packet();
        add(format!("{name}, TCP"), &tcp, v6_error(Kind::IcmpErrorTcp, 0x0304, 108 + len));
        let sctp = packet.clone().sctp(Sctp::new(1, 2)).packet();
        add(format!("{name}, SCTP"), &sctp, v6_error(Kind::IcmpErrorOther, 132, 100 + len));
        let icmp = packet.clone().icmp(Icmp::new(128, 0)).packet();
        add(format!("{name}, ICMPv6"), &icmp, v6_error(Kind::IcmpErrorIcmp, 0, 96 + len));
        for have in 0..4 {
            let quotation = &tcp[..40 + *len as usize + have];
            add(
                format!("{name}, {have} bytes of TCP"),
                quotation,
                v6_error(Kind::IcmpErrorTcp, 0, 48 + quotation.len() as u32),
            );
        }
        // An extension that is cut is not read: its own number is the last that is known.
        let number = u16::from(tcp[6]);
        for have in 0..*len as usize {
            let expected = v6_error(Kind::IcmpErrorOther, number, 88 + have as u32);
            add(format!("{name}, {have} bytes in the frame"), &tcp[..40 + have], expected);
            let ends = error(&tcp).payload_length(48 + have as u16).frame();
            in_packet.push((format!("{name}, {have} bytes in the packet"), ends, expected));
        }
    }
    let later_cut = quoted().extension(Extension::fragment(2, true)).tcp(syn()).packet();
    add(
        "7 bytes of a later fragment's header".into(),
        &later_cut[..47],
        v6_error(Kind::IcmpErrorOther, 44, 95),
    );
    add("8 bytes of a later fragment's header".into(), &later_cut[..48], v6_error(Kind::IcmpErrorTcp, 0, 96));
    let later =
        quoted().extension(Extension::new(HOP_BY_HOP, 0)).extension(Extension::fragment(2, true)).tcp(syn());
    add("later fragment behind an extension".into(), &later.packet(), v6_error(Kind::IcmpErrorTcp, 0, 124));
    let eight = (0..8).fold(quoted(), |p, _| p.extension(Extension::new(DESTINATION_OPTIONS, 0)));
    add("eight extensions".into(), &eight.clone().tcp(syn()).packet(), v6_error(Kind::IcmpErrorTcp, 23, 172));
    let nine = eight.extension(Extension::new(ROUTING, 0)).tcp(syn()).packet();
    add("nine extensions".into(), &nine, v6_error(Kind::IcmpErrorOther, 43, 180));
    let cut_second =
        quoted().extension(Extension::new(HOP_BY_HOP, 0)).extension(Extension::new(ROUTING, 0)).packet();
    add("second extension not there".into(), &cut_second[..48], v6_error(Kind::IcmpErrorOther, 43, 96));

    for (name, frame, expected) in in_packet {
        t.add(format!("quoted in ICMPv6: {name}"), frame, expected);
    }
    for have in 2..8usize {
        t.add(
            format!("{have} bytes of an ICMPv6 error"),
            ipv6().carrying(ICMPV6, &Icmp::new(1, 4).bytes()[..have]).frame(),
            v6(Kind::IcmpMismatch, 0x0104, 40 + have as u32),
        );
    }
    for have in [0, 39, 40, 43, 44usize] {
        let expected = match have {
            0..40 => mismatch(have),
            40..44 => v6_error(Kind::IcmpErrorTcp, 0, 48 + have as u32),
            _ => v6_error(Kind::IcmpErrorTcp, 0x0304, 48 + have as u32),
        };
        t.add(
            format!("ICMPv6 quotation of {have} bytes, the rest in the padding"),
            error(&tcp).payload_length(8 + have as u16).frame(),
            expected,
        );
    }
    t.add(
        "ICMPv6 quotation behind extensions",
        ipv6()
            .extension(Extension::new(HOP_BY_HOP, 1))
            .extension(Extension::authentication(1))
            .icmp(Icmp::new(4, 0).quoting(&tcp))
            .tagged(&[VLAN]),
        v6_error(Kind::IcmpErrorTcp, 0x0304, 136),
    );
}

fn tools(t: &mut Table) {
    const ZMAP: u16 = 54321;
    const TO: u32 = 0xc000_0201; // 192.0.2.1
    const MASSCAN: u16 = 0x5c87; // 0x0201 ^ 0x0017 ^ 0x5e91
    let sequence = 0x5e90_5e91;

    let cases: [(&str, u16, u16, u32, Tool); 25] = [
        ("none", 1, 23, sequence, Tool::None),
        ("Mirai", 1, 23, TO, Tool::Mirai),
        ("Mirai off by one", 1, 23, TO + 1, Tool::None),
        ("Mirai, lower half only", 1, 23, 0x0201, Tool::None),
        ("Mirai, upper half only", 1, 23, 0xc000_0000, Tool::None),
        ("Mirai in the other byte order", 1, 23, 0x0102_00c0, Tool::None),
        ("sequence equals the source", 1, 23, 0xc633_6407, Tool::None),
        ("ZMap", ZMAP, 23, sequence, Tool::Zmap),
        ("ZMap off by one below", ZMAP - 1, 23, sequence, Tool::None),
        ("ZMap off by one above", ZMAP + 1, 23, sequence, Tool::None),
        ("ZMap in the other byte order", 0x31d4, 23, sequence, Tool::None),
        ("masscan", MASSCAN, 23, sequence, Tool::Masscan),
        ("masscan, another port", 0x4300, 8080, sequence, Tool::Masscan),
        ("masscan, the upper half does not matter", MASSCAN, 23, 0x0000_5e91, Tool::Masscan),
        ("masscan off by one", MASSCAN ^ 1, 23, sequence, Tool::None),
        ("masscan off in the upper byte", MASSCAN ^ 0x8000, 23, sequence, Tool::None),
        ("masscan in the other byte order", 0x875c, 23, sequence, Tool::None),
        ("masscan of the upper half", 0x9e87, 23, sequence, Tool::None),
        ("masscan of the source address", 0x3a81, 23, sequence, Tool::None),
        ("masscan of the source port", 0xc0d0, 23, sequence, Tool::None),
        ("masscan without the port", 0x5c90, 23, sequence, Tool::None),
        ("Mirai and ZMap", ZMAP, 23, TO, Tool::Mirai),
        ("Mirai and masscan", 23, 23, TO, Tool::Mirai),
        ("ZMap and masscan", ZMAP, 23, 0x0000_d627, Tool::Zmap),
        ("Mirai, ZMap and masscan", ZMAP, 54321, TO, Tool::Mirai),
    ];
    for (name, id, port, sequence, tool) in cases {
        let tcp = Tcp::syn(40000, port).sequence(sequence);
        let packet = ipv4().id(id).tcp(tcp);
        t.add(name, packet.frame(), v4(Kind::Syn, port, 40).tool(tool));
        t.add(format!("{name}, tagged"), packet.tagged(&[VLAN]), v4(Kind::Syn, port, 40).tool(tool));
        let options = packet.clone().options(2).frame();
        t.add(format!("{name}, behind options"), options, v4(Kind::Syn, port, 48).tool(tool));
        let first = packet.clone().fragment(0, true).frame();
        t.add(format!("{name}, first fragment"), first, v4(Kind::Syn, port, 40).tool(tool));
        let later = packet.clone().fragment(1, true).frame();
        t.add(format!("{name}, later fragment"), later, v4(Kind::Fragment, 6, 40));
        for (flags, what, kind, key_port) in [
            (SYN | ECE | CWR | PSH | URG, "odd SYN", Kind::Syn, port),
            (SYN | ACK, "SYN and ACK", Kind::SynAck, 40000),
            (SYN | FIN, "SYN and FIN", Kind::Tcp, port),
            (SYN | RST, "SYN and RST", Kind::Rst, 40000),
            (RST, "RST", Kind::Rst, 40000),
            (ACK, "ACK", Kind::Tcp, port),
            (0, "no flags", Kind::Tcp, port),
        ] {
            let frame = ipv4().id(id).tcp(tcp.flags(flags)).frame();
            let tool = if kind == Kind::Syn { tool } else { Tool::None };
            t.add(format!("{name}, {what}"), frame, v4(kind, key_port, 40).tool(tool));
        }
        let udp = Ipv4::carrying(ipv4().id(id), UDP, &tcp.bytes()).frame();
        t.add(format!("{name}, UDP"), udp, v4(Kind::Udp, port, 40));
        let sctp = Ipv4::carrying(ipv4().id(id), SCTP, &tcp.bytes()).frame();
        t.add(format!("{name}, SCTP"), sctp, v4(Kind::Sctp, port, 40));
        let quoting = Icmp::new(3, 1).quoting(&Ipv4::new(V4_TO, V4_VICTIM).id(id).tcp(tcp).packet());
        t.add(
            format!("{name}, quoted"),
            ipv4().id(id).icmp(quoting).frame(),
            v4_error(Kind::IcmpErrorTcp, port, 68),
        );
        t.add(format!("{name}, over IPv6"), ipv6().tcp(tcp).frame(), v6(Kind::Syn, port, 60));
    }
    // What an eye that takes IPv6 for IPv4 would see: part of an address, or 0.
    for sequence in [0, 1, 23, 0x2001_0db8, 0x0001_0000, 54321] {
        let tcp = Tcp::syn(40000, 23).sequence(sequence);
        t.add(format!("sequence {sequence} over IPv6"), ipv6().tcp(tcp).frame(), v6(Kind::Syn, 23, 60));
    }
    t.add(
        "Mirai, another sensor",
        Ipv4::new(V4_FROM, [192, 0, 2, 129]).tcp(Tcp::syn(1, 23).sequence(0xc000_0281)).frame(),
        v4(Kind::Syn, 23, 40).sensor(1).tool(Tool::Mirai),
    );
    let short = ipv4().id(ZMAP).carrying(TCP, &syn().bytes()[..14]).frame();
    t.add("ZMap in 14 bytes of TCP", short, v4(Kind::Syn, 23, 34).tool(Tool::Zmap));
}

fn bytes(t: &mut Table) {
    for (length, bytes) in [(40, 40), (46, 46), (200, 200), (34, 34), (0, 46), (1500, 1500), (65535, 65535)] {
        let packet = ipv4().total_length(length).tcp(syn());
        t.add(
            format!("total length {length} in 60 bytes of frame"),
            padded(packet.frame(), 60),
            v4(Kind::Syn, 23, bytes),
        );
        t.add(
            format!("total length {length} behind two tags"),
            padded(packet.tagged(&[SERVICE_VLAN, VLAN]), 68),
            v4(Kind::Syn, 23, bytes),
        );
    }
    for (length, bytes) in [(20, 60), (14, 54), (26, 66), (200, 240), (0, 66), (65535, 65575)] {
        let packet = ipv6().payload_length(length).tcp(syn());
        t.add(
            format!("payload length {length} in 80 bytes of frame"),
            padded(packet.frame(), 80),
            v6(Kind::Syn, 23, bytes),
        );
        t.add(
            format!("payload length {length} behind two tags"),
            padded(packet.tagged(&[SERVICE_VLAN, VLAN]), 88),
            v6(Kind::Syn, 23, bytes),
        );
    }
    t.add(
        "payload length 0 and no payload",
        ipv6().carrying(NO_NEXT_HEADER, &[]).payload_length(0).frame(),
        v6(Kind::Ip, 59, 40),
    );
    t.add(
        "a full frame",
        ipv4().carrying(UDP, &[&Udp::new(7, 9).bytes()[..], &[0xaa; 1472]].concat()).frame(),
        v4(Kind::Udp, 9, 1500),
    );
    t.add(
        "a fragment's bytes",
        padded(ipv4().fragment(3, true).carrying(17, &[]).frame(), 60),
        v4(Kind::Fragment, 17, 20),
    );
    t.add(
        "the bytes of an unread protocol with total length 0",
        padded(ipv4().total_length(0).carrying(47, &[]).frame(), 60),
        v4(Kind::Ip, 47, 46),
    );
}

fn neighbour_discovery(t: &mut Table) {
    for icmp_type in 132..=138u8 {
        let icmp = Icmp::new(icmp_type, 0);
        let port = u16::from(icmp_type) << 8;
        let exempt = (133..=137).contains(&icmp_type);
        let mut add = |name: String, frame: Vec<u8>, expected: Expected| {
            if exempt { t.add_passing(name, frame, expected) } else { t.add(name, frame, expected) }
        };
        add(format!("type {icmp_type}"), ipv6().icmp(icmp.clone()).frame(), v6(Kind::Icmp, port, 48));
        add(
            format!("type {icmp_type}, tagged"),
            ipv6().icmp(icmp.clone()).tagged(&[VLAN]),
            v6(Kind::Icmp, port, 48),
        );
        let hops = ipv6().extension(Extension::new(HOP_BY_HOP, 0)).icmp(icmp.clone());
        add(format!("type {icmp_type} behind an extension"), hops.frame(), v6(Kind::Icmp, port, 56));
        let whole = ipv6().icmp(Icmp::new(icmp_type, 255).quoting(&[0; 16]));
        add(format!("type {icmp_type}, code 255"), whole.frame(), v6(Kind::Icmp, port + 255, 64));
        let first = ipv6().extension(Extension::fragment(0, true)).icmp(icmp.clone());
        add(format!("type {icmp_type} in a first fragment"), first.frame(), v6(Kind::Icmp, port, 56));

        t.add(
            format!("type {icmp_type} over IPv4"),
            ipv4().icmp(icmp.clone()).frame(),
            v4(Kind::Icmp, port, 28),
        );
        let later = ipv6().extension(Extension::fragment(1, false)).icmp(icmp.clone());
        t.add(format!("type {icmp_type} in a later fragment"), later.frame(), v6(Kind::Fragment, 58, 56));
        let quoted = Ipv6::new(V6_TO, V6_VICTIM).icmp(icmp.clone()).packet();
        t.add(
            format!("type {icmp_type}, quoted"),
            ipv6().icmp(Icmp::new(1, 0).quoting(&quoted)).frame(),
            v6_error(Kind::IcmpErrorIcmp, 0, 96),
        );
        t.add(
            format!("type {icmp_type} from a neighbour"),
            Ipv6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9), V6_TO).icmp(icmp.clone()).frame(),
            Expected::Local,
        );
        t.add(
            format!("type {icmp_type} to all nodes"),
            Ipv6::new(V6_FROM, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)).icmp(icmp.clone()).frame(),
            Expected::Local,
        );
        t.add(
            format!("UDP to port {port}, which is type {icmp_type}"),
            ipv6().udp(Udp::new(40000, port)).frame(),
            v6(Kind::Udp, port, 48),
        );
    }
}

/// Cases under cut sources, by the lengths they are cut to; [`WATCHED`] holds here too.
pub fn cases_cut() -> Vec<(SourceBits, Vec<Case>)> {
    [(24, 48), (16, 32), (32, 64), (31, 63), (25, 49), (8, 56), (1, 1), (0, 0), (0, 64), (32, 0)]
        .map(|(v4, v6)| (SourceBits { v4, v6 }, cut_cases(v4, v6)))
        .to_vec()
}

fn cut_cases(v4_bits: u8, v6_bits: u8) -> Vec<Case> {
    // By division, to be told from the masks of the program.
    let cut4 = |source: u64| source >> (32 - v4_bits) << (32 - v4_bits);
    let cut6 = |source: u64| {
        let unit = 1u128 << (64 - v6_bits);
        (u128::from(source) / unit * unit) as u64
    };
    let to4 = |kind, port, bytes, source| v4(kind, port, bytes).source(cut4(source));
    let to6 = |kind, port, bytes, source| v6(kind, port, bytes).source(cut6(source));
    let mut table = Table { rule: 7, cases: Vec::new() };
    let t = &mut table;

    t.add("IPv4", ipv4().tcp(syn()).frame(), to4(Kind::Syn, 23, 40, V4_FROM_KEY));
    t.add("IPv6", ipv6().tcp(syn()).frame(), to6(Kind::Syn, 23, 60, V6_FROM_KEY));
    let ones4 = Ipv4::new(Ipv4Addr::BROADCAST, V4_TO);
    t.add("all ones", ones4.tcp(syn()).frame(), to4(Kind::Syn, 23, 40, 0xffff_ffff));
    let ones6 = Ipv6::new(Ipv6Addr::from_bits(u128::MAX), V6_TO);
    t.add("all ones, IPv6", ones6.tcp(syn()).frame(), to6(Kind::Syn, 23, 60, u64::MAX));
    let fragment = ipv4().fragment(1, true).tcp(syn());
    t.add("a fragment", fragment.frame(), to4(Kind::Fragment, 6, 40, V4_FROM_KEY));
    t.add("any protocol", ipv6().carrying(ESP, &[]).frame(), to6(Kind::Ip, 50, 40, V6_FROM_KEY));

    // What a packet is, is decided on the whole address.
    t.add("from 0.0.0.5", Ipv4::new([0, 0, 0, 5], V4_TO).tcp(syn()).frame(), to4(Kind::Syn, 23, 40, 5));
    t.add(
        "from 169.253.255.255",
        Ipv4::new([169, 253, 255, 255], V4_TO).tcp(syn()).frame(),
        to4(Kind::Syn, 23, 40, 0xa9fd_ffff),
    );
    t.add("from 169.254.9.9", Ipv4::new([169, 254, 9, 9], V4_TO).tcp(syn()).frame(), Expected::Local);
    t.add("from ::1", Ipv6::new(Ipv6Addr::LOCALHOST, V6_TO).tcp(syn()).frame(), to6(Kind::Syn, 23, 60, 0));
    t.add(
        "from fec0::1",
        Ipv6::new(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1), V6_TO).tcp(syn()).frame(),
        to6(Kind::Syn, 23, 60, 0xfec0_0000_0000_0000),
    );
    let febf = Ipv6Addr::new(0xfebf, 1, 2, 3, 4, 5, 6, 7);
    t.add("from febf::", Ipv6::new(febf, V6_TO).tcp(syn()).frame(), Expected::Local);
    t.add(
        "Mirai",
        ipv4().tcp(Tcp::syn(40000, 23).sequence(0xc000_0201)).frame(),
        to4(Kind::Syn, 23, 40, V4_FROM_KEY).tool(Tool::Mirai),
    );
    t.add(
        "Mirai, but for the last byte",
        ipv4().tcp(Tcp::syn(40000, 23).sequence(0xc000_0200)).frame(),
        to4(Kind::Syn, 23, 40, V4_FROM_KEY),
    );

    // The victim is cut, the comparison of whose packet it was is not.
    let error4 = |from: Ipv4Addr| {
        ipv4().icmp(Icmp::new(3, 1).quoting(&Ipv4::new(from, V4_VICTIM).tcp(syn()).packet())).frame()
    };
    t.add("a quoted IPv4 packet", error4(V4_TO), to4(Kind::IcmpErrorTcp, 23, 68, V4_VICTIM_KEY));
    t.add(
        "a quoted IPv4 packet of a neighbour",
        error4(Ipv4Addr::new(192, 0, 2, 2)),
        to4(Kind::IcmpMismatch, 0x0301, 68, V4_FROM_KEY),
    );
    let error6 = |from: Ipv6Addr| {
        ipv6().icmp(Icmp::new(1, 4).quoting(&Ipv6::new(from, V6_VICTIM).tcp(syn()).packet())).frame()
    };
    t.add("a quoted IPv6 packet", error6(V6_TO), to6(Kind::IcmpErrorTcp, 23, 108, V6_VICTIM_KEY));
    t.add(
        "a quoted IPv6 packet of a neighbour",
        error6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2)),
        to6(Kind::IcmpMismatch, 0x0104, 108, V6_FROM_KEY),
    );
    table.cases
}
