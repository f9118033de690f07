//! The program on interfaces.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use super::{
    error::KernelError,
    interfaces::Interface,
    program::Program,
    sys::{program_by_id, program_info, xdp_link_create},
};

/// `XDP_FLAGS_SKB_MODE` of linux/if_link.h.
const GENERIC_MODE: u32 = 1 << 1;
/// `XDP_FLAGS_DRV_MODE`.
const NATIVE_MODE: u32 = 1 << 2;

/// Where in the receive path the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the kernel makes a socket buffer. Some drivers reset the link for it.
    Native,
    /// Behind the driver, on socket buffers: works on every interface, costs more per packet.
    Generic,
}

impl Mode {
    /// `native` or `generic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// The program on one interface. Detached when dropped.
pub struct Link {
    pub interface: String,
    pub mode: Mode,
    _link: OwnedFd,
}

/// Attaches the program to an interface by a bpf_link.
///
/// # Errors
///
/// [`KernelError::Busy`] if another program is there, [`KernelError::NoNative`] or
/// [`KernelError::Refused`] if the driver takes none, or the system call's error.
pub fn attach(program: &Program, interface: &Interface, mode: Mode) -> Result<Link, KernelError> {
    let link = create(program, interface, mode)?;
    Ok(Link { interface: interface.name.clone(), mode, _link: link })
}

/// The link itself, which detaches when it is neither open nor pinned any more.
pub(super) fn create(program: &Program, interface: &Interface, mode: Mode) -> Result<OwnedFd, KernelError> {
    let flags = match mode {
        Mode::Native => NATIVE_MODE,
        Mode::Generic => GENERIC_MODE,
    };
    xdp_link_create(program.fd(), interface.index, flags).map_err(|source| explain(interface, mode, source))
}

fn explain(interface: &Interface, mode: Mode, source: io::Error) -> KernelError {
    let name = || interface.name.clone();
    let driver = || interface.driver().unwrap_or_else(|| "unknown".to_owned());
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => KernelError::Busy {
            interface: name(),
            holder: interface.xdp_program.map_or_else(|| "unknown".to_owned(), holder),
        },
        Some(libc::EPERM | libc::EACCES) => KernelError::NoPrivilege,
        Some(libc::EOPNOTSUPP) if mode == Mode::Native => {
            KernelError::NoNative { interface: name(), driver: driver() }
        }
        Some(libc::ENODEV) => {
            KernelError::NoInterface { name: name(), present: "it has just gone away".to_owned() }
        }
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG | libc::ENOMEM | libc::ENOSPC)
            if mode == Mode::Native =>
        {
            KernelError::Refused {
                interface: name(),
                driver: driver(),
                reason: format!(
                    "its MTU of {} bytes may be too large for one buffer, or LRO or too few queues \
                     may stand in the way; lower the MTU (`ip link set dev {} mtu 1500`), switch LRO \
                     off (`ethtool -K {} lro off`), or use --mode generic",
                    interface.mtu, interface.name, interface.name
                ),
                source,
            }
        }
        _ => KernelError::Call {
            call: "bpf(BPF_LINK_CREATE)",
            what: format!("XDP on {} in {} mode", interface.name, mode.as_str()),
            source,
        },
    }
}

/// Who an XDP program is: its name, and the processes that hold it or its link.
pub fn holder(program: u32) -> String {
    let name = program_by_id(program)
        .and_then(|fd| program_info(fd.as_fd()))
        .map(|info| info.name.iter().take_while(|&&c| c != 0).map(|&c| c as u8 as char).collect::<String>())
        .unwrap_or_default();
    let processes = processes_with(program);
    let held = if processes.is_empty() {
        "held by no process (attached by `ip`, or pinned in a BPF file system)".to_owned()
    } else {
        format!("held by {}", processes.join(", "))
    };
    format!("`{name}`, id {program}, {held}")
}

/// The processes with a descriptor of this program or of a link to it, as `name (pid N)`.
fn processes_with(program: u32) -> Vec<String> {
    let wanted = format!("prog_id:\t{program}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for process in processes.flatten() {
        let path = process.path();
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(path.join("fdinfo")) else { continue };
        let holds = descriptors.flatten().any(|descriptor| {
            fs::read_to_string(descriptor.path()).is_ok_and(|info| info.lines().any(|line| line == wanted))
        });
        if holds {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            found.push(format!("{} (pid {pid})", name.trim()));
        }
    }
    found
}
