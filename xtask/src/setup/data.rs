//! Free databases for a first look: country and autonomous system of an address, from the npm registry.
//!
//! They are samples, months old by design of a pinned version: the agent shows a database's age, and any newer
//! MMDB can be given instead.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    apt,
    cmd::{self, Cmd},
    paths::{Paths, Scratch},
    pins::{self, Archive, DataPackage},
};

/// Says which versions lie in `data/`; written last.
const STAMP: &str = ".versions";

pub fn ensure(paths: &Paths) -> Result<String> {
    let data = paths.data();
    if !is_complete(&data) {
        need_npm(
            "fetching the databases failed",
            "install npm (it comes with Node.js) and run: cargo xtask setup --only data\n\
             or go without: an agent takes any MMDB by --country",
        )?;
        fs::create_dir_all(&data).with_context(|| format!("making {} failed", data.display()))?;
        let scratch = Scratch::new(&data).with_context(|| format!("writing in {} failed", data.display()))?;
        let fetched = fetch_all(scratch.path())?;
        put_in_place(&fetched, &data).with_context(|| format!("filling {} failed", data.display()))?;
    }
    Ok(format!("country and AS of {} in {}", pins::COUNTRY.date, data.display()))
}

fn stamp() -> String {
    pins::DATA.map(|package| format!("{}@{}\n", package.name, package.version)).concat()
}

fn is_complete(data: &Path) -> bool {
    let filled = |name: &str| data.join(name).metadata().is_ok_and(|meta| meta.len() > 0);
    fs::read_to_string(data.join(STAMP)).is_ok_and(|text| text == stamp())
        && filled("README.md")
        && pins::DATA.iter().flat_map(|package| package.files).all(|(_, name)| filled(name))
}

/// Makes sure of npm; without it and without apt, says what failed and what to do.
pub fn need_npm(what: &str, hint: &str) -> Result<()> {
    if cmd::which("npm").is_some() {
        return Ok(());
    }
    if !apt::is_here() {
        return Err(cmd::failure(what, "there is no npm", hint).into());
    }
    apt::update()?;
    apt::install(&["npm"])?;
    Ok(())
}

/// Fetches and unpacks every package; returns the folder laid out as `data/` will be.
fn fetch_all(scratch: &Path) -> Result<PathBuf> {
    let ready = scratch.join("ready");
    let licences = ready.join("licences");
    fs::create_dir_all(&licences)?;
    for package in pins::DATA {
        let unpacked = fetch(package, scratch)?;
        let take = |from: &str, to: PathBuf| {
            let from = unpacked.join(from);
            fs::rename(&from, &to)
                .with_context(|| format!("taking {} from {} failed", from.display(), package.name))
        };
        for (from, to) in package.files {
            take(from, ready.join(to))?;
        }
        for name in package.licences {
            take(name, licences.join(format!("{}-{name}", package.short)))?;
        }
    }
    // The archives hold no times. A table that does not say how old it is gets the data's own.
    for package in pins::DATA {
        let files = package.files.iter().map(|(_, name)| ready.join(name));
        Cmd::new("dating the files", "touch")
            .args(["-d", &format!("{} 00:00 UTC", package.date)])
            .args(files)
            .ask()?;
    }
    fs::write(ready.join("README.md"), readme())?;
    Ok(ready)
}

/// Fetches one package, checks it and returns the folder with its content.
fn fetch(package: &DataPackage, scratch: &Path) -> Result<PathBuf> {
    let again = "run cargo xtask setup --only data again when the npm registry can be reached; \
                 build and tests need no database";
    fetch_archive(&package.archive(), scratch, again)
}

/// Fetches an archive, checks its sum and returns the folder with its content. `again`: what to do when it cannot
/// be reached.
pub fn fetch_archive(archive: &Archive, scratch: &Path, again: &str) -> Result<PathBuf> {
    let dir = scratch.join(archive.short);
    fs::create_dir_all(&dir)?;
    let spec = format!("{}@{}", archive.name, archive.version);
    cmd::say(format!("data: fetching {spec}"));
    Cmd::new(format!("fetching {spec}"), "npm")
        .args(["pack", "--loglevel=error", &spec])
        .dir(&dir)
        .hint(again)
        .no_stdin()
        .run()?;
    let file = only_archive(&dir)?;
    let sum = Cmd::new("checking the archive", "sha512sum").arg(&file).ask()?;
    if sum.split_whitespace().next() != Some(archive.sha512) {
        return Err(cmd::failure(
            format!("fetching {spec} failed"),
            format!(
                "the archive's SHA-512 is {}, not the pinned one",
                sum.split_whitespace().next().unwrap_or("?")
            ),
            "try again; if it stays so, the registry serves another file under this version: report it",
        )
        .into());
    }
    Cmd::new("unpacking", "tar").args(["--no-same-owner", "-xzf"]).arg(&file).arg("-C").arg(&dir).ask()?;
    Ok(dir.join("package"))
}

/// Reads a file of an archive.
pub fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {} failed", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// Writes a file of the source that was made from archives.
pub fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {} failed", path.display()))
}

fn only_archive(dir: &Path) -> Result<PathBuf> {
    fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .with_context(|| format!("npm pack left no archive in {}", dir.display()))
}

/// Renames what was fetched into `data/`, the stamp last: an interrupted setup is not taken for a finished one.
fn put_in_place(ready: &Path, data: &Path) -> std::io::Result<()> {
    match fs::remove_file(data.join(STAMP)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let licences = data.join("licences");
    if licences.exists() {
        fs::remove_dir_all(&licences)?;
    }
    for entry in fs::read_dir(ready)? {
        let entry = entry?;
        fs::rename(entry.path(), data.join(entry.file_name()))?;
    }
    let new = data.join(format!("{STAMP}.new"));
    fs::write(&new, stamp())?;
    fs::rename(new, data.join(STAMP))
}

/// What the data is, whose, and how far to trust it.
fn readme() -> String {
    let mut text = String::from(
        "# Databases\n\n\
         Fetched by `cargo xtask setup`; not part of the source. Licence texts are in `licences/`.\n\n\
         | file | package (npm) | version | data of | licence | attribution |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for package in pins::DATA {
        for (_, file) in package.files {
            let DataPackage { name, version, date, licence, attribution, .. } = package;
            // Writing to a string does not fail.
            let _ =
                writeln!(text, "| `{file}` | `{name}` | {version} | {date} | {licence} | {attribution} |");
        }
    }
    text.push_str(
        "\nThe files are unchanged but for their names. A web page that shows results from the AS table must link \
         back to DB-IP.com.\n\n\
         The packages' own pages warn that the data published this way has errors and is no longer updated. It \
         serves to try the program and to test it; for figures that are published, give the agent a current \
         database by `--country` and `--asn`.\n",
    );
    text
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_readme_names_every_file_and_its_licence() {
        let text = readme();
        for package in pins::DATA {
            for (_, file) in package.files {
                assert!(text.contains(&format!("| `{file}` | `{}` | {} |", package.name, package.version)));
            }
            assert!(text.contains(package.licence) && text.contains(package.attribution));
        }
    }

    #[test]
    fn data_without_its_stamp_is_not_complete() -> std::io::Result<()> {
        let scratch = Scratch::new(&std::env::temp_dir().join("teiten-xtask-data"))?;
        let (ready, data) = (scratch.path().join("ready"), scratch.path().join("data"));
        fs::create_dir_all(ready.join("licences"))?;
        fs::create_dir_all(data.join("licences"))?;
        fs::write(data.join("mine.mmdb"), "kept")?;
        for name in ["README.md", "country.mmdb", "asn-ipv4.csv", "asn-ipv6.csv"] {
            fs::write(ready.join(name), "x")?;
            fs::write(data.join(name), "old")?;
        }
        assert!(!is_complete(&data));
        put_in_place(&ready, &data)?;
        assert!(is_complete(&data));
        assert_eq!(fs::read_to_string(data.join("country.mmdb"))?, "x");
        assert_eq!(fs::read_to_string(data.join("mine.mmdb"))?, "kept");
        fs::write(data.join("asn-ipv6.csv"), "")?;
        assert!(!is_complete(&data));
        Ok(())
    }
}
