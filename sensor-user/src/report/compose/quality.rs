//! How good the data are, by which databases and parameters.

use super::{Writer, count_cell, figures, level_cell, real_cell, say, table_or, text_cell, words};
use crate::{
    model::Value,
    report::{
        lang::decimals,
        model::Sensor,
        page::{Block, Cell, Mark, Table},
    },
};

impl Writer<'_> {
    pub(super) fn quality(&self) -> Vec<Block> {
        let (m, report, quality) = (&self.messages, self.report, &self.report.quality);
        let mut blocks = Vec::new();
        let lossless = quality.lost == 0 && quality.nic_dropped.unwrap_or(0) == 0;
        if quality.gaps.is_empty()
            && quality.days_out.is_empty()
            && report.period.observed >= 0.999_5
            && lossless
        {
            blocks.push(Block::Paragraph(say!(m, "quality-complete")));
        }
        blocks.push(Block::Paragraph(self.previous_period()));
        blocks.push(Block::Table(self.counts()));
        if !quality.days_out.is_empty() {
            let days: Vec<String> = quality.days_out.iter().map(|day| m.date(*day)).collect();
            blocks.push(Block::Paragraph(say!(m, "quality-days-out", days = m.list(&days))));
        }
        blocks.push(self.gaps());
        blocks.push(self.sensors());
        blocks.extend(self.database_blocks());
        blocks.push(self.corrections());
        blocks.push(Block::Table(self.parameters()));
        blocks
    }

    fn previous_period(&self) -> String {
        let (m, previous) = (&self.messages, &self.report.previous);
        let dates = m.dates(previous.first, previous.last);
        if previous.days_counted == 0 {
            return say!(m, "quality-no-previous", dates = dates);
        }
        say!(
            m,
            "quality-previous",
            dates = dates,
            observed = m.share(previous.observed),
            counted = previous.days_counted,
            days = previous.days,
        )
    }

    fn counts(&self) -> Table {
        let (m, quality) = (&self.messages, &self.report.quality);
        let row = |name: String, count| vec![Cell { mark: Mark::Head, ..text_cell(name) }, count];
        let rows = vec![
            row(say!(m, "quality-frames"), count_cell(quality.frames)),
            row(say!(m, "quality-packets"), count_cell(quality.packets)),
            row(say!(m, "quality-lost"), count_cell(quality.lost)),
            row(say!(m, "quality-malformed"), count_cell(quality.malformed)),
            row(say!(m, "quality-non-ip"), count_cell(quality.non_ip)),
            row(say!(m, "quality-unwatched"), count_cell(quality.unwatched)),
            row(say!(m, "quality-local"), count_cell(quality.local)),
            row(say!(m, "quality-partial"), count_cell(quality.partial)),
            row(say!(m, "quality-pending"), count_cell(quality.pending)),
            row(say!(m, "quality-nic-received"), self.count_or_dash(quality.nic_received)),
            row(say!(m, "quality-nic-dropped"), self.count_or_dash(quality.nic_dropped)),
            row(say!(m, "quality-restarts"), count_cell(quality.restarts)),
            row(say!(m, "quality-uncounted"), count_cell(quality.uncounted)),
            row(say!(m, "quality-mismatches"), count_cell(quality.mismatches)),
        ];
        Table {
            id: "quality".into(),
            caption: say!(m, "caption-quality"),
            columns: vec![
                words("figure", say!(m, "column-figure")),
                figures("count", say!(m, "column-count")),
            ],
            rows,
            notes: Vec::new(),
            empty: String::new(),
        }
    }

    fn gaps(&self) -> Block {
        let m = &self.messages;
        let time = |text: &str| Cell { value: Value::Text(text.to_owned()), ..text_cell(m.time(text)) };
        let rows = self.report.quality.gaps.iter();
        let table = Table {
            id: "gaps".into(),
            caption: say!(m, "caption-gaps"),
            columns: vec![
                words("from", say!(m, "column-from")),
                words("to", say!(m, "column-to")),
                figures("hours", say!(m, "column-hours")),
            ],
            rows: rows
                .map(|gap| vec![time(&gap.from), time(&gap.to), count_cell(gap.hours.into())])
                .collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        table_or(table, || say!(m, "quality-gaps-none"))
    }

    fn sensors(&self) -> Block {
        let m = &self.messages;
        let table = Table {
            id: "sensors".into(),
            caption: say!(m, "caption-sensors"),
            columns: vec![
                words("sensor", say!(m, "column-sensor")),
                words("role", say!(m, "column-role")),
                words("group", say!(m, "column-group")),
                figures("addresses", say!(m, "column-addresses")),
                words("first", say!(m, "column-first")),
                words("last", say!(m, "column-last")),
                words("filtered", say!(m, "column-filtered")),
                words("compared", say!(m, "column-compared")),
            ],
            rows: self.report.sensors.iter().map(|sensor| self.sensor(sensor)).collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        table_or(table, || say!(m, "quality-sensors-none"))
    }

    fn sensor(&self, sensor: &Sensor) -> Vec<Cell> {
        let m = &self.messages;
        let role = match sensor.role.as_str() {
            "dark" => say!(m, "role-dark"),
            "lit" => say!(m, "role-lit"),
            "honeypot" => say!(m, "role-honeypot"),
            other => other.to_owned(),
        };
        let filtered: Vec<String> = sensor.filtered.iter().map(|service| self.service(*service)).collect();
        let raw: Vec<String> = sensor.filtered.iter().map(ToString::to_string).collect();
        vec![
            Cell { mark: Mark::Head, ..text_cell(sensor.name.as_str()) },
            Cell { value: Value::Text(sensor.role.clone()), ..text_cell(role) },
            self.text_or_dash(sensor.group.clone()),
            self.count_or_dash(sensor.addresses),
            self.date_or_dash(sensor.first),
            self.date_or_dash(sensor.last),
            if filtered.is_empty() {
                self.dash()
            } else {
                Cell { value: Value::Text(raw.join(" ")), ..text_cell(m.list(&filtered)) }
            },
            Cell {
                value: Value::Bool(sensor.compared),
                ..text_cell(if sensor.compared { say!(m, "yes") } else { say!(m, "no") })
            },
        ]
    }

    fn database_blocks(&self) -> Vec<Block> {
        let (m, databases) = (&self.messages, &self.report.databases);
        let rows = databases.iter().map(|database| {
            let serves = match database.role.as_str() {
                "country" => say!(m, "database-country"),
                "asn" => say!(m, "database-asn"),
                other => other.to_owned(),
            };
            let built = database.built.as_ref().map_or_else(
                || self.dash(),
                |built| Cell { value: Value::Text(built.clone()), ..text_cell(self.built(built)) },
            );
            vec![
                Cell { mark: Mark::Head, ..text_cell(database.name.as_str()) },
                Cell { value: Value::Text(database.role.clone()), ..text_cell(serves) },
                built,
                self.date_cell(database.first),
                self.date_cell(database.last),
            ]
        });
        let table = Table {
            id: "databases".into(),
            caption: say!(m, "caption-databases"),
            columns: vec![
                words("database", say!(m, "column-database")),
                words("role", say!(m, "column-kind")),
                words("built", say!(m, "column-built")),
                words("first", say!(m, "column-first")),
                words("last", say!(m, "column-last")),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        let mut blocks = vec![table_or(table, || say!(m, "quality-databases-none"))];
        let mut country = databases.iter().filter(|database| database.role == "country");
        let first = country.next();
        if country.any(|other| {
            first.is_some_and(|first| (&first.name, &first.built) != (&other.name, &other.built))
        }) {
            blocks.push(Block::Note(say!(m, "quality-databases-changed")));
        }
        blocks
    }

    /// The constants that the report went by.
    fn parameters(&self) -> Table {
        let (m, parameters) = (&self.messages, &self.report.parameters);
        let (period, surge, silence, newcomer) =
            (&parameters.period, &parameters.surge, &parameters.silence, &parameters.newcomer);
        let row = |name: String, id: &str, cell: Cell| {
            vec![
                Cell { mark: Mark::Head, ..text_cell(name) },
                Cell { mark: Mark::Faint, ..text_cell(id) },
                cell,
            ]
        };
        let count = |count: usize| count_cell(count as u64);
        let number = |value: f64| real_cell(plain(value), value);
        let bins = silence.bins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let rows = vec![
            row(
                say!(m, "parameter-least-observed"),
                "period.least_observed",
                self.share_cell(period.least_observed),
            ),
            row(say!(m, "parameter-least-sources"), "period.least_sources", count_cell(period.least_sources)),
            row(say!(m, "parameter-surge-days"), "surge.days", count(surge.days)),
            row(say!(m, "parameter-surge-baseline"), "surge.baseline", count(surge.baseline)),
            row(say!(m, "parameter-surge-trimmed"), "surge.trimmed", count(surge.trimmed)),
            row(say!(m, "parameter-surge-z"), "surge.z", number(surge.z)),
            row(say!(m, "parameter-surge-ratio"), "surge.ratio", number(surge.ratio)),
            row(say!(m, "parameter-surge-day-ratio"), "surge.day_ratio", number(surge.day_ratio)),
            row(say!(m, "parameter-surge-excess"), "surge.excess", level_cell(surge.excess)),
            row(say!(m, "parameter-surge-new-level"), "surge.new_level", count(surge.new_level)),
            row(say!(m, "parameter-surge-history"), "surge.least_history", count(surge.least_history)),
            row(say!(m, "parameter-surge-top"), "surge.week_top", count(surge.week_top)),
            row(say!(m, "parameter-surge-increase"), "surge.increase", self.share_cell(surge.increase)),
            row(say!(m, "parameter-surge-narrow"), "surge.narrow", count_cell(surge.narrow.into())),
            row(say!(m, "parameter-silence-bins"), "silence.bins", text_cell(bins)),
            row(say!(m, "parameter-silence-usual"), "silence.usual", number(silence.usual)),
            row(say!(m, "parameter-silence-weeks"), "silence.weeks", count(silence.weeks)),
            row(say!(m, "parameter-silence-spread-days"), "silence.spread_days", count(silence.spread_days)),
            row(say!(m, "parameter-silence-spread"), "silence.spread", number(silence.spread)),
            row(say!(m, "parameter-silence-running"), "silence.running", count(silence.running)),
            row(say!(m, "parameter-silence-alert"), "silence.alert", number(silence.alert)),
            row(say!(m, "parameter-silence-clear"), "silence.clear", number(silence.clear)),
            row(say!(m, "parameter-silence-level"), "silence.level_days", count(silence.level_days)),
            row(say!(m, "parameter-blind-factor"), "silence.blind_factor", number(silence.blind_factor)),
            row(
                say!(m, "parameter-blind-minutes"),
                "silence.blind_minutes",
                count_cell(silence.blind_minutes.into()),
            ),
            row(say!(m, "parameter-newcomer-before"), "newcomer.before", count_cell(newcomer.before.into())),
            row(say!(m, "parameter-newcomer-now"), "newcomer.now", count_cell(newcomer.now.into())),
            row(say!(m, "parameter-newcomer-sources"), "newcomer.sources", count_cell(newcomer.sources)),
            row(say!(m, "parameter-newcomer-days"), "newcomer.days", count_cell(newcomer.days.into())),
            row(
                say!(m, "parameter-newcomer-sensors"),
                "newcomer.sensors",
                count_cell(newcomer.sensors.into()),
            ),
        ];
        Table {
            id: "parameters".into(),
            caption: say!(m, "caption-parameters"),
            columns: vec![
                words("parameter", say!(m, "column-parameter")),
                words("id", say!(m, "column-id")),
                figures("value", say!(m, "column-value")),
            ],
            rows,
            notes: Vec::new(),
            empty: String::new(),
        }
    }
}

/// With as many decimals as it has, up to four.
fn plain(value: f64) -> String {
    let text = decimals(value, 4);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
