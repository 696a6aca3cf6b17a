//! nfnetlink: nftables tables of helper/plan/nft.ts, written in one transaction and read back into the same value.
//!
//! `value` is the ruleset as a value, `expression` the kernel's expressions and their bytes, `rule` the way between the
//! two, both directions (`write_match`, `read_match`, `words`); `interval` turns prefixes into what an interval set
//! stores; `change` writes, `read` reads, `probe` asks what this kernel can.

pub mod change;
mod expression;
mod interval;
pub mod probe;
pub mod read;
mod read_match;
mod rule;
mod value;
mod words;
mod write_match;

use std::os::fd::RawFd;

use crate::netlink::message::{Message, NLM_F_ACK, attributes, network_number};
use crate::netlink::socket::{self, Refused};
use crate::sys::{self, Doing, Errno, Outcome};

/// NFNL_SUBSYS_NFTABLES
const SUBSYSTEM: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
const NFNL_BATCH_GENID: u16 = 1;
const NFTA_GEN_ID: u16 = 1;
/// NFPROTO_*
const INET: u8 = 1;
const NETDEV: u8 = 5;
const IP: u8 = 2;
const IP6: u8 = 10;
const ARP: u8 = 3;
const BRIDGE: u8 = 7;
/// NFNETLINK_V0 and no resource
const GENERIC: usize = 4;

// NFT_MSG_*
const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;
const DELCHAIN: u16 = 5;
const NEWRULE: u16 = 6;
const GETRULE: u16 = 7;
const DELRULE: u16 = 8;
const NEWSET: u16 = 9;
const GETSET: u16 = 10;
const DELSET: u16 = 11;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
const DELSETELEM: u16 = 14;
const GETGEN: u16 = 16;

// the attributes that writing and reading share
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_TABLE_FLAGS: u16 = 2;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_HOOK_DEVS: u16 = 4;
const NFTA_DEVICE_NAME: u16 = 1;
/// Linux 6.18 (commit 4039ce7ef404); the empty prefix is every device
const NFTA_DEVICE_PREFIX: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_RULE_USERDATA: u16 = 7;
const NFTA_SET_TABLE: u16 = 1;
const NFTA_SET_NAME: u16 = 2;
const NFTA_SET_FLAGS: u16 = 3;
const NFTA_SET_KEY_TYPE: u16 = 4;
const NFTA_SET_KEY_LEN: u16 = 5;
const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
const NFTA_SET_ELEM_LIST_SET: u16 = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_SET_ELEM_FLAGS: u16 = 3;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_LIST_ELEM: u16 = 1;
const NFT_SET_ANONYMOUS: u32 = 1;
const NFT_SET_CONSTANT: u32 = 2;
const NFT_SET_INTERVAL: u32 = 4;
const NFT_SET_ELEM_INTERVAL_END: u32 = 1;
/// NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST: together or not at all (kernel/README 5)
const OWNED: u32 = 2 | 4;

fn message(kind: u16, flags: u16, family: u8) -> Message {
    Message::new(SUBSYSTEM << 8 | kind, flags, &[family, 0, 0, 0])
}

/// All messages or none. What comes back are the refusals, by place in the list; empty: it is done.
///
/// The whole batch is one datagram, and the kernel commits inside `send`. A refusal of the commit itself is answered to
/// the batch's first message; it is told as the refusal of place 0. `generation`: the one of the ruleset that the changes
/// were made for; at another the kernel does nothing and says ERESTART (nfnetlink_rcv_batch).
fn transaction(fd: RawFd, batch: Vec<Message>, generation: Option<u32>) -> Result<Vec<Refused>, Errno> {
    socket::drain(fd);
    let bracket = |kind| Message::new(kind, 0, &[0, 0, 0, SUBSYSTEM as u8]);
    let length = batch.len() as u32;
    let mut begin = bracket(NFNL_MSG_BATCH_BEGIN);
    if let Some(generation) = generation {
        begin.network_word(NFNL_BATCH_GENID, generation);
    }
    let mut bytes = begin.finish(0, 0);
    for (place, message) in batch.into_iter().enumerate() {
        // the last answers in any case: a batch without a trace in the queue was not worked off
        let ack = if place as u32 + 1 == length { NLM_F_ACK } else { 0 };
        bytes.extend(message.finish(place as u32 + 1, ack));
    }
    bytes.extend(bracket(NFNL_MSG_BATCH_END).finish(length + 1, 0));
    make_room(fd, bytes.len())?;
    sys::send(fd, &bytes)?;
    let mut refused = socket::refusals(fd)?;
    for one in &mut refused {
        one.sequence = one.sequence.saturating_sub(1);
    }
    Ok(refused)
}

/// Every commit, whoever's, makes it one higher.
pub fn generation(fd: RawFd) -> Outcome<u32> {
    let answer = socket::ask(fd, message(GETGEN, 0, 0), |m| {
        attributes(m.body, GENERIC)
            .find(|(kind, _)| *kind == NFTA_GEN_ID)
            .map(|(_, value)| network_number(value))
    });
    let told = answer.map_err(|refused| refused.errno).and_then(|told| told.ok_or(Errno(libc::EBADMSG)));
    told.doing("reading the generation of nftables")
}

/// A datagram must fit the send buffer (netlink_sendmsg: EMSGSIZE).
fn make_room(fd: RawFd, length: usize) -> Result<(), Errno> {
    let now: i32 = sys::option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF)?;
    // the kernel doubles what is asked, and counts its own overhead
    let wanted = (length + 4096) as i32;
    if now < wanted { sys::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, wanted) } else { Ok(()) }
}
