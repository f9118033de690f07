//! What Teiten's tests share.
//!
//! - [`frames`]: builders for test frames, byte by byte;
//! - [`rules`]: the accounting rules as a table of frames and what must become of them;
//! - [`host`]: the classifier on the host, as a reference;
//! - [`random`]: pseudo-random numbers that are the same in every run;
//! - [`mounts`]: file systems of a test's own;
//! - [`netns`]: network namespaces with veth pairs, gone when they are dropped;
//! - [`send`]: frames out of, and into, packet sockets;
//! - [`bpf`]: small BPF programs of a test's own;
//! - [`agent`]: the binary `teiten` as a child process, and what it puts out;
//! - [`scratch`]: a directory for the files of one test;
//! - [`capture`]: captures in the making;
//! - [`mmdb`]: country databases in the making.
//!
//! A test that cannot run here says so with [`skip`].

use std::{
    env,
    io::Write,
    time::{Duration, Instant},
};

pub mod agent;
pub mod bpf;
pub mod capture;
pub mod frames;
pub mod host;
pub mod mmdb;
pub mod mounts;
pub mod netns;
pub mod random;
pub mod rules;
pub mod scratch;
pub mod send;

/// How long tests wait for what must happen. Long enough for a loaded machine: nobody waits this
/// long unless a test fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Says why a test does not run here.
///
/// # Panics
///
/// If `TEITEN_NO_SKIP` is set: then every test has to run.
pub fn skip(why: &str) {
    assert!(env::var_os("TEITEN_NO_SKIP").is_none_or(|no| no.is_empty()), "cannot be skipped: {why}");
    let test = std::thread::current();
    // Not eprintln!, which the test harness captures.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {}: {why}", test.name().unwrap_or("a test"));
}

/// Whether this is root, as loading programs and making namespaces want; else the test is skipped.
#[must_use]
pub fn root() -> bool {
    // SAFETY: no preconditions.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        skip("it makes network namespaces and loads BPF programs, which only root may");
    }
    is_root
}

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// After [`DEADLINE`], naming what was waited for.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
