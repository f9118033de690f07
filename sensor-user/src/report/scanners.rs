//! The list of declared scanners: organisations that say what they scan from.

use std::path::Path;

use ipnet::IpNet;
use serde::Deserialize;

use super::toml_file::{self, FileError};

/// An organisation that scans, and says so.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanner {
    pub organisation: String,
    /// Where it says what it scans for.
    pub url: Option<String>,
    /// When its prefixes were looked up.
    pub date: Option<toml::value::Datetime>,
    pub prefixes: Vec<IpNet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    scanner: Vec<Scanner>,
}

/// Reads a list of declared scanners.
///
/// # Errors
///
/// If the file cannot be read or is none, with the line.
pub fn read(path: &Path) -> Result<Vec<Scanner>, FileError> {
    Ok(toml_file::read::<File>(path)?.scanner)
}
