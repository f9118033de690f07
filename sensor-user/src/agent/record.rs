//! Frames with a time of their own into the store, each once.
//!
//! What a recording holds is staged under a random generation while it goes on. At its end the generation
//! gets the name that its frames give it (the first half of their SHA-256): the same frames again, whatever
//! file they come in, have the same name, and are not added. A recording that was cut off by a kill leaves
//! only what the next one removes.

use std::mem;

use sha2::{Digest, Sha256};

use crate::{
    cube::SourceLengths,
    kernel::{Drain, Span},
    model::{Sensors, Zone},
    store::{Epoch, Notes, Store, StoreError},
};

use super::keep::{SharedStore, lock};

/// Counts of captures are kept by this much of their time: victims of attacks are told by the minute.
pub const MINUTE_NS: i64 = 60_000_000_000;
/// A pause in a capture up to which it is taken for quiet; beyond, nobody observed.
const LONGEST_PAUSE_NS: i64 = 3_600_000_000_000;
/// Epochs that are kept in one transaction, and their bytes: none counts before the recording's end.
const TOGETHER: usize = 256;
const BYTES_TOGETHER: usize = 4 << 20;

/// Frames on their way into the store.
pub struct Recording {
    generation: i64,
    frames: Sha256,
    epoch: u64,
    /// Those that are not in the store yet, and the bytes of their tallies.
    waiting: Vec<Epoch>,
    bytes: usize,
}

impl Recording {
    /// Begins to stage frames. `now`: seconds since 1970.
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
        Ok(Self { generation: row.id, frames: Sha256::new(), epoch: 0, waiting: Vec::new(), bytes: 0 })
    }

    /// Takes note of a frame, in their order.
    pub fn frame(&mut self, time_ns: i64, bytes: &[u8]) {
        self.frames.update(time_ns.to_le_bytes());
        self.frames.update((bytes.len() as u64).to_le_bytes());
        self.frames.update(bytes);
    }

    /// Takes note of what tells it from others, beside its frames.
    pub fn mark(&mut self, bytes: &[u8]) {
        self.frames.update(bytes);
    }

    /// Keeps what was counted in the drain's span, all of which was observed.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep(&mut self, store: &SharedStore, mut drain: Drain) -> Result<(), StoreError> {
        drain.epoch = self.epoch;
        self.epoch += 1;
        let notes = Notes { observed: true, restarted: false, nics: Vec::new() };
        let epoch = Epoch::new(self.generation, &drain, notes);
        self.bytes += epoch.bytes();
        self.waiting.push(epoch);
        if self.waiting.len() >= TOGETHER || self.bytes >= BYTES_TOGETHER {
            self.commit(&mut lock(store))?;
        }
        Ok(())
    }

    fn commit(&mut self, store: &mut Store) -> Result<(), StoreError> {
        store.commit_together(&self.waiting)?;
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// Those of the store. Nothing of the recording counts then.
    pub fn finish(mut self, store: &SharedStore) -> Result<Recorded, StoreError> {
        let store = &mut *lock(store);
        self.commit(store)?;
        let digest = mem::take(&mut self.frames).finalize();
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        let added = store.set_complete(self.generation, name)?;
        let before = if added { None } else { store.generation(name)? };
        Ok(Recorded { generation: before.map_or(self.generation, |before| before.id), added })
    }
}

/// A recording that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its row.
    pub generation: i64,
    /// `false`: the store has had it before, and nothing was added.
    pub added: bool,
}

/// How much of a capture's time is covered by epochs, all in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    /// Up to where; `None` before the first frame.
    until_ns: Option<i64>,
}

impl Coverage {
    /// Takes note of a frame.
    pub fn frame(&mut self, time_ns: i64) {
        self.until_ns.get_or_insert(time_ns);
    }

    /// Stretches without a frame before the minute that starts at `minute_ns`, by the hour; none if nobody
    /// observed.
    pub fn pause(&mut self, minute_ns: i64, zone: &Zone) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut from = self.until_ns.unwrap_or(minute_ns);
        if minute_ns - from > LONGEST_PAUSE_NS {
            return spans;
        }
        while from < minute_ns {
            let hour = zone.hour_of(from.div_euclid(1_000_000_000));
            let next = (hour.start + hour.seconds).saturating_mul(1_000_000_000).clamp(from + 1, minute_ns);
            spans.push(Span { start_ns: unsigned(from), end_ns: unsigned(next) });
            from = next;
        }
        spans
    }

    /// What was observed of the minute that starts at `minute_ns` and is not covered yet. `until_ns`: time of
    /// the next frame, or past the last one.
    pub fn minute(&mut self, minute_ns: i64, until_ns: i64) -> Span {
        let covered = self.until_ns.unwrap_or(minute_ns);
        // Frames out of order stay within their minute.
        let last = minute_ns.saturating_add(MINUTE_NS);
        let start = covered.clamp(minute_ns, last - 1);
        let end = until_ns.clamp(start, last);
        self.until_ns = Some(covered.max(end));
        Span { start_ns: unsigned(start), end_ns: unsigned(end) }
    }
}

/// Times before 1970, which no capture should have, are 1970's first nanosecond.
pub fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}
