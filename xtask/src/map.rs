//! `map`: the pages' map of the world, made anew from its packages.
//!
//! The file is part of the source, as a build needs no network; this is how it was made, and how a newer version gets
//! in. It is projected beforehand: a page has only to draw its paths.

mod projection;
mod ring;
#[cfg(test)]
mod tests;
mod topology;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    cmd,
    map::{
        projection::{HEIGHT, Point, WIDTH, project},
        ring::{area, frame, pieces, simplified},
        topology::{Degrees, Shape, Topology},
    },
    paths::{Paths, Scratch},
    pins,
    setup::data::{self, put, read_json},
};

const FILE: &str = "sensor-user/web/world.json";

/// Rings below this area are left out, in square pixels: islets.
const ISLET: f64 = 0.2;
/// A region whose largest ring is below this area is drawn as a dot, in square pixels.
const SMALL: f64 = 2.5;
/// The dot's corners, in tenths of a pixel from its middle.
const DOT: [(i64, i64); 8] = [(13, -5), (13, 5), (5, 13), (-5, 13), (-13, 5), (-13, -5), (-5, -13), (5, -13)];

const DOT_RADIUS: f64 = 1.4;

/// Regions that Natural Earth has without a numeric code, by its names: ISO has none for them, but databases have.
const UNNUMBERED: [(&str, &str); 1] = [("Kosovo", "XK")];

/// Places that Natural Earth draws as parts of others, though they have a code of their own: by its name of the
/// whole, their code and where they lie, from west and south to east and north.
const PARTS: [(&str, &str, [f64; 4]); 13] = [
    ("France", "GF", [-55.0, 2.0, -51.0, 6.5]),
    ("France", "GP", [-62.0, 15.7, -60.9, 16.7]),
    ("France", "MQ", [-61.4, 14.2, -60.6, 15.1]),
    ("France", "RE", [55.0, -21.6, 56.0, -20.7]),
    ("France", "YT", [44.9, -13.2, 45.5, -12.5]),
    ("Indian Ocean Ter.", "CC", [96.0, -13.0, 98.0, -11.0]),
    ("Indian Ocean Ter.", "CX", [105.0, -11.0, 106.0, -10.0]),
    ("Netherlands", "BQ", [-69.0, 12.0, -68.0, 12.5]),
    ("Netherlands", "BQ", [-63.5, 17.3, -62.7, 17.8]),
    ("New Zealand", "TK", [-173.0, -10.0, -171.0, -8.0]),
    ("Norway", "BV", [3.0, -55.0, 4.0, -54.0]),
    ("Norway", "SJ", [10.0, 74.0, 34.0, 81.0]),
    ("Norway", "SJ", [-10.0, 70.5, -7.5, 71.5]),
];

pub fn task(paths: &Paths) -> Result<()> {
    data::need_npm("making the map failed", "install npm (it comes with Node.js), then try again")?;
    let file = paths.root.join(FILE);
    let dir = file.parent().context("the map has no folder")?;
    fs::create_dir_all(dir).with_context(|| format!("making {} failed", dir.display()))?;
    let scratch = Scratch::new(dir).with_context(|| format!("writing in {} failed", dir.display()))?;
    let again = "run cargo xtask map again when the npm registry can be reached";
    let codes = data::fetch_archive(&pins::CLDR_CODES, scratch.path(), again)?;
    let names = paths.root.join("sensor-user/src/report/names/regions.tsv");
    let names = fs::read_to_string(&names).with_context(|| format!("reading {} failed", names.display()))?;
    let codes = numeric(&read_json(&codes.join("supplemental/codeMappings.json"))?, &names)?;
    let world = data::fetch_archive(&pins::WORLD, scratch.path(), again)?;
    let mut regions = BTreeMap::new();
    // Of a region that is too small for one scale, the next larger scale has an outline.
    for scale in ["countries-50m.json", "countries-10m.json"] {
        let known: BTreeSet<_> = regions.keys().cloned().collect();
        let is_first = known.is_empty();
        let topology = Topology::parse(&read_json(&world.join(scale))?, "countries")
            .with_context(|| format!("{scale} is not as it should be"))?;
        let wanted = |code: &Code| is_first || (matches!(code, Code::Iso(_)) && !known.contains(code));
        outlines(&topology, &codes, wanted, &mut regions)
            .with_context(|| format!("reading {scale} failed"))?;
    }
    let text = written(&regions);
    put(&file, &text)?;
    cmd::say(format!("map: {} regions, {} bytes, in {}", regions.len(), text.len(), file.display()));
    Ok(())
}

/// What a region is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Code {
    Iso(String),
    /// Natural Earth's name, where there is no code.
    None(String),
}

/// Codes of two letters by ISO's numbers, of those that have a name: CLDR keeps the codes of former countries, too.
fn numeric(file: &Value, names: &str) -> Result<BTreeMap<String, String>> {
    let mappings = file.pointer("/supplemental/codeMappings").and_then(Value::as_object);
    let named: BTreeSet<&str> = names.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut codes = BTreeMap::new();
    for (code, mapping) in mappings.context("CLDR's codes are no object")? {
        let number = mapping.get("_numeric").and_then(Value::as_str);
        if let Some(number) = number.filter(|_| named.contains(code.as_str()))
            && let Some(other) = codes.insert(number.to_owned(), code.clone())
        {
            bail!("CLDR has {number} for {other} and for {code}");
        }
    }
    Ok(codes)
}

/// A region on the sheet.
#[derive(Debug, Default)]
struct Outline {
    rings: Vec<Vec<Point>>,
    /// Area and middle of its largest ring, with all detail.
    largest: Option<(f64, Point)>,
}

/// Adds the regions that are wanted.
fn outlines(
    topology: &Topology,
    codes: &BTreeMap<String, String>,
    wanted: impl Fn(&Code) -> bool,
    to: &mut BTreeMap<Code, Outline>,
) -> Result<()> {
    for shape in &topology.shapes {
        let whole = code(shape, codes)?;
        for arcs in &shape.rings {
            let ring = topology.ring(arcs, <[_]>::to_vec).with_context(|| shape.name.clone())?;
            let code =
                part(&shape.name, &ring).map_or_else(|| whole.clone(), |code| Code::Iso(code.to_owned()));
            if !wanted(&code) {
                continue;
            }
            let outline = to.entry(code).or_default();
            for piece in on_sheet(&ring) {
                let size = area(&piece).abs();
                if outline.largest.is_none_or(|(largest, _)| size > largest) {
                    outline.largest = Some((size, middle(&piece)));
                }
            }
            outline.rings.extend(on_sheet(&topology.ring(arcs, simplified)?));
        }
    }
    Ok(())
}

fn code(shape: &Shape, codes: &BTreeMap<String, String>) -> Result<Code> {
    let unnumbered = UNNUMBERED.iter().find(|(name, _)| *name == shape.name);
    match (&shape.id, unnumbered) {
        (Some(id), _) => match codes.get(id) {
            Some(code) => Ok(Code::Iso(code.clone())),
            None => bail!("{} has the number {id}, for which there is no code", shape.name),
        },
        (None, Some((_, code))) => Ok(Code::Iso((*code).to_owned())),
        (None, None) => Ok(Code::None(shape.name.clone())),
    }
}

/// The code of a ring that is a part of the whole with a code of its own.
fn part(whole: &str, ring: &[Degrees]) -> Option<&'static str> {
    let is_in = |[west, south, east, north]: [f64; 4]| {
        ring.iter().all(|place| (west..=east).contains(&place.lon) && (south..=north).contains(&place.lat))
    };
    PARTS.iter().find(|(name, _, place)| *name == whole && is_in(*place)).map(|(_, code, _)| *code)
}

fn on_sheet(ring: &[Degrees]) -> Vec<Vec<Point>> {
    pieces(ring).into_iter().map(|piece| piece.into_iter().map(project).collect()).collect()
}

/// The middle of a ring's extent.
fn middle(ring: &[Point]) -> Point {
    let half = |of: fn(&Point) -> f64| {
        let least = ring.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = ring.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        f64::midpoint(least, most)
    };
    Point { x: half(|point| point.x), y: half(|point| point.y) }
}

/// The file: areas first, dots over them, both in the order of their codes, and what has no code last.
fn written(regions: &BTreeMap<Code, Outline>) -> String {
    let mut drawn: Vec<_> = regions
        .iter()
        .map(|(code, outline)| {
            let is_small =
                matches!(code, Code::Iso(_)) && outline.largest.is_some_and(|(size, _)| size < SMALL);
            (is_small, code, path(outline, is_small))
        })
        .filter(|(_, _, path)| !path.is_empty())
        .collect();
    drawn.sort_by_key(|(is_small, ..)| *is_small);
    let lines = drawn.iter().map(|(_, code, path)| {
        let code = match code {
            Code::Iso(code) => format!("\"{code}\""),
            Code::None(_) => "null".to_owned(),
        };
        format!("{{\"code\":{code},\"d\":\"{path}\"}}")
    });
    let mut outside = String::new();
    ring_path(&mut outside, &tenths(&frame().into_iter().map(project).collect::<Vec<_>>()));
    format!(
        "{{\"viewBox\":\"0 0 {WIDTH} {HEIGHT}\",\"projection\":\"Equal Earth\",\"source\":\"{} {} (Natural Earth, \
         public domain)\",\"frame\":\"{outside}\",\"regions\":[\n{}\n]}}\n",
        pins::WORLD.name,
        pins::WORLD.version,
        lines.collect::<Vec<_>>().join(",\n")
    )
}

/// A region as an SVG path.
fn path(outline: &Outline, is_small: bool) -> String {
    let mut path = String::new();
    let dot = outline.largest.filter(|_| is_small).map(|(_, middle)| middle);
    // What the dot covers is not drawn a second time within it.
    let is_covered = |ring: &[Point]| {
        let at = middle(ring);
        dot.is_some_and(|dot| (at.x - dot.x).hypot(at.y - dot.y) < DOT_RADIUS)
    };
    for ring in outline.rings.iter().filter(|ring| area(ring).abs() >= ISLET && !is_covered(ring)) {
        ring_path(&mut path, &tenths(ring));
    }
    if let Some(dot) = dot.map(tenth) {
        ring_path(&mut path, &DOT.map(|(x, y)| (dot.0 + x, dot.1 + y)));
    }
    path
}

fn tenth(point: Point) -> (i64, i64) {
    ((point.x * 10.0).round() as i64, (point.y * 10.0).round() as i64)
}

/// A ring in tenths of a pixel, without steps of none.
fn tenths(ring: &[Point]) -> Vec<(i64, i64)> {
    let mut corners: Vec<_> = ring.iter().copied().map(tenth).collect();
    corners.dedup();
    while corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    corners
}

/// Adds a ring: where it begins, and the steps from corner to corner.
fn ring_path(path: &mut String, corners: &[(i64, i64)]) {
    let [first, rest @ ..] = corners else { return };
    if rest.len() < 2 {
        return;
    }
    path.push('M');
    number(path, first.0);
    number(path, first.1);
    path.push('l');
    for (from, to) in corners.iter().zip(rest) {
        number(path, to.0 - from.0);
        number(path, to.1 - from.1);
    }
    path.push('Z');
}

/// Adds a number of tenths in as few characters as there may be.
fn number(path: &mut String, tenths: i64) {
    if path.ends_with(|last: char| last.is_ascii_digit()) && tenths >= 0 {
        path.push(' ');
    }
    if tenths < 0 {
        path.push('-');
    }
    let (whole, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    // Writing to a string does not fail.
    let _ = match (whole, rest) {
        (whole, 0) => write!(path, "{whole}"),
        (0, rest) => write!(path, ".{rest}"),
        (whole, rest) => write!(path, "{whole}.{rest}"),
    };
}
