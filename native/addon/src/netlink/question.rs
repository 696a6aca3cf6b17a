//! RTM_GETROUTE: where would the kernel send this packet? (kernel/README 14 says what it can and cannot answer.)

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::route::{RTM_GETROUTE, Route};
use super::text::{bytes_of, parse_address};
use super::{link, route, socket};
use crate::sys::{Doing, Errno, Outcome, index_of};

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_MARK: u16 = 16;
const RTA_UID: u16 = 25;
const RTA_IP_PROTO: u16 = 27;
const RTA_SPORT: u16 = 28;
const RTA_DPORT: u16 = 29;
/// The answer names the table that decided.
const RTM_F_LOOKUP_TABLE: u32 = 0x1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    to: String,
    from: Option<String>,
    iif: Option<String>,
    oif: Option<String>,
    mark: Option<u32>,
    uid: Option<u32>,
    protocol: Option<u8>,
    sport: Option<u16>,
    dport: Option<u16>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Answer {
    Route { route: Box<Route> },
    Refused { code: String },
}

pub fn ask(fd: RawFd, question: &Question) -> Outcome<Answer> {
    let links = socket::dump(fd, &link::request(), link::read).doing("reading links")?;
    let request = match build(question) {
        Ok(request) => request,
        Err(errno) => return Ok(Answer::Refused { code: errno.name() }),
    };
    match socket::ask(fd, request, |message| route::read(message, &links)) {
        Ok(Some(route)) => Ok(Answer::Route { route: Box::new(route) }),
        Ok(None) => Err(Errno(libc::EBADMSG)).doing("reading a route answer"),
        Err(refused) => Ok(Answer::Refused { code: refused.errno.name() }),
    }
}

fn build(q: &Question) -> Result<Message, Errno> {
    let to = parse_address(&q.to)?;
    let (family, length) = if to.is_ipv4() { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
    let source_length = if q.from.is_some() { length } else { 0 };
    let mut fixed = vec![family as u8, length, source_length, 0, 0, 0, 0, 0];
    fixed.extend_from_slice(&RTM_F_LOOKUP_TABLE.to_ne_bytes());
    let mut message = Message::new(RTM_GETROUTE, 0, &fixed);
    message.attribute(RTA_DST, &bytes_of(to));
    if let Some(from) = &q.from {
        message.attribute(RTA_SRC, &bytes_of(parse_address(from)?));
    }
    for (attribute, name) in [(RTA_IIF, &q.iif), (RTA_OIF, &q.oif)] {
        if let Some(name) = name {
            message.word(attribute, index_of(name)?);
        }
    }
    for (attribute, number) in [(RTA_MARK, q.mark), (RTA_UID, q.uid)] {
        if let Some(number) = number {
            message.word(attribute, number);
        }
    }
    if let Some(protocol) = q.protocol {
        message.attribute(RTA_IP_PROTO, &[protocol]);
    }
    for (attribute, port) in [(RTA_SPORT, q.sport), (RTA_DPORT, q.dport)] {
        if let Some(port) = port {
            message.attribute(attribute, &port.to_be_bytes());
        }
    }
    Ok(message)
}
