//! Roles of sensors, classes of packets.

use std::str::FromStr;

use sensor_common::kind::Kind;

/// Who lives at a sensor's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody: unused address space.
    Dark,
    /// A host in use.
    Lit,
    /// A honeypot, which answers.
    Honeypot,
}

impl Role {
    /// `dark`, `lit` or `honeypot`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Lit => "lit",
            Self::Honeypot => "honeypot",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::Dark, Self::Lit, Self::Honeypot]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no role; write dark, lit or honeypot")]
pub struct UnknownRole(String);

/// What a packet means to a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Somebody looks for services. Rankings are of this class.
    Scan,
    /// Answers to packets that somebody else sent with a forged source.
    Backscatter,
    /// The rest.
    Other,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Scan, Self::Backscatter, Self::Other];

    /// `scan`, `backscatter` or `other`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Backscatter => "backscatter",
            Self::Other => "other",
        }
    }

    /// The class of a kind, seen by a sensor of this role.
    pub const fn of(kind: Kind, role: Role) -> Self {
        match kind {
            Kind::Syn | Kind::Udp | Kind::Echo => Self::Scan,
            Kind::Tcp | Kind::Sctp | Kind::Icmp => match role {
                Role::Dark => Self::Scan,
                Role::Lit | Role::Honeypot => Self::Other,
            },
            Kind::Rst
            | Kind::SynAck
            | Kind::IcmpReply
            | Kind::IcmpErrorTcp
            | Kind::IcmpErrorUdp
            | Kind::IcmpErrorIcmp
            | Kind::IcmpErrorOther => Self::Backscatter,
            Kind::UdpReply | Kind::IcmpMismatch | Kind::Fragment | Kind::Ip => Self::Other,
        }
    }
}
