//! The binary `teiten` as a child process, and what it puts out.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::Value;

use crate::{DEADLINE, netns::Netns, wait_for};

/// The agent's binary: `TEITEN_BIN`, else the one that was built beside the tests.
///
/// # Panics
///
/// If there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("TEITEN_BIN") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of this test");
    let beside = test.parent().and_then(|deps| deps.parent()).map(|profile| profile.join("teiten"));
    beside
        .filter(|path| path.is_file())
        .expect("the agent is not built: run the tests by `cargo xtask test`, or set TEITEN_BIN")
}

/// The agent inside a namespace, with no setting but those given; it serves nothing unless told.
pub fn teiten(namespace: &Netns) -> Command {
    let mut command = namespace.command(binary());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("TEITEN_") {
            command.env_remove(name);
        }
    }
    command.env("TEITEN_LISTEN", "off").stdin(Stdio::null());
    command
}

/// How the agent ended, and all that it put out.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The exit code.
    ///
    /// # Panics
    ///
    /// If a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by {}\n{}", self.status, self.stderr))
    }

    /// The same, after a look at the exit code.
    ///
    /// # Panics
    ///
    /// If it is not 0.
    pub fn good(self) -> Self {
        assert_eq!(self.code(), 0, "exit code; standard error:\n{}", self.stderr);
        self
    }

    /// What was counted, by the JSON Lines on standard output.
    pub fn counts(&self) -> Counts {
        Counts::of(self.stdout.lines())
    }
}

/// Runs a command to its end.
///
/// # Panics
///
/// If it does not end within [`DEADLINE`], or cannot be started.
pub fn finish(mut command: Command) -> Finished {
    Agent::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())).end()
}

/// Lines that a child writes, as they come.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Lines {
    fn read(&self, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let to = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let (lines, changed) = &*to.0;
                lines.lock().unwrap().push(line);
                changed.notify_all();
            }
        })
    }

    fn wait<T>(&self, mut found: impl FnMut(&[String]) -> Option<T>) -> Result<T, String> {
        let start = Instant::now();
        let (lines, changed) = &*self.0;
        let mut lines = lines.lock().unwrap();
        loop {
            if let Some(found) = found(&lines) {
                return Ok(found);
            }
            let Some(rest) = DEADLINE.checked_sub(start.elapsed()) else {
                return Err(lines.join("\n"));
            };
            lines = changed.wait_timeout(lines, rest).unwrap().0;
        }
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A running agent. Killed when dropped.
pub struct Agent {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Agent {
    /// Starts `teiten run` with JSON Lines every 200 ms inside a namespace, and waits until its
    /// first interval is over, so that it certainly counts.
    pub fn run(namespace: &Netns, words: &[&str]) -> Self {
        let mut command = teiten(namespace);
        command.args(["run", "--format=jsonl", "--interval=200ms"]).args(words);
        let agent = Self::start(command);
        agent.wait_stdout("the end of the first interval", |lines| lines.last().map(drop));
        agent
    }

    /// Starts a command with its outputs captured.
    pub fn start(mut command: Command) -> Self {
        Self::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|from| stdout.read(from)));
        readers.extend(child.stderr.take().map(|from| stderr.read(from)));
        Self { child, stdout, stderr, readers }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the lines of standard output, so far, give an answer.
    pub fn wait_stdout<T>(&self, what: &str, found: impl FnMut(&[String]) -> Option<T>) -> T {
        self.stdout.wait(found).unwrap_or_else(|lines| {
            panic!("waited in vain for {what}; output:\n{lines}\nmessages:\n{}", self.stderr.text())
        })
    }

    /// Waits until standard error says this, and returns the line.
    pub fn wait_message(&self, wanted: &str) -> String {
        self.stderr
            .wait(|lines| lines.iter().find(|line| line.contains(wanted)).cloned())
            .unwrap_or_else(|lines| panic!("waited in vain for `{wanted}`; messages:\n{lines}"))
    }

    /// Waits until this many frames are counted.
    pub fn wait_frames(&self, frames: u64) -> Counts {
        self.wait_stdout(&format!("{frames} frames"), |lines| {
            let counts = Counts::of(lines.iter().map(String::as_str));
            (counts.total("frames") >= frames).then_some(counts)
        })
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        Counts::of(self.stdout.text().lines())
    }

    /// What was said so far on standard error.
    pub fn messages(&self) -> String {
        self.stderr.text()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child, which nobody has waited for yet.
        let sent = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(sent, 0, "the agent is gone:\n{}", self.stderr.text());
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// If it does not come within [`DEADLINE`].
    pub fn end(mut self) -> Finished {
        let status = wait_for("the agent's end", || self.child.try_wait().expect("our own child"));
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Finished { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Kills it on the spot (SIGKILL).
    ///
    /// # Panics
    ///
    /// If it has ended before by itself: then it had something to complain of.
    pub fn kill(self) -> Finished {
        self.signal(libc::SIGKILL);
        let finished = self.end();
        let signal = std::os::unix::process::ExitStatusExt::signal(&finished.status);
        assert_eq!(
            signal,
            Some(libc::SIGKILL),
            "it ended by itself, {}:\n{}",
            finished.status,
            finished.stderr
        );
        finished
    }

    /// Asks it to end (SIGTERM), and waits for that.
    pub fn terminate(self) -> Finished {
        self.signal(libc::SIGTERM);
        self.end()
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Interrupts it, and waits for its end.
    pub fn interrupt(self) -> Finished {
        self.signal(libc::SIGINT);
        self.end()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sums over the JSON Lines of `teiten run`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of the objects of type `interval`, by field.
    pub totals: BTreeMap<String, u64>,
    /// Packets of the objects of type `row`, by the row without `type`, `time` and `packets`, as JSON
    /// with its fields in alphabetical order.
    pub rows: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds up these lines.
    ///
    /// # Panics
    ///
    /// If one of them is no such object.
    pub fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Self::default();
        for line in lines {
            let Ok(Value::Object(mut object)) = serde_json::from_str(line) else {
                panic!("not a JSON object: {line}")
            };
            match object.remove("type").as_ref().and_then(Value::as_str) {
                Some("interval") => {
                    for (field, value) in object {
                        if let Some(number) = value.as_u64() {
                            *counts.totals.entry(field).or_default() += number;
                        }
                    }
                }
                Some("row") => {
                    object.remove("time");
                    let packets = object.remove("packets").and_then(|packets| packets.as_u64());
                    let sorted: BTreeMap<_, _> = object.into_iter().collect();
                    let row = serde_json::to_string(&sorted).expect("JSON");
                    *counts.rows.entry(row).or_default() += packets.expect("a number of packets");
                }
                other => panic!("an object of type {other:?}: {line}"),
            }
        }
        counts
    }

    /// The sum of a field of the intervals.
    pub fn total(&self, field: &str) -> u64 {
        self.totals.get(field).copied().unwrap_or_default()
    }

    /// The fields of [`Expected`](crate::rules::Expected), in this order: packets, non_ip, malformed,
    /// unwatched, local.
    pub fn outcomes(&self) -> [u64; 5] {
        ["packets", "non_ip", "malformed", "unwatched", "local"].map(|field| self.total(field))
    }

    /// Packets of the rows whose JSON contains all of these.
    pub fn packets_with(&self, parts: &[&str]) -> u64 {
        self.rows
            .iter()
            .filter(|(row, _)| parts.iter().all(|part| row.contains(part)))
            .map(|(_, packets)| packets)
            .sum()
    }
}
