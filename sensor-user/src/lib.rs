//! Teiten's agent.
pub mod capture;
pub mod model;
