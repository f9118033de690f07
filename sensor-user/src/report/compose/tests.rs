//! Sentences of each kind in both languages, and that nothing is left out.

use super::*;
use crate::report::sample;

#[test]
fn dump() {
    let names = Names::new(None).unwrap();
    for report in [sample::sample(), sample::quiet()] {
        for lang in Lang::ALL {
            let page = page(&report, lang, &names);
            println!("=== {} / {}\n{:#?}\n{:#?}\n{:#?}", page.title, page.subtitle, page.alerts, page.cover, page.summary);
            for section in &page.sections {
                println!("## {} {}", section.id, section.heading);
                for block in &section.blocks {
                    match block {
                        Block::Table(table) => {
                            println!("[{}] {}", table.id, table.caption);
                            println!("{}", table.columns.iter().map(|c| c.heading.clone()).collect::<Vec<_>>().join(" | "));
                            for row in &table.rows {
                                println!("{}", row.iter().map(|c| c.text.clone()).collect::<Vec<_>>().join(" | "));
                            }
                            println!("{:#?}", table.notes);
                        }
                        Block::Chart(chart) => println!("CHART {} {} {} {:?} {:?} {}", chart.id, chart.title, chart.description, chart.ticks, chart.marks, chart.from),
                        Block::Finding(told) => println!("FINDING {} [{}] {}\n{}\n{:?}\n chart {}", told.id, told.label, told.heading, told.text, told.details, told.chart.is_some()),
                        other => println!("{other:#?}"),
                    }
                }
            }
            println!("{:#?}", page.footer);
        }
    }
}
