//! Frames out of, and into, packet sockets.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Instant,
};

use crate::netns::Netns;

/// A packet socket (`packet(7)`) on one interface.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    address: libc::sockaddr_ll,
}

impl Socket {
    /// One that sends only.
    pub fn sender(namespace: &Netns, interface: &str) -> Self {
        Self::open(namespace, interface, 0)
    }

    /// One that also receives every frame that passes XDP, and every frame sent.
    pub fn receiver(namespace: &Netns, interface: &str) -> Self {
        Self::open(namespace, interface, libc::ETH_P_ALL as u16)
    }

    fn open(namespace: &Netns, interface: &str, protocol: u16) -> Self {
        let index = namespace.index(interface);
        namespace.enter(|| {
            // SAFETY: no preconditions.
            let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
            assert!(fd >= 0, "a packet socket: {}", io::Error::last_os_error());
            // SAFETY: the kernel has just made this descriptor for us.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            // SAFETY: plain integers.
            let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = index as i32;
            address.sll_protocol = protocol.to_be();
            // SAFETY: an address of this length.
            let bound = unsafe {
                libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as u32)
            };
            assert_eq!(bound, 0, "binding to {interface}: {}", io::Error::last_os_error());
            Self { fd, address }
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// The kernel's, which it has for frames that are too short or too long.
    pub fn try_send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            // SAFETY: buffer and address are of the lengths given.
            let sent = unsafe {
                libc::sendto(
                    self.fd.as_raw_fd(),
                    frame.as_ptr().cast(),
                    frame.len(),
                    0,
                    (&raw const self.address).cast(),
                    size_of_val(&self.address) as u32,
                )
            };
            if sent == frame.len() as isize {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                // The queue is full: the receiver, on the same CPU, will empty it.
                Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR) => std::thread::yield_now(),
                _ => return Err(error),
            }
        }
    }

    /// Sends frames.
    ///
    /// # Panics
    ///
    /// If the kernel takes one not.
    pub fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) {
        for frame in frames {
            let frame = frame.as_ref();
            self.try_send(frame).unwrap_or_else(|error| panic!("a frame of {} bytes: {error}", frame.len()));
        }
    }

    /// The frames that come in, until one of them satisfies `last`.
    ///
    /// # Panics
    ///
    /// If that does not come within [`crate::DEADLINE`].
    pub fn receive_until(&self, mut last: impl FnMut(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let timeout = libc::timeval { tv_sec: 1, tv_usec: 0 };
        // SAFETY: an option of this type.
        unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const timeout).cast(),
                size_of_val(&timeout) as u32,
            )
        };
        let start = Instant::now();
        let mut frames = Vec::new();
        let mut buffer = vec![0u8; 1 << 16];
        while start.elapsed() < crate::DEADLINE {
            // SAFETY: a buffer of this length.
            let got = unsafe { libc::recv(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let Ok(got) = usize::try_from(got) else { continue };
            frames.push(buffer[..got].to_vec());
            if last(&buffer[..got]) {
                return frames;
            }
        }
        panic!("{} frames in {:?}, but not the last one", frames.len(), start.elapsed());
    }
}
