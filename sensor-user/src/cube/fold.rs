//! From drained counts to the rows of the cubes that a store keeps.
//!
//! All tallies of a span of time are gathered once, each with what has to be looked up for it; then
//! every cube sorts them by its own key and gives its rows in the order of the store's index, so that
//! memory is bounded by the tallies and not by the cubes.
//!
//! Every packet of every drain is in exactly one row of each of [`Kept::CUBES`].

use sensor_common::{
    key::Key,
    kind::{Family, Kind},
    layout::Slot,
};

use super::{SourceLengths, V4_PREFIX, V6_PREFIX, class_of_roles};
use crate::{
    geo::Tables,
    kernel::{Unattributed, account::Detail},
    model::{Class, Region, Role},
    sketch::{Scope, Sketch, SketchKey},
};

/// What a store keeps. The numbers are those of the bits in a span's `cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kept {
    Total = 0,
    PortRegion = 1,
    PortTool = 2,
    RegionAsn = 3,
    RegionTool = 4,
    Prefix = 5,
    Backscatter = 6,
}

impl Kept {
    /// Those that hold every packet, in the order of their numbers.
    pub const CUBES: [Self; 5] =
        [Self::Total, Self::PortRegion, Self::PortTool, Self::RegionAsn, Self::RegionTool];
}

/// What a sensor's number in a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The sensor's row in the store.
    pub sensor: i64,
    pub role: Role,
}

/// The sensors of a generation, by their number in keys.
#[derive(Clone, Debug, Default)]
pub struct Watches(Vec<Option<Watch>>);

impl FromIterator<(u8, Watch)> for Watches {
    fn from_iter<I: IntoIterator<Item = (u8, Watch)>>(watches: I) -> Self {
        let mut all = vec![None; 1 << 8];
        for (number, watch) in watches {
            all[usize::from(number)] = Some(watch);
        }
        Self(all)
    }
}

impl Watches {
    /// All sensors with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Watch)> {
        (0..=u8::MAX).zip(&self.0).filter_map(|(number, watch)| watch.map(|watch| (number, watch)))
    }

    /// The sensor of a number.
    pub fn get(&self, number: u8) -> Option<Watch> {
        self.0.get(usize::from(number)).copied().flatten()
    }

    /// The sensor and its number, if there is but one.
    pub fn only(&self) -> Option<(u8, Watch)> {
        let mut all = self.iter();
        all.next().filter(|_| all.next().is_none())
    }

    /// The class of a kind where the sensor is not known; `None` if it hangs on the sensor's role and
    /// the roles differ.
    fn class_of_unattributed(&self, kind: Kind) -> Option<Class> {
        class_of_roles(kind, self.iter().map(|(_, watch)| watch.role))
    }
}

/// A row of a cube. Every cube has the first four columns and some of the others; what it has not is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// 0 scan, 1 backscatter, 2 other, 3 undetermined: the source was lost, and the class of such
    /// packets hangs on the sensor's role.
    pub class: u8,
    /// Number of the [`Kind`].
    pub kind: u8,
    /// 4 or 6; 0 where it was lost with the source.
    pub family: u8,
    /// The sensor's row in the store; 0 where it was lost with the source.
    pub sensor: i64,
    /// As in a key. Of packets that lost their source: ICMP type · 256 (the code is not known), the
    /// protocol's number, or -1 where not even that is known. -1 as well for what a bound cut.
    pub port: i64,
    pub region: Region,
    /// 0: not known. -1: what a bound cut.
    pub asn: i64,
    /// Number of the tool. -1: lost with the source, or what a bound cut.
    pub tool: i64,
    /// Upper 24 bits of the IPv4 address, upper 48 of the IPv6 address.
    pub prefix: i64,
}

/// Class number of packets whose class is not determined.
pub const UNDETERMINED: u8 = 3;

/// What came of a source to a sensor in a minute, as an answer to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Start of the minute, in seconds since 1970.
    pub minute: i64,
    /// As in a key, of which it takes all 64 bits.
    pub source: i64,
    /// Number of the [`Kind`].
    pub kind: u8,
    pub port: i64,
    /// 4 or 6.
    pub family: u8,
    /// The sensor's row in the store.
    pub sensor: i64,
}

/// A tally with all that its rows need, or what is left of packets that lost their source.
#[derive(Clone, Copy)]
struct Seen {
    /// Hash of the source; 0 where there is none. One hash in 2^64 is taken for none.
    hash: u64,
    packets: u64,
    /// Upper 24 or 48 bits of the source.
    prefix: u64,
    asn: u32,
    /// -1: not known.
    port: i32,
    /// Place in [`Fold::sensors`].
    sensor: u32,
    region: u16,
    class: u8,
    kind: u8,
    family: u8,
    /// -1: not known.
    tool: i8,
}

/// Something countable with its place in the order of a cube's rows.
#[derive(Clone, Copy)]
struct Entry {
    place: u128,
    /// Of the source; of an answer the sensor's place, for which the other has no room.
    hash: u64,
    packets: u64,
}

/// A run of entries of the same place.
#[derive(Clone, Copy)]
struct Group {
    begin: usize,
    end: usize,
    packets: u64,
}

/// The counts of one span of time on their way into cubes.
pub struct Fold<'a> {
    geo: &'a Tables,
    key: &'a SketchKey,
    lengths: SourceLengths,
    scopes: [Scope; 2],
    sensors: Vec<i64>,
    seen: Vec<Seen>,
    answers: Vec<Entry>,
    entries: Vec<Entry>,
    mixed: bool,
}

impl<'a> Fold<'a> {
    /// Nothing counted yet. `lengths`: to how many bits the sources of all sketches are cut.
    pub fn new(geo: &'a Tables, key: &'a SketchKey, lengths: SourceLengths) -> Self {
        Self {
            geo,
            key,
            lengths,
            scopes: [Family::V4, Family::V6].map(|family| Scope::new(key, family, lengths.of(family))),
            sensors: vec![0],
            seen: Vec::new(),
            answers: Vec::new(),
            entries: Vec::new(),
            mixed: false,
        }
    }

    /// Whether sources are missing from sketches because they were counted with fewer bits than the
    /// sketches have.
    pub fn is_mixed(&self) -> bool {
        self.mixed
    }

    /// How many counts were added since it was made or cleared.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Forgets all that was added, but not that sources were missing.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.answers.clear();
    }

    /// Adds tallies of one drain. `lengths`: to how many bits their sources were cut. `minute`: start of
    /// the minute that they count for, in seconds since 1970; `None` where the drain covers more than
    /// one, and so cannot tell bursts.
    ///
    /// Tallies of a kind that this agent does not know are left out: the books have reported them as a
    /// mismatch, and count their packets as lost. A tally of a number that is no sensor's goes to
    /// sensor 0.
    ///
    /// Answers are those to dark sensors and honeypots: hosts in use are answered for what they ask.
    pub fn add(&mut self, tallies: &[Slot], watches: &Watches, lengths: SourceLengths, minute: Option<i64>) {
        // By number of the sensor: its place, whether backscatter tells of forged sources, and the
        // classes of all kinds.
        let unknown = (0, false, Kind::ALL.map(|kind| class_number(class_of_roles(kind, ROLES))));
        let sensors: Vec<_> = (0..=u8::MAX)
            .map(|number| match watches.get(number) {
                None => unknown,
                Some(watch) => (
                    self.sensor(watch.sensor),
                    watch.role != Role::Lit,
                    Kind::ALL.map(|kind| class_number(Some(Class::of(kind, watch.role)))),
                ),
            })
            .collect();
        let hashed = [Family::V4, Family::V6].map(|family| {
            let fits = lengths.of(family) >= self.lengths.of(family);
            fits.then(|| mask(family, self.lengths.of(family)))
        });
        self.seen.reserve(tallies.len());
        let (mut last, mut hash, mut region, mut asn) = (None, 0, 0, 0);
        for slot in tallies.iter().filter(|slot| slot.packets != 0) {
            let Some(key) = Key::unpack(slot.source, slot.meta) else { continue };
            if last != Some((key.family, key.source)) {
                last = Some((key.family, key.source));
                hash = match hashed[key.family as usize] {
                    Some(mask) => self.key.hash(key.source & mask),
                    None => {
                        self.mixed = true;
                        0
                    }
                };
                region = rank(self.geo.region(key.family, key.source));
                asn = self.geo.asn(key.family, key.source).unwrap_or(0);
            }
            let (sensor, is_dark, classes) = &sensors[usize::from(key.sensor)];
            let class = classes[key.kind as usize];
            let packets = u64::from(slot.packets);
            self.seen.push(Seen {
                hash,
                packets,
                prefix: match key.family {
                    Family::V4 => (key.source & 0xffff_ffff) >> (32 - V4_PREFIX),
                    Family::V6 => key.source >> (64 - V6_PREFIX),
                },
                asn,
                port: i32::from(key.port),
                sensor: *sensor,
                region,
                class,
                kind: key.kind as u8,
                family: key.family as u8 + 1,
                tool: key.tool as i8,
            });
            if let Some(minute) = minute.filter(|_| *is_dark && class == Class::Backscatter as u8) {
                self.answers.push(Entry {
                    place: answer_place(minute, key.source, key.kind, key.port, key.family),
                    hash: u64::from(*sensor),
                    packets,
                });
            }
        }
    }

    /// Adds packets that lost their source. If the generation has but one sensor, it is that one's.
    pub fn add_unattributed(&mut self, lost: &[Unattributed], watches: &Watches) {
        for lost in lost.iter().filter(|lost| lost.packets != 0) {
            let seen = self.lost(lost, watches);
            self.seen.push(seen);
        }
    }

    fn lost(&mut self, lost: &Unattributed, watches: &Watches) -> Seen {
        Seen {
            hash: 0,
            packets: lost.packets,
            prefix: 0,
            asn: 0,
            port: match lost.detail {
                Detail::Port(port) => port.into(),
                Detail::IcmpType(icmp_type) => i32::from(icmp_type) << 8,
                Detail::Protocol(protocol) => protocol.into(),
                // The only kind without a port in its key.
                Detail::None if lost.kind == Kind::IcmpErrorIcmp => 0,
                Detail::None => -1,
            },
            sensor: watches.only().map_or(0, |(_, watch)| self.sensor(watch.sensor)),
            region: rank(Region::UNATTRIBUTED),
            class: class_number(watches.class_of_unattributed(lost.kind)),
            kind: lost.kind as u8,
            family: lost.family.map_or(0, |family| family as u8 + 1),
            tool: -1,
        }
    }

    /// The place of a sensor in the list, which begins with 0.
    fn sensor(&mut self, sensor: i64) -> u32 {
        let place = self.sensors.iter().position(|&known| known == sensor).unwrap_or_else(|| {
            self.sensors.push(sensor);
            self.sensors.len() - 1
        });
        place as u32
    }

    /// Gives the rows of a cube, one after the other in the order of the store's index: each with its
    /// packets and the sketch of its sources, `None` where none is known. [`Kept::Prefix`] has rows of
    /// class `scan` whose source and service are known only; of [`Kept::Backscatter`] there are
    /// [`Fold::answers`] instead, and no rows.
    ///
    /// Of more than `most` rows, those with the fewest packets are put together as `other` (those of
    /// [`Kept::Prefix`] left out). Says how many.
    ///
    /// # Errors
    ///
    /// The first that `each` gives.
    pub fn rows<E>(
        &mut self,
        cube: Kept,
        most: usize,
        mut each: impl FnMut(&Row, u64, Option<&Sketch>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let Some(layout) = Layout::of(cube) else { return Ok(0) };
        self.entries.clear();
        let entries = self.seen.iter().filter(|seen| layout.takes(seen)).map(|seen| Entry {
            place: layout.place(seen),
            hash: seen.hash,
            packets: seen.packets,
        });
        self.entries.extend(entries);
        self.entries.sort_unstable_by_key(|entry| entry.place);
        let mut groups = groups(&self.entries, |a, b| a.place == b.place);
        let cut = cut(&mut groups, most);
        for group in &groups {
            let row = layout.row(self.entries[group.begin].place, &self.sensors);
            let sketch = self.sketch(&row, self.entries[group.begin..group.end].iter());
            each(&row, group.packets, sketch.as_ref())?;
        }
        if cube != Kept::Prefix {
            // By the place of the row that they are put into.
            let mut others: Vec<(u128, Group)> =
                cut.iter().map(|&group| (layout.other(self.entries[group.begin].place), group)).collect();
            others.sort_by_key(|&(place, _)| place);
            for others in others.chunk_by(|(a, _), (b, _)| a == b) {
                let row = layout.row(others[0].0, &self.sensors);
                let entries = others.iter().flat_map(|(_, group)| &self.entries[group.begin..group.end]);
                let packets = others.iter().fold(0u64, |sum, (_, group)| sum.saturating_add(group.packets));
                each(&row, packets, self.sketch(&row, entries).as_ref())?;
            }
        }
        Ok(cut.len() as u64)
    }

    /// The sketch of the sources of a row's entries.
    fn sketch<'e>(&self, row: &Row, entries: impl Iterator<Item = &'e Entry>) -> Option<Sketch> {
        let scope = match row.family {
            4 => self.scopes[Family::V4 as usize],
            6 => self.scopes[Family::V6 as usize],
            _ => return None,
        };
        let mut entries = entries.filter(|entry| entry.hash != 0).peekable();
        entries.peek()?;
        let mut sketch = Sketch::new(scope);
        entries.for_each(|entry| sketch.insert(entry.hash));
        Some(sketch)
    }

    /// Packets of class `backscatter` by minute and sensor, in the order of the store's index. Of more than `most`
    /// rows, those with the fewest packets are left out. Says how many.
    ///
    /// # Errors
    ///
    /// The first that `each` gives.
    pub fn answers<E>(
        &mut self,
        most: usize,
        mut each: impl FnMut(&Answer, u64) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.answers.sort_unstable_by_key(|entry| (entry.place, entry.hash));
        let mut groups = groups(&self.answers, |a, b| (a.place, a.hash) == (b.place, b.hash));
        let cut = cut(&mut groups, most);
        for group in &groups {
            let Entry { place, hash, .. } = self.answers[group.begin];
            each(&answer(place, self.sensors.get(hash as usize).copied().unwrap_or(0)), group.packets)?;
        }
        Ok(cut.len() as u64)
    }
}

const ROLES: [Role; 3] = [Role::Dark, Role::Lit, Role::Honeypot];

fn class_number(class: Option<Class>) -> u8 {
    class.map_or(UNDETERMINED, |class| class as u8)
}

/// The bits of a key's source that a length keeps.
const fn mask(family: Family, length: u8) -> u64 {
    let (width, all) = match family {
        Family::V4 => (32, 0xffff_ffff),
        Family::V6 => (64, u64::MAX),
    };
    match length {
        0 => 0,
        length if length >= width => all,
        length => all >> (width - length) << (width - length),
    }
}

/// Runs of the same.
fn groups(entries: &[Entry], same: impl Fn(&Entry, &Entry) -> bool) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut begin = 0;
    for run in entries.chunk_by(same) {
        let packets = run.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.packets));
        groups.push(Group { begin, end: begin + run.len(), packets });
        begin += run.len();
    }
    groups
}

/// Takes the groups with the fewest packets away so that no more than `most` are left; both parts in
/// their order.
fn cut(groups: &mut Vec<Group>, most: usize) -> Vec<Group> {
    let Some(excess) = groups.len().checked_sub(most).filter(|&excess| excess > 0) else {
        return Vec::new();
    };
    // Of equal ones the last go, whatever their number.
    groups.select_nth_unstable_by(excess - 1, |a, b| a.packets.cmp(&b.packets).then(b.begin.cmp(&a.begin)));
    let mut kept = groups.split_off(excess);
    std::mem::swap(groups, &mut kept);
    let mut cut = kept;
    groups.sort_unstable_by_key(|group| group.begin);
    cut.sort_unstable_by_key(|group| group.begin);
    cut
}

/// Regions in the order of their texts.
const GROUPS: [Region; 4] = [Region::NON_ROUTABLE, Region::OTHER, Region::UNATTRIBUTED, Region::UNKNOWN];
/// Rank of the first of them, above that of every code.
const FIRST_GROUP: u16 = 0xff00;

/// The place of a region in the order of texts.
fn rank(region: Region) -> u16 {
    match GROUPS.iter().position(|&group| group == region) {
        Some(group) => FIRST_GROUP + group as u16,
        None => region.index() as u16,
    }
}

fn at_rank(rank: u16) -> Region {
    let group = rank.checked_sub(FIRST_GROUP).and_then(|group| GROUPS.get(usize::from(group)));
    group.copied().unwrap_or(Region::at(usize::from(rank)))
}

/// How the columns of a cube's rows make a number that sorts as the rows do.
///
/// From the top: class, kind, two columns of the cube's own, family, sensor; of [`Kept::Prefix`] the
/// prefix, class, kind, port, family, sensor. Columns that can be -1 are raised by one.
#[derive(Clone, Copy)]
struct Layout {
    port: bool,
    region: bool,
    asn: bool,
    tool: bool,
    prefix: bool,
}

impl Layout {
    const fn of(cube: Kept) -> Option<Self> {
        let none = Self { port: false, region: false, asn: false, tool: false, prefix: false };
        match cube {
            Kept::Total => Some(none),
            Kept::PortRegion => Some(Self { port: true, region: true, ..none }),
            Kept::PortTool => Some(Self { port: true, tool: true, ..none }),
            Kept::RegionAsn => Some(Self { region: true, asn: true, ..none }),
            Kept::RegionTool => Some(Self { region: true, tool: true, ..none }),
            Kept::Prefix => Some(Self { port: true, prefix: true, ..none }),
            Kept::Backscatter => None,
        }
    }

    /// Whether a cube has a row for this.
    fn takes(self, seen: &Seen) -> bool {
        !self.prefix
            || seen.class == Class::Scan as u8
                && seen.region != rank(Region::UNATTRIBUTED)
                && Kind::from_number(seen.kind)
                    .is_some_and(|kind| kind.has_dst_port() || kind.has_icmp_type())
    }

    fn place(self, seen: &Seen) -> u128 {
        let columns = Columns {
            class: seen.class,
            kind: seen.kind,
            port: (seen.port + 1) as u32,
            region: seen.region,
            asn: u64::from(seen.asn) + 1,
            tool: (seen.tool + 1) as u8,
            prefix: seen.prefix,
            family: seen.family,
            sensor: seen.sensor,
        };
        self.pack(&columns)
    }

    fn pack(self, columns: &Columns) -> u128 {
        let mut place = 0u128;
        let mut push = |bits: u32, value: u64| place = place << bits | u128::from(value);
        if self.prefix {
            push(48, columns.prefix);
        }
        push(2, columns.class.into());
        push(5, columns.kind.into());
        if self.port {
            push(17, columns.port.into());
        }
        if self.region {
            push(16, columns.region.into());
        }
        if self.asn {
            push(33, columns.asn);
        }
        if self.tool {
            push(3, columns.tool.into());
        }
        push(2, columns.family.into());
        push(32, columns.sensor.into());
        place
    }

    fn unpack(self, mut place: u128) -> Columns {
        let mut pop = |bits: u32| {
            let value = place as u64 & ((1 << bits) - 1);
            place >>= bits;
            value
        };
        let sensor = pop(32) as u32;
        let family = pop(2) as u8;
        let tool = if self.tool { pop(3) as u8 } else { 1 };
        let asn = if self.asn { pop(33) } else { 1 };
        let region = if self.region { pop(16) as u16 } else { rank(Region::UNKNOWN) };
        let port = if self.port { pop(17) as u32 } else { 1 };
        let kind = pop(5) as u8;
        let class = pop(2) as u8;
        let prefix = if self.prefix { pop(48) } else { 0 };
        Columns { class, kind, port, region, asn, tool, prefix, family, sensor }
    }

    fn row(self, place: u128, sensors: &[i64]) -> Row {
        let columns = self.unpack(place);
        Row {
            class: columns.class,
            kind: columns.kind,
            family: [0, 4, 6, 0][usize::from(columns.family & 3)],
            sensor: sensors.get(columns.sensor as usize).copied().unwrap_or(0),
            port: i64::from(columns.port) - 1,
            region: at_rank(columns.region),
            asn: columns.asn as i64 - 1,
            tool: i64::from(columns.tool) - 1,
            prefix: columns.prefix as i64,
        }
    }

    /// The place of the row that this one is put into when it is cut.
    fn other(self, place: u128) -> u128 {
        let columns = Columns { port: 0, region: rank(Region::OTHER), asn: 0, tool: 0, ..self.unpack(place) };
        self.pack(&columns)
    }
}

/// The columns of a row as they are packed.
struct Columns {
    class: u8,
    kind: u8,
    port: u32,
    region: u16,
    asn: u64,
    tool: u8,
    prefix: u64,
    family: u8,
    sensor: u32,
}

/// The order of a store's index: minutes, of which 32 bits last for 8,000 years; sources as signed
/// numbers sort; then kind, port and family. The sensor comes behind them.
fn answer_place(minute: i64, source: u64, kind: Kind, port: u16, family: Family) -> u128 {
    let minute = u32::try_from(minute.div_euclid(60)).unwrap_or(0);
    u128::from(minute) << 88
        | u128::from(source ^ 1 << 63) << 24
        | (kind as u128) << 18
        | u128::from(port) << 2
        | (family as u128 + 1)
}

fn answer(place: u128, sensor: i64) -> Answer {
    Answer {
        minute: i64::from((place >> 88) as u32) * 60,
        source: ((place >> 24) as u64 ^ 1 << 63) as i64,
        kind: (place >> 18 & 0x3f) as u8,
        port: i64::from((place >> 2) as u16),
        family: if place & 3 == 1 { 4 } else { 6 },
        sensor,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sensor_common::kind::Tool;

    use super::*;
    use crate::geo::{Geo, Paths};

    const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };

    fn slot(kind: Kind, family: Family, port: u16, source: u64, tool: Tool) -> Slot {
        let key = Key { source, port, kind, family, tool, sensor: 0 };
        Slot { source, meta: key.meta(), packets: 2 }
    }

    /// Rows of a cube of these tallies, as their own table would have them, with about how many sources.
    fn rows(cube: Kept, most: usize, tallies: &[Slot]) -> (Vec<(Row, u64, Option<u64>)>, u64) {
        let geo: Arc<Tables> = Geo::open(Paths::default()).unwrap().tables();
        let key = SketchKey::new([7; 16]);
        let mut fold = Fold::new(&geo, &key, LENGTHS);
        let watches = [(0, Watch { sensor: 11, role: Role::Dark })].into_iter().collect();
        fold.add(tallies, &watches, LENGTHS, Some(600));
        let mut rows = Vec::new();
        let cut = fold.rows(cube, most, |row, packets, sketch| {
            rows.push((*row, packets, sketch.map(|sketch| sketch.estimate().round() as u64)));
            Ok::<(), ()>(())
        });
        (rows, cut.unwrap())
    }

    #[test]
    fn columns_survive_packing_and_sort_as_the_index_does() {
        let sensors = [0, 11, 12];
        let column = |high: bool, low: u32, top: u32| if high { top } else { low };
        for cube in Kept::CUBES.into_iter().chain([Kept::Prefix]) {
            let layout = Layout::of(cube).unwrap();
            for bits in 0..1 << 9 {
                let high = |bit: u32| bits >> bit & 1 != 0;
                let seen = Seen {
                    hash: 1,
                    packets: 1,
                    prefix: if high(0) { (1 << 48) - 1 } else { 0 },
                    asn: column(high(1), 0, u32::MAX),
                    port: column(high(2), 0, 65_535) as i32,
                    sensor: column(high(3), 0, 2),
                    region: rank(if high(4) { Region::UNKNOWN } else { Region::from_code("AA").unwrap() }),
                    class: column(high(5), 0, 3) as u8,
                    kind: column(high(6), 0, 16) as u8,
                    family: column(high(7), 0, 2) as u8,
                    tool: if high(8) { 3 } else { -1 },
                };
                let place = layout.place(&seen);
                let row = layout.row(place, &sensors);
                assert_eq!((row.class, row.kind), (seen.class, seen.kind), "{cube:?}");
                assert_eq!((row.family, row.sensor), (seen.family * 3, [0, 0, 12][seen.sensor as usize]));
                assert_eq!(row.port, if layout.port { i64::from(seen.port) } else { 0 });
                assert_eq!(row.asn, if layout.asn { i64::from(seen.asn) } else { 0 });
                assert_eq!(row.tool, if layout.tool { i64::from(seen.tool) } else { 0 });
                assert_eq!(row.prefix, if layout.prefix { seen.prefix as i64 } else { 0 });
                assert_eq!(row.region, if layout.region { at_rank(seen.region) } else { Region::UNKNOWN });
                // Class weighs more than all that comes behind it.
                if cube != Kept::Prefix && seen.class == 3 {
                    assert!(place > layout.place(&Seen { class: 0, ..all_high() }));
                }
            }
        }
    }

    fn all_high() -> Seen {
        Seen {
            hash: 1,
            packets: 1,
            prefix: (1 << 48) - 1,
            asn: u32::MAX,
            port: 65_535,
            sensor: 2,
            region: rank(Region::UNKNOWN),
            class: 3,
            kind: 16,
            family: 2,
            tool: 3,
        }
    }

    #[test]
    fn regions_rank_as_their_texts_sort() {
        let mut regions: Vec<Region> =
            ["AA", "JP", "ZZ"].iter().map(|code| Region::from_code(code).unwrap()).collect();
        regions.extend(GROUPS);
        assert!(regions.is_sorted_by_key(|region| region.as_str().to_owned()));
        assert!(regions.is_sorted_by_key(|region| rank(*region)));
        assert!(regions.iter().all(|region| at_rank(rank(*region)) == *region));
    }

    #[test]
    fn a_source_counts_once_whatever_it_sends() {
        let tallies: Vec<_> = (0..100)
            .map(|n| slot(Kind::Syn, Family::V4, n, 0x0101_0100 | u64::from(n % 10), Tool::None))
            .chain((0..20).map(|n| slot(Kind::Syn, Family::V6, n, u64::from(n) << 60, Tool::None)))
            .collect();
        let (rows, cut) = rows(Kept::Total, usize::MAX, &tallies);
        assert_eq!(cut, 0);
        let rows: Vec<_> =
            rows.iter().map(|(row, packets, n)| (row.family, row.sensor, *packets, *n)).collect();
        assert_eq!(rows, [(4, 11, 200, Some(10)), (6, 11, 40, Some(16))]);
    }

    #[test]
    fn rows_beyond_the_most_are_put_together() {
        let tallies: Vec<_> = (0..10)
            .flat_map(|port| {
                (0..if port == 8 { 3 } else { 1 })
                    .map(move |n| slot(Kind::Udp, Family::V4, port, u64::from(n + port * 9), Tool::None))
            })
            .collect();
        let (rows, cut) = rows(Kept::PortTool, 3, &tallies);
        assert_eq!(cut, 7);
        let rows: Vec<_> = rows.iter().map(|(row, packets, n)| (row.port, row.tool, *packets, *n)).collect();
        assert_eq!(rows, [(0, 0, 2, Some(1)), (1, 0, 2, Some(1)), (8, 0, 6, Some(3)), (-1, -1, 14, Some(7))]);
    }

    #[test]
    fn prefixes_are_of_scans_with_a_service() {
        let tallies = [
            slot(Kind::Syn, Family::V4, 23, 0xc633_6407, Tool::None),
            slot(Kind::Syn, Family::V4, 23, 0xc633_6408, Tool::Zmap),
            slot(Kind::Syn, Family::V6, 23, 0x2a00_1450_4001_0815, Tool::None),
            slot(Kind::SynAck, Family::V4, 23, 0xc633_6407, Tool::None),
            slot(Kind::Ip, Family::V4, 47, 0xc633_6407, Tool::None),
        ];
        let (rows, _) = rows(Kept::Prefix, usize::MAX, &tallies);
        let rows: Vec<_> =
            rows.iter().map(|(row, packets, n)| (row.prefix, row.family, *packets, *n)).collect();
        assert_eq!(rows, [(0x00c6_3364, 4, 4, Some(2)), (0x2a00_1450_4001, 6, 2, Some(1))]);
    }

    #[test]
    fn answers_keep_the_whole_source() {
        let geo = Geo::open(Paths::default()).unwrap().tables();
        let key = SketchKey::new([7; 16]);
        let mut fold = Fold::new(&geo, &key, LENGTHS);
        let watches = [(0, Role::Dark), (1, Role::Lit), (2, Role::Honeypot)]
            .map(|(number, role)| (number, Watch { sensor: i64::from(number) + 11, role }))
            .into_iter()
            .collect();
        let tallies = [
            slot(Kind::SynAck, Family::V6, 443, 0x2a00_1450_4001_0815, Tool::None),
            slot(Kind::SynAck, Family::V6, 443, u64::MAX, Tool::None),
            slot(Kind::IcmpErrorUdp, Family::V4, 53, 0xffff_ffff, Tool::None),
            slot(Kind::Syn, Family::V4, 53, 1, Tool::None),
        ];
        fold.add(&tallies, &watches, LENGTHS, Some(1_570_114_860));
        fold.add(&tallies[..1], &watches, LENGTHS, None);
        // To a host in use, to a honeypot, and to a number that is no sensor's.
        for sensor in 1..=3 {
            let Slot { source, meta, packets } = tallies[1];
            let key = Key { sensor, ..Key::unpack(source, meta).unwrap() };
            fold.add(&[Slot { source, meta: key.meta(), packets }], &watches, LENGTHS, Some(1_570_114_860));
        }
        let mut answers = Vec::new();
        let cut = fold.answers(usize::MAX, |answer, packets| {
            answers.push((*answer, packets));
            Ok::<(), ()>(())
        });
        assert_eq!(cut, Ok(0));
        let answer = |source, kind, port, family, sensor| Answer {
            minute: 1_570_114_860,
            source,
            kind: kind as u8,
            port,
            family,
            sensor,
        };
        assert_eq!(
            answers,
            [
                (answer(-1, Kind::SynAck, 443, 6, 11), 2),
                (answer(-1, Kind::SynAck, 443, 6, 13), 2),
                (answer(0xffff_ffff, Kind::IcmpErrorUdp, 53, 4, 11), 2),
                (answer(0x2a00_1450_4001_0815, Kind::SynAck, 443, 6, 11), 2),
            ]
        );
        assert!(fold.answers(0, |_, _| Ok::<(), ()>(())).is_ok_and(|cut| cut == 4));
    }

    #[test]
    fn classes_without_a_sensor() {
        let dark_and_lit: Watches = [(0, Role::Dark), (1, Role::Lit)]
            .map(|(number, role)| (number, Watch { sensor: i64::from(number) + 1, role }))
            .into_iter()
            .collect();
        assert_eq!(dark_and_lit.class_of_unattributed(Kind::Syn), Some(Class::Scan));
        assert_eq!(dark_and_lit.class_of_unattributed(Kind::Tcp), None);
        assert_eq!(Watches::default().class_of_unattributed(Kind::Syn), None);
        assert!(dark_and_lit.only().is_none());
    }
}
