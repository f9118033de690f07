//! Kept epochs into hours and days, beside the counting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use log::{debug, error, warn};
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    geo::Geo,
    store::{Limits, Maintained, Portion, Retention, StoreError},
};

use super::keep::{SharedStore, lock};

/// How often days are closed and what is too old is deleted.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);

/// A task that folds what was kept whenever it is told to.
pub struct Folder {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
    work: Work,
}

#[derive(Clone)]
struct Work {
    store: SharedStore,
    geo: Arc<Geo>,
    retention: Retention,
    /// Whether it was told that the clock is not believed.
    doubted: Arc<AtomicBool>,
}

impl Folder {
    /// Starts the task.
    pub fn start(store: SharedStore, geo: Arc<Geo>, retention: Retention) -> Self {
        let work = Work { store, geo, retention, doubted: Arc::default() };
        let wake = Arc::new(Notify::new());
        let (woken, again) = (Arc::clone(&wake), work.clone());
        let task = tokio::spawn(async move {
            let mut failing = false;
            let mut maintained: Option<Instant> = None;
            loop {
                woken.notified().await;
                let work = again.clone();
                let due = maintained.is_none_or(|last| last.elapsed() >= MAINTAIN_EVERY);
                let done = spawn_blocking(move || {
                    fold(&work.store, &work.geo)?;
                    if due { maintain(&work.store, &work.retention, &work.doubted) } else { Ok(()) }
                });
                match done.await {
                    Ok(Ok(())) => {
                        failing = false;
                        maintained = if due { Some(Instant::now()) } else { maintained };
                    }
                    Ok(Err(error)) => {
                        // The same that keeps epochs from being committed, as a rule, which tells of it.
                        if !failing {
                            warn!("cannot fold what was counted into hours, it is tried again: {error}");
                        }
                        failing = true;
                    }
                    Err(error) => error!("folding ended unexpectedly, please report this: {error}"),
                }
            }
        });
        Self { wake, task, work }
    }

    /// Says that there is something to fold.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends the task, and folds what is there.
    ///
    /// # Errors
    ///
    /// Those of the store. What is not folded now is folded at the next start.
    pub async fn finish(self) -> Result<(), StoreError> {
        self.task.abort();
        // A blocking part of it that has begun goes on, and has the store until it is through.
        let work = self.work;
        spawn_blocking(move || fold(&work.store, &work.geo)).await.unwrap_or(Ok(()))
    }
}

/// Folds all that waits.
///
/// # Errors
///
/// Those of the store. What is not folded now is folded at the next occasion.
pub fn fold(store: &SharedStore, geo: &Geo) -> Result<(), StoreError> {
    fold_all(store, geo, &Portion::SHORT)
}

/// Folds what waits of one generation, by its row.
///
/// # Errors
///
/// Those of the store. What is not folded now is folded at the next occasion.
pub fn fold_only(store: &SharedStore, geo: &Geo, generation: i64) -> Result<(), StoreError> {
    fold_all(store, geo, &Portion { generation: Some(generation), ..Portion::SHORT })
}

fn fold_all(store: &SharedStore, geo: &Geo, portion: &Portion) -> Result<(), StoreError> {
    loop {
        let folded = lock(store).fold(&geo.tables(), &Limits::default(), portion)?;
        for damaged in &folded.damaged {
            error!(
                "epoch {} of generation {} cannot be folded, it stays in the store as it is: {}",
                damaged.epoch, damaged.generation, damaged.reason
            );
        }
        if !folded.more {
            return Ok(());
        }
        // Whoever waits to commit goes first.
        thread::sleep(Duration::from_millis(10));
    }
}

/// Closes the days that are over, and deletes what is too old. `doubted`: whether it was told that the
/// clock is not believed.
fn maintain(store: &SharedStore, retention: &Retention, doubted: &AtomicBool) -> Result<(), StoreError> {
    loop {
        let now = Timestamp::now();
        let done = lock(store).maintain(now.as_second(), retention, &Limits::default())?;
        let told = doubted.swap(done.doubted.is_some(), Ordering::Relaxed);
        if let (Some(until), false) = (done.doubted, told) {
            let until =
                Timestamp::from_second(until).map_or_else(|_| until.to_string(), |time| time.to_string());
            warn!(
                "the clock says {now:.0}, but the counts before end at {until}: no day is closed and nothing old \
                 is deleted before a day of new counts is kept; if the clock is wrong, set it"
            );
        }
        if done != Maintained::default() {
            debug!("maintained: {done:?}");
        }
        if !done.more {
            return Ok(());
        }
        // Each step is a transaction of its own; whoever waits to commit goes first.
        thread::sleep(Duration::from_millis(10));
    }
}
