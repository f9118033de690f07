//! From a question for a report to the report: the frozen one if there is one, else from the store.

use std::path::{Path, PathBuf};

use super::{
    advisories::{Advisories, Advisory, AdvisoryError},
    frozen::{Frozen, FrozenError},
    gather::{self, GatherError, Request},
    model::{ParameterError, Parameters, RankBy, Report},
    scanners::{self, Scanner},
    toml_file::{self, FileError},
};
use crate::{
    model::{Period, Region},
    store::Reader,
};

/// Rows of a ranking that can be asked for.
pub const MOST_ROWS: usize = 1000;

/// Files that users keep beside a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// What is known of services.
    pub advisories: Option<PathBuf>,
    /// Scanners that declare themselves.
    pub scanners: Option<PathBuf>,
    /// Constants that replace those of the tests.
    pub parameters: Option<PathBuf>,
}

/// What such files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    pub advisories: Vec<Advisory>,
    pub scanners: Vec<Scanner>,
    pub parameters: Parameters,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error(transparent)]
    Advisories(#[from] AdvisoryError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}", .path.display())]
    Parameter { path: PathBuf, source: ParameterError },
}

impl Files {
    /// Reads them all; what is not named says nothing.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn read(&self) -> Result<Known, FilesError> {
        let advisories = self.advisories.as_deref().map(Advisories::read).transpose()?;
        let scanners = self.scanners.as_deref().map(scanners::read).transpose()?;
        Ok(Known {
            advisories: advisories.unwrap_or_default().list,
            scanners: scanners.unwrap_or_default(),
            parameters: self.parameters.as_deref().map(parameters).transpose()?.unwrap_or_default(),
        })
    }
}

fn parameters(path: &Path) -> Result<Parameters, FilesError> {
    let parameters: Parameters = toml_file::read(path)?;
    match parameters.check() {
        Ok(()) => Ok(parameters),
        Err(source) => Err(FilesError::Parameter { path: path.to_owned(), source }),
    }
}

/// Which report.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub period: Period,
    /// Rows of a ranking.
    pub top: usize,
    pub home: Option<Region>,
    /// Names of sensors; all of them if there are none.
    pub sensors: &'a [String],
    pub rank_by: RankBy,
    /// Directory of frozen reports; `None`: beside the store.
    pub frozen: Option<&'a Path>,
    /// From the store, although it may be frozen.
    pub anew: bool,
    /// Seconds since 1970.
    pub now: i64,
}

/// A report.
#[derive(Debug)]
pub struct Made {
    /// With all that is known.
    pub report: Report,
    /// Where its figures are from, if it is frozen.
    pub frozen: Option<FrozenIn>,
}

/// Where a frozen report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenIn {
    pub path: PathBuf,
    /// Rows of a ranking that it knows, or was to know.
    pub rows: usize,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error(transparent)]
    Frozen(#[from] FrozenError),
    #[error("store {}", .path.display())]
    Gather { path: PathBuf, source: Box<GatherError> },
}

impl Wanted<'_> {
    /// The file of the frozen report of a period, if this were of it.
    pub fn path(&self, reader: &Reader, period: &Period) -> PathBuf {
        let text = period.text(reader.zone());
        Frozen::new(self.frozen, reader.path()).path(&text, self.rank_by, self.sensors)
    }

    /// Makes the report. A frozen one may have fewer rows than are wanted.
    ///
    /// # Errors
    ///
    /// If a frozen report cannot be read, a sensor is not known, or the store cannot be read.
    pub fn make(&self, reader: &Reader, known: &Known) -> Result<Made, MakeError> {
        let path = self.path(reader, &self.period);
        if !self.anew
            && let Some(mut report) = Frozen::read(&path)?
        {
            let rows = report.ports.rows.len().max(report.regions.rows.len()).max(report.top);
            report.top = self.top;
            report.set_home(self.home.or(report.home));
            return Ok(Made { report, frozen: Some(FrozenIn { path, rows }) });
        }
        let previous = Frozen::read(&self.path(reader, &self.period.previous(reader.zone())))?;
        let request = Request {
            period: self.period,
            top: self.top,
            home: self.home,
            sensors: self.sensors,
            rank_by: self.rank_by,
            parameters: &known.parameters,
            advisories: &known.advisories,
            scanners: &known.scanners,
            frozen: previous.as_ref(),
            now: self.now,
        };
        let failed = |source| MakeError::Gather { path: reader.path().to_owned(), source: Box::new(source) };
        Ok(Made { report: gather::gather(reader, &request).map_err(failed)?, frozen: None })
    }
}
