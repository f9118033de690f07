//! Victims of attacks with forged sources: addresses whose backscatter comes in bursts.
//!
//! A host that is flooded with packets from forged sources answers all of them; some of its answers
//! reach the sensor. A single answer proves little, so a victim is one whose answers come close
//! together: by default at least [`PACKETS`] within [`WINDOW`] minutes, in at least [`MINUTES`] of
//! them. Whether that is also an attack by the thresholds of Moore et al. ("Inferring Internet
//! Denial-of-Service Activity", 2001: at least 25 packets, over at least 60 s, with at least 0.5 a
//! second in some minute) is told beside it; only large sensors reach those.

use std::ops::Range;

/// Minutes of a window.
pub const WINDOW: i64 = 10;
/// Seconds of a window.
pub const WINDOW_SECONDS: u64 = (WINDOW * MINUTE) as u64;
/// Seconds by which a window of a day may reach beyond the day, on either side.
pub const BEYOND: i64 = (WINDOW - 1) * MINUTE;
/// Packets that a window must have at least.
pub const PACKETS: u64 = 5;
/// Minutes with packets that a window must have at least.
pub const MINUTES: usize = 2;
/// Packets that a window must have at least by Moore's thresholds.
pub const MOORE_PACKETS: u64 = 25;
/// Packets of its busiest minute at least by Moore's thresholds: 0.5 a second.
pub const MOORE_PEAK: u64 = 30;

/// Seconds.
const MINUTE: i64 = 60;

/// What a victim sent in the minutes of its bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    pub packets: u64,
    /// Minutes with packets.
    pub minutes: u64,
    /// Start of the first of them, in seconds since 1970.
    pub first: i64,
    /// Start of the last of them.
    pub last: i64,
    /// Packets of the busiest.
    pub peak: u64,
    /// Whether some window reaches Moore's thresholds.
    pub moore: bool,
}

/// The bursts of one source towards one service that a day has part in, in one sum; `None` if there
/// are none. `minutes`: start of a minute in seconds since 1970 and its packets, in ascending order,
/// from [`BEYOND`] before the day to as much behind it.
///
/// A window may begin before the day and end behind it, but only minutes of the day itself are
/// counted, so that none counts for two days.
pub fn burst(minutes: &[(i64, u64)], day: &Range<i64>) -> Option<Burst> {
    let mut sum: Option<Burst> = None;
    // Minutes before this place are in the sum already.
    let mut counted = 0;
    let mut end = 0;
    let mut packets: u64 = 0;
    for begin in 0..minutes.len() {
        let until = minutes[begin].0.saturating_add(WINDOW * MINUTE);
        // The minute itself is in its window, even the last that a number can name.
        while let Some(&(_, more)) = minutes.get(end).filter(|(minute, _)| end <= begin || *minute < until) {
            packets = packets.saturating_add(more);
            end += 1;
        }
        let window = &minutes[begin..end];
        if packets >= PACKETS && window.len() >= MINUTES {
            let peak = window.iter().map(|&(_, packets)| packets).max().unwrap_or(0);
            let moore = packets >= MOORE_PACKETS && peak >= MOORE_PEAK;
            let fresh = minutes[counted.max(begin)..end].iter();
            for &(minute, packets) in fresh.filter(|(minute, _)| day.contains(minute)) {
                let burst = sum.get_or_insert(Burst {
                    packets: 0,
                    minutes: 0,
                    first: minute,
                    last: minute,
                    peak: 0,
                    moore: false,
                });
                burst.packets = burst.packets.saturating_add(packets);
                burst.minutes += 1;
                burst.last = minute;
                burst.peak = burst.peak.max(packets);
            }
            if let Some(burst) = sum.as_mut().filter(|_| window.iter().any(|(m, _)| day.contains(m))) {
                burst.moore |= moore;
            }
            counted = end;
        }
        packets = packets.saturating_sub(minutes[begin].1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Range<i64> = 864_000..950_400;

    /// Minutes counted from the day's start.
    fn of(minutes: &[(i64, u64)]) -> Option<Burst> {
        let minutes: Vec<_> =
            minutes.iter().map(|&(minute, packets)| (DAY.start + minute * 60, packets)).collect();
        burst(&minutes, &DAY)
    }

    fn figures(minutes: &[(i64, u64)]) -> Option<(u64, u64, i64, i64, u64, bool)> {
        let minute = |second| (second - DAY.start) / 60;
        of(minutes).map(|b| (b.packets, b.minutes, minute(b.first), minute(b.last), b.peak, b.moore))
    }

    #[test]
    fn five_packets_in_two_of_ten_minutes() {
        assert_eq!(figures(&[(100, 4), (101, 1)]), Some((5, 2, 100, 101, 4, false)));
        assert_eq!(figures(&[(100, 4), (109, 1)]), Some((5, 2, 100, 109, 4, false)));
        assert_eq!(figures(&[(100, 1), (103, 1), (105, 1), (106, 1), (109, 1)]).unwrap().1, 5);
    }

    #[test]
    fn what_is_just_not_a_burst() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(100, 5)]), None, "one minute only");
        assert_eq!(of(&[(100, 5_000)]), None, "one minute only");
        assert_eq!(of(&[(100, 2), (101, 2)]), None, "four packets");
        assert_eq!(of(&[(100, 4), (110, 1)]), None, "eleven minutes");
        assert_eq!(of(&[(100, 2), (105, 1), (110, 2)]), None, "eleven minutes");
    }

    #[test]
    fn only_minutes_of_bursts_count_and_each_once() {
        let minutes = [(0, 1), (100, 3), (101, 3), (105, 1), (112, 9), (500, 1), (700, 2), (709, 3)];
        // 100 to 109, 101 to 110, 105 to 114 and 700 to 709 are bursts.
        assert_eq!(figures(&minutes), Some((3 + 3 + 1 + 9 + 2 + 3, 6, 100, 709, 9, false)));
    }

    #[test]
    fn windows_reach_beyond_midnight_but_minutes_count_for_their_own_day() {
        assert_eq!(figures(&[(-5, 3), (2, 2)]), Some((2, 1, 2, 2, 2, false)));
        assert_eq!(figures(&[(1438, 2), (1441, 3)]), Some((2, 1, 1438, 1438, 2, false)));
        assert_eq!(of(&[(-9, 3), (1, 2)]), None, "eleven minutes");
        assert_eq!(of(&[(-9, 3), (-5, 3)]), None, "another day's");
        assert_eq!(of(&[(-9, 300), (-5, 3), (700, 1)]), None, "another day's");
        let next = burst(&[(DAY.end - 120, 2), (DAY.end + 60, 3)], &(DAY.end..DAY.end + 86_400)).unwrap();
        assert_eq!((next.packets, next.minutes), (3, 1));
    }

    #[test]
    fn moores_thresholds() {
        assert!(of(&[(100, 30), (101, 1)]).unwrap().moore);
        assert!(!of(&[(100, 29), (101, 29)]).unwrap().moore, "too slow");
        assert!(of(&[(100, 30)]).is_none(), "too short");
        assert!(of(&[(100, 30), (101, 1), (300, 1)]).unwrap().moore);
        // A burst of another day's minutes alone does not make this day's one larger.
        assert!(!of(&[(-9, 30), (-8, 1), (100, 4), (101, 4)]).unwrap().moore);
    }

    #[test]
    fn extreme_numbers() {
        let b = burst(&[(i64::MAX - 120, u64::MAX), (i64::MAX - 60, u64::MAX)], &(0..i64::MAX)).unwrap();
        assert_eq!(b.packets, u64::MAX);
        let all = i64::MIN..i64::MAX;
        assert_eq!(burst(&[(i64::MIN, 9), (i64::MAX, 9), (i64::MAX, 9)], &all), None);
    }
}
