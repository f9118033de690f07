//! What can be wrong with a database.

use std::{io, path::PathBuf};

use super::Role;

/// Why a database cannot be used. Every message names the file, the cause, and what to do if that is
/// known.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The operating system refuses to read it.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A directory, a pipe or a device.
    #[error("{} is not a regular file: name the database file itself", path.display())]
    NotAFile {
        /// What is no file.
        path: PathBuf,
    },
    /// A file of no bytes.
    #[error("{} is empty: download it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// More than any database has, packed or unpacked.
    #[error("{} is larger than {limit} bytes, which no known database is", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// A gzip file that does not unpack.
    #[error("cannot unpack {}: {cause}: download it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        cause: io::Error,
    },
    /// A tar or zip archive, as downloads often are.
    #[error("{} is a {format} archive: unpack it and name the database inside", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// `tar` or `zip`.
        format: &'static str,
    },
    /// No metadata of a MaxMind database, and no text either.
    #[error(
        "{} is not a MaxMind database (no metadata near its end): download it again, and check that it is complete",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A text file where only a MaxMind database is read.
    #[error(
        "{} is a text file: countries are read from MaxMind databases (.mmdb) only; a CSV of autonomous systems goes to --asn",
        path.display()
    )]
    Text {
        /// The file.
        path: PathBuf,
    },
    /// A MaxMind database of a format that is not known.
    #[error("{} is a MaxMind database of an unknown format: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A MaxMind database that contradicts itself.
    #[error("{} is damaged: {what} (byte {at}): download it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the start of the (unpacked) file.
        at: usize,
    },
    /// A database of something else.
    #[error("{} names no {} in any of its {records} records{}", path.display(), role.thing(), hint(*.role, *.other))]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What it was to be used for.
        role: Role,
        /// How many different records it has.
        records: u64,
        /// Whether it could be used for the other role.
        other: bool,
    },
    /// A line of a CSV file that is no range of addresses.
    #[error("{}, line {line}: {what}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

fn hint(role: Role, other: bool) -> &'static str {
    match (role, other) {
        (Role::Country, true) => ": it holds autonomous systems, give it to --asn",
        (Role::Asn, true) => ": it holds countries, give it to --country",
        (_, false) => "",
    }
}
