//! What one drain took out of the kernel, as the bytes that the store keeps until it is folded.
//!
//! The first byte is the version of what follows, 1: one zstd frame with its content's size and
//! checksum, and nothing after it. The content is a row of numbers, each a little-endian base-128
//! number of up to 64 bits; a *signed* one is zigzag-coded.
//!
//! | numbers | what |
//! | --- | --- |
//! | 1 | epoch |
//! | 2 | start in nanoseconds since 1970; signed: end − start |
//! | 6 | outcomes: runs, non_ip, malformed, unwatched, local, packets |
//! | 3 | lost, uncounted, spilled |
//! | 1 + 4·n | n kinds; of each: packets and bytes of IPv4, packets and bytes of IPv6 |
//! | 1 + 4·n | n mismatches; of each: 1 + its place in [`IDENTITIES`] or 0, epoch, left, right |
//! | 1 + n + n | n unattributed; their heads, each signed and less the one before; their packets |
//! | 1 + n + n + n | n tallies; their metas less the one before; their sources, less the one before where the meta is the same; their packets |
//!
//! A head is kind · 1 + family · 2^8 (0 IPv4, 1 IPv6, 2 both) + detail · 2^10 (0 none, 1 port,
//! 2 ICMP type, 3 protocol) + its value · 2^12. Tallies are sorted by meta and source; equal keys
//! are merged, and a sum above 2^32 − 1 takes several tallies of the same key.

use std::io::Read;

use sensor_common::{
    key::{Key, Meta},
    kind::{Family, Kind},
    layout::{Cell, Dense, Outcomes, Slot},
};
use zstd::{
    bulk::Compressor,
    stream::read::Decoder,
    zstd_safe::{CParameter, find_frame_compressed_size, get_frame_content_size},
};

use crate::kernel::{
    Drain, Mismatch, Span, Unattributed,
    account::{Detail, IDENTITIES},
};

/// Version of the layout; the first byte.
const VERSION: u8 = 1;
const LEVEL: i32 = 3;
/// The most bytes of content that are read or written.
const CONTENT_MOST: u64 = 1 << 30;
/// The most tallies that are written, so that even the longest numbers fit into the content: of
/// each tally 5 bytes of meta, 10 of source, 5 of packets.
const TALLIES_MOST: usize = 50_000_000;
/// What [`Mismatch::identity`] becomes if it is none of [`IDENTITIES`].
const OTHER_IDENTITY: &str = "an identity of another version";
/// The largest window that zstd may ask memory for, as a power of two; level 3 stays below it.
const WINDOW_LOG: u32 = 24;

/// Why bytes are no drain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("tallies of version {0} cannot be read; this program knows version {VERSION}")]
    Version(u8),
    #[error("tallies are cut short")]
    Short,
    #[error("tallies are no zstd frame that is whole and says its size")]
    Frame,
    #[error("tallies of {0} bytes are more than the {CONTENT_MOST} that may be")]
    Large(u64),
    #[error("tallies cannot be decompressed: {0}")]
    Zstd(String),
    #[error("tallies are damaged: {0}")]
    Damaged(&'static str),
}

/// The bytes of a drain.
///
/// Of more than 50 million different keys, those with the fewest packets lose their joint detail,
/// as if the spill log had been full.
pub fn encode(drain: &Drain) -> Vec<u8> {
    encode_at_most(drain, TALLIES_MOST)
}

fn encode_at_most(drain: &Drain, most: usize) -> Vec<u8> {
    let mut tallies = merged(&drain.tallies);
    let mut unattributed = drain.unattributed.clone();
    let lost = drain.lost + cut(&mut tallies, &mut unattributed, most);

    let mut content = Vec::with_capacity(1024 + 8 * tallies.len());
    let mut put = |number| put(&mut content, number);
    put(drain.epoch);
    put(drain.span.start_ns);
    put(zigzag(drain.span.end_ns.wrapping_sub(drain.span.start_ns) as i64));
    let Outcomes { runs, non_ip, malformed, unwatched, local, packets } = drain.outcomes;
    for number in [runs, non_ip, malformed, unwatched, local, packets] {
        put(number);
    }
    for number in [lost, drain.uncounted, drain.spilled] {
        put(number);
    }
    put(drain.kinds.len() as u64);
    for cell in drain.kinds.as_flattened() {
        put(cell.packets);
        put(cell.bytes);
    }
    put(drain.mismatches.len() as u64);
    for mismatch in &drain.mismatches {
        let place = IDENTITIES.iter().position(|known| *known == mismatch.identity);
        put(place.map_or(0, |place| place as u64 + 1));
        put(mismatch.epoch);
        put(mismatch.left);
        put(mismatch.right);
    }
    put(unattributed.len() as u64);
    let mut last = 0;
    for row in &unattributed {
        let head = head(row);
        put(zigzag(head - last));
        last = head;
    }
    for row in &unattributed {
        put(row.packets);
    }
    put(tallies.len() as u64);
    let mut last = 0;
    for slot in &tallies {
        put(u64::from(slot.meta.0 - last));
        last = slot.meta.0;
    }
    let mut last = (Meta(0), 0);
    for slot in &tallies {
        put(if slot.meta == last.0 { slot.source - last.1 } else { slot.source });
        last = (slot.meta, slot.source);
    }
    for slot in &tallies {
        put(u64::from(slot.packets));
    }

    let mut compressor = Compressor::new(LEVEL).expect("level 3 is one of zstd's");
    compressor.set_parameter(CParameter::ChecksumFlag(true)).expect("zstd has checksums");
    let frame = compressor.compress(&content).expect("there is memory to compress tallies");
    let mut bytes = Vec::with_capacity(1 + frame.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&frame);
    bytes
}

/// Tallies sorted by meta and source, equal keys merged, empty ones left out.
fn merged(tallies: &[Slot]) -> Vec<Slot> {
    let mut sorted: Vec<Slot> = tallies.iter().filter(|slot| slot.packets != 0).copied().collect();
    sorted.sort_unstable_by_key(|slot| (slot.meta, slot.source));
    let mut merged: Vec<Slot> = Vec::with_capacity(sorted.len());
    for slot in sorted {
        // Of several slots of one key, all but the last are full.
        match merged.last_mut() {
            Some(last) if (last.meta, last.source) == (slot.meta, slot.source) => {
                let room = u32::MAX - last.packets;
                last.packets += slot.packets.min(room);
                if slot.packets > room {
                    merged.push(Slot { packets: slot.packets - room, ..slot });
                }
            }
            _ => merged.push(slot),
        }
    }
    merged
}

/// Takes the tallies with the fewest packets beyond `most`, and returns their packets. They become
/// rows of what the dense counters know.
fn cut(tallies: &mut Vec<Slot>, unattributed: &mut Vec<Unattributed>, most: usize) -> u64 {
    if tallies.len() <= most {
        return 0;
    }
    tallies
        .sort_unstable_by(|a, b| b.packets.cmp(&a.packets).then((a.meta, a.source).cmp(&(b.meta, b.source))));
    let mut rows: Vec<Unattributed> = tallies.drain(most..).filter_map(|slot| detail_lost(&slot)).collect();
    tallies.sort_unstable_by_key(|slot| (slot.meta, slot.source));
    rows.sort_unstable_by_key(head);
    let lost = rows.iter().map(|row| row.packets).sum();
    rows.dedup_by(|row, kept| {
        let same = head(row) == head(kept);
        if same {
            kept.packets += row.packets;
        }
        same
    });
    unattributed.append(&mut rows);
    lost
}

/// What is left of a tally without its source. `None` for a key of unknown kind, which is a
/// mismatch already.
fn detail_lost(slot: &Slot) -> Option<Unattributed> {
    let key = Key::unpack(slot.source, slot.meta)?;
    let (family, detail) = match Dense::of(slot.meta) {
        Dense::Port(_, port) => (None, Detail::Port(port)),
        Dense::Icmp(_, icmp_type) => (Some(key.family), Detail::IcmpType(icmp_type)),
        Dense::Protocol(_, _, protocol) => (Some(key.family), Detail::Protocol(protocol)),
        Dense::Kind => (Some(key.family), Detail::None),
    };
    Some(Unattributed { kind: key.kind, family, detail, packets: u64::from(slot.packets) })
}

/// The drain that bytes stand for.
///
/// Takes no more memory than a few times the size that the frame says, of at most 1 GiB, and no
/// more than a few times what is really in it.
///
/// # Errors
///
/// If the bytes are not those of [`encode`].
pub fn decode(bytes: &[u8]) -> Result<Drain, BlobError> {
    let (&version, frame) = bytes.split_first().ok_or(BlobError::Short)?;
    if version != VERSION {
        return Err(BlobError::Version(version));
    }
    let content = decompressed(frame)?;
    let mut numbers = Numbers(&content);
    let numbers = &mut numbers;
    let epoch = numbers.next()?;
    let start_ns = numbers.next()?;
    let end_ns = start_ns.wrapping_add(numbers.signed()? as u64);
    let outcomes = Outcomes {
        runs: numbers.next()?,
        non_ip: numbers.next()?,
        malformed: numbers.next()?,
        unwatched: numbers.next()?,
        local: numbers.next()?,
        packets: numbers.next()?,
    };
    let (lost, uncounted, spilled) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let mut kinds = [[Cell::default(); 2]; Kind::ALL.len()];
    let known = numbers.count(4)?;
    for row in kinds.get_mut(..known).ok_or(BlobError::Damaged("more kinds than there are"))? {
        for cell in row {
            *cell = Cell { packets: numbers.next()?, bytes: numbers.next()? };
        }
    }
    let mismatches = (0..numbers.count(4)?)
        .map(|_| {
            let place = numbers.next()?;
            let identity = match place.checked_sub(1) {
                None => OTHER_IDENTITY,
                Some(place) => IDENTITIES
                    .get(usize::try_from(place).unwrap_or(usize::MAX))
                    .ok_or(BlobError::Damaged("an identity that is not known"))?,
            };
            let (epoch, left, right) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Ok(Mismatch { epoch, identity, left, right })
        })
        .collect::<Result<_, BlobError>>()?;
    Ok(Drain {
        epoch,
        span: Span { start_ns, end_ns },
        outcomes,
        lost,
        uncounted,
        spilled,
        kinds,
        mismatches,
        unattributed: unattributed(numbers)?,
        tallies: tallies(numbers)?,
    })
}

fn decompressed(frame: &[u8]) -> Result<Vec<u8>, BlobError> {
    let size = get_frame_content_size(frame).ok().flatten().ok_or(BlobError::Frame)?;
    if size > CONTENT_MOST {
        return Err(BlobError::Large(size));
    }
    if find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(BlobError::Frame);
    }
    let zstd = |error: std::io::Error| BlobError::Zstd(error.to_string());
    let mut decoder = Decoder::with_buffer(frame).map_err(zstd)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(zstd)?;
    // Grows with what is there, whatever the frame says.
    let mut content = Vec::new();
    decoder.take(size + 1).read_to_end(&mut content).map_err(zstd)?;
    if content.len() as u64 == size { Ok(content) } else { Err(BlobError::Frame) }
}

fn unattributed(numbers: &mut Numbers<'_>) -> Result<Vec<Unattributed>, BlobError> {
    let count = numbers.count(2)?;
    let mut rows = Vec::with_capacity(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.wrapping_add(numbers.signed()?);
        rows.push(of_head(last).ok_or(BlobError::Damaged("an unattributed row that cannot be"))?);
    }
    for row in &mut rows {
        row.packets = numbers.next()?;
    }
    Ok(rows)
}

/// Reads the last that there is.
fn tallies(numbers: &mut Numbers<'_>) -> Result<Vec<Slot>, BlobError> {
    let count = numbers.count(3)?;
    let mut slots = Vec::with_capacity(count);
    let mut last = 0u32;
    for _ in 0..count {
        let more = u32::try_from(numbers.next()?).ok();
        last = more.and_then(|more| last.checked_add(more)).ok_or(BlobError::Damaged("metas overflow"))?;
        slots.push(Slot { source: 0, meta: Meta(last), packets: 0 });
    }
    let mut last = (Meta(0), 0u64);
    for slot in &mut slots {
        let number = numbers.next()?;
        slot.source = if slot.meta == last.0 {
            number.checked_add(last.1).ok_or(BlobError::Damaged("sources overflow"))?
        } else {
            number
        };
        last = (slot.meta, slot.source);
    }
    for slot in &mut slots {
        slot.packets = match u32::try_from(numbers.next()?) {
            Ok(packets @ 1..) => packets,
            _ => return Err(BlobError::Damaged("a tally with a count that cannot be")),
        };
    }
    if numbers.0.is_empty() { Ok(slots) } else { Err(BlobError::Damaged("something follows the tallies")) }
}

/// All of a row but its packets, as one number.
fn head(row: &Unattributed) -> i64 {
    let family = row.family.map_or(2, |family| family as i64);
    let (detail, value) = match row.detail {
        Detail::None => (0, 0),
        Detail::Port(port) => (1, i64::from(port)),
        Detail::IcmpType(icmp_type) => (2, i64::from(icmp_type)),
        Detail::Protocol(protocol) => (3, i64::from(protocol)),
    };
    row.kind as i64 | family << 8 | detail << 10 | value << 12
}

fn of_head(head: i64) -> Option<Unattributed> {
    let kind = Kind::from_number(head as u8)?;
    let family = match head >> 8 & 3 {
        0 => Some(Family::V4),
        1 => Some(Family::V6),
        2 => None,
        _ => return None,
    };
    let value = head >> 12;
    let detail = match head >> 10 & 3 {
        0 if value == 0 => Detail::None,
        0 => return None,
        1 => Detail::Port(u16::try_from(value).ok()?),
        2 => Detail::IcmpType(u8::try_from(value).ok()?),
        _ => Detail::Protocol(u8::try_from(value).ok()?),
    };
    Some(Unattributed { kind, family, detail, packets: 0 })
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

/// Numbers that are read one after the other.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Result<u64, BlobError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(BlobError::Short)?;
            self.0 = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BlobError::Damaged("a number of more than 64 bits"))
    }

    fn signed(&mut self) -> Result<i64, BlobError> {
        let number = self.next()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// How many things of `numbers` numbers each follow: never more than there are bytes for.
    fn count(&mut self, numbers: usize) -> Result<usize, BlobError> {
        let count = usize::try_from(self.next()?).map_err(|_| BlobError::Short)?;
        if count > self.0.len() / numbers { Err(BlobError::Short) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_drain() -> impl Strategy<Value = Drain> {
        let key = prop_oneof![
            (0u64..4, 0u32..4),
            (any::<u64>(), any::<u32>()),
            (any::<u32>().prop_map(u64::from), 0u32..0x0110_0000),
        ];
        let packets = prop_oneof![0u32..3, Just(u32::MAX), any::<u32>()];
        let slot =
            (key, packets).prop_map(|((source, meta), packets)| Slot { source, meta: Meta(meta), packets });
        let row = (0..Kind::ALL.len(), 0u8..3, 0u8..4, any::<u16>(), any::<u64>()).prop_map(
            |(kind, family, detail, value, packets)| Unattributed {
                kind: Kind::ALL[kind],
                family: [Some(Family::V4), Some(Family::V6), None][usize::from(family)],
                detail: match detail {
                    0 => Detail::None,
                    1 => Detail::Port(value),
                    2 => Detail::IcmpType(value as u8),
                    _ => Detail::Protocol(value as u8),
                },
                packets,
            },
        );
        let mismatch = (0..IDENTITIES.len(), any::<[u64; 3]>()).prop_map(|(place, [epoch, left, right])| {
            Mismatch { epoch, identity: IDENTITIES[place], left, right }
        });
        let cells = vec(any::<[u64; 4]>(), Kind::ALL.len()).prop_map(|rows| {
            let mut kinds = [[Cell::default(); 2]; Kind::ALL.len()];
            for (cells, [a, b, c, d]) in kinds.iter_mut().zip(rows) {
                *cells = [Cell { packets: a, bytes: b }, Cell { packets: c, bytes: d }];
            }
            kinds
        });
        (
            any::<[u64; 3]>(),
            vec(slot, 0..200),
            vec(row, 0..20),
            cells,
            any::<[u64; 6]>(),
            any::<[u64; 3]>(),
            vec(mismatch, 0..4),
        )
            .prop_map(
                |([epoch, start_ns, end_ns], tallies, unattributed, kinds, o, n, mismatches)| Drain {
                    epoch,
                    span: Span { start_ns, end_ns },
                    tallies,
                    unattributed,
                    kinds,
                    outcomes: Outcomes {
                        runs: o[0],
                        non_ip: o[1],
                        malformed: o[2],
                        unwatched: o[3],
                        local: o[4],
                        packets: o[5],
                    },
                    lost: n[0],
                    uncounted: n[1],
                    spilled: n[2],
                    mismatches,
                },
            )
    }

    /// Packets by key.
    fn sums(tallies: &[Slot]) -> BTreeMap<(Meta, u64), u64> {
        let mut sums = BTreeMap::new();
        for slot in tallies.iter().filter(|slot| slot.packets > 0) {
            *sums.entry((slot.meta, slot.source)).or_default() += u64::from(slot.packets);
        }
        sums
    }

    /// All but the tallies.
    fn rest(drain: &Drain) -> String {
        format!("{:?}", Drain { tallies: Vec::new(), ..drain.clone() })
    }

    fn small() -> Drain {
        let slot = |source, meta, packets| Slot { source, meta: Meta(meta), packets };
        Drain {
            epoch: 7,
            span: Span { start_ns: 1_717_200_000_000_000_000, end_ns: 1_717_200_060_000_000_000 },
            tallies: vec![slot(9, 23, 1), slot(0xc633_6401, 23, 4), slot(9, 23, 2), slot(1, 0x1_0050, 3)],
            unattributed: vec![Unattributed {
                kind: Kind::Syn,
                family: None,
                detail: Detail::Port(23),
                packets: 5,
            }],
            lost: 5,
            outcomes: Outcomes { runs: 15, packets: 15, ..Outcomes::default() },
            ..Drain::default()
        }
    }

    /// Bytes of a content that is none.
    fn packed(content: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(LEVEL).unwrap();
        compressor.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
        [&[VERSION][..], &compressor.compress(content).unwrap()].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_encoded_is_decoded(drain in any_drain()) {
            let bytes = encode(&drain);
            let decoded = decode(&bytes).unwrap();
            prop_assert_eq!(rest(&decoded), rest(&drain));
            prop_assert_eq!(sums(&decoded.tallies), sums(&drain.tallies));
            prop_assert!(decoded.tallies.is_sorted_by_key(|slot| (slot.meta, slot.source)));
            prop_assert_eq!(encode(&decoded), bytes);
        }

        #[test]
        fn any_bytes_are_a_drain_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let _ = decode(&packed(&bytes));
        }

        #[test]
        fn any_numbers_are_a_drain_or_an_error(numbers in vec(prop_oneof![0u64..4, any::<u64>()], 80..200)) {
            let mut content = Vec::new();
            for number in numbers {
                put(&mut content, number);
            }
            let _ = decode(&packed(&content));
        }
    }

    #[test]
    fn equal_keys_merge_and_sums_beyond_a_tally_take_several() {
        let slot = |packets| Slot { source: 1, meta: Meta(2), packets };
        let drain = Drain { tallies: vec![slot(u32::MAX), slot(7), slot(u32::MAX)], ..Drain::default() };
        let tallies = decode(&encode(&drain)).unwrap().tallies;
        assert_eq!(tallies, [slot(u32::MAX), slot(u32::MAX), slot(7)]);
    }

    #[test]
    fn too_many_tallies_lose_the_detail_of_the_smallest() {
        let mut drain = small();
        drain.tallies.push(Slot { source: 4, meta: Meta(0x1_0050), packets: 1 });
        let decoded = decode(&encode_at_most(&drain, 2)).unwrap();
        let kept: Vec<_> = decoded.tallies.iter().map(|slot| slot.packets).collect();
        assert_eq!(kept, [3, 4], "in the order of their keys");
        assert_eq!(decoded.lost, 5 + 3 + 1);
        let lost: u64 = decoded.unattributed.iter().map(|row| row.packets).sum();
        assert_eq!(lost, decoded.lost);
        assert_eq!(decoded.unattributed.len(), 2, "the one from before, and one of TCP to port 80");
    }

    #[test]
    fn every_changed_byte_is_an_error() {
        let bytes = encode(&small());
        let right = rest(&decode(&bytes).unwrap());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(drain) = decode(&changed) {
                    // zstd's header has a bit without a meaning.
                    assert_eq!((rest(&drain), encode(&drain)), (right.clone(), bytes.clone()), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = encode(&small());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()).unwrap_err(), BlobError::Frame);
        assert_eq!(decode(&[&bytes[..], &bytes[1..]].concat()).unwrap_err(), BlobError::Frame);
    }

    #[test]
    fn hostile_sizes_take_no_memory() {
        assert_eq!(decode(&[9, 1, 2, 3]).unwrap_err(), BlobError::Version(9));
        // A single-segment frame that says it holds 2^40 bytes.
        let mut frame = vec![VERSION, 0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        frame.extend_from_slice(&(1u64 << 40).to_le_bytes());
        frame.extend_from_slice(&[1, 0, 0]);
        assert_eq!(decode(&frame).unwrap_err(), BlobError::Large(1 << 40));
        // One of 1 GiB with nothing in it.
        frame[6..14].copy_from_slice(&(1u64 << 30).to_le_bytes());
        assert!(decode(&frame).is_err());
        // As many tallies as a number can say.
        let mut content = Vec::new();
        for number in [7, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, u64::MAX] {
            put(&mut content, number);
        }
        assert_eq!(decode(&packed(&content)).unwrap_err(), BlobError::Short);
    }

    #[test]
    fn identities_of_another_version() {
        let mismatch = Mismatch { epoch: 1, identity: "one = two", left: 1, right: 2 };
        let drain = Drain { mismatches: vec![mismatch.clone()], ..Drain::default() };
        let decoded = decode(&encode(&drain)).unwrap();
        assert_eq!(decoded.mismatches, [Mismatch { identity: OTHER_IDENTITY, ..mismatch }]);
    }
}
