//! Killed between any two of its steps, a command is taken up by the next one, and nothing is lost: a first
//! start, a start that goes on, an upgrade, a detach, a capture that is read into a store.
//!
//! A step is a system call that changes what outlives the process (see `trace.rs`). While the process stands
//! still before or after it, and after it was killed, frames are sent if the program is on the interface.
//!
//! By default a number of steps is drawn, those that touch pins and links first; `TEITEN_STEPS=0` takes all.

use std::{
    collections::BTreeMap,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use teiten_tests::{
    agent::finish,
    capture::{ETHERNET, pcap},
    frames::*,
    random::Random,
    root,
    station::{Station, number, random},
    trace::{self, Plan, Point, Traced},
};

/// Steps that only SQLite makes: it is tested for dying at any of them, so a few will do here.
fn of_database(point: &Point) -> bool {
    matches!(point.call.as_str(), "write" | "fsync" | "ftruncate")
}

/// The numbers of the points at which to die.
fn choose(points: &[Point], random: &mut Random) -> Vec<usize> {
    let limit = number("TEITEN_STEPS", 28) as usize;
    let all: Vec<usize> = (0..points.len()).collect();
    if limit == 0 || points.len() <= limit {
        return all;
    }
    let (mut rest, mut chosen): (Vec<_>, Vec<_>) = all.into_iter().partition(|&at| of_database(&points[at]));
    let draw = |from: &mut Vec<usize>, random: &mut Random| from.swap_remove(random.below(from.len()));
    while chosen.len() > limit - limit / 4 {
        draw(&mut chosen, random);
    }
    while chosen.len() < limit && !rest.is_empty() {
        chosen.push(draw(&mut rest, random));
    }
    chosen.sort_unstable();
    chosen
}

/// What a test of steps consists of.
struct Scenario<P, C, A> {
    name: &'static str,
    /// Brings a new station to where the command starts from.
    prepare: P,
    /// The command that is killed.
    command: C,
    /// Ends it after so many lines on standard output, where it does not end by itself.
    terminate_after: Option<usize>,
    /// What takes up the rest.
    after: A,
}

impl<P, C, A> Scenario<P, C, A>
where
    P: Fn(&Station),
    C: Fn(&Station) -> Command,
    A: Fn(&Station, &mut Random),
{
    fn test(&self) {
        if !root() {
            return;
        }
        let mut random = random(self.name);
        let station = Station::new();
        (self.prepare)(&station);
        let through = self.traced(&station, None);
        assert!(through.status.success(), "{}: {}", through.status, through.stderr);
        (self.after)(&station, &mut random);
        let chosen = choose(&through.points, &mut random);
        println!("{} of {} steps: {}", chosen.len(), through.points.len(), summary(&through.points));
        let start = Instant::now();
        let mut died = 0;
        for &at in &chosen {
            let station = Station::new();
            (self.prepare)(&station);
            let traced = self.traced(&station, Some(at));
            println!("{}: killed {}", self.name, traced.last());
            if traced.killed {
                died += 1;
            } else {
                assert!(traced.status.success(), "{}: {}", traced.status, traced.stderr);
            }
            // A pin that is removed lets go of a link a moment later.
            thread::sleep(Duration::from_millis(30));
            if station.attached() {
                station.send(3);
            }
            (self.after)(&station, &mut random);
        }
        println!("{}: {died} deaths in {:?}", self.name, start.elapsed());
        assert!(died * 10 >= chosen.len() * 8, "only {died} of {} were killed", chosen.len());
    }

    fn traced(&self, station: &Station, kill_at: Option<usize>) -> Traced {
        let before = |_: &Point| {
            if station.attached() {
                station.send(5);
            }
        };
        let plan = Plan { kill_at, terminate_after: self.terminate_after, before };
        trace::run((self.command)(station), plan)
    }
}

fn summary(points: &[Point]) -> String {
    let mut calls = BTreeMap::<&str, usize>::new();
    for point in points.iter().filter(|point| !point.made) {
        *calls.entry(&point.call).or_default() += 1;
    }
    calls.iter().map(|(call, number)| format!("{number} {call}")).collect::<Vec<_>>().join(", ")
}

/// Counts before, ends in order, and leaves a few frames in the kernel.
fn counted_before(station: &Station) {
    let agent = station.run(&[]);
    station.send(2);
    agent.terminate().good();
    station.send(6);
}

/// A normal start goes on, counts, and everything comes to an end.
fn goes_on(station: &Station, words: &[&str]) {
    let agent = station.run(words);
    station.send(4);
    agent.terminate().good();
    assert_eq!(station.pins.generations().len(), 1, "{:?}", station.pins.entries());
    station.send(1);
    station.settle(station.sent());
}

#[test]
fn a_first_start() {
    Scenario {
        name: "first start",
        prepare: |_: &Station| {},
        command: |station: &Station| station.run_command([""; 0]),
        terminate_after: Some(3),
        after: |station: &Station, _: &mut Random| goes_on(station, &[]),
    }
    .test();
}

#[test]
fn a_start_that_goes_on() {
    Scenario {
        name: "next start",
        prepare: counted_before,
        command: |station: &Station| station.run_command([""; 0]),
        terminate_after: Some(3),
        after: |station: &Station, _: &mut Random| goes_on(station, &[]),
    }
    .test();
}

#[test]
fn an_upgrade() {
    Scenario {
        name: "upgrade",
        prepare: counted_before,
        command: |station: &Station| station.run_command(["--spill-memory=2M"]),
        terminate_after: Some(2),
        // The same once more, back to what was before, or something else.
        after: |station: &Station, random: &mut Random| {
            goes_on(station, random.pick::<&[&str]>(&[&["--spill-memory=2M"], &[], &["--v4-prefix=24"]]));
        },
    }
    .test();
}

#[test]
fn a_detach() {
    Scenario {
        name: "detach",
        prepare: counted_before,
        command: |station: &Station| station.detach_command(),
        terminate_after: None,
        after: |station: &Station, random: &mut Random| {
            if random.below(2) == 0 {
                goes_on(station, &[]);
            } else {
                if !station.pins.entries().is_empty() {
                    station.detach(&[]).good();
                }
                station.assert_gone();
                assert_eq!(station.kept().frames, station.sent() as i64);
            }
        },
    }
    .test();
}

/// After an upgrade that was killed, `detach` takes off both generations.
#[test]
fn an_upgrade_and_then_a_detach() {
    Scenario {
        name: "upgrade and detach",
        prepare: counted_before,
        command: |station: &Station| station.run_command(["--v4-prefix=24"]),
        terminate_after: Some(1),
        after: |station: &Station, _: &mut Random| {
            station.settle(station.sent());
        },
    }
    .test();
}

#[test]
fn a_capture_into_a_store() {
    const FRAMES: u64 = 3_000;
    let command = |station: &Station| {
        // Two and a half hours of frames, more than one a second apart.
        let frame =
            |number: u64| Ipv4::new([13, 0, 0, number as u8], [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame();
        let frames: Vec<_> =
            (0..FRAMES).map(|n| (1_717_200_000_000_000_000 + n * 3_000_000_000, frame(n))).collect();
        let file = pcap(ETHERNET, frames.iter().map(|(time, frame)| (*time, frame.as_slice())));
        let capture = station.scratch.write("capture.pcap", file);
        let mut command = teiten_tests::agent::teiten(&station.pair.inner);
        command.arg("replay").arg("--store").arg(&station.store).arg("--sketch-key");
        command.arg(station.scratch.path("sketch.key")).args(["--time-zone=UTC", "--role=dark"]).arg(capture);
        command.env("TEITEN_SPILL_MEMORY", "1M");
        command
    };
    Scenario {
        name: "replay",
        prepare: |_: &Station| {},
        command,
        terminate_after: None,
        after: |station: &Station, _: &mut Random| {
            finish(command(station)).good();
            assert_eq!(station.kept().frames, FRAMES as i64);
            assert_eq!(station.query("class")["summary"]["packets"], FRAMES);
        },
    }
    .test();
}
