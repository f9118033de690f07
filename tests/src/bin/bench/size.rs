//! How large a store becomes.

use std::{collections::HashSet, path::Path, time::Instant};

use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use sensor_common::{key::Meta, layout::Slot};
use teiten::{
    export::rows::grouped,
    geo::Tables,
    store::{Limits, Portion, Store},
};
use teiten_tests::{
    random::{Random, mix},
    scratch::Scratch,
};

use crate::{
    Options, epochs, fold,
    keys::{below, rank},
    report::Section,
    store::directory,
};

/// Packets that come to an address in a day.
const PACKETS: u64 = 4000;
/// Keys of bots that are active at a time. The one of rank r sends about 1/r of the packets.
const BOTS: usize = 500_000;
/// Hours after which a bot is another one.
const LIFE: u64 = 20;
/// Scanners who go through all ports.
const SCANNERS: u64 = 300;
/// Of a hundred packets, those of scanners.
const SCANNED: u64 = 8;

/// A watched prefix, and how its day is cut into epochs.
struct Watched {
    name: &'static str,
    addresses: u64,
    /// Seconds of an epoch.
    epoch: i64,
}

const WATCHED: [Watched; 3] = [
    Watched { name: "/32", addresses: 1, epoch: 60 },
    Watched { name: "/24", addresses: 256, epoch: 60 },
    Watched { name: "/16", addresses: 1 << 16, epoch: 3600 },
];

pub fn run(options: &Options) -> Result<Section> {
    let geo = epochs::geo()?;
    let tables = geo.tables();
    let mut section = Section {
        title: "Size of a store",
        about: format!(
            "A day through the real path, from epochs to hours to a day, with real databases: {} packets an address. \
             {SCANNED} % of the packets are of {SCANNERS} scanners who go through all ports, the others of {} pairs \
             of source and service, drawn by Zipf's law, of which one in {LIFE} becomes another every hour; 2,000 \
             services, again by Zipf's law. Epochs of a minute; of the /16, of an hour, without what tells victims by \
             the minute. `pairs`: different sources and services by the hour, summed over the day. Bytes are whole \
             pages of the tables; `years`: 400 days of hours and 10 years of days.",
            grouped(PACKETS),
            grouped(BOTS as u64),
        ),
        head: vec![
            "watched",
            "packets a day",
            "pairs",
            "hour rows a day",
            "of hours a day",
            "day rows",
            "of days a day",
            "years",
            "took",
        ],
        ..Section::default()
    };
    for watched in &WATCHED[..if options.quick { 2 } else { 3 }] {
        section.rows.push(day(watched, &tables)?);
    }
    Ok(section)
}

fn day(watched: &Watched, geo: &Tables) -> Result<Vec<String>> {
    let begin = Instant::now();
    let scratch = Scratch::within(&directory()?);
    let path = scratch.path("teiten.db");
    let (mut store, generation) = epochs::store(path.clone(), &format!("dark=198.18.0.0{}", watched.name))?;
    let mut random = Random(9);
    let of_day = PACKETS * watched.addresses;
    let (mut packets, mut pairs) = (0, 0);
    let epochs = 86_400 / watched.epoch;
    let mut of_hour: HashSet<(u64, Meta)> = HashSet::new();
    for number in 0..epochs {
        let start = number * watched.epoch;
        let hour = (start / 3600).unsigned_abs();
        let until = of_day * (number.unsigned_abs() + 1) / epochs.unsigned_abs();
        let wanted = until - packets;
        packets = until;
        let tallies = if watched.epoch < 3600 {
            epochs::drawn(wanted, || match below(&mut random, 100) {
                0..SCANNED => epochs::scanner(&mut random, SCANNERS),
                _ => bot(rank(random.draw(), BOTS) as u64, hour),
            })
        } else {
            aggregated(wanted, hour, &mut random)
        };
        of_hour.extend(tallies.iter().map(|slot| (slot.source, slot.meta)));
        store.commit(&epochs::epoch(
            generation,
            number.unsigned_abs(),
            start,
            start + watched.epoch,
            tallies,
        ))?;
        if (start + watched.epoch) % 3600 == 0 {
            pairs += of_hour.len();
            of_hour.clear();
            fold(&mut store, geo)?;
            eprintln!("  {}, hour {hour}: {:.0} s", watched.name, begin.elapsed().as_secs_f64());
        }
    }
    let hours = Kept::read(&path)?;
    fold::close(&mut store, geo)?;
    drop(store);
    let all = Kept::read(&path)?;
    let days = Kept { rows: all.rows - hours.rows, bytes: all.bytes.saturating_sub(hours.bytes) };
    Ok(vec![
        watched.name.to_owned(),
        grouped(of_day),
        grouped(pairs as u64),
        grouped(hours.rows),
        megabytes(hours.bytes),
        grouped(days.rows),
        megabytes(days.bytes),
        format!("{:.1} GB", (hours.bytes * 400 + days.bytes * 3652) as f64 / 1e9),
        format!("{:.0} s", begin.elapsed().as_secs_f64()),
    ])
}

fn fold(store: &mut Store, geo: &Tables) -> Result<()> {
    loop {
        let folded = store.fold(geo, &Limits::default(), &Portion::SHORT)?;
        ensure!(folded.damaged.is_empty(), "epochs cannot be folded: {:?}", folded.damaged);
        if !folded.more {
            return Ok(());
        }
    }
}

/// The key of a bot's place in an hour. Places change hands at different hours.
fn bot(place: u64, hour: u64) -> (u64, Meta) {
    let owner = (hour + mix(place / 2) % LIFE) / LIFE;
    epochs::bot(place + owner * BOTS as u64 * 2)
}

/// Packets of an hour, drawn for each key at once.
fn aggregated(packets: u64, hour: u64, random: &mut Random) -> Vec<Slot> {
    let scanned = packets * SCANNED / 100;
    let mut tallies = epochs::drawn(scanned, || epochs::scanner(random, SCANNERS));
    let all = (BOTS as f64 + 1.0).ln();
    for place in 1..=BOTS as u64 {
        // As `rank` draws them.
        let mean = (packets - scanned) as f64 * (1.0 / place as f64).ln_1p() / all;
        let packets = poisson(mean, random);
        if packets > 0 {
            let (source, meta) = bot(place, hour);
            tallies.push(Slot { source, meta, packets });
        }
    }
    tallies
}

/// How often something happens that happens so many times on the mean.
fn poisson(mean: f64, random: &mut Random) -> u32 {
    let unit = |random: &mut Random| (random.draw() >> 11) as f64 / (1u64 << 53) as f64;
    if mean > 50.0 {
        // Nearly normal: the sum of twelve uniform numbers has a variance of 1.
        let normal = (0..12).map(|_| unit(random)).sum::<f64>() - 6.0;
        return mean.sqrt().mul_add(normal, mean).max(0.0).round() as u32;
    }
    let (mut left, mut count) = (unit(random), 0);
    let mut chance = (-mean).exp();
    while left > chance && count < 200 {
        left -= chance;
        count += 1;
        chance *= mean / f64::from(count);
    }
    count
}

/// What the tables of hours, days and lists hold.
struct Kept {
    /// Of cubes.
    rows: u64,
    /// Pages, with all that is in them.
    bytes: u64,
}

impl Kept {
    fn read(path: &Path) -> Result<Self> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let rows = "SELECT (SELECT count(*) FROM total) + (SELECT count(*) FROM port_region)
                         + (SELECT count(*) FROM port_tool) + (SELECT count(*) FROM region_asn)
                         + (SELECT count(*) FROM region_tool)";
        // Without what is there for a while only.
        let bytes = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1
                     AND name NOT IN ('epoch', 'open_prefix', 'open_backscatter')";
        let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(Self { rows: number(rows)?.unsigned_abs(), bytes: number(bytes)?.unsigned_abs() })
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_mean_and_variance() {
        let mut random = Random(1);
        for mean in [0.05, 3.0, 400.0] {
            let counts: Vec<f64> = (0..20_000).map(|_| poisson(mean, &mut random).into()).collect();
            let found = counts.iter().sum::<f64>() / 20_000.0;
            let variance = counts.iter().map(|count| (count - found).powi(2)).sum::<f64>() / 20_000.0;
            assert!((found / mean - 1.0).abs() < 0.1, "{mean}: {found}");
            assert!((variance / mean - 1.0).abs() < 0.1, "{mean}: {variance}");
        }
    }

    #[test]
    fn an_hour_has_its_packets() {
        let tallies = aggregated(1_000_000, 3, &mut Random(1));
        let sum: u64 = tallies.iter().map(|slot| u64::from(slot.packets)).sum();
        assert!((990_000..1_010_000).contains(&sum), "{sum}");
    }
}
