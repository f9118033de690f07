//! The memory that the XDP program writes and the agent reads through `mmap`.
//!
//! All maps are `BPF_F_MMAPABLE` arrays (Linux 5.5). Every CPU has a [`Block`] and a [`Ports`] in
//! each of two banks; the parity of [`Control::epoch`] says which bank is being written. One more
//! slice, after those of the CPUs, is shared by CPUs that have none of their own and is written
//! with atomic adds only.

use core::{
    mem::{align_of, offset_of, size_of},
    ops::AddAssign,
};

use crate::{key::Meta, kind::Kind};

/// First word of [`Control`]: "teiten" and a line feed, so that no other map is taken for ours.
pub const MAGIC: u64 = u64::from_le_bytes(*b"teiten\n\0");
/// Version of everything in this module; raised with every change of it.
pub const VERSION: u32 = 2;

/// Slots of the direct-mapped table of one CPU and bank.
pub const SLOTS: usize = 1 << 16;
/// Records of one chunk of the spill log.
pub const CHUNK_RECORDS: usize = 4096;
/// Rows of [`Block::kinds`]: the kinds that five bits of a key can name.
pub const KIND_ROWS: usize = 32;

/// The count of one key. Empty when `packets` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Slot {
    pub source: u64,
    pub meta: Meta,
    pub packets: u32,
}

/// A dense counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cell {
    pub packets: u64,
    /// IP bytes: header and payload, never Ethernet padding.
    pub bytes: u64,
}

/// What one CPU counts in one bank, but for the ports.
#[repr(C)]
pub struct Block {
    pub slots: [Slot; SLOTS],
    /// Packets by the upper 16 bits of the key's source, IPv4 only.
    pub slash16: [u64; 1 << 16],
    /// By family and ICMP type, for the kinds of [`Kind::has_icmp_type`].
    pub icmp: [[Cell; 256]; 2],
    /// By kind ([`Kind::Fragment`], then [`Kind::Ip`]), family and protocol.
    pub protocols: [[[Cell; 256]; 2]; 2],
    /// By kind and family.
    pub kinds: [[Cell; 2]; KIND_ROWS],
    pub outcomes: Outcomes,
    /// Packets whose joint detail is in neither `slots` nor the spill log.
    pub lost: u64,
    /// The chunk of the spill log that this CPU appends to, while `spill_free` is not 0.
    pub spill_chunk: u32,
    /// Records of that chunk that are still free.
    pub spill_free: u32,
}

/// By dense kind ([`Kind::has_dst_port`]) and destination port. Exactly 4 MiB, the largest map
/// value that every supported kernel takes.
#[repr(C)]
pub struct Ports {
    pub cells: [[Cell; 1 << 16]; Kind::WITH_DST_PORT],
}

/// How the runs of the program ended. `runs` is counted on entry, the others on exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Outcomes {
    pub runs: u64,
    pub non_ip: u64,
    pub malformed: u64,
    pub unwatched: u64,
    pub local: u64,
    pub packets: u64,
}

impl AddAssign for Cell {
    fn add_assign(&mut self, more: Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, more: Self) {
        self.runs += more.runs;
        self.non_ip += more.non_ip;
        self.malformed += more.malformed;
        self.unwatched += more.unwatched;
        self.local += more.local;
        self.packets += more.packets;
    }
}

/// A chunk of the spill log: records in order; the first empty one ends it.
#[repr(C)]
pub struct Chunk {
    pub records: [Slot; CHUNK_RECORDS],
}

/// The one element of the control map. `magic` and `version` stay where they are in every version,
/// so that each can tell another.
#[repr(C, align(64))]
pub struct Control {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Slices that belong to one CPU each; the shared slice comes after them.
    pub slices: u32,
    /// Chunks of the spill log of one bank.
    pub chunks: u32,
    /// No meaning; 0.
    pub reserved: u32,
    /// Random, drawn anew for each load of the program.
    pub generation: [u8; 16],
    /// Digest of the configuration that the program was loaded with, and of the program.
    pub configuration: u64,
    /// The bank of parity `epoch & 1` is being written. Stored by the agent with release order.
    pub epoch: u64,
    /// Frames whose counters could not be found; must be 0. Atomic adds only.
    pub uncounted: u64,
    pub banks: [Bank; 2],
    /// Id of the store that the counts belong to; zeroes if they belong to none.
    pub store: [u8; 16],
    /// Written by the agent for whoever asks how it fares; the program does not read it.
    pub agent: AgentNote,
    /// Epochs below this one are kept elsewhere: set by the agent before it zeroes their bank.
    pub released: u64,
    /// No meaning; 0.
    pub reserved_end: [u64; 3],
}

/// What the agent says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AgentNote {
    /// 0: it keeps what it drains. Else a number, the agent's own, of what keeps it from that.
    pub state: u32,
    /// No meaning; 0.
    pub reserved: u32,
    /// Since when, in nanoseconds since 1970 (UTC).
    pub since_ns: u64,
}

/// What belongs to one bank and no CPU. A cache line of its own.
#[repr(C, align(64))]
pub struct Bank {
    /// Wall-clock time at which the bank's epoch began, in nanoseconds since 1970 (UTC).
    pub start_real_ns: u64,
    /// The same on the boot-time clock, in nanoseconds.
    pub start_boot_ns: u64,
    /// The next free chunk of the spill log; at or above [`Control::chunks`] the log is full.
    pub spill_next: u64,
    /// No meaning; 0.
    pub reserved: [u64; 5],
}

/// A notice from the program to the agent, on the ring buffer `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HalfFull {
    /// The epoch whose spill log is half full: time to drain.
    pub epoch: u64,
}

/// Where a packet of a key is counted densely, beside [`Block::kinds`] and [`Block::slash16`].
/// Families are numbers, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dense {
    /// [`Ports::cells`], by row and port.
    Port(usize, u16),
    /// [`Block::icmp`], by family and type.
    Icmp(usize, u8),
    /// [`Block::protocols`], by row, family and protocol.
    Protocol(usize, usize, u8),
    /// Nowhere but by kind and family.
    Kind,
}

/// A bit for each kind of [`Kind::has_icmp_type`].
const WITH_ICMP_TYPE: u32 = {
    let (mut set, mut number) = (0, 0);
    while number < Kind::ALL.len() {
        set |= (Kind::ALL[number].has_icmp_type() as u32) << number;
        number += 1;
    }
    set
};

impl Dense {
    /// The dense counter of a key, by the number of its kind alone.
    #[inline(always)]
    pub const fn of(meta: Meta) -> Self {
        let (kind, family) = (meta.kind(), meta.family());
        if kind < Kind::WITH_DST_PORT {
            Self::Port(kind, meta.port())
        } else if WITH_ICMP_TYPE >> kind & 1 != 0 {
            Self::Icmp(family, (meta.port() >> 8) as u8)
        } else if kind >= Kind::Fragment as usize {
            Self::Protocol((kind - Kind::Fragment as usize) & 1, family, meta.port() as u8)
        } else {
            Self::Kind
        }
    }
}

/// The slot of a key: its place in [`Block::slots`]. `seed` is random for each load, so that
/// nobody can choose sources that all fall into one slot.
#[inline(always)]
pub const fn slot_of(source: u64, meta: Meta, seed: u64) -> usize {
    let mixed = (source ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32) ^ meta.0 as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed >> 48) as usize
}

/// Layout, checked when compiled: no implicit padding, sizes that BPF maps can hold.
const _: () = {
    assert!(size_of::<Slot>() == 16 && align_of::<Slot>() == 8);
    assert!(size_of::<Cell>() == 16);
    assert!(size_of::<Ports>() == 4 << 20);
    assert!(size_of::<Chunk>() == 64 << 10);
    assert!(
        size_of::<Block>()
            == SLOTS * 16
                + (1 << 16) * 8
                + 512 * 16
                + 1024 * 16
                + KIND_ROWS * 32
                + size_of::<Outcomes>()
                + 16
    );
    assert!(size_of::<Block>() <= 4 << 20);
    assert!(size_of::<Outcomes>() == 48);
    assert!(size_of::<Bank>() == 64);
    assert!(offset_of!(Control, magic) == 0 && offset_of!(Control, version) == 8);
    assert!(offset_of!(Control, epoch) == 48 && offset_of!(Control, uncounted) == 56);
    assert!(offset_of!(Control, banks) == 64 && offset_of!(Control, store) == 192);
    assert!(size_of::<AgentNote>() == 16 && offset_of!(Control, agent) == 208);
    assert!(size_of::<Control>() == 256 && offset_of!(Control, reserved_end) + 24 == 256);
    assert!(SLOTS == 1 << 16, "slot_of gives 16 bits");
    assert!(Kind::ALL.len() <= KIND_ROWS);
    assert!(Kind::Ip as usize == Kind::Fragment as usize + 1 && Kind::Ip as usize == Kind::ALL.len() - 1);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::Key,
        kind::{Family, Tool},
    };

    #[test]
    fn dense_counters_are_those_of_the_kind() {
        for kind in Kind::ALL {
            for family in [Family::V4, Family::V6] {
                let key = Key { source: 1, port: 0x1234, kind, family, tool: Tool::Zmap, sensor: 253 };
                let expected = if kind.has_dst_port() {
                    Dense::Port(kind as usize, 0x1234)
                } else if kind.has_icmp_type() {
                    Dense::Icmp(family as usize, 0x12)
                } else if kind.has_protocol() {
                    Dense::Protocol(usize::from(kind == Kind::Ip), family as usize, 0x34)
                } else {
                    Dense::Kind
                };
                assert_eq!(Dense::of(key.meta()), expected, "{kind:?}");
            }
        }
    }
}
