//! What chance does: false hits of a tool's mark, scans and attacks too slow to be seen.

use sensor_common::kind::Tool;

/// IPv4 addresses.
const INTERNET: f64 = 4_294_967_296.0;
const DAY: f64 = 86_400.0;

/// Hits that are not at least so many times what chance makes are put down to it.
const LEAST_RATIO: f64 = 10.0;
/// Nor are those that chance makes more often than this: 3 σ of a normal distribution, one-sided.
const LEAST_SURPRISE: f64 = 0.001_35;
/// Probabilities up to this count are summed up: those of means that e to their power does not leave without digits.
const MOST_SUMMED: u64 = 600;
/// The slowest scan is the one that shows on this part of days.
const SCAN_SHOWS: f64 = 0.75;

/// Part of IPv4 connection requests that carry a tool's mark by chance, where addresses, sequence numbers and
/// identifications are random.
///
/// Marks are asked for in this order, and the first one found counts: Mirai's is a sequence number that equals the
/// destination address, 32 bits; ZMap's and masscan's are 16 bits of identification.
pub fn of_mark(tool: Tool) -> f64 {
    const BITS_32: f64 = 1.0 / INTERNET;
    const BITS_16: f64 = 1.0 / 65_536.0;
    match tool {
        Tool::Mirai => BITS_32,
        Tool::Zmap => (1.0 - BITS_32) * BITS_16,
        Tool::Masscan => (1.0 - BITS_32) * (1.0 - BITS_16) * BITS_16,
        Tool::None => (1.0 - BITS_32) * (1.0 - BITS_16) * (1.0 - BITS_16),
    }
}

/// Whether so many hits of a tool's mark among so many IPv4 connection requests are more than chance: at least ten
/// times as many as it makes on average, and so many that it makes as many in one of 741 cases at most. Shares of
/// which this is false are suppressed.
///
/// What carries no mark always stands.
pub fn stands_out(tool: Tool, hits: u64, requests: u64) -> bool {
    let expected = requests as f64 * of_mark(tool);
    tool == Tool::None
        || (hits as f64 >= LEAST_RATIO * expected && at_least(hits, expected) <= LEAST_SURPRISE)
}

/// The probability that a Poisson count of this mean is `count` or more; of large counts and means an upper bound.
fn at_least(count: u64, mean: f64) -> f64 {
    if count > MOST_SUMMED || mean > MOST_SUMMED as f64 {
        return if mean * LEAST_RATIO <= count as f64 { 0.0 } else { 1.0 };
    }
    let mut term = (-mean).exp();
    let mut below = 0.0;
    for number in 0..count {
        below += term;
        term *= mean / (number + 1) as f64;
    }
    (1.0 - below).max(0.0)
}

/// Packets a second of the slowest scan of all IPv4 addresses and many ports that hits at least `ports` of them at
/// `addresses` within a day, three days in four; `None` if either is 0. Its packets are taken to arrive in random
/// order, each at another port: by chance more or fewer of them in a day.
pub fn slowest_scan(addresses: u64, ports: u32) -> Option<f64> {
    (addresses > 0 && ports > 0).then(|| {
        let mean = needed(ports);
        mean * INTERNET / DAY / addresses as f64
    })
}

/// The least whole mean of a Poisson count that is `least` or more in [`SCAN_SHOWS`] of cases.
fn needed(least: u32) -> f64 {
    if u64::from(least) > MOST_SUMMED / 2 {
        // Far out the median is close to the mean, and three quarters are 0.6745 σ below it.
        let least = f64::from(least);
        return (least + 0.6745 * least.sqrt()).ceil();
    }
    let shows = |mean: &u32| at_least(u64::from(least), f64::from(*mean)) >= SCAN_SHOWS;
    f64::from((least..2 * least).find(shows).unwrap_or(2 * least))
}

/// Packets a second of an attack with random forged sources whose answers make `packets` at `addresses` within so
/// many seconds on average; `None` if there are no addresses or no seconds.
pub fn detectable_attack(addresses: u64, packets: u64, seconds: u64) -> Option<f64> {
    (addresses > 0 && seconds > 0).then(|| packets as f64 / seconds as f64 * INTERNET / addresses as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_by_chance() {
        assert_eq!(of_mark(Tool::Mirai), 2f64.powi(-32));
        assert!((of_mark(Tool::Zmap) * 65_536.0 - 1.0).abs() < 1e-8);
        assert!((of_mark(Tool::Masscan) * 65_536.0 - 1.0).abs() < 1e-4);
        assert!((Tool::ALL.into_iter().map(of_mark).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn chance_hits_are_suppressed() {
        // A million requests carry a 16-bit mark 15 times by chance, Mirai's never.
        assert!(!stands_out(Tool::Zmap, 15, 1_000_000));
        assert!(!stands_out(Tool::Masscan, 150, 1_000_000), "not ten times chance");
        assert!(stands_out(Tool::Masscan, 160, 1_000_000));
        assert!(stands_out(Tool::Mirai, 1, 1_000_000));
        // 0.15 by chance: twice is 1 in 100, three times 1 in 2,000.
        assert!(!stands_out(Tool::Zmap, 2, 10_000));
        assert!(stands_out(Tool::Zmap, 3, 10_000));
        assert!(!stands_out(Tool::Zmap, 1, 100), "1 in 655");
        assert!(stands_out(Tool::Zmap, 1, 80), "1 in 819");
        assert!(!stands_out(Tool::Zmap, 0, 80));
        assert!(!stands_out(Tool::Zmap, 0, 0));
        assert!(stands_out(Tool::Zmap, u64::MAX, u64::MAX));
        assert!(!stands_out(Tool::Zmap, u64::MAX >> 16, u64::MAX));
        assert!(stands_out(Tool::None, 0, 0));
    }

    #[test]
    fn poisson_tails() {
        assert_eq!(at_least(0, 3.0), 1.0);
        assert!((at_least(1, 3.0) - (1.0 - (-3f64).exp())).abs() < 1e-12);
        // From a table of the Poisson distribution: P(X ≤ 9) of mean 10 is 0.4579.
        assert!((at_least(10, 10.0) - 0.5421).abs() < 1e-4);
        assert_eq!(at_least(2000, 200.0), 0.0);
    }

    /// To two digits.
    fn rounded(number: f64) -> f64 {
        let digits = 10f64.powf(number.log10().floor() - 1.0);
        (number / digits).round() * digits
    }

    #[test]
    fn slow_scans_are_not_seen() {
        assert_eq!(slowest_scan(1, 10).map(rounded), Some(600_000.0));
        assert_eq!(slowest_scan(256, 10).map(rounded), Some(2_300.0));
        assert_eq!(slowest_scan(0, 10), None);
        assert_eq!(slowest_scan(1, 0), None);
        // One port asks for as many packets as all addresses have, times ln 4, rounded up to whole packets.
        assert_eq!(slowest_scan(1, 1), Some(2.0 * INTERNET / DAY));
        // Where the sum ends and the approximation begins, they agree.
        assert!((needed(301) - needed(300) - 1.0).abs() <= 1.0);
    }

    #[test]
    fn slow_attacks_are_not_seen() {
        // 5 packets in 10 minutes at a /8, and Moore's 25 in a minute.
        assert_eq!(detectable_attack(1 << 24, 5, 600).map(|rate| (rate * 100.0).round()), Some(213.0));
        assert_eq!(detectable_attack(1 << 24, 25, 60).map(|rate| (rate * 10.0).round()), Some(1067.0));
        assert_eq!(detectable_attack(0, 5, 600), None);
        assert_eq!(detectable_attack(1, 5, 0), None);
    }
}
