//! What is counted and asked: the vocabulary of every room above. No I/O.

mod class;
mod dimension;
mod period;
mod region;
mod sensor;
mod zone;

pub use class::{Class, Role, UnknownRole};
pub use dimension::{Dimension, Prefix, Protocol, Row, UnknownDimension, Value, kind_name};
pub use period::{Period, PeriodError, PeriodKind, instant};
pub use region::Region;
pub use sensor::{Sensor, SensorError, Sensors};
pub use zone::{Slot, Zone, ZoneError};
