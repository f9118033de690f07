//! The store, for those who only ask.

use std::{
    fmt::{self, Write},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    Fault, Meta, StoreError, Trouble, open,
    schema::{self, VERSION},
};
use crate::model::Zone;

/// Steps of SQLite between two looks at whether to stop: some tenths of a millisecond.
const STEPS: i32 = 10_000;

/// A store that is only read, while somebody else may write it.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    meta: Meta,
    zone: Zone,
    stop: Option<Stop>,
}

/// Tells whether to read on no more.
#[derive(Clone)]
struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

impl Reader {
    /// Opens a store for reading.
    ///
    /// Where its directory cannot be written, such as on a read-only medium, it is taken for one
    /// that nobody writes.
    ///
    /// # Errors
    ///
    /// If there is none, the file is something else, or the store is of another version of this
    /// program; if it cannot be read where it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let asked = path;
        let path = open::absolute(path)?;
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing(asked.to_owned()));
            }
            Err(error) => return Err(StoreError::file(&path, "look at")(error)),
            // Nothing more is there after a kill at the very beginning.
            Ok(metadata) if metadata.len() == 0 => return Err(StoreError::Missing(asked.to_owned())),
            Ok(_) => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Self::of(&path, &path, flags) {
            Err(error)
                if matches!(error.trouble(), Some(Trouble::Gone | Trouble::ReadOnly | Trouble::Io))
                    && !open::may_write(path.parent().unwrap_or(&path)) =>
            {
                if open::has_log(&path)? {
                    let wal = open::log_of(&path);
                    return Err(StoreError::Unfinished { path, wal });
                }
                Self::of(&path, &immutable(&path), flags | OpenFlags::SQLITE_OPEN_URI)
            }
            reader => reader,
        }
    }

    fn of(path: &Path, name: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let connection = open::open(path, name, flags)?;
        match schema::version(&connection, path)? {
            VERSION => {}
            0 => return Err(StoreError::Missing(path.to_owned())),
            version => {
                return Err(StoreError::Older { path: path.to_owned(), version, known: VERSION });
            }
        }
        connection
            .pragma_update(None, "query_only", true)
            .map_err(|source| StoreError::sqlite(path, "open it", Some(&connection), source))?;
        let meta = schema::meta(&connection, path)?;
        let zone = Zone::named(&meta.time_zone)
            .map_err(|source| StoreError::Zone { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), connection, meta, zone, stop: None })
    }

    /// Opens the same store once more, for another thread; it stops as this one does.
    pub(in crate::store) fn again(&self) -> Result<Self, StoreError> {
        let mut again = Self::open(&self.path)?;
        if again.meta != self.meta {
            return Err(StoreError::Foreign { path: self.path.clone(), what: "it is another store" });
        }
        if let Some(stop) = &self.stop {
            again.stop_by(stop.clone())?;
        }
        Ok(again)
    }

    /// What the store says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The time zone in which days are cut.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its file, by its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends whatever is read from now on with an error as soon as `stop` says so, which is asked every few thousand
    /// steps of SQLite.
    ///
    /// # Errors
    ///
    /// If SQLite cannot be told.
    pub fn stop_when(&mut self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Result<(), StoreError> {
        self.stop_by(Stop(Arc::new(stop)))
    }

    fn stop_by(&mut self, stop: Stop) -> Result<(), StoreError> {
        let asked = stop.clone();
        let told = self.connection.progress_handler(STEPS, Some(move || (asked.0)()));
        self.stop = Some(stop);
        told.map_err(|source| StoreError::sqlite(&self.path, "read it", Some(&self.connection), source))
    }

    /// Reads something; `action` completes "cannot …". Statements see one state of the store
    /// together within a transaction only.
    pub(in crate::store) fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let connection = self.connection();
        work(connection).map_err(|fault| fault.into_error(&self.path, action, connection))
    }

    /// The connection, which writes nothing.
    pub(in crate::store) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The name by which SQLite takes a file for one that nobody changes.
fn immutable(path: &Path) -> PathBuf {
    let mut name = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name.push_str("?immutable=1");
    name.into()
}
