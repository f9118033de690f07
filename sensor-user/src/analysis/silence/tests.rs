//! Made-up series of which the answer is known.

use std::convert::Infallible;

use rand::TryRng;
use rand_distr::{Distribution, Gamma, Poisson};

use super::*;

const SPAN: Span = Span { history: 56 * 24, period: 91 * 24 };
const DAYS: usize = 147;
/// First day of the period.
const FROM: usize = 56;

/// SplitMix64.
struct Random(u64);

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ mixed >> 31)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

impl Random {
    /// A count of this mean, whose variance is `phi` times it.
    fn count(&mut self, mean: f64, phi: f64) -> f64 {
        let mean = if phi > 1.0 && mean > 0.0 {
            Gamma::new(mean / (phi - 1.0), phi - 1.0).unwrap().sample(self)
        } else {
            mean
        };
        if mean > 0.0 { Poisson::new(mean).unwrap().sample(self) } else { 0.0 }
    }
}

fn region(code: &str) -> Region {
    Region::from_code(code).unwrap()
}

/// What a region's mean is in an hour; its bins of some length are sums of hours.
#[derive(Clone)]
struct Made {
    region: Region,
    hourly: Vec<Option<f64>>,
}

/// Hours of a region with so many sources a bin of `bin` hours on average, changed by a function of the hour.
fn made(
    seed: u64,
    code: &str,
    level: f64,
    bin: u32,
    phi: f64,
    change: impl Fn(usize) -> Option<f64>,
) -> Made {
    let mut random = Random(seed);
    let hourly = (0..DAYS * 24)
        .map(|hour| change(hour).map(|factor| random.count(level / f64::from(bin) * factor, phi)))
        .collect();
    Made { region: region(code), hourly }
}

/// Sums of hours, of which none may be missing.
fn binned(hourly: &[Option<f64>], hours: u32) -> Vec<Option<f64>> {
    hourly.chunks(hours as usize).map(|bin| bin.iter().copied().sum()).collect()
}

/// A world of regions; sources of an hour are others than those of the next, so bins are sums.
fn find_in(world: &[Made], parameters: &Parameters) -> Outcome {
    let all: Vec<Option<f64>> =
        (0..DAYS * 24).map(|hour| world.iter().map(|made| made.hourly[hour]).sum::<Option<f64>>()).collect();
    let series = |region: Region, hours: u32| {
        let made = world.iter().find(|made| made.region == region);
        Ok::<_, Infallible>(made.map(|made| Series::among(binned(&made.hourly, hours), &binned(&all, hours))))
    };
    let regions: Vec<Region> = world.iter().map(|made| made.region).collect();
    find(&regions, SPAN, &[], series, parameters).unwrap()
}

fn find_with(made_region: Made, change_others: impl Fn(usize) -> Option<f64>) -> Outcome {
    let rest =
        [made(98, "US", 3000.0, 1, 1.0, &change_others), made(99, "BR", 2000.0, 1, 1.0, &change_others)];
    find_in(&[[made_region].as_slice(), &rest].concat(), &Parameters::default())
}

fn steady(_: usize) -> Option<f64> {
    Some(1.0)
}

/// Hours of days of the period, the last one excluded.
fn days(range: Range<usize>) -> Range<usize> {
    (FROM + range.start) * 24..(FROM + range.end) * 24
}

/// `factor` within these hours, else 1.
fn within(hours: Range<usize>, factor: f64) -> impl Fn(usize) -> Option<f64> {
    move |hour| Some(if hours.contains(&hour) { factor } else { 1.0 })
}

#[test]
fn a_fall_by_70_percent_is_found_within_two_bins() {
    // 200 sources in 6 hours, but not 60 in 1 hour.
    for seed in 0..20 {
        let begin = days(30..31).start + 6;
        let outcome = find_with(made(seed, "IR", 200.0, 6, 1.0, within(begin..begin + 96, 0.3)), steady);
        let [silence] = outcome.silences.as_slice() else { panic!("seed {seed}: {outcome:?}") };
        assert_eq!((silence.region, silence.state), (region("IR"), End::Ended));
        assert_eq!(silence.bin, 2, "66 sources in 2 hours");
        assert!(silence.onset.abs_diff(begin as u32) <= 2, "seed {seed}: {silence:?}");
        assert!(silence.end.abs_diff(begin as u32 + 96) <= 4, "seed {seed}: {silence:?}");
        assert_eq!(outcome.blind, []);
    }
}

#[test]
fn a_week_of_daily_bins_is_told_to_the_day() {
    for seed in 0..20 {
        let outcome = find_with(made(seed, "IR", 100.0, 24, 1.0, within(days(45..52), 0.1)), steady);
        let [silence] = outcome.silences.as_slice() else { panic!("seed {seed}: {outcome:?}") };
        assert_eq!(silence.bin, 24);
        assert_eq!((silence.onset, silence.end), (days(45..52).start as u32, days(45..52).end as u32));
        assert_eq!(silence.state, End::Ended);
        assert!((75.0..125.0).contains(&silence.usual), "{silence:?}");
        assert!(silence.least < 20.0 && (0.8..1.0).contains(&silence.depth), "{silence:?}");
        assert_eq!(silence.depth, 1.0 - silence.least / silence.usual);
        let missing = 90.0 * 7.0 * 24.0;
        assert!((silence.missing / missing - 1.0).abs() < 0.2, "{silence:?}");
    }
}

#[test]
fn the_week_of_190_sources_a_day_is_found_in_half_days() {
    for seed in 0..20 {
        let outcome = find_with(made(seed, "IR", 190.0, 24, 1.0, within(days(45..52), 0.1)), steady);
        let [silence] = outcome.silences.as_slice() else { panic!("seed {seed}: {outcome:?}") };
        assert_eq!(silence.bin, 12);
        assert_eq!((silence.onset, silence.end), (days(45..52).start as u32, days(45..52).end as u32));
    }
}

#[test]
fn dips_and_holidays_are_no_silence() {
    for seed in 0..20 {
        let dip = find_with(made(seed, "IR", 200.0, 1, 1.0, within(days(20..27), 0.8)), steady);
        assert_eq!(dip.silences, [], "seed {seed}");
        // However sure one is of a fifth less at 5,000 sources an hour.
        let holiday = find_with(made(seed, "CN", 5000.0, 1, 1.0, within(days(20..21), 0.8)), steady);
        assert_eq!(holiday.silences, [], "seed {seed}");
        // A single low bin, however low.
        let bin = find_with(made(seed, "IR", 100.0, 24, 1.0, within(days(20..21), 0.0)), steady);
        assert_eq!(bin.silences, [], "seed {seed}");
    }
}

#[test]
fn a_weekly_and_daily_rhythm_is_no_silence() {
    let rhythm = |hour: usize| {
        let night = if hour % 24 < 8 { 0.3 } else { 1.0 };
        let weekend = if hour / 24 % 7 >= 5 { 0.4 } else { 1.0 };
        Some(night * weekend)
    };
    for seed in 0..20 {
        let outcome = find_with(made(seed, "JP", 1000.0, 1, 1.0, rhythm), steady);
        assert_eq!((outcome.silences.len(), outcome.tested.len()), (0, 3), "seed {seed}: {outcome:?}");
    }
    // Nights in which nobody is expected do not end a silence.
    let nights = |hour: usize| {
        let silent = days(40..44).contains(&hour);
        Some(if silent || hour % 24 < 5 { 0.0 } else { 1.0 })
    };
    let outcome = find_with(made(1, "JP", 100.0, 1, 1.0, nights), steady);
    let [silence] = outcome.silences.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((silence.onset, silence.end), (days(40..44).start as u32 + 5, days(40..44).end as u32 + 5));
    assert_eq!((silence.bin, silence.least, silence.depth), (1, 0.0, 1.0));
}

#[test]
fn gaps_are_no_silence() {
    let gap = |hour: usize| if days(20..24).contains(&hour) { None } else { Some(1.0) };
    for seed in 0..10 {
        let outcome = find_with(made(seed, "IR", 200.0, 6, 1.0, gap), gap);
        assert_eq!((outcome.silences.len(), outcome.blind.len()), (0, 0), "{outcome:?}");
        assert_eq!(outcome.tested.len(), 3);
    }
    // A silence goes on through a gap.
    let hours = days(18..26);
    let silent = |hour: usize| gap(hour).map(|_| if hours.contains(&hour) { 0.1 } else { 1.0 });
    let outcome = find_with(made(3, "IR", 200.0, 6, 1.0, silent), gap);
    let [silence] = outcome.silences.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((silence.onset, silence.end), (hours.start as u32, hours.end as u32));
    // Neither side of a gap alone is two bins.
    let two = days(20..20).start - 2..days(24..24).start + 2;
    let edges = |hour: usize| gap(hour).map(|_| if two.contains(&hour) { 0.0 } else { 1.0 });
    assert_eq!(find_with(made(4, "IR", 200.0, 6, 1.0, edges), gap).silences, []);
}

#[test]
fn a_blind_sensor_is_blind_and_no_region_silent() {
    let blind = days(30..30).start + 7..days(33..33).start + 5;
    for factor in [0.0, 0.3] {
        let change = || within(blind.clone(), factor);
        let world = [
            made(1, "IR", 100.0, 24, 1.0, change()),
            made(2, "CN", 400.0, 1, 1.0, change()),
            made(3, "US", 900.0, 1, 1.0, change()),
            made(4, "NL", 200.0, 6, 1.0, change()),
        ];
        let outcome = find_in(&world, &Parameters::default());
        assert_eq!(outcome.silences, [], "{factor}");
        assert_eq!(outcome.blind, [blind.start as u32..blind.end as u32], "{factor}");
        assert_eq!(outcome.tested.len(), 4);
    }
}

#[test]
fn a_silence_beside_blindness_is_told() {
    let blind = days(30..31);
    let silent = days(50..53);
    let both = |hour: usize| Some(if blind.contains(&hour) || silent.contains(&hour) { 0.0 } else { 1.0 });
    let world = [
        made(1, "IR", 200.0, 6, 1.0, both),
        made(2, "CN", 400.0, 1, 1.0, within(blind.clone(), 0.0)),
        made(3, "US", 900.0, 1, 1.0, within(blind.clone(), 0.0)),
    ];
    let outcome = find_in(&world, &Parameters::default());
    let [silence] = outcome.silences.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((silence.onset, silence.end), (silent.start as u32, silent.end as u32));
    assert_eq!(outcome.blind, [blind.start as u32..blind.end as u32]);
}

#[test]
fn the_silence_of_a_large_region_blinds_nobody() {
    // CN is most of what there is; while it is silent, IR falls silent, too.
    let world = [
        made(1, "IR", 200.0, 6, 1.0, within(days(31..33), 0.0)),
        made(2, "CN", 4000.0, 1, 1.0, within(days(30..35), 0.0)),
        made(3, "US", 900.0, 1, 1.0, steady),
    ];
    let outcome = find_in(&world, &Parameters::default());
    let found: Vec<_> =
        outcome.silences.iter().map(|silence| (silence.region, silence.onset, silence.end)).collect();
    let hours = |range| {
        let hours = days(range);
        (hours.start as u32, hours.end as u32)
    };
    let (cn, ir) = (hours(30..35), hours(31..33));
    assert_eq!(found, [(region("CN"), cn.0, cn.1), (region("IR"), ir.0, ir.1)], "the heaviest first");
    assert_eq!(outcome.blind, []);
}

#[test]
fn few_sources_and_little_history_are_not_testable() {
    let outcome = find_with(made(1, "TV", 3.0, 24, 1.0, within(days(40..60), 0.0)), steady);
    assert_eq!(
        (outcome.not_testable, outcome.tested),
        (vec![region("TV")], vec![region("US"), region("BR")])
    );
    assert_eq!(outcome.silences, []);
    // Just below 60 and well above it.
    let outcome = find_with(made(2, "TV", 55.0, 24, 1.0, steady), steady);
    assert_eq!(outcome.not_testable, [region("TV")]);
    let outcome = find_with(made(3, "TV", 70.0, 24, 1.0, steady), steady);
    assert_eq!(outcome.not_testable, []);
    // A store that begins a week before the end.
    let late = |hour: usize| (hour >= (DAYS - 7) * 24).then_some(1.0);
    let outcome = find_with(made(4, "IR", 500.0, 1, 1.0, late), late);
    assert_eq!((outcome.tested.len(), outcome.not_testable.len()), (0, 3));
    // Nobody else to compare with.
    let alone = find_in(&[made(5, "IR", 500.0, 1, 1.0, within(days(40..60), 0.0))], &Parameters::default());
    assert_eq!((alone.not_testable.len(), alone.silences.len()), (1, 0));
}

#[test]
fn a_region_that_grows_is_tested_from_then_on() {
    let grows = |hour: usize| {
        Some(if hour < (FROM + 20) * 24 {
            0.1
        } else if days(80..84).contains(&hour) {
            0.0
        } else {
            1.0
        })
    };
    let outcome = find_with(made(1, "VN", 400.0, 1, 1.0, grows), steady);
    let [silence] = outcome.silences.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(
        (silence.bin, silence.onset, silence.end),
        (1, days(80..84).start as u32, days(80..84).end as u32)
    );
}

#[test]
fn what_lasts_is_a_level() {
    let outcome = find_with(made(1, "IR", 190.0, 24, 1.0, within(days(20..200), 0.2)), steady);
    let [silence] = outcome.silences.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((silence.onset, silence.end), (days(20..48).start as u32, days(20..48).end as u32));
    assert_eq!(silence.state, End::NewLevel);
    assert_eq!(outcome.in_part, [region("IR")], "what is left is too little to test");
    // In spite of which a second fall from the new level is found, where it is high enough.
    let twice = |hour: usize| {
        Some(if hour >= days(70..70).start && hour < days(75..75).start {
            0.02
        } else if hour >= days(20..20).start {
            0.3
        } else {
            1.0
        })
    };
    let outcome = find_with(made(2, "CN", 2000.0, 1, 1.0, twice), steady);
    let found: Vec<_> =
        outcome.silences.iter().map(|silence| (silence.onset, silence.end, silence.state)).collect();
    let hours = |range| {
        let hours = days(range);
        (hours.start as u32, hours.end as u32)
    };
    let (level, fall) = (hours(20..48), hours(70..75));
    assert_eq!(found, [(level.0, level.1, End::NewLevel), (fall.0, fall.1, End::Ended)]);
}

#[test]
fn silences_at_the_ends_of_the_period() {
    let to_the_end = find_with(made(1, "IR", 190.0, 24, 1.0, within(days(85..91), 0.1)), steady);
    let [silence] = to_the_end.silences.as_slice() else { panic!("{to_the_end:?}") };
    assert_eq!((silence.onset, silence.end), (days(85..91).start as u32, (DAYS * 24) as u32));
    assert_eq!(silence.state, End::Continuing);

    let begin = (FROM - 5) * 24;
    let from_before = find_with(made(2, "IR", 190.0, 24, 1.0, within(begin..days(3..3).start, 0.1)), steady);
    let [silence] = from_before.silences.as_slice() else { panic!("{from_before:?}") };
    assert_eq!((silence.onset, silence.end), (begin as u32, days(3..3).start as u32));

    let before = find_with(made(3, "IR", 190.0, 24, 1.0, within(begin..FROM * 24, 0.1)), steady);
    assert_eq!(before.silences, [], "it ended with the history");
}

#[test]
fn hours_known_to_be_blind_are_not_looked_at() {
    let blind = days(30..33);
    let world = [
        made(1, "IR", 200.0, 6, 1.0, within(blind.clone(), 0.0)),
        made(2, "US", 900.0, 1, 1.0, within(blind.clone(), 0.0)),
    ];
    let all: Vec<Option<f64>> =
        (0..DAYS * 24).map(|hour| Some(world[0].hourly[hour]? + world[1].hourly[hour]?)).collect();
    let series = |region: Region, hours: u32| {
        let made = world.iter().find(|made| made.region == region).unwrap();
        Ok::<_, Infallible>(Some(Series::among(binned(&made.hourly, hours), &binned(&all, hours))))
    };
    let regions = [region("IR"), region("US")];
    let known = [blind.start as u32..blind.end as u32, 0..0, 9_999_999..u32::MAX];
    let outcome = find(&regions, SPAN, &known, series, &Parameters::default()).unwrap();
    assert_eq!((outcome.silences.len(), outcome.blind.len()), (0, 0), "{outcome:?}");
}

#[test]
fn series_are_asked_for_as_far_as_they_may_be_needed() {
    let world = [
        made(1, "TV", 3.0, 24, 1.0, steady),
        made(2, "IR", 100.0, 24, 1.0, steady),
        made(3, "CN", 1000.0, 1, 1.0, steady),
        made(4, "US", 1000.0, 1, 1.0, steady),
    ];
    let all: Vec<Option<f64>> =
        (0..DAYS * 24).map(|hour| world.iter().map(|made| made.hourly[hour]).sum()).collect();
    let mut asked = Vec::new();
    let series = |region: Region, hours: u32| {
        asked.push((region.to_string(), hours));
        let made = world.iter().find(|made| made.region == region).unwrap();
        Ok::<_, Infallible>(Some(Series::among(binned(&made.hourly, hours), &binned(&all, hours))))
    };
    let regions = [region("TV"), region("IR"), region("CN")];
    find(&regions, SPAN, &[], series, &Parameters::default()).unwrap();
    let of =
        |code: &str| asked.iter().filter(|(of, _)| of == code).map(|(_, hours)| *hours).collect::<Vec<_>>();
    assert_eq!(of("TV"), [24]);
    assert_eq!(of("IR"), [24, 12]);
    assert_eq!(of("CN"), [24, 12, 6, 3, 2, 1]);

    let failed =
        find(&regions, SPAN, &[], |_, _| Err::<Option<Series>, _>("no disk"), &Parameters::default());
    assert_eq!(failed, Err("no disk"));
}

#[test]
fn odd_parameters_and_series_do_no_harm() {
    let odd = [
        Parameters { bins: Vec::new(), ..Parameters::default() },
        Parameters { bins: vec![0, 5, 48, 168, u32::MAX], ..Parameters::default() },
        Parameters { weeks: 0, ..Parameters::default() },
        Parameters { running: 0, level_days: 0, spread_days: 0, ..Parameters::default() },
        Parameters { alert: f64::NAN, clear: f64::INFINITY, fall: -1.0, ..Parameters::default() },
    ];
    let world =
        || [made(1, "IR", 200.0, 6, 1.0, within(days(20..30), 0.0)), made(2, "US", 900.0, 1, 1.0, steady)];
    for parameters in &odd {
        find_in(&world(), parameters);
    }
    for (span, length) in
        [(SPAN, 3), (Span { history: 0, period: 0 }, 100), (Span { history: 7, period: 5 }, 9999)]
    {
        let series = |_, _| {
            let values = vec![Some(f64::NAN); length];
            Ok::<_, Infallible>(Some(Series { region: values.clone(), others: Vec::new() }))
        };
        let outcome = find(&[region("IR")], span, &[], series, &Parameters::default()).unwrap();
        assert_eq!(outcome.silences, []);
    }
}

#[test]
fn nothing_arrives() {
    let parameters = Parameters::default();
    let seen = |packets: &[u64]| -> Vec<Seen> {
        let stretches = packets.iter().enumerate();
        stretches.map(|(at, &packets)| Seen { start: at as i64 * 60, seconds: 60, packets }).collect()
    };
    // 60 packets a minute: ten minutes of nothing are too much, nine are not.
    let mut minutes = vec![60; 100];
    minutes[20..30].fill(0);
    minutes[50..59].fill(0);
    let rate = usual_rate(&seen(&minutes)).unwrap();
    assert_eq!(rate, 1.0);
    assert_eq!(nothing(&seen(&minutes), rate, &parameters), [1200..1800]);
    // A packet a minute: 138 minutes.
    let mut minutes = vec![1; 600];
    minutes[20..20 + 137].fill(0);
    minutes[300..300 + 138].fill(0);
    let rate = usual_rate(&seen(&minutes)).unwrap();
    assert_eq!(nothing(&seen(&minutes), rate, &parameters), [18_000..18_000 + 138 * 60]);
    // What was not observed parts what was.
    let mut parted = seen(&[0; 18]);
    parted.remove(9);
    assert_eq!(nothing(&parted, 1.0, &parameters), []);
    assert_eq!(nothing(&seen(&[0; 18]), 1.0, &parameters), [0..1080]);
    // Where nothing is usual, nothing is no surprise.
    assert_eq!(usual_rate(&seen(&[0; 18])), Some(0.0));
    assert_eq!(nothing(&seen(&[0; 18]), 0.0, &parameters), []);
    assert_eq!(usual_rate(&[]), None);
}

/// The budget: at most two false silences in 1,000 region-quarters of nothing but noise.
#[test]
fn quiet_quarters_are_quiet() {
    let parameters = Parameters::default();
    let mut found = 0;
    let mut tested = 0;
    for (level, bin, phi) in
        [(60.0, 24, 1.0), (100.0, 24, 3.0), (200.0, 24, 1.0), (400.0, 24, 3.0), (300.0, 6, 1.0)]
    {
        for seed in 0..200 {
            let mut random = Random(seed << 8 | bin as u64);
            // Noise of a bin, at the bin that is asked for: only the longest bins are made, so that these are chosen.
            let bins = DAYS * 24 / bin as usize;
            let mut series =
                |level: f64| (0..bins).map(|_| Some(random.count(level, phi))).collect::<Vec<_>>();
            let made = Series { region: series(level * 1.2), others: series(level * 30.0) };
            let parameters = Parameters { bins: vec![bin], ..parameters.clone() };
            let series = |_, _| Ok::<_, Infallible>(Some(made.clone()));
            let outcome = find(&[region("IR")], SPAN, &[], series, &parameters).unwrap();
            found += outcome.silences.len();
            tested += outcome.tested.len();
        }
    }
    assert!(tested >= 950, "{tested}");
    assert!(found <= 2, "{found} in {tested}");
}
