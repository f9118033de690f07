//! What a packet costs: the program, a hash map, an LRU map, over sets of keys.

use anyhow::{Result, ensure};

use teiten::export::rows::grouped;

use crate::{
    Options,
    keys::{Draw, HEADERS, KeySet, Ports},
    machine,
    object::{self, Object, RUNS_BETWEEN_DRAINS},
    report::{Section, median},
};

/// Sizes of the sets, as powers of two.
const SETS: [u32; 5] = [0, 10, 16, 20, 22];

/// The programs, in the order in which they run within a round.
const PROGRAMS: [&str; 6] = ["empty", "fetch", "parse", "teiten", "hash", "lru"];
const EMPTY: usize = 0;
const FETCH: usize = 1;
const PARSE: usize = 2;
const TEITEN: usize = 3;
const HASH: usize = 4;
const LRU: usize = 5;

/// Nanoseconds a run of each program, in one round.
type Round = [f64; PROGRAMS.len()];

pub fn run(options: &Options) -> Result<Section> {
    let (rounds, runs) = if options.quick { (3, 1 << 18) } else { (15, 1 << 20) };
    ensure!(runs as usize <= RUNS_BETWEEN_DRAINS, "the spill log is too small for {runs} runs");
    let cpu = machine::allowed()?.pop().unwrap_or(0);
    machine::pin([cpu])?;
    let mut object = Object::load(&object::settings()?)?;
    for name in PROGRAMS {
        object.program(name)?;
    }

    let new =
        [Ports::Telescope, Ports::Uniform].map(|ports| KeySet { keys: HEADERS, draw: Draw::New, ports });
    let sets = [Draw::Uniform, Draw::Zipf].into_iter().flat_map(|draw| {
        // One key is drawn the same either way.
        let sizes = SETS.into_iter().filter(move |&bits| bits != 0 || draw == Draw::Uniform);
        sizes.map(move |bits| KeySet { keys: 1 << bits, draw, ports: Ports::Telescope })
    });
    let mut section = Section {
        title: "Nanoseconds a packet",
        about: format!(
            "Joint counting by source and port on one core (BPF_PROG_TEST_RUN, {} runs a step, medians of \
             {rounds} interleaved rounds). `empty` is the loop of the test run, `fetch` writes the next of \
             {} headers into the frame and is what all others are measured above: `parse` classifies, \
             `teiten` is the whole program with its dense counters, `hash` and `lru` classify and count \
             in a BPF_MAP_TYPE_HASH of 2^22 and a BPF_MAP_TYPE_LRU_HASH of 2^20 entries, both preallocated. \
             The maps are warm: every key is in them before the first round, unless all keys are new; \
             then the hash map is emptied before each step. Teiten is drained after each step, with its \
             identities checked and nothing lost. Sources are random; the destination port of rank r is that \
             of about 1/r of the keys, but for the last row.",
            grouped(u64::from(runs)),
            grouped(HEADERS as u64),
        ),
        head: vec![
            "keys",
            "empty",
            "fetch",
            "parse",
            "teiten",
            "hash",
            "lru",
            "hash / teiten",
            "lru / teiten",
            "spilled",
            "LRU lost",
        ],
        ..Section::default()
    };
    for set in sets.chain(new) {
        eprintln!("  {}", name(&set));
        let measured = measure(&mut object, &set, rounds, runs)?;
        let above = |program: usize| measured.above(program);
        section.rows.push(vec![
            name(&set),
            format!("{:.1}", median(measured.rounds.iter().map(|round| round[EMPTY]))),
            format!("{:.1}", median(measured.rounds.iter().map(|round| round[FETCH] - round[EMPTY]))),
            format!("{:.1}", above(PARSE)),
            format!("{:.1}", above(TEITEN)),
            format!("{:.1}", above(HASH)),
            format!("{:.1}", above(LRU)),
            format!("{:.1}", measured.ratio(HASH)),
            format!("{:.1}", measured.ratio(LRU)),
            format!("{:.1} %", measured.spilled * 100.0),
            format!("{:.1} %", measured.lost * 100.0),
        ]);
        if set.draw == Draw::New {
            let empty = median(measured.rounds.iter().map(|round| round[EMPTY]));
            section.notes.push(format!(
                "{}: a run takes {:.1} ns in all, the empty loop {empty:.1} ns of it.",
                name(&set),
                empty + above(TEITEN)
            ));
        }
    }
    section.notes.push(
        "`spilled`: packets that put another key out of its slot, into the log. `LRU lost`: of all packets \
         counted in the LRU map, those whose count was gone in the end, without a trace."
            .to_owned(),
    );
    Ok(section)
}

fn name(set: &KeySet) -> String {
    let keys = match set.keys {
        1 => "1".to_owned(),
        keys => format!("2^{}", keys.ilog2()),
    };
    match set.draw {
        Draw::Uniform if set.keys == 1 => keys,
        Draw::Uniform => format!("{keys}, uniform"),
        Draw::Zipf => format!("{keys}, Zipf"),
        Draw::New if set.ports == Ports::Uniform => "all new, uniform ports".to_owned(),
        Draw::New => "all new".to_owned(),
    }
}

struct Measured {
    rounds: Vec<Round>,
    /// Share of packets that went to the spill log.
    spilled: f64,
    /// Share of packets that the LRU map lost.
    lost: f64,
}

impl Measured {
    /// Nanoseconds above `fetch`.
    fn above(&self, program: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[program] - round[FETCH]))
    }

    /// How many times dearer than the program.
    fn ratio(&self, program: usize) -> f64 {
        median(
            self.rounds.iter().map(|round| (round[program] - round[FETCH]) / (round[TEITEN] - round[FETCH])),
        )
    }
}

fn measure(object: &mut Object, set: &KeySet, rounds: usize, runs: u32) -> Result<Measured> {
    object.set_keys(set)?;
    object.take("HASH")?;
    object.take("LRU")?;
    // One lap through the table meets all its keys.
    if set.draw != Draw::New {
        object.repeat("hash", HEADERS as u32)?;
        object.repeat("lru", HEADERS as u32)?;
    }
    let mut counted_lru = if set.draw == Draw::New { 0 } else { HEADERS as u64 };
    object.repeat("teiten", runs)?;
    object.drain(u64::from(runs))?;

    let (mut spilled, mut all) = (0, Vec::with_capacity(rounds));
    for number in 0..rounds {
        let mut round = Round::default();
        for step in 0..PROGRAMS.len() {
            // Another one goes first in each round.
            let program = (step + number) % PROGRAMS.len();
            if program == HASH && set.draw == Draw::New {
                object.take("HASH")?;
            }
            let took = object.repeat(PROGRAMS[program], runs)?;
            round[program] = took.as_secs_f64() * 1e9 / f64::from(runs);
            match program {
                TEITEN => spilled += object.drain(u64::from(runs))?.spilled,
                LRU => counted_lru += u64::from(runs),
                _ => {}
            }
        }
        all.push(round);
    }
    let refused = object.refused()?;
    ensure!(refused == 0, "the hash maps refused {refused} entries");
    let left = object.take("LRU")?;
    Ok(Measured {
        rounds: all,
        spilled: spilled as f64 / (f64::from(runs) * rounds as f64),
        lost: 1.0 - left as f64 / counted_lru as f64,
    })
}
