//! Two banks, one epoch: how counts leave the kernel without one being lost or read twice.
//!
//! The program writes to the bank of the epoch's parity. To drain, the agent raises the epoch,
//! waits until every run that may have read the old one has ended, and then has the other bank to
//! itself: it reads it and zeroes it. The epoch is never raised before the bank that it leads to
//! is zeroed.

use std::{
    io, mem,
    os::fd::AsFd,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::MapData;
use sensor_common::layout::{Block, CHUNK_RECORDS, Chunk, Control, MAGIC, Ports, VERSION};

use super::{
    account::{Books, Drain, Span},
    error::KernelError,
    memory::Elements,
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
    /// `uncounted` as of the last drain.
    uncounted: u64,
}

/// The maps that [`Banks`] are made of.
pub(super) struct Maps<'a> {
    pub control: &'a MapData,
    pub blocks: &'a MapData,
    pub ports: &'a MapData,
    pub spill: &'a MapData,
}

impl Banks {
    /// Maps the counters into memory and starts epoch 0.
    pub(super) fn new(
        maps: &Maps<'_>,
        slices: u32,
        chunks: u32,
        generation: [u8; 16],
        configuration: u64,
    ) -> Result<Self, KernelError> {
        let elements = 2 * (slices as usize + 1);
        let banks = Self {
            control: map_elements("CONTROL", maps.control, 1)?,
            blocks: map_elements("BLOCKS", maps.blocks, elements)?,
            ports: map_elements("PORTS", maps.ports, elements)?,
            spill: map_elements("SPILL", maps.spill, 2 * chunks as usize)?,
            slices: slices as usize,
            chunks: chunks as usize,
            grace: GracePeriod::new().map_err(|source| KernelError::Call {
                call: "bpf(BPF_MAP_CREATE)",
                what: "the map of maps whose update waits for running programs".to_owned(),
                source,
            })?,
            books: Books::default(),
            uncounted: 0,
        };
        let control = banks.control.get(0);
        // SAFETY: the program is not attached yet, so nobody else writes to the element.
        unsafe {
            (*control).magic = MAGIC;
            (*control).version = VERSION;
            (*control).slices = slices;
            (*control).chunks = chunks;
            (*control).generation = generation;
            (*control).configuration = configuration;
        }
        banks.start(0)?;
        Ok(banks)
    }

    /// Random, drawn when the program was loaded.
    pub fn generation(&self) -> [u8; 16] {
        // SAFETY: written once, before the program was attached.
        unsafe { (*self.control.get(0)).generation }
    }

    /// Takes out everything that was counted since the last drain. Blocks for a grace period of
    /// the kernel (some milliseconds, 100 and more under load).
    ///
    /// # Errors
    ///
    /// If the wait fails. Nothing is lost then: the bank is read by the next drain that succeeds.
    pub fn drain(&mut self) -> Result<Drain, KernelError> {
        let epoch = self.epoch();
        let old = (epoch & 1) as usize;
        self.start(old ^ 1)?;
        self.set_epoch(epoch + 1);
        if let Err(source) = self.grace.wait() {
            self.set_epoch(epoch);
            return Err(KernelError::Call {
                call: "bpf(BPF_MAP_UPDATE_ELEM)",
                what: "the wait for running programs".to_owned(),
                source,
            });
        }
        let drain = self.read(epoch);
        self.zero(old);
        Ok(drain)
    }

    /// The same without the wait, for a program that nobody runs: it is not attached, and no test
    /// run is under way.
    pub fn drain_at_rest(&mut self) -> Drain {
        let epoch = self.epoch();
        let drain = self.read(epoch);
        self.zero((epoch & 1) as usize);
        drain
    }

    /// Whether half of the live bank's spill log is used, so that it should be drained soon.
    pub fn is_half_full(&self) -> bool {
        self.spill_next((self.epoch() & 1) as usize).load(Ordering::Relaxed) as usize > self.chunks / 2
    }

    fn epoch(&self) -> u64 {
        self.epoch_cell().load(Ordering::Relaxed)
    }

    fn set_epoch(&self, epoch: u64) {
        self.epoch_cell().store(epoch, Ordering::Release);
    }

    fn epoch_cell(&self) -> &AtomicU64 {
        // SAFETY: aligned, mapped as long as `self`, and only ever read and written atomically.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.get(0)).epoch) }
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

    /// Reads the quiet bank of this epoch.
    fn read(&mut self, epoch: u64) -> Drain {
        let bank = (epoch & 1) as usize;
        let control = self.control.get(0);
        // SAFETY: only the agent writes the starts; `uncounted` is read in one piece.
        let (start_ns, end_ns, uncounted) = unsafe {
            let banks = &raw const (*control).banks;
            (
                (*banks)[bank].start_real_ns,
                (*banks)[bank ^ 1].start_real_ns,
                AtomicU64::from_ptr(&raw mut (*control).uncounted).load(Ordering::Relaxed),
            )
        };
        let mut drain = Drain {
            epoch,
            span: Span { start_ns, end_ns },
            uncounted: uncounted - mem::replace(&mut self.uncounted, uncounted),
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
        for chunk in self.taken(bank) {
            // SAFETY: as above.
            let chunk = unsafe { &*chunk };
            drain.tallies.extend(chunk.records.iter().take_while(|record| record.packets != 0));
        }
        drain.spilled = (drain.tallies.len() - slots) as u64;
        self.books.settle(&mut drain);
        drain
    }

    /// Zeroes a quiet bank, so that the epoch may lead to it again.
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

fn map_elements<T>(name: &'static str, map: &MapData, count: usize) -> Result<Elements<T>, KernelError> {
    let info = map.info().map_err(|_| KernelError::Object(name))?;
    if info.value_size() as usize != size_of::<T>() || info.max_entries() as usize != count {
        return Err(KernelError::Object(name));
    }
    Elements::map(map.fd().as_fd(), count).map_err(|source| KernelError::Call {
        call: "mmap",
        what: format!("map {name}, {count} elements of {} bytes", size_of::<T>()),
        source,
    })
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
