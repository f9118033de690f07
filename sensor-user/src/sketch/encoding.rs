//! The bytes of a sketch: see the documentation of the room.

use sensor_common::kind::Family;

use super::{
    Scope, SketchError,
    registers::{COUNT, MAX_RANK, Registers},
};

const VERSION: u8 = 1;
const IS_DENSE: u8 = 1 << 4;
const IS_V6: u8 = 1 << 5;
/// Bytes before the registers.
const HEADER: usize = 4;
/// Bytes of dense registers.
const DENSE: usize = COUNT * 6 / 8;
/// Ranks from here on have a byte of their own in the sparse form.
const LONG_RANK: u8 = 4;

/// The registers of a sketch's bytes, which are known to be sound.
pub(super) enum Body<'a> {
    Sparse(Entries<'a>),
    /// Four registers each.
    Dense(&'a [[u8; 3]]),
}

impl Body<'_> {
    pub fn merge_into(self, registers: &mut Registers) {
        match self {
            // Checked before.
            Self::Sparse(entries) => registers.raise_all(entries.map_while(Result::ok)),
            Self::Dense(groups) => registers.merge_many(&unpack(groups)),
        }
    }
}

/// The bytes of a sketch.
pub(super) fn encode(scope: Scope, registers: &Registers) -> Vec<u8> {
    let family = match scope.family {
        Family::V4 => 0,
        Family::V6 => IS_V6,
    };
    let [key0, key1] = scope.key.to_le_bytes();
    let mut bytes = vec![VERSION | family, scope.length, key0, key1];
    let mut next = 0;
    for (index, rank) in registers.iter() {
        let v = (index - next) << 2 | u16::from(rank.min(LONG_RANK) - 1);
        match v {
            0..128 => bytes.push(v as u8),
            _ => bytes.extend([v as u8 | 0x80, (v >> 7) as u8]),
        }
        if rank >= LONG_RANK {
            bytes.push(rank - LONG_RANK);
        }
        if bytes.len() >= HEADER + DENSE {
            bytes.truncate(HEADER);
            bytes[0] |= IS_DENSE;
            pack(registers, &mut bytes);
            break;
        }
        next = index + 1;
    }
    bytes
}

fn pack(registers: &Registers, bytes: &mut Vec<u8>) {
    bytes.resize(HEADER + DENSE, 0);
    let (groups, _) = bytes[HEADER..].as_chunks_mut::<3>();
    for (index, rank) in registers.iter() {
        let bits = u32::from(rank) << (index % 4 * 6);
        for (byte, more) in groups[usize::from(index) / 4].iter_mut().zip(bits.to_le_bytes()) {
            *byte |= more;
        }
    }
}

/// Scope and registers of bytes, checked throughout.
pub(super) fn decode(bytes: &[u8]) -> Result<(Scope, Body<'_>), SketchError> {
    let (&[first, length, key0, key1], body) =
        bytes.split_first_chunk::<HEADER>().ok_or(SketchError::Truncated(bytes.len()))?;
    if first & 0xf != VERSION {
        return Err(SketchError::Version(first & 0xf));
    }
    if first & !(0xf | IS_DENSE | IS_V6) != 0 {
        return Err(SketchError::Header(first));
    }
    let family = if first & IS_V6 == 0 { Family::V4 } else { Family::V6 };
    let scope = Scope { family, length, key: u16::from_le_bytes([key0, key1]) };
    let body = if first & IS_DENSE == 0 { sparse(body)? } else { dense(body)? };
    Ok((scope, body))
}

fn sparse(body: &[u8]) -> Result<Body<'_>, SketchError> {
    if body.len() >= DENSE {
        return Err(SketchError::NotCanonical("sparse registers are longer than dense ones"));
    }
    let entries = Entries { rest: body, read: HEADER, next: 0 };
    for entry in entries.clone() {
        entry?;
    }
    Ok(Body::Sparse(entries))
}

fn dense(body: &[u8]) -> Result<Body<'_>, SketchError> {
    if body.len() != DENSE {
        return Err(SketchError::Length(body.len()));
    }
    let (groups, _) = body.as_chunks::<3>();
    let ranks = unpack(groups);
    let (mut next, mut sparse) = (0, 0);
    for (index, &rank) in ranks.iter().enumerate().filter(|(_, rank)| **rank != 0) {
        if rank > MAX_RANK {
            return Err(SketchError::Rank { index, rank });
        }
        sparse += if index - next < 32 { 1 } else { 2 };
        sparse += usize::from(rank >= LONG_RANK);
        next = index + 1;
    }
    if sparse < DENSE {
        return Err(SketchError::NotCanonical("dense registers would be shorter if sparse"));
    }
    Ok(Body::Dense(groups))
}

fn unpack(groups: &[[u8; 3]]) -> [u8; COUNT] {
    let mut ranks = [0; COUNT];
    for (four, &[a, b, c]) in ranks.as_chunks_mut::<4>().0.iter_mut().zip(groups) {
        let bits = u32::from_le_bytes([a, b, c, 0]);
        *four = [0, 6, 12, 18].map(|shift| (bits >> shift & 0x3f) as u8);
    }
    ranks
}

/// Index and rank of sparse registers, in order.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    /// Bytes of the sketch before `rest`.
    read: usize,
    /// Index of a register that follows without a gap.
    next: usize,
}

impl Entries<'_> {
    fn byte(&mut self) -> Result<u8, SketchError> {
        let (&byte, rest) = self.rest.split_first().ok_or(SketchError::Truncated(self.read))?;
        self.rest = rest;
        self.read += 1;
        Ok(byte)
    }

    fn entry(&mut self) -> Result<(u16, u8), SketchError> {
        let mut v = usize::from(self.byte()?);
        if v & 0x80 != 0 {
            let upper = self.byte()?;
            if upper == 0 {
                return Err(SketchError::NotCanonical("a number is written longer than needed"));
            }
            v = v & 0x7f | usize::from(upper) << 7;
        }
        let index = self.next + (v >> 2);
        if index >= COUNT {
            return Err(SketchError::Index(index));
        }
        let mut rank = (v & 3) as u8 + 1;
        if rank == LONG_RANK {
            rank = rank.saturating_add(self.byte()?);
            if rank > MAX_RANK {
                return Err(SketchError::Rank { index, rank });
            }
        }
        self.next = index + 1;
        Ok((index as u16, rank))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u16, u8), SketchError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.entry())
    }
}
