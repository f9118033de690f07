use std::hash::BuildHasher;

use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};
use proptest::prelude::*;

use super::*;

/// Register and rank of a source.
type Entry = (u64, u32);

/// A hash that gives a register a rank.
fn hash((index, rank): Entry) -> u64 {
    index << 52 | (1 << 52) >> rank
}

fn scope() -> Scope {
    Scope { family: Family::V4, length: 32, key: 0xbeef }
}

fn of(entries: &[Entry]) -> Sketch {
    let mut sketch = Sketch::new(scope());
    for &entry in entries {
        sketch.insert(hash(entry));
    }
    sketch
}

/// The first `count` sources of a key.
fn sources(seed: u64, count: u64) -> Sketch {
    let key = key(seed);
    let mut sketch = Sketch::new(Scope::new(&key, Family::V4, 32));
    for source in 0..count {
        sketch.insert(key.hash(source));
    }
    sketch
}

fn key(seed: u64) -> SketchKey {
    SketchKey::new((u128::from(seed) << 64 | 0x5eed).to_le_bytes())
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    // Ranks as hashes give them, with some that hardly ever occur.
    let rank =
        prop_oneof![9 => any::<u64>().prop_map(|bits| bits.leading_zeros().min(52) + 1), 1 => 1..=53u32];
    let of = |most| proptest::collection::vec((0..4096u64, rank.clone()), 0..most);
    prop_oneof![of(30), of(1200), of(12_000)]
}

fn merged(a: &Sketch, b: &Sketch) -> Sketch {
    let mut union = a.clone();
    union.merge(b).unwrap();
    union
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_the_union_in_any_order(a in entries(), b in entries(), c in entries()) {
        let (x, y, z) = (of(&a), of(&b), of(&c));
        prop_assert_eq!(merged(&x, &y), merged(&y, &x));
        prop_assert_eq!(merged(&merged(&x, &y), &z), merged(&x, &merged(&y, &z)));
        prop_assert_eq!(&merged(&x, &x), &x);
        prop_assert_eq!(&merged(&x, &Sketch::new(scope())), &x);
        let mut all = [a, b].concat();
        prop_assert_eq!(merged(&x, &y).to_bytes(), of(&all).to_bytes());
        all.reverse();
        prop_assert_eq!(merged(&x, &y), of(&all));
    }

    #[test]
    fn bytes_are_one_form_of_a_state(a in entries(), b in entries()) {
        let (x, y) = (of(&a), of(&b));
        let bytes = x.to_bytes();
        prop_assert!(bytes.len() <= 3076);
        prop_assert_eq!(&Sketch::from_bytes(&bytes).unwrap(), &x);
        prop_assert_eq!(read(&bytes), model(&a));
        prop_assert_eq!(x == y, bytes == y.to_bytes());
        let mut union = x.clone();
        union.merge_bytes(&y.to_bytes()).unwrap();
        prop_assert_eq!(&union, &merged(&x, &y));
        prop_assert_eq!(union.estimate(), merged(&y, &x).estimate());
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        sound in any::<bool>(),
    ) {
        let header = [if sound { 1 } else { 0x11 }, 24, 1, 2];
        for bytes in [bytes.clone(), [&header, bytes.as_slice()].concat()] {
            if let Ok(sketch) = Sketch::from_bytes(&bytes) {
                prop_assert_eq!(sketch.to_bytes(), bytes);
                prop_assert!(sketch.estimate().is_finite());
            }
        }
    }
}

/// The registers that entries give, by a plain maximum.
fn model(entries: &[Entry]) -> Vec<u8> {
    let mut ranks = vec![0; 4096];
    for &(index, rank) in entries {
        ranks[index as usize] = ranks[index as usize].max(rank as u8);
    }
    ranks
}

/// The registers of a sketch's bytes, read bit by bit as the documentation has them.
fn read(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[4..];
    if bytes[0] & 0x10 != 0 {
        let bit = |at: usize| body[at / 8] >> (at % 8) & 1;
        return (0..4096).map(|index| (0..6).map(|at| bit(6 * index + at) << at).sum()).collect();
    }
    let mut ranks = Vec::new();
    let mut bytes = body.iter().copied();
    while let Some(first) = bytes.next() {
        let v = if first < 128 {
            u32::from(first)
        } else {
            u32::from(first - 128) + 128 * u32::from(bytes.next().unwrap())
        };
        ranks.extend(std::iter::repeat_n(0, v as usize / 4));
        ranks.push(if v % 4 == 3 { 4 + bytes.next().unwrap() } else { v as u8 % 4 + 1 });
    }
    ranks.resize(4096, 0);
    ranks
}

#[test]
fn hashes_are_siphash_2_4() {
    // Of the reference implementation's vectors, that of 8 bytes.
    let key = SketchKey::new(std::array::from_fn(|n| n as u8));
    assert_eq!(key.hash(0x0706_0504_0302_0100), 0x93f5_f579_9a93_2462);
    assert_ne!(key.fingerprint(), SketchKey::new([0; 16]).fingerprint());
    assert_eq!(format!("{key:?}"), format!("SketchKey({:016x})", key.fingerprint()));
}

#[test]
fn ranks_are_of_the_lower_52_bits() {
    for (hash, entry) in [
        (0, (0, 53)),
        (1, (0, 52)),
        (u64::MAX, (4095, 1)),
        (1 << 52, (1, 53)),
        (1 << 51, (0, 1)),
        (0xabc0_0000_0000_1000, (0xabc, 40)),
    ] {
        let mut sketch = Sketch::new(scope());
        sketch.insert(hash);
        assert_eq!(sketch, of(&[entry]), "{hash:#x}");
        assert_eq!(sketch.registers.iter().collect::<Vec<_>>(), [(entry.0 as u16, entry.1 as u8)]);
    }
}

/// What stands in stores: these bytes may never change their meaning.
#[test]
fn the_byte_form_is_fixed() {
    let header = [1, 32, 0xef, 0xbe];
    let bytes = |entries: &[Entry]| of(entries).to_bytes();
    assert_eq!(bytes(&[]), header);
    assert_eq!(bytes(&[(0, 1)]), [&header[..], &[0]].concat());
    assert_eq!(bytes(&[(31, 3), (64, 1)]), [&header[..], &[0x7e, 0x80, 1]].concat());
    assert_eq!(bytes(&[(4095, 53), (4094, 4)]), [&header[..], &[0xfb, 0x7f, 0, 3, 49]].concat());
    let full: Vec<Entry> = (0..4096).map(|index| (index, 1 + index as u32 % 4)).collect();
    let dense = bytes(&full);
    assert_eq!(dense.len(), 3076);
    // 1, 2, 3, 4 in 6 bits each.
    assert_eq!(dense[..10], [0x11, 32, 0xef, 0xbe, 0x81, 0x30, 0x10, 0x81, 0x30, 0x10]);
    let v6 = Scope { family: Family::V6, length: 48, key: 1 };
    assert_eq!(Sketch::new(v6).to_bytes(), [0x21, 48, 1, 0]);
}

#[test]
fn the_shorter_form_is_taken() {
    // One byte each: 3071 bytes are sparse, 3072 are dense.
    let row: Vec<Entry> = (0..3072).map(|index| (index, 1)).collect();
    assert_eq!((of(&row[1..]).to_bytes().len(), of(&row[1..]).to_bytes()[0]), (3075, 1));
    assert_eq!((of(&row).to_bytes().len(), of(&row).to_bytes()[0]), (3076, 0x11));
    for entries in [&row[1..], &row] {
        assert_eq!(Sketch::from_bytes(&of(entries).to_bytes()).unwrap(), of(entries));
    }
    let mut sparse = vec![1, 32, 0, 0];
    sparse.resize(3076, 0);
    assert!(matches!(Sketch::from_bytes(&sparse), Err(SketchError::NotCanonical(_))));
    let mut dense = vec![0x11, 32, 0, 0];
    dense.resize(3076, 0);
    assert!(matches!(Sketch::from_bytes(&dense), Err(SketchError::NotCanonical(_))));
}

#[test]
fn scopes_do_not_mix() {
    let other = Scope { length: 24, ..scope() };
    let mut sketch = of(&[(1, 1)]);
    let before = sketch.clone();
    let error = sketch.merge(&Sketch::new(other)).unwrap_err();
    assert_eq!(sketch.merge_bytes(&Sketch::new(other).to_bytes()), Err(error));
    let error = sketch.merge(&Sketch::new(other)).unwrap_err().to_string();
    assert!(error.contains("IPv4 sources cut to /32, key beef") && error.contains("/24"), "{error}");
    for other in [Scope { family: Family::V6, ..scope() }, Scope { key: 1, ..scope() }] {
        assert!(matches!(sketch.merge(&Sketch::new(other)), Err(SketchError::Scope(..))));
    }
    assert_eq!(sketch, before);
    let key = SketchKey::new([7; 16]);
    assert_eq!(Scope::new(&key, Family::V6, 64).key, key.fingerprint() as u16);
}

#[test]
fn damage_is_named_and_changes_nothing() {
    let damaged: [(&[u8], SketchError); 9] = [
        (&[], SketchError::Truncated(0)),
        (&[1, 32, 0xef], SketchError::Truncated(3)),
        (&[1, 32, 0xef, 0xbe, 0, 0x80], SketchError::Truncated(6)),
        (&[1, 32, 0xef, 0xbe, 3], SketchError::Truncated(5)),
        (&[2, 32, 0xef, 0xbe], SketchError::Version(2)),
        (&[0x41, 32, 0xef, 0xbe], SketchError::Header(0x41)),
        (&[1, 32, 0xef, 0xbe, 0xfc, 0x7f, 0], SketchError::Index(4096)),
        (&[1, 32, 0xef, 0xbe, 3, 50], SketchError::Rank { index: 0, rank: 54 }),
        (&[0x11, 32, 0xef, 0xbe, 0], SketchError::Length(1)),
    ];
    let mut sketch = of(&[(7, 2)]);
    for (bytes, error) in damaged {
        assert_eq!(sketch.merge_bytes(bytes), Err(error), "{bytes:?}");
        assert!(Sketch::from_bytes(bytes).is_err());
    }
    assert_eq!(
        sketch.merge_bytes(&[1, 32, 0xef, 0xbe, 0x80, 0]),
        Err(SketchError::NotCanonical("a number is written longer than needed"))
    );
    assert_eq!(sketch, of(&[(7, 2)]));
}

#[test]
fn a_changed_byte_makes_another_sketch_or_none() {
    for count in [3, 60, 900, 9000] {
        let sketch = sources(1, count);
        let bytes = sketch.to_bytes();
        for at in 0..bytes.len() {
            assert!(Sketch::from_bytes(&bytes[..at]).map_or(true, |part| part.to_bytes() == bytes[..at]));
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(other) = Sketch::from_bytes(&changed) {
                    assert_ne!(other, sketch);
                    assert_eq!(other.to_bytes(), changed);
                    assert!(other.estimate().is_finite());
                }
            }
        }
    }
}

#[test]
fn extreme_registers_have_an_estimate() {
    assert_eq!(of(&[]).estimate(), 0.0);
    assert!((of(&[(9, 1)]).estimate() - 1.0).abs() < 0.001);
    let full: Vec<Entry> = (0..4096).map(|index| (index, 53)).collect();
    assert_eq!(of(&full).estimate(), u64::MAX as f64);
    let one_less: Vec<Entry> = (0..4096).map(|index| (index, 52)).collect();
    assert!(of(&one_less).estimate() > 1e18);
}

/// Root mean square and mean of relative errors.
fn errors(of: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut squares, mut sum, mut count) = (0.0, 0.0, 0.0);
    for error in of {
        squares += error * error;
        sum += error;
        count += 1.0;
    }
    (f64::sqrt(squares / count), sum / count)
}

const STANDARD_ERROR: f64 = 1.04 / 64.0;

#[test]
fn errors_are_those_of_theory() {
    for n in [1u64, 10, 100, 1000, 10_000, 100_000, 1_000_000] {
        let trials = (40_000_000 / n).clamp(60, 1000);
        let of = (0..trials).map(|seed| sources(seed, n).estimate() / n as f64 - 1.0);
        let (rms, bias) = errors(of);
        println!("n {n:>7}: {trials:>4} trials, RMS error {:.3} %, bias {:+.3} %", 100.0 * rms, 100.0 * bias);
        // In small sets an error is a shared register: n(n − 1)/2 pairs share one of 4096.
        let shared = f64::sqrt((n - 1) as f64 / (2.0 * 4096.0 * n as f64));
        let theory = if n <= 100 { shared } else { STANDARD_ERROR };
        assert!(rms <= 1.15 * theory + 0.0002, "RMS {rms} at {n}");
        assert!(bias.abs() <= 4.0 * theory / (trials as f64).sqrt() + 0.0002, "bias {bias} at {n}");
    }
}

/// Hashes as a key does.
struct ByKey(SketchKey);

impl BuildHasher for ByKey {
    type Hasher = SipHasher24;

    fn build_hasher(&self) -> SipHasher24 {
        SipHasher24::new_with_key(&self.0.0)
    }
}

#[test]
fn as_good_as_a_published_implementation() {
    for n in [100u64, 1000, 10_000, 30_000, 100_000] {
        let trials = (6_000_000 / n).clamp(60, 300);
        let both: Vec<(f64, f64)> = (0..trials)
            .map(|seed| {
                let mut oracle = HyperLogLogPlus::<u64, _>::new(12, ByKey(key(seed))).unwrap();
                (0..n).for_each(|source| oracle.insert(&source));
                let error = |estimate: f64| estimate / n as f64 - 1.0;
                (error(sources(seed, n).estimate()), error(oracle.count()))
            })
            .collect();
        let furthest = both.iter().flat_map(|(ours, theirs)| [ours.abs(), theirs.abs()]).fold(0.0, f64::max);
        let (ours, _) = errors(both.iter().map(|both| both.0));
        let (theirs, _) = errors(both.iter().map(|both| both.1));
        let (apart, _) = errors(both.iter().map(|both| both.0 - both.1));
        println!(
            "n {n:>7}: {trials:>3} trials, RMS error {:.3} %, HyperLogLog++ {:.3} %, apart {:.3} %",
            100.0 * ours,
            100.0 * theirs,
            100.0 * apart
        );
        assert!(furthest <= 5.0 * STANDARD_ERROR, "{furthest} at {n}");
        // Below some 3000 sources it counts by 2²⁵ registers.
        if n >= 10_000 {
            assert!(ours <= 1.1 * theirs && apart <= STANDARD_ERROR, "{ours} {theirs} {apart} at {n}");
        }
    }
}
