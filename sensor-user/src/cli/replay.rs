//! `teiten replay`: count what is in capture files, through the same loaded program.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use sensor_common::layout::CHUNK_RECORDS;

use crate::{
    agent::{self, Coverage, Playback, Recorded, SharedStore, record::MINUTE_NS},
    capture::Capture,
    cube::{Cube, SourceLengths},
    export::rows::{Format, Rows, Summary},
    geo::{self, Tables},
    kernel::{
        Mismatch,
        program::{self, Loaded, Settings, Sizes},
        testrun::{Batch, Workers},
    },
    model::{Dimension, Sensors, Zone},
    store::{GRACE, Limits, Place, Store},
};

use super::{
    options::{GeoArgs, MemoryArgs, SensorArgs, host_name, interval},
    watch::start_log,
};

/// Threads that run frames through the program; more would wait for the reader.
pub const MOST_WORKERS: usize = 8;
/// Chunks of the spill log, beside those of the CPUs: half of them have room for all batches that may
/// be under way when it is found to be half full, so that nothing is lost.
pub const LEAST_CHUNKS: u32 = 32;
/// Frames from one look at the progress to the next.
const PROGRESS: u64 = 1024;
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
    /// Keep what is counted in this store, too, in the captures' own time; it is made if it is not there
    ///
    /// The same frames twice, whatever file they are in, are kept once. A file that is cut off by a
    /// kill is not kept at all.
    #[arg(long, env = "TEITEN_STORE", value_name = "FILE")]
    store: Option<PathBuf>,
    /// Secret key of the store's sketches of sources [default: the store's name and .key]
    #[arg(long, env = "TEITEN_SKETCH_KEY", value_name = "FILE")]
    sketch_key: Option<PathBuf>,
    /// Time zone in which a new store cuts days, such as Asia/Tokyo [default: the system's]
    #[arg(long, env = "TEITEN_TIME_ZONE", value_name = "ZONE")]
    time_zone: Option<String>,
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
    let store = args.open_store()?;
    if let Some(store) = &store
        && !geo.tables().databases().iter().any(|database| database.role == geo::Role::Country)
        && agent::lock(store).knows_countries()?
    {
        log::warn!(
            "no --country database, but the store's other counts have one: the captures' regions will be \
             `unknown` in it for good"
        );
    }
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
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let tables = geo.tables();
    let counted = thread::scope(|scope| {
        let mut counting = Counting {
            playback: Playback::new(banks, Workers::start(scope, &program, workers)),
            cube: Cube::new(&args.by, args.sensors.lengths()),
            summary: Summary::default(),
            mismatches: Vec::new(),
            sensors: &sensors,
            geo: &tables,
            store: store.as_ref().map(|store| (store, agent::lock(store).zone().clone())),
            lengths: args.sensors.lengths(),
            recorded: Vec::new(),
            coverage: Coverage::default(),
        };
        let mut damaged = false;
        for mut capture in captures {
            damaged |= counting.capture(&mut capture, by_time.then_some(args.interval))?;
        }
        // Without the workers, for whose end the scope waits.
        let Counting { cube, summary, mismatches, recorded, .. } = counting;
        anyhow::Ok(Counted { cube, summary, mismatches, recorded, damaged })
    })?;
    if let Some(store) = &store {
        // What else waits there is folded by whoever kept it, with the databases of that.
        for recorded in &counted.recorded {
            agent::fold_only(store, &geo, recorded.generation)?;
        }
        let now = Timestamp::now().as_second();
        agent::lock(store).close_days(now - GRACE, &Limits::default(), &geo.tables())?;
    }
    let rows = counted.cube.sorted();
    let shown =
        args.top.or((args.format == Format::Table).then_some(20)).unwrap_or(rows.len()).min(rows.len());
    let written = Rows { dimensions: &args.by, sensors: &sensors, rows: &rows[..shown] };
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out, args.format, written, rows.len(), &counted.summary)
        .context("cannot write to standard output")?;
    for mismatch in &counted.mismatches {
        log::error!("accounting identity broken, please report this: {mismatch}");
    }
    if counted.damaged {
        log::warn!("the counts are of what could be read");
    }
    Ok(if counted.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

impl ReplayArgs {
    /// The store, if one is wanted, without what a replay left that was killed.
    fn open_store(&self) -> Result<Option<SharedStore>> {
        let Some(path) = &self.store else { return Ok(None) };
        let place = Place { path: path.clone(), key: self.sketch_key.clone() };
        let mut store = Store::open(&place, self.time_zone.as_deref())?;
        store.hold_replays()?;
        store.discard_staged()?;
        Ok(Some(Arc::new(Mutex::new(store))))
    }
}

/// What was counted of all captures.
struct Counted {
    cube: Cube,
    summary: Summary,
    mismatches: Vec<Mismatch>,
    recorded: Vec<Recorded>,
    damaged: bool,
}

/// What was counted so far, and where it goes.
struct Counting<'a> {
    playback: Playback,
    cube: Cube,
    summary: Summary,
    mismatches: Vec<Mismatch>,
    sensors: &'a Sensors,
    geo: &'a Tables,
    /// The store, and its time zone.
    store: Option<(&'a SharedStore, Zone)>,
    lengths: SourceLengths,
    /// Captures that were kept.
    recorded: Vec<Recorded>,
    /// How much of the capture's time is covered.
    coverage: Coverage,
}

/// What frames are counted together by: starts of the interval of the rows, and of the minute that
/// is kept; 0 where there is none. In nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    interval: i64,
    minute: i64,
}

impl Counting<'_> {
    /// Counts a capture. With an interval, counts go to the interval of their frame. Returns
    /// whether the capture is damaged.
    fn capture(&mut self, capture: &mut Capture, every: Option<Duration>) -> Result<bool> {
        let bar = progress(capture);
        let every = every.map_or(0, |every| i64::try_from(every.as_nanos()).unwrap_or(i64::MAX));
        let minute = if self.store.is_some() { MINUTE_NS } else { 0 };
        let start =
            |time: i64, step: i64| if step == 0 { 0 } else { time.div_euclid(step).saturating_mul(step) };
        if let Some((store, _)) = &self.store {
            let now = Timestamp::now().as_second();
            self.playback.record(store, &host_name(), self.lengths, self.sensors, now)?;
        }
        self.coverage = Coverage::default();
        let mut slot = Slot::default();
        let mut last = 0;
        while let Some(frame) = capture.next_frame()? {
            let next = Slot { interval: start(frame.time_ns, every), minute: start(frame.time_ns, minute) };
            if next != slot {
                self.take_out(slot, frame.time_ns)?;
                slot = next;
            }
            self.coverage.frame(frame.time_ns);
            last = frame.time_ns;
            self.summary.frames += 1;
            if self.playback.frame(frame.time_ns, frame.bytes)? {
                self.take_out(slot, last)?;
            }
            if self.summary.frames % PROGRESS == 0 {
                bar.set_position(capture.bytes_read());
            }
        }
        self.take_out(slot, last.saturating_add(1))?;
        bar.finish_and_clear();
        if let Some(damage) = capture.damage() {
            log::warn!("{damage}");
        }
        if let Some(recorded) = self.playback.end_recording()? {
            if !recorded.added {
                log::warn!(
                    "{}: the store has these frames already, none was added",
                    capture.path().display()
                );
            }
            // One that is there may still have to be folded, if its replay was killed.
            self.recorded.push(recorded);
        }
        Ok(capture.damage().is_some())
    }

    /// Takes out what was counted in a slot. `until`: time of the next frame.
    fn take_out(&mut self, slot: Slot, until: i64) -> Result<()> {
        let mut drain = self.playback.take_out()?;
        self.summary.add(&drain);
        self.cube.add(&drain, slot.interval, self.sensors, self.geo);
        self.mismatches.extend_from_slice(&drain.mismatches);
        if let Some((_, zone)) = self.store.as_ref().filter(|_| drain.outcomes.runs > 0) {
            for pause in self.coverage.pause(slot.minute, zone) {
                self.playback.keep_nothing(pause)?;
            }
            drain.span = self.coverage.minute(slot.minute, until);
            self.playback.keep(drain)?;
        }
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
