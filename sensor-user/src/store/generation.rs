//! Loads of the program into a kernel, captures that are read, and the sensors of both.

use std::{
    fs::{OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Fault, Store, StoreError, count, key, signed};
use crate::{
    cube::SourceLengths,
    model::{Sensor, Sensors},
};

/// Where packets came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The wire.
    Live,
    /// A capture.
    Replay,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Replay => "replay",
        }
    }
}

/// A load of the program, or a capture that is about to be read.
#[derive(Clone, Copy, Debug)]
pub struct NewGeneration<'a> {
    /// Of a load: the random number that the kernel keeps with it. Of a capture that is being read:
    /// any, until [`Store::set_complete`] gives it the final one.
    pub generation: [u8; 16],
    pub host: &'a str,
    /// A replay is not folded before it is complete.
    pub origin: Origin,
    /// When it was loaded, in seconds since 1970.
    pub created: i64,
    pub lengths: SourceLengths,
    pub sensors: &'a Sensors,
}

/// What the store has of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationRow {
    /// What the store calls it.
    pub id: i64,
    /// The last epoch that is kept; `None` if there was none yet.
    pub last_epoch: Option<u64>,
    /// Frames without a counter in all epochs that were kept.
    pub uncounted: u64,
    /// Whether it may be folded.
    pub complete: bool,
}

impl GenerationRow {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            last_epoch: count(row, 1)?,
            uncounted: count(row, 2)?.unwrap_or(0),
            complete: row.get(3)?,
        })
    }
}

const BY_NUMBER: &str = "SELECT id, last_epoch, uncounted, complete FROM generation WHERE generation = ?";

fn find(connection: &Connection, generation: [u8; 16]) -> rusqlite::Result<Option<GenerationRow>> {
    connection.prepare_cached(BY_NUMBER)?.query_row([generation], GenerationRow::of).optional()
}

/// The last epoch of a generation, by its row.
pub(super) fn last_epoch(connection: &Connection, row: i64) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached("SELECT last_epoch FROM generation WHERE id = ?")?;
    Ok(statement.query_row([row], |row| count(row, 0)).optional()?.flatten())
}

impl Store {
    /// Enters a generation and its sensors, or finds it as it was entered before.
    ///
    /// A sensor that is defined as before keeps its row; one that is defined otherwise gets a new one.
    /// Of a load of the program, rows that the host had in use and that are not among its sensors now
    /// end; rows that another host uses stay. A capture ends nothing: nobody knows when its sensors were
    /// defined so, and a row that only captures have is never in use.
    pub fn add_generation(&mut self, new: &NewGeneration<'_>) -> Result<GenerationRow, StoreError> {
        match self.generation(new.generation)? {
            Some(row) => Ok(row),
            // If somebody else entered it meanwhile, with epochs, it is not this process that keeps them.
            None => self.write("enter a generation", |connection| enter(connection, new)),
        }
    }

    /// A generation by its number. From now on a copy of the store that has less of it is refused.
    pub fn generation(&mut self, generation: [u8; 16]) -> Result<Option<GenerationRow>, StoreError> {
        let found = self.read("find a generation", |connection| Ok(find(connection, generation)?))?;
        if let Some(GenerationRow { id, last_epoch: Some(last), .. }) = found {
            self.know(id, last);
        }
        Ok(found)
    }

    /// Takes note that an epoch of a generation is kept.
    pub(super) fn know(&mut self, row: i64, epoch: u64) {
        let last = self.last.entry(row).or_default();
        *last = epoch.max(*last);
    }

    /// Gives up the epochs of a generation before `next`, which are in no copy of the store any more.
    pub fn skip_epochs(&mut self, row: i64, next: u64) -> Result<(), StoreError> {
        self.write("give up epochs", |connection| {
            connection.execute(
                "UPDATE generation SET last_epoch = ?2 WHERE id = ?1 AND coalesce(last_epoch, -1) < ?2",
                params![row, signed(next) - 1],
            )?;
            Ok(())
        })?;
        if let Some(last) = next.checked_sub(1) {
            self.know(row, last);
        }
        Ok(())
    }

    /// Keeps other processes from reading captures into this store as long as it is open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Replaying`] if another one does.
    pub fn hold_replays(&mut self) -> Result<(), StoreError> {
        // Not the database itself, whose locks are SQLite's; nor its key, which other stores may share.
        let path = key::beside(&self.path, "-replay");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(StoreError::file(&path, "open"))?;
        match file.try_lock() {
            Ok(()) => self.replays = Some(file),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Replaying(self.path.clone())),
            Err(TryLockError::Error(error)) => return Err(StoreError::file(&path, "lock")(error)),
        }
        Ok(())
    }

    /// Enters a capture that is about to be read, under a number that nothing else has.
    pub fn add_staged(
        &mut self,
        host: &str,
        lengths: SourceLengths,
        sensors: &Sensors,
        created: i64,
    ) -> Result<GenerationRow, StoreError> {
        let generation = key::random()?;
        self.add_generation(&NewGeneration {
            generation,
            host,
            origin: Origin::Replay,
            created,
            lengths,
            sensors,
        })
    }

    /// Ends a replay: the generation of this row gets its final number and may be folded. `false`
    /// if there is one of that number already: then this one is deleted.
    pub fn set_complete(&mut self, row: i64, as_generation: [u8; 16]) -> Result<bool, StoreError> {
        let path = self.path.clone();
        let done = self.write("end a replay", |connection| {
            if let Some(there) =
                find(connection, as_generation)?.filter(|there| there.id != row || there.complete)
            {
                connection.execute("DELETE FROM generation WHERE id = ? AND id <> ?", [row, there.id])?;
                return Ok(there.id == row);
            }
            let changed = connection.execute(
                "UPDATE generation SET generation = ?, complete = 1 WHERE id = ?",
                params![as_generation, row],
            )?;
            if changed == 0 {
                return Err(StoreError::NoGeneration { path, generation: row }.into());
            }
            Ok(true)
        })?;
        if !done {
            self.last.remove(&row);
        }
        Ok(done)
    }

    /// Deletes what replays left that did not come to their end: to be called behind
    /// [`Store::hold_replays`].
    pub fn discard_staged(&mut self) -> Result<(), StoreError> {
        let staged: Vec<i64> = self.write("delete what a replay left", |connection| {
            let mut delete =
                connection.prepare_cached("DELETE FROM generation WHERE complete = 0 RETURNING id")?;
            let staged = delete.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(staged)
        })?;
        for row in staged {
            self.last.remove(&row);
        }
        Ok(())
    }
}

fn enter(connection: &Connection, new: &NewGeneration<'_>) -> Result<GenerationRow, Fault> {
    if let Some(row) = find(connection, new.generation)? {
        return Ok(row);
    }
    let complete = new.origin == Origin::Live;
    connection.execute(
        "INSERT INTO generation (host, generation, origin, created, v4_prefix, v6_prefix, complete)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            new.host,
            new.generation,
            new.origin.name(),
            new.created,
            new.lengths.v4,
            new.lengths.v6,
            complete
        ],
    )?;
    let id = connection.last_insert_rowid();
    let from = (new.origin == Origin::Live).then_some(new.created);
    for (sensor, number) in new.sensors.iter().zip(0u8..) {
        let row = Definition::of(sensor, new.sensors.addresses(number)).row(connection, from)?;
        connection
            .prepare_cached("INSERT INTO generation_sensor (generation, number, sensor) VALUES (?, ?, ?)")?
            .execute(params![id, number, row])?;
    }
    if let Some(now) = from {
        connection.execute(
            "UPDATE sensor SET valid_to = max(valid_from, ?1)
             WHERE valid_from IS NOT NULL AND valid_to IS NULL
               AND id IN (SELECT s.sensor FROM generation_sensor s JOIN generation g ON g.id = s.generation
                          WHERE g.origin = 'live' AND g.host = ?2)
               AND id NOT IN (SELECT sensor FROM generation_sensor WHERE generation IN
                                (SELECT max(id) FROM generation WHERE origin = 'live' GROUP BY host))",
            params![now, new.host],
        )?;
    }
    Ok(GenerationRow { id, last_epoch: None, uncounted: 0, complete })
}

/// A sensor as its row says it.
struct Definition {
    name: String,
    alias: Option<String>,
    role: String,
    group: Option<String>,
    prefixes: String,
    addresses: Option<i64>,
    filtered: String,
}

impl Definition {
    fn of(sensor: &Sensor, addresses: Option<u64>) -> Self {
        let prefixes: Vec<String> = sensor.prefixes.iter().map(ToString::to_string).collect();
        let filtered: Vec<String> = sensor.filtered.iter().map(ToString::to_string).collect();
        Self {
            name: sensor.name.clone(),
            alias: sensor.alias.clone(),
            role: sensor.role.as_str().to_owned(),
            group: sensor.group.clone(),
            prefixes: prefixes.join(" "),
            addresses: addresses.map(|addresses| i64::try_from(addresses).unwrap_or(i64::MAX)),
            filtered: filtered.join(" "),
        }
    }

    /// The row of this very definition, a new one if need be: one in use, from a time on, or `None` for
    /// captures, which take any.
    fn row(&self, connection: &Connection, from: Option<i64>) -> rusqlite::Result<i64> {
        let definition = params![
            self.name,
            self.alias,
            self.role,
            self.group,
            self.prefixes,
            self.addresses,
            self.filtered,
            from
        ];
        let mut find = connection.prepare_cached(
            "SELECT id FROM sensor
             WHERE name = ?1 AND alias IS ?2 AND role = ?3 AND sensor_group IS ?4 AND prefixes = ?5
               AND addresses IS ?6 AND filtered = ?7
               AND (?8 IS NULL OR valid_from IS NOT NULL AND valid_to IS NULL)
             ORDER BY valid_from IS NOT NULL AND valid_to IS NULL DESC, id DESC LIMIT 1",
        )?;
        if let Some(id) = find.query_row(definition, |row| row.get(0)).optional()? {
            return Ok(id);
        }
        connection
            .prepare_cached(
                "INSERT INTO sensor (name, alias, role, sensor_group, prefixes, addresses, filtered, valid_from)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .insert(definition)
    }
}
