use super::{
    Found, LinkType, MAX_FRAME, Stop, cut_short,
    error::Flaw,
    fields::{Order, u16_at, u32_at},
    source::Source,
};

const FILE_HEADER: usize = 24;

/// The state of a pcap capture: what its file header says.
///
/// Format: <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/>. Versions and lengths that
/// must be swapped: libpcap's `sf-pcap.c`.
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of the fraction of a second.
    fraction_ns: i64,
    record_header: usize,
    lengths: Lengths,
}

/// Where a record has its captured and original length.
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// As version 2.3 has them, in one order or the other.
    CapturedIsLess,
}

impl Pcap {
    /// Byte order and layout, if these are the first bytes of a pcap capture.
    pub(super) fn recognise(start: &[u8]) -> Option<Self> {
        let magic = *start.first_chunk::<4>()?;
        let (order, value) = [Order::Little, Order::Big]
            .into_iter()
            .map(|order| (order, order.u32(magic)))
            .find(|(_, value)| matches!(value, 0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34))?;
        Some(Self {
            order,
            fraction_ns: if value == 0xa1b2_3c4d { 1 } else { 1_000 },
            // The modified format adds interface, protocol and packet type.
            record_header: if value == 0xa1b2_cd34 { 24 } else { 16 },
            lengths: Lengths::CapturedFirst,
        })
    }

    /// Reads the file header.
    pub(super) fn file_header(&mut self, source: &mut Source) -> Result<(), Stop> {
        if !source.want(FILE_HEADER)? {
            return Err(cut_short(source, source.offset(), "file header", FILE_HEADER as u64));
        }
        let header = source.window();
        let (major, minor) = (u16_at(header, 4, self.order), u16_at(header, 6, self.order));
        self.lengths = match (major, minor) {
            (2, 0..3) | (543, _) => Lengths::OriginalFirst,
            (2, 3) => Lengths::CapturedIsLess,
            (2, _) => Lengths::CapturedFirst,
            _ => return Err(Stop::Version { format: "pcap", major, minor }),
        };
        // The upper six bits tell of a frame check sequence.
        let link_type = LinkType(u32_at(header, 20, self.order) & 0x03ff_ffff);
        if link_type != LinkType::ETHERNET {
            return Err(Stop::LinkType { link_type, interface: None });
        }
        source.consume(FILE_HEADER);
        Ok(())
    }

    /// The next frame.
    #[inline]
    pub(super) fn next(&self, source: &mut Source) -> Result<Option<Found>, Stop> {
        let offset = source.offset();
        if !source.want(self.record_header)? {
            if source.window().is_empty() && source.flaw().is_none() {
                return Ok(None);
            }
            return Err(cut_short(source, offset, "record header", self.record_header as u64));
        }
        let header = source.window();
        let seconds = u32_at(header, 0, self.order);
        let fraction = u32_at(header, 4, self.order);
        let (first, second) = (u32_at(header, 8, self.order), u32_at(header, 12, self.order));
        let swap = match self.lengths {
            Lengths::CapturedFirst => false,
            Lengths::OriginalFirst => true,
            Lengths::CapturedIsLess => first > second,
        };
        let (captured, original) = if swap { (second, first) } else { (first, second) };
        if captured > MAX_FRAME {
            return Err(Stop::damage(offset, Flaw::FrameTooLong { length: captured, max: MAX_FRAME }));
        }
        if seconds | fraction | captured | original == 0 {
            return Err(Stop::damage(offset, Flaw::ZeroRecord));
        }
        let record = self.record_header + captured as usize;
        if !source.want(record)? {
            return Err(cut_short(source, offset, "record", record as u64));
        }
        let found = Found {
            // Cannot overflow: 2^32 s and 2^32 us are 4.3e18 ns.
            time_ns: i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.fraction_ns,
            position: source.position() + self.record_header,
            length: captured as usize,
            original_len: original,
        };
        source.consume(record);
        Ok(Some(found))
    }
}
