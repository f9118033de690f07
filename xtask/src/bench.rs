//! `bench`: builds for release and runs the measurements, as root.

use anyhow::Result;

use crate::{
    build,
    cmd::Cmd,
    paths::{Paths, Profile},
    root,
    setup::toolchain,
    test,
};

#[derive(clap::Args)]
pub struct Args {
    /// Arguments of the measurements, after `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn task(paths: &Paths, args: &Args) -> Result<()> {
    build::build(paths, Profile::Release)?;
    let cmd = Cmd::new("measuring", toolchain::cargo())
        .args(["run", "--release", "--package", "teiten-tests", "--bin", "bench"])
        .args(root::cargo_runner("measuring", "cargo xtask bench")?)
        .arg("--")
        .args(&args.args)
        .envs(test::variables(paths, Profile::Release, false, None))
        .dir(&paths.root);
    Err(cmd.exec().into())
}
