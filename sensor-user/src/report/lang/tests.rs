//! That messages are complete, and what numbers, dates and lists look like.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use jiff::civil::date;

use super::*;

type Variables = BTreeSet<String>;

fn add_inline(inline: &InlineExpression<&str>, found: &mut Variables) {
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => add(expression, found),
        InlineExpression::FunctionReference { arguments, .. } => {
            arguments.positional.iter().for_each(|inline| add_inline(inline, found));
        }
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        other => panic!("messages do not refer to each other: {other:?}"),
    }
}

fn add(expression: &Expression<&str>, found: &mut Variables) {
    match expression {
        Expression::Inline(inline) => add_inline(inline, found),
        Expression::Select { selector, variants } => {
            add_inline(selector, found);
            variants.iter().for_each(|variant| add_pattern(&variant.value, found));
        }
    }
}

fn add_pattern(pattern: &Pattern<&str>, found: &mut Variables) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => {
                assert!(!value.contains('\n'), "a message has one line: {value}");
            }
            PatternElement::Placeable { expression } => add(expression, found),
        }
    }
}

/// The variables of each message.
fn messages(lang: Lang) -> BTreeMap<String, Variables> {
    let resource = FluentResource::try_new(lang.source().to_owned()).unwrap();
    let mut all = BTreeMap::new();
    for entry in resource.entries() {
        match entry {
            Entry::Message(message) => {
                let mut found = Variables::new();
                add_pattern(message.value.as_ref().unwrap(), &mut found);
                let before = all.insert(message.id.name.to_owned(), found);
                assert!(before.is_none(), "{} is there twice", message.id.name);
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            other => panic!("{}: {other:?}", lang.tag()),
        }
    }
    all
}

#[test]
fn every_language_has_every_message_with_the_same_values() {
    let (en, ja) = (messages(Lang::En), messages(Lang::Ja));
    for (id, variables) in &en {
        assert_eq!(Some(variables), ja.get(id), "of {id} in Japanese");
    }
    assert_eq!(en.keys().collect::<Vec<_>>(), ja.keys().collect::<Vec<_>>());
}

/// Sources that say messages, without their tests.
fn sources() -> String {
    let report = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report");
    let mut text = fs::read_to_string(report.join("lang.rs")).unwrap();
    for entry in fs::read_dir(report.join("compose")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("tests.rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// Names of the values that each call of `say!` gives.
fn calls(source: &str) -> Vec<(String, Variables)> {
    let mut calls = Vec::new();
    for call in source.split("say!(").skip(1) {
        let Some((_, rest)) = call.split_once('"') else { continue };
        let Some((id, rest)) = rest.split_once('"') else { continue };
        let (mut depth, mut quoted, mut argument) = (0, false, String::new());
        let mut given = Variables::new();
        let mut letters = rest.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => quoted = !quoted,
                _ if quoted => {}
                ')' if depth == 0 => break,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => argument.clear(),
                '=' if depth == 0 && !matches!(letters.peek(), Some('=' | '>')) => {
                    given.insert(argument.trim().to_owned());
                }
                letter if depth == 0 => argument.push(letter),
                _ => {}
            }
        }
        calls.push((id.to_owned(), given));
    }
    calls
}

#[test]
fn every_message_is_said_with_its_values() {
    let source = sources();
    let known = messages(Lang::En);
    let calls = calls(&source);
    assert!(calls.len() > 300, "only {} calls were found", calls.len());
    for (id, given) in calls {
        // In the macro's documentation.
        if id == "id" {
            continue;
        }
        assert_eq!(known.get(&id), Some(&given), "of {id}");
    }
    for id in known.keys() {
        assert!(source.contains(&format!("\"{id}\"")), "{id} is never said");
    }
}

fn both() -> [Messages; 2] {
    Lang::ALL.map(Messages::new)
}

#[test]
fn dates_are_written_by_the_language() {
    let (day, last) = (date(2019, 10, 4), date(2019, 12, 31));
    let expected = [
        [
            "4 October 2019",
            "4 October",
            "4 October 2019",
            "4 Oct",
            "4 October to 31 December 2019",
            "4 to 6 October 2019",
            "31 December 2019 to 4 January 2020",
            "4 October 2019",
        ],
        [
            "2019年10月4日",
            "10月4日",
            "2019年10月4日",
            "10月4日",
            "2019年10月4日から12月31日",
            "2019年10月4日から6日",
            "2019年12月31日から2020年1月4日",
            "2019年10月4日",
        ],
    ];
    for (m, expected) in both().iter().zip(expected) {
        let written = [
            m.date(day),
            m.date_near(day, last),
            m.date_near(day, date(2020, 1, 1)),
            m.date_short(day),
            m.dates(day, last),
            m.dates(day, date(2019, 10, 6)),
            m.dates(last, date(2020, 1, 4)),
            m.dates(day, day),
        ];
        assert_eq!(written, expected);
    }
}

#[test]
fn every_month_has_its_name() {
    let m = Messages::new(Lang::En);
    let months: Vec<String> = (1..=12).map(|month| m.date(date(2020, month, 29 - 1))).collect();
    let expected = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    assert_eq!(months, expected.map(|month| format!("28 {month} 2020")));
    let short: Vec<String> = (1..=12).map(|month| m.date_short(date(2020, month, 1))).collect();
    assert_eq!(short, expected.map(|month| format!("1 {}", &month[..3])));
}

#[test]
fn times_have_their_offset_once_where_that_is_enough() {
    let [en, ja] = both();
    let (begin, end) = ("2019-11-16T18:00:00+09:00", "2019-11-23T09:30:00+09:00");
    assert_eq!(en.time(begin), "16 November 2019, 18:00 (UTC+09:00)");
    assert_eq!(ja.time(begin), "2019年11月16日18時（UTC+09:00）");
    assert_eq!(en.time("2019-11-16T03:05:00-03:30"), "16 November 2019, 03:05 (UTC−03:30)");
    assert_eq!(ja.time("2019-11-16T03:05:00+05:30"), "2019年11月16日3時05分（UTC+05:30）");
    assert_eq!(en.times(begin, end), "16 November 2019, 18:00 to 23 November, 09:30 (UTC+09:00)");
    assert_eq!(ja.times(begin, end), "2019年11月16日18時から11月23日9時30分（UTC+09:00）");
    assert_eq!(en.times(begin, "2019-11-16T20:00:00+09:00"), "16 November 2019, 18:00 to 20:00 (UTC+09:00)");
    assert_eq!(
        ja.times(begin, "2020-01-01T00:00:00+09:00"),
        "2019年11月16日18時から2020年1月1日0時（UTC+09:00）"
    );
    // A clock was put back in between.
    assert_eq!(
        en.times("2019-10-27T00:00:00+02:00", "2019-10-28T00:00:00+01:00"),
        "27 October 2019, 00:00 (UTC+02:00) to 28 October 2019, 00:00 (UTC+01:00)"
    );
    // What is no time stays as it is.
    assert_eq!(en.time("yesterday"), "yesterday");
    assert_eq!(en.times("a", "b"), "a to b");
}

#[test]
fn numbers_have_separators_and_the_digits_they_deserve() {
    assert_eq!([0, 999, 1_000, 12_345_678].map(thousands), ["0", "999", "1,000", "12,345,678"]);
    assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!(
        [0, 1_234, -1_234, i64::MIN].map(signed),
        ["±0", "+1,234", "−1,234", "−9,223,372,036,854,775,808"]
    );
    assert_eq!(
        [0.0, 12.0, 3.0, 340.4, 9.44, 9.96, 0.08, 1_430.5].map(level),
        ["0", "12", "3", "340", "9.4", "10", "0.08", "1,430"]
    );
    assert_eq!([104.83, 9.426, 0.0712, 1_864.1, 12.0].map(rate), ["104.8", "9.43", "0.071", "1,864", "12.0"]);
    assert_eq!(decimals(-0.04, 1), "0.0");
    assert_eq!(decimals(-1_234.56, 1), "−1,234.6");
    assert_eq!(decimals(f64::NAN, 1), "NaN");
}

#[test]
fn parts_are_percentages() {
    let [en, ja] = both();
    assert_eq!(
        [0.0, 0.123_4, 1.0, 0.000_4, 0.000_6].map(|part| en.share(part)),
        ["0.0%", "12.3%", "100.0%", "<0.1%", "0.1%"]
    );
    assert_eq!(ja.share(0.000_4), "0.1%未満");
    assert_eq!(
        [0.25, -0.111, 0.0, 27.333, -0.000_1].map(|part| ja.relative(part)),
        ["+25.0%", "−11.1%", "0.0%", "+2,733%", "0.0%"]
    );
}

#[test]
fn estimates_are_told_to_three_digits() {
    let [en, ja] = both();
    let counts = [0, 7, 871, 9_402, 310_000, 1_122_334, 15_000, 123_456_789];
    assert_eq!(
        counts.map(|count| en.about(count)),
        ["0", "7", "871", "9,400", "310,000", "1,120,000", "15,000", "123,000,000"]
    );
    assert_eq!(
        counts.map(|count| ja.about(count)),
        ["0", "7", "871", "9,400", "31万", "112万", "1.5万", "1.23億"]
    );
    assert!(!en.about(u64::MAX).is_empty() && !ja.about(u64::MAX).is_empty());
}

#[test]
fn lists_and_ranks_are_joined_by_the_languages_custom() {
    let [en, ja] = both();
    let items = ["A", "B", "C"].map(str::to_owned);
    assert_eq!([0, 1, 2, 3].map(|count| en.list(&items[..count])), ["", "A", "A and B", "A, B and C"]);
    assert_eq!(ja.list(&items), "A、B、C");
    let ranks = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 1_000];
    assert_eq!(
        ranks.map(|rank: u32| say!(en, "rank", rank = rank)),
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd", "1,000th"]
    );
    assert_eq!(say!(ja, "rank", rank = 13), "13位");
}
