//! Stretches in which nothing arrives at all.

use std::ops::Range;

use super::Parameters;

/// ln 10⁶: in so many mean intervals nothing arrives by chance once in a million times.
const ONE_IN_A_MILLION: f64 = 13.8;

/// What arrived in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First second.
    pub start: i64,
    /// Seconds observed, from the first one on.
    pub seconds: u32,
    pub packets: u64,
}

impl Seen {
    fn end(self) -> i64 {
        self.start.saturating_add(i64::from(self.seconds))
    }
}

/// Packets a second that are usual: the median of the stretches' rates, those with nothing included. `None` if nothing
/// was observed.
pub fn usual_rate(seen: &[Seen]) -> Option<f64> {
    let mut rates: Vec<f64> = seen
        .iter()
        .filter(|seen| seen.seconds > 0)
        .map(|seen| seen.packets as f64 / f64::from(seen.seconds))
        .collect();
    let middle = rates.len() / 2;
    (!rates.is_empty()).then(|| *rates.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// When nothing arrived for longer than chance allows, in seconds: stretches without a packet, one after the other and
/// observed without a gap, of at least max(10 · 13.8/λ, 10 min) together. λ: packets a second that are usual
/// ([`usual_rate`]); if none are, nothing is no surprise.
///
/// `seen` is in order of time. The shorter its stretches, the better the begin and the end are known.
pub fn nothing(seen: &[Seen], usual: f64, parameters: &Parameters) -> Vec<Range<i64>> {
    if usual.is_nan() || usual <= 0.0 {
        return Vec::new();
    }
    let by_chance = parameters.blind_factor * ONE_IN_A_MILLION / usual;
    let least = by_chance.max(f64::from(parameters.blind_minutes) * 60.0);
    let mut empty: Vec<Range<i64>> = Vec::new();
    for seen in seen.iter().filter(|seen| seen.packets == 0 && seen.seconds > 0) {
        match empty.last_mut() {
            Some(range) if range.end == seen.start => range.end = seen.end(),
            _ => empty.push(seen.start..seen.end()),
        }
    }
    empty.retain(|range| range.end.saturating_sub(range.start) as f64 >= least);
    empty
}
