//! Answers of a store as tables.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::records::{Column, Presence, Records, Shape, dimension, grouped, row_schema};
use crate::{
    model::{Dimension, Sensors, Value},
    store::query::{Answer, Database, Extracted, Measured, Previous, Quality, Summary, Table},
};

const MEASURES: [Column; 4] = [
    Column { name: "packets", shape: Shape::Count, description: "Packets counted", unit: "packets" },
    Column {
        name: "sources",
        shape: Shape::Count,
        description: "Estimate of how many different sources sent them (HyperLogLog, standard error 1.6 %), IPv4 and \
                      IPv6 added; null where no source is known",
        unit: "sources",
    },
    Column {
        name: "share",
        shape: Shape::Share,
        description: "Part of all packets that match or may match the question, before the number of rows was cut",
        unit: "1",
    },
    Column {
        name: "rate",
        shape: Shape::Real,
        description: "IPv4 packets per watched IPv4 address and day observed; null where the number of addresses is \
                      not known, or nothing was observed",
        unit: "packets per address and day",
    },
];

/// What a row was in the period before.
const BEFORE: [Column; 3] = [
    Column {
        name: "previous_packets",
        shape: Shape::Count,
        description: "Packets of the period before; null where nothing was observed, or the row may be among what a \
                      bound of the store cut",
        unit: "packets",
    },
    Column {
        name: "previous_sources",
        shape: Shape::Count,
        description: "Estimate of their sources; null where that is not known or was not asked for",
        unit: "sources",
    },
    Column {
        name: "previous_rank",
        shape: Shape::Count,
        description: "Place among all rows of the period before, whose equals share one; null where there was no such \
                      row",
        unit: "",
    },
];

fn time(second: i64) -> Value {
    Timestamp::from_second(second).map_or(Value::Null, Value::Time)
}

fn number(number: Option<u64>) -> Value {
    number.map_or(Value::Null, Value::Number)
}

/// The value of a dimension, where sensors have names.
fn named(row: &crate::model::Row, sensor: Option<&String>, asked: Dimension, none: &Sensors) -> Value {
    match asked {
        Dimension::Sensor => sensor.map_or(Value::Null, |name| Value::Text(name.clone())),
        asked => row.value(asked, none),
    }
}

/// No sensors: rows of a store bring their sensors' names.
fn no_sensors() -> Sensors {
    Sensors::everything("", crate::model::Role::Dark)
}

/// The rows of an answer: the dimensions in the order asked, then the measures.
pub struct Answered<'a> {
    answer: &'a Answer,
    sensors: Sensors,
}

impl<'a> Answered<'a> {
    pub fn new(answer: &'a Answer) -> Self {
        Self { answer, sensors: no_sensors() }
    }
}

impl Records for Answered<'_> {
    fn width(&self) -> usize {
        self.answer.by.len() + MEASURES.len()
    }

    fn len(&self) -> usize {
        self.answer.rows.len()
    }

    fn column(&self, index: usize) -> Column {
        match self.answer.by.get(index) {
            Some(&asked) => dimension(asked),
            None => MEASURES[(index - self.answer.by.len()).min(MEASURES.len() - 1)],
        }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let Some(measured) = self.answer.rows.get(row) else { return Value::Null };
        let Measured { row, sensor, packets, sources, share, rate } = measured;
        match self.answer.by.get(column) {
            Some(&asked) => named(row, sensor.as_ref(), asked, &self.sensors),
            None => match column - self.answer.by.len() {
                0 => Value::Number(*packets),
                1 => number(*sources),
                2 => Value::Real(*share),
                3 => rate.map_or(Value::Null, Value::Real),
                _ => Value::Null,
            },
        }
    }
}

/// The rows of an answer, each with what it was in the period before.
pub struct AnsweredBefore<'a> {
    answered: Answered<'a>,
    before: &'a [Previous],
}

impl<'a> AnsweredBefore<'a> {
    /// `before`: in the order of the rows.
    pub fn new(answer: &'a Answer, before: &'a [Previous]) -> Self {
        Self { answered: Answered::new(answer), before }
    }
}

impl Records for AnsweredBefore<'_> {
    fn width(&self) -> usize {
        self.answered.width() + BEFORE.len()
    }

    fn len(&self) -> usize {
        self.answered.len()
    }

    fn column(&self, index: usize) -> Column {
        match index.checked_sub(self.answered.width()) {
            None => self.answered.column(index),
            Some(index) => BEFORE[index.min(BEFORE.len() - 1)],
        }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let Some(index) = column.checked_sub(self.answered.width()) else {
            return self.answered.value(row, column);
        };
        let Some(before) = self.before.get(row) else { return Value::Null };
        match index {
            0 => number(before.packets),
            1 => number(before.sources),
            2 => number(before.rank),
            _ => Value::Null,
        }
    }
}

/// A row of an answer as JSON, for its schema.
pub struct AnswerRow;

impl JsonSchema for AnswerRow {
    fn schema_name() -> Cow<'static, str> {
        "Row".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let [packets, sources, share, rate] = MEASURES;
        let dimensions = Dimension::ALL.into_iter().filter(|&asked| asked != Dimension::Source);
        let asked = dimensions.map(dimension).chain(BEFORE).map(|column| (column, Presence::Asked));
        row_schema(asked.chain([
            (packets, Presence::Always),
            (sources, Presence::Nullable),
            (share, Presence::Always),
            (rate, Presence::Nullable),
        ]))
    }
}

/// A row of the quality of data as JSON, for its schema.
pub struct QualityRow;

impl JsonSchema for QualityRow {
    fn schema_name() -> Cow<'static, str> {
        "QualityRow".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        row_schema(QUALITY.map(|column| match column.name {
            "time" | "nic_received" | "nic_dropped" | "coverage" | "databases" => {
                (column, Presence::Nullable)
            }
            _ => (column, Presence::Always),
        }))
    }
}

impl Summary {
    /// The totals, and all that somebody who reads the rows has to know, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        let sources = self.sources.map(|sources| format!(" from about {} sources", grouped(sources)));
        all.push(format!("{} packets{}", grouped(self.packets), sources.unwrap_or_default()));
        let part = if self.seconds == 0 { 0.0 } else { self.observed_seconds / self.seconds as f64 };
        let mut period = format!("from {} to {} ({})", self.from, self.to, self.time_zone);
        if let (Some(first), Some(last)) = (&self.first, &self.last) {
            period += &format!(
                ", observed {:.1} % of it; data from {first} to {last}",
                // Two agents observe twice.
                part * 100.0
            );
        } else {
            period += ": no data";
        }
        all.push(period);
        let mut say = |packets: u64, what: &str| {
            if packets > 0 {
                all.push(format!("{} packets {what}", grouped(packets)));
            }
        };
        say(
            self.other,
            "match or may match and are in no row: a bound of the store cut what was asked of them, or it was \
             lost with their source",
        );
        say(self.unattributed, "of these match or may match without their source, which found no room");
        say(
            self.partial,
            "of all kinds are not counted: they are kept for stretches that reach beyond the period, or beyond \
             the step",
        );
        if self.pending_epochs > 0 {
            all.push(format!(
                "{} packets of all kinds in {} epochs are not counted yet: the agent has still to fold them",
                grouped(self.pending_packets),
                grouped(self.pending_epochs)
            ));
        }
        if self.cut {
            all.push(
                "some stretches held more rows than a bound of the store: the smallest were put together"
                    .to_owned(),
            );
        }
        if self.largest_only {
            all.push(
                "of prefixes only the largest of each port and day are kept: packets and shares are of those"
                    .to_owned(),
            );
        }
        if let Some(reason) = &self.sources_missing {
            all.push(format!("some sources cannot be told: {reason}"));
        }
        for Database { role, name, built } in &self.databases {
            let built = built.as_deref().map_or_else(
                || ", which does not say when it was built".to_owned(),
                |built| format!(", built {built}"),
            );
            all.push(format!("{role} database: {name}{built}"));
        }
        all
    }
}

const QUALITY: [Column; 17] = {
    const fn column(
        name: &'static str,
        shape: Shape,
        description: &'static str,
        unit: &'static str,
    ) -> Column {
        Column { name, shape, description, unit }
    }
    [
        column("time", Shape::Time, "Begin of the stretch", ""),
        column("seconds", Shape::Count, "Its length", "s"),
        column(
            "observed_seconds",
            Shape::Real,
            "Time in which packets could arrive, summed over all agents",
            "s",
        ),
        column("frames", Shape::Count, "Frames that reached the program", "frames"),
        column("packets", Shape::Count, "Frames counted under a key", "packets"),
        column("lost", Shape::Count, "Packets whose source was lost", "packets"),
        column("non_ip", Shape::Count, "Frames that are not IP", "frames"),
        column("malformed", Shape::Count, "Frames whose headers cannot be read", "frames"),
        column("unwatched", Shape::Count, "Frames to addresses that nobody watches", "frames"),
        column("local", Shape::Count, "Frames of the local network", "frames"),
        column("uncounted", Shape::Count, "Frames whose counters could not be found; must be 0", "frames"),
        column("mismatches", Shape::Count, "Accounting identities that did not hold; must be 0", ""),
        column("restarts", Shape::Count, "How often an agent started", ""),
        column(
            "nic_received",
            Shape::Count,
            "Frames received by the network cards' own counters; null where not known",
            "frames",
        ),
        column(
            "nic_dropped",
            Shape::Count,
            "Frames that the network cards missed for want of buffers, by their own counters; null where not known",
            "frames",
        ),
        column("coverage", Shape::Share, "observed_seconds by seconds", "1"),
        column("databases", Shape::Text, "Databases of regions and autonomous systems in use", ""),
    ]
};

/// The quality of data, a row for each stretch of time.
pub struct Qualities<'a>(pub &'a [Quality]);

impl Records for Qualities<'_> {
    fn width(&self) -> usize {
        QUALITY.len()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn column(&self, index: usize) -> Column {
        QUALITY[index]
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let Some(quality) = self.0.get(row) else { return Value::Null };
        let observed = quality.observed_ns as f64 / 1e9;
        Value::Number(match column {
            0 => return time(quality.start),
            1 => quality.seconds,
            2 => return Value::Real(observed),
            3 => quality.frames,
            4 => quality.packets,
            5 => quality.lost,
            6 => quality.non_ip,
            7 => quality.malformed,
            8 => quality.unwatched,
            9 => quality.local,
            10 => quality.uncounted,
            11 => quality.mismatches,
            12 => quality.restarts,
            13 => return number(quality.nic_received),
            14 => return number(quality.nic_dropped),
            15 if quality.seconds > 0 => return Value::Real(observed / quality.seconds as f64),
            16 if !quality.databases.is_empty() => {
                return Value::Text(
                    quality.databases.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                );
            }
            _ => return Value::Null,
        })
    }
}

/// What frames a row of a cube as it is kept.
const AROUND: [Column; 5] = [
    Column { name: "start", shape: Shape::Time, description: "Begin of the row's stretch of time", unit: "" },
    Column { name: "seconds", shape: Shape::Count, description: "Length of that stretch", unit: "s" },
    MEASURES[0],
    MEASURES[1],
    Column {
        name: "other",
        shape: Shape::Bool,
        description: "Whether the row holds what a bound of the store cut; what it cut is null",
        unit: "",
    },
];

const SKETCH: Column = Column {
    name: "sketch",
    shape: Shape::Bytes,
    description: "HyperLogLog sketch of the sources. Personal data: whoever has the key can test addresses against it",
    unit: "",
};

/// Rows of a cube as they are kept.
pub struct Extract {
    dimensions: Vec<Dimension>,
    sketches: bool,
    sensors: Sensors,
    rows: Vec<Extracted>,
}

impl Extract {
    /// No rows of a cube yet.
    pub fn new(table: Table, sketches: bool) -> Self {
        Self { dimensions: table.values(), sketches, sensors: no_sensors(), rows: Vec::new() }
    }

    /// The columns.
    pub fn columns(&self) -> Vec<Column> {
        (0..self.width()).map(|index| self.column(index)).collect()
    }

    /// Adds a row.
    pub fn push(&mut self, row: Extracted) {
        self.rows.push(row);
    }

    /// Whether there are so many rows.
    pub fn is_full(&self, rows: usize) -> bool {
        self.rows.len() >= rows
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.rows.clear();
    }
}

impl Records for Extract {
    fn width(&self) -> usize {
        self.dimensions.len() + AROUND.len() + usize::from(self.sketches)
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn column(&self, index: usize) -> Column {
        let after = index.checked_sub(2).and_then(|index| index.checked_sub(self.dimensions.len()));
        match after {
            None if index < 2 => AROUND[index],
            None => dimension(self.dimensions[index - 2]),
            Some(after) => AROUND.get(after + 2).copied().unwrap_or(SKETCH),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let Some(row) = self.rows.get(row) else { return Value::Null };
        if column < 2 {
            return if column == 0 { time(row.start) } else { Value::Number(row.seconds) };
        }
        if let Some(&asked) = self.dimensions.get(column - 2) {
            return named(&row.row, row.sensor.as_ref(), asked, &self.sensors);
        }
        match column - 2 - self.dimensions.len() {
            0 => Value::Number(row.packets),
            1 => number(row.sources),
            2 => Value::Bool(row.other),
            3 => row.sketch.clone().map_or(Value::Null, Value::Bytes),
            _ => Value::Null,
        }
    }
}
