//! Nothing is lost: whatever ends the agent, and whatever keeps the store from taking counts, every frame
//! that reached the program is in the store once.
//!
//! What reached the program is told by the interface: a veth interface with a native program runs it once for
//! each packet that it counts as received (see `flood.rs`).
//!
//! Environment: `TEITEN_SEED` repeats a run, `TEITEN_KILLS` (200) and `TEITEN_ALONE_SECONDS` (10) make tests
//! longer.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    thread,
    time::{Duration, Instant},
};

use aya::{
    programs::loaded_programs,
    sys::{Stats, enable_stats},
};
use rusqlite::Connection;
use teiten_tests::{
    agent::Agent,
    flood::{Flood, Pace},
    root,
    scratch::Scratch,
    station::{Station, number, random},
    store::{self, Kept},
    tmpfs::Tmpfs,
};

fn milliseconds(number: usize) -> Duration {
    Duration::from_millis(number as u64)
}

/// Ends a flood and holds the store to it.
fn settle(station: &Station, flood: Flood) -> Kept {
    let asked = flood.stop(|| station.received());
    let received = station.received();
    assert!(received > 1_000, "no flood: {received} of {asked} packets arrived");
    let kept = station.settle(received);
    println!(
        "{received} of {asked} packets, {} epochs, {} generations, {} packets without detail",
        kept.epochs(),
        kept.generations.len(),
        kept.lost
    );
    kept
}

#[test]
fn killed_again_and_again_under_a_flood() {
    if !root() {
        return;
    }
    let kills = number("TEITEN_KILLS", 200);
    let mut random = random("kills");
    let station = Station::new();
    let mut agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    let mut unready = 0;
    for kill in 0..kills {
        // Now and then long enough for several epochs; mostly too short for the start to be over.
        let most = if kill % 10 == 9 { 1500 } else { 250 };
        thread::sleep(milliseconds(random.below(most)));
        unready += u32::from(agent.kill().stdout.is_empty());
        if kill % 4 == 0 {
            thread::sleep(milliseconds(random.below(50)));
        }
        agent = station.start(&[]);
    }
    agent.wait_stdout("an interval after the last start", |lines| lines.last().map(drop));
    agent.terminate().good();
    let kept = settle(&station, flood);
    println!("{kills} kills, {unready} of them before the first interval was over");
    assert_eq!(kept.generations.len(), 1, "the program stayed: {kept:?}");
    assert!(kept.epochs() as u64 > kills / 10, "{kept:?}");
}

#[test]
fn a_full_disk() {
    if !root() {
        return;
    }
    let tmpfs = Tmpfs::new(24);
    let station = Station::with_store(Scratch::new(), tmpfs.path("teiten.db"));
    let agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    tmpfs.fill();
    println!("{}", agent.wait_message("cannot keep counts"));
    let stuck = station.kept();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(station.kept().last_epoch(), stuck.last_epoch(), "nothing can be kept meanwhile");
    let (status, _) = station.status();
    assert!(status.to_string().contains("full"), "status says what is wrong: {status}");
    // Once, not every interval.
    let lines = agent.messages().lines().filter(|line| line.contains("cannot keep counts")).count();
    assert_eq!(lines, 1, "{}", agent.messages());
    tmpfs.free();
    agent.wait_message("takes counts again");
    station_goes_on(&station, &stuck);
    agent.terminate().good();
    settle(&station, flood);
}

/// Waits until epochs are kept again.
fn station_goes_on(station: &Station, before: &Kept) {
    let wanted = before.epochs() + 3;
    teiten_tests::wait_for("more epochs", || (station.kept().epochs() >= wanted).then_some(()));
}

#[test]
fn a_store_that_somebody_else_has_locked() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    let other = Connection::open(&station.store).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    println!("{}", agent.wait_message("cannot keep counts"));
    let stuck = station.kept();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(station.kept().last_epoch(), stuck.last_epoch(), "nothing can be kept meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    agent.wait_message("takes counts again");
    station_goes_on(&station, &stuck);

    // And killed while it waits, started while it is locked.
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    thread::sleep(milliseconds(300));
    agent.kill();
    let mut agent = station.start(&[]);
    thread::sleep(Duration::from_secs(1));
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    agent = alive_or_again(&station, agent, &[]);
    agent.wait_stdout("an interval", |lines| lines.last().map(drop));
    agent.terminate().good();
    settle(&station, flood);
}

/// An agent that was started while the store was in trouble may have given up, with a reason; then another
/// one is started.
fn alive_or_again(station: &Station, mut agent: Agent, words: &[&str]) -> Agent {
    if agent.ended().is_none() {
        return agent;
    }
    let finished = agent.end();
    println!("gave up: {}", finished.stderr.trim());
    assert_ne!(finished.code(), 0);
    assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
    station.start(words)
}

#[test]
fn counting_goes_on_alone() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    thread::sleep(milliseconds(500));
    agent.kill();
    let before = station.received();
    thread::sleep(Duration::from_secs(number("TEITEN_ALONE_SECONDS", 10)));
    let meanwhile = station.received() - before;
    assert!(meanwhile > 1_000, "{meanwhile} packets meanwhile");
    let agent = station.run(&[]);
    agent.terminate().good();
    let kept = settle(&station, flood);
    assert_eq!(kept.generations.len(), 1, "{kept:?}");
    assert!(kept.lost > 0, "the spill log of 1 MiB was full, sources are lost, packets are not: {kept:?}");
}

/// A program that was taken off while packets arrived: those that it had not finished with count, too.
#[test]
fn a_detach_under_a_flood() {
    if !root() {
        return;
    }
    // The interface counts as received what arrives while the program is being taken off; the program itself
    // says how often it was run.
    let _stats = enable_stats(Stats::RunTime).unwrap();
    let station = Station::new();
    let mut runs = 0;
    for round in 1..=5 {
        let agent = station.run(&[]);
        let id = station.pair.inner.xdp("in0").expect("a program").program;
        let program = || loaded_programs().flatten().find(|program| u64::from(program.id()) == id);
        let held = program().expect("the program").fd().unwrap();
        let flood = Flood::start(&station.pair, Pace { pause: Duration::from_millis(1), ..Pace::STEADY });
        thread::sleep(milliseconds(300));
        if round % 2 == 0 {
            drop(agent.kill())
        } else {
            drop(agent.terminate().good())
        }
        thread::sleep(milliseconds(100));
        station.detach(&[]).good();
        station.assert_gone();
        flood.stop(|| station.received());
        let counted = program().expect("the program, which is held").run_count();
        drop(held);
        assert!(counted > 1_000, "no flood: {counted} packets");
        runs += counted;
        let kept = station.kept();
        assert_eq!((kept.frames, kept.generations.len()), (runs as i64, round), "{kept:?}");
    }
}

/// Configurations that differ in what the program is loaded with.
const CONFIGURATIONS: [&[&str]; 4] = [
    &[],
    &["--spill-memory=2M"],
    &["--sensor=east=192.0.2.0/24", "--sensor=west=198.51.100.0/24"],
    &["--v4-prefix=24"],
];

#[test]
fn upgrades_under_a_flood() {
    if !root() {
        return;
    }
    let station = Station::new();
    let agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    agent.terminate().good();
    for (round, words) in CONFIGURATIONS.iter().cycle().skip(1).take(6).enumerate() {
        let agent = station.run(words);
        assert!(station.attached());
        if round % 2 == 0 {
            drop(agent.terminate().good())
        } else {
            drop(agent.kill())
        }
        // The generation before is drained and gone.
        assert_eq!(station.pins.generations().len(), 1, "{:?}", station.pins.entries());
    }
    let kept = settle(&station, flood);
    assert_eq!(kept.generations.len(), 7, "{kept:?}");
}

#[test]
fn upgrades_that_are_killed() {
    if !root() {
        return;
    }
    let mut random = random("upgrades");
    let station = Station::new();
    let mut agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    let kills = number("TEITEN_KILLS", 200) / 5;
    for _ in 0..kills {
        // Long enough for an upgrade, mostly, so that the next one is another upgrade.
        thread::sleep(milliseconds(random.below(500)));
        agent.kill();
        let words = *random.pick(&CONFIGURATIONS);
        agent = station.start(words);
    }
    agent.wait_stdout("an interval", |lines| lines.last().map(drop));
    agent.terminate().good();
    let kept = settle(&station, flood);
    assert!(kept.generations.len() as u64 > 1 + kills / 20, "{kept:?}");
}

/// Everything at once, in any order.
#[test]
fn faults_between_kills() {
    if !root() {
        return;
    }
    let mut random = random("faults");
    let tmpfs = Tmpfs::new(48);
    let station = Station::with_store(Scratch::new(), tmpfs.path("teiten.db"));
    let mut agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    let mut words = CONFIGURATIONS[0];
    for _ in 0..number("TEITEN_KILLS", 200) / 8 {
        thread::sleep(milliseconds(random.below(400)));
        match random.below(4) {
            // Nothing but the kill.
            0 => drop(agent.kill()),
            1 => {
                tmpfs.fill();
                thread::sleep(milliseconds(random.below(500)));
                kill_or_reason(agent);
                agent = station.start(words);
                thread::sleep(milliseconds(random.below(800)));
                tmpfs.free();
                agent = alive_or_again(&station, agent, words);
                thread::sleep(milliseconds(random.below(300)));
                kill_or_reason(agent);
            }
            2 => {
                let other = Connection::open(&station.store).unwrap();
                other.busy_timeout(Duration::from_secs(10)).unwrap();
                other.execute_batch("BEGIN EXCLUSIVE").unwrap();
                thread::sleep(milliseconds(random.below(500)));
                kill_or_reason(agent);
                agent = station.start(words);
                thread::sleep(milliseconds(random.below(800)));
                other.execute_batch("ROLLBACK").unwrap();
                drop(other);
                agent = alive_or_again(&station, agent, words);
                thread::sleep(milliseconds(random.below(300)));
                kill_or_reason(agent);
            }
            // No agent for a while, and another configuration afterwards.
            _ => {
                agent.kill();
                thread::sleep(milliseconds(random.below(500)));
                words = *random.pick(&CONFIGURATIONS);
            }
        }
        agent = station.start(words);
    }
    agent.wait_stdout("an interval", |lines| lines.last().map(drop));
    agent.terminate().good();
    settle(&station, flood);
}

/// Kills an agent that may just have found the store in trouble and given up.
fn kill_or_reason(mut agent: Agent) {
    if agent.ended().is_none() {
        agent.signal(libc::SIGKILL);
    }
    let finished = agent.end();
    if finished.status.code().is_some() {
        println!("gave up: {}", finished.stderr.trim());
        assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
    }
}

/// A store that cannot be written, from the start on.
#[test]
fn a_read_only_store() {
    if !root() {
        return;
    }
    let tmpfs = Tmpfs::new(24);
    let station = Station::with_store(Scratch::new(), tmpfs.path("teiten.db"));
    station.run(&[]).terminate().good();
    station.send(7);
    tmpfs.read_only(true);
    let agent = station.start(&[]);
    println!("{}", agent.wait_message("file system is read-only"));
    station.send(5);
    // Nothing is taken off before the store has taken it.
    let refused = station.detach(&[]);
    assert_ne!(refused.code(), 0, "{refused:?}");
    assert!(station.attached(), "{refused:?}");
    tmpfs.read_only(false);
    let agent = alive_or_again(&station, agent, &[]);
    station.wait_kept(12);
    agent.terminate().good();
    station.settle(12);
}

#[test]
fn a_damaged_store() {
    if !root() {
        return;
    }
    let station = Station::new();
    station.run(&[]).terminate().good();
    station.send(7);
    let whole = fs::read(&station.store).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(&store::files(&station.store)[suffix]);
    }
    fs::write(&station.store, b"This is no database, nor was it ever one.".repeat(200)).unwrap();
    let mut agent = station.start(&[]);
    println!("{}", agent.wait_message("damaged"));
    assert!(station.attached(), "counting goes on");
    station.send(5);
    let refused = station.detach(&[]);
    assert_ne!(refused.code(), 0, "{refused:?}");
    assert!(station.attached(), "{refused:?}");
    // Put back as it was.
    if agent.ended().is_none() {
        agent.terminate();
    }
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(&store::files(&station.store)[suffix]);
    }
    fs::write(&station.store, whole).unwrap();
    let agent = station.run(&[]);
    station.wait_kept(12);
    agent.terminate().good();
    station.settle(12);
}

/// The first bytes of a write-ahead log: they change when it is written from its beginning again, which
/// happens after a checkpoint of all of it.
fn log_header(path: &std::path::Path) -> Vec<u8> {
    let mut header = Vec::new();
    let file = fs::File::open(path).unwrap();
    file.take(32).read_to_end(&mut header).unwrap();
    header
}

/// How many frames of the write-ahead log a checkpoint has begun to write into the database: the field
/// `nBackfillAttempted` of the log's index (<https://sqlite.org/walformat.html>, section 2.1).
fn checkpointed(index: &std::path::Path) -> u64 {
    let mut file = fs::File::open(index).unwrap();
    file.seek(SeekFrom::Start(128)).unwrap();
    let mut number = [0; 4];
    file.read_exact(&mut number).unwrap();
    u32::from_ne_bytes(number).into()
}

/// The store's files, as a power cut would leave them, are copied at random moments.
///
/// Database first and log second is such an image, unless the log was begun anew in between: then the copy of
/// the database may be from before a checkpoint of pages that the copy of the log does not hold any more.
/// Such copies are thrown away. A checkpoint alone does no harm: what it writes into the database, while that
/// is copied or before, is in the log, too, and read from there.
///
/// A disk that was told to write (fsync) has the log up to there; the rest may or may not be written. So some
/// copies lose the end of the log, at any byte; but nothing that a checkpoint has begun to write into the
/// database, since the log is made durable before that.
#[test]
fn a_power_cut_at_any_moment() {
    const COPIES: usize = 80;
    if !root() {
        return;
    }
    let mut random = random("power cuts");
    let station = Station::new();
    let mut agent = station.run(&[]);
    let flood = Flood::start(&station.pair, Pace::STEADY);
    let files = store::files(&station.store);
    let reader = store::open(&station.store);
    let committed = || -> usize {
        reader.query_row("SELECT count(*) FROM epoch", [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    let copies = Scratch::new();
    let copied = store::files(&copies.path("copy.db"));
    let (start, mut good, mut begun_anew, mut cut) = (Instant::now(), 0, 0, 0);
    while good < COPIES {
        assert!(
            start.elapsed() < Duration::from_secs(90),
            "only {good} copies, {begun_anew} logs begun anew"
        );
        thread::sleep(milliseconds(random.below(120)));
        if good % 10 == 9 {
            agent.kill();
            agent = station.start(&[]);
        }
        for file in copied.values() {
            let _ = fs::remove_file(file);
        }
        let before = log_header(&files["-wal"]);
        let promised = committed();
        fs::copy(&files[""], &copied[""]).unwrap();
        let durable = 32 + checkpointed(&files["-shm"]) * (24 + page_size(&before));
        fs::copy(&files["-wal"], &copied["-wal"]).unwrap();
        if log_header(&files["-wal"]) != before {
            begun_anew += 1;
            continue;
        }
        let length = fs::metadata(&copied["-wal"]).unwrap().len();
        let cut_here = random.below(2) == 0 && length > durable;
        if cut_here {
            let length = durable + random.draw() % (length - durable);
            fs::OpenOptions::new().write(true).open(&copied["-wal"]).unwrap().set_len(length).unwrap();
            cut += 1;
        }
        good += 1;
        let tables: i64 = {
            let connection = Connection::open(&copied[""]).unwrap();
            assert_eq!(store::integrity(&connection), "ok");
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
        };
        if tables == 0 {
            // Cut before the store was made: there is all of that, or nothing.
            assert!(cut_here, "a store of {promised} epochs is empty");
            continue;
        }
        let kept = Kept::of(&copied[""]);
        if !cut_here {
            assert!(kept.epochs() >= promised, "{promised} epochs were committed: {kept:?}");
        }
    }
    println!("{good} copies, of which {cut} lost the end of the log; {begun_anew} thrown away");
    drop(reader);
    agent.kill();
    settle(&station, flood);
}

/// Of a log's header; 0 if it has none yet.
fn page_size(header: &[u8]) -> u64 {
    header.get(8..12).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()).into())
}
