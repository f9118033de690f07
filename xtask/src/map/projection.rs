//! The Equal Earth projection, onto the sheet that the map is drawn on.
//!
//! B. Šavrič, T. Patterson and B. Jenny, "The Equal Earth map projection", International Journal of Geographical
//! Information Science 33 (2019), doi:10.1080/13658816.2018.1504949. It keeps areas: no region looks larger than
//! it is beside another.

use super::topology::Degrees;

/// Width of the sheet; its unit is a pixel of a map this wide.
pub const WIDTH: f64 = 1000.0;
/// Height of the sheet. The globe is 486.7 high.
pub const HEIGHT: f64 = 487.0;

/// Coefficients of the projection's polynomial.
const A: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];

/// A place on the sheet, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// The place on the sheet. Longitudes beyond 180° go on outside the globe's frame.
pub fn project(Degrees { lon, lat }: Degrees) -> Point {
    let m = 3f64.sqrt() / 2.0;
    let theta = (m * lat.to_radians().sin()).asin();
    let squared = theta * theta;
    let sixth = squared * squared * squared;
    let x = lon.to_radians() * theta.cos()
        / (m * (A[0] + 3.0 * A[1] * squared + sixth * (7.0 * A[2] + 9.0 * A[3] * squared)));
    let y = theta * (A[0] + A[1] * squared + sixth * (A[2] + A[3] * squared));
    let unit = WIDTH / 2.0 * m * A[0] / std::f64::consts::PI;
    Point { x: WIDTH / 2.0 + x * unit, y: HEIGHT / 2.0 - y * unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Point {
        project(Degrees { lon, lat })
    }

    #[test]
    fn the_globe_fills_the_sheet() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a}, not {b}");
        near(at(-180.0, 0.0).x, 0.0);
        near(at(180.0, 0.0).x, WIDTH);
        assert_eq!(at(0.0, 0.0), Point { x: WIDTH / 2.0, y: HEIGHT / 2.0 });
        let (north, south) = (at(0.0, 90.0).y, at(0.0, -90.0).y);
        near(north + south, HEIGHT);
        assert!(north > 0.0 && north < 0.5, "{north}");
        // A pole is a line, 0.59 as long as the equator.
        let pole = (at(180.0, 90.0).x - at(-180.0, 90.0).x) / WIDTH;
        assert!((pole - 0.59).abs() < 0.005, "{pole}");
    }

    /// Cells of a degree have the areas that they have on a sphere.
    #[test]
    fn areas_are_kept() {
        let cell = |lat: f64| {
            let (below, above) = (at(0.0, lat), at(1.0, lat + 1.0));
            let wide = |lat: f64| at(1.0, lat).x - at(0.0, lat).x;
            (wide(lat) + wide(lat + 1.0)) / 2.0 * (below.y - above.y)
        };
        let sphere = |lat: f64| (lat + 1.0).to_radians().sin() - lat.to_radians().sin();
        for lat in [-89.0, -60.0, -30.0, 10.0, 45.0, 80.0] {
            let ratio = cell(lat) / cell(0.0) / (sphere(lat) / sphere(0.0));
            assert!((ratio - 1.0).abs() < 1e-3, "{lat}: {ratio}");
        }
    }
}
