//! Charts: lines over days, with what is known to have happened.

use jiff::civil::{Date, Weekday};

use super::{Writer, level, say};
use crate::{
    model::{Region, Service},
    report::{
        lang::rate,
        model::{Finding, Trend, TrendLine, What},
        page::{Block, Chart, DayMark, Line},
    },
};

/// Up to so many days each has its tick, up to so many each Monday, up to so many each month; then each quarter.
const EACH_DAY: usize = 10;
const EACH_WEEK: usize = 62;
const EACH_MONTH: usize = 400;
/// Longest label of a mark, in characters.
const LONGEST_LABEL: usize = 48;

impl Writer<'_> {
    pub(super) fn trends(&self) -> Vec<Block> {
        let (m, report) = (&self.messages, self.report);
        let ports: Vec<Service> = self.shown(&report.ports).iter().map(|row| row.subject).collect();
        let regions: Vec<Region> = self.shown(&report.regions).iter().map(|row| row.subject).collect();
        let ports = lines(&report.port_trend, &ports);
        let regions = lines(&report.region_trend, &regions);
        let mut blocks = Vec::new();
        if is_drawn(&ports) {
            let marks = self.advisory_marks(report.port_trend.first, ports.iter().map(|line| line.subject));
            blocks.push(Block::Chart(self.chart(
                "trend-ports".into(),
                say!(m, "chart-ports", count = ports.len()),
                &report.port_trend,
                ports.iter().map(|line| (self.service(line.subject), line.values.as_slice())),
                marks,
            )));
        }
        if is_drawn(&regions) {
            blocks.push(Block::Chart(self.chart(
                "trend-regions".into(),
                say!(m, "chart-regions", count = regions.len()),
                &report.region_trend,
                regions.iter().map(|line| (self.region(line.subject), line.values.as_slice())),
                Vec::new(),
            )));
        }
        if blocks.is_empty() {
            return vec![Block::Paragraph(say!(m, "trend-none"))];
        }
        let least = m.share(report.parameters.period.least_observed);
        blocks.push(Block::Note(say!(m, "trend-gaps", least = least)));
        blocks
    }

    /// The chart of a finding's subject, where its days are known.
    pub(super) fn chart_of(&self, finding: &Finding, mark: Option<Date>) -> Option<Chart> {
        let report = self.report;
        let (service, region) = match &finding.what {
            What::Surge(surge) => (surge.subject.service, surge.subject.region),
            What::Silence(silence) => (None, Some(silence.region)),
            What::Newcomer(newcomer) => (Some(newcomer.service), None),
            What::Blind(_) => (None, None),
        };
        let id = format!("chart-{}", finding.id);
        match (service, region) {
            (Some(service), None) => {
                let line = report.port_trend.series.iter().find(|line| line.subject == service)?;
                self.single(id, self.service_named(service), &report.port_trend, &line.values, mark)
            }
            (None, Some(region)) => {
                let line = report.region_trend.series.iter().find(|line| line.subject == region)?;
                self.single(id, self.region(region), &report.region_trend, &line.values, mark)
            }
            _ => None,
        }
    }

    fn single<S>(
        &self,
        id: String,
        name: String,
        trend: &Trend<S>,
        values: &[Option<f64>],
        onset: Option<Date>,
    ) -> Option<Chart> {
        let m = &self.messages;
        values.iter().any(Option::is_some).then(|| {
            let day = onset.and_then(|onset| day_of(trend.first, onset, values.len()));
            let marks = day.map(|day| DayMark { day, label: say!(m, "chart-onset") });
            let title = say!(m, "chart-finding", subject = name.as_str());
            self.chart(id, title, trend, [(name, values)].into_iter(), marks.into_iter().collect())
        })
    }

    fn chart<'v, S>(
        &self,
        id: String,
        title: String,
        trend: &Trend<S>,
        lines: impl Iterator<Item = (String, &'v [Option<f64>])>,
        marks: Vec<DayMark>,
    ) -> Chart {
        let m = &self.messages;
        let lines: Vec<Line> = lines.map(|(name, values)| Line { name, values: values.to_vec() }).collect();
        let days = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
        let last = day_at(trend.first, days.saturating_sub(1)).unwrap_or(trend.first);
        let mut description = vec![say!(m, "chart-description", dates = m.dates(trend.first, last))];
        description.extend(lines.iter().map(|line| self.line(line, trend.is_rate)));
        let marks = marks.into_iter().filter(|mark| mark.day < days).collect();
        Chart {
            id,
            title,
            description: self.sentences(&description),
            unit: if trend.is_rate { say!(m, "chart-unit-rate") } else { say!(m, "chart-unit-packets") },
            first: trend.first,
            ticks: self.ticks(trend.first, days),
            marks,
            from: day_of(trend.first, self.report.period.first, days).unwrap_or(0),
            lines,
        }
    }

    fn line(&self, line: &Line, is_rate: bool) -> String {
        let m = &self.messages;
        let name = line.name.as_str();
        let values: Vec<f64> = line.values.iter().flatten().copied().collect();
        if values.is_empty() {
            return say!(m, "chart-line-empty", name = name);
        }
        let figure = |value| if is_rate { rate(value) } else { level(value) };
        say!(
            m,
            "chart-line",
            name = name,
            mean = figure(values.iter().sum::<f64>() / values.len() as f64),
            least = figure(values.iter().copied().fold(f64::INFINITY, f64::min)),
            most = figure(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        )
    }

    /// Days, Mondays, or firsts of months or quarters, whichever are not too many. The first of a year has the year.
    fn ticks(&self, first: Date, days: usize) -> Vec<(usize, String)> {
        let m = &self.messages;
        let mut ticks: Vec<(usize, String)> = Vec::new();
        for (index, date) in (0..days).filter_map(|index| Some((index, day_at(first, index)?))) {
            let label = if days <= EACH_DAY || days <= EACH_WEEK && date.weekday() == Weekday::Monday {
                m.date_short(date)
            } else if days <= EACH_WEEK || date.day() != 1 {
                continue;
            } else if days > EACH_MONTH && date.month() % 3 != 1 {
                continue;
            } else if ticks.is_empty() || date.month() == 1 {
                say!(m, "month-short-year", month = date.month(), year = date.year().to_string())
            } else {
                say!(m, "month-short", month = date.month())
            };
            ticks.push((index, label));
        }
        ticks
    }

    fn advisory_marks(&self, first: Date, services: impl Iterator<Item = Service>) -> Vec<DayMark> {
        let services: Vec<Service> = services.collect();
        let known = self
            .report
            .advisories
            .iter()
            .filter(|advisory| advisory.services.iter().any(|known| services.contains(&known.service)));
        known
            .filter_map(|advisory| {
                let day = day_of(first, advisory.date, usize::MAX)?;
                let label = advisory.id.as_ref().unwrap_or(&advisory.title);
                Some(DayMark { day, label: shortened(label) })
            })
            .collect()
    }
}

/// The lines of these subjects, in their order.
fn lines<'r, S: PartialEq>(trend: &'r Trend<S>, subjects: &[S]) -> Vec<&'r TrendLine<S>> {
    subjects.iter().filter_map(|subject| trend.series.iter().find(|line| line.subject == *subject)).collect()
}

fn is_drawn<S>(lines: &[&TrendLine<S>]) -> bool {
    lines.iter().any(|line| line.values.iter().any(Option::is_some))
}

fn day_at(first: Date, index: usize) -> Option<Date> {
    let days = i64::try_from(index).ok()?;
    first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Index of a day, if it is one of so many from the first on.
fn day_of(first: Date, date: Date, days: usize) -> Option<usize> {
    let index = usize::try_from((date - first).get_days()).ok()?;
    (index < days).then_some(index)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_LABEL {
        return text.to_owned();
    }
    let head: String = text.chars().take(LONGEST_LABEL - 1).collect();
    format!("{}…", head.trim_end())
}
