//! `setup`: what a build and its tests need, in three parts that stand alone.
//!
//! Each part first looks (no network, well under a second), and does something only where a thing is missing.
//! Downloads go to a folder beside their place and are renamed when whole.

pub mod data;
pub mod tests;
pub mod toolchain;

use anyhow::Result;
use clap::ValueEnum;

use crate::{cmd, paths::Paths};

#[derive(clap::Args)]
pub struct Args {
    /// Only these parts (repeat, or separate by commas)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// Compiler and linker of the BPF programs
    Toolchain,
    /// Country database and AS table
    Data,
    /// rustfmt, clippy, ip, Chromium, Prometheus with promtool, DuckDB and html5lib
    Tests,
}

impl Part {
    const ALL: [Self; 3] = [Self::Toolchain, Self::Data, Self::Tests];

    fn name(self) -> &'static str {
        match self {
            Self::Toolchain => "toolchain",
            Self::Data => "data",
            Self::Tests => "tests",
        }
    }

    /// Makes sure of the part; says what is there and what was done.
    pub fn ensure(self, paths: &Paths) -> Result<()> {
        let there = match self {
            Self::Toolchain => toolchain::ensure(paths)?,
            Self::Data => data::ensure(paths)?,
            Self::Tests => tests::ensure(paths)?,
        };
        cmd::say(format!("{}: {there}", self.name()));
        Ok(())
    }
}

/// The parts to do: all where none is named, in their order, each once.
fn parts(only: &[Part]) -> Vec<Part> {
    Part::ALL.into_iter().filter(|part| only.is_empty() || only.contains(part)).collect()
}

pub fn task(paths: &Paths, args: &Args) -> Result<()> {
    for part in parts(&args.only) {
        part.ensure(paths)?;
    }
    Ok(())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn all_parts_unless_named() {
        assert_eq!(parts(&[]), Part::ALL);
        assert_eq!(parts(&[Part::Tests, Part::Toolchain, Part::Tests]), [Part::Toolchain, Part::Tests]);
    }
}
