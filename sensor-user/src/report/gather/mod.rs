//! From a store to a report: what to ask, in which order.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `panel` | who watched on which day |
//! | `ranking` | rankings, trends, parts |
//! | `changes` | findings: what is tested, and told of what |
//! | `silences` | regions that fell silent, blind stretches |
//! | `rest` | tools, survey scanners, backscatter |
//! | `quality` | how complete the data are |

mod changes;
mod panel;
mod quality;
mod ranking;
mod rest;
mod silences;

use std::{collections::BTreeMap, ops::Range, thread};

use jiff::civil::Date;
use sensor_common::kind::Kind;

use self::{panel::Panel, ranking::Ranks, silences::Silent};
use super::{
    advisories::Advisory,
    model::{
        AdvisoryMatch, AdvisoryService, Backscatter, Finding, LEAST_RANKED, Parameters, Part, Profile,
        RankBy, Ranked, Report, SCHEMA, Stretch, Surveys, Tools, Totals, What,
    },
    scanners::Scanner,
};
use crate::{
    model::{
        Class, Comparison, Dimension, Filter, Literal, Period, Protocol, Region, Role, Row, Service, Slot,
        Test, Zone,
    },
    store::{
        Reader, StoreError,
        query::{Answer, Daily, DailyCounts, Key, Measured, Query, QueryError, SensorRow, Step},
    },
};

/// Days before the period that tests look back at: two baselines, and a surge between them.
const HISTORY: i64 = 63;
const DAY: i64 = 86_400;
/// Dimensions that tell a service.
const SERVICE: [Dimension; 3] = [Dimension::Protocol, Dimension::DstPort, Dimension::IcmpType];

/// What to report.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub period: Period,
    pub top: usize,
    pub home: Option<Region>,
    /// Names of sensors; all of them if there are none.
    pub sensors: &'a [String],
    pub rank_by: RankBy,
    pub parameters: &'a Parameters,
    pub advisories: &'a [Advisory],
    pub scanners: &'a [Scanner],
    /// The frozen report of the period before, if there is one.
    pub frozen: Option<&'a Report>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no sensor `{name}` in the store; there are {}", .known.join(", "))]
    NoSensor { name: String, known: Vec<String> },
}

/// Gathers a report, from one state of the store, with all that is known ([`Profile::Internal`]).
///
/// # Errors
///
/// If a sensor is not known, or the store cannot be read.
pub fn gather(reader: &Reader, request: &Request<'_>) -> Result<Report, GatherError> {
    reader.at_rest(|other| {
        let gathering = Gathering::new(reader, request)?;
        // Silences are found in as much time as most else is counted, and neither needs the other.
        let (silent, counted) = thread::scope(|scope| {
            let counted = scope.spawn(move || Gathering::new(&other, request)?.counted());
            let silent = gathering.silences();
            (silent, counted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        gathering.report(silent?, counted?)
    })
}

/// Packets by day of some sensors.
struct Days {
    services: DailyCounts<Service>,
    regions: DailyCounts<Region>,
}

/// What is told whatever the days are on which the sensors were blind.
struct Counted {
    all: Days,
    /// Of the sensors that tests go by, unless these are all.
    tested: Option<Days>,
    ports: Ranks<Service>,
    regions: Ranks<Region>,
    totals: Totals,
    surveys: Surveys,
    tools: Tools,
    backscatter: Backscatter,
    parts: Vec<Part>,
}

/// The first second and the first one after all that a report of a period looks at.
pub fn reach(period: &Period, zone: &Zone) -> (i64, i64) {
    let before = period.start.saturating_sub(HISTORY * DAY);
    let first = zone.day_of(period.previous(zone).start.min(before)).start;
    (first, zone.day_of(period.end.saturating_sub(1)).end())
}

/// All that the parts of a report need.
struct Gathering<'a> {
    reader: &'a Reader,
    zone: &'a Zone,
    request: &'a Request<'a>,
    previous: Period,
    panel: Panel,
    /// Days of the period and of the one before, among those of the panel.
    now: Range<usize>,
    before: Range<usize>,
    /// Sensors of the period; those that watched the same in the period before; those that tests go by.
    present: Vec<usize>,
    compared: Vec<usize>,
    tested: Vec<usize>,
}

impl<'a> Gathering<'a> {
    fn new(reader: &'a Reader, request: &'a Request<'a>) -> Result<Self, GatherError> {
        let zone = reader.zone();
        let period = request.period;
        let previous = period.previous(zone);
        let (first, _) = reach(&period, zone);
        let days: Vec<Slot> = Period { start: first, ..period }.days(zone).collect();
        let last = days.last().map_or(period.end, |day| day.end());
        let kept = reader.sensors()?;
        for name in request.sensors {
            if !kept.iter().any(|sensor| sensor.name == *name) {
                let mut known: Vec<String> = kept.iter().map(|sensor| sensor.name.clone()).collect();
                known.sort_unstable();
                known.dedup();
                return Err(GatherError::NoSensor { name: name.clone(), known });
            }
        }
        let exposures = reader.exposure(first, last, Step::Day)?;
        let least = request.parameters.period.least_observed;
        let panel = Panel::new(days, kept, &exposures, request.sensors, least);
        let of = |period: &Period| {
            let begin = panel.days.partition_point(|day| day.end() <= period.start);
            begin..panel.days.partition_point(|day| day.start < period.end)
        };
        let (now, before) = (of(&period), of(&previous));
        let present = panel.present(&now);
        let compared = panel.compared(&before, &now);
        let tested = if compared.is_empty() { present.clone() } else { compared.clone() };
        Ok(Self { reader, zone, request, previous, now, before, present, compared, tested, panel })
    }

    fn counted(&self) -> Result<Counted, GatherError> {
        let days = |sensors: &[usize]| -> Result<Days, GatherError> {
            let (services, regions) = (self.daily(sensors, &[], &[])?, self.daily(sensors, &[], &[])?);
            Ok(Days { services, regions })
        };
        let everyone = self.everyone();
        let all = days(&everyone)?;
        let tested = (self.tested != everyone).then(|| days(&self.tested)).transpose()?;
        let panel = tested.as_ref().unwrap_or(&all);
        let ports = self.services(&all.services, &panel.services)?;
        let regions = self.regions(&all.regions, &panel.regions)?;
        let totals = self.totals(&all.regions, &panel.regions)?;
        let surveys = self.surveys(&ports.sums, &regions.sums, totals.packets)?;
        let tools = self.tools(&ports.table, &regions.table)?;
        let parts = if self.present.len() < 2 { Vec::new() } else { self.parts(&self.of_sensors()?)? };
        let backscatter = self.backscatter()?;
        Ok(Counted { all, tested, ports, regions, totals, surveys, tools, backscatter, parts })
    }

    /// Packets of the period by service and sensor.
    fn of_sensors(&self) -> Result<Vec<(Service, SensorRow, u64)>, GatherError> {
        let rows = self.rows(&self.present);
        let sums = self.reader.sums(&self.asked(&self.now, &self.present, &rows))?;
        let sums = sums.into_iter().map(|((service, sensor), packets)| (service, sensor, packets));
        Ok(sums.filter(|&(.., packets)| packets > 0).collect())
    }

    fn report(mut self, silent: Silent, counted: Counted) -> Result<Report, GatherError> {
        for &day in &silent.blind_days {
            self.panel.set_blind(day);
        }
        let Counted { all, tested, mut ports, mut regions, .. } = counted;
        self.mark_close(&mut ports.table, &all.services);
        self.mark_close(&mut regions.table, &all.regions);
        let (findings, tested) =
            self.findings(tested.as_ref().unwrap_or(&all), silent, &ports, &regions.table)?;
        let Counted { totals, surveys, tools, backscatter, parts, .. } = counted;
        let quality = self.quality()?;
        let corrections = self.corrections(&ports, &regions);
        let port_trend = self.port_trend(&ports.table, &findings)?;
        let region_trend = self.region_trend(&regions.table, &findings)?;
        let advisories = self.advisories(&ports.table.rows, &findings);
        let few_sources = self.few_sources(&ports.table, &parts, &findings, &surveys)?;
        let request = self.request;
        Ok(Report {
            schema: SCHEMA,
            program: format!("teiten {}", env!("CARGO_PKG_VERSION")),
            made: self.zone.rfc3339(request.now),
            frozen: None,
            profile: Profile::Internal,
            rank_by: request.rank_by,
            top: request.top,
            home: request.home,
            time_zone: self.zone.name().to_owned(),
            period: self.stretch(&request.period, &self.now),
            previous: self.stretch(&self.previous, &self.before),
            sensors: self.sensors(),
            addresses: self.addresses(),
            databases: self.databases()?,
            quality,
            totals,
            ports: ports.table,
            regions: regions.table,
            port_trend,
            region_trend,
            parts,
            findings,
            tested,
            tools,
            surveys,
            backscatter,
            advisories,
            corrections,
            parameters: request.parameters.clone(),
            few_sources,
            notes: BTreeMap::new(),
        })
    }

    /// Rows of the store of some sensors.
    fn rows(&self, sensors: &[usize]) -> Vec<i64> {
        sensors.iter().flat_map(|&place| self.panel.sensors[place].rows.iter().copied()).collect()
    }

    /// Whether these are all sensors of the store.
    fn is_all(&self, sensors: &[usize]) -> bool {
        self.request.sensors.is_empty() && sensors.len() == self.panel.sensors.len()
    }

    /// Names of sensors that a question is about; `None`: all of the store.
    fn names(&self, sensors: &[usize]) -> Option<Filter> {
        if self.is_all(sensors) {
            return None;
        }
        let names = sensors.iter().map(|&place| Literal::Sensor(self.panel.sensors[place].name.clone()));
        Some(Filter::Compare(Comparison::new(Dimension::Sensor, Test::In(names.collect()))))
    }

    /// Packets by day of the panel. `sensors`: of these only; `services`, `regions`: unless there are none.
    fn daily<K: Key>(
        &self,
        sensors: &[usize],
        services: &[Service],
        regions: &[Region],
    ) -> Result<DailyCounts<K>, GatherError> {
        let rows = self.rows(sensors);
        Ok(self.reader.daily(&Daily {
            services: (!services.is_empty()).then_some(services),
            regions: (!regions.is_empty()).then_some(regions),
            ..self.asked(&(0..self.panel.days.len()), sensors, &rows)
        })?)
    }

    /// What is asked of the store about some days. `rows`: those of the sensors.
    fn asked<'r>(&self, days: &Range<usize>, sensors: &[usize], rows: &'r [i64]) -> Daily<'r> {
        let (from, to) = self.bounds(days);
        // A day within which the period begins is read as a whole.
        let from = self.panel.days.get(days.start).map_or(from, |day| day.start);
        Daily { from, to, sensors: (!self.is_all(sensors)).then_some(rows), ..Daily::default() }
    }

    fn everyone(&self) -> Vec<usize> {
        (0..self.panel.sensors.len()).collect()
    }

    /// The first second and the first one after some days, within the period if they are its first or last.
    fn bounds(&self, days: &Range<usize>) -> (i64, i64) {
        let period = self.request.period;
        let Some(slots) = self.panel.days.get(days.clone()).filter(|slots| !slots.is_empty()) else {
            return (period.start, period.start + 1);
        };
        let (first, last) = (slots[0].start, slots[slots.len() - 1].end());
        let from = if days.start == self.now.start { period.start } else { first };
        let to = if days.end == self.now.end { period.end } else { last };
        (from, to)
    }

    /// Packets of a key on all days of the panel.
    fn dense<K: Copy + Ord>(&self, counts: &DailyCounts<K>, key: &K) -> Vec<u64> {
        let mut days = vec![0; self.panel.days.len()];
        for (day, packets) in counts.days(key) {
            days[day] += packets;
        }
        days
    }

    /// Asks about packets of class `scan`.
    fn ask(
        &self,
        days: &Range<usize>,
        by: &[Dimension],
        filter: Option<Filter>,
        sensors: &[usize],
        packets_only: bool,
    ) -> Result<Answer, GatherError> {
        let (from, to) = self.bounds(days);
        Ok(self.reader.query(&Query {
            from,
            to,
            by: by.to_vec(),
            filter: [filter, self.names(sensors)].into_iter().flatten().reduce(Filter::and),
            class: Some(Class::Scan),
            packets_only,
            ..Query::default()
        })?)
    }

    /// Asks about some services; rows of others are left out. `by`: further dimensions.
    fn ask_services(
        &self,
        days: &Range<usize>,
        services: &[Service],
        by: &[Dimension],
        sensors: &[usize],
        packets_only: bool,
    ) -> Result<Vec<(Service, Measured)>, GatherError> {
        let mut found = Vec::new();
        let by: Vec<Dimension> = SERVICE.iter().chain(by).copied().collect();
        // Ports and types of ICMP stand in different dimensions, and only one of them helps to find rows.
        for ports in [true, false] {
            let some: Vec<Service> =
                services.iter().copied().filter(|service| service.has_port() == ports).collect();
            if some.is_empty() {
                continue;
            }
            let answer = self.ask(days, &by, Some(services_filter(&some)), sensors, packets_only)?;
            found.extend(
                answer
                    .rows
                    .into_iter()
                    .filter_map(|row| Some((service_of(&row.row)?, row)))
                    .filter(|(service, _)| some.contains(service)),
            );
        }
        Ok(found)
    }

    fn date(&self, day: usize) -> Date {
        let start = self.panel.days.get(day).map_or(self.request.period.start, |day| day.start);
        self.zone.date_of(start)
    }

    fn stretch(&self, period: &Period, days: &Range<usize>) -> Stretch {
        let sensors = if days == &self.now { &self.present } else { &self.panel.present(days) };
        let observed: f64 = days.clone().map(|day| self.panel.observed(sensors, day)).sum();
        Stretch {
            text: period.text(self.zone),
            first: self.zone.date_of(period.start),
            last: self.zone.date_of(period.end.saturating_sub(1)),
            from: self.zone.rfc3339(period.start),
            to: self.zone.rfc3339(period.end),
            days: days.len() as u32,
            days_counted: days.clone().filter(|&day| self.panel.counts(sensors, day)).count() as u32,
            observed: if days.is_empty() { 0.0 } else { observed / days.len() as f64 },
        }
    }

    /// Whether the period before was observed for long enough to say what was not there.
    fn was_observed(&self) -> bool {
        self.stretch(&self.previous, &self.before).observed >= self.request.parameters.period.least_observed
    }

    /// How many ranks are known.
    fn depth(&self) -> usize {
        self.request.top.max(LEAST_RANKED)
    }

    fn addresses(&self) -> Option<u64> {
        let addresses = self.present.iter().map(|&place| self.panel.sensors[place].addresses);
        addresses.sum::<Option<u64>>().filter(|&addresses| addresses > 0)
    }

    fn is_lit_only(&self) -> bool {
        !self.present.is_empty()
            && self.present.iter().all(|&place| self.panel.sensors[place].role == Role::Lit)
    }

    fn advisories(&self, ranked: &[Ranked<Service>], findings: &[Finding]) -> Vec<AdvisoryMatch> {
        let of = |service: Service| AdvisoryService {
            service,
            rank: ranked.iter().find(|row| row.subject == service && row.rank <= 10).map(|row| row.rank),
            findings: findings
                .iter()
                .filter(|finding| match &finding.what {
                    What::Surge(surge) => surge.subject.service == Some(service),
                    What::Newcomer(newcomer) => newcomer.service == service,
                    What::Silence(_) | What::Blind(_) => false,
                })
                .map(|finding| finding.id.clone())
                .collect(),
        };
        let mut matches: Vec<AdvisoryMatch> = self
            .request
            .advisories
            .iter()
            .map(|advisory| AdvisoryMatch {
                id: advisory.id.clone(),
                date: advisory.date,
                title: advisory.title.clone(),
                url: advisory.url.clone(),
                note: advisory.note.clone(),
                services: advisory
                    .ports
                    .iter()
                    .map(|&service| of(service))
                    .filter(|service| service.rank.is_some() || !service.findings.is_empty())
                    .collect(),
            })
            .filter(|found| !found.services.is_empty())
            .collect();
        matches.sort_by(|a, b| b.date.cmp(&a.date).then_with(|| a.title.cmp(&b.title)));
        matches
    }
}

/// The service of a row.
fn service_of(row: &Row) -> Option<Service> {
    let protocol = row.protocol?;
    let number = row.dst_port.or(row.victim_port).or(row.icmp_type.map(u16::from))?;
    Some(Service { protocol, number })
}

/// A condition that packets to these services fulfil, all ports or all types of ICMP; packets to others may as well.
fn services_filter(services: &[Service]) -> Filter {
    let mut protocols: Vec<Protocol> = services.iter().map(|service| service.protocol).collect();
    let mut numbers: Vec<u16> = services.iter().map(|service| service.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    protocols.sort_unstable();
    protocols.dedup();
    let number = match services.iter().all(|service| service.has_port()) {
        true => Dimension::DstPort,
        false => Dimension::IcmpType,
    };
    let protocols = protocols.into_iter().map(Literal::Protocol).collect();
    let numbers = numbers.into_iter().map(|number| Literal::Number(number.into())).collect();
    let within = |dimension, literals| Filter::Compare(Comparison::new(dimension, Test::In(literals)));
    within(Dimension::Protocol, protocols).and(within(number, numbers))
}

fn region_filter(regions: &[Region]) -> Filter {
    let regions = regions.iter().copied().map(Literal::Region).collect();
    Filter::Compare(Comparison::new(Dimension::Region, Test::In(regions)))
}

/// TCP connection requests, which have room for a tool's mark.
fn syn_filter() -> Filter {
    Filter::is(Dimension::Kind, Literal::Kind(Kind::Syn))
}

/// Sums over some days.
fn sum(days: &[u64], range: &Range<usize>) -> u64 {
    days.get(range.clone()).into_iter().flatten().sum()
}

/// Sums over some days, of the days that have any.
fn sum_of(days: impl Iterator<Item = (usize, u64)>, range: &Range<usize>) -> u64 {
    days.filter(|(day, _)| range.contains(day)).map(|(_, packets)| packets).sum()
}
