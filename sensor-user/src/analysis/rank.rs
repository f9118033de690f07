//! Ranks with ties, and neighbours that cannot be told apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Standard errors that the mean daily difference of two subjects must reach for their order to be told.
const APART: f64 = 2.0;

/// Where a subject stood in the period before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreviousRank {
    Rank(u32),
    /// Beyond so many places.
    Outside(u32),
    /// Not a single packet in a period before that was observed.
    New,
    /// The period before was not observed, or not for long enough to say.
    Unknown,
}

impl PreviousRank {
    /// Of a subject that had this count, and this rank if it was among the ranked.
    ///
    /// `known`: ranks are told down to this place. `observed`: whether enough of the period before was observed. If
    /// it was not, a rank would stand for another stretch of time, and is not told either.
    pub fn of(count: Option<u64>, rank: Option<u32>, known: u32, observed: bool) -> Self {
        match (observed, rank) {
            (false, _) => Self::Unknown,
            (true, Some(rank)) if rank <= known => Self::Rank(rank),
            (true, Some(_)) => Self::Outside(known),
            (true, None) if count.unwrap_or(0) == 0 => Self::New,
            (true, None) => Self::Outside(known),
        }
    }
}

/// Ranks of counts that are in descending order: equal counts share a rank, and those behind them have as many before
/// them as there are (1, 2, 2, 4).
pub fn competition(counts: &[u64]) -> Vec<u32> {
    let mut ranks: Vec<u32> = Vec::with_capacity(counts.len());
    for (index, count) in counts.iter().enumerate() {
        let rank = match ranks.last() {
            Some(&before) if counts[index - 1] == *count => before,
            _ => u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1)),
        };
        ranks.push(rank);
    }
    ranks
}

/// Whether two subjects cannot be told apart by their counts of days, those of the same day at the same place.
///
/// They cannot if the mean of the daily differences is less than two of its standard errors away from 0, over the
/// days on which both are known. A single day says nothing of how days vary; it is taken for two Poisson counts.
/// Without any day nothing tells them apart.
pub fn close(days_a: &[Option<f64>], days_b: &[Option<f64>]) -> bool {
    let pairs: Vec<(f64, f64)> =
        days_a.iter().zip(days_b).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
    let days = pairs.len() as f64;
    let mean = pairs.iter().map(|(a, b)| a - b).sum::<f64>() / days;
    let error = match pairs.as_slice() {
        [] => return true,
        [(a, b)] => (a + b).sqrt(),
        _ => {
            let squares: f64 = pairs.iter().map(|(a, b)| (a - b - mean).powi(2)).sum();
            (squares / (days - 1.0) / days).sqrt()
        }
    };
    mean == 0.0 || mean.abs() < APART * error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_a_rank() {
        assert_eq!(competition(&[9, 7, 7, 3, 3, 3, 1]), [1, 2, 2, 4, 4, 4, 7]);
        assert_eq!(competition(&[]), [0; 0]);
        assert_eq!(competition(&[0, 0]), [1, 1]);
    }

    #[test]
    fn previous_ranks() {
        let of = PreviousRank::of;
        assert_eq!(of(Some(5), Some(3), 10, true), PreviousRank::Rank(3));
        assert_eq!(of(Some(5), Some(10), 10, true), PreviousRank::Rank(10));
        assert_eq!(of(Some(5), Some(11), 10, true), PreviousRank::Outside(10));
        assert_eq!(of(Some(5), None, 10, true), PreviousRank::Outside(10));
        assert_eq!(of(Some(0), None, 10, true), PreviousRank::New);
        assert_eq!(of(None, None, 10, true), PreviousRank::New);
        assert_eq!(of(None, None, 10, false), PreviousRank::Unknown);
        assert_eq!(of(Some(5), Some(3), 10, false), PreviousRank::Unknown);
    }

    fn days(counts: &[f64]) -> Vec<Option<f64>> {
        counts.iter().map(|&count| Some(count)).collect()
    }

    #[test]
    fn noise_does_not_make_an_order() {
        let a = days(&[100.0, 90.0, 110.0, 100.0]);
        let b = days(&[98.0, 97.0, 103.0, 99.0]);
        assert!(close(&a, &b) && close(&b, &a));
        // The same mean difference, day for day.
        let c = days(&[99.0, 89.0, 109.5, 99.5]);
        assert!(!close(&a, &c) && !close(&c, &a));
    }

    #[test]
    fn the_border_is_two_standard_errors() {
        // Differences 1 and 3 (and so on): mean 2, sd √2, standard error 1.
        let zero = days(&[0.0, 0.0]);
        assert!(!close(&days(&[1.0, 3.0]), &zero));
        assert!(close(&days(&[0.99, 3.0]), &zero));
    }

    #[test]
    fn only_days_known_of_both_count() {
        let a = [Some(10.0), None, Some(12.0), Some(1e9)];
        let b = [Some(10.0), Some(5e9), Some(12.0), None];
        assert!(close(&a, &b));
        assert!(close(&[None], &[Some(1.0)]));
        assert!(close(&[], &[]));
    }

    #[test]
    fn a_single_day_is_two_poisson_counts() {
        assert!(close(&[Some(100.0)], &[Some(110.0)]));
        assert!(!close(&[Some(100.0)], &[Some(200.0)]));
        assert!(close(&[Some(0.0)], &[Some(0.0)]));
    }
}
