//! `teiten top`: live ports and regions in the terminal.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Result, bail};

use crate::{
    report::names::Names,
    top::{
        self,
        client::{Address, Client},
    },
};

use super::watch::{is_terminal, signalled};

/// The keys, and where more about them stands.
const KEYS: &str = "\
Keys:
  q  quit                    Tab, arrows, 1-6  another view
  s  sort by another column  <, >              by the one before, by the next
  r  reverse the order       /                 filter; Esc clears it
  p  pause                   j, k, PgDn, PgUp  scroll
  ?  help";

/// Options of `top`.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYS)]
pub struct TopArgs {
    /// Where the agent listens: the address of its --listen, or of what stands before it
    #[arg(long, env = "TEITEN_CONNECT", value_name = "URL", default_value = "http://127.0.0.1:8642")]
    connect: Address,
    /// File with the token that the agent wants
    #[arg(long, env = "TEITEN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates of authorities to know an https server by, in place of the system's, as PEM
    #[arg(long, env = "TEITEN_CA_FILE", value_name = "PEM")]
    ca_file: Option<PathBuf>,
}

/// Shows what an agent counts, until it is told to end.
///
/// # Errors
///
/// If standard output is no terminal, or no agent answers.
pub async fn run(args: TopArgs) -> Result<ExitCode> {
    if !is_terminal() || !io::stdin().is_terminal() {
        bail!("top wants a terminal; for a pipe there is `teiten run --format jsonl`");
    }
    let end = signalled()?;
    let client = Client::new(args.connect, args.token_file.as_deref(), args.ca_file.as_deref())?;
    top::run(client, Names::new(None)?, end).await?;
    Ok(ExitCode::SUCCESS)
}
