//! Periods of time that are asked for, and single times.

use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime, ISOWeekDate, Weekday},
};

use super::zone::{LAST, Slot, Zone};

const DAY: i64 = 86_400;

/// A stretch of time, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    pub kind: PeriodKind,
    /// Seconds since 1970 (UTC).
    pub start: i64,
    /// The first second after it.
    pub end: i64,
}

/// What a period was asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeriodKind {
    Day,
    /// From Monday to Sunday, as ISO 8601 numbers weeks.
    Week,
    Month,
    Quarter,
    Year,
    /// Some days.
    Days,
    /// From one time to another.
    Span,
}

/// Why a text is no period, or no time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error(
        "`{0}` is no period; write a day (2019-10-03), a week (2019-W40), a month (2019-10), a quarter \
         (2019-Q4), a year (2019), FROM..TO, today, yesterday, last-week, last-month, last-quarter or last-year"
    )]
    Unknown(String),
    #[error(
        "`{0}` is no time; write a date (2019-10-03), one with a time (2019-10-03T12:00, or with an offset \
         2019-10-03T12:00:00+09:00), now, today, yesterday, or how long ago: -90s, -30m, -36h, -7d, -2w"
    )]
    Time(String),
    #[error("`{text}` does not exist: {reason}")]
    NoSuch { text: String, reason: String },
    #[error("`{text}` does not exist in {zone}, whose clocks skipped it")]
    Skipped { text: String, zone: String },
    #[error("`{0}` is empty: it must begin before it ends (a date as the end is included, a time is not)")]
    Empty(String),
    #[error("`{0}` is beyond the calendar, which ends in December 9999")]
    Range(String),
    #[error("`{0}` is not in the past; name an end as well")]
    NotPast(String),
}

impl Period {
    /// The period of a text, on the clock of `zone`:
    ///
    /// - `2019-10-03`, `2019-W40`, `2019-10`, `2019-Q4`, `2019`: a day, an ISO week, a month, a quarter,
    ///   a year;
    /// - `today`, `yesterday`, `last-week`, `last-month`, `last-quarter`, `last-year`: the day of `now`,
    ///   and the last whole ones before it;
    /// - `FROM..TO`: what [`instant`] takes. A date as TO is included, a time is not:
    ///   `2019-10-01..2019-10-31` has 31 days, `2019-10-01T00:00..2019-10-31T00:00` has 30.
    ///
    /// `now` is in seconds since 1970 (UTC).
    ///
    /// # Errors
    ///
    /// If the text is none of these, or the period is empty, does not exist or is beyond the calendar.
    pub fn parse(text: &str, zone: &Zone, now: i64) -> Result<Self, PeriodError> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once("..") {
            return Self::between(text, from.trim(), to.trim(), zone, now);
        }
        let last = |kind| {
            let current = Self::holding(kind, zone.date_of(now), zone);
            current.map(|period| period.previous(zone)).ok_or_else(|| PeriodError::Range(text.to_owned()))
        };
        let (kind, date) = match text {
            "today" => (PeriodKind::Day, zone.date_of(now)),
            "yesterday" => return last(PeriodKind::Day),
            "last-week" => return last(PeriodKind::Week),
            "last-month" => return last(PeriodKind::Month),
            "last-quarter" => return last(PeriodKind::Quarter),
            "last-year" => return last(PeriodKind::Year),
            _ => calendar(text)?.ok_or_else(|| PeriodError::Unknown(text.to_owned()))?,
        };
        let period = Self::holding(kind, date, zone).ok_or_else(|| PeriodError::Range(text.to_owned()))?;
        if period.start == period.end {
            return Err(PeriodError::Skipped { text: text.to_owned(), zone: zone.name().to_owned() });
        }
        Ok(period)
    }

    /// From a time to another, each of which is what [`instant`] takes. A date as the end is included, a time is not.
    /// Without an end the period ends with the hour of now, which is kept as a whole.
    ///
    /// # Errors
    ///
    /// Those of [`Period::parse`], and if what has no end does not begin in the past.
    pub fn from(from: &str, to: Option<&str>, zone: &Zone, now: i64) -> Result<Self, PeriodError> {
        if let Some(to) = to {
            return Self::parse(&format!("{from}..{to}"), zone, now);
        }
        let (start, end) = (instant(from, zone, now)?, zone.hour_of(now).end());
        if start >= end {
            return Err(PeriodError::NotPast(from.to_owned()));
        }
        Ok(Self { kind: PeriodKind::Span, start, end })
    }

    /// The last 7 days: to the end of the hour of now.
    pub fn last_days(zone: &Zone, now: i64) -> Self {
        let start = zone.hour_of(now.saturating_sub(7 * DAY)).start;
        Self { kind: PeriodKind::Span, start, end: zone.hour_of(now).end() }
    }

    fn between(text: &str, from: &str, to: &str, zone: &Zone, now: i64) -> Result<Self, PeriodError> {
        let (from, to) = (point(from, zone, now)?, point(to, zone, now)?);
        let kind = match (&from, &to) {
            (Point::Date(_), Point::Date(_)) => PeriodKind::Days,
            _ => PeriodKind::Span,
        };
        let start = from.start(zone);
        let end = match to {
            Point::Date(date) => zone.start_of(date.tomorrow().unwrap_or(date)),
            Point::Second(second) => second,
        };
        if start >= LAST || end >= LAST {
            return Err(PeriodError::Range(text.to_owned()));
        }
        if start >= end {
            return Err(PeriodError::Empty(text.to_owned()));
        }
        Ok(Self { kind, start, end })
    }

    /// The day, week, month, quarter or year of a date; `None` beyond the calendar.
    fn holding(kind: PeriodKind, date: Date, zone: &Zone) -> Option<Self> {
        let (first, next) = match kind {
            PeriodKind::Day | PeriodKind::Days | PeriodKind::Span => (date, date.tomorrow()),
            PeriodKind::Week => {
                let monday =
                    date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok()?;
                (monday, monday.checked_add(1.week()))
            }
            PeriodKind::Month => (date.first_of_month(), date.first_of_month().checked_add(1.month())),
            PeriodKind::Quarter => {
                let into = (date.month() - 1) % 3;
                let first = date.first_of_month().checked_sub(i64::from(into).months()).ok()?;
                (first, first.checked_add(3.months()))
            }
            PeriodKind::Year => (date.first_of_year(), date.first_of_year().checked_add(1.year())),
        };
        let (start, end) = (zone.start_of(first), zone.start_of(next.ok()?));
        (end < LAST).then_some(Self { kind, start, end })
    }

    /// The period of the same kind just before: the day, week, month, quarter or year before, the same
    /// number of days, or the same number of seconds.
    pub fn previous(&self, zone: &Zone) -> Self {
        let before = match self.kind {
            PeriodKind::Days => {
                let (first, next) = (zone.date_of(self.start), zone.date_of(self.end));
                let days = first.duration_until(next).as_hours() / 24;
                zone.start_of(first.checked_sub(days.days()).unwrap_or(Date::MIN))
            }
            PeriodKind::Span => self.start.saturating_sub(self.end.saturating_sub(self.start)),
            kind => {
                let before = zone.date_of(self.start.saturating_sub(1));
                Self::holding(kind, before, zone).map_or(self.start, |period| period.start)
            }
        };
        Self { kind: self.kind, start: before, end: self.start }
    }

    /// The period of the same kind just after; `None` beyond the calendar.
    pub fn next(&self, zone: &Zone) -> Option<Self> {
        let end = match self.kind {
            PeriodKind::Days => {
                let (first, next) = (zone.date_of(self.start), zone.date_of(self.end));
                let days = first.duration_until(next).as_hours() / 24;
                zone.start_of(next.checked_add(days.days()).ok()?)
            }
            PeriodKind::Span => self.end.saturating_add(self.end.saturating_sub(self.start)),
            kind => Self::holding(kind, zone.date_of(self.end), zone)?.end,
        };
        (self.end < end && end < LAST).then_some(Self { kind: self.kind, start: self.end, end })
    }

    /// The days that the period touches, in order. A [`PeriodKind::Span`] may begin and end within one.
    pub fn days(&self, zone: &Zone) -> impl Iterator<Item = Slot> {
        let (mut next, end) = (self.start, self.end);
        std::iter::from_fn(move || {
            let day = (next < end).then(|| zone.day_of(next))?;
            // A day of the calendar's end may lie before.
            let is_ahead = day.end() > next;
            next = day.end();
            is_ahead.then_some(day)
        })
    }

    /// A text that [`Period::parse`] reads as this period, in the same zone.
    pub fn text(&self, zone: &Zone) -> String {
        let first = zone.date_of(self.start);
        let (year, month) = (first.year(), first.month());
        match self.kind {
            PeriodKind::Day => first.to_string(),
            PeriodKind::Week => {
                let week = first.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            PeriodKind::Month => format!("{year:04}-{month:02}"),
            PeriodKind::Quarter => format!("{year:04}-Q{}", (month + 2) / 3),
            PeriodKind::Year => format!("{year:04}"),
            PeriodKind::Days => format!("{first}..{}", zone.date_of(self.end.saturating_sub(1))),
            PeriodKind::Span => format!("{}..{}", zone.rfc3339(self.start), zone.rfc3339(self.end)),
        }
    }
}

/// The time of a text, in seconds since 1970 (UTC):
///
/// - `2019-10-03T12:00:00+09:00`, `2019-10-03T03:00:00Z`; seconds may be left out, parts of a second
///   are dropped, and a space may stand for the `T`;
/// - `2019-10-03T12:00`: on the clock of `zone`. Of a time that it shows twice the first is meant; one
///   that it skips is as long after the skipped stretch's begin as it would have been;
/// - `2019-10-03`, `today`, `yesterday`: the begin of the day;
/// - `now`; `-90s`, `-30m`, `-36h`: that long before now; `-7d`, `-2w`: days or weeks ago, at the same
///   time on the clock.
///
/// # Errors
///
/// If the text is none of these, or the time does not exist or is beyond the calendar.
pub fn instant(text: &str, zone: &Zone, now: i64) -> Result<i64, PeriodError> {
    let text = text.trim();
    let second = point(text, zone, now)?.start(zone);
    if second >= LAST { Err(PeriodError::Range(text.to_owned())) } else { Ok(second) }
}

/// An end of a period.
enum Point {
    Date(Date),
    Second(i64),
}

impl Point {
    fn start(&self, zone: &Zone) -> i64 {
        match *self {
            Self::Date(date) => zone.start_of(date),
            Self::Second(second) => second,
        }
    }
}

fn point(text: &str, zone: &Zone, now: i64) -> Result<Point, PeriodError> {
    let unknown = || PeriodError::Time(text.to_owned());
    let range = || PeriodError::Range(text.to_owned());
    match text {
        "now" => return Ok(Point::Second(now)),
        "today" => return Ok(Point::Date(zone.date_of(now))),
        "yesterday" => {
            let today = zone.day_of(now);
            return Ok(Point::Date(zone.date_of(today.start - 1)));
        }
        _ => {}
    }
    if let Some(ago) = text.strip_prefix('-') {
        let (count, unit) = ago.split_at_checked(ago.len().saturating_sub(1)).ok_or_else(unknown)?;
        let count = i64::from(digits::<u32>(count).ok_or_else(unknown)?);
        let clock = |days: i64| {
            let span = Span::new().try_days(days);
            let then = span.and_then(|span| zone.clock(now).checked_sub(span)).map_err(|_| range())?;
            zone.second_at(then).ok_or_else(range)
        };
        return Ok(Point::Second(match unit {
            "s" => now.saturating_sub(count),
            "m" => now.saturating_sub(count * 60),
            "h" => now.saturating_sub(count * 3600),
            "d" => clock(count)?,
            "w" => clock(count.saturating_mul(7))?,
            _ => return Err(unknown()),
        }));
    }
    match calendar(text.get(..10).ok_or_else(unknown)?)? {
        Some((PeriodKind::Day, date)) if text.len() == 10 => return Ok(Point::Date(date)),
        Some((PeriodKind::Day, _)) => {}
        _ => return Err(unknown()),
    }
    let time = text[10..].strip_prefix(['T', 't', ' ']).ok_or_else(unknown)?;
    if time.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')) {
        let clock: DateTime = text.parse().map_err(|_| unknown())?;
        return zone.second_at(clock).map(Point::Second).ok_or_else(range);
    }
    // A name of a zone in brackets might contradict its offset.
    if time.contains('[') {
        return Err(unknown());
    }
    let time: Timestamp = text.parse().map_err(|_| unknown())?;
    Ok(Point::Second(time.as_second() - i64::from(time.subsec_nanosecond() < 0)))
}

/// Kind and first date of a year, quarter, month, week or day; `None` for texts of another form.
fn calendar(text: &str) -> Result<Option<(PeriodKind, Date)>, PeriodError> {
    let none = |reason: String| PeriodError::NoSuch { text: text.to_owned(), reason };
    let mut parts = text.split('-');
    let (year, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let is_year = year.len() == 4 && parts.next().is_none();
    let Some(year) = digits::<i16>(year).filter(|_| is_year) else {
        return Ok(None);
    };
    let two = |part: &str| if part.len() == 2 { digits::<i8>(part) } else { None };
    let date = |month, day| Date::new(year, month, day).ok();
    let first = |month| date(month, 1).ok_or_else(|| none("a year has months 01 to 12".to_owned()));
    Ok(Some(match (second, third) {
        (None, None) => (PeriodKind::Year, first(1)?),
        (Some(quarter), None) if quarter.starts_with('Q') => {
            let Some(quarter) = digits::<i8>(&quarter[1..]).filter(|_| quarter.len() == 2) else {
                return Ok(None);
            };
            if !(1..=4).contains(&quarter) {
                return Err(none("a year has quarters Q1 to Q4".to_owned()));
            }
            (PeriodKind::Quarter, first(3 * quarter - 2)?)
        }
        (Some(week), None) if week.starts_with('W') => {
            let Some(week) = two(&week[1..]) else {
                return Ok(None);
            };
            let monday = ISOWeekDate::new(year, week, Weekday::Monday).map_err(|_| {
                let weeks = ISOWeekDate::new(year, 53, Weekday::Monday).map_or(52, |_| 53);
                none(format!("{year:04} has weeks W01 to W{weeks}"))
            })?;
            (PeriodKind::Week, monday.date())
        }
        (Some(month), None) => match two(month) {
            Some(month) => (PeriodKind::Month, first(month)?),
            None => return Ok(None),
        },
        (Some(month), Some(day)) => {
            let (Some(month), Some(day)) = (two(month), two(day)) else {
                return Ok(None);
            };
            let days = first(month)?.days_in_month();
            let day = date(month, day);
            (PeriodKind::Day, day.ok_or_else(|| none(format!("{year:04}-{month:02} has days 01 to {days}")))?)
        }
        (None, Some(_)) => return Ok(None),
    }))
}

/// A number of nothing but digits.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday, 14 November 2019, 12:34:56 in Tokyo.
    const NOW: i64 = 1_573_702_496;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    /// Start, end and text of a period.
    fn read(text: &str, name: &str) -> [String; 3] {
        let zone = zone(name);
        let period = Period::parse(text, &zone, NOW).unwrap();
        let again = period.text(&zone);
        assert_eq!(Period::parse(&again, &zone, 0), Ok(period), "{text} became {again}");
        [zone.rfc3339(period.start), zone.rfc3339(period.end), again]
    }

    fn tokyo(text: &str) -> [String; 2] {
        let [start, end, again] = read(text, "Asia/Tokyo");
        for time in [&start, &end] {
            assert!(time.ends_with("T00:00:00+09:00"), "{time}");
        }
        [start[..10].to_owned() + ".." + &end[..10], again]
    }

    fn previous(text: &str, zone: &Zone) -> String {
        let period = Period::parse(text, zone, NOW).unwrap();
        let previous = period.previous(zone);
        assert_eq!((previous.end, previous.kind), (period.start, period.kind));
        previous.text(zone)
    }

    fn error(text: &str) -> String {
        Period::parse(text, &zone("Asia/Tokyo"), NOW).unwrap_err().to_string()
    }

    #[test]
    fn periods_of_the_calendar() {
        for (text, days) in [
            ("2019-10-03", "2019-10-03..2019-10-04"),
            ("2019-12-31", "2019-12-31..2020-01-01"),
            ("2020-02-29", "2020-02-29..2020-03-01"),
            ("2019-W40", "2019-09-30..2019-10-07"),
            // Week 1 may begin in December, week 53 end in January.
            ("2020-W01", "2019-12-30..2020-01-06"),
            ("2020-W53", "2020-12-28..2021-01-04"),
            ("2021-W01", "2021-01-04..2021-01-11"),
            ("2019-10", "2019-10-01..2019-11-01"),
            ("2020-02", "2020-02-01..2020-03-01"),
            ("2019-12", "2019-12-01..2020-01-01"),
            ("2019-Q1", "2019-01-01..2019-04-01"),
            ("2019-Q4", "2019-10-01..2020-01-01"),
            ("2019", "2019-01-01..2020-01-01"),
            ("2019-10-01..2019-10-31", "2019-10-01..2019-11-01"),
            ("2019-10-01..2019-10-01", "2019-10-01..2019-10-02"),
        ] {
            assert_eq!(tokyo(text), [days, text]);
        }
    }

    #[test]
    fn periods_of_today() {
        for (text, meant) in [
            ("today", "2019-11-14"),
            (" yesterday ", "2019-11-13"),
            ("last-week", "2019-W45"),
            ("last-month", "2019-10"),
            ("last-quarter", "2019-Q3"),
            ("last-year", "2018"),
            ("yesterday..today", "2019-11-13..2019-11-14"),
        ] {
            assert_eq!(tokyo(text)[1], meant);
        }
        // It was yesterday in New York still.
        let [.., today] = read("today", "America/New_York");
        assert_eq!(today, "2019-11-13");
        let new_year = 1_577_804_400; // 2020-01-01 in Tokyo
        for (text, meant) in [
            ("yesterday", "2019-12-31"),
            ("last-week", "2019-W52"),
            ("last-month", "2019-12"),
            ("last-quarter", "2019-Q4"),
        ] {
            let zone = zone("Asia/Tokyo");
            assert_eq!(Period::parse(text, &zone, new_year).unwrap().text(&zone), meant);
        }
    }

    #[test]
    fn the_period_before_is_of_the_same_kind() {
        let tokyo = zone("Asia/Tokyo");
        for (text, before) in [
            ("2020-03-01", "2020-02-29"),
            ("2021-W01", "2020-W53"),
            ("2020-W01", "2019-W52"),
            ("2020-03", "2020-02"),
            ("2020-01", "2019-12"),
            ("2020-Q1", "2019-Q4"),
            ("2021", "2020"),
            ("2019-10-01..2019-10-31", "2019-08-31..2019-09-30"),
            ("2020-03-01..2020-03-02", "2020-02-28..2020-02-29"),
            ("2019-10-03T12:00..2019-10-04T18:00", "2019-10-02T06:00:00+09:00..2019-10-03T12:00:00+09:00"),
        ] {
            assert_eq!(previous(text, &tokyo), before);
        }
        // The day before is one that the clock did not skip; a week before a change is a week of days.
        assert_eq!(previous("2011-12-31", &zone("Pacific/Apia")), "2011-12-29");
        let new_york = zone("America/New_York");
        assert_eq!(previous("2019-11-03..2019-11-09", &new_york), "2019-10-27..2019-11-02");
        assert_eq!(previous("2019-W45", &new_york), "2019-W44");
    }

    #[test]
    fn the_period_after_is_of_the_same_kind() {
        for (text, name, after) in [
            ("2020-02-28", "Asia/Tokyo", "2020-02-29"),
            ("2020-W53", "Asia/Tokyo", "2021-W01"),
            ("2019-12", "Asia/Tokyo", "2020-01"),
            ("2019-Q4", "Asia/Tokyo", "2020-Q1"),
            ("2019", "Asia/Tokyo", "2020"),
            ("2019-08-31..2019-09-30", "Asia/Tokyo", "2019-10-01..2019-10-31"),
            (
                "2019-10-02T06:00..2019-10-03T12:00",
                "Asia/Tokyo",
                "2019-10-03T12:00:00+09:00..2019-10-04T18:00:00+09:00",
            ),
            // The clock skipped a day, and was set back.
            ("2011-12-29", "Pacific/Apia", "2011-12-31"),
            ("2019-10-27..2019-11-02", "America/New_York", "2019-11-03..2019-11-09"),
        ] {
            let zone = zone(name);
            let period = Period::parse(text, &zone, NOW).unwrap();
            let next = period.next(&zone).unwrap();
            assert_eq!((next.start, next.kind), (period.end, period.kind));
            assert_eq!(next.text(&zone), after, "{text}");
            assert_eq!(next.previous(&zone).end, next.start);
        }
        let tokyo = zone("Asia/Tokyo");
        let last = Period::parse("9998", &tokyo, NOW).unwrap();
        assert_eq!(last.next(&tokyo), None);
    }

    #[test]
    fn what_has_no_end_ends_with_this_hour() {
        let tokyo = zone("Asia/Tokyo");
        let said = |period: Period| (tokyo.rfc3339(period.start), tokyo.rfc3339(period.end));
        let until = |from, to| Period::from(from, to, &tokyo, NOW);
        let end = "2019-11-14T13:00:00+09:00".to_owned();
        assert_eq!(said(until("-36h", None).unwrap()), ("2019-11-13T00:34:56+09:00".to_owned(), end.clone()));
        assert_eq!(
            until("2019-10-01", Some("2019-10-31")),
            Period::parse("2019-10-01..2019-10-31", &tokyo, 0)
        );
        assert_eq!(said(Period::last_days(&tokyo, NOW)), ("2019-11-07T12:00:00+09:00".to_owned(), end));
        let error = until("2019-11-15", None).unwrap_err().to_string();
        assert_eq!(error, "`2019-11-15` is not in the past; name an end as well");
        assert!(matches!(until("x", None), Err(PeriodError::Time(text)) if text == "x"));
    }

    #[test]
    fn times_stand_on_the_zones_clock() {
        for (text, name, [start, end]) in [
            ("2019-11-03", "America/New_York", ["2019-11-03T00:00:00-04:00", "2019-11-04T00:00:00-05:00"]),
            ("2019-W10", "America/New_York", ["2019-03-04T00:00:00-05:00", "2019-03-11T00:00:00-04:00"]),
            ("2019-10", "Australia/Lord_Howe", ["2019-10-01T00:00:00+10:30", "2019-11-01T00:00:00+11:00"]),
            ("2019-10-03", "Asia/Kolkata", ["2019-10-03T00:00:00+05:30", "2019-10-04T00:00:00+05:30"]),
            (
                "2019-10-03T12:30..2019-10-03 20:00:01",
                "Asia/Kolkata",
                ["2019-10-03T12:30:00+05:30", "2019-10-03T20:00:01+05:30"],
            ),
            (
                "2019-10-03T12:00Z..2019-10-03",
                "Asia/Kolkata",
                ["2019-10-03T17:30:00+05:30", "2019-10-04T00:00:00+05:30"],
            ),
            ("-36h..now", "Asia/Tokyo", ["2019-11-13T00:34:56+09:00", "2019-11-14T12:34:56+09:00"]),
        ] {
            assert_eq!(read(text, name)[..2], [start, end]);
        }
    }

    #[test]
    fn instants() {
        let at = |text: &str, name: &str| {
            let zone = zone(name);
            zone.rfc3339(instant(text, &zone, NOW).unwrap())
        };
        for (text, time) in [
            ("now", "2019-11-14T12:34:56+09:00"),
            ("-90s", "2019-11-14T12:33:26+09:00"),
            ("-30m", "2019-11-14T12:04:56+09:00"),
            ("-36h", "2019-11-13T00:34:56+09:00"),
            ("-7d", "2019-11-07T12:34:56+09:00"),
            ("-2w", "2019-10-31T12:34:56+09:00"),
            ("today", "2019-11-14T00:00:00+09:00"),
            ("yesterday", "2019-11-13T00:00:00+09:00"),
            ("2019-10-03", "2019-10-03T00:00:00+09:00"),
            ("2019-10-03T12:00", "2019-10-03T12:00:00+09:00"),
            ("2019-10-03 12:00:59.9", "2019-10-03T12:00:59+09:00"),
            ("2019-10-03T12:00:00+02:00", "2019-10-03T19:00:00+09:00"),
            ("2019-10-03T12:00:00-02:30", "2019-10-03T23:30:00+09:00"),
            ("2019-10-03t12:00:00z", "2019-10-03T21:00:00+09:00"),
            ("1969-12-31T23:59:59.5Z", "1970-01-01T08:59:59+09:00"),
        ] {
            assert_eq!(at(text, "Asia/Tokyo"), time, "{text}");
        }
        // The clock went back between; a day ago it showed the same time.
        assert_eq!(at("-14d", "America/New_York"), "2019-10-30T22:34:56-04:00");
        assert_eq!(at("-336h", "America/New_York"), "2019-10-30T23:34:56-04:00");
        // Shown twice, and skipped.
        assert_eq!(at("2019-11-03T01:30", "America/New_York"), "2019-11-03T01:30:00-04:00");
        assert_eq!(at("2019-03-10T02:30", "America/New_York"), "2019-03-10T03:30:00-04:00");
        assert_eq!(at("2011-12-30", "Pacific/Apia"), "2011-12-31T00:00:00+14:00");
    }

    #[test]
    fn days_tile_a_period() {
        for (text, name, count, hours) in [
            ("2019-Q4", "Asia/Tokyo", 92, 92 * 24),
            ("2019-11", "America/New_York", 30, 30 * 24 + 1),
            ("2020", "Australia/Lord_Howe", 366, 366 * 24),
            ("2011-12", "Pacific/Apia", 30, 30 * 24),
            ("2019-10-03T12:00..2019-10-05T00:00", "Asia/Kolkata", 2, 48),
        ] {
            let zone = zone(name);
            let days: Vec<Slot> = Period::parse(text, &zone, NOW).unwrap().days(&zone).collect();
            assert_eq!(days.len(), count, "{text}");
            assert_eq!(days.iter().map(|day| day.seconds).sum::<i64>(), hours * 3600);
            assert!(days.windows(2).all(|pair| pair[0].end() == pair[1].start));
        }
    }

    #[test]
    fn bad_texts_say_what_to_write() {
        for text in [
            "",
            "x",
            "20",
            "20191003",
            "2019-1",
            "2019-10-3",
            "2019-10-03-01",
            "2019-Q",
            "2019-W1",
            "+019",
            "2019-Q04",
            "-7d",
            "2019-10-03T12:00",
            "Last-Week",
            "２０１９",
            "2019-W４",
            "2019--01",
            "二〇一九年",
        ] {
            assert!(
                error(text).starts_with(&format!("`{text}` is no period; write a day (2019-10-03)")),
                "{text}"
            );
        }
        for (text, wrong) in [
            ("2019-10..2019-12", "2019-10"),
            ("2019-10-01..", ""),
            ("..2019-10-01", ""),
            ("2019-10-01...2019-10-02", ".2019-10-02"),
            ("-7..now", "-7"),
            ("-d..now", "-d"),
            ("-..now", "-"),
            ("-1é..now", "-1é"),
            ("--1d..now", "--1d"),
            ("2019-10-01T24:00..now", "2019-10-01T24:00"),
            ("2019-10-01T..now", "2019-10-01T"),
            ("2019-10-01T12:00[Asia/Tokyo]..now", "2019-10-01T12:00[Asia/Tokyo]"),
            ("2019-10-0é..now", "2019-10-0é"),
        ] {
            assert!(
                error(text).starts_with(&format!("`{wrong}` is no time; write a date")),
                "{text}: {}",
                error(text)
            );
        }
        for (text, reason) in [
            ("2019-13", "`2019-13` does not exist: a year has months 01 to 12"),
            ("2019-00", "`2019-00` does not exist: a year has months 01 to 12"),
            ("2019-Q5", "`2019-Q5` does not exist: a year has quarters Q1 to Q4"),
            ("2019-W53", "`2019-W53` does not exist: 2019 has weeks W01 to W52"),
            ("2020-W54", "`2020-W54` does not exist: 2020 has weeks W01 to W53"),
            ("2019-W00", "`2019-W00` does not exist: 2019 has weeks W01 to W52"),
            ("2019-02-29", "`2019-02-29` does not exist: 2019-02 has days 01 to 28"),
            ("2019-02-29T12:00..now", "`2019-02-29` does not exist: 2019-02 has days 01 to 28"),
            ("2019-10-02..2019-10-01", "`2019-10-02..2019-10-01` is empty"),
            ("now..now", "`now..now` is empty"),
            ("9999", "`9999` is beyond the calendar"),
            ("2019-01-01..9999-12-31", "`2019-01-01..9999-12-31` is beyond the calendar"),
            ("-4294967295w..now", "`-4294967295w` is beyond the calendar"),
        ] {
            assert!(error(text).starts_with(reason), "{text}: {}", error(text));
        }
        let apia = Period::parse("2011-12-30", &zone("Pacific/Apia"), NOW).unwrap_err().to_string();
        assert_eq!(apia, "`2011-12-30` does not exist in Pacific/Apia, whose clocks skipped it");
        assert!(instant("9999-12-31T23:00Z", &zone("UTC"), NOW).is_err());
        assert!(instant("9999-12-31", &zone("UTC"), NOW).is_err());
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for name in ["UTC", "Pacific/Apia", "America/New_York"] {
            let zone = zone(name);
            for now in [i64::MIN, i64::MIN + 1, -377_705_023_201, 253_402_207_200, i64::MAX] {
                for text in
                    ["today", "yesterday", "last-week", "last-quarter", "last-year", "-7d..now", "-36h..now"]
                {
                    if let Ok(period) = Period::parse(text, &zone, now) {
                        assert!(period.previous(&zone).start <= period.start);
                        assert!(period.days(&zone).count() < 400);
                        assert!(!period.text(&zone).is_empty());
                    }
                    let _ = instant(text.split('.').next().unwrap_or_default(), &zone, now);
                }
            }
            for text in ["0000", "0000-01-01..9999-01-01", "0000-01-01T00:00Z..9999-01-01T00:00Z"] {
                let period = Period::parse(text, &zone, NOW).unwrap();
                let before = period.previous(&zone);
                assert!(before.start < period.start, "{text}");
                assert!(!before.text(&zone).is_empty());
            }
        }
    }
}
