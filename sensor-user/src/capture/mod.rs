//! Captures in: the frames of a pcap or pcapng file, gzipped or not, with the time of each.
//!
//! Captures come from anywhere, so every byte is taken for hostile: memory is bounded (a window of
//! 256 KiB that grows to at most 32 MiB for the longest block believed), every claimed length is
//! checked before it is used, and reading ends. What stands before a damaged place is read, and the
//! place is told: see [`Damage`].
//!
//! Read are pcap (both byte orders; micro- and nanoseconds; the "modified" format) and pcapng
//! (sections of both byte orders; interfaces each with its own clock; enhanced, simple and obsolete
//! packet blocks). Only Ethernet frames are: anything else cannot be fed to the XDP program, and
//! is refused by name. A frame check sequence, where a capture has one, stays at the frame's end.
//!
//! The formats are parsed here rather than by the crate `pcap-parser`, which serves as an oracle in
//! the tests: it gathers the options of each block in memory (eight times the block's size), knows
//! no `if_tsresol` that is a power of 2, reads `if_tsoffset` as little-endian always, and has no
//! obsolete packet block.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

mod clock;
mod error;
mod fields;
mod gunzip;
mod link_type;
mod pcap;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;
pub mod write;

use pcap::Pcap;
use pcapng::Pcapng;
use source::Source;

pub use error::{CaptureError, Damage, Flaw, GzipFlaw};
pub use link_type::LinkType;

/// The longest frame that is believed, in bytes: libpcap's `MAXIMUM_SNAPLEN`.
pub const MAX_FRAME: u32 = 256 << 10;

/// A frame of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured: nanoseconds since 1970 UTC, or the nearest that fits. The simple packet
    /// blocks of pcapng have no time: such a frame has that of the frame before it, or 0 if there is
    /// none.
    pub time_ns: i64,
    /// The frame from its Ethernet header on, as far as it was captured; may be empty.
    pub bytes: &'a [u8],
    /// Its length on the wire, as the capture says.
    pub original_len: u32,
}

/// A capture that is being read.
pub struct Capture {
    path: PathBuf,
    file_len: Option<u64>,
    source: Source,
    format: Format,
    frames: u64,
    damage: Option<Damage>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
    /// Nothing more is read.
    Ended,
}

/// Where a frame is in the source's buffer.
struct Found {
    time_ns: i64,
    position: usize,
    length: usize,
    original_len: u32,
}

/// Why a parser cannot go on.
enum Stop {
    Io(io::Error),
    Damage { offset: u64, flaw: Flaw },
    LinkType { link_type: LinkType, interface: Option<u32> },
    Version { format: &'static str, major: u16, minor: u16 },
    NotACapture,
}

impl Stop {
    fn damage(offset: u64, flaw: Flaw) -> Self {
        Self::Damage { offset, flaw }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The source ended within a part that began at an offset.
fn cut_short(source: &Source, offset: u64, part: &'static str, needed: u64) -> Stop {
    let had = source.offset() + source.window().len() as u64 - offset;
    Stop::damage(offset, source.flaw().unwrap_or(Flaw::CutShort { part, needed, had }))
}

impl Capture {
    /// Opens a capture; `-` is standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is empty, is not a capture, or (pcap) is not one of Ethernet frames. A
    /// capture that ends within its first header is not an error but has no frames, and
    /// [`damage`](Self::damage).
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            return Self::from_reader(path, io::stdin());
        }
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => CaptureError::NotFound { path: path.into() },
            io::ErrorKind::PermissionDenied => CaptureError::Permission { path: path.into() },
            _ => CaptureError::Open { path: path.into(), source },
        };
        let file = File::open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if metadata.is_dir() {
            return Err(CaptureError::Directory { path: path.into() });
        }
        let mut capture = Self::from_reader(path, file)?;
        capture.file_len = metadata.is_file().then_some(metadata.len());
        Ok(capture)
    }

    /// Reads a capture from anything; the path is what errors call it.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn from_reader(
        path: impl Into<PathBuf>,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let path = path.into();
        let source = match Source::new(Box::new(reader)) {
            Ok(source) => source,
            Err(source) => return Err(CaptureError::Read { path, offset: 0, source }),
        };
        let mut capture =
            Self { path, file_len: None, source, format: Format::Ended, frames: 0, damage: None };
        match capture.recognise() {
            Ok(format) => capture.format = format,
            Err(stop) => capture.stop(stop)?,
        }
        Ok(capture)
    }

    /// The next frame, or `None` at the end, be it of the capture or of its undamaged part: ask
    /// [`damage`](Self::damage) then.
    ///
    /// # Errors
    ///
    /// If the frame is not Ethernet's, or the file cannot be read on. There are no frames after an
    /// error.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.source),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.source),
            Format::Ended => return Ok(None),
        };
        match found {
            Ok(Some(Found { time_ns, position, length, original_len })) => {
                self.frames += 1;
                Ok(Some(Frame { time_ns, bytes: self.source.at(position, length), original_len }))
            }
            Ok(None) => {
                self.format = Format::Ended;
                Ok(None)
            }
            Err(stop) => self.stop(stop).map(|()| None),
        }
    }

    /// Why reading ended before the capture did; `None` while there may be more frames, and after
    /// an undamaged capture.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// What the capture is called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many frames were read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many bytes were read so far of the file as it is on disk, compressed or not.
    pub fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Length in bytes of the file as it is on disk; `None` for a pipe.
    pub fn file_len(&self) -> Option<u64> {
        self.file_len
    }

    /// Finds out the format, and reads pcap's file header.
    fn recognise(&mut self) -> Result<Format, Stop> {
        self.source.want(8)?;
        let start = self.source.window();
        if let Some(mut pcap) = Pcap::recognise(start) {
            pcap.file_header(&mut self.source)?;
            return Ok(Format::Pcap(pcap));
        }
        if start.starts_with(&pcapng::SECTION_HEADER.to_le_bytes()) {
            return Ok(Format::Pcapng(Pcapng::new()));
        }
        match (start.len(), self.source.flaw()) {
            (0..4, Some(flaw)) => Err(Stop::damage(0, flaw)),
            _ => Err(Stop::NotACapture),
        }
    }

    /// Ends the reading: damage is kept, all else is an error.
    fn stop(&mut self, stop: Stop) -> Result<(), CaptureError> {
        self.format = Format::Ended;
        let path = self.path.clone();
        match stop {
            Stop::Damage { offset, flaw } => {
                self.damage = Some(Damage { path, offset, frames: self.frames, flaw });
                Ok(())
            }
            Stop::Io(source) => Err(CaptureError::Read { path, offset: self.bytes_read(), source }),
            Stop::LinkType { link_type, interface } => {
                Err(CaptureError::LinkType { path, link_type, interface })
            }
            Stop::Version { format, major, minor } => {
                Err(CaptureError::Version { path, format, major, minor })
            }
            Stop::NotACapture => Err(match self.source.window() {
                [] => CaptureError::Empty { path },
                start => {
                    let start = &start[..start.len().min(8)];
                    CaptureError::NotACapture { path, start: start.into(), hint: hint(start) }
                }
            }),
        }
    }
}

/// What a file is that is not a capture, and what to do with it.
fn hint(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 9] = [
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd: pipe it through `zstd -dc` and read `-`"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz: pipe it through `xz -dc` and read `-`"),
        (b"BZh", "bzip2: pipe it through `bzip2 -dc` and read `-`"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4: pipe it through `lz4 -dc` and read `-`"),
        (&gunzip::MAGIC, "gzip within gzip: decompress it once"),
        (b"PK\x03\x04", "a zip archive: unpack it"),
        (b"snoop\0\0\0", "snoop's format: convert it with `editcap -F pcapng`"),
        (b"btsnoop\0", "a Bluetooth capture, which has no Ethernet frames"),
        (b"GMBU", "Network Monitor's format: convert it with `editcap -F pcapng`"),
    ];
    KNOWN.iter().find(|(magic, _)| start.starts_with(magic)).map(|&(_, hint)| hint)
}
