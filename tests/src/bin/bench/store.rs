//! Questions to a store of ten million hour rows: from days, and from the hours themselves.

use std::{env, fs::File, os::fd::AsRawFd as _, path::Path, time::Instant};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags, params};
use teiten::{
    export::rows::grouped,
    model::{Class, Dimension, Filter, Period, Region, Service, Zone},
    store::{
        Reader,
        query::{Answer, Bins, Daily, Query, QueryError, Rank},
    },
};
use teiten_tests::scratch::Scratch;

use crate::{
    Options, made,
    report::{Section, median},
};

/// Something that is asked in one or several queries.
struct Question {
    name: String,
    queries: Vec<Query>,
}

/// How long a question took.
struct Asked {
    seconds: f64,
    answers: Vec<Answer>,
}

pub fn run(options: &Options) -> Result<Section> {
    let (rows, rounds) = if options.quick { (500_000, 3) } else { (10_000_000, 9) };
    let scratch = Scratch::within(&directory()?);
    let path = scratch.path("teiten.db");

    let start = Instant::now();
    let made = made::make(&path, rows)?;
    let built = start.elapsed().as_secs_f64();
    let of_hours = bytes(&path)?;
    eprintln!("  {} hour rows in {built:.0} s", grouped(made.rows));

    let zone = Zone::named("UTC")?;
    let quarter = Period::parse("2019-Q4", &zone, 0)?;
    let before = quarter.previous(&zone);
    let questions = questions(&zone, &quarter, &before)?;
    let from_hours = questions.iter().map(|question| ask(&path, question)).collect::<Result<Vec<_>>>()?;
    let hour_scans = scans(&path, 0, [&quarter, &before], rounds)?;

    let start = Instant::now();
    let closed = made::close(&path)?;
    let closing = start.elapsed().as_secs_f64();
    let of_days = bytes(&path)? - of_hours;
    eprintln!("  {closed} days closed in {closing:.0} s");

    let mut section = Section {
        title: "Questions to a store",
        about: format!(
            "A store of {} hour rows over {} days, of two sensors and {} regions, with all ports by Zipf's law: {:.0} % \
             of the rows have up to 5 sources, {:.1} % a thousand or more. Each question opens the store anew, as \
             `teiten query` does. `from days`: as a store answers, medians of {rounds} rounds; `first`: the same when \
             the file is not in the kernel's cache, once; `from hours`: before the days were made, once. The answers \
             must be the same, or the benchmark fails. Rows are those of the cubes and spans that hold the answer.",
            grouped(made.rows),
            made::DAYS,
            made::REGIONS,
            made.few as f64 / made.rows as f64 * 100.0,
            made.many as f64 / made.rows as f64 * 100.0,
        ),
        head: vec!["question", "day rows", "from days", "first", "hour rows", "from hours", "hours / days"],
        ..Section::default()
    };
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    for (question, of_hours) in questions.iter().zip(&from_hours) {
        forget(&path)?;
        let first = ask(&path, question)?;
        let mut again = Vec::new();
        for _ in 0..rounds {
            again.push(ask(&path, question)?.seconds);
        }
        for (days, hours) in first.answers.iter().zip(&of_hours.answers) {
            ensure!(
                days.rows == hours.rows && days.summary.sources == hours.summary.sources,
                "{}: days and hours do not say the same",
                question.name
            );
        }
        let again = median(again);
        section.rows.push(vec![
            question.name.clone(),
            grouped(held(&connection, question, &first, 1)?),
            seconds(again),
            seconds(first.seconds),
            grouped(held(&connection, question, of_hours, 0)?),
            seconds(of_hours.seconds),
            format!("{:.1}", of_hours.seconds / again),
        ]);
    }
    let day_scans = scans(&path, 1, [&quarter, &before], rounds)?;
    section.rows.push(vec![
        "the same without sources, plain SQL".to_owned(),
        grouped(day_scans.rows),
        seconds(day_scans.again),
        seconds(day_scans.first),
        grouped(hour_scans.rows),
        seconds(hour_scans.again),
        format!("{:.1}", hour_scans.again / day_scans.again),
    ]);
    section.notes.push(series(&path, &quarter, &before, rounds)?);
    let day_rows = count(&connection, 1)?;
    section.notes.push(format!(
        "The file has {} MB: {:.0} bytes an hour row; {} day rows of {:.0} bytes each. Made in {built:.0} s (one \
         transaction a day, not durable); the store closed {closed} days in {closing:.1} s, {:.2} s each.",
        grouped((of_hours + of_days) >> 20),
        of_hours as f64 / made.rows as f64,
        grouped(day_rows),
        of_days as f64 / day_rows as f64,
        closing / closed as f64,
    ));
    Ok(section)
}

/// A directory on the disk: where this program was built.
pub fn directory() -> Result<std::path::PathBuf> {
    let program = env::current_exe()?;
    Ok(program.parent().context("this program is in no directory")?.to_owned())
}

fn questions(zone: &Zone, quarter: &Period, before: &Period) -> Result<Vec<Question>> {
    let scans = Query { class: Some(Class::Scan), ..Query::default() };
    let ports = |period: &Period, top| Query {
        from: period.start,
        to: period.end,
        by: vec![Dimension::Protocol, Dimension::DstPort],
        top,
        ..scans.clone()
    };
    let packets_only = |query| Query { packets_only: true, ..query };
    let by_sources = |query| Query { rank: Rank::Sources, ..query };
    let day = (quarter.start - made::START) / 86_400;
    let busy = made::port(1, day);
    let filter = || Filter::parse(&format!("dst_port = {busy} and protocol = tcp"));
    let week = Period::parse("2019-W50", zone, 0)?;
    Ok(vec![
        Question {
            name: "top 10 ports of a quarter, ranks of the one before".to_owned(),
            queries: vec![ports(quarter, Some(10)), packets_only(ports(before, None))],
        },
        Question {
            name: "the same without sources".to_owned(),
            queries: vec![packets_only(ports(quarter, Some(10))), packets_only(ports(before, None))],
        },
        Question {
            name: "the same ranked by sources".to_owned(),
            queries: vec![by_sources(ports(quarter, Some(10))), by_sources(ports(before, None))],
        },
        Question {
            name: "top 10 regions of a port in a week".to_owned(),
            queries: vec![Query {
                from: week.start,
                to: week.end,
                by: vec![Dimension::Region],
                filter: Some(filter()?),
                top: Some(10),
                ..scans.clone()
            }],
        },
        Question {
            name: "a port by day in a quarter".to_owned(),
            queries: vec![Query {
                from: quarter.start,
                to: quarter.end,
                by: vec![Dimension::Time],
                filter: Some(filter()?),
                ..scans.clone()
            }],
        },
    ])
}

fn ask(path: &Path, question: &Question) -> Result<Asked> {
    let start = Instant::now();
    let reader = Reader::open(path)?;
    let answers = question.queries.iter().map(|query| reader.query(query)).collect::<Result<Vec<_>, _>>()?;
    Ok(Asked { seconds: start.elapsed().as_secs_f64(), answers })
}

/// Rows of the cubes and spans that the answers are from.
fn held(connection: &Connection, question: &Question, asked: &Asked, level: u8) -> Result<u64> {
    let mut sum = 0;
    for (query, answer) in question.queries.iter().zip(&asked.answers) {
        for cube in &answer.summary.cubes {
            sum += rows_of(connection, cube, level, query.from, query.to)?;
        }
    }
    Ok(sum)
}

fn rows_of(connection: &Connection, cube: &str, level: u8, from: i64, to: i64) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM span s JOIN {cube} c ON c.span = s.id
         WHERE s.level = ? AND s.start >= ? AND s.start < ?"
    );
    Ok(connection.query_row(&sql, params![level, from, to], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Rows of all cubes of hours or days.
pub fn count(connection: &Connection, level: u8) -> Result<u64> {
    ["total", "port_region", "port_tool", "region_asn", "region_tool"]
        .iter()
        .map(|cube| rows_of(connection, cube, level, i64::MIN, i64::MAX))
        .sum()
}

/// What plain SQL takes to add up ports.
struct Scans {
    rows: u64,
    first: f64,
    again: f64,
}

fn scans(path: &Path, level: u8, periods: [&Period; 2], rounds: usize) -> Result<Scans> {
    let scan = || -> Result<f64> {
        let start = Instant::now();
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = connection.prepare(
            "SELECT kind, port, sum(c.packets) FROM span s JOIN port_tool c ON c.span = s.id
             WHERE s.level = ? AND s.start >= ? AND s.start < ? AND class = 0
             GROUP BY kind, port ORDER BY 3 DESC",
        )?;
        for period in periods {
            let mut rows = statement.query(params![level, period.start, period.end])?;
            while rows.next()?.is_some() {}
        }
        Ok(start.elapsed().as_secs_f64())
    };
    forget(path)?;
    let first = scan()?;
    let again = (0..rounds).map(|_| scan()).collect::<Result<Vec<_>>>()?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut rows = 0;
    for period in periods {
        rows += rows_of(&connection, "port_tool", level, period.start, period.end)?;
    }
    Ok(Scans { rows, first, again: median(again) })
}

/// What a report's series take.
fn series(path: &Path, quarter: &Period, before: &Period, rounds: usize) -> Result<String> {
    let reader = Reader::open(path)?;
    let taken = |ask: &dyn Fn() -> Result<usize, QueryError>| -> Result<(usize, String)> {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..rounds {
            let start = Instant::now();
            found = ask()?;
            times.push(start.elapsed().as_secs_f64());
        }
        Ok((found, seconds(median(times))))
    };
    let daily = Daily { from: before.start, to: quarter.end, ..Daily::default() };
    let (ports, of_ports) = taken(&|| reader.daily::<Service>(&daily).map(|counts| counts.iter().count()))?;
    let (regions, of_regions) =
        taken(&|| reader.daily::<Region>(&daily).map(|counts| counts.iter().count()))?;
    let from = quarter.start - 28 * 86_400;
    let bins = |hours| {
        let bins = Bins { from, to: quarter.end, hours, regions: None, sensors: None, least_observed: 0.8 };
        reader.sources_by_bin(&bins).map(|binned| binned.iter().map(|of| of.starts.len()).sum::<usize>())
    };
    let (_, of_hours) = taken(&|| bins(&[1]))?;
    let (all, of_all) = taken(&|| bins(&[1, 2, 3, 6, 12, 24]))?;
    Ok(format!(
        "Series of a report, from days: packets of {} services by day over two quarters {of_ports}, of {regions} \
         regions {of_regions}. From hours, over a quarter and 28 days: sources of all regions by the hour {of_hours}, in \
         {} bins of 1, 2, 3, 6, 12 and 24 hours {of_all}.",
        grouped(ports as u64),
        grouped(all as u64),
    ))
}

/// Bytes of a store's file that hold something.
pub fn bytes(path: &Path) -> Result<u64> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * pragma("page_size")?).unsigned_abs())
}

/// Puts a file out of the kernel's cache.
pub fn forget(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    // SAFETY: takes numbers only.
    let result = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    ensure!(result == 0, "posix_fadvise failed: {}", std::io::Error::from_raw_os_error(result));
    Ok(())
}

/// A time as tables have it.
pub fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
