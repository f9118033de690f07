//! The bytes of a frame.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    programs::XdpContext,
};
use sensor_common::classify::{Bytes, Reader};

use crate::veil::Veil;

/// The verifier follows offsets into a packet up to 65,535 (`MAX_PACKET_OFF`); the headers that
/// the classifier reads end well below.
const MAX_OFFSET: usize = 0xff00;

/// The linear part of a frame, read directly.
pub struct Linear<'a> {
    ctx: &'a XdpContext,
    data: usize,
    end: usize,
    len: usize,
    /// Whether the frame may go on in fragments.
    goes_on: bool,
    veil: Veil,
}

impl<'a> Linear<'a> {
    /// A frame that has a linear part only.
    #[inline(always)]
    pub fn whole(ctx: &'a XdpContext, veil: Veil) -> Self {
        Self::new(ctx, false, veil)
    }

    /// The linear part of a frame that may go on in fragments. Linux 5.18.
    #[inline(always)]
    pub fn of_fragmented(ctx: &'a XdpContext, veil: Veil) -> Self {
        Self::new(ctx, true, veil)
    }

    #[inline(always)]
    fn new(ctx: &'a XdpContext, goes_on: bool, veil: Veil) -> Self {
        let (data, end) = (ctx.data(), ctx.data_end());
        let mut len = end - data;
        // Hides from the compiler where the length comes from: it would leave out the comparison
        // with `end` for the one with `len`, and only the former means something to the verifier.
        // SAFETY: moves a register to itself.
        unsafe { asm!("{len} = {len}", len = inout(reg) len) };
        Self { ctx, data, end, len, goes_on, veil }
    }
}

/// Length of a frame with its fragments. Linux 5.18.
#[inline(always)]
fn whole_length(ctx: &XdpContext) -> usize {
    // SAFETY: the context is the one that the kernel gave to the program.
    unsafe { bpf_xdp_get_buff_len(ctx.ctx) as usize }
}

impl Reader for Linear<'_> {
    type Bytes<const N: usize> = InPlace;

    #[inline(always)]
    fn len(&self) -> usize {
        if self.goes_on { whole_length(self.ctx) } else { self.len }
    }

    #[inline(always)]
    fn at_least(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<InPlace> {
        if offset > MAX_OFFSET {
            return None;
        }
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        Some(InPlace { start })
    }

    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        self.veil.over(offset as u64) as usize
    }
}

/// Bytes of the linear part, where they are. Fields are read by one instruction each, at any
/// alignment, which the compiler would not do: for it they are single bytes.
pub struct InPlace {
    start: usize,
}

/// Reads `$size` bytes at a constant offset, as the instruction set names them.
macro_rules! load {
    ($size:literal, $start:expr, $at:expr) => {{
        let value: u64;
        // SAFETY: reads packet memory, for which the verifier wants a bounds check before: that of
        // `Linear::read`.
        unsafe {
            asm!(
                concat!("{value} = *(", $size, " *)({start} + {at})"),
                value = lateout(reg) value,
                start = in(reg) $start,
                at = const $at,
                options(pure, readonly, nostack),
            );
        }
        value
    }};
}

impl Bytes for InPlace {
    #[inline(always)]
    fn u8<const AT: usize>(&self) -> u8 {
        load!("u8", self.start, AT) as u8
    }

    #[inline(always)]
    fn u16<const AT: usize>(&self) -> u16 {
        u16::from_be(load!("u16", self.start, AT) as u16)
    }

    #[inline(always)]
    fn u32<const AT: usize>(&self) -> u32 {
        u32::from_be(load!("u32", self.start, AT) as u32)
    }

    #[inline(always)]
    fn u64<const AT: usize>(&self) -> u64 {
        u64::from_be(load!("u64", self.start, AT))
    }
}

/// All of a frame, copied piece by piece through a helper. Linux 5.18.
pub struct Fragmented<'a> {
    ctx: &'a XdpContext,
    len: usize,
    veil: Veil,
}

impl<'a> Fragmented<'a> {
    /// The frame of this run.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext, veil: Veil) -> Self {
        Self { ctx, len: whole_length(ctx), veil }
    }
}

impl Reader for Fragmented<'_> {
    type Bytes<const N: usize> = [u8; N];

    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut bytes = [0u8; N];
        // SAFETY: `bytes` has room for the `N` bytes that the helper writes.
        let result = unsafe {
            bpf_xdp_load_bytes(
                self.ctx.as_ptr().cast(),
                offset as u32,
                bytes.as_mut_ptr().cast::<c_void>(),
                N as u32,
            )
        };
        (result == 0).then_some(bytes)
    }

    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        self.veil.over(offset as u64) as usize
    }
}
