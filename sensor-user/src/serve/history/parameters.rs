//! Parameters of a request: each defined once, for the reader, for what is said of a bad one, and for the API's
//! document.

use std::{fmt, num::NonZeroUsize};

use axum::{
    extract::Query,
    http::{StatusCode, Uri},
};
use schemars::JsonSchema;
use sensor_common::kind::Family;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use crate::{
    model::{Class, Dimension, Filter, Period, PeriodError, Region, Service, Zone, instant},
    report::{
        lang::Lang,
        make::MOST_ROWS,
        model::{Profile, RankBy},
    },
    serve::problem::Problem,
    store::query::{Rank, Step},
};

/// Rows that are given.
pub const MOST_GIVEN: usize = 10_000;
/// Days of a period by hours.
const MOST_HOUR_DAYS: i64 = 100;
/// Days of a period by days.
const MOST_DAYS: i64 = 4000;
/// Days of a report's period.
const MOST_REPORT_DAYS: i64 = 1000;
const DAY: i64 = 86_400;
/// Parameters of a request.
const MOST_PARAMETERS: usize = 64;
/// Characters of what is said of a parameter, which quotes it.
const MOST_SAID: usize = 1000;

/// The parameters of a request.
///
/// # Errors
///
/// If there is an unknown or a missing one, one twice, or one whose value cannot be read.
pub fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad parameters", error.to_string()))?;
    let pairs = pairs.0;
    if pairs.len() > MOST_PARAMETERS {
        let said = format!("there are {} parameters; {MOST_PARAMETERS} at most are read", pairs.len());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad parameters", said));
    }
    for (index, (name, _)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(before, _)| before == name) {
            return Err(bad(name, &format!("`{name}` is given twice; write it once")));
        }
    }
    let pairs = Pairs { pairs: pairs.iter(), value: None };
    T::deserialize(de::value::MapAccessDeserializer::new(pairs))
        .map_err(|Wrong { name, detail }| bad(&name.unwrap_or_default(), &detail))
}

/// 400: a parameter that cannot be used.
pub fn bad(name: &str, detail: &str) -> Problem {
    let short = |text: &str, most: usize| match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    Problem::parameter(short(name, 100), short(detail, MOST_SAID))
}

/// What is wrong with a parameter.
#[derive(Debug)]
struct Wrong {
    name: Option<String>,
    detail: String,
}

impl Wrong {
    fn of(self, name: &str) -> Self {
        Self { name: self.name.or_else(|| Some(name.to_owned())), ..self }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Wrong {}

fn listed(all: &[&str]) -> String {
    match all.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { name: None, detail: message.to_string() }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("`{variant}` is none of its values; there are {}", listed(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("there is no parameter `{field}` here; there are {}", listed(expected)))
            .of(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing; write one")).of(field)
    }
}

/// Names and values.
struct Pairs<'a> {
    pairs: std::slice::Iter<'a, (String, String)>,
    value: Option<(&'a str, &'a str)>,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some((name, value));
        let name: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (name, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Text(value)).map_err(|wrong| wrong.of(name))
    }
}

/// The text of a value.
struct Text<'a>(&'a str);

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            text => Err(de::Error::unknown_variant(text, &["true", "false"])),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let text: StrDeserializer<'_, Wrong> = self.0.into_deserializer();
        visitor.visit_enum(text)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// Reads a text by a rule of its own.
fn parsed<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Period by one name: a day (2019-10-03), an ISO week (2019-W40), a month (2019-10), a quarter (2019-Q4), a year
/// (2019), FROM..TO, today, yesterday, last-week, last-month, last-quarter or last-year. Days are those of the store's
/// time zone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(inline, example = &"2019-Q4")]
pub struct PeriodName(String);

impl PeriodName {
    /// The period of a report.
    pub fn of_report(&self, zone: &Zone, now: i64) -> Result<Period, Problem> {
        let period = Period::parse(&self.0, zone, now).map_err(|error| bad("period", &error.to_string()))?;
        if period.end.saturating_sub(period.start) > MOST_REPORT_DAYS * DAY + DAY {
            let said = format!(
                "`{}` is too long: a report is of at most {MOST_REPORT_DAYS} days; write a shorter period",
                self.0
            );
            return Err(bad("period", &said));
        }
        Ok(period)
    }
}

/// Begin: a date, a time, or how long ago, such as 2019-10-03, 2019-10-03T12:00, -7d, -36h; instead of a period. On the
/// clock of the store's time zone, unless it has an offset.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(inline, example = &"-7d")]
pub struct Begin(String);

/// End: a date, which is included, or a time, which is not. Without it the period ends with the hour of now.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(inline, example = &"2019-10-31")]
pub struct End(String);

/// The period that is asked for: the last 7 days if none is.
pub fn period(
    name: Option<&PeriodName>,
    from: Option<&Begin>,
    to: Option<&End>,
    zone: &Zone,
    now: i64,
) -> Result<Period, Problem> {
    let wrong = |name: &'static str| move |error: PeriodError| bad(name, &error.to_string());
    match (name, from, to) {
        (Some(_), Some(_), _) => Err(bad("from", "`from` cannot stand beside `period`; write one of them")),
        (_, None, Some(_)) => Err(bad("to", "`to` is the end of what `from` begins; write `from` as well")),
        (Some(name), None, None) => Period::parse(&name.0, zone, now).map_err(wrong("period")),
        (None, Some(from), None) => Period::from(&from.0, None, zone, now).map_err(wrong("from")),
        (None, Some(from), Some(to)) => {
            instant(&from.0, zone, now).map_err(wrong("from"))?;
            Period::from(&from.0, Some(&to.0), zone, now).map_err(wrong("to"))
        }
        (None, None, None) => Ok(Period::last_days(zone, now)),
    }
}

/// How many steps a period has.
///
/// # Errors
///
/// If there are too many.
pub fn steps(period: &Period, step: StepAsked) -> Result<usize, Problem> {
    let seconds = period.end.saturating_sub(period.start);
    let (length, most, hint) = match step {
        StepAsked::Hour => (3600, MOST_HOUR_DAYS, "; write a shorter period, or step=day"),
        StepAsked::Day => (DAY, MOST_DAYS, "; write a shorter period"),
    };
    if seconds > most * DAY + DAY {
        let said = format!(
            "by {} a period has at most {most} days, and this one has {}{hint}",
            step.as_str(),
            seconds / DAY
        );
        return Err(bad("step", &said));
    }
    // A period may begin and end within one.
    Ok(usize::try_from(seconds / length).unwrap_or(0) + 2)
}

/// Dimensions of the rows, separated by commas.
#[derive(Clone, Debug)]
pub struct By(pub Vec<Dimension>);

impl Default for By {
    fn default() -> Self {
        Self(vec![Dimension::Protocol, Dimension::DstPort])
    }
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>();
        let parse = |text: &str| match text {
            // All packets together.
            "" => Ok(Vec::new()),
            text => parse(text),
        };
        parsed::<D, _, crate::model::UnknownDimension>(deserializer, parse).map(Self)
    }
}

impl Serialize for By {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|dimension| dimension.as_str()))
    }
}

impl JsonSchema for By {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "By".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = Dimension::ALL.into_iter().filter(|&dimension| dimension != Dimension::Source);
        schemars::json_schema!({
            "type": "array",
            "description": "Dimensions of the rows, in the order of the columns; empty: all packets together. time, \
                            sensor, class, kind and family with one of: region and asn; region and tool; protocol, \
                            dst_port, victim_port, icmp_type and icmp_code with region, or with tool, or with prefix \
                            (the largest prefixes of whole days)",
            "items": { "type": "string", "enum": names.map(Dimension::as_str).collect::<Vec<_>>() },
            "uniqueItems": true,
        })
    }
}

/// Condition on dimensions, such as `dst_port = 23 and region in (CN, US)`. Compares by =, !=, <, <=, >, >=, in (…), not
/// in (…), joined by and, or, not and parentheses. A value that does not apply to a packet equals nothing.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(inline, example = &"dst_port = 23 and region in (CN, US)")]
pub struct Condition(#[schemars(with = "String")] pub Filter);

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, Filter::parse).map(Self)
    }
}

/// What packets mean to a sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ClassAsked {
    /// Somebody looks for services
    #[default]
    Scan,
    /// Answers to packets with a forged source
    Backscatter,
    /// The rest
    Other,
    /// All of them
    Any,
}

impl ClassAsked {
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Scan => Some(Class::Scan),
            Self::Backscatter => Some(Class::Backscatter),
            Self::Other => Some(Class::Other),
            Self::Any => None,
        }
    }
}

/// IP version; both unless it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum FamilyAsked {
    #[serde(rename = "4")]
    V4,
    #[serde(rename = "6")]
    V6,
}

impl From<FamilyAsked> for Family {
    fn from(asked: FamilyAsked) -> Self {
        match asked {
            FamilyAsked::V4 => Self::V4,
            FamilyAsked::V6 => Self::V6,
        }
    }
}

/// Which rows are the first: those with the most packets, or the most sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RankAsked {
    #[default]
    Packets,
    Sources,
}

impl From<RankAsked> for Rank {
    fn from(asked: RankAsked) -> Self {
        match asked {
            RankAsked::Packets => Self::Packets,
            RankAsked::Sources => Self::Sources,
        }
    }
}

/// Length of the stretches of time: hours of at most 100 days, or days of at most 4,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StepAsked {
    Hour,
    Day,
}

impl StepAsked {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hours",
            Self::Day => "days",
        }
    }

    const fn hour() -> Self {
        Self::Hour
    }
}

impl From<StepAsked> for Step {
    fn from(asked: StepAsked) -> Self {
        match asked {
            StepAsked::Hour => Self::Hour,
            StepAsked::Day => Self::Day,
        }
    }
}

/// A whole number from 1 to the most that there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UpTo<const MOST: usize>(NonZeroUsize);

impl<const MOST: usize> UpTo<MOST> {
    pub const fn get(self) -> usize {
        self.0.get()
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for UpTo<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, |text| {
            let number =
                if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
            let number = number.filter(|number: &NonZeroUsize| number.get() <= MOST);
            number.map(Self).ok_or_else(|| format!("`{text}` is no whole number from 1 to {MOST}; write one"))
        })
    }
}

impl<const MOST: usize> JsonSchema for UpTo<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("UpTo{MOST}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST })
    }
}

/// How rows are written: one JSON document with a summary, or comma-separated values with a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RowsFormat {
    #[default]
    Json,
    Csv,
}

/// Region whose rank is told with every finding, by its ISO 3166-1 alpha-2 code, or `none`; the server's own unless
/// it is given.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(inline, example = &"JP")]
pub struct Home(#[schemars(with = "String")] pub Option<Region>);

impl<'de> Deserialize<'de> for Home {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, |text| {
            if text == "none" {
                return Ok(Self(None));
            }
            let said =
                || format!("`{text}` is no region; write the two letters of ISO 3166, such as JP, or none");
            Region::from_code(text).map(|region| Self(Some(region))).ok_or_else(said)
        })
    }
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ReportFormat {
    /// A page of its own, without script
    #[default]
    Html,
    /// Markdown
    Md,
    /// One JSON document
    Json,
    /// One table as comma-separated values
    Csv,
}

fn yes() -> bool {
    true
}

fn five() -> UpTo<MOST_ROWS> {
    UpTo(NonZeroUsize::MIN.saturating_add(4))
}

/// Of `/query`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryParameters {
    pub period: Option<PeriodName>,
    pub from: Option<Begin>,
    pub to: Option<End>,
    #[serde(default)]
    pub by: By,
    #[serde(rename = "where")]
    pub filter: Option<Condition>,
    #[serde(default)]
    pub class: ClassAsked,
    pub family: Option<FamilyAsked>,
    /// The first rows only; with dimension `time`, of each step. At most 10,000 rows are given in all.
    pub top: Option<UpTo<MOST_GIVEN>>,
    #[serde(default)]
    pub rank_by: RankAsked,
    /// Length of the steps of dimension `time`, days unless it is given: hours of at most 100 days, or days of at most
    /// 4,000.
    pub step: Option<StepAsked>,
    /// Adds what each row was in the period before. Not with dimension `time`.
    #[serde(default)]
    pub compare: bool,
    /// Whether sources are estimated; without them the answer is there sooner.
    #[serde(default = "yes")]
    pub sources: bool,
    #[serde(default)]
    pub format: RowsFormat,
}

/// Of `/period`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeriodParameters {
    pub period: Option<PeriodName>,
    pub from: Option<Begin>,
    pub to: Option<End>,
}

/// Of `/quality`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QualityParameters {
    pub period: Option<PeriodName>,
    pub from: Option<Begin>,
    pub to: Option<End>,
    #[serde(default = "StepAsked::hour")]
    pub step: StepAsked,
    #[serde(default)]
    pub format: RowsFormat,
}

/// Of `/findings`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsParameters {
    pub period: PeriodName,
    pub home: Option<Home>,
    /// Language of the sentences.
    #[serde(default)]
    pub lang: Lang,
    /// Only what concerns this service.
    pub service: Option<Service>,
    /// Only what concerns this region.
    pub region: Option<Region>,
}

/// Of `/report`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportParameters {
    pub period: PeriodName,
    /// Language of all text.
    #[serde(default)]
    pub lang: Lang,
    #[serde(default)]
    pub format: ReportFormat,
    /// Rows of a ranking.
    #[serde(default = "five")]
    pub top: UpTo<MOST_ROWS>,
    pub home: Option<Home>,
    /// For whom.
    #[serde(default)]
    pub profile: Profile,
    /// Which rows are the first.
    #[serde(default)]
    pub rank_by: RankBy,
    /// The table that is wanted of format `csv`, such as `ports`.
    pub table: Option<String>,
    /// As a file to keep, not to show.
    #[serde(default)]
    pub download: bool,
}

/// Of `/report/tables`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TablesParameters {
    pub period: PeriodName,
    /// Language of the captions.
    #[serde(default)]
    pub lang: Lang,
    /// Rows of a ranking.
    #[serde(default = "five")]
    pub top: UpTo<MOST_ROWS>,
    pub home: Option<Home>,
    /// For whom.
    #[serde(default)]
    pub profile: Profile,
    /// Which rows are the first.
    #[serde(default)]
    pub rank_by: RankBy,
}

/// Of `/names`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamesParameters {
    #[serde(default)]
    pub lang: Lang,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(query: &str) -> Uri {
        format!("/api/v1/query?{query}").parse().unwrap()
    }

    fn problem<T: DeserializeOwned + fmt::Debug>(query: &str) -> (String, String) {
        let problem = read::<T>(&uri(query)).unwrap_err();
        assert_eq!((problem.status, problem.title), (400, "bad parameter"));
        (problem.parameter.unwrap(), problem.detail)
    }

    #[test]
    fn values_are_read_as_they_are_meant() {
        let query = "by=region%2Casn&where=dst_port+%3D+23&class=any&family=6&top=7&rank_by=sources&step=hour\
                     &compare=true&sources=false&format=csv&from=-7d&to=now";
        let parameters: QueryParameters = read(&uri(query)).unwrap();
        assert_eq!(parameters.by.0, [Dimension::Region, Dimension::Asn]);
        assert_eq!(parameters.filter.map(|condition| condition.0), Filter::parse("dst_port = 23").ok());
        assert_eq!((parameters.class.class(), parameters.family), (None, Some(FamilyAsked::V6)));
        assert_eq!(parameters.top.map(UpTo::get), Some(7));
        assert_eq!((parameters.rank_by, parameters.step), (RankAsked::Sources, Some(StepAsked::Hour)));
        assert!(parameters.compare && !parameters.sources && parameters.format == RowsFormat::Csv);
        assert_eq!(parameters.from.unwrap().0, "-7d");

        let parameters: QueryParameters = read(&uri("")).unwrap();
        assert_eq!(parameters.by.0, [Dimension::Protocol, Dimension::DstPort]);
        assert!(parameters.sources && !parameters.compare && parameters.class == ClassAsked::Scan);
        let all: QueryParameters = read(&uri("by=")).unwrap();
        assert!(all.by.0.is_empty());
    }

    #[test]
    fn no_more_parameters_are_read_than_there_can_be() {
        let many: Vec<String> = (0..=MOST_PARAMETERS).map(|number| format!("p{number}=1")).collect();
        let problem = read::<QueryParameters>(&uri(&many.join("&"))).unwrap_err();
        assert!(problem.detail.contains("65 parameters"), "{}", problem.detail);
    }

    #[test]
    fn bad_parameters_say_what_to_write() {
        for (query, name, said) in [
            (
                "perod=2019",
                "perod",
                "there is no parameter `perod` here; there are period, from, to, by, where,",
            ),
            ("by=port", "by", "`port` is no dimension; there are time, sensor"),
            ("by=region,", "by", "`` is no dimension"),
            ("where=x", "where", "x"),
            (
                "class=scans",
                "class",
                "`scans` is none of its values; there are scan, backscatter, other and any",
            ),
            ("family=5", "family", "`5` is none of its values; there are 4 and 6"),
            ("top=0", "top", "`0` is no whole number from 1 to 10000; write one"),
            ("top=10001", "top", "`10001` is no whole number"),
            ("top=-1", "top", "`-1` is no whole number"),
            ("top=%2B1", "top", "`+1` is no whole number"),
            ("top=99999999999999999999999", "top", "is no whole number"),
            ("top=", "top", "`` is no whole number"),
            ("step=week", "step", "there are hour and day"),
            ("compare=1", "compare", "`1` is none of its values; there are true and false"),
            ("format=xml", "format", "there are json and csv"),
            ("top=1&top=1", "top", "`top` is given twice; write it once"),
            ("%00=1", "\0", "there is no parameter"),
        ] {
            let (parameter, detail) = problem::<QueryParameters>(query);
            assert_eq!(parameter, name, "{query}");
            assert!(detail.contains(said), "{query}: {detail}");
        }
        let (parameter, detail) = problem::<ReportParameters>("lang=en");
        assert_eq!((parameter.as_str(), detail.as_str()), ("period", "`period` is missing; write one"));
        for (query, name, said) in [
            ("period=2019&home=Japan", "home", "`Japan` is no region; write the two letters"),
            ("period=2019&lang=fr", "lang", "there are en and ja"),
            ("period=2019&top=1001", "top", "from 1 to 1000"),
            ("period=2019&profile=all", "profile", "there are publish and internal"),
        ] {
            let (parameter, detail) = problem::<ReportParameters>(query);
            assert_eq!(parameter, name);
            assert!(detail.contains(said), "{query}: {detail}");
        }
        let (parameter, detail) = problem::<FindingsParameters>("period=2019&service=23");
        assert_eq!(parameter, "service");
        assert!(detail.starts_with("`23` is no service; write a port"), "{detail}");
        let (parameter, _) = problem::<FindingsParameters>("period=2019&region=jp");
        assert_eq!(parameter, "region");
    }

    #[test]
    fn what_is_quoted_is_cut() {
        let (parameter, detail) = problem::<QueryParameters>(&format!("class={}", "%E3%81%82".repeat(5000)));
        assert_eq!(parameter, "class");
        assert_eq!(detail.chars().count(), MOST_SAID + 1);
        let (parameter, _) = problem::<QueryParameters>(&format!("{}=1", "a".repeat(5000)));
        assert_eq!(parameter.chars().count(), 101);
    }

    #[test]
    fn periods_name_the_parameter_that_is_wrong() {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let now = 1_573_702_496;
        let ask = |query: &str| {
            let PeriodParameters { period: name, from, to } = read(&uri(query)).unwrap();
            period(name.as_ref(), from.as_ref(), to.as_ref(), &zone, now)
                .map(|period| period.text(&zone))
                .map_err(|problem| problem.parameter.unwrap())
        };
        assert_eq!(ask("period=2019-Q4"), Ok("2019-Q4".to_owned()));
        assert_eq!(ask("from=2019-10-01&to=2019-10-31"), Ok("2019-10-01..2019-10-31".to_owned()));
        let week = "2019-11-07T12:00:00+09:00..2019-11-14T13:00:00+09:00";
        assert_eq!(ask(""), Ok(week.to_owned()));
        for (query, parameter) in [
            ("period=2019-Q5", "period"),
            ("period=2019&from=-7d", "from"),
            ("period=2019&to=now", "to"),
            ("to=now", "to"),
            ("from=x", "from"),
            ("from=x&to=now", "from"),
            ("from=2019-10-01&to=x", "to"),
            ("from=2019-10-02&to=2019-10-01", "to"),
            ("from=2020-01-01", "from"),
            ("from=..&to=..", "from"),
        ] {
            assert_eq!(ask(query), Err(parameter.to_owned()), "{query}");
        }
    }

    #[test]
    fn long_periods_have_no_short_steps() {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let of = |text: &str, step| steps(&Period::parse(text, &zone, 0).unwrap(), step);
        assert_eq!(of("2019-10-04", StepAsked::Hour), Ok(26));
        assert_eq!(of("2019-Q4", StepAsked::Hour), Ok(92 * 24 + 2));
        assert_eq!(of("2019", StepAsked::Day), Ok(367));
        let problem = of("2019", StepAsked::Hour).unwrap_err();
        assert_eq!(problem.parameter.as_deref(), Some("step"));
        assert!(problem.detail.contains("at most 100 days, and this one has 365"), "{}", problem.detail);
        assert!(of("2000-01-01..2019-12-31", StepAsked::Day).is_err());
        let report = |text: &str| PeriodName(text.to_owned()).of_report(&zone, 0);
        assert!(report("2019").is_ok());
        assert_eq!(report("2010-01-01..2019-12-31").unwrap_err().parameter.as_deref(), Some("period"));
    }
}
