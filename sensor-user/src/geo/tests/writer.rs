//! A writer of MaxMind databases: just enough of the format to make every shape of it, and every fault.

use std::net::IpAddr;

/// A value of the data section.
#[derive(Clone, Debug, PartialEq)]
pub enum V {
    Map(Vec<(&'static str, V)>),
    Text(&'static str),
    Uint(u32),
    Array(Vec<V>),
    Bool(bool),
    Double(f64),
    /// A pointer to an offset in the section, of 1 to 4 bytes.
    Pointer(u32, usize),
}

impl V {
    pub fn map(entries: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        Self::Map(entries.into_iter().collect())
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Map(entries) => {
                head(7, entries.len(), out);
                for (key, value) in entries {
                    V::Text(key).write(out);
                    value.write(out);
                }
            }
            Self::Text(text) => {
                head(2, text.len(), out);
                out.extend(text.as_bytes());
            }
            Self::Uint(number) => {
                let bytes = number.to_be_bytes();
                let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
                head(6, 4 - zeros, out);
                out.extend(&bytes[zeros..]);
            }
            Self::Array(values) => {
                head(11, values.len(), out);
                values.iter().for_each(|value| value.write(out));
            }
            Self::Bool(value) => head(14, usize::from(*value), out),
            Self::Double(value) => {
                head(3, 8, out);
                out.extend(value.to_be_bytes());
            }
            &Self::Pointer(target, size) => {
                let value = target - [0, 2048, 526_336, 0][size - 1];
                let upper = if size == 4 { 0 } else { value >> (8 * size) };
                assert!(upper < 8);
                out.push(1 << 5 | (size as u8 - 1) << 3 | upper as u8);
                out.extend(&value.to_be_bytes()[4 - size..]);
            }
        }
    }
}

fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (short, more): (u8, &[u8]) = match size {
        0..29 => (size as u8, &[]),
        29..285 => (29, &[(size - 29) as u8]),
        285..65_821 => (30, &((size - 285) as u16).to_be_bytes()),
        _ => (31, &((size - 65_821) as u32).to_be_bytes()[1..]),
    };
    if kind < 8 {
        out.push(kind << 5 | short);
    } else {
        out.extend([short, kind - 7]);
    }
    out.extend(more);
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Empty,
    Node(usize),
    Data(usize),
}

/// A database in the making.
pub struct Writer {
    pub ip_version: u32,
    pub record_size: u32,
    pub database_type: &'static str,
    pub build_epoch: u32,
    nodes: Vec<[Slot; 2]>,
    pub data: Vec<u8>,
}

impl Writer {
    pub fn new(ip_version: u32, record_size: u32) -> Self {
        Self {
            ip_version,
            record_size,
            database_type: "Test",
            build_epoch: 1_700_000_000,
            nodes: vec![[Slot::Empty; 2]],
            data: Vec::new(),
        }
    }

    /// Adds a record to the data section.
    pub fn record(&mut self, value: &V) -> usize {
        let at = self.data.len();
        value.write(&mut self.data);
        at
    }

    /// Gives a network a record of its own.
    pub fn add(&mut self, network: &str, value: &V) -> &mut Self {
        let at = self.record(value);
        self.insert(network, at)
    }

    /// Gives a network a record that is there. Longer prefixes must come after shorter ones.
    pub fn insert(&mut self, network: &str, record: usize) -> &mut Self {
        self.set(network, Slot::Data(record))
    }

    /// Lets a network lead to the nodes of IPv4.
    pub fn alias(&mut self, network: &str) -> &mut Self {
        let mut node = 0;
        for _ in 0..96 {
            let Slot::Node(next) = self.nodes[node][0] else { panic!("no IPv4 in it yet") };
            node = next;
        }
        self.set(network, Slot::Node(node))
    }

    fn set(&mut self, network: &str, slot: Slot) -> &mut Self {
        let (address, length) = network.split_once('/').unwrap();
        let length: usize = length.parse().unwrap();
        let (bits, length) = match (address.parse().unwrap(), self.ip_version) {
            (IpAddr::V4(address), 4) => (u128::from(address.to_bits()) << 96, length),
            (IpAddr::V4(address), _) => (u128::from(address.to_bits()), length + 96),
            (IpAddr::V6(address), _) => (address.to_bits(), length),
        };
        let mut node = 0;
        for depth in 0..length {
            let bit = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                self.nodes[node][bit] = slot;
                break;
            }
            node = match self.nodes[node][bit] {
                Slot::Node(next) => next,
                leaf => {
                    self.nodes.push([leaf; 2]);
                    self.nodes[node][bit] = Slot::Node(self.nodes.len() - 1);
                    self.nodes.len() - 1
                }
            };
        }
        self
    }

    /// The metadata as it should be.
    pub fn metadata(&self) -> Vec<(&'static str, V)> {
        vec![
            ("binary_format_major_version", V::Uint(2)),
            ("binary_format_minor_version", V::Uint(0)),
            ("build_epoch", V::Uint(self.build_epoch)),
            ("database_type", V::Text(self.database_type)),
            ("description", V::map([("en", V::Text("a test"))])),
            ("ip_version", V::Uint(self.ip_version)),
            ("languages", V::Array(vec![V::Text("en")])),
            ("node_count", V::Uint(self.nodes.len() as u32)),
            ("record_size", V::Uint(self.record_size)),
        ]
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(self.metadata())
    }

    /// The file with other metadata.
    pub fn bytes_with(&self, metadata: Vec<(&'static str, V)>) -> Vec<u8> {
        let nodes: Vec<[u32; 2]> = self
            .nodes
            .iter()
            .map(|slots| {
                slots.map(|slot| match slot {
                    Slot::Empty => self.nodes.len() as u32,
                    Slot::Node(number) => number as u32,
                    Slot::Data(offset) => (self.nodes.len() + 16 + offset) as u32,
                })
            })
            .collect();
        file(&nodes, self.record_size, &self.data, &V::Map(metadata))
    }
}

/// A file of these very nodes.
pub fn file(nodes: &[[u32; 2]], record_size: u32, data: &[u8], metadata: &V) -> Vec<u8> {
    let mut out = Vec::new();
    for &[left, right] in nodes {
        match record_size {
            24 => [left, right].iter().for_each(|value| out.extend(&value.to_be_bytes()[1..])),
            28 => {
                out.extend(&left.to_be_bytes()[1..]);
                out.push((left >> 24 << 4 | right >> 24) as u8);
                out.extend(&right.to_be_bytes()[1..]);
            }
            _ => [left, right].iter().for_each(|value| out.extend(value.to_be_bytes())),
        }
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    metadata.write(&mut out);
    out
}
