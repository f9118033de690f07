//! Dimensions: what counts can be asked by, and rows of their values.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use jiff::Timestamp;
use sensor_common::kind::{Family, Kind, Tool};

use super::{class::Class, region::Region, sensor::Sensors};

/// What counts can be asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Dimension {
    Time,
    Sensor,
    Class,
    Kind,
    Family,
    Protocol,
    DstPort,
    VictimPort,
    IcmpType,
    IcmpCode,
    Source,
    Prefix,
    Region,
    Asn,
    Tool,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 15] = [
        Self::Time,
        Self::Sensor,
        Self::Class,
        Self::Kind,
        Self::Family,
        Self::Protocol,
        Self::DstPort,
        Self::VictimPort,
        Self::IcmpType,
        Self::IcmpCode,
        Self::Source,
        Self::Prefix,
        Self::Region,
        Self::Asn,
        Self::Tool,
    ];

    /// The name, as it stands in commands and outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Sensor => "sensor",
            Self::Class => "class",
            Self::Kind => "kind",
            Self::Family => "family",
            Self::Protocol => "protocol",
            Self::DstPort => "dst_port",
            Self::VictimPort => "victim_port",
            Self::IcmpType => "icmp_type",
            Self::IcmpCode => "icmp_code",
            Self::Source => "source",
            Self::Prefix => "prefix",
            Self::Region => "region",
            Self::Asn => "asn",
            Self::Tool => "tool",
        }
    }
}

/// A text that names no dimension.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no dimension; there are {all}", all = Dimension::ALL.map(Dimension::as_str).join(", "))]
pub struct UnknownDimension(String);

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(text: &str) -> Result<Self, UnknownDimension> {
        Self::ALL
            .into_iter()
            .find(|dimension| dimension.as_str() == text)
            .ok_or_else(|| UnknownDimension(text.to_owned()))
    }
}

/// The protocol of a packet: a name where there is one for it, else its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmpv6,
    /// By IANA's protocol number.
    Number(u8),
}

impl Protocol {
    /// The protocol of a number in a family's header: 1 is ICMP in IPv4 only, 58 ICMPv6 in IPv6.
    pub const fn of_number(number: u8, family: Family) -> Self {
        match (number, family) {
            (6, _) => Self::Tcp,
            (17, _) => Self::Udp,
            (132, _) => Self::Sctp,
            (1, Family::V4) => Self::Icmp,
            (58, Family::V6) => Self::Icmpv6,
            (number, _) => Self::Number(number),
        }
    }

    /// The protocol of a kind of packet; `None` for kinds whose key holds the number.
    pub const fn of_kind(kind: Kind, family: Family) -> Option<Self> {
        match kind {
            Kind::Syn | Kind::Tcp | Kind::Rst | Kind::SynAck | Kind::IcmpErrorTcp => Some(Self::Tcp),
            Kind::Udp | Kind::UdpReply | Kind::IcmpErrorUdp => Some(Self::Udp),
            Kind::Sctp => Some(Self::Sctp),
            Kind::Echo | Kind::IcmpReply | Kind::IcmpErrorIcmp | Kind::IcmpMismatch | Kind::Icmp => {
                Some(match family {
                    Family::V4 => Self::Icmp,
                    Family::V6 => Self::Icmpv6,
                })
            }
            Kind::IcmpErrorOther | Kind::Fragment | Kind::Ip => None,
        }
    }
}

impl Protocol {
    /// IANA's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Icmp => 1,
            Self::Icmpv6 => 58,
            Self::Number(number) => number,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.pad("tcp"),
            Self::Udp => f.pad("udp"),
            Self::Sctp => f.pad("sctp"),
            Self::Icmp => f.pad("icmp"),
            Self::Icmpv6 => f.pad("icmpv6"),
            Self::Number(number) => fmt::Display::fmt(number, f),
        }
    }
}

/// A source prefix: the upper bits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    pub family: Family,
    /// As in a key: the IPv4 address, or the upper 64 bits of the IPv6 address, in host order.
    pub source: u64,
    /// Length in bits.
    pub length: u8,
}

impl Prefix {
    /// The prefix that the store lists: `upper` is the upper 24 bits of an IPv4 address, the upper 48 of an IPv6
    /// address; `None` if it has more.
    pub fn of_upper(family: Family, upper: u64) -> Option<Self> {
        let (length, rest) = match family {
            Family::V4 => (24, 8),
            Family::V6 => (48, 16),
        };
        (upper >> length == 0).then_some(Self { family, source: upper << rest, length })
    }

    /// The first address, and the length.
    pub fn net(&self) -> IpNet {
        let address = match self.family {
            Family::V4 => Ipv4Addr::from(self.source as u32).into(),
            Family::V6 => Ipv6Addr::from(u128::from(self.source) << 64).into(),
        };
        // A length beyond the family's is none that a key has.
        IpNet::new(address, self.length).unwrap_or_else(|_| address.into())
    }
}

impl fmt::Display for Prefix {
    /// A whole IPv4 address without its length, anything shorter with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.net() {
            IpNet::V4(net) if net.prefix_len() == 32 => f.pad(&net.addr().to_string()),
            net => f.pad(&net.to_string()),
        }
    }
}

/// The values of a row of counts. A dimension is `None` where it was not asked for, and where it
/// does not apply to the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Start of the interval, in nanoseconds since 1970 (UTC).
    pub time: Option<i64>,
    /// Number of the sensor.
    pub sensor: Option<u8>,
    pub class: Option<Class>,
    pub kind: Option<Kind>,
    pub family: Option<Family>,
    pub protocol: Option<Protocol>,
    pub dst_port: Option<u16>,
    pub victim_port: Option<u16>,
    pub icmp_type: Option<u8>,
    pub icmp_code: Option<u8>,
    pub source: Option<Prefix>,
    pub prefix: Option<Prefix>,
    pub region: Option<Region>,
    pub asn: Option<u32>,
    pub tool: Option<Tool>,
}

/// A value as it is put out.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The dimension does not apply, or the figure is not known.
    Null,
    Bool(bool),
    Number(u64),
    /// Finite.
    Real(f64),
    Time(Timestamp),
    Text(String),
    Bytes(Vec<u8>),
}

impl Row {
    /// The value of one dimension, for people and machines.
    pub fn value(&self, dimension: Dimension, sensors: &Sensors) -> Value {
        fn text(value: Option<impl ToString>) -> Value {
            value.map_or(Value::Null, |value| Value::Text(value.to_string()))
        }
        fn number(value: Option<impl Into<u64>>) -> Value {
            value.map_or(Value::Null, |value| Value::Number(value.into()))
        }
        match dimension {
            Dimension::Time => {
                let time = self.time.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
                time.map_or(Value::Null, Value::Time)
            }
            Dimension::Sensor => text(self.sensor.and_then(|number| sensors.get(number)).map(|s| &s.name)),
            Dimension::Class => text(self.class.map(Class::as_str)),
            Dimension::Kind => text(self.kind.map(kind_name)),
            Dimension::Family => number(self.family.map(|family| match family {
                Family::V4 => 4u8,
                Family::V6 => 6,
            })),
            Dimension::Protocol => text(self.protocol),
            Dimension::DstPort => number(self.dst_port),
            Dimension::VictimPort => number(self.victim_port),
            Dimension::IcmpType => number(self.icmp_type),
            Dimension::IcmpCode => number(self.icmp_code),
            Dimension::Source => text(self.source),
            Dimension::Prefix => text(self.prefix.map(|prefix| prefix.net())),
            Dimension::Region => text(self.region),
            Dimension::Asn => number(self.asn),
            Dimension::Tool => text(self.tool.map(tool_name)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.pad(""),
            Self::Bool(yes) => fmt::Display::fmt(yes, f),
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Real(number) => fmt::Display::fmt(number, f),
            Self::Time(time) => f.pad(&time.to_string()),
            Self::Text(text) => f.pad(text),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The name of a tool.
pub const fn tool_name(tool: Tool) -> &'static str {
    match tool {
        Tool::None => "none",
        Tool::Mirai => "mirai",
        Tool::Zmap => "zmap",
        Tool::Masscan => "masscan",
    }
}

/// The kind that stands for all kinds of the same name.
pub const fn named_kind(kind: Kind) -> Kind {
    match kind {
        Kind::IcmpErrorTcp | Kind::IcmpErrorUdp | Kind::IcmpErrorIcmp => Kind::IcmpErrorOther,
        kind => kind,
    }
}

/// Whether the key's port is that of the service that answered, or was said to be out of reach.
pub const fn has_victim_port(kind: Kind) -> bool {
    matches!(kind, Kind::Rst | Kind::SynAck | Kind::UdpReply | Kind::IcmpErrorTcp | Kind::IcmpErrorUdp)
}

/// The name of a kind. The kinds of ICMP errors, told apart by the quoted protocol in keys, share
/// one: their protocol is a dimension of its own.
pub const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Syn => "syn",
        Kind::Tcp => "tcp",
        Kind::Udp => "udp",
        Kind::Sctp => "sctp",
        Kind::Rst => "rst",
        Kind::SynAck => "synack",
        Kind::UdpReply => "udp_reply",
        Kind::Echo => "echo",
        Kind::IcmpReply => "icmp_reply",
        Kind::IcmpErrorTcp | Kind::IcmpErrorUdp | Kind::IcmpErrorIcmp | Kind::IcmpErrorOther => "icmp_error",
        Kind::IcmpMismatch => "icmp_mismatch",
        Kind::Icmp => "icmp",
        Kind::Fragment => "fragment",
        Kind::Ip => "ip",
    }
}
