//! From kept epochs to cubes.
//!
//! Some epochs are folded together in one transaction: their packets are added to the cubes of the
//! spans that they fall in, and their tallies are given up. So a packet is either in a tally or in
//! every cube, whenever the program or the machine stops.

use std::{collections::BTreeMap, error::Error};

use hashbrown::{HashMap, hash_map::Entry};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use sensor_common::kind::Family;

use super::{
    Fault, Store, StoreError, blob,
    maintain::region_of,
    signed,
    spans::{Level, Quality, Span, add_known, add_quality, find_span, make_span, mark_cut, span_of},
    tables::{self, CUT_FIRST, Limits, MIXED, Owner, Table, shrink, union_with},
};
use crate::{
    cube::{
        SourceLengths,
        fold::{Answer, Fold, Kept, Row, Watch, Watches},
    },
    geo::Tables,
    kernel::{self, Drain},
    model::{Role, Zone},
    sketch::{Sketch, SketchKey},
};

/// Tallies that are in work at a time: some 100 bytes each.
const IN_WORK: usize = 2 << 20;
/// The longest epoch, in nanoseconds, that tells bursts by minutes: a minute, and what a timer may be
/// late.
const MINUTE_NS: u64 = 65_000_000_000;
/// No counter of a drain that is to be believed reaches this.
const ABSURD: u64 = 1 << 56;

/// What one transaction folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Row of the only generation whose epochs are folded; `None`: of all that are complete.
    pub generation: Option<i64>,
    /// Tallies, but for the last epoch, which may go beyond.
    pub tallies: usize,
    pub epochs: u64,
}

impl Portion {
    /// What takes so short that others may wait for it, of all generations.
    pub const SHORT: Self = Self { generation: None, tallies: 200_000, epochs: 256 };
}

/// What was folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub epochs: u64,
    pub tallies: u64,
    pub packets: u64,
    /// Rows that bounds put together as `other`, and rows of lists that they left out.
    pub cut: u64,
    /// Epochs that were too long to tell bursts of backscatter by minutes.
    pub untestable: u64,
    /// Epochs that cannot be read, or not be added to what is there. They stay, and are not tried again
    /// before the store is opened anew.
    pub damaged: Vec<Damaged>,
    /// Whether there is more to fold.
    pub more: bool,
}

/// An epoch that cannot be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its row in the store.
    pub row: i64,
    /// The row of its generation.
    pub generation: i64,
    /// Its number within the generation.
    pub epoch: i64,
    pub reason: String,
}

impl Store {
    /// Folds epochs of complete generations, in the order in which they were kept, in one transaction:
    /// as many as the portion says. After an error nothing is lost.
    ///
    /// An epoch goes to the hour, on the clock of the store's zone, of its midpoint, unless it reaches
    /// beyond that hour by more than 60 s in all; then to a span of its own. If its day is closed, it
    /// is added to the day as well: to the cubes in full, to the lists of prefixes, surveys and victims
    /// where they have a row for it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written. What is wrong with single epochs, or with the rows that
    /// they would be added to, is no error: they are set aside as [`Folded::damaged`].
    pub fn fold(&mut self, geo: &Tables, limits: &Limits, portion: &Portion) -> Result<Folded, StoreError> {
        let skip = self.damaged.clone();
        let mut taken = Vec::new();
        let how = How { geo, limits, portion };
        let folded = match self.fold_some(how, &|row| !skip.contains(&row), &mut taken) {
            Err(error) if error.is_of_rows() => self.fold_apart(how, taken, error)?,
            folded => folded?,
        };
        self.damaged.extend(folded.damaged.iter().map(|damaged| damaged.row));
        Ok(folded)
    }

    /// Folds epochs that are wanted, in one transaction, and takes note of all that it tried.
    fn fold_some(
        &mut self,
        how: How<'_>,
        wanted: &dyn Fn(i64) -> bool,
        taken: &mut Vec<Taken>,
    ) -> Result<Folded, StoreError> {
        let (zone, key) = (self.zone.clone(), self.key.clone());
        self.write("fold its epochs", |connection| {
            let folding = Folding { connection, zone: &zone, key: &key, how };
            folding.run(wanted, taken)
        })
    }

    /// Folds epochs that cannot be folded together, by halves, until those that are at fault stand alone.
    fn fold_apart(
        &mut self,
        how: How<'_>,
        taken: Vec<Taken>,
        error: StoreError,
    ) -> Result<Folded, StoreError> {
        if taken.is_empty() {
            return Err(error);
        }
        let mut sum = Folded { more: true, ..Folded::default() };
        let mut parts: Vec<Vec<Taken>> = Vec::new();
        let mut failed = Some((taken, error));
        loop {
            if let Some((mut part, error)) = failed.take() {
                if part.len() > 1 {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                } else if let Some(Taken { row, generation, epoch }) = part.pop() {
                    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                    sum.damaged.push(Damaged { row, generation, epoch, reason });
                }
            }
            let Some(part) = parts.pop() else { return Ok(sum) };
            let wanted = |row| part.binary_search_by_key(&row, |taken| taken.row).is_ok();
            match self.fold_some(how, &wanted, &mut Vec::new()) {
                Ok(folded) => {
                    sum.epochs += folded.epochs;
                    sum.tallies += folded.tallies;
                    sum.packets += folded.packets;
                    sum.cut += folded.cut;
                    sum.untestable += folded.untestable;
                    sum.damaged.extend(folded.damaged);
                }
                Err(error) if error.is_of_rows() => failed = Some((part, error)),
                Err(error) => return Err(error),
            }
        }
    }
}

/// What folding goes by.
#[derive(Clone, Copy)]
struct How<'a> {
    geo: &'a Tables,
    limits: &'a Limits,
    portion: &'a Portion,
}

/// An epoch that was tried.
#[derive(Clone, Copy)]
struct Taken {
    row: i64,
    generation: i64,
    epoch: i64,
}

/// An epoch that waits.
struct Waiting {
    row: i64,
    generation: i64,
    drain: Drain,
    observed_ns: u64,
    restarted: bool,
    nic_received: Option<u64>,
    nic_dropped: Option<u64>,
}

/// What has to be known of a generation.
struct Generation {
    lengths: SourceLengths,
    watches: Watches,
}

struct Folding<'a> {
    connection: &'a Connection,
    zone: &'a Zone,
    key: &'a SketchKey,
    how: How<'a>,
}

impl Folding<'_> {
    fn run(&self, wanted: &dyn Fn(i64) -> bool, taken: &mut Vec<Taken>) -> Result<Folded, Fault> {
        let mut folded = Folded::default();
        let mut rows = 0;
        let mut generations: HashMap<i64, Generation> = HashMap::new();
        let mut spans: BTreeMap<Span, Vec<Waiting>> = BTreeMap::new();
        let Portion { generation, tallies, epochs } = *self.how.portion;
        // Not those of a capture that is still being read.
        let mut find = self.connection.prepare_cached(
            "SELECT e.id, e.generation, e.epoch FROM epoch e JOIN generation g ON g.id = e.generation
             WHERE e.tallies IS NOT NULL AND g.complete = 1 AND (?1 IS NULL OR g.id = ?1) ORDER BY e.id",
        )?;
        let mut found = find.query([generation])?;
        while let Some(next) = found.next()? {
            let waiting = Taken { row: next.get(0)?, generation: next.get(1)?, epoch: next.get(2)? };
            let Taken { row, generation: number, .. } = waiting;
            if !wanted(row) {
                continue;
            }
            if rows >= tallies || folded.epochs >= epochs {
                folded.more = true;
                break;
            }
            if let Entry::Vacant(new) = generations.entry(number) {
                new.insert(self.generation(number)?);
            }
            taken.push(waiting);
            match self.epoch(row)? {
                Ok(waiting) => {
                    folded.epochs += 1;
                    folded.tallies += waiting.drain.tallies.len() as u64;
                    rows += waiting.drain.tallies.len() + waiting.drain.unattributed.len();
                    folded.packets += waiting.drain.outcomes.packets;
                    spans.entry(span_of(self.zone, &waiting.drain.span)).or_default().push(waiting);
                }
                Err(damaged) => folded.damaged.push(damaged),
            }
        }
        drop(found);
        let mut done = self.connection.prepare_cached("UPDATE epoch SET tallies = NULL WHERE id = ?")?;
        for (span, waiting) in spans {
            for waiting in &waiting {
                done.execute([waiting.row])?;
            }
            let waiting: Vec<_> = waiting
                .into_iter()
                .filter_map(|waiting| Some((generations.get(&waiting.generation)?, waiting)))
                .collect();
            self.span(span, &waiting, &mut folded)?;
        }
        Ok(folded)
    }

    /// The lengths and sensors of a generation.
    fn generation(&self, number: i64) -> Result<Generation, Fault> {
        let lengths = self
            .connection
            .prepare_cached("SELECT v4_prefix, v6_prefix FROM generation WHERE id = ?")?
            .query_row([number], |row| Ok(SourceLengths { v4: row.get(0)?, v6: row.get(1)? }))?;
        let watches = self
            .connection
            .prepare_cached(
                "SELECT g.number, g.sensor, s.role FROM generation_sensor g JOIN sensor s ON s.id = g.sensor
                 WHERE g.generation = ?",
            )?
            .query_map([number], |row| {
                let role: String = row.get(2)?;
                let role = role.parse::<Role>().map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
                })?;
                Ok((row.get(0)?, Watch { sensor: row.get(1)?, role }))
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Generation { lengths, watches })
    }

    fn epoch(&self, row: i64) -> Result<Result<Waiting, Damaged>, Fault> {
        let mut find = self.connection.prepare_cached(
            "SELECT generation, epoch, observed_ns, restarted, nic_received, nic_dropped, tallies
             FROM epoch WHERE id = ?",
        )?;
        let waiting = find.query_row([row], |found| {
            let (generation, epoch) = (found.get(0)?, found.get(1)?);
            let number = |column| -> rusqlite::Result<Option<u64>> {
                Ok(found.get::<_, Option<i64>>(column)?.and_then(|number| u64::try_from(number).ok()))
            };
            let damaged = |reason| Damaged { row, generation, epoch, reason };
            let drain = match blob::decode(found.get_ref(6)?.as_blob()?) {
                Ok(drain) if is_credible(&drain) => drain,
                Ok(_) => return Ok(Err(damaged("its counters are beyond anything that can be".to_owned()))),
                Err(error) => return Ok(Err(damaged(error.to_string()))),
            };
            Ok(Ok(Waiting {
                row,
                generation,
                drain,
                observed_ns: number(2)?.unwrap_or(0).min(ABSURD),
                restarted: found.get(3)?,
                nic_received: number(4)?.map(|received| received.min(ABSURD)),
                nic_dropped: number(5)?.map(|dropped| dropped.min(ABSURD)),
            }))
        })?;
        Ok(waiting)
    }

    /// Adds the epochs of one span.
    fn span(&self, span: Span, waiting: &[(&Generation, Waiting)], folded: &mut Folded) -> Result<(), Fault> {
        let day = self.zone.day_of(span.start);
        let day = Span { level: Level::Day, start: day.start, seconds: day.seconds };
        let is_within = span.end() <= day.end();
        let own = make_span(self.connection, &span)?;
        let closed = if is_within { find_span(self.connection, &day)? } else { None };
        let owners: Vec<i64> = [own].into_iter().chain(closed).collect();

        let lengths = self.lengths(&owners, waiting)?;
        for &owner in &owners {
            self.qualities(owner, waiting)?;
        }
        let open_day = (is_within && closed.is_none()).then_some(day.start);
        let mut fold = Fold::new(self.how.geo, self.key, lengths[0]);
        let mut writer = Writer { folding: self, owners: &owners, lengths: &lengths, open_day, closed };
        for (generation, waiting) in waiting {
            let Drain { span: kernel::Span { start_ns, end_ns }, tallies, unattributed, .. } = &waiting.drain;
            let is_short = end_ns.saturating_sub(*start_ns) <= MINUTE_NS;
            folded.untestable += u64::from(!is_short);
            let middle = (start_ns / 2 + end_ns / 2) / 1_000_000_000;
            let minute = (is_short && is_within).then_some((middle / 60 * 60) as i64);
            for tallies in tallies.chunks(IN_WORK) {
                if fold.len() + tallies.len() > IN_WORK {
                    folded.cut += writer.write(&mut fold)?;
                }
                fold.add(tallies, &generation.watches, generation.lengths, minute);
            }
            fold.add_unattributed(unattributed, &generation.watches);
        }
        folded.cut += writer.write(&mut fold)?;
        if fold.is_mixed() {
            mark_cut(self.connection, owners[0], MIXED)?;
        }
        if lengths.iter().any(|of_owner| *of_owner != lengths[0]) || fold.is_mixed() {
            for &owner in &owners[1..] {
                mark_cut(self.connection, owner, MIXED)?;
            }
        }
        folded.cut += self.bound(&owners, day, open_day)?;
        Ok(())
    }

    /// To how many bits the sources of each span's sketches are cut. Those of a new span are cut as
    /// those of its day are, or as the coarsest that are to be added.
    fn lengths(
        &self,
        owners: &[i64],
        waiting: &[(&Generation, Waiting)],
    ) -> Result<Vec<SourceLengths>, Fault> {
        let kept = |family| -> Result<Vec<Option<u8>>, Fault> {
            Ok(owners
                .iter()
                .map(|&owner| length_of(self.connection, owner, family))
                .collect::<rusqlite::Result<_>>()?)
        };
        let (v4, v6) = (kept(Family::V4)?, kept(Family::V6)?);
        let new = |family| {
            let lengths = waiting.iter().map(|(generation, _)| generation.lengths.of(family));
            lengths.min().unwrap_or(0)
        };
        let choose = |kept: &[Option<u8>], family| {
            let first = kept.iter().copied().flatten().next().unwrap_or_else(|| new(family));
            kept.iter().map(|length| length.unwrap_or(first)).collect::<Vec<_>>()
        };
        let (v4, v6) = (choose(&v4, Family::V4), choose(&v6, Family::V6));
        Ok(v4.into_iter().zip(v6).map(|(v4, v6)| SourceLengths { v4, v6 }).collect())
    }

    /// Adds what is known of the data's quality, sensors and databases.
    fn qualities(&self, owner: i64, waiting: &[(&Generation, Waiting)]) -> Result<(), Fault> {
        let mut quality = Quality::default();
        let mut sensors: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for (generation, waiting) in waiting {
            let drain = &waiting.drain;
            quality.add(drain);
            quality.observed_ns += waiting.observed_ns;
            quality.restarts += u64::from(waiting.restarted);
            quality.nic_received = add_known(quality.nic_received, waiting.nic_received);
            quality.nic_dropped = add_known(quality.nic_dropped, waiting.nic_dropped);
            let mut packets = [0u64; 1 << 8];
            for slot in &drain.tallies {
                packets[(slot.meta.0 >> 24) as usize] += u64::from(slot.packets);
            }
            if let Some((number, _)) = generation.watches.only() {
                let lost = drain.unattributed.iter().map(|lost| lost.packets).sum::<u64>();
                packets[usize::from(number)] += lost;
            }
            for (number, watch) in generation.watches.iter() {
                let (observed_ns, sum) = sensors.entry(watch.sensor).or_default();
                *observed_ns += waiting.observed_ns;
                *sum += packets[usize::from(number)];
            }
        }
        add_quality(self.connection, owner, &quality)?;
        let mut add = self.connection.prepare_cached(
            "INSERT INTO span_sensor (span, sensor, observed_ns, packets) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET observed_ns = observed_ns + excluded.observed_ns,
                                       packets = packets + excluded.packets",
        )?;
        for (sensor, (observed_ns, packets)) in sensors {
            add.execute(params![owner, sensor, signed(observed_ns), signed(packets)])?;
        }
        for database in self.how.geo.databases() {
            let built = database.built.timestamp().map(|built| built.as_second());
            let parameters = params![database.role.as_str(), database.database_type, built];
            let known = self
                .connection
                .prepare_cached("SELECT id FROM database WHERE role = ? AND type = ? AND built IS ?")?
                .query_row(parameters, |row| row.get(0))
                .optional()?;
            let id: i64 = match known {
                Some(id) => id,
                None => {
                    let sql = "INSERT INTO database (role, type, built) VALUES (?, ?, ?)";
                    self.connection.prepare_cached(sql)?.insert(parameters)?
                }
            };
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO span_database (span, database) VALUES (?, ?)")?
                .execute([owner, id])?;
        }
        Ok(())
    }

    /// Cuts what has grown beyond its bound.
    fn bound(&self, owners: &[i64], day: Span, open_day: Option<i64>) -> Result<u64, Fault> {
        let mut sum = 0;
        for &owner in owners {
            sum += bound_cubes(self.connection, owner, self.how.limits)?;
        }
        if let Some(day_start) = open_day {
            let minutes = Owner { first: day.start, last: day.end() - 1 };
            for (cube, rows) in [(Kept::Prefix, Owner::one(day_start)), (Kept::Backscatter, minutes)] {
                let Some(bound) = self.how.limits.of(cube) else { continue };
                let cut = shrink(self.connection, cube, rows, bound)?;
                if cut > 0 {
                    mark_cut(self.connection, owners[0], cube as u8)?;
                }
                sum += cut;
            }
        }
        Ok(sum)
    }
}

/// Cuts the cubes of a span if they have too many rows together. Says how many rows went.
pub(super) fn bound_cubes(connection: &Connection, span: i64, limits: &Limits) -> rusqlite::Result<u64> {
    let owner = Owner::one(span);
    let first = || -> rusqlite::Result<u64> {
        CUT_FIRST.into_iter().map(|cube| tables::rows(connection, cube, owner)).sum()
    };
    if first()? + tables::rows(connection, Kept::PortRegion, owner)? <= limits.rows {
        return Ok(0);
    }
    let shrink = |cube, bound| -> rusqlite::Result<u64> {
        let cut = shrink(connection, cube, owner, bound)?;
        if cut > 0 {
            mark_cut(connection, span, cube as u8)?;
        }
        Ok(cut)
    };
    let mut sum = 0;
    for cube in CUT_FIRST {
        if let Some(bound) = limits.of(cube) {
            sum += shrink(cube, bound)?;
        }
    }
    Ok(sum + shrink(Kept::PortRegion, limits.rows.saturating_sub(first()?))?)
}

/// To how many bits the sources in a span's sketches are cut; `None` if it has none.
pub(super) fn length_of(connection: &Connection, span: i64, family: Family) -> rusqlite::Result<Option<u8>> {
    let number = match family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    let sources: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT sources FROM total WHERE span = ? AND family = ? AND sources IS NOT NULL LIMIT 1",
        )?
        .query_row([span, number], |row| row.get(0))
        .optional()?;
    let sketch = sources.map(|bytes| Sketch::from_bytes(&bytes)).transpose();
    let sketch = sketch.map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
    Ok(sketch.map(|sketch| sketch.scope().length))
}

/// Whether the sums of a drain can be: none is so large that sums of many would not fit.
fn is_credible(drain: &Drain) -> bool {
    let outcomes = drain.outcomes;
    let lost = drain.unattributed.iter().try_fold(0u64, |sum, lost| sum.checked_add(lost.packets));
    let bytes = drain.kinds.as_flattened().iter().try_fold(0u64, |sum, cell| sum.checked_add(cell.bytes));
    let counters = [
        outcomes.runs,
        outcomes.non_ip,
        outcomes.malformed,
        outcomes.unwatched,
        outcomes.local,
        outcomes.packets,
        drain.lost,
        drain.uncounted,
        lost.unwrap_or(u64::MAX),
        bytes.unwrap_or(u64::MAX),
    ];
    counters.into_iter().all(|counter| counter < ABSURD)
}

/// Writes the rows of a span's cubes.
struct Writer<'a, 'f> {
    folding: &'a Folding<'f>,
    /// The span, and its day if that is closed.
    owners: &'a [i64],
    /// Of the sketches of each.
    lengths: &'a [SourceLengths],
    /// Start of the day if it is open.
    open_day: Option<i64>,
    /// The day's span if it is closed.
    closed: Option<i64>,
}

impl Writer<'_, '_> {
    /// Writes all rows, and empties the fold. Says how many were cut.
    fn write(&mut self, fold: &mut Fold<'_>) -> Result<u64, Fault> {
        if fold.is_empty() {
            return Ok(0);
        }
        let mut sum = 0;
        for cube in Kept::CUBES {
            let cut = self.cube(cube, fold)?;
            if cut > 0 {
                for &owner in self.owners {
                    mark_cut(self.folding.connection, owner, cube as u8)?;
                }
            }
            sum += cut;
        }
        sum += self.prefixes(fold)?;
        sum += self.answers(fold)?;
        fold.clear();
        Ok(sum)
    }

    fn cube(&self, cube: Kept, fold: &mut Fold<'_>) -> Result<u64, Fault> {
        let table = Table::of(cube);
        let mut upsert = self.folding.connection.prepare_cached(&table.upsert())?;
        fold.rows(cube, self.folding.how.limits.of_fold(cube), |row, packets, sketch| {
            let sources = sketch.map(Sketch::to_bytes);
            for (&owner, lengths) in self.owners.iter().zip(self.lengths) {
                let fits =
                    sketch.is_some_and(|sketch| sketch.scope().length == lengths.of(sketch.scope().family));
                table.put(&mut upsert, owner, row, packets, sources.as_deref().filter(|_| fits))?;
            }
            Ok(())
        })
    }

    /// The list of prefixes of the day: complete if it is open, else where it has a row.
    fn prefixes(&self, fold: &mut Fold<'_>) -> Result<u64, Fault> {
        let connection = self.folding.connection;
        let table = Table::of(Kept::Prefix);
        let most = self.folding.how.limits.of_fold(Kept::Prefix);
        if let Some(day) = self.open_day {
            let mut upsert = connection.prepare_cached(&table.upsert())?;
            let cut = fold.rows(Kept::Prefix, most, |row, packets, sketch| -> Result<(), Fault> {
                let sources = sketch.map(Sketch::to_bytes);
                Ok(table.put(&mut upsert, day, row, packets, sources.as_deref())?)
            })?;
            if cut > 0 {
                mark_cut(connection, self.owners[0], Kept::Prefix as u8)?;
            }
            return Ok(cut);
        }
        let Some(day) = self.closed else { return Ok(0) };
        let mut late = Late::new(connection, self.folding.how.geo)?;
        let lengths = self.lengths.last().copied();
        fold.rows(Kept::Prefix, usize::MAX, |row, packets, sketch| -> Result<(), Fault> {
            let sources = sketch.filter(|sketch| {
                lengths.is_some_and(|l| l.of(sketch.scope().family) == sketch.scope().length)
            });
            Ok(late.prefix(day, row, packets, sources.map(Sketch::to_bytes))?)
        })
    }

    /// The same for backscatter by minutes.
    fn answers(&self, fold: &mut Fold<'_>) -> Result<u64, Fault> {
        let connection = self.folding.connection;
        if self.open_day.is_some() {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO open_backscatter (minute, source, kind, port, family, sensor, packets)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET packets = packets + excluded.packets",
            )?;
            let most = self.folding.how.limits.of_fold(Kept::Backscatter);
            let cut = fold.answers(most, |answer, packets| -> Result<(), Fault> {
                let Answer { minute, source, kind, port, family, sensor } = *answer;
                upsert.execute(params![minute, source, kind, port, family, sensor, signed(packets)])?;
                Ok(())
            })?;
            if cut > 0 {
                mark_cut(connection, self.owners[0], Kept::Backscatter as u8)?;
            }
            return Ok(cut);
        }
        let Some(day) = self.closed else { return Ok(0) };
        let mut late = Late::new(connection, self.folding.how.geo)?;
        fold.answers(usize::MAX, |answer, packets| -> Result<(), Fault> {
            Ok(late.victim(day, answer, packets)?)
        })
    }
}

/// What comes for a day that is closed: added to the rows of its lists that are there.
struct Late<'c> {
    geo: &'c Tables,
    port_prefix: CachedStatement<'c>,
    region_prefix: CachedStatement<'c>,
    survey: CachedStatement<'c>,
    survey_port: CachedStatement<'c>,
    survey_region: CachedStatement<'c>,
    victim: CachedStatement<'c>,
}

impl<'c> Late<'c> {
    fn new(connection: &'c Connection, geo: &'c Tables) -> rusqlite::Result<Self> {
        let union = union_with("?2");
        Ok(Self {
            geo,
            port_prefix: connection.prepare_cached(&format!(
                "UPDATE port_prefix SET packets = packets + ?1, sources = {union}
                 WHERE span = ?3 AND class = ?4 AND kind = ?5 AND port = ?6 AND prefix = ?7
                   AND family = ?8 AND sensor = ?9"
            ))?,
            survey: connection.prepare_cached(&format!(
                "UPDATE survey SET packets = packets + ?1, sources = {union}
                 WHERE span = ?3 AND prefix = ?4 AND family = ?5
                   AND ?6 NOT IN (SELECT id FROM sensor WHERE role = 'lit')"
            ))?,
            region_prefix: connection.prepare_cached(
                "UPDATE region_prefix SET packets = packets + ?1
                 WHERE span = ?2 AND region = ?3 AND prefix = ?4 AND family = ?5",
            )?,
            // Not of days whose lists are older than these tables.
            survey_port: connection.prepare_cached(
                "INSERT INTO survey_port (span, kind, port, family, packets)
                 SELECT id, ?2, ?3, ?4, ?5 FROM span WHERE id = ?1 AND lists >= 2
                 ON CONFLICT DO UPDATE SET packets = packets + excluded.packets",
            )?,
            survey_region: connection.prepare_cached(
                "INSERT INTO survey_region (span, region, family, packets)
                 SELECT id, ?2, ?3, ?4 FROM span WHERE id = ?1 AND lists >= 2
                 ON CONFLICT DO UPDATE SET packets = packets + excluded.packets",
            )?,
            victim: connection.prepare_cached(
                "UPDATE victim SET packets = packets + ?
                 WHERE span = ? AND source = ? AND kind = ? AND port = ? AND family = ?
                   AND sensor = ?",
            )?,
        })
    }

    fn prefix(
        &mut self,
        day: i64,
        row: &Row,
        packets: u64,
        sources: Option<Vec<u8>>,
    ) -> rusqlite::Result<()> {
        let Row { class, kind, family, sensor, port, prefix, .. } = *row;
        let packets = signed(packets);
        self.port_prefix
            .execute(params![packets, sources, day, class, kind, port, prefix, family, sensor])?;
        let region = region_of(self.geo, prefix, family);
        self.region_prefix.execute(params![packets, day, region.as_str(), prefix, family])?;
        if self.survey.execute(params![packets, sources, day, prefix, family, sensor])? > 0 {
            self.survey_port.execute(params![day, kind, port, family, packets])?;
            self.survey_region.execute(params![day, region.as_str(), family, packets])?;
        }
        Ok(())
    }

    fn victim(&mut self, day: i64, answer: &Answer, packets: u64) -> rusqlite::Result<()> {
        let Answer { source, kind, port, family, sensor, .. } = *answer;
        self.victim.execute(params![signed(packets), day, source, kind, port, family, sensor]).map(drop)
    }
}
