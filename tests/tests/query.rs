//! `teiten query` on a store whose answers are known.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use teiten_tests::{
    agent::{Finished, binary, finish},
    scratch::Scratch,
    stored::store,
};

/// `teiten query` of 4 October 2019.
fn query(store: &Path, words: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.arg("query").arg("--store").arg(store).args(words);
    if !words.contains(&"--from") {
        command.arg("--period=2019-10-04");
    }
    finish(command)
}

#[track_caller]
fn answered(store: &Path, words: &[&str]) -> Finished {
    let finished = query(store, words);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished
}

#[test]
fn who_scanned_a_port_by_region_with_unique_sources() {
    let scratch = Scratch::new();
    let store = store(&scratch);
    let question = ["--where=dst_port = 1433", "--by=region"];
    let table = answered(&store, &question).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "REGION  PACKETS  SOURCES   SHARE  RATE", "{table}");
    assert_eq!(lines[1], "CN          900       20  75.0 %  28.1", "{table}");
    assert_eq!(lines[2], "US          300       10  25.0 %  9.38", "{table}");
    assert_eq!(lines[3], "");
    assert_eq!(lines[4], "1,200 packets from about 30 sources");
    assert!(lines[5].starts_with(
        "from 2019-10-04T00:00:00+09:00 to 2019-10-05T00:00:00+09:00 (Asia/Tokyo), observed 12.5 %"
    ));
    assert!(lines[6].starts_with("country database: made, built 2019-10-02T"));

    let csv = answered(&store, &[&question[..], &["--format=csv"]].concat());
    assert_eq!(
        csv.stdout,
        "region,packets,sources,share,rate\nCN,900,20,0.75,28.125\nUS,300,10,0.25,9.375\n"
    );
    assert!(csv.stderr.contains("1,200 packets from about 30 sources"), "{}", csv.stderr);

    let jsonl = answered(&store, &[&question[..], &["--format=jsonl", "--top=1"]].concat());
    let row: Value = serde_json::from_str(&jsonl.stdout).unwrap();
    assert_eq!(row, json!({"region": "CN", "packets": 900, "sources": 20, "share": 0.75, "rate": 28.125}));
    assert!(jsonl.stderr.contains("1 more rows"), "{}", jsonl.stderr);

    let document = answered(&store, &[&question[..], &["--format=json"]].concat()).stdout;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["rows"].as_array().unwrap().len(), 2);
    let summary = &document["summary"];
    assert_eq!((&summary["packets"], &summary["sources"]), (&json!(1200), &json!(30)));
    assert_eq!(summary["cubes"], json!(["port_region"]));
    assert_eq!(summary["databases"][0]["type"], "made");
    assert_eq!(summary["other"], 0);
}

#[test]
fn classes_steps_and_files() {
    let scratch = Scratch::new();
    let store = store(&scratch);
    let backscatter = ["--class=backscatter", "--by=victim_port", "--format=csv"];
    assert_eq!(answered(&store, &backscatter).stdout.lines().nth(1).unwrap(), "80,15000,4,1,468.75");
    let hours = ["--by=time", "--step=hour", "--class=any", "--format=csv"];
    let hours = answered(&store, &hours).stdout;
    assert_eq!(hours.lines().count(), 4, "{hours}");
    assert!(hours.lines().nth(1).unwrap().starts_with("2019-10-03T15:00:00Z,6000,85,"), "{hours}");
    let file = scratch.path("rows.json");
    let within = [
        "--from",
        "2019-10-04T01:00",
        "--to",
        "2019-10-04T02:30",
        "--format=json",
        "-o",
        file.to_str().unwrap(),
    ];
    assert_eq!(answered(&store, &within).stdout, "");
    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(document["summary"]["packets"], 1000);
    assert_eq!(document["summary"]["partial"], 6000);
    let quality = answered(&store, &["--quality", "--step=day", "--format=json"]).stdout;
    let document: Value = serde_json::from_str(&quality).unwrap();
    assert_eq!(document["rows"][0]["packets"], 18_000);
    assert_eq!(document["rows"][0]["coverage"], 0.125);
    assert_eq!(document["rows"][0]["nic_dropped"], Value::Null);
}

#[test]
fn what_cannot_be_answered_is_said() {
    let scratch = Scratch::new();
    let store = store(&scratch);
    for (words, code, part) in [
        (&["--by=dst_port,asn"][..], 1, "dst_port and asn are not kept together"),
        (&["--where=sensor = east"], 1, "there is no sensor `east` in the store; there are west"),
        (&["--where=dst_port = x"], 2, "at character 12"),
        (&["--by=source"], 1, "the nearest is `prefix`"),
        (&["--by=region,region"], 1, "region is asked for twice"),
        (&["--from", "soon"], 1, "soon"),
        (&["--quality", "--top=1"], 2, "cannot be used with"),
        (&["-o", "/nonexistent/rows.csv"], 1, "cannot write /nonexistent/rows.csv"),
    ] {
        let finished = query(&store, words);
        assert_eq!(finished.code(), code, "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{words:?}: {}", finished.stderr);
        assert_eq!(finished.stdout, "", "{words:?}");
    }
    let finished = query(&scratch.path("none.db"), &[]);
    assert!(finished.stderr.contains("`teiten run --store` makes one"), "{}", finished.stderr);
}
