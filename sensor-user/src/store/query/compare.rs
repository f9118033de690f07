//! A question about two stretches of time.

use rusqlite::Connection;

use super::{
    Answer, Asked, Counted, Group, Groups, Query, QueryError, Rank, Sensors, Summary, found, one_state, rank,
    summary,
};
use crate::{
    model::{Dimension, Zone},
    store::Reader,
};

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
        compare(self.connection(), self.zone(), query, from, to)
    }
}

fn compare(
    connection: &Connection,
    zone: &Zone,
    query: &Query,
    from: i64,
    to: i64,
) -> Result<(Answer, Compared), QueryError> {
    if query.by.contains(&Dimension::Time) {
        return Err(QueryError::Time);
    }
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
        let known: Vec<Group> = groups.iter().copied().filter(|group| places.contains_key(group)).collect();
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

#[cfg(test)]
mod tests {
    use super::super::tests::{DAY, Event, START, filled, zone};
    use super::*;

    fn event(hour: i64, port: u16, region: &'static str, source: u64, packets: u64) -> Event {
        Event { hour, port, region, source, packets, ..Event::default() }
    }

    /// Two days. On the first 23/tcp has two sources, 80/tcp and 81/tcp are equal; on the second 80/tcp is gone, and
    /// 7/tcp new.
    fn events() -> Vec<Event> {
        vec![
            event(0, 23, "CN", 1, 50),
            event(1, 23, "US", 2, 10),
            event(2, 80, "CN", 1, 20),
            event(2, 81, "CN", 3, 20),
            event(3, 445, "NL", 4, 5),
            event(24, 445, "NL", 4, 90),
            event(25, 23, "CN", 1, 30),
            event(26, 81, "CN", 5, 8),
            event(26, 7, "RU", 6, 7),
        ]
    }

    fn question(by: &[Dimension]) -> Query {
        Query { from: START + DAY, to: START + 2 * DAY, by: by.to_vec(), ..Query::default() }
    }

    fn asked(events: &[Event], query: &Query) -> (Answer, Compared) {
        compare(&filled(events, &[0]), &zone(), query, START, START + DAY).unwrap()
    }

    fn was(packets: u64, sources: Option<u64>, rank: u64) -> Previous {
        Previous { packets: Some(packets), sources, rank: Some(rank) }
    }

    #[test]
    fn rows_know_what_they_were_before() {
        let query = question(&[Dimension::DstPort]);
        let (answer, compared) = asked(&events(), &query);
        let ports: Vec<_> = answer.rows.iter().map(|row| row.row.dst_port).collect();
        assert_eq!(ports, [Some(445), Some(23), Some(81), Some(7)]);
        let none = Previous { packets: Some(0), sources: Some(0), rank: None };
        // Ports 80 and 81 share the second rank.
        assert_eq!(
            compared.rows,
            [was(5, Some(1), 4), was(60, Some(2), 1), was(20, Some(1), 2), none],
            "sources of those that were there"
        );
        let Summary { packets, rows, other, observed_seconds, .. } = compared.summary;
        assert_eq!((packets, rows, other), (105, 4, 0));
        assert_eq!(observed_seconds, 86_400.0);
        // It is the answer that is given without.
        let alone = super::super::answer(&filled(&events(), &[0]), &zone(), &query).unwrap();
        assert_eq!(alone.rows, answer.rows);
    }

    #[test]
    fn ranks_are_among_all_rows_however_few_are_wanted() {
        let query = Query { top: Some(1), packets_only: true, ..question(&[Dimension::DstPort]) };
        assert_eq!(asked(&events(), &query).1.rows, [was(5, None, 4)]);
        // By sources 23/tcp was the first, and all others were the second.
        let by_sources = Query { rank: Rank::Sources, ..question(&[Dimension::DstPort]) };
        let (answer, compared) = asked(&events(), &by_sources);
        let place = answer.rows.iter().position(|row| row.row.dst_port == Some(445)).unwrap();
        assert_eq!(compared.rows[place], was(5, Some(1), 2));
    }

    #[test]
    fn what_was_not_observed_is_not_zero() {
        let late: Vec<Event> = events().into_iter().filter(|event| event.hour >= 24).collect();
        let connection = filled(&late, &[]);
        let (_, compared) =
            compare(&connection, &zone(), &question(&[Dimension::DstPort]), START, START + DAY).unwrap();
        assert_eq!(compared.rows, [Previous::default(); 4]);
        assert_eq!(compared.summary.first, None);
    }

    #[test]
    fn time_has_nothing_before() {
        let connection = filled(&events(), &[]);
        let query = question(&[Dimension::Time]);
        let error = compare(&connection, &zone(), &query, START, START + DAY).unwrap_err();
        assert!(matches!(error, QueryError::Time));
        let few = Query { most: Some(3), ..question(&[Dimension::DstPort]) };
        let error = compare(&connection, &zone(), &few, START, START + DAY).unwrap_err();
        assert!(error.to_string().starts_with("there are more than 3 rows to tell apart"), "{error}");
    }
}
