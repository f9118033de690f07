//! Spans of time, and the quality of what is known of them.

use rusqlite::{Connection, OptionalExtension, params};
use sensor_common::layout::Outcomes;

use super::{count, signed};
use crate::{
    kernel::{self, Drain},
    model::Zone,
};

/// How far an epoch may reach beyond the hour of its midpoint, on both sides together.
const OVERHANG_NS: i128 = 60 * SECOND_NS;
const SECOND_NS: i128 = 1_000_000_000;

/// What kind of span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Level {
    /// An hour of the zone's clock.
    Hour = 0,
    /// A day of it: the sum of its hours, and of coarse spans within.
    Day = 1,
    /// That of an epoch that no hour can take.
    Coarse = 2,
}

/// A span of time; in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Span {
    pub start: i64,
    pub level: Level,
    pub seconds: i64,
}

impl Span {
    pub const fn end(&self) -> i64 {
        self.start.saturating_add(self.seconds)
    }
}

/// The span that an epoch falls in.
pub(super) fn span_of(zone: &Zone, epoch: &kernel::Span) -> Span {
    let start = i128::from(epoch.start_ns);
    let end = i128::from(epoch.end_ns).max(start);
    // Far within 64 bits: 2^64 ns are 585 years.
    let hour = zone.hour_of(((start + end) / 2 / SECOND_NS) as i64);
    let before = i128::from(hour.start) * SECOND_NS - start;
    let after = end - i128::from(hour.end()) * SECOND_NS;
    if before.max(0) + after.max(0) <= OVERHANG_NS {
        return Span { start: hour.start, level: Level::Hour, seconds: hour.seconds };
    }
    let start = start / SECOND_NS;
    let end = (end + SECOND_NS - 1) / SECOND_NS;
    Span { start: start as i64, level: Level::Coarse, seconds: (end - start) as i64 }
}

/// The row of a span, if there is one.
pub(super) fn find_span(connection: &Connection, span: &Span) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM span WHERE start = ? AND level = ? AND seconds = ?")?
        .query_row(params![span.start, span.level as u8, span.seconds], |row| row.get(0))
        .optional()
}

/// The row of a span, which is made if there is none.
pub(super) fn make_span(connection: &Connection, span: &Span) -> rusqlite::Result<i64> {
    match find_span(connection, span)? {
        Some(id) => Ok(id),
        None => connection
            .prepare_cached("INSERT INTO span (start, level, seconds) VALUES (?, ?, ?)")?
            .insert(params![span.start, span.level as u8, span.seconds]),
    }
}

/// Sets a bit of a span's `cut`.
pub(super) fn mark_cut(connection: &Connection, span: i64, bit: u8) -> rusqlite::Result<()> {
    let mut mark = connection.prepare_cached("UPDATE span SET cut = cut | ? WHERE id = ?")?;
    mark.execute([1 << bit, span]).map(drop)
}

/// The quality of a span's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quality {
    /// Of all generations together.
    pub observed_ns: u64,
    pub outcomes: Outcomes,
    pub bytes: u64,
    pub lost: u64,
    pub uncounted: u64,
    pub mismatches: u64,
    /// `None` where no epoch knows.
    pub nic_received: Option<u64>,
    pub nic_dropped: Option<u64>,
    pub restarts: u64,
    pub cut: u64,
}

impl Quality {
    /// Adds what a drain knows.
    pub fn add(&mut self, drain: &Drain) {
        self.outcomes += drain.outcomes;
        self.bytes += drain.kinds.as_flattened().iter().map(|cell| cell.bytes).sum::<u64>();
        self.lost += drain.lost;
        self.uncounted += drain.uncounted;
        self.mismatches += drain.mismatches.len() as u64;
    }
}

/// Adds up two counts of which either may be unknown.
pub(super) fn add_known(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
        (known, None) | (None, known) => known,
    }
}

/// Adds to a span's quality.
pub(super) fn add_quality(connection: &Connection, span: i64, more: &Quality) -> rusqlite::Result<()> {
    let Outcomes { runs, non_ip, malformed, unwatched, local, packets } = more.outcomes;
    connection
        .prepare_cached(
            "UPDATE span SET
               observed_ns = observed_ns + ?2, frames = frames + ?3, non_ip = non_ip + ?4,
               malformed = malformed + ?5, unwatched = unwatched + ?6, local = local + ?7,
               packets = packets + ?8, bytes = bytes + ?9, lost = lost + ?10,
               uncounted = uncounted + ?11, mismatches = mismatches + ?12,
               nic_received = CASE WHEN ?13 IS NULL THEN nic_received
                              ELSE coalesce(nic_received, 0) + ?13 END,
               nic_dropped = CASE WHEN ?14 IS NULL THEN nic_dropped
                             ELSE coalesce(nic_dropped, 0) + ?14 END,
               restarts = restarts + ?15, cut = cut | ?16
             WHERE id = ?1",
        )?
        .execute(params![
            span,
            signed(more.observed_ns),
            signed(runs),
            signed(non_ip),
            signed(malformed),
            signed(unwatched),
            signed(local),
            signed(packets),
            signed(more.bytes),
            signed(more.lost),
            signed(more.uncounted),
            signed(more.mismatches),
            more.nic_received.map(signed),
            more.nic_dropped.map(signed),
            signed(more.restarts),
            signed(more.cut),
        ])
        .map(drop)
}

/// The quality of a span.
pub(super) fn quality(connection: &Connection, span: i64) -> rusqlite::Result<Quality> {
    let mut find = connection.prepare_cached(
        "SELECT observed_ns, frames, non_ip, malformed, unwatched, local, packets, bytes, lost,
                uncounted, mismatches, nic_received, nic_dropped, restarts, cut
         FROM span WHERE id = ?",
    )?;
    find.query_row([span], |row| {
        let number = |column| count(row, column).map(|count| count.unwrap_or(0));
        Ok(Quality {
            observed_ns: number(0)?,
            outcomes: Outcomes {
                runs: number(1)?,
                non_ip: number(2)?,
                malformed: number(3)?,
                unwatched: number(4)?,
                local: number(5)?,
                packets: number(6)?,
            },
            bytes: number(7)?,
            lost: number(8)?,
            uncounted: number(9)?,
            mismatches: number(10)?,
            nic_received: count(row, 11)?,
            nic_dropped: count(row, 12)?,
            restarts: number(13)?,
            cut: number(14)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a UTC time.
    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    fn of(zone: &str, start: &str, end: &str) -> Span {
        let ns = |text| u64::try_from(at(text)).unwrap() * 1_000_000_000;
        span_of(&Zone::named(zone).unwrap(), &kernel::Span { start_ns: ns(start), end_ns: ns(end) })
    }

    fn hour(start: &str) -> Span {
        Span { start: at(start), level: Level::Hour, seconds: 3600 }
    }

    #[test]
    fn an_epoch_goes_to_the_hour_of_its_midpoint() {
        let of = |start: &str, end: &str| {
            of("UTC", &format!("2019-10-04T{start}Z"), &format!("2019-10-04T{end}Z"))
        };
        let eight = hour("2019-10-04T08:00:00Z");
        assert_eq!(of("08:00:00", "08:00:10"), eight);
        assert_eq!(of("08:00:00", "09:00:00"), eight);
        assert_eq!(of("07:59:55", "08:00:06"), eight);
        assert_eq!(of("08:59:50", "09:00:05"), eight);
        assert_eq!(of("08:59:50", "09:00:10").start, eight.start + 3600, "a midpoint on the hour");
    }

    #[test]
    fn an_overhang_of_a_minute_is_taken() {
        let of = |start: &str, end: &str| {
            of("UTC", &format!("2019-10-04T{start}Z"), &format!("2019-10-04T{end}Z"))
        };
        let eight = hour("2019-10-04T08:00:00Z");
        assert_eq!(of("08:10:00", "09:01:00"), eight);
        assert_eq!(of("07:59:20", "09:00:20"), eight, "20 s on one side, 40 s on the other");
        let coarse = of("08:10:00", "09:01:01");
        assert_eq!((coarse.level, coarse.start, coarse.seconds), (Level::Coarse, eight.start + 600, 3061));
        assert_eq!(of("07:59:30", "09:00:31").level, Level::Coarse);
    }

    #[test]
    fn a_coarse_span_is_of_whole_seconds() {
        let epoch = kernel::Span { start_ns: 1_500_000_000, end_ns: 7_200_000_000_001 };
        let span = span_of(&Zone::named("UTC").unwrap(), &epoch);
        assert_eq!((span.level, span.start, span.seconds), (Level::Coarse, 1, 7200));
    }

    #[test]
    fn hours_are_those_of_the_clock() {
        let kolkata = of("Asia/Kolkata", "2019-10-04T08:31:00Z", "2019-10-04T08:31:10Z");
        assert_eq!(kolkata, hour("2019-10-04T08:30:00Z"));
        // 03:00 that is shown twice in Berlin.
        let first = of("Europe/Berlin", "2019-10-27T00:59:00Z", "2019-10-27T00:59:10Z");
        let second = of("Europe/Berlin", "2019-10-27T01:00:00Z", "2019-10-27T01:00:10Z");
        assert_eq!((first, second), (hour("2019-10-27T00:00:00Z"), hour("2019-10-27T01:00:00Z")));
    }

    #[test]
    fn times_that_cannot_be() {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let turned = span_of(&zone, &kernel::Span { start_ns: 5_000_000_000, end_ns: 0 });
        assert_eq!(turned.level, Level::Hour);
        for (start_ns, end_ns) in [(u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX, 0)] {
            let span = span_of(&zone, &kernel::Span { start_ns, end_ns });
            assert!(span.seconds > 0, "{span:?}");
        }
    }
}
