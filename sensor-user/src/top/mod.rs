//! The terminal: live ports and regions of an agent, near or far.
//!
//! - [`client`] follows an agent's `/api/v1/live/stream` by [`sse`];
//! - [`state`] is what is on the screen, and what keys make of it; [`table`] its rows; both are pure;
//! - [`draw`] puts it into a frame, with texts that fit ([`text`]);
//! - [`terminal`] takes the terminal over and gives it back.

pub mod client;
mod draw;
#[cfg(test)]
mod sample;
mod sse;
mod state;
mod table;
mod terminal;
mod text;

use std::{future::Future, io, time::Duration};

use ratatui::crossterm::event::Event;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::MissedTickBehavior,
};

use self::{
    client::Client,
    draw::Theme,
    state::{State, Wish},
    terminal::Screen,
};
use crate::report::names::Names;

/// How often the screen is looked at without any news, so that a terminal that is gone is noticed.
const LOOK: Duration = Duration::from_secs(1);

/// Why it ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    #[error(transparent)]
    Refused(#[from] client::Refused),
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
    #[error("the connection's task ended")]
    Task(#[from] tokio::task::JoinError),
}

/// Shows what an agent counts until `end`, or until a key asks for the end.
///
/// # Errors
///
/// If nobody answers to begin with, with what to do about it; or if the terminal cannot be used. Contact that is
/// lost later is no error.
pub async fn run(client: Client, names: Names, end: impl Future<Output = ()>) -> Result<(), TopError> {
    let mut end = Box::pin(end);
    let stream = tokio::select! {
        () = &mut end => return Ok(()),
        stream = client.open() => stream?,
    };
    let mut state = State::new(names, client.address().to_string());
    let (sender, mut updates) = mpsc::channel(8);
    let mut following = tokio::spawn(client.follow(stream, sender));

    let mut stopped = signal(SignalKind::from_raw(libc::SIGTSTP))?;
    let mut continued = signal(SignalKind::from_raw(libc::SIGCONT))?;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let theme = Theme::of_environment();
    let mut screen = Screen::take()?;
    let mut events = terminal::events()?;
    loop {
        screen.draw(|frame| draw::draw(frame, &mut state, theme))?;
        tokio::select! {
            () = &mut end => return Ok(()),
            event = events.recv() => match event {
                Some(Ok(Event::Key(key))) => match state.key(key) {
                    Wish::Stay => {}
                    Wish::Quit => return Ok(()),
                    Wish::Suspend => screen.suspend()?,
                },
                // A change of size is seen when drawing.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(io::Error::other("its keys can no longer be read").into()),
            },
            Some(update) = updates.recv() => state.update(update),
            // It goes on as long as somebody listens.
            ended = &mut following => return ended.map_err(TopError::from),
            _ = stopped.recv() => screen.suspend()?,
            _ = continued.recv() => screen.again()?,
            _ = look.tick() => {}
        }
    }
}
