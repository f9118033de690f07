//! The object that ships: one program, in two entry points.
#![no_std]
#![no_main]

use aya_ebpf::{macros::xdp, programs::XdpContext};
use sensor_ebpf::program;

/// Counts frames that may consist of several buffers. Linux 5.18.
#[xdp(frags)]
pub fn teiten(ctx: XdpContext) -> u32 {
    program::fragments(&ctx)
}

/// Counts frames of one buffer.
#[xdp]
pub fn teiten_linear(ctx: XdpContext) -> u32 {
    program::linear(&ctx)
}
