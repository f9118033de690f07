//! The report: what a CSIRT publishes of a period.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | what a report says, in no language: the JSON document |
//! | [`page`] | the same as headings, sentences, tables and charts of a language, in no format |
//! | [`html`] | a page as HTML |

mod chart;
pub mod html;
pub mod model;
pub mod page;
