//! What the test for silences finds, and what it finds where nothing is: operating curves.

use std::ops::Range;

use anyhow::{Context, Result};
use teiten::{
    analysis::silence::{Parameters, Series, Silence, Span, find},
    model::Region,
};
use teiten_tests::{random::Random, series::count};

use crate::{Options, report::Section};

/// Days before a quarter, and of it.
const HISTORY: usize = 56;
const QUARTER: usize = 91;
/// How many times as many sources all others have.
const OTHERS: f64 = 30.0;
/// Hours of a bin, usual sources of it, variance over mean.
const BINS: [usize; 2] = [24, 1];
const LEVELS: [f64; 3] = [60.0, 200.0, 1_000.0];
const PHIS: [f64; 2] = [1.0, 3.0];
/// Parts that are missing, for so many days.
const FALLS: [f64; 4] = [0.3, 0.5, 0.7, 0.9];
const FALL_DAYS: usize = 7;
/// Bins after which a fall is looked for.
const SOON: usize = 2;
const LATER: usize = 6;

pub fn run(options: &Options) -> Result<Section> {
    let (quiet, falls) = if options.quick { (100, 20) } else { (2_000, 200) };
    let mut section = Section {
        title: "Silences",
        about: format!(
            "Made-up quarters of {QUARTER} days after {HISTORY} days of history: unique sources of a region in bins \
             of equal length, Poisson (φ = 1) or negative-binomial, and {OTHERS} times as many of all others. \
             `false`: silences in 1,000 quarters in which nothing happens, of {quiet}. Then {falls} quarters each of \
             which 30, 50, 70 and 90 % are missing for {FALL_DAYS} days: share found when {SOON} and {LATER} bins of \
             them are seen, and share of which onset and end are told to the bin, of all."
        ),
        head: vec![
            "bin",
            "usual",
            "φ",
            "false",
            "−30 % in 2",
            "in 6",
            "to the bin",
            "−50 % in 2",
            "in 6",
            "to the bin",
            "−70 % in 2",
            "in 6",
            "to the bin",
            "−90 % in 2",
            "in 6",
            "to the bin",
        ],
        ..Section::default()
    };
    for bin in BINS {
        for (level, phi) in LEVELS.into_iter().flat_map(|level| PHIS.map(|phi| (level, phi))) {
            let made = Made { bin, level, phi };
            let mut random = Random(11);
            let mut wrong = 0;
            for _ in 0..quiet {
                wrong += made.find(&made.series(0..0, 1.0, &mut random)?)?.len();
            }
            let mut row = vec![
                format!("{bin} h"),
                format!("{level:.0}"),
                format!("{phi:.0}"),
                format!("{:.1}", wrong as f64 * 1_000.0 / f64::from(quiet)),
            ];
            for fall in FALLS {
                let counts = made.falls(fall, falls, &mut random)?;
                row.extend(
                    counts.map(|count| format!("{:.0} %", f64::from(count) * 100.0 / f64::from(falls))),
                );
            }
            section.rows.push(row);
        }
    }
    section.notes.push(
        "The least usual number that is tested is put to 50 here, as noise would put half of the regions with 60 below \
         it."
            .to_owned(),
    );
    Ok(section)
}

/// How a region's series is made.
#[derive(Clone, Copy)]
struct Made {
    bin: usize,
    level: f64,
    phi: f64,
}

impl Made {
    /// A series of which these bins have only a part.
    fn series(&self, silent: Range<usize>, left: f64, random: &mut Random) -> Result<Series> {
        let bins = (HISTORY + QUARTER) * 24 / self.bin;
        let region = (0..bins)
            .map(|at| {
                let part = if silent.contains(&at) { left } else { 1.0 };
                Ok(Some(count(self.level * part, self.phi, random)?))
            })
            .collect::<Result<_>>()?;
        let others = (0..bins)
            .map(|_| Ok(Some(count(self.level * OTHERS, self.phi, random)?)))
            .collect::<Result<_>>()?;
        Ok(Series { region, others })
    }

    /// Silences of the region.
    fn find(&self, series: &Series) -> Result<Vec<Silence>> {
        let bin = u32::try_from(self.bin)?;
        let span = Span { history: HISTORY as u32 * 24, period: QUARTER as u32 * 24 };
        let parameters = Parameters { bins: vec![bin], usual: self.level.min(50.0), ..Parameters::default() };
        let region = Region::from_code("ZZ").context("a region")?;
        let given = |_: Region, _: u32| Ok::<_, anyhow::Error>(Some(series.clone()));
        Ok(find(&[region], span, &[], given, &parameters)?.silences)
    }

    /// Of so many falls those found soon, later, and told to the bin.
    fn falls(&self, fall: f64, quarters: u32, random: &mut Random) -> Result<[u32; 3]> {
        let mut found = [0; 3];
        for quarter in 0..quarters as usize {
            let begin = (HISTORY + 20 + quarter % 30) * 24 / self.bin + quarter % 7;
            let silent = begin..begin + FALL_DAYS * 24 / self.bin;
            let series = self.series(silent.clone(), 1.0 - fall, random)?;
            let at = |bins: usize| (bins * self.bin) as u32;
            let is_it = |silence: &&Silence| silence.onset < at(silent.end) && silence.end > at(silent.start);
            for (count, seen) in found.iter_mut().zip([SOON, LATER]) {
                let mut until = series.clone();
                until.region.truncate(begin + seen);
                until.others.truncate(begin + seen);
                *count += u32::from(self.find(&until)?.iter().any(|silence| is_it(&silence)));
            }
            let silences = self.find(&series)?;
            let mut told = silences.iter().filter(is_it);
            let is_exact =
                |silence: &Silence| silence.onset == at(silent.start) && silence.end == at(silent.end);
            found[2] += u32::from(told.next().is_some_and(is_exact) && told.next().is_none());
        }
        Ok(found)
    }
}
