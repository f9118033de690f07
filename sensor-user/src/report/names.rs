//! Names of regions and services.
//!
//! Regions are named by CLDR's short forms, services by IANA; `names/README.md` says from where and under which
//! licences. A file of the user's own goes before both.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::lang::Lang;
use crate::model::{Protocol, Region, Service};

const REGIONS: &str = include_str!("names/regions.tsv");
const SERVICES: &str = include_str!("names/services.tsv");

/// Largest file of overrides, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// Longest name, in characters: it has to fit into a table.
const LONGEST_NAME: usize = 80;

/// A file of names that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    #[error("reading names from {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("names in {} have more than 1 MiB; keep only those that are to differ", path.display())]
    TooLarge { path: PathBuf },
    #[error("names in {}: {error}", path.display())]
    Form { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{}:{line}: {reason}", path.display())]
    Name { path: PathBuf, line: usize, reason: String },
}

/// Names of regions in each language, and of services.
#[derive(Debug)]
pub struct Names {
    /// English, Japanese.
    regions: BTreeMap<Region, [String; 2]>,
    services: BTreeMap<Service, String>,
}

/// The form of the user's file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Overrides {
    en: BTreeMap<String, Spanned<String>>,
    ja: BTreeMap<String, Spanned<String>>,
    services: BTreeMap<String, Spanned<String>>,
}

impl Names {
    /// The bundled names, and before them those of the TOML file at `overrides`:
    ///
    /// ```toml
    /// [ja]
    /// US = "米国"
    /// [services]
    /// "37215/tcp" = "Huawei HG532"
    /// ```
    pub fn new(overrides: Option<&Path>) -> Result<Self, NamesError> {
        let mut names = Self {
            regions: regions().map(|(region, en, ja)| (region, [en, ja].map(str::to_owned))).collect(),
            services: services().map(|(service, name)| (service, name.to_owned())).collect(),
        };
        if let Some(path) = overrides {
            names.put(path, &read(path)?)?;
        }
        Ok(names)
    }

    /// The region's name, without an article; `None` for a code without one and for groups of sources.
    pub fn region(&self, region: Region, lang: Lang) -> Option<&str> {
        self.regions.get(&region).map(|[en, ja]| match lang {
            Lang::En => en.as_str(),
            Lang::Ja => ja.as_str(),
        })
    }

    /// IANA's name of a port, which does not prove what is spoken there.
    pub fn service(&self, service: Service) -> Option<&str> {
        self.services.get(&service).map(String::as_str)
    }

    fn put(&mut self, path: &Path, text: &str) -> Result<(), NamesError> {
        let overrides: Overrides = toml::from_str(text)
            .map_err(|error| NamesError::Form { path: path.to_owned(), error: Box::new(error) })?;
        let wrong = |name: &Spanned<String>, reason: String| {
            let line = 1 + text.bytes().take(name.span().start).filter(|byte| *byte == b'\n').count();
            NamesError::Name { path: path.to_owned(), line, reason }
        };
        for (place, list) in [overrides.en, overrides.ja].iter().enumerate() {
            for (code, name) in list {
                let region =
                    Region::from_code(code).filter(|region| region.as_str() == code).ok_or_else(|| {
                        wrong(name, format!("`{code}` is no region; write two capital letters, such as JP"))
                    })?;
                let text = checked(name).map_err(|reason| wrong(name, reason))?;
                let both = self.regions.entry(region).or_insert_with(|| [code.clone(), code.clone()]);
                both[place] = text;
            }
        }
        for (service, name) in &overrides.services {
            let service: Service = service
                .parse()
                .map_err(|error: crate::model::UnknownService| wrong(name, error.to_string()))?;
            let text = checked(name).map_err(|reason| wrong(name, reason))?;
            self.services.insert(service, text);
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, NamesError> {
    let failed = |error| NamesError::Read { path: path.to_owned(), error };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(NamesError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// A name of one line that is not empty.
fn checked(name: &Spanned<String>) -> Result<String, String> {
    let text = name.get_ref().trim();
    if text.is_empty() {
        return Err("the name is empty; write one, or leave the line out".into());
    }
    if text.chars().any(char::is_control) {
        return Err("the name has a control character; write it on one line".into());
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(format!("the name has more than {LONGEST_NAME} characters; shorten it"));
    }
    Ok(text.to_owned())
}

/// Code, English and Japanese of a line each.
fn regions() -> impl Iterator<Item = (Region, &'static str, &'static str)> {
    REGIONS.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((Region::from_code(fields.next()?)?, fields.next()?, fields.next()?))
    })
}

/// Port, protocol and name of a line each.
fn services() -> impl Iterator<Item = (Service, &'static str)> {
    SERVICES.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let number = fields.next()?.parse().ok()?;
        let protocol = match fields.next()? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return None,
        };
        Some((Service { protocol, number }, fields.next()?))
    })
}
