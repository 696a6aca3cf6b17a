//! Interface addresses: `ip addr`, as facts (AddressFact) and as changes.

use serde::Serialize;

use super::link::Link;
use super::message::{Message, NLM_F_CREATE, NLM_F_REPLACE, Received, attributes, number, word_at};
use super::read::name_of;
use super::text::{bytes_of, parse_prefix, print_prefix};
use crate::sys::Errno;

pub const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFADDRMSG: usize = 8;
// linux/if_addr.h
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;

#[derive(Serialize)]
pub struct Address {
    pub link: String,
    pub address: String,
    pub scope: &'static str,
    pub temporary: bool,
    pub deprecated: bool,
    pub tentative: bool,
    pub dynamic: bool,
}

pub fn request() -> Message {
    Message::new(RTM_GETADDR, 0, &[0; IFADDRMSG])
}

pub fn read(message: &Received, links: &[Link]) -> Option<Address> {
    let family = *message.body.first()?;
    let length = *message.body.get(1)?;
    let mut flags = u32::from(*message.body.get(2)?);
    let scope = match message.body.get(3)? {
        0 => "global",
        200 => "site",
        253 => "link",
        _ => "host",
    };
    let mut local = None;
    let mut address = None;
    for (kind, value) in attributes(message.body, IFADDRMSG) {
        match kind {
            IFA_LOCAL => local = Some(value),
            IFA_ADDRESS => address = Some(value),
            IFA_FLAGS => flags = number(value),
            _ => {}
        }
    }
    Some(Address {
        link: name_of(word_at(message.body, 4)?, links),
        // on a point-to-point link IFA_ADDRESS is the other end
        address: print_prefix(local.or(address)?, length)?,
        scope,
        // the same bit says `secondary` in IPv4
        temporary: i32::from(family) == libc::AF_INET6 && flags & IFA_F_TEMPORARY != 0,
        deprecated: flags & IFA_F_DEPRECATED != 0,
        tentative: flags & IFA_F_TENTATIVE != 0,
        dynamic: flags & IFA_F_PERMANENT == 0,
    })
}

/// Without duplicate address detection (inside a tunnel nobody answers, and a tentative address cannot be a source), and
/// without a route of its own in main: the plan says every route.
pub fn add(index: u32, address: &str) -> Result<Message, Errno> {
    build(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address)
}

pub fn delete(index: u32, address: &str) -> Result<Message, Errno> {
    build(RTM_DELADDR, 0, index, address)
}

fn build(kind: u16, flags: u16, index: u32, address: &str) -> Result<Message, Errno> {
    let (address, length) = parse_prefix(address)?;
    let family = (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8;
    let nodad = if address.is_ipv4() { 0 } else { IFA_F_NODAD };
    // the header has room for the lowest eight flags only; IFA_FLAGS has them all
    let mut fixed = vec![family, length, 0, 0];
    fixed.extend_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(kind, flags, &fixed);
    let bytes = bytes_of(address);
    message.attribute(IFA_LOCAL, &bytes).attribute(IFA_ADDRESS, &bytes);
    message.word(IFA_FLAGS, nodad | IFA_F_NOPREFIXROUTE);
    Ok(message)
}
