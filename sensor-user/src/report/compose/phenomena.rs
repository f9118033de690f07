//! Findings, told as an analyst would: what, since when, how much, by whom, how wide.

use jiff::civil::Date;

use super::{Writer, level, say, thousands};
use crate::{
    analysis::{
        silence::Reason,
        surge::{Direction, End},
    },
    model::Region,
    report::{
        lang::{decimals, read_time},
        model::{Blind, Contribution, Finding, MOST_TOLD, Newcomer, Silence, Subject, Surge, What, Width},
        page::{Block, Told},
    },
};

/// Regions or services that are named behind the first.
const MOST_FOLLOWING: usize = 4;
/// Services that are named of a change that is spread over many.
const MOST_SPREAD: usize = 3;
/// So many packets from the home region are called many.
const MANY: u64 = 30;
/// A mean below this is hardly any.
const HARDLY_ANY: f64 = 0.05;

impl Writer<'_> {
    pub(super) fn phenomena(&self) -> Vec<Block> {
        let (m, report) = (&self.messages, self.report);
        let mut blocks = Vec::new();
        if report.findings.is_empty() && !report.tested.no_history {
            blocks.push(Block::Paragraph(say!(m, "phenomena-none")));
        }
        if report.tested.no_history {
            let days = report.parameters.surge.least_history;
            blocks.push(Block::Paragraph(say!(m, "phenomena-untestable", days = days)));
        }
        let (told, listed) = report.findings.split_at(report.findings.len().min(MOST_TOLD));
        blocks.extend(told.iter().map(|finding| Block::Finding(self.told(finding))));
        if !listed.is_empty() {
            blocks.push(Block::Heading(say!(m, "phenomena-more")));
            let list = listed.iter().map(|finding| {
                let (heading, text) = (self.heading(finding), self.told(finding).text);
                say!(m, "listed", heading = heading, text = text)
            });
            blocks.push(Block::List(list.collect()));
        }
        blocks.push(Block::Note(self.tested()));
        blocks
    }

    /// What was looked at, and what could not be.
    fn tested(&self) -> String {
        let (m, tested) = (&self.messages, &self.report.tested);
        let (ports, regions, pairs) = (tested.ports, tested.regions, tested.pairs);
        let mut sentences = vec![if tested.lit_only {
            say!(m, "phenomena-tested-lit", ports = ports, regions = regions, pairs = pairs)
        } else {
            let silences = tested.silence_regions;
            say!(m, "phenomena-tested", ports = ports, regions = regions, pairs = pairs, silences = silences,)
        }];
        if !tested.lit_only && !tested.not_testable.is_empty() {
            sentences.push(say!(m, "phenomena-not-testable", count = tested.not_testable.len()));
            if let Some(home) = self.report.home.filter(|home| tested.not_testable.contains(home)) {
                let region = self.region_said(home);
                sentences.push(say!(m, "phenomena-not-testable-home", region = region));
            }
        }
        self.sentences(&sentences)
    }

    /// `1433/TCP: rise from 4 October`.
    pub(super) fn heading(&self, finding: &Finding) -> String {
        let m = &self.messages;
        match &finding.what {
            What::Surge(surge) => {
                let (subject, onset) = (self.subject(surge.subject), self.day(surge.onset));
                match surge.direction {
                    Direction::Rise => say!(m, "heading-rise", subject = subject, onset = onset),
                    Direction::Fall => say!(m, "heading-fall", subject = subject, onset = onset),
                }
            }
            What::Silence(silence) => {
                let region = self.region(silence.region);
                let onset = self.date_of(&silence.onset);
                match (&silence.end, silence.level_change) {
                    (_, true) => say!(m, "heading-silence-level", region = region, onset = onset),
                    (None, false) => say!(m, "heading-silence-open", region = region, onset = onset),
                    (Some(end), false) => {
                        let dates = self.dates_of(&silence.onset, end);
                        say!(m, "heading-silence", region = region, dates = dates)
                    }
                }
            }
            What::Blind(blind) => say!(m, "heading-blind", date = self.date_of(&blind.from)),
            What::Newcomer(newcomer) => {
                let service = self.service(newcomer.service);
                say!(m, "heading-newcomer", service = service, rank = newcomer.rank)
            }
        }
    }

    /// What a surge is of: `1433/TCP`, `Netherlands`, `23/TCP from Japan`.
    pub(super) fn subject(&self, subject: Subject) -> String {
        match (subject.service, subject.region) {
            (Some(service), Some(region)) => {
                let region = self.region_said(region);
                say!(self.messages, "pair", service = self.service(service), region = region)
            }
            (Some(service), None) => self.service(service),
            (None, Some(region)) => self.region(region),
            (None, None) => say!(self.messages, "unknown"),
        }
    }

    /// Day of a time, with its year only if that is not clear from the period.
    fn date_of(&self, time: &str) -> String {
        read_time(time).map_or_else(|| time.to_owned(), |(time, _)| self.day(time.date()))
    }

    /// First and last day of a stretch whose end is not included.
    fn dates_of(&self, from: &str, to: &str) -> String {
        match (read_time(from), last_day(to)) {
            (Some((from, _)), Some(last)) => self.messages.dates(from.date().min(last), last),
            _ => say!(self.messages, "times-apart", from = from, to = to),
        }
    }

    pub(super) fn told(&self, finding: &Finding) -> Told {
        let m = &self.messages;
        let (kind, label, text, details, onset) = match &finding.what {
            What::Surge(surge) => {
                let (kind, label) = match surge.direction {
                    Direction::Rise => ("rise", say!(m, "kind-rise")),
                    Direction::Fall => ("fall", say!(m, "kind-fall")),
                };
                (kind, label, self.surge(surge), self.surge_details(surge), Some(surge.onset))
            }
            What::Silence(silence) => {
                let onset = read_time(&silence.onset).map(|(time, _)| time.date());
                let (text, details) = (self.silence(silence), self.silence_details(silence));
                ("silence", say!(m, "kind-silence"), text, details, onset)
            }
            What::Blind(blind) => {
                ("blind", say!(m, "kind-blind"), self.blind(blind), self.blind_details(blind), None)
            }
            What::Newcomer(newcomer) => {
                let (text, details) = (self.newcomer(newcomer), self.newcomer_details(newcomer));
                ("newcomer", say!(m, "kind-newcomer"), text, details, Some(newcomer.first))
            }
        };
        let mut details = details;
        let advisories = self.advisories_of(&finding.id);
        if !advisories.is_empty() {
            details.push((say!(m, "detail-advisories"), m.list(&advisories)));
        }
        Told {
            id: finding.id.clone(),
            kind,
            label,
            heading: self.heading(finding),
            text,
            details,
            note: self.report.notes.get(&finding.id).cloned(),
            chart: self.chart_of(finding, onset),
        }
    }

    fn advisories_of(&self, id: &str) -> Vec<String> {
        let m = &self.messages;
        let known = self.report.advisories.iter().filter(|advisory| {
            advisory.services.iter().any(|service| service.findings.iter().any(|finding| finding == id))
        });
        known
            .map(|advisory| {
                let (title, date) = (advisory.title.as_str(), m.date(advisory.date));
                say!(m, "detail-advisory-value", title = title, date = date)
            })
            .collect()
    }

    fn surge(&self, surge: &Surge) -> String {
        let mut sentences = vec![self.surge_onset(surge), self.surge_levels(surge), self.surge_course(surge)];
        if surge.subject.region.is_none() {
            sentences.extend(self.surge_regions(surge));
        } else if surge.subject.service.is_none() {
            sentences.extend(self.surge_services(surge));
        }
        sentences.extend(self.surge_width(surge));
        let m = &self.messages;
        sentences.extend(
            surge
                .tools
                .iter()
                .map(|tool| say!(m, "surge-tool", share = m.share(tool.share), tool = self.tool(tool.tool))),
        );
        if surge.newcomer {
            sentences.push(say!(m, "surge-newcomer", places = self.report.parameters.newcomer.before));
        }
        if let Some(effective) = surge.effective_sensors.filter(|_| surge.sensor_local) {
            let effective = decimals(effective, 1);
            sentences.push(say!(m, "surge-local", effective = effective, sensors = surge.sensors));
        }
        self.sentences(&sentences)
    }

    fn surge_onset(&self, surge: &Surge) -> String {
        let m = &self.messages;
        let onset = m.date(surge.onset);
        match (surge.subject.service, surge.subject.region, surge.direction) {
            (Some(service), Some(region), direction) => {
                let (service, region) = (self.service(service), self.region_said(region));
                match direction {
                    Direction::Rise => {
                        say!(m, "surge-rise-pair", service = service, region = region, onset = onset)
                    }
                    Direction::Fall => {
                        say!(m, "surge-fall-pair", service = service, region = region, onset = onset)
                    }
                }
            }
            (None, Some(region), Direction::Rise) => {
                say!(m, "surge-rise-region", region = self.region_said(region), onset = onset)
            }
            (None, Some(region), Direction::Fall) => {
                say!(m, "surge-fall-region", region = self.region_said(region), onset = onset)
            }
            (_, None, Direction::Rise) => {
                say!(m, "surge-rise-port", service = self.subject(surge.subject), onset = onset)
            }
            (_, None, Direction::Fall) => {
                say!(m, "surge-fall-port", service = self.subject(surge.subject), onset = onset)
            }
        }
    }

    fn surge_levels(&self, surge: &Surge) -> String {
        let m = &self.messages;
        let (before, since) = (level(surge.before), level(surge.since));
        match surge.direction {
            Direction::Rise if surge.before < HARDLY_ANY => {
                say!(m, "surge-levels-rise-from-none", since = since)
            }
            Direction::Rise => {
                let times = surge.since / surge.before;
                let times = decimals(times, if times < 9.95 { 1 } else { 0 });
                say!(m, "surge-levels-rise", before = before, since = since, times = times)
            }
            Direction::Fall => {
                let part = 1.0 - surge.since / surge.before.max(f64::MIN_POSITIVE);
                let part = m.share(part.clamp(0.0, 1.0));
                say!(m, "surge-levels-fall", before = before, since = since, part = part)
            }
        }
    }

    /// How it went on, with its highest or lowest day.
    fn surge_course(&self, surge: &Surge) -> String {
        let m = &self.messages;
        let (peak, packets) = (m.date_near(surge.peak, surge.onset), level(surge.peak_packets));
        let last = m.date_near(surge.last, surge.onset);
        let days = self.report.parameters.surge.new_level;
        match (surge.direction, surge.end) {
            (Direction::Rise, End::Ended) => {
                say!(m, "surge-rise-ended", last = last, peak = peak, packets = packets)
            }
            (Direction::Rise, End::Continuing) => {
                say!(m, "surge-rise-continuing", peak = peak, packets = packets)
            }
            (Direction::Rise, End::NewLevel) => {
                say!(m, "surge-rise-new-level", days = days, peak = peak, packets = packets)
            }
            (Direction::Fall, End::Ended) => {
                say!(m, "surge-fall-ended", last = last, peak = peak, packets = packets)
            }
            (Direction::Fall, End::Continuing) => {
                say!(m, "surge-fall-continuing", peak = peak, packets = packets)
            }
            (Direction::Fall, End::NewLevel) => {
                say!(m, "surge-fall-new-level", days = days, peak = peak, packets = packets)
            }
        }
    }

    /// Who made it: regions in their order, and where the home region stands among them.
    fn surge_regions(&self, surge: &Surge) -> Vec<String> {
        let m = &self.messages;
        let mut regions: Vec<&Contribution<Region>> = surge.regions.iter().collect();
        if surge.direction == Direction::Fall {
            regions.sort_by(|one, other| other.of_change.total_cmp(&one.of_change));
            regions.retain(|region| region.of_change > 0.0);
        }
        let Some((first, following)) = regions.split_first() else { return Vec::new() };
        let following = &following[..following.len().min(MOST_FOLLOWING)];
        let driver = regions.iter().copied().max_by(|one, other| one.of_change.total_cmp(&other.of_change));
        let driver = driver.filter(|driver| driver.of_change > first.of_change);
        let named: Vec<String> = following.iter().map(|region| self.region_said(region.subject)).collect();
        let (name, share) = (self.region_said(first.subject), m.share(first.of_change));
        let others = m.list(&named);
        let mut sentences = vec![match (surge.direction, driver, named.is_empty()) {
            (Direction::Rise, None, true) => say!(m, "surge-regions-rise-one", first = name, share = share),
            (Direction::Rise, None, false) => {
                say!(m, "surge-regions-rise", first = name, share = share, others = others)
            }
            (Direction::Rise, Some(driver), _) => say!(
                m,
                "surge-regions-rise-packets",
                first = name,
                packets_share = m.share(first.share),
                others = others,
                share = m.share(driver.of_change),
                driver = self.region_said(driver.subject),
            ),
            (Direction::Fall, _, true) => say!(m, "surge-regions-fall-one", first = name, share = share),
            (Direction::Fall, _, false) => {
                say!(m, "surge-regions-fall", first = name, share = share, others = others)
            }
        }];
        let Some(home) = self.report.home else { return sentences };
        let is_named = home == first.subject || following.iter().any(|region| region.subject == home);
        let said = self.region_said(home);
        match surge.home.filter(|home| home.packets > 0) {
            _ if is_named => {}
            Some(home) if home.packets >= MANY && surge.direction == Direction::Rise => {
                sentences.push(say!(m, "surge-home-many", region = said, rank = self.rank(home.rank)));
            }
            Some(home) => sentences.push(say!(
                m,
                "surge-home-few",
                region = said,
                packets = home.packets,
                rank = self.rank(home.rank),
            )),
            None => sentences.push(say!(m, "surge-home-none", region = said)),
        }
        sentences
    }

    /// What a region sent, or no longer sends.
    fn surge_services(&self, surge: &Surge) -> Option<String> {
        let m = &self.messages;
        let mut services: Vec<_> = surge.services.iter().collect();
        services.sort_by(|one, other| other.of_change.total_cmp(&one.of_change));
        services.retain(|service| service.of_change > 0.0);
        let (first, following) = services.split_first()?;
        let following = &following[..following.len().min(MOST_FOLLOWING)];
        if first.of_change < 0.5 {
            let parts: Vec<String> = services
                .iter()
                .take(MOST_SPREAD)
                .map(|service| {
                    let (name, share) = (self.service(service.subject), m.share(service.of_change));
                    say!(m, "surge-part", name = name, share = share)
                })
                .collect();
            let ports = m.list(&parts);
            return Some(match surge.direction {
                Direction::Rise => say!(m, "surge-services-rise-spread", ports = ports),
                Direction::Fall => say!(m, "surge-services-fall-spread", ports = ports),
            });
        }
        let (name, share) = (self.service(first.subject), m.share(first.of_change));
        let named: Vec<String> = following.iter().map(|service| self.service(service.subject)).collect();
        let others = m.list(&named);
        Some(match (surge.direction, named.is_empty()) {
            (Direction::Rise, true) => say!(m, "surge-services-rise-one", first = name, share = share),
            (Direction::Rise, false) => {
                say!(m, "surge-services-rise", first = name, share = share, others = others)
            }
            (Direction::Fall, true) => say!(m, "surge-services-fall-one", first = name, share = share),
            (Direction::Fall, false) => {
                say!(m, "surge-services-fall", first = name, share = share, others = others)
            }
        })
    }

    fn surge_width(&self, surge: &Surge) -> Option<String> {
        let m = &self.messages;
        let levels = surge.sources.map(|sources| (level(sources.before), level(sources.since)));
        Some(match (surge.width, surge.direction, levels) {
            (Width::Wide, Direction::Rise, Some((before, since))) => {
                say!(m, "surge-wide-rise", before = before, since = since)
            }
            (Width::Wide, Direction::Fall, Some((before, since))) => {
                say!(m, "surge-wide-fall", before = before, since = since)
            }
            (Width::Wide, Direction::Rise, None) => say!(m, "surge-wide-rise-unknown"),
            (Width::Wide, Direction::Fall, None) => say!(m, "surge-wide-fall-unknown"),
            (Width::Narrow { prefixes }, Direction::Rise, _) => {
                say!(m, "surge-narrow-rise", prefixes = prefixes)
            }
            (Width::Narrow { prefixes }, Direction::Fall, _) => {
                say!(m, "surge-narrow-fall", prefixes = prefixes)
            }
            (Width::Undetermined, _, Some((before, since))) => {
                say!(m, "surge-sources", before = before, since = since)
            }
            (Width::Undetermined, _, None) => return None,
        })
    }

    fn surge_details(&self, surge: &Surge) -> Vec<(String, String)> {
        let m = &self.messages;
        let mut details = Vec::new();
        if let Some(name) = surge.subject.service.and_then(|service| self.service_name(service)) {
            details.push((say!(m, "column-service"), name));
        }
        details.push((say!(m, "detail-onset"), m.date(surge.onset)));
        details.push((say!(m, "detail-last"), m.date(surge.last)));
        details.push((say!(m, "detail-before"), level(surge.before)));
        details.push((say!(m, "detail-since"), level(surge.since)));
        let peak = match surge.direction {
            Direction::Rise => say!(m, "detail-peak"),
            Direction::Fall => say!(m, "detail-lowest"),
        };
        let (date, packets) = (m.date(surge.peak), level(surge.peak_packets));
        details.push((peak, say!(m, "detail-peak-value", date = date, packets = packets)));
        details.push((say!(m, "detail-packets"), thousands(surge.packets)));
        if let Some(home) = surge.home {
            let value = say!(
                m,
                "detail-home-value",
                rank = self.rank(home.rank),
                packets = home.packets,
                share = m.share(home.share),
            );
            details.push((say!(m, "detail-home", region = self.region_said(home.subject)), value));
        }
        if let Some(sources) = surge.sources {
            details.push((say!(m, "detail-sources"), self.levels(sources.before, sources.since)));
        }
        let width = match surge.width {
            Width::Wide => say!(m, "detail-wide"),
            Width::Narrow { prefixes } => say!(m, "detail-narrow", prefixes = prefixes),
            Width::Undetermined => say!(m, "detail-undetermined"),
        };
        details.push((say!(m, "detail-width"), width));
        if let Some(effective) = surge.effective_sensors {
            let effective = decimals(effective, 1);
            let value = say!(m, "detail-sensors-value", effective = effective, sensors = surge.sensors);
            details.push((say!(m, "detail-sensors"), value));
        }
        let (z, phi) = (decimals(surge.z, 1), decimals(surge.phi, 1));
        details.push((say!(m, "detail-test"), say!(m, "detail-test-value", z = z, phi = phi)));
        details
    }

    fn silence(&self, silence: &Silence) -> String {
        let m = &self.messages;
        let region = self.region_said(silence.region);
        let (bin, hours) = (silence.bin_hours, silence.hours);
        let by_days = bin >= 24;
        let date =
            read_time(&silence.onset).map_or_else(|| silence.onset.clone(), |(time, _)| m.date(time.date()));
        let what = match &silence.end {
            _ if silence.level_change => {
                let days = self.report.parameters.silence.level_days;
                say!(m, "silence-level", date = date, region = region, days = days)
            }
            Some(end) if by_days => {
                let (dates, days) = (self.dates_of(&silence.onset, end), hours.div_ceil(24));
                say!(m, "silence-closed-days", dates = dates, region = region, days = days)
            }
            Some(end) => {
                let times = m.times(&silence.onset, end);
                say!(m, "silence-closed", times = times, region = region, hours = hours, bin = bin)
            }
            None if by_days => say!(m, "silence-open-days", date = date, region = region),
            None => say!(m, "silence-open", time = m.time(&silence.onset), region = region, bin = bin),
        };
        let depth = say!(
            m,
            "silence-depth",
            usual = level(silence.usual),
            bin = bin,
            least = level(silence.least),
            depth = m.share(silence.depth),
            before = level(silence.packets.before),
            since = level(silence.packets.since),
        );
        self.sentences(&[what, depth, say!(m, "silence-reason")])
    }

    fn silence_details(&self, silence: &Silence) -> Vec<(String, String)> {
        let m = &self.messages;
        let (bin, hours) = (silence.bin_hours, silence.hours);
        let end = silence.end.as_ref().map_or_else(|| say!(m, "detail-open"), |end| m.time(end));
        vec![
            (say!(m, "detail-from"), m.time(&silence.onset)),
            (say!(m, "detail-to"), end),
            (say!(m, "detail-hours"), say!(m, "detail-hours-value", hours = hours, bin = bin)),
            (say!(m, "detail-usual", bin = bin), level(silence.usual)),
            (say!(m, "detail-least", bin = bin), level(silence.least)),
            (say!(m, "detail-missing"), level(silence.missing)),
            (say!(m, "detail-levels-packets"), self.levels(silence.packets.before, silence.packets.since)),
        ]
    }

    fn blind(&self, blind: &Blind) -> String {
        let m = &self.messages;
        let times = m.times(&blind.from, &blind.to);
        let what = match blind.reason {
            Reason::Nothing => say!(m, "blind-nothing", times = times, hours = blind.hours),
            Reason::AllRegions => say!(m, "blind-all", times = times, hours = blind.hours),
        };
        self.sentences(&[what, say!(m, "blind-consequence")])
    }

    fn blind_details(&self, blind: &Blind) -> Vec<(String, String)> {
        let m = &self.messages;
        vec![
            (say!(m, "detail-from"), m.time(&blind.from)),
            (say!(m, "detail-to"), m.time(&blind.to)),
            (say!(m, "detail-hours"), say!(m, "detail-hours-exact", hours = blind.hours)),
        ]
    }

    fn newcomer(&self, newcomer: &Newcomer) -> String {
        let m = &self.messages;
        let mut sentences = vec![
            say!(
                m,
                "newcomer-first",
                service = self.service_named(newcomer.service),
                rank = self.rank(newcomer.rank),
                places = self.report.parameters.newcomer.before,
            ),
            say!(
                m,
                "newcomer-counts",
                packets = newcomer.packets,
                sources = m.about(newcomer.sources),
                days = newcomer.days,
                first = self.day(newcomer.first),
            ),
        ];
        if newcomer.sensors > 1 {
            let (seen, sensors) = (newcomer.seen_by, newcomer.sensors);
            sentences.push(say!(m, "newcomer-sensors", seen = seen, sensors = sensors));
        }
        self.sentences(&sentences)
    }

    fn newcomer_details(&self, newcomer: &Newcomer) -> Vec<(String, String)> {
        let m = &self.messages;
        let (seen, sensors) = (newcomer.seen_by.to_string(), newcomer.sensors);
        vec![
            (say!(m, "column-rank"), newcomer.rank.to_string()),
            (say!(m, "column-packets"), thousands(newcomer.packets)),
            (say!(m, "column-sources"), thousands(newcomer.sources)),
            (say!(m, "detail-days"), newcomer.days.to_string()),
            (say!(m, "detail-onset"), m.date(newcomer.first)),
            (say!(m, "detail-seen"), say!(m, "detail-sensors-value", effective = seen, sensors = sensors)),
        ]
    }
}

/// The last day of what ends at a time: of a midnight, the day before.
fn last_day(end: &str) -> Option<Date> {
    let (time, _) = read_time(end)?;
    let is_midnight = time.time() == jiff::civil::Time::midnight();
    if is_midnight { time.date().yesterday().ok() } else { Some(time.date()) }
}
