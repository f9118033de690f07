//! The two ways through the program: classify a frame, count what it is, say what to do with it.

use aya_ebpf::{bindings::xdp_action::XDP_PASS, programs::XdpContext};
use sensor_common::classify::{SourceMasks, classify};

use crate::{
    count::{Classified, Counters, Outcome},
    frame::{Fragmented, Linear},
    maps::{V4_MASK, V6_MASK},
    veil::Veil,
    watch::Prefixes,
};

/// For frames that may consist of several buffers. Linux 5.18.
#[inline(always)]
pub fn fragments(ctx: &XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    counters.leave(ctx, &classify_fragments(ctx, counters.veil()))
}

/// For frames of one buffer, on kernels before 5.18.
#[inline(always)]
pub fn linear(ctx: &XdpContext) -> u32 {
    let Some(counters) = Counters::enter() else { return XDP_PASS };
    let linear = Linear::whole(ctx, counters.veil());
    counters.leave(ctx, &Classified::new(classify(&linear, &Prefixes, &masks())))
}

/// Classifies a frame by its linear part, which nearly always is enough, else by all of it through a
/// helper.
#[inline(always)]
pub fn classify_fragments(ctx: &XdpContext, veil: Veil) -> Classified {
    let masks = masks();
    let classified = Classified::new(classify(&Linear::of_fragmented(ctx, veil), &Prefixes, &masks));
    if classified.outcome != Outcome::OutOfReach {
        return classified;
    }
    Classified::new(classify(&Fragmented::new(ctx, veil), &Prefixes, &masks))
}

#[inline(always)]
fn masks() -> SourceMasks {
    SourceMasks { v4: V4_MASK.load(), v6: V6_MASK.load() }
}
