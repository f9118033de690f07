use std::fmt;

/// What a captured frame begins with: a `LINKTYPE_` value of
/// <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// Ethernet, the only one that the XDP program can be fed with.
    pub const ETHERNET: Self = Self(1);
    /// What Linux writes for the pseudo-interface `any`, up to libpcap 1.9.
    pub const LINUX_SLL: Self = Self(113);
    /// What Linux writes for the pseudo-interface `any`, if asked for it.
    pub const LINUX_SLL2: Self = Self(276);

    /// The name of a well-known link type; `None` for the others.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "BSD loopback",
            1 => "Ethernet",
            6 => "Token Ring",
            7 => "ARCNET",
            8 => "SLIP",
            9 => "PPP",
            10 => "FDDI",
            // The values that DLT_RAW has on the systems that write it undisguised.
            12 | 14 | 101 => "raw IP",
            50 => "PPP in HDLC-like framing",
            51 => "PPPoE session",
            100 => "ATM, RFC 1483",
            104 => "Cisco HDLC",
            105 => "IEEE 802.11",
            107 => "frame relay",
            108 => "OpenBSD loopback",
            113 => "Linux cooked capture v1, SLL",
            117 => "OpenBSD pflog",
            119 => "IEEE 802.11 with Prism header",
            122 => "IP over Fibre Channel",
            127 => "IEEE 802.11 with radiotap header",
            143 => "DOCSIS",
            147..=162 => "reserved for private use",
            163 => "IEEE 802.11 with AVS header",
            187 => "Bluetooth HCI H4",
            189 => "Linux USB",
            192 => "per-packet information, PPI",
            195 => "IEEE 802.15.4",
            201 => "Bluetooth HCI H4 with direction",
            220 => "Linux USB, memory-mapped",
            227 => "SocketCAN",
            228 => "raw IPv4",
            229 => "raw IPv6",
            230 => "IEEE 802.15.4 without FCS",
            239 => "Linux netfilter log, NFLOG",
            247 => "InfiniBand",
            249 => "USBPcap",
            252 => "Wireshark upper-layer export",
            253 => "Linux netlink",
            274 => "Ethernet mPackets",
            276 => "Linux cooked capture v2, SLL2",
            _ => return None,
        })
    }

    /// What to do instead of replaying a capture of this link type.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::LINUX_SLL | Self::LINUX_SLL2 => "capture on one Ethernet interface rather than `any`",
            _ => "capture on an Ethernet interface",
        }
    }
}

/// The number, and the name in parentheses.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name().unwrap_or("of no well-known name"))
    }
}
