//! The eBPF crate: built by its own toolchain, copied to where the agent's build reads it.

use std::{env, ffi::OsString, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    cmd::{self, Cmd},
    elf, environment,
    paths::Paths,
    pins,
    setup::toolchain::{self, Toolchain},
};

/// The binaries of the eBPF crate, each an object of its own.
const BINS: [&str; 2] = ["teiten", "bench"];

/// Builds the objects. Those that came out the same keep their files, so that nothing after them is rebuilt.
pub fn build(paths: &Paths) -> Result<()> {
    let toolchain = toolchain::find(paths)?;
    cargo(paths, &toolchain, "building the BPF objects", "build")?
        .hint(
            "the compiler's message above is the cause; if it is about Cargo.lock, run in sensor-ebpf: \
             cargo generate-lockfile\nif it is about the linker or core: cargo xtask setup --only toolchain",
        )
        .run()?;
    for bin in BINS {
        let built = paths.bpf_build().join(pins::BPF_TARGET).join("release").join(bin);
        let object = fs::read(&built).with_context(|| format!("reading {} failed", built.display()))?;
        check(bin, &object)?;
        put(&object, &paths.object(bin)).with_context(|| format!("placing {bin}.o failed"))?;
    }
    Ok(())
}

/// Lints the eBPF crate; `false` where its toolchain has no clippy.
pub fn clippy(paths: &Paths) -> Result<bool> {
    let toolchain = toolchain::find(paths)?;
    if !toolchain.has_clippy() {
        return Ok(false);
    }
    cargo(paths, &toolchain, "linting the eBPF crate", "clippy")?.args(["--", "-D", "warnings"]).run()?;
    Ok(true)
}

fn cargo(paths: &Paths, toolchain: &Toolchain, what: &str, subcommand: &str) -> Result<Cmd> {
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(toolchain.linker_dir.clone()).chain(env::split_paths(&path)))
        .context("putting bpf-linker on the path failed")?;
    Ok(toolchain
        .cargo(what, subcommand)
        .args(["--release", "--locked", "--target", pins::BPF_TARGET])
        .unset_where(environment::is_of_outer_toolchain)
        .env("PATH", path)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(env::consts::ARCH))
        .env("CARGO_TARGET_DIR", paths.bpf_build())
        .dir(&paths.ebpf()))
}

/// Flags of the BPF compiler, as cargo separates them. `arch` is the host's, whose registers aya asks for.
fn rustflags(arch: &str) -> OsString {
    let cfg = format!("--cfg=bpf_target_arch=\"{arch}\"");
    [&cfg, "-Cdebuginfo=2", "-Clink-arg=--btf", "-Ctarget-cpu=v3"].join("\x1f").into()
}

/// An object without BTF loads, but its maps cannot be told apart by their types afterwards.
fn check(bin: &str, object: &[u8]) -> Result<()> {
    let sections = elf::sections(object).unwrap_or_default();
    if [".BTF", ".BTF.ext"].iter().all(|name| sections.contains(name)) {
        return Ok(());
    }
    let reason = format!("{bin} has no BTF, only sections {}", sections.join(" "));
    let hint = "the linker must write BTF: cargo xtask setup --only toolchain, then build again";
    Err(cmd::failure("building the BPF objects failed", reason, hint).into())
}

/// Writes a file in one step, unless it is there with that content. Returns whether it was written.
fn put(content: &[u8], file: &Path) -> std::io::Result<bool> {
    if fs::read(file).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let new = file.with_extension("new");
    fs::write(&new, content)?;
    fs::rename(new, file)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Scratch;

    #[test]
    fn flags_are_separated_as_cargo_wants_them() {
        assert_eq!(
            rustflags("aarch64"),
            "--cfg=bpf_target_arch=\"aarch64\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf\x1f-Ctarget-cpu=v3"
        );
    }

    #[test]
    fn an_unchanged_object_keeps_its_file() -> std::io::Result<()> {
        let scratch = Scratch::new(&env::temp_dir().join("teiten-xtask-put"))?;
        let file = scratch.path().join("bpf/x.o");
        assert!(put(b"one", &file)?);
        let before = file.metadata()?.modified()?;
        assert!(!put(b"one", &file)?);
        assert_eq!(file.metadata()?.modified()?, before);
        assert!(put(b"two", &file)?);
        assert_eq!(fs::read(&file)?, b"two");
        Ok(())
    }

    #[test]
    fn an_object_without_btf_is_refused() {
        let error = check("teiten", b"no elf").unwrap_err().to_string();
        assert!(error.contains("teiten has no BTF"), "{error}");
    }
}
