//! A sensor that keeps what it counts: a veth pair, a store, a pin path, and the commands that work on them.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{
    agent::{Agent, Finished, finish, teiten},
    bpffs::Pins,
    frames::{Ipv4, Tcp},
    netns::{Counters, Pair},
    random::Random,
    scratch::Scratch,
    send::Socket,
    store::Kept,
    wait_for,
};

/// A sensor on `in0`, which keeps its counts. When it is dropped, its pins go, and with them the program.
pub struct Station {
    pub pair: Pair,
    pub pins: Pins,
    pub scratch: Scratch,
    pub store: PathBuf,
    /// The key of the sketches, which the first start draws.
    pub key: PathBuf,
    /// Frames sent by [`Station::send`], each of which arrived while the program was there.
    sent: AtomicU64,
}

impl Default for Station {
    fn default() -> Self {
        Self::new()
    }
}

impl Station {
    /// Makes a cable, and chooses places for store and pins. Nothing is started.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let store = scratch.path("teiten.db");
        Self::with_store(scratch, store)
    }

    /// The same, with a store that is elsewhere.
    pub fn with_store(scratch: Scratch, store: PathBuf) -> Self {
        let key = scratch.path("sketch.key");
        Self { pair: Pair::new(), pins: Pins::new(), scratch, store, key, sent: AtomicU64::new(0) }
    }

    /// `teiten` with a subcommand, the pin path and the store.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = teiten(&self.pair.inner);
        command.arg(subcommand).arg("--pin-path").arg(self.pins.path()).arg("--store").arg(&self.store);
        command
    }

    /// `teiten run` with JSON Lines every 100 ms.
    pub fn run_command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = self.command("run");
        command.args(["--iface=in0", "--interval=100ms", "--format=jsonl", "--time-zone=UTC"]);
        // Little memory is quickly made, zeroed and verified, and many tests run at the same time.
        command.env("TEITEN_SPILL_MEMORY", "1M").env("TEITEN_SENSOR", "west=192.0.2.0/24");
        command.arg("--sketch-key").arg(&self.key).args(words);
        command
    }

    /// Starts the agent and does not wait for anything.
    pub fn start(&self, words: &[&str]) -> Agent {
        Agent::start(self.run_command(words))
    }

    /// Starts the agent, and waits until its first interval is over, so that it certainly counts.
    pub fn run(&self, words: &[&str]) -> Agent {
        let agent = self.start(words);
        agent.wait_stdout("the end of the first interval", |lines| lines.last().map(drop));
        agent
    }

    /// `teiten detach`.
    pub fn detach_command(&self) -> Command {
        let mut command = self.command("detach");
        command.arg("--sketch-key").arg(&self.key);
        command
    }

    /// `teiten detach`, to its end.
    pub fn detach(&self, words: &[&str]) -> Finished {
        let mut command = self.detach_command();
        command.args(words);
        finish(command)
    }

    /// `teiten status --format json`, as a document, and its exit code.
    ///
    /// # Panics
    ///
    /// If it is not one JSON object and nothing else.
    pub fn status(&self) -> (Value, i32) {
        let mut command = self.command("status");
        command.arg("--format=json");
        let finished = finish(command);
        let value: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", finished.stdout, finished.stderr));
        assert!(value.is_object(), "{value}");
        let code = finished.code();
        (value, code)
    }

    /// `teiten query` over all time and all classes, as a document.
    ///
    /// # Panics
    ///
    /// If it fails or gives no JSON.
    pub fn query(&self, by: &str) -> Value {
        query(&self.store, &self.pair, by)
    }

    /// What `in0` has received: as long as a native program is there, one run of it for each.
    pub fn received(&self) -> u64 {
        let Counters { rx_packets, .. } = self.pair.inner.counters("in0");
        rx_packets
    }

    /// Whether a program is on `in0`.
    pub fn attached(&self) -> bool {
        self.pair.inner.xdp("in0").is_some()
    }

    /// Sends frames, one after the other, and waits until they have arrived.
    ///
    /// # Panics
    ///
    /// If they do not arrive.
    pub fn send(&self, frames: u64) {
        let before = self.received();
        let frame =
            |last: u64| Ipv4::new([12, 0, 0, last as u8], [192, 0, 2, 1]).tcp(Tcp::syn(40000, 22)).frame();
        Socket::sender(&self.pair.outer, "out0").send((0..frames).map(frame));
        wait_for("what was sent", || (self.received() >= before + frames).then_some(()));
        self.sent.fetch_add(frames, Ordering::Relaxed);
    }

    /// How many frames [`Station::send`] has sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What the store holds.
    pub fn kept(&self) -> Kept {
        Kept::of(&self.store)
    }

    /// Waits until the store holds so many frames.
    pub fn wait_kept(&self, frames: u64) -> Kept {
        wait_for(&format!("{frames} frames in the store"), || {
            let kept = self.kept();
            assert!(kept.frames <= frames as i64, "{} frames in the store, more than {frames}", kept.frames);
            (kept.frames == frames as i64).then_some(kept)
        })
    }

    /// Takes the program off for good, and holds the store to what arrived: every frame, to the last one.
    ///
    /// # Panics
    ///
    /// If one is missing, there twice, or anything is left behind.
    pub fn settle(&self, arrived: u64) -> Kept {
        self.detach(&[]).good();
        self.assert_gone();
        let kept = self.kept();
        assert_eq!(kept.frames, arrived as i64, "frames in the store, and those that reached the program");
        assert_eq!(kept.packets, arrived as i64, "packets in the store, all of them SYN to a watched prefix");
        assert_eq!(kept.uncounted, 0, "frames without a counter");
        let asked = self.query("class");
        assert_eq!(asked["summary"]["packets"], arrived, "packets by `teiten query`: {asked}");
        kept
    }

    /// Holds the machine to it that nothing is left of the sensor but its store.
    ///
    /// # Panics
    ///
    /// If something is.
    pub fn assert_gone(&self) {
        assert_eq!(self.pins.entries(), [""; 0], "pins that are left");
        wait_for("the program to leave the interface", || (!self.attached()).then_some(()));
    }
}

/// `teiten query` over all time and all classes, as a document.
///
/// # Panics
///
/// If it fails or gives no JSON.
pub fn query(store: &Path, pair: &Pair, by: &str) -> Value {
    let mut command = teiten(&pair.inner);
    command.args(["query", "--from=2000-01-01", "--to=2100-01-01", "--class=any", "--format=json"]);
    command.arg("--store").arg(store).args(["--by", by]);
    let finished = finish(command).good();
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", finished.stdout))
}

/// Random numbers of a test that is different every time: the seed is printed, and `TEITEN_SEED` repeats it.
///
/// # Panics
///
/// If that is no number.
pub fn random(test: &str) -> Random {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = number("TEITEN_SEED", now.as_micros() as u64 % 1_000_000_000);
    println!("{test}: TEITEN_SEED={seed}");
    Random(seed)
}

/// A number from the environment, or this one.
///
/// # Panics
///
/// If it is no number.
pub fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}
