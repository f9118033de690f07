//! The report: what a CSIRT publishes of a period.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | what a report says, in no language: the JSON document |
//! | [`page`] | the same as headings, sentences, tables and charts of a language, in no format |

pub mod model;
pub mod page;

#[cfg(test)]
pub(crate) mod sample;
