use std::{
    env, fs,
    io::{Cursor, Write},
    process,
};

use flate2::{Compression, write::GzEncoder};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader, traits::PcapNGPacketBlock};

use super::{clock::Clock, fields::Order, *};

type Owned = (i64, Vec<u8>, u32);
const ORDERS: [Order; 2] = [Order::Little, Order::Big];

// Fixtures, byte by byte.

fn put16(out: &mut Vec<u8>, order: Order, value: u16) {
    out.extend(if order == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() });
}

fn put32(out: &mut Vec<u8>, order: Order, value: u32) {
    out.extend(if order == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() });
}

fn put64(out: &mut Vec<u8>, order: Order, value: u64) {
    out.extend(if order == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() });
}

fn pcap_header(order: Order, magic: u32, version: (u16, u16), link_type: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put32(&mut out, order, magic);
    put16(&mut out, order, version.0);
    put16(&mut out, order, version.1);
    for field in [0, 0, 65_535, link_type] {
        put32(&mut out, order, field);
    }
    out
}

fn pcap_record(out: &mut Vec<u8>, order: Order, header: [u32; 4], data: &[u8]) {
    for field in header {
        put32(out, order, field);
    }
    out.extend(data);
}

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

/// Four frames of 0, 14, 61 and 60 bytes, at 1,000 s and so many units.
fn small_pcap(order: Order, magic: u32) -> Vec<u8> {
    let mut out = pcap_header(order, magic, (2, 4), 1);
    for (i, length) in [0, 14, 61, 60].into_iter().enumerate() {
        let data = vec![i as u8 + 1; length as usize];
        for field in [1_000, i as u32, length, length + 5] {
            put32(&mut out, order, field);
        }
        if magic == MODIFIED {
            out.extend([0xee; 8]);
        }
        out.extend(data);
    }
    out
}

fn small_pcap_frames(unit_ns: i64) -> Vec<Owned> {
    [0u32, 14, 61, 60]
        .into_iter()
        .enumerate()
        .map(|(i, length)| {
            (1_000_000_000_000 + i as i64 * unit_ns, vec![i as u8 + 1; length as usize], length + 5)
        })
        .collect()
}

struct Ng {
    order: Order,
    out: Vec<u8>,
    /// Where blocks begin.
    blocks: Vec<usize>,
}

impl Ng {
    fn new(order: Order) -> Self {
        let mut ng = Self { order, out: Vec::new(), blocks: Vec::new() };
        ng.section(order);
        ng
    }

    fn block(&mut self, block_type: u32, content: &[u8]) {
        self.blocks.push(self.out.len());
        let length = content.len().next_multiple_of(4) + 12;
        put32(&mut self.out, self.order, block_type);
        put32(&mut self.out, self.order, length as u32);
        self.out.extend(content);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        put32(&mut self.out, self.order, length as u32);
    }

    fn section(&mut self, order: Order) {
        self.order = order;
        let mut content = Vec::new();
        put32(&mut content, order, 0x1a2b_3c4d);
        put16(&mut content, order, 1);
        put16(&mut content, order, 0);
        put64(&mut content, order, u64::MAX);
        // An option, shb_userappl.
        put16(&mut content, order, 4);
        put16(&mut content, order, 5);
        content.extend(b"tests\0\0\0");
        put32(&mut content, order, 0);
        self.block(pcapng::SECTION_HEADER, &content);
    }

    fn interface(&mut self, link_type: u16, snap_len: u32, options: &[(u16, &[u8])]) {
        let mut content = Vec::new();
        put16(&mut content, self.order, link_type);
        put16(&mut content, self.order, 0);
        put32(&mut content, self.order, snap_len);
        for (code, value) in options {
            put16(&mut content, self.order, *code);
            put16(&mut content, self.order, value.len() as u16);
            content.extend(*value);
            content.resize(content.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            put32(&mut content, self.order, 0);
        }
        self.block(1, &content);
    }

    fn interface_with_clock(&mut self, resolution: u8, offset: i64) {
        let mut seconds = Vec::new();
        put64(&mut seconds, self.order, offset as u64);
        self.interface(1, 0, &[(2, b"eth0"), (9, &[resolution]), (14, &seconds)]);
    }

    fn enhanced(&mut self, interface: u32, time: u64, data: &[u8], options: &[u8]) {
        let mut content = Vec::new();
        for field in [interface, (time >> 32) as u32, time as u32, data.len() as u32, data.len() as u32 + 5] {
            put32(&mut content, self.order, field);
        }
        content.extend(data);
        content.resize(content.len().next_multiple_of(4), 0);
        content.extend(options);
        self.block(6, &content);
    }

    fn simple(&mut self, original: u32, data: &[u8]) {
        let mut content = Vec::new();
        put32(&mut content, self.order, original);
        content.extend(data);
        self.block(3, &content);
    }

    fn obsolete(&mut self, interface: u16, time: u64, data: &[u8]) {
        let mut content = Vec::new();
        put16(&mut content, self.order, interface);
        put16(&mut content, self.order, 7);
        for field in [(time >> 32) as u32, time as u32, data.len() as u32, data.len() as u32 + 5] {
            put32(&mut content, self.order, field);
        }
        content.extend(data);
        self.block(2, &content);
    }
}

/// Every kind of block, two sections of either byte order. Frames, and in which block each is.
fn small_pcapng() -> (Ng, Vec<Owned>, Vec<usize>) {
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 20, &[]);
    ng.interface_with_clock(9, 0);
    ng.interface(113, 0, &[]); // no packets, so it does not matter
    ng.block(4, b"names, which are stepped over");
    ng.enhanced(0, 5_000_000, &[1; 14], &[]);
    ng.enhanced(1, 6_000_000_000, &[2; 61], b"\x01\0\x04\0text\0\0\0\0");
    ng.simple(33, &[3; 20]);
    ng.block(5, &[0; 12]);
    ng.section(Order::Big);
    ng.interface_with_clock(0x80 | 10, 100);
    ng.obsolete(0, 1_536, &[4; 15]);
    ng.simple(15, &[5; 15]);
    ng.enhanced(0, 2_048, &[], &[]);
    ng.block(0x0bad, b"custom");
    let frames = vec![
        (5_000_000_000, vec![1; 14], 19),
        (6_000_000_000, vec![2; 61], 66),
        (6_000_000_000, vec![3; 20], 33),
        (101_500_000_000, vec![4; 15], 20),
        (101_500_000_000, vec![5; 15], 15),
        (102_000_000_000, vec![], 5),
    ];
    (ng, frames, vec![5, 6, 7, 11, 12, 13])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads to the end; checks what holds of every capture.
fn read(reader: impl Read + Send + 'static) -> Result<(Vec<Owned>, Option<Damage>), CaptureError> {
    let mut capture = Capture::from_reader("x.pcap", reader)?;
    let mut frames = Vec::new();
    let end = loop {
        match capture.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.bytes.len() <= MAX_FRAME as usize);
                frames.push((frame.time_ns, frame.bytes.to_vec(), frame.original_len));
                assert!(capture.damage().is_none());
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(capture.next_frame().unwrap().is_none(), "there is nothing after the end");
    assert_eq!(capture.frames(), frames.len() as u64);
    end?;
    if let Some(damage) = capture.damage() {
        assert_eq!(damage.frames, frames.len() as u64);
    }
    Ok((frames, capture.damage().cloned()))
}

fn read_bytes(bytes: &[u8]) -> Result<(Vec<Owned>, Option<Damage>), CaptureError> {
    read(Cursor::new(bytes.to_vec()))
}

/// The frames of an undamaged capture.
fn frames(bytes: &[u8]) -> Vec<Owned> {
    let (frames, damage) = read_bytes(bytes).unwrap();
    assert_eq!(damage, None);
    frames
}

/// How many frames, where the damage is, and what it is.
fn damage(bytes: &[u8]) -> (u64, u64, Flaw) {
    let damage = read_bytes(bytes).unwrap().1.expect("damage");
    (damage.frames, damage.offset, damage.flaw)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }
}

/// A pipe: a few bytes at a time, and signals.
struct Trickle(Cursor<Vec<u8>>, Random);

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let some = self.1.below(8);
        if some == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let some = some.min(out.len());
        self.0.read(&mut out[..some])
    }
}

#[test]
fn pcap_variants() {
    for order in ORDERS {
        for (magic, unit_ns) in [(MICRO, 1_000), (NANO, 1), (MODIFIED, 1_000)] {
            let bytes = small_pcap(order, magic);
            assert_eq!(frames(&bytes), small_pcap_frames(unit_ns), "{order:?} {magic:#x}");
            assert_eq!(frames(&gzip(&bytes)), small_pcap_frames(unit_ns), "{order:?} {magic:#x}");
        }
    }
}

#[test]
fn pcap_old_versions_swap_lengths() {
    for (version, lengths) in
        [((2, 2), [9, 4]), ((543, 0), [9, 4]), ((2, 3), [9, 4]), ((2, 3), [4, 9]), ((2, 4), [4, 9])]
    {
        let mut bytes = pcap_header(Order::Little, MICRO, version, 1);
        pcap_record(&mut bytes, Order::Little, [1, 0, lengths[0], lengths[1]], &[7; 4]);
        assert_eq!(frames(&bytes), [(1_000_000_000, vec![7; 4], 9)], "{version:?} {lengths:?}");
    }
}

#[test]
fn pcap_frame_check_sequence_bits_are_not_the_link_type() {
    assert!(frames(&pcap_header(Order::Big, MICRO, (2, 4), 0x2400_0001)).is_empty());
}

#[test]
fn pcap_latest_time() {
    for (magic, ns) in [(NANO, 4_294_967_299_294_967_295), (MICRO, 4_294_971_589_967_295_000)] {
        let mut bytes = pcap_header(Order::Little, magic, (2, 4), 1);
        pcap_record(&mut bytes, Order::Little, [u32::MAX, u32::MAX, 0, 0], &[]);
        assert_eq!(frames(&bytes)[0].0, ns);
    }
}

#[test]
fn pcapng_every_block() {
    let (ng, expected, _) = small_pcapng();
    assert_eq!(frames(&ng.out), expected);
    assert_eq!(frames(&gzip(&ng.out)), expected);
}

#[test]
fn pcapng_simple_packets_without_a_time_before_them() {
    for order in ORDERS {
        let mut ng = Ng::new(order);
        ng.interface(1, 0, &[]);
        ng.simple(3, &[9; 3]);
        // More on the wire than was captured, and no limit declared: the block tells.
        ng.simple(1_500, &[8; 40]);
        assert_eq!(frames(&ng.out), [(0, vec![9; 3], 3), (0, vec![8; 40], 1_500)]);
    }
}

#[test]
fn clocks() {
    let at = |resolution: u8, offset: i64, units: u64| {
        Clock::MICROSECONDS.with_offset(offset).with_resolution(resolution).ns(units)
    };
    assert_eq!(Clock::MICROSECONDS.ns(1_500_000_000_000_001), 1_500_000_000_000_001_000);
    assert_eq!(at(0, 0, 2), 2_000_000_000);
    assert_eq!(at(3, 0, 2), 2_000_000);
    assert_eq!(at(9, 0, 1_500_000_000_000_000_001), 1_500_000_000_000_000_001);
    assert_eq!(at(12, 0, 2_999), 2);
    assert_eq!(at(19, 0, u64::MAX), 1_844_674_407);
    assert_eq!(at(28, 0, 10_000_000_000_000_000_000), 1);
    assert_eq!(at(29, 0, u64::MAX), 0);
    assert_eq!(at(127, 5, u64::MAX), 5_000_000_000);
    assert_eq!(at(0x80, 0, 3), 3_000_000_000);
    assert_eq!(at(0x80 | 1, 0, 3), 1_500_000_000);
    assert_eq!(at(0x80 | 32, 0, 1_500_000_000 << 32 | 1 << 31), 1_500_000_000_500_000_000);
    assert_eq!(at(0x80 | 63, 0, 1 << 63), 1_000_000_000);
    assert_eq!(at(0xff, 0, u64::MAX), 0);
    // Offsets, and what lies beyond.
    assert_eq!(at(6, -1, 0), -1_000_000_000);
    assert_eq!(at(6, 1_500_000_000, 7), 1_500_000_000_000_007_000);
    assert_eq!(at(6, i64::MAX, 0), i64::MAX);
    assert_eq!(at(6, i64::MIN, 0), i64::MIN);
    assert_eq!(at(0, i64::MAX, u64::MAX), i64::MAX);
    assert_eq!(at(0, 0, u64::MAX), i64::MAX);
    for resolution in 0..=255 {
        for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
            for units in [0, 1, u64::MAX] {
                at(resolution, offset, units);
            }
        }
    }
}

#[test]
fn pcapng_clock_options_in_both_byte_orders() {
    for order in ORDERS {
        let mut ng = Ng::new(order);
        ng.interface_with_clock(3, -2);
        ng.interface_with_clock(0x80 | 1, 1 << 33);
        ng.enhanced(0, 1 << 33, &[], &[]);
        ng.enhanced(1, 3, &[], &[]);
        let times: Vec<_> = frames(&ng.out).into_iter().map(|frame| frame.0).collect();
        assert_eq!(times, [8_589_932_592_000_000, 8_589_934_593_500_000_000]);
    }
}

#[test]
fn pcap_cut_at_every_length() {
    for (order, magic) in
        [(Order::Little, MICRO), (Order::Big, NANO), (Order::Big, MODIFIED), (Order::Little, MODIFIED)]
    {
        let bytes = small_pcap(order, magic);
        let all = frames(&bytes);
        let header = if magic == MODIFIED { 24 } else { 16 };
        let mut ends = vec![24];
        for frame in &all {
            ends.push(ends.last().unwrap() + header + frame.1.len());
        }
        for length in 0..bytes.len() {
            let cut = read_bytes(&bytes[..length]);
            match length {
                0 => assert!(matches!(cut, Err(CaptureError::Empty { .. }))),
                1..4 => assert!(matches!(cut, Err(CaptureError::NotACapture { .. }))),
                _ => {
                    let (some, damage) = cut.unwrap();
                    let whole = ends.iter().filter(|&&end| end <= length).count();
                    assert_eq!(some, all[..whole.saturating_sub(1)], "{length}");
                    let start = if whole == 0 { 0 } else { ends[whole - 1] };
                    if length == start {
                        assert_eq!(damage, None, "{length}");
                        continue;
                    }
                    let damage = damage.unwrap();
                    assert_eq!(damage.offset, start as u64, "{length}");
                    let Flaw::CutShort { had, needed, .. } = damage.flaw else {
                        panic!("{damage:?}");
                    };
                    assert_eq!(had, (length - start) as u64);
                    assert!(had < needed);
                }
            }
        }
    }
}

#[test]
fn pcapng_cut_at_every_length() {
    let (ng, all, packet_blocks) = small_pcapng();
    for length in 4..ng.out.len() {
        let (some, damage) = read_bytes(&ng.out[..length]).unwrap();
        let ends = |block: usize| ng.blocks.get(block + 1).copied().unwrap_or(ng.out.len());
        let whole = packet_blocks.iter().filter(|&&block| ends(block) <= length).count();
        assert_eq!(some, all[..whole], "{length}");
        let start = *ng.blocks.iter().rfind(|&&start| start <= length).unwrap();
        if length == start {
            assert_eq!(damage, None, "{length}");
            continue;
        }
        let damage = damage.unwrap();
        assert_eq!(damage.offset, start as u64, "{length}");
        let Flaw::CutShort { had, needed, .. } = damage.flaw else { panic!("{damage:?}") };
        assert_eq!(had, (length - start) as u64, "{length}");
        assert!(had < needed);
    }
}

#[test]
fn trickling_input() {
    let (ng, expected, _) = small_pcapng();
    for bytes in [ng.out.clone(), gzip(&ng.out)] {
        let (some, damage) = read(Trickle(Cursor::new(bytes), Random(7))).unwrap();
        assert_eq!((some, damage), (expected.clone(), None));
    }
}

/// More than the buffer holds, of incompressible frames whose lengths vary.
fn long_pcap() -> Vec<u8> {
    let mut random = Random(99);
    let mut out = pcap_header(Order::Little, NANO, (2, 4), 1);
    for i in 0..3_000 {
        let length = if i % 500 == 499 { 200_000 } else { random.below(400) };
        let data: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        pcap_record(&mut out, Order::Little, [i, 1, length as u32, length as u32], &data);
    }
    out
}

#[test]
fn longer_than_the_buffer() {
    let bytes = long_pcap();
    let expected = oracle(&bytes);
    assert_eq!(expected.len(), 3_000);
    assert_eq!(frames(&bytes), expected);
    assert_eq!(frames(&gzip(&bytes)), expected);
    let half = bytes.len() / 2;
    assert_eq!(frames(&[gzip(&bytes[..half]), gzip(&[]), gzip(&bytes[half..])].concat()), expected);
    let mut padded = gzip(&bytes);
    padded.resize(padded.len() + 1_000, 0);
    assert_eq!(frames(&padded), expected, "zeros behind a gzip stream are no damage");
}

#[test]
fn gzip_cut_anywhere() {
    let (ng, all, _) = small_pcapng();
    let packed = gzip(&ng.out);
    for length in 2..packed.len() {
        let (some, damage) = read_bytes(&packed[..length]).unwrap();
        assert_eq!(some, all[..some.len()]);
        assert_eq!(damage.unwrap().flaw, Flaw::Gzip(GzipFlaw::CutShort), "{length}");
    }

    let bytes = long_pcap();
    let (all, packed) = (frames(&bytes), gzip(&bytes));
    let (some, damage) = read_bytes(&packed[..packed.len() / 2]).unwrap();
    // The data are incompressible, so about half of them must be there, to within one deflate block
    // and the longest frame.
    assert_eq!(some, all[..some.len()]);
    let damage = damage.unwrap();
    assert_eq!(damage.flaw, Flaw::Gzip(GzipFlaw::CutShort));
    let read_to = 24 + some.iter().map(|frame| 16 + frame.1.len()).sum::<usize>();
    assert_eq!(damage.offset, read_to as u64);
    assert!(read_to > bytes.len() / 2 - 300_000, "{read_to} of {}", bytes.len());
}

#[test]
fn gzip_damage() {
    let bytes = small_pcap(Order::Little, MICRO);
    let packed = gzip(&bytes);
    let size = packed.len();
    let end = bytes.len() as u64;
    let flaw_of = |at: usize| {
        let mut broken = packed.clone();
        broken[at] ^= 1;
        damage(&broken)
    };
    // All frames are there, and the warning, too.
    assert!(matches!(flaw_of(size - 8), (4, at, Flaw::Gzip(GzipFlaw::Checksum { .. })) if at == end));
    assert!(matches!(flaw_of(size - 4), (4, at, Flaw::Gzip(GzipFlaw::Length { .. })) if at == end));
    let followed = [packed.clone(), b"something".to_vec()].concat();
    assert_eq!(damage(&followed), (4, end, Flaw::Gzip(GzipFlaw::TrailingBytes)));
    let followed = [packed.clone(), vec![0x1f, 0x8b, 9]].concat();
    assert_eq!(damage(&followed), (4, end, Flaw::Gzip(GzipFlaw::CutShort)));
    assert_eq!(flaw_of(2), (0, 0, Flaw::Gzip(GzipFlaw::Header)));

    // What a corrupt place follows is read to the last byte: a stored block, then a block of the
    // reserved type.
    let mut broken = packed[..10].to_vec();
    broken.push(0);
    put16(&mut broken, Order::Little, bytes.len() as u16);
    put16(&mut broken, Order::Little, !(bytes.len() as u16));
    broken.extend(&bytes);
    broken.push(0b111);
    assert_eq!(damage(&broken), (4, end, Flaw::Gzip(GzipFlaw::Corrupt)));
}

#[test]
fn gzip_header_fields() {
    let bytes = small_pcap(Order::Big, NANO);
    let packed = gzip(&bytes);
    let mut header = packed[..10].to_vec();
    header[3] = 0b1_1110;
    header.extend(b"\x03\0abcname\0comment\0\xff\xff");
    assert_eq!(frames(&[&header, &packed[10..]].concat()), small_pcap_frames(1));
    header[3] |= 0x20;
    assert_eq!(damage(&header).2, Flaw::Gzip(GzipFlaw::Header));
}

#[test]
fn other_link_types() {
    let refusal = |bytes: &[u8]| match read_bytes(bytes) {
        Err(error @ CaptureError::LinkType { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for (order, link_type, message) in [
        (
            Order::Little,
            113,
            "capture x.pcap: link type 113 (Linux cooked capture v1, SLL) is not Ethernet; capture on \
             one Ethernet interface rather than `any`",
        ),
        (
            Order::Big,
            101,
            "capture x.pcap: link type 101 (raw IP) is not Ethernet; capture on an Ethernet interface",
        ),
        (
            Order::Little,
            4_711,
            "capture x.pcap: link type 4711 (of no well-known name) is not Ethernet; capture on an \
             Ethernet interface",
        ),
    ] {
        assert_eq!(refusal(&pcap_header(order, MICRO, (2, 4), link_type)), message);
    }

    // In pcapng only if there is a packet of it, and only then.
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[]);
    ng.interface(276, 0, &[]);
    ng.enhanced(0, 0, &[1], &[]);
    assert_eq!(frames(&ng.out).len(), 1);
    ng.enhanced(1, 0, &[2], &[]);
    let mut capture = Capture::from_reader("x.pcap", Cursor::new(ng.out.clone())).unwrap();
    assert!(capture.next_frame().unwrap().is_some());
    assert_eq!(
        capture.next_frame().unwrap_err().to_string(),
        "capture x.pcap: link type 276 (Linux cooked capture v2, SLL2) of interface 1 is not \
         Ethernet; capture on one Ethernet interface rather than `any`"
    );
    assert!(capture.next_frame().unwrap().is_none());
    assert!(capture.damage().is_none());
}

#[test]
fn claims_that_are_not_believed() {
    // A pcap frame of 4 GiB, and one byte too long.
    for length in [u32::MAX, MAX_FRAME + 1] {
        let mut bytes = small_pcap(Order::Little, MICRO);
        let at = bytes.len() as u64;
        pcap_record(&mut bytes, Order::Little, [1, 1, length, length], &[0; 99]);
        assert_eq!(damage(&bytes), (4, at, Flaw::FrameTooLong { length, max: MAX_FRAME }));
    }
    // A file that a crash left unwritten.
    let mut bytes = small_pcap(Order::Little, MICRO);
    let at = bytes.len() as u64;
    bytes.resize(bytes.len() + 4_096, 0);
    assert_eq!(damage(&bytes), (4, at, Flaw::ZeroRecord));

    // pcapng blocks, of every type that is told apart.
    let max = pcapng::MAX_BLOCK;
    for order in ORDERS {
        for block_type in [1, 2, 3, 6, 0x0bad, 0xffff_fff0] {
            for length in [u32::MAX, u32::MAX - 3, max + 1, max, 11, 0] {
                let (ng, all, _) = small_pcapng();
                let mut bytes = ng.out;
                let at = bytes.len() as u64;
                put32(&mut bytes, Order::Big, block_type);
                put32(&mut bytes, Order::Big, length);
                bytes.extend([0; 32]);
                let (count, offset, flaw) = damage(&bytes);
                assert_eq!((count, offset), (all.len() as u64, at), "{order:?}");
                match length {
                    0 | 11 => assert!(matches!(flaw, Flaw::BlockTooShort { .. }), "{flaw}"),
                    _ if length == max => {
                        assert_eq!(flaw, Flaw::CutShort { part: "block", needed: max.into(), had: 40 })
                    }
                    _ => assert_eq!(flaw, Flaw::BlockTooLong { block_type, length, max }),
                }
            }
        }
    }
}

#[test]
fn pcapng_contradictions() {
    let start = || {
        let mut ng = Ng::new(Order::Little);
        ng.interface(1, 0, &[]);
        ng.enhanced(0, 1, &[1; 4], &[]);
        let at = ng.out.len();
        (ng, at)
    };
    let flaw_at = |ng: &Ng, at: usize| {
        let (count, offset, flaw) = damage(&ng.out);
        assert_eq!((count, offset), (1, at as u64), "{flaw}");
        flaw
    };

    let (mut ng, at) = start();
    ng.enhanced(1, 0, &[1], &[]);
    assert_eq!(flaw_at(&ng, at), Flaw::NoInterface { interface: 1, described: 1 });

    let (mut ng, at) = start();
    ng.section(Order::Little);
    let behind = ng.out.len();
    ng.simple(1, &[1; 4]);
    assert_eq!(flaw_at(&ng, behind), Flaw::NoInterface { interface: 0, described: 0 });
    // Byte-order magic, then the version of the second section.
    let mut broken = ng.out.clone();
    broken[at + 8] ^= 1;
    assert_eq!(damage(&broken), (1, at as u64, Flaw::ByteOrder { magic: 0x1a2b_3c4c }));
    let mut broken = ng.out.clone();
    broken[at + 12] = 2;
    assert_eq!(damage(&broken), (1, at as u64, Flaw::SectionVersion { major: 2, minor: 0 }));

    let (mut ng, at) = start();
    ng.enhanced(0, 0, &[1; 8], &[]);
    ng.out[at + 20] = 9;
    assert_eq!(flaw_at(&ng, at), Flaw::PacketPastBlock { length: 9, room: 8 });
    ng.out[at + 22] = 255;
    assert!(matches!(flaw_at(&ng, at), Flaw::FrameTooLong { length: 0x00ff_0009, .. }));

    for block_type in [6, 0x0bad] {
        let (mut ng, at) = start();
        ng.block(block_type, &[0; 20]);
        *ng.out.last_mut().unwrap() = 1;
        let last = 0x0100_0020;
        assert_eq!(flaw_at(&ng, at), Flaw::LengthMismatch { block_type, first: 32, last });
    }

    for options in [&[(9, &[6, 6][..])], &[(14, &[0; 7][..])]] {
        let (mut ng, at) = start();
        ng.interface(1, 0, options);
        let length = options[0].1.len() as u16;
        assert_eq!(flaw_at(&ng, at), Flaw::InterfaceOption { code: options[0].0, length });
    }
    let (mut ng, at) = start();
    ng.interface(1, 0, &[(2, b"eth0")]);
    ng.out[at + 18] = 200;
    assert_eq!(flaw_at(&ng, at), Flaw::InterfaceOption { code: 2, length: 200 });
}

#[test]
fn memory_is_bounded() {
    // Interfaces without end.
    let mut ng = Ng::new(Order::Little);
    for _ in 0..=pcapng::MAX_INTERFACES {
        ng.interface(1, 0, &[]);
    }
    let flaw = Flaw::TooManyInterfaces { max: pcapng::MAX_INTERFACES };
    assert_eq!(damage(&ng.out), (0, *ng.blocks.last().unwrap() as u64, flaw));

    // The longest blocks believed: one that is stepped over, one with options without end.
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[]);
    ng.block(0x0bad, &vec![1; pcapng::MAX_BLOCK as usize - 12]);
    ng.enhanced(0, 1, &[7; 100], &[]);
    let stepped_over = ng.out.len();
    ng.enhanced(0, 2, &[7; 100], &vec![1; pcapng::MAX_BLOCK as usize - 132]);
    ng.enhanced(0, 3, &[7; 100], &[]);
    let size_at_end = |bytes: &[u8]| {
        let mut capture = Capture::from_reader("x", Cursor::new(bytes.to_vec())).unwrap();
        while capture.next_frame().unwrap().is_some() {}
        (capture.frames(), capture.source.buffer_len())
    };
    assert_eq!(size_at_end(&ng.out[..stepped_over]), (1, 256 << 10));
    let (count, size) = size_at_end(&ng.out);
    assert!(count == 3 && size <= 32 << 20, "{size}");
    // A claim alone moves nothing.
    assert_eq!(size_at_end(&ng.out[..stepped_over + 1_000]), (1, 256 << 10));
    // Nor does a stream that is 1,000 times as long as its file.
    assert_eq!(size_at_end(&gzip(&ng.out[..stepped_over])), (1, 256 << 10));
}

#[test]
fn flipped_bytes() {
    let (ng, _, _) = small_pcapng();
    let seeds = [
        small_pcap(Order::Little, MICRO),
        small_pcap(Order::Big, MODIFIED),
        ng.out.clone(),
        gzip(&ng.out),
        gzip(&small_pcap(Order::Little, NANO)),
    ];
    let mut random = Random(0x7e17e4);
    let check = |bytes: Vec<u8>| {
        let bound = if bytes.starts_with(&gunzip::MAGIC) { 1_032 * bytes.len() } else { bytes.len() };
        if let Ok((frames, damage)) = read_bytes(&bytes) {
            assert!(frames.len() <= bound / 16);
            assert!(damage.is_none_or(|damage| damage.offset <= bound as u64));
        }
    };
    for seed in &seeds {
        // Every byte, each with a few values; then several at once, cut and doubled.
        for at in 0..seed.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = seed.clone();
                bytes[at] ^= flip;
                check(bytes);
            }
        }
        for _ in 0..4_000 {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.truncate(at.max(4)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            check(bytes);
        }
    }
    for _ in 0..4_000 {
        check((0..random.below(200)).map(|_| random.next() as u8).collect());
    }
}

/// What `pcap-parser` reads of a capture in units of 1 us (pcapng) or 1 ns (pcap).
fn oracle(bytes: &[u8]) -> Vec<Owned> {
    let mut reader = create_reader(1 << 20, Cursor::new(bytes.to_vec())).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::Legacy(block) => frames.push((
                        i64::from(block.ts_sec) * 1_000_000_000 + i64::from(block.ts_usec),
                        block.data.to_vec(),
                        block.origlen,
                    )),
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        let (seconds, units) = block.decode_ts(0, 1_000_000);
                        frames.push((
                            i64::from(seconds) * 1_000_000_000 + i64::from(units) * 1_000,
                            block.packet_data().to_vec(),
                            block.origlen,
                        ));
                    }
                    _ => {}
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return frames,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn agrees_with_pcap_parser() {
    let mut random = Random(42);
    for round in 0..60 {
        let order = ORDERS[round % 2];
        let mut pcap = pcap_header(order, NANO, (2, 4), 1);
        let mut ng = Ng::new(order);
        ng.interface(1, 0, &[]);
        for _ in 0..random.below(60) {
            let data = vec![random.next() as u8; random.below(1_600)];
            let length = data.len() as u32;
            let header = [random.next() as u32, random.below(1_000_000_000) as u32, length, length + 3];
            pcap_record(&mut pcap, order, header, &data);
            ng.enhanced(0, random.next() >> 13, &data, &[0; 4][..4 * random.below(2)]);
            if random.below(10) == 0 {
                ng.section(ORDERS[random.below(2)]);
                ng.interface(1, 0, &[]);
            }
        }
        assert_eq!(frames(&pcap), oracle(&pcap));
        assert_eq!(frames(&ng.out), oracle(&ng.out));
    }
}

#[test]
fn a_read_that_fails() {
    struct Fails(Cursor<Vec<u8>>);

    impl Read for Fails {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("the disk is gone")),
                read => Ok(read),
            }
        }
    }

    let bytes = small_pcap(Order::Little, MICRO);
    for bytes in [bytes.clone(), gzip(&bytes[..bytes.len() - 9])] {
        let length = bytes.len() as u64;
        // An error of the disk is no damage of the stream: the same file may be read again.
        match read(Fails(Cursor::new(bytes))) {
            Err(CaptureError::Read { offset, source, .. }) => {
                assert_eq!((offset, source.to_string().as_str()), (length, "the disk is gone"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(read(Fails(Cursor::default())), Err(CaptureError::Read { offset: 0, .. })));
}

#[test]
fn files() {
    let directory = env::temp_dir().join(format!("teiten-capture-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let message = |name: &str| match Capture::open(&directory.join(name)) {
        Err(error) => error.to_string().replace(directory.to_str().unwrap(), "DIR"),
        Ok(_) => panic!("{name} was opened"),
    };
    assert_eq!(message("none"), "capture DIR/none: no such file; check the path");
    assert_eq!(message(""), "capture DIR/: is a directory; name the capture files in it");
    fs::write(directory.join("empty"), b"").unwrap();
    let empty = "capture DIR/empty: empty; its recorder may have been stopped before it wrote anything";
    assert_eq!(message("empty"), empty);
    fs::write(directory.join("empty"), gzip(b"")).unwrap();
    assert_eq!(message("empty"), empty);
    fs::write(directory.join("text"), b"Hello, world").unwrap();
    assert_eq!(
        message("text"),
        "capture DIR/text: not a pcap or pcapng capture: it begins with 48 65 6c 6c 6f 2c 20 77"
    );
    fs::write(directory.join("x.zst"), [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    assert_eq!(
        message("x.zst"),
        "capture DIR/x.zst: not a pcap or pcapng capture: it begins with 28 b5 2f fd, which is zstd: \
         pipe it through `zstd -dc` and read `-`"
    );
    fs::write(directory.join("old"), pcap_header(Order::Big, MICRO, (7, 1), 1)).unwrap();
    assert_eq!(
        message("old"),
        "capture DIR/old: pcap version 7.1 is not known; convert it with `editcap -F pcapng`"
    );

    let bytes = gzip(&small_pcap(Order::Little, NANO));
    fs::write(directory.join("x.pcap.gz"), &bytes).unwrap();
    let mut capture = Capture::open(&directory.join("x.pcap.gz")).unwrap();
    while capture.next_frame().unwrap().is_some() {}
    assert_eq!(capture.frames(), 4);
    assert_eq!(capture.file_len(), Some(bytes.len() as u64));
    assert_eq!(capture.bytes_read(), bytes.len() as u64);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn messages() {
    let bytes = small_pcap(Order::Little, MICRO);
    let mut capture = Capture::from_reader("-", Cursor::new(bytes[..bytes.len() - 1].to_vec())).unwrap();
    while capture.next_frame().unwrap().is_some() {}
    assert_eq!(
        capture.damage().unwrap().to_string(),
        "capture on standard input: damaged at byte 147, after 3 frames: the capture ends 75 bytes into \
         a record of 76 bytes"
    );
    let mut ng = Ng::new(Order::Little);
    ng.out[12] = 9;
    let error = read_bytes(&ng.out).unwrap_err().to_string();
    assert!(error.starts_with("capture x.pcap: pcapng version 9.0 is not known"), "{error}");
}
