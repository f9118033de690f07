//! Which spans a period is made of.

use rusqlite::Connection;

use crate::model::{Slot, Zone};

use super::Step;

/// A stretch of time that rows are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub id: i64,
    pub level: Level,
    pub start: i64,
    pub end: i64,
    pub observed_ns: u64,
    pub packets: u64,
    pub lost: u64,
    pub cut: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Hour,
    Day,
    /// An epoch longer than its hour.
    Coarse,
}

/// The spans of a period: every packet of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub spans: Vec<Span>,
    /// Packets of spans that are only partly in the period, or in a step of it, and so not counted.
    pub partial: u64,
}

/// No span of days is longer; spans this near may belong to a day that is partly in a period.
const LONGEST_DAY: i64 = 26 * 3600;

/// Spans that lie in a period or near it.
pub fn near(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<Vec<Span>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, level, start, seconds, observed_ns, packets, lost, cut FROM span \
         WHERE start < ?2 AND start + seconds > ?1 ORDER BY start, level, seconds",
    )?;
    let bounds = (from.saturating_sub(LONGEST_DAY), to.saturating_add(LONGEST_DAY));
    let rows = statement.query_map(bounds, |row| {
        let start: i64 = row.get(2)?;
        let count = |index| row.get::<_, i64>(index).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Span {
            id: row.get(0)?,
            level: match row.get(1)? {
                0i64 => Level::Hour,
                1 => Level::Day,
                _ => Level::Coarse,
            },
            start,
            end: start.saturating_add(row.get(3)?),
            observed_ns: count(4)?,
            packets: count(5)?,
            lost: count(6)?,
            cut: row.get(7)?,
        })
    })?;
    rows.collect()
}

impl Span {
    const fn is_within(&self, from: i64, to: i64) -> bool {
        from <= self.start && self.end <= to
    }

    /// The step that it counts for; `None` if it lies in no single one.
    pub fn slot(&self, step: Step, zone: &Zone) -> Option<Slot> {
        let slot = match step {
            Step::Hour if self.level != Level::Hour => return None,
            Step::Hour => return Some(Slot { start: self.start, seconds: self.end - self.start }),
            Step::Day => zone.day_of(self.start),
        };
        self.is_within(slot.start, slot.end()).then_some(slot)
    }
}

/// Chooses days where they are wholly in the period, and for the rest hours and coarse spans.
/// With a step, only what lies in one. `days_only`: nothing but days holds what is asked.
pub fn choose(near: &[Span], from: i64, to: i64, step: Option<Step>, days_only: bool, zone: &Zone) -> Chosen {
    let mut chosen = Chosen::default();
    let takes_days = step != Some(Step::Hour);
    let days: Vec<&Span> = near.iter().filter(|span| span.level == Level::Day).collect();
    let is_taken = |day: &Span| takes_days && day.is_within(from, to);
    // The day that a shorter span is part of, if there is one. Days are in the order of time.
    let day_of = |span: &Span| {
        let next = days.partition_point(|day| day.start <= span.start);
        next.checked_sub(1)
            .map(|index| (index, days[index]))
            .filter(|(_, day)| span.is_within(day.start, day.end))
    };
    // Of each day, what is kept in shorter spans as well.
    let mut shorter = vec![0u64; days.len()];
    for span in near.iter().filter(|span| span.level != Level::Day) {
        let day = day_of(span);
        if let Some((index, _)) = day {
            shorter[index] = shorter[index].saturating_add(span.packets);
        }
        if day.is_some_and(|(_, day)| is_taken(day)) || span.end <= from || span.start >= to {
            continue;
        }
        let fits = span.is_within(from, to) && !days_only;
        if fits && step.is_none_or(|step| span.slot(step, zone).is_some()) {
            chosen.spans.push(*span);
        } else {
            chosen.partial = chosen.partial.saturating_add(span.packets);
        }
    }
    for (day, shorter) in days.iter().zip(shorter) {
        if is_taken(day) {
            chosen.spans.push(**day);
        } else if day.start < to && day.end > from {
            // What is in hours as well was judged there.
            chosen.partial = chosen.partial.saturating_add(day.packets.saturating_sub(shorter));
        }
    }
    chosen.spans.sort_unstable_by_key(|span| (span.start, span.id));
    chosen
}
