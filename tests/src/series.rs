//! Made-up counts a day, as a telescope would have them.

use std::f64::consts::TAU;

use anyhow::Result;
use rand_distr::{Distribution as _, Gamma, Poisson};

use crate::random::Random;

/// Days before a quarter, and with it.
pub const HISTORY: usize = 45;
pub const LENGTH: usize = HISTORY + 92;

/// How a series of counts behaves.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// Mean of a day.
    pub level: f64,
    /// Variance over mean of days of the same mean: 1 of Poisson days, else they are negative-binomial.
    pub phi: f64,
    /// How far days of a week swing about the mean: 0.15 from 85 % to 115 %.
    pub rhythm: f64,
    /// From a day on, so many times as many.
    pub step: Option<(usize, f64)>,
}

impl Series {
    /// History and quarter.
    ///
    /// # Errors
    ///
    /// If no such distribution exists.
    pub fn days(&self, random: &mut Random) -> Result<Vec<Option<f64>>> {
        (0..LENGTH).map(|day| Ok(Some(self.day(day, random)?))).collect()
    }

    fn day(&self, day: usize, random: &mut Random) -> Result<f64> {
        let factor = self.step.filter(|&(from, _)| day >= from).map_or(1.0, |(_, factor)| factor);
        let mut mean = self.level * factor * (1.0 + self.rhythm * (TAU * day as f64 / 7.0).cos());
        if self.phi > 1.0 && mean > 0.0 {
            mean = Gamma::new(mean / (self.phi - 1.0), self.phi - 1.0)?.sample(random);
        }
        Ok(if mean > 0.0 { Poisson::new(mean)?.sample(random) } else { 0.0 })
    }
}

/// The series of a quarter in which nothing happens: 1,000 ports and 200 regions with levels by Zipf's law from
/// 5,000 to 2 a day, days that vary up to 10 times as much as Poisson's, and a weekly rhythm.
pub fn quiet(random: &mut Random) -> Vec<Series> {
    const HIGHEST: f64 = 5_000.0;
    const LOWEST: f64 = 2.0;
    [1_000, 200]
        .into_iter()
        .flat_map(|count| {
            let exponent = (HIGHEST / LOWEST).ln() / f64::from(count).ln();
            (1..=count).map(move |rank| HIGHEST / f64::from(rank).powf(exponent))
        })
        .map(|level| Series { level, phi: 1.0 + 9.0 * random.part(), rhythm: 0.15, step: None })
        .collect()
}
