//! From the kernel's tables to the totals: drain, look up, roll up; and captures from file to rows.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use teiten::{
    cube::{Cube, SourceLengths},
    export::rows::grouped,
    geo::{Geo, Paths},
    kernel::{
        Drain,
        banks::Banks,
        program::{self, Loaded, Program, Settings, Sizes, cpus},
        testrun::{Batch, Workers},
    },
    live::Live,
    model::{Dimension, Role, Sensors},
};
use teiten_tests::random::Random;

use crate::{
    Options, machine,
    report::{Section, median},
};

/// Ports that a telescope sees most of.
const PORTS: [u16; 16] =
    [23, 445, 22, 37215, 80, 1433, 8080, 5555, 81, 3389, 8545, 2323, 10000, 443, 5060, 7547];
/// The default rows of `teiten run --format jsonl`.
const ROWS: [Dimension; 9] = [
    Dimension::Sensor,
    Dimension::Class,
    Dimension::Kind,
    Dimension::Protocol,
    Dimension::DstPort,
    Dimension::VictimPort,
    Dimension::IcmpType,
    Dimension::Region,
    Dimension::Tool,
];
const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };

pub fn run(options: &Options) -> Result<Section> {
    let (rounds, frames) = if options.quick { (3, 100_000) } else { (9, 1_000_000) };
    let data = PathBuf::from(env::var_os("TEITEN_DATA").context("TEITEN_DATA is not set")?);
    let country = data.join("country.mmdb");
    ensure!(country.is_file(), "{} is not there: `cargo xtask setup --only data`", country.display());
    let geo = Geo::open(Paths { country: Some(country), asn: Vec::new() })?;
    let tables = geo.tables();
    let sensors = Sensors::everything("bench", Role::Dark);
    let sizes = Sizes::fit(cpus()?, 128 << 20, u64::MAX)?;
    let settings = Settings { v4_prefix: LENGTHS.v4, v6_prefix: LENGTHS.v6, ..Settings::everything(sizes) };
    let Loaded { program, mut banks, .. } = program::load(&settings)?;

    let mut section = Section {
        title: "From the kernel's tables to the totals",
        about: format!(
            "{} tallies an epoch of uniformly random routable-looking IPv4 sources, real country database; drain \
             (read, check the books, zero), look-up and roll-up on one core; medians of {rounds} rounds. \
             Million tallies a second.",
            grouped(frames)
        ),
        head: vec!["ports", "drain", "to totals", "drain and totals", "to rows of --format jsonl"],
        ..Section::default()
    };
    let mut random = Random(1);
    for (name, any_port) in [("16 busy ones", false), ("all 65,536, uniform", true)] {
        let mut live = Live::new(sensors.clone(), LENGTHS, None);
        let mut cube = Cube::new(&ROWS, LENGTHS);
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            fill(&program, frames, &mut random, any_port)?;
            let allowed = machine::allowed()?;
            machine::pin(allowed.first().copied())?;
            let (drain, drained) = timed(|| banks.drain_at_rest());
            ensure_whole(&drain, frames)?;
            let ((), totalled) = timed(|| live.absorb(&drain, &tables));
            let ((), rowed) = timed(|| {
                cube.clear();
                cube.add(&drain, 0, &sensors, &tables);
            });
            machine::pin(allowed)?;
            let million = drain.tallies.len() as f64 / 1e6;
            for (rates, seconds) in rates.iter_mut().zip([drained, totalled, drained + totalled, rowed]) {
                rates.push(million / seconds);
            }
        }
        let rates = rates.into_iter().map(|rates| format!("{:.1}", median(rates)));
        section.rows.push(std::iter::once(name.to_owned()).chain(rates).collect());
    }
    section.notes.push(replay(&program, &mut banks, rounds, frames)?);
    Ok(section)
}

/// Counts frames of random sources, on all CPUs.
fn fill(program: &Program, frames: u64, random: &mut Random, any_port: bool) -> Result<()> {
    thread::scope(|scope| {
        let mut workers =
            Workers::start(scope, program, thread::available_parallelism().map_or(1, usize::from));
        let mut batch = Batch::default();
        for _ in 0..frames {
            batch.push(&frame(random, any_port));
            if batch.is_full() {
                batch = workers.run(batch)?;
            }
        }
        workers.run(batch)?;
        workers.finish()?;
        Ok(())
    })
}

/// A SYN from 1.0.0.0 to 223.255.255.255.
fn frame(random: &mut Random, any_port: bool) -> [u8; 54] {
    let number = random.draw();
    let source = 0x0100_0000 + (number >> 32) as u32 % 0xdf00_0000;
    let port = if any_port { number as u16 } else { PORTS[number as usize % PORTS.len()] };
    let mut frame = [0; 54];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&40u16.to_be_bytes());
    frame[23] = 6;
    frame[26..30].copy_from_slice(&source.to_be_bytes());
    frame[30..34].copy_from_slice(&[192, 0, 2, 1]);
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame[47] = 2;
    frame
}

fn ensure_whole(drain: &Drain, frames: u64) -> Result<()> {
    ensure!(drain.mismatches.is_empty(), "the books do not hold: {:?}", drain.mismatches);
    ensure!(drain.lost == 0, "{} packets lost: the spill log is too small for this", drain.lost);
    ensure!(drain.outcomes.runs == frames, "{} of {frames} frames counted", drain.outcomes.runs);
    Ok(())
}

/// Captures through the program, as `teiten replay` does it.
fn replay(program: &Program, banks: &mut Banks, rounds: usize, frames: u64) -> Result<String> {
    let path = env::temp_dir().join(format!("teiten-bench-{}.pcap", std::process::id()));
    fs::write(&path, capture(frames))?;
    let rates: Result<Vec<f64>> = (0..rounds)
        .map(|_| {
            let (read, seconds) = timed(|| replay_once(program, &path));
            read?;
            ensure_whole(&banks.drain_at_rest(), frames)?;
            Ok(frames as f64 / seconds)
        })
        .collect();
    fs::remove_file(&path)?;
    Ok(format!(
        "A capture of {} frames, from the file through the loaded program, on all CPUs: {} frames a second.",
        grouped(frames),
        grouped(median(rates?) as u64)
    ))
}

fn replay_once(program: &Program, path: &Path) -> Result<()> {
    let mut capture = teiten::capture::Capture::open(path)?;
    thread::scope(|scope| {
        let mut workers =
            Workers::start(scope, program, thread::available_parallelism().map_or(1, usize::from));
        let mut batch = Batch::default();
        while let Some(frame) = capture.next_frame()? {
            batch.push(frame.bytes);
            if batch.is_full() {
                batch = workers.run(batch)?;
            }
        }
        workers.run(batch)?;
        workers.finish()?;
        Ok(())
    })
}

/// A pcap of random SYNs.
fn capture(frames: u64) -> Vec<u8> {
    let mut random = Random(2);
    let mut bytes = Vec::with_capacity(24 + 70 * frames as usize);
    for word in [0xa1b2_c3d4u32, 4 << 16 | 2, 0, 0, 65_535, 1] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for number in 0..frames {
        let frame = frame(&mut random, false);
        for word in [number as u32 / 1000, 0, frame.len() as u32, frame.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&frame);
    }
    bytes
}

/// What work gives, and the seconds that it takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}
