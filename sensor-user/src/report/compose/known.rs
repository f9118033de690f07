//! What others have said: advisories; and what this report's predecessors said that is otherwise now.

use super::{Writer, count_cell, figures, say, table_or, text_cell, words};
use crate::report::{
    model::{AdvisoryMatch, AdvisoryService, Correction},
    page::{Block, Cell, Mark, Table},
};

impl Writer<'_> {
    pub(super) fn advisories(&self) -> Vec<Block> {
        let (m, advisories) = (&self.messages, &self.report.advisories);
        if advisories.is_empty() {
            return vec![Block::Paragraph(say!(m, "advisories-none"))];
        }
        let rows = advisories.iter().map(|advisory| self.advisory(advisory));
        let table = Table {
            id: "advisories".into(),
            caption: say!(m, "caption-advisories"),
            columns: vec![
                words("date", say!(m, "column-date")),
                words("title", say!(m, "column-title")),
                words("id", say!(m, "column-id")),
                words("seen", say!(m, "column-seen")),
                words("note", say!(m, "column-note")),
                words("url", say!(m, "column-url")),
            ],
            rows: rows.collect(),
            notes: vec![say!(m, "advisories-caveat")],
            empty: String::new(),
        };
        let intro = say!(m, "advisories-intro", count = advisories.len());
        vec![Block::Paragraph(intro), Block::Table(table)]
    }

    fn advisory(&self, advisory: &AdvisoryMatch) -> Vec<Cell> {
        let seen: Vec<String> =
            advisory.services.iter().flat_map(|service| self.advisory_seen(service)).collect();
        vec![
            self.date_cell(advisory.date),
            Cell { mark: Mark::Head, ..text_cell(advisory.title.as_str()) },
            self.text_or_dash(advisory.id.clone()),
            text_cell(self.messages.list(&seen)),
            self.text_or_dash(advisory.note.clone()),
            self.text_or_dash(advisory.url.clone()),
        ]
    }

    /// Rank and findings of an advisory's service.
    fn advisory_seen(&self, known: &AdvisoryService) -> Vec<String> {
        let m = &self.messages;
        let service = self.service(known.service);
        let rank = known
            .rank
            .map(|rank| say!(m, "advisory-ranked", service = service.as_str(), rank = self.rank(rank)));
        let findings = self.report.findings.iter().filter(|finding| known.findings.contains(&finding.id));
        let mut seen: Vec<String> = rank.into_iter().collect();
        seen.extend(findings.map(|finding| say!(m, "advisory-found", heading = self.heading(finding))));
        if seen.is_empty() {
            seen.push(say!(m, "advisory-only", service = service));
        }
        seen
    }

    pub(super) fn corrections(&self) -> Block {
        let m = &self.messages;
        let table = Table {
            id: "corrections".into(),
            caption: say!(m, "caption-corrections"),
            columns: vec![
                words("period", say!(m, "column-period")),
                words("subject", say!(m, "column-subject")),
                figures("frozen_rank", say!(m, "column-frozen-rank")),
                figures("rank", say!(m, "column-new-rank")),
                figures("frozen_packets", say!(m, "column-frozen-packets")),
                figures("packets", say!(m, "column-new-packets")),
            ],
            rows: self.report.corrections.iter().map(|correction| self.correction(correction)).collect(),
            notes: Vec::new(),
            empty: String::new(),
        };
        table_or(table, || say!(m, "corrections-none"))
    }

    fn correction(&self, correction: &Correction) -> Vec<Cell> {
        vec![
            text_cell(correction.period.as_str()),
            Cell { mark: Mark::Head, ..text_cell(self.subject(correction.subject)) },
            self.count_or_dash(correction.frozen_rank.map(u64::from)),
            self.count_or_dash(correction.rank.map(u64::from)),
            self.count_or_dash(correction.frozen_packets),
            count_cell(correction.packets),
        ]
    }
}
