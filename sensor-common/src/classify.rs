//! From the bytes of a frame to its outcome: the accounting rules.
//!
//! A frame is read as Ethernet II. Every frame ends in exactly one [`Verdict`]. All multi-byte
//! fields are read in network byte order and held in host order.

use crate::{
    key::Key,
    kind::{Family, Kind, Tool},
};

/// VLAN tags that are stepped over; one more is malformed.
pub const MAX_VLAN_TAGS: usize = 4;
/// IPv6 extension headers that are stepped over; one more is malformed.
pub const MAX_EXTENSIONS: usize = 8;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const FRAGMENT_HEADER: u8 = 44;
const AUTHENTICATION_HEADER: u8 = 51;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Access to the bytes of one frame.
pub trait Reader {
    /// Bytes that were read.
    type Bytes<const N: usize>: Bytes;

    /// Length of the frame in bytes, which may be more than [`Reader::read`] reaches. Asked only
    /// where the verdict hangs on it.
    fn len(&self) -> usize;

    /// A length that the frame is known to have at least, for readers that have to ask for all of it.
    fn at_least(&self) -> usize {
        0
    }

    /// The `N` bytes from `offset` on; `None` if they are not all within reach.
    fn read<const N: usize>(&self, offset: usize) -> Option<Self::Bytes<N>>;

    /// The offset itself. Where a verifier follows every value along every path, a reader hides
    /// here what is known of this one, so that paths that differ by nothing else merge.
    fn forget(&self, offset: usize) -> usize {
        offset
    }

    /// Whether the frame has no byte at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Fields of some bytes, in network byte order, by their offsets. A field must lie within the
/// bytes; the offset is a constant, so that this is seen when the program is compiled or verified.
pub trait Bytes {
    /// One byte.
    fn u8<const AT: usize>(&self) -> u8;
    /// Two bytes.
    fn u16<const AT: usize>(&self) -> u16;
    /// Four bytes.
    fn u32<const AT: usize>(&self) -> u32;
    /// Eight bytes.
    fn u64<const AT: usize>(&self) -> u64;
}

impl<const N: usize> Bytes for [u8; N] {
    #[inline(always)]
    fn u8<const AT: usize>(&self) -> u8 {
        self[AT]
    }

    #[inline(always)]
    fn u16<const AT: usize>(&self) -> u16 {
        u16::from_be_bytes([self[AT], self[AT + 1]])
    }

    #[inline(always)]
    fn u32<const AT: usize>(&self) -> u32 {
        u32::from_be_bytes([self[AT], self[AT + 1], self[AT + 2], self[AT + 3]])
    }

    #[inline(always)]
    fn u64<const AT: usize>(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self[AT..AT + 8]);
        u64::from_be_bytes(bytes)
    }
}

impl Reader for [u8] {
    type Bytes<const N: usize> = [u8; N];

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }
}

/// Which sensor watches an address, if any: the longest prefix wins.
pub trait Watch {
    fn v4(&self, destination: [u8; 4]) -> Option<u8>;
    fn v6(&self, destination: [u8; 16]) -> Option<u8>;
}

/// To how many bits sources are cut before they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceMasks {
    /// Over the IPv4 address.
    pub v4: u32,
    /// Over the upper 64 bits of the IPv6 address.
    pub v6: u64,
}

impl SourceMasks {
    /// Masks of prefix lengths, 0 to 32 and 0 to 64; longer ones count as 32 and 64.
    pub const fn new(v4_bits: u8, v6_bits: u8) -> Self {
        Self {
            v4: match 32u32.checked_sub(v4_bits as u32) {
                Some(cut) if cut < 32 => u32::MAX << cut,
                Some(_) => 0,
                None => u32::MAX,
            },
            v6: match 64u32.checked_sub(v6_bits as u32) {
                Some(cut) if cut < 64 => u64::MAX << cut,
                Some(_) => 0,
                None => u64::MAX,
            },
        }
    }
}

/// How a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Neither IPv4 nor IPv6.
    NonIp,
    /// Its headers contradict themselves or are cut.
    Malformed,
    /// Its destination is in no watched prefix.
    Unwatched,
    /// It does not come from, or go to, somewhere on the Internet: link-local or unspecified
    /// source, multicast or broadcast destination.
    Local,
    /// Counted under a key.
    Packet(Counted),
}

/// A packet that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub key: Key,
    /// IP bytes: header and payload as the IP header gives them; where it gives 0, the frame's.
    pub bytes: u32,
}

/// The frame goes on beyond what the reader reaches, and the verdict hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfReach;

/// Classifies a frame.
///
/// # Errors
///
/// [`OutOfReach`] if the reader reaches less than the frame's length and the bytes beyond are
/// needed. A reader that reaches all of the frame never fails.
#[inline(always)]
pub fn classify<R, W>(frame: &R, watch: &W, masks: &SourceMasks) -> Result<Verdict, OutOfReach>
where
    R: Reader + ?Sized,
    W: Watch,
{
    match ethernet(frame, watch, masks) {
        Ok(verdict) => Ok(verdict),
        Err(Stop::Malformed) => Ok(Verdict::Malformed),
        Err(Stop::OutOfReach) => Err(OutOfReach),
    }
}

/// Why the walk through the headers ends early.
#[derive(Clone, Copy)]
enum Stop {
    Malformed,
    OutOfReach,
}

/// The `N` bytes from `offset` on, which must lie within the frame.
#[inline(always)]
fn outer<const N: usize, R>(frame: &R, offset: usize) -> Result<R::Bytes<N>, Stop>
where
    R: Reader + ?Sized,
{
    frame
        .read(offset)
        .ok_or_else(|| if is_within(frame, offset + N) { Stop::OutOfReach } else { Stop::Malformed })
}

/// Whether the frame has bytes up to `end`.
#[inline(always)]
fn is_within<R>(frame: &R, end: usize) -> bool
where
    R: Reader + ?Sized,
{
    end <= frame.at_least() || end <= frame.len()
}

/// The `N` bytes from `offset` on, which must end at or before `end`.
#[inline(always)]
fn take<const N: usize, R>(frame: &R, offset: usize, end: usize) -> Result<R::Bytes<N>, Stop>
where
    R: Reader + ?Sized,
{
    if offset + N > end {
        return Err(Stop::Malformed);
    }
    frame.read(offset).ok_or(Stop::OutOfReach)
}

/// What the layers above need to know of the IP header.
struct Packet {
    family: Family,
    /// IPv4 address, or upper half of the IPv6 address.
    source: u64,
    /// IPv4 address, or both halves of the IPv6 address, the upper one first.
    destination: [u64; 2],
    /// IPv4 identification.
    identification: u16,
    sensor: u8,
    bytes: u32,
}

/// What follows the IP header and its extensions.
enum Next {
    /// A transport header of this protocol at this offset.
    Header(u8, usize),
    /// Payload of a fragment other than the first, with its protocol.
    Fragment(u8),
}

#[inline(always)]
fn ethernet<R, W>(frame: &R, watch: &W, masks: &SourceMasks) -> Result<Verdict, Stop>
where
    R: Reader + ?Sized,
    W: Watch,
{
    let mut offset = 14;
    let mut ethertype = outer::<2, R>(frame, offset - 2)?.u16::<0>();
    for _ in 0..MAX_VLAN_TAGS {
        if !is_vlan(ethertype) {
            break;
        }
        offset += 4;
        ethertype = outer::<2, R>(frame, offset - 2)?.u16::<0>();
    }
    let offset = frame.forget(offset);
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(frame, offset, watch, masks),
        ETHERTYPE_IPV6 => ipv6(frame, offset, watch, masks),
        other if is_vlan(other) => Err(Stop::Malformed),
        _ => Ok(Verdict::NonIp),
    }
}

#[inline(always)]
const fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

#[inline(always)]
fn ipv4<R, W>(frame: &R, start: usize, watch: &W, masks: &SourceMasks) -> Result<Verdict, Stop>
where
    R: Reader + ?Sized,
    W: Watch,
{
    let header = outer::<20, R>(frame, start)?;
    let header_len = usize::from(header.u8::<0>() & 0x0f) * 4;
    let total_len = usize::from(header.u16::<2>());
    if header.u8::<0>() >> 4 != 4
        || header_len < 20
        || !is_within(frame, start + header_len)
        || (total_len != 0 && total_len < header_len)
    {
        return Err(Stop::Malformed);
    }
    let destination = header.u32::<16>();
    let Some(sensor) = watch.v4(destination.to_be_bytes()) else {
        return Ok(Verdict::Unwatched);
    };
    let source = header.u32::<12>();
    if source == 0 || source >> 16 == 0xa9fe || destination >> 28 == 0xe || destination == u32::MAX {
        return Ok(Verdict::Local);
    }
    let (end, bytes) = extent(frame, start, total_len);
    let packet = Packet {
        family: Family::V4,
        source: u64::from(source),
        destination: [u64::from(destination), 0],
        identification: header.u16::<4>(),
        sensor,
        bytes,
    };
    let next = ipv4_next(&header, frame.forget(start + header_len));
    transport(frame, &packet, next, end, masks)
}

/// What follows an IPv4 header that ends at `end`.
#[inline(always)]
fn ipv4_next(header: &impl Bytes, end: usize) -> Next {
    let protocol = header.u8::<9>();
    if header.u16::<6>() & 0x1fff != 0 { Next::Fragment(protocol) } else { Next::Header(protocol, end) }
}

#[inline(always)]
fn ipv6<R, W>(frame: &R, start: usize, watch: &W, masks: &SourceMasks) -> Result<Verdict, Stop>
where
    R: Reader + ?Sized,
    W: Watch,
{
    let header = outer::<40, R>(frame, start)?;
    if header.u8::<0>() >> 4 != 6 {
        return Err(Stop::Malformed);
    }
    let destination = [header.u64::<24>(), header.u64::<32>()];
    let address = u128::from(destination[0]) << 64 | u128::from(destination[1]);
    let Some(sensor) = watch.v6(address.to_be_bytes()) else {
        return Ok(Verdict::Unwatched);
    };
    let source = header.u64::<8>();
    if (source == 0 && header.u64::<16>() == 0) || source >> 54 == 0xfe80 >> 6 || destination[0] >> 56 == 0xff
    {
        return Ok(Verdict::Local);
    }
    let payload_len = usize::from(header.u16::<4>());
    let total_len = if payload_len == 0 { 0 } else { payload_len + 40 };
    let (end, bytes) = extent(frame, start, total_len);
    let packet = Packet { family: Family::V6, source, destination, identification: 0, sensor, bytes };
    let mut protocol = header.u8::<6>();
    let next = extensions(frame, &mut protocol, start + 40, end)?;
    transport(frame, &packet, next, end, masks)
}

/// Where the IP packet at `start` ends in the frame, and its length in bytes. `total_len` 0 stands
/// for the frame's.
#[inline(always)]
fn extent<R>(frame: &R, start: usize, total_len: usize) -> (usize, u32)
where
    R: Reader + ?Sized,
{
    if total_len == 0 {
        let end = frame.len();
        (end, (end - start) as u32)
    } else if is_within(frame, start + total_len) {
        (start + total_len, total_len as u32)
    } else {
        (frame.len(), total_len as u32)
    }
}

/// Steps over IPv6 extension headers, the first of which is `protocol`. `protocol` is moved on as
/// far as the headers could be read, whatever comes of it.
#[inline(always)]
fn extensions<R>(frame: &R, protocol: &mut u8, mut offset: usize, end: usize) -> Result<Next, Stop>
where
    R: Reader + ?Sized,
{
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(*protocol) {
            return Ok(Next::Header(*protocol, offset));
        }
        let header = take::<4, R>(frame, offset, end)?;
        let units = header.u8::<1>();
        let length = match *protocol {
            FRAGMENT_HEADER => 8,
            AUTHENTICATION_HEADER => (usize::from(units) + 2) * 4,
            _ => (usize::from(units) + 1) * 8,
        };
        if offset + length > end {
            return Err(Stop::Malformed);
        }
        let later_fragment = *protocol == FRAGMENT_HEADER && header.u16::<2>() & 0xfff8 != 0;
        *protocol = header.u8::<0>();
        if later_fragment {
            return Ok(Next::Fragment(*protocol));
        }
        offset = frame.forget(offset + length);
    }
    if is_extension(*protocol) {
        return Err(Stop::Malformed);
    }
    Ok(Next::Header(*protocol, offset))
}

/// Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6.
#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, 0 | 43 | FRAGMENT_HEADER | AUTHENTICATION_HEADER | 60 | 135 | 139 | 140)
}

/// ICMP over IPv4, ICMPv6 over IPv6.
#[inline(always)]
const fn is_icmp(family: Family, protocol: u8) -> bool {
    match family {
        Family::V4 => protocol == ICMP,
        Family::V6 => protocol == ICMPV6,
    }
}

#[inline(always)]
fn transport<R>(
    frame: &R,
    packet: &Packet,
    next: Next,
    end: usize,
    masks: &SourceMasks,
) -> Result<Verdict, Stop>
where
    R: Reader + ?Sized,
{
    let mut source = packet.source;
    let mut tool = Tool::None;
    let (kind, port) = match next {
        Next::Fragment(protocol) => (Kind::Fragment, u16::from(protocol)),
        Next::Header(TCP, offset) => {
            let header = take::<14, R>(frame, offset, end)?;
            let port = header.u16::<2>();
            match tcp_kind(header.u8::<13>()) {
                Kind::Syn => {
                    tool = tool_of(packet, port, header.u32::<4>());
                    (Kind::Syn, port)
                }
                Kind::Tcp => (Kind::Tcp, port),
                answer => (answer, header.u16::<0>()),
            }
        }
        Next::Header(UDP, offset) => {
            let header = take::<4, R>(frame, offset, end)?;
            let (source_port, port) = (header.u16::<0>(), header.u16::<2>());
            if port >= 1024 && is_reply_port(source_port) {
                (Kind::UdpReply, source_port)
            } else {
                (Kind::Udp, port)
            }
        }
        Next::Header(SCTP, offset) => (Kind::Sctp, take::<4, R>(frame, offset, end)?.u16::<2>()),
        Next::Header(protocol, offset) if is_icmp(packet.family, protocol) => {
            let own = take::<2, R>(frame, offset, end)?.u16::<0>();
            match icmp_kind(packet.family, (own >> 8) as u8) {
                Kind::IcmpMismatch => match quoted(frame, packet, offset + 8, end)? {
                    Some(quote) => {
                        source = quote.destination;
                        quote.kind_and_port
                    }
                    None => (Kind::IcmpMismatch, own),
                },
                kind => (kind, own),
            }
        }
        Next::Header(protocol, _) => (Kind::Ip, u16::from(protocol)),
    };
    let mask = match packet.family {
        Family::V4 => u64::from(masks.v4),
        Family::V6 => masks.v6,
    };
    let key = Key { source: source & mask, port, kind, family: packet.family, tool, sensor: packet.sensor };
    Ok(Verdict::Packet(Counted { key, bytes: packet.bytes }))
}

/// The kind of a TCP segment by its flags; ECN bits do not matter.
#[inline(always)]
const fn tcp_kind(flags: u8) -> Kind {
    if flags & RST != 0 {
        Kind::Rst
    } else if flags & (SYN | ACK) == SYN | ACK {
        Kind::SynAck
    } else if flags & (SYN | FIN) == SYN {
        Kind::Syn
    } else {
        Kind::Tcp
    }
}

/// The tool whose mark a SYN carries. Only IPv4 has the identification.
#[inline(always)]
const fn tool_of(packet: &Packet, port: u16, sequence: u32) -> Tool {
    if !matches!(packet.family, Family::V4) {
        return Tool::None;
    }
    let destination = packet.destination[0] as u32;
    if sequence == destination {
        Tool::Mirai
    } else if packet.identification == 54321 {
        Tool::Zmap
    } else if packet.identification == (destination ^ port as u32 ^ sequence) as u16 {
        Tool::Masscan
    } else {
        Tool::None
    }
}

/// Services that are used to reflect, whose answers are told by their source port.
#[inline(always)]
const fn is_reply_port(port: u16) -> bool {
    matches!(
        port,
        17 | 19
            | 53
            | 69
            | 111
            | 123
            | 137
            | 161
            | 389
            | 427
            | 443
            | 500
            | 1900
            | 3478
            | 3702
            | 5353
            | 5683
            | 11211
    )
}

/// The kind of an ICMP message by its type; [`Kind::IcmpMismatch`] stands for errors, as long as
/// what they quote is not known.
#[inline(always)]
pub const fn icmp_kind(family: Family, icmp_type: u8) -> Kind {
    match (family, icmp_type) {
        (Family::V4, 8) | (Family::V6, 128) => Kind::Echo,
        (Family::V4, 0 | 14 | 16 | 18) | (Family::V6, 129) => Kind::IcmpReply,
        (Family::V4, 3 | 4 | 5 | 11 | 12) | (Family::V6, 1..=4) => Kind::IcmpMismatch,
        _ => Kind::Icmp,
    }
}

/// What an ICMP error says of the packet that caused it.
struct Quote {
    /// Quoted destination: IPv4 address, or upper half of the IPv6 address.
    destination: u64,
    kind_and_port: (Kind, u16),
}

/// Reads the packet that an ICMP error quotes at `offset`; `None` if its header cannot be read or
/// its source is not the destination of the error.
#[inline(always)]
fn quoted<R>(frame: &R, packet: &Packet, offset: usize, end: usize) -> Result<Option<Quote>, Stop>
where
    R: Reader + ?Sized,
{
    let quote = match packet.family {
        Family::V4 => quoted_ipv4(frame, packet, offset, end),
        Family::V6 => quoted_ipv6(frame, packet, offset, end),
    };
    let (destination, next) = match quote {
        Ok(Some(quote)) => quote,
        Ok(None) | Err(Stop::Malformed) => return Ok(None),
        Err(Stop::OutOfReach) => return Err(Stop::OutOfReach),
    };
    let (protocol, ports) = match next {
        Next::Header(protocol, ports) => (protocol, Some(ports)),
        Next::Fragment(protocol) => (protocol, None),
    };
    let kind_and_port = match protocol {
        TCP => (Kind::IcmpErrorTcp, quoted_port(frame, ports, end)?),
        UDP => (Kind::IcmpErrorUdp, quoted_port(frame, ports, end)?),
        icmp if is_icmp(packet.family, icmp) => (Kind::IcmpErrorIcmp, 0),
        other => (Kind::IcmpErrorOther, u16::from(other)),
    };
    Ok(Some(Quote { destination, kind_and_port }))
}

#[inline(always)]
fn quoted_ipv4<R>(frame: &R, packet: &Packet, start: usize, end: usize) -> Result<Option<(u64, Next)>, Stop>
where
    R: Reader + ?Sized,
{
    let header = take::<20, R>(frame, start, end)?;
    let header_len = usize::from(header.u8::<0>() & 0x0f) * 4;
    if header.u8::<0>() >> 4 != 4
        || header_len < 20
        || start + header_len > end
        || u64::from(header.u32::<12>()) != packet.destination[0]
    {
        return Ok(None);
    }
    Ok(Some((u64::from(header.u32::<16>()), ipv4_next(&header, start + header_len))))
}

#[inline(always)]
fn quoted_ipv6<R>(frame: &R, packet: &Packet, start: usize, end: usize) -> Result<Option<(u64, Next)>, Stop>
where
    R: Reader + ?Sized,
{
    let header = take::<40, R>(frame, start, end)?;
    if header.u8::<0>() >> 4 != 6 || [header.u64::<8>(), header.u64::<16>()] != packet.destination {
        return Ok(None);
    }
    let mut protocol = header.u8::<6>();
    let next = match extensions(frame, &mut protocol, start + 40, end) {
        Ok(next) => next,
        // A quotation may be cut anywhere behind its header.
        Err(Stop::Malformed) => Next::Fragment(protocol),
        Err(Stop::OutOfReach) => return Err(Stop::OutOfReach),
    };
    Ok(Some((header.u64::<24>(), next)))
}

/// The destination port of a quoted transport header; 0 where the quotation ends before it.
#[inline(always)]
fn quoted_port<R>(frame: &R, ports: Option<usize>, end: usize) -> Result<u16, Stop>
where
    R: Reader + ?Sized,
{
    let Some(ports) = ports else { return Ok(0) };
    match take::<2, R>(frame, ports + 2, end) {
        Ok(port) => Ok(port.u16::<0>()),
        Err(Stop::Malformed) => Ok(0),
        Err(Stop::OutOfReach) => Err(Stop::OutOfReach),
    }
}
