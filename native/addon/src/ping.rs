//! ICMP echo to several addresses at once, with a mark: round trips to nodes. Each answer is recognised by a nonce in
//! the payload, so answers to other programs' pings, which a raw socket sees too, count for nothing.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::netlink::text::parse_address;
use crate::sys::{self, Doing, Errno, Outcome};

const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;
const REPLY_V4: u8 = 0;
const REPLY_V6: u8 = 129;
const HEADER: usize = 8;

struct Flight {
    address: IpAddr,
    sent_ns: u64,
    round_trip_ms: Option<f64>,
}

/// Round trips in the order of the addresses; None: no answer in time, or it could not be sent.
pub fn ping(addresses: &[String], mark: u32, timeout_ms: u32) -> Outcome<Vec<Option<f64>>> {
    let parsed: Result<Vec<IpAddr>, Errno> = addresses.iter().map(|text| parse_address(text)).collect();
    let flights = parsed.doing("reading addresses to ping")?.into_iter();
    let mut flights: Vec<Flight> =
        flights.map(|address| Flight { address, sent_ns: 0, round_trip_ms: None }).collect();
    let v4 = flights.iter().any(|f| f.address.is_ipv4()).then(|| open(libc::AF_INET, mark)).transpose()?;
    let v6 = flights.iter().any(|f| f.address.is_ipv6()).then(|| open(libc::AF_INET6, mark)).transpose()?;
    let nonce = sys::now_ns();
    for (number, flight) in flights.iter_mut().enumerate() {
        let socket = if flight.address.is_ipv4() { &v4 } else { &v6 };
        let Some(socket) = socket else { continue };
        flight.sent_ns = sys::now_ns();
        // no route, or a lock of the gate: an address that does not answer, like any other
        let _ = send(socket, flight.address, number as u16, nonce);
    }
    let sockets: Vec<&OwnedFd> = [&v4, &v6].into_iter().flatten().collect();
    let deadline = sys::now_ns() + u64::from(timeout_ms) * 1_000_000;
    listen(&sockets, &mut flights, nonce, deadline).doing("waiting for echo replies")?;
    Ok(flights.into_iter().map(|flight| flight.round_trip_ms).collect())
}

/// A ping socket where the group is allowed to (net.ipv4.ping_group_range), else a raw one.
fn open(family: i32, mark: u32) -> Outcome<OwnedFd> {
    let protocol = if family == libc::AF_INET { libc::IPPROTO_ICMP } else { libc::IPPROTO_ICMPV6 };
    let datagram = sys::socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, protocol);
    let socket = datagram
        .or_else(|_| sys::socket(family, libc::SOCK_RAW | libc::SOCK_NONBLOCK, protocol))
        .doing("opening an ICMP socket")?;
    if mark != 0 {
        sys::set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark)
            .doing("marking an ICMP socket")?;
    }
    Ok(socket)
}

fn send(socket: &OwnedFd, address: IpAddr, number: u16, nonce: u64) -> Result<(), Errno> {
    let kind = if address.is_ipv4() { ECHO_V4 } else { ECHO_V6 };
    let mut packet = vec![kind, 0, 0, 0];
    // a ping socket puts its own identifier here
    packet.extend_from_slice(&(nonce as u16).to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(&nonce.to_be_bytes());
    packet.extend_from_slice(&u64::from(number).to_be_bytes());
    match address {
        IpAddr::V4(v4) => {
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
            // SAFETY: all zeros is a valid sockaddr_in
            let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            to.sin_family = libc::AF_INET as u16;
            to.sin_addr.s_addr = u32::from_ne_bytes(v4.octets());
            sys::send_to(socket.as_raw_fd(), &packet, &to).map(|_| ())
        }
        IpAddr::V6(v6) => {
            // the kernel fills the checksum in (RFC 3542, 3.1)
            // SAFETY: all zeros is a valid sockaddr_in6
            let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            to.sin6_family = libc::AF_INET6 as u16;
            to.sin6_addr.s6_addr = v6.octets();
            sys::send_to(socket.as_raw_fd(), &packet, &to).map(|_| ())
        }
    }
}

fn listen(sockets: &[&OwnedFd], flights: &mut [Flight], nonce: u64, deadline: u64) -> Result<(), Errno> {
    let fds: Vec<i32> = sockets.iter().map(|socket| socket.as_raw_fd()).collect();
    let mut buffer = [0; 2048];
    while flights.iter().any(|flight| flight.round_trip_ms.is_none()) {
        let now = sys::now_ns();
        if now >= deadline {
            break;
        }
        let wait_ms = (deadline - now).div_ceil(1_000_000) as i32;
        let ready = sys::readable(&fds, wait_ms)?;
        for &fd in fds.iter().zip(ready).filter(|(_, ready)| *ready).map(|(fd, _)| fd) {
            loop {
                match sys::receive(fd, &mut buffer, libc::MSG_DONTWAIT) {
                    Ok(got) => note(&buffer[..got], flights, nonce, sys::now_ns()),
                    Err(Errno(libc::EAGAIN)) => break,
                    // a socket error (ICMP unreachable) is read away like a packet
                    Err(_) => {}
                }
            }
        }
    }
    Ok(())
}

fn note(packet: &[u8], flights: &mut [Flight], nonce: u64, now: u64) {
    // a raw IPv4 socket hands the IP header over too
    let header = packet.first().filter(|byte| *byte >> 4 == 4).map_or(0, |byte| usize::from(byte & 15) * 4);
    let Some(icmp) = packet.get(header..) else { return };
    if !matches!(icmp.first(), Some(&REPLY_V4 | &REPLY_V6)) {
        return;
    }
    let Some(payload) = icmp.get(HEADER..HEADER + 16) else { return };
    if payload[..8] != nonce.to_be_bytes() {
        return;
    }
    let number = usize::from(u16::from_be_bytes([payload[14], payload[15]]));
    if let Some(flight) = flights.get_mut(number).filter(|flight| flight.round_trip_ms.is_none()) {
        flight.round_trip_ms = Some((now - flight.sent_ns) as f64 / 1e6);
    }
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}
