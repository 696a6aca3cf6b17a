//! The first match of a list of expressions: what write_match makes, backwards.

use super::expression::{
    CT_DIRECTION, CT_STATE, EQ, EXTHDR_IPV4, EXTHDR_IPV6, Expression, GT, GTE, LTE, META_IIFNAME,
    META_L4PROTO, META_MARK, META_NFPROTO, META_OIFNAME, META_PROTOCOL, META_SKUID, NEQ, NETWORK, TRANSPORT,
};
use super::value::{Family, InSet, Match, Name, Ports, Prefix, TableFamily};
use super::words::{
    ADDRESS_TYPES, ARP_SENDER, ARP_TARGET, DIRECTIONS, ETHERTYPES, HDRLENGTH, ICMP, ICMPV6, OPTIONS, ROUTING,
    STATES, address_at, hops_at, word,
};
use crate::netlink::text::print_prefix;

/// The first match of the list and how many expressions it takes.
pub fn read_match(
    table: TableFamily,
    list: &[Expression],
    elements: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Option<(Match, usize)> {
    use Expression::{Bitwise, Compare, Conntrack, FibDaddrType, Hton, Meta, Payload};
    if let Some(family) = read_family(table, list) {
        if let Some((found, length)) = read_of_family(family, &list[2..], elements) {
            return Some((found, length + 2));
        }
        return Some((Match::Family { family }, 2));
    }
    let not = |operator: u32| operator == NEQ;
    match list {
        [Meta(key @ (META_IIFNAME | META_OIFNAME)), Compare { operator, data }, ..] => {
            let end = data.iter().position(|&b| b == 0);
            let mut name = String::from_utf8(data[..end.unwrap_or(data.len())].to_vec()).ok()?;
            if end.is_none() {
                name.push('*');
            }
            let name = Name { not: not(*operator), name };
            Some((if *key == META_IIFNAME { Match::Iifname(name) } else { Match::Oifname(name) }, 2))
        }
        [Meta(META_MARK), Bitwise { mask, .. }, Compare { operator, data }, ..] => {
            Some((Match::Mark { not: not(*operator), mask: word(mask)?, value: word(data)? }, 3))
        }
        [Meta(META_PROTOCOL), Compare { data, .. }, ..] => {
            Some((Match::Ethertype { number: u16::from_be_bytes(data.as_slice().try_into().ok()?) }, 2))
        }
        [Meta(META_L4PROTO), Compare { data, .. }, ..] => {
            Some((Match::Protocol { protocol: *data.first()? }, 2))
        }
        [Meta(META_SKUID), Compare { data, .. }, ..] => {
            Some((Match::Skuid { from: word(data)?, to: word(data)? }, 2))
        }
        [Meta(META_SKUID), Hton, Compare { data: from, .. }, Compare { data: to, .. }, ..] => {
            Some((Match::Skuid { from: word(from)?.to_be(), to: word(to)?.to_be() }, 4))
        }
        [Payload { base: NETWORK, offset: at @ (ARP_SENDER | ARP_TARGET), .. }, ..] => {
            let (prefix, length) = read_bits(4, list)?;
            Some((if *at == ARP_SENDER { Match::ArpSaddr(prefix) } else { Match::ArpDaddr(prefix) }, length))
        }
        [Payload { base: TRANSPORT, offset: at @ (0 | 2), length: 2 }, ..] => {
            let (ports, length) = read_ports(&list[1..])?;
            Some((if *at == 0 { Match::Sport(ports) } else { Match::Dport(ports) }, length + 1))
        }
        [Conntrack(CT_STATE), Bitwise { mask, .. }, ..] => {
            let bits = word(mask)?;
            let states =
                STATES.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| (*name).into()).collect();
            Some((Match::CtState { states }, 3))
        }
        [Conntrack(CT_DIRECTION), Compare { data, .. }, ..] => {
            let direction = (*DIRECTIONS.get(usize::from(*data.first()?))?).into();
            Some((Match::CtDirection { direction }, 2))
        }
        [FibDaddrType, Compare { operator, data }, ..] => {
            let number = word(data)?;
            let (name, _) = ADDRESS_TYPES.iter().find(|(_, known)| *known == number)?;
            Some((Match::FibDaddrType { not: not(*operator), name: (*name).into() }, 2))
        }
        _ => None,
    }
}

/// What may stand behind the check of a family that it implies.
fn read_of_family(
    family: Family,
    list: &[Expression],
    elements: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Option<(Match, usize)> {
    use Expression::{Bitwise, Compare, Exthdr, Lookup, Meta, Payload};
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    match list {
        [Payload { base: NETWORK, offset, length: 1 }, Compare { data, .. }, ..]
            if *offset == hops_at(family) =>
        {
            Some((Match::Hops { family, value: *data.first()? }, 2))
        }
        [
            Payload { base: NETWORK, offset: 0, length: 1 },
            Bitwise { mask, .. },
            Compare { operator: GT, data },
            ..,
        ] if family == 4 && *mask == [HDRLENGTH] => Some((Match::Hdrlength { above: *data.first()? }, 3)),
        [Payload { base: NETWORK, offset, .. }, Lookup { set, not, .. }, ..] => {
            let set = InSet { not: *not, family, set: set.clone() };
            match *offset {
                at if at == address_at(family, false) => Some((Match::SaddrSet(set), 2)),
                at if at == address_at(family, true) => Some((Match::DaddrSet(set), 2)),
                _ => None,
            }
        }
        [Payload { base: NETWORK, offset, .. }, ..] => {
            let (prefix, length) = read_bits(family, list)?;
            match *offset {
                at if at == address_at(family, false) => Some((Match::Saddr(prefix), length)),
                at if at == address_at(family, true) => Some((Match::Daddr(prefix), length)),
                _ => None,
            }
        }
        [
            Meta(META_L4PROTO),
            Compare { data: protocol, .. },
            Payload { base: TRANSPORT, offset: 0, length: 1 },
            what,
            ..,
        ] if *protocol == [icmp] => {
            let types = match what {
                Compare { operator: EQ, data } => data.clone(),
                Lookup { set, not: false, .. } => elements(set)?,
                _ => return None,
            };
            Some((Match::IcmpType { family, types }, 4))
        }
        [Exthdr { operation: EXTHDR_IPV4, header }, Compare { .. }, ..] if family == 4 => {
            let (option, _) = OPTIONS.iter().find(|(_, known)| known == header)?;
            Some((Match::IpOption { option: (*option).into() }, 2))
        }
        [Exthdr { operation: EXTHDR_IPV6, header: ROUTING }, Compare { .. }, ..] if family == 6 => {
            Some((Match::RoutingHeader, 2))
        }
        _ => None,
    }
}

fn read_family(table: TableFamily, list: &[Expression]) -> Option<Family> {
    let [Expression::Meta(key), Expression::Compare { operator: EQ, data }, ..] = list else { return None };
    match (table, *key, data.as_slice()) {
        (TableFamily::Inet, META_NFPROTO, &[number]) => match i32::from(number) {
            libc::AF_INET => Some(4),
            libc::AF_INET6 => Some(6),
            _ => None,
        },
        (TableFamily::Netdev, META_PROTOCOL, &[high, low]) => {
            let number = u16::from_be_bytes([high, low]);
            ETHERTYPES.iter().find(|(_, known)| *known == number).map(|(family, _)| *family)
        }
        _ => None,
    }
}

/// A payload load, perhaps masked, and its comparison.
fn read_bits(family: Family, list: &[Expression]) -> Option<(Prefix, usize)> {
    let full = if family == 4 { 4 } else { 16 };
    let (mut address, length, not, taken) = match list {
        [Expression::Payload { length, .. }, Expression::Compare { operator, data }, ..] => {
            (data.clone(), *length as u8 * 8, *operator == NEQ, 2)
        }
        [_, Expression::Bitwise { mask, .. }, Expression::Compare { operator, data }, ..] => {
            let ones = mask.iter().map(|byte| byte.count_ones() as u8).sum();
            (data.clone(), ones, *operator == NEQ, 3)
        }
        _ => return None,
    };
    address.resize(full, 0);
    Some((Prefix { not, prefix: print_prefix(&address, length)? }, taken))
}

fn read_ports(list: &[Expression]) -> Option<(Ports, usize)> {
    let port = |data: &[u8]| Some(u16::from_be_bytes(data.try_into().ok()?));
    match list {
        [Expression::Compare { operator: EQ, data }, ..] => {
            Some((Ports { from: port(data)?, to: port(data)? }, 1))
        }
        [
            Expression::Compare { operator: GTE, data: from },
            Expression::Compare { operator: LTE, data: to },
            ..,
        ] => Some((Ports { from: port(from)?, to: port(to)? }, 2)),
        _ => None,
    }
}
