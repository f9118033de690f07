//! The report: what a CSIRT publishes of a period.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | what a report says, in no language: the JSON document |
//! | [`lang`], [`names`] | languages, their numbers and dates; names of regions and services |
//! | [`compose`] | from the one to the other |
//! | [`notes`] | an analyst's own text, by finding |
//! | [`page`] | the same as headings, sentences, tables and charts of a language, in no format |
//! | [`html`] | a page as HTML |
//! | [`markdown`], [`csv`] | a page to paste, its tables for spreadsheets |

mod chart;
pub mod compose;
pub mod csv;
pub mod html;
pub mod lang;
pub mod markdown;
pub mod model;
pub mod names;
pub mod notes;
pub mod page;

#[cfg(test)]
pub(crate) mod sample;
