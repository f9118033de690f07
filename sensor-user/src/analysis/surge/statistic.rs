//! Whether the last days differ from those before them.

use super::{Direction, Parameters};

/// Days of a week: a series' indices are days, so those that differ by a multiple of this are the same weekday.
const WEEK: usize = 7;

/// A day of history that has more than so many times the second highest is an outlier.
const OUTLIER: f64 = 2.0;

/// A valid day: its index in the series, and its count.
pub(super) type Day = (usize, f64);

/// Some days differ from those before them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub direction: Direction,
    pub z: f64,
    pub phi: f64,
}

/// What the days before a test look like.
#[derive(Clone, Debug)]
pub(super) struct Baseline<'a> {
    days: &'a [Day],
    /// The mean of these without the highest and the lowest.
    pub level: f64,
    /// Days before them, which tell of the overdispersion only.
    earlier: &'a [Day],
}

impl<'a> Baseline<'a> {
    /// Of the last of these days, as many as a baseline has.
    pub fn of(history: &'a [Day], parameters: &Parameters) -> Self {
        let (earlier, days) = history.split_at(history.len().saturating_sub(parameters.baseline));
        let spread_days = parameters.spread_days.saturating_sub(days.len());
        let earlier = &earlier[earlier.len().saturating_sub(spread_days)..];
        Self { days, earlier, level: trimmed_mean(days, parameters.trimmed) }
    }

    /// The test: whether `days` differ.
    pub fn differ(&self, days: &[Day], parameters: &Parameters) -> Option<Difference> {
        let tested = days.len() as f64;
        let sum = total(days);
        let usual = tested * self.level;
        let rises = sum > usual;
        let (ratio, day_ratio) = if rises {
            (parameters.ratio, parameters.day_ratio)
        } else {
            (parameters.ratio.recip(), parameters.day_ratio.recip())
        };
        let beyond = |value: f64, bound: f64| if rises { value >= bound } else { value <= bound };
        if (sum - usual).abs() < parameters.excess
            || !beyond(sum, ratio * usual)
            || !beyond(sum, ratio * self.same_weekdays(days))
            || !days.iter().all(|&(_, count)| beyond(count, day_ratio * self.level))
        {
            return None;
        }
        let phi = self.overdispersion(days);
        let spread = phi * (1.0 + tested / self.days.len() as f64);
        let z = 2.0 * ((sum + 0.375).sqrt() - (usual + 0.375).sqrt()) / spread.sqrt();
        let highest = days.iter().map(|&(_, count)| count).fold(0.0, f64::max);
        // Where nothing is usual, any day is enough of a ratio: one spike would be a surge.
        let lone = rises && sum - highest - (usual - self.level) < phi * parameters.excess / tested;
        (z.abs() >= parameters.z && (sum - usual).abs() >= phi * parameters.excess && !lone).then_some(
            Difference { direction: if rises { Direction::Rise } else { Direction::Fall }, z, phi },
        )
    }

    /// What these days would have if each were like the same weekdays of the baseline.
    fn same_weekdays(&self, days: &[Day]) -> f64 {
        days.iter()
            .map(|&(day, _)| {
                let (sum, count) = self
                    .days
                    .iter()
                    .filter(|&&(other, _)| other % WEEK == day % WEEK)
                    .fold((0.0, 0), |(sum, count), &(_, value)| (sum + value, count + 1));
                if count == 0 { self.level } else { sum / f64::from(count) }
            })
            .sum()
    }

    /// How much more than a Poisson variable's the counts vary: those of the tested days around their mean, those
    /// of the baseline around theirs, those before it in blocks as long, so that neither a step nor a slow change
    /// counts as variation.
    fn overdispersion(&self, tested: &[Day]) -> f64 {
        self.earlier
            .rchunks(self.days.len().max(1))
            .chain([self.days])
            .map(Variation::of_history)
            .fold(Variation::around_mean(tested.iter().map(|&(_, count)| count)), Variation::and)
            .ratio()
            .max(1.0)
    }
}

/// How much counts vary: the sum of their squared distances from a mean, in units of it, and their degrees of
/// freedom.
#[derive(Clone, Copy, Debug)]
struct Variation {
    squares: f64,
    freedom: f64,
}

impl Variation {
    fn around_mean(counts: impl Iterator<Item = f64> + Clone) -> Self {
        let days = counts.clone().count() as f64;
        let mean = counts.clone().sum::<f64>() / days;
        let squares =
            if mean > 0.0 { counts.map(|count| (count - mean).powi(2)).sum::<f64>() / mean } else { 0.0 };
        Self { squares, freedom: (days - 1.0).max(0.0) }
    }

    /// Of days of history, the highest of which counts no more than twice the second: one spike does not hide all
    /// that comes after it.
    fn of_history(days: &[Day]) -> Self {
        let (highest, second) = days.iter().fold((0.0, 0.0), |(highest, second): (f64, f64), &(_, count)| {
            (highest.max(count), second.max(count.min(highest)))
        });
        let bound = highest.min(OUTLIER * second);
        Self::around_mean(days.iter().map(move |&(_, count)| count.min(bound)))
    }

    fn and(self, other: Self) -> Self {
        Self { squares: self.squares + other.squares, freedom: self.freedom + other.freedom }
    }

    fn ratio(self) -> f64 {
        if self.freedom > 0.0 { self.squares / self.freedom } else { 0.0 }
    }
}

pub(super) fn total(days: &[Day]) -> f64 {
    days.iter().map(|&(_, count)| count).sum()
}

/// The mean of these days without so many of the highest and of the lowest; of few days fewer are left out.
fn trimmed_mean(days: &[Day], trimmed: usize) -> f64 {
    let mut counts: Vec<f64> = days.iter().map(|&(_, count)| count).collect();
    counts.sort_by(f64::total_cmp);
    let trimmed = trimmed.min(counts.len().saturating_sub(1) / 2);
    let kept = &counts[trimmed..counts.len() - trimmed];
    if kept.is_empty() { 0.0 } else { kept.iter().sum::<f64>() / kept.len() as f64 }
}
