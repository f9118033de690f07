//! Traffic as a network telescope sees it, made from a scenario: scans and worms, surges and silences,
//! backscatter, and all the rest that arrives at addresses nobody asked anything from.
//!
//! The same scenario, seed, sensors and country database give the same frames.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`scenario`] | what users write, and what is wrong with it |
//! | [`plan`] | what is expected of each day |
//! | [`timeline`] | frames and epochs in virtual time |
//! | `maker` | frames of what is asked for |
//! | `sources` | sources by region, which stay for some days |
//! | `frame` | bytes and checksums |
//! | `random` | numbers that a seed decides |
//! | [`player`] | frames at a steady rate |

mod frame;
mod maker;
pub mod plan;
pub mod player;
mod random;
pub mod scenario;
mod sources;
#[cfg(test)]
mod tests;
pub mod timeline;

pub use plan::{Expected, Plan, PlanError};
pub use scenario::{Scenario, ScenarioError, Target};
pub use timeline::{Step, Timeline};

use self::{
    maker::{Maker, Victim, parts},
    random::Weighted,
};
use crate::{geo::Tables, model::Region};

/// The scenario of `teiten demo`.
pub const DEMO: &str = include_str!("../../../docs/scenarios/demo.toml");

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

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub shape: Shape,
    /// Where its source is, for an ICMP error the quoted destination; `None` where it is nowhere, or
    /// could be anywhere since the database has no addresses of the region that was wanted.
    pub region: Option<Region>,
}

/// Victims of an entry of backscatter at a time.
const UNDER_ATTACK: u64 = 24;
/// Of a thousand packets of backscatter, those after which a victim is left alone.
const ATTACK_ENDS: f64 = 2.0;

/// The first day of a scenario, as an endless stream of frames without a time.
#[derive(Debug)]
pub struct Traffic {
    maker: Maker,
    what: Weighted<What>,
    /// Who is under attack, by entry of backscatter.
    victims: Vec<Vec<Victim>>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Cell(usize),
    Attack(usize),
}

impl Traffic {
    /// Traffic of a plan, from sources of the regions that the country database knows; without one, from
    /// anywhere.
    pub fn new(plan: Plan, seed: u64, geo: &Tables) -> Self {
        let rates = plan.rates(0);
        let cells = rates.iter().enumerate().map(|(cell, rate)| (What::Cell(cell), parts(*rate)));
        let entries = plan.scenario.backscatter.iter().map(|entry| entry.get_ref());
        let packets = entries.map(|entry| entry.attacks.0 * f64::from(entry.minutes) * entry.rate.0);
        let attacks = packets.enumerate().map(|(entry, packets)| (What::Attack(entry), parts(packets)));
        let what = Weighted::new(cells.chain(attacks));
        let victims = vec![Vec::new(); plan.scenario.backscatter.len()];
        let mut maker = Maker::new(plan, seed, geo);
        maker.begin(0, &rates);
        Self { maker, what, victims }
    }

    /// Puts the next frame, of 15 to 1,514 bytes, in place of what `frame` holds.
    pub fn next_frame(&mut self, frame: &mut Vec<u8>) -> Made {
        let what = self.what.draw(&mut self.maker.random).map(|(&what, _)| what);
        let made = match what {
            Some(What::Cell(cell)) => self.maker.of_cell(cell, frame, |_, _| true),
            Some(What::Attack(entry)) => self.attacked(entry, frame),
            None => None,
        };
        // A plan has packets, and each of them can be made.
        made.unwrap_or(Made { shape: Shape::Arp, region: None })
    }

    /// The first victims are hit the hardest.
    fn attacked(&mut self, entry: usize, frame: &mut Vec<u8>) -> Option<Made> {
        let random = &mut self.maker.random;
        let at = (random.below(UNDER_ATTACK) * random.below(UNDER_ATTACK) / UNDER_ATTACK) as usize;
        let ends = random.chance(ATTACK_ENDS);
        let victims = self.victims.get_mut(entry)?;
        let victim = match victims.get(at) {
            Some(victim) if !ends => *victim,
            _ => {
                let new = self.maker.victim(entry)?;
                match victims.get_mut(at) {
                    Some(old) => *old = new,
                    None => victims.push(new),
                }
                new
            }
        };
        Some(self.maker.of_victim(victim, frame))
    }
}
