//! The maps and the constants that the agent sets before the program is loaded.
//!
//! Sizes given here are the smallest; the agent sets `max_entries` by CPU count and memory budget.

use aya_ebpf::{
    Global,
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, LpmTrie, RingBuf},
};
use sensor_common::layout::{Block, Chunk, Control, Ports};

/// The epoch, the spill log's heads, and what describes the other maps.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// By bank, then slice: element `bank · (slices + 1) + slice`.
#[map]
pub static BLOCKS: Array<Block> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// As [`BLOCKS`].
#[map]
pub static PORTS: Array<Ports> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// By bank, then chunk: element `bank · chunks + chunk`.
#[map]
pub static SPILL: Array<Chunk> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Notices to the agent: [`sensor_common::layout::HalfFull`].
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Watched IPv4 prefixes and the numbers of their sensors.
#[map]
pub static WATCH4: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(1, 0);

/// Watched IPv6 prefixes and the numbers of their sensors.
#[map]
pub static WATCH6: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(1, 0);

/// CPUs with a slice of their own.
#[unsafe(no_mangle)]
pub static SLICES: Global<u32> = Global::new(1);
/// Chunks of the spill log of one bank.
#[unsafe(no_mangle)]
pub static CHUNKS: Global<u32> = Global::new(1);
/// Seed of the slot hash.
#[unsafe(no_mangle)]
pub static SEED: Global<u64> = Global::new(0);
/// Mask over IPv4 sources.
#[unsafe(no_mangle)]
pub static V4_MASK: Global<u32> = Global::new(u32::MAX);
/// Mask over the upper halves of IPv6 sources.
#[unsafe(no_mangle)]
pub static V6_MASK: Global<u64> = Global::new(u64::MAX);
/// 1 if only watched prefixes are counted, 0 if everything is, for sensor 0.
#[unsafe(no_mangle)]
pub static WATCHED: Global<u8> = Global::new(0);
/// 1 if counted packets are dropped.
#[unsafe(no_mangle)]
pub static DROP: Global<u8> = Global::new(0);
