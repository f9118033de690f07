//! What the tests for surges promise, on made-up quarters.

use anyhow::Result;
use teiten::analysis::surge::{self, Direction, Found, Parameters, Verdict};
use teiten_tests::{
    random::Random,
    series::{self, HISTORY, Series},
};

fn found(series: Series, random: &mut Random) -> Result<Vec<Found>> {
    match surge::find(&series.days(random)?, HISTORY, &Parameters::default()) {
        Verdict::Tested(found) => Ok(found),
        Verdict::NotTestable => anyhow::bail!("{series:?} is not testable"),
    }
}

#[test]
fn ten_quiet_quarters_have_at_most_one_finding() -> Result<()> {
    let mut all = Vec::new();
    for seed in 1..=10 {
        let mut random = Random(seed << 32);
        for series in series::quiet(&mut random) {
            all.extend(found(series, &mut random)?.into_iter().map(|found| (seed, series, found)));
        }
    }
    assert!(all.len() <= 1, "{all:#?}");
    Ok(())
}

/// Of surges that many times the level, how many are found within three days, and of those found at all how many
/// have their onset within a day; in parts of 1.
fn shares(level: f64, phi: f64, factor: f64) -> Result<(f64, f64)> {
    const ROUNDS: usize = 1_000;
    let mut random = Random(11);
    let (mut in_time, mut well, mut all) = (0, 0, 0);
    for round in 0..ROUNDS {
        let onset = HISTORY + 15 + round % 7;
        let series = Series { level, phi, rhythm: 0.0, step: Some((onset, factor)) };
        let of_step = |found: &Found| found.direction == Direction::Rise && found.found >= onset;
        if let Some(surge) = found(series, &mut random)?.into_iter().find(of_step) {
            all += 1;
            in_time += usize::from(surge.found < onset + 3);
            well += usize::from(surge.onset.abs_diff(onset) <= 1);
        }
    }
    Ok((in_time as f64 / ROUNDS as f64, well as f64 / all.max(1) as f64))
}

#[test]
fn a_doubling_is_found_within_three_days() -> Result<()> {
    for (level, phi, least) in [(50.0, 1.0, 0.995), (50.0, 3.0, 0.69), (200.0, 10.0, 0.83)] {
        let (in_time, well) = shares(level, phi, 2.0)?;
        assert!(in_time >= least, "at {level} a day, phi {phi}: {in_time} within three days");
        assert!(well >= 0.94, "at {level} a day, phi {phi}: {well} with their onset within a day");
    }
    Ok(())
}
