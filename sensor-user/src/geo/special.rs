//! Addresses that nobody has on the Internet, whatever a database says.
//!
//! Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), in
//! which "globally reachable" is false; multicast (RFC 5771, RFC 4291); and for IPv6 all that lies
//! outside the global unicast space that IANA allocates from, 2000::/3. Where the registry gives no
//! answer but "N/A", the database is asked: 6to4 (2002::/16), its relays (192.88.99.0/24) and Teredo
//! (2001::/32) did carry traffic between hosts that a database may know.

use std::net::Ipv4Addr;

use super::ranges::Flat;

/// First address and prefix length, by ascending address.
#[rustfmt::skip]
const V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // "this network", RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by a carrier's customers, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link local, RFC 3927
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890 (two anycast hosts have no country)
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, RFC 1112, and limited broadcast, RFC 919
];

/// Upper 64 bits of the first address, prefix length, and whether it is *not* routable. The longest
/// prefix wins.
#[rustfmt::skip]
const V6: [(u64, u32, bool); 11] = [
    (0, 0, true),                       // not global unicast, RFC 4291
    (0x2000_0000_0000_0000, 3, false),  // global unicast, RFC 4291
    (0x2001_0000_0000_0000, 23, true),  // protocol assignments (benchmarking, ORCHID), RFC 2928, but for
    (0x2001_0000_0000_0000, 32, false), // Teredo, RFC 4380,
    (0x2001_0001_0000_0000, 64, false), // anycast of PCP, TURN and DNS-SD, RFC 7723, 8155, 9665,
    (0x2001_0003_0000_0000, 32, false), // AMT, RFC 7450,
    (0x2001_0004_0112_0000, 48, false), // AS112, RFC 7535,
    (0x2001_0020_0000_0000, 28, false), // ORCHIDv2, RFC 7343, and
    (0x2001_0030_0000_0000, 28, false), // drone identification, RFC 9374
    (0x2001_0db8_0000_0000, 32, true),  // documentation, RFC 3849
    (0x3fff_0000_0000_0000, 20, true),  // documentation, RFC 9637
];

/// Where IPv4 sources are not routable.
pub(super) fn v4() -> Flat<u32, bool> {
    let mut flat = Flat::new(false);
    for (first, length) in V4 {
        let first = first.to_bits();
        flat.push(first, true);
        // The prefix that ends with the last address has nothing after it.
        if let Some(past) = first.checked_add(1 << (u32::BITS - length)) {
            flat.push(past, false);
        }
    }
    flat
}

/// Where IPv6 sources are not routable, by the upper 64 bits of their addresses.
pub(super) fn v6() -> Flat<u64, bool> {
    let ends = V6.iter().flat_map(|&(first, length, _)| {
        let past = 1_u64.checked_shl(u64::BITS - length).and_then(|size| first.checked_add(size));
        [Some(first), past]
    });
    let mut edges: Vec<u64> = ends.flatten().collect();
    edges.sort_unstable();
    let mut flat = Flat::new(true);
    for edge in edges {
        let holding = V6.iter().filter(|&&(first, length, _)| {
            // Of no bits every address has the same; a shift by all 64 would overflow.
            length == 0 || first >> (u64::BITS - length) == edge >> (u64::BITS - length)
        });
        if let Some(&(_, _, is_not_routable)) = holding.max_by_key(|&&(_, length, _)| length) {
            flat.push(edge, is_not_routable);
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::super::ranges::Ranges;
    use super::*;

    #[test]
    fn ipv4_edges() {
        let table = Ranges::new(v4(), false);
        let cases = [
            ("0.0.0.0", true),
            ("0.255.255.255", true),
            ("1.0.0.0", false),
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("100.63.255.255", false),
            ("100.64.0.0", true),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("126.255.255.255", false),
            ("127.0.0.1", true),
            ("128.0.0.0", false),
            ("169.253.255.255", false),
            ("169.254.0.0", true),
            ("169.254.255.255", true),
            ("169.255.0.0", false),
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("191.255.255.255", false),
            ("192.0.0.0", true),
            ("192.0.0.255", true),
            ("192.0.1.0", false),
            ("192.0.2.0", true),
            ("192.0.3.0", false),
            ("192.88.99.1", false),
            ("192.168.0.0", true),
            ("192.169.0.0", false),
            ("198.17.255.255", false),
            ("198.18.0.0", true),
            ("198.19.255.255", true),
            ("198.20.0.0", false),
            ("198.51.99.255", false),
            ("198.51.100.0", true),
            ("198.51.101.0", false),
            ("203.0.112.255", false),
            ("203.0.113.0", true),
            ("203.0.114.0", false),
            ("223.255.255.255", false),
            ("224.0.0.0", true),
            ("239.255.255.255", true),
            ("240.0.0.0", true),
            ("255.255.255.255", true),
        ];
        for (address, expected) in cases {
            let bits = address.parse::<Ipv4Addr>().unwrap().to_bits();
            assert_eq!(table.get(bits), expected, "{address}");
        }
    }

    #[test]
    fn ipv6_edges() {
        let table = Ranges::new(v6(), true);
        let cases = [
            ("::", true),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::1", true),
            ("100::", true),
            ("1fff:ffff:ffff:ffff::", true),
            ("2000::", false),
            ("2000:ffff:ffff:ffff::", false),
            ("2001::", false),
            ("2001:0:ffff:ffff::", false),
            ("2001:1::1", false),
            ("2001:1:0:1::", true),
            ("2001:2::", true),
            ("2001:2:1::", true),
            ("2001:3::", false),
            ("2001:4::", true),
            ("2001:4:112::", false),
            ("2001:4:113::", true),
            ("2001:10::", true),
            ("2001:20::", false),
            ("2001:2f:ffff:ffff::", false),
            ("2001:30::", false),
            ("2001:40::", true),
            ("2001:1ff:ffff:ffff::", true),
            ("2001:200::", false),
            ("2001:db7:ffff:ffff::", false),
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff::", true),
            ("2001:db9::", false),
            ("2002::", false),
            ("3ffe:ffff:ffff:ffff::", false),
            ("3fff::", true),
            ("3fff:fff:ffff:ffff::", true),
            ("3fff:1000::", false),
            ("3fff:ffff:ffff:ffff::", false),
            ("4000::", true),
            ("5f00::", true),
            ("fc00::", true),
            ("fe80::1", true),
            ("ff02::1", true),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true),
        ];
        for (address, expected) in cases {
            let bits = (address.parse::<Ipv6Addr>().unwrap().to_bits() >> 64) as u64;
            assert_eq!(table.get(bits), expected, "{address}");
        }
    }
}
