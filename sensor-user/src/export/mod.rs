//! What leaves the agent: rows and answers in several formats, the live table, Prometheus metrics.

pub mod answer;
pub mod metrics;
pub mod parquet;
pub mod records;
pub mod rows;
pub mod screen;
