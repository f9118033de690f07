//! From tallies to rows: of what was asked for, and of what is kept.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`rows`] | rows by the dimensions that somebody asked for |
//! | [`fold`] | rows of the cubes that a store keeps |
//! | [`survey`] | prefixes that hit many ports in a day |
//! | [`victims`] | sources whose backscatter comes in bursts |

pub mod fold;
pub mod rows;
pub mod survey;
pub mod victims;

use sensor_common::kind::{Family, Kind};

pub use self::rows::Cube;
use crate::model::{Class, Role, Sensors};

/// Length of an IPv4 prefix, in bits.
pub const V4_PREFIX: u8 = 24;
/// Length of an IPv6 prefix, in bits.
pub const V6_PREFIX: u8 = 48;

/// To how many bits the sensor cut sources before it counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLengths {
    /// Of the IPv4 address, 16 to 32.
    pub v4: u8,
    /// Of the IPv6 address, 16 to 64.
    pub v6: u8,
}

impl SourceLengths {
    /// The length of a family's sources, in bits.
    pub const fn of(self, family: Family) -> u8 {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// The class of a kind where the sensor is not known; `None` if it hangs on the sensor's role and
/// the roles differ.
pub fn class_of_unattributed(kind: Kind, sensors: &Sensors) -> Option<Class> {
    class_of_roles(kind, sensors.iter().map(|sensor| sensor.role))
}

/// The class that a kind has at sensors of all these roles; `None` if there is no such one.
pub fn class_of_roles(kind: Kind, roles: impl IntoIterator<Item = Role>) -> Option<Class> {
    let mut classes = roles.into_iter().map(|role| Class::of(kind, role));
    let first = classes.next()?;
    classes.all(|class| class == first).then_some(first)
}
