use serde_json::json;

use super::*;

/// Codes of CLDR's names that have no place of their own on a map: the Union, and parts of other regions for which
/// ISO has only reserved a code.
const NOWHERE: [&str; 8] = ["AC", "CP", "CQ", "DG", "EA", "EU", "IC", "TA"];

/// Corners in pixels.
type Ring = Vec<(f64, f64)>;
type Rings = Vec<Ring>;

/// The file of the tree.
fn world() -> Value {
    read_json(&Paths::find().root.join(FILE)).expect("the map of the tree")
}

/// Regions of the file: code and rings, in pixels.
fn regions(world: &Value) -> Vec<(Option<String>, Rings)> {
    let regions = world["regions"].as_array().expect("regions");
    regions
        .iter()
        .map(|region| {
            let code = region["code"].as_str().map(str::to_owned);
            (code, rings(region["d"].as_str().expect("a path")))
        })
        .collect()
}

fn region(code: &str) -> Rings {
    let found = regions(&world()).into_iter().find(|(other, _)| other.as_deref() == Some(code));
    found.unwrap_or_else(|| panic!("{code} is not on the map")).1
}

/// Reads a path as SVG has it: `M`, `l` and `Z` alone.
fn rings(path: &str) -> Rings {
    assert!(path.starts_with('M') && path.ends_with('Z'), "{path}");
    path[1..path.len() - 1]
        .split("ZM")
        .map(|ring| {
            let (start, steps) = ring.split_once('l').expect("a ring has steps");
            let at = numbers(start);
            assert_eq!(at.len(), 2, "{ring}");
            let mut corners = vec![(at[0], at[1])];
            let steps = numbers(steps);
            assert!(steps.len().is_multiple_of(2), "{ring}");
            for step in steps.chunks(2) {
                let last = corners[corners.len() - 1];
                let tenths = |number: f64| (number * 10.0).round() / 10.0;
                corners.push((tenths(last.0 + step[0]), tenths(last.1 + step[1])));
            }
            corners
        })
        .collect()
}

fn numbers(text: &str) -> Vec<f64> {
    let apart = text.replace('-', " -");
    apart.split_whitespace().map(|number| number.parse().unwrap_or_else(|_| panic!("`{number}`"))).collect()
}

/// West, east, north and south of rings, in pixels.
fn extent(rings: &[Ring]) -> [f64; 4] {
    let xs = || rings.iter().flatten().map(|corner| corner.0);
    let ys = || rings.iter().flatten().map(|corner| corner.1);
    [
        xs().fold(f64::INFINITY, f64::min),
        xs().fold(f64::NEG_INFINITY, f64::max),
        ys().fold(f64::INFINITY, f64::min),
        ys().fold(f64::NEG_INFINITY, f64::max),
    ]
}

fn size(rings: &[Ring]) -> f64 {
    let ring = |ring: &Ring| area(&ring.iter().map(|&(x, y)| Point { x, y }).collect::<Vec<_>>());
    rings.iter().map(ring).sum::<f64>().abs()
}

#[test]
fn the_file_is_of_the_pinned_packages() {
    let world = world();
    let version = format!("{} {} ", pins::WORLD.name, pins::WORLD.version);
    assert!(world["source"].as_str().is_some_and(|source| source.starts_with(&version)));
    assert_eq!(world["viewBox"], "0 0 1000 487");
    let readme = Paths::find().root.join("sensor-user/web/world.README.md");
    let readme = fs::read_to_string(readme).expect("the map's licence");
    for archive in [pins::WORLD, pins::CLDR_CODES] {
        assert!(readme.contains(&format!("`{}` {}", archive.name, archive.version)), "{}", archive.name);
    }
}

#[test]
fn rings_have_an_area_within_the_globe_and_no_streak() {
    let world = world();
    let frame = rings(world["frame"].as_str().expect("a frame"));
    let [west, east, north, south] = extent(&frame);
    assert!(west >= 0.0 && east <= WIDTH && north >= 0.0 && south <= HEIGHT);
    for (code, rings) in regions(&world) {
        for ring in &rings {
            assert!(ring.len() > 2 && size(std::slice::from_ref(ring)) > 0.0, "{code:?}: {ring:?}");
            let closed = ring.iter().zip(ring.iter().cycle().skip(1));
            let longest = closed.map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1)).fold(0.0, f64::max);
            assert!(longest < WIDTH / 3.0, "{code:?}: a step of {longest}");
        }
        // A dot may stand out by its radius.
        let [w, e, n, s] = extent(&rings);
        assert!(w >= west - 1.5 && e <= east + 1.5 && n >= north - 1.5 && s <= south + 1.5, "{code:?}");
        assert!(e - w >= 2.0 || s - n >= 2.0, "{code:?} is too small to be seen");
    }
}

#[test]
fn every_region_that_has_a_name_is_there_once() {
    let names = Paths::find().root.join("sensor-user/src/report/names/regions.tsv");
    let names = fs::read_to_string(names).expect("names");
    let named: BTreeSet<_> = names.lines().filter_map(|line| line.split('\t').next()).collect();
    let regions = regions(&world());
    let codes: Vec<_> = regions.iter().filter_map(|(code, _)| code.as_deref()).collect();
    let there: BTreeSet<_> = codes.iter().copied().collect();
    assert_eq!(codes.len(), there.len(), "a region is there twice");
    let missing: Vec<_> = named.difference(&there).filter(|code| !NOWHERE.contains(code)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    assert_eq!(there.difference(&named).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn regions_lie_where_they_lie() {
    let at = |lon, lat| project(Degrees { lon, lat });
    let places = [
        ("JP", [(122.5, 24.0), (146.0, 46.0)]),
        ("SG", [(102.5, 0.0), (105.0, 2.5)]),
        ("HK", [(113.0, 21.5), (115.5, 23.5)]),
        ("GF", [(-55.5, 1.5), (-51.0, 6.5)]),
        ("FR", [(-6.0, 41.0), (10.0, 52.0)]),
        ("GI", [(-6.5, 35.0), (-4.0, 37.0)]),
        ("XK", [(19.5, 41.5), (22.5, 43.5)]),
        ("TV", [(175.0, -12.0), (180.0, -5.0)]),
        ("BR", [(-75.0, -34.5), (-34.0, 6.0)]),
    ];
    for (code, [(west, south), (east, north)]) in places {
        let [w, e, n, s] = extent(&region(code));
        // The box's own extent: its sides are widest at the latitude nearest to the equator.
        let nearest = 0f64.clamp(south, north);
        let sides = [north, nearest, south].map(|lat| (at(west, lat).x, at(east, lat).x));
        assert!(w > sides.iter().map(|side| side.0).fold(WIDTH, f64::min), "{code}: {w}");
        assert!(e < sides.iter().map(|side| side.1).fold(0.0, f64::max), "{code}: {e}");
        assert!(n > at(0.0, north).y && s < at(0.0, south).y, "{code}: {n} to {s}");
    }
    // On both sides of the edge.
    for code in ["RU", "US", "AQ"] {
        let [w, e, ..] = extent(&region(code));
        assert!(w < WIDTH * 0.35 && e > WIDTH * 0.75, "{code}: {w} to {e}");
    }
}

#[test]
fn areas_are_in_proportion() {
    // Million square kilometres.
    let areas = [("RU", 17.1), ("AU", 7.69), ("DZ", 2.38), ("GL", 2.17), ("SE", 0.45), ("JP", 0.378)];
    let brazil = size(&region("BR")) / 8.51;
    for (code, million) in areas {
        let ratio = size(&region(code)) / brazil / million;
        assert!((ratio - 1.0).abs() < 0.06, "{code}: {ratio}");
    }
}

#[test]
fn codes_are_those_that_have_a_name() -> Result<()> {
    let file = json!({"supplemental": {"codeMappings": {
        "CD": {"_numeric": "180"}, "ZR": {"_numeric": "180"}, "XK": {"_numeric": "983"}, "EU": {}, "AD": {"_numeric": "020"},
    }}});
    let codes = numeric(&file, "AD\tAndorra\tアンドラ\nCD\tCongo\tコンゴ\nEU\tEU\tEU\n")?;
    let all: Vec<_> = codes.iter().map(|(number, code)| (number.as_str(), code.as_str())).collect();
    assert_eq!(all, [("020", "AD"), ("180", "CD")]);
    let twice = numeric(&file, "CD\nZR\n").unwrap_err().to_string();
    assert!(twice.contains("180") && twice.contains("ZR"), "{twice}");
    assert!(numeric(&json!({}), "").is_err());
    Ok(())
}

#[test]
fn a_shape_without_a_code_is_told_from_one_with_a_wrong_number() -> Result<()> {
    let codes = BTreeMap::from([("392".to_owned(), "JP".to_owned())]);
    let shape = |id: Option<&str>, name: &str| Shape {
        id: id.map(str::to_owned),
        name: name.to_owned(),
        rings: Vec::new(),
    };
    assert_eq!(code(&shape(Some("392"), "Japan"), &codes)?, Code::Iso("JP".to_owned()));
    assert_eq!(code(&shape(None, "Kosovo"), &codes)?, Code::Iso("XK".to_owned()));
    assert_eq!(code(&shape(None, "N. Cyprus"), &codes)?, Code::None("N. Cyprus".to_owned()));
    let unknown = code(&shape(Some("999"), "Atlantis"), &codes).unwrap_err().to_string();
    assert!(unknown.contains("Atlantis") && unknown.contains("999"), "{unknown}");
    Ok(())
}

#[test]
fn numbers_take_as_few_characters_as_there_may_be() {
    let mut path = String::from("l");
    for tenths in [5, -5, 0, 10, -12, 123] {
        number(&mut path, tenths);
    }
    assert_eq!(path, "l.5-.5 0 1-1.2 12.3");
    let mut path = String::new();
    ring_path(&mut path, &[(0, 0), (10, 0)]);
    assert_eq!(path, "", "a line is no ring");
    ring_path(&mut path, &[(0, 5), (10, 5), (0, 15)]);
    assert_eq!(path, "M0 .5l1 0-1 1Z");
    assert_eq!(rings(&path), [[(0.0, 0.5), (1.0, 0.5), (0.0, 1.5)]]);
}

#[test]
fn a_small_region_is_a_dot_and_what_lies_beside_it() {
    let square = |x: f64, side: f64| {
        [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)]
            .map(|(dx, dy)| Point { x: x + dx, y: dy })
            .to_vec()
    };
    let outline = |rings: Vec<Vec<Point>>| {
        let largest =
            rings.iter().map(|ring| (area(ring).abs(), middle(ring))).max_by(|a, b| a.0.total_cmp(&b.0));
        Outline { rings, largest }
    };
    let small = outline(vec![square(0.0, 1.0), square(5.0, 0.8), square(9.0, 0.1)]);
    let drawn = rings(&path(&small, true));
    assert_eq!(drawn.len(), 2, "the islet is left out, and what the dot covers");
    assert_eq!(extent(&drawn[1..]), [-0.8, 1.8, -0.8, 1.8]);

    let regions = BTreeMap::from([
        (Code::Iso("AA".to_owned()), small),
        (Code::Iso("BB".to_owned()), outline(vec![square(0.0, 9.0)])),
        (Code::None("Nowhere".to_owned()), outline(vec![square(20.0, 9.0)])),
    ]);
    let text = written(&regions);
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let codes: Vec<_> =
        file["regions"].as_array().expect("regions").iter().map(|region| &region["code"]).collect();
    assert_eq!(codes, [&json!("BB"), &json!(null), &json!("AA")], "dots last: they lie over the others");
}
