//! Rules of helper/plan/nft.ts to expressions and back. Each match is a fixed sequence, and the sequences are so chosen
//! that reading is unambiguous: a match that implies its family always brings the family's own check along, also where
//! an earlier match has made it already.

use super::expression::{
    ACCEPT, CT_DIRECTION, CT_STATE, DROP, EQ, EXTHDR_IPV4, EXTHDR_IPV6, Expression, GTE, JUMP, LTE,
    META_IIFNAME, META_L4PROTO, META_MARK, META_NFPROTO, META_OIFNAME, META_PROTOCOL, META_SKUID, NEQ,
    NETWORK, RETURN, TRANSPORT,
};
use super::value::{Family, InSet, Match, Name, Ports, Prefix, Rule, TableFamily, Verdict};
use crate::netlink::text::{bytes_of, parse_prefix, print_prefix};
use crate::sys::Errno;

const INVALID: Errno = Errno(libc::EINVAL);
const IFNAMSIZ: usize = 16;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;
const ETHERTYPES: [(Family, u16); 2] = [(4, 0x0800), (6, 0x86dd)];
/// In an ARP packet for Ethernet and IPv4 (RFC 826).
const ARP_SENDER: u32 = 14;
const ARP_TARGET: u32 = 24;
/// IPOPT_LSRR, IPOPT_SSRR (RFC 791); IPPROTO_ROUTING (RFC 8200)
const OPTIONS: [(&str, u8); 2] = [("lsrr", 131), ("ssrr", 137)];
const ROUTING: u8 = 43;
/// NF_CT_STATE_BIT of each (nf_conntrack_common.h), in the order a value lists them.
const STATES: [(&str, u32); 5] =
    [("new", 8), ("established", 2), ("related", 4), ("invalid", 1), ("untracked", 64)];
const DIRECTIONS: [&str; 2] = ["original", "reply"];
/// RTN_* of the destination (rtnetlink.h)
const ADDRESS_TYPES: [(&str, u32); 3] = [("local", 2), ("broadcast", 3), ("multicast", 5)];
/// NFT_REJECT_TCP_RST; NFT_REJECT_ICMPX_UNREACH with NFT_REJECT_ICMPX_ADMIN_PROHIBITED
const RESET: Expression = Expression::Reject { kind: 1, code: 0 };
const PROHIBITED: Expression = Expression::Reject { kind: 2, code: 3 };

/// An anonymous set that a rule needs: its one-byte elements. Its expression carries the place in this list as id.
pub type Anonymous = Vec<Vec<u8>>;

pub fn write(table: TableFamily, rule: &Rule, anonymous: &mut Anonymous) -> Result<Vec<Expression>, Errno> {
    let mut list = Vec::new();
    for one in &rule.matches {
        write_match(table, one, anonymous, &mut list)?;
    }
    if rule.counter {
        list.push(Expression::Counter { packets: 0, bytes: 0 });
    }
    match &rule.verdict {
        Verdict::Accept => list.push(verdict(ACCEPT, None)),
        Verdict::Drop => list.push(verdict(DROP, None)),
        Verdict::Return => list.push(verdict(RETURN, None)),
        Verdict::Jump { chain } => list.push(verdict(JUMP, Some(chain.clone()))),
        Verdict::SetMark { mask, value } => {
            list.push(Expression::Meta(META_MARK));
            list.push(bitwise(!mask, *value));
            list.push(Expression::SetMark);
        }
        Verdict::Reject => list.push(if resets(rule) { RESET } else { PROHIBITED }),
    }
    Ok(list)
}

/// The rule and its counter, or None: it is not one that `write` makes. `elements` gives an anonymous set's elements.
pub fn read(
    table: TableFamily,
    note: String,
    list: &[Expression],
    elements: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Option<(Rule, u64, u64)> {
    let mut rest = list;
    let mut rule = Rule { note, matches: Vec::new(), counter: false, verdict: Verdict::Drop };
    let (mut packets, mut bytes) = (0, 0);
    rule.verdict = loop {
        if let Some(found) = read_verdict(rest) {
            break found;
        }
        if let Expression::Counter { packets: p, bytes: b } = rest.first()? {
            (rule.counter, packets, bytes) = (true, *p, *b);
            rest = &rest[1..];
            continue;
        }
        let (found, length) = read_match(table, rest, elements)?;
        rule.matches.push(found);
        rest = &rest[length..];
    };
    // the slow and certain check of all of the above: writing it again gives what was read
    let mut anonymous = Vec::new();
    let again = write(table, &rule, &mut anonymous).ok()?;
    let same = again.len() == list.len() && again.iter().zip(list).all(|(a, b)| alike(a, b));
    same.then_some((rule, packets, bytes))
}

fn write_match(
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

/// The first match of the list and how many expressions it takes.
fn read_match(
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
    use Expression::{Compare, Exthdr, Lookup, Meta, Payload};
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    match list {
        [Payload { base: NETWORK, offset, length: 1 }, Compare { data, .. }, ..]
            if *offset == hops_at(family) =>
        {
            Some((Match::Hops { family, value: *data.first()? }, 2))
        }
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

fn read_verdict(list: &[Expression]) -> Option<Verdict> {
    match list {
        [Expression::Verdict { code, chain }] => match (*code, chain) {
            (ACCEPT, None) => Some(Verdict::Accept),
            (DROP, None) => Some(Verdict::Drop),
            (RETURN, None) => Some(Verdict::Return),
            (JUMP, Some(chain)) => Some(Verdict::Jump { chain: chain.clone() }),
            _ => None,
        },
        [Expression::Reject { .. }] => Some(Verdict::Reject),
        [Expression::Meta(META_MARK), Expression::Bitwise { mask, xor }, Expression::SetMark] => {
            Some(Verdict::SetMark { mask: !word(mask)?, value: word(xor)? })
        }
        _ => None,
    }
}

/// A TCP reset is for rules that match TCP only; all others answer with ICMP, TCP included.
fn resets(rule: &Rule) -> bool {
    rule.matches.contains(&Match::Protocol { protocol: TCP })
}

/// Equal, but for what the kernel fills in: counts, and the name of an anonymous set.
fn alike(written: &Expression, found: &Expression) -> bool {
    match (written, found) {
        (Expression::Counter { .. }, Expression::Counter { .. }) => true,
        (Expression::Lookup { id: Some(_), not, .. }, Expression::Lookup { not: other, .. }) => not == other,
        _ => written == found,
    }
}

fn address_at(family: Family, destination: bool) -> u32 {
    match (family, destination) {
        (4, false) => 12,
        (4, true) => 16,
        (_, false) => 8,
        (_, true) => 24,
    }
}

fn hops_at(family: Family) -> u32 {
    if family == 4 { 8 } else { 7 }
}

fn verdict(code: i32, chain: Option<String>) -> Expression {
    Expression::Verdict { code, chain }
}

fn compare(not: bool, data: &[u8]) -> Expression {
    Expression::Compare { operator: if not { NEQ } else { EQ }, data: data.to_vec() }
}

fn between(from: &[u8], to: &[u8]) -> [Expression; 2] {
    [
        Expression::Compare { operator: GTE, data: from.to_vec() },
        Expression::Compare { operator: LTE, data: to.to_vec() },
    ]
}

fn bitwise(mask: u32, xor: u32) -> Expression {
    Expression::Bitwise { mask: mask.to_ne_bytes().to_vec(), xor: xor.to_ne_bytes().to_vec() }
}

fn mask_of(length: u8, bytes: usize) -> Vec<u8> {
    (0..bytes as i32 * 8)
        .step_by(8)
        .map(|from| (0xff00u32 >> (i32::from(length) - from).clamp(0, 8)) as u8)
        .collect()
}

fn word(data: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(data.try_into().ok()?))
}
