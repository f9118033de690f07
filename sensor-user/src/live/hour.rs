//! The last hour of a running agent, by slots of five minutes.

use std::collections::VecDeque;

use hashbrown::HashMap;
use sensor_common::kind::Family;

use super::{Interval, Totals};
use crate::{
    cube::SourceLengths,
    model::{Class, Region},
    sketch::{Scope, Sketch, SketchKey},
};

/// Nanoseconds of an hour.
const HOUR_NS: u64 = 3_600_000_000_000;
/// Length of a slot, in nanoseconds.
const SLOT_NS: u64 = 300_000_000_000;
/// Shortest length of a point, in nanoseconds: an hour has at most 720 of them.
const POINT_NS: u64 = 5_000_000_000;

/// Sources of scans by region and family.
#[derive(Clone, Debug)]
pub struct Sources {
    key: SketchKey,
    scopes: [Scope; 2],
    sketches: HashMap<(Region, Family), Sketch>,
}

impl Sources {
    /// None yet.
    pub fn new(key: SketchKey, lengths: SourceLengths) -> Self {
        let scopes = [Scope::new(&key, Family::V4, lengths.v4), Scope::new(&key, Family::V6, lengths.v6)];
        Self { key, scopes, sketches: HashMap::new() }
    }

    fn empty(&self) -> Self {
        Self { sketches: HashMap::new(), ..self.clone() }
    }

    /// Adds a source as it stands in a key.
    pub fn insert(&mut self, region: Region, family: Family, source: u64) {
        let scope = self.scopes[family as usize];
        let sketch = self.sketches.entry((region, family)).or_insert_with(|| Sketch::new(scope));
        sketch.insert(self.key.hash(source));
    }

    fn merge(&mut self, other: &Self) {
        for (&key, sketch) in &other.sketches {
            let sum = self.sketches.entry(key).or_insert_with(|| Sketch::new(sketch.scope()));
            // All are of this agent's key and lengths.
            let _ = sum.merge(sketch);
        }
    }

    /// Estimate of how many sources a region has.
    fn of(&self, region: Region) -> u64 {
        let families = [Family::V4, Family::V6].into_iter();
        let estimates = families.filter_map(|family| Some(self.sketches.get(&(region, family))?.estimate()));
        estimates.map(|estimate| estimate.round() as u64).sum()
    }
}

/// Packets by class between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Start, in nanoseconds since 1970 (UTC).
    pub start_ns: u64,
    /// End, in nanoseconds since 1970 (UTC).
    pub end_ns: u64,
    /// Packets by class, in the order of [`Class::ALL`].
    pub packets: [u64; Class::ALL.len()],
}

/// What was counted in a slot, or in all of them.
struct Window {
    totals: Totals,
    sources: Sources,
}

impl Window {
    fn new(sources: Sources) -> Self {
        Self { totals: Totals::default(), sources }
    }

    fn add(&mut self, totals: &Totals, sources: &Sources) {
        self.totals.add(totals);
        self.sources.merge(sources);
    }
}

struct Slot {
    /// A multiple of [`SLOT_NS`].
    start_ns: u64,
    /// Start of its first interval.
    from_ns: u64,
    counts: Window,
}

/// The last hour. It begins with the slot that holds the moment an hour ago, or is younger: it is at
/// most an hour long, and more than 55 minutes.
///
/// An interval belongs to the slot that it starts in, as a whole. Exact, and bounded: at most 13 times
/// what [`Totals`] can hold.
pub struct Hour {
    /// Sources of the interval that is open.
    open: Sources,
    /// The oldest first.
    slots: VecDeque<Slot>,
    /// The sum of all slots.
    sum: Window,
    points: VecDeque<Point>,
}

impl Hour {
    /// Nothing yet. `sources`: an empty set.
    pub fn new(sources: Sources) -> Self {
        let sum = Window::new(sources.empty());
        Self { open: sources, slots: VecDeque::new(), sum, points: VecDeque::new() }
    }

    /// The sources of the interval that is open.
    pub fn sources(&mut self) -> &mut Sources {
        &mut self.open
    }

    /// Takes in an interval that is over.
    pub fn close(&mut self, interval: &Interval) {
        let empty = self.open.empty();
        let open = std::mem::replace(&mut self.open, empty.clone());
        let (start_ns, end_ns) = (interval.start_ns, interval.end_ns);
        let slot_ns = start_ns - start_ns % SLOT_NS;
        let before = self.slots.len();
        // What a clock that was set back calls the future is no part of the last hour.
        self.slots.retain(|slot| slot.start_ns <= end_ns);
        self.points.retain(|point| point.start_ns <= end_ns);
        let is_new = self.slots.len() < before;
        // Set back by less, it goes on in the newest slot.
        if self.slots.back().is_none_or(|newest| newest.start_ns < slot_ns) {
            let counts = Window::new(empty.clone());
            self.slots.push_back(Slot { start_ns: slot_ns, from_ns: start_ns, counts });
        }
        if let Some(newest) = self.slots.back_mut() {
            newest.counts.add(&interval.totals, &open);
        }
        let before = self.slots.len();
        let oldest_ns = end_ns.saturating_sub(HOUR_NS);
        while self.slots.len() > 1 && self.slots.front().is_some_and(|slot| slot.start_ns < oldest_ns) {
            self.slots.pop_front();
        }
        if self.slots.len() == before && !is_new {
            self.sum.add(&interval.totals, &open);
        } else {
            self.sum = Window::new(empty);
            for slot in &self.slots {
                self.sum.add(&slot.counts.totals, &slot.counts.sources);
            }
        }
        self.add_point(interval);
    }

    fn add_point(&mut self, interval: &Interval) {
        let (start_ns, end_ns) = (interval.start_ns, interval.end_ns);
        let packets = Class::ALL.map(|class| interval.totals.of_class(class));
        match self.points.back_mut() {
            Some(last) if last.end_ns == start_ns && last.start_ns / POINT_NS == start_ns / POINT_NS => {
                last.end_ns = end_ns;
                for (sum, more) in last.packets.iter_mut().zip(packets) {
                    *sum += more;
                }
            }
            _ => self.points.push_back(Point { start_ns, end_ns, packets }),
        }
        let oldest_ns = end_ns.saturating_sub(HOUR_NS);
        while self.points.len() > 1 && self.points.front().is_some_and(|point| point.start_ns < oldest_ns) {
            self.points.pop_front();
        }
    }

    /// Start of what it holds, in nanoseconds since 1970 (UTC); `None` before the first interval.
    pub fn from_ns(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.from_ns)
    }

    /// The sum of the hour.
    pub fn totals(&self) -> &Totals {
        &self.sum.totals
    }

    /// Estimate of how many sources of scans a region had in the hour.
    pub fn sources_of(&self, region: Region) -> u64 {
        self.sum.sources.of(region)
    }

    /// Starts of the slots, in nanoseconds since 1970 (UTC), and what was counted in them; the oldest first.
    pub fn slots(&self) -> impl Iterator<Item = (u64, &Totals)> {
        self.slots.iter().map(|slot| (slot.start_ns, &slot.counts.totals))
    }

    /// Packets by class in the course of the hour, the oldest first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::kind::Kind;

    use super::*;
    use crate::model::{Protocol, Service};

    const SECOND_NS: u64 = 1_000_000_000;
    const TELNET: Service = Service { protocol: Protocol::Tcp, number: 23 };

    fn hour() -> Hour {
        Hour::new(Sources::new(SketchKey::new([7; 16]), SourceLengths { v4: 32, v6: 64 }))
    }

    /// An interval of ten seconds with this many packets to 23/tcp.
    fn interval(start_s: u64, packets: u64) -> Interval {
        let mut totals = Totals::default();
        totals.services.insert(TELNET, packets);
        totals.classes.insert((Some(Class::Scan), Kind::Syn), packets);
        Interval {
            start_ns: start_s * SECOND_NS,
            end_ns: (start_s + 10) * SECOND_NS,
            totals,
            rows: Vec::new(),
            cut: 0,
            mismatches: Vec::new(),
        }
    }

    fn region(code: &str) -> Region {
        Region::from_code(code).unwrap()
    }

    #[test]
    fn it_is_the_sum_of_its_slots_and_at_most_an_hour() {
        let mut hour = hour();
        assert_eq!((hour.from_ns(), hour.points().count()), (None, 0));
        // Two hours and a half, from a moment that is no multiple of a slot on.
        for n in 0..900 {
            let start_s = 1_000_000 + 10 * n;
            hour.sources().insert(region("CN"), Family::V4, n % 50);
            hour.close(&interval(start_s, n));
            let end_ns = (start_s + 10) * SECOND_NS;
            let sum: u64 = hour.slots().map(|(_, totals)| totals.services[&TELNET]).sum();
            assert_eq!(hour.totals().services[&TELNET], sum);
            let seconds = (end_ns - hour.from_ns().unwrap()) / SECOND_NS;
            assert!(seconds <= 3600 && (n < 360 || seconds > 3300), "{seconds} s after {n} intervals");
            assert!(hour.slots().count() <= 13);
        }
        // All that was counted since the oldest slot began.
        let first = (hour.from_ns().unwrap() / SECOND_NS - 1_000_000) / 10;
        assert_eq!(hour.totals().services[&TELNET], (first..900).sum::<u64>());
        assert_eq!(hour.points().count(), 360);
        assert_eq!(hour.sources_of(region("CN")), 50, "sources are told apart over all slots");
        assert_eq!(hour.sources_of(region("JP")), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_no_future() {
        let mut hour = hour();
        // Nine hours ahead for a while, then right.
        for n in 0..30 {
            hour.close(&interval(1_032_400 + 10 * n, 5));
        }
        for n in 0..900 {
            hour.sources().insert(region("CN"), Family::V4, 1);
            hour.close(&interval(1_000_000 + 10 * n, 1));
            assert!(hour.totals().services[&TELNET] <= n + 1);
            assert!(hour.slots().all(|(start_ns, _)| start_ns <= (1_000_010 + 10 * n) * SECOND_NS));
        }
        let sum: u64 = hour.slots().map(|(_, totals)| totals.services[&TELNET]).sum();
        assert_eq!(hour.totals().services[&TELNET], sum);
        assert!(sum <= 360 && hour.points().count() == 360, "{sum}");
        assert_eq!(hour.sources_of(region("CN")), 1);
    }

    #[test]
    fn sources_are_forgotten_with_their_slot() {
        let mut hour = hour();
        hour.sources().insert(region("CN"), Family::V4, 1);
        hour.sources().insert(region("CN"), Family::V6, 1);
        hour.close(&interval(0, 1));
        assert_eq!(hour.sources_of(region("CN")), 2, "families are counted apart");
        hour.close(&interval(3590, 1));
        assert_eq!(hour.sources_of(region("CN")), 2);
        hour.close(&interval(3600, 1));
        assert_eq!(hour.sources_of(region("CN")), 0);
        assert_eq!(hour.totals().services[&TELNET], 2);
    }

    #[test]
    fn short_intervals_share_a_point_and_gaps_do_not() {
        let mut hour = hour();
        let mut short = |start_ms: u64, end_ms: u64| {
            let start_ns = start_ms * 1_000_000;
            hour.close(&Interval { start_ns, end_ns: end_ms * 1_000_000, ..interval(0, 3) });
            hour.points().map(|point| (point.start_ns / 1_000_000, point.packets[0])).collect::<Vec<_>>()
        };
        assert_eq!(short(1000, 1100), [(1000, 3)]);
        assert_eq!(short(1100, 1200), [(1000, 6)]);
        // Nobody counted for a while.
        assert_eq!(short(2000, 2100), [(1000, 6), (2000, 3)]);
        assert_eq!(short(5000, 5100), [(1000, 6), (2000, 3), (5000, 3)]);
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_loses_nothing() {
        let mut hour = hour();
        hour.close(&interval(100_150, 5));
        hour.close(&interval(100_110, 7));
        assert_eq!(hour.totals().services[&TELNET], 12);
    }

    #[test]
    fn an_interval_longer_than_an_hour_stays_whole() {
        let mut hour = hour();
        hour.close(&Interval { end_ns: 86_400 * SECOND_NS, ..interval(0, 5) });
        assert_eq!((hour.totals().services[&TELNET], hour.points().count()), (5, 1));
    }
}
