//! The file of the key that sources are hashed with: 32 hexadecimal digits and a line feed.
//!
//! It is kept outside the store, so that who gets the store alone cannot try which sources are in
//! it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use super::StoreError;

/// The bytes of the key in this file; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<[u8; 16]>, StoreError> {
    let mut text = Vec::new();
    let failed = StoreError::file(path, "read the key");
    match File::open(path).and_then(|file| file.take(64).read_to_end(&mut text)) {
        Ok(_) => parse(&text).map(Some).ok_or_else(|| StoreError::BadKey(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_suffix('\n').unwrap_or(text);
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// Makes the file of a new key, whole and on the disk, or not at all. If somebody else made it
/// meanwhile, theirs is taken.
pub(super) fn make(path: &Path) -> Result<[u8; 16], StoreError> {
    make_parent(path)?;
    let key: [u8; 16] = random()?;
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = beside(path, &format!(".new-{}-{number}", process::id()));
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        writeln!(file, "{:032x}", u128::from_be_bytes(key))?;
        file.sync_all()?;
        // Unlike rename, this never replaces a key that is there.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !path.exists() => fs::rename(&new, path),
            linked => linked,
        }
    };
    let written = write();
    let _ = fs::remove_file(&new);
    written.map_err(StoreError::file(path, "write the key"))?;
    sync_parent(path)?;
    read(path)?.ok_or_else(|| StoreError::BadKey(path.to_owned()))
}

/// Random bytes of the operating system.
///
/// # Errors
///
/// If it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    const PATH: &str = "/dev/urandom";
    let mut bytes = [0; N];
    File::open(PATH)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(StoreError::file(Path::new(PATH), "read random bytes from"))?;
    Ok(bytes)
}

/// Makes the directory of a file, by its absolute path, for its owner only, if there is none.
pub(super) fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(StoreError::file(parent, "make directory"))?;
    sync_parent(parent)
}

/// Makes sure that a file's name is on the disk, by its absolute path.
pub(super) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(path);
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::file(parent, "write directory"))
}

/// A file's path with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
