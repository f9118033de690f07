//! One database file: read, checked, flattened.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hashbrown::HashMap;

use super::{
    Built, Database, GeoError, Role, as_csv,
    mmdb::{self, Mmdb, OpenError},
    ranges::{Address, Flat, Ranges},
    record, special,
};
use crate::model::Region;

/// The most bytes that are read of a file, packed or unpacked. Databases of countries and autonomous
/// systems take tens of megabytes, of cities a few hundred.
const LIMIT: u64 = 1 << 30;

/// Names by AS number.
pub(super) type Organisations = HashMap<u32, Box<str>, foldhash::fast::RandomState>;

/// The same look-up for both families.
#[derive(Debug)]
pub(super) struct Families<T> {
    pub v4: Ranges<u32, T>,
    pub v6: Ranges<u64, T>,
}

/// What is to be read from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles {
    pub country: bool,
    pub asn: bool,
}

/// What a file gave.
#[derive(Debug)]
pub(super) struct Loaded {
    pub regions: Option<Families<Region>>,
    pub systems: Option<Families<u32>>,
    pub organisations: Organisations,
    /// One entry a role.
    pub databases: Vec<Database>,
}

/// What changes when a file is replaced or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp of the file that is there now.
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Reads a file for these roles. It must serve all of them.
pub(super) fn load(path: &Path, roles: Roles) -> Result<Loaded, GeoError> {
    let (bytes, modified) = read(path)?;
    parse(path, &bytes, modified, roles)
}

/// Reads the unpacked bytes of a file that was last written to then, in seconds since 1970.
pub(super) fn parse(path: &Path, bytes: &[u8], modified: i64, roles: Roles) -> Result<Loaded, GeoError> {
    if mmdb::has_metadata(bytes) {
        return parse_mmdb(path, bytes, modified, roles);
    }
    if !looks_like_text(bytes) {
        return Err(GeoError::NotADatabase { path: path.to_owned() });
    }
    if roles.country {
        return Err(GeoError::Text { path: path.to_owned() });
    }
    parse_csv(path, bytes, modified)
}

/// The regions of no database at all.
pub(super) fn no_regions() -> Families<Region> {
    regions(Flat::new(Region::UNKNOWN), Flat::new(Region::UNKNOWN))
}

/// The bytes, unpacked, and when the file was last written to, in seconds since 1970.
fn read(path: &Path) -> Result<(Vec<u8>, i64), GeoError> {
    let cannot = |cause| GeoError::Read { path: path.to_owned(), cause };
    // Asked before opening: to open a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(GeoError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    let mut bytes = bounded(path, file)?.map_err(cannot)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        bytes = bounded(path, decoder)?.map_err(|cause| GeoError::Gzip { path: path.to_owned(), cause })?;
    }
    if bytes.is_empty() {
        return Err(GeoError::Empty { path: path.to_owned() });
    }
    let format = match () {
        () if bytes.get(257..262) == Some(b"ustar") => Some("tar"),
        () if bytes.starts_with(b"PK\x03\x04") => Some("zip"),
        () => None,
    };
    match format {
        Some(format) => Err(GeoError::Archive { path: path.to_owned(), format }),
        None => Ok((bytes, metadata.mtime())),
    }
}

/// All bytes of a reader, if they are not too many.
fn bounded(path: &Path, reader: impl Read) -> Result<io::Result<Vec<u8>>, GeoError> {
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(LIMIT + 1).read_to_end(&mut bytes) {
        return Ok(Err(error));
    }
    if bytes.len() as u64 > LIMIT {
        return Err(GeoError::TooLarge { path: path.to_owned(), limit: LIMIT });
    }
    Ok(Ok(bytes))
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    !start.iter().any(|&byte| byte == 0x7f || (byte < b' ' && !byte.is_ascii_whitespace()))
}

fn parse_csv(path: &Path, text: &[u8], modified: i64) -> Result<Loaded, GeoError> {
    let table = as_csv::read(text).map_err(|bad| GeoError::Csv {
        path: path.to_owned(),
        line: bad.line,
        what: bad.what,
    })?;
    let (v4, v6) = table.networks;
    if v4 + v6 == 0 {
        return Err(GeoError::WrongKind { path: path.to_owned(), role: Role::Asn, records: 0, other: false });
    }
    let database = Database {
        path: path.to_owned(),
        role: Role::Asn,
        database_type: "CSV".to_owned(),
        built: Built::new(None, modified),
        networks_v4: v4,
        networks_v6: v6,
    };
    Ok(Loaded {
        regions: None,
        systems: Some(systems(table.v4, table.v6)),
        organisations: table.organisations,
        databases: vec![database],
    })
}

fn parse_mmdb(path: &Path, file: &[u8], modified: i64, roles: Roles) -> Result<Loaded, GeoError> {
    let damaged =
        |damage: mmdb::Damage| GeoError::Damaged { path: path.to_owned(), what: damage.what, at: damage.at };
    let mmdb = Mmdb::open(file).map_err(|error| match error {
        OpenError::NotADatabase => GeoError::NotADatabase { path: path.to_owned() },
        OpenError::Unsupported(what) => GeoError::Unsupported { path: path.to_owned(), what },
        OpenError::Damaged(damage) => damaged(damage),
    })?;
    let mut records = Records::new(&mmdb);
    let mut v4 = Collected::new();
    mmdb.walk_v4(|start, record| records.collect(&mut v4, start, record)).map_err(damaged)?;
    let mut v6 = Collected::new();
    mmdb.walk_v6(|start, record| records.collect(&mut v6, start, record)).map_err(damaged)?;

    for (role, wanted, found, other) in [
        (Role::Country, roles.country, records.countries, records.systems),
        (Role::Asn, roles.asn, records.systems, records.countries),
    ] {
        if wanted && found == 0 {
            let records = records.seen.len() as u64;
            return Err(GeoError::WrongKind { path: path.to_owned(), role, records, other: other > 0 });
        }
    }

    let built = Built::new(mmdb.build_epoch, modified);
    let database = |role, networks: [u64; 2]| Database {
        path: path.to_owned(),
        role,
        database_type: mmdb.database_type.clone(),
        built,
        networks_v4: networks[0],
        networks_v6: networks[1],
    };
    let mut databases = Vec::new();
    if roles.country {
        databases.push(database(Role::Country, [v4.countries, v6.countries]));
    }
    if roles.asn {
        databases.push(database(Role::Asn, [v4.systems, v6.systems]));
    }
    Ok(Loaded {
        regions: roles.country.then(|| regions(v4.regions, v6.regions)),
        systems: roles.asn.then(|| systems(v4.asns, v6.asns)),
        organisations: if roles.asn { records.organisations } else { Organisations::default() },
        databases,
    })
}

/// Every record of a database, decoded once.
struct Records<'a> {
    mmdb: &'a Mmdb<'a>,
    seen: HashMap<usize, Seen, foldhash::fast::RandomState>,
    organisations: Organisations,
    /// How many of them have a field for it.
    countries: u64,
    systems: u64,
}

#[derive(Clone, Copy)]
struct Seen {
    country: Option<Region>,
    asn: Option<u32>,
}

/// What the networks of one family say.
struct Collected<A> {
    regions: Flat<A, Region>,
    asns: Flat<A, u32>,
    countries: u64,
    systems: u64,
}

impl<A: Address> Collected<A> {
    fn new() -> Self {
        Self { regions: Flat::new(Region::UNKNOWN), asns: Flat::new(0), countries: 0, systems: 0 }
    }
}

impl<'a> Records<'a> {
    fn new(mmdb: &'a Mmdb<'a>) -> Self {
        Self {
            mmdb,
            seen: HashMap::default(),
            organisations: Organisations::default(),
            countries: 0,
            systems: 0,
        }
    }

    fn collect<A: Address>(
        &mut self,
        into: &mut Collected<A>,
        start: A,
        record: Option<usize>,
    ) -> Result<(), mmdb::Damage> {
        let seen = match record {
            Some(offset) => self.record(offset)?,
            None => Seen { country: None, asn: None },
        };
        into.regions.push(start, seen.country.unwrap_or(Region::UNKNOWN));
        into.asns.push(start, seen.asn.unwrap_or(0));
        into.countries += u64::from(seen.country.is_some());
        into.systems += u64::from(seen.asn.is_some());
        Ok(())
    }

    fn record(&mut self, offset: usize) -> Result<Seen, mmdb::Damage> {
        if let Some(&seen) = self.seen.get(&offset) {
            return Ok(seen);
        }
        let record = record::read(self.mmdb.data(), offset)?;
        if let (Some(asn @ 1..), Some(organisation)) = (record.asn, record.organisation) {
            self.organisations.entry(asn).or_insert_with(|| record::name(organisation).into());
        }
        let seen = Seen { country: record.country, asn: record.asn };
        self.countries += u64::from(seen.country.is_some());
        self.systems += u64::from(seen.asn.is_some());
        self.seen.insert(offset, seen);
        Ok(seen)
    }
}

/// The tables of regions, in which no database has a say about addresses that are not routable.
fn regions(v4: Flat<u32, Region>, v6: Flat<u64, Region>) -> Families<Region> {
    let pick = |region, is_not_routable| if is_not_routable { Region::NON_ROUTABLE } else { region };
    Families {
        v4: Ranges::new(v4.merge(&special::v4(), pick), Region::UNKNOWN),
        v6: Ranges::new(v6.merge(&special::v6(), pick), Region::UNKNOWN),
    }
}

/// The tables of autonomous systems. A family of which the file knows nothing takes no memory.
fn systems(v4: Flat<u32, u32>, v6: Flat<u64, u32>) -> Families<u32> {
    let pick = |asn, is_not_routable| if is_not_routable { 0 } else { asn };
    Families {
        v4: Ranges::new(v4.merge(&special::v4(), pick), 0),
        v6: Ranges::new(v6.merge(&special::v6(), pick), 0),
    }
}

/// A file to watch, and what it gave when it was last read well.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub roles: Roles,
    /// What was there when it was last looked at, read well or not; `None` if nothing was.
    pub stamp: Option<Stamp>,
    pub loaded: std::sync::Arc<Loaded>,
}
