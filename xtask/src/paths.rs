//! Where things lie. Tools, BPF objects and data have fixed places in the tree; what cargo builds follows
//! `CARGO_TARGET_DIR`.

use std::{
    env, io,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone)]
pub struct Paths {
    pub root: PathBuf,
    /// Target folder of the workspace's own cargo.
    target: PathBuf,
}

impl Paths {
    /// The tree that this xtask was built from, with the environment's target folder.
    pub fn find() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_owned();
        // Cargo reads a relative folder from where it was called, which is where xtask runs.
        let target = env::var_os("CARGO_TARGET_DIR")
            .filter(|dir| !dir.is_empty())
            .and_then(|dir| std::path::absolute(dir).ok())
            .unwrap_or_else(|| root.join("target"));
        Self { root, target }
    }

    pub fn agent(&self, profile: Profile) -> PathBuf {
        self.target.join(profile.folder()).join("teiten")
    }

    pub fn ebpf(&self) -> PathBuf {
        self.root.join("sensor-ebpf")
    }

    /// Root of `cargo install` for the build's own tools.
    pub fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    pub fn tools_bin(&self) -> PathBuf {
        self.tools().join("bin")
    }

    /// Target folder of the cargo that builds the eBPF crate.
    pub fn bpf_build(&self) -> PathBuf {
        self.root.join("target/bpf-build")
    }

    /// A finished BPF object, for the agent's build and the benches.
    pub fn object(&self, bin: &str) -> PathBuf {
        self.root.join("target/bpf").join(format!("{bin}.o"))
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }
}

/// A folder beside its destination that is gone when it is dropped: what is not finished is not seen.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Also clears away what a killed xtask left there.
    pub fn new(beside: &Path) -> io::Result<Self> {
        for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner =
                name.to_str().and_then(|name| name.strip_prefix(".new-")).and_then(|pid| pid.parse().ok());
            if owner.is_some_and(|pid: u32| !Path::new("/proc").join(pid.to_string()).exists()) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        let dir = beside.join(format!(".new-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder left over is untidy, not wrong: nothing reads it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_goes_and_takes_those_of_the_dead_with_it() -> io::Result<()> {
        let beside = env::temp_dir().join("teiten-xtask-scratch");
        let dead = beside.join(format!(".new-{}", u32::MAX));
        std::fs::create_dir_all(&dead)?;
        let scratch = Scratch::new(&beside)?;
        let path = scratch.path().to_owned();
        assert!(path.is_dir() && !dead.exists());
        drop(scratch);
        assert!(!path.exists());
        std::fs::remove_dir(beside)
    }
}
