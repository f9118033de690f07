//! The accounting rules through the loaded XDP program, by test run.

use std::collections::HashMap;

use sensor_common::{classify::SourceMasks, key::Key, kind::Kind};
use teiten::kernel::{
    Drain,
    banks::Banks,
    program::{Entry, Loaded, OBJECT, Program, Settings, Sizes, cpus, load_entry},
    testrun::{Action, Runner},
};
use teiten_tests::{
    frames::*,
    host::{classified, hex},
    random::Random,
    root,
    rules::{Expected, Packet, SourceBits, WATCHED, Xdp, cases, cases_cut},
};

/// Loads an entry point that watches what the table of rules watches, and drops.
fn load(entry: Entry, bits: SourceBits) -> (Program, Banks) {
    let settings = Settings {
        watched: WATCHED.iter().map(|(prefix, sensor)| (prefix.parse().unwrap(), *sensor)).collect(),
        drop: true,
        v4_prefix: bits.v4,
        v6_prefix: bits.v6,
        ..Settings::everything(Sizes { slices: cpus().unwrap(), chunks: 1 })
    };
    let loaded = load_entry(OBJECT, entry, &settings).unwrap_or_else(|error| panic!("{entry:?}: {error:?}"));
    (loaded.program, loaded.banks)
}

const WHOLE: SourceBits = SourceBits { v4: 32, v6: 64 };

/// A frame and what must become of it.
struct Wanted {
    name: String,
    frame: Vec<u8>,
    expected: Expected,
    verdict: Xdp,
}

/// What a drain must hold: outcomes, packets by key, packets and bytes by kind and family.
#[derive(Debug, Default, PartialEq)]
struct Books {
    /// Non-IP, malformed, unwatched, local, packets.
    outcomes: [u64; 5],
    keys: HashMap<(u64, u32), u64>,
    cells: HashMap<(Kind, usize), (u64, u64)>,
}

impl Books {
    fn expected<'a>(cases: impl Iterator<Item = &'a Wanted>) -> Self {
        let mut books = Self::default();
        for case in cases {
            let outcome = match case.expected {
                Expected::NonIp => 0,
                Expected::Malformed => 1,
                Expected::Unwatched => 2,
                Expected::Local => 3,
                Expected::Packet(packet) => {
                    let Packet { source, port, kind, family, tool, sensor, bytes } = packet;
                    let key = Key { source, port, kind, family, tool, sensor };
                    *books.keys.entry((source, key.meta().0)).or_default() += 1;
                    let cell = books.cells.entry((kind, family as usize)).or_default();
                    *cell = (cell.0 + 1, cell.1 + u64::from(bytes));
                    4
                }
            };
            books.outcomes[outcome] += 1;
        }
        books
    }

    fn drained(drain: &Drain) -> Self {
        let outcomes = &drain.outcomes;
        let mut books = Self {
            outcomes: [
                outcomes.non_ip,
                outcomes.malformed,
                outcomes.unwatched,
                outcomes.local,
                outcomes.packets,
            ],
            ..Self::default()
        };
        for slot in &drain.tallies {
            *books.keys.entry((slot.source, slot.meta.0)).or_default() += u64::from(slot.packets);
        }
        for (kind, cells) in Kind::ALL.into_iter().zip(&drain.kinds) {
            for (family, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.packets != 0) {
                books.cells.insert((kind, family), (cell.packets, cell.bytes));
            }
        }
        books
    }
}

/// Runs cases through the program, and says which went wrong. Drained together, as a drain takes
/// much longer than a run; one by one when something does not add up.
fn run(program: &Program, banks: &mut Banks, cases: &[Wanted]) -> Vec<String> {
    let mut wrong = Vec::new();
    for batch in cases.chunks(256) {
        let found = run_together(program, banks, batch.iter());
        if found.is_empty() {
            continue;
        }
        let singly: Vec<_> =
            batch.iter().flat_map(|case| run_together(program, banks, std::iter::once(case))).collect();
        wrong.extend(if singly.is_empty() { found } else { singly });
    }
    wrong
}

fn run_together<'a>(
    program: &Program,
    banks: &mut Banks,
    cases: impl Iterator<Item = &'a Wanted> + Clone,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut runner = Runner::new(program);
    for case in cases.clone() {
        let verdict = match case.verdict {
            Xdp::Pass => Action::Pass,
            Xdp::Drop => Action::Drop,
        };
        match runner.run(&case.frame) {
            Ok(action) if action == verdict => {}
            other => wrong.push(format!("{}: {other:?}, not {verdict:?}: {}", case.name, hex(&case.frame))),
        }
    }
    let drain = banks.drain_at_rest();
    assert_eq!((drain.lost, drain.uncounted), (0, 0));
    let (expected, observed) = (Books::expected(cases.clone()), Books::drained(&drain));
    if expected != observed || !drain.mismatches.is_empty() {
        let first = cases.clone().next().map_or("", |case| case.name.as_str());
        wrong.push(format!(
            "{first} and {} more:\n  expected {expected:?}\n  observed {observed:?}\n  {:?}",
            cases.count() - 1,
            drain.mismatches
        ));
    }
    wrong
}

fn of_table(cases: Vec<teiten_tests::rules::Case>) -> Vec<Wanted> {
    // Shorter frames cannot be run, and no interface delivers them.
    let cases = cases.into_iter().filter(|case| case.frame.len() >= ETHERNET_LEN);
    cases
        .map(|case| Wanted {
            name: case.name,
            frame: case.frame,
            expected: case.expected,
            verdict: case.verdict,
        })
        .collect()
}

/// What the classifier makes of frames on the host, to be made of them by the program.
fn as_on_host(frames: impl IntoIterator<Item = (String, Vec<u8>)>, bits: SourceBits) -> Vec<Wanted> {
    let masks = SourceMasks::new(bits.v4, bits.v6);
    let frames = frames.into_iter();
    frames
        .map(|(name, frame)| {
            let (expected, verdict) = classified(&frame, &masks);
            Wanted { name, frame, expected, verdict }
        })
        .collect()
}

#[track_caller]
fn none(wrong: &[String]) {
    let first = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "{} wrong, the first:\n{}", wrong.len(), first.join("\n"));
}

#[test]
fn both_entry_points_follow_the_rules() {
    if !root() {
        return;
    }
    let cases = of_table(cases());
    assert!(cases.len() > 8000);
    for entry in [Entry::Fragments, Entry::Linear] {
        let (program, mut banks) = load(entry, WHOLE);
        assert_eq!(program.entry(), entry);
        none(&run(&program, &mut banks, &cases));
    }
}

#[test]
fn both_entry_points_cut_sources() {
    if !root() {
        return;
    }
    let mut wrong = Vec::new();
    for (bits, cases) in cases_cut() {
        let cases = of_table(cases);
        for entry in [Entry::Fragments, Entry::Linear] {
            let (program, mut banks) = load(entry, bits);
            let name = |wrong| format!("{entry:?}, {bits:?}: {wrong}");
            wrong.extend(run(&program, &mut banks, &cases).into_iter().map(name));
        }
    }
    none(&wrong);
}

/// Without watched prefixes everything is counted, by sensor 0; without `drop` everything passes.
#[test]
fn without_prefixes_everything_is_watched_and_passes() {
    if !root() {
        return;
    }
    let settings = Settings::everything(Sizes { slices: cpus().unwrap(), chunks: 1 });
    let cases: Vec<_> = of_table(cases())
        .into_iter()
        // What is unwatched here may be local there; all else does not hang on the prefixes.
        .filter(|case| case.expected != Expected::Unwatched)
        .map(|mut case| {
            if let Expected::Packet(packet) = &mut case.expected {
                packet.sensor = 0;
            }
            Wanted { verdict: Xdp::Pass, ..case }
        })
        .collect();
    for entry in [Entry::Fragments, Entry::Linear] {
        let Loaded { program, mut banks, .. } = load_entry(OBJECT, entry, &settings).unwrap();
        none(&run(&program, &mut banks, &cases));
    }
}

/// Bytes of a frame that a test run puts into the linear part: a page without head and tail room.
const LINEAR: usize = 3520;

const TO: [u16; 8] = [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1];
const FROM: [u16; 8] = [0x2001, 0xdb8, 0xff, 1, 0, 0, 0, 2];

/// IPv6 whose extension headers have so many 8-byte units in all.
fn behind(units: usize) -> Ipv6 {
    let mut packet = Ipv6::new(FROM, TO);
    let mut rest = units;
    while rest > 0 {
        let now = rest.min(256);
        packet = packet.extension(Extension::new(DESTINATION_OPTIONS, (now - 1) as u8));
        rest -= now;
    }
    packet
}

/// Frames of several buffers whose headers lie, in part or all, behind the linear part.
fn beyond_the_linear_part() -> Vec<(String, Vec<u8>)> {
    let mut frames: Vec<(String, Vec<u8>)> = Vec::new();
    let payload = vec![0xaa; 4000];
    let with = |head: Vec<u8>| [head, payload.clone()].concat();
    // Every way to lie across the end of the linear part: extension headers have 8-byte steps, VLAN
    // tags and authentication headers 4-byte ones.
    for units in 420..450 {
        for tags in [&[][..], &[VLAN], &[SERVICE_VLAN, VLAN]] {
            let at = ETHERNET_LEN + tags.len() * TAG_LEN + IPV6_LEN + 8 * units;
            if !(LINEAR - 80..LINEAR + 40).contains(&at) {
                continue;
            }
            for (name, packet) in [
                ("TCP", behind(units).carrying(TCP, &with(Tcp::syn(40000, 23).bytes()))),
                ("UDP", behind(units).carrying(UDP, &with(Udp::new(40000, 5060).bytes()))),
                ("SCTP", behind(units).carrying(SCTP, &with(Sctp::new(40000, 2905).bytes()))),
                ("echo", behind(units).carrying(ICMPV6, &with(vec![128, 0, 0, 0]))),
                ("GRE", behind(units).carrying(GRE, &payload)),
                ("an error", {
                    let quoted = Ipv6::new(TO, FROM).tcp(Tcp::syn(23, 40000)).packet();
                    behind(units).carrying(ICMPV6, &with(Icmp::new(1, 4).quoting(&quoted).bytes()))
                }),
                ("a fragment", {
                    let packet = behind(units).extension(Extension::fragment(100, true));
                    packet.carrying(TCP, &payload)
                }),
                ("a first fragment", {
                    let packet = behind(units).extension(Extension::fragment(0, true));
                    packet.carrying(TCP, &with(Tcp::syn(40000, 23).bytes()))
                }),
            ] {
                frames.push((format!("{name} at {at}"), packet.tagged(tags)));
            }
        }
    }
    // Far behind it.
    for units in [512, 768, 1024, 2000, 2048] {
        let tcp = behind(units).carrying(TCP, &with(Tcp::syn(40000, 23).bytes()));
        frames.push((format!("TCP behind {units} units"), tcp.frame()));
        let cut_short = behind(units).tcp(Tcp::syn(40000, 23)).frame();
        for missing in [1, 6, 7, 20, 21] {
            let frame = cut(cut_short.clone(), cut_short.len() - missing);
            frames.push((format!("TCP behind {units} units less {missing} bytes"), frame));
        }
    }
    // Nine extension headers, and one that says it is longer than the frame.
    frames.push(("nine extensions".to_owned(), behind(9 * 256).tcp(Tcp::syn(1, 23)).frame()));
    let claiming = behind(500).extension(Extension::new(ROUTING, 0).claiming(255));
    frames.push(("an extension past the end".to_owned(), claiming.tcp(Tcp::syn(1, 23)).frame()));
    // Headers in the linear part, payload behind it.
    for length in [LINEAR, LINEAR + 1, 8000, 9000] {
        let tcp = [Tcp::syn(40000, 23).bytes(), vec![0; length]].concat();
        frames.push((
            format!("IPv4, {length} bytes"),
            Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).carrying(TCP, &tcp).frame(),
        ));
        frames.push((format!("ARP, {length} bytes"), ethernet(ARP, &vec![0; length])));
    }
    // A quotation that begins in the linear part and ends behind it.
    for units in 424..434 {
        let quoted = behind(30).tcp(Tcp::syn(23, 40000)).packet();
        let swapped = {
            let mut quoted = quoted;
            let (from, to) = (quoted[8..24].to_vec(), quoted[24..40].to_vec());
            quoted[8..24].copy_from_slice(&to);
            quoted[24..40].copy_from_slice(&from);
            quoted
        };
        let error = behind(units).carrying(ICMPV6, &with(Icmp::new(3, 0).quoting(&swapped).bytes()));
        frames.push((format!("a long quotation behind {units} units"), error.frame()));
    }
    frames
}

#[test]
fn headers_beyond_the_linear_part_are_read() {
    if !root() {
        return;
    }
    let frames = beyond_the_linear_part();
    assert!(frames.iter().filter(|(_, frame)| frame.len() > LINEAR).count() > 300);
    let cases = as_on_host(frames, WHOLE);
    for kind in [Kind::Syn, Kind::Udp, Kind::Sctp, Kind::Echo, Kind::IcmpErrorTcp, Kind::Fragment, Kind::Ip] {
        let of = |case: &&Wanted| matches!(case.expected, Expected::Packet(packet) if packet.kind == kind);
        assert!(cases.iter().filter(of).count() > 10, "{kind:?}");
    }
    let (program, mut banks) = load(Entry::Fragments, WHOLE);
    none(&run(&program, &mut banks, &cases));
}

/// A frame of the table, changed at random.
fn mutated(random: &mut Random, table: &[Wanted]) -> Vec<u8> {
    let mut frame = random.pick(table).frame.clone();
    for _ in 0..random.below(4) {
        let at = random.below(frame.len());
        // Nearly all that matters stands at the start.
        let at = if random.below(2) == 0 { at.min(random.below(64)) } else { at };
        frame[at] = match random.below(3) {
            0 => random.draw() as u8,
            1 => frame[at] ^ 1 << random.below(8),
            _ => *random.pick(&[0, 1, 4, 6, 17, 43, 44, 51, 58, 59, 60, 0x45, 0x60, 0x81, 0xff]),
        };
    }
    match random.below(6) {
        0 => frame.truncate(ETHERNET_LEN + random.below(frame.len() - ETHERNET_LEN + 1)),
        1 => {
            let length = random.below(80);
            frame.extend(random.bytes(length));
        }
        2 => {
            // The rest of another frame behind a part of this one.
            let at = ETHERNET_LEN + random.below(frame.len() - ETHERNET_LEN + 1);
            let other = &random.pick(table).frame;
            frame.truncate(at);
            frame.extend(&other[at.min(other.len())..]);
        }
        _ => {}
    }
    frame
}

#[test]
fn mutated_frames_are_counted_as_on_the_host() {
    if !root() {
        return;
    }
    let table = of_table(cases());
    let mut random = Random(20_240_601);
    let frames = (0..20_000).map(|number| {
        let frame = if number % 10 == 0 {
            let length = ETHERNET_LEN + random.below(200);
            let mut frame = random.bytes(length);
            frame[12..14].copy_from_slice(&random.pick(&[IPV4, IPV6, VLAN]).to_be_bytes());
            frame
        } else {
            mutated(&mut random, &table)
        };
        (format!("frame {number}"), frame)
    });
    let cases = as_on_host(frames, WHOLE);
    let packets = cases.iter().filter(|case| matches!(case.expected, Expected::Packet(_))).count();
    assert!((5_000..19_000).contains(&packets), "{packets} of {} are packets", cases.len());
    for entry in [Entry::Fragments, Entry::Linear] {
        let (program, mut banks) = load(entry, WHOLE);
        none(&run(&program, &mut banks, &cases));
    }
}
