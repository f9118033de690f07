//! What may be published: aliases only, and nothing that lets attackers find sensors.

use std::collections::{BTreeMap, HashSet};

use super::model::{Profile, Report, What};
use crate::model::Service;

/// The report without what is for those who run the sensors: sensors go by their aliases (by numbers where they have
/// none), services that too few sources sent to are left out, and so are the prefixes of survey scanners and services
/// that are filtered upstream.
#[must_use]
pub fn published(mut report: Report) -> Report {
    report.profile = Profile::Publish;
    let few: HashSet<Service> = std::mem::take(&mut report.few_sources).into_iter().collect();
    let hidden = |service: Option<Service>| service.is_some_and(|service| few.contains(&service));

    let mut names = BTreeMap::new();
    for (sensor, number) in report.sensors.iter_mut().zip(1u32..) {
        let name = sensor.alias.take().unwrap_or_else(|| number.to_string());
        names.insert(std::mem::replace(&mut sensor.name, name.clone()), name);
        sensor.filtered.clear();
    }
    for part in &mut report.parts {
        if !part.is_group
            && let Some(name) = names.get(&part.name)
        {
            part.name.clone_from(name);
        }
        part.ports.retain(|row| !few.contains(&row.service));
    }
    report.ports.rows.retain(|row| !few.contains(&row.subject));
    report.port_trend.series.retain(|line| !few.contains(&line.subject));
    report.findings.retain(|finding| match &finding.what {
        What::Surge(surge) => !hidden(surge.subject.service),
        What::Newcomer(newcomer) => !few.contains(&newcomer.service),
        What::Silence(_) | What::Blind(_) => true,
    });
    for finding in &mut report.findings {
        if let What::Surge(surge) = &mut finding.what {
            surge.services.retain(|row| !few.contains(&row.subject));
        }
    }
    report.tools.by_port.retain(|row| !few.contains(&row.subject));
    report.surveys.rows.clear();
    if let Some(rows) = &mut report.surveys.ports_without {
        rows.retain(|row| !few.contains(&row.subject));
    }
    let told: HashSet<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    for advisory in &mut report.advisories {
        advisory.services.retain(|service| !few.contains(&service.service));
        for service in &mut advisory.services {
            service.findings.retain(|id| told.contains(id.as_str()));
        }
    }
    report.advisories.retain(|advisory| !advisory.services.is_empty());
    report.corrections.retain(|correction| !hidden(correction.subject.service));
    report
}
