//! Teiten's agent.
//!
//! Its rooms, from the ground up; a room uses only rooms above it in this list.
//!
//! | room | what lives there |
//! | --- | --- |
//! | [`model`] | what is counted and asked; no I/O |
//! | [`kernel`] | load, attach, drain: tallies out |
//! | [`capture`] | frames and times from capture files |
pub mod capture;
pub mod kernel;
pub mod model;
