//! What Teiten's tests share.
//!
//! - [`frames`]: builders for test frames, byte by byte;
//! - [`rules`]: the accounting rules as a table of frames and what must become of them;
//! - [`host`]: the classifier on the host, as a reference;
//! - [`random`]: pseudo-random numbers that are the same in every run;
//! - [`series`]: made-up counts a day;
//! - [`mounts`]: file systems of a test's own;
//! - [`netns`]: network namespaces with veth pairs, gone when they are dropped;
//! - [`send`]: frames out of, and into, packet sockets;
//! - [`bpf`]: small BPF programs and maps of a test's own;
//! - [`agent`]: the binary `teiten` as a child process, and what it puts out;
//! - [`pty`]: a terminal, and what a program draws on it;
//! - [`station`]: a sensor with a store and a pin path, and the commands that work on them;
//! - [`trace`]: a process that is killed at one of its system calls;
//! - [`flood`]: more frames than anybody can send by hand;
//! - [`store`]: what a store holds, by SQL alone;
//! - [`bpffs`]: a place to pin to;
//! - [`tmpfs`]: a small file system that can be filled up;
//! - [`scratch`]: a directory for the files of one test;
//! - [`capture`]: captures in the making;
//! - [`mmdb`]: country databases in the making;
//! - [`stored`]: a store whose answers are known;
//! - [`report`]: reports, and stores to report on;
//! - [`chromium`]: a browser, to look at pages with;
//! - [`prometheus`]: Prometheus, to scrape and to judge.
//!
//! A test that cannot run here says so with [`skip`].

use std::{
    env,
    io::Write,
    time::{Duration, Instant},
};

pub mod agent;
pub mod bpf;
pub mod bpffs;
pub mod capture;
pub mod chromium;
pub mod flood;
pub mod frames;
pub mod host;
pub mod mmdb;
pub mod mounts;
pub mod netns;
pub mod prometheus;
pub mod pty;
pub mod random;
pub mod report;
pub mod rules;
pub mod scratch;
pub mod send;
pub mod series;
pub mod station;
pub mod store;
pub mod stored;
pub mod tmpfs;
pub mod trace;

/// How long tests wait for what must happen. Long enough for a loaded machine: nobody waits this
/// long unless a test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

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
