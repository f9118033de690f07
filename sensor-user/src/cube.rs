//! From tallies to rows: what was counted, by the dimensions that somebody asked for.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sensor_common::{
    key::Key,
    kind::{Family, Kind},
    layout::Slot,
};

use crate::{
    geo::Tables,
    kernel::{Drain, Unattributed, account::Detail},
    model::{Class, Dimension, Prefix, Protocol, Region, Row, Sensors},
};

/// Length of an IPv4 `prefix`, in bits.
const V4_PREFIX: u8 = 24;
/// Length of an IPv6 `prefix`, in bits.
const V6_PREFIX: u8 = 48;

/// To how many bits the sensor cut sources before it counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLengths {
    /// Of the IPv4 address, 16 to 32.
    pub v4: u8,
    /// Of the IPv6 address, 16 to 64.
    pub v6: u8,
}

impl SourceLengths {
    fn of(self, family: Family) -> u8 {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// Counts of packets by some dimensions.
#[derive(Clone, Debug)]
pub struct Cube {
    dimensions: Vec<Dimension>,
    /// Bit `d` is set if dimension `d` is asked for.
    asked: u32,
    lengths: SourceLengths,
    rows: HashMap<Row, u64, FixedState>,
    /// The most rows that are kept.
    limit: usize,
    /// Packets that found no room.
    cut: u64,
}

impl Cube {
    /// An empty cube of these dimensions, in this order.
    pub fn new(dimensions: &[Dimension], lengths: SourceLengths) -> Self {
        Self {
            dimensions: dimensions.to_vec(),
            asked: dimensions.iter().fold(0, |asked, &dimension| asked | 1 << dimension as u8),
            lengths,
            rows: HashMap::default(),
            limit: usize::MAX,
            cut: 0,
        }
    }

    /// The same cube with a bound on its rows: packets that would want a further one are only
    /// counted, as [`Cube::cut`].
    pub fn bounded(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The dimensions, in the order of the columns.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// Adds all packets of a drain. `time`: the start of its interval in nanoseconds since 1970.
    pub fn add(&mut self, drain: &Drain, time: i64, sensors: &Sensors, geo: &Tables) {
        for slot in &drain.tallies {
            if let Some(row) = self.joint(slot, time, sensors, geo) {
                self.count(row, u64::from(slot.packets));
            }
        }
        for unattributed in &drain.unattributed {
            self.count(self.unattributed(unattributed, time, sensors), unattributed.packets);
        }
    }

    fn count(&mut self, row: Row, packets: u64) {
        if let Some(count) = self.rows.get_mut(&row) {
            *count += packets;
        } else if self.rows.len() < self.limit {
            self.rows.insert(row, packets);
        } else {
            self.cut += packets;
        }
    }

    /// Packets that found no room since the cube was made or cleared.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.cut = 0;
    }

    /// Rows and their packets, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Row, u64)> {
        self.rows.iter().map(|(row, &packets)| (row, packets))
    }

    /// Rows and their packets: by time where that is asked, then the most packets first, then by
    /// their values.
    pub fn sorted(&self) -> Vec<(Row, u64)> {
        let mut rows: Vec<(Row, u64)> = self.rows.iter().map(|(&row, &packets)| (row, packets)).collect();
        rows.sort_unstable_by(|(a, more), (b, less)| {
            a.time.cmp(&b.time).then(less.cmp(more)).then_with(|| a.cmp(b))
        });
        rows
    }

    const fn asks(&self, dimension: Dimension) -> bool {
        self.asked & 1 << dimension as u8 != 0
    }

    /// The row of a tally. `None` for a kind that this agent does not know, which the books have
    /// reported as a mismatch.
    fn joint(&self, slot: &Slot, time: i64, sensors: &Sensors, geo: &Tables) -> Option<Row> {
        let key = Key::unpack(slot.source, slot.meta)?;
        let mut row = self.outer(time, key.kind);
        if self.asks(Dimension::Sensor) {
            row.sensor = Some(key.sensor);
        }
        if self.asks(Dimension::Class) {
            row.class = sensors.get(key.sensor).map(|sensor| Class::of(key.kind, sensor.role));
        }
        if self.asks(Dimension::Family) {
            row.family = Some(key.family);
        }
        if self.asks(Dimension::Protocol) {
            row.protocol = Some(
                Protocol::of_kind(key.kind, key.family)
                    .unwrap_or_else(|| Protocol::of_number(key.port as u8, key.family)),
            );
        }
        if self.asks(Dimension::DstPort) && key.kind.has_dst_port() {
            row.dst_port = Some(key.port);
        }
        if self.asks(Dimension::VictimPort) && has_victim_port(key.kind) {
            row.victim_port = Some(key.port);
        }
        if key.kind.has_icmp_type() {
            if self.asks(Dimension::IcmpType) {
                row.icmp_type = Some((key.port >> 8) as u8);
            }
            if self.asks(Dimension::IcmpCode) {
                row.icmp_code = Some(key.port as u8);
            }
        }
        let counted = self.lengths.of(key.family);
        if self.asks(Dimension::Source) {
            row.source = Some(Prefix { family: key.family, source: key.source, length: counted });
        }
        if self.asks(Dimension::Prefix) {
            let (width, length) = match key.family {
                Family::V4 => (32, V4_PREFIX.min(counted)),
                Family::V6 => (64, V6_PREFIX.min(counted)),
            };
            let cut = width - u32::from(length);
            row.prefix = Some(Prefix { family: key.family, source: key.source >> cut << cut, length });
        }
        if self.asks(Dimension::Region) {
            row.region = Some(geo.region(key.family, key.source));
        }
        if self.asks(Dimension::Asn) {
            row.asn = geo.asn(key.family, key.source);
        }
        if self.asks(Dimension::Tool) {
            row.tool = Some(key.tool);
        }
        Some(row)
    }

    /// The row of packets whose source was lost.
    fn unattributed(&self, lost: &Unattributed, time: i64, sensors: &Sensors) -> Row {
        let mut row = self.outer(time, lost.kind);
        if self.asks(Dimension::Class) {
            row.class = class_of_unattributed(lost.kind, sensors);
        }
        if self.asks(Dimension::Family) {
            row.family = lost.family;
        }
        if self.asks(Dimension::Protocol) {
            // Kinds whose dense counter holds both families have the same protocol in both.
            let family = lost.family.unwrap_or(Family::V4);
            row.protocol = match lost.detail {
                Detail::Protocol(number) => Some(Protocol::of_number(number, family)),
                _ => Protocol::of_kind(lost.kind, family),
            };
        }
        match lost.detail {
            Detail::Port(port) if self.asks(Dimension::DstPort) => row.dst_port = Some(port),
            Detail::IcmpType(icmp_type) if self.asks(Dimension::IcmpType) => row.icmp_type = Some(icmp_type),
            _ => {}
        }
        if self.asks(Dimension::Region) {
            row.region = Some(Region::UNATTRIBUTED);
        }
        row
    }

    /// What a row has whatever else it has.
    fn outer(&self, time: i64, kind: Kind) -> Row {
        Row {
            time: self.asks(Dimension::Time).then_some(time),
            kind: self.asks(Dimension::Kind).then_some(match kind {
                Kind::IcmpErrorTcp | Kind::IcmpErrorUdp | Kind::IcmpErrorIcmp => Kind::IcmpErrorOther,
                kind => kind,
            }),
            ..Row::default()
        }
    }
}

/// Whether the key's port is that of the service that answered, or was said to be out of reach.
fn has_victim_port(kind: Kind) -> bool {
    matches!(kind, Kind::Rst | Kind::SynAck | Kind::UdpReply | Kind::IcmpErrorTcp | Kind::IcmpErrorUdp)
}

/// The class of a kind where the sensor is not known; `None` if it hangs on the sensor's role and
/// the roles differ.
pub fn class_of_unattributed(kind: Kind, sensors: &Sensors) -> Option<Class> {
    let mut classes = sensors.iter().map(|sensor| Class::of(kind, sensor.role));
    let first = classes.next()?;
    classes.all(|class| class == first).then_some(first)
}
