//! `demo`: builds the agent and becomes `teiten demo`, which makes a network namespace and removes it again. What
//! it counts is kept in `target/demo`, from one demo to the next.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{paths::Paths, run};

/// Where the demo's program is pinned: beside that of a sensor, never in its place.
const PIN_PATH: &str = "/sys/fs/bpf/teiten-demo";

pub fn task(paths: &Paths, args: &run::Args) -> Result<()> {
    let folder = paths.root.join("target/demo");
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let words = store(&folder, &args.args, is_set);
    if !words.is_empty() {
        fs::create_dir_all(&folder).with_context(|| format!("making {} failed", folder.display()))?;
    }
    run::become_agent(paths, "demo", &words, args)
}

/// Options that give the demo a store, unless the user gave one.
fn store(folder: &Path, args: &[String], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    if run::is_given("--store", args) || is_set("TEITEN_STORE") {
        return Vec::new();
    }
    let mut words = vec!["--store".to_owned(), folder.join("teiten.db").display().to_string()];
    if !run::is_given("--pin-path", args) && !is_set("TEITEN_PIN_PATH") {
        words.extend(["--pin-path".to_owned(), PIN_PATH.to_owned()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_added_where_the_user_gave_none() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let folder = Path::new("demo");
        let both = ["--store", "demo/teiten.db", "--pin-path", PIN_PATH];
        assert_eq!(store(folder, &words("--rate 7"), |_| false), both);
        assert_eq!(store(folder, &words("--pin-path /x"), |_| false), both[..2]);
        assert_eq!(store(folder, &words("--store=x.db"), |_| false), Vec::<String>::new());
        assert_eq!(store(folder, &[], |name| name == "TEITEN_STORE"), Vec::<String>::new());
    }
}
