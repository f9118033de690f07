//! A question about two stretches of time.

use super::{
    Answer, Asked, Counted, Group, Groups, Query, QueryError, Rank, Sensors, Summary, found, one_state, rank,
    summary,
};
use crate::{model::Dimension, store::Reader};

/// What the rows of an answer were in another stretch of time.
#[derive(Clone, Debug)]
pub struct Compared {
    /// In the order of the answer's rows.
    pub rows: Vec<Previous>,
    /// Of the other stretch. No sources are told of the whole, and no rows are given.
    pub summary: Summary,
}

/// A row in another stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// `None` where nothing was observed, or the row may be among what is in no row.
    pub packets: Option<u64>,
    /// `None` where they were not asked for, or are not known.
    pub sources: Option<u64>,
    /// Place among all rows, whose equals share one; `None` where there was no such row.
    pub rank: Option<u64>,
}

impl Reader {
    /// Answers a question, and says what its rows were from another second to another one, from one state of the
    /// store.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::query`], and if rows are by time.
    pub fn compare(&self, query: &Query, from: i64, to: i64) -> Result<(Answer, Compared), QueryError> {
        if query.by.contains(&Dimension::Time) {
            return Err(QueryError::Time);
        }
        let (connection, zone) = (self.connection(), self.zone());
        let _state = one_state(connection)?;
        let sensors = Sensors::read(connection)?;
        let (answer, groups) = found(connection, zone, query, &sensors)?;
        // All rows have a rank; only those that were found want sources, unless these make the ranks.
        let other = Query {
            from,
            to,
            top: None,
            packets_only: query.packets_only || query.rank == Rank::Packets,
            ..query.clone()
        };
        let Asked { plan, chosen, .. } = Asked::new(connection, zone, &other, &sensors)?;
        let Counted { groups: counted, other: beside } = plan.count(&chosen.spans, query.most)?;
        let mut summary = summary(&plan, &other, &chosen)?;
        let in_rows = counted.values().fold(0u64, |sum, counts| sum.saturating_add(counts.packets));
        summary.other = beside;
        summary.packets = in_rows.saturating_add(beside);
        summary.rows = counted.len() as u64;
        let (ranked, mut trouble) = rank(&plan, &chosen.spans, counted, &other)?;

        let is_known = summary.first.is_some() && beside == 0;
        let mut places: Groups<Previous> = Groups::default();
        let (mut place, mut before) = (0, None);
        for (index, &(group, counts, sources)) in (1u64..).zip(&ranked) {
            let measure = match query.rank {
                Rank::Packets => Some(counts.packets),
                Rank::Sources => sources,
            };
            if index == 1 || measure != before {
                (place, before) = (index, measure);
            }
            places.insert(group, Previous { packets: Some(counts.packets), sources, rank: Some(place) });
        }
        let none = Previous { packets: is_known.then_some(0), ..Previous::default() };
        let mut rows: Vec<Previous> =
            groups.iter().map(|group| places.get(group).copied().unwrap_or(none)).collect();
        if other.packets_only && !query.packets_only {
            let known: Vec<Group> =
                groups.iter().copied().filter(|group| places.contains_key(group)).collect();
            let (unions, failure) = plan.sources(&chosen.spans, &known, known.len() == ranked.len())?;
            trouble = trouble.or(failure);
            let of_known = groups.iter().zip(&mut rows).filter(|(group, _)| places.contains_key(*group));
            for ((_, row), union) in of_known.zip(unions) {
                row.sources = union.estimate();
            }
        }
        if !query.packets_only {
            // Nobody sent what did not come.
            rows.iter_mut().filter(|row| row.packets == Some(0)).for_each(|row| row.sources = Some(0));
        }
        summary.sources_missing = trouble;
        Ok((answer, Compared { rows, summary }))
    }
}
