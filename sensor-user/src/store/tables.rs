//! The tables that rows of cubes are kept in: their columns, and what keeps them bounded.

use std::cmp::Ordering;

use hashbrown::HashMap;
use rusqlite::{
    Connection, Row as SqlRow, Statement, params_from_iter,
    types::{Type, Value},
};

use crate::{
    cube::fold::{Kept, Row},
    model::Region,
    sketch::Sketch,
};

/// The most rows that a span keeps, and a day of what its lists are made of. What has more is cut: its
/// rows with the fewest packets are put together as `other` until nine tenths of its bound are left; the
/// lists lose theirs. The span's `cut` tells of either. Rows `other` do not count: of those there is one
/// for each class, kind, family and sensor.
///
/// Cubes are cut only where all of them together have more than `rows`: first each of the others to its
/// own bound, then `port_region` to what they leave of `rows`.
///
/// Totals need no bound: they are by class, kind, family and sensor only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of `port_region`, `port_tool`, `region_asn` and `region_tool` together: more than the bounds of the
    /// last three, or nothing may be left for `port_region`.
    pub rows: u64,
    pub port_tool: u64,
    pub region_asn: u64,
    pub region_tool: u64,
    /// Source prefixes by service, of one day.
    pub prefix: u64,
    /// Sources of backscatter by minute, of one day.
    pub backscatter: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 750_000,
            port_tool: 200_000,
            region_asn: 100_000,
            region_tool: 50_000,
            prefix: 1_000_000,
            backscatter: 1_000_000,
        }
    }
}

impl Limits {
    /// The bound of a cube or list; `None` if it has none of its own.
    pub(super) fn of(&self, cube: Kept) -> Option<u64> {
        Some(match cube {
            Kept::Total | Kept::PortRegion => return None,
            Kept::PortTool => self.port_tool,
            Kept::RegionAsn => self.region_asn,
            Kept::RegionTool => self.region_tool,
            Kept::Prefix => self.prefix,
            Kept::Backscatter => self.backscatter,
        })
    }

    /// The most rows of one fold that go to the store, where they are cut to the bound.
    pub(super) fn of_fold(&self, cube: Kept) -> usize {
        let most = match cube {
            Kept::Total => u64::MAX,
            Kept::Prefix => self.prefix.saturating_mul(2),
            Kept::Backscatter => self.backscatter.saturating_mul(2),
            // One that has more by itself is cut in any case.
            Kept::PortRegion | Kept::PortTool | Kept::RegionAsn | Kept::RegionTool => self.rows,
        };
        usize::try_from(most).unwrap_or(usize::MAX)
    }
}

/// The cubes that are cut before `port_region`.
pub(super) const CUT_FIRST: [Kept; 3] = [Kept::PortTool, Kept::RegionAsn, Kept::RegionTool];

/// Bit of a span's `cut`: sources are missing from sketches, because they were counted with another
/// length than the span's sketches have.
pub(super) const MIXED: u8 = 7;

/// A column of the tables' keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Class,
    Kind,
    Port,
    Region,
    Asn,
    Tool,
    Prefix,
    Family,
    Sensor,
}

impl Column {
    /// How many there are.
    pub(super) const COUNT: usize = 9;

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Kind => "kind",
            Self::Port => "port",
            Self::Region => "region",
            Self::Asn => "asn",
            Self::Tool => "tool",
            Self::Prefix => "prefix",
            Self::Family => "family",
            Self::Sensor => "sensor",
        }
    }

    fn bind(self, statement: &mut Statement<'_>, index: usize, row: &Row) -> rusqlite::Result<()> {
        match self {
            Self::Class => statement.raw_bind_parameter(index, row.class),
            Self::Kind => statement.raw_bind_parameter(index, row.kind),
            Self::Port => statement.raw_bind_parameter(index, row.port),
            Self::Region => statement.raw_bind_parameter(index, row.region.as_str()),
            Self::Asn => statement.raw_bind_parameter(index, row.asn),
            Self::Tool => statement.raw_bind_parameter(index, row.tool),
            Self::Prefix => statement.raw_bind_parameter(index, row.prefix),
            Self::Family => statement.raw_bind_parameter(index, row.family),
            Self::Sensor => statement.raw_bind_parameter(index, row.sensor),
        }
    }

    fn read(self, found: &SqlRow<'_>, index: usize, row: &mut Row) -> rusqlite::Result<()> {
        match self {
            Self::Class => row.class = found.get(index)?,
            Self::Kind => row.kind = found.get(index)?,
            Self::Port => row.port = found.get(index)?,
            Self::Region => {
                let text = found.get_ref(index)?.as_str()?;
                row.region = Region::named(text).ok_or_else(|| {
                    let error = format!("`{text}` is no region");
                    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, error.into())
                })?;
            }
            Self::Asn => row.asn = found.get(index)?,
            Self::Tool => row.tool = found.get(index)?,
            Self::Prefix => row.prefix = found.get(index)?,
            Self::Family => row.family = found.get(index)?,
            Self::Sensor => row.sensor = found.get(index)?,
        }
        Ok(())
    }

    fn order(self, a: &Row, b: &Row) -> Ordering {
        match self {
            Self::Class => a.class.cmp(&b.class),
            Self::Kind => a.kind.cmp(&b.kind),
            Self::Port => a.port.cmp(&b.port),
            Self::Region => a.region.as_str().cmp(b.region.as_str()),
            Self::Asn => a.asn.cmp(&b.asn),
            Self::Tool => a.tool.cmp(&b.tool),
            Self::Prefix => a.prefix.cmp(&b.prefix),
            Self::Family => a.family.cmp(&b.family),
            Self::Sensor => a.sensor.cmp(&b.sensor),
        }
    }
}

/// A table of rows with packets and sources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub name: &'static str,
    /// What its rows belong to: `span`, or `day`.
    pub owner: &'static str,
    /// Between that and the packets.
    columns: &'static [Column],
    /// True of rows that hold what was cut.
    other: &'static str,
}

impl Table {
    /// The table of a cube; that of [`Kept::Prefix`] is the list of the open days, and so is that of
    /// [`Kept::Backscatter`], which has columns of its own.
    pub const fn of(cube: Kept) -> Self {
        use Column::{Asn, Class, Family, Kind, Port, Prefix, Region, Sensor, Tool};
        match cube {
            Kept::Total => {
                Self { name: "total", owner: "span", columns: &[Class, Kind, Family, Sensor], other: "false" }
            }
            Kept::PortRegion => Self {
                name: "port_region",
                owner: "span",
                columns: &[Class, Kind, Port, Region, Family, Sensor],
                other: "region = 'other'",
            },
            Kept::PortTool => Self {
                name: "port_tool",
                owner: "span",
                columns: &[Class, Kind, Port, Tool, Family, Sensor],
                other: "port = -1",
            },
            Kept::RegionAsn => Self {
                name: "region_asn",
                owner: "span",
                columns: &[Class, Kind, Region, Asn, Family, Sensor],
                other: "region = 'other'",
            },
            Kept::RegionTool => Self {
                name: "region_tool",
                owner: "span",
                columns: &[Class, Kind, Region, Tool, Family, Sensor],
                other: "region = 'other'",
            },
            Kept::Prefix => Self {
                name: "open_prefix",
                owner: "day",
                columns: &[Prefix, Class, Kind, Port, Family, Sensor],
                other: "false",
            },
            Kept::Backscatter => {
                Self { name: "open_backscatter", owner: "minute", columns: &[], other: "false" }
            }
        }
    }

    /// The columns between owner and packets, by name, in the order of the index.
    pub fn columns(&self) -> String {
        self.columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ")
    }

    /// Finds the rows of an owner, in the order of the index, for [`Table::read`].
    pub fn select(&self) -> String {
        let Self { name, owner, .. } = self;
        let columns = self.columns();
        format!(
            "SELECT {columns}, packets, sources FROM {name} WHERE {owner} = ? ORDER BY {owner}, {columns}"
        )
    }

    /// A row that [`Table::select`] found: its columns, packets and sources.
    pub fn read<'r>(&self, found: &'r SqlRow<'_>) -> rusqlite::Result<(Row, u64, Option<&'r [u8]>)> {
        let mut row = Row {
            class: 0,
            kind: 0,
            family: 0,
            sensor: 0,
            port: 0,
            region: Region::UNKNOWN,
            asn: 0,
            tool: 0,
            prefix: 0,
        };
        for (index, column) in self.columns.iter().enumerate() {
            column.read(found, index, &mut row)?;
        }
        let packets = found.get::<_, i64>(self.columns.len())?.unsigned_abs();
        Ok((row, packets, found.get_ref(self.columns.len() + 1)?.as_blob_or_null()?))
    }

    /// The order of two rows in the index.
    pub fn order(&self, a: &Row, b: &Row) -> Ordering {
        self.columns
            .iter()
            .map(|column| column.order(a, b))
            .find(|&order| order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }

    /// Adds a row's packets and sources to those that are kept. Parameters as [`Table::put`] binds them.
    pub fn upsert(&self) -> String {
        let Self { name, owner, .. } = self;
        let columns = self.columns();
        let values = vec!["?"; self.columns.len() + 3].join(", ");
        let union = union_with("excluded.sources");
        format!(
            "INSERT INTO {name} ({owner}, {columns}, packets, sources) VALUES ({values}) \
             ON CONFLICT ({owner}, {columns}) DO UPDATE \
             SET packets = packets + excluded.packets, sources = {union}"
        )
    }

    /// Executes the statement of [`Table::upsert`].
    pub fn put(
        &self,
        upsert: &mut Statement<'_>,
        owner: i64,
        row: &Row,
        packets: u64,
        sources: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        upsert.raw_bind_parameter(1, owner)?;
        for (index, column) in self.columns.iter().enumerate() {
            column.bind(upsert, index + 2, row)?;
        }
        upsert.raw_bind_parameter(self.columns.len() + 2, packets as i64)?;
        upsert.raw_bind_parameter(self.columns.len() + 3, sources)?;
        upsert.raw_execute()?;
        Ok(())
    }
}

/// The union of a row's `sources` and others, or the row's where the others are of another scope: cut to
/// another length (see [`MIXED`]). Bytes 2 to 4 of a sketch are length and key.
pub(super) fn union_with(others: &str) -> String {
    format!(
        "CASE WHEN substr(sources, 2, 3) <> substr({others}, 2, 3) THEN sources \
         ELSE hll_union(sources, {others}) END"
    )
}

/// Which rows are counted and cut together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// The first number of the table's first column.
    pub first: i64,
    /// The last.
    pub last: i64,
}

impl Owner {
    pub const fn one(owner: i64) -> Self {
        Self { first: owner, last: owner }
    }
}

/// How many rows must go, and which are the last to stay.
struct Threshold {
    /// All rows with fewer packets go.
    packets: i64,
    /// Of those with as many, this many stay: the first by their index.
    stay: i64,
}

/// How many rows of a cube or list there are, but for those that hold what was cut.
pub(super) fn rows(connection: &Connection, cube: Kept, owner: Owner) -> rusqlite::Result<u64> {
    let Table { name, owner: column, other, .. } = Table::of(cube);
    let sql = format!("SELECT count(*) FROM {name} WHERE {column} BETWEEN ?1 AND ?2 AND NOT ({other})");
    let rows: i64 = connection.prepare_cached(&sql)?.query_row([owner.first, owner.last], |r| r.get(0))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Cuts the rows of a cube or list to nine tenths of its bound if there are more than that, those with
/// the fewest packets first, and of equals those at the end of the index. Rows of cubes are put
/// together as `other`. Says how many rows went.
pub(super) fn shrink(connection: &Connection, cube: Kept, owner: Owner, bound: u64) -> rusqlite::Result<u64> {
    let table = Table::of(cube);
    let Table { name, other, .. } = table;
    let range = format!("{} BETWEEN ?1 AND ?2", table.owner);
    if rows(connection, cube, owner)? <= bound {
        return Ok(0);
    }
    let Some(threshold) = threshold(connection, &table, owner, bound / 10 * 9)? else { return Ok(0) };
    let index = match cube {
        Kept::Backscatter => "minute, source, kind, port, family, sensor".to_owned(),
        _ => format!("{}, {}", table.owner, table.columns()),
    };
    // The first of the equals that go.
    let sql = format!(
        "SELECT {index} FROM {name} WHERE {range} AND packets = ?3 AND NOT ({other}) \
         ORDER BY {index} LIMIT 1 OFFSET ?4"
    );
    let mut statement = connection.prepare(&sql)?;
    let width = statement.column_count();
    let mut rows = statement.query([owner.first, owner.last, threshold.packets, threshold.stay])?;
    let first: Vec<Value> = match rows.next()? {
        Some(row) => (0..width).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?,
        None => return Ok(0),
    };
    drop(rows);
    drop(statement);

    let places: Vec<String> = (4..4 + width).map(|place| format!("?{place}")).collect();
    let gone = format!(
        "DELETE FROM {name} WHERE {range} AND NOT ({other}) AND \
         (packets < ?3 OR packets = ?3 AND ({index}) >= ({}))",
        places.join(", ")
    );
    let parameters = [owner.first, owner.last, threshold.packets].map(Value::Integer);
    let parameters = params_from_iter(parameters.into_iter().chain(first));
    if !Kept::CUBES.contains(&cube) {
        return Ok(connection.prepare(&gone)?.execute(parameters)? as u64);
    }
    let mut others: HashMap<(u8, u8, u8, i64), Other> = HashMap::new();
    let mut statement =
        connection.prepare(&format!("{gone} RETURNING class, kind, family, sensor, packets, sources"))?;
    let mut rows = statement.query(parameters)?;
    let mut cut = 0;
    while let Some(row) = rows.next()? {
        let place = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        others.entry(place).or_default().add(row)?;
        cut += 1;
    }
    drop(rows);
    let mut upsert = connection.prepare(&table.upsert())?;
    for ((class, kind, family, sensor), other) in others {
        let row = Row {
            class,
            kind,
            family,
            sensor,
            port: -1,
            region: Region::OTHER,
            asn: -1,
            tool: -1,
            prefix: 0,
        };
        let sources = other.sources.map(|sketch| sketch.to_bytes());
        table.put(&mut upsert, owner.first, &row, other.packets, sources.as_deref())?;
    }
    Ok(cut)
}

/// Where to cut so that `target` rows are left; `None` if there are no more.
fn threshold(
    connection: &Connection,
    table: &Table,
    owner: Owner,
    target: u64,
) -> rusqlite::Result<Option<Threshold>> {
    let Table { name, owner: column, other, .. } = table;
    let sql = format!("SELECT packets FROM {name} WHERE {column} BETWEEN ?1 AND ?2 AND NOT ({other})");
    let mut statement = connection.prepare(&sql)?;
    let packets = statement.query_map([owner.first, owner.last], |row| row.get(0))?;
    let mut packets: Vec<i64> = packets.collect::<rusqlite::Result<_>>()?;
    let target = usize::try_from(target).unwrap_or(usize::MAX);
    let Some(excess) = packets.len().checked_sub(target).filter(|&excess| excess > 0) else {
        return Ok(None);
    };
    let (_, &mut last, above) = packets.select_nth_unstable(excess - 1);
    let stay = above.iter().filter(|&&packets| packets == last).count();
    Ok(Some(Threshold { packets: last, stay: stay as i64 }))
}

/// What was cut, in one sum.
#[derive(Default)]
struct Other {
    packets: u64,
    sources: Option<Sketch>,
}

impl Other {
    fn add(&mut self, row: &SqlRow<'_>) -> rusqlite::Result<()> {
        self.packets = self.packets.saturating_add(row.get::<_, i64>(4)?.unsigned_abs());
        if let Some(bytes) = row.get_ref(5)?.as_blob_or_null()? {
            let merged = match &mut self.sources {
                Some(sources) => sources.merge_bytes(bytes),
                none => Sketch::from_bytes(bytes).map(|sketch| *none = Some(sketch)),
            };
            merged.map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        }
        Ok(())
    }
}
