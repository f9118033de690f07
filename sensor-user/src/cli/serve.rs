//! `teiten serve`: the dashboard of a store, without an agent.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use log::info;

use super::{
    listen::ListenArgs,
    options::GeoArgs,
    query::StoreArgs,
    watch::{signalled, start_log},
};

/// Options of `serve`.
///
/// Reads only: it needs no privileges, and an agent may write the store meanwhile.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    listen: ListenArgs,
    /// AS database in MaxMind's format, or AS table as CSV (start, end, asn, organisation): names of systems
    #[arg(long, env = "TEITEN_ASN", value_name = "DB", value_delimiter = ',')]
    asn: Vec<PathBuf>,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves until a signal asks for the end.
///
/// # Errors
///
/// If a file that is named cannot be used, or the address cannot be had.
pub async fn run(args: ServeArgs) -> Result<ExitCode> {
    start_log(None);
    let geo = GeoArgs { country: None, asn: args.asn }.open()?;
    let Some(listening) = args.listen.listen(Some(args.store.path()))? else {
        bail!("nothing is served: name an address with --listen");
    };
    let signalled = signalled()?;
    info!("dashboard: http://{}/", listening.address);
    listening.serve(Arc::new(geo), None)?;
    signalled.await;
    Ok(ExitCode::SUCCESS)
}
