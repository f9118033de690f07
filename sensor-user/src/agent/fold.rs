//! Kept epochs into hours and days, beside the counting.

use std::{sync::Arc, thread, time::Duration};

use log::{error, warn};
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    geo::Geo,
    store::{Limits, StoreError},
};

use super::keep::{SharedStore, lock};

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
}

impl Folder {
    /// Starts the task.
    pub fn start(store: SharedStore, geo: Arc<Geo>) -> Self {
        let work = Work { store, geo };
        let wake = Arc::new(Notify::new());
        let (woken, again) = (Arc::clone(&wake), work.clone());
        let task = tokio::spawn(async move {
            let mut failing = false;
            loop {
                woken.notified().await;
                let work = again.clone();
                match spawn_blocking(move || fold(&work.store, &work.geo)).await {
                    Ok(Ok(())) => failing = false,
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

/// Folds all that is there.
///
/// # Errors
///
/// Those of the store. What is not folded now is folded at the next occasion.
pub fn fold(store: &SharedStore, geo: &Geo) -> Result<(), StoreError> {
    loop {
        let folded = lock(store).fold(&geo.tables(), &Limits::default())?;
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
