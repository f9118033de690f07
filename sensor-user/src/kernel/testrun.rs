//! Frames through the loaded program, without an interface (`BPF_PROG_TEST_RUN`).

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, channel, sync_channel},
    },
    thread::Scope,
};

use super::{
    error::KernelError,
    program::{Entry, Program},
    sys::TestRun,
};

/// An Ethernet header: the kernel refuses shorter frames.
const SHORTEST: usize = 14;
/// Longest frame of one buffer that every kernel takes: a page without head and tail room.
const LONGEST_LINEAR: usize = 3520;
/// Longest frame of several buffers; no header that the program reads lies further in.
const LONGEST: usize = 65_535;

/// What the program did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Pass,
    Drop,
    /// Any other XDP action, by number; the program gives none.
    Other(u32),
    /// The frame is shorter than an Ethernet header, which the kernel does not take for a test run
    /// and no interface delivers. It is `malformed`, and the caller counts it.
    TooShort,
}

/// Runs a program on frames, one by one.
pub struct Runner<'a> {
    run: TestRun,
    longest: usize,
    _program: &'a Program,
}

impl<'a> Runner<'a> {
    /// Runs of this program.
    pub fn new(program: &'a Program) -> Self {
        let longest = match program.entry() {
            Entry::Fragments => LONGEST,
            Entry::Linear => LONGEST_LINEAR,
        };
        Self { run: TestRun::new(program.fd()), longest, _program: program }
    }

    /// Runs the program on a frame, of which it sees the first 65,535 bytes (3,520 where the
    /// kernel is older than 5.18).
    ///
    /// # Errors
    ///
    /// If the kernel does not run it. The frame is not counted then.
    pub fn run(&mut self, frame: &[u8]) -> Result<Action, KernelError> {
        let frame = &frame[..frame.len().min(self.longest)];
        if frame.len() < SHORTEST {
            return Ok(Action::TooShort);
        }
        match self.run.run(frame) {
            Ok(1) => Ok(Action::Drop),
            Ok(2) => Ok(Action::Pass),
            Ok(other) => Ok(Action::Other(other)),
            Err(source) if source.kind() == io::ErrorKind::Interrupted => self.run(frame),
            Err(source) => Err(KernelError::Call {
                call: "bpf(BPF_PROG_TEST_RUN)",
                what: format!("a frame of {} bytes", frame.len()),
                source,
            }),
        }
    }
}

/// Frames to run the program on, one after another.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each frame ends in `bytes`.
    ends: Vec<usize>,
}

impl Batch {
    /// The most frames of a batch.
    pub const MOST: usize = 1024;
    /// A batch is full with this many bytes, too.
    const MOST_BYTES: usize = 1 << 20;

    /// Adds a frame.
    pub fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
    }

    /// Whether it should be run before more is added.
    pub fn is_full(&self) -> bool {
        self.ends.len() >= Self::MOST || self.bytes.len() >= Self::MOST_BYTES
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Runs the program on all frames and forgets them. Returns how many were too short for it.
    fn run(&mut self, runner: &mut Runner<'_>) -> Result<u64, KernelError> {
        let mut too_short = 0;
        let mut start = 0;
        for &end in &self.ends {
            too_short += u64::from(runner.run(&self.bytes[start..end])? == Action::TooShort);
            start = end;
        }
        self.bytes.clear();
        self.ends.clear();
        Ok(too_short)
    }
}

/// Threads that run a program on batches of frames, in no order: a system call per frame is what
/// takes the time.
pub struct Workers {
    work: SyncSender<Batch>,
    done: Receiver<(Batch, Result<u64, KernelError>)>,
    /// Batches that are waiting or being run.
    under_way: usize,
    most_under_way: usize,
    too_short: u64,
}

impl Workers {
    /// Starts `count` threads in a scope; they end when this value is dropped.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>, program: &'scope Program, count: usize) -> Self {
        let most_under_way = 2 * count;
        let (work, todo) = sync_channel::<Batch>(most_under_way);
        let (finished, done) = channel();
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..count {
            let (todo, finished) = (Arc::clone(&todo), finished.clone());
            scope.spawn(move || {
                let mut runner = Runner::new(program);
                let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(mut batch) = next() {
                    let result = batch.run(&mut runner);
                    if finished.send((batch, result)).is_err() {
                        break;
                    }
                }
            });
        }
        Self { work, done, under_way: 0, most_under_way, too_short: 0 }
    }

    /// Hands over a batch, and gives an empty one back.
    ///
    /// # Errors
    ///
    /// If the kernel did not run a frame of an earlier batch; the rest of that batch is not
    /// counted then.
    pub fn run(&mut self, batch: Batch) -> Result<Batch, KernelError> {
        let empty = if self.under_way == self.most_under_way { self.collect()? } else { Batch::default() };
        // Fails only if all threads have panicked, which the scope reports.
        if self.work.send(batch).is_ok() {
            self.under_way += 1;
        }
        Ok(empty)
    }

    /// Waits until all batches are done. Returns how many frames since the last call were too
    /// short for the program.
    ///
    /// # Errors
    ///
    /// As [`Workers::run`].
    pub fn finish(&mut self) -> Result<u64, KernelError> {
        while self.under_way > 0 {
            self.collect()?;
        }
        Ok(std::mem::take(&mut self.too_short))
    }

    fn collect(&mut self) -> Result<Batch, KernelError> {
        self.under_way -= 1;
        let Ok((batch, result)) = self.done.recv() else { return Ok(Batch::default()) };
        self.too_short += result?;
        Ok(batch)
    }
}
