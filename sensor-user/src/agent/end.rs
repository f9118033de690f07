//! The way out of the kernel: detached, drained, kept, removed.

use crate::kernel::{Drain, KernelError, pins::Pins};

use super::keep::Generation;

/// What became of a program that was to go.
pub enum Retired {
    /// It is gone, and these were its last epochs.
    Done(Vec<Drain>),
    /// The store cannot commit: the program is off its interfaces, and its counts stay in the kernel.
    Waits(Box<Generation>),
}

/// Takes a pinned program out of the kernel: off its interfaces, its counts into the store, its pins
/// out of the BPF file system.
///
/// # Errors
///
/// If the kernel does not answer; the counts stay in the kernel, and the next start finds them.
pub fn retire(pins: &Pins, mut generation: Box<Generation>) -> Result<Retired, KernelError> {
    generation.detach_but(|_| false)?;
    // A run that began while it was attached may still be under way, and in either bank.
    generation.pinned.banks.grace()?;
    match generation.drain_all((true, false))? {
        Some(drains) => {
            pins.remove(generation.pinned)?;
            Ok(Retired::Done(drains))
        }
        None => Ok(Retired::Waits(generation)),
    }
}
