//! The report of a quarter: the command, from its start to the written page.

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};
use teiten::export::rows::grouped;
use teiten_tests::{
    report::{document, plain, run as finish},
    scratch::Scratch,
};

use crate::{
    Options, made,
    report::{Section, median},
    store::{bytes, count, directory, forget, seconds},
};

const PERIOD: &str = "2019-Q4";
const SCENARIO: &str = "docs/scenarios/golden-2019.toml";

/// How long a report took: by the clock, and of CPU time.
struct Took {
    seconds: f64,
    cpu: f64,
}

pub fn run(options: &Options) -> Result<Section> {
    let (rows, rounds) = if options.quick { (500_000, 3) } else { (10_000_000, 9) };
    let scratch = Scratch::within(&directory()?);
    let golden = scratch.path("golden.db");
    let start = Instant::now();
    synth(&golden)?;
    eprintln!("  {SCENARIO} in {:.0} s", start.elapsed().as_secs_f64());
    let many = scratch.path("many.db");
    let made = made::make(&many, rows)?;
    made::close(&many)?;
    eprintln!("  {} hour rows", grouped(made.rows));

    let mut section = Section {
        title: "The report of a quarter",
        about: format!(
            "`teiten report {PERIOD} --lang ja`, from its start to its end, of two stores: `golden` is made by `teiten \
             synth {SCENARIO}`, with 4 sensors in the quarter; the other is that of \"Questions to a store\". `html`, \
             `json`: medians of {rounds} rounds; `CPU`: of all threads, for the page; `first`: the page when the file is \
             not in the kernel's cache, once.",
        ),
        head: vec![
            "store",
            "MB",
            "hour rows",
            "day rows",
            "ports",
            "regions",
            "findings",
            "html",
            "CPU",
            "json",
            "first",
        ],
        ..Section::default()
    };
    for (name, store) in [("golden", &golden), ("many hours", &many)] {
        forget(store)?;
        let first = page(store, "html", &scratch)?;
        let median_of = |format| -> Result<Took> {
            let rounds = (0..rounds).map(|_| page(store, format, &scratch)).collect::<Result<Vec<_>>>()?;
            Ok(Took {
                seconds: median(rounds.iter().map(|took| took.seconds)),
                cpu: median(rounds.iter().map(|took| took.cpu)),
            })
        };
        let (html, json) = (median_of("html")?, median_of("json")?);
        let report = document(store, &[PERIOD]);
        let ranked = |ranking: &str| grouped(report[ranking]["ranked"].as_u64().unwrap_or_default());
        let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        section.rows.push(vec![
            name.to_owned(),
            grouped(bytes(store)? >> 20),
            grouped(count(&connection, 0)?),
            grouped(count(&connection, 1)?),
            ranked("ports"),
            ranked("regions"),
            report["findings"].as_array().map_or(0, Vec::len).to_string(),
            seconds(html.seconds),
            seconds(html.cpu),
            seconds(json.seconds),
            seconds(first.seconds),
        ]);
    }
    Ok(section)
}

/// Makes the store of the scenario, through the loaded program.
fn synth(store: &Path) -> Result<()> {
    let data = PathBuf::from(env::var_os("TEITEN_DATA").context("TEITEN_DATA is not set")?);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SCENARIO);
    let mut command = plain();
    command.arg("synth").arg(scenario).arg("--store").arg(store);
    command.arg("--country").arg(data.join("country.mmdb"));
    let made = finish(command);
    ensure!(made.status.success(), "{SCENARIO}: {}", made.stderr);
    Ok(())
}

/// Makes a report as a file.
fn page(store: &Path, format: &str, scratch: &Scratch) -> Result<Took> {
    let mut command = plain();
    command.args(["report", PERIOD, "--lang", "ja", "--format", format, "--store"]).arg(store);
    command.arg("-o").arg(scratch.path("report"));
    let (start, cpu) = (Instant::now(), children()?);
    let made = finish(command);
    let took = Took { seconds: start.elapsed().as_secs_f64(), cpu: children()? - cpu };
    ensure!(made.status.success(), "{}: {}", store.display(), made.stderr);
    Ok(took)
}

/// CPU time of all processes that this one has waited for, in seconds.
fn children() -> Result<f64> {
    // SAFETY: numbers only, for which all zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for the call, which keeps nothing of it.
    let result = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    ensure!(result == 0, "getrusage failed: {}", std::io::Error::last_os_error());
    let of = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(of(usage.ru_utime) + of(usage.ru_stime))
}
