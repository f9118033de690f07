//! Regions that fall silent, and sensors that are blind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a stretch is called blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing arrived at all, for longer than chance allows.
    Nothing,
    /// All regions together fell below their own band.
    AllRegions,
}

/// Constants of the test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Lengths of bins in hours, the shortest first.
    pub bins: Vec<u32>,
    /// Least usual number of unique sources of a bin.
    pub usual: f64,
    /// Weeks of the same bin whose median is usual.
    pub weeks: usize,
    /// Days over which the residuals' spread is taken.
    pub spread_days: usize,
    /// Least spread.
    pub spread: f64,
    /// Alert on so many bins running with r below −alert·s, clear on as many above −clear·s.
    pub running: usize,
    pub alert: f64,
    pub clear: f64,
    /// After so many days a silence is a change of level.
    pub level_days: usize,
    /// Blind when nothing arrives for this many mean intervals between packets, times 13.8, …
    pub blind_factor: f64,
    /// … and at least so many minutes.
    pub blind_minutes: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            bins: vec![1, 2, 3, 6, 12, 24],
            usual: 60.0,
            weeks: 4,
            spread_days: 28,
            spread: 1.12,
            running: 2,
            alert: 4.0,
            clear: 1.0,
            level_days: 28,
            blind_factor: 10.0,
            blind_minutes: 10,
        }
    }
}
