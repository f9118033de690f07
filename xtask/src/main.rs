//! `cargo xtask`: one file per task; `cargo xtask` alone lists them.
//!
//! Commands are printed before they run. A task that fails says what failed, the command and what to do, and
//! exits with 1; `run`, `demo` and `bench` end with the exit code of what they start.

mod apt;
mod bench;
mod bpf;
mod build;
mod cmd;
mod demo;
mod elf;
mod environment;
mod map;
mod names;
mod paths;
mod pictures;
mod pins;
mod root;
mod run;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::paths::Paths;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Tasks of this project")]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Find or install what a build and its tests need; a second time changes nothing
    Setup(setup::Args),
    /// Build the BPF objects, then the agent
    Build(build::Args),
    /// Build, then `teiten run ARGS` as root, with the databases of `data/`
    Run(run::Args),
    /// Build, then `teiten demo ARGS` as root: a network namespace with traffic made for it
    Demo(run::Args),
    /// Formatting, lints and tests of everything; whole-system tests run as root
    Test(test::Args),
    /// Build, then measure as root: `bench ARGS`
    Bench(bench::Args),
    /// Take the pictures of the documentation anew, of a demo; maintainers only
    Pictures,
    /// Make the reports' tables of names anew, of regions (CLDR) and ports (IANA); maintainers only
    Names,
    /// Make the pages' map of the world anew (Natural Earth); maintainers only
    Map,
}

fn main() -> ExitCode {
    let Some(task) = Cli::parse().task else {
        print!("{}", Cli::command().render_long_help());
        return ExitCode::SUCCESS;
    };
    let paths = Paths::find();
    let result = match task {
        Task::Setup(args) => setup::task(&paths, &args),
        Task::Build(args) => build::task(&paths, &args),
        Task::Run(args) => run::task(&paths, &args),
        Task::Demo(args) => demo::task(&paths, &args),
        Task::Test(args) => test::task(&paths, &args),
        Task::Bench(args) => bench::task(&paths, &args),
        Task::Pictures => pictures::task(&paths),
        Task::Names => names::task(&paths),
        Task::Map => map::task(&paths),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
