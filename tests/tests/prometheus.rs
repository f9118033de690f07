//! Metrics, rules and the dashboard, judged by Prometheus: what is in `contrib/`, and a real one that scrapes a
//! running agent.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sensor_common::{
    kind::{Kind, Tool},
    layout::Outcomes,
};
use serde_json::{Value, json};
use teiten::{
    export::metrics::{Metrics, Scope},
    geo::{Geo, Paths},
    kernel::interfaces::Interface,
    live::{Interval, Totals},
    model::{Class, Protocol, Region, Sensors, Service},
};
use teiten_tests::{
    agent::{finish, teiten},
    frames::*,
    mmdb,
    prometheus::{Prometheus, promtool},
    root,
    scratch::Scratch,
    send::Socket,
    station::Station,
    wait_for,
};

/// A file of this repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const RULES: &str = "contrib/prometheus/teiten.rules.yml";
const RULES_TEST: &str = "contrib/prometheus/teiten.rules.test.yml";
const CONFIG: &str = "contrib/prometheus/scrape.example.yml";
const DASHBOARD: &str = "contrib/grafana/teiten.json";

/// A metric of the exporter: as it is asked for in Prometheus, a histogram by its family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Metric {
    /// `counter`, `gauge` or `histogram`.
    of_type: String,
    unit: Option<String>,
    labels: BTreeSet<String>,
}

/// Every metric that an agent with a store, databases and an interface has, with each of its labels.
fn exported() -> BTreeMap<String, Metric> {
    let sensors = Sensors::new(vec!["west=192.0.2.0/24".parse().unwrap()]).unwrap();
    let interfaces = [("eth0".to_owned(), "native")];
    let scope = Scope {
        sensors: &sensors,
        interfaces: &interfaces,
        interval: Duration::from_secs(10),
        ports: 1,
        regions: 1,
        started: 0,
    };
    let mut metrics = Metrics::new(&scope).with_store();
    metrics.interfaces(&[Interface { name: "eth0".to_owned(), ..Interface::default() }], 1);
    let scratch = Scratch::new();
    let country = scratch.write("countries.mmdb", mmdb::countries(&[(11, "NL")]));
    metrics.databases(&Geo::open(Paths { country: Some(country), asn: Vec::new() }).unwrap().tables());
    let totals = Totals {
        outcomes: Outcomes { packets: 1, ..Outcomes::default() },
        classes: [((Some(Class::Scan), Kind::Syn), 1)].into_iter().collect(),
        services: [(Service { protocol: Protocol::Tcp, number: 23 }, 1)].into_iter().collect(),
        regions: [(Region::UNKNOWN, 1)].into_iter().collect(),
        sensors: [((0, Class::Scan), 1)].into_iter().collect(),
        tools: [(Tool::None, 1)].into_iter().collect(),
        ..Totals::default()
    };
    let interval =
        Interval { start_ns: 0, end_ns: 1, totals, rows: Vec::new(), cut: 0, mismatches: Vec::new() };
    metrics.closed(&interval, &interval.totals);
    parsed(metrics.expose().unwrap().text(true))
}

/// Reads an exposition of OpenMetrics.
fn parsed(open_metrics: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let name_of = |family: &str, of_type: &str| match of_type {
        "counter" => format!("{family}_total"),
        _ => family.to_owned(),
    };
    for line in open_metrics.lines() {
        if let Some((family, of_type)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            types.insert(family, of_type);
            let metric = Metric { of_type: of_type.to_owned(), ..Metric::default() };
            metrics.insert(name_of(family, of_type), metric);
        } else if let Some((family, unit)) =
            line.strip_prefix("# UNIT ").and_then(|rest| rest.split_once(' '))
        {
            metrics.get_mut(&name_of(family, types[family])).unwrap().unit = Some(unit.to_owned());
        } else if let Some((name, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            let labels = rest.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()));
            metrics.get_mut(name).unwrap_or_else(|| panic!("{line}")).labels.extend(labels);
        }
    }
    for metric in metrics.values_mut() {
        metric.labels.remove("le");
    }
    metrics
}

/// The names of series that a text has in it.
fn series(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("teiten_"))
        .collect()
}

/// Holds a text to it that it asks for nothing that no agent has.
fn assert_known(what: &str, text: &str) {
    let exported = exported();
    for name in series(text) {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let histogram = family.and_then(|family| exported.get(family)).filter(|of| of.of_type == "histogram");
        let sample = exported.get(name).filter(|of| of.of_type != "histogram");
        assert!(histogram.or(sample).is_some(), "{what}: the exporter has no {name}");
    }
}

#[test]
fn the_rules_are_sound_and_do_what_they_must() {
    let path = |of: &str| file(of).to_str().unwrap().to_owned();
    promtool(&["check", "rules", &path(RULES)], "");
    promtool(&["check", "config", &path(CONFIG)], "");
    if let Some(said) = promtool(&["test", "rules", &path(RULES_TEST)], "") {
        assert!(said.contains("SUCCESS"), "{said}");
    }
    assert_known(RULES, &text(RULES));
    // Every alert is told about, and seen to fire.
    let (rules, tests, pages) = (text(RULES), text(RULES_TEST), text("docs/monitoring.md"));
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::trim).collect();
    assert!(alerts.len() >= 12, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} is not seen to fire");
        assert!(pages.contains(&format!("| `{alert}` |")), "docs/monitoring.md does not tell of {alert}");
    }
}

#[test]
fn the_documents_list_every_metric() {
    let page = text("docs/output.md");
    let section = page.split("## Prometheus").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let cell = |cell: &str| cell.replace('`', "").trim().to_owned();
    let told: BTreeMap<String, (String, BTreeSet<String>, String)> = section
        .lines()
        .filter(|line| line.starts_with("| `teiten_"))
        .map(|line| {
            let cells: Vec<String> = line.trim_matches('|').splitn(5, '|').map(cell).collect();
            let labels = cells[2].split(',').map(str::trim).filter(|label| !label.is_empty());
            (cells[0].clone(), (cells[1].clone(), labels.map(str::to_owned).collect(), cells[3].clone()))
        })
        .collect();
    let there: BTreeMap<_, _> = exported()
        .into_iter()
        .map(|(name, metric)| (name, (metric.of_type, metric.labels, metric.unit.unwrap_or_default())))
        .collect();
    assert_eq!(told, there, "the table of docs/output.md, and what the exporter has");
}

/// Every panel of the dashboard, those in rows as well.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().expect("panels");
    all.iter()
        .flat_map(|panel| [panel].into_iter().chain(panel["panels"].as_array().into_iter().flatten()))
        .collect()
}

/// Every expression of the dashboard by its panel, with Grafana's variables filled in.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let fill = |expression: &Value| {
        let text = expression.as_str().expect("an expression");
        let filled = ["$job", "$instance", "$sensor"]
            .iter()
            .fold(text.to_owned(), |text, variable| text.replace(variable, ".+"));
        filled.replace("$__rate_interval", "1m").replace("$__range", "1m")
    };
    let annotations = dashboard["annotations"]["list"].as_array().expect("annotations");
    let targets = panels(dashboard).into_iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (panel["title"].as_str().unwrap(), &target["expr"]))
    });
    let annotations = annotations.iter().map(|of| (of["name"].as_str().unwrap(), &of["expr"]));
    targets.chain(annotations).map(|(title, expression)| (title.to_owned(), fill(expression))).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).expect("JSON")
}

#[test]
fn the_dashboard_is_sound() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "two panels share an id");

    // On a grid of 24 columns, no two share a cell.
    let mut taken = BTreeMap::new();
    for panel in &panels {
        let of = |side: &str| panel["gridPos"][side].as_u64().unwrap_or_else(|| panic!("{side}: {panel}"));
        assert!(of("w") > 0 && of("h") > 0 && of("x") + of("w") <= 24, "{panel}");
        for cell in
            (of("x")..of("x") + of("w")).flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)))
        {
            let other = taken.insert(cell, &panel["title"]);
            assert_eq!(other, None, "{} lies over it", panel["title"]);
        }
    }

    // One datasource, which is asked for.
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    assert_eq!(named("datasource").expect("a variable")["query"], "prometheus");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{}", panel["title"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for datasource in targets.iter().chain([*panel]).map(|of| &of["datasource"]) {
            assert_eq!(*datasource, json!({"type": "prometheus", "uid": "${datasource}"}), "{panel}");
        }
        let letters: BTreeSet<_> = targets.iter().map(|target| target["refId"].as_str()).collect();
        assert_eq!(letters.len(), targets.len(), "{}: two targets share a letter", panel["title"]);
    }
    for name in ["job", "instance", "sensor"] {
        let variable = named(name).expect("a variable");
        assert_known(name, variable["query"]["query"].as_str().unwrap());
    }

    // Every expression is one of PromQL, and of this exporter.
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 40, "{}", expressions.len());
    let mut rules = Vec::new();
    for (number, (title, expression)) in expressions.iter().enumerate() {
        assert!(!expression.contains('$'), "{title}: a variable that is not known: {expression}");
        assert_known(title, expression);
        rules.push(json!({"record": format!("expression:{number}"), "expr": expression}));
    }
    let scratch = Scratch::new();
    // JSON is YAML.
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    let rules = scratch.write("dashboard.json", rules);
    promtool(&["check", "rules", rules.to_str().unwrap()], "");
}

/// Frames with a known outcome each, sent to two sensors: what must be counted of them is in [`Sent`].
struct Traffic {
    frames: Vec<Vec<u8>>,
    sent: Sent,
}

/// How many frames were sent of each, by what Prometheus' labels say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sent {
    outcome: BTreeMap<String, u64>,
    class: BTreeMap<String, u64>,
    sensor: BTreeMap<String, u64>,
    port: BTreeMap<String, u64>,
    region: BTreeMap<String, u64>,
    tool: BTreeMap<String, u64>,
}

fn traffic() -> Traffic {
    const WEST: [u8; 4] = [192, 0, 2, 1];
    const EAST: [u8; 4] = [198, 51, 100, 1];
    let mut traffic = Traffic { frames: Vec::new(), sent: Sent::default() };
    let add = |to: &mut BTreeMap<String, u64>, key: &str, frames: usize| {
        *to.entry(key.to_owned()).or_default() += frames as u64;
    };
    let mut not_counted = |frame: Vec<u8>, outcome: &str, frames: usize| {
        traffic.frames.extend(vec![frame; frames]);
        add(&mut traffic.sent.outcome, outcome, frames);
    };
    not_counted(ethernet(ARP, &[0; 28]), "non_ip", 6);
    not_counted(cut(Ipv4::new([11, 0, 0, 1], WEST).tcp(Tcp::syn(1, 2)).frame(), 30), "malformed", 5);
    not_counted(Ipv4::new([11, 0, 0, 1], [203, 0, 113, 1]).tcp(Tcp::syn(1, 2)).frame(), "unwatched", 4);
    not_counted(Ipv4::new([169, 254, 1, 1], WEST).tcp(Tcp::syn(1, 2)).frame(), "local", 3);

    let mut counted = |frame: Vec<u8>, sensor: &str, class: &str, frames: usize| {
        traffic.frames.extend(vec![frame; frames]);
        add(&mut traffic.sent.outcome, "packets", frames);
        add(&mut traffic.sent.class, class, frames);
        add(&mut traffic.sent.sensor, &format!("{sensor} {class}"), frames);
    };
    let syn = |source: [u8; 4], to: [u8; 4], port| Ipv4::new(source, to).tcp(Tcp::syn(40000, port));
    let mirai = Ipv4::new([11, 0, 0, 1], WEST).tcp(Tcp::syn(40000, 23).sequence(u32::from_be_bytes(WEST)));
    counted(mirai.frame(), "west", "scan", 40);
    counted(syn([12, 0, 0, 1], WEST, 443).id(54321).frame(), "west", "scan", 20);
    counted(syn([12, 0, 0, 2], EAST, 23).frame(), "east", "scan", 10);
    counted(Ipv4::new([13, 0, 0, 1], EAST).udp(Udp::new(40000, 5060)).frame(), "east", "scan", 8);
    counted(Ipv4::new([10, 0, 0, 1], WEST).icmp(Icmp::new(8, 0)).frame(), "west", "scan", 7);
    let answer = Ipv4::new([11, 0, 0, 9], WEST).tcp(Tcp::new(80, 40000).flags(SYN | ACK));
    counted(answer.frame(), "west", "backscatter", 9);
    counted(Ipv4::new([11, 0, 0, 1], EAST).tcp(Tcp::new(40000, 22).flags(ACK)).frame(), "east", "other", 2);

    let of = |counts: &[(&str, u64)]| counts.iter().map(|&(key, count)| (key.to_owned(), count)).collect();
    traffic.sent.port = of(&[("23 tcp", 50), ("443 tcp", 20), ("5060 udp", 8), ("8 icmp", 7)]);
    traffic.sent.region = of(&[("NL", 40), ("JP", 30), ("unknown", 8), ("non-routable", 7)]);
    traffic.sent.tool = of(&[("mirai", 40), ("zmap", 20), ("none", 25)]);
    traffic
}

/// The same by Prometheus, without what is 0.
fn scraped(prometheus: &Prometheus) -> Sent {
    let of = |expression: &str, labels: &[&str]| {
        let samples = prometheus.query(expression, labels).into_iter();
        let counts = samples.map(|(key, value)| (key, value as u64));
        counts.filter(|(_, count)| *count != 0).collect()
    };
    Sent {
        outcome: of("teiten_frames_total", &["outcome"]),
        class: of("sum by (class) (teiten_packets_total)", &["class"]),
        sensor: of("teiten_sensor_packets_total", &["sensor", "class"]),
        port: of("teiten_port_packets_total", &["port", "protocol"]),
        region: of("teiten_region_packets_total", &["region"]),
        tool: of("teiten_tool_packets_total", &["tool"]),
    }
}

/// The same by the store, where `--quality` knows the outcomes.
fn stored(station: &Station) -> Sent {
    let ask = |words: &[&str]| -> Value {
        let mut command = teiten(&station.pair.inner);
        command.args(["query", "--from=2000-01-01", "--to=2100-01-01", "--format=json", "--store"]);
        command.arg(&station.store).args(words);
        serde_json::from_str(&finish(command).good().stdout).expect("JSON")
    };
    let word = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let by = |class: &str, dimensions: &str| -> BTreeMap<String, u64> {
        let answer = ask(&["--class", class, "--by", dimensions]);
        let rows = answer["rows"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                let key: Vec<_> = dimensions.split(',').filter_map(|name| word(&row[name])).collect();
                (key.join(" "), row["packets"].as_u64().unwrap())
            })
            .collect()
    };
    let quality = ask(&["--quality"]);
    let outcome = ["packets", "non_ip", "malformed", "unwatched", "local"].map(|outcome| {
        let rows = quality["rows"].as_array().unwrap().iter();
        (outcome.to_owned(), rows.map(|row| row[outcome].as_u64().unwrap()).sum())
    });
    Sent {
        outcome: BTreeMap::from(outcome),
        class: by("any", "class"),
        sensor: by("any", "sensor,class"),
        port: by("scan", "dst_port,icmp_type,protocol"),
        region: by("scan", "region"),
        tool: by("scan", "tool"),
    }
}

#[test]
fn a_real_prometheus_and_the_store_agree() {
    if !root() {
        return;
    }
    let station = Station::new();
    let namespace = &station.pair.inner;
    namespace.ip("link set lo up");
    let country = station.scratch.write("countries.mmdb", mmdb::countries(&[(11, "NL"), (12, "JP")]));

    // What users are given, but quicker.
    station.scratch.write("teiten.rules.yml", text(RULES));
    let config = text(CONFIG);
    assert_eq!(config.matches("15s").count(), 2, "{config}");
    let config = station.scratch.write("prometheus.yml", config.replace("15s", "200ms"));
    let Some(prometheus) = Prometheus::start(namespace, &config) else { return };

    let agent = station.run(&[
        "--metrics=127.0.0.1:9184",
        "--sensor=west=192.0.2.0/24",
        "--sensor=east=198.51.100.0/24;role=lit",
        "--country",
        country.to_str().unwrap(),
    ]);
    let up = |value: f64| {
        let up = prometheus.query(r#"up{job="teiten"}"#, &["instance"]);
        (up == BTreeMap::from([("127.0.0.1:9184".to_owned(), value)])).then_some(())
    };
    wait_for("the agent to be up", || up(1.0));

    // Half of it only when Prometheus has the first half, so that it sees counters rise.
    let Traffic { frames, sent } = traffic();
    let sender = Socket::sender(&station.pair.outer, "out0");
    let (first, second) = frames.split_at(frames.len() / 2);
    let total = |expected: usize| {
        let total = prometheus.query("sum(teiten_frames_total)", &[]);
        (total.get("") == Some(&(expected as f64))).then_some(())
    };
    for (part, so_far) in [(first, first.len()), (second, frames.len())] {
        sender.send(part);
        wait_for("the frames in Prometheus", || total(so_far));
    }
    assert_eq!(scraped(&prometheus), sent);
    let packets = sent.outcome["packets"];
    wait_for("the frames in the store", || {
        (station.query("class")["summary"]["packets"] == packets).then_some(())
    });
    assert_eq!(stored(&station), sent);

    let one = |expression: &str| prometheus.query(expression, &[]).get("").copied();
    for (must_be_0, expression) in [
        ("lost", "teiten_lost_packets_total"),
        ("uncounted", "teiten_uncounted_frames_total"),
        ("mismatches", "teiten_book_mismatches_total"),
        ("trouble", "max(teiten_store_trouble)"),
        ("commit failures", "teiten_store_commit_failures_total"),
    ] {
        assert_eq!(one(expression), Some(0.0), "{must_be_0}");
    }
    wait_for("the interface's own counters", || {
        (one("teiten_interface_received_frames_total") == Some(frames.len() as f64)).then_some(())
    });
    assert_eq!(one("teiten_interface_up + teiten_interface_attached"), Some(2.0));
    let size = fs::metadata(&station.store).unwrap().len() as f64;
    assert!(one("teiten_store_size_bytes").is_some_and(|bytes| bytes >= size), "{size}");
    assert_eq!(one("teiten_spill_size_bytes"), Some(f64::from(1 << 19)), "half of 1M");

    // Healthy, and spoken to in OpenMetrics: only that tells units.
    let targets = prometheus.api("targets", &[]);
    let target = &targets["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&json!("up"), &json!("")), "{target}");
    let exported = exported();
    let metadata = prometheus.api("targets/metadata", &[("match_target", r#"{job="teiten"}"#)]);
    let metadata: BTreeMap<String, &Value> = metadata
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (of["metric"].as_str().unwrap().to_owned(), of))
        .collect();
    assert_eq!(metadata.len(), exported.len(), "{metadata:?}");
    for (name, metric) in &exported {
        let of =
            metadata.get(name.strip_suffix("_total").unwrap_or(name)).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(of["type"], metric.of_type.as_str(), "{name}");
        assert_eq!(of["unit"], metric.unit.as_deref().unwrap_or_default(), "{name}");
        assert!(!of["help"].as_str().unwrap().is_empty(), "{name}");
    }

    // Its rules are evaluated, and nothing is wrong.
    wait_for("all rules to be evaluated", || {
        let rules = prometheus.api("rules", &[]);
        let rules = rules["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        for rule in &rules {
            assert!(rule["lastError"].as_str().is_none_or(str::is_empty), "{rule}");
        }
        (rules.len() >= 12 && rules.iter().all(|rule| rule["health"] == "ok")).then_some(())
    });
    assert_eq!(prometheus.query(r#"ALERTS{alertstate="firing"}"#, &["alertname"]), BTreeMap::new());

    // Every panel has something to show.
    for (title, expression) in expressions(&dashboard()) {
        if title == "Starts" {
            prometheus.query(&expression, &["instance"]);
            continue;
        }
        wait_for(&format!("something to show in {title}: {expression}"), || {
            (!prometheus.api("query", &[("query", &expression)])["result"].as_array()?.is_empty())
                .then_some(())
        });
    }

    agent.terminate().good();
    wait_for("the agent to be down", || up(0.0));
    wait_for("the alert", || {
        let pending = prometheus.query(r#"ALERTS{alertstate="pending"}"#, &["alertname"]);
        pending.contains_key("TeitenAgentDown").then_some(())
    });
    station.detach(&[]).good();
}
