//! The numbers and small expressions that writing and reading a match share.

use super::expression::{EQ, Expression, GTE, LTE, NEQ};
use super::value::Family;
use crate::sys::Errno;

pub const INVALID: Errno = Errno(libc::EINVAL);
pub const IFNAMSIZ: usize = 16;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;
pub const ETHERTYPES: [(Family, u16); 2] = [(4, 0x0800), (6, 0x86dd)];
/// In an ARP packet for Ethernet and IPv4 (RFC 826).
pub const ARP_SENDER: u32 = 14;
pub const ARP_TARGET: u32 = 24;
/// IPOPT_LSRR, IPOPT_SSRR (RFC 791); IPPROTO_ROUTING (RFC 8200)
pub const OPTIONS: [(&str, u8); 2] = [("lsrr", 131), ("ssrr", 137)];
pub const ROUTING: u8 = 43;
/// IHL: the lower half of an IPv4 packet's first byte, in words (RFC 791).
pub const HDRLENGTH: u8 = 0x0f;
/// NF_CT_STATE_BIT of each (nf_conntrack_common.h), in the order a value lists them.
pub const STATES: [(&str, u32); 5] =
    [("new", 8), ("established", 2), ("related", 4), ("invalid", 1), ("untracked", 64)];
pub const DIRECTIONS: [&str; 2] = ["original", "reply"];
/// RTN_* of the destination (rtnetlink.h)
pub const ADDRESS_TYPES: [(&str, u32); 3] = [("local", 2), ("broadcast", 3), ("multicast", 5)];

pub fn address_at(family: Family, destination: bool) -> u32 {
    match (family, destination) {
        (4, false) => 12,
        (4, true) => 16,
        (_, false) => 8,
        (_, true) => 24,
    }
}

pub fn hops_at(family: Family) -> u32 {
    if family == 4 { 8 } else { 7 }
}

pub fn compare(not: bool, data: &[u8]) -> Expression {
    Expression::Compare { operator: if not { NEQ } else { EQ }, data: data.to_vec() }
}

pub fn between(from: &[u8], to: &[u8]) -> [Expression; 2] {
    [
        Expression::Compare { operator: GTE, data: from.to_vec() },
        Expression::Compare { operator: LTE, data: to.to_vec() },
    ]
}

pub fn bitwise(mask: u32, xor: u32) -> Expression {
    Expression::Bitwise { mask: mask.to_ne_bytes().to_vec(), xor: xor.to_ne_bytes().to_vec() }
}

pub fn mask_of(length: u8, bytes: usize) -> Vec<u8> {
    (0..bytes as i32 * 8)
        .step_by(8)
        .map(|from| (0xff00u32 >> (i32::from(length) - from).clamp(0, 8)) as u8)
        .collect()
}

pub fn word(data: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(data.try_into().ok()?))
}
