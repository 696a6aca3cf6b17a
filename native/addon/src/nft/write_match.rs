//! One match of a rule as expressions.

use super::expression::{
    CT_DIRECTION, CT_STATE, EXTHDR_IPV4, EXTHDR_IPV6, Expression, GT, META_IIFNAME, META_L4PROTO, META_MARK,
    META_NFPROTO, META_OIFNAME, META_PROTOCOL, META_SKUID, NETWORK, TRANSPORT,
};
use super::rule::Anonymous;
use super::value::{Family, InSet, Match, Name, Ports, Prefix, TableFamily};
use super::words::{
    ADDRESS_TYPES, ARP_SENDER, ARP_TARGET, DIRECTIONS, ETHERTYPES, HDRLENGTH, ICMP, ICMPV6, IFNAMSIZ,
    INVALID, OPTIONS, ROUTING, STATES, address_at, between, bitwise, compare, hops_at, mask_of,
};
use crate::netlink::text::{bytes_of, parse_prefix};
use crate::sys::Errno;

pub fn write_match(
    table: TableFamily,
    one: &Match,
    anonymous: &mut Anonymous,
    list: &mut Vec<Expression>,
) -> Result<(), Errno> {
    match one {
        Match::Iifname(name) => write_name(META_IIFNAME, name, list)?,
        Match::Oifname(name) => write_name(META_OIFNAME, name, list)?,
        Match::Mark { not, mask, value } => {
            list.extend([Expression::Meta(META_MARK), bitwise(*mask, 0)]);
            list.push(compare(*not, &value.to_ne_bytes()));
        }
        Match::Saddr(prefix) => write_prefix(table, prefix, false, list)?,
        Match::Daddr(prefix) => write_prefix(table, prefix, true, list)?,
        Match::SaddrSet(set) => write_set(table, set, false, list)?,
        Match::DaddrSet(set) => write_set(table, set, true, list)?,
        Match::Family { family } => write_family(table, *family, list)?,
        Match::Ethertype { number } => {
            // there is one way to say a family
            if ETHERTYPES.iter().any(|(_, known)| known == number) {
                return Err(INVALID);
            }
            list.extend([Expression::Meta(META_PROTOCOL), compare(false, &number.to_be_bytes())]);
        }
        Match::ArpSaddr(prefix) => write_arp(ARP_SENDER, prefix, list)?,
        Match::ArpDaddr(prefix) => write_arp(ARP_TARGET, prefix, list)?,
        Match::Protocol { protocol } => write_protocol(*protocol, list),
        Match::Sport(ports) => write_ports(0, ports, list),
        Match::Dport(ports) => write_ports(2, ports, list),
        Match::IcmpType { family, types } => {
            write_family(table, *family, list)?;
            write_protocol(if *family == 4 { ICMP } else { ICMPV6 }, list);
            list.push(Expression::Payload { base: TRANSPORT, offset: 0, length: 1 });
            if let [only] = types.as_slice() {
                list.push(compare(false, &[*only]));
            } else {
                list.push(Expression::Lookup {
                    set: "__set%d".into(),
                    id: Some(anonymous.len() as u32),
                    not: false,
                });
                anonymous.push(types.clone());
            }
        }
        Match::Hops { family, value } => {
            write_family(table, *family, list)?;
            list.push(Expression::Payload { base: NETWORK, offset: hops_at(*family), length: 1 });
            list.push(compare(false, &[*value]));
        }
        Match::CtState { states } => {
            let bit = |name: &String| STATES.iter().find(|(known, _)| known == name).map(|(_, bit)| bit);
            let bits = states.iter().try_fold(0, |bits, name| Some(bits | bit(name)?)).ok_or(INVALID)?;
            list.extend([Expression::Conntrack(CT_STATE), bitwise(bits, 0), compare(true, &[0; 4])]);
        }
        Match::CtDirection { direction } => {
            let number = DIRECTIONS.iter().position(|known| known == direction).ok_or(INVALID)? as u8;
            list.extend([Expression::Conntrack(CT_DIRECTION), compare(false, &[number])]);
        }
        Match::IpOption { option } => {
            let (_, header) = OPTIONS.iter().find(|(known, _)| known == option).ok_or(INVALID)?;
            write_family(table, 4, list)?;
            list.push(Expression::Exthdr { operation: EXTHDR_IPV4, header: *header });
            list.push(compare(false, &[1]));
        }
        Match::RoutingHeader => {
            write_family(table, 6, list)?;
            list.push(Expression::Exthdr { operation: EXTHDR_IPV6, header: ROUTING });
            list.push(compare(false, &[1]));
        }
        Match::Hdrlength { above } => {
            write_family(table, 4, list)?;
            list.push(Expression::Payload { base: NETWORK, offset: 0, length: 1 });
            list.push(Expression::Bitwise { mask: vec![HDRLENGTH], xor: vec![0] });
            list.push(Expression::Compare { operator: GT, data: vec![*above] });
        }
        Match::FibDaddrType { not, name } => {
            let (_, number) = ADDRESS_TYPES.iter().find(|(known, _)| known == name).ok_or(INVALID)?;
            list.extend([Expression::FibDaddrType, compare(*not, &number.to_ne_bytes())]);
        }
        Match::Skuid { from, to } if from == to => {
            list.extend([Expression::Meta(META_SKUID), compare(false, &from.to_ne_bytes())]);
        }
        Match::Skuid { from, to } => {
            list.extend([Expression::Meta(META_SKUID), Expression::Hton]);
            list.extend(between(&from.to_be_bytes(), &to.to_be_bytes()));
        }
    }
    Ok(())
}

fn write_name(key: u32, name: &Name, list: &mut Vec<Expression>) -> Result<(), Errno> {
    let data = match name.name.strip_suffix('*') {
        Some("") => return Err(INVALID),
        // a prefix is compared without its end
        Some(prefix) => prefix.as_bytes().to_vec(),
        None => {
            let mut padded = name.name.as_bytes().to_vec();
            padded.resize(IFNAMSIZ, 0);
            padded
        }
    };
    if data.len() > IFNAMSIZ || name.name.len() >= IFNAMSIZ {
        return Err(INVALID);
    }
    list.extend([Expression::Meta(key), compare(name.not, &data)]);
    Ok(())
}

fn write_prefix(
    table: TableFamily,
    p: &Prefix,
    destination: bool,
    list: &mut Vec<Expression>,
) -> Result<(), Errno> {
    let (address, length) = parse_prefix(&p.prefix)?;
    let family = if address.is_ipv4() { 4 } else { 6 };
    write_family(table, family, list)?;
    write_bits(address_at(family, destination), &bytes_of(address), length, p.not, list);
    Ok(())
}

fn write_arp(offset: u32, p: &Prefix, list: &mut Vec<Expression>) -> Result<(), Errno> {
    let (address, length) = parse_prefix(&p.prefix)?;
    if address.is_ipv6() {
        return Err(INVALID);
    }
    write_bits(offset, &bytes_of(address), length, p.not, list);
    Ok(())
}

/// As nft(8) does: a prefix that ends on a byte is a shorter load, any other one is masked.
fn write_bits(offset: u32, address: &[u8], length: u8, not: bool, list: &mut Vec<Expression>) {
    let whole = usize::from(length / 8);
    if length.is_multiple_of(8) && whole > 0 {
        list.push(Expression::Payload { base: NETWORK, offset, length: whole as u32 });
        list.push(compare(not, &address[..whole]));
    } else {
        list.push(Expression::Payload { base: NETWORK, offset, length: address.len() as u32 });
        list.push(Expression::Bitwise { mask: mask_of(length, address.len()), xor: vec![0; address.len()] });
        list.push(compare(not, address));
    }
}

fn write_set(
    table: TableFamily,
    set: &InSet,
    destination: bool,
    list: &mut Vec<Expression>,
) -> Result<(), Errno> {
    write_family(table, set.family, list)?;
    let length = if set.family == 4 { 4 } else { 16 };
    list.push(Expression::Payload { base: NETWORK, offset: address_at(set.family, destination), length });
    list.push(Expression::Lookup { set: set.set.clone(), id: None, not: set.not });
    Ok(())
}

fn write_family(table: TableFamily, family: Family, list: &mut Vec<Expression>) -> Result<(), Errno> {
    let (_, ethertype) = ETHERTYPES.iter().find(|(known, _)| *known == family).ok_or(INVALID)?;
    match table {
        TableFamily::Inet => {
            let number = crate::netlink::text::family_number(family);
            list.extend([Expression::Meta(META_NFPROTO), compare(false, &[number])]);
        }
        TableFamily::Netdev => {
            list.extend([Expression::Meta(META_PROTOCOL), compare(false, &ethertype.to_be_bytes())]);
        }
        TableFamily::Ip | TableFamily::Ip6 | TableFamily::Arp | TableFamily::Bridge => return Err(INVALID),
    }
    Ok(())
}

fn write_protocol(protocol: u8, list: &mut Vec<Expression>) {
    list.extend([Expression::Meta(META_L4PROTO), compare(false, &[protocol])]);
}

fn write_ports(offset: u32, ports: &Ports, list: &mut Vec<Expression>) {
    list.push(Expression::Payload { base: TRANSPORT, offset, length: 2 });
    if ports.from == ports.to {
        list.push(compare(false, &ports.from.to_be_bytes()));
    } else {
        list.extend(between(&ports.from.to_be_bytes(), &ports.to.to_be_bytes()));
    }
}
