//! Addresses and prefixes as the canonical text of helper/contract/prefix.ts, both ways.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sys::Errno;

const INVALID: Errno = Errno(libc::EINVAL);

pub fn print_address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string()),
        16 => Some(print_v6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))),
        _ => None,
    }
}

pub fn print_prefix(bytes: &[u8], length: u8) -> Option<String> {
    Some(format!("{}/{length}", print_address(bytes)?))
}

/// The prefix that an absent attribute stands for: everything of the family.
pub fn everything(family: u8) -> String {
    if i32::from(family) == libc::AF_INET { "0.0.0.0/0".into() } else { "::/0".into() }
}

pub fn parse_address(text: &str) -> Result<IpAddr, Errno> {
    text.parse().map_err(|_| INVALID)
}

pub fn parse_prefix(text: &str) -> Result<(IpAddr, u8), Errno> {
    let (address, length) = text.split_once('/').ok_or(INVALID)?;
    let address = parse_address(address)?;
    let length: u8 = length.parse().map_err(|_| INVALID)?;
    if length > if address.is_ipv4() { 32 } else { 128 } { Err(INVALID) } else { Ok((address, length)) }
}

pub fn bytes_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// AF_INET or AF_INET6 for 4 or 6.
pub fn family_number(family: u8) -> u8 {
    (if family == 4 { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

/// RFC 5952, but mapped addresses in hexadecimal too: that is how the contract prints them.
fn print_v6(address: Ipv6Addr) -> String {
    if address.to_ipv4_mapped().is_none() {
        return address.to_string();
    }
    let mut text = String::from("::ffff");
    for group in &address.segments()[6..] {
        let _ = write!(text, ":{group:x}");
    }
    text
}
