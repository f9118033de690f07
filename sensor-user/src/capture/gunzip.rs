use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{error::GzipFlaw, source::Raw};

/// The first two bytes of a gzip stream (RFC 1952).
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

const INPUT: usize = 64 << 10;

/// Decompresses a gzip stream of any number of members.
///
/// Over `flate2::Decompress` rather than its `MultiGzDecoder`, which throws away what it had
/// decompressed when it meets damage, and takes the zeros that tapes and block devices leave behind
/// a stream for damage.
pub(super) struct Gunzip {
    input: Box<[u8]>,
    start: usize,
    end: usize,
    inflate: Decompress,
    crc: Crc,
    state: State,
}

enum State {
    Header,
    Body,
    Trailer,
    Between,
    Ended,
    Failed(GzipFlaw),
}

/// Why no more can be read.
pub(super) enum Stop {
    Io(io::Error),
    Gzip(GzipFlaw),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Gunzip {
    /// `read` is what was read of the stream to recognise it, at most 64 KiB.
    pub(super) fn new(read: &[u8]) -> Self {
        let mut input = vec![0; INPUT.max(read.len())].into_boxed_slice();
        input[..read.len()].copy_from_slice(read);
        Self {
            input,
            start: 0,
            end: read.len(),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            state: State::Header,
        }
    }

    /// Decompresses into `out`, which should have room for 32 KiB, the window of the format, lest
    /// bytes before a damaged place be lost. Returns 0 only at the end.
    pub(super) fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> Result<usize, Stop> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.step(raw, out) {
                Ok(Some(0)) => {}
                Ok(Some(produced)) => return Ok(produced),
                Ok(None) => return Ok(0),
                Err(Stop::Gzip(flaw)) => {
                    self.state = State::Failed(flaw);
                    return Err(Stop::Gzip(flaw));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One step on; `None` at the end of the stream.
    fn step(&mut self, raw: &mut Raw, out: &mut [u8]) -> Result<Option<usize>, Stop> {
        match self.state {
            State::Header => {
                self.header(raw)?;
                self.inflate.reset(false);
                self.crc.reset();
                self.state = State::Body;
                Ok(Some(0))
            }
            State::Body => self.body(raw, out).map(Some),
            State::Trailer => {
                let stored = u32::from_le_bytes(self.bytes(raw)?);
                let computed = self.crc.sum();
                if stored != computed {
                    return Err(Stop::Gzip(GzipFlaw::Checksum { stored, computed }));
                }
                let stored = u32::from_le_bytes(self.bytes(raw)?);
                let counted = self.inflate.total_out() as u32;
                if stored != counted {
                    return Err(Stop::Gzip(GzipFlaw::Length { stored, counted }));
                }
                self.state = State::Between;
                Ok(Some(0))
            }
            State::Between => {
                while self.refill(raw)? {
                    match self.input[self.start] {
                        0 => self.start += 1,
                        0x1f => {
                            self.state = State::Header;
                            return Ok(Some(0));
                        }
                        _ => return Err(Stop::Gzip(GzipFlaw::TrailingBytes)),
                    }
                }
                self.state = State::Ended;
                Ok(None)
            }
            State::Ended => Ok(None),
            State::Failed(flaw) => Err(Stop::Gzip(flaw)),
        }
    }

    fn header(&mut self, raw: &mut Raw) -> Result<(), Stop> {
        const FHCRC: u8 = 1 << 1;
        const FEXTRA: u8 = 1 << 2;
        const FNAME: u8 = 1 << 3;
        const FCOMMENT: u8 = 1 << 4;
        const RESERVED: u8 = 0b1110_0000;

        let [id1, id2, method, flags, ..] = self.bytes::<10>(raw)?;
        if [id1, id2] != MAGIC || method != 8 || flags & RESERVED != 0 {
            return Err(Stop::Gzip(GzipFlaw::Header));
        }
        if flags & FEXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes(raw)?) {
                self.bytes::<1>(raw)?;
            }
        }
        for text in [FNAME, FCOMMENT] {
            if flags & text != 0 {
                while self.bytes(raw)? != [0] {}
            }
        }
        if flags & FHCRC != 0 {
            self.bytes::<2>(raw)?;
        }
        Ok(())
    }

    fn body(&mut self, raw: &mut Raw, out: &mut [u8]) -> Result<usize, Stop> {
        let more = self.refill(raw)?;
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(&self.input[self.start..self.end], out, FlushDecompress::None);
        let consumed = (self.inflate.total_in() - before_in) as usize;
        let produced = (self.inflate.total_out() - before_out) as usize;
        self.start += consumed;
        self.crc.update(&out[..produced]);
        match status {
            Ok(Status::StreamEnd) => self.state = State::Trailer,
            // The bytes before the damage count; the state keeps the flaw for the next call.
            Err(_) if produced > 0 => self.state = State::Failed(GzipFlaw::Corrupt),
            Err(_) => return Err(Stop::Gzip(GzipFlaw::Corrupt)),
            Ok(_) if produced > 0 || consumed > 0 => {}
            Ok(_) if more => return Err(Stop::Gzip(GzipFlaw::Corrupt)),
            Ok(_) => return Err(Stop::Gzip(GzipFlaw::CutShort)),
        }
        Ok(produced)
    }

    fn bytes<const N: usize>(&mut self, raw: &mut Raw) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            if !self.refill(raw)? {
                return Err(Stop::Gzip(GzipFlaw::CutShort));
            }
            *byte = self.input[self.start];
            self.start += 1;
        }
        Ok(bytes)
    }

    /// Reads on if nothing is left; `false` at the end of the file.
    fn refill(&mut self, raw: &mut Raw) -> io::Result<bool> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = raw.read(&mut self.input)?;
        }
        Ok(self.start < self.end)
    }
}
