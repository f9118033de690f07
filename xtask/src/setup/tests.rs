//! Tools of the tests: rustfmt and clippy of the toolchain in use, Debian's clippy for the eBPF crate where that
//! is Debian's, `ip`, `openssl`, Prometheus with `promtool`, Chromium with typefaces of Japanese, and DuckDB and html5lib
//! in a Python of their own.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::toolchain::{self, Way};
use crate::{
    apt,
    cmd::{self, Cmd},
    paths::{Paths, Scratch},
    pins, root,
};

pub fn ensure(paths: &Paths) -> Result<String> {
    components()?;
    packages(paths)?;
    let [prometheus, promtool] = match (prometheus(paths), promtool(paths)) {
        (Some(prometheus), Some(promtool)) => [prometheus, promtool],
        _ => fetch_prometheus(paths)?,
    };
    let python = match python(paths) {
        Some(python) => python,
        None => fetch_python(paths)?,
    };
    Ok(format!(
        "rustfmt, clippy, ip, openssl, Chromium, Prometheus ({}) and promtool ({}), DuckDB and html5lib ({})",
        prometheus.display(),
        promtool.display(),
        python.display()
    ))
}

/// rustfmt and clippy of the toolchain that runs xtask.
fn components() -> Result<()> {
    for (component, program) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let ask =
            Cmd::new(format!("asking for {component}"), toolchain::cargo()).args([program, "--version"]);
        if ask.ask().is_ok() {
            continue;
        }
        let hint = format!("add {component} to the Rust toolchain: rustup component add {component}");
        if cmd::which("rustup").is_none() {
            return Err(cmd::failure(
                "finding the Rust tools failed",
                format!("cargo {program} is missing"),
                hint,
            )
            .into());
        }
        Cmd::new(format!("adding {component}"), "rustup")
            .args(["component", "add", component])
            .hint(hint)
            .no_stdin()
            .run()?;
    }
    Ok(())
}

/// System packages: `ip`, `openssl`, the browser, and the linter beside Debian's compiler.
fn packages(paths: &Paths) -> Result<()> {
    let mut wanted = Vec::new();
    if cmd::which("ip").is_none() {
        wanted.push("iproute2");
    }
    if cmd::which("openssl").is_none() {
        wanted.push("openssl");
    }
    if chromium().is_none() {
        wanted.push(pins::DEBIAN_CHROMIUM);
    }
    if !has_japanese() {
        wanted.push(pins::DEBIAN_JAPANESE);
    }
    // Without a toolchain there is nothing to lint with, and the build says so.
    if toolchain::find(paths).is_ok_and(|found| found.way == Way::Debian && !found.has_clippy()) {
        wanted.push(pins::DEBIAN_CLIPPY);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    if !apt::is_here() {
        return Err(cmd::failure(
            "finding the test tools failed",
            format!("this system lacks what these packages of Debian have: {}", wanted.join(", ")),
            "install the same by the system's package manager; a Chromium elsewhere: set TEITEN_CHROMIUM to it",
        )
        .into());
    }
    apt::update()?;
    apt::install(&wanted)?;
    Ok(())
}

/// The Chromium that tests look at pages with: the user's, or the system's.
pub fn chromium() -> Option<PathBuf> {
    let given = env::var_os("TEITEN_CHROMIUM").map(PathBuf::from).filter(|file| cmd::is_executable(file));
    let names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
    given.or_else(|| names.into_iter().find_map(cmd::which))
}

/// Whether any typeface has the letters of Japanese.
fn has_japanese() -> bool {
    let ask = Cmd::new("asking for typefaces of Japanese", "fc-list").args([":lang=ja", "family"]);
    !ask.ask_anyway().trim().is_empty() || apt::is_here() && apt::missing(&[pins::DEBIAN_JAPANESE]).is_empty()
}

/// The Prometheus that scrapes the agent in tests: the user's, ours, or the system's.
pub fn prometheus(paths: &Paths) -> Option<PathBuf> {
    of_prometheus(paths, "TEITEN_PROMETHEUS", "prometheus")
}

/// The promtool that tests use: the user's, ours, or the system's.
pub fn promtool(paths: &Paths) -> Option<PathBuf> {
    of_prometheus(paths, "TEITEN_PROMTOOL", "promtool")
}

fn of_prometheus(paths: &Paths, variable: &str, name: &str) -> Option<PathBuf> {
    let given = env::var_os(variable).map(PathBuf::from).filter(|file| cmd::is_executable(file));
    let ours = Some(paths.tools_bin().join(name)).filter(|file| cmd::is_executable(file));
    given.or(ours).or_else(|| cmd::which(name))
}

/// Takes both out of Debian's `prometheus`, without installing it: the package would start a server.
fn fetch_prometheus(paths: &Paths) -> Result<[PathBuf; 2]> {
    let hint = "put prometheus and promtool, which comes with it, on the path, or set TEITEN_PROMETHEUS and \
                TEITEN_PROMTOOL to them";
    if !apt::is_here() {
        return Err(cmd::failure(
            "finding Prometheus failed",
            "there is no prometheus or no promtool, and no apt-get",
            hint,
        )
        .into());
    }
    let bin = paths.tools_bin();
    fs::create_dir_all(&bin).with_context(|| format!("making {} failed", bin.display()))?;
    let scratch = Scratch::new(&paths.tools()).context("making a folder for Prometheus failed")?;
    if !apt::not_offered(&["prometheus"]).is_empty() {
        apt::update()?;
    }
    if download(scratch.path(), hint).run().is_err() {
        // The lists may name a version that is gone.
        apt::update()?;
        download(scratch.path(), hint).run()?;
    }
    let archive = fs::read_dir(scratch.path())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package")?;
    let unpacked = scratch.path().join("unpacked");
    Cmd::new("unpacking prometheus", "dpkg-deb").arg("-x").arg(&archive).arg(&unpacked).hint(hint).run()?;
    let take = |name: &str| {
        let taken = bin.join(name);
        fs::rename(unpacked.join("usr/bin").join(name), &taken)
            .with_context(|| format!("Debian's prometheus has no {name}"))?;
        anyhow::Ok(taken)
    };
    Ok([take("prometheus")?, take("promtool")?])
}

fn download(dir: &Path, hint: &str) -> Cmd {
    let cmd = Cmd::new("downloading prometheus", "apt-get");
    // Apt's own user cannot write there; without this, apt warns at length.
    let cmd = if root::is_root() { cmd.args(["-o", "APT::Sandbox::User=root"]) } else { cmd };
    cmd.args(["-q", "download", "prometheus"]).dir(dir).hint(hint).no_stdin()
}

/// The Python with DuckDB and html5lib that tests use: the user's, or ours.
pub fn python(paths: &Paths) -> Option<PathBuf> {
    let given = env::var_os("TEITEN_PYTHON").map(PathBuf::from).filter(|file| cmd::is_executable(file));
    let dir = python_dir(paths);
    let is_whole = dir.join(WHOLE).is_file();
    given.or(Some(dir.join("bin/python3")).filter(|file| is_whole && cmd::is_executable(file)))
}

/// A file in a virtual environment that is written last.
const WHOLE: &str = "whole";

/// Its name tells what is in it: other packages are another environment.
fn python_dir(paths: &Paths) -> PathBuf {
    let names = pins::PYTHON.map(|package| format!("{}-{}", package.name, package.version));
    paths.tools().join(format!("python-{}", names.join("-")))
}

/// Makes a virtual environment with the packages. It names its own folder, so it cannot be made beside its place.
fn fetch_python(paths: &Paths) -> Result<PathBuf> {
    let hint =
        "install Python 3 with venv and pip, or set TEITEN_PYTHON to a Python that has duckdb and html5lib";
    let has_venv = || {
        Cmd::new("asking for Python's venv", "python3").args(["-c", "import ensurepip, venv"]).ask().is_ok()
    };
    if cmd::which("python3").is_none() || !has_venv() {
        if !apt::is_here() {
            return Err(cmd::failure("finding Python failed", "there is no python3 with venv", hint).into());
        }
        apt::update()?;
        apt::install(&["python3", "python3-venv"])?;
    }
    let dir = python_dir(paths);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("removing {} failed", dir.display()))?;
    }
    fs::create_dir_all(paths.tools())
        .with_context(|| format!("making {} failed", paths.tools().display()))?;
    Cmd::new("making a Python environment", "python3")
        .args(["-m", "venv"])
        .arg(&dir)
        .hint(hint)
        .no_stdin()
        .run()?;
    let wanted = dir.join("wanted.txt");
    fs::write(&wanted, pins::PYTHON.map(|package| requirement(&package)).concat())
        .with_context(|| format!("writing {} failed", wanted.display()))?;
    let python = dir.join("bin/python3");
    Cmd::new("installing DuckDB and html5lib", &python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--require-hashes", "-r"])
        .arg(&wanted)
        .hint(hint)
        .no_stdin()
        .run()?;
    fs::write(dir.join(WHOLE), "")?;
    Ok(python)
}

/// A package as pip wants it: its version, and the wheels that it may be.
fn requirement(package: &pins::PythonPackage) -> String {
    let sums = package.sha256.iter().map(|sum| format!(" --hash=sha256:{sum}")).collect::<String>();
    format!("{}=={}{sums}\n", package.name, package.version)
}
