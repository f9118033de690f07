//! From a report to a page: its sections, tables and sentences in a language.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `cover` | title, cover, alerts, summary |
//! | `ranking` | sections 1 and 2, and the tables of groups and sensors |
//! | `trend` | charts |
//! | `phenomena` | findings, told in sentences |
//! | `scans` | tools, survey scanners, backscatter |
//! | `known` | advisories and corrections |
//! | `quality` | how good the data are, and by which parameters |

mod cover;
mod known;
mod phenomena;
mod quality;
mod ranking;
mod scans;
#[cfg(test)]
mod tests;
mod trend;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    lang::{Lang, Messages, level, rate, say, signed, thousands},
    model::{Report, Stretch, Tool},
    names::Names,
    page::{Block, Cell, Column, Mark, Page, Section, Table, Words},
};
use crate::model::{Protocol, Region, Service, Value};

/// The report in a language.
pub fn page(report: &Report, lang: Lang, names: &Names) -> Page {
    Writer { report, messages: Messages::new(lang), names }.page()
}

/// Each finding's sentences, by its id.
pub fn sentences(report: &Report, lang: Lang, names: &Names) -> BTreeMap<String, String> {
    let writer = Writer { report, messages: Messages::new(lang), names };
    report.findings.iter().map(|finding| (finding.id.clone(), writer.told(finding).text)).collect()
}

/// Names in a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NameLists {
    /// Regions and groups of sources that have none, by code: `JP`, `unknown`.
    pub regions: BTreeMap<String, String>,
    /// Services, by port or type and protocol: `23/tcp`, `8/icmp`. A port's name does not prove what is spoken there.
    pub services: BTreeMap<String, String>,
}

impl NameLists {
    /// All names that a report knows.
    pub fn new(lang: Lang, names: &Names) -> Self {
        let messages = Messages::new(lang);
        let groups = [Region::UNKNOWN, Region::NON_ROUTABLE, Region::UNATTRIBUTED, Region::OTHER];
        let region = |region: Region| (region.to_string(), region_name(&messages, names, region));
        let services = names.services().chain(ICMP.iter().map(|&(service, _)| service));
        let service =
            |service: Service| Some((service.to_string(), service_name(&messages, names, service)?));
        Self {
            regions: groups.into_iter().chain(names.regions()).map(region).collect(),
            services: services.filter_map(service).collect(),
        }
    }
}

const fn icmp(number: u16) -> Service {
    Service { protocol: Protocol::Icmp, number }
}

const fn icmpv6(number: u16) -> Service {
    Service { protocol: Protocol::Icmpv6, number }
}

/// Types of ICMP that have names, and their messages.
const ICMP: [(Service, &str); 17] = [
    (icmp(0), "icmp-0"),
    (icmp(3), "icmp-3"),
    (icmp(5), "icmp-5"),
    (icmp(8), "icmp-8"),
    (icmp(9), "icmp-9"),
    (icmp(10), "icmp-10"),
    (icmp(11), "icmp-11"),
    (icmp(13), "icmp-13"),
    (icmp(15), "icmp-15"),
    (icmp(17), "icmp-17"),
    (icmpv6(1), "icmpv6-1"),
    (icmpv6(2), "icmpv6-2"),
    (icmpv6(3), "icmpv6-3"),
    (icmpv6(128), "icmpv6-128"),
    (icmpv6(129), "icmpv6-129"),
    (icmpv6(135), "icmpv6-135"),
    (icmpv6(139), "icmpv6-139"),
];

fn service_name(m: &Messages, names: &Names, service: Service) -> Option<String> {
    if let Some(name) = names.service(service) {
        return Some(name.to_owned());
    }
    let (_, id) = ICMP.iter().find(|(known, _)| *known == service)?;
    Some(m.get(id, &[]))
}

fn region_name(m: &Messages, names: &Names, region: Region) -> String {
    match region {
        Region::UNKNOWN => say!(m, "region-unknown"),
        Region::NON_ROUTABLE => say!(m, "region-non-routable"),
        Region::UNATTRIBUTED => say!(m, "region-unattributed"),
        Region::OTHER => say!(m, "region-other"),
        _ => names.region(region, m.lang()).unwrap_or(region.as_str()).to_owned(),
    }
}

/// What everything on a page is written from.
struct Writer<'a> {
    report: &'a Report,
    messages: Messages,
    names: &'a Names,
}

impl Writer<'_> {
    fn page(&self) -> Page {
        let m = &self.messages;
        Page {
            lang: m.lang().tag(),
            title: say!(m, "page-title"),
            subtitle: self.period(&self.report.period),
            alerts: self.alerts(),
            cover: self.cover(),
            summary: self.summary(),
            note: self.report.notes.get("report").cloned(),
            sections: vec![
                self.section("ports", say!(m, "section-ports"), self.ports()),
                self.section("regions", say!(m, "section-regions"), self.regions()),
                self.section("trends", say!(m, "section-trends"), self.trends()),
                self.section("sensors", say!(m, "section-sensors"), self.parts()),
                self.section("phenomena", say!(m, "section-phenomena"), self.phenomena()),
                self.section("tools", say!(m, "section-tools"), self.tools()),
                self.section("surveys", say!(m, "section-surveys"), self.surveys()),
                self.section("backscatter", say!(m, "section-backscatter"), self.backscatter()),
                self.section("advisories", say!(m, "section-advisories"), self.advisories()),
                self.section("quality", say!(m, "section-quality"), self.quality()),
            ],
            footer: self.footer(),
            words: Words {
                contents: say!(m, "page-contents"),
                analyst: say!(m, "page-analyst"),
                summary: say!(m, "page-summary"),
                chart_data: say!(m, "page-chart-data"),
                date: say!(m, "page-date"),
                not_observed: say!(m, "page-not-observed"),
                skip: say!(m, "page-skip"),
            },
        }
    }

    fn section(&self, id: &'static str, heading: String, blocks: Vec<Block>) -> Section {
        Section { id, heading, blocks }
    }

    /// Sentences, as the language joins them.
    fn sentences(&self, sentences: &[String]) -> String {
        sentences.join(self.messages.lang().gap())
    }

    /// A period as people call it: `October to December 2019`.
    fn period(&self, period: &Stretch) -> String {
        let (m, first, last) = (&self.messages, period.first, period.last);
        let year = first.year().to_string();
        let whole_months = first.year() == last.year() && first.day() == 1 && last == last.last_of_month();
        match (first.month(), last.month()) {
            (1, 12) if whole_months => say!(m, "year", year = year),
            (one, other) if whole_months && one == other => say!(m, "month", year = year, month = one),
            (one, other) if whole_months => say!(m, "months", year = year, month = one, last = other),
            _ => m.dates(first, last),
        }
    }

    /// Whether there is a period before to compare with.
    fn has_previous(&self) -> bool {
        self.report.previous.days_counted > 0
            && self.report.previous.observed >= self.report.parameters.period.least_observed
    }

    /// A day, with its year only if that is not clear from the period.
    fn day(&self, date: Date) -> String {
        self.messages.date_near(date, self.report.period.first)
    }

    /// `1433/TCP`, `8/ICMP`.
    fn service(&self, service: Service) -> String {
        let protocol = match service.protocol {
            Protocol::Tcp => "TCP".to_owned(),
            Protocol::Udp => "UDP".to_owned(),
            Protocol::Sctp => "SCTP".to_owned(),
            Protocol::Icmp => "ICMP".to_owned(),
            Protocol::Icmpv6 => "ICMPv6".to_owned(),
            protocol @ Protocol::Number(_) => protocol.to_string(),
        };
        format!("{}/{protocol}", service.number)
    }

    /// What runs there by its registered name: `telnet`, `echo request`.
    fn service_name(&self, service: Service) -> Option<String> {
        service_name(&self.messages, self.names, service)
    }

    /// `23/TCP (telnet)`.
    fn service_named(&self, service: Service) -> String {
        let text = self.service(service);
        match self.service_name(service) {
            Some(name) => say!(self.messages, "service-named", service = text, name = name),
            None => text,
        }
    }

    /// A region's name, as it stands in tables and headings.
    fn region(&self, region: Region) -> String {
        region_name(&self.messages, self.names, region)
    }

    /// A region's name in a sentence: `the Netherlands`.
    fn region_said(&self, region: Region) -> String {
        say!(self.messages, "region-in-sentence", code = region.as_str(), name = self.region(region))
    }

    fn tool(&self, tool: Tool) -> String {
        let m = &self.messages;
        match tool {
            Tool::None => say!(m, "tool-none"),
            Tool::Mirai => say!(m, "tool-mirai"),
            Tool::Zmap => say!(m, "tool-zmap"),
            Tool::Masscan => say!(m, "tool-masscan"),
        }
    }

    fn rank(&self, rank: u32) -> String {
        say!(self.messages, "rank", rank = rank)
    }

    /// What is not known, in a table.
    fn dash(&self) -> Cell {
        Cell { text: say!(self.messages, "unknown"), value: Value::Null, bar: None, mark: Mark::Faint }
    }

    fn count_or_dash(&self, count: Option<u64>) -> Cell {
        count.map_or_else(|| self.dash(), count_cell)
    }

    fn text_or_dash(&self, text: Option<String>) -> Cell {
        text.map_or_else(|| self.dash(), text_cell)
    }

    fn date_or_dash(&self, date: Option<Date>) -> Cell {
        date.map_or_else(|| self.dash(), |date| self.date_cell(date))
    }

    fn date_cell(&self, date: Date) -> Cell {
        Cell { value: Value::Text(date.to_string()), ..text_cell(self.messages.date(date)) }
    }

    fn share_cell(&self, share: f64) -> Cell {
        let bar = Some(share.clamp(0.0, 1.0)).filter(|bar| bar.is_finite());
        Cell { text: self.messages.share(share), value: real(share), bar, mark: Mark::Plain }
    }

    fn service_cell(&self, service: Service) -> Cell {
        Cell { value: Value::Text(service.to_string()), mark: Mark::Head, ..text_cell(self.service(service)) }
    }

    fn region_cell(&self, region: Region) -> Cell {
        Cell { mark: Mark::Head, ..text_cell(self.region(region)) }
    }
}

fn text_cell(text: impl Into<String>) -> Cell {
    let text = text.into();
    Cell { value: Value::Text(text.clone()), text, bar: None, mark: Mark::Plain }
}

fn count_cell(count: u64) -> Cell {
    Cell { text: thousands(count), value: Value::Number(count), bar: None, mark: Mark::Plain }
}

fn change_cell(change: i64) -> Cell {
    let mark = match change {
        0 => Mark::Plain,
        change if change < 0 => Mark::Fall,
        _ => Mark::Rise,
    };
    // A value has no sign of its own, and counts of packets are far below 2^53.
    Cell { text: signed(change), value: real(change as f64), bar: None, mark }
}

fn real_cell(text: String, value: f64) -> Cell {
    Cell { text, value: real(value), bar: None, mark: Mark::Plain }
}

fn rate_cell(value: f64) -> Cell {
    real_cell(rate(value), value)
}

fn level_cell(value: f64) -> Cell {
    real_cell(level(value), value)
}

/// A number for CSV; what is not finite is not known.
fn real(value: f64) -> Value {
    if value.is_finite() { Value::Real(value) } else { Value::Null }
}

fn words(id: &'static str, heading: String) -> Column {
    Column { id, heading, is_number: false }
}

fn figures(id: &'static str, heading: String) -> Column {
    Column { id, heading, is_number: true }
}

/// A table of what is there; where nothing is, the sentence that says so.
fn table_or(table: Table, sentence: impl FnOnce() -> String) -> Block {
    let empty = if table.rows.is_empty() { sentence() } else { String::new() };
    Block::Table(Table { empty, ..table })
}
