//! Doing something as root.

use std::{env, os::unix::fs::MetadataExt as _, path::PathBuf};

use crate::{
    cmd::{self, Cmd, Failure},
    environment,
};

/// Whether this process is root: the owner of `/proc/self` is the effective user.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn sudo(what: &str, command: &str) -> Result<PathBuf, Failure> {
    cmd::which("sudo").ok_or_else(|| Failure {
        what: format!("{what} needs root"),
        command: Some(command.to_owned()),
        reason: "this is not root, and there is no sudo".to_owned(),
        hint: Some(format!("run as root: {command}")),
    })
}

/// The words to put before a command that needs root: none for root.
pub fn prefix(what: &str, command: &str) -> Result<Vec<String>, Failure> {
    if is_root() {
        return Ok(Vec::new());
    }
    Ok(vec![sudo(what, command)?.display().to_string()])
}

/// `program` as root, with the caller's `TEITEN_*` and the like.
///
/// `extra` are variables that are set for the command on top of the inherited ones.
pub fn command(
    what: &str,
    program: &std::path::Path,
    args: &[String],
    extra: &[(String, std::ffi::OsString)],
) -> Result<Cmd, Failure> {
    let plain = Cmd::new(what, program).args(args);
    if is_root() {
        return Ok(plain.envs(extra.iter().cloned()));
    }
    let sudo = sudo(what, &plain.to_string())?;
    let inherited = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let names = inherited.chain(extra.iter().map(|(name, _)| name.clone()));
    Ok(Cmd::new(what, sudo)
        .args(preserve(names))
        .arg("--")
        .arg(program)
        .args(args)
        .envs(extra.iter().cloned())
        .hint("sudo must be allowed to keep TEITEN_* variables (SETENV); or become root and run it again"))
}

/// Sudo's option that keeps these variables, sorted, each once.
fn preserve(names: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<_> = names.filter(|name| environment::passes_sudo(name)).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| format!("--preserve-env={}", names.join(",")))
}

/// Cargo's options that run test binaries and programs as root: none for root.
///
/// `again` is the command to run as root where there is no sudo.
pub fn cargo_runner(what: &str, again: &str) -> Result<Vec<String>, Failure> {
    if is_root() {
        return Ok(Vec::new());
    }
    let sudo = sudo(what, again)?;
    Ok(vec!["--config".to_owned(), runner_config(&sudo.display().to_string())])
}

fn runner_config(sudo: &str) -> String {
    let quoted = sudo.replace('\\', r"\\").replace('"', "\\\"");
    format!("target.'cfg(unix)'.runner = [\"{quoted}\", \"-E\"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_keeps_what_belongs_to_the_project() {
        let names = ["TEITEN_B", "HOME", "TEITEN_A", "SECRET", "TEITEN_A"].map(str::to_owned);
        assert_eq!(preserve(names.into_iter()).as_deref(), Some("--preserve-env=TEITEN_A,TEITEN_B"));
        assert_eq!(preserve(["HOME".to_owned()].into_iter()), None);
    }

    #[test]
    fn the_runner_is_one_line_of_toml() {
        assert_eq!(runner_config("/usr/bin/sudo"), r#"target.'cfg(unix)'.runner = ["/usr/bin/sudo", "-E"]"#);
    }
}
