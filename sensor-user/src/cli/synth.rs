//! `teiten synth`: traffic from a scenario, as a capture or into a store.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Timestamp, civil::Date};

use crate::{
    agent::{self, Playback, Recorded, SharedStore, record::unsigned},
    capture::write::Writer,
    cube::SourceLengths,
    export::rows::{Summary, grouped, share},
    geo::Geo,
    kernel::{
        Mismatch, Span,
        program::{self, Loaded, Settings, Sizes},
        testrun::Workers,
    },
    model::{Sensor, Sensors},
    store::{GRACE, Limits, Place, Store},
    synth::{Expected, Plan, Scenario, Step, Timeline},
};

use super::{
    options::{GeoArgs, MemoryArgs, host_name},
    replay::{LEAST_CHUNKS, MOST_WORKERS},
    watch::start_log,
};

/// Frames after which a recording ends with its day, and the next one begins: so much is folded at a time.
const RECORDING: u64 = 250_000;
/// Services and regions of the table of what is expected.
const SHOWN: usize = 10;
/// To how many bits sources are cut in the store.
const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };

/// Options of `synth`.
///
/// The scenario is TOML; docs/synth.md describes it, and docs/scenarios has examples. Without -o and
/// --store nothing is made: what is to be expected is shown.
#[derive(Debug, clap::Args)]
pub struct SynthArgs {
    /// Scenario: a TOML file, or `-` for standard input
    scenario: PathBuf,
    /// Write the frames to this file, as pcap; `-` is standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "store")]
    output: Option<PathBuf>,
    /// Count the frames, and keep the counts in this store, in the scenario's time; it is made if it is
    /// not there
    ///
    /// Frames go through the XDP program as those of `teiten replay` do. The same frames twice are kept
    /// once, so that a run that was cut off can be made again. A store of a sensor is refused.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Secret key of the store's sketches of sources [default: the store's name and .key]
    #[arg(long, value_name = "FILE")]
    sketch_key: Option<PathBuf>,
    /// Number that decides all that is left to chance [default: the scenario's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Move the scenario's days so that this is the last one: a date, `yesterday`, or `now`
    ///
    /// On the clock of the scenario's zone. With `now` today is the last day, and ends with this minute.
    #[arg(long, value_name = "DAY")]
    until: Option<Until>,
    /// Make only one in N frames, and count each N times: quicker, and coarser
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "output",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sample: u32,
    /// Sensors, in place of the scenario's:
    /// NAME=PREFIX[,PREFIX…][;role=dark|lit|honeypot][;group=GROUP][;alias=ALIAS][;filtered=PORT/PROTOCOL[,…]]
    #[arg(long, value_name = "SENSOR")]
    sensor: Vec<Sensor>,
    #[command(flatten)]
    geo: GeoArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

/// When a scenario ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Date(Date),
    Yesterday,
    Now,
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "yesterday" => Ok(Self::Yesterday),
            "now" => Ok(Self::Now),
            _ => text
                .parse()
                .map(Self::Date)
                .map_err(|_| format!("`{text}` is no day: write a date (2026-06-30), `yesterday` or `now`")),
        }
    }
}

impl Until {
    /// The scenario at that time.
    fn of(self, scenario: Scenario, now: Timestamp) -> Result<Scenario> {
        let now = scenario.zone.clock(now.as_second());
        let yesterday = now.date().yesterday().unwrap_or(Date::MIN);
        Ok(match self {
            Self::Date(last) => scenario.moved_to(last)?,
            Self::Yesterday => scenario.moved_to(yesterday)?,
            Self::Now => {
                let minute = now.with().second(0).build().unwrap_or(now);
                scenario.moved_to(now.date())?.cut_off(minute)
            }
        })
    }
}

/// Makes the traffic.
///
/// # Errors
///
/// What is wrong with the scenario, or keeps its frames from being written or counted.
pub async fn run(args: SynthArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || synth(&args)).await?
}

fn synth(args: &SynthArgs) -> Result<ExitCode> {
    let mut scenario = if args.scenario == Path::new("-") {
        Scenario::read("standard input", io::stdin().lock())?
    } else {
        Scenario::open(&args.scenario)?
    };
    if !args.sensor.is_empty() {
        Sensors::new(args.sensor.clone())?;
        scenario = scenario.with_sensors(args.sensor.clone());
    }
    if let Some(until) = args.until {
        scenario = until.of(scenario, Timestamp::now())?;
    }
    let seed = args.seed.unwrap_or(scenario.seed);
    let plan = Plan::new(scenario)?;
    if args.output.is_none() && args.store.is_none() {
        show(&plan, &mut io::stdout().lock()).context("cannot write to standard output")?;
        return Ok(ExitCode::SUCCESS);
    }
    let geo = args.geo.open()?;
    let timeline = Timeline::new(plan, seed, &geo.tables()).sampled(args.sample);
    let missing = timeline.missing();
    if args.geo.country.is_none() {
        log::warn!("no --country database: sources are from anywhere, and their regions `unknown`");
    } else if !missing.is_empty() {
        let codes: Vec<_> = missing.iter().map(ToString::to_string).collect();
        log::warn!("the country database knows no address of {}: they are from anywhere", codes.join(", "));
    }
    match (&args.output, &args.store) {
        (Some(path), _) => write(timeline, path),
        (None, Some(path)) => Filling::new(args, path, &timeline, &geo)?.run(timeline),
        (None, None) => Ok(ExitCode::SUCCESS),
    }
}

/// Shows what is to be expected of a plan.
fn show(plan: &Plan, to: &mut impl Write) -> io::Result<()> {
    let (Some(first), Some(last)) = (plan.days.first(), plan.days.last()) else { return Ok(()) };
    let expected = plan.expected(first.date, last.date);
    let Expected { scans, noise, backscatter, .. } = expected;
    let whole = |packets: f64| grouped(packets.round() as u64);
    writeln!(
        to,
        "{} to {}, {} days of {}",
        first.date,
        last.date,
        plan.days.len(),
        plan.scenario.zone.name()
    )?;
    writeln!(
        to,
        "about {} frames: {} of scans, {} of backscatter, {} of others\n",
        whole(scans + noise + backscatter),
        whole(scans),
        whole(backscatter),
        whole(noise)
    )?;
    let services = expected.services.iter().map(|(target, packets)| (target.to_string(), *packets));
    let regions = expected.regions.iter().map(|(region, packets)| (region.to_string(), *packets));
    for (title, rows) in [("PORT", services.collect::<Vec<_>>()), ("REGION", regions.collect())] {
        let mut rows = rows;
        rows.sort_by(|(a, more), (b, less)| less.total_cmp(more).then_with(|| a.cmp(b)));
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(["", title, "packets", "share"]);
        for (rank, (name, packets)) in rows.iter().enumerate().take(SHOWN) {
            let share = share(packets.round() as u64, scans.round() as u64);
            table.add_row([(rank + 1).to_string(), name.clone(), whole(*packets), share]);
        }
        for column in [0, 2, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(to, "{}\n", table.trim_fmt())?;
    }
    Ok(())
}

/// A progress bar on a terminal, by days.
fn progress(timeline: &Timeline) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(timeline.plan().days.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} days {eta}") {
        bar.set_style(style);
    }
    bar
}

fn write(mut timeline: Timeline, path: &Path) -> Result<ExitCode> {
    let to: Box<dyn Write> = if path == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        let file =
            File::create(path).with_context(|| format!("cannot make the capture {}", path.display()))?;
        Box::new(file)
    };
    let what = || format!("cannot write the capture {}", path.display());
    let bar = progress(&timeline);
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, to)).with_context(what)?;
    let (mut frame, mut frames) = (Vec::new(), 0u64);
    while let Some(day) = timeline.upcoming() {
        bar.set_message(day.date.to_string());
        timeline.begin();
        while let Some(step) = timeline.step(&mut frame) {
            if let Step::Frame { time_ns, .. } = step {
                writer.frame(time_ns, &frame).with_context(what)?;
                frames += 1;
            }
        }
        bar.inc(1);
    }
    writer.finish().with_context(what)?;
    bar.finish_and_clear();
    eprintln!("{} frames written", grouped(frames));
    Ok(ExitCode::SUCCESS)
}

/// The way of made frames into a store.
struct Filling<'a> {
    store: SharedStore,
    geo: &'a Geo,
    sizes: Sizes,
    /// How often each frame is counted.
    sample: u32,
    summary: Summary,
    mismatches: Vec<Mismatch>,
    /// Recordings that the store had already.
    known: u64,
}

/// A recording that is to be folded.
struct Finished {
    recorded: Recorded,
    /// Days that ended by then, in seconds since 1970, can be closed.
    until: i64,
}

impl<'a> Filling<'a> {
    fn new(args: &SynthArgs, path: &Path, timeline: &Timeline, geo: &'a Geo) -> Result<Self> {
        let place = Place { path: path.to_owned(), key: args.sketch_key.clone() };
        let mut store = Store::open(&place, Some(timeline.plan().scenario.zone.name()))?;
        if store.is_live()? {
            bail!(
                "{} keeps what a sensor counts, of which made traffic could not be told: name another file",
                path.display()
            );
        }
        store.hold_replays()?;
        store.discard_staged()?;
        Ok(Self {
            store: Arc::new(Mutex::new(store)),
            geo,
            sizes: args.memory.sizes()?,
            sample: args.sample,
            summary: Summary::default(),
            mismatches: Vec::new(),
            known: 0,
        })
    }

    fn run(mut self, mut timeline: Timeline) -> Result<ExitCode> {
        let bar = progress(&timeline);
        let (store, geo) = (Arc::clone(&self.store), self.geo);
        // Folding is the other half of the work.
        thread::scope(|scope| {
            let (finished, to_fold) = sync_channel(1);
            let folder = scope.spawn(move || fold(&store, geo, &to_fold));
            let made = self.days(&mut timeline, &finished, &bar);
            drop(finished);
            let folded = folder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // If folding failed, making ended for that reason.
            folded.and(made)
        })?;
        bar.finish_and_clear();
        let now = Timestamp::now().as_second();
        agent::lock(&self.store).close_days(now - GRACE, &Limits::default(), &self.geo.tables())?;
        if self.known > 0 {
            log::warn!("{} of the recordings were in the store already, and were not added", self.known);
        }
        for mismatch in &self.mismatches {
            log::error!("accounting identity broken, please report this: {mismatch}");
        }
        let totals = self.summary.fields().map(|(name, count)| format!("{name} {count}")).join(", ");
        eprintln!("{totals}");
        Ok(if self.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// All days, those with the same sensors through the same program.
    fn days(
        &mut self,
        timeline: &mut Timeline,
        finished: &SyncSender<Finished>,
        bar: &ProgressBar,
    ) -> Result<()> {
        while let Some(watch) = timeline.upcoming().map(|day| day.watch) {
            let sensors = timeline.plan().watches.get(watch).and_then(|watch| watch.sensors.clone());
            let Some(sensors) = sensors else {
                timeline.begin();
                bar.inc(1);
                continue;
            };
            let settings = Settings {
                watched: sensors.watched(),
                v4_prefix: LENGTHS.v4,
                v6_prefix: LENGTHS.v6,
                // A CPU takes a whole chunk for its first record.
                ..Settings::everything(Sizes {
                    chunks: self.sizes.chunks.max(LEAST_CHUNKS + 2 * self.sizes.slices),
                    ..self.sizes
                })
            };
            let Loaded { program, banks, .. } = program::load(&settings)?;
            let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
            let goes_on = thread::scope(|scope| {
                let mut playback = Playback::new(banks, Workers::start(scope, &program, workers));
                let mut goes_on = true;
                while goes_on && timeline.upcoming().is_some_and(|day| day.watch == watch) {
                    goes_on = self.recording(timeline, &mut playback, &sensors, watch, finished, bar)?;
                }
                anyhow::Ok(goes_on)
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Some days of the same sensors in one recording. `false`: nobody folds any more.
    fn recording(
        &mut self,
        timeline: &mut Timeline,
        playback: &mut Playback,
        sensors: &Sensors,
        watch: usize,
        finished: &SyncSender<Finished>,
        bar: &ProgressBar,
    ) -> Result<bool> {
        let now = Timestamp::now().as_second();
        playback.record(&self.store, &host_name(), LENGTHS, sensors, now)?;
        if let Some(day) = timeline.upcoming() {
            // One without a frame would have the name of any other.
            playback.mark(&day.slot.start.to_le_bytes());
        }
        let (mut frame, mut frames, mut until) = (Vec::new(), 0, 0);
        while frames < RECORDING
            && let Some(day) = timeline.upcoming().filter(|day| day.watch == watch)
        {
            bar.set_message(day.date.to_string());
            until = day.slot.end();
            timeline.begin();
            // Where the rest of the epoch begins, if a part was taken out before its end.
            let mut rest = i64::MIN;
            while let Some(step) = timeline.step(&mut frame) {
                match step {
                    Step::Frame { time_ns, .. } => {
                        frames += 1;
                        if playback.frame(time_ns, &frame)? {
                            let start_ns = timeline.epoch_ns().unwrap_or(time_ns).max(rest);
                            self.take_out(playback, start_ns, time_ns)?;
                            rest = time_ns;
                        }
                    }
                    Step::Epoch { start_ns, end_ns } => {
                        self.take_out(playback, start_ns.max(rest), end_ns)?;
                        rest = i64::MIN;
                    }
                }
            }
            bar.inc(1);
        }
        self.summary.frames += frames * u64::from(self.sample);
        let Some(recorded) = playback.end_recording()? else { return Ok(true) };
        self.known += u64::from(!recorded.added);
        Ok(finished.send(Finished { recorded, until }).is_ok())
    }

    fn take_out(&mut self, playback: &mut Playback, start_ns: i64, end_ns: i64) -> Result<()> {
        let mut drain = playback.take_out()?;
        drain.multiply(self.sample);
        self.summary.add(&drain);
        self.mismatches.extend_from_slice(&drain.mismatches);
        drain.span = Span { start_ns: unsigned(start_ns), end_ns: unsigned(end_ns) };
        Ok(playback.keep(drain)?)
    }
}

/// Folds recordings as they end, and closes the days before.
fn fold(store: &SharedStore, geo: &Geo, finished: &Receiver<Finished>) -> Result<()> {
    for Finished { recorded, until } in finished {
        // What else waits there is folded by whoever kept it, with the databases of that.
        agent::fold_only(store, geo, recorded.generation)?;
        // Not the last day: bursts may reach into the next one.
        agent::lock(store).close_days(until - GRACE, &Limits::default(), &geo.tables())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::synth::scenario::Moment;

    #[test]
    fn a_scenario_ends_when_it_is_asked_to() {
        let text = "zone = \"Asia/Tokyo\"\nfrom = 2019-10-01\nto = 2019-10-07\n";
        let until = |text: &str| text.parse::<Until>().unwrap_or_else(|error| panic!("{error}"));
        // Already the next day in Tokyo.
        let now: Timestamp = "2026-06-30T15:30:20Z".parse().unwrap();
        let of = |when: &str| {
            let scenario = until(when).of(Scenario::parse("test", text).unwrap(), now).unwrap();
            let gap = scenario.gaps.first().map(|gap| (gap.get_ref().from, gap.get_ref().to));
            (scenario.from.0, scenario.to.get_ref().0, gap)
        };
        assert_eq!(of("2020-02-29"), (date(2020, 2, 23), date(2020, 2, 29), None));
        assert_eq!(of("yesterday"), (date(2026, 6, 24), date(2026, 6, 30), None));
        let today = date(2026, 7, 1);
        let rest = (Moment::Time(today.at(0, 30, 0, 0)), Moment::Day(today));
        assert_eq!(of("now"), (date(2026, 6, 25), today, Some(rest)));
        for bad in ["", "tomorrow", "2026-02-30", "-7d"] {
            let refused = bad.parse::<Until>().unwrap_err();
            assert!(refused.contains("yesterday"), "{refused}");
        }
    }
}
