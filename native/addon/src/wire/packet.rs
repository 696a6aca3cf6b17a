//! One frame, read as far as judging it needs: who, to whom, which protocol and ports, which fragment, and what would
//! make the visible destination a lie (source routes).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const ETH_P_IP: u16 = 0x0800;
pub const ETH_P_ARP: u16 = 0x0806;
pub const ETH_P_IPV6: u16 = 0x86dd;
pub const ETH_P_PAE: u16 = 0x888e;
pub const ICMP: u8 = 1;
pub const IGMP: u8 = 2;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;

pub struct Packet {
    pub ethertype: u16,
    pub net: Option<Net>,
}

pub enum Net {
    Arp(Arp),
    Ip(Ip),
}

pub struct Arp {
    pub sender: IpAddr,
    pub target: IpAddr,
}

pub struct Ip {
    pub protocol: u8,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hops: u8,
    /// Of TCP and UDP; not of later fragments.
    pub ports: Option<(u16, u16)>,
    pub icmp: Option<u8>,
    pub source_routed: bool,
    pub fragment: Option<Fragment>,
    /// What an ICMP error quotes: protocol and ports of the packet it is about.
    pub about: Option<(u8, (u16, u16))>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    pub id: u32,
    pub first: bool,
}

pub fn parse(ethertype: u16, bytes: &[u8]) -> Packet {
    let net = match ethertype {
        ETH_P_IP => v4(bytes).map(Net::Ip),
        ETH_P_IPV6 => v6(bytes).map(Net::Ip),
        ETH_P_ARP => arp(bytes).map(Net::Arp),
        _ => None,
    };
    Packet { ethertype, net }
}

/// RFC 826 over Ethernet: 14 and 24 are where the two protocol addresses stand.
fn arp(bytes: &[u8]) -> Option<Arp> {
    Some(Arp { sender: address4(bytes, 14)?, target: address4(bytes, 24)? })
}

fn v4(packet: &[u8]) -> Option<Ip> {
    let first = *packet.first()?;
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < 20 {
        return None;
    }
    let flags = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]);
    let later = flags & 0x1fff != 0;
    let id = u32::from(u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?]));
    let protocol = *packet.get(9)?;
    let payload = if later { None } else { packet.get(header..) };
    Some(Ip {
        protocol,
        source: address4(packet, 12)?,
        destination: address4(packet, 16)?,
        hops: packet[8],
        ports: payload.and_then(|payload| ports(protocol, payload)),
        icmp: payload.filter(|_| protocol == ICMP).and_then(|payload| payload.first().copied()),
        source_routed: packet.get(20..header).is_none_or(has_route_option),
        fragment: (flags & 0x3fff != 0).then_some(Fragment { id, first: !later }),
        about: payload.filter(|_| protocol == ICMP).and_then(|payload| quoted4(payload.get(8..)?)),
    })
}

fn v6(packet: &[u8]) -> Option<Ip> {
    if *packet.first()? >> 4 != 6 {
        return None;
    }
    let mut protocol = *packet.get(6)?;
    let mut at = 40;
    let mut fragment = None;
    let mut source_routed = false;
    // hop-by-hop, routing, fragment, destination options (RFC 8200, 4); a fragment header has a fixed length
    while let (0 | 43 | 44 | 60, Some(header)) = (protocol, packet.get(at..at + 8)) {
        source_routed |= protocol == 43;
        let mut length = (usize::from(header[1]) + 1) * 8;
        if protocol == 44 {
            length = 8;
            let first = u16::from_be_bytes([header[2], header[3]]) & 0xfff8 == 0;
            fragment = Some(Fragment {
                id: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                first,
            });
        }
        protocol = header[0];
        at += length;
    }
    let payload = if fragment.is_some_and(|f| !f.first) { None } else { packet.get(at..) };
    Some(Ip {
        protocol,
        source: address6(packet, 8)?,
        destination: address6(packet, 24)?,
        hops: *packet.get(7)?,
        ports: payload.and_then(|payload| ports(protocol, payload)),
        icmp: payload.filter(|_| protocol == ICMPV6).and_then(|payload| payload.first().copied()),
        source_routed,
        fragment,
        about: payload.filter(|_| protocol == ICMPV6).and_then(|payload| quoted6(payload.get(8..)?)),
    })
}

fn quoted4(packet: &[u8]) -> Option<(u8, (u16, u16))> {
    let header = usize::from(*packet.first()? & 15) * 4;
    let protocol = *packet.get(9)?;
    Some((protocol, ports(protocol, packet.get(header..)?)?))
}

fn quoted6(packet: &[u8]) -> Option<(u8, (u16, u16))> {
    let protocol = *packet.get(6)?;
    Some((protocol, ports(protocol, packet.get(40..)?)?))
}

fn ports(protocol: u8, payload: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d, ..] = payload else { return None };
    matches!(protocol, UDP | TCP).then(|| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
}

/// Loose (131) or strict (137) source route among the options (RFC 791, 3.1).
fn has_route_option(mut options: &[u8]) -> bool {
    while let Some(&kind) = options.first() {
        match kind {
            131 | 137 => return true,
            0 => return false,
            _ => {
                let length = if kind == 1 { 1 } else { usize::from(*options.get(1).unwrap_or(&2)).max(2) };
                options = options.get(length..).unwrap_or_default();
            }
        }
    }
    false
}

fn address4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?)))
}

fn address6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?)))
}
