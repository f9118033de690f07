//! The classifier on the host, as a reference for everything that runs it elsewhere.

use std::net::IpAddr;

use sensor_common::classify::{Reader, SourceMasks, Verdict, Watch, classify};

use crate::rules::{Expected, Packet, WATCHED, Xdp, prefix};

/// The longest of a few prefixes, by trying each.
pub struct Prefixes(Vec<(IpAddr, u32, u8)>);

impl Prefixes {
    /// Those that the table of rules watches.
    pub fn watched() -> Self {
        Self(
            WATCHED
                .iter()
                .map(|&(text, sensor)| {
                    let (address, bits) = prefix(text);
                    (address, bits, sensor)
                })
                .collect(),
        )
    }
}

impl Watch for Prefixes {
    fn v4(&self, destination: [u8; 4]) -> Option<u8> {
        let wanted = u64::from(u32::from_be_bytes(destination));
        let mut found = None;
        for &(address, bits, sensor) in &self.0 {
            let IpAddr::V4(address) = address else { continue };
            let rest = 32 - bits;
            if wanted >> rest == u64::from(address.to_bits()) >> rest && found.is_none_or(|(b, _)| b < bits) {
                found = Some((bits, sensor));
            }
        }
        found.map(|(_, sensor)| sensor)
    }

    fn v6(&self, destination: [u8; 16]) -> Option<u8> {
        let wanted = u128::from_be_bytes(destination);
        let mut found = None;
        for &(address, bits, sensor) in &self.0 {
            let IpAddr::V6(address) = address else { continue };
            let rest = 128 - bits;
            if wanted >> rest == address.to_bits() >> rest && found.is_none_or(|(b, _)| b < bits) {
                found = Some((bits, sensor));
            }
        }
        found.map(|(_, sensor)| sensor)
    }
}

/// A verdict in the words of the table of rules, and what a program told to drop does.
pub fn observed(verdict: &Verdict) -> (Expected, Xdp) {
    match verdict {
        Verdict::NonIp => (Expected::NonIp, Xdp::Pass),
        Verdict::Malformed => (Expected::Malformed, Xdp::Pass),
        Verdict::Unwatched => (Expected::Unwatched, Xdp::Pass),
        Verdict::Local => (Expected::Local, Xdp::Pass),
        Verdict::Packet(counted) => {
            let key = counted.key;
            let packet = Packet {
                source: key.source,
                port: key.port,
                kind: key.kind,
                family: key.family,
                tool: key.tool,
                sensor: key.sensor,
                bytes: counted.bytes,
            };
            let verdict = if key.meta().is_neighbour_discovery() { Xdp::Pass } else { Xdp::Drop };
            (Expected::Packet(packet), verdict)
        }
    }
}

/// What the classifier makes of a frame under the prefixes of the table of rules.
///
/// # Panics
///
/// If the classifier asks for more than all of the frame.
pub fn classified(frame: &[u8], masks: &SourceMasks) -> (Expected, Xdp) {
    let verdict = classify(frame, &Prefixes::watched(), masks).expect("all of the frame is within reach");
    observed(&verdict)
}

/// A frame in hexadecimal digits.
pub fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reaches only the first bytes of a frame, as XDP reaches the linear part of a packet.
pub struct Reaching<'a> {
    pub frame: &'a [u8],
    pub reach: usize,
}

impl Reader for Reaching<'_> {
    type Bytes<const N: usize> = [u8; N];

    fn len(&self) -> usize {
        self.frame.len()
    }

    fn at_least(&self) -> usize {
        self.reach
    }

    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.frame[..self.reach].get(offset..)?.first_chunk().copied()
    }
}
