//! The dashboard in a browser: what pages show is what the agent says and the store keeps; in both languages, light
//! and dark, on a desk and on a telephone, by hand and by keyboard, and whatever others have put into it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use jiff::{Timestamp, tz::TimeZone};
use rusqlite::Connection;
use serde_json::{Value, json};
use teiten_tests::{
    DEADLINE,
    agent::{Agent, Counts, Finished},
    bpffs::Pins,
    chromium::{Browser, Key, Media, Node, Page},
    mmdb::countries,
    report::{copied, csv_rows, plain, run, shared},
    root,
    scratch::Scratch,
    wait_for,
};

/// Widths of a desk's and a telephone's screen.
const WIDTHS: [u32; 2] = [1440, 360];

const ZONE: &str = "Asia/Tokyo";

/// What becomes of a frame.
const OUTCOMES: [&str; 6] = ["frames", "packets", "non_ip", "malformed", "unwatched", "local"];
/// What must not happen to one.
const LOSSES: [&str; 3] = ["lost", "uncounted", "mismatches"];
const SPANS: [&str; 3] = ["interval", "hour", "total"];

/// The regions of /8 networks, which are all that the database knows.
const REGIONS: [(u8, &str); 16] = [
    (20, "NL"),
    (21, "RU"),
    (22, "US"),
    (23, "CN"),
    (24, "RO"),
    (25, "EG"),
    (26, "BR"),
    (27, "TW"),
    (28, "VN"),
    (29, "IN"),
    (30, "JP"),
    (31, "IR"),
    (32, "KR"),
    (33, "DE"),
    (34, "FR"),
    (35, "GB"),
];

/// A store with eleven weeks of made traffic, and the database that it was made with; root only.
static PAST: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let scratch = shared();
    let database = scratch.write("country.mmdb", countries(&REGIONS));
    let scenario = scratch.write("past.toml", include_str!("dashboard/past.toml"));
    let store = scratch.path("past.db");
    let mut command = plain();
    command.arg("synth").arg(scenario).arg("--country").arg(&database).arg("--store").arg(&store);
    run(command).good();
    (store, database)
});

/// Something that serves a dashboard.
struct Server {
    agent: Agent,
    port: u16,
}

/// The answer to a request.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    /// `teiten` with a subcommand, at a port that is free.
    fn start(words: &[&str], at: impl FnOnce(&mut Command)) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(port, words, at)
    }

    fn start_at(port: u16, words: &[&str], set: impl FnOnce(&mut Command)) -> Self {
        let mut command = plain();
        command.args(words).arg(format!("--listen=127.0.0.1:{port}"));
        set(&mut command);
        let agent = Agent::start(command);
        agent.wait_message(&format!("dashboard: http://127.0.0.1:{port}/"));
        Self { agent, port }
    }

    /// `teiten serve` of a store.
    fn store(store: &Path, words: &[&str]) -> Self {
        Self::start(&[&["serve"][..], words].concat(), |command| {
            command.arg("--store").arg(store);
        })
    }

    /// `teiten demo` with a store.
    fn demo(port: Option<u16>, store: &Path, pins: &Pins, words: &[&str]) -> Self {
        let words =
            [&["demo", "--format=jsonl", "--interval=2s", "--seed=1", "--rate=2000"][..], words].concat();
        let set = |command: &mut Command| {
            command.args(["--time-zone", ZONE, "--spill-memory=1M", "--by=class,protocol,dst_port"]);
            command.arg("--store").arg(store).arg("--pin-path").arg(pins.path());
            command.arg("--country").arg(&PAST.1);
        };
        match port {
            Some(port) => Self::start_at(port, &words, set),
            None => Self::start(&words, set),
        }
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Opens one of its pages, and waits until nothing is missing.
    fn open(&self, page: &Page<'_>, path: &str) {
        page.open(&format!("{}{path}", self.origin()));
        settle(page);
    }

    /// Asks without a browser; `lines` go into the head.
    fn get(&self, path: &str, lines: &str) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a server");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // Of this version answers come in one piece, whose end is that of the connection.
        write!(stream, "GET /{path} HTTP/1.0\r\nhost: 127.0.0.1\r\n{lines}\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {text}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{path}: {head}"));
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// An answer of the API.
    fn api(&self, path: &str) -> Value {
        // An agent that has just started has no interval to tell of.
        let Reply { status, body, .. } = wait_for(path, || {
            let reply = self.get(&format!("api/v1/{path}"), "");
            (reply.status != 503).then_some(reply)
        });
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }
}

/// Calls a function of the reader in the page.
fn read(page: &Page<'_>, call: &str) -> Value {
    page.evaluate(&format!("({}).{call}", include_str!("dashboard/reader.js")))
}

/// Waits until a page waits for nothing, and all has found its place.
fn settle(page: &Page<'_>) {
    wait_for("a page that is complete", || read(page, "pending()").is_null().then_some(()));
    wait_laid_out(page);
}

/// Waits until what was put into a page has its size, and what hangs on that has been drawn.
fn wait_laid_out(page: &Page<'_>) {
    let frames =
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))";
    page.evaluate(frames);
}

/// Gives the window another size.
fn resize(page: &Page<'_>, width: u32) {
    page.resize(width, 900);
    wait_laid_out(page);
}

/// Waits until a page shows a text.
fn wait_shown(page: &Page<'_>, text: &str) {
    let what = format!("{text} at {}", page.evaluate("location.href"));
    wait_for(&what, || (read(page, &format!("shows({})", json!(text))) == true).then_some(()));
}

/// What one of the checks that reports share complains about.
fn clean(page: &Page<'_>, check: &str, place: &str) {
    let faults = page.evaluate(&format!("({}).{check}", include_str!("pages/checks.js")));
    let faults: Vec<_> =
        faults.as_array().expect("a list").iter().map(|fault| fault.as_str().unwrap()).collect();
    assert!(faults.is_empty(), "{place}: {check}:\n{}", faults.join("\n"));
}

/// Holds a page to it that it said nothing, and asked nobody but its own server, which answered.
#[track_caller]
fn assert_quiet(page: &Page<'_>, server: &Server, place: &str) {
    assert_eq!(page.messages(), [""; 0], "{place}");
    assert_eq!(page.failures(), [""; 0], "{place}");
    assert_own(page, server, place);
    let refused: Vec<_> = page.answers().into_iter().filter(|(status, _)| *status >= 400).collect();
    assert!(refused.is_empty(), "{place}: {refused:?}");
}

/// Holds a page to it that it asked nobody but its own server.
#[track_caller]
fn assert_own(page: &Page<'_>, server: &Server, place: &str) {
    let (requests, origin) = (page.requests(), server.origin());
    assert!(!requests.is_empty(), "{place}");
    let outside: Vec<_> = requests.iter().filter(|url| !url.starts_with(&origin)).collect();
    assert!(outside.is_empty(), "{place}: {outside:?}");
}

fn number(text: &Value) -> u64 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no text"));
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("`{text}` is no count"))
}

/// A share or a change in percent, as it is written.
fn percent(text: &Value) -> f64 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no text"));
    let plain = text.trim_start_matches(['▲', '▼', '+', '<']).replace(',', "").replace('−', "-");
    plain.trim_end_matches('%').parse().unwrap_or_else(|_| panic!("`{text}` is no percentage"))
}

#[track_caller]
fn assert_percent(text: &Value, part: f64) {
    let least = if text.as_str().is_some_and(|text| text.starts_with('<')) { 0.1 } else { 0.0501 };
    let close = if part.abs() >= 10. { 0.501 } else { least };
    assert!((percent(text) - part * 100.).abs() <= close, "{text}, but {part}");
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|text| text.as_str().expect("texts")).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// A time of the API, on the store's clock.
fn clock(time: &Value) -> String {
    let time: Timestamp = time.as_str().expect("a time").parse().expect("RFC 3339");
    time.to_zoned(TimeZone::get(ZONE).expect("a zone")).strftime("%H:%M:%S").to_string()
}

/// What a page shows and the API says of the same interval.
fn same_moment(page: &Page<'_>, server: &Server) -> (Value, Value) {
    wait_for("a page that shows what the API says", || {
        // Before the end of the first interval there is nothing to say.
        let said: Value = serde_json::from_str(&server.get("api/v1/live", "").body).ok()?;
        let shown = read(page, "live()");
        (said["time"].is_string() && shown["time"] == clock(&said["time"])).then_some((shown, said))
    })
}

/// Frames and packets come to an end each, and to one only.
#[track_caller]
fn assert_balanced(live: &Value) {
    for span in SPANS {
        let count = |name: &str| live[span][name].as_u64().unwrap_or_else(|| panic!("{span}.{name}: {live}"));
        let parts = OUTCOMES[1..].iter().map(|name| count(name)).sum::<u64>();
        assert_eq!(count("frames"), parts, "{span}: {live}");
        let classes = ["scan", "backscatter", "other", "undetermined"].map(count);
        assert_eq!(count("packets"), classes.iter().sum::<u64>(), "{span}: {live}");
        let sensors = list(&live["sensors"]).iter().map(|row| row[span].as_u64().unwrap()).sum::<u64>();
        assert_eq!(count("packets"), sensors, "{span}: {live}");
    }
}

/// Holds the figures of a page to those of the API.
#[track_caller]
fn assert_shows(shown: &Value, said: &Value) {
    assert_eq!(shown["contact"], "live");
    let packets = |span: &str| said[span]["packets"].as_u64().unwrap();
    let rate = packets("interval") as f64 / said["seconds"].as_f64().unwrap();
    assert!((shown["rate"].as_str().unwrap().replace(',', "").parse::<f64>().unwrap() - rate).abs() <= 0.5);
    assert_eq!(list(&shown["facts"]).iter().map(number).collect::<Vec<_>>(), ["hour", "total"].map(packets));
    let classes = ["scan", "backscatter", "other"];
    let sum: u64 = classes.iter().map(|class| said["interval"][class].as_u64().unwrap()).sum();
    for (class, share) in classes.iter().zip(list(&shown["shares"])) {
        assert_percent(share, said["interval"][class].as_f64().unwrap() / sum as f64);
    }

    let spans = |cells: &[Value]| cells.iter().map(number).collect::<Vec<_>>();
    let counts = |row: &Value| SPANS.map(|span| row[span].as_u64().unwrap());
    for (name, row) in OUTCOMES.iter().chain(&LOSSES).zip(list(&shown["outcomes"])) {
        assert_eq!(spans(&list(row)[1..]), SPANS.map(|span| said[span][name].as_u64().unwrap()), "{name}");
    }
    for (table, key, first) in
        [("tools", "tool", false), ("backscatter", "service", true), ("sensors", "sensor", true)]
    {
        let rows = list(&shown[table]);
        assert!(!rows.is_empty(), "{table}");
        for (row, is) in rows.iter().zip(list(&said[table])) {
            let name = row[0].as_str().unwrap();
            assert!(!first || name.split(' ').next() == is[key].as_str(), "{table}: {name}, but {is}");
            assert_eq!(spans(&list(row)[1..]), counts(is), "{table}: {name}");
        }
    }
    assert_eq!(list(&shown["sensors"]).len(), list(&said["sensors"]).len());

    let ranked = |row: &&Value| row["region"].as_str().is_none_or(|region| region.len() == 2);
    for (table, rows, key) in [("ports", "services", "service"), ("regions", "regions", "region")] {
        let expected: Vec<_> = list(&said[rows]).iter().filter(ranked).take(12).collect();
        let found = list(&shown[table]);
        assert_eq!(found.len(), expected.len(), "{table}");
        for (at, (row, is)) in found.iter().zip(expected).enumerate() {
            assert_eq!(number(&row[0]), at as u64 + 1);
            let name = row[2].as_str().unwrap();
            assert_eq!(name.split(' ').next(), is[key].as_str(), "{table}: {found:?}");
            assert_eq!(spans(&list(row)[4..7]), counts(is), "{table}: {name}");
            let scans = said["hour"]["scan"].as_f64().unwrap();
            assert_percent(&row[7], is["hour"].as_f64().unwrap() / scans);
            if table == "regions" {
                assert_eq!(number(&row[8]), is["sources"].as_u64().unwrap(), "{name}");
            }
        }
    }
    for (row, is) in list(&shown["interfaces"]).iter().zip(list(&said["interfaces"])) {
        assert_eq!(row[0], is["interface"]);
        assert_eq!(row[1], is["mode"]);
        assert_eq!(number(&row[2]), is["received"].as_u64().unwrap());
    }
}

/// Holds the map to its legend: six shades, two to a power of ten, the darkest for the region with most.
#[track_caller]
fn assert_shaded(shown: &Value, said: &Value, by: &str) {
    let map = shown["map"].as_object().expect("a map");
    assert!(map.len() > 150, "{} regions", map.len());
    let figure = |code: &str| {
        let row = list(&said["regions"]).iter().find(|row| row["region"] == code);
        row.map_or(0., |row| row[by].as_f64().unwrap())
    };
    let most = map.keys().map(|code| figure(code)).fold(0., f64::max);
    assert!(most > 0., "{said}");
    let shade = |value: f64| match value {
        0. => "m0".to_owned(),
        value => format!("m{}", (6. + 2. * (value / most).log10() - 1e-9).ceil().clamp(1., 6.)),
    };
    for (code, class) in map {
        assert_eq!(*class, shade(figure(code)), "{code} has {} of {most}", figure(code));
    }
    assert!(!list(&shown["legend"]).is_empty());
}

#[test]
fn live_figures_are_those_of_the_api_and_of_the_store() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let (scratch, pins) = (Scratch::new(), Pins::new());
    let store = scratch.path("teiten.db");
    let server = Server::demo(None, &store, &pins, &[]);
    let page = browser.page();
    page.resize(1440, 1000);
    server.open(&page, "?lang=en");
    page.wait_until(
        "!!document.querySelector('.map [data-code]') && document.querySelector('.series canvas')",
    );

    // Figures are the API's, and move.
    page.click(".series summary");
    let (first, said) = same_moment(&page, &server);
    assert_shows(&first, &said);
    assert_shaded(&first, &said, "hour");
    let (shown, said) = wait_for("another interval", || {
        let (shown, said) = same_moment(&page, &server);
        (shown["time"] != first["time"]).then_some((shown, said))
    });
    assert_shows(&shown, &said);
    assert!(number(&shown["facts"][1]) > number(&first["facts"][1]));
    assert_ne!(shown["ports"], first["ports"]);
    let series = &said["series"];
    let rate = |class: &str| series[class][0].as_f64().unwrap() / series["seconds"][0].as_f64().unwrap();
    for (cell, class) in list(&shown["figures"][0])[1..].iter().zip(["scan", "backscatter", "other"]) {
        let shown: f64 = cell.as_str().unwrap().replace(',', "").parse().unwrap();
        assert!((shown - rate(class)).abs() <= 0.5, "{class}: {shown}, but {}", rate(class));
    }
    assert!(list(&shown["figures"]).len() > list(&series["start"]).len());
    assert_eq!(read(&page, "drawn()"), json!([true]));

    // The map tells and leads.
    page.point(".map [data-code='BR']");
    let (_, said) = same_moment(&page, &server);
    let tip = page.evaluate("document.querySelector('.tip').textContent");
    let brazil = list(&said["regions"]).iter().find(|row| row["region"] == "BR").expect("packets from BR");
    assert!(tip.as_str().unwrap().starts_with("Brazil") && brazil["sources"].as_u64() > Some(0), "{tip}");
    page.click(".world .choice button:last-child");
    let (by_sources, said) = same_moment(&page, &server);
    assert_shaded(&by_sources, &said, "sources");
    assert_ne!(by_sources["legend"], shown["legend"]);
    assert_eq!(page.evaluate("location.search"), "?lang=en&map=sources");
    page.reload();
    settle(&page);
    page.wait_until("document.querySelector('.map [data-code]')");
    let (again, said) = same_moment(&page, &server);
    assert_shaded(&again, &said, "sources");
    page.click(".world .tools > button");
    page.wait_until("!document.querySelector('.map').checkVisibility()");
    page.reload();
    settle(&page);
    page.wait_until("document.querySelector('#rate-now').textContent !== ''");
    assert_eq!(page.evaluate("document.querySelector('.map') === null"), true, "a map that was switched off");

    // Every interval follows the one before, and adds to it.
    wait_for("three intervals", || (page.streamed().len() >= 3).then_some(()));
    let streamed: Vec<Value> =
        page.streamed().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    for live in &streamed {
        assert_balanced(live);
    }
    // A reader that is slow misses some.
    let follows = |pair: &&[Value]| pair[0]["time"] == pair[1]["start"];
    assert!(streamed.windows(2).any(|pair| follows(&pair)));
    for pair in streamed.windows(2).filter(follows) {
        for name in OUTCOMES.iter().chain(&LOSSES).chain(&["bytes", "scan", "backscatter", "other"]) {
            let count = |live: &Value, span: &str| live[span][name].as_u64().unwrap();
            assert_eq!(
                count(&pair[1], "total"),
                count(&pair[0], "total") + count(&pair[1], "interval"),
                "{name}"
            );
        }
    }
    assert_quiet(&page, &server, "the live page");

    let live = server.api("live");
    let finished = server.agent.terminate().good();
    assert_traced(&live, &finished, &store);

    // The past of the same store.
    let server = Server::store(&store, &[]);
    server.open(&page, "history?lang=en&period=today");
    page.wait_until("document.querySelector('.panel.answer tbody')");
    let asked = query(&store, &["--by=protocol,dst_port,icmp_type", "--top=20"]);
    assert_rows(&read(&page, "panel('answer')"), &asked, service);
}

/// What the API said last, and what the store keeps, are both sums of what the agent put out.
fn assert_traced(live: &Value, finished: &Finished, store: &Path) {
    let end: Timestamp = live["time"].as_str().unwrap().parse().unwrap();
    let is_before = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["time"].as_str().unwrap().parse::<Timestamp>().unwrap() < end
    };
    let until = Counts::of(finished.stdout.lines().filter(is_before));
    let all = finished.counts();
    let kept = query(store, &["--by=class", "--class=any"]);
    assert_eq!(kept["summary"]["packets"], all.total("packets"));
    for name in OUTCOMES.iter().chain(&LOSSES[..2]) {
        assert_eq!(live["total"][name], until.total(name), "{name}");
    }
    for class in ["scan", "backscatter", "other"] {
        let part = format!(r#""class":"{class}""#);
        assert_eq!(live["total"][class], until.packets_with(&[&*part]), "{class}");
        let row = list(&kept["rows"]).iter().find(|row| row["class"] == class).expect("a row of each class");
        assert_eq!(row["packets"], all.packets_with(&[&*part]), "{class}");
    }
    let kept = query(store, &["--by=protocol,dst_port", "--where=protocol = tcp", "--top=1000"]);
    let services =
        list(&live["services"]).iter().filter(|row| row["service"].as_str().unwrap().ends_with("/tcp"));
    for row in services.take(10) {
        let port: u64 = row["service"].as_str().unwrap().trim_end_matches("/tcp").parse().unwrap();
        let parts = [r#""class":"scan""#, r#""protocol":"tcp""#, &format!(r#""dst_port":{port},"#)];
        assert_eq!(row["total"], until.packets_with(&parts), "{row}");
        let own = list(&kept["rows"]).iter().find(|row| row["dst_port"] == port).expect("its row");
        assert_eq!(own["packets"], all.packets_with(&parts), "{own}");
    }
}

/// `teiten query` of all that a store has.
fn query(store: &Path, words: &[&str]) -> Value {
    let mut command = plain();
    command.args(["query", "--format=json", "--store"]).arg(store).args(words);
    if !words.iter().any(|word| word.starts_with("--period")) {
        command.args(["--from=2019-01-01", "--to=2100-01-01"]);
    }
    let finished = run(command).good();
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", finished.stdout))
}

/// The service of an answer's row.
fn service(row: &Value) -> String {
    let number = [&row["dst_port"], &row["icmp_type"]].into_iter().find(|value| !value.is_null());
    let protocol = row["protocol"].as_str().unwrap_or("–");
    number.map_or(protocol.to_owned(), |number| format!("{number}/{protocol}"))
}

/// Holds the table of a page's history to an answer: rank, name, packets, share, and, behind what is told of the
/// period before, unique sources.
#[track_caller]
fn assert_rows(shown: &Value, asked: &Value, name: impl Fn(&Value) -> String) {
    let (shown, rows) = (list(shown), list(&asked["rows"]));
    assert!(!rows.is_empty());
    assert_eq!(shown.len(), rows.len(), "{shown:?}");
    for (at, (cells, row)) in shown.iter().zip(rows).enumerate() {
        assert_eq!(number(&cells[0]), at as u64 + 1);
        assert_eq!(cells[1].as_str().unwrap().split(' ').next(), Some(&*name(row)), "{cells}");
        assert_eq!(number(&cells[2]), row["packets"].as_u64().unwrap(), "{cells}");
        assert_percent(&cells[3], row["share"].as_f64().unwrap());
        assert_eq!(number(&cells[6]), row["sources"].as_u64().unwrap(), "{cells}");
    }
}

#[test]
fn a_page_outlives_its_agent() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let (scratch, pins) = (Scratch::new(), Pins::new());
    let store = scratch.path("teiten.db");
    let server = Server::demo(None, &store, &pins, &[]);
    let page = browser.page();
    page.resize(1440, 1000);
    server.open(&page, "?lang=en");
    let (before, said) = same_moment(&page, &server);
    page.evaluate("window.isTheSame = true");

    let port = server.port;
    server.agent.terminate().good();
    page.wait_until("document.querySelector('.contact.lost')");
    wait_shown(&page, "No contact with the agent");
    assert_eq!(page.evaluate("document.querySelector('.contact [role=status]').textContent !== ''"), true);
    let lost = read(&page, "live()");
    assert!(!list(&lost["ports"]).is_empty() && number(&lost["facts"][1]) >= number(&before["facts"][1]));

    let server = Server::demo(Some(port), &store, &pins, &[]);
    let (after, now) = same_moment(&page, &server);
    assert_shows(&after, &now);
    assert_ne!(now["since"], said["since"]);
    assert_eq!(page.evaluate("window.isTheSame"), true, "no other document");
    assert_eq!(
        page.requests().iter().filter(|url| **url == format!("{}?lang=en", server.origin())).count(),
        1
    );
    assert_own(&page, &server, "a page that outlived its agent");
    let messages = page.messages();
    assert!(messages.iter().all(|message| message.contains("net::ERR_")), "{messages:?}");
    server.agent.terminate().good();
}

#[test]
fn without_an_agent_there_is_the_past() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let server = Server::store(&PAST.0, &[]);
    let page = browser.page();
    server.open(&page, "?lang=en");
    wait_shown(&page, "No agent counts here");
    page.click("main a.button");
    page.wait_until("location.pathname === '/history'");
    settle(&page);
    assert!(!list(&read(&page, "panel('answer')")).is_empty());
    assert_quiet(&page, &server, "the past");
}

#[test]
fn history_is_asked_and_answered() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    browser.keep_downloads(scratch.dir());
    let server = Server::store(&PAST.0, &[]);
    let page = browser.page();
    page.resize(1440, 1000);

    // A table is the answer to its question, and the period before is told beside it.
    server.open(&page, "history?lang=en&period=2019-11");
    let compared = "query?period=2019-11&by=protocol,dst_port,icmp_type&class=scan&top=20&compare=true";
    let (asked, shown) = (server.api(compared), read(&page, "panel('answer')"));
    assert_rows(&shown, &asked, service);
    let by_command = query(&PAST.0, &["--period=2019-11", "--by=protocol,dst_port,icmp_type", "--top=20"]);
    assert_rows(&shown, &by_command, service);
    let before = query(&PAST.0, &["--period=2019-10", "--by=protocol,dst_port,icmp_type", "--top=100000"]);
    for (cells, row) in list(&shown).iter().zip(list(&asked["rows"])) {
        let earlier = list(&before["rows"]).iter().find(|other| service(other) == service(row));
        let packets = earlier.map_or(0, |row| row["packets"].as_u64().unwrap());
        assert_eq!(row["previous_packets"], packets, "{row}");
        match packets {
            0 => assert_eq!(cells[4], "new"),
            _ => assert_percent(&cells[4], row["packets"].as_f64().unwrap() / packets as f64 - 1.),
        }
    }
    assert!(percent(&shown[0][4]) > 100., "1433/tcp rose: {}", shown[0]);
    page.wait_until("document.querySelector('.series canvas')");
    assert_eq!(read(&page, "drawn()"), json!([true]));

    // The file has the rows of the table, and more.
    page.click(".answer .tools a[href*='format=csv']");
    let file = wait_for("the file", || {
        let mut files = fs::read_dir(scratch.dir()).unwrap().map(|entry| entry.unwrap().path());
        let is_whole = |file: &PathBuf| fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0);
        files.find(|file| file.extension().is_some_and(|extension| extension == "csv") && is_whole(file))
    });
    let rows = csv_rows(&fs::read_to_string(file).unwrap());
    let column =
        |name: &str| rows[0].iter().position(|head| head == name).unwrap_or_else(|| panic!("{:?}", rows[0]));
    assert_eq!(rows.len() as u64 - 1, asked["summary"]["rows"].as_u64().unwrap());
    for (cells, row) in list(&shown).iter().zip(&rows[1..]) {
        assert_eq!(number(&cells[2]).to_string(), row[column("packets")]);
    }

    // What cannot be asked is said where it was written; the address keeps it.
    for (field, wrong, right) in [
        ("where", "dst_port >", "dst_port < 1024"),
        ("port", "telnet", "23/tcp"),
        ("period", "2019-13", "2019-10"),
    ] {
        let selector = format!("[name={field}]");
        page.write(&selector, wrong);
        let fault = || read(&page, &format!("fault('{field}')"));
        let said = wait_for("what is wrong", || {
            let fault = fault();
            (fault["said"] != "").then_some(fault)
        });
        assert_eq!(said["isInvalid"], true, "{field}");
        assert_eq!(read(&page, "panel('answer')"), json!([]), "{field}: no figures beside an error");
        page.wait_until(&format!("new URL(location).searchParams.get('{field}') === {}", json!(wrong)));
        page.write(&selector, right);
        wait_for("an answer", || (!list(&read(&page, "panel('answer')")).is_empty()).then_some(()));
        assert_eq!(fault(), json!({"isInvalid": false, "said": ""}), "{field}");
    }
    settle(&page);
    let narrowed = query(
        &PAST.0,
        &[
            "--period=2019-10",
            "--by=protocol,dst_port,icmp_type",
            "--where=dst_port < 1024 and dst_port = 23 and protocol = tcp",
        ],
    );
    assert_rows(&read(&page, "panel('answer')"), &narrowed, service);
    let messages = page.messages();
    assert!(messages.iter().all(|message| message.contains("status of 400")), "{messages:?}");

    // From period to period, and back.
    server.open(&page, "history?lang=en&period=2019-10&rows=region");
    let regions = |period: &str| query(&PAST.0, &[&format!("--period={period}"), "--by=region", "--top=20"]);
    let code = |row: &Value| row["region"].as_str().unwrap().to_owned();
    assert_rows(&read(&page, "panel('answer')"), &regions("2019-10"), code);
    for (arrow, period) in [("last", "2019-11"), ("first", "2019-10")] {
        page.click(&format!(".period .arrow:{arrow}-of-type"));
        page.wait_until(&format!("new URL(location).searchParams.get('period') === '{period}'"));
        settle(&page);
        assert_eq!(read(&page, "fields()")["period"], period);
        assert_rows(&read(&page, "panel('answer')"), &regions(period), code);
    }

    // The address is the whole state: it survives a reload, and the ways back and forth.
    server.open(&page, "history?lang=en&period=2019-11&rows=region&tool=mirai&top=50");
    page.choose("[name=rows]", "sensor");
    page.wait_until("new URL(location).searchParams.get('rows') === 'sensor'");
    settle(&page);
    let state =
        || (page.evaluate("location.search"), read(&page, "fields()"), read(&page, "panel('answer')"));
    let here = state();
    page.reload();
    settle(&page);
    assert_eq!(state(), here);
    page.evaluate("history.back()");
    page.wait_until("new URL(location).searchParams.get('rows') === 'region'");
    settle(&page);
    let fields = read(&page, "fields()");
    for (name, value) in [("rows", "region"), ("tool", "mirai"), ("top", "50"), ("period", "2019-11")] {
        assert_eq!(fields[name], value, "{name}");
    }
    let bots = query(&PAST.0, &["--period=2019-11", "--by=region", "--where=tool = mirai", "--top=50"]);
    assert_rows(&read(&page, "panel('answer')"), &bots, code);
    page.evaluate("history.forward()");
    page.wait_until("new URL(location).searchParams.get('rows') === 'sensor'");
    settle(&page);
    assert_eq!(state(), here);
    assert_quiet(&page, &server, "history");
}

#[test]
fn ports_and_regions_have_pages() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let server = Server::store(&PAST.0, &[]);
    let page = browser.page();
    page.resize(1440, 1000);
    let heading = || page.evaluate("document.querySelector('h1').textContent");
    let starts = |text: Value, with: &str| assert!(text.as_str().unwrap().starts_with(with), "{text}");

    server.open(&page, "history?lang=en&period=2019-11");
    page.click(".answer a[href*='/service/1433/tcp']");
    page.wait_until("location.pathname === '/service/1433/tcp'");
    settle(&page);
    starts(heading(), "1433/tcp");
    starts(page.evaluate("document.title"), "1433/tcp");
    assert_eq!(page.evaluate("document.activeElement.tagName"), "H1", "readers are told of the new page");
    let only = "--where=dst_port = 1433 and protocol = tcp";
    let own = query(&PAST.0, &["--period=2019-11", "--by=dst_port", only]);
    let facts =
        page.evaluate("[...document.querySelectorAll('.facts .figure')].map(figure => figure.textContent)");
    assert_eq!(number(&facts[0]), own["rows"][0]["packets"].as_u64().unwrap());
    assert_eq!(number(&facts[3]), own["rows"][0]["sources"].as_u64().unwrap());
    for (panel, by) in [("regions", "region"), ("tools-of", "tool"), ("sensors", "sensor")] {
        let asked = query(&PAST.0, &["--period=2019-11", &format!("--by={by}"), only, "--top=12"]);
        let (shown, rows) = (read(&page, &format!("panel('{panel}')")), list(&asked["rows"]));
        assert_eq!(list(&shown).len(), rows.len(), "{panel}: {shown}");
        for (cells, row) in list(&shown).iter().zip(rows) {
            assert_eq!(number(&cells[1]), row["packets"].as_u64().unwrap(), "{cells}");
            assert_percent(&cells[2], row["share"].as_f64().unwrap());
            assert_eq!(number(&cells[4]), row["sources"].as_u64().unwrap(), "{cells}");
        }
    }
    assert_eq!(read(&page, "drawn()"), json!([true, true]));

    // What the report found of it stands there, in its words.
    let surge = server.api("findings?period=2019-11&service=1433/tcp&lang=en");
    assert_eq!(surge["findings"][0]["kind"], "rise", "{surge}");
    wait_shown(&page, surge["findings"][0]["text"].as_str().unwrap());
    page.click(".regions a[href*='/region/CN']");
    page.wait_until("location.pathname === '/region/CN'");
    settle(&page);
    starts(heading(), "China");
    server.open(&page, "region/IR?lang=ja&period=2019-11");
    let fall = server.api("findings?period=2019-11&region=IR&lang=ja");
    // Too few sources a day for a silence to be told from chance: a fall.
    assert_eq!(fall["findings"][0]["kind"], "fall", "{fall}");
    wait_shown(&page, fall["findings"][0]["text"].as_str().unwrap());
    assert_eq!(read(&page, "untranslated()"), json!([]));
    page.click(".ports a[href*='/service/23/tcp']");
    page.wait_until("location.pathname === '/service/23/tcp' && location.search.includes('lang=ja')");
    settle(&page);
    assert_quiet(&page, &server, "a port after a region");

    for path in ["service/23/xyz", "region/Z", "nothing"] {
        page.open(&format!("{}{path}?lang=en", server.origin()));
        wait_shown(&page, "Nothing is here");
    }
}

#[test]
fn the_report_is_shown_in_both_languages() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let server = Server::store(&PAST.0, &[]);
    let page = browser.page();
    page.resize(1440, 1000);
    for (lang, words) in [("en", "1433/TCP increased"), ("ja", "1433/TCP宛のパケットが増加した")] {
        server.open(&page, &format!("report?lang={lang}&period=2019-11"));
        page.wait_until("document.querySelector('iframe')");
        let report = wait_for("the report", || {
            let text = page.frame("document.readyState === 'complete' ? document.body.innerText : ''");
            text.and_then(|text| Some(text.as_str()?.to_owned())).filter(|text| text.contains(words))
        });
        let own = page.frame("document.documentElement.lang").unwrap();
        assert_eq!(own, lang);
        let first =
            server.api(&format!("findings?period=2019-11&lang={lang}"))["findings"][0]["text"].clone();
        let plain = |text: &str| text.split_whitespace().collect::<String>();
        assert!(plain(&report).contains(&plain(first.as_str().unwrap())), "{first} is not in:\n{report}");
        let sandbox = page.evaluate("document.querySelector('iframe').getAttribute('sandbox')");
        assert_eq!(sandbox, "allow-popups allow-popups-to-escape-sandbox", "no scripts");
        assert_quiet(&page, &server, lang);

        // Everything that can be taken along is there.
        let links = page.evaluate("[...document.querySelectorAll('.report-links a')].map(link => link.href)");
        let links: Vec<_> = texts(&links).into_iter().map(str::to_owned).collect();
        let told = server.api(&format!("report/tables?period=2019-11&lang={lang}"));
        let told = list(&told["tables"]).iter().filter(|table| table["rows"] != 0);
        let told: Vec<_> = told.map(|table| table["table"].as_str().unwrap()).collect();
        let table = |link: &String| {
            link.split_once("&table=").map(|(_, name)| name.split('&').next().unwrap().to_owned())
        };
        assert_eq!(links.iter().filter_map(table).collect::<Vec<_>>(), told);
        assert!(
            told.contains(&"ports") && told.iter().any(|name| name.starts_with("group-ports-")),
            "{told:?}"
        );
        for link in links {
            let path = link.strip_prefix(&server.origin()).unwrap();
            let reply = server.get(path, "");
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            assert!(!reply.body.is_empty());
        }
    }
    page.write("[name=home]", "Japan");
    wait_for("what is wrong", || (read(&page, "fault('home')")["said"] != "").then_some(()));
    page.write("[name=home]", "JP");
    page.wait_until(
        "new URL(location).searchParams.get('home') === 'JP' && document.querySelector('iframe')",
    );
    assert_eq!(read(&page, "fault('home')"), json!({"isInvalid": false, "said": ""}));
}

/// Pages, and how many charts each has.
const PAGES: [(&str, usize); 7] = [
    ("", 1),
    ("history?period=2019-11", 1),
    ("service/1433/tcp?period=2019-11", 2),
    ("region/CN?period=2019-11", 2),
    ("report?period=2019-11", 0),
    ("status", 0),
    ("nothing/here", 0),
];

/// The same address with one more parameter.
fn with(path: &str, parameter: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{parameter}")
}

/// Roles of what is told of, or can be used, by its name.
const NAMED: [&str; 14] = [
    "link",
    "button",
    "textbox",
    "searchbox",
    "combobox",
    "listbox",
    "checkbox",
    "image",
    "img",
    "table",
    "navigation",
    "region",
    "Iframe",
    "DisclosureTriangle",
];

#[test]
fn every_page_is_clean_everywhere() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let (scratch, pins) = (Scratch::new(), Pins::new());
    let server = Server::demo(None, &copied(&PAST.0, &scratch), &pins, &["--home=JP"]);
    let page = browser.page();
    for (path, charts) in PAGES {
        for lang in ["en", "ja"] {
            resize(&page, 1440);
            page.media(Media::default());
            let address = with(path, &format!("lang={lang}"));
            page.open(&format!("{}{address}", server.origin()));
            settle(&page);
            wait_for("all charts", || {
                (*list(&read(&page, "drawn()")) == vec![json!(true); charts]).then_some(())
            });
            assert_eq!(page.evaluate("document.documentElement.lang"), lang);
            assert_eq!(read(&page, "untranslated()"), json!([]), "{address}");
            for width in WIDTHS {
                resize(&page, width);
                for is_dark in [false, true] {
                    page.media(Media { is_print: false, is_dark });
                    let place = format!("{address} at {width} px, dark: {is_dark}");
                    clean(&page, "structure()", &place);
                    clean(&page, "width()", &place);
                    clean(&page, "contrast(12)", &place);
                }
            }
            // All that can be unfolded.
            page.evaluate(
                "document.querySelectorAll('details').forEach(details => { details.open = true; })",
            );
            page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
            for check in ["structure()", "width()", "contrast(12)"] {
                clean(&page, check, &format!("{address}, unfolded"));
            }
            let told = page.accessibility();
            let roles = |role: &str| told.iter().filter(|node| node.role == role).count();
            assert_eq!([roles("main"), roles("banner"), roles("contentinfo"), roles("navigation")], [1; 4]);
            let is_nameless = |node: &&Node| NAMED.contains(&&*node.role) && node.name.is_empty();
            let nameless: Vec<_> = told.iter().filter(is_nameless).collect();
            assert!(nameless.is_empty(), "{address}: {nameless:?}");
            let missing = path == "nothing/here";
            if missing {
                // Its status is 404, as the browser says.
                assert!(
                    page.messages().iter().all(|message| message.contains("404")),
                    "{:?}",
                    page.messages()
                );
                assert_own(&page, &server, &address);
            } else {
                assert_quiet(&page, &server, &address);
            }
        }
    }
    server.agent.terminate().good();
}

#[test]
fn language_and_scheme_are_the_viewers() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let server = Server::store(&PAST.0, &[]);
    let page = browser.page();
    page.resize(1440, 1000);

    // Both languages have the same messages, with the same places for values.
    let messages = |lang: &str| {
        let text = server.get(&format!("messages/{lang}.json"), "").body;
        serde_json::from_str::<serde_json::Map<String, Value>>(&text).unwrap()
    };
    let (english, japanese) = (messages("en"), messages("ja"));
    assert!(english.keys().eq(japanese.keys()));

    // All words are those of the language.
    let is_japanese =
        |text: &&str| text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'));
    for (path, _) in PAGES {
        page.open(&format!("{}{path}", server.origin()));
        settle(&page);
        let say = |lang: &str| {
            let button = format!("header button[lang={lang}]");
            if page.evaluate("document.documentElement.lang") != lang {
                page.click(&button);
            }
            page.wait_until(&format!("document.querySelector('{button}').ariaPressed === 'true'"));
            settle(&page);
        };
        say("en");
        let english = read(&page, "words()");
        let title = page.evaluate("document.title");
        say("ja");
        let japanese = read(&page, "words()");
        for part in ["nav", "headings", "columns", "labels"] {
            let (before, after) = (texts(&english[part]), texts(&japanese[part]));
            assert_eq!(before.len(), after.len(), "{path}: {part}: {english} {japanese}");
            assert!(!before.iter().any(is_japanese), "{path}: {before:?}");
            for (before, after) in before.iter().zip(after) {
                // What is the same in both: numbers and abbreviations.
                let is_short = before.chars().count() <= 2 || before.contains('/');
                assert!(is_short || is_japanese(&after), "{path}: {before} is {after}");
            }
        }
        for part in ["skip", "footer"] {
            assert!(is_japanese(&japanese[part].as_str().unwrap()), "{path}: {japanese}");
        }
        assert!(path.starts_with("service") || page.evaluate("document.title") != title, "{path}: {title}");
        assert_eq!(page.evaluate("document.activeElement.lang"), "ja", "the button keeps the focus");
        // Remembered, though the address says nothing of it.
        page.reload();
        settle(&page);
        assert_eq!(page.evaluate("document.documentElement.lang"), "ja");
    }
    // The address goes before what is remembered, and links carry it along.
    server.open(&page, "status?lang=en");
    assert_eq!(page.evaluate("document.documentElement.lang"), "en");
    page.click("nav a[href*=history]");
    page.wait_until("location.pathname === '/history'");
    settle(&page);
    assert_eq!(page.evaluate("[document.documentElement.lang, location.search]"), json!(["en", "?lang=en"]));
    // Where nothing was chosen it is the browser's.
    page.evaluate("localStorage.clear()");
    for lang in ["ja", "en", "fr"] {
        page.prefer_language(lang);
        server.open(&page, "status");
        assert_eq!(page.evaluate("document.documentElement.lang"), if lang == "ja" { "ja" } else { "en" });
    }

    // Light and dark: the machine's, unless the viewer chose.
    let is_dark = || {
        let ground = page.evaluate("getComputedStyle(document.body).backgroundColor");
        let digits = |c: char| !c.is_ascii_digit();
        let red = ground.as_str().unwrap().split(digits).find(|part| !part.is_empty()).unwrap().to_owned();
        red.parse::<u8>().unwrap() < 128
    };
    server.open(&page, "history?period=2019-11&lang=en");
    page.wait_until("document.querySelector('.series canvas')");
    for (chosen, expected) in [("auto", [false, true]), ("dark", [true; 2]), ("light", [false; 2])] {
        page.choose("#scheme", chosen);
        for again in [false, true] {
            for (machine, expected) in [false, true].into_iter().zip(expected) {
                page.media(Media { is_print: false, is_dark: machine });
                assert_eq!(
                    is_dark(),
                    expected,
                    "{chosen}, the machine's is dark: {machine}, reloaded: {again}"
                );
            }
            page.reload();
            settle(&page);
            assert_eq!(page.evaluate("document.querySelector('#scheme').value"), chosen);
        }
    }
    assert_quiet(&page, &server, "languages and schemes");
}

#[test]
fn the_keyboard_is_enough() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let (scratch, pins) = (Scratch::new(), Pins::new());
    let server = Server::demo(None, &scratch.path("teiten.db"), &pins, &[]);
    let page = browser.page();
    page.resize(1440, 900);
    server.open(&page, "?lang=en");
    page.wait_until("!!document.querySelector('.ports tbody a') && document.querySelector('.series canvas')");

    // The first stop leads past the beginning, and leaves the page as it is.
    page.press(Key::TAB);
    let focus = read(&page, "focus()");
    assert_eq!(
        [&focus["path"], &focus["isInside"], &focus["isMarked"]],
        [&json!("#main"), &json!(true), &json!(true)]
    );
    page.evaluate("document.querySelector('.board').dataset.same = 'yes'");
    page.press(Key::ENTER);
    page.wait_until("document.querySelector('main').contains(document.activeElement)");
    assert_eq!(
        page.evaluate("document.querySelector('.board').dataset.same"),
        "yes",
        "the page was made anew"
    );
    page.press(Key::TAB);
    assert_eq!(page.evaluate("document.querySelector('main').contains(document.activeElement)"), true);

    // Every stop is seen, and all that can be used is one.
    server.open(&page, "?lang=en");
    page.wait_until("!!document.querySelector('.ports tbody a') && document.querySelector('.series canvas')");
    let mut stops = Vec::new();
    loop {
        page.press(Key::TAB);
        let focus = read(&page, "focus()");
        if focus["tag"] == "body" {
            break;
        }
        assert_eq!(focus["isMarked"], true, "{focus}");
        assert_eq!(focus["isInside"], true, "{focus}");
        stops.push(focus);
        assert!(stops.len() < 300, "{stops:?}");
    }
    let has = |name: &str, value: &str| stops.iter().any(|stop| stop[name] == value);
    for path in
        ["/?lang=en", "/history?lang=en", "/report?lang=en", "/status?lang=en", "/service/23/tcp?lang=en"]
    {
        assert!(has("path", path), "{path}: {stops:?}");
    }
    for text in ["English", "日本語", "Unique sources", "Hide", "Interval", "Figures of the chart"] {
        assert!(has("text", text), "{text}: {stops:?}");
    }
    assert!(has("tag", "select"));

    // A link of a row, by Enter; then a figure of a chart, by an arrow.
    page.evaluate("document.querySelector('.ports tbody a').focus()");
    page.press(Key::ENTER);
    page.wait_until("location.pathname.startsWith('/service/')");
    server.open(&page, "?lang=en");
    page.wait_until("document.querySelector('.series canvas')");
    page.evaluate("document.querySelector('.plot').focus()");
    let label = || page.evaluate("document.querySelector('.plot').getAttribute('aria-label')");
    wait_for("another figure", || {
        let before = label();
        page.press(Key::LEFT);
        let after = label();
        (after != before && after.as_str().unwrap().contains("scan ")).then_some(())
    });
    assert_quiet(&page, &server, "keys");
    server.agent.terminate().good();
}

#[test]
fn a_token_is_asked_for() {
    const TOKEN: &str = "9c1f5e0b7a3d4826b1e0";
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    let file = scratch.write("token", format!("{TOKEN}\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::store(&PAST.0, &["--token-file", file.to_str().unwrap()]);
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let refused = server.get("api/v1/status", "");
    assert_eq!(refused.status, 401);
    assert!(refused.head.to_lowercase().contains("application/problem+json"), "{}", refused.head);
    assert!(!refused.body.contains("west"), "{}", refused.body);
    assert_eq!(server.get("api/v1/status", &bearer("9c1f5e0b7a3d4826b1e1")).status, 401);
    assert_eq!(server.get("api/v1/status", &bearer(TOKEN)).status, 200);

    let page = browser.page();
    page.resize(360, 800);
    page.open(&format!("{}status?lang=en", server.origin()));
    wait_shown(&page, "This agent wants a token");
    assert_eq!(page.evaluate("document.activeElement.id"), "token");
    for check in ["structure()", "width()", "contrast(5)"] {
        clean(&page, check, "the form");
    }
    assert_eq!(page.evaluate("document.querySelector('#token').type"), "password");
    assert_eq!(page.evaluate("document.body.textContent.includes('west')"), false);
    page.write("#token", "9c1f5e0b7a3d4826b1e1");
    wait_shown(&page, "This is not the token");
    assert_eq!(page.evaluate("document.cookie"), "");
    page.write("#token", TOKEN);
    wait_shown(&page, "west");
    settle(&page);
    assert_eq!(page.evaluate("document.querySelector('#token')"), Value::Null);
    assert_eq!(page.evaluate("document.cookie"), "", "scripts cannot read it");
    let cookies = page.cookies();
    let [cookie] = &*cookies else { panic!("{cookies:?}") };
    assert_eq!([&cookie["httpOnly"], &cookie["sameSite"]], [&json!(true), &json!("Strict")]);
    assert_ne!(cookie["value"], TOKEN);
    let stored = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])");
    assert!(!stored.as_str().unwrap().contains(TOKEN), "{stored}");
    let messages = page.messages();
    assert!(messages.iter().all(|message| message.contains("status of 401")), "{messages:?}");

    // The session is that of all pages, and of the next one.
    page.reload();
    settle(&page);
    wait_shown(&page, "west");
    server.open(&page, "report?lang=en&period=2019-11");
    wait_for("the report", || {
        page.frame("document.body?.innerText.includes('1433/TCP')").filter(|is| *is == true)
    });
    assert_quiet(&page, &server, "with a session");
    let cookie =
        format!("cookie: {}={}\r\n", cookie["name"].as_str().unwrap(), cookie["value"].as_str().unwrap());
    assert_eq!(server.get("api/v1/status", &cookie).status, 200);
}

/// What somebody would write who wants pages to run it.
const MARKUP: &str = "<img src=//example.org/x onerror=alert(1)>\"'<script>alert(2)</script>&amp;";

#[test]
fn hostile_names_are_text() {
    if !root() {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    // Letters that a sensor may be named by, from right to left.
    let long = "العربية".repeat(4);
    let names = format!(
        "[en]\nCN = {0}\n[ja]\nCN = {0}\n[services]\n\"1433/tcp\" = {0}\n",
        json!(MARKUP.replace("<script>alert(2)</script>", ""))
    );
    let names = scratch.write("names.toml", names);
    let advisories = format!(
        "[[advisory]]\ndate = 2019-11-01\ntitle = {}\nid = {}\nnote = {}\nurl = {}\nports = [\"1433/tcp\"]\n",
        json!(MARKUP),
        json!(format!("{MARKUP}{}", "x".repeat(200))),
        json!(MARKUP),
        json!("https://example.org/'onmouseover=alert(1)//"),
    );
    let advisories = scratch.write("advisories.toml", advisories);
    let store = copied(&PAST.0, &scratch);
    let words = ["--names", names.to_str().unwrap(), "--advisories", advisories.to_str().unwrap()];
    {
        let connection = Connection::open(&store).unwrap();
        let sql = "UPDATE sensor SET name = ?1, alias = ?2, sensor_group = ?3 WHERE name = 'west'";
        let group = format!("{MARKUP}\u{202e}{}", "x".repeat(300));
        assert!(connection.execute(sql, [&long, MARKUP, &group]).unwrap() > 0);
        assert!(connection.execute("UPDATE database SET type = ?1", [MARKUP]).unwrap() > 0);
    }
    let server = Server::store(&store, &words);
    let page = browser.page();
    let look = |place: &str| {
        assert_eq!(
            page.evaluate("document.querySelector('img, main script, main [onerror]')"),
            Value::Null,
            "{place}"
        );
        assert_quiet(&page, &server, place);
        for width in WIDTHS {
            resize(&page, width);
            clean(&page, "width()", &format!("{place} at {width} px"));
        }
    };
    let named = MARKUP.replace("<script>alert(2)</script>", "");
    for (path, wanted) in [
        ("status?lang=en", MARKUP),
        ("history?lang=en&period=2019-11&rows=sensor", &long),
        ("history?lang=en&period=2019-11&rows=region", &named),
        ("service/1433/tcp?lang=en&period=2019-11", MARKUP),
        ("region/CN?lang=ja&period=2019-11", &named),
    ] {
        server.open(&page, path);
        wait_shown(&page, wanted);
        look(path);
    }
    let title = page.evaluate("document.title");
    assert!(title.as_str().unwrap().starts_with(&named), "{title}");
    server.open(&page, "report?lang=en&period=2019-11&profile=internal");
    page.wait_until("document.querySelector('iframe')");
    wait_for("the report", || {
        let asked = format!("document.body?.innerText.includes({})", json!(MARKUP));
        page.frame(&asked).filter(|is| *is == true)
    });
    look("the report");
    // A sensor can be chosen whatever its letters are.
    server.open(&page, "history?lang=en&period=2019-11&rows=region");
    page.choose("[name=sensor]", &long);
    page.wait_until("location.search.includes('sensor=')");
    settle(&page);
    let only = format!("--where=sensor = '{long}'");
    let asked = query(&store, &["--period=2019-11", "--by=region", "--top=20", &only]);
    let shown = read(&page, "panel('answer')");
    assert_eq!(list(&shown).len(), list(&asked["rows"]).len(), "{shown}");
    assert!(!list(&shown).is_empty());
    look("a sensor's history");

    // Whatever the API says: an address of an advisory that is none of the web leads nowhere.
    let made = json!({
        "period": {"text": "2019-11"},
        "findings": [{"id": MARKUP, "kind": MARKUP, "onset": "2019-11-10", "end": "2019-11-20", "text": MARKUP}],
        "advisories": [
            {"date": MARKUP, "id": MARKUP, "title": MARKUP, "url": "javascript:alert(3)", "note": MARKUP},
            {"date": "2019-11-01", "title": "data", "url": "data:text/html,<script>alert(4)</script>"},
        ],
    });
    page.answer("/api/v1/findings", "application/json", &made.to_string());
    server.open(&page, "service/23/tcp?lang=en&period=2019-11");
    wait_shown(&page, MARKUP);
    let links = page.evaluate("[...document.querySelectorAll('main a')].map(link => link.protocol)");
    assert!(texts(&links).iter().all(|protocol| *protocol == "http:"), "{links}");
    page.click(".advisories li");
    look("an API that makes things up");
}
