//! Time zones, and the hours and days of their clocks.

use std::time::Duration;

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

/// Time from `now_ns` (nanoseconds since 1970) until counts are to be taken out that are taken out `every`
/// so often: at multiples of it from the start of the zone's hour on, and at that hour's end, so that
/// none of them belongs to two hours; without a zone, at multiples of it since 1970. Never 0.
pub fn boundary(now_ns: u64, every: Duration, zone: Option<&Zone>) -> Duration {
    const SECOND: i128 = 1_000_000_000;
    let now = i128::from(now_ns);
    let every = i128::try_from(every.as_nanos()).unwrap_or(i128::MAX).max(1);
    let rest = match zone {
        None => every - now % every,
        Some(zone) => {
            // Far within 64 bits: 2^64 ns are 585 years.
            let hour = zone.hour_of((now / SECOND) as i64);
            let since = now - i128::from(hour.start) * SECOND;
            (every - since % every).min(i128::from(hour.end()) * SECOND - now)
        }
    };
    Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
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
    pub fn date_of(&self, second: i64) -> Date {
        let date = self.clock(second).date();
        let next = date.tomorrow().unwrap_or(date);
        if self.start_of(next) <= second.clamp(FIRST, LAST) { next } else { date }
    }

    /// What the clock shows.
    pub fn clock(&self, second: i64) -> DateTime {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The hours of the day that holds a time, in minutes.
    fn minutes(zone: &Zone, time: &str) -> Vec<i64> {
        let day = zone.day_of(second(time));
        let mut hours = vec![zone.hour_of(day.start)];
        while let Some(hour) = hours.last().filter(|hour| hour.end() < day.end()) {
            hours.push(zone.hour_of(hour.end()));
        }
        assert_eq!((hours[0].start, hours[hours.len() - 1].end()), (day.start, day.end()));
        hours.iter().map(|hour| hour.seconds / 60).collect()
    }

    #[test]
    fn zones_have_iana_names() {
        for name in ["UTC", "Asia/Tokyo", "Europe/Paris"] {
            assert_eq!(zone(name).name(), name);
        }
        assert_eq!(zone("asia/tokyo").name(), "Asia/Tokyo");
        assert!(!Zone::system().name().is_empty());
        for name in ["", "JST-9", "+09:00", "Etc/Unknown", "Asia", "../etc/passwd", "Asia/Tokyo\0"] {
            let error = Zone::named(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{name}` is no time zone; write UTC, or")), "{error}");
        }
    }

    #[test]
    fn hours_are_of_the_zones_clock() {
        let hour = |name: &str, time: &str| zone(name).hour_of(second(time));
        let full = |start: &str| Slot { start: second(start), seconds: 3600 };
        assert_eq!(hour("UTC", "1970-01-01T00:59:59Z"), Slot { start: 0, seconds: 3600 });
        assert_eq!(hour("UTC", "1969-12-31T23:59:59Z"), Slot { start: -3600, seconds: 3600 });
        assert_eq!(hour("Asia/Tokyo", "2019-10-03T12:34:56Z"), full("2019-10-03T12:00:00Z"));
        assert_eq!(hour("Asia/Kolkata", "2019-10-03T12:34:56Z"), full("2019-10-03T12:30:00Z"));
        assert_eq!(hour("Asia/Kolkata", "2019-10-03T12:29:59Z"), full("2019-10-03T11:30:00Z"));
        assert_eq!(hour("Asia/Kathmandu", "2019-10-03T12:34:56Z"), full("2019-10-03T12:15:00Z"));
    }

    #[test]
    fn counts_are_taken_out_at_the_hours_end() {
        let next = |name: &str, time: &str, every: u64| {
            let now = time.parse::<Timestamp>().unwrap();
            let rest = boundary(
                u64::try_from(now.as_nanosecond()).unwrap(),
                Duration::from_secs(every),
                Some(&zone(name)).filter(|zone| zone.name() != "UTC"),
            );
            assert!(!rest.is_zero());
            (now + rest).to_string()
        };
        // Without a zone, since 1970.
        assert_eq!(next("UTC", "2019-10-03T12:34:56.5Z", 10), "2019-10-03T12:35:00Z");
        assert_eq!(next("UTC", "2019-10-03T12:00:00Z", 7), "2019-10-03T12:00:04Z");
        let london = "Europe/London";
        assert_eq!(next(london, "2019-10-03T12:00:00Z", 7), "2019-10-03T12:00:07Z");
        assert_eq!(next(london, "2019-10-03T12:59:58Z", 7), "2019-10-03T13:00:00Z", "3599 is 514 * 7 + 1");
        assert_eq!(next(london, "2019-10-03T12:00:01Z", 3600), "2019-10-03T13:00:00Z");
        assert_eq!(next(london, "2019-10-03T12:00:01Z", 86_400), "2019-10-03T13:00:00Z");
        // Half an hour off.
        assert_eq!(next("Asia/Kolkata", "2019-10-03T12:29:59.999999999Z", 3600), "2019-10-03T12:30:00Z");
        assert_eq!(next("Asia/Kolkata", "2019-10-03T12:30:00Z", 3600), "2019-10-03T13:30:00Z");
        assert_eq!(next("Asia/Kolkata", "2019-10-03T12:35:00Z", 2400), "2019-10-03T13:10:00Z");
        // The clock is set: by an hour at an hour's end, by half an hour within what would be one.
        assert_eq!(next("Europe/Berlin", "2019-03-31T00:50:00Z", 3000), "2019-03-31T01:00:00Z");
        assert_eq!(next("Europe/Berlin", "2019-03-31T01:00:00Z", 3000), "2019-03-31T01:50:00Z");
        assert_eq!(next("Australia/Lord_Howe", "2019-04-06T15:10:00Z", 3000), "2019-04-06T15:30:00Z");
        let lord_howe = zone("Australia/Lord_Howe");
        let set = lord_howe.hour_of(second("2019-10-05T15:40:00Z"));
        assert_eq!(set.seconds, 1800);
        let end = Timestamp::from_second(set.end()).unwrap().to_string();
        assert_eq!(next("Australia/Lord_Howe", "2019-10-05T15:40:00Z", 3600), end);
    }

    #[test]
    fn days_are_of_the_zones_clock() {
        let day = zone("Asia/Tokyo").day_of(second("2019-10-03T12:34:56Z"));
        assert_eq!(day, Slot { start: second("2019-10-02T15:00:00Z"), seconds: 86_400 });
        let day = zone("Asia/Kolkata").day_of(second("2019-10-03T18:30:00Z"));
        assert_eq!(day.start, second("2019-10-03T18:30:00Z"));
        assert_eq!(zone("Asia/Kolkata").rfc3339(day.start), "2019-10-04T00:00:00+05:30");
        assert_eq!(zone("UTC").rfc3339(0), "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn a_clock_that_is_set() {
        // Forward: 23 hours. Back: 25.
        let new_york = zone("America/New_York");
        assert_eq!(minutes(&new_york, "2019-03-10T12:00:00Z"), [60; 23]);
        assert_eq!(minutes(&new_york, "2019-11-03T12:00:00Z"), [60; 25]);
        let twice =
            ["2019-11-03T05:30:00Z", "2019-11-03T06:30:00Z"].map(|time| new_york.hour_of(second(time)));
        assert_eq!(
            twice.map(|hour| new_york.rfc3339(hour.start)),
            ["2019-11-03T01:00:00-04:00", "2019-11-03T01:00:00-05:00"]
        );
        // By half an hour: the hour from 02:00 begins at 02:30, and 01:30 to 02:00 comes twice.
        let lord_howe = zone("Australia/Lord_Howe");
        let mut forward = vec![60; 24];
        forward[2] = 30;
        assert_eq!(minutes(&lord_howe, "2019-10-05T20:00:00Z"), forward);
        let mut back = vec![60; 25];
        back[2] = 30;
        assert_eq!(minutes(&lord_howe, "2019-04-06T20:00:00Z"), back);
    }

    #[test]
    fn days_that_are_skipped_or_begin_late() {
        let apia = zone("Pacific/Apia");
        let before = apia.day_of(second("2011-12-30T09:59:59Z"));
        assert_eq!(apia.rfc3339(before.start), "2011-12-29T00:00:00-10:00");
        assert_eq!(before.seconds, 86_400);
        assert_eq!(apia.rfc3339(before.end()), "2011-12-31T00:00:00+14:00");
        assert_eq!(minutes(&apia, "2011-12-30T10:00:00Z"), [60; 24]);
        // Midnight is skipped; half of the skipped hour belongs to the day before; shown twice.
        for (name, time, start, hours) in [
            ("America/Sao_Paulo", "2015-10-18T12:00:00Z", "2015-10-18T01:00:00-02:00", 23.0),
            ("America/Toronto", "1919-03-31T12:00:00Z", "1919-03-31T00:30:00-04:00", 23.5),
            ("America/St_Johns", "2010-11-07T12:00:00Z", "2010-11-07T00:00:00-02:30", 25.0),
        ] {
            let zone = zone(name);
            let day = zone.day_of(second(time));
            assert_eq!(zone.rfc3339(day.start), start);
            assert_eq!(day.seconds as f64 / 3600.0, hours, "{name}");
            assert_eq!(minutes(&zone, time).iter().sum::<i64>() as f64 / 60.0, hours, "{name}");
        }
    }

    #[test]
    fn the_ends_of_time_are_the_calendars() {
        for name in ["UTC", "Asia/Tokyo", "Pacific/Apia", "Australia/Lord_Howe"] {
            let zone = zone(name);
            for (beyond, edge) in [(i64::MIN, FIRST), (i64::MAX, LAST), (FIRST - 1, FIRST), (LAST + 1, LAST)]
            {
                for slot_of in [Zone::hour_of, Zone::day_of] {
                    let slot = slot_of(&zone, beyond);
                    assert_eq!(slot, slot_of(&zone, edge));
                    assert!(slot.start <= edge && edge < slot.end(), "{name}");
                }
                assert_eq!(zone.rfc3339(beyond), zone.rfc3339(edge));
            }
        }
        assert_eq!(Timestamp::MIN.as_second(), FIRST - 2 * 86_400);
        assert_eq!(Timestamp::MAX.as_second(), LAST + 2 * 86_400);
    }

    fn names() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(
            &[
                "UTC",
                "Asia/Tokyo",
                "Asia/Kolkata",
                "Asia/Kathmandu",
                "America/New_York",
                "America/St_Johns",
                "America/Sao_Paulo",
                "America/Toronto",
                "Africa/Casablanca",
                "Africa/Monrovia",
                "Europe/Dublin",
                "Europe/Amsterdam",
                "Australia/Lord_Howe",
                "Pacific/Apia",
                "Pacific/Kwajalein",
                "Antarctica/Troll",
            ][..],
        )
    }

    /// Seconds of 1900 to 2060, of which half are near a change of the clock.
    fn check(name: &str, second: i64, near: bool, around: i64) -> Result<(), TestCaseError> {
        let zone = zone(name);
        let change = zone.zone.following(timestamp(second)).next().filter(|_| near);
        let second = change.map_or(second, |change| change.timestamp().as_second() + around);
        let day = zone.day_of(second);
        prop_assert!(day.start <= second && second < day.end(), "{:?}", day);
        for other in [day.start, day.end() - 1] {
            prop_assert_eq!(zone.day_of(other), day);
        }
        prop_assert_eq!(zone.day_of(day.end()).start, day.end());
        let hour = zone.hour_of(second);
        prop_assert!(hour.start <= second && second < hour.end() && hour.seconds <= 3600, "{:?}", hour);
        prop_assert!(zone.clock(hour.start).hour() == zone.clock(hour.end() - 1).hour());
        let mut next = day.start;
        while next < day.end() {
            let hour = zone.hour_of(next);
            prop_assert_eq!(hour.start, next);
            prop_assert!(hour.seconds > 0);
            for inside in [hour.start + hour.seconds / 2, hour.end() - 1] {
                prop_assert_eq!(zone.hour_of(inside), hour);
            }
            next = hour.end();
        }
        prop_assert_eq!(next, day.end());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn every_second_has_one_hour_and_hours_tile_the_day(
            name in names(),
            second in -2_208_988_800i64..2_840_140_800,
            near in any::<bool>(),
            around in -90_000i64..90_000,
        ) {
            check(name, second, near, around)?;
        }
    }
}
