//! Which sensor watches an address.

use aya_ebpf::maps::lpm_trie::Key;
use sensor_common::classify::Watch;

use crate::maps::{WATCH4, WATCH6, WATCHED};

/// The watched prefixes of the loaded program; everything, by sensor 0, where there are none.
pub struct Prefixes;

impl Watch for Prefixes {
    #[inline(always)]
    fn v4(&self, destination: [u8; 4]) -> Option<u8> {
        if WATCHED.load() == 0 {
            return Some(0);
        }
        WATCH4.get(Key::new(32, destination)).map(|&sensor| sensor as u8)
    }

    #[inline(always)]
    fn v6(&self, destination: [u8; 16]) -> Option<u8> {
        if WATCHED.load() == 0 {
            return Some(0);
        }
        WATCH6.get(Key::new(128, destination)).map(|&sensor| sensor as u8)
    }
}
