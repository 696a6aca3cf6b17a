//! Sockets that Node cannot make: UDP with a mark before it is bound, and a Unix socket with its mode from the start.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::netlink::text::{bytes_of, parse_address};
use crate::sys::{self, Doing, Errno, Outcome};

const BACKLOG: i32 = 16;

/// The mark is set before the socket is bound, so that no packet and no lookup of it ever went without (2.1).
pub fn udp(family: u8, port: u16, mark: u32, address: Option<&str>) -> Outcome<(OwnedFd, u16)> {
    let what = || format!("opening UDP port {port}");
    let domain = if family == 4 { libc::AF_INET } else { libc::AF_INET6 };
    let socket = sys::socket(domain, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
    let fd = socket.as_raw_fd();
    if mark != 0 {
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_MARK, mark).doing("marking a UDP socket")?;
    }
    let address = address.map(parse_address).transpose().doing(what())?;
    if family == 4 {
        bind_v4(fd, port, address.map(bytes_of)).doing(what())?;
        let own: libc::sockaddr_in = sys::own_address(fd).doing(what())?;
        return Ok((socket, u16::from_be(own.sin_port)));
    }
    // the IPv4 socket has the same port
    sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1i32).doing(what())?;
    bind_v6(fd, port, address.map(bytes_of)).doing(what())?;
    let own: libc::sockaddr_in6 = sys::own_address(fd).doing(what())?;
    Ok((socket, u16::from_be(own.sin6_port)))
}

/// Not connected yet; marked, so that its first packet has its lane.
pub fn tcp(family: u8, mark: u32) -> Outcome<OwnedFd> {
    let domain = if family == 4 { libc::AF_INET } else { libc::AF_INET6 };
    let socket =
        sys::socket(domain, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0).doing("opening a TCP socket")?;
    sys::set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark)
        .doing("marking a TCP socket")?;
    Ok(socket)
}

/// A listening socket. What lies at the path goes; the mode holds from the first moment on.
pub fn unix(path: &str, mode: u32) -> Outcome<OwnedFd> {
    let what = || format!("listening on {path}");
    let socket = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
    let fd = socket.as_raw_fd();
    // the inode that bind makes has the mode of the socket's own (unix_bind_bsd)
    // SAFETY: no memory is passed
    unsafe { sys::check(libc::fchmod(fd, mode)) }.doing(what())?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Errno(error.raw_os_error().unwrap_or(libc::EIO))).doing(what());
        }
        _ => {}
    }
    let bytes = Path::new(path).as_os_str().as_bytes();
    // SAFETY: all zeros is a valid sockaddr_un
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    if bytes.is_empty() || bytes.len() >= address.sun_path.len() {
        return Err(Errno(libc::ENAMETOOLONG)).doing(what());
    }
    address.sun_family = libc::AF_UNIX as u16;
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    sys::bind(fd, &address).doing(what())?;
    // SAFETY: no memory is passed
    unsafe { sys::check(libc::listen(fd, BACKLOG)) }.doing(what())?;
    Ok(socket)
}

fn bind_v4(fd: i32, port: u16, address: Option<Vec<u8>>) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid sockaddr_in: any address
    let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    to.sin_family = libc::AF_INET as u16;
    to.sin_port = port.to_be();
    if let Some(bytes) = address {
        let bytes: [u8; 4] = bytes.try_into().map_err(|_| Errno(libc::EINVAL))?;
        to.sin_addr.s_addr = u32::from_ne_bytes(bytes);
    }
    sys::bind(fd, &to)
}

fn bind_v6(fd: i32, port: u16, address: Option<Vec<u8>>) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid sockaddr_in6: any address
    let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    to.sin6_family = libc::AF_INET6 as u16;
    to.sin6_port = port.to_be();
    if let Some(bytes) = address {
        to.sin6_addr.s6_addr = bytes.try_into().map_err(|_| Errno(libc::EINVAL))?;
    }
    sys::bind(fd, &to)
}
