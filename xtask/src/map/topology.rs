//! TopoJSON: shapes whose common borders are stored once, as arcs.
//!
//! <https://github.com/topojson/topojson-specification>, of which it reads what `world-atlas` uses: quantised arcs,
//! polygons and collections of them.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A place on the globe, in degrees; north and east are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degrees {
    pub lon: f64,
    pub lat: f64,
}

/// Arcs, and the shapes that are made of them.
pub struct Topology {
    arcs: Vec<Vec<Degrees>>,
    pub shapes: Vec<Shape>,
}

/// A region as the file has it.
pub struct Shape {
    /// ISO 3166-1 numeric, where it has one.
    pub id: Option<String>,
    pub name: String,
    /// Rings of all its polygons, those of holes too, each as references to arcs.
    pub rings: Vec<Vec<i64>>,
}

impl Topology {
    /// Reads the collection with this name.
    ///
    /// # Errors
    ///
    /// What is not as the format has it.
    pub fn parse(file: &Value, collection: &str) -> Result<Self> {
        let number = |pointer: &str| {
            file.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no number at {pointer}"))
        };
        let scale = (number("/transform/scale/0")?, number("/transform/scale/1")?);
        let origin = (number("/transform/translate/0")?, number("/transform/translate/1")?);
        let arc = |value: &Value| {
            let (mut x, mut y) = (0, 0);
            let mut places = Vec::new();
            for step in list(value, "an arc")? {
                x += step.get(0).and_then(Value::as_i64).context("a step of an arc has no whole numbers")?;
                y += step.get(1).and_then(Value::as_i64).context("a step of an arc has no whole numbers")?;
                places
                    .push(Degrees { lon: origin.0 + x as f64 * scale.0, lat: origin.1 + y as f64 * scale.1 });
            }
            anyhow::Ok(places)
        };
        let arcs = list(&file["arcs"], "arcs")?.iter().map(arc).collect::<Result<_>>()?;
        let shapes = list(&file["objects"][collection]["geometries"], collection)?;
        Ok(Self { arcs, shapes: shapes.iter().map(shape).collect::<Result<_>>()? })
    }

    /// A ring put together from its arcs, each changed by `change` first. The first place is not repeated at the end.
    ///
    /// # Errors
    ///
    /// A reference to an arc that is not there, or arcs that do not meet.
    pub fn ring(&self, arcs: &[i64], change: impl Fn(&[Degrees]) -> Vec<Degrees>) -> Result<Vec<Degrees>> {
        let mut ring: Vec<Degrees> = Vec::new();
        for &reference in arcs {
            // `!n` is arc n from its end.
            let index = if reference < 0 { !reference } else { reference };
            let arc = usize::try_from(index).ok().and_then(|index| self.arcs.get(index));
            let mut arc = change(arc.with_context(|| format!("there is no arc {reference}"))?);
            if reference < 0 {
                arc.reverse();
            }
            if let Some(last) = ring.pop()
                && arc.first() != Some(&last)
            {
                bail!("arc {reference} does not begin where the one before it ends");
            }
            ring.append(&mut arc);
        }
        let last = ring.pop();
        if last.is_none() || last != ring.first().copied() {
            bail!("the ring of arcs {arcs:?} is open");
        }
        Ok(ring)
    }
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a Vec<Value>> {
    value.as_array().with_context(|| format!("{what}: no list"))
}

fn shape(value: &Value) -> Result<Shape> {
    let name = value.pointer("/properties/name").and_then(Value::as_str).context("a shape has no name")?;
    let polygons = match value["type"].as_str() {
        Some("Polygon") => vec![&value["arcs"]],
        Some("MultiPolygon") => list(&value["arcs"], name)?.iter().collect(),
        kind => bail!("{name} is of kind {kind:?}, not a polygon"),
    };
    let mut rings = Vec::new();
    for polygon in polygons {
        for ring in list(polygon, name)? {
            let arcs = list(ring, name)?.iter().map(Value::as_i64);
            rings.push(arcs.collect::<Option<_>>().with_context(|| format!("{name}: an arc is no number"))?);
        }
    }
    Ok(Shape { id: value["id"].as_str().map(str::to_owned), name: name.to_owned(), rings })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file() -> Value {
        json!({
            "transform": {"scale": [0.5, 2], "translate": [-10, 0]},
            "arcs": [[[0, 0], [2, 0]], [[2, 0], [0, 1], [-2, 0]], [[0, 0], [0, 1]]],
            "objects": {"countries": {"geometries": [
                {"type": "Polygon", "id": "392", "properties": {"name": "one"}, "arcs": [[0, 1, -3]]},
                {"type": "MultiPolygon", "properties": {"name": "two"}, "arcs": [[[0, 1, -3]], [[0, 1]]]},
            ]}},
        })
    }

    fn places(places: &[(f64, f64)]) -> Vec<Degrees> {
        places.iter().map(|&(lon, lat)| Degrees { lon, lat }).collect()
    }

    #[test]
    fn rings_are_put_together_from_arcs() -> Result<()> {
        let topology = Topology::parse(&file(), "countries")?;
        let [one, two] = &topology.shapes[..] else { bail!("{}", topology.shapes.len()) };
        assert_eq!((one.id.as_deref(), one.name.as_str()), (Some("392"), "one"));
        assert_eq!((two.id.as_deref(), two.rings.len()), (None, 2));
        let ring = topology.ring(&one.rings[0], <[_]>::to_vec)?;
        assert_eq!(ring, places(&[(-10.0, 0.0), (-9.0, 0.0), (-9.0, 2.0), (-10.0, 2.0)]));
        let ends = |arc: &[Degrees]| [arc[0], arc[arc.len() - 1]].to_vec();
        let ring = topology.ring(&one.rings[0], ends)?;
        assert_eq!(ring, places(&[(-10.0, 0.0), (-9.0, 0.0), (-10.0, 2.0)]));
        Ok(())
    }

    #[test]
    fn what_is_no_ring_is_refused() -> Result<()> {
        let topology = Topology::parse(&file(), "countries")?;
        let refused = |arcs: &[i64]| topology.ring(arcs, <[_]>::to_vec).unwrap_err().to_string();
        assert!(refused(&[0, 1]).contains("open"));
        assert!(refused(&[0, 2]).contains("does not begin"));
        assert!(refused(&[3]).contains("no arc 3"));
        assert!(refused(&[]).contains("open"));
        Ok(())
    }

    #[test]
    fn what_is_no_topology_is_refused() {
        let bad = |pointer: &str, value: Value| {
            let mut file = file();
            *file.pointer_mut(pointer).expect(pointer) = value;
            Topology::parse(&file, "countries").err().expect("it is refused").to_string()
        };
        assert!(bad("/transform/scale", json!([1])).contains("/transform/scale/1"));
        assert!(bad("/arcs/0/1", json!([1.5, 0])).contains("whole numbers"));
        assert!(bad("/objects/countries/geometries/0/type", json!("Point")).contains("Point"));
        assert!(bad("/objects/countries/geometries/0/arcs/0/0", json!("x")).contains("no number"));
        assert!(Topology::parse(&file(), "land").err().expect("it is refused").to_string().contains("land"));
    }
}
