//! The screen, drawn into a frame of any size.
//!
//! Colours are the terminal's own, on its own background; what they say is said by words or by weight, too.

use std::env;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Clear},
};

use super::{
    snapshot::{Counts, Snapshot},
    state::{Contact, State},
    table::{self, Row, Value, View, per_second},
    text::{bars, clean, count, cut, fit, rate, rates, time_of_day, width},
};

/// Width from which two tables stand side by side.
const WIDE: u16 = 112;
/// Blank columns between them.
const GAP: u16 = 3;
/// Height from which there is room for higher bars, more messages and a blank line.
const TALL: u16 = 32;
/// Lines that are always wanted: the title, the views, a table's heading and three of its rows, the footer.
const LEAST: u16 = 7;
/// Most lines of alarms.
const ALARMS: usize = 4;
/// Columns of the words before counts.
const WORDS: usize = 12;

const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
const CHOSEN: Style = Style::new().add_modifier(Modifier::BOLD.union(Modifier::REVERSED));

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub has_colours: bool,
}

impl Theme {
    /// As the environment wants it: `NO_COLOR`, if set and not empty, means none.
    pub fn of_environment() -> Self {
        Self { has_colours: env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()) }
    }

    const fn coloured(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    const fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    const fn bars(self) -> Style {
        self.coloured(Color::Green)
    }
}

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, state: &mut State, theme: Theme) {
    let area = frame.area();
    let Some(last) = area.height.checked_sub(1) else { return };
    let mut lines = vec![title(state, area.width)];
    let mut below = Vec::new();
    match &state.shown {
        Some(snapshot) => {
            lines.extend(above(state, snapshot, area, theme));
            below = messages(snapshot, area);
        }
        None => {
            lines.extend(contact(state, area.width, theme));
            lines.push(Line::raw("connected: the first interval is not over yet"));
        }
    }
    let top = put(frame, lines, 0, last);
    let bottom = last.saturating_sub(below.len() as u16).max(top);
    if state.shown.is_some() {
        draw_tables(frame, state, Rect { y: top, height: bottom - top, ..area }, theme);
    }
    put(frame, below, bottom, last);
    put(frame, vec![footer(state)], last, area.height);
    if state.is_help {
        help(frame, area);
    }
}

/// Puts lines below each other from one row of the frame on, and before another; returns the row after them.
fn put(frame: &mut Frame<'_>, lines: Vec<Line<'_>>, from: u16, before: u16) -> u16 {
    let width = frame.area().width;
    let mut row = from;
    for line in lines {
        if row >= before {
            break;
        }
        frame.buffer_mut().set_line(0, row, &line, width);
        row += 1;
    }
    row
}

/// Who is shown, as of when, or why not now.
fn title(state: &State, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let (right, style) = match (&state.missed, &state.shown) {
        (Some(missed), _) => {
            let intervals = if missed.intervals == 1 { "interval" } else { "intervals" };
            let since =
                format!("{} {intervals}, {} packets since", missed.intervals, count(missed.packets, 12));
            (format!(" PAUSED: {since} "), CHOSEN)
        }
        (None, Some(snapshot)) => (snapshot.time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(), Style::new()),
        (None, None) => (String::new(), Style::new()),
    };
    let right = cut(&right, columns);
    let room = columns.saturating_sub(width(&right));
    let name = fit("teiten", room.min(8), false);
    let peer = match &state.peer.host {
        Some(host) => format!("{host} at {}", state.peer.address),
        None => state.peer.address.clone(),
    };
    let peer = fit(&peer, room.saturating_sub(8), false);
    Line::from(vec![Span::styled(name, STRONG), Span::raw(peer), Span::styled(right, style)])
}

/// That contact is lost, if it is.
fn contact(state: &State, columns: u16, theme: Theme) -> Vec<Line<'static>> {
    let Contact::No { since, reason } = &state.contact else { return Vec::new() };
    let text = format!("no contact since {} ({reason}), trying again", time_of_day(*since));
    wrapped(&text, columns, theme.bad())
}

/// Lines between the title and the tables: as many as leave room for some rows.
fn above(state: &State, snapshot: &Snapshot, area: Rect, theme: Theme) -> Vec<Line<'static>> {
    let columns = area.width;
    let is_tall = area.height >= TALL;
    let mut alarms: Vec<Line<'static>> =
        alarms(snapshot).iter().flat_map(|alarm| wrapped(alarm, columns, theme.bad())).collect();
    alarms.truncate(ALARMS);
    // With what each is worth, 1 the most.
    let mut parts = [
        (1, contact(state, columns, theme)),
        (6, vec![place(snapshot)]),
        (3, rate_lines(snapshot, columns, if is_tall { 3 } else { 1 }, theme)),
        (4, count_lines(snapshot, columns)),
        (5, vec![outcomes(snapshot, theme)]),
        (2, alarms),
        (7, if is_tall { vec![Line::default()] } else { Vec::new() }),
    ];
    let mut left = usize::from(area.height.saturating_sub(LEAST));
    for worth in 1..=parts.len() {
        for (_, lines) in parts.iter_mut().filter(|part| part.0 == worth) {
            match left.checked_sub(lines.len()) {
                Some(rest) => left = rest,
                None => lines.clear(),
            }
        }
    }
    parts.into_iter().flat_map(|(_, lines)| lines).collect()
}

/// What must not be overlooked, with what it means.
fn alarms(snapshot: &Snapshot) -> Vec<String> {
    let mut alarms = Vec::new();
    let (now, all) = (&snapshot.interval, &snapshot.total);
    let number = |count: u64| self::count(count, 26);
    if all.lost > 0 {
        alarms.push(format!(
            "lost {} since start, {} in this interval: packets that are counted, but whose sources are not known, \
             since the spill log was full; raise --spill-memory",
            number(all.lost),
            number(now.lost)
        ));
    }
    if all.uncounted > 0 {
        alarms.push(format!(
            "uncounted {}: frames without counters; please report this",
            number(all.uncounted)
        ));
    }
    if all.mismatches > 0 {
        alarms.push(format!("accounting identities broken {}: please report this", number(all.mismatches)));
    }
    if let Some(store) = &snapshot.store {
        if let Some(trouble) = &store.trouble {
            let since = store.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
            alarms.push(format!(
                "the store takes nothing{since} ({}); the kernel keeps the counts",
                clean(trouble)
            ));
        }
        if store.fold_failing {
            alarms.push(
                "the store does not make hours of what it has; it keeps it, and tries again".to_owned(),
            );
        }
    }
    for of in &snapshot.interfaces {
        let interface = clean(&of.interface);
        if !of.up {
            alarms.push(format!("{interface} is down or gone: nothing is counted there"));
        }
        if let Some(dropped) = of.dropped.filter(|dropped| *dropped > 0) {
            alarms
                .push(format!("{interface} itself has dropped {}: nobody can count these", number(dropped)));
        }
    }
    alarms
}

/// Since when, how often and where.
fn place(snapshot: &Snapshot) -> Line<'static> {
    let interfaces: Vec<String> = snapshot
        .interfaces
        .iter()
        .map(|of| format!("{} ({})", clean(&of.interface), clean(&of.mode)))
        .collect();
    let sensors: Vec<String> = snapshot.sensors.iter().map(|of| clean(&of.sensor)).collect();
    let since = snapshot.since.strftime("%Y-%m-%d %H:%M:%SZ");
    let seconds = format!("{:.1}", snapshot.seconds);
    let seconds = seconds.strip_suffix(".0").unwrap_or(&seconds);
    Line::styled(
        format!(
            "since {since}, every {seconds} s; on {}; sensors {}",
            interfaces.join(", "),
            sensors.join(", ")
        ),
        QUIET,
    )
}

/// Packets a second now, and over the last hour as bars of so many lines.
fn rate_lines(snapshot: &Snapshot, columns: u16, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let now = per_second(snapshot.interval.packets, snapshot.seconds);
    let label = format!("{} packets/s", rate(now, 13));
    let series = &snapshot.series;
    let classes = series.scan.iter().zip(&series.backscatter).zip(&series.other);
    let packets: Vec<u64> = classes
        .map(|((scan, backscatter), other)| scan.saturating_add(*backscatter).saturating_add(*other))
        .collect();
    let most = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let room = usize::from(columns).saturating_sub(width(&label) + 2);
    let hour = rates(&packets, &series.seconds, room.saturating_sub(16));
    let peak = format!("  at most {}", rate(most(&hour), 7));
    let bars = bars(&hour, height);
    let last = bars.len().saturating_sub(1);
    let line = |(index, bars): (usize, &String)| {
        let label = if index == last { label.clone() } else { " ".repeat(width(&label)) };
        let peak = if index == 0 { peak.clone() } else { " ".repeat(width(&peak)) };
        let bars = fit(bars, room.saturating_sub(width(&peak)), true);
        Line::from(vec![
            Span::styled(label, STRONG),
            Span::raw("  "),
            Span::styled(bars, theme.bars()),
            Span::styled(peak, QUIET),
        ])
    };
    bars.iter().enumerate().map(line).collect()
}

/// Packets by class: a second, in the last hour, and since the start.
fn count_lines(snapshot: &Snapshot, columns: u16) -> Vec<Line<'static>> {
    let column = (usize::from(columns).saturating_sub(WORDS) / 4).min(18);
    let line = |word: &str, texts: [String; 4], style| {
        let texts = texts.iter().map(|text| fit(text, column, true)).collect::<String>();
        Line::styled(format!("{}{texts}", fit(word, WORDS, false)), style)
    };
    let classes = |counts: &Counts| [counts.packets, counts.scan, counts.backscatter, counts.other];
    let number = |packets| count(packets, column.saturating_sub(1));
    let now = |packets| rate(per_second(packets, snapshot.seconds), column.saturating_sub(1));
    vec![
        line("", ["packets", "scan", "backscatter", "other"].map(str::to_owned), QUIET),
        line("now/s", classes(&snapshot.interval).map(now), Style::new()),
        line("last hour", classes(&snapshot.hour.counts).map(number), Style::new()),
        line("since start", classes(&snapshot.total).map(number), Style::new()),
    ]
}

/// Frames that are no packets, and packets without a source.
fn outcomes(snapshot: &Snapshot, theme: Theme) -> Line<'static> {
    let all = &snapshot.total;
    let counts = [
        ("local", all.local),
        ("unwatched", all.unwatched),
        ("non-IP", all.non_ip),
        ("malformed", all.malformed),
    ];
    let mut spans = vec![Span::styled("beside them", QUIET)];
    for (name, frames) in counts {
        spans.push(Span::styled(format!("  {name} "), QUIET));
        spans.push(Span::raw(count(frames, 11)));
    }
    let style = if all.lost > 0 { theme.bad() } else { QUIET };
    spans.push(Span::styled(format!("  lost {}", count(all.lost, 11)), style));
    Line::from(spans)
}

/// A text in lines.
fn wrapped(text: &str, columns: u16, style: Style) -> Vec<Line<'static>> {
    let lines = textwrap::wrap(text, usize::from(columns).max(1));
    lines.into_iter().map(|line| Line::styled(line.into_owned(), style)).collect()
}

/// The newest messages of the agent, where there is room.
fn messages(snapshot: &Snapshot, area: Rect) -> Vec<Line<'static>> {
    let most = match area.height {
        TALL.. => 3,
        20.. => 1,
        _ => 0,
    };
    let first = snapshot.messages.len().saturating_sub(most);
    snapshot.messages[first..].iter().map(|message| Line::styled(clean(message), QUIET)).collect()
}

/// The names of the views, and below them one table, or two.
fn draw_tables(frame: &mut Frame<'_>, state: &mut State, area: Rect, theme: Theme) {
    let is_wide = area.width >= WIDE;
    let shown = if is_wide { state.view.pair().to_vec() } else { vec![state.view] };
    let Some(page) = area.height.checked_sub(2).map(usize::from) else { return };
    let rows: Vec<Vec<Row>> = shown.iter().map(|view| state.rows(*view)).collect();
    let firsts: Vec<usize> =
        shown.iter().zip(&rows).map(|(view, rows)| state.first(*view, page, rows.len())).collect();

    let here = shown.iter().position(|view| *view == state.view).unwrap_or(0);
    let line = views(state, &shown, firsts[here], page, rows[here].len(), area.width);
    frame.buffer_mut().set_line(area.x, area.y, &line, area.width);

    let columns = if is_wide { (area.width - GAP) / 2 } else { area.width };
    for (index, view) in shown.iter().enumerate() {
        let x = area.x + index as u16 * (columns + GAP);
        let table = Rect { x, y: area.y + 1, width: columns, height: area.height - 1 };
        draw_table(frame, state, *view, &rows[index], firsts[index], table, theme);
    }
}

/// The names of the views; where in its rows the chosen one is.
fn views(
    state: &State,
    shown: &[View],
    first: usize,
    page: usize,
    rows: usize,
    columns: u16,
) -> Line<'static> {
    let mut spans = Vec::new();
    for (index, view) in View::ALL.into_iter().enumerate() {
        let style = match view {
            _ if view == state.view => CHOSEN,
            _ if shown.contains(&view) => STRONG,
            _ => QUIET,
        };
        spans.push(Span::styled(format!(" {} {} ", index + 1, view.title()), style));
    }
    let taken: usize = spans.iter().map(Span::width).sum();
    let place = match rows {
        0 => String::new(),
        _ => format!("{}–{} of {rows}", first + 1, rows.min(first + page)),
    };
    let room = usize::from(columns).saturating_sub(taken);
    if width(&place) < room {
        spans.push(Span::styled(fit(&place, room, true), QUIET));
    }
    Line::from(spans)
}

fn draw_table(
    frame: &mut Frame<'_>,
    state: &State,
    view: View,
    rows: &[Row],
    first: usize,
    area: Rect,
    theme: Theme,
) {
    let sort = state.sort(view);
    let columns = table::columns(view, sort, rows, area.width.into());
    let buffer = frame.buffer_mut();
    let style = if view == state.view { STRONG } else { QUIET };
    let heading = table::heading(view, sort, &columns).into_iter().flat_map(|(text, is_sorted)| {
        let style = if is_sorted { style.add_modifier(Modifier::UNDERLINED) } else { style };
        [Span::raw(" "), Span::styled(text, style)]
    });
    buffer.set_line(area.x, area.y, &Line::from(heading.skip(1).collect::<Vec<_>>()), area.width);
    if rows.is_empty() {
        let text = match (state.unfiltered(view), view) {
            (1.., _) => "nothing matches the filter; Esc clears it",
            (0, View::Ports | View::Regions) => "no scan packets in the last hour",
            (0, View::Backscatter) => "no backscatter in the last hour",
            (0, _) => "none",
        };
        if area.height > 1 {
            buffer.set_line(area.x, area.y + 1, &Line::styled(format!("    {text}"), QUIET), area.width);
        }
        return;
    }
    let page = usize::from(area.height.saturating_sub(1));
    for (row, y) in rows.iter().skip(first).take(page).zip(area.y + 1..) {
        let mut spans = vec![Span::styled(table::rank(row), QUIET)];
        for (place, (index, columns)) in columns.iter().enumerate() {
            let Some(value) = row.values.get(*index) else { continue };
            let style = match value {
                _ if row.is_bad => theme.bad(),
                Value::Series(_) => theme.bars(),
                Value::Text(_) if place == 0 => STRONG,
                Value::Text(_) => QUIET,
                _ => Style::new(),
            };
            spans.push(Span::raw(" "));
            spans.push(Span::styled(
                fit(&value.text(*columns), *columns, view.columns()[*index].is_right),
                style,
            ));
        }
        buffer.set_line(area.x, y, &Line::from(spans), area.width);
    }
}

/// What keys do now.
fn footer(state: &State) -> Line<'static> {
    const KEYS: &str = "q quit  Tab view  s sort  r reverse  / filter  p pause  ? help";
    let filter = Span::styled(format!("/{}", state.filter), STRONG);
    if state.is_typing {
        let cursor = Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED));
        return Line::from(vec![filter, cursor, Span::styled("  Enter keeps it  Esc clears it", QUIET)]);
    }
    if state.filter.is_empty() {
        return Line::styled(KEYS, QUIET);
    }
    Line::from(vec![filter, Span::styled(format!("  Esc clears it  {KEYS}"), QUIET)])
}

/// All keys, and what things mean, over everything else.
fn help(frame: &mut Frame<'_>, area: Rect) {
    const TEXT: [(&str, &str); 18] = [
        ("q, Ctrl-C", "quit"),
        ("Tab, →, ←, 1 … 6", "another view"),
        ("s, >", "sort by the next column"),
        ("<", "sort by the column before"),
        ("r", "reverse the order"),
        ("/", "show only what contains a text; Enter keeps it"),
        ("Esc", "show all again"),
        ("p, Space", "pause, and go on with what is newest"),
        ("j, ↓, k, ↑, PgDn, PgUp", "scroll"),
        ("g, Home, G, End", "to the first row, to the last"),
        ("Ctrl-Z", "suspend; fg goes on"),
        ("?, h, F1", "this help; any key closes it"),
        ("", ""),
        ("rank, SHARE, SOURCES", "of the last hour's scan packets"),
        ("–", "no region, not ranked"),
        ("TREND", "the last hour by five minutes, up to now"),
        ("bars", "each up to its own largest value"),
        ("times", "UTC"),
    ];
    let size = Rect::new(0, 0, 74, TEXT.len() as u16 + 2);
    let (columns, height) = (size.width.min(area.width), size.height.min(area.height));
    let place = Rect { x: (area.width - columns) / 2, y: (area.height - height) / 2, width: columns, height };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" keys ");
    let inside = block.inner(place);
    frame.render_widget(block, place);
    for ((key, meaning), y) in TEXT.iter().zip(inside.y..inside.bottom()) {
        let spans = vec![Span::styled(fit(&format!(" {key}"), 25, false), STRONG), Span::raw(*meaning)];
        frame.buffer_mut().set_line(inside.x, y, &Line::from(spans), inside.width);
    }
}
