//! The joint key: who sent what to which port, seen by which sensor.

use crate::kind::{Family, Kind, Tool};

/// What packets are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The IPv4 address, or the upper 64 bits of the IPv6 address, in host order and cut to the
    /// configured prefix length. For ICMP errors the *quoted* destination.
    pub source: u64,
    /// What the kind says: destination port, source port, ICMP type · 256 + code, or protocol.
    pub port: u16,
    pub kind: Kind,
    pub family: Family,
    pub tool: Tool,
    /// Number of the sensor, in the order of configuration.
    pub sensor: u8,
}

/// Everything of a key but its source, in 32 bits, from the lowest up:
/// port 16, kind 5, family 1, tool 2, sensor 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Meta(pub u32);

const KIND: u32 = 16;
const FAMILY: u32 = 21;
const TOOL: u32 = 22;
const SENSOR: u32 = 24;

impl Key {
    /// The packed form of all but the source.
    #[inline(always)]
    pub const fn meta(&self) -> Meta {
        Meta(
            self.port as u32
                | (self.kind as u32) << KIND
                | (self.family as u32) << FAMILY
                | (self.tool as u32) << TOOL
                | (self.sensor as u32) << SENSOR,
        )
    }

    /// The key of a source and a packed rest; `None` if the rest names no known kind.
    pub fn unpack(source: u64, meta: Meta) -> Option<Self> {
        Some(Self {
            source,
            port: meta.port(),
            kind: Kind::from_number(meta.kind() as u8)?,
            family: if meta.family() == 0 { Family::V4 } else { Family::V6 },
            tool: Tool::ALL[(meta.0 >> TOOL & 3) as usize],
            sensor: (meta.0 >> SENSOR) as u8,
        })
    }
}

impl Meta {
    /// The key's port.
    #[inline(always)]
    pub const fn port(self) -> u16 {
        self.0 as u16
    }

    /// Number of the key's kind, below 32; not every number is one of [`Kind::ALL`].
    #[inline(always)]
    pub const fn kind(self) -> usize {
        (self.0 >> KIND & 0x1f) as usize
    }

    /// Number of the key's family, 0 or 1.
    #[inline(always)]
    pub const fn family(self) -> usize {
        (self.0 >> FAMILY & 1) as usize
    }

    /// Whether this is ICMPv6 neighbour discovery (types 133 to 137), which is never dropped.
    #[inline(always)]
    pub const fn is_neighbour_discovery(self) -> bool {
        self.kind() == Kind::Icmp as usize
            && self.family() == Family::V6 as usize
            && matches!(self.port() >> 8, 133..=137)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_lossless() {
        for kind in Kind::ALL {
            for family in [Family::V4, Family::V6] {
                for tool in Tool::ALL {
                    for (port, sensor) in [(0, 0), (u16::MAX, 253), (23, 1), (0x8000, 128)] {
                        let key = Key { source: 0x2001_0db8_0000_0001, port, kind, family, tool, sensor };
                        assert_eq!(Key::unpack(key.source, key.meta()), Some(key));
                    }
                }
            }
        }
    }

    #[test]
    fn unknown_kinds_do_not_unpack() {
        for number in Kind::ALL.len() as u32..32 {
            assert_eq!(Key::unpack(0, Meta(number << KIND)), None);
        }
    }

    #[test]
    fn neighbour_discovery_is_icmpv6_133_to_137() {
        let key = |family, icmp_type: u16, kind| Key {
            source: 0,
            port: icmp_type << 8,
            kind,
            family,
            tool: Tool::None,
            sensor: 0,
        };
        let is_discovery =
            |family, icmp_type, kind| key(family, icmp_type, kind).meta().is_neighbour_discovery();
        for icmp_type in 0..256 {
            assert_eq!(is_discovery(Family::V6, icmp_type, Kind::Icmp), (133..=137).contains(&icmp_type));
            assert!(!is_discovery(Family::V4, icmp_type, Kind::Icmp));
            assert!(!is_discovery(Family::V6, icmp_type, Kind::Udp));
        }
    }
}
