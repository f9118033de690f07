//! Time zones, and the hours and days of their clocks.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// A time zone by its IANA name.
///
/// Rules are those of the machine's database of time zones, or where there is none of the one that
/// was built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

/// A name that no time zone has.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no time zone; write UTC, or a name of the IANA database such as Asia/Tokyo or Europe/Paris"
)]
pub struct ZoneError(String);

/// A stretch of time: an hour, or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Seconds since 1970 (UTC).
    pub start: i64,
    pub seconds: i64,
}

impl Slot {
    /// The first second after it.
    pub const fn end(self) -> i64 {
        self.start + self.seconds
    }

    const fn between(start: i64, end: i64) -> Self {
        Self { start, seconds: end - start }
    }
}

/// The first and the last second that slots are cut for, two days within what the calendar knows:
/// the years −9999 to 9999. What lies beyond is taken for them.
const FIRST: i64 = -377_705_023_201 + 2 * 86_400;
pub(super) const LAST: i64 = 253_402_207_200 - 2 * 86_400;

fn timestamp(second: i64) -> Timestamp {
    // Within the range, so the default is never taken.
    Timestamp::from_second(second.clamp(FIRST, LAST)).unwrap_or_default()
}

impl Zone {
    /// The time zone of an IANA name, such as `Asia/Tokyo`, or `UTC`; in either case of letters.
    ///
    /// # Errors
    ///
    /// If no time zone has this name.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        TimeZone::get(name).ok().and_then(Self::of).ok_or_else(|| ZoneError(name.to_owned()))
    }

    /// The machine's time zone, or UTC where it has none with a name.
    pub fn system() -> Self {
        TimeZone::try_system()
            .ok()
            .and_then(Self::of)
            .unwrap_or_else(|| Self { zone: TimeZone::UTC, name: "UTC".to_owned() })
    }

    fn of(zone: TimeZone) -> Option<Self> {
        let name = zone.iana_name()?.to_owned();
        Some(Self { zone, name })
    }

    /// The IANA name, or `UTC`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hour of this zone's clock that a second falls in.
    ///
    /// Hours begin when the clock shows a full hour, so not at a full hour of UTC in zones that are
    /// half an hour off. They never reach beyond their day. Where the clock is set, an hour ends and
    /// another begins; so an hour that the clock shows twice is two, and one is shorter if the clock
    /// was set by half an hour.
    ///
    /// Seconds beyond the calendar's years −9999 to 9999 fall in its first or last hour.
    pub fn hour_of(&self, second: i64) -> Slot {
        let at = timestamp(second);
        let second = at.as_second();
        let offset = self.zone.to_offset(at);
        let day = self.day_of(second);
        let mut start = second - (second + i64::from(offset.seconds())).rem_euclid(3600);
        let mut end = (start + 3600).min(day.end());
        start = start.max(day.start);
        // When the clock was set within the hour: last before the second, or at it, and first after it.
        let set_before = |change: i64| self.offset(change - 1) != offset;
        let changes = self.zone.preceding(timestamp(second + 1)).map(|change| change.timestamp().as_second());
        start =
            changes.take_while(|&change| change > start).find(|&change| set_before(change)).unwrap_or(start);
        let changes = self.zone.following(at).map(|change| (change.timestamp().as_second(), change.offset()));
        end = changes
            .take_while(|&(change, _)| change < end)
            .find_map(|(change, after)| (after != offset).then_some(change))
            .unwrap_or(end);
        Slot::between(start, end)
    }

    /// The day that a second falls in: from its midnight to the next one, on this zone's clock; 23 to
    /// 25 hours.
    ///
    /// Where the clock skips midnight, the day begins when it does so; where it shows midnight twice,
    /// at the first. Seconds beyond the calendar's years −9999 to 9999 fall in its first or last day.
    pub fn day_of(&self, second: i64) -> Slot {
        let date = self.date_of(second);
        Slot::between(self.start_of(date), self.start_of(date.tomorrow().unwrap_or(date)))
    }

    /// A time with its offset, as RFC 3339 has it: `2019-10-03T00:00:00+09:00`.
    pub fn rfc3339(&self, second: i64) -> String {
        timestamp(second).display_with_offset(self.offset(second)).to_string()
    }

    /// The date of the day that a second falls in. Where a clock is set back over midnight it shows
    /// the day before once more: that counts as the new day.
    pub(super) fn date_of(&self, second: i64) -> Date {
        let date = self.clock(second).date();
        let next = date.tomorrow().unwrap_or(date);
        if self.start_of(next) <= second.clamp(FIRST, LAST) { next } else { date }
    }

    /// What the clock shows.
    pub(super) fn clock(&self, second: i64) -> DateTime {
        self.zone.to_datetime(timestamp(second))
    }

    /// When the clock first shows a time, or for a time that it skips, as long after that as the time
    /// is after the skipped stretch's begin. `None` beyond the calendar.
    pub(super) fn second_at(&self, clock: DateTime) -> Option<i64> {
        let second = self.zone.to_timestamp(clock).ok()?.as_second();
        (FIRST..=LAST).contains(&second).then_some(second)
    }

    /// The first second of a date; that of the next date there is, if the clock skipped it.
    pub(super) fn start_of(&self, date: Date) -> i64 {
        let midnight = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        let is_skipped = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
        let Ok(start) = midnight.compatible() else {
            let end = if date.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
            return end.as_second();
        };
        let start = start.as_second();
        if !is_skipped {
            return start;
        }
        // When the clock was set: at or before the time that is made of the skipped one.
        let mut changes = self.zone.preceding(timestamp(start + 1));
        changes.next().map_or(start, |change| change.timestamp().as_second())
    }

    fn offset(&self, second: i64) -> Offset {
        self.zone.to_offset(timestamp(second))
    }
}
