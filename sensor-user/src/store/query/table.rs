//! The tables of the cubes: their columns, and what a row of them says about its packets.

use rusqlite::{Row as SqlRow, types::ValueRef};
use sensor_common::kind::{Family, Kind, Tool};

use crate::{
    model::{
        Class, Dimension, Fact, Filter, Literal, Prefix, Protocol, Region, Row, has_victim_port, named_kind,
    },
    store::tables::Column,
};

/// A cube. The numbers are those of the bits in a span's `cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Table {
    Total = 0,
    PortRegion = 1,
    PortTool = 2,
    RegionAsn = 3,
    RegionTool = 4,
    PortPrefix = 5,
}

impl Table {
    /// All of them, the smallest first.
    pub const ALL: [Self; 6] =
        [Self::Total, Self::RegionTool, Self::PortTool, Self::RegionAsn, Self::PortRegion, Self::PortPrefix];

    /// The name of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::PortRegion => "port_region",
            Self::PortTool => "port_tool",
            Self::RegionAsn => "region_asn",
            Self::RegionTool => "region_tool",
            Self::PortPrefix => "port_prefix",
        }
    }

    /// The primary key behind the span, in its order.
    pub(in crate::store) const fn key(self) -> &'static [Column] {
        use Column::{Asn, Class, Family, Kind, Port, Prefix, Region, Sensor, Tool};
        match self {
            Self::Total => &[Class, Kind, Family, Sensor],
            Self::PortRegion => &[Class, Kind, Port, Region, Family, Sensor],
            Self::PortTool => &[Class, Kind, Port, Tool, Family, Sensor],
            Self::RegionAsn => &[Class, Kind, Region, Asn, Family, Sensor],
            Self::RegionTool => &[Class, Kind, Region, Tool, Family, Sensor],
            Self::PortPrefix => &[Class, Kind, Port, Prefix, Family, Sensor],
        }
    }

    /// Whether rows were cut, by a span's `cut`.
    pub const fn is_cut(self, cut: i64) -> bool {
        cut >> self as u8 & 1 != 0
    }

    /// Whether there are rows of days only.
    pub const fn is_of_days(self) -> bool {
        matches!(self, Self::PortPrefix)
    }

    /// The dimensions that it holds beside those that all hold, for people.
    pub const fn dimensions(self) -> &'static str {
        match self {
            Self::Total => "",
            Self::PortRegion => "ports and protocols with region",
            Self::PortTool => "ports and protocols with tool",
            Self::RegionAsn => "region with asn",
            Self::RegionTool => "region with tool",
            Self::PortPrefix => "ports and protocols with prefix (the largest prefixes, whole days)",
        }
    }

    /// How many columns of its key tell these dimensions; `None` if it does not hold them.
    pub fn columns_for(self, dimensions: &[Dimension]) -> Option<usize> {
        // The largest prefixes are not all packets: they answer only who asks for prefixes.
        if self == Self::PortPrefix && !dimensions.contains(&Dimension::Prefix) {
            return None;
        }
        let key = self.key();
        let place = |wanted: Column| key.iter().position(|&column| column == wanted).map(|place| place + 1);
        let both = |a: Option<usize>, b: Option<usize>| Some(a?.max(b?));
        let mut columns = 0;
        for dimension in dimensions {
            let needed = match dimension {
                Dimension::Time => Some(0),
                Dimension::Sensor => place(Column::Sensor),
                Dimension::Class => place(Column::Class),
                Dimension::Kind => place(Column::Kind),
                Dimension::Family => place(Column::Family),
                Dimension::DstPort | Dimension::VictimPort | Dimension::IcmpType => place(Column::Port),
                Dimension::Protocol => both(place(Column::Port), place(Column::Family)),
                // Whether the code was lost with the source shows in the column after the port.
                Dimension::IcmpCode => place(Column::Port).map(|place| place + 1),
                Dimension::Region => place(Column::Region),
                Dimension::Asn => place(Column::Asn),
                Dimension::Tool => place(Column::Tool),
                Dimension::Prefix => both(place(Column::Prefix), place(Column::Family)),
                Dimension::Source => None,
            };
            columns = columns.max(needed?);
        }
        Some(columns)
    }
}

/// The key of a row, as far as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    numbers: [i64; Column::COUNT],
    /// `None`: what a bound cut, or what names no region.
    region: Option<Region>,
}

/// A value of a dimension of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told<T> {
    Is(T),
    /// It does not apply, or was not known to a database.
    Absent,
    /// Lost with the source.
    Lost,
    /// Cut by a bound, or not told apart from that.
    Cut,
}

impl<T> Told<T> {
    fn fact<'a>(self, fact: impl FnOnce(T) -> Fact<'a>) -> Fact<'a> {
        match self {
            Self::Is(value) => fact(value),
            Self::Absent => Fact::Absent,
            Self::Lost | Self::Cut => Fact::Open,
        }
    }

    /// The value to group by; `None` if it was cut.
    fn value(self) -> Option<Option<T>> {
        match self {
            Self::Is(value) => Some(Some(value)),
            Self::Absent | Self::Lost => Some(None),
            Self::Cut => None,
        }
    }

    fn map<U>(self, map: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Is(value) => Told::Is(map(value)),
            Self::Absent => Told::Absent,
            Self::Lost => Told::Lost,
            Self::Cut => Told::Cut,
        }
    }
}

impl Cells {
    /// Reads the first so many columns, which are those of the key.
    pub fn read(row: &SqlRow<'_>, columns: &[Column]) -> rusqlite::Result<Self> {
        let mut cells = Self::default();
        for (index, &column) in columns.iter().enumerate() {
            if column == Column::Region {
                cells.region = match row.get_ref(index)? {
                    ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(region),
                    _ => None,
                };
            } else {
                cells.numbers[column as usize] = row.get(index)?;
            }
        }
        Ok(cells)
    }

    /// A column as it stands in the table.
    pub fn sql(&self, column: Column) -> rusqlite::types::Value {
        if column == Column::Region {
            let text = self.region.as_ref().map_or(OTHER, Region::as_str);
            return rusqlite::types::Value::Text(text.to_owned());
        }
        rusqlite::types::Value::Integer(self.number(column))
    }

    const fn number(&self, column: Column) -> i64 {
        self.numbers[column as usize]
    }

    /// The sensor's row; `None` if it was lost with the source.
    pub const fn sensor(&self) -> Option<i64> {
        match self.number(Column::Sensor) {
            0 => None,
            sensor => Some(sensor),
        }
    }

    fn class(&self) -> Told<Class> {
        let number = usize::try_from(self.number(Column::Class)).ok();
        number.and_then(|number| Class::ALL.get(number).copied()).map_or(Told::Lost, Told::Is)
    }

    fn kind(&self) -> Option<Kind> {
        Kind::from_number(u8::try_from(self.number(Column::Kind)).ok()?)
    }

    fn family(&self) -> Told<Family> {
        match self.number(Column::Family) {
            4 => Told::Is(Family::V4),
            6 => Told::Is(Family::V6),
            _ => Told::Lost,
        }
    }

    /// Whether the source was lost, as far as the columns that were read tell.
    pub fn is_lost(&self, table: Table) -> bool {
        match table {
            Table::PortRegion | Table::RegionAsn | Table::RegionTool => {
                self.region == Some(Region::UNATTRIBUTED)
            }
            Table::PortTool => self.number(Column::Tool) < 0,
            Table::Total | Table::PortPrefix => false,
        }
    }

    /// The key's port, for kinds of which `applies` says that it is what is wanted.
    fn port(&self, applies: impl FnOnce(Kind) -> bool) -> Told<u16> {
        match self.kind() {
            None => Told::Cut,
            Some(kind) if !applies(kind) => Told::Absent,
            Some(_) => u16::try_from(self.number(Column::Port)).map_or(Told::Cut, Told::Is),
        }
    }

    fn icmp_code(&self, table: Table) -> Told<u8> {
        match self.port(Kind::has_icmp_type) {
            Told::Is(_) if self.is_lost(table) => Told::Lost,
            port => port.map(|port| port as u8),
        }
    }

    fn protocol(&self) -> Told<Protocol> {
        let Some(kind) = self.kind() else { return Told::Cut };
        // Kinds whose dense counter holds both families have the same protocol in both.
        let family = if self.family() == Told::Is(Family::V6) { Family::V6 } else { Family::V4 };
        match Protocol::of_kind(kind, family) {
            Some(protocol) => Told::Is(protocol),
            None => self.port(|_| true).map(|port| Protocol::of_number(port as u8, family)),
        }
    }

    fn region(&self) -> Told<Region> {
        self.region.map_or(Told::Cut, Told::Is)
    }

    fn asn(&self, table: Table) -> Told<u32> {
        match self.number(Column::Asn) {
            0 if self.is_lost(table) => Told::Lost,
            0 => Told::Absent,
            asn => u32::try_from(asn).map_or(Told::Cut, Told::Is),
        }
    }

    fn tool(&self, table: Table) -> Told<Tool> {
        let is_cut = match table {
            // What lost its source and port looks the same.
            Table::PortTool => self.number(Column::Port) < 0,
            _ => self.region.is_none(),
        };
        let number = usize::try_from(self.number(Column::Tool)).ok();
        match number.and_then(|number| Tool::ALL.get(number).copied()) {
            Some(tool) => Told::Is(tool),
            None if is_cut => Told::Cut,
            None => Told::Lost,
        }
    }

    fn prefix(&self) -> Told<Prefix> {
        let Told::Is(family) = self.family() else { return Told::Cut };
        let upper = u64::try_from(self.number(Column::Prefix)).ok();
        upper.and_then(|upper| Prefix::of_upper(family, upper)).map_or(Told::Cut, Told::Is)
    }

    /// What the row says of a dimension.
    pub fn fact<'a>(
        &self,
        table: Table,
        dimension: Dimension,
        sensor: impl FnOnce(i64) -> Option<&'a str>,
    ) -> Fact<'a> {
        let number = |told: Told<u16>| told.fact(|number| Fact::Number(number.into()));
        match dimension {
            Dimension::Sensor => self.sensor().and_then(sensor).map_or(Fact::Open, Fact::Sensor),
            Dimension::Class => match self.class() {
                Told::Is(class) => Fact::Class(class),
                _ => Fact::ScanOrOther,
            },
            Dimension::Kind => self.kind().map_or(Fact::Open, Fact::Kind),
            Dimension::Family => self.family().fact(Fact::Family),
            Dimension::Protocol => self.protocol().fact(Fact::Protocol),
            Dimension::DstPort => number(self.port(Kind::has_dst_port)),
            Dimension::VictimPort => number(self.port(has_victim_port)),
            Dimension::IcmpType => number(self.port(Kind::has_icmp_type).map(|port| port >> 8)),
            Dimension::IcmpCode => number(self.icmp_code(table).map(u16::from)),
            Dimension::Region => self.region().fact(Fact::Region),
            Dimension::Asn => self.asn(table).fact(Fact::Number),
            Dimension::Tool => self.tool(table).fact(Fact::Tool),
            Dimension::Prefix => self.prefix().fact(Fact::Prefix),
            Dimension::Time | Dimension::Source => Fact::Open,
        }
    }

    /// Whether a bound cut a value of the row, of which all columns were read.
    pub fn is_other(&self, table: Table) -> bool {
        match table {
            Table::Total => false,
            Table::PortRegion | Table::RegionAsn | Table::RegionTool => self.region.is_none(),
            Table::PortTool => self.number(Column::Port) < 0,
            Table::PortPrefix => self.number(Column::Prefix) < 0,
        }
    }

    /// The values of these dimensions, but for time and sensor; `None` as well where a bound cut them.
    pub fn known(&self, table: Table, dimensions: &[Dimension]) -> Row {
        let mut row = Row::default();
        for &dimension in dimensions {
            // What was cut stays null.
            let _: Option<()> = self.set(&mut row, table, dimension);
        }
        row
    }

    /// The values of these dimensions, but for time and sensor; `None` if a bound cut one of them.
    pub fn row(&self, table: Table, dimensions: &[Dimension]) -> Option<Row> {
        let mut row = Row::default();
        for &dimension in dimensions {
            self.set(&mut row, table, dimension)?;
        }
        Some(row)
    }

    fn set(&self, row: &mut Row, table: Table, dimension: Dimension) -> Option<()> {
        match dimension {
            Dimension::Class => row.class = self.class().value()?,
            Dimension::Kind => row.kind = Some(named_kind(self.kind()?)),
            Dimension::Family => row.family = self.family().value()?,
            Dimension::Protocol => row.protocol = self.protocol().value()?,
            Dimension::DstPort => row.dst_port = self.port(Kind::has_dst_port).value()?,
            Dimension::VictimPort => row.victim_port = self.port(has_victim_port).value()?,
            Dimension::IcmpType => {
                row.icmp_type = self.port(Kind::has_icmp_type).map(|port| (port >> 8) as u8).value()?;
            }
            Dimension::IcmpCode => row.icmp_code = self.icmp_code(table).value()?,
            Dimension::Region => row.region = self.region().value()?,
            Dimension::Asn => row.asn = self.asn(table).value()?,
            Dimension::Tool => row.tool = self.tool(table).value()?,
            Dimension::Prefix => row.prefix = self.prefix().value()?,
            Dimension::Time | Dimension::Sensor | Dimension::Source => {}
        }
        Some(())
    }
}

/// A region in the tables that stands for what a bound cut.
const OTHER: &str = "other";

/// The region of a text in the tables; `None` for `other`.
fn region(text: &str) -> Option<Region> {
    match text {
        "unknown" => Some(Region::UNKNOWN),
        "non-routable" => Some(Region::NON_ROUTABLE),
        "unattributed" => Some(Region::UNATTRIBUTED),
        code => Region::from_code(code),
    }
}

/// Bounds on the columns of a table without which no row fulfils a condition: SQL text that goes on
/// behind `WHERE span = ?`, and its parameters.
#[derive(Debug, Default, PartialEq)]
pub struct Bounds {
    pub sql: String,
    pub parameters: Vec<rusqlite::types::Value>,
}

/// The most values of a column that are told to SQLite.
const MOST_BOUNDS: usize = 64;

impl Bounds {
    /// The bounds of a condition. `sensors`: the rows of a sensor's name.
    pub fn of(filter: &Filter, table: Table, sensors: impl Fn(&str) -> Vec<i64>) -> Self {
        use rusqlite::types::Value;
        let mut bounds = Self::default();
        let numbers =
            |numbers: &mut dyn Iterator<Item = i64>| numbers.map(Value::Integer).collect::<Vec<_>>();
        let kinds = |wanted: &dyn Fn(Kind) -> bool| {
            numbers(&mut Kind::ALL.into_iter().filter(|&kind| wanted(kind)).map(|kind| kind as i64))
        };
        for dimension in Dimension::ALL {
            let Some(literals) = filter.only(dimension) else { continue };
            let each = |value: &dyn Fn(&Literal) -> Option<i64>, open: &[i64]| {
                numbers(&mut literals.iter().filter_map(value).chain(open.iter().copied()))
            };
            let number = |literal: &Literal| match literal {
                Literal::Number(number) => Some(i64::from(*number)),
                _ => None,
            };
            match dimension {
                Dimension::Class => {
                    let class = |literal: &Literal| match literal {
                        Literal::Class(class) => Some(*class as i64),
                        _ => None,
                    };
                    bounds.add(table, Column::Class, each(&class, &[3]));
                }
                Dimension::Kind => {
                    bounds.add(
                        table,
                        Column::Kind,
                        kinds(&|kind| literals.contains(&Literal::Kind(named_kind(kind)))),
                    );
                }
                Dimension::DstPort => {
                    bounds.add(table, Column::Kind, kinds(&Kind::has_dst_port));
                    bounds.add(table, Column::Port, each(&number, &[-1]));
                }
                Dimension::VictimPort => {
                    bounds.add(table, Column::Kind, kinds(&has_victim_port));
                    bounds.add(table, Column::Port, each(&number, &[-1]));
                }
                Dimension::IcmpType | Dimension::IcmpCode => {
                    bounds.add(table, Column::Kind, kinds(&Kind::has_icmp_type));
                }
                Dimension::Region => {
                    let regions = literals.iter().filter_map(|literal| match literal {
                        Literal::Region(region) => Some(region.as_str().to_owned()),
                        _ => None,
                    });
                    let open = [OTHER, Region::UNATTRIBUTED.as_str()].map(str::to_owned);
                    bounds.add(table, Column::Region, regions.chain(open).map(Value::Text).collect());
                }
                Dimension::Asn => bounds.add(table, Column::Asn, each(&number, &[0, -1])),
                Dimension::Tool => {
                    let tool = |literal: &Literal| match literal {
                        Literal::Tool(tool) => Some(*tool as i64),
                        _ => None,
                    };
                    bounds.add(table, Column::Tool, each(&tool, &[-1]));
                }
                Dimension::Prefix => {
                    let upper = |literal: &Literal| match literal {
                        Literal::Prefix(Prefix { family: Family::V4, source, .. }) => {
                            Some((source >> 8) as i64)
                        }
                        Literal::Prefix(Prefix { source, .. }) => Some((source >> 16) as i64),
                        _ => None,
                    };
                    bounds.add(table, Column::Prefix, each(&upper, &[-1]));
                }
                Dimension::Family => {
                    let family = |literal: &Literal| match literal {
                        Literal::Family(Family::V4) => Some(4),
                        Literal::Family(Family::V6) => Some(6),
                        _ => None,
                    };
                    bounds.add(table, Column::Family, each(&family, &[0]));
                }
                Dimension::Sensor => {
                    let rows = literals.iter().flat_map(|literal| match literal {
                        Literal::Sensor(name) => sensors(name),
                        _ => Vec::new(),
                    });
                    bounds.add(table, Column::Sensor, numbers(&mut rows.chain([0])));
                }
                Dimension::Time | Dimension::Protocol | Dimension::Source => {}
            }
        }
        bounds
    }

    fn add(&mut self, table: Table, column: Column, mut values: Vec<rusqlite::types::Value>) {
        if values.len() > MOST_BOUNDS || !table.key().contains(&column) {
            return;
        }
        self.sql += &format!(" AND {} IN ({})", column.name(), vec!["?"; values.len()].join(", "));
        self.parameters.append(&mut values);
    }
}
