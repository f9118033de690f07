//! Traffic as a network telescope sees it, made: scans and worms, backscatter, and all the rest that
//! arrives at addresses nobody asked anything from.
//!
//! The same seed, watched prefixes and country database give the same frames.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `mix` | shares of services, regions and tools |
//! | `sources` | sources by region, busy and new ones |
//! | `frame` | bytes and checksums |
//! | `random` | numbers that a seed decides |
//! | [`player`] | frames at a steady rate |

mod frame;
mod mix;
pub mod player;
mod random;
mod sources;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use sensor_common::kind::Family;

use self::{
    frame::{ACK, FIN, Ip, PSH, RST, SYN, Tcp, URG},
    mix::{ATTACKED, Crowd, Marks, REFLECTORS, SERVICES, Service, VICTIMS},
    random::{Random, Weighted, mixed},
    sources::{Source, Sources},
};
use crate::{geo::Tables, model::Region};

/// What a frame is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A SYN, a UDP datagram, an SCTP INIT or an echo request to a service.
    Scan,
    /// A TCP segment with flags that open no connection.
    Probe,
    /// An ICMP timestamp request; over IPv6 a node information query.
    Query,
    /// A SYN-ACK of a victim.
    SynAck,
    /// A reset of a victim.
    Rst,
    /// A reflector's answer.
    UdpReply,
    /// An answer to an echo request.
    EchoReply,
    /// An ICMP error that quotes a packet with a watched source.
    IcmpError,
    /// An ICMP error that quotes somebody else's packet.
    IcmpMismatch,
    /// A fragment other than the first.
    Fragment,
    /// A packet in a GRE tunnel.
    Gre,
    /// An ARP request.
    Arp,
    /// A frame of another protocol than IP and ARP.
    NonIp,
    /// Headers that are cut, or contradict themselves.
    Malformed,
    /// A SYN to an address that is not watched.
    Unwatched,
    /// A SYN from an address that is never seen beyond its own link.
    Local,
}

impl Shape {
    /// All shapes, with how many of a thousand frames have them.
    pub const SHARES: [(Self, u64); 16] = [
        (Self::Scan, 800),
        (Self::Probe, 10),
        (Self::Query, 4),
        (Self::SynAck, 60),
        (Self::Rst, 35),
        (Self::UdpReply, 20),
        (Self::EchoReply, 10),
        (Self::IcmpError, 25),
        (Self::IcmpMismatch, 3),
        (Self::Fragment, 6),
        (Self::Gre, 4),
        (Self::Arp, 6),
        (Self::NonIp, 2),
        (Self::Malformed, 6),
        (Self::Unwatched, 6),
        (Self::Local, 3),
    ];
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub shape: Shape,
    /// Where its source is, for an ICMP error the quoted destination; `None` where it is nowhere, or
    /// could be anywhere since the database has no addresses of the region that was wanted.
    pub region: Option<Region>,
}

/// There is nobody to send traffic to.
#[derive(Debug, thiserror::Error)]
#[error("traffic is made for watched prefixes, and there are none")]
pub struct NothingWatched;

/// Of a thousand frames, those with one VLAN tag.
const TAGGED: u64 = 12;
/// Of a thousand frames, those with two.
const DOUBLE_TAGGED: u64 = 3;
/// Of a thousand packets to sensors that watch both families, those over IPv6.
const OVER_V6: u64 = 40;
/// Of a thousand scans, those from a source that is not routed.
const FORGED: u64 = 3;
/// Victims at a time.
const UNDER_ATTACK: u64 = 24;
/// Of a thousand packets of backscatter, those after which a victim is left alone.
const ATTACK_ENDS: u64 = 2;

/// Somebody whose answers to forged packets go astray.
#[derive(Clone, Copy, Debug)]
struct Victim {
    source: Source,
    pool: usize,
    port: u16,
}

/// An endless stream of frames.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    shapes: Weighted<Shape>,
    services: Weighted<(Service, Crowd, Marks)>,
    watched: Vec<IpNet>,
    /// Watched prefixes of IPv4 and IPv6, by their sizes.
    destinations: [Weighted<IpNet>; 2],
    sources: Sources,
    victim_pools: Weighted<usize>,
    victims: [Vec<Victim>; 2],
    attacked: Weighted<u16>,
    reflectors: Weighted<u16>,
    /// What an ICMP error quotes.
    quote: Vec<u8>,
}

impl Traffic {
    /// Traffic to watched prefixes, from sources of the regions that the country database knows;
    /// without one, from anywhere.
    ///
    /// # Errors
    ///
    /// [`NothingWatched`] without prefixes.
    pub fn new(seed: u64, watched: &[IpNet], geo: &Tables) -> Result<Self, NothingWatched> {
        let of = |family: Family| {
            let prefixes = watched.iter().filter(move |prefix| family_of(prefix.addr()) == family);
            // The largest IPv6 prefixes count as 2^56 addresses: nobody scans them evenly anyway.
            let size = |prefix: &IpNet| 1 << (prefix.max_prefix_len() - prefix.prefix_len()).min(56);
            Weighted::new(prefixes.map(|prefix| (*prefix, size(prefix))))
        };
        if watched.is_empty() {
            return Err(NothingWatched);
        }
        let sources = Sources::new(geo);
        Ok(Self {
            random: Random::new(seed),
            shapes: Weighted::new(Shape::SHARES),
            services: Weighted::new(
                SERVICES.iter().map(|&(service, weight, crowd, marks)| ((service, crowd, marks), weight)),
            ),
            watched: watched.to_vec(),
            destinations: [of(Family::V4), of(Family::V6)],
            victim_pools: sources.weighted(VICTIMS),
            sources,
            victims: Default::default(),
            attacked: Weighted::new(ATTACKED.iter().copied()),
            reflectors: Weighted::new(REFLECTORS.iter().copied()),
            quote: Vec::new(),
        })
    }

    /// Puts the next frame, of 15 to 1,514 bytes, in place of what `frame` holds.
    pub fn next_frame(&mut self, frame: &mut Vec<u8>) -> Made {
        let shape = self.shapes.draw(&mut self.random).map_or(Shape::Scan, |(&shape, _)| shape);
        let family = self.family();
        let region = match shape {
            Shape::Scan => self.scan(frame, family),
            Shape::Probe => self.probe(frame, family),
            Shape::Query => self.query(frame, family),
            Shape::SynAck | Shape::Rst | Shape::UdpReply | Shape::EchoReply => {
                self.answer(frame, shape, family)
            }
            Shape::IcmpError => self.icmp_error(frame, family, true),
            Shape::IcmpMismatch => self.icmp_error(frame, family, false),
            Shape::Fragment => self.fragment(frame, family),
            Shape::Gre => self.tunnelled(frame, family),
            Shape::Arp => {
                self.arp(frame);
                None
            }
            Shape::NonIp => {
                // Of neighbours' switches and old machines: LLDP, IPX, AppleTalk, MPLS, PPPoE.
                let ethertype = self.random.pick(&[0x88cc_u16, 0x8137, 0x809b, 0x8847, 0x8863]);
                let payload = self.random.u64().to_be_bytes();
                frame::other(frame, ethertype, &payload);
                frame::pad(frame);
                None
            }
            Shape::Malformed => {
                self.malformed(frame);
                None
            }
            Shape::Unwatched => match self.neighbour(family) {
                Some(destination) => {
                    let (source, region) = self.source(Crowd::Scanners, family);
                    self.syn(frame, source, destination, 23, Marks::default());
                    region
                }
                // Everything is watched.
                None => {
                    self.arp(frame);
                    return Made { shape: Shape::Arp, region: None };
                }
            },
            Shape::Local => {
                let source = match family {
                    Family::V4 => Ipv4Addr::from_bits(0xa9fe_0000 | u32::from(self.random.u16())).into(),
                    Family::V6 => Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(self.random.u64())).into(),
                };
                let destination = self.destination(family);
                self.syn(frame, source, destination, 23, Marks::default());
                None
            }
        };
        Made { shape, region }
    }

    fn family(&mut self) -> Family {
        match [self.destinations[0].sum(), self.destinations[1].sum()] {
            [_, 0] => Family::V4,
            [0, _] => Family::V6,
            _ if self.random.chance(OVER_V6) => Family::V6,
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
            let (address, _) = self.sources.fresh(0, family, &mut self.random);
            (!self.watched.iter().any(|prefix| prefix.contains(&address))).then_some(address)
        })
    }

    fn source(&mut self, crowd: Crowd, family: Family) -> Source {
        if self.random.chance(FORGED) {
            let low = self.random.u64();
            let address = match family {
                Family::V4 => Ipv4Addr::from_bits(
                    self.random.pick(&[0x0a00_0000, 0x0a00_0000, 0xc0a8_0000]) | low as u32 & 0xffff,
                )
                .into(),
                Family::V6 => Ipv6Addr::from_bits(0xfd << 120 | u128::from(low)).into(),
            };
            return (address, Some(Region::NON_ROUTABLE));
        }
        let pool = self.sources.pool(crowd, &mut self.random);
        self.sources.draw(pool, family, &mut self.random)
    }

    /// Somebody who is attacked. The first ones are hit the hardest.
    fn victim(&mut self, family: Family) -> Victim {
        let at = (self.random.below(UNDER_ATTACK) * self.random.below(UNDER_ATTACK) / UNDER_ATTACK) as usize;
        let ends = self.random.chance(ATTACK_ENDS);
        match self.victims[family as usize].get(at) {
            Some(victim) if !ends => *victim,
            _ => {
                let pool = self.victim_pools.draw(&mut self.random).map_or(0, |(&pool, _)| pool);
                let source = self.sources.fresh(pool, family, &mut self.random);
                let port = self.attacked.draw(&mut self.random).map_or(80, |(&port, _)| port);
                let victim = Victim { source, pool, port };
                let victims = &mut self.victims[family as usize];
                match victims.get_mut(at) {
                    Some(old) => *old = victim,
                    None => victims.push(victim),
                }
                victim
            }
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
        let tags: &[(u16, u16)] = match self.random.below(1000) {
            roll if roll < TAGGED => &[(0x8100, 100)],
            roll if roll < TAGGED + DOUBLE_TAGGED => &[(0x88a8, 7), (0x8100, 100)],
            _ => &[],
        };
        frame::ethernet(frame, tags, ip.source.is_ipv4());
        frame::packet(frame, ip, payload);
        frame::pad(frame);
    }

    fn scan(&mut self, frame: &mut Vec<u8>, family: Family) -> Option<Region> {
        let (service, crowd, marks) = match self.services.draw(&mut self.random) {
            Some((&service, _)) => service,
            None => return None,
        };
        let (source, region) = self.source(crowd, family);
        let destination = self.destination(family);
        let client = self.random.client_port();
        match service {
            Service::Tcp(port) => self.syn(frame, source, destination, port, marks),
            Service::AnyTcp => {
                let port = 1 + self.random.below(65_535) as u16;
                self.syn(frame, source, destination, port, marks);
            }
            Service::Udp(port) => {
                let ip = self.ip(source, destination).carrying(frame::UDP);
                self.send(frame, &ip, |to| frame::udp(to, [client, port], question(port)));
            }
            Service::Sctp(port) => {
                let tag = self.random.u32();
                let ip = self.ip(source, destination).carrying(frame::SCTP);
                self.send(frame, &ip, |to| frame::sctp(to, [client, port], tag));
            }
            Service::Ping => {
                let kind = if family == Family::V4 { 8 } else { 128 };
                let rest = self.echo();
                let ip = self.ip(source, destination).icmp();
                self.send(frame, &ip, |to| frame::icmp(to, kind, 0, &rest));
            }
        }
        region
    }

    fn syn(&mut self, frame: &mut Vec<u8>, source: IpAddr, destination: IpAddr, port: u16, marks: Marks) {
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
            options: if self.random.chance(600) { LINUX } else { WINDOWS },
            payload: &[],
        };
        let Marks { mirai, zmap, masscan } = marks;
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

    fn probe(&mut self, frame: &mut Vec<u8>, family: Family) -> Option<Region> {
        let (source, region) = self.source(Crowd::Scanners, family);
        let destination = self.destination(family);
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
        region
    }

    fn query(&mut self, frame: &mut Vec<u8>, family: Family) -> Option<Region> {
        let (source, region) = self.source(Crowd::Scanners, family);
        let destination = self.destination(family);
        let kind = if family == Family::V4 { 13 } else { 139 };
        let rest = [0, 1, 0, 1, 3, 9, 144, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let ip = self.ip(source, destination).icmp();
        self.send(frame, &ip, |to| frame::icmp(to, kind, 0, &rest));
        region
    }

    /// What a victim answers to a packet that it was sent in a watched address's name.
    fn answer(&mut self, frame: &mut Vec<u8>, shape: Shape, family: Family) -> Option<Region> {
        let Victim { source: (source, region), port, .. } = self.victim(family);
        let destination = self.destination(family);
        let ip = self.ip(source, destination);
        let client = self.random.client_port();
        match shape {
            Shape::UdpReply => {
                let port = self.reflectors.draw(&mut self.random).map_or(53, |(&port, _)| port);
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
        region
    }

    /// What a router on the way to a victim complains of. `watched`: the packet had a watched source,
    /// that of the address to which the router writes.
    fn icmp_error(&mut self, frame: &mut Vec<u8>, family: Family, watched: bool) -> Option<Region> {
        let Victim { source: (victim, region), pool, port } = self.victim(family);
        let destination = self.destination(family);
        let (router, router_region) = self.sources.draw(pool, family, &mut self.random);
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
        // Of a packet that quotes nobody's, the source is the router.
        if watched { region } else { router_region }
    }

    fn fragment(&mut self, frame: &mut Vec<u8>, family: Family) -> Option<Region> {
        let (source, region) = self.source(Crowd::Scanners, family);
        let destination = self.destination(family);
        let protocol = self.random.pick(&[frame::UDP, frame::UDP, frame::TCP]);
        let fragment = 1 + self.random.below(180) as u16;
        let ip = Ip { fragment, ..self.ip(source, destination).carrying(protocol) };
        let payload = self.random.u64().to_be_bytes();
        self.send(frame, &ip, |to| {
            (0..8).for_each(|_| to.extend(payload));
            None
        });
        region
    }

    fn tunnelled(&mut self, frame: &mut Vec<u8>, family: Family) -> Option<Region> {
        let (source, region) = self.source(Crowd::Devices, family);
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
        region
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
        let (source, _) = self.sources.draw(0, Family::V4, &mut self.random);
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
