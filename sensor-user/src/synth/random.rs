//! Random numbers that are the same for the same seed, on every machine and in every version.

use std::convert::Infallible;

use rand_core::TryRng;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): nobody
/// has anything to guess here, so a small and quick generator will do.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    pub fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }

    pub fn u16(&mut self) -> u16 {
        (self.u64() >> 48) as u16
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 to just below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A port that a client sends from, and no service.
    pub fn client_port(&mut self) -> u16 {
        32_768 + self.below(28_000) as u16
    }

    /// True `of_1000` times in a thousand.
    pub fn chance(&mut self, of_1000: f64) -> bool {
        of_1000 > 0.0 && self.fraction() * 1000.0 < of_1000
    }

    /// One of some; the default of its type where there are none.
    pub fn pick<T: Copy + Default>(&mut self, of: &[T]) -> T {
        of.get(self.below(of.len() as u64) as usize).copied().unwrap_or_default()
    }
}

/// For the distributions of `rand_distr`.
impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.iter_mut().zip(self.u64().to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// The finalizer of SplitMix64: a number that nothing but `number` decides.
pub(super) fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Values with weights.
#[derive(Clone, Debug)]
pub(super) struct Weighted<T> {
    /// Each value with the sum of the weights up to and with its own.
    values: Vec<(u64, T)>,
}

impl<T> Weighted<T> {
    pub fn new(values: impl IntoIterator<Item = (T, u64)>) -> Self {
        let mut sum = 0;
        let values = values
            .into_iter()
            .filter(|&(_, weight)| weight > 0)
            .map(|(value, weight)| {
                sum += weight;
                (sum, value)
            })
            .collect();
        Self { values }
    }

    /// The sum of all weights.
    pub fn sum(&self) -> u64 {
        self.values.last().map_or(0, |&(sum, _)| sum)
    }

    /// A value, as often as its weight asks, with a number below its weight; `None` if there are
    /// no values.
    pub fn draw(&self, random: &mut Random) -> Option<(&T, u64)> {
        self.at(random.u64()).map(|(value, rest, _)| (value, rest))
    }

    /// The same for a number that is random already; with the weight, too.
    pub fn at(&self, random: u64) -> Option<(&T, u64, u64)> {
        let at = ((u128::from(random) * u128::from(self.sum())) >> 64) as u64;
        let index = self.values.partition_point(|&(sum, _)| sum <= at);
        let before =
            index.checked_sub(1).and_then(|before| self.values.get(before)).map_or(0, |&(sum, _)| sum);
        self.values.get(index).map(|(sum, value)| (value, at - before, sum - before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [random.u64(), random.u64(), random.u64()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn weights_are_kept() {
        let weighted = Weighted::new([('a', 1), ('b', 0), ('c', 3)]);
        let mut random = Random::new(1);
        let mut seen = [0; 3];
        for _ in 0..40_000 {
            let (&value, rest) = weighted.draw(&mut random).unwrap();
            assert!(rest < if value == 'a' { 1 } else { 3 });
            seen[usize::from(value as u8 - b'a')] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((9_500..10_500).contains(&seen[0]), "{seen:?}");
        assert!(Weighted::<u8>::new([]).draw(&mut random).is_none());
    }
}
