//! From day to day through a series: what is usual, what begins, what goes on, what ends.

use super::{
    Direction, End, Found, Parameters, Verdict,
    statistic::{Baseline, Day, Difference, total},
};

/// Surges and falls of a series of counts a day, of which `from` is the first day of the period; those before are
/// history. `None` is a day that does not count.
///
/// The whole series is gone through; only what reaches into the period is returned, with an onset before it if it
/// began there.
#[must_use]
pub fn find(days: &[Option<f64>], from: usize, parameters: &Parameters) -> Verdict {
    let days: Vec<Day> = days
        .iter()
        .enumerate()
        .filter_map(|(index, day)| Some((index, day.filter(|count| count.is_finite() && *count >= 0.0)?)))
        .collect();
    let mut scan = Scan::new(&days, parameters);
    let mut testable = false;
    for position in 0..days.len() {
        let tested = scan.day(position);
        testable |= tested && days[position].0 >= from;
    }
    scan.close();
    if testable { Verdict::Tested(scan.found(from)) } else { Verdict::NotTestable }
}

/// Days that differ from what was usual. Positions are in the list of valid days.
#[derive(Clone, Debug)]
struct Run {
    direction: Direction,
    onset: usize,
    found: usize,
    last: usize,
    end: End,
    /// The frozen baseline's mean.
    base: f64,
    /// The highest mean of so many days running as are tested together; of a fall the lowest.
    extreme: f64,
    /// From where its days are counted that make it a new level.
    since: usize,
    difference: Difference,
    /// What was usual before it.
    history: Vec<Day>,
}

impl Run {
    /// Whether a count is nearer to what was usual before than to the run's extreme, by its logarithm. Below one a
    /// day all is alike, or what came from nothing would never end.
    fn returned(&self, count: f64) -> bool {
        let turn = (self.base.max(1.0) * self.extreme.max(1.0)).sqrt();
        match self.direction {
            Direction::Rise => count < turn,
            Direction::Fall => count > turn,
        }
    }

    /// Whether a count is, besides, too near to what was usual for a run of its own: the tail of a high peak
    /// belongs to it.
    fn is_over(&self, count: f64, parameters: &Parameters) -> bool {
        let usual = self.base.max(1.0);
        self.returned(count)
            && match self.direction {
                Direction::Rise => count < usual * parameters.ratio,
                Direction::Fall => count > usual / parameters.ratio,
            }
    }

    fn include(&mut self, mean: f64) {
        self.extreme = match self.direction {
            Direction::Rise => self.extreme.max(mean),
            Direction::Fall => self.extreme.min(mean),
        };
    }

    /// How far it went, as a factor's logarithm.
    fn extent(&self, days: &[Day]) -> f64 {
        let days = &days[self.onset..=self.last];
        ((total(days) / days.len() as f64).max(1.0) / self.base.max(1.0)).ln().abs()
    }
}

struct Scan<'a> {
    parameters: &'a Parameters,
    days: &'a [Day],
    /// Days that are tested together.
    together: usize,
    /// The days of no run, up to now: what is usual.
    usual: Vec<Day>,
    /// So many of them, at the end, came after the last run.
    fresh: usize,
    run: Option<Run>,
    past: Vec<Run>,
    /// Those of the past that became the usual level and have not ended since.
    levels: Vec<usize>,
}

impl<'a> Scan<'a> {
    fn new(days: &'a [Day], parameters: &'a Parameters) -> Self {
        Self {
            parameters,
            days,
            together: parameters.days.max(1),
            usual: Vec::new(),
            fresh: 0,
            run: None,
            past: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// Takes the next day; returns whether it was tested, or belongs to a run.
    fn day(&mut self, position: usize) -> bool {
        let Some(mut run) = self.run.take() else {
            self.usual.push(self.days[position]);
            self.fresh += 1;
            return self.test(position);
        };
        run.last = position;
        let together = self.days[run.onset..=position].len().min(self.together);
        let latest = &self.days[position + 1 - together..=position];
        run.include(total(latest) / together as f64);
        if self.end_levels(run.direction, run.onset, position) {
            // It only takes an earlier run's level back.
            self.test(position);
        } else if position >= run.found + self.together
            && latest.iter().all(|&(_, count)| run.is_over(count, self.parameters))
        {
            run.last = position - self.together;
            run.end = End::Ended;
            self.resume(run.history.clone(), position + 1 - self.together, position);
            self.past.push(run);
            self.test(position);
        } else if position + 1 - run.since >= self.parameters.new_level.max(self.together) {
            run.end = End::NewLevel;
            self.usual = self.days[run.since..=position].to_vec();
            self.fresh = 0;
            self.levels.push(self.past.len());
            self.past.push(run);
        } else {
            self.run = Some(run);
        }
        true
    }

    /// Tests the latest days, of which `position` is the last; returns whether there were enough before them.
    fn test(&mut self, position: usize) -> bool {
        if self.fresh < self.together {
            return false;
        }
        let (history, tested) = self.usual.split_at(self.usual.len() - self.together);
        if history.len() < self.parameters.least_history.max(1) {
            return false;
        }
        let Some(difference) = Baseline::of(history, self.parameters).differ(tested, self.parameters) else {
            return true;
        };
        let after = self.after_onset(difference.direction);
        // The days of no run since the last one are all that followed it.
        let onset = position + 1 - after;
        if self.end_levels(difference.direction, onset, position) {
            // With what was usual before that level: it may have gone beyond.
            return self.test(position);
        }
        self.usual.truncate(self.usual.len() - after);
        let history = std::mem::take(&mut self.usual);
        self.fresh = 0;
        let continued = self.levels.last().copied().filter(|&level| {
            level + 1 == self.past.len()
                && self.past[level].direction == difference.direction
                && onset <= self.past[level].last + self.together
        });
        let mut run = match continued.and_then(|_| {
            self.levels.pop();
            self.past.pop()
        }) {
            Some(run) => Run { since: onset, end: End::Continuing, ..run },
            None => Run {
                direction: difference.direction,
                onset,
                found: position,
                last: position,
                end: End::Continuing,
                base: Baseline::of(&history, self.parameters).level,
                extreme: match difference.direction {
                    Direction::Rise => 0.0,
                    Direction::Fall => f64::INFINITY,
                },
                since: onset,
                difference,
                history,
            },
        };
        run.last = position;
        run.include(total(&self.days[position + 1 - self.together..=position]) / self.together as f64);
        self.run = Some(run);
        true
    }

    /// How many of the latest days belong to what the last ones show: the most likely step of a Poisson mean.
    ///
    /// Counts beyond those of the tested days are taken as these, so that a lone spike is no step.
    fn after_onset(&self, direction: Direction) -> usize {
        let parameters = self.parameters;
        let window = &self.usual[self.usual.len().saturating_sub(parameters.baseline + self.together)..];
        let tested = &window[window.len() - self.together..];
        let bound = match direction {
            Direction::Rise => tested.iter().map(|&(_, count)| count).fold(0.0, f64::max),
            Direction::Fall => tested.iter().map(|&(_, count)| count).fold(f64::INFINITY, f64::min),
        };
        let counts: Vec<f64> = window
            .iter()
            .map(|&(_, count)| match direction {
                Direction::Rise => count.min(bound),
                Direction::Fall => count.max(bound),
            })
            .collect();
        let all: f64 = counts.iter().sum();
        let term = |sum: f64, days: usize| if sum > 0.0 { sum * (sum / days as f64).ln() } else { 0.0 };
        let most =
            self.fresh.min(window.len() - parameters.least_history.clamp(1, window.len() - self.together));
        let mut best = (f64::NEG_INFINITY, self.together);
        let mut sum = 0.0;
        for after in 1..=most {
            sum += counts[counts.len() - after];
            let before = counts.len() - after;
            let rises = sum / after as f64 > (all - sum) / before as f64;
            let likelihood = term(sum, after) + term(all - sum, before);
            if rises == (direction == Direction::Rise) && likelihood > best.0 {
                best = (likelihood, after);
            }
        }
        best.1
    }

    /// Ends those past runs whose level, usual by now, a change in this direction takes back; returns whether
    /// there was one.
    fn end_levels(&mut self, direction: Direction, onset: usize, position: usize) -> bool {
        let latest = &self.days[position + 1 - self.together..=position];
        let mean = total(latest) / latest.len() as f64;
        let ended = self.levels.iter().position(|&level| {
            let run = &self.past[level];
            run.direction != direction && run.returned(mean)
        });
        let Some(ended) = ended else { return false };
        let lowest = self.levels[ended];
        for level in self.levels.drain(ended..) {
            let run = &mut self.past[level];
            if run.direction != direction {
                run.last = onset - 1;
                run.end = End::Ended;
            }
        }
        let history = self.past[lowest].history.clone();
        self.resume(history, onset, position);
        true
    }

    /// Goes on with what was usual once, and the days from `first` to `last`.
    fn resume(&mut self, history: Vec<Day>, first: usize, last: usize) {
        self.usual = history;
        self.usual.extend_from_slice(&self.days[first..=last]);
        self.fresh = last + 1 - first;
    }

    fn close(&mut self) {
        self.past.extend(self.run.take());
    }

    /// What reaches into the period.
    fn found(&self, from: usize) -> Vec<Found> {
        self.past
            .iter()
            .enumerate()
            .filter(|&(index, run)| self.days[run.last].0 >= from && !self.overshoots(index))
            .map(|(_, run)| {
                let days = &self.days[run.onset..=run.last];
                let by_count = |a: &&Day, b: &&Day| a.1.total_cmp(&b.1);
                let peak = match run.direction {
                    // Of equal days the first.
                    Direction::Rise => days.iter().rev().max_by(by_count),
                    Direction::Fall => days.iter().min_by(by_count),
                };
                Found {
                    direction: run.direction,
                    onset: self.days[run.onset].0,
                    found: self.days[run.found].0,
                    last: self.days[run.last].0,
                    end: run.end,
                    peak: peak.map_or(self.days[run.onset].0, |&(day, _)| day),
                    before: run.base,
                    since: total(days) / days.len() as f64,
                    z: run.difference.z,
                    phi: run.difference.phi,
                }
            })
            .collect()
    }

    /// Whether a run is only the far swing of the return from the one before it: in the other direction, at once,
    /// and no further.
    fn overshoots(&self, index: usize) -> bool {
        let run = &self.past[index];
        let Some(before) = index.checked_sub(1).map(|before| &self.past[before]) else { return false };
        before.direction != run.direction
            && before.end == End::Ended
            && run.onset <= before.last + self.together
            && run.extent(self.days) <= before.extent(self.days)
    }
}
