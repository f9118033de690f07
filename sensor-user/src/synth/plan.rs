//! What a scenario wants of each day: expected packets of every cell, before chance has a say.
//!
//! A *stream* is something that is asked for (a service, a surge, a survey, a kind of noise); a *cell* is
//! its part from one region. A *pool* is the sources of a crowd in one region.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use jiff::civil::{Date, Weekday};

use super::{
    Shape,
    random::mixed,
    scenario::{Amount, Crowd, Level, Mix, Moment, Noise, Scenario, ServiceEntry, Surge, Target, Tools},
};
use crate::model::{Region, Sensor, Sensors, Slot};

/// Cells of a plan at most.
const MOST_CELLS: usize = 200_000;
/// Frames of a day at most: the times of a day's frames are in memory.
const MOST_A_DAY: f64 = 10e6;

/// Why there is nothing that could be made of a scenario.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("traffic is made for watched prefixes, and there are none: name `sensors` in the scenario, or use --sensor")]
    NothingWatched,
    #[error("the scenario has no packets: write at least one [[service]]")]
    Nothing,
    #[error("services and regions of the scenario make {0} pairs; {MOST_CELLS} are the most: leave some out")]
    TooManyCells(usize),
    #[error(
        "{packets:.0} packets on {date}: no more than 10 million a day can be made; watch fewer addresses or \
         lower `packets`"
    )]
    TooMany { date: Date, packets: f64 },
}

/// A day of the scenario.
#[derive(Clone, Debug)]
pub struct PlannedDay {
    pub date: Date,
    /// Its seconds since 1970.
    pub slot: Slot,
    /// Index of the sensors that watch.
    pub watch: usize,
}

/// Sensors that watch at the same time.
#[derive(Clone, Debug)]
pub struct WatchSet {
    /// `None`: nobody watches.
    pub sensors: Option<Sensors>,
    /// Addresses, each by its sensor's activity; a sensor without IPv4 counts as one.
    pub addresses: f64,
    /// Weight of each sensor's addresses.
    pub weights: Vec<f64>,
}

/// What a stream's frames are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Make {
    Scan(Target, Tools),
    /// One of so many ports of a survey, and the number that decides which they are.
    Survey(u16, u64, Tools),
    Noise(Shape),
}

/// How much a stream has.
#[derive(Clone, Debug)]
enum Volume {
    /// Packets a day and address.
    Own(f64, Curve),
    /// For each packet of the scans.
    OfScans(f64),
    /// Packets more, a day and address.
    More(f64, Rise),
    /// So many times what these cells have, more.
    Times(Vec<usize>, f64, Rise),
}

/// A factor by days.
#[derive(Clone, Debug, Default)]
struct Curve(Vec<Level>);

/// From 0 to 1, and back at once.
#[derive(Clone, Copy, Debug)]
struct Rise {
    from: Date,
    to: Date,
    over: u16,
}

#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub make: Make,
    volume: Volume,
    /// Variance of its packets a day over their mean; 0: as expected, exactly.
    pub overdispersion: f64,
    /// Its cells.
    pub cells: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub stream: usize,
    pub pool: usize,
    /// Its part of the stream, which the parts of a stream make 1 of.
    share: f64,
    /// Index of the region; `None`: from anywhere.
    pub region: Option<usize>,
}

/// Sources of one crowd in one region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub region: Option<usize>,
    /// Packets a day of each that shows.
    each: f64,
    /// Days for which a source stays.
    pub stay: u32,
    /// They are in so many /24 (/48); 0: anywhere in the region.
    pub prefixes: u16,
    /// Tells it from other pools.
    pub salt: u64,
}

/// What is to be made.
#[derive(Debug)]
pub struct Plan {
    pub scenario: Scenario,
    pub days: Vec<PlannedDay>,
    pub watches: Vec<WatchSet>,
    pub regions: Vec<Region>,
    curves: Vec<Curve>,
    pub(super) streams: Vec<Stream>,
    pub(super) cells: Vec<Cell>,
    pub(super) pools: Vec<Pool>,
}

/// What a plan expects of a time: packets that arrive.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub scans: f64,
    pub services: BTreeMap<Target, f64>,
    pub regions: BTreeMap<Region, f64>,
    pub pairs: BTreeMap<(Target, Region), f64>,
    /// Packets that are no scans, without backscatter.
    pub noise: f64,
    pub backscatter: f64,
}

impl Curve {
    /// The factor of a day.
    fn at(&self, date: Date) -> f64 {
        self.0.iter().take_while(|level| level.from.0 <= date).fold(1.0, |before, level| {
            before + (level.factor.0 - before) * ramp(days_between(level.from.0, date), level.over)
        })
    }
}

impl Rise {
    fn at(self, date: Date) -> f64 {
        if (self.from..=self.to).contains(&date) { ramp(days_between(self.from, date), self.over) } else { 0.0 }
    }
}

fn days_between(from: Date, to: Date) -> f64 {
    to.since(from).map_or(0.0, |span| f64::from(span.get_days()))
}

/// How much of a ramp is done on its day of this number, from 0.
fn ramp(day: f64, over: u16) -> f64 {
    ((day + 1.0) / f64::from(over.max(1))).min(1.0)
}

impl Plan {
    /// Plans a scenario.
    ///
    /// # Errors
    ///
    /// If there is nobody to send to, nothing to send, or too much.
    pub fn new(scenario: Scenario) -> Result<Self, PlanError> {
        let mut plan = Self {
            days: Vec::new(),
            watches: Vec::new(),
            regions: Vec::new(),
            curves: Vec::new(),
            streams: Vec::new(),
            cells: Vec::new(),
            pools: Vec::new(),
            scenario,
        };
        plan.add_days();
        if plan.watches.iter().all(|watch| watch.sensors.is_none()) {
            return Err(PlanError::NothingWatched);
        }
        plan.add_regions();
        Streams::new(&mut plan).add_all();
        if plan.cells.len() > MOST_CELLS {
            return Err(PlanError::TooManyCells(plan.cells.len()));
        }
        let mut packets = 0.0;
        for day in 0..plan.days.len() {
            let expected = plan.rates(day).iter().sum::<f64>() + plan.backscatter();
            packets += expected;
            if let Some(day) = plan.days.get(day).filter(|_| expected > MOST_A_DAY) {
                return Err(PlanError::TooMany { date: day.date, packets: expected });
            }
        }
        if packets <= 0.0 {
            return Err(PlanError::Nothing);
        }
        Ok(plan)
    }

    fn add_days(&mut self) {
        let scenario = &self.scenario;
        let mut date = scenario.from.0;
        let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
        loop {
            let slot = scenario.zone.day_of(scenario.stretch(Moment::Day(date), Moment::Day(date)).start);
            let active = scenario.watched().enumerate().filter(|(_, (_, from, to, _))| (*from..=*to).contains(&date));
            let active: Vec<_> = active.map(|(at, (sensor, _, _, activity))| (at, sensor, activity)).collect();
            let key = active.iter().map(|(at, ..)| *at).collect();
            let watch = *known.entry(key).or_insert_with(|| {
                self.watches.push(WatchSet::of(&active.iter().map(|(_, sensor, a)| (*sensor, *a)).collect::<Vec<_>>()));
                self.watches.len() - 1
            });
            // Days that the clock skipped are none.
            if self.days.last().is_none_or(|last| last.slot != slot) {
                self.days.push(PlannedDay { date, slot, watch });
            }
            match date.tomorrow() {
                Ok(next) if next <= scenario.to.get_ref().0 => date = next,
                _ => break,
            }
        }
    }

    fn add_regions(&mut self) {
        let scenario = &self.scenario;
        let services = scenario.services.iter().map(|entry| &entry.get_ref().regions);
        let crowds = scenario.crowds.values().map(|crowd| &crowd.get_ref().regions);
        let surges = scenario.surges.iter().map(|entry| &entry.get_ref().regions);
        let victims = scenario.backscatter.iter().map(|entry| &entry.get_ref().regions);
        let mixes = [&scenario.regions].into_iter().chain(services).chain(crowds).chain(surges).chain(victims);
        let of_surges = scenario.surges.iter().filter_map(|entry| entry.get_ref().region);
        let of_surveys = scenario.surveys.iter().map(|entry| entry.get_ref().region);
        let codes = mixes.flat_map(|mix| mix.0.keys().copied()).chain(of_surges).chain(of_surveys);
        let mut regions: Vec<Region> = codes.map(|code| code.0).collect();
        regions.sort_unstable();
        regions.dedup();
        self.curves = regions
            .iter()
            .map(|region| {
                let entries = scenario.levels.iter().filter(|entry| entry.get_ref().code.0 == *region);
                let mut levels: Vec<Level> = entries.flat_map(|entry| entry.get_ref().levels.clone()).collect();
                levels.sort_by_key(|level| level.from);
                Curve(levels)
            })
            .collect();
        self.regions = regions;
    }

    /// Packets of backscatter that are expected a day.
    pub(super) fn backscatter(&self) -> f64 {
        let attacks = self.scenario.backscatter.iter().map(|entry| entry.get_ref());
        attacks.map(|attack| attack.attacks.0 * f64::from(attack.minutes) * attack.rate.0).sum()
    }

    /// Packets of every cell that are expected on a day, by its index, if all of them arrive.
    pub(super) fn rates(&self, day: usize) -> Vec<f64> {
        let mut rates = vec![0.0; self.cells.len()];
        let Some((day, watch)) = self.days.get(day).and_then(|day| Some((day, self.watches.get(day.watch)?)))
        else {
            return rates;
        };
        let is_weekend = matches!(day.date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let everybody = watch.addresses * if is_weekend { self.scenario.weekend.0 } else { 1.0 };
        let levels: Vec<f64> = self.curves.iter().map(|curve| curve.at(day.date)).collect();
        // A stream takes only those before it as its measure.
        let mut scans = 0.0;
        for stream in &self.streams {
            let total = match &stream.volume {
                Volume::Own(packets, curve) => packets * everybody * curve.at(day.date),
                Volume::OfScans(part) => part * scans,
                Volume::More(packets, rise) => packets * everybody * rise.at(day.date),
                Volume::Times(cells, times, rise) => {
                    let rise = rise.at(day.date);
                    if rise == 0.0 {
                        continue;
                    }
                    times * rise * cells.iter().filter_map(|&cell| rates.get(cell)).sum::<f64>()
                }
            };
            let is_own = matches!(stream.volume, Volume::Own(..));
            let cells = self.cells.get(stream.cells.clone()).unwrap_or_default();
            let mut sum = 0.0;
            for (cell, rate) in cells.iter().zip(rates.iter_mut().skip(stream.cells.start)) {
                let level = cell.region.filter(|_| is_own).and_then(|region| levels.get(region));
                *rate = total * cell.share * level.copied().unwrap_or(1.0);
                sum += *rate;
            }
            if !matches!(stream.make, Make::Noise(_)) {
                scans += sum;
            }
        }
        rates
    }

    /// How many sources each pool has on a day with these rates.
    pub(super) fn populations(&self, rates: &[f64]) -> Vec<u64> {
        let mut packets = vec![0.0; self.pools.len()];
        for (cell, rate) in self.cells.iter().zip(rates) {
            if let Some(sum) = packets.get_mut(cell.pool) {
                *sum += rate;
            }
        }
        // Of n sources that are drawn with the density −ln x, λ packets show nλ/(n + λ).
        let count = |(pool, packets): (&Pool, f64)| (packets / (pool.each - 1.0).max(1e-3)).round().max(1.0);
        self.pools.iter().zip(packets).map(|pair| count(pair) as u64).collect()
    }

    /// What is expected from the first of these dates to the last.
    pub fn expected(&self, from: Date, to: Date) -> Expected {
        let mut sum = Expected::default();
        for (number, day) in self.days.iter().enumerate() {
            if !(from..=to).contains(&day.date) || self.watches.get(day.watch).is_none_or(|w| w.sensors.is_none()) {
                continue;
            }
            let seen = self.seen(day.slot);
            let heard: Vec<f64> = self.regions.iter().map(|&region| self.heard(region, day.slot)).collect();
            for (cell, rate) in self.cells.iter().zip(self.rates(number)) {
                let heard = cell.region.and_then(|region| heard.get(region)).copied().unwrap_or(1.0);
                let packets = rate * heard * seen;
                let region = cell.region.and_then(|region| self.regions.get(region)).copied();
                let region = region.unwrap_or(Region::UNKNOWN);
                match self.streams.get(cell.stream).map(|stream| stream.make) {
                    Some(Make::Scan(target, _)) => {
                        sum.scans += packets;
                        *sum.services.entry(target).or_default() += packets;
                        *sum.regions.entry(region).or_default() += packets;
                        *sum.pairs.entry((target, region)).or_default() += packets;
                    }
                    Some(Make::Survey(..)) => {
                        sum.scans += packets;
                        *sum.services.entry(Target::AnyTcp).or_default() += packets;
                        *sum.regions.entry(region).or_default() += packets;
                        *sum.pairs.entry((Target::AnyTcp, region)).or_default() += packets;
                    }
                    _ => sum.noise += packets,
                }
            }
            sum.backscatter += self.backscatter() * seen;
        }
        sum
    }

    /// The part of a day in which packets arrive.
    fn seen(&self, day: Slot) -> f64 {
        let lost = self.scenario.blinds.iter().chain(&self.scenario.gaps);
        let lost = lost.map(|entry| self.scenario.stretch(entry.get_ref().from, entry.get_ref().to));
        (1.0 - lost.map(|lost| overlap(&lost, day)).sum::<f64>()).max(0.0)
    }

    /// The part of a day's packets from a region that is heard.
    fn heard(&self, region: Region, day: Slot) -> f64 {
        let silences = self.scenario.silences.iter().map(|entry| entry.get_ref());
        let silences = silences.filter(|silence| silence.region.0 == region);
        let lost = silences.map(|silence| {
            overlap(&self.scenario.stretch(silence.from, silence.to), day) * silence.depth.0
        });
        (1.0 - lost.sum::<f64>()).max(0.0)
    }
}

fn overlap(stretch: &Range<i64>, day: Slot) -> f64 {
    let seconds = stretch.end.min(day.end()) - stretch.start.max(day.start);
    seconds.max(0) as f64 / day.seconds.max(1) as f64
}

impl WatchSet {
    fn of(active: &[(&Sensor, f64)]) -> Self {
        let sensors = active.iter().map(|(sensor, _)| (*sensor).clone()).collect::<Vec<_>>();
        // Checked with the scenario, but for those of the command line, which were checked there.
        let sensors = if sensors.is_empty() { None } else { Sensors::new(sensors).ok() };
        let weights: Vec<f64> = match &sensors {
            None => Vec::new(),
            Some(sensors) => active
                .iter()
                .zip(0u8..)
                .map(|((_, activity), number)| sensors.addresses(number).unwrap_or(1) as f64 * activity)
                .collect(),
        };
        Self { sensors, addresses: weights.iter().sum(), weights }
    }
}

impl Noise {
    /// What comes for each thousand packets of scans.
    fn shapes(&self) -> [(Shape, Amount); 10] {
        [
            (Shape::Probe, self.probe),
            (Shape::Query, self.query),
            (Shape::IcmpMismatch, self.icmp_mismatch),
            (Shape::Fragment, self.fragment),
            (Shape::Gre, self.gre),
            (Shape::Arp, self.arp),
            (Shape::NonIp, self.non_ip),
            (Shape::Malformed, self.malformed),
            (Shape::Unwatched, self.unwatched),
            (Shape::Local, self.local),
        ]
    }
}

/// Puts streams into a plan.
struct Streams<'a> {
    plan: &'a mut Plan,
    scenario: Scenario,
    /// Pools by crowd and region.
    pools: HashMap<(String, Option<usize>), usize>,
    salt: u64,
}

/// Sources that are alike.
#[derive(Clone, Copy)]
struct Habits<'a> {
    name: &'a str,
    each: Amount,
    stay: Amount,
    prefixes: u16,
}

impl<'a> Streams<'a> {
    fn new(plan: &'a mut Plan) -> Self {
        let scenario = plan.scenario.clone();
        Self { salt: mixed(scenario.seed), plan, scenario, pools: HashMap::new() }
    }

    fn add_all(mut self) {
        let scenario = self.scenario.clone();
        for entry in &scenario.services {
            self.service(entry.get_ref());
        }
        for (number, entry) in scenario.surveys.iter().enumerate() {
            let survey = entry.get_ref();
            let make = Make::Survey(survey.ports, mixed(self.salt ^ number as u64), survey.tools);
            let name = format!("survey {number}");
            // One machine that is always there.
            let habits = Habits { name: &name, each: Amount(1e6), stay: Amount(1e6), prefixes: 1 };
            let mix = Mix([(survey.region, Amount(1.0))].into());
            let volume = Volume::Own(survey.packets.0, Curve::default());
            self.add(make, volume, scenario.overdispersion, &mix, habits);
        }
        for (number, entry) in scenario.surges.iter().enumerate() {
            self.surge(&format!("surge {number}"), entry.get_ref());
        }
        for (shape, of_1000) in scenario.noise.shapes() {
            if of_1000.0 > 0.0 {
                let volume = Volume::OfScans(of_1000.0 / 1000.0);
                let habits = self.habits("");
                self.add(Make::Noise(shape), volume, scenario.overdispersion, &scenario.regions, habits);
            }
        }
    }

    fn habits<'n>(&self, name: &'n str) -> Habits<'n> {
        let crowd: Option<&Crowd> = self.scenario.crowds.get(name).map(|crowd| crowd.get_ref());
        Habits {
            name,
            each: crowd.and_then(|crowd| crowd.each).unwrap_or(self.scenario.each),
            stay: crowd.and_then(|crowd| crowd.stay).unwrap_or(self.scenario.stay),
            prefixes: crowd.and_then(|crowd| crowd.prefixes).unwrap_or(0),
        }
    }

    fn service(&mut self, service: &ServiceEntry) {
        let scenario = self.scenario.clone();
        let name = service.crowd.as_ref().map_or("", |crowd| crowd.get_ref().as_str());
        let of_crowd = scenario.crowds.get(name).map(|crowd| &crowd.get_ref().regions);
        let mixes = [Some(&service.regions), of_crowd, Some(&scenario.regions)];
        let mix = mixes.into_iter().flatten().find(|mix| !mix.0.is_empty()).unwrap_or(&scenario.regions);
        let share = service.share.map(|share| share.0 / 100.0 * scenario.packets.0);
        let packets = service.packets.map(|packets| packets.0).or(share).unwrap_or(0.0);
        let volume = Volume::Own(packets, Curve(service.levels.clone()));
        let overdispersion = service.overdispersion.unwrap_or(scenario.overdispersion);
        let habits = self.habits(name);
        self.add(Make::Scan(service.port, service.tools), volume, overdispersion, mix, habits);
    }

    fn surge(&mut self, name: &str, surge: &Surge) {
        let scenario = self.scenario.clone();
        let target = surge.service.unwrap_or(Target::AnyTcp);
        let is_usual = |cell: &Cell| {
            let stream = self.plan.streams.get(cell.stream);
            let Some(Stream { make: Make::Scan(of, _), volume: Volume::Own(..), .. }) = stream else { return false };
            let region = cell.region.and_then(|region| self.plan.regions.get(region));
            surge.service.is_none_or(|service| service == *of)
                && surge.region.is_none_or(|code| Some(&code.0) == region)
        };
        let cells = self.plan.cells.iter().enumerate().filter(|(_, cell)| is_usual(cell));
        let cells: Vec<usize> = cells.map(|(at, _)| at).collect();
        let mix = match surge.region {
            Some(code) => Mix([(code, Amount(1.0))].into()),
            None if !surge.regions.0.is_empty() => surge.regions.clone(),
            None => {
                let usual = scenario.services.iter().find(|entry| entry.get_ref().port == target);
                let crowd = usual.and_then(|entry| entry.get_ref().crowd.as_ref());
                let crowd = crowd.and_then(|crowd| scenario.crowds.get(crowd.get_ref()));
                let mixes = [usual.map(|entry| &entry.get_ref().regions), crowd.map(|crowd| &crowd.get_ref().regions)];
                let mix = mixes.into_iter().flatten().find(|mix| !mix.0.is_empty());
                mix.unwrap_or(&scenario.regions).clone()
            }
        };
        let rise = Rise { from: surge.from.0, to: surge.to.0, over: surge.over };
        let volume = match (surge.factor, surge.packets) {
            (Some(factor), _) => Volume::Times(cells, factor.0 - 1.0, rise),
            (None, packets) => Volume::More(packets.unwrap_or_default().0, rise),
        };
        let habits = Habits {
            name,
            each: surge.each.unwrap_or(scenario.each),
            stay: surge.stay.unwrap_or(scenario.stay),
            prefixes: surge.prefixes.unwrap_or(0),
        };
        self.add(Make::Scan(target, surge.tools), volume, scenario.overdispersion, &mix, habits);
    }

    fn add(&mut self, make: Make, volume: Volume, overdispersion: Amount, mix: &Mix, habits: Habits<'_>) {
        let stream = self.plan.streams.len();
        let start = self.plan.cells.len();
        let sum: f64 = mix.0.values().map(|weight| weight.0).sum();
        let mut parts: Vec<(Option<usize>, f64)> = mix
            .0
            .iter()
            .filter(|(_, weight)| weight.0 > 0.0)
            .map(|(code, weight)| (self.plan.regions.binary_search(&code.0).ok(), weight.0 / sum))
            .collect();
        // The same everywhere, or nowhere: then it has no region to be drawn by.
        let has_source = !matches!(make, Make::Noise(Shape::Arp | Shape::NonIp | Shape::Malformed | Shape::Local));
        if parts.is_empty() || !has_source {
            parts = vec![(None, 1.0)];
        }
        for (region, share) in parts {
            let pool = self.pool(habits, region);
            self.plan.cells.push(Cell { stream, pool, share, region });
        }
        let cells = start..self.plan.cells.len();
        self.plan.streams.push(Stream { make, volume, overdispersion: overdispersion.0, cells });
    }

    fn pool(&mut self, habits: Habits<'_>, region: Option<usize>) -> usize {
        let pools = &mut self.plan.pools;
        let salt = self.salt;
        *self.pools.entry((habits.name.to_owned(), region)).or_insert_with(|| {
            pools.push(Pool {
                region,
                each: habits.each.0,
                stay: habits.stay.0.clamp(1.0, 1e6) as u32,
                prefixes: habits.prefixes,
                salt: mixed(salt.wrapping_add(pools.len() as u64)),
            });
            pools.len() - 1
        })
    }
}
