//! A flood while many ask: what readers of the API cost the counting.

use std::{
    cmp, fs,
    io::{Read as _, Write as _},
    mem,
    net::TcpStream,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use teiten::export::rows::grouped;
use teiten_tests::{agent::Agent, netns::Netns, station::Station, store};

use crate::{
    Options,
    flood::send,
    machine,
    object::{self, Object},
    report::{Section, median},
};

/// Where the agent serves, in a namespace of its own.
const ADDRESS: &str = "127.0.0.1:8642";
/// Clients that ask one question after the other, and those that read the stream of live counts.
const ASKING: usize = 40;
const STREAMING: usize = 10;
/// What they ask, in turns.
const QUESTIONS: [&str; 6] = [
    "/api/v1/live",
    "/api/v1/query?period=last-month&by=protocol,dst_port&top=100",
    "/api/v1/status",
    "/api/v1/query?period=last-week&by=time,region&step=hour&sources=false",
    "/metrics",
    "/api/v1/query?period=last-week&by=region&compare=true",
];
/// How long folding one round may take.
const FOLDING: Duration = Duration::from_secs(300);
/// How much past the store has.
const DAYS: u32 = 56;

/// What became of one round.
#[derive(Clone, Copy, Default)]
struct Round {
    sent: u64,
    received: u64,
    /// Received packets a second.
    rate: f64,
    /// Packets that were counted without their source.
    lost: u64,
    answers: u64,
    busy: u64,
    events: u64,
}

/// What the clients got, all together.
#[derive(Default)]
struct Got {
    answers: AtomicU64,
    /// Refused for the time being: too many asked.
    busy: AtomicU64,
    /// Events of streams.
    events: AtomicU64,
    /// An answer that must not be.
    wrong: Mutex<Option<String>>,
}

pub fn run(options: &Options) -> Result<Section> {
    let (rounds, seconds) = if options.quick { (2, 1.0) } else { (7, 2.0) };
    let mut cpus = machine::allowed()?;
    let sender = cpus.pop().unwrap_or(0);
    let others = if cpus.is_empty() { vec![sender] } else { cpus };
    // What is started from here on stays off the sender's core, where there is another.
    machine::pin(others.iter().copied())?;

    let station = Station::new();
    station.pair.inner.ip("link set lo up");
    make_past(&station)?;
    let (before, lost) = store::folded(&station.store);
    let (before, mut lost) = (u64::try_from(before)?, u64::try_from(lost)?);
    let mut command = station.command("run");
    command.env("TEITEN_LISTEN", ADDRESS).arg("--sketch-key").arg(&station.key);
    command.args(["--iface=in0", "--interval=1s", "--time-zone=UTC", "--format=jsonl", "--by=class"]);
    command.args(["--sensor=west=198.51.100.0/24", "--action=drop"]);
    let agent = Agent::start(command);
    agent.wait_stdout("the end of the first interval", |lines| lines.last().map(drop));

    let mut object = Object::load(&object::settings()?)?;
    let (out, index) = (&station.pair.outer, station.pair.outer.index("out0"));
    out.enter(|| {
        object.program("pass")?.attach_to_if_index(index, aya::programs::XdpMode::Driver)?;
        anyhow::Ok(())
    })?;
    let mut results = [Vec::new(), Vec::new()];
    for number in 0..=rounds {
        for step in 0..2 {
            let asked = (step + number) % 2;
            let got = Got::default();
            let done = AtomicBool::new(false);
            let mut round = Round::default();
            thread::scope(|scope| -> Result<()> {
                let clients = if asked == 1 { ASKING + STREAMING } else { 0 };
                for client in 0..clients {
                    let (inside, got, done) = (station.pair.inner.hold(), &got, &done);
                    scope.spawn(move || ask(&inside, client, got, done));
                }
                let received = station.received();
                let start = Instant::now();
                let until = start + Duration::from_secs_f64(seconds);
                let sent = out.enter(|| {
                    machine::pin([sender])?;
                    send(object.program("flood")?, index, until)
                });
                let took = start.elapsed();
                done.store(true, Ordering::Release);
                round.sent = sent?;
                round.received = settled(&station) - received;
                round.rate = round.received as f64 / took.as_secs_f64();
                Ok(())
            })?;
            if let Some(wrong) = got.wrong.into_inner().unwrap_or_else(PoisonError::into_inner) {
                bail!("a question got {wrong}");
            }
            // What is left to do would slow the next round.
            let lost_until_now = folded(&station, before + station.received())?;
            round.lost = lost_until_now - mem::replace(&mut lost, lost_until_now);
            round.answers = got.answers.into_inner();
            round.busy = got.busy.into_inner();
            round.events = got.events.into_inner();
            // The first round warms up.
            if number != 0 {
                results[asked].push(round);
            }
        }
        eprintln!("  round {number} of {rounds}");
    }

    let arrived = station.received();
    agent.signal(libc::SIGTERM);
    let finished = agent.end();
    ensure!(finished.status.success(), "the agent ended with {}:\n{}", finished.status, finished.stderr);
    station.detach(&[]).good();
    folded(&station, before + arrived)?;

    let mut section = Section {
        title: "Readers",
        about: format!(
            "The same flood against the whole agent, which keeps what it counts and drains every second, with and \
             without {} clients at the lowest priority on the core that the agent has: {ASKING} ask live counts, questions to a store with \
             {DAYS} days of past, status and metrics, one after the other without a pause, each on a connection of \
             its own; {STREAMING} read the stream of live counts. Each round begins when what the one before kept is \
             folded. {rounds} interleaved rounds of {seconds} s, medians.",
            ASKING + STREAMING
        ),
        head: vec![
            "clients",
            "packets a second",
            "of no client",
            "received",
            "sources lost",
            "answers a second",
            "told to wait",
            "events",
        ],
        ..Section::default()
    };
    for (clients, all) in [0, ASKING + STREAMING].into_iter().zip(&results) {
        let total = |of: fn(&Round) -> u64| all.iter().map(of).sum::<u64>();
        let sum = |of| grouped(total(of));
        let ratio = median(all.iter().zip(&results[0]).map(|(one, none)| one.rate / none.rate));
        section.rows.push(vec![
            clients.to_string(),
            grouped(median(all.iter().map(|one| one.rate)) as u64),
            format!("{:.1} %", ratio * 100.0),
            sum(|one| one.received),
            format!("{:.1} %", total(|one| one.lost) as f64 / total(|one| one.received) as f64 * 100.0),
            grouped(median(all.iter().map(|one| one.answers as f64 / seconds)) as u64),
            sum(|one| one.busy),
            sum(|one| one.events),
        ]);
    }
    section.notes.push(format!(
        "{} frames arrived in all, warm-up included, and as many are in the store, or the benchmark fails.",
        grouped(arrived)
    ));
    Ok(section)
}

/// Fills the station's store.
fn make_past(station: &Station) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let demo = root.join("docs/scenarios/demo.toml");
    let demo = fs::read_to_string(&demo).with_context(|| demo.display().to_string())?;
    // In the time zone of the station's agents.
    let scenario =
        station.scratch.write("past.toml", demo.replace("zone = \"Asia/Tokyo\"", "zone = \"UTC\""));
    let mut command = teiten_tests::agent::teiten(&station.pair.inner);
    command.arg("synth").arg(scenario).args(["--until=now", "--sample=100"]);
    command.arg("--store").arg(&station.store).arg("--sketch-key").arg(&station.key);
    let made = command.output().context("starting teiten synth failed")?;
    ensure!(made.status.success(), "making the past failed:\n{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// Waits until all frames that arrived are in the rows of the store, no more and no less; how many of all packets
/// there have lost their sources.
fn folded(station: &Station, arrived: u64) -> Result<u64> {
    let until = Instant::now() + FOLDING;
    loop {
        let (frames, lost) = store::folded(&station.store);
        match u64::try_from(frames)?.cmp(&arrived) {
            cmp::Ordering::Less if Instant::now() < until => thread::sleep(Duration::from_millis(100)),
            cmp::Ordering::Equal => return Ok(u64::try_from(lost)?),
            _ => bail!("{arrived} frames arrived, {frames} are in the store"),
        }
    }
}

/// Packets that the sensor's interface has received, once there are no more on their way.
fn settled(station: &Station) -> u64 {
    let mut last = station.received();
    loop {
        thread::sleep(Duration::from_millis(5));
        let now = station.received();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// A client, until all is sent.
fn ask(inside: &Netns, client: usize, got: &Got, done: &AtomicBool) {
    // It would be on another machine.
    // SAFETY: no preconditions; Linux sets the priority of the thread that asks.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    inside.enter(|| {
        for number in client.. {
            if done.load(Ordering::Acquire) {
                return;
            }
            // An answer that does not come is missing in the count of answers.
            let _ = if client < STREAMING {
                stream(got, done)
            } else {
                question(QUESTIONS[number % QUESTIONS.len()], got)
            };
        }
    });
}

fn connect(path: &str, connection: &str) -> Result<TcpStream> {
    let mut server = TcpStream::connect(ADDRESS)?;
    server.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(server, "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: {connection}\r\n\r\n")?;
    Ok(server)
}

fn question(path: &str, got: &Got) -> Result<()> {
    let mut answer = Vec::new();
    connect(path, "close")?.read_to_end(&mut answer)?;
    let count = match answer.get(9..12) {
        Some(b"200") => &got.answers,
        Some(b"503") => &got.busy,
        _ => {
            let wrong = format!("{path}: {}", String::from_utf8_lossy(&answer[..answer.len().min(500)]));
            *got.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
            return Ok(());
        }
    };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn stream(got: &Got, done: &AtomicBool) -> Result<()> {
    let mut server = connect("/api/v1/live/stream", "keep-alive")?;
    let mut piece = vec![0; 1 << 16];
    while !done.load(Ordering::Acquire) {
        let length = server.read(&mut piece)?;
        if length == 0 {
            break;
        }
        let events = piece[..length].windows(12).filter(|window| window == b"event: live\n").count();
        got.events.fetch_add(events as u64, Ordering::Relaxed);
    }
    Ok(())
}
