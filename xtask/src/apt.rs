//! Debian's packages.

use crate::{
    cmd::{self, Cmd, Failure},
    root,
};

/// Whether this system installs by apt.
pub fn is_here() -> bool {
    cmd::which("apt-get").is_some() && cmd::which("dpkg-query").is_some()
}

/// The packages among `wanted` that are not installed.
pub fn missing<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    let text = Cmd::new("asking for installed packages", "dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(wanted)
        .env("LC_ALL", "C")
        .ask_anyway();
    not_installed(wanted, &text)
}

fn not_installed<'a>(wanted: &[&'a str], text: &str) -> Vec<&'a str> {
    let installed = |name: &str| text.lines().any(|line| line.split_once(' ') == Some((name, "installed")));
    wanted.iter().copied().filter(|name| !installed(name)).collect()
}

/// The packages among `wanted` that apt could not install from the lists it has.
pub fn not_offered<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let text = Cmd::new("asking for available packages", "apt-cache")
        .arg("policy")
        .args(wanted)
        .env("LC_ALL", "C")
        .ask_anyway();
    without_candidate(wanted, &text)
}

fn without_candidate<'a>(wanted: &[&'a str], text: &str) -> Vec<&'a str> {
    let mut offered = Vec::new();
    let mut package = "";
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = name;
        } else if let Some(candidate) = line.trim().strip_prefix("Candidate: ")
            && candidate != "(none)"
        {
            offered.push(package);
        }
    }
    wanted.iter().copied().filter(|name| !offered.contains(name)).collect()
}

/// The command that a person would type.
pub fn by_hand(packages: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Fetches the package lists. A failure is said and passed over: old lists may do, and if not, the
/// installation says so.
pub fn update() -> Result<(), Failure> {
    let what = "fetching the package lists";
    let prefix = root::prefix(what, "apt-get update")?;
    if let Err(failure) = as_root(what, &prefix, &["update", "-q"]).run() {
        eprintln!("warning: {failure}");
    }
    Ok(())
}

/// Installs packages, never removing any: Debian's Rust and its `rustup` package exclude each other, and which
/// of them goes is not ours to decide.
pub fn install(packages: &[&str]) -> Result<(), Failure> {
    let what = format!("installing {}", packages.join(" "));
    let by_hand = by_hand(packages);
    let prefix = root::prefix(&what, &by_hand)?;
    as_root(&what, &prefix, &["install", "-y", "-q", "--no-install-recommends", "--no-remove"])
        .args(packages)
        .hint(format!("install by hand: {by_hand}\n(apt-get refuses where another package would have to go)"))
        .run()
}

fn as_root(what: &str, prefix: &[String], args: &[&str]) -> Cmd {
    let mut words: Vec<&str> = prefix.iter().map(String::as_str).collect();
    // Through `env`, since sudo resets the environment.
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    words.extend(args);
    Cmd::new(what, words[0]).args(&words[1..]).no_stdin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_is_what_dpkg_calls_installed() {
        let text = "rustc-web installed\ncargo-web config-files\n";
        assert_eq!(not_installed(&["rustc-web", "cargo-web", "g++"], text), ["cargo-web", "g++"]);
    }

    #[test]
    fn offered_is_what_has_a_candidate() {
        let text = "npm:\n  Installed: (none)\n  Candidate: 9.2.0\n  Version table:\n     9.2.0 500\n\
                    x:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        assert_eq!(without_candidate(&["npm", "x", "y"], text), ["x", "y"]);
    }
}
