//! `run`: builds the agent and becomes `teiten run`, as root.

use std::{env, path::Path};

use anyhow::Result;

use crate::{
    build,
    paths::{Paths, Profile},
    root,
    setup::Part,
};

#[derive(clap::Args)]
pub struct Args {
    /// Arguments of `teiten`, after `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

pub fn task(paths: &Paths, args: &Args) -> Result<()> {
    prepare(paths)?;
    become_agent(paths, "run", &[], args)
}

/// Builds the agent, and looks for the databases that it gets.
pub fn prepare(paths: &Paths) -> Result<()> {
    build::build(paths, Profile::Release)?;
    if let Err(error) = Part::Data.ensure(paths) {
        eprintln!("warning: without databases, regions are unknown: {error:#}");
    }
    Ok(())
}

/// Becomes the agent with this subcommand and these options before the user's. Returns only on failure.
pub fn become_agent(paths: &Paths, subcommand: &str, options: &[String], args: &Args) -> Result<()> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut words = vec![subcommand.to_owned()];
    words.extend(databases(&paths.data(), &args.args, is_set));
    words.extend_from_slice(options);
    words.extend(args.args.iter().cloned());
    let what = format!("starting teiten {subcommand}");
    Err(root::command(&what, &paths.agent(Profile::Release), &words, &[])?.exec().into())
}

/// Options that give the agent the databases of `data/`, each kind unless the user gave one.
pub fn databases(data: &Path, args: &[String], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    const DATABASES: [(&str, &str, &[&str]); 2] = [
        ("--country", "TEITEN_COUNTRY", &["country.mmdb"]),
        ("--asn", "TEITEN_ASN", &["asn-ipv4.csv", "asn-ipv6.csv"]),
    ];
    let mut options = Vec::new();
    for (option, variable, files) in DATABASES {
        if is_given(option, args) || is_set(variable) {
            continue;
        }
        for file in files.iter().map(|file| data.join(file)).filter(|file| file.is_file()) {
            options.extend([option.to_owned(), file.display().to_string()]);
        }
    }
    options
}

/// Whether an option is among arguments, with its value behind it or in it.
pub fn is_given(option: &str, args: &[String]) -> bool {
    args.iter()
        .any(|arg| arg.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::paths::Scratch;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn databases_are_added_where_the_user_gave_none() -> std::io::Result<()> {
        let scratch = Scratch::new(&env::temp_dir().join("teiten-xtask-run"))?;
        let data = scratch.path();
        assert_eq!(databases(data, &[], |_| false), Vec::<String>::new());
        for file in ["country.mmdb", "asn-ipv4.csv", "asn-ipv6.csv"] {
            fs::write(data.join(file), "")?;
        }
        let at = |file: &str| data.join(file).display().to_string();
        let country = vec!["--country".to_owned(), at("country.mmdb")];
        let asn = vec!["--asn".to_owned(), at("asn-ipv4.csv"), "--asn".to_owned(), at("asn-ipv6.csv")];
        let both = [country.clone(), asn.clone()].concat();

        assert_eq!(databases(data, &words("-i eth0 --countryside"), |_| false), both);
        assert_eq!(databases(data, &words("--country x.mmdb"), |_| false), asn);
        assert_eq!(databases(data, &words("--asn=x.csv"), |_| false), country);
        assert_eq!(databases(data, &[], |name| name == "TEITEN_ASN"), country);
        assert_eq!(databases(data, &[], |_| true), Vec::<String>::new());
        Ok(())
    }
}
