//! Outcomes, dense counters, and the two-level tally.

use core::{arch::asm, ptr};

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    helpers::generated::bpf_get_smp_processor_id,
    programs::XdpContext,
};
use aya_log_ebpf::warn;
use sensor_common::{
    classify::{Counted, OutOfReach, Verdict},
    key::Meta,
    kind::Family,
    layout::{Block, CHUNK_RECORDS, Cell, Control, Dense, HalfFull, Ports, Slot, slot_of},
};

use crate::{
    maps::{BLOCKS, CHUNKS, CONTROL, DROP, EVENTS, PORTS, SEED, SLICES, SPILL},
    veil::Veil,
};

/// The counters that one run of the program writes to: those of this CPU, in the live bank.
pub struct Counters {
    control: *mut Control,
    block: *mut Block,
    ports: *mut Ports,
    epoch: u64,
    /// Whether other CPUs write to the same counters.
    shared: bool,
}

/// What became of a frame, in plain fields that are all set whatever it was: the fields of an enum
/// that a variant lacks may end up in a register that was never written, which the verifier refuses
/// to see copied.
#[derive(Clone, Copy)]
pub struct Classified {
    pub outcome: Outcome,
    /// Of a packet; 0 for all others, as are the next two.
    pub source: u64,
    pub meta: Meta,
    pub bytes: u32,
}

/// How a frame ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Outcome {
    NonIp,
    Malformed,
    Unwatched,
    Local,
    Packet,
    /// The reader did not reach far enough.
    OutOfReach,
}

impl Classified {
    #[inline(always)]
    pub fn new(result: Result<Verdict, OutOfReach>) -> Self {
        let outcome = match result {
            Ok(Verdict::Packet(Counted { key, bytes })) => {
                return Self { outcome: Outcome::Packet, source: key.source, meta: key.meta(), bytes };
            }
            Ok(Verdict::NonIp) => Outcome::NonIp,
            Ok(Verdict::Malformed) => Outcome::Malformed,
            Ok(Verdict::Unwatched) => Outcome::Unwatched,
            Ok(Verdict::Local) => Outcome::Local,
            Err(OutOfReach) => Outcome::OutOfReach,
        };
        Self { outcome, source: 0, meta: Meta(0), bytes: 0 }
    }
}

impl Counters {
    /// Finds the counters, and counts the run. `None` if they are not there, which is counted as
    /// `uncounted`.
    #[inline(always)]
    pub fn enter() -> Option<Self> {
        let control = CONTROL.get_ptr_mut(0)?;
        // SAFETY: the pointer comes from a look-up that found the element, for all of this run.
        let epoch = unsafe { ptr::read_volatile(&raw const (*control).epoch) };
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        let slices = SLICES.load();
        let shared = cpu >= slices;
        let slice = if shared { slices } else { cpu };
        let element = (epoch as u32 & 1) * (slices + 1) + slice;
        let (Some(block), Some(ports)) = (BLOCKS.get_ptr_mut(element), PORTS.get_ptr_mut(element)) else {
            // SAFETY: as above.
            unsafe { atomic_add(&raw mut (*control).uncounted, 1) };
            return None;
        };
        let counters = Self { control, block, ports, epoch, shared };
        // SAFETY: the block comes from a look-up that found it.
        counters.add(unsafe { &raw mut (*block).outcomes.runs }, 1);
        Some(counters)
    }

    /// Hides values of this run from the verifier.
    #[inline(always)]
    pub fn veil(&self) -> Veil {
        Veil::new(self.epoch)
    }

    /// Counts what became of the frame, and says what to do with it.
    #[inline(always)]
    pub fn leave(&self, ctx: &XdpContext, classified: &Classified) -> u32 {
        // SAFETY: the block comes from a look-up that found it, for all of this run.
        let outcomes = unsafe { &raw mut (*self.block).outcomes };
        // SAFETY: as above.
        let outcome = unsafe {
            match classified.outcome {
                Outcome::Packet => {
                    // From here on the verifier need not know which of many paths it came.
                    let meta = Meta(self.veil().over(u64::from(classified.meta.0)) as u32);
                    self.packet(ctx, classified.source, meta, classified.bytes);
                    self.add(&raw mut (*outcomes).packets, 1);
                    return if DROP.load() != 0 && !meta.is_neighbour_discovery() {
                        XDP_DROP
                    } else {
                        XDP_PASS
                    };
                }
                Outcome::NonIp => &raw mut (*outcomes).non_ip,
                Outcome::Malformed | Outcome::OutOfReach => &raw mut (*outcomes).malformed,
                Outcome::Unwatched => &raw mut (*outcomes).unwatched,
                Outcome::Local => &raw mut (*outcomes).local,
            }
        };
        self.add(outcome, 1);
        XDP_PASS
    }

    /// Counts a packet densely and jointly.
    #[inline(always)]
    fn packet(&self, ctx: &XdpContext, source: u64, meta: Meta, bytes: u32) {
        let family = meta.family();
        // SAFETY: block and ports come from look-ups that found them; indices are masked to their
        // dimensions, or of a type that has no larger value.
        unsafe {
            let block = self.block;
            self.count((&raw mut (*block).kinds).cast::<Cell>().add(meta.kind() << 1 | family), bytes);
            match Dense::of(meta) {
                Dense::Port(row, port) => {
                    let row = (&raw mut (*self.ports).cells).cast::<Cell>().add((row & 3) << 16);
                    self.count(row.add(usize::from(port)), bytes);
                }
                Dense::Icmp(family, icmp_type) => {
                    let row = (&raw mut (*block).icmp).cast::<Cell>().add(family << 8);
                    self.count(row.add(usize::from(icmp_type)), bytes);
                }
                Dense::Protocol(row, family, protocol) => {
                    let row = (&raw mut (*block).protocols).cast::<Cell>().add(row << 9 | family << 8);
                    self.count(row.add(usize::from(protocol)), bytes);
                }
                Dense::Kind => {}
            }
            if family == Family::V4 as usize {
                let slash16 = (&raw mut (*block).slash16).cast::<u64>();
                self.add(slash16.add((source >> 16) as usize & 0xffff), 1);
            }
            if self.shared || !self.tally(ctx, source, meta) {
                self.add(&raw mut (*block).lost, 1);
            }
        }
    }

    /// Counts a packet under its joint key; false if its detail is lost.
    #[inline(always)]
    fn tally(&self, ctx: &XdpContext, source: u64, meta: Meta) -> bool {
        // SAFETY: the block comes from a look-up that found it, the index has 16 bits.
        unsafe {
            let slot = (&raw mut (*self.block).slots)
                .cast::<Slot>()
                .add(slot_of(source, meta, SEED.load()) & 0xffff);
            let packets = (*slot).packets;
            if packets != 0 {
                let old = Slot { source: (*slot).source, meta: (*slot).meta, packets };
                if old.source == source && old.meta == meta && packets != u32::MAX {
                    (*slot).packets = packets + 1;
                    return true;
                }
                if !self.spill(ctx, old) {
                    return false;
                }
            }
            slot.write(Slot { source, meta, packets: 1 });
        }
        true
    }

    /// Appends a slot's content to the spill log; false if the log is full.
    #[inline(always)]
    fn spill(&self, ctx: &XdpContext, old: Slot) -> bool {
        let chunks = CHUNKS.load();
        let bank = self.epoch as usize & 1;
        // SAFETY: block, control and chunk come from look-ups that found them; the bank is 0 or 1
        // and the record's index has 12 bits.
        unsafe {
            let block = self.block;
            let mut free = (*block).spill_free;
            if free == 0 {
                let next = &raw mut (*self.control).banks[bank].spill_next;
                // A log that is full is left alone, so that a flood does not fight over its head.
                if ptr::read_volatile(next) >= u64::from(chunks) {
                    return false;
                }
                let taken = atomic_fetch_add(next, 1);
                if taken >= u64::from(chunks) {
                    return false;
                }
                if taken == u64::from(chunks / 2) {
                    self.announce(ctx);
                }
                (*block).spill_chunk = taken as u32;
                free = CHUNK_RECORDS as u32;
            }
            let element = bank as u32 * chunks + (*block).spill_chunk;
            let Some(chunk) = SPILL.get_ptr_mut(element) else {
                return false;
            };
            let record = (CHUNK_RECORDS as u32 - free) as usize & (CHUNK_RECORDS - 1);
            // Field by field, from registers: as a whole it becomes a call of `memmove`.
            let record = chunk.cast::<Slot>().add(record);
            (*record).source = old.source;
            (*record).meta = old.meta;
            (*record).packets = old.packets;
            (*block).spill_free = free - 1;
        }
        true
    }

    /// Tells the agent that the spill log of this epoch is half full. Happens once an epoch.
    #[inline(always)]
    fn announce(&self, ctx: &XdpContext) {
        // A full ring buffer is no harm: the agent then has notices to read.
        let _ = EVENTS.output::<HalfFull>(&HalfFull { epoch: self.epoch }, 0);
        warn!(ctx, "spill log half full in epoch {}", self.epoch);
    }

    /// Adds to a dense counter.
    #[inline(always)]
    fn count(&self, cell: *mut Cell, bytes: u32) {
        // SAFETY: the cell lies in this CPU's counters.
        unsafe {
            self.add(&raw mut (*cell).packets, 1);
            self.add(&raw mut (*cell).bytes, u64::from(bytes));
        }
    }

    /// Adds to a counter: plainly where only this CPU writes to it (the program runs with bottom
    /// halves disabled, so that its runs on one CPU follow each other), else atomically.
    #[inline(always)]
    fn add(&self, counter: *mut u64, value: u64) {
        // SAFETY: the counter lies in the counters that were looked up.
        unsafe {
            if self.shared {
                atomic_add(counter, value);
            } else {
                *counter = (*counter).wrapping_add(value);
            }
        }
    }
}

/// Adds atomically.
///
/// # Safety
///
/// `counter` must point to an aligned `u64` in a map value.
#[inline(always)]
unsafe fn atomic_add(counter: *mut u64, value: u64) {
    // SAFETY: by contract. BPF_ATOMIC | BPF_ADD: any kernel.
    unsafe { asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) counter, v = in(reg) value) }
}

/// Adds atomically and returns what was there before. Linux 5.12.
///
/// # Safety
///
/// `counter` must point to an aligned `u64` in a map value.
#[inline(always)]
unsafe fn atomic_fetch_add(counter: *mut u64, value: u64) -> u64 {
    let mut result = value;
    // SAFETY: by contract. BPF_ATOMIC | BPF_ADD | BPF_FETCH.
    unsafe {
        asm!("{v} = atomic_fetch_add((u64 *)({p} + 0), {v})", p = in(reg) counter, v = inout(reg) result)
    }
    result
}
