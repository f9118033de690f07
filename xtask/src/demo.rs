//! `demo`: builds the agent and becomes `teiten demo`, which makes a network namespace and removes it again. What
//! it counts is kept in `target/demo`, from one demo to the next; the first one gets eight weeks of past, made by
//! `teiten synth` of the scenario that the demo plays, so that there is something to look back on.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    paths::{Paths, Profile, Scratch},
    root, run,
};

/// The demo's store in its folder.
const STORE: &str = "teiten.db";
/// Frames a second: as many as the scenario has, so that past and present agree.
const RATE: &str = "22";
/// One in how many frames of the past is made. It takes seconds, and all would take many minutes.
const SAMPLE: &str = "100";

pub fn task(paths: &Paths, args: &run::Args) -> Result<()> {
    run::prepare(paths)?;
    let folder = paths.root.join("target/demo");
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let words = options(&folder, &args.args, is_set);
    if words.iter().any(|word| word == "--store") && !folder.join(STORE).exists() {
        fs::create_dir_all(&folder).with_context(|| format!("making {} failed", folder.display()))?;
        if let Err(error) = past(paths, &folder, is_set) {
            eprintln!("warning: the demo has no past: {error:#}");
        }
    }
    run::become_agent(paths, "demo", &words, args)
}

/// Options that give the demo a store and a rate, unless the user gave one.
fn options(folder: &Path, args: &[String], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let mut options = Vec::new();
    if !run::is_given("--store", args) && !is_set("TEITEN_STORE") {
        options.extend(["--store".to_owned(), folder.join(STORE).display().to_string()]);
    }
    if !run::is_given("--rate", args) {
        options.extend(["--rate".to_owned(), RATE.to_owned()]);
    }
    options
}

/// Makes a store with a past that ends now.
fn past(paths: &Paths, folder: &Path, is_set: impl Fn(&str) -> bool) -> Result<()> {
    let scratch = Scratch::new(folder).with_context(|| format!("writing in {} failed", folder.display()))?;
    let scenario = paths.root.join("docs/scenarios/demo.toml");
    let store = scratch.path().join(STORE);
    let mut words = vec!["synth".to_owned(), scenario.display().to_string()];
    words.extend(["--until", "now", "--sample", SAMPLE, "--store"].map(str::to_owned));
    words.push(store.display().to_string());
    words.extend(run::databases(&paths.data(), &[], is_set));
    root::command("making the demo's past", &paths.agent(Profile::Release), &words, &[])?.run()?;
    put_in_place(scratch.path(), folder).with_context(|| format!("filling {} failed", folder.display()))
}

/// Moves a store and the files beside it, the store last: an interrupted demo is not taken for one with a past.
fn put_in_place(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != STORE {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
    }
    fs::rename(from.join(STORE), to.join(STORE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_and_a_rate_are_added_where_the_user_gave_none() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let folder = Path::new("demo");
        let store = ["--store", "demo/teiten.db"];
        assert_eq!(options(folder, &[], |_| false), [&store[..], &["--rate", RATE]].concat());
        assert_eq!(options(folder, &words("--rate 7"), |_| false), store);
        assert_eq!(options(folder, &words("--store=x.db"), |_| false), ["--rate", RATE]);
        assert_eq!(options(folder, &words("--rate=7"), |name| name == "TEITEN_STORE"), Vec::<String>::new());
    }

    #[test]
    fn a_store_is_moved_with_the_files_beside_it() -> std::io::Result<()> {
        let scratch = Scratch::new(&env::temp_dir().join("teiten-xtask-demo"))?;
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        fs::create_dir_all(&from)?;
        fs::create_dir_all(&to)?;
        assert!(put_in_place(&from, &to).is_err(), "there is no store");
        for name in [STORE, "teiten.db.key", "teiten.db-wal"] {
            fs::write(from.join(name), name)?;
        }
        put_in_place(&from, &to)?;
        for name in [STORE, "teiten.db.key", "teiten.db-wal"] {
            assert_eq!(fs::read_to_string(to.join(name))?, name);
        }
        assert_eq!(fs::read_dir(&from)?.count(), 0);
        Ok(())
    }
}
