//! Kinds, families and tools: the closed vocabularies of a key.

/// What a packet is, as far as its headers tell.
///
/// The first four are the kinds whose destination ports have dense counters
/// ([`crate::layout::Ports`]), in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// TCP with SYN and neither ACK, FIN nor RST: somebody asks for a connection.
    Syn = 0,
    /// TCP with any other flags that none of the other kinds covers.
    Tcp = 1,
    /// UDP that is not [`Kind::UdpReply`].
    Udp = 2,
    /// SCTP.
    Sctp = 3,
    /// TCP with RST. The key's port is the source port, the service that answered.
    Rst = 4,
    /// TCP with SYN and ACK. The key's port is the source port, the service that answered.
    SynAck = 5,
    /// UDP from a well-known service to a port of 1024 or above. The key's port is the source port.
    UdpReply = 6,
    /// ICMP or ICMPv6 echo request.
    Echo = 7,
    /// ICMP or ICMPv6 answer to a request.
    IcmpReply = 8,
    /// ICMP error that quotes a TCP segment from a watched address. The key's source is the quoted
    /// destination, its port the quoted destination port.
    IcmpErrorTcp = 9,
    /// The same for a quoted UDP datagram.
    IcmpErrorUdp = 10,
    /// The same for a quoted ICMP or ICMPv6 message; the port is 0.
    IcmpErrorIcmp = 11,
    /// The same for any other quoted protocol, whose number stands in the key's port.
    IcmpErrorOther = 12,
    /// ICMP error whose quotation cannot be read, or was not sent by this packet's destination.
    IcmpMismatch = 13,
    /// Any other ICMP or ICMPv6 message.
    Icmp = 14,
    /// A fragment other than the first. The key's port is the protocol number.
    Fragment = 15,
    /// Any other IP protocol. The key's port is the protocol number.
    Ip = 16,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Syn,
        Self::Tcp,
        Self::Udp,
        Self::Sctp,
        Self::Rst,
        Self::SynAck,
        Self::UdpReply,
        Self::Echo,
        Self::IcmpReply,
        Self::IcmpErrorTcp,
        Self::IcmpErrorUdp,
        Self::IcmpErrorIcmp,
        Self::IcmpErrorOther,
        Self::IcmpMismatch,
        Self::Icmp,
        Self::Fragment,
        Self::Ip,
    ];

    /// How many kinds have dense counters by destination port: the first ones of [`Kind::ALL`].
    pub const WITH_DST_PORT: usize = 4;

    /// The kind of this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether the key's port is the packet's destination port.
    #[inline(always)]
    pub const fn has_dst_port(self) -> bool {
        (self as usize) < Self::WITH_DST_PORT
    }

    /// Whether the key's port is ICMP type · 256 + code.
    #[inline(always)]
    pub const fn has_icmp_type(self) -> bool {
        matches!(self, Self::Echo | Self::IcmpReply | Self::IcmpMismatch | Self::Icmp)
    }

    /// Whether the key's port is an IP protocol number with dense counters of its own.
    #[inline(always)]
    pub const fn has_protocol(self) -> bool {
        matches!(self, Self::Fragment | Self::Ip)
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    V4 = 0,
    V6 = 1,
}

/// The scanning tool whose fingerprint a SYN over IPv4 carries.
///
/// Hints, not proofs: one packet in 65,536 carries ZMap's or masscan's mark by chance, and ZMap
/// from 4.1 on randomises the identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Tool {
    None = 0,
    /// Sequence number equals the destination address.
    Mirai = 1,
    /// IP identification is 54321.
    Zmap = 2,
    /// IP identification equals the low 16 bits of address XOR port XOR sequence number.
    Masscan = 3,
}

impl Tool {
    /// All tools, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::None, Self::Mirai, Self::Zmap, Self::Masscan];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for (position, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position);
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_number(Kind::ALL.len() as u8), None);
        for (position, tool) in Tool::ALL.into_iter().enumerate() {
            assert_eq!(tool as usize, position);
        }
    }

    #[test]
    fn dense_families_of_kinds_are_disjoint() {
        for kind in Kind::ALL {
            let families = [kind.has_dst_port(), kind.has_icmp_type(), kind.has_protocol()];
            assert!(families.into_iter().filter(|&f| f).count() <= 1, "{kind:?}");
        }
    }
}
