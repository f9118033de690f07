//! What can go wrong between the agent and the kernel.

use std::{io, path::PathBuf};

/// An error of the kernel room. Messages say what was asked of the kernel and with which values.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A system call failed.
    #[error("{call} failed for {what}")]
    Call {
        /// The system call and command.
        call: &'static str,
        /// The object and values it was called with.
        what: String,
        #[source]
        source: io::Error,
    },
    /// The process may not load BPF programs.
    #[error(
        "not allowed to load BPF programs: run as root (sudo), or give the process the capabilities \
         CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    NoPrivilege,
    /// The process may not make a network namespace.
    #[error(
        "not allowed to make a network namespace: run as root (sudo), or give the process the \
         capabilities CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON"
    )]
    NoNamespace,
    /// The kernel does not take the program.
    #[error("the kernel refused the XDP program `{program}`{hint}")]
    Load {
        program: &'static str,
        hint: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The BPF object lacks what the agent wants of it.
    #[error("the BPF object has no {0}: agent and object were not built together")]
    Object(&'static str),
    /// The tables do not fit into the memory that they may take.
    #[error(
        "the counters of one CPU take {one_cpu} MiB and the budget is {budget} MiB: raise --memory \
         to {one_cpu}M at least"
    )]
    Memory { one_cpu: u64, budget: u64 },
    /// There is no such interface.
    #[error("no interface is named `{name}`; there are: {present}")]
    NoInterface { name: String, present: String },
    /// Another XDP program sits on the interface.
    #[error(
        "{interface} already has an XDP program: {holder}; an interface takes one at a time, end that \
         one first (`teiten detach` ends counters of teiten that are pinned, `ip link set dev {interface} xdp \
         off` removes a program that no process holds)"
    )]
    Busy { interface: String, holder: String },
    /// The driver has no native XDP.
    #[error(
        "the driver of {interface} ({driver}) has no native XDP: use --mode generic, or --mode auto \
         which falls back to it"
    )]
    NoNative { interface: String, driver: String },
    /// The driver refuses native XDP as the interface is set up now.
    #[error("the driver of {interface} ({driver}) refuses native XDP: {reason}")]
    Refused {
        interface: String,
        driver: String,
        reason: String,
        #[source]
        source: io::Error,
    },
    /// On this kernel two runs of the program on one CPU can interrupt each other.
    #[error(
        "this is a real-time kernel, and {reason}: plain per-CPU additions, with which the program counts, \
         would lose packets when one run interrupts another on the same CPU; boot a kernel without \
         CONFIG_PREEMPT_RT, or one built with CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y"
    )]
    Realtime { reason: &'static str },
    /// Netlink did not answer as it must.
    #[error("asking the kernel for its interfaces failed")]
    Netlink(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process may not work with pinned counters.
    #[error(
        "not allowed to work with pinned counters ({call} for {what}): run as root (sudo), or give the \
         process the capabilities CAP_SYS_ADMIN, CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    NoPinPrivilege {
        /// The system call and command that was refused.
        call: &'static str,
        what: String,
    },
    /// The pins are another agent's.
    #[error("another agent{} works with the counters in {}: end it first", of_pid(*pid), path.display())]
    Held {
        path: PathBuf,
        /// `None`: it is in another process namespace, or `/proc` does not tell.
        pid: Option<u32>,
    },
    /// Nothing can be pinned at this path.
    #[error("{} cannot hold pinned counters: {reason}", path.display())]
    PinPath { path: PathBuf, reason: &'static str },
    /// Pinned counters are damaged, or not ours.
    #[error(
        "the pinned counters {} cannot be used: {wrong}; `teiten detach --discard` removes them, with \
         what they have counted since they were last drained",
        path.display()
    )]
    Pinned { path: PathBuf, wrong: String },
    /// Pinned counters are those of another version.
    #[error(
        "the pinned counters {} were made by another version of teiten (their layout is version {found}, \
         this program's is {ours}): end them with that version's `teiten detach`, which drains them first; \
         `teiten detach --discard` removes them, with what they have counted since they were last drained",
        path.display()
    )]
    OtherLayout { path: PathBuf, found: u32, ours: u32 },
    /// A pinned link has outlived its interface.
    #[error("the interface of the pinned link {} is gone", path.display())]
    LinkGone { path: PathBuf },
}

fn of_pid(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}
