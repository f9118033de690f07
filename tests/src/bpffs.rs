//! A place to pin to in the BPF file system, for one test.

use std::{
    ffi::CString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

/// Where the BPF file system is mounted.
pub const BPFFS: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` of linux/magic.h.
const MAGIC: u64 = 0xcafe_4a11;

/// A pin path that is nobody else's. All that is pinned there goes when it is dropped, and with it programs
/// that nothing else holds.
#[derive(Debug)]
pub struct Pins(PathBuf);

impl Default for Pins {
    fn default() -> Self {
        Self::new()
    }
}

impl Pins {
    /// Chooses one; it is not made. The file system is mounted if it is missing, so that tests beside each
    /// other do not mount it over each other.
    ///
    /// # Panics
    ///
    /// If it cannot be mounted.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static MOUNTING: Mutex<()> = Mutex::new(());
        let guard = MOUNTING.lock().unwrap();
        if !is_mounted() {
            // SAFETY: strings that end in 0, and no data.
            let mounted = unsafe {
                libc::mount(c"bpf".as_ptr(), c"/sys/fs/bpf".as_ptr(), c"bpf".as_ptr(), 0, std::ptr::null())
            };
            assert_eq!(mounted, 0, "mounting {BPFFS}: {}", io::Error::last_os_error());
        }
        drop(guard);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Path::new(BPFFS).join(format!("teiten-test-{}-{number}", process::id())))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is pinned, and the directories: paths below it, sorted. Nothing if there is no such directory.
    pub fn entries(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        let mut names: Vec<_> = found
            .iter()
            .filter_map(|path| Some(path.strip_prefix(&self.0).ok()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Directories of generations: names of 32 hexadecimal digits.
    pub fn generations(&self) -> Vec<String> {
        let is_id = |name: &String| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.entries().into_iter().filter(is_id).collect()
    }

    /// Removes all that is pinned, as a reboot does.
    ///
    /// # Panics
    ///
    /// If something stays.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
        assert_eq!(self.entries(), [""; 0], "pins that cannot be removed");
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|file_type| file_type.is_dir()) {
            walk(&entry.path(), found);
        }
    }
}

fn is_mounted() -> bool {
    let path = CString::new(Path::new(BPFFS).as_os_str().as_bytes()).expect("no 0 in it");
    // SAFETY: plain integers.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a string that ends in 0, and a structure to be filled.
    let result = unsafe { libc::statfs(path.as_ptr(), &raw mut found) };
    result == 0 && found.f_type as u64 == MAGIC
}
