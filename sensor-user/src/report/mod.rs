//! The report: what a CSIRT publishes of a period.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | what a report says, in no language: the JSON document |
//! | [`gather`] | from a store to a report |
//! | [`frozen`] | reports that stay what they were |
//! | [`make`] | the frozen report, or the one from the store |
//! | [`publish`] | what everybody may know |
//! | [`advisories`], [`scanners`], [`notes`] | files that users keep |
//! | [`lang`], [`names`] | languages, and names of regions and services |
//! | [`page`], [`compose`] | a report as headings, sentences, tables and charts of a language |
//! | [`html`] (with `chart`), [`markdown`], [`csv`], [`json`] | formats |

pub mod advisories;
mod chart;
pub mod compose;
pub mod csv;
pub mod frozen;
pub mod gather;
pub mod html;
pub mod json;
pub mod lang;
pub mod make;
pub mod markdown;
pub mod model;
pub mod names;
pub mod notes;
pub mod page;
pub mod publish;
#[cfg(test)]
pub(crate) mod sample;
pub mod scanners;
pub mod toml_file;
