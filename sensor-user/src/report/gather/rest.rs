//! Tools, survey scanners, backscatter.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    hash::{BuildHasher, Hash},
};

use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use sensor_common::kind::{self, Family, Kind};

use super::{GatherError, Gathering, SERVICE, region_filter, service_of, services_filter, syn_filter};
use crate::{
    analysis::{chance, rank},
    cube::{self, victims},
    model::{Class, Dimension, Filter, Literal, Prefix, Region, Role, Service, has_victim_port},
    report::{
        model::{
            Backscatter, BackscatterRow, DeclaredRow, Finding, Part, Ranking, SurveyRow, Surveys, Tool,
            ToolChance, ToolShare, Tools, ToolsOf, What, WithoutRow,
        },
        scanners::Scanner,
    },
    store::query::{Daily, Measured, Query},
};

/// Rows of lists.
const ROWS: usize = 10;
/// With fewer addresses victims are called sources of backscatter, and not attacks.
const ATTACK_ADDRESSES: u64 = 256;

impl Gathering<'_> {
    /// Tools of connection requests, on the whole and of what is ranked.
    pub fn tools(&self, ports: &Ranking<Service>, regions: &Ranking<Region>) -> Result<Tools, GatherError> {
        let answer = self.ask(&self.now, &[Dimension::Tool], Some(syn_filter()), &self.everyone(), false)?;
        let packets = answer.summary.packets;
        let mut suppressed = 0;
        let rows = shares(&answer.rows, packets, &mut suppressed);

        let services: Vec<Service> = ports.rows.iter().map(|row| row.subject).collect();
        let tcp: Vec<Service> =
            services.into_iter().filter(|service| service.protocol == crate::model::Protocol::Tcp).collect();
        let mut by_port = Vec::new();
        if !tcp.is_empty() {
            let filter = syn_filter().and(services_filter(&tcp));
            let by: Vec<Dimension> = SERVICE.iter().copied().chain([Dimension::Tool]).collect();
            let rows = self.ask(&self.now, &by, Some(filter), &self.everyone(), false)?.rows;
            let rows = rows.into_iter().filter_map(|row| Some((service_of(&row.row)?, row)));
            by_port = tools_of(&tcp, rows, &mut suppressed);
        }
        let top: Vec<Region> = regions.rows.iter().map(|row| row.subject).collect();
        let mut by_region = Vec::new();
        if !top.is_empty() {
            let filter = syn_filter().and(region_filter(&top));
            let by = [Dimension::Region, Dimension::Tool];
            let rows = self.ask(&self.now, &by, Some(filter), &self.everyone(), false)?.rows;
            let rows = rows.into_iter().filter_map(|row| Some((row.row.region?, row)));
            by_region = tools_of(&top, rows, &mut suppressed);
        }
        let marks = kind::Tool::ALL.into_iter().filter(|&mark| mark != kind::Tool::None);
        let chance =
            marks.map(|mark| ToolChance { tool: tool(mark), share: chance::of_mark(mark) }).collect();
        Ok(Tools { packets, rows, by_port, by_region, chance, suppressed })
    }

    /// Survey scanners, and the rankings without them.
    pub fn surveys(
        &self,
        services: &HashMap<Service, u64>,
        regions: &HashMap<Region, u64>,
        packets: u64,
    ) -> Result<Surveys, GatherError> {
        let (from, to) = self.bounds(&self.now);
        let ports_a_day = u32::try_from(cube::survey::PORTS).unwrap_or(u32::MAX);
        let mut prefixes: BTreeMap<(u8, u64), SurveyRow> = BTreeMap::new();
        for scanner in self.reader.survey_scanners(from, to)? {
            let row = prefixes.entry((scanner.family, scanner.prefix)).or_insert_with(|| SurveyRow {
                prefix: prefix_text(scanner.family, scanner.prefix),
                days: 0,
                ports: 0,
                packets: 0,
            });
            row.days += 1;
            row.ports = row.ports.max(scanner.ports);
            row.packets = row.packets.saturating_add(scanner.packets);
        }
        let all: u64 = prefixes.values().map(|row| row.packets).sum();
        let count = prefixes.len() as u64;
        let mut rows: Vec<SurveyRow> = prefixes.into_values().collect();
        rows.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.prefix.cmp(&b.prefix)));
        rows.truncate(ROWS);
        // What they sent is known for all sensors together.
        let theirs = match self.request.sensors.is_empty() {
            true => Some(self.reader.survey_packets(from, to)?).filter(|theirs| theirs.days > 0),
            false => None,
        };
        let depth = self.depth();
        Ok(Surveys {
            ports_a_day,
            prefixes: count,
            packets: all,
            share: if packets == 0 { 0.0 } else { all as f64 / packets as f64 },
            days: theirs.as_ref().map_or(0, |theirs| theirs.days),
            rows,
            declared: self.declared()?,
            ports_without: theirs.as_ref().map(|theirs| without(services, &theirs.services, depth)),
            regions_without: theirs.as_ref().map(|theirs| without(regions, &theirs.regions, depth)),
            withheld: Vec::new(),
            slowest: self.addresses().and_then(|addresses| chance::slowest_scan(addresses, ports_a_day)),
        })
    }

    /// What declared scanners sent, by the lists of the largest prefixes.
    fn declared(&self) -> Result<Vec<DeclaredRow>, GatherError> {
        if self.request.scanners.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.ask(&self.now, &[Dimension::Prefix], None, &self.everyone(), true)?.rows;
        let listed: Vec<(IpNet, u64)> =
            listed.iter().filter_map(|row| Some((row.row.prefix?.net(), row.packets))).collect();
        let of = |scanner: &Scanner| {
            let is_theirs = |prefix: &IpNet| scanner.prefixes.iter().any(|own| own.contains(prefix));
            let theirs = listed.iter().filter(|(prefix, _)| is_theirs(prefix));
            DeclaredRow {
                organisation: scanner.organisation.clone(),
                url: scanner.url.clone(),
                prefixes: u32::try_from(scanner.prefixes.len()).unwrap_or(u32::MAX),
                packets: theirs.map(|(_, packets)| packets).sum(),
            }
        };
        let mut rows: Vec<DeclaredRow> = self.request.scanners.iter().map(of).collect();
        rows.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.organisation.cmp(&b.organisation)));
        Ok(rows)
    }

    /// Services anywhere in the report that too few sources sent to for everybody to know.
    pub fn few_sources(
        &self,
        ports: &Ranking<Service>,
        parts: &[Part],
        findings: &[Finding],
        surveys: &Surveys,
    ) -> Result<Vec<Service>, GatherError> {
        let least = self.request.parameters.period.least_sources;
        let known: HashMap<Service, u64> =
            ports.rows.iter().map(|row| (row.subject, row.sources.unwrap_or(0))).collect();
        let of_parts = parts.iter().flat_map(|part| &part.ports).map(|row| row.service);
        let of_surveys = surveys.ports_without.iter().flatten().map(|row| row.subject);
        let of_findings = findings.iter().flat_map(|finding| match &finding.what {
            What::Surge(surge) => surge
                .subject
                .service
                .into_iter()
                .chain(surge.services.iter().map(|row| row.subject))
                .collect(),
            What::Newcomer(newcomer) => vec![newcomer.service],
            What::Silence(_) | What::Blind(_) => Vec::new(),
        });
        let mut unknown: Vec<Service> = of_parts
            .chain(of_surveys)
            .chain(of_findings)
            .filter(|service| !known.contains_key(service))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        let everyone = self.everyone();
        let rows = self.rows(&everyone);
        let (from, _) = self.bounds(&self.now);
        let asked = Daily { from, ..self.asked(&self.now, &everyone, &rows) };
        let mut few = Vec::new();
        // Apart: only of ports the store is told which rows to look at.
        let (ports, types): (Vec<Service>, Vec<Service>) =
            unknown.into_iter().partition(|service| service.has_port());
        for services in [ports, types] {
            let asked = Daily { services: Some(&services), ..asked };
            few.extend(self.reader.of_few_sources(&asked, least)?);
        }
        few.extend(known.into_iter().filter(|&(_, sources)| sources < least).map(|(service, _)| service));
        few.sort_unstable();
        Ok(few)
    }

    /// Answers to packets with forged sources, at sensors that ask nothing themselves.
    pub fn backscatter(&self) -> Result<Backscatter, GatherError> {
        let dark: Vec<usize> = self
            .present
            .iter()
            .copied()
            .filter(|&place| self.panel.sensors[place].role != Role::Lit)
            .collect();
        if dark.is_empty() {
            return Ok(Backscatter::default());
        }
        let (from, to) = self.bounds(&self.now);
        let names: Vec<&str> = dark.iter().map(|&place| self.panel.sensors[place].name.as_str()).collect();
        let of_sensors = || {
            let names = names.iter().map(|&name| Literal::Sensor(name.to_owned())).collect();
            Filter::Compare(crate::model::Comparison::new(Dimension::Sensor, crate::model::Test::In(names)))
        };
        let ask = |by: &[Dimension], class, filter: Option<Filter>| {
            self.reader.query(&Query {
                from,
                to,
                by: by.to_vec(),
                filter: Some(filter.into_iter().fold(of_sensors(), Filter::and)),
                class: Some(class),
                ..Query::default()
            })
        };
        let services = ask(&[Dimension::Protocol, Dimension::VictimPort], Class::Backscatter, None)?;
        let regions = ask(&[Dimension::Region], Class::Backscatter, None)?;
        let mismatch = Filter::is(Dimension::Kind, Literal::Kind(Kind::IcmpMismatch));
        let mismatches = ask(&[], Class::Other, Some(mismatch))?.summary.packets;

        let found = self.reader.victims(from, to, false)?;
        let of_dark = found
            .iter()
            .filter(|victim| victim.sensor.as_deref().is_none_or(|sensor| names.contains(&sensor)));
        let mut addresses = HashSet::new();
        let mut days = HashSet::new();
        let mut moore = HashSet::new();
        let mut by_service: HashMap<Service, HashSet<(u8, u64)>> = HashMap::new();
        for victim in of_dark {
            let address = (victim.family, victim.source);
            addresses.insert(address);
            days.insert((address, victim.day));
            if victim.moore {
                moore.insert(address);
            }
            let family = if victim.family == 6 { Family::V6 } else { Family::V4 };
            let kind = Kind::from_number(victim.kind).filter(|&kind| has_victim_port(kind));
            if let Some(service) = kind.and_then(|kind| Service::of(kind, family, victim.port)) {
                by_service.entry(service).or_default().insert(address);
            }
        }
        let mut victim_services: Vec<(Service, u64)> =
            by_service.into_iter().map(|(service, victims)| (service, victims.len() as u64)).collect();
        victim_services.sort_unstable_by_key(|&(service, victims)| (Reverse(victims), service));
        victim_services.truncate(ROWS);
        let addresses_watched = dark
            .iter()
            .map(|&place| self.panel.sensors[place].addresses)
            .sum::<Option<u64>>()
            .filter(|&addresses| addresses > 0);
        Ok(Backscatter {
            on: true,
            packets: services.summary.packets,
            sources: services.summary.sources,
            services: answered(services.rows, |row| service_of(&row.row)),
            regions: answered(regions.rows, |row| row.row.region.filter(|region| region.is_ranked())),
            mismatches,
            victims: addresses.len() as u64,
            victim_days: days.len() as u64,
            moore: moore.len() as u64,
            victim_services,
            attacks: addresses_watched.is_some_and(|addresses| addresses >= ATTACK_ADDRESSES),
            detectable: addresses_watched.and_then(|addresses| {
                chance::detectable_attack(addresses, victims::PACKETS, victims::WINDOW_SECONDS)
            }),
            days: self.reader.closed_days(from, to)?,
        })
    }
}

fn answered<S>(rows: Vec<Measured>, subject: impl Fn(&Measured) -> Option<S>) -> Vec<BackscatterRow<S>> {
    let rows = rows.into_iter().filter_map(|row| {
        Some(BackscatterRow { subject: subject(&row)?, packets: row.packets, sources: row.sources })
    });
    rows.take(ROWS).collect()
}

/// A row's part of some packets; `None` where the tool is not known.
pub fn share(row: &Measured, packets: u64) -> Option<ToolShare> {
    let tool = tool(row.row.tool?);
    let share = if packets == 0 { 0.0 } else { row.packets as f64 / packets as f64 };
    Some(ToolShare { tool, packets: row.packets, share, sources: row.sources })
}

const fn tool(mark: kind::Tool) -> Tool {
    match mark {
        kind::Tool::None => Tool::None,
        kind::Tool::Mirai => Tool::Mirai,
        kind::Tool::Zmap => Tool::Zmap,
        kind::Tool::Masscan => Tool::Masscan,
    }
}

/// Each row's part of some packets, without what chance can make.
fn shares(rows: &[Measured], packets: u64, suppressed: &mut u32) -> Vec<ToolShare> {
    let (told, by_chance): (Vec<&Measured>, Vec<&Measured>) = rows
        .iter()
        .filter(|row| row.row.tool.is_some())
        .partition(|row| row.row.tool.is_some_and(|tool| chance::stands_out(tool, row.packets, packets)));
    *suppressed += u32::try_from(by_chance.len()).unwrap_or(u32::MAX);
    told.into_iter().filter_map(|row| share(row, packets)).collect()
}

/// Tools of each subject, without what chance can make.
fn tools_of<S: Copy + Eq + Hash>(
    subjects: &[S],
    rows: impl Iterator<Item = (S, Measured)>,
    suppressed: &mut u32,
) -> Vec<ToolsOf<S>> {
    let mut by_subject: HashMap<S, Vec<Measured>> = HashMap::new();
    for (subject, row) in rows {
        by_subject.entry(subject).or_default().push(row);
    }
    let mut all = Vec::new();
    for subject in subjects {
        let Some(rows) = by_subject.get(subject) else { continue };
        let packets = rows.iter().map(|row| row.packets).sum();
        let mut shares = shares(rows, packets, suppressed);
        shares.retain(|share| share.tool != Tool::None);
        all.push(ToolsOf { subject: *subject, packets, shares });
    }
    all
}

/// The first of a ranking without some packets.
fn without<S: Copy + Ord + Hash, H: BuildHasher>(
    all: &HashMap<S, u64>,
    theirs: &HashMap<S, u64, H>,
    depth: usize,
) -> Vec<WithoutRow<S>> {
    let order = |mut values: Vec<(u64, S)>| {
        values.sort_unstable_by_key(|&(packets, subject)| (Reverse(packets), subject));
        let ranks = rank::competition(&values.iter().map(|&(packets, _)| packets).collect::<Vec<_>>());
        (values, ranks)
    };
    let (with, ranks_with) = order(all.iter().map(|(&subject, &packets)| (packets, subject)).collect());
    let ranks_with: HashMap<S, u32> =
        with.iter().zip(ranks_with).map(|(&(_, subject), rank)| (subject, rank)).collect();
    let rest = |(&subject, &packets): (&S, &u64)| {
        (packets.saturating_sub(theirs.get(&subject).copied().unwrap_or(0)), subject)
    };
    let (rows, ranks) = order(all.iter().map(rest).collect());
    rows.into_iter()
        .zip(ranks)
        .take(depth)
        .map(|((packets, subject), rank)| WithoutRow {
            rank,
            rank_with: ranks_with.get(&subject).copied().unwrap_or(rank),
            subject,
            packets,
        })
        .collect()
}

fn prefix_text(family: u8, prefix: u64) -> String {
    let (family, length) = match family {
        6 => (Family::V6, cube::V6_PREFIX),
        _ => (Family::V4, cube::V4_PREFIX),
    };
    let bits = if family == Family::V6 { 64 } else { 32 };
    Prefix { family, source: prefix << (bits - length), length }.net().to_string()
}
