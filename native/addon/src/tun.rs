//! TUN adapters (Documentation/networking/tuntap.rst): opened, made persistent or not.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{self, Doing, Errno, Outcome};

const TUNSETIFF: u64 = 0x4004_54ca;
const TUNSETPERSIST: u64 = 0x4004_54cb;
const TUNSETOWNER: u64 = 0x4004_54cc;
const IFNAMSIZ: usize = 16;

pub struct Wanted {
    pub name: String,
    /// Each packet with a `virtio_net_hdr` in front, so that several can be handed over as one.
    pub vnet_header: bool,
    /// Four bytes of protocol in front of each packet.
    pub packet_info: bool,
    /// Link, addresses and routes outlive the descriptor (kernel/README 12.2). None: as it is.
    pub persist: Option<bool>,
    /// The user who may attach without rights.
    pub owner: Option<u32>,
}

/// struct ifreq with its flags, as TUNSETIFF reads it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    name: [u8; IFNAMSIZ],
    flags: i16,
    rest: [u8; 22],
}

pub fn open(wanted: &Wanted) -> Outcome<OwnedFd> {
    let what = || format!("opening TUN adapter {}", wanted.name);
    let bytes = wanted.name.as_bytes();
    if bytes.is_empty() || bytes.len() >= IFNAMSIZ {
        return Err(Errno(libc::EINVAL)).doing(what());
    }
    let mut request = Request { name: [0; IFNAMSIZ], flags: 0, rest: [0; 22] };
    request.name[..bytes.len()].copy_from_slice(bytes);
    let header = if wanted.vnet_header { libc::IFF_VNET_HDR } else { 0 };
    let bare = if wanted.packet_info { 0 } else { libc::IFF_NO_PI };
    request.flags = (libc::IFF_TUN | bare | header) as i16;
    let device = sys::open("/dev/net/tun", libc::O_RDWR | libc::O_NONBLOCK).doing("opening /dev/net/tun")?;
    let fd = device.as_raw_fd();
    sys::ioctl(fd, TUNSETIFF, &mut request).doing(what())?;
    if let Some(owner) = wanted.owner {
        sys::ioctl_number(fd, TUNSETOWNER, owner.into()).doing(what())?;
    }
    if let Some(persist) = wanted.persist {
        sys::ioctl_number(fd, TUNSETPERSIST, persist.into()).doing(what())?;
    }
    Ok(device)
}
