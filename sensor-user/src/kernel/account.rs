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

impl Drain {
    /// The same as if every frame had come so many times.
    pub fn multiply(&mut self, times: u32) {
        let Self { tallies, unattributed, kinds, outcomes, lost, uncounted, .. } = self;
        tallies.iter_mut().for_each(|slot| slot.packets = slot.packets.saturating_mul(times));
        let cells = kinds.as_flattened_mut().iter_mut();
        let cells = cells.flat_map(|Cell { packets, bytes }| [packets, bytes]);
        let Outcomes { runs, non_ip, malformed, unwatched, local, packets } = outcomes;
        let counts = [runs, non_ip, malformed, unwatched, local, packets, lost, uncounted];
        let unattributed = unattributed.iter_mut().map(|part| &mut part.packets);
        for count in cells.chain(counts).chain(unattributed) {
            *count = count.saturating_mul(times.into());
        }
    }
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

/// Every identity that the books are held to. A store names them by their place: add at the end.
pub const IDENTITIES: [&str; 11] = [
    "runs = non_ip + malformed + unwatched + local + packets",
    "kinds = packets",
    "ports = kinds with a port",
    "ICMP types = kinds with a type",
    "protocols = fragment + ip",
    "/16s = IPv4 packets",
    "slots + spill log + lost = packets",
    "tallies of unknown kind = 0",
    "tallies beyond their dense counter = 0",
    "unattributed = lost",
    "/16s without a tally = lost IPv4 packets",
];

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
                *sum += *cell;
            }
        }
        self.outcomes += block.outcomes;
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
            debug_assert!(IDENTITIES.contains(&identity), "{identity}");
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
            match Dense::of(slot.meta) {
                Dense::Port(row, port) => take(&mut self.ports[row << 16 | usize::from(port)]),
                Dense::Icmp(family, icmp_type) => {
                    take(&mut self.icmp[family << 8 | usize::from(icmp_type)]);
                }
                Dense::Protocol(row, family, protocol) => {
                    take(&mut self.protocols[row << 9 | family << 8 | usize::from(protocol)]);
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

#[cfg(test)]
mod tests {
    use sensor_common::{key::Meta, kind::Tool};

    use super::*;

    /// The counters of one CPU, counted as the program does.
    struct Cpu {
        block: Box<Block>,
        ports: Box<Ports>,
        tallies: Vec<Slot>,
    }

    fn zeroed<T>() -> Box<T> {
        // SAFETY: counters are plain integers, for which all zeroes is a value.
        unsafe { Box::<T>::new_zeroed().assume_init() }
    }

    impl Cpu {
        fn new() -> Self {
            Self { block: zeroed(), ports: zeroed(), tallies: Vec::new() }
        }

        fn count(&mut self, kind: Kind, family: Family, port: u16, source: u64, packets: u32) {
            let key = Key { source, port, kind, family, tool: Tool::None, sensor: 0 };
            let more = u64::from(packets);
            self.block.outcomes.runs += more;
            self.block.outcomes.packets += more;
            self.block.kinds[kind as usize][family as usize].packets += more;
            match Dense::of(key.meta()) {
                Dense::Port(row, port) => self.ports.cells[row][usize::from(port)].packets += more,
                Dense::Icmp(family, icmp_type) => {
                    self.block.icmp[family][usize::from(icmp_type)].packets += more;
                }
                Dense::Protocol(row, family, protocol) => {
                    self.block.protocols[row][family][usize::from(protocol)].packets += more;
                }
                Dense::Kind => {}
            }
            if family == Family::V4 {
                self.block.slash16[(source >> 16) as usize & 0xffff] += more;
            }
            self.tallies.push(Slot { source, meta: key.meta(), packets });
        }

        fn settled(self) -> Drain {
            let mut drain = Drain { epoch: 7, tallies: self.tallies, ..Drain::default() };
            let mut books = Books::default();
            books.add(&self.block, &self.ports);
            books.settle(&mut drain);
            let mut empty = Drain::default();
            books.settle(&mut empty);
            assert_eq!(
                (empty.outcomes, empty.mismatches.len()),
                (Outcomes::default(), 0),
                "books were not closed"
            );
            drain
        }
    }

    /// Every kind in both families, some packets each.
    fn busy() -> Cpu {
        let mut cpu = Cpu::new();
        for kind in Kind::ALL {
            for family in [Family::V4, Family::V6] {
                cpu.count(kind, family, if kind.has_protocol() { 47 } else { 0x0803 }, 0x0102_0304, 3);
            }
        }
        cpu
    }

    fn broken(change: impl FnOnce(&mut Cpu)) -> Vec<&'static str> {
        let mut cpu = busy();
        change(&mut cpu);
        cpu.settled().mismatches.into_iter().map(|mismatch| mismatch.identity).collect()
    }

    #[test]
    fn frames_that_come_several_times_keep_the_books() {
        let mut cpu = busy();
        // Four packets whose joint detail is lost.
        cpu.count(Kind::Syn, Family::V4, 23, 1, 4);
        cpu.tallies.pop();
        cpu.block.lost += 4;
        let once = cpu.settled();
        assert_eq!((once.lost, once.mismatches.len()), (4, 0));
        let mut drain = once.clone();
        drain.multiply(5);
        assert_eq!(drain.outcomes.runs, 5 * once.outcomes.runs);
        assert_eq!(drain.outcomes.packets, 5 * once.outcomes.packets);
        assert_eq!(drain.lost, 5 * once.lost);
        let of = |drain: &Drain| {
            let tallies: u64 = drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum();
            let kinds: u64 = drain.kinds.as_flattened().iter().map(|cell| cell.packets).sum();
            let unattributed: u64 = drain.unattributed.iter().map(|part| part.packets).sum();
            [tallies, kinds, unattributed]
        };
        assert_eq!(of(&drain), of(&once).map(|packets| 5 * packets));
    }

    #[test]
    fn books_that_hold() {
        let drain = busy().settled();
        assert_eq!(drain.mismatches, []);
        assert_eq!(drain.outcomes.packets, 3 * 2 * Kind::ALL.len() as u64);
        assert_eq!(drain.kinds[Kind::Syn as usize][1].packets, 3);
        assert_eq!(drain.unattributed, []);
    }

    #[test]
    fn cpus_add_up() {
        let mut books = Books::default();
        let mut drain = Drain::default();
        for cpu in [busy(), busy()] {
            books.add(&cpu.block, &cpu.ports);
            drain.tallies.extend(cpu.tallies);
        }
        books.settle(&mut drain);
        assert_eq!(drain.mismatches, []);
        assert_eq!(drain.outcomes.runs, 2 * 3 * 2 * Kind::ALL.len() as u64);
    }

    #[test]
    fn lost_detail_is_told_by_what_the_dense_counters_know() {
        let mut cpu = busy();
        let lost = [
            (Kind::Syn, Family::V4, 23, None, Detail::Port(23)),
            (Kind::Sctp, Family::V6, 9, None, Detail::Port(9)),
            (Kind::Echo, Family::V4, 8 << 8, Some(Family::V4), Detail::IcmpType(8)),
            (Kind::IcmpReply, Family::V6, 129 << 8, Some(Family::V6), Detail::IcmpType(129)),
            (Kind::Icmp, Family::V6, 200 << 8 | 5, Some(Family::V6), Detail::IcmpType(200)),
            (Kind::IcmpMismatch, Family::V4, 3 << 8 | 1, Some(Family::V4), Detail::IcmpType(3)),
            (Kind::Fragment, Family::V4, 17, Some(Family::V4), Detail::Protocol(17)),
            (Kind::Ip, Family::V6, 50, Some(Family::V6), Detail::Protocol(50)),
            (Kind::SynAck, Family::V6, 443, Some(Family::V6), Detail::None),
        ];
        for (kind, family, port, ..) in lost {
            cpu.count(kind, family, port, 9 << 16, 5);
            cpu.tallies.pop();
            cpu.block.lost += 5;
        }
        let drain = cpu.settled();
        assert_eq!(drain.mismatches, []);
        assert_eq!(drain.lost, 5 * lost.len() as u64);
        assert_eq!(drain.unattributed.len(), lost.len());
        for (kind, _, _, family, detail) in lost {
            let row = Unattributed { kind, family, detail, packets: 5 };
            assert!(drain.unattributed.contains(&row), "{row:?} in {:?}", drain.unattributed);
        }
    }

    #[test]
    fn every_identity_can_break() {
        let runs = "runs = non_ip + malformed + unwatched + local + packets";
        assert_eq!(broken(|cpu| cpu.block.outcomes.runs += 1), [runs]);
        assert_eq!(broken(|cpu| cpu.block.outcomes.malformed += 1), [runs]);
        let packets = broken(|cpu| {
            cpu.block.outcomes.packets += 1;
            cpu.block.outcomes.runs += 1;
        });
        assert_eq!(packets, ["kinds = packets", "slots + spill log + lost = packets"]);
        assert!(broken(|cpu| cpu.ports.cells[0][1].packets += 1).contains(&"ports = kinds with a port"));
        assert!(broken(|cpu| cpu.block.icmp[0][1].packets += 1).contains(&"ICMP types = kinds with a type"));
        assert!(
            broken(|cpu| cpu.block.protocols[1][0][1].packets += 1).contains(&"protocols = fragment + ip")
        );
        let slash16 = broken(|cpu| cpu.block.slash16[1] += 1);
        assert_eq!(slash16, ["/16s = IPv4 packets", "/16s without a tally = lost IPv4 packets"]);
        let lost = broken(|cpu| cpu.block.lost += 1);
        assert_eq!(lost, ["slots + spill log + lost = packets", "unattributed = lost"]);
        let moved = broken(|cpu| cpu.tallies[0].source = 0xffff_0000);
        assert!(moved.contains(&"tallies beyond their dense counter = 0"), "{moved:?}");
        let unknown = broken(|cpu| cpu.tallies[0].meta = Meta(31 << 16));
        assert!(unknown.contains(&"tallies of unknown kind = 0"), "{unknown:?}");
        let gone = broken(|cpu| cpu.tallies.truncate(1));
        assert!(gone.contains(&"slots + spill log + lost = packets"), "{gone:?}");
    }
}
