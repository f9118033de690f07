//! What has to be done from time to time: days are closed, and what is old is deleted.
//!
//! A day that is over becomes a span of its own, the sum of its hours and of the coarse spans that lie
//! within it, with lists that only a whole day can tell: prefixes of the services that matter, surveys,
//! victims. Each day is one transaction.
//!
//! The file does not become smaller when something is deleted; the room is used again.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use hashbrown::{HashMap, HashSet};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Rows, params};
use sensor_common::kind::Family;

use super::{
    Fault, Store, StoreError,
    fold::{bound_cubes, length_of},
    query::service_of,
    schema, signed,
    spans::{Level, Quality, Span, add_known, add_quality, find_span, make_span, mark_cut, quality},
    tables::{Limits, MIXED, Table},
};
use crate::{
    cube::{
        fold::{Kept, Row},
        survey::Services,
        victims,
    },
    geo::Tables,
    model::{Class, Prefix, Region, Service, Zone},
    sketch::Sketch,
};

/// Seconds for which a day stays open when it is over: epochs of its last minute come a little later,
/// and bursts may reach into the next day.
pub const GRACE: i64 = 15 * 60;
/// Days with the most recent of which a service is compared.
const BEFORE: i64 = 28;
/// Services whose prefixes are listed because they have the most packets.
const TOP_SERVICES: usize = 100;
/// Services whose prefixes are listed because they have more packets than before, at most.
const RISEN_SERVICES: usize = 1_000;
/// Packets that those must have more than on the mean of the days before.
const RISEN_BY: f64 = 10.0;
/// How many times that mean they must have.
const RISEN_TIMES: f64 = 1.25;
/// Prefixes that are listed of each kind, port and sensor, and of each region. Where packets grow by half, any prefix
/// that sends a sixth of what is more is among them.
const TOP_PREFIXES: usize = 20;
/// Days beyond the newest counts up to which a time is believed.
const NEAR: i64 = 3 * DAY;
/// Seconds of counts behind a longer pause that make a time believed again.
const ENOUGH: i64 = DAY;
/// Epochs that one transaction deletes.
const EPOCHS_AT_ONCE: i64 = 10_000;
/// Rows of a day that are held before they are written.
const ROWS_HELD: usize = 4096;
/// Seconds of a day as ages are counted.
const DAY: i64 = 86_400;

/// How long what is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Hours, and the coarse spans that are part of a day.
    pub hours: u32,
    /// Days, and the coarse spans that are part of none; `None`: for good. Hours are not kept longer.
    pub days: Option<u32>,
    /// Folded epochs, which are only times and sums by then. The last of each generation stays.
    pub epochs: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { hours: 400, days: None, epochs: 7 }
    }
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Start of the day that was closed, in seconds since 1970.
    pub closed: Option<i64>,
    /// Hours, days and coarse spans that were deleted.
    pub spans: u64,
    /// Epochs that were deleted.
    pub epochs: u64,
    /// Whether there may be more to do.
    pub more: bool,
    /// The time is not believed, and nothing was done: when the newest counts end that it would have
    /// to follow, in seconds since 1970.
    pub doubted: Option<i64>,
}

impl Store {
    /// One step of what is to be done: closes a day that ended [`GRACE`] or more before `now` (in
    /// seconds since 1970), or deletes a span or some epochs that are older than they are to be kept.
    /// To be called again while there is [`Maintained::more`]; a step is one transaction.
    ///
    /// Ages are told by a clock that may be wrong, and what is deleted is gone. So `now` is believed if
    /// the newest counts before it end three days before it or less, and either go back without a
    /// pause of more than three days to the first ones, or are a day's before such a pause.
    ///
    /// The databases tell the regions of prefixes, as for [`Store::close_days`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub fn maintain(
        &mut self,
        now: i64,
        retention: &Retention,
        limits: &Limits,
        geo: &Tables,
    ) -> Result<Maintained, StoreError> {
        if let Some(until) = self.read("see how old it is", |connection| Ok(doubted(connection, now)?))? {
            return Ok(Maintained { doubted: Some(until), ..Maintained::default() });
        }
        if let Some(&day) = self.days_over(now.saturating_sub(GRACE))?.first() {
            self.write("close a day", |connection| close(connection, &day, limits, geo))?;
            return Ok(Maintained { closed: Some(day.start), more: true, ..Maintained::default() });
        }
        if self.delete_span(now, retention)? {
            return Ok(Maintained { spans: 1, more: true, ..Maintained::default() });
        }
        let (epochs, more) = self.delete_epochs(now, retention)?;
        Ok(Maintained { epochs, more, ..Maintained::default() })
    }

    /// Closes every open day that ended at `until` (in seconds since 1970) or earlier, the oldest
    /// first, but none whose epochs are still to be folded. Gives their starts.
    ///
    /// What comes later is added to the cubes of a closed day in full, but cannot bring a new row into
    /// its lists of prefixes, surveys and victims.
    ///
    /// The databases tell the regions of prefixes: that of the first address stands for all. They are best those
    /// that the day was folded with.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub fn close_days(&mut self, until: i64, limits: &Limits, geo: &Tables) -> Result<Vec<i64>, StoreError> {
        let mut closed = Vec::new();
        for day in self.days_over(until)? {
            self.write("close a day", |connection| close(connection, &day, limits, geo))?;
            closed.push(day.start);
        }
        Ok(closed)
    }

    /// The open days that ended at `until` or earlier and have nothing to be folded, the oldest first.
    fn days_over(&self, until: i64) -> Result<Vec<Span>, StoreError> {
        self.read("look for days that are over", |connection| {
            let until = match self.first_to_fold(connection)? {
                Some(first) => until.min(first.saturating_sub(victims::BEYOND)),
                None => until,
            };
            let mut days = open_days(connection, &self.zone)?;
            days.retain(|day| day.end() <= until);
            Ok(days)
        })
    }

    /// When the first epoch began that waits to be folded, in seconds since 1970.
    fn first_to_fold(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let mut find = connection.prepare_cached(
            "SELECT e.id, e.start_ns FROM epoch e JOIN generation g ON g.id = e.generation
             WHERE e.tallies IS NOT NULL AND g.complete = 1",
        )?;
        let mut rows = find.query([])?;
        let mut first: Option<i64> = None;
        while let Some(row) = rows.next()? {
            if !self.damaged.contains(&row.get(0)?) {
                let start = row.get::<_, i64>(1)?.div_euclid(1_000_000_000);
                first = Some(first.map_or(start, |first| first.min(start)));
            }
        }
        Ok(first)
    }

    /// Deletes one span that is too old. `false`: there is none.
    fn delete_span(&mut self, now: i64, retention: &Retention) -> Result<bool, StoreError> {
        let before = |days: u32| now.saturating_sub(i64::from(days) * DAY);
        let days = retention.days.map_or(i64::MIN, before);
        let hours = before(retention.hours).max(days);
        let old = self.read("look for old spans", |connection| {
            // An hour or coarse span is part of a day once that is closed.
            let mut find = connection.prepare_cached(
                "SELECT id FROM span WHERE start <= ?1 AND start + seconds <= CASE WHEN level <> 1 AND EXISTS (
                     SELECT 1 FROM span d WHERE d.level = 1 AND d.start > span.start - 100000
                       AND d.start <= span.start AND d.start + d.seconds >= span.start + span.seconds)
                   THEN ?1 WHEN level = 0 THEN -9223372036854775808 ELSE ?2 END
                 ORDER BY level <> 1 DESC, start LIMIT 1",
            )?;
            Ok(find.query_row([hours, days], |row| row.get::<_, i64>(0)).optional()?)
        })?;
        let Some(span) = old else { return Ok(false) };
        self.write("delete what is old", |connection| {
            connection.prepare_cached("DELETE FROM span WHERE id = ?")?.execute([span])?;
            Ok(())
        })?;
        Ok(true)
    }

    fn delete_epochs(&mut self, now: i64, retention: &Retention) -> Result<(u64, bool), StoreError> {
        let before = now.saturating_sub(i64::from(retention.epochs) * DAY).saturating_mul(1_000_000_000);
        let old = "SELECT e.id FROM epoch e JOIN generation g ON g.id = e.generation
                   WHERE e.tallies IS NULL AND e.end_ns <= ?1 AND e.epoch <> g.last_epoch LIMIT ?2";
        let is_there = self.read("look for old epochs", |connection| {
            let find = format!("SELECT EXISTS ({old})");
            Ok(connection.prepare_cached(&find)?.query_row([before, 1], |row| row.get::<_, bool>(0))?)
        })?;
        if !is_there {
            return Ok((0, false));
        }
        let deleted = self.write("delete old epochs", |connection| {
            let delete = format!("DELETE FROM epoch WHERE id IN ({old})");
            Ok(connection.prepare_cached(&delete)?.execute([before, EPOCHS_AT_ONCE])?)
        })?;
        Ok((deleted as u64, deleted as i64 == EPOCHS_AT_ONCE))
    }
}

/// Whether a time is to be doubted: then when the counts end that it does not follow, in seconds since
/// 1970. What lies beyond it does not count, nor do coarse spans of more than a day: one of them begins
/// by one clock and ends by another if the clock was set meanwhile.
fn doubted(connection: &Connection, now: i64) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached(
        "SELECT start, seconds FROM span
         WHERE start <= ?1 AND (level <> 2 OR seconds <= ?2) ORDER BY start DESC, seconds",
    )?;
    let mut rows = find.query([now, DAY])?;
    // From when on there are counts without a long pause, and of how many seconds.
    let mut since = now;
    let mut seconds = 0;
    while let Some(row) = rows.next()? {
        let (start, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        let end = start.saturating_add(length);
        if since.saturating_sub(end) > NEAR {
            return Ok((seconds < ENOUGH).then_some(end));
        }
        // A closed day counts in full: to close it, the time was believed.
        seconds += (end.min(since) - start).max(0);
        since = start.min(since);
    }
    Ok(None)
}

/// The days that have hours, or coarse spans within, and are not closed; the oldest first.
fn open_days(connection: &Connection, zone: &Zone) -> rusqlite::Result<Vec<Span>> {
    let mut find =
        connection.prepare_cached("SELECT start, level, seconds FROM span ORDER BY start, level")?;
    let mut rows = find.query([])?;
    let mut days: Vec<Span> = Vec::new();
    let mut closed: HashSet<(i64, i64)> = HashSet::new();
    while let Some(row) = rows.next()? {
        let (start, level, seconds): (i64, u8, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if level == Level::Day as u8 {
            closed.insert((start, seconds));
            continue;
        }
        let day = match days.last() {
            Some(day) if (day.start..day.end()).contains(&start) => *day,
            _ => {
                let day = zone.day_of(start);
                Span { start: day.start, level: Level::Day, seconds: day.seconds }
            }
        };
        if start.saturating_add(seconds) <= day.end() && days.last() != Some(&day) {
            days.push(day);
        }
    }
    days.retain(|day| !closed.contains(&(day.start, day.seconds)));
    Ok(days)
}

/// An hour or coarse span of a day.
struct Part {
    span: i64,
    /// Whether its sketches, by family, go with those of the day.
    fits: [bool; 2],
}

/// Makes a day of its parts.
fn close(connection: &Connection, day: &Span, limits: &Limits, geo: &Tables) -> Result<(), Fault> {
    // Somebody else may have been faster.
    if find_span(connection, day)?.is_some() {
        return Ok(());
    }
    let spans: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM span WHERE level <> 1 AND start >= ?1 AND start < ?2 AND start + seconds <= ?2
             ORDER BY start, level",
        )?
        .query_map([day.start, day.end()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let id = make_span(connection, day)?;
    let (parts, is_mixed) = parts(connection, spans)?;

    let mut sum = Quality::default();
    for part in &parts {
        let more = quality(connection, part.span)?;
        sum.observed_ns = sum.observed_ns.saturating_add(more.observed_ns);
        sum.outcomes += more.outcomes;
        sum.bytes = sum.bytes.saturating_add(more.bytes);
        sum.lost = sum.lost.saturating_add(more.lost);
        sum.uncounted = sum.uncounted.saturating_add(more.uncounted);
        sum.mismatches = sum.mismatches.saturating_add(more.mismatches);
        sum.nic_received = add_known(sum.nic_received, more.nic_received);
        sum.nic_dropped = add_known(sum.nic_dropped, more.nic_dropped);
        sum.restarts = sum.restarts.saturating_add(more.restarts);
        sum.cut |= more.cut;
    }
    add_quality(connection, id, &sum)?;
    if is_mixed {
        mark_cut(connection, id, MIXED)?;
    }
    for part in &parts {
        connection
            .prepare_cached(
                "INSERT INTO span_sensor (span, sensor, observed_ns, packets)
                 SELECT ?1, sensor, observed_ns, packets FROM span_sensor WHERE span = ?2
                 ON CONFLICT DO UPDATE SET observed_ns = observed_ns + excluded.observed_ns,
                                           packets = packets + excluded.packets",
            )?
            .execute([id, part.span])?;
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO span_database (span, database)
                 SELECT ?1, database FROM span_database WHERE span = ?2",
            )?
            .execute([id, part.span])?;
    }
    for cube in Kept::CUBES {
        roll_up(connection, cube, &parts, id)?;
    }
    bound_cubes(connection, id, limits)?;
    list_prefixes(connection, day, id, geo)?;
    list_victims(connection, day, id)?;
    connection.prepare_cached("DELETE FROM open_prefix WHERE day <= ?")?.execute([day.start])?;
    connection
        .prepare_cached("DELETE FROM open_backscatter WHERE minute < ?")?
        .execute([day.end() - victims::BEYOND])?;
    Ok(())
}

/// Which of a day's parts have sketches that merge, and whether some do not: sources cut to different
/// lengths are different things. Those of the length with the most packets win.
fn parts(connection: &Connection, spans: Vec<i64>) -> Result<(Vec<Part>, bool), Fault> {
    let mut parts: Vec<Part> = spans.into_iter().map(|span| Part { span, fits: [true; 2] }).collect();
    let mut is_mixed = false;
    for (family, number) in [(Family::V4, 4), (Family::V6, 6)] {
        let mut lengths = Vec::with_capacity(parts.len());
        let mut packets: HashMap<u8, u64> = HashMap::new();
        for part in &parts {
            let length = length_of(connection, part.span, family)?;
            lengths.push(length);
            if let Some(length) = length {
                let sum: Option<i64> = connection
                    .prepare_cached("SELECT sum(packets) FROM total WHERE span = ? AND family = ?")?
                    .query_row([part.span, number], |row| row.get(0))
                    .optional()?
                    .flatten();
                let count = packets.entry(length).or_default();
                *count = count.saturating_add(sum.unwrap_or(0).unsigned_abs());
            }
        }
        let chosen = packets.into_iter().max_by_key(|&(length, packets)| (packets, length));
        for (part, length) in parts.iter_mut().zip(lengths) {
            part.fits[family as usize] = length.is_none() || length == chosen.map(|(length, _)| length);
            is_mixed |= !part.fits[family as usize];
        }
    }
    Ok((parts, is_mixed))
}

/// A row with its packets and the bytes of its sketch.
type Counted = (Row, u64, Option<Vec<u8>>);

/// A part's rows of a cube, in the order of the index.
struct Stream<'s> {
    rows: Rows<'s>,
    fits: [bool; 2],
    head: Option<Counted>,
}

impl Stream<'_> {
    /// Takes the first row, and reads the next.
    fn next(&mut self, table: &Table) -> Result<Option<Counted>, Fault> {
        let next = match self.rows.next()? {
            Some(found) => {
                let (row, packets, sources) = table.read(found)?;
                let fits = match row.family {
                    4 => self.fits[Family::V4 as usize],
                    6 => self.fits[Family::V6 as usize],
                    _ => false,
                };
                Some((row, packets, sources.filter(|_| fits).map(<[u8]>::to_vec)))
            }
            None => None,
        };
        Ok(std::mem::replace(&mut self.head, next))
    }
}

/// Adds up a cube of all parts: their rows come in the same order, so nothing has to be sorted, and few
/// are held at a time. (Some are: SQLite looks up the place of every reader anew when something is
/// written between its rows.)
fn roll_up(connection: &Connection, cube: Kept, parts: &[Part], day: i64) -> Result<(), Fault> {
    let table = Table::of(cube);
    let mut statements =
        parts.iter().map(|_| connection.prepare(&table.select())).collect::<rusqlite::Result<Vec<_>>>()?;
    let mut streams = Vec::with_capacity(parts.len());
    for (statement, part) in statements.iter_mut().zip(parts) {
        streams.push(Stream { rows: statement.query([part.span])?, fits: part.fits, head: None });
    }
    for stream in &mut streams {
        stream.next(&table)?;
    }
    let mut upsert = connection.prepare_cached(&table.upsert())?;
    let mut done: Vec<Counted> = Vec::with_capacity(ROWS_HELD);
    let mut write = |done: &mut Vec<Counted>| -> rusqlite::Result<()> {
        for (row, packets, sources) in done.drain(..) {
            table.put(&mut upsert, day, &row, packets, sources.as_deref())?;
        }
        Ok(())
    };
    loop {
        let heads = streams.iter().filter_map(|stream| stream.head.as_ref().map(|(row, ..)| row));
        let Some(first) = heads.min_by(|a, b| table.order(a, b)).copied() else {
            return Ok(write(&mut done)?);
        };
        let mut packets = 0u64;
        let mut bytes: Option<Vec<u8>> = None;
        let mut merged: Option<Sketch> = None;
        let is_first = |stream: &Stream<'_>| {
            stream.head.as_ref().is_some_and(|(row, ..)| table.order(row, &first) == Ordering::Equal)
        };
        for stream in streams.iter_mut().filter(|stream| is_first(stream)) {
            let Some((_, more, sources)) = stream.next(&table)? else { continue };
            packets = packets.saturating_add(more);
            let Some(sources) = sources else { continue };
            // Most rows have a single part, whose sketch need not be read.
            match (&mut merged, &bytes) {
                (Some(merged), _) => merged.merge_bytes(&sources).map_err(sketch_error)?,
                (None, None) => bytes = Some(sources),
                (None, Some(before)) => {
                    let mut sketch = Sketch::from_bytes(before).map_err(sketch_error)?;
                    sketch.merge_bytes(&sources).map_err(sketch_error)?;
                    merged = Some(sketch);
                }
            }
        }
        let sources = merged.map(|sketch| sketch.to_bytes()).or(bytes);
        done.push((first, packets, sources));
        if done.len() == ROWS_HELD {
            write(&mut done)?;
        }
    }
}

fn sketch_error(error: crate::sketch::SketchError) -> Fault {
    Fault::Sql(rusqlite::Error::UserFunctionError(error.into()))
}

/// Adds scan packets of a span by service.
fn add_services(
    connection: &Connection,
    span: i64,
    services: &mut HashMap<Service, u64>,
) -> rusqlite::Result<()> {
    let mut find = connection
        .prepare_cached("SELECT kind, family, port, packets FROM port_tool WHERE span = ? AND class = ?")?;
    let mut rows = find.query(params![span, Class::Scan as u8])?;
    while let Some(row) = rows.next()? {
        if let Some(service) = service_of(row.get(0)?, row.get(2)?, row.get(1)?) {
            let packets = services.entry(service).or_default();
            *packets = packets.saturating_add(row.get::<_, i64>(3)?.unsigned_abs());
        }
    }
    Ok(())
}

/// The services of a day whose prefixes are listed: those with the most packets, and those with more
/// than on the mean of the days before. Any day within a surge is among these.
fn listed(
    today: &HashMap<Service, u64>,
    before: &HashMap<Service, u64>,
    days_before: usize,
) -> HashSet<Service> {
    let mut top: Vec<_> = today.iter().map(|(&service, &packets)| (Reverse(packets), service)).collect();
    top.sort_unstable();
    let mut listed: HashSet<Service> = top.iter().take(TOP_SERVICES).map(|&(_, service)| service).collect();
    if days_before > 0 {
        let mut risen: Vec<_> = today
            .iter()
            .filter_map(|(&service, &packets)| {
                let mean = before.get(&service).copied().unwrap_or(0) as f64 / days_before as f64;
                let risen = packets as f64 - mean;
                (risen >= RISEN_BY && packets as f64 >= RISEN_TIMES * mean).then_some((risen, service))
            })
            .collect();
        risen.sort_unstable_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
        listed.extend(risen.iter().take(RISEN_SERVICES).map(|&(_, service)| service));
    }
    listed
}

/// A prefix on its way into a list, the one with the fewest packets first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    packets: Reverse<u64>,
    prefix: i64,
    family: u8,
    sources: Option<Vec<u8>>,
}

/// Prefixes with the most packets.
#[derive(Default)]
struct Top(BinaryHeap<Candidate>);

impl Top {
    fn add(&mut self, packets: u64, prefix: i64, family: u8, sources: Option<&[u8]>) {
        let is_full = self.0.len() == TOP_PREFIXES;
        if is_full && self.0.peek().is_some_and(|least| packets <= least.packets.0) {
            return;
        }
        let sources = sources.map(<[u8]>::to_vec);
        self.0.push(Candidate { packets: Reverse(packets), prefix, family, sources });
        if is_full {
            self.0.pop();
        }
    }
}

/// What a prefix did in a day.
#[derive(Default)]
struct Doings {
    /// At all sensors.
    packets: u64,
    surveyor: Surveyor,
}

/// What it did at those that tell surveys.
#[derive(Default)]
struct Surveyor {
    services: Services,
    packets: u64,
    /// By kind and port.
    rows: Vec<(u8, i64, u64)>,
    sources: Option<Sketch>,
}

/// The region of a prefix: that of its first address.
pub(super) fn region_of(geo: &Tables, prefix: i64, family: u8) -> Region {
    let family = if family == 6 { Family::V6 } else { Family::V4 };
    Prefix::of_upper(family, prefix.unsigned_abs())
        .map_or(Region::UNKNOWN, |prefix| geo.region(family, prefix.source))
}

/// Makes the lists of prefixes and surveys of a day.
fn list_prefixes(connection: &Connection, day: &Span, id: i64, geo: &Tables) -> Result<(), Fault> {
    let mut today = HashMap::new();
    add_services(connection, id, &mut today)?;
    let days: Vec<i64> = connection
        .prepare_cached("SELECT id FROM span WHERE level = 1 AND start < ? ORDER BY start DESC LIMIT ?")?
        .query_map([day.start, BEFORE], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut before = HashMap::new();
    for &span in &days {
        add_services(connection, span, &mut before)?;
    }
    let listed = listed(&today, &before, days.len());

    let mut tops: HashMap<(u8, i64, i64), Top> = HashMap::new();
    let lit: HashSet<i64> = connection
        .prepare_cached("SELECT id FROM sensor WHERE role = 'lit'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut lists = Lists::new(connection, id, geo)?;
    let mut last: Option<i64> = None;
    let mut doings = [Doings::default(), Doings::default()];
    let table = Table::of(Kept::Prefix);
    let lengths = [length_of(connection, id, Family::V4)?, length_of(connection, id, Family::V6)?];
    let mut find = connection.prepare_cached(&table.select())?;
    let mut rows = find.query([day.start])?;
    while let Some(found) = rows.next()? {
        let (row, packets, sources) = table.read(found)?;
        let family = usize::from(row.family == 6);
        // Only sketches that go with the day's.
        let sources = match sources.map(|sources| (sources, Sketch::from_bytes(sources))) {
            Some((_, Err(error))) => return Err(sketch_error(error)),
            Some((sources, Ok(sketch))) if Some(sketch.scope().length) == lengths[family] => {
                Some((sources, sketch))
            }
            _ => None,
        };
        let Some(service) = service_of(row.kind.into(), row.port, row.family.into()) else { continue };
        if let Some(prefix) = last.filter(|&prefix| prefix != row.prefix) {
            lists.end_prefix(prefix, &mut doings)?;
        }
        last = Some(row.prefix);
        if listed.contains(&service) {
            let bytes = sources.as_ref().map(|(bytes, _)| *bytes);
            let top = tops.entry((row.kind, row.port, row.sensor)).or_default();
            top.add(packets, row.prefix, row.family, bytes);
        }
        let Doings { packets: all, surveyor } = &mut doings[family];
        *all = all.saturating_add(packets);
        // Hosts in use are not told apart from what they are used for.
        if lit.contains(&row.sensor) {
            continue;
        }
        surveyor.packets = surveyor.packets.saturating_add(packets);
        surveyor.rows.push((row.kind, row.port, packets));
        if service.has_port() {
            surveyor.services.insert(service.protocol.number().into(), service.number);
        }
        if let Some((_, sketch)) = sources {
            match &mut surveyor.sources {
                Some(sum) => sum.merge(&sketch).map_err(sketch_error)?,
                none => *none = Some(sketch),
            }
        }
    }
    if let Some(last) = last {
        lists.end_prefix(last, &mut doings)?;
    }
    lists.write()?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO port_prefix (span, class, kind, port, prefix, family, sensor, packets, sources, region)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for ((kind, port, sensor), top) in tops {
        for Candidate { packets, prefix, family, sources } in top.0 {
            let class = Class::Scan as u8;
            insert.execute(params![
                id,
                class,
                kind,
                port,
                prefix,
                family,
                sensor,
                signed(packets.0),
                sources,
                region_of(geo, prefix, family).as_str(),
            ])?;
        }
    }
    Ok(())
}

/// Lists of a day that every prefix may be in.
struct Lists<'c> {
    connection: &'c Connection,
    day: i64,
    geo: &'c Tables,
    survey: CachedStatement<'c>,
    /// What surveys sent, by kind, port and family, and by region and family.
    of_ports: HashMap<(u8, i64, u8), u64>,
    of_regions: HashMap<(Region, u8), u64>,
    regions: HashMap<Region, Top>,
}

impl<'c> Lists<'c> {
    fn new(connection: &'c Connection, day: i64, geo: &'c Tables) -> rusqlite::Result<Self> {
        let survey = connection.prepare_cached(
            "INSERT INTO survey (span, prefix, family, ports, packets, sources) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        Ok(Self {
            connection,
            day,
            geo,
            survey,
            of_ports: HashMap::new(),
            of_regions: HashMap::new(),
            regions: HashMap::new(),
        })
    }

    /// Keeps what is known of a prefix, by family; and forgets it.
    fn end_prefix(&mut self, prefix: i64, doings: &mut [Doings; 2]) -> Result<(), Fault> {
        for (Doings { packets, surveyor }, family) in doings.iter_mut().zip([4, 6]) {
            if *packets > 0 {
                let region = region_of(self.geo, prefix, family);
                self.regions.entry(region).or_default().add(*packets, prefix, family, None);
                if surveyor.services.is_survey() {
                    self.survey.execute(params![
                        self.day,
                        prefix,
                        family,
                        surveyor.services.len() as i64,
                        signed(surveyor.packets),
                        surveyor.sources.as_ref().map(Sketch::to_bytes),
                    ])?;
                    let sum = self.of_regions.entry((region, family)).or_default();
                    *sum = sum.saturating_add(surveyor.packets);
                    for &(kind, port, packets) in &surveyor.rows {
                        let sum = self.of_ports.entry((kind, port, family)).or_default();
                        *sum = sum.saturating_add(packets);
                    }
                }
            }
            *packets = 0;
            surveyor.services.clear();
            surveyor.packets = 0;
            surveyor.rows.clear();
            surveyor.sources = None;
        }
        Ok(())
    }

    /// Writes what is made of all prefixes.
    fn write(self) -> Result<(), Fault> {
        let Self { connection, day, .. } = self;
        connection
            .prepare_cached("UPDATE span SET lists = ? WHERE id = ?")?
            .execute([schema::VERSION, day])?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO survey_port (span, kind, port, family, packets) VALUES (?, ?, ?, ?, ?)",
        )?;
        for ((kind, port, family), packets) in self.of_ports {
            insert.execute(params![day, kind, port, family, signed(packets)])?;
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO survey_region (span, region, family, packets) VALUES (?, ?, ?, ?)",
        )?;
        for ((region, family), packets) in self.of_regions {
            insert.execute(params![day, region.as_str(), family, signed(packets)])?;
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO region_prefix (span, region, prefix, family, packets) VALUES (?, ?, ?, ?, ?)",
        )?;
        for (region, top) in self.regions {
            for Candidate { packets, prefix, family, .. } in top.0 {
                insert.execute(params![day, region.as_str(), prefix, family, signed(packets.0)])?;
            }
        }
        Ok(())
    }
}

/// Who answers at what, and at which sensor: source, kind, port, family, sensor.
type Answering = (i64, u8, i64, u8, i64);

/// Makes the list of a day's victims.
fn list_victims(connection: &Connection, day: &Span, id: i64) -> Result<(), Fault> {
    let range = day.start..day.end();
    let mut find = connection.prepare_cached(
        "SELECT source, kind, port, family, sensor, minute, packets FROM open_backscatter
         WHERE minute >= ? AND minute < ? ORDER BY source, kind, port, family, sensor, minute",
    )?;
    let mut rows = find.query([range.start - victims::BEYOND, range.end + victims::BEYOND])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO victim (span, source, kind, port, family, sensor, packets, minutes, first, last, peak,
                             moore)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut minutes: Vec<(i64, u64)> = Vec::new();
    let mut of: Option<Answering> = None;
    let mut end = |of: Option<Answering>, minutes: &[(i64, u64)]| -> rusqlite::Result<()> {
        let burst = of.and_then(|of| Some((of, victims::burst(minutes, &range)?)));
        let Some(((source, kind, port, family, sensor), burst)) = burst else { return Ok(()) };
        let victims::Burst { packets, minutes, first, last, peak, moore } = burst;
        let (packets, minutes, peak) = (signed(packets), signed(minutes), signed(peak));
        insert
            .execute(params![
                id, source, kind, port, family, sensor, packets, minutes, first, last, peak, moore
            ])
            .map(drop)
    };
    while let Some(row) = rows.next()? {
        let next = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        if of != Some(next) {
            end(of, &minutes)?;
            minutes.clear();
            of = Some(next);
        }
        minutes.push((row.get(5)?, row.get::<_, i64>(6)?.unsigned_abs()));
    }
    Ok(end(of, &minutes)?)
}
