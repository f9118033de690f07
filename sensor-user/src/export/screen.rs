//! The live table: what came in during the interval and since the start, for a terminal or a pipe.

use std::{fmt::Write as _, ops::Range};

use comfy_table::CellAlignment;
use jiff::Timestamp;

use crate::{
    live::{Interval, Totals},
    model::{Class, Region},
    store::Trouble,
};

use super::records::{align, columns, grouped, share};

/// What stands above the counts.
#[derive(Clone, Debug)]
pub struct Header {
    /// Interfaces with their modes, such as `eth0 (generic)`.
    pub interfaces: Vec<String>,
    /// Sensors with their roles, such as `west (dark)`.
    pub sensors: Vec<String>,
    /// Where counts are kept, if they are.
    pub store: Option<Kept>,
    /// Where the dashboard is, if there is one.
    pub dashboard: Option<String>,
}

/// What a store has.
#[derive(Clone, Debug)]
pub struct Kept {
    pub path: String,
    /// When its first counts begin, or it was made, in seconds since 1970.
    pub since: i64,
    /// Frames in all its epochs.
    pub frames: u64,
    /// What keeps it from taking counts, and since when, in nanoseconds since 1970.
    pub trouble: Option<(Trouble, u64)>,
}

impl Kept {
    fn line(&self) -> String {
        match self.trouble {
            None => {
                let since = Timestamp::from_second(self.since).unwrap_or_default();
                format!("store {}: {} frames since {since}", self.path, grouped(self.frames))
            }
            Some((trouble, since_ns)) => {
                let since = Timestamp::from_nanosecond(since_ns.into()).unwrap_or_default();
                format!(
                    "STORE TAKES NOTHING since {since:.0} ({}); the kernel keeps the counts: {}",
                    trouble.name(),
                    self.path
                )
            }
        }
    }
}

/// The live table as text, a screen of `width` columns at most wide where that is possible, with
/// `top` ports and regions.
pub fn render(
    header: &Header,
    interval: &Interval,
    since_start: &Totals,
    top: usize,
    width: usize,
) -> String {
    let mut text = String::new();
    let seconds = interval.end_ns.saturating_sub(interval.start_ns) as f64 / 1e9;
    let now = &interval.totals;
    let end = Timestamp::from_nanosecond(interval.end_ns.into()).unwrap_or_default();
    // Writing to a String cannot fail.
    let interfaces = format!("teiten  {end:.0}  on {}", header.interfaces.join(", "));
    let sensors = format!("sensor {}", header.sensors.join(", "));
    let gap = if widest([&interfaces]) + 2 + widest([&sensors]) <= width { "  " } else { "\n" };
    let _ = writeln!(text, "{interfaces}{gap}{sensors}");
    if let Some(store) = &header.store {
        let _ = writeln!(text, "{}", store.line());
    }
    if let Some(dashboard) = &header.dashboard {
        let _ = writeln!(text, "dashboard {dashboard}");
    }
    text.push('\n');
    text.push_str(&outcomes(now, since_start, seconds, width));
    let _ = writeln!(text);
    if since_start.services.is_empty() {
        text.push_str("no scan packets yet\n");
    } else {
        let (services, regions) = (now.top_services(usize::MAX).0, now.top_regions(usize::MAX).0);
        let (first_services, first_regions) = (since_start.top_services(top), since_start.top_regions(top));
        let rankings = |columns| {
            let ports = ranking("PORT", &services, &first_services, top, columns);
            (ports, ranking("REGION", &regions, &first_regions, top, columns))
        };
        let (ports, regions) = rankings(Columns::All);
        let fitting = beside(&ports, &regions, width).or_else(|| {
            let (ports, regions) = rankings(Columns::SinceStart);
            beside(&ports, &regions, width)
        });
        text.push_str(&fitting.unwrap_or_else(|| below(&ports, &regions)));
    }
    let groups: Vec<String> = [Region::UNKNOWN, Region::NON_ROUTABLE, Region::UNATTRIBUTED]
        .into_iter()
        .filter_map(|region| {
            let packets = since_start.regions.get(&region)?;
            Some(format!("{region} {}", grouped(*packets)))
        })
        .collect();
    if !groups.is_empty() {
        let _ = writeln!(text, "\nnot ranked: {}", groups.join(", "));
    }
    text
}

/// Totals by outcome and class, losses, and the rate. Where the columns are too many for the width,
/// those behind the classes stand below.
fn outcomes(now: &Totals, since_start: &Totals, seconds: f64, width: usize) -> String {
    const CLASSES: usize = 4;
    let counts = |totals: &Totals| {
        [
            ("packets", totals.outcomes.packets),
            ("scan", totals.of_class(Class::Scan)),
            ("backscatter", totals.of_class(Class::Backscatter)),
            ("other", totals.of_class(Class::Other)),
            ("local", totals.outcomes.local),
            ("unwatched", totals.outcomes.unwatched),
            ("non-IP", totals.outcomes.non_ip),
            ("malformed", totals.outcomes.malformed),
            ("lost", totals.lost),
        ]
    };
    let (now_counts, all_counts) = (counts(now), counts(since_start));
    let table = |which: Range<usize>| {
        let mut table = columns();
        let row = |name: String, counts: &[(&str, u64)]| {
            std::iter::once(name).chain(counts.iter().map(|(_, count)| grouped(*count))).collect::<Vec<_>>()
        };
        let (now, all) = (&now_counts[which.clone()], &all_counts[which]);
        table.set_header(std::iter::once("").chain(now.iter().map(|(name, _)| *name)));
        table.add_row(row(format!("last {seconds:.1} s"), now));
        table.add_row(row("since start".to_owned(), all));
        align(&mut table, 0, CellAlignment::Left);
        for index in 1..=now.len() {
            align(&mut table, index, CellAlignment::Right);
        }
        table.trim_fmt()
    };
    let mut counts = table(0..now_counts.len());
    if widest(counts.lines()) > width {
        counts = format!("{}\n{}", table(0..CLASSES), table(CLASSES..now_counts.len()));
    }
    let rate = if seconds > 0.0 { now.outcomes.runs as f64 / seconds } else { 0.0 };
    let mut text = format!("{counts}\n{} frames/s", grouped(rate.round() as u64));
    for (name, count) in [("UNCOUNTED", since_start.uncounted), ("IDENTITIES BROKEN", since_start.mismatches)]
    {
        if count != 0 {
            let _ = write!(text, "  {name} {}", grouped(count));
        }
    }
    text.push('\n');
    text
}

/// What a ranking shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    All,
    /// All but the interval's packets.
    SinceStart,
}

/// A ranking by packets since the start, with the interval's beside it. Shares are of the packets
/// since the start that take part in the ranking.
fn ranking<K: ToString + PartialEq>(
    name: &str,
    now: &[(K, u64)],
    (since_start, all): &(Vec<(K, u64)>, u64),
    top: usize,
    shown: Columns,
) -> Vec<String> {
    let pick = |mut cells: Vec<String>| {
        if shown == Columns::SinceStart {
            cells.remove(2);
        }
        cells
    };
    let mut table = columns();
    table.set_header(pick(["", name, "interval", "since start", "share"].map(str::to_owned).to_vec()));
    for (rank, (key, packets)) in since_start.iter().enumerate() {
        let interval = now.iter().find(|(other, _)| other == key).map_or(0, |(_, packets)| *packets);
        table.add_row(pick(vec![
            (rank + 1).to_string(),
            key.to_string(),
            grouped(interval),
            grouped(*packets),
            share(*packets, *all),
        ]));
    }
    for index in 0..table.column_count() {
        align(&mut table, index, if index == 1 { CellAlignment::Left } else { CellAlignment::Right });
    }
    let mut lines: Vec<String> = table.trim_fmt().lines().map(str::to_owned).collect();
    lines.resize(top + 1, String::new());
    lines
}

/// The columns that lines of text take.
fn widest(lines: impl IntoIterator<Item: AsRef<str>>) -> usize {
    lines.into_iter().map(|line| line.as_ref().chars().count()).max().unwrap_or(0)
}

/// Two blocks of lines beside each other; `None` if they are too wide.
fn beside(left: &[String], right: &[String], width: usize) -> Option<String> {
    const GAP: usize = 4;
    let column = widest(left) + GAP;
    (column + widest(right) <= width).then(|| {
        let lines = left.iter().zip(right).map(|(left, right)| format!("{left:column$}{right}"));
        closed(lines)
    })
}

/// Two blocks of lines, one below the other.
fn below(upper: &[String], lower: &[String]) -> String {
    closed(upper.iter().chain([&String::new()]).chain(lower).cloned())
}

/// Lines without blanks behind them, and without empty ones at the end.
fn closed(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use crate::model::{Protocol, Service};

    use super::*;

    fn interval() -> Interval {
        let mut totals = Totals::default();
        totals.outcomes.runs = 1_500;
        totals.outcomes.packets = 1_234;
        totals.lost = 7;
        totals.services.insert(Service { protocol: Protocol::Tcp, number: 23 }, 1_000);
        totals.services.insert(Service { protocol: Protocol::Icmp, number: 8 }, 234);
        totals.regions.insert(Region::from_code("NL").unwrap(), 1_000);
        totals.regions.insert(Region::UNKNOWN, 234);
        Interval {
            start_ns: 1_570_147_200_000_000_000,
            end_ns: 1_570_147_202_000_000_000,
            totals,
            rows: Vec::new(),
            cut: 0,
            mismatches: Vec::new(),
        }
    }

    fn rendered(width: usize) -> String {
        let header = Header {
            interfaces: vec!["eth0 (native)".into()],
            sensors: vec!["west (dark)".into()],
            store: None,
            dashboard: None,
        };
        let interval = interval();
        render(&header, &interval, &interval.totals, 3, width)
    }

    #[test]
    fn all_that_must_be_seen_is_there() {
        let text = rendered(120);
        for part in
            ["2019-10-04T00:00:02Z", "eth0 (native)", "west (dark)", "750 frames/s", "1,234", "last 2.0 s"]
        {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(text.contains("not ranked: unknown 234"));
        let port = text.lines().find(|line| line.contains("23/tcp")).unwrap();
        assert!(port.contains("81.0 %") && port.contains("NL") && port.contains("100.0 %"), "{port}");
    }

    #[test]
    fn the_store_is_told_and_its_trouble_first() {
        let interval = interval();
        let with = |trouble| {
            let store = Kept { path: "t.db".to_owned(), since: 1_570_147_200, frames: 12_345, trouble };
            let header =
                Header { interfaces: Vec::new(), sensors: Vec::new(), store: Some(store), dashboard: None };
            render(&header, &interval, &interval.totals, 3, 80)
        };
        assert!(with(None).contains("store t.db: 12,345 frames since 2019-10-04T00:00:00Z\n"));
        let text = with(Some((Trouble::Full, 1_570_147_202_000_000_000)));
        assert!(text.contains("STORE TAKES NOTHING since 2019-10-04T00:00:02Z (full)"), "{text}");
    }

    #[test]
    fn what_is_too_wide_goes_below() {
        assert!(rendered(120).lines().any(|line| line.contains("PORT") && line.contains("REGION")));
        let narrow = rendered(60);
        assert!(!narrow.lines().any(|line| line.contains("PORT") && line.contains("REGION")), "{narrow}");
        assert!(narrow.contains("REGION"));
    }

    #[test]
    fn eighty_columns_suffice() {
        let header = Header {
            interfaces: vec!["teiten0 (native)".into()],
            sensors: vec!["west (dark)".into(), "east (dark)".into()],
            store: None,
            dashboard: Some("http://127.0.0.1:8642/".into()),
        };
        let mut interval = interval();
        interval.totals.outcomes.packets = 1_234_567_890;
        let text = render(&header, &interval, &interval.totals, 10, 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().any(|line| line.contains("PORT") && line.contains("REGION")), "{text}");
        assert!(text.contains("lost") && text.contains("1,234,567,890"), "{text}");
        assert!(!text.contains("interval"), "{text}");
        assert!(rendered(120).contains("interval"));
    }

    #[test]
    fn defects_are_shouted() {
        let header = Header { interfaces: Vec::new(), sensors: Vec::new(), store: None, dashboard: None };
        let mut interval = interval();
        assert!(!render(&header, &interval, &interval.totals, 3, 80).contains("UNCOUNTED"));
        interval.totals.uncounted = 1;
        interval.totals.mismatches = 2;
        let text = render(&header, &interval, &interval.totals, 3, 80);
        assert!(text.contains("UNCOUNTED 1") && text.contains("IDENTITIES BROKEN 2"));
    }
}
