//! Series of those with the most packets.

use std::{collections::HashSet, hash::Hash};

use super::{Counters, Labels};

/// Counters of what has the most packets since the start; all the rest is `other`.
pub(super) struct Leaders<K> {
    most: usize,
    /// What has a series of its own.
    listed: HashSet<K>,
    counters: Counters,
    labels: fn(Option<K>) -> Labels,
}

impl<K: Copy + Eq + Hash> Leaders<K> {
    /// Counts at most so many; `None` if that is nothing. `labels`: of a series, and of the rest.
    pub fn new(most: usize, labels: fn(Option<K>) -> Labels) -> Option<Self> {
        let counters = Counters::default();
        drop(counters.get_or_create(&labels(None)));
        (most > 0).then(|| Self { most, listed: HashSet::new(), counters, labels })
    }

    /// How many have a series of their own, at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The counters, to be registered.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Takes in the counts of an interval. Something is listed as long as it is in `top`. What falls out
    /// loses its series; what was counted there is not moved to the rest, so that no series ever jumps.
    pub fn count(&mut self, counts: impl IntoIterator<Item = (K, u64)>, top: impl IntoIterator<Item = K>) {
        let top: HashSet<K> = top.into_iter().collect();
        for fallen in self.listed.difference(&top) {
            self.counters.remove(&(self.labels)(Some(*fallen)));
        }
        self.listed = top;
        let mut other = 0;
        for (key, packets) in counts {
            if self.listed.contains(&key) {
                self.counters.get_or_create(&(self.labels)(Some(key))).inc_by(packets);
            } else {
                other += packets;
            }
        }
        self.counters.get_or_create(&(self.labels)(None)).inc_by(other);
    }
}
