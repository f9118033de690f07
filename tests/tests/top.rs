//! `teiten top` on a terminal, before agents that are played.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};
use teiten_tests::{
    agent::{Agent, Counts, finish, teiten},
    mmdb::countries,
    netns::Netns,
    pty::Pty,
    report::plain,
    root,
    scratch::Scratch,
    skip, wait_for,
};

/// What a played agent answers to the question for the stream.
#[derive(Clone)]
enum Answer {
    /// A stream of what it is told to send.
    Stream,
    /// These bytes, and the end.
    Bytes(Vec<u8>),
}

impl Answer {
    fn of(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n\r\n{body}").into(),
        )
    }

    fn problem(status: &str, detail: &str) -> Self {
        let body = json!({"title": "t", "status": 0, "detail": detail, "parameter": null}).to_string();
        Self::of(status, "Content-Type: application/problem+json", &body)
    }
}

/// A played agent. Gone when dropped, with all its connections.
struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Answer,
    is_over: AtomicBool,
    /// What streams begin with.
    newest: Mutex<Vec<u8>>,
    streams: Mutex<Vec<TcpStream>>,
    /// Heads of the requests.
    requests: Mutex<Vec<String>>,
}

impl Server {
    fn start(answer: Answer) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer)
    }

    fn start_at(address: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).expect("an address of this host");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer,
            is_over: AtomicBool::new(false),
            newest: Mutex::default(),
            streams: Mutex::default(),
            requests: Mutex::default(),
        });
        let of = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if of.is_over.load(Ordering::SeqCst) {
                    break;
                }
                of.serve(stream.expect("a connection"));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// One that has live counts.
    fn live() -> Self {
        let server = Self::start(Answer::Stream);
        server.send(&counts(0));
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends live counts, and begins later streams with them.
    fn send(&self, counts: &Value) {
        self.send_bytes(format!("event: live\ndata: {counts}\n\n").as_bytes());
    }

    fn send_bytes(&self, bytes: &[u8]) {
        let mut streams = self.shared.streams.lock().unwrap();
        *self.shared.newest.lock().unwrap() = bytes.to_vec();
        streams.retain_mut(|stream| stream.write_all(bytes).is_ok());
    }

    fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut head = String::new();
        let mut lines = BufReader::new(&stream);
        while lines.read_line(&mut head).is_ok_and(|length| length > 2) {}
        let is_live = head.starts_with("GET /api/v1/live/stream HTTP/1.1\r\n");
        self.requests.lock().unwrap().push(head);
        let status =
            Answer::of("200 OK", "Content-Type: application/json", r#"{"version":"0.1.0","host":"gate"}"#);
        let (sent, is_stream) = match (if is_live { &self.answer } else { &status }, is_live) {
            (Answer::Bytes(bytes), _) => (stream.write_all(bytes), false),
            (Answer::Stream, _) => {
                let mut streams = self.streams.lock().unwrap();
                let mut bytes =
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 600\n\n".to_vec();
                bytes.extend_from_slice(&self.newest.lock().unwrap());
                let sent = stream.write_all(&bytes);
                streams.push(stream.try_clone().expect("a descriptor"));
                (sent, true)
            }
        };
        // Whoever asked may be gone.
        if sent.is_err() || !is_stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Live counts, as many intervals later; every interval has 1,000 packets.
fn counts(later: u64) -> Value {
    let counts = |times: u64| {
        json!({
            "frames": 1_200 * times, "packets": 1_000 * times, "non_ip": 50 * times, "malformed": 50 * times,
            "unwatched": 50 * times, "local": 50 * times, "lost": 0, "uncounted": 0, "mismatches": 0,
            "bytes": 60_000 * times, "scan": 700 * times, "backscatter": 200 * times, "other": 100 * times,
            "undetermined": 0
        })
    };
    let mut hour = counts(100);
    hour["from"] = json!("2026-11-23T19:20:00Z");
    hour["seconds"] = json!(3_300.0);
    let service = |service: &str, hour: u64| json!({"service": service, "interval": hour / 100, "hour": hour, "total": hour * 10, "series": [1, 2, 3]});
    let region = |region: &str, hour: u64| {
        json!({"region": region, "interval": hour / 100, "hour": hour, "total": hour * 10, "sources": 12,
               "series": [3, 2, 1]})
    };
    let time = |seconds: u64| format!("2026-11-23T20:{:02}:{:02}Z", 15 + seconds / 60, seconds % 60);
    json!({
        "time": time(later * 10 + 10), "start": time(later * 10), "seconds": 10.0,
        "since": "2026-11-23T18:00:00Z", "interval": counts(1), "hour": hour, "total": counts(1_000 + later),
        "series": {"start": [1_795_464_890.0, 1_795_464_900.0], "seconds": [10.0, 10.0],
                   "scan": [350, 700], "backscatter": [200, 200], "other": [100, 100]},
        "services": [service("23/tcp", 40_000), service("445/tcp", 20_000), service("53/udp", 10_000)],
        "regions": [region("NL", 50_000), region("CN", 20_000), region("unknown", 100)],
        "tools": [{"tool": "mirai", "interval": 300, "hour": 30_000, "total": 300_000}],
        "backscatter": [{"service": "80/tcp", "interval": 200, "hour": 20_000, "total": 200_000}],
        "sensors": [{"sensor": "west", "interval": 1_000, "hour": 100_000, "total": 1_000_000, "scan": 700_000,
                     "backscatter": 200_000, "other": 100_000}],
        "interfaces": [{"interface": "eth1", "mode": "native", "up": true, "received": 1_300_000, "dropped": 0}],
        "slots": {"start": [1_795_464_000, 1_795_464_300, 1_795_464_600]},
        "store": null, "messages": []
    })
}

fn top(words: &[&str]) -> Command {
    let mut command = plain();
    command.arg("top").args(words).env_remove("NO_COLOR");
    command
}

/// `teiten top` on a terminal of 80 columns and 24 rows.
fn shown(url: &str) -> Pty {
    Pty::start(top(&["--connect", url]), 80, 24)
}

fn good(pty: Pty) {
    let ended = pty.end().given_back();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text());
}

/// The row of a screen with this text.
fn row(pty: &Pty, text: &str) -> String {
    pty.wait(text, |screen| {
        screen.rows(0, screen.size().1).find(|row| row.contains(text)).map(|row| row.trim_end().to_owned())
    })
}

#[test]
fn ports_and_regions_are_shown() {
    let server = Server::live();
    let pty = shown(&server.url());
    assert_eq!(
        row(&pty, "telnet"),
        "  1 23/tcp     telnet               ▃▆█       40     40,000  57.1 %      400,000"
    );
    assert!(pty.screen().alternate_screen() && pty.screen().hide_cursor() && pty.modes().is_raw());
    // The host's name comes with another answer.
    pty.wait_text("gate at");
    let first = row(&pty, "teiten");
    assert!(
        first.contains(&format!("gate at {}", server.url())) && first.ends_with("2026-11-23 20:15:10Z"),
        "{first}"
    );
    assert!(row(&pty, "packets/s").starts_with("100 packets/s"));
    assert!(row(&pty, "since start").contains("1,000,000"));
    pty.write("\t");
    let regions = row(&pty, " NL ");
    assert!(regions.starts_with("  1 NL ") && regions.contains("71.4 %"), "{regions}");
    assert!(row(&pty, "unknown").starts_with("  – unknown"));
    for (key, text) in [("3", "mirai"), ("4", "80/tcp"), ("5", "west"), ("6", "1,300,000"), ("1", "telnet")] {
        pty.write(key);
        pty.wait_text(text);
    }
    server.send(&counts(1));
    pty.wait_text("20:15:20Z");

    pty.resize(120, 40);
    pty.wait("both side by side", |screen| {
        screen.rows(0, 120).any(|row| row.contains("23/tcp") && row.contains(" NL ")).then_some(())
    });
    pty.resize(30, 5);
    pty.wait_gone("NL");
    // A key that comes at the very moment of a change of size is only read with the next one (crossterm polls by
    // edges, and gives up the rest of a wake-up for the change).
    thread::sleep(std::time::Duration::from_secs(2));
    pty.write("q");
    good(pty);
    let requests = server.requests();
    assert!(
        requests.iter().all(|head| head.contains(&format!("host: {}\r\n", server.address))),
        "{requests:?}"
    );
    assert!(!requests.iter().any(|head| head.to_lowercase().contains("authorization")));
}

#[test]
fn keys_work() {
    let server = Server::live();
    let pty = shown(&server.url());
    pty.wait_text("telnet");
    pty.write("/dom");
    pty.wait_gone("telnet");
    assert!(row(&pty, "53/udp").starts_with("  3 "), "the rank stays");
    pty.write("\x1b");
    pty.wait_text("telnet");

    let order = |pty: &Pty| -> Vec<String> {
        let rows = pty.screen().rows(0, 80).collect::<Vec<_>>();
        rows.into_iter()
            .filter(|row| row.contains("/tcp") || row.contains("/udp"))
            .map(|row| row[4..10].to_owned())
            .collect()
    };
    let wait_order = |expected: [&str; 3]| {
        wait_for(&format!("{expected:?}"), || {
            (order(&pty).iter().map(|port| port.trim()).eq(expected)).then_some(())
        });
    };
    wait_order(["23/tcp", "445/tc", "53/udp"]);
    pty.write("r");
    wait_order(["53/udp", "445/tc", "23/tcp"]);
    pty.write("sss");
    wait_order(["23/tcp", "53/udp", "445/tc"]);
    pty.write("<<");
    wait_order(["23/tcp", "445/tc", "53/udp"]);

    pty.write("p");
    pty.wait_text("PAUSED: 0 updates, 0 packets since");
    server.send(&counts(1));
    pty.wait_text("PAUSED: 1 update, 1,000 packets since");
    assert!(!pty.text().contains("1,001,000"));
    pty.write(" ");
    pty.wait_text("1,001,000");
    pty.wait_gone("PAUSED");

    pty.write("?");
    pty.wait_text("this help");
    pty.write("?");
    pty.wait_gone("this help");
    pty.write("\x03");
    good(pty);
}

#[test]
fn contact_that_is_lost_comes_back() {
    let server = Server::live();
    let (pty, address) = (shown(&server.url()), server.address);
    pty.wait_text("telnet");
    drop(server);
    pty.wait_text("no contact since ");
    pty.wait_text("(nobody answers at");
    pty.wait_text("trying again");
    assert!(pty.text().contains("telnet"), "what was seen stays");
    let server = Server::start_at(address, Answer::Stream);
    server.send(&counts(3));
    pty.wait_text("20:15:40Z");
    pty.wait_gone("no contact");
    pty.write("q");
    good(pty);
}

#[test]
fn signals_give_the_terminal_back() {
    let server = Server::live();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let pty = shown(&server.url());
        pty.wait_text("telnet");
        assert_ne!(&pty.modes(), pty.before());
        pty.signal(signal);
        good(pty);
    }
}

#[test]
fn it_is_suspended_and_goes_on() {
    let server = Server::live();
    // A shell that can continue it, as its parent.
    let mut command = Command::new("sh");
    let script = r#"set -m; "$0" "$@"; echo "stopped with $?"; read line; fg; echo "ended with $?""#;
    let inner = top(&["--connect", &server.url()]);
    command.args(["-c", script]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let pty = Pty::start(command, 80, 24);
    pty.wait_text("telnet");
    pty.write("\x1a");
    pty.wait_text(&format!("stopped with {}", 128 + libc::SIGTSTP));
    assert_eq!(&pty.modes(), pty.before());
    assert!(!pty.screen().alternate_screen() && !pty.screen().hide_cursor());
    pty.write("\n");
    pty.wait_text("telnet");
    pty.wait("its screen", |screen| (screen.alternate_screen() && pty.modes().is_raw()).then_some(()));
    pty.write("q");
    pty.wait_text("ended with 0");
    good(pty);
}

#[test]
fn without_a_shell_it_is_not_suspended() {
    let server = Server::live();
    let pty = shown(&server.url());
    pty.wait_text("telnet");
    pty.write("\x1a/dom");
    pty.wait_gone("telnet");
    assert!(pty.modes().is_raw());
    pty.signal(libc::SIGTERM);
    good(pty);
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    let server = Server::live();
    let pty = shown(&server.url());
    pty.wait_text("telnet");
    // By the signal or by what cannot be drawn any more, whichever comes first.
    let status = pty.hang_up();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
}

#[test]
fn garbage_is_told_and_survived() {
    let server = Server::live();
    let pty = shown(&server.url());
    pty.wait_text("telnet");
    let mut hostile = counts(1);
    hostile["sensors"][0]["sensor"] = json!("we\u{1b}[2Jst\u{202e}\r\n");
    hostile["messages"] = json!(["\u{1b}]0;title\u{7}bad\u{9b}31m news"]);
    hostile["seconds"] = json!(-1.0);
    server.send(&hostile);
    // The screen of the tests leaves U+FFFD out.
    pty.wait_text("]0;titlebad31m news");
    assert!(pty.text().contains("telnet"), "the screen is not cleared");
    assert_eq!(pty.title(), b"", "no command to the terminal comes through");
    pty.write("5");
    pty.wait_text("we[2Jst");
    pty.write("1");

    let wrong = [
        ("event: live\ndata: {\"time\": 7}\n\n".as_bytes().to_vec(), "what are no live counts"),
        (b"event: live\ndata: \xff\xfe\x00\x1b[2J\n\n".to_vec(), "what are no live counts"),
        ([b"data: ".to_vec(), vec![b'x'; 3 << 20]].concat(), "an event of more than 2 MiB"),
    ];
    for (later, (bytes, told)) in (2..).zip(wrong) {
        server.send_bytes(&bytes);
        pty.wait_text(told);
        server.send(&counts(later));
        pty.wait_text(&format!("20:15:{}0Z", later + 1));
        pty.wait_gone("no contact");
    }
    // What goes on in the middle of a line is no event, what comes then is.
    server.send_bytes(&vec![b'['; 1 << 20]);
    server.send(&counts(6));
    server.send(&counts(7));
    pty.wait_text("20:16:20Z");
    pty.write("q");
    good(pty);
}

/// How a start before an agent that answers this ends: what is said.
fn refused(answer: Answer, words: &[&str]) -> String {
    let server = Server::start(answer);
    let url = server.url();
    let ended = Pty::start(top(&[&["--connect", &url], words].concat()), 200, 24).end().given_back();
    assert_eq!(ended.status.code(), Some(1));
    ended.text().replace(&url, "URL").trim().to_owned()
}

#[test]
fn who_does_not_answer_is_told_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = Pty::start(top(&["--connect", &format!("http://{free}")]), 200, 24).end().given_back();
    assert_eq!(ended.status.code(), Some(1));
    let told = format!(
        "error: nobody answers at http://{free}: Connection refused (os error 111); start an agent (`teiten run`), or \
         say where one listens with --connect URL"
    );
    assert_eq!(ended.text().trim(), told);
}

#[test]
fn what_no_agent_says_is_told() {
    let scratch = Scratch::new();
    let token = scratch.write("token", "Zm9yIHRoZSB0ZXN0IG9mIHRva2Vucw\n");
    let with_token = ["--token-file", token.to_str().unwrap()];
    let cases: [(Answer, &[&str], &str); 9] = [
        (
            Answer::problem("401 Unauthorized", "token needed"),
            &[],
            "error: URL wants a token: name its file with --token-file FILE, or in TEITEN_TOKEN_FILE",
        ),
        (
            Answer::problem("401 Unauthorized", "this token is not known"),
            &with_token,
            "error: URL does not take the token in --token-file: this token is not known",
        ),
        (
            Answer::problem("404 Not Found", "no agent runs here"),
            &[],
            "error: no live counts at URL: no agent runs here",
        ),
        (
            Answer::of("404 Not Found", "Content-Type: text/html", "<h1>nginx</h1>"),
            &[],
            "error: URL answers, but not with live counts; is it an agent's? --connect URL says where one listens",
        ),
        (
            Answer::of("200 OK", "Content-Type: text/html", "<h1>nginx</h1>"),
            &[],
            "error: URL answers, but not with live counts; is it an agent's? --connect URL says where one listens",
        ),
        (
            Answer::of("302 Found", "Location: http://192.0.2.1/\u{1b}[2J", ""),
            &with_token,
            "error: URL does not speak HTTP",
        ),
        (
            Answer::of("302 Found", "Location: http://192.0.2.1/", ""),
            &with_token,
            "error: URL says that it is elsewhere: http://192.0.2.1/; if that is right, name it with --connect",
        ),
        (
            Answer::problem("503 Service Unavailable", "too many streams"),
            &[],
            "error: URL answers 503 Service Unavailable: too many streams",
        ),
        (
            Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            &[],
            "error: URL does not speak HTTP as an agent does: ",
        ),
    ];
    for (answer, words, told) in cases {
        let text = refused(answer, words);
        assert!(text.starts_with(told), "{text}\nis not\n{told}");
    }
}

#[test]
fn the_token_is_sent() {
    let scratch = Scratch::new();
    let token = scratch.write("token", "Zm9yIHRoZSB0ZXN0IG9mIHRva2Vucw\n");
    let server = Server::live();
    let mut command = top(&["--connect", &format!("{}/behind/", server.url())]);
    command.env("TEITEN_TOKEN_FILE", token);
    // A path that the played agent answers otherwise: all that counts is what was asked for.
    let ended = Pty::start(command, 80, 24).end().given_back();
    assert_eq!(ended.status.code(), Some(1));
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /behind/api/v1/live/stream HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains("authorization: Bearer Zm9yIHRoZSB0ZXN0IG9mIHRva2Vucw\r\n"), "{requests:?}");
}

/// A certificate for `localhost` that vouches for itself.
const CERTIFICATE: &str = "[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = localhost
[extensions]
subjectAltName = DNS:localhost
basicConstraints = critical,CA:FALSE
";

#[test]
fn a_server_with_tls_must_be_known() {
    let scratch = Scratch::new();
    let openssl = |words: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(words).current_dir(scratch.path("."));
        command
    };
    scratch.write("req.conf", CERTIFICATE);
    let words =
        ["req", "-x509", "-config", "req.conf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    match openssl(&[&words[..], &["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]].concat())
        .output()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return skip("there is no openssl"),
        made => assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}"),
    }
    // It sends what is in the file that has the request's path.
    fs::create_dir_all(scratch.path("api/v1/live")).unwrap();
    let stream = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: live\ndata: {}\n\n",
        counts(0)
    );
    scratch.write("api/v1/live/stream", stream);
    let words = ["s_server", "-HTTP", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"];
    let server = Agent::start(openssl(&words));
    let port = server.wait_stdout("its port", |lines| {
        lines.iter().find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned))
    });
    let url = format!("https://localhost:{port}");

    let certificate = scratch.path("cert.pem");
    let pty = Pty::start(top(&["--connect", &url, "--ca-file", certificate.to_str().unwrap()]), 80, 24);
    pty.wait_text("telnet");
    pty.wait_text("no contact since ");
    pty.wait_text("(the agent has ended the connection)");
    pty.write("q");
    good(pty);

    let ended = Pty::start(top(&["--connect", &url]), 200, 24).end().given_back();
    assert_eq!(ended.status.code(), Some(1));
    let text = ended.text();
    let told = format!("error: no TLS with {url}: ");
    assert!(text.starts_with(&told) || text.contains("no certificates of authorities"), "{text}");
}

#[test]
fn without_a_terminal_it_says_so() {
    let server = Server::live();
    let mut command = top(&["--connect", &server.url()]);
    command.stdin(Stdio::null());
    let finished = finish(command);
    assert_eq!(finished.code(), 1);
    assert_eq!(finished.stdout, "");
    assert_eq!(
        finished.stderr,
        "error: top wants a terminal; for a pipe there is `teiten run --format jsonl`\n"
    );
    assert!(server.requests().is_empty());
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    let server = Server::live();
    let mut lost = counts(0);
    lost["total"]["lost"] = json!(7);
    server.send(&lost);
    for no_color in ["", "1"] {
        let mut command = top(&["--connect", &server.url()]);
        command.env("NO_COLOR", no_color);
        let pty = Pty::start(command, 80, 24);
        pty.wait_text("lost 7 since start");
        let screen = pty.screen();
        let cells = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
        let cells: Vec<_> = cells.filter_map(|(row, column)| screen.cell(row, column)).collect();
        let has_colours = cells.iter().any(|cell| cell.fgcolor() != vt100::Color::Default);
        assert_eq!(has_colours, no_color.is_empty());
        assert!(cells.iter().all(|cell| cell.bgcolor() == vt100::Color::Default));
        let alarm = row(&pty, "lost 7 since start");
        let line = screen.rows(0, 80).position(|row| row.trim_end() == alarm).unwrap();
        assert!(screen.cell(u16::try_from(line).unwrap(), 0).unwrap().bold());
        pty.write("q");
        good(pty);
    }
}

#[test]
fn the_numbers_are_the_agents() {
    if !root() {
        return;
    }
    let (outside, scratch) = (Netns::new(), Scratch::new());
    outside.ip("link set lo up");
    let mut demo = teiten(&outside);
    demo.env_remove("TEITEN_LISTEN");
    demo.args(["demo", "--format=jsonl", "--interval=1s", "--seed=1", "--country"]);
    demo.arg(scratch.write("country.mmdb", countries(&[(20, "NL"), (21, "RU"), (22, "US"), (23, "CN")])));
    let agent = Agent::start(demo);
    agent.wait_message("dashboard: http://127.0.0.1:8642/");
    agent.wait_frames(1_000);

    // Where an agent listens unless told otherwise, and where one is looked for.
    let mut command = teiten(&outside);
    command.arg("top").env_remove("NO_COLOR");
    let pty = Pty::start(command, 160, 24);
    let first = row(&pty, "23/tcp");
    assert!(first.contains("telnet"), "{first}");
    pty.wait_text(" NL ");
    pty.wait_text("teiten0 (native)");
    pty.write("p");
    pty.wait_text("PAUSED");
    let shown: u64 = {
        let counts = row(&pty, "since start  ");
        let packets = counts.split_whitespace().nth(2).expect("packets").replace(',', "");
        packets.parse().unwrap_or_else(|_| panic!("packets in {counts}"))
    };
    agent.wait_stdout(&format!("an interval that ends with {shown} packets"), |lines| {
        (0..=lines.len())
            .find(|&end| Counts::of(lines[..end].iter().map(String::as_str)).total("packets") == shown)
    });
    agent.interrupt().good();
    pty.wait_text("no contact since ");
    pty.write("q");
    good(pty);
}
