//! TOML files that users keep: bounded, with the place of what is wrong.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 4 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is larger than {LARGEST} bytes", .path.display())]
    Large { path: PathBuf },
    #[error("{}: {source}", .path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
}

/// The text of a file.
///
/// # Errors
///
/// If it cannot be read, is too large, or no UTF-8.
pub fn text(path: &Path) -> Result<String, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    bounded(path, LARGEST).map_err(failed)?.ok_or_else(|| FileError::Large { path: path.to_owned() })
}

/// The text of a file; `None` if it has more than so many bytes.
///
/// # Errors
///
/// If it cannot be read, or is no UTF-8.
pub fn bounded(path: &Path, largest: u64) -> io::Result<Option<String>> {
    let mut text = String::new();
    File::open(path)?.take(largest.saturating_add(1)).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= largest).then_some(text))
}

/// What a TOML file holds.
///
/// # Errors
///
/// Those of [`text`], and if it is of another form.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = text(path)?;
    let failed = |source| FileError::Toml { path: path.to_owned(), source: Box::new(source) };
    toml::from_str(&text).map_err(failed)
}
