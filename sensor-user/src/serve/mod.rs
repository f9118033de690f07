//! HTTP: what people and programs see of an agent and of a store.

pub mod history;
pub mod openapi;
pub mod problem;
