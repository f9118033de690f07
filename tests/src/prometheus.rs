//! Prometheus itself: it scrapes, and says what it thinks of metrics, rules and expressions.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{netns::Netns, scratch::Scratch, skip, wait_for};

/// Where it listens, inside its namespace.
const ADDRESS: &str = "127.0.0.1:9090";

/// A Prometheus inside a network namespace. Killed when dropped.
pub struct Prometheus {
    namespace: Netns,
    child: Child,
    log: PathBuf,
    _data: Scratch,
}

impl Prometheus {
    /// Starts the Prometheus that `TEITEN_PROMETHEUS` names, and waits until it answers; without one the
    /// test is skipped. The loopback interface must be up.
    ///
    /// # Panics
    ///
    /// If it does not start, with what it says.
    pub fn start(namespace: &Netns, config: &Path) -> Option<Self> {
        let Some(program) = env::var_os("TEITEN_PROMETHEUS") else {
            skip("there is no Prometheus: run cargo xtask setup --only tests, and tests by cargo xtask test");
            return None;
        };
        let data = Scratch::new();
        let log = data.path("stderr");
        let mut child = namespace
            .command(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.path("tsdb").display()))
            .arg(format!("--web.listen-address={ADDRESS}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a file for what Prometheus says"))
            .spawn()
            .unwrap_or_else(|error| panic!("TEITEN_PROMETHEUS: {error}"));
        wait_for("Prometheus to be ready", || {
            if let Some(status) = child.try_wait().expect("our own child") {
                panic!("Prometheus: {status}\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            let (head, _) = get(namespace, ADDRESS, "/-/ready", "*/*")?;
            head.contains(" 200 ").then_some(())
        });
        Some(Self { namespace: namespace.hold(), child, log, _data: data })
    }

    /// Asks its API; gives the answer's `data`.
    ///
    /// # Panics
    ///
    /// If it answers with an error, or not at all.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/{path}?{}", parameters.join("&"));
        let (_, body) = get(&self.namespace, ADDRESS, &path, "*/*")
            .unwrap_or_else(|| panic!("Prometheus is gone:\n{}", self.log()));
        let mut answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }

    /// The samples of an expression, by the values of these labels, joined by spaces. Those that are not
    /// there are empty.
    ///
    /// # Panics
    ///
    /// If it cannot be evaluated.
    pub fn query(&self, expression: &str, labels: &[&str]) -> BTreeMap<String, f64> {
        let answer = self.api("query", &[("query", expression)]);
        let samples = answer["result"].as_array().unwrap_or_else(|| panic!("no vector: {answer}"));
        let key = |sample: &Value| {
            let values = labels.iter().map(|&label| sample["metric"][label].as_str().unwrap_or_default());
            values.collect::<Vec<_>>().join(" ")
        };
        let value = |sample: &Value| sample["value"][1].as_str().and_then(|value| value.parse().ok());
        samples.iter().map(|sample| (key(sample), value(sample).expect("a number"))).collect()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A value in the query of a URL.
fn encoded(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

/// Asks a server inside a namespace. Gives head and body; `None` if nobody is there.
///
/// # Panics
///
/// If the answer is not one of HTTP.
pub fn get(namespace: &Netns, address: &str, path: &str, accept: &str) -> Option<(String, String)> {
    let mut stream = namespace.enter(|| TcpStream::connect(address)).ok()?;
    // The older protocol, in which answers come in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer}"));
    Some((head.to_owned(), body.to_owned()))
}

/// Runs promtool with these words; what it says. The test is skipped if it is not there.
///
/// # Panics
///
/// If it finds anything wrong, with what it says.
pub fn promtool(words: &[&str], input: &str) -> Option<String> {
    let promtool = env::var_os("TEITEN_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let child = Command::new(promtool)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skip("promtool is not there to judge: run cargo xtask setup --only tests");
        return None;
    };
    // It may not read what it is not interested in.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("our own child");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {words:?}: {said}\n{input}");
    Some(said)
}
