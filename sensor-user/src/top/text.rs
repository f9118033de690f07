//! Texts that fit: cleaned, cut to a width, numbers short enough, series as bars.
//!
//! Widths are columns of a terminal.

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::export::rows::grouped;

/// Longest text of others that is shown, in characters.
const LONGEST: usize = 500;

/// A text of others without what a terminal would obey: control characters are replaced, and what takes no
/// column (marks of direction among them) is left out.
pub fn clean(text: &str) -> String {
    let shown = text.chars().filter_map(|character| match character {
        '\u{2028}' | '\u{2029}' => Some('\u{fffd}'),
        _ if character.is_control() => Some('\u{fffd}'),
        _ => (character.width() > Some(0)).then_some(character),
    });
    shown.take(LONGEST).collect()
}

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text of at most so many columns; `…` stands for what is cut off.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = columns.saturating_sub(1);
    for character in text.chars() {
        let Some(rest) = left.checked_sub(character.width().unwrap_or(0)) else { break };
        left = rest;
        short.push(character);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// A text of exactly so many columns, at their left or right end.
pub fn fit(text: &str, columns: usize, is_right: bool) -> String {
    let text = cut(text, columns);
    let blanks = " ".repeat(columns.saturating_sub(width(&text)));
    if is_right { blanks + &text } else { text + &blanks }
}

/// A count in so many columns: in full where that fits, else in thousands, millions and so on (`12.3 M`).
pub fn count(count: u64, columns: usize) -> String {
    let full = grouped(count);
    if full.len() <= columns {
        return full;
    }
    let mut rest = count as f64;
    for unit in ["k", "M", "G", "T", "P", "E"] {
        rest /= 1000.0;
        // 999.95 would be written 1000.0.
        if rest < 999.95 {
            let digits = if rest < 99.95 { 1 } else { 0 };
            return format!("{rest:.digits$} {unit}");
        }
    }
    full
}

/// A number a second in so many columns; small ones with a decimal.
pub fn rate(rate: f64, columns: usize) -> String {
    if rate > 0.0 && rate < 9.95 { format!("{rate:.1}") } else { count(rate.round() as u64, columns) }
}

/// A time in RFC 3339.
pub fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Date and time, UTC, of a time in RFC 3339, such as `2026-11-23 20:14:08Z`.
pub fn date_and_time(text: &str) -> String {
    let written = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    moment(text).map_or_else(|| clean(text), written)
}

/// A time of day, UTC, such as `20:14:08Z`.
pub fn time_of_day(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

/// Values as bars in rows of text from the top, each value a column. The largest reaches the top; any value above
/// 0 has at least the lowest step.
pub fn bars(values: &[f64], rows: usize) -> Vec<String> {
    const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let highest = rows * 8;
    let steps = |value: f64| {
        if value > 0.0 && largest > 0.0 {
            ((value / largest * highest as f64).round() as usize).clamp(1, highest)
        } else {
            0
        }
    };
    let row =
        |below: usize| values.iter().map(|value| STEPS[steps(*value).saturating_sub(below).min(8)]).collect();
    (0..rows).rev().map(|row_from_below| row(row_from_below * 8)).collect()
}

/// Values and the lengths they were counted in as rates of at most so many columns, oldest first: neighbours
/// are put together. What has no length has no rate.
pub fn rates(counts: &[u64], seconds: &[f64], columns: usize) -> Vec<f64> {
    let points = counts.len().min(seconds.len());
    let together = points.div_ceil(columns.max(1)).max(1);
    // The newest group is whole, the oldest may be smaller.
    let first = match points % together {
        0 => together,
        rest => rest,
    };
    let mut rates = Vec::with_capacity(columns);
    let mut from = 0;
    while from < points {
        let to = if from == 0 { first.min(points) } else { from + together };
        let count: f64 = counts[from..to].iter().map(|count| *count as f64).sum();
        let length: f64 = seconds[from..to].iter().copied().filter(|length| *length > 0.0).sum();
        rates.push(if length > 0.0 { count / length } else { 0.0 });
        from = to;
    }
    rates
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        assert_eq!(
            clean("eth1\u{1b}[2J\u{7}\u{9b}31m\r\n"),
            "eth1\u{fffd}[2J\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}"
        );
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{2028}日本"), "abc\u{fffd}日本");
        assert_eq!(clean(&"x".repeat(10_000)).len(), LONGEST);
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("telnet", 6), "telnet");
        assert_eq!(cut("telnet", 5), "teln…");
        assert_eq!(cut("日本国", 5), "日本…");
        assert_eq!(cut("日本国", 4), "日…");
        assert_eq!(cut("telnet", 1), "…");
        assert_eq!(cut("telnet", 0), "");
        assert_eq!(fit("日本国", 4, false), "日… ");
        assert_eq!(fit("7", 3, true), "  7");
    }

    #[test]
    fn counts_fit() {
        assert_eq!(count(1_234_567, 9), "1,234,567");
        assert_eq!(count(1_234_567, 8), "1.2 M");
        assert_eq!(count(123_456, 6), "123 k");
        assert_eq!(count(999_999, 6), "1.0 M");
        assert_eq!(count(u64::MAX, 13), "18.4 E");
        assert_eq!(count(0, 1), "0");
        assert_eq!(rate(0.0, 5), "0");
        assert_eq!(rate(0.25, 5), "0.2");
        assert_eq!(rate(9.96, 5), "10");
        assert_eq!(rate(1e30, 9), "18.4 E");
        assert_eq!(rate(f64::NAN, 9), "0");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(date_and_time("2026-11-23T20:14:08.5Z"), "2026-11-23 20:14:08Z");
        assert_eq!(date_and_time("2026-11-24T05:14:08+09:00"), "2026-11-23 20:14:08Z");
        assert_eq!(date_and_time("some\n day"), "some\u{fffd} day");
        assert_eq!(moment("2026-11-23T20:14:08Z").map(time_of_day).as_deref(), Some("20:14:08Z"));
    }

    #[test]
    fn bars_show_the_largest_whole_and_the_smallest_at_all() {
        assert_eq!(bars(&[0.0, 1.0, 50.0, 100.0], 1), [" ▁▄█"]);
        assert_eq!(bars(&[25.0, 50.0, 75.0, 100.0], 2), ["  ▄█", "▄███"]);
        assert_eq!(bars(&[0.0, 0.0], 1), ["  "]);
        assert_eq!(bars(&[f64::NAN, f64::INFINITY, 1.0], 1), [" ██"]);
        assert_eq!(bars(&[], 1), [""]);
        assert_eq!(bars(&[1.0], 0), [""; 0]);
    }

    #[test]
    fn neighbours_are_put_together() {
        assert_eq!(rates(&[10, 20, 30], &[10.0, 10.0, 10.0], 5), [1.0, 2.0, 3.0]);
        assert_eq!(rates(&[10, 20, 30], &[10.0, 10.0, 10.0], 2), [1.0, 2.5]);
        assert_eq!(rates(&[10, 20, 30], &[10.0, 0.0, -1.0], 3), [1.0, 0.0, 0.0]);
        assert_eq!(rates(&[10, 20], &[10.0], 3), [1.0]);
        assert_eq!(rates(&[], &[], 3), [0.0; 0]);
        assert_eq!(rates(&[10, 20], &[10.0, 10.0], 0), [1.5]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,30}", columns in 0_usize..20, number: u64) {
            let text = clean(&text);
            prop_assert!(width(&cut(&text, columns)) <= columns);
            prop_assert_eq!(width(&fit(&text, columns, true)), columns);
            prop_assert!(count(number, columns).len() <= columns.max(6));
        }

        #[test]
        fn rates_are_no_more_than_columns(counts in prop::collection::vec(0_u64..1000, 0..800), columns in 1_usize..200) {
            let seconds = vec![10.0; counts.len()];
            prop_assert!(rates(&counts, &seconds, columns).len() <= columns);
        }
    }
}
