//! What the kernel and the agent must agree on, to the bit.
//!
//! - [`kind`]: the kinds of packets, address families, tool fingerprints;
//! - [`key`]: the joint key under which packets are counted, and its packed form;
//! - [`classify`]: from the bytes of a frame to its outcome and key;
//! - [`layout`]: the memory that the XDP program writes and the agent reads.
//!
//! The crate is `no_std`, allocates nothing and does no I/O: the very same code runs inside XDP
//! and in host unit tests.
#![cfg_attr(not(test), no_std)]

pub mod classify;
pub mod key;
pub mod kind;
pub mod layout;
