//! Two banks, one epoch: how counts leave the kernel without one being lost or read twice.
//!
//! The program writes to the bank of the epoch's parity. To drain, the agent raises the epoch,
//! waits until every run that may have read the old one has ended, and then has the other bank to
//! itself and reads it. Only when its counts are kept elsewhere does it zero that bank, and the epoch
//! is never raised before the bank that it leads to is zeroed: at any moment, all that is not kept yet
//! is in one of the banks.

use std::{
    io, ptr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use sensor_common::layout::{AgentNote, Block, CHUNK_RECORDS, Chunk, Control, MAGIC, Ports, VERSION};

use super::{
    account::{Books, Drain, Span},
    error::KernelError,
    maps::Maps,
    memory::Elements,
    program::Sizes,
    resume::Quiet,
    sys::GracePeriod,
};

/// The counters of a loaded program.
pub struct Banks {
    control: Elements<Control>,
    blocks: Elements<Block>,
    ports: Elements<Ports>,
    spill: Elements<Chunk>,
    slices: usize,
    chunks: usize,
    grace: GracePeriod,
    books: Books,
    quiet: Bank,
    /// Chunks of the spill log that were taken in the bank that was read last.
    last_chunks: usize,
    /// Frames without counters that were released with an earlier epoch.
    uncounted: u64,
}

/// What is in the bank that the program does not write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bank {
    /// Nothing, in every element.
    Zeroed,
    /// Counts that nobody has released. Once they were read, with the number of all frames without
    /// counters as it was then.
    Full(Option<u64>),
    /// As above, and perhaps zeroed in part by an agent that did not come to the end of it.
    Adopted(Option<u64>),
}

/// What the counters say of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random, drawn when the program was loaded.
    pub generation: [u8; 16],
    /// Id of the store that the counts belong to; zeroes if they belong to none.
    pub store: [u8; 16],
    /// Digest of settings and program: see [`program::configuration`](super::program::configuration).
    pub configuration: u64,
    /// The epoch that is being counted.
    pub epoch: u64,
    /// Epochs below this one were released.
    pub released: u64,
    pub sizes: Sizes,
    /// When each bank began to count: that of the epoch's parity began with the epoch.
    pub starts: [Start; 2],
    /// Frames whose counters could not be found, in all epochs. Must be 0.
    pub uncounted: u64,
}

/// A moment, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Since 1970 (UTC), by the wall clock.
    pub real_ns: u64,
    /// Since the machine was booted, its sleep included.
    pub boot_ns: u64,
}

/// How full a bank's spill log is, in whole chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spill {
    pub used_bytes: u64,
    /// What one bank has room for: half of `--spill-memory`.
    pub size_bytes: u64,
}

impl Header {
    /// Of a copy of the control map's element.
    pub(super) fn of(control: &Control) -> Self {
        Self {
            generation: control.generation,
            store: control.store,
            configuration: control.configuration,
            epoch: control.epoch,
            released: control.released,
            sizes: Sizes { slices: control.slices, chunks: control.chunks },
            starts: [0, 1].map(|bank: usize| Start {
                real_ns: control.banks[bank].start_real_ns,
                boot_ns: control.banks[bank].start_boot_ns,
            }),
            uncounted: control.uncounted,
        }
    }
}

/// What new counters are to say of themselves.
pub(super) struct Identity {
    pub sizes: Sizes,
    pub generation: [u8; 16],
    pub configuration: u64,
    pub store: [u8; 16],
}

impl Banks {
    /// Maps new counters into memory and starts epoch 0.
    pub(super) fn new(maps: &Maps, identity: &Identity) -> Result<Self, KernelError> {
        let banks = Self::map(maps, identity.sizes, Bank::Zeroed)?;
        let control = banks.control.get(0);
        // SAFETY: the program is not attached yet, so nobody else writes to the element.
        unsafe {
            (*control).magic = MAGIC;
            (*control).version = VERSION;
            (*control).slices = identity.sizes.slices;
            (*control).chunks = identity.sizes.chunks;
            (*control).generation = identity.generation;
            (*control).configuration = identity.configuration;
            (*control).store = identity.store;
        }
        banks.start(0)?;
        Ok(banks)
    }

    /// Maps counters into memory that count already. The caller has checked the maps against these
    /// sizes. Until [`Banks::resume`] says otherwise, the quiet bank counts as not drained.
    pub(super) fn adopt(maps: &Maps, sizes: Sizes) -> Result<Self, KernelError> {
        let mut banks = Self::map(maps, sizes, Bank::Adopted(None))?;
        if banks.epoch() == 0 {
            // Nothing was ever counted in the other bank.
            banks.quiet = Bank::Zeroed;
        }
        Ok(banks)
    }

    fn map(maps: &Maps, sizes: Sizes, quiet: Bank) -> Result<Self, KernelError> {
        let (slices, chunks) = (sizes.slices as usize, sizes.chunks as usize);
        let elements = 2 * (slices + 1);
        Ok(Self {
            control: Maps::elements("CONTROL", &maps.control, 1)?,
            blocks: Maps::elements("BLOCKS", &maps.blocks, elements)?,
            ports: Maps::elements("PORTS", &maps.ports, elements)?,
            spill: Maps::elements("SPILL", &maps.spill, 2 * chunks)?,
            slices,
            chunks,
            grace: GracePeriod::new().map_err(|source| KernelError::Call {
                call: "bpf(BPF_MAP_CREATE)",
                what: "the map of maps whose update waits for running programs".to_owned(),
                source,
            })?,
            books: Books::default(),
            quiet,
            last_chunks: 0,
            uncounted: 0,
        })
    }

    /// What the counters say of themselves, now.
    pub fn header(&self) -> Header {
        // SAFETY: mapped as long as `self`; a copy of integers that others may be adding to.
        Header::of(&unsafe { ptr::read_volatile(self.control.get(0)) })
    }

    /// Random, drawn when the program was loaded.
    pub fn generation(&self) -> [u8; 16] {
        self.header().generation
    }

    /// Says what is in the quiet bank of adopted counters. `uncounted`: the frames without counters
    /// that the store has of this generation, in all epochs.
    pub fn resume(&mut self, quiet: Quiet, uncounted: u64) {
        self.uncounted = uncounted;
        if let (Quiet::Zero, Bank::Adopted(_)) = (quiet, self.quiet) {
            let epoch = self.epoch();
            self.released_cell().store(epoch, Ordering::Release);
            self.zero_whole((epoch & 1) as usize ^ 1);
            self.quiet = Bank::Zeroed;
        }
    }

    /// Takes out everything that was counted since the last epoch was released. Blocks for a grace
    /// period of the kernel (some milliseconds, 100 and more under load).
    ///
    /// The counts stay in the kernel, too, until [`Banks::release`]. Until then, another drain takes
    /// out the same once more, and the program goes on counting in the other bank.
    ///
    /// # Errors
    ///
    /// If the wait fails. Nothing is lost then: the next drain that succeeds reads the same epoch.
    pub fn drain(&mut self) -> Result<Drain, KernelError> {
        if self.quiet == Bank::Zeroed {
            let epoch = self.epoch();
            self.start((epoch & 1) as usize ^ 1)?;
            // From here on, the quiet bank is the one that was counted in until now.
            self.quiet = Bank::Full(None);
            self.epoch_cell().store(epoch + 1, Ordering::Release);
        }
        self.grace()?;
        let all = self.uncounted_cell().load(Ordering::Relaxed);
        let all = match &mut self.quiet {
            Bank::Full(first) | Bank::Adopted(first) => *first.get_or_insert(all),
            Bank::Zeroed => all,
        };
        Ok(self.read(self.epoch().saturating_sub(1), all))
    }

    /// Zeroes the bank that was drained: its counts are kept elsewhere. Does nothing if no drain has
    /// succeeded since the last release.
    pub fn release(&mut self) {
        let epoch = self.epoch();
        let bank = (epoch & 1) as usize ^ 1;
        let (Bank::Full(Some(all)) | Bank::Adopted(Some(all))) = self.quiet else { return };
        // From here on, nobody may take the bank for one whose counts are still to be kept.
        self.released_cell().store(epoch, Ordering::Release);
        match self.quiet {
            Bank::Adopted(_) => self.zero_whole(bank),
            _ => self.zero(bank),
        }
        self.uncounted = all;
        self.quiet = Bank::Zeroed;
    }

    /// Drains, and releases at once: for whoever keeps counts nowhere but in memory.
    ///
    /// # Errors
    ///
    /// As [`Banks::drain`].
    pub fn take(&mut self) -> Result<Drain, KernelError> {
        let drain = self.drain()?;
        self.release();
        Ok(drain)
    }

    /// The same without the wait, and in the same epoch, for a program that nobody runs: it is not
    /// attached, and no test run is under way.
    pub fn drain_at_rest(&mut self) -> Drain {
        let epoch = self.epoch();
        let all = self.uncounted_cell().load(Ordering::Relaxed);
        let drain = self.read(epoch, all);
        self.zero((epoch & 1) as usize);
        self.uncounted = all;
        drain
    }

    /// Waits until no run of any BPF program that is under way now is still under way.
    ///
    /// # Errors
    ///
    /// If the kernel does not wait.
    pub fn grace(&self) -> Result<(), KernelError> {
        self.grace.wait().map_err(|source| KernelError::Call {
            call: "bpf(BPF_MAP_UPDATE_ELEM)",
            what: "the wait for running programs".to_owned(),
            source,
        })
    }

    /// Whether half of the live bank's spill log is used, so that it should be drained soon.
    pub fn is_half_full(&self) -> bool {
        self.live_chunks() > self.chunks / 2
    }

    /// How much of the live bank's spill log is used: 0 to 1.
    pub fn spill_used(&self) -> f64 {
        share(self.live_chunks() as u64, self.chunks as u64)
    }

    /// How full the spill log is: that of the bank that was drained last, as it was then, or that of the
    /// live bank, whichever is fuller.
    pub fn spill(&self) -> Spill {
        let bytes = |chunks: usize| (chunks * size_of::<Chunk>()) as u64;
        let used = self.last_chunks.max(self.live_chunks()).min(self.chunks);
        Spill { used_bytes: bytes(used), size_bytes: bytes(self.chunks) }
    }

    /// Leaves a note for `teiten status`: 0 and since when all is well, or the number of what keeps
    /// drained counts from being kept. `since_ns`: nanoseconds since 1970 (UTC).
    pub fn note_agent(&self, state: u32, since_ns: u64) {
        let note = self.note();
        // SAFETY: aligned, mapped as long as `self`, and only ever read and written atomically.
        unsafe {
            AtomicU64::from_ptr(&raw mut (*note).since_ns).store(since_ns, Ordering::Relaxed);
            AtomicU32::from_ptr(&raw mut (*note).state).store(state, Ordering::Release);
        }
    }

    fn note(&self) -> *mut AgentNote {
        // SAFETY: within the element.
        unsafe { &raw mut (*self.control.get(0)).agent }
    }

    fn live_chunks(&self) -> usize {
        self.spill_next((self.epoch() & 1) as usize).load(Ordering::Relaxed) as usize
    }

    fn epoch(&self) -> u64 {
        self.epoch_cell().load(Ordering::Relaxed)
    }

    fn epoch_cell(&self) -> &AtomicU64 {
        // SAFETY: aligned, mapped as long as `self`, and only ever read and written atomically.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.get(0)).epoch) }
    }

    fn released_cell(&self) -> &AtomicU64 {
        // SAFETY: as for the epoch.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.get(0)).released) }
    }

    fn uncounted_cell(&self) -> &AtomicU64 {
        // SAFETY: as for the epoch.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.get(0)).uncounted) }
    }

    fn spill_next(&self, bank: usize) -> &AtomicU64 {
        // SAFETY: as for the epoch.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.get(0)).banks[bank].spill_next) }
    }

    /// Notes the time at which a bank, which must be quiet, begins to count.
    fn start(&self, bank: usize) -> Result<(), KernelError> {
        let real = clock(libc::CLOCK_REALTIME)?;
        let boot = clock(libc::CLOCK_BOOTTIME)?;
        let control = self.control.get(0);
        // SAFETY: only the agent writes these fields.
        unsafe {
            (*control).banks[bank].start_real_ns = real;
            (*control).banks[bank].start_boot_ns = boot;
        }
        Ok(())
    }

    /// The slices of a bank in which anything was counted.
    fn used(&self, bank: usize) -> impl Iterator<Item = (*mut Block, *mut Ports)> {
        let first = bank * (self.slices + 1);
        (first..=first + self.slices)
            .map(|element| (self.blocks.get(element), self.ports.get(element)))
            // SAFETY: the bank is quiet.
            .filter(|(block, _)| unsafe { (**block).outcomes.runs } != 0)
    }

    /// The chunks of a bank's spill log that were taken.
    fn taken(&self, bank: usize) -> impl Iterator<Item = *mut Chunk> {
        let taken = (self.spill_next(bank).load(Ordering::Relaxed) as usize).min(self.chunks);
        (bank * self.chunks..bank * self.chunks + taken).map(|element| self.spill.get(element))
    }

    /// Reads the quiet bank of this epoch. `uncounted`: all frames without counters so far.
    fn read(&mut self, epoch: u64, uncounted: u64) -> Drain {
        let bank = (epoch & 1) as usize;
        let control = self.control.get(0);
        // SAFETY: only the agent writes the starts.
        let (start, end) = unsafe {
            let banks = &raw const (*control).banks;
            let start = |bank: usize| {
                let bank = &(*banks)[bank];
                Start { real_ns: bank.start_real_ns, boot_ns: bank.start_boot_ns }
            };
            (start(bank), start(bank ^ 1))
        };
        let mut drain = Drain {
            epoch,
            span: span(start, end),
            uncounted: uncounted.saturating_sub(self.uncounted),
            ..Drain::default()
        };
        let used: Vec<_> = self.used(bank).collect();
        for (block, ports) in used {
            // SAFETY: the bank is quiet, so nothing writes to it while these references live.
            let (block, ports) = unsafe { (&*block, &*ports) };
            self.books.add(block, ports);
            drain.tallies.extend(block.slots.iter().filter(|slot| slot.packets != 0));
        }
        let slots = drain.tallies.len();
        self.last_chunks = self.taken(bank).count();
        for chunk in self.taken(bank) {
            // SAFETY: as above.
            let chunk = unsafe { &*chunk };
            drain.tallies.extend(chunk.records.iter().take_while(|record| record.packets != 0));
        }
        drain.spilled = (drain.tallies.len() - slots) as u64;
        self.books.settle(&mut drain);
        drain
    }

    /// Zeroes a quiet bank whose used parts are known, so that the epoch may lead to it again.
    fn zero(&self, bank: usize) {
        for chunk in self.taken(bank) {
            // SAFETY: the bank is quiet, and all zeroes is a value of every element.
            unsafe { ptr::write_bytes(chunk, 0, 1) };
        }
        self.spill_next(bank).store(0, Ordering::Relaxed);
        for (block, ports) in self.used(bank) {
            // SAFETY: as above.
            unsafe {
                ptr::write_bytes(ports, 0, 1);
                ptr::write_bytes(block, 0, 1);
            }
        }
    }

    /// Zeroes every element of a quiet bank: what tells the used ones may be zero already.
    fn zero_whole(&self, bank: usize) {
        for chunk in bank * self.chunks..(bank + 1) * self.chunks {
            // SAFETY: the bank is quiet, and all zeroes is a value of every element.
            unsafe { ptr::write_bytes(self.spill.get(chunk), 0, 1) };
        }
        self.spill_next(bank).store(0, Ordering::Relaxed);
        let slices = self.slices + 1;
        for element in bank * slices..(bank + 1) * slices {
            // SAFETY: as above.
            unsafe {
                ptr::write_bytes(self.ports.get(element), 0, 1);
                ptr::write_bytes(self.blocks.get(element), 0, 1);
            }
        }
    }
}

/// A part of a whole, at most 1.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part.min(whole) as f64 / whole.max(1) as f64
}

/// A clock that was set by less than this is not taken for one that was set.
const STEP_NS: u64 = 1_000_000_000;

/// The wall-clock time between two moments. Where the clock was set in between, it is right at the
/// end, and the span is as long as the machine's own clock says.
fn span(start: Start, end: Start) -> Span {
    let lasted = end.boot_ns.saturating_sub(start.boot_ns);
    let expected = end.real_ns.saturating_sub(lasted);
    let start_ns = if expected.abs_diff(start.real_ns) > STEP_NS { expected } else { start.real_ns };
    Span { start_ns: start_ns.min(end.real_ns), end_ns: end.real_ns }
}

/// Bytes that the kernel's tables take: for each of `slices` CPUs, the shared slice, and the spill
/// log of `chunks` chunks a bank.
pub fn table_bytes(slices: u32, chunks: u32) -> u64 {
    let slice = size_of::<Block>() + size_of::<Ports>();
    2 * ((u64::from(slices) + 1) * slice as u64 + u64::from(chunks) * size_of::<Chunk>() as u64)
}

/// Chunks of one bank's spill log that fit into this many bytes for both banks; at least one.
pub fn chunks_in(spill_memory: u64) -> u32 {
    let chunks = spill_memory / (2 * size_of::<Chunk>() as u64);
    u32::try_from(chunks).unwrap_or(u32::MAX / CHUNK_RECORDS as u32).max(1)
}

/// Nanoseconds of a clock.
fn clock(id: libc::clockid_t) -> Result<u64, KernelError> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    if unsafe { libc::clock_gettime(id, &raw mut time) } != 0 {
        return Err(KernelError::Call {
            call: "clock_gettime",
            what: format!("clock {id}"),
            source: io::Error::last_os_error(),
        });
    }
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_long_as_the_machines_own_clock_says() {
        let s = 1_000_000_000;
        let between = |from: (u64, u64), to: (u64, u64)| {
            let start = |(real, boot)| Start { real_ns: real * s, boot_ns: boot * s };
            let Span { start_ns, end_ns } = span(start(from), start(to));
            (start_ns / s, end_ns / s)
        };
        assert_eq!(between((1000, 10), (1005, 15)), (1000, 1005));
        // The clock was set forward by a year, and back again.
        assert_eq!(between((1000, 10), (31_537_005, 15)), (31_537_000, 31_537_005));
        assert_eq!(between((31_537_000, 10), (1005, 15)), (1000, 1005));
        // Little steps, as of NTP, are left alone.
        assert_eq!(between((1000, 10), (1006, 15)), (1000, 1006));
        assert_eq!(between((0, 0), (5, 20)), (0, 5));
    }
}
