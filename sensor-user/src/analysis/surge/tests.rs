//! Series whose answer is known.

use proptest::prelude::*;

use super::*;

/// First day of the period.
const FROM: usize = 45;
/// A quarter after it.
const LEN: usize = FROM + 92;

/// A number from −1 to 1 that looks random, the same for the same day.
fn noise(day: usize) -> f64 {
    let mixed = (day as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// A quarter of counts about `level` of a day, and the days before it.
fn quarter(level: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
    (0..LEN)
        .map(|day| {
            let mean = level(day);
            Some((mean + mean.sqrt() * 1.5 * noise(day)).round().max(0.0))
        })
        .collect()
}

fn found(days: &[Option<f64>]) -> Vec<Found> {
    match find(days, FROM, &Parameters::default()) {
        Verdict::Tested(found) => found,
        Verdict::NotTestable => panic!("not testable"),
    }
}

#[track_caller]
fn only(days: &[Option<f64>]) -> Found {
    let found = found(days);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[track_caller]
fn near(value: usize, expected: usize) {
    assert!(value.abs_diff(expected) <= 1, "{value} is not near {expected}");
}

/// Zeller's Sundays and Saturdays, so to speak: two days of seven.
fn is_weekend(day: usize) -> bool {
    day % 7 >= 5
}

#[test]
fn nothing_happens() {
    for level in [0.0, 3.0, 50.0, 5_000.0] {
        assert_eq!(found(&quarter(|_| level)), [], "at {level} a day");
    }
}

#[test]
fn a_surge_of_three_weeks() {
    let days = quarter(|day| if (80..100).contains(&day) { 300.0 } else { 100.0 });
    let surge = only(&days);
    assert_eq!((surge.direction, surge.end), (Direction::Rise, End::Ended));
    assert_eq!((surge.onset, surge.found, surge.last), (80, 82, 99));
    assert!((surge.before - 100.0).abs() < 5.0 && (surge.since - 300.0).abs() < 10.0, "{surge:?}");
    assert!(surge.z > 10.0 && surge.phi < 2.0, "{surge:?}");
    let highest = days.iter().flatten().copied().fold(0.0, f64::max);
    assert_eq!(days[surge.peak], Some(highest));
}

#[test]
fn a_fall_of_two_weeks() {
    let days = quarter(|day| if (70..84).contains(&day) { 60.0 } else { 300.0 });
    let fall = only(&days);
    assert_eq!((fall.direction, fall.end), (Direction::Fall, End::Ended));
    assert_eq!((fall.onset, fall.found, fall.last), (70, 72, 83));
    assert!(fall.z < -10.0, "{fall:?}");
    let lowest = days.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(days[fall.peak], Some(lowest));
}

#[test]
fn what_goes_on_at_the_end() {
    let surge = only(&quarter(|day| if day >= LEN - 10 { 300.0 } else { 100.0 }));
    assert_eq!((surge.onset, surge.last, surge.end), (LEN - 10, LEN - 1, End::Continuing));
}

#[test]
fn a_surge_that_lasts_all_quarter_becomes_a_level() {
    let surge = only(&quarter(|day| if day >= FROM + 3 { 300.0 } else { 100.0 }));
    assert_eq!((surge.onset, surge.last, surge.end), (FROM + 3, FROM + 3 + 27, End::NewLevel));
}

#[test]
fn a_new_level_that_is_given_up_is_one_finding() {
    // Some 37215/TCP: 31 days, longer than it takes to become usual.
    for after in [400.0, 330.0, 250.0] {
        let surge = only(&quarter(|day| match day {
            0..71 => 400.0,
            71..102 => 1_200.0,
            _ => after,
        }));
        assert_eq!((surge.direction, surge.end), (Direction::Rise, End::Ended), "back to {after}");
        near(surge.onset, 71);
        near(surge.last, 101);
    }
    // Mirrored.
    let fall = only(&quarter(|day| if (71..102).contains(&day) { 130.0 } else { 400.0 }));
    assert_eq!((fall.direction, fall.end), (Direction::Fall, End::Ended));
    near(fall.onset, 71);
    near(fall.last, 101);
}

#[test]
fn a_surge_after_which_nothing_is_left_is_two() {
    let found = found(&quarter(|day| match day {
        0..71 => 400.0,
        71..102 => 1_200.0,
        _ => 10.0,
    }));
    let told: Vec<_> = found.iter().map(|found| (found.direction, found.end)).collect();
    assert_eq!(told, [(Direction::Rise, End::Ended), (Direction::Fall, End::NewLevel)]);
    near(found[1].onset, 102);
}

#[test]
fn a_level_from_before_the_period_that_ends_in_it() {
    let days = quarter(|day| if (20..80).contains(&day) { 900.0 } else { 200.0 });
    let surge = only(&days);
    assert_eq!((surge.onset, surge.last, surge.end), (20, 79, End::Ended));
    // One that has become usual before the period, and stays, is none of it.
    let stays: Vec<_> =
        days.iter().enumerate().map(|(day, &count)| if day < 80 { count } else { days[79] }).collect();
    assert_eq!(find(&stays, 60, &Parameters::default()), Verdict::Tested(vec![]));
    // One that has ended before the period, too.
    let before = quarter(|day| if (20..30).contains(&day) { 900.0 } else { 200.0 });
    assert_eq!(found(&before), []);
}

#[test]
fn a_partial_return_is_a_fall() {
    let found = found(&quarter(|day| match day {
        0..60 => 100.0,
        60..100 => 800.0,
        _ => 400.0,
    }));
    let told: Vec<_> = found.iter().map(|found| (found.direction, found.end, found.onset)).collect();
    assert_eq!(
        told,
        [(Direction::Rise, End::NewLevel, 60), (Direction::Fall, End::NewLevel, 100)],
        "400 is nearer to 800 than to 100"
    );
}

#[test]
fn a_surge_within_a_new_level() {
    let found = found(&quarter(|day| match day {
        50..95 if (85..92).contains(&day) => 1_500.0,
        50..95 => 500.0,
        _ => 100.0,
    }));
    let told: Vec<_> = found.iter().map(|found| (found.onset, found.last, found.end)).collect();
    assert_eq!(told, [(50, 94, End::Ended), (85, 91, End::Ended)]);
}

#[test]
fn a_tail_belongs_to_its_surge() {
    // Ten times as many for a week, then twice as many for another.
    let surge = only(&quarter(|day| match day {
        70..77 => 1_000.0,
        77..84 => 200.0,
        _ => 100.0,
    }));
    assert_eq!((surge.onset, surge.last, surge.end), (70, 83, End::Ended));
}

#[test]
fn ramps() {
    // To four times as many within ten days, and back within ten.
    let surge = only(&quarter(|day| match day {
        60..70 => 100.0 + 30.0 * (day - 59) as f64,
        70..90 => 400.0,
        90..100 => 400.0 - 30.0 * (day - 89) as f64,
        _ => 100.0,
    }));
    assert_eq!(surge.end, End::Ended);
    assert!((60..=64).contains(&surge.onset), "{surge:?}");
    assert!((90..=99).contains(&surge.last), "{surge:?}");
    // One that never stops is one finding, however high it gets.
    let surge = only(&quarter(|day| 100.0 * 1.05_f64.powi(day.saturating_sub(60) as i32)));
    assert_ne!(surge.end, End::Ended);
    // One by a third in a quarter is none.
    assert_eq!(found(&quarter(|day| 1_000.0 + 4.0 * day as f64)), []);
}

#[test]
fn spikes_are_none() {
    for level in [0.0, 2.0, 100.0] {
        assert_eq!(found(&quarter(|day| if day == 80 { 3_000.0 } else { level })), [], "at {level} a day");
        assert_eq!(
            found(&quarter(|day| if day % 7 == 3 { 3_000.0 } else { level })),
            [],
            "weekly, at {level}"
        );
    }
    let two = quarter(|day| if (80..82).contains(&day) { 3_000.0 } else { 100.0 });
    assert_eq!(found(&two), []);
    // Nor does one displace the onset of a surge after it.
    let surge = only(&quarter(|day| match day {
        70 => 2_000.0,
        80..95 => 250.0,
        _ => 100.0,
    }));
    near(surge.onset, 80);
    // Nor does one in it, or one right before it, end it.
    let surge = only(&quarter(|day| match day {
        83 => 5_000.0,
        80..95 => 250.0,
        _ => 100.0,
    }));
    assert_eq!((surge.onset, surge.last, surge.peak), (80, 94, 83));
}

#[test]
fn weeks_are_none() {
    for weekend in [0.2, 0.5, 0.85, 1.3, 2.0, 5.0] {
        let days = quarter(|day| if is_weekend(day) { 1_000.0 * weekend } else { 1_000.0 });
        assert_eq!(found(&days), [], "weekends of {weekend}");
    }
    // And hide none.
    let surge = only(&quarter(|day| {
        let level = if is_weekend(day) { 700.0 } else { 1_000.0 };
        if (80..100).contains(&day) { level * 2.5 } else { level }
    }));
    near(surge.onset, 80);
    near(surge.last, 99);
}

#[test]
fn holidays_are_none() {
    // A week with a third less, over all phases of a weekly rhythm.
    for start in 77..84 {
        let days = quarter(|day| {
            let rhythm = 1.0 + 0.15 * (std::f64::consts::TAU * day as f64 / 7.0).cos();
            5_000.0 * rhythm * if (start..start + 7).contains(&day) { 0.7 } else { 1.0 }
        });
        assert_eq!(found(&days), [], "from day {start}");
    }
}

#[test]
fn from_nothing() {
    let surge = only(&quarter(|day| if (80..95).contains(&day) { 200.0 } else { 0.0 }));
    assert_eq!((surge.onset, surge.last, surge.end), (80, 94, End::Ended));
    assert_eq!(surge.before, 0.0);
    let surge = only(&quarter(|day| if day >= 80 { 200.0 } else { 0.0 }));
    assert_eq!((surge.onset, surge.end), (80, End::NewLevel));
    // Too little for a finding: 8 a day.
    assert_eq!(found(&quarter(|day| if (80..95).contains(&day) { 8.0 } else { 0.0 })), []);
}

#[test]
fn to_nothing() {
    let fall = only(&quarter(|day| if day >= 80 { 0.0 } else { 200.0 }));
    assert_eq!((fall.direction, fall.onset, fall.end), (Direction::Fall, 80, End::NewLevel));
    let fall = only(&quarter(|day| if (80..90).contains(&day) { 0.0 } else { 200.0 }));
    assert_eq!((fall.onset, fall.last, fall.end), (80, 89, End::Ended));
}

#[test]
fn a_small_region() {
    // Three packets a day, four times as many: too few to tell. Ten times as many: not.
    assert_eq!(found(&quarter(|day| if (80..95).contains(&day) { 12.0 } else { 3.0 })), []);
    let surge = only(&quarter(|day| if (80..95).contains(&day) { 30.0 } else { 3.0 }));
    near(surge.onset, 80);
}

#[test]
fn gaps_are_no_falls() {
    let mut days = quarter(|day| if (80..100).contains(&day) { 300.0 } else { 100.0 });
    days[50..55].fill(None);
    days[78..82].fill(None);
    days[90] = None;
    days[99..104].fill(None);
    let surge = only(&days);
    assert_eq!((surge.onset, surge.found, surge.last, surge.end), (82, 84, 98, End::Ended));
}

#[test]
fn history() {
    let parameters = Parameters::default();
    let with = |history: usize| {
        let days: Vec<_> = quarter(|day| if day >= FROM { 300.0 } else { 100.0 }).split_off(FROM - history)
            [..history + 9]
            .to_vec();
        find(&days, history, &parameters)
    };
    assert_eq!(with(4), Verdict::NotTestable);
    for history in [14, 20, 28, 45] {
        let Verdict::Tested(found) = with(history) else { panic!("{history} days are history enough") };
        assert_eq!(found.iter().map(|found| found.onset).collect::<Vec<_>>(), [history]);
    }
    assert_eq!(find(&[], 0, &parameters), Verdict::NotTestable);
    assert_eq!(find(&[None; LEN], FROM, &parameters), Verdict::NotTestable);
    let mut blind = quarter(|_| 100.0);
    blind[FROM..].fill(None);
    assert_eq!(find(&blind, FROM, &parameters), Verdict::NotTestable);
    // Nothing but history.
    assert_eq!(find(&quarter(|_| 100.0), LEN, &parameters), Verdict::NotTestable);
    assert_eq!(find(&quarter(|_| 100.0), usize::MAX, &parameters), Verdict::NotTestable);
}

#[test]
fn which_series_are_candidates() {
    let parameters = Parameters { week_top: 2, increase: 0.25, ..Parameters::default() };
    let series = |days: [f64; 24]| days.map(Some).to_vec();
    // Two days of history, then three weeks and a day.
    let at = |day: usize, count: f64| {
        let mut days = [1.0; 24];
        days[day] = count;
        series(days)
    };
    let all = [
        ("every week", series([500.0; 24])),
        ("last day", at(23, 600.0)),
        ("second week", at(9, 4_000.0)),
        ("third week", at(22, 9_000.0)),
        // The third in a week, with a small part of the increase.
        ("third", at(10, 3_400.0)),
        ("nothing", series([0.0; 24])),
        ("decrease", {
            let mut days = [0.0; 24];
            days[..2].fill(800.0);
            series(days)
        }),
        ("not a number", {
            let mut days = series([0.0; 24]);
            days[5] = Some(f64::NAN);
            days[6] = Some(f64::INFINITY);
            days[7] = None;
            days
        }),
    ];
    let from = 2;
    let sparse = |days: &[Option<f64>]| {
        let valid = |day: &Option<f64>| day.filter(|count| count.is_finite());
        let [before, since] =
            [&days[..from], &days[from..]].map(|days| days.iter().filter_map(valid).count());
        let days = days.iter().map(valid).enumerate().filter_map(|(day, count)| Some((day, count?)));
        Sparse { valid: [before, since], days: days.filter(|&(_, count)| count > 0.0).collect::<Vec<_>>() }
    };
    let chosen = |parameters: &Parameters| {
        candidates(all.iter().map(|(key, days)| (*key, sparse(days))), from, parameters)
    };
    // In the first week all but the first are equal: the lowest key takes the second place.
    assert_eq!(chosen(&parameters), ["decrease", "every week", "last day", "second week", "third week"]);
    let parameters = Parameters { increase: 0.19, ..parameters };
    assert!(chosen(&parameters).contains(&"third"));
    let parameters = Parameters { week_top: 0, increase: 1.0, ..parameters };
    assert_eq!(chosen(&parameters), ["decrease"]);
    assert_eq!(candidates::<u8, Vec<(usize, f64)>>([], 0, &parameters), [0_u8; 0]);
}

/// Counts of days, some of which do not count.
fn days() -> impl Strategy<Value = Vec<Option<f64>>> {
    let count = prop_oneof![
        3 => (0..2_000_u32).prop_map(|count| Some(f64::from(count))),
        2 => (0..20_u32).prop_map(|count| Some(f64::from(count))),
        1 => Just(None),
        1 => (0.0..1e300_f64).prop_map(Some),
    ];
    // In stretches, or chance alone would hardly ever make a run.
    proptest::collection::vec((count, 1..40_usize), 0..12).prop_map(|stretches| {
        stretches.into_iter().flat_map(|(count, length)| std::iter::repeat_n(count, length)).collect()
    })
}

proptest! {
    #[test]
    fn any_series(days in days(), from in 0..300_usize) {
        let Verdict::Tested(found) = find(&days, from, &Parameters::default()) else { return Ok(()) };
        prop_assert!(from < days.len());
        for surge in &found {
            prop_assert!(surge.onset <= surge.peak && surge.peak <= surge.last, "{:?}", surge);
            prop_assert!(surge.onset <= surge.found && surge.found <= surge.last, "{:?}", surge);
            prop_assert!(surge.last >= from && surge.last < days.len(), "{:?}", surge);
            prop_assert!(days[surge.onset].is_some() && days[surge.last].is_some());
            prop_assert_eq!(surge.direction == Direction::Rise, surge.z > 0.0);
        }
        for pair in found.windows(2) {
            let within = pair[0].end == End::Ended && pair[1].last <= pair[0].last;
            prop_assert!(pair[0].onset < pair[1].onset && (pair[0].last < pair[1].onset || within), "{:?}", found);
        }
    }

    #[test]
    fn odd_parameters(
        days in days(),
        (tested, baseline, trimmed) in (0..9_usize, 0..40_usize, 0..20_usize),
        (spread_days, new_level, least_history) in (0..99_usize, 0..40_usize, 0..40_usize),
        (z, ratio) in (0.0..9.0_f64, 0.0..4.0_f64),
    ) {
        let parameters = Parameters {
            days: tested, baseline, trimmed, spread_days, new_level, least_history, z, ratio, excess: 0.0,
            ..Parameters::default()
        };
        let _ = find(&days, 0, &parameters);
    }

    #[test]
    fn a_constant_gives_nothing(count in 0.0..1e9_f64, len in 0..300_usize) {
        let expected = if len > 16 { Verdict::Tested(vec![]) } else { Verdict::NotTestable };
        prop_assert_eq!(find(&vec![Some(count); len], 0, &Parameters::default()), expected);
    }

    /// The more packets, the surer: what is found at a level is found at a multiple of it, in the same place.
    #[test]
    fn scaling(times in 1..200_u32, length in 5..20_usize, start in 60..90_usize) {
        let days = quarter(|day| if (start..start + length).contains(&day) { 250.0 } else { 100.0 });
        let scaled: Vec<_> = days.iter().map(|day| day.map(|count| count * f64::from(times))).collect();
        let place = |found: Found| (found.onset, found.last, found.end);
        prop_assert_eq!(place(only(&days)), place(only(&scaled)));
    }

    /// A rise and the fall that is its mirror image are found on the same days.
    #[test]
    fn falls_mirror_rises(start in 60..90_usize, length in 5..25_usize) {
        let inside = |day| (start..start + length).contains(&day);
        let rise = only(&quarter(|day| if inside(day) { 4_000.0 } else { 1_000.0 }));
        let fall = only(&quarter(|day| if inside(day) { 1_000.0 } else { 4_000.0 }));
        prop_assert_eq!((rise.onset, rise.last, rise.end), (fall.onset, fall.last, fall.end));
    }
}
