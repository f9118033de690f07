//! Builders for test frames.
//!
//! A packet is described from the outside in and turned into bytes at the end:
//!
//! ```
//! use teiten_tests::frames::{Ipv4, Tcp, padded};
//!
//! let syn = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).id(54321).tcp(Tcp::syn(40000, 23));
//! assert_eq!(syn.packet().len(), 40); // from the IP header on, as an ICMP error would quote it
//! assert_eq!(syn.frame().len(), 54); // behind an Ethernet header
//! assert_eq!(syn.tagged(&[0x88a8, 0x8100]).len(), 62); // and two VLAN tags
//! assert_eq!(padded(syn.frame(), 60).len(), 60); // the shortest frame on a wire
//! ```
//!
//! Every number is given in host order and written in network byte order, whatever the host.
//! Whatever a builder fills in by itself (lengths, versions, the IPv4 header checksum) is correct
//! unless it is overridden; the checksums of transport headers are 0.

use std::net::{Ipv4Addr, Ipv6Addr};

/// EtherTypes.
pub const IPV4: u16 = 0x0800;
pub const ARP: u16 = 0x0806;
pub const VLAN: u16 = 0x8100;
pub const SERVICE_VLAN: u16 = 0x88a8;
pub const OLD_VLAN: u16 = 0x9100;
pub const IPV6: u16 = 0x86dd;

/// IP protocols and IPv6 extension headers.
pub const HOP_BY_HOP: u8 = 0;
pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const GRE: u8 = 47;
pub const ESP: u8 = 50;
pub const AUTHENTICATION: u8 = 51;
pub const ICMPV6: u8 = 58;
pub const NO_NEXT_HEADER: u8 = 59;
pub const DESTINATION_OPTIONS: u8 = 60;
pub const SCTP: u8 = 132;
pub const MOBILITY: u8 = 135;
pub const HIP: u8 = 139;
pub const SHIM6: u8 = 140;

/// TCP flags.
pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;
pub const ECE: u8 = 0x40;
pub const CWR: u8 = 0x80;

/// Bytes of an Ethernet header.
pub const ETHERNET_LEN: usize = 14;
/// Bytes of a VLAN tag.
pub const TAG_LEN: usize = 4;
/// Bytes of an IPv4 header without options.
pub const IPV4_LEN: usize = 20;
/// Bytes of an IPv6 header.
pub const IPV6_LEN: usize = 40;

/// Destination and source of every frame: locally administered unicast addresses.
const MAC_ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// An Ethernet II frame.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    ethernet_tagged(&[], ethertype, payload)
}

/// An Ethernet II frame with VLAN tags of these types, the outermost first. The tags carry the
/// VLAN numbers 1, 2, 3, …
pub fn ethernet_tagged(tags: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = MAC_ADDRESSES.to_vec();
    for (number, tag) in (1u16..).zip(tags) {
        frame.extend(tag.to_be_bytes());
        frame.extend(number.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The first `len` bytes.
///
/// # Panics
///
/// If there are fewer: a test that cuts nothing is a mistake.
pub fn cut(mut frame: Vec<u8>, len: usize) -> Vec<u8> {
    assert!(len <= frame.len(), "cannot cut {} bytes to {len}", frame.len());
    frame.truncate(len);
    frame
}

/// The frame followed by 0xee up to `len` bytes, as padding on the wire may look.
///
/// # Panics
///
/// If the frame is longer.
pub fn padded(frame: Vec<u8>, len: usize) -> Vec<u8> {
    let padding = len.checked_sub(frame.len()).expect("the frame is longer than it is to be padded to");
    padded_with(frame, &vec![0xee; padding])
}

/// The frame followed by padding that looks like something else.
pub fn padded_with(mut frame: Vec<u8>, padding: &[u8]) -> Vec<u8> {
    frame.extend(padding);
    frame
}

/// The frame with one byte replaced.
///
/// # Panics
///
/// If the frame has no such byte.
pub fn with_byte(mut frame: Vec<u8>, offset: usize, byte: u8) -> Vec<u8> {
    frame[offset] = byte;
    frame
}

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub struct Ipv4 {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    id: u16,
    /// Flags and offset, as in the header.
    fragment: u16,
    options: Vec<u8>,
    version: u8,
    ihl: Option<u8>,
    total_length: Option<u16>,
    payload: Vec<u8>,
}

impl Ipv4 {
    /// A packet of protocol 253 (for experiments) without payload.
    pub fn new(source: impl Into<Ipv4Addr>, destination: impl Into<Ipv4Addr>) -> Self {
        Self {
            source: source.into(),
            destination: destination.into(),
            protocol: 253,
            id: 0x1d1d,
            fragment: 0,
            options: Vec::new(),
            version: 4,
            ihl: None,
            total_length: None,
            payload: Vec::new(),
        }
    }

    /// The identification.
    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    /// So many 32-bit words of options (no-operation).
    pub fn options(self, words: usize) -> Self {
        Self { options: vec![1; 4 * words], ..self }
    }

    /// A fragment: its offset in units of 8 bytes, and whether more fragments follow.
    pub fn fragment(self, offset: u16, more: bool) -> Self {
        Self { fragment: offset & 0x1fff | u16::from(more) << 13, ..self }
    }

    /// The flag that forbids fragmentation, and the reserved one.
    pub fn other_flags(self, dont_fragment: bool, reserved: bool) -> Self {
        let flags = u16::from(dont_fragment) << 14 | u16::from(reserved) << 15;
        Self { fragment: self.fragment & 0x3fff | flags, ..self }
    }

    /// Overrides the version.
    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    /// Overrides the header length, in 32-bit words.
    pub fn ihl(self, words: u8) -> Self {
        Self { ihl: Some(words), ..self }
    }

    /// Overrides the total length, in bytes.
    pub fn total_length(self, bytes: u16) -> Self {
        Self { total_length: Some(bytes), ..self }
    }

    /// Any protocol and payload.
    pub fn carrying(self, protocol: u8, payload: &[u8]) -> Self {
        Self { protocol, payload: payload.to_vec(), ..self }
    }

    pub fn tcp(self, tcp: Tcp) -> Self {
        self.carrying(TCP, &tcp.bytes())
    }

    pub fn udp(self, udp: Udp) -> Self {
        self.carrying(UDP, &udp.bytes())
    }

    pub fn sctp(self, sctp: Sctp) -> Self {
        self.carrying(SCTP, &sctp.bytes())
    }

    pub fn icmp(self, icmp: Icmp) -> Self {
        self.carrying(ICMP, &icmp.bytes())
    }

    /// The packet, from the IP header on.
    pub fn packet(&self) -> Vec<u8> {
        let header_len = IPV4_LEN + self.options.len();
        let total_length = self.total_length.unwrap_or((header_len + self.payload.len()) as u16);
        let mut packet = Vec::with_capacity(header_len + self.payload.len());
        packet.push(self.version << 4 | self.ihl.unwrap_or((header_len / 4) as u8) & 0x0f);
        packet.push(0); // type of service
        packet.extend(total_length.to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(self.fragment.to_be_bytes());
        packet.push(241); // time to live
        packet.push(self.protocol);
        packet.extend([0, 0]); // checksum
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(&self.options);
        let checksum = internet_checksum(&packet);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend(&self.payload);
        packet
    }

    /// The packet in an Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        ethernet(IPV4, &self.packet())
    }

    /// The packet in an Ethernet frame with VLAN tags of these types, the outermost first.
    pub fn tagged(&self, tags: &[u16]) -> Vec<u8> {
        ethernet_tagged(tags, IPV4, &self.packet())
    }
}

/// An IPv6 packet.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    version: u8,
    payload_length: Option<u16>,
    extensions: Vec<Extension>,
    protocol: u8,
    payload: Vec<u8>,
}

impl Ipv6 {
    /// A packet of protocol 253 (for experiments) without payload.
    pub fn new(source: impl Into<Ipv6Addr>, destination: impl Into<Ipv6Addr>) -> Self {
        Self {
            source: source.into(),
            destination: destination.into(),
            version: 6,
            payload_length: None,
            extensions: Vec::new(),
            protocol: 253,
            payload: Vec::new(),
        }
    }

    /// Overrides the version.
    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    /// Overrides the payload length, in bytes.
    pub fn payload_length(self, bytes: u16) -> Self {
        Self { payload_length: Some(bytes), ..self }
    }

    /// One more extension header, behind those already there.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Any protocol and payload, behind the extension headers.
    pub fn carrying(self, protocol: u8, payload: &[u8]) -> Self {
        Self { protocol, payload: payload.to_vec(), ..self }
    }

    pub fn tcp(self, tcp: Tcp) -> Self {
        self.carrying(TCP, &tcp.bytes())
    }

    pub fn udp(self, udp: Udp) -> Self {
        self.carrying(UDP, &udp.bytes())
    }

    pub fn sctp(self, sctp: Sctp) -> Self {
        self.carrying(SCTP, &sctp.bytes())
    }

    pub fn icmp(self, icmp: Icmp) -> Self {
        self.carrying(ICMPV6, &icmp.bytes())
    }

    /// The packet, from the IP header on.
    pub fn packet(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut next = self.extensions.iter().skip(1).map(|e| e.number).chain([self.protocol]);
        for extension in &self.extensions {
            rest.extend(extension.bytes(next.next().unwrap_or(self.protocol)));
        }
        rest.extend(&self.payload);

        let mut packet = Vec::with_capacity(IPV6_LEN + rest.len());
        packet.extend([self.version << 4, 0, 0, 0]);
        packet.extend(self.payload_length.unwrap_or(rest.len() as u16).to_be_bytes());
        packet.push(self.extensions.first().map_or(self.protocol, |e| e.number));
        packet.push(241); // hop limit
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(rest);
        packet
    }

    /// The packet in an Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        ethernet(IPV6, &self.packet())
    }

    /// The packet in an Ethernet frame with VLAN tags of these types, the outermost first.
    pub fn tagged(&self, tags: &[u16]) -> Vec<u8> {
        ethernet_tagged(tags, IPV6, &self.packet())
    }
}

/// An IPv6 extension header. Its next header is filled in by [`Ipv6::packet`].
#[derive(Clone, Debug)]
pub struct Extension {
    number: u8,
    /// The header's second byte.
    length: u8,
    /// What follows the second byte.
    rest: Vec<u8>,
}

impl Extension {
    /// A header that counts its length in 8-byte units, the first not counted: all but the fragment
    /// and the authentication header. It has `8 * (1 + units)` bytes.
    pub fn new(number: u8, units: u8) -> Self {
        Self { number, length: units, rest: vec![0; 8 * (1 + usize::from(units)) - 2] }
    }

    /// A fragment header, 8 bytes: the offset in units of 8 bytes, and whether more follow.
    pub fn fragment(offset: u16, more: bool) -> Self {
        let mut rest = (offset << 3 | u16::from(more)).to_be_bytes().to_vec();
        rest.extend(0xf1d1_f1d1_u32.to_be_bytes());
        Self { number: FRAGMENT, length: 0, rest }
    }

    /// An authentication header, which counts its length in 4-byte units, the first two not
    /// counted. It has `4 * (2 + units)` bytes.
    pub fn authentication(units: u8) -> Self {
        Self { number: AUTHENTICATION, length: units, rest: vec![0; 4 * (2 + usize::from(units)) - 2] }
    }

    /// Overrides the header's second byte, which says how long the header is; it stays as long as
    /// it is.
    pub fn claiming(self, length: u8) -> Self {
        Self { length, ..self }
    }

    fn bytes(&self, next: u8) -> Vec<u8> {
        let mut bytes = vec![next, self.length];
        bytes.extend(&self.rest);
        bytes
    }
}

/// A TCP header without options, 20 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    pub source_port: u16,
    pub destination_port: u16,
    pub sequence: u32,
    pub flags: u8,
}

impl Tcp {
    /// A header without any flag.
    pub fn new(source_port: u16, destination_port: u16) -> Self {
        Self { source_port, destination_port, sequence: 0x5e90_5e91, flags: 0 }
    }

    /// A header with SYN only.
    pub fn syn(source_port: u16, destination_port: u16) -> Self {
        Self::new(source_port, destination_port).flags(SYN)
    }

    pub fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    pub fn sequence(self, sequence: u32) -> Self {
        Self { sequence, ..self }
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20);
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend([0; 4]); // acknowledgement
        bytes.extend([5 << 4, self.flags]);
        bytes.extend(1024u16.to_be_bytes()); // window
        bytes.extend([0; 4]); // checksum, urgent pointer
        bytes
    }
}

/// A UDP header without payload, 8 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Udp {
    pub source_port: u16,
    pub destination_port: u16,
}

impl Udp {
    pub fn new(source_port: u16, destination_port: u16) -> Self {
        Self { source_port, destination_port }
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8);
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(8u16.to_be_bytes()); // length
        bytes.extend([0, 0]); // checksum
        bytes
    }
}

/// An SCTP header without chunks, 12 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sctp {
    pub source_port: u16,
    pub destination_port: u16,
}

impl Sctp {
    pub fn new(source_port: u16, destination_port: u16) -> Self {
        Self { source_port, destination_port }
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12);
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend([0; 8]); // verification tag, checksum
        bytes
    }
}

/// An ICMP or ICMPv6 header, 8 bytes, and what it carries: for errors the packet it complains of.
#[derive(Clone, Debug)]
pub struct Icmp {
    pub icmp_type: u8,
    pub code: u8,
    payload: Vec<u8>,
}

impl Icmp {
    pub fn new(icmp_type: u8, code: u8) -> Self {
        Self { icmp_type, code, payload: Vec::new() }
    }

    /// What follows the header: [`Ipv4::packet`] or [`Ipv6::packet`], cut as wanted.
    pub fn quoting(self, packet: &[u8]) -> Self {
        Self { payload: packet.to_vec(), ..self }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.icmp_type, self.code];
        bytes.extend([0; 6]); // checksum, unused
        bytes.extend(&self.payload);
        bytes
    }
}

/// The Internet checksum of a header whose own checksum is 0.
fn internet_checksum(header: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in header.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand, so that the builders are not held against themselves.
    #[test]
    fn ipv4_tcp_frame_byte_by_byte() {
        let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1])
            .id(54321)
            .fragment(0x1234, true)
            .options(1)
            .tcp(Tcp::syn(40000, 23).sequence(0x0102_0304))
            .tagged(&[SERVICE_VLAN]);
        let expected = [
            &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..],
            &[0x88, 0xa8, 0, 1, 0x08, 0x00],
            &[0x46, 0, 0, 44, 0xd4, 0x31, 0x32, 0x34, 241, 6],
            &[frame[28], frame[29]], // the checksum, below
            &[198, 51, 100, 7, 192, 0, 2, 1, 1, 1, 1, 1],
            &[0x9c, 0x40, 0, 23, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02, 4, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(frame, expected);
        assert_eq!(internet_checksum(&frame[18..42]), 0);
    }

    #[test]
    fn ipv6_extensions_are_chained() {
        let packet = Ipv6::new(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST)
            .extension(Extension::new(HOP_BY_HOP, 1))
            .extension(Extension::authentication(1))
            .extension(Extension::fragment(3, true))
            .udp(Udp::new(53, 4097))
            .packet();
        assert_eq!(packet.len(), 40 + 16 + 12 + 8 + 8);
        assert_eq!(packet[..8], [0x60, 0, 0, 0, 0, 44, HOP_BY_HOP, 241]);
        assert_eq!(packet[40..42], [AUTHENTICATION, 1]);
        assert_eq!(packet[56..58], [FRAGMENT, 1]);
        assert_eq!(packet[68..72], [UDP, 0, 0, 3 << 3 | 1]);
        assert_eq!(packet[76..], [0, 53, 0x10, 0x01, 0, 8, 0, 0]);
    }

    #[test]
    fn icmp_quotes_behind_its_eight_bytes() {
        assert_eq!(Icmp::new(11, 1).quoting(&[9, 8]).bytes(), [11, 1, 0, 0, 0, 0, 0, 0, 9, 8]);
    }
}
