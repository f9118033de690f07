//! Network namespaces with veth pairs.
//!
//! Namespaces have no name: a descriptor holds them, and the kernel removes them with all that is
//! in them when the last descriptor and the last process are gone, however the test ends. They are
//! entered by `setns(2)` for the network alone; `ip netns exec` would mount another /sys.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{self, Command},
    thread,
};

use serde_json::Value;

/// A network namespace. IPv6 is off in it, so that the kernel sends nothing by itself.
#[derive(Debug)]
pub struct Netns(OwnedFd);

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

/// What an interface has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub rx_packets: u64,
    pub rx_dropped: u64,
    pub tx_packets: u64,
}

/// What `ip link` says of XDP on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xdp {
    /// `native` or `generic`.
    pub mode: &'static str,
    /// Id of the program.
    pub program: u64,
}

impl Netns {
    /// Makes a namespace with nothing but a loopback interface.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new() -> Self {
        let made = thread::scope(|scope| {
            scope
                .spawn(|| {
                    // SAFETY: changes the namespace of this thread only, which ends here.
                    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                        return Err(io::Error::last_os_error());
                    }
                    // Absent where the kernel has no IPv6.
                    for which in ["all", "default"] {
                        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
                    }
                    File::open("/proc/thread-self/ns/net")
                })
                .join()
                .expect("nothing panics there")
        });
        Self(made.expect("a network namespace").into())
    }

    /// One that somebody else made, by a path such as /proc/PID/ns/net.
    ///
    /// # Errors
    ///
    /// If it is not there, or not any more.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        File::open(path).map(|file| Self(file.into()))
    }

    /// Another hold on it.
    ///
    /// # Panics
    ///
    /// If there is no descriptor left.
    pub fn hold(&self) -> Self {
        Self(self.0.try_clone().expect("a descriptor"))
    }

    /// Lets the calling thread, or the process about to be executed, enter.
    fn set(fd: impl AsFd) -> io::Result<()> {
        // SAFETY: a descriptor of a network namespace.
        match unsafe { libc::setns(fd.as_fd().as_raw_fd(), libc::CLONE_NEWNET) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Runs something inside, on a thread of its own.
    ///
    /// # Panics
    ///
    /// If it panics, or the namespace cannot be entered.
    pub fn enter<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                Self::set(&self.0).expect("entering the namespace");
                run()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside.
    ///
    /// # Panics
    ///
    /// If there is no descriptor left.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let namespace = self.0.try_clone().expect("a descriptor");
        let mut command = Command::new(program);
        // SAFETY: setns(2) is a system call and touches no memory of the parent.
        unsafe { command.pre_exec(move || Self::set(&namespace)) };
        command
    }

    /// Runs `ip` with these words inside and returns what it prints.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn ip(&self, words: &str) -> String {
        let output = self
            .command("ip")
            .args(words.split_whitespace())
            .output()
            .unwrap_or_else(|error| panic!("ip (of iproute2) cannot be run: {error}"));
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What `ip -j -d -s link show` says of an interface.
    ///
    /// # Panics
    ///
    /// If there is no such interface.
    pub fn link(&self, interface: &str) -> Value {
        let text = self.ip(&format!("-j -d -s -s link show dev {interface}"));
        let list: Value = serde_json::from_str(&text).expect("JSON");
        list[0].clone()
    }

    /// The index of an interface.
    ///
    /// # Panics
    ///
    /// If there is no such interface.
    pub fn index(&self, interface: &str) -> u32 {
        self.link(interface)["ifindex"].as_u64().expect("an index") as u32
    }

    /// What an interface has counted.
    pub fn counters(&self, interface: &str) -> Counters {
        let link = self.link(interface);
        let count = |way: &str, what: &str| link["stats64"][way][what].as_u64().unwrap_or_default();
        Counters {
            rx_packets: count("rx", "packets"),
            rx_dropped: count("rx", "dropped"),
            tx_packets: count("tx", "packets"),
        }
    }

    /// The XDP program on an interface.
    pub fn xdp(&self, interface: &str) -> Option<Xdp> {
        let link = self.link(interface);
        let xdp = link.get("xdp")?;
        // XDP_ATTACHED_DRV and XDP_ATTACHED_SKB of linux/if_link.h.
        let mode = match xdp["mode"].as_u64() {
            Some(1) => "native",
            Some(2) => "generic",
            _ => "unknown",
        };
        Some(Xdp { mode, program: xdp["prog"]["id"].as_u64().unwrap_or_default() })
    }

    /// Makes a veth pair between this namespace and another, both ends up.
    pub fn veth(&self, name: &str, other: &Self, other_name: &str) {
        let (pid, fd) = (process::id(), other.0.as_raw_fd());
        self.ip(&format!("link add {name} type veth peer name {other_name}"));
        self.ip(&format!("link set {other_name} netns /proc/{pid}/fd/{fd}"));
        self.ip(&format!("link set {name} up"));
        other.ip(&format!("link set {other_name} up"));
    }

    /// Turns the hardware offload of VLAN tags of sent packets on or off.
    ///
    /// # Panics
    ///
    /// If the interface does not take it.
    pub fn set_vlan_offload(&self, interface: &str, on: bool) {
        /// `ETHTOOL_GFLAGS`, `ETHTOOL_SFLAGS`, `ETH_FLAG_TXVLAN` of linux/ethtool.h.
        const GET: u32 = 0x25;
        const SET: u32 = 0x26;
        const TRANSMIT_VLAN: u32 = 1 << 7;
        let flags = self.ethtool(interface, [GET, 0])[1];
        let wanted = if on { flags | TRANSMIT_VLAN } else { flags & !TRANSMIT_VLAN };
        self.ethtool(interface, [SET, wanted]);
        assert_eq!(self.ethtool(interface, [GET, 0])[1], wanted, "VLAN offload of {interface}");
    }

    fn ethtool(&self, interface: &str, mut value: [u32; 2]) -> [u32; 2] {
        const SIOCETHTOOL: libc::Ioctl = 0x8946;
        self.enter(|| {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
            // SAFETY: plain integers and a null pointer.
            let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
            for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
                *to = from as libc::c_char;
            }
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            // SAFETY: the request names an interface and points to a structure of two words, as
            // these commands have.
            let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
            assert_eq!(result, 0, "ethtool on {interface}: {}", io::Error::last_os_error());
        });
        value
    }
}

/// Two namespaces joined by a veth pair: `out0` in the outer one, `in0` in the inner one, where the
/// sensor is.
#[derive(Debug)]
pub struct Pair {
    pub outer: Netns,
    pub inner: Netns,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Makes both.
    pub fn new() -> Self {
        let (outer, inner) = (Netns::new(), Netns::new());
        outer.veth("out0", &inner, "in0");
        Self { outer, inner }
    }
}
