//! What Teiten's tests share.
//!
//! - [`frames`]: builders for test frames, byte by byte;
//! - [`rules`]: the accounting rules as a table of frames and what must become of them.

pub mod frames;
pub mod rules;
