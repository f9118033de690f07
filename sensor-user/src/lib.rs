//! Teiten's agent.
pub mod kernel;
pub mod model;
