//! Captures into the store, in their own time, each once.
//!
//! What a capture holds is staged under a random generation while it is read. At its end the
//! generation gets the name that the capture's frames give it (the first half of their SHA-256): the
//! same frames again, whatever file they come in, have the same name, and are not added. A capture
//! that was cut off by a kill leaves only what the next one removes.

use std::mem;

use sha2::{Digest, Sha256};

use crate::{
    cube::SourceLengths,
    kernel::{Drain, Span},
    model::Sensors,
    store::{Epoch, Notes, Store, StoreError},
};

/// Counts are kept by this much of the captures' time: victims of attacks are told by the minute.
pub const MINUTE_NS: i64 = 60_000_000_000;
/// A pause in a capture up to which it is taken for quiet; beyond, nobody observed.
const LONGEST_PAUSE_NS: i64 = 3_600_000_000_000;

/// A capture on its way into the store.
pub struct Recording {
    generation: i64,
    frames: Sha256,
    epoch: u64,
    /// Up to where the capture's time is covered by epochs; `None` before the first frame.
    covered_ns: Option<i64>,
    /// Time of the last frame.
    last_ns: i64,
}

impl Recording {
    /// Begins to stage a capture. `now`: seconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn begin(
        store: &mut Store,
        host: &str,
        lengths: SourceLengths,
        sensors: &Sensors,
        now: i64,
    ) -> Result<Self, StoreError> {
        let row = store.add_staged(host, lengths, sensors, now)?;
        Ok(Self { generation: row.id, frames: Sha256::new(), epoch: 0, covered_ns: None, last_ns: 0 })
    }

    /// Takes note of a frame, in the capture's order.
    pub fn frame(&mut self, time_ns: i64, bytes: &[u8]) {
        self.frames.update(time_ns.to_le_bytes());
        self.frames.update((bytes.len() as u64).to_le_bytes());
        self.frames.update(bytes);
        self.covered_ns.get_or_insert(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
    }

    /// Keeps what was counted of the minute that starts at `minute_ns`. `until_ns`: time of the next
    /// frame, or past the last one.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep(
        &mut self,
        store: &mut Store,
        mut drain: Drain,
        minute_ns: i64,
        until_ns: i64,
    ) -> Result<(), StoreError> {
        let covered = self.covered_ns.unwrap_or(minute_ns);
        if covered < minute_ns && minute_ns - covered <= LONGEST_PAUSE_NS {
            self.pause(store, covered, minute_ns)?;
        }
        // Frames out of order stay within their minute.
        let last = minute_ns.saturating_add(MINUTE_NS);
        let start = covered.clamp(minute_ns, last - 1);
        let end = until_ns.clamp(start, last);
        self.covered_ns = Some(covered.max(end));
        drain.span = Span { start_ns: unsigned(start), end_ns: unsigned(end) };
        self.commit(store, drain, true)
    }

    /// Keeps that nothing came for a while, by the hour.
    fn pause(&mut self, store: &mut Store, from_ns: i64, to_ns: i64) -> Result<(), StoreError> {
        let mut from = from_ns;
        while from < to_ns {
            let hour = store.zone().hour_of(from.div_euclid(1_000_000_000));
            let next = (hour.start + hour.seconds).saturating_mul(1_000_000_000).clamp(from + 1, to_ns);
            let span = Span { start_ns: unsigned(from), end_ns: unsigned(next) };
            self.commit(store, Drain { span, ..Drain::default() }, true)?;
            from = next;
        }
        Ok(())
    }

    fn commit(&mut self, store: &mut Store, mut drain: Drain, observed: bool) -> Result<(), StoreError> {
        drain.epoch = self.epoch;
        self.epoch += 1;
        let notes = Notes { observed, restarted: false, nics: Vec::new() };
        store.commit(&Epoch::new(self.generation, &drain, notes))
    }

    /// Ends the capture.
    ///
    /// # Errors
    ///
    /// Those of the store. Nothing of the capture counts then.
    pub fn finish(mut self, store: &mut Store) -> Result<Recorded, StoreError> {
        let digest = mem::take(&mut self.frames).finalize();
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        let added = store.set_complete(self.generation, name)?;
        let before = if added { None } else { store.generation(name)? };
        Ok(Recorded { generation: before.map_or(self.generation, |before| before.id), added })
    }
}

/// A capture that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its row.
    pub generation: i64,
    /// `false`: the store has had it before, and nothing was added.
    pub added: bool,
}

/// Times before 1970, which no capture should have, are 1970's first nanosecond.
fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}
