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
    state::{Contact, State},
    table::{self, Row, Value, View, per_second},
    text::{bars, clean, count, cut, date_and_time, fit, rate, rates, time_of_day, width},
};
use crate::serve::live::{Counts, Snapshot};

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
            let updates = if missed.updates == 1 { "update" } else { "updates" };
            let since = format!("{} {updates}, {} packets since", missed.updates, count(missed.packets, 12));
            (format!(" PAUSED: {since} "), CHOSEN)
        }
        (None, Some(snapshot)) => (date_and_time(&snapshot.time), Style::new()),
        (None, None) => (String::new(), Style::new()),
    };
    let right = cut(&right, columns);
    let room = columns.saturating_sub(width(&right));
    let name = fit("teiten", room.min(8), false);
    let peer = match &state.host {
        Some(host) => format!("{host} at {}", state.address),
        None => state.address.clone(),
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
        (5, vec![outcomes(snapshot, columns, theme)]),
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
            let since = store.since.as_deref().map(|since| format!(" since {}", date_and_time(since)));
            let since = since.unwrap_or_default();
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
            alarms.push(format!(
                "{interface} has missed {} for want of buffers: nobody can count these",
                number(dropped)
            ));
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
    let since = date_and_time(&snapshot.since);
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

/// Packets without a source, and frames that are no packets, since the start.
fn outcomes(snapshot: &Snapshot, columns: u16, theme: Theme) -> Line<'static> {
    let all = &snapshot.total;
    let counts = [
        ("lost ", all.lost),
        ("  local ", all.local),
        ("  unwatched ", all.unwatched),
        ("  non-IP ", all.non_ip),
        ("  malformed ", all.malformed),
    ];
    let words: usize = counts.iter().map(|(word, _)| word.len()).sum();
    let column = usize::from(columns).saturating_sub(words) / counts.len();
    let mut spans = Vec::new();
    for (index, (word, frames)) in counts.into_iter().enumerate() {
        let is_bad = index == 0 && frames > 0;
        spans.push(Span::styled(word, if is_bad { theme.bad() } else { QUIET }));
        spans.push(Span::styled(count(frames, column), if is_bad { theme.bad() } else { Style::new() }));
    }
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
        spans.push(Span::styled(format!("{} {}", index + 1, view.title()), style));
        spans.push(Span::raw(" "));
    }
    let taken: usize = spans.iter().map(Span::width).sum();
    let place = match rows {
        0 => String::new(),
        _ => format!("{}–{} of {rows}", first + 1, rows.min(first + page)),
    };
    let room = usize::from(columns).saturating_sub(taken);
    if width(&place) <= room {
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
    let filter = Span::styled(format!("/{}", state.filter()), STRONG);
    if state.is_typing {
        let cursor = Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED));
        return Line::from(vec![filter, cursor, Span::styled("  Enter keeps it  Esc clears it", QUIET)]);
    }
    if state.filter().is_empty() {
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ratatui::{
        Terminal,
        backend::TestBackend,
        buffer::{Buffer, Cell},
        crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    };
    use serde_json::{Value, json};

    use super::{
        super::{client::Update, sample},
        *,
    };
    use crate::report::names::Names;

    fn empty() -> State {
        let mut state = State::new(Names::new(None).unwrap(), "http://127.0.0.1:8642".to_owned());
        state.update(Update::Host("sensor01".to_owned()));
        state
    }

    fn with(value: Value) -> State {
        let mut state = empty();
        state.update(Update::Snapshot(Box::new(sample::of(value))));
        state
    }

    fn press(state: &mut State, keys: &str) {
        for key in keys.chars() {
            state.key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
        }
    }

    fn buffer(state: &mut State, columns: u16, rows: u16, has_colours: bool) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| draw(frame, state, Theme { has_colours })).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The lines of a screen.
    fn screen(state: &mut State, columns: u16, rows: u16) -> Vec<String> {
        let buffer = buffer(state, columns, rows, true);
        let lines = buffer.content.chunks(usize::from(columns).max(1));
        lines.map(|cells| cells.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned()).collect()
    }

    fn line<'a>(screen: &'a [String], part: &str) -> &'a str {
        screen
            .iter()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part} in\n{}", screen.join("\n")))
    }

    #[test]
    fn eighty_by_twenty_four_show_what_matters() {
        let screen = screen(&mut with(sample::value()), 80, 24);
        assert_eq!(
            screen[..8],
            [
                "teiten  sensor01 at http://127.0.0.1:8642                   2026-11-23 20:14:08Z",
                "since 2026-11-23 18:00:00Z, every 10 s; on eth1 (native), eth2 (generic); sensor",
                "123 packets/s                                                   ▁▂█  at most 123",
                "                      packets             scan      backscatter            other",
                "now/s                     123              100               20              3.4",
                "last hour              12,340           10,000            2,000              340",
                "since start         1,234,000        1,000,000          200,000           34,000",
                "lost 0  local 6,000  unwatched 13,000  non-IP 17,000  malformed 12,000",
            ]
        );
    }

    #[test]
    fn the_ports_are_below() {
        let screen = screen(&mut with(sample::value()), 80, 24);
        assert!(screen[8].starts_with("1 ports 2 regions 3 tools "), "{}", screen[8]);
        assert!(screen[8].ends_with("1–4 of 4"));
        assert_eq!(
            screen[9..11],
            [
                "    PORT       NAME               TREND    NOW/S ▼LAST HOUR   SHARE  SINCE START",
                "  1 23/tcp     telnet               ▂██       50      5,000  50.0 %      400,000",
            ]
        );
        assert_eq!(screen[23], "q quit  Tab view  s sort  r reverse  / filter  p pause  ? help");
        let mut state = with(sample::value());
        press(&mut state, "2");
        let screen = self::screen(&mut state, 80, 24);
        assert_eq!(
            screen[9..12],
            [
                "    REGION   NAME                TREND    NOW/S ▼LAST HOUR   SHARE  SINCE START",
                "  1 NL       Netherlands           ▃▄█       60      6,000  80.0 %      500,000",
                "  – unknown                          █      0.1      2,500                    9",
            ]
        );
    }

    #[test]
    fn two_tables_where_there_is_room() {
        let mut state = with(sample::value());
        let wide = screen(&mut state, 120, 40);
        let both = line(&wide, "23/tcp");
        assert!(both.contains("NL ") && both.contains("50.0 %") && both.contains("80.0 %"), "{both}");
        press(&mut state, "3");
        let wide = screen(&mut state, 120, 40);
        assert!(line(&wide, "mirai").contains("30.0 %"));
        assert!(line(&wide, "none").contains("80/tcp"));
    }

    #[test]
    fn losses_are_told_in_red_with_what_they_mean() {
        let mut value = sample::value();
        let style_of = |state: &mut State, part: &str, has_colours| {
            let buffer = buffer(state, 80, 24, has_colours);
            let lines: Vec<&[Cell]> = buffer.content.chunks(80).collect();
            let cells = lines
                .iter()
                .find(|cells| cells.iter().map(Cell::symbol).collect::<String>().starts_with(part));
            (cells.unwrap()[0].fg, cells.unwrap()[0].modifier)
        };
        assert!(!screen(&mut with(value.clone()), 80, 24).concat().contains("spill log"));
        value["total"]["lost"] = json!(12_345);
        value["interval"]["lost"] = json!(67);
        value["total"]["uncounted"] = json!(3);
        value["total"]["mismatches"] = json!(2);
        let mut state = with(value.clone());
        let text = screen(&mut state, 80, 24).join(" ");
        for part in [
            "lost 12,345 since start, 67 in this interval",
            "raise --spill-memory",
            "uncounted 3: frames without counters",
            "accounting identities broken 2",
            "lost 12,345  local 6,000",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(style_of(&mut state, "lost 12,345 since", true), (Color::Red, Modifier::BOLD));
        assert_eq!(style_of(&mut state, "lost 12,345 since", false), (Color::Reset, Modifier::BOLD));

        let mut value = sample::value();
        value["store"]["trouble"] = json!("full");
        value["store"]["since"] = json!("2026-11-23T20:00:00Z");
        value["interfaces"][0]["dropped"] = json!(9);
        value["interfaces"][1]["up"] = json!(false);
        let text = screen(&mut with(value), 80, 24).join("\n");
        for part in [
            "the store takes nothing since 2026-11-23 20:00:00Z (full); the kernel keeps the",
            "eth1 has missed 9 for want of buffers: nobody can count these",
            "eth2 is down or gone: nothing is counted there",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn no_background_is_ever_set() {
        let mut state = with(sample::value());
        press(&mut state, "/t?");
        for has_colours in [true, false] {
            let buffer = buffer(&mut state, 120, 40, has_colours);
            assert!(buffer.content.iter().all(|cell| cell.bg == Color::Reset));
            assert_eq!(buffer.content.iter().any(|cell| cell.fg != Color::Reset), has_colours);
        }
    }

    #[test]
    fn what_is_going_on_is_told() {
        let mut state = empty();
        assert_eq!(screen(&mut state, 80, 24)[1], "connected: the first interval is not over yet");
        state.update(Update::Snapshot(Box::new(sample::snapshot())));
        let since = Timestamp::from_second(1_795_464_848).unwrap();
        state.update(Update::Lost { since, reason: "connection refused".to_owned() });
        let text = screen(&mut state, 80, 24);
        assert_eq!(text[1], "no contact since 20:14:08Z (connection refused), trying again");
        press(&mut state, "p");
        assert!(screen(&mut state, 80, 24)[0].ends_with(" PAUSED: 0 updates, 0 packets since"));
        press(&mut state, "/tel");
        let text = screen(&mut state, 80, 24);
        assert!(text[23].starts_with("/tel   Enter keeps it"), "{}", text[23]);
        press(&mut state, "x");
        assert!(screen(&mut state, 80, 24).join("\n").contains("nothing matches the filter"));
    }

    #[test]
    fn messages_of_the_agent_have_their_lines() {
        let mut value = sample::value();
        value["messages"] = json!(["one", "two", "three", "four"]);
        let mut state = with(value);
        let normal = screen(&mut state, 80, 24);
        assert_eq!(normal[22], "four");
        assert!(!normal.contains(&"three".to_owned()));
        assert_eq!(screen(&mut state, 80, 40)[36..39], ["two", "three", "four"]);
        assert!(!screen(&mut state, 80, 19).contains(&"four".to_owned()));
    }

    #[test]
    fn nothing_to_show_is_said() {
        let mut value = sample::value();
        for list in ["services", "regions", "tools", "backscatter", "sensors", "interfaces"] {
            value[list] = json!([]);
        }
        for list in ["seconds", "scan", "backscatter", "other"] {
            value["series"][list] = json!([]);
        }
        let mut state = with(value);
        assert!(screen(&mut state, 80, 24).join("\n").contains("no scan packets in the last hour"));
        press(&mut state, "4");
        assert!(screen(&mut state, 80, 24).join("\n").contains("no backscatter in the last hour"));
    }

    #[test]
    fn any_size_will_do() {
        let mut value = sample::value();
        value["total"]["lost"] = json!(u64::MAX);
        value["total"]["packets"] = json!(u64::MAX);
        value["messages"] = json!(["日本語のメッセージ", "x".repeat(300)]);
        let mut state = with(value);
        state.update(Update::Lost { since: Timestamp::UNIX_EPOCH, reason: "y".repeat(300) });
        for keys in ["", "2", "3", "4", "5", "6", "/n", "p", "?"] {
            press(&mut state, keys);
            for columns in [0, 1, 2, 3, 5, 8, 13, 21, 40, 79, 80, 111, 112, 113, 300] {
                for rows in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 19, 20, 24, 31, 32, 60] {
                    assert_eq!(screen(&mut state, columns, rows).len(), usize::from(rows * columns.min(1)));
                }
            }
        }
    }

    #[test]
    fn rows_get_what_height_there_is() {
        let mut value = sample::value();
        let services: Vec<Value> = (1..=100)
            .map(|port| json!({"service": format!("{port}/udp"), "interval": 0, "hour": 1, "total": 1, "series": []}))
            .collect();
        value["services"] = json!(services);
        let mut state = with(value);
        let mut shown =
            |rows| screen(&mut state, 80, rows).iter().filter(|line| line.contains("/udp")).count();
        assert_eq!([5, 7, 10, 24, 40].map(&mut shown), [1, 3, 3, 13, 26]);
    }

    #[test]
    fn help_names_every_key() {
        let mut state = with(sample::value());
        press(&mut state, "?");
        let text = screen(&mut state, 80, 24).join("\n");
        for key in ["q, Ctrl-C", "Tab", "s, >", "r ", "/ ", "Esc", "p, Space", "PgDn", "Home", "Ctrl-Z", "F1"]
        {
            assert!(text.contains(key), "{key} in\n{text}");
        }
    }
}
