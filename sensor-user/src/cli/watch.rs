//! The loop of a running agent: ticks, drains, outputs.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, IsTerminal, Write},
    mem,
    os::fd::AsRawFd,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use log::{error, info, warn};
use serde_json::json;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
    task::{block_in_place, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use crate::{
    agent::{Counters, Folder, Retired, lock, now_ns, retire},
    export::{
        metrics::Metrics,
        rows::Rows,
        screen::{self, Header},
    },
    geo::Geo,
    kernel::{
        Drain,
        attach::Mode,
        banks::Spill,
        interfaces::{Interface, Received},
    },
    live::{Interval, Live, Totals},
    model::{Dimension, Zone, boundary},
    serve::live::{Around, Feed, InterfaceRow, Keeping, Snapshot, time},
    store::{self, Nic},
};

use super::counting::{Ask, AtEnd, Counting, Kept};

/// Time between two snapshots for the readers of the API, however short the interval is.
const PUBLISH_AFTER: Duration = Duration::from_millis(900);
/// How often databases are looked at for a newer file.
const RELOAD_EVERY: Duration = Duration::from_secs(5);

/// Where intervals are written.
pub enum Output {
    /// The live table, redrawn in place.
    Screen { top: usize, messages: Messages },
    /// The live table, one below the other.
    Plain { top: usize },
    /// One object per row, and one per interval.
    Jsonl { by: Vec<Dimension> },
}

/// The last log lines, for the foot of the screen.
#[derive(Clone, Default)]
pub struct Messages(Arc<Mutex<VecDeque<String>>>);

impl Messages {
    const KEPT: usize = 5;

    fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() == Self::KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| self.push(line.to_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A program that counts, and all that its counts go to.
pub struct Watch {
    pub counting: Counting,
    pub at_end: AtEnd,
    pub received: Ask,
    pub live: Live,
    pub geo: Arc<Geo>,
    pub header: Header,
    pub output: Output,
    pub metrics: Option<Metrics>,
    pub interval: Duration,
    /// Where readers of the API get what is counted from.
    pub feed: Option<Publishing>,
}

/// What readers of the API are told, and how.
pub struct Publishing {
    pub feed: Feed,
    /// When the agent started, in nanoseconds since 1970.
    pub since_ns: u64,
    /// The last warnings and errors.
    pub troubles: Messages,
}

impl Watch {
    /// Counts until `end` comes, and takes out the rest. Without a store, the program is detached
    /// before. Returns all that was counted, or the error that the end came with.
    pub async fn run(self, end: impl Future<Output = Result<()>>) -> Result<Totals> {
        let Self { counting, at_end, received, live, geo, header, output, metrics, interval: every, feed } =
            self;
        let Counting { mut counters, modes, meanwhile, kept, drops: _ } = counting;
        let zone = kept.as_ref().map(|kept| lock(&kept.store).zone().clone());
        let store = kept.as_ref().map(|kept| Arc::from(lock(&kept.store).path()));
        let program = counters.program();
        let mut log = readable(program.take_log()?).context("cannot wait for the program's log")?;
        let mut notices =
            readable(program.take_notices()?).context("cannot wait for the program's notices")?;
        let mut end = pin!(end);
        let mut reload = interval(RELOAD_EVERY);
        reload.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut agent = Agent {
            counters: Some(counters),
            folder: kept
                .as_ref()
                .map(|kept| Folder::start(Arc::clone(&kept.store), Arc::clone(&geo), kept.retention)),
            kept,
            at_end,
            received: Arc::new(received),
            store,
            interfaces: modes.iter().map(|(name, _)| name.clone()).collect(),
            modes,
            gone: Vec::new(),
            live,
            geo: Arc::clone(&geo),
            header,
            output,
            metrics,
            fullest: Spill::default(),
            feed,
            published: None,
            begun_ns: now_ns(),
            program: 0,
            seen: Vec::new(),
            counted: HashMap::new(),
            drawn: false,
            shown: None,
        };
        if let Some(metrics) = &agent.metrics {
            metrics.databases(&geo.tables());
        }
        agent.look().await?;
        if at_end == AtEnd::GoOn && !meanwhile.is_empty() {
            for drain in &meanwhile {
                agent.live.absorb(drain, &geo.tables());
            }
            // An interval of its own: it may be long.
            agent.close()?;
        }
        agent.expose();
        let mut boundary = Instant::now() + until_boundary(every, zone.as_ref());

        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended,
                () = tokio::time::sleep_until(boundary.into()) => {
                    agent.drain().await?;
                    agent.attach_again();
                    agent.fold();
                    agent.close()?;
                    agent.expose();
                    boundary = Instant::now() + until_boundary(every, zone.as_ref());
                }
                ready = notices.readable_mut() => {
                    let mut ready = ready?;
                    let mut told = false;
                    while ready.get_inner_mut().next().is_some() {
                        told = true;
                    }
                    ready.clear_ready();
                    if told {
                        if let Some(metrics) = &agent.metrics {
                            metrics.drained_early();
                        }
                        agent.drain().await?;
                        agent.expose();
                    }
                }
                ready = log.readable_mut() => {
                    let mut ready = ready?;
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
                _ = reload.tick() => {
                    let geo = Arc::clone(&geo);
                    let reloads = spawn_blocking(move || geo.reload_changed()).await?;
                    agent.reloaded(&reloads);
                }
            }
        };
        agent.end().await?;
        agent.close()?;
        ended?;
        Ok(agent.live.since_start().clone())
    }
}

/// Waits for SIGINT, SIGTERM or SIGHUP, which from now on do not end the process by themselves.
pub fn signalled() -> io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            _ = hung_up.recv() => {}
        }
    })
}

/// What these interfaces have counted, those of them that are there.
fn nics(all: &[Interface], names: &[String]) -> Vec<Nic> {
    let nic = |interface: &Interface| Nic {
        name: interface.name.clone(),
        received: interface.received.frames,
        dropped: interface.received.dropped,
    };
    let named = |name: &String| all.iter().find(|interface| interface.name == *name);
    names.iter().filter_map(named).map(nic).collect()
}

/// Waits for a ring buffer of the program to have something to read.
fn readable<T: AsRawFd>(ring: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: aya's ring buffers own their descriptor, and never close or replace it while they live.
    Ok(unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?)
}

/// Time until the interval is over, by the wall clock.
fn until_boundary(every: Duration, zone: Option<&Zone>) -> Duration {
    boundary(now_ns(), every, zone)
}

struct Agent {
    /// Absent only while a drain has them.
    counters: Option<Counters>,
    kept: Option<Kept>,
    folder: Option<Folder>,
    at_end: AtEnd,
    received: Arc<Ask>,
    /// Path of the store, if there is one.
    store: Option<Arc<Path>>,
    interfaces: Arc<[String]>,
    /// The interfaces that are to be observed, with their modes.
    modes: Vec<(String, Mode)>,
    /// Those of them that were gone when last looked at.
    gone: Vec<String>,
    live: Live,
    geo: Arc<Geo>,
    header: Header,
    output: Output,
    metrics: Option<Metrics>,
    /// How full the spill log was in the interval, at its fullest.
    fullest: Spill,
    feed: Option<Publishing>,
    /// When readers of the API were told last.
    published: Option<Instant>,
    /// When it began to drain, in nanoseconds since 1970.
    begun_ns: u64,
    /// Id of the program, as of the last drain; 0 before.
    program: u32,
    /// The interfaces of the host as they were last.
    seen: Vec<Interface>,
    /// What those that are observed have received since the agent's start, by their own counters.
    counted: HashMap<String, Received>,
    /// Whether the screen holds a table.
    drawn: bool,
    /// The interval that was put out last, where it may be put out again.
    shown: Option<Interval>,
}

impl Agent {
    /// Looks at the interfaces: from here on is counted what they receive.
    async fn look(&mut self) -> Result<()> {
        let received = Arc::clone(&self.received);
        // Where the kernel does not tell, nothing is known of them.
        self.seen = spawn_blocking(move || received()).await?.unwrap_or_default();
        self.program = self.counters.as_mut().map_or(0, |counters| counters.program().id());
        Ok(())
    }

    /// Takes in how the interfaces are now.
    fn see(&mut self, now: Vec<Interface>) {
        for (name, _) in &self.modes {
            let of = |all: &[Interface]| {
                all.iter().find(|interface| interface.name == *name).map(|interface| interface.received)
            };
            let Some(received) = of(&now) else { continue };
            let new = received.since(of(&self.seen).unwrap_or_default());
            let sum = self.counted.entry(name.clone()).or_default();
            sum.frames += new.frames;
            sum.dropped += new.dropped;
        }
        self.seen = now;
    }

    /// Takes the counts out of the kernel. What fails is tried again at the next occasion.
    async fn drain(&mut self) -> Result<()> {
        let mut counters = self.counters.take().context("a drain has not come back")?;
        let (received, interfaces) = (Arc::clone(&self.received), Arc::clone(&self.interfaces));
        let store = self.store.clone();
        let is_asked = counters.state().is_some() || self.metrics.is_some();
        let (mut counters, drains, took, seen, bytes) = spawn_blocking(move || {
            // Where the kernel does not tell, nothing is known of them.
            let seen = if is_asked { received().ok() } else { None };
            let nics = seen.as_deref().map(|all| nics(all, &interfaces)).unwrap_or_default();
            let start = Instant::now();
            let drains = counters.drain(nics);
            let took = start.elapsed();
            (counters, drains, took, seen, store.map(|path| store::bytes(&path)))
        })
        .await?;
        if let Some(seen) = seen {
            self.see(seen);
        }
        self.program = counters.program().id();
        let spill = counters.spill();
        self.fullest = if spill.used_bytes < self.fullest.used_bytes { self.fullest } else { spill };
        if let Some(metrics) = &mut self.metrics {
            metrics.interfaces(&self.seen, self.program);
            if let (Some(state), Some(bytes)) = (counters.state(), bytes) {
                metrics.kept(&state, bytes);
            }
        }
        if let (Some(store), Some(state)) = (&mut self.header.store, counters.state()) {
            store.trouble = state.trouble;
        }
        self.counters = Some(counters);
        match drains {
            Ok(drains) => {
                if let Some(metrics) = &self.metrics {
                    metrics.drained(took.as_secs_f64());
                }
                self.absorb(&drains);
            }
            Err(error) => {
                if let Some(metrics) = &self.metrics {
                    metrics.drain_failed();
                }
                error!("cannot drain, the kernel goes on counting: {:#}", anyhow::Error::from(error))
            }
        }
        Ok(())
    }

    fn absorb(&mut self, drains: &[Drain]) {
        for drain in drains {
            if let Some(store) = &mut self.header.store {
                store.frames += drain.outcomes.runs;
            }
            self.live.absorb(drain, &self.geo.tables());
        }
    }

    /// Puts the program back on interfaces that were gone and have come back.
    fn attach_again(&mut self) {
        let Some(Counters::Kept(generation)) = &mut self.counters else { return };
        if self.at_end == AtEnd::Detach {
            return;
        }
        match block_in_place(|| generation.attach_again(&self.modes)) {
            Ok((back, gone)) => {
                for name in back {
                    info!("{name} is back, and counted on again");
                }
                for name in gone.iter().filter(|name| !self.gone.contains(name)) {
                    warn!("{name} is gone: nothing is counted there until it is back");
                }
                self.gone = gone;
            }
            Err(error) => {
                error!("cannot see to the interfaces, it is tried again: {:#}", anyhow::Error::from(error));
            }
        }
    }

    /// Has what was kept folded, and takes out of replaced programs what the store did not take before.
    fn fold(&mut self) {
        let (Some(kept), Some(folder)) = (&mut self.kept, &self.folder) else { return };
        if let Some(metrics) = &self.metrics {
            let folding = folder.state();
            metrics.folding(folding.failing.is_some(), folding.damaged);
        }
        folder.wake();
        for replaced in mem::take(&mut kept.replaced) {
            match block_in_place(|| retire(&kept.pins, replaced)) {
                Ok(Retired::Done(_)) => info!("the last counts of the program that was replaced are kept"),
                Ok(Retired::Waits(replaced)) => kept.replaced.push(replaced),
                Err(error) => error!(
                    "cannot take the last counts out of the program that was replaced, the next start \
                     tries again: {:#}",
                    anyhow::Error::from(error)
                ),
            }
        }
    }

    /// Takes out the rest.
    async fn end(&mut self) -> Result<()> {
        if let Some(Counters::Unkept(unkept)) = &mut self.counters {
            unkept.links.clear();
            // A run that began before the end may have read either epoch: one drain takes each bank.
            self.drain().await?;
        }
        self.drain().await?;
        let (Some(Kept { pins, .. }), Some(folder)) = (self.kept.take(), self.folder.take()) else {
            return Ok(());
        };
        if self.at_end == AtEnd::Detach
            && let Some(Counters::Kept(generation)) = self.counters.take()
        {
            match spawn_blocking(move || retire(&pins, generation)).await?? {
                Retired::Done(drains) => self.absorb(&drains),
                Retired::Waits(_) => {
                    warn!(
                        "the last counts stay in the kernel until the store can take them, at the next start"
                    )
                }
            }
        }
        if let Err(error) = folder.finish().await {
            warn!("what was kept last is folded into hours at the next start: {error}");
        }
        Ok(())
    }

    /// Gives the metrics to the scrapers as they are now.
    fn expose(&self) {
        if let Some(Err(error)) = self.metrics.as_ref().map(Metrics::publish) {
            error!("the metrics cannot be written, please report this: {error}");
        }
    }

    /// Closes the interval and puts it out. Without new counts, a screen still says why.
    fn close(&mut self) -> Result<()> {
        if let Some(metrics) = &self.metrics {
            metrics.spill(mem::take(&mut self.fullest));
        }
        let Some(interval) = self.live.close() else {
            let Some(shown) = self.shown.take().or_else(|| self.troubled()) else { return Ok(()) };
            if matches!(self.output, Output::Screen { .. }) {
                self.write(&shown).context("cannot write to standard output")?;
            }
            self.publish(&shown);
            self.shown = Some(shown);
            return Ok(());
        };
        for mismatch in &interval.mismatches {
            error!("accounting identity broken, please report this: {mismatch}");
        }
        if interval.totals.lost > 0 {
            warn!(
                "{} packets counted without their source: the spill log was full; raise --spill-memory",
                interval.totals.lost
            );
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.closed(&interval, self.live.since_start());
        }
        self.write(&interval).context("cannot write to standard output")?;
        self.publish(&interval);
        let is_kept = self.feed.is_some() || matches!(self.output, Output::Screen { .. });
        self.shown = is_kept.then_some(interval);
        Ok(())
    }

    /// An interval without counts, where there is none yet, but something to say: the store takes nothing.
    fn troubled(&self) -> Option<Interval> {
        self.counters.as_ref()?.state()?.trouble?;
        Some(Interval { start_ns: self.begun_ns, end_ns: now_ns(), ..Interval::default() })
    }

    /// Tells the readers of the API, once a second at most.
    fn publish(&mut self, interval: &Interval) {
        let (Some(publishing), Some(hour)) = (&self.feed, self.live.hour()) else { return };
        if self.published.is_some_and(|last| last.elapsed() < PUBLISH_AFTER) {
            return;
        }
        self.published = Some(Instant::now());
        let around = Around {
            interfaces: self.interface_rows(),
            store: self.keeping(),
            messages: publishing.troubles.lines(),
        };
        publishing.feed.publish(&Snapshot::new(&self.live, hour, interval, publishing.since_ns, around));
    }

    fn interface_rows(&self) -> Vec<InterfaceRow> {
        let row = |(name, mode): &(String, Mode)| {
            let there = self.seen.iter().find(|interface| interface.name == *name);
            let counts =
                |there: &Interface| there.up && there.carrier && there.xdp_program == Some(self.program);
            let counted = self.counted.get(name);
            InterfaceRow {
                interface: name.clone(),
                mode: mode.as_str().to_owned(),
                up: there.is_some_and(counts),
                received: counted.map(|counted| counted.frames),
                dropped: counted.map(|counted| counted.dropped),
            }
        };
        self.modes.iter().map(row).collect()
    }

    fn keeping(&self) -> Option<Keeping> {
        let state = self.counters.as_ref()?.state()?;
        Some(Keeping {
            trouble: state.trouble.map(|(trouble, _)| trouble.name().to_owned()),
            since: state.trouble.map(|(_, since_ns)| time(since_ns)),
            kept_until: (state.kept_until_ns > 0).then(|| time(state.kept_until_ns)),
            fold_failing: self.folder.as_ref().is_some_and(|folder| folder.state().failing.is_some()),
        })
    }

    fn write(&mut self, interval: &Interval) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let table = |top, width| screen::render(&self.header, interval, self.live.since_start(), top, width);
        match &self.output {
            Output::Screen { top, messages } => {
                let (width, height) = terminal_size();
                // A line too many would scroll the first one away.
                let height = height.saturating_sub(1);
                let mut lines: Vec<String> = messages
                    .lines()
                    .iter()
                    .flat_map(|message| textwrap::wrap(message, width))
                    .map(Into::into)
                    .collect();
                let mut text = table(*top, width);
                let excess = (text.lines().count() + lines.len()).saturating_sub(height);
                if excess > 0 {
                    text = table(top.saturating_sub(excess).max(3), width);
                }
                lines.splice(0..0, text.lines().map(|line| line.chars().take(width).collect()));
                lines.truncate(height);
                out.write_all(if self.drawn { b"\x1b[H" } else { b"\x1b[H\x1b[2J" })?;
                for line in lines {
                    write!(out, "{line}\x1b[K\r\n")?;
                }
                out.write_all(b"\x1b[J")?;
                self.drawn = true;
            }
            Output::Plain { top } => writeln!(out, "{}", table(*top, 100))?,
            Output::Jsonl { by } => {
                let start = time(interval.start_ns);
                let rows = Rows { dimensions: by, sensors: self.live.sensors(), rows: &interval.rows };
                rows.write_interval_jsonl(&mut out, &start)?;
                let outcomes = &interval.totals.outcomes;
                let object = json!({
                    "type": "interval",
                    "time": start,
                    "end": time(interval.end_ns),
                    "frames": outcomes.runs,
                    "packets": outcomes.packets,
                    "non_ip": outcomes.non_ip,
                    "malformed": outcomes.malformed,
                    "unwatched": outcomes.unwatched,
                    "local": outcomes.local,
                    "lost": interval.totals.lost,
                    "uncounted": interval.totals.uncounted,
                    "cut": interval.cut,
                    "bytes": interval.totals.bytes(),
                });
                writeln!(out, "{object}")?;
            }
        }
        out.flush()
    }

    fn reloaded(&self, reloads: &[crate::geo::Reload]) {
        for reload in reloads {
            match &reload.outcome {
                Ok(_) => info!("read {} again: it was replaced", reload.path.display()),
                Err(error) => warn!("{error}; the one read before stays in use"),
            }
        }
        if let Some(metrics) = self.metrics.as_ref().filter(|_| !reloads.is_empty()) {
            metrics.databases(&self.geo.tables());
            self.expose();
        }
    }
}

/// Columns and rows of the terminal at standard output, 100 × 40 where there is none.
fn terminal_size() -> (usize, usize) {
    // SAFETY: plain integers.
    let mut size: libc::winsize = unsafe { mem::zeroed() };
    // SAFETY: writes to `size` only.
    let result = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if result == 0 && size.ws_col > 0 && size.ws_row > 0 {
        (usize::from(size.ws_col), usize::from(size.ws_row))
    } else {
        (100, 40)
    }
}

/// Sends log lines to standard error, or to the foot of the screen.
pub fn start_log(to: Option<Messages>) {
    start_log_noting(to, None);
}

/// The same; warnings and errors are noted as well, with their time.
pub fn start_log_noting(to: Option<Messages>, troubles: Option<Messages>) {
    let default = env_logger::Env::new().filter_or("TEITEN_LOG", "info");
    let mut builder = env_logger::Builder::from_env(default);
    builder.format(move |to, record| {
        let level = match record.level() {
            log::Level::Error => "error: ",
            log::Level::Warn => "warning: ",
            _ => "",
        };
        if let (Some(troubles), false) = (&troubles, level.is_empty()) {
            troubles.push(format!("{:.0} {level}{}", Timestamp::now(), record.args()));
        }
        writeln!(to, "{level}{}", record.args())
    });
    if let Some(messages) = to {
        builder.target(env_logger::Target::Pipe(Box::new(messages)));
    }
    // A second start, in a test, keeps the first.
    let _ = builder.try_init();
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
