//! Frames out of an interface, as they are.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use super::{error::KernelError, interfaces::Interface};

/// Sends Ethernet frames through an interface (`AF_PACKET`). It stays in the network namespace that it
/// was opened in, whoever uses it.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    interface: String,
}

impl PacketSocket {
    /// Frames that one call sends at most.
    pub const BATCH: usize = 64;

    /// Opens one in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// That of the system call: without `CAP_NET_RAW`, `EPERM`.
    pub fn open(interface: &Interface) -> Result<Self, KernelError> {
        let failed = |call| {
            let source = io::Error::last_os_error();
            KernelError::Call { call, what: format!("frames to {}", interface.name), source }
        };
        // Of protocol 0: it sends and receives nothing.
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(failed("socket(AF_PACKET)"));
        }
        // SAFETY: the kernel has just made this descriptor for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: plain integers.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = interface.index as i32;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives through the call, and is as long as is said.
        if unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
            return Err(failed("bind(AF_PACKET)"));
        }
        Ok(Self { fd, interface: interface.name.clone() })
    }

    /// Sends the first frames of a list, at least 15 bytes each, and says how many. 0: there is no room
    /// now, try again later. Frames behind those were not sent.
    ///
    /// # Errors
    ///
    /// That of the system call, for the first frame of the list.
    pub fn send(&self, frames: &[Vec<u8>]) -> Result<usize, KernelError> {
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; Self::BATCH];
        // SAFETY: null pointers and plain integers.
        let mut messages: [libc::mmsghdr; Self::BATCH] = unsafe { mem::zeroed() };
        let mut count = 0;
        for ((frame, vector), message) in frames.iter().zip(&mut vectors).zip(&mut messages) {
            *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: `count` messages point to one vector each, and these to frames, which are only read.
        let sent = unsafe { libc::sendmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        if let Ok(sent) = usize::try_from(sent) {
            return Ok(sent);
        }
        let source = io::Error::last_os_error();
        match source.raw_os_error() {
            // Of veth, since 5.13: its ring is full, and the frame was dropped.
            Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR | libc::ENOMEM) => Ok(0),
            _ => Err(KernelError::Call {
                call: "sendmmsg",
                what: format!("frames to {}", self.interface),
                source,
            }),
        }
    }
}
