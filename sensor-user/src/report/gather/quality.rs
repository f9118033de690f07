//! How complete the data of the period are, and who watched with what.

use std::collections::BTreeMap;

use super::{GatherError, Gathering};
use crate::{
    report::model::{Database, Gap, Quality, Sensor},
    store::query::{self, Step},
};

/// A gap is told from this length on, in seconds.
const LEAST_GAP: i64 = 3600;

impl Gathering<'_> {
    pub fn quality(&self) -> Result<Quality, GatherError> {
        let period = self.request.period;
        let days = self.reader.quality(period.start, period.end, Step::Day)?;
        let mut sum = query::Quality::default();
        days.iter().for_each(|day| sum.add(day));
        let days_out = self.now.clone().filter(|&day| !self.panel.counts(&self.present, day));
        let summary = self.ask(&self.now, &[], None, &self.everyone(), true)?.summary;
        Ok(Quality {
            frames: sum.frames,
            packets: sum.packets,
            lost: sum.lost,
            malformed: sum.malformed,
            non_ip: sum.non_ip,
            unwatched: sum.unwatched,
            local: sum.local,
            uncounted: sum.uncounted,
            mismatches: sum.mismatches,
            restarts: sum.restarts,
            nic_received: sum.nic_received,
            nic_dropped: sum.nic_dropped,
            days_out: days_out.map(|day| self.date(day)).collect(),
            gaps: self.gaps()?,
            partial: summary.partial,
            pending: summary.pending_packets,
            cut: summary.cut,
        })
    }

    /// Stretches in which nobody observed, by the hour where hours are kept, else by the day.
    fn gaps(&self) -> Result<Vec<Gap>, GatherError> {
        let period = self.request.period;
        let end = period.end.min(self.request.now);
        // Begin, end and whether anything was observed.
        let mut known: Vec<(i64, i64)> = Vec::new();
        for step in [Step::Hour, Step::Day] {
            let stretches = self.reader.quality(period.start, period.end, step)?;
            let observed = stretches.iter().filter(|stretch| stretch.observed_ns > 0);
            let covered = known.clone();
            known.extend(
                observed
                    .map(|stretch| (stretch.start, stretch.start.saturating_add_unsigned(stretch.seconds)))
                    // A day whose hours are kept is told by these.
                    .filter(|&(from, to)| {
                        step == Step::Hour || !covered.iter().any(|&(start, _)| from <= start && start < to)
                    }),
            );
        }
        known.sort_unstable();
        let mut gaps = Vec::new();
        let mut last = period.start;
        for (from, to) in known.into_iter().chain([(end, end)]) {
            if from.saturating_sub(last) >= LEAST_GAP {
                gaps.push(Gap {
                    from: self.zone.rfc3339(last),
                    to: self.zone.rfc3339(from),
                    hours: u32::try_from((from - last) / 3600).unwrap_or(u32::MAX),
                });
            }
            last = last.max(to);
        }
        Ok(gaps)
    }

    pub fn sensors(&self) -> Vec<Sensor> {
        let of = |&place: &usize| {
            let watch = &self.panel.sensors[place];
            let days = watch.first_and_last(&self.now);
            Sensor {
                name: watch.name.clone(),
                alias: watch.alias.clone(),
                role: watch.role.as_str().to_owned(),
                group: watch.group.clone(),
                addresses: watch.addresses,
                first: days.map(|(first, _)| self.date(first)),
                last: days.map(|(_, last)| self.date(last)),
                filtered: watch.filtered.clone(),
                compared: self.compared.contains(&place),
            }
        };
        self.present.iter().map(of).collect()
    }

    pub fn databases(&self) -> Result<Vec<Database>, GatherError> {
        let period = self.request.period;
        let mut databases: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        for day in self.reader.quality(period.start, period.end, Step::Day)? {
            for database in day.databases {
                let days = databases.entry(database).or_insert((day.start, day.start));
                days.1 = day.start;
            }
        }
        let of = |(database, (first, last)): (query::Database, _)| Database {
            role: database.role,
            name: database.name,
            built: database.built,
            first: self.zone.date_of(first),
            last: self.zone.date_of(last),
        };
        Ok(databases.into_iter().map(of).collect())
    }
}
