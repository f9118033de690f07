//! What the test for surges finds, and what it finds where nothing is: operating curves.

use anyhow::Result;
use teiten::analysis::surge::{self, Direction, Found, Parameters, Verdict};
use teiten_tests::{
    random::Random,
    series::{self, HISTORY, Series},
};

use crate::{Options, report::Section};

/// How far days of a week swing.
const RHYTHM: f64 = 0.15;
/// Packets a day, and variance over mean.
const LEVELS: [f64; 6] = [5.0, 20.0, 50.0, 200.0, 1_000.0, 5_000.0];
const PHIS: [f64; 4] = [1.0, 3.0, 10.0, 30.0];
const FACTORS: [f64; 3] = [2.0, 3.0, 0.5];

pub fn run(options: &Options) -> Result<Section> {
    let (quiet, steps, quarters) = if options.quick { (200, 50, 1) } else { (20_000, 2_000, 100) };
    let parameters = Parameters::default();
    let mut section = Section {
        title: "Surges",
        about: format!(
            "Made-up quarters of 92 days after {HISTORY} days of history, Poisson (φ = 1) or negative-binomial, \
             days of a week swinging by ±{:.0} %, none equal to another but all the same in every run. `false`: \
             findings in 1,000 such series in which nothing happens, of {quiet}. Then series that from a day on, 15 \
             to 21 days into the quarter, have twice, three times and half as many packets, {steps} each: found \
             within 3 and 7 days of these; the median delay in days, not found included; and of those found, the \
             share whose onset is told within a day.",
            RHYTHM * 100.0
        ),
        head: vec![
            "packets a day",
            "φ",
            "false",
            "×2 in 3",
            "in 7",
            "delay",
            "onset",
            "×3 in 3",
            "in 7",
            "delay",
            "onset",
            "×½ in 3",
            "in 7",
            "delay",
            "onset",
        ],
        ..Section::default()
    };
    for (level, phi) in LEVELS.into_iter().flat_map(|level| PHIS.map(|phi| (level, phi))) {
        let mut random = Random(7);
        let series = Series { level, phi, rhythm: RHYTHM, step: None };
        let mut wrong = 0;
        for _ in 0..quiet {
            wrong += found(series, &mut random, &parameters)?.len();
        }
        let mut row = vec![
            format!("{level:.0}"),
            format!("{phi:.0}"),
            format!("{:.2}", wrong as f64 * 1_000.0 / quiet as f64),
        ];
        for factor in FACTORS {
            let curve = Curve::of(series, factor, steps, &parameters)?;
            row.extend([
                percent(curve.within(3), steps),
                percent(curve.within(7), steps),
                curve.delays.get(steps / 2).map_or_else(|| "–".to_owned(), usize::to_string),
                if curve.delays.is_empty() {
                    "–".to_owned()
                } else {
                    percent(curve.well, curve.delays.len())
                },
            ]);
        }
        section.rows.push(row);
    }
    for (name, parameters) in [
        ("As it is".to_owned(), parameters.clone()),
        (
            "With φ from the baseline alone (spread_days = 28)".to_owned(),
            Parameters { spread_days: parameters.baseline, ..parameters.clone() },
        ),
        ("With excess = 10".to_owned(), Parameters { excess: 10.0, ..parameters.clone() }),
        ("With excess = 20".to_owned(), Parameters { excess: 20.0, ..parameters.clone() }),
        ("With z = 4.5".to_owned(), Parameters { z: 4.5, ..parameters.clone() }),
        ("With z = 5.5".to_owned(), Parameters { z: 5.5, ..parameters }),
    ] {
        let mut wrong = 0;
        for seed in 1..=quarters {
            let mut random = Random(seed << 32);
            for series in series::quiet(&mut random) {
                wrong += found(series, &mut random, &parameters)?.len();
            }
        }
        section.notes.push(format!(
            "{name}: {:.2} false findings in a quiet quarter of 1,000 ports and 200 regions, by Zipf's law from 5,000 \
             to 2 packets a day, φ from 1 to 10 ({wrong} in {quarters}).",
            wrong as f64 / quarters as f64
        ));
    }
    Ok(section)
}

/// How soon, and how well, steps are found.
struct Curve {
    /// Days until each was found, that of the step included; in order.
    delays: Vec<usize>,
    /// How many have their onset within a day.
    well: usize,
}

impl Curve {
    fn of(series: Series, factor: f64, steps: usize, parameters: &Parameters) -> Result<Self> {
        let mut random = Random(11);
        let direction = if factor > 1.0 { Direction::Rise } else { Direction::Fall };
        let mut curve = Self { delays: Vec::new(), well: 0 };
        for round in 0..steps {
            // On all days of a week.
            let step = HISTORY + 15 + round % 7;
            let series = Series { step: Some((step, factor)), ..series };
            let of_step = |found: &Found| found.direction == direction && found.found >= step;
            if let Some(surge) = found(series, &mut random, parameters)?.into_iter().find(of_step) {
                curve.delays.push(surge.found + 1 - step);
                curve.well += usize::from(surge.onset.abs_diff(step) <= 1);
            }
        }
        curve.delays.sort_unstable();
        Ok(curve)
    }

    fn within(&self, days: usize) -> usize {
        self.delays.iter().filter(|&&delay| delay <= days).count()
    }
}

fn found(series: Series, random: &mut Random, parameters: &Parameters) -> Result<Vec<Found>> {
    Ok(match surge::find(&series.days(random)?, HISTORY, parameters) {
        Verdict::Tested(found) => found,
        Verdict::NotTestable => Vec::new(),
    })
}

fn percent(part: usize, of: usize) -> String {
    format!("{:.1} %", part as f64 * 100.0 / of as f64)
}
