//! How far a store has come, for those who look after it.

use std::{fs, path::Path};

use rusqlite::OptionalExtension;

use super::{Reader, StoreError, count, open};

/// How far a store has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Frames of all epochs that were ever kept.
    pub frames: u64,
    /// Epochs that are not folded into hours yet.
    pub to_fold: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

/// How far a store has come with one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationProgress {
    /// When the generation was loaded, in seconds since 1970.
    pub created: i64,
    pub last_epoch: Option<u64>,
    /// End of that epoch, in nanoseconds since 1970.
    pub until_ns: Option<u64>,
    /// Frames of all its epochs.
    pub frames: u64,
}

/// Bytes that the files of a store have: its own, and its log's. A file that is not there has none.
pub fn bytes(store: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    length(store) + length(&open::log_of(store))
}

impl Reader {
    /// How far the store has come.
    pub fn progress(&self) -> Result<Progress, StoreError> {
        let (frames, to_fold) = self.read("see how far it has come", |connection| {
            let mut statement = connection.prepare(
                "SELECT (SELECT coalesce(sum(frames), 0) FROM generation WHERE complete = 1),
                        (SELECT count(*) FROM epoch e JOIN generation g ON g.id = e.generation
                         WHERE tallies IS NOT NULL AND complete = 1)",
            )?;
            Ok(statement
                .query_row([], |row| Ok((count(row, 0)?.unwrap_or(0), count(row, 1)?.unwrap_or(0))))?)
        })?;
        Ok(Progress { frames, to_fold, bytes: bytes(self.path()) })
    }

    /// How far the store has come with a generation; `None` if it does not know it.
    pub fn generation(&self, generation: [u8; 16]) -> Result<Option<GenerationProgress>, StoreError> {
        self.read("see how far it has come", |connection| {
            let mut statement = connection.prepare(
                "SELECT g.created, g.last_epoch, g.frames, e.end_ns FROM generation g
                     LEFT JOIN epoch e ON e.generation = g.id AND e.epoch = g.last_epoch
                     WHERE g.generation = ?",
            )?;
            let found = statement.query_row([generation], |row| {
                let (created, last_epoch) = (row.get(0)?, count(row, 1)?);
                Ok(GenerationProgress {
                    created,
                    last_epoch,
                    until_ns: count(row, 3)?,
                    frames: count(row, 2)?.unwrap_or(0),
                })
            });
            Ok(found.optional()?)
        })
    }
}
