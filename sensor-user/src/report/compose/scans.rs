//! Tools, survey scanners, backscatter.

use super::{Writer, count_cell, figures, say, table_or, text_cell, words};
use crate::{
    model::{Region, Service},
    report::{
        lang::rate,
        model::{BackscatterRow, Tool, ToolChance, ToolsOf, WithoutRow},
        page::{Block, Cell, Column, Mark, Table},
    },
};

/// Tools with a column of their own.
const TOOLS: [(Tool, &str); 3] = [(Tool::Mirai, "mirai"), (Tool::Zmap, "zmap"), (Tool::Masscan, "masscan")];

impl Writer<'_> {
    pub(super) fn tools(&self) -> Vec<Block> {
        let (m, tools) = (&self.messages, &self.report.tools);
        if tools.packets == 0 {
            return vec![Block::Paragraph(say!(m, "tools-no-packets"))];
        }
        let mut sentences = vec![say!(m, "tools-intro", packets = tools.packets)];
        let known = tools.rows.iter().filter(|row| row.tool != Tool::None);
        sentences.extend(known.map(|row| {
            let (share, tool) = (m.share(row.share), self.tool(row.tool));
            match row.sources {
                Some(sources) => {
                    say!(m, "tools-share", share = share, tool = tool, sources = m.about(sources))
                }
                None => say!(m, "tools-share-no-sources", share = share, tool = tool),
            }
        }));
        if sentences.len() == 1 {
            sentences.push(say!(m, "tools-none"));
        }
        let mut blocks = vec![Block::Paragraph(self.sentences(&sentences))];
        let rows = tools.rows.iter().map(|row| {
            vec![
                Cell { mark: Mark::Head, ..text_cell(self.tool(row.tool)) },
                count_cell(row.packets),
                self.share_cell(row.share),
                self.count_or_dash(row.sources),
            ]
        });
        let table = Table {
            id: "tools".into(),
            caption: say!(m, "caption-tools"),
            columns: vec![
                words("tool", say!(m, "column-tool")),
                figures("packets", say!(m, "column-packets")),
                figures("share", say!(m, "column-share")),
                figures("sources", say!(m, "column-sources")),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        blocks.extend(filled(table));
        let service =
            |service: Service| [self.service_cell(service), self.text_or_dash(self.service_name(service))];
        let columns =
            vec![words("port", say!(m, "column-port")), words("service", say!(m, "column-service"))];
        let caption = say!(m, "caption-tools-ports");
        blocks.extend(filled(self.tools_of("tools-ports", caption, columns, &tools.by_port, service)));
        let region = |region: Region| [self.region_cell(region), text_cell(region.as_str())];
        let columns = vec![words("region", say!(m, "column-region")), words("code", say!(m, "column-code"))];
        let caption = say!(m, "caption-tools-regions");
        blocks.extend(filled(self.tools_of("tools-regions", caption, columns, &tools.by_region, region)));
        blocks.extend(self.chance());
        blocks
    }

    fn chance(&self) -> Option<Block> {
        let (m, tools) = (&self.messages, &self.report.tools);
        let of = |chance: &ToolChance| {
            let one_in = (chance.share > 0.0).then(|| (1.0 / chance.share).round())?;
            Some(say!(m, "tools-chance-of", tool = self.tool(chance.tool), one_in = one_in))
        };
        let list: Vec<String> = tools.chance.iter().filter_map(of).collect();
        if list.is_empty() {
            return None;
        }
        let mut note = vec![say!(m, "tools-chance", list = m.list(&list))];
        if tools.suppressed > 0 {
            note.push(say!(m, "tools-suppressed", count = tools.suppressed));
        }
        Some(Block::Note(self.sentences(&note)))
    }

    fn tools_of<S: Copy>(
        &self,
        id: &str,
        caption: String,
        mut columns: Vec<Column>,
        of: &[ToolsOf<S>],
        name: impl Fn(S) -> [Cell; 2],
    ) -> Table {
        let m = &self.messages;
        columns.push(figures("packets", say!(m, "column-packets")));
        columns.extend(TOOLS.map(|(tool, id)| figures(id, self.tool(tool))));
        let rows = of.iter().map(|of| {
            let mut cells = Vec::from(name(of.subject));
            cells.push(count_cell(of.packets));
            cells.extend(TOOLS.map(|(tool, _)| {
                let share = of.shares.iter().find(|share| share.tool == tool);
                share.map_or_else(|| self.dash(), |share| self.share_cell(share.share))
            }));
            cells
        });
        Table {
            id: id.to_owned(),
            caption,
            columns,
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        }
    }

    pub(super) fn surveys(&self) -> Vec<Block> {
        let (m, surveys, period) = (&self.messages, &self.report.surveys, &self.report.period);
        let ports = surveys.ports_a_day;
        if surveys.days == 0 && surveys.declared.is_empty() {
            return vec![Block::Paragraph(say!(m, "surveys-unknown"))];
        }
        let mut sentences = vec![if surveys.days == 0 {
            say!(m, "surveys-unknown")
        } else if surveys.prefixes == 0 {
            say!(m, "surveys-none", ports = ports)
        } else {
            say!(
                m,
                "surveys-intro",
                prefixes = surveys.prefixes,
                ports = ports,
                packets = surveys.packets,
                share = m.share(surveys.share),
            )
        }];
        if (1..period.days).contains(&surveys.days) {
            sentences.push(say!(m, "surveys-days", days = surveys.days, all = period.days));
        }
        sentences.push(match surveys.slowest {
            Some(slowest) => say!(m, "surveys-slowest", ports = ports, rate = rate(slowest)),
            None => say!(m, "surveys-slowest-unknown"),
        });
        let mut blocks = vec![Block::Paragraph(self.sentences(&sentences))];
        blocks.push(self.declared());
        let rows = surveys.rows.iter().map(|row| {
            vec![
                Cell { mark: Mark::Head, ..text_cell(row.prefix.as_str()) },
                count_cell(row.days.into()),
                count_cell(row.ports),
                count_cell(row.packets),
            ]
        });
        let prefixes = Table {
            id: "survey-prefixes".into(),
            caption: say!(m, "caption-surveys"),
            columns: vec![
                words("prefix", say!(m, "column-prefix")),
                figures("days", say!(m, "column-days")),
                figures("ports", say!(m, "column-ports")),
                figures("packets", say!(m, "column-packets")),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        blocks.extend(filled(prefixes));
        if surveys.ports_without.is_none() && surveys.regions_without.is_none() {
            blocks.push(Block::Paragraph(say!(m, "surveys-without-unknown")));
        }
        if let Some(rows) = &surveys.ports_without {
            let (column, caption) = (words("port", say!(m, "column-port")), say!(m, "caption-ports-without"));
            let mut table = self.without("ports-without-surveys", caption, column, rows, |service| {
                self.service_cell(service)
            });
            let shown = rows.iter().take(self.report.top).map(|row| row.rank);
            table.notes.extend(self.withheld(&surveys.withheld, shown));
            blocks.extend(filled(table));
        }
        if let Some(rows) = &surveys.regions_without {
            let (column, caption) =
                (words("region", say!(m, "column-region")), say!(m, "caption-regions-without"));
            let table = self
                .without("regions-without-surveys", caption, column, rows, |region| self.region_cell(region));
            blocks.extend(filled(table));
        }
        blocks
    }

    fn declared(&self) -> Block {
        let m = &self.messages;
        let rows = self.report.surveys.declared.iter().map(|row| {
            vec![
                Cell { mark: Mark::Head, ..text_cell(row.organisation.as_str()) },
                count_cell(row.prefixes.into()),
                count_cell(row.packets),
                self.text_or_dash(row.url.clone()),
            ]
        });
        let table = Table {
            id: "declared-scanners".into(),
            caption: say!(m, "caption-declared"),
            columns: vec![
                words("organisation", say!(m, "column-organisation")),
                figures("prefixes", say!(m, "column-prefixes")),
                figures("packets", say!(m, "column-packets")),
                words("url", say!(m, "column-url")),
            ],
            rows: rows.collect(),
            notes: vec![say!(m, "surveys-declared-note")],
            empty: String::new(),
        };
        table_or(table, || say!(m, "surveys-declared-none"))
    }

    fn without<S: Copy>(
        &self,
        id: &str,
        caption: String,
        subject: Column,
        rows: &[WithoutRow<S>],
        name: impl Fn(S) -> Cell,
    ) -> Table {
        let m = &self.messages;
        let rows = rows.iter().take(self.report.top).map(|row| {
            vec![
                count_cell(row.rank.into()),
                name(row.subject),
                count_cell(row.packets),
                count_cell(row.rank_with.into()),
            ]
        });
        Table {
            id: id.to_owned(),
            caption,
            columns: vec![
                figures("rank", say!(m, "column-rank-without")),
                subject,
                figures("packets", say!(m, "column-packets")),
                figures("rank_with", say!(m, "column-rank-with")),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        }
    }

    pub(super) fn backscatter(&self) -> Vec<Block> {
        let (m, backscatter, period) = (&self.messages, &self.report.backscatter, &self.report.period);
        if !backscatter.on {
            return vec![Block::Paragraph(say!(m, "backscatter-off"))];
        }
        let mut sentences = vec![match (backscatter.packets, backscatter.sources) {
            (0, _) => say!(m, "backscatter-none"),
            (packets, Some(sources)) => {
                say!(m, "backscatter-intro", packets = packets, sources = m.about(sources))
            }
            (packets, None) => say!(m, "backscatter-intro-no-sources", packets = packets),
        }];
        let (victims, days) = (backscatter.victims, backscatter.victim_days);
        sentences.push(match (backscatter.days, victims, backscatter.attacks) {
            (0, _, _) => say!(m, "backscatter-victims-unknown"),
            (_, 0, _) => say!(m, "backscatter-no-victims"),
            (_, _, true) => {
                say!(m, "backscatter-victims", victims = victims, days = days, moore = backscatter.moore)
            }
            (_, _, false) => say!(m, "backscatter-sources", victims = victims, days = days),
        });
        if (1..period.days).contains(&backscatter.days) {
            sentences.push(say!(m, "backscatter-days", days = backscatter.days, all = period.days));
        }
        if let Some(detectable) = backscatter.detectable {
            sentences.push(say!(m, "backscatter-detectable", rate = rate(detectable)));
        }
        let mut blocks = vec![Block::Paragraph(self.sentences(&sentences))];
        let caption = say!(m, "caption-backscatter-services");
        let column = words("service", say!(m, "column-attacked"));
        let table =
            self.attacked("backscatter-services", caption, column, &backscatter.services, |service| {
                self.service_cell(service)
            });
        blocks.extend(filled(table));
        let caption = say!(m, "caption-backscatter-regions");
        let column = words("region", say!(m, "column-attacked-region"));
        let table = self.attacked("backscatter-regions", caption, column, &backscatter.regions, |region| {
            self.region_cell(region)
        });
        blocks.extend(filled(table));
        blocks.extend(filled(self.victims()));
        if backscatter.mismatches > 0 {
            blocks.push(Block::Note(say!(m, "backscatter-mismatches", packets = backscatter.mismatches)));
        }
        blocks
    }

    fn attacked<S: Copy>(
        &self,
        id: &str,
        caption: String,
        subject: Column,
        rows: &[BackscatterRow<S>],
        name: impl Fn(S) -> Cell,
    ) -> Table {
        let m = &self.messages;
        let rows = rows
            .iter()
            .map(|row| vec![name(row.subject), count_cell(row.packets), self.count_or_dash(row.sources)]);
        Table {
            id: id.to_owned(),
            caption,
            columns: vec![
                subject,
                figures("packets", say!(m, "column-packets")),
                figures("sources", say!(m, "column-sources")),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
            empty: String::new(),
        }
    }

    fn victims(&self) -> Table {
        let (m, backscatter) = (&self.messages, &self.report.backscatter);
        let (caption, victims) = if backscatter.attacks {
            (say!(m, "caption-victim-services"), say!(m, "column-victims"))
        } else {
            (say!(m, "caption-sources-services"), say!(m, "column-burst-sources"))
        };
        let rows = backscatter.victim_services.iter();
        Table {
            id: "victim-services".into(),
            caption,
            columns: vec![words("service", say!(m, "column-attacked")), figures("victims", victims)],
            rows: rows
                .map(|(service, count)| vec![self.service_cell(*service), count_cell(*count)])
                .collect(),
            notes: Vec::new(),
            empty: String::new(),
        }
    }
}

/// A table that has rows. What its absence means is said in the section's sentences.
fn filled(table: Table) -> Option<Block> {
    (!table.rows.is_empty()).then_some(Block::Table(table))
}
