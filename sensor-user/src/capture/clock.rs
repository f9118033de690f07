const NS_PER_S: u64 = 1_000_000_000;

/// How an interface of a pcapng section counts time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    scale: Scale,
    offset_ns: i128,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Multiply(u64),
    Divide(u64),
    /// Units are finer than any that fits: all times are 0.
    Vanish,
    Binary(u32),
}

impl Clock {
    /// Microseconds, what a pcapng interface without options counts.
    pub(super) const MICROSECONDS: Self = Self { scale: Scale::Multiply(1_000), offset_ns: 0 };

    /// `if_tsresol`: a negative power of 10, or of 2 if the highest bit is set.
    pub(super) fn with_resolution(self, resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let scale = if resolution & 0x80 != 0 {
            Scale::Binary(exponent)
        } else if exponent <= 9 {
            Scale::Multiply(10u64.pow(9 - exponent))
        } else {
            10u64.checked_pow(exponent - 9).map_or(Scale::Vanish, Scale::Divide)
        };
        Self { scale, ..self }
    }

    /// `if_tsoffset`: seconds to be added.
    pub(super) fn with_offset(self, seconds: i64) -> Self {
        Self { offset_ns: i128::from(seconds) * i128::from(NS_PER_S), ..self }
    }

    /// Nanoseconds since 1970 of a time stamp; the nearest there is if it lies beyond.
    #[inline]
    pub(super) fn ns(&self, units: u64) -> i64 {
        let ns = match self.scale {
            Scale::Multiply(factor) => u128::from(units) * u128::from(factor),
            Scale::Divide(divisor) => u128::from(units / divisor),
            Scale::Vanish => 0,
            // Below 2^94 before the shift, which is at most 127.
            Scale::Binary(exponent) => (u128::from(units) * u128::from(NS_PER_S)) >> exponent,
        };
        let ns = ns as i128 + self.offset_ns;
        i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
    }
}
