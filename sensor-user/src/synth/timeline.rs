//! A scenario day by day, in virtual time: when each frame comes, and how the time is cut into epochs.

use std::{collections::BTreeSet, ops::Range};

use rand_distr::{Distribution, Gamma, Poisson};

use super::{
    Made,
    maker::{Maker, Victim},
    plan::{Plan, PlannedDay},
    random::Random,
};
use crate::{geo::Tables, model::Region};

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE: i64 = 60;
/// Marks the number of an attack, where others are numbers of cells.
const ATTACK: u32 = 1 << 31;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame, at this time in nanoseconds since 1970.
    Frame { time_ns: i64, made: Made },
    /// The end of an epoch: all frames since the one before came in it. In nanoseconds since 1970.
    ///
    /// An epoch lies within an hour of the zone's clock, and is a minute long if there is backscatter of an
    /// attack in it, so that victims can be told.
    Epoch { start_ns: i64, end_ns: i64 },
}

/// Frames of a scenario in the order of their time.
#[derive(Debug)]
pub struct Timeline {
    maker: Maker,
    /// Decides when frames come and how many, so that their bytes do not.
    random: Random,
    /// The next day.
    next: usize,
    /// The day that is under way.
    day: Day,
    /// What is owed of each stream, and of each entry of backscatter, where nothing is left to chance.
    owed: Vec<f64>,
    silences: Vec<(usize, Range<i64>, f64)>,
    blinds: Vec<Range<i64>>,
    gaps: Vec<Range<i64>>,
    /// One in how many frames is made.
    sample: f64,
}

/// The frames of a day that are still to come.
#[derive(Debug, Default)]
struct Day {
    /// Its start in nanoseconds since 1970.
    start_ns: i64,
    /// By their time, of which the next one is the last.
    events: Vec<Event>,
    /// In seconds since 1970, the next one last.
    epochs: Vec<Range<i64>>,
    victims: Vec<Victim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    /// Nanoseconds since the day's start.
    at_ns: u64,
    what: u32,
}

impl Timeline {
    /// The frames of a plan, with sources that the country database knows.
    pub fn new(plan: Plan, seed: u64, geo: &Tables) -> Self {
        let mut random = Random::new(seed ^ 0x7465_6974_656e);
        let scenario = &plan.scenario;
        let owed = plan.streams.len() + scenario.backscatter.len();
        let owed = (0..owed).map(|_| random.fraction()).collect();
        let stretches = |entries: &[toml::Spanned<super::scenario::Stretch>]| {
            let entries = entries.iter().map(|entry| entry.get_ref());
            entries.map(|stretch| scenario.stretch(stretch.from, stretch.to)).collect()
        };
        let silences = scenario.silences.iter().filter_map(|entry| {
            let silence = entry.get_ref();
            let region = plan.regions.binary_search(&silence.region.0).ok()?;
            Some((region, scenario.stretch(silence.from, silence.to), silence.depth.0))
        });
        Self {
            random,
            next: 0,
            day: Day::default(),
            owed,
            silences: silences.collect(),
            blinds: stretches(&scenario.blinds),
            gaps: stretches(&scenario.gaps),
            sample: 1.0,
            maker: Maker::new(plan, seed, geo),
        }
    }

    /// Makes only one in so many frames, at least 1. Sources are as many as there would be for all frames.
    pub fn sampled(self, sample: u32) -> Self {
        Self { sample: sample.max(1).into(), ..self }
    }

    /// What is made.
    pub fn plan(&self) -> &Plan {
        &self.maker.plan
    }

    /// Regions of the scenario of which the country database knows no address: their packets come from
    /// anywhere.
    pub fn missing(&self) -> Vec<Region> {
        self.maker.sources.missing()
    }

    /// The day that [`Timeline::begin`] begins; `None` if there is none left.
    pub fn upcoming(&self) -> Option<&PlannedDay> {
        self.plan().days.get(self.next)
    }

    /// When the epoch begins that the next frame is in, in nanoseconds since 1970.
    pub fn epoch_ns(&self) -> Option<i64> {
        self.day.epochs.last().map(|epoch| epoch.start.saturating_mul(SECOND_NS as i64))
    }

    /// Begins the next day. What was left of the one before is left out.
    pub fn begin(&mut self) {
        let Some(day) = self.upcoming().cloned() else { return };
        let rates = self.maker.plan.rates(self.next);
        self.maker.begin(self.next, &rates);
        self.next += 1;
        self.day.start_ns = day.slot.start.saturating_mul(SECOND_NS as i64);
        self.day.events.clear();
        self.day.epochs.clear();
        self.day.victims.clear();
        if self.maker.plan.watches.get(day.watch).is_none_or(|watch| watch.sensors.is_none()) {
            return;
        }
        let day_ns = day.slot.seconds as u64 * SECOND_NS;
        self.add_cells(&rates, day_ns);
        let minutes = self.add_attacks(&day);
        self.day.events.sort_unstable_by(|a, b| b.cmp(a));
        self.cut(&day, &minutes);
    }

    /// The next frame, which takes the place of what `frame` holds, or the end of an epoch; `None` at the
    /// end of the day.
    pub fn step(&mut self, frame: &mut Vec<u8>) -> Option<Step> {
        loop {
            let epoch = self.day.epochs.last()?.clone();
            let end_ns = epoch.end.saturating_mul(SECOND_NS as i64);
            let next = self.day.events.last().copied();
            let next = next.map(|event| (event, self.day.start_ns + event.at_ns as i64));
            let Some((event, time_ns)) = next.filter(|(_, time_ns)| *time_ns < end_ns) else {
                self.day.epochs.pop();
                return Some(Step::Epoch { start_ns: epoch.start.saturating_mul(SECOND_NS as i64), end_ns });
            };
            self.day.events.pop();
            let second = time_ns.div_euclid(SECOND_NS as i64);
            // In a gap, if it is before the epoch.
            if second < epoch.start || self.blinds.iter().any(|blind| blind.contains(&second)) {
                continue;
            }
            if event.what & ATTACK != 0 {
                let victim = self.day.victims.get((event.what ^ ATTACK) as usize).copied();
                if let Some(victim) = victim {
                    return Some(Step::Frame { time_ns, made: self.maker.of_victim(victim, frame) });
                }
                continue;
            }
            let silences = &self.silences;
            let is_heard = |region: Option<usize>, number: u64| {
                // Of 2^16 parts.
                let part = (number >> 16 & 0xffff) as f64 / 65_536.0;
                silences.iter().all(|(silent, stretch, depth)| {
                    Some(*silent) != region || !stretch.contains(&second) || part >= *depth
                })
            };
            if let Some(made) = self.maker.of_cell(event.what as usize, frame, is_heard) {
                return Some(Step::Frame { time_ns, made });
            }
        }
    }

    /// Decides when the frames of all cells come.
    fn add_cells(&mut self, rates: &[f64], day_ns: u64) {
        let (random, events) = (&mut self.random, &mut self.day.events);
        for (stream, owed) in self.maker.plan.streams.iter().zip(&mut self.owed) {
            let cells = rates.get(stream.cells.clone()).unwrap_or_default();
            let expected: f64 = cells.iter().sum();
            if expected <= 0.0 {
                continue;
            }
            if stream.overdispersion == 0.0 {
                // The sum is exact; cells have their part rounded up or down, by chance without bias.
                let count = whole(expected / self.sample, owed) as f64;
                let phase = random.fraction();
                let (mut sum, mut before) = (0.0, 0.0);
                for (cell, rate) in stream.cells.clone().zip(cells) {
                    sum += rate;
                    let until = (sum / expected * count + phase).floor().min(count);
                    let packets = (until - before).max(0.0) as u64;
                    before = until.max(before);
                    let share = day_ns / packets.max(1);
                    events.extend((0..packets).map(|number| Event {
                        at_ns: number * share + random.below(share),
                        what: cell as u32,
                    }));
                }
            } else {
                let factor = overdispersed(expected, stream.overdispersion, random);
                for (cell, rate) in stream.cells.clone().zip(cells) {
                    let packets = poisson(rate * factor / self.sample, random);
                    events.extend(
                        (0..packets).map(|_| Event { at_ns: random.below(day_ns), what: cell as u32 }),
                    );
                }
            }
        }
    }

    /// Decides on attacks and their backscatter. Gives the minutes that have any, in seconds since 1970.
    fn add_attacks(&mut self, day: &PlannedDay) -> BTreeSet<i64> {
        let mut minutes = BTreeSet::new();
        let is_exact = self.maker.plan.scenario.overdispersion.0 == 0.0;
        let first = day.slot.start.div_euclid(MINUTE);
        let in_day = day.slot.end().div_euclid(MINUTE) - first;
        let streams = self.maker.plan.streams.len();
        let entries = self.maker.plan.scenario.backscatter.iter().map(|entry| entry.get_ref());
        let entries: Vec<_> =
            entries.map(|entry| (entry.attacks.0, entry.minutes, entry.rate.0 / self.sample)).collect();
        for (number, ((attacks, length, rate), owed)) in
            entries.into_iter().zip(self.owed.iter_mut().skip(streams)).enumerate()
        {
            let attacks = if is_exact { whole(attacks, owed) } else { poisson(attacks, &mut self.random) };
            for _ in 0..attacks {
                let family = self.maker.family();
                let Some(victim) = self.maker.victim(number, family) else { continue };
                let begin = first + self.random.below((in_day - i64::from(length)).max(0) as u64 + 1) as i64;
                let mut owed = self.random.fraction();
                for minute in begin..begin + i64::from(length).min(in_day) {
                    let start = minute * MINUTE;
                    let packets =
                        if is_exact { whole(rate, &mut owed) } else { poisson(rate, &mut self.random) };
                    if packets == 0 || start < day.slot.start || start + MINUTE > day.slot.end() {
                        continue;
                    }
                    minutes.insert(start);
                    let start_ns = (start - day.slot.start) as u64 * SECOND_NS;
                    let what = ATTACK | self.day.victims.len() as u32;
                    let random = &mut self.random;
                    let at = |_| Event { at_ns: start_ns + random.below(MINUTE as u64 * SECOND_NS), what };
                    self.day.events.extend((0..packets).map(at));
                }
                self.day.victims.push(victim);
            }
        }
        minutes
    }

    /// Cuts a day into epochs: by hours, minutes with backscatter of attacks, and gaps.
    fn cut(&mut self, day: &PlannedDay, minutes: &BTreeSet<i64>) {
        let zone = &self.maker.plan.scenario.zone;
        let mut ends: BTreeSet<i64> = minutes.iter().flat_map(|&minute| [minute, minute + MINUTE]).collect();
        let of_gaps = self.gaps.iter().flat_map(|gap| [gap.start, gap.end]);
        ends.extend(of_gaps.filter(|end| (day.slot.start..day.slot.end()).contains(end)));
        let mut start = day.slot.start;
        while start < day.slot.end() {
            start = zone.hour_of(start).end();
            ends.insert(start);
        }
        let mut start = day.slot.start;
        for end in ends.range(start + 1..=day.slot.end()) {
            if !self.gaps.iter().any(|gap| gap.contains(&start)) {
                self.day.epochs.push(start..*end);
            }
            start = *end;
        }
        self.day.epochs.reverse();
    }
}

/// A whole number for what is owed, of which the rest stays.
fn whole(more: f64, owed: &mut f64) -> u64 {
    *owed += more;
    let whole = owed.floor();
    *owed -= whole;
    whole as u64
}

fn poisson(mean: f64, random: &mut Random) -> u64 {
    // No mean is beyond what a plan allows; 0 has no distribution.
    Poisson::new(mean).map_or(0, |poisson| poisson.sample(random) as u64)
}

/// A factor of mean 1 that gives a Poisson count of this mean so many times its variance.
fn overdispersed(mean: f64, times: f64, random: &mut Random) -> f64 {
    let shape = mean / (times - 1.0);
    if !shape.is_finite() {
        return 1.0;
    }
    Gamma::new(shape, 1.0 / shape).map_or(1.0, |gamma| gamma.sample(random))
}
