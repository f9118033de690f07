//! Regions that fall silent, and sensors that are blind.
//!
//! A region's unique sources are counted in bins of equal length. What is usual of a bin is the median of the same bin
//! of the week in the 4 weeks before it, so that nights and weekends are compared with nights and weekends; a bin is
//! low if it is further below than its own noise explains ([`band`]). Before a region is called silent, all others are
//! looked at: if they fall together, it is the sensor that is blind.

mod band;
mod nothing;
#[cfg(test)]
mod tests;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::band::{Band, Stretch};
pub use self::nothing::{Seen, nothing, usual_rate};
pub use super::surge::End;
use crate::model::Region;

/// The length of bins is chosen anew for every so many days of the period.
const CHOSEN_DAYS: u32 = 28;
/// Whose rounds of looking for blindness are at most so many.
const MOST_ROUNDS: usize = 16;

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
    /// Least usual number of unique sources of a bin, in three of four bins.
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
    /// A bin is low only if at least this part of what is usual is missing, and clears where less than half of this
    /// part is missing; a silence that misses less over all its bins is none. At large numbers the noise is so small
    /// that every holiday would be one.
    pub fall: f64,
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
            fall: 0.25,
            level_days: 28,
            blind_factor: 10.0,
            blind_minutes: 10,
        }
    }
}

impl Parameters {
    /// The lengths of bins that can be used, the longest first: they divide a week.
    fn lengths(&self) -> Vec<u32> {
        let mut lengths: Vec<u32> =
            self.bins.iter().copied().filter(|&hours| hours > 0 && band::WEEK_HOURS % hours == 0).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        lengths
    }
}

/// How much time the series cover, in hours: first the history, then the period. They are given as equal bins, from
/// the begin of the history on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What is usual takes 4 weeks, its noise takes one more. With less, silences are found from later in the period
    /// on; with 8 weeks, the noise is that of the last 4.
    pub history: u32,
    pub period: u32,
}

/// Series of equal bins; `None`: not observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Unique sources of a region.
    pub region: Vec<Option<f64>>,
    /// Those of all other regions together.
    pub others: Vec<Option<f64>>,
}

impl Series {
    /// Of a region, and of all regions together. A source has one region, so what is not of this one is of others.
    pub fn among(region: Vec<Option<f64>>, all: &[Option<f64>]) -> Self {
        let others =
            region.iter().zip(all).map(|(region, all)| Some(((*all)? - (*region)?).max(0.0))).collect();
        Self { region, others }
    }
}

/// A region that fell silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    pub region: Region,
    /// Length of a bin in hours.
    pub bin: u32,
    /// Begin of its first bin, and end of its last one, in hours since the begin of the history.
    pub onset: u32,
    pub end: u32,
    /// [`End::Continuing`]: it was silent still when the series ended. [`End::NewLevel`]: it went on for 28 days, and
    /// what it is like now is usual.
    pub state: End,
    /// Unique sources of the bin with the largest part missing: what is usual of this bin, and how many there were.
    pub usual: f64,
    pub least: f64,
    /// The part that was missing in that bin.
    pub depth: f64,
    /// Unique sources missing, summed over bins, times their hours: the weight of the finding.
    pub missing: f64,
}

/// What came of the test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Silences of which some bin is in the period, the heaviest first.
    pub silences: Vec<Silence>,
    /// When all regions fell together, in hours since the begin of the history; in order, and apart from each other.
    /// In the history, too: these hours belong in no baseline.
    pub blind: Vec<Range<u32>>,
    /// Regions that were tested, for some of the period at least.
    pub tested: Vec<Region>,
    /// Those of `tested` that had too few sources in some part of the period.
    pub in_part: Vec<Region>,
    /// Regions with too few sources or too little history.
    pub not_testable: Vec<Region>,
}

/// Looks for silences of regions.
///
/// `series` gives the series of a region at a length of bins in hours; `None` if there are none. It is asked for the
/// longest bins of every region, and for shorter ones only of those that have enough sources for the next longer
/// ones. `blind` are hours that are known to be blind already, such as those of [`nothing`].
///
/// # Errors
///
/// Those of `series`.
pub fn find<E>(
    regions: &[Region],
    span: Span,
    blind: &[Range<u32>],
    mut series: impl FnMut(Region, u32) -> Result<Option<Series>, E>,
    parameters: &Parameters,
) -> Result<Outcome, E> {
    let mut hours = Hours::new(span, blind);
    let mut outcome = Outcome::default();
    let mut runs = Vec::new();
    for &region in regions {
        let chosen = choose(region, &hours, &mut series, parameters)?;
        let windows = windows(span).count();
        match chosen.iter().map(|run| run.windows.len()).sum::<usize>() {
            0 => outcome.not_testable.push(region),
            tested => {
                outcome.tested.push(region);
                if tested < windows {
                    outcome.in_part.push(region);
                }
            }
        }
        runs.extend(chosen);
    }
    let mut judged = Vec::new();
    for _ in 0..MOST_ROUNDS {
        judged = runs.iter().map(|run| run.judge(&hours, span, parameters)).collect();
        let found = hours.blind_in(&runs, &judged);
        if found.is_empty() {
            break;
        }
        hours.add(&found);
    }
    let still_blind = hours.all_blind(&runs, &judged);
    for (run, judged) in runs.iter().zip(&judged) {
        for stretch in &judged.silent {
            let silence = run.silence(stretch, &judged.band, parameters);
            let overlaps = |other: &Silence| {
                other.region == silence.region && other.onset < silence.end && silence.onset < other.end
            };
            let blind = still_blind.get(silence.onset as usize..silence.end as usize);
            if silence.end > span.history
                && !outcome.silences.iter().any(overlaps)
                && blind.is_none_or(|hours| hours.iter().all(|blind| !blind))
            {
                outcome.silences.push(silence);
            }
        }
    }
    outcome.silences.sort_by(|a, b| b.missing.total_cmp(&a.missing).then(a.region.cmp(&b.region)));
    outcome.blind = hours.found();
    Ok(outcome)
}

/// The parts of the period for which a length of bins is chosen, in hours since the begin of the history. What is left
/// at the end goes with the part before.
fn windows(span: Span) -> impl Iterator<Item = Range<u32>> {
    let length = CHOSEN_DAYS * 24;
    let parts = (span.period / length).max(1);
    let end = span.history.saturating_add(span.period);
    (0..parts).map(move |part| {
        let from = span.history.saturating_add(part * length);
        from..if part + 1 == parts { end } else { from.saturating_add(length) }
    })
}

/// A region's series at a length of bins, and the parts of the period in which it is tested by it.
struct Run {
    region: Region,
    bin: u32,
    series: Series,
    windows: Vec<Range<u32>>,
}

/// What a run found.
struct Judged {
    band: Band,
    /// Stretches of the region that begin in the run's windows.
    silent: Vec<Stretch>,
    /// Stretches of all others, wherever they begin.
    others: Vec<Stretch>,
}

/// The shortest bins that have enough sources, for each window. The longer they are, the more sources they have, so
/// the search begins with the longest, which cost the least, and ends where they are too few.
fn choose<E>(
    region: Region,
    hours: &Hours,
    series: &mut impl FnMut(Region, u32) -> Result<Option<Series>, E>,
    parameters: &Parameters,
) -> Result<Vec<Run>, E> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: Vec<Range<u32>> = windows(hours.span).collect();
    for bin in parameters.lengths() {
        let Some(series) = series(region, bin)? else { break };
        let (band, _) = bands(&series, bin, hours, parameters);
        open.retain(|window| band.is_testable(&bins(window, bin), parameters.usual));
        if open.is_empty() {
            break;
        }
        for run in &mut runs {
            run.windows.retain(|window| !open.contains(window));
        }
        runs.push(Run { region, bin, series, windows: open.clone() });
    }
    runs.retain(|run| !run.windows.is_empty());
    Ok(runs)
}

/// The bins that lie in these hours; one that begins in them does.
fn bins(hours: &Range<u32>, bin: u32) -> Range<usize> {
    hours.start.div_ceil(bin) as usize..hours.end.div_ceil(bin) as usize
}

/// The bands of a region and of all others, with blind hours left out. A region's bin says something only where the
/// others' does: else nobody could tell silence from blindness.
fn bands(series: &Series, bin: u32, hours: &Hours, parameters: &Parameters) -> (Band, Band) {
    let others = Band::of(&hours.seen(&series.others, bin), None, bin, parameters);
    let region = Band::of(&hours.seen(&series.region, bin), Some(&others), bin, parameters);
    (region, others)
}

impl Run {
    fn judge(&self, hours: &Hours, span: Span, parameters: &Parameters) -> Judged {
        let (band, others) = bands(&self.series, self.bin, hours, parameters);
        let silent = band
            .stretches
            .iter()
            .filter(|stretch| stretch.left <= 1.0 - parameters.fall)
            .filter(|stretch| {
                let onset = stretch.bins.start as u32 * self.bin;
                self.windows.iter().any(|window| {
                    // What began in the history is the first window's.
                    window.contains(&onset) || (window.start == span.history && onset < span.history)
                })
            })
            .cloned()
            .collect();
        Judged { band, silent, others: others.stretches }
    }

    fn silence(&self, stretch: &Stretch, band: &Band, parameters: &Parameters) -> Silence {
        let mut silence = Silence {
            region: self.region,
            bin: self.bin,
            onset: stretch.bins.start as u32 * self.bin,
            end: stretch.bins.end as u32 * self.bin,
            state: stretch.state,
            usual: 0.0,
            least: 0.0,
            depth: f64::NEG_INFINITY,
            missing: 0.0,
        };
        for at in stretch.bins.clone() {
            let (Some(usual), Some(count)) = (band.usual_of(at), band.count_of(at)) else { continue };
            silence.missing += (usual - count).max(0.0) * f64::from(self.bin);
            let depth = 1.0 - count / usual.max(1.0);
            // Where few are usual, all may be missing by chance.
            if usual >= parameters.usual.min(band.highest_usual(&stretch.bins)) && depth > silence.depth {
                (silence.usual, silence.least, silence.depth) = (usual, count, depth);
            }
        }
        silence
    }
}

/// Which hours are blind.
struct Hours {
    span: Span,
    /// By hours: known before, or found.
    blind: Vec<bool>,
    found: Vec<bool>,
}

impl Hours {
    fn new(span: Span, known: &[Range<u32>]) -> Self {
        let length = span.history.saturating_add(span.period) as usize;
        let mut blind = vec![false; length];
        for range in known {
            let range = (range.start as usize).min(length)..(range.end as usize).min(length);
            blind.get_mut(range).unwrap_or_default().fill(true);
        }
        Self { span, blind, found: vec![false; length] }
    }

    /// A series of which the bins with blind hours, and those beyond the span, are not seen.
    fn seen(&self, series: &[Option<f64>], bin: u32) -> Vec<Option<f64>> {
        let bins = series.iter().zip(self.blind.chunks(bin as usize));
        bins.map(|(count, blind)| count.filter(|_| blind.iter().all(|blind| !blind))).collect()
    }

    /// Hours that are blind by the series: some region is silent in them, and of each that is, all others are, too. If
    /// the others of just one of them are as usual, it is this one's silence that the others' others miss.
    fn all_blind(&self, runs: &[Run], judged: &[Judged]) -> Vec<bool> {
        let mut silent = vec![0u32; self.blind.len()];
        let mut alone = vec![false; self.blind.len()];
        for (run, judged) in runs.iter().zip(judged) {
            for (hour, count) in silent.iter_mut().enumerate() {
                let at = hour / run.bin as usize;
                if judged.silent.iter().any(|stretch| stretch.bins.contains(&at)) {
                    *count += 1;
                    alone[hour] |= !judged.others.iter().any(|stretch| stretch.bins.contains(&at));
                }
            }
        }
        let blind = silent.iter().zip(alone).zip(&self.blind);
        blind.map(|((&silent, alone), &known)| silent > 0 && !alone && !known).collect()
    }

    /// Of the hours that are blind by the series, those that the shortest bins tell: longer ones know them less well.
    fn blind_in(&self, runs: &[Run], judged: &[Judged]) -> Vec<usize> {
        let blind = self.all_blind(runs, judged);
        let mut lengths: Vec<u32> = runs.iter().map(|run| run.bin).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            let of_length = || runs.iter().zip(judged).filter(|(run, _)| run.bin == length);
            let told = |hour: &usize| {
                let at = hour / length as usize;
                of_length().any(|(_, judged)| judged.silent.iter().any(|stretch| stretch.bins.contains(&at)))
            };
            let hours: Vec<usize> = (0..blind.len()).filter(|&hour| blind[hour]).filter(told).collect();
            if !hours.is_empty() {
                return hours;
            }
        }
        Vec::new()
    }

    fn add(&mut self, hours: &[usize]) {
        for &hour in hours {
            self.blind[hour] = true;
            self.found[hour] = true;
        }
    }

    fn found(&self) -> Vec<Range<u32>> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for (hour, _) in self.found.iter().enumerate().filter(|(_, found)| **found) {
            let hour = hour as u32;
            match ranges.last_mut() {
                Some(range) if range.end == hour => range.end = hour + 1,
                _ => ranges.push(hour..hour + 1),
            }
        }
        ranges
    }
}
