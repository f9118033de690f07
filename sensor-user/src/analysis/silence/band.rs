//! What is usual of a series, how much it varies, and where it is below.

use std::ops::Range;

use super::{End, Parameters};

pub(super) const WEEK_HOURS: u32 = 168;
/// Least number of bins of which a median tells what is usual.
const LEAST_WEEKS: usize = 2;

/// A stretch in which a series is below its band.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch {
    /// From the bin on in which it fell below the middle between what is usual and what was left, to the last one that
    /// was below.
    pub bins: Range<usize>,
    pub state: End,
    /// The part that is left of what is usual, over all bins.
    pub left: f64,
}

/// A series, what is usual of it, and where it is below.
#[derive(Debug)]
pub(super) struct Band {
    counts: Vec<Option<f64>>,
    usual: Vec<Option<f64>>,
    /// Bins that can tell: those whose silence would be noticed.
    tells: Vec<bool>,
    pub stretches: Vec<Stretch>,
}

impl Band {
    /// Goes through a series in order of time. Bins in which `others` cannot tell do not tell here.
    pub fn of(counts: &[Option<f64>], others: Option<&Self>, hours: u32, parameters: &Parameters) -> Self {
        let mut walk = Walk {
            counts,
            parameters,
            day: (24 / hours).max(1) as usize,
            week: (WEEK_HOURS / hours).max(1) as usize,
            usual: vec![None; counts.len()],
            out: vec![false; counts.len()],
            residuals: vec![None; counts.len()],
            stretches: Vec::new(),
            alert: None,
            running: Vec::new(),
        };
        let mut tells = Vec::with_capacity(counts.len());
        let mut spread = None;
        for (at, &count) in counts.iter().enumerate() {
            if at % walk.day == 0 {
                spread = walk.spread(at).or(spread);
            }
            walk.end_level(at);
            walk.expect(at);
            let may = others.is_none_or(|others| others.tells.get(at) == Some(&true));
            tells.push(walk.step(at, count, spread, may));
        }
        if let Some(first) = walk.alert {
            walk.push(first..counts.len(), End::Continuing);
        }
        Self { counts: counts.to_vec(), usual: walk.usual, tells, stretches: walk.stretches }
    }

    pub fn usual_of(&self, at: usize) -> Option<f64> {
        self.usual.get(at).copied().flatten()
    }

    pub fn count_of(&self, at: usize) -> Option<f64> {
        self.counts.get(at).copied().flatten()
    }

    /// The highest usual number of these bins.
    pub fn highest_usual(&self, bins: &Range<usize>) -> f64 {
        bins.clone()
            .filter(|&at| self.count_of(at).is_some())
            .filter_map(|at| self.usual_of(at))
            .fold(0.0, f64::max)
    }

    /// Whether at least `least` are usual in three of four of these bins, and some can tell.
    pub fn is_testable(&self, bins: &Range<usize>, least: f64) -> bool {
        let mut usual: Vec<f64> = bins.clone().filter_map(|at| self.usual_of(at)).collect();
        let quarter = usual.len() / 4;
        if usual.is_empty() || !bins.clone().any(|at| self.tells.get(at) == Some(&true)) {
            return false;
        }
        *usual.select_nth_unstable_by(quarter, f64::total_cmp).1 >= least
    }
}

/// The state between two bins.
struct Walk<'a> {
    counts: &'a [Option<f64>],
    parameters: &'a Parameters,
    /// Bins of a day and of a week.
    day: usize,
    week: usize,
    usual: Vec<Option<f64>>,
    /// Bins that stay out of the history.
    out: Vec<bool>,
    residuals: Vec<Option<f64>>,
    stretches: Vec<Stretch>,
    /// First bin of the stretch that is not over.
    alert: Option<usize>,
    /// The last bins that told, as long as they all tell of a change: low ones, and in a stretch those back in the band.
    running: Vec<usize>,
}

impl Walk<'_> {
    /// The median of the same bin of the week in the weeks before. In place of bins that stay out of the history
    /// earlier weeks are taken, as many as a silence may take until it is a level.
    fn expect(&mut self, at: usize) {
        let reach = self.parameters.weeks + self.parameters.level_days.div_ceil(7);
        let mut values: Vec<f64> = (1..=reach)
            .map_while(|week| at.checked_sub(week * self.week))
            .filter(|&before| !self.out[before])
            .take(self.parameters.weeks)
            .filter_map(|before| self.counts[before])
            .collect();
        if values.len() >= LEAST_WEEKS {
            self.usual[at] = Some(median(&mut values));
        }
    }

    /// How much the residuals of the last days vary; `None` if there is less than a week of them.
    fn spread(&self, at: usize) -> Option<f64> {
        let from = at.saturating_sub(self.parameters.spread_days * self.day);
        let mut sizes: Vec<f64> = (from..at)
            .filter(|&before| !self.out[before])
            .filter_map(|before| self.residuals[before].map(f64::abs))
            .collect();
        (sizes.len() >= self.week).then(|| (1.4826 * median(&mut sizes)).max(self.parameters.spread))
    }

    /// Ends a stretch that has become a level, and lets it be history.
    fn end_level(&mut self, at: usize) {
        if let Some(first) = self.alert
            && at - first >= self.parameters.level_days * self.day
        {
            self.out[first..at].fill(false);
            self.residuals[first..at].fill(None);
            self.push(first..at, End::NewLevel);
            self.alert = None;
            self.running.clear();
        }
    }

    /// Takes the next bin; whether it can tell.
    fn step(&mut self, at: usize, count: Option<f64>, spread: Option<f64>, may: bool) -> bool {
        self.out[at] = self.alert.is_some();
        let (Some(count), Some(usual)) = (count, self.usual[at]) else { return false };
        let residual = (count - usual) / usual.max(1.0).sqrt();
        self.residuals[at] = Some(residual);
        let Some(spread) = spread else { return false };
        let parameters = self.parameters;
        // Not even 0 would be low here.
        if !may || usual.max(1.0).sqrt() <= parameters.alert * spread {
            return false;
        }
        let missing = usual - count;
        let tells = match self.alert {
            None => residual < -parameters.alert * spread && missing >= parameters.fall * usual,
            Some(_) => residual > -parameters.clear * spread || missing < parameters.fall / 2.0 * usual,
        };
        // A gap of more than a day, or of more than a bin, parts what was before from what is after.
        if !tells || self.running.last().is_some_and(|&last| at - last > self.day.max(2)) {
            self.running.clear();
        }
        if tells {
            self.running.push(at);
            if self.running.len() >= parameters.running {
                self.turn(at);
            }
        }
        true
    }

    /// A stretch begins or ends with the first of the running bins, or some bins before it.
    fn turn(&mut self, at: usize) {
        let Some(&first) = self.running.first() else { return };
        self.running.clear();
        match self.alert.take() {
            None => {
                let left = self.left(first..at + 1);
                let above = (0..first).rev().find(|&before| !self.is_below(before, left));
                let onset = above.map_or(0, |above| above + 1);
                self.alert = Some(onset);
                self.out[onset..=at].fill(true);
            }
            Some(onset) => {
                let left = self.left(onset..first);
                let below = (onset..first).rev().find(|&before| self.is_below(before, left));
                let end = below.map_or(first, |below| below + 1);
                self.push(onset..end, End::Ended);
                self.out[end..=at].fill(false);
            }
        }
    }

    fn push(&mut self, bins: Range<usize>, state: End) {
        let left = self.left(bins.clone());
        self.stretches.push(Stretch { bins, state, left });
    }

    /// The part that is left of what is usual in these bins.
    fn left(&self, bins: Range<usize>) -> f64 {
        let known = bins.filter_map(|at| Some((self.counts[at]?, self.usual[at]?)));
        let (counts, usual) = known.fold((0.0, 0.0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
        counts / f64::max(usual, 1.0)
    }

    /// Whether a bin is nearer to what is left of a stretch than to what is usual.
    fn is_below(&self, at: usize, left: f64) -> bool {
        let known = self.counts[at]
            .zip(self.usual[at])
            .filter(|_| self.stretches.last().is_none_or(|last| last.bins.end <= at));
        known.is_some_and(|(count, usual)| count < usual * f64::midpoint(1.0, left))
    }
}

/// The median of some values, which may be left in another order; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let is_even = values.len() % 2 == 0;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if is_even {
        f64::midpoint(below.iter().copied().fold(f64::NEG_INFINITY, f64::max), upper)
    } else {
        upper
    }
}
