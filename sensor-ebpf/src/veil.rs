//! Hiding from the verifier what it knows of a value.
//!
//! The verifier walks every path through the program, and takes two paths for one where they meet
//! only if it knows the same of every value. A counter's index that is a constant on each of fifty
//! paths makes it walk all that follows fifty times. A value that was behind a veil is just some
//! number to it, so that the paths merge; what follows must check or mask it.

use core::arch::asm;

/// A number that the verifier knows nothing of.
#[derive(Clone, Copy)]
pub struct Veil(u64);

impl Veil {
    /// A veil from a number that was read from a map.
    #[inline(always)]
    pub const fn new(unknown: u64) -> Self {
        Self(unknown)
    }

    /// The value itself.
    #[inline(always)]
    pub fn over(self, value: u64) -> u64 {
        let mut veiled = value ^ self.0;
        // SAFETY: takes back the exclusive or, which the compiler would drop together with the first.
        unsafe {
            asm!("{v} ^= {n}", v = inout(reg) veiled, n = in(reg) self.0, options(pure, nomem, nostack))
        };
        veiled
    }
}
