//! Holds the classifier against a second one, written from the rules over the slices of
//! `etherparse`, on generated frames: well-formed ones, mutated ones, cut ones, and noise.
//!
//! `TEITEN_ORACLE_FRAMES` is the number of frames (50,000), `TEITEN_ORACLE_SEED` the seed. A
//! failure prints seed, index and frame; each frame depends on its seed and index only.

use std::{env, net::Ipv6Addr, panic, thread};

use etherparse::{
    EtherType, Ethernet2Slice, IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice,
    Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanSlice, TcpHeaderSlice, UdpHeaderSlice, icmpv4, icmpv6,
};
use sensor_common::{
    classify::{SourceMasks, Verdict, Watch, classify},
    kind::{Family, Kind, Tool},
};
use teiten_tests::{
    frames::*,
    host::Reaching,
    random,
    rules::{Expected, Packet},
};

/// What the oracle's sensors watch; other prefixes than the table's, and read off the text.
struct Watched;

impl Watch for Watched {
    fn v4(&self, destination: [u8; 4]) -> Option<u8> {
        match destination {
            [192, 0, 2, 64..=127] => Some(7),
            [192, 0, 2, _] => Some(5),
            [224..=255, _, _, _] => Some(9),
            _ => None,
        }
    }

    fn v6(&self, destination: [u8; 16]) -> Option<u8> {
        match destination {
            [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x80..=0xff, ..] => Some(7),
            [0x20, 0x01, 0x0d, 0xb8, 0, 1, ..] => Some(5),
            [0xfe..=0xff, ..] => Some(9),
            _ => None,
        }
    }
}

// The oracle.

/// The rules over `etherparse`'s slices.
fn oracle(frame: &[u8], bits: (u8, u8)) -> Expected {
    decide(frame, bits).unwrap_or(Expected::Malformed)
}

/// `None` for malformed frames.
fn decide(frame: &[u8], (v4_bits, v6_bits): (u8, u8)) -> Option<Expected> {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let (mut ethertype, mut rest) = (ethernet.ether_type(), ethernet.payload_slice());
    let mut tags = 0;
    while let EtherType::VLAN_TAGGED_FRAME
    | EtherType::PROVIDER_BRIDGING
    | EtherType::VLAN_DOUBLE_TAGGED_FRAME = ethertype
    {
        tags += 1;
        if tags > 4 {
            return None;
        }
        let tag = SingleVlanSlice::from_slice(rest).ok()?;
        (ethertype, rest) = (tag.ether_type(), tag.payload_slice());
    }
    match ethertype {
        EtherType::IPV4 => decide_ipv4(rest, v4_bits),
        EtherType::IPV6 => decide_ipv6(rest, v6_bits),
        _ => Some(Expected::NonIp),
    }
}

fn decide_ipv4(packet: &[u8], bits: u8) -> Option<Expected> {
    let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
    let total = usize::from(header.total_len());
    if total != 0 && total < header.slice().len() {
        return None;
    }
    let Some(sensor) = Watched.v4(header.destination()) else { return Some(Expected::Unwatched) };
    let (source, destination) = (header.source_addr(), header.destination_addr());
    let local_source = source.is_link_local() || source.is_unspecified();
    if local_source || destination.is_multicast() || destination.is_broadcast() {
        return Some(Expected::Local);
    }

    let bytes = if total == 0 { packet.len() } else { total };
    let payload = &packet[header.slice().len()..packet.len().min(bytes)];
    let protocol = header.protocol();
    let offset = header.fragments_offset().value();
    let key = |source: u32| u64::from(u32::from_be_bytes(first_bits(source.to_be_bytes(), bits)));

    let message = if offset != 0 {
        Message { kind: Kind::Fragment, port: u16::from(protocol.0), victim: None, marks: None }
    } else {
        let quoted = |quotation| {
            let quoted = Ipv4HeaderSlice::from_slice(quotation).ok()?;
            if quoted.source() != header.destination() {
                return None;
            }
            let behind = (quoted.fragments_offset().value() == 0).then(|| &quotation[quoted.slice().len()..]);
            Some((u128::from(quoted.destination_addr().to_bits()), quoted.protocol(), behind))
        };
        message(Family::V4, protocol, payload, quoted)?
    };
    let tool = message.marks.map_or(Tool::None, |(sequence, port)| {
        let to = destination.to_bits();
        let low_half = (to ^ u32::from(port) ^ sequence) % 0x1_0000;
        if sequence == to {
            Tool::Mirai
        } else if header.identification() == 54321 {
            Tool::Zmap
        } else if u32::from(header.identification()) == low_half {
            Tool::Masscan
        } else {
            Tool::None
        }
    });
    let source = message.victim.map_or(source.to_bits(), |victim| victim as u32);
    Some(Expected::Packet(Packet {
        source: key(source),
        port: message.port,
        kind: message.kind,
        family: Family::V4,
        tool,
        sensor,
        bytes: bytes as u32,
    }))
}

fn decide_ipv6(packet: &[u8], bits: u8) -> Option<Expected> {
    let header = Ipv6HeaderSlice::from_slice(packet).ok()?;
    let Some(sensor) = Watched.v6(header.destination()) else { return Some(Expected::Unwatched) };
    let (source, destination) = (header.source_addr(), header.destination_addr());
    let local_source = source.is_unicast_link_local() || source.is_unspecified();
    if local_source || destination.is_multicast() {
        return Some(Expected::Local);
    }

    let length = usize::from(header.payload_length());
    let bytes = if length == 0 { packet.len() } else { length + Ipv6HeaderSlice::header_len(&header) };
    let payload = &packet[40..packet.len().min(bytes)];
    let message = match walk(header.next_header(), payload) {
        Walk::Cut(_) => return None,
        Walk::Fragment(protocol) => {
            Message { kind: Kind::Fragment, port: u16::from(protocol.0), victim: None, marks: None }
        }
        Walk::Transport(protocol, payload) => {
            let quoted = |quotation| {
                let quoted = Ipv6HeaderSlice::from_slice(quotation).ok()?;
                if quoted.source() != header.destination() {
                    return None;
                }
                let (protocol, behind) = match walk(quoted.next_header(), &quotation[40..]) {
                    Walk::Transport(protocol, behind) => (protocol, Some(behind)),
                    Walk::Fragment(protocol) | Walk::Cut(protocol) => (protocol, None),
                };
                Some((quoted.destination_addr().to_bits(), protocol, behind))
            };
            message(Family::V6, protocol, payload, quoted)?
        }
    };
    let source = message.victim.unwrap_or(source.to_bits());
    let [a, b, c, d, e, f, g, h, ..] = first_bits(source.to_be_bytes(), bits);
    Some(Expected::Packet(Packet {
        source: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        port: message.port,
        kind: message.kind,
        family: Family::V6,
        tool: Tool::None,
        sensor,
        bytes: bytes as u32,
    }))
}

/// An address with all but its first bits cleared, one by one.
fn first_bits<const N: usize>(mut address: [u8; N], bits: u8) -> [u8; N] {
    for bit in usize::from(bits)..8 * N {
        address[bit / 8] &= !(0x80 >> (bit % 8));
    }
    address
}

/// What follows an IPv6 header.
enum Walk<'a> {
    Transport(IpNumber, &'a [u8]),
    /// A later fragment of this protocol.
    Fragment(IpNumber),
    /// Too many extension headers, or one that is cut: this one.
    Cut(IpNumber),
}

fn walk(mut next: IpNumber, mut rest: &[u8]) -> Walk<'_> {
    for number in 1.. {
        let step = match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                Ipv6RawExtHeaderSlice::from_slice(rest).ok().map(|h| (h.next_header(), h.slice().len()))
            }
            IpNumber::AUTHENTICATION_HEADER => match rest {
                // An authentication header of 8 bytes, which `etherparse` refuses.
                [next, 0, _, _, _, _, _, _, ..] => Some((IpNumber(*next), 8)),
                _ => IpAuthHeaderSlice::from_slice(rest).ok().map(|h| (h.next_header(), h.slice().len())),
            },
            IpNumber::IPV6_FRAGMENTATION_HEADER => match Ipv6FragmentHeaderSlice::from_slice(rest) {
                Ok(h) if number <= 8 && h.fragment_offset().value() != 0 => {
                    return Walk::Fragment(h.next_header());
                }
                Ok(h) => Some((h.next_header(), h.slice().len())),
                Err(_) => None,
            },
            _ => return Walk::Transport(next, rest),
        };
        match step {
            Some((after, len)) if number <= 8 => (next, rest) = (after, &rest[len..]),
            _ => break,
        }
    }
    Walk::Cut(next)
}

/// What the transport header says.
struct Message {
    kind: Kind,
    port: u16,
    /// The destination of a quoted packet.
    victim: Option<u128>,
    /// Sequence number and destination port of a SYN.
    marks: Option<(u32, u16)>,
}

impl Message {
    fn new(kind: Kind, port: u16) -> Option<Self> {
        Some(Self { kind, port, victim: None, marks: None })
    }
}

/// What of an IP packet is quoted: its destination, its protocol, and what follows its headers
/// unless it is a later fragment or cut. `None` if it cannot be read or has the wrong source.
type Quoted<'a> = Option<(u128, IpNumber, Option<&'a [u8]>)>;

/// `None` if too little of the transport header is there. `etherparse` wants all of a header: what
/// may be missing is filled up with zeros.
fn message<'a>(
    family: Family,
    protocol: IpNumber,
    payload: &'a [u8],
    quoted: impl FnOnce(&'a [u8]) -> Quoted<'a>,
) -> Option<Message> {
    let least = match (protocol, family) {
        (IpNumber::TCP, _) => 14,
        (IpNumber::UDP | IpNumber::SCTP, _) => 4,
        (IpNumber::ICMP, Family::V4) | (IpNumber::IPV6_ICMP, Family::V6) => 2,
        _ => return Message::new(Kind::Ip, u16::from(protocol.0)),
    };
    if payload.len() < least {
        return None;
    }
    let mut header = [0; 20];
    let there = payload.len().min(20);
    header[..there].copy_from_slice(&payload[..there]);

    match protocol {
        IpNumber::TCP => {
            header[12] = 5 << 4; // the data offset does not matter
            let tcp = TcpHeaderSlice::from_slice(&header).ok()?;
            let (from, to) = (tcp.source_port(), tcp.destination_port());
            if tcp.rst() {
                Message::new(Kind::Rst, from)
            } else if tcp.syn() && tcp.ack() {
                Message::new(Kind::SynAck, from)
            } else if tcp.syn() && !tcp.fin() {
                let marks = Some((tcp.sequence_number(), to));
                Some(Message { kind: Kind::Syn, port: to, victim: None, marks })
            } else {
                Message::new(Kind::Tcp, to)
            }
        }
        IpNumber::UDP => {
            let udp = UdpHeaderSlice::from_slice(&header).ok()?;
            let (from, to) = (udp.source_port(), udp.destination_port());
            let service = matches!(from, 17 | 19 | 53 | 69 | 111 | 123 | 137 | 161 | 389 | 427 | 443)
                || matches!(from, 500 | 1900 | 3478 | 3702 | 5353 | 5683 | 11211);
            if service && to > 1023 {
                Message::new(Kind::UdpReply, from)
            } else {
                Message::new(Kind::Udp, to)
            }
        }
        IpNumber::SCTP => {
            // SCTP's ports are where UDP's are.
            Message::new(Kind::Sctp, UdpHeaderSlice::from_slice(&header).ok()?.destination_port())
        }
        _ => {
            let [icmp_type, code, ..] = header;
            let own = u16::from_be_bytes([icmp_type, code]);
            let kind = match family {
                Family::V4 => match icmp_type {
                    icmpv4::TYPE_ECHO_REQUEST => Kind::Echo,
                    icmpv4::TYPE_ECHO_REPLY
                    | icmpv4::TYPE_TIMESTAMP_REPLY
                    | icmpv4::TYPE_INFO_REPLY
                    | icmpv4::TYPE_ADDRESSREPLY => Kind::IcmpReply,
                    icmpv4::TYPE_DEST_UNREACH
                    | icmpv4::TYPE_SOURCE_QUENCH
                    | icmpv4::TYPE_REDIRECT
                    | icmpv4::TYPE_TIME_EXCEEDED
                    | icmpv4::TYPE_PARAMETER_PROBLEM => Kind::IcmpMismatch,
                    _ => Kind::Icmp,
                },
                Family::V6 => match icmp_type {
                    icmpv6::TYPE_ECHO_REQUEST => Kind::Echo,
                    icmpv6::TYPE_ECHO_REPLY => Kind::IcmpReply,
                    icmpv6::TYPE_DST_UNREACH
                    | icmpv6::TYPE_PACKET_TOO_BIG
                    | icmpv6::TYPE_TIME_EXCEEDED
                    | icmpv6::TYPE_PARAMETER_PROBLEM => Kind::IcmpMismatch,
                    _ => Kind::Icmp,
                },
            };
            if kind != Kind::IcmpMismatch {
                return Message::new(kind, own);
            }
            let Some((victim, protocol, behind)) = payload.get(8..).and_then(quoted) else {
                return Message::new(kind, own);
            };
            let port = || match behind {
                Some([_, _, high, low, ..]) => u16::from_be_bytes([*high, *low]),
                _ => 0,
            };
            let (kind, port) = match (protocol, family) {
                (IpNumber::TCP, _) => (Kind::IcmpErrorTcp, port()),
                (IpNumber::UDP, _) => (Kind::IcmpErrorUdp, port()),
                (IpNumber::ICMP, Family::V4) | (IpNumber::IPV6_ICMP, Family::V6) => (Kind::IcmpErrorIcmp, 0),
                (other, _) => (Kind::IcmpErrorOther, u16::from(other.0)),
            };
            Some(Message { kind, port, victim: Some(victim), marks: None })
        }
    }
}

// The generator.

/// Numbers, and what frames want of them.
struct Random(random::Random);

impl Random {
    fn new(seed: u64) -> Self {
        Self(random::Random(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.draw()
    }

    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.0.bytes(len)
    }

    fn port(&mut self) -> u16 {
        const PORTS: [u16; 16] =
            [0, 17, 19, 53, 123, 443, 500, 1023, 1024, 1900, 5353, 5683, 11211, 11212, 54321, 65535];
        if self.one_in(2) { self.pick(&PORTS) } else { self.next() as u16 }
    }
}

const V4_TO: [[u8; 4]; 7] = [
    [192, 0, 2, 1],
    [192, 0, 2, 64],
    [192, 0, 2, 127],
    [192, 0, 2, 128],
    [240, 1, 2, 3],
    [192, 0, 3, 0],
    [255, 255, 255, 255],
];
const V4_FROM: [[u8; 4]; 7] = [
    [198, 51, 100, 7],
    [203, 0, 113, 200],
    [8, 8, 8, 8],
    [169, 254, 3, 4],
    [169, 253, 3, 4],
    [0, 0, 0, 0],
    [0, 0, 0, 1],
];
const V6_TO: [u128; 6] = [
    0x2001_0db8_0001_0000_0000_0000_0000_0001,
    0x2001_0db8_0001_8000_0000_0000_0000_0001,
    0x2001_0db8_0001_7fff_ffff_ffff_ffff_ffff,
    0xfeff_0000_0000_0000_0000_0000_0000_0001,
    0x2001_0db8_0002_0000_0000_0000_0000_0001,
    0xff02_0000_0000_0000_0000_0000_0000_0001,
];
const V6_FROM: [u128; 6] = [
    0x2001_0db8_ff01_0203_0405_0607_0809_0a0b,
    0x2a00_1450_4001_081c_0000_0000_0000_200e,
    0xfe80_0000_0000_0000_0000_0000_0000_0001,
    0xfec0_0000_0000_0000_0000_0000_0000_0001,
    0,
    1,
];

/// Mostly the first, so that most frames get as far as the transport header.
fn mostly_first<T: Copy>(random: &mut Random, from: &[T]) -> T {
    if random.one_in(4) { random.pick(from) } else { from[random.below(2)] }
}

/// A transport header and its protocol, in a packet to `to` (IPv4, else 0) with identification
/// `id`, such that marks of tools come up. `quote` makes a packet for errors to quote.
fn transport(
    random: &mut Random,
    icmp: u8,
    to: u32,
    id: u16,
    quote: impl FnOnce(&mut Random) -> Vec<u8>,
) -> (u8, Vec<u8>) {
    match random.below(12) {
        0..4 => {
            let (from, port) = (random.port(), random.port());
            let sequence = match random.below(4) {
                0 => to,
                1 => to ^ u32::from(port) ^ u32::from(id) ^ (random.next() as u32) << 16,
                2 => to.swap_bytes(),
                _ => random.next() as u32,
            };
            let flags = random.byte();
            let flags = random.pick(&[SYN, SYN, SYN | ECE | CWR, SYN | ACK, RST, SYN | FIN, ACK, flags]);
            let tcp = Tcp::new(from, port).flags(flags).sequence(sequence);
            (TCP, tcp.bytes())
        }
        4..6 => (UDP, Udp::new(random.port(), random.port()).bytes()),
        6 => (SCTP, Sctp::new(random.port(), random.port()).bytes()),
        7..11 => {
            let any = random.byte();
            let kinds = [0, 1, 2, 3, 3, 3, 4, 5, 8, 11, 12, 13, 14, 16, 18, 128, 129, 133, 137, any];
            let message = Icmp::new(random.pick(&kinds), random.byte()).quoting(&quote(random));
            (icmp, message.bytes())
        }
        _ => {
            let len = random.below(60);
            let any = random.byte();
            (
                random.pick(&[ICMP, ICMPV6, GRE, ESP, AUTHENTICATION, NO_NEXT_HEADER, any, any]),
                random.bytes(len),
            )
        }
    }
}

fn extension(random: &mut Random) -> Extension {
    let units = random.pick(&[0, 0, 0, 1, 2, 5]);
    let extension = match random.below(8) {
        0 => {
            let offset = random.pick(&[0, 0, 1, 0x100, 0x1fff]);
            Extension::fragment(offset, random.one_in(2))
        }
        1 => Extension::authentication(units),
        _ => {
            let numbers = [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6];
            Extension::new(random.pick(&numbers), units)
        }
    };
    if random.one_in(12) { extension.claiming(random.byte()) } else { extension }
}

/// An IPv4 packet whose payload may be an error that quotes packets of its destination, `depth`
/// deep.
fn ipv4(random: &mut Random, from: [u8; 4], to: [u8; 4], depth: usize) -> Vec<u8> {
    let id = random.next() as u16;
    let id = random.pick(&[54321, 54320, 0, id]);
    let (protocol, payload) = transport(random, ICMP, u32::from_be_bytes(to), id, |random| {
        let owner = if random.one_in(8) { random.pick(&V4_TO) } else { to };
        let victim = random.pick(&V4_FROM);
        quotation(random, depth, |random| ipv4(random, owner, victim, depth - 1))
    });
    let mut packet = Ipv4::new(from, to).id(id).carrying(protocol, &payload);
    if random.one_in(4) {
        packet = packet.options(random.below(11));
    }
    if random.one_in(6) {
        let offset = random.pick(&[0, 0, 1, 0x100, 0x1fff]);
        packet = packet.fragment(offset, random.one_in(2));
    }
    if random.one_in(10) {
        packet = packet.other_flags(true, random.one_in(2));
    }
    if random.one_in(12) {
        packet = packet.ihl(random.below(16) as u8);
    }
    if random.one_in(30) {
        packet = packet.version(random.below(16) as u8);
    }
    if random.one_in(4) {
        let whole = packet.packet().len() + 5;
        let length = random.below(whole) as u16;
        packet = packet.total_length(random.pick(&[0, length, length, 65535]));
    }
    packet.packet()
}

/// The same over IPv6.
fn ipv6(random: &mut Random, from: u128, to: u128, depth: usize) -> Vec<u8> {
    let (protocol, payload) = transport(random, ICMPV6, (to >> 96) as u32, 0, |random| {
        let owner = if random.one_in(8) { random.pick(&V6_TO) } else { to };
        let owner = if random.one_in(8) { owner ^ 1 << random.below(128) } else { owner };
        let victim = random.pick(&V6_FROM);
        quotation(random, depth, |random| ipv6(random, owner, victim, depth - 1))
    });
    let mut packet =
        Ipv6::new(Ipv6Addr::from_bits(from), Ipv6Addr::from_bits(to)).carrying(protocol, &payload);
    if random.one_in(3) {
        let count = random.pick(&[1, 1, 2, 3, 7, 8, 8, 9, 10]);
        packet = (0..count).fold(packet, |packet, _| packet.extension(extension(random)));
    }
    if random.one_in(30) {
        packet = packet.version(random.below(16) as u8);
    }
    if random.one_in(4) {
        let whole = packet.packet().len() - 40 + 5;
        let length = random.below(whole) as u16;
        packet = packet.payload_length(random.pick(&[0, length, length, 65535]));
    }
    packet.packet()
}

/// A packet as routers quote it: whole, or its first bytes; nothing where the quotation would be
/// the third inside another.
fn quotation(random: &mut Random, depth: usize, packet: impl FnOnce(&mut Random) -> Vec<u8>) -> Vec<u8> {
    if depth == 0 {
        return Vec::new();
    }
    let mut packet = packet(random);
    if random.one_in(3) {
        packet.truncate(random.below(packet.len() + 1));
    }
    packet
}

/// The frame of this index.
fn generated(seed: u64, index: u64) -> Vec<u8> {
    let random = &mut Random::new(seed ^ index.wrapping_mul(0xd134_2543_de82_ef95));
    random.next();
    if random.one_in(20) {
        let len = random.below(120);
        return random.bytes(len);
    }
    let tags: Vec<u16> = if random.one_in(4) {
        (0..random.below(6)).map(|_| random.pick(&[VLAN, SERVICE_VLAN, OLD_VLAN])).collect()
    } else {
        Vec::new()
    };
    let mut frame = if random.one_in(2) {
        let (from, to) = (mostly_first(random, &V4_FROM), mostly_first(random, &V4_TO));
        let ethertype = if random.one_in(40) { IPV6 } else { IPV4 };
        ethernet_tagged(&tags, ethertype, &ipv4(random, from, to, 2))
    } else {
        let (from, to) = (mostly_first(random, &V6_FROM), mostly_first(random, &V6_TO));
        let ethertype = if random.one_in(40) { IPV4 } else { IPV6 };
        ethernet_tagged(&tags, ethertype, &ipv6(random, from, to, 2))
    };
    if random.one_in(4) {
        let len = random.below(50);
        frame.extend(random.bytes(len));
    }
    if random.one_in(4) {
        frame.truncate(random.below(frame.len() + 1));
    }
    if random.one_in(3) && !frame.is_empty() {
        for _ in 0..1 + random.below(4) {
            let at = random.below(frame.len());
            frame[at] = match random.below(3) {
                0 => random.byte(),
                1 => frame[at] ^ 1 << random.below(8),
                _ => random.pick(&[0, 1, 4, 6, 17, 44, 58, 60, 0x45, 0x60, 0xff]),
            };
        }
    }
    frame
}

// The comparison.

fn observed(verdict: Verdict) -> Expected {
    match verdict {
        Verdict::NonIp => Expected::NonIp,
        Verdict::Malformed => Expected::Malformed,
        Verdict::Unwatched => Expected::Unwatched,
        Verdict::Local => Expected::Local,
        Verdict::Packet(counted) => Expected::Packet(Packet {
            source: counted.key.source,
            port: counted.key.port,
            kind: counted.key.kind,
            family: counted.key.family,
            tool: counted.key.tool,
            sensor: counted.key.sensor,
            bytes: counted.bytes,
        }),
    }
}

/// What is wrong about one frame, if anything. `thorough` also looks at each of its prefixes as a
/// frame of its own.
fn check(frame: &[u8], bits: (u8, u8), thorough: bool) -> Result<Expected, String> {
    let masks = SourceMasks::new(bits.0, bits.1);
    let verdict = classify(frame, &Watched, &masks).map_err(|_| "out of reach with all of the frame")?;
    let (ours, theirs) = (observed(verdict), oracle(frame, bits));
    if ours != theirs {
        return Err(format!("classifier {ours:?}\noracle     {theirs:?}"));
    }

    let mut enough = None;
    for reach in 0..frame.len() {
        match (classify(&Reaching { frame, reach }, &Watched, &masks), enough) {
            (Ok(partial), _) if partial != verdict => {
                return Err(format!("{partial:?} within {reach} bytes, {verdict:?} within all"));
            }
            (Ok(_), None) => enough = Some(reach),
            (Err(_), Some(enough)) => {
                return Err(format!("out of reach within {reach} bytes, but not within {enough}"));
            }
            (Ok(_), Some(_)) | (Err(_), None) => {}
        }
    }
    if thorough {
        for len in 0..frame.len() {
            check(&frame[..len], bits, false).map_err(|error| format!("cut to {len} bytes: {error}"))?;
        }
    }
    Ok(ours)
}

fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
        Err(_) => default,
    }
}

/// How often each outcome came up: the four without key, then the kinds.
type Seen = [u64; 4 + Kind::ALL.len()];

/// Checks one frame; a panic is a failure like any other.
fn check_index(seed: u64, index: u64, seen: &mut Seen, tools: &mut [u64; 4]) {
    const BITS: [(u8, u8); 5] = [(32, 64), (24, 48), (0, 0), (31, 63), (9, 33)];
    let frame = generated(seed, index);
    let bits = BITS[(index % 5) as usize];
    let result = panic::catch_unwind(|| check(&frame, bits, index.is_multiple_of(64)))
        .unwrap_or_else(|_| Err("the classifier or the oracle panicked".to_owned()));
    match result {
        Ok(Expected::NonIp) => seen[0] += 1,
        Ok(Expected::Malformed) => seen[1] += 1,
        Ok(Expected::Unwatched) => seen[2] += 1,
        Ok(Expected::Local) => seen[3] += 1,
        Ok(Expected::Packet(packet)) => {
            seen[4 + packet.kind as usize] += 1;
            tools[packet.tool as usize] += 1;
        }
        Err(error) => panic!(
            "seed {seed}, index {index}, sources cut to /{} and /{}:\n{error}\nframe {}",
            bits.0,
            bits.1,
            hex(&frame)
        ),
    }
}

#[test]
fn classifier_agrees_with_etherparse() {
    let frames = number("TEITEN_ORACLE_FRAMES", 50_000);
    let seed = number("TEITEN_ORACLE_SEED", 0x7e17_e400_2026_0001);
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64).min(8);

    let counts: Vec<(Seen, [u64; 4])> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let (mut seen, mut tools) = (Seen::default(), [0; 4]);
                    for index in (worker..frames).step_by(threads as usize) {
                        check_index(seed, index, &mut seen, &mut tools);
                    }
                    (seen, tools)
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
            .collect()
    });

    // A generator that makes only noise would agree with anything.
    if frames >= 50_000 {
        let names = ["non_ip", "malformed", "unwatched", "local"].map(str::to_owned).into_iter();
        for (position, name) in names.chain(Kind::ALL.map(|k| format!("{k:?}"))).enumerate() {
            let seen: u64 = counts.iter().map(|(seen, _)| seen[position]).sum();
            assert!(seen * 1000 > frames, "{name} came up {seen} times only in {frames} frames");
        }
        for tool in Tool::ALL {
            let seen: u64 = counts.iter().map(|(_, tools)| tools[tool as usize]).sum();
            assert!(seen * 1000 > frames, "{tool:?} came up {seen} times only in {frames} frames");
        }
    }
}

/// The table's frames are better than generated ones at the edges.
#[test]
fn oracle_agrees_on_every_prefix_of_the_tables_frames() {
    let mut wrong = Vec::new();
    for case in teiten_tests::rules::cases() {
        // The long ones have nothing behind their headers that could matter.
        if case.frame.len() > 300 {
            continue;
        }
        if let Err(error) = check(&case.frame, (32, 64), true) {
            wrong.push(format!("{}: {error}\nframe {}", case.name, hex(&case.frame)));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
