//! What is served: the agent, its sensors, its databases.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    geo::{Geo, Tables},
    model::{Region, Sensors, Service},
};

const DAY: i64 = 86_400;

/// What is served.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Status {
    /// Version of the program.
    pub version: &'static str,
    /// The server's clock, RFC 3339 in UTC.
    pub now: String,
    /// Name of the host.
    pub host: String,
    /// The agent that counts; null where only a store is served.
    pub agent: Option<Agent>,
    /// Sensors of the agent; without one, those in the store.
    pub sensors: Vec<Sensor>,
    /// Databases in use by the agent; without one, those last used for the store.
    pub databases: Vec<Database>,
    /// The region whose rank is told with every finding.
    pub home: Option<Region>,
    /// Whether pages show a map of the world.
    pub map: bool,
}

/// A running agent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Agent {
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// How often counts are taken out.
    pub interval_seconds: f64,
    /// Bits to which sources are cut.
    pub v4_prefix: u8,
    pub v6_prefix: u8,
    /// What becomes of counted packets: `pass` or `drop`.
    pub action: &'static str,
}

/// A named set of watched prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sensor {
    pub name: String,
    /// `dark`, `lit` or `honeypot`.
    pub role: &'static str,
    pub group: Option<String>,
    /// The name that publications use.
    pub alias: Option<String>,
    /// Watched prefixes; none: any address.
    pub prefixes: Vec<String>,
    /// Watched IPv4 addresses; null where they are not known.
    pub addresses: Option<u64>,
    /// Services that never arrive, as they are filtered upstream.
    pub filtered: Vec<Service>,
}

/// A database of regions or autonomous systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Database {
    /// `country` or `asn`.
    pub role: String,
    /// What its maker calls it, or `CSV`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was built; null where it does not say.
    pub built: Option<String>,
    /// How old it is.
    pub age_days: Option<i64>,
}

/// What an agent or a server of a store knows of itself from its start on.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the host.
    pub host: String,
    pub agent: Option<Agent>,
    /// Sensors of the agent.
    pub sensors: Vec<Sensor>,
    pub home: Option<Region>,
    pub map: bool,
    /// The databases in use.
    pub geo: Option<Arc<Geo>>,
}

impl Sensor {
    /// All sensors of a program.
    pub fn all(sensors: &Sensors) -> Vec<Self> {
        let sensor = |(number, sensor): (u8, &crate::model::Sensor)| Self {
            name: sensor.name.clone(),
            role: sensor.role.as_str(),
            group: sensor.group.clone(),
            alias: sensor.alias.clone(),
            prefixes: sensor.prefixes.iter().map(ToString::to_string).collect(),
            addresses: sensors.addresses(number),
            filtered: sensor.filtered.clone(),
        };
        (0..).zip(sensors.iter()).map(sensor).collect()
    }
}

impl Database {
    fn all(tables: &Tables, now: Timestamp) -> Vec<Self> {
        let database = |database: &crate::geo::Database| {
            let built = database.built.timestamp();
            Self {
                role: database.role.to_string(),
                kind: database.database_type.clone(),
                built: built.map(|built| built.to_string()),
                age_days: built.map(|built| (now.as_second() - built.as_second()).div_euclid(DAY)),
            }
        };
        tables.databases().iter().map(database).collect()
    }
}

/// The route of the status.
pub fn router(about: Arc<About>) -> Router {
    Router::new().route("/api/v1/status", get(status)).with_state(about)
}

async fn status(State(about): State<Arc<About>>) -> impl IntoResponse {
    let now = Timestamp::now();
    let databases = about.geo.as_ref().map(|geo| Database::all(&geo.tables(), now)).unwrap_or_default();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        now: now.to_string(),
        host: about.host.clone(),
        agent: about.agent.clone(),
        sensors: about.sensors.clone(),
        databases,
        home: about.home,
        map: about.map,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(status))
}
