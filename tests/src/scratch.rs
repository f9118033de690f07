//! A directory for the files of one test.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Makes an empty directory.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new() -> Self {
        Self::within(&env::temp_dir())
    }

    /// Makes an empty directory within another one: not everything may lie where temporary files do, which
    /// may be in memory.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn within(parent: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("teiten-tests-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, in one step for those who read it meanwhile, and returns its path.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        fs::write(&new, content).unwrap_or_else(|error| panic!("{}: {error}", new.display()));
        fs::rename(&new, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
