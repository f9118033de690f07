//! The one way an external command is run: printed before, and named by the error after.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::environment;

/// What failed, by which command, why, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub what: String,
    pub command: Option<String>,
    pub reason: String,
    pub hint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)?;
        if let Some(command) = &self.command {
            write!(f, "\n  command: {command}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  what to do: {}", hint.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A failure that no command caused.
pub fn failure(what: impl Into<String>, reason: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure { what: what.into(), command: None, reason: reason.into(), hint: Some(hint.into()) }
}

/// An external command with the words that explain its failure.
#[derive(Debug, Clone)]
pub struct Cmd {
    what: String,
    hint: Option<String>,
    program: OsString,
    args: Vec<OsString>,
    set: Vec<(String, OsString)>,
    unset: Vec<OsString>,
    dir: Option<PathBuf>,
    no_stdin: bool,
}

impl Cmd {
    /// `what` is the deed, as in "building the agent". What `cargo run` set for xtask itself is not passed on.
    pub fn new(what: impl Into<String>, program: impl AsRef<OsStr>) -> Self {
        let cmd = Self {
            what: what.into(),
            hint: None,
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            set: Vec::new(),
            unset: Vec::new(),
            dir: None,
            no_stdin: false,
        };
        cmd.unset_where(environment::is_of_cargo_run)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Self {
        self.set.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub fn envs(mut self, pairs: impl IntoIterator<Item = (String, OsString)>) -> Self {
        self.set.extend(pairs);
        self
    }

    /// Keeps the inherited variables whose name `unwanted` accepts from the command.
    pub fn unset_where(mut self, unwanted: impl Fn(&str) -> bool) -> Self {
        self.unset
            .extend(env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(&unwanted)));
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// What the reader of a failure should do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The command reads nothing: it may not wait for an answer.
    pub fn no_stdin(mut self) -> Self {
        self.no_stdin = true;
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if self.no_stdin {
            command.stdin(Stdio::null());
        }
        command
    }

    fn failed(&self, reason: String) -> Failure {
        Failure {
            what: format!("{} failed", self.what),
            command: Some(self.to_string()),
            reason,
            hint: self.hint.clone(),
        }
    }

    /// Prints the command, runs it and waits; any other end than success is an error.
    pub fn run(&self) -> Result<(), Failure> {
        self.print();
        let status = self.command().status().map_err(|error| self.failed(error.to_string()))?;
        if status.success() { Ok(()) } else { Err(self.failed(status.to_string())) }
    }

    /// Runs a question quietly and returns what it wrote; stderr is part of the error only.
    pub fn ask(&self) -> Result<String, Failure> {
        let output =
            self.command().stdin(Stdio::null()).output().map_err(|error| self.failed(error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(format!("{}\n{}", output.status, said.trim_end()).trim_end().to_owned()))
    }

    /// What a question wrote, whatever its exit status; nothing where it cannot be asked at all.
    pub fn ask_anyway(&self) -> String {
        self.command()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }

    /// Becomes the command: terminal, signals and exit code are its own. Returns only on failure.
    pub fn exec(&self) -> Failure {
        use std::os::unix::process::CommandExt as _;
        self.print();
        let error = self.command().exec();
        self.failed(error.to_string())
    }

    fn print(&self) {
        dim(&format!("$ {self}"));
    }
}

impl fmt::Display for Cmd {
    /// The command as one would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.dir {
            write!(f, "cd {} && ", quote(dir.as_os_str()))?;
        }
        for (name, value) in &self.set {
            match added_to_path(name, value, env::var_os("PATH")) {
                Some(added) => write!(f, "PATH={}:$PATH ", quote(OsStr::new(&added)))?,
                None => write!(f, "{name}={} ", quote(value))?,
            }
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        Ok(())
    }
}

/// What a command's path has before the inherited one.
fn added_to_path(name: &str, value: &OsStr, inherited: Option<OsString>) -> Option<String> {
    let inherited = inherited.filter(|_| name == "PATH")?;
    let added = value.to_str()?.strip_suffix(inherited.to_str()?)?.strip_suffix(':')?;
    Some(added.to_owned())
}

/// A word as a shell reads it.
fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    // What cargo wants between encoded flags.
    let word = word.replace('\u{1f}', "\\x1f");
    let plain = |c: char| c.is_alphanumeric() || "-_=/.,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn coloured() -> bool {
    std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn dim(line: &str) {
    if coloured() { eprintln!("\x1b[2m{line}\x1b[0m") } else { eprintln!("{line}") }
}

/// A line of progress.
pub fn say(line: impl AsRef<str>) {
    if coloured() { eprintln!("\x1b[1m{}\x1b[0m", line.as_ref()) } else { eprintln!("{}", line.as_ref()) }
}

/// A program on the path, or in the folders of the system's own that the path of a plain user may lack.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| is_executable(file))
}

pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let cmd =
            Cmd::new("x", "cargo").args(["test", "--", "a b", ""]).env("A", "it's").dir(Path::new("/d"));
        assert_eq!(cmd.to_string(), r"cd /d && A='it'\''s' cargo test -- 'a b' ''");
    }

    #[test]
    fn an_inherited_path_is_not_spelt_out() {
        let added = |value: &str| added_to_path("PATH", OsStr::new(value), Some("/usr/bin:/bin".into()));
        assert_eq!(added("/tools:/usr/bin:/bin").as_deref(), Some("/tools"));
        assert_eq!(added("/tools"), None);
    }

    #[test]
    fn a_failure_names_the_command_and_the_way_out() {
        let error = Cmd::new("doing nothing", "false").hint("do something\nand more").run().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("doing nothing failed: exit status: 1"), "{text}");
        assert!(text.contains("command: false"), "{text}");
        assert!(text.ends_with("what to do: do something\n    and more"), "{text}");
    }

    #[test]
    fn a_missing_program_is_a_failure_not_a_panic() {
        let error = Cmd::new("asking", "/nonexistent/program").ask().unwrap_err();
        assert!(error.reason.contains("No such file"), "{error}");
        assert_eq!(Cmd::new("asking", "/nonexistent/program").ask_anyway(), "");
    }

    #[test]
    fn a_question_carries_stderr_in_its_error() {
        let error = Cmd::new("asking", "sh").args(["-c", "echo why >&2; exit 3"]).ask().unwrap_err();
        assert!(error.reason.contains("3") && error.reason.contains("why"), "{error}");
    }
}
