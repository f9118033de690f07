//! Whether an interface takes XDP programs in its driver ("native" mode), found out without
//! attaching one, which resets the link of some drivers.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use super::error::KernelError;

/// What the kernel says that a driver can do with XDP programs (`NETDEV_XDP_ACT_*` of
/// linux/netdev.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures(pub u64);

impl XdpFeatures {
    /// Whether it runs programs at all (`NETDEV_XDP_ACT_BASIC`).
    pub const fn native(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it hands over frames of several buffers (`NETDEV_XDP_ACT_RX_SG`).
    pub const fn fragments(self) -> bool {
        self.0 & (1 << 5) != 0
    }
}

/// Asks the kernel what an interface's driver can do with XDP programs: generic netlink, family
/// `netdev`. `None` where the kernel has no such family. Linux 6.3.
///
/// # Errors
///
/// [`KernelError::Call`] if netlink fails otherwise, or answers what cannot be read.
pub fn xdp_features(ifindex: u32) -> Result<Option<XdpFeatures>, KernelError> {
    ask(ifindex).map_err(|source| KernelError::Call {
        call: "netlink(NETDEV_CMD_DEV_GET)",
        what: format!("interface {ifindex}"),
        source,
    })
}

fn ask(ifindex: u32) -> io::Result<Option<XdpFeatures>> {
    /// `GENL_ID_CTRL`.
    const CONTROLLER: u16 = 0x10;
    /// `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`.
    const GET_FAMILY: u8 = 3;
    const FAMILY_ID: u16 = 1;
    const FAMILY_NAME: u16 = 2;
    /// `NETDEV_CMD_DEV_GET`, `NETDEV_A_DEV_IFINDEX`, `NETDEV_A_DEV_XDP_FEATURES`.
    const GET_DEVICE: u8 = 1;
    const INTERFACE: u16 = 1;
    const FEATURES: u16 = 3;

    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_non_blocking(true)?;
    let call = |family, command, attribute, value: &[u8], wanted| {
        socket.send(&request(family, command, attribute, value), 0)?;
        // The kernel has answered a request for one object when `send` returns.
        let (reply, _) = socket.recv_from_full()?;
        answer(&reply, wanted).map(<[u8]>::to_vec)
    };
    let family = match call(CONTROLLER, GET_FAMILY, FAMILY_NAME, b"netdev\0", FAMILY_ID) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        family => family?,
    };
    let family = family.as_slice().try_into().map(u16::from_ne_bytes).map_err(|_| malformed())?;
    let features = call(family, GET_DEVICE, INTERFACE, &ifindex.to_ne_bytes(), FEATURES)?;
    let features = features.as_slice().try_into().map(u64::from_ne_bytes).map_err(|_| malformed())?;
    Ok(Some(XdpFeatures(features)))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer cannot be read")
}

/// Length of struct nlmsghdr.
const HEADER: usize = 16;
/// Length of struct genlmsghdr.
const GENERIC_HEADER: usize = 4;
/// Length of struct nlattr.
const ATTRIBUTE_HEADER: usize = 4;

/// A generic netlink request with one attribute.
fn request(family: u16, command: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    /// `NLM_F_REQUEST`.
    const REQUEST: u16 = 1;
    let attribute_length = ATTRIBUTE_HEADER + value.len();
    let length = HEADER + GENERIC_HEADER + attribute_length.next_multiple_of(4);
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence and port: one request at a time
    message.extend([command, 1, 0, 0]); // version 1, reserved
    message.extend((attribute_length as u16).to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(value);
    message.resize(length, 0);
    message
}

/// The value of an attribute in an answer.
fn answer(message: &[u8], wanted: u16) -> io::Result<&[u8]> {
    /// `NLMSG_ERROR`.
    const ERROR: u16 = 2;
    /// `NLA_TYPE_MASK`: without the flags for nesting and byte order.
    const TYPE: u16 = 0x3fff;
    let u16_at = |bytes: &[u8], at: usize| -> Option<u16> {
        bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
    };
    if u16_at(message, 4) == Some(ERROR) {
        let code = message.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
        return Err(
            code.map_or_else(malformed, |code| io::Error::from_raw_os_error(-i32::from_ne_bytes(code)))
        );
    }
    let mut rest = message.get(HEADER + GENERIC_HEADER..).ok_or_else(malformed)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        let value = rest.get(ATTRIBUTE_HEADER..length).ok_or_else(malformed)?;
        if kind & TYPE == wanted {
            return Ok(value);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(malformed())
}

/// What is known of a driver's native XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// As ethtool gives it.
    pub name: &'static str,
    /// The first Linux whose driver has native XDP, major and minor.
    pub since: (u32, u32),
    /// The first Linux whose driver hands over frames of several buffers.
    pub fragments: Option<(u32, u32)>,
    /// Largest MTU of frames of one buffer, in bytes, on pages of 4 KiB. `None`: not known, or
    /// without a limit of its own.
    pub one_buffer_mtu: Option<u32>,
}

/// Largest MTU of frames of one buffer where the driver is not known: a page of 4 KiB without 256
/// bytes of head room, 320 of tail room, and 22 for Ethernet and two VLAN tags.
pub const ONE_BUFFER_MTU: u32 = 3498;

const fn with(name: &'static str, since: (u32, u32), mtu: u32) -> Driver {
    let one_buffer_mtu = if mtu == 0 { None } else { Some(mtu) };
    Driver { name, since, fragments: None, one_buffer_mtu }
}

const fn fragmenting(driver: Driver, since: (u32, u32)) -> Driver {
    Driver { fragments: Some(since), ..driver }
}

/// Drivers of Linux that have native XDP. Versions are of the commits that brought it; those of a
/// distribution's kernel with back-ported drivers may be earlier.
const DRIVERS: &[Driver] = &[
    fragmenting(with("atlantic", (5, 19), 2048), (5, 19)),
    fragmenting(with("bnxt_en", (4, 11), 3502), (5, 19)),
    with("bonding", (5, 15), 0),
    with("cpsw", (5, 3), 0),
    with("ena", (5, 6), 3498),
    with("fec", (6, 2), 0),
    with("fsl_dpa", (5, 11), 3706),
    with("fsl_dpaa2_eth", (5, 0), 0),
    with("fsl_enetc", (5, 13), 0),
    with("funeth", (5, 18), 3566),
    with("gve", (6, 4), 2032),
    with("hv_netvsc", (5, 6), 3506),
    fragmenting(with("i40e", (4, 13), 3046), (6, 4)),
    fragmenting(with("ice", (5, 5), 3046), (6, 3)),
    with("igb", (5, 10), 3046),
    with("igc", (5, 13), 1500),
    fragmenting(with("ionic", (6, 9), 3502), (6, 9)),
    with("ixgbe", (4, 12), 3050),
    with("ixgbevf", (4, 17), 3050),
    with("lan966x-switch", (6, 2), 0),
    with("mana", (5, 17), 3506),
    with("mlx4_en", (4, 8), 3498),
    fragmenting(with("mlx5_core", (4, 9), 3498), (6, 4)),
    with("mtk_soc_eth", (6, 0), 3520),
    fragmenting(with("mvneta", (5, 5), 3520), (5, 18)),
    with("mvpp2", (5, 9), 3552),
    with("netsec", (5, 3), 1500),
    with("nfp", (4, 10), 4096),
    with("nicvf", (4, 12), 1508),
    with("qede", (4, 10), 0),
    with("rvu_nicpf", (5, 16), 1508),
    with("rvu_nicvf", (5, 16), 1508),
    with("sfc", (5, 5), 3508),
    with("st_gmac", (5, 13), 1500),
    with("tsnep", (6, 3), 0),
    with("tun", (4, 14), 1500),
    fragmenting(with("veth", (4, 19), 3520), (5, 18)),
    with("vif", (5, 9), 3840),
    fragmenting(with("virtio_net", (4, 10), 3506), (6, 3)),
    with("vmxnet3", (6, 6), 3494),
];

/// What is known of a driver, by the name that ethtool gives it.
pub fn driver(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_known_once_and_in_order() {
        assert!(DRIVERS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(driver("i40e").unwrap().since, (4, 13));
        assert_eq!(driver("e1000e"), None);
        for driver in DRIVERS {
            assert!(driver.fragments.is_none_or(|fragments| fragments >= driver.since), "{}", driver.name);
        }
    }

    #[test]
    fn answers_are_read_and_broken_ones_refused() {
        let message = request(0x1c, 1, 3, &0x23u64.to_ne_bytes());
        assert_eq!(message.len(), 32);
        assert_eq!(answer(&message, 3).unwrap(), 0x23u64.to_ne_bytes());
        assert_eq!(answer(&message, 1).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for length in 0..message.len() {
            assert!(answer(&message[..length], 3).is_err(), "{length}");
        }
        // An attribute that claims to be shorter than its own header.
        let mut short = message.clone();
        short[20] = 0;
        assert!(answer(&short, 3).is_err());
        let mut error = request(2, 0, 0, &[]);
        error[HEADER..HEADER + 4].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        assert_eq!(answer(&error, 1).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn features_by_bit() {
        assert!(!XdpFeatures(0).native());
        assert!(XdpFeatures(1).native() && !XdpFeatures(1).fragments());
        assert!(XdpFeatures(0x23).fragments());
    }

    #[test]
    fn the_kernel_knows_the_loopback_interface() {
        // The family may be missing; anything else is a defect. lo has no native XDP.
        if let Some(features) = xdp_features(1).unwrap() {
            assert!(!features.native());
        }
    }
}
