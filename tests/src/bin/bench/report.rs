//! Tables.

use std::fmt::Write as _;

/// What a benchmark has to say: a title, what was done, a table, what follows from it.
#[derive(Default)]
pub struct Section {
    pub title: &'static str,
    /// What was measured, with all settings.
    pub about: String,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    /// Below the table.
    pub notes: Vec<String>,
}

impl Section {
    /// The section as text: Markdown, or with the same columns aligned.
    pub fn render(&self, markdown: bool) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}{}\n\n{}\n", if markdown { "### " } else { "" }, self.title, self.about);
        if markdown {
            let _ = writeln!(text, "| {} |", self.head.join(" | "));
            let rule = (0..self.head.len()).map(|column| if column == 0 { "---" } else { "---:" });
            let _ = writeln!(text, "| {} |", rule.collect::<Vec<_>>().join(" | "));
            for row in &self.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
        } else {
            let head = self.head.iter().map(|&cell| cell.to_owned()).collect();
            let rows: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
            let width = |column: usize| {
                rows.iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            };
            for row in &rows {
                for (column, cell) in row.iter().enumerate() {
                    let width = width(column);
                    let _ = if column == 0 {
                        write!(text, "{cell:<width$}")
                    } else {
                        write!(text, "  {cell:>width$}")
                    };
                }
                text.push('\n');
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }
}

/// The median; NaN of no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn both_renderings_hold_every_cell() {
        let section = Section {
            title: "t",
            about: "a".to_owned(),
            head: vec!["x", "y"],
            rows: vec![vec!["1".to_owned(), "22".to_owned()]],
            notes: vec!["n".to_owned()],
        };
        assert_eq!(section.render(true), "### t\n\na\n\n| x | y |\n| --- | ---: |\n| 1 | 22 |\n\nn\n");
        assert_eq!(section.render(false), "t\n\na\n\nx   y\n1  22\n\nn\n");
    }
}
