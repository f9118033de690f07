//! Frames that have a time of their own, through the loaded program and into the store: those of captures,
//! and those that are made.

use std::sync::Arc;

use crate::{
    cube::SourceLengths,
    kernel::{
        Drain, KernelError, Span,
        banks::Banks,
        testrun::{Batch, Workers},
    },
    model::Sensors,
    store::StoreError,
};

use super::{
    keep::{SharedStore, lock},
    record::{Recorded, Recording},
};

/// Why frames could not be counted or kept.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Frames on their way through a loaded program.
pub struct Playback {
    banks: Banks,
    workers: Workers,
    batch: Batch,
    /// Where what is counted goes, if it is kept.
    recording: Option<(SharedStore, Recording)>,
}

impl Playback {
    /// Of a program that only `workers` run.
    pub fn new(banks: Banks, workers: Workers) -> Self {
        Self { banks, workers, batch: Batch::default(), recording: None }
    }

    /// Begins to keep what is counted in a store. `now`: seconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn record(
        &mut self,
        store: &SharedStore,
        host: &str,
        lengths: SourceLengths,
        sensors: &Sensors,
        now: i64,
    ) -> Result<(), PlaybackError> {
        let recording = Recording::begin(&mut lock(store), host, lengths, sensors, now)?;
        self.recording = Some((Arc::clone(store), recording));
        Ok(())
    }

    /// Takes note of what tells the recording from others, beside its frames.
    pub fn mark(&mut self, bytes: &[u8]) {
        if let Some((_, recording)) = &mut self.recording {
            recording.mark(bytes);
        }
    }

    /// Runs the program on a frame, now or a little later. Gives whether to take out soon what was counted
    /// (now, if nothing else asks for it), since room becomes short.
    ///
    /// # Errors
    ///
    /// If the kernel does not run the program.
    pub fn frame(&mut self, time_ns: i64, bytes: &[u8]) -> Result<bool, PlaybackError> {
        if let Some((_, recording)) = &mut self.recording {
            recording.frame(time_ns, bytes);
        }
        self.batch.push(bytes);
        if !self.batch.is_full() {
            return Ok(false);
        }
        self.run()?;
        Ok(self.banks.is_half_full())
    }

    fn run(&mut self) -> Result<(), KernelError> {
        self.batch = self.workers.run(std::mem::take(&mut self.batch))?;
        Ok(())
    }

    /// Takes out what was counted since the last time. The drain's span is for the caller to fill in.
    ///
    /// # Errors
    ///
    /// If the kernel did not run the program on a frame.
    pub fn take_out(&mut self) -> Result<Drain, PlaybackError> {
        if !self.batch.is_empty() {
            self.run()?;
        }
        let too_short = self.workers.finish()?;
        let mut drain = self.banks.drain_at_rest();
        // Frames that no test run takes.
        drain.outcomes.runs += too_short;
        drain.outcomes.malformed += too_short;
        Ok(drain)
    }

    /// Keeps what was counted in the drain's span, if it is kept at all.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep(&mut self, drain: Drain) -> Result<(), PlaybackError> {
        if let Some((store, recording)) = &mut self.recording {
            recording.keep(store, drain)?;
        }
        Ok(())
    }

    /// Keeps that nothing was counted for a while.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep_nothing(&mut self, span: Span) -> Result<(), PlaybackError> {
        self.keep(Drain { span, ..Drain::default() })
    }

    /// Ends the recording, if there is one.
    ///
    /// # Errors
    ///
    /// Those of the store. Nothing of the recording counts then.
    pub fn end_recording(&mut self) -> Result<Option<Recorded>, PlaybackError> {
        let Some((store, recording)) = self.recording.take() else { return Ok(None) };
        Ok(Some(recording.finish(&store)?))
    }
}
