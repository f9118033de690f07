//! Threads that answer questions to a store: few, of low priority, with a bounded queue.
//!
//! Whoever asks waits for no longer than a question may take, and nobody who counts waits for whoever asks: the threads
//! are the last that the machine runs, a question ends when its time is over or when nobody waits for it any more,
//! and beyond a number of waiting questions there is no room.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use tokio::{sync::oneshot, time::timeout};

use crate::serve::{nice::be_nice, problem::Problem};

/// What an answer may take beyond what it should.
const MARGIN: Duration = Duration::from_secs(2);

/// What questions may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that answer.
    pub threads: usize,
    /// Questions that wait for one of them.
    pub waiting: usize,
    /// How long a question may wait. A report may wait as long as one may take, if that is longer.
    pub wait: Duration,
    /// How long it may take then.
    pub question: Duration,
    /// How long a report may take.
    pub report: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 2,
            waiting: 32,
            wait: Duration::from_secs(10),
            question: Duration::from_secs(15),
            report: Duration::from_secs(60),
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Question,
    /// Of these, one at a time: the other threads are for questions.
    Report,
}

/// Whether somebody still wants an answer, and until when it may take.
#[derive(Debug, Default)]
pub struct Stop {
    nobody_waits: AtomicBool,
    until: OnceLock<Instant>,
}

impl Stop {
    /// Nobody waits for the answer any more.
    pub fn leave(&self) {
        self.nobody_waits.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn is_over(&self) -> bool {
        self.nobody_waits.load(Ordering::Relaxed) || self.is_late()
    }

    /// Whether the time is over.
    pub fn is_late(&self) -> bool {
        self.until.get().is_some_and(|until| *until <= Instant::now())
    }
}

/// Says when somebody does not wait any more: when it is dropped.
#[derive(Debug)]
pub struct Waiting(pub Arc<Stop>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Work, which is told whether it has waited for too long.
type Work = Box<dyn FnOnce(Result<(), Problem>) + Send>;

struct Job {
    kind: Kind,
    stop: Arc<Stop>,
    since: Instant,
    work: Work,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Whether a thread makes a report.
    reporting: bool,
    closed: bool,
}

struct Shared {
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

/// The threads.
pub struct Pool(Arc<Shared>);

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If the system has none.
    pub fn new(limits: Limits) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { limits, state: Mutex::new(State::default()), changed: Condvar::new() });
        let pool = Self(Arc::clone(&shared));
        for _ in 0..limits.threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("ask".to_owned()).spawn(move || shared.run())?;
        }
        Ok(pool)
    }

    /// Does work on one of the threads, and stops it when nobody waits any more.
    ///
    /// # Errors
    ///
    /// Those of the work; if too many wait, or the time is over.
    pub async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Stop>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let stop = Arc::new(Stop::default());
        let waiting = Waiting(Arc::clone(&stop));
        let (answer, answered) = oneshot::channel();
        self.submit(Kind::Question, Arc::clone(&stop), move |started| {
            // Who asked may be gone.
            let _ = answer.send(started.and_then(|()| in_time(&stop, work)));
        })?;
        let answered = timeout(self.patience(Kind::Question), answered).await;
        drop(waiting);
        // A thread may hang where nothing can stop it, as on a disk that does not answer.
        answered.map_or_else(|_| Err(too_long()), |answer| answer.unwrap_or_else(|_| Err(unexpected())))
    }

    /// How long to wait for an answer at most, whatever becomes of it.
    pub fn patience(&self, kind: Kind) -> Duration {
        self.0.wait(kind) + self.0.limit(kind) + MARGIN
    }

    /// Lets one of the threads do work, or tells it that it waited for too long. Work that nobody waits for is dropped.
    ///
    /// # Errors
    ///
    /// If too many wait.
    pub fn submit(
        &self,
        kind: Kind,
        stop: Arc<Stop>,
        work: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) -> Result<(), Problem> {
        let mut state = self.0.lock();
        if state.jobs.len() >= self.0.limits.waiting {
            state.jobs.retain(|job| !job.stop.is_over());
        }
        if state.jobs.len() >= self.0.limits.waiting {
            return Err(busy());
        }
        state.jobs.push_back(Job { kind, stop, since: Instant::now(), work: Box::new(work) });
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.0.changed.notify_all();
    }
}

/// Does work; where the time was over meanwhile, that is what went wrong.
pub fn in_time<T>(
    stop: &Arc<Stop>,
    work: impl FnOnce(&Arc<Stop>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    work(stop).map_err(|problem| if stop.is_late() { too_long() } else { problem })
}

impl Shared {
    /// A thread that panics holds no lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        be_nice();
        while let Some(job) = self.next() {
            let (limit, waited) = (self.limit(job.kind), job.since.elapsed());
            // Set once, here.
            let _ = job.stop.until.set(Instant::now() + limit);
            let started = if waited > self.wait(job.kind) { Err(busy()) } else { Ok(()) };
            // A question that panics must not take the thread from all others; the panic is told on standard error.
            let _ = catch_unwind(AssertUnwindSafe(|| (job.work)(started)));
            if job.kind == Kind::Report {
                self.lock().reporting = false;
                self.changed.notify_all();
            }
        }
    }

    /// How long work may wait for a thread.
    fn wait(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Question => self.limits.wait,
            // They wait for each other.
            Kind::Report => self.limits.report.max(self.limits.wait),
        }
    }

    const fn limit(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Question => self.limits.question,
            Kind::Report => self.limits.report,
        }
    }

    /// Waits for work; `None` if there will be none.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            state.jobs.retain(|job| !job.stop.is_over());
            let reporting = state.reporting;
            let next = state.jobs.iter().position(|job| job.kind == Kind::Question || !reporting);
            if let Some(job) = next.and_then(|index| state.jobs.remove(index)) {
                state.reporting |= job.kind == Kind::Report;
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Nobody has time.
fn busy() -> Problem {
    Problem::unavailable("busy", "too many questions are waiting for an answer; ask again in some seconds", 5)
}

pub fn too_long() -> Problem {
    Problem::unavailable(
        "too long",
        "the answer takes longer than a question may; ask for a shorter period, fewer dimensions, or without sources",
        60,
    )
}

fn unexpected() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "unexpected",
        "answering ended unexpectedly; the agent's log says where, please report this",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::serve::nice::niceness;

    fn limits(waiting: usize) -> Limits {
        Limits { threads: 1, waiting, ..Limits::default() }
    }

    /// A pool whose only thread works until the sender is dropped.
    async fn occupied(limits: Limits) -> (Arc<Pool>, mpsc::Sender<()>) {
        let pool = Arc::new(Pool::new(limits).unwrap());
        let (go, wait) = mpsc::channel::<()>();
        let (started, start) = oneshot::channel();
        let asking = Arc::clone(&pool);
        tokio::spawn(async move {
            asking
                .ask(move |_| {
                    started.send(()).unwrap();
                    let _ = wait.recv();
                    Ok(())
                })
                .await
        });
        start.await.unwrap();
        (pool, go)
    }

    #[tokio::test]
    async fn work_is_done_at_low_priority() {
        let pool = Pool::new(Limits::default()).unwrap();
        assert!(pool.ask(|_| Ok(niceness())).await.unwrap() > niceness().min(9));
    }

    #[tokio::test]
    async fn beyond_the_queue_there_is_no_room() {
        let (pool, go) = occupied(limits(1)).await;
        let asking = Arc::clone(&pool);
        let second = tokio::spawn(async move { asking.ask(|_| Ok(2)).await });
        while pool.0.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        let third = pool.ask(|_| Ok(3)).await.unwrap_err();
        assert_eq!((third.status, third.title), (503, "busy"));
        assert!(third.retry_after.is_some());
        drop(go);
        assert_eq!(second.await.unwrap(), Ok(2));
        assert_eq!(pool.ask(|_| Ok(4)).await, Ok(4), "there is room again");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_done() {
        let (pool, go) = occupied(limits(1)).await;
        let asking = Arc::clone(&pool);
        let (done, was_done) = mpsc::channel();
        let gone = tokio::spawn(async move { asking.ask(move |_| Ok(done.send(()).is_ok())).await });
        while pool.0.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        // It makes room for another, too.
        let asking = Arc::clone(&pool);
        let other = tokio::spawn(async move { asking.ask(|_| Ok(3)).await });
        while pool.0.lock().jobs.front().is_none_or(|job| job.stop.is_over()) {
            tokio::task::yield_now().await;
        }
        drop(go);
        assert_eq!(other.await.unwrap(), Ok(3));
        assert!(was_done.try_recv().is_err());
    }

    #[tokio::test]
    async fn work_is_told_when_its_asker_leaves() {
        let pool = Arc::new(Pool::new(limits(1)).unwrap());
        let (stopped, was_stopped) = oneshot::channel();
        let (started, start) = oneshot::channel();
        let asking = Arc::clone(&pool);
        let gone = tokio::spawn(async move {
            asking
                .ask(move |stop| {
                    started.send(()).unwrap();
                    while !stop.is_over() {
                        thread::yield_now();
                    }
                    stopped.send(stop.is_late()).unwrap();
                    Ok(())
                })
                .await
        });
        start.await.unwrap();
        gone.abort();
        assert!(!was_stopped.await.unwrap(), "not for its time");
    }

    #[tokio::test]
    async fn work_that_takes_too_long_says_so() {
        let pool = Pool::new(Limits { question: Duration::ZERO, ..limits(1) }).unwrap();
        let answer: Result<(), Problem> = pool.ask(|_| Err(Problem::not_found("interrupted"))).await;
        assert_eq!(answer.unwrap_err().title, "too long");
        assert_eq!(pool.ask(|_| Ok(1)).await, Ok(1), "an answer that is there is given");
    }

    #[tokio::test]
    async fn who_waited_for_too_long_is_told() {
        let pool = Pool::new(Limits { wait: Duration::ZERO, ..limits(1) }).unwrap();
        assert_eq!(pool.ask(|_| Ok(1)).await.unwrap_err().title, "busy");
    }

    #[tokio::test]
    async fn one_report_at_a_time() {
        let pool = Pool::new(Limits::default()).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let (done, mut both) = tokio::sync::mpsc::unbounded_channel();
        let report = |wait: Option<mpsc::Receiver<()>>, name: &'static str| {
            let done = done.clone();
            let work = move |_: Result<(), Problem>| {
                let _ = wait.map(|wait| wait.recv());
                done.send(name).unwrap();
            };
            pool.submit(Kind::Report, Arc::default(), work).unwrap();
        };
        report(Some(wait), "first");
        report(None, "second");
        // Questions are answered meanwhile, by the other thread, which leaves the second report alone.
        for _ in 0..10 {
            assert_eq!(pool.ask(|_| Ok(1)).await, Ok(1));
        }
        assert!(both.try_recv().is_err());
        drop(go);
        assert_eq!([both.recv().await, both.recv().await], [Some("first"), Some("second")]);
    }

    #[tokio::test]
    async fn a_panic_is_one_questions_own() {
        let pool = Pool::new(limits(1)).unwrap();
        let answer: Result<(), Problem> = pool.ask(|_| panic!("on purpose, in a test")).await;
        assert_eq!(answer.unwrap_err().status, 500);
        assert_eq!(pool.ask(|_| Ok(1)).await, Ok(1));
    }
}
