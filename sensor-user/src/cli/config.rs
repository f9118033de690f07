//! The configuration file: TOML whose keys are the names of options.
//!
//! It is turned into words of a command line, so that an option means the same wherever it stands.
//! The command line wins over the environment, which wins over the file.

use std::{ffi::OsString, fs, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{ArgMatches, Command, CommandFactory, error::ErrorKind, parser::ValueSource};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Cli;

/// The options that the configuration file of a subcommand's command line gives, as words; those
/// that the command line or the environment give already are left out. `None` if no file is named.
///
/// # Errors
///
/// With file and line, if the file cannot be read or has a bad key or value.
pub fn arguments(subcommand: &str, given: &ArgMatches) -> Result<Option<Vec<OsString>>> {
    let Some(path) = given.try_get_one::<PathBuf>("config").ok().flatten() else {
        return Ok(None);
    };
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let command = Cli::command();
    let command = command.find_subcommand(subcommand).context("no such subcommand")?;
    let is_set = |name: &str| {
        matches!(given.value_source(name), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    words(&text, command, is_set)
        .map(Some)
        .map_err(|(offset, error)| anyhow!("{}:{}: {error:#}", path.display(), line_of(&text, offset)))
}

/// The words of the file, placed behind the name of the subcommand.
pub fn insert(mut words: Vec<OsString>, subcommand: &str, from_file: Vec<OsString>) -> Vec<OsString> {
    let at = words.iter().position(|word| word == subcommand).map_or(words.len(), |position| position + 1);
    words.splice(at..at, from_file);
    words
}

/// Line of a byte, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

/// An error and the byte of the file where it is.
type At<T> = Result<T, (usize, anyhow::Error)>;

fn words(text: &str, command: &Command, is_set: impl Fn(&str) -> bool) -> At<Vec<OsString>> {
    let table = DeTable::parse(text)
        .map_err(|error| (error.span().map_or(0, |span| span.start), anyhow!("{}", error.message())))?;
    let mut words = Vec::new();
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let place = key.span().start;
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(name) && name != "config")
            .ok_or_else(|| (place, unknown(name, command)))?;
        for (offset, word) in values(name, value)? {
            let word = OsString::from(word);
            check(command, name, &word).map_err(|error| (offset, error))?;
            if !is_set(argument.get_id().as_str()) {
                words.push(word);
            }
        }
    }
    Ok(words)
}

fn unknown(name: &str, command: &Command) -> anyhow::Error {
    let mut known: Vec<&str> = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|long| !matches!(*long, "config" | "help" | "version"))
        .collect();
    known.sort_unstable();
    anyhow!("`{name}` is no setting; there are {}", known.join(", "))
}

/// The words that give an option the value of a key, each with its place.
fn values(name: &str, value: &Spanned<DeValue<'_>>) -> At<Vec<(usize, String)>> {
    let place = value.span().start;
    let option = |text: &str| vec![(place, format!("--{name}={text}"))];
    Ok(match value.get_ref() {
        DeValue::String(text) => option(text),
        DeValue::Integer(number) => option(&number.to_string()),
        DeValue::Float(number) => option(number.as_str()),
        DeValue::Boolean(true) => vec![(place, format!("--{name}"))],
        DeValue::Boolean(false) => Vec::new(),
        DeValue::Array(items) => {
            let mut all = Vec::new();
            for item in items.iter() {
                all.extend(values(name, item)?);
            }
            all
        }
        DeValue::Table(table) if name == "sensor" => {
            option(&sensor(table).map_err(|(offset, error)| (offset.max(place), error))?)
        }
        DeValue::Table(_) => return Err((place, anyhow!("`{name}` takes a value, not a table"))),
        DeValue::Datetime(_) => return Err((place, anyhow!("`{name}` takes no date"))),
    })
}

/// `[[sensor]]` with the sensor's attributes as keys, in the form that `--sensor` takes.
fn sensor(table: &DeTable<'_>) -> At<String> {
    let text = |key: &str| -> At<Option<String>> {
        match table.get(key).map(|value| (value.span().start, value.get_ref())) {
            None => Ok(None),
            Some((_, DeValue::String(text))) => Ok(Some(text.to_string())),
            Some((place, _)) => Err((place, anyhow!("`{key}` of a sensor is a text"))),
        }
    };
    for key in table.keys() {
        let name: &str = key.get_ref();
        if !matches!(name, "name" | "prefixes" | "role" | "group" | "alias" | "filtered") {
            let error =
                anyhow!("a sensor has no `{name}`; it has name, prefixes, role, group, alias and filtered");
            return Err((key.span().start, error));
        }
    }
    let name = text("name")?.ok_or_else(|| (0, anyhow!("a sensor wants a `name`")))?;
    let prefixes = table
        .get("prefixes")
        .ok_or_else(|| (0, anyhow!("sensor `{name}` wants `prefixes`, such as [\"192.0.2.0/24\"]")))?;
    let mut sensor = format!("{name}={}", texts("prefixes", prefixes)?.join(","));
    for key in ["role", "group", "alias"] {
        if let Some(value) = text(key)? {
            sensor += &format!(";{key}={value}");
        }
    }
    if let Some(services) = table.get("filtered") {
        sensor += &format!(";filtered={}", texts("filtered", services)?.join(","));
    }
    Ok(sensor)
}

/// A list of texts, or one text.
fn texts(key: &str, value: &Spanned<DeValue<'_>>) -> At<Vec<String>> {
    match value.get_ref() {
        DeValue::String(text) => Ok(vec![text.to_string()]),
        DeValue::Array(items) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                _ => Err((item.span().start, anyhow!("`{key}` of a sensor is a list of texts"))),
            })
            .collect(),
        _ => Err((value.span().start, anyhow!("`{key}` of a sensor is a list of texts"))),
    }
}

/// Lets the option's own parser judge a value.
fn check(command: &Command, name: &str, word: &OsString) -> Result<()> {
    let Err(error) = command.clone().try_get_matches_from([OsString::from(command.get_name()), word.clone()])
    else {
        return Ok(());
    };
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Ok(());
    }
    // The source is what a value parser said; without one, clap's first line says it all.
    let reason = std::error::Error::source(&error).map_or_else(
        || {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        },
        |source| format!("bad value for `{name}`: {source}"),
    );
    bail!(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_words(text: &str, set: &[&str]) -> Result<Vec<String>, String> {
        let command = Cli::command();
        let command = command.find_subcommand("run").unwrap();
        words(text, command, |name| set.contains(&name))
            .map(|words| words.into_iter().map(|word| word.into_string().unwrap()).collect())
            .map_err(|(offset, error)| format!("{}: {error:#}", line_of(text, offset)))
    }

    #[test]
    fn a_file_becomes_words() {
        let text = r#"
            iface = ["eth0", "eth1"]
            interval = "1s"
            v4-prefix = 24
            force = false
            allow-stacked = true
            [[sensor]]
            name = "west"
            prefixes = ["192.0.2.0/24", "2001:db8::/32"]
            role = "honeypot"
            group = "overseas"
            alias = "S1"
            filtered = ["25/tcp", "445/tcp"]
        "#;
        let mut words = run_words(text, &[]).unwrap();
        words.sort();
        assert_eq!(
            words,
            [
                "--allow-stacked",
                "--iface=eth0",
                "--iface=eth1",
                "--interval=1s",
                "--sensor=west=192.0.2.0/24,2001:db8::/32;role=honeypot;group=overseas;alias=S1;filtered=25/tcp,445/tcp",
                "--v4-prefix=24",
            ]
        );
        let fewer = run_words(text, &["iface", "sensor"]).unwrap();
        assert!(!fewer.iter().any(|word| word.starts_with("--iface") || word.starts_with("--sensor")));
        assert_eq!(fewer.len(), 3);
    }

    #[test]
    fn bad_files_are_told_by_line_and_key() {
        let error = |text: &str| run_words(text, &[]).unwrap_err();
        assert!(
            error("interval = \"1s\"\nface = 1").starts_with("2: `face` is no setting; there are action")
        );
        assert!(
            error("\n\ninterval = \"soon\"").starts_with("3: bad value for `interval`: write a duration")
        );
        assert!(error("v4-prefix = 8").contains("1: bad value for `v4-prefix`: 8 is not in 16..=32"));
        assert!(error("mode = \"fast\"").contains("1: invalid value 'fast' for '--mode"));
        assert!(error("\niface = [\"a\"").starts_with("2: "));
        assert!(error("[[sensor]]\nname = \"a\"").contains("wants `prefixes`"));
        assert!(
            error("[[sensor]]\nname = \"a\"\nprefixes = [1]")
                .starts_with("3: `prefixes` of a sensor is a list of texts")
        );
        let filtered = "[[sensor]]\nname = \"a\"\nprefixes = \"::/0\"\nfiltered = ";
        assert!(
            error(&format!("{filtered}[25]")).starts_with("4: `filtered` of a sensor is a list of texts")
        );
        assert!(error(&format!("{filtered}25")).starts_with("4: `filtered` of a sensor is a list of texts"));
        assert!(error(&format!("{filtered}\"25\"")).contains("`25` is no service"));
        assert!(error("[[sensor]]\nname = \"a\"\ncolour = \"b\"").starts_with("3: a sensor has no `colour`"));
        let host_bits = error("# x\n[[sensor]]\nname = \"a\"\nprefixes = \"192.0.2.1/24\"");
        assert!(host_bits.starts_with("2: bad value for `sensor`") && host_bits.contains("192.0.2.0/24"));
        assert!(error("config = \"other.toml\"").contains("`config` is no setting"));
        assert!(error("interval = 1979-05-27").contains("takes no date"));
        assert!(error("interval = {}").contains("not a table"));
    }

    #[test]
    fn words_go_behind_the_subcommand() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            insert(words("teiten run --top 3"), "run", words("--top=1 --iface=a")),
            words("teiten run --top=1 --iface=a --top 3")
        );
    }
}
