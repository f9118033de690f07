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
        part.withheld = withhold(&mut part.ports, |row| few.contains(&row.service).then_some(row.rank));
    }
    report.ports.withheld =
        withhold(&mut report.ports.rows, |row| few.contains(&row.subject).then_some(row.rank));
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
        report.surveys.withheld = withhold(rows, |row| few.contains(&row.subject).then_some(row.rank));
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

/// Takes rows out of a ranking: those of which `rank` is told, which are returned.
fn withhold<T>(rows: &mut Vec<T>, rank: impl Fn(&T) -> Option<u32>) -> Vec<u32> {
    let withheld = rows.iter().filter_map(&rank).collect();
    rows.retain(|row| rank(row).is_none());
    withheld
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn sensors_go_by_their_aliases() {
        let mut report = sample::sample();
        let names: Vec<String> = report.sensors.iter().map(|sensor| sensor.name.clone()).collect();
        assert!(names.len() >= 2 && report.parts.iter().any(|part| part.name == names[0]));
        report.sensors[0].alias = Some("A1".to_owned());
        report.sensors[0].filtered = vec![sample::service("25/tcp")];
        let published = published(report);
        assert_eq!(published.profile, Profile::Publish);
        assert_eq!(published.sensors[0].name, "A1");
        assert_eq!(published.sensors[1].name, "2", "without an alias by its number");
        assert!(published.parts.iter().any(|part| part.name == "A1"));
        let text = serde_json::to_string(&published).unwrap();
        for name in names {
            assert!(!text.contains(&format!("\"{name}\"")), "{name}");
        }
        assert!(published.sensors.iter().all(|sensor| sensor.alias.is_none() && sensor.filtered.is_empty()));
        assert!(published.surveys.rows.is_empty());
    }

    #[test]
    fn services_of_few_sources_are_nowhere() {
        let mut report = sample::sample();
        let service = report.ports.rows[2].subject;
        let quoted = format!("\"{service}\"");
        report.few_sources = vec![service];
        assert!(serde_json::to_string(&report).unwrap().contains(&quoted));
        let (rows, ranks) = (report.ports.rows.len(), report.ports.rows[3].rank);
        let published = published(report);
        assert_eq!(published.ports.rows.len(), rows - 1);
        assert_eq!(published.ports.rows[2].rank, ranks, "the others keep their ranks");
        assert_eq!(published.ports.withheld, [3]);
        // What answers and what is attacked are other people's services.
        let mut own = published.clone();
        own.backscatter = crate::report::model::Backscatter::default();
        assert!(!serde_json::to_string(&own).unwrap().contains(&quoted));
    }
}
