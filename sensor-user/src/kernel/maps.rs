//! The maps that agent and program share: what they must look like.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_RINGBUF};
use sensor_common::layout::{Block, Chunk, Control, Ports};

use super::{
    error::KernelError,
    memory::Elements,
    program::Sizes,
    sys::{self, map_info},
};

/// `BPF_F_MMAPABLE` of linux/bpf.h.
const MMAPABLE: u32 = 1 << 10;

/// Descriptors of the counters and of the notices.
pub struct Maps {
    pub control: OwnedFd,
    pub blocks: OwnedFd,
    pub ports: OwnedFd,
    pub spill: OwnedFd,
    pub events: OwnedFd,
}

/// What a map must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    flags: u32,
    /// `None`: any number.
    max_entries: Option<u64>,
}

impl Maps {
    /// Names of the maps in a BPF file system, in the order of [`Maps::all`].
    pub const FILES: [&str; 5] = ["control", "blocks", "ports", "spill", "events"];

    /// All of them.
    pub fn all(&self) -> [BorrowedFd<'_>; 5] {
        [&self.control, &self.blocks, &self.ports, &self.spill, &self.events].map(AsFd::as_fd)
    }

    /// Maps all elements of an array into memory, whose shape was checked.
    pub fn elements<T>(
        name: &'static str,
        map: &impl AsFd,
        count: usize,
    ) -> Result<Elements<T>, KernelError> {
        let shape = Shape::array(size_of::<T>(), Some(count as u64));
        if !matches!(shape.wrong(map.as_fd()), Ok(None)) {
            return Err(KernelError::Object(name));
        }
        Elements::map(map.as_fd(), count).map_err(|source| KernelError::Call {
            call: "mmap",
            what: format!("map {name}, {count} elements of {} bytes", size_of::<T>()),
            source,
        })
    }
}

impl Shape {
    /// A counter map.
    const fn array(value_size: usize, max_entries: Option<u64>) -> Self {
        Self {
            map_type: BPF_MAP_TYPE_ARRAY as u32,
            key_size: 4,
            value_size: value_size as u32,
            flags: MMAPABLE,
            max_entries,
        }
    }

    /// The control map of this version.
    pub const CONTROL: Self = Self::array(size_of::<Control>(), Some(1));
    /// The ring buffer of notices.
    pub const EVENTS: Self = Self {
        map_type: BPF_MAP_TYPE_RINGBUF as u32,
        key_size: 0,
        value_size: 0,
        flags: 0,
        max_entries: None,
    };

    /// Blocks for counters of these sizes.
    pub fn blocks(sizes: Sizes) -> Self {
        Self::array(size_of::<Block>(), Some(2 * (u64::from(sizes.slices) + 1)))
    }

    /// Ports for counters of these sizes.
    pub fn ports(sizes: Sizes) -> Self {
        Self::array(size_of::<Ports>(), Some(2 * (u64::from(sizes.slices) + 1)))
    }

    /// A spill log of these sizes.
    pub fn spill(sizes: Sizes) -> Self {
        Self::array(size_of::<Chunk>(), Some(2 * u64::from(sizes.chunks)))
    }

    /// What is wrong with an object in place of a map of this shape, if anything.
    pub fn wrong(&self, object: BorrowedFd<'_>) -> io::Result<Option<String>> {
        let kind = sys::object(object)?;
        if kind != sys::Object::Map {
            return Ok(Some(format!("it is a {} and no map", kind.as_str())));
        }
        let info = map_info(object)?;
        let found = [
            ("type", u64::from(info.type_), Some(u64::from(self.map_type))),
            ("key size", u64::from(info.key_size), Some(u64::from(self.key_size))),
            ("value size", u64::from(info.value_size), Some(u64::from(self.value_size))),
            ("flags", u64::from(info.map_flags), Some(u64::from(self.flags))),
            ("number of entries", u64::from(info.max_entries), self.max_entries),
        ];
        let differs =
            found.into_iter().find(|(_, found, wanted)| wanted.is_some_and(|wanted| wanted != *found));
        Ok(differs.map(|(what, found, wanted)| {
            format!("its {what} is {found} and should be {}", wanted.unwrap_or_default())
        }))
    }
}
