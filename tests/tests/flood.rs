//! A flood over a veth pair while counts are drained: every packet that reached the program is
//! accounted for, to the last one.

use std::{
    io, mem,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::sys::{Stats, enable_stats};
use teiten::kernel::{
    Drain,
    attach::{Mode, attach},
    interfaces::Interface,
    program::{Loaded, Settings, Sizes, cpus, load},
};
use teiten_tests::{
    bpf::{self, Instruction},
    frames::*,
    netns::Pair,
    root,
};

/// An XDP program that gives an IPv4 frame a random source out of 11.0.0.0/8 and sends it back out
/// (`XDP_TX`).
const SENDER: [Instruction; 12] = [
    (0xbf, 0x16, 0, 0),    // r6 = r1
    (0x85, 0, 0, 7),       // r0 = bpf_get_prandom_u32()
    (0x57, 0x00, 0, -256), // r0 &= ~0xff
    (0x47, 0x00, 0, 11),   // r0 |= 11, the address's first byte
    (0x61, 0x62, 0, 0),    // r2 = data
    (0x61, 0x63, 4, 0),    // r3 = data_end
    (0xbf, 0x24, 0, 0),    // r4 = r2
    (0x07, 0x04, 0, 34),   // r4 += 34
    (0x2d, 0x34, 1, 0),    // if r4 > r3 skip
    (0x63, 0x02, 26, 0),   // *(u32 *)(r2 + 26) = r0
    (0xb7, 0x00, 0, 3),    // r0 = XDP_TX
    (0x95, 0, 0, 0),       // exit
];

/// Sends this many live frames out of the interface (`BPF_F_TEST_XDP_LIVE_FRAMES`, Linux 5.18).
fn send(program: BorrowedFd<'_>, interface: u32, frame: &[u8], frames: u32) -> io::Result<()> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, frame.len() as u32, 0, interface, 0, 0];
    bpf::run_live(program, frame, &context, frames)
}

/// What the drains of one flood add up to.
#[derive(Debug, Default)]
struct Sum {
    drains: u64,
    runs: u64,
    packets: u64,
    joint: u64,
    unattributed: u64,
    lost: u64,
    port: u64,
}

impl Sum {
    fn add(&mut self, drain: &Drain) {
        assert_eq!(drain.mismatches, []);
        assert_eq!(drain.uncounted, 0);
        let sum = |port: u16| -> u64 {
            drain
                .tallies
                .iter()
                .filter(|slot| slot.meta.0 as u16 == port)
                .map(|slot| u64::from(slot.packets))
                .sum()
        };
        self.drains += 1;
        self.runs += drain.outcomes.runs;
        self.packets += drain.outcomes.packets;
        self.joint += drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum::<u64>();
        self.unattributed += drain.unattributed.iter().map(|row| row.packets).sum::<u64>();
        self.lost += drain.lost;
        self.port += sum(23) + drain.unattributed.iter().map(|row| row.packets).sum::<u64>();
    }
}

/// Floods a sensor whose spill log has so many chunks for two seconds.
fn flood(chunks: u32) -> Sum {
    let veth = Pair::new();
    let (outer, inner) = (veth.outer.index("out0"), veth.inner.index("in0"));
    let sizes = Sizes { slices: cpus().unwrap(), chunks };
    let settings = Settings { drop: true, ..Settings::everything(sizes) };
    let Loaded { program, mut banks, .. } = load(&settings).unwrap();
    // Counts runs of all programs as long as the descriptor lives, whatever the system's setting.
    let _stats = enable_stats(Stats::RunTime).unwrap();
    let interface = Interface { index: inner, name: "in0".to_owned(), ..Interface::default() };
    let link = veth.inner.enter(|| attach(&program, &interface, Mode::Native)).unwrap();
    // A veth interface transmits for XDP only if it has a native program, too.
    let sender = bpf::load(bpf::XDP, &SENDER).unwrap();
    let native = 1 << 2;
    let sending = veth.outer.enter(|| bpf::attach(sender.as_fd(), outer, bpf::AT_XDP, native)).unwrap();

    let frame = padded(Ipv4::new([11, 0, 0, 0], [192, 0, 2, 1]).tcp(Tcp::syn(40000, 23)).frame(), 60);
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut sum = Sum::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            veth.outer.enter(|| {
                while !stop.load(Ordering::Relaxed) {
                    send(sender.as_fd(), outer, &frame, 1 << 14).expect("live frames");
                    asked.fetch_add(1 << 14, Ordering::Relaxed);
                }
            });
        });
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(100));
            sum.add(&banks.take().unwrap());
        }
        stop.store(true, Ordering::Relaxed);
    });
    // What is still under way in the receiver's queue arrives before the counters stand still.
    let mut before = program.run_count().unwrap();
    teiten_tests::wait_for("the end of the flood", || {
        thread::sleep(Duration::from_millis(50));
        let now = program.run_count().unwrap();
        mem::replace(&mut before, now).eq(&now).then_some(())
    });
    drop(sending);
    drop(link);
    // A run that began before the end may have read either epoch.
    sum.add(&banks.take().unwrap());
    sum.add(&banks.take().unwrap());

    let (runs, asked) = (program.run_count().unwrap(), asked.into_inner());
    let received = veth.inner.counters("in0").rx_packets;
    assert!(runs > 100_000, "no flood: {runs} of {asked} packets arrived");
    assert_eq!(sum.runs, runs, "the program's own count of runs: {sum:?}");
    assert_eq!(sum.runs, received, "packets received by the interface: {sum:?}");
    assert_eq!(sum.runs, sum.packets, "each of them is a SYN: {sum:?}");
    assert_eq!(sum.packets, sum.joint + sum.lost, "{sum:?}");
    assert_eq!(sum.unattributed, sum.lost, "{sum:?}");
    assert_eq!(sum.port, sum.packets, "all went to one port: {sum:?}");
    assert!(sum.runs <= asked, "{asked} were sent: {sum:?}");
    assert!(sum.drains > 5, "{sum:?}");
    sum
}

#[test]
fn a_flood_is_counted_to_the_last_packet() {
    if root() {
        flood(256);
    }
}

#[test]
fn a_flood_beyond_the_spill_log_loses_sources_and_no_packet() {
    if root() {
        let sum = flood(1);
        assert!(sum.lost > 0, "{sum:?}");
    }
}
