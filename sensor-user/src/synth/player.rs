//! Sends traffic at a steady rate.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Traffic;

/// Frames that are made at a time.
const BATCH: usize = 64;
/// The longest wait, so that a stop is soon heard of.
const NAP: Duration = Duration::from_millis(20);
/// The wait when there is no room.
const RETRY: Duration = Duration::from_micros(200);

/// A thread that makes and sends frames.
#[derive(Debug)]
pub struct Player<E> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, E>>,
    /// Closed when the thread ends.
    ended: oneshot::Receiver<()>,
}

impl<E: Send + 'static> Player<E> {
    /// Sends `rate` frames a second, or as many as there is room for. `send` sends the first of the
    /// frames that it is given and says how many; the others are given to it again.
    pub fn start(
        mut traffic: Traffic,
        rate: u32,
        mut send: impl FnMut(&[Vec<u8>]) -> Result<usize, E> + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (ends, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let _ends: oneshot::Sender<()> = ends;
            let mut frames = vec![Vec::new(); BATCH];
            let mut pace = Pace::new(rate, Instant::now());
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = pace.due(Instant::now(), BATCH as u64) as usize;
                if due == 0 {
                    thread::sleep(pace.wait().min(NAP));
                    continue;
                }
                let mut frames = frames.get_mut(..due).unwrap_or_default();
                for frame in frames.iter_mut() {
                    traffic.next_frame(frame);
                }
                while !frames.is_empty() && !stopped.load(Ordering::Relaxed) {
                    match send(frames)? {
                        0 => thread::sleep(RETRY),
                        taken => {
                            sent += taken as u64;
                            frames = frames.get_mut(taken..).unwrap_or_default();
                        }
                    }
                }
            }
            Ok(sent)
        });
        Self { stop, thread, ended }
    }

    /// Waits until sending fails, the one reason to end that there is but for [`Player::finish`].
    pub async fn failed(&mut self) {
        // Nothing is ever sent: an error says that the thread has ended.
        let _ = (&mut self.ended).await;
    }

    /// Stops, and says how many frames were sent.
    ///
    /// # Errors
    ///
    /// That of `send`, if it failed.
    pub async fn finish(mut self) -> Result<u64, E> {
        self.stop.store(true, Ordering::Relaxed);
        if !self.ended.is_terminated() {
            self.failed().await;
        }
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Which frames are due.
#[derive(Debug)]
struct Pace {
    rate: u32,
    start: Instant,
    /// Handed out since the start.
    given: u64,
}

impl Pace {
    /// What could not be sent for longer than this is not made up for.
    const MOST_LATE: Duration = Duration::from_millis(250);

    fn new(rate: u32, start: Instant) -> Self {
        Self { rate, start, given: 0 }
    }

    /// How many frames are due now, `most` at most.
    fn due(&mut self, now: Instant, most: u64) -> u64 {
        let all = |time: Duration| (time.as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64;
        let behind = all(now.saturating_duration_since(self.start)).saturating_sub(self.given);
        let due = behind.min(most);
        self.given += due;
        if behind > all(Self::MOST_LATE).max(most) {
            (self.start, self.given) = (now, 0);
        }
        due
    }

    /// About the time from one frame to the next; no less than a millisecond, in which several are sent
    /// at a high rate.
    fn wait(&self) -> Duration {
        (Duration::from_secs(1) / self.rate.max(1)).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        geo::{Geo, Paths},
        synth::{DEMO, Plan, Scenario},
    };

    #[test]
    fn the_pace_is_kept_and_stalls_are_forgiven() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(1000, start);
        assert_eq!(pace.due(start, 64), 0);
        assert_eq!(pace.due(at(3), 64), 3);
        assert_eq!(pace.due(at(3), 64), 0);
        // 97 are due: they come in two batches.
        assert_eq!([pace.due(at(100), 64), pace.due(at(100), 64), pace.due(at(100), 64)], [64, 33, 0]);
        // After a second of nothing, the rest of it is left out.
        assert_eq!([pace.due(at(1100), 64), pace.due(at(1100), 64), pace.due(at(1105), 64)], [64, 0, 5]);
        assert_eq!(Pace::new(u32::MAX, start).due(at(3_600_000), 64), 64);
    }

    fn traffic() -> Traffic {
        let geo = Geo::open(Paths::default()).unwrap();
        let plan = Plan::new(Scenario::parse("demo", DEMO).unwrap()).unwrap();
        Traffic::new(plan, 1, &geo.tables())
    }

    #[tokio::test]
    async fn every_frame_is_sent_once_and_in_order_however_short_the_room() {
        let (to, sent) = mpsc::channel();
        let mut calls = 0;
        let player = Player::start(traffic(), 100_000, move |frames: &[Vec<u8>]| {
            calls += 1;
            // No room, room for one, room for some.
            let room = [0, 1, 7][calls % 3].min(frames.len());
            frames[..room].iter().for_each(|frame| to.send(frame.clone()).unwrap());
            Ok::<_, ()>(room)
        });
        let mut expected = traffic();
        let mut frame = Vec::new();
        for _ in 0..500 {
            expected.next_frame(&mut frame);
            assert_eq!(sent.recv().unwrap(), frame);
        }
        let count = player.finish().await.unwrap();
        assert_eq!(count, 500 + sent.iter().count() as u64);
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let mut player = Player::start(traffic(), 1000, |_: &[Vec<u8>]| Err("broken"));
        player.failed().await;
        assert_eq!(player.finish().await, Err("broken"));
    }
}
