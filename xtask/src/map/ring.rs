//! Rings on the globe: cut where the sheet ends, and without the detail that nobody sees.

use super::{
    projection::{Point, project},
    topology::Degrees,
};

/// Corners that make less than this much of a difference are left out, in square pixels.
const DETAIL: f64 = 0.12;
/// Longest step along the sheet's edge: a meridian is curved there.
const STEP: Degrees = Degrees { lon: 30.0, lat: 2.0 };

/// Leaves out corners of an arc that make no visible difference, the least one first (Visvalingam and Whyatt 1993).
/// Its ends stay, where others meet it.
pub fn simplified(arc: &[Degrees]) -> Vec<Degrees> {
    let mut places = arc.to_vec();
    let mut points: Vec<Point> = continuous(arc).into_iter().map(project).collect();
    let least = |points: &[Point]| {
        let areas = points.windows(3).map(|corner| area(corner).abs());
        areas.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|(_, area)| *area < DETAIL)
    };
    while let Some((before, _)) = least(&points) {
        points.remove(before + 1);
        places.remove(before + 1);
    }
    places
}

/// The area within a ring, in square pixels; negative if it runs the other way.
pub fn area(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f64>() / 2.0
}

/// What a ring is on the sheet: rings within -180° to 180°, none where it has no area.
pub fn pieces(ring: &[Degrees]) -> Vec<Vec<Degrees>> {
    let ring = continuous(ring);
    let (Some(first), Some(last)) = (ring.first(), ring.last()) else { return Vec::new() };
    // Once around the globe: a ring around a pole.
    let turn = last.lon - first.lon + shortest(last.lon, first.lon);
    let mut pieces = vec![if turn.abs() > 180.0 { closed_at_pole(&ring, turn) } else { ring }];
    for edge in [-180.0, 180.0] {
        pieces = pieces.iter().flat_map(|piece| cut(piece, edge)).collect();
    }
    // What only touches an edge from outside leaves a line on it.
    pieces.retain(|piece| piece.iter().any(|place| place.lon != piece[0].lon));
    for piece in &mut pieces {
        let middle = piece.iter().map(|place| place.lon).sum::<f64>() / piece.len() as f64;
        let shift = within(middle) - middle;
        piece.iter_mut().for_each(|place| place.lon += shift);
    }
    pieces
}

/// The frame of the globe on the sheet.
pub fn frame() -> Vec<Degrees> {
    let corner = |lon, lat| Degrees { lon, lat };
    let corners = [corner(-180.0, 90.0), corner(-180.0, -90.0), corner(180.0, -90.0), corner(180.0, 90.0)];
    let mut frame = Vec::new();
    for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        along(&mut frame, *from, *to);
    }
    frame
}

/// The way from one longitude to another that is not the longer one.
fn shortest(from: f64, to: f64) -> f64 {
    within(to - from)
}

/// The same longitude from -180° to 180°.
fn within(lon: f64) -> f64 {
    if lon.abs() <= 180.0 { lon } else { (lon + 180.0).rem_euclid(360.0) - 180.0 }
}

/// Longitudes that go on beyond 180°, so that neighbours are neighbours.
fn continuous(places: &[Degrees]) -> Vec<Degrees> {
    let mut out: Vec<Degrees> = Vec::with_capacity(places.len());
    for place in places {
        let lon = out.last().map_or(place.lon, |last| last.lon + shortest(within(last.lon), place.lon));
        out.push(Degrees { lon, lat: place.lat });
    }
    out
}

/// A ring that goes around a pole, opened at the sheet's edge and closed along it and the pole.
fn closed_at_pole(ring: &[Degrees], turn: f64) -> Vec<Degrees> {
    let sign = turn.signum();
    let lat = ring.iter().map(|place| place.lat).sum::<f64>() / ring.len() as f64;
    let (edge, pole) = (sign * 180.0, 90f64.copysign(lat));
    // Where the ring comes over the edge: from there it goes once from one side of the sheet to the other.
    let (mut start, mut over) = (0, lat);
    for (index, place) in ring.iter().enumerate() {
        let next = ring[(index + 1) % ring.len()];
        let to_edge = 360.0 - (sign * place.lon + 180.0).rem_euclid(360.0);
        let part = to_edge / (sign * shortest(place.lon, next.lon));
        if (0.0..=1.0).contains(&part) {
            (start, over) = (index + 1, place.lat + part * (next.lat - place.lat));
            break;
        }
    }
    let corner = |lon, lat| Degrees { lon, lat };
    let mut open = vec![corner(-edge, over)];
    open.extend((0..ring.len()).map(|index| ring[(start + index) % ring.len()]));
    let mut closed = continuous(&open);
    along(&mut closed, corner(edge, over), corner(edge, pole));
    along(&mut closed, corner(edge, pole), corner(-edge, pole));
    along(&mut closed, corner(-edge, pole), corner(-edge, over));
    closed
}

/// Cuts a ring along a meridian.
///
/// What lies on it counts as west of it. Where the ring crosses it, from pole to pole, every other stretch between
/// two crossings is inside: the ring's parts on both sides are closed along those.
fn cut(ring: &[Degrees], meridian: f64) -> Vec<Vec<Degrees>> {
    let is_east = |place: &Degrees| place.lon > meridian;
    let Some(start) = (0..ring.len())
        .find(|&index| is_east(&ring[index]) != is_east(&ring[(index + ring.len() - 1) % ring.len()]))
    else {
        return vec![ring.to_vec()];
    };
    // Parts on one side each, from crossing to crossing.
    let mut parts: Vec<Vec<Degrees>> = Vec::new();
    for offset in 0..ring.len() {
        let place = ring[(start + offset) % ring.len()];
        let before = ring[(start + offset + ring.len() - 1) % ring.len()];
        if is_east(&place) != is_east(&before) {
            let part = (meridian - before.lon) / (place.lon - before.lon);
            let crossing = Degrees { lon: meridian, lat: before.lat + part * (place.lat - before.lat) };
            if let Some(last) = parts.last_mut() {
                last.push(crossing);
            }
            parts.push(vec![crossing]);
        }
        if let Some(last) = parts.last_mut() {
            last.push(place);
        }
    }
    let first = parts.first().and_then(|part| part.first()).copied();
    if let Some(last) = parts.last_mut() {
        last.extend(first);
    }

    // Ends on the meridian in order: the crossing by which part n begins is that by which part n - 1 ends.
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[a][0].lat.total_cmp(&parts[b][0].lat));
    let mut partner = vec![0; parts.len()];
    for pair in order.chunks_exact(2) {
        (partner[pair[0]], partner[pair[1]]) = (pair[1], pair[0]);
    }
    let mut is_used = vec![false; parts.len()];
    let mut pieces = Vec::new();
    for from in 0..parts.len() {
        let mut piece = Vec::new();
        let mut at = from;
        while !is_used[at] {
            is_used[at] = true;
            piece.extend_from_slice(&parts[at]);
            // From the crossing at its end along the meridian to the partner's, where a part of this side begins.
            let to = partner[(at + 1) % parts.len()];
            let (end, begin) = (parts[(at + 1) % parts.len()][0], parts[to][0]);
            along(&mut piece, end, begin);
            at = to;
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}

/// The way between two places in steps, both ends with it.
fn along(to: &mut Vec<Degrees>, from: Degrees, until: Degrees) {
    let (lon, lat) = (until.lon - from.lon, until.lat - from.lat);
    let steps = (lon / STEP.lon).abs().max((lat / STEP.lat).abs()).ceil().max(1.0);
    to.extend((0..=steps as u32).map(|step| {
        let part = f64::from(step) / steps;
        Degrees { lon: from.lon + part * lon, lat: from.lat + part * lat }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(places: &[(f64, f64)]) -> Vec<Degrees> {
        places.iter().map(|&(lon, lat)| Degrees { lon, lat }).collect()
    }

    /// West, east, south and north of a ring.
    fn extent(ring: &[Degrees]) -> [f64; 4] {
        let by = |of: fn(&Degrees) -> f64, better: fn(f64, f64) -> f64| ring.iter().map(of).reduce(better);
        [
            by(|place| place.lon, f64::min),
            by(|place| place.lon, f64::max),
            by(|place| place.lat, f64::min),
            by(|place| place.lat, f64::max),
        ]
        .map(|value| value.expect("a place"))
    }

    fn area_of(ring: &[Degrees]) -> f64 {
        area(&ring.iter().copied().map(project).collect::<Vec<_>>())
    }

    #[test]
    fn a_ring_within_the_sheet_stays_as_it_is() {
        let square = ring(&[(10.0, 0.0), (20.0, 0.0), (20.0, 10.0), (10.0, 10.0)]);
        assert_eq!(pieces(&square), [square]);
        assert_eq!(pieces(&[]), Vec::<Vec<Degrees>>::new());
    }

    #[test]
    fn a_ring_over_the_edge_is_cut_in_two() {
        let wide = ring(&[(170.0, 0.0), (-170.0, 0.0), (-170.0, 10.0), (170.0, 10.0)]);
        let mut cut = pieces(&wide);
        cut.sort_by(|a, b| extent(a)[0].total_cmp(&extent(b)[0]));
        assert_eq!(cut.len(), 2);
        assert_eq!(extent(&cut[0]), [-180.0, -170.0, 0.0, 10.0]);
        assert_eq!(extent(&cut[1]), [170.0, 180.0, 0.0, 10.0]);
    }

    /// A comb whose back is west of the edge and whose teeth are east of it: teeth do not hang together.
    #[test]
    fn every_part_beyond_the_edge_is_a_piece_of_its_own() {
        let comb = ring(&[
            (170.0, 0.0),
            (-170.0, 0.0),
            (-170.0, 10.0),
            (175.0, 10.0),
            (175.0, 20.0),
            (-170.0, 20.0),
            (-170.0, 30.0),
            (170.0, 30.0),
        ]);
        let mut cut = pieces(&comb);
        cut.sort_by(|a, b| extent(a)[2].total_cmp(&extent(b)[2]).then(extent(a)[0].total_cmp(&extent(b)[0])));
        let extents: Vec<_> = cut.iter().map(|piece| extent(piece)).collect();
        assert_eq!(
            extents,
            [[-180.0, -170.0, 0.0, 10.0], [170.0, 180.0, 0.0, 30.0], [-180.0, -170.0, 20.0, 30.0],]
        );
        // Nothing is lost and nothing is drawn twice.
        let degrees = |ring: &[Degrees]| {
            area(
                &continuous(ring)
                    .iter()
                    .map(|place| Point { x: place.lon, y: place.lat })
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(cut.iter().map(|piece| degrees(piece)).sum::<f64>(), degrees(&comb));
    }

    #[test]
    fn places_on_the_edge_do_no_harm() {
        for on in [180.0, -180.0] {
            let touching = ring(&[(on, 0.0), (170.0, 0.0), (170.0, 10.0), (on, 10.0)]);
            let cut = pieces(&touching);
            assert_eq!(
                cut.iter().map(|piece| extent(piece)).collect::<Vec<_>>(),
                [[170.0, 180.0, 0.0, 10.0]]
            );
            let touching = ring(&[(on, 0.0), (-170.0, 0.0), (-170.0, 10.0), (on, 10.0)]);
            let cut = pieces(&touching);
            assert_eq!(
                cut.iter().map(|piece| extent(piece)).collect::<Vec<_>>(),
                [[-180.0, -170.0, 0.0, 10.0]]
            );
        }
    }

    #[test]
    fn a_ring_around_a_pole_is_closed_along_it() {
        let cases = [170.0, 180.0, -180.0].into_iter().flat_map(|on| {
            [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)].map(|(sign, pole)| (on, sign, pole))
        });
        for (on, sign, pole) in cases {
            let lons = [on, -150.0, -90.0, 0.0, 90.0];
            let mut around: Vec<_> = lons.map(|lon| Degrees { lon, lat: pole * 70.0 }).into();
            if sign < 0.0 {
                around.reverse();
            }
            let cut = pieces(&around);
            assert_eq!(cut.len(), 1);
            let [west, east, south, north] = extent(&cut[0]);
            assert_eq!([west, east], [-180.0, 180.0]);
            assert_eq!([south, north], if pole > 0.0 { [70.0, 90.0] } else { [-90.0, -70.0] });
            // The cap's share of the sphere: (1 - sin 70°) / 2, of the whole frame.
            let share = (area_of(&cut[0]) / area_of(&frame())).abs();
            assert!((share - (1.0 - 70f64.to_radians().sin()) / 2.0).abs() < 0.001, "{share}");
            let widest = cut[0].windows(2).map(|two| (two[1].lon - two[0].lon).abs()).fold(0.0, f64::max);
            assert!(widest <= 90.0, "{widest}");
        }
    }

    #[test]
    fn corners_that_nobody_sees_are_left_out() {
        let line: Vec<_> = (0..=100).map(|n| (f64::from(n) / 10.0, f64::from(n % 2) / 1000.0)).collect();
        assert_eq!(simplified(&ring(&line)), ring(&[line[0], line[100]]));
        let corner = ring(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)]);
        assert_eq!(simplified(&corner), corner);
        let over = ring(&[(179.0, 0.0), (-179.0, 0.0), (-175.0, 10.0)]);
        assert_eq!(simplified(&over), over, "the edge makes no corner");
    }
}
