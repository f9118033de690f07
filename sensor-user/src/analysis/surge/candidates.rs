//! Which of many series are worth testing.

use std::{cmp::Reverse, collections::BTreeSet};

use super::Parameters;

/// Days of a week.
const WEEK: usize = 7;

/// A series of counts a day of which few are not 0.
#[derive(Clone, Debug)]
pub struct Sparse<D> {
    /// How many valid days it has before the period, and in it.
    pub valid: [usize; 2],
    /// The valid days that have a count, in order. Counts are finite and not negative.
    pub days: D,
}

/// The keys of those series that are among the first of any week of the period by their sum of it, or that have a
/// sufficient part of the period's increase or decrease; in order.
///
/// Series are counts a day as for [`find`](super::find), one at a time: they need not be in memory together. Weeks
/// are the period's blocks of 7 days from its first day on, the last one may be shorter. Of equal sums in a week's
/// last place the lower keys are taken, so that there are never more than there are places; nothing is no
/// candidate. Increase is that of the mean valid day of the period over the mean valid day before it; series that
/// have no valid day on one of both sides have none.
#[must_use]
pub fn candidates<K: Clone + Ord, D: IntoIterator<Item = (usize, f64)>>(
    series: impl IntoIterator<Item = (K, Sparse<D>)>,
    from: usize,
    parameters: &Parameters,
) -> Vec<K> {
    let mut weeks: Vec<Top<K>> = Vec::new();
    let mut changes: Vec<(f64, K)> = Vec::new();
    for (key, Sparse { valid, days }) in series {
        let mut sums = [0.0; 2];
        let mut of_week = (0, 0.0);
        for (day, count) in days {
            let Some(into) = day.checked_sub(from) else {
                sums[0] += count;
                continue;
            };
            sums[1] += count;
            if into / WEEK != of_week.0 {
                offer(&mut weeks, of_week, &key, parameters.week_top);
                of_week = (into / WEEK, 0.0);
            }
            of_week.1 += count;
        }
        offer(&mut weeks, of_week, &key, parameters.week_top);
        if valid.iter().all(|&days| days > 0) {
            let change = sums[1] / valid[1] as f64 - sums[0] / valid[0] as f64;
            if change != 0.0 {
                changes.push((change, key));
            }
        }
    }
    let mut chosen: BTreeSet<K> = weeks.into_iter().flat_map(|week| week.0).map(|entry| entry.1).collect();
    let increase: f64 = changes.iter().map(|&(change, _)| change.max(0.0)).sum();
    let decrease: f64 = changes.iter().map(|&(change, _)| change.min(0.0)).sum();
    chosen.extend(changes.into_iter().filter_map(|(change, key)| {
        let whole = if change > 0.0 { increase } else { decrease };
        (change / whole >= parameters.increase).then_some(key)
    }));
    chosen.into_iter().collect()
}

/// Offers a key the sum of its days of a week.
fn offer<K: Clone + Ord>(weeks: &mut Vec<Top<K>>, (week, sum): (usize, f64), key: &K, places: usize) {
    if weeks.len() <= week {
        weeks.resize_with(week + 1, Top::default);
    }
    weeks[week].offer(sum, key, places);
}

/// The highest sums of a week with their keys, the highest first. They are no negative numbers, whose bits are in
/// the same order as they are.
struct Top<K>(BTreeSet<(Reverse<u64>, K)>);

impl<K: Clone + Ord> Top<K> {
    fn offer(&mut self, sum: f64, key: &K, places: usize) {
        let place = Reverse(sum.to_bits());
        let full = self.0.len() >= places;
        if sum > 0.0 && (!full || self.0.last().is_some_and(|last| (&place, key) < (&last.0, &last.1))) {
            self.0.insert((place, key.clone()));
            if full {
                self.0.pop_last();
            }
        }
    }
}

impl<K> Default for Top<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}
