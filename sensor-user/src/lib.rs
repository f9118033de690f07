//! Teiten's agent.
pub mod geo;
pub mod model;
