//! A network namespace without a name, and the two ends of a cable in it.
//!
//! Nothing but descriptors of this process holds it: when the process ends, however it ends, the
//! kernel removes the namespace and all that is in it.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    thread,
};

use rtnetlink::{LinkUnspec, LinkVeth, new_connection, packet_route::link::LinkFlags};

use super::{
    error::KernelError,
    interfaces::{Interface, Received, interfaces, interfaces_now},
};

/// A network namespace that lives as long as this value.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

/// The two ends of a veth pair: what is sent into one comes out of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub sender: Interface,
    pub receiver: Interface,
}

impl Namespace {
    /// A new namespace, in which there is a loopback interface that is down.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoNamespace`] without `CAP_SYS_ADMIN`, or the system call's error.
    pub fn new() -> Result<Self, KernelError> {
        // A namespace is a thread's: one that ends is enough to make it.
        let made = thread::spawn(|| {
            // SAFETY: changes the network namespace of this thread alone.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                let error = io::Error::last_os_error();
                return Err(match error.raw_os_error() {
                    Some(libc::EPERM) => KernelError::NoNamespace,
                    _ => call("unshare(CLONE_NEWNET)", "a network namespace")(error),
                });
            }
            const PATH: &str = "/proc/thread-self/ns/net";
            File::open(PATH).map(|file| Self { file }).map_err(call("open", PATH))
        });
        made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Does something inside. What it opens or attaches there stays there.
    ///
    /// # Errors
    ///
    /// If the namespace cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, KernelError> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // SAFETY: changes the network namespace of this thread alone, which ends with the work.
                if unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(call("setns", "a network namespace")(io::Error::last_os_error()));
                }
                Ok(work())
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Makes a veth pair inside, both ends up. The kernel sends nothing of its own through it: there
    /// is neither IPv6 nor ARP on it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Netlink`], or what keeps IPv6 from being switched off.
    pub fn pair(&self, sender: &str, receiver: &str) -> Result<Pair, KernelError> {
        self.enter(|| {
            // Settings of the network are those of whoever opens the file.
            const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
            match fs::write(NO_IPV6, "1") {
                // A kernel without IPv6.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(call("write", NO_IPV6))?,
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(call("epoll_create", "netlink"))?;
            runtime.block_on(make_pair(sender, receiver))
        })?
    }

    /// What an interface inside has received so far, and what it or its peer had to drop.
    ///
    /// # Errors
    ///
    /// If the kernel does not tell.
    pub fn received(&self, interface: &str) -> Result<Received, KernelError> {
        let all = self.enter(interfaces_now)??;
        let named = all.iter().find(|there| there.name == interface);
        named.map(|there| there.received).ok_or_else(|| KernelError::NoInterface {
            name: interface.to_owned(),
            present: all.iter().map(|there| there.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn call(call: &'static str, what: &'static str) -> impl FnOnce(io::Error) -> KernelError {
    move |source| KernelError::Call { call, what: what.to_owned(), source }
}

async fn make_pair(sender: &str, receiver: &str) -> Result<Pair, KernelError> {
    let netlink = |error| KernelError::Netlink(Box::new(error));
    let (connection, handle, _) = new_connection().map_err(|error| KernelError::Netlink(Box::new(error)))?;
    tokio::spawn(connection);
    handle.link().add(LinkVeth::new(sender, receiver).build()).execute().await.map_err(netlink)?;
    for name in [sender, receiver] {
        let mut up = LinkUnspec::new_with_name(name).up().build();
        up.header.flags |= LinkFlags::Noarp;
        up.header.change_mask |= LinkFlags::Noarp;
        handle.link().set(up).execute().await.map_err(netlink)?;
    }
    let all = interfaces().await?;
    let named = |name: &str| {
        all.iter().find(|interface| interface.name == name).cloned().ok_or_else(|| KernelError::NoInterface {
            name: name.to_owned(),
            present: "it has just gone away".to_owned(),
        })
    };
    Ok(Pair { sender: named(sender)?, receiver: named(receiver)? })
}
