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

/// A service's part in a period, and in the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its place now.
    pub rank: u32,
    /// Its place in the period before; `None` if not a single packet came. Where the period before was not
    /// observed, nothing is a newcomer: do not ask.
    pub previous: Option<u32>,
    /// Unique sources in the period, and days on which it was seen.
    pub sources: u64,
    pub days: u32,
    /// Sensors that saw it, of how many.
    pub seen_by: u32,
    pub sensors: u32,
}

/// Whether a service is a newcomer.
#[must_use]
pub fn is(seen: &Seen, parameters: &Parameters) -> bool {
    let on_enough =
        seen.sensors < parameters.sensors || u64::from(seen.seen_by) * 2 >= u64::from(seen.sensors);
    seen.rank <= parameters.now
        && seen.previous.is_none_or(|previous| previous > parameters.before)
        && seen.sources >= parameters.sources
        && seen.days >= parameters.days
        && on_enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_counts() {
        let least = Seen { rank: 10, previous: Some(51), sources: 10, days: 3, seen_by: 2, sensors: 4 };
        let verdict = |seen: Seen| is(&seen, &Parameters::default());
        assert!(verdict(least));
        assert!(verdict(Seen { previous: None, ..least }));
        assert!(!verdict(Seen { rank: 11, ..least }));
        assert!(!verdict(Seen { previous: Some(50), ..least }));
        assert!(!verdict(Seen { sources: 9, ..least }));
        assert!(!verdict(Seen { days: 2, ..least }));
        assert!(!verdict(Seen { seen_by: 1, ..least }));
        assert!(!verdict(Seen { seen_by: 2, sensors: 5, ..least }));
        assert!(verdict(Seen { seen_by: 3, sensors: 5, ..least }));
        // With few sensors it does not matter which.
        assert!(verdict(Seen { seen_by: 1, sensors: 3, ..least }));
    }
}
