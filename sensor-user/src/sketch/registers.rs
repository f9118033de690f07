//! The registers of a sketch.

/// Bits of a hash that choose a register.
pub(super) const INDEX_BITS: u32 = 12;
/// Registers of a sketch.
pub(super) const COUNT: usize = 1 << INDEX_BITS;
/// The highest rank: all the other bits of a hash are zero.
pub(super) const MAX_RANK: u8 = (64 - INDEX_BITS) as u8 + 1;
/// Lists of more registers than this become an array.
const FEW: usize = 512;
/// Bits of a rank in an entry of a list.
const RANK_BITS: u32 = 6;

/// The ranks of all registers. The form follows from the number of registers that are not 0, so
/// equal states are equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Registers {
    /// Index and rank of those that are not 0, packed, in order.
    Few(Vec<u32>),
    Many(Box<[u8; COUNT]>),
}

const fn pack(index: u16, rank: u8) -> u32 {
    (index as u32) << RANK_BITS | rank as u32
}

const fn unpack(entry: u32) -> (u16, u8) {
    ((entry >> RANK_BITS) as u16, (entry & ((1 << RANK_BITS) - 1)) as u8)
}

impl Registers {
    pub const fn new() -> Self {
        Self::Few(Vec::new())
    }

    /// Lifts a register to at least this rank. `index` is below [`COUNT`], `rank` in 1 to [`MAX_RANK`].
    #[inline]
    pub fn raise(&mut self, index: u16, rank: u8) {
        match self {
            Self::Few(list) => {
                raise_in(list, 0, index, rank);
                if list.len() > FEW {
                    self.spread();
                }
            }
            Self::Many(ranks) => raise_at(ranks, index, rank),
        }
    }

    /// [`Registers::raise`] for entries in the order of their indices.
    pub fn raise_all(&mut self, entries: impl Iterator<Item = (u16, u8)>) {
        let mut from = 0;
        for (index, rank) in entries {
            match self {
                Self::Few(list) => {
                    from = raise_in(list, from, index, rank);
                    if list.len() > FEW {
                        self.spread();
                    }
                }
                Self::Many(ranks) => raise_at(ranks, index, rank),
            }
        }
    }

    /// Lifts every register to at least its rank in `other`, of which more than [`FEW`] are not 0.
    pub fn merge_many(&mut self, other: &[u8; COUNT]) {
        self.spread();
        if let Self::Many(ranks) = self {
            for (rank, other) in ranks.iter_mut().zip(other) {
                *rank = (*rank).max(*other);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Few(own), Self::Few(list)) => {
                *own = merged(own, list);
                if own.len() > FEW {
                    self.spread();
                }
            }
            (Self::Many(_), Self::Few(list)) => self.raise_all(list.iter().copied().map(unpack)),
            (_, Self::Many(ranks)) => self.merge_many(ranks),
        }
    }

    /// Turns a list into an array.
    fn spread(&mut self) {
        if let Self::Few(list) = self {
            let mut ranks = Box::new([0; COUNT]);
            for (index, rank) in list.iter().copied().map(unpack) {
                ranks[usize::from(index)] = rank;
            }
            *self = Self::Many(ranks);
        }
    }

    /// Index and rank of the registers that are not 0, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u8)> {
        let (few, many): (&[u32], &[u8]) = match self {
            Self::Few(list) => (list, &[]),
            Self::Many(ranks) => (&[], ranks.as_slice()),
        };
        let many = (0..).zip(many.iter().copied()).filter(|(_, rank)| *rank != 0);
        few.iter().copied().map(unpack).chain(many)
    }

    /// How many registers have each rank.
    pub fn histogram(&self) -> [u16; MAX_RANK as usize + 1] {
        let mut counts = [0; MAX_RANK as usize + 1];
        match self {
            Self::Few(list) => {
                counts[0] = (COUNT - list.len()) as u16;
                for &entry in list {
                    counts[usize::from(unpack(entry).1)] += 1;
                }
            }
            Self::Many(ranks) => {
                // Apart, as neighbours are often alike, and one count would wait for the other.
                let mut apart = [[0u16; MAX_RANK as usize + 1]; 4];
                for four in ranks.as_chunks::<4>().0 {
                    for (counts, &rank) in apart.iter_mut().zip(four) {
                        counts[usize::from(rank)] += 1;
                    }
                }
                for (rank, count) in counts.iter_mut().enumerate() {
                    *count = apart.iter().map(|counts| counts[rank]).sum();
                }
            }
        }
        counts
    }
}

fn raise_at(ranks: &mut [u8; COUNT], index: u16, rank: u8) {
    let register = &mut ranks[usize::from(index)];
    *register = (*register).max(rank);
}

/// The registers of two lists, of those in both the higher rank.
fn merged(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut list = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    while let (Some(&one), Some(&other)) = (a.peek(), b.peek()) {
        let order = unpack(one).0.cmp(&unpack(other).0);
        // Of the same register, the higher rank is the higher entry.
        list.push(if order.is_eq() { one.max(other) } else { one.min(other) });
        if order.is_le() {
            a.next();
        }
        if order.is_ge() {
            b.next();
        }
    }
    list.extend(a);
    list.extend(b);
    list
}

/// Raises a register in the part of a list from `from` on; returns its place.
fn raise_in(list: &mut Vec<u32>, from: usize, index: u16, rank: u8) -> usize {
    let at = from + list[from..].partition_point(|&entry| entry < pack(index, 0));
    match list.get_mut(at) {
        Some(entry) if unpack(*entry).0 == index => *entry = (*entry).max(pack(index, rank)),
        _ => list.insert(at, pack(index, rank)),
    }
    at
}
