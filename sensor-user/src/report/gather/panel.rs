//! Who watched on which day: exposure, days that count, sensors that are compared.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    model::{Role, Service, Slot},
    store::query::{Exposure, KeptSensor},
};

/// A sensor by its name, over all of its definitions.
#[derive(Clone, Debug)]
pub struct Watch {
    pub name: String,
    pub alias: Option<String>,
    pub group: Option<String>,
    pub role: Role,
    pub addresses: Option<u64>,
    pub filtered: Vec<Service>,
    /// Its rows in the store.
    pub rows: Vec<i64>,
    /// Seconds observed × addresses by day, and what a whole day would give. Where addresses are not known they count
    /// as one.
    exposure: Vec<f64>,
    nominal: Vec<f64>,
    /// What it watched, by day; `None` where it did not.
    prefixes: Vec<Option<String>>,
    /// The first and the last day on which it watched.
    span: Option<(usize, usize)>,
}

impl Watch {
    /// The first and the last of some days on which it watched.
    pub fn first_and_last(&self, days: &Range<usize>) -> Option<(usize, usize)> {
        let mut watched = days.clone().filter(|&day| self.exposure[day] > 0.0);
        let first = watched.next()?;
        Some((first, watched.next_back().unwrap_or(first)))
    }

    fn is_within(&self, day: usize) -> bool {
        self.span.is_some_and(|(first, last)| (first..=last).contains(&day))
    }

    /// All that it watched in some days.
    fn watched(&self, days: &Range<usize>) -> Vec<&str> {
        let mut all: Vec<&str> = self.prefixes[days.clone()].iter().flatten().map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// All sensors over all days that a report reads.
#[derive(Clone, Debug)]
pub struct Panel {
    pub days: Vec<Slot>,
    pub sensors: Vec<Watch>,
    /// Days that do not count whatever was observed: everything was blind.
    blind: Vec<bool>,
    least_observed: f64,
}

impl Panel {
    /// From the store's rows. `names`: only these, unless there are none.
    pub fn new(
        days: Vec<Slot>,
        kept: Vec<KeptSensor>,
        exposures: &[Exposure],
        names: &[String],
        least_observed: f64,
    ) -> Self {
        let mut by_name: BTreeMap<String, Vec<KeptSensor>> = BTreeMap::new();
        for sensor in kept.into_iter().filter(|sensor| names.is_empty() || names.contains(&sensor.name)) {
            by_name.entry(sensor.name.clone()).or_default().push(sensor);
        }
        let sensors = by_name.into_values().filter_map(|definitions| {
            let last = definitions.iter().max_by_key(|sensor| (sensor.valid_from, sensor.row))?.clone();
            let mut watch = Watch {
                name: last.name,
                alias: last.alias,
                group: last.group,
                role: last.role,
                addresses: last.addresses,
                filtered: last.filtered,
                rows: definitions.iter().map(|sensor| sensor.row).collect(),
                exposure: vec![0.0; days.len()],
                nominal: vec![0.0; days.len()],
                prefixes: vec![None; days.len()],
                span: None,
            };
            for exposure in exposures {
                let Some(definition) = definitions.iter().find(|sensor| sensor.row == exposure.sensor) else {
                    continue;
                };
                let Some(day) = day_of(&days, exposure.start) else { continue };
                let addresses = definition.addresses.unwrap_or(1) as f64;
                let whole = days[day].seconds as f64;
                let seconds = (exposure.observed_ns as f64 / 1e9).min(whole);
                if seconds > 0.0 {
                    watch.exposure[day] = (watch.exposure[day] + addresses * seconds).min(addresses * whole);
                    watch.nominal[day] = watch.nominal[day].max(addresses * whole);
                    watch.prefixes[day] = Some(definition.prefixes.clone());
                }
            }
            // Where it did not watch for a while it should have.
            watch.span = watch.first_and_last(&(0..days.len()));
            if let Some((first, last)) = watch.span {
                let mut nominal = 0.0;
                for day in first..=last {
                    match watch.nominal[day] {
                        0.0 => watch.nominal[day] = nominal,
                        known => nominal = known,
                    }
                }
            }
            Some(watch)
        });
        Self { blind: vec![false; days.len()], sensors: sensors.collect(), days, least_observed }
    }

    /// The place of a day that begins at a second.
    pub fn day_at(&self, start: i64) -> Option<usize> {
        day_of(&self.days, start)
    }

    /// Takes a day out: everything was blind.
    pub fn set_blind(&mut self, day: usize) {
        if let Some(blind) = self.blind.get_mut(day) {
            *blind = true;
        }
    }

    /// Sensors that watched at all in some days.
    pub fn present(&self, days: &Range<usize>) -> Vec<usize> {
        let present = |place: &usize| self.sensors[*place].first_and_last(days).is_some();
        (0..self.sensors.len()).filter(present).collect()
    }

    /// Sensors that watched the same in both.
    pub fn compared(&self, before: &Range<usize>, now: &Range<usize>) -> Vec<usize> {
        let same = |watch: &Watch| {
            let watched = watch.watched(now);
            !watched.is_empty() && watched == watch.watched(before)
        };
        (0..self.sensors.len()).filter(|&place| same(&self.sensors[place])).collect()
    }

    /// What some sensors watched on a day of what they should have, in addresses × seconds. A service that is filtered
    /// upstream of a sensor is not observed there.
    fn observed_on(&self, sensors: &[usize], service: Option<Service>, day: usize) -> (f64, f64) {
        let mut sum = (0.0, 0.0);
        for watch in sensors.iter().map(|&place| &self.sensors[place]) {
            if watch.is_within(day) && !service.is_some_and(|service| watch.filtered.contains(&service)) {
                sum.0 += watch.exposure[day];
                sum.1 += watch.nominal[day];
            }
        }
        sum
    }

    /// The part of a day that was observed by those who should have; 0 where nobody was there.
    pub fn observed(&self, sensors: &[usize], day: usize) -> f64 {
        let (observed, nominal) = self.observed_on(sensors, None, day);
        if nominal > 0.0 { observed / nominal } else { 0.0 }
    }

    /// Whether a day counts.
    pub fn counts(&self, sensors: &[usize], day: usize) -> bool {
        !self.blind[day] && self.observed(sensors, day) >= self.least_observed
    }

    /// The scales of all services at these sensors.
    pub fn scales(&self, sensors: &[usize]) -> Scales {
        let filtered = sensors.iter().flat_map(|&place| &self.sensors[place].filtered);
        Scales {
            unfiltered: self.scale(sensors, None),
            filtered: filtered.map(|&service| (service, self.scale(sensors, Some(service)))).collect(),
        }
    }

    /// How packets of these sensors become those of whole days of all of them.
    pub fn scale(&self, sensors: &[usize], service: Option<Service>) -> Scale {
        let days = (0..self.days.len()).map(|day| self.observed_on(sensors, service, day));
        let days: Vec<(f64, f64)> = days.collect();
        let mut whole: Vec<f64> = days.iter().map(|&(_, nominal)| nominal).filter(|&n| n > 0.0).collect();
        whole.sort_unstable_by(f64::total_cmp);
        let observed = days.into_iter().zip(&self.blind).map(|((observed, nominal), &blind)| {
            let counts = !blind && observed > 0.0 && observed >= self.least_observed * nominal;
            counts.then_some(observed)
        });
        let observed: Vec<Option<f64>> = observed.collect();
        let mut counted = vec![0];
        counted.extend(observed.iter().scan(0, |sum, day| {
            *sum += usize::from(day.is_some());
            Some(*sum)
        }));
        Scale { usual: whole.get(whole.len() / 2).copied().unwrap_or(0.0), observed, counted }
    }
}

/// The same of every service: few are filtered anywhere.
#[derive(Clone, Debug)]
pub struct Scales {
    unfiltered: Scale,
    filtered: BTreeMap<Service, Scale>,
}

impl Scales {
    /// That of a service, or of all services together.
    pub fn of(&self, service: Option<Service>) -> &Scale {
        service.and_then(|service| self.filtered.get(&service)).unwrap_or(&self.unfiltered)
    }
}

/// How packets of some sensors become those of whole days of all of them.
#[derive(Clone, Debug)]
pub struct Scale {
    /// What a usual day of them would be if it were observed wholly, in addresses × seconds.
    usual: f64,
    /// What was observed of each day; `None` where it does not count.
    observed: Vec<Option<f64>>,
    /// How many days count before each day, and in the end all of them.
    counted: Vec<usize>,
}

impl Scale {
    /// Packets of a day; `None` if it does not count.
    pub fn whole(&self, day: usize, packets: u64) -> Option<f64> {
        let observed = self.observed.get(day).copied().flatten()?;
        Some(packets as f64 * self.usual / observed)
    }

    /// Packets of all days; `None` where a day does not count.
    pub fn days(&self, packets: &[u64]) -> Vec<Option<f64>> {
        packets.iter().enumerate().map(|(day, &packets)| self.whole(day, packets)).collect()
    }

    /// How many of some days count.
    pub fn counted(&self, days: &Range<usize>) -> usize {
        let before = |day: usize| self.counted[day.min(self.observed.len())];
        before(days.end).saturating_sub(before(days.start))
    }

    /// Mean of those of some days that count. `packets`: of the days that have any.
    pub fn mean(&self, packets: impl Iterator<Item = (usize, u64)>, days: &Range<usize>) -> f64 {
        let within = packets.filter(|(day, _)| days.contains(day));
        let sum =
            within.filter_map(|(day, packets)| self.whole(day, packets)).fold(0.0, |sum, day| sum + day);
        match self.counted(days) {
            0 => 0.0,
            counted => sum / counted as f64,
        }
    }
}

fn day_of(days: &[Slot], start: i64) -> Option<usize> {
    let place = days.partition_point(|day| day.start <= start).checked_sub(1)?;
    (start < days[place].end()).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    const DAY: i64 = 86_400;
    const TELNET: Service = Service { protocol: Protocol::Tcp, number: 23 };

    fn sensor(row: i64, name: &str, prefixes: &str, addresses: u64) -> KeptSensor {
        KeptSensor {
            row,
            name: name.to_owned(),
            alias: None,
            role: Role::Dark,
            group: None,
            prefixes: prefixes.to_owned(),
            addresses: Some(addresses),
            filtered: Vec::new(),
            valid_from: Some(row),
            valid_to: None,
        }
    }

    /// Parts of days, from a day on.
    fn exposures(sensor: i64, from: i64, parts: &[f64]) -> Vec<Exposure> {
        let of = |(day, &part): (i64, &f64)| Exposure {
            sensor,
            start: day * DAY,
            seconds: 86_400,
            observed_ns: (part * 86_400e9) as u64,
            packets: 0,
        };
        (from..).zip(parts).map(of).collect()
    }

    fn panel(days: i64, kept: Vec<KeptSensor>, exposures: &[Vec<Exposure>]) -> Panel {
        let days = (0..days).map(|day| Slot { start: day * DAY, seconds: DAY }).collect();
        Panel::new(days, kept, &exposures.concat(), &[], 0.8)
    }

    #[test]
    fn days_count_by_what_should_have_been_observed() {
        let kept = vec![sensor(1, "a", "192.0.2.0/30", 4)];
        let panel = panel(6, kept, &[exposures(1, 1, &[1.0, 0.79, 0.8, 0.0, 1.0])]);
        let counts: Vec<bool> = (0..6).map(|day| panel.counts(&[0], day)).collect();
        assert_eq!(counts, [false, true, false, true, false, true], "before it came nothing counts");
        assert_eq!(panel.observed(&[0], 4), 0.0, "a gap is not the end of a sensor");
        let normalised = panel.scale(&[0], None).days(&[7, 10, 10, 8, 0, 10]);
        assert_eq!(normalised[0], None);
        assert_eq!(normalised[2], None);
        assert_eq!(normalised[3].map(f64::round), Some(10.0), "four fifths of a day");
    }

    #[test]
    fn sensors_come_and_go() {
        let kept = vec![
            sensor(1, "a", "192.0.2.0/30", 4),
            sensor(2, "b", "198.51.100.0/30", 4),
            sensor(3, "c", "203.0.113.0/30", 4),
            sensor(4, "c", "203.0.113.0/29", 8),
        ];
        let panel = panel(
            4,
            kept,
            &[
                exposures(1, 0, &[1.0; 4]),
                exposures(2, 2, &[1.0; 2]),
                exposures(3, 0, &[1.0; 2]),
                exposures(4, 2, &[1.0; 2]),
            ],
        );
        let (before, now) = (0..2, 2..4);
        assert_eq!(panel.present(&now), [0, 1, 2]);
        assert_eq!(panel.compared(&before, &now), [0], "one came, one watches more than before");
        assert_eq!(panel.sensors[2].addresses, Some(8), "as it was last");
        // Both days are whole, by those who were there.
        assert!(panel.counts(&[0, 1], 0) && panel.counts(&[0, 1], 3));
        let normalised = panel.scale(&[0, 1], None).days(&[10, 10, 20, 20]);
        assert_eq!(normalised, [Some(20.0); 4], "twice the addresses, twice the packets");
    }

    #[test]
    fn what_is_filtered_is_not_observed() {
        let mut filtered = sensor(2, "b", "198.51.100.0/30", 4);
        filtered.filtered = vec![TELNET];
        let kept = vec![sensor(1, "a", "192.0.2.0/30", 4), filtered];
        let panel = panel(2, kept, &[exposures(1, 0, &[1.0, 0.5]), exposures(2, 0, &[1.0, 1.0])]);
        assert_eq!(panel.scale(&[0, 1], None).days(&[8, 8])[0], Some(8.0));
        assert_eq!(panel.scale(&[1], Some(TELNET)).days(&[8, 8]), [None, None]);
        assert_eq!(panel.scale(&[0, 1], Some(TELNET)).days(&[8, 8]), [Some(8.0), None]);
    }

    #[test]
    fn services_that_are_filtered_somewhere_have_scales_of_their_own() {
        let mut filtered = sensor(2, "b", "198.51.100.0/30", 4);
        filtered.filtered = vec![TELNET];
        let kept = vec![sensor(1, "a", "192.0.2.0/30", 4), filtered];
        let panel = panel(3, kept, &[exposures(1, 0, &[1.0; 3]), exposures(2, 0, &[1.0, 0.5, 1.0])]);
        let scales = panel.scales(&[0, 1]);
        let web = Service { protocol: Protocol::Tcp, number: 80 };
        let days = |service| scales.of(service).days(&[8, 9, 0]);
        assert_eq!(days(None), [Some(8.0), None, Some(0.0)]);
        assert_eq!(days(Some(web)), days(None));
        assert_eq!(days(Some(TELNET)), [Some(8.0), Some(9.0), Some(0.0)]);
        // The mean is that of the days that count, with packets or without.
        let mean = |service| scales.of(service).mean([(0, 8), (1, 9)].into_iter(), &(0..3));
        assert_eq!((mean(None), mean(Some(TELNET))), (4.0, 17.0 / 3.0));
        assert_eq!((scales.of(None).counted(&(0..3)), scales.of(None).counted(&(1..2))), (2, 0));
        assert_eq!(scales.of(None).mean([(1, 9)].into_iter(), &(1..2)), 0.0);
    }

    #[test]
    fn blind_days_do_not_count() {
        let kept = vec![sensor(1, "a", "192.0.2.0/30", 4)];
        let mut panel = panel(2, kept, &[exposures(1, 0, &[1.0, 1.0])]);
        panel.set_blind(1);
        assert!(panel.counts(&[0], 0) && !panel.counts(&[0], 1));
        assert_eq!(panel.scale(&[0], None).days(&[3, 3]), [Some(3.0), None]);
    }
}
