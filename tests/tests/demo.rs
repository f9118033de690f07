//! `teiten demo`: all that it sends is counted, and nothing of it remains.

use std::{collections::BTreeSet, fs, path::PathBuf};

use teiten_tests::{
    agent::{Agent, Finished, finish, teiten},
    mmdb::countries,
    netns::Netns,
    root,
    scratch::Scratch,
    wait_for,
};

const LINES: [&str; 4] = ["demo", "--format=jsonl", "--interval=1s", "--seed=1"];

/// The frames that were sent and counted, by the last line of what a demo said.
fn sent_and_counted(finished: &Finished) -> (u64, u64) {
    let last = finished.stderr.lines().last().unwrap_or_default();
    let numbers = last.strip_suffix(" counted").and_then(|rest| rest.split_once(" frames sent, "));
    let (sent, counted) = numbers.unwrap_or_else(|| panic!("no frames in:\n{}", finished.stderr));
    let number = |text: &str| text.replace(',', "").parse().expect("a number");
    (number(sent), number(counted))
}

/// The interfaces of a namespace.
fn interfaces(namespace: &Netns) -> BTreeSet<String> {
    let links = namespace.ip("-o link");
    links.lines().map(|line| line.split(": ").nth(1).expect("a name").to_owned()).collect()
}

#[test]
fn every_frame_is_counted() {
    if !root() {
        return;
    }
    // Where the demo is started: it makes a namespace of its own.
    let (outside, scratch) = (Netns::new(), Scratch::new());
    let networks = [(20, "NL"), (21, "RU"), (22, "US"), (23, "CN"), (24, "CN"), (25, "EG")];
    let database = scratch.write("country.mmdb", countries(&networks));
    let mut command = teiten(&outside);
    command.args(LINES).args([
        "--for=4s",
        "--by=sensor,class,kind,family,protocol,dst_port,victim_port,icmp_type,region,tool",
    ]);
    command.arg("--country").arg(database);
    let finished = finish(command).good();

    let (sent, counted) = sent_and_counted(&finished);
    assert_eq!(sent, counted);
    assert!(sent > 2_000, "{sent} of 20,000 frames sent");
    let counts = finished.counts();
    assert_eq!(counts.total("frames"), sent);
    assert_eq!(counts.outcomes().iter().sum::<u64>(), sent);
    assert!(counts.outcomes().iter().all(|&frames| frames > 0), "{:?}", counts.outcomes());
    assert_eq!([counts.total("lost"), counts.total("uncounted"), counts.total("cut")], [0; 3]);
    assert_eq!(counts.rows.values().sum::<u64>(), counts.total("packets"));

    let some = |parts: &[&str]| {
        let packets = counts.packets_with(parts);
        assert!(packets > 0, "no rows with {parts:?}");
        packets
    };
    let scan = r#""class":"scan""#;
    let telnet = some(&[scan, r#""dst_port":23,"#, r#""protocol":"tcp""#]);
    let share = telnet as f64 / some(&[scan]) as f64;
    assert!((0.2..0.28).contains(&share), "23/tcp has {share}");
    for port in [445, 22, 37215, 80, 1433, 10000, 8080, 3389, 5555, 81, 8545] {
        some(&[scan, &format!(r#""dst_port":{port},"#), r#""protocol":"tcp""#]);
    }
    for port in [53, 123, 1900, 5060] {
        some(&[scan, &format!(r#""dst_port":{port},"#), r#""protocol":"udp""#]);
    }
    some(&[scan, r#""icmp_type":8,"#, r#""protocol":"icmp""#]);
    some(&[r#""protocol":"sctp""#]);
    some(&[r#""class":"backscatter""#, r#""victim_port":80}"#, r#""kind":"synack""#]);
    some(&[r#""class":"backscatter""#, r#""kind":"icmp_error"#]);
    for tool in ["mirai", "zmap", "masscan"] {
        some(&[&format!(r#""tool":"{tool}""#), r#""family":4"#]);
    }
    some(&[r#""family":6"#, r#""sensor":"east""#]);
    assert_eq!(counts.packets_with(&[r#""family":6"#, r#""sensor":"west""#]), 0);
    let databases = some(&[r#""dst_port":1433,"#, r#""region":"CN""#]);
    assert!(databases * 2 > some(&[r#""dst_port":1433,"#]), "most of 1433/tcp is from CN");
    some(&[r#""region":"EG""#, r#""dst_port":37215,"#]);
}

#[test]
fn a_signal_ends_it_with_all_frames_counted() {
    if !root() {
        return;
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let outside = Netns::new();
        let mut command = teiten(&outside);
        command.args(["demo", "--rate=50000", "--interval=1s", "--spill-memory=8M"]);
        let agent = Agent::start(command);
        agent.wait_stdout("the first table", |lines| lines.iter().find(|l| l.contains("23/tcp")).map(drop));
        agent.signal(signal);
        let finished = agent.end().good();
        let (sent, counted) = sent_and_counted(&finished);
        assert_eq!(sent, counted);
        assert!(finished.stderr.starts_with("a sensor for show: 50,000 made frames"), "{}", finished.stderr);
    }
}

/// What of /proc leads to this network namespace: processes and threads in it, and descriptors of it.
fn references(namespace: &str) -> Vec<PathBuf> {
    let list = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = list("/proc".into())
        .filter(|path| path.join("ns").is_dir())
        .flat_map(|process| {
            let threads = list(process.join("task")).map(|thread| thread.join("ns/net"));
            threads.chain(list(process.join("fd"))).collect::<Vec<_>>()
        })
        .filter(|path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == namespace))
        .collect();
    // A bind mount, which `ip netns` makes.
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    found.extend(mounts.lines().filter(|line| line.contains(namespace)).map(PathBuf::from));
    found
}

#[test]
fn nothing_remains_of_one_that_is_killed() {
    if !root() {
        return;
    }
    let outside = Netns::new();
    let mut command = teiten(&outside);
    command.args(LINES);
    let agent = Agent::start(command);
    agent.wait_frames(1_000);
    let hint = agent.wait_message("to look inside: nsenter --net=");
    let path = hint.split_once("--net=").expect("a path").1.split(' ').next().expect("a path").to_owned();
    assert_eq!(interfaces(&outside), BTreeSet::from(["lo".to_owned()]), "nothing is made outside");
    let inside = fs::read_link(&path).expect("the demo's namespace").to_str().expect("text").to_owned();
    assert_ne!(inside, fs::read_link(format!("/proc/{}/ns/net", agent.pid())).unwrap().to_str().unwrap());
    assert!(references(&inside).iter().any(|found| found.as_os_str() == path.as_str()));

    agent.signal(libc::SIGKILL);
    agent.end();
    wait_for("the end of the namespace", || references(&inside).is_empty().then_some(()));
    assert_eq!(interfaces(&outside), BTreeSet::from(["lo".to_owned()]));
}
