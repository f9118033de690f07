//! Rankings: destination ports, source regions, and those of groups and sensors.

use std::collections::BTreeSet;

use super::{Writer, change_cell, count_cell, figures, real, say, table_or, text_cell, thousands, words};
use crate::{
    model::{Service, Value},
    report::{
        lang::rate,
        model::{Below, LEAST_RANKED, Part, PartRow, PreviousRank, RankBy, Ranked, Ranking},
        page::{Block, Cell, Column, Mark, Table},
    },
};

/// Groups whose rankings stand beside each other; more would not fit on a page.
const MOST_BESIDE: usize = 4;

impl Writer<'_> {
    pub(super) fn ports(&self) -> Vec<Block> {
        let (m, ranking) = (&self.messages, &self.report.ports);
        let shown = self.shown(ranking);
        let period = self.period(&self.report.period);
        let head = [words("port", say!(m, "column-port")), words("service", say!(m, "column-service"))];
        let name =
            |service: Service| [self.service_cell(service), self.text_or_dash(self.service_name(service))];
        let mut notes = vec![match self.report.rank_by {
            RankBy::Packets => {
                say!(m, "ranking-population", population = ranking.population, ranked = ranking.ranked)
            }
            RankBy::Sources => {
                say!(
                    m,
                    "ranking-population-sources",
                    population = ranking.population,
                    ranked = ranking.ranked
                )
            }
        }];
        notes.extend(self.notes(ranking));
        notes.push(say!(m, "ranking-ports-note"));
        let table = Table {
            id: "ports".into(),
            caption: say!(m, "caption-ports", top = shown.len(), period = period),
            columns: self.columns(head),
            rows: shown.iter().map(|row| self.row(row, name(row.subject))).collect(),
            notes,
            empty: String::new(),
        };
        vec![table_or(table, || say!(m, "ports-none")), Block::List(self.below(&ranking.below))]
    }

    pub(super) fn regions(&self) -> Vec<Block> {
        let (m, ranking) = (&self.messages, &self.report.regions);
        let shown = self.shown(ranking);
        let period = self.period(&self.report.period);
        let head = [words("region", say!(m, "column-region")), words("code", say!(m, "column-code"))];
        let mut notes = vec![match self.report.rank_by {
            RankBy::Packets => {
                say!(
                    m,
                    "ranking-regions-population",
                    population = ranking.population,
                    ranked = ranking.ranked
                )
            }
            RankBy::Sources => say!(
                m,
                "ranking-regions-population-sources",
                population = ranking.population,
                ranked = ranking.ranked,
            ),
        }];
        notes.extend(self.notes(ranking));
        let table = Table {
            id: "regions".into(),
            caption: say!(m, "caption-regions", top = shown.len(), period = period),
            columns: self.columns(head),
            rows: shown
                .iter()
                .map(|row| self.row(row, [self.region_cell(row.subject), text_cell(row.subject.as_str())]))
                .collect(),
            notes,
            empty: String::new(),
        };
        vec![table_or(table, || say!(m, "regions-none")), Block::List(self.below(&ranking.below))]
    }

    /// The rows of a ranking that are to be shown.
    pub(super) fn shown<'r, S>(&self, ranking: &'r Ranking<S>) -> &'r [Ranked<S>] {
        &ranking.rows[..ranking.rows.len().min(self.report.top)]
    }

    fn columns(&self, head: [Column; 2]) -> Vec<Column> {
        let m = &self.messages;
        let mut columns = vec![figures("rank", say!(m, "column-rank"))];
        columns.extend(head);
        columns.extend([
            figures("packets", say!(m, "column-packets")),
            figures("share", say!(m, "column-share")),
            figures("change_relative", say!(m, "column-change-percent")),
            figures("change", say!(m, "column-change")),
            figures("previous_rank", say!(m, "column-previous")),
            figures("sources", say!(m, "column-sources")),
            figures("rate", say!(m, "column-rate")),
        ]);
        columns
    }

    fn row<S>(&self, row: &Ranked<S>, head: [Cell; 2]) -> Vec<Cell> {
        let m = &self.messages;
        let rank =
            if row.close { say!(m, "rank-close", rank = row.rank) } else { thousands(row.rank.into()) };
        let mut cells = vec![Cell { value: Value::Number(row.rank.into()), ..text_cell(rank) }];
        cells.extend(head);
        cells.extend([
            count_cell(row.packets),
            self.share_cell(row.share),
            match row.change {
                Some(change) => match change.relative {
                    Some(relative) => Cell {
                        text: m.relative(relative),
                        value: real(relative),
                        ..change_cell(change.packets)
                    },
                    None => self.dash(),
                },
                None => self.dash(),
            },
            row.change.map_or_else(|| self.dash(), |change| change_cell(change.packets)),
            self.previous(row.previous, row.rank),
            self.count_or_dash(row.sources),
            row.rate.map_or_else(|| self.dash(), |rate| super::rate_cell(rate.mean)),
        ]);
        cells
    }

    fn previous(&self, previous: PreviousRank, now: u32) -> Cell {
        let m = &self.messages;
        match previous {
            PreviousRank::Rank(rank) => {
                let mark = match rank.cmp(&now) {
                    std::cmp::Ordering::Less => Mark::Fall,
                    std::cmp::Ordering::Equal => Mark::Plain,
                    std::cmp::Ordering::Greater => Mark::Rise,
                };
                Cell { mark, ..count_cell(rank.into()) }
            }
            PreviousRank::Outside(places) => {
                let text = say!(m, "previous-outside", places = places);
                Cell { value: Value::Text(format!("outside {places}")), mark: Mark::Rise, ..text_cell(text) }
            }
            PreviousRank::New => Cell {
                value: Value::Text("new".into()),
                mark: Mark::New,
                ..text_cell(say!(m, "previous-new"))
            },
            PreviousRank::Unknown => self.dash(),
        }
    }

    /// What has to be known about a ranking's columns.
    fn notes<S>(&self, ranking: &Ranking<S>) -> Vec<String> {
        let (m, shown) = (&self.messages, self.shown(ranking));
        let mut notes = vec![if self.has_previous() {
            say!(m, "ranking-changes", previous = self.period(&self.report.previous))
        } else {
            say!(m, "ranking-no-previous")
        }];
        if shown.iter().any(|row| row.close) {
            notes.push(say!(m, "ranking-close"));
        }
        let next = ranking.rows.get(shown.len());
        if next.zip(shown.last()).is_some_and(|(next, last)| next.rank == last.rank) {
            notes.push(say!(m, "ranking-tied"));
        }
        notes.extend(self.withheld(&ranking.withheld, shown.iter().map(|row| row.rank)));
        notes
    }

    /// How many rows were left out among those of a ranking that are shown.
    pub(super) fn withheld(
        &self,
        withheld: &[u32],
        shown: impl ExactSizeIterator<Item = u32>,
    ) -> Option<String> {
        // Where more rows could be shown, what follows the last one was left out, too.
        let is_full = shown.len() >= self.report.top;
        let last = shown.last().filter(|_| is_full);
        let count = withheld.iter().filter(|&&rank| last.is_none_or(|last| rank <= last)).count();
        let sources = self.report.parameters.period.least_sources;
        (count > 0).then(|| say!(self.messages, "ranking-withheld", count = count, sources = sources))
    }

    /// What has no place in a ranking.
    fn below(&self, below: &Below) -> Vec<String> {
        let m = &self.messages;
        let mut list = Vec::new();
        if below.unattributed > 0 {
            list.push(say!(m, "below-unattributed", packets = below.unattributed));
        }
        if below.unknown > 0 {
            list.push(say!(m, "below-unknown", packets = below.unknown));
        }
        if below.non_routable > 0 {
            list.push(say!(m, "below-non-routable", packets = below.non_routable));
        }
        if below.other > 0 {
            list.push(say!(m, "below-other", packets = below.other));
        }
        if list.is_empty() {
            list.push(say!(m, "ranking-below-none"));
        }
        list
    }

    /// Top ports of groups and sensors.
    pub(super) fn parts(&self) -> Vec<Block> {
        let (m, parts) = (&self.messages, &self.report.parts);
        if parts.is_empty() {
            return vec![Block::Paragraph(say!(m, "sensors-single"))];
        }
        let mut blocks = vec![Block::Paragraph(say!(m, "sensors-note"))];
        let groups: Vec<&Part> = parts.iter().filter(|part| part.is_group).collect();
        if (2..=MOST_BESIDE).contains(&groups.len()) && groups.iter().any(|group| !group.ports.is_empty()) {
            blocks.push(Block::Table(self.beside(&groups)));
        }
        let mut ids = BTreeSet::new();
        for part in parts {
            let table = self.part(part, &mut ids);
            blocks.push(table_or(table, || say!(m, "part-none", name = part.name.as_str())));
        }
        blocks
    }

    /// Rankings of groups, beside each other.
    fn beside(&self, groups: &[&Part]) -> Table {
        const IDS: [&str; MOST_BESIDE] = ["group_1", "group_2", "group_3", "group_4"];
        let m = &self.messages;
        let mut columns = vec![figures("rank", say!(m, "column-rank"))];
        columns.extend(IDS.into_iter().zip(groups).map(|(id, group)| words(id, group.name.clone())));
        let groups: Vec<Vec<Option<&PartRow>>> = groups.iter().map(|group| places(group)).collect();
        let longest = groups.iter().map(Vec::len).max().unwrap_or(0);
        let rows = (0..longest).map(|place| {
            let mut cells = vec![count_cell(place as u64 + 1)];
            cells.extend(groups.iter().map(|places| match places.get(place).copied().flatten() {
                Some(row) => {
                    let text =
                        say!(m, "surge-part", name = self.service(row.service), share = m.share(row.share));
                    Cell { value: Value::Text(row.service.to_string()), ..text_cell(text) }
                }
                None => self.dash(),
            }));
            cells
        });
        Table {
            id: "groups".into(),
            caption: say!(m, "sensors-groups"),
            columns,
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        }
    }

    fn part(&self, part: &Part, ids: &mut BTreeSet<String>) -> Table {
        let m = &self.messages;
        let name = part.name.as_str();
        let top = part.ports.len().max(LEAST_RANKED);
        let (kind, caption) = if part.is_group {
            let caption = say!(
                m,
                "caption-group",
                top = top,
                name = name,
                sensors = part.sensors,
                packets = part.packets,
            );
            ("group-ports", caption)
        } else {
            ("sensor-ports", say!(m, "caption-sensor", top = top, name = name, packets = part.packets))
        };
        let rows = part.ports.iter().map(|row| {
            vec![
                count_cell(row.rank.into()),
                self.service_cell(row.service),
                self.text_or_dash(self.service_name(row.service)),
                count_cell(row.packets),
                self.share_cell(row.share),
                self.count_or_dash(row.sources),
            ]
        });
        let part_rate = part.rate.map(|value| say!(m, "part-rate", rate = rate(value)));
        Table {
            id: file_name(kind, name, ids),
            caption,
            columns: vec![
                figures("rank", say!(m, "column-rank")),
                words("port", say!(m, "column-port")),
                words("service", say!(m, "column-service")),
                figures("packets", say!(m, "column-packets")),
                figures("share", say!(m, "column-share")),
                figures("sources", say!(m, "column-sources")),
            ],
            rows: rows.collect(),
            notes: part_rate.into_iter().chain(self.withheld(&part.withheld, std::iter::empty())).collect(),
            empty: String::new(),
        }
    }
}

/// The rows of a part by their places; `None` where one was left out.
fn places(part: &Part) -> Vec<Option<&PartRow>> {
    let mut places: Vec<(u32, Option<&PartRow>)> =
        part.ports.iter().map(|row| (row.rank, Some(row))).collect();
    places.extend(part.withheld.iter().map(|&rank| (rank, None)));
    places.sort_by_key(|&(rank, _)| rank);
    places.into_iter().map(|(_, row)| row).collect()
}

/// A file name for a table that is named after something, of letters and digits, different from all before.
fn file_name(kind: &str, name: &str, ids: &mut BTreeSet<String>) -> String {
    let name: String =
        name.chars().take(40).map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    let plain = format!("{kind}-{}", name.to_lowercase().trim_matches('-'));
    let mut id = plain.clone();
    let mut number = 2;
    while !ids.insert(id.clone()) {
        id = format!("{plain}-{number}");
        number += 1;
    }
    id
}
