//! `bpf(2)`, for the commands that aya has no call for.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use aya_obj::generated::{
    bpf_attach_type::BPF_XDP,
    bpf_attr,
    bpf_cmd::{
        self, BPF_LINK_CREATE, BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET_INFO_BY_FD,
        BPF_PROG_GET_FD_BY_ID, BPF_PROG_TEST_RUN,
    },
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

/// What the kernel knows of a program.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<bpf_prog_info> {
    // SAFETY: plain integers and null pointers.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    let mut attr = zeroed();
    attr.info.bpf_fd = raw(program);
    attr.info.info = &raw mut info as u64;
    attr.info.info_len = size_of::<bpf_prog_info>() as u32;
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
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
