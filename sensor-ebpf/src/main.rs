//! The XDP program that ships, in two entry points.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action::XDP_PASS, macros::xdp, programs::XdpContext};
use sensor_common::classify::{SourceMasks, classify};
use sensor_ebpf::{
    count::Counters,
    frame::{Fragmented, Linear},
    maps::{V4_MASK, V6_MASK},
    watch::Prefixes,
};

#[inline(always)]
fn masks() -> SourceMasks {
    SourceMasks { v4: V4_MASK.load(), v6: V6_MASK.load() }
}

/// Counts frames that may consist of several buffers. Linux 5.18.
#[xdp(frags)]
pub fn teiten(ctx: XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    let linear = Linear::of_fragmented(&ctx);
    let classified = classify(&linear, &Prefixes, &masks())
        .or_else(|_| classify(&Fragmented::new(&ctx, &linear), &Prefixes, &masks()));
    counters.leave(&ctx, classified.ok())
}

/// Counts frames of one buffer, on kernels before 5.18.
#[xdp]
pub fn teiten_linear(ctx: XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    counters.leave(&ctx, classify(&Linear::whole(&ctx), &Prefixes, &masks()).ok())
}
