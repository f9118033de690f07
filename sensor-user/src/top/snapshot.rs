//! What `/api/v1/live` tells, as far as it is shown.

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::{Region, Service};

/// Counts as of the end of an interval. Packets of services, regions and tools are those of class `scan`.
#[derive(Clone, Debug, Deserialize)]
pub struct Snapshot {
    /// End of the interval.
    pub time: Timestamp,
    /// Length of the interval.
    pub seconds: f64,
    /// When the agent began.
    pub since: Timestamp,
    pub interval: Counts,
    pub hour: Hour,
    pub total: Counts,
    pub series: Series,
    pub services: Vec<OfService>,
    pub regions: Vec<OfRegion>,
    pub tools: Vec<OfTool>,
    pub backscatter: Vec<OfVictim>,
    pub sensors: Vec<OfSensor>,
    pub interfaces: Vec<Interface>,
    pub slots: Slots,
    pub store: Option<Store>,
    /// The last warnings and errors of the agent's log, newest last.
    pub messages: Vec<String>,
}

/// Frames by outcome, and packets by class.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counts {
    pub frames: u64,
    pub packets: u64,
    pub non_ip: u64,
    pub malformed: u64,
    pub unwatched: u64,
    pub local: u64,
    pub lost: u64,
    pub uncounted: u64,
    pub mismatches: u64,
    pub scan: u64,
    pub backscatter: u64,
    pub other: u64,
}

/// Counts of the last hour, as far as the agent knows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Hour {
    #[serde(flatten)]
    pub counts: Counts,
    pub from: Timestamp,
}

/// Packets by class over the last hour, oldest first.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Series {
    /// Length of each point.
    pub seconds: Vec<f64>,
    pub scan: Vec<u64>,
    pub backscatter: Vec<u64>,
    pub other: Vec<u64>,
}

/// Scan packets of a service.
#[derive(Clone, Debug, Deserialize)]
pub struct OfService {
    pub service: Service,
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
    /// Packets by slot.
    pub series: Vec<u64>,
}

/// Scan packets of a region.
#[derive(Clone, Debug, Deserialize)]
pub struct OfRegion {
    pub region: Region,
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
    /// Estimated number of sources in the last hour.
    pub sources: u64,
    /// Packets by slot.
    pub series: Vec<u64>,
}

/// Scan packets of a tool.
#[derive(Clone, Debug, Deserialize)]
pub struct OfTool {
    pub tool: String,
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
}

/// Backscatter of an attacked service.
#[derive(Clone, Debug, Deserialize)]
pub struct OfVictim {
    pub service: Service,
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
}

/// Packets of a sensor.
#[derive(Clone, Debug, Deserialize)]
pub struct OfSensor {
    pub sensor: String,
    pub interval: u64,
    pub hour: u64,
    pub total: u64,
    /// Of the total.
    pub scan: u64,
    pub backscatter: u64,
    pub other: u64,
}

/// An interface that is counted on.
#[derive(Clone, Debug, Deserialize)]
pub struct Interface {
    pub interface: String,
    pub mode: String,
    pub up: bool,
    /// What the card says it received and dropped since the agent's start.
    pub received: Option<u64>,
    pub dropped: Option<u64>,
}

/// Starts of the five-minute slots of series, in seconds since 1970.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Slots {
    pub start: Vec<i64>,
}

/// How the store is.
#[derive(Clone, Debug, Deserialize)]
pub struct Store {
    /// What keeps it from taking counts.
    pub trouble: Option<String>,
    pub since: Option<Timestamp>,
    pub fold_failing: bool,
}
