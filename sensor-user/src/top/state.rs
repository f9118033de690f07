//! What is on the screen, and what keys make of it. No terminal, no network, no clock.

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    client::Update,
    table::{self, Row, Sort, View},
};
use crate::{report::names::Names, serve::live::Snapshot};

/// Longest filter, in characters.
const LONGEST_FILTER: usize = 40;

/// What a key asks for beyond the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Stay,
    Quit,
    /// To be stopped until the shell goes on with it.
    Suspend,
}

/// Whether the agent is in touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Yes,
    No { since: Timestamp, reason: String },
}

/// What came while nothing of it was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Newer counts than those shown.
    pub updates: u64,
    pub packets: u64,
}

/// All that the screen is drawn from.
#[derive(Debug)]
pub struct State {
    pub names: Names,
    /// Where the agent is asked.
    pub address: String,
    /// The name of its host, if it has told.
    pub host: Option<String>,
    pub contact: Contact,
    /// The snapshot on the screen.
    pub shown: Option<Snapshot>,
    /// The newest one, while another stays on the screen.
    newest: Option<Snapshot>,
    /// While paused.
    pub missed: Option<Missed>,
    pub view: View,
    /// Whether keys go to the filter.
    pub is_typing: bool,
    pub is_help: bool,
    /// In the order of [`View::ALL`].
    tables: [Table; View::ALL.len()],
}

#[derive(Debug)]
struct Table {
    sort: Sort,
    filter: String,
    /// The first row that is shown.
    first: usize,
    /// How many rows are shown, as of the last drawing.
    page: usize,
}

impl State {
    /// Before the first snapshot.
    pub fn new(names: Names, address: String) -> Self {
        let tables =
            View::ALL.map(|view| Table { sort: view.first_sort(), filter: String::new(), first: 0, page: 1 });
        Self {
            names,
            address,
            host: None,
            contact: Contact::Yes,
            shown: None,
            newest: None,
            missed: None,
            view: View::Ports,
            is_typing: false,
            is_help: false,
            tables,
        }
    }

    /// Takes what the client has to tell.
    pub fn update(&mut self, update: Update) {
        match update {
            Update::Connected => self.contact = Contact::Yes,
            Update::Host(host) => self.host = Some(host),
            Update::Lost { since, reason } => self.contact = Contact::No { since, reason },
            Update::Snapshot(snapshot) => {
                self.contact = Contact::Yes;
                let newest = self.newest.as_ref().or(self.shown.as_ref());
                // A stream begins with the newest snapshot, which may be known from the one before; and an agent whose
                // store takes nothing says so, without new counts.
                let is_known = newest
                    .is_some_and(|newest| newest.time == snapshot.time && newest.since == snapshot.since);
                match (&mut self.missed, &self.shown) {
                    (Some(missed), Some(shown)) => {
                        missed.updates += u64::from(!is_known);
                        let before = if shown.since == snapshot.since { shown.total.packets } else { 0 };
                        missed.packets = snapshot.total.packets.saturating_sub(before);
                        self.newest = Some(*snapshot);
                    }
                    _ => self.shown = Some(*snapshot),
                }
            }
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Wish::Quit,
                KeyCode::Char('z') => return Wish::Suspend,
                KeyCode::Char('u') if self.is_typing => self.set_filter(String::new()),
                _ => {}
            }
            return Wish::Stay;
        }
        if self.is_help {
            // Any key closes it; some do what they always do.
            self.is_help = false;
            return if key.code == KeyCode::Char('q') { Wish::Quit } else { Wish::Stay };
        }
        if self.is_typing {
            self.type_key(key.code);
            return Wish::Stay;
        }
        let table = self.view as usize;
        let page = self.tables[table].page;
        match key.code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.is_help = true,
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(View::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='6') => {
                let index = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
                self.view = View::ALL.get(index).copied().unwrap_or(self.view);
            }
            KeyCode::Char('s' | '>') => self.sort_by(1),
            KeyCode::Char('<') => self.sort_by(self.view.columns().len() - 1),
            KeyCode::Char('r') => {
                let sort = &mut self.tables[table].sort;
                sort.is_descending = !sort.is_descending;
                self.tables[table].first = 0;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.set_filter(String::new()),
            KeyCode::Char('p' | ' ') => self.pause(),
            KeyCode::Char('j') | KeyCode::Down => self.scroll(|first| first.saturating_add(1)),
            KeyCode::Char('k') | KeyCode::Up => self.scroll(|first| first.saturating_sub(1)),
            KeyCode::PageDown => self.scroll(|first| first.saturating_add(page)),
            KeyCode::PageUp => self.scroll(|first| first.saturating_sub(page)),
            KeyCode::Char('g') | KeyCode::Home => self.scroll(|_| 0),
            KeyCode::Char('G') | KeyCode::End => self.scroll(|_| usize::MAX),
            _ => {}
        }
        Wish::Stay
    }

    fn type_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.set_filter(String::new());
            }
            KeyCode::Backspace => {
                let mut filter = self.filter().to_owned();
                filter.pop();
                self.set_filter(filter);
            }
            KeyCode::Char(character)
                if !character.is_control() && self.filter().chars().count() < LONGEST_FILTER =>
            {
                self.set_filter(format!("{}{character}", self.filter()));
            }
            _ => {}
        }
    }

    fn set_filter(&mut self, filter: String) {
        let table = &mut self.tables[self.view as usize];
        table.filter = filter;
        table.first = 0;
    }

    /// What rows of the view must contain.
    pub fn filter(&self) -> &str {
        &self.tables[self.view as usize].filter
    }

    fn turn(&mut self, by: usize) {
        self.view = View::ALL[(self.view as usize + by) % View::ALL.len()];
    }

    fn sort_by(&mut self, by: usize) {
        let columns = self.view.columns();
        let table = &mut self.tables[self.view as usize];
        let column = (table.sort.column + by) % columns.len();
        // Numbers from the most on, texts from the first on.
        table.sort = Sort { column, is_descending: columns[column].is_right };
        table.first = 0;
    }

    fn pause(&mut self) {
        self.missed = match self.missed {
            None => Some(Missed::default()),
            Some(_) => None,
        };
        if let Some(newest) = self.newest.take() {
            self.shown = Some(newest);
        }
    }

    fn scroll(&mut self, to: impl FnOnce(usize) -> usize) {
        let table = &mut self.tables[self.view as usize];
        table.first = to(table.first);
        let rows = self.rows(self.view).len();
        let table = &mut self.tables[self.view as usize];
        table.first = table.first.min(rows.saturating_sub(table.page));
    }

    /// How the rows of a view are ordered.
    pub fn sort(&self, view: View) -> Sort {
        self.tables[view as usize].sort
    }

    /// The rows of a view that match its filter, in their order.
    pub fn rows(&self, view: View) -> Vec<Row> {
        let Table { sort, filter, .. } = &self.tables[view as usize];
        let rows = |snapshot| table::rows(view, snapshot, &self.names, *sort, filter);
        self.shown.as_ref().map(rows).unwrap_or_default()
    }

    /// How many rows a view has without the filter.
    pub fn unfiltered(&self, view: View) -> usize {
        self.shown.as_ref().map_or(0, |snapshot| match view {
            View::Ports => snapshot.services.len(),
            View::Regions => snapshot.regions.len(),
            View::Tools => snapshot.tools.len(),
            View::Backscatter => snapshot.backscatter.len(),
            View::Sensors => snapshot.sensors.len(),
            View::Interfaces => snapshot.interfaces.len(),
        })
    }

    /// The first row of a view to show, where `page` rows of `rows` can be.
    pub fn first(&mut self, view: View, page: usize, rows: usize) -> usize {
        let table = &mut self.tables[view as usize];
        table.page = page.max(1);
        table.first = table.first.min(rows.saturating_sub(table.page));
        table.first
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::sample, *};

    fn state() -> State {
        let mut state = State::new(Names::new(None).unwrap(), String::new());
        state.update(Update::Snapshot(Box::new(sample::snapshot())));
        state
    }

    /// The sample, so many intervals later.
    fn later(intervals: u8) -> Update {
        let mut snapshot = sample::snapshot();
        snapshot.time = format!("2026-11-23T20:15:{:02}Z", 10 * intervals);
        snapshot.total.packets += 1_234 * u64::from(intervals);
        Update::Snapshot(Box::new(snapshot))
    }

    fn press(state: &mut State, code: KeyCode) -> Wish {
        state.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn write(state: &mut State, text: &str) {
        for character in text.chars() {
            assert_eq!(press(state, KeyCode::Char(character)), Wish::Stay);
        }
    }

    fn control(state: &mut State, character: char) -> Wish {
        state.key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL))
    }

    fn keys(state: &State) -> Vec<String> {
        state.rows(state.view).iter().map(|row| row.values[0].text(20)).collect()
    }

    #[test]
    fn it_ends_when_it_is_told() {
        let mut state = state();
        assert_eq!(press(&mut state, KeyCode::Char('q')), Wish::Quit);
        assert_eq!(control(&mut state, 'c'), Wish::Quit);
        assert_eq!(control(&mut state, 'z'), Wish::Suspend);
        write(&mut state, "/");
        assert_eq!(control(&mut state, 'c'), Wish::Quit, "while typing, too");
        write(&mut state, "q");
        assert_eq!(state.filter(), "q");
    }

    #[test]
    fn a_key_that_is_let_go_is_no_key() {
        let release = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(state().key(release), Wish::Stay);
    }

    #[test]
    fn views_turn() {
        let mut state = state();
        for expected in
            [View::Regions, View::Tools, View::Backscatter, View::Sensors, View::Interfaces, View::Ports]
        {
            press(&mut state, KeyCode::Tab);
            assert_eq!(state.view, expected);
        }
        press(&mut state, KeyCode::Left);
        assert_eq!(state.view, View::Interfaces);
        write(&mut state, "2");
        assert_eq!(state.view, View::Regions);
    }

    #[test]
    fn columns_are_chosen_and_turned_round() {
        let mut state = state();
        assert_eq!(keys(&state)[0], "23/tcp");
        write(&mut state, "r");
        assert_eq!(keys(&state)[0], "1433/tcp");
        // From LAST HOUR over SHARE and SINCE START to PORT.
        write(&mut state, "s>s");
        assert_eq!(state.sort(View::Ports), Sort { column: 0, is_descending: false });
        assert_eq!(keys(&state)[0], "8/icmp");
        write(&mut state, "<");
        assert_eq!(state.sort(View::Ports), Sort { column: 6, is_descending: true });
        assert_eq!(state.sort(View::Regions), View::Regions.first_sort(), "each view has its own");
    }

    #[test]
    fn a_filter_grows_and_goes() {
        let mut state = state();
        write(&mut state, "/4");
        assert_eq!(keys(&state), ["445/tcp", "1433/tcp"]);
        write(&mut state, "45");
        assert_eq!(keys(&state), ["445/tcp"]);
        press(&mut state, KeyCode::Backspace);
        press(&mut state, KeyCode::Backspace);
        press(&mut state, KeyCode::Enter);
        assert!(!state.is_typing);
        assert_eq!(keys(&state), ["445/tcp", "1433/tcp"]);
        assert_eq!(state.unfiltered(View::Ports), 4);
        press(&mut state, KeyCode::Esc);
        assert_eq!(keys(&state).len(), 4);
        write(&mut state, "/x");
        press(&mut state, KeyCode::Esc);
        assert!(!state.is_typing && state.filter().is_empty());
        write(&mut state, "/");
        write(&mut state, &"x".repeat(100));
        assert_eq!(state.filter().len(), LONGEST_FILTER);
        state.view = View::Regions;
        assert_eq!(keys(&state).len(), 3, "each view has its own");
        state.view = View::Ports;
        control(&mut state, 'u');
        assert_eq!(state.filter(), "");
    }

    #[test]
    fn a_pause_keeps_what_is_shown_and_counts_the_rest() {
        let mut state = state();
        let time = |state: &State| state.shown.as_ref().unwrap().time.clone();
        let before = time(&state);
        write(&mut state, "p");
        assert_eq!(state.missed, Some(Missed::default()));
        state.update(later(1));
        state.update(later(2));
        state.update(later(2));
        assert_eq!(state.missed, Some(Missed { updates: 2, packets: 2_468 }));
        // Not every interval is sent.
        state.update(later(5));
        assert_eq!(state.missed, Some(Missed { updates: 3, packets: 6_170 }));
        assert_eq!(time(&state), before);
        write(&mut state, " ");
        assert_eq!(state.missed, None);
        assert_eq!(time(&state), "2026-11-23T20:15:50Z");
    }

    #[test]
    fn trouble_is_shown_although_nothing_new_is_counted() {
        let mut state = state();
        let mut troubled = sample::snapshot();
        troubled.messages = vec!["cannot keep counts: the disk is full".to_owned()];
        state.update(Update::Snapshot(Box::new(troubled.clone())));
        assert_eq!(state.shown.as_ref().unwrap().messages, troubled.messages);
        assert_eq!(state.missed, None);
        write(&mut state, "p");
        state.update(Update::Snapshot(Box::new(troubled)));
        assert_eq!(state.missed, Some(Missed { updates: 0, packets: 0 }));
    }

    #[test]
    fn a_pause_before_the_first_snapshot_shows_that() {
        let mut state = State::new(Names::new(None).unwrap(), String::new());
        write(&mut state, "p");
        state.update(later(0));
        assert!(state.shown.is_some());
        state.update(later(1));
        assert_eq!(state.missed, Some(Missed { updates: 1, packets: 1_234 }));
    }

    #[test]
    fn contact_comes_and_goes() {
        let mut state = state();
        let since = Timestamp::from_second(1).unwrap();
        state.update(Update::Lost { since, reason: "gone".to_owned() });
        assert_eq!(state.contact, Contact::No { since, reason: "gone".to_owned() });
        assert!(state.shown.is_some(), "what was seen stays");
        state.update(Update::Connected);
        assert_eq!(state.contact, Contact::Yes);
        state.update(Update::Host("gate".to_owned()));
        assert_eq!(state.host.as_deref(), Some("gate"));
    }

    #[test]
    fn rows_scroll_within_bounds() {
        let mut value = sample::value();
        let services: Vec<_> = (1..=100)
            .map(|port| {
                json!({"service": format!("{port}/tcp"), "interval": 0, "hour": 1, "total": 1, "series": []})
            })
            .collect();
        value["services"] = json!(services);
        let mut state = State::new(Names::new(None).unwrap(), String::new());
        state.update(Update::Snapshot(Box::new(sample::of(value))));
        let first = |state: &mut State| state.first(View::Ports, 10, 100);
        assert_eq!(first(&mut state), 0);
        write(&mut state, "jj");
        assert_eq!(first(&mut state), 2);
        press(&mut state, KeyCode::PageDown);
        assert_eq!(first(&mut state), 12);
        write(&mut state, "G");
        assert_eq!(first(&mut state), 90);
        press(&mut state, KeyCode::Down);
        assert_eq!(first(&mut state), 90);
        press(&mut state, KeyCode::PageUp);
        write(&mut state, "k");
        assert_eq!(first(&mut state), 79);
        write(&mut state, "g");
        press(&mut state, KeyCode::Up);
        assert_eq!(first(&mut state), 0);
        write(&mut state, "G/9");
        assert_eq!(first(&mut state), 0, "a filter begins at the top");
    }

    #[test]
    fn help_goes_with_any_key() {
        let mut state = state();
        write(&mut state, "?");
        assert!(state.is_help);
        write(&mut state, "2");
        assert!(!state.is_help);
        assert_eq!(state.view, View::Ports);
        write(&mut state, "?");
        assert_eq!(press(&mut state, KeyCode::Char('q')), Wish::Quit);
    }
}
