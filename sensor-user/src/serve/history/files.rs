//! Files that users keep, read again when they change.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use log::{info, warn};

use crate::report::make::{Files, FilesError, Known};

/// What tells a file from what it was before: its time, its length; `None`: it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Option<(SystemTime, u64)>);

impl Stamp {
    pub fn of(path: &Path) -> Self {
        let of = |metadata: fs::Metadata| Some((metadata.modified().ok()?, metadata.len()));
        Self(fs::metadata(path).ok().and_then(of))
    }
}

/// The stamps of all files.
pub type Stamps = [Option<Stamp>; 3];

fn stamps(files: &Files) -> Stamps {
    [&files.advisories, &files.scanners, &files.parameters].map(|path| path.as_deref().map(Stamp::of))
}

/// Files, and what they say.
pub struct Watched {
    files: Files,
    state: Mutex<(Stamps, Arc<Known>)>,
}

impl Watched {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one cannot be used.
    pub fn new(files: Files) -> Result<Self, FilesError> {
        let stamps = stamps(&files);
        let known = Arc::new(files.read()?);
        Ok(Self { files, state: Mutex::new((stamps, known)) })
    }

    /// What the files say now. One that became useless is reported, and what was read before stays in use.
    pub fn now(&self) -> (Stamps, Arc<Known>) {
        let stamps = stamps(&self.files);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 != stamps {
            state.0 = stamps;
            match self.files.read() {
                Ok(known) => {
                    info!("read advisories, declared scanners and parameters again");
                    state.1 = Arc::new(known);
                }
                Err(error) => warn!("{:#}; what was read before stays in use", anyhow::Error::from(error)),
            }
        }
        (state.0, Arc::clone(&state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_when_they_change() {
        let directory = std::env::temp_dir().join(format!("teiten-watched-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("parameters.toml");
        let files = Files { parameters: Some(path.clone()), ..Files::default() };
        let error = Watched::new(files.clone()).err().unwrap();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains("parameters.toml"));

        fs::write(&path, "[surge]\nz = 6.0\n").unwrap();
        let watched = Watched::new(files).unwrap();
        let (first, known) = watched.now();
        assert_eq!((known.parameters.surge.z, first), (6.0, watched.now().0));
        fs::write(&path, "[surge]\nz = 7.25\n").unwrap();
        let (second, known) = watched.now();
        assert_eq!(known.parameters.surge.z, 7.25);
        assert_ne!(first, second);
        // Broken, and gone: what was read stays.
        fs::write(&path, "[surge]\nz = -1.0\n # no such constant\n").unwrap();
        assert_eq!(watched.now().1.parameters.surge.z, 7.25);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(watched.now().1.parameters.surge.z, 7.25);
    }
}
