//! Which keys the packets of a benchmark have, in which order: the same from run to run.

use teiten_tests::random::{Random, mix};

/// Headers of the table that packets take theirs from, in turn. As in the BPF object.
pub const HEADERS: usize = 1 << 22;

/// What differs between packets. As in the BPF object.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Header {
    /// IPv4 source address, network order.
    source: [u8; 4],
    /// Destination port, network order.
    port: [u8; 2],
    /// IP protocol.
    protocol: u8,
    reserved: u8,
}

const TCP: u8 = 6;
const UDP: u8 = 17;

impl Header {
    /// The header of a key's number. Numbers below 2^32 have sources of their own, but for the one
    /// in 32,768 whose source would not be counted. One packet in eight is UDP, the others TCP.
    fn of(key: u32, ports: Ports) -> Self {
        // Odd factors and shifts: nothing falls together.
        let mixed = (key ^ key >> 16).wrapping_mul(0x7feb_352d);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x846c_a68b);
        let mut source = mixed ^ mixed >> 16;
        if source == 0 || source >> 16 == 0xa9fe {
            source ^= 0x0100_0000;
        }
        let rest = mix(u64::from(key) | 1 << 40);
        let port = match ports {
            Ports::Uniform => rest as u16,
            // An odd factor: every rank has a port of its own, and the busy ones lie far apart.
            Ports::Telescope => (rank(rest, 1 << 16) as u16).wrapping_mul(0x9e37),
        };
        Self {
            source: source.to_be_bytes(),
            port: port.to_be_bytes(),
            protocol: if rest >> 61 == 0 { UDP } else { TCP },
            reserved: 0,
        }
    }
}

/// How often the keys of a set occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// All equally often, in random order.
    Uniform,
    /// The key of rank r with a probability of about 1/r.
    Zipf,
    /// None twice.
    New,
}

/// Which destination ports the keys of a set have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The port of rank r for about 1/r of the keys, as a telescope sees them: some are busy, and
    /// all 65,536 occur.
    Telescope,
    /// All equally often, as in a flood that forges them.
    Uniform,
}

/// A set of keys and how they are drawn.
#[derive(Clone, Copy, Debug)]
pub struct KeySet {
    pub keys: usize,
    pub draw: Draw,
    pub ports: Ports,
}

impl KeySet {
    /// The table of headers.
    pub fn table(&self) -> Vec<Header> {
        let mut random = Random(0x7465_6974_656e);
        match self.draw {
            Draw::Uniform | Draw::New => {
                let mut table: Vec<Header> =
                    (0..HEADERS).map(|index| Header::of((index % self.keys) as u32, self.ports)).collect();
                for last in (1..table.len()).rev() {
                    table.swap(last, below(&mut random, last as u64 + 1) as usize);
                }
                table
            }
            Draw::Zipf => (0..HEADERS)
                .map(|_| Header::of(rank(random.draw(), self.keys) as u32 - 1, self.ports))
                .collect(),
        }
    }
}

/// A number below `bound`.
pub fn below(random: &mut Random, bound: u64) -> u64 {
    ((u128::from(random.draw()) * u128::from(bound)) >> 64) as u64
}

/// A rank from 1 to `ranks` by a uniform number: r with probability ln(1 + 1/r) / ln(1 + ranks), which
/// is about 1/r but for the first few.
pub fn rank(number: u64, ranks: usize) -> usize {
    let unit = (number >> 11) as f64 / (1u64 << 53) as f64;
    ((ranks as f64 + 1.0).powf(unit) as usize).clamp(1, ranks)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_differ() {
        let distinct: HashSet<_> = (0..1 << 20)
            .map(|key| Header::of(key, Ports::Telescope))
            .map(|header| (header.source, header.port))
            .collect();
        assert_eq!(distinct.len(), 1 << 20);
    }

    #[test]
    fn uniform_sets_hold_every_key_equally_often() {
        let table = KeySet { keys: 1 << 10, draw: Draw::Uniform, ports: Ports::Telescope }.table();
        let mut counts = std::collections::HashMap::new();
        for header in &table {
            *counts.entry((header.source, header.port)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 1 << 10);
        assert!(counts.values().all(|&count| count == HEADERS >> 10));
    }

    #[test]
    fn zipf_ranks_follow_their_law() {
        let mut random = Random(1);
        let mut first = 0;
        for _ in 0..100_000 {
            let rank = rank(random.draw(), 1 << 20);
            assert!((1..=1 << 20).contains(&rank));
            first += u32::from(rank == 1);
        }
        // ln 2 / ln 2^20 = 5 %
        assert!((4_700..5_300).contains(&first), "{first}");
    }
}
