//! Unique sources of regions by bins of some hours: what silences are found in.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{CachedStatement, Connection, params_from_iter, types::Value};

use super::{
    QueryError, Union, count,
    daily::days,
    spans::{self, Level, Span},
    table::Table,
};
use crate::{
    model::{Class, Dimension, Region, Zone},
    sketch::SketchError,
    store::Reader,
};

/// Hours of a day by its clock.
const DAY: u32 = 24;

/// Of which sources, in which bins. All are of class `scan`.
#[derive(Clone, Copy, Debug)]
pub struct Bins<'a> {
    /// The first second, since 1970.
    pub from: i64,
    /// The first second after the period.
    pub to: i64,
    /// Lengths of bins in hours: parts of a day. All of them are told from one reading.
    pub hours: &'a [u32],
    /// `None`: all.
    pub regions: Option<&'a [Region]>,
    /// Only those that these sensors saw, by their rows.
    pub sensors: Option<&'a [i64]>,
    /// What part of a bin must have been observed: less, and nothing is told of it.
    pub least_observed: f64,
}

/// Bins of one length.
#[derive(Clone, Debug)]
pub struct Binned {
    pub hours: u32,
    /// When each begins, in seconds since 1970; as many for each day of the period. On a day on which the clock is set,
    /// the last one is longer, or shorter.
    pub starts: Vec<i64>,
    /// What part of each was observed: of several sensors the mean, each from the first bin to the last one in which
    /// it observed anything.
    pub observed: Vec<f64>,
    /// Regions with packets in the period, [`Region::OTHER`] for what a bound cut among them.
    pub regions: HashMap<Region, Series, FixedState>,
}

/// A region by bins; `None` where too little was observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub packets: Vec<Option<u64>>,
    /// Estimates of unique sources, IPv4 and IPv6 together; `None` as well where sketches do not merge.
    pub sources: Vec<Option<f64>>,
}

impl Reader {
    /// Unique sources and packets of regions by bins, an answer for each length, in the order in which they are asked
    /// for. Bins of 24 hours are read from closed days, where they are wholly in the period; others from hours and
    /// epochs that lie within a bin.
    ///
    /// # Errors
    ///
    /// If the period is empty or too long, a length is no part of a day, or the store cannot be read.
    pub fn sources_by_bin(&self, bins: &Bins<'_>) -> Result<Vec<Binned>, QueryError> {
        binned(self.connection(), self.zone(), bins)
    }
}

/// What is counted of a region in a bin.
#[derive(Default)]
struct Sum {
    packets: u64,
    sources: Union,
}

type Sums = HashMap<Region, Sum, FixedState>;

/// Bins of one length that are filled in the order of time.
struct Track {
    hours: u32,
    /// The longest other track whose bins are parts of these: they are added up when they are full.
    part: Option<usize>,
    ends: Vec<i64>,
    binned: Binned,
    /// The bin that is being filled.
    current: usize,
    sums: Sums,
    /// Nanoseconds observed, by sensor and bin.
    observed: HashMap<i64, Vec<u64>, FixedState>,
}

impl Track {
    fn new(hours: u32, zone: &Zone, days: &[i64]) -> Self {
        let mut starts = Vec::with_capacity(days.len() * (DAY / hours) as usize);
        let mut ends = Vec::with_capacity(starts.capacity());
        for &day in days {
            let end = zone.day_of(day).end();
            let start = |bin: u32| day.saturating_add(i64::from(bin * hours) * 3600).min(end);
            for bin in 0..DAY / hours {
                starts.push(start(bin));
                ends.push(if (bin + 1) * hours == DAY { end } else { start(bin + 1) });
            }
        }
        let binned = Binned { hours, starts, observed: Vec::new(), regions: HashMap::default() };
        Self {
            hours,
            part: None,
            ends,
            binned,
            current: 0,
            sums: Sums::default(),
            observed: HashMap::default(),
        }
    }

    /// The bin that a second falls in, if it is one of these.
    fn bin(&self, second: i64) -> Option<usize> {
        // Of bins without a length, which begin together with the next day, the last one.
        let bin = self.binned.starts.partition_point(|&start| start <= second).checked_sub(1)?;
        (second < self.ends[bin]).then_some(bin)
    }

    /// Notes what the full bin holds.
    fn flush(&mut self) -> Sums {
        let sums = std::mem::take(&mut self.sums);
        let bins = self.ends.len();
        for (region, sum) in &sums {
            let series = self
                .binned
                .regions
                .entry(*region)
                .or_insert_with(|| Series { packets: vec![Some(0); bins], sources: vec![Some(0.0); bins] });
            series.packets[self.current] = Some(sum.packets);
            series.sources[self.current] = sum.sources.total();
        }
        sums
    }

    /// The bins, all of which are full.
    fn finish(mut self, least_observed: f64) -> Binned {
        let sensors: Vec<(usize, usize, Vec<u64>)> = self
            .observed
            .into_values()
            .filter_map(|observed| {
                let first = observed.iter().position(|&ns| ns > 0)?;
                let last = observed.iter().rposition(|&ns| ns > 0)?;
                Some((first, last, observed))
            })
            .collect();
        let lengths = self.binned.starts.iter().zip(&self.ends).map(|(start, end)| end - start);
        self.binned.observed = lengths
            .enumerate()
            .map(|(bin, seconds)| {
                let parts = sensors
                    .iter()
                    .filter(|(first, last, _)| (*first..=*last).contains(&bin) && seconds > 0)
                    .map(|(.., observed)| (observed[bin] as f64 / 1e9 / seconds as f64).min(1.0));
                let (sum, sensors) =
                    parts.fold((0.0, 0u32), |(sum, sensors), part| (sum + part, sensors + 1));
                if sensors == 0 { 0.0 } else { sum / f64::from(sensors) }
            })
            .collect();
        for (bin, &observed) in self.binned.observed.iter().enumerate() {
            // Nothing that was not observed at all is told, whatever is asked for.
            if observed < least_observed || observed <= 0.0 {
                for series in self.binned.regions.values_mut() {
                    series.packets[bin] = None;
                    series.sources[bin] = None;
                }
            }
        }
        self.binned
    }
}

/// Statements by cube, prepared when first wanted.
struct Statements<'c> {
    connection: &'c Connection,
    /// What is told to SQLite beside span and class, and its parameters.
    bounds: String,
    regions: Vec<Value>,
    scans: Vec<(Table, CachedStatement<'c>)>,
    watched: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn new(connection: &'c Connection, bins: &Bins<'_>) -> rusqlite::Result<Self> {
        let mut bounds = String::new();
        let mut regions = Vec::new();
        if let Some(wanted) = bins.regions {
            bounds += &format!(" AND region IN ({})", vec!["?"; wanted.len()].join(", "));
            regions.extend(wanted.iter().map(|region| Value::Text(region.as_str().to_owned())));
        }
        let mut of_sensors = String::new();
        if let Some(sensors) = bins.sensors {
            let sensors = sensors.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            of_sensors = format!(" AND sensor IN ({sensors})");
        }
        bounds += &of_sensors;
        let watched = format!("SELECT sensor, observed_ns FROM span_sensor WHERE span = ?{of_sensors}");
        let watched = connection.prepare_cached(&watched)?;
        Ok(Self { connection, bounds, regions, scans: Vec::new(), watched })
    }

    fn scan(&mut self, span: &Span) -> rusqlite::Result<Option<&mut CachedStatement<'c>>> {
        let holds = |table: &Table| table.columns_for(&[Dimension::Region]).is_some();
        let mut tables = Table::ALL.into_iter().filter(holds);
        let whole = tables.clone().find(|table| !table.is_cut(span.cut));
        let Some(table) = whole.or_else(|| tables.next_back()) else { return Ok(None) };
        let index = match self.scans.iter().position(|(known, _)| *known == table) {
            Some(index) => index,
            None => {
                let sql = format!(
                    "SELECT region, packets, sources FROM {} WHERE span = ? AND class = {}{}",
                    table.as_str(),
                    Class::Scan as u8,
                    self.bounds
                );
                self.scans.push((table, self.connection.prepare_cached(&sql)?));
                self.scans.len() - 1
            }
        };
        Ok(Some(&mut self.scans[index].1))
    }

    /// Adds what a span holds to bins.
    fn add(&mut self, span: &Span, tracks: &mut [Track]) -> rusqlite::Result<()> {
        let fits: Vec<Option<usize>> = tracks
            .iter()
            .map(|track| track.bin(span.start).filter(|&bin| span.end <= track.ends[bin]))
            .collect();
        let parameters = [Value::Integer(span.id)];
        let mut rows = self.watched.query(params_from_iter(parameters.iter()))?;
        while let Some(row) = rows.next()? {
            let (sensor, ns) = (row.get(0)?, count(row, 1)?);
            for (track, bin) in tracks.iter_mut().zip(&fits) {
                let Some(bin) = *bin else { continue };
                let bins = track.ends.len();
                let observed = track.observed.entry(sensor).or_insert_with(|| vec![0; bins]);
                observed[bin] = observed[bin].saturating_add(ns);
            }
        }
        drop(rows);
        // Others get it from the bins that they are made of.
        let takers: Vec<usize> = (0..tracks.len())
            .filter(|&track| {
                fits[track].is_some() && tracks[track].part.is_none_or(|part| fits[part].is_none())
            })
            .collect();
        if takers.is_empty() {
            return Ok(());
        }
        let parameters: Vec<Value> = parameters.into_iter().chain(self.regions.iter().cloned()).collect();
        let Some(scan) = self.scan(span)? else { return Ok(()) };
        let mut rows = scan.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let region = row.get_ref(0)?.as_str().ok().and_then(Region::named).unwrap_or(Region::OTHER);
            let packets = count(row, 1)?;
            let sources = row.get_ref(2)?.as_blob_or_null().ok().flatten();
            for &track in &takers {
                let sum = tracks[track].sums.entry(region).or_default();
                sum.packets = sum.packets.saturating_add(packets);
                if let Some(bytes) = sources {
                    sum.sources.try_add(bytes);
                }
            }
        }
        Ok(())
    }
}

impl Union {
    pub(super) fn try_add(&mut self, bytes: &[u8]) {
        self.failed = self.failed || self.add(bytes).is_err();
    }

    fn try_merge(&mut self, other: &Self) {
        for sketch in other.sketches.iter().flatten() {
            let same = |free: &&mut Option<Box<crate::sketch::Sketch>>| {
                free.as_ref().is_none_or(|known| known.scope().family == sketch.scope().family)
            };
            let merged: Result<(), SketchError> = match self.sketches.iter_mut().find(same) {
                Some(Some(known)) => known.merge(sketch),
                Some(free) => {
                    *free = Some(sketch.clone());
                    Ok(())
                }
                // There are no more families.
                None => Ok(()),
            };
            self.failed |= merged.is_err();
        }
        self.failed |= other.failed;
    }

    /// How many there are: none where no source is known; `None` where that cannot be told.
    fn total(&self) -> Option<f64> {
        let estimates = self.sketches.iter().flatten().map(|sketch| sketch.estimate());
        (!self.failed).then(|| estimates.sum())
    }
}

/// Reads spans in the order of time into tracks, the shortest bins first.
fn fill(
    statements: &mut Statements<'_>,
    spans: impl Iterator<Item = Span>,
    mut tracks: Vec<Track>,
    least_observed: f64,
) -> Result<Vec<Binned>, QueryError> {
    let flush = |tracks: &mut [Track], track: usize| {
        let sums = tracks[track].flush();
        for other in tracks.iter_mut().filter(|other| other.part == Some(track)) {
            for (&region, sum) in &sums {
                let total = other.sums.entry(region).or_default();
                total.packets = total.packets.saturating_add(sum.packets);
                total.sources.try_merge(&sum.sources);
            }
        }
    };
    for span in spans {
        for track in 0..tracks.len() {
            let Some(bin) = tracks[track].bin(span.start) else { continue };
            if bin != tracks[track].current {
                flush(&mut tracks, track);
                tracks[track].current = bin;
            }
        }
        statements.add(&span, &mut tracks)?;
    }
    for track in 0..tracks.len() {
        flush(&mut tracks, track);
    }
    Ok(tracks.into_iter().map(|track| track.finish(least_observed)).collect())
}

pub(super) fn binned(
    connection: &Connection,
    zone: &Zone,
    bins: &Bins<'_>,
) -> Result<Vec<Binned>, QueryError> {
    if let Some(&hours) = bins.hours.iter().find(|&&hours| hours == 0 || !DAY.is_multiple_of(hours)) {
        return Err(QueryError::Bin(hours));
    }
    let days = days(zone, bins.from, bins.to)?;
    let _state = super::one_state(connection)?;
    let near = spans::near(connection, bins.from, bins.to)?;
    let mut lengths = bins.hours.to_vec();
    lengths.sort_unstable();
    lengths.dedup();
    let mut tracks: Vec<Track> = lengths.iter().map(|&hours| Track::new(hours, zone, &days)).collect();
    let of_days = tracks.pop_if(|track| track.hours == DAY);
    for track in 1..tracks.len() {
        let is_part = |part: &usize| tracks[track].hours.is_multiple_of(tracks[*part].hours);
        tracks[track].part = (0..track).rev().find(is_part);
    }
    let mut statements = Statements::new(connection, bins)?;
    let mut found = Vec::with_capacity(lengths.len());
    if !tracks.is_empty() {
        let is_within = |span: &&Span| bins.from <= span.start && span.end <= bins.to;
        let spans = near.iter().filter(|span| span.level != Level::Day).filter(is_within).copied();
        found.extend(fill(&mut statements, spans, tracks, bins.least_observed)?);
    }
    if let Some(track) = of_days {
        let chosen = spans::choose(&near, bins.from, bins.to, Some(super::Step::Day), false, zone);
        found.extend(fill(&mut statements, chosen.spans.into_iter(), vec![track], bins.least_observed)?);
    }
    let of = |hours: &u32| found.iter().find(|binned| binned.hours == *hours).cloned();
    Ok(bins.hours.iter().filter_map(of).collect())
}
