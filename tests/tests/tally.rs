//! What the tally loses, and that nothing else is lost: identities under too little room.

use std::{collections::HashMap, io, mem, os::fd::AsRawFd, ptr};

use aya::{
    maps::MapInfo,
    programs::{ProgramInfo, loaded_programs},
};
use sensor_common::{
    key::Key,
    kind::{Family, Kind},
    layout::{Block, CHUNK_RECORDS, Cell, Ports, SLOTS, Slot},
};
use teiten::kernel::{
    Drain,
    account::Detail,
    banks::Banks,
    program::{Loaded, Program, Settings, Sizes, cpus, load},
    testrun::{Action, Runner},
};
use teiten_tests::{frames::*, random::Random, root, skip};

fn with_sizes(slices: u32, chunks: u32) -> (Program, Banks) {
    let settings = Settings::everything(Sizes { slices, chunks });
    let Loaded { program, banks, .. } = load(&settings).unwrap_or_else(|error| panic!("{error:?}"));
    (program, banks)
}

/// Keeps the calling thread on one CPU.
fn pin_to(cpu: usize) -> io::Result<()> {
    // SAFETY: a set of bits, all zero.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: within the set, which holds 1,024 CPUs.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: a set of this size.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A dense counter, as a reader of rows sees it.
type Dense = (Kind, Option<Family>, Detail);

/// The dense counter that a packet of this key is in.
fn dense(key: &Key) -> Dense {
    let detail = match key.kind {
        Kind::Syn | Kind::Tcp | Kind::Udp | Kind::Sctp => return (key.kind, None, Detail::Port(key.port)),
        Kind::Echo | Kind::IcmpReply | Kind::IcmpMismatch | Kind::Icmp => {
            Detail::IcmpType((key.port >> 8) as u8)
        }
        Kind::Fragment | Kind::Ip => Detail::Protocol(key.port as u8),
        _ => Detail::None,
    };
    (key.kind, Some(key.family), detail)
}

/// Packets by dense counter: joint ones, and those without joint detail.
fn by_dense(drain: &Drain) -> HashMap<(u8, Option<u8>, String), u64> {
    let name = |(kind, family, detail): Dense| {
        (kind as u8, family.map(|family| family as u8), format!("{detail:?}"))
    };
    let mut sums = HashMap::new();
    for slot in &drain.tallies {
        let key = Key::unpack(slot.source, slot.meta).expect("a known kind");
        *sums.entry(name(dense(&key))).or_default() += u64::from(slot.packets);
    }
    for row in &drain.unattributed {
        *sums.entry(name((row.kind, row.family, row.detail))).or_default() += row.packets;
    }
    sums
}

/// One frame of each dense counter's sort, from this source.
fn frame(random: &mut Random, number: usize) -> Vec<u8> {
    let source = (0x0b00_0000 | random.draw() as u32 & 0x00ff_ffff).to_be_bytes();
    let v4 = || Ipv4::new(source, [192, 0, 2, 1]);
    let v6 = || {
        let upper = 0x2a00_u128 << 112 | u128::from(random.clone().draw()) << 64 & (u128::MAX >> 8);
        Ipv6::new(std::net::Ipv6Addr::from_bits(upper), [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1])
    };
    match number % 12 {
        0..4 => v4().tcp(Tcp::syn(40000, [23, 22, 2323, 445][number % 4])).frame(),
        4 => v4().udp(Udp::new(40000, 5060)).frame(),
        5 => v6().tcp(Tcp::syn(40000, 23)).frame(),
        6 => v4().icmp(Icmp::new(8, 0)).frame(),
        7 => v4().tcp(Tcp::new(80, 40000).flags(SYN | ACK)).frame(),
        8 => v4().carrying(GRE, &[0; 20]).frame(),
        9 => v4().fragment(9, false).carrying(UDP, &[0; 20]).frame(),
        10 => v4().tcp(Tcp::new(40000, 23).flags(ACK)).frame(),
        _ => v6().icmp(Icmp::new(128, 0)).frame(),
    }
}

#[test]
fn a_full_spill_log_loses_detail_and_no_packet() {
    if !root() {
        return;
    }
    pin_to(0).unwrap();
    let (program, mut banks) = with_sizes(cpus().unwrap(), 1);
    let mut runner = Runner::new(&program);
    let mut random = Random(1);
    let frames: Vec<_> = (0..120_000).map(|number| frame(&mut random, number)).collect();
    for frame in &frames {
        assert_eq!(runner.run(frame).unwrap(), Action::Pass);
    }
    let drain = banks.take().unwrap();
    assert_eq!(drain.mismatches, []);
    assert_eq!((drain.outcomes.runs, drain.outcomes.packets), (120_000, 120_000));
    assert_eq!(drain.spilled, CHUNK_RECORDS as u64);
    assert!(drain.tallies.len() <= SLOTS + CHUNK_RECORDS);
    assert!(drain.lost > 10_000, "{} lost", drain.lost);
    let joint: u64 = drain.tallies.iter().map(|slot| u64::from(slot.packets)).sum();
    assert_eq!(joint + drain.lost, 120_000);
    assert_eq!(drain.unattributed.iter().map(|row| row.packets).sum::<u64>(), drain.lost);
    // Every port, type and protocol is exact, whatever was lost of its sources.
    let (sums, each) = (by_dense(&drain), 10_000);
    let port = |kind: Kind, port| (kind as u8, None, format!("{:?}", Detail::Port(port)));
    let other = |kind: Kind, family: Family, detail| (kind as u8, Some(family as u8), format!("{detail:?}"));
    let expected = HashMap::from([
        (port(Kind::Syn, 23), 2 * each),
        (port(Kind::Syn, 22), each),
        (port(Kind::Syn, 2323), each),
        (port(Kind::Syn, 445), each),
        (port(Kind::Udp, 5060), each),
        (port(Kind::Tcp, 23), each),
        (other(Kind::Echo, Family::V4, Detail::IcmpType(8)), each),
        (other(Kind::Echo, Family::V6, Detail::IcmpType(128)), each),
        (other(Kind::SynAck, Family::V4, Detail::None), each),
        (other(Kind::Ip, Family::V4, Detail::Protocol(GRE)), each),
        (other(Kind::Fragment, Family::V4, Detail::Protocol(UDP)), each),
    ]);
    assert_eq!(sums, expected);
    // Each of these lost something, and says so.
    assert_eq!(drain.unattributed.len(), expected.len());

    let rest = [banks.take().unwrap(), banks.take().unwrap()];
    for drain in rest {
        assert_eq!((drain.outcomes.runs, drain.lost, drain.spilled), (0, 0, 0));
        assert!(drain.tallies.is_empty() && drain.unattributed.is_empty() && drain.mismatches.is_empty());
    }
}

#[test]
fn room_enough_loses_nothing() {
    if !root() {
        return;
    }
    let (program, mut banks) = with_sizes(cpus().unwrap(), 32);
    let mut runner = Runner::new(&program);
    let mut expected: HashMap<u64, u64> = HashMap::new();
    let mut random = Random(2);
    for _ in 0..100_000 {
        let source = 0x0b00_0000 | random.draw() as u32 & 0x3fff;
        let source = if random.below(2) == 0 { source } else { random.draw() as u32 | 1 << 24 };
        if source >> 16 == 0xa9fe {
            continue;
        }
        *expected.entry(u64::from(source)).or_default() += 1;
        runner.run(&Ipv4::new(source.to_be_bytes(), [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame()).unwrap();
    }
    let drain = banks.take().unwrap();
    assert_eq!(drain.mismatches, []);
    assert_eq!(drain.lost, 0);
    assert!(drain.spilled > 1000, "{} spilled", drain.spilled);
    let mut observed: HashMap<u64, u64> = HashMap::new();
    for slot in &drain.tallies {
        *observed.entry(slot.source).or_default() += u64::from(slot.packets);
    }
    assert!(observed == expected, "{} sources, {} expected", observed.len(), expected.len());
}

#[test]
fn two_banks_take_turns() {
    if !root() {
        return;
    }
    let (program, mut banks) = with_sizes(cpus().unwrap(), 1);
    let mut runner = Runner::new(&program);
    let mut end = 0;
    for round in 0u64..12 {
        // A key of this round's own, and one that all rounds have.
        for (port, packets) in [(1000 + round as u16, round + 1), (23, 5)] {
            let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).tcp(Tcp::syn(1, port)).frame();
            for _ in 0..packets {
                runner.run(&frame).unwrap();
            }
        }
        let drain = banks.take().unwrap();
        assert_eq!(drain.epoch, round);
        assert_eq!(drain.mismatches, []);
        let mut ports: Vec<_> = drain.tallies.iter().map(|slot| (slot.meta.0 as u16, slot.packets)).collect();
        ports.sort_unstable();
        assert_eq!(ports, [(23, 5), (1000 + round as u16, round as u32 + 1)]);
        // Spans follow each other without a gap.
        assert!(drain.span.start_ns < drain.span.end_ns);
        assert!(end == 0 || drain.span.start_ns == end);
        end = drain.span.end_ns;
    }
}

#[test]
fn cpus_without_counters_of_their_own_count_packets_without_sources() {
    if !root() {
        return;
    }
    if pin_to(1).is_err() {
        return skip("it wants a second CPU");
    }
    let (program, mut banks) = with_sizes(1, 1);
    let mut runner = Runner::new(&program);
    let syn = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame();
    for frame in [&syn[..], &syn, &syn, &ethernet(ARP, &[0; 28]), &cut(syn.clone(), 20)] {
        runner.run(frame).unwrap();
    }
    let drain = banks.take().unwrap();
    assert_eq!(drain.mismatches, []);
    let outcomes = &drain.outcomes;
    assert_eq!((outcomes.runs, outcomes.packets, outcomes.non_ip, outcomes.malformed), (5, 3, 1, 1));
    assert_eq!(drain.lost, 3);
    assert!(drain.tallies.is_empty());
    let rows: Vec<_> = drain.unattributed.iter().map(|row| (row.kind, row.detail, row.packets)).collect();
    assert_eq!(rows, [(Kind::Syn, Detail::Port(23), 3)]);
    let cell = drain.kinds[Kind::Syn as usize][Family::V4 as usize];
    assert_eq!((cell.packets, cell.bytes), (3, 120));

    // The first CPU has its own, and both add up in one drain.
    pin_to(0).unwrap();
    runner.run(&syn).unwrap();
    pin_to(1).unwrap();
    runner.run(&syn).unwrap();
    let drain = banks.take().unwrap();
    assert_eq!(drain.mismatches, []);
    assert_eq!((drain.outcomes.packets, drain.tallies.len(), drain.lost), (2, 1, 1));
}

/// The elements of one of the program's maps, mapped into memory.
struct Mapped<T> {
    start: *mut T,
    length: usize,
}

impl<T> Mapped<T> {
    fn of(program: &Program, name: &str, elements: usize) -> Self {
        let fdinfo = format!("/proc/self/fdinfo/{}", program.fd().as_raw_fd());
        let fdinfo = std::fs::read_to_string(fdinfo).unwrap();
        let id = fdinfo.lines().find_map(|line| line.strip_prefix("prog_id:")).unwrap();
        let id: u32 = id.trim().parse().unwrap();
        let info: ProgramInfo =
            loaded_programs().flatten().find(|info| info.id() == id).expect("our program is loaded");
        let maps = info.map_ids().unwrap().unwrap();
        let map = maps
            .into_iter()
            .map(|id| MapInfo::from_id(id).unwrap())
            .find(|map| map.name_as_str() == Some(name))
            .unwrap_or_else(|| panic!("no map {name}"));
        assert_eq!((map.value_size() as usize, map.max_entries() as usize), (size_of::<T>(), elements));
        let fd = map.fd().unwrap();
        let fd = std::os::fd::AsFd::as_fd(&fd);
        let length = (size_of::<T>() * elements).next_multiple_of(4096);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        assert_ne!(start, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        Self { start: start.cast(), length }
    }

    /// The first element.
    fn first(&mut self) -> &mut T {
        // SAFETY: mapped, and the program is not running while the test looks.
        unsafe { &mut *self.start }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this length.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

/// A count of 32 bits that is full goes to the spill log, and the key begins again at 1.
#[test]
fn a_full_count_spills() {
    if !root() {
        return;
    }
    pin_to(0).unwrap();
    let slices = cpus().unwrap();
    let (program, mut banks) = with_sizes(slices, 1);
    let elements = 2 * (slices as usize + 1);
    let mut blocks = Mapped::<Block>::of(&program, "BLOCKS", elements);
    let mut ports = Mapped::<Ports>::of(&program, "PORTS", elements);
    let frame = Ipv4::new([198, 51, 100, 7], [192, 0, 2, 1]).tcp(Tcp::syn(1, 23)).frame();
    let mut runner = Runner::new(&program);
    runner.run(&frame).unwrap();

    // As if it had run four billion times less two: one more fills the count, the next spills it.
    let more = u64::from(u32::MAX) - 2;
    let block = blocks.first();
    let slot = block.slots.iter_mut().find(|slot| slot.packets != 0).unwrap();
    assert_eq!(slot.packets, 1);
    slot.packets += more as u32;
    let key = Slot { packets: 0, ..*slot };
    block.outcomes.runs += more;
    block.outcomes.packets += more;
    block.slash16[0xc633] += more;
    let cell = |cell: &mut Cell| {
        cell.packets += more;
        cell.bytes += 40 * more;
    };
    cell(&mut block.kinds[Kind::Syn as usize][Family::V4 as usize]);
    cell(&mut ports.first().cells[Kind::Syn as usize][23]);
    for _ in 0..3 {
        runner.run(&frame).unwrap();
    }

    let drain = banks.take().unwrap();
    assert_eq!(drain.mismatches, []);
    assert_eq!((drain.spilled, drain.lost), (1, 0));
    let packets: Vec<_> = drain
        .tallies
        .iter()
        .map(|slot| {
            assert_eq!((slot.source, slot.meta), (key.source, key.meta));
            slot.packets
        })
        .collect();
    assert_eq!(packets, [2, u32::MAX]);
    assert_eq!(drain.outcomes.packets, u64::from(u32::MAX) + 2);
}
