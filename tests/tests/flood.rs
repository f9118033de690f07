//! A flood over a veth pair while counts are drained: every packet that reached the program is
//! accounted for, to the last one.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::sys::{Stats, enable_stats};
use teiten::kernel::{
    Drain,
    attach::{Mode, attach},
    interfaces::Interface,
    program::{Settings, Sizes, cpus, load},
};
use teiten_tests::{frames::*, netns::Pair, root};

/// `bpf(2)` with the attribute given as 64-bit words.
fn bpf(command: libc::c_int, attribute: &mut [u64; 16]) -> io::Result<i32> {
    // SAFETY: the attribute has this many bytes, and what it points to outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_mut_ptr(), size_of_val(attribute)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;

/// Two 32-bit fields of an attribute, the first one at the lower address.
fn pair(first: u32, second: u32) -> u64 {
    let [a, b] = [first.to_ne_bytes(), second.to_ne_bytes()];
    u64::from_ne_bytes([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]])
}

/// Loads an XDP program that gives an IPv4 frame a random source out of 11.0.0.0/8 and sends it back
/// out (`XDP_TX`).
fn sender() -> io::Result<OwnedFd> {
    /// Code, registers (source and destination), offset, immediate.
    const PROGRAM: [(u8, u8, i16, i32); 12] = [
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
    let mut code = Vec::new();
    for (operation, registers, offset, immediate) in &PROGRAM {
        // The low half is the destination, as on every little-endian machine.
        code.extend([*operation, *registers]);
        code.extend(offset.to_ne_bytes());
        code.extend(immediate.to_ne_bytes());
    }
    let license = c"GPL";
    let mut attribute = [0u64; 16];
    attribute[0] = pair(6, (code.len() / 8) as u32); // BPF_PROG_TYPE_XDP
    attribute[1] = code.as_ptr() as u64;
    attribute[2] = license.as_ptr() as u64;
    let fd = bpf(PROG_LOAD, &mut attribute)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches it natively, without which a veth interface does not transmit for XDP.
fn attach_sender(program: BorrowedFd<'_>, interface: u32) -> io::Result<OwnedFd> {
    let mut attribute = [0u64; 16];
    attribute[0] = pair(program.as_raw_fd() as u32, interface);
    attribute[1] = pair(37, 1 << 2); // BPF_XDP, XDP_FLAGS_DRV_MODE
    let fd = bpf(LINK_CREATE, &mut attribute)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends this many live frames out of the interface (`BPF_F_TEST_XDP_LIVE_FRAMES`, Linux 5.18).
fn send(program: BorrowedFd<'_>, interface: u32, frame: &[u8], frames: u32) -> io::Result<()> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, frame.len() as u32, 0, interface, 0, 0];
    let mut attribute = [0u64; 16];
    attribute[0] = pair(program.as_raw_fd() as u32, 0);
    attribute[1] = pair(frame.len() as u32, 0);
    attribute[2] = frame.as_ptr() as u64;
    attribute[4] = pair(frames, 0);
    attribute[5] = pair(size_of_val(&context) as u32, 0);
    attribute[6] = context.as_ptr() as u64;
    attribute[8] = pair(1 << 1, 0); // BPF_F_TEST_XDP_LIVE_FRAMES
    attribute[9] = pair(0, 0);
    match bpf(PROG_TEST_RUN, &mut attribute) {
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
        result => result.map(drop),
    }
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
    let settings = Settings {
        watched: Vec::new(),
        drop: true,
        v4_prefix: 32,
        v6_prefix: 64,
        sizes: Sizes { slices: cpus().unwrap(), chunks },
    };
    let (program, mut banks) = load(&settings).unwrap();
    // Counts runs of all programs as long as the descriptor lives, whatever the system's setting.
    let _stats = enable_stats(Stats::RunTime).unwrap();
    let interface = Interface { index: inner, name: "in0".to_owned(), ..Interface::default() };
    let link = veth.inner.enter(|| attach(&program, &interface, Mode::Native)).unwrap();
    let sender = sender().unwrap();
    let sending = veth.outer.enter(|| attach_sender(sender.as_fd(), outer)).unwrap();

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
            sum.add(&banks.drain().unwrap());
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
    sum.add(&banks.drain().unwrap());
    sum.add(&banks.drain().unwrap());

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
