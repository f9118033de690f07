//! What is counted and asked: the vocabulary of every room above. No I/O.

mod class;
mod dimension;
mod filter;
mod id;
mod period;
mod region;
mod sensor;
mod service;
mod zone;

pub use class::{Class, Role, UnknownRole};
pub use dimension::{
    Dimension, Prefix, Protocol, Row, UnknownDimension, Value, has_victim_port, kind_name, named_kind,
    tool_name,
};
pub use filter::{Comparison, Fact, Filter, FilterError, Literal, Test};
pub use id::hex;
pub use period::{Period, PeriodError, PeriodKind, instant};
pub use region::Region;
pub use sensor::{Sensor, SensorError, Sensors};
pub use service::{Service, UnknownService};
pub use zone::{Slot, Zone, ZoneError, boundary};
