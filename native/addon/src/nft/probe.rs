//! What this kernel's nftables can, by asking for it in a transaction that cannot succeed: its last message deletes a
//! chain that does not exist, so whatever is refused before it is what the kernel does not know, and nothing is changed.

use std::os::fd::RawFd;

use serde::Serialize;

use super::change::write_hook;
use super::value::{Base, Devices};
use super::*;
use crate::netlink::message::NLM_F_CREATE;
use crate::sys::{Doing, Errno, Outcome};

/// Nobody's name, and it never comes to be.
const SCRATCH: &str = "culvert-probe";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    nft: bool,
    owner: bool,
    device_prefix: bool,
}

pub fn probe(fd: RawFd) -> Outcome<Features> {
    let nft = accepts(fd, 0, None).doing("probing nftables")?;
    let owner = nft && accepts(fd, OWNED, None).doing("probing nftables table ownership")?;
    let device_prefix =
        nft && accepts(fd, 0, Some(Devices::All)).doing("probing the nftables device prefix")?;
    Ok(Features { nft, owner, device_prefix })
}

fn accepts(fd: RawFd, flags: u32, devices: Option<Devices>) -> Result<bool, Errno> {
    let mut table = message(NEWTABLE, NLM_F_CREATE, NETDEV);
    table.text(NFTA_TABLE_NAME, SCRATCH).network_word(NFTA_TABLE_FLAGS, flags);
    let mut batch = vec![table];
    if devices.is_some() {
        let base = Base {
            kind: "filter".into(),
            hook: "egress".into(),
            priority: 0,
            policy: "accept".into(),
            devices,
        };
        let mut chain = message(NEWCHAIN, NLM_F_CREATE, NETDEV);
        chain.text(NFTA_CHAIN_TABLE, SCRATCH).text(NFTA_CHAIN_NAME, "probe");
        write_hook(&mut chain, &base)?;
        chain.network_word(NFTA_CHAIN_POLICY, 1).text(NFTA_CHAIN_TYPE, "filter");
        batch.push(chain);
    }
    let last = batch.len() as u32;
    let mut fails = message(DELCHAIN, 0, NETDEV);
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
