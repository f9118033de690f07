//! The counters behind the XDP program, shared by the shipped object and the one for benchmarks.
//!
//! - [`frame`]: the bytes of a frame, in its linear part or through a helper;
//! - [`watch`]: which sensor watches an address;
//! - [`count`]: outcomes, dense counters, the two-level tally;
//! - [`program`]: both ways through the program;
//! - [`veil`]: hiding from the verifier what makes it walk the same way twice;
//! - [`maps`]: the maps and the constants set when the program is loaded.
#![no_std]
#![feature(asm_experimental_arch)]

pub mod count;
pub mod frame;
pub mod maps;
pub mod program;
pub mod veil;
pub mod watch;

/// What the kernel reads to allow helpers that want a GPL-compatible program.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: the verifier accepts no program that could get here.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
