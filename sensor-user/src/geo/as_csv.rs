//! Tables of autonomous systems as CSV: first address, last address, number, organisation.
//!
//! This is what `@ip-location-db/asn` and its kin publish, IPv4 and IPv6 in files of their own, the
//! addresses written as such or as decimal integers. A first line without a digit in its first field
//! is a heading.

use std::{cmp::Reverse, net::IpAddr};

use super::{
    file::Organisations,
    ranges::{Address, Flat},
    record,
};

/// What a CSV file holds.
#[derive(Debug)]
pub(super) struct AsTable {
    pub v4: Flat<u32, u32>,
    pub v6: Flat<u64, u32>,
    pub organisations: Organisations,
    /// Ranges of IPv4 and of IPv6 in the file.
    pub networks: (u64, u64),
}

/// A line that is no range, by its number from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub line: u64,
    pub what: String,
}

/// First and last address, and the number of the autonomous system.
type Row<A> = (A, A, u32);

/// Reads a table. Its lines may come in any order. Where they overlap, which a few do in real tables,
/// the one that begins last has it, and of these the shortest: as with routes, the more specific.
pub(super) fn read(text: &[u8]) -> Result<AsTable, BadLine> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text);
    let mut row = csv::ByteRecord::new();
    let (mut v4, mut v6, mut networks_v6) = (Vec::new(), Vec::new(), 0);
    let mut organisations = Organisations::default();
    loop {
        let position = |position: Option<&csv::Position>| position.map_or(0, csv::Position::byte) as u32;
        match reader.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let at = position(error.position());
                return Err(bad(text, at, format!("no CSV: {error}")));
            }
        }
        let at = position(row.position());
        let bad = |what: String| bad(text, at, what);
        let field = |number: usize| row.get(number).unwrap_or_default();
        if at == 0 && !field(0).iter().any(u8::is_ascii_digit) && address(field(0)).is_none() {
            continue;
        }
        let end = |number: usize| {
            address(field(number))
                .ok_or_else(|| bad(format!("`{}` is no IP address", record::name(field(number)))))
        };
        let (first, last) = (end(0)?, end(1)?);
        let asn = match field(2) {
            text if text.iter().any(u8::is_ascii_digit) => record::asn(text),
            text => return Err(bad(format!("`{}` is no AS number", record::name(text)))),
        };
        match (first, last) {
            (first, last) if first > last => {
                return Err(bad(format!("the range ends at {last}, before it begins at {first}")));
            }
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                v4.push((first.to_bits(), last.to_bits(), asn));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                networks_v6 += 1;
                // A /64 belongs to whom its first address belongs to, as its other bits are not kept.
                let (first, last) = (first.to_bits(), (last.to_bits() >> 64) as u64);
                let first = u64::try_from(first.div_ceil(1 << 64)).ok().filter(|&first| first <= last);
                v6.extend(first.map(|first| (first, last, asn)));
            }
            (first, last) => {
                return Err(bad(format!("{first} and {last} are of different families")));
            }
        }
        if asn != 0 && !field(3).is_empty() {
            organisations.entry(asn).or_insert_with(|| record::name(field(3)).into());
        }
    }
    let networks = (v4.len() as u64, networks_v6);
    let v4 = flatten(v4, |last| last.checked_add(1));
    let v6 = flatten(v6, |last| last.checked_add(1));
    Ok(AsTable { v4, v6, organisations, networks })
}

/// Who has what, where `next` is the address after another.
fn flatten<A: Address>(mut rows: Vec<Row<A>>, next: impl Fn(A) -> Option<A>) -> Flat<A, u32> {
    // Almost always sorted already.
    rows.sort_by_key(|&(first, last, _)| (first, Reverse(last)));
    let mut flat = Flat::new(0);
    // The ranges that have begun, the one that counts on top.
    let mut open: Vec<(A, u32)> = Vec::new();
    let close = |open: &mut Vec<(A, u32)>, flat: &mut Flat<A, u32>, until: Option<A>| {
        while let Some((last, _)) = open.pop_if(|&mut (last, _)| until.is_none_or(|until| last < until)) {
            // What lies below may have ended before.
            while open.pop_if(|&mut (below, _)| below <= last).is_some() {}
            if let Some(past) = next(last) {
                flat.push(past, open.last().map_or(0, |&(_, asn)| asn));
            }
        }
    };
    for (first, last, asn) in rows {
        close(&mut open, &mut flat, Some(first));
        flat.push(first, asn);
        open.push((last, asn));
    }
    close(&mut open, &mut flat, None);
    flat
}

fn bad(text: &[u8], at: u32, what: String) -> BadLine {
    BadLine { line: line(text, at), what }
}

/// The number of the line of a record. The reader's own count lags behind blank lines and CRLF, as it
/// has a record begin where the last one ended.
fn line(text: &[u8], at: u32) -> u64 {
    let at = at as usize;
    let blank = text[at..].iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
    1 + text[..at + blank].iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// An address as text or as a decimal integer; an integer of 32 bits is an IPv4 address.
fn address(field: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(field).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let number: u128 = text.parse().ok()?;
    Some(match u32::try_from(number) {
        Ok(number) => IpAddr::V4(number.into()),
        Err(_) => IpAddr::V6(number.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(table: &AsTable, address: &str) -> u32 {
        fn find<A: Ord + Copy>(ranges: &[(A, u32)], address: A) -> u32 {
            ranges[ranges.partition_point(|&(start, _)| start <= address) - 1].1
        }
        match address.parse().unwrap() {
            IpAddr::V4(address) => find(table.v4.ranges(), address.to_bits()),
            IpAddr::V6(address) => find(table.v6.ranges(), (address.to_bits() >> 64) as u64),
        }
    }

    #[test]
    fn both_families_in_any_order_quoted_or_not() {
        let table = read(
            b"1.0.4.0,1.0.7.255,38803,Gtelecom Pty Ltd\n\
              1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\r\n\
              \n\
              2a00::,2a00:0:0:1:ffff:ffff:ffff:ffff,AS64500,\n\
              255.255.255.0,255.255.255.255,7,End\n\
              3ffe:ffff::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,8\n",
        )
        .unwrap();
        assert_eq!(table.networks, (3, 2));
        let expected = [
            ("0.255.255.255", 0),
            ("1.0.0.0", 13335),
            ("1.0.0.255", 13335),
            ("1.0.1.0", 0),
            ("1.0.4.0", 38803),
            ("1.0.8.0", 0),
            ("255.255.255.255", 7),
            ("2a00::", 64500),
            ("2a00:0:0:1::", 64500),
            ("2a00:0:0:2::", 0),
            ("ffff::", 8),
        ];
        for (address, asn) in expected {
            assert_eq!(at(&table, address), asn, "{address}");
        }
        assert_eq!(&*table.organisations[&13335], "Cloudflare, Inc.");
        assert!(!table.organisations.contains_key(&64500));
    }

    #[test]
    fn integers_and_a_heading() {
        let table = read(
            b"ip_range_start,ip_range_end,autonomous_system_number,autonomous_system_organization\n\
              16777216,16777471,13335,Cloudflare\n\
              42540488161975842760550356425300246528,42540488241204005274814694018844196863,6939,HE\n",
        )
        .unwrap();
        assert_eq!(table.networks, (1, 1));
        assert_eq!(at(&table, "1.0.0.7"), 13335);
        assert_eq!(at(&table, "2001:0:ffff::"), 6939);
    }

    #[test]
    fn a_64_is_whose_its_first_address_is() {
        let table = read(
            b"2a00::1,2a00::ff,1,inside\n\
              2a00:0:0:1::,2a00:0:0:1::ff,2,beginning\n\
              2a00:0:0:2::1,2a00:0:0:3::5,3,across\n",
        )
        .unwrap();
        let expected = [("2a00::", 0), ("2a00:0:0:1::", 2), ("2a00:0:0:2::", 0), ("2a00:0:0:3::", 3)];
        for (address, asn) in expected {
            assert_eq!(at(&table, address), asn, "{address}");
        }
    }

    #[test]
    fn the_more_specific_of_overlapping_ranges_counts() {
        let table = read(
            b"1.0.0.0,1.0.0.99,1\n1.0.0.10,1.0.0.19,2\n1.0.0.12,1.0.0.12,3\n1.0.0.15,1.0.0.29,4\n\
              1.0.0.90,1.0.0.109,5\n1.0.0.105,1.0.0.106,6\n1.0.0.0,1.0.0.4,7\n1.0.0.5,1.0.0.5,1\n\
              255.0.0.0,255.255.255.255,8\n255.255.255.0,255.255.255.255,9\n",
        )
        .unwrap();
        // The last address of each stretch.
        let expected = [
            (4, 7),
            (9, 1),
            (11, 2),
            (12, 3),
            (14, 2),
            (29, 4),
            (89, 1),
            (104, 5),
            (106, 6),
            (109, 5),
            (255, 0),
        ];
        let mut first = 0;
        for (last, asn) in expected {
            for byte in first..=last {
                assert_eq!(at(&table, &format!("1.0.0.{byte}")), asn, "1.0.0.{byte}");
            }
            first = last + 1;
        }
        assert_eq!((at(&table, "255.255.254.0"), at(&table, "255.255.255.255")), (8, 9));
    }

    #[test]
    fn bad_lines_are_named() {
        let cases: [(&[u8], u64, &str); 7] = [
            (b"1.0.0.0,1.0.0.255,1,a\n1.0.1.0,1.0.1.256,1,a\n", 2, "`1.0.1.256` is no IP address"),
            (b"1.0.0.0,1.0.0.255,1,a\nstart,end,asn\n", 2, "`start` is no IP address"),
            (b"1.0.0.0,1.0.0.255,1,a\n\n\n1.0.1.0\n", 4, "`` is no IP address"),
            (b"1.0.0.0,1.0.0.255,1,a\r\n1.0.1.0,1.0.1.255,x,a\r\n", 2, "`x` is no AS number"),
            (b"1.0.0.9,1.0.0.2,1,a\n", 1, "the range ends at 1.0.0.2, before it begins at 1.0.0.9"),
            (b"1.0.0.0,2a00::,1,a\n", 1, "1.0.0.0 and 2a00:: are of different families"),
            (b"1.0.0.0\t1.0.0.255\t1\ta\n", 1, "`1.0.0.0 1.0.0.255 1 a` is no IP address"),
        ];
        for (text, line, what) in cases {
            assert_eq!(read(text).unwrap_err(), BadLine { line, what: what.into() });
        }
    }
}
