//! The HTTP API over a store whose answers are known: it says what the command line says, and nothing that is asked
//! breaks it.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, header},
};
use boon::{Compiler, Schemas};
use proptest::{prelude::*, sample::select};
use rusqlite::Connection;
use serde_json::{Value, json};
use teiten::{
    geo::{Geo, Paths},
    model::Region,
    report::make::Files,
    serve::{
        Served,
        auth::Access,
        history::{History, Limits, Options, names::NamePages},
        live::{Newest, feed},
        openapi,
        status::About,
    },
    store::{Place, Store},
};
use teiten_tests::{
    agent::{binary, finish},
    report::shared,
    scratch::Scratch,
    stored::store,
};
use tower::ServiceExt;

/// All that is served without an agent.
fn api_of(options: Options) -> Router {
    served(Some(options), None).router()
}

fn served(options: Option<Options>, live: Option<Newest>) -> Served {
    Served {
        access: Access::Loopback("127.0.0.1:8642".parse().expect("an address")),
        about: About { host: "pot".to_owned(), agent: None, home: None, map: true },
        names: NamePages::new(None).expect("names"),
        geo: Arc::new(Geo::open(Paths::default()).expect("no database")),
        history: options.map(|options| Arc::new(History::new(options).expect("threads"))),
        live,
        metrics: None,
    }
}

fn api(store: &Path) -> Router {
    api_of(Options { store: store.to_owned(), ..Options::default() })
}

/// An answer.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("a text")
    }

    #[track_caller]
    fn good(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// Title and parameter of a problem.
    #[track_caller]
    fn problem(&self) -> (String, Option<String>) {
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        (problem["title"].as_str().unwrap().to_owned(), problem["parameter"].as_str().map(str::to_owned))
    }
}

async fn send(api: &Router, request: Request<Body>) -> Got {
    let response = api.clone().oneshot(request).await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    Got { status, headers, body: String::from_utf8(body.into()).expect("UTF-8") }
}

async fn get(api: &Router, path: &str) -> Got {
    send(api, Request::get(format!("/api/v1/{path}")).body(Body::empty()).expect("a request")).await
}

/// A parameter's value as it stands in a query.
fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn questions_are_answered_as_on_the_command_line() {
    let scratch = Scratch::new();
    let store = store(&scratch);
    let api = api(&store);
    let said = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.arg("query").arg("--store").arg(&store).arg("--period=2019-10-04").args(words);
        finish(command).good().stdout
    };
    let condition = "dst_port = 1433";
    for (query, words) in [
        (format!("by=region&where={}", quoted(condition)), vec!["--by=region", "--where=dst_port = 1433"]),
        (
            "by=time,region&step=hour&class=any".to_owned(),
            vec!["--by=time,region", "--step=hour", "--class=any"],
        ),
        ("rank_by=sources&top=1&family=4".to_owned(), vec!["--rank-by=sources", "--top=1", "--family=4"]),
        ("class=backscatter&by=victim_port".to_owned(), vec!["--class=backscatter", "--by=victim_port"]),
    ] {
        let csv = get(&api, &format!("query?period=2019-10-04&{query}&format=csv")).await.good();
        assert_eq!(csv.body, said(&[&words[..], &["--format=csv"]].concat()), "{query}");
        assert!(csv.header(header::CONTENT_TYPE).starts_with("text/csv"));
        let file = csv.header(header::CONTENT_DISPOSITION);
        assert_eq!(file, "attachment; filename=\"teiten-2019-10-04.csv\"");

        let mut document = get(&api, &format!("query?period=2019-10-04&{query}")).await.good().json();
        let summary = document["summary"].as_object_mut().unwrap();
        assert_eq!(summary.remove("period"), Some(json!("2019-10-04")));
        assert_eq!(summary.remove("previous"), Some(Value::Null));
        let expected: Value =
            serde_json::from_str(&said(&[&words[..], &["--format=json"]].concat())).unwrap();
        assert_eq!(document, expected, "{query}");
    }
    for (query, words) in [("", vec!["--quality"]), ("&step=day", vec!["--quality", "--step=day"])] {
        let csv = get(&api, &format!("quality?period=2019-10-04{query}&format=csv")).await.good().body;
        assert_eq!(csv, said(&[&words[..], &["--format=csv"]].concat()));
        let document = get(&api, &format!("quality?period=2019-10-04{query}")).await.good().json();
        let expected: Value =
            serde_json::from_str(&said(&[&words[..], &["--format=json"]].concat())).unwrap();
        assert_eq!(document["rows"], expected["rows"]);
    }
}

#[tokio::test]
async fn rows_are_compared_with_the_period_before() {
    let scratch = Scratch::new();
    let store = store(&scratch);
    let api = api(&store);
    // From the second hour on, against the first two: an hour is in both.
    let asked = "query?from=2019-10-04T02:00&to=2019-10-04T03:00&compare=true&by=dst_port";
    let answer = get(&api, asked).await.good().json();
    assert_eq!(
        answer["summary"]["previous"]["period"],
        "2019-10-04T01:00:00+09:00..2019-10-04T02:00:00+09:00"
    );
    assert_eq!(answer["summary"]["previous"]["packets"], 1000);
    assert_eq!(answer["summary"]["previous"]["observed_seconds"], 3600.0);
    let row = &answer["rows"][0];
    assert_eq!((&row["dst_port"], &row["packets"]), (&json!(23), &json!(600)));
    let before = ["previous_packets", "previous_sources", "previous_rank"].map(|name| row[name].clone());
    assert_eq!(before, [json!(600), json!(50), json!(1)]);
    let csv = get(&api, &format!("{asked}&format=csv&sources=false")).await.good().body;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "dst_port,packets,sources,share,rate,previous_packets,previous_sources,previous_rank"
    );
    assert!(lines[1].starts_with("23,600,,0.6,") && lines[1].ends_with(",600,,1"), "{csv}");
    // Nothing was observed on the day before.
    let day = get(&api, "query?period=2019-10-04&compare=true").await.good().json();
    assert_eq!(day["summary"]["previous"]["observed_seconds"], 0.0);
    assert_eq!(
        (&day["rows"][0]["previous_packets"], &day["rows"][0]["previous_rank"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn periods_have_neighbours() {
    let scratch = Scratch::new();
    let api = api(&store(&scratch));
    let quarter = get(&api, "period?period=2019-Q4").await.good().json();
    assert_eq!(
        quarter,
        json!({
            "period": "2019-Q4", "from": "2019-10-01T00:00:00+09:00", "to": "2020-01-01T00:00:00+09:00",
            "seconds": 7_948_800, "first_day": "2019-10-01", "last_day": "2019-12-31",
            "previous": {
                "period": "2019-Q3", "from": "2019-07-01T00:00:00+09:00", "to": "2019-10-01T00:00:00+09:00",
                "seconds": 7_948_800, "first_day": "2019-07-01", "last_day": "2019-09-30",
            },
            "next": {
                "period": "2020-Q1", "from": "2020-01-01T00:00:00+09:00", "to": "2020-04-01T00:00:00+09:00",
                "seconds": 7_862_400, "first_day": "2020-01-01", "last_day": "2020-03-31",
            },
        })
    );
    assert_eq!(get(&api, "period?period=today").await.good().json()["next"], Value::Null);
    let week = get(&api, "period").await.good().json();
    let hours = week["seconds"].as_u64().unwrap() / 3600;
    assert!(hours == 7 * 24 + 1, "{week}");
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let scratch = Scratch::new();
    let api = api(&store(&scratch));
    for (path, parameter) in [
        ("query?period=2019-Q5", "period"),
        ("query?from=2999-01-01", "from"),
        ("query?from=-7d&to=-8d", "to"),
        ("query?by=port", "by"),
        ("query?by=region,region", "by"),
        ("query?by=region,dst_port,tool", "by"),
        ("query?by=source", "by"),
        ("query?where=dst_port%20%3D", "where"),
        ("query?where=sensor%20%3D%20east", "where"),
        ("query?step=hour", "step"),
        ("query?by=time&step=hour&period=2019", "step"),
        ("query?by=time&period=2000-01-01..2019-12-31", "step"),
        ("query?by=time&compare=true", "compare"),
        ("query?sources=false&rank_by=sources", "rank_by"),
        ("query?limit=3", "limit"),
        ("query?top=1&top=2", "top"),
        ("period?periode=2019", "periode"),
        ("quality?period=2019", "step"),
        ("quality?step=minute", "step"),
        ("findings", "period"),
        ("findings?period=2019&service=telnet", "service"),
        ("report?period=2019&format=pdf", "format"),
        ("report?period=2000-01-01..2019-12-31", "period"),
        ("report?period=2019-10-04&format=csv", "table"),
        ("report?period=2019-10-04&format=csv&table=port", "table"),
        ("report?period=2019-10-04&table=ports", "table"),
        ("names?lang=fr", "lang"),
    ] {
        let got = get(&api, path).await;
        assert_eq!(got.status, 400, "{path}: {}", got.body);
        assert_eq!(got.problem(), ("bad parameter".to_owned(), Some(parameter.to_owned())), "{path}");
    }
    let tables = get(&api, "report?period=2019-10-04&format=csv").await.json();
    assert!(tables["detail"].as_str().unwrap().contains("ports, "), "{tables}");
}

#[tokio::test]
async fn rows_are_bounded() {
    let scratch = Scratch::new();
    let path = store(&scratch);
    many_ports(&path);
    let api = api(&path);
    let answer = get(&api, "query?period=2019-10-04&sources=false").await.good().json();
    assert_eq!(answer["rows"].as_array().unwrap().len(), 10_000);
    let summary = &answer["summary"];
    assert_eq!((&summary["given"], &summary["rows"]), (&json!(10_000), &json!(PORTS + 1)));
    // 10,000 rows by 10 days and what two ends may add.
    let by_time = "query?period=2019-10-01..2019-10-10&by=time,dst_port&sources=false";
    let answer = get(&api, by_time).await.good().json();
    assert_eq!(answer["rows"].as_array().unwrap().len(), 10_000 / 12);
    let by_sources = get(&api, "query?period=2019-10-04&by=dst_port,region,family&rank_by=sources").await;
    assert_eq!(by_sources.problem().1.as_deref(), Some("by"), "{}", by_sources.body);
}

/// Ports that [`many_ports`] adds: more than rows are given, more than one look at the clock takes.
const PORTS: usize = 40_000;

/// Adds to the day a packet from each of two regions to each of many ports, in both cubes of ports.
fn many_ports(store: &Path) {
    let store = Connection::open(store).expect("the store");
    let ports = format!(
        "WITH RECURSIVE p(port) AS (SELECT 2000 UNION ALL SELECT port + 1 FROM p WHERE port < {})",
        2000 + PORTS - 2
    );
    for (cube, column, values, packets) in
        [("port_region", "region", "[\"JP\", \"DE\"]", 1), ("port_tool", "tool", "[0]", 2)]
    {
        let sql = format!(
            "{ports} INSERT INTO {cube} (span, class, kind, port, {column}, family, sensor, packets, sources)
             SELECT s.id, 0, 0, port, v.value, 4, 1, {packets}, NULL FROM span s, p, json_each('{values}') v
             WHERE s.level = 1"
        );
        let rows = store.execute(&sql, []).expect("rows");
        assert_eq!(rows * packets, 2 * (PORTS - 1), "{cube}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let scratch = Scratch::new();
    let path = store(&scratch);
    many_ports(&path);
    let limits = Limits { question: Duration::ZERO, ..Limits::default() };
    let hurried = api_of(Options { store: path.clone(), limits, ..Options::default() });
    let got = get(&hurried, "query?period=2019-10-04&by=dst_port,region").await;
    assert_eq!((got.status, got.problem().0), (503, "too long".to_owned()), "{}", got.body);
    assert!(got.header(header::RETRY_AFTER).parse::<u32>().unwrap() > 0);
    let limits = Limits { report: Duration::ZERO, ..Limits::default() };
    let hurried = api_of(Options { store: path.clone(), limits, ..Options::default() });
    assert_eq!(get(&hurried, "report?period=2019-10-04").await.problem().0, "too long");
    // There is an answer for who waits.
    get(&api(&path), "query?period=2019-10-04&by=dst_port,region&top=10").await.good();
}

#[tokio::test]
async fn too_many_questions_are_refused_and_the_next_is_answered() {
    let scratch = Scratch::new();
    let limits = Limits { threads: 1, waiting: 4, ..Limits::default() };
    let api = api_of(Options { store: store(&scratch), limits, ..Options::default() });
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let api = api.clone();
        all.spawn(async move { get(&api, "query?period=2019-10-04").await });
    }
    let all = all.join_all().await;
    let busy = all.iter().filter(|got| got.status == 503);
    for got in busy.clone() {
        assert_eq!(got.problem().0, "busy");
        assert!(got.header(header::RETRY_AFTER).parse::<u32>().unwrap() > 0);
    }
    let answered = all.iter().filter(|got| got.status == 200).count();
    assert!(busy.clone().count() > 0 && answered >= 4, "{answered}");
    assert_eq!(busy.count() + answered, 200);
    get(&api, "query?period=2019-10-04").await.good();
}

#[tokio::test]
async fn a_store_may_come_later_be_old_or_be_replaced() {
    let scratch = Scratch::new();
    let path = scratch.path("teiten.db");
    let api = api(&path);
    let got = get(&api, "query?period=2019-10-04").await;
    assert_eq!((got.status, got.problem().0), (404, "no store".to_owned()));
    assert!(got.body.contains("teiten run --store"), "{}", got.body);
    get(&api, "names").await.good();

    store(&scratch);
    let day = || get(&api, "query?period=2019-10-04");
    assert_eq!(day().await.good().json()["summary"]["packets"], 3000);
    let version = |version: u32| {
        let store = Connection::open(&path).expect("the store");
        store.pragma_update(None, "user_version", version).expect("a version");
    };
    let of_now: u32 = Connection::open(&path)
        .and_then(|store| store.pragma_query_value(None, "user_version", |row| row.get(0)))
        .unwrap();
    version(of_now - 1);
    let got = day().await;
    assert_eq!((got.status, got.problem().0), (503, "not readable".to_owned()));
    assert!(got.body.contains("older teiten"), "{}", got.body);
    version(of_now);
    day().await.good();

    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(scratch.path(&format!("teiten.db{suffix}")));
    }
    drop(Store::open(&Place::new(&path), Some("Europe/Paris")).expect("another store"));
    let other = day().await.good().json();
    assert_eq!(
        (&other["summary"]["packets"], &other["summary"]["time_zone"]),
        (&json!(0), &json!("Europe/Paris"))
    );
    std::fs::write(&path, "no store").unwrap();
    assert_eq!(day().await.status, 503);
}

#[tokio::test]
async fn a_store_says_what_it_is() {
    let scratch = Scratch::new();
    let path = store(&scratch);
    let status = async |path: PathBuf| {
        History::new(Options { store: path, ..Options::default() }).expect("threads").status().await
    };
    let said = serde_json::to_value(status(path).await.unwrap()).unwrap();
    let state = &said["store"];
    assert_eq!(state["time_zone"], "Asia/Tokyo");
    assert_eq!(
        (&state["first"], &state["last"]),
        (&json!("2019-10-04T00:00:00+09:00"), &json!("2019-10-05T00:00:00+09:00"))
    );
    assert!(state["bytes"].as_u64().unwrap() > 4096);
    assert_eq!((&state["frames"], &state["pending_epochs"]), (&json!(0), &json!(0)));
    assert_eq!(
        said["sensors"],
        json!([{
            "name": "west", "role": "dark", "group": null, "alias": null, "prefixes": [], "addresses": 256,
            "filtered": [], "until": null,
        }])
    );
    let database = &said["databases"][0];
    assert_eq!((&database["role"], &database["type"]), (&json!("country"), &json!("made")));
    assert_eq!(database["built"], "2019-10-02T16:06:40+09:00");
    assert!(database["age_days"].as_i64().unwrap() > 2000);
    assert_eq!(status(scratch.path("none.db")).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn reports_are_those_of_the_command_line() {
    let scratch = Scratch::new();
    let path = store(&scratch);
    let files = Files { advisories: Some(advisories(&scratch)), ..Files::default() };
    let api = api_of(Options { store: path.clone(), files, ..Options::default() });
    let said = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["report", "2019-10-04", "--advisories"]).arg(scratch.path("advisories.toml"));
        finish({
            command.arg("--store").arg(&path).args(words);
            command
        })
        .good()
        .stdout
    };
    // When it was made is told to the second.
    let timeless = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("202") && !line.contains("teiten 0."));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for format in ["html", "md", "json"] {
        for lang in ["en", "ja"] {
            let got =
                get(&api, &format!("report?period=2019-10-04&format={format}&lang={lang}")).await.good();
            let expected = said(&["--format", format, "--lang", lang]);
            assert_eq!(timeless(&got.body), timeless(&expected), "{format} {lang}");
            assert!(!got.headers.contains_key(header::CONTENT_DISPOSITION));
            // The page alone has styles of its own, and may stand in a frame of the dashboard.
            let policy = got.header(header::CONTENT_SECURITY_POLICY);
            assert_eq!(policy.contains("style-src 'unsafe-inline'"), format == "html", "{policy}");
            assert_eq!(policy.contains("frame-ancestors 'self'"), format == "html", "{policy}");
        }
    }
    let table = "report?period=2019-10-04&format=csv&table=ports&profile=internal&top=2&rank_by=sources&download=true";
    let got = get(&api, table).await.good();
    let words = ["--format=csv", "--table=ports", "--profile=internal", "--top=2", "--rank-by=sources"];
    // Lines that a child wrote come without their ends.
    assert_eq!(got.body.replace("\r\n", "\n").trim_end(), said(&words).trim_end());
    let file = got.header(header::CONTENT_DISPOSITION);
    assert_eq!(file, "attachment; filename=\"teiten-2019-10-04-en-ports.csv\"");

    // The server has a home region of its own, unless another one is asked for, or none.
    let home = api_of(Options { store: path, home: Region::from_code("JP"), ..Options::default() });
    for (asked, region) in [("", json!("JP")), ("&home=NL", json!("NL")), ("&home=none", Value::Null)] {
        let report = get(&home, &format!("report?period=2019-10-04&format=json{asked}")).await.good().json();
        assert_eq!(report["home"], region, "{asked}");
    }

    // Every table of the page can be had, and has as many rows as is said.
    for which in ["lang=en", "lang=ja&profile=internal&top=2"] {
        let page = get(&api, &format!("report?period=2019-10-04&{which}")).await.good().body;
        let told = get(&api, &format!("report/tables?period=2019-10-04&{which}")).await.good().json();
        assert_eq!(told["period"]["text"], "2019-10-04");
        let told = told["tables"].as_array().unwrap();
        // In the page, a sentence stands in the place of a table without rows.
        let with_rows = told.iter().filter(|table| table["rows"] != 0).count();
        assert_eq!(page.matches("<table id=\"table-").count(), with_rows);
        for table in told {
            let (name, caption) = (table["table"].as_str().unwrap(), table["caption"].as_str().unwrap());
            let is_shown = table["rows"] != 0;
            assert_eq!(page.contains(&format!("<table id=\"table-{name}\"")), is_shown, "{name}");
            assert_eq!(page.contains(&format!("<span>{caption}</span></caption>")), is_shown, "{caption}");
            let asked = format!("report?period=2019-10-04&format=csv&table={name}&{which}");
            let csv = get(&api, &asked).await.good().body;
            let rows = csv::Reader::from_reader(csv.as_bytes()).into_records().map(Result::unwrap).count();
            assert_eq!(table["rows"], rows, "{name}");
        }
        assert!(with_rows > 5, "{told:?}");
    }
}

fn advisories(scratch: &Scratch) -> PathBuf {
    let text = "[[advisory]]\ndate = 2019-08-16\ntitle = \"SQL servers\"\nports = [\"1433/tcp\"]\n\
                [[advisory]]\ndate = 2019-08-17\ntitle = \"Something else\"\nports = [\"9/udp\"]\n";
    scratch.write("advisories.toml", text)
}

#[tokio::test]
async fn findings_come_with_advisories() {
    let scratch = Scratch::new();
    let path = store(&scratch);
    let files = Files { advisories: Some(advisories(&scratch)), ..Files::default() };
    let api = api_of(Options { store: path, files, ..Options::default() });
    let titles = |answer: &Value| {
        let all = answer["advisories"].as_array().unwrap();
        all.iter().map(|advisory| advisory["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = get(&api, "findings?period=2019-10-04").await.good().json();
    assert_eq!(all["period"]["text"], "2019-10-04");
    assert_eq!(titles(&all), ["SQL servers"], "it ranks");
    let one = get(&api, "findings?period=2019-10-04&service=9/udp&lang=ja").await.good().json();
    assert_eq!(titles(&one), ["Something else"], "although nothing came");
    assert!(titles(&get(&api, "findings?period=2019-10-04&region=JP").await.good().json()).is_empty());
    let broken =
        Files { advisories: Some(scratch.write("broken.toml", "[[advisory]]\n")), ..Files::default() };
    let error = History::new(Options { files: broken, ..Options::default() }).err().expect("an error");
    assert!(error.to_string().contains("broken.toml:1"), "{error}");
}

#[tokio::test]
async fn names_are_sent_once() {
    let api = api(Path::new("/nowhere/teiten.db"));
    let [en, ja] = [get(&api, "names").await.good(), get(&api, "names?lang=ja").await.good()];
    let of =
        |got: &Got, kind: &str, name: &str| got.json()[kind][name].as_str().unwrap_or_default().to_owned();
    assert_eq!((of(&en, "regions", "JP"), of(&ja, "regions", "JP")), ("Japan".to_owned(), "日本".to_owned()));
    assert_eq!(of(&en, "services", "23/tcp"), "telnet");
    for got in [&en, &ja] {
        for (kind, name) in [("regions", "unknown"), ("regions", "unattributed"), ("services", "8/icmp")] {
            assert!(!of(got, kind, name).is_empty(), "{name}");
        }
    }
    let tag = en.header(header::ETAG).to_owned();
    assert_ne!(tag, ja.header(header::ETAG));
    let ask = |known: String| {
        let request = Request::get("/api/v1/names").header(header::IF_NONE_MATCH, known);
        request.body(Body::empty()).unwrap()
    };
    let again = send(&api, ask(format!("\"x\", W/{tag}"))).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(send(&api, ask("\"x\"".to_owned())).await.status, 200);
}

/// The document, and what is validated against it.
struct Documented {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
}

const DOCUMENT: &str = "http://teiten.invalid/openapi.json";

thread_local! {
    static DOCUMENTED: RefCell<Documented> = RefCell::new({
        let document = openapi::document();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(DOCUMENT, document.clone()).expect("a document");
        Documented { document, compiler, schemas: Schemas::new() }
    });
}

/// Asserts that an answer is among those that are documented of a path, and of their form.
#[track_caller]
fn check(path: &str, got: &Got) {
    DOCUMENTED.with_borrow_mut(|documented| documented.check(path, got));
}

/// Names and values of a path's parameters that are documented.
fn parameters(path: &str) -> Vec<(String, Vec<String>)> {
    DOCUMENTED.with_borrow(|documented| documented.parameters(path))
}

impl Documented {
    #[track_caller]
    fn check(&mut self, path: &str, got: &Got) {
        let mut place =
            format!("/paths/{}/get/responses/{}", escaped(&format!("/api/v1/{path}")), got.status);
        let answer = self.document.pointer(&place);
        let answer =
            answer.unwrap_or_else(|| panic!("{path}: {} is not documented: {}", got.status, got.body));
        if let Some(reference) = answer["$ref"].as_str() {
            place = reference.trim_start_matches('#').to_owned();
        }
        let Some(content) = self.document.pointer(&place).and_then(|answer| answer.get("content")) else {
            return assert!(got.body.is_empty(), "{path}: {}", got.body);
        };
        let media = got.header(header::CONTENT_TYPE).split(';').next().unwrap();
        assert!(content.get(media).is_some(), "{path}: {media} is not documented");
        let value = if media.ends_with("json") { got.json() } else { json!(got.body) };
        let schema = format!("{DOCUMENT}#{place}/content/{}/schema", escaped(media));
        let schema = self.compiler.compile(&schema, &mut self.schemas).expect("a schema");
        if let Err(error) = self.schemas.validate(&value, schema) {
            panic!("{path}: {error:#}\n{}", got.body);
        }
        assert!(got.status != 503 || got.headers.contains_key(header::RETRY_AFTER), "{path}");
    }

    fn parameters(&self, path: &str) -> Vec<(String, Vec<String>)> {
        let place = format!("/paths/{}/get/parameters", escaped(&format!("/api/v1/{path}")));
        let all = self.document.pointer(&place).and_then(Value::as_array);
        let values = |schema: &Value| {
            let list = |name: &str| schema[name].as_array().cloned().unwrap_or_default();
            let constants = list("oneOf").into_iter().map(|one| one["const"].clone());
            let all = list("enum").into_iter().chain(constants).chain(list("examples"));
            all.filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        all.into_iter()
            .flatten()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), values(&one["schema"])))
            .collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// Paths that have parameters.
const PATHS: [&str; 8] =
    ["query", "period", "quality", "findings", "report", "report/tables", "names", "networks"];

#[tokio::test]
async fn answers_are_as_they_are_documented() {
    let scratch = Scratch::new();
    let api = api(&store(&scratch));
    for asked in [
        "query?period=2019-10-04",
        "query?period=2019-10-04&by=",
        "query?period=2019-10-04&by=time,sensor,class,kind,family,protocol,dst_port,victim_port,icmp_type,icmp_code,region",
        "query?period=2019-10-04&by=asn,region&compare=true",
        "query?period=2019-10-04&by=tool",
        "query?period=2019-10-04&by=prefix&class=any",
        "query?period=2019-10-04&format=csv",
        "query",
        "period?period=2019-W40",
        "quality?period=2019-10-04",
        "quality?period=2019-10-04&step=day&format=csv",
        "findings?period=2019-10-04",
        "report?period=2019-10-04",
        "report?period=2019-10-04&format=md&lang=ja",
        "report?period=2019-10-04&format=json&profile=internal",
        "report?period=2019-10-04&format=csv&table=regions",
        "report/tables?period=2019-10-04&lang=ja&profile=internal",
        "names",
        "networks?asn=174,3356",
        "status",
        "openapi.json",
    ] {
        let path = asked.split('?').next().unwrap();
        check(path, &get(&api, asked).await.good());
    }
    for path in PATHS {
        check(path, &get(&api, &format!("{path}?no=such")).await);
    }
    let nowhere = self::api(Path::new("/nowhere/teiten.db"));
    for path in [
        "query",
        "period",
        "quality",
        "findings?period=2019",
        "report?period=2019",
        "report/tables?period=2019",
    ] {
        let got = get(&nowhere, path).await;
        assert_eq!(got.status, 404);
        check(path.split('?').next().unwrap(), &got);
    }
    check("status", &get(&nowhere, "status").await.good());
    check("live", &get(&nowhere, "live").await);
    let posted = send(&api, Request::post("/api/v1/query").body(Body::empty()).unwrap()).await;
    assert_eq!(posted.status, 405);
    check("query", &posted);
    let elsewhere = Request::get("/api/v1/query").header(header::HOST, "example.org");
    let elsewhere = send(&api, elsewhere.body(Body::empty()).unwrap()).await;
    assert_eq!(elsewhere.status, 421);
    check("query", &elsewhere);
}

#[tokio::test]
async fn every_path_with_parameters_is_tried() {
    let document = openapi::document();
    let paths = document["paths"].as_object().unwrap();
    let with_parameters = paths.iter().filter(|(_, methods)| methods["get"]["parameters"].is_array());
    let with_parameters: BTreeSet<&str> = with_parameters.map(|(path, _)| path.as_str()).collect();
    let tried: Vec<String> = PATHS.iter().map(|path| format!("/api/v1/{path}")).collect();
    assert_eq!(with_parameters, tried.iter().map(String::as_str).collect());
}

#[tokio::test]
async fn live_counts_are_as_they_are_documented() {
    let (feed, newest) = feed();
    let api = served(None, Some(newest)).router();
    check("live", &get(&api, "live").await);
    let counts = json!({
        "frames": 9, "packets": 5, "non_ip": 1, "malformed": 1, "unwatched": 1, "local": 1, "lost": 1, "uncounted": 0,
        "mismatches": 0, "bytes": 300, "scan": 3, "backscatter": 1, "other": 1, "undetermined": 0,
    });
    let mut hour = counts.clone();
    hour["from"] = json!("2019-10-04T00:00:00Z");
    hour["seconds"] = json!(10.0);
    let row = |name: &str, value: &str| {
        let series = ["service", "region"].contains(&name);
        let mut row = json!({ name: value, "interval": 1, "hour": 2, "total": 3, "sources": 2 });
        row["series"] = if series { json!([2]) } else { Value::Null };
        row
    };
    let mut sensor = row("sensor", "west");
    for class in ["scan", "backscatter", "other"] {
        sensor[class] = json!(1);
    }
    let interface = json!({
        "interface": "eth1", "mode": "native", "up": true, "received": null, "dropped": 3,
    });
    let keeping = json!({ "trouble": "full", "since": "2019-10-04T00:00:00Z", "kept_until": null, "fold_failing": false });
    let snapshot = json!({
        "time": "2019-10-04T00:00:10Z", "start": "2019-10-04T00:00:00Z", "seconds": 10.0,
        "since": "2019-10-04T00:00:00Z", "interval": counts, "hour": hour, "total": counts,
        "series": { "start": [1.5], "seconds": [10.0], "scan": [3], "backscatter": [1], "other": [1] },
        "slots": { "start": [0] },
        "services": [row("service", "23/tcp")], "regions": [row("region", "non-routable")],
        "tools": [row("tool", "mirai")], "backscatter": [row("service", "80/tcp")], "sensors": [sensor],
        "interfaces": [interface], "store": keeping, "messages": ["a warning"],
    });
    feed.publish(&serde_json::from_value(snapshot).expect("a snapshot"));
    let got = get(&api, "live").await.good();
    assert_eq!(got.json()["services"][0]["service"], "23/tcp");
    check("live", &got);
}

#[tokio::test]
async fn values_that_are_documented_are_taken() {
    let scratch = Scratch::new();
    let api = api(&store(&scratch));
    let mut taken = 0;
    for path in PATHS {
        for (name, values) in parameters(path) {
            for value in values.iter().filter(|_| !["from", "to", "table"].contains(&name.as_str())) {
                let mut asked = format!("{path}?{name}={}", quoted(value));
                let wants = |parameter: &str| {
                    ["findings", "report", "report/tables"].contains(&path) && name != parameter
                };
                if wants("period") {
                    asked += "&period=2019-10-04";
                }
                asked += match (name.as_str(), value.as_str()) {
                    ("step", _) if path == "query" => "&by=time",
                    ("format", "csv") if path == "report" => "&table=ports",
                    _ => "",
                };
                let got = get(&api, &asked).await;
                assert_eq!(got.status, 200, "{asked}: {}", got.body);
                taken += 1;
            }
        }
    }
    assert!(taken > 25, "{taken}");
}

/// Values that somebody might send: documented ones, nearly good ones, and such as break other programs.
fn value() -> impl Strategy<Value = String> {
    const GOOD: &[&str] = &[
        "2019-10-04",
        "2019-Q4",
        "2019",
        "today",
        "-7d",
        "2019-10-01..2019-10-31",
        "region",
        "time",
        "dst_port,protocol",
        "time,sensor,class,kind,family,region,tool",
        "dst_port = 23",
        "region in (CN, US) and not tool = mirai",
        "scan",
        "any",
        "4",
        "6",
        "1",
        "10000",
        "packets",
        "sources",
        "hour",
        "day",
        "true",
        "false",
        "json",
        "csv",
        "html",
        "md",
        "JP",
        "en",
        "ja",
        "23/tcp",
        "publish",
        "internal",
        "ports",
        "regions",
    ];
    const BAD: &[&str] = &[
        "",
        " ",
        "0",
        "-1",
        "+1",
        "1e9",
        "99999999999999999999",
        "18446744073709551615",
        "NaN",
        "null",
        "undefined",
        "0000-01-01..9999-12-31",
        "9999",
        "0000",
        "-4294967295w",
        "2019-02-30",
        "..",
        "now..now",
        "by",
        "source",
        "TIME",
        "region,region",
        ",,,",
        "' OR 1=1 --",
        "'; DROP TABLE span; --",
        "\" UNION SELECT * FROM meta",
        "dst_port = '",
        "((((((((((((((((",
        "not not not not",
        "dst_port in ()",
        "sensor = \u{0}",
        "\u{0}",
        "\u{202e}",
        "日本",
        "🦀",
        "%",
        "%00",
        "../../etc/passwd",
        "<script>alert(1)</script>",
        "${jndi:ldap://x}",
        "{}",
        "[]",
        "a=b&c=d",
    ];
    prop_oneof![
        6 => select(GOOD).prop_map(str::to_owned),
        3 => select(BAD).prop_map(str::to_owned),
        1 => "\\PC{0,40}",
        1 => "[a-z_]+ (=|!=|<|>=|in|not in) [(]?[a-z0-9,' ]*[)]?( (and|or) .*)?",
        1 => any::<u64>().prop_map(|number| number.to_string()),
        // All together no longer than an address may be.
        1 => (1usize..700, select(vec!["a", "(", "2019-", "é", "9"])).prop_map(|(times, text)| text.repeat(times)),
    ]
}

/// Parameters, most of them such as the path has.
fn pairs(path: &'static str) -> impl Strategy<Value = Vec<(String, String)>> {
    let known: Vec<String> = parameters(path).into_iter().map(|(name, _)| name).collect();
    let name = prop_oneof![
        20 => select(known),
        1 => select(vec!["", "Period", "period[]", "by.0", "\u{0}", "__proto__", "token"]).prop_map(str::to_owned),
        1 => "\\PC{0,10}",
    ];
    proptest::collection::vec((name, value()), 0..5)
}

fn asked() -> impl Strategy<Value = (&'static str, String)> {
    select(&PATHS[..]).prop_flat_map(|path| {
        pairs(path).prop_map(move |pairs| {
            let pairs = pairs.iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
            (path, pairs.collect::<Vec<_>>().join("&"))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_has_a_documented_answer((path, query) in asked()) {
        static API: LazyLock<(Router, tokio::runtime::Runtime)> = LazyLock::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            (api(&store(shared())), runtime)
        });
        let got = API.1.block_on(get(&API.0, &format!("{path}?{query}")));
        prop_assert!(got.status != 500, "{}", got.body);
        check(path, &got);
        if got.status == 400 {
            let (title, parameter) = got.problem();
            prop_assert_eq!(title, "bad parameter");
            prop_assert!(parameter.is_some());
        }
    }

    /// Bytes that are no UTF-8, half of an escape, and whatever else a request line may carry.
    #[test]
    fn no_query_breaks_it(query in "[!-~&&[^#\"<>^`{|}\\\\]]{0,60}") {
        static API: LazyLock<(Router, tokio::runtime::Runtime)> = LazyLock::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            (api(&store(shared())), runtime)
        });
        let uri = format!("query?{query}");
        prop_assume!(format!("/api/v1/{uri}").parse::<axum::http::Uri>().is_ok());
        check("query", &API.1.block_on(get(&API.0, &uri)));
    }
}
