//! A pseudo-terminal, and the screen that a program draws on it.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    mem,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, ExitStatus, Stdio},
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{DEADLINE, wait_for};

/// A program on a terminal of its own, of whose session it is the leader. Killed when dropped.
pub struct Pty {
    child: Child,
    /// Where keys go in, and what is drawn comes out.
    master: Option<File>,
    /// Keeps the terminal alive when the program is gone.
    slave: Option<OwnedFd>,
    screen: Arc<Mutex<Terminal>>,
    reader: Option<JoinHandle<()>>,
    /// Whether the reader is to leave the terminal alone.
    is_over: Arc<AtomicBool>,
    before: Modes,
}

type Terminal = vt100::Parser<Title>;

/// The title of the window, as it was set last.
#[derive(Default)]
struct Title(Vec<u8>);

impl vt100::Callbacks for Title {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0 = title.to_vec();
    }
}

/// How a terminal treats what is written and typed (termios).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    flags: [libc::tcflag_t; 4],
    characters: Vec<libc::cc_t>,
}

impl Modes {
    /// Whether keys arrive as they are typed, without an echo.
    pub fn is_raw(&self) -> bool {
        self.flags[3] & (libc::ICANON | libc::ECHO | libc::ISIG) == 0
    }
}

/// How a program ended, and what it left behind.
pub struct Ended {
    pub status: ExitStatus,
    pub screen: vt100::Screen,
    before: Modes,
    after: Modes,
}

impl Ended {
    /// The same, after a look at the terminal: it has to be as it was before.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn given_back(self) -> Self {
        let text = self.screen.contents();
        assert_eq!(self.after, self.before, "modes of the terminal; on the screen:\n{text}");
        assert!(!self.screen.alternate_screen(), "still on the alternate screen:\n{text}");
        assert!(!self.screen.hide_cursor(), "no cursor:\n{text}");
        self
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.contents()
    }
}

impl Pty {
    /// Starts a program on a new terminal of this size, which is like xterm.
    ///
    /// # Panics
    ///
    /// If there is no terminal to be had, or no such program.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: writes two descriptors, reads a size; no name, and modes as the system has them.
        let opened = unsafe {
            libc::openpty(&raw mut master, &raw mut slave, ptr::null_mut(), ptr::null(), &raw const size)
        };
        assert_eq!(opened, 0, "no pseudo-terminal: {}", io::Error::last_os_error());
        // SAFETY: just opened, and owned by nobody else.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        for descriptor in [&master, &slave] {
            // Children of other tests are not to hold it open.
            // SAFETY: sets a flag of a descriptor of ours.
            unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        let master = File::from(master);
        let before = modes(&slave);
        let stdio = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio()).env("TERM", "xterm-256color");
        // SAFETY: two system calls, which a child may make before it becomes another program.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // Its ends of the terminal.
        drop(command);
        let screen = Arc::new(Mutex::new(Terminal::new_with_callbacks(rows, columns, 0, Title::default())));
        let (to, mut from) = (Arc::clone(&screen), master.try_clone().expect("a descriptor"));
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !over.load(Ordering::SeqCst) {
                if !is_readable(&from) {
                    continue;
                }
                // An error: nobody has the other end any more.
                let Ok(length @ 1..) = from.read(&mut bytes) else { break };
                lock(&to).process(&bytes[..length]);
            }
        });
        let (master, slave, reader) = (Some(master), Some(slave), Some(reader));
        Self { child, master, slave, screen, reader, is_over, before }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types this.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    pub fn write(&self, keys: &str) {
        self.master().write_all(keys.as_bytes()).expect("a terminal");
    }

    /// What is on the screen now.
    pub fn screen(&self) -> vt100::Screen {
        lock(&self.screen).screen().clone()
    }

    /// The title of the window, as it was set last.
    pub fn title(&self) -> Vec<u8> {
        lock(&self.screen).callbacks().0.clone()
    }

    /// What is on the screen now, as text.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// Waits until the screen gives an answer.
    ///
    /// # Panics
    ///
    /// After [`DEADLINE`], with what stands on it instead.
    pub fn wait<T>(&self, what: &str, mut ask: impl FnMut(&vt100::Screen) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(answer) = ask(&screen) {
                return answer;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "waited in vain for {what}; on the screen:\n{}",
                screen.contents()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a text is on the screen.
    pub fn wait_text(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text).then_some(()));
    }

    /// Waits until a text is no longer on the screen.
    pub fn wait_gone(&self, text: &str) {
        self.wait(&format!("the end of {text}"), |screen| (!screen.contents().contains(text)).then_some(()));
    }

    /// Changes the size, and tells the program.
    pub fn resize(&self, columns: u16, rows: u16) {
        lock(&self.screen).screen_mut().set_size(rows, columns);
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: reads a size.
        let set = unsafe { libc::ioctl(self.master().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }

    /// How the terminal is now.
    pub fn modes(&self) -> Modes {
        modes(self.slave.as_ref().expect("held until the end"))
    }

    /// How it was before the program began.
    pub fn before(&self) -> &Modes {
        &self.before
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the program is gone.
    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child, which nobody has waited for yet.
        let sent = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(sent, 0, "the program is gone; on the screen:\n{}", self.text());
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// If it does not come within [`DEADLINE`].
    pub fn end(mut self) -> Ended {
        let text = Arc::clone(&self.screen);
        let status = wait_for("the program's end", || self.child.try_wait().expect("our own child"));
        let after = self.modes();
        // Without another end, what is still to be read comes to one.
        self.slave = None;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
        let screen = lock(&text).screen().clone();
        Ended { status, screen, before: self.before.clone(), after }
    }

    /// Takes the terminal away, as when a connection breaks, and waits for the end.
    ///
    /// # Panics
    ///
    /// If it does not come within [`DEADLINE`].
    pub fn hang_up(mut self) -> ExitStatus {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
        self.master = None;
        wait_for("the program's end", || self.child.try_wait().expect("our own child"))
    }

    fn master(&self) -> &File {
        self.master.as_ref().expect("held until it is hung up")
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock(screen: &Mutex<Terminal>) -> MutexGuard<'_, Terminal> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is something to read, or will never be again; waits for that a little.
fn is_readable(from: &File) -> bool {
    let mut poll = libc::pollfd { fd: from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor, which is written to.
    unsafe { libc::poll(&raw mut poll, 1, 20) == 1 }
}

fn modes(terminal: &OwnedFd) -> Modes {
    // SAFETY: plain integers.
    let mut termios: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: writes to `termios` only.
    let got = unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut termios) };
    assert_eq!(got, 0, "modes of a terminal: {}", io::Error::last_os_error());
    let flags = [termios.c_iflag, termios.c_oflag, termios.c_cflag, termios.c_lflag];
    Modes { flags, characters: termios.c_cc.to_vec() }
}
