//! The terminal: taken over, and given back as it was, whatever happens.

use std::{
    io::{self, BufWriter, Stdout, Write},
    mem::{self, ManuallyDrop},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor, event,
        event::Event,
        execute,
        terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
    },
};
use tokio::sync::mpsc;

/// A terminal that is ours. It is given back when this is dropped, and before a panic is told.
pub struct Screen {
    /// Never dropped: it would tell standard error that the cursor cannot be shown, which ends in a panic where that is
    /// gone as well. [`Taken`] shows the cursor.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    _taken: Taken,
}

/// Whether the terminal is ours.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Takes the terminal over: raw, on its alternate screen, without a cursor.
    ///
    /// # Errors
    ///
    /// If it is none, or cannot be written to. Then it is as before.
    pub fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let told = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                told(panic);
            }));
        });
        let taken = Taken;
        take_over()?;
        // A frame is written as a whole.
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let terminal = Terminal::new(backend)?;
        Ok(Self { terminal: ManuallyDrop::new(terminal), _taken: taken })
    }

    /// Draws what has changed.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be written to.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does; takes it over again when the process is
    /// continued.
    ///
    /// # Errors
    ///
    /// If the terminal is gone by then.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        stop()?;
        self.again()
    }

    /// Takes over a terminal that others may have had in the meantime, and draws everything anew.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn again(&mut self) -> io::Result<()> {
        terminal::disable_raw_mode()?;
        take_over()?;
        // Not `clear`, which asks the terminal for its cursor: whoever reads the keys would take the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

/// Gives the terminal back when dropped.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    IS_TAKEN.store(true, Ordering::SeqCst);
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Gives the terminal back if it is ours. What fails is passed over: there is nobody left to tell.
fn give_back() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = io::stdout().flush();
    let _ = terminal::disable_raw_mode();
}

/// Stops this process as SIGTSTP does where nobody catches it. A process that no shell could continue goes on.
fn stop() -> io::Result<()> {
    // SAFETY: plain data; all zeros is SIG_DFL without flags.
    let default: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut caught: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: both point to actions, of which the second is written to.
    if unsafe { libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut caught) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no preconditions. It is delivered to this thread before it returns.
    unsafe { libc::raise(libc::SIGTSTP) };
    // SAFETY: the action that was there before.
    if unsafe { libc::sigaction(libc::SIGTSTP, &raw const caught, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Keys and changes of size, as they come. Ends with the first error.
pub fn events() -> io::Result<mpsc::Receiver<io::Result<Event>>> {
    let (sender, receiver) = mpsc::channel(64);
    // It waits for keys until the process ends.
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        loop {
            let event = event::read();
            let is_last = event.is_err();
            if sender.blocking_send(event).is_err() || is_last {
                break;
            }
        }
    })?;
    Ok(receiver)
}
