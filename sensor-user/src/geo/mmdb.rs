//! A reader of MaxMind databases (MaxMind DB file format 2.0) for files that nobody vouches for.
//!
//! Source: <https://maxmind.github.io/MaxMind-DB/>. The crate `maxminddb` is the oracle of the tests and
//! not the reader, since it trusts the file: a node number beyond the file panics, a cycle in the
//! search tree makes its iterator push nodes until memory ends, and pointers that fan out keep its
//! decoder busy for ever. Here every step draws on a budget in proportion to the file's size, every
//! read is bounds-checked, nothing recurses, and nothing is allocated but what is found.

use std::cell::Cell;

/// Precedes the metadata, in the last [`METADATA_LIMIT`] bytes of the file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
const METADATA_LIMIT: usize = 128 * 1024;
/// Zeros between search tree and data.
const SEPARATOR: usize = 16;
/// How deep the part of the tree with 32-bit addresses lies, and where a /64 does.
const V4_DEPTH: u32 = 96;
const V6_DEPTH: u32 = 64;

/// What is wrong with a file, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub what: &'static str,
    pub at: usize,
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// There is no metadata.
    NotADatabase,
    Unsupported(String),
    Damaged(Damage),
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// A database in memory.
#[derive(Debug)]
pub(super) struct Mmdb<'a> {
    tree: &'a [u8],
    data: Section<'a>,
    nodes: u32,
    record_bits: u8,
    /// Steps that are left for walking the tree.
    steps: Cell<u64>,
    /// 4 or 6.
    pub ip_version: u8,
    /// What the maker calls it. Never used to tell what it holds.
    pub database_type: String,
    /// Seconds since 1970, if stated.
    pub build_epoch: Option<u64>,
}

/// Where a path through the tree leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Inner(u32),
    Empty,
    Record(usize),
}

impl<'a> Mmdb<'a> {
    /// Reads the metadata and checks the sections against the file's size.
    pub fn open(file: &'a [u8]) -> Result<Self, OpenError> {
        let marker = metadata_marker(file).ok_or(OpenError::NotADatabase)?;
        let metadata_start = marker + MARKER.len();
        let metadata = Section::new(&file[metadata_start..], metadata_start);
        let (root, _) = metadata.value(0)?;
        let Value::Map(root) = root else {
            return Err(metadata.damage("the metadata is not a map", 0).into());
        };
        let [mut major, mut ip_version, mut record_bits, mut nodes, mut build_epoch] = [None; 5];
        let mut database_type = String::new();
        metadata.entries(root, |key, value| {
            let number = match value {
                Value::Unsigned(number) => Some(number),
                _ => None,
            };
            match key {
                b"binary_format_major_version" => major = number,
                b"ip_version" => ip_version = number,
                b"record_size" => record_bits = number,
                b"node_count" => nodes = number,
                b"build_epoch" => build_epoch = number,
                b"database_type" => {
                    if let Value::Text(text) = value {
                        database_type = super::record::name(text);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;

        let stated = |what: Option<u64>, name: &'static str| what.ok_or(metadata.damage(name, 0));
        let major = stated(major, "the metadata has no `binary_format_major_version`")?;
        let ip_version = stated(ip_version, "the metadata has no `ip_version`")?;
        let record_bits = stated(record_bits, "the metadata has no `record_size`")?;
        let nodes = stated(nodes, "the metadata has no `node_count`")?;
        if major != 2 {
            return Err(OpenError::Unsupported(format!("format version {major} instead of 2")));
        }
        let ip_version = match ip_version {
            4 => 4,
            6 => 6,
            other => return Err(OpenError::Unsupported(format!("IP version {other} instead of 4 or 6"))),
        };
        let record_bits = match record_bits {
            24 => 24,
            28 => 28,
            32 => 32,
            other => {
                return Err(OpenError::Unsupported(format!(
                    "records of {other} bits instead of 24, 28 or 32"
                )));
            }
        };
        let node_count = u32::try_from(nodes)
            .ok()
            .filter(|&nodes| nodes > 0)
            .ok_or(metadata.damage("the number of nodes is impossible", 0))?;
        // Two records a node; at most 2^35 bytes.
        let tree_size = u64::from(node_count) * u64::from(record_bits) / 4;
        let tree_size = usize::try_from(tree_size)
            .ok()
            .filter(|size| size.checked_add(SEPARATOR).is_some_and(|end| end <= marker))
            .ok_or(metadata.damage("the search tree is cut off", 0))?;
        let data_start = tree_size + SEPARATOR;
        if file[tree_size..data_start].iter().any(|&byte| byte != 0) {
            return Err(Damage { what: "no separator after the search tree", at: tree_size }.into());
        }
        Ok(Self {
            tree: &file[..tree_size],
            data: Section::new(&file[data_start..marker], data_start),
            nodes: node_count,
            record_bits,
            // A tree has one way to each node. Makers let up to three prefixes of IPv6 (::ffff:0:0/96,
            // 2001::/32, 2002::/16) lead to the nodes of IPv4 as well; we walk these apart once more.
            steps: Cell::new(u64::from(node_count) * 8 + 4096),
            ip_version,
            database_type,
            build_epoch,
        })
    }

    /// Where records are read from.
    pub fn data(&self) -> &Section<'a> {
        &self.data
    }

    /// Walks all of IPv4 by ascending address: first address, and the record's offset in the data
    /// section if there is one. What is not yielded again goes on to the next start.
    pub fn walk_v4(
        &self,
        mut visit: impl FnMut(u32, Option<usize>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let root = match self.ip_version {
            4 => Node::Inner(0),
            _ => self.v4_root()?,
        };
        self.walk(root, 0, 0, u32::BITS, |start, record| visit((start >> 32) as u32, record))
    }

    /// Walks the global unicast space of IPv6, 2000::/3, by ascending upper 64 bits. A /64 that holds
    /// several networks has the record of its first address, as its other bits are not kept.
    pub fn walk_v6(
        &self,
        mut visit: impl FnMut(u64, Option<usize>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        if self.ip_version == 4 {
            return Ok(());
        }
        let mut root = Node::Inner(0);
        for bit in [0, 0, 1] {
            root = self.step(root, bit)?;
        }
        self.walk(root, 1 << 61, 3, V6_DEPTH, &mut visit)?;
        visit(1 << 62, None)
    }

    /// The node of ::/96, or if that is empty of ::ffff:0:0/96, where some makers put IPv4 instead.
    fn v4_root(&self) -> Result<Node, Damage> {
        let mut compatible = Node::Inner(0);
        let mut mapped = Node::Inner(0);
        for depth in 0..V4_DEPTH {
            compatible = self.step(compatible, 0)?;
            mapped = self.step(mapped, usize::from(depth >= 80))?;
        }
        Ok(if compatible == Node::Empty { mapped } else { compatible })
    }

    fn walk(
        &self,
        root: Node,
        start: u64,
        depth: u32,
        deepest: u32,
        mut visit: impl FnMut(u64, Option<usize>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        // One entry a level: never more than 64.
        let mut stack = vec![(root, start, depth)];
        while let Some((node, start, depth)) = stack.pop() {
            match node {
                Node::Empty => visit(start, None)?,
                Node::Record(offset) => visit(start, Some(offset))?,
                Node::Inner(_) if depth < deepest => {
                    stack.push((self.step(node, 1)?, start | 1 << (63 - depth), depth + 1));
                    stack.push((self.step(node, 0)?, start, depth + 1));
                }
                Node::Inner(number) if deepest == u32::BITS => {
                    return Err(self.tree_damage("the search tree is deeper than an address", number));
                }
                Node::Inner(number) => {
                    let mut first = node;
                    for _ in V6_DEPTH..128 {
                        first = self.step(first, 0)?;
                    }
                    match first {
                        Node::Inner(_) => {
                            return Err(self.tree_damage("the search tree is deeper than an address", number));
                        }
                        Node::Empty => visit(start, None)?,
                        Node::Record(offset) => visit(start, Some(offset))?,
                    }
                }
            }
        }
        Ok(())
    }

    /// The next node on the way; a leaf leads to itself.
    fn step(&self, node: Node, bit: usize) -> Result<Node, Damage> {
        let Node::Inner(number) = node else { return Ok(node) };
        let Some(left) = self.steps.get().checked_sub(1) else {
            return Err(self.tree_damage("the search tree runs in circles", number));
        };
        self.steps.set(left);
        let at = number as usize * usize::from(self.record_bits) / 4;
        let damage = || self.tree_damage("the search tree is cut off", number);
        let bytes = |from: usize, count: usize| self.tree.get(from..from + count).ok_or_else(damage);
        let value = match self.record_bits {
            24 => number_of(bytes(at + bit * 3, 3)?),
            28 => {
                // The byte in the middle lends its upper half to the left record, its lower to the right.
                let middle = number_of(bytes(at + 3, 1)?);
                let upper = if bit == 0 { middle >> 4 } else { middle & 0x0f };
                upper << 24 | number_of(bytes(at + bit * 4, 3)?)
            }
            _ => number_of(bytes(at + bit * 4, 4)?),
        };
        let nodes = u64::from(self.nodes);
        if value < nodes {
            return Ok(Node::Inner(value as u32));
        }
        if value == nodes {
            return Ok(Node::Empty);
        }
        let offset = (value - nodes).checked_sub(SEPARATOR as u64).map(|offset| offset as usize);
        match offset.filter(|&offset| offset < self.data.bytes.len()) {
            Some(offset) => Ok(Node::Record(offset)),
            None => Err(self.tree_damage("the search tree points outside the data", number)),
        }
    }

    fn tree_damage(&self, what: &'static str, node: u32) -> Damage {
        Damage { what, at: node as usize * usize::from(self.record_bits) / 4 }
    }
}

/// Whether these are the bytes of a MaxMind database, damaged or not.
pub(super) fn has_metadata(file: &[u8]) -> bool {
    metadata_marker(file).is_some()
}

fn metadata_marker(file: &[u8]) -> Option<usize> {
    let from = file.len().saturating_sub(METADATA_LIMIT);
    file[from..].windows(MARKER.len()).rposition(|window| window == MARKER).map(|at| from + at)
}

fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A value, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Map(Map),
    /// UTF-8 by the format's rules; not checked.
    Text(&'a [u8]),
    Unsigned(u64),
    /// Floats, booleans, arrays and the like.
    Other,
}

/// Where a map's entries begin, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Map {
    at: usize,
    entries: usize,
}

/// Values, and pointers among them.
#[derive(Debug)]
pub(super) struct Section<'a> {
    bytes: &'a [u8],
    /// Where the section lies in the file.
    start: usize,
    /// Values that may still be read. A sound file has every record read once, and most of its values
    /// are read once or skipped; pointers share some.
    steps: Cell<u64>,
}

/// The head of a value: its type, its size as the type means it, and where its body begins.
struct Head {
    kind: u8,
    size: usize,
    body: usize,
}

const POINTER: u8 = 1;
const STRING: u8 = 2;
const DOUBLE: u8 = 3;
const BYTES: u8 = 4;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const INT32: u8 = 8;
const UINT64: u8 = 9;
const UINT128: u8 = 10;
const ARRAY: u8 = 11;
const BOOLEAN: u8 = 14;
const FLOAT: u8 = 15;

impl<'a> Section<'a> {
    fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, start, steps: Cell::new(bytes.len() as u64 * 16 + 4096) }
    }

    /// That it is wrong here.
    pub fn damage(&self, what: &'static str, at: usize) -> Damage {
        Damage { what, at: self.start + at }
    }

    /// The value at an offset, behind a pointer if it is one, and where its body begins or, for all but
    /// maps, ends.
    pub fn value(&self, at: usize) -> Result<(Value<'a>, usize), Damage> {
        let head = self.head(at)?;
        if head.kind != POINTER {
            return self.body(head, at);
        }
        let end = head.body + pointer_size(head.size);
        let target = self.pointer(&head, at)?;
        let head = self.head(target)?;
        if head.kind == POINTER {
            return Err(self.damage("a pointer points to a pointer", at));
        }
        Ok((self.body(head, target)?.0, end))
    }

    fn body(&self, head: Head, at: usize) -> Result<(Value<'a>, usize), Damage> {
        if head.kind == MAP {
            return Ok((Value::Map(Map { at: head.body, entries: head.size }), head.body));
        }
        let length = self.length(&head, at)?;
        let bytes = self.slice(head.body, length, at)?;
        let value = match head.kind {
            STRING => Value::Text(bytes),
            UINT16 | UINT32 | UINT64 => Value::Unsigned(number_of(bytes)),
            _ => Value::Other,
        };
        Ok((value, head.body + length))
    }

    /// Visits a map's keys and values.
    pub fn entries(
        &self,
        map: Map,
        mut visit: impl FnMut(&'a [u8], Value<'a>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let mut at = map.at;
        for _ in 0..map.entries {
            let (key, value_at) = self.value(at)?;
            let Value::Text(key) = key else {
                return Err(self.damage("a key of a map is not text", at));
            };
            let (value, _) = self.value(value_at)?;
            visit(key, value)?;
            at = self.skip(value_at)?;
        }
        Ok(())
    }

    /// Where the value at an offset ends. Pointers are not followed.
    fn skip(&self, mut at: usize) -> Result<usize, Damage> {
        // How many values are still to be skipped: those inside maps and arrays as well.
        let mut pending = 1_u64;
        while pending > 0 {
            pending -= 1;
            let head = self.head(at)?;
            match head.kind {
                MAP => pending += 2 * head.size as u64,
                ARRAY => pending += head.size as u64,
                _ => {}
            }
            let length = self.length(&head, at)?;
            self.slice(head.body, length, at)?;
            at = head.body + length;
        }
        Ok(at)
    }

    fn head(&self, at: usize) -> Result<Head, Damage> {
        let Some(left) = self.steps.get().checked_sub(1) else {
            return Err(self.damage("its records refer to each other without end", at));
        };
        self.steps.set(left);
        let mut body = at;
        let mut next = || -> Result<usize, Damage> {
            let byte = self.bytes.get(body).ok_or(self.damage("a value is cut off", at))?;
            body += 1;
            Ok(usize::from(*byte))
        };
        let control = next()?;
        let kind = match (control >> 5) as u8 {
            // The types that did not fit follow in a byte of their own, counted from 7.
            0 => 7_u8.checked_add(next()? as u8).ok_or(self.damage("a value of an unknown type", at))?,
            kind => kind,
        };
        let size = control & 0x1f;
        let size = match size {
            _ if kind == POINTER => size,
            29 => 29 + next()?,
            30 => 285 + (next()? << 8 | next()?),
            31 => 65_821 + (next()? << 16 | next()? << 8 | next()?),
            size => size,
        };
        Ok(Head { kind, size, body })
    }

    /// How many bytes of body a value has, its parts apart.
    fn length(&self, head: &Head, at: usize) -> Result<usize, Damage> {
        let (length, allowed) = match head.kind {
            POINTER => (pointer_size(head.size), true),
            STRING | BYTES => (head.size, true),
            MAP | ARRAY => (0, true),
            BOOLEAN => (0, head.size <= 1),
            DOUBLE => (head.size, head.size == 8),
            FLOAT => (head.size, head.size == 4),
            UINT16 => (head.size, head.size <= 2),
            UINT32 | INT32 => (head.size, head.size <= 4),
            UINT64 => (head.size, head.size <= 8),
            UINT128 => (head.size, head.size <= 16),
            _ => return Err(self.damage("a value of an unknown type", at)),
        };
        if allowed { Ok(length) } else { Err(self.damage("a value of an impossible size", at)) }
    }

    fn pointer(&self, head: &Head, at: usize) -> Result<usize, Damage> {
        let size = pointer_size(head.size);
        let number = number_of(self.slice(head.body, size, at)?) as usize;
        let upper = head.size & 0x7;
        Ok(match size {
            1 => upper << 8 | number,
            2 => (upper << 16 | number) + 2048,
            3 => (upper << 24 | number) + 526_336,
            _ => number,
        })
    }

    fn slice(&self, at: usize, length: usize, value_at: usize) -> Result<&'a [u8], Damage> {
        // Lengths stay below 2^25 and offsets within the file: the sum cannot overflow.
        self.bytes.get(at..at + length).ok_or(self.damage("a value is cut off", value_at))
    }
}

fn pointer_size(size: usize) -> usize {
    (size >> 3) + 1
}
