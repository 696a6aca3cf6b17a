//! What really leaves the uplinks: every outgoing frame is seen after all hooks of nftables (the tap sits behind the
//! egress hook and tc), and sorted by a short list of what may leave: the engine's packets to the node, prefixes that
//! policy sends direct, answers of welcomed services, and what a link needs (ARP, 802.1X, ND, DHCP). The rest is beside.
//!
//! It decides nothing and stops nothing: it counts, so that what is claimed of the wire was seen on the wire. Frames that
//! came faster than they were read are told as missed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::netlink::text::{bytes_of, parse_address, parse_prefix, print_address};
use crate::sys::{self, Doing, Errno, Outcome, index_of};

const ETH_P_ALL: u16 = 3;
const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_PAE: u16 = 0x888e;
/// Enough for IPv6 with extension headers and ports.
const SNAP: u32 = 160;
const QUEUE: i32 = 4 << 20;
/// Frames kept as evidence; the first ones tell how it began.
const KEPT: usize = 8;
const UDP: u8 = 17;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    uplinks: Vec<String>,
    endpoints: Vec<Endpoint>,
    direct: Vec<String>,
    answers: Vec<Service>,
}

#[derive(Deserialize)]
struct Endpoint {
    address: String,
    port: u16,
}

#[derive(Deserialize)]
struct Service {
    protocol: u8,
    port: u16,
}

#[derive(Serialize, Clone, Default)]
pub struct Counts {
    seen: u64,
    beside: u64,
    /// Not seen, because they came too fast: whether they were beside is unknown.
    missed: u64,
    first: Vec<Frame>,
}

#[derive(Serialize, Clone)]
pub struct Frame {
    device: String,
    ethertype: u16,
    protocol: Option<u8>,
    source: Option<String>,
    destination: Option<String>,
    sport: Option<u16>,
    dport: Option<u16>,
}

pub struct Capture {
    counts: Arc<Mutex<Counts>>,
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    pub fn start(rules: Rules) -> Outcome<Self> {
        let mut sockets = Vec::new();
        for name in &rules.uplinks {
            sockets.push((open(name)?, name.clone()));
        }
        let allowed = Allowed::from(&rules).doing("reading what may leave")?;
        let counts = Arc::new(Mutex::new(Counts::default()));
        let stop = Arc::new(sys::event().doing("making an event descriptor")?);
        let (shared, stopped) = (Arc::clone(&counts), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("culvert-wire".into())
            .spawn(move || run(&sockets, &allowed, &shared, &stopped))
            .map_err(|_| Errno(libc::EAGAIN))
            .doing("starting the wire watch")?;
        Ok(Self { counts, stop, thread: Some(thread) })
    }

    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn close(&mut self) {
        sys::wake(&self.stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.close();
    }
}

/// Cooked: without the link's header, its type told beside. The filter is there before the socket is bound, so nothing
/// but outgoing frames is ever queued.
fn open(name: &str) -> Outcome<OwnedFd> {
    let what = || format!("watching the wire of {name}");
    let index = index_of(name).doing(what())?;
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
    let fd = socket.as_raw_fd();
    attach_filter(fd).doing(what())?;
    let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, QUEUE);
    // SAFETY: all zeros is a valid sockaddr_ll
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_ALL.to_be();
    address.sll_ifindex = index as i32;
    sys::bind(fd, &address).doing(what())?;
    Ok(socket)
}

/// Outgoing frames, their first bytes only (linux/filter.h, SKF_AD_PKTTYPE; PACKET_OUTGOING is 4).
fn attach_filter(fd: i32) -> Result<(), Errno> {
    const LD_W_ABS: u16 = 0x20;
    const JEQ_K: u16 = 0x15;
    const RET_K: u16 = 0x06;
    const PACKET_TYPE: u32 = (-0x1000i32 + 4) as u32;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(LD_W_ABS, 0, 0, PACKET_TYPE),
        step(JEQ_K, 0, 1, 4),
        step(RET_K, 0, 0, SNAP),
        step(RET_K, 0, 0, 0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, filter)
}

fn run(sockets: &[(OwnedFd, String)], allowed: &Allowed, counts: &Mutex<Counts>, stop: &OwnedFd) {
    let mut fds = vec![stop.as_raw_fd()];
    fds.extend(sockets.iter().map(|(socket, _)| socket.as_raw_fd()));
    while let Ok(ready) = sys::readable(&fds, -1) {
        // told to stop: what has left by then is still counted
        let stopped = ready[0];
        for ((socket, device), _) in sockets.iter().zip(&ready[1..]).filter(|(_, ready)| **ready || stopped) {
            if !drain(socket, device, allowed, counts) {
                return;
            }
        }
        if stopped {
            return;
        }
    }
}

/// At most so many frames a turn: whoever asks for the counts waits no longer than these take.
const TURN: usize = 8192;

/// False: the socket is broken. A link that goes down or away says so once (ENETDOWN) and may come back.
fn drain(socket: &OwnedFd, device: &str, allowed: &Allowed, counts: &Mutex<Counts>) -> bool {
    let mut buffer = [0; SNAP as usize];
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TURN {
        let got = sys::receive_from::<libc::sockaddr_ll>(socket.as_raw_fd(), &mut buffer, libc::MSG_DONTWAIT);
        match got {
            Ok((length, from)) => {
                let frame = Parsed::from(u16::from_be(from.sll_protocol), &buffer[..length]);
                counts.seen += 1;
                if !allowed.may_leave(&frame) {
                    counts.beside += 1;
                    if counts.first.len() < KEPT {
                        counts.first.push(frame.told(device));
                    }
                }
            }
            Err(Errno(libc::EAGAIN)) => break,
            Err(Errno(libc::EINTR | libc::ENETDOWN | libc::ENOBUFS)) => {}
            Err(_) => return false,
        }
    }
    counts.missed += missed(socket);
    true
}

/// Since it was last asked (PACKET_STATISTICS reads and clears).
fn missed(socket: &OwnedFd) -> u64 {
    let stats =
        sys::option::<libc::tpacket_stats>(socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
    stats.map_or(0, |stats| stats.tp_drops.into())
}

struct Allowed {
    endpoints: Vec<(IpAddr, u16)>,
    direct: [Vec<(u128, u128)>; 2],
    answers: Vec<(u8, u16)>,
}

impl Allowed {
    fn from(rules: &Rules) -> Result<Self, Errno> {
        let mut direct = [Vec::new(), Vec::new()];
        for prefix in &rules.direct {
            let (address, length) = parse_prefix(prefix)?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let hosts = if length == bits { 0 } else { u128::MAX >> (128 - (bits - length)) };
            let first = number(address) & !hosts;
            direct[usize::from(address.is_ipv6())].push((first, first | hosts));
        }
        direct.iter_mut().for_each(|ranges| ranges.sort_unstable());
        let endpoints = rules.endpoints.iter().map(|e| Ok((parse_address(&e.address)?, e.port)));
        let answers = rules.answers.iter().map(|service| (service.protocol, service.port)).collect();
        Ok(Self { endpoints: endpoints.collect::<Result<_, Errno>>()?, direct: direct.map(merged), answers })
    }

    fn may_leave(&self, frame: &Parsed) -> bool {
        let Some(ip) = &frame.ip else { return matches!(frame.ethertype, ETH_P_ARP | ETH_P_PAE) };
        self.is_engine(ip) || is_for_the_link(ip) || self.is_direct(ip.destination) || self.is_answer(ip)
    }

    /// A later fragment has no ports; its address and protocol must do.
    fn is_engine(&self, ip: &Ip) -> bool {
        ip.protocol == UDP
            && self.endpoints.iter().any(|(address, port)| {
                *address == ip.destination && ip.ports.is_none_or(|(_, destination)| destination == *port)
            })
    }

    fn is_direct(&self, destination: IpAddr) -> bool {
        let at = number(destination);
        let ranges = &self.direct[usize::from(destination.is_ipv6())];
        let behind = ranges.partition_point(|(first, _)| *first <= at);
        behind > 0 && ranges[behind - 1].1 >= at
    }

    fn is_answer(&self, ip: &Ip) -> bool {
        ip.ports.is_some_and(|(source, _)| self.answers.contains(&(ip.protocol, source)))
    }
}

/// DHCP (RFC 2131, RFC 8415) and neighbour discovery (RFC 4861: hop limit 255 proves that it stays on the link).
fn is_for_the_link(ip: &Ip) -> bool {
    match (ip.protocol, ip.destination) {
        (UDP, IpAddr::V4(_)) => ip.ports == Some((68, 67)),
        (UDP, IpAddr::V6(to)) => {
            ip.ports == Some((546, 547)) && (to.is_unicast_link_local() || to.is_multicast())
        }
        (ICMPV6, IpAddr::V6(_)) => ip.hops == 255 && ip.icmp.is_some_and(|kind| (133..=136).contains(&kind)),
        _ => false,
    }
}

struct Parsed {
    ethertype: u16,
    ip: Option<Ip>,
}

struct Ip {
    protocol: u8,
    source: IpAddr,
    destination: IpAddr,
    hops: u8,
    ports: Option<(u16, u16)>,
    icmp: Option<u8>,
}

impl Parsed {
    fn from(ethertype: u16, packet: &[u8]) -> Self {
        let ip = match ethertype {
            ETH_P_IP => v4(packet),
            ETH_P_IPV6 => v6(packet),
            _ => None,
        };
        Self { ethertype, ip }
    }

    fn told(&self, device: &str) -> Frame {
        let ip = self.ip.as_ref();
        let text = |address: IpAddr| print_address(&bytes_of(address));
        Frame {
            device: device.into(),
            ethertype: self.ethertype,
            protocol: ip.map(|ip| ip.protocol),
            source: ip.and_then(|ip| text(ip.source)),
            destination: ip.and_then(|ip| text(ip.destination)),
            sport: ip.and_then(|ip| ip.ports).map(|(source, _)| source),
            dport: ip.and_then(|ip| ip.ports).map(|(_, destination)| destination),
        }
    }
}

fn v4(packet: &[u8]) -> Option<Ip> {
    let header = usize::from(packet.first()? & 15) * 4;
    let address =
        |at: usize| Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?)));
    let later = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff != 0;
    let protocol = *packet.get(9)?;
    let payload = if later { None } else { packet.get(header..) };
    let ports = payload.and_then(|payload| ports(protocol, payload));
    Some(Ip { protocol, source: address(12)?, destination: address(16)?, hops: packet[8], ports, icmp: None })
}

fn v6(packet: &[u8]) -> Option<Ip> {
    let address =
        |at: usize| Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?)));
    let mut protocol = *packet.get(6)?;
    let mut at = 40;
    let mut later = false;
    // hop-by-hop, routing, destination options; a fragment header has a fixed length
    while let (0 | 43 | 44 | 60, Some(header)) = (protocol, packet.get(at..at + 8)) {
        let length = if protocol == 44 { 8 } else { (usize::from(header[1]) + 1) * 8 };
        later |= protocol == 44 && u16::from_be_bytes([header[2], header[3]]) & 0xfff8 != 0;
        protocol = header[0];
        at += length;
    }
    let payload = if later { None } else { packet.get(at..) };
    let ports = payload.and_then(|payload| ports(protocol, payload));
    let icmp = payload.filter(|_| protocol == ICMPV6).and_then(|payload| payload.first().copied());
    Some(Ip { protocol, source: address(8)?, destination: address(24)?, hops: *packet.get(7)?, ports, icmp })
}

fn ports(protocol: u8, payload: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d, ..] = payload else { return None };
    matches!(protocol, UDP | TCP).then(|| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// Sorted ranges without overlaps, so that the last one that begins before an address decides.
fn merged(ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    let mut out: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}
