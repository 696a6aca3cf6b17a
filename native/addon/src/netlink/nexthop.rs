//! Nexthop objects: `ip nexthop`, as facts (NexthopFact) and as changes. Linux 5.3 and after.

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::message::{Message, NLM_F_CREATE, NLM_F_REPLACE, Received, attributes, number, word_at};
use super::read::name_of;
use super::text::{bytes_of, family_number, parse_address, print_address};
use crate::sys::{Errno, index_of};

pub const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;
const NHMSG: usize = 8;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
/// struct nexthop_grp: id, weight, two reserved
const GROUP_ENTRY: usize = 8;
const RTPROT_KERNEL: u8 = 2;
const RTNH_F_ONLINK: u32 = 4;

#[derive(Serialize)]
pub struct Nexthop {
    pub id: u32,
    pub family: u8,
    pub protocol: u8,
    pub blackhole: bool,
    pub dev: Option<String>,
    pub via: Option<String>,
    pub group: Vec<u32>,
}

/// PlanNexthop (helper/plan/plan.ts).
#[derive(Deserialize)]
pub struct Wanted {
    id: u32,
    family: u8,
    to: To,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum To {
    Blackhole,
    Dev { dev: String, via: Option<String>, onlink: bool },
}

pub fn request() -> Message {
    Message::new(RTM_GETNEXTHOP, 0, &[0; NHMSG])
}

pub fn read(message: &Received, links: &[Link]) -> Option<Nexthop> {
    let fixed = message.body.get(..NHMSG)?;
    let mut nexthop = Nexthop {
        id: 0,
        family: if i32::from(fixed[0]) == libc::AF_INET6 { 6 } else { 4 },
        protocol: fixed[2],
        blackhole: false,
        dev: None,
        via: None,
        group: Vec::new(),
    };
    for (kind, value) in attributes(message.body, NHMSG) {
        match kind {
            NHA_ID => nexthop.id = number(value),
            NHA_GROUP => {
                nexthop.group = value.chunks_exact(GROUP_ENTRY).filter_map(|e| word_at(e, 0)).collect()
            }
            NHA_BLACKHOLE => nexthop.blackhole = true,
            NHA_OIF => nexthop.dev = Some(name_of(number(value), links)),
            NHA_GATEWAY => nexthop.via = print_address(value),
            _ => {}
        }
    }
    Some(nexthop)
}

pub fn replace(wanted: &Wanted) -> Result<Message, Errno> {
    let onlink = matches!(wanted.to, To::Dev { onlink: true, .. });
    let flags = if onlink { RTNH_F_ONLINK } else { 0 };
    let mut fixed = vec![family_number(wanted.family), 0, RTPROT_KERNEL, 0];
    fixed.extend_from_slice(&flags.to_ne_bytes());
    let mut message = Message::new(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, &fixed);
    message.word(NHA_ID, wanted.id);
    match &wanted.to {
        To::Blackhole => {
            message.attribute(NHA_BLACKHOLE, &[]);
        }
        To::Dev { dev, via, .. } => {
            message.word(NHA_OIF, index_of(dev)?);
            if let Some(via) = via {
                message.attribute(NHA_GATEWAY, &bytes_of(parse_address(via)?));
            }
        }
    }
    Ok(message)
}

pub fn delete(id: u32) -> Message {
    let mut message = Message::new(RTM_DELNEXTHOP, 0, &[0; NHMSG]);
    message.word(NHA_ID, id);
    message
}
