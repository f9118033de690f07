//! What netlink and ethtool know of the interfaces of this network namespace.

use std::{io, mem, net::IpAddr, os::fd::AsRawFd, panic, thread};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::{
    Handle, RouteMessageBuilder, new_connection,
    packet_route::{
        address::AddressAttribute,
        link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp, XdpAttached},
        route::{RouteAttribute, RouteMessage},
    },
};

use super::{attach::Mode, error::KernelError};

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// Largest payload of a frame, in bytes.
    pub mtu: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it has a link: its cable is in and somebody is at the other end.
    pub carrier: bool,
    pub loopback: bool,
    /// What its frames begin with: `ARPHRD_*` of linux/if_arp.h.
    pub link_layer: u16,
    /// Kind of a virtual interface: `veth`, `vlan`, `bridge`.
    pub kind: Option<String>,
    /// Index of the interface that this one is stacked on.
    pub below: Option<u32>,
    /// Index of the bridge, bond or team that this one is a port of.
    pub above: Option<u32>,
    /// Id of the XDP program that is attached.
    pub xdp_program: Option<u32>,
    /// Where that program runs; `None` if there is none, or if it runs on the card itself.
    pub xdp_mode: Option<Mode>,
    pub addresses: Vec<IpNet>,
    pub received: Received,
}

impl Interface {
    /// Name of the driver, as ethtool gives it; `None` where there is none.
    pub fn driver(&self) -> Option<String> {
        /// `ETHTOOL_GDRVINFO` of linux/ethtool.h.
        const GET_DRIVER: u32 = 3;
        /// struct ethtool_drvinfo: cmd, driver[32], and 160 bytes of no interest here.
        #[repr(C)]
        struct DriverInfo {
            command: u32,
            driver: [u8; 32],
            rest: [u8; 160],
        }
        let mut info = DriverInfo { command: GET_DRIVER, driver: [0; 32], rest: [0; 160] };
        self.ethtool((&raw mut info).cast()).ok()?;
        let name = info.driver.split(|&byte| byte == 0).next()?;
        String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty())
    }

    /// Whether its frames begin with an Ethernet header, as the program reads them. Those of the
    /// loopback interface do, too.
    pub fn ethernet(&self) -> bool {
        /// `ARPHRD_ETHER`.
        const ETHERNET: u16 = 1;
        /// `ARPHRD_LOOPBACK`.
        const LOOPBACK: u16 = 772;
        matches!(self.link_layer, ETHERNET | LOOPBACK)
    }

    /// Whether the interface merges received packets (LRO), which hides them from XDP.
    pub fn large_receive_offload(&self) -> Option<bool> {
        /// `ETH_FLAG_LRO`.
        const LRO: u32 = 1 << 15;
        self.flags().map(|flags| flags & LRO != 0)
    }

    /// Whether the interface takes VLAN tags off received frames before XDP sees them.
    pub fn vlan_offload(&self) -> Option<bool> {
        /// `ETH_FLAG_RXVLAN`.
        const RECEIVE_VLAN: u32 = 1 << 8;
        self.flags().map(|flags| flags & RECEIVE_VLAN != 0)
    }

    /// `ETH_FLAG_*` of linux/ethtool.h.
    fn flags(&self) -> Option<u32> {
        /// `ETHTOOL_GFLAGS`.
        const GET_FLAGS: u32 = 0x25;
        let mut value = [GET_FLAGS, 0];
        self.ethtool((&raw mut value).cast()).ok()?;
        Some(value[1])
    }

    /// Calls `SIOCETHTOOL` with a command structure of ethtool.
    fn ethtool(&self, command: *mut libc::c_char) -> io::Result<()> {
        const SIOCETHTOOL: libc::Ioctl = 0x8946;
        let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
        // SAFETY: plain integers and a null pointer.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        if self.name.len() >= request.ifr_name.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in request.ifr_name.iter_mut().zip(self.name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = command;
        // SAFETY: the request names an interface and points to a structure that the kernel fills
        // in by its first word, the command.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// All interfaces of the network namespace of the calling thread.
///
/// # Errors
///
/// [`KernelError::Netlink`].
pub async fn interfaces() -> Result<Vec<Interface>, KernelError> {
    let handle = connect()?;
    let mut interfaces: Vec<Interface> =
        handle.link().get().execute().map_ok(|link| interface(&link)).try_collect().await.map_err(netlink)?;
    let addresses: Vec<_> = handle.address().get().execute().try_collect().await.map_err(netlink)?;
    for message in addresses {
        let address = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let address = address.or_else(|| {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
        });
        let owner = interfaces.iter_mut().find(|interface| interface.index == message.header.index);
        if let (Some(owner), Some(address)) = (owner, address)
            && let Ok(net) = IpNet::new(address, message.header.prefix_len)
        {
            owner.addresses.push(net);
        }
    }
    Ok(interfaces)
}

/// The same as [`interfaces`], for a caller that cannot wait for a future.
///
/// # Errors
///
/// [`KernelError::Netlink`].
pub fn interfaces_now() -> Result<Vec<Interface>, KernelError> {
    // On a thread of its own, as the caller may be in a runtime already.
    let asked = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| KernelError::Netlink(Box::new(error)))?;
        runtime.block_on(interfaces())
    });
    asked.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Index of the interface of the default route: IPv4's, else IPv6's, the lowest metric first.
///
/// # Errors
///
/// [`KernelError::Netlink`].
pub async fn default_route() -> Result<Option<u32>, KernelError> {
    let handle = connect()?;
    let v4 = RouteMessageBuilder::<std::net::Ipv4Addr>::new().build();
    let v6 = RouteMessageBuilder::<std::net::Ipv6Addr>::new().build();
    for family in [v4, v6] {
        let routes: Vec<RouteMessage> =
            handle.route().get(family).execute().try_collect().await.map_err(netlink)?;
        let best = routes
            .iter()
            .filter(|route| route.header.destination_prefix_length == 0)
            .filter_map(|route| {
                let attribute =
                    |find: fn(&RouteAttribute) -> Option<u32>| route.attributes.iter().find_map(find);
                let interface = attribute(|a| match a {
                    RouteAttribute::Oif(index) => Some(*index),
                    _ => None,
                })?;
                let metric = attribute(|a| match a {
                    RouteAttribute::Priority(metric) => Some(*metric),
                    _ => None,
                });
                Some((metric.unwrap_or(0), interface))
            })
            .min();
        if let Some((_, interface)) = best {
            return Ok(Some(interface));
        }
    }
    Ok(None)
}

/// The first two of the chosen interfaces of which one is stacked on the other, lower one first:
/// every packet would pass through both and be counted twice.
pub fn stacked<'a>(all: &[Interface], chosen: &[&'a Interface]) -> Option<(&'a Interface, &'a Interface)> {
    let by_index = |index: u32| all.iter().find(|interface| interface.index == index);
    // From each interface to those above it: its bridge or bond, and what is stacked on it.
    let above = |of: &Interface| -> Vec<u32> {
        let stacked = all.iter().filter(|upper| upper.below == Some(of.index)).map(|upper| upper.index);
        of.above.into_iter().chain(stacked).collect()
    };
    for &lower in chosen {
        let mut seen = vec![lower.index];
        let mut next = above(lower);
        while let Some(index) = next.pop() {
            if seen.contains(&index) {
                continue;
            }
            seen.push(index);
            if let Some(&upper) = chosen.iter().find(|upper| upper.index == index) {
                return Some((lower, upper));
            }
            next.extend(by_index(index).map(&above).unwrap_or_default());
        }
    }
    None
}

/// The addresses of this host that a prefix covers.
pub fn covered(interfaces: &[Interface], prefix: &IpNet) -> Vec<IpAddr> {
    let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    addresses.map(IpNet::addr).filter(|address| prefix.contains(address)).collect()
}

/// What an interface has received since it was made, by its own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub frames: u64,
    /// Missed by the card, for want of buffers: XDP never saw them. (`rx_missed_errors`; the kernel's `rx_dropped`
    /// would hold frames as well that were dropped behind XDP, such as those of protocols that nobody handles.)
    pub dropped: u64,
}

impl Received {
    /// What was received since an earlier look; an interface that was made anew meanwhile has counted from 0.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self { frames: since(self.frames, before.frames), dropped: since(self.dropped, before.dropped) }
    }
}

fn connect() -> Result<Handle, KernelError> {
    let (connection, handle, _) = new_connection().map_err(|error| KernelError::Netlink(Box::new(error)))?;
    tokio::spawn(connection);
    Ok(handle)
}

fn netlink(error: rtnetlink::Error) -> KernelError {
    KernelError::Netlink(Box::new(error))
}

fn interface(link: &LinkMessage) -> Interface {
    let flags = link.header.flags;
    let mut interface = Interface {
        index: link.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        loopback: flags.contains(LinkFlags::Loopback),
        link_layer: link.header.link_layer_type.into(),
        ..Interface::default()
    };
    // A lower interface may live in another namespace, where its index means nothing here.
    let mut elsewhere = false;
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Link(index) => interface.below = Some(*index),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::Controller(index) => interface.above = Some(*index),
            LinkAttribute::LinkInfo(infos) => {
                interface.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            LinkAttribute::Stats64(stats) => {
                interface.received = Received { frames: stats.rx_packets, dropped: stats.rx_missed_errors };
            }
            LinkAttribute::Xdp(attributes) => {
                interface.xdp_program = attributes.iter().find_map(|attribute| match attribute {
                    LinkXdp::ProgId(id) if *id != 0 => Some(*id),
                    _ => None,
                });
                interface.xdp_mode = attributes.iter().find_map(|attribute| match attribute {
                    LinkXdp::Attached(XdpAttached::Driver) => Some(Mode::Native),
                    LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    // The "lower" interface of a veth is its peer.
    if elsewhere || interface.kind.as_deref() == Some(&InfoKind::Veth.to_string()) {
        interface.below = None;
    }
    interface
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::Stats64;

    use super::*;

    fn made(index: u32, below: Option<u32>, above: Option<u32>) -> Interface {
        Interface { index, name: format!("if{index}"), below, above, ..Interface::default() }
    }

    #[test]
    fn stacks_are_found_through_interfaces_that_are_not_chosen() {
        // if1 is a port of bond if3; if4 is a VLAN on the bond; if2 stands alone.
        let all = [made(1, None, Some(3)), made(2, None, None), made(3, None, None), made(4, Some(3), None)];
        let chosen = |indices: &[usize]| -> Option<(u32, u32)> {
            let chosen: Vec<&Interface> = indices.iter().map(|&index| &all[index - 1]).collect();
            stacked(&all, &chosen).map(|(lower, upper)| (lower.index, upper.index))
        };
        assert_eq!(chosen(&[1, 4]), Some((1, 4)));
        assert_eq!(chosen(&[4, 1]), Some((1, 4)));
        assert_eq!(chosen(&[3, 4]), Some((3, 4)));
        assert_eq!(chosen(&[1, 3]), Some((1, 3)));
        assert_eq!(chosen(&[1, 2]), None);
        assert_eq!(chosen(&[2, 4]), None);
    }

    #[test]
    fn a_message_tells_state_and_counters() {
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        let mut stats = Stats64::default();
        (stats.rx_packets, stats.rx_dropped, stats.rx_missed_errors) = (4711, 2, 7);
        link.attributes = vec![LinkAttribute::IfName("eth0".to_owned()), LinkAttribute::Stats64(stats)];
        let down = interface(&link);
        assert_eq!((down.name.as_str(), down.up, down.carrier), ("eth0", true, false));
        assert_eq!(down.received, Received { frames: 4711, dropped: 7 });
        link.header.flags |= LinkFlags::LowerUp;
        assert!(interface(&link).carrier);
    }

    #[test]
    fn loops_of_interfaces_end() {
        let all = [made(1, Some(2), None), made(2, Some(1), None), made(3, None, None)];
        let chosen: Vec<&Interface> = vec![&all[0], &all[2]];
        assert_eq!(stacked(&all, &chosen), None);
    }

    #[test]
    fn covered_addresses_are_those_of_the_host_not_of_its_networks() {
        let mut interface = made(1, None, None);
        interface.addresses = vec!["192.0.2.7/24".parse().unwrap(), "2001:db8::1/64".parse().unwrap()];
        let covered = |prefix: &str| covered(std::slice::from_ref(&interface), &prefix.parse().unwrap());
        assert_eq!(covered("192.0.2.0/28"), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert!(covered("192.0.2.128/25").is_empty());
        assert_eq!(covered("2001:db8::/32").len(), 1);
        assert!(covered("0.0.0.0/0").len() == 1);
    }
}
