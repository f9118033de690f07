//! Advisories.
use crate::model::Service;
use jiff::civil::Date;
#[derive(Clone, Debug)]
pub struct Advisory { pub id: Option<String>, pub date: Date, pub title: String, pub url: Option<String>, pub ports: Vec<Service>, pub note: Option<String> }
