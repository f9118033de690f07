//! The room as its callers see it, on files that the tests write themselves.

mod faults;
mod reload;
mod shapes;
mod writer;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use sensor_common::kind::Family;

use self::writer::{V, Writer};
use super::*;

/// A directory of its own for a test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("teiten-geo-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A random number generator (SplitMix64) that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

fn key(address: &str) -> (Family, u64) {
    match address.parse().unwrap() {
        IpAddr::V4(address) => (Family::V4, address.to_bits().into()),
        IpAddr::V6(address) => (Family::V6, (address.to_bits() >> 64) as u64),
    }
}

fn region(tables: &Tables, address: &str) -> String {
    let (family, source) = key(address);
    tables.region(family, source).to_string()
}

fn asn(tables: &Tables, address: &str) -> Option<u32> {
    let (family, source) = key(address);
    tables.asn(family, source)
}

fn with_country(path: &Path) -> Result<Arc<Tables>, GeoError> {
    Geo::open(Paths { country: Some(path.to_owned()), asn: Vec::new() }).map(|geo| geo.tables())
}

/// Tables of a country database with these networks and codes; longer prefixes come after shorter ones.
pub(crate) fn tables_of<S: AsRef<str>>(networks: &[(S, &'static str)]) -> Arc<Tables> {
    let directory = Directory::new();
    let mut writer = Writer::new(6, 28);
    for (network, region) in networks {
        writer.add(network.as_ref(), &code(region));
    }
    with_country(&directory.write("country.mmdb", &writer.bytes())).unwrap()
}

fn with_asn(paths: &[&Path]) -> Result<Arc<Tables>, GeoError> {
    let asn = paths.iter().map(|&path| path.to_owned()).collect();
    Geo::open(Paths { country: None, asn }).map(|geo| geo.tables())
}

fn code(code: &'static str) -> V {
    V::map([("country_code", V::Text(code))])
}

fn iso_code(code: &'static str) -> V {
    V::map([("iso_code", V::Text(code)), ("geoname_id", V::Uint(1_861_060))])
}

fn system(number: u32, name: &'static str) -> V {
    V::map([("autonomous_system_number", V::Uint(number)), ("autonomous_system_organization", V::Text(name))])
}

#[test]
fn ranges_say_what_look_ups_say() {
    let tables = tables_of(&[
        ("1.0.0.0/8", "JP"),
        ("1.2.0.0/16", "CN"),
        ("2001:200::/32", "JP"),
        ("2001:db8::/32", "US"),
        ("2a00::/12", "NL"),
    ]);
    let nothing = Geo::open(Paths::default()).unwrap().tables();
    for tables in [&tables, &nothing] {
        for (family, last) in [(Family::V4, u64::from(u32::MAX)), (Family::V6, u64::MAX)] {
            let mut next = Some(0);
            for (range, region) in tables.ranges(family) {
                assert_eq!(Some(*range.start()), next);
                for address in [*range.start(), *range.end()] {
                    assert_eq!(tables.region(family, address), region, "{address:#x}");
                }
                next = range.end().checked_add(1).filter(|&next| next <= last);
            }
            assert_eq!(next, None);
        }
    }
    let of = |code| {
        let region = Region::from_code(code).unwrap();
        let ranges = tables.ranges(Family::V4).chain(tables.ranges(Family::V6));
        ranges.filter(|(_, of)| *of == region).map(|(range, _)| range).collect::<Vec<_>>()
    };
    assert_eq!(of("CN"), [0x0102_0000..=0x0102_ffff]);
    assert_eq!(
        of("JP"),
        [0x0100_0000..=0x0101_ffff, 0x0103_0000..=0x01ff_ffff, 0x2001_0200 << 32..=0x2001_0200_ffff_ffff]
    );
    assert_eq!(of("US"), [], "documentation");
}
