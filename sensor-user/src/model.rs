//! What is counted and asked: the vocabulary of every room above. No I/O.

use std::{fmt, str::FromStr};

use sensor_common::kind::Kind;

/// Where a source is: a country or area by its ISO 3166-1 alpha-2 code, or one of three groups of
/// sources that have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region([u8; 2]);

impl Region {
    /// The database does not know the source, or there is no database.
    pub const UNKNOWN: Self = Self([0, 0]);
    /// Private, reserved and other sources that are not routed on the Internet.
    pub const NON_ROUTABLE: Self = Self([0, 1]);
    /// Packets whose source was lost: the kernel's dense counters hold them, the joint ones do not.
    pub const UNATTRIBUTED: Self = Self([0, 2]);

    /// The region of an alpha-2 code, in either case; `None` if it is not two ASCII letters.
    pub fn from_code(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The alpha-2 code, or `unknown`, `non-routable`, `unattributed`.
    pub fn as_str(&self) -> &str {
        match *self {
            Self::UNKNOWN => "unknown",
            Self::NON_ROUTABLE => "non-routable",
            Self::UNATTRIBUTED => "unattributed",
            // Built from ASCII letters only.
            Self(ref code) => std::str::from_utf8(code).unwrap_or("unknown"),
        }
    }

    /// Whether this is a country or area, and so takes part in rankings.
    pub fn is_ranked(self) -> bool {
        self.0[0] != 0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

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
