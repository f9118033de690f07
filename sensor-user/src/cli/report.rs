//! `teiten report`: what a CSIRT publishes of a period, from a store.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use log::{info, warn};

use crate::{
    model::Period,
    report::{
        compose, csv,
        frozen::Frozen,
        html, json,
        lang::Lang,
        make::{FrozenIn, MOST_ROWS, Made, Wanted},
        markdown,
        model::{Profile, RankBy, Report},
        names::Names,
        notes,
        page::Table,
        publish,
    },
};

use super::{
    options::KeeperArgs,
    query::{StoreArgs, write_whole},
    watch::start_log,
};

/// Options of `report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// 2019-10-03, 2019-W40, 2019-10, 2019-Q4, 2019, FROM..TO, yesterday, last-week, last-month, last-quarter,
    /// last-year; compared with the period of the same kind before
    #[arg(value_name = "PERIOD")]
    period: String,
    #[command(flatten)]
    store: StoreArgs,
    /// Language of all text
    #[arg(long, env = "TEITEN_LANG", value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Rows of a ranking, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Only what this sensor counted; may be given several times
    #[arg(long = "sensor", value_name = "NAME")]
    sensors: Vec<String>,
    /// For whom
    #[arg(long, value_enum, default_value_t = Profile::Publish)]
    profile: Profile,
    /// Which rows are the first
    #[arg(long, value_enum, default_value_t = RankBy::Packets)]
    rank_by: RankBy,
    #[command(flatten)]
    keeper: KeeperArgs,
    /// Markdown file of your own text: a heading `# ID` for each finding, `# report` for the whole
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Keep figures, parameters and notes as they are now, for this report and as the next one's previous ranks
    #[arg(long)]
    freeze: bool,
    /// Make it from the store although it is frozen
    #[arg(long, conflicts_with = "freeze")]
    anew: bool,
    /// With --format csv: this table only, such as `ports`
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// With --format csv: begin files with a byte-order mark, as spreadsheets want it
    #[arg(long)]
    bom: bool,
    /// Write to this file instead of standard output; with --format csv to a file per table in this directory
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A page of its own, without script, to read and to print
    Html,
    /// Markdown, to paste into a publication
    Md,
    /// One JSON document
    Json,
    /// Comma-separated values, a file per table
    Csv,
}

/// Makes a report and writes it.
///
/// # Errors
///
/// If a file that is named cannot be used, the period is none, or the report cannot be written. Nothing is written
/// then.
pub async fn run(args: ReportArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || report(&args)).await??;
    Ok(ExitCode::SUCCESS)
}

fn report(args: &ReportArgs) -> Result<()> {
    ensure!((1..=MOST_ROWS).contains(&args.top), "--top {}: a ranking has 1 to {MOST_ROWS} rows", args.top);
    if args.format == Format::Csv && args.output.is_none() && args.table.is_none() {
        bail!(
            "a report has many tables: name a directory for them with -o, or one of them with --table ports"
        );
    }
    if args.format != Format::Csv && (args.table.is_some() || args.bom) {
        bail!("--table and --bom are for --format csv");
    }
    let names = Names::new(args.keeper.names.as_deref())?;
    let reader = args.store.open()?;
    let now = Timestamp::now().as_second();
    let period = Period::parse(&args.period, reader.zone(), now)?;
    let wanted = wanted(args, period, now);
    let files = args.keeper.files();
    let Made { mut report, frozen } = wanted.make(&reader, &files.read()?)?;
    if let Some(FrozenIn { path, rows }) = frozen {
        info!("{} is frozen: its figures are those of {}", report.period.text, path.display());
        if args.top > rows {
            warn!(
                "it was frozen with {rows} rows, and --top {} asks for more; --anew reads the store",
                args.top
            );
        }
    }
    if let Some(path) = &args.notes {
        let notes = notes::read(path)?;
        notes::check(&notes, path, report.findings.iter().map(|finding| finding.id.as_str()))?;
        report.notes.extend(notes);
    }
    if args.freeze {
        report.frozen = Some(report.made.clone());
        let path = wanted.path(&reader, &period);
        Frozen::keep(&path, &report)?;
        info!("{} is frozen in {}", report.period.text, path.display());
    }
    let report = match args.profile {
        Profile::Publish => publish::published(report),
        Profile::Internal => report,
    };
    write(args, &report, &names)
}

fn wanted(args: &ReportArgs, period: Period, now: i64) -> Wanted<'_> {
    Wanted {
        period,
        top: args.top,
        home: args.keeper.home,
        sensors: &args.sensors,
        rank_by: args.rank_by,
        frozen: args.keeper.frozen.as_deref(),
        anew: args.anew || args.freeze,
        now,
    }
}

fn write(args: &ReportArgs, report: &Report, names: &Names) -> Result<()> {
    let page = || compose::page(report, args.lang, names);
    match args.format {
        Format::Html => put_out(args, |out| Ok(html::write(&page(), out)?)),
        Format::Md => put_out(args, |out| Ok(markdown::write(&page(), out)?)),
        Format::Json => {
            let text: BTreeMap<String, String> = compose::sentences(report, args.lang, names);
            let document = json::Document { report, language: args.lang.tag(), text: &text };
            put_out(args, |out| Ok(json::write(&document, out)?))
        }
        Format::Csv => {
            let page = page();
            let tables = page.tables();
            match &args.table {
                Some(name) => {
                    let table = tables.iter().find(|table| table.id == *name).with_context(|| {
                        let known: Vec<&str> = tables.iter().map(|table| table.id.as_str()).collect();
                        format!("this report has no table `{name}`; it has {}", known.join(", "))
                    })?;
                    put_out(args, |out| Ok(csv::write(table, args.bom, out)?))
                }
                None => {
                    let directory = args.output.as_deref().unwrap_or_else(|| Path::new("."));
                    write_tables(directory, &tables, args.bom)
                }
            }
        }
    }
}

fn write_tables(directory: &Path, tables: &[&Table], bom: bool) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    for table in tables {
        let path = directory.join(format!("{}.csv", table.id));
        write_whole(&path, |file| {
            let mut out = BufWriter::new(file);
            csv::write(table, bom, &mut out)?;
            Ok(out.flush()?)
        })?;
    }
    Ok(())
}

fn put_out(
    args: &ReportArgs,
    write: impl FnOnce(&mut BufWriter<Box<dyn Write>>) -> Result<()>,
) -> Result<()> {
    let written = |out: Box<dyn Write>| {
        let mut out = BufWriter::new(out);
        write(&mut out)?;
        Ok(out.flush()?)
    };
    match &args.output {
        Some(path) => write_whole(path, |file| written(Box::new(file.try_clone()?))),
        None => written(Box::new(io::stdout())).context("cannot write to standard output"),
    }
}
