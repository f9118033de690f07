//! `teiten query`: ask a store.

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use log::info;
use sensor_common::kind::Family;
use serde_json::json;

use crate::{
    export::{
        answer::{Answered, Qualities},
        parquet,
        records::{self, Records},
    },
    model::{Class, Dimension, Filter, Period, Zone},
    store::{
        Reader,
        query::{Query, Rank, Step},
    },
};

use super::{options::DEFAULT_STORE, watch::start_log};

/// Rows of a table where --top does not say how many.
const TABLE_ROWS: usize = 20;

/// Options of `query`.
#[derive(Debug, clap::Args)]
pub struct QueryArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    period: PeriodArgs,
    /// Dimensions of the rows, separated by commas, in the order of the columns
    ///
    /// time, sensor, class, kind and family with one of: region and asn; region and tool; protocol, dst_port,
    /// victim_port, icmp_type and icmp_code with region, or with tool, or with prefix (the largest prefixes of
    /// whole days).
    #[arg(long, value_name = "DIM", value_delimiter = ',', default_value = "protocol,dst_port")]
    by: Vec<Dimension>,
    /// Condition on dimensions, such as 'dst_port = 23 and region in (CN, US)'
    ///
    /// Compares by =, !=, <, <=, >, >=, in (…), not in (…), joined by and, or, not and parentheses. A value that
    /// does not apply to a packet equals nothing.
    #[arg(long = "where", value_name = "EXPR", value_parser = Filter::parse)]
    filter: Option<Filter>,
    /// What packets mean to a sensor
    #[arg(long, value_enum, default_value_t = ClassArg::Scan)]
    class: ClassArg,
    /// IP version
    #[arg(long, value_enum, default_value_t = FamilyArg::Both)]
    family: FamilyArg,
    /// The first rows only; with `time`, of each step [default: 20 in a table, else all]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Which rows are the first
    #[arg(long, value_enum, default_value_t = RankArg::Packets)]
    rank_by: RankArg,
    /// Length of the intervals of dimension `time`, and of the rows of --quality [default: day; of --quality: hour]
    #[arg(long, value_enum)]
    step: Option<StepArg>,
    /// How complete the data are, instead of packets: a row for each step
    #[arg(long, conflicts_with_all = ["by", "filter", "class", "family", "top", "rank_by"])]
    quality: bool,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    format: QueryFormat,
    /// Write to this file instead of standard output; it appears when it is whole
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which store.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// Store to ask; `teiten run --store` fills one
    #[arg(long, env = "TEITEN_STORE", value_name = "PATH", default_value = DEFAULT_STORE)]
    store: PathBuf,
}

impl StoreArgs {
    /// Its file.
    pub fn path(&self) -> &Path {
        &self.store
    }

    /// Opens the store for reading.
    pub fn open(&self) -> Result<Reader> {
        Ok(Reader::open(&self.store)?)
    }
}

/// Which stretch of time.
#[derive(Debug, clap::Args)]
pub struct PeriodArgs {
    /// Begin: a date, a time, or how long ago, such as 2019-10-03, 2019-10-03T12:00, -7d, -36h
    ///
    /// On the clock of the store's time zone, unless it has an offset.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// End: a date, which is included, or a time, which is not [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "from")]
    to: Option<String>,
    /// Period by one name: 2019-10-03, 2019-W40, 2019-10, 2019-Q4, 2019, FROM..TO, today, yesterday,
    /// last-week, last-month, last-quarter, last-year
    #[arg(long, value_name = "PERIOD", conflicts_with = "from", allow_hyphen_values = true)]
    period: Option<String>,
}

impl PeriodArgs {
    /// The first second and the first one after the period; `None` if none was asked for.
    pub fn seconds(&self, zone: &Zone) -> Result<Option<(i64, i64)>> {
        let now = Timestamp::now().as_second();
        let period = match (&self.period, &self.from) {
            (Some(period), _) => Period::parse(period, zone, now)?,
            (None, Some(from)) => Period::from(from, self.to.as_deref(), zone, now)?,
            (None, None) => return Ok(None),
        };
        Ok(Some((period.start, period.end)))
    }

    /// The same; the last 7 days if none was asked for.
    fn or_week(&self, zone: &Zone) -> Result<(i64, i64)> {
        let week = Period::last_days(zone, Timestamp::now().as_second());
        Ok(self.seconds(zone)?.unwrap_or((week.start, week.end)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ClassArg {
    /// Somebody looks for services
    Scan,
    /// Answers to packets with a forged source
    Backscatter,
    /// The rest
    Other,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FamilyArg {
    #[value(name = "4")]
    V4,
    #[value(name = "6")]
    V6,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RankArg {
    /// Those with the most packets
    Packets,
    /// Those with the most sources
    Sources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StepArg {
    Hour,
    Day,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum QueryFormat {
    /// Aligned columns, the totals and what has to be known about them, for people
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    Jsonl,
    /// One JSON document, with a summary
    Json,
    /// Apache Parquet
    Parquet,
}

/// Answers the question and writes the rows.
///
/// # Errors
///
/// If there is no store, no cube that holds what is asked, or no way to write it.
pub async fn run(args: QueryArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || query(&args)).await??;
    Ok(ExitCode::SUCCESS)
}

fn query(args: &QueryArgs) -> Result<()> {
    if args.format == QueryFormat::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        bail!("Parquet is not for terminals: name a file with -o");
    }
    let reader = args.store.open()?;
    let zone = reader.zone();
    let (from, to) = args.period.or_week(zone)?;
    let context = || format!("store {}", reader.path().display());
    let span =
        [("from", zone.rfc3339(from)), ("to", zone.rfc3339(to)), ("time_zone", zone.name().to_owned())];
    if args.quality {
        let step = args.step.map_or(Step::Hour, Into::into);
        let rows = reader.quality(from, to, step).with_context(context)?;
        let summary = json!({"from": span[0].1, "to": span[1].1, "time_zone": span[2].1});
        let said = [format!("from {} to {} ({})", span[0].1, span[1].1, span[2].1)];
        return put_out(args, &Qualities(&rows), &summary, &said, &span);
    }
    let answer = reader
        .query(&Query {
            from,
            to,
            by: args.by.clone(),
            filter: args.filter.clone(),
            class: match args.class {
                ClassArg::Scan => Some(Class::Scan),
                ClassArg::Backscatter => Some(Class::Backscatter),
                ClassArg::Other => Some(Class::Other),
                ClassArg::Any => None,
            },
            family: match args.family {
                FamilyArg::V4 => Some(Family::V4),
                FamilyArg::V6 => Some(Family::V6),
                FamilyArg::Both => None,
            },
            top: args.top.or((args.format == QueryFormat::Table).then_some(TABLE_ROWS)),
            rank: match args.rank_by {
                RankArg::Packets => Rank::Packets,
                RankArg::Sources => Rank::Sources,
            },
            step: args.step.map(Into::into),
            packets_only: false,
            most: None,
        })
        .with_context(context)?;
    let mut said = answer.summary.sentences();
    if answer.summary.given < answer.summary.rows {
        said.insert(0, format!("… and {} more rows (--top)", answer.summary.rows - answer.summary.given));
    }
    let by = answer.by.iter().map(|dimension| dimension.as_str()).collect::<Vec<_>>().join(",");
    let [from, to, time_zone] = span;
    let metadata = [
        from,
        to,
        time_zone,
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("by", by),
        ("cube", answer.summary.cubes.join(",")),
        ("summary", serde_json::to_string(&answer.summary)?),
    ];
    put_out(args, &Answered::new(&answer), &answer.summary, &said, &metadata)
}

impl From<StepArg> for Step {
    fn from(step: StepArg) -> Self {
        match step {
            StepArg::Hour => Self::Hour,
            StepArg::Day => Self::Day,
        }
    }
}

/// Writes rows to where they are wanted. `said`: what people have to know beside them.
fn put_out(
    args: &QueryArgs,
    rows: &impl Records,
    summary: &impl serde::Serialize,
    said: &[String],
    metadata: &[(&str, String)],
) -> Result<()> {
    match &args.output {
        Some(path) => {
            write_whole(path, |out| write(args.format, rows, summary, said, metadata, out))?;
        }
        None => write(args.format, rows, summary, said, metadata, &mut io::stdout())
            .context("cannot write to standard output")?,
    }
    if !matches!(args.format, QueryFormat::Table | QueryFormat::Json) {
        said.iter().for_each(|line| info!("{line}"));
    }
    Ok(())
}

fn write(
    format: QueryFormat,
    rows: &impl Records,
    summary: &impl serde::Serialize,
    said: &[String],
    metadata: &[(&str, String)],
    out: &mut (impl Write + Send),
) -> Result<()> {
    let mut out = BufWriter::new(out);
    match format {
        QueryFormat::Table => {
            records::write_table(rows, &mut out)?;
            writeln!(out)?;
            for line in said {
                writeln!(out, "{line}")?;
            }
        }
        QueryFormat::Csv => records::write_csv(rows, &mut out)?,
        QueryFormat::Jsonl => records::write_jsonl(rows, &mut out)?,
        QueryFormat::Json => records::write_json(rows, &mut out, summary)?,
        QueryFormat::Parquet => parquet::write(rows, &mut out, metadata)?,
    }
    out.flush()?;
    Ok(())
}

/// Writes a file beside its name, and gives it the name when it is whole.
pub fn write_whole<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut name = path.file_name().with_context(|| format!("{} names no file", path.display()))?.to_owned();
    name.push(format!(".new-{}", process::id()));
    let new = path.with_file_name(name);
    let result = File::create(&new)
        .map_err(anyhow::Error::from)
        .and_then(|mut file| {
            let result = write(&mut file)?;
            fs::rename(&new, path)?;
            Ok(result)
        })
        .with_context(|| format!("cannot write {}", path.display()));
    if result.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&new);
    }
    result
}
