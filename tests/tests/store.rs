//! The store on disks that are full, and on such that cannot be written.

use std::{fs, path::Path};

use sensor_common::{
    key::Meta,
    layout::{Outcomes, Slot},
};
use teiten::{
    cube::SourceLengths,
    kernel::{Drain, Span},
    model::{Role, Sensors},
    store::{Epoch, NewGeneration, Notes, Origin, Place, Reader, Store, StoreError, Trouble},
};
use teiten_tests::{
    mounts::{apart, memory, read_only},
    random::Random,
    root,
    scratch::Scratch,
};

/// Bytes of the small disk.
const DISK: u64 = 4 << 20;

fn open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(&Place::new(directory.join("store.db")), Some("UTC"))
}

fn generation(store: &mut Store) -> i64 {
    let sensors = Sensors::everything("here", Role::Lit);
    let new = NewGeneration {
        generation: [7; 16],
        host: "host",
        origin: Origin::Live,
        created: 1_717_200_000,
        lengths: SourceLengths { v4: 32, v6: 64 },
        sensors: &sensors,
    };
    store.add_generation(&new).expect("a generation").id
}

fn epoch(generation: i64, number: u64) -> Epoch {
    let start_ns = 1_717_200_000_000_000_000 + number * 60_000_000_000;
    let mut random = Random(number);
    let tallies: Vec<Slot> = (0..3000)
        .map(|_| Slot { source: random.draw() >> 32, meta: Meta(random.below(1024) as u32), packets: 1 })
        .collect();
    let packets = tallies.len() as u64;
    let drain = Drain {
        epoch: number,
        span: Span { start_ns, end_ns: start_ns + 60_000_000_000 },
        tallies,
        outcomes: Outcomes { runs: packets, packets, ..Outcomes::default() },
        ..Drain::default()
    };
    Epoch::new(generation, &drain, Notes { observed: true, ..Notes::default() })
}

/// Takes all the space that is left on a disk.
fn fill(path: &Path) {
    let mut bytes = DISK as usize;
    let mut ballast = Vec::new();
    while bytes > 0 {
        ballast.resize(ballast.len() + bytes, 0);
        if fs::write(path, &ballast).is_err() {
            ballast.truncate(ballast.len() - bytes);
            bytes /= 2;
        }
    }
    // The file that did not fit took what there was.
    let _ = fs::write(path, [&ballast[..], &[0; 4096]].concat());
}

#[track_caller]
fn trouble<T>(result: Result<T, StoreError>, expected: Trouble) {
    match result {
        Ok(_) => panic!("no {expected:?}"),
        Err(error) => assert_eq!(error.trouble(), Some(expected), "{error:?}"),
    }
}

#[test]
fn nothing_is_lost_when_the_disk_is_full() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    apart(|| {
        let disk = scratch.path("disk");
        memory(&disk, DISK);
        let ballast = disk.join("ballast");
        fs::write(&ballast, vec![1; 2 << 20]).expect("ballast");
        let mut store = open(&disk).expect("a store");
        let row = generation(&mut store);
        let mut number = 0;
        let mut full = 0;
        // Twice to the brim: with ballast, and without.
        for kept in [true, false] {
            loop {
                let next = epoch(row, number);
                match store.commit(&next) {
                    Ok(()) => number += 1,
                    Err(error) => {
                        assert_eq!(error.trouble(), Some(Trouble::Full), "{error:?}");
                        full += 1;
                        // It is no different at the second try, and what is there can be read.
                        trouble(store.commit(&next), Trouble::Full);
                        assert_eq!(store.pending().expect("epochs").epochs, number);
                        break;
                    }
                }
            }
            if kept {
                fs::remove_file(&ballast).expect("space");
                store.commit(&epoch(row, number)).expect("the same epoch");
                number += 1;
            }
        }
        assert_eq!(full, 2);
        assert!(number > 20, "{number} epochs");
        // A process that dies now, and another disk.
        drop(store);
        let larger = scratch.path("larger");
        fs::create_dir(&larger).expect("a directory");
        for file in fs::read_dir(&disk).expect("files") {
            let file = file.expect("a file");
            fs::copy(file.path(), larger.join(file.file_name())).expect("a copy");
        }
        let mut store = open(&larger).expect("the store");
        assert_eq!(generation(&mut store), row);
        let last = store.generation([7; 16]).expect("a generation").and_then(|row| row.last_epoch);
        assert_eq!(last, Some(number - 1));
        assert_eq!(store.pending().expect("epochs").epochs, number);
        store.commit(&epoch(row, number)).expect("the epoch that found no space");
    });
}

#[test]
fn a_store_is_made_once_there_is_space() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    apart(|| {
        let disk = scratch.path("disk");
        memory(&disk, DISK);
        let ballast = disk.join("ballast");
        fill(&ballast);
        trouble(open(&disk), Trouble::Full);
        // Space for the key and the first pages, not for all of it.
        for space in [1, 2, 4, 8, 16, 32] {
            let length = fs::metadata(&ballast).expect("ballast").len();
            let file = fs::OpenOptions::new().write(true).open(&ballast).expect("ballast");
            file.set_len(length - space * 4096).expect("space");
            match open(&disk) {
                Ok(_) => break,
                Err(error) => assert_eq!(error.trouble(), Some(Trouble::Full), "{error:?}"),
            }
        }
        fs::remove_file(&ballast).expect("space");
        let mut store = open(&disk).expect("a store");
        let row = generation(&mut store);
        store.commit(&epoch(row, 0)).expect("an epoch");
    });
}

#[test]
fn a_store_that_cannot_be_written_is_read() {
    if !root() {
        return;
    }
    let scratch = Scratch::new();
    apart(|| {
        let (disk, unfinished) = (scratch.path("read only?#%41"), scratch.path("unfinished"));
        memory(&disk, DISK);
        memory(&unfinished, DISK);
        let mut store = open(&disk).expect("a store");
        let row = generation(&mut store);
        store.commit(&epoch(row, 0)).expect("an epoch");
        for name in ["store.db", "store.db-wal", "store.db.key"] {
            fs::copy(disk.join(name), unfinished.join(name)).expect("a copy");
        }
        drop(store);
        read_only(&disk);
        read_only(&unfinished);

        trouble(open(&disk), Trouble::ReadOnly);
        let reader = Reader::open(&disk.join("store.db")).expect("a reader");
        assert_eq!(reader.pending().expect("epochs").epochs, 1);

        // What is in the log only would be missed.
        trouble(open(&unfinished), Trouble::ReadOnly);
        let error = Reader::open(&unfinished.join("store.db")).expect_err("an unfinished one");
        assert!(matches!(error, StoreError::Unfinished { .. }), "{error:?}");
        assert!(error.to_string().contains("store.db-wal"), "{error}");

        // No store can be made there.
        trouble(Store::open(&Place::new(disk.join("new/store.db")), None), Trouble::ReadOnly);
    });
}
