/// The byte order of a capture or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }
}

/// The 16-bit field at an offset; 0 past the end, which callers have checked for.
#[inline]
pub(super) fn u16_at(bytes: &[u8], offset: usize, order: Order) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |field| order.u16(*field))
}

/// The 32-bit field at an offset; 0 past the end, which callers have checked for.
#[inline]
pub(super) fn u32_at(bytes: &[u8], offset: usize, order: Order) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |field| order.u32(*field))
}
