//! The two ways through the program: classify a frame, count what it is, say what to do with it.

use aya_ebpf::{bindings::xdp_action::XDP_PASS, programs::XdpContext};
use sensor_common::classify::{SourceMasks, classify};

use crate::{
    count::Counters,
    frame::{Fragmented, Linear},
    maps::{V4_MASK, V6_MASK},
    watch::Prefixes,
};

/// For frames that may consist of several buffers: the linear part first, which nearly always is
/// enough, else all of it through a helper. Linux 5.18.
#[inline(always)]
pub fn fragments(ctx: &XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    let masks = masks();
    let linear = Linear::of_fragmented(ctx, counters.veil());
    let classified = classify(&linear, &Prefixes, &masks)
        .or_else(|_| classify(&Fragmented::new(ctx, &linear), &Prefixes, &masks));
    counters.leave(ctx, classified.ok())
}

/// For frames of one buffer, on kernels before 5.18.
#[inline(always)]
pub fn linear(ctx: &XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    counters.leave(ctx, classify(&Linear::whole(ctx, counters.veil()), &Prefixes, &masks()).ok())
}

#[inline(always)]
fn masks() -> SourceMasks {
    SourceMasks { v4: V4_MASK.load(), v6: V6_MASK.load() }
}
