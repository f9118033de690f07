//! Frozen reports: what was published stays what it was, whatever the store learns later.
//!
//! A frozen report is its JSON document with all that is known, in a directory beside the store.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::model::{RankBy, Report, SCHEMA};

/// A frozen report is refused beyond this size, in bytes.
const LARGEST: u64 = 256 << 20;

/// Why a frozen report cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum FrozenError {
    #[error("cannot {action} the frozen report {}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is no frozen report of this version; move it away, or read it with the version that froze it", .path.display())]
    Form { path: PathBuf, source: serde_json::Error },
    #[error("{} has form {found} of reports, and this version reads form {SCHEMA}", .path.display())]
    Schema { path: PathBuf, found: u32 },
    #[error("{} is larger than {LARGEST} bytes, which no report is", .path.display())]
    Large { path: PathBuf },
    #[error(
        "{period} is frozen since {since}, and stays so; to freeze it anew, move {} away",
        .path.display()
    )]
    Frozen { period: String, since: String, path: PathBuf },
}

/// Where frozen reports are.
#[derive(Clone, Debug)]
pub struct Frozen {
    directory: PathBuf,
}

impl Frozen {
    /// In a directory, which need not be there yet; `None`: the store's name and `.reports`.
    pub fn new(directory: Option<&Path>, store: &Path) -> Self {
        let beside = || {
            let mut name = store.as_os_str().to_owned();
            name.push(".reports");
            name.into()
        };
        Self { directory: directory.map_or_else(beside, Path::to_owned) }
    }

    /// The file of the report of a period, over some sensors (all if there are none).
    pub fn path(&self, period: &str, rank_by: RankBy, sensors: &[String]) -> PathBuf {
        let mut name = period.replace(['/', ':'], "-");
        if rank_by == RankBy::Sources {
            name.push_str("+sources");
        }
        let mut sensors = sensors.to_vec();
        sensors.sort_unstable();
        for sensor in sensors {
            name.push('+');
            name.push_str(&sensor);
        }
        name.push_str(".json");
        self.directory.join(name)
    }

    /// Reads a frozen report; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Option<Report>, FrozenError> {
        let file = |action| move |source| FrozenError::File { action, path: path.to_owned(), source };
        let length = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(file("look at"))?.len(),
        };
        if length > LARGEST {
            return Err(FrozenError::Large { path: path.to_owned() });
        }
        let text = fs::read(path).map_err(file("read"))?;
        let form = |source| FrozenError::Form { path: path.to_owned(), source };
        let document: serde_json::Value = serde_json::from_slice(&text).map_err(form)?;
        let found = document.get("schema").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found != u64::from(SCHEMA) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(FrozenError::Schema { path: path.to_owned(), found });
        }
        serde_json::from_value(document).map(Some).map_err(form)
    }

    /// Freezes a report, which says when that was.
    ///
    /// # Errors
    ///
    /// If it is frozen already, or cannot be written.
    pub fn keep(path: &Path, report: &Report) -> Result<(), FrozenError> {
        if let Some(before) = Self::read(path)? {
            let since = before.frozen.unwrap_or(before.made);
            return Err(FrozenError::Frozen { period: before.period.text, since, path: path.to_owned() });
        }
        let file = |action| move |source| FrozenError::File { action, path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(file("make the directory of"))?;
        }
        let text = serde_json::to_vec_pretty(report)
            .map_err(|source| FrozenError::Form { path: path.to_owned(), source })?;
        // Under another name until it is whole, and never over one that came meanwhile.
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let written = fs::write(&new, text)
            .and_then(|()| fs::File::open(&new)?.sync_all())
            .and_then(|()| fs::hard_link(&new, path));
        let _ = fs::remove_file(&new);
        written.map_err(file("write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_frozen_stays() {
        let directory = std::env::temp_dir().join(format!("teiten-frozen-{}", std::process::id()));
        let frozen = Frozen::new(Some(&directory), Path::new("/nowhere/store.db"));
        let path = frozen.path("2019-Q4", RankBy::Packets, &[]);
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("2019-Q4.json"));
        assert!(Frozen::read(&path).unwrap().is_none());
        let report = Report { frozen: Some("2020-01-06T10:00:00+09:00".to_owned()), ..sample::sample() };
        Frozen::keep(&path, &report).unwrap();
        assert_eq!(Frozen::read(&path).unwrap().as_ref(), Some(&report));
        let again = Frozen::keep(&path, &report).unwrap_err().to_string();
        assert!(again.contains("2020-01-06T10:00:00+09:00") && again.contains("2019-Q4.json"), "{again}");

        fs::write(&path, "{\"schema\": 999}").unwrap();
        let error = Frozen::read(&path).unwrap_err().to_string();
        assert!(error.contains("form 999"), "{error}");
        fs::write(&path, "{").unwrap();
        assert!(matches!(Frozen::read(&path), Err(FrozenError::Form { .. })));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn each_kind_of_report_has_a_file() {
        let frozen = Frozen::new(None, Path::new("/var/lib/teiten.db"));
        let sensors = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let path = |by, names: &[&str]| frozen.path("2019-10", by, &sensors(names));
        assert_eq!(path(RankBy::Packets, &[]), Path::new("/var/lib/teiten.db.reports/2019-10.json"));
        assert_eq!(path(RankBy::Packets, &["b", "a"]), path(RankBy::Packets, &["a", "b"]));
        assert_ne!(path(RankBy::Packets, &["a"]), path(RankBy::Packets, &[]));
        assert_ne!(path(RankBy::Packets, &[]), path(RankBy::Sources, &[]));
        let span = frozen.path("2019-10-01T00:00:00+09:00..2019-10-02T00:00:00+09:00", RankBy::Packets, &[]);
        assert_eq!(span.parent(), Some(Path::new("/var/lib/teiten.db.reports")));
    }
}
