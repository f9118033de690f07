//! Captures in the making: pcap and pcapng, little-endian.

/// Ethernet, as link type.
pub const ETHERNET: u16 = 1;

/// A frame and its time in nanoseconds since 1970.
pub type Timed<'a> = (u64, &'a [u8]);

/// A pcap file with times in nanoseconds.
pub fn pcap<'a>(link_type: u16, frames: impl IntoIterator<Item = Timed<'a>>) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_3c4d_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]); // version 2.4
    file.extend([0; 8]); // time zone, accuracy
    file.extend((1u32 << 18).to_le_bytes()); // snapshot length
    file.extend(u32::from(link_type).to_le_bytes());
    for (time, frame) in frames {
        file.extend(((time / 1_000_000_000) as u32).to_le_bytes());
        file.extend(((time % 1_000_000_000) as u32).to_le_bytes());
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend(frame);
    }
    file
}

/// A pcapng file of one section and one interface, with times in microseconds.
pub fn pcapng<'a>(link_type: u16, frames: impl IntoIterator<Item = Timed<'a>>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |block_type: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = (12 + padded) as u32;
        file.extend(block_type.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(body);
        file.resize(file.len() + padded - body.len(), 0);
        file.extend(length.to_le_bytes());
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]); // version 1.0
    section.extend([0xff; 8]); // section length unknown
    block(0x0a0d_0d0a, &section);
    let mut interface = link_type.to_le_bytes().to_vec();
    interface.extend([0; 2]);
    interface.extend((1u32 << 18).to_le_bytes());
    block(1, &interface);
    for (time, frame) in frames {
        let micros = time / 1000;
        let mut packet = vec![0; 4]; // interface
        packet.extend(((micros >> 32) as u32).to_le_bytes());
        packet.extend((micros as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend(frame);
        block(6, &packet);
    }
    file
}
