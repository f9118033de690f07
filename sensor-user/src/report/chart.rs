//! Lines over days as SVG: where everything stands. `templates/figure.html` and `templates/chart.svg` draw it.
//!
//! Each chart is laid out twice, for wide and for narrow screens, as scaled text would not be legible on both. Colours
//! are left to the page's style: classes `c1` to `c8` are those of the lines. Each line has its own marks as well, so
//! that nobody needs colours to tell them apart. The axis is linear and begins at zero.

use std::{collections::BTreeMap, fmt, ops::Range};

use askama::Template;
use jiff::{ToSpan as _, civil::Date};

use super::{
    html::{Piece, pieces},
    page::{Chart, Line, Words},
};

/// Colours and shapes that lines take in turn.
const STYLES: usize = 8;

/// Shapes of the lines' marks, as paths relative to their centres.
const SHAPES: [&str; STYLES] = [
    "m-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",
    "m-3-3h6v6h-6z",
    "m0-4.2l4.1 7h-8.2z",
    "m0-4.5l4.2 4.5l-4.2 4.5l-4.2-4.5z",
    "m0 4.2l-4.1-7h8.2z",
    "m-1.3-4.1h2.6v2.8h2.8v2.6h-2.8v2.8h-2.6v-2.8h-2.8v-2.6h2.8z",
    "m-3.9-2.1l1.8-1.8l2.1 2.1l2.1-2.1l1.8 1.8l-2.1 2.1l2.1 2.1l-1.8 1.8l-2.1-2.1l-2.1 2.1l-1.8-1.8l2.1-2.1z",
    "m-4.5-1.6h9v3.2h-9z",
];

/// The vertical axis has so many steps at least, and twice as many at most.
const LEAST_STEPS: f64 = 4.0;

/// Up to so many days each has its mark; beyond, a line has about [`MARKS`].
const FEW_DAYS: usize = 16;
const MARKS: usize = 6;

/// A chart with its legend and its figures.
#[derive(Template)]
#[template(path = "figure.html")]
pub struct Figure<'a> {
    id: String,
    chart: &'a Chart,
    words: &'a Words,
    wide: Drawing<'a>,
    narrow: Drawing<'a>,
    /// Lines, in the order of the chart.
    legend: Vec<Key<'a>>,
    /// Whether the wide drawing does not name its lines itself.
    legend_always: bool,
    /// Numbers of marks and their labels.
    marks: Vec<(usize, Vec<Piece<'a>>)>,
    has_gaps: bool,
    rows: Vec<DataRow>,
}

/// A line in the legend.
struct Key<'a> {
    style: usize,
    shape: &'static str,
    name: &'a str,
}

/// Figures of a day.
struct DataRow {
    date: String,
    values: Vec<Option<String>>,
}

impl<'a> Figure<'a> {
    /// Lays out a chart. The id must be unique in its document, and fit for one.
    pub fn new(id: String, chart: &'a Chart, words: &'a Words) -> Self {
        let days = Days::of(chart);
        let wide = Drawing::new(&id, &WIDE, chart, &days, words);
        let narrow = Drawing::new(&id, &NARROW, chart, &days, words);
        Self {
            id,
            chart,
            words,
            legend_always: !wide.curves.iter().all(|curve| curve.label.is_some()),
            wide,
            narrow,
            legend: chart
                .lines
                .iter()
                .enumerate()
                .map(|(index, line)| Key { style: style(index), shape: shape(index), name: &line.name })
                .collect(),
            marks: marks(chart, days.number)
                .map(|(number, mark)| (number, pieces(&chart.marks[mark].label)))
                .collect(),
            has_gaps: !days.gaps.is_empty(),
            rows: rows(chart, days.number),
        }
    }
}

fn style(line: usize) -> usize {
    line % STYLES + 1
}

/// Lines of the same colour have different shapes.
fn shape(line: usize) -> &'static str {
    SHAPES[(line + line / STYLES) % STYLES]
}

/// Whether nothing is shown but whole numbers.
fn is_whole(chart: &Chart) -> bool {
    chart.lines.iter().all(|line| line.values.iter().flatten().all(|value| value.fract() == 0.0))
}

/// Numbers that the marks within the chart go by, and their places in its list.
fn marks(chart: &Chart, days: usize) -> impl Iterator<Item = (usize, usize)> {
    let within = move |mark: &usize| chart.marks[*mark].day < days;
    (0..chart.marks.len()).filter(within).enumerate().map(|(index, mark)| (index + 1, mark))
}

/// What a line has on a day: nothing but finite numbers are drawn, and no axis goes below zero.
fn value(line: &Line, day: usize) -> Option<f64> {
    line.values.get(day).copied().flatten().filter(|value| value.is_finite()).map(|value| value.max(0.0))
}

fn rows(chart: &Chart, days: usize) -> Vec<DataRow> {
    let is_whole = is_whole(chart);
    let text = |value: f64| match value {
        _ if is_whole => number(value, 0),
        100.0.. => number(value, 0),
        10.0.. => number(value, 1),
        1.0.. => number(value, 2),
        _ => number(value, 3),
    };
    let date = |day: usize| {
        let days = i32::try_from(day).ok().map(|day| day.days())?;
        chart.first.checked_add(days).ok().map(|date: Date| date.to_string())
    };
    (0..days)
        .map(|day| DataRow {
            date: date(day).unwrap_or_default(),
            values: chart.lines.iter().map(|line| value(line, day).map(text)).collect(),
        })
        .collect()
}

/// What the days have in common, however they are laid out.
struct Days {
    number: usize,
    /// First and last day of each stretch in which no line has a value.
    gaps: Vec<(usize, usize)>,
    axis: Axis,
}

impl Days {
    fn of(chart: &Chart) -> Self {
        let number = chart.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
        let mut gaps: Vec<(usize, usize)> = Vec::new();
        let mut most: f64 = 0.0;
        let mut is_empty = true;
        for day in 0..number {
            let highest = chart.lines.iter().filter_map(|line| value(line, day)).reduce(f64::max);
            match (highest, gaps.last_mut()) {
                (Some(highest), _) => {
                    most = most.max(highest);
                    is_empty = false;
                }
                (None, Some((_, last))) if *last + 1 == day => *last = day,
                (None, _) => gaps.push((day, day)),
            }
        }
        Self { number, gaps, axis: if is_empty { Axis::empty() } else { Axis::up_to(most, is_whole(chart)) } }
    }
}

/// The vertical axis: from zero in equal steps.
struct Axis {
    top: f64,
    /// Values and texts of its ticks, upwards.
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Nothing to show, so nothing to read off.
    fn empty() -> Self {
        Self { top: 1.0, ticks: vec![(0.0, String::new())] }
    }

    /// Steps of 1, 2 or 5 times a power of ten, the last at or above the highest value.
    fn up_to(most: f64, is_whole: bool) -> Self {
        // Beyond these bounds the steps would not be numbers any more.
        let most = if most > 1e-12 { most.min(1e300) } else { 1.0 };
        let power = 10f64.powi((most / LEAST_STEPS).log10().floor() as i32);
        let steps = [10.0, 5.0, 2.0, 1.0].into_iter().map(|part| part * power);
        let step = steps.into_iter().find(|step| (most / step - 1e-9).ceil() >= LEAST_STEPS).unwrap_or(power);
        let step = if is_whole { step.max(1.0) } else { step };
        let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
        let count = (most / step - 1e-9).ceil().max(1.0) as u32;
        let ticks = (0..=count)
            .map(|index| {
                let value = f64::from(index) * step;
                (value, number(value, if index == 0 { 0 } else { decimals }))
            })
            .collect();
        Self { top: f64::from(count) * step, ticks }
    }
}

/// A number with separated thousands.
fn number(value: f64, decimals: usize) -> String {
    if value >= 1e15 {
        return format!("{value:e}");
    }
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// Measures of a layout, in units of its drawing.
struct Layout {
    class: &'static str,
    width: f64,
    /// Height of the plot.
    plot: f64,
    /// Size of its text.
    text: f64,
    /// Room for the lines' names at their ends; 0: they are never named there.
    names: f64,
}

const WIDE: Layout = Layout { class: "wide", width: 760.0, plot: 250.0, text: 13.0, names: 190.0 };
const NARROW: Layout = Layout { class: "narrow", width: 340.0, plot: 210.0, text: 12.0, names: 0.0 };

/// Room that a text takes at most, in most typefaces.
fn width(text: &str, size: f64) -> f64 {
    let part = |letter: char| match letter {
        '\0'..='\x7f' => 0.6,
        // Wide letters begin with those of Korean.
        '\u{80}'..'\u{1100}' => 0.65,
        _ => 1.02,
    };
    text.chars().map(part).sum::<f64>() * size
}

/// A length, or a place: in tenths.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Px(f64);

impl Px {
    fn minus(&self, other: &Self) -> Self {
        Self(self.0 - other.0)
    }

    fn minus_by(&self, length: f64) -> Self {
        Self(self.0 - length)
    }
}

impl fmt::Display for Px {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // No minus before a zero.
        write!(formatter, "{}", tenths + 0.0)
    }
}

/// A chart in one layout.
#[derive(Template)]
#[template(path = "chart.svg", escape = "html")]
struct Drawing<'a> {
    id: String,
    class: &'static str,
    /// Whether days stand so near to each other that lines must be thin.
    is_dense: bool,
    title: &'a str,
    description: &'a str,
    not_observed: &'a str,
    width: Px,
    height: Px,
    left: Px,
    right: Px,
    top: Px,
    bottom: Px,
    gaps: Vec<Gap>,
    /// Where the period begins, if not at the left end.
    begin: Option<Px>,
    levels: Vec<Level>,
    ticks: Vec<Tick<'a>>,
    flags: Vec<Flag>,
    curves: Vec<Curve<'a>>,
}

/// Days without observation.
struct Gap {
    x: Px,
    width: Px,
    /// The middle, if there is room to say what it is.
    label: Option<Px>,
}

struct Level {
    y: Px,
    text: String,
}

struct Tick<'a> {
    x: Px,
    /// Where its label stands, unless there is no room for it.
    label: Option<(Px, &'a str)>,
}

/// A mark and its number.
struct Flag {
    x: Px,
    text: String,
    /// Middle of the number, and its frame.
    centre: Px,
    y: Px,
    left: Px,
    width: Px,
}

struct Curve<'a> {
    style: usize,
    /// The line, broken at gaps.
    path: String,
    /// Its marks; a day between two gaps is nothing but one.
    marks: String,
    label: Option<EndLabel<'a>>,
}

/// The name at a line's end.
struct EndLabel<'a> {
    name: &'a str,
    x: Px,
    y: Px,
    /// From the line's last point, if that is not beside it.
    leader: Option<(Px, Px)>,
}

impl<'a> Drawing<'a> {
    fn new(id: &str, layout: &Layout, chart: &'a Chart, days: &Days, words: &'a Words) -> Self {
        let axis_texts = days.axis.ticks.iter().map(|(_, text)| width(text, layout.text));
        let left = axis_texts.fold(0.0, f64::max) + 10.0;
        let named = layout.names > 0.0 && can_name(chart, days, layout);
        let names = chart.lines.iter().map(|line| width(&line.name, layout.text)).fold(0.0, f64::max);
        let right = layout.width - if named { names + 22.0 } else { 8.0 };
        let scale = Scale { left, right, days: days.number };
        let (flags, rows) = flags(chart, &scale, layout);
        let top = 8.0 + rows as f64 * FLAG_ROW;
        let bottom = top + layout.plot;
        let y = |value: f64| bottom - (value / days.axis.top).min(1.0) * layout.plot;

        let mut curves: Vec<Curve<'a>> = chart
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| Curve::new(index, chart.lines.len(), line, &scale, &y))
            .collect();
        if named {
            name_ends(&mut curves, chart, &scale, top..bottom, layout, &y);
        }
        let label_width = width(&words.not_observed, layout.text) + 6.0;
        Self {
            id: id.to_owned(),
            class: layout.class,
            is_dense: scale.part() < 2.5,
            title: &chart.title,
            description: &chart.description,
            not_observed: &words.not_observed,
            width: Px(layout.width),
            height: Px(bottom + layout.text + 14.0),
            left: Px(left),
            right: Px(right),
            top: Px(top),
            bottom: Px(bottom),
            gaps: days
                .gaps
                .iter()
                .map(|&(first, last)| {
                    let (from, to) = (scale.begin(first), scale.begin(last + 1));
                    let label = (to - from >= label_width).then_some(Px(from.midpoint(to)));
                    Gap { x: Px(from), width: Px(to - from), label }
                })
                .collect(),
            begin: (chart.from > 0 && chart.from < days.number).then(|| Px(scale.begin(chart.from))),
            levels: days
                .axis
                .ticks
                .iter()
                .map(|(value, text)| Level { y: Px(y(*value)), text: text.clone() })
                .collect(),
            ticks: ticks(chart, &scale, layout),
            flags,
            curves,
        }
    }
}

/// The horizontal axis: each day has its part of the width, and is drawn in the middle of it.
struct Scale {
    left: f64,
    right: f64,
    days: usize,
}

impl Scale {
    fn part(&self) -> f64 {
        (self.right - self.left) / self.days.max(1) as f64
    }

    fn begin(&self, day: usize) -> f64 {
        self.left + day as f64 * self.part()
    }

    fn middle(&self, day: usize) -> f64 {
        self.begin(day) + self.part() / 2.0
    }
}

/// Distance of names at the lines' ends.
fn name_height(layout: &Layout) -> f64 {
    layout.text * 1.3
}

/// Whether each line can be named at its end: there is one, and room for the names.
fn can_name(chart: &Chart, days: &Days, layout: &Layout) -> bool {
    let has_end = |line: &Line| (0..days.number).any(|day| value(line, day).is_some());
    let fits = |line: &Line| width(&line.name, layout.text) <= layout.names;
    chart.lines.iter().all(|line| has_end(line) && fits(line))
        && chart.lines.len() as f64 * name_height(layout) <= layout.plot
}

impl Curve<'_> {
    fn new(index: usize, lines: usize, line: &Line, scale: &Scale, y: &impl Fn(f64) -> f64) -> Self {
        let at = |day: usize| value(line, day).map(|value| (Px(scale.middle(day)), Px(y(value))));
        let step = scale.days.div_ceil(MARKS).max(1);
        // Marks of different lines stand on different days.
        let phase = step * index / lines.max(1);
        let last = (0..scale.days).rev().find(|&day| value(line, day).is_some());
        let mut path = String::new();
        let mut marks = String::new();
        let mut is_drawing = false;
        for day in 0..scale.days {
            let Some((x, y)) = at(day) else {
                is_drawing = false;
                continue;
            };
            let continues = at(day + 1).is_some();
            if is_drawing || continues {
                path.push_str(&format!("{}{x} {y}", if is_drawing { 'L' } else { 'M' }));
            }
            let is_alone = !is_drawing && !continues;
            if is_alone || scale.days <= FEW_DAYS || day % step == phase || last == Some(day) {
                marks.push_str(&format!("M{x} {y}{}", shape(index)));
            }
            is_drawing = true;
        }
        Self { style: style(index), path, marks, label: None }
    }
}

/// Names lines at their ends, none over another.
fn name_ends<'a>(
    curves: &mut [Curve<'a>],
    chart: &'a Chart,
    scale: &Scale,
    plot: Range<f64>,
    layout: &Layout,
    y: &impl Fn(f64) -> f64,
) {
    let last = |line: &Line| {
        (0..scale.days).rev().find_map(|day| value(line, day).map(|value| (scale.middle(day), y(value))))
    };
    let mut ends: Vec<(usize, f64, f64)> = chart
        .lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| last(line).map(|(x, y)| (index, x, y)))
        .collect();
    ends.sort_by(|a, b| a.2.total_cmp(&b.2));
    let wanted: Vec<f64> = ends.iter().map(|(_, _, y)| *y).collect();
    let places = apart(&wanted, name_height(layout), plot);
    for ((index, x, y), place) in ends.into_iter().zip(places) {
        let is_beside = (place - y).abs() < 2.0 && scale.right - x < 12.0;
        curves[index].label = Some(EndLabel {
            name: &chart.lines[index].name,
            x: Px(scale.right + 16.0),
            y: Px(place),
            leader: (!is_beside).then_some((Px(x + 5.0), Px(y))),
        });
    }
}

/// Places as near as can be to those that are wanted (in ascending order), with a distance between any two, within
/// a range.
fn apart(wanted: &[f64], distance: f64, range: Range<f64>) -> Vec<f64> {
    // Less what the distances take, places must not descend: where they would, neighbours share their mean.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (index, place) in wanted.iter().enumerate() {
        let mut pool = (place - index as f64 * distance, 1);
        while let Some(&(sum, count)) = pools.last()
            && sum / count as f64 > pool.0 / pool.1 as f64
        {
            pool = (pool.0 + sum, pool.1 + count);
            pools.pop();
        }
        pools.push(pool);
    }
    let highest = range.end - wanted.len().saturating_sub(1) as f64 * distance;
    let means = pools.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    means
        .enumerate()
        .map(|(index, mean)| mean.min(highest).max(range.start) + index as f64 * distance)
        .collect()
}

/// Height of a row of marks' numbers, and size of their text.
const FLAG_ROW: f64 = 19.0;
const FLAG_TEXT: f64 = 12.0;

/// The marks over the plot, and in how many rows their numbers stand: none over another.
fn flags(chart: &Chart, scale: &Scale, layout: &Layout) -> (Vec<Flag>, usize) {
    let mut by_day: BTreeMap<usize, String> = BTreeMap::new();
    for (number, mark) in marks(chart, scale.days) {
        let text = by_day.entry(chart.marks[mark].day).or_default();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
    // Right end of what stands in each row.
    let mut rows: Vec<f64> = Vec::new();
    let mut flags = Vec::with_capacity(by_day.len());
    for (day, text) in by_day {
        let x = scale.middle(day);
        let frame = (width(&text, FLAG_TEXT) + 7.0).max(16.0);
        let half = frame / 2.0;
        let centre = x.min(layout.width - half - 1.0).max(half + 1.0);
        let row = rows.iter().position(|end| *end <= centre - half).unwrap_or(rows.len());
        match rows.get_mut(row) {
            Some(end) => *end = centre + half + 2.0,
            None => rows.push(centre + half + 2.0),
        }
        let y = 10.0 + row as f64 * FLAG_ROW;
        flags.push(Flag {
            x: Px(x),
            centre: Px(centre),
            y: Px(y),
            text,
            left: Px(centre - half),
            width: Px(frame),
        });
    }
    (flags, rows.len())
}

/// The days that the chart names, as many labels as there is room for, at equal intervals.
fn ticks<'a>(chart: &'a Chart, scale: &Scale, layout: &Layout) -> Vec<Tick<'a>> {
    let places: Vec<(f64, f64, f64, &str)> = chart
        .ticks
        .iter()
        .filter(|(day, _)| *day < scale.days)
        .map(|(day, text)| {
            let x = scale.middle(*day);
            let half = width(text, layout.text) / 2.0;
            (x, x.min(layout.width - half - 1.0).max(half + 1.0), half, text.as_str())
        })
        .collect();
    let fits = |step: usize| {
        let labels: Vec<_> = places.iter().step_by(step).collect();
        labels.windows(2).all(|pair| pair[0].1 + pair[0].2 + 8.0 <= pair[1].1 - pair[1].2)
    };
    let step = (1..=places.len()).find(|step| fits(*step)).unwrap_or(1);
    places
        .iter()
        .enumerate()
        .map(|(index, &(x, centre, _, text))| Tick {
            x: Px(x),
            label: index.is_multiple_of(step).then_some((Px(centre), text)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::report::page::DayMark;

    fn line(values: &[Option<f64>]) -> Line {
        Line { name: "23/TCP".into(), values: values.to_vec() }
    }

    fn chart(lines: Vec<Line>) -> Chart {
        Chart { first: date(2019, 10, 1), lines, ..Chart::default() }
    }

    fn drawing<'a>(chart: &'a Chart, words: &'a Words, layout: &Layout) -> Drawing<'a> {
        Drawing::new("id", layout, chart, &Days::of(chart), words)
    }

    fn axis(most: f64, is_whole: bool) -> Vec<String> {
        Axis::up_to(most, is_whole).ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn axes_have_round_steps() {
        assert_eq!(axis(1_095.0, true), ["0", "200", "400", "600", "800", "1,000", "1,200"]);
        assert_eq!(axis(38_000.0, true), ["0", "10,000", "20,000", "30,000", "40,000"]);
        assert_eq!(axis(0.031, false), ["0", "0.01", "0.02", "0.03", "0.04"]);
        assert_eq!(axis(2.0, true), ["0", "1", "2"]);
        assert_eq!(axis(2.0, false), ["0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(axis(0.0, true), ["0", "1"]);
    }

    #[test]
    fn lines_are_broken_where_nothing_was_observed() {
        let chart =
            chart(vec![line(&[Some(1.0), Some(2.0), None, Some(3.0), None, None, Some(4.0), Some(5.0)])]);
        let words = Words::default();
        let drawing = drawing(&chart, &words, &NARROW);
        assert_eq!(drawing.curves[0].path.matches('M').count(), 2, "{}", drawing.curves[0].path);
        assert_eq!(drawing.curves[0].path.matches('L').count(), 2);
        // As there are so few, each day has its mark, that between two gaps as well.
        assert_eq!(drawing.curves[0].marks.matches('M').count(), 5);
        let gaps: Vec<_> =
            drawing.gaps.iter().map(|gap| (gap.width.0 / drawing.gaps[0].width.0).round()).collect();
        assert_eq!(gaps, [1.0, 2.0]);
    }

    #[test]
    fn a_day_between_gaps_is_seen_in_a_long_line() {
        let mut values = vec![Some(1.0); 100];
        values[41] = None;
        values[43] = None;
        let chart = chart(vec![line(&values)]);
        let words = Words::default();
        let drawing = drawing(&chart, &words, &WIDE);
        let alone = Px(drawing.left.0 + 42.5 * (drawing.right.0 - drawing.left.0) / 100.0);
        assert!(drawing.curves[0].marks.contains(&format!("M{alone} ")), "{}", drawing.curves[0].marks);
        assert!(!drawing.curves[0].path.contains(&format!("{alone} ")));
    }

    #[test]
    fn names_give_way_to_each_other() {
        assert_eq!(apart(&[10.0, 50.0], 15.0, 0.0..100.0), [10.0, 50.0]);
        assert_eq!(apart(&[50.0, 50.0, 50.0], 10.0, 0.0..100.0), [40.0, 50.0, 60.0]);
        assert_eq!(apart(&[99.0, 100.0], 10.0, 0.0..100.0), [90.0, 100.0]);
        assert_eq!(apart(&[0.0, 1.0, 60.0], 10.0, 0.0..100.0), [0.0, 10.0, 60.0]);
        assert_eq!(apart(&[], 10.0, 0.0..100.0), [0.0; 0]);
    }

    #[test]
    fn a_line_that_cannot_be_named_at_its_end_is_in_the_legend() {
        let words = Words::default();
        let named = |chart: &Chart| !Figure::new("id".into(), chart, &words).legend_always;
        assert!(named(&chart(vec![line(&[Some(1.0)]), line(&[Some(2.0)])])));
        assert!(!named(&chart(vec![line(&[Some(1.0)]), line(&[None])])));
        let long = Line { name: "x".repeat(60), values: vec![Some(1.0)] };
        assert!(!named(&chart(vec![long])));
        assert!(!named(&chart(vec![line(&[Some(1.0)]); 30])));
    }

    #[test]
    fn labels_of_days_have_room() {
        let mut chart = chart(vec![line(&[Some(1.0); 92])]);
        chart.ticks = (0..92).map(|day| (day, format!("10/{day}"))).collect();
        chart.ticks.push((92, "beyond".into()));
        let words = Words::default();
        for layout in [WIDE, NARROW] {
            let drawing = drawing(&chart, &words, &layout);
            assert_eq!(drawing.ticks.len(), 92);
            let labels: Vec<_> = drawing.ticks.iter().filter_map(|tick| tick.label).collect();
            assert!(labels.len() >= 5);
            for pair in labels.windows(2) {
                let room = width(pair[0].1, layout.text).midpoint(width(pair[1].1, layout.text));
                assert!(pair[1].0.0 - pair[0].0.0 > room, "{pair:?}");
            }
        }
    }

    #[test]
    fn numbers_of_marks_do_not_overlap() {
        let mut chart = chart(vec![line(&[Some(1.0); 92])]);
        chart.marks = [3, 4, 4, 5, 91, 92].map(|day| DayMark { day, label: format!("on {day}") }).into();
        let words = Words::default();
        let figure = Figure::new("id".into(), &chart, &words);
        assert_eq!(figure.marks.len(), 5, "one is beyond the chart");
        let texts: Vec<_> = figure.narrow.flags.iter().map(|flag| flag.text.as_str()).collect();
        assert_eq!(texts, ["1", "2,3", "4", "5"]);
        for (index, flag) in figure.narrow.flags.iter().enumerate() {
            for other in &figure.narrow.flags[index + 1..] {
                let apart = flag.left.0 + flag.width.0 <= other.left.0 || flag.y != other.y;
                assert!(apart, "{} and {}", flag.text, other.text);
            }
        }
    }

    #[test]
    fn figures_are_as_exact_as_they_are_read() {
        let rows = |values: &[Option<f64>]| -> Vec<_> {
            let chart = chart(vec![line(values)]);
            rows(&chart, values.len()).into_iter().map(|row| (row.date, row.values[0].clone())).collect()
        };
        let told = rows(&[Some(1_234.56), Some(0.0412), None]);
        assert_eq!(told[0], ("2019-10-01".into(), Some("1,235".into())));
        assert_eq!(told[1], ("2019-10-02".into(), Some("0.041".into())));
        assert_eq!(told[2], ("2019-10-03".into(), None));
        assert_eq!(rows(&[Some(7.0)])[0].1.as_deref(), Some("7"));
    }

    prop_compose! {
        fn any_chart()(
            lines in prop::collection::vec(
                prop::collection::vec(prop::option::of(any::<f64>()), 0..40), 0..12),
            names in prop::collection::vec(".{0,40}", 12),
            ticks in prop::collection::vec((0usize..60, ".{0,20}"), 0..20),
            marks in prop::collection::vec((0usize..60, ".{0,20}"), 0..60),
            from in 0usize..60,
        ) -> Chart {
            let lines = lines.into_iter().zip(names).map(|(values, name)| Line { name, values }).collect();
            let marks = marks.into_iter().map(|(day, label)| DayMark { day, label }).collect();
            Chart { ticks, marks, from, ..chart(lines) }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_drawn(chart in any_chart()) {
            let words = Words::default();
            for layout in [WIDE, NARROW] {
                let drawing = drawing(&chart, &words, &layout);
                let (left, right) = (drawing.left.0, drawing.right.0);
                prop_assert!(0.0 < left && left < right && right <= layout.width);
                for curve in &drawing.curves {
                    let places = format!("{}{}", curve.path, curve.marks);
                    prop_assert!(!places.contains("NaN") && !places.contains("inf"), "{places}");
                    if let Some(label) = &curve.label {
                        prop_assert!(label.y >= drawing.top && label.y <= drawing.bottom);
                    }
                }
            }
            prop_assert!(Figure::new("id".into(), &chart, &words).render().is_ok());
        }
    }
}
