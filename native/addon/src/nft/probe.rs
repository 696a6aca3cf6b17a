//! What this kernel's nftables can, by asking for it in a transaction that cannot succeed: its last message deletes a
//! chain that does not exist, so whatever is refused before it is what the kernel does not know, and nothing is changed.

use std::os::fd::RawFd;

use serde::Serialize;

use super::change::write_hook;
use super::expression::{self, Expression};
use super::value::{Base, Devices};
use super::*;
use crate::netlink::message::{Message, NLM_F_CREATE};
use crate::sys::{Doing, Errno, Outcome};

/// Nobody's name, and it never comes to be.
const SCRATCH: &str = "culvert-probe";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    nft: bool,
    owner: bool,
    device_prefix: bool,
    /// Packets can be led to this machine itself before they leave.
    redirects: bool,
}

pub fn probe(fd: RawFd) -> Outcome<Features> {
    let nft = accepts(fd, NETDEV, 0, vec![]).doing("probing nftables")?;
    let owner = nft && accepts(fd, NETDEV, OWNED, vec![]).doing("probing nftables table ownership")?;
    let egress = hooked("filter", "egress", 0, Some(Devices::All));
    let device_prefix = nft
        && chain(NETDEV, &egress)
            .and_then(|chain| accepts(fd, NETDEV, 0, vec![chain]))
            .doing("probing the nftables device prefix")?;
    let redirects = nft
        && chain(INET, &hooked("nat", "output", -100, None))
            .and_then(|chain| accepts(fd, INET, 0, vec![chain, redirect()]))
            .doing("probing nftables redirects")?;
    Ok(Features { nft, owner, device_prefix, redirects })
}

fn hooked(kind: &str, hook: &str, priority: i32, devices: Option<Devices>) -> Base {
    Base { kind: kind.into(), hook: hook.into(), priority, policy: "accept".into(), devices }
}

fn chain(family: u8, base: &Base) -> Result<Message, Errno> {
    let mut chain = message(NEWCHAIN, NLM_F_CREATE, family);
    chain.text(NFTA_CHAIN_TABLE, SCRATCH).text(NFTA_CHAIN_NAME, "probe");
    write_hook(&mut chain, base)?;
    chain.network_word(NFTA_CHAIN_POLICY, 1).text(NFTA_CHAIN_TYPE, &base.kind);
    Ok(chain)
}

fn redirect() -> Message {
    let mut rule = message(NEWRULE, NLM_F_CREATE, INET);
    rule.text(NFTA_RULE_TABLE, SCRATCH).text(NFTA_RULE_CHAIN, "probe");
    rule.nested(NFTA_RULE_EXPRESSIONS, |m| {
        // only what has ports can be led to another one
        let udp = [17];
        expression::write(m, &Expression::Meta(expression::META_L4PROTO));
        expression::write(m, &super::words::compare(false, &udp));
        expression::write(m, &Expression::Port(53));
        expression::write(m, &Expression::Redirect);
    });
    rule
}

fn accepts(fd: RawFd, family: u8, flags: u32, more: Vec<Message>) -> Result<bool, Errno> {
    let mut table = message(NEWTABLE, NLM_F_CREATE, family);
    table.text(NFTA_TABLE_NAME, SCRATCH).network_word(NFTA_TABLE_FLAGS, flags);
    let mut batch = vec![table];
    batch.extend(more);
    let last = batch.len() as u32;
    let mut fails = message(DELCHAIN, 0, family);
    fails.text(NFTA_CHAIN_TABLE, SCRATCH).text(NFTA_CHAIN_NAME, "nosuch");
    batch.push(fails);
    let refused = match transaction(fd, batch, None) {
        Ok(refused) => refused,
        // no nftables in this kernel at all
        Err(Errno(libc::EPROTONOSUPPORT | libc::ENOPROTOOPT | libc::ECONNREFUSED)) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    if let Some(no) = refused.iter().find(|r| r.errno.0 == libc::EPERM) {
        return Err(no.errno);
    }
    Ok(!refused.is_empty() && refused.iter().all(|r| r.sequence == last))
}
