//! `bpf(2)`, for the commands that aya has no call for.

use std::{
    ffi::CString,
    fs, io, mem,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use aya_obj::generated::{
    bpf_attach_type::BPF_XDP,
    bpf_attr,
    bpf_cmd::{
        self, BPF_LINK_CREATE, BPF_LINK_DETACH, BPF_LINK_UPDATE, BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM,
        BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD, BPF_OBJ_PIN, BPF_PROG_GET_FD_BY_ID,
        BPF_PROG_TEST_RUN,
    },
    bpf_link_info, bpf_link_type, bpf_map_info,
    bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS},
    bpf_prog_info,
};

/// Calls `bpf(2)`.
fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attribute is initialised in full, and what it points to outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, &raw mut *attr, size_of::<bpf_attr>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of plain integers, for which all zeroes is a value.
    unsafe { mem::zeroed() }
}

fn owned(fd: i64) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// Attaches an XDP program to an interface by a bpf_link (Linux 5.9). `flags`: `XDP_FLAGS_*`.
pub fn xdp_link_create(program: BorrowedFd<'_>, ifindex: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.link_create.__bindgen_anon_1.prog_fd = raw(program);
    attr.link_create.__bindgen_anon_2.target_ifindex = ifindex;
    attr.link_create.attach_type = BPF_XDP as u32;
    attr.link_create.flags = flags;
    bpf(BPF_LINK_CREATE, &mut attr).map(owned)
}

/// A descriptor of the program with this id.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.__bindgen_anon_6.__bindgen_anon_1.prog_id = id;
    bpf(BPF_PROG_GET_FD_BY_ID, &mut attr).map(owned)
}

/// Has an XDP link run another program, without a moment in which none runs (Linux 5.9).
pub fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = zeroed();
    attr.link_update.link_fd = raw(link);
    attr.link_update.__bindgen_anon_1.new_prog_fd = raw(program);
    bpf(BPF_LINK_UPDATE, &mut attr).map(drop)
}

/// Detaches a link, whoever else holds it (Linux 5.9).
pub fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = zeroed();
    attr.link_detach.link_fd = raw(link);
    bpf(BPF_LINK_DETACH, &mut attr).map(drop)
}

/// Pins an object at a path of a BPF file system where nothing is (links: Linux 5.8).
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = zeroed();
    attr.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    attr.__bindgen_anon_4.bpf_fd = raw(object);
    bpf(BPF_OBJ_PIN, &mut attr).map(drop)
}

/// The object that is pinned at a path. `read_only` is for maps alone.
pub fn pinned(path: &Path, read_only: bool) -> io::Result<OwnedFd> {
    /// `BPF_F_RDONLY` of linux/bpf.h.
    const READ_ONLY: u32 = 1 << 3;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = zeroed();
    attr.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    attr.__bindgen_anon_4.file_flags = if read_only { READ_ONLY } else { 0 };
    bpf(BPF_OBJ_GET, &mut attr).map(owned)
}

/// What kind of object a descriptor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    Map,
    Program,
    Link,
}

impl Object {
    /// `map`, `program` or `link`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Program => "program",
            Self::Link => "link",
        }
    }
}

/// Asks `/proc` for the kind of an object: `bpf(2)` fills in whatever the object is.
pub fn object(fd: BorrowedFd<'_>) -> io::Result<Object> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    [("link_type:", Object::Link), ("map_type:", Object::Map), ("prog_type:", Object::Program)]
        .into_iter()
        .find_map(|(field, kind)| info.lines().any(|line| line.starts_with(field)).then_some(kind))
        .ok_or_else(|| io::Error::other("it is no map, program or link"))
}

/// Fills in what the kernel knows of an object; `T` is the structure of its kind.
fn info<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = zeroed();
    attr.info.bpf_fd = raw(object);
    attr.info.info = &raw mut *info as u64;
    attr.info.info_len = size_of::<T>() as u32;
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}

/// What the kernel knows of a program.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<bpf_prog_info> {
    // SAFETY: plain integers and null pointers.
    let mut known: bpf_prog_info = unsafe { mem::zeroed() };
    info(program, &mut known)?;
    Ok(known)
}

/// Ids of the maps that a program uses, up to 64 of them.
pub fn program_maps(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = [0u32; 64];
    // SAFETY: plain integers and null pointers.
    let mut known: bpf_prog_info = unsafe { mem::zeroed() };
    known.nr_map_ids = ids.len() as u32;
    known.map_ids = ids.as_mut_ptr() as u64;
    info(program, &mut known)?;
    Ok(ids.into_iter().take(known.nr_map_ids as usize).collect())
}

/// What the kernel knows of a map.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<bpf_map_info> {
    // SAFETY: plain integers.
    let mut known: bpf_map_info = unsafe { mem::zeroed() };
    info(map, &mut known)?;
    Ok(known)
}

/// An XDP link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpLink {
    /// Id of the program that it runs.
    pub program: u32,
    /// Index of its interface, in the interface's network namespace; 0 if the interface is gone.
    pub ifindex: u32,
}

/// What the kernel knows of a link; `None` if it is not one of XDP.
pub fn xdp_link(link: BorrowedFd<'_>) -> io::Result<Option<XdpLink>> {
    // SAFETY: plain integers and null pointers.
    let mut known: bpf_link_info = unsafe { mem::zeroed() };
    info(link, &mut known)?;
    if known.type_ != bpf_link_type::BPF_LINK_TYPE_XDP as u32 {
        return Ok(None);
    }
    // SAFETY: the variant of this type, which the kernel has written; any bit pattern is a u32.
    let ifindex = unsafe { known.__bindgen_anon_1.xdp.ifindex };
    Ok(Some(XdpLink { program: known.prog_id, ifindex }))
}

/// A copy of an element of an array, as words.
pub fn array_element(array: BorrowedFd<'_>, index: u32) -> io::Result<Vec<u64>> {
    let known = map_info(array)?;
    // Of other kinds of maps, the kernel may write more than one value.
    if known.type_ != BPF_MAP_TYPE_ARRAY as u32 {
        return Err(io::Error::other("it is no array"));
    }
    let mut value = vec![0u64; (known.value_size as usize).div_ceil(8)];
    let mut attr = zeroed();
    attr.__bindgen_anon_2.map_fd = raw(array);
    attr.__bindgen_anon_2.key = &raw const index as u64;
    attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    bpf(BPF_MAP_LOOKUP_ELEM, &mut attr)?;
    Ok(value)
}

/// Arguments of `BPF_PROG_TEST_RUN` that stay the same from frame to frame.
pub struct TestRun {
    attr: bpf_attr,
}

impl TestRun {
    /// Runs of `program`, each on one frame, once.
    pub fn new(program: BorrowedFd<'_>) -> Self {
        let mut attr = zeroed();
        attr.test.prog_fd = raw(program);
        attr.test.repeat = 1;
        Self { attr }
    }

    /// Runs the program on a frame. Returns its return value.
    pub fn run(&mut self, frame: &[u8]) -> io::Result<u32> {
        self.attr.test.data_in = frame.as_ptr() as u64;
        self.attr.test.data_size_in = frame.len() as u32;
        // The kernel wrote the last frame's length here, and would take it for the room that there is
        // for this one: a longer frame would be counted and end in ENOSPC (`bpf_test_finish`).
        self.attr.test.data_size_out = 0;
        bpf(BPF_PROG_TEST_RUN, &mut self.attr)?;
        // SAFETY: the kernel has written it; any bit pattern is a u32.
        Ok(unsafe { self.attr.test.retval })
    }
}

/// A way to wait until no BPF program that ran when the wait began is still running.
pub struct GracePeriod {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl GracePeriod {
    /// Makes the map that is updated for the wait.
    pub fn new() -> io::Result<Self> {
        let inner = array_create(BPF_MAP_TYPE_ARRAY as u32, None)?;
        let outer = array_create(BPF_MAP_TYPE_ARRAY_OF_MAPS as u32, Some(inner.as_fd()))?;
        Ok(Self { outer, inner })
    }

    /// Waits. An update of a map of maps from user space always ends with `synchronize_rcu`
    /// (`maybe_wait_bpf_programs` in kernel/bpf/syscall.c, since Linux 5.0), while `membarrier`
    /// does nothing on a machine of one CPU.
    pub fn wait(&self) -> io::Result<()> {
        let key = 0u32;
        let value = raw(self.inner.as_fd());
        let mut attr = zeroed();
        attr.__bindgen_anon_2.map_fd = raw(self.outer.as_fd());
        attr.__bindgen_anon_2.key = &raw const key as u64;
        attr.__bindgen_anon_2.__bindgen_anon_1.value = &raw const value as u64;
        bpf(BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
    }
}

/// An array of one element of four bytes.
fn array_create(map_type: u32, inner: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.__bindgen_anon_1.map_type = map_type;
    attr.__bindgen_anon_1.key_size = 4;
    attr.__bindgen_anon_1.value_size = 4;
    attr.__bindgen_anon_1.max_entries = 1;
    if let Some(inner) = inner {
        attr.__bindgen_anon_1.inner_map_fd = raw(inner);
    }
    bpf(BPF_MAP_CREATE, &mut attr).map(owned)
}
