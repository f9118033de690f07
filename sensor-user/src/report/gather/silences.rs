//! Regions that fell silent, and stretches in which the sensors were blind.

use std::ops::Range;

use hashbrown::HashMap;

use super::{GatherError, Gathering};
use crate::{
    analysis::silence::{self, End, Reason, Seen, Series, Span},
    model::{Region, Role},
    report::model::{Blind, Finding, Levels, Silence, Tested, What},
    store::query::{Binned, Bins, Step},
};

/// Days before the period: 4 weeks of what is usual, and 4 of how much it varies.
const HISTORY_DAYS: usize = 56;
const DAY_HOURS: u32 = 24;
/// A day does not count if so many of its hours were blind.
const BLIND_HOURS: u32 = 5;
/// What hides everything else is told first.
const BLIND_WEIGHT: f64 = 10.0;
/// Days before a silence whose packets are told beside it.
const LEVEL_DAYS: usize = 28;

/// What came of it.
pub struct Silent {
    pub findings: Vec<Finding>,
    /// Regions that fell silent, and on which days of the panel.
    pub regions: Vec<(Region, Range<usize>)>,
    /// Days of the panel that do not count.
    pub blind_days: Vec<usize>,
    pub tested: Tested,
}

impl Gathering<'_> {
    pub fn silences(&self) -> Result<Silent, GatherError> {
        let mut silent = Silent {
            findings: Vec::new(),
            regions: Vec::new(),
            blind_days: Vec::new(),
            tested: Tested { lit_only: self.is_lit_only(), ..Tested::default() },
        };
        let dark: Vec<usize> = self
            .tested
            .iter()
            .copied()
            .filter(|&place| self.panel.sensors[place].role != Role::Lit)
            .collect();
        if dark.is_empty() || self.now.is_empty() {
            return Ok(silent);
        }
        let parameters = &self.request.parameters.silence;
        let first = self.now.start.saturating_sub(HISTORY_DAYS);
        let days = first..self.now.end;
        let hours = |days: usize| u32::try_from(days).unwrap_or(u32::MAX).saturating_mul(DAY_HOURS);
        let span = Span { history: hours(self.now.start - first), period: hours(self.now.len()) };
        let (from, to) = (self.panel.days[first].start, self.panel.days[self.now.end - 1].end());

        let nothing = self.nothing(from, to, first)?;
        let rows = self.rows(&dark);
        let binned = |lengths: &[u32], regions: Option<&[Region]>| {
            self.reader.sources_by_bin(&Bins {
                from,
                to,
                hours: lengths,
                regions,
                sensors: (!self.is_all(&dark)).then_some(&rows[..]),
                least_observed: self.request.parameters.period.least_observed,
            })
        };
        let by_day = binned(&[DAY_HOURS], None)?;
        let Some(daily) = by_day.first() else { return Ok(silent) };
        let mut regions: Vec<Region> =
            daily.regions.keys().copied().filter(|region| region.is_ranked()).collect();
        regions.sort_unstable();
        // Shorter bins of those that have enough sources a day on some day.
        let enough = |region: &Region| {
            let sources = daily.regions.get(region).map(|series| &series.sources);
            sources.into_iter().flatten().flatten().any(|&sources| sources >= parameters.usual)
        };
        let many: Vec<Region> = regions.iter().copied().filter(enough).collect();
        let lengths: Vec<u32> = parameters.bins.iter().copied().filter(|&hours| hours < DAY_HOURS).collect();
        let shorter =
            if many.is_empty() || lengths.is_empty() { Vec::new() } else { binned(&lengths, None)? };
        let all: HashMap<u32, Vec<Option<f64>>> =
            by_day.iter().chain(&shorter).map(|binned| (binned.hours, everybody(binned))).collect();
        let series = |region: Region, hours: u32| {
            let binned = by_day.iter().chain(&shorter).find(|binned| binned.hours == hours);
            let of_region = binned.and_then(|binned| binned.regions.get(&region));
            Ok::<_, GatherError>(of_region.zip(all.get(&hours)).map(|(of_region, all)| {
                // A bin without a packet of the region is no gap.
                let sources = of_region.sources.iter().zip(all);
                Series::among(sources.map(|(own, all)| own.or(all.map(|_| 0.0))).collect(), all)
            }))
        };
        let outcome = silence::find(&regions, span, &nothing, series, parameters)?;

        let all_hours: f64 = all
            .get(&DAY_HOURS)
            .into_iter()
            .flatten()
            .skip(self.now.start - first)
            .flatten()
            .map(|sources| sources * f64::from(DAY_HOURS))
            .sum();
        let mut blind: Vec<(Range<u32>, Reason)> =
            nothing.into_iter().map(|hours| (hours, Reason::Nothing)).collect();
        blind.extend(outcome.blind.iter().map(|hours| (hours.clone(), Reason::AllRegions)));
        for (hours, reason) in &blind {
            if hours.end > span.history {
                let (from, to) = (self.at_hour(first, hours.start), self.at_hour(first, hours.end));
                silent.findings.push(Finding {
                    id: format!(
                        "blind-{}-{:02}",
                        self.date(first + (hours.start / DAY_HOURS) as usize),
                        hours.start % DAY_HOURS
                    ),
                    weight: BLIND_WEIGHT,
                    what: What::Blind(Blind {
                        from: self.zone.rfc3339(from),
                        to: self.zone.rfc3339(to),
                        hours: hours.end - hours.start,
                        reason: *reason,
                    }),
                });
            }
        }
        silent.blind_days = days
            .clone()
            .filter(|day| {
                let begin = hours(day - first);
                let of_day = begin..begin + DAY_HOURS;
                let blind = blind.iter().map(|(hours, _)| {
                    hours.end.min(of_day.end).saturating_sub(hours.start.max(of_day.start))
                });
                blind.sum::<u32>() >= BLIND_HOURS
            })
            .collect();
        for found in outcome.silences {
            let days =
                first + (found.onset / DAY_HOURS) as usize..first + found.end.div_ceil(DAY_HOURS) as usize;
            silent.regions.push((found.region, days.clone()));
            let packets =
                daily.regions.get(&found.region).map(|series| &series.packets[..]).unwrap_or_default();
            let within = days.start - first..days.end - first;
            let before = within.start.saturating_sub(LEVEL_DAYS)..within.start;
            let onset = self.at_hour(first, found.onset);
            silent.findings.push(Finding {
                id: format!("silence-{}-{}", found.region, self.zone.date_of(onset)),
                weight: if all_hours > 0.0 { found.missing / all_hours } else { 0.0 },
                what: What::Silence(Silence {
                    region: found.region,
                    onset: self.zone.rfc3339(onset),
                    end: (found.state != End::Continuing)
                        .then(|| self.zone.rfc3339(self.at_hour(first, found.end))),
                    bin_hours: found.bin,
                    hours: found.end - found.onset,
                    level_change: found.state == End::NewLevel,
                    usual: found.usual,
                    least: found.least,
                    depth: found.depth,
                    missing: found.missing,
                    packets: Levels { before: mean(packets, &before), since: mean(packets, &within) },
                }),
            });
        }
        silent.tested.silence_regions = u32::try_from(outcome.tested.len()).unwrap_or(u32::MAX);
        silent.tested.not_testable = outcome.not_testable;
        Ok(silent)
    }

    /// The second of an hour, since the begin of a day of the panel: days have 24 of them, the last one longer or
    /// shorter where a clock was set.
    fn at_hour(&self, first: usize, hour: u32) -> i64 {
        let day = first + (hour / DAY_HOURS) as usize;
        match self.panel.days.get(day) {
            Some(day) => (day.start + i64::from(hour % DAY_HOURS) * 3600).min(day.end()),
            None => self.panel.days.last().map_or(0, |last| last.end()),
        }
    }

    /// Hours in which nothing arrived at all although it was observed, since the begin of a day of the panel.
    fn nothing(&self, from: i64, to: i64, first: usize) -> Result<Vec<Range<u32>>, GatherError> {
        let seen: Vec<Seen> = self
            .reader
            .quality(from, to, Step::Hour)?
            .into_iter()
            .map(|hour| Seen {
                start: hour.start,
                seconds: u32::try_from((hour.observed_ns / 1_000_000_000).min(hour.seconds)).unwrap_or(0),
                packets: hour.packets,
            })
            .collect();
        let usual = silence::usual_rate(&seen).unwrap_or(0.0);
        let stretches = silence::nothing(&seen, usual, &self.request.parameters.silence);
        let hour_at = |second: i64| {
            let day = self.panel.day_at(second).map_or(self.panel.days.len(), |day| day.max(first));
            let into = self.panel.days.get(day).map_or(0, |day| ((second - day.start) / 3600).clamp(0, 23));
            (day - first) as u32 * DAY_HOURS + into as u32
        };
        let hours = stretches.into_iter().map(|stretch| hour_at(stretch.start)..hour_at(stretch.end - 1) + 1);
        Ok(hours.collect())
    }
}

/// Unique sources of all regions together: a source has one region.
fn everybody(binned: &Binned) -> Vec<Option<f64>> {
    let least = (0..binned.starts.len()).map(|bin| {
        let sources = binned
            .regions
            .iter()
            .filter(|(region, _)| region.is_ranked())
            .filter_map(|(_, series)| series.sources.get(bin).copied().flatten());
        let (sum, count) = sources.fold((0.0, 0u32), |(sum, count), sources| (sum + sources, count + 1));
        (count > 0).then_some(sum)
    });
    least.collect()
}

fn mean(packets: &[Option<u64>], days: &Range<usize>) -> f64 {
    let valid: Vec<u64> = packets.get(days.clone()).into_iter().flatten().copied().flatten().collect();
    if valid.is_empty() { 0.0 } else { valid.iter().sum::<u64>() as f64 / valid.len() as f64 }
}
