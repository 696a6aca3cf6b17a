//! Opens a sending socket the way its stream says. Everything here is what an ordinary program can do (SO_BINDTODEVICE,
//! IP_UNICAST_IF, PKTINFO, routing headers) or a program with CAP_NET_RAW (echo by raw socket, AF_PACKET, LSRR).

use std::ffi::CString;
use std::io;
use std::mem::size_of_val;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::packet;
use super::spec::Way;
use crate::link::tap::check;

// linux/in6.h, linux/if_packet.h: not in libc
const IPV6_UNICAST_IF: libc::c_int = 76;
const PACKET_QDISC_BYPASS: libc::c_int = 20;

pub fn open(kind: libc::c_int, protocol: libc::c_int, to: IpAddr, way: &Way) -> io::Result<OwnedFd> {
    let fd = socket(if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }, kind, protocol)?;
    if let Some(device) = &way.device {
        let name = CString::new(device.as_str())?;
        option_bytes(&fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes_with_nul())?;
    }
    if let Some(device) = &way.unicast_if {
        let index = index_of(device)?.to_be();
        match to {
            IpAddr::V4(_) => option(&fd, libc::IPPROTO_IP, libc::IP_UNICAST_IF, &index)?,
            IpAddr::V6(_) => option(&fd, libc::IPPROTO_IPV6, IPV6_UNICAST_IF, &index)?,
        }
    }
    if let Some(device) = &way.multicast_if {
        let index = index_of(device)? as libc::c_int;
        let none = libc::in_addr { s_addr: 0 };
        let v4 = libc::ip_mreqn { imr_multiaddr: none, imr_address: none, imr_ifindex: index };
        match to {
            IpAddr::V4(_) => option(&fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &v4)?,
            IpAddr::V6(_) => option(&fd, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, &index)?,
        }
    }
    match (way.hop, to) {
        (Some(IpAddr::V4(hop)), IpAddr::V4(to)) => {
            option_bytes(&fd, libc::IPPROTO_IP, libc::IP_OPTIONS, &packet::lsrr(hop, to))?;
        }
        (Some(IpAddr::V6(hop)), IpAddr::V6(to)) => {
            option_bytes(&fd, libc::IPPROTO_IPV6, libc::IPV6_RTHDR, &packet::routing_header(hop, to))?;
        }
        (Some(_), _) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "hop of another family")),
        (None, _) => {}
    }
    if let Some(source) = way.source {
        let (address, length) = raw_address(SocketAddr::new(source, 0));
        // SAFETY: bind reads `length` bytes of a live sockaddr_storage.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) })?;
    }
    Ok(fd)
}

/// An AF_PACKET socket and where its frames go.
pub fn open_packet(device: &str, bypass: bool) -> io::Result<(OwnedFd, libc::sockaddr_ll)> {
    let fd = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    if bypass {
        option(&fd, libc::SOL_PACKET, PACKET_QDISC_BYPASS, &1i32)?;
    }
    // SAFETY: sockaddr_ll is plain old data, all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index_of(device)? as i32;
    address.sll_halen = 6;
    Ok((fd, address))
}

pub fn connect(fd: &OwnedFd, to: SocketAddr) -> io::Result<()> {
    let (address, length) = raw_address(to);
    // SAFETY: connect reads `length` bytes of a live sockaddr_storage.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), length) })
}

/// sendto(2), or sendmsg(2) with PKTINFO when a device is named for each packet.
pub fn send(fd: &OwnedFd, bytes: &[u8], to: SocketAddr, pktinfo: Option<u32>) -> io::Result<()> {
    let (mut address, length) = raw_address(to);
    let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0u64; 8];
    // SAFETY: msghdr is plain old data, all zeros is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = length;
    message.msg_iov = &mut vector;
    message.msg_iovlen = 1;
    if let Some(index) = pktinfo {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = fill_pktinfo(&mut message, to.ip(), index, size_of_val(&control));
    }
    // SAFETY: every pointer in `message` is to a live local of the length given with it.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub fn send_frame(fd: &OwnedFd, frame: &[u8], to: &libc::sockaddr_ll) -> io::Result<()> {
    let length = size_of_val(to) as libc::socklen_t;
    // SAFETY: sendto reads the frame and the address, both live and of the lengths given.
    let sent = unsafe {
        let (fd, bytes, to) = (fd.as_raw_fd(), frame.as_ptr().cast(), std::ptr::from_ref(to).cast());
        libc::sendto(fd, bytes, frame.len(), libc::MSG_DONTWAIT, to, length)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub fn index_of(device: &str) -> io::Result<u32> {
    let name = CString::new(device)?;
    // SAFETY: a NUL-terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::new(io::ErrorKind::NotFound, format!("no device {device}"))),
        index => Ok(index),
    }
}

fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) has no pointers; the descriptor is owned at once.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    check(fd)?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn option<T>(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    // SAFETY: setsockopt reads `length` bytes of a live value.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length) })
}

fn option_bytes(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    // SAFETY: setsockopt reads `value.len()` bytes of a live slice.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), value.len() as libc::socklen_t)
    })
}

fn fill_pktinfo(message: &mut libc::msghdr, to: IpAddr, index: u32, room: usize) -> usize {
    message.msg_controllen = room;
    // SAFETY: the control buffer is larger than either header with its structure, and aligned (u64).
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message);
        let data = libc::CMSG_DATA(header);
        let size = if to.is_ipv4() {
            let mut info: libc::in_pktinfo = std::mem::zeroed();
            info.ipi_ifindex = index as i32;
            ((*header).cmsg_level, (*header).cmsg_type) = (libc::IPPROTO_IP, libc::IP_PKTINFO);
            data.cast::<libc::in_pktinfo>().write_unaligned(info);
            size_of_val(&info)
        } else {
            let mut info: libc::in6_pktinfo = std::mem::zeroed();
            info.ipi6_ifindex = index;
            ((*header).cmsg_level, (*header).cmsg_type) = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
            data.cast::<libc::in6_pktinfo>().write_unaligned(info);
            size_of_val(&info)
        };
        (*header).cmsg_len = libc::CMSG_LEN(size as u32) as usize;
        libc::CMSG_SPACE(size as u32) as usize
    }
}

fn raw_address(to: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: sockaddr_storage is plain old data, and large and aligned enough for both families.
    unsafe {
        let mut storage: libc::sockaddr_storage = std::mem::zeroed();
        let length = match to {
            SocketAddr::V4(to) => {
                let address = &mut *(&raw mut storage).cast::<libc::sockaddr_in>();
                address.sin_family = libc::AF_INET as u16;
                address.sin_port = to.port().to_be();
                address.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
                size_of_val(address)
            }
            SocketAddr::V6(to) => {
                let address = &mut *(&raw mut storage).cast::<libc::sockaddr_in6>();
                address.sin6_family = libc::AF_INET6 as u16;
                address.sin6_port = to.port().to_be();
                address.sin6_addr.s6_addr = to.ip().octets();
                size_of_val(address)
            }
        };
        (storage, length as libc::socklen_t)
    }
}
