//! `test`: formatting, lints, and the tests of every crate.
//!
//! A system test that cannot run here writes a line with `SKIPPED:` and the reason, straight to
//! `std::io::stderr()`: the test harness hides what passing tests print by `eprintln!`. With `CI=true` or
//! `--no-skip`, tests find `TEITEN_NO_SKIP=1` and fail instead. Other variables that tests find: `TEITEN_BIN`
//! (the agent), `TEITEN_BENCH_OBJECT` (a BPF object for measurements), `TEITEN_PROMETHEUS` and `TEITEN_PROMTOOL`
//! (programs), `TEITEN_DATA` (the folder of databases), `TEITEN_PYTHON` (a Python with DuckDB and html5lib),
//! `TEITEN_CHROMIUM`, `TEITEN_ORACLE_FRAMES` (with `--oracle`).
//! Whoever starts them may set `TEITEN_KILLS`, `TEITEN_STEPS` and `TEITEN_ALONE_SECONDS`, which make the tests of
//! faults longer, and `TEITEN_SEED`, which repeats one of them (`tests/tests/keep.rs`, `steps.rs`).

use std::{env, ffi::OsString};

use anyhow::{Error, Result};

use crate::{
    bpf,
    cmd::{self, Cmd},
    environment,
    paths::{Paths, Profile},
    root,
    setup::{Part, tests, toolchain},
};

/// The package of whole-system tests, which need root.
const SYSTEM_TESTS: &str = "teiten-tests";

#[derive(clap::Args)]
pub struct Args {
    /// Leave out the whole-system tests, which need root
    #[arg(long)]
    fast: bool,
    /// Compare this many frames with the independent reading of the accounting rules
    #[arg(long, value_name = "N")]
    oracle: Option<u64>,
    /// A test that cannot run here fails instead of being skipped (also: CI=true)
    #[arg(long)]
    no_skip: bool,
    /// Names of tests, or options of the test programs
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn task(paths: &Paths, args: &Args) -> Result<()> {
    let yes = |name| env::var(name).is_ok_and(|value| environment::is_yes(&value));
    let no_skip = args.no_skip || yes("CI") || yes("TEITEN_NO_SKIP");
    Part::Toolchain.ensure(paths)?;
    for part in [Part::Data, Part::Tests] {
        match part.ensure(paths) {
            Err(error) if no_skip => return Err(error),
            Err(error) => eprintln!("warning: tests that need it will be skipped: {error:#}"),
            Ok(()) => {}
        }
    }

    let mut checks = Checks::default();
    let cargo = |what: &str| Cmd::new(what, toolchain::cargo()).dir(&paths.root);
    checks.add(
        cargo("checking the format").args(["fmt", "--all", "--check"]).hint("run: cargo fmt --all").run(),
    );
    checks.add(
        cargo("checking the format of the eBPF crate")
            .args(["fmt", "--check"])
            .dir(&paths.ebpf())
            .hint("run in sensor-ebpf: cargo fmt")
            .run(),
    );

    // Everything after reads the objects.
    bpf::build(paths)?;
    checks.add(
        cargo("linting")
            .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .hint("mend what clippy says above")
            .run(),
    );
    match bpf::clippy(paths) {
        Ok(true) => checks.add(Ok::<_, Error>(())),
        Ok(false) if no_skip => checks.add(Err(cmd::failure(
            "linting the eBPF crate failed",
            "its toolchain has no clippy",
            "run: cargo xtask setup --only tests",
        ))),
        Ok(false) => eprintln!("SKIPPED: linting the eBPF crate: its toolchain has no clippy"),
        Err(error) => checks.add(Err(error)),
    }

    cargo("building the agent")
        .args(["build", "--workspace", "--bins"])
        .hint("mend what rustc says above")
        .run()?;
    let variables = variables(paths, Profile::Dev, no_skip, args.oracle);
    for run in runs(args.fast, root::is_root()) {
        let runner = if run.as_root {
            root::cargo_runner("running the system tests", "cargo xtask test")?
        } else {
            Vec::new()
        };
        checks.add(
            cargo(run.what)
                .args(["test", "--no-fail-fast"])
                .args(runner)
                .args(run.packages)
                .arg("--")
                .args(&args.args)
                .envs(variables.clone())
                .hint("the failed tests are named above; one alone: cargo xtask test NAME")
                .run(),
        );
    }
    checks.end()
}

/// One call of `cargo test`.
struct Run {
    what: &'static str,
    packages: &'static [&'static str],
    as_root: bool,
}

/// The calls of `cargo test`: root's is a single one, which builds least; others run only system tests as root.
fn runs(fast: bool, is_root: bool) -> Vec<Run> {
    const REST: &[&str] = &["--workspace", "--exclude", SYSTEM_TESTS];
    let rest = Run { what: "testing", packages: REST, as_root: false };
    match (fast, is_root) {
        (true, _) => vec![rest],
        (false, true) => vec![Run { what: "testing", packages: &["--workspace"], as_root: false }],
        (false, false) => {
            let packages = &["--package", SYSTEM_TESTS];
            vec![rest, Run { what: "testing the whole system", packages, as_root: true }]
        }
    }
}

/// What tests and benches are told.
pub fn variables(
    paths: &Paths,
    agent: Profile,
    no_skip: bool,
    oracle: Option<u64>,
) -> Vec<(String, OsString)> {
    let mut variables: Vec<(&str, OsString)> = vec![
        ("TEITEN_BIN", paths.agent(agent).into()),
        ("TEITEN_BENCH_OBJECT", paths.object("bench").into()),
        ("TEITEN_DATA", paths.data().into()),
    ];
    if let Some(prometheus) = tests::prometheus(paths) {
        variables.push(("TEITEN_PROMETHEUS", prometheus.into()));
    }
    if let Some(promtool) = tests::promtool(paths) {
        variables.push(("TEITEN_PROMTOOL", promtool.into()));
    }
    if let Some(python) = tests::python(paths) {
        variables.push(("TEITEN_PYTHON", python.into()));
    }
    if let Some(chromium) = tests::chromium() {
        variables.push(("TEITEN_CHROMIUM", chromium.into()));
    }
    if no_skip {
        variables.push(("TEITEN_NO_SKIP", "1".into()));
    } else {
        // Beside one's own work, fewer deaths do.
        for (name, number) in [("TEITEN_KILLS", "50"), ("TEITEN_STEPS", "8")] {
            if env::var_os(name).is_none() {
                variables.push((name, number.into()));
            }
        }
    }
    if let Some(frames) = oracle {
        variables.push(("TEITEN_ORACLE_FRAMES", frames.to_string().into()));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What was checked, and what failed: a failure does not keep the rest from being checked.
#[derive(Default)]
struct Checks {
    done: usize,
    failed: Vec<String>,
}

impl Checks {
    fn add<E: Into<Error>>(&mut self, result: Result<(), E>) {
        self.done += 1;
        if let Err(error) = result {
            let text = format!("{:#}", error.into());
            eprintln!("error: {text}");
            self.failed.push(text);
        }
    }

    fn end(self) -> Result<()> {
        if self.failed.is_empty() {
            cmd::say("all checks passed");
            return Ok(());
        }
        Err(Error::msg(format!(
            "{} of {} checks failed:\n{}",
            self.failed.len(),
            self.done,
            self.failed.join("\n")
        )))
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn root_tests_all_at_once() {
        let all = runs(false, true);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].packages, ["--workspace"]);
        assert!(!all[0].as_root);
    }

    #[test]
    fn others_run_only_system_tests_as_root() {
        let two = runs(false, false);
        assert_eq!(two.len(), 2);
        assert_eq!(two[0].packages, ["--workspace", "--exclude", SYSTEM_TESTS]);
        assert_eq!(two[1].packages, ["--package", SYSTEM_TESTS]);
        assert!(!two[0].as_root && two[1].as_root);
    }

    #[test]
    fn fast_leaves_the_system_alone() {
        assert!(runs(true, false).iter().chain(&runs(true, true)).all(|run| !run.as_root));
        assert_eq!(runs(true, true)[0].packages, ["--workspace", "--exclude", SYSTEM_TESTS]);
    }

    #[test]
    fn tests_are_told_only_what_was_asked() {
        let paths = Paths::find();
        let names = |no_skip, oracle| {
            let variables = variables(&paths, Profile::Dev, no_skip, oracle);
            variables
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| {
                    !matches!(
                        name.as_str(),
                        "TEITEN_PROMETHEUS" | "TEITEN_PROMTOOL" | "TEITEN_PYTHON" | "TEITEN_CHROMIUM"
                    )
                })
                .collect::<Vec<_>>()
        };
        let least = ["TEITEN_BIN", "TEITEN_BENCH_OBJECT", "TEITEN_DATA"];
        assert_eq!(names(false, None)[..3], least);
        assert_eq!(names(true, None), [&least[..], &["TEITEN_NO_SKIP"]].concat());
        assert_eq!(names(true, Some(7))[3..], ["TEITEN_NO_SKIP", "TEITEN_ORACLE_FRAMES"]);
    }

    #[test]
    fn one_failure_fails_the_whole_and_is_named() {
        let mut checks = Checks::default();
        checks.add(Ok::<_, Error>(()));
        checks.add(Err(Error::msg("linting failed")));
        let text = checks.end().unwrap_err().to_string();
        assert_eq!(text, "1 of 2 checks failed:\nlinting failed");
        assert!(Checks::default().end().is_ok());
    }
}
