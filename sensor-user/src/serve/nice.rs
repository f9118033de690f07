//! Threads that others go before.

use std::io;

use log::warn;

/// How nice they are at least: 0 is usual, 19 the most.
const NICE: libc::c_int = 10;

/// How nice this thread is.
pub fn niceness() -> libc::c_int {
    // Linux tells the priority of the thread that asks.
    // SAFETY: no preconditions.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// Makes this thread one that runs when those who count have nothing to do.
pub fn be_nice() {
    // Linux sets the priority of the thread that asks.
    // SAFETY: no preconditions.
    if niceness() < NICE && unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } != 0 {
        warn!("readers are answered at usual priority: {}", io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_thread_that_asks_is_nice_and_no_other() {
        let before = niceness();
        let nice = thread::spawn(|| {
            be_nice();
            niceness()
        });
        assert_eq!(nice.join().unwrap(), before.max(NICE));
        assert_eq!(niceness(), before);
    }
}
