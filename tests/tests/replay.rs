//! `teiten replay`, from the capture to the output.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr},
    process::{Command, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use sensor_common::kind::{Family, Kind, Tool};
use serde_json::{Value, json};
use teiten_tests::{
    agent::{Finished, finish, teiten},
    capture::{ETHERNET, pcap, pcapng},
    frames::*,
    netns::Netns,
    root,
    rules::{Case, Expected, Packet, WATCHED, cases},
    scratch::Scratch,
};

/// `teiten replay` in a namespace where there is nothing but a loopback interface that is down:
/// nothing but the capture is needed.
fn command<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    let mut command = teiten(&Netns::new());
    // Less than by default, so that tests beside each other need less memory.
    command.env("TEITEN_SPILL_MEMORY", "8M").arg("replay").args(words);
    command
}

fn replay<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Finished {
    finish(command(words))
}

/// Replays with `--format json`.
fn document<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Value {
    let words: Vec<_> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    let words = words.into_iter().chain(["--format=json".into()]);
    let output = replay(words).good();
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stdout))
}

/// A time for frames that need none: 2024-06-01 00:00 UTC, in nanoseconds since 1970.
const JUNE: u64 = 1_717_200_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn syn(last: u8, port: u16) -> Vec<u8> {
    Ipv4::new([198, 51, 100, last], [192, 0, 2, 1]).tcp(Tcp::syn(40000, port)).frame()
}

/// Five frames: three SYN to 23 (two sources), a GRE packet, ARP.
fn small() -> Vec<Vec<u8>> {
    let gre = Ipv4::new([203, 0, 113, 9], [192, 0, 2, 1]).carrying(GRE, &[0; 20]).frame();
    vec![syn(1, 23), syn(2, 23), gre, ethernet(ARP, &[0; 28]), syn(1, 23)]
}

fn at(frames: &[Vec<u8>], time: u64) -> impl Iterator<Item = (u64, &[u8])> {
    frames.iter().map(move |frame| (time, frame.as_slice()))
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The row that a packet must be in, by all dimensions that hang on the packet alone. Written from
/// the accounting rules, for sensors of role `dark`.
fn row(packet: &Packet) -> Value {
    let &Packet { source, port, kind, family, tool, sensor, .. } = packet;
    let (icmp, number) = match family {
        Family::V4 => ("icmp", 4),
        Family::V6 => ("icmpv6", 6),
    };
    let of_number = |number: u16| match (number, family) {
        (6, _) => "tcp".to_owned(),
        (17, _) => "udp".to_owned(),
        (132, _) => "sctp".to_owned(),
        (1, Family::V4) => "icmp".to_owned(),
        (58, Family::V6) => "icmpv6".to_owned(),
        (number, _) => number.to_string(),
    };
    let (dst, victim, kind_and_code) = (
        json!({"dst_port": port}),
        json!({"victim_port": port}),
        json!({"icmp_type": port >> 8, "icmp_code": port & 0xff}),
    );
    let none = json!({});
    let (class, kind, protocol, ports) = match kind {
        Kind::Syn => ("scan", "syn", "tcp".to_owned(), dst),
        Kind::Tcp => ("scan", "tcp", "tcp".to_owned(), dst),
        Kind::Udp => ("scan", "udp", "udp".to_owned(), dst),
        Kind::Sctp => ("scan", "sctp", "sctp".to_owned(), dst),
        Kind::Rst => ("backscatter", "rst", "tcp".to_owned(), victim),
        Kind::SynAck => ("backscatter", "synack", "tcp".to_owned(), victim),
        Kind::UdpReply => ("other", "udp_reply", "udp".to_owned(), victim),
        Kind::Echo => ("scan", "echo", icmp.to_owned(), kind_and_code),
        Kind::IcmpReply => ("backscatter", "icmp_reply", icmp.to_owned(), kind_and_code),
        Kind::IcmpErrorTcp => ("backscatter", "icmp_error", "tcp".to_owned(), victim),
        Kind::IcmpErrorUdp => ("backscatter", "icmp_error", "udp".to_owned(), victim),
        Kind::IcmpErrorIcmp => ("backscatter", "icmp_error", icmp.to_owned(), none),
        Kind::IcmpErrorOther => ("backscatter", "icmp_error", of_number(port), none),
        Kind::IcmpMismatch => ("other", "icmp_mismatch", icmp.to_owned(), kind_and_code),
        Kind::Icmp => ("scan", "icmp", icmp.to_owned(), kind_and_code),
        Kind::Fragment => ("other", "fragment", of_number(port), none),
        Kind::Ip => ("other", "ip", of_number(port), none),
    };
    let (whole, prefix) = match family {
        Family::V4 => {
            let address = Ipv4Addr::from_bits(source as u32);
            let [a, b, c, _] = address.octets();
            (address.to_string(), format!("{a}.{b}.{c}.0/24"))
        }
        Family::V6 => {
            let upper = |bits: u64| Ipv6Addr::from_bits(u128::from(bits) << 64);
            (format!("{}/64", upper(source)), format!("{}/48", upper(source & !0xffff)))
        }
    };
    let tool = match tool {
        Tool::None => "none",
        Tool::Mirai => "mirai",
        Tool::Zmap => "zmap",
        Tool::Masscan => "masscan",
    };
    let mut row = json!({
        "sensor": format!("s{sensor}"), "class": class, "kind": kind, "family": number, "protocol": protocol,
        "dst_port": null, "victim_port": null, "icmp_type": null, "icmp_code": null,
        "source": whole, "prefix": prefix, "tool": tool,
    });
    for (name, value) in ports.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

const BY: &str =
    "--by=tool,sensor,class,kind,family,protocol,dst_port,victim_port,icmp_type,icmp_code,source,prefix";

/// The sensors of the table of rules as options.
fn sensors() -> Vec<String> {
    let mut prefixes: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for (prefix, sensor) in WATCHED {
        prefixes.entry(*sensor).or_default().push(prefix);
    }
    prefixes.iter().map(|(number, prefixes)| format!("--sensor=s{number}={}", prefixes.join(","))).collect()
}

/// What the summary must say of these cases.
fn summary(cases: &[Case]) -> Value {
    let of = |wanted: fn(&Expected) -> bool| cases.iter().filter(|case| wanted(&case.expected)).count();
    json!({
        "frames": cases.len(),
        "packets": of(|e| matches!(e, Expected::Packet(_))),
        "non_ip": of(|e| *e == Expected::NonIp),
        "malformed": of(|e| *e == Expected::Malformed),
        "unwatched": of(|e| *e == Expected::Unwatched),
        "local": of(|e| *e == Expected::Local),
        "lost": 0,
        "uncounted": 0,
    })
}

/// The whole table of rules as one capture: outcomes, and every dimension of every packet. Frames
/// under 14 bytes, which no interface delivers but captures may hold, are malformed.
#[test]
fn the_rules_hold_from_capture_to_output() {
    if !root() {
        return;
    }
    let cases = cases();
    assert!(cases.iter().filter(|case| case.frame.len() < ETHERNET_LEN).count() > 10);
    let scratch = Scratch::new();
    let frames: Vec<_> = cases.iter().map(|case| (JUNE, case.frame.as_slice())).collect();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for case in &cases {
        if let Expected::Packet(packet) = &case.expected {
            *expected.entry(row(packet).to_string()).or_default() += 1;
        }
    }
    for (name, bytes) in [
        ("rules.pcap", pcap(ETHERNET, frames.iter().copied())),
        ("rules.pcapng.gz", gzipped(&pcapng(ETHERNET, frames.iter().copied()))),
    ] {
        let path = scratch.write(name, bytes).into_os_string().into_string().unwrap();
        let document = document([path, BY.to_owned()].into_iter().chain(sensors()));
        assert_eq!(document["summary"], summary(&cases), "{name}");
        let mut observed = BTreeMap::new();
        for row in document["rows"].as_array().unwrap() {
            let mut row = row.as_object().unwrap().clone();
            let packets = row.remove("packets").unwrap().as_u64().unwrap();
            assert_eq!(observed.insert(Value::from(row).to_string(), packets), None);
        }
        let wrong: Vec<_> =
            expected.iter().filter(|&(row, packets)| observed.get(row) != Some(packets)).take(10).collect();
        assert!(wrong.is_empty(), "{name}: expected but not there: {wrong:#?}");
        assert_eq!(observed.len(), expected.len(), "{name}");
    }
}

#[test]
fn formats() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.write("small.pcap", pcap(ETHERNET, at(&small(), JUNE)));
    let run =
        |words: &[&str]| replay([path.as_os_str()].into_iter().chain(words.iter().map(OsStr::new))).good();
    let by = "--by=protocol,dst_port,source,tool";

    let csv = run(&[by, "--format=csv"]);
    assert_eq!(
        csv.stdout,
        "protocol,dst_port,source,tool,packets\n\
         tcp,23,198.51.100.1,none,2\n\
         tcp,23,198.51.100.2,none,1\n\
         47,,203.0.113.9,none,1\n"
    );
    assert!(csv.stderr.contains("frames 5, packets 4, non_ip 1"), "{}", csv.stderr);

    let jsonl = run(&[by, "--format=jsonl"]);
    let lines: Vec<&str> = jsonl.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"protocol":"tcp","dst_port":23,"source":"198.51.100.1","tool":"none","packets":2}"#,
            r#"{"protocol":"tcp","dst_port":23,"source":"198.51.100.2","tool":"none","packets":1}"#,
            r#"{"protocol":"47","dst_port":null,"source":"203.0.113.9","tool":"none","packets":1}"#,
        ]
    );
    assert!(jsonl.stderr.contains("frames 5, packets 4"), "{}", jsonl.stderr);

    let json = run(&[by, "--format=json"]);
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document.as_object().unwrap().len(), 2);
    let rows: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(document["rows"], Value::from(rows));
    assert_eq!(document["summary"]["frames"], 5);
    // The order of columns is the order asked, in text, which a parsed object would hide.
    assert!(json.stdout.contains(r#"{"protocol":"tcp","dst_port":23,"source":"198.51.100.1","tool":"none""#));

    let table = run(&[by]);
    let lines: Vec<&str> = table.stdout.lines().map(str::trim_end).collect();
    assert_eq!(lines[0].split_whitespace().collect::<String>(), "PROTOCOLDSTPORTSOURCETOOLPACKETSSHARE");
    let words: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(words, ["tcp", "23", "198.51.100.1", "none", "2", "50.0", "%"]);
    assert!(
        table.stdout.contains("frames 5, packets 4, non_ip 1, malformed 0, unwatched 0, local 0, lost 0")
    );

    let top = run(&[by, "--format=csv", "--top=1"]);
    assert_eq!(top.stdout.lines().count(), 2);
    let top = run(&[by, "--top=1"]);
    assert!(top.stdout.contains("2 more rows"), "{}", top.stdout);
}

#[test]
fn default_dimensions_and_every_single_one() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.write("small.pcap", pcap(ETHERNET, at(&small(), JUNE + 1)));
    let path = path.to_str().unwrap();
    let rows = |words: &[&str]| document([path].into_iter().chain(words.iter().copied()))["rows"].clone();
    let default = rows(&[]);
    assert_eq!(
        default[0],
        json!({"class": "scan", "kind": "syn", "protocol": "tcp", "dst_port": 23, "victim_port": null,
               "icmp_type": null, "region": "non-routable", "packets": 3})
    );
    for (dimension, expected) in [
        ("time", json!(["2024-06-01T00:00:00Z"])),
        ("sensor", json!(["s0"])),
        ("class", json!(["scan", "other"])),
        ("kind", json!(["syn", "ip"])),
        ("family", json!([4])),
        ("protocol", json!(["tcp", "47"])),
        ("dst_port", json!([23, null])),
        ("victim_port", json!([null])),
        ("icmp_type", json!([null])),
        ("icmp_code", json!([null])),
        ("source", json!(["198.51.100.1", "198.51.100.2", "203.0.113.9"])),
        ("prefix", json!(["198.51.100.0/24", "203.0.113.0/24"])),
        ("region", json!(["non-routable"])),
        ("asn", json!([null])),
        ("tool", json!(["none"])),
    ] {
        let rows = rows(&["--by", dimension, "--sensor", "s0=192.0.2.0/24"]);
        let values: Vec<_> = rows.as_array().unwrap().iter().map(|row| row[dimension].clone()).collect();
        assert_eq!(Value::from(values), expected, "{dimension}");
        let packets: u64 = rows.as_array().unwrap().iter().map(|row| row["packets"].as_u64().unwrap()).sum();
        assert_eq!(packets, 4, "{dimension}");
    }
    let wrong = replay([path, "--by=port"]);
    assert_eq!(wrong.code(), 2);
    assert!(wrong.stderr.contains("`port` is no dimension") && wrong.stderr.contains("dst_port"));
}

#[test]
fn roles_decide_on_classes_and_prefixes_on_what_is_watched() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let ack = Ipv4::new([198, 51, 100, 1], [192, 0, 2, 1]).tcp(Tcp::new(1, 80).flags(ACK)).frame();
    let elsewhere = Ipv4::new([198, 51, 100, 1], [192, 0, 3, 1]).tcp(Tcp::syn(1, 80)).frame();
    let path = scratch.write("acks.pcap", pcap(ETHERNET, at(&[ack, elsewhere], JUNE)));
    let path = path.to_str().unwrap();
    let of = |words: &[&str]| {
        let document = document([path, "--by=sensor,class,kind"].into_iter().chain(words.iter().copied()));
        let rows = document["rows"].as_array().unwrap().clone();
        let find = |kind: &str| rows.iter().find(|row| row["kind"] == kind).cloned().unwrap_or_default();
        (find("tcp"), find("syn"), document["summary"]["unwatched"].as_u64().unwrap())
    };
    // The one sensor that there is without prefixes is lit.
    let (tcp, syn, unwatched) = of(&[]);
    assert_eq!((&tcp["class"], &syn["class"], unwatched), (&json!("other"), &json!("scan"), 0));
    assert_eq!(of(&["--role=dark"]).0["class"], "scan");
    let (tcp, syn, unwatched) = of(&["--sensor", "west=192.0.2.0/24"]);
    assert_eq!((&tcp["class"], &tcp["sensor"], unwatched), (&json!("scan"), &json!("west"), 1));
    assert_eq!(syn, Value::Null);
    let (tcp, ..) = of(&["--sensor", "west=192.0.2.0/24;role=honeypot", "--sensor", "all=0.0.0.0/0"]);
    assert_eq!((&tcp["class"], &tcp["sensor"]), (&json!("other"), &json!("west")));
}

#[test]
fn sources_are_cut_as_asked() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let v6 =
        |last: u16| Ipv6::new([0x2a00, 1, 2, last, 5, 6, 7, 8], [0x2a00; 8]).tcp(Tcp::syn(1, 23)).frame();
    let frames = [syn(1, 23), syn(2, 23), v6(0x11), v6(0x12)];
    let path = scratch.write("cut.pcap", pcap(ETHERNET, at(&frames, JUNE)));
    let path = path.to_str().unwrap();
    let sources = |words: &[&str]| -> Vec<String> {
        let document = document([path, "--by=source"].into_iter().chain(words.iter().copied()));
        let rows = document["rows"].as_array().unwrap();
        rows.iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sources(&[]), ["198.51.100.1", "198.51.100.2", "2a00:1:2:11::/64", "2a00:1:2:12::/64"]);
    assert_eq!(sources(&["--v4-prefix=24", "--v6-prefix=48"]), ["198.51.100.0/24", "2a00:1:2::/48"]);
}

/// Bins are of the captures' own time; out-of-order frames and further files go into their own.
#[test]
fn time_is_that_of_the_capture() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let frame = syn(1, 23);
    let times = |seconds: &[u64]| -> Vec<u8> {
        pcap(ETHERNET, seconds.iter().map(|second| (JUNE + second * SECOND, frame.as_slice())))
    };
    let first = scratch.write("first.pcap", times(&[0, 9, 10, 25, 3, 11, 59]));
    let second = scratch.write("second.pcap", times(&[60, 5]));
    let before = scratch.write("before.pcap", pcap(ETHERNET, [(5, frame.as_slice())]));
    let files = [&first, &second, &before].map(|path| path.to_str().unwrap());
    let document = document(files.into_iter().chain(["--by=time,dst_port", "--interval=10s"]));
    let rows: Vec<(String, u64)> = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["time"].as_str().unwrap().to_owned(), row["packets"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("1970-01-01T00:00:00Z", 1),
        ("2024-06-01T00:00:00Z", 4),
        ("2024-06-01T00:00:10Z", 2),
        ("2024-06-01T00:00:20Z", 1),
        ("2024-06-01T00:00:50Z", 1),
        ("2024-06-01T00:01:00Z", 1),
    ];
    assert_eq!(rows, expected.map(|(time, packets)| (time.to_owned(), packets)));
    assert_eq!(document["summary"]["frames"], 10);
}

/// Counts do not hang on how frames grow or shrink from one to the next.
#[test]
fn frames_of_all_lengths() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let payload = |length: usize| {
        let udp = [Udp::new(40000, 5060).bytes(), vec![7; length]].concat();
        Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).carrying(UDP, &udp).frame()
    };
    // Up to what a segmentation offload leaves in captures, and beyond what a test run takes.
    let frames = [0, 1400, 3, 3500, 9000, 17, 65_400, 64].map(payload);
    let huge = [frames[6].clone(), vec![0; 60_000]].concat();
    let mut all = frames.to_vec();
    all.push(huge);
    let path = scratch.write("lengths.pcap", pcap(ETHERNET, at(&all, JUNE)));
    let document = document([path.to_str().unwrap(), "--by=dst_port"]);
    assert_eq!(document["rows"], json!([{"dst_port": 5060, "packets": all.len()}]));
}

#[test]
fn standard_input_and_gzip() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let bytes = pcapng(ETHERNET, at(&small(), JUNE));
    for (name, bytes) in [("plain", bytes.clone()), ("gzip", gzipped(&bytes))] {
        let path = scratch.write(name, bytes);
        let mut command = command(["-", "--by=dst_port", "--format=csv"]);
        command.stdin(Stdio::from(File::open(path).unwrap()));
        assert_eq!(finish(command).good().stdout, "dst_port,packets\n23,3\n,1\n", "{name}");
    }
}

#[test]
fn damaged_captures_yield_what_could_be_read() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let whole = pcap(ETHERNET, at(&small(), JUNE));
    let last = whole.len() - (16 + small()[4].len());
    let path = scratch.write("cut.pcap", &whole[..whole.len() - 7]);
    let output = replay([path.to_str().unwrap(), "--by=dst_port", "--format=csv"]).good();
    assert_eq!(output.stdout, "dst_port,packets\n23,2\n,1\n");
    let warning = format!("warning: capture {}: damaged at byte {last}, after 4 frames", path.display());
    assert!(output.stderr.contains(&warning), "{}", output.stderr);
    assert!(output.stderr.contains("the counts are of what could be read"));

    // The next file is read all the same.
    let good = scratch.write("good.pcap", &whole);
    let both = document([path.to_str().unwrap(), good.to_str().unwrap(), "--by=dst_port"]);
    assert_eq!(both["summary"]["frames"], 9);

    let path = scratch.write("cut.pcap.gz", &gzipped(&whole)[..gzipped(&whole).len() - 12]);
    let output = replay([path.to_str().unwrap(), "--by=dst_port", "--format=json"]).good();
    assert!(output.stderr.contains("gzip stream ends too early"), "{}", output.stderr);
}

#[test]
fn what_cannot_be_replayed_is_refused_by_name() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let good = scratch.write("good.pcap", pcap(ETHERNET, at(&small(), JUNE)));
    let cooked = scratch.write("cooked.pcap", pcap(113, at(&small(), JUNE)));
    let wireless = scratch.write("wireless.pcapng", pcapng(127, at(&small(), JUNE)));
    let text = scratch.write("notes.txt", "these are notes, and no capture at all");
    let empty = scratch.write("empty.pcap", "");
    let missing = scratch.path("missing.pcap");
    for (path, parts) in [
        (&cooked, &["link type 113 (Linux cooked capture v1, SLL)", "not Ethernet", "rather than `any`"][..]),
        (&wireless, &["link type 127 (IEEE 802.11 with radiotap header)"]),
        (&text, &["not a pcap or pcapng capture", "74 68 65 73 65"]),
        (&empty, &["empty"]),
        (&missing, &["no such file"]),
        (&scratch.dir().to_owned(), &["is a directory"]),
    ] {
        // Behind a good one: nothing is counted before all have been looked at.
        let output = replay([good.as_os_str(), path.as_os_str(), OsStr::new("--format=csv")]);
        assert_eq!(output.code(), 1, "{}", path.display());
        assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
        let named = output.stderr.contains(&path.display().to_string());
        assert!(named && parts.iter().all(|part| output.stderr.contains(part)), "{}", output.stderr);
        assert!(!output.stderr.contains("panicked"));
    }
    let nothing: [&str; 0] = [];
    assert_eq!(replay(nothing).code(), 2);
}

/// Whoever reads the output may stop: `teiten replay … | head -1`.
#[test]
fn a_reader_that_stops_is_no_error() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    let frames: Vec<_> = (0..20_000u32)
        .map(|n| Ipv4::new((0x0b00_0000 | n).to_be_bytes(), [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame())
        .collect();
    let path = scratch.write("many.pcap", pcap(ETHERNET, at(&frames, JUNE)));
    for format in ["jsonl", "csv", "json", "table"] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = command([path.to_str().unwrap(), "--by=source", "--top=20000", "--format", format]);
        command.stdout(writer).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // The command holds a copy of the writing end.
        drop(command);
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{format}: {}: {messages}", output.status);
        assert!(!messages.contains("error"), "{format}: {messages}");
    }
}
