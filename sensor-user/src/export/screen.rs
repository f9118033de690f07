//! The live table: what came in during the interval and since the start, for a terminal or a pipe.

use std::fmt::Write as _;

use comfy_table::CellAlignment;
use jiff::Timestamp;

use crate::{
    live::{Interval, Totals},
    model::{Class, Region},
};

use super::rows::{align, columns, grouped, share};

/// What stands above the counts.
#[derive(Clone, Debug)]
pub struct Header {
    /// Interfaces with their modes, such as `eth0 (generic)`.
    pub interfaces: Vec<String>,
    /// Sensors with their roles, such as `west (dark)`.
    pub sensors: Vec<String>,
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
    let _ = writeln!(
        text,
        "teiten  {end:.0}  on {}  sensor {}",
        header.interfaces.join(", "),
        header.sensors.join(", ")
    );
    let _ = writeln!(text);
    text.push_str(&outcomes(now, since_start, seconds));
    let _ = writeln!(text);
    let ports = ranking("PORT", &now.top_services(usize::MAX).0, &since_start.top_services(top), top);
    let regions = ranking("REGION", &now.top_regions(usize::MAX).0, &since_start.top_regions(top), top);
    if since_start.services.is_empty() {
        text.push_str("no scan packets yet\n");
    } else {
        text.push_str(&beside(&ports, &regions, width));
    }
    let below: Vec<String> = [Region::UNKNOWN, Region::NON_ROUTABLE, Region::UNATTRIBUTED]
        .into_iter()
        .filter_map(|region| {
            let packets = since_start.regions.get(&region)?;
            Some(format!("{region} {}", grouped(*packets)))
        })
        .collect();
    if !below.is_empty() {
        let _ = writeln!(text, "\nnot ranked: {}", below.join(", "));
    }
    text
}

/// Totals by outcome and class, losses, and the rate.
fn outcomes(now: &Totals, since_start: &Totals, seconds: f64) -> String {
    let mut table = columns();
    let head =
        ["", "packets", "scan", "backscatter", "other", "local", "unwatched", "non-IP", "malformed", "lost"];
    table.set_header(head);
    let row = |name: &str, totals: &Totals| {
        let counts = [
            totals.outcomes.packets,
            totals.of_class(Class::Scan),
            totals.of_class(Class::Backscatter),
            totals.of_class(Class::Other),
            totals.outcomes.local,
            totals.outcomes.unwatched,
            totals.outcomes.non_ip,
            totals.outcomes.malformed,
            totals.lost,
        ];
        std::iter::once(name.to_owned()).chain(counts.map(grouped)).collect::<Vec<String>>()
    };
    table.add_row(row(&format!("last {seconds:.1} s"), now));
    table.add_row(row("since start", since_start));
    for index in 1..head.len() {
        align(&mut table, index, CellAlignment::Right);
    }
    align(&mut table, 0, CellAlignment::Left);
    let rate = if seconds > 0.0 { now.outcomes.runs as f64 / seconds } else { 0.0 };
    let mut text = format!("{}\n{} frames/s", table.trim_fmt(), grouped(rate.round() as u64));
    for (name, count) in [("UNCOUNTED", since_start.uncounted), ("IDENTITIES BROKEN", since_start.mismatches)]
    {
        if count != 0 {
            let _ = write!(text, "  {name} {}", grouped(count));
        }
    }
    text.push('\n');
    text
}

/// A ranking by packets since the start, with the interval's beside it. Shares are of the packets
/// since the start that take part in the ranking.
fn ranking<K: ToString + PartialEq>(
    name: &str,
    now: &[(K, u64)],
    (since_start, all): &(Vec<(K, u64)>, u64),
    top: usize,
) -> Vec<String> {
    let mut table = columns();
    table.set_header(["", name, "interval", "since start", "share"]);
    for (rank, (key, packets)) in since_start.iter().enumerate() {
        let interval = now.iter().find(|(other, _)| other == key).map_or(0, |(_, packets)| *packets);
        table.add_row([
            (rank + 1).to_string(),
            key.to_string(),
            grouped(interval),
            grouped(*packets),
            share(*packets, *all),
        ]);
    }
    for (index, alignment) in [
        CellAlignment::Right,
        CellAlignment::Left,
        CellAlignment::Right,
        CellAlignment::Right,
        CellAlignment::Right,
    ]
    .into_iter()
    .enumerate()
    {
        align(&mut table, index, alignment);
    }
    let mut lines: Vec<String> = table.trim_fmt().lines().map(str::to_owned).collect();
    lines.resize(top + 1, String::new());
    lines
}

/// Two blocks of lines beside each other, or below each other where that is too wide.
fn beside(left: &[String], right: &[String], width: usize) -> String {
    const GAP: usize = 4;
    let widest = |lines: &[String]| lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let column = widest(left) + GAP;
    let mut text = String::new();
    if column + widest(right) <= width {
        for (left, right) in left.iter().zip(right) {
            let line = format!("{left:column$}{right}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    } else {
        for line in left.iter().chain([&String::new()]).chain(right) {
            let _ = writeln!(text, "{line}");
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use crate::{live::Service, model::Protocol};

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
        let header = Header { interfaces: vec!["eth0 (native)".into()], sensors: vec!["west (dark)".into()] };
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
    fn what_is_too_wide_goes_below() {
        assert!(rendered(120).lines().any(|line| line.contains("PORT") && line.contains("REGION")));
        let narrow = rendered(60);
        assert!(!narrow.lines().any(|line| line.contains("PORT") && line.contains("REGION")), "{narrow}");
        assert!(narrow.contains("REGION"));
    }

    #[test]
    fn defects_are_shouted() {
        let header = Header { interfaces: Vec::new(), sensors: Vec::new() };
        let mut interval = interval();
        assert!(!render(&header, &interval, &interval.totals, 3, 80).contains("UNCOUNTED"));
        interval.totals.uncounted = 1;
        interval.totals.mismatches = 2;
        let text = render(&header, &interval, &interval.totals, 3, 80);
        assert!(text.contains("UNCOUNTED 1") && text.contains("IDENTITIES BROKEN 2"));
    }
}
