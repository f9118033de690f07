//! A terminal's screen as a page.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// The sixteen colours that have names, dark ones first, as on a dark terminal.
const NAMED: [&str; 16] = [
    "#1c2128", "#f47067", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#adbac7", "#636e7b",
    "#ff938a", "#6bc46d", "#daaa3f", "#6cb6ff", "#dcbdfb", "#56d4dd", "#cdd9e5",
];
const FOREGROUND: &str = "#cdd9e5";
const BACKGROUND: &str = "#1c2128";

/// The page: the screen in a `pre`.
pub fn html(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let mut lines = String::new();
    for row in 0..rows {
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else {
                continue;
            };
            let text = if cell.has_contents() { cell.contents() } else { " " };
            let width = if cell.is_wide() { 2 } else { 1 };
            // Writing to a string does not fail.
            let _ = write!(lines, "<i style=\"width:{width}ch;{}\">{}</i>", style(cell), escaped(text));
        }
        lines.push('\n');
    }
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>teiten top</title><style>\
         body {{ margin: 0 }}\
         pre {{ display: inline-block; margin: 0; padding: 12px 14px; background: {BACKGROUND}; \
         font: 14px/1.25 \"DejaVu Sans Mono\", monospace }}\
         i {{ display: inline-block; font-style: normal; height: 1.25em; overflow: hidden; vertical-align: top }}\
         </style><pre>{lines}</pre>\n"
    )
}

fn style(cell: &Cell) -> String {
    let (mut text, mut ground) = (colour(cell.fgcolor(), FOREGROUND), colour(cell.bgcolor(), BACKGROUND));
    if cell.inverse() {
        std::mem::swap(&mut text, &mut ground);
    }
    let mut style = format!("color:{text};background:{ground}");
    if cell.bold() {
        style.push_str(";font-weight:bold");
    }
    if cell.dim() {
        style.push_str(";opacity:0.65");
    }
    if cell.underline() {
        style.push_str(";text-decoration:underline");
    }
    style
}

/// A colour as style sheets have it. Beyond the sixteen, terminals have a cube of 6 steps and 24 greys.
fn colour(colour: Color, usual: &str) -> String {
    match colour {
        Color::Default => usual.to_owned(),
        Color::Idx(index @ 0..16) => NAMED[usize::from(index)].to_owned(),
        Color::Idx(index @ 16..232) => {
            let step = |number: u8| if number == 0 { 0 } else { 55 + 40 * u16::from(number) };
            let place = index - 16;
            format!("rgb({} {} {})", step(place / 36), step(place / 6 % 6), step(place % 6))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * u16::from(index - 232);
            format!("rgb({grey} {grey} {grey})")
        }
        Color::Rgb(red, green, blue) => format!("rgb({red} {green} {blue})"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_cell_by_cell() {
        let mut parser = vt100::Parser::new(2, 8, 0);
        parser.process("\x1b[1;31ma<\x1b[0m\x1b[7m日\x1b[0m\r\n\x1b[38;5;196mx\x1b[38;2;1;2;3my".as_bytes());
        let html = html(parser.screen());
        let cells: Vec<_> = html.split("<i ").skip(1).collect();
        // One cell of two is wide.
        assert_eq!(cells.len(), 2 * 8 - 1);
        assert!(cells[0].contains("width:1ch") && cells[0].contains(NAMED[1]) && cells[0].contains("bold"));
        assert!(cells[1].contains("&lt;"));
        assert!(cells[2].contains("width:2ch") && cells[2].contains('日'));
        assert!(cells[2].contains(&format!("color:{BACKGROUND};background:{FOREGROUND}")));
        assert!(cells[7].contains("rgb(255 0 0)"), "{}", cells[7]);
        assert!(cells[8].contains("rgb(1 2 3)"));
        assert!(html.contains("</i>\n<i "), "rows are lines");
    }
}
