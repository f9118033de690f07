//! What the traffic is made of: shares of shapes, services, regions and tools.
//!
//! Modelled on what telescopes published of October to December 2019, when 23/tcp led before 445,
//! 1433, 80 and 22, and the Netherlands before Russia, the United States and China; with a few
//! services that came later.

use Service::{Ping, Sctp, Tcp, Udp};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Tcp(u16),
    Udp(u16),
    Sctp(u16),
    /// An echo request.
    Ping,
    /// A SYN to a port of its own each time.
    AnyTcp,
}

/// Who asks: an index into [`REGIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// Research and criminal scanners in data centres.
    Scanners,
    /// Bots on cameras and routers at home.
    Devices,
    /// Worms on office machines.
    Offices,
    /// Those who look for databases.
    Databases,
    /// Those who guess passwords of servers.
    Servers,
    /// Home routers of one maker.
    Gateways,
}

/// Weights of tools among the SYNs to a port, in percent; the rest has no mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub mirai: u8,
    pub zmap: u8,
    pub masscan: u8,
}

const fn marks(mirai: u8, zmap: u8, masscan: u8) -> Marks {
    Marks { mirai, zmap, masscan }
}

const NO_MARKS: Marks = marks(0, 0, 0);

/// The services that scans look for, with their weights.
#[rustfmt::skip]
pub(super) const SERVICES: &[(Service, u64, Crowd, Marks)] = &[
    (Tcp(23),     250, Crowd::Devices,   marks(55, 2, 4)),
    (Tcp(445),     95, Crowd::Offices,   marks(0, 1, 4)),
    (Tcp(1433),    62, Crowd::Databases, marks(0, 2, 12)),
    (Tcp(80),      52, Crowd::Scanners,  marks(2, 18, 10)),
    (Tcp(22),      46, Crowd::Servers,   marks(0, 10, 12)),
    (Tcp(37215),   38, Crowd::Gateways,  marks(75, 0, 2)),
    (Tcp(3389),    32, Crowd::Scanners,  marks(0, 6, 25)),
    (Tcp(8080),    29, Crowd::Scanners,  marks(15, 14, 10)),
    (Tcp(5555),    24, Crowd::Devices,   marks(40, 2, 10)),
    (Tcp(443),     23, Crowd::Scanners,  marks(0, 25, 10)),
    (Tcp(81),      19, Crowd::Devices,   marks(45, 3, 10)),
    (Tcp(10000),   17, Crowd::Scanners,  marks(0, 10, 40)),
    (Tcp(2323),    16, Crowd::Devices,   marks(70, 1, 3)),
    (Tcp(6379),    14, Crowd::Databases, marks(0, 6, 40)),
    (Tcp(8545),    12, Crowd::Scanners,  marks(0, 15, 40)),
    (Tcp(5900),    11, Crowd::Scanners,  marks(0, 4, 30)),
    (Tcp(21),      10, Crowd::Scanners,  marks(0, 18, 8)),
    (Tcp(52869),    9, Crowd::Gateways,  marks(70, 0, 2)),
    (Tcp(60001),    9, Crowd::Devices,   marks(65, 0, 4)),
    (Tcp(3306),     9, Crowd::Databases, marks(0, 6, 20)),
    (Tcp(8443),     9, Crowd::Scanners,  marks(0, 18, 20)),
    (Tcp(25),       8, Crowd::Scanners,  marks(0, 12, 8)),
    (Tcp(7547),     8, Crowd::Gateways,  marks(30, 10, 5)),
    (Tcp(8291),     7, Crowd::Gateways,  marks(0, 4, 20)),
    (Tcp(5432),     6, Crowd::Databases, marks(0, 10, 20)),
    (Tcp(2222),     6, Crowd::Servers,   marks(10, 6, 15)),
    (Tcp(9200),     6, Crowd::Databases, marks(0, 15, 30)),
    (Tcp(27017),    5, Crowd::Databases, marks(0, 15, 25)),
    (Tcp(5038),     4, Crowd::Scanners,  marks(0, 2, 20)),
    (Service::AnyTcp, 80, Crowd::Scanners, marks(0, 6, 55)),
    (Ping,         26, Crowd::Scanners,  NO_MARKS),
    (Udp(5060),    15, Crowd::Servers,   NO_MARKS),
    (Udp(53),      14, Crowd::Scanners,  NO_MARKS),
    (Udp(123),     12, Crowd::Scanners,  NO_MARKS),
    (Udp(1900),    10, Crowd::Scanners,  NO_MARKS),
    (Udp(161),      6, Crowd::Scanners,  NO_MARKS),
    (Udp(389),      5, Crowd::Scanners,  NO_MARKS),
    (Udp(11211),    4, Crowd::Scanners,  NO_MARKS),
    (Udp(137),      3, Crowd::Offices,   NO_MARKS),
    (Sctp(2905),    2, Crowd::Scanners,  NO_MARKS),
    (Sctp(38412),   1, Crowd::Scanners,  NO_MARKS),
];

/// Regions of a crowd, with their weights.
#[rustfmt::skip]
pub(super) const fn regions(crowd: Crowd) -> &'static [(&'static str, u64)] {
    match crowd {
        Crowd::Scanners => &[
            ("NL", 248), ("RU", 190), ("US", 165), ("CN", 48), ("RO", 78), ("DE", 38), ("FR", 34), ("GB", 32),
            ("TW", 12), ("BG", 20), ("SG", 16), ("HK", 14), ("UA", 14), ("CA", 12), ("KR", 12), ("JP", 12),
            ("IN", 10), ("BR", 10), ("PL", 8), ("IT", 8), ("SE", 6), ("CH", 6), ("VN", 6), ("IR", 5), ("LT", 4),
        ],
        Crowd::Devices => &[
            ("NL", 115), ("RU", 104), ("US", 100), ("CN", 66), ("TW", 74), ("RO", 72), ("BR", 72), ("VN", 56),
            ("IR", 50), ("KR", 46), ("IN", 44), ("TR", 26), ("EG", 24), ("JP", 22), ("IT", 20), ("GR", 18),
            ("MX", 16), ("TH", 14), ("UA", 14), ("AR", 12), ("DE", 10), ("FR", 10), ("GB", 8), ("HK", 8),
            ("ID", 8), ("ES", 6), ("ZA", 5),
        ],
        Crowd::Offices => &[
            ("VN", 130), ("RU", 120), ("IN", 95), ("ID", 90), ("BR", 75), ("CN", 60), ("US", 55), ("TW", 50),
            ("TH", 45), ("TR", 40), ("VE", 38), ("UA", 34), ("IR", 32), ("PH", 25), ("MX", 24), ("MY", 22),
            ("PK", 20), ("JP", 15), ("KR", 15), ("IT", 12), ("BD", 10),
        ],
        Crowd::Databases => &[
            ("CN", 560), ("US", 115), ("IN", 62), ("VN", 52), ("RU", 46), ("NL", 28), ("BR", 26), ("KR", 24),
            ("ID", 18), ("FR", 14), ("DE", 13), ("TW", 12), ("HK", 11), ("JP", 7), ("SG", 6), ("TH", 6),
        ],
        Crowd::Servers => &[
            ("CN", 190), ("US", 140), ("FR", 120), ("NL", 110), ("RU", 70), ("VN", 50), ("DE", 46), ("SG", 40),
            ("IN", 36), ("KR", 34), ("BR", 30), ("RO", 28), ("GB", 24), ("HK", 16), ("PS", 14), ("ID", 12),
            ("CA", 12), ("JP", 8),
        ],
        Crowd::Gateways => &[
            ("EG", 400), ("NL", 120), ("RU", 90), ("US", 80), ("RO", 60), ("TW", 40), ("BR", 40), ("CN", 36),
            ("IR", 30), ("TR", 26), ("VN", 20), ("IT", 16), ("ZA", 14), ("TN", 14), ("MX", 14),
        ],
    }
}

/// Where those live who are attacked, and whose answers go astray.
#[rustfmt::skip]
pub(super) const VICTIMS: &[(&str, u64)] = &[
    ("US", 260), ("CN", 220), ("HK", 80), ("DE", 70), ("FR", 60), ("NL", 50), ("RU", 45), ("BR", 40), ("KR", 36),
    ("GB", 34), ("JP", 28), ("TR", 24), ("CA", 20), ("SG", 20), ("PL", 18), ("SE", 12), ("IT", 12), ("AU", 10),
];

/// Services that are attacked, with their weights.
pub(super) const ATTACKED: &[(u16, u64)] =
    &[(80, 340), (443, 300), (22, 60), (25565, 60), (53, 50), (3389, 40), (8080, 30), (25, 20), (6667, 10)];

/// UDP services whose answers go astray.
pub(super) const REFLECTORS: &[(u16, u64)] =
    &[(53, 45), (123, 20), (443, 10), (389, 10), (1900, 10), (11211, 5)];
