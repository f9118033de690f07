//! Headless Chromium, spoken to by the `DevTools` protocol over a pipe: what a page does, and how it looks.
//!
//! The protocol is that of <https://chromedevtools.github.io/devtools-protocol/>: JSON, each message ended by a zero
//! byte; with `--remote-debugging-pipe` the browser reads them from descriptor 3 and writes to 4.

use std::{
    cell::RefCell,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{DEADLINE, scratch::Scratch, skip, wait_for};

/// A browser with a profile of its own. Ended, with all its processes, when dropped.
pub struct Browser {
    child: Child,
    profile: Scratch,
    pipe: RefCell<Pipe>,
}

struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    /// Number of the last call.
    calls: u64,
    events: Vec<Event>,
}

/// What a page told without being asked.
struct Event {
    session: String,
    method: String,
    params: Value,
}

/// A page that is open. Closed when dropped.
pub struct Page<'a> {
    browser: &'a Browser,
    target: String,
    session: String,
    /// Events before this one are of documents before.
    since: RefCell<usize>,
}

/// What style sheets may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    pub is_print: bool,
    pub is_dark: bool,
}

impl Browser {
    /// Starts the Chromium that `TEITEN_CHROMIUM` names; without one the test is skipped.
    ///
    /// It reaches nothing but this host: no other name is resolved.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start() -> Option<Self> {
        let Some(program) = env::var_os("TEITEN_CHROMIUM") else {
            skip("there is no Chromium: run cargo xtask setup --only tests, and tests by cargo xtask test");
            return None;
        };
        let profile = Scratch::new();
        let log = fs::File::create(profile.path("stderr")).expect("a file for what the browser says");
        // SAFETY: no preconditions.
        let is_root = unsafe { libc::geteuid() } == 0;
        // The shell moves the pipes to where the browser looks for them.
        let mut child = Command::new("sh")
            .args(["-c", "exec 3<&0 4>&1 </dev/null >&2; exec \"$0\" \"$@\""])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"])
            .args(["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--no-proxy-server"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"])
            .args(["--font-render-hinting=none", "--force-color-profile=srgb"])
            // Its sandbox does not run as root.
            .args(is_root.then_some("--no-sandbox"))
            .arg(format!("--user-data-dir={}", profile.path("profile").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("a shell");
        let to = child.stdin.take().expect("its standard input is a pipe");
        let mut from = BufReader::new(child.stdout.take().expect("its standard output is a pipe"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let pipe = Pipe { to, from: receiver, calls: 0, events: Vec::new() };
        let browser = Self { child, profile, pipe: RefCell::new(pipe) };
        browser.call("", "Browser.getVersion", json!({}));
        Some(browser)
    }

    /// Opens an empty page.
    ///
    /// # Panics
    ///
    /// If the browser does not.
    pub fn page(&self) -> Page<'_> {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let target = text(&self.call("", "Target.createTarget", json!({"url": "about:blank"}))["targetId"]);
        let attach = json!({"targetId": target, "flatten": true});
        let session = text(&self.call("", "Target.attachToTarget", attach)["sessionId"]);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&session, &format!("{domain}.enable"), json!({}));
        }
        Page { browser: self, target, session, since: RefCell::new(0) }
    }

    /// Sends a command, and waits for its result.
    fn call(&self, session: &str, method: &str, params: Value) -> Value {
        let call = self.pipe.borrow_mut().send(session, method, params);
        let start = Instant::now();
        loop {
            let message = self.next(start, method);
            if message["id"] != call {
                self.pipe.borrow_mut().take(message);
                continue;
            }
            if let Some(error) = message.get("error") {
                panic!("{method}: {error}");
            }
            return message["result"].clone();
        }
    }

    /// Waits for an event after a number of others.
    fn event(&self, session: &str, method: &str, after: usize) {
        let start = Instant::now();
        let is_it = |event: &Event| event.session == session && event.method == method;
        while !self.pipe.borrow().events[after..].iter().any(is_it) {
            let message = self.next(start, method);
            self.pipe.borrow_mut().take(message);
        }
    }

    /// The next message.
    fn next(&self, start: Instant, waiting_for: &str) -> Value {
        let rest = DEADLINE.saturating_sub(start.elapsed());
        let message = self.pipe.borrow().from.recv_timeout(rest);
        message.unwrap_or_else(|error| {
            let said = fs::read_to_string(self.profile.path("stderr")).unwrap_or_default();
            panic!("waited in vain for {waiting_for}: {error}; the browser said:\n{said}")
        })
    }
}

impl Pipe {
    /// Sends a command; gives its number.
    fn send(&mut self, session: &str, method: &str, params: Value) -> u64 {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        let sent = self.to.write_all(format!("{message}\0").as_bytes()).and_then(|()| self.to.flush());
        sent.unwrap_or_else(|error| panic!("{method}: the browser is gone: {error}"));
        self.calls
    }

    /// Keeps an event. A request that waits to be decided on is one to refuse.
    fn take(&mut self, mut message: Value) {
        let Some(method) = message["method"].as_str().map(str::to_owned) else { return };
        let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
        let params = message["params"].take();
        if method == "Fetch.requestPaused" {
            let refusal = json!({"requestId": params["requestId"], "errorReason": "BlockedByClient"});
            self.send(&session, "Fetch.failRequest", refusal);
        }
        self.events.push(Event { session, method, params });
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // SAFETY: no preconditions; the group is the child's own, which has not been waited for.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        let _ = self.child.wait();
    }
}

impl Page<'_> {
    fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(&self.session, method, params)
    }

    /// Opens a URL, and waits until all of it is loaded.
    ///
    /// # Panics
    ///
    /// If it cannot be reached.
    pub fn open(&self, url: &str) {
        let before = self.forget();
        let result = self.call("Page.navigate", json!({"url": url}));
        assert_eq!(result.get("errorText"), None, "{url}");
        self.browser.event(&self.session, "Page.loadEventFired", before);
    }

    /// Opens a file.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn open_file(&self, file: &Path) {
        let file = file.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.open(&format!("file://{}", file.display()));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        let before = self.forget();
        self.call("Page.reload", json!({}));
        self.browser.event(&self.session, "Page.loadEventFired", before);
    }

    /// What has happened so far is of a document before.
    fn forget(&self) -> usize {
        let count = self.browser.pipe.borrow().events.len();
        *self.since.borrow_mut() = count;
        count
    }

    /// Refuses requests whose URLs are like one of the patterns, in which `*` stands for any text.
    pub fn refuse(&self, patterns: &[&str]) {
        let patterns: Vec<_> = patterns.iter().map(|pattern| json!({"urlPattern": pattern})).collect();
        self.call("Fetch.enable", json!({"patterns": patterns}));
    }

    /// Size of the window's inside, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// What style sheets are told.
    pub fn media(&self, media: Media) {
        let scheme = if media.is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let medium = if media.is_print { "print" } else { "screen" };
        self.call("Emulation.setEmulatedMedia", json!({"media": medium, "features": features}));
    }

    /// The value of an expression; of a promise, what it becomes.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn evaluate(&self, expression: &str) -> Value {
        let what = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", what);
        if let Some(exception) = result.get("exceptionDetails") {
            panic!("{expression}\nthrew {exception}");
        }
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    ///
    /// If it does not become true in time.
    pub fn wait_until(&self, expression: &str) {
        wait_for(expression, || (self.evaluate(expression) == true).then_some(()));
    }

    /// What stood in the console since the page was opened: the page's own messages, exceptions that nobody
    /// caught, and what the browser complained about.
    pub fn messages(&self) -> Vec<String> {
        self.told(|event| match event.method.as_str() {
            "Runtime.consoleAPICalled" => {
                Some(format!("console.{}: {}", event.params["type"], event.params["args"]))
            }
            "Runtime.exceptionThrown" => Some(format!("exception: {}", event.params["exceptionDetails"])),
            "Log.entryAdded" => Some(format!("log: {}", event.params["entry"]["text"])),
            _ => None,
        })
    }

    /// URLs that were asked for since the page was opened, its own the first; not those that hold their content
    /// themselves.
    pub fn requests(&self) -> Vec<String> {
        self.told(|event| {
            let url = event.params["request"]["url"].as_str()?;
            (event.method == "Network.requestWillBeSent" && !url.starts_with("data:")).then(|| url.to_owned())
        })
    }

    /// Requests that came to nothing, and why.
    pub fn failures(&self) -> Vec<String> {
        self.told(|event| {
            let text = event.params["errorText"].as_str()?;
            (event.method == "Network.loadingFailed").then(|| text.to_owned())
        })
    }

    fn told(&self, mut tell: impl FnMut(&Event) -> Option<String>) -> Vec<String> {
        // What was said before an answer has arrived before it.
        self.evaluate("new Promise(done => setTimeout(done))");
        let pipe = self.browser.pipe.borrow();
        let events = pipe.events[*self.since.borrow()..].iter();
        events.filter(|event| event.session == self.session).filter_map(&mut tell).collect()
    }

    /// The whole page as a PNG.
    ///
    /// # Panics
    ///
    /// If the browser sends none.
    pub fn screenshot(&self) -> Vec<u8> {
        bytes(&self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true})))
    }

    /// What the window shows of an element, as a PNG.
    ///
    /// # Panics
    ///
    /// If there is no such element, or the browser sends no picture.
    pub fn screenshot_of(&self, selector: &str) -> Vec<u8> {
        let clip = self.evaluate(&format!(
            "(() => {{ const {{ x, y, width, height }} = document.querySelector({}).getBoundingClientRect();\
             return {{ x, y, width: Math.min(width, innerWidth), height: Math.min(height, innerHeight), scale: 1 }} }})()",
            json!(selector)
        ));
        bytes(&self.call("Page.captureScreenshot", json!({"format": "png", "clip": clip})))
    }

    /// The page as a PDF file, of the size that it asks for.
    ///
    /// # Panics
    ///
    /// If the browser sends none.
    pub fn pdf(&self) -> Vec<u8> {
        bytes(&self.call("Page.printToPDF", json!({"preferCSSPageSize": true, "printBackground": true})))
    }
}

fn bytes(result: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(result["data"].as_str().expect("data as text")).expect("data in base 64")
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.browser.call("", "Target.closeTarget", json!({"targetId": self.target}));
        }
    }
}
