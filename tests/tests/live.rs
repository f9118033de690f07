//! A running agent: what it puts out, serves and re-reads, and how it ends.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::Stdio,
};

use serde_json::{Value, json};
use teiten_tests::{
    agent::{Agent, teiten},
    frames::*,
    mmdb,
    netns::{Netns, Pair},
    prometheus, root,
    scratch::Scratch,
    send::Socket,
    wait_for,
};

fn syn(from: [u8; 4], port: u16) -> Vec<u8> {
    Ipv4::new(from, [192, 0, 2, 1]).tcp(Tcp::syn(40000, port)).frame()
}

/// Frames with a known outcome each: 70 packets, 10 not IP, 10 malformed, 5 local.
fn mixed() -> Vec<Vec<u8>> {
    let synack = Ipv4::new([11, 0, 0, 9], [192, 0, 2, 1]).tcp(Tcp::new(80, 40000).flags(SYN | ACK)).frame();
    let local = Ipv4::new([169, 254, 1, 1], [192, 0, 2, 1]).tcp(Tcp::syn(1, 2)).frame();
    let mut frames = Vec::new();
    frames.extend(vec![syn([11, 0, 0, 1], 23); 40]);
    frames.extend(vec![syn([12, 0, 0, 1], 22); 20]);
    frames.extend(vec![synack; 10]);
    frames.extend(vec![ethernet(ARP, &[0; 28]); 10]);
    frames.extend(vec![cut(syn([11, 0, 0, 1], 23), 30); 10]);
    frames.extend(vec![local; 5]);
    frames
}

fn countries(scratch: &Scratch) -> PathBuf {
    scratch.write("countries.mmdb", mmdb::countries(&[(11, "NL"), (12, "JP")]))
}

#[test]
fn json_lines_as_documented() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    let country = countries(&scratch);
    let agent = Agent::run(
        &pair.inner,
        &["--iface=in0", "--sensor=west=192.0.2.0/24", "--country", country.to_str().unwrap()],
    );
    Socket::sender(&pair.outer, "out0").send(mixed());
    agent.wait_frames(95);
    let output = agent.interrupt().good();
    let lines: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (rows, intervals): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["type"] == "row");
    let mut end = Value::Null;
    for interval in &intervals {
        assert_eq!(
            keys(interval),
            [
                "bytes",
                "cut",
                "end",
                "frames",
                "local",
                "lost",
                "malformed",
                "non_ip",
                "packets",
                "time",
                "type",
                "uncounted",
                "unwatched",
            ]
        );
        let (start, stop) = (interval["time"].as_str().unwrap(), interval["end"].as_str().unwrap());
        assert!(start < stop && start.ends_with('Z') && start.starts_with("20"), "{start} {stop}");
        // Intervals follow each other without a gap.
        assert!(end.is_null() || end == start, "{end} {start}");
        end = interval["end"].clone();
    }
    for row in &rows {
        assert_eq!(
            keys(row),
            [
                "class",
                "dst_port",
                "icmp_type",
                "kind",
                "packets",
                "protocol",
                "region",
                "sensor",
                "time",
                "tool",
                "type",
                "victim_port",
            ]
        );
        assert!(intervals.iter().any(|interval| interval["time"] == row["time"]), "{row}");
    }
    let counts = output.counts();
    assert_eq!(counts.outcomes(), [70, 10, 10, 0, 5]);
    assert_eq!(counts.total("bytes"), 70 * 40);
    let row = |class: &str, kind: &str, dst: Value, victim: Value, region: &str| {
        json!({
            "class": class, "kind": kind, "dst_port": dst, "victim_port": victim, "icmp_type": null,
            "protocol": "tcp", "region": region, "sensor": "west", "tool": "none",
        })
        .to_string()
    };
    let expected = [
        (row("scan", "syn", json!(23), Value::Null, "NL"), 40),
        (row("scan", "syn", json!(22), Value::Null, "JP"), 20),
        (row("backscatter", "synack", Value::Null, json!(80), "NL"), 10),
    ];
    assert_eq!(counts.rows, expected.into());
}

/// Asks for the metrics; returns head and body.
fn scrape(namespace: &Netns, accept: &str) -> Option<(String, String)> {
    let (head, body) = prometheus::get(namespace, "127.0.0.1:9100", "/metrics", accept)?;
    assert!(head.contains(" 200 OK"), "{head}");
    Some((head.to_lowercase(), body))
}

/// The value of a series, its labels as they stand.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn metrics() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    pair.inner.ip("link set lo up");
    let country = countries(&scratch);
    let agent = Agent::run(
        &pair.inner,
        &[
            "--iface=in0",
            "--role=dark",
            "--metrics=127.0.0.1:9100",
            "--metrics-ports=3",
            "--metrics-regions=1",
            "--country",
            country.to_str().unwrap(),
        ],
    );
    let (head, fresh) = scrape(&pair.inner, "*/*").expect("an answer");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert_eq!(value(&fresh, r#"teiten_frames_total{outcome="packets"}"#), Some(0.0), "{fresh}");

    let mut frames = mixed();
    frames.extend((100..110).map(|port| syn([13, 0, 0, 1], port)));
    frames.push(Ipv4::new([12, 0, 0, 1], [192, 0, 2, 1]).icmp(Icmp::new(8, 0)).frame());
    Socket::sender(&pair.outer, "out0").send(&frames);
    agent.wait_frames(106);
    let busy = wait_for("the metrics of all frames", || {
        let (_, metrics) = scrape(&pair.inner, "*/*")?;
        (value(&metrics, r#"teiten_frames_total{outcome="packets"}"#) == Some(81.0)).then_some(metrics)
    });
    for (series, expected) in [
        (r#"teiten_frames_total{outcome="non_ip"}"#, 10.0),
        (r#"teiten_frames_total{outcome="malformed"}"#, 10.0),
        (r#"teiten_frames_total{outcome="unwatched"}"#, 0.0),
        (r#"teiten_frames_total{outcome="local"}"#, 5.0),
        (r#"teiten_packets_total{class="scan",kind="syn"}"#, 70.0),
        (r#"teiten_packets_total{class="scan",kind="echo"}"#, 1.0),
        (r#"teiten_packets_total{class="backscatter",kind="synack"}"#, 10.0),
        (r#"teiten_ip_bytes_total"#, (80 * 40 + 28) as f64),
        (r#"teiten_port_packets_total{port="23",protocol="tcp"}"#, 40.0),
        (r#"teiten_port_packets_total{port="22",protocol="tcp"}"#, 20.0),
        (r#"teiten_region_packets_total{region="NL"}"#, 40.0),
        (r#"teiten_region_packets_total{region="other"}"#, 21.0),
        (r#"teiten_region_packets_total{region="unknown"}"#, 10.0),
        ("teiten_lost_packets_total", 0.0),
        ("teiten_uncounted_frames_total", 0.0),
        ("teiten_book_mismatches_total", 0.0),
        (r#"teiten_interface_info{interface="in0",mode="native"}"#, 1.0),
    ] {
        assert_eq!(value(&busy, series), Some(expected), "{series} in\n{busy}");
    }
    assert!(value(&busy, "teiten_drain_duration_seconds_count").is_some_and(|drains| drains >= 2.0));
    assert!(busy.contains("teiten_build_info{version=\""), "{busy}");
    assert!(busy.contains("teiten_database_build_timestamp_seconds{role=\"country\""), "{busy}");
    let ports = busy.lines().filter(|line| line.starts_with("teiten_port_packets_total{")).count();
    assert!(ports <= 4, "three ports and `other`:\n{busy}");

    let (head, open) = scrape(&pair.inner, "application/openmetrics-text;version=1.0.0").expect("an answer");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n") && !busy.contains("# EOF"), "{open}");
    assert!(open.contains("# TYPE teiten_frames counter\n"), "{open}");

    for metrics in [&fresh, &busy] {
        let said = prometheus::promtool(&["check", "metrics"], metrics).unwrap_or_default();
        assert_eq!(said, "", "{metrics}");
    }

    // No link first, then no interface.
    let state = || {
        let (_, metrics) = scrape(&pair.inner, "*/*")?;
        let of = |what: &str| value(&metrics, &format!(r#"teiten_interface_{what}{{interface="in0"}}"#));
        Some((of("up")?, of("attached")?))
    };
    assert_eq!(state(), Some((1.0, 1.0)));
    pair.outer.ip("link set out0 down");
    wait_for("an interface without a link", || (state() == Some((0.0, 1.0))).then_some(()));
    pair.inner.ip("link delete in0");
    wait_for("an interface that is gone", || (state() == Some((0.0, 0.0))).then_some(()));
    agent.interrupt().good();
}

#[test]
fn metrics_of_a_spill_log_that_fills_up() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("link set lo up");
    // One chunk a bank.
    let agent = Agent::run(&pair.inner, &["--iface=in0", "--metrics=127.0.0.1:9100", "--spill-memory=128K"]);
    let of = |metrics: &str, what: &str| value(metrics, &format!("teiten_{what}"));
    let (_, fresh) = scrape(&pair.inner, "*/*").expect("an answer");
    for (what, expected) in
        [("spill_size_bytes", 65_536.0), ("spill_used_bytes", 0.0), ("early_drains_total", 0.0)]
    {
        assert_eq!(of(&fresh, what), Some(expected), "{what} in\n{fresh}");
    }
    // Among so many keys there are some of one slot, of which one spills the other.
    let key = |number: u16| {
        let [c, d] = number.to_be_bytes();
        syn([11, 0, c, d], 23)
    };
    let frames: Vec<_> = (0..4000).map(key).collect();
    let sender = Socket::sender(&pair.outer, "out0");
    wait_for("a spill log that is full, and drained early", || {
        sender.send(&frames);
        let (_, metrics) = scrape(&pair.inner, "*/*")?;
        let is_full = of(&metrics, "spill_used_bytes") == of(&metrics, "spill_size_bytes");
        let at_least_one = |what| of(&metrics, what).is_some_and(|times| times >= 1.0);
        (is_full && at_least_one("early_drains_total") && at_least_one("spilled_records_total")).then_some(())
    });
    agent.interrupt().good();
}

/// The file of a database is looked at every five seconds, so that this takes a little over ten.
#[test]
fn a_replaced_database_is_read_and_a_broken_one_is_not() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    let country = countries(&scratch);
    let path = country.to_str().unwrap();
    let agent = Agent::run(&pair.inner, &["--iface=in0", "--by=region", "--country", path]);
    let sender = Socket::sender(&pair.outer, "out0");
    let send = |frames, region: &str| {
        sender.send([syn([11, 0, 0, 1], 23)]);
        let counts = agent.wait_frames(frames);
        let row = format!(r#"{{"region":"{region}"}}"#);
        counts.rows.get(&row).copied().unwrap_or_default()
    };
    assert_eq!(send(1, "NL"), 1);
    scratch.write("countries.mmdb", mmdb::countries(&[(11, "SE"), (12, "JP"), (13, "FR")]));
    let said = agent.wait_message("it was replaced");
    assert!(said.contains(path), "{said}");
    assert_eq!(send(2, "SE"), 1);
    scratch.write("countries.mmdb", "<html>no such page</html>");
    let said = agent.wait_message("the one read before stays in use");
    assert!(said.starts_with("warning: ") && said.contains(path), "{said}");
    assert_eq!(send(3, "SE"), 2);
    agent.interrupt().good();
}

/// Starts the agent with intervals so long that only its end shows what it counted.
fn started(pair: &Pair) -> Agent {
    pair.inner.ip("link set lo up");
    let mut command = teiten(&pair.inner);
    command.args(["run", "--iface=in0", "--format=jsonl", "--interval=24h", "--metrics=127.0.0.1:9100"]);
    let agent = Agent::start(command);
    wait_for("the agent to serve", || scrape(&pair.inner, "*/*"));
    wait_for("the program to be attached", || pair.inner.xdp("in0"));
    agent
}

#[test]
fn signals_end_it_with_all_that_was_counted() {
    if !root() {
        return;
    }
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let pair = Pair::new();
        let agent = started(&pair);
        Socket::sender(&pair.outer, "out0").send(mixed());
        wait_for("the frames to arrive", || (pair.inner.counters("in0").rx_packets == 95).then_some(()));
        assert_eq!(agent.counts().total("frames"), 0);
        agent.signal(signal);
        let output = agent.end().good();
        assert_eq!(output.counts().outcomes(), [70, 10, 10, 0, 5], "signal {signal}");
        assert_eq!(pair.inner.xdp("in0"), None, "signal {signal}");
    }
}

/// The kernel detaches what nobody holds.
#[test]
fn killed_it_leaves_nothing_behind() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    let agent = started(&pair);
    agent.signal(libc::SIGKILL);
    assert_eq!(agent.end().status.code(), None);
    wait_for("the program to go", || pair.inner.xdp("in0").is_none().then_some(()));
    // The next one finds the interface free.
    Agent::run(&pair.inner, &["--iface=in0"]).interrupt().good();
}

#[test]
fn a_reader_that_stops_is_no_error() {
    if !root() {
        return;
    }
    for format in ["jsonl", "table"] {
        let pair = Pair::new();
        let mut command = teiten(&pair.inner);
        command.args(["run", "--iface=in0", "--interval=100ms", "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(reader);
        let status = wait_for("the agent's end", || child.try_wait().unwrap());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.success() && !said.contains("error"), "{format}: {status}: {said}");
        assert_eq!(pair.inner.xdp("in0"), None);
    }
}

/// The command line wins over the environment, which wins over the file.
#[test]
fn where_settings_come_from() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    let file = scratch.write(
        "teiten.toml",
        "iface = [\"in0\"]\nmode = \"generic\"\ninterval = \"200ms\"\nformat = \"jsonl\"\nby = [\"kind\", \"sensor\"]\n\
         [[sensor]]\nname = \"west\"\nprefixes = [\"192.0.2.0/24\"]\nrole = \"honeypot\"\n",
    );
    let sender = Socket::sender(&pair.outer, "out0");
    let row = |words: &[&str], variables: &[(&str, &str)], in_environment: bool| {
        let mut command = teiten(&pair.inner);
        command.arg("run").args(words).envs(variables.iter().copied());
        if in_environment {
            command.env("TEITEN_CONFIG", &file);
        } else {
            command.arg("--config").arg(&file);
        }
        let agent = Agent::start(command);
        agent.wait_stdout("the first interval", |lines| lines.first().map(drop));
        let mode = pair.inner.xdp("in0").unwrap().mode;
        sender.send([syn([11, 0, 0, 1], 23)]);
        agent.wait_frames(1);
        let rows = agent.interrupt().good().counts().rows;
        assert_eq!(rows.len(), 1);
        (mode, rows.into_keys().next().unwrap())
    };
    let from_file = ("generic", r#"{"kind":"syn","sensor":"west"}"#.to_owned());
    assert_eq!(row(&[], &[], false), from_file);
    assert_eq!(row(&[], &[], true), from_file);
    let environment = [("TEITEN_BY", "class,sensor"), ("TEITEN_MODE", "native")];
    let from_environment = ("native", r#"{"class":"scan","sensor":"west"}"#.to_owned());
    assert_eq!(row(&[], &environment, false), from_environment);
    assert_eq!(
        row(&["--by=family,sensor", "--sensor=east=192.0.0.0/16"], &environment, true),
        ("native", r#"{"family":4,"sensor":"east"}"#.to_owned())
    );
    assert_eq!(
        row(&["--mode=generic"], &[("TEITEN_SENSOR", "a=192.0.2.1 b=192.0.2.2")], false),
        ("generic", r#"{"kind":"syn","sensor":"a"}"#.to_owned())
    );
}

#[test]
fn the_table_in_a_pipe() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    let country = countries(&scratch);
    let mut command = teiten(&pair.inner);
    command.args(["run", "--iface=in0", "--sensor=west=192.0.2.0/24", "--interval=200ms"]);
    command.arg("--country").arg(country);
    let agent = Agent::start(command);
    agent.wait_stdout("the first interval", |lines| lines.first().map(drop));
    Socket::sender(&pair.outer, "out0").send(mixed());
    let has = |lines: &[String], words: &[&str]| {
        lines.iter().any(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            words.iter().all(|word| columns.contains(word))
        })
    };
    agent.wait_stdout("both ports and both regions", |lines| {
        (has(lines, &["23/tcp", "40", "NL"]) && has(lines, &["22/tcp", "20", "JP"])).then_some(())
    });
    let output = agent.interrupt().good();
    assert!(!output.stdout.contains('\x1b'), "no control sequences in a pipe");
    assert!(output.stdout.contains("on in0 (native)") && output.stdout.contains("west (dark)"));
    let lines: Vec<_> = output.stdout.lines().map(str::to_owned).collect();
    // Packets, scan, backscatter, other, local, unwatched, non-IP, malformed, lost.
    assert!(lines.iter().any(|line| line.contains("start") && line.contains("70")), "{}", output.stdout);
}

#[test]
fn without_a_name_the_default_route_tells_the_interface() {
    if !root() {
        return;
    }
    let pair = Pair::new();
    pair.inner.ip("address add 10.99.0.2/24 dev in0");
    pair.inner.ip("route add default via 10.99.0.1");
    let agent = Agent::run(&pair.inner, &[]);
    let said = agent.wait_message("counting on in0");
    assert!(said.contains("generic mode") && said.contains("--iface in0 tries native mode"), "{said}");
    assert_eq!(pair.inner.xdp("in0").unwrap().mode, "generic");
    // Observing only: what comes goes on.
    let behind = Socket::receiver(&pair.inner, "in0");
    let frame = syn([11, 0, 0, 1], 23);
    Socket::sender(&pair.outer, "out0").send([&frame]);
    behind.receive_until(|got| got == frame);
    agent.wait_frames(1);
    agent.interrupt().good();
}
