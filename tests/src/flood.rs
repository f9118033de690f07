//! A flood over a veth pair, made in the kernel.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    bpf::{self, Instruction},
    frames::{Ipv4, Tcp, padded},
    netns::{Netns, Pair},
    wait_for,
};

/// An XDP program that gives an IPv4 frame a random source out of 11.0.0.0/8, of which `sources` says
/// what varies, in the order of the bytes in memory, and sends it back out (`XDP_TX`).
const fn sender(sources: i32) -> [Instruction; 12] {
    [
        (0xbf, 0x16, 0, 0),       // r6 = r1
        (0x85, 0, 0, 7),          // r0 = bpf_get_prandom_u32()
        (0x57, 0x00, 0, sources), // r0 &= sources
        (0x47, 0x00, 0, 11),      // r0 |= 11, the address's first byte
        (0x61, 0x62, 0, 0),       // r2 = data
        (0x61, 0x63, 4, 0),       // r3 = data_end
        (0xbf, 0x24, 0, 0),       // r4 = r2
        (0x07, 0x04, 0, 34),      // r4 += 34
        (0x2d, 0x34, 1, 0),       // if r4 > r3 skip
        (0x63, 0x02, 26, 0),      // *(u32 *)(r2 + 26) = r0
        (0xb7, 0x00, 0, 3),       // r0 = XDP_TX
        (0x95, 0, 0, 0),          // exit
    ]
}

/// How much is sent, and from how many sources.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Frames at a time.
    pub batch: u32,
    /// Time between them.
    pub pause: Duration,
    /// Bits of the source address that vary: 8, 16 or 24.
    pub source_bits: u32,
}

impl Pace {
    /// All that the machine can send, from 16 million sources.
    pub const FULL: Self = Self { batch: 1 << 14, pause: Duration::ZERO, source_bits: 24 };
    /// A flood beside which an agent, and the rest of the machine, still gets to work: some ten thousand
    /// frames a second from 65,536 sources.
    pub const STEADY: Self = Self { batch: 1 << 9, pause: Duration::from_millis(8), source_bits: 16 };
}

/// SYN packets to 23/TCP out of `out0`, until it is stopped. Every one that arrives at `in0` while a native
/// XDP program is there runs it once; while none is there, none arrives, and none is counted as received.
pub struct Flood {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    /// A veth interface transmits for XDP only if it has a native program, too.
    _attached: OwnedFd,
}

impl Flood {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is no `out0` without a program.
    pub fn start(veth: &Pair, pace: Pace) -> Self {
        let outer = veth.outer.index("out0");
        let sources = (((1u64 << pace.source_bits) - 1) << 8) as u32 as i32;
        let program = bpf::load(bpf::XDP, &sender(sources)).unwrap();
        let native = 1 << 2;
        let attached = veth.outer.enter(|| bpf::attach(program.as_fd(), outer, bpf::AT_XDP, native)).unwrap();
        let frame = padded(Ipv4::new([11, 0, 0, 0], [192, 0, 2, 1]).tcp(Tcp::syn(40000, 23)).frame(), 60);
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let namespace: Netns = veth.outer.hold();
        let thread = {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                namespace.enter(|| {
                    while !stop.load(Ordering::Relaxed) {
                        send(program.as_fd(), outer, &frame, pace.batch).expect("live frames");
                        asked.fetch_add(pace.batch.into(), Ordering::Relaxed);
                        thread::sleep(pace.pause);
                    }
                });
            })
        };
        Self { stop, asked, thread: Some(thread), _attached: attached }
    }

    /// Ends it, waits until nothing is under way any more, and returns how many frames were to be sent.
    /// `arrived`: how many have arrived so far.
    ///
    /// # Panics
    ///
    /// If frames could not be sent, or go on arriving.
    pub fn stop<T: PartialEq>(mut self, mut arrived: impl FnMut() -> T) -> u64 {
        self.end();
        let mut before = arrived();
        // What is still under way in the receiver's queue arrives before the counters stand still.
        wait_for("the end of the flood", || {
            thread::sleep(Duration::from_millis(50));
            let now = arrived();
            let still = now == before;
            before = now;
            still.then_some(())
        });
        self.asked.load(Ordering::Relaxed)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends this many live frames out of the interface (`BPF_F_TEST_XDP_LIVE_FRAMES`, Linux 5.18).
fn send(program: BorrowedFd<'_>, interface: u32, frame: &[u8], frames: u32) -> io::Result<()> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, frame.len() as u32, 0, interface, 0, 0];
    bpf::run_live(program, frame, &context, frames)
}
