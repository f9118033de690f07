//! Surges: days that rise above what was usual, or fall below it.

mod candidates;
mod scan;
mod statistic;
#[cfg(test)]
mod tests;

pub use candidates::{Sparse, candidates};
pub use scan::find;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Rise,
    Fall,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It ended; its last day is the last one before.
    Ended,
    /// It goes on at the end of the series.
    Continuing,
    /// It went on for so long that it is usual now.
    NewLevel,
}

/// Constants of the test. `docs/detection.md` shows what they lead to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Days that are tested together.
    pub days: usize,
    /// Valid days before them that they are compared with.
    pub baseline: usize,
    /// The highest and the lowest days of the baseline that are left out of its mean.
    pub trimmed: usize,
    /// Valid days before the tested ones over which the overdispersion is taken, as far as there are so many.
    pub spread_days: usize,
    /// Least value of z.
    pub z: f64,
    /// Least ratio of the sum to the baseline's, and of each day to the baseline's mean. Of falls their reciprocals.
    pub ratio: f64,
    pub day_ratio: f64,
    /// Least excess of the sum, in packets, times the overdispersion.
    pub excess: f64,
    /// After so many valid days a surge is a new level.
    pub new_level: usize,
    /// With fewer valid days before, a series is not testable.
    pub least_history: usize,
    /// Candidates: the first so many of any week, and those with at least this part of the period's increase.
    pub week_top: usize,
    pub increase: f64,
    /// So few prefixes that make half of an increase are narrow.
    pub narrow: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            days: 3,
            baseline: 28,
            trimmed: 3,
            spread_days: 91,
            z: 5.0,
            ratio: 1.5,
            day_ratio: 1.25,
            excess: 30.0,
            new_level: 28,
            least_history: 14,
            week_top: 100,
            increase: 0.005,
            narrow: 3,
        }
    }
}

/// A surge of a series, by indices of its days.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub direction: Direction,
    /// First day; before the period if it began there.
    pub onset: usize,
    /// The last of the days by which it was found.
    pub found: usize,
    /// The last day of it; of a new level the day by which it was usual.
    pub last: usize,
    pub end: End,
    /// The highest day (of a fall the lowest).
    pub peak: usize,
    /// Mean of the frozen baseline, a day.
    pub before: f64,
    /// Mean from the onset to the last day.
    pub since: f64,
    pub z: f64,
    pub phi: f64,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// On no day of the period as many valid days of history as are needed, or no day.
    NotTestable,
    /// In order of onset. They do not overlap, except that one may lie within an earlier one that had become the
    /// usual level before, and ended after it.
    Tested(Vec<Found>),
}
