//! Small BPF programs of a test's own, written as instructions, and maps.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// Operation; registers, source in the upper half and destination in the lower; offset; immediate.
pub type Instruction = (u8, u8, i16, i32);

/// `BPF_PROG_TYPE_SCHED_CLS` of linux/bpf.h.
pub const CLASSIFIER: u32 = 3;
/// `BPF_PROG_TYPE_XDP`.
pub const XDP: u32 = 6;
/// `BPF_XDP`, as the place to attach a program to.
pub const AT_XDP: u32 = 37;
/// `BPF_TCX_EGRESS`, Linux 6.6.
pub const AT_EGRESS: u32 = 47;

/// `BPF_MAP_TYPE_HASH`.
pub const HASH: u32 = 1;
/// `BPF_MAP_TYPE_ARRAY`.
pub const ARRAY: u32 = 2;
/// `BPF_F_MMAPABLE`.
pub const MMAPABLE: u32 = 1 << 10;

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const PROG_TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;

/// `bpf(2)` with the attribute given as 64-bit words.
fn bpf(command: libc::c_int, attribute: &mut [u64; 16]) -> io::Result<i32> {
    // SAFETY: the attribute has this many bytes, and what it points to outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_mut_ptr(), size_of_val(attribute)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Two 32-bit fields of an attribute, the first one at the lower address.
fn pair(first: u32, second: u32) -> u64 {
    let [a, b] = [first.to_ne_bytes(), second.to_ne_bytes()];
    u64::from_ne_bytes([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]])
}

/// Loads a program for a little-endian machine.
///
/// # Errors
///
/// The kernel's.
pub fn load(program_type: u32, program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut code = Vec::new();
    for (operation, registers, offset, immediate) in program {
        code.extend([*operation, *registers]);
        code.extend(offset.to_ne_bytes());
        code.extend(immediate.to_ne_bytes());
    }
    let mut attribute = [0u64; 16];
    attribute[0] = pair(program_type, program.len() as u32);
    attribute[1] = code.as_ptr() as u64;
    attribute[2] = c"GPL".as_ptr() as u64;
    bpf(PROG_LOAD, &mut attribute).map(owned)
}

/// Attaches a program to an interface of the calling thread's namespace, as long as the link lives.
///
/// # Errors
///
/// The kernel's.
pub fn attach(program: BorrowedFd<'_>, interface: u32, place: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attribute = [0u64; 16];
    attribute[0] = pair(program.as_raw_fd() as u32, interface);
    attribute[1] = pair(place, flags);
    bpf(LINK_CREATE, &mut attribute).map(owned)
}

/// Runs an XDP program on this many live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`, Linux 5.18).
/// `context`: struct xdp_md.
///
/// # Errors
///
/// The kernel's; none if a signal ended the runs early.
pub fn run_live(program: BorrowedFd<'_>, frame: &[u8], context: &[u32; 6], frames: u32) -> io::Result<()> {
    let mut attribute = [0u64; 16];
    attribute[0] = pair(program.as_raw_fd() as u32, 0);
    attribute[1] = pair(frame.len() as u32, 0);
    attribute[2] = frame.as_ptr() as u64;
    attribute[4] = pair(frames, 0);
    attribute[5] = pair(size_of_val(context) as u32, 0);
    attribute[6] = context.as_ptr() as u64;
    attribute[8] = pair(1 << 1, 0);
    match bpf(PROG_TEST_RUN, &mut attribute) {
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
        result => result.map(drop),
    }
}

/// Makes a map with keys of four bytes.
///
/// # Errors
///
/// The kernel's.
pub fn map(map_type: u32, value_size: usize, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attribute = [0u64; 16];
    attribute[0] = pair(map_type, 4);
    attribute[1] = pair(value_size as u32, entries);
    attribute[2] = pair(flags, 0);
    bpf(MAP_CREATE, &mut attribute).map(owned)
}

/// Writes the first element of an array, whose value must not be larger.
///
/// # Errors
///
/// The kernel's.
pub fn set_first(array: BorrowedFd<'_>, value: &[u8]) -> io::Result<()> {
    let key = 0u32;
    let mut attribute = [0u64; 16];
    attribute[0] = pair(array.as_raw_fd() as u32, 0);
    attribute[1] = &raw const key as u64;
    attribute[2] = value.as_ptr() as u64;
    bpf(MAP_UPDATE_ELEM, &mut attribute).map(drop)
}

/// Pins a map, program or link at a path of a BPF file system.
///
/// # Errors
///
/// The kernel's.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attribute = [0u64; 16];
    attribute[0] = path.as_ptr() as u64;
    attribute[1] = pair(object.as_raw_fd() as u32, 0);
    bpf(OBJ_PIN, &mut attribute).map(drop)
}
