use super::{
    Found, LinkType, MAX_FRAME, Stop,
    clock::Clock,
    cut_short,
    error::Flaw,
    fields::{Order, u16_at, u32_at},
    source::Source,
};

/// Type of a section header block: the same in both byte orders, and no text file's beginning.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// The longest block that is believed, in bytes; Wireshark's limit, too (`wiretap/pcapng.c`).
pub(super) const MAX_BLOCK: u32 = 16 << 20;
/// How many interfaces of a section are kept.
pub(super) const MAX_INTERFACES: u32 = 1 << 16;

/// Type and length before a block's content.
const BLOCK_HEADER: usize = 8;
/// The length again, behind it.
const BLOCK_TRAILER: usize = 4;

/// The state of a pcapng capture: what its section has said so far.
///
/// Format: <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/>.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    last_ns: i64,
}

#[derive(Clone, Copy)]
struct Interface {
    link_type: LinkType,
    /// The most that is captured of a packet, in bytes; 0 for no limit.
    snap_len: u32,
    clock: Clock,
}

/// What a packet block says of its packet.
struct Packet {
    interface: u32,
    /// `None` if the block has no time.
    time: Option<u64>,
    captured: u32,
    original: u32,
    /// Where in the block its bytes begin.
    data: usize,
}

impl Pcapng {
    pub(super) fn new() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), last_ns: 0 }
    }

    /// The next frame; the capture begins with a section header.
    pub(super) fn next(&mut self, source: &mut Source) -> Result<Option<Found>, Stop> {
        loop {
            let offset = source.offset();
            if !source.want(BLOCK_HEADER)? {
                if source.window().is_empty() && source.flaw().is_none() {
                    return Ok(None);
                }
                return Err(cut_short(source, offset, "block header", BLOCK_HEADER as u64));
            }
            let block_type = u32_at(source.window(), 0, self.order);
            if block_type == SECTION_HEADER {
                self.section(source, offset)?;
                continue;
            }
            let min = match block_type {
                ENHANCED_PACKET | PACKET => 32,
                INTERFACE_DESCRIPTION => 20,
                SIMPLE_PACKET => 16,
                _ => 12,
            };
            let length = block_length(source, offset, block_type, min, self.order)?;
            if min == 12 {
                self.step_over(source, offset, block_type, length)?;
                continue;
            }
            if !source.want(length as usize)? {
                return Err(cut_short(source, offset, "block", length.into()));
            }
            let block = source.window();
            let last = u32_at(block, length as usize - BLOCK_TRAILER, self.order);
            if last != length {
                let flaw = Flaw::LengthMismatch { block_type, first: length, last };
                return Err(Stop::damage(offset, flaw));
            }
            let block = &block[..length as usize - BLOCK_TRAILER];
            if block_type == INTERFACE_DESCRIPTION {
                self.interface(block).map_err(|flaw| Stop::damage(offset, flaw))?;
                source.consume(length as usize);
                continue;
            }
            let mut found = self.packet(block, block_type, offset)?;
            found.position += source.position();
            source.consume(length as usize);
            return Ok(Some(found));
        }
    }

    /// Reads a section header, which says in which byte order it and its blocks are.
    fn section(&mut self, source: &mut Source, offset: u64) -> Result<(), Stop> {
        const MIN: u32 = 28;

        if !source.want(16)? {
            return Err(cut_short(source, offset, "section header", MIN.into()));
        }
        let magic = u32_at(source.window(), 8, Order::Little);
        self.order = match magic {
            BYTE_ORDER_MAGIC => Order::Little,
            _ if magic.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
            _ => return Err(Stop::damage(offset, Flaw::ByteOrder { magic })),
        };
        let length = block_length(source, offset, SECTION_HEADER, MIN, self.order)?;
        let (major, minor) =
            (u16_at(source.window(), 12, self.order), u16_at(source.window(), 14, self.order));
        // 1.2 was written by mistake and is read as 1.0, says the specification.
        if major != 1 {
            return Err(match offset {
                0 => Stop::Version { format: "pcapng", major, minor },
                _ => Stop::damage(offset, Flaw::SectionVersion { major, minor }),
            });
        }
        self.interfaces.clear();
        self.step_over(source, offset, SECTION_HEADER, length)
    }

    /// Steps over a block without keeping it in memory.
    fn step_over(&self, source: &mut Source, offset: u64, block_type: u32, length: u32) -> Result<(), Stop> {
        source.skip(u64::from(length) - BLOCK_TRAILER as u64)?;
        if !source.want(BLOCK_TRAILER)? {
            return Err(cut_short(source, offset, "block", length.into()));
        }
        let last = u32_at(source.window(), 0, self.order);
        if last != length {
            let flaw = Flaw::LengthMismatch { block_type, first: length, last };
            return Err(Stop::damage(offset, flaw));
        }
        source.consume(BLOCK_TRAILER);
        Ok(())
    }

    /// Keeps what an interface description says.
    fn interface(&mut self, block: &[u8]) -> Result<(), Flaw> {
        if self.interfaces.len() >= MAX_INTERFACES as usize {
            return Err(Flaw::TooManyInterfaces { max: MAX_INTERFACES });
        }
        let mut clock = Clock::MICROSECONDS;
        let mut options = block.get(16..).unwrap_or_default();
        while options.len() >= 4 {
            let (code, length) = (u16_at(options, 0, self.order), u16_at(options, 2, self.order));
            let flaw = Flaw::InterfaceOption { code, length };
            if code == 0 {
                break;
            }
            let value = options.get(4..4 + usize::from(length)).ok_or(flaw)?;
            clock = match (code, value) {
                (IF_TSRESOL, &[resolution]) => clock.with_resolution(resolution),
                (IF_TSOFFSET, value) => match <[u8; 8]>::try_from(value) {
                    Ok(seconds) => clock.with_offset(self.order.i64(seconds)),
                    Err(_) => return Err(flaw),
                },
                (IF_TSRESOL, _) => return Err(flaw),
                _ => clock,
            };
            options = options.get(4 + usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(Interface {
            link_type: LinkType(u16_at(block, 8, self.order).into()),
            snap_len: u32_at(block, 12, self.order),
            clock,
        });
        Ok(())
    }

    /// The frame in a packet block; its position is in the block.
    #[inline]
    fn packet(&mut self, block: &[u8], block_type: u32, offset: u64) -> Result<Found, Stop> {
        let field = |offset| u32_at(block, offset, self.order);
        let time = |high| Some(u64::from(field(high)) << 32 | u64::from(field(high + 4)));
        let packet = match block_type {
            SIMPLE_PACKET => Packet {
                interface: 0,
                time: None,
                // Cut to what the interface captures, below.
                captured: field(8).min(block.len() as u32 - 12),
                original: field(8),
                data: 12,
            },
            ENHANCED_PACKET => Packet {
                interface: field(8),
                time: time(12),
                captured: field(20),
                original: field(24),
                data: 28,
            },
            // The obsolete packet block: 16 bits each of interface and of packets dropped.
            _ => Packet {
                interface: u16_at(block, 8, self.order).into(),
                time: time(12),
                captured: field(20),
                original: field(24),
                data: 28,
            },
        };
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            let described = self.interfaces.len() as u32;
            return Err(Stop::damage(offset, Flaw::NoInterface { interface: packet.interface, described }));
        };
        if interface.link_type != LinkType::ETHERNET {
            return Err(Stop::LinkType { link_type: interface.link_type, interface: Some(packet.interface) });
        }
        let captured = match (packet.time, interface.snap_len) {
            (None, 1..) => packet.captured.min(interface.snap_len),
            _ => packet.captured,
        };
        if captured > MAX_FRAME {
            return Err(Stop::damage(offset, Flaw::FrameTooLong { length: captured, max: MAX_FRAME }));
        }
        let room = (block.len() - packet.data) as u32;
        if captured > room {
            return Err(Stop::damage(offset, Flaw::PacketPastBlock { length: captured, room }));
        }
        if let Some(time) = packet.time {
            self.last_ns = interface.clock.ns(time);
        }
        Ok(Found {
            time_ns: self.last_ns,
            position: packet.data,
            length: captured as usize,
            original_len: packet.original,
        })
    }
}

/// The length of the block at the window, if it can be believed.
fn block_length(source: &Source, offset: u64, block_type: u32, min: u32, order: Order) -> Result<u32, Stop> {
    let length = u32_at(source.window(), 4, order);
    if length < min {
        return Err(Stop::damage(offset, Flaw::BlockTooShort { block_type, length, min }));
    }
    if length > MAX_BLOCK {
        return Err(Stop::damage(offset, Flaw::BlockTooLong { block_type, length, max: MAX_BLOCK }));
    }
    Ok(length)
}
