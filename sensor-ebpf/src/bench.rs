//! What the benchmarks measure the program against.
//!
//! `BPF_PROG_TEST_RUN` repeats a program on one frame. So that each run counts another packet,
//! the entry points here first write the next header of a table into the frame; [`fetch`] does
//! nothing else, and what another takes above it is its own cost. `teiten` and `teiten_linear`
//! then run exactly what ships, on the same maps.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

use core::{arch::asm, ptr};

use aya_ebpf::{
    bindings::{
        BPF_NOEXIST,
        xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX},
    },
    helpers::generated::bpf_get_prandom_u32,
    macros::{map, xdp},
    maps::{Array, HashMap, LruHashMap},
    programs::XdpContext,
};
use sensor_ebpf::{
    count::{Classified, Outcome},
    maps::CONTROL,
    program,
    veil::Veil,
};

/// Headers of the table.
const HEADERS: u32 = 1 << 22;
/// Keys that the hash map has room for.
const HASH_KEYS: u32 = 1 << 22;
/// Keys that the LRU map has room for: about 90 MB with its buckets.
const LRU_KEYS: u32 = 1 << 20;

/// What differs between the packets of a benchmark: Ethernet II, IPv4 without options.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Header {
    /// IPv4 source address, network order.
    source: u32,
    /// Destination port, network order.
    port: u16,
    /// IP protocol.
    protocol: u8,
    reserved: u8,
}

/// Where the last of these fields, the port, ends in the frame.
const PORT_END: usize = 38;

/// The headers, in the order in which they are used.
#[map]
static TABLE: Array<Header> = Array::with_max_entries(HEADERS, 0);

/// How many headers were used so far.
#[map]
static CURSOR: Array<u64> = Array::with_max_entries(1, 0);

/// Which bits of the port the number of the lap through the table changes: none, or all, so that
/// no key ever comes back.
#[map]
static LAP_MASK: Array<u32> = Array::with_max_entries(1, 0);

/// A key as it is packed for a map: source and meta, without padding.
type Packed = [u32; 3];

#[map]
static HASH: HashMap<Packed, u64> = HashMap::with_max_entries(HASH_KEYS, 0);

#[map]
static LRU: LruHashMap<Packed, u64> = LruHashMap::with_max_entries(LRU_KEYS, 0);

/// Entries that the hash map refused, for want of room: must stay 0.
#[map]
static REFUSED: Array<u64> = Array::with_max_entries(1, 0);

/// Nothing at all: the loop of `BPF_PROG_TEST_RUN` itself.
#[xdp(frags)]
pub fn empty(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

/// The next header, and nothing else: what the others are measured above.
#[xdp(frags)]
pub fn fetch(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() { XDP_ABORTED } else { XDP_PASS }
}

/// The classifier, without counting.
#[xdp(frags)]
pub fn parse(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() {
        return XDP_ABORTED;
    }
    match key(&ctx) {
        // Never true, but the compiler cannot know and has to work out all of it.
        Some((packed, bytes)) if packed == [u32::MAX; 3] && bytes == u32::MAX => XDP_DROP,
        _ => XDP_PASS,
    }
}

/// The program as it ships, for frames of several buffers.
#[xdp(frags)]
pub fn teiten(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() { XDP_ABORTED } else { program::fragments(&ctx) }
}

/// The program as it ships, for frames of one buffer.
#[xdp]
pub fn teiten_linear(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() { XDP_ABORTED } else { program::linear(&ctx) }
}

/// The same classifier, and one count by joint key in a hash map.
#[xdp(frags)]
pub fn hash(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() {
        return XDP_ABORTED;
    }
    if let Some((packed, _)) = key(&ctx) {
        if let Some(count) = HASH.get_ptr_mut(packed) {
            // SAFETY: the look-up found the element.
            unsafe { increment(count) };
        } else if HASH.insert(packed, 1, u64::from(BPF_NOEXIST)).is_err() {
            refused();
        }
    }
    XDP_PASS
}

/// The same in an LRU hash map.
#[xdp(frags)]
pub fn lru(ctx: XdpContext) -> u32 {
    if next(&ctx).is_none() {
        return XDP_ABORTED;
    }
    if let Some((packed, _)) = key(&ctx) {
        if let Some(count) = LRU.get_ptr_mut(packed) {
            // SAFETY: the look-up found the element.
            unsafe { increment(count) };
        } else if LRU.insert(packed, 1, u64::from(BPF_NOEXIST)).is_err() {
            refused();
        }
    }
    XDP_PASS
}

/// Receives a flood as fast as XDP can.
#[xdp]
pub fn drop(_ctx: XdpContext) -> u32 {
    XDP_DROP
}

/// Lets frames be sent by the other end of a veth pair, which wants a program on both.
#[xdp]
pub fn pass(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

/// Sends the frame back out under a random source address and to a random port, all keys new.
/// The IPv4 checksum is left wrong: XDP does not look at it.
#[xdp]
pub fn flood(ctx: XdpContext) -> u32 {
    // SAFETY: the helper has no preconditions.
    let (source, port) = unsafe { (bpf_get_prandom_u32(), bpf_get_prandom_u32()) };
    // In 192.0.0.0/2, where nothing is link-local.
    let header = Header { source: source | 0xc0, port: port as u16, protocol: 6, reserved: 0 };
    if write(&ctx, header).is_none() { XDP_ABORTED } else { XDP_TX }
}

/// Writes the next header of the table into the frame.
#[inline(always)]
fn next(ctx: &XdpContext) -> Option<()> {
    let cursor = CURSOR.get_ptr_mut(0)?;
    // SAFETY: the look-up found the element, and the benchmark runs on one CPU.
    let used = unsafe {
        let used = *cursor;
        *cursor = used + 1;
        used
    };
    let mut header = *TABLE.get(used as u32 & (HEADERS - 1))?;
    let lap = (used >> HEADERS.trailing_zeros()) as u32 & *LAP_MASK.get(0)?;
    header.port ^= lap as u16;
    write(ctx, header)
}

#[inline(always)]
fn write(ctx: &XdpContext, header: Header) -> Option<()> {
    let start = ctx.data();
    if start + PORT_END > ctx.data_end() {
        return None;
    }
    // In whole words, which the compiler would split, since an IP header behind an Ethernet header
    // is not aligned.
    // SAFETY: within the packet, as just checked.
    unsafe {
        asm!("*(u8 *)({at} + 23) = {v}", at = in(reg) start, v = in(reg) u64::from(header.protocol));
        asm!("*(u32 *)({at} + 26) = {v}", at = in(reg) start, v = in(reg) u64::from(header.source));
        asm!("*(u16 *)({at} + 36) = {v}", at = in(reg) start, v = in(reg) u64::from(header.port));
    }
    Some(())
}

/// The packed key and the bytes of a packet that would be counted.
#[inline(always)]
fn key(ctx: &XdpContext) -> Option<(Packed, u32)> {
    // SAFETY: the look-up found the element.
    let veil = Veil::new(unsafe { ptr::read_volatile(&raw const (*CONTROL.get_ptr(0)?).epoch) });
    let Classified { outcome, source, meta, bytes } = program::classify_fragments(ctx, veil);
    (outcome == Outcome::Packet).then_some(([source as u32, (source >> 32) as u32, meta.0], bytes))
}

/// Adds 1 as a map that all CPUs share wants it.
///
/// # Safety
///
/// `count` must point to a map value.
#[inline(always)]
unsafe fn increment(count: *mut u64) {
    // SAFETY: by contract.
    unsafe { asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) count, v = in(reg) 1u64) }
}

#[inline(always)]
fn refused() {
    if let Some(count) = REFUSED.get_ptr_mut(0) {
        // SAFETY: the look-up found the element.
        unsafe { ptr::write(count, ptr::read(count) + 1) };
    }
}
