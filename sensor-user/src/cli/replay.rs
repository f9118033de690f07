//! `teiten replay`: count what is in capture files, through the same loaded program.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use sensor_common::layout::CHUNK_RECORDS;

use crate::{
    capture::Capture,
    cube::Cube,
    export::rows::{Format, Rows, Summary},
    geo::Tables,
    kernel::{
        Mismatch,
        banks::Banks,
        program::{self, Loaded, Settings, Sizes},
        testrun::{Batch, Workers},
    },
    model::{Dimension, Sensors},
};

use super::{
    options::{GeoArgs, MemoryArgs, SensorArgs, interval},
    watch::start_log,
};

/// Threads that run frames through the program; more would wait for the reader.
const MOST_WORKERS: usize = 8;
/// Chunks of the spill log, beside those of the CPUs: half of them have room for all batches that may
/// be under way when it is found to be half full, so that nothing is lost.
const LEAST_CHUNKS: u32 = 32;
const _: () = assert!(LEAST_CHUNKS as usize / 2 * CHUNK_RECORDS >= 3 * MOST_WORKERS * Batch::MOST);

/// Options of `replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// Captures: pcap or pcapng, of Ethernet, gzipped or not; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Dimensions of the rows, separated by commas, in the order of the columns
    ///
    /// time, sensor, class, kind, family, protocol, dst_port, victim_port, icmp_type, icmp_code,
    /// source, prefix, region, asn, tool
    #[arg(
        long,
        env = "TEITEN_BY",
        value_name = "DIM",
        value_delimiter = ',',
        default_value = "class,kind,protocol,dst_port,victim_port,icmp_type,region"
    )]
    by: Vec<Dimension>,
    #[command(flatten)]
    sensors: SensorArgs,
    #[command(flatten)]
    geo: GeoArgs,
    /// Length of the intervals of dimension `time`, by the captures' own clock
    #[arg(long, env = "TEITEN_INTERVAL", value_name = "DURATION", default_value = "1h", value_parser = interval)]
    interval: Duration,
    /// How rows are written
    #[arg(long, env = "TEITEN_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The rows with the most packets only (with `time`: the first ones) [default: 20 in a table, else all]
    #[arg(long, env = "TEITEN_TOP", value_name = "N")]
    top: Option<usize>,
    #[command(flatten)]
    memory: MemoryArgs,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Counts all frames of all files and writes the rows.
///
/// # Errors
///
/// A capture that cannot be read at all, or what keeps the program from being loaded.
pub async fn run(args: ReplayArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || replay(&args)).await?
}

fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    // All files first: a mistake in the last one should not cost the time of the others.
    let captures = args.files.iter().map(|path| Capture::open(path)).collect::<Result<Vec<_>, _>>()?;
    let sensors = args.sensors.sensors()?;
    let geo = args.geo.open()?;
    let sizes = args.memory.sizes()?;
    let settings = Settings {
        watched: sensors.watched(),
        v4_prefix: args.sensors.v4_prefix,
        v6_prefix: args.sensors.v6_prefix,
        // A CPU takes a whole chunk for its first record.
        ..Settings::everything(Sizes { chunks: sizes.chunks.max(LEAST_CHUNKS + 2 * sizes.slices), ..sizes })
    };
    let Loaded { program, banks, .. } = program::load(&settings)?;
    let by_time = args.by.contains(&Dimension::Time);
    let mut counting = Counting {
        banks,
        cube: Cube::new(&args.by, args.sensors.lengths()),
        summary: Summary::default(),
        mismatches: Vec::new(),
        sensors: &sensors,
        geo: &geo.tables(),
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let damaged = thread::scope(|scope| {
        let mut workers = Workers::start(scope, &program, workers);
        let mut damaged = false;
        for mut capture in captures {
            damaged |= counting.capture(&mut capture, &mut workers, by_time.then_some(args.interval))?;
        }
        anyhow::Ok(damaged)
    })?;
    let rows = counting.cube.sorted();
    let shown =
        args.top.or((args.format == Format::Table).then_some(20)).unwrap_or(rows.len()).min(rows.len());
    let written = Rows { dimensions: &args.by, sensors: &sensors, rows: &rows[..shown] };
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out, args.format, written, rows.len(), &counting.summary)
        .context("cannot write to standard output")?;
    for mismatch in &counting.mismatches {
        log::error!("accounting identity broken, please report this: {mismatch}");
    }
    if damaged {
        log::warn!("the counts are of what could be read");
    }
    Ok(if counting.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(
    out: &mut impl Write,
    format: Format,
    rows: Rows<'_>,
    all: usize,
    summary: &Summary,
) -> io::Result<()> {
    let totals = || summary.fields().map(|(name, count)| format!("{name} {count}")).join(", ");
    match format {
        Format::Table => {
            rows.write_table(out, summary.packets)?;
            if rows.rows.len() < all {
                writeln!(out, "… and {} more rows (--top)", all - rows.rows.len())?;
            }
            writeln!(out, "\n{}", totals())?;
        }
        Format::Jsonl => rows.write_jsonl(out)?,
        Format::Csv => rows.write_csv(out)?,
        Format::Json => rows.write_json(out, summary)?,
    }
    out.flush()?;
    if matches!(format, Format::Jsonl | Format::Csv) {
        log::info!("{}", totals());
    }
    Ok(())
}

/// What was counted so far, and where it goes.
struct Counting<'a> {
    banks: Banks,
    cube: Cube,
    summary: Summary,
    mismatches: Vec<Mismatch>,
    sensors: &'a Sensors,
    geo: &'a Tables,
}

impl Counting<'_> {
    /// Counts a capture. With an interval, counts go to the interval of their frame. Returns
    /// whether the capture is damaged.
    fn capture(
        &mut self,
        capture: &mut Capture,
        workers: &mut Workers,
        every: Option<Duration>,
    ) -> Result<bool> {
        let bar = progress(capture);
        let every = every.map(|every| i64::try_from(every.as_nanos()).unwrap_or(i64::MAX));
        let mut time = 0;
        let mut batch = Batch::default();
        while let Some(frame) = capture.next_frame()? {
            if let Some(every) = every {
                let start = frame.time_ns.div_euclid(every).saturating_mul(every);
                if start != time {
                    batch = workers.run(batch)?;
                    self.drain(workers, time)?;
                    time = start;
                }
            }
            self.summary.frames += 1;
            batch.push(frame.bytes);
            if batch.is_full() {
                batch = workers.run(batch)?;
                if self.banks.is_half_full() {
                    self.drain(workers, time)?;
                }
                bar.set_position(capture.bytes_read());
            }
        }
        workers.run(batch)?;
        self.drain(workers, time)?;
        bar.finish_and_clear();
        if let Some(damage) = capture.damage() {
            log::warn!("{damage}");
        }
        Ok(capture.damage().is_some())
    }

    /// Takes out what was counted, for the interval that starts at `time`.
    fn drain(&mut self, workers: &mut Workers, time: i64) -> Result<()> {
        let too_short = workers.finish()?;
        let drain = self.banks.drain_at_rest();
        let summary = &mut self.summary;
        summary.malformed += too_short;
        summary.packets += drain.outcomes.packets;
        summary.non_ip += drain.outcomes.non_ip;
        summary.malformed += drain.outcomes.malformed;
        summary.unwatched += drain.outcomes.unwatched;
        summary.local += drain.outcomes.local;
        summary.lost += drain.lost;
        summary.uncounted += drain.uncounted;
        self.cube.add(&drain, time, self.sensors, self.geo);
        self.mismatches.extend(drain.mismatches);
        Ok(())
    }
}

/// A progress bar on a terminal, by bytes of the file.
fn progress(capture: &Capture) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = match capture.file_len() {
        Some(length) => ProgressBar::new(length),
        None => ProgressBar::new_spinner(),
    };
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let (true, Ok(style)) = (capture.file_len().is_some(), ProgressStyle::with_template(template)) {
        bar.set_style(style);
    }
    bar.set_prefix(capture.path().display().to_string());
    bar
}
