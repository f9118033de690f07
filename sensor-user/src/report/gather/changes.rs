//! Findings: surges and falls of services, regions and both, told once each; newcomers.

use std::{collections::BTreeSet, ops::Range};

use super::{
    Days, GatherError, Gathering,
    panel::{Scale, Scales},
    ranking::Ranks,
    rest::share,
    silences::Silent,
    sum, sum_of,
};
use crate::{
    analysis::{
        attribution, newcomer,
        surge::{self, Direction, End, Found, Verdict},
    },
    model::{Dimension, Filter, Literal, Region, Service},
    report::model::{
        Contribution, Finding, Levels, Newcomer, Ranking, Subject, Surge, Tested, Tool, What, Width,
    },
    store::query::{DailyCounts, Key, PrefixesOf, Told},
};

/// Regions whose services are tested one by one, beside the home region.
const PAIR_REGIONS: usize = 10;
/// A change is explained by another that makes at least this part of it.
const EXPLAINED: f64 = 0.5;
/// Changes that are looked into. What is beyond is smaller than all of them.
const MOST: usize = 40;
/// Least part of the packets since the onset for a tool to be told.
const TOOL: f64 = 0.1;
/// Weight of what few sensors saw, against the others'.
const LOCAL: f64 = 1e-6;

/// Services of a region's change that are told by name, at most.
const MOST_SERVICES: usize = 100;

/// Packets by the sensor's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct OfSensor(i64);

impl Key for OfSensor {
    const BY_SENSOR: bool = true;

    fn of(told: &Told) -> Option<Self> {
        told.sensor.map(Self)
    }
}

/// A change that was found, and not told yet.
#[derive(Clone, Debug)]
struct Draft {
    subject: Subject,
    found: Found,
    /// Packets more, or fewer, than before, over its days in the period.
    excess: f64,
}

impl Draft {
    fn overlaps(&self, other: &Self) -> bool {
        self.found.direction == other.found.direction
            && self.found.onset <= other.found.last
            && other.found.onset <= self.found.last
    }
}

impl Gathering<'_> {
    pub fn findings(
        &self,
        days: &Days,
        silent: Silent,
        ports: &Ranks<Service>,
        ranking: &Ranking<Region>,
    ) -> Result<(Vec<Finding>, Tested), GatherError> {
        let mut tested = silent.tested;
        let mut findings = silent.findings;

        let Days { services, regions } = days;
        let scales = self.panel.scales(&self.tested);
        let (mut drafts, ports_tested) =
            self.changes(&scales, services, |&service| Some(of_service(service)));
        let of_region =
            |&region: &Region| region.is_ranked().then_some(Subject { service: None, region: Some(region) });
        let (of_region, regions_tested) = self.changes(&scales, regions, of_region);

        let mut paired: BTreeSet<Region> =
            ranking.rows.iter().take(PAIR_REGIONS).map(|row| row.subject).chain(self.request.home).collect();
        let tested_pairs = paired.clone();
        paired.extend(of_region.iter().filter_map(|draft| draft.subject.region));
        paired.extend(silent.regions.iter().map(|(region, _)| *region));
        // An empty list would be all regions; without a database there is only this one.
        paired.insert(Region::UNKNOWN);
        let paired: Vec<Region> = paired.into_iter().collect();
        let counts: DailyCounts<(Region, Service)> = self.daily(&self.tested, &[], &paired)?;
        let of_pair = |&(region, service): &(Region, Service)| {
            let subject = Subject { service: Some(service), region: Some(region) };
            tested_pairs.contains(&region).then_some(subject)
        };
        let (of_pairs, pairs_tested) = self.changes(&scales, &counts, of_pair);
        drafts.extend(of_region);
        drafts.extend(of_pairs);
        tested.ports = ports_tested;
        tested.regions = regions_tested;
        tested.pairs = pairs_tested;
        tested.no_history = ports_tested == 0 && regions_tested == 0 && !services.is_empty();

        drafts.sort_by(|a, b| b.excess.total_cmp(&a.excess).then_with(|| a.subject.cmp(&b.subject)));
        let drafts = self.told_once(drafts, &scales, &counts, &silent.regions);
        let all: f64 = ports.sums.values().sum::<u64>().max(1) as f64;
        let newcomers = self.newcomers(services, ports)?;
        for draft in drafts.into_iter().take(MOST) {
            let mut told = self.surge(&draft, &scales)?;
            told.newcomer = newcomers.iter().any(|newcomer| told.subject == of_service(newcomer.service));
            let weight = draft.excess / all * if told.sensor_local { LOCAL } else { 1.0 };
            findings.push(Finding { id: surge_id(&told), weight, what: What::Surge(Box::new(told)) });
        }
        for newcomer in newcomers {
            let is_told = findings.iter().any(|finding| match &finding.what {
                What::Surge(surge) => surge.newcomer && surge.subject == of_service(newcomer.service),
                _ => false,
            });
            if !is_told {
                findings.push(Finding {
                    id: format!("newcomer-{}-{}", id_of(newcomer.service), newcomer.first),
                    weight: newcomer.packets as f64 / all,
                    what: What::Newcomer(newcomer),
                });
            }
        }
        findings.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.id.cmp(&b.id)));
        Ok((findings, tested))
    }

    /// What changed, and how many were tested. `subject`: of which packets a key is; `None` if they are not tested.
    fn changes<K: Copy + Ord>(
        &self,
        scales: &Scales,
        counts: &DailyCounts<K>,
        subject: impl Fn(&K) -> Option<Subject>,
    ) -> (Vec<Draft>, u32) {
        let parameters = &self.request.parameters.surge;
        let (from, all) = (self.now.start, self.panel.days.len());
        let series = counts.iter().filter_map(|(key, days)| {
            let scale = scales.of(subject(&key)?.service);
            let valid = [0..from, from..all].map(|days| scale.counted(&days));
            let days = days.filter_map(|(day, packets)| Some((day, scale.whole(day, packets)?)));
            Some((key, surge::Sparse { valid, days }))
        });
        let mut drafts = Vec::new();
        let mut tested = 0;
        for key in surge::candidates(series, from, parameters) {
            let Some(subject) = subject(&key) else { continue };
            let days = scales.of(subject.service).days(&self.dense(counts, &key));
            let Verdict::Tested(found) = surge::find(&days, from, parameters) else { continue };
            tested += 1;
            drafts.extend(found.into_iter().map(|found| {
                let within = self.within(&found).len() as f64;
                let excess = (found.since - found.before).abs() * within;
                Draft { subject, found, excess }
            }));
        }
        (drafts, tested)
    }

    /// Its days in the period.
    fn within(&self, found: &Found) -> Range<usize> {
        // A new level goes on.
        let end = if found.end == End::NewLevel { self.now.end } else { (found.last + 1).min(self.now.end) };
        found.onset.max(self.now.start)..end
    }

    /// Days before a change that it is compared with.
    fn baseline(&self, found: &Found) -> Range<usize> {
        found.onset.saturating_sub(self.request.parameters.surge.baseline)..found.onset
    }

    /// Leaves out what another change explains: what is told of a service is not told again of a region, and of both
    /// only where neither is told.
    fn told_once(
        &self,
        drafts: Vec<Draft>,
        scales: &Scales,
        pairs: &DailyCounts<(Region, Service)>,
        silent: &[(Region, Range<usize>)],
    ) -> Vec<Draft> {
        let joint = |region, service, found: &Found| self.joint(scales, pairs, (region, service), found);
        let is_explained = |draft: &Draft| {
            let Subject { service, region } = draft.subject;
            let by_silence = draft.found.direction == Direction::Fall
                && silent.iter().any(|(silent, days)| {
                    let meets = draft.found.onset < days.end + 1 && days.start <= draft.found.last + 1;
                    let makes = || match (service, region) {
                        (_, Some(region)) => region == *silent,
                        (Some(service), None) => {
                            joint(*silent, service, &draft.found) >= EXPLAINED * draft.excess
                        }
                        (None, None) => false,
                    };
                    meets && makes()
                });
            by_silence
                || drafts.iter().filter(|other| other.overlaps(draft)).any(|other| {
                    match (service, region, other.subject) {
                        // Both: one of them is told.
                        (Some(service), Some(region), Subject { service: of, region: from }) => {
                            (of == Some(service) && from.is_none()) || (from == Some(region) && of.is_none())
                        }
                        (None, Some(region), Subject { service: Some(service), region: None }) => {
                            joint(region, service, &draft.found) >= EXPLAINED * draft.excess
                        }
                        // A region explains a service only if the service does not explain the region.
                        (Some(service), None, Subject { service: None, region: Some(region) }) => {
                            joint(region, service, &draft.found) >= EXPLAINED * draft.excess
                                && joint(region, service, &other.found) < EXPLAINED * other.excess
                        }
                        _ => false,
                    }
                })
        };
        let explained: Vec<bool> = drafts.iter().map(is_explained).collect();
        drafts
            .into_iter()
            .zip(explained)
            .filter(|(_, explained)| !explained)
            .map(|(draft, _)| draft)
            .collect()
    }

    /// How many packets more, or fewer, a region sent to a service over the days of a change.
    fn joint(
        &self,
        scales: &Scales,
        pairs: &DailyCounts<(Region, Service)>,
        pair: (Region, Service),
        found: &Found,
    ) -> f64 {
        let scale = scales.of(Some(pair.1));
        let (baseline, within) = (self.baseline(found), self.within(found));
        let [before, since] = [&baseline, &within].map(|days| scale.mean(pairs.days(&pair), days));
        let change = match found.direction {
            Direction::Rise => since - before,
            Direction::Fall => before - since,
        };
        change * within.len() as f64
    }

    /// All that is told of a change.
    fn surge(&self, draft: &Draft, scales: &Scales) -> Result<Surge, GatherError> {
        let Draft { subject, found, .. } = draft;
        let (before, since) = (self.baseline(found), self.within(found));
        let services: Vec<Service> = subject.service.into_iter().collect();
        let regions: Vec<Region> = subject.region.into_iter().collect();

        let mut of_regions = Vec::new();
        if regions.is_empty() {
            let counts: DailyCounts<Region> = self.daily(&self.tested, &services, &regions)?;
            of_regions =
                self.contributions(&counts, found, scales.of(subject.service), |region| region.is_ranked());
        }
        let mut of_services = Vec::new();
        if services.is_empty() {
            let counts: DailyCounts<Service> = self.daily(&self.tested, &services, &regions)?;
            of_services = self.contributions(&counts, found, scales.of(None), |_| true);
            of_services.truncate(MOST_SERVICES);
        }
        let (effective, sensors, sensor_local) = self.concentration(subject, found)?;

        let filter = filter(*subject);
        let by_day =
            self.ask(&(before.start..since.end), &[Dimension::Time], filter.clone(), &self.tested, false)?;
        let mut sources = vec![None; self.panel.days.len()];
        let mut packets = vec![0; self.panel.days.len()];
        for (day, sources) in sources.iter_mut().enumerate().take(since.end).skip(before.start) {
            *sources = self.panel.counts(&self.tested, day).then_some(0.0);
        }
        for row in by_day.rows {
            let start = row.row.time.map(|ns| ns.div_euclid(1_000_000_000));
            let Some(day) = start.and_then(|start| self.panel.day_at(start)) else { continue };
            packets[day] = row.packets;
            if let Some(value) = &mut sources[day] {
                *value = row.sources.unwrap_or(0) as f64;
            }
        }
        let sources_levels = levels(&sources, &before, &since);
        let prefixes = self.prefixes(subject, found)?;
        let parameters = &self.request.parameters.surge;
        let width = match prefixes {
            Some(prefixes) if prefixes <= parameters.narrow => Width::Narrow { prefixes },
            _ if found.direction == Direction::Rise
                && sources_levels.since >= parameters.day_ratio * sources_levels.before
                && sources_levels.since > 0.0 =>
            {
                Width::Wide
            }
            _ => Width::Undetermined,
        };
        // No cube has a service, a region and a tool.
        let mut tools = Vec::new();
        if services.is_empty() || regions.is_empty() {
            let answer = self.ask(&since, &[Dimension::Tool], filter, &self.tested, false)?;
            let all = answer.summary.packets;
            let shares = answer.rows.iter().filter_map(|row| share(row, all));
            tools.extend(shares.filter(|share| share.tool != Tool::None && share.share >= TOOL));
        }
        Ok(Surge {
            subject: *subject,
            direction: found.direction,
            onset: self.date(found.onset),
            found: self.date(found.found),
            last: self.date(found.last.min(self.now.end.saturating_sub(1))),
            end: found.end,
            before: found.before,
            since: found.since,
            peak: self.date(found.peak),
            peak_packets: packets.get(found.peak).copied().unwrap_or(0) as f64,
            z: found.z,
            phi: found.phi,
            packets: sum(&packets, &since),
            home: of_regions.iter().find(|row| Some(row.subject) == self.request.home).copied(),
            regions: of_regions,
            services: of_services,
            sources: Some(sources_levels),
            width,
            effective_sensors: effective,
            sensors,
            sensor_local,
            tools,
            newcomer: false,
        })
    }

    /// How many sensors saw a change, in effect; of how many; and whether it is a matter of few of them.
    fn concentration(
        &self,
        subject: &Subject,
        found: &Found,
    ) -> Result<(Option<f64>, u32, bool), GatherError> {
        let up = self.tested.len();
        if up < attribution::LEAST_SENSORS {
            return Ok((None, up as u32, false));
        }
        let services: Vec<Service> = subject.service.into_iter().collect();
        let regions: Vec<Region> = subject.region.into_iter().collect();
        let counts: DailyCounts<OfSensor> = self.daily(&self.tested, &services, &regions)?;
        let (before, since) = (self.baseline(found), self.within(found));
        let changes: Vec<f64> = self
            .tested
            .iter()
            .map(|&place| {
                let mut days = vec![0; self.panel.days.len()];
                for &row in &self.panel.sensors[place].rows {
                    let of_row = self.dense(&counts, &OfSensor(row));
                    days.iter_mut().zip(of_row).for_each(|(day, packets)| *day += packets);
                }
                let days = self.panel.scale(&[place], subject.service).days(&days);
                let levels = levels(&days, &before, &since);
                match found.direction {
                    Direction::Rise => levels.since - levels.before,
                    Direction::Fall => levels.before - levels.since,
                }
            })
            .collect();
        let effective = attribution::effective(&changes);
        Ok((Some(effective), up as u32, attribution::is_local(effective, up).unwrap_or(false)))
    }

    /// How few prefixes make half of a rise; `None` where that cannot be told.
    fn prefixes(&self, subject: &Subject, found: &Found) -> Result<Option<u32>, GatherError> {
        if found.direction == Direction::Fall || !self.request.sensors.is_empty() {
            return Ok(None);
        }
        let of = PrefixesOf { service: subject.service, region: subject.region };
        let (before, since) = (self.bounds(&self.baseline(found)), self.bounds(&self.within(found)));
        let changes = self.reader.prefix_changes(of, before, since)?;
        let (days_before, days_since) = (changes.days_before.max(1), changes.days_since.max(1));
        let changes: Vec<f64> = changes
            .prefixes
            .iter()
            .map(|change| {
                change.since as f64 / f64::from(days_since) - change.before as f64 / f64::from(days_before)
            })
            .collect();
        // Prefixes beyond the lists make more of them necessary, never fewer.
        let whole = (found.since - found.before).max(0.0);
        Ok(attribution::half(&changes, whole).and_then(|prefixes| u32::try_from(prefixes).ok()))
    }

    /// Services that were nowhere and are among the first.
    fn newcomers(
        &self,
        counts: &DailyCounts<Service>,
        ports: &Ranks<Service>,
    ) -> Result<Vec<Newcomer>, GatherError> {
        let parameters = &self.request.parameters.newcomer;
        let mut newcomers = Vec::new();
        if !self.was_observed() {
            return Ok(newcomers);
        }
        for row in &ports.table.rows {
            let before = ports.before.get(&row.subject).map(|&(rank, _)| rank);
            if row.rank > parameters.now || before.is_some_and(|rank| rank <= parameters.before) {
                continue;
            }
            let days = self.dense(counts, &row.subject);
            let seen: Vec<usize> = self.now.clone().filter(|&day| days[day] > 0).collect();
            let of_sensors =
                self.ask_services(&self.now, &[row.subject], &[Dimension::Sensor], &self.present, true)?;
            let seen_by = of_sensors.iter().filter(|(_, row)| row.packets > 0).count() as u32;
            let candidate = newcomer::Seen {
                rank: row.rank,
                previous: before,
                sources: row.sources.unwrap_or(0),
                days: seen.len() as u32,
                seen_by,
                sensors: self.present.len() as u32,
            };
            let Some(&first) = seen.first().filter(|_| newcomer::is(&candidate, parameters)) else {
                continue;
            };
            newcomers.push(Newcomer {
                service: row.subject,
                rank: row.rank,
                packets: row.packets,
                sources: candidate.sources,
                days: candidate.days,
                first: self.date(first),
                seen_by,
                sensors: candidate.sensors,
            });
        }
        Ok(newcomers)
    }

    /// Who makes a change, by packets since its onset.
    fn contributions<K: Copy + Ord>(
        &self,
        counts: &DailyCounts<K>,
        found: &Found,
        scale: &Scale,
        is_wanted: impl Fn(K) -> bool,
    ) -> Vec<Contribution<K>> {
        let (before, since) = (self.baseline(found), self.within(found));
        let all = counts.iter().filter(|&(key, _)| is_wanted(key)).map(|(key, packets)| {
            let [before, since] = [&before, &since].map(|days| scale.mean(packets.clone(), days));
            (key, before, since)
        });
        let all = all.filter(|&(_, before, since)| before > 0.0 || since > 0.0);
        attribution::contributors(all, found.direction == Direction::Fall)
            .into_iter()
            .map(|one| Contribution {
                rank: one.rank,
                subject: one.key,
                packets: sum_of(counts.days(&one.key), &since),
                share: one.share,
                of_change: one.of_change,
            })
            .collect()
    }
}

/// Means of the days that count.
fn levels(days: &[Option<f64>], before: &Range<usize>, since: &Range<usize>) -> Levels {
    let mean = |range: &Range<usize>| {
        let valid: Vec<f64> = days.get(range.clone()).into_iter().flatten().copied().flatten().collect();
        if valid.is_empty() { 0.0 } else { valid.iter().sum::<f64>() / valid.len() as f64 }
    };
    Levels { before: mean(before), since: mean(since) }
}

fn of_service(service: Service) -> Subject {
    Subject { service: Some(service), region: None }
}

/// Packets of a subject.
fn filter(subject: Subject) -> Option<Filter> {
    let service = subject.service.map(|service| super::services_filter(&[service]));
    let region = subject.region.map(|region| Filter::is(Dimension::Region, Literal::Region(region)));
    service.into_iter().chain(region).reduce(Filter::and)
}

fn id_of(service: Service) -> String {
    service.to_string().replace('/', "-")
}

/// Stays the same from run to run: direction, subject, first day.
fn surge_id(surge: &Surge) -> String {
    let direction = match surge.direction {
        Direction::Rise => "rise",
        Direction::Fall => "fall",
    };
    let service = surge.subject.service.map(id_of);
    let region = surge.subject.region.map(|region| region.to_string());
    let subject = service.into_iter().chain(region).collect::<Vec<_>>().join("-");
    format!("{direction}-{subject}-{}", surge.onset)
}
