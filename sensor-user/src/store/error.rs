//! What can go wrong with a store, and what kind of trouble that is.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, ffi};

use super::open;
use crate::model::ZoneError;

/// An error of the store. Messages name the file, and say what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed.
    #[error("store {}: cannot {action}{}", path.display(), advice(*trouble))]
    Sqlite {
        path: PathBuf,
        /// What was to be done.
        action: &'static str,
        trouble: Option<Trouble>,
        #[source]
        source: rusqlite::Error,
    },
    /// A file or directory of the store failed.
    #[error("cannot {action} {}{}", path.display(), advice(Some(of_io(source))))]
    File {
        path: PathBuf,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    /// The file is gone, or another one has its name.
    #[error(
        "store {}: the file was removed or replaced while it was open; put it back, or start anew \
         with another --store", .0.display()
    )]
    Moved(PathBuf),
    /// There is none to read.
    #[error("there is no store at {}; `teiten run --store` makes one", .0.display())]
    Missing(PathBuf),
    /// A database of something else.
    #[error("{} is an SQLite database, but not a store of teiten; name another file", .0.display())]
    NotAStore(PathBuf),
    /// Made by a newer version of this program.
    #[error(
        "store {} was made by a newer teiten: its layout is version {version}, this program knows {known}; \
         use that teiten", path.display()
    )]
    Newer { path: PathBuf, version: i64, known: i64 },
    /// Made by an older version of this program, and only read.
    #[error(
        "store {} was made by an older teiten: its layout is version {version}, this program reads {known}; \
         let `teiten run` open it once, which brings it up to date", path.display()
    )]
    Older { path: PathBuf, version: i64, known: i64 },
    /// On a medium that cannot be written, with changes that only a writable one can show.
    #[error(
        "store {} cannot be read where it is: its directory cannot be written, and {} holds changes \
         that are not in it yet; copy both to a directory that can be written, or open the store once where \
         it was made", path.display(), wal.display()
    )]
    Unfinished { path: PathBuf, wal: PathBuf },
    /// What must be in it is not.
    #[error("store {} is damaged: {what}; restore a copy, or name another file", path.display())]
    Damaged { path: PathBuf, what: String },
    /// Its time zone is another one.
    #[error(
        "store {} cuts its days in time zone {has}, not {asked}: leave --time-zone out, or name \
         another store", path.display()
    )]
    OtherZone { path: PathBuf, has: String, asked: String },
    /// Its time zone is not known.
    #[error("store {} cuts its days in a time zone that is not known here", path.display())]
    Zone {
        path: PathBuf,
        #[source]
        source: ZoneError,
    },
    /// The time zone that a new store was to have is not known.
    #[error("a new store cannot cut its days like this")]
    NewZone(#[source] ZoneError),
    /// There is a store, but not its key.
    #[error(
        "the key of store {} is missing: {} does not exist; restore it from a backup, or name it with \
         --sketch-key; without it new sources cannot be counted together with those that are kept", path.display(), key.display()
    )]
    NoKey { path: PathBuf, key: PathBuf },
    /// The key is that of another store.
    #[error(
        "{} is not the key of store {}: restore the right one from a backup, or name it with --sketch-key",
        key.display(), path.display()
    )]
    OtherKey { path: PathBuf, key: PathBuf },
    /// The file of the key holds something else.
    #[error(
        "{} holds no key: 32 hexadecimal digits and a line feed are wanted; restore it from a backup, or, \
         if there is no store yet, remove it", .0.display()
    )]
    BadKey(PathBuf),
    /// It is not what it was.
    #[error("store {} is not the one that was open before: {what}", path.display())]
    Foreign { path: PathBuf, what: &'static str },
    /// An epoch that does not follow the last one that is kept.
    #[error(
        "store {}: epoch {epoch} of generation {generation} does not follow {}: store and counters are not of \
         the same moment; put the right store back", path.display(),
        last.map_or_else(|| "the beginning, of which nothing is kept".to_owned(), |last| format!("epoch {last}"))
    )]
    Sequence { path: PathBuf, generation: i64, epoch: u64, last: Option<u64> },
    /// An epoch that is kept with other content.
    #[error(
        "store {}: epoch {epoch} of generation {generation} is kept already, with other content: store and \
         counters are not of the same moment; put the right store back", path.display()
    )]
    Differs { path: PathBuf, generation: i64, epoch: u64 },
    /// No such generation.
    #[error(
        "store {} has no generation {generation}: store and counters are not of the same moment; put the right \
         store back", path.display()
    )]
    NoGeneration { path: PathBuf, generation: i64 },
    /// Another process reads captures into it.
    #[error("another `teiten replay` writes into store {}; wait for its end", .0.display())]
    Replaying(PathBuf),
    /// The store could not be opened again after an error.
    #[error("store {} is closed after an error, and could not be opened again", .0.display())]
    Closed(PathBuf),
}

/// Kinds of trouble that an operator can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No space is left, or the quota is used up.
    Full,
    /// The file, its directory or its file system cannot be written.
    ReadOnly,
    /// Another program holds it.
    Locked,
    /// It is damaged.
    Corrupt,
    /// It is not there any more.
    Gone,
    /// It is not the store that was open before, or not of the same moment as the counters.
    Foreign,
    /// The disk failed.
    Io,
}

impl Trouble {
    /// All kinds of trouble.
    pub const ALL: [Self; 7] =
        [Self::Full, Self::ReadOnly, Self::Locked, Self::Corrupt, Self::Gone, Self::Foreign, Self::Io];

    /// Its name in statuses and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Locked => "locked",
            Self::Corrupt => "corrupt",
            Self::Gone => "gone",
            Self::Foreign => "foreign",
            Self::Io => "io",
        }
    }
}

impl Trouble {
    /// Its number in the note that the agent leaves in the kernel; 0 is no trouble.
    pub fn number(self) -> u32 {
        self as u32 + 1
    }

    /// The trouble of a number.
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.number() == number)
    }
}

fn advice(trouble: Option<Trouble>) -> &'static str {
    match trouble {
        Some(Trouble::Full) => ": the disk is full or the quota used up; free some space",
        Some(Trouble::ReadOnly) => {
            ": permission is missing, or the file system is read-only; see the modes of the file and its directory, and \
             how the file system is mounted"
        }
        Some(Trouble::Locked) => ": another program holds it locked; wait for it or end it",
        Some(Trouble::Corrupt) => ": it is damaged, or no store at all; restore a copy, or name another file",
        Some(Trouble::Gone) => ": it is not there, or may not be opened",
        Some(Trouble::Foreign) => ": it is another store",
        Some(Trouble::Io) => ": the disk failed; see the log of the kernel",
        None => "",
    }
}

impl StoreError {
    /// What kind of trouble this is, if it is one that comes and goes while a store is in use.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Sqlite { trouble, .. } => *trouble,
            Self::File { source, .. } => Some(of_io(source)),
            Self::Moved(_) | Self::Missing(_) | Self::Closed(_) => Some(Trouble::Gone),
            Self::NotAStore(_)
            | Self::OtherKey { .. }
            | Self::Foreign { .. }
            | Self::Sequence { .. }
            | Self::Differs { .. }
            | Self::NoGeneration { .. } => Some(Trouble::Foreign),
            Self::Unfinished { .. } => Some(Trouble::ReadOnly),
            Self::Damaged { .. } => Some(Trouble::Corrupt),
            Self::Newer { .. }
            | Self::Older { .. }
            | Self::OtherZone { .. }
            | Self::Zone { .. }
            | Self::NewZone(_)
            | Self::NoKey { .. }
            | Self::BadKey(_)
            | Self::Replaying(_) => None,
        }
    }

    /// Whether it may come of what single rows hold, and not of the store as a whole or the machine.
    pub(super) fn is_of_rows(&self) -> bool {
        let Self::Sqlite { trouble: None, source, .. } = self else { return false };
        source.sqlite_error_code() != Some(ErrorCode::OutOfMemory)
    }

    /// What SQLite says when it cannot do something to the store at `path`.
    pub(super) fn sqlite(
        path: &Path,
        action: &'static str,
        connection: Option<&Connection>,
        source: rusqlite::Error,
    ) -> Self {
        let trouble = match of_sqlite(&source, connection.map_or(0, system_error)) {
            // It is the log that is not there, and cannot be made.
            Some(Trouble::Gone) if path.exists() && !open::may_write(path.parent().unwrap_or(path)) => {
                Some(Trouble::ReadOnly)
            }
            trouble => trouble,
        };
        Self::Sqlite { path: path.to_owned(), action, trouble, source }
    }

    pub(super) fn file(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), action, source }
    }
}

/// `errno` of the connection's last system call that failed.
fn system_error(connection: &Connection) -> i32 {
    // SAFETY: the handle is that of an open connection, and only read.
    unsafe { ffi::sqlite3_system_errno(connection.handle()) }
}

fn of_sqlite(error: &rusqlite::Error, system: i32) -> Option<Trouble> {
    let code = match error {
        rusqlite::Error::SqliteFailure(error, _) => error.code,
        rusqlite::Error::SqlInputError { error, .. } => error.code,
        // Values that STRICT tables never hold.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => return Some(Trouble::Corrupt),
        _ => return None,
    };
    match code {
        ErrorCode::DiskFull => Some(Trouble::Full),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Some(Trouble::ReadOnly),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            Some(Trouble::Locked)
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Trouble::Corrupt),
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => {
            let general = if code == ErrorCode::CannotOpen { Trouble::Gone } else { Trouble::Io };
            Some(of_errno(system).unwrap_or(general))
        }
        _ => None,
    }
}

fn of_io(error: &io::Error) -> Trouble {
    error.raw_os_error().and_then(of_errno).unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => Trouble::Gone,
        _ => Trouble::Io,
    })
}

fn of_errno(errno: i32) -> Option<Trouble> {
    match errno {
        libc::ENOSPC | libc::EDQUOT => Some(Trouble::Full),
        libc::EROFS | libc::EACCES | libc::EPERM => Some(Trouble::ReadOnly),
        libc::ENOENT | libc::ENOTDIR | libc::ESTALE => Some(Trouble::Gone),
        _ => None,
    }
}
