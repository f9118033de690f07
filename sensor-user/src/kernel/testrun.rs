//! Frames through the loaded program, without an interface (`BPF_PROG_TEST_RUN`).

use std::io;

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
