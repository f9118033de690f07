//! What a store says of itself: how far it has come, its sensors and databases.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{no_answer, no_store};
use crate::{
    model::{Service, Zone},
    serve::problem::Problem,
    store::{Reader, query::KeptSensor},
};

const DAY: i64 = 86_400;

/// The store's part of a status.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StoreStatus {
    pub store: StoreState,
    /// Every sensor as it was defined last, in the order of names.
    pub sensors: Vec<SensorState>,
    /// Databases that were in use last.
    pub databases: Vec<DatabaseState>,
}

/// How far a store has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoreState {
    /// IANA name of the time zone in which days are cut.
    pub time_zone: String,
    /// Begin of the first stretch with data; null where there is none.
    pub first: Option<String>,
    /// End of the last one.
    pub last: Option<String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Frames of all that was ever kept.
    pub frames: u64,
    /// Epochs that are not in hours yet.
    pub pending_epochs: u64,
}

/// A sensor as it was defined last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SensorState {
    pub name: String,
    /// `dark`, `lit` or `honeypot`.
    pub role: &'static str,
    pub group: Option<String>,
    /// The name that publications use.
    pub alias: Option<String>,
    /// Watched prefixes; empty: everything.
    pub prefixes: Vec<String>,
    /// Watched IPv4 addresses; null where they are not known.
    pub addresses: Option<u64>,
    /// Services that never arrive, as they are filtered upstream.
    pub filtered: Vec<Service>,
    /// Until when it watched; null of a sensor in use, and of captures.
    pub until: Option<String>,
}

/// A database of regions or autonomous systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatabaseState {
    /// `country` or `asn`.
    pub role: String,
    /// What its maker calls it.
    #[serde(rename = "type")]
    pub name: String,
    /// When it was built; null where it does not say.
    pub built: Option<String>,
    /// Whole days since then.
    pub age_days: Option<i64>,
}

/// What a store says of itself.
pub(super) fn status(reader: &Reader, now: i64) -> Result<StoreStatus, Problem> {
    let zone = reader.zone();
    let extent = reader.extent().map_err(no_store)?;
    let progress = reader.progress().map_err(no_store)?;
    // Later rows take the place of earlier ones of the same name.
    let sensors: BTreeMap<String, KeptSensor> =
        reader.sensors().map_err(no_answer)?.into_iter().map(|kept| (kept.name.clone(), kept)).collect();
    let databases = reader.last_databases().map_err(no_store)?;
    Ok(StoreStatus {
        store: StoreState {
            time_zone: zone.name().to_owned(),
            first: extent.map(|(first, _)| zone.rfc3339(first)),
            last: extent.map(|(_, last)| zone.rfc3339(last.min(now))),
            bytes: progress.bytes,
            frames: progress.frames,
            pending_epochs: progress.to_fold,
        },
        sensors: sensors.into_values().map(|kept| sensor(kept, zone)).collect(),
        databases: databases
            .into_iter()
            .map(|database| DatabaseState {
                role: database.role,
                name: database.name,
                built: database.built.map(|built| zone.rfc3339(built)),
                age_days: database.built.map(|built| now.saturating_sub(built).div_euclid(DAY)),
            })
            .collect(),
    })
}

fn sensor(kept: KeptSensor, zone: &Zone) -> SensorState {
    SensorState {
        name: kept.name,
        role: kept.role.as_str(),
        group: kept.group,
        alias: kept.alias,
        prefixes: kept.prefixes.split_whitespace().map(str::to_owned).collect(),
        addresses: kept.addresses,
        filtered: kept.filtered,
        until: kept.valid_to.map(|second| zone.rfc3339(second)),
    }
}
