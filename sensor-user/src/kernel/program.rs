//! Loading the XDP program with its maps.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{LpmTrie, Map, MapData, RingBuf, lpm_trie::Key},
    programs::{ProgramError, Xdp},
};
use aya_log::EbpfLogger;
use aya_obj::generated::bpf_prog_info;
use ipnet::IpNet;
use sensor_common::classify::SourceMasks;

use super::{
    banks::{Banks, Identity, chunks_in, table_bytes},
    error::KernelError,
    maps::Maps,
    sys::program_info,
};

/// The BPF object, built before the agent and embedded in it.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TEITEN_OBJECT"));

/// How the program is to count.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Watched prefixes with the numbers of their sensors; empty: everything, for sensor 0.
    pub watched: Vec<(IpNet, u8)>,
    /// Drop what is counted.
    pub drop: bool,
    /// IPv4 sources are counted by prefixes of this length, 16 to 32 bits.
    pub v4_prefix: u8,
    /// IPv6 sources are counted by prefixes of this length, 16 to 64 bits.
    pub v6_prefix: u8,
    pub sizes: Sizes,
    /// Id of the store that the counts belong to; zeroes if they belong to none.
    pub store: [u8; 16],
    /// What else makes the counts those of one configuration, such as the names of the sensors.
    pub label: String,
}

impl Settings {
    /// Everything is watched and passes, sources are whole (64 bits of IPv6), and there is no store.
    pub fn everything(sizes: Sizes) -> Self {
        Self {
            watched: Vec::new(),
            drop: false,
            v4_prefix: 32,
            v6_prefix: 64,
            sizes,
            store: [0; 16],
            label: String::new(),
        }
    }
}

/// How large the kernel's tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// CPUs with counters of their own. CPUs of higher numbers share one set, without joint detail.
    pub slices: u32,
    /// Chunks of the spill log of one bank.
    pub chunks: u32,
}

impl Sizes {
    /// Counters for `cpus` CPUs and a spill log of `spill_memory` bytes, within `memory` bytes in
    /// all. When memory is short, the CPUs with the highest numbers get no counters of their own.
    ///
    /// # Errors
    ///
    /// [`KernelError::Memory`] if not even one CPU's counters fit.
    pub fn fit(cpus: u32, spill_memory: u64, memory: u64) -> Result<Self, KernelError> {
        let chunks = chunks_in(spill_memory);
        (1..=cpus).rev().find(|&slices| table_bytes(slices, chunks) <= memory).map_or_else(
            || {
                let mib = |bytes: u64| bytes.div_ceil(1 << 20);
                Err(KernelError::Memory { one_cpu: mib(table_bytes(1, chunks)), budget: mib(memory) })
            },
            |slices| Ok(Self { slices, chunks }),
        )
    }

    /// Bytes of kernel memory that the tables take.
    pub fn bytes(&self) -> u64 {
        table_bytes(self.slices, self.chunks)
    }
}

/// The highest number of an online CPU, plus one.
pub fn cpus() -> Result<u32, KernelError> {
    const PATH: &str = "/sys/devices/system/cpu/online";
    let failed = |source| KernelError::Call { call: "read", what: PATH.to_owned(), source };
    let online = fs::read_to_string(PATH).map_err(failed)?;
    last_cpu(&online)
        .map(|last| last + 1)
        .ok_or_else(|| failed(std::io::Error::other(format!("`{}` is no list of CPUs", online.trim()))))
}

/// The last CPU of a list such as `0-3,8`.
fn last_cpu(list: &str) -> Option<u32> {
    list.trim().rsplit([',', '-']).next()?.parse().ok()
}

/// Which entry point of the object is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Frames of one or several buffers. Linux 5.18.
    Fragments,
    /// Frames of one buffer.
    Linear,
}

impl Entry {
    const fn name(self) -> &'static str {
        match self {
            Self::Fragments => "teiten",
            Self::Linear => "teiten_linear",
        }
    }

    /// The entry point of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Fragments, Self::Linear].into_iter().find(|entry| entry.name() == name)
    }
}

/// The loaded program. Counts as long as it is attached or run, and this value lives or the program is
/// pinned.
pub struct Program {
    fd: OwnedFd,
    id: u32,
    entry: Entry,
    pub(super) maps: Maps,
    /// `None`: taken, or to be found by the program's id.
    log: Option<Log>,
}

/// Reads the program's log lines.
pub type Log = EbpfLogger<&'static dyn log::Log>;

/// A program that was just loaded.
pub struct Loaded {
    pub program: Program,
    pub banks: Banks,
    /// The object that it came from, for what that has beyond what counts.
    pub object: Ebpf,
}

/// Loads the program, with the newest entry point that the kernel takes. The log has been started
/// before.
///
/// # Errors
///
/// [`KernelError::NoPrivilege`], or what the kernel says against the program or its maps.
pub fn load(settings: &Settings) -> Result<Loaded, KernelError> {
    match load_entry(OBJECT, Entry::Fragments, settings) {
        Err(KernelError::Load { .. }) => load_entry(OBJECT, Entry::Linear, settings),
        loaded => loaded,
    }
}

/// A digest of settings and program, the same from run to run: what a program that is loaded with
/// these settings has in its header.
pub fn configuration(settings: &Settings) -> u64 {
    digest(settings, OBJECT)
}

/// Loads one entry point of an object that has the maps of [`OBJECT`].
///
/// # Errors
///
/// As [`load`].
pub fn load_entry(object: &[u8], entry: Entry, settings: &Settings) -> Result<Loaded, KernelError> {
    let Sizes { slices, chunks } = settings.sizes;
    let masks = SourceMasks::new(settings.v4_prefix, settings.v6_prefix);
    let (seed, generation) = random();
    let (watched, drop) = (u8::from(!settings.watched.is_empty()), u8::from(settings.drop));
    let v4 = settings.watched.iter().filter(|(prefix, _)| matches!(prefix, IpNet::V4(_))).count() as u32;
    let v6 = settings.watched.len() as u32 - v4;
    let mut ebpf = EbpfLoader::new()
        .override_global("SLICES", &slices, true)
        .override_global("CHUNKS", &chunks, true)
        .override_global("SEED", &seed, true)
        .override_global("V4_MASK", &masks.v4, true)
        .override_global("V6_MASK", &masks.v6, true)
        .override_global("WATCHED", &watched, true)
        .override_global("DROP", &drop, true)
        .map_max_entries("BLOCKS", 2 * (slices + 1))
        .map_max_entries("PORTS", 2 * (slices + 1))
        .map_max_entries("SPILL", 2 * chunks)
        .map_max_entries("WATCH4", v4.max(1))
        .map_max_entries("WATCH6", v6.max(1))
        .load(object)
        .map_err(|error| refused(entry.name(), "", error))?;
    watch(&mut ebpf, &settings.watched)?;
    let program: &mut Xdp = ebpf
        .program_mut(entry.name())
        .ok_or(KernelError::Object(entry.name()))?
        .try_into()
        .map_err(|_| KernelError::Object(entry.name()))?;
    program.load().map_err(|error| {
        let hint = match error {
            ProgramError::LoadError { .. } => ": Linux 5.12 or newer is needed on x86-64, 5.18 on arm64",
            _ => "",
        };
        refused(entry.name(), hint, error)
    })?;
    let fd = program
        .fd()
        .and_then(|fd| fd.as_fd().try_clone_to_owned().map_err(ProgramError::IOError))
        .map_err(|error| refused(entry.name(), "", error))?;
    let maps = Maps {
        control: map(&ebpf, "CONTROL")?,
        blocks: map(&ebpf, "BLOCKS")?,
        ports: map(&ebpf, "PORTS")?,
        spill: map(&ebpf, "SPILL")?,
        events: map(&ebpf, "EVENTS")?,
    };
    let identity = Identity {
        sizes: settings.sizes,
        generation,
        configuration: digest(settings, object),
        store: settings.store,
    };
    let banks = Banks::new(&maps, &identity)?;
    let log = EbpfLogger::init(&mut ebpf).map_err(|_| KernelError::Object("AYA_LOGS"))?;
    let id = info(fd.as_fd(), entry)?.id;
    let program = Program { fd, id, entry, maps, log: Some(log) };
    Ok(Loaded { program, banks, object: ebpf })
}

impl Program {
    /// A program that was loaded by another process, and the maps that it counts in.
    pub(super) fn adopt(fd: OwnedFd, id: u32, entry: Entry, maps: Maps) -> Self {
        Self { fd, id, entry, maps, log: None }
    }

    /// Which entry point is loaded.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The program's descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// How often the program has run since statistics were enabled (`bpf_stats_enabled`).
    ///
    /// # Errors
    ///
    /// If the kernel does not tell.
    pub fn run_count(&self) -> Result<u64, KernelError> {
        info(self.fd(), self.entry).map(|info| info.run_cnt)
    }

    /// The program's log lines. Taken once.
    ///
    /// # Errors
    ///
    /// Of a program that another process has loaded: if its log is not found, or this process lacks
    /// `CAP_SYS_ADMIN`, without which no map can be had by its number.
    pub fn take_log(&mut self) -> Result<Log, KernelError> {
        match self.log.take() {
            Some(log) => Ok(log),
            None => EbpfLogger::init_from_id(self.id).map_err(|_| KernelError::Object("AYA_LOGS")),
        }
    }

    /// Notices that a spill log is half full. Whoever takes them is the only one that reads them.
    ///
    /// # Errors
    ///
    /// If the ring buffer cannot be mapped into memory.
    pub fn take_notices(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        let missing = |_| KernelError::Object("EVENTS");
        let fd = self.maps.events.try_clone().map_err(|_| KernelError::Object("EVENTS"))?;
        MapData::from_fd(fd).and_then(|map| RingBuf::try_from(Map::RingBuf(map))).map_err(missing)
    }
}

fn info(program: BorrowedFd<'_>, entry: Entry) -> Result<bpf_prog_info, KernelError> {
    program_info(program).map_err(|source| KernelError::Call {
        call: "bpf(BPF_OBJ_GET_INFO_BY_FD)",
        what: format!("program {}", entry.name()),
        source,
    })
}

/// Tells a missing privilege from all else that the kernel may have against the program.
fn refused<E>(program: &'static str, hint: &str, error: E) -> KernelError
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        let errno = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        if matches!(errno, Some(libc::EPERM | libc::EACCES)) && !is_verifier(&error) {
            return KernelError::NoPrivilege;
        }
        cause = inner.source();
    }
    KernelError::Load { program, hint: hint.to_owned(), source: Box::new(error) }
}

/// Whether the verifier spoke: it, too, answers `EACCES`.
fn is_verifier(error: &(dyn std::error::Error + 'static)) -> bool {
    match error.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { verifier_log, .. }) => !verifier_log.to_string().trim().is_empty(),
        _ => false,
    }
}

/// A descriptor of one of the object's maps.
fn map(ebpf: &Ebpf, name: &'static str) -> Result<OwnedFd, KernelError> {
    match ebpf.map(name) {
        Some(Map::Array(data) | Map::RingBuf(data)) => {
            data.fd().as_fd().try_clone_to_owned().map_err(|_| KernelError::Object(name))
        }
        _ => Err(KernelError::Object(name)),
    }
}

/// Tells the program what is watched.
fn watch(ebpf: &mut Ebpf, watched: &[(IpNet, u8)]) -> Result<(), KernelError> {
    fn trie<'a, K: aya::Pod>(
        ebpf: &'a mut Ebpf,
        name: &'static str,
    ) -> Result<LpmTrie<&'a mut MapData, K, u32>, KernelError> {
        ebpf.map_mut(name).and_then(|map| LpmTrie::try_from(map).ok()).ok_or(KernelError::Object(name))
    }
    for &(prefix, sensor) in watched {
        let length = u32::from(prefix.prefix_len());
        match prefix {
            IpNet::V4(prefix) => trie(ebpf, "WATCH4")?.insert(
                &Key::new(length, prefix.network().octets()),
                u32::from(sensor),
                0,
            ),
            IpNet::V6(prefix) => trie(ebpf, "WATCH6")?.insert(
                &Key::new(length, prefix.network().octets()),
                u32::from(sensor),
                0,
            ),
        }
        .map_err(|error| refused("watched prefixes", "", error))?;
    }
    Ok(())
}

/// A seed and a generation from the standard library's source of randomness for hash maps.
fn random() -> (u64, [u8; 16]) {
    let draw = |salt: u64| RandomState::new().hash_one(salt);
    let mut generation = [0; 16];
    generation[..8].copy_from_slice(&draw(1).to_ne_bytes());
    generation[8..].copy_from_slice(&draw(2).to_ne_bytes());
    (draw(0), generation)
}

/// A digest of all settings and of the object, the same from run to run.
fn digest(settings: &Settings, object: &[u8]) -> u64 {
    // FNV-1a over the settings' debug form, which names every field and value, and the object.
    let settings = format!("{settings:?}");
    let bytes = settings.bytes().chain(object.iter().copied());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        for (list, last) in [("0\n", 0), ("0-1\n", 1), ("0-3,8", 8), ("0,2,5-63", 63)] {
            assert_eq!(last_cpu(list), Some(last), "{list}");
        }
        assert_eq!(last_cpu("\n"), None);
    }

    #[test]
    fn sizes_fit_the_budget_or_are_refused() {
        let spill = 64 << 20;
        let all = Sizes::fit(8, spill, u64::MAX).unwrap();
        assert_eq!(all.slices, 8);
        assert_eq!(all.chunks, 512);
        let exact = Sizes::fit(8, spill, all.bytes()).unwrap();
        assert_eq!(exact, all);
        let short = Sizes::fit(8, spill, all.bytes() - 1).unwrap();
        assert_eq!(short.slices, 7);
        assert!(matches!(Sizes::fit(8, spill, 1 << 20), Err(KernelError::Memory { .. })));
        assert_eq!(Sizes::fit(1, 0, u64::MAX).unwrap().chunks, 1);
    }

    #[test]
    fn configurations_differ_in_settings_label_and_program() {
        let settings = Settings::everything(Sizes { slices: 1, chunks: 1 });
        let same = digest(&settings, b"object");
        assert_eq!(same, digest(&settings.clone(), b"object"));
        let others = [
            digest(&settings, b"Object"),
            digest(&Settings { label: "a".to_owned(), ..settings.clone() }, b"object"),
            digest(&Settings { drop: true, ..settings.clone() }, b"object"),
            digest(&Settings { store: [1; 16], ..settings.clone() }, b"object"),
            digest(&Settings { sizes: Sizes { slices: 2, chunks: 1 }, ..settings.clone() }, b"object"),
        ];
        assert!(others.iter().all(|other| *other != same), "{others:x?}");
    }
}
