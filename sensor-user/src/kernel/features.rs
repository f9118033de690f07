//! What this kernel and this process can do, asked of the kernel itself where that is possible.
//!
//! What is read from files is read below a root directory, so that a test can bring its own.

use std::{
    ffi::CString,
    fs,
    io::Read,
    mem,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    banks::Banks,
    error::KernelError,
    program::{Entry, Loaded, Program, Settings, Sizes, load},
    sys::program_info,
    testrun::Runner,
};

/// What files in `/proc`, `/sys` and `/boot` tell. `None`: the file is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// Such as `6.12.48-amd64`.
    pub release: Option<String>,
    /// Of the machine that this program was built for, such as `x86_64`.
    pub architecture: &'static str,
    /// Whether the kernel describes its types (`/sys/kernel/btf/vmlinux`).
    pub btf: bool,
    /// `net.core.bpf_jit_enable`: 0 off, 1 on, 2 on with a dump of the code. Only in the initial
    /// network namespace.
    pub jit: Option<u32>,
    /// `net.core.bpf_jit_harden`: 0 off, 1 for programs of unprivileged users, 2 for all.
    pub jit_hardening: Option<u32>,
    /// `kernel.bpf_stats_enabled`: the kernel takes the time of every run of every program.
    pub statistics: Option<bool>,
    pub realtime: Realtime,
    /// What this process may do.
    pub capabilities: Option<Capabilities>,
    /// Whether `/sys/fs/bpf` is a BPF file system, in this mount namespace.
    pub bpf_file_system: bool,
    /// Whether this process sees the mounts of process 1.
    pub initial_mounts: Option<bool>,
    /// Bytes that can be had without swapping.
    pub memory_available: Option<u64>,
    /// The least memory limit of this process's control group and of those above it, in bytes.
    pub memory_limit: Option<u64>,
}

impl Features {
    /// Reads all of it below `root`, which is `/` but in tests.
    pub fn read(root: &Path) -> Self {
        let number = |path: &str| text(root, path)?.trim().parse::<u32>().ok();
        Self {
            release: text(root, "proc/sys/kernel/osrelease").map(|release| release.trim().to_owned()),
            architecture: std::env::consts::ARCH,
            btf: root.join("sys/kernel/btf/vmlinux").exists(),
            jit: number("proc/sys/net/core/bpf_jit_enable"),
            jit_hardening: number("proc/sys/net/core/bpf_jit_harden"),
            statistics: number("proc/sys/kernel/bpf_stats_enabled").map(|value| value != 0),
            realtime: realtime(root),
            capabilities: text(root, "proc/self/status").as_deref().and_then(Capabilities::effective),
            bpf_file_system: is_bpf_file_system(&root.join("sys/fs/bpf")),
            initial_mounts: same_namespace(root, "mnt"),
            memory_available: text(root, "proc/meminfo").as_deref().and_then(memory_available),
            memory_limit: memory_limit(root),
        }
    }

    /// Major and minor version of the release.
    pub fn version(&self) -> Option<(u32, u32)> {
        self.release.as_deref().and_then(version)
    }
}

fn text(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok()
}

/// Major and minor version of a release such as `6.12.48-amd64`.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether the kernel is a real-time kernel, and if so, whether sections with bottom halves disabled
/// are serial on each CPU, as the program's plain additions need it.
///
/// They are on real-time kernels too, by a per-CPU lock, until commit 3253cb49cbad ("softirq: Allow to
/// drop the softirq-BKL lock on PREEMPT_RT", Linux 6.18, back-ported to 6.12.57) made that lock an
/// option that is off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realtime {
    /// No real-time kernel.
    No,
    /// Built with `CONFIG_PREEMPT_RT_NEEDS_BH_LOCK`, or so old that the lock is no option.
    Serial,
    /// Built without the lock.
    Preemptible,
    /// The kernel's configuration cannot be read.
    Unknown,
}

impl Realtime {
    /// # Errors
    ///
    /// [`KernelError::Realtime`] unless runs of the program are known to be serial on each CPU.
    pub fn refuse_unsafe(self) -> Result<(), KernelError> {
        match self {
            Self::No | Self::Serial => Ok(()),
            Self::Preemptible => {
                Err(KernelError::Realtime { reason: "it is built without CONFIG_PREEMPT_RT_NEEDS_BH_LOCK" })
            }
            Self::Unknown => Err(KernelError::Realtime {
                reason: "neither /proc/config.gz nor /boot tells whether it is built with \
                         CONFIG_PREEMPT_RT_NEEDS_BH_LOCK",
            }),
        }
    }
}

/// Refuses a kernel on which the counters would lose packets unseen.
///
/// # Errors
///
/// [`KernelError::Realtime`].
pub fn refuse_unsafe_realtime() -> Result<(), KernelError> {
    realtime(Path::new("/")).refuse_unsafe()
}

/// Finds out by the kernel's flag, its build and its configuration.
pub fn realtime(root: &Path) -> Realtime {
    let flag = text(root, "sys/kernel/realtime").is_some_and(|flag| flag.trim() == "1");
    let build = text(root, "proc/sys/kernel/version").unwrap_or_default();
    if !flag && !build.contains("PREEMPT_RT") && !build.contains("PREEMPT RT") {
        return Realtime::No;
    }
    configuration(root).map_or(Realtime::Unknown, |configuration| realtime_lock(&configuration))
}

/// What a real-time kernel's configuration says of the lock.
fn realtime_lock(configuration: &str) -> Realtime {
    const LOCK: &str = "CONFIG_PREEMPT_RT_NEEDS_BH_LOCK";
    let has = |wanted: &str| configuration.lines().any(|line| line.trim() == wanted);
    if has(&format!("{LOCK}=y")) {
        Realtime::Serial
    } else if configuration.contains(LOCK) {
        Realtime::Preemptible
    } else if has("CONFIG_PREEMPT_RT=y") {
        // A full configuration names every option that there is: here the lock is none.
        Realtime::Serial
    } else {
        // Not this kernel's configuration.
        Realtime::Unknown
    }
}

/// The configuration that the running kernel was built with.
fn configuration(root: &Path) -> Option<String> {
    /// Far above what a configuration takes.
    const LIMIT: u64 = 16 << 20;
    if let Ok(file) = fs::File::open(root.join("proc/config.gz")) {
        let mut configuration = String::new();
        if flate2::read::GzDecoder::new(file).take(LIMIT).read_to_string(&mut configuration).is_ok() {
            return Some(configuration);
        }
    }
    let release = text(root, "proc/sys/kernel/osrelease")?;
    let release = release.trim();
    [format!("boot/config-{release}"), format!("lib/modules/{release}/config")]
        .iter()
        .find_map(|path| text(root, path))
}

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;

    /// The effective set, of the text of `/proc/self/status`.
    fn effective(status: &str) -> Option<Self> {
        let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(set.trim(), 16).ok().map(Self)
    }

    const fn has(self, capability: u32) -> bool {
        self.0 >> capability & 1 != 0
    }

    /// The capabilities that loading and attaching the program wants and that are not here.
    /// `CAP_SYS_ADMIN` stands for `CAP_BPF` and `CAP_PERFMON`.
    pub fn missing(self) -> Vec<&'static str> {
        let administrator = self.has(Self::SYS_ADMIN);
        let wanted = [
            ("CAP_BPF", administrator || self.has(Self::BPF)),
            ("CAP_NET_ADMIN", self.has(Self::NET_ADMIN)),
            ("CAP_PERFMON", administrator || self.has(Self::PERFMON)),
        ];
        wanted.into_iter().filter(|&(_, has)| !has).map(|(name, _)| name).collect()
    }
}

/// Whether a BPF file system is mounted there, in this mount namespace.
pub(super) fn is_bpf_file_system(path: &Path) -> bool {
    /// `BPF_FS_MAGIC` of linux/magic.h.
    const MAGIC: u32 = 0xcafe_4a11;
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: plain integers.
    let mut status: libc::statfs = unsafe { mem::zeroed() };
    // SAFETY: a path that ends with a zero, and a structure that the kernel fills in.
    let result = unsafe { libc::statfs(path.as_ptr(), &raw mut status) };
    result == 0 && status.f_type as u32 == MAGIC
}

/// Whether this process and process 1 share a namespace. `None` if the kernel does not tell.
fn same_namespace(root: &Path, kind: &str) -> Option<bool> {
    let of = |process: &str| fs::read_link(root.join("proc").join(process).join("ns").join(kind)).ok();
    Some(of("self")? == of("1")?)
}

/// `MemAvailable` of the text of `/proc/meminfo`, in bytes.
fn memory_available(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// The least memory limit of the control groups that this process is in, of version 2 or 1. BPF maps
/// are charged to them.
fn memory_limit(root: &Path) -> Option<u64> {
    let groups = text(root, "proc/self/cgroup")?;
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            memory if memory.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let group = PathBuf::from(group.trim_start_matches('/'));
        let mount = root.join(mount);
        group.ancestors().filter_map(|group| fs::read_to_string(mount.join(group).join(file)).ok()).collect()
    });
    // Version 2 has no limit as `max`, version 1 as the highest multiple of a page.
    limits.filter_map(|limit| limit.trim().parse().ok()).filter(|&limit: &u64| limit < 1 << 62).min()
}

/// Bytes of a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// The program, loaded to see whether it can be.
pub struct Trial {
    pub program: Program,
    banks: Banks,
    /// Bytes of machine code that the kernel made of it: 0 if it is interpreted. `None` if the
    /// kernel does not tell.
    pub machine_code: Option<u32>,
}

impl Trial {
    /// Loads the program with the smallest tables. Nothing is attached.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn new() -> Result<Self, KernelError> {
        let sizes = Sizes { slices: 1, chunks: 1 };
        let Loaded { program, banks, .. } = load(&Settings::everything(sizes))?;
        let machine_code = program_info(program.fd()).ok().map(|info| info.jited_prog_len);
        Ok(Self { program, banks, machine_code })
    }

    /// Which entry point the kernel took.
    pub fn entry(&self) -> Entry {
        self.program.entry()
    }

    /// Has the program count one frame, drains it, and tells whether the books are right.
    ///
    /// # Errors
    ///
    /// If the frame cannot be run, or the tables not be drained.
    pub fn counts(&mut self) -> Result<bool, KernelError> {
        // An ARP frame: the shortest that ends in an outcome, and nobody's packet.
        let mut frame = [0; 60];
        frame[12..14].copy_from_slice(&[0x08, 0x06]);
        Runner::new(&self.program).run(&frame)?;
        let drain = self.banks.take()?;
        let outcomes = drain.outcomes;
        Ok(outcomes.runs == 1 && outcomes.non_ip == 1 && drain.uncounted == 0 && drain.mismatches.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::symlink};

    use super::*;

    type File<'a> = (&'a str, &'a [u8]);

    /// A root directory with these files; removed when dropped.
    struct Root(PathBuf);

    impl Root {
        fn new(test: &str, files: &[File<'_>]) -> Self {
            let path = std::env::temp_dir().join(format!("teiten-features-{}-{test}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            for (file, content) in files {
                let file = path.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
            Self(path)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    const WITHOUT_LOCK: &str = "CONFIG_PREEMPT_RT=y\n# CONFIG_PREEMPT_RT_NEEDS_BH_LOCK is not set\n";

    #[test]
    fn a_lock_is_set_or_unset_or_no_option_yet() {
        assert_eq!(
            realtime_lock("CONFIG_PREEMPT_RT=y\nCONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y\n"),
            Realtime::Serial
        );
        assert_eq!(realtime_lock(WITHOUT_LOCK), Realtime::Preemptible);
        assert_eq!(realtime_lock("CONFIG_PREEMPT_RT=y\nCONFIG_BPF=y\n"), Realtime::Serial);
        assert_eq!(realtime_lock("# CONFIG_PREEMPT_RT is not set\n"), Realtime::Unknown);
        assert_eq!(realtime_lock(""), Realtime::Unknown);
    }

    #[test]
    fn real_time_kernels_are_told_by_flag_or_build_and_refused_without_the_lock() {
        let release: File<'_> = ("proc/sys/kernel/osrelease", b"6.18.1-rt\n");
        let build: File<'_> = ("proc/sys/kernel/version", b"#1 SMP PREEMPT_RT Debian\n");
        let flag: File<'_> = ("sys/kernel/realtime", b"1\n");
        let config = packed(WITHOUT_LOCK);
        let cases: [(&str, &[File<'_>], Realtime); 7] = [
            ("nothing", &[], Realtime::No),
            ("other", &[("proc/sys/kernel/version", b"#1 SMP PREEMPT_DYNAMIC\n")], Realtime::No),
            ("build", &[release, build], Realtime::Unknown),
            ("flag", &[flag, ("proc/config.gz", &config)], Realtime::Preemptible),
            (
                "boot",
                &[release, build, ("boot/config-6.18.1-rt", WITHOUT_LOCK.as_bytes())],
                Realtime::Preemptible,
            ),
            (
                "modules",
                &[release, flag, ("lib/modules/6.18.1-rt/config", b"CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y\n")],
                Realtime::Serial,
            ),
            // Not packed: as if it were not there.
            ("broken", &[release, flag, ("proc/config.gz", WITHOUT_LOCK.as_bytes())], Realtime::Unknown),
        ];
        for (test, files, expected) in cases {
            let root = Root::new(test, files);
            let found = realtime(&root.0);
            assert_eq!(found, expected, "{test}");
            let safe = matches!(expected, Realtime::No | Realtime::Serial);
            assert_eq!(found.refuse_unsafe().is_ok(), safe, "{test}");
        }
        let text = Realtime::Preemptible.refuse_unsafe().unwrap_err().to_string();
        assert!(
            text.contains("without CONFIG_PREEMPT_RT_NEEDS_BH_LOCK:") && text.contains("boot a kernel"),
            "{text}"
        );
    }

    #[test]
    fn capabilities_that_are_missing() {
        let set = |bits: &[u32]| Capabilities(bits.iter().map(|bit| 1 << bit).sum());
        assert_eq!(set(&[]).missing(), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(set(&[39, 12]).missing(), ["CAP_PERFMON"]);
        assert!(set(&[39, 12, 38]).missing().is_empty());
        assert_eq!(set(&[21]).missing(), ["CAP_NET_ADMIN"]);
        assert!(set(&[21, 12]).missing().is_empty());
        let status = "Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t0000008000001000\n";
        assert_eq!(Capabilities::effective(status), Some(set(&[39, 12])));
        assert_eq!(Capabilities::effective("CapEff:\tnone\n"), None);
    }

    #[test]
    fn versions_of_releases() {
        for (release, expected) in [
            ("6.12.48-amd64", Some((6, 12))),
            ("5.4", Some((5, 4))),
            ("6.18-rc1", Some((6, 18))),
            ("6", None),
            ("", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn memory_is_bounded_by_the_tightest_control_group() {
        assert_eq!(memory_available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(memory_available("MemTotal: 9 kB\n"), None);
        let root = Root::new(
            "cgroup2",
            &[
                ("proc/self/cgroup", b"0::/system.slice/teiten.service\n"),
                ("sys/fs/cgroup/system.slice/memory.max", b"1000\n"),
                ("sys/fs/cgroup/system.slice/teiten.service/memory.max", b"max\n"),
            ],
        );
        assert_eq!(memory_limit(&root.0), Some(1000));
        let root = Root::new(
            "cgroup1",
            &[
                ("proc/self/cgroup", b"4:cpu:/a\n3:memory:/a\n0::/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", b"9223372036854771712\n"),
                ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", b"2000\n"),
            ],
        );
        assert_eq!(memory_limit(&root.0), Some(2000));
        assert_eq!(memory_limit(&Root::new("no-cgroup", &[]).0), None);
    }

    #[test]
    fn mount_namespaces_are_compared() {
        let root = Root::new("namespaces", &[("proc/self/ns/x", b""), ("proc/1/ns/x", b"")]);
        assert_eq!(same_namespace(&root.0, "mnt"), None);
        symlink("mnt:[1]", root.0.join("proc/self/ns/mnt")).unwrap();
        symlink("mnt:[1]", root.0.join("proc/1/ns/mnt")).unwrap();
        assert_eq!(same_namespace(&root.0, "mnt"), Some(true));
        fs::remove_file(root.0.join("proc/1/ns/mnt")).unwrap();
        symlink("mnt:[2]", root.0.join("proc/1/ns/mnt")).unwrap();
        assert_eq!(same_namespace(&root.0, "mnt"), Some(false));
    }

    #[test]
    fn this_kernel_is_read() {
        let features = Features::read(Path::new("/"));
        assert!(features.version().is_some_and(|version| version >= (5, 0)), "{features:?}");
        assert!(features.capabilities.is_some() && features.memory_available.is_some(), "{features:?}");
        assert!(!is_bpf_file_system(Path::new("/proc")));
    }

    #[test]
    fn the_program_counts_in_a_trial() {
        match Trial::new() {
            Ok(mut trial) => {
                assert!(trial.counts().unwrap());
                assert!(trial.counts().unwrap());
            }
            Err(KernelError::NoPrivilege) => eprintln!("skipped: not allowed to load BPF programs"),
            Err(error) => panic!("{error:?}"),
        }
    }
}
