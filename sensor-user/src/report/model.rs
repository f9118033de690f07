//! What a report says, in no language: figures, findings and how they were found. Its JSON form is documented in
//! `docs/report.schema.json`, and is what a frozen report keeps.
//!
//! Packets are of class `scan` unless said otherwise. Shares are parts of 1. Dates are days of the store's time zone,
//! times have its offset (RFC 3339). A rate is packets per watched IPv4 address and day observed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    analysis::{newcomer, silence, surge},
    model::{Region, Service},
};

pub use crate::analysis::rank::PreviousRank;

/// Version of this document's form; raised when a reader of the form before could be misled.
pub const SCHEMA: u32 = 1;

/// Ranks are known to at least this place, however few rows are shown.
pub const LEAST_RANKED: usize = 10;
/// Findings that are told at length; the rest is listed.
pub const MOST_TOLD: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// Name and version of the program.
    pub program: String,
    /// When it was made.
    pub made: String,
    /// When its figures were frozen, if they are.
    pub frozen: Option<String>,
    pub profile: Profile,
    pub rank_by: RankBy,
    /// Rows to show of a ranking; those behind them are known for the next report's previous ranks.
    pub top: usize,
    /// The region whose rank is told with every finding.
    pub home: Option<Region>,
    /// IANA name of the time zone in which days are cut.
    pub time_zone: String,
    pub period: Stretch,
    pub previous: Stretch,
    pub sensors: Vec<Sensor>,
    /// Watched IPv4 addresses of all sensors; `None` where they are not known.
    pub addresses: Option<u64>,
    pub databases: Vec<Database>,
    pub quality: Quality,
    pub totals: Totals,
    pub ports: Ranking<Service>,
    pub regions: Ranking<Region>,
    pub port_trend: Trend<Service>,
    pub region_trend: Trend<Region>,
    /// Top services of each group and of each sensor, where there are several.
    pub parts: Vec<Part>,
    /// The heaviest first.
    pub findings: Vec<Finding>,
    pub tested: Tested,
    pub tools: Tools,
    pub surveys: Surveys,
    pub backscatter: Backscatter,
    pub advisories: Vec<AdvisoryMatch>,
    /// What a frozen report said and what the store says now, of the period before.
    pub corrections: Vec<Correction>,
    pub parameters: Parameters,
    /// Services that the profile `publish` suppresses, as too few sources were seen; empty under it.
    pub few_sources: Vec<Service>,
    /// An analyst's own text as Markdown, by finding; under `report` of the whole.
    pub notes: BTreeMap<String, String>,
}

/// For whom it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// For everybody: aliases only, nothing that lets attackers find sensors
    #[default]
    Publish,
    /// For those who run the sensors: all that is known
    Internal,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RankBy {
    /// Those with the most packets are the first
    #[default]
    Packets,
    /// Those with the most unique sources are the first
    Sources,
}

/// A period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// As it is asked for: `2019-Q4`, `2019-10`, `2019-W40`, `2019-10-03`, `2019`, `FROM..TO`.
    pub text: String,
    /// Its first day, and its last (included).
    pub first: Date,
    pub last: Date,
    /// Begin and end (not included).
    pub from: String,
    pub to: String,
    pub days: u32,
    /// Days of it that count: observed long enough, and not blind.
    pub days_counted: u32,
    /// Part of its time that was observed; of several sensors their mean.
    pub observed: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Under profile `publish` its alias, or a number where it has none.
    pub name: String,
    /// Under profile `internal` its alias as well.
    pub alias: Option<String>,
    /// `dark`, `lit` or `honeypot`.
    pub role: String,
    pub group: Option<String>,
    /// Watched IPv4 addresses; `None` where they are not known.
    pub addresses: Option<u64>,
    /// First and last day in the period on which it watched.
    pub first: Option<Date>,
    pub last: Option<Date>,
    /// Services that never arrive, as they are filtered upstream.
    pub filtered: Vec<Service>,
    /// Whether it watched in the period before as well, and so takes part in comparisons.
    pub compared: bool,
}

/// A database of regions or autonomous systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `country` or `asn`.
    pub role: String,
    /// What its maker calls it.
    pub name: String,
    /// When it was built.
    pub built: Option<String>,
    /// First and last day in the period on which it was in use.
    pub first: Date,
    pub last: Date,
}

/// How complete the data are. Counts are of frames or packets of all classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    pub frames: u64,
    pub packets: u64,
    /// Packets whose source was lost; they are among `packets`.
    pub lost: u64,
    pub malformed: u64,
    pub non_ip: u64,
    pub unwatched: u64,
    pub local: u64,
    /// Frames without a counter, and accounting identities that did not hold. Must be 0.
    pub uncounted: u64,
    pub mismatches: u64,
    /// By the network cards' own counters; `None` where they are not known.
    pub nic_received: Option<u64>,
    pub nic_dropped: Option<u64>,
    pub restarts: u64,
    /// Days of the period that do not count, as too little of them was observed or the sensor was blind.
    pub days_out: Vec<Date>,
    /// Stretches of an hour and more in which no sensor observed.
    pub gaps: Vec<Gap>,
    /// Packets of spans that reach beyond the period, and packets that are not in the cubes yet: not counted.
    pub partial: u64,
    pub pending: u64,
    /// Whether a bound of the store put rows together as `other`.
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub from: String,
    pub to: String,
    pub hours: u32,
}

/// All packets of class `scan`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub packets: u64,
    /// Estimate of unique sources.
    pub sources: Option<u64>,
    pub rate: Option<Rate>,
    /// Of the period before, over the sensors that are compared; `None` where it was not observed.
    pub previous_packets: Option<u64>,
    pub change: Option<Change>,
}

/// Packets per watched IPv4 address and day observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Mean of the sensors' rates, and their median.
    pub mean: f64,
    pub median: f64,
}

/// Change on the period before, over the sensors that watched in both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub packets: i64,
    /// In parts of 1: 0.5 is half as many again. `None` where there was nothing before.
    pub relative: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranking<S> {
    /// In order; at least [`LEAST_RANKED`] where there are as many.
    pub rows: Vec<Ranked<S>>,
    /// What has no place in the ranking: packets.
    pub below: Below,
    /// Packets (or sources, where these rank) of all that is ranked, which shares are of.
    pub population: u64,
    /// How many there are to rank.
    pub ranked: u64,
    /// Ranks whose rows are not among these: profile `publish` leaves out services of too few sources.
    pub withheld: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranked<S> {
    /// Equal counts share a rank.
    pub rank: u32,
    /// Whether it cannot be told apart from the row before.
    pub close: bool,
    pub subject: S,
    pub packets: u64,
    pub sources: Option<u64>,
    /// Part of the ranked population.
    pub share: f64,
    pub rate: Option<Rate>,
    pub change: Option<Change>,
    pub previous: PreviousRank,
}

/// Packets that take no part in a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Below {
    /// Their source was lost.
    pub unattributed: u64,
    /// No database knows the source.
    pub unknown: u64,
    /// The source is not routed on the Internet.
    pub non_routable: u64,
    /// A bound of the store put them together.
    pub other: u64,
}

/// Series of days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trend<S> {
    pub first: Date,
    /// Whether values are rates; else, where no addresses are known, packets.
    pub is_rate: bool,
    pub series: Vec<TrendLine<S>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrendLine<S> {
    pub subject: S,
    /// By day; `None` on days that do not count.
    pub values: Vec<Option<f64>>,
}

/// Top services of one sensor, or of a group of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    pub is_group: bool,
    pub sensors: u32,
    pub packets: u64,
    pub rate: Option<f64>,
    /// At most 10.
    pub ports: Vec<PartRow>,
    /// Ranks whose rows are not among these, as of [`Ranking::withheld`].
    pub withheld: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartRow {
    pub rank: u32,
    pub service: Service,
    pub packets: u64,
    pub share: f64,
    pub sources: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stays the same from run to run: `rise-1433-tcp-2019-10-04`, `silence-IR-2019-11-16` …
    pub id: String,
    /// Findings are in descending order of this.
    pub weight: f64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    Surge(Box<Surge>),
    Silence(Silence),
    Blind(Blind),
    Newcomer(Newcomer),
}

/// What rises or falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// At least one of both.
    pub service: Option<Service>,
    pub region: Option<Region>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    pub subject: Subject,
    pub direction: surge::Direction,
    pub onset: Date,
    /// The last of the three days by which it was found.
    pub found: Date,
    /// The last day of it in the period.
    pub last: Date,
    pub end: surge::End,
    /// Packets a day before, and on the mean since the onset, over compared sensors.
    pub before: f64,
    pub since: f64,
    /// The highest day (of a fall the lowest), and its packets.
    pub peak: Date,
    pub peak_packets: f64,
    /// The test's value, and the overdispersion that it allowed for.
    pub z: f64,
    pub phi: f64,
    /// Packets since the onset, in the period: to its last day, or if it is a new level to the period's end.
    pub packets: u64,
    /// Regions (of a surge of a service) by packets since the onset; at least the first 10.
    pub regions: Vec<Contribution<Region>>,
    /// Services (of a surge of a region), the same.
    pub services: Vec<Contribution<Service>>,
    /// The home region's place among `regions`, however far down.
    pub home: Option<Contribution<Region>>,
    /// Unique sources a day before and since; `None` where they are not known.
    pub sources: Option<Levels>,
    pub width: Width,
    /// How many sensors saw the change, in effect, of how many. `None` with fewer than 4.
    pub effective_sensors: Option<f64>,
    pub sensors: u32,
    /// Whether it is a matter of few sensors.
    pub sensor_local: bool,
    /// Tools with at least a tenth of the packets since the onset, and their shares.
    pub tools: Vec<ToolShare>,
    /// Whether the service is a newcomer, too.
    pub newcomer: bool,
}

/// Who makes a surge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contribution<S> {
    /// By packets since the onset.
    pub rank: u32,
    pub subject: S,
    pub packets: u64,
    /// Part of the packets since the onset.
    pub share: f64,
    /// Part of the increase (of a fall, the decrease).
    pub of_change: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    pub before: f64,
    pub since: f64,
}

/// How many take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "width")]
pub enum Width {
    /// Packets and unique sources rise both.
    Wide,
    /// So few prefixes (/24, /48) make half of the increase.
    Narrow {
        prefixes: u32,
    },
    Undetermined,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolShare {
    pub tool: Tool,
    pub packets: u64,
    pub share: f64,
    pub sources: Option<u64>,
}

/// A scanner's program, by the marks that it leaves in its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    None,
    Mirai,
    Zmap,
    Masscan,
}

/// A region that fell silent: far fewer unique sources than usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    pub region: Region,
    /// Begin of the first bin, and end of the last; `None`: still silent at the end of the period.
    pub onset: String,
    pub end: Option<String>,
    /// Length of a bin in hours: times are told to this.
    pub bin_hours: u32,
    pub hours: u32,
    /// After 28 days it is a level change.
    pub level_change: bool,
    /// Unique sources of a bin: usual, and in the bin with the fewest.
    pub usual: f64,
    pub least: f64,
    /// Part that was missing in that bin.
    pub depth: f64,
    /// Unique sources missing, summed over hours.
    pub missing: f64,
    /// Packets a day in the 28 days before, and meanwhile.
    pub packets: Levels,
}

/// A stretch in which the sensors or their upstream were blind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blind {
    pub from: String,
    pub to: String,
    pub hours: u32,
    pub reason: silence::Reason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    pub service: Service,
    pub rank: u32,
    pub packets: u64,
    pub sources: u64,
    /// Days on which it was seen, and the first of them in the period.
    pub days: u32,
    pub first: Date,
    /// Sensors that saw it, of how many.
    pub seen_by: u32,
    pub sensors: u32,
}

/// What was tested for surges and silences, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    pub ports: u32,
    pub regions: u32,
    pub pairs: u32,
    /// Whether there were not 14 days of history for surges.
    pub no_history: bool,
    pub silence_regions: u32,
    /// Regions with too few sources, or too little history, to say whether they fell silent: not testable, never
    /// normal.
    pub not_testable: Vec<Region>,
    /// Whether silences are off, as all sensors are hosts in use.
    pub lit_only: bool,
}

/// Programs by which scans are made, of packets whose tool can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// TCP connection requests, the packets that have room for a mark.
    pub packets: u64,
    pub rows: Vec<ToolShare>,
    pub by_port: Vec<ToolsOf<Service>>,
    pub by_region: Vec<ToolsOf<Region>>,
    /// How often each mark is there by chance. Shares that do not stand out from that are suppressed.
    pub chance: Vec<ToolChance>,
    /// Shares that were suppressed.
    pub suppressed: u32,
}

/// How often a tool's mark is there by chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolChance {
    pub tool: Tool,
    /// Part of IPv4 connection requests.
    pub share: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolsOf<S> {
    pub subject: S,
    pub packets: u64,
    /// Without `none`.
    pub shares: Vec<ToolShare>,
}

/// Scanners that survey many services of the whole Internet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surveys {
    /// Prefixes (/24, /48) that hit at least so many ports in a day.
    pub ports_a_day: u32,
    pub prefixes: u64,
    pub packets: u64,
    /// Part of all packets.
    pub share: f64,
    /// Days of the period for which they are known.
    pub days: u32,
    /// The first of them by packets; under profile `internal` only.
    pub rows: Vec<SurveyRow>,
    /// Of the list of declared scanners.
    pub declared: Vec<DeclaredRow>,
    /// The rankings without them. `None` where they are not known.
    pub ports_without: Option<Vec<WithoutRow<Service>>>,
    pub regions_without: Option<Vec<WithoutRow<Region>>>,
    /// Ranks whose rows are not among `ports_without`, as of [`Ranking::withheld`].
    pub withheld: Vec<u32>,
    /// Packets a second of the slowest scan of all IPv4 addresses and so many ports that this many addresses would
    /// show in a day; `None` where addresses are not known.
    pub slowest: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurveyRow {
    pub prefix: String,
    pub days: u32,
    /// On the day with the most.
    pub ports: u64,
    pub packets: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredRow {
    pub organisation: String,
    pub url: Option<String>,
    pub prefixes: u32,
    /// Packets that the day's lists of the largest prefixes hold: at least so many.
    pub packets: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithoutRow<S> {
    /// Without survey scanners, and with them.
    pub rank: u32,
    pub rank_with: u32,
    pub subject: S,
    pub packets: u64,
}

/// Answers to packets that somebody sent with forged sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backscatter {
    /// Whether any sensor could tell: backscatter is off on hosts in use.
    pub on: bool,
    pub packets: u64,
    pub sources: Option<u64>,
    /// Attacked services, and regions of the attacked, by packets; at most 10.
    pub services: Vec<BackscatterRow<Service>>,
    pub regions: Vec<BackscatterRow<Region>>,
    /// ICMP errors about packets that no watched address can have sent.
    pub mismatches: u64,
    /// Victims in bursts: addresses, and pairs of address and day.
    pub victims: u64,
    pub victim_days: u64,
    /// Those by Moore's thresholds as well.
    pub moore: u64,
    /// Victims by attacked service.
    pub victim_services: Vec<(Service, u64)>,
    /// Whether this many addresses (256 and more) allow to call them attacks; else they are sources.
    pub attacks: bool,
    /// Packets a second of an attack with random sources that shows; `None` where addresses are not known.
    pub detectable: Option<f64>,
    /// Days of the period for which victims are known.
    pub days: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackscatterRow<S> {
    pub subject: S,
    pub packets: u64,
    pub sources: Option<u64>,
}

/// An advisory whose services rank, surge or appear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvisoryMatch {
    pub id: Option<String>,
    pub date: Date,
    pub title: String,
    pub url: Option<String>,
    pub note: Option<String>,
    pub services: Vec<AdvisoryService>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvisoryService {
    pub service: Service,
    /// Among the first 10.
    pub rank: Option<u32>,
    /// Ids of findings of this service.
    pub findings: Vec<String>,
}

/// A figure of a frozen report that the store gives otherwise now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Period of the frozen report.
    pub period: String,
    pub subject: Subject,
    pub frozen_rank: Option<u32>,
    pub rank: Option<u32>,
    pub frozen_packets: Option<u64>,
    pub packets: u64,
}

/// The constants that a report went by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    pub period: PeriodParameters,
    pub surge: surge::Parameters,
    pub silence: silence::Parameters,
    pub newcomer: newcomer::Parameters,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PeriodParameters {
    /// A day counts, and a period is compared, if at least this part of it was observed.
    pub least_observed: f64,
    /// Under profile `publish`, services seen from fewer sources are suppressed.
    pub least_sources: u64,
}

impl Default for PeriodParameters {
    fn default() -> Self {
        Self { least_observed: 0.8, least_sources: 10 }
    }
}

impl Report {
    /// Makes another region the home one: findings tell its place, as far as they know it.
    pub fn set_home(&mut self, home: Option<Region>) {
        self.home = home;
        for finding in &mut self.findings {
            if let What::Surge(surge) = &mut finding.what {
                surge.home = surge.regions.iter().find(|row| Some(row.subject) == home).copied();
            }
        }
    }
}

/// A constant that no test can go by.
#[derive(Debug, thiserror::Error)]
#[error("{name} = {value} cannot be: it must be {bounds}")]
pub struct ParameterError {
    name: &'static str,
    value: f64,
    bounds: &'static str,
}

impl Parameters {
    /// Checks that all constants make sense.
    ///
    /// # Errors
    ///
    /// The first that does not.
    pub fn check(&self) -> Result<(), ParameterError> {
        let Self { period, surge, silence, newcomer } = self;
        let part = |name, value: f64| (name, value, (0.0..=1.0).contains(&value), "from 0 to 1");
        let count = |name, value: usize, most: usize| {
            (name, value as f64, (1..=most).contains(&value), "a whole number from 1 to some hundred")
        };
        let positive = |name, value: f64| (name, value, value.is_finite() && value > 0.0, "above 0");
        let ratio = |name, value: f64| (name, value, value.is_finite() && value >= 1.0, "at least 1");
        let bins = silence.bins.iter().all(|&hours| hours > 0 && 24 % hours == 0) && silence.bins.is_sorted();
        let checks = [
            part("period.least_observed", period.least_observed),
            count("surge.days", surge.days, 28),
            count("surge.baseline", surge.baseline, 366),
            count("surge.new_level", surge.new_level, 366),
            count("surge.least_history", surge.least_history, surge.baseline),
            (
                "surge.trimmed",
                surge.trimmed as f64,
                surge.trimmed.saturating_mul(2) < surge.least_history,
                "less than half of least_history",
            ),
            positive("surge.z", surge.z),
            ratio("surge.ratio", surge.ratio),
            ratio("surge.day_ratio", surge.day_ratio),
            positive("surge.excess", surge.excess),
            count("surge.week_top", surge.week_top, 65_536),
            part("surge.increase", surge.increase),
            (
                "silence.bins",
                silence.bins.first().copied().unwrap_or(0).into(),
                !silence.bins.is_empty() && bins,
                "lengths in hours that divide a day, the shortest first",
            ),
            positive("silence.usual", silence.usual),
            count("silence.weeks", silence.weeks, 52),
            count("silence.spread_days", silence.spread_days, 366),
            positive("silence.spread", silence.spread),
            count("silence.running", silence.running, 100),
            positive("silence.alert", silence.alert),
            positive("silence.clear", silence.clear),
            count("silence.level_days", silence.level_days, 366),
            positive("silence.blind_factor", silence.blind_factor),
            (
                "newcomer.before",
                newcomer.before.into(),
                newcomer.before >= newcomer.now,
                "at least newcomer.now",
            ),
        ];
        match checks.into_iter().find(|&(_, _, holds, _)| !holds) {
            Some((name, value, _, bounds)) => Err(ParameterError { name, value, bounds }),
            None => Ok(()),
        }
    }
}
