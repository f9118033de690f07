//! What is served: the agent, its sensors, its databases, its store.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::history::{
    History,
    status::{DatabaseState, SensorState, StoreState, StoreStatus},
};
use crate::{
    geo::{Geo, Tables},
    model::{Region, Sensors},
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
    /// The store; null where there is none, or it cannot be read.
    pub store: Option<StoreState>,
    /// Why the store cannot be read, if it cannot.
    pub store_problem: Option<String>,
    /// Sensors of the agent; without one, those in the store.
    pub sensors: Vec<SensorState>,
    /// Databases in use by the agent; without one, those last used for the store.
    pub databases: Vec<DatabaseState>,
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

/// What a server knows from its start on.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the host.
    pub host: String,
    /// The agent that counts here, and its sensors.
    pub agent: Option<(Agent, Vec<SensorState>)>,
    pub home: Option<Region>,
    pub map: bool,
}

/// The sensors of a program.
pub fn sensors(sensors: &Sensors) -> Vec<SensorState> {
    let state = |(number, sensor): (u8, &crate::model::Sensor)| SensorState {
        name: sensor.name.clone(),
        role: sensor.role.as_str(),
        group: sensor.group.clone(),
        alias: sensor.alias.clone(),
        prefixes: sensor.prefixes.iter().map(ToString::to_string).collect(),
        addresses: sensors.addresses(number),
        filtered: sensor.filtered.clone(),
        until: None,
    };
    (0..).zip(sensors.iter()).map(state).collect()
}

fn databases(tables: &Tables, now: Timestamp) -> Vec<DatabaseState> {
    let state = |database: &crate::geo::Database| {
        let built = database.built.timestamp();
        DatabaseState {
            role: database.role.to_string(),
            name: database.database_type.clone(),
            built: built.map(|built| built.to_string()),
            age_days: built.map(|built| (now.as_second() - built.as_second()).div_euclid(DAY)),
        }
    };
    tables.databases().iter().map(state).collect()
}

#[derive(Clone)]
struct Asked {
    about: Arc<About>,
    geo: Arc<Geo>,
    history: Option<Arc<History>>,
}

/// The route of the status.
pub fn router(about: About, geo: Arc<Geo>, history: Option<Arc<History>>) -> Router {
    let asked = Asked { about: Arc::new(about), geo, history };
    Router::new().route("/api/v1/status", get(status)).with_state(asked)
}

async fn status(State(Asked { about, geo, history }): State<Asked>) -> impl IntoResponse {
    let now = Timestamp::now();
    let (kept, store_problem) = match history {
        None => (None, None),
        Some(history) => match history.status().await {
            Ok(kept) => (Some(kept), None),
            Err(problem) => (None, Some(problem.detail)),
        },
    };
    let (store, of_store) = match kept {
        Some(StoreStatus { store, sensors, databases }) => (Some(store), (sensors, databases)),
        None => (None, Default::default()),
    };
    let (agent, (sensors, databases)) = match &about.agent {
        Some((agent, sensors)) => (Some(agent.clone()), (sensors.clone(), databases(&geo.tables(), now))),
        None => (None, of_store),
    };
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        now: now.to_string(),
        host: about.host.clone(),
        agent,
        store,
        store_problem,
        sensors,
        databases,
        home: about.home,
        map: about.map,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(status))
}
