//! Frames, byte by byte, with checksums that hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const GRE: u8 = 47;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
pub(super) const URG: u8 = 0x20;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// What Ethernet pads frames to, without its checksum.
const LEAST: usize = 60;

/// Locally administered addresses, so that no interface takes the frames for its own.
const SENSOR: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const BROADCAST: [u8; 6] = [0xff; 6];

/// The IP header of a packet, as far as it is not computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip {
    pub source: IpAddr,
    /// Of the same family.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4's identification; IPv6 has none.
    pub id: u16,
    /// The header that follows.
    pub protocol: u8,
    /// Offset in units of 8 bytes, if this is a fragment other than the first.
    pub fragment: u16,
}

impl Ip {
    /// ICMP or ICMPv6.
    pub fn icmp(self) -> Self {
        Self { protocol: if self.source.is_ipv4() { ICMP } else { ICMPV6 }, ..self }
    }

    pub fn carrying(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }
}

/// Begins a frame with these VLAN tags (type and VLAN), the outermost first.
pub(super) fn ethernet(frame: &mut Vec<u8>, tags: &[(u16, u16)], v4: bool) {
    start(frame, SENSOR);
    for (kind, vlan) in tags {
        frame.extend(kind.to_be_bytes());
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(if v4 { IPV4 } else { IPV6 }.to_be_bytes());
}

/// A frame of any type.
pub(super) fn other(frame: &mut Vec<u8>, ethertype: u16, payload: &[u8]) {
    start(frame, BROADCAST);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
}

fn start(frame: &mut Vec<u8>, to: [u8; 6]) {
    frame.clear();
    frame.extend(to);
    frame.extend(ROUTER);
}

/// Fills a short frame up, as every network card does.
pub(super) fn pad(frame: &mut Vec<u8>) {
    if frame.len() < LEAST {
        frame.resize(LEAST, 0);
    }
}

/// Appends a packet. `payload` appends what follows the IP header, with a checksum of 0 at the
/// offset that it returns, if its protocol has one.
pub(super) fn packet(frame: &mut Vec<u8>, ip: &Ip, payload: impl FnOnce(&mut Vec<u8>) -> Option<usize>) {
    let start = frame.len();
    match (ip.source, ip.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([0x45, 0, 0, 0]);
            frame.extend(ip.id.to_be_bytes());
            frame.extend(ip.fragment.to_be_bytes());
            frame.extend([ip.ttl, ip.protocol, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (source, destination) => {
            frame.extend([0x60, 0, 0, 0, 0, 0]);
            frame.extend([if ip.fragment == 0 { ip.protocol } else { FRAGMENT }, ip.ttl]);
            frame.extend(v6(source).octets());
            frame.extend(v6(destination).octets());
            if ip.fragment != 0 {
                frame.extend([ip.protocol, 0]);
                frame.extend((ip.fragment << 3).to_be_bytes());
                frame.extend([0, 0]);
                frame.extend(ip.id.to_be_bytes());
            }
        }
    }
    let transport = frame.len();
    let sum_at = payload(frame);
    let Some((header, rest)) = frame.get_mut(start..).map(|packet| packet.split_at_mut(transport - start))
    else {
        return;
    };
    if ip.source.is_ipv4() {
        put(header, 2, (header.len() + rest.len()) as u16);
        put(header, 10, !folded(sum(header)));
    } else {
        put(header, 4, (header.len() - 40 + rest.len()) as u16);
    }
    if let Some(at) = sum_at {
        let addresses = if ip.source.is_ipv4() { header.get(12..20) } else { header.get(8..40) };
        let pseudo = match ip.protocol {
            ICMP => 0,
            protocol => sum(addresses.unwrap_or_default()) + u64::from(protocol) + rest.len() as u64,
        };
        let checksum = match (!folded(pseudo + sum(rest)), ip.protocol) {
            // 0 says that there is none.
            (0, UDP) => 0xffff,
            (checksum, _) => checksum,
        };
        put(rest, at, checksum);
    }
}

/// A TCP header and what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcp<'a> {
    /// Source and destination.
    pub ports: [u16; 2],
    pub sequence: u32,
    pub acknowledged: u32,
    pub flags: u8,
    pub window: u16,
    /// A multiple of 4 bytes.
    pub options: &'a [u8],
    pub payload: &'a [u8],
}

impl Tcp<'_> {
    pub fn write(&self, to: &mut Vec<u8>) -> Option<usize> {
        to.extend(self.ports[0].to_be_bytes());
        to.extend(self.ports[1].to_be_bytes());
        to.extend(self.sequence.to_be_bytes());
        to.extend(self.acknowledged.to_be_bytes());
        to.extend([((5 + self.options.len() / 4) << 4) as u8, self.flags]);
        to.extend(self.window.to_be_bytes());
        to.extend([0; 4]);
        to.extend(self.options);
        to.extend(self.payload);
        Some(16)
    }
}

/// Appends a UDP header and its payload.
pub(super) fn udp(to: &mut Vec<u8>, ports: [u16; 2], payload: &[u8]) -> Option<usize> {
    to.extend(ports[0].to_be_bytes());
    to.extend(ports[1].to_be_bytes());
    to.extend((8 + payload.len() as u16).to_be_bytes());
    to.extend([0, 0]);
    to.extend(payload);
    Some(6)
}

/// Appends an ICMP header and what follows its first four bytes.
pub(super) fn icmp(to: &mut Vec<u8>, kind: u8, code: u8, rest: &[u8]) -> Option<usize> {
    to.extend([kind, code, 0, 0]);
    to.extend(rest);
    Some(2)
}

/// Appends an SCTP INIT (RFC 9260, section 3.3.2).
pub(super) fn sctp(to: &mut Vec<u8>, ports: [u16; 2], tag: u32) -> Option<usize> {
    let start = to.len();
    to.extend(ports[0].to_be_bytes());
    to.extend(ports[1].to_be_bytes());
    to.extend([0; 8]);
    to.extend([1, 0, 0, 20]);
    to.extend(tag.to_be_bytes());
    to.extend([0, 1, 0, 0, 0, 10, 8, 0]);
    to.extend(tag.to_be_bytes());
    if let Some(packet) = to.get_mut(start..) {
        let checksum = crc32c(packet).to_le_bytes();
        packet.iter_mut().skip(8).zip(checksum).for_each(|(to, from)| *to = from);
    }
    None
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes.iter_mut().skip(at).zip(value.to_be_bytes()).for_each(|(to, from)| *to = from);
}

/// The sum of 16-bit words, the last one filled up with a zero.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words: u64 = words.iter().map(|&word| u64::from(u16::from_be_bytes(word))).sum();
    words + rest.first().map_or(0, |&byte| u64::from(byte) << 8)
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// CRC-32C (Castagnoli).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The payload of an ARP request (RFC 826).
pub(super) fn arp_request(from: Ipv4Addr, to: Ipv4Addr) -> [u8; 28] {
    let mut request = [0; 28];
    request[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    request[8..14].copy_from_slice(&ROUTER);
    request[14..18].copy_from_slice(&from.octets());
    request[24..28].copy_from_slice(&to.octets());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_others() {
        // RFC 1071, section 3.
        assert_eq!(folded(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), 0xddf2);
        // The check value of CRC-32C.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
