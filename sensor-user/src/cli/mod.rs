//! The subcommands, one file each: each wires rooms together and knows no rule of its own.

pub mod doctor;
