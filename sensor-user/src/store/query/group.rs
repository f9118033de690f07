//! What rows of an answer are told apart by.

use sensor_common::kind::Kind;

use crate::model::{Comparison, Dimension, Filter, Literal, Row, Test, has_victim_port, named_kind};

/// The values of the dimensions, and the place of the sensor's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    pub row: Row,
    pub sensor: Option<u32>,
}

/// Bit `d` is set if dimension `d` is null.
pub fn nulls(group: &Group, by: &[Dimension]) -> u32 {
    by.iter().fold(0, |nulls, &dimension| {
        nulls | u32::from(literal(group, dimension, &[]).is_none()) << dimension as u8
    })
}

/// A condition that the packets of these groups fulfil, which have nulls in the same dimensions. Others may fulfil it
/// as well.
pub fn condition(groups: &[Group], by: &[Dimension], sensors: &[String]) -> Filter {
    let compare = |dimension, literals| Filter::Compare(Comparison::new(dimension, Test::In(literals)));
    let conditions = by.iter().filter_map(|&dimension| {
        let mut literals: Vec<Literal> = Vec::new();
        for group in groups {
            let Some(literal) = literal(group, dimension, sensors) else {
                return kinds_without(dimension).map(|kinds| compare(Dimension::Kind, kinds));
            };
            if !literals.contains(&literal) {
                literals.push(literal);
            }
        }
        Some(compare(dimension, literals))
    });
    Filter::And(conditions.collect())
}

/// The kinds to some of which a dimension does not apply; `None` if it always does.
fn kinds_without(dimension: Dimension) -> Option<Vec<Literal>> {
    let applies: fn(Kind) -> bool = match dimension {
        Dimension::DstPort => Kind::has_dst_port,
        Dimension::VictimPort => has_victim_port,
        Dimension::IcmpType | Dimension::IcmpCode => Kind::has_icmp_type,
        _ => return None,
    };
    // A code may be null where it was lost.
    let without = |kind: &Kind| dimension == Dimension::IcmpCode || !applies(*kind);
    Some(Kind::ALL.into_iter().filter(without).map(|kind| Literal::Kind(named_kind(kind))).collect())
}

fn literal(group: &Group, dimension: Dimension, sensors: &[String]) -> Option<Literal> {
    let row = &group.row;
    let number = |number: Option<u32>| number.map(Literal::Number);
    match dimension {
        Dimension::Sensor => {
            let place = group.sensor?;
            Some(Literal::Sensor(sensors.get(place as usize).cloned().unwrap_or_default()))
        }
        Dimension::Class => row.class.map(Literal::Class),
        Dimension::Kind => row.kind.map(Literal::Kind),
        Dimension::Family => row.family.map(Literal::Family),
        Dimension::Protocol => row.protocol.map(Literal::Protocol),
        Dimension::DstPort => number(row.dst_port.map(u32::from)),
        Dimension::VictimPort => number(row.victim_port.map(u32::from)),
        Dimension::IcmpType => number(row.icmp_type.map(u32::from)),
        Dimension::IcmpCode => number(row.icmp_code.map(u32::from)),
        Dimension::Region => row.region.map(Literal::Region),
        Dimension::Asn => number(row.asn),
        Dimension::Tool => row.tool.map(Literal::Tool),
        Dimension::Prefix => row.prefix.map(Literal::Prefix),
        Dimension::Time | Dimension::Source => None,
    }
}
