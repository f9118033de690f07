//! The report: what a CSIRT publishes of a period.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | what a report says, in no language: the JSON document |
//! | [`advisories`] | what a user knows of services: a file and what is wrong with it |
//! | [`page`] | the same as headings, sentences, tables and charts of a language, in no format |

pub mod advisories;
pub mod model;
pub mod page;
