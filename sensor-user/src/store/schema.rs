//! The layout of the database, and the way from an older one to today's.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Fault, StoreError};

/// Marks an SQLite database as a store: "Teit".
pub(super) const APPLICATION_ID: i64 = 0x5465_6974;

/// What makes version n out of version n − 1, from version 1 on.
const MIGRATIONS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Random, drawn when the store was made.
    pub store: [u8; 16],
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// IANA name of the time zone in which days are cut.
    pub time_zone: String,
    /// Fingerprint of the key, which is kept outside.
    pub sketch_key: u64,
}

/// The version of a store; 0 of a database in which nothing is yet.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let read = || -> rusqlite::Result<(i64, i64, bool)> {
        // Of one moment: somebody else may be making the store.
        let _state = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
        Ok((
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?,
        ))
    };
    let failed = |source| StoreError::sqlite(path, "read it", Some(connection), source);
    match read().map_err(failed)? {
        (0, 0, true) => Ok(0),
        (APPLICATION_ID, version @ 1.., _) if version <= VERSION => Ok(version),
        (APPLICATION_ID, version @ 1.., _) => {
            Err(StoreError::Newer { path: path.to_owned(), version, known: VERSION })
        }
        (APPLICATION_ID, version, _) => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: format!("there is no layout of version {version}"),
        }),
        _ => Err(StoreError::NotAStore(path.to_owned())),
    }
}

/// Makes everything that a new store has. To be called within a transaction.
pub(super) fn create(connection: &Connection, meta: &Meta) -> Result<(), Fault> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    for (step, number) in MIGRATIONS.iter().zip(1i64..) {
        migrate(connection, step, number)?;
        if number == 1 {
            connection.execute(
                "INSERT INTO meta (id, store, created, time_zone, sketch_key) VALUES (1, ?, ?, ?, ?)",
                params![meta.store, meta.created, meta.time_zone, meta.sketch_key as i64],
            )?;
        }
    }
    Ok(())
}

/// The steps from a version to today's, each with the version that it makes. Each is one
/// transaction.
pub(super) fn steps(version: i64) -> impl Iterator<Item = (&'static str, i64)> {
    let done = usize::try_from(version).unwrap_or(0);
    MIGRATIONS.iter().copied().zip(1i64..).skip(done)
}

/// Takes one step. To be called within a transaction.
pub(super) fn migrate(connection: &Connection, step: &str, number: i64) -> Result<(), Fault> {
    connection.execute_batch(step)?;
    connection.pragma_update(None, "user_version", number)?;
    Ok(())
}

/// What a store says of itself.
pub(super) fn meta(connection: &Connection, path: &Path) -> Result<Meta, StoreError> {
    let row = connection.query_row("SELECT store, created, time_zone, sketch_key FROM meta", [], |row| {
        Ok(Meta {
            store: row.get(0)?,
            created: row.get(1)?,
            time_zone: row.get(2)?,
            sketch_key: row.get::<_, i64>(3)? as u64,
        })
    });
    match row {
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(StoreError::Damaged { path: path.to_owned(), what: "it does not say what it is".to_owned() })
        }
        row => row.map_err(|source| StoreError::sqlite(path, "read it", Some(connection), source)),
    }
}
