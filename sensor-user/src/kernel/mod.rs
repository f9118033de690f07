//! The kernel's side of the sensor: load, attach, count, drain.
//!
//! The only room that knows of `aya`, `bpf(2)` and `mmap`. Everything above it sees [`Drain`]s,
//! which a test can make by hand.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`program`] | load the XDP program with its maps |
//! | [`attach`] | bpf_links on interfaces, and who sits there already |
//! | [`banks`] | flip, grace period, read; zero |
//! | [`pins`] | counters that outlive the agent, in a BPF file system |
//! | [`resume`] | where an agent goes on that finds such counters |
//! | [`account`] | the identities that every drain is held to |
//! | [`testrun`] | frames through the loaded program without an interface |
//! | [`interfaces`] | what netlink knows of interfaces |
//! | [`namespace`] | a network namespace that ends with the process, and a cable in it |
//! | [`packet_socket`] | frames out of an interface |
//! | [`native`] | whether an interface takes XDP programs in its driver |
//! | [`features`] | what this kernel and this process can do |
//!
//! Minimum kernel: Linux 5.12 on x86-64 and 5.18 on arm64, for atomic instructions that return the
//! old value. Frames of several buffers (jumbo frames in native mode) want 5.18.

pub mod account;
pub mod attach;
pub mod banks;
mod error;
pub mod features;
pub mod interfaces;
mod maps;
mod memory;
pub mod namespace;
pub mod native;
pub mod packet_socket;
pub mod pins;
pub mod program;
pub mod resume;
mod sys;
pub mod testrun;

pub use account::{Drain, Mismatch, Span, Unattributed};
pub use error::KernelError;
