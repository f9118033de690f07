//! Counters that outlive the agent: pinned, found again, handed on, refused.

use std::{
    env,
    fs::{self, File},
    io::Write,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{Array, Map, MapData};
use sensor_common::layout::{Control, MAGIC, Ports, VERSION};
use teiten::kernel::{
    Drain, KernelError,
    attach::Mode,
    banks::Spill,
    interfaces::Interface,
    pins::{AgentNote, Pinned, Pins, look},
    program::{Loaded, Settings, Sizes, configuration, cpus, load},
    resume::{Quiet, resume},
    testrun::Runner,
};
use teiten_tests::{DEADLINE, bpf, frames::*, netns::Pair, root, send::Socket, wait_for};

/// A directory for pins of its own. All that is pinned there goes when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(PathBuf::from(format!("/sys/fs/bpf/teiten-test-{}-{number}", process::id())))
    }

    fn lock(&self) -> Pins {
        Pins::lock(&self.0).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The only generation that is pinned.
    fn adopt(&self) -> (Pins, Pinned) {
        let pins = self.lock();
        let mut all = pins.generations().unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(all.len(), 1);
        (pins, all.remove(0))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Ok(pins) = Pins::lock(&self.0) {
            let _ = pins.discard();
        }
        let _ = fs::remove_dir(&self.0);
    }
}

fn settings() -> Settings {
    let sizes = Sizes { slices: cpus().unwrap(), chunks: 4 };
    Settings { drop: true, store: [7; 16], label: "a test".to_owned(), ..Settings::everything(sizes) }
}

fn loaded() -> Loaded {
    load(&settings()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn pinned(pins: &Pins) -> Pinned {
    pins.pin(loaded()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn interface(pair: &Pair) -> Interface {
    Interface { index: pair.inner.index("in0"), name: "in0".to_owned(), ..Interface::default() }
}

fn syn() -> Vec<u8> {
    padded(Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).tcp(Tcp::syn(40000, 23)).frame(), 60)
}

/// Counts of drains.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    joint: u64,
}

impl Sum {
    fn add(&mut self, drain: &Drain) {
        assert_eq!(
            (drain.mismatches.len(), drain.uncounted, drain.lost),
            (0, 0, 0),
            "{:?}",
            drain.mismatches
        );
        self.runs += drain.outcomes.runs;
        self.joint += drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum::<u64>();
    }
}

/// Sends while something is done; returns how many frames were sent, all of which have arrived.
fn under_traffic(pair: &Pair, work: impl FnOnce()) -> u64 {
    let socket = Socket::sender(&pair.outer, "out0");
    let stop = AtomicBool::new(false);
    let before = pair.inner.counters("in0").rx_packets;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let (frame, mut sent) = (syn(), 0u64);
            while !stop.load(Ordering::Relaxed) {
                socket.send([&frame; 50]);
                sent += 50;
                // Leaves the receiver, on the same CPUs, time for each.
                thread::sleep(Duration::from_micros(200));
            }
            sent
        });
        work();
        stop.store(true, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        let arrived = || pair.inner.counters("in0").rx_packets - before;
        wait_for("all frames", || (arrived() >= sent).then_some(()));
        assert_eq!(arrived(), sent);
        sent
    })
}

#[test]
fn counting_goes_on_without_an_agent_and_nothing_is_lost() {
    if !root() {
        return;
    }
    let (pair, directory) = (Pair::new(), Directory::new());
    let pins = directory.lock();
    assert!(pins.generations().unwrap().is_empty());
    let mut first = pinned(&pins);
    let generation = first.banks.generation();
    pair.inner.enter(|| first.attach(&interface(&pair), Mode::Native)).unwrap();
    let mut held = Some((pins, first));

    let (mut sum, mut last) = (Sum::default(), None);
    let sent = under_traffic(&pair, || {
        for round in 0..12 {
            thread::sleep(Duration::from_millis(30));
            // The agent ends, and the program goes on counting.
            drop(held.take());
            thread::sleep(Duration::from_millis(30));
            let (pins, mut pinned) = pair.inner.enter(|| directory.adopt());
            let header = pinned.banks.header();
            assert_eq!((header.generation, header.store), (generation, [7; 16]));
            assert_eq!(header.configuration, configuration(&settings()));
            assert_eq!(header.sizes, settings().sizes);
            let [link] = pinned.links() else { panic!("{:?}", pinned.links()) };
            assert_eq!((link.alive, link.interface.as_deref()), (true, Some("in0")));
            assert_eq!(link.program, pinned.program.id());
            let quiet = resume(header.epoch, header.released, last).unwrap();
            pinned.banks.resume(quiet, 0);
            let mut drain = || {
                let drain = pinned.banks.drain().unwrap();
                assert_eq!(drain.epoch, last.map_or(0, |last| last + 1));
                drain
            };
            match round % 4 {
                // It ends with all done.
                0 => {
                    sum.add(&drain());
                    last = Some(pinned.banks.header().epoch - 1);
                    pinned.banks.release();
                }
                // It ends before the bank is zeroed.
                1 => {
                    sum.add(&drain());
                    last = Some(pinned.banks.header().epoch - 1);
                }
                // It ends before the commit: what was drained is drained again.
                2 => {
                    assert_eq!(quiet, Quiet::Zero);
                    drain();
                }
                _ => {
                    assert_eq!(quiet, Quiet::Drain(header.epoch - 1));
                    sum.add(&drain());
                    pinned.banks.release();
                    sum.add(&pinned.banks.take().unwrap());
                    last = Some(header.epoch);
                }
            }
            held = Some((pins, pinned));
        }
    });
    drop(held.take());

    let (pins, mut pinned) = directory.adopt();
    // What an adopted program says can be read, too.
    pinned.program.take_log().unwrap().flush();
    assert!(pinned.program.take_notices().unwrap().next().is_none());
    let header = pinned.banks.header();
    pinned.banks.resume(resume(header.epoch, header.released, last).unwrap(), 0);
    assert!(matches!(pair.inner.xdp("in0"), Some(xdp) if xdp.program == u64::from(pinned.program.id())));
    pinned.unlink(interface(&pair).index).unwrap();
    assert_eq!(pair.inner.xdp("in0"), None);
    pinned.banks.grace().unwrap();
    sum.add(&pinned.banks.take().unwrap());
    assert_eq!((sum.runs, sum.joint), (sent, sent));
    assert!(sent > 1000, "{sent} frames");
    let empty = pinned.banks.take().unwrap();
    assert_eq!(empty.outcomes.runs, 0);
    pins.remove(pinned).unwrap();
    assert!(directory.names().is_empty());
}

/// Where the process of [`an_agent_that_is_to_be_killed`] finds pins and store.
const KILLED: &str = "TEITEN_TESTS_KILLED_AGENT";

/// Epochs and runs in a file of lines, which is the store of an agent that is killed.
fn kept(store: &Path) -> Vec<(u64, u64)> {
    let text = fs::read_to_string(store).unwrap();
    let numbers = |line: &str| {
        let (epoch, runs) = line.split_once(' ').expect("two numbers");
        (epoch.parse().unwrap(), runs.parse().unwrap())
    };
    text.lines().map(numbers).collect()
}

/// Drains as fast as it can until it is killed. No test of its own: it does nothing unless another
/// test has started it.
#[test]
fn an_agent_that_is_to_be_killed() {
    let Some(place) = env::var_os(KILLED) else { return };
    let (directory, store) = (Path::new(&place), Path::new(&place).file_name().unwrap());
    let store = env::temp_dir().join(store);
    let pins = Pins::lock(directory).unwrap();
    let mut pinned = pins.generations().unwrap().remove(0);
    let last = kept(&store).last().map(|(epoch, _)| *epoch);
    pinned
        .banks
        .resume(resume(pinned.banks.header().epoch, pinned.banks.header().released, last).unwrap(), 0);
    let mut file = File::options().append(true).open(&store).unwrap();
    loop {
        let drain = pinned.banks.drain().unwrap();
        assert_eq!((drain.mismatches.len(), drain.uncounted, drain.lost), (0, 0, 0));
        // All in one call, which a kill does not cut.
        file.write_all(format!("{} {}\n", drain.epoch, drain.outcomes.runs).as_bytes()).unwrap();
        pinned.banks.release();
    }
}

#[test]
fn killed_agents_lose_nothing_and_keep_nothing_twice() {
    if !root() {
        return;
    }
    let (pair, directory) = (Pair::new(), Directory::new());
    let store = env::temp_dir().join(directory.0.file_name().unwrap());
    File::create(&store).unwrap();
    let index = interface(&pair).index;
    {
        let pins = directory.lock();
        let mut pinned = pinned(&pins);
        pair.inner.enter(|| pinned.attach(&interface(&pair), Mode::Native)).unwrap();
    }
    let mut quiet = [0; 2];
    let sent = under_traffic(&pair, || {
        for round in 0..30u64 {
            let before = kept(&store).len();
            let mut agent = Command::new(env::current_exe().unwrap())
                .args(["--exact", "an_agent_that_is_to_be_killed"])
                .env(KILLED, &directory.0)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let start = Instant::now();
            while kept(&store).len() == before {
                assert!(start.elapsed() < DEADLINE, "waited in vain for a commit");
                thread::yield_now();
            }
            // While it zeroes, or while it waits for the next epoch's runs.
            thread::sleep(Duration::from_micros(if round % 2 == 0 {
                round * 50
            } else {
                round * 701 % 9000
            }));
            agent.kill().unwrap();
            agent.wait().unwrap();
            let seen = look(&directory.0).unwrap().generations.remove(0).unwrap();
            let last = kept(&store).last().map(|(epoch, _)| *epoch);
            quiet[usize::from(
                resume(seen.header.epoch, seen.header.released, last).unwrap() == Quiet::Zero,
            )] += 1;
        }
    });
    let (pins, mut pinned) = directory.adopt();
    let mut kept = kept(&store);
    fs::remove_file(&store).unwrap();
    pinned.unlink(index).unwrap();
    pinned.banks.grace().unwrap();
    pinned.banks.resume(
        resume(pinned.banks.header().epoch, pinned.banks.header().released, Some(kept.len() as u64 - 1))
            .unwrap(),
        0,
    );
    for _ in 0..2 {
        let drain = pinned.banks.take().unwrap();
        assert_eq!(drain.mismatches, []);
        kept.push((drain.epoch, drain.outcomes.runs));
    }
    assert!(kept.iter().enumerate().all(|(number, (epoch, _))| number as u64 == *epoch), "{kept:?}");
    let runs: u64 = kept.iter().map(|(_, runs)| runs).sum();
    assert_eq!(runs, sent, "{} epochs, {quiet:?}", kept.len());
    println!(
        "{} epochs, ended {} times before a commit and {} times after one",
        kept.len(),
        quiet[0],
        quiet[1]
    );
    pins.remove(pinned).unwrap();
}

#[test]
fn a_link_changes_hands_under_traffic() {
    if !root() {
        return;
    }
    let (pair, directory) = (Pair::new(), Directory::new());
    let pins = directory.lock();
    let (mut a, mut b) = (pinned(&pins), pinned(&pins));
    let index = interface(&pair).index;
    pair.inner.enter(|| a.attach(&interface(&pair), Mode::Native)).unwrap();
    let mut sums = [Sum::default(), Sum::default()];
    let sent = under_traffic(&pair, || {
        for round in 0..10 {
            thread::sleep(Duration::from_millis(20));
            let (old, new) = if round % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            new.adopt_link(old, index).unwrap();
            assert!(old.links().is_empty());
            let [link] = new.links() else { panic!("{:?}", new.links()) };
            assert_eq!((link.alive, link.program), (true, new.program.id()));
            old.banks.grace().unwrap();
            sums[round % 2].add(&old.banks.take().unwrap());
            if round == 5 {
                // As if the agent had ended after the program was replaced, before the pin was moved.
                let file = format!("link-{index}");
                fs::rename(new.path().join(&file), old.path().join(&file)).unwrap();
                new.refresh().unwrap();
                new.adopt_link(old, index).unwrap();
                assert!(new.path().join(&file).exists() && !old.path().join(&file).exists());
            }
        }
    });
    // A generation with a link is not removed.
    let path = a.path().to_owned();
    let error = pins.remove(a).unwrap_err();
    assert!(error.to_string().contains("it has a link"), "{error}");
    let mut all = pins.generations().unwrap();
    all.sort_by_key(|pinned| pinned.path() != path);
    let (mut b, mut a) = (all.pop().unwrap(), all.pop().unwrap());
    a.unlink(index).unwrap();
    for (pinned, sum) in [&mut a, &mut b].into_iter().zip(&mut sums) {
        // Nobody counts the epochs of this test: both banks are read.
        pinned.banks.grace().unwrap();
        pinned.banks.resume(Quiet::Zero, 0);
        sum.add(&pinned.banks.take().unwrap());
    }
    let [a_sum, b_sum] = sums;
    assert_eq!(a_sum.runs + b_sum.runs, sent, "{a_sum:?} {b_sum:?}");
    assert_eq!(a_sum.joint + b_sum.joint, sent);
    assert!(a_sum.runs > 100 && b_sum.runs > 100, "{a_sum:?} {b_sum:?}");
    pins.remove(a).unwrap();
    pins.remove(b).unwrap();
}

#[test]
fn a_link_outlives_its_interface_and_is_told_apart() {
    if !root() {
        return;
    }
    let (pair, directory) = (Pair::new(), Directory::new());
    let pins = directory.lock();
    let (mut old, mut new) = (pinned(&pins), pinned(&pins));
    let interface = interface(&pair);
    pair.inner.enter(|| old.attach(&interface, Mode::Generic)).unwrap();
    let seen = pair.inner.enter(|| look(&directory.0)).unwrap();
    let links: Vec<_> = seen.generations.iter().flat_map(|seen| &seen.as_ref().unwrap().links).collect();
    assert_eq!(links.len(), 1);
    assert_eq!((links[0].mode, links[0].link.interface.as_deref()), (Some(Mode::Generic), Some("in0")));

    pair.outer.ip("link del out0");
    old.refresh().unwrap();
    let [link] = old.links() else { panic!("{:?}", old.links()) };
    assert_eq!((link.ifindex, link.alive, link.interface.as_deref()), (interface.index, false, None));
    let error = new.adopt_link(&mut old, interface.index).unwrap_err();
    assert!(matches!(error, KernelError::LinkGone { .. }), "{error:?}");
    let seen = pair.inner.enter(|| look(&directory.0)).unwrap();
    let links: Vec<_> = seen.generations.iter().flat_map(|seen| &seen.as_ref().unwrap().links).collect();
    assert_eq!((links.len(), links[0].link.alive, links[0].mode), (1, false, None));

    // A new interface of the same index takes its place.
    pair.inner.ip(&format!("link add in1 index {} type veth peer name out1 index 99", interface.index));
    let next = Interface { name: "in1".to_owned(), ..interface.clone() };
    pair.inner.enter(|| old.attach(&next, Mode::Generic)).unwrap();
    assert!(old.links()[0].alive);
    old.unlink(interface.index).unwrap();
    assert!(old.links().is_empty());
    assert_eq!(pair.inner.xdp("in1"), None);
}

#[test]
fn a_held_directory_names_its_holder() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    assert_eq!(look(&directory.0).unwrap().holder, None);
    let pins = directory.lock();
    let error = Pins::lock(&directory.0).unwrap_err();
    assert!(matches!(error, KernelError::Held { pid: Some(pid), .. } if pid == process::id()), "{error:?}");
    assert!(error.to_string().contains(&format!("another agent (pid {}) works with", process::id())));
    assert_eq!(look(&directory.0).unwrap().holder, Some(process::id()));
    drop(pins);
    assert_eq!(look(&directory.0).unwrap().holder, None);
    directory.lock();
}

#[test]
fn other_paths_are_refused() {
    if !root() {
        return;
    }
    let refused = |path: &str| match Pins::lock(Path::new(path)) {
        Err(KernelError::PinPath { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let elsewhere = env::temp_dir().join(format!("teiten-tests-pins-{}", process::id()));
    assert!(refused(elsewhere.to_str().unwrap()).contains("mount -t bpf"));
    assert!(!elsewhere.exists());
    assert!(refused("/sys/fs/bpf/teiten.d").contains("no dots"));
    assert!(look(Path::new("/sys/fs/bpf/teiten-test-nowhere")).unwrap().generations.is_empty());
}

#[test]
fn what_an_agent_left_half_done_is_swept() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    let pins = directory.lock();
    let complete = pinned(&pins);
    let name = complete.path().file_name().unwrap().to_str().unwrap().to_owned();
    for (name, file) in [(format!("{name}-old"), "control"), (format!("{:032x}-new", 5), "program")] {
        let path = directory.0.join(name);
        fs::create_dir(&path).unwrap();
        bpf::pin(complete.program.fd(), &path.join(file)).unwrap();
    }
    fs::create_dir(directory.0.join("notes")).unwrap();
    assert_eq!(directory.names().len(), 4);
    let found = pins.generations().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].banks.generation(), complete.banks.generation());
    let mut names = directory.names();
    names.sort();
    let mut expected = vec![name, "notes".to_owned()];
    expected.sort();
    assert_eq!(names, expected);
    fs::remove_dir(directory.0.join("notes")).unwrap();
}

/// The first bytes of a control map.
fn control(magic: u64, version: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[..8].copy_from_slice(&magic.to_ne_bytes());
    bytes[8..12].copy_from_slice(&version.to_ne_bytes());
    bytes
}

/// Puts a map in the place of a pinned object.
fn replace(path: &Path, map_type: u32, value_size: usize, entries: u32, flags: u32, first: Option<&[u8]>) {
    let map = bpf::map(map_type, value_size, entries, flags).unwrap();
    if let Some(first) = first {
        bpf::set_first(map.as_fd(), first).unwrap();
    }
    let _ = fs::remove_file(path);
    bpf::pin(map.as_fd(), path).unwrap();
}

#[test]
fn damaged_and_foreign_pins_are_refused_and_can_be_discarded() {
    if !root() {
        return;
    }
    let size = size_of::<Control>();
    let slices = 2 * (cpus().unwrap() + 1);
    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(Damage<'_>, &[&str]); 17] = [
        (&|path| fs::remove_file(path.join("spill")).unwrap(), &["`spill` is missing"]),
        (&|path| fs::remove_file(path.join("program")).unwrap(), &["`program` is missing"]),
        (
            &|path| replace(&path.join("other"), bpf::ARRAY, 4, 1, 0, None),
            &["`other` is none of teiten's files"],
        ),
        (
            &|path| replace(&path.join("control"), bpf::ARRAY, size, 1, bpf::MMAPABLE, None),
            &["`control` does not begin with teiten's mark"],
        ),
        (
            &|path| {
                let first = control(MAGIC, 1, 192);
                replace(&path.join("control"), bpf::ARRAY, 192, 1, bpf::MMAPABLE, Some(&first));
            },
            &["another version of teiten", "version 1", "`teiten detach`"],
        ),
        (
            &|path| {
                let first = control(MAGIC, VERSION, 192);
                replace(&path.join("control"), bpf::ARRAY, 192, 1, bpf::MMAPABLE, Some(&first));
            },
            &["`control`", "value size is 192 and should be 256"],
        ),
        (
            &|path| {
                let first = control(MAGIC, VERSION, size);
                replace(&path.join("control"), bpf::ARRAY, size, 1, bpf::MMAPABLE, Some(&first));
            },
            &["`control` is of another generation"],
        ),
        (
            &|path| replace(&path.join("control"), bpf::HASH, size, 1, 0, None),
            &["`control`", "type is 1 and should be 2"],
        ),
        (
            &|path| replace(&path.join("control"), bpf::ARRAY, 8, 1, bpf::MMAPABLE, None),
            &["`control`", "value size is 8"],
        ),
        (
            &|path| replace(&path.join("blocks"), bpf::ARRAY, 64, slices, bpf::MMAPABLE, None),
            &["`blocks`", "value size is 64"],
        ),
        (
            &|path| replace(&path.join("ports"), bpf::ARRAY, size_of::<Ports>(), 1, bpf::MMAPABLE, None),
            &["`ports`", "number of entries is 1"],
        ),
        (
            &|path| replace(&path.join("spill"), bpf::ARRAY, 64 << 10, 8, 0, None),
            &["`spill`", "flags is 0 and should be 1024"],
        ),
        (
            &|path| replace(&path.join("events"), bpf::ARRAY, 4, 1, 0, None),
            &["`events`", "type is 2 and should be 27"],
        ),
        (
            &|path| {
                fs::remove_file(path.join("events")).unwrap();
                bpf::pin(loaded().program.fd(), &path.join("events")).unwrap();
            },
            &["`events`", "a program and no map"],
        ),
        (
            &|path| replace(&path.join("program"), bpf::ARRAY, 4, 1, 0, None),
            &["`program` is a map and no program"],
        ),
        (
            &|path| {
                fs::remove_file(path.join("program")).unwrap();
                bpf::pin(loaded().program.fd(), &path.join("program")).unwrap();
            },
            &["`program` does not use the map `control`"],
        ),
        (
            &|path| replace(&path.join("link-3"), bpf::ARRAY, 4, 1, 0, None),
            &["link-3", "it is a map and no link"],
        ),
    ];
    for (damage, says) in cases {
        let directory = Directory::new();
        let pins = directory.lock();
        let path = pinned(&pins).path().to_owned();
        damage(&path);
        let Err(error) = pins.generations() else { panic!("accepted: {says:?}") };
        let text = error.to_string();
        assert!(says.iter().all(|part| text.contains(part)), "{text}, and not: {says:?}");
        assert!(
            text.contains(path.to_str().unwrap()) && text.contains("`teiten detach --discard`"),
            "{text}"
        );
        // An observer does not stumble over it.
        assert_eq!(look(&directory.0).unwrap().generations.len(), 1);
        assert_eq!(pins.discard().unwrap(), [path]);
        assert!(pins.generations().unwrap().is_empty());
    }
}

#[test]
fn a_generation_under_another_name_is_refused() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    let pins = directory.lock();
    let path = pinned(&pins).path().to_owned();
    fs::rename(path, directory.0.join(format!("{:032x}", 1))).unwrap();
    let error = pins.generations().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`control` is of another generation"), "{error}");
}

#[test]
fn a_drain_is_repeated_until_it_is_released() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    let pins = directory.lock();
    let mut pinned = pinned(&pins);
    let frame = syn();
    let run = |pinned: &Pinned, times: u64| {
        let mut runner = Runner::new(&pinned.program);
        for _ in 0..times {
            runner.run(&frame).unwrap();
        }
    };
    run(&pinned, 5);
    let first = pinned.banks.drain().unwrap();
    assert_eq!((first.epoch, first.outcomes.runs, pinned.banks.header().epoch), (0, 5, 1));
    // These are of the next epoch, and stay there.
    run(&pinned, 7);
    for _ in 0..3 {
        assert_eq!(format!("{:?}", pinned.banks.drain().unwrap()), format!("{first:?}"));
        assert_eq!(pinned.banks.header().epoch, 1);
    }
    pinned.banks.release();
    pinned.banks.release();
    let second = pinned.banks.drain().unwrap();
    assert_eq!((second.epoch, second.outcomes.runs), (1, 7));
    assert_eq!(second.span.start_ns, first.span.end_ns);
    assert_eq!(pinned.banks.header().starts[0].real_ns, second.span.end_ns);

    // Another agent finds a bank that was not released, and reads the very same.
    run(&pinned, 2);
    drop(pinned);
    let mut pinned = pins.generations().unwrap().remove(0);
    pinned.banks.release();
    assert_eq!(format!("{:?}", pinned.banks.drain().unwrap()), format!("{second:?}"));
    pinned.banks.release();
    let third = pinned.banks.take().unwrap();
    assert_eq!((third.epoch, third.outcomes.runs), (2, 2));
    let nothing = pinned.banks.take().unwrap();
    assert_eq!((nothing.epoch, nothing.outcomes.runs, nothing.tallies.len()), (3, 0, 0));

    // One that finds a bank released in part has it zeroed in full.
    run(&pinned, 3);
    pinned.banks.drain().unwrap();
    drop(pinned);
    let mut pinned = pins.generations().unwrap().remove(0);
    pinned.banks.resume(Quiet::Zero, 0);
    for epoch in 5..8 {
        let drain = pinned.banks.take().unwrap();
        assert_eq!((drain.epoch, drain.outcomes.runs, drain.mismatches.len()), (epoch, 0, 0));
    }
}

/// Frames without counters have no bank: their number only grows.
#[test]
fn frames_without_counters_are_told_once() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    let pins = directory.lock();
    let mut pinned = pinned(&pins);
    let control = Map::Array(MapData::from_pin(pinned.path().join("control")).unwrap());
    let mut control = Array::<_, [u64; size_of::<Control>() / 8]>::try_from(control).unwrap();
    let mut more = |frames: u64| {
        let mut value = control.get(&0, 0).unwrap();
        value[std::mem::offset_of!(Control, uncounted) / 8] += frames;
        control.set(0, value, 0).unwrap();
    };
    more(3);
    assert_eq!(pinned.banks.drain().unwrap().uncounted, 3);
    more(2);
    // Those come with the next epoch.
    assert_eq!(pinned.banks.drain().unwrap().uncounted, 3);
    pinned.banks.release();
    let drain = pinned.banks.drain().unwrap();
    assert_eq!((drain.epoch, drain.uncounted), (1, 2));

    // Another agent goes by what the store has: 3 of epoch 0.
    drop(pinned);
    let mut pinned = pins.generations().unwrap().remove(0);
    let header = pinned.banks.header();
    assert_eq!((header.epoch, header.uncounted), (2, 5));
    let quiet = resume(header.epoch, header.released, Some(0)).unwrap();
    assert_eq!(quiet, Quiet::Drain(1));
    pinned.banks.resume(quiet, 3);
    let drain = pinned.banks.take().unwrap();
    assert_eq!((drain.epoch, drain.uncounted), (1, 2));
    drop(pinned);
    let mut pinned = pins.generations().unwrap().remove(0);
    pinned.banks.resume(resume(2, 2, Some(1)).unwrap(), 5);
    more(1);
    assert_eq!(pinned.banks.take().unwrap().uncounted, 1);
    assert_eq!(pinned.banks.take().unwrap().uncounted, 0);
}

#[test]
fn who_may_not_is_told_so() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    drop(directory.lock());
    let refused = thread::scope(|scope| {
        let nobody = scope.spawn(|| {
            // SAFETY: by system call, and so of this thread only, which ends with the test.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
            [Pins::lock(&directory.0).map(drop), look(&directory.0).map(drop)]
        });
        nobody.join().unwrap()
    });
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(matches!(error, KernelError::NoPinPrivilege { .. }), "{error:?}");
        assert!(error.to_string().contains("run as root (sudo)"), "{error}");
    }
}

#[test]
fn an_observer_sees_header_note_and_spill() {
    if !root() {
        return;
    }
    let directory = Directory::new();
    let pins = directory.lock();
    let mut pinned = pinned(&pins);
    let seen = || look(&directory.0).unwrap().generations.remove(0).unwrap();
    assert_eq!((seen().agent, seen().spill_used), (AgentNote::default(), 0.0));
    pinned.banks.note_agent(3, 1_700_000_000_000_000_000);
    let note = AgentNote { state: 3, since_ns: 1_700_000_000_000_000_000, ..AgentNote::default() };
    // Two keys of one slot, of which the second spills the first, are found soon enough.
    let mut runner = Runner::new(&pinned.program);
    for number in 0..4000u32 {
        let [.., c, d] = number.to_be_bytes();
        runner.run(&Ipv4::new([198, 51, c, d], [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame()).unwrap();
    }
    let used = pinned.banks.spill_used();
    assert!(used > 0.0 && used <= 1.0 && !pinned.banks.is_half_full(), "{used}");
    let there = seen();
    assert_eq!((there.header, there.spill_used, there.agent), (pinned.banks.header(), used, note));
    assert!(there.links.is_empty());
    pinned.banks.drain().unwrap();
    assert_eq!((seen().header.epoch, seen().spill_used), (1, 0.0));
    assert_eq!(pinned.banks.spill_used(), 0.0);
    // What was drained last was fuller than what is live.
    let Spill { used_bytes, size_bytes } = pinned.banks.spill();
    assert!(used_bytes > 0, "{used_bytes} of {size_bytes}");
    assert_eq!(used_bytes as f64 / size_bytes as f64, used);
    pinned.banks.release();
    pinned.banks.drain().unwrap();
    assert_eq!(pinned.banks.spill(), Spill { used_bytes: 0, size_bytes });
}
