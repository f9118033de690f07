//! Teiten's agent.
pub mod cli;
pub mod kernel;
pub mod model;
