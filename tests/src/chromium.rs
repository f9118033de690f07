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
    /// Answers that do not come from where they are asked for: session, part of the URL, type and body.
    made: Vec<(String, String, &'static str, String)>,
    /// Sessions of frames that have a process of their own, and of the pages that they are in.
    frames: Vec<(String, String)>,
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

/// What assistive technology is told of a part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Such as `link`, `button`, `table`.
    pub role: String,
    pub name: String,
}

/// A key, by its name in the standard (UI Events), its number in Windows, and the text that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(&'static str, u32, &'static str);

impl Key {
    pub const TAB: Self = Self("Tab", 9, "");
    pub const ENTER: Self = Self("Enter", 13, "\r");
    pub const ESCAPE: Self = Self("Escape", 27, "");
    pub const LEFT: Self = Self("ArrowLeft", 37, "");
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
        let pipe =
            Pipe { to, from: receiver, calls: 0, events: Vec::new(), made: Vec::new(), frames: Vec::new() };
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
        // In a window of its own: what is behind another tab is not drawn.
        let create = json!({"url": "about:blank", "newWindow": true});
        let target = text(&self.call("", "Target.createTarget", create)["targetId"]);
        let attach = json!({"targetId": target, "flatten": true});
        let session = text(&self.call("", "Target.attachToTarget", attach)["sessionId"]);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&session, &format!("{domain}.enable"), json!({}));
        }
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true});
        self.call(&session, "Target.setAutoAttach", attach);
        Page { browser: self, target, session, since: RefCell::new(0) }
    }

    /// Keeps what is downloaded in a directory, under the names that the pages give.
    pub fn keep_downloads(&self, directory: &Path) {
        let how = json!({"behavior": "allow", "downloadPath": directory});
        self.call("", "Browser.setDownloadBehavior", how);
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

    /// Keeps an event. A request that waits to be decided on is one to answer or to refuse, a dialog one to refuse.
    fn take(&mut self, mut message: Value) {
        let Some(method) = message["method"].as_str().map(str::to_owned) else { return };
        let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
        let params = message["params"].take();
        if method == "Fetch.requestPaused" {
            let url = params["request"]["url"].as_str().unwrap_or_default();
            let made = self.made.iter().find(|(of, part, ..)| *of == session && url.contains(part));
            let (method, what) = match made {
                Some((.., kind, body)) => (
                    "Fetch.fulfillRequest",
                    json!({
                        "requestId": params["requestId"], "responseCode": 200, "body": BASE64_STANDARD.encode(body),
                        "responseHeaders": [{"name": "content-type", "value": kind}],
                    }),
                ),
                None => (
                    "Fetch.failRequest",
                    json!({"requestId": params["requestId"], "errorReason": "BlockedByClient"}),
                ),
            };
            self.send(&session, method, what);
        }
        if method == "Page.javascriptDialogOpening" {
            self.send(&session, "Page.handleJavaScriptDialog", json!({"accept": false}));
        }
        // What a frame does is done by its page.
        if method == "Target.attachedToTarget" && !session.is_empty() {
            let frame = params["sessionId"].as_str().unwrap_or_default().to_owned();
            for domain in ["Runtime", "Network", "Log"] {
                self.send(&frame, &format!("{domain}.enable"), json!({}));
            }
            self.frames.push((frame, session.clone()));
        }
        let page = self.frames.iter().find(|(frame, _)| *frame == session);
        let session = page.map_or(session, |(_, page)| page.clone());
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

    /// Answers requests whose URLs contain a text, in the server's place.
    pub fn answer(&self, part: &str, kind: &'static str, body: &str) {
        let made = (self.session.clone(), part.to_owned(), kind, body.to_owned());
        self.browser.pipe.borrow_mut().made.push(made);
        let own = |(session, part, ..): &(String, String, _, _)| {
            (*session == self.session).then(|| format!("*{part}*"))
        };
        let patterns: Vec<_> = self.browser.pipe.borrow().made.iter().filter_map(own).collect();
        self.refuse(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
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

    /// The language that the browser asks for, such as `ja`.
    pub fn prefer_language(&self, language: &str) {
        let agent = self.evaluate("navigator.userAgent");
        let what = json!({"userAgent": agent, "acceptLanguage": language});
        self.call("Emulation.setUserAgentOverride", what);
    }

    /// Moves the pointer onto the middle of an element, which is scrolled to; gives its place.
    ///
    /// # Panics
    ///
    /// If there is no such element, or another one lies over it.
    pub fn point(&self, selector: &str) -> (f64, f64) {
        let place = self.evaluate(&format!(
            "(() => {{
                const element = document.querySelector({0});
                if (!element) return `there is no ${{{0}}}`;
                element.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }});
                const {{ x, y, width, height }} = element.getClientRects()[0] ?? {{}};
                const at = [x + width / 2, y + height / 2];
                const there = document.elementFromPoint(...at);
                return element.contains(there) ? at : `${{there?.outerHTML}} is at ${{at}}, over ${{{0}}}`;
            }})()",
            json!(selector)
        ));
        let at = |axis: usize| place[axis].as_f64().unwrap_or_else(|| panic!("{place}"));
        let (x, y) = (at(0), at(1));
        self.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y}));
        (x, y)
    }

    /// Clicks on an element with the left button, as a hand does.
    ///
    /// # Panics
    ///
    /// As [`Page::point`].
    pub fn click(&self, selector: &str) {
        let (x, y) = self.point(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let what = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", what);
        }
    }

    /// Presses and releases a key.
    pub fn press(&self, Key(name, number, text): Key) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let what = json!({
                "type": kind, "key": name, "code": name, "text": text,
                "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
            });
            self.call("Input.dispatchKeyEvent", what);
        }
    }

    /// Writes a text in the place of what stands in a field, and presses Enter.
    ///
    /// # Panics
    ///
    /// As [`Page::point`].
    pub fn write(&self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate("document.activeElement.select()");
        self.call("Input.insertText", json!({"text": text}));
        self.press(Key::ENTER);
    }

    /// Chooses one of the options of a list.
    ///
    /// # Panics
    ///
    /// If there is no such list or option.
    pub fn choose(&self, selector: &str, value: &str) {
        let chosen = self.evaluate(&format!(
            "(() => {{
                const list = document.querySelector({});
                list.value = {};
                list.dispatchEvent(new Event('change', {{ bubbles: true }}));
                return list.selectedIndex >= 0;
            }})()",
            json!(selector),
            json!(value)
        ));
        assert_eq!(chosen, true, "{selector} has no {value}");
    }

    /// What assistive technology is told of the page, part by part.
    ///
    /// # Panics
    ///
    /// If the browser does not say.
    pub fn accessibility(&self) -> Vec<Node> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().expect("nodes");
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        let told = nodes.iter().filter(|node| node["ignored"] != true);
        told.map(|node| Node { role: text(&node["role"]), name: text(&node["name"]) }).collect()
    }

    /// The cookies that the page's server gets, as the protocol describes them.
    ///
    /// # Panics
    ///
    /// If the browser does not say.
    pub fn cookies(&self) -> Vec<Value> {
        self.call("Network.getCookies", json!({}))["cookies"].as_array().expect("cookies").clone()
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

    /// The value of an expression in the newest frame within the page that has a process of its own, as those have
    /// that may do nothing; none if there is no such frame, or not yet.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn frame(&self, expression: &str) -> Option<Value> {
        let frames = self.told(|event| {
            let session = event.params["sessionId"].as_str()?;
            let end = match event.method.as_str() {
                "Target.attachedToTarget" => false,
                "Target.detachedFromTarget" => true,
                _ => return None,
            };
            Some((session.to_owned(), end))
        });
        let is_there = |session: &String| !frames.contains(&(session.clone(), true));
        let (session, _) = frames.iter().rev().find(|(session, _)| is_there(session))?;
        let what = json!({"expression": expression, "returnByValue": true});
        let result = self.browser.call(session, "Runtime.evaluate", what);
        assert_eq!(result.get("exceptionDetails"), None, "{expression}");
        Some(result["result"]["value"].clone())
    }

    /// Waits until an expression is true, or something that is there.
    ///
    /// # Panics
    ///
    /// If it does not become so in time.
    pub fn wait_until(&self, expression: &str) {
        wait_for(expression, || (self.evaluate(&format!("Boolean({expression})")) == true).then_some(()));
    }

    /// What stood in the console since the page was opened: the page's own messages, exceptions that nobody
    /// caught, what the browser complained about, and dialogs.
    pub fn messages(&self) -> Vec<String> {
        self.told(|event| match event.method.as_str() {
            "Runtime.consoleAPICalled" => {
                Some(format!("console.{}: {}", event.params["type"], event.params["args"]))
            }
            "Runtime.exceptionThrown" => Some(format!("exception: {}", event.params["exceptionDetails"])),
            "Log.entryAdded" => Some(format!("log: {}", event.params["entry"]["text"])),
            "Page.javascriptDialogOpening" => Some(format!("dialog: {}", event.params["message"])),
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

    /// Why requests came to nothing, but for those that the page itself gave up.
    pub fn failures(&self) -> Vec<String> {
        self.told(|event| {
            let text = event.params["errorText"].as_str()?;
            let failed = event.method == "Network.loadingFailed" && event.params["canceled"] != true;
            failed.then(|| text.to_owned())
        })
    }

    /// Status codes of the answers since the page was opened, and what they answer.
    pub fn answers(&self) -> Vec<(u64, String)> {
        self.told(|event| {
            let response = &event.params["response"];
            let answer = (response["status"].as_u64()?, response["url"].as_str()?.to_owned());
            (event.method == "Network.responseReceived").then_some(answer)
        })
    }

    /// Data of the server-sent events since the page was opened.
    pub fn streamed(&self) -> Vec<String> {
        self.told(|event| {
            let data = event.params["data"].as_str()?;
            (event.method == "Network.eventSourceMessageReceived").then(|| data.to_owned())
        })
    }

    fn told<T>(&self, mut tell: impl FnMut(&Event) -> Option<T>) -> Vec<T> {
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
