//! Languages: their messages, and how each writes numbers, dates and lists.
//!
//! Sentences stand whole in the message files (Project Fluent), one per language; the code gives them values. What a
//! number or a date looks like is a message, too, so that a further language needs its file and no code.

use clap::ValueEnum;
use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use jiff::{
    civil::{Date, DateTime},
    fmt::temporal::Pieces,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unic_langid::{LanguageIdentifier, langid};

/// A language that reports are written in.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    ValueEnum,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Lang {
    /// English
    #[default]
    En,
    /// Japanese
    Ja,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The text of its message file.
    const fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("messages/en.ftl"),
            Self::Ja => include_str!("messages/ja.ftl"),
        }
    }

    const fn id(self) -> LanguageIdentifier {
        match self {
            Self::En => langid!("en"),
            Self::Ja => langid!("ja"),
        }
    }

    /// What stands between two sentences.
    pub const fn gap(self) -> &'static str {
        match self {
            Self::En => " ",
            Self::Ja => "",
        }
    }
}

/// The messages of a language.
pub struct Messages {
    lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

/// A message with its values by name: `say!(messages, "id", name = value)`.
macro_rules! say {
    ($messages:expr, $id:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $messages.get($id, &[$((stringify!($name), ::fluent_bundle::FluentValue::from($value))),*])
    };
}
pub(crate) use say;

impl Messages {
    /// The bundled messages of a language.
    pub fn new(lang: Lang) -> Self {
        let mut bundle = FluentBundle::new(vec![lang.id()]);
        // Marks around values are for texts of mixed direction, and would stand in every table and CSV file.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(number) if number.value.fract() == 0.0 => Some(integer(number.value)),
            _ => None,
        }));
        let (resource, mut wrong) = match FluentResource::try_new(lang.source().to_owned()) {
            Ok(resource) => (resource, Vec::new()),
            Err((resource, errors)) => (resource, errors.iter().map(ToString::to_string).collect()),
        };
        let errors = [bundle.add_builtins().err().into_iter().collect(), {
            bundle.add_resource(resource).err().unwrap_or_default()
        }];
        wrong.extend(errors.iter().flatten().map(ToString::to_string));
        debug_assert!(wrong.is_empty(), "messages of {}: {wrong:?}", lang.tag());
        Self { lang, bundle }
    }

    pub const fn lang(&self) -> Lang {
        self.lang
    }

    /// A message with values put in. Whole numbers are written with separators of thousands. The tests see to it that
    /// no message and no value is missing; where one were, its name would stand in its place.
    pub fn get(&self, id: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            debug_assert!(false, "there is no message {id}");
            return id.to_owned();
        };
        let args: FluentArgs<'_> = values.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&args), &mut errors);
        debug_assert!(errors.is_empty(), "message {id}: {errors:?}");
        text.into_owned()
    }

    /// `A, B and C`.
    pub fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [head @ .., last] => {
                let head = head
                    .iter()
                    .cloned()
                    .reduce(|head, item| say!(self, "list-more", head = head, item = item))
                    .unwrap_or_default();
                say!(self, "list-last", head = head, item = last.as_str())
            }
        }
    }

    /// `4 October 2019`.
    pub fn date(&self, date: Date) -> String {
        let (month, day) = (date.month(), date.day());
        say!(self, "date", year = date.year().to_string(), month = month, day = day)
    }

    /// `4 October`; with the year if it is another than that of `near`.
    pub fn date_near(&self, date: Date, near: Date) -> String {
        if date.year() != near.year() {
            return self.date(date);
        }
        say!(self, "date-day", month = date.month(), day = date.day())
    }

    /// `4 Oct`, for charts and tables.
    pub fn date_short(&self, date: Date) -> String {
        say!(self, "date-short", month = date.month(), day = date.day())
    }

    /// `4 October to 31 December 2019`; of a single day that day.
    pub fn dates(&self, first: Date, last: Date) -> String {
        let (year, month, day) = (first.year().to_string(), first.month(), first.day());
        if first == last {
            self.date(first)
        } else if first.year() != last.year() {
            say!(self, "dates", first = self.date(first), last = self.date(last))
        } else if first.month() == last.month() {
            say!(self, "dates-of-month", year = year, month = month, day = day, last_day = last.day())
        } else {
            let (last_month, last_day) = (last.month(), last.day());
            say!(
                self,
                "dates-of-year",
                year = year,
                month = month,
                day = day,
                last_month = last_month,
                last_day = last_day,
            )
        }
    }

    /// A time of RFC 3339 with its offset: `4 October 2019, 18:00 (UTC+09:00)`. Other texts stay as they are.
    pub fn time(&self, text: &str) -> String {
        match read_time(text) {
            Some((time, offset)) => say!(self, "time", time = self.clock(time), offset = offset),
            None => text.to_owned(),
        }
    }

    /// From one time to another, both with their offsets, which are told once where they are the same.
    pub fn times(&self, from: &str, to: &str) -> String {
        let (Some((begin, offset)), Some((end, end_offset))) = (read_time(from), read_time(to)) else {
            return say!(self, "times-apart", from = from, to = to);
        };
        if offset != end_offset {
            return say!(self, "times-apart", from = self.time(from), to = self.time(to));
        }
        let to = if begin.date() != end.date() {
            self.clock_on(self.date_near(end.date(), begin.date()), end)
        } else if end.minute() == 0 {
            say!(self, "clock-time-hour", hour = self.hour(end))
        } else {
            say!(self, "clock-time", hour = self.hour(end), minute = two(end.minute()))
        };
        say!(self, "times", from = self.clock(begin), to = to, offset = offset)
    }

    fn clock(&self, time: DateTime) -> String {
        self.clock_on(self.date(time.date()), time)
    }

    fn hour(&self, time: DateTime) -> String {
        match self.lang {
            Lang::En => two(time.hour()),
            Lang::Ja => time.hour().to_string(),
        }
    }

    fn clock_on(&self, date: String, time: DateTime) -> String {
        let hour = self.hour(time);
        if time.minute() == 0 {
            return say!(self, "clock-hour", date = date, hour = hour);
        }
        say!(self, "clock", date = date, hour = hour, minute = two(time.minute()))
    }

    /// A part of 1 with one decimal: `12.3%`. What would be 0.0% and is not is less than 0.1%.
    pub fn share(&self, share: f64) -> String {
        if share > 0.0 && share < 0.000_5 {
            return say!(self, "percent-less", least = "0.1");
        }
        say!(self, "percent", value = decimals(share * 100.0, 1))
    }

    /// A relative change, with its sign: `+25.0%`; tenfold and more without decimals.
    pub fn relative(&self, change: f64) -> String {
        let percent = change * 100.0;
        let value = decimals(percent.abs(), if percent.abs() < 1_000.0 { 1 } else { 0 });
        match percent {
            _ if value.bytes().all(|byte| matches!(byte, b'0' | b'.')) => {
                say!(self, "percent", value = value)
            }
            percent if percent < 0.0 => say!(self, "percent-down", value = value),
            _ => say!(self, "percent-up", value = value),
        }
    }

    /// The size of a relative change, without its sign: `25.0%`.
    pub fn size_of_change(&self, change: f64) -> String {
        let percent = change.abs() * 100.0;
        say!(self, "percent", value = decimals(percent, if percent < 1_000.0 { 1 } else { 0 }))
    }

    /// A count of people's size, as an estimate deserves: three digits, in the language's units.
    pub fn about(&self, count: u64) -> String {
        let digits = count.checked_ilog10().unwrap_or(0);
        let step = 10_u64.pow(digits.saturating_sub(2));
        let rounded = count.saturating_add(step / 2) / step * step;
        let text = integer(rounded as f64);
        match self.lang {
            Lang::Ja if rounded >= 100_000_000 => format!("{}億", figures(rounded as f64 / 1e8)),
            Lang::Ja if rounded >= 10_000 => format!("{}万", figures(rounded as f64 / 1e4)),
            _ => text,
        }
    }
}

/// Three digits, or two or one if the rest are zeros: `112`, `1.5`.
fn figures(value: f64) -> String {
    let places = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let text = decimals(value, places);
    if places > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Date and time of day of an RFC 3339 text, and its offset: `UTC+09:00`.
pub(super) fn read_time(text: &str) -> Option<(DateTime, String)> {
    let pieces = Pieces::parse(text).ok()?;
    let time = pieces.date().to_datetime(pieces.time()?);
    let seconds = pieces.to_numeric_offset()?.seconds();
    let (sign, minutes) = (if seconds < 0 { '\u{2212}' } else { '+' }, seconds.unsigned_abs() / 60);
    Some((time, format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)))
}

fn two(number: i8) -> String {
    format!("{number:02}")
}

/// With separators of thousands: `1,234`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A whole number, with a true minus sign.
fn integer(value: f64) -> String {
    let text = thousands(value.abs() as u64);
    if value < 0.0 { format!("\u{2212}{text}") } else { text }
}

/// A change in count, with its sign: `+1,234`, `−1,234`, `±0`.
pub fn signed(change: i64) -> String {
    let text = thousands(change.unsigned_abs());
    match change {
        0 => "±0".into(),
        change if change < 0 => format!("\u{2212}{text}"),
        _ => format!("+{text}"),
    }
}

/// With so many decimals, and separators of thousands.
pub fn decimals(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    let dot = if rest.is_empty() { "" } else { "." };
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "\u{2212}" } else { "" };
    format!("{sign}{whole}{dot}{rest}")
}

/// A mean, with as many digits as it deserves: `340`, `9.4`, `0.08`; a whole number without decimals.
pub fn level(value: f64) -> String {
    let size = value.abs();
    let places = if size.fract() == 0.0 || size >= 9.95 {
        0
    } else if size >= 0.095 {
        1
    } else {
        2
    };
    decimals(value, places)
}

/// A rate per address and day, to three digits: `104.8`, `9.43`, `0.071`.
pub fn rate(value: f64) -> String {
    let places = match value.abs() {
        size if size >= 999.5 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.095 => 2,
        _ => 3,
    };
    decimals(value, places)
}

#[cfg(test)]
mod tests;
