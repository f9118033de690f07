//! `teiten detach`: stop counting, and keep what was counted.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::{Result, bail};
use log::{info, warn};

use crate::{
    agent::{Retired, adopt, fold, lock, retire},
    export::rows::grouped,
    kernel::pins::Pins,
    store::{Place, Store},
};

use super::{
    options::{DEFAULT_STORE, GeoArgs, PinArgs},
    watch::start_log,
};

/// Options of `detach`.
///
/// Takes the program off its interfaces, and what it counted into the store; then removes it from the
/// kernel. Refused, with nothing changed, if an agent runs or the store does not go together with it.
#[derive(Debug, clap::Args)]
pub struct DetachArgs {
    /// The store that the counts belong to
    #[arg(long, env = "TEITEN_STORE", value_name = "FILE", default_value = DEFAULT_STORE)]
    store: PathBuf,
    /// Secret key of the store's sketches [default: the store's name and .key]
    #[arg(long, env = "TEITEN_SKETCH_KEY", value_name = "FILE")]
    sketch_key: Option<PathBuf>,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    geo: GeoArgs,
    /// The store is an older copy, restored: keep what the kernel still holds, though epochs between are gone
    #[arg(long, conflicts_with = "discard")]
    restored: bool,
    /// Forget what was counted and is not in the store yet
    #[arg(long)]
    discard: bool,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Detaches, keeps and removes every pinned program.
///
/// # Errors
///
/// What is in the way; then nothing was changed, or what was changed is taken up by the next attempt.
pub async fn run(args: DetachArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || detach(&args)).await?
}

fn detach(args: &DetachArgs) -> Result<ExitCode> {
    let pins = Pins::lock(&args.pins.pin_path)?;
    if args.discard {
        let removed = pins.discard()?.len();
        info!("{}, with all that the store does not have yet", programs(removed));
        return Ok(ExitCode::SUCCESS);
    }
    if pins.generations()?.is_empty() {
        info!("nothing is pinned at {}", pins.path().display());
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place { path: args.store.clone(), key: args.sketch_key.clone() };
    let mut store = Store::open_existing(&place)?;
    store.probe()?;
    let store = Arc::new(Mutex::new(store));
    let mut found = adopt(&pins, &store, args.restored)?;
    // All of them first: a link may run the program of another generation, which took it over.
    for generation in &mut found {
        generation.detach_but(|_| false)?;
    }
    let (count, mut frames) = (found.len(), 0);
    for generation in found {
        match retire(&pins, generation)? {
            Retired::Done(drains) => frames += drains.iter().map(|drain| drain.outcomes.runs).sum::<u64>(),
            Retired::Waits(_) => bail!(
                "the program is off its interfaces, but its last counts are still in the kernel: when the \
                 store can take them, repeat `teiten detach`"
            ),
        }
    }
    info!("{}; {} frames were kept last", programs(count), grouped(frames));
    if args.geo.country.is_none() && lock(&store).knows_countries()? {
        warn!(
            "without --country, the frames that were kept last are not folded into hours before the next \
             `teiten run`: queries leave them out, and say so"
        );
    } else {
        fold(&store, &args.geo.open()?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of so many programs.
fn programs(count: usize) -> String {
    match count {
        1 => "1 program is gone from the kernel".to_owned(),
        count => format!("{count} programs are gone from the kernel"),
    }
}
