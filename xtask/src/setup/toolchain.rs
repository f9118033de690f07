//! The BPF toolchain: one of two ways to a `core` for BPF, and a bpf-linker on that compiler's LLVM.
//!
//! * **Debian**: `rustc-web` and friends, with a ready-built `core`, beside whatever rustup has. The linker is
//!   built here, against the same LLVM, into `target/tools`.
//! * **Nightly**: rustup's nightly with `rust-src` and `-Z build-std=core`. The linker is a 0.13 found on the
//!   path, or is fetched by `cargo binstall`, or is built where an `llvm-config` of nightly's LLVM is found.
//!   This way was written after bpf-linker's own manual; no machine without Debian's packages has tried it yet.
//!
//! What is already there is preferred, then Debian. `TEITEN_BPF_TOOLCHAIN=debian` or `=nightly` decides.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    apt,
    cmd::{self, Cmd, Failure},
    paths::Paths,
    pins,
};

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const CHOICE: &str = "TEITEN_BPF_TOOLCHAIN";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Debian,
    Nightly,
}

/// A BPF toolchain that can be used.
#[derive(Debug)]
pub struct Toolchain {
    pub way: Way,
    /// Folder of bpf-linker, to be first on the path.
    pub linker_dir: PathBuf,
}

impl Toolchain {
    /// `cargo SUBCOMMAND` of this toolchain, without the eBPF crate's own flags and environment.
    pub fn cargo(&self, what: &str, subcommand: &str) -> Cmd {
        match self.way {
            // Debian's cargo would look for subcommands among rustup's: each is called by its own name.
            Way::Debian if subcommand == "clippy" => Cmd::new(what, "/usr/bin/cargo-clippy")
                .arg("clippy")
                .env("CARGO", DEBIAN_CARGO)
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1"),
            Way::Debian => Cmd::new(what, DEBIAN_CARGO)
                .arg(subcommand)
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1"),
            Way::Nightly => {
                Cmd::new(what, "rustup").args(["run", "nightly", "cargo", subcommand, "-Z", "build-std=core"])
            }
        }
    }

    pub fn has_clippy(&self) -> bool {
        match self.way {
            Way::Debian => cmd::is_executable(Path::new("/usr/bin/cargo-clippy")),
            Way::Nightly => nightly_components().iter().any(|name| name.starts_with("clippy")),
        }
    }
}

/// What the machine has and offers.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    debian_core: bool,
    nightly_core: bool,
    apt_offers: bool,
}

/// Which way to go, or none. `choice` is the user's.
fn decide(choice: Option<Way>, facts: Facts) -> Option<Way> {
    match choice {
        Some(Way::Debian) => (facts.debian_core || facts.apt_offers).then_some(Way::Debian),
        Some(Way::Nightly) => facts.nightly_core.then_some(Way::Nightly),
        None if facts.debian_core => Some(Way::Debian),
        None if facts.nightly_core => Some(Way::Nightly),
        None if facts.apt_offers => Some(Way::Debian),
        None => None,
    }
}

fn choice() -> Result<Option<Way>, Failure> {
    match env::var(CHOICE).unwrap_or_default().as_str() {
        "" => Ok(None),
        "debian" => Ok(Some(Way::Debian)),
        "nightly" => Ok(Some(Way::Nightly)),
        other => Err(cmd::failure(
            "choosing the BPF toolchain failed",
            format!("{CHOICE} is {other:?}"),
            format!("set {CHOICE} to debian or nightly, or unset it"),
        )),
    }
}

/// The toolchain that is ready to use. Installs nothing, asks no network.
pub fn find(paths: &Paths) -> Result<Toolchain, Failure> {
    let unready = |reason: String| {
        cmd::failure("finding the BPF toolchain failed", reason, "run: cargo xtask setup --only toolchain")
    };
    let choice = choice()?;
    let way = if choice != Some(Way::Nightly) && debian_llvm().is_some() {
        Way::Debian
    } else if choice != Some(Way::Debian) && nightly_llvm().is_some() {
        Way::Nightly
    } else {
        return Err(unready(format!("no compiler here has a core library for {}", pins::BPF_TARGET)));
    };
    let linker_dir = linker(paths, way)
        .ok_or_else(|| unready(format!("there is no bpf-linker {} for this compiler", pins::BPF_LINKER)))?;
    Ok(Toolchain { way, linker_dir })
}

/// Installs what is missing; returns what there is then.
pub fn ensure(paths: &Paths) -> Result<String> {
    let choice = choice()?;
    let debian_core = choice != Some(Way::Nightly) && debian_llvm().is_some();
    let nightly_core = !debian_core && choice != Some(Way::Debian) && nightly_llvm().is_some();
    let facts = Facts { debian_core, nightly_core, apt_offers: apt::is_here() };
    match decide(choice, facts) {
        Some(Way::Debian) => debian(paths)?,
        Some(Way::Nightly) => nightly(paths)?,
        None => return Err(nothing_here().into()),
    }
    let toolchain = find(paths)?;
    let (name, version) = match toolchain.way {
        Way::Debian => ("Debian's rustc", version(&mut Cmd::new("asking rustc", DEBIAN_RUSTC))),
        Way::Nightly => (
            "rustup's nightly rustc",
            version(&mut Cmd::new("asking rustc", "rustup").args(["run", "nightly", "rustc"])),
        ),
    };
    Ok(format!("{name} {version}, bpf-linker {} in {}", pins::BPF_LINKER, toolchain.linker_dir.display()))
}

fn version(rustc: &mut Cmd) -> String {
    let text = rustc.clone().arg("--version").ask_anyway();
    text.split_whitespace().nth(1).unwrap_or("of unknown version").to_owned()
}

fn nothing_here() -> Failure {
    cmd::failure(
        "finding a BPF toolchain failed",
        format!(
            "this is no Debian with {}, and rustup has no nightly with rust-src",
            pins::DEBIAN_TOOLCHAIN.join(", ")
        ),
        nightly_by_hand(),
    )
}

fn nightly_by_hand() -> String {
    format!(
        "install a compiler and its linker, then run cargo xtask setup again:\n\
         rustup toolchain install nightly --component rust-src,clippy\n\
         cargo install cargo-binstall && cargo binstall bpf-linker@{0}\n\
         (or a released bpf-linker {0} binary, on the path)",
        pins::BPF_LINKER
    )
}

// --- Debian's way ---------------------------------------------------------------------------------------------

/// LLVM of Debian's compiler, where that compiler can build for BPF.
fn debian_llvm() -> Option<u32> {
    if !cmd::is_executable(Path::new(DEBIAN_CARGO)) || !cmd::is_executable(Path::new(DEBIAN_RUSTC)) {
        return None;
    }
    let ask = |arg| Cmd::new("asking rustc", DEBIAN_RUSTC).arg(arg).ask_anyway();
    let core = Path::new(ask("--print=sysroot").trim()).join("lib/rustlib").join(pins::BPF_TARGET);
    core.is_dir().then(|| llvm_major(&ask("-vV"))).flatten()
}

fn debian(paths: &Paths) -> Result<()> {
    let missing = apt::missing(&pins::DEBIAN_TOOLCHAIN);
    let packages_there =
        missing.is_empty() || (debian_llvm().is_some() && linker(paths, Way::Debian).is_some());
    if !packages_there {
        apt::update()?;
        let lacking = apt::not_offered(&missing);
        if !lacking.is_empty() {
            return Err(cmd::failure(
                "installing Debian's BPF toolchain failed",
                format!("apt-get has no package {}", lacking.join(", ")),
                format!(
                    "add the release's security archive to apt's sources (it carries these packages), or:\n{}",
                    nightly_by_hand()
                ),
            )
            .into());
        }
        apt::install(&missing)?;
    }
    let llvm = debian_llvm();
    if llvm != Some(pins::DEBIAN_LLVM) {
        return Err(cmd::failure(
            "using Debian's BPF toolchain failed",
            match llvm {
                Some(major) => format!("{DEBIAN_RUSTC} is on LLVM {major}, not {}", pins::DEBIAN_LLVM),
                None => format!("{DEBIAN_RUSTC} has no core library for {}", pins::BPF_TARGET),
            },
            format!(
                "bring the packages to one release: {}\nor, without Debian's: {CHOICE}=nightly",
                apt::by_hand(&pins::DEBIAN_TOOLCHAIN)
            ),
        )
        .into());
    }
    if linker(paths, Way::Debian).is_none() {
        let config = format!("llvm-config-{}", pins::DEBIAN_LLVM);
        install_linker(paths, pins::DEBIAN_LLVM, &config)?;
    }
    Ok(())
}

// --- rustup's way ---------------------------------------------------------------------------------------------

fn nightly_components() -> Vec<String> {
    Cmd::new("asking for nightly's components", "rustup")
        .args(["component", "list", "--toolchain", "nightly", "--installed"])
        .ask_anyway()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// LLVM of rustup's nightly, where it has the source of `core`.
fn nightly_llvm() -> Option<u32> {
    nightly_components().iter().any(|name| name.starts_with("rust-src")).then_some(())?;
    llvm_major(&Cmd::new("asking rustc", "rustup").args(["run", "nightly", "rustc", "-vV"]).ask_anyway())
}

fn nightly(paths: &Paths) -> Result<()> {
    if linker(paths, Way::Nightly).is_some() {
        return Ok(());
    }
    let version = pins::BPF_LINKER;
    if cmd::which("cargo-binstall").is_some() {
        let stamp = Stamp::of(nightly_llvm());
        Cmd::new("fetching bpf-linker", "cargo-binstall")
            .args(["--no-confirm", "--force", "--root"])
            .arg(paths.tools())
            .arg(format!("bpf-linker@{version}"))
            .hint(nightly_by_hand())
            .no_stdin()
            .run()?;
        return stamp.write(paths);
    }
    let llvm = nightly_llvm().filter(|major| pins::BPF_LINKER_LLVMS.contains(major));
    let config = llvm.and_then(|major| llvm_config(major).map(|config| (major, config)));
    match config {
        Some((major, config)) => install_linker(paths, major, &config),
        None => Err(cmd::failure(
            "finding bpf-linker failed",
            format!("rustup's nightly can build for BPF, but there is no bpf-linker {version} for it"),
            nightly_by_hand(),
        )
        .into()),
    }
}

/// An `llvm-config` of this release.
fn llvm_config(major: u32) -> Option<String> {
    [format!("llvm-config-{major}"), "llvm-config".to_owned()].into_iter().find(|name| {
        let version = Cmd::new("asking LLVM", name).arg("--version").ask_anyway();
        version.split('.').next() == Some(major.to_string().as_str())
    })
}

// --- the linker -----------------------------------------------------------------------------------------------

/// Folder of the bpf-linker that suits the compiler.
///
/// Ours is known by its stamp. Nightly also takes a released one from the path, whose LLVM cannot be asked for:
/// the link says so if it is too old.
fn linker(paths: &Paths, way: Way) -> Option<PathBuf> {
    let llvm = match way {
        Way::Debian => Some(pins::DEBIAN_LLVM),
        Way::Nightly => nightly_llvm(),
    };
    let ours = paths.tools_bin().join("bpf-linker");
    if cmd::is_executable(&ours) && Stamp::of(llvm).is_written(paths) {
        return Some(paths.tools_bin());
    }
    if way == Way::Debian {
        return None;
    }
    let found = cmd::which("bpf-linker")?;
    let version = Cmd::new("asking bpf-linker", &found).arg("--version").ask_anyway();
    if !same_series(&version, pins::BPF_LINKER) {
        return None;
    }
    Some(found.parent()?.to_owned())
}

/// Builds the linker against an LLVM of the system.
fn install_linker(paths: &Paths, llvm: u32, config: &str) -> Result<()> {
    let what = "building bpf-linker";
    let prefix = Cmd::new("asking where LLVM is", config)
        .arg("--prefix")
        .hint(format!("install LLVM's development files: {}", apt::by_hand(&[&format!("llvm-{llvm}-dev")])))
        .ask()?;
    cmd::say(format!("toolchain: {what} {} against LLVM {llvm} (about a minute)", pins::BPF_LINKER));
    Cmd::new(what, cargo())
        .args([
            "install",
            "bpf-linker",
            "--locked",
            "--force",
            "--no-default-features",
            "--version",
            pins::BPF_LINKER,
        ])
        .args(["--features", &format!("llvm-{llvm}"), "--root"])
        .arg(paths.tools())
        .env("LLVM_PREFIX", prefix.trim())
        // The flags of the workspace are not the tool's.
        .unset_where(|name| matches!(name, "RUSTFLAGS" | "CARGO_ENCODED_RUSTFLAGS" | "CARGO_BUILD_TARGET"))
        .hint("the compiler's message above says what is missing; then run cargo xtask setup again")
        .no_stdin()
        .run()?;
    Cmd::new("starting the new bpf-linker", paths.tools_bin().join("bpf-linker")).arg("--version").ask()?;
    Stamp::of(Some(llvm)).write(paths)
}

/// The cargo that runs xtask.
pub fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Which linker is in `target/tools`, and for which LLVM: written when it is whole.
struct Stamp(String);

impl Stamp {
    fn of(llvm: Option<u32>) -> Self {
        let llvm = llvm.map_or_else(|| "of unknown release".to_owned(), |major| major.to_string());
        Self(format!("bpf-linker {}, LLVM {llvm}\n", pins::BPF_LINKER))
    }

    fn file(paths: &Paths) -> PathBuf {
        paths.tools().join("bpf-linker.stamp")
    }

    fn is_written(&self, paths: &Paths) -> bool {
        fs::read_to_string(Self::file(paths)).is_ok_and(|text| text == self.0)
    }

    fn write(&self, paths: &Paths) -> Result<()> {
        let file = Self::file(paths);
        fs::write(&file, &self.0).with_context(|| format!("writing {} failed", file.display()))
    }
}

/// `LLVM version: 22.1.8` → 22.
fn llvm_major(rustc_vv: &str) -> Option<u32> {
    let version = rustc_vv.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.parse().ok()
}

/// Whether `bpf-linker 0.13.2` is of the series of `0.13.0`.
fn same_series(said: &str, pinned: &str) -> bool {
    let series = |version: &str| version.rsplit_once('.').map(|(series, _)| series.to_owned());
    said.split_whitespace().nth(1).and_then(series) == series(pinned)
}

#[cfg(test)]
mod unit {
    use super::*;

    const NOTHING: Facts = Facts { debian_core: false, nightly_core: false, apt_offers: false };

    #[test]
    fn what_is_there_comes_first_then_debian() {
        let all = Facts { debian_core: true, nightly_core: true, apt_offers: true };
        assert_eq!(decide(None, all), Some(Way::Debian));
        assert_eq!(decide(None, Facts { debian_core: false, ..all }), Some(Way::Nightly));
        assert_eq!(decide(None, Facts { apt_offers: true, ..NOTHING }), Some(Way::Debian));
        assert_eq!(decide(None, NOTHING), None);
    }

    #[test]
    fn a_choice_is_kept_or_refused() {
        let all = Facts { debian_core: true, nightly_core: true, apt_offers: true };
        assert_eq!(decide(Some(Way::Nightly), all), Some(Way::Nightly));
        assert_eq!(decide(Some(Way::Nightly), Facts { nightly_core: false, ..all }), None);
        assert_eq!(decide(Some(Way::Debian), Facts { nightly_core: true, ..NOTHING }), None);
        assert_eq!(decide(Some(Way::Debian), Facts { apt_offers: true, ..NOTHING }), Some(Way::Debian));
    }

    #[test]
    fn the_compilers_llvm() {
        assert_eq!(llvm_major("rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }

    #[test]
    fn linkers_of_one_series() {
        assert!(same_series("bpf-linker 0.13.2\n", "0.13.0"));
        assert!(!same_series("bpf-linker 0.12.9\n", "0.13.0"));
        assert!(!same_series("", "0.13.0"));
    }

    #[test]
    fn debian_tools_are_called_by_their_own_names() {
        let toolchain = Toolchain { way: Way::Debian, linker_dir: PathBuf::new() };
        let text = toolchain.cargo("x", "build").to_string();
        assert_eq!(text, "RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo build");
        assert!(toolchain.cargo("x", "clippy").to_string().ends_with("/usr/bin/cargo-clippy clippy"));
    }
}
