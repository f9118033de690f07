//! A flood over a veth pair while counts are drained: every packet that reached the program is
//! accounted for, to the last one.

use std::{
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
    flood::{Flood, Pace},
    netns::Pair,
    root,
};

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
    let inner = veth.inner.index("in0");
    let sizes = Sizes { slices: cpus().unwrap(), chunks };
    let settings = Settings { drop: true, ..Settings::everything(sizes) };
    let Loaded { program, mut banks, .. } = load(&settings).unwrap();
    // Counts runs of all programs as long as the descriptor lives, whatever the system's setting.
    let _stats = enable_stats(Stats::RunTime).unwrap();
    let interface = Interface { index: inner, name: "in0".to_owned(), ..Interface::default() };
    let link = veth.inner.enter(|| attach(&program, &interface, Mode::Native)).unwrap();
    let mut sum = Sum::default();
    let flood = Flood::start(&veth, Pace::FULL);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        thread::sleep(Duration::from_millis(100));
        sum.add(&banks.take().unwrap());
    }
    let asked = flood.stop(|| program.run_count().unwrap());
    drop(link);
    // A run that began before the end may have read either epoch.
    sum.add(&banks.take().unwrap());
    sum.add(&banks.take().unwrap());

    let runs = program.run_count().unwrap();
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
