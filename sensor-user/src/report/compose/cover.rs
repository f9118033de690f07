//! What stands before the sections: cover, alerts and summary; and the small print behind them.

use super::{Writer, level, say};
use crate::report::{
    lang::{rate, read_time},
    model::{Database, PreviousRank, Profile, RankBy},
};

/// Sources lost from this part of the packets on are told before anything else.
const LOST_ALERT: f64 = 0.001;
/// Headings of findings in the summary.
const MOST_NAMED: usize = 3;

impl Writer<'_> {
    pub(super) fn cover(&self) -> Vec<(String, String)> {
        let (m, report) = (&self.messages, self.report);
        let offset = read_time(&report.period.from).map_or_else(String::new, |(_, offset)| offset);
        let mut cover = vec![
            (say!(m, "cover-period"), m.dates(report.period.first, report.period.last)),
            (say!(m, "cover-previous"), m.dates(report.previous.first, report.previous.last)),
            (
                say!(m, "cover-zone"),
                say!(m, "cover-zone-value", zone = report.time_zone.as_str(), offset = offset),
            ),
            (say!(m, "cover-sensors"), {
                let sensors = report.sensors.len();
                match report.addresses {
                    Some(addresses) => {
                        say!(m, "cover-sensors-value", sensors = sensors, addresses = addresses)
                    }
                    None => say!(m, "cover-sensors-only", sensors = sensors),
                }
            }),
            (
                say!(m, "cover-observed"),
                say!(
                    m,
                    "cover-observed-value",
                    observed = m.share(report.period.observed),
                    counted = report.period.days_counted,
                    days = report.period.days,
                ),
            ),
            (say!(m, "cover-packets"), super::thousands(report.totals.packets)),
        ];
        if let Some(sources) = report.totals.sources {
            cover.push((say!(m, "cover-sources"), super::thousands(sources)));
        }
        if let Some(value) = report.totals.rate {
            let (mean, median) = (rate(value.mean), rate(value.median));
            cover.push((say!(m, "cover-rate"), say!(m, "cover-rate-value", mean = mean, median = median)));
        }
        let country = self.databases("country");
        let none = country.is_empty();
        let country = if none { say!(m, "cover-database-none") } else { m.list(&country) };
        cover.push((say!(m, "cover-region-database"), country));
        if !none {
            cover.push((say!(m, "cover-basis"), say!(m, "cover-basis-value")));
        }
        let asn = self.databases("asn");
        if !asn.is_empty() {
            cover.push((say!(m, "cover-asn-database"), m.list(&asn)));
        }
        let ranked = match report.rank_by {
            RankBy::Packets => say!(m, "cover-ranked-packets"),
            RankBy::Sources => say!(m, "cover-ranked-sources"),
        };
        cover.push((say!(m, "cover-ranked"), ranked));
        cover.push((say!(m, "cover-made"), m.time(&report.made)));
        if let Some(frozen) = &report.frozen {
            cover.push((say!(m, "cover-frozen"), m.time(frozen)));
        }
        cover
    }

    /// The databases of a role, each build once.
    fn databases(&self, role: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for database in self.report.databases.iter().filter(|database| database.role == role) {
            let name = self.database(database);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn database(&self, database: &Database) -> String {
        let (m, name) = (&self.messages, database.name.as_str());
        match &database.built {
            Some(built) => say!(m, "cover-database-value", name = name, built = self.built(built)),
            None => say!(m, "cover-database-value-undated", name = name),
        }
    }

    /// A build's date or time, if it is one.
    pub(super) fn built(&self, built: &str) -> String {
        built.parse().map_or_else(|_| self.messages.time(built), |date| self.messages.date(date))
    }

    pub(super) fn alerts(&self) -> Vec<String> {
        let (m, report, quality) = (&self.messages, self.report, &self.report.quality);
        let mut alerts = Vec::new();
        if quality.uncounted > 0 {
            alerts.push(say!(m, "alert-uncounted", count = quality.uncounted));
        }
        if quality.mismatches > 0 {
            alerts.push(say!(m, "alert-mismatches", count = quality.mismatches));
        }
        if report.period.days_counted == 0 && report.totals.packets == 0 {
            alerts.push(say!(m, "alert-nothing"));
        } else {
            if report.period.observed < 0.999_5 {
                let hours: u64 = quality.gaps.iter().map(|gap| u64::from(gap.hours)).sum();
                alerts.push(say!(
                    m,
                    "alert-observed",
                    observed = m.share(report.period.observed),
                    gaps = quality.gaps.len(),
                    hours = hours,
                ));
            }
            let out = report.period.days.saturating_sub(report.period.days_counted);
            if out > 0 {
                alerts.push(say!(m, "alert-days", days = out, all = report.period.days));
            }
        }
        if let Some(dropped) = quality.nic_dropped.filter(|dropped| *dropped > 0) {
            alerts.push(say!(m, "alert-nic", packets = dropped));
        }
        let lost = quality.lost as f64 / quality.packets.max(1) as f64;
        if lost >= LOST_ALERT {
            alerts.push(say!(m, "alert-lost", packets = quality.lost, share = m.share(lost)));
        }
        if quality.pending > 0 {
            alerts.push(say!(m, "alert-pending", packets = quality.pending));
        }
        if quality.partial > 0 {
            alerts.push(say!(m, "alert-partial", packets = quality.partial));
        }
        if quality.cut {
            alerts.push(say!(m, "alert-cut"));
        }
        if report.tested.lit_only {
            alerts.push(say!(m, "alert-lit"));
        }
        if report.previous.days_counted == 0 {
            alerts.push(say!(m, "alert-first"));
        } else if !self.has_previous() {
            let observed = m.share(report.previous.observed);
            alerts.push(say!(
                m,
                "alert-previous",
                observed = observed,
                previous = self.period(&report.previous),
            ));
        } else {
            let out: Vec<String> = report
                .sensors
                .iter()
                .filter(|sensor| !sensor.compared)
                .map(|sensor| sensor.name.clone())
                .collect();
            if !out.is_empty() {
                alerts.push(say!(m, "alert-not-compared", names = m.list(&out)));
            }
        }
        alerts
    }

    pub(super) fn summary(&self) -> Vec<String> {
        let (m, totals) = (&self.messages, &self.report.totals);
        let period = self.period(&self.report.period);
        if totals.packets == 0 {
            return vec![say!(m, "summary-none", period = period)];
        }
        let mut total = vec![match totals.sources {
            Some(sources) => {
                say!(
                    m,
                    "summary-total",
                    period = period,
                    packets = totals.packets,
                    sources = m.about(sources)
                )
            }
            None => say!(m, "summary-total-no-sources", period = period, packets = totals.packets),
        }];
        total.extend(self.total_change());
        let mut summary = vec![self.sentences(&total)];
        summary.extend(self.top_ports());
        summary.extend(self.top_regions());
        summary.push(self.most_notable());
        summary
    }

    fn total_change(&self) -> Option<String> {
        let m = &self.messages;
        let change = self.report.totals.change?;
        let previous = self.period(&self.report.previous);
        if change.packets == 0 {
            return Some(say!(m, "summary-same", previous = previous));
        }
        let size = m.size_of_change(change.relative?);
        let all = self.report.sensors.iter().all(|sensor| sensor.compared);
        Some(match (change.packets > 0, all) {
            (true, true) => say!(m, "summary-more", change = size, previous = previous),
            (false, true) => say!(m, "summary-fewer", change = size, previous = previous),
            (true, false) => say!(m, "summary-more-compared", change = size, previous = previous),
            (false, false) => say!(m, "summary-fewer-compared", change = size, previous = previous),
        })
    }

    /// The first ports, and the one that came from the farthest.
    fn top_ports(&self) -> Option<String> {
        let m = &self.messages;
        let rows = self.shown(&self.report.ports);
        let (first, others) = rows.split_first()?;
        let (name, share) = (self.service_named(first.subject), m.share(first.share));
        let others: Vec<String> = others.iter().map(|row| self.service(row.subject)).collect();
        let mut sentences = vec![if others.is_empty() {
            say!(m, "summary-port", first = name, share = share)
        } else {
            let others = m.list(&others);
            match self.report.rank_by {
                RankBy::Packets => say!(m, "summary-ports", first = name, share = share, others = others),
                RankBy::Sources => {
                    say!(m, "summary-ports-sources", first = name, share = share, others = others)
                }
            }
        }];
        let came_from = |previous| match previous {
            PreviousRank::Rank(rank) => rank,
            PreviousRank::Outside(places) => places + 1,
            PreviousRank::New => u32::MAX,
            PreviousRank::Unknown => 0,
        };
        let risen = rows
            .iter()
            .filter(|row| came_from(row.previous) > row.rank)
            .max_by_key(|row| came_from(row.previous).saturating_sub(row.rank));
        if let Some(row) = risen {
            let (service, rank) = (self.service_named(row.subject), self.rank(row.rank));
            match row.previous {
                PreviousRank::Rank(previous) => sentences.push(say!(
                    m,
                    "summary-risen",
                    service = service,
                    previous = self.rank(previous),
                    rank = rank,
                )),
                PreviousRank::Outside(places) => {
                    sentences.push(say!(
                        m,
                        "summary-entered",
                        service = service,
                        outside = places,
                        rank = rank,
                    ));
                }
                PreviousRank::New => sentences.push(say!(m, "summary-new", service = service, rank = rank)),
                PreviousRank::Unknown => {}
            }
        }
        Some(self.sentences(&sentences))
    }

    fn top_regions(&self) -> Option<String> {
        let m = &self.messages;
        let (first, others) = self.shown(&self.report.regions).split_first()?;
        let (name, share) = (self.region_said(first.subject), m.share(first.share));
        if others.is_empty() {
            return Some(say!(m, "summary-region", first = name, share = share));
        }
        let others: Vec<String> = others.iter().map(|row| self.region_said(row.subject)).collect();
        Some(say!(m, "summary-regions", first = name, share = share, others = m.list(&others)))
    }

    fn most_notable(&self) -> String {
        let (m, findings) = (&self.messages, &self.report.findings);
        if findings.is_empty() {
            return if self.report.tested.no_history {
                say!(m, "summary-untested")
            } else {
                say!(m, "summary-quiet")
            };
        }
        let headings = findings
            .iter()
            .take(MOST_NAMED)
            .map(|finding| self.heading(finding))
            .reduce(|head, item| say!(m, "list-phenomena", head = head, item = item))
            .unwrap_or_default();
        say!(m, "summary-findings", count = findings.len(), headings = headings)
    }

    pub(super) fn footer(&self) -> Vec<String> {
        let (m, report) = (&self.messages, self.report);
        let mut footer =
            vec![say!(m, "footer-made", program = report.program.as_str(), made = m.time(&report.made))];
        footer.push(say!(m, "footer-figures"));
        if let Some(home) = report.home {
            footer.push(say!(m, "footer-home", region = self.region_said(home)));
        }
        footer.push(match report.profile {
            Profile::Publish => say!(m, "footer-publish", sources = report.parameters.period.least_sources),
            Profile::Internal => say!(m, "footer-internal"),
        });
        footer
    }

    /// Levels before and since, as a table's cell says them.
    pub(super) fn levels(&self, before: f64, since: f64) -> String {
        say!(self.messages, "detail-levels", before = level(before), since = level(since))
    }
}
