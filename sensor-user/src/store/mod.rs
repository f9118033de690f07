//! The store: every epoch once, durable, in one SQLite file.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `open` | connections, and a new store |
//! | `schema` | the layout and its migrations |
//! | `key` | the key of the sketches, in a file of its own |
//! | [`blob`] | a drain as bytes |
//! | `commit` | an epoch in one transaction |
//! | `fold` | from epochs to cubes |
//! | `maintain` | days, lists of prefixes, surveys and victims; what grows old |
//! | `spans` | spans of time and the quality of their data |
//! | `tables` | the tables of cubes, and their bounds |
//! | `generation` | loads of the program, and their sensors |
//! | `reader` | for those who only ask |
//! | [`query`] | questions, and rows as they are kept |
//! | `functions` | sketches in SQL |
//! | `error` | what can go wrong |
//!
//! One process writes ([`Store`]); any number read ([`Reader`]) at the same time.

pub mod blob;
mod commit;
#[cfg(test)]
mod cube_tests;
mod error;
mod fold;
mod functions;
mod generation;
mod key;
mod maintain;
mod open;
mod progress;
pub mod query;
mod reader;
mod schema;
mod spans;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Row};

pub use commit::{Epoch, Nic, Notes, Pending, State};
pub use error::{StoreError, Trouble};
pub use fold::{Damaged, Folded, Portion};
pub use generation::{GenerationRow, NewGeneration, Origin};
pub use key::random;
pub use maintain::{GRACE, Maintained, Retention};
pub use progress::{GenerationProgress, Progress, UsedDatabase, Version, bytes};
pub use reader::Reader;
pub use schema::Meta;
pub use tables::Limits;

use crate::{model::Zone, sketch::SketchKey};

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    /// File of the key. `None`: beside the store, with `.key` behind its name.
    pub key: Option<PathBuf>,
}

impl Place {
    /// A store with its key beside it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), key: None }
    }

    /// File of the key, relative as the store's path is.
    pub fn key(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| key::beside(&self.path, ".key"))
    }
}

/// The store, open for the one process that writes it.
pub struct Store {
    /// Absolute.
    path: PathBuf,
    /// `None` while it could not be opened again.
    connection: Option<Connection>,
    /// Which file was opened.
    file: FileId,
    meta: Meta,
    zone: Zone,
    key: SketchKey,
    /// Locked while this process reads captures into the store.
    replays: Option<File>,
    /// The last epoch of each generation, by row, that this process knows to be kept.
    last: HashMap<i64, u64>,
    /// Whether the log holds something that this process could not bring to the disk: a transaction
    /// whose COMMIT failed, or what was there when the store was opened.
    doubtful: bool,
    /// Rows of epochs that cannot be folded, so that they are not tried again and again.
    damaged: BTreeSet<i64>,
}

/// What tells a file from another that takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        // Not by opening it: closing it again would end SQLite's locks in this process.
        let metadata = fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// What may end a transaction: SQLite, or the store's own rules.
#[derive(Debug)]
pub(in crate::store) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    fn into_error(self, path: &Path, action: &'static str, connection: &Connection) -> StoreError {
        match self {
            Self::Sql(source) => StoreError::sqlite(path, action, Some(connection), source),
            Self::Store(error) => error,
        }
    }
}

/// Why a transaction is not there, or may not be.
struct Ended {
    error: StoreError,
    /// Whether it may be there all the same.
    at_commit: bool,
}

/// Does work in one transaction that nobody else writes beside.
fn transaction<T>(
    path: &Path,
    action: &'static str,
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Ended> {
    let failed = |fault: Fault, at_commit| {
        let error = fault.into_error(path, action, connection);
        if !connection.is_autocommit() {
            // What fails here fails again with the next transaction.
            let _ = connection.execute_batch("ROLLBACK");
        }
        Ended { error, at_commit }
    };
    let result = connection.execute_batch("BEGIN IMMEDIATE").map_err(Fault::Sql);
    let done = result.and_then(|()| work(connection)).map_err(|fault| failed(fault, false))?;
    connection.execute_batch("COMMIT").map_err(|error| failed(error.into(), true))?;
    Ok(done)
}

/// A count as SQLite holds it. None of them comes near 2^63.
pub(in crate::store) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count in a row, which is `None` where it is NULL, and never negative in a sound store.
pub(in crate::store) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let count: Option<i64> = row.get(column)?;
    let unsigned =
        |count| u64::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, count));
    count.map(unsigned).transpose()
}

impl fmt::Debug for Store {
    /// Not the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl Store {
    /// The store's random number.
    pub fn id(&self) -> [u8; 16] {
        self.meta.store
    }

    /// The time zone in which days are cut.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// What sources are hashed with.
    pub fn key(&self) -> &SketchKey {
        &self.key
    }

    /// Its file, by its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The connection, for reading.
    pub(in crate::store) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Closed(self.path.clone()))
    }

    /// Reads something; `action` completes "cannot …".
    pub(in crate::store) fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let connection = self.connection()?;
        work(connection).map_err(|fault| fault.into_error(&self.path, action, connection))
    }

    /// Does work in one durable transaction; `action` completes "cannot …". After an error nothing
    /// of it is there, but after one from the very end: then [`Store::doubtful`] is set, the
    /// connection is a new one, and who called has to look.
    pub(in crate::store) fn write<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.settle()?;
        let connection = self.connection()?;
        transaction(&self.path, action, connection, work).map_err(|Ended { error, at_commit }| {
            if at_commit || !self.connection.as_ref().is_some_and(Connection::is_autocommit) {
                // The error stands, whatever becomes of this; the next transaction tries again.
                let _ = self.reopen();
                self.doubtful |= at_commit;
            }
            error
        })
    }

    /// Makes sure that all that can be read from the store is on the disk, and that the next
    /// transaction depends on nothing that is not. Costs next to nothing if so already.
    ///
    /// What a failed COMMIT left can be read back, and may still be lost with the machine: to be called
    /// before something is thrown away because the store has it.
    ///
    /// # Errors
    ///
    /// If the store was removed or replaced, cannot be opened again, or cannot be written; after a
    /// COMMIT that failed, also if it is held by a reader for more than five seconds.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.reopen()?;
        }
        match FileId::of(&self.path) {
            Ok(file) if file == self.file => {}
            Ok(_) => return Err(StoreError::Moved(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Moved(self.path.clone()));
            }
            Err(error) => return Err(StoreError::file(&self.path, "look at")(error)),
        }
        if self.doubtful {
            // Not less than this: a transaction behind one that is not on the disk would be lost
            // with it, so the log has to begin anew.
            open::empty_log(&self.path, self.connection()?)?;
            self.doubtful = false;
        }
        Ok(())
    }
}
