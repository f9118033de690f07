//! Frames of what a plan asks for, byte by byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use sensor_common::kind::Family;

use super::{
    Made, Shape,
    frame::{self, ACK, FIN, Ip, PSH, RST, SYN, Tcp, URG},
    plan::{Make, Plan, Pool},
    random::{Random, Weighted, mixed},
    scenario::{Answer, Backscatter, Target, Tools},
    sources::{Source, Sources},
};
use crate::{
    geo::Tables,
    model::{Protocol, Region, Sensors, Service},
};

/// Resolution of weights that are given as fractions.
const PARTS: f64 = 1e6;

/// Who is attacked, and on what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    /// Index of the attack in the scenario.
    pub attack: usize,
    source: Source,
    region: Option<usize>,
    port: u16,
    family: Family,
}

/// What the attacks of an entry of the scenario are made of.
#[derive(Debug)]
struct Attacks {
    regions: Weighted<Option<usize>>,
    ports: Weighted<u16>,
    answers: Weighted<Answer>,
}

/// Makes frames of a plan, of one day at a time.
#[derive(Debug)]
pub(super) struct Maker {
    pub plan: Plan,
    pub random: Random,
    pub sources: Sources,
    /// Number of the day, which decides who is there.
    day: u32,
    /// How many sources each pool has that day.
    populations: Vec<u64>,
    watched: Vec<IpNet>,
    /// Watched prefixes of IPv4 and IPv6, by their sizes.
    destinations: [Weighted<IpNet>; 2],
    attacks: Vec<Attacks>,
    /// What an ICMP error quotes.
    quote: Vec<u8>,
}

impl Maker {
    pub fn new(plan: Plan, seed: u64, geo: &Tables) -> Self {
        let attacks = plan.scenario.backscatter.iter().map(|entry| Attacks::of(entry.get_ref(), &plan)).collect();
        Self {
            random: Random::new(seed),
            sources: Sources::new(geo, &plan.regions),
            day: 0,
            populations: Vec::new(),
            watched: Vec::new(),
            destinations: [Weighted::new([]), Weighted::new([])],
            attacks,
            quote: Vec::new(),
            plan,
        }
    }

    /// Goes to a day of the plan. `rates`: expected packets of each of its cells.
    pub fn begin(&mut self, day: usize, rates: &[f64]) {
        self.day = day as u32;
        self.populations = self.plan.populations(rates);
        let watch = self.plan.days.get(day).and_then(|day| self.plan.watches.get(day.watch));
        let Some((watch, sensors)) = watch.and_then(|watch| Some((watch, watch.sensors.as_ref()?))) else {
            self.watched.clear();
            self.destinations = [Weighted::new([]), Weighted::new([])];
            return;
        };
        self.watched = sensors.watched().into_iter().map(|(prefix, _)| prefix).collect();
        self.destinations = [Family::V4, Family::V6].map(|family| destinations(sensors, &watch.weights, family));
    }

    /// Puts the next frame of a cell, of 15 to 1,514 bytes, in place of what `frame` holds. `is_heard`: whether
    /// a source is, by its region and a number that is random and always the same; if not, there is no frame.
    pub fn of_cell(
        &mut self,
        cell: usize,
        frame: &mut Vec<u8>,
        is_heard: impl Fn(Option<usize>, u64) -> bool,
    ) -> Option<Made> {
        let cell = *self.plan.cells.get(cell)?;
        let make = self.plan.streams.get(cell.stream)?.make;
        let pool = *self.plan.pools.get(cell.pool)?;
        let count = self.populations.get(cell.pool).copied().unwrap_or(1);
        let family = self.family();
        let ((source, region), number) = self.sources.draw(&pool, count, self.day, family, &mut self.random);
        if !is_heard(pool.region, number) {
            return None;
        }
        let (source, region) = if self.random.chance(self.plan.scenario.noise.forged.0) {
            (self.forged(family), Some(Region::NON_ROUTABLE))
        } else {
            (source, region)
        };
        let (shape, region) = match make {
            Make::Scan(target, tools) => {
                self.scan(frame, source, target, tools);
                (Shape::Scan, region)
            }
            Make::Survey(ports, salt, tools) => {
                let number = mixed(salt ^ self.random.below(ports.into()));
                let destination = self.destination(family);
                self.syn(frame, source, destination, 1 + (number % 65_535) as u16, tools);
                (Shape::Scan, region)
            }
            Make::Noise(shape) => self.noise(frame, shape, &pool, source, region),
        };
        Some(Made { shape, region })
    }

    fn noise(
        &mut self,
        frame: &mut Vec<u8>,
        shape: Shape,
        pool: &Pool,
        source: IpAddr,
        region: Option<Region>,
    ) -> (Shape, Option<Region>) {
        let family = family_of(source);
        match shape {
            Shape::Probe => self.probe(frame, source),
            Shape::Query => self.query(frame, source),
            Shape::Fragment => self.fragment(frame, source),
            Shape::Gre => self.tunnelled(frame, source),
            Shape::IcmpMismatch => {
                let victim = self.sources.fresh(pool.region, family, &mut self.random);
                self.icmp_error(frame, source, victim.0, 80, false);
            }
            Shape::NonIp => {
                // Of neighbours' switches and old machines: LLDP, IPX, AppleTalk, MPLS, PPPoE.
                let ethertype = self.random.pick(&[0x88cc_u16, 0x8137, 0x809b, 0x8847, 0x8863]);
                let payload = self.random.u64().to_be_bytes();
                frame::other(frame, ethertype, &payload);
                frame::pad(frame);
                return (shape, None);
            }
            Shape::Malformed => {
                self.malformed(frame);
                return (shape, None);
            }
            Shape::Unwatched => match self.neighbour(family) {
                Some(destination) => self.syn(frame, source, destination, 23, Tools::default()),
                // Everything is watched.
                None => {
                    self.arp(frame);
                    return (Shape::Arp, None);
                }
            },
            Shape::Local => {
                let source = match family {
                    Family::V4 => Ipv4Addr::from_bits(0xa9fe_0000 | u32::from(self.random.u16())).into(),
                    Family::V6 => Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(self.random.u64())).into(),
                };
                let destination = self.destination(family);
                self.syn(frame, source, destination, 23, Tools::default());
                return (shape, None);
            }
            _ => {
                self.arp(frame);
                return (Shape::Arp, None);
            }
        }
        (shape, region)
    }

    /// Somebody new who is attacked, as an entry of the scenario says.
    pub fn victim(&mut self, attack: usize) -> Option<Victim> {
        let family = self.family();
        let attacks = self.attacks.get(attack)?;
        let region = attacks.regions.draw(&mut self.random).and_then(|(&region, _)| region);
        let port = attacks.ports.draw(&mut self.random).map_or(80, |(&port, _)| port);
        let source = self.sources.fresh(region, family, &mut self.random);
        Some(Victim { attack, source, region, port, family })
    }

    /// The same for a packet that a victim answers, or a router on the way to it.
    pub fn of_victim(&mut self, victim: Victim, frame: &mut Vec<u8>) -> Made {
        let answers = self.attacks.get(victim.attack).map(|attacks| &attacks.answers);
        let answer = answers.and_then(|answers| answers.draw(&mut self.random)).map(|(&answer, _)| answer);
        let (address, region) = victim.source;
        let shape = match answer.unwrap_or(Answer::Synack) {
            Answer::Synack => Shape::SynAck,
            Answer::Rst => Shape::Rst,
            Answer::UdpReply => Shape::UdpReply,
            Answer::EchoReply => Shape::EchoReply,
            Answer::IcmpError => {
                let (router, _) = self.sources.fresh(victim.region, victim.family, &mut self.random);
                self.icmp_error(frame, router, address, victim.port, true);
                return Made { shape: Shape::IcmpError, region };
            }
        };
        self.answer(frame, shape, address, victim.port);
        Made { shape, region }
    }

    fn family(&mut self) -> Family {
        match [self.destinations[0].sum(), self.destinations[1].sum()] {
            [_, 0] => Family::V4,
            [0, _] => Family::V6,
            _ if self.random.chance(self.plan.scenario.noise.ipv6.0) => Family::V6,
            _ => Family::V4,
        }
    }

    /// A watched address. Of a family of which none is watched: one of a prefix for documentation.
    fn destination(&mut self, family: Family) -> IpAddr {
        let low = u128::from(self.random.u64()) << 64 | u128::from(self.random.u64());
        let prefix = self.destinations[family as usize].draw(&mut self.random).map(|(prefix, _)| *prefix);
        match (prefix, family) {
            (Some(IpNet::V4(prefix)), _) => {
                (prefix.network() | Ipv4Addr::from_bits(low as u32) & prefix.hostmask()).into()
            }
            (Some(IpNet::V6(prefix)), _) => {
                (prefix.network() | Ipv6Addr::from_bits(low) & prefix.hostmask()).into()
            }
            (None, Family::V4) => Ipv4Addr::from_bits(0xc000_0200 | low as u32 & 0xff).into(),
            (None, Family::V6) => Ipv6Addr::from_bits(0x2001_0db8 << 96 | low >> 32).into(),
        }
    }

    /// An address that is not watched; `None` if that is hard to find.
    fn neighbour(&mut self, family: Family) -> Option<IpAddr> {
        (0..8).find_map(|_| {
            let (address, _) = self.sources.fresh(None, family, &mut self.random);
            (!self.watched.iter().any(|prefix| prefix.contains(&address))).then_some(address)
        })
    }

    /// A source that is not routed.
    fn forged(&mut self, family: Family) -> IpAddr {
        let low = self.random.u64();
        match family {
            Family::V4 => Ipv4Addr::from_bits(
                self.random.pick(&[0x0a00_0000, 0x0a00_0000, 0xc0a8_0000]) | low as u32 & 0xffff,
            )
            .into(),
            Family::V6 => Ipv6Addr::from_bits(0xfd << 120 | u128::from(low)).into(),
        }
    }

    /// An IP header that is still to be told what follows it.
    fn ip(&mut self, source: IpAddr, destination: IpAddr) -> Ip {
        // The same source is always as many hops away.
        let of_source = match source {
            IpAddr::V4(source) => mixed(u64::from(source.to_bits())),
            IpAddr::V6(source) => mixed((source.to_bits() >> 64) as u64),
        };
        let initial = match of_source % 10 {
            0..=5 => 64,
            6..=8 => 128,
            _ => 255_u8,
        };
        let ttl = initial - 7 - (of_source / 10 % 20) as u8;
        Ip { source, destination, ttl, id: self.random.u16(), protocol: 0, fragment: 0 }
    }

    /// Begins a frame, and appends the packet; see [`frame::packet`].
    fn send(&mut self, frame: &mut Vec<u8>, ip: &Ip, payload: impl FnOnce(&mut Vec<u8>) -> Option<usize>) {
        let noise = &self.plan.scenario.noise;
        let (once, twice) = (noise.vlan.0, noise.double_vlan.0);
        let tags: &[(u16, u16)] = match self.random.fraction() * 1000.0 {
            roll if roll < once => &[(0x8100, 100)],
            roll if roll < once + twice => &[(0x88a8, 7), (0x8100, 100)],
            _ => &[],
        };
        frame::ethernet(frame, tags, ip.source.is_ipv4());
        frame::packet(frame, ip, payload);
        frame::pad(frame);
    }

    fn scan(&mut self, frame: &mut Vec<u8>, source: IpAddr, target: Target, tools: Tools) {
        let family = family_of(source);
        let destination = self.destination(family);
        let Target::Service(Service { protocol, number: port }) = target else {
            let port = 1 + self.random.below(65_535) as u16;
            self.syn(frame, source, destination, port, tools);
            return;
        };
        let client = self.random.client_port();
        match protocol {
            Protocol::Udp => {
                let ip = self.ip(source, destination).carrying(frame::UDP);
                self.send(frame, &ip, |to| frame::udp(to, [client, port], question(port)));
            }
            Protocol::Sctp => {
                let tag = self.random.u32();
                let ip = self.ip(source, destination).carrying(frame::SCTP);
                self.send(frame, &ip, |to| frame::sctp(to, [client, port], tag));
            }
            Protocol::Icmp | Protocol::Icmpv6 => {
                let kind = if family == Family::V4 { 8 } else { 128 };
                let rest = self.echo();
                let ip = self.ip(source, destination).icmp();
                self.send(frame, &ip, |to| frame::icmp(to, kind, 0, &rest));
            }
            _ => self.syn(frame, source, destination, port, tools),
        }
    }

    fn syn(&mut self, frame: &mut Vec<u8>, source: IpAddr, destination: IpAddr, port: u16, tools: Tools) {
        /// MSS 1460, SACK, timestamps, window scale 7: Linux.
        const LINUX: &[u8] = &[2, 4, 5, 180, 4, 2, 8, 10, 0, 18, 214, 135, 0, 0, 0, 0, 1, 3, 3, 7];
        /// MSS 1460, window scale 8, SACK: Windows.
        const WINDOWS: &[u8] = &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
        /// MSS 1460: ZMap.
        const ZMAP: &[u8] = &[2, 4, 5, 180];

        let mut ip = self.ip(source, destination).carrying(frame::TCP);
        let mut tcp = Tcp {
            ports: [self.random.client_port(), port],
            sequence: self.random.u32(),
            acknowledged: 0,
            flags: SYN,
            window: 64_240,
            options: if self.random.chance(600.0) { LINUX } else { WINDOWS },
            payload: &[],
        };
        let Tools { mirai, zmap, masscan } = tools;
        if let IpAddr::V4(destination) = destination {
            let destination = destination.to_bits();
            match self.random.below(100) as u8 {
                roll if roll < mirai => {
                    tcp = Tcp { sequence: destination, window: self.random.u16(), options: &[], ..tcp };
                }
                roll if roll < mirai + zmap => {
                    (ip.id, ip.ttl) = (54_321, ip.ttl | 0xc0);
                    tcp = Tcp { window: 65_535, options: ZMAP, ..tcp };
                }
                roll if roll < mirai + zmap + masscan => {
                    (ip.id, ip.ttl) = ((destination ^ u32::from(port) ^ tcp.sequence) as u16, ip.ttl | 0xc0);
                    tcp = Tcp { window: 1024, options: &[], ..tcp };
                }
                _ => {}
            }
        }
        self.send(frame, &ip, |to| tcp.write(to));
    }

    fn probe(&mut self, frame: &mut Vec<u8>, source: IpAddr) {
        let destination = self.destination(family_of(source));
        let tcp = Tcp {
            ports: [self.random.client_port(), self.random.pick(&[80, 443, 22, 445])],
            sequence: self.random.u32(),
            acknowledged: self.random.u32(),
            flags: self.random.pick(&[ACK, PSH | ACK, FIN, FIN | PSH | URG, SYN | FIN, 0]),
            window: 1024,
            options: &[],
            payload: &[],
        };
        let ip = self.ip(source, destination).carrying(frame::TCP);
        self.send(frame, &ip, |to| tcp.write(to));
    }

    fn query(&mut self, frame: &mut Vec<u8>, source: IpAddr) {
        let destination = self.destination(family_of(source));
        let kind = if source.is_ipv4() { 13 } else { 139 };
        let rest = [0, 1, 0, 1, 3, 9, 144, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let ip = self.ip(source, destination).icmp();
        self.send(frame, &ip, |to| frame::icmp(to, kind, 0, &rest));
    }

    /// What a victim answers to a packet that it was sent in a watched address's name.
    fn answer(&mut self, frame: &mut Vec<u8>, shape: Shape, source: IpAddr, port: u16) {
        let family = family_of(source);
        let destination = self.destination(family);
        let ip = self.ip(source, destination);
        let client = self.random.client_port();
        match shape {
            Shape::UdpReply => {
                self.send(frame, &ip.carrying(frame::UDP), |to| {
                    frame::udp(to, [port, client], question(port))
                });
            }
            Shape::EchoReply => {
                let kind = if family == Family::V4 { 0 } else { 129 };
                let rest = self.echo();
                self.send(frame, &ip.icmp(), |to| frame::icmp(to, kind, 0, &rest));
            }
            _ => {
                let is_reset = shape == Shape::Rst;
                let tcp = Tcp {
                    ports: [port, client],
                    sequence: if is_reset { 0 } else { self.random.u32() },
                    acknowledged: self.random.u32(),
                    flags: if is_reset { RST | ACK } else { SYN | ACK },
                    window: if is_reset { 0 } else { 29_200 },
                    options: if is_reset { &[] } else { &[2, 4, 5, 180] },
                    payload: &[],
                };
                self.send(frame, &ip.carrying(frame::TCP), |to| tcp.write(to));
            }
        }
    }

    /// What a router complains of to a packet's sender. `watched`: that is the watched address to which the
    /// router writes.
    fn icmp_error(
        &mut self,
        frame: &mut Vec<u8>,
        router: IpAddr,
        victim: IpAddr,
        port: u16,
        watched: bool,
    ) {
        let family = family_of(router);
        let destination = self.destination(family);
        let sender = if watched { destination } else { victim };
        let mut lost = Ip { ttl: 1 + self.random.below(40) as u8, ..self.ip(sender, victim) };
        let ports = [self.random.client_port(), port];
        let mut quote = std::mem::take(&mut self.quote);
        quote.clear();
        quote.extend([0; 4]);
        match self.random.below(20) {
            0..=9 => {
                let tcp = Tcp {
                    ports,
                    sequence: self.random.u32(),
                    acknowledged: 0,
                    flags: SYN,
                    window: 64_240,
                    options: &[],
                    payload: &[],
                };
                frame::packet(&mut quote, &lost.carrying(frame::TCP), |to| tcp.write(to));
            }
            10..=15 => {
                frame::packet(&mut quote, &lost.carrying(frame::UDP), |to| frame::udp(to, ports, &[0; 18]));
            }
            16..=18 => {
                let kind = if family == Family::V4 { 8 } else { 128 };
                let rest = self.echo();
                lost = lost.icmp();
                frame::packet(&mut quote, &lost, |to| frame::icmp(to, kind, 0, &rest));
            }
            _ => frame::packet(&mut quote, &lost.carrying(frame::GRE), |to| {
                to.extend([0, 0, 8, 0, 0x45, 0, 0, 20]);
                None
            }),
        }
        let (kind, code) = match family {
            Family::V4 => {
                // RFC 792: the header and 8 bytes.
                quote.truncate(4 + 20 + 8);
                self.random.pick(&[(3, 1), (3, 3), (3, 10), (3, 13), (11, 0)])
            }
            Family::V6 => self.random.pick(&[(1, 0), (1, 1), (1, 3), (1, 4), (3, 0)]),
        };
        let ip = self.ip(router, destination).icmp();
        self.send(frame, &ip, |to| frame::icmp(to, kind, code, &quote));
        self.quote = quote;
    }

    fn fragment(&mut self, frame: &mut Vec<u8>, source: IpAddr) {
        let destination = self.destination(family_of(source));
        let protocol = self.random.pick(&[frame::UDP, frame::UDP, frame::TCP]);
        let fragment = 1 + self.random.below(180) as u16;
        let ip = Ip { fragment, ..self.ip(source, destination).carrying(protocol) };
        let payload = self.random.u64().to_be_bytes();
        self.send(frame, &ip, |to| {
            (0..8).for_each(|_| to.extend(payload));
            None
        });
    }

    fn tunnelled(&mut self, frame: &mut Vec<u8>, source: IpAddr) {
        let family = family_of(source);
        let destination = self.destination(family);
        let outer = self.ip(source, destination).carrying(frame::GRE);
        let inner = self.ip(destination, source).carrying(frame::UDP);
        let ports = [self.random.client_port(), 80];
        self.send(frame, &outer, |to| {
            to.extend([0, 0]);
            to.extend(if family == Family::V4 { [0x08, 0x00] } else { [0x86, 0xdd] });
            frame::packet(to, &inner, |to| frame::udp(to, ports, &[0; 16]));
            None
        });
    }

    fn arp(&mut self, frame: &mut Vec<u8>) {
        let addresses = [self.destination(Family::V4), self.destination(Family::V4)];
        if let [IpAddr::V4(from), IpAddr::V4(to)] = addresses {
            frame::other(frame, 0x0806, &frame::arp_request(from, to));
            frame::pad(frame);
        }
    }

    /// A SYN, broken.
    fn malformed(&mut self, frame: &mut Vec<u8>) {
        let (source, _) = self.sources.fresh(None, Family::V4, &mut self.random);
        let destination = self.destination(Family::V4);
        let ip = self.ip(source, destination).carrying(frame::TCP);
        let tcp = Tcp {
            ports: [self.random.client_port(), 80],
            sequence: self.random.u32(),
            acknowledged: 0,
            flags: SYN,
            window: 1024,
            options: &[],
            payload: &[],
        };
        let breakage = self.random.below(7);
        // More tags than anybody stacks.
        let tags: &[(u16, u16)] = if breakage == 0 { &[(0x8100, 1); 5] } else { &[] };
        frame::ethernet(frame, tags, breakage != 1);
        frame::packet(frame, &ip, |to| tcp.write(to));
        let mut set = |at: usize, value: u8| {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        };
        match breakage {
            // IPv4's header where IPv6's is announced: done.
            0 | 1 => {}
            // Of version 5, and with a header of 12 bytes.
            2 => set(14, 0x55),
            3 => set(14, 0x43),
            // Shorter than its own header; cut within TCP's, if it goes to a watched address.
            4 => set(17, 12),
            5 if self.destinations[0].sum() > 0 => set(17, 28),
            _ => {
                frame.truncate(15 + self.random.below(18) as usize);
                return;
            }
        }
        frame::pad(frame);
    }

    /// Identifier, sequence number and payload of an echo.
    fn echo(&mut self) -> [u8; 36] {
        let mut rest = [0; 36];
        rest[..4].copy_from_slice(&self.random.u32().to_be_bytes());
        for (byte, letter) in rest.iter_mut().skip(4).zip((b'a'..=b'w').cycle()) {
            *byte = letter;
        }
        rest
    }
}

impl Attacks {
    fn of(entry: &Backscatter, plan: &Plan) -> Self {
        let regions = if entry.regions.0.is_empty() { &plan.scenario.regions } else { &entry.regions };
        let region = |code: Region| plan.regions.binary_search(&code).ok();
        let port = |target: &Target| match target {
            Target::Service(service) => service.number,
            Target::AnyTcp => 80,
        };
        Self {
            regions: Weighted::new(regions.0.iter().map(|(code, weight)| (region(code.0), parts(weight.0)))),
            ports: Weighted::new(entry.services.iter().map(|(target, weight)| (port(target), parts(weight.0)))),
            answers: Weighted::new(entry.answers.iter().map(|(&answer, weight)| (answer, parts(weight.0)))),
        }
    }
}

/// A weight as a whole number: up to 10^12, of which there may be some thousands.
pub(super) fn parts(weight: f64) -> u64 {
    (weight.min(1e9) * PARTS).round() as u64
}

/// The watched prefixes of a family, by how much goes to them.
fn destinations(sensors: &Sensors, weights: &[f64], family: Family) -> Weighted<IpNet> {
    let size = |prefix: &IpNet| f64::from(u32::from(prefix.max_prefix_len() - prefix.prefix_len()).min(40)).exp2();
    Weighted::new(sensors.iter().zip(weights).flat_map(|(sensor, &weight)| {
        let prefixes: Vec<IpNet> =
            sensor.prefixes.iter().copied().filter(|prefix| family_of(prefix.addr()) == family).collect();
        let sum: f64 = prefixes.iter().map(size).sum();
        prefixes.into_iter().map(move |prefix| (prefix, parts(weight * size(&prefix) / sum).max(1)))
    }))
}

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// What is asked of a UDP service. Reflectors' answers carry it, too: nobody reads them.
fn question(port: u16) -> &'static [u8] {
    match port {
        // `ANY .`, recursion desired.
        53 => b"\x1d\x3c\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\xff\x00\x01",
        // The list of the last clients (`monlist`).
        123 => b"\x17\x00\x03\x2a\x00\x00\x00\x00",
        137 => b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00 CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x21\x00\x01",
        // GetRequest of sysDescr.0 with community `public`.
        161 => b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00",
        // A search of the root for all attributes.
        389 => b"\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectclass\x30\x00",
        1900 => b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n",
        5060 => b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1\r\nFrom: \"scan\" <sip:100@1.1.1.1>;tag=1\r\nTo: <sip:100@1.1.1.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        11211 => b"\x00\x01\x00\x00\x00\x01\x00\x00stats\r\n",
        _ => b"",
    }
}
