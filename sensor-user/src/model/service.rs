//! Services: what a scan looks for.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sensor_common::kind::{Family, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::dimension::Protocol;

/// A transport and a port, or a type of ICMP. Written `23/tcp`, `53/udp`, `8/icmp`, `128/icmpv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service {
    pub protocol: Protocol,
    /// Destination port, or ICMP type.
    pub number: u16,
}

impl Service {
    /// The service that a packet of a kind asks for; `None` if the kind tells none. `number`: as the port of a key.
    pub const fn of(kind: Kind, family: Family, number: u16) -> Option<Self> {
        match Protocol::of_kind(kind, family) {
            Some(protocol) if kind.has_dst_port() => Some(Self { protocol, number }),
            Some(protocol) if kind.has_icmp_type() => Some(Self { protocol, number: number >> 8 }),
            _ => None,
        }
    }

    /// Whether it is a port, and not a type of ICMP.
    pub const fn has_port(self) -> bool {
        matches!(self.protocol, Protocol::Tcp | Protocol::Udp | Protocol::Sctp)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.number, self.protocol))
    }
}

/// A text that names no service.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no service; write a port and its protocol such as 25/tcp, 123/udp or 80/sctp, or a type such as 8/icmp \
     or 128/icmpv6"
)]
pub struct UnknownService(String);

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        let parse = || {
            let (number, protocol) = text.split_once('/')?;
            let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Icmp, Protocol::Icmpv6]
                .into_iter()
                .find(|known| known.to_string().eq_ignore_ascii_case(protocol))?;
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|_| digits)?;
            let service = Self { protocol, number };
            (service.has_port() || number <= 255).then_some(service)
        };
        parse().ok_or_else(|| UnknownService(text.to_owned()))
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Service {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Service".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Port and transport, or type and ICMP",
            "pattern": "^[0-9]{1,5}/(tcp|udp|sctp|icmp|icmpv6)$"
        })
    }
}
