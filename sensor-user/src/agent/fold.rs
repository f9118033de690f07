//! Kept epochs into hours and days, beside the counting.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use log::{debug, error, warn};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinHandle, spawn_blocking},
};

use crate::{
    geo::Geo,
    store::{Folded, Limits, Maintained, Portion, Retention, StoreError},
};

use super::keep::{SharedStore, lock};

/// How often days are closed and what is too old is deleted.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);
/// How often it is told that folding still fails.
const TELL_EVERY: Duration = Duration::from_secs(3600);

/// A task that folds what was kept whenever it is told to.
pub struct Folder {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
    work: Work,
}

/// How folding goes in a running agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folding {
    /// Since when it fails, in seconds since 1970, and how it did last.
    pub failing: Option<(i64, String)>,
    /// Epochs that could not be read, and were left as they are, since the start.
    pub damaged: u64,
}

/// Why not everything is folded at the end.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("folding ended unexpectedly, please report this: {0}")]
    Unexpected(#[from] JoinError),
}

#[derive(Clone)]
struct Work {
    store: SharedStore,
    geo: Arc<Geo>,
    retention: Retention,
    told: Arc<Told>,
}

/// What was told, and is not told again; and how it goes.
#[derive(Default)]
struct Told {
    /// That the clock is not believed.
    doubted: AtomicBool,
    /// That epochs are too long to tell victims.
    untestable: AtomicBool,
    folding: Mutex<Folding>,
}

impl Told {
    fn folding(&self) -> MutexGuard<'_, Folding> {
        self.folding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how it went. Gives since when it fails.
    fn went(&self, error: Option<&FoldError>) -> Option<i64> {
        let mut folding = self.folding();
        let since =
            folding.failing.as_ref().map_or_else(|| Timestamp::now().as_second(), |&(since, _)| since);
        folding.failing = error.map(|error| (since, error.to_string()));
        error.is_some().then_some(since)
    }
}

impl Work {
    fn fold(&self) -> Result<(), FoldError> {
        fold_all(&self.store, &self.geo, &Portion::SHORT, |folded| {
            self.told.folding().damaged += folded.damaged.len() as u64;
            if folded.untestable > 0 && !self.told.untestable.swap(true, Ordering::Relaxed) {
                warn!(
                    "epochs are longer than a minute: victims of attacks cannot be told; use --interval 1m or \
                     shorter (once is normal behind a time in which no agent ran)"
                );
            }
        })?;
        Ok(())
    }

    /// Closes the days that are over, and deletes what is too old.
    fn maintain(&self) -> Result<(), FoldError> {
        loop {
            let now = Timestamp::now();
            let geo = self.geo.tables();
            let done =
                lock(&self.store).maintain(now.as_second(), &self.retention, &Limits::default(), &geo)?;
            let told = self.told.doubted.swap(done.doubted.is_some(), Ordering::Relaxed);
            if let (Some(until), false) = (done.doubted, told) {
                let until =
                    Timestamp::from_second(until).map_or_else(|_| until.to_string(), |time| time.to_string());
                warn!(
                    "the clock says {now:.0}, but the counts before end at {until}: no day is closed and \
                     nothing old is deleted before a day of new counts is kept; if the clock is wrong, set it"
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
}

impl Folder {
    /// Starts the task.
    pub fn start(store: SharedStore, geo: Arc<Geo>, retention: Retention) -> Self {
        let work = Work { store, geo, retention, told: Arc::default() };
        let wake = Arc::new(Notify::new());
        let (woken, again) = (Arc::clone(&wake), work.clone());
        let task = tokio::spawn(async move {
            let mut told: Option<Instant> = None;
            let mut maintained: Option<Instant> = None;
            loop {
                woken.notified().await;
                let work = again.clone();
                let due = maintained.is_none_or(|last| last.elapsed() >= MAINTAIN_EVERY);
                let done = spawn_blocking(move || {
                    work.fold()?;
                    if due { work.maintain() } else { Ok(()) }
                });
                let done = done.await.unwrap_or_else(|error| Err(error.into()));
                match (again.told.went(done.as_ref().err()), done) {
                    (Some(since), Err(error)) => {
                        // The same that keeps epochs from being committed, as a rule, which tells of it.
                        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                            let since = Timestamp::from_second(since).unwrap_or_default();
                            warn!(
                                "since {since}, what is counted cannot be folded into hours; it stays in the \
                                 store as it is, and it is tried again: {error}"
                            );
                            told = Some(Instant::now());
                        }
                    }
                    _ => {
                        told = None;
                        maintained = if due { Some(Instant::now()) } else { maintained };
                    }
                }
            }
        });
        Self { wake, task, work }
    }

    /// Says that there is something to fold.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// How it goes.
    pub fn state(&self) -> Folding {
        self.work.told.folding().clone()
    }

    /// Ends the task, and folds what is there.
    ///
    /// # Errors
    ///
    /// Those of the store, or that it panicked. What is not folded now is folded at the next start.
    pub async fn finish(self) -> Result<(), FoldError> {
        self.task.abort();
        // A blocking part of it that has begun goes on, and has the store until it is through.
        let work = self.work;
        spawn_blocking(move || work.fold()).await?
    }
}

/// Folds all that waits.
///
/// # Errors
///
/// Those of the store. What is not folded now is folded at the next occasion.
pub fn fold(store: &SharedStore, geo: &Geo) -> Result<(), StoreError> {
    fold_all(store, geo, &Portion::SHORT, |_| {})
}

/// Folds what waits of one generation, by its row.
///
/// # Errors
///
/// Those of the store. What is not folded now is folded at the next occasion.
pub fn fold_only(store: &SharedStore, geo: &Geo, generation: i64) -> Result<(), StoreError> {
    fold_all(store, geo, &Portion { generation: Some(generation), ..Portion::SHORT }, |_| {})
}

fn fold_all(
    store: &SharedStore,
    geo: &Geo,
    portion: &Portion,
    note: impl Fn(&Folded),
) -> Result<(), StoreError> {
    loop {
        let folded = lock(store).fold(&geo.tables(), &Limits::default(), portion)?;
        for damaged in &folded.damaged {
            error!(
                "epoch {} of generation {} cannot be folded, it stays in the store as it is: {}",
                damaged.epoch, damaged.generation, damaged.reason
            );
        }
        note(&folded);
        if !folded.more {
            return Ok(());
        }
        // Whoever waits to commit goes first.
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_when_it_fails() {
        let told = Told::default();
        let error = |text: &str| FoldError::Store(StoreError::Closed(text.into()));
        assert_eq!(told.went(None), None);
        let since = told.went(Some(&error("a"))).unwrap();
        told.folding().failing.as_mut().unwrap().0 = since - 100;
        assert_eq!(told.went(Some(&error("b"))), Some(since - 100));
        let (_, last) = told.folding().failing.clone().unwrap();
        assert_eq!(last, error("b").to_string());
        assert_eq!(told.went(None), None);
        assert_eq!(*told.folding(), Folding::default());
    }
}
