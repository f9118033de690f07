//! Teiten's agent.
//!
//! Its rooms, from the ground up; a room uses only rooms above it in this list.
//!
//! | room | what lives there |
//! | --- | --- |
//! | [`model`] | what is counted and asked; no I/O |
//! | [`sketch`] | how many different sources there were, in any union of sets |
//! | [`kernel`] | load, attach, drain: tallies out |
//! | [`capture`] | frames and times from capture files |
//! | [`geo`] | from an address to its region and autonomous system |
//! | [`synth`] | made traffic, as a telescope sees it |
//! | [`cube`] | from tallies to rows |
//! | [`store`] | every epoch once, durable, in one SQLite file |
//! | [`analysis`] | from series to findings; no I/O |
//! | [`report`] | what a CSIRT publishes: gathered, told in a language, written in a format |
//! | [`live`] | what a running agent knows: totals and rankings |
//! | [`export`] | tables, JSON Lines, CSV, Parquet, Prometheus |
//! | [`serve`] | HTTP: the API, the dashboard, live counts as a stream |
//! | [`top`] | the terminal: live ports and regions of an agent |
//! | [`cli`] | one file per subcommand |
pub mod agent;
pub mod analysis;
pub mod capture;
pub mod cli;
pub mod cube;
pub mod export;
pub mod geo;
pub mod kernel;
pub mod live;
pub mod model;
pub mod report;
pub mod serve;
pub mod sketch;
pub mod store;
pub mod synth;
pub mod top;
