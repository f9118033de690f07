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

/// What answers about a stretch of time hang on: it differs whenever they may.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    store: [u8; 16],
    /// Of spans: how many, the newest, frames, packets, nanoseconds observed.
    spans: [u64; 5],
    /// Of sensors: how many rows, and the sum of the times at which they ended.
    sensors: [u64; 2],
    pending: u64,
}

/// A database of regions or autonomous systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedDatabase {
    /// `country` or `asn`.
    pub role: String,
    pub name: String,
    /// When it was built, in seconds since 1970; `None` where it does not say.
    pub built: Option<i64>,
}

fn bits(number: Option<f64>) -> u64 {
    number.unwrap_or(0.0).to_bits()
}

/// Bytes that the files of a store have: its own, and its log's. A file that is not there has none.
pub fn bytes(store: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    length(store) + length(&open::log_of(store))
}

impl Reader {
    /// Begin of the first and end of the last span with data, in seconds since 1970; `None` if there is none.
    pub fn extent(&self) -> Result<Option<(i64, i64)>, StoreError> {
        self.read("see what it holds", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT min(start), max(start + seconds) FROM span WHERE observed_ns > 0 OR packets > 0",
            )?;
            let ends = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?));
            Ok(statement.query_row([], ends)?)
        })
    }

    /// The databases that were in use last, each role's newest.
    pub fn last_databases(&self) -> Result<Vec<UsedDatabase>, StoreError> {
        self.read("see its databases", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT role, type, max(built) FROM database JOIN span_database ON database = id WHERE span =
                     (SELECT s.id FROM span s WHERE EXISTS (SELECT 1 FROM span_database d WHERE d.span = s.id)
                      ORDER BY s.start + s.seconds DESC, s.start DESC LIMIT 1)
                 GROUP BY role ORDER BY role DESC",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(UsedDatabase { role: row.get(0)?, name: row.get(1)?, built: row.get(2)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What answers about the time from one second to another hang on.
    pub fn version(&self, from: i64, to: i64) -> Result<Version, StoreError> {
        self.read("see what it holds", |connection| {
            // Sums as real numbers, which cannot overflow.
            let mut statement = connection.prepare_cached(
                "SELECT count(*), max(id), total(frames), total(packets), total(observed_ns),
                        (SELECT count(*) FROM sensor), (SELECT total(valid_to) FROM sensor),
                        (SELECT count(*) FROM epoch e JOIN generation g ON g.id = e.generation
                         WHERE tallies IS NOT NULL AND complete = 1)
                 FROM span WHERE start < ?2 AND start + seconds > ?1",
            )?;
            let bits = |row: &rusqlite::Row<'_>, index| row.get::<_, Option<f64>>(index).map(bits);
            let version = statement.query_row([from, to], |row| {
                Ok(Version {
                    store: self.meta().store,
                    spans: [bits(row, 0)?, bits(row, 1)?, bits(row, 2)?, bits(row, 3)?, bits(row, 4)?],
                    sensors: [bits(row, 5)?, bits(row, 6)?],
                    pending: bits(row, 7)?,
                })
            });
            Ok(version?)
        })
    }

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
