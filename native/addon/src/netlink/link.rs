//! Links: `ip link`, as facts (helper/plan/facts.ts, LinkFact) and as changes.

use serde::Serialize;

use super::message::{Message, Received, attributes, half_at, number, string, word_at};

pub const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
pub const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_CARRIER: u16 = 33;
const IFLA_XDP: u16 = 43;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFINFO: usize = 16;
const TCA_KIND: u16 = 1;
const TCMSG: usize = 20;

#[derive(Clone, Serialize)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub kind: String,
    #[serde(rename = "type")]
    pub hardware: u16,
    pub up: bool,
    pub carrier: bool,
    pub loopback: bool,
    pub mtu: u32,
    pub mac: String,
    pub master: u32,
    pub xdp: bool,
    pub clsact: bool,
}

pub fn request() -> Message {
    Message::new(RTM_GETLINK, 0, &[0; IFINFO])
}

pub fn read(message: &Received) -> Option<Link> {
    let flags = word_at(message.body, 8)?;
    let mut link = Link {
        index: word_at(message.body, 4)?,
        name: String::new(),
        kind: String::new(),
        hardware: half_at(message.body, 2)?,
        up: flags & libc::IFF_UP as u32 != 0,
        carrier: false,
        loopback: flags & libc::IFF_LOOPBACK as u32 != 0,
        mtu: 0,
        mac: String::new(),
        master: 0,
        xdp: false,
        clsact: false,
    };
    for (kind, value) in attributes(message.body, IFINFO) {
        match kind {
            IFLA_ADDRESS => link.mac = mac(value),
            IFLA_IFNAME => link.name = string(value),
            IFLA_MTU => link.mtu = number(value),
            IFLA_MASTER => link.master = number(value),
            IFLA_CARRIER => link.carrier = value.first() == Some(&1),
            IFLA_LINKINFO => link.kind = inner(value, IFLA_INFO_KIND).map(string).unwrap_or_default(),
            IFLA_XDP => link.xdp = inner(value, IFLA_XDP_ATTACHED).is_some_and(|v| v.first() != Some(&0)),
            _ => {}
        }
    }
    Some(link)
}

/// All qdiscs: `clsact` and `ingress` are the hooks that tc filters and their redirects hang on (kernel/README G).
pub fn qdisc_request() -> Message {
    Message::new(RTM_GETQDISC, 0, &[0; TCMSG])
}

/// The index of a link that has a tc hook.
pub fn read_tc_hook(message: &Received) -> Option<u32> {
    if message.kind != RTM_NEWQDISC {
        return None;
    }
    let kind = attributes(message.body, TCMSG)
        .find(|(kind, _)| *kind == TCA_KIND)
        .map(|(_, value)| string(value))?;
    (kind == "clsact" || kind == "ingress").then_some(word_at(message.body, 4)?)
}

/// Sets MTU and queue length, and puts the link up.
pub fn set(index: u32, mtu: u32, tx_queue_length: u32) -> Message {
    let up = libc::IFF_UP as u32;
    let mut message = Message::new(RTM_NEWLINK, 0, &header(index, up, up));
    message.word(IFLA_MTU, mtu).word(IFLA_TXQLEN, tx_queue_length);
    message
}

pub fn delete(index: u32) -> Message {
    Message::new(RTM_DELLINK, 0, &header(index, 0, 0))
}

fn header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), change.to_ne_bytes()].concat()
}

fn inner(value: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(value, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn mac(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
