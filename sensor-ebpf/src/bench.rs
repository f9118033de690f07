//! What the benchmarks measure the program against.
#![no_std]
#![no_main]
use aya_ebpf::{bindings::xdp_action::XDP_PASS, macros::xdp, programs::XdpContext};
use sensor_ebpf as _;

#[xdp]
pub fn empty(_ctx: XdpContext) -> u32 {
    XDP_PASS
}
