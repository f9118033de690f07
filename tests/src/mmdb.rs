//! Small country databases in MaxMind's format: IPv4 networks of eight bits.

/// A database that knows the country, by ISO code, of these /8 networks.
///
/// `asn`: a number that all of them have as their autonomous system, where the database is one of
/// those instead of countries.
fn database(networks: &[(u8, &str)], asn: Option<u32>) -> Vec<u8> {
    /// No node and no record.
    const EMPTY: usize = usize::MAX;
    let mut nodes = vec![[EMPTY; 2]];
    let mut data = Vec::new();
    let mut records = Vec::new();
    for &(network, country) in networks {
        let record = data.len();
        match asn {
            Some(asn) => {
                map(1, &mut data);
                text("autonomous_system_number", &mut data);
                number(asn, &mut data);
            }
            None => {
                map(1, &mut data);
                text("country_code", &mut data);
                text(country, &mut data);
            }
        }
        let mut node = 0;
        for bit in (1..8).rev().map(|bit| usize::from(network >> bit & 1)) {
            if nodes[node][bit] == EMPTY {
                nodes[node][bit] = nodes.len();
                nodes.push([EMPTY; 2]);
            }
            node = nodes[node][bit];
        }
        records.push((node, usize::from(network & 1), record));
    }
    let count = nodes.len();
    for pair in nodes.iter_mut().flatten() {
        if *pair == EMPTY {
            *pair = count;
        }
    }
    for (node, bit, record) in records {
        nodes[node][bit] = count + 16 + record;
    }

    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        file.extend((*record as u32).to_be_bytes());
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    map(7, &mut file);
    for (key, value) in [
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
        ("build_epoch", 1_700_000_000),
        ("ip_version", 4),
        ("node_count", count as u32),
        ("record_size", 32),
    ] {
        text(key, &mut file);
        number(value, &mut file);
    }
    text("database_type", &mut file);
    text("Test", &mut file);
    file
}

/// A country database of these /8 networks.
pub fn countries(networks: &[(u8, &str)]) -> Vec<u8> {
    database(networks, None)
}

/// A database in which these /8 networks belong to one autonomous system.
pub fn systems(networks: &[u8], asn: u32) -> Vec<u8> {
    let networks: Vec<_> = networks.iter().map(|&network| (network, "")).collect();
    database(&networks, Some(asn))
}

fn map(entries: u8, to: &mut Vec<u8>) {
    to.push(7 << 5 | entries);
}

fn text(text: &str, to: &mut Vec<u8>) {
    assert!(text.len() < 29 + 256);
    match u8::try_from(text.len()) {
        Ok(short @ ..29) => to.push(2 << 5 | short),
        _ => to.extend([2 << 5 | 29, (text.len() - 29) as u8]),
    }
    to.extend(text.as_bytes());
}

fn number(number: u32, to: &mut Vec<u8>) {
    to.push(6 << 5 | 4);
    to.extend(number.to_be_bytes());
}
