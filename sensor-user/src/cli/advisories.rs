//! `teiten advisories`: files of what is known of services.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use jiff::Zoned;

use crate::report::advisories::{check, read};

/// Options of `advisories`.
#[derive(Debug, clap::Args)]
pub struct AdvisoriesArgs {
    #[command(subcommand)]
    command: AdvisoriesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AdvisoriesCommand {
    /// Say what is wrong with files of advisories, and where; exits with 1 if a report would not take one of them
    Check {
        /// TOML files of [[advisory]] tables
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs `teiten advisories`.
///
/// # Errors
///
/// If a file cannot be read, or nothing can be written.
pub async fn run(args: AdvisoriesArgs) -> Result<ExitCode> {
    let AdvisoriesCommand::Check { files } = args.command;
    let today = Zoned::now().date();
    let mut out = io::stdout().lock();
    let mut is_fine = true;
    for file in &files {
        let checked = check(&read(file)?, today);
        let name = file.display();
        for problem in &checked.errors {
            writeln!(out, "{name}:{problem}")?;
        }
        for problem in &checked.warnings {
            writeln!(out, "{name}:{}:{}: warning: {}", problem.line, problem.column, problem.what)?;
        }
        if checked.errors.is_empty() {
            let list = &checked.advisories.list;
            let mut services: Vec<_> = list.iter().flat_map(|advisory| &advisory.ports).collect();
            services.sort_unstable();
            services.dedup();
            let count =
                |number, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
            let advisories = count(list.len(), "advisory", "advisories");
            let services = count(services.len(), "service", "services");
            writeln!(out, "{name}: {advisories} on {services}, fine")?;
        }
        is_fine &= checked.errors.is_empty();
    }
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
