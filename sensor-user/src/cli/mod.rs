//! The command line: one file per subcommand, which wires rooms together and knows no rule of its
//! own.

pub mod advisories;
mod config;
mod counting;
pub mod demo;
pub mod detach;
pub mod doctor;
pub mod export;
mod listen;
pub mod options;
pub mod query;
pub mod replay;
pub mod report;
pub mod run;
pub mod serve;
pub mod status;
pub mod synth;
pub mod top;
mod watch;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Sensor for Internet background traffic: counts packets by destination port and source prefix
/// inside the kernel (eBPF/XDP), and says where they come from.
#[derive(Debug, Parser)]
#[command(name = "teiten", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count what arrives on interfaces, and show it
    Run(run::RunArgs),
    /// Count what is in capture files
    Replay(replay::ReplayArgs),
    /// Make traffic from a scenario, as a capture or into a store
    Synth(synth::SynthArgs),
    /// Ask a store: packets, sources, shares and rates by dimensions
    Query(query::QueryArgs),
    /// Make the report of a period from a store: rankings, trends, phenomena, told in a language
    Report(Box<report::ReportArgs>),
    /// Write the rows of a store to files
    Export(export::ExportArgs),
    /// Serve the dashboard of a store, without an agent
    Serve(serve::ServeArgs),
    /// Check files of advisories that reports are to name
    Advisories(advisories::AdvisoriesArgs),
    /// Show live ports and regions of a running agent in the terminal
    Top(top::TopArgs),
    /// Show a living sensor: a network namespace and a veth pair, with traffic made for it
    Demo(demo::DemoArgs),
    /// Say what counts in the kernel, and how far the store is
    Status(status::StatusArgs),
    /// Stop counting, and keep what was counted
    Detach(detach::DetachArgs),
    /// Say what on this machine helps or hinders counting, and what to do about it
    Doctor(doctor::DoctorArgs),
}

/// Reads the command line and the configuration file it names, and runs the subcommand.
///
/// # Errors
///
/// What the subcommand could not do, with what to do about it. A command line that cannot be read
/// ends the process with clap's message and exit code 2.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let words: Vec<OsString> = words.into_iter().collect();
    let matches = Cli::command().try_get_matches_from(&words).unwrap_or_else(|error| error.exit());
    let matches = match matches.subcommand() {
        Some((name, given)) => match config::arguments(name, given)? {
            Some(from_file) => {
                let words = config::insert(words, name, from_file);
                Cli::command().try_get_matches_from(words).unwrap_or_else(|error| error.exit())
            }
            None => matches,
        },
        None => matches,
    };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Report(args) => report::run(*args).await,
            Command::Synth(args) => synth::run(args).await,
            Command::Query(args) => query::run(args).await,
            Command::Export(args) => export::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Advisories(args) => advisories::run(args).await,
            Command::Top(args) => top::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Detach(args) => detach::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
        }
    })
}
