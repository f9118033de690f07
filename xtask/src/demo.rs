//! `demo`: builds the agent and becomes `teiten demo`, which makes a network namespace and removes it again.

use anyhow::Result;

use crate::{paths::Paths, run};

pub fn task(paths: &Paths, args: &run::Args) -> Result<()> {
    run::become_agent(paths, "demo", args)
}
