//! What becomes of counts and stores from the first start to the last: restarts, reboots, stores that are
//! restored or swapped, `status`, `detach`, the demo, captures.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use teiten_tests::{
    agent::{Agent, Finished, finish, teiten},
    bpffs::Pins,
    capture::{ETHERNET, pcap},
    frames::*,
    netns::{Netns, Pair},
    prometheus, root,
    scratch::Scratch,
    station::{self, Station},
    store::{self, Kept},
    tmpfs::Tmpfs,
    wait_for,
};

/// That a command failed and said all of this.
fn refused(finished: &Finished, parts: &[&str]) {
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    for part in parts {
        assert!(finished.stderr.contains(part), "`{part}` is not in:\n{}", finished.stderr);
    }
}

/// An interface of the same index in another network namespace is another interface.
#[test]
fn another_network_namespace_is_not_touched() {
    if !root() {
        return;
    }
    let (station, elsewhere) = (Station::new(), Pair::new());
    station.run(&[]).terminate().good();
    let mut command = teiten(&elsewhere.inner);
    command.args(["run", "--iface=in0", "--interval=100ms", "--format=jsonl", "--sketch-key"]);
    command.arg(&station.key).arg("--store").arg(&station.store).arg("--pin-path").arg(station.pins.path());
    refused(&finish(command), &["another network namespace", "--pin-path"]);
    assert_eq!(elsewhere.inner.xdp("in0"), None);
    station.send(7);
    station.settle(7);
}

/// An agent that serves what it counts.
fn serving(station: &Station) -> Agent {
    station.pair.inner.ip("link set lo up");
    let mut command = station.run_command([""; 0]);
    command.env("TEITEN_LISTEN", "127.0.0.1:8642");
    let agent = Agent::start(command);
    agent.wait_stdout("the end of the first interval", |lines| lines.last().map(drop));
    agent
}

/// Waits until what an agent serves at a path is so.
fn wait_served(station: &Station, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(path, || {
        let (head, body) = prometheus::get(&station.pair.inner, "127.0.0.1:8642", path, "*/*")?;
        let served: Value = serde_json::from_str(&body).ok()?;
        (head.contains(" 200 ") && is_so(&served)).then_some(served)
    })
}

#[test]
fn what_came_without_an_agent_is_shown_with_its_time() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = serving(&station);
    station.send(5);
    station.wait_kept(5);
    agent.kill();
    let killed = Timestamp::now();
    station.send(7);
    thread::sleep(Duration::from_secs(2));
    let agent = serving(&station);
    let live = wait_served(&station, "/api/v1/live", |live| live["total"]["frames"] == 7);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let started = time(&wait_served(&station, "/api/v1/status", |_| true)["agent"]["started"]);
    assert!(time(&live["since"]) <= killed && killed < started, "{live}");
    let seconds = live["hour"]["seconds"].as_f64().unwrap();
    assert_eq!(live["hour"]["frames"], 7, "{live}");
    assert!((2.0..3600.0).contains(&seconds), "{live}");
    agent.terminate().good();
    station.settle(12);
}

#[test]
fn an_interface_without_a_link_is_shown_as_such() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = serving(&station);
    let wait_up = |up: bool| wait_served(&station, "/api/v1/live", |live| live["interfaces"][0]["up"] == up);
    wait_up(true);
    station.send(5);
    wait_served(&station, "/api/v1/live", |live| live["interfaces"][0]["received"] == 5);
    station.pair.outer.ip("link set out0 down");
    wait_up(false);
    station.pair.outer.ip("link set out0 up");
    let live = wait_up(true);
    assert_eq!(live["interfaces"][0]["interface"], "in0");
    agent.terminate().good();
    station.settle(5);
}

#[test]
fn an_interface_that_comes_back_is_counted_again() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    station.send(5);
    station.wait_kept(5);
    station.pair.inner.ip("link delete in0");
    agent.wait_message("in0 is gone");
    let (status, code) = station.status();
    assert_eq!((&status["generations"][0]["interfaces"][0]["present"], code), (&json!(false), 1));
    station.pair.outer.veth("out0", &station.pair.inner, "in0");
    agent.wait_message("in0 is back");
    station.send(6);
    station.wait_kept(11);
    agent.terminate().good();
    assert!(station.attached());
    station.detach(&[]).good();
    station.assert_gone();
    assert_eq!(station.kept().frames, 11);
}

#[test]
fn restarts_without_a_gap() {
    if !root() {
        return;
    }
    let station = Station::new();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGKILL, libc::SIGTERM] {
        let agent = station.run(&[]);
        station.send(10);
        agent.signal(signal);
        let finished = agent.end();
        assert_eq!(
            finished.status.code(),
            if signal == libc::SIGKILL { None } else { Some(0) },
            "{finished:?}"
        );
        assert!(station.attached(), "the kernel goes on");
        if signal != libc::SIGKILL {
            assert_eq!(station.kept().frames, station.sent() as i64, "an orderly end keeps all");
        }
        // Meanwhile, nobody there.
        station.send(25);
    }
    let agent = station.run(&[]);
    // What was counted meanwhile is in the first epoch, and shown.
    agent.wait_frames(25);
    let kept = station.wait_kept(station.sent());
    assert_eq!(kept.generations.len(), 1);
    agent.terminate().good();
    station.settle(station.sent());
}

#[test]
fn one_agent_at_a_time() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    let pid = agent.pid().to_string();
    refused(&finish(station.run_command([""; 0])), &[&pid]);
    refused(&finish(station.run_command(["--spill-memory=2M"])), &[&pid]);
    refused(&station.detach(&[]), &[&pid]);
    refused(&station.detach(&["--discard"]), &[&pid]);
    assert!(station.attached());
    station.send(9);
    station.wait_kept(9);
    agent.terminate().good();
    station.settle(9);
}

#[test]
fn detach_and_a_fresh_load() {
    if !root() {
        return;
    }
    let station = Station::new();
    let mut generations = BTreeSet::new();
    for round in 1..=3 {
        let agent = station.run(&[]);
        let pinned = station.pins.generations();
        assert_eq!(pinned.len(), 1, "{:?}", station.pins.entries());
        assert!(generations.insert(pinned[0].clone()), "a generation of its own: {pinned:?}");
        station.send(5);
        agent.terminate().good();
        station.send(6);
        let kept = station.settle(station.sent());
        assert_eq!(kept.generations.len(), round);
        assert_eq!(kept.generations[round - 1].id, pinned[0]);
        assert_eq!(kept.generations[round - 1].frames, 11);
    }
    // Nothing is there to be taken off.
    let again = station.detach(&[]);
    assert!(again.stderr.len() + again.stdout.len() > 0, "{again:?}");
    assert_eq!(station.kept().frames, 33);
}

#[test]
fn detach_discard() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    station.send(5);
    agent.terminate().good();
    station.send(6);
    station.detach(&["--discard"]).good();
    station.assert_gone();
    assert_eq!(station.kept().frames, 5, "what only the kernel had is forgotten, as was asked for");
}

/// A reboot takes pins and counters with it, and leaves the store.
#[test]
fn a_reboot() {
    if !root() {
        return;
    }
    let station = Station::new();
    for (round, crash) in [(1, false), (2, true), (3, false)] {
        let agent = station.run(&[]);
        station.send(8);
        station.wait_kept(station.sent());
        if crash {
            drop(agent.kill())
        } else {
            drop(agent.terminate().good())
        }
        station.pins.remove();
        wait_for("the program to go", || (!station.attached()).then_some(()));
        let kept = station.kept();
        assert_eq!(kept.generations.len(), round, "a load of its own, with epochs of its own: {kept:?}");
        assert_eq!(kept.frames, station.sent() as i64);
    }
    let agent = station.run(&[]);
    agent.terminate().good();
    let kept = station.settle(24);
    assert_eq!(kept.generations.len(), 4);
    assert_eq!(station.query("class")["summary"]["packets"], 24);
}

/// Copies a store that nobody writes.
fn copy(station: &Station, to: &str) -> PathBuf {
    let copied = station.scratch.path(to);
    for (suffix, file) in store::files(&station.store) {
        if suffix != "-shm" && file.exists() {
            fs::copy(file, &store::files(&copied)[suffix]).unwrap();
        }
    }
    copied
}

/// Puts a copy in a store's place.
fn put_back(station: &Station, copied: &Path) {
    for (suffix, file) in store::files(&station.store) {
        let _ = fs::remove_file(&file);
        let from = &store::files(copied)[suffix];
        if from.exists() {
            fs::copy(from, file).unwrap();
        }
    }
}

#[test]
fn an_older_copy_of_the_store() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    station.send(5);
    agent.terminate().good();
    let copied = copy(&station, "backup.db");
    // More than two epochs later.
    let agent = station.run(&[]);
    for _ in 0..4 {
        station.send(10);
        station.wait_kept(station.sent());
    }
    agent.terminate().good();
    station.send(7);
    put_back(&station, &copied);
    let before = station.kept();
    assert_eq!(before.frames, 5);

    refused(&finish(station.run_command([""; 0])), &["teiten detach", "--restored"]);
    refused(&station.detach(&[]), &["--restored"]);
    assert!(station.attached());
    assert_eq!(station.kept(), before, "nothing is changed");
    let (status, code) = station.status();
    println!("{status}");
    assert_eq!(code, 1, "{status}");
    let loaded = &status["generations"][0];
    let behind = loaded["epoch"].as_i64().unwrap() - loaded["last_epoch_kept"].as_i64().unwrap();
    assert!(behind > 2, "{status}");
    station.send(2);

    station.detach(&["--restored"]).good();
    station.assert_gone();
    let kept = Kept::of_restored(&station.store);
    assert_eq!(kept.frames, 5 + 7 + 2, "what the copy had, and what the kernel still had: {kept:?}");
    // And on with it.
    let agent = station.run(&[]);
    station.send(3);
    agent.terminate().good();
    station.detach(&[]).good();
    let kept = Kept::of_restored(&station.store);
    assert_eq!((kept.frames, kept.generations.len()), (17, 2), "{kept:?}");
    assert_eq!(station.query("class")["summary"]["packets"], 17);
}

/// A copy that is a single epoch older has the numbers of a store whose agent was killed between flip and
/// commit; but the bank that would hold the epoch is empty by now.
#[test]
fn a_copy_that_is_one_epoch_older() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    station.send(5);
    agent.terminate().good();
    // One drain at the start, and one at the end.
    let mut command = station.command("run");
    command.args(["--iface=in0", "--interval=1h", "--format=jsonl", "--sketch-key"]).arg(&station.key);
    command.env("TEITEN_SPILL_MEMORY", "1M").env("TEITEN_SENSOR", "west=192.0.2.0/24");
    let agent = Agent::start(command);
    wait_for("the agent to take over", || {
        (station.status().0["agent"]["pid"] == agent.pid()).then(|| thread::sleep(Duration::from_millis(300)))
    });
    // Nothing is written meanwhile.
    let copied = copy(&station, "backup.db");
    let epochs = station.kept().epochs();
    station.send(10);
    agent.terminate().good();
    assert_eq!((station.kept().epochs(), station.kept().frames), (epochs + 1, 15));
    station.send(4);
    put_back(&station, &copied);

    // An agent that is not refused goes on running.
    let agent = station.start(&[]);
    thread::sleep(Duration::from_secs(2));
    agent.signal(libc::SIGTERM);
    let finished = agent.end();
    assert_eq!(finished.status.code(), Some(1), "ten frames are gone unseen: {:?}", station.kept());
    refused(&finished, &["--restored"]);
    refused(&station.detach(&[]), &["--restored"]);
    assert_eq!((station.kept().epochs(), station.kept().frames), (epochs, 5), "nothing is changed");
    station.detach(&["--restored"]).good();
    assert_eq!(Kept::of_restored(&station.store).frames, 9);
}

#[test]
fn another_store() {
    if !root() {
        return;
    }
    let (station, other) = (Station::new(), Station::new());
    for each in [&station, &other] {
        if each.pins.path() == other.pins.path() {
            // Both of the same house, so that it is not the key that tells them apart.
            fs::copy(&station.key, &other.key).unwrap();
        }
        let agent = each.run(&[]);
        each.send(5);
        agent.terminate().good();
    }
    other.detach(&[]).good();
    station.send(6);
    let (ours, theirs) = (store::id(&station.store), store::id(&other.store));
    assert_ne!(ours, theirs);
    let mine = copy(&station, "mine.db");
    put_back(&station, &other.store);
    let before = station.kept();

    refused(&finish(station.run_command([""; 0])), &[&ours, &theirs]);
    refused(&finish(station.run_command(["--spill-memory=2M"])), &[&ours, &theirs]);
    refused(&station.detach(&[]), &[&ours, &theirs, "--discard"]);
    refused(&station.detach(&["--restored"]), &[&ours, &theirs]);
    assert!(station.attached());
    assert_eq!(station.kept(), before, "nothing is changed");
    assert_eq!(station.pins.generations().len(), 1);

    put_back(&station, &mine);
    let agent = station.run(&[]);
    agent.terminate().good();
    station.settle(11);
}

/// The store is gone: another one must not take its place unasked.
#[test]
fn a_store_that_is_gone() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    station.send(5);
    agent.terminate().good();
    let mine = copy(&station, "mine.db");
    for file in store::files(&station.store).values() {
        let _ = fs::remove_file(file);
    }
    station.send(6);
    let finished = finish(station.run_command([""; 0]));
    refused(&finished, &["--discard"]);
    assert!(station.attached());
    put_back(&station, &mine);
    station.settle(11);
}

#[test]
fn status_at_all_times() {
    if !root() {
        return;
    }
    let tmpfs = Tmpfs::new(24);
    let station = Station::with_store(Scratch::new(), tmpfs.path("teiten.db"));
    let text = || {
        let finished = finish(station.command("status"));
        finished.stdout + &finished.stderr
    };
    // Before anything.
    let (before, code) = station.status();
    println!("before: {before}\n{}", text());
    assert_eq!((code, &before["generations"]), (3, &json!([])), "nothing counts: {before}");

    let agent = station.run(&[]);
    station.send(12);
    station.wait_kept(12);
    let (running, code) = station.status();
    println!("running: {running}\n{}", text());
    assert_eq!(code, 0);
    assert_eq!(running["agent"]["pid"], agent.pid(), "{running}");
    assert_eq!(running["pins"], station.pins.path().to_str().unwrap(), "{running}");
    let [generation] = &station.pins.generations()[..] else { panic!("{:?}", station.pins.entries()) };
    let loaded = &running["generations"][0];
    assert_eq!(loaded["generation"], generation.as_str(), "{running}");
    assert_eq!((&loaded["uncounted"], &loaded["trouble"]), (&0.into(), &Value::Null), "{running}");
    let interface = &loaded["interfaces"][0];
    assert_eq!((&interface["interface"], &interface["mode"]), (&"in0".into(), &"native".into()), "{running}");
    let (id, frames) = (store::id(&station.store), station.kept().frames);
    assert_eq!((&loaded["store"], &running["store"]["id"]), (&id.clone().into(), &id.into()), "{running}");
    assert_eq!(
        (&loaded["frames_kept"], &running["store"]["frames"]),
        (&frames.into(), &frames.into()),
        "{running}"
    );
    let epoch = loaded["epoch"].as_i64().expect("an epoch");
    let last = loaded["last_epoch_kept"].as_i64().expect("an epoch");
    // The kernel is looked at first, and the store may have gone on meanwhile.
    assert!((0..=2).contains(&(epoch - last)), "{running}");
    assert!(station.kept().last_epoch().unwrap() >= last, "{running}");
    let lag = running["store"]["lag_seconds"].as_f64().expect("seconds");
    assert!((0.0..10.0).contains(&lag), "{running}");
    assert!(text().contains("in0") && text().contains(&agent.pid().to_string()), "{}", text());

    // Nobody runs; a few frames wait in the kernel.
    agent.terminate().good();
    station.send(3);
    let (alone, code) = station.status();
    println!("alone: {alone}\n{}", text());
    assert_eq!(code, 1, "nobody drains");
    assert!(alone.to_string().contains(generation.as_str()) && alone.to_string().contains("in0"), "{alone}");
    assert_eq!(alone["agent"], Value::Null, "{alone}");
    let last = station.kept().last_epoch().unwrap();
    assert_eq!(alone["generations"][0]["last_epoch_kept"], last, "{alone}");
    assert_eq!(alone["generations"][0]["epoch"], last + 1, "all but the running epoch is kept: {alone}");

    // It asks and changes nothing.
    assert_eq!(station.kept().frames, 12);
    assert!(station.attached());

    // The disk is full.
    let agent = station.run(&[]);
    station.wait_kept(15);
    tmpfs.fill();
    station.send(2);
    agent.wait_message("full");
    let (full, code) = station.status();
    assert_eq!(code, 1, "{full}");
    println!("full: {full}\n{}", text());
    let trouble = &full["generations"][0]["trouble"];
    assert!(trouble.as_str().is_some_and(|trouble| trouble.contains("full")), "{full}");
    assert!(full["generations"][0]["trouble_since"].is_string(), "{full}");
    assert!(text().contains("full"), "{}", text());
    tmpfs.free();
    agent.wait_message("takes counts again");
    wait_for("status to say so", || (!station.status().0.to_string().contains("full")).then_some(()));
    agent.terminate().good();

    // Taken off.
    station.settle(17);
    let (after, code) = station.status();
    assert_eq!(code, 3, "{after}");
    println!("after: {after}\n{}", text());
    assert_eq!((&after["generations"], &after["agent"]), (&json!([]), &Value::Null), "{after}");
    assert_eq!(after["store"]["frames"], 17, "{after}");
}

/// Mounts the BPF file system where it is missing.
#[test]
fn a_machine_without_bpffs() {
    if !root() {
        return;
    }
    let station = Station::new();
    let mut command = station.run_command([""; 0]);
    // A mount namespace of its own, in which it is not mounted; with it ends what is pinned there.
    let away = || {
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: system calls with strings that end in 0.
        let results = unsafe {
            [
                libc::unshare(libc::CLONE_NEWNS),
                libc::mount(c"none".as_ptr(), c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()),
                libc::umount2(c"/sys/fs/bpf".as_ptr(), libc::MNT_DETACH),
            ]
        };
        if results == [0; 3] { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: it makes nothing but system calls.
    unsafe { command.pre_exec(away) };
    let agent = Agent::start(command);
    agent.wait_stdout("the end of the first interval", |lines| lines.last().map(drop));
    station.send(5);
    station.wait_kept(5);
    agent.terminate().good();
    assert_eq!(station.pins.entries(), [""; 0], "it did not use another one");
    assert_eq!(station.kept().frames, 5);
}

/// A place that cannot be pinned to is refused before anything is attached.
#[test]
fn a_pin_path_elsewhere() {
    if !root() {
        return;
    }
    let station = Station::new();
    let mut command = teiten(&station.pair.inner);
    command.args(["run", "--iface=in0", "--interval=100ms", "--format=jsonl", "--store"]).arg(&station.store);
    command.arg("--sketch-key").arg(station.scratch.path("sketch.key"));
    command.arg("--pin-path").arg(station.scratch.path("pins")).env("TEITEN_SPILL_MEMORY", "1M");
    let finished = finish(command);
    refused(&finished, &["bpf", station.scratch.path("pins").to_str().unwrap()]);
    assert!(!station.attached());
}

/// The frames that a demo has sent and counted, by what it says at its end.
fn sent_and_counted(finished: &Finished) -> (u64, u64) {
    let mut lines = finished.stderr.lines();
    let numbers = lines.find_map(|line| line.strip_suffix(" counted")?.split_once(" frames sent, "));
    let (sent, counted) = numbers.unwrap_or_else(|| panic!("no frames in:\n{}", finished.stderr));
    let number = |text: &str| text.replace(',', "").parse().expect("a number");
    (number(sent), number(counted))
}

#[test]
fn a_demo_that_is_killed_goes_on() {
    if !root() {
        return;
    }
    let (outside, scratch, pins) = (Netns::new(), Scratch::new(), Pins::new());
    let store = scratch.path("teiten.db");
    let start = || {
        let mut command = teiten(&outside);
        command.args(["demo", "--format=jsonl", "--interval=200ms", "--rate=3000", "--time-zone=UTC"]);
        command.arg("--store").arg(&store).arg("--pin-path").arg(pins.path());
        command.arg("--sketch-key").arg(scratch.path("key")).env("TEITEN_SPILL_MEMORY", "2M");
        Agent::start(command)
    };
    let mut arrived = 0;
    for round in 0..4 {
        let agent = start();
        let hint = agent.wait_message("to look inside: nsenter --net=");
        let path = hint.split_once("--net=").unwrap().1.split(' ').next().unwrap().to_owned();
        let inside = Netns::open(path).unwrap();
        agent.wait_frames(200);
        thread::sleep(Duration::from_millis(37 * round));
        agent.kill();
        // The namespace is still there as long as it is held; what it received, the program has counted.
        let mut before = 0;
        arrived += wait_for("the counters to stand still", || {
            thread::sleep(Duration::from_millis(30));
            let now = inside.counters("teiten0").rx_packets;
            let still = now == before;
            before = now;
            still.then_some(now)
        });
    }
    let agent = start();
    agent.wait_frames(200);
    let finished = agent.interrupt().good();
    let (sent, counted) = sent_and_counted(&finished);
    assert_eq!(sent, counted);
    assert_eq!(pins.entries(), [""; 0], "an orderly end leaves no pins");
    let kept = Kept::of(&store);
    assert_eq!(kept.frames as u64, arrived + sent, "{kept:?}");
    assert_eq!(kept.uncounted, 0);
    // And again, from the beginning.
    let agent = start();
    agent.wait_frames(200);
    let (more, counted) = sent_and_counted(&agent.interrupt().good());
    assert_eq!(more, counted);
    assert_eq!(Kept::of(&store).frames as u64, arrived + sent + more);
}

#[test]
fn a_demo_goes_on_from_a_past_that_was_made() {
    if !root() {
        return;
    }
    const SAMPLE: i64 = 400;
    let (outside, scratch, pins) = (Netns::new(), Scratch::new(), Pins::new());
    let (store, pair) = (scratch.path("teiten.db"), Pair::new());
    // The last days of what the demo plays.
    let scenario = include_str!("../../docs/scenarios/demo.toml");
    let (before, from) = scenario.split_once("\nfrom = ").expect("a first day");
    let (_, after) = from.split_once('\n').expect("a line");
    let scenario = scratch.write("scenario.toml", format!("{before}\nfrom = 2019-12-01\n{after}"));
    let mut command = teiten(&outside);
    command.arg("synth").arg(scenario).arg("--store").arg(&store);
    command.args(["--until=now", &format!("--sample={SAMPLE}"), "--spill-memory=8M"]);
    let said = finish(command).good().stderr;
    let past = Kept::of(&store);
    assert!(past.frames > 10 * SAMPLE && past.frames % SAMPLE == 0, "{} frames of the past", past.frames);
    assert!(said.contains(&format!("frames {}, packets {},", past.frames, past.packets)), "{said}");
    let sensors = |rows: &Value| {
        let rows = rows["rows"].as_array().expect("rows").iter();
        let packets = rows.map(|row| (row["sensor"].to_string(), row["packets"].as_u64().expect("packets")));
        packets.collect::<BTreeMap<_, _>>()
    };
    let made = sensors(&station::query(&store, &pair, "sensor"));
    assert_eq!(made.len(), 2);
    assert_eq!(made.values().sum::<u64>(), past.packets as u64);

    let mut command = teiten(&outside);
    command.args(["demo", "--format=jsonl", "--interval=200ms", "--rate=3000", "--listen=off"]);
    command.arg("--store").arg(&store).arg("--pin-path").arg(pins.path()).env("TEITEN_SPILL_MEMORY", "2M");
    let agent = Agent::start(command);
    agent.wait_frames(200);
    let (sent, counted) = sent_and_counted(&agent.interrupt().good());
    assert_eq!(sent, counted);
    let kept = Kept::of(&store);
    assert_eq!(kept.frames, past.frames + sent as i64);
    // Its sensors are those of the past.
    let all = sensors(&station::query(&store, &pair, "sensor"));
    assert_eq!(all.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    assert_eq!(all.values().sum::<u64>(), kept.packets as u64);
    assert!(all.iter().all(|(sensor, packets)| *packets > made[sensor]), "{made:?}, then {all:?}");
}

/// A capture of so many frames, whose sources begin with this byte.
fn capture(scratch: &Scratch, name: &str, first: u8, frames: u64) -> PathBuf {
    let frames: Vec<_> = (0..frames)
        .map(|number| {
            let frame = Ipv4::new([first, 0, 0, number as u8], [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame();
            (1_717_200_000_000_000_000 + number * 1_000_000_000, frame)
        })
        .collect();
    let file = pcap(ETHERNET, frames.iter().map(|(time, frame)| (*time, frame.as_slice())));
    scratch.write(name, file)
}

#[test]
fn the_same_capture_twice() {
    if !root() {
        return;
    }
    let (pair, scratch) = (Pair::new(), Scratch::new());
    let store = scratch.path("teiten.db");
    let replay = |files: &[&PathBuf]| {
        let mut command = teiten(&pair.inner);
        command.args(["replay", "--time-zone=UTC", "--role=dark", "--store"]).arg(&store);
        command.arg("--sketch-key").arg(scratch.path("key")).env("TEITEN_SPILL_MEMORY", "1M").args(files);
        finish(command)
    };
    let (first, second) =
        (capture(&scratch, "first.pcap", 11, 500), capture(&scratch, "second.pcap", 12, 300));
    replay(&[&first]).good();
    let once = Kept::of(&store);
    assert_eq!((once.frames, once.packets, once.generations.len()), (500, 500, 1));
    assert_eq!(once.generations[0].origin, "replay");
    let sources = station::query(&store, &pair, "dst_port")["rows"][0]["sources"].clone();

    let again = replay(&[&first]).good();
    println!("{}{}", again.stdout, again.stderr);
    assert_eq!(Kept::of(&store), once, "nothing is doubled");
    // Under another name it is the same capture.
    let renamed = scratch.path("renamed.pcap");
    fs::copy(&first, &renamed).unwrap();
    replay(&[&renamed]).good();
    assert_eq!(Kept::of(&store).frames, 500);
    assert_eq!(station::query(&store, &pair, "dst_port")["rows"][0]["sources"], sources);

    replay(&[&second]).good();
    let both = Kept::of(&store);
    assert_eq!((both.frames, both.generations.len()), (800, 2));
    let asked = station::query(&store, &pair, "dst_port");
    assert_eq!(asked["summary"]["packets"], 800, "{asked}");
    assert_eq!(asked["rows"][0]["dst_port"], 23, "{asked}");
    assert_eq!(asked["rows"][0]["packets"], 800, "{asked}");
}

/// Live counts and captures in the same store, at the same time.
#[test]
fn a_capture_beside_a_running_agent() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    let file = capture(&station.scratch, "capture.pcap", 11, 400);
    let mut command = teiten(&station.pair.inner);
    command.args(["replay", "--time-zone=UTC", "--store"]).arg(&station.store).arg("--sketch-key");
    command.arg(station.scratch.path("sketch.key")).env("TEITEN_SPILL_MEMORY", "1M").arg(file);
    station.send(5);
    finish(command).good();
    station.send(5);
    agent.terminate().good();
    station.detach(&[]).good();
    let kept = station.kept();
    let frames: Vec<_> =
        kept.generations.iter().map(|generation| (generation.origin.as_str(), generation.frames)).collect();
    assert_eq!(frames, [("live", 10), ("replay", 400)]);
    assert_eq!(station.query("class")["summary"]["packets"], 410);
}
