//! Scenarios: what traffic is to be made, as users write it down.
//!
//! `docs/synth.md` has every key with its unit. Whatever is wrong is told with its line and column.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Read,
    ops::{Range, RangeInclusive},
    path::Path,
    str::FromStr,
};

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Deserializer, de};
use toml::{Spanned, value::Datetime};

use crate::model::{Protocol, Region, Sensor, Sensors, Service, Zone, instant};

/// The longest file that is read, in bytes.
const LONGEST_FILE: u64 = 1 << 20;
/// Days of a scenario at most.
const MOST_DAYS: i64 = 3660;
/// Entries of one list at most.
const MOST_ENTRIES: usize = 5000;

/// Years of dates: pcap counts seconds since 1970 in 32 bits.
const YEARS: RangeInclusive<i16> = 1971..=2105;

/// Attacks a day of one entry at most.
const MOST_ATTACKS: f64 = 100_000.0;

/// A text that is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("cannot read the scenario {file}")]
    Read { file: String, source: std::io::Error },
    #[error("{file} has more than {} MiB: no scenario needs so much", LONGEST_FILE >> 20)]
    TooLong { file: String },
    #[error("{file}:{line}:{column}: {reason}")]
    Wrong { file: String, line: usize, column: usize, reason: String },
    #[error("moved to {last}, the scenario has days out of range: years are {} to {}", YEARS.start(), YEARS.end())]
    Moved { last: Date },
}

/// What is wrong, and the bytes of the text where it is.
#[derive(Debug)]
struct Flaw {
    span: Range<usize>,
    reason: String,
}

type Checked<T = ()> = Result<T, Flaw>;

fn flaw<T>(span: Range<usize>, reason: impl Into<String>) -> Checked<T> {
    Err(Flaw { span, reason: reason.into() })
}

/// A scenario, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Time zone of all dates and times.
    #[serde(deserialize_with = "zone")]
    pub zone: Zone,
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Spanned<Day>,
    /// Number that decides everything that is left to chance.
    #[serde(default)]
    pub seed: u64,
    /// Sensors that watch from the first day to the last.
    #[serde(default)]
    pub sensors: Vec<Watched>,
    /// Sensors that come and go.
    #[serde(default, rename = "sensor")]
    pub of_a_time: Vec<Spanned<SensorEntry>>,
    /// Packets of scans a day and address: what a service's share is of.
    #[serde(default = "packets")]
    pub packets: Amount,
    /// Variance of a service's packets a day over their mean: 1 is chance alone, 0 leaves nothing to it.
    #[serde(default = "one")]
    pub overdispersion: Amount,
    /// Factor of Saturdays and Sundays.
    #[serde(default = "one")]
    pub weekend: Amount,
    /// Regions of sources, by weight, where nothing else is said.
    #[serde(default)]
    pub regions: Mix,
    /// Packets a day of each source that shows at all, where nothing else is said.
    #[serde(default = "each")]
    pub each: Amount,
    /// Days for which a source stays, where nothing else is said.
    #[serde(default = "stay")]
    pub stay: Amount,
    /// Groups of sources, by name.
    #[serde(default)]
    pub crowds: BTreeMap<String, Spanned<Crowd>>,
    #[serde(default, rename = "service")]
    pub services: Vec<Spanned<ServiceEntry>>,
    #[serde(default, rename = "region")]
    pub levels: Vec<Spanned<RegionEntry>>,
    #[serde(default, rename = "surge")]
    pub surges: Vec<Spanned<Surge>>,
    #[serde(default, rename = "survey")]
    pub surveys: Vec<Spanned<Survey>>,
    #[serde(default)]
    pub backscatter: Vec<Spanned<Backscatter>>,
    #[serde(default, rename = "silence")]
    pub silences: Vec<Spanned<Silence>>,
    /// When nothing arrives, and the sensor does not know why.
    #[serde(default, rename = "blind")]
    pub blinds: Vec<Spanned<Stretch>>,
    /// When no sensor runs.
    #[serde(default, rename = "gap")]
    pub gaps: Vec<Spanned<Stretch>>,
    #[serde(default)]
    pub noise: Noise,
}

fn packets() -> Amount {
    Amount(4000.0)
}

fn one() -> Amount {
    Amount(1.0)
}

fn each() -> Amount {
    Amount(3.0)
}

fn stay() -> Amount {
    Amount(3.0)
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
    Zone::named(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A number that is not negative, and no larger than a million million.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Amount(pub f64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if (0.0..=1e12).contains(&number) {
            return Ok(Self(number));
        }
        Err(de::Error::custom(format_args!("{number} is out of range: write a number from 0 to 1e12")))
    }
}

/// A date, such as `2019-10-04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Date);

/// A date or a time on the scenario's clock, such as `2019-11-16T03:00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Day(Date),
    Time(DateTime),
}

fn moment<E: de::Error>(written: Datetime) -> Result<Moment, E> {
    let no_offset = "times are of the scenario's zone: write them without an offset";
    let Datetime { date: Some(date), time, offset: None } = written else {
        let reason =
            if written.offset.is_some() { no_offset } else { "a date is wanted, such as 2019-10-04" };
        return Err(E::custom(reason));
    };
    let beyond = |error| E::custom(format_args!("there is no such time: {error}"));
    let (year, month, day) = (date.year as i16, date.month as i8, date.day as i8);
    let date = Date::new(year, month, day).map_err(beyond)?;
    if !YEARS.contains(&date.year()) {
        let (first, last) = (YEARS.start(), YEARS.end());
        return Err(E::custom(format_args!("{date} is out of range: years are {first} to {last}")));
    }
    let Some(time) = time else { return Ok(Moment::Day(date)) };
    let (hour, minute, second) = (time.hour as i8, time.minute as i8, time.second as i8);
    Ok(Moment::Time(date.to_datetime(Time::new(hour, minute, second, 0).map_err(beyond)?)))
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        moment(Datetime::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match moment(Datetime::deserialize(deserializer)?)? {
            Moment::Day(date) => Ok(Self(date)),
            Moment::Time(_) => Err(de::Error::custom("a date is wanted, without a time")),
        }
    }
}

/// A sensor in the syntax of `--sensor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched(pub Sensor);

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// `[[sensor]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorEntry {
    pub sensor: Watched,
    /// First and last day that it watches.
    pub from: Option<Day>,
    pub to: Option<Day>,
    /// Factor of its packets an address.
    #[serde(default = "one")]
    pub activity: Amount,
}

/// Regions by weight.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Mix(pub BTreeMap<Code, Amount>);

/// A region by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub Region);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Region::named(&text).filter(|region| region.is_ranked()).map(Self).ok_or_else(|| {
            de::Error::custom(format_args!("`{text}` is no region: write a country's code such as JP"))
        })
    }
}

/// `[crowds.NAME]`: sources that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    #[serde(default)]
    pub regions: Mix,
    pub each: Option<Amount>,
    pub stay: Option<Amount>,
    /// All of a region's sources are in this many /24 (IPv6: /48).
    pub prefixes: Option<u16>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Service(Service),
    /// A TCP port of its own each time.
    AnyTcp,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "any/tcp" {
            return Ok(Self::AnyTcp);
        }
        let service: Service =
            text.parse().map_err(|error| format!("{error}, or any/tcp for any port each time"))?;
        match service {
            Service { protocol: Protocol::Icmp | Protocol::Icmpv6, number } if number != 8 => {
                Err(format!("of ICMP, only pings are made: write 8/icmp, not {text}"))
            }
            Service { protocol: Protocol::Icmpv6, .. } => {
                Err("write 8/icmp; over IPv6 it is 128/icmpv6".to_owned())
            }
            _ => Ok(Self::Service(service)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => service.fmt(f),
            Self::AnyTcp => f.pad("any/tcp"),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Tools among the SYNs over IPv4, in percent; the rest has no mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tools {
    pub mirai: u8,
    pub zmap: u8,
    pub masscan: u8,
}

/// From a day on, a factor; until the next one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub from: Day,
    pub factor: Amount,
    /// Days in which it is reached, in a straight line; at once by default.
    #[serde(default)]
    pub over: u16,
}

/// `[[service]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    pub port: Target,
    /// Percent of the scenario's `packets`.
    pub share: Option<Amount>,
    /// Packets a day and address.
    pub packets: Option<Amount>,
    pub crowd: Option<Spanned<String>>,
    #[serde(default)]
    pub regions: Mix,
    #[serde(default)]
    pub tools: Tools,
    pub overdispersion: Option<Amount>,
    #[serde(default)]
    pub levels: Vec<Level>,
}

/// `[[region]]`: levels of a region on all services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionEntry {
    pub code: Code,
    pub levels: Vec<Level>,
}

/// `[[surge]]`: packets beyond the usual.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    pub service: Option<Target>,
    pub region: Option<Code>,
    pub from: Day,
    pub to: Day,
    /// How many times the usual is reached.
    pub factor: Option<Amount>,
    /// Or: packets more, a day and address.
    pub packets: Option<Amount>,
    /// Days in which it is reached, in a straight line; at once by default.
    #[serde(default)]
    pub over: u16,
    /// Who makes the increase; as usual by default.
    #[serde(default)]
    pub regions: Mix,
    pub each: Option<Amount>,
    pub stay: Option<Amount>,
    pub prefixes: Option<u16>,
    #[serde(default)]
    pub tools: Tools,
}

/// `[[survey]]`: one /24 that looks for many ports.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    pub region: Code,
    /// Different TCP ports.
    pub ports: u16,
    /// Packets a day and address.
    pub packets: Amount,
    #[serde(default)]
    pub tools: Tools,
}

/// Answers that go astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Synack,
    Rst,
    UdpReply,
    EchoReply,
    IcmpError,
}

/// `[[backscatter]]`: attacks on others, with forged sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backscatter {
    /// Regions of the victims.
    #[serde(default)]
    pub regions: Mix,
    /// What is attacked, by weight. Of UDP, the services whose answers come.
    pub services: BTreeMap<Target, Amount>,
    /// How answers come, by weight.
    pub answers: BTreeMap<Answer, Amount>,
    /// Attacks a day.
    pub attacks: Amount,
    /// Length of an attack.
    pub minutes: u16,
    /// Packets a minute that come to all sensors together.
    pub rate: Amount,
}

/// `[[silence]]`: a region is not heard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    pub region: Code,
    pub from: Moment,
    pub to: Moment,
    /// Part of its sources that is not heard.
    #[serde(default = "one")]
    pub depth: Amount,
}

/// A stretch of time. A date as the end is included, a time is not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    pub from: Moment,
    pub to: Moment,
}

/// `[noise]`: what else arrives. Of the first ten, packets for each thousand of scans; of the others, how
/// many packets of a thousand are so.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    pub probe: Amount,
    pub query: Amount,
    pub icmp_mismatch: Amount,
    pub fragment: Amount,
    pub gre: Amount,
    pub arp: Amount,
    pub non_ip: Amount,
    pub malformed: Amount,
    pub unwatched: Amount,
    pub local: Amount,
    /// From sources that are not routed.
    pub forged: Amount,
    /// Over IPv6, where sensors watch both families.
    pub ipv6: Amount,
    pub vlan: Amount,
    pub double_vlan: Amount,
}

impl Scenario {
    /// Reads a scenario. `file`: how it is called in errors.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let wrong = |Flaw { span, reason }: Flaw| {
            let before = text.get(..span.start).unwrap_or(text);
            let line = 1 + before.matches('\n').count();
            let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
            ScenarioError::Wrong { file: file.to_owned(), line, column, reason }
        };
        let scenario: Self = toml::from_str(text).map_err(|error| {
            wrong(Flaw { span: error.span().unwrap_or(0..0), reason: error.message().to_owned() })
        })?;
        scenario.check().map_err(wrong)?;
        Ok(scenario)
    }

    /// Reads the scenario of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, and those of [`Scenario::parse`].
    pub fn open(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        match fs::File::open(path) {
            Ok(from) => Self::read(&file, from),
            Err(source) => Err(ScenarioError::Read { file, source }),
        }
    }

    /// Reads a scenario from anything. `file`: how it is called in errors.
    ///
    /// # Errors
    ///
    /// As [`Scenario::open`].
    pub fn read(file: &str, from: impl Read) -> Result<Self, ScenarioError> {
        let mut text = String::new();
        match from.take(LONGEST_FILE + 1).read_to_string(&mut text) {
            Err(source) => Err(ScenarioError::Read { file: file.to_owned(), source }),
            Ok(length) if length as u64 > LONGEST_FILE => {
                Err(ScenarioError::TooLong { file: file.to_owned() })
            }
            Ok(_) => Self::parse(file, &text),
        }
    }

    /// The same scenario with other sensors, from the first day to the last.
    pub fn with_sensors(mut self, sensors: Vec<Sensor>) -> Self {
        self.sensors = sensors.into_iter().map(Watched).collect();
        self.of_a_time.clear();
        self
    }

    /// The same scenario at another time: all its dates are moved by as many days, so that `last` is its last day.
    ///
    /// # Errors
    ///
    /// If a day of it is out of range then.
    pub fn moved_to(mut self, last: Date) -> Result<Self, ScenarioError> {
        let out_of_range = || ScenarioError::Moved { last };
        let days = self.to.get_ref().0.until(last).map_err(|_| out_of_range())?;
        let mut dates = Vec::new();
        let mut moments = Vec::new();
        dates.extend([&mut self.from.0, &mut self.to.get_mut().0]);
        for entry in &mut self.of_a_time {
            let SensorEntry { from, to, .. } = entry.get_mut();
            dates.extend([from, to].into_iter().flatten().map(|day| &mut day.0));
        }
        let of_services = self.services.iter_mut().map(|entry| &mut entry.get_mut().levels);
        let of_regions = self.levels.iter_mut().map(|entry| &mut entry.get_mut().levels);
        dates.extend(of_services.chain(of_regions).flatten().map(|level| &mut level.from.0));
        for entry in &mut self.surges {
            let Surge { from, to, .. } = entry.get_mut();
            dates.extend([&mut from.0, &mut to.0]);
        }
        for entry in &mut self.silences {
            let Silence { from, to, .. } = entry.get_mut();
            moments.extend([from, to]);
        }
        for entry in self.blinds.iter_mut().chain(&mut self.gaps) {
            let Stretch { from, to } = entry.get_mut();
            moments.extend([from, to]);
        }
        let moved = |date: Date| {
            let date = date.checked_add(days).ok().filter(|date| YEARS.contains(&date.year()));
            date.ok_or_else(out_of_range)
        };
        for date in dates {
            *date = moved(*date)?;
        }
        for moment in moments {
            *moment = match *moment {
                Moment::Day(date) => Moment::Day(moved(date)?),
                Moment::Time(time) => Moment::Time(moved(time.date())?.to_datetime(time.time())),
            };
        }
        Ok(self)
    }

    /// The same scenario until a time of its last day, after which no sensor runs.
    pub fn cut_off(mut self, time: DateTime) -> Self {
        let rest = Stretch { from: Moment::Time(time), to: Moment::Day(time.date()) };
        self.gaps.push(Spanned::new(0..0, rest));
        self
    }

    /// The seconds since 1970 that a stretch begins and ends at.
    pub(super) fn stretch(&self, from: Moment, to: Moment) -> Range<i64> {
        // Both are within the calendar.
        let second = |text: String| instant(&text, &self.zone, 0).unwrap_or(0);
        let start = match from {
            Moment::Day(date) => second(date.to_string()),
            Moment::Time(time) => second(time.to_string()),
        };
        let end = match to {
            Moment::Day(date) => second(date.tomorrow().unwrap_or(date).to_string()),
            Moment::Time(time) => second(time.to_string()),
        };
        start..end
    }

    /// All sensors, each with its first and last day, and its activity.
    pub(super) fn watched(&self) -> impl Iterator<Item = (&Sensor, Date, Date, f64)> {
        let (first, last) = (self.from.0, self.to.get_ref().0);
        let always = self.sensors.iter().map(move |sensor| (&sensor.0, first, last, 1.0));
        let of_a_time = self.of_a_time.iter().map(move |entry| {
            let SensorEntry { sensor, from, to, activity } = entry.get_ref();
            let (from, to) = (from.map_or(first, |day| day.0), to.map_or(last, |day| day.0));
            (&sensor.0, from.max(first), to.min(last), activity.0)
        });
        always.chain(of_a_time)
    }

    fn check(&self) -> Checked {
        let (first, last) = (self.from.0, self.to.get_ref().0);
        if last < first {
            return flaw(self.to.span(), format!("`to` is before `from`: write {first} or a later date"));
        }
        if i64::from(last.since(first).map_or(0, |span| span.get_days())) >= MOST_DAYS {
            return flaw(self.to.span(), format!("that is more than {MOST_DAYS} days: divide it"));
        }
        self.check_sensors()?;
        let lists = [
            self.services.len(),
            self.levels.len(),
            self.surges.len(),
            self.surveys.len(),
            self.backscatter.len(),
            self.silences.len(),
            self.blinds.len(),
            self.gaps.len(),
        ];
        if lists.into_iter().any(|entries| entries > MOST_ENTRIES) {
            return flaw(0..0, format!("a list has more than {MOST_ENTRIES} entries"));
        }
        if !is_overdispersion(self.overdispersion) {
            return flaw(0..0, OVERDISPERSION);
        }
        self.check_services()?;
        for entry in &self.levels {
            self.check_region(entry.span(), entry.get_ref().code)?;
            check_levels(&entry.get_ref().levels).or_else(|reason| flaw(entry.span(), reason))?;
        }
        self.check_surges()?;
        for entry in &self.surveys {
            if entry.get_ref().ports == 0 {
                return flaw(entry.span(), "a survey looks for at least one port: write `ports = 100`");
            }
        }
        for entry in &self.backscatter {
            let attack = entry.get_ref();
            if attack.services.values().all(|weight| weight.0 == 0.0) || attack.services.is_empty() {
                return flaw(entry.span(), "nothing is attacked: write `services = { \"80/tcp\" = 1 }`");
            }
            if attack.services.contains_key(&Target::AnyTcp) {
                return flaw(entry.span(), "an attack is on a service, such as 80/tcp");
            }
            if attack.answers.values().all(|weight| weight.0 == 0.0) {
                let reason = "no answers come: write `answers = { synack = 2, rst = 1 }`; there are also udp_reply, \
                     echo_reply and icmp_error";
                return flaw(entry.span(), reason);
            }
            if attack.attacks.0 > MOST_ATTACKS {
                return flaw(entry.span(), format!("`attacks` is {MOST_ATTACKS} a day at most"));
            }
            if !(1..=1440).contains(&attack.minutes) {
                return flaw(entry.span(), "`minutes` is 1 to 1440");
            }
        }
        for entry in &self.silences {
            let Silence { region, from, to, depth } = entry.get_ref();
            self.check_region(entry.span(), *region)?;
            if depth.0 > 1.0 {
                return flaw(entry.span(), "`depth` is the part that is not heard: 0 to 1");
            }
            self.check_stretch(entry.span(), *from, *to)?;
        }
        for entry in self.blinds.iter().chain(&self.gaps) {
            self.check_stretch(entry.span(), entry.get_ref().from, entry.get_ref().to)?;
        }
        let Noise { forged, ipv6, vlan, double_vlan, .. } = self.noise;
        if [forged, ipv6, Amount(vlan.0 + double_vlan.0)].into_iter().any(|of_1000| of_1000.0 > 1000.0) {
            return flaw(0..0, "[noise]: `forged`, `ipv6` and `vlan` with `double_vlan` are at most 1000");
        }
        Ok(())
    }

    /// Refuses a region from which nothing comes: it would be a slip of the pen.
    fn check_region(&self, span: Range<usize>, code: Code) -> Checked {
        let services = self.services.iter().map(|entry| &entry.get_ref().regions);
        let crowds = self.crowds.values().map(|crowd| &crowd.get_ref().regions);
        let surges = self.surges.iter().map(|entry| &entry.get_ref().regions);
        let mut mixes = [&self.regions].into_iter().chain(services).chain(crowds).chain(surges);
        let surges = self.surges.iter().filter(|entry| entry.get_ref().packets.is_some());
        let mut others = surges
            .filter_map(|entry| entry.get_ref().region)
            .chain(self.surveys.iter().map(|entry| entry.get_ref().region));
        if mixes.any(|mix| mix.0.contains_key(&code)) || others.any(|other| other == code) {
            return Ok(());
        }
        flaw(span, format!("nothing comes from {} in this scenario: name it among `regions`", code.0))
    }

    fn check_stretch(&self, span: Range<usize>, from: Moment, to: Moment) -> Checked {
        if self.stretch(from, to).is_empty() {
            return flaw(span, "it ends before it begins; a date as `to` is included, a time is not");
        }
        Ok(())
    }

    fn check_sensors(&self) -> Checked {
        for entry in &self.of_a_time {
            let SensorEntry { from, to, .. } = entry.get_ref();
            if let (Some(from), Some(to)) = (from, to)
                && to < from
            {
                return flaw(entry.span(), "the sensor's `to` is before its `from`");
            }
        }
        // Those of different times may share a name or a prefix.
        let days = self.watched().flat_map(|(_, from, to, _)| [from, to]);
        for day in days.collect::<std::collections::BTreeSet<_>>() {
            let sensors = self.watched().filter(|(_, from, to, _)| (*from..=*to).contains(&day));
            if let Err(error) = Sensors::new(sensors.map(|(sensor, ..)| sensor.clone()).collect()) {
                let span = self.of_a_time.first().map_or(0..0, Spanned::span);
                return flaw(span, format!("on {day}: {error}"));
            }
        }
        Ok(())
    }

    fn check_services(&self) -> Checked {
        let mut shares = 0.0;
        for entry in &self.services {
            let service = entry.get_ref();
            match (service.share, service.packets) {
                (Some(share), None) => shares += share.0,
                (None, Some(_)) => {}
                _ => {
                    let reason = "a service wants either `share`, in percent of the scenario's `packets`, or \
                                  `packets`, a day and address";
                    return flaw(entry.span(), reason);
                }
            }
            if let Some(crowd) = &service.crowd
                && !self.crowds.contains_key(crowd.get_ref())
            {
                let name = crowd.get_ref();
                return flaw(crowd.span(), format!("there is no crowd `{name}`: write [crowds.{name}]"));
            }
            if service.overdispersion.is_some_and(|phi| !is_overdispersion(phi)) {
                return flaw(entry.span(), OVERDISPERSION);
            }
            check_tools(service.tools).or_else(|reason| flaw(entry.span(), reason))?;
            check_levels(&service.levels).or_else(|reason| flaw(entry.span(), reason))?;
        }
        if shares > 100.0 + 1e-6 {
            let span = self.services.first().map_or(0..0, Spanned::span);
            return flaw(span, format!("the shares of all services are {shares} %: more than 100 %"));
        }
        Ok(())
    }

    fn check_surges(&self) -> Checked {
        for entry in &self.surges {
            let surge = entry.get_ref();
            if surge.to < surge.from {
                return flaw(entry.span(), "the surge's `to` is before its `from`");
            }
            if surge.service.is_none() && surge.region.is_none() {
                return flaw(
                    entry.span(),
                    "a surge is of a `service`, of a `region`, or of a service from a region",
                );
            }
            match (surge.factor, surge.packets) {
                (Some(factor), None) if factor.0 >= 1.0 => {}
                (None, Some(_)) => {}
                _ => {
                    let reason = "a surge wants either `factor`, of at least 1, or `packets`, a day and address; \
                                  for less than usual, use `levels`";
                    return flaw(entry.span(), reason);
                }
            }
            if surge.factor.is_some() {
                let is_known = |target| self.services.iter().any(|service| service.get_ref().port == target);
                if let Some(target) = surge.service.filter(|target| !is_known(*target)) {
                    let reason = format!(
                        "there is no [[service]] {target} that it could be a `factor` of: write `packets`"
                    );
                    return flaw(entry.span(), reason);
                }
                if let Some(code) = surge.region {
                    self.check_region(entry.span(), code)?;
                }
            }
            if surge.region.is_some() && !surge.regions.0.is_empty() {
                return flaw(entry.span(), "a surge of a `region` is from there: leave out `regions`");
            }
            if surge.prefixes == Some(0) {
                return flaw(entry.span(), "`prefixes` is at least 1");
            }
            check_tools(surge.tools).or_else(|reason| flaw(entry.span(), reason))?;
        }
        Ok(())
    }
}

const OVERDISPERSION: &str =
    "`overdispersion` is 0 (nothing is left to chance), 1 (chance alone) or more, up to 1000";

fn is_overdispersion(phi: Amount) -> bool {
    phi.0 == 0.0 || (1.0..=1000.0).contains(&phi.0)
}

fn check_tools(Tools { mirai, zmap, masscan }: Tools) -> Result<(), String> {
    let sum = u16::from(mirai) + u16::from(zmap) + u16::from(masscan);
    if sum > 100 { Err(format!("the tools are {sum} % together: more than 100 %")) } else { Ok(()) }
}

fn check_levels(levels: &[Level]) -> Result<(), String> {
    match levels.iter().zip(levels.iter().skip(1)).find(|(level, next)| next.from <= level.from) {
        Some((_, next)) => Err(format!("levels are in the order of their days: {} is not", next.from.0)),
        None => Ok(()),
    }
}
