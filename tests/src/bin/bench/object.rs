//! The BPF object for benchmarks: its programs, and its maps in bulk.

use std::{
    env, fs, io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use aya_obj::generated::{
    bpf_attr,
    bpf_cmd::{self, BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH},
};
use sensor_common::layout::SLOTS;
use teiten::kernel::{
    banks::Banks,
    program::{self, Entry, Loaded, Program, Settings, Sizes},
};

use crate::{
    keys::{Draw, HEADERS, KeySet},
    machine::thread_time,
};

/// The object with all its programs loaded.
pub struct Object {
    ebpf: Ebpf,
    pub banks: Banks,
    _program: Program,
}

/// The agent's default.
const SPILL_MEMORY: u64 = 64 << 20;

/// The settings that the agent has by default.
pub fn settings() -> Result<Settings> {
    let sizes = Sizes::fit(program::cpus()?, SPILL_MEMORY, u64::MAX)?;
    Ok(Settings::everything(sizes))
}

impl Object {
    /// Loads the object that `TEITEN_BENCH_OBJECT` names.
    pub fn load(settings: &Settings) -> Result<Self> {
        let path = env::var_os("TEITEN_BENCH_OBJECT")
            .context("TEITEN_BENCH_OBJECT does not name the BPF object: run `cargo xtask bench`")?;
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let Loaded { program, banks, object } = program::load_entry(&bytes, Entry::Fragments, settings)?;
        Ok(Self { ebpf: object, banks, _program: program })
    }

    /// A program by name, loaded if it is not yet.
    pub fn program(&mut self, name: &str) -> Result<&mut Xdp> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the BPF object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load().with_context(|| format!("loading {name}"))?;
        }
        Ok(program)
    }

    /// Runs a program this many times in a row. Returns the CPU time of all runs.
    pub fn repeat(&mut self, name: &str, times: u32) -> Result<Duration> {
        let program = self.program(name)?;
        let frame = frame();
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame);
        options.repeat = times;
        let start = thread_time()?;
        let result = program.test_run(options).with_context(|| format!("running {name}"))?;
        let took = thread_time()? - start;
        // XDP_PASS of linux/bpf.h.
        ensure!(result.return_value == 2, "{name} returned {}", result.return_value);
        Ok(took)
    }

    /// Makes this the set of keys that packets have from now on.
    pub fn set_keys(&mut self, set: &KeySet) -> Result<()> {
        let table = set.table();
        let indices: Vec<u32> = (0..HEADERS as u32).collect();
        update_all(self.map("TABLE")?, &indices, &table).context("filling the table of headers")?;
        let mask = if set.draw == Draw::New { u32::from(u16::MAX) } else { 0 };
        Array::<_, u32>::try_from(self.ebpf.map_mut("LAP_MASK").context("no map LAP_MASK")?)?
            .set(0, mask, 0)?;
        Array::<_, u64>::try_from(self.ebpf.map_mut("CURSOR").context("no map CURSOR")?)?.set(0, 0, 0)?;
        Ok(())
    }

    /// Entries that a map refused so far.
    pub fn refused(&mut self) -> Result<u64> {
        let map = self.ebpf.map("REFUSED").context("no map REFUSED")?;
        Ok(Array::<_, u64>::try_from(map)?.get(&0, 0)?)
    }

    /// Empties `HASH` or `LRU`. Returns the sum of its counts.
    pub fn take(&mut self, name: &str) -> Result<u64> {
        take_all(self.map(name)?).with_context(|| format!("emptying {name}"))
    }

    fn map(&mut self, name: &str) -> Result<BorrowedFd<'_>> {
        let data: &MapData = match self.ebpf.map(name) {
            Some(Map::Array(data) | Map::HashMap(data) | Map::LruHashMap(data)) => data,
            _ => anyhow::bail!("the BPF object has no map {name}"),
        };
        Ok(data.fd().as_fd())
    }

    /// Drains the counters and checks that nothing was lost of `runs` packets.
    pub fn drain(&mut self, runs: u64) -> Result<Drained> {
        let drain = self.banks.take()?;
        if let Some(mismatch) = drain.mismatches.first() {
            return Err(mismatch.clone().into());
        }
        ensure!(drain.uncounted == 0, "{} packets were not counted", drain.uncounted);
        ensure!(
            drain.lost == 0,
            "the detail of {} packets was lost: too many runs between drains",
            drain.lost
        );
        ensure!(
            drain.outcomes.runs == runs && drain.outcomes.packets == runs,
            "{runs} packets became {} runs and {} packets",
            drain.outcomes.runs,
            drain.outcomes.packets
        );
        Ok(Drained { spilled: drain.spilled })
    }
}

/// What a drain tells beside that all is well.
pub struct Drained {
    pub spilled: u64,
}

/// Runs between two drains that the spill log has room for, whatever their keys.
pub const RUNS_BETWEEN_DRAINS: usize = (SPILL_MEMORY / 2 / 16) as usize - SLOTS;

/// A TCP SYN of 60 bytes, as scanners send it, or a UDP datagram where the table says so.
pub fn frame() -> [u8; 60] {
    let mut frame = [0; 60];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..34]
        .copy_from_slice(&[0x45, 0, 0, 46, 0x12, 0x34, 0, 0, 64, 6, 0, 0, 0, 0, 0, 0, 198, 51, 100, 7]);
    // Source port 40,000, sequence number 0x01020304, SYN, window 1,024.
    frame[34..54].copy_from_slice(&[0x9c, 0x40, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02, 4, 0, 0, 0, 0, 0]);
    frame
}

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<()> {
    // SAFETY: the attribute is initialised in full, and what it points to outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, &raw mut *attr, size_of::<bpf_attr>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of plain integers, for which all zeroes is a value.
    unsafe { mem::zeroed() }
}

/// Writes all elements at once (Linux 5.6). `V` must be as large as the map's value.
fn update_all<V>(map: BorrowedFd<'_>, keys: &[u32], values: &[V]) -> Result<()> {
    ensure!(keys.len() == values.len(), "{} keys, {} values", keys.len(), values.len());
    let mut attr = zeroed();
    attr.batch.map_fd = map.as_raw_fd() as u32;
    attr.batch.keys = keys.as_ptr() as u64;
    attr.batch.values = values.as_ptr() as u64;
    attr.batch.count = keys.len() as u32;
    bpf(BPF_MAP_UPDATE_BATCH, &mut attr)?;
    Ok(())
}

/// Takes all elements out of a hash map with keys of 12 bytes, and adds up their counts (Linux 5.6).
fn take_all(map: BorrowedFd<'_>) -> Result<u64> {
    const BATCH: usize = 1 << 18;
    let mut keys = vec![[0u32; 3]; BATCH];
    let mut values = vec![0u64; BATCH];
    let (mut position, mut sum) = (0u32, 0);
    let mut first = true;
    loop {
        let mut attr = zeroed();
        attr.batch.map_fd = map.as_raw_fd() as u32;
        attr.batch.in_batch = if first { 0 } else { &raw const position as u64 };
        attr.batch.out_batch = &raw mut position as u64;
        attr.batch.keys = keys.as_mut_ptr() as u64;
        attr.batch.values = values.as_mut_ptr() as u64;
        attr.batch.count = BATCH as u32;
        first = false;
        let result = bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut attr);
        let end = match &result {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(_) => return result.map(|()| sum).context("bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH)"),
        };
        // SAFETY: the kernel has written it; any bit pattern is a u32.
        let taken = unsafe { attr.batch.count } as usize;
        sum += values.iter().take(taken).sum::<u64>();
        if end {
            return Ok(sum);
        }
    }
}
