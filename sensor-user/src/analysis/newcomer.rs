//! Newcomers: services that were nowhere and are among the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What makes a newcomer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// It was beyond this place before, and is among the first so many now.
    pub before: u32,
    pub now: u32,
    /// From at least so many sources, on so many days.
    pub sources: u64,
    pub days: u32,
    /// Where there are so many sensors, at least half of them saw it.
    pub sensors: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { before: 50, now: 10, sources: 10, days: 3, sensors: 4 }
    }
}
