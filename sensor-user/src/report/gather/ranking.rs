//! Rankings of services and regions, their series of days, and the services of each sensor.

use std::{cmp::Reverse, collections::BTreeMap, hash::Hash, ops::Range};

use hashbrown::HashMap;

use super::{GatherError, Gathering, SERVICE, region_filter, service_of, sum, sum_of};
use crate::{
    analysis::rank::{self, PreviousRank},
    model::{Dimension, Region, Service},
    report::model::{
        Below, Change, Correction, Finding, Part, PartRow, RankBy, Ranked, Ranking, Rate, Subject, Totals,
        Trend, TrendLine, What,
    },
    store::query::{DailyCounts, Measured, Query, Rank, SensorRow},
};

/// Places of the lists of sensors and groups.
const PART_ROWS: usize = 10;

/// A ranking with what else is known of all that could be ranked.
pub struct Ranks<S> {
    pub table: Ranking<S>,
    /// Packets of the period, of all.
    pub sums: HashMap<S, u64>,
    /// Ranks of the period before, by what the store says now; and packets.
    pub before: HashMap<S, (u32, u64)>,
}

/// What a ranking is made of.
struct Counted<'a, S> {
    /// Packets of all sensors, and of those that are compared.
    counts: &'a DailyCounts<S>,
    panel: &'a DailyCounts<S>,
    /// The ranking of a frozen report of the period before.
    frozen: Option<&'a Ranking<S>>,
}

/// What a row of a ranking tells beside its packets.
#[derive(Clone, Copy, Debug, Default)]
struct Details {
    sources: Option<u64>,
    rate: Option<Rate>,
}

impl Gathering<'_> {
    pub fn services(
        &self,
        counts: &DailyCounts<Service>,
        panel: &DailyCounts<Service>,
    ) -> Result<Ranks<Service>, GatherError> {
        let below = Below { other: sum(&counts.other, &self.now), ..Below::default() };
        let by_sources = |days: &Range<usize>| {
            let rows = self.by_sources(days, &SERVICE)?.into_iter();
            Ok(rows.filter_map(|row| Some((service_of(&row.row)?, row.sources?))).collect())
        };
        let frozen = self.request.frozen.map(|frozen| &frozen.ports);
        self.ranks(
            &Counted { counts, panel, frozen },
            below,
            |_| true,
            by_sources,
            |top| {
                let mut details: HashMap<Service, Details> = HashMap::new();
                for (service, row) in self.ask_services(&self.now, top, &[], &self.present, false)? {
                    let rate = row.rate.map(|rate| Rate { mean: rate, median: rate });
                    details.insert(service, Details { sources: row.sources, rate });
                }
                if self.present.len() > 1 {
                    let mut rates: HashMap<Service, HashMap<String, f64>> = HashMap::new();
                    for (service, row) in
                        self.ask_services(&self.now, top, &[Dimension::Sensor], &self.present, true)?
                    {
                        if let (Some(sensor), Some(rate)) = (row.sensor, row.rate) {
                            rates.entry(service).or_default().insert(sensor, rate);
                        }
                    }
                    for (service, details) in &mut details {
                        details.rate = self.rate_of(rates.get(service), Some(*service));
                    }
                }
                Ok(details)
            },
        )
    }

    pub fn regions(
        &self,
        counts: &DailyCounts<Region>,
        panel: &DailyCounts<Region>,
    ) -> Result<Ranks<Region>, GatherError> {
        let of = |region: Region| sum_of(counts.days(&region), &self.now);
        let below = Below {
            unattributed: of(Region::UNATTRIBUTED),
            unknown: of(Region::UNKNOWN),
            non_routable: of(Region::NON_ROUTABLE),
            other: of(Region::OTHER) + sum(&counts.other, &self.now),
        };
        let by_sources = |days: &Range<usize>| {
            let rows = self.by_sources(days, &[Dimension::Region])?.into_iter();
            Ok(rows.filter_map(|row| Some((row.row.region?, row.sources?))).collect())
        };
        let frozen = self.request.frozen.map(|frozen| &frozen.regions);
        self.ranks(&Counted { counts, panel, frozen }, below, Region::is_ranked, by_sources, |top| {
            let filter = || Some(region_filter(top));
            let mut details: HashMap<Region, Details> = HashMap::new();
            for row in self.ask(&self.now, &[Dimension::Region], filter(), &self.present, false)?.rows {
                let rate = row.rate.map(|rate| Rate { mean: rate, median: rate });
                if let Some(region) = row.row.region {
                    details.insert(region, Details { sources: row.sources, rate });
                }
            }
            if self.present.len() > 1 {
                let by = [Dimension::Region, Dimension::Sensor];
                let mut rates: HashMap<Region, HashMap<String, f64>> = HashMap::new();
                for row in self.ask(&self.now, &by, filter(), &self.present, true)?.rows {
                    if let (Some(region), Some(sensor), Some(rate)) = (row.row.region, row.sensor, row.rate) {
                        rates.entry(region).or_default().insert(sensor, rate);
                    }
                }
                for (region, details) in &mut details {
                    details.rate = self.rate_of(rates.get(region), None);
                }
            }
            Ok(details)
        })
    }

    /// The first by unique sources, and how many each has.
    fn by_sources(&self, days: &Range<usize>, by: &[Dimension]) -> Result<Vec<Measured>, GatherError> {
        let (from, to) = self.bounds(days);
        let query = Query {
            from,
            to,
            by: by.to_vec(),
            filter: self.names(&self.everyone()),
            class: Some(crate::model::Class::Scan),
            // Groups of regions that are not ranked may be among the first.
            top: Some(self.depth() + 4),
            rank: Rank::Sources,
            ..Query::default()
        };
        Ok(self.reader.query(&query)?.rows)
    }

    /// Mean and median of the rates of the sensors to which a service is not filtered. `None` if one is not known.
    fn rate_of(&self, rates: Option<&HashMap<String, f64>>, service: Option<Service>) -> Option<Rate> {
        let watches = self.present.iter().map(|&place| &self.panel.sensors[place]);
        let mut all = watches
            .filter(|watch| !service.is_some_and(|service| watch.filtered.contains(&service)))
            .map(|watch| {
                watch.addresses?;
                Some(rates.and_then(|rates| rates.get(&watch.name)).copied().unwrap_or(0.0))
            })
            .collect::<Option<Vec<f64>>>()?;
        all.sort_unstable_by(f64::total_cmp);
        let middle = all.len().checked_sub(1)? / 2;
        let median = f64::midpoint(all[middle], all[all.len() / 2]);
        Some(Rate { mean: all.iter().sum::<f64>() / all.len() as f64, median })
    }

    fn ranks<S: Copy + Ord + Hash>(
        &self,
        counted: &Counted<'_, S>,
        below: Below,
        is_ranked: impl Fn(S) -> bool,
        by_sources: impl Fn(&Range<usize>) -> Result<Vec<(S, u64)>, GatherError>,
        details: impl Fn(&[S]) -> Result<HashMap<S, Details>, GatherError>,
    ) -> Result<Ranks<S>, GatherError> {
        let &Counted { counts, panel, frozen } = counted;
        let sums = |counts: &DailyCounts<S>, days: &Range<usize>| -> HashMap<S, u64> {
            let ranked = counts.iter().filter(|&(key, _)| is_ranked(key));
            let sums = ranked.map(|(key, packets)| (key, sum_of(packets, days)));
            sums.filter(|&(_, packets)| packets > 0).collect()
        };
        let packets = sums(counts, &self.now);
        let packets_before = sums(counts, &self.before);
        let order = |values: &HashMap<S, u64>| {
            let mut order: Vec<(S, u64)> = values.iter().map(|(&subject, &value)| (subject, value)).collect();
            order.sort_unstable_by_key(|&(subject, value)| (Reverse(value), subject));
            order
        };
        let places = |days: &Range<usize>, packets: &HashMap<S, u64>| match self.request.rank_by {
            RankBy::Packets => Ok(order(packets)),
            RankBy::Sources => {
                let ranked = by_sources(days)?.into_iter().filter(|&(subject, _)| is_ranked(subject));
                Ok::<_, GatherError>(order(&ranked.collect()))
            }
        };
        let (mut now, before) = (places(&self.now, &packets)?, places(&self.before, &packets_before)?);
        let ranks = |order: &[(S, u64)]| {
            rank::competition(&order.iter().map(|&(_, value)| value).collect::<Vec<_>>())
        };
        let ranks_before = ranks(&before);
        let before: HashMap<S, (u32, u64)> = before
            .iter()
            .zip(ranks_before)
            .map(|(&(subject, _), rank)| {
                (subject, (rank, packets_before.get(&subject).copied().unwrap_or(0)))
            })
            .collect();
        let population = match self.request.rank_by {
            RankBy::Packets => packets.values().sum(),
            RankBy::Sources => {
                self.ask(&self.now, &[], None, &self.everyone(), false)?.summary.sources.unwrap_or(0)
            }
        };
        let ranked = match self.request.rank_by {
            RankBy::Packets => now.len(),
            RankBy::Sources => packets.len(),
        } as u64;
        now.truncate(self.depth());
        let top: Vec<S> = now.iter().map(|&(subject, _)| subject).collect();
        let details = details(&top)?;
        let rows = now.iter().zip(ranks(&now)).map(|(&(subject, value), rank)| {
            let Details { sources, rate } = details.get(&subject).copied().unwrap_or_default();
            let of_panel = |days| sum_of(panel.days(&subject), days);
            let packets_then = || packets_before.get(&subject).copied().unwrap_or(0);
            Ranked {
                rank,
                close: false,
                subject,
                packets: packets.get(&subject).copied().unwrap_or(0),
                sources,
                share: if population == 0 { 0.0 } else { value as f64 / population as f64 },
                rate,
                change: self.change(of_panel(&self.now), of_panel(&self.before)),
                previous: match frozen {
                    Some(frozen) => {
                        let row = frozen.rows.iter().find(|row| row.subject == subject);
                        let packets = row.map_or_else(packets_then, |row| row.packets);
                        let known = self.depth().min(frozen.rows.len());
                        PreviousRank::of(Some(packets), row.map(|row| row.rank), known as u32, true)
                    }
                    None => PreviousRank::of(
                        Some(packets_then()),
                        before.get(&subject).map(|&(rank, _)| rank),
                        self.depth() as u32,
                        self.was_observed(),
                    ),
                },
            }
        });
        let rows = rows.collect();
        Ok(Ranks {
            table: Ranking { rows, below, population, ranked, withheld: Vec::new() },
            sums: packets,
            before,
        })
    }

    /// Marks the rows that the days which count do not tell apart from the row above.
    pub fn mark_close<S: Copy + Ord>(&self, ranking: &mut Ranking<S>, counts: &DailyCounts<S>) {
        let mut last: Option<Vec<Option<f64>>> = None;
        for row in &mut ranking.rows {
            let days = self.dense(counts, &row.subject);
            let valid = |day| self.panel.counts(&self.present, day).then(|| days[day] as f64);
            let valid: Vec<Option<f64>> = self.now.clone().map(valid).collect();
            row.close = last.is_some_and(|last| rank::close(&last, &valid));
            last = Some(valid);
        }
    }

    /// Change on the period before; `None` if nobody who watched in both can tell.
    fn change(&self, now: u64, before: u64) -> Option<Change> {
        (self.was_observed() && !self.compared.is_empty()).then(|| Change {
            packets: now as i64 - before as i64,
            relative: (before > 0).then(|| (now as f64 - before as f64) / before as f64),
        })
    }

    pub fn totals(
        &self,
        regions: &DailyCounts<Region>,
        panel: &DailyCounts<Region>,
    ) -> Result<Totals, GatherError> {
        let all = |counts: &DailyCounts<Region>, days: &Range<usize>| -> u64 {
            let rows: u64 = counts.iter().map(|(_, packets)| sum_of(packets, days)).sum();
            rows + sum(&counts.other, days)
        };
        let answer = self.ask(&self.now, &[Dimension::Sensor], None, &self.everyone(), false)?;
        let rates: HashMap<String, f64> =
            answer.rows.into_iter().filter_map(|row| Some((row.sensor?, row.rate?))).collect();
        let change = self.change(all(panel, &self.now), all(panel, &self.before));
        Ok(Totals {
            packets: all(regions, &self.now),
            sources: answer.summary.sources,
            rate: self.rate_of(Some(&rates), None),
            previous_packets: change.map(|_| all(panel, &self.before)),
            change,
        })
    }

    pub fn port_trend(
        &self,
        table: &Ranking<Service>,
        findings: &[Finding],
    ) -> Result<Trend<Service>, GatherError> {
        let mut subjects: Vec<Service> = table.rows.iter().map(|row| row.subject).collect();
        for finding in findings {
            let service = match &finding.what {
                What::Surge(surge) if surge.subject.region.is_none() => surge.subject.service,
                What::Newcomer(newcomer) => Some(newcomer.service),
                _ => None,
            };
            subjects.extend(service.filter(|service| !subjects.contains(service)));
        }
        let rows = self.ask_services(&self.now, &subjects, &[Dimension::Time], &self.present, true)?;
        Ok(self.trend(&subjects, rows))
    }

    pub fn region_trend(
        &self,
        table: &Ranking<Region>,
        findings: &[Finding],
    ) -> Result<Trend<Region>, GatherError> {
        let mut subjects: Vec<Region> = table.rows.iter().map(|row| row.subject).collect();
        for finding in findings {
            let region = match &finding.what {
                What::Surge(surge) if surge.subject.service.is_none() => surge.subject.region,
                What::Silence(silence) => Some(silence.region),
                _ => None,
            };
            subjects.extend(region.filter(|region| !subjects.contains(region)));
        }
        let by = [Dimension::Time, Dimension::Region];
        let answer = self.ask(&self.now, &by, Some(region_filter(&subjects)), &self.present, true)?;
        let rows = answer.rows.into_iter().filter_map(|row| Some((row.row.region?, row)));
        Ok(self.trend(&subjects, rows.collect()))
    }

    fn trend<S: Copy + Eq + Hash>(&self, subjects: &[S], rows: Vec<(S, Measured)>) -> Trend<S> {
        let is_rate = self.addresses().is_some();
        let mut values: HashMap<(S, usize), f64> = HashMap::new();
        for (subject, row) in rows {
            let start = row.row.time.map(|ns| ns.div_euclid(1_000_000_000));
            let value = if is_rate { row.rate } else { Some(row.packets as f64) };
            if let (Some(day), Some(value)) = (start.and_then(|start| self.panel.day_at(start)), value) {
                *values.entry((subject, day)).or_default() += value;
            }
        }
        let value = |subject, day| {
            let counts = self.panel.counts(&self.present, day);
            counts.then(|| values.get(&(subject, day)).copied().unwrap_or(0.0))
        };
        let line = |&subject: &S| TrendLine {
            subject,
            values: self.now.clone().map(|day| value(subject, day)).collect(),
        };
        Trend { first: self.date(self.now.start), is_rate, series: subjects.iter().map(line).collect() }
    }

    /// The first services of each group and each sensor. `sums`: of the period.
    pub fn parts(&self, sums: &[(Service, SensorRow, u64)]) -> Result<Vec<Part>, GatherError> {
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &place in &self.present {
            if let Some(group) = &self.panel.sensors[place].group {
                groups.entry(group).or_default().push(place);
            }
        }
        let groups = groups.into_iter().map(|(name, places)| (name, true, places));
        let sensors =
            self.present.iter().map(|&place| (self.panel.sensors[place].name.as_str(), false, vec![place]));
        groups
            .chain(sensors)
            .map(|(name, is_group, places)| self.part(name, is_group, &places, sums))
            .collect()
    }

    fn part(
        &self,
        name: &str,
        is_group: bool,
        places: &[usize],
        sums: &[(Service, SensorRow, u64)],
    ) -> Result<Part, GatherError> {
        let rows = self.rows(places);
        let mut of_part: HashMap<Service, u64> = HashMap::new();
        for &(service, _, packets) in sums.iter().filter(|(_, sensor, _)| rows.contains(&sensor.0)) {
            *of_part.entry(service).or_default() += packets;
        }
        let mut sums: Vec<(u64, Service)> =
            of_part.into_iter().map(|(service, packets)| (packets, service)).collect();
        sums.sort_unstable_by_key(|&(packets, service)| (Reverse(packets), service));
        let all: u64 = sums.iter().map(|(packets, _)| packets).sum();
        let ranks = rank::competition(&sums.iter().map(|&(packets, _)| packets).collect::<Vec<_>>());
        let top: Vec<Service> = sums.iter().take(PART_ROWS).map(|&(_, service)| service).collect();
        let sources: HashMap<Service, Option<u64>> = self
            .ask_services(&self.now, &top, &[], places, false)?
            .into_iter()
            .map(|(service, row)| (service, row.sources))
            .collect();
        let rows = sums.iter().zip(ranks).take(PART_ROWS).map(|(&(packets, service), rank)| PartRow {
            rank,
            service,
            packets,
            share: packets as f64 / all as f64,
            sources: sources.get(&service).copied().flatten(),
        });
        let ports = rows.collect();
        let rate = self.ask(&self.now, &[], None, places, true)?.rows.first().and_then(|row| row.rate);
        let sensors = places.len() as u32;
        Ok(Part { name: name.to_owned(), is_group, sensors, packets: all, rate, ports, withheld: Vec::new() })
    }

    /// What the frozen report of the period before said otherwise than the store does now.
    pub fn corrections(&self, ports: &Ranks<Service>, regions: &Ranks<Region>) -> Vec<Correction> {
        let Some(frozen) = self.request.frozen else { return Vec::new() };
        let period = frozen.period.text.clone();
        let correct = |subject, rank: u32, packets: u64, now: Option<&(u32, u64)>| {
            let (rank_now, packets_now) = now.map_or((None, 0), |&(rank, packets)| (Some(rank), packets));
            let is_same = rank_now == Some(rank) && packets_now == packets;
            (!is_same).then(|| Correction {
                period: period.clone(),
                subject,
                frozen_rank: Some(rank),
                rank: rank_now,
                frozen_packets: Some(packets),
                packets: packets_now,
            })
        };
        let of_ports = frozen.ports.rows.iter().filter_map(|row| {
            let subject = Subject { service: Some(row.subject), region: None };
            correct(subject, row.rank, row.packets, ports.before.get(&row.subject))
        });
        let of_regions = frozen.regions.rows.iter().filter_map(|row| {
            let subject = Subject { service: None, region: Some(row.subject) };
            correct(subject, row.rank, row.packets, regions.before.get(&row.subject))
        });
        of_ports.chain(of_regions).collect()
    }
}
