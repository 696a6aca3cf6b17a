//! The list of changes (Operation of helper/plan/diff.ts, without sysctls) as messages, many to a send.
//! Links get their index when they are named by a message, so a list is sent in pieces, cut where a link is set or
//! deleted: what stands behind may depend on it. A route with several prefixes is as many operations, each with a place.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::{address, link, nexthop, route, rule, socket};
use crate::sys::{Doing, Errno, Outcome, index_of};

/// Below the default send buffer (net.core.wmem_default 212992), and what 200 messages need at most.
const ROOM: usize = 32768;

#[derive(Deserialize)]
#[serde(tag = "kind")]
pub enum Operation {
    #[serde(rename = "link.set", rename_all = "camelCase")]
    LinkSet { name: String, mtu: u32, tx_queue_len: u32 },
    #[serde(rename = "link.del")]
    LinkDelete { name: String },
    #[serde(rename = "address.add")]
    AddressAdd { link: String, address: String },
    #[serde(rename = "address.del")]
    AddressDelete { link: String, address: String },
    #[serde(rename = "nexthop.replace")]
    NexthopReplace { nexthop: nexthop::Wanted },
    #[serde(rename = "nexthop.del")]
    NexthopDelete { id: u32 },
    #[serde(rename = "route.replace")]
    RouteReplace { route: route::Wanted },
    #[serde(rename = "route.del")]
    RouteDelete { route: route::Route },
    #[serde(rename = "rule.add")]
    RuleAdd { rule: Box<rule::Wanted> },
    #[serde(rename = "rule.del")]
    RuleDelete { rule: Box<rule::Rule> },
}

#[derive(Serialize)]
pub struct Failure {
    pub index: usize,
    pub code: String,
    pub detail: String,
}

/// Every operation is tried; the refused ones come back with their place in the list.
pub fn apply(fd: RawFd, operations: &[Operation]) -> Outcome<Vec<Failure>> {
    socket::drain(fd);
    let mut failures = Vec::new();
    let mut batch = Vec::new();
    let mut places = Vec::new();
    let mut index = 0;
    for operation in operations {
        for built in build(operation) {
            match built {
                Ok(message) => {
                    batch.push(message);
                    places.push(index);
                }
                Err(errno) => failures.push(Failure { index, code: errno.name(), detail: String::new() }),
            }
            index += 1;
        }
        if changes_links(operation) {
            flush(fd, &mut batch, &mut places, &mut failures)?;
        }
    }
    flush(fd, &mut batch, &mut places, &mut failures)?;
    failures.sort_by_key(|failure| failure.index);
    Ok(failures)
}

fn flush(
    fd: RawFd,
    batch: &mut Vec<Message>,
    places: &mut Vec<usize>,
    failures: &mut Vec<Failure>,
) -> Outcome<()> {
    for refused in socket::send_all(fd, std::mem::take(batch), 1, ROOM).doing("sending changes")? {
        if let Some(&index) = places.get(refused.sequence.wrapping_sub(1) as usize) {
            failures.push(Failure { index, code: refused.errno.name(), detail: refused.detail });
        }
    }
    places.clear();
    Ok(())
}

fn build(operation: &Operation) -> Vec<Result<Message, Errno>> {
    match operation {
        Operation::LinkSet { name, mtu, tx_queue_len } => {
            vec![index_of(name).map(|index| link::set(index, *mtu, *tx_queue_len))]
        }
        Operation::LinkDelete { name } => vec![index_of(name).map(link::delete)],
        Operation::AddressAdd { link, address } => {
            vec![index_of(link).and_then(|i| address::add(i, address))]
        }
        Operation::AddressDelete { link, address } => {
            vec![index_of(link).and_then(|i| address::delete(i, address))]
        }
        Operation::NexthopReplace { nexthop } => vec![nexthop::replace(nexthop)],
        Operation::NexthopDelete { id } => vec![Ok(nexthop::delete(*id))],
        Operation::RouteReplace { route } => route.prefixes().map(|p| route::replace(route, p)).collect(),
        Operation::RouteDelete { route } => route.prefixes().map(|p| route::delete(route, p)).collect(),
        Operation::RuleAdd { rule } => vec![rule::add(rule)],
        Operation::RuleDelete { rule } => vec![rule::delete(rule)],
    }
}

fn changes_links(operation: &Operation) -> bool {
    matches!(operation, Operation::LinkSet { .. } | Operation::LinkDelete { .. })
}
