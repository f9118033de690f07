//! Epochs into the store, and from there into hours and days.

use anyhow::{Result, ensure};
use sensor_common::layout::Slot;
use teiten::{
    export::rows::grouped,
    geo::Tables,
    store::{Epoch, GRACE, Limits, Notes, Portion, Retention, Store},
};
use teiten_tests::{random::Random, scratch::Scratch};

use crate::{
    Options,
    epochs::{self, START},
    keys::rank,
    pipeline::timed,
    report::{Section, median},
    store::{bytes, directory},
};

/// Epochs of the first hour; each other hour of the day has one.
const OF_FIRST_HOUR: i64 = 10;
/// Packets of an epoch of the telescope.
const PACKETS: u64 = 1_000_000;
/// Keys that they have.
const KEYS: usize = 100_000;

/// What an epoch took, in seconds.
struct Took {
    tallies: usize,
    bytes: usize,
    encode: f64,
    commit: f64,
    fold: f64,
}

type Tallies = Box<dyn FnMut(i64) -> Vec<Slot>>;

pub fn run(options: &Options) -> Result<Section> {
    let (new, packets, hours) = if options.quick { (100_000, 100_000, 3) } else { (1_000_000, PACKETS, 24) };
    let geo = epochs::geo()?;
    let tables = geo.tables();
    let mut section = Section {
        title: "Epochs into hours and days",
        about: format!(
            "Epochs of a minute into a new store on the disk, with real databases of countries and autonomous \
             systems and the bounds as they are: {OF_FIRST_HOUR} epochs in the first hour, one in each of the other \
             {}, then the day is closed. `all new`: {} keys an epoch, none of them twice, the ports of a telescope; \
             `telescope`: {} packets an epoch, drawn by Zipf's law from {} keys. `encode` and `commit` (one durable \
             transaction) are medians.",
            hours - 1,
            grouped(new),
            grouped(packets),
            grouped(KEYS as u64),
        ),
        head: vec![
            "epochs",
            "tallies an epoch",
            "bytes a tally",
            "encode",
            "commit",
            "fold of the first",
            "of the tenth",
            "tallies a second",
            "the day closed",
            "store",
        ],
        ..Section::default()
    };
    let mut random = Random(5);
    let sets: [(&str, Tallies); 2] = [
        (
            "all new",
            Box::new(move |number| {
                let first = number.unsigned_abs() * new;
                epochs::once(first..first + new, epochs::flood)
            }),
        ),
        (
            "telescope",
            Box::new(move |_| epochs::drawn(packets, || epochs::bot(rank(random.draw(), KEYS) as u64))),
        ),
    ];
    for (name, tallies) in sets {
        section.rows.push(day(name, hours, tallies, &tables)?);
    }
    Ok(section)
}

/// A day of epochs.
fn day(name: &str, hours: i64, mut tallies: Tallies, geo: &Tables) -> Result<Vec<String>> {
    let scratch = Scratch::within(&directory()?);
    let path = scratch.path("teiten.db");
    let (mut store, generation) = epochs::store(path.clone(), "dark=198.18.0.0/16")?;
    let mut took = Vec::new();
    for number in 0..OF_FIRST_HOUR + hours - 1 {
        let hour = (number + 1 - OF_FIRST_HOUR).max(0);
        let minute = if hour == 0 { number } else { 0 };
        let start = hour * 3600 + minute * 60;
        let drain = epochs::drain(number.unsigned_abs(), start, start + 60, tallies(number));
        let (epoch, encode) =
            timed(|| Epoch::new(generation, &drain, Notes { observed: true, ..Notes::default() }));
        let (committed, commit) = timed(|| store.commit(&epoch));
        committed?;
        let (folded, fold) = timed(|| store.fold(geo, &Limits::default(), &WHOLE));
        let folded = folded?;
        ensure!(folded.epochs == 1 && folded.damaged.is_empty(), "an epoch was not folded: {folded:?}");
        eprintln!("  {name}, epoch {number}: {fold:.2} s");
        let tallies = drain.tallies.len();
        took.push(Took { tallies, bytes: epoch.bytes(), encode, commit, fold });
    }
    let (closed, close) = timed(|| close(&mut store, geo));
    closed?;
    let all = took.iter().map(|took| took.tallies).sum::<usize>() as f64;
    let folded: f64 = took.iter().map(|took| took.fold).sum();
    let ms = |seconds: f64| format!("{:.0} ms", seconds * 1e3);
    let of = |place: i64| took.get(place as usize).map_or(f64::NAN, |took| took.fold);
    Ok(vec![
        name.to_owned(),
        grouped(all as u64 / took.len() as u64),
        format!("{:.1}", took.iter().map(|took| took.bytes).sum::<usize>() as f64 / all),
        ms(median(took.iter().map(|took| took.encode))),
        ms(median(took.iter().map(|took| took.commit))),
        format!("{:.2} s", of(0)),
        format!("{:.2} s", of(OF_FIRST_HOUR - 1)),
        grouped((all / folded) as u64),
        format!("{close:.2} s"),
        format!("{} MB", grouped(bytes(&path)? >> 20)),
    ])
}

/// All that waits, in one transaction.
pub const WHOLE: Portion = Portion { generation: None, tallies: usize::MAX, epochs: u64::MAX };

/// Closes the first day.
pub fn close(store: &mut Store, geo: &Tables) -> Result<()> {
    let done = store.maintain(START + 86_400 + GRACE, &Retention::default(), &Limits::default(), geo)?;
    ensure!(done.closed == Some(START), "the day was not closed: {done:?}");
    Ok(())
}
