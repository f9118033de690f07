//! Rows by the dimensions that somebody asked for.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sensor_common::{
    key::Key,
    kind::{Family, Kind},
    layout::Slot,
};

use super::{SourceLengths, V4_PREFIX, V6_PREFIX, class_of_unattributed};
use crate::{
    geo::Tables,
    kernel::{Drain, Unattributed, account::Detail},
    model::{Class, Dimension, Prefix, Protocol, Region, Row, Sensors, has_victim_port, named_kind},
};

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
            kind: self.asks(Dimension::Kind).then_some(named_kind(kind)),
            ..Row::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::{kind::Tool, layout::Slot};

    use super::*;
    use crate::{
        geo::{Geo, Paths},
        model::{Role, Value},
    };

    const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };

    fn slot(kind: Kind, family: Family, port: u16, source: u64) -> Slot {
        let key = Key { source, port, kind, family, tool: Tool::None, sensor: 0 };
        Slot { source, meta: key.meta(), packets: 1 }
    }

    fn cube(dimensions: &[Dimension], lengths: SourceLengths, drain: &Drain) -> Cube {
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let mut cube = Cube::new(dimensions, lengths);
        cube.add(drain, 0, &Sensors::everything("a", Role::Dark), &geo);
        cube
    }

    /// The values of a single slot.
    fn values(dimensions: &[Dimension], slot: Slot) -> Vec<String> {
        let drain = Drain { tallies: vec![slot], ..Drain::default() };
        let rows = cube(dimensions, LENGTHS, &drain).sorted();
        assert_eq!(rows.len(), 1);
        let sensors = Sensors::everything("a", Role::Dark);
        let value = |&dimension| match rows[0].0.value(dimension, &sensors) {
            Value::Null => "-".to_owned(),
            value => value.to_string(),
        };
        dimensions.iter().map(value).collect()
    }

    #[test]
    fn a_port_of_a_key_goes_where_its_kind_says() {
        let dimensions = [
            Dimension::Kind,
            Dimension::Protocol,
            Dimension::DstPort,
            Dimension::VictimPort,
            Dimension::IcmpType,
            Dimension::IcmpCode,
        ];
        for (kind, family, port, expected) in [
            (Kind::Syn, Family::V4, 23, "syn tcp 23 - - -"),
            (Kind::Tcp, Family::V6, 0, "tcp tcp 0 - - -"),
            (Kind::Udp, Family::V4, 53, "udp udp 53 - - -"),
            (Kind::Sctp, Family::V4, 9, "sctp sctp 9 - - -"),
            (Kind::Rst, Family::V4, 80, "rst tcp - 80 - -"),
            (Kind::SynAck, Family::V4, 443, "synack tcp - 443 - -"),
            (Kind::UdpReply, Family::V6, 123, "udp_reply udp - 123 - -"),
            (Kind::Echo, Family::V4, 8 << 8, "echo icmp - - 8 0"),
            (Kind::Echo, Family::V6, 128 << 8, "echo icmpv6 - - 128 0"),
            (Kind::IcmpReply, Family::V4, 0, "icmp_reply icmp - - 0 0"),
            (Kind::IcmpErrorTcp, Family::V4, 80, "icmp_error tcp - 80 - -"),
            (Kind::IcmpErrorUdp, Family::V6, 53, "icmp_error udp - 53 - -"),
            (Kind::IcmpErrorIcmp, Family::V6, 0, "icmp_error icmpv6 - - - -"),
            (Kind::IcmpErrorOther, Family::V4, 132, "icmp_error sctp - - - -"),
            (Kind::IcmpErrorOther, Family::V4, 47, "icmp_error 47 - - - -"),
            (Kind::IcmpMismatch, Family::V4, 3 << 8 | 1, "icmp_mismatch icmp - - 3 1"),
            (Kind::Icmp, Family::V4, 13 << 8, "icmp icmp - - 13 0"),
            (Kind::Fragment, Family::V4, 17, "fragment udp - - - -"),
            (Kind::Fragment, Family::V6, 1, "fragment 1 - - - -"),
            (Kind::Ip, Family::V4, 58, "ip 58 - - - -"),
            (Kind::Ip, Family::V6, 50, "ip 50 - - - -"),
        ] {
            let values = values(&dimensions, slot(kind, family, port, 1));
            assert_eq!(values.join(" "), expected, "{kind:?}");
        }
    }

    #[test]
    fn icmp_errors_of_all_protocols_are_one_kind() {
        let kinds = [Kind::IcmpErrorTcp, Kind::IcmpErrorUdp, Kind::IcmpErrorIcmp, Kind::IcmpErrorOther];
        let tallies = kinds.map(|kind| slot(kind, Family::V4, 0, 1)).to_vec();
        let rows = cube(&[Dimension::Kind], LENGTHS, &Drain { tallies, ..Drain::default() }).sorted();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].1, 4);
    }

    #[test]
    fn sources_and_prefixes() {
        let dimensions = [Dimension::Family, Dimension::Source, Dimension::Prefix, Dimension::Region];
        let v4 = values(&dimensions, slot(Kind::Syn, Family::V4, 23, 0xc633_6407));
        assert_eq!(v4, ["4", "198.51.100.7", "198.51.100.0/24", "non-routable"]);
        let v6 = values(&dimensions, slot(Kind::Syn, Family::V6, 23, 0x2a00_1450_4001_0815));
        assert_eq!(v6, ["6", "2a00:1450:4001:815::/64", "2a00:1450:4001::/48", "unknown"]);
        let drain = Drain { tallies: vec![slot(Kind::Syn, Family::V4, 23, 0xc633_0000)], ..Drain::default() };
        let cut = cube(&dimensions, SourceLengths { v4: 16, v6: 64 }, &drain).sorted()[0].0;
        assert_eq!(cut.source.unwrap().to_string(), "198.51.0.0/16");
        assert_eq!(cut.prefix, cut.source);
    }

    #[test]
    fn rows_beyond_the_bound_are_counted_as_cut() {
        let tallies = (0..10).map(|source| slot(Kind::Syn, Family::V4, 23, source)).collect();
        let drain = Drain { tallies, ..Drain::default() };
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let sensors = Sensors::everything("a", Role::Dark);
        let mut cube = Cube::new(&[Dimension::Source], LENGTHS).bounded(4);
        cube.add(&drain, 0, &sensors, &geo);
        cube.add(&drain, 0, &sensors, &geo);
        let kept: u64 = cube.iter().map(|(_, packets)| packets).sum();
        assert_eq!((cube.sorted().len(), kept, cube.cut()), (4, 8, 12));
        cube.clear();
        assert_eq!((cube.sorted().len(), cube.cut()), (0, 0));
    }
}
