//! Measures the program and the agent: `cargo xtask bench`.
//!
//! Wants root, the kernel's statistics switched off, and in `TEITEN_BENCH_OBJECT` the path of the
//! BPF object for benchmarks. Progress goes to standard error, tables to standard output.

mod detection;
mod epochs;
mod flood;
mod fold;
mod keys;
mod machine;
mod made;
mod object;
mod packets;
mod pipeline;
mod quarter;
mod readers;
mod report;
mod silence;
mod size;
mod store;

use anyhow::{Result, bail, ensure};

use report::Section;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Fewer and shorter rounds: shows that the benchmark works, not what the program costs.
    quick: bool,
    /// Tables as they go into the documentation, else aligned for a terminal.
    markdown: bool,
}

type Benchmark = fn(&Options) -> Result<Section>;

/// All benchmarks, in the order in which they run.
const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("packets", packets::run),
    ("pipeline", pipeline::run),
    ("flood", flood::run),
    ("readers", readers::run),
    ("store", store::run),
    ("fold", fold::run),
    ("size", size::run),
    ("report", quarter::run),
    ("detection", detection::run),
    ("silence", silence::run),
];

fn main() -> Result<()> {
    let mut options = Options::default();
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--markdown" => options.markdown = true,
            name => match BENCHMARKS.iter().find(|(known, _)| *known == name) {
                Some(benchmark) => chosen.push(benchmark),
                None => bail!(
                    "`{name}` is no benchmark; usage: bench [--quick] [--markdown] [{}]...",
                    BENCHMARKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|")
                ),
            },
        }
    }
    if chosen.is_empty() {
        chosen.extend(BENCHMARKS);
    }
    ensure!(
        !machine::statistics_enabled()?,
        "bpf_stats_enabled is on, which alone adds more to a run than the program takes: \
         `sysctl kernel.bpf_stats_enabled=0`"
    );
    println!("{}", machine::heading(&options));
    for (name, benchmark) in chosen {
        eprintln!("{name} ...");
        println!("{}", benchmark(&options)?.render(options.markdown));
    }
    Ok(())
}
