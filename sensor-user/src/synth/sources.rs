//! Where packets come from: sources by region, of which some are busier than others.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use sensor_common::kind::Family;

use super::{
    mix::{Crowd, regions},
    random::{Random, Weighted, mixed},
};
use crate::{geo::Tables, model::Region};

/// Where a pool's region could not be had: anywhere.
const EVERYWHERE: usize = 0;

/// Sources that are active in a region at a time.
const ACTIVE: u64 = 600;
/// How many of a thousand packets come from a source that is new.
const NEW: u64 = 60;

/// The numbers of a family's addresses (IPv4) or /64s (IPv6), by weight of their ranges.
type Space = Weighted<u64>;

/// Pools of sources.
#[derive(Debug)]
pub(super) struct Sources {
    /// By index: all that is routable, then each region's, IPv4 and IPv6.
    spaces: Vec<[Space; 2]>,
    regions: Vec<Region>,
    active: Vec<[Vec<u64>; 2]>,
    indices: HashMap<Region, usize>,
    crowds: Vec<(Crowd, Weighted<usize>)>,
}

/// A source, and the region that it was drawn from; `None` if it was drawn from anywhere.
pub(super) type Source = (IpAddr, Option<Region>);

impl Sources {
    pub fn new(geo: &Tables) -> Self {
        let spaces = [Family::V4, Family::V6].map(|family| spaces(geo, family));
        let mut sources = Self {
            spaces: Vec::new(),
            regions: Vec::new(),
            active: Vec::new(),
            indices: HashMap::new(),
            crowds: Vec::new(),
        };
        let [mut v4, mut v6] = spaces;
        sources.add(Region::UNKNOWN, [take(&mut v4, None), take(&mut v6, None)]);
        let crowds = [
            Crowd::Scanners,
            Crowd::Devices,
            Crowd::Offices,
            Crowd::Databases,
            Crowd::Servers,
            Crowd::Gateways,
        ];
        let named = crowds.into_iter().flat_map(|crowd| regions(crowd).iter().chain(super::mix::VICTIMS));
        for region in named.filter_map(|(code, _)| Region::from_code(code)) {
            if !sources.indices.contains_key(&region) {
                sources.add(region, [take(&mut v4, Some(region)), take(&mut v6, Some(region))]);
            }
        }
        sources.crowds = crowds.into_iter().map(|crowd| (crowd, sources.weighted(regions(crowd)))).collect();
        sources
    }

    fn add(&mut self, region: Region, spaces: [Space; 2]) {
        self.indices.insert(region, self.spaces.len());
        self.spaces.push(spaces);
        self.regions.push(region);
        self.active.push(Default::default());
    }

    /// Pools by their weights.
    pub fn weighted(&self, regions: &[(&str, u64)]) -> Weighted<usize> {
        Weighted::new(regions.iter().filter_map(|&(code, weight)| {
            let index = *self.indices.get(&Region::from_code(code)?)?;
            Some((index, weight))
        }))
    }

    /// A pool of a crowd.
    pub fn pool(&self, crowd: Crowd, random: &mut Random) -> usize {
        let crowd = self.crowds.iter().find(|(other, _)| *other == crowd);
        crowd.and_then(|(_, pools)| pools.draw(random)).map_or(EVERYWHERE, |(&pool, _)| pool)
    }

    /// A source of a pool: most often one that was there before.
    pub fn draw(&mut self, pool: usize, family: Family, random: &mut Random) -> Source {
        let (pool, region) = self.known(pool, family);
        let is_new = random.chance(NEW);
        // The lower a source's place, the busier it is.
        let at = (random.below(ACTIVE) * random.below(ACTIVE) / ACTIVE) as usize;
        let known = self.active.get(pool).and_then(|active| active[family as usize].get(at)).copied();
        let number = match known {
            Some(number) if !is_new => number,
            _ => {
                let number = self.number(pool, family, random);
                if let Some(active) = self.active.get_mut(pool).map(|active| &mut active[family as usize]) {
                    match active.get_mut(at) {
                        Some(old) => *old = number,
                        None => active.push(number),
                    }
                }
                number
            }
        };
        (address(number, family), region)
    }

    /// A source of a pool that was not there before, but by chance.
    pub fn fresh(&self, pool: usize, family: Family, random: &mut Random) -> Source {
        let (pool, region) = self.known(pool, family);
        (address(self.number(pool, family, random), family), region)
    }

    /// The pool itself if the database knows any address of its region, with that region.
    fn known(&self, pool: usize, family: Family) -> (usize, Option<Region>) {
        match self.spaces.get(pool) {
            Some(spaces) if pool != EVERYWHERE && spaces[family as usize].sum() > 0 => {
                (pool, self.regions.get(pool).copied())
            }
            _ => (EVERYWHERE, None),
        }
    }

    fn number(&self, pool: usize, family: Family, random: &mut Random) -> u64 {
        let space = self.spaces.get(pool).map(|spaces| &spaces[family as usize]);
        space.and_then(|space| space.draw(random)).map_or(0, |(start, rest)| start + rest)
    }
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
