//! The tables: what stands in them, in which order, and which columns fit.

use std::cmp::{Ordering, Reverse};

use super::text::{bars, clean, count, fit, moment, rate, rates, width};
use crate::{
    model::Service,
    report::{lang::Lang, names::Names},
    serve::live::{Packets, Snapshot},
};

/// Five-minute slots that a last hour may touch.
const SLOTS: usize = 13;

/// What a table is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Ports,
    Regions,
    Tools,
    Backscatter,
    Sensors,
    Interfaces,
}

impl View {
    pub const ALL: [Self; 6] =
        [Self::Ports, Self::Regions, Self::Tools, Self::Backscatter, Self::Sensors, Self::Interfaces];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Regions => "regions",
            Self::Tools => "tools",
            Self::Backscatter => "backscatter",
            Self::Sensors => "sensors",
            Self::Interfaces => "interfaces",
        }
    }

    /// The view that stands beside this one where there is room, the left one first.
    pub const fn pair(self) -> [Self; 2] {
        match self {
            Self::Ports | Self::Regions => [Self::Ports, Self::Regions],
            Self::Tools | Self::Backscatter => [Self::Tools, Self::Backscatter],
            Self::Sensors | Self::Interfaces => [Self::Sensors, Self::Interfaces],
        }
    }

    /// The columns behind the rank.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Ports => &[PORT, NAME, TREND, NOW, HOUR, SHARE, TOTAL],
            Self::Regions => &[REGION, NAME, TREND, NOW, HOUR, SHARE, TOTAL, SOURCES],
            Self::Tools => &[TOOL, NOW, HOUR, SHARE, TOTAL],
            Self::Backscatter => &[PORT, NAME, NOW, HOUR, SHARE, TOTAL],
            Self::Sensors => &[SENSOR, NOW, HOUR, TOTAL, SCAN, BACKSCATTER, OTHER],
            Self::Interfaces => &[INTERFACE, MODE, LINK, RECEIVED, MISSED],
        }
    }

    /// The order that it begins with: most packets in the last hour first; interfaces as they are told.
    pub fn first_sort(self) -> Sort {
        let hour = self.columns().iter().position(|column| column.title == HOUR.title);
        hour.map_or(Sort { column: 0, is_descending: false }, |column| Sort { column, is_descending: true })
    }
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    pub title: &'static str,
    /// Its width; a column that grows has it at least.
    width: usize,
    /// Of columns that do not fit, the one with the least goes first; the first column always stays.
    worth: u8,
    pub is_right: bool,
    grows: bool,
}

const fn text(title: &'static str, width: usize, worth: u8) -> Column {
    Column { title, width, worth, is_right: false, grows: false }
}

const fn growing(title: &'static str, width: usize, worth: u8) -> Column {
    Column { grows: true, ..text(title, width, worth) }
}

const fn number(title: &'static str, width: usize, worth: u8) -> Column {
    Column { is_right: true, ..text(title, width, worth) }
}

const PORT: Column = text("PORT", 10, 9);
const REGION: Column = text("REGION", 12, 9);
const NAME: Column = growing("NAME", 8, 3);
const TREND: Column = number("TREND", SLOTS, 6);
const NOW: Column = number("NOW/S", 8, 8);
const HOUR: Column = number("LAST HOUR", 10, 7);
const SHARE: Column = number("SHARE", 7, 5);
const TOTAL: Column = number("SINCE START", 12, 4);
const SOURCES: Column = number("SOURCES", 9, 2);
const TOOL: Column = text("TOOL", 8, 9);
const SENSOR: Column = growing("SENSOR", 9, 9);
const SCAN: Column = number("SCAN", 11, 3);
const BACKSCATTER: Column = number("BACKSCATTER", 11, 2);
const OTHER: Column = number("OTHER", 9, 1);
const INTERFACE: Column = growing("INTERFACE", 10, 9);
const MODE: Column = text("MODE", 8, 6);
const LINK: Column = text("LINK", 4, 8);
const RECEIVED: Column = number("RECEIVED", 14, 5);
const MISSED: Column = number("MISSED", 10, 7);

/// Columns that the rank takes.
const RANK: usize = 3;
/// Columns that the widest growing column may take.
const WIDEST: usize = 28;

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    /// A number of things; not known where there is none.
    Count(Option<u64>),
    /// A number a second.
    Rate(f64),
    /// A part of a whole, 0 to 1; none for what is no part of it.
    Share(Option<f64>),
    /// Rates of slots, oldest first.
    Series(Vec<f64>),
}

impl Value {
    /// As text of at most so many columns, except for a series.
    pub fn text(&self, columns: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(None) => "?".to_owned(),
            Self::Count(Some(number)) => count(*number, columns),
            Self::Rate(number) => rate(*number, columns),
            Self::Share(part) => part.map_or_else(String::new, |part| format!("{:.1} %", part * 100.0)),
            Self::Series(rates) => bars(rates, 1).concat(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => natural(one, other),
            (Self::Count(one), Self::Count(other)) => one.cmp(other),
            (Self::Rate(one), Self::Rate(other)) => one.total_cmp(other),
            (Self::Share(one), Self::Share(other)) => one.unwrap_or(-1.0).total_cmp(&other.unwrap_or(-1.0)),
            (Self::Series(one), Self::Series(other)) => {
                let newest = |rates: &[f64]| rates.last().copied().unwrap_or(0.0);
                newest(one).total_cmp(&newest(other))
            }
            // A column has values of one kind.
            _ => Ordering::Equal,
        }
    }
}

/// Texts that begin with numbers by these, others by their letters.
fn natural(one: &str, other: &str) -> Ordering {
    let number = |text: &str| {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        text[..end].parse::<u64>().ok()
    };
    match (number(one), number(other)) {
        (Some(first), Some(second)) => first.cmp(&second).then_with(|| one.cmp(other)),
        _ => one.cmp(other),
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Place by packets in the last hour; none for groups of sources that are no region.
    pub rank: Option<usize>,
    /// In the order of the view's columns.
    pub values: Vec<Value>,
    /// Whether something is wrong with it.
    pub is_bad: bool,
}

/// By which column rows are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Index among the view's columns.
    pub column: usize,
    pub is_descending: bool,
}

/// The rows of a view that match a filter, in their order.
pub fn rows(view: View, snapshot: &Snapshot, names: &Names, sort: Sort, filter: &str) -> Vec<Row> {
    let mut rows = ranked(view, snapshot, names);
    let wanted = filter.to_lowercase();
    let matches = |value: &Value| match value {
        Value::Text(text) => text.to_lowercase().contains(&wanted),
        _ => false,
    };
    rows.retain(|row| wanted.is_empty() || row.values.iter().any(matches));
    rows.sort_by(|one, other| {
        let order = match (one.values.get(sort.column), other.values.get(sort.column)) {
            (Some(one), Some(other)) => one.order(other),
            _ => Ordering::Equal,
        };
        if sort.is_descending { order.reverse() } else { order }
    });
    rows
}

/// All rows of a view by their ranks.
fn ranked(view: View, snapshot: &Snapshot, names: &Names) -> Vec<Row> {
    let text = |text: &str| Value::Text(clean(text));
    let known = |number: u64| Value::Count(Some(number));
    let now = |packets: Packets| Value::Rate(per_second(packets.interval, snapshot.seconds));
    let numbers = |packets: Packets, all: u64| {
        [now(packets), known(packets.hour), share(packets.hour, all), known(packets.total)]
    };
    let name = |service: Service| text(names.service(service).unwrap_or_default());
    let lengths = slot_seconds(snapshot);
    let series = |packets: &[u64]| Value::Series(rates(packets, &lengths, SLOTS));
    // Packets in the last hour, whether they are ranked, and the row.
    let mut rows: Vec<(u64, bool, Row)> = Vec::new();
    let mut add = |packets: Packets, is_ranked: bool, values: Vec<Value>| {
        rows.push((packets.hour, is_ranked, Row { rank: None, values, is_bad: false }));
    };
    match view {
        View::Ports => {
            for of in &snapshot.services {
                let texts = [text(&of.service.to_string()), name(of.service), series(&of.series)];
                let numbers = numbers(of.packets, snapshot.hour.counts.scan);
                add(of.packets, true, texts.into_iter().chain(numbers).collect());
            }
        }
        View::Regions => {
            let ranked = snapshot.regions.iter().filter(|of| of.region.is_ranked());
            let all = sum(ranked.map(|of| of.packets.hour));
            for of in &snapshot.regions {
                let is_ranked = of.region.is_ranked();
                let name = names.region(of.region, Lang::En).unwrap_or_default();
                let mut numbers = numbers(of.packets, all);
                if !is_ranked {
                    numbers[2] = Value::Share(None);
                }
                let texts = [text(of.region.as_str()), text(name), series(&of.series)];
                let values = texts.into_iter().chain(numbers).chain([known(of.sources)]);
                add(of.packets, is_ranked, values.collect());
            }
        }
        View::Tools => {
            let all = sum(snapshot.tools.iter().map(|of| of.packets.hour));
            for of in &snapshot.tools {
                let values = [text(&of.tool)].into_iter().chain(numbers(of.packets, all));
                add(of.packets, true, values.collect());
            }
        }
        View::Backscatter => {
            for of in &snapshot.backscatter {
                let texts = [text(&of.service.to_string()), name(of.service)];
                let numbers = numbers(of.packets, snapshot.hour.counts.backscatter);
                add(of.packets, true, texts.into_iter().chain(numbers).collect());
            }
        }
        View::Sensors => {
            for of in &snapshot.sensors {
                let counts =
                    [of.packets.hour, of.packets.total, of.scan, of.backscatter, of.other].map(known);
                let values = [text(&of.sensor), now(of.packets)].into_iter().chain(counts);
                add(of.packets, true, values.collect());
            }
        }
        View::Interfaces => {
            for of in &snapshot.interfaces {
                let texts = [&*of.interface, &*of.mode, if of.up { "up" } else { "DOWN" }].map(text);
                let counts = [of.received, of.dropped].map(Value::Count);
                let is_bad = !of.up || of.dropped.is_some_and(|dropped| dropped > 0);
                let values = texts.into_iter().chain(counts).collect();
                rows.push((0, true, Row { rank: None, values, is_bad }));
            }
        }
    }
    rows.sort_by_key(|(hour, ..)| Reverse(*hour));
    let mut rank = 0;
    let with_rank = |(_, is_ranked, row): (u64, bool, Row)| {
        rank += usize::from(is_ranked);
        Row { rank: is_ranked.then_some(rank), ..row }
    };
    rows.into_iter().map(with_rank).collect()
}

/// Packets a second; none where an interval has no length.
pub fn per_second(packets: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { packets as f64 / seconds } else { 0.0 }
}

fn share(part: u64, all: u64) -> Value {
    Value::Share(Some(if all == 0 { 0.0 } else { part as f64 / all as f64 }))
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// How much of each slot has been seen, in seconds.
fn slot_seconds(snapshot: &Snapshot) -> Vec<f64> {
    let second = |time| moment(time).and_then(|time| u64::try_from(time.as_second()).ok());
    let (from, to) = (second(&snapshot.hour.from), second(&snapshot.time));
    let (from, to) = (from.unwrap_or(0), to.unwrap_or(u64::MAX));
    let starts = &snapshot.slots.start;
    let ends = starts.iter().skip(1).copied().chain([to]);
    let seen = |(start, end): (&u64, u64)| end.min(to).saturating_sub(from.max(*start)) as f64;
    starts.iter().zip(ends).map(seen).collect()
}

/// The columns of a view that fit, by their indices, with their widths. The one that rows are sorted by is among
/// them, and so is the first, which may be narrower than it should.
pub fn columns(view: View, sort: Sort, rows: &[Row], available: usize) -> Vec<(usize, usize)> {
    let all = view.columns();
    let mut shown: Vec<usize> = (0..all.len()).collect();
    let taken = |shown: &[usize]| RANK + shown.iter().map(|index| 1 + all[*index].width).sum::<usize>();
    while taken(&shown) > available {
        let droppable = shown.iter().filter(|index| **index != 0 && **index != sort.column);
        let Some(least) = droppable.min_by_key(|index| all[**index].worth).copied() else { break };
        shown.retain(|index| *index != least);
    }
    let mut left = available.saturating_sub(taken(&shown));
    let mut missing = taken(&shown).saturating_sub(available);
    let wide = |index: usize| {
        let column = &all[index];
        let mut columns = column.width;
        if column.grows {
            let texts = rows.iter().filter_map(|row| row.values.get(index));
            let longest = texts.map(|value| width(&value.text(WIDEST))).max().unwrap_or(0);
            let more = longest.min(WIDEST).saturating_sub(columns).min(left);
            left -= more;
            columns += more;
        }
        let less = missing.min(columns);
        missing -= less;
        (index, columns - less)
    };
    shown.into_iter().map(wide).collect()
}

/// The parts of the line above a table: text, and whether rows are sorted by it.
pub fn heading(view: View, sort: Sort, columns: &[(usize, usize)]) -> Vec<(String, bool)> {
    let mut parts = vec![(" ".repeat(RANK), false)];
    for (index, columns) in columns {
        let is_sorted = *index == sort.column;
        let arrow = match (is_sorted, sort.is_descending) {
            (false, _) => "",
            (true, true) => "▼",
            (true, false) => "▲",
        };
        let Column { title, is_right, .. } = view.columns()[*index];
        let text = if is_right { format!("{arrow}{title}") } else { format!("{title}{arrow}") };
        parts.push((fit(&text, *columns, is_right), is_sorted));
    }
    parts
}

/// The rank of a row as text.
pub fn rank(row: &Row) -> String {
    fit(&row.rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string()), RANK, true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::sample, *};

    fn names() -> Names {
        Names::new(None).unwrap()
    }

    fn keys(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| row.values[0].text(20)).collect()
    }

    fn sorted(view: View, title: &str, is_descending: bool) -> Vec<String> {
        let column = view.columns().iter().position(|column| column.title == title).unwrap();
        keys(&rows(view, &sample::snapshot(), &names(), Sort { column, is_descending }, ""))
    }

    fn first(view: View, filter: &str) -> Vec<Row> {
        rows(view, &sample::snapshot(), &names(), view.first_sort(), filter)
    }

    #[test]
    fn the_last_hour_ranks() {
        let rows = first(View::Ports, "");
        assert_eq!(keys(&rows), ["23/tcp", "445/tcp", "8/icmp", "1433/tcp"]);
        assert_eq!(
            rows[0],
            Row {
                rank: Some(1),
                values: vec![
                    Value::Text("23/tcp".to_owned()),
                    Value::Text("telnet".to_owned()),
                    Value::Series(vec![600.0 / 240.0, 8.0, 2_000.0 / 248.0]),
                    Value::Rate(50.0),
                    Value::Count(Some(5_000)),
                    Value::Share(Some(0.5)),
                    Value::Count(Some(400_000)),
                ],
                is_bad: false
            }
        );
    }

    #[test]
    fn groups_of_sources_are_not_ranked() {
        let rows = first(View::Regions, "");
        assert_eq!(keys(&rows), ["NL", "unknown", "CN"]);
        let ranks: Vec<Option<usize>> = rows.iter().map(|row| row.rank).collect();
        assert_eq!(ranks, [Some(1), None, Some(2)]);
        let share = |row: &Row| row.values[5].clone();
        assert_eq!(share(&rows[0]), Value::Share(Some(0.8)));
        assert_eq!(share(&rows[1]), Value::Share(None));
    }

    #[test]
    fn every_view_has_its_rows() {
        for view in View::ALL {
            let rows = first(view, "");
            assert!(!rows.is_empty(), "{view:?}");
            assert!(rows.iter().all(|row| row.values.len() == view.columns().len()), "{view:?}");
        }
        assert_eq!(keys(&first(View::Tools, "")), ["none", "mirai"]);
        assert_eq!(keys(&first(View::Backscatter, "")), ["80/tcp"]);
        assert_eq!(keys(&first(View::Sensors, "")), ["west", "east"]);
        assert_eq!(keys(&first(View::Interfaces, "")), ["eth1", "eth2"]);
    }

    #[test]
    fn any_column_orders() {
        assert_eq!(sorted(View::Ports, "PORT", false), ["8/icmp", "23/tcp", "445/tcp", "1433/tcp"]);
        assert_eq!(sorted(View::Ports, "NAME", false), ["8/icmp", "445/tcp", "1433/tcp", "23/tcp"]);
        assert_eq!(sorted(View::Ports, "NOW/S", true), ["23/tcp", "445/tcp", "1433/tcp", "8/icmp"]);
        assert_eq!(sorted(View::Ports, "SINCE START", false), ["8/icmp", "1433/tcp", "445/tcp", "23/tcp"]);
        assert_eq!(sorted(View::Ports, "TREND", true), ["23/tcp", "445/tcp", "1433/tcp", "8/icmp"]);
        assert_eq!(sorted(View::Regions, "SHARE", false), ["unknown", "CN", "NL"]);
        assert_eq!(sorted(View::Interfaces, "RECEIVED", false), ["eth2", "eth1"]);
    }

    #[test]
    fn a_filter_looks_at_texts_and_ranks_stay() {
        assert_eq!(keys(&first(View::Ports, "TELNET")), ["23/tcp"]);
        assert_eq!(keys(&first(View::Ports, "14")), ["1433/tcp"]);
        assert_eq!(first(View::Ports, "14")[0].rank, Some(4));
        assert_eq!(keys(&first(View::Regions, "china")), ["CN"]);
        assert_eq!(keys(&first(View::Ports, "500")), [""; 0]);
    }

    #[test]
    fn what_is_wrong_with_an_interface_is_marked() {
        let mut value = sample::value();
        value["interfaces"][0]["dropped"] = json!(3);
        value["interfaces"][1]["up"] = json!(false);
        let rows = rows(View::Interfaces, &sample::of(value), &names(), View::Interfaces.first_sort(), "");
        assert!(rows.iter().all(|row| row.is_bad));
        assert_eq!(rows[1].values[2..], [Value::Text("DOWN".into()), Value::Count(None), Value::Count(None)]);
    }

    #[test]
    fn numbers_without_sense_do_no_harm() {
        let mut value = sample::value();
        value["seconds"] = json!(0.0);
        value["slots"]["start"] = json!([u64::MAX, 0, 7]);
        value["hour"]["scan"] = json!(0);
        for region in value["regions"].as_array_mut().unwrap() {
            region["hour"] = json!(u64::MAX);
            region["series"] = json!(vec![u64::MAX; 40]);
        }
        let snapshot = sample::of(value);
        for view in View::ALL {
            for column in 0..view.columns().len() {
                let rows = rows(view, &snapshot, &names(), Sort { column, is_descending: true }, "");
                assert!(!rows.is_empty());
            }
        }
    }

    fn titles(view: View, sort: Sort, available: usize) -> Vec<&'static str> {
        let columns = columns(view, sort, &first(view, ""), available);
        columns.into_iter().map(|(index, _)| view.columns()[index].title).collect()
    }

    #[test]
    fn columns_fit() {
        for view in View::ALL {
            let rows = first(view, "");
            for available in 0..200 {
                let columns = columns(view, view.first_sort(), &rows, available);
                let taken = RANK + columns.iter().map(|(_, columns)| 1 + columns).sum::<usize>();
                assert!(taken <= available.max(RANK + columns.len()), "{view:?} {available}");
                assert_eq!(columns[0].0, 0);
            }
            let all: Vec<&str> = view.columns().iter().map(|column| column.title).collect();
            assert_eq!(titles(view, view.first_sort(), 120), all);
        }
        let sort = View::Ports.first_sort();
        assert_eq!(
            titles(View::Ports, sort, 80),
            ["PORT", "NAME", "TREND", "NOW/S", "LAST HOUR", "SHARE", "SINCE START"]
        );
        assert_eq!(titles(View::Ports, sort, 58), ["PORT", "TREND", "NOW/S", "LAST HOUR", "SHARE"]);
        assert_eq!(
            titles(View::Ports, Sort { column: 6, ..sort }, 58),
            ["PORT", "NOW/S", "LAST HOUR", "SINCE START"]
        );
    }

    #[test]
    fn a_heading_says_what_orders() {
        let sort = View::Tools.first_sort();
        let columns = columns(View::Tools, sort, &[], 80);
        let line =
            |sort| heading(View::Tools, sort, &columns).into_iter().map(|part| part.0).collect::<String>();
        assert!(line(sort).contains("▼LAST HOUR"));
        assert!(line(Sort { column: 0, is_descending: false }).contains("TOOL▲"));
    }
}
