//! From ranks to the number of sources.

use super::registers::{COUNT, MAX_RANK};

/// The "improved raw estimator": algorithm 6 of O. Ertl, "New cardinality estimation algorithms for
/// HyperLogLog sketches", arXiv:1702.01284 (2017). It needs no tables, no thresholds and no other
/// estimator for small sets.
///
/// `counts` tells how many registers have each rank.
pub(super) fn estimate(counts: &[u16; MAX_RANK as usize + 1]) -> f64 {
    let m = COUNT as f64;
    let last = usize::from(MAX_RANK);
    let mut z = m * tau(1.0 - f64::from(counts[last]) / m);
    let ranks = &counts[1..last];
    // Half of nothing is nothing: of few sources only the lower ranks are there.
    let highest = match z > 0.0 {
        true => ranks.len(),
        false => ranks.iter().rposition(|&count| count > 0).map_or(0, |rank| rank + 1),
    };
    for &count in ranks[..highest].iter().rev() {
        z = 0.5 * (z + f64::from(count));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    // z is 0 if all registers are full.
    (m * m / (2.0 * std::f64::consts::LN_2 * z)).min(u64::MAX as f64)
}

/// x + Σ x^(2^k) · 2^(k − 1) for k from 1: corrects for registers that met nothing. Infinite at 1.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// (1 − x − Σ (1 − x^(2^−k))² · 2^−k) / 3 for k from 1: corrects for registers that are full.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
