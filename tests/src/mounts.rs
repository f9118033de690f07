//! File systems of a test's own: small ones, and such that cannot be written.
//!
//! They are mounted in a mount namespace that only one thread lives in, and are gone with it,
//! however the test ends.

use std::{ffi::CString, fs, io, os::unix::ffi::OsStrExt, path::Path, ptr, thread};

/// Does work in a mount namespace of its own. Threads that it starts are in it as well.
///
/// # Panics
///
/// If there can be no such namespace, or if the work panics.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let run = || {
        // SAFETY: changes the namespace of this thread only, which ends here.
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
        assert_eq!(unshared, 0, "unshare(CLONE_NEWNS): {}", io::Error::last_os_error());
        // What is mounted here is not to be seen elsewhere.
        mount(Path::new("/"), "", libc::MS_REC | libc::MS_PRIVATE, "");
        work()
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes a directory with a file system in memory of at most so many bytes.
///
/// # Panics
///
/// If that fails.
pub fn memory(directory: &Path, bytes: u64) {
    fs::create_dir_all(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    mount(directory, "tmpfs", 0, &format!("size={bytes}"));
}

/// Lets nobody write the file system that is mounted on a directory any more.
///
/// # Panics
///
/// If that fails, as it does while a file of it is open for writing.
pub fn read_only(directory: &Path) {
    mount(directory, "", libc::MS_REMOUNT | libc::MS_RDONLY, "");
}

fn mount(on: &Path, kind: &str, flags: libc::c_ulong, options: &str) {
    let text = |bytes: &[u8]| CString::new(bytes).expect("paths and options hold no zero");
    let (path, kind, options) =
        (text(on.as_os_str().as_bytes()), text(kind.as_bytes()), text(options.as_bytes()));
    // SAFETY: all texts end with a zero and outlive the call; no source is a source of nothing.
    let mounted =
        unsafe { libc::mount(ptr::null(), path.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    assert_eq!(mounted, 0, "mount on {}: {}", on.display(), io::Error::last_os_error());
}
