//! `build`: the BPF objects, then the agent that carries one of them.

use anyhow::Result;

use crate::{
    bpf,
    cmd::Cmd,
    paths::{Paths, Profile},
    setup::{Part, toolchain},
};

#[derive(clap::Args)]
pub struct Args {
    /// Optimised (the default)
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Quick to build, slow to run; the BPF objects are always optimised
    #[arg(long)]
    debug: bool,
}

pub fn task(paths: &Paths, args: &Args) -> Result<()> {
    // `--release` only says the default aloud.
    let profile = if args.debug && !args.release { Profile::Dev } else { Profile::Release };
    build(paths, profile)?;
    crate::cmd::say(format!("built {}", paths.agent(profile).display()));
    Ok(())
}

/// Builds the BPF objects and the agent, and installs the toolchain first where it is missing.
pub fn build(paths: &Paths, profile: Profile) -> Result<()> {
    Part::Toolchain.ensure(paths)?;
    bpf::build(paths)?;
    Cmd::new("building the agent", toolchain::cargo())
        .args(["build", "--package", "sensor-user"])
        .args(profile.flags())
        .dir(&paths.root)
        .hint("the compiler's message above is the cause")
        .run()?;
    Ok(())
}
