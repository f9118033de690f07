use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::LinkType;

/// A capture that cannot be replayed, or not further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// There is no such file.
    #[error("{}: no such file; check the path", Named(.path))]
    NotFound {
        /// The capture.
        path: PathBuf,
    },
    /// The path is a directory's.
    #[error("{}: is a directory; name the capture files in it", Named(.path))]
    Directory {
        /// The capture.
        path: PathBuf,
    },
    /// The file may not be read by this user.
    #[error("{}: no permission to read it; run as a user who may, or change its mode", Named(.path))]
    Permission {
        /// The capture.
        path: PathBuf,
    },
    /// The file cannot be opened for another reason.
    #[error("{}: cannot be opened", Named(.path))]
    Open {
        /// The capture.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// There is not one byte in it.
    #[error("{}: empty; its recorder may have been stopped before it wrote anything", Named(.path))]
    Empty {
        /// The capture.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: not a pcap or pcapng capture: it begins with {}{}", Named(.path), Hex(.start), Hint(*.hint))]
    NotACapture {
        /// The capture.
        path: PathBuf,
        /// Its first bytes, up to eight; after decompression if it was gzipped.
        start: Vec<u8>,
        /// What it is and what to do, where its first bytes are well known.
        hint: Option<&'static str>,
    },
    /// A version of the format that is not known.
    #[error(
        "{}: {format} version {major}.{minor} is not known; convert it with `editcap -F pcapng`",
        Named(.path)
    )]
    Version {
        /// The capture.
        path: PathBuf,
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The frames, or this frame, are not Ethernet's.
    #[error(
        "{}: link type {link_type}{} is not Ethernet; {}",
        Named(.path), OfInterface(*.interface), .link_type.advice()
    )]
    LinkType {
        /// The capture.
        path: PathBuf,
        /// The link type.
        link_type: LinkType,
        /// Index of the interface in its section, from 0; `None` for pcap, which has only one.
        interface: Option<u32>,
    },
    /// The operating system could not read on.
    #[error("{}: cannot be read at byte {offset}", Named(.path))]
    Read {
        /// The capture.
        path: PathBuf,
        /// Bytes read so far of the file as it is on disk.
        offset: u64,
        /// The operating system's error.
        source: io::Error,
    },
}

/// Why reading ended before the end of the capture.
///
/// All that stands before `offset` was read; what follows was not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: damaged at byte {offset}, after {}: {flaw}", Named(.path), Frames(*.frames))]
pub struct Damage {
    /// The capture.
    pub path: PathBuf,
    /// Where the record or block begins that could not be read, in bytes from the start of the
    /// capture; after decompression if it was gzipped.
    pub offset: u64,
    /// How many frames came before it.
    pub frames: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What is wrong with a damaged capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The capture ends within something.
    #[error("the capture ends {had} bytes into a {part} of {needed} bytes")]
    CutShort {
        /// What it ends in.
        part: &'static str,
        /// Length of that, in bytes.
        needed: u64,
        /// How much of it is there, in bytes.
        had: u64,
    },
    /// A frame claims to be longer than any Ethernet frame.
    #[error("a frame claims {length} bytes, more than {max}")]
    FrameTooLong {
        /// The claimed length in bytes.
        length: u32,
        /// The longest that is believed.
        max: u32,
    },
    /// The header of a pcap record is all zero, as in a file that a crash left unwritten.
    #[error("a record header of zeros, as a crash of the recording machine leaves")]
    ZeroRecord,
    /// A pcapng block claims to be longer than any that is written.
    #[error("a block of type {block_type:#x} claims {length} bytes, more than {max}")]
    BlockTooLong {
        /// Block type.
        block_type: u32,
        /// The claimed length in bytes.
        length: u32,
        /// The longest that is believed.
        max: u32,
    },
    /// A pcapng block claims to be shorter than its fixed part.
    #[error("a block of type {block_type:#x} claims {length} bytes, less than {min}")]
    BlockTooShort {
        /// Block type.
        block_type: u32,
        /// The claimed length in bytes.
        length: u32,
        /// The shortest possible.
        min: u32,
    },
    /// The two lengths of a pcapng block differ.
    #[error("a block of type {block_type:#x} begins with length {first} and ends with {last}")]
    LengthMismatch {
        /// Block type.
        block_type: u32,
        /// Length before the content.
        first: u32,
        /// Length behind the content.
        last: u32,
    },
    /// A packet claims to be longer than its pcapng block.
    #[error("a packet claims {length} bytes in a block with room for {room}")]
    PacketPastBlock {
        /// The claimed length in bytes.
        length: u32,
        /// What the block has room for, in bytes.
        room: u32,
    },
    /// A packet belongs to an interface that its section did not describe.
    #[error("a packet of interface {interface}, where {described} are described")]
    NoInterface {
        /// Index of the interface, from 0.
        interface: u32,
        /// How many interfaces the section has described so far.
        described: u32,
    },
    /// A section describes more interfaces than are kept.
    #[error("a section with more than {max} interfaces")]
    TooManyInterfaces {
        /// How many are kept.
        max: u32,
    },
    /// A pcapng section's byte-order magic is neither of the two.
    #[error("a section with byte-order magic {magic:#010x}")]
    ByteOrder {
        /// The four bytes, read as little-endian.
        magic: u32,
    },
    /// A later pcapng section is of another version.
    #[error("a section of pcapng version {major}.{minor}, which is not known")]
    SectionVersion {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// An option of an interface has an impossible length, so that frame times are uncertain.
    #[error("an interface option of code {code} claims {length} bytes")]
    InterfaceOption {
        /// Option code.
        code: u16,
        /// The claimed length in bytes.
        length: u16,
    },
    /// The gzip stream around the capture is damaged.
    #[error("the gzip stream {0}")]
    Gzip(GzipFlaw),
}

/// What is wrong with a damaged gzip stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipFlaw {
    /// The file ends before the stream does.
    #[error("ends too early")]
    CutShort,
    /// A member's header is not one.
    #[error("has a damaged header")]
    Header,
    /// The compressed data are not what a compressor writes.
    #[error("holds corrupt data")]
    Corrupt,
    /// The data read differ from those that were compressed: frames already read may be wrong.
    #[error(
        "has checksum {stored:#010x} where its data have {computed:#010x}; frames already read may be wrong"
    )]
    Checksum {
        /// CRC-32 in the file.
        stored: u32,
        /// CRC-32 of what was read.
        computed: u32,
    },
    /// The length read differs from that which was compressed.
    #[error("says {stored} bytes (modulo 2^32) where it has {counted}")]
    Length {
        /// Length in the file.
        stored: u32,
        /// Length of what was read.
        counted: u32,
    },
    /// Something that is no gzip member follows the last one.
    #[error("is followed by something else")]
    TrailingBytes,
}

/// A capture's name in messages; `-` is standard input.
struct Named<'a>(&'a Path);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_os_str().as_encoded_bytes() {
            b"-" => f.write_str("capture on standard input"),
            _ => write!(f, "capture {}", self.0.display()),
        }
    }
}

struct Frames(u64);

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frame{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

struct Hint(Option<&'static str>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |hint| write!(f, ", which is {hint}"))
    }
}

struct OfInterface(Option<u32>);

impl fmt::Display for OfInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |index| write!(f, " of interface {index}"))
    }
}
