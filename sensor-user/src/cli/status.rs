//! `teiten status`: what counts in the kernel, and how far the store is.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    export::rows::grouped,
    kernel::{
        pins::{self, Seen},
        resume::{Diverged, resume},
    },
    model::hex,
    store::{GenerationProgress, Progress, Reader, Trouble},
};

use super::options::{DEFAULT_STORE, PinArgs};

/// What the exit codes mean.
const CODES: &str = "\
Exit codes:
  0  an agent runs, all its interfaces are there, and its store takes what is counted
  1  something is pinned, but one of these is not so, or the store does not belong to it
  2  the command line cannot be read
  3  nothing is pinned: nothing counts";

/// Options of `status`.
///
/// Looks without disturbing anything.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub struct StatusArgs {
    /// The store that the counts belong to
    #[arg(long, env = "TEITEN_STORE", value_name = "FILE", default_value = DEFAULT_STORE)]
    store: PathBuf,
    #[command(flatten)]
    pins: PinArgs,
    /// Text, or one JSON document
    #[arg(long, value_enum, default_value_t = StatusFormat::Text)]
    format: StatusFormat,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StatusFormat {
    Text,
    Json,
}

/// Says what counts.
///
/// # Errors
///
/// If the kernel cannot be asked. A store that cannot be read is part of the answer.
pub async fn run(args: StatusArgs) -> Result<ExitCode> {
    tokio::task::spawn_blocking(move || status(&args)).await?
}

fn status(args: &StatusArgs) -> Result<ExitCode> {
    let look = pins::look(&args.pins.pin_path)?;
    let store = Reader::open(&args.store).and_then(|reader| {
        let kept = reader.progress()?;
        Ok((reader, kept))
    });
    let mut generations = Vec::new();
    let mut until_ns = None;
    for seen in &look.generations {
        generations.push(match seen {
            Ok(seen) => {
                let row = match &store {
                    Ok((reader, _)) => reader.generation(seen.header.generation)?,
                    Err(_) => None,
                };
                until_ns = until_ns.max(row.and_then(|row| row.until_ns));
                let store = store.as_ref().ok().map(|(reader, _)| reader.meta().store);
                let problems = problems(seen, store, row, look.holder.is_some());
                generation(seen, row, &problems)
            }
            Err(error) => json!({ "error": chain(error) }),
        });
    }
    let well = |generation: &Value| generation["problems"].as_array().is_some_and(Vec::is_empty);
    let code = match (&generations[..], &store) {
        ([], _) => ExitCode::from(3),
        (all, Ok(_)) if look.holder.is_some() && all.iter().all(well) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    };
    let now = Timestamp::now();
    let document = json!({
        "time": now.to_string(),
        "pins": args.pins.pin_path.display().to_string(),
        "agent": look.holder.map(|pid| json!({ "pid": pid })),
        "generations": generations,
        "store": match &store {
            Ok((reader, kept)) => describe(reader, kept, until_ns, now),
            Err(error) => json!({ "path": args.store.display().to_string(), "error": chain(error) }),
        },
    });
    let mut out = io::stdout().lock();
    match args.format {
        StatusFormat::Json => writeln!(out, "{document}"),
        StatusFormat::Text => write!(out, "{}", text(&document)),
    }
    .context("cannot write to standard output")?;
    Ok(code)
}

/// What is wrong with counters, beside the store of this id. `row`: what it has of them; `alive`: whether
/// an agent runs, which alone knows what it is just doing.
fn problems(
    seen: &Seen,
    store: Option<[u8; 16]>,
    row: Option<GenerationProgress>,
    alive: bool,
) -> Vec<String> {
    let header = &seen.header;
    let mut problems = Vec::new();
    if let Some(trouble) = Trouble::of_number(seen.agent.state) {
        let since = nanosecond(seen.agent.since_ns).unwrap_or_default();
        problems.push(format!("the store takes nothing since {since}: {}", trouble.name()));
    } else if seen.agent.state != 0 {
        problems
            .push(format!("the agent is in a state that this version does not know: {}", seen.agent.state));
    }
    match store {
        Some(ours) if ours != header.store => problems
            .push(format!("it belongs to another store (id {}): name that with --store", hex(&header.store))),
        Some(_) if !alive => {
            let resumed = match row {
                Some(row) => resume(header.epoch, header.released, row.last_epoch).map(drop),
                None => Err(Diverged { kernel: header.epoch, store: None }),
            };
            problems.extend(resumed.err().map(|diverged| diverged.to_string()));
        }
        _ => {}
    }
    if seen.links.is_empty() {
        problems.push("it is on no interface: nothing is counted, what was counted waits".to_owned());
    } else if seen.links.iter().any(|seen| !seen.link.alive) {
        problems.push("an interface is gone: nothing is counted there before the next start".to_owned());
    }
    problems
}

/// What there is to say of counters, and of the store's side of them.
fn generation(seen: &Seen, kept: Option<GenerationProgress>, problems: &[String]) -> Value {
    let header = &seen.header;
    let started = header.starts[(header.epoch & 1) as usize].real_ns;
    let links: Vec<Value> = seen
        .links
        .iter()
        .map(|seen| {
            json!({
                // Elsewhere, the same index may be another interface's.
                "interface": seen.mode.and(seen.link.interface.as_ref()),
                "ifindex": seen.link.ifindex,
                "mode": seen.mode.map(|mode| mode.as_str()),
                "present": seen.link.alive,
            })
        })
        .collect();
    let trouble = Trouble::of_number(seen.agent.state);
    json!({
        "generation": hex(&header.generation),
        "store": hex(&header.store),
        "loaded": kept.as_ref().map(|kept| second(kept.created)),
        "interfaces": links,
        "epoch": header.epoch,
        "epoch_started": nanosecond(started),
        "spill_used": seen.spill_used,
        "uncounted": header.uncounted,
        "last_epoch_kept": kept.as_ref().and_then(|kept| kept.last_epoch),
        "frames_kept": kept.as_ref().map(|kept| kept.frames),
        "kept_until": kept.as_ref().and_then(|kept| kept.until_ns).map(nanosecond),
        "problems": problems,
        "trouble": trouble.map(Trouble::name),
        "trouble_since": trouble.map(|_| nanosecond(seen.agent.since_ns)),
    })
}

/// What there is to say of the store. `until_ns`: end of the last epoch of what is pinned.
fn describe(reader: &Reader, kept: &Progress, until_ns: Option<u64>, now: Timestamp) -> Value {
    let until = until_ns.map(nanosecond);
    let lag = until_ns.map(|ns| (now.as_nanosecond() - i128::from(ns)) as f64 / 1e9);
    json!({
        "path": reader.path().display().to_string(),
        "id": hex(&reader.meta().store),
        "made": second(reader.meta().created),
        "time_zone": reader.meta().time_zone,
        "frames": kept.frames,
        "kept_until": until,
        "lag_seconds": lag,
        "epochs_to_fold": kept.to_fold,
        "bytes": kept.bytes,
    })
}

/// The same for people.
fn text(document: &Value) -> String {
    let said = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let number = |value: &Value| value.as_u64().map_or_else(|| "?".to_owned(), grouped);
    let mut lines = Vec::new();
    let generations = document["generations"].as_array().map_or(&[][..], Vec::as_slice);
    if generations.is_empty() {
        lines.push(("program", format!("nothing is pinned at {}", said(&document["pins"]))));
    }
    for generation in generations {
        if let Some(error) = generation["error"].as_str() {
            lines.push(("program", format!("CANNOT BE READ: {error}")));
            continue;
        }
        let loaded = generation["loaded"].as_str().map(|loaded| format!(", loaded {loaded}"));
        lines.push((
            "program",
            format!("generation {}{}", said(&generation["generation"]), loaded.unwrap_or_default()),
        ));
        let links = generation["interfaces"].as_array().map_or(&[][..], Vec::as_slice);
        for link in links {
            let name = link["interface"].as_str().map_or_else(
                || format!("interface {} of another network namespace", number(&link["ifindex"])),
                str::to_owned,
            );
            let name = if link["present"] == true { name } else { "an interface that is GONE".to_owned() };
            let mode = link["mode"].as_str().map(|mode| format!(" ({mode})")).unwrap_or_default();
            lines.push(("  on", format!("{name}{mode}")));
        }
        lines.push((
            "  epoch",
            format!(
                "{} since {}, spill log {:.1} % full",
                number(&generation["epoch"]),
                said(&generation["epoch_started"]),
                generation["spill_used"].as_f64().unwrap_or(0.0) * 100.0
            ),
        ));
        let kept = match generation["last_epoch_kept"].as_u64() {
            Some(last) => {
                format!("up to epoch {} ({} frames)", grouped(last), number(&generation["frames_kept"]))
            }
            None => "nothing yet".to_owned(),
        };
        lines.push(("  kept", kept));
        for problem in generation["problems"].as_array().into_iter().flatten() {
            lines.push(("  TROUBLE", said(problem)));
        }
    }
    lines.push((
        "agent",
        match document["agent"]["pid"].as_u64() {
            Some(pid) => format!("runs, pid {pid}"),
            None if generations.is_empty() => "none runs".to_owned(),
            None => "none runs; the kernel counts on its own".to_owned(),
        },
    ));
    let store = &document["store"];
    match store["error"].as_str() {
        Some(error) => lines.push(("store", error.to_owned())),
        None => {
            lines.push((
                "store",
                format!(
                    "{} (id {}), {:.1} MiB, made {}, days in {}",
                    said(&store["path"]),
                    said(&store["id"]),
                    store["bytes"].as_f64().unwrap_or(0.0) / f64::from(1 << 20),
                    said(&store["made"]),
                    said(&store["time_zone"])
                ),
            ));
            let until = match (store["kept_until"].as_str(), store["lag_seconds"].as_f64()) {
                (Some(until), Some(lag)) => format!(" up to {until}, {lag:.1} s ago"),
                _ => String::new(),
            };
            lines.push(("  kept", format!("{} frames{until}", number(&store["frames"]))));
            lines.push(("  to fold", format!("{} epochs", number(&store["epochs_to_fold"]))));
        }
    }
    lines.into_iter().map(|(name, text)| format!("{name:<10} {text}\n")).collect()
}

fn second(second: i64) -> Option<String> {
    Timestamp::from_second(second).ok().map(|time| time.to_string())
}

fn nanosecond(ns: u64) -> Option<String> {
    Timestamp::from_nanosecond(ns.into()).ok().map(|time| format!("{time:.3}"))
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
