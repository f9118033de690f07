//! Options that subcommands share.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use jiff::SignedDuration;

use crate::{
    cube::SourceLengths,
    geo::{Geo, Paths},
    kernel::{
        KernelError, pins,
        program::{Sizes, cpus},
    },
    model::{Region, Role, Sensor, Sensors},
    report::make::Files,
    store::{Place, Retention, Store},
};

/// Who is watched.
#[derive(Clone, Debug, clap::Args)]
pub struct SensorArgs {
    /// A sensor:
    /// NAME=PREFIX[,PREFIX…][;role=dark|lit|honeypot][;group=GROUP][;alias=ALIAS][;filtered=PORT/PROTOCOL[,…]]
    ///
    /// Only packets to its prefixes are counted; the longest prefix wins. The role is dark unless
    /// given. The alias is the name that publications use; `filtered` lists services that never
    /// arrive, such as 25/tcp,445/tcp. May be given up to 254 times; in TEITEN_SENSOR, sensors are
    /// separated by spaces.
    #[arg(long, env = "TEITEN_SENSOR", value_name = "SENSOR", value_delimiter = ' ')]
    pub sensor: Vec<Sensor>,
    /// Role of the one sensor that there is without --sensor: it counts packets to any address
    #[arg(long, env = "TEITEN_ROLE", value_name = "dark|lit|honeypot", default_value = "lit")]
    pub role: Role,
    /// Count IPv4 sources by prefixes of this many bits
    #[arg(long, env = "TEITEN_V4_PREFIX", value_name = "BITS", default_value_t = 32,
          value_parser = clap::value_parser!(u8).range(16..=32))]
    pub v4_prefix: u8,
    /// Count IPv6 sources by prefixes of this many bits
    #[arg(long, env = "TEITEN_V6_PREFIX", value_name = "BITS", default_value_t = 64,
          value_parser = clap::value_parser!(u8).range(16..=64))]
    pub v6_prefix: u8,
}

impl SensorArgs {
    /// The sensors that are asked for; without any, one that is named after the host.
    pub fn sensors(&self) -> Result<Sensors> {
        if self.sensor.is_empty() {
            return Ok(Sensors::everything(host_name(), self.role));
        }
        Ok(Sensors::new(self.sensor.clone())?)
    }

    /// To how many bits sources are cut.
    pub fn lengths(&self) -> SourceLengths {
        SourceLengths { v4: self.v4_prefix, v6: self.v6_prefix }
    }
}

/// The kernel's name for this host, up to the first dot.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().split('.').next().unwrap_or_default();
    if name.is_empty() { "sensor".to_owned() } else { name.to_owned() }
}

/// Where a store is looked for when no other is named.
pub const DEFAULT_STORE: &str = "/var/lib/teiten/teiten.db";

/// Where counts are kept.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Keep what is counted in this store (SQLite); it is made if it is not there
    ///
    /// With a store, the program is pinned: the kernel goes on counting when the agent ends, however
    /// it ends, and the next start takes up what was counted. `teiten detach` ends it.
    #[arg(long, env = "TEITEN_STORE", value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Secret key of the store's sketches of sources, made with the store [default: the store's name and .key]
    #[arg(long, env = "TEITEN_SKETCH_KEY", value_name = "FILE")]
    pub sketch_key: Option<PathBuf>,
    /// Time zone in which a new store cuts days, such as Asia/Tokyo [default: the system's]
    #[arg(long, env = "TEITEN_TIME_ZONE", value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Keep counts by the hour for this many days; those by the day are made of them first
    #[arg(long, env = "TEITEN_KEEP_HOURS", value_name = "DAYS", default_value_t = Retention::default().hours,
          value_parser = clap::value_parser!(u32).range(2..))]
    pub keep_hours: u32,
    /// Keep counts by the day for this many days [default: for good]
    #[arg(long, env = "TEITEN_KEEP_DAYS", value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(2..))]
    pub keep_days: Option<u32>,
}

impl StoreArgs {
    /// Opens the store that is named, if one is.
    pub fn open(&self) -> Result<Option<Store>> {
        let Some(path) = &self.store else { return Ok(None) };
        let place = Place { path: path.clone(), key: self.sketch_key.clone() };
        Ok(Some(Store::open(&place, self.time_zone.as_deref())?))
    }

    /// Refuses an interval that no hour can take.
    pub fn check(&self, interval: Duration) -> Result<()> {
        if self.store.is_some() && interval > Duration::from_secs(3600) {
            bail!("with --store, --interval is at most 1h, since counts are kept by the hour: shorten it");
        }
        Ok(())
    }

    /// For how long counts are kept.
    pub fn retention(&self) -> Retention {
        Retention { hours: self.keep_hours, days: self.keep_days, ..Retention::default() }
    }
}

/// Where the program and its counters are pinned.
#[derive(Clone, Debug, clap::Args)]
pub struct PinArgs {
    /// Directory of the BPF file system in which the program and its counters are pinned
    #[arg(long, env = "TEITEN_PIN_PATH", value_name = "DIR", default_value = pins::DEFAULT)]
    pub pin_path: PathBuf,
}

/// Where sources are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GeoArgs {
    /// Country database in MaxMind's format: GeoLite2, GeoIP2, DB-IP, IPinfo or ip-location-db
    ///
    /// Read again when it is replaced. Without one, regions are `unknown`.
    #[arg(long, env = "TEITEN_COUNTRY", value_name = "DB")]
    pub country: Option<PathBuf>,
    /// AS database in MaxMind's format, or AS table as CSV (start, end, asn, organisation)
    ///
    /// May be given several times, as IPv4 and IPv6 often come apart.
    #[arg(long, env = "TEITEN_ASN", value_name = "DB", value_delimiter = ',')]
    pub asn: Vec<PathBuf>,
}

impl GeoArgs {
    /// Reads the databases.
    pub fn open(&self) -> Result<Geo> {
        Ok(Geo::open(Paths { country: self.country.clone(), asn: self.asn.clone() })?)
    }
}

/// What the keeper of a sensor tells reports beside the store.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct KeeperArgs {
    /// Region whose rank is told with every finding, such as JP
    #[arg(long, env = "TEITEN_HOME", value_name = "REGION", value_parser = home)]
    pub home: Option<Region>,
    /// TOML file of advisories, told where their ports rank, surge or appear; see `teiten advisories`
    #[arg(long, env = "TEITEN_ADVISORIES", value_name = "FILE")]
    pub advisories: Option<PathBuf>,
    /// TOML file of scanners that declare themselves: organisation, url, prefixes
    #[arg(long, env = "TEITEN_SCANNERS", value_name = "FILE")]
    pub scanners: Option<PathBuf>,
    /// TOML file of names that replace those of regions and services
    #[arg(long, env = "TEITEN_NAMES", value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// TOML file of constants that replace those of the tests
    #[arg(long, env = "TEITEN_PARAMETERS", value_name = "FILE")]
    pub parameters: Option<PathBuf>,
    /// Directory of frozen reports [default: the store's name and .reports]
    #[arg(long, env = "TEITEN_FROZEN", value_name = "DIR")]
    pub frozen: Option<PathBuf>,
}

impl KeeperArgs {
    /// The files that say what is known.
    pub fn files(&self) -> Files {
        Files {
            advisories: self.advisories.clone(),
            scanners: self.scanners.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

fn home(text: &str) -> Result<Region, String> {
    Region::from_code(text).ok_or_else(|| "write the two letters of ISO 3166, such as JP".to_owned())
}

/// How much memory the kernel's tables may take.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct MemoryArgs {
    /// Kernel memory for all tables, such as 512M or 2G
    ///
    /// Every CPU takes 11 MiB. Where that is more than this, CPUs with the highest numbers share
    /// one set of counters, slower and without sources.
    #[arg(long, env = "TEITEN_MEMORY", value_name = "SIZE", default_value = "2G", value_parser = size)]
    pub memory: u64,
    /// Part of it for the spill log, which holds the sources that find no room in the table
    ///
    /// When it is full, sources are lost until the next interval; packets are still counted.
    #[arg(long, env = "TEITEN_SPILL_MEMORY", value_name = "SIZE", default_value = "64M", value_parser = size)]
    pub spill_memory: u64,
}

impl MemoryArgs {
    /// The sizes of the tables for so many CPUs.
    ///
    /// # Errors
    ///
    /// If not even one CPU's tables fit.
    pub fn fit(self, cpus: u32) -> Result<Sizes, KernelError> {
        Sizes::fit(cpus, self.spill_memory, self.memory)
    }

    /// The sizes of the tables on this machine.
    pub fn sizes(&self) -> Result<Sizes> {
        let cpus = cpus()?;
        let sizes = self.fit(cpus)?;
        if sizes.slices < cpus {
            log::warn!(
                "--memory suffices for {} of {cpus} CPUs: packets on the others are counted without \
                 their sources; {} MiB would do for all",
                sizes.slices,
                Sizes { slices: cpus, ..sizes }.bytes().div_ceil(1 << 20)
            );
        }
        Ok(sizes)
    }
}

fn size(text: &str) -> Result<u64> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|error| anyhow::anyhow!("{error}; write a size such as 64M or 2G"))
}

/// A duration such as `10s`, `500ms` or `1h`.
pub fn duration(text: &str) -> Result<Duration> {
    let duration: SignedDuration = text.parse().ok().context("write a duration such as 10s, 500ms or 1h")?;
    Duration::try_from(duration).context("a duration cannot be negative")
}

/// A duration such as `10s`, `500ms` or `1h`, within bounds that make sense for an interval.
pub fn interval(text: &str) -> Result<Duration> {
    let duration = duration(text)?;
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(86_400));
    if !(least..=most).contains(&duration) {
        bail!("an interval is at least 100ms and at most 24h");
    }
    Ok(duration)
}
