//! The books of one drain: dense counters against joint ones.

use sensor_common::{
    classify::icmp_kind,
    key::Key,
    kind::{Family, Kind},
    layout::{Block, Cell, Dense, Outcomes, Ports, Slot},
};

/// What one drain took out of the kernel: all that was counted in one epoch.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    /// Number of the epoch; every epoch is drained once.
    pub epoch: u64,
    /// When it was counted.
    pub span: Span,
    /// Joint counts. The same key may occur several times; its counts add up.
    pub tallies: Vec<Slot>,
    /// Packets whose joint detail was lost, by what the dense counters still tell of them.
    pub unattributed: Vec<Unattributed>,
    /// Packets and IP bytes by kind (in the order of [`Kind::ALL`]) and family.
    pub kinds: [[Cell; 2]; Kind::ALL.len()],
    /// How the runs of the program ended.
    pub outcomes: Outcomes,
    /// Packets whose joint detail was lost: the sum of `unattributed`.
    pub lost: u64,
    /// Frames whose counters could not be found. Must be 0.
    pub uncounted: u64,
    /// Records of `tallies` that came through the spill log.
    pub spilled: u64,
    /// Identities that do not hold. Must be empty.
    pub mismatches: Vec<Mismatch>,
}

/// A span of wall-clock time, in nanoseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start_ns: u64,
    pub end_ns: u64,
}

/// Packets of which only the dense counters know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unattributed {
    pub kind: Kind,
    /// `None` where the dense counter holds both families.
    pub family: Option<Family>,
    pub detail: Detail,
    pub packets: u64,
}

/// What a dense counter tells of a packet beside its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Destination port.
    Port(u16),
    /// ICMP type; the code is not known.
    IcmpType(u8),
    /// IP protocol.
    Protocol(u8),
    /// Nothing.
    None,
}

/// An identity of the books that does not hold: a defect of the program or of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epoch {epoch}: {identity}: {left} is not {right}")]
pub struct Mismatch {
    pub epoch: u64,
    /// The identity, both sides by name.
    pub identity: &'static str,
    pub left: u64,
    pub right: u64,
}

const ICMP_CELLS: usize = 2 * 256;
const PROTOCOL_CELLS: usize = 2 * 2 * 256;

/// The dense counters of all CPUs in one bank, added up, and what is left of them when the joint
/// counts are taken out.
pub struct Books {
    ports: Vec<u64>,
    slash16: Vec<u64>,
    icmp: [u64; ICMP_CELLS],
    protocols: [u64; PROTOCOL_CELLS],
    kinds: [[Cell; 2]; Kind::ALL.len()],
    outcomes: Outcomes,
    lost: u64,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            ports: vec![0; Kind::WITH_DST_PORT << 16],
            slash16: vec![0; 1 << 16],
            icmp: [0; ICMP_CELLS],
            protocols: [0; PROTOCOL_CELLS],
            kinds: Default::default(),
            outcomes: Outcomes::default(),
            lost: 0,
        }
    }
}

impl Books {
    /// Adds what one CPU counted.
    pub fn add(&mut self, block: &Block, ports: &Ports) {
        fn cells<'a>(sums: &mut [u64], cells: impl Iterator<Item = &'a Cell>) {
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += cell.packets;
            }
        }
        cells(&mut self.ports, ports.cells.as_flattened().iter());
        cells(&mut self.icmp, block.icmp.as_flattened().iter());
        cells(&mut self.protocols, block.protocols.as_flattened().as_flattened().iter());
        for (sum, packets) in self.slash16.iter_mut().zip(&block.slash16) {
            *sum += packets;
        }
        for (sums, cells) in self.kinds.iter_mut().zip(&block.kinds) {
            for (sum, cell) in sums.iter_mut().zip(cells) {
                sum.packets += cell.packets;
                sum.bytes += cell.bytes;
            }
        }
        let (sum, one) = (&mut self.outcomes, &block.outcomes);
        sum.runs += one.runs;
        sum.non_ip += one.non_ip;
        sum.malformed += one.malformed;
        sum.unwatched += one.unwatched;
        sum.local += one.local;
        sum.packets += one.packets;
        self.lost += block.lost;
    }

    /// Takes the joint counts out of the dense ones, checks every identity on the way, and closes
    /// the books: they are empty afterwards.
    ///
    /// Fills in all of the drain but its epoch, span, tallies, `uncounted` and `spilled`.
    pub fn settle(&mut self, drain: &mut Drain) {
        let epoch = drain.epoch;
        let mismatches = &mut drain.mismatches;
        let mut hold = |identity, left: u64, right: u64| {
            if left != right {
                mismatches.push(Mismatch { epoch, identity, left, right });
            }
        };

        let outcomes = self.outcomes;
        let ended =
            outcomes.non_ip + outcomes.malformed + outcomes.unwatched + outcomes.local + outcomes.packets;
        hold("runs = non_ip + malformed + unwatched + local + packets", outcomes.runs, ended);
        let of_kinds = |matching: fn(Kind) -> bool| -> u64 {
            let of = |kind: &Kind| self.kinds[*kind as usize].iter().map(|cell| cell.packets).sum::<u64>();
            Kind::ALL.iter().filter(|kind| matching(**kind)).map(of).sum()
        };
        hold("kinds = packets", of_kinds(|_| true), outcomes.packets);
        hold("ports = kinds with a port", self.ports.iter().sum(), of_kinds(Kind::has_dst_port));
        hold("ICMP types = kinds with a type", self.icmp.iter().sum(), of_kinds(Kind::has_icmp_type));
        hold("protocols = fragment + ip", self.protocols.iter().sum(), of_kinds(Kind::has_protocol));
        let of_v4: u64 = self.kinds.iter().map(|cells| cells[Family::V4 as usize].packets).sum();
        hold("/16s = IPv4 packets", self.slash16.iter().sum(), of_v4);

        let mut rest = self.kinds.map(|cells| cells.map(|cell| cell.packets));
        let (mut joint, mut unknown, mut overdrawn) = (0, 0, 0);
        for slot in &drain.tallies {
            let packets = u64::from(slot.packets);
            joint += packets;
            let Some(key) = Key::unpack(slot.source, slot.meta) else {
                unknown += packets;
                continue;
            };
            let mut take = |from: &mut u64| match from.checked_sub(packets) {
                Some(left) => *from = left,
                None => overdrawn += packets,
            };
            take(&mut rest[key.kind as usize][key.family as usize]);
            match Dense::of(&key) {
                Dense::Port(row, port) => take(&mut self.ports[row << 16 | usize::from(port)]),
                Dense::Icmp(family, icmp_type) => {
                    take(&mut self.icmp[(family as usize) << 8 | usize::from(icmp_type)]);
                }
                Dense::Protocol(row, family, protocol) => {
                    take(&mut self.protocols[row << 9 | (family as usize) << 8 | usize::from(protocol)]);
                }
                Dense::Kind => {}
            }
            if key.family == Family::V4 {
                take(&mut self.slash16[(slot.source >> 16) as usize & 0xffff]);
            }
        }
        hold("slots + spill log + lost = packets", joint + self.lost, outcomes.packets);
        hold("tallies of unknown kind = 0", unknown, 0);
        hold("tallies beyond their dense counter = 0", overdrawn, 0);

        let unattributed = self.unattributed(&rest);
        hold("unattributed = lost", unattributed.iter().map(|row| row.packets).sum(), self.lost);
        let lost_v4: u64 = rest.iter().map(|families| families[Family::V4 as usize]).sum();
        hold("/16s without a tally = lost IPv4 packets", self.slash16.iter().sum(), lost_v4);

        drain.unattributed = unattributed;
        drain.kinds = self.kinds;
        drain.outcomes = outcomes;
        drain.lost = self.lost;
        self.close();
    }

    /// What the dense counters hold beyond the joint ones. `rest`: the same by kind and family.
    fn unattributed(&self, rest: &[[u64; 2]; Kind::ALL.len()]) -> Vec<Unattributed> {
        let families = [Family::V4, Family::V6];
        let ports = self.ports.iter().enumerate().map(|(index, &packets)| Unattributed {
            kind: Kind::ALL[index >> 16],
            family: None,
            detail: Detail::Port(index as u16),
            packets,
        });
        let icmp = self.icmp.iter().enumerate().map(|(index, &packets)| Unattributed {
            kind: icmp_kind(families[index >> 8], index as u8),
            family: Some(families[index >> 8]),
            detail: Detail::IcmpType(index as u8),
            packets,
        });
        let protocols = self.protocols.iter().enumerate().map(|(index, &packets)| Unattributed {
            kind: if index >> 9 == 0 { Kind::Fragment } else { Kind::Ip },
            family: Some(families[index >> 8 & 1]),
            detail: Detail::Protocol(index as u8),
            packets,
        });
        let kinds = Kind::ALL
            .into_iter()
            .filter(|kind| !(kind.has_dst_port() || kind.has_icmp_type() || kind.has_protocol()));
        let kinds = kinds.flat_map(|kind| {
            families.map(|family| Unattributed {
                kind,
                family: Some(family),
                detail: Detail::None,
                packets: rest[kind as usize][family as usize],
            })
        });
        ports.chain(icmp).chain(protocols).chain(kinds).filter(|row| row.packets != 0).collect()
    }

    fn close(&mut self) {
        self.ports.fill(0);
        self.slash16.fill(0);
        self.icmp.fill(0);
        self.protocols.fill(0);
        self.kinds = Default::default();
        self.outcomes = Outcomes::default();
        self.lost = 0;
    }
}
