//! Where a source is: address → region, address → autonomous system.
//!
//! Any database that people have will do (see `record`): MaxMind databases of any maker, told apart by
//! what their records say, and tables of autonomous systems as CSV. Each is flattened into sorted
//! ranges when it is read, so that a look-up costs tens of nanoseconds, and is read again when its file
//! is replaced. Databases are not trusted: a damaged one is an error that says so, and never a panic, an
//! endless loop or unbounded memory.
//!
//! IPv6 sources are known by their upper 64 bits, which are all that the kernel's keys hold: a /64 that
//! a database cuts into several networks answers as its first address does.

mod as_csv;
mod error;
mod file;
mod mmdb;
mod ranges;
mod record;
mod special;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    ops::RangeInclusive,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;
use sensor_common::kind::Family;

pub use self::error::GeoError;
use self::file::{Families, Loaded, Roles, Source, Stamp};
use crate::model::Region;

/// Which databases to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Countries: a MaxMind database.
    pub country: Option<PathBuf>,
    /// Autonomous systems: MaxMind databases, or CSV files of ranges, of which IPv4 and IPv6 often come
    /// apart. The first that knows a source answers. May name the file of `country` as well.
    pub asn: Vec<PathBuf>,
}

/// What a database is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Address → country.
    Country,
    /// Address → autonomous system.
    Asn,
}

impl Role {
    /// `country` or `asn`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Asn => "asn",
        }
    }

    const fn thing(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Asn => "autonomous system",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When a database was built, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// As it says itself.
    Stated(Timestamp),
    /// It does not say, as CSV files do not: when its file was last written to.
    Modified(Timestamp),
    /// It does not say, and its file claims to be older than such databases are: npm, for one, dates
    /// all that it unpacks to 1985-10-26.
    Unknown,
}

impl Built {
    /// 2000-01-01T00:00:00Z, in seconds since 1970.
    const CREDIBLE: i64 = 946_684_800;

    /// From what the database states, if it does, and its file's time; both in seconds since 1970.
    fn new(stated: Option<u64>, modified: i64) -> Self {
        let credible = |seconds: i64| {
            Some(seconds).filter(|&s| s >= Self::CREDIBLE).and_then(|s| Timestamp::from_second(s).ok())
        };
        let stated = stated.and_then(|seconds| i64::try_from(seconds).ok()).and_then(credible);
        match (stated, credible(modified)) {
            (Some(stated), _) => Self::Stated(stated),
            (None, Some(modified)) => Self::Modified(modified),
            (None, None) => Self::Unknown,
        }
    }

    /// The time, whoever says so.
    pub const fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::Stated(timestamp) | Self::Modified(timestamp) => Some(timestamp),
            Self::Unknown => None,
        }
    }
}

/// A database in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its file.
    pub path: PathBuf,
    /// What it is used for; a file with two uses is listed twice.
    pub role: Role,
    /// What its maker calls it, or `CSV`.
    pub database_type: String,
    /// When it was built.
    pub built: Built,
    /// IPv4 networks in the file that have a field for what it is used for.
    pub networks_v4: u64,
    /// The same for IPv6, of the global unicast space and not beyond /64.
    pub networks_v6: u64,
}

impl Database {
    /// Whether it knows any source of a family.
    pub const fn has(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.networks_v4 > 0,
            Family::V6 => self.networks_v6 > 0,
        }
    }
}

/// What became of a file that changed.
#[derive(Debug)]
pub struct Reload {
    /// The file.
    pub path: PathBuf,
    /// What is in use from now on, one entry a role; or why the old one stays in use.
    pub outcome: Result<Vec<Database>, GeoError>,
}

/// The databases in use at one time. They do not change; see [`Geo::tables`].
#[derive(Debug)]
pub struct Tables {
    country: Option<Arc<Loaded>>,
    no_country: Arc<Families<Region>>,
    asn: Vec<Arc<Loaded>>,
    databases: Vec<Database>,
}

impl Tables {
    /// The region of a source: an IPv4 address in the low 32 bits, or the upper 64 bits of an IPv6
    /// address, in host order, as [`sensor_common::key::Key`] has it.
    ///
    /// [`Region::NON_ROUTABLE`] for what the IANA registries keep off the Internet, whatever a database
    /// says and without one; [`Region::UNKNOWN`] for all that no database knows.
    #[inline]
    pub fn region(&self, family: Family, source: u64) -> Region {
        let regions = self.country.as_ref().and_then(|loaded| loaded.regions.as_ref());
        regions.unwrap_or(&self.no_country).get(family, source)
    }

    /// Every range of sources of a family with its region, in ascending order and without gaps: what
    /// [`Tables::region`] answers, from its other side.
    pub fn ranges(&self, family: Family) -> impl Iterator<Item = (RangeInclusive<u64>, Region)> {
        let regions = self.country.as_ref().and_then(|loaded| loaded.regions.as_ref());
        let regions = regions.unwrap_or(&self.no_country);
        let v4 = (family == Family::V4).then(|| {
            regions.v4.iter().map(|(start, next, region)| {
                (u64::from(start)..=u64::from(next.map_or(u32::MAX, |next| next - 1)), region)
            })
        });
        let v6 = (family == Family::V6).then(|| {
            regions
                .v6
                .iter()
                .map(|(start, next, region)| (start..=next.map_or(u64::MAX, |next| next - 1), region))
        });
        v4.into_iter().flatten().chain(v6.into_iter().flatten())
    }

    /// The number of the autonomous system that announces a source, in the form that
    /// [`Tables::region`] takes; `None` if no database knows it, and for what is not routable.
    #[inline]
    pub fn asn(&self, family: Family, source: u64) -> Option<u32> {
        let systems = self.asn.iter().filter_map(|loaded| loaded.systems.as_ref());
        systems.map(|systems| systems.get(family, source)).find(|&asn| asn != 0)
    }

    /// Who runs an autonomous system: at most 200 characters, without control characters.
    pub fn organisation(&self, asn: u32) -> Option<&str> {
        self.asn.iter().find_map(|loaded| loaded.organisations.get(&asn)).map(|name| &**name)
    }

    /// The databases in use: that of countries first, then those of autonomous systems in the order of
    /// [`Paths::asn`].
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }
}

impl<T: Copy + PartialEq> Families<T> {
    #[inline]
    fn get(&self, family: Family, source: u64) -> T {
        match family {
            Family::V4 => self.v4.get(source as u32),
            Family::V6 => self.v6.get(source),
        }
    }
}

/// The databases, read again when their files change.
///
/// Any thread may read and any may reload: a reader takes the tables once for a batch of look-ups
/// ([`Geo::tables`]) and keeps them as long as it likes.
#[derive(Debug)]
pub struct Geo {
    sources: Mutex<Vec<Source>>,
    paths: Paths,
    no_country: Arc<Families<Region>>,
    tables: RwLock<Arc<Tables>>,
}

impl Geo {
    /// Reads all databases. None at all is fine: every routable source is unknown then.
    ///
    /// # Errors
    ///
    /// The first file that cannot be read or does not hold what it is named for.
    pub fn open(paths: Paths) -> Result<Self, GeoError> {
        let mut wanted: BTreeMap<PathBuf, Roles> = BTreeMap::new();
        if let Some(path) = &paths.country {
            wanted.entry(path.clone()).or_default().country = true;
        }
        for path in &paths.asn {
            wanted.entry(path.clone()).or_default().asn = true;
        }
        let mut sources = Vec::with_capacity(wanted.len());
        for (path, roles) in wanted {
            // Taken before the file is read: what changes meanwhile is seen as a change later.
            let stamp = Stamp::of(&path).ok();
            let loaded = Arc::new(file::load(&path, roles)?);
            sources.push(Source { path, roles, stamp, loaded });
        }
        let no_country = Arc::new(file::no_regions());
        let tables = RwLock::new(Arc::new(assemble(&paths, &no_country, &sources)));
        Ok(Self { sources: Mutex::new(sources), paths, no_country, tables })
    }

    /// The databases in use now.
    pub fn tables(&self) -> Arc<Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether files have changed, and reads those that have. Meant to be called every few
    /// seconds; without a change it costs one `stat(2)` a file.
    ///
    /// A new file that is broken or has vanished is reported once, with the reason, and what was read
    /// before stays in use; it is tried again at the next change. Each file stands for itself. Nothing
    /// changed: the list is empty.
    pub fn reload_changed(&self) -> Vec<Reload> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reloads = Vec::new();
        let mut is_changed = false;
        for source in sources.iter_mut() {
            let now = Stamp::of(&source.path);
            let stamp = now.as_ref().ok().copied();
            if stamp == source.stamp {
                continue;
            }
            source.stamp = stamp;
            let loaded = match now {
                Ok(_) => file::load(&source.path, source.roles),
                Err(cause) => Err(GeoError::Read { path: source.path.clone(), cause }),
            };
            let outcome = loaded.map(|loaded| {
                is_changed = true;
                let databases = loaded.databases.clone();
                source.loaded = Arc::new(loaded);
                databases
            });
            reloads.push(Reload { path: source.path.clone(), outcome });
        }
        if is_changed {
            let tables = Arc::new(assemble(&self.paths, &self.no_country, &sources));
            *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        }
        reloads
    }
}

/// The tables of what was read last.
fn assemble(paths: &Paths, no_country: &Arc<Families<Region>>, sources: &[Source]) -> Tables {
    let of = |path: &PathBuf| {
        sources.iter().find(|source| source.path == *path).map(|source| Arc::clone(&source.loaded))
    };
    let country = paths.country.as_ref().and_then(of);
    let asn: Vec<Arc<Loaded>> = paths.asn.iter().filter_map(of).collect();
    let databases = {
        let with_role = |loaded: &Arc<Loaded>, role| {
            loaded.databases.iter().filter(|database| database.role == role).cloned().collect::<Vec<_>>()
        };
        let countries = country.iter().flat_map(|loaded| with_role(loaded, Role::Country));
        countries.chain(asn.iter().flat_map(|loaded| with_role(loaded, Role::Asn))).collect()
    };
    Tables { country, no_country: Arc::clone(no_country), asn, databases }
}
