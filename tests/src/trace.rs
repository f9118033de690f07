//! A process that is stopped at one of its system calls, and killed there.
//!
//! Those that change something outlive the process: files, pins, links, maps. They are counted over all of
//! its threads, each twice: when the call is about to be made, and when it was made. So a test can let a
//! program die between any two of its steps, one after the other, until it gets through.
//!
//! `strace --inject` does something alike, but counts the calls of every thread apart, and cannot let the
//! test do something while the process stands still.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    mem,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    ptr, thread,
    time::Instant,
};

use crate::DEADLINE;

/// A moment at a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The call and what it is made on, such as `rename` or `bpf OBJ_PIN`.
    pub call: String,
    /// What it is made on, for calls with a path or a descriptor of a file.
    pub path: PathBuf,
    /// Whether the call was made.
    pub made: bool,
}

/// How a traced process ended.
#[derive(Debug)]
pub struct Traced {
    pub status: ExitStatus,
    /// The points that it came past. The last one is where it was killed, if it was.
    pub points: Vec<Point>,
    pub killed: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Traced {
    /// Where it was killed.
    pub fn last(&self) -> String {
        self.points.last().map_or_else(
            || "the start".to_owned(),
            |point| {
                let when = if point.made { "after" } else { "before" };
                let path = point.path.file_name().map(|name| name.to_string_lossy().into_owned());
                format!("{when} {} {}", point.call, path.unwrap_or_default())
            },
        )
    }
}

/// What to do with a process while it is traced.
pub struct Plan<F> {
    /// The number of the point at which it is killed, from 0; none: it is left to its end.
    pub kill_at: Option<usize>,
    /// After so many writes to its standard output it gets SIGTERM.
    pub terminate_after: Option<usize>,
    /// What happens while it stands still at that point, before it is killed.
    pub before: F,
}

/// `bpf(2)` commands of linux/bpf.h that change what outlives a process. Maps and programs do not, until
/// they are pinned or attached.
const BPF: [(u64, &str); 6] = [
    (2, "MAP_UPDATE_ELEM"),
    (3, "MAP_DELETE_ELEM"),
    (6, "OBJ_PIN"),
    (28, "LINK_CREATE"),
    (29, "LINK_UPDATE"),
    (34, "LINK_DETACH"),
];

/// `struct ptrace_syscall_info` of linux/ptrace.h, as far as it is read.
#[repr(C)]
struct SyscallInfo {
    operation: u8,
    _pad: [u8; 3],
    _arch: u32,
    _instruction: u64,
    _stack: u64,
    /// Of an entry: the number and six arguments.
    entry: [u64; 8],
}

/// `PTRACE_SYSCALL_INFO_ENTRY`, `PTRACE_SYSCALL_INFO_EXIT`.
const ENTRY: u8 = 1;
const EXIT: u8 = 2;

/// Runs a command under this plan, to its end.
///
/// # Panics
///
/// If it does not end within [`DEADLINE`] (not counting the time spent in `before`).
pub fn run<F: FnOnce(&Point) + Send>(mut command: Command, plan: Plan<F>) -> Traced {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: one system call, which touches no memory of the parent.
    unsafe {
        command.pre_exec(|| {
            match libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        })
    };
    // Only the thread that starts a process may trace it, and it must wait for nobody else.
    thread::scope(|scope| {
        let tracer = scope.spawn(move || {
            #[expect(clippy::zombie_processes, reason = "`follow` waits for it")]
            let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            let read = |mut from: Box<dyn Read + Send>| {
                thread::spawn(move || {
                    let mut bytes = Vec::new();
                    let _ = from.read_to_end(&mut bytes);
                    String::from_utf8_lossy(&bytes).into_owned()
                })
            };
            let stdout = read(Box::new(child.stdout.take().expect("a pipe")));
            let stderr = read(Box::new(child.stderr.take().expect("a pipe")));
            let pid = child.id() as i32;
            // Whatever happens here, the process ends with this thread (PTRACE_O_EXITKILL).
            let mut tracer =
                Tracer { pid, calls: HashMap::new(), points: Vec::new(), writes: 0, killed: false };
            let status = tracer.follow(plan);
            let join = |reader: thread::JoinHandle<String>| reader.join().expect("nothing panics there");
            let (stdout, stderr) = (join(stdout), join(stderr));
            let Tracer { points, killed, .. } = tracer;
            Traced { status, points, killed, stdout, stderr }
        });
        tracer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Tracer {
    pid: i32,
    /// The call that each thread is in; none: one that does not matter.
    calls: HashMap<i32, Option<Point>>,
    points: Vec<Point>,
    /// To standard output.
    writes: usize,
    killed: bool,
}

impl Tracer {
    fn follow<F: FnOnce(&Point)>(&mut self, plan: Plan<F>) -> ExitStatus {
        let Plan { kill_at, mut terminate_after, before } = plan;
        let mut before = Some(before);
        let (mut start, mut set_up) = (Instant::now(), false);
        loop {
            let mut status = 0;
            // SAFETY: a place for the status. Children of other threads are theirs to wait for.
            let tid = unsafe {
                libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG)
            };
            if tid == 0 {
                if start.elapsed() > DEADLINE {
                    // SAFETY: our own child, which nobody has waited for yet.
                    unsafe { libc::kill(self.pid, libc::SIGKILL) };
                    panic!("a traced process does not end; past points: {:#?}", self.points);
                }
                thread::sleep(std::time::Duration::from_micros(50));
                continue;
            }
            assert!(tid > 0, "waiting for a traced process: {}", io::Error::last_os_error());
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.calls.remove(&tid);
                if tid == self.pid {
                    // What it has started and stands still holds the other ends of its pipes.
                    for &left in self.calls.keys() {
                        // SAFETY: we trace it, so it is still there, and nobody else's.
                        unsafe { libc::kill(left, libc::SIGKILL) };
                    }
                    return ExitStatus::from_raw(status);
                }
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let mut deliver = 0;
            if signal == libc::SIGTRAP | 0x80 {
                let stop = self.at_call(tid);
                if let Some(point) = stop {
                    self.points.push(point.clone());
                    if kill_at == Some(self.points.len() - 1) {
                        let begun = Instant::now();
                        before.take().expect("there is one such point")(&point);
                        start += begun.elapsed();
                        // SAFETY: our own child, which nobody has waited for yet.
                        unsafe { libc::kill(self.pid, libc::SIGKILL) };
                        self.killed = true;
                        continue;
                    }
                }
                if terminate_after.is_some_and(|writes| self.writes >= writes) {
                    terminate_after = None;
                    // SAFETY: as above.
                    unsafe { libc::kill(self.pid, libc::SIGTERM) };
                }
            } else if !set_up && tid == self.pid {
                // It has become the program.
                set_up = true;
                let options = libc::PTRACE_O_TRACESYSGOOD
                    | libc::PTRACE_O_TRACECLONE
                    | libc::PTRACE_O_TRACEFORK
                    | libc::PTRACE_O_TRACEVFORK
                    | libc::PTRACE_O_TRACEEXEC
                    | libc::PTRACE_O_EXITKILL;
                self.ptrace(libc::PTRACE_SETOPTIONS, tid, options as usize);
            } else if status >> 16 == 0 && (signal != libc::SIGSTOP || self.calls.contains_key(&tid)) {
                // A signal of its own. Not the stop with which a new thread begins.
                deliver = signal;
            }
            self.calls.entry(tid).or_default();
            self.ptrace(libc::PTRACE_SYSCALL, tid, deliver as usize);
        }
    }

    /// A point, if a thread stands at one.
    fn at_call(&mut self, tid: i32) -> Option<Point> {
        // SAFETY: plain integers.
        let mut info: SyscallInfo = unsafe { mem::zeroed() };
        // SAFETY: a structure of this length, of which the kernel fills no more.
        let got = unsafe {
            libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, tid, size_of::<SyscallInfo>(), &raw mut info)
        };
        if got <= 0 {
            return None;
        }
        match info.operation {
            ENTRY => {
                let point = self.point(tid, &info.entry);
                self.calls.insert(tid, point.clone());
                point
            }
            EXIT => {
                let entered = self.calls.insert(tid, None).flatten();
                entered.map(|point| Point { made: true, ..point })
            }
            _ => None,
        }
    }

    /// The call that a thread is about to make, if it matters.
    fn point(&mut self, tid: i32, [number, arguments @ ..]: &[u64; 8]) -> Option<Point> {
        let path_at = |argument: usize| self.text(tid, arguments[argument]);
        let file =
            |argument: usize| fs::read_link(format!("/proc/{tid}/fd/{}", arguments[argument] as i32)).ok();
        // Pipes, sockets and the like are nobody's memory.
        let regular = |argument: usize| file(argument).filter(|path| path.is_absolute() && path.is_file());
        let (call, path) = match *number as i64 {
            libc::SYS_bpf => {
                let name = BPF.iter().find(|(command, _)| *command == arguments[0])?.1;
                return Some(Point { call: format!("bpf {name}"), path: PathBuf::new(), made: false });
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => ("rename", path_at(1)),
            libc::SYS_renameat => ("rename", path_at(3)),
            libc::SYS_renameat2 => ("rename", path_at(3)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_link => ("link", path_at(1)),
            libc::SYS_linkat => ("link", path_at(3)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_mkdir => ("mkdir", path_at(0)),
            libc::SYS_mkdirat => ("mkdir", path_at(1)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rmdir => ("rmdir", path_at(0)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlink => ("unlink", path_at(0)),
            libc::SYS_unlinkat => ("unlink", path_at(1)),
            libc::SYS_fsync | libc::SYS_fdatasync => ("fsync", regular(0)?),
            libc::SYS_ftruncate => ("ftruncate", regular(0)?),
            libc::SYS_pwrite64 => ("write", regular(0)?),
            libc::SYS_write if arguments[0] == 1 => {
                self.writes += 1;
                return None;
            }
            libc::SYS_write => ("write", regular(0)?),
            _ => return None,
        };
        Some(Point { call: call.to_owned(), path, made: false })
    }

    /// A string of the process.
    fn text(&self, tid: i32, address: u64) -> PathBuf {
        use std::os::unix::{ffi::OsStringExt, fs::FileExt};
        let mut bytes = vec![0; 4096];
        let read = fs::File::open(format!("/proc/{tid}/mem"))
            .and_then(|memory| {
                // Up to the end of the page, behind which there may be nothing.
                let length = 4096 - (address % 4096) as usize;
                memory.read_at(&mut bytes[..length], address)
            })
            .unwrap_or_default();
        bytes.truncate(read);
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        bytes.truncate(end);
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    }

    fn ptrace(&self, request: libc::c_uint, tid: i32, data: usize) {
        // SAFETY: requests whose data are a number.
        unsafe { libc::ptrace(request, tid, ptr::null_mut::<u8>(), data) };
        // A thread that was killed meanwhile is told by waitpid.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn shell(scratch: &Scratch) -> Command {
        let mut command = Command::new("sh");
        command.current_dir(scratch.dir()).arg("-c");
        command.arg("echo start; mkdir one; mv one two; printf x >&2; echo y > file; rmdir two; exit 3");
        command
    }

    fn names(scratch: &Scratch) -> Vec<String> {
        let entries = fs::read_dir(scratch.dir()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn killed_at_every_step() {
        let scratch = Scratch::new();
        let plan = Plan { kill_at: None, terminate_after: None, before: |_: &Point| {} };
        let through = run(shell(&scratch), plan);
        assert_eq!((through.status.code(), through.killed), (Some(3), false));
        assert_eq!((through.stdout.as_str(), through.stderr.as_str()), ("start\n", "x"));
        let steps: Vec<_> = through.points.iter().map(|point| (point.call.as_str(), point.made)).collect();
        // `file` is written by way of standard output, which is no file of its own.
        let wanted = ["mkdir", "rename", "rmdir"].into_iter().flat_map(|call| [(call, false), (call, true)]);
        assert_eq!(steps, wanted.collect::<Vec<_>>());
        let left: [&[&str]; 6] = [&[], &["one"], &["one"], &["two"], &["file", "two"], &["file"]];
        for (at, left) in left.into_iter().enumerate() {
            let scratch = Scratch::new();
            let mut seen = Vec::new();
            let plan =
                Plan { kill_at: Some(at), terminate_after: None, before: |_: &Point| seen = names(&scratch) };
            let traced = run(shell(&scratch), plan);
            assert!(traced.killed, "{traced:?}");
            assert_eq!(traced.points, through.points[..=at], "{}", traced.last());
            assert_eq!(seen, left, "{}", traced.last());
            assert_eq!(names(&scratch), left, "{}, and nothing after it", traced.last());
        }
    }

    #[test]
    fn terminated_after_its_first_line() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; sleep 30; echo two"]);
        let plan = Plan { kill_at: None, terminate_after: Some(1), before: |_: &Point| {} };
        let traced = run(command, plan);
        assert_eq!((traced.status.signal(), traced.stdout.as_str()), (Some(libc::SIGTERM), "one\n"));
    }
}
