//! The store as a whole: once, durable, and plain about what is wrong.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    thread,
};

use rusqlite::Connection;
use sensor_common::{
    key::Meta as KeyMeta,
    kind::Family,
    layout::{Outcomes, Slot},
};

use super::*;
use crate::{
    cube::SourceLengths,
    kernel::{Drain, Span},
    model::{Role, Sensors},
    sketch::{Scope, Sketch},
};

/// A directory of a test's own, removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("teiten-store-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn place(&self) -> Place {
        Place::new(self.0.join("store.db"))
    }

    fn store(&self) -> Store {
        Store::open(&self.place(), Some("Asia/Tokyo")).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const LENGTHS: SourceLengths = SourceLengths { v4: 32, v6: 64 };

fn generation_of(store: &mut Store, number: u8, origin: Origin) -> GenerationRow {
    let sensors = Sensors::everything("here", Role::Lit);
    let new = NewGeneration {
        generation: [number; 16],
        host: "host",
        origin,
        created: 1_717_200_000,
        lengths: LENGTHS,
        sensors: &sensors,
    };
    store.add_generation(&new).unwrap()
}

fn generation(store: &mut Store, number: u8) -> i64 {
    generation_of(store, number, Origin::Live).id
}

const MINUTE: u64 = 60_000_000_000;

/// Another number for each number, without a pattern.
fn mix(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A drain of a minute, with so many tallies.
fn drain(epoch: u64, tallies: u64) -> Drain {
    let start_ns = 1_717_200_000_000_000_000 + epoch * MINUTE;
    let tally = |n: u64| Slot { source: mix(epoch << 32 | n) >> 32, meta: KeyMeta(23), packets: 1 };
    Drain {
        epoch,
        span: Span { start_ns, end_ns: start_ns + MINUTE },
        tallies: (0..tallies).map(tally).collect(),
        outcomes: Outcomes { runs: tallies, packets: tallies, ..Outcomes::default() },
        uncounted: 1,
        ..Drain::default()
    }
}

fn epoch(generation: i64, number: u64) -> Epoch {
    Epoch::new(generation, &drain(number, 50), Notes { observed: true, ..Notes::default() })
}

fn one<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> T {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// An error with all that it comes from.
fn text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn open_error(place: &Place) -> StoreError {
    Store::open(place, None).unwrap_err()
}

#[test]
fn a_new_store_is_the_owners_only_and_says_what_it_is() {
    let scratch = Scratch::new();
    let place = Place::new(scratch.0.join("new/deep/store.db"));
    let store = Store::open(&place, Some("Asia/Kolkata")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&key::beside(store.path(), suffix)), 0o600, "{suffix}");
    }
    assert_eq!(mode(&place.key()), 0o600);
    assert_eq!(mode(store.path().parent().unwrap()), 0o700);
    assert_eq!(store.zone().name(), "Asia/Kolkata");
    let key = fs::read_to_string(place.key()).unwrap();
    assert_eq!((key.len(), key.ends_with('\n')), (33, true));
    assert_eq!(fs::read_dir(scratch.0.join("new/deep")).unwrap().count(), 4, "database, log, index, key");

    let connection = store.connection().unwrap();
    assert_eq!(one::<i64>(connection, "PRAGMA application_id"), 0x5465_6974);
    assert_eq!(one::<i64>(connection, "PRAGMA user_version"), schema::VERSION);
    assert_eq!(one::<i64>(connection, "PRAGMA page_size"), 8192);
    assert_eq!(one::<String>(connection, "PRAGMA journal_mode"), "wal");
    assert_eq!(one::<i64>(connection, "PRAGMA synchronous"), 2);
    assert_eq!(one::<i64>(connection, "PRAGMA secure_delete"), 2);
    assert_eq!(one::<i64>(connection, "PRAGMA foreign_keys"), 1);
    assert_eq!(one::<i64>(connection, "PRAGMA temp_store"), 2);
    assert_eq!(one::<i64>(connection, "PRAGMA mmap_size"), 0);

    let id = store.id();
    drop(store);
    let again = Store::open(&place, None).unwrap();
    assert_eq!(again.id(), id);
    assert_eq!(again.key().fingerprint(), again.meta().sketch_key);
    assert_ne!(Scratch::new().store().id(), id);
}

#[test]
fn a_store_whose_making_was_cut_off_is_completed() {
    let scratch = Scratch::new();
    let place = scratch.place();
    // Killed after the file, after the key, and after the first page.
    fs::write(&place.path, "").unwrap();
    drop(scratch.store());
    fs::remove_file(&place.path).unwrap();
    let key = fs::read(place.key()).unwrap();
    drop(scratch.store());
    assert_eq!(fs::read(place.key()).unwrap(), key, "a key is never replaced");
    fs::remove_file(&place.path).unwrap();
    let connection = Connection::open(&place.path).unwrap();
    connection.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL").unwrap();
    assert!(fs::metadata(&place.path).unwrap().len() > 0);
    drop(connection);
    assert!(matches!(Reader::open(&place.path), Err(StoreError::Missing(_))));
    let mut store = scratch.store();
    generation(&mut store, 1);
}

#[test]
fn a_store_that_several_make_at_once_is_one() {
    for _ in 0..5 {
        let scratch = Scratch::new();
        let opened: Vec<_> = thread::scope(|scope| {
            let makers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| Store::open(&scratch.place(), None))).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        let store = Store::open(&scratch.place(), None).unwrap();
        assert_eq!(one::<String>(store.connection().unwrap(), "PRAGMA integrity_check"), "ok");
        for maker in opened {
            match maker {
                Ok(one) => {
                    assert_eq!((one.id(), one.key().fingerprint()), (store.id(), store.key().fingerprint()))
                }
                Err(error) => assert_eq!(error.trouble(), Some(Trouble::Locked), "{}", text(&error)),
            }
        }
    }
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let place = scratch.place();
    let connection = Connection::open(&place.path).unwrap();
    connection.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(connection);
    let before = fs::read(&place.path).unwrap();
    let error = open_error(&place);
    assert!(matches!(error, StoreError::NotAStore(_)));
    assert_eq!(error.trouble(), Some(Trouble::Foreign));
    assert!(text(&error).contains("is an SQLite database, but not a store of teiten"), "{}", text(&error));
    assert!(matches!(Reader::open(&place.path), Err(StoreError::NotAStore(_))));
    assert_eq!(fs::read(&place.path).unwrap(), before);
    assert!(!place.key().exists());

    fs::write(&place.path, "a letter to nobody in particular ".repeat(1000)).unwrap();
    for error in [open_error(&place), Reader::open(&place.path).unwrap_err()] {
        assert_eq!(error.trouble(), Some(Trouble::Corrupt), "{}", text(&error));
    }
    let error = open_error(&Place::new(&scratch.0));
    assert!(text(&error).contains("not a regular file"), "{}", text(&error));
    let missing = scratch.0.join("nowhere.db");
    let error = Reader::open(&missing).unwrap_err();
    assert!(text(&error).contains("there is no store at"), "{}", text(&error));
    assert!(!missing.exists(), "a reader makes nothing");
}

#[test]
fn stores_of_other_versions() {
    let scratch = Scratch::new();
    drop(scratch.store());
    let place = scratch.place();
    let set = |pragma: &str| Connection::open(&place.path).unwrap().execute_batch(pragma).unwrap();
    set("PRAGMA user_version = 99");
    for error in [open_error(&place), Reader::open(&place.path).unwrap_err()] {
        assert!(matches!(error, StoreError::Newer { version: 99, known: schema::VERSION, .. }));
        assert!(text(&error).contains("was made by a newer teiten"), "{}", text(&error));
    }
    set("PRAGMA user_version = -1");
    assert_eq!(open_error(&place).trouble(), Some(Trouble::Corrupt));
    set(&format!("PRAGMA user_version = {}; DELETE FROM meta", schema::VERSION));
    assert_eq!(open_error(&place).trouble(), Some(Trouble::Corrupt));
}

#[test]
fn a_store_keeps_its_time_zone() {
    let scratch = Scratch::new();
    drop(scratch.store());
    let error = Store::open(&scratch.place(), Some("Europe/Paris")).unwrap_err();
    assert!(text(&error).contains("cuts its days in time zone Asia/Tokyo, not Europe/Paris"), "{error}");
    assert!(Store::open(&scratch.place(), Some("Asia/Tokyo")).is_ok());
    let other = Scratch::new();
    let error = Store::open(&other.place(), Some("Mars/Olympus")).unwrap_err();
    assert!(text(&error).contains("`Mars/Olympus` is no time zone"), "{}", text(&error));
    assert!(!other.place().path.exists());
    let connection = Connection::open(scratch.place().path).unwrap();
    connection.execute_batch("UPDATE meta SET time_zone = 'Mars/Olympus'").unwrap();
    assert!(matches!(open_error(&scratch.place()), StoreError::Zone { .. }));
}

#[test]
fn keys_that_are_missing_other_ones_or_none() {
    let scratch = Scratch::new();
    drop(scratch.store());
    let place = scratch.place();
    let right = fs::read(place.key()).unwrap();

    fs::remove_file(place.key()).unwrap();
    let error = open_error(&place);
    assert!(text(&error).contains("restore it from a backup"), "{error}");
    assert!(!place.key().exists(), "a new key would be a wrong one");

    fs::write(place.key(), format!("{:032x}\n", 7)).unwrap();
    assert!(matches!(open_error(&place), StoreError::OtherKey { .. }));
    for garbage in ["", "secret", "+1111111111111111111111111111111\n", &"0".repeat(33), &"é".repeat(16)] {
        fs::write(place.key(), garbage).unwrap();
        let error = open_error(&place);
        assert!(text(&error).contains("holds no key"), "{garbage:?}: {error}");
    }

    let elsewhere = scratch.0.join("keys/mine");
    fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    fs::write(&elsewhere, &right[..32]).unwrap();
    assert!(Store::open(&Place { key: Some(elsewhere), ..place }, None).is_ok());

    // Before there is a store, too.
    let other = Scratch::new();
    fs::write(other.place().key(), "secret").unwrap();
    assert!(matches!(open_error(&other.place()), StoreError::BadKey(_)));
    fs::remove_file(other.place().key()).unwrap();
    assert!(Store::open(&other.place(), None).is_ok(), "the rest of it was no store yet");
}

#[test]
fn an_epoch_is_kept_once() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let first = generation(&mut store, 1);
    let second = generation(&mut store, 2);
    let early = store.commit(&epoch(first, 1)).unwrap_err();
    assert!(matches!(early, StoreError::Sequence { last: None, .. }), "{early:?}");
    store.commit(&epoch(first, 0)).unwrap();
    store.commit(&epoch(first, 1)).unwrap();
    store.commit(&epoch(first, 1)).unwrap();
    store.commit(&epoch(first, 0)).unwrap();
    let refused = |error: StoreError| {
        assert_eq!(error.trouble(), Some(Trouble::Foreign));
        matches!(error, StoreError::Sequence { last: Some(1), .. })
    };
    assert!(refused(store.commit(&epoch(first, 3)).unwrap_err()));
    let other = Epoch::new(first, &drain(1, 51), Notes::default());
    assert!(matches!(store.commit(&other), Err(StoreError::Differs { epoch: 1, .. })));
    assert!(matches!(store.commit(&epoch(99, 1)), Err(StoreError::NoGeneration { generation: 99, .. })));
    store.commit(&epoch(second, 0)).unwrap();
    store.commit(&epoch(first, 2)).unwrap();

    let row = store.generation([1; 16]).unwrap().unwrap();
    assert_eq!(row, GenerationRow { id: first, last_epoch: Some(2), uncounted: 3, complete: true });
    assert_eq!(store.generation([2; 16]).unwrap().unwrap().last_epoch, Some(0));
    assert_eq!(store.generation([3; 16]).unwrap(), None);
    let oldest_ns = Some(drain(0, 0).span.start_ns);
    assert_eq!(store.pending().unwrap(), Pending { epochs: 4, packets: 200, oldest_ns });

    // The tallies of what was folded are gone; it is still the same epoch.
    store.connection().unwrap().execute_batch("UPDATE epoch SET tallies = NULL WHERE epoch = 2").unwrap();
    store.commit(&epoch(first, 2)).unwrap();
    assert_eq!(store.pending().unwrap().epochs, 3);
    let blob: Vec<u8> =
        one(store.connection().unwrap(), "SELECT tallies FROM epoch WHERE epoch = 0 AND generation = 1");
    assert_eq!(blob::decode(&blob).unwrap().tallies.len(), 50);
}

#[test]
fn what_is_observed_and_what_the_cards_say() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let nic = |name: &str, received, dropped| Nic { name: name.to_owned(), received, dropped };
    let cards = [
        (vec![nic("eth0", 1000, 10)], (None, None)),
        (vec![nic("eth0", 1500, 10)], (Some(500), Some(0))),
        // A card that was not there before; then both are known.
        (vec![nic("eth0", 1600, 11), nic("eth1", 7, 0)], (None, None)),
        (vec![nic("eth0", 1700, 12), nic("eth1", 8, 0)], (Some(101), Some(1))),
        // Its driver was loaded anew.
        (vec![nic("eth0", 3, 12), nic("eth1", 9, 0)], (None, Some(0))),
        (vec![], (None, None)),
        (vec![nic("eth0", 4, 13)], (Some(1), Some(1))),
    ];
    for (number, (nics, expected)) in (0u64..).zip(cards) {
        let notes = Notes { observed: number % 2 == 1, restarted: number == 1, nics };
        store.commit(&Epoch::new(row, &drain(number, 1), notes)).unwrap();
        let sql = "SELECT nic_received, nic_dropped, observed_ns, restarted FROM epoch ORDER BY id DESC";
        let kept: (Option<i64>, Option<i64>, i64, bool) = store
            .connection()
            .unwrap()
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        let observed = if number % 2 == 1 { MINUTE as i64 } else { 0 };
        assert_eq!(kept, (expected.0, expected.1, observed, number == 1), "epoch {number}");
    }
}

#[test]
fn a_generation_is_entered_once_and_sensors_are_versioned() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let mut enter = |number: u8, created, sensors: &[&str]| {
        let sensors = sensors.iter().map(|sensor| sensor.parse().unwrap()).collect();
        let sensors = Sensors::new(sensors).unwrap();
        let new = NewGeneration {
            generation: [number; 16],
            host: "host",
            origin: Origin::Live,
            created,
            lengths: LENGTHS,
            sensors: &sensors,
        };
        store.add_generation(&new).unwrap().id
    };
    let a = "a=192.0.2.0/24,2001:db8::/32;role=honeypot;group=domestic;alias=S1;filtered=445/tcp,53/udp";
    let first = enter(1, 100, &[a, "b=198.51.100.0/24"]);
    assert_eq!(enter(1, 150, &["c=203.0.113.0/24"]), first, "the same generation");
    let second = enter(2, 200, &["b=198.51.100.0/24", "a=192.0.2.0/25"]);
    assert_ne!(first, second);
    let connection = store.connection().unwrap();
    let rows = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(
        rows(
            "SELECT concat_ws('|', id, name, alias, role, sensor_group, prefixes, addresses, filtered,
                               valid_from, ifnull(valid_to, 'now')) FROM sensor ORDER BY id"
        ),
        [
            "1|a|S1|honeypot|domestic|192.0.2.0/24 2001:db8::/32|256|445/tcp 53/udp|100|200",
            "2|b|dark|198.51.100.0/24|256||100|now",
            "3|a|dark|192.0.2.0/25|128||200|now",
        ]
    );
    assert_eq!(
        rows("SELECT concat_ws('|', generation, number, sensor) FROM generation_sensor ORDER BY 1"),
        ["1|0|1", "1|1|2", "2|0|2", "2|1|3"]
    );
    assert_eq!(
        rows(
            "SELECT concat_ws('|', host, hex(generation), origin, created, v4_prefix, v6_prefix, complete)
              FROM generation WHERE id = 1"
        ),
        [format!("host|{}|live|100|32|64|1", "01".repeat(16))]
    );
}

#[test]
fn sensors_end_when_their_host_has_them_no_longer() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let mut number = 0;
    let mut enter = |host: &str, origin, sensors: &[&str]| {
        number += 1;
        let sensors = sensors.iter().map(|sensor| sensor.parse().unwrap()).collect();
        let new = NewGeneration {
            generation: [number; 16],
            host,
            origin,
            created: i64::from(number) * 100,
            lengths: LENGTHS,
            sensors: &Sensors::new(sensors).unwrap(),
        };
        store.add_generation(&new).unwrap();
        let connection = store.connection().unwrap();
        let sql =
            "SELECT concat_ws(' ', id, name, ifnull(valid_from, '?'), ifnull(valid_to, '-')) FROM sensor";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join(", ")
    };
    let (a, b, c) = ("a=192.0.2.0/24", "b=198.51.100.0/24", "c=203.0.113.0/24");
    assert_eq!(enter("one", Origin::Live, &[a, b]), "1 a 100 -, 2 b 100 -");
    // Another host that has one of them, and a sensor of the same name that is another one.
    let other = "a=192.0.2.0/25";
    assert_eq!(enter("two", Origin::Live, &[other, b]), "1 a 100 -, 2 b 100 -, 3 a 200 -");
    // One is no longer configured; the other host has the same.
    assert_eq!(enter("one", Origin::Live, &[a, c]), "1 a 100 -, 2 b 100 -, 3 a 200 -, 4 c 300 -");
    assert_eq!(enter("two", Origin::Live, &[other]), "1 a 100 -, 2 b 100 400, 3 a 200 -, 4 c 300 -");
    // Captures end nothing, and take any row that says the same.
    let before = enter("one", Origin::Replay, &["a=192.0.2.0/26", b]);
    assert_eq!(before, "1 a 100 -, 2 b 100 400, 3 a 200 -, 4 c 300 -, 5 a ? -");
    assert_eq!(enter("one", Origin::Replay, &["a=192.0.2.0/26"]), before);
    assert_eq!(enter("one", Origin::Replay, &[other]), before);
    // A row of captures is never in use.
    assert_eq!(
        enter("one", Origin::Live, &["a=192.0.2.0/26"]),
        "1 a 100 800, 2 b 100 400, 3 a 200 -, 4 c 300 800, 5 a ? -, 6 a 800 -"
    );
}

#[test]
fn replays_are_held_by_store() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let place = Place { path: scratch.0.join("other.db"), key: Some(scratch.place().key()) };
    let mut other = Store::open(&place, None).unwrap();
    store.hold_replays().unwrap();
    other.hold_replays().unwrap();
    assert_eq!(mode(&key::beside(store.path(), "-replay")), 0o600);
    assert!(matches!(scratch.store().hold_replays(), Err(StoreError::Replaying(_))));
    drop(store);
    scratch.store().hold_replays().unwrap();
}

#[test]
fn a_replay_counts_once_it_is_complete() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let staged = generation_of(&mut store, 1, Origin::Replay);
    assert!(!staged.complete);
    store.commit(&epoch(staged.id, 0)).unwrap();
    assert_eq!(store.pending().unwrap(), Pending::default());
    assert!(store.set_complete(staged.id, [9; 16]).unwrap());
    assert!(store.set_complete(staged.id, [9; 16]).unwrap(), "once more, after an error");
    assert_eq!(store.pending().unwrap().epochs, 1);
    assert_eq!(store.generation([1; 16]).unwrap(), None);
    assert!(store.generation([9; 16]).unwrap().unwrap().complete);

    let again = generation_of(&mut store, 2, Origin::Replay);
    store.commit(&epoch(again.id, 0)).unwrap();
    assert!(!store.set_complete(again.id, [9; 16]).unwrap(), "the same capture");
    assert_eq!(store.generation([2; 16]).unwrap(), None);
    assert_eq!(one::<i64>(store.connection().unwrap(), "SELECT count(*) FROM epoch"), 1);
    assert!(matches!(store.set_complete(77, [8; 16]), Err(StoreError::NoGeneration { .. })));

    let killed = generation_of(&mut store, 3, Origin::Replay);
    store.commit(&epoch(killed.id, 0)).unwrap();
    let live = generation(&mut store, 4);
    store.commit(&epoch(live, 0)).unwrap();
    store.discard_staged().unwrap();
    assert_eq!(store.generation([3; 16]).unwrap(), None);
    assert_eq!(store.pending().unwrap().epochs, 2);
    store.reopen().unwrap();
}

#[test]
fn another_writer_is_waited_for_and_then_told() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(&epoch(row, 0)).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Locked), "{}", text(&error));
    assert!(text(&error).contains("another program holds it locked"), "{}", text(&error));
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(&epoch(row, 0)).unwrap();
}

#[test]
fn readers_read_while_a_writer_writes() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    store.commit(&epoch(row, 0)).unwrap();
    let reader = Reader::open(store.path()).unwrap();
    assert_eq!((reader.meta(), reader.zone().name()), (store.meta(), "Asia/Tokyo"));
    let epochs = || one::<i64>(reader.connection(), "SELECT count(*) FROM epoch");
    assert_eq!(epochs(), 1);
    reader.connection().execute_batch("BEGIN").unwrap();
    assert_eq!(epochs(), 1);
    store.commit(&epoch(row, 1)).unwrap();
    assert_eq!(epochs(), 1, "one state within a transaction");
    reader.connection().execute_batch("COMMIT").unwrap();
    assert_eq!(epochs(), 2);
    let error = reader.connection().execute_batch("DELETE FROM epoch").unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
    drop(store);
    assert_eq!(epochs(), 2);
    assert_eq!(
        one::<i64>(Reader::open(reader.path()).unwrap().connection(), "SELECT count(*) FROM epoch"),
        2
    );
}

#[test]
fn a_doubtful_log_is_written_back_before_anything_counts() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    store.commit(&epoch(row, 0)).unwrap();
    let log = open::log_of(store.path());
    assert!(fs::metadata(&log).unwrap().len() > 0);

    // As after a commit that failed in its last step, while a reader is in the way.
    let reader = Reader::open(store.path()).unwrap();
    reader.connection().execute_batch("BEGIN; SELECT count(*) FROM epoch").unwrap();
    store.doubtful = true;
    let error = store.commit(&epoch(row, 0)).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Locked), "{}", text(&error));
    reader.connection().execute_batch("COMMIT").unwrap();
    store.commit(&epoch(row, 0)).unwrap();
    assert!(!store.doubtful);
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}

#[test]
fn a_reader_is_in_no_writers_way() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    store.commit(&epoch(row, 0)).unwrap();
    let reader = Reader::open(store.path()).unwrap();
    reader.connection().execute_batch("BEGIN; SELECT count(*) FROM epoch").unwrap();

    // After trouble that was none of a COMMIT's.
    store.commit(&epoch(row, 1)).unwrap();
    store.reopen().unwrap();
    store.settle().unwrap();
    store.commit(&epoch(row, 2)).unwrap();
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(store.commit(&epoch(row, 3)).unwrap_err().trouble(), Some(Trouble::Locked));
    store.reopen().unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    store.commit(&epoch(row, 3)).unwrap();

    // What a killed process leaves.
    std::mem::forget(store);
    assert!(fs::metadata(open::log_of(reader.path())).unwrap().len() > 0);
    let mut store = scratch.store();
    assert!(!store.doubtful);
    store.settle().unwrap();
    store.commit(&epoch(row, 4)).unwrap();
    assert_eq!(store.pending().unwrap().epochs, 5);
    assert_eq!(one::<i64>(reader.connection(), "SELECT count(*) FROM epoch"), 1);
}

#[test]
fn a_bare_name_is_one_in_the_current_directory() {
    let here = std::env::current_dir().unwrap();
    let place = Place::new("x.db");
    let paths = (open::absolute(&place.path).unwrap(), open::absolute(&place.key()).unwrap());
    assert_eq!(paths, (here.join("x.db"), here.join("x.db.key")));
    assert!(Store::open(&Place::new(""), None).is_err());

    // In a process of its own, whose current directory is nobody else's.
    let scratch = Scratch::new();
    let made = process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::make_a_store_here", "--ignored"])
        .env("TEITEN_TEST_HERE", "1")
        .current_dir(&scratch.0)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    assert!(scratch.0.join("x.db").exists() && scratch.0.join("x.db.key").exists());
}

#[test]
#[ignore = "makes a store in the current directory, for a_bare_name_is_one_in_the_current_directory"]
fn make_a_store_here() {
    if std::env::var_os("TEITEN_TEST_HERE").is_some() {
        Store::open(&Place::new("x.db"), None).unwrap();
        Store::open_existing(&Place::new("x.db")).unwrap();
    }
}

#[test]
fn a_commit_that_fails_at_its_end_is_looked_for() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    // A constraint that is looked at in COMMIT only.
    let error = store
        .write("fail", |connection| {
            connection.execute_batch("PRAGMA defer_foreign_keys = 1")?;
            connection.execute("INSERT INTO interface VALUES (77, 'eth0', 1, 1)", [])?;
            Ok(())
        })
        .unwrap_err();
    assert!(text(&error).contains("cannot fail"), "{}", text(&error));
    assert!(store.doubtful, "it was opened again");
    assert_eq!(one::<i64>(store.connection().unwrap(), "SELECT count(*) FROM interface"), 0);
    store.commit(&epoch(row, 0)).unwrap();
    assert!(!store.doubtful);
}

#[test]
fn work_that_fails_leaves_nothing() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let failed: Result<(), _> = store.write("fail", |connection| {
        connection.execute("UPDATE generation SET last_epoch = 9", [])?;
        Err(StoreError::NoGeneration { path: PathBuf::new(), generation: 1 }.into())
    });
    assert!(matches!(failed, Err(StoreError::NoGeneration { .. })));
    store.commit(&epoch(row, 0)).unwrap();
}

#[test]
fn a_file_that_is_removed_or_replaced_takes_nothing_more() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    store.commit(&epoch(row, 0)).unwrap();
    let path = store.path().to_owned();
    let aside = scratch.0.join("aside.db");
    let gone = |error: StoreError| {
        assert_eq!(error.trouble(), Some(Trouble::Gone), "{}", text(&error));
        assert!(text(&error).contains("removed or replaced"), "{}", text(&error));
    };
    fs::rename(&path, &aside).unwrap();
    gone(store.commit(&epoch(row, 1)).unwrap_err());
    gone(store.reopen().unwrap_err());
    gone(store.commit(&epoch(row, 1)).unwrap_err());
    assert!(!path.exists(), "nothing is made in its place");
    fs::rename(&aside, &path).unwrap();
    store.commit(&epoch(row, 1)).unwrap();

    // Another store with the same key in its place.
    fs::rename(&path, &aside).unwrap();
    drop(Store::open(&scratch.place(), None).unwrap());
    gone(store.commit(&epoch(row, 2)).unwrap_err());
    let error = store.reopen().unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Foreign), "{}", text(&error));
}

#[test]
fn an_older_copy_in_its_place_is_refused() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    store.commit(&epoch(row, 0)).unwrap();
    open::empty_log(store.path(), store.connection().unwrap()).unwrap();
    let path = store.path().to_owned();
    let copy = scratch.0.join("copy.db");
    fs::copy(&path, &copy).unwrap();
    store.commit(&epoch(row, 1)).unwrap();
    store.connection = None;
    fs::rename(&copy, &path).unwrap();
    let _ = fs::remove_file(open::log_of(&path));
    let error = store.commit(&epoch(row, 2)).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Foreign), "{}", text(&error));
    assert!(text(&error).contains("older copy"), "{}", text(&error));
}

#[test]
fn an_older_copy_is_refused_before_the_first_commit_too() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let path = store.path().to_owned();
    open::empty_log(&path, store.connection().unwrap()).unwrap();
    let copy = scratch.0.join("copy.db");
    fs::copy(&path, &copy).unwrap();
    store.commit(&epoch(row, 0)).unwrap();
    drop(store);
    // The next process takes up the generation, and keeps nothing.
    let mut store = scratch.store();
    assert_eq!(store.generation([1; 16]).unwrap().unwrap().last_epoch, Some(0));
    store.connection = None;
    fs::rename(&copy, &path).unwrap();
    let error = store.commit(&epoch(row, 1)).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Foreign), "{}", text(&error));
    assert!(text(&error).contains("older copy"), "{}", text(&error));
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    for number in 0..20 {
        store.commit(&Epoch::new(row, &drain(number, 5000), Notes::default())).unwrap();
    }
    drop(store);
    let path = scratch.place().path;
    let good = fs::read(&path).unwrap();
    let pages = good.len() / 8192;
    let mut corrupt = 0;
    for page in 0..pages {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let noise: Vec<u8> = (0..8192u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        // The header of the first page stays, or it is no database at all.
        let at = if page == 0 { 100 } else { 0 };
        file.write_all_at(&noise[at..], (page * 8192 + at) as u64).unwrap();
        drop(file);
        let used = Store::open(&scratch.place(), None).and_then(|mut store| {
            let row = generation_of_any(&mut store)?;
            store.commit(&epoch(row, 20))?;
            let read = store.read("read", |connection| {
                let mut statement = connection.prepare("SELECT tallies FROM epoch")?;
                let blobs: Vec<Vec<u8>> =
                    statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(blobs)
            });
            read.map(|blobs| blobs.iter().filter(|blob| blob::decode(blob).is_err()).count())
        });
        match used {
            Err(error) => {
                assert_eq!(error.trouble(), Some(Trouble::Corrupt), "page {page}: {}", text(&error));
                corrupt += 1;
            }
            // Within a blob, whose own checksum tells.
            Ok(bad) => corrupt += usize::from(bad > 0),
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(key::beside(&path, suffix));
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(corrupt * 2 > pages, "damage was noticed in {corrupt} of {pages} pages only");
}

fn generation_of_any(store: &mut Store) -> Result<i64, StoreError> {
    let generation = store.generation([1; 16])?;
    let path = store.path().to_owned();
    let missing = StoreError::Damaged { path, what: "the generation is gone".to_owned() };
    generation.map(|row| row.id).ok_or(missing)
}

#[test]
fn sketches_merge_in_sql() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let sketch = |family, sources: std::ops::Range<u64>| {
        let mut sketch = Sketch::new(Scope::new(store.key(), family, 32));
        sources.for_each(|source| sketch.insert(store.key().hash(source)));
        sketch
    };
    let reader = Reader::open(store.path()).unwrap();
    for connection in [store.connection().unwrap(), reader.connection()] {
        let (a, b) = (sketch(Family::V4, 0..600), sketch(Family::V4, 400..1000));
        let v6 = sketch(Family::V6, 0..1);
        let query = |sql: &str, parts: [Option<Vec<u8>>; 2]| -> rusqlite::Result<rusqlite::types::Value> {
            let rows = "WITH s(v) AS (VALUES (?1), (?2))";
            connection.query_row(&format!("{rows} {sql}"), parts, |row| row.get(0))
        };
        let both = [Some(a.to_bytes()), Some(b.to_bytes())];
        let union = sketch(Family::V4, 0..1000);
        let bytes = rusqlite::types::Value::Blob(union.to_bytes());
        let null = rusqlite::types::Value::Null;
        assert_eq!(query("SELECT hll_merge(v) FROM s", both.clone()).unwrap(), bytes);
        assert_eq!(query("SELECT hll_union(?1, ?2)", both.clone()).unwrap(), bytes);
        let counted = query("SELECT hll_count(hll_merge(v)) FROM s", both.clone()).unwrap();
        assert_eq!(counted, union.estimate().into());

        let half = [None, Some(b.to_bytes())];
        assert_eq!(query("SELECT hll_merge(v) FROM s", half.clone()).unwrap(), b.to_bytes().into());
        assert_eq!(query("SELECT hll_union(?1, ?2)", half.clone()).unwrap(), b.to_bytes().into());
        for sql in
            ["hll_merge(v) FROM s", "hll_union(?1, ?2)", "hll_count(?1)", "hll_merge(v) FROM s WHERE 0"]
        {
            assert_eq!(query(&format!("SELECT {sql}"), [None, None]).unwrap(), null, "{sql}");
        }

        let mixed = [Some(a.to_bytes()), Some(v6.to_bytes())];
        for sql in ["hll_merge(v) FROM s", "hll_union(?1, ?2)"] {
            let error = query(&format!("SELECT {sql}"), mixed.clone()).unwrap_err();
            assert!(error.to_string().contains("does not merge"), "{error}");
            let error = query(&format!("SELECT {sql}"), [Some(vec![1, 2, 3]), None]).unwrap_err();
            assert!(error.to_string().contains("sketch"), "{error}");
        }
        assert!(query("SELECT hll_count('text')", both.clone()).is_err());
    }
}

#[test]
fn after_a_power_cut_every_epoch_that_was_acknowledged_is_there() {
    // What a power cut leaves is what was synchronised, and any part of what came after it. SQLite
    // synchronises the log with each commit, and writes to the database from nowhere but a
    // checkpoint, of what is synchronised in the log. So a copy of the database, and after it of
    // the log, is an image of a power cut at the time of the second copy, as long as no checkpoint
    // runs from the beginning of the first to the end of the second: none does here, but those
    // that the thread itself asks for, with the copies locked out.
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let connection = store.connection().unwrap();
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
    let path = store.path().to_owned();
    let acknowledged = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let checkpoint = std::sync::RwLock::new(());
    let copies = Scratch::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let tallies = 1 + number * 37 % 3000;
                store.commit(&Epoch::new(row, &drain(number, tallies), Notes::default())).unwrap();
                acknowledged.store(number + 1, Ordering::Release);
                if number % 16 == 15 {
                    let _alone = checkpoint.write().unwrap();
                    open::empty_log(&path, store.connection().unwrap()).unwrap();
                }
            }
        });
        for number in 0..12 {
            thread::sleep(std::time::Duration::from_millis(7 * number));
            let copy = copies.0.join(format!("{number}.db"));
            fs::copy(key::beside(&path, ".key"), key::beside(&copy, ".key")).unwrap();
            let _no_checkpoint = checkpoint.read().unwrap();
            let before = acknowledged.load(Ordering::Acquire);
            fs::copy(&path, &copy).unwrap();
            fs::copy(open::log_of(&path), open::log_of(&copy)).unwrap();
            drop(_no_checkpoint);
            let found = contiguous(&copy);
            assert!(found >= before, "{found} epochs after {before} were acknowledged");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Opens a store after a power cut, and returns how many epochs it has: the first ones, without a
/// gap, each whole.
fn contiguous(path: &Path) -> u64 {
    let mut store = Store::open(&Place::new(path), None).unwrap();
    let connection = store.connection().unwrap();
    assert_eq!(one::<String>(connection, "PRAGMA integrity_check"), "ok");
    let mut statement =
        connection.prepare("SELECT epoch, packets, tallies FROM epoch ORDER BY epoch").unwrap();
    let epochs: Vec<(u64, u64, Vec<u8>)> = statement
        .query_map([], |row| Ok((count(row, 0)?.unwrap_or(0), count(row, 1)?.unwrap_or(0), row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (number, (epoch, packets, tallies)) in (0..).zip(&epochs) {
        assert_eq!(*epoch, number);
        assert_eq!(blob::decode(tallies).unwrap().tallies.len() as u64, *packets);
    }
    drop(statement);
    let last = store.generation([1; 16]).unwrap().and_then(|row| row.last_epoch);
    assert_eq!(last, (epochs.len() as u64).checked_sub(1));
    epochs.len() as u64
}

#[test]
fn a_log_that_is_cut_or_changed_loses_its_end_and_nothing_else() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let row = generation(&mut store, 1);
    let log = open::log_of(store.path());
    let log_bytes = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    open::empty_log(store.path(), store.connection().unwrap()).unwrap();
    let mut ends = Vec::new();
    for number in 0..30 {
        store.commit(&Epoch::new(row, &drain(number, 300 * number % 4000), Notes::default())).unwrap();
        ends.push(log_bytes());
    }
    assert!(ends.is_sorted() && ends[0] > 0, "a checkpoint came in between: {ends:?}");
    let (database, whole) = (fs::read(store.path()).unwrap(), fs::read(&log).unwrap());
    let secret = fs::read(scratch.place().key()).unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..60 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = usize::try_from(random % (whole.len() as u64 + 1)).unwrap();
        let mut torn = whole.clone();
        match round % 3 {
            0 => torn.truncate(at),
            // Sectors that were not written.
            1 => torn[at..].iter_mut().take(512).for_each(|byte| *byte = 0),
            _ => torn[at..].iter_mut().take(1).for_each(|byte| *byte ^= 0x10),
        }
        let copy = Scratch::new();
        let path = copy.place().path;
        fs::write(&path, &database).unwrap();
        fs::write(open::log_of(&path), torn).unwrap();
        fs::write(copy.place().key(), &secret).unwrap();
        let whole_before = ends.iter().filter(|&&end| end <= at as u64).count() as u64;
        let found = contiguous(&path);
        assert!(found >= whole_before, "round {round}, byte {at}: {found} of {whole_before}");
    }
}

/// A store of a version as the program of that version made it, compressed.
fn fixture(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/fixtures/store-v{version}.db.gz"))
}

/// The text of the key of these stores.
pub(super) const FIXTURE_KEY: &str = "000102030405060708090a0b0c0d0e0f\n";

/// The rows of a store by table, but for the store's own description.
fn rows_by_table(connection: &Connection) -> Vec<(String, i64)> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta' ORDER BY name";
    let mut tables = connection.prepare(tables).unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    names.map(|name| (name.clone(), one(connection, &format!("SELECT count(*) FROM {name}")))).collect()
}

/// Makes the fixture of today's version, which no later one can make:
/// `cargo test -p sensor-user --lib store::tests::make_fixture -- --ignored`
#[test]
#[ignore = "writes the fixture of this version"]
fn make_fixture() {
    let scratch = Scratch::new();
    fs::write(scratch.place().key(), FIXTURE_KEY).unwrap();
    let mut store = scratch.store();
    let sensors = [
        "a=192.0.2.0/24,2001:db8::/32;role=honeypot;group=domestic;alias=S1;filtered=445/tcp",
        "b=198.51.100.0/24",
    ];
    let sensors = Sensors::new(sensors.iter().map(|sensor| sensor.parse().unwrap()).collect()).unwrap();
    let new = NewGeneration {
        generation: [1; 16],
        host: "host",
        origin: Origin::Live,
        created: 1_717_200_000,
        lengths: LENGTHS,
        sensors: &sensors,
    };
    let row = store.add_generation(&new).unwrap().id;
    let nics = |received| vec![Nic { name: "eth0".to_owned(), received, dropped: 1 }];
    for number in 0..3 {
        let notes = Notes { observed: true, restarted: number == 0, nics: nics(100 * number) };
        store.commit(&Epoch::new(row, &drain(number, 5), notes)).unwrap();
    }
    let mut sketch = Sketch::new(Scope::new(store.key(), Family::V4, 32));
    (0..100).for_each(|source| sketch.insert(store.key().hash(source)));
    let rows = "
        UPDATE meta SET store = x'00112233445566778899aabbccddeeff', created = 1717200000;
        UPDATE epoch SET tallies = NULL WHERE epoch = 0;
        INSERT INTO span (id, level, start, seconds, frames, packets) VALUES (1, 0, 1717200000, 3600, 5, 5);
        INSERT INTO span_sensor VALUES (1, 1, 60000000000, 5);
        INSERT INTO database VALUES (1, 'country', 'GeoLite2-Country', 1717000000);
        INSERT INTO span_database VALUES (1, 1);
        INSERT INTO total VALUES (1, 0, 0, 4, 1, 5, ?1);
        INSERT INTO port_region VALUES (1, 0, 0, 23, 'JP', 4, 1, 5, ?1);
        INSERT INTO port_tool VALUES (1, 0, 0, 23, 1, 4, 1, 5, ?1);
        INSERT INTO region_asn VALUES (1, 0, 0, 'JP', 64500, 4, 1, 5, ?1);
        INSERT INTO region_tool VALUES (1, 0, 0, 'JP', 1, 4, 1, 5, ?1);
        INSERT INTO port_prefix VALUES (1, 0, 0, 23, 12989284, 4, 1, 5, ?1, 'JP');
        INSERT INTO region_prefix VALUES (1, 'JP', 12989284, 4, 5);
        INSERT INTO survey VALUES (1, 12989284, 4, 100, 500, ?1);
        INSERT INTO survey_port VALUES (1, 0, 23, 4, 5);
        INSERT INTO survey_region VALUES (1, 'JP', 4, 5);
        INSERT INTO victim VALUES (1, 3325256705, 4, 80, 4, 1, 500, 10, 1717200000, 1717200540, 90, 1);
        INSERT INTO open_prefix VALUES (1717167600, 0, 0, 23, 12989284, 4, 1, 5, ?1);
        INSERT INTO open_backscatter VALUES (1717200000, 3325256705, 4, 80, 4, 1, 5);";
    for row in rows.split(';').filter(|row| !row.trim().is_empty()) {
        let bytes = sketch.to_bytes();
        let parameters: &[&dyn rusqlite::ToSql] = if row.contains("?1") { &[&bytes] } else { &[] };
        store.connection().unwrap().execute(row, parameters).unwrap();
    }
    let empty: Vec<_> = rows_by_table(store.connection().unwrap());
    assert!(empty.iter().all(|(_, rows)| *rows > 0), "{empty:?}");
    drop(store);
    let file = File::create(fixture(schema::VERSION)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    io::Write::write_all(&mut gzip, &fs::read(scratch.place().path).unwrap()).unwrap();
    gzip.finish().unwrap();
}

#[test]
fn stores_of_all_versions_are_brought_up_to_date() {
    for version in 1..=schema::VERSION {
        brought_up_to_date(version);
    }
}

fn brought_up_to_date(version: i64) {
    let scratch = Scratch::new();
    let place = scratch.place();
    let mut database = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(File::open(fixture(version)).unwrap());
    io::Read::read_to_end(&mut gzip, &mut database).unwrap();
    fs::write(&place.path, &database).unwrap();
    fs::write(place.key(), FIXTURE_KEY).unwrap();
    let old = Connection::open(&place.path).unwrap();
    assert_eq!(one::<i64>(&old, "PRAGMA user_version"), version);
    let before = rows_by_table(&old);
    assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");
    drop(old);
    if version < schema::VERSION {
        let known = schema::VERSION;
        let error = Reader::open(&place.path).unwrap_err();
        assert!(
            matches!(error, StoreError::Older { version: of, known: to, .. } if (of, to) == (version, known))
        );
    }

    let mut store = Store::open(&place, Some("Asia/Tokyo")).unwrap();
    assert_eq!(store.id(), 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes());
    assert_eq!(store.meta().created, 1_717_200_000);
    let connection = store.connection().unwrap();
    assert_eq!(one::<i64>(connection, "PRAGMA user_version"), schema::VERSION);
    assert_eq!(one::<String>(connection, "PRAGMA integrity_check"), "ok");
    let after = rows_by_table(connection);
    for table in &before {
        assert!(after.contains(table), "{table:?} became {after:?}");
    }
    let (fresh, made) = (Connection::open_in_memory().unwrap(), layout(connection));
    for (step, number) in schema::steps(0) {
        schema::migrate(&fresh, step, number).unwrap();
    }
    assert_eq!(made, layout(&fresh));
    let oldest_ns = Some(drain(1, 0).span.start_ns);
    assert_eq!(store.pending().unwrap(), Pending { epochs: 2, packets: 10, oldest_ns });
    let blob: Vec<u8> = one(connection, "SELECT tallies FROM epoch WHERE epoch = 2");
    assert_eq!(blob::decode(&blob).unwrap().tallies.len(), 5);
    assert_eq!(one::<f64>(connection, "SELECT round(hll_count(sources)) FROM total"), 100.0);
    let row = store.generation([1; 16]).unwrap().unwrap();
    store.commit(&epoch(row.id, 3)).unwrap();
    drop(store);
    assert_eq!(Reader::open(&place.path).unwrap().pending().unwrap().epochs, 3);
}

/// What makes tables and indices.
fn layout(connection: &Connection) -> Vec<String> {
    let mut find =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let rows = find.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn two_readers_see_one_state() {
    let scratch = Scratch::new();
    drop(scratch.store());
    let reader = Reader::open(&scratch.place().path).unwrap();
    let sensors = |reader: &Reader| reader.sensors().unwrap().len();
    let add = |name: &str| {
        let connection = Connection::open(&scratch.place().path).unwrap();
        let sql = "INSERT INTO sensor (name, role, prefixes, filtered) VALUES (?, 'dark', '', '')";
        connection.execute(sql, [name]).unwrap();
    };
    add("a");
    let seen = reader.at_rest(|other| {
        add("b");
        let beside = thread::scope(|scope| scope.spawn(move || sensors(&other)).join().unwrap());
        Ok::<_, Either>((sensors(&reader), beside))
    });
    assert_eq!(seen.unwrap(), (1, 1), "both as it was before");
    assert_eq!(sensors(&reader), 2, "and afterwards as it is");

    // While somebody writes all the time.
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                add("c");
            }
        });
        for _ in 0..50 {
            let seen = reader.at_rest(|other| Ok::<_, Either>((sensors(&reader), sensors(&other))));
            let (one, other) = seen.unwrap();
            assert_eq!(one, other);
        }
        ends.store(true, Ordering::Relaxed);
    });
}

/// What goes wrong with questions.
#[derive(Debug, thiserror::Error)]
enum Either {
    #[error(transparent)]
    Query(#[from] query::QueryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
