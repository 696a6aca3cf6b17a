//! Routes: `ip route`, as facts (RouteFact) and as changes.

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::message::{Message, NLM_F_CREATE, NLM_F_REPLACE, Received, attributes, number, word_at};
use super::read::name_of;
use super::text::{
    bytes_of, everything, family_number, parse_address, parse_prefix, print_address, print_prefix,
};
use crate::sys::{Errno, index_of};

pub const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
pub const RTM_GETROUTE: u16 = 26;
const RTMSG: usize = 12;
const RTNEXTHOP: usize = 8;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
/// A gateway of the other family (RFC 5549): two bytes of family, then the address.
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
const RTNH_F_DEAD: u32 = 1;
const RTNH_F_ONLINK: u32 = 4;
const RTNH_F_LINKDOWN: u32 = 16;
const RTPROT_KERNEL: u8 = 2;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
/// In a deletion: any scope.
const RT_SCOPE_NOWHERE: u8 = 255;
/// RTN_UNSPEC .. RTN_THROW in their order (linux/rtnetlink.h).
const TYPES: [&str; 10] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
];

#[derive(Serialize, Deserialize)]
pub struct Route {
    pub family: u8,
    pub table: u32,
    /// Where routes are alike but for it, one of them has the prefixes of all, with spaces between.
    pub prefix: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub metric: u32,
    pub protocol: u8,
    pub scope: u8,
    pub tos: u8,
    pub from: Option<String>,
    pub src: Option<String>,
    pub nexthop: Option<u32>,
    pub legs: Vec<Leg>,
}

#[derive(PartialEq, Serialize, Deserialize)]
pub struct Leg {
    pub dev: String,
    pub via: Option<String>,
    pub onlink: bool,
    pub weight: u32,
    pub linkdown: bool,
    pub dead: bool,
}

/// PlanRoute (helper/plan/plan.ts).
#[derive(Deserialize)]
pub struct Wanted {
    family: u8,
    table: u32,
    /// As Route's.
    prefix: String,
    metric: u32,
    to: To,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum To {
    Unreachable,
    Blackhole,
    Prohibit,
    Throw,
    Dev { dev: String, via: Option<String>, onlink: bool, src: Option<String> },
    Nexthop { id: u32 },
}

pub fn request(family: u8) -> Message {
    let mut fixed = [0; RTMSG];
    fixed[0] = family;
    Message::new(RTM_GETROUTE, 0, &fixed)
}

/// Of one table; for a socket that has its questions taken at their word (`socket::strictly`).
pub fn request_table(family: u8, table: u32) -> Message {
    let mut message = request(family);
    message.word(RTA_TABLE, table);
    message
}

pub fn read(message: &Received, links: &[Link]) -> Option<Route> {
    let fixed = message.body.get(..RTMSG)?;
    let flags = word_at(fixed, 8)?;
    let kind = TYPES.get(fixed[7] as usize)?;
    let mut route = Route {
        family: if i32::from(fixed[0]) == libc::AF_INET { 4 } else { 6 },
        table: u32::from(fixed[4]),
        prefix: everything(fixed[0]),
        kind: (*kind).to_string(),
        metric: 0,
        protocol: fixed[5],
        scope: fixed[6],
        tos: fixed[3],
        from: None,
        src: None,
        nexthop: None,
        legs: Vec::new(),
    };
    let mut device = None;
    let mut via = None;
    for (kind, value) in attributes(message.body, RTMSG) {
        match kind {
            RTA_DST => route.prefix = print_prefix(value, fixed[1])?,
            RTA_SRC => route.from = print_prefix(value, fixed[2]),
            RTA_OIF => device = Some(number(value)),
            RTA_GATEWAY => via = print_address(value),
            RTA_VIA => via = print_address(value.get(2..)?),
            RTA_PRIORITY => route.metric = number(value),
            RTA_PREFSRC => route.src = print_address(value),
            RTA_MULTIPATH => route.legs = legs(value, links),
            RTA_TABLE => route.table = number(value),
            RTA_NH_ID => route.nexthop = Some(number(value)),
            _ => {}
        }
    }
    // IPv6 puts unreachable and the like on a device (lo); no packet takes it
    let leads_somewhere = matches!(fixed[7], 1..=5);
    if let Some(index) = device.filter(|_| leads_somewhere && route.legs.is_empty()) {
        route.legs.push(leg(name_of(index, links), via, flags, 1));
    }
    Some(route)
}

/// A set of prefixes is a hundred thousand routes alike, that follow each other.
pub fn joined(routes: Vec<Route>) -> Vec<Route> {
    let mut found: Vec<Route> = Vec::new();
    for route in routes {
        match found.last_mut() {
            Some(before) if before.is_like(&route) => {
                before.prefix.push(' ');
                before.prefix.push_str(&route.prefix);
            }
            _ => found.push(route),
        }
    }
    found
}

impl Route {
    fn is_like(&self, other: &Route) -> bool {
        let of = |r: &Route| (r.family, r.table, r.metric, r.protocol, r.scope, r.tos, r.nexthop);
        of(self) == of(other)
            && self.kind == other.kind
            && self.from == other.from
            && self.src == other.src
            && self.legs == other.legs
    }

    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefix.split(' ')
    }
}

impl Wanted {
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefix.split(' ')
    }
}

pub fn replace(wanted: &Wanted, prefix: &str) -> Result<Message, Errno> {
    let (kind, scope, flags) = match &wanted.to {
        To::Dev { via: None, .. } if wanted.family == 4 => (1, RT_SCOPE_LINK, 0),
        To::Dev { onlink: true, .. } => (1, RT_SCOPE_UNIVERSE, RTNH_F_ONLINK),
        To::Dev { .. } | To::Nexthop { .. } => (1, RT_SCOPE_UNIVERSE, 0),
        To::Blackhole => (6, RT_SCOPE_UNIVERSE, 0),
        To::Unreachable => (7, RT_SCOPE_UNIVERSE, 0),
        To::Prohibit => (8, RT_SCOPE_UNIVERSE, 0),
        To::Throw => (9, RT_SCOPE_UNIVERSE, 0),
    };
    let fixed = Fixed { family: wanted.family, tos: 0, protocol: RTPROT_KERNEL, scope, kind, flags };
    let mut message = start(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &fixed, prefix, None, wanted.table)?;
    message.word(RTA_PRIORITY, wanted.metric);
    match &wanted.to {
        To::Dev { dev, via, src, .. } => {
            message.word(RTA_OIF, index_of(dev)?);
            if let Some(via) = via {
                message.attribute(RTA_GATEWAY, &bytes_of(parse_address(via)?));
            }
            if let Some(src) = src {
                message.attribute(RTA_PREFSRC, &bytes_of(parse_address(src)?));
            }
        }
        To::Nexthop { id } => {
            message.word(RTA_NH_ID, *id);
        }
        _ => {}
    }
    Ok(message)
}

/// Names all that was read, because several routes may share prefix, table and metric.
pub fn delete(route: &Route, prefix: &str) -> Result<Message, Errno> {
    let kind = TYPES.iter().position(|name| *name == route.kind).unwrap_or(0) as u8;
    let fixed = Fixed {
        family: route.family,
        tos: route.tos,
        protocol: route.protocol,
        scope: RT_SCOPE_NOWHERE,
        kind,
        flags: 0,
    };
    let mut message = start(RTM_DELROUTE, 0, &fixed, prefix, route.from.as_deref(), route.table)?;
    message.word(RTA_PRIORITY, route.metric);
    if let Some(src) = &route.src {
        message.attribute(RTA_PREFSRC, &bytes_of(parse_address(src)?));
    }
    match (route.nexthop, route.legs.as_slice()) {
        (Some(id), _) => {
            message.word(RTA_NH_ID, id);
        }
        (None, [leg]) => {
            message.word(RTA_OIF, index_of(&leg.dev)?);
            if let Some(via) = &leg.via {
                message.attribute(RTA_GATEWAY, &bytes_of(parse_address(via)?));
            }
        }
        _ => {}
    }
    Ok(message)
}

struct Fixed {
    family: u8,
    tos: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

fn start(
    message: u16,
    message_flags: u16,
    f: &Fixed,
    prefix: &str,
    from: Option<&str>,
    table: u32,
) -> Result<Message, Errno> {
    let (destination, length) = parse_prefix(prefix)?;
    let source = from.map(parse_prefix).transpose()?;
    let source_length = source.map_or(0, |(_, length)| length);
    // the byte in the header holds tables below 256 only; RTA_TABLE is asked first
    let mut fixed =
        vec![family_number(f.family), length, source_length, f.tos, 0, f.protocol, f.scope, f.kind];
    fixed.extend_from_slice(&f.flags.to_ne_bytes());
    let mut message = Message::new(message, message_flags, &fixed);
    message.attribute(RTA_DST, &bytes_of(destination)).word(RTA_TABLE, table);
    if let Some((source, _)) = source {
        message.attribute(RTA_SRC, &bytes_of(source));
    }
    Ok(message)
}

fn legs(mut rest: &[u8], links: &[Link]) -> Vec<Leg> {
    let mut found = Vec::new();
    while let Some(length) = super::message::half_at(rest, 0).map(usize::from) {
        if length < RTNEXTHOP || length > rest.len() {
            break;
        }
        let one = &rest[..length];
        let mut via = None;
        for (kind, value) in attributes(one, RTNEXTHOP) {
            match kind {
                RTA_GATEWAY => via = print_address(value),
                RTA_VIA => via = value.get(2..).and_then(print_address),
                _ => {}
            }
        }
        let name = name_of(word_at(one, 4).unwrap_or(0), links);
        // the kernel says weight - 1
        found.push(leg(name, via, u32::from(one[2]), u32::from(one[3]) + 1));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    found
}

fn leg(dev: String, via: Option<String>, flags: u32, weight: u32) -> Leg {
    Leg {
        dev,
        via,
        onlink: flags & RTNH_F_ONLINK != 0,
        weight,
        linkdown: flags & RTNH_F_LINKDOWN != 0,
        dead: flags & RTNH_F_DEAD != 0,
    }
}
