//! Where packets come from.
//!
//! Sources are not remembered: the one of a place in a pool follows from the place and the day, so that
//! there may be any number of them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use sensor_common::kind::Family;

use super::{
    plan::Pool,
    random::{Random, Weighted, mixed},
};
use crate::{geo::Tables, model::Region};

/// How often a whole /24 is looked for in a region before any address will do.
const TRIES: u64 = 64;

/// The numbers of a family's addresses (IPv4) or /64s (IPv6), by weight of their ranges.
type Space = Weighted<u64>;

/// The addresses of all regions.
#[derive(Debug)]
pub(super) struct Sources {
    everywhere: [Space; 2],
    /// By the region's index in the plan.
    regions: Vec<(Region, [Space; 2])>,
}

/// A source, and the region that it was drawn from; `None` if it was drawn from anywhere.
pub(super) type Source = (IpAddr, Option<Region>);

impl Sources {
    pub fn new(geo: &Tables, regions: &[Region]) -> Self {
        let [mut v4, mut v6] = [Family::V4, Family::V6].map(|family| spaces(geo, family));
        let mut both = |region| [take(&mut v4, region), take(&mut v6, region)];
        let everywhere = both(None);
        Self { everywhere, regions: regions.iter().map(|&region| (region, both(Some(region)))).collect() }
    }

    /// The regions of which the database knows no address.
    pub fn missing(&self) -> Vec<Region> {
        let empty = self.regions.iter().filter(|(_, spaces)| spaces.iter().all(|space| space.sum() == 0));
        empty.map(|(region, _)| *region).collect()
    }

    /// A source of a pool that has `count` of them. Gives a number, too, that stays the source's while it
    /// lives.
    ///
    /// The lower a source's place, the busier it is: places have the density −ln x.
    pub fn draw(&self, pool: &Pool, count: u64, day: u32, family: Family, random: &mut Random) -> (Source, u64) {
        let at = ((u128::from(random.below(count)) * u128::from(random.u64())) >> 64) as u64;
        let id = mixed(pool.salt ^ mixed(at));
        // Each is replaced on days of its own.
        let life = (u64::from(day) + id % u64::from(pool.stay)) / u64::from(pool.stay);
        let (space, region) = self.space(pool.region, family);
        let lived = mixed(id.wrapping_add(life << 32));
        let number = match pool.prefixes {
            0 => at_random(space, lived),
            prefixes => within(space, mixed(pool.salt) ^ ((id >> 8) % u64::from(prefixes)), family, lived),
        };
        ((address(number, family), region), lived)
    }

    /// A source of a region that was not there before, but by chance.
    pub fn fresh(&self, region: Option<usize>, family: Family, random: &mut Random) -> Source {
        let (space, region) = self.space(region, family);
        (address(at_random(space, random.u64()), family), region)
    }

    /// The addresses of a region if the database knows any, with that region.
    fn space(&self, region: Option<usize>, family: Family) -> (&Space, Option<Region>) {
        match region.and_then(|region| self.regions.get(region)) {
            Some((region, spaces)) if spaces[family as usize].sum() > 0 => {
                (&spaces[family as usize], Some(*region))
            }
            _ => (&self.everywhere[family as usize], None),
        }
    }
}

fn at_random(space: &Space, random: u64) -> u64 {
    space.at(random).map_or(0, |(start, rest, _)| start + rest)
}

/// An address of the prefix of this number: a /24, or of IPv6 a /48.
fn within(space: &Space, prefix: u64, family: Family, random: u64) -> u64 {
    let hosts: u64 = if family == Family::V4 { 0xff } else { 0xffff };
    let whole = (0..TRIES).find_map(|attempt| {
        let (&start, rest, size) = space.at(mixed(prefix.wrapping_add(attempt << 32)))?;
        let net = (start + rest) & !hosts;
        (net >= start && (net | hosts) - start < size).then_some(net)
    });
    whole.map_or_else(|| at_random(space, mixed(prefix)), |net| net | (random & hosts))
}

/// The address of a number: an IPv6 host is always the same one of its /64.
fn address(number: u64, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(number as u32).into(),
        Family::V6 => Ipv6Addr::from_bits(u128::from(number) << 64 | u128::from(mixed(number))).into(),
    }
}

/// The ranges of every region, as starts and sizes; of all that is routable under `None`.
fn spaces(geo: &Tables, family: Family) -> HashMap<Option<Region>, Vec<(u64, u64)>> {
    let mut spaces: HashMap<Option<Region>, Vec<(u64, u64)>> = HashMap::new();
    for (range, region) in geo.ranges(family).filter(|(_, region)| *region != Region::NON_ROUTABLE) {
        let range = (*range.start(), (range.end() - range.start()).saturating_add(1));
        spaces.entry(None).or_default().push(range);
        if region.is_ranked() {
            spaces.entry(Some(region)).or_default().push(range);
        }
    }
    spaces
}

fn take(spaces: &mut HashMap<Option<Region>, Vec<(u64, u64)>>, region: Option<Region>) -> Space {
    Weighted::new(spaces.remove(&region).unwrap_or_default())
}
