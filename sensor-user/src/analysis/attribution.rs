//! Who makes an increase: shares, few prefixes, few sensors.

/// Fewer sensors say nothing about whether a change is local to some of them.
pub const LEAST_SENSORS: usize = 4;

/// One of those that make a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contributor<K> {
    pub key: K,
    /// Place by counts since the onset; equal counts share one.
    pub rank: u32,
    /// Counts a day before the onset, and since.
    pub before: f64,
    pub since: f64,
    /// Part of all counts since the onset.
    pub share: f64,
    /// Part of the increase: of what rose only, as what fell takes nothing from it.
    pub of_change: f64,
}

/// Ranks by counts since the onset, and shares of the increase, of keys with their counts a day before and since;
/// in order of rank, of equal ranks in order of keys.
///
/// Of a fall, `is_fall`, the shares are of the decrease.
#[must_use]
pub fn contributors<K: Ord>(
    counts: impl IntoIterator<Item = (K, f64, f64)>,
    is_fall: bool,
) -> Vec<Contributor<K>> {
    let change =
        |before: f64, since: f64| f64::max(0.0, if is_fall { before - since } else { since - before });
    let mut counts: Vec<(K, f64, f64)> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    let total: f64 = counts.iter().map(|&(_, _, since)| since).sum();
    let changed: f64 = counts.iter().map(|&(_, before, since)| change(before, since)).sum();
    let part = |of: f64, whole: f64| if whole > 0.0 { of / whole } else { 0.0 };
    let mut last = (f64::INFINITY, 0);
    counts
        .into_iter()
        .zip(1..)
        .map(|((key, before, since), place)| {
            if since != last.0 {
                last = (since, place);
            }
            Contributor {
                key,
                rank: last.1,
                before,
                since,
                share: part(since, total),
                of_change: part(change(before, since), changed),
            }
        })
        .collect()
}

/// How few of these make half of an increase, which is `whole`, or what they rise together if that is more. `None` if
/// they make less than half of it, or there is none. Of a fall, give its decreases.
#[must_use]
pub fn half(deltas: &[f64], whole: f64) -> Option<usize> {
    let mut rising: Vec<f64> = deltas.iter().copied().filter(|delta| *delta > 0.0).collect();
    rising.sort_unstable_by(|a, b| b.total_cmp(a));
    let whole = rising.iter().sum::<f64>().max(whole);
    let mut sum = 0.0;
    let last = rising.iter().position(|delta| {
        sum += delta;
        sum * 2.0 >= whole
    })?;
    Some(last + 1)
}

/// How many sensors saw a change, in effect: (ΣΔ)²/ΣΔ² of their changes. As many as there are if all saw the
/// same, 1 if one saw all of it; 0 if none changed.
#[must_use]
pub fn effective(deltas: &[f64]) -> f64 {
    // Scaled, as squares leave a float's range long before their quotient does.
    let largest = deltas.iter().fold(0.0, |largest: f64, delta| largest.max(delta.abs()));
    if largest <= 0.0 {
        return 0.0;
    }
    let (sum, squares) = deltas
        .iter()
        .map(|delta| delta / largest)
        .fold((0.0, 0.0), |(sum, squares), delta| (sum + delta, squares + delta * delta));
    sum * sum / squares
}

/// Whether a change is local to few sensors: fewer saw it in effect than half of those that were up. `None` where
/// too few were up to say.
#[must_use]
pub fn is_local(effective: f64, up: usize) -> Option<bool> {
    (up >= LEAST_SENSORS).then_some(effective < up as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_makes_an_increase() {
        // 100 a day more from CN, 50 more from IN, 50 less from NL, and RU as before.
        let counts = [("CN", 20.0, 120.0), ("IN", 30.0, 80.0), ("NL", 130.0, 80.0), ("RU", 120.0, 120.0)];
        let rows = contributors(counts, false);
        let of = |rows: &[Contributor<&'static str>]| {
            rows.iter().map(|row| (row.key, row.rank, row.share, row.of_change)).collect::<Vec<_>>()
        };
        assert_eq!(
            of(&rows),
            [
                ("CN", 1, 0.3, 100.0 / 150.0),
                ("RU", 1, 0.3, 0.0),
                ("IN", 3, 0.2, 50.0 / 150.0),
                ("NL", 3, 0.2, 0.0)
            ]
        );
        let rows = contributors(counts, true);
        assert_eq!(of(&rows).into_iter().map(|row| row.3).collect::<Vec<_>>(), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(contributors::<u8>([], false), []);
        let nothing = contributors([(1, 0.0, 0.0)], false);
        assert_eq!((nothing[0].share, nothing[0].of_change), (0.0, 0.0));
    }

    #[test]
    fn few_prefixes_that_make_half() {
        assert_eq!(half(&[], 0.0), None);
        assert_eq!(half(&[0.0, -5.0], 0.0), None);
        assert_eq!(half(&[7.0], 0.0), Some(1));
        assert_eq!(half(&[5.0, 5.0], 0.0), Some(1));
        assert_eq!(half(&[1.0; 10], 0.0), Some(5));
        assert_eq!(half(&[1.0; 10], 16.0), Some(8));
        assert_eq!(half(&[1.0; 10], 21.0), None, "less than half of all");
        // 60 of 110: what fell does not count.
        assert_eq!(half(&[10.0, 30.0, -500.0, 30.0, 10.0, 10.0, 10.0, 10.0], 0.0), Some(2));
    }

    #[test]
    fn one_noisy_sensor_is_local() {
        let deltas = [400.0, 3.0, -2.0, 1.0, 0.0, 2.0];
        let effective = effective(&deltas);
        assert!((1.0..1.1).contains(&effective), "{effective}");
        assert_eq!(is_local(effective, deltas.len()), Some(true));
        assert_eq!(is_local(effective, 3), None);
    }

    #[test]
    fn what_all_sensors_see_is_not_local() {
        assert_eq!(effective(&[30.0; 4]), 4.0);
        assert_eq!(effective(&[-30.0; 4]), 4.0);
        assert_eq!(is_local(4.0, 4), Some(false));
        // Exactly half of those up is not below half.
        assert_eq!(effective(&[9.0, 9.0, 0.0, 0.0]), 2.0);
        assert_eq!(is_local(2.0, 4), Some(false));
        assert_eq!(is_local(1.9, 4), Some(true));
        assert_eq!(effective(&[]), 0.0);
        assert_eq!(effective(&[5.0, -5.0]), 0.0);
    }

    proptest! {
        #[test]
        fn shares_sum_up_and_ranks_follow_counts(
            counts in proptest::collection::vec((0..1000_u32, 0..1000_u32), 0..40),
            is_fall: bool,
        ) {
            let keyed = counts.iter().zip(0..).map(|(&(before, since), key)| (key, before.into(), since.into()));
            let rows = contributors(keyed, is_fall);
            prop_assert_eq!(rows.len(), counts.len());
            for row in &rows {
                let better = counts.iter().filter(|&&(_, since)| f64::from(since) > row.since).count();
                prop_assert_eq!(row.rank as usize, better + 1);
            }
            let sum: f64 = rows.iter().map(|row| row.of_change).sum();
            prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "{}", sum);
        }

        #[test]
        fn at_most_all_sensors_in_effect(deltas in proptest::collection::vec(-1e200..1e200_f64, 1..20)) {
            let effective = effective(&deltas);
            prop_assert!((0.0..=deltas.len() as f64 + 1e-9).contains(&effective), "{}", effective);
        }

        #[test]
        fn half_is_the_fewest(deltas in proptest::collection::vec(-100..100_i32, 1..12)) {
            let deltas: Vec<f64> = deltas.into_iter().map(f64::from).collect();
            let fewest = (0..1_u32 << deltas.len())
                .filter(|set| {
                    let within = |index: usize| set & 1 << index != 0;
                    let sum = |all: bool| -> f64 {
                        let rising = deltas.iter().enumerate().filter(|&(index, _)| all || within(index));
                        rising.map(|(_, delta)| delta.max(0.0)).sum()
                    };
                    sum(false) * 2.0 >= sum(true) && sum(true) > 0.0
                })
                .map(u32::count_ones)
                .min();
            prop_assert_eq!(half(&deltas, 0.0).unwrap_or(0), fewest.unwrap_or(0) as usize);
        }
    }
}
