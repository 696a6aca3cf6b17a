//! Where the UDP sockets come from: handed over (`CULVERT_UDP_FDS`), or opened here as wireguard-go opens its own.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::sys::{check, int_option, set_option};
use super::udp::{Sockets, prepare};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Bound and marked by who started us; port and mark stay as they are.
    Given,
    Own,
}

/// Tries for one port on both families.
const ATTEMPTS: usize = 20;

pub fn open_own() -> io::Result<Sockets> {
    let (v4, v6) = open(0)?;
    Sockets::new(v4, v6)
}

pub fn port(sockets: &Sockets) -> io::Result<u16> {
    port_of(sockets.v4())
}

fn port_of(fd: RawFd) -> io::Result<u16> {
    // SAFETY: callers pass a descriptor that stays open; ManuallyDrop keeps this borrowed view from closing it.
    let socket = std::mem::ManuallyDrop::new(unsafe { UdpSocket::from_raw_fd(fd) });
    Ok(socket.local_addr()?.port())
}

pub fn mark(sockets: &Sockets) -> io::Result<u32> {
    mark_of(sockets.v4())
}

fn mark_of(fd: RawFd) -> io::Result<u32> {
    int_option(fd, libc::SOL_SOCKET, libc::SO_MARK).map(|mark| mark as u32)
}

/// Given sockets stay as they are: what is asked for must be 0 or what they have.
fn stays(fd: RawFd, port: Option<u16>, mark: Option<u32>) -> io::Result<()> {
    let port_stays = port.is_none_or(|to| to == 0) || port == Some(port_of(fd)?);
    let mark_stays = mark.is_none_or(|to| to == 0) || mark == Some(mark_of(fd)?);
    if port_stays && mark_stays { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Applies `listen_port` and `fwmark`. Given sockets accept what they have, or 0.
pub fn change(sockets: &Sockets, origin: Origin, to: Option<u16>, mark_to: Option<u32>) -> io::Result<()> {
    if origin == Origin::Given {
        return stays(sockets.v4(), to, mark_to);
    }
    if let Some(to) = to.filter(|to| port(sockets).ok() != Some(*to)) {
        let keep = mark(sockets)?;
        let (v4, v6) = open(to)?;
        for (new, old) in [(Some(v4), sockets.v4()), (v6, sockets.v6())] {
            let Some(new) = new.filter(|_| old >= 0) else { continue };
            prepare(new.as_raw_fd(), old == sockets.v6())?;
            set_mark(new.as_raw_fd(), keep)?;
            replace(new.as_raw_fd(), old)?;
        }
    }
    if let Some(to) = mark_to {
        [sockets.v4(), sockets.v6()].iter().filter(|fd| **fd >= 0).try_for_each(|fd| set_mark(*fd, to))?;
    }
    Ok(())
}

/// Puts sockets that were handed over later in the place of those there are, IPv4's and then, where there is one,
/// IPv6's. Both are looked at before either is exchanged; port and mark must be theirs.
pub fn exchange(
    sockets: &Sockets,
    count: usize,
    handed: &[OwnedFd],
    port: Option<u16>,
    mark: Option<u32>,
) -> io::Result<()> {
    let places = [(sockets.v4(), libc::AF_INET), (sockets.v6(), libc::AF_INET6)];
    if handed.len() != count || (count == places.len() && sockets.v6() < 0) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    for (new, (_, family)) in handed.iter().zip(places) {
        let new = new.as_raw_fd();
        let is = |name: i32, value: i32| int_option(new, libc::SOL_SOCKET, name).is_ok_and(|is| is == value);
        if !is(libc::SO_DOMAIN, family) || !is(libc::SO_PROTOCOL, libc::IPPROTO_UDP) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        stays(new, port, mark)?;
        prepare(new, family == libc::AF_INET6)?;
    }
    handed.iter().zip(places).try_for_each(|(new, (old, _))| replace(new.as_raw_fd(), old))
}

/// The threads know the number of the descriptor; behind it the socket is exchanged in one step.
fn replace(new: RawFd, old: RawFd) -> io::Result<()> {
    // SAFETY: both are open descriptors, and `old` stays one.
    check(unsafe { libc::dup3(new, old, libc::O_CLOEXEC) }).map(drop)
}

fn set_mark(fd: RawFd, mark: u32) -> io::Result<()> {
    if int_option(fd, libc::SOL_SOCKET, libc::SO_MARK)? as u32 == mark {
        return Ok(());
    }
    set_option(fd, libc::SOL_SOCKET, libc::SO_MARK, &mark)
}

/// One port on both families; with port 0, one that is free on both.
fn open(port: u16) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    let mut last = io::Error::from_raw_os_error(libc::EADDRINUSE);
    for _ in 0..if port == 0 { ATTEMPTS } else { 1 } {
        let v4 = bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
        let v6 = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, v4.local_addr()?.port())));
        match v6 {
            Ok(v6) => return Ok((v4.into(), Some(v6.into()))),
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok((v4.into(), None)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The standard library binds before IPV6_V6ONLY could be set, so the calls are made one by one.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: takes three integers and returns a new descriptor.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    let socket = unsafe { UdpSocket::from_raw_fd(fd) };
    let bound = match address {
        SocketAddr::V4(_) => {
            // SAFETY: zeros are a valid address struct: any address.
            let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            name.sin_family = libc::AF_INET as _;
            name.sin_port = address.port().to_be();
            // SAFETY: the address and its size belong together.
            unsafe { libc::bind(fd, (&raw const name).cast(), size_of_val(&name) as _) }
        }
        SocketAddr::V6(_) => {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &1i32)?;
            // SAFETY: zeros are a valid address struct: any address.
            let mut name: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            name.sin6_family = libc::AF_INET6 as _;
            name.sin6_port = address.port().to_be();
            // SAFETY: the address and its size belong together.
            unsafe { libc::bind(fd, (&raw const name).cast(), size_of_val(&name) as _) }
        }
    };
    check(bound)?;
    Ok(socket)
}
