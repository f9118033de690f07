//! Packets by dimensions, periods, and the quality of data.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Answer, no_answer,
    parameters::{
        self, MOST_GIVEN, PeriodParameters, QualityParameters, QueryParameters, RankAsked, RowsFormat,
        StepAsked,
    },
    unreadable,
};
use crate::{
    export::{
        answer::{AnswerRow, Answered, AnsweredBefore, Qualities, QualityRow},
        records::{self, Records},
    },
    model::{Dimension, Period, Zone},
    serve::problem::Problem,
    store::{
        Reader,
        query::{Query, Summary},
    },
};

/// Rows that are told apart, of which those are given that are wanted. Sources of all of them are in memory where they
/// rank.
const MOST_ROWS: usize = 1_000_000;
const MOST_ROWS_BY_SOURCES: usize = 65_536;

/// The answer to a question, as JSON.
#[derive(JsonSchema)]
pub struct QueryAnswer<'a> {
    /// What the answer is of, and what is missing from it.
    pub summary: QuerySummary<'a>,
    /// Dimensions as they were asked for, then the measures.
    pub rows: Vec<AnswerRow>,
}

/// What an answer is of.
#[derive(Serialize, JsonSchema)]
pub struct QuerySummary<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// The period, as it can be asked for again.
    period: String,
    /// The period before, where rows are compared with it.
    previous: Option<Before<'a>>,
}

/// The period before.
#[derive(Serialize, JsonSchema)]
pub struct Before<'a> {
    /// As it can be asked for.
    period: String,
    /// Begin, with the offset of the store's time zone.
    from: &'a str,
    /// End, which is not included.
    to: &'a str,
    /// Packets that match or may match.
    packets: u64,
    /// How many rows there are.
    rows: u64,
    /// Packets in no row.
    other: u64,
    /// Seconds, summed over all agents, in which packets could arrive.
    observed_seconds: f64,
}

/// Answers a question about packets.
pub(super) fn query(reader: &Reader, parameters: &QueryParameters, now: i64) -> Result<Answer, Problem> {
    let zone = reader.zone();
    let QueryParameters { period, from, to, .. } = parameters;
    let period = parameters::period(period.as_ref(), from.as_ref(), to.as_ref(), zone, now)?;
    let question = question(parameters, &period)?;
    let failed = |error: io::Error| unreadable(&error.into());
    let mut bytes = Vec::new();
    let mut write = |rows: &dyn Records, summary: &QuerySummary<'_>| match parameters.format {
        RowsFormat::Json => records::write_json(rows, &mut bytes, summary).map_err(failed),
        RowsFormat::Csv => records::write_csv(rows, &mut bytes).map_err(failed),
    };
    let text = period.text(zone);
    if parameters.compare {
        let previous = period.previous(zone);
        let (answer, before) = reader.compare(&question, previous.start, previous.end).map_err(no_answer)?;
        let of = &before.summary;
        let summary = QuerySummary {
            summary: &answer.summary,
            period: text.clone(),
            previous: Some(Before {
                period: previous.text(zone),
                from: &of.from,
                to: &of.to,
                packets: of.packets,
                rows: of.rows,
                other: of.other,
                observed_seconds: of.observed_seconds,
            }),
        };
        write(&AnsweredBefore::new(&answer, &before.rows), &summary)?;
    } else {
        let answer = reader.query(&question).map_err(no_answer)?;
        let summary = QuerySummary { summary: &answer.summary, period: text.clone(), previous: None };
        write(&Answered::new(&answer), &summary)?;
    }
    Ok(match parameters.format {
        RowsFormat::Json => Answer::json(bytes),
        RowsFormat::Csv => Answer::csv(&format!("teiten-{text}"), bytes),
    })
}

/// The question of a request, within its bounds.
fn question(parameters: &QueryParameters, period: &Period) -> Result<Query, Problem> {
    let by = parameters.by.0.clone();
    let by_time = by.contains(&Dimension::Time);
    if parameters.step.is_some() && !by_time {
        let said = "`step` is the length of the steps of dimension `time`; write by=time,… as well";
        return Err(parameters::bad("step", said));
    }
    if !parameters.sources && parameters.rank_by == RankAsked::Sources {
        return Err(parameters::bad("rank_by", "rows cannot be ranked by sources without sources"));
    }
    let most_given = if by_time {
        // As many of each step.
        (MOST_GIVEN / parameters::steps(period, parameters.step.unwrap_or(StepAsked::Day))?).max(1)
    } else {
        MOST_GIVEN
    };
    Ok(Query {
        from: period.start,
        to: period.end,
        by,
        filter: parameters.filter.clone().map(|condition| condition.0),
        class: parameters.class.class(),
        family: parameters.family.map(Into::into),
        top: Some(parameters.top.map_or(most_given, |top| top.get().min(most_given))),
        rank: parameters.rank_by.into(),
        step: parameters.step.map(Into::into),
        packets_only: !parameters.sources,
        most: Some(match parameters.rank_by {
            RankAsked::Packets => MOST_ROWS,
            RankAsked::Sources => MOST_ROWS_BY_SOURCES,
        }),
    })
}

/// A period, for who turns its pages.
#[derive(Serialize, JsonSchema)]
pub struct PeriodAnswer {
    #[serde(flatten)]
    asked: Stretch,
    /// The period of the same kind just before.
    previous: Stretch,
    /// The one just after; null where it is in the future.
    next: Option<Stretch>,
}

/// A stretch of time.
#[derive(Serialize, JsonSchema)]
struct Stretch {
    /// As it can be asked for again.
    period: String,
    /// Begin, with the offset of the store's time zone.
    from: String,
    /// End, which is not included.
    to: String,
    /// Its length.
    seconds: u64,
    /// Date of its first day.
    first_day: String,
    /// Date of its last day, which is included.
    last_day: String,
}

impl Stretch {
    fn new(period: &Period, zone: &Zone) -> Self {
        Self {
            period: period.text(zone),
            from: zone.rfc3339(period.start),
            to: zone.rfc3339(period.end),
            seconds: period.start.abs_diff(period.end),
            first_day: zone.date_of(period.start).to_string(),
            last_day: zone.date_of(period.end.saturating_sub(1)).to_string(),
        }
    }
}

/// Says what a period is.
pub(super) fn period(reader: &Reader, parameters: &PeriodParameters, now: i64) -> Result<Answer, Problem> {
    let zone = reader.zone();
    let PeriodParameters { period, from, to } = parameters;
    let period = parameters::period(period.as_ref(), from.as_ref(), to.as_ref(), zone, now)?;
    Answer::of(&PeriodAnswer {
        asked: Stretch::new(&period, zone),
        previous: Stretch::new(&period.previous(zone), zone),
        next: period.next(zone).filter(|next| next.start <= now).map(|next| Stretch::new(&next, zone)),
    })
}

/// How complete data are, as JSON.
#[derive(JsonSchema)]
pub struct QualityAnswer {
    /// What the rows are of.
    pub summary: QualitySummary,
    /// A row for each hour or day of which anything is kept, and for each epoch that is longer than its hour.
    pub rows: Vec<QualityRow>,
}

/// What the rows of the quality of data are of.
#[derive(Serialize, JsonSchema)]
pub struct QualitySummary {
    /// Begin, with the offset of the store's time zone.
    from: String,
    /// End, which is not included.
    to: String,
    /// IANA name of the store's time zone.
    time_zone: String,
    /// The period, as it can be asked for again.
    period: String,
}

/// Says how complete data are.
pub(super) fn quality(reader: &Reader, parameters: &QualityParameters, now: i64) -> Result<Answer, Problem> {
    let zone = reader.zone();
    let QualityParameters { period, from, to, step, format } = parameters;
    let period = parameters::period(period.as_ref(), from.as_ref(), to.as_ref(), zone, now)?;
    parameters::steps(&period, *step)?;
    let rows = reader.quality(period.start, period.end, (*step).into()).map_err(no_answer)?;
    let summary = QualitySummary {
        from: zone.rfc3339(period.start),
        to: zone.rfc3339(period.end),
        time_zone: zone.name().to_owned(),
        period: period.text(zone),
    };
    let failed = |error: io::Error| unreadable(&error.into());
    let mut bytes = Vec::new();
    Ok(match format {
        RowsFormat::Json => {
            records::write_json(&Qualities(&rows), &mut bytes, &summary).map_err(failed)?;
            Answer::json(bytes)
        }
        RowsFormat::Csv => {
            records::write_csv(&Qualities(&rows), &mut bytes).map_err(failed)?;
            Answer::csv(&format!("teiten-quality-{}", summary.period), bytes)
        }
    })
}
