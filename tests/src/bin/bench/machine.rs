//! What the figures were measured on.

use std::{fs, io, mem, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::Options;

/// Whether the kernel takes the time of every run of every BPF program.
pub fn statistics_enabled() -> Result<bool> {
    const PATH: &str = "/proc/sys/kernel/bpf_stats_enabled";
    Ok(fs::read_to_string(PATH).context(PATH)?.trim() != "0")
}

/// Date, machine, kernel, and the state of all that changes what a BPF program costs.
pub fn heading(options: &Options) -> String {
    let read =
        |path: &str| fs::read_to_string(path).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned());
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |line| line.trim_start_matches([' ', '\t', ':']));
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let virtual_machine = if cpuinfo.contains(" hypervisor") { ", virtual machine" } else { "" };
    let jit = match read("/proc/sys/net/core/bpf_jit_enable").as_str() {
        "0" => "off",
        "?" => "unknown",
        _ => "on",
    };
    let hardening = match read("/proc/sys/net/core/bpf_jit_harden").as_str() {
        "0" => "off",
        "?" => "unknown",
        _ => "on",
    };
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{}{}, Linux {}, {model}, {cpus} cores{virtual_machine}\n\n\
         JIT {jit}, JIT hardening {hardening}, bpf_stats_enabled off; mitigations: {}; load {load}; \
         revision {}{}.\n",
        if options.markdown { "## " } else { "" },
        jiff::Zoned::now().date(),
        read("/proc/sys/kernel/osrelease"),
        mitigations(),
        revision(),
        if options.quick { "; QUICK RUN, not for the record" } else { "" },
    )
}

/// What the kernel does about the CPU's weaknesses, for those that it does anything about.
fn mitigations() -> String {
    let mut active = Vec::new();
    let entries = fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
    for entry in entries {
        let Ok(state) = fs::read_to_string(entry.path()) else { continue };
        if let Some(mitigation) = state.trim().strip_prefix("Mitigation: ") {
            let first = mitigation.split([';', ',']).next().unwrap_or(mitigation);
            active.push(format!("{} ({first})", entry.file_name().display()));
        }
    }
    active.sort();
    if active.is_empty() { "none".to_owned() } else { active.join(", ") }
}

fn revision() -> String {
    let git = |arguments: &[&str]| -> Option<String> {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    let Some(revision) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|text| !text.is_empty());
    if changed { format!("{revision}, changed since") } else { revision }
}

/// Keeps the calling thread on these CPUs.
pub fn pin(cpus: impl IntoIterator<Item = usize>) -> Result<()> {
    // SAFETY: a bit field, for which all zeroes is a value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for cpu in cpus {
        ensure!(cpu < libc::CPU_SETSIZE as usize, "CPU {cpu} is beyond what a CPU set holds");
        // SAFETY: the CPU is within the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: reads the set only.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    ensure!(result == 0, "sched_setaffinity failed: {}", io::Error::last_os_error());
    Ok(())
}

/// The CPUs that the calling thread may run on.
pub fn allowed() -> Result<Vec<usize>> {
    // SAFETY: as in `pin`.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: writes the set only.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    ensure!(result == 0, "sched_getaffinity failed: {}", io::Error::last_os_error());
    // SAFETY: every CPU asked for is within the set.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect())
}

/// CPU time that the calling thread has used: what other processes take does not count.
pub fn thread_time() -> Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    ensure!(result == 0, "clock_gettime failed: {}", io::Error::last_os_error());
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}
