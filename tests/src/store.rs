//! A look into a store with nothing but SQL: what was kept, and whether it is whole.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

/// What one generation has in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// In hexadecimal digits.
    pub id: String,
    pub origin: String,
    pub last_epoch: Option<i64>,
    /// The sum of its epochs, as the row itself says.
    pub frames: i64,
    /// Number, frames and packets of each epoch, in their order.
    pub epochs: Vec<(i64, i64, i64)>,
}

/// All that was kept. See [`Kept::of`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// In the order in which they were made.
    pub generations: Vec<Generation>,
    pub frames: i64,
    pub packets: i64,
    /// Frames for which there was no counter, as of the last epochs.
    pub uncounted: i64,
    /// Packets without joint detail, of what is folded.
    pub lost: i64,
    /// Epochs that are not folded yet.
    pub unfolded: i64,
}

impl Kept {
    /// Reads a store and holds it to what must be true at any time: epochs follow each other from 0 to the
    /// last one, none twice; sums are right; what is folded and what is not make up all; no accounting
    /// identity is broken.
    ///
    /// # Panics
    ///
    /// If anything of that is not so.
    pub fn of(path: &Path) -> Self {
        Self::read(path, |numbers, last| numbers.iter().copied().eq(0..last + 1))
    }

    /// The same for a store that was restored from an older copy, after `detach --restored`: the epochs
    /// between that copy and what the kernel still had are missing.
    ///
    /// # Panics
    ///
    /// If something else is wrong.
    pub fn of_restored(path: &Path) -> Self {
        Self::read(path, |numbers, last| {
            numbers.iter().all(|&number| number <= last) && numbers.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    fn read(path: &Path, whole: impl Fn(&[i64], i64) -> bool) -> Self {
        let connection = open(path);
        // One state of the store, whatever is written meanwhile.
        connection.execute_batch("BEGIN").unwrap();
        let mut kept = Self::default();
        for (row, generation) in generations(&connection) {
            let epochs = epochs(&connection, row);
            let numbers: Vec<i64> = epochs.iter().map(|(number, ..)| *number).collect();
            let id = &generation.id;
            assert!(
                whole(&numbers, generation.last_epoch.unwrap_or(-1)),
                "epochs of generation {id}, whose last one is {:?}, in {}: {numbers:?}",
                generation.last_epoch,
                path.display()
            );
            let frames: i64 = epochs.iter().map(|(_, frames, _)| frames).sum();
            assert_eq!(generation.frames, frames, "frames of generation {id} and those of its epochs");
            kept.frames += frames;
            kept.packets += epochs.iter().map(|(.., packets)| packets).sum::<i64>();
            kept.generations.push(Generation { epochs, ..generation });
        }
        let sum = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).expect(sql) };
        kept.uncounted = sum("SELECT coalesce(sum(uncounted), 0) FROM generation");
        kept.unfolded = sum("SELECT count(*) FROM epoch WHERE tallies IS NOT NULL");
        kept.lost = sum("SELECT coalesce(sum(lost), 0) FROM span WHERE level IN (0, 2)");
        let waiting = |what: &str| {
            sum(&format!("SELECT coalesce(sum({what}), 0) FROM epoch WHERE tallies IS NOT NULL"))
        };
        let folded =
            |what: &str| sum(&format!("SELECT coalesce(sum({what}), 0) FROM span WHERE level IN (0, 2)"));
        assert_eq!(folded("frames") + waiting("frames"), kept.frames, "frames that are folded, and not yet");
        assert_eq!(
            folded("packets") + waiting("packets"),
            kept.packets,
            "packets that are folded, and not yet"
        );
        for cube in ["total", "port_region", "port_tool", "region_asn", "region_tool"] {
            let rows = sum(&format!(
                "SELECT coalesce(sum({cube}.packets), 0) FROM {cube} JOIN span ON span.id = {cube}.span \
                 WHERE level IN (0, 2)"
            ));
            if cube == "total" {
                assert_eq!(rows + waiting("packets"), kept.packets, "packets in rows of `{cube}`");
            } else {
                // Which kinds a cube holds is its own affair; none is in it twice.
                assert!(rows + waiting("packets") <= kept.packets, "{rows} packets in rows of `{cube}`");
            }
        }
        assert_eq!(sum("SELECT coalesce(sum(mismatches), 0) FROM span"), 0, "broken accounting identities");
        kept
    }

    /// The last epoch of the newest generation.
    pub fn last_epoch(&self) -> Option<i64> {
        self.generations.last().and_then(|generation| generation.last_epoch)
    }

    /// How many epochs there are.
    pub fn epochs(&self) -> usize {
        self.generations.iter().map(|generation| generation.epochs.len()).sum()
    }
}

/// Frames that are folded, and packets of them whose sources were lost, whatever became of their epochs.
///
/// # Panics
///
/// If it is no store.
pub fn folded(path: &Path) -> (i64, i64) {
    let sql = "SELECT coalesce(sum(frames), 0), coalesce(sum(lost), 0) FROM span WHERE level IN (0, 2)";
    open(path).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect(sql)
}

/// Opens a store for reading.
///
/// # Panics
///
/// If it is none.
pub fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

fn generations(connection: &Connection) -> Vec<(i64, Generation)> {
    let sql = "SELECT id, lower(hex(generation)), origin, last_epoch, frames FROM generation ORDER BY id";
    let mut statement = connection.prepare(sql).expect(sql);
    let rows = statement.query_map([], |row| {
        let generation = Generation {
            id: row.get(1)?,
            origin: row.get(2)?,
            last_epoch: row.get(3)?,
            frames: row.get(4)?,
            epochs: Vec::new(),
        };
        Ok((row.get(0)?, generation))
    });
    rows.expect(sql).map(Result::unwrap).collect()
}

/// Also those that are there twice, if a damaged store has such.
fn epochs(connection: &Connection, generation: i64) -> Vec<(i64, i64, i64)> {
    let sql = "SELECT epoch, frames, packets FROM epoch WHERE generation = ? ORDER BY epoch";
    let mut statement = connection.prepare(sql).expect(sql);
    let rows = statement.query_map([generation], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect(sql).map(Result::unwrap).collect()
}

/// The id of a store, in hexadecimal digits.
///
/// # Panics
///
/// If it has none.
pub fn id(path: &Path) -> String {
    open(path).query_row("SELECT lower(hex(store)) FROM meta", [], |row| row.get(0)).expect("a store's id")
}

/// What SQLite says of its own structures: `ok`.
///
/// # Panics
///
/// If it cannot be asked.
pub fn integrity(connection: &Connection) -> String {
    let mut statement = connection.prepare("PRAGMA integrity_check").unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

/// The files of a store, and what they are called: the database, the write-ahead log, its index.
pub fn files(path: &Path) -> BTreeMap<&'static str, PathBuf> {
    ["", "-wal", "-shm"]
        .into_iter()
        .map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            (suffix, PathBuf::from(name))
        })
        .collect()
}
