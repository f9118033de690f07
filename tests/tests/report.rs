//! `teiten report`, from packets to the page: quarters whose tables are known, and stores that have something wrong
//! with them.
//!
//! Environment: `TEITEN_MADE_STORES` is a directory where the stores that scenarios make are kept, and taken from by
//! the next run: for those who work on reports, and not on what fills a store.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use boon::{Compiler, Schemas};
use rusqlite::Connection;
use serde_json::{Value, json};
use teiten::store::{Place, Store};
use teiten_tests::{
    report::{
        EAST, Flow, NON_ROUTABLE, Rows, SOUTH, Traffic, UNKNOWN, WEST, copied, csv_rows, day_after,
        days_between, document, html_tables, html_text, markdown_tables, plain, prefix, report, run, seconds,
        shared, written,
    },
    root,
    scratch::Scratch,
};

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join(path)
}

/// Fills a new store from a scenario, through the loaded program.
fn synth(scenario: &str) -> PathBuf {
    let kept = env::var_os("TEITEN_MADE_STORES").map(|directory| {
        let name = Path::new(scenario).with_extension("db");
        Path::new(&directory).join(name.file_name().expect("a scenario's name"))
    });
    let store = kept.unwrap_or_else(|| shared().path("synth.db"));
    if store.exists() {
        return store;
    }
    let mut command = plain();
    command.arg("synth").arg(project(scenario)).arg("--store").arg(&store);
    command.arg("--country").arg(project("data/country.mmdb")).env("TEITEN_SPILL_MEMORY", "8M");
    run(command).good();
    store
}

/// A store that several tests look into; `None` if this is not root, which is said.
fn fixture(cell: &'static OnceLock<PathBuf>, make: impl FnOnce() -> PathBuf) -> Option<&'static Path> {
    root().then(|| cell.get_or_init(make).as_path())
}

/// April to December 2019, as it was published.
fn golden() -> Option<&'static Path> {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    fixture(&STORE, || synth("docs/scenarios/golden-2019.toml"))
}

/// A quarter in which nothing happens, and the one before.
fn quiet() -> Option<&'static Path> {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    fixture(&STORE, || synth("docs/scenarios/quiet.toml"))
}

/// Port, /8 network, sources and packets an hour of traffic that never changes. Two ports share a rank.
const STEADY: [(u16, u8, u16, u16); 15] = [
    (23, 1, 20, 9),
    (445, 2, 50, 8),
    (22, 3, 14, 7),
    (80, 4, 45, 6),
    (1433, 5, 16, 5),
    (8080, 6, 40, 4),
    (3389, 8, 18, 3),
    (81, 9, 35, 3),
    (5060, 11, 22, 2),
    (5900, 12, 30, 2),
    (8443, 13, 24, 2),
    (2323, 14, 28, 1),
    (6379, 15, 26, 1),
    (7547, UNKNOWN, 12, 1),
    (37215, NON_ROUTABLE, 12, 1),
];

fn steady_flows(to: u8) -> Vec<Flow> {
    STEADY.iter().map(|&(port, from, sources, hourly)| Flow { port, from, sources, hourly, to }).collect()
}

/// Packets a day of [`STEADY`].
fn steady_day() -> u64 {
    24 * STEADY.iter().map(|&(.., hourly)| u64::from(hourly)).sum::<u64>()
}

/// [`STEADY`] in Tokyo from October 2019 to March 2020.
fn steady() -> Option<&'static Path> {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    fixture(&STORE, || {
        let scratch = shared();
        let store = scratch.path("steady.db");
        let mut traffic = Traffic::new("Asia/Tokyo");
        traffic.watch("2019-10-01", "2020-04-01");
        traffic.flow("2019-10-01", "2020-04-01", &steady_flows(WEST));
        traffic.replay(scratch, &store, &[&format!("sapporo={};role=dark;alias=S1", prefix(WEST))]);
        store
    })
}

/// Days of the third quarter of 2019 in which nobody observed, in [`gap`].
const GAP: (&str, i64) = ("2019-07-10", 28);

/// [`STEADY`] from April to September 2019, with a hole in the third quarter.
fn gap() -> Option<&'static Path> {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    fixture(&STORE, || {
        let scratch = shared();
        let store = scratch.path("gap.db");
        let back = day_after(GAP.0, GAP.1);
        for (from, to) in [("2019-04-01", GAP.0), (back.as_str(), "2019-10-01")] {
            let mut traffic = Traffic::new("UTC");
            traffic.watch(from, to);
            traffic.flow(from, to, &steady_flows(WEST));
            traffic.replay(scratch, &store, &[&format!("sapporo={};role=dark;alias=S1", prefix(WEST))]);
        }
        store
    })
}

/// Ports that the western sensor of [`panel`] sees all the time, the most packets first: 14 an hour to 1 an hour.
const PANEL: [u16; 14] = [23, 22, 445, 80, 1433, 8080, 3389, 81, 5060, 5900, 8443, 2323, 6379, 7547];
/// In the panel: hardly there in April, first in May.
const RISEN: u16 = 5555;
/// In the panel: from five sources only.
const RARE: u16 = 4444;
/// In the panel: not there before May.
const NEW: u16 = 6666;

/// April to 9 June 2019 with sensors that come and go: `sapporo` all the time, `naha` in April, `kumamoto` from May
/// on.
fn panel() -> Option<&'static Path> {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    fixture(&STORE, || {
        let scratch = shared();
        let store = scratch.path("panel.db");
        let west = format!("sapporo={};role=dark;group=domestic;alias=S1", prefix(WEST));
        let flow = |port, hourly, sources, to| Flow { port, from: 1 + (port % 5) as u8, sources, hourly, to };
        let base: Vec<Flow> =
            PANEL.iter().zip((1..=14).rev()).map(|(&port, hourly)| flow(port, hourly, 30, WEST)).collect();

        let mut april = Traffic::new("UTC");
        april.watch("2019-04-01", "2019-05-01");
        april.flow("2019-04-01", "2019-05-01", &base);
        april.flow("2019-04-01", "2019-04-11", &[flow(RISEN, 1, 30, WEST)]);
        april.flow("2019-04-01", "2019-05-01", &[flow(23, 30, 40, SOUTH)]);
        let naha = format!("naha={};role=dark;group=domestic;alias=S2", prefix(SOUTH));
        april.replay(scratch, &store, &[&west, &naha]);

        let mut may = Traffic::new("UTC");
        may.watch("2019-05-01", "2019-06-10");
        may.flow("2019-05-01", "2019-06-10", &base);
        let more = [
            flow(RISEN, 20, 30, WEST),
            flow(RARE, 18, 5, WEST),
            flow(NEW, 16, 30, WEST),
            flow(22, 40, 40, EAST),
        ];
        may.flow("2019-05-01", "2019-06-10", &more);
        let kumamoto = format!("kumamoto={};role=dark;group=overseas;alias=S3", prefix(EAST));
        may.replay(scratch, &store, &[&west, &kumamoto]);
        store
    })
}

/// What a command wrote for a shared store: asked for once in all tests.
fn once(store: &'static Path, words: &[&str]) -> String {
    static ASKED: Mutex<BTreeMap<(PathBuf, String), String>> = Mutex::new(BTreeMap::new());
    let key = (store.to_owned(), words.join(" "));
    let known = ASKED.lock().expect("answers").get(&key).cloned();
    known.unwrap_or_else(|| {
        let text = written(store, words);
        ASKED.lock().expect("answers").insert(key, text.clone());
        text
    })
}

fn once_json(store: &'static Path, words: &[&str]) -> Value {
    let text = once(store, &[words, &["--format=json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("teiten report {words:?}: {error}\n{text}"))
}

#[track_caller]
fn list<'a>(value: &'a Value, what: &str) -> &'a [Value] {
    value.pointer(what).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {what} in {value:#}"))
}

#[track_caller]
fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.pointer(what).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {what} in {value:#}"))
}

#[track_caller]
fn whole(value: &Value, what: &str) -> u64 {
    value.pointer(what).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number {what} in {value:#}"))
}

#[track_caller]
fn real(value: &Value, what: &str) -> f64 {
    value.pointer(what).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {what} in {value:#}"))
}

/// Rank, subject and previous rank of the first rows of a ranking.
#[track_caller]
fn ranking(document: &Value, name: &str, rows: usize) -> Vec<(u64, String, Value)> {
    let rows = list(document, &format!("/{name}/rows")).iter().take(rows);
    rows.map(|row| (whole(row, "/rank"), text(row, "/subject").to_owned(), row["previous"].clone())).collect()
}

#[track_caller]
fn row<'a>(document: &'a Value, ranking: &str, subject: &str) -> &'a Value {
    let rows = list(document, &format!("/{ranking}/rows"));
    let subjects: Vec<_> = rows.iter().map(|row| &row["subject"]).collect();
    rows.iter()
        .find(|row| row["subject"] == subject)
        .unwrap_or_else(|| panic!("{subject} is not among {ranking}: {subjects:?}"))
}

/// The row of a ranking that a table must have: rank, names of the subject (one of them), previous rank.
type Wanted<'a> = (u64, Vec<&'a str>, &'a str);

/// Whether a table has these rows, in this order, and no others that have a rank.
fn has_rows(table: &Rows, wanted: &[Wanted<'_>]) -> bool {
    // Marks of movement and of closeness are no part of a value.
    let clean = |cell: &String| cell.replace(['≈', '▲', '▼'], "").trim().to_owned();
    let ranked: Vec<Vec<String>> = table
        .iter()
        .map(|row| row.iter().map(clean).collect::<Vec<_>>())
        .filter(|row| row.first().is_some_and(|rank| rank.parse::<u64>().is_ok()))
        .collect();
    ranked.len() == wanted.len()
        && ranked.iter().zip(wanted).all(|(row, (rank, names, previous))| {
            row[0] == rank.to_string()
                && row[1..].iter().any(|cell| {
                    names.iter().any(|name| {
                        cell.strip_prefix(name)
                            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
                    })
                })
                && row[2..].iter().any(|cell| cell == previous)
        })
}

#[track_caller]
fn has_table(what: &str, tables: &[Rows], wanted: &[Wanted<'_>]) {
    assert!(
        tables.iter().any(|table| has_rows(table, wanted)),
        "{what}: no table has exactly these rows: {wanted:?}\ntables there: {tables:#?}"
    );
}

/// A finding in short: kind (or direction), service, region, first day.
#[track_caller]
fn short(finding: &Value) -> (String, String, String) {
    let what = &finding["what"];
    let named = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match text(what, "/kind") {
        "surge" => {
            let subject = [&what["subject"]["service"], &what["subject"]["region"]].map(named);
            let subject = subject.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>();
            (named(&what["direction"]), subject.join(" from "), named(&what["onset"]))
        }
        "silence" => ("silence".to_owned(), named(&what["region"]), named(&what["onset"])),
        "newcomer" => ("newcomer".to_owned(), named(&what["service"]), named(&what["first"])),
        kind => (kind.to_owned(), String::new(), named(&what["from"])),
    }
}

#[track_caller]
fn findings(document: &Value) -> Vec<(String, String, String)> {
    list(document, "/findings").iter().map(short).collect()
}

/// The one finding of a kind and a subject.
#[track_caller]
fn finding<'a>(document: &'a Value, kind: &str, subject: &str) -> &'a Value {
    let found: Vec<_> = list(document, "/findings")
        .iter()
        .filter(|finding| {
            let (this, of, _) = short(finding);
            this == kind && of == subject
        })
        .collect();
    assert_eq!(found.len(), 1, "findings `{kind}` of {subject}, of {:#?}", findings(document));
    found[0]
}

#[track_caller]
fn near(what: &str, date: &str, expected: &str, days: i64) {
    let off = days_between(expected, date);
    assert!(off.abs() <= days, "{what}: {date}, expected {expected} within {days} day(s)");
}

/// The day on which a rise is told to be over: its own last day, or the day before a fall of the same subject.
#[track_caller]
fn over(document: &Value, subject: &str) -> String {
    let rise = finding(document, "rise", subject);
    if rise["what"]["end"] == "ended" {
        return text(rise, "/what/last").to_owned();
    }
    let fall = finding(document, "fall", subject);
    day_after(text(fall, "/what/onset"), -1)
}

/// Nothing is told but of these, each kind of a subject once.
#[track_caller]
fn nothing_else(document: &Value, planted: &[(&str, &str)]) {
    let found = findings(document);
    let told: BTreeSet<_> = found.iter().map(|(_, subject, _)| subject.as_str()).collect();
    let expected: BTreeSet<_> = planted.iter().map(|(_, subject)| *subject).collect();
    assert_eq!(told, expected, "subjects of findings (left) and of what was planted (right): {found:#?}");
    let kinds: BTreeSet<_> = found.iter().map(|(kind, subject, _)| (kind, subject)).collect();
    assert_eq!(kinds.len(), found.len(), "something is told twice: {found:#?}");
    for (kind, subject) in planted {
        finding(document, kind, subject);
    }
}

struct Quarter {
    period: &'static str,
    /// Service and previous rank (0: outside the first ten).
    ports: [(&'static str, u64); 5],
    /// Code, name in English and Japanese, previous rank.
    regions: [(&'static str, &'static [&'static str], &'static [&'static str], u64); 5],
}

const NL: (&[&str], &[&str]) = (&["Netherlands"], &["オランダ"]);
const RU: (&[&str], &[&str]) = (&["Russia"], &["ロシア"]);
const US: (&[&str], &[&str]) = (&["US", "United States"], &["米国", "アメリカ", "アメリカ合衆国"]);
const CN: (&[&str], &[&str]) = (&["China"], &["中国"]);
const TW: (&[&str], &[&str]) = (&["Taiwan"], &["台湾"]);
const RO: (&[&str], &[&str]) = (&["Romania"], &["ルーマニア"]);

const QUARTERS: [Quarter; 2] = [
    Quarter {
        period: "2019-Q3",
        ports: [("23/tcp", 1), ("445/tcp", 2), ("22/tcp", 4), ("37215/tcp", 3), ("80/tcp", 5)],
        regions: [
            ("NL", NL.0, NL.1, 4),
            ("RU", RU.0, RU.1, 1),
            ("US", US.0, US.1, 2),
            ("CN", CN.0, CN.1, 3),
            ("TW", TW.0, TW.1, 5),
        ],
    },
    Quarter {
        period: "2019-Q4",
        ports: [("23/tcp", 1), ("445/tcp", 2), ("1433/tcp", 0), ("80/tcp", 5), ("22/tcp", 3)],
        regions: [
            ("NL", NL.0, NL.1, 1),
            ("RU", RU.0, RU.1, 2),
            ("US", US.0, US.1, 3),
            ("CN", CN.0, CN.1, 4),
            ("RO", RO.0, RO.1, 6),
        ],
    },
];

/// The tables of the published quarters, in every format and both languages.
#[test]
fn golden_quarters_have_the_published_tables() {
    let Some(store) = golden() else { return };
    for Quarter { period, ports, regions } in &QUARTERS {
        let previous = |rank: u64| if rank == 0 { json!({"outside": 10}) } else { json!({"rank": rank}) };
        let document = once_json(store, &[period, "--home=JP"]);
        let wanted: Vec<_> =
            (1..).zip(ports).map(|(n, (port, p))| (n, (*port).to_owned(), previous(*p))).collect();
        assert_eq!(
            ranking(&document, "ports", 5),
            wanted,
            "{period}: ports (left: the report, right: published)"
        );
        let wanted: Vec<_> =
            (1..).zip(regions).map(|(n, (code, .., p))| (n, (*code).to_owned(), previous(*p))).collect();
        assert_eq!(
            ranking(&document, "regions", 5),
            wanted,
            "{period}: regions (left: the report, right: published)"
        );

        for (lang, outside) in [("en", "outside top 10"), ("ja", "TOP10外")] {
            let places: Vec<String> =
                (0..=10).map(|rank| if rank == 0 { outside.to_owned() } else { rank.to_string() }).collect();
            let shown: Vec<String> = ports.iter().map(|(port, _)| port.to_uppercase()).collect();
            let port_rows: Vec<Wanted<'_>> = (1..)
                .zip(ports.iter().zip(&shown))
                .map(|(n, ((port, p), shown))| (n, vec![shown.as_str(), *port], places[*p as usize].as_str()))
                .collect();
            let region_rows: Vec<Wanted<'_>> = (1..)
                .zip(regions)
                .map(|(n, (_, en, ja, p))| {
                    (n, if lang == "en" { en.to_vec() } else { ja.to_vec() }, places[*p as usize].as_str())
                })
                .collect();
            let words = [*period, "--home=JP", "--lang", lang];
            let markdown = markdown_tables(&once(store, &[&words[..], &["--format=md"]].concat()));
            let html = html_tables(&once(store, &[&words[..], &["--format=html"]].concat()));
            for (format, tables) in [("md", markdown), ("html", html)] {
                has_table(&format!("{period} {lang} {format} ports"), &tables, &port_rows);
                has_table(&format!("{period} {lang} {format} regions"), &tables, &region_rows);
            }
            // In CSV the names of columns, and what stands for a rank that is not known, are those of no language.
            for (table, of) in [("ports", ports.map(|(_, p)| p)), ("regions", regions.map(|(.., p)| p))] {
                let csv = once(store, &[&words[..], &["--format=csv", "--table", table]].concat());
                let rows = csv_rows(&csv);
                let column = |name: &str| {
                    rows[0].iter().position(|heading| heading == name).unwrap_or_else(|| {
                        panic!("{period} {table}.csv: no column `{name}` in {:?}", rows[0])
                    })
                };
                let (rank, before) = (column("rank"), column("previous_rank"));
                for (row, expected) in rows[1..].iter().take(5).zip(of) {
                    let known = if expected == 0 { None } else { Some(expected) };
                    assert_eq!(
                        row[before].parse().ok(),
                        known,
                        "{period} {table}.csv, previous rank in {row:?}"
                    );
                }
                let ranks: Vec<_> = rows[1..].iter().take(5).map(|row| row[rank].as_str()).collect();
                assert_eq!(ranks, ["1", "2", "3", "4", "5"], "{period} {table}.csv, ranks");
            }
        }
    }
}

/// What was planted from July to September 2019 is told, and nothing else.
#[test]
fn golden_third_quarter_tells_its_phenomena() {
    let Some(store) = golden() else { return };
    let document = once_json(store, &["2019-Q3", "--home=JP"]);
    // How a rise ends that was called a new level before may be told as a fall.
    let found = findings(&document);
    let is_end = |subject: &str| found.iter().any(|(kind, of, _)| kind == "fall" && of == subject);
    let planted = [("rise", "37215/tcp"), ("rise", "NL"), ("rise", "10000/tcp")];
    let ends =
        ["37215/tcp", "NL"].into_iter().filter(|subject| is_end(subject)).map(|subject| ("fall", subject));
    nothing_else(&document, &planted.into_iter().chain(ends).collect::<Vec<_>>());

    let of = |subject| finding(&document, "rise", subject);
    near("onset of 37215/tcp", text(of("37215/tcp"), "/what/onset"), "2019-07-10", 1);
    near("end of 37215/tcp", &over(&document, "37215/tcp"), "2019-08-10", 1);
    let nl = of("NL");
    near("onset of NL", text(nl, "/what/onset"), "2019-08-26", 1);
    // Half of it stays, so that it becomes the new level before it recedes.
    if nl["what"]["end"] == "new_level" && !is_end("NL") {
        assert!(text(nl, "/what/last") >= "2019-09-22", "28 days of NL's rise: {:#}", nl["what"]["last"]);
    } else {
        near("end of NL", &over(&document, "NL"), "2019-09-25", 1);
    }
    assert_eq!(
        nl["what"]["width"]["width"], "narrow",
        "NL rises from few prefixes: {:#}",
        nl["what"]["width"]
    );
    let prefixes = whole(nl, "/what/width/prefixes");
    assert!((1..=3).contains(&prefixes), "NL rises from {prefixes} prefixes; expected 1 to 3");
    let services = list(nl, "/what/services");
    assert!(services.len() >= 10, "NL rises on many ports; told are {services:#?}");
    assert!(
        real(&services[0], "/of_change") < 0.5,
        "NL rises on many ports, but the first makes {:#}",
        services[0]
    );

    let printer = of("10000/tcp");
    near("onset of 10000/tcp", text(printer, "/what/onset"), "2019-08-20", 1);
    let regions: Vec<_> =
        list(printer, "/what/regions").iter().take(3).map(|region| text(region, "/subject")).collect();
    assert_eq!(regions, ["US", "RU", "NL"], "regions of 10000/tcp");
}

/// What was planted from October to December 2019 is told, and nothing else.
#[test]
fn golden_fourth_quarter_tells_its_phenomena() {
    let Some(store) = golden() else { return };
    let document = once_json(store, &["2019-Q4", "--home=JP"]);
    nothing_else(&document, &[("rise", "1433/tcp"), ("silence", "IR")]);

    let rise = finding(&document, "rise", "1433/tcp");
    near("onset of 1433/tcp", text(rise, "/what/onset"), "2019-10-04", 1);
    let regions = list(rise, "/what/regions");
    let first: Vec<_> = regions.iter().take(5).map(|region| text(region, "/subject")).collect();
    assert_eq!(first, ["CN", "US", "IN", "VN", "RU"], "regions of 1433/tcp by packets since the onset");
    assert!(real(&regions[0], "/share") > 0.5, "most of 1433/tcp is from CN: {:#}", regions[0]);
    let home = &rise["what"]["home"];
    assert_eq!((text(home, "/subject"), whole(home, "/rank")), ("JP", 13), "home region of 1433/tcp");

    let silence = &finding(&document, "silence", "IR")["what"];
    let bin = i64::try_from(whole(silence, "/bin_hours") * 3600).expect("a bin");
    let (begin, end) = ir_silence();
    for (what, told, planted) in
        [("onset", text(silence, "/onset"), begin), ("end", text(silence, "/end"), end)]
    {
        let off = seconds(told) - seconds(planted);
        assert!(off.abs() <= bin, "{what} of IR's silence: {told}, planted {planted}, bins of {bin} s");
    }
    let depth = real(silence, "/depth");
    assert!(depth > 0.5, "depth of IR's silence: {depth}");

    // Sentences.
    let id = text(rise, "/id");
    let japanese = once_json(store, &["2019-Q4", "--home=JP", "--lang=ja"]);
    let english = once_json(store, &["2019-Q4", "--home=JP", "--lang=en"]);
    let (japanese, english) =
        (text(&japanese, &format!("/text/{id}")), text(&english, &format!("/text/{id}")));
    for part in ["1433", "中国", "日本", "13位", "10月4日"] {
        assert!(japanese.contains(part), "`{part}` is not in: {japanese}");
    }
    for part in ["1433", "China", "Japan", "13th"] {
        assert!(english.contains(part), "`{part}` is not in: {english}");
    }
    // Without a home region none is told.
    let homeless = once_json(store, &["2019-Q4", "--lang=ja"]);
    assert_eq!(finding(&homeless, "rise", "1433/tcp")["what"]["home"], Value::Null);
    assert!(!text(&homeless, &format!("/text/{id}")).contains("13位"));
}

/// Begin and end of Iran's silence, as in the scenario.
fn ir_silence() -> (&'static str, &'static str) {
    ("2019-11-16T18:00:00+09:00", "2019-11-23T12:00:00+09:00")
}

/// A port that rises meets its advisory; one that nobody asks for does not.
#[test]
fn golden_ports_meet_their_advisories() {
    let Some(store) = golden() else { return };
    let example = project("docs/advisories.example.toml");
    let example = example.to_str().expect("a path");
    let document = once_json(store, &["2019-Q3", "--home=JP", "--advisories", example]);
    let id = text(finding(&document, "rise", "10000/tcp"), "/id");
    let matches = list(&document, "/advisories");
    let met = matches.iter().flat_map(|advisory| list(advisory, "/services")).find(|service| {
        service["service"] == "10000/tcp" && list(service, "/findings").iter().any(|finding| finding == id)
    });
    assert!(met.is_some(), "no advisory of {example} meets {id}: {matches:#?}");

    let scratch = Scratch::new();
    let own = scratch.write(
        "advisories.toml",
        "[[advisory]]\nid = \"ADV-1\"\ndate = 2019-08-17\ntitle = \"Ten thousand\"\nports = [\"10000/tcp\"]\n\n\
         [[advisory]]\nid = \"ADV-2\"\ndate = 2019-08-17\ntitle = \"Nobody asks\"\nports = [\"64999/tcp\"]\n",
    );
    let own = own.to_str().expect("a path");
    let document = document_of(store, &["2019-Q3", "--advisories", own]);
    let ids: Vec<_> = list(&document, "/advisories").iter().map(|advisory| &advisory["id"]).collect();
    assert_eq!(ids, ["ADV-1"], "advisories that are met");
    for format in ["md", "html"] {
        let page = written(store, &["2019-Q3", "--advisories", own, "--format", format]);
        assert!(page.contains("Ten thousand"), "{format}: the advisory's title is not there");
        assert!(
            !page.contains("Nobody asks"),
            "{format}: an advisory on a port that nobody asks for is there"
        );
    }
}

#[track_caller]
fn document_of(store: &Path, words: &[&str]) -> Value {
    document(store, words)
}

/// Another way to the same figures: `teiten query`.
#[test]
fn golden_figures_are_those_of_queries() {
    let Some(store) = golden() else { return };
    let query = |words: &[&str]| {
        let mut command = plain();
        command.args(["query", "--format=json", "--store"]).arg(store).args(words);
        serde_json::from_str::<Value>(&run(command).good().stdout).expect("JSON")
    };
    for Quarter { period, .. } in &QUARTERS {
        let document = once_json(store, &[period, "--home=JP"]);
        let ports = query(&["--period", period]);
        for row in list(&document, "/ports/rows").iter().take(10) {
            let subject = text(row, "/subject");
            let (port, protocol) = subject.split_once('/').expect("a port and a protocol");
            if protocol.starts_with("icmp") {
                continue;
            }
            let asked = list(&ports, "/rows")
                .iter()
                .find(|row| row["dst_port"].as_u64() == port.parse().ok() && row["protocol"] == protocol)
                .unwrap_or_else(|| panic!("{period}: the query has no {subject}"));
            for field in ["packets", "sources"] {
                assert_eq!(row[field], asked[field], "{period} {subject}: {field} (report, query)");
            }
        }
        let regions = query(&["--period", period, "--by=region"]);
        for row in list(&document, "/regions/rows").iter().take(10) {
            let subject = text(row, "/subject");
            let asked = list(&regions, "/rows").iter().find(|row| row["region"] == subject);
            for field in ["packets", "sources"] {
                let asked = asked.map(|asked| &asked[field]);
                assert_eq!(Some(&row[field]), asked, "{period} {subject}: {field} (report, query)");
            }
        }
        let all = query(&["--period", period, "--by=class"]);
        assert_eq!(
            document["totals"]["packets"], all["summary"]["packets"],
            "{period}: packets (report, query)"
        );
        assert_eq!(
            document["totals"]["sources"], all["summary"]["sources"],
            "{period}: sources (report, query)"
        );
    }
    // The regions of the port that surged, since its onset.
    let document = once_json(store, &["2019-Q4", "--home=JP"]);
    let rise = finding(&document, "rise", "1433/tcp");
    let onset = text(rise, "/what/onset");
    let asked = query(&[
        "--from",
        onset,
        "--to=2019-12-31",
        "--where=dst_port = 1433 and protocol = tcp",
        "--by=region",
    ]);
    for region in list(rise, "/what/regions").iter().take(10) {
        let subject = text(region, "/subject");
        let asked =
            list(&asked, "/rows").iter().find(|row| row["region"] == subject).map(|row| &row["packets"]);
        assert_eq!(Some(&region["packets"]), asked, "1433/tcp from {subject} since {onset} (report, query)");
    }
}

/// A quarter in which nothing happens.
#[test]
fn a_quiet_quarter_claims_nothing() {
    let Some(store) = quiet() else { return };
    let document = once_json(store, &["2019-Q3", "--home=JP"]);
    assert_eq!(findings(&document), [], "findings of a quarter in which nothing happened");
    assert!(whole(&document, "/tested/ports") > 0, "no port was tested: {:#}", document["tested"]);
    assert!(
        whole(&document, "/tested/silence_regions") > 0,
        "no region was tested: {:#}",
        document["tested"]
    );
    for (lang, sentence) in [("en", "No notable phenomena were found"), ("ja", "注目すべき動向はなかった")]
    {
        let page = once(store, &["2019-Q3", "--format=md", "--lang", lang]);
        assert!(page.contains(sentence), "{lang}: `{sentence}` is not there:\n{page}");
    }
    identities(&document, "quiet 2019-Q3");
}

/// What must hold in any document.
#[track_caller]
fn identities(document: &Value, what: &str) {
    let first = text(document, "/period/first");
    let days = whole(document, "/period/days");
    let (from, to) = (text(document, "/period/from"), text(document, "/period/to"));
    assert_eq!(days_between(first, text(document, "/period/last")) + 1, days as i64, "{what}: days");
    assert!(
        from.starts_with(first) && from.contains("T00:00:00"),
        "{what}: begins at {from}, first day {first}"
    );
    assert_eq!(days_between(from, to), days as i64, "{what}: {from} to {to}");
    let out: BTreeSet<&str> = list(document, "/quality/days_out").iter().filter_map(Value::as_str).collect();
    assert_eq!(whole(document, "/period/days_counted"), days - out.len() as u64, "{what}: days that count");

    let by_sources = document["rank_by"] == "sources";
    let is_whole = document["profile"] == "internal";
    for name in ["ports", "regions"] {
        let rows = list(document, &format!("/{name}/rows"));
        let population = whole(document, &format!("/{name}/population"));
        let ranked = whole(document, &format!("/{name}/ranked"));
        let counts: Vec<u64> =
            rows.iter().map(|row| whole(row, if by_sources { "/sources" } else { "/packets" })).collect();
        let ranks: Vec<u64> = rows.iter().map(|row| whole(row, "/rank")).collect();
        for (index, (rank, count)) in ranks.iter().zip(&counts).enumerate() {
            let more = counts.iter().filter(|other| *other > count).count() as u64;
            // Where services are left out, those behind them may keep their places.
            let is_right = if is_whole { *rank == more + 1 } else { *rank > more };
            assert!(
                is_right,
                "{what} {name}: rank {rank} of row {index}, counts {counts:?}, ranks {ranks:?}"
            );
            assert!(index == 0 || counts[index - 1] >= *count, "{what} {name}: not in order: {counts:?}");
            let share = *count as f64 / population.max(1) as f64;
            let told = real(&rows[index], "/share");
            assert!((told - share).abs() < 1e-9, "{what} {name} row {index}: share {told}, expected {share}");
        }
        let shares: f64 = rows.iter().map(|row| real(row, "/share")).sum();
        assert!(by_sources || shares <= 1.0 + 1e-9, "{what} {name}: shares sum to {shares}");
        assert!(rows.len() as u64 <= ranked, "{what} {name}: {} rows of {ranked}", rows.len());
        assert!(
            !is_whole || rows.len() as u64 >= ranked.min(10),
            "{what} {name}: only {} rows of {ranked}",
            rows.len()
        );
        if !by_sources {
            let sum: u64 = counts.iter().sum();
            assert!(sum <= population, "{what} {name}: rows have {sum} of {population} packets");
            if rows.len() as u64 == ranked && is_whole {
                assert_eq!(sum, population, "{what} {name}: packets of all rows, and of all that is ranked");
            }
            let below: u64 = ["unattributed", "unknown", "non_routable", "other"]
                .iter()
                .map(|field| whole(document, &format!("/{name}/below/{field}")))
                .sum();
            if name == "regions" {
                let total = whole(document, "/totals/packets");
                assert_eq!(population + below, total, "{what} {name}: ranked and below the table, and all");
            }
        }
    }
    for name in ["port_trend", "region_trend"] {
        let first = text(document, &format!("/{name}/first"));
        for line in list(document, &format!("/{name}/series")) {
            let subject = &line["subject"];
            let values = list(line, "/values");
            let missing: BTreeSet<String> = (0..)
                .zip(values)
                .filter(|(_, value)| value.is_null())
                .map(|(day, _)| day_after(first, day))
                .collect();
            let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
            assert_eq!(values.len() as u64, days, "{what} {name}: days of {subject}");
            assert_eq!(
                missing, out,
                "{what} {name}: days without a value of {subject}, and days that do not count"
            );
        }
    }
    let weights: Vec<f64> =
        list(document, "/findings").iter().map(|finding| real(finding, "/weight")).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{what}: findings are not by weight: {weights:?}");
    let ids: BTreeSet<_> = list(document, "/findings").iter().map(|finding| text(finding, "/id")).collect();
    assert_eq!(ids.len(), weights.len(), "{what}: ids that are there twice: {ids:?}");
    for id in ids {
        assert!(!text(document, &format!("/text/{id}")).is_empty(), "{what}: {id} is told in no sentence");
    }
}

#[test]
fn golden_identities_hold() {
    let Some(store) = golden() else { return };
    for Quarter { period, .. } in &QUARTERS {
        for words in [&["--home=JP"][..], &["--home=JP", "--profile=internal"], &["--rank-by=sources"]] {
            let words = [&[*period], words].concat();
            identities(&once_json(store, &words), &words.join(" "));
        }
    }
    // A day of the same store.
    let words = ["2019-11-18", "--profile=internal"];
    identities(&once_json(store, &words), &words.join(" "));
}

/// The JSON document is what its schema says.
#[test]
fn documents_are_of_the_schema() {
    let Some((golden, steady)) = golden().zip(steady()) else { return };
    let schema: Value =
        serde_json::from_slice(&fs::read(project("docs/report.schema.json")).expect("the schema"))
            .expect("the schema as JSON");
    let mut compiler = Compiler::new();
    compiler.add_resource("report.schema.json", schema).expect("the schema");
    let mut schemas = Schemas::new();
    let schema = compiler.compile("report.schema.json", &mut schemas).expect("a valid schema");
    for (store, words) in [
        (golden, &["2019-Q3", "--home=JP"][..]),
        (golden, &["2019-Q4", "--home=JP"]),
        (golden, &["2019-Q4", "--home=JP", "--lang=ja"]),
        (golden, &["2019-Q4", "--home=JP", "--profile=internal"]),
        (steady, &["2019-Q4"]),
        (steady, &["2020-Q2"]),
    ] {
        let document = once_json(store, words);
        if let Err(error) = schemas.validate(&document, schema) {
            panic!("{words:?}: {error:#}");
        }
        // And not anything is.
        let mut wrong = document.clone();
        wrong["totals"]["packets"] = json!("many");
        assert!(schemas.validate(&wrong, schema).is_err(), "a schema that lets everything pass");
        assert_eq!(document["schema"], 1);
    }
}

/// Ids are the same in all languages and profiles and from run to run, and so is all the rest.
#[test]
fn golden_reports_are_the_same_from_run_to_run() {
    let Some(store) = golden() else { return };
    let ids = |document: &Value| -> Vec<String> {
        list(document, "/findings").iter().map(|finding| text(finding, "/id").to_owned()).collect()
    };
    for Quarter { period, .. } in &QUARTERS {
        let mut first = once_json(store, &[period, "--home=JP"]);
        let mut second = document(store, &[period, "--home=JP"]);
        assert!(!ids(&first).is_empty(), "{period}: no findings");
        for words in [&["--lang=ja"][..], &["--profile=internal"], &["--top=12"]] {
            let other = once_json(store, &[&[*period, "--home=JP"], words].concat());
            assert_eq!(ids(&first), ids(&other), "{period} {words:?}: ids of findings");
        }
        for document in [&mut first, &mut second] {
            assert!(
                document.as_object_mut().and_then(|fields| fields.remove("made")).is_some(),
                "no field `made`"
            );
        }
        assert_eq!(first.to_string(), second.to_string(), "{period}: two runs");
    }
    let ids = ids(&once_json(store, &["2019-Q4", "--home=JP"]));
    assert!(ids.iter().any(|id| id.starts_with("rise-1433-tcp-2019-10-0")), "{ids:?}");
    assert!(ids.iter().any(|id| id.starts_with("silence-IR-2019-11-1")), "{ids:?}");
}

/// What an analyst writes stands with its finding.
#[test]
fn golden_notes_stand_with_their_findings() {
    let Some(store) = golden() else { return };
    let document = once_json(store, &["2019-Q4", "--home=JP"]);
    let id = text(finding(&document, "rise", "1433/tcp"), "/id");
    let other = text(finding(&document, "silence", "IR"), "/id");
    let scratch = Scratch::new();
    let notes = scratch.write(
        "notes.md",
        format!("# report\n\nIntroductory words.\n\n# {id}\n\nSeen by **partners**, too <script>x()</script>.\n\n# {other}\n\nA cable.\n"),
    );
    let notes = notes.to_str().expect("a path");
    let json = document_of(store, &["2019-Q4", "--notes", notes]);
    for (key, part) in [("report", "Introductory words."), (id, "Seen by **partners**"), (other, "A cable.")]
    {
        assert!(text(&json, &format!("/notes/{key}")).contains(part), "note of {key}: {:#}", json["notes"]);
    }
    for lang in ["en", "ja"] {
        for format in ["md", "html"] {
            let page = written(store, &["2019-Q4", "--lang", lang, "--format", format, "--notes", notes]);
            // In Markdown an analyst may write what Markdown allows.
            let has_script = format == "html" && page.contains("<script>x()");
            assert!(!has_script, "{lang}: a script in a note is one of the page");
            let place = |part: &str| {
                page.find(part).unwrap_or_else(|| panic!("{lang} {format}: `{part}` is not there:\n{page}"))
            };
            place("Introductory words.");
            assert!(place(id) < page.len() && place(other) < page.len());
            // Each between its own finding and the next one.
            let (one, two) = (place("partners"), place("A cable."));
            let first_is_rise = findings(&json)[0].0 == "rise";
            assert_eq!(
                one < two,
                first_is_rise,
                "{lang} {format}: notes are not in the order of the findings"
            );
        }
    }
}

/// A report over a quarter of which nearly a third is missing.
#[test]
fn incomplete_data_are_told_first_and_are_no_fall() {
    let Some(store) = gap() else { return };
    let document = once_json(store, &["2019-Q3", "--profile=internal"]);
    identities(&document, "2019-Q3 with a gap");
    let out: Vec<String> = (0..GAP.1).map(|day| day_after(GAP.0, day)).collect();
    let told: Vec<_> = list(&document, "/quality/days_out").iter().filter_map(Value::as_str).collect();
    assert_eq!(told, out, "days that do not count");
    assert_eq!(whole(&document, "/period/days_counted"), 64);
    let observed = real(&document, "/period/observed");
    assert!((observed - 64.0 / 92.0).abs() < 0.001, "observed: {observed}, expected {}", 64.0 / 92.0);
    let gaps = list(&document, "/quality/gaps");
    assert_eq!(gaps.len(), 1, "gaps: {gaps:#?}");
    let hours = whole(&gaps[0], "/hours");
    assert!((671..=672).contains(&hours), "hours of the gap: {hours}, expected 672");
    assert_eq!(findings(&document), [], "a gap is taken for something");
    // What is divided by the time observed does not change.
    let rate = real(&document, "/totals/rate/mean");
    let expected = steady_day() as f64 / 256.0;
    assert!((rate / expected - 1.0).abs() < 0.005, "rate: {rate}, expected {expected}");
    assert_eq!(whole(&document, "/totals/packets"), 64 * steady_day());
    // The quarter before was whole, so ranks are known.
    assert_eq!(row(&document, "ports", "23/tcp")["previous"], json!({"rank": 1}));

    // The alert, before anything else.
    for lang in ["en", "ja"] {
        let page = once(store, &["2019-Q3", "--format=md", "--lang", lang]);
        let tops = page.split("\n## ").next().unwrap_or_default();
        let percent = ["69.6", "70", "30.4"];
        assert!(
            percent.iter().any(
                |percent| tops.contains(&format!("{percent} %")) || tops.contains(&format!("{percent}%"))
            ),
            "{lang}: the top does not say how much was observed ({percent:?} %):\n{tops}"
        );
        let html = html_text(&once(store, &["2019-Q3", "--format=html", "--lang", lang]));
        assert!(percent.iter().any(|percent| html.contains(percent)), "{lang}: no alert in {html}");
    }
    let whole_quarter = once(store, &["2019-Q2", "--format=md"]);
    let alert = |page: &str| {
        page.split("\n## ").next().unwrap_or_default().lines().filter(|l| l.starts_with('>')).count()
    };
    assert!(
        alert(&once(store, &["2019-Q3", "--format=md"])) > alert(&whole_quarter),
        "a quarter with a gap has no alert (a quoted line) that one without lacks:\n{whole_quarter}"
    );

    // A period whose previous one was not observed: nothing is new, nothing has changed.
    let after = once_json(store, &["2019-08-07..2019-08-20", "--profile=internal"]);
    assert_eq!(text(&after, "/previous/first"), "2019-07-24");
    for row in list(&after, "/ports/rows") {
        assert_eq!((&row["previous"], &row["change"]), (&json!("unknown"), &Value::Null), "{row:#}");
    }
    assert_eq!(
        (&after["totals"]["previous_packets"], &after["totals"]["change"]),
        (&Value::Null, &Value::Null)
    );
    // And one whose previous one was observed for two thirds: ranks, but nothing is new.
    let partly = once_json(store, &["2019-08-14..2019-09-24", "--profile=internal"]);
    assert_eq!(text(&partly, "/previous/first"), "2019-07-03");
    for row in list(&partly, "/ports/rows") {
        assert_ne!(row["previous"], "new", "{row:#}");
    }
}

/// A period for which there is nothing, and a store in which there is nothing.
#[test]
fn nothing_to_report_is_said() {
    let Some(store) = steady() else { return };
    let scratch = Scratch::new();
    let empty = scratch.path("empty.db");
    drop(Store::open(&Place::new(&empty), Some("Asia/Tokyo")).expect("a new store"));
    for (store, period) in
        [(store, "2020-Q2"), (store, "2018-W10"), (&empty, "2019-Q4"), (&empty, "2019-10-03")]
    {
        let document = document_of(store, &[period, "--home=JP"]);
        let what = format!("{period} of {}", store.display());
        assert_eq!(whole(&document, "/totals/packets"), 0, "{what}");
        assert_eq!(real(&document, "/period/observed"), 0.0, "{what}");
        assert_eq!(whole(&document, "/period/days_counted"), 0, "{what}");
        assert_eq!(ranking(&document, "ports", 10), [], "{what}");
        assert_eq!(ranking(&document, "regions", 10), [], "{what}");
        assert_eq!(findings(&document), [], "{what}: what is not observed is no silence and no fall");
        for (lang, sentence) in
            [("en", "Nothing was observed in this period"), ("ja", "対象期間中の観測はない")]
        {
            for format in ["md", "html"] {
                let page = written(store, &[period, "--format", format, "--lang", lang]);
                let page = if format == "html" { html_text(&page) } else { page };
                assert!(
                    page.contains(sentence),
                    "{what}, {lang} {format}: `{sentence}` is not there:\n{page}"
                );
                assert!(!page.contains("NaN") && !page.contains(" inf"), "{what}, {lang} {format}:\n{page}");
            }
        }
        let csv = written(store, &[period, "--format=csv", "--table=ports"]);
        assert_eq!(csv_rows(&csv).len(), 1, "{what}: a header and no row: {csv}");
    }
}

/// Periods of every kind on Tokyo's clock: where they begin and end, and every packet of them.
#[test]
fn periods_are_those_of_the_calendar() {
    let Some(store) = steady() else { return };
    for (period, first, last, days, previous) in [
        ("2019-10-03", "2019-10-03", "2019-10-03", 1, ("2019-10-02", "2019-10-02")),
        ("2020-02-29", "2020-02-29", "2020-02-29", 1, ("2020-02-28", "2020-02-28")),
        ("2020-03-01", "2020-03-01", "2020-03-01", 1, ("2020-02-29", "2020-02-29")),
        ("2020-02", "2020-02-01", "2020-02-29", 29, ("2020-01-01", "2020-01-31")),
        ("2020-03", "2020-03-01", "2020-03-31", 31, ("2020-02-01", "2020-02-29")),
        ("2020-Q1", "2020-01-01", "2020-03-31", 91, ("2019-10-01", "2019-12-31")),
        ("2020-W01", "2019-12-30", "2020-01-05", 7, ("2019-12-23", "2019-12-29")),
        ("2020-W02", "2020-01-06", "2020-01-12", 7, ("2019-12-30", "2020-01-05")),
        ("2020-02-20..2020-03-05", "2020-02-20", "2020-03-05", 15, ("2020-02-05", "2020-02-19")),
    ] {
        let document = once_json(store, &[period, "--profile=internal", "--top=20"]);
        identities(&document, period);
        let stretch = &document["period"];
        assert_eq!(stretch["text"], period);
        assert_eq!(document["time_zone"], "Asia/Tokyo", "{period}");
        assert_eq!((text(stretch, "/first"), text(stretch, "/last")), (first, last), "{period}");
        assert_eq!(whole(stretch, "/days"), days, "{period}");
        assert_eq!(text(stretch, "/from"), format!("{first}T00:00:00+09:00"), "{period}");
        assert_eq!(text(stretch, "/to"), format!("{}T00:00:00+09:00", day_after(last, 1)), "{period}");
        let before = (text(&document, "/previous/first"), text(&document, "/previous/last"));
        assert_eq!(before, previous, "{period}: the period before");
        assert!(real(stretch, "/observed") > 0.999, "{period}: observed {}", stretch["observed"]);

        assert_eq!(whole(&document, "/totals/packets"), days * steady_day(), "{period}: packets");
        let days_before = (days_between(previous.0, previous.1) + 1) as u64;
        assert_eq!(whole(&document, "/totals/previous_packets"), days_before * steady_day(), "{period}");
        // Traffic is the same on all days, so ranks are what they were, and two share one.
        for (port, .., hourly) in &STEADY {
            let row = row(&document, "ports", &format!("{port}/tcp"));
            assert_eq!(whole(row, "/packets"), days * 24 * u64::from(*hourly), "{period}: {port}");
            let rank = 1 + STEADY.iter().filter(|(.., other)| other > hourly).count();
            assert_eq!(row["rank"], rank, "{period}: {port}");
            let difference = (days as i64 - days_before as i64) * 24 * i64::from(*hourly);
            assert_eq!(row["change"]["packets"], difference, "{period}: change of {port}");
            assert_eq!(row["previous"], json!({"rank": rank}), "{period}: {port}");
        }
        let below = &document["regions"]["below"];
        assert_eq!(
            (whole(below, "/unknown"), whole(below, "/non_routable")),
            (days * 24, days * 24),
            "{period}"
        );
        assert_eq!(findings(&document), [], "{period}: traffic that never changes");
    }
}

/// The first period of a store: no rank before is known, and nothing is new.
#[test]
fn a_first_period_has_none_before() {
    let Some(store) = steady() else { return };
    let document = once_json(store, &["2019-Q4", "--profile=internal"]);
    identities(&document, "2019-Q4, the first");
    for name in ["ports", "regions"] {
        for row in list(&document, &format!("/{name}/rows")) {
            assert_eq!(row["previous"], "unknown", "{row:#}");
            assert_eq!(row["change"], Value::Null, "{row:#}");
        }
    }
    assert_eq!(document["totals"]["previous_packets"], Value::Null);
    assert_eq!(document["totals"]["change"], Value::Null);
    assert_eq!(real(&document, "/previous/observed"), 0.0);
    assert_eq!(findings(&document), [], "a first period has nothing to be compared with");
    for (lang, new) in [("en", "new"), ("ja", "新規")] {
        let page = once(store, &["2019-Q4", "--format=md", "--lang", lang]);
        let tables = markdown_tables(&page);
        let rows: Vec<_> =
            tables.iter().flatten().filter(|row| row.iter().any(|cell| cell.contains("/TCP"))).collect();
        assert!(!rows.is_empty(), "{lang}: no ports in\n{page}");
        assert!(!rows.iter().any(|row| row.iter().any(|cell| cell == new)), "{lang}: `{new}` in {rows:#?}");
        let told =
            if lang == "en" { "no period before this one" } else { "比較できる前の期間がない" };
        let top = page.split("\n## ").next().unwrap_or_default();
        assert!(top.contains(told), "{lang}: `{told}` is not at the top:\n{top}");
    }
}

/// A day that is cut on a clock half an hour off, on both sides of a change to daylight saving time, and plainly.
#[test]
fn days_are_cut_on_the_clock_of_the_store() {
    if !root() {
        return;
    }
    for (zone, first, day, last, from, to, hours) in [
        (
            "Asia/Kolkata",
            "2019-10-02",
            "2019-10-03",
            "2019-10-05",
            "2019-10-03T00:00:00+05:30",
            "2019-10-04T00:00:00+05:30",
            24,
        ),
        // Clocks go forward at two.
        (
            "Australia/Adelaide",
            "2019-10-05",
            "2019-10-06",
            "2019-10-08",
            "2019-10-06T00:00:00+09:30",
            "2019-10-07T00:00:00+10:30",
            23,
        ),
        // Clocks go back at two: an hour is there twice.
        (
            "America/New_York",
            "2019-11-02",
            "2019-11-03",
            "2019-11-05",
            "2019-11-03T00:00:00-04:00",
            "2019-11-04T00:00:00-05:00",
            25,
        ),
        (
            "Asia/Tokyo",
            "2019-10-02",
            "2019-10-03",
            "2019-10-05",
            "2019-10-03T00:00:00+09:00",
            "2019-10-04T00:00:00+09:00",
            24,
        ),
    ] {
        let scratch = Scratch::new();
        let store = scratch.path("zone.db");
        let mut traffic = Traffic::new(zone);
        traffic.watch(first, last);
        let flow = |port| Flow { port, from: 1, sources: 12, hourly: 1, to: WEST };
        traffic.flow(first, last, &[flow(23)]);
        for (time, port) in [
            (format!("{}T23:59:59", day_after(day, -1)), 1001),
            (format!("{day}T00:00:00"), 1002),
            (format!("{day}T23:59:59"), 1003),
            (format!("{}T00:00:00", day_after(day, 1)), 1004),
        ] {
            traffic.packet(&time, flow(port));
        }
        traffic.replay(&scratch, &store, &[&format!("here={};role=dark", prefix(WEST))]);
        let document = document_of(&store, &[day, "--profile=internal"]);
        identities(&document, zone);
        assert_eq!((text(&document, "/period/from"), text(&document, "/period/to")), (from, to), "{zone}");
        let counted: BTreeMap<_, _> = list(&document, "/ports/rows")
            .iter()
            .map(|row| (text(row, "/subject").to_owned(), whole(row, "/packets")))
            .collect();
        let expected: BTreeMap<_, _> = [("23/tcp", hours), ("1002/tcp", 1), ("1003/tcp", 1)]
            .map(|(port, n)| (port.to_owned(), n))
            .into();
        assert_eq!(counted, expected, "{zone}: packets of {day}");
        assert!(
            real(&document, "/period/observed") > 0.99,
            "{zone}: observed {}",
            document["period"]["observed"]
        );
        // 24 hours' worth, whatever the clock says.
        let rate = real(&document, "/totals/rate/mean");
        let expected = (hours + 2) as f64 / 256.0 * 24.0 / hours as f64;
        assert!((rate / expected - 1.0).abs() < 0.01, "{zone}: rate {rate}, expected {expected}");
        for (lang, offset) in [("en", &from[19..]), ("ja", &from[19..])] {
            let page = written(&store, &[day, "--format=md", "--lang", lang]);
            let page = page.replace('−', "-").replace('\\', "");
            assert!(page.contains(zone), "{zone}: the zone is not named ({lang}):\n{page}");
            assert!(page.contains(offset), "{zone}: no offset `{offset}` ({lang}):\n{page}");
        }
    }
}

/// Changes are those of the sensors that watched in both periods; totals are those of all.
#[test]
fn sensors_that_come_and_go_change_nothing() {
    let Some(store) = panel() else { return };
    let document = once_json(store, &["2019-05", "--profile=internal", "--top=20"]);
    identities(&document, "2019-05 with a changed panel");
    let compared: BTreeMap<_, _> = list(&document, "/sensors")
        .iter()
        .map(|sensor| (text(sensor, "/name"), sensor["compared"].as_bool().expect("yes or no")))
        .collect();
    assert_eq!(
        compared,
        [("sapporo", true), ("kumamoto", false)].into(),
        "sensors, and whether they are compared"
    );

    let base: u64 = (1..=14).sum();
    let west = (base + 20 + 18 + 16) * 24 * 31;
    let west_before = base * 24 * 30 + 240;
    assert_eq!(whole(&document, "/totals/packets"), west + 40 * 24 * 31, "packets of all sensors");
    assert_eq!(
        whole(&document, "/totals/previous_packets"),
        west_before,
        "packets before, of the sensor in both"
    );
    assert_eq!(document["totals"]["change"]["packets"], west - west_before);
    let relative = real(&document, "/totals/change/relative");
    let expected = (west - west_before) as f64 / west_before as f64;
    assert!((relative - expected).abs() < 1e-6, "relative change: {relative}, expected {expected}");

    // 23/tcp lost a sensor and 22/tcp got one; at the one that stayed they have a day more.
    for (port, hourly, all) in [(23, 14, 14), (22, 13, 53), (445, 12, 12)] {
        let row = row(&document, "ports", &format!("{port}/tcp"));
        assert_eq!(whole(row, "/packets"), all * 24 * 31, "{port}: packets of all sensors");
        assert_eq!(
            row["change"]["packets"],
            hourly * 24,
            "{port}: change at the sensor that watched in both"
        );
        let relative = real(row, "/change/relative");
        assert!((relative - 1.0 / 30.0).abs() < 1e-6, "{port}: relative change {relative}");
    }
    let told: Vec<_> =
        findings(&document).into_iter().filter(|(_, of, _)| of == "23/tcp" || of == "22/tcp").collect();
    assert_eq!(told, [], "a sensor that comes or goes is taken for a change");

    // Means and medians over sensors, by address and day.
    let rates = [west as f64 / 31.0 / 256.0, 40.0 * 24.0 / 256.0];
    let mean = real(&document, "/totals/rate/mean");
    assert!((mean / (rates.iter().sum::<f64>() / 2.0) - 1.0).abs() < 0.01, "mean rate {mean} of {rates:?}");

    // One sensor only.
    let east = once_json(store, &["2019-05", "--profile=internal", "--sensor=kumamoto"]);
    assert_eq!(whole(&east, "/totals/packets"), 40 * 24 * 31);
    let ports = ranking(&east, "ports", 10);
    assert_eq!(ports.len(), 1, "{ports:?}");
    assert_eq!((ports[0].1.as_str(), &ports[0].2), ("22/tcp", &json!("unknown")), "a sensor's first period");

    // Groups and sensors beside each other.
    let parts: BTreeMap<_, _> = list(&document, "/parts")
        .iter()
        .map(|part| ((part["is_group"] == true, text(part, "/name")), whole(part, "/packets")))
        .collect();
    let (west, east) = (west, 40 * 24 * 31);
    let expected: BTreeMap<_, _> = [
        ((true, "domestic"), west),
        ((true, "overseas"), east),
        ((false, "sapporo"), west),
        ((false, "kumamoto"), east),
    ]
    .into();
    assert_eq!(parts, expected, "groups and sensors with their packets");
}

/// Previous ranks beyond the table, and of what was not there.
#[test]
fn previous_ranks_beyond_the_table() {
    let Some(store) = panel() else { return };
    for (top, known) in [("3", 10), ("5", 10), ("12", 12)] {
        let document = once_json(store, &["2019-05", "--profile=internal", "--top", top]);
        assert_eq!(document["top"].to_string(), top);
        let of = |port: u16| &row(&document, "ports", &format!("{port}/tcp"))["previous"];
        assert_eq!(of(RISEN), &json!({"outside": known}), "--top {top}: the 15th of April");
        assert_eq!(of(NEW), "new", "--top {top}: not there in April");
        assert_eq!(of(445), &json!({"rank": 3}), "--top {top}");
        for (lang, outside, new) in
            [("en", format!("outside top {known}"), "new"), ("ja", format!("TOP{known}外"), "新規")]
        {
            let page =
                once(store, &["2019-05", "--format=md", "--profile=internal", "--lang", lang, "--top", top]);
            let tables = markdown_tables(&page);
            let ports = tables
                .iter()
                .find(|table| table.iter().any(|row| row.iter().any(|cell| cell == &outside)))
                .unwrap_or_else(|| panic!("--top {top} {lang}: `{outside}` is in no table of\n{page}"));
            assert_eq!((ports.len() - 1).to_string(), top, "--top {top} {lang}: rows of {ports:#?}");
            let previous = |port: u16| {
                ports
                    .iter()
                    .find(|row| row.iter().any(|cell| cell.starts_with(&format!("{port}/TCP"))))
                    .map(|row| row.join(" | "))
            };
            assert!(
                previous(RISEN).is_some_and(|row| row.contains(&outside)),
                "--top {top} {lang}: {RISEN} is not `{outside}` in {ports:#?}"
            );
            if top == "12" {
                let row = previous(NEW).unwrap_or_default();
                assert!(row.split(" | ").any(|cell| cell == new), "{lang}: {NEW} is not `{new}`: {row}");
            }
        }
    }
}

/// The most sources first.
#[test]
fn ranks_by_sources() {
    let Some(store) = steady() else { return };
    let document = once_json(store, &["2020-Q1", "--rank-by=sources", "--profile=internal", "--top=20"]);
    identities(&document, "2020-Q1 by sources");
    let mut expected = STEADY;
    expected.sort_by_key(|(_, _, sources, _)| std::cmp::Reverse(*sources));
    let rows = list(&document, "/ports/rows");
    assert!(rows.len() >= 13, "{rows:#?}");
    // Sources are estimated under a key that is drawn for each store: two of 50 may hash alike, hardly ever four.
    for (port, _, sources, hourly) in expected.iter().take(13) {
        let row = rows.iter().find(|row| row["subject"] == format!("{port}/tcp"));
        let row = row.unwrap_or_else(|| panic!("{port} is not ranked: {rows:#?}"));
        let told = whole(row, "/sources");
        assert!(told.abs_diff(u64::from(*sources)) <= 3, "{port}: {told} sources, expected {sources}");
        assert_eq!(whole(row, "/packets"), 91 * 24 * u64::from(*hourly), "{port}");
    }
    let told: Vec<u64> = rows.iter().map(|row| whole(row, "/sources")).collect();
    assert!(told.is_sorted_by(|a, b| a >= b), "not the most sources first: {told:?}");
    assert_eq!(rows[0]["subject"], "445/tcp", "50 sources, where the next has 45: {rows:#?}");
    let page = once(store, &["2020-Q1", "--rank-by=sources", "--format=md"]);
    let first = markdown_tables(&page)
        .into_iter()
        .find(|table| table.iter().any(|row| row.iter().any(|cell| cell.starts_with("445/TCP"))));
    let first = first.unwrap_or_else(|| panic!("no table of ports in\n{page}"));
    assert!(first[1].iter().any(|cell| cell.starts_with("445/TCP")), "first by sources: {first:#?}");
}

/// What must not be published is in no format.
#[test]
fn what_is_published_gives_no_sensor_away() {
    let Some(store) = panel() else { return };
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let scratch = Scratch::new();
    let pages = |profile: &str| -> Vec<(String, String)> {
        let mut pages = Vec::new();
        for lang in ["en", "ja"] {
            for format in ["html", "md", "json"] {
                let words = ["2019-05", "--lang", lang, "--format", format, "--profile", profile];
                pages.push((format!("{lang} {format}"), once(store, &words)));
            }
            let tables = scratch.path(&format!("{profile}-{lang}"));
            let words = ["2019-05", "--lang", lang, "--format=csv", "--profile", profile, "-o"];
            written(store, &[&words[..], &[tables.to_str().expect("a path")]].concat());
            let mut files = 0;
            for file in fs::read_dir(&tables).expect("tables") {
                let file = file.expect("a file").path();
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                pages.push((format!("{lang} {name}"), fs::read_to_string(&file).expect("a table")));
                pages.push((format!("{lang} name of a table"), name));
                files += 1;
            }
            assert!(files >= 4, "{files} tables in {}", tables.display());
        }
        pages
    };
    let rare = [format!("{RARE}/"), format!("{RARE}-tcp")];
    for (what, page) in pages("publish") {
        for secret in ["sapporo", "kumamoto", "naha", "198.18.", &rare[0], &rare[1]] {
            assert!(!page.contains(secret), "publish, {what}: `{secret}` is there:\n{page}");
        }
        // A short name may be part of any word.
        assert!(host.len() < 6 || !page.contains(host), "publish, {what}: the host's name `{host}` is there");
    }
    // The default is to publish.
    let words = ["2019-05", "--lang=en", "--format=md"];
    assert!(!once(store, &words).contains("sapporo"), "the default shows names");
    assert_eq!(once_json(store, &["2019-05"])["profile"], "publish");
    assert!(once(store, &words).contains("S1"), "the alias is not there");

    let internal = pages("internal");
    for (what, secrets) in [
        ("en md", ["sapporo", "kumamoto", rare[0].as_str()]),
        ("ja html", ["sapporo", "kumamoto", rare[0].as_str()]),
        ("en json", ["sapporo", "kumamoto", rare[0].as_str()]),
    ] {
        let page = &internal.iter().find(|(name, _)| name == what).expect("a page").1;
        for secret in secrets {
            assert!(page.contains(secret), "internal, {what}: `{secret}` is missing:\n{page}");
        }
    }
    let identity = once_json(store, &["2019-05", "--profile=internal"]);
    assert_eq!(whole(row(&identity, "ports", &format!("{RARE}/tcp")), "/sources"), 5);
    identities(&once_json(store, &["2019-05"]), "2019-05 as it is published");
}

/// Frozen figures stay, whatever the store learns later; the next report goes by them and tells what has changed.
#[test]
fn frozen_figures_stay() {
    let Some(original) = panel() else { return };
    let scratch = Scratch::new();
    let store = copied(original, &scratch);
    let frozen = scratch.path("frozen");
    let frozen = frozen.to_str().expect("a path");
    let ask = |words: &[&str]| document_of(&store, &[words, &["--frozen", frozen]].concat());
    let figures = |mut document: Value| {
        for field in ["made", "frozen"] {
            document.as_object_mut().and_then(|fields| fields.remove(field));
        }
        document
    };
    let before = ask(&["2019-05", "--top=20", "--freeze"]);
    assert_ne!(before["frozen"], Value::Null, "a report that is frozen says when");
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(frozen).unwrap_or_else(|error| panic!("{frozen}: {error}"));
        files
            .map(|file| file.expect("a file").path())
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    };
    let kept = files();
    assert_eq!(
        kept.len(),
        1,
        "files in {frozen}: {:?}",
        kept.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );

    // Packets of May that come late: the last port of all becomes the first.
    let last = PANEL[13];
    let mut late = Traffic::new("UTC");
    late.watch("2019-05-20", "2019-05-22");
    late.flow(
        "2019-05-20",
        "2019-05-22",
        &[Flow { port: last, from: 4, sources: 50, hourly: 1500, to: WEST }],
    );
    let packets = u64::from(late.packets());
    late.replay(&scratch, &store, &[&format!("sapporo={};role=dark;group=domestic;alias=S1", prefix(WEST))]);
    let anew = ask(&["2019-05", "--top=20", "--anew"]);
    assert_eq!(
        whole(&anew, "/totals/packets"),
        whole(&before, "/totals/packets") + packets,
        "the store has the late packets"
    );
    assert_eq!(row(&anew, "ports", &format!("{last}/tcp"))["rank"], 1);

    let after = ask(&["2019-05", "--top=20"]);
    assert_eq!(after["frozen"], before["frozen"], "when it was frozen");
    assert_eq!(figures(after), figures(before.clone()), "figures after they were frozen");
    // In another language, format and profile.
    let page =
        written(&store, &["2019-05", "--frozen", frozen, "--lang=ja", "--format=md", "--profile=internal"]);
    assert!(
        page.contains(&format!("{RARE}/TCP")),
        "internal, of a report that was frozen for publication:\n{page}"
    );
    let tables = markdown_tables(&page);
    let wrong = tables
        .iter()
        .flatten()
        .find(|row| row[0] == "1" && row.iter().any(|cell| cell.starts_with(&format!("{last}/"))));
    assert_eq!(wrong, None, "a rank that is not the frozen one");
    // It is not overwritten.
    let _ = report(&store, &["2019-05", "--freeze", "--format=md", "--frozen", frozen]);
    assert_eq!(files(), kept, "what was frozen is no longer what it was");

    // The next period.
    let next = ask(&["2019-06", "--profile=internal", "--top=20"]);
    let of = |document: &Value, port: u16| row(document, "ports", &format!("{port}/tcp"))["previous"].clone();
    let internal = document_of(original, &["2019-06", "--profile=internal", "--top=20"]);
    for port in PANEL {
        assert_eq!(
            of(&next, port),
            of(&internal, port),
            "previous rank of {port}: the frozen one, as it was before"
        );
    }
    let corrections = list(&next, "/corrections");
    let corrected = corrections
        .iter()
        .find(|correction| correction["subject"]["service"] == format!("{last}/tcp"))
        .unwrap_or_else(|| panic!("no correction of {last}/tcp: {corrections:#?}"));
    assert_eq!(corrected["period"], "2019-05");
    assert_eq!(corrected["rank"], 1, "{corrected:#}");
    assert_eq!(whole(corrected, "/packets"), packets + 24 * 31, "{corrected:#}");
    assert!(corrected["frozen_packets"].is_null() || corrected["frozen_packets"] == 24 * 31, "{corrected:#}");
    let page = written(&store, &["2019-06", "--frozen", frozen, "--format=md", "--profile=internal"]);
    assert!(page.contains("2019-05"), "corrections are not told:\n{page}");
    // Without anything frozen there are none.
    assert_eq!(list(&internal, "/corrections"), &[] as &[Value]);
}

/// CSV: a file per table, raw values, a byte-order mark where it is asked for.
#[test]
fn tables_as_csv() {
    let Some(store) = panel() else { return };
    let scratch = Scratch::new();
    let out = scratch.path("tables");
    let words =
        ["2019-05", "--format=csv", "--profile=internal", "--bom", "-o", out.to_str().expect("a path")];
    assert_eq!(written(store, &words), "", "with -o nothing is written to standard output");
    let document = once_json(store, &["2019-05", "--profile=internal"]);
    for (table, name) in [("ports", "ports"), ("regions", "regions")] {
        let file = fs::read_to_string(out.join(format!("{table}.csv")))
            .unwrap_or_else(|error| panic!("{table}.csv: {error}"));
        assert!(file.starts_with('\u{feff}'), "{table}.csv has no byte-order mark");
        let rows = csv_rows(&file);
        let column = |wanted: &str| {
            rows[0]
                .iter()
                .position(|name| name == wanted)
                .unwrap_or_else(|| panic!("{table}.csv: no column `{wanted}` in {:?}", rows[0]))
        };
        let (packets, share) = (column("packets"), column("share"));
        for (row, known) in rows[1..].iter().zip(list(&document, &format!("/{name}/rows")).iter().take(5)) {
            assert_eq!(row[packets], known["packets"].to_string(), "{table}.csv: packets in {row:?}");
            let told: f64 = row[share].parse().unwrap_or_else(|_| panic!("{table}.csv: share in {row:?}"));
            assert!((told - real(known, "/share")).abs() < 1e-6, "{table}.csv: share in {row:?}");
        }
        let one = once(store, &["2019-05", "--format=csv", "--profile=internal", "--table", table]);
        assert_eq!(file.trim_start_matches('\u{feff}'), one, "{table}: on standard output and as a file");
        let japanese =
            once(store, &["2019-05", "--format=csv", "--profile=internal", "--lang=ja", "--table", table]);
        assert_eq!(csv_rows(&japanese)[0], rows[0], "{table}.csv: names of columns in Japanese");
    }
}

/// What cannot be done is said, with what would help; nothing is written then.
#[test]
fn what_cannot_be_reported_is_said() {
    let Some(store) = steady() else { return };
    let scratch = Scratch::new();
    let file = |name: &str, text: &str| scratch.write(name, text).to_str().expect("a path").to_owned();
    let notes = file("notes.md", "# report\n\nFine.\n\n# rise-99-tcp-2019-01-01\n\nNo such finding.\n");
    let broken = file(
        "broken.toml",
        "[[advisory]]\nid = \"A\"\ndate = 2019-08-17\ntitle = \"Good\"\nports = [\"10000/tcp\"]\n\n\
         [[advisory]]\nid = \"B\"\ndate = 2019-08-17\ntitle = \"Bad\"\nports = [\"99999/tcp\"]\n",
    );
    let syntax = file("syntax.toml", "[[advisory]]\nid = \"A\"\ndate = \n");
    let missing =
        file("lacking.toml", "[[advisory]]\nid = \"A\"\ndate = 2019-08-17\nports = [\"10000/tcp\"]\n");
    let parameters = file("parameters.toml", "[surge]\nlevle = 3\n");
    let names = file("names.toml", "[regions\n");
    for (words, parts) in [
        (&["2019-Q5"][..], &["2019-Q5", "Q4"][..]),
        (&["soon"], &["soon", "2019-"]),
        (&["2021-W53"], &["2021-W53"]),
        (&["2019-02-29"], &["2019-02-29"]),
        (&["2019-10-05..2019-10-01"], &["2019-10-05..2019-10-01"]),
        (&[""], &["2019-"]),
        (&["2019-Q4", "--top=0"], &["--top", "1"]),
        (&["2019-Q4", "--top=-1"], &["--top"]),
        (&["2019-Q4", "--sensor=nosuch"], &["nosuch", "sapporo"]),
        (&["2019-Q4", "--home=XYZ"], &["--home", "XYZ", "JP"]),
        (&["2019-Q4", "--home=1"], &["--home", "JP"]),
        (&["2019-Q4", "--lang=fr"], &["fr", "en", "ja"]),
        (&["2019-Q4", "--notes", &notes], &["notes.md", "rise-99-tcp-2019-01-01"]),
        (&["2019-Q4", "--notes", "/nonexistent/notes.md"], &["/nonexistent/notes.md"]),
        (&["2019-Q4", "--advisories", &broken], &["broken.toml", "11", "99999/tcp"]),
        (&["2019-Q4", "--advisories", &syntax], &["syntax.toml", "3"]),
        (&["2019-Q4", "--advisories", &missing], &["lacking.toml", "title"]),
        (&["2019-Q4", "--advisories", "/nonexistent/a.toml"], &["/nonexistent/a.toml"]),
        (&["2019-Q4", "--parameters", &parameters], &["parameters.toml", "levle"]),
        (&["2019-Q4", "--names", &names], &["names.toml", "1"]),
        (&["2019-Q4", "--scanners", "/nonexistent/s.toml"], &["/nonexistent/s.toml"]),
        (&["2019-Q4", "--format=csv"], &["--table", "-o"]),
        (&["2019-Q4", "--format=csv", "--table=nosuch"], &["nosuch", "ports"]),
        (&["2019-Q4", "--format=md", "--table=ports"], &["--table", "csv"]),
        (&["2019-Q4", "-o", "/nonexistent/report.html"], &["/nonexistent"]),
    ] {
        let finished = report(store, words);
        assert_ne!(finished.code(), 0, "{words:?} ends well:\n{}", finished.stderr);
        assert!(finished.code() <= 2, "{words:?}: exit code {}", finished.code());
        for part in parts {
            assert!(
                finished.stderr.contains(part),
                "{words:?}: `{part}` is not in the message: {}",
                finished.stderr
            );
        }
        assert!(!finished.stderr.contains("panicked"), "{words:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{words:?} writes something");
    }
    assert!(!Path::new("/nonexistent").exists());

    // The same with a file to write to: it is not made, and one that is there stays.
    for words in [&["2019-Q5"][..], &["2019-Q4", "--notes", &notes], &["2019-Q4", "--advisories", &broken]] {
        for name in ["new.html", "old.html"] {
            fs::write(scratch.path("old.html"), "old").expect("a file");
            let before = names_in(scratch.dir());
            let path = scratch.path(name);
            let finished = report(store, &[words, &["-o", path.to_str().expect("a path")]].concat());
            assert_ne!(finished.code(), 0, "{words:?}");
            assert_eq!(names_in(scratch.dir()), before, "{words:?}: files that were left behind");
            assert_eq!(
                fs::read_to_string(scratch.path("old.html")).ok().as_deref(),
                Some("old"),
                "{words:?}"
            );
        }
    }

    // No store.
    let none = scratch.path("none.db");
    let finished = report(&none, &["2019-Q4"]);
    assert_ne!(finished.code(), 0);
    assert!(finished.stderr.contains("none.db"), "{}", finished.stderr);
    assert!(!none.exists(), "asking for a report makes a store");
    let no_store = scratch.write("text.db", "this is no database, but long enough to be looked at as one");
    let finished = report(&no_store, &["2019-Q4"]);
    assert_ne!(finished.code(), 0);
    assert!(finished.stderr.contains("text.db"), "{}", finished.stderr);

    // A file that goes well, whole.
    let path = scratch.path("good.html");
    assert_eq!(written(store, &["2019-Q4", "-o", path.to_str().expect("a path")]), "");
    let page = fs::read_to_string(path).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") || page.starts_with("<!doctype html>"), "{}", &page[..100]);
    assert!(page.trim_end().ends_with("</html>"));
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(directory).expect("a directory");
    files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn advisories_are_checked() {
    let scratch = Scratch::new();
    let check = |path: &Path| {
        let mut command = plain();
        command.args(["advisories", "check"]).arg(path);
        run(command)
    };
    let example = check(&project("docs/advisories.example.toml")).good();
    assert!(!example.stdout.contains("error") && !example.stderr.contains("error"), "{example:?}");
    for (text, parts) in [
        (
            "[[advisory]]\nid = \"A\"\ndate = 2019-08-17\ntitle = \"T\"\nports = [\"99999/tcp\"]\n",
            ["5", "99999/tcp"],
        ),
        ("[[advisory]]\nid = \"A\"\ndate = 2019-02-30\ntitle = \"T\"\nports = [\"23/tcp\"]\n", ["3", "date"]),
        ("[[advisory]]\nid = \"A\"\ndate = 2019-02-20\ntitle = \"T\"\nport = [\"23/tcp\"]\n", ["5", "port"]),
        ("[[advisory]]\nid = \"A\"\ndate = 2019-02-20\nports = [\"23/tcp\"]\n", ["1", "title"]),
        ("[[advisory\n", ["1", "wrong.toml"]),
    ] {
        let path = scratch.write("wrong.toml", text);
        let finished = check(&path);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_ne!(finished.code(), 0, "{text}: {said}");
        assert!(said.contains("wrong.toml"), "{text}: the file is not named: {said}");
        for part in parts {
            assert!(said.contains(part), "{text}: `{part}` is not in: {said}");
        }
    }
    let finished = check(Path::new("/nonexistent/advisories.toml"));
    assert_ne!(finished.code(), 0);
    assert!(finished.stderr.contains("/nonexistent/advisories.toml"), "{}", finished.stderr);
}

/// Texts that others wrote are text and nothing else.
#[test]
fn hostile_texts_are_escaped() {
    let Some(original) = panel() else { return };
    let scratch = Scratch::new();
    let store = copied(original, &scratch);
    let alias = "<script>alert(1)</script>|\"x\"'&amp;";
    let connection = Connection::open(&store).expect("the store");
    let changed =
        connection.execute("UPDATE sensor SET alias = ? WHERE name = 'sapporo'", [alias]).expect("an alias");
    assert!(changed > 0);
    drop(connection);
    let advisories = scratch.write(
        "advisories.toml",
        "[[advisory]]\nid = \"A|<b>\"\ndate = 2019-05-01\n\
         title = '<script>alert(2)</script> | **x** \"q\" <img src=x onerror=alert(3)>'\n\
         url = \"https://example.org/?a=1&b=%22%3E\"\nports = [\"23/tcp\"]\nnote = '| </td></table> |'\n",
    );
    let advisories = advisories.to_str().expect("a path");
    for profile in ["publish", "internal"] {
        for lang in ["en", "ja"] {
            let words = ["2019-05", "--advisories", advisories, "--profile", profile, "--lang", lang];
            let html = written(&store, &[&words[..], &["--format=html"]].concat());
            for bad in ["<script>alert", "<img src=x", "A|<b>", "</td></table> |"] {
                assert!(!html.contains(bad), "html {profile} {lang}: `{bad}` is there as such");
            }
            assert!(
                html_text(&html).contains("<script>alert(2)</script> | **x** \"q\""),
                "html {lang}: the title is not told"
            );
            let markdown = written(&store, &[&words[..], &["--format=md"]].concat());
            for bad in ["<script>alert", "<img src=x", "</td></table> |"] {
                let bare = markdown.match_indices(bad).any(|(at, _)| !markdown[..at].ends_with('\\'));
                assert!(!bare, "md {profile} {lang}: `{bad}` is there as such:\n{markdown}");
            }
            for table in markdown_tables(&markdown) {
                let widths: BTreeSet<usize> = table.iter().skip(1).map(Vec::len).collect();
                assert!(
                    widths.iter().all(|width| *width <= table[0].len()),
                    "md {profile} {lang}: a row has more cells than its header: {table:#?}"
                );
            }
            let json = document_of(&store, &words);
            assert!(text(&json, "/advisories/0/title").starts_with("<script>alert(2)</script> | **x**"));
            if profile == "publish" {
                let names: Vec<_> =
                    list(&json, "/sensors").iter().map(|sensor| text(sensor, "/name")).collect();
                assert!(names.contains(&alias), "sensors: {names:?}");
            }
        }
    }
}
