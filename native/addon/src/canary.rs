//! What a leak check tries to get out beside the tunnel: a datagram by a socket that names the uplink, and a frame that only
//! lock 3 sees. Neither carries a mark, and a refusal of the kernel is the answer hoped for.

use std::net::IpAddr;
use std::os::fd::AsRawFd;

use crate::netlink::text::parse_address;
use crate::sys::{self, Doing, Errno, Outcome};

/// One datagram out of a socket bound to a device, which any user may make (kernel/README 3.14).
pub fn send_by(device: &str, to: &str, port: u16, bytes: &[u8]) -> Outcome<()> {
    let what = || format!("sending a datagram by {device}");
    let to = parse_address(to).doing(what())?;
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = sys::socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
    let fd = socket.as_raw_fd();
    let mut name = [0u8; libc::IFNAMSIZ];
    if device.len() >= name.len() {
        return Err(Errno(libc::ENODEV)).doing(what());
    }
    name[..device.len()].copy_from_slice(device.as_bytes());
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name).doing(what())?;
    let sent = match to {
        IpAddr::V4(v4) => {
            // SAFETY: all zeros is a valid sockaddr_in
            let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            address.sin_family = libc::AF_INET as u16;
            address.sin_port = port.to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes(v4.octets());
            sys::send_to(fd, bytes, &address)
        }
        IpAddr::V6(v6) => {
            // SAFETY: all zeros is a valid sockaddr_in6
            let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            address.sin6_family = libc::AF_INET6 as u16;
            address.sin6_port = port.to_be();
            address.sin6_addr.s6_addr = v6.octets();
            sys::send_to(fd, bytes, &address)
        }
    };
    sent.doing(what()).map(|_| ())
}

/// A frame that no address family would send (AF_PACKET); the kernel writes the link's header with the device's own
/// address. It is for nobody: the destination is an unused, locally administered address (IEEE 802, bit 1 of octet 0).
pub fn frame(device: &str, ethertype: u16, bytes: &[u8]) -> Outcome<()> {
    let what = || format!("sending a frame by {device}");
    let index = sys::index_of(device).doing(what())?;
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
    // SAFETY: all zeros is a valid sockaddr_ll
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index as i32;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&[0x02, 0xc0, 0x1e, 0xca, 0x7a, 0x17]);
    sys::send_to(socket.as_raw_fd(), bytes, &address).doing(what()).map(|_| ())
}
