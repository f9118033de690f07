//! What a record says about a source: told by its fields, never by what the database is called.
//!
//! | maker | country | autonomous system |
//! | --- | --- | --- |
//! | GeoLite2, GeoIP2, DB-IP | `country.iso_code`, else `registered_country.iso_code` | `autonomous_system_number`, `autonomous_system_organization` |
//! | ip-location-db | `country_code` | the same |
//! | IPinfo Lite | `country_code` (`country` is a name) | `asn` (text: `AS174`), `as_name` |
//! | older IPinfo | `country` (an ISO code) | `asn`, `name` |

use super::mmdb::{Damage, Section, Value};
use crate::model::Region;

/// The longest name that is kept, in characters. The registries' own limits are well below.
const NAME_LIMIT: usize = 200;

/// What a record says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The country; [`Region::UNKNOWN`] if there is a field for it that says nothing.
    pub country: Option<Region>,
    /// The number of the autonomous system; 0 if there is a field for it that says nothing.
    pub asn: Option<u32>,
    /// Who runs it.
    pub organisation: Option<&'a [u8]>,
}

/// Reads the record at an offset.
pub(super) fn read<'a>(data: &Section<'a>, at: usize) -> Result<Record<'a>, Damage> {
    let (Value::Map(root), _) = data.value(at)? else {
        return Err(data.damage("a record is not a map", at));
    };
    let mut record = Record::default();
    let [mut nested, mut code, mut text, mut registered] = [None; 4];
    let [mut organisation, mut as_name, mut name] = [None; 3];
    data.entries(root, |key, value| {
        match (key, value) {
            (b"country", Value::Map(map)) => nested = iso_code(data, map)?.or(Some(Region::UNKNOWN)),
            (b"country", Value::Text(value)) => text = region(value),
            (b"registered_country", Value::Map(map)) => registered = iso_code(data, map)?,
            (b"country_code", Value::Text(value)) => code = region(value).or(Some(Region::UNKNOWN)),
            (b"autonomous_system_number" | b"asn", Value::Unsigned(number)) => {
                record.asn = Some(u32::try_from(number).unwrap_or(0));
            }
            (b"autonomous_system_number" | b"asn", Value::Text(text)) => record.asn = Some(asn(text)),
            (b"autonomous_system_organization", Value::Text(text)) => organisation = Some(text),
            (b"as_name", Value::Text(text)) => as_name = Some(text),
            (b"name", Value::Text(text)) => name = Some(text),
            _ => {}
        }
        Ok(())
    })?;
    let says = [nested, code, text, registered].into_iter().flatten();
    record.country = says.reduce(|first, next| if first == Region::UNKNOWN { next } else { first });
    record.organisation = organisation.or(as_name).or(name).filter(|name| !name.is_empty());
    Ok(record)
}

fn iso_code(data: &Section<'_>, map: super::mmdb::Map) -> Result<Option<Region>, Damage> {
    let mut code = None;
    data.entries(map, |key, value| {
        if let (b"iso_code", Value::Text(text)) = (key, value) {
            code = region(text);
        }
        Ok(())
    })?;
    Ok(code)
}

/// The region of an alpha-2 code; `None` for anything else. `XX` and `ZZ`, which ISO 3166 leaves to
/// users and users take for "unknown", are unknown.
fn region(code: &[u8]) -> Option<Region> {
    let region = Region::from_code(std::str::from_utf8(code).ok()?)?;
    Some(if matches!(region.as_str(), "XX" | "ZZ") { Region::UNKNOWN } else { region })
}

/// The number in `AS174` or `174`; 0 if there is none.
pub(super) fn asn(text: &[u8]) -> u32 {
    let text = text.trim_ascii();
    let digits = match text {
        [b'A' | b'a', b'S' | b's', digits @ ..] => digits,
        digits => digits,
    };
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A name as it is kept: valid UTF-8 without control characters, and bounded.
pub(super) fn name(bytes: &[u8]) -> String {
    // Four bytes are the most that a character takes.
    let bytes = &bytes[..bytes.len().min(4 * NAME_LIMIT)];
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_LIMIT).collect()
}
