//! A small file system that can be filled up.

use std::{
    ffi::CString,
    fs,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
};

use crate::scratch::Scratch;

/// A tmpfs, unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs {
    scratch: Scratch,
    path: CString,
}

impl Tmpfs {
    /// Mounts one of so many mebibytes.
    ///
    /// # Panics
    ///
    /// If it cannot be mounted.
    pub fn new(mebibytes: u32) -> Self {
        let scratch = Scratch::new();
        let path = CString::new(scratch.dir().as_os_str().as_bytes()).expect("no 0 in it");
        let size = CString::new(format!("size={mebibytes}m")).expect("no 0 in it");
        // SAFETY: strings that end in 0.
        let mounted = unsafe {
            libc::mount(c"tmpfs".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, size.as_ptr().cast())
        };
        assert_eq!(mounted, 0, "mounting a tmpfs: {}", io::Error::last_os_error());
        Self { scratch, path }
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.scratch.dir()
    }

    /// Fills it up, to the last byte, until [`Self::free`].
    ///
    /// # Panics
    ///
    /// If that fails for another reason than that it is full.
    pub fn fill(&self) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("filler"))
            .or_else(|error| match error.kind() {
                io::ErrorKind::StorageFull => fs::File::open("/dev/full"),
                _ => Err(error),
            })
            .expect("a file");
        for size in [1 << 16, 1] {
            let bytes = vec![0xaa; size];
            loop {
                match file.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling a tmpfs: {error}"),
                }
            }
        }
    }

    /// Takes away what fills it.
    pub fn free(&self) {
        fs::remove_file(self.path("filler")).expect("it was filled");
    }

    /// Makes it read-only, or writable again.
    ///
    /// # Panics
    ///
    /// If files in it are open for writing: then it cannot become read-only.
    pub fn read_only(&self, yes: bool) {
        let flags = libc::MS_REMOUNT | if yes { libc::MS_RDONLY } else { 0 };
        // SAFETY: strings that end in 0, and no data.
        let mounted = unsafe {
            libc::mount(c"tmpfs".as_ptr(), self.path.as_ptr(), c"tmpfs".as_ptr(), flags, ptr::null())
        };
        assert_eq!(mounted, 0, "remounting a tmpfs: {}", io::Error::last_os_error());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // SAFETY: a string that ends in 0.
        unsafe { libc::umount2(self.path.as_ptr(), libc::MNT_DETACH) };
    }
}
