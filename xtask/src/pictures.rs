//! `pictures`: takes the pictures of the documentation anew, of a demo that is started for it, as root.

use anyhow::Result;

use crate::{
    build,
    cmd::Cmd,
    paths::{Paths, Profile},
    root,
    setup::{Part, toolchain},
    test,
};

/// Where the documentation has its pictures.
const FOLDER: &str = "docs/pictures";

pub fn task(paths: &Paths) -> Result<()> {
    build::build(paths, Profile::Release)?;
    for part in [Part::Data, Part::Tests] {
        part.ensure(paths)?;
    }
    let cmd = Cmd::new("taking pictures", toolchain::cargo())
        .args(["run", "--release", "--package", "teiten-tests", "--bin", "pictures"])
        .args(root::cargo_runner("taking pictures", "cargo xtask pictures")?)
        .arg("--")
        .arg(paths.root.join(FOLDER))
        .envs(test::variables(paths, Profile::Release, false, None))
        .dir(&paths.root);
    Err(cmd.exec().into())
}
