use std::io::{self, Read};

use super::{
    error::Flaw,
    gunzip::{self, Gunzip},
};

const BUFFER: usize = 256 << 10;
/// The least room for a read: the window of gzip, see [`Gunzip::read`].
const MIN_READ: usize = 32 << 10;

/// The file as it is on disk.
pub(super) struct Raw {
    reader: Box<dyn Read + Send>,
    read: u64,
}

impl Raw {
    /// Reads what there is, 0 at the end; not interrupted by signals.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(out) {
                // A reader that claims more than it was given room for is wrong, not obeyed.
                Ok(read) if read <= out.len() => {
                    self.read += read as u64;
                    return Ok(read);
                }
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The capture's bytes, decompressed, seen through a window that moves forward.
pub(super) struct Source {
    raw: Raw,
    gunzip: Option<Gunzip>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of the buffer's first byte in the capture.
    base: u64,
    ended: bool,
    /// Why the bytes end, if it is because of damage.
    flaw: Option<Flaw>,
}

impl Source {
    /// Finds out whether the capture is compressed.
    pub(super) fn new(reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut source = Self {
            raw: Raw { reader, read: 0 },
            gunzip: None,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            base: 0,
            ended: false,
            flaw: None,
        };
        // No more than the magic: what follows it may have to go through the decompressor.
        while source.end < gunzip::MAGIC.len() && !source.ended {
            let at = source.end;
            let read = source.raw.read(&mut source.buffer[at..gunzip::MAGIC.len()])?;
            source.ended = read == 0;
            source.end += read;
        }
        if source.window() == gunzip::MAGIC {
            source.gunzip = Some(Gunzip::new(source.window()));
            source.end = 0;
        }
        Ok(source)
    }

    /// Bytes read of the file as it is on disk.
    pub(super) fn bytes_read(&self) -> u64 {
        self.raw.read
    }

    /// Offset of the window in the capture.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// What was read and not yet consumed.
    pub(super) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The bytes at a position of the buffer, as [`Source::position`] gives it.
    pub(super) fn at(&self, position: usize, length: usize) -> &[u8] {
        self.buffer.get(position..position + length).unwrap_or_default()
    }

    /// Position of the window in the buffer, valid until the next [`Source::want`].
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Steps over bytes of the window.
    pub(super) fn consume(&mut self, length: usize) {
        self.start = self.end.min(self.start + length);
    }

    /// Steps over bytes, in the window or behind it; returns how many there were.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 && self.want(1)? {
            let step = left.min((self.end - self.start) as u64);
            self.start += step as usize;
            left -= step;
        }
        Ok(length - left)
    }

    /// Reads on until the window holds `length` bytes; `false` if the capture ends before. Reads no
    /// more than is there, so that a pipe is followed as it is written.
    ///
    /// The buffer grows with what is read, not with what is wanted.
    #[inline]
    pub(super) fn want(&mut self, length: usize) -> io::Result<bool> {
        if self.end - self.start >= length { Ok(true) } else { self.fill(length) }
    }

    #[cold]
    fn fill(&mut self, length: usize) -> io::Result<bool> {
        while self.end - self.start < length {
            if self.ended {
                return Ok(false);
            }
            if self.buffer.len() - self.end < MIN_READ {
                self.buffer.copy_within(self.start..self.end, 0);
                self.base += self.start as u64;
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() - self.end < MIN_READ {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let room = &mut self.buffer[self.end..];
            let read = match &mut self.gunzip {
                None => self.raw.read(room)?,
                Some(gunzip) => match gunzip.read(&mut self.raw, room) {
                    Ok(read) => read,
                    Err(gunzip::Stop::Io(error)) => return Err(error),
                    Err(gunzip::Stop::Gzip(flaw)) => {
                        self.flaw = Some(Flaw::Gzip(flaw));
                        0
                    }
                },
            };
            self.ended = read == 0;
            self.end += read;
        }
        Ok(true)
    }

    /// Why the bytes end, if it is because of damage to the compressed stream.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// Size of the buffer in bytes.
    #[cfg(test)]
    pub(super) fn buffer_len(&self) -> usize {
        self.buffer.len()
    }
}
