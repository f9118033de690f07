//! Sorted ranges of addresses: what every database is flattened into.
//!
//! A look-up is one read of an index by the upper 16 bits and a binary search among the few ranges
//! that begin below them. There is nothing to allocate, to decode or to follow.

use std::fmt::Debug;

/// An address as the kernel's keys hold it: 32 bits of IPv4, or the upper 64 bits of IPv6.
pub(super) trait Address: Copy + Ord + Debug {
    /// `0.0.0.0` or `::`.
    const ZERO: Self;
    /// The upper 16 bits.
    fn upper(self) -> usize;
    /// Whether all bits below the upper 16 are zero.
    fn is_first(self) -> bool;
}

impl Address for u32 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn upper(self) -> usize {
        (self >> 16) as usize
    }

    #[inline(always)]
    fn is_first(self) -> bool {
        self as u16 == 0
    }
}

impl Address for u64 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn upper(self) -> usize {
        (self >> 48) as usize
    }

    #[inline(always)]
    fn is_first(self) -> bool {
        self << 16 == 0
    }
}

/// A value for every address: each start holds until the next one. Starts ascend strictly, the first
/// is zero, and neighbours differ.
#[derive(Clone, Debug)]
pub(super) struct Flat<A, T> {
    ranges: Vec<(A, T)>,
}

impl<A: Address, T: Copy + PartialEq> Flat<A, T> {
    /// The same value for all addresses.
    pub fn new(everywhere: T) -> Self {
        Self { ranges: vec![(A::ZERO, everywhere)] }
    }

    /// From `start` on it is `value`. Starts must not descend; an equal one replaces the last.
    pub fn push(&mut self, start: A, value: T) {
        if let Some(&(last, _)) = self.ranges.last() {
            debug_assert!(last <= start, "ranges are pushed in ascending order");
            if last == start {
                self.ranges.pop();
            }
        }
        if self.ranges.last().is_none_or(|&(_, before)| before != value) {
            self.ranges.push((start, value));
        }
    }

    /// What `pick` makes of the values of both, everywhere.
    pub fn merge<U: Copy + PartialEq>(&self, other: &Flat<A, U>, pick: impl Fn(T, U) -> T) -> Self {
        let mut merged = Self { ranges: Vec::with_capacity(self.ranges.len() + other.ranges.len()) };
        let (mut ours, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let (mut our_value, mut their_value) = (None, None);
        loop {
            let start = match (ours.peek(), theirs.peek()) {
                (Some(&&(a, _)), Some(&&(b, _))) => a.min(b),
                (Some(&&(a, _)), None) => a,
                (None, Some(&&(b, _))) => b,
                (None, None) => return merged,
            };
            if let Some(&(_, value)) = ours.next_if(|&&(a, _)| a == start) {
                our_value = Some(value);
            }
            if let Some(&(_, value)) = theirs.next_if(|&&(b, _)| b == start) {
                their_value = Some(value);
            }
            // Both begin at zero, so both are there from the first round on.
            if let (Some(a), Some(b)) = (our_value, their_value) {
                merged.push(start, pick(a, b));
            }
        }
    }

    /// The ranges, by ascending start.
    #[cfg(test)]
    pub fn ranges(&self) -> &[(A, T)] {
        &self.ranges
    }
}

/// The look-up table of a [`Flat`].
#[derive(Debug)]
pub(super) struct Ranges<A, T> {
    /// By the upper 16 bits: the range that holds the first address with these bits. One more entry
    /// closes the last. Empty if there is one range only, which needs no memory then.
    index: Box<[u32]>,
    starts: Box<[A]>,
    values: Box<[T]>,
    everywhere: T,
}

impl<A: Address, T: Copy + PartialEq> Ranges<A, T> {
    /// The table of these ranges.
    pub fn new(flat: Flat<A, T>, everywhere: T) -> Self {
        let everywhere = flat.ranges.first().map_or(everywhere, |&(_, value)| value);
        if flat.ranges.len() <= 1 {
            return Self {
                index: Box::default(),
                starts: Box::default(),
                values: Box::default(),
                everywhere,
            };
        }
        let starts: Box<[A]> = flat.ranges.iter().map(|&(start, _)| start).collect();
        let values = flat.ranges.iter().map(|&(_, value)| value).collect();
        let mut index = Vec::with_capacity((1 << 16) + 1);
        let mut at = 0;
        for upper in 0..=1_usize << 16 {
            // The last range that begins before or exactly at the first address of `upper`: those
            // with smaller upper bits do, and of those with the same bits only `upper`:0.
            while at + 1 < starts.len() && begins_by(&starts, at + 1, upper) {
                at += 1;
            }
            // A file of 2^32 ranges is far beyond the limit on its size.
            index.push(at as u32);
        }
        Self { index: index.into(), starts, values, everywhere }
    }

    /// The value of an address.
    #[inline]
    pub fn get(&self, address: A) -> T {
        let upper = address.upper();
        let (Some(&first), Some(&last)) = (self.index.get(upper), self.index.get(upper + 1)) else {
            return self.everywhere;
        };
        let (first, last) = (first as usize, last as usize);
        let among = &self.starts[first + 1..=last];
        self.values[first + among.partition_point(|&start| start <= address)]
    }

    /// Every range, by its first address and that of the next one (`None` behind the last), with its
    /// value.
    pub fn iter(&self) -> impl Iterator<Item = (A, Option<A>, T)> {
        let everywhere = self.starts.is_empty().then_some((A::ZERO, None, self.everywhere));
        let next = self.starts.iter().skip(1).map(|&next| Some(next)).chain([None]);
        let ranges = self.starts.iter().zip(next).zip(&self.values);
        everywhere.into_iter().chain(ranges.map(|((&start, next), &value)| (start, next, value)))
    }
}

/// Whether the range of this number begins at or before the first address with these upper bits.
fn begins_by<A: Address>(starts: &[A], number: usize, upper: usize) -> bool {
    let start = starts[number];
    start.upper() < upper || (start.upper() == upper && start.is_first())
}
