//! `teiten export`: the rows of a store as files.

use std::{
    fs,
    io::BufWriter,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use log::{info, warn};

use crate::{
    export::{answer::Extract, parquet::ParquetFile, records::grouped},
    store::{
        Reader,
        query::{ExtractLevel, QueryError, Table},
    },
};

use super::{
    query::{PeriodArgs, StoreArgs, write_whole},
    watch::start_log,
};

/// Rows that are handed to the file at once.
const BATCH: usize = 8192;

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How files are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Parquet)]
    format: ExportFormat,
    /// Which stretches of time the rows are of
    #[arg(long, value_enum, default_value_t = LevelArg::Day)]
    level: LevelArg,
    /// What to export, separated by commas [default: all that the level has]
    #[arg(long, value_enum, value_name = "CUBE", value_delimiter = ',')]
    cube: Vec<CubeArg>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Add the sketches of sources, from which counts over any rows can be made
    ///
    /// They are personal data: whoever has the store's key can tell from a sketch of a few sources who they are. Keep
    /// the key apart.
    #[arg(long)]
    sketches: bool,
    /// Directory for the files, one for each cube: CUBE-LEVEL.parquet
    ///
    /// Files of these names are replaced when the new ones are whole.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// TOML file whose keys are the names of these options
    #[arg(long, env = "TEITEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormat {
    /// Apache Parquet, compressed by zstd
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LevelArg {
    /// Hours, and epochs that are longer than their hour
    Hour,
    /// Days that are closed, and epochs that reach over midnight, which no day holds
    Day,
}

impl LevelArg {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum CubeArg {
    Total,
    PortRegion,
    PortTool,
    RegionAsn,
    RegionTool,
    /// The largest prefixes of each port; of days only
    PortPrefix,
}

impl From<CubeArg> for Table {
    fn from(cube: CubeArg) -> Self {
        match cube {
            CubeArg::Total => Self::Total,
            CubeArg::PortRegion => Self::PortRegion,
            CubeArg::PortTool => Self::PortTool,
            CubeArg::RegionAsn => Self::RegionAsn,
            CubeArg::RegionTool => Self::RegionTool,
            CubeArg::PortPrefix => Self::PortPrefix,
        }
    }
}

/// Writes the files.
///
/// # Errors
///
/// If there is no store, or a file cannot be written; those that are whole stay.
pub async fn run(args: ExportArgs) -> Result<ExitCode> {
    start_log(None);
    tokio::task::spawn_blocking(move || export(&args)).await??;
    Ok(ExitCode::SUCCESS)
}

fn export(args: &ExportArgs) -> Result<()> {
    let (ExportFormat::Parquet, level) = (args.format, args.level);
    let has = |table: &Table| level == LevelArg::Day || !table.is_of_days();
    let asked: Vec<Table> = args.cube.iter().map(|&cube| cube.into()).collect();
    if let Some(table) = asked.iter().find(|table| !has(table)) {
        bail!("there is {} of days only: leave it out, or say --level day", table.as_str());
    }
    let tables = if asked.is_empty() { Table::ALL.into_iter().filter(has).collect() } else { asked };
    let reader = args.store.open()?;
    let period = args.period.seconds(reader.zone())?.unwrap_or((i64::MIN, i64::MAX));
    fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the directory {}", args.output.display()))?;
    if args.sketches {
        warn!(
            "--sketches: the files hold personal data, as whoever has the store's key can test addresses against them"
        );
    }
    for table in tables {
        let path = args.output.join(format!("{}-{}.parquet", table.as_str(), level.as_str()));
        let rows = file(&reader, args, table, period, &path)?;
        info!("{}: {} rows", path.display(), grouped(rows));
    }
    Ok(())
}

/// Writes one cube; says how many rows it has.
fn file(reader: &Reader, args: &ExportArgs, table: Table, period: (i64, i64), path: &Path) -> Result<u64> {
    let zone = reader.zone();
    let mut rows = Extract::new(table, args.sketches);
    let mut metadata = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("time_zone", zone.name().to_owned()),
        ("cube", table.as_str().to_owned()),
        ("level", args.level.as_str().to_owned()),
    ];
    if period != (i64::MIN, i64::MAX) {
        metadata.extend([("from", zone.rfc3339(period.0)), ("to", zone.rfc3339(period.1))]);
    }
    let level = match args.level {
        LevelArg::Hour => ExtractLevel::Hour,
        LevelArg::Day => ExtractLevel::Day,
    };
    write_whole(path, |out| {
        let mut file = ParquetFile::new(BufWriter::new(out), &rows.columns(), &metadata)?;
        let mut count = 0;
        reader.extract(table, level, period, |row| {
            count += 1;
            rows.push(row);
            if rows.is_full(BATCH) {
                file.write(&rows)?;
                rows.clear();
            }
            Ok::<_, Trouble>(())
        })?;
        file.write(&rows)?;
        std::io::Write::flush(&mut file.finish()?)?;
        Ok(count)
    })
}

/// What can fail between a row and its file.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Read(#[from] QueryError),
    #[error(transparent)]
    Write(#[from] crate::export::parquet::ParquetFileError),
}
