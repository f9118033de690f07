//! What a running agent knows: totals and rankings of the interval and since its start.
//!
//! Bounded whatever arrives: drains go into a cube of port × region, which is rolled up at once
//! into counts by port, by region and by kind, of which there are only so many.

use hashbrown::HashMap;
use sensor_common::{
    kind::Kind,
    layout::{Cell, Outcomes},
};

use crate::{
    cube::{Cube, SourceLengths},
    geo::Tables,
    kernel::{Drain, Mismatch},
    model::{Class, Dimension, Protocol, Region, Row, Sensors},
};

/// The dimensions that all roll-ups are made from.
const PORT_BY_REGION: [Dimension; 6] = [
    Dimension::Class,
    Dimension::Kind,
    Dimension::Protocol,
    Dimension::DstPort,
    Dimension::IcmpType,
    Dimension::Region,
];

/// What is ranked among destination ports: a port of a transport, or a type of ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service {
    pub protocol: Protocol,
    /// Destination port, or ICMP type.
    pub number: u16,
}

impl std::fmt::Display for Service {
    /// `23/tcp`, `8/icmp`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}/{}", self.number, self.protocol))
    }
}

/// Counts over a span of time.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub outcomes: Outcomes,
    /// Packets without joint detail.
    pub lost: u64,
    /// Frames whose counters could not be found. Must be 0.
    pub uncounted: u64,
    /// Records that came through the spill log.
    pub spilled: u64,
    /// Identities that did not hold. Must be 0.
    pub mismatches: u64,
    /// Packets and IP bytes by kind and family.
    pub kinds: [[Cell; 2]; Kind::ALL.len()],
    /// Packets by class (where it is known) and kind.
    pub classes: HashMap<(Option<Class>, Kind), u64>,
    /// Packets of class `scan` by service.
    pub services: HashMap<Service, u64>,
    /// Packets of class `scan` by region.
    pub regions: HashMap<Region, u64>,
}

impl Totals {
    /// Packets of a class.
    pub fn of_class(&self, class: Class) -> u64 {
        self.classes.iter().filter(|((of, _), _)| *of == Some(class)).map(|(_, packets)| packets).sum()
    }

    /// IP bytes of all packets.
    pub fn bytes(&self) -> u64 {
        self.kinds.iter().flatten().map(|cell| cell.bytes).sum()
    }

    /// The services with the most scan packets, most first, and how many packets all have.
    pub fn top_services(&self, most: usize) -> (Vec<(Service, u64)>, u64) {
        top(&self.services, most, |_| true)
    }

    /// The regions with the most scan packets, most first, and how many packets all regions have.
    /// Groups that are no region are not ranked, and not in the sum.
    pub fn top_regions(&self, most: usize) -> (Vec<(Region, u64)>, u64) {
        top(&self.regions, most, |region| region.is_ranked())
    }

    /// Adds what was counted in another span.
    pub fn add(&mut self, other: &Self) {
        let (sum, more) = (&mut self.outcomes, &other.outcomes);
        sum.runs += more.runs;
        sum.non_ip += more.non_ip;
        sum.malformed += more.malformed;
        sum.unwatched += more.unwatched;
        sum.local += more.local;
        sum.packets += more.packets;
        self.lost += other.lost;
        self.uncounted += other.uncounted;
        self.spilled += other.spilled;
        self.mismatches += other.mismatches;
        for (sum, more) in self.kinds.as_flattened_mut().iter_mut().zip(other.kinds.as_flattened()) {
            sum.packets += more.packets;
            sum.bytes += more.bytes;
        }
        for (&key, packets) in &other.classes {
            *self.classes.entry(key).or_default() += packets;
        }
        for (&key, packets) in &other.services {
            *self.services.entry(key).or_default() += packets;
        }
        for (&key, packets) in &other.regions {
            *self.regions.entry(key).or_default() += packets;
        }
    }

    /// Rolls up a row of [`PORT_BY_REGION`].
    fn add_row(&mut self, row: &Row, packets: u64) {
        if let Some(kind) = row.kind {
            *self.classes.entry((row.class, kind)).or_default() += packets;
        }
        if row.class != Some(Class::Scan) {
            return;
        }
        let number = row.dst_port.or(row.icmp_type.map(u16::from));
        if let (Some(protocol), Some(number)) = (row.protocol, number) {
            *self.services.entry(Service { protocol, number }).or_default() += packets;
        }
        if let Some(region) = row.region {
            *self.regions.entry(region).or_default() += packets;
        }
    }
}

/// The entries of a count with the most packets, most first, ties by key; and the sum of all that
/// take part.
fn top<K: Copy + Ord>(counts: &HashMap<K, u64>, most: usize, ranked: fn(K) -> bool) -> (Vec<(K, u64)>, u64) {
    let mut entries: Vec<(K, u64)> =
        counts.iter().map(|(&key, &packets)| (key, packets)).filter(|(key, _)| ranked(*key)).collect();
    let all = entries.iter().map(|(_, packets)| packets).sum();
    entries.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
    entries.truncate(most);
    (entries, all)
}

/// One interval, closed.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Start, in nanoseconds since 1970 (UTC).
    pub start_ns: u64,
    /// End, in nanoseconds since 1970 (UTC).
    pub end_ns: u64,
    pub totals: Totals,
    /// Rows by the dimensions that were asked for, if any were.
    pub rows: Vec<(Row, u64)>,
    /// Packets of rows that were cut: the bound on rows was reached.
    pub cut: u64,
    /// Identities that did not hold.
    pub mismatches: Vec<Mismatch>,
}

/// The state of a running agent: takes drains, gives intervals.
pub struct Live {
    sensors: Sensors,
    since_start: Totals,
    interval: Totals,
    mismatches: Vec<Mismatch>,
    /// Of the interval that is open; `None` before its first drain.
    span: Option<(u64, u64)>,
    by_region: Cube,
    rows: Option<Cube>,
}

impl Live {
    /// Rows of an interval are cut beyond this many.
    pub const MOST_ROWS: usize = 1 << 20;

    /// Nothing counted yet. `rows`: the dimensions by which intervals keep rows, if any.
    pub fn new(sensors: Sensors, lengths: SourceLengths, rows: Option<&[Dimension]>) -> Self {
        Self {
            sensors,
            since_start: Totals::default(),
            interval: Totals::default(),
            mismatches: Vec::new(),
            span: None,
            by_region: Cube::new(&PORT_BY_REGION, lengths),
            rows: rows.map(|dimensions| Cube::new(dimensions, lengths).bounded(Self::MOST_ROWS)),
        }
    }

    /// The sensors that packets are counted by.
    pub fn sensors(&self) -> &Sensors {
        &self.sensors
    }

    /// Everything since the start, up to the last interval that was closed.
    pub fn since_start(&self) -> &Totals {
        &self.since_start
    }

    /// Takes in a drain.
    pub fn absorb(&mut self, drain: &Drain, geo: &Tables) {
        let (start, _) = self.span.unwrap_or((drain.span.start_ns, 0));
        self.span = Some((start, drain.span.end_ns));

        self.by_region.clear();
        self.by_region.add(drain, 0, &self.sensors, geo);
        let mut totals = Totals {
            outcomes: drain.outcomes,
            lost: drain.lost,
            uncounted: drain.uncounted,
            spilled: drain.spilled,
            mismatches: drain.mismatches.len() as u64,
            kinds: drain.kinds,
            ..Totals::default()
        };
        for (row, packets) in self.by_region.iter() {
            totals.add_row(row, packets);
        }
        self.interval.add(&totals);
        self.mismatches.extend_from_slice(&drain.mismatches);
        if let Some(rows) = &mut self.rows {
            rows.add(drain, start as i64, &self.sensors, geo);
        }
    }

    /// Closes the interval. `None` if nothing was drained since the last one.
    pub fn close(&mut self) -> Option<Interval> {
        let (start_ns, end_ns) = self.span.take()?;
        let totals = std::mem::take(&mut self.interval);
        self.since_start.add(&totals);
        let (rows, cut) = match &mut self.rows {
            Some(cube) => {
                let rows = (cube.sorted(), cube.cut());
                cube.clear();
                rows
            }
            None => (Vec::new(), 0),
        };
        Some(Interval {
            start_ns,
            end_ns,
            totals,
            rows,
            cut,
            mismatches: std::mem::take(&mut self.mismatches),
        })
    }
}
