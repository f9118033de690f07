//! An epoch, once, in one durable transaction.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Fault, Reader, Store, StoreError, Trouble, blob, count, generation::last_epoch, signed};
use crate::kernel::Drain;

/// What was drained from the kernel in one epoch, ready to be kept.
#[derive(Clone, Debug)]
pub struct Epoch {
    generation: i64,
    number: u64,
    start_ns: u64,
    end_ns: u64,
    frames: u64,
    packets: u64,
    uncounted: u64,
    notes: Notes,
    tallies: Vec<u8>,
}

/// What the agent knows of an epoch beside what was drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Whether packets could arrive all the time. If not, nobody can say how long they could.
    pub observed: bool,
    /// Whether this is the agent's first epoch since it started.
    pub restarted: bool,
    /// The network cards' own counters.
    pub nics: Vec<Nic>,
}

/// Counters of a network card: since it was switched on, not since the last epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    pub name: String,
    /// Packets that it received.
    pub received: u64,
    /// Packets that it had no room for.
    pub dropped: u64,
}

/// How keeping goes in a running agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What keeps the store from committing, and since when, in nanoseconds since 1970.
    pub trouble: Option<(Trouble, u64)>,
    /// End of the last epoch that became durable, in nanoseconds since 1970; 0: none since the start.
    pub kept_until_ns: u64,
    /// Epochs that were committed since the start.
    pub commits: u64,
    /// Attempts that failed since the start.
    pub failures: u64,
}

/// What is kept and not folded yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub epochs: u64,
    pub packets: u64,
    /// When the oldest epoch began, in nanoseconds since 1970.
    pub oldest_ns: Option<u64>,
}

impl Epoch {
    /// The epoch of a drain; `generation` is the store's row. Everything is encoded here, so that
    /// another try costs nothing.
    pub fn new(generation: i64, drain: &Drain, notes: Notes) -> Self {
        Self {
            generation,
            number: drain.epoch,
            start_ns: drain.span.start_ns,
            end_ns: drain.span.end_ns,
            frames: drain.outcomes.runs,
            packets: drain.outcomes.packets,
            uncounted: drain.uncounted,
            notes,
            tallies: blob::encode(drain),
        }
    }

    /// Bytes that its tallies take in the store.
    pub fn bytes(&self) -> usize {
        self.tallies.len()
    }

    /// Whether the store has this epoch; an error if it has it with other content.
    fn is_kept(&self, connection: &Connection, store: &Path) -> Result<bool, Fault> {
        let mut find = connection.prepare_cached(
            "SELECT start_ns = ?3 AND end_ns = ?4 AND frames = ?5 AND packets = ?6
                    AND (tallies IS NULL OR tallies = ?7)
             FROM epoch WHERE generation = ?1 AND epoch = ?2",
        )?;
        let same = find.query_row(
            params![
                self.generation,
                signed(self.number),
                signed(self.start_ns),
                signed(self.end_ns),
                signed(self.frames),
                signed(self.packets),
                self.tallies,
            ],
            |row| row.get(0),
        );
        match same.optional()? {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => Err(StoreError::Differs {
                path: store.to_owned(),
                generation: self.generation,
                epoch: self.number,
            }
            .into()),
        }
    }

    /// Enters it if it is not there, and follows the last one; to be called within a transaction.
    fn keep(&self, connection: &Connection, store: &Path) -> Result<(), Fault> {
        if self.is_kept(connection, store)? {
            return Ok(());
        }
        let Self { generation, number, .. } = *self;
        let path = || store.to_owned();
        if !exists(connection, generation)? {
            return Err(StoreError::NoGeneration { path: path(), generation }.into());
        }
        let last = last_epoch(connection, generation)?;
        if last.map_or(Some(0), |last| last.checked_add(1)) != Some(number) {
            return Err(StoreError::Sequence { path: path(), generation, epoch: number, last }.into());
        }
        self.enter(connection)
    }

    /// Enters it; to be called within a transaction.
    fn enter(&self, connection: &Connection) -> Result<(), Fault> {
        let (received, dropped) = self.cards(connection)?;
        connection
            .prepare_cached(
                "INSERT INTO epoch (generation, epoch, start_ns, end_ns, observed_ns, restarted, frames,
                                    packets, nic_received, nic_dropped, tallies)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.generation,
                signed(self.number),
                signed(self.start_ns),
                signed(self.end_ns),
                if self.notes.observed { signed(self.end_ns.saturating_sub(self.start_ns)) } else { 0 },
                self.notes.restarted,
                signed(self.frames),
                signed(self.packets),
                received.map(signed),
                dropped.map(signed),
                self.tallies,
            ])?;
        connection
            .prepare_cached(
                "UPDATE generation
                 SET last_epoch = ?, uncounted = uncounted + ?, frames = frames + ?, packets = packets + ?
                 WHERE id = ?",
            )?
            .execute(params![
                signed(self.number),
                signed(self.uncounted),
                signed(self.frames),
                signed(self.packets),
                self.generation
            ])?;
        Ok(())
    }

    /// What the cards counted since the last epoch; `None` if that cannot be said of every card.
    fn cards(&self, connection: &Connection) -> rusqlite::Result<(Option<u64>, Option<u64>)> {
        let known = if self.notes.nics.is_empty() { None } else { Some(0u64) };
        let mut sums = (known, known);
        for nic in &self.notes.nics {
            let last: Option<(i64, i64)> = connection
                .prepare_cached("SELECT received, dropped FROM interface WHERE generation = ? AND name = ?")?
                .query_row(params![self.generation, nic.name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (received, dropped) = (signed(nic.received), signed(nic.dropped));
            let more = |sum: Option<u64>, now: i64, last: Option<i64>| {
                sum?.checked_add(u64::try_from(now.checked_sub(last?)?).ok()?)
            };
            sums.0 = more(sums.0, received, last.map(|last| last.0));
            sums.1 = more(sums.1, dropped, last.map(|last| last.1));
            connection
                .prepare_cached(
                    "INSERT INTO interface (generation, name, received, dropped) VALUES (?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET received = excluded.received, dropped = excluded.dropped",
                )?
                .execute(params![self.generation, nic.name, received, dropped])?;
        }
        Ok(sums)
    }
}

impl Store {
    /// Keeps an epoch. When this returns `Ok`, it is on the disk and survives a power cut.
    ///
    /// The epoch must be the one after the generation's last, the first one 0. To keep again what is
    /// kept already is no error.
    ///
    /// # Errors
    ///
    /// After an error the epoch is not kept, or nobody can say that it is on the disk; in both
    /// cases it may, and has to, be committed again. [`StoreError::Sequence`] if it does not follow
    /// the last one, [`StoreError::Differs`] if it is kept with other content.
    pub fn commit(&mut self, epoch: &Epoch) -> Result<(), StoreError> {
        let path = self.path.clone();
        let kept = self.write("keep an epoch", |connection| epoch.keep(connection, &path));
        if let Err(error) = kept {
            // After an error from COMMIT it may be there. Then it counts once the log has been
            // written back: a log that could not be written is not trusted with what is in it.
            let is_there = self.doubtful
                && self
                    .read("read an epoch back", |connection| epoch.is_kept(connection, &path))
                    .unwrap_or(false);
            if !is_there || self.settle().is_err() {
                return Err(error);
            }
        }
        self.know(epoch.generation, epoch.number);
        Ok(())
    }

    /// Keeps epochs in one transaction, all or none.
    ///
    /// # Errors
    ///
    /// As [`Store::commit`], but that nobody can say whether they are kept after an error from the very end:
    /// for those of a generation that is not complete, which can be given up.
    pub fn commit_together(&mut self, epochs: &[Epoch]) -> Result<(), StoreError> {
        let path = self.path.clone();
        self.write("keep epochs", |connection| epochs.iter().try_for_each(|epoch| epoch.keep(connection, &path)))?;
        for epoch in epochs {
            self.know(epoch.generation, epoch.number);
        }
        Ok(())
    }

    /// Makes sure that an epoch could be kept now.
    pub fn probe(&mut self) -> Result<(), StoreError> {
        self.write("write to it", |connection| {
            connection.execute("UPDATE meta SET created = created", [])?;
            Ok(())
        })
    }

    /// Whether hours were folded with a database of countries.
    pub fn knows_countries(&self) -> Result<bool, StoreError> {
        self.read("look for databases", |connection| {
            let find = "SELECT EXISTS (SELECT 1 FROM database WHERE role = 'country')";
            Ok(connection.prepare_cached(find)?.query_row([], |row| row.get(0))?)
        })
    }

    /// Frames of all epochs that were ever kept, but for replays that are still being read.
    pub fn frames(&self) -> Result<u64, StoreError> {
        self.read("add up what is kept", |connection| {
            let mut statement = connection
                .prepare_cached("SELECT coalesce(sum(frames), 0) FROM generation WHERE complete = 1")?;
            Ok(statement.query_row([], |row| count(row, 0))?.unwrap_or(0))
        })
    }

    /// What is kept and not folded yet, but for replays that are still being read.
    pub fn pending(&self) -> Result<Pending, StoreError> {
        self.read(PENDING, pending)
    }
}

impl Reader {
    /// What is kept and not folded yet, but for replays that are still being read.
    pub fn pending(&self) -> Result<Pending, StoreError> {
        self.read(PENDING, pending)
    }
}

const PENDING: &str = "look for what is not folded";

fn pending(connection: &Connection) -> Result<Pending, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(e.packets), 0), min(e.start_ns)
         FROM epoch e JOIN generation g ON g.id = e.generation
         WHERE e.tallies IS NOT NULL AND g.complete = 1",
    )?;
    let pending = statement.query_row([], |row| {
        Ok(Pending {
            epochs: count(row, 0)?.unwrap_or(0),
            packets: count(row, 1)?.unwrap_or(0),
            oldest_ns: count(row, 2)?,
        })
    })?;
    Ok(pending)
}

fn exists(connection: &Connection, generation: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM generation WHERE id = ?)")?
        .query_row([generation], |row| row.get(0))
}
