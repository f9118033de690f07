//! Regions of sources.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where a source is: a country or area by its ISO 3166-1 alpha-2 code, or one of four groups of
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
    /// Sources that a bound on kept rows has put together.
    pub const OTHER: Self = Self([0, 3]);

    /// The region of an alpha-2 code, in either case; `None` if it is not two ASCII letters.
    pub fn from_code(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The alpha-2 code, or `unknown`, `non-routable`, `unattributed`, `other`.
    pub fn as_str(&self) -> &str {
        match *self {
            Self::UNKNOWN => "unknown",
            Self::NON_ROUTABLE => "non-routable",
            Self::UNATTRIBUTED => "unattributed",
            Self::OTHER => "other",
            // Built from ASCII letters only.
            Self(ref code) => std::str::from_utf8(code).unwrap_or("unknown"),
        }
    }

    /// The region that [`Region::as_str`] gives this text for; `None` if there is none.
    pub fn named(text: &str) -> Option<Self> {
        let groups = [Self::UNKNOWN, Self::NON_ROUTABLE, Self::UNATTRIBUTED, Self::OTHER];
        let group = groups.into_iter().find(|group| group.as_str() == text);
        group.or_else(|| Self::from_code(text).filter(|region| region.as_str() == text))
    }

    /// How many numbers [`Region::index`] gives.
    pub const INDICES: usize = 1 << 16;

    /// A number of its own for every region, for counters in an array.
    pub const fn index(self) -> usize {
        u16::from_be_bytes(self.0) as usize
    }

    /// The region of a number that [`Region::index`] gave.
    pub const fn at(index: usize) -> Self {
        Self((index as u16).to_be_bytes())
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

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::named(&text).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is no region; write two capital letters, such as JP"))
        })
    }
}

impl JsonSchema for Region {
    fn schema_name() -> Cow<'static, str> {
        "Region".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "ISO 3166-1 alpha-2 code, or a group of sources that have none",
            "pattern": "^([A-Z]{2}|unknown|non-routable|unattributed|other)$"
        })
    }
}
