//! Teiten's agent.
pub mod model;
