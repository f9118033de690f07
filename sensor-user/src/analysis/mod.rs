//! From series of counts to findings: what rose, what fell, who fell silent, and how sure that is.
//!
//! Nothing here reads a store, knows a language or a clock: series go in, findings come out.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`surge`] | days that rise above what was usual, or fall below it: onset, peak, end |
//! | [`attribution`] | who makes an increase: shares, few prefixes, few sensors |
//! | [`silence`] | regions that fall silent, and sensors that are blind |
//! | [`newcomer`] | services that were nowhere and are among the first |
//! | [`rank`] | ranks with ties, and neighbours that cannot be told apart |
//! | [`chance`] | what chance does: false hits of a tool's mark, scans too slow to be seen |

pub mod attribution;
pub mod chance;
pub mod newcomer;
pub mod rank;
pub mod silence;
pub mod surge;
