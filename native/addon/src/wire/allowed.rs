//! What may leave: the engine's packets to the node, what a link needs for itself (ARP, 802.1X, ND, DHCP), the LAN, the
//! lanes of policy in their order, and answers of welcomed services. All else is beside the tunnel. It is said by the
//! policy and the machine's addresses, never by the gate, which is what is watched.

use std::net::IpAddr;

use serde::Deserialize;

use super::packet::{Arp, ETH_P_PAE, ICMP, ICMPV6, IGMP, Ip, Net, Packet, TCP, UDP};
use crate::netlink::text::{parse_address, parse_prefix};
use crate::sys::Errno;

/// helper/kernel/native.ts, WireAllowed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    endpoints: Vec<Endpoint>,
    inside: Vec<String>,
    near: Vec<OnLink>,
    lan: Vec<OnLink>,
    lanes: Vec<SaidLane>,
    resolvers: Vec<String>,
    #[serde(default)]
    asked: Vec<String>,
    answers: Vec<Service>,
}

#[derive(Deserialize)]
struct Endpoint {
    address: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct OnLink {
    link: String,
    prefix: String,
}

#[derive(Deserialize)]
struct SaidLane {
    direct: bool,
    /// None: everywhere.
    to: Option<Vec<String>>,
    protocol: Option<u8>,
    ports: Option<Vec<(u16, u16)>>,
    /// Only what programs' sockets have marked.
    marked: bool,
}

#[derive(Deserialize)]
struct Service {
    protocol: u8,
    port: u16,
    /// Empty: everybody.
    to: Vec<String>,
}

pub struct Allowed {
    endpoints: Vec<(IpAddr, Option<u16>)>,
    inside: Vec<IpAddr>,
    near: Vec<(String, Ranges)>,
    lan: Vec<(String, Ranges)>,
    lanes: Vec<Lane>,
    resolvers: Vec<IpAddr>,
    /// Resolvers of uplinks, which programs of the direct lane have their names asked of: by what carries its mark.
    asked: Vec<IpAddr>,
    answers: Vec<(u8, u16, Option<Ranges>)>,
}

struct Lane {
    direct: bool,
    to: Option<Ranges>,
    protocol: Option<u8>,
    ports: Option<Vec<(u16, u16)>>,
    marked: bool,
}

impl Allowed {
    pub fn from(said: &Said) -> Result<Self, Errno> {
        let addresses =
            |list: &[String]| list.iter().map(|text| parse_address(text)).collect::<Result<Vec<_>, Errno>>();
        let on_links = |list: &[OnLink]| {
            let one = |on: &OnLink| Ok((on.link.clone(), Ranges::from([&on.prefix])?));
            list.iter().map(one).collect::<Result<Vec<_>, Errno>>()
        };
        let lane = |lane: &SaidLane| {
            let to = lane.to.as_ref().map(Ranges::from).transpose()?;
            let SaidLane { direct, protocol, ports, marked, .. } = lane;
            Ok(Lane { direct: *direct, to, protocol: *protocol, ports: ports.clone(), marked: *marked })
        };
        let answer = |service: &Service| {
            let to = (!service.to.is_empty()).then(|| Ranges::from(&service.to)).transpose()?;
            Ok((service.protocol, service.port, to))
        };
        Ok(Self {
            endpoints: said
                .endpoints
                .iter()
                .map(|e| Ok((parse_address(&e.address)?, e.port)))
                .collect::<Result<_, Errno>>()?,
            inside: addresses(&said.inside)?,
            near: on_links(&said.near)?,
            lan: on_links(&said.lan)?,
            lanes: said.lanes.iter().map(lane).collect::<Result<_, Errno>>()?,
            resolvers: addresses(&said.resolvers)?,
            asked: addresses(&said.asked)?,
            answers: said.answers.iter().map(answer).collect::<Result<_, Errno>>()?,
        })
    }

    pub fn asks_marks(&self) -> bool {
        !self.asked.is_empty() || self.lanes.iter().any(|lane| lane.marked)
    }

    pub fn may_leave(&self, link: &str, packet: &Packet, marked: bool) -> bool {
        match &packet.net {
            None => packet.ethertype == ETH_P_PAE,
            Some(Net::Arp(arp)) => self.may_ask(link, arp),
            Some(Net::Ip(ip)) => {
                !self.inside.contains(&ip.source) && !ip.source_routed && self.ip_may_leave(link, ip, marked)
            }
        }
    }

    fn ip_may_leave(&self, link: &str, ip: &Ip, marked: bool) -> bool {
        if self.is_engine(ip) || self.is_for_the_link(link, ip) || self.is_answer(ip) {
            return true;
        }
        if marked && self.is_asked_direct(ip) {
            return true;
        }
        let names = ip.ports.is_some_and(|(_, to)| to == 53 || to == 853);
        if names && !self.resolvers.contains(&ip.destination) {
            return false;
        }
        on(&self.lan, link, ip.destination) || self.is_discovery(link, ip) || self.is_direct(ip, marked)
    }

    fn is_asked_direct(&self, ip: &Ip) -> bool {
        ip.ports.is_some_and(|(_, to)| to == 53) && self.asked.contains(&ip.destination)
    }

    /// The world is nobody's neighbour: asking the link for an address of it tells it to everybody there.
    fn may_ask(&self, link: &str, arp: &Arp) -> bool {
        let probe = arp.sender.is_unspecified() || arp.sender == arp.target;
        !self.inside.contains(&arp.sender) && (probe || on(&self.near, link, arp.target))
    }

    /// A later fragment has no ports; its address and protocol must do.
    fn is_engine(&self, ip: &Ip) -> bool {
        ip.protocol == UDP
            && self.endpoints.iter().any(|(address, port)| {
                *address == ip.destination
                    && ip.ports.is_none_or(|(_, to)| port.is_none_or(|port| port == to))
            })
    }

    /// DHCP (RFC 2131, RFC 8415) and neighbour discovery (RFC 4861: hop limit 255 proves that it stays on the link).
    fn is_for_the_link(&self, link: &str, ip: &Ip) -> bool {
        let near = on(&self.near, link, ip.destination);
        match (ip.protocol, ip.destination) {
            (UDP, IpAddr::V4(to)) => ip.ports == Some((68, 67)) && (to.is_broadcast() || near),
            (UDP, IpAddr::V6(to)) => {
                ip.ports == Some((546, 547)) && (to.is_unicast_link_local() || is_link_group(ip.destination))
            }
            (ICMPV6, IpAddr::V6(to)) => {
                let neighbour = to.is_unicast_link_local() || is_link_group(ip.destination) || near;
                ip.hops == 255 && neighbour && matches!(ip.icmp, Some(133 | 135 | 136))
            }
            _ => false,
        }
    }

    /// mDNS (RFC 6762), SSDP (UPnP 2.0), and the reports of groups (RFC 3376, RFC 3810), where the link has a LAN.
    fn is_discovery(&self, link: &str, ip: &Ip) -> bool {
        let text = ip.destination.to_string();
        let known = match ip.protocol {
            UDP => ip.ports.is_some_and(|(_, to)| match text.as_str() {
                "224.0.0.251" | "ff02::fb" => to == 5353,
                "239.255.255.250" | "ff02::c" => to == 1900,
                _ => false,
            }),
            IGMP => text == "224.0.0.22",
            ICMPV6 => text == "ff02::16" && ip.icmp == Some(143),
            _ => false,
        };
        known && self.lan.iter().any(|(name, _)| name == link)
    }

    /// The first lane that holds it decides; what none holds goes into the tunnel.
    fn is_direct(&self, ip: &Ip, marked: bool) -> bool {
        self.lanes.iter().find(|lane| lane.holds(ip, marked)).is_some_and(|lane| lane.direct)
    }

    /// Answers, and errors about what callers of these services sent (RFC 792; RFC 4443).
    fn is_answer(&self, ip: &Ip) -> bool {
        let error = match ip.protocol {
            ICMP => matches!(ip.icmp, Some(3 | 11 | 12)),
            ICMPV6 => matches!(ip.icmp, Some(1..=4)),
            _ => false,
        };
        let service = match (ip.ports, ip.about) {
            (Some((from, _)), _) => Some((ip.protocol, from)),
            (None, Some((protocol, (_, to)))) if error => Some((protocol, to)),
            _ => None,
        };
        service.is_some_and(|(protocol, port)| {
            self.answers.iter().any(|(p, own, to)| {
                *p == protocol && *own == port && to.as_ref().is_none_or(|to| to.hold(ip.destination))
            })
        })
    }
}

impl Lane {
    fn holds(&self, ip: &Ip, marked: bool) -> bool {
        let port = |(_, to): (u16, u16)| {
            let ranges = self.ports.as_deref().unwrap_or_default();
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&to))
        };
        let icmp = ip.protocol == ICMPV6 && self.protocol == Some(ICMP);
        (!self.marked || marked)
            && self.protocol.is_none_or(|p| p == ip.protocol || icmp)
            // what has no ports here is a later fragment, or no packet of such a lane
            && (self.ports.is_none() || ip.ports.map_or(ip.fragment.is_some_and(|f| !f.first), port))
            && self.to.as_ref().is_none_or(|to| to.hold(ip.destination))
            && (self.protocol.is_none() || matches!(ip.protocol, TCP | UDP | ICMP | ICMPV6))
    }
}

fn on(links: &[(String, Ranges)], link: &str, address: IpAddr) -> bool {
    links.iter().any(|(name, ranges)| name == link && ranges.hold(address))
}

/// ff02::/16 (RFC 4291, 2.7): no router forwards it.
fn is_link_group(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[0] == 0xff02)
}

/// By family: sorted ranges without overlaps, so that the last one that begins before an address decides.
#[derive(Default)]
pub struct Ranges([Vec<(u128, u128)>; 2]);

impl Ranges {
    fn from<'a>(prefixes: impl IntoIterator<Item = &'a String>) -> Result<Self, Errno> {
        let mut ranges = [Vec::new(), Vec::new()];
        for prefix in prefixes {
            let (address, length) = parse_prefix(prefix)?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let hosts = if length == bits { 0 } else { u128::MAX >> (128 - (bits - length)) };
            let first = number(address) & !hosts;
            ranges[usize::from(address.is_ipv6())].push((first, first | hosts));
        }
        ranges.iter_mut().for_each(|ranges| ranges.sort_unstable());
        Ok(Self(ranges.map(merged)))
    }

    fn hold(&self, address: IpAddr) -> bool {
        let at = number(address);
        let ranges = &self.0[usize::from(address.is_ipv6())];
        let behind = ranges.partition_point(|(first, _)| *first <= at);
        behind > 0 && ranges[behind - 1].1 >= at
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

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
