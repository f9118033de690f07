//! Connections to the database, and a new store.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::CString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{self, Path, PathBuf},
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, ffi};

use super::{
    Ended, Fault, FileId, Meta, Place, Store, StoreError, functions, key,
    schema::{self, VERSION},
    transaction,
};
use crate::{model::Zone, sketch::SketchKey};

/// How long a connection waits for others: longer than one portion of epochs takes to be folded, which
/// is 1 to 2 s on a slow machine.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of a page of a new store.
const PAGE: u32 = 8192;
/// Bytes that the log keeps when it begins anew.
const LOG_KEPT: i64 = 16 << 20;

impl Store {
    /// Opens a store, makes it if there is none, and brings it to today's layout.
    ///
    /// `zone` is the IANA name of the time zone in which a new store cuts its days; the system's if
    /// `None`.
    ///
    /// # Errors
    ///
    /// If the file is no store, or one of a newer program; if it has another time zone; if its key
    /// is missing, damaged or another store's; if anything cannot be read or written.
    pub fn open(place: &Place, zone: Option<&str>) -> Result<Self, StoreError> {
        let asked = zone.map(Zone::named).transpose().map_err(StoreError::NewZone)?;
        let path = absolute(&place.path)?;
        let key_path = absolute(&place.key())?;
        make_file(&path)?;
        let connection = connect(&path)?;
        let version = prepare(&path, &connection)?;
        // What a killed process wrote may not be on the disk yet. If it cannot be brought there now,
        // every transaction tries it anew.
        let doubtful = sync_log(&path).is_err();
        if version == 0 {
            create(&path, &key_path, asked.as_ref(), &connection)?;
        }
        migrate(&path, &connection, version.max(1))?;

        let meta = schema::meta(&connection, &path)?;
        let zone =
            Zone::named(&meta.time_zone).map_err(|source| StoreError::Zone { path: path.clone(), source })?;
        if let Some(asked) = asked.filter(|asked| asked.name() != zone.name()) {
            let asked = asked.name().to_owned();
            return Err(StoreError::OtherZone { path, has: meta.time_zone, asked });
        }
        let Some(bytes) = key::read(&key_path)? else {
            return Err(StoreError::NoKey { path, key: key_path });
        };
        let key = SketchKey::new(bytes);
        if key.fingerprint() != meta.sketch_key {
            return Err(StoreError::OtherKey { path, key: key_path });
        }
        let file = FileId::of(&path).map_err(StoreError::file(&path, "look at"))?;
        let last = HashMap::new();
        Ok(Self {
            path,
            connection: Some(connection),
            file,
            meta,
            zone,
            key,
            replays: None,
            last,
            doubtful,
            damaged: BTreeSet::new(),
        })
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`], or as [`Store::open`].
    pub fn open_existing(place: &Place) -> Result<Self, StoreError> {
        match fs::metadata(&place.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing(place.path.clone()))
            }
            _ => Self::open(place, None),
        }
    }

    /// Opens the same store again, after trouble.
    ///
    /// # Errors
    ///
    /// If it is not there, is another store, or an older copy of this one. It stays closed then;
    /// the next transaction tries again.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        let file = match FileId::of(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Moved(self.path.clone()));
            }
            file => file.map_err(StoreError::file(&self.path, "look at"))?,
        };
        let connection = connect(&self.path)?;
        let foreign = |what| StoreError::Foreign { path: self.path.clone(), what };
        if prepare(&self.path, &connection)? != VERSION {
            return Err(foreign("its layout is another one"));
        }
        if schema::meta(&connection, &self.path)? != self.meta {
            return Err(foreign("it is another store"));
        }
        for (&generation, &last) in &self.last {
            let kept = super::generation::last_epoch(&connection, generation)
                .map_err(|source| StoreError::sqlite(&self.path, "read it", Some(&connection), source))?;
            if kept.is_none_or(|kept| kept < last) {
                return Err(foreign("it is an older copy, in which epochs are missing that were kept"));
            }
        }
        // It may be a copy that somebody put here, with a log of its own.
        self.doubtful |= sync_log(&self.path).is_err();
        self.connection = Some(connection);
        self.file = file;
        Ok(())
    }
}

/// The absolute form of a path: SQLite would take `file:` at the beginning for something else.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    path::absolute(path).map_err(StoreError::file(path, "find"))
}

/// Makes an empty file for its owner only, if there is none.
fn make_file(path: &Path) -> Result<(), StoreError> {
    // Only looked at, not opened, if it is there: see [`FileId::of`].
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::file(path, "look at")(error)),
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(StoreError::file(path, "open")(error));
        }
    }
    key::make_parent(path)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::file(path, "make")(error)),
        Ok(_) => key::sync_parent(path),
    }
}

/// Whether this process may make files in a directory.
pub(super) fn may_write(directory: &Path) -> bool {
    let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path is a string that ends with a zero and outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}

/// The log beside a store.
pub(super) fn log_of(path: &Path) -> PathBuf {
    key::beside(path, "-wal")
}

/// Whether there is something in the log.
pub(super) fn has_log(path: &Path) -> Result<bool, StoreError> {
    let log = log_of(path);
    match fs::metadata(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::file(&log, "look at")(error)),
        Ok(metadata) => Ok(metadata.len() > 0),
    }
}

/// Makes sure that what is in the log is on the disk, which no reader is in the way of.
fn sync_log(path: &Path) -> io::Result<()> {
    // SQLite locks the database and its index, never the log: nothing is unlocked when this is closed.
    match File::open(log_of(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        log => {
            log?.sync_all()?;
            File::open(path.parent().unwrap_or(path))?.sync_all()
        }
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, path, flags)
}

/// A connection that trusts nothing that it finds in the file. `name`: what SQLite is to open.
pub(super) fn open(path: &Path, name: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(name, flags)
        .map_err(|source| StoreError::sqlite(path, "open it", None, source))?;
    let set_up = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        functions::register(&connection)
    };
    match set_up() {
        Ok(()) => Ok(connection),
        Err(source) => Err(StoreError::sqlite(path, "open it", Some(&connection), source)),
    }
}

/// Makes a connection durable, once it is sure that the database is a store or empty. Returns the
/// version of its layout, 0 if it is empty.
fn prepare(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let version = schema::version(connection, path)?;
    let failed = |source| StoreError::sqlite(path, "open it for writing", Some(connection), source);
    let set_up = || -> rusqlite::Result<()> {
        if connection.is_readonly("main")? {
            let error = ffi::Error::new(ffi::SQLITE_READONLY);
            return Err(rusqlite::Error::SqliteFailure(error, None));
        }
        // Of effect on an empty file only.
        connection.pragma_update(None, "page_size", PAGE)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            let error = ffi::Error::new(ffi::SQLITE_CANTOPEN);
            let text = "its file system cannot share memory between processes".to_owned();
            return Err(rusqlite::Error::SqliteFailure(error, Some(text)));
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Addresses of what is deleted are overwritten where that costs no page more.
        connection.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT, |_| Ok(()))
    };
    set_up().map_err(failed)?;
    Ok(version)
}

/// Writes all of the log into the database and begins a new one.
pub(super) fn empty_log(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let busy: rusqlite::Result<i64> =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    let busy = match busy {
        Ok(0) => return Ok(()),
        Ok(_) => rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None),
        Err(error) => error,
    };
    Err(StoreError::sqlite(path, "write its log back", Some(connection), busy))
}

/// Makes a new store in an empty database, all of it or nothing. The key comes first: a store never
/// refers to a key that was not kept.
fn create(
    path: &Path,
    key_path: &Path,
    zone: Option<&Zone>,
    connection: &Connection,
) -> Result<(), StoreError> {
    let bytes = match key::read(key_path)? {
        Some(bytes) => bytes,
        None => key::make(key_path)?,
    };
    let system;
    let zone = match zone {
        Some(zone) => zone,
        None => {
            system = Zone::system();
            &system
        }
    };
    let meta = Meta {
        store: key::random()?,
        created: now(),
        time_zone: zone.name().to_owned(),
        sketch_key: SketchKey::new(bytes).fingerprint(),
    };
    let made = transaction(path, "make it", connection, |connection| {
        // Another process may have been faster.
        if schema::version(connection, path)? == 0 { schema::create(connection, &meta) } else { Ok(()) }
    });
    made.map_err(|Ended { error, .. }| error)
}

fn migrate(path: &Path, connection: &Connection, version: i64) -> Result<(), StoreError> {
    for (step, number) in schema::steps(version) {
        let taken = transaction(path, "bring it up to date", connection, |connection| -> Result<(), Fault> {
            if schema::version(connection, path)? < number {
                schema::migrate(connection, step, number)?;
            }
            Ok(())
        });
        taken.map_err(|Ended { error, .. }| error)?;
    }
    Ok(())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
