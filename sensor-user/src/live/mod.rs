//! What a running agent knows: totals and rankings of the interval and since its start.
//!
//! Bounded whatever arrives: counts are by port, region, kind, sensor and tool, of which there are
//! only so many.

mod hour;

use std::{hash::Hash, mem};

use hashbrown::HashMap;
use sensor_common::{
    key::Key,
    kind::{Family, Kind, Tool},
    layout::{Cell, Outcomes},
};

use crate::{
    cube::{Cube, SourceLengths, class_of_unattributed},
    geo::Tables,
    kernel::{Drain, Mismatch, account::Detail},
    model::{Class, Dimension, Protocol, Region, Row, Sensors, Service, has_victim_port},
    sketch::SketchKey,
};

use self::hour::Sources;
pub use self::hour::{Hour, Point};

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
    /// Packets by number of the sensor, and class. What lost its source belongs to no sensor.
    pub sensors: HashMap<(u8, Class), u64>,
    /// Packets of class `scan` by tool, those without one included. What lost its source is in none.
    pub tools: HashMap<Tool, u64>,
    /// Packets of class `backscatter` by the attacked service, where that has a port. What lost its source is in
    /// none.
    pub attacked: HashMap<Service, u64>,
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

    /// The attacked services with the most backscatter, most first, and how many packets all have.
    pub fn top_attacked(&self, most: usize) -> (Vec<(Service, u64)>, u64) {
        top(&self.attacked, most, |_| true)
    }

    /// The regions with the most scan packets, most first, and how many packets all regions have.
    /// Groups that are no region are not ranked, and not in the sum.
    pub fn top_regions(&self, most: usize) -> (Vec<(Region, u64)>, u64) {
        top(&self.regions, most, |region| region.is_ranked())
    }

    /// Adds what was counted in another span.
    pub fn add(&mut self, other: &Self) {
        self.outcomes += other.outcomes;
        self.lost += other.lost;
        self.uncounted += other.uncounted;
        self.spilled += other.spilled;
        self.mismatches += other.mismatches;
        for (sum, more) in self.kinds.as_flattened_mut().iter_mut().zip(other.kinds.as_flattened()) {
            *sum += *more;
        }
        add_all(&mut self.classes, &other.classes);
        add_all(&mut self.services, &other.services);
        add_all(&mut self.regions, &other.regions);
        add_all(&mut self.sensors, &other.sensors);
        add_all(&mut self.tools, &other.tools);
        add_all(&mut self.attacked, &other.attacked);
    }
}

fn add_all<K: Copy + Eq + Hash>(sums: &mut HashMap<K, u64>, more: &HashMap<K, u64>) {
    for (&key, packets) in more {
        *sums.entry(key).or_default() += packets;
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
#[derive(Clone, Debug, Default)]
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
    scratch: Scratch,
    rows: Option<Cube>,
    lengths: SourceLengths,
    hour: Option<Hour>,
}

impl Live {
    /// Rows of an interval are cut beyond this many.
    pub const MOST_ROWS: usize = 1 << 20;

    /// Nothing counted yet. `rows`: the dimensions by which intervals keep rows, if any.
    pub fn new(sensors: Sensors, lengths: SourceLengths, rows: Option<&[Dimension]>) -> Self {
        Self {
            scratch: Scratch::new(&sensors),
            sensors,
            since_start: Totals::default(),
            interval: Totals::default(),
            mismatches: Vec::new(),
            span: None,
            rows: rows.map(|dimensions| Cube::new(dimensions, lengths).bounded(Self::MOST_ROWS)),
            lengths,
            hour: None,
        }
    }

    /// Keeps the last hour as well. `key`: what sources are hashed with.
    pub fn with_hour(self, key: SketchKey) -> Self {
        Self { hour: Some(Hour::new(Sources::new(key, self.lengths))), ..self }
    }

    /// The last hour, if it is kept.
    pub fn hour(&self) -> Option<&Hour> {
        self.hour.as_ref()
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

        let mut totals = Totals {
            outcomes: drain.outcomes,
            lost: drain.lost,
            uncounted: drain.uncounted,
            spilled: drain.spilled,
            mismatches: drain.mismatches.len() as u64,
            kinds: drain.kinds,
            ..Totals::default()
        };
        self.scratch.add(drain, &self.sensors, geo, self.hour.as_mut().map(Hour::sources));
        self.scratch.pour(&mut totals);
        self.interval.add(&totals);
        self.mismatches.extend_from_slice(&drain.mismatches);
        if let Some(rows) = &mut self.rows {
            rows.add(drain, start as i64, &self.sensors, geo);
        }
    }

    /// Closes the interval. `None` if nothing was drained since the last one.
    pub fn close(&mut self) -> Option<Interval> {
        let (start_ns, end_ns) = self.span.take()?;
        let totals = mem::take(&mut self.interval);
        self.since_start.add(&totals);
        let (rows, cut) = match &mut self.rows {
            Some(cube) => {
                let rows = (cube.sorted(), cube.cut());
                cube.clear();
                rows
            }
            None => (Vec::new(), 0),
        };
        let mismatches = mem::take(&mut self.mismatches);
        let interval = Interval { start_ns, end_ns, totals, rows, cut, mismatches };
        if let Some(hour) = &mut self.hour {
            hour.close(&interval);
        }
        Some(interval)
    }
}

/// Protocols whose services have ports, in the order of [`Scratch::services`]; ICMP comes after.
const WITH_PORTS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
/// Services of those protocols.
const PORTS: usize = WITH_PORTS.len() << 16;
/// Classes, and one more where the class is not known.
const CLASSES: usize = Class::ALL.len() + 1;

/// Counts of one drain in arrays, so that a tally costs no look-up in a map.
struct Scratch {
    /// Class of each kind, by sensor.
    class_of: Vec<[Class; Kind::ALL.len()]>,
    /// Scan packets by protocol and port, then by family and ICMP type.
    services: Vec<u64>,
    /// Scan packets by [`Region::index`].
    regions: Vec<u64>,
    classes: [[u64; Kind::ALL.len()]; CLASSES],
    /// Packets by number of the sensor, and class.
    sensors: Vec<[u64; Class::ALL.len()]>,
    /// Scan packets by tool.
    tools: [u64; Tool::ALL.len()],
    /// Backscatter by protocol and port of the attacked service: the first rows of [`Scratch::services`].
    attacked: Vec<u64>,
}

/// Protocols of attacked services: the first ones of [`WITH_PORTS`].
const ATTACKED: usize = 2 << 16;

impl Scratch {
    fn new(sensors: &Sensors) -> Self {
        let class_of: Vec<_> =
            sensors.iter().map(|sensor| Kind::ALL.map(|kind| Class::of(kind, sensor.role))).collect();
        Self {
            sensors: vec![Default::default(); class_of.len()],
            class_of,
            services: vec![0; PORTS + 2 * 256],
            regions: vec![0; Region::INDICES],
            classes: Default::default(),
            tools: Default::default(),
            attacked: vec![0; ATTACKED],
        }
    }

    /// Adds a drain. Sources of scans go to `sources`, where somebody wants them.
    fn add(&mut self, drain: &Drain, sensors: &Sensors, geo: &Tables, mut sources: Option<&mut Sources>) {
        for slot in &drain.tallies {
            // What does not unpack, or names no sensor, was reported by the books or is theirs.
            let Some(key) = Key::unpack(slot.source, slot.meta) else { continue };
            let class = self.class_of.get(usize::from(key.sensor)).map(|classes| classes[key.kind as usize]);
            let packets = u64::from(slot.packets);
            self.count(class, key.kind, packets);
            if let (Some(class), Some(of)) = (class, self.sensors.get_mut(usize::from(key.sensor))) {
                of[class as usize] += packets;
            }
            if class == Some(Class::Scan) {
                self.tools[key.tool as usize] += packets;
                if let Some(service) = service_index(key.kind, key.family, key.port) {
                    self.services[service] += packets;
                }
                let region = geo.region(key.family, key.source);
                self.regions[region.index()] += packets;
                if let Some(sources) = &mut sources {
                    sources.insert(region, key.family, key.source);
                }
            } else if class == Some(Class::Backscatter)
                && let Some(service) = attacked_index(key.kind, key.port)
            {
                self.attacked[service] += packets;
            }
        }
        for lost in &drain.unattributed {
            let class = class_of_unattributed(lost.kind, sensors);
            self.count(class, lost.kind, lost.packets);
            if class == Some(Class::Scan) {
                let port = match lost.detail {
                    Detail::Port(port) => port,
                    Detail::IcmpType(icmp_type) => u16::from(icmp_type) << 8,
                    Detail::Protocol(_) | Detail::None => 0,
                };
                // Only kinds of ICMP, whose family is known, have services by family.
                let family = lost.family.unwrap_or(Family::V4);
                if let Some(service) = service_index(lost.kind, family, port) {
                    self.services[service] += lost.packets;
                }
                self.regions[Region::UNATTRIBUTED.index()] += lost.packets;
            }
        }
    }

    fn count(&mut self, class: Option<Class>, kind: Kind, packets: u64) {
        self.classes[class.map_or(Class::ALL.len(), |class| class as usize)][kind as usize] += packets;
    }

    /// Moves all counts to totals.
    fn pour(&mut self, totals: &mut Totals) {
        for (class, kinds) in self.classes.iter_mut().enumerate() {
            for (kind, packets) in kinds.iter_mut().enumerate().filter(|(_, packets)| **packets != 0) {
                let key = (Class::ALL.get(class).copied(), Kind::ALL[kind]);
                totals.classes.insert(key, mem::take(packets));
            }
        }
        for (index, packets) in self.services.iter_mut().enumerate().filter(|(_, packets)| **packets != 0) {
            totals.services.insert(service_at(index), mem::take(packets));
        }
        for (index, packets) in self.regions.iter_mut().enumerate().filter(|(_, packets)| **packets != 0) {
            totals.regions.insert(Region::at(index), mem::take(packets));
        }
        for (number, classes) in (0u8..).zip(&mut self.sensors) {
            for (class, packets) in Class::ALL.into_iter().zip(classes).filter(|(_, packets)| **packets != 0)
            {
                totals.sensors.insert((number, class), mem::take(packets));
            }
        }
        for (tool, packets) in
            Tool::ALL.into_iter().zip(&mut self.tools).filter(|(_, packets)| **packets != 0)
        {
            totals.tools.insert(tool, mem::take(packets));
        }
        for (index, packets) in self.attacked.iter_mut().enumerate().filter(|(_, packets)| **packets != 0) {
            totals.attacked.insert(service_at(index), mem::take(packets));
        }
    }
}

/// Place of a kind's service in [`Scratch::services`], if it has one. `port` as in a key.
fn service_index(kind: Kind, family: Family, port: u16) -> Option<usize> {
    let row = match kind {
        Kind::Syn | Kind::Tcp => 0,
        Kind::Udp => 1,
        Kind::Sctp => 2,
        kind if kind.has_icmp_type() => {
            return Some(PORTS + ((family as usize) << 8) + usize::from(port >> 8));
        }
        _ => return None,
    };
    Some(row << 16 | usize::from(port))
}

/// Place of the service that a packet of backscatter tells of in [`Scratch::attacked`], if it has a port.
fn attacked_index(kind: Kind, port: u16) -> Option<usize> {
    let row = match Protocol::of_kind(kind, Family::V4).filter(|_| has_victim_port(kind))? {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
        _ => return None,
    };
    Some(row << 16 | usize::from(port))
}

/// The service at a place of [`Scratch::services`].
fn service_at(index: usize) -> Service {
    match index.checked_sub(PORTS) {
        None => Service { protocol: WITH_PORTS[index >> 16], number: index as u16 },
        Some(icmp) => Service {
            protocol: if icmp >> 8 == 0 { Protocol::Icmp } else { Protocol::Icmpv6 },
            number: (icmp & 0xff) as u16,
        },
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::{key::Key, layout::Slot};

    use crate::{
        geo::{Geo, Paths},
        kernel::{Span, Unattributed},
    };

    use super::*;

    fn slot(kind: Kind, port: u16, source: u64, sensor: u8, packets: u32) -> Slot {
        by_tool(Tool::None, kind, port, source, sensor, packets)
    }

    fn by_tool(tool: Tool, kind: Kind, port: u16, source: u64, sensor: u8, packets: u32) -> Slot {
        let key = Key { source, port, kind, family: Family::V4, tool, sensor };
        Slot { source, meta: key.meta(), packets }
    }

    fn drain(start_ns: u64, tallies: Vec<Slot>, unattributed: Vec<Unattributed>) -> Drain {
        let lost = unattributed.iter().map(|row| row.packets).sum();
        let mut drain = Drain {
            span: Span { start_ns, end_ns: start_ns + 10 },
            tallies,
            unattributed,
            lost,
            ..Drain::default()
        };
        drain.outcomes.packets = drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum::<u64>() + lost;
        drain.outcomes.runs = drain.outcomes.packets;
        drain
    }

    fn live(rows: Option<&[Dimension]>) -> (Live, std::sync::Arc<Tables>) {
        let sensors = ["dark=192.0.2.0/24", "lit=198.51.100.0/24;role=lit"];
        let sensors = Sensors::new(sensors.map(|text| text.parse().unwrap()).to_vec()).unwrap();
        let geo = Geo::open(Paths::default()).unwrap().tables();
        (Live::new(sensors, SourceLengths { v4: 32, v6: 64 }, rows), geo)
    }

    #[test]
    fn every_service_has_a_place_of_its_own() {
        for (kind, family, port, name) in [
            (Kind::Syn, Family::V4, 23, "23/tcp"),
            (Kind::Tcp, Family::V6, u16::MAX, "65535/tcp"),
            (Kind::Udp, Family::V4, 0, "0/udp"),
            (Kind::Sctp, Family::V4, 9, "9/sctp"),
            (Kind::Echo, Family::V4, 8 << 8, "8/icmp"),
            (Kind::Echo, Family::V6, 128 << 8, "128/icmpv6"),
            (Kind::Icmp, Family::V6, 255 << 8 | 7, "255/icmpv6"),
        ] {
            assert_eq!(service_at(service_index(kind, family, port).unwrap()).to_string(), name);
        }
        assert_eq!(service_index(Kind::SynAck, Family::V4, 80), None);
        assert_eq!(service_index(Kind::Ip, Family::V4, 47), None);
    }

    #[test]
    fn classes_hang_on_the_sensors_role() {
        let (mut live, geo) = live(None);
        // 1.1.1.1 is routable and unknown without a database, 10.0.0.1 is not routable.
        let tallies = vec![
            slot(Kind::Syn, 23, 0x0101_0101, 0, 5),
            slot(Kind::Syn, 23, 0x0a00_0001, 1, 2),
            slot(Kind::Tcp, 23, 0x0101_0101, 0, 3),
            slot(Kind::Tcp, 23, 0x0101_0101, 1, 4),
            slot(Kind::SynAck, 80, 0x0101_0101, 1, 7),
        ];
        live.absorb(&drain(100, tallies, Vec::new()), &geo);
        let interval = live.close().unwrap();
        let totals = &interval.totals;
        assert_eq!([Class::Scan, Class::Backscatter, Class::Other].map(|c| totals.of_class(c)), [10, 7, 4]);
        assert_eq!(totals.top_services(9), (vec![(Service { protocol: Protocol::Tcp, number: 23 }, 10)], 10));
        assert_eq!(totals.regions[&Region::UNKNOWN], 8);
        assert_eq!(totals.regions[&Region::NON_ROUTABLE], 2);
        assert_eq!(totals.top_regions(9), (Vec::new(), 0));
        assert!(live.close().is_none());
    }

    #[test]
    fn packets_belong_to_a_sensor_and_scans_to_a_tool() {
        let (mut live, geo) = live(None);
        let tallies = vec![
            by_tool(Tool::Mirai, Kind::Syn, 23, 0x0101_0101, 0, 5),
            by_tool(Tool::Zmap, Kind::Syn, 443, 0x0101_0101, 1, 2),
            slot(Kind::Udp, 53, 0x0101_0101, 1, 4),
            slot(Kind::Tcp, 23, 0x0101_0101, 1, 8),
            slot(Kind::SynAck, 80, 0x0101_0101, 0, 16),
            // A sensor that is not configured.
            slot(Kind::Syn, 23, 0x0101_0101, 2, 32),
        ];
        let lost = Unattributed { kind: Kind::Syn, family: None, detail: Detail::Port(23), packets: 64 };
        live.absorb(&drain(100, tallies, vec![lost]), &geo);
        live.absorb(&drain(110, vec![slot(Kind::Udp, 53, 0x0101_0101, 1, 1)], Vec::new()), &geo);
        let totals = live.close().unwrap().totals;
        let sensors = [
            ((0, Class::Scan), 5),
            ((0, Class::Backscatter), 16),
            ((1, Class::Scan), 7),
            ((1, Class::Other), 8),
        ];
        assert_eq!(totals.sensors, sensors.into_iter().collect());
        let tools = [(Tool::Mirai, 5), (Tool::Zmap, 2), (Tool::None, 5)];
        assert_eq!(totals.tools, tools.into_iter().collect());
        assert_eq!(live.since_start().sensors, totals.sensors);
        assert_eq!(live.since_start().tools, totals.tools);
    }

    #[test]
    fn what_lost_its_source_keeps_its_port() {
        let lost = |kind, detail, packets| Unattributed { kind, family: None, detail, packets };
        let (mut live, geo) = live(Some(&[Dimension::Class, Dimension::DstPort, Dimension::Region]));
        let unattributed = vec![
            lost(Kind::Syn, Detail::Port(23), 6),
            // Scan on the dark sensor, other on the lit one: the class stays open.
            lost(Kind::Tcp, Detail::Port(23), 1),
        ];
        live.absorb(&drain(100, vec![slot(Kind::Syn, 23, 0x0101_0101, 0, 5)], unattributed), &geo);
        let interval = live.close().unwrap();
        assert_eq!(interval.totals.lost, 7);
        assert_eq!(interval.totals.top_services(1).1, 11);
        assert_eq!(interval.totals.regions[&Region::UNATTRIBUTED], 6);
        assert_eq!(interval.totals.classes[&(None, Kind::Tcp)], 1);
        let row = |class, region| Row { class, dst_port: Some(23), region: Some(region), ..Row::default() };
        assert_eq!(
            interval.rows,
            [
                (row(Some(Class::Scan), Region::UNATTRIBUTED), 6),
                (row(Some(Class::Scan), Region::UNKNOWN), 5),
                (row(None, Region::UNATTRIBUTED), 1),
            ]
        );
    }

    #[test]
    fn several_drains_make_an_interval_and_intervals_make_the_total() {
        let (mut live, geo) = live(Some(&[Dimension::Time, Dimension::DstPort]));
        for start in [100, 110] {
            live.absorb(&drain(start, vec![slot(Kind::Syn, 23, 0x0101_0101, 0, 5)], Vec::new()), &geo);
        }
        let interval = live.close().unwrap();
        assert_eq!((interval.start_ns, interval.end_ns), (100, 120));
        assert_eq!(interval.rows, [(Row { time: Some(100), dst_port: Some(23), ..Row::default() }, 10)]);
        live.absorb(&drain(120, vec![slot(Kind::Udp, 53, 0x0101_0101, 0, 1)], Vec::new()), &geo);
        let interval = live.close().unwrap();
        assert_eq!(interval.totals.outcomes.packets, 1);
        assert_eq!(live.since_start().outcomes.packets, 11);
        assert_eq!(live.since_start().services.len(), 2);
    }
}
