//! What the kernel has, in the words of helper/plan/nft.ts. A rule that cannot be said in them is told as foreign.

use std::os::fd::RawFd;

use serde::Serialize;

use super::change::{EGRESS, HOOKS};
use super::expression;
use super::interval;
use super::rule;
use super::value::{Base, Devices, Rule, SetType, TableFamily};
use super::*;
use crate::netlink::message::{attributes, network_number, string};
use crate::netlink::socket::dump;
use crate::sys::{Doing, Errno, Outcome};

const NFTA_TABLE_OWNER: u16 = 7;
const TABLE_F_OWNER: u32 = 2;

#[derive(Serialize)]
pub struct Listed {
    family: String,
    name: String,
    flags: u32,
    /// Netlink port of the owner, while it lives.
    owner: Option<u32>,
}

#[derive(Serialize)]
pub struct Table {
    family: TableFamily,
    name: String,
    owned: bool,
    sets: Vec<Set>,
    chains: Vec<Chain>,
}

#[derive(Serialize)]
struct Set {
    name: String,
    #[serde(rename = "type")]
    kind: SetType,
    /// None: not asked for.
    elements: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Chain {
    name: String,
    base: Option<Base>,
    rules: Vec<ReadRule>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ReadRule {
    Ours {
        #[serde(flatten)]
        rule: Rule,
        packets: u64,
        bytes: u64,
    },
    Foreign {
        foreign: String,
    },
}

/// Name and flags of every table of every family.
pub fn list(fd: RawFd) -> Outcome<Vec<Listed>> {
    dump(fd, &message(GETTABLE, 0, 0), |m| {
        let mut table =
            Listed { family: family_name(*m.body.first()?), name: String::new(), flags: 0, owner: None };
        for (kind, value) in attributes(m.body, GENERIC) {
            match kind {
                NFTA_TABLE_NAME => table.name = string(value),
                NFTA_TABLE_FLAGS => table.flags = network_number(value),
                NFTA_TABLE_OWNER => table.owner = Some(network_number(value)),
                _ => {}
            }
        }
        Some(table)
    })
    .doing("reading nftables tables")
}

/// One table, whole but for the elements of the sets in `known`; None: it is not there.
pub fn read(fd: RawFd, family: TableFamily, name: &str, known: &[String]) -> Outcome<Option<Table>> {
    let Some(listed) =
        list(fd)?.into_iter().find(|t| t.family == family_name(family.number()) && t.name == name)
    else {
        return Ok(None);
    };
    let read = || -> Result<Table, Errno> {
        let (sets, anonymous) = read_sets(fd, family.number(), name, known)?;
        let mut chains = read_chains(fd, family.number(), name)?;
        read_rules(fd, family, name, &anonymous, &mut chains)?;
        let owned = listed.flags & TABLE_F_OWNER != 0;
        Ok(Table { family, name: name.into(), owned, sets, chains })
    };
    read().doing(format!("reading nftables table {name}")).map(Some)
}

type Anonymous = Vec<(String, Vec<u8>)>;

fn read_sets(fd: RawFd, family: u8, table: &str, known: &[String]) -> Result<(Vec<Set>, Anonymous), Errno> {
    let mut request = message(GETSET, 0, family);
    request.text(NFTA_SET_TABLE, table);
    let found = dump(fd, &request, |m| {
        let (mut name, mut flags, mut length) = (String::new(), 0, 0);
        for (kind, value) in attributes(m.body, GENERIC) {
            match kind {
                NFTA_SET_NAME => name = string(value),
                NFTA_SET_FLAGS => flags = network_number(value),
                NFTA_SET_KEY_LEN => length = network_number(value),
                _ => {}
            }
        }
        Some((name, flags, length))
    })?;
    let mut sets = Vec::new();
    let mut anonymous = Vec::new();
    for (name, flags, length) in found {
        let kind = match (flags & NFT_SET_ANONYMOUS != 0, length) {
            (true, 1) => {
                let keys = read_elements(fd, family, table, &name)?;
                anonymous.push((name, keys.into_iter().flat_map(|(key, _)| key).collect()));
                continue;
            }
            (false, 4) => SetType::Ipv4Addr,
            (false, 16) => SetType::Ipv6Addr,
            _ => continue,
        };
        let asked = !known.contains(&name);
        let keys = if asked { Some(read_elements(fd, family, table, &name)?) } else { None };
        let elements = keys.map(|keys| interval::read(keys, length as usize));
        sets.push(Set { name, kind, elements });
    }
    Ok((sets, anonymous))
}

fn read_elements(fd: RawFd, family: u8, table: &str, set: &str) -> Result<Vec<interval::Key>, Errno> {
    let mut request = message(GETSETELEM, 0, family);
    request.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, set);
    let lists = dump(fd, &request, |m| {
        let (_, list) = attributes(m.body, GENERIC).find(|(kind, _)| *kind == NFTA_SET_ELEM_LIST_ELEMENTS)?;
        Some(attributes(list, 0).filter_map(|(_, element)| read_element(element)).collect::<Vec<_>>())
    })?;
    Ok(lists.into_iter().flatten().collect())
}

fn read_element(element: &[u8]) -> Option<interval::Key> {
    let find = |list, wanted| attributes(list, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let key = find(find(element, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?.to_vec();
    let flags = find(element, NFTA_SET_ELEM_FLAGS).map_or(0, network_number);
    Some((key, flags & NFT_SET_ELEM_INTERVAL_END != 0))
}

fn read_chains(fd: RawFd, family: u8, table: &str) -> Result<Vec<Chain>, Errno> {
    // the kernel does not filter this dump by table
    dump(fd, &message(GETCHAIN, 0, family), |m| {
        let mut chain = Chain { name: String::new(), base: None, rules: Vec::new() };
        let (mut of, mut hook, mut kind_name, mut policy) = (String::new(), None, String::new(), 1);
        for (kind, value) in attributes(m.body, GENERIC) {
            match kind {
                NFTA_CHAIN_TABLE => of = string(value),
                NFTA_CHAIN_NAME => chain.name = string(value),
                NFTA_CHAIN_HOOK => hook = Some(value),
                NFTA_CHAIN_TYPE => kind_name = string(value),
                NFTA_CHAIN_POLICY => policy = network_number(value),
                _ => {}
            }
        }
        let policy = if policy == 0 { "drop" } else { "accept" };
        chain.base = hook.map(|hook| read_hook(family, hook, kind_name, policy.into()));
        (of == table).then_some(chain)
    })
}

fn read_hook(family: u8, hook: &[u8], kind: String, policy: String) -> Base {
    let mut base = Base { kind, hook: String::new(), priority: 0, policy, devices: None };
    for (attribute, value) in attributes(hook, 0) {
        match attribute {
            NFTA_HOOK_HOOKNUM => base.hook = hook_name(family, network_number(value)),
            NFTA_HOOK_PRIORITY => base.priority = network_number(value) as i32,
            NFTA_HOOK_DEVS => base.devices = Some(read_devices(value)),
            _ => {}
        }
    }
    if family == NETDEV && base.devices.is_none() {
        base.devices = Some(Devices::Names { names: Vec::new() });
    }
    base
}

fn read_devices(list: &[u8]) -> Devices {
    let mut names = Vec::new();
    for (kind, value) in attributes(list, 0) {
        match (kind, string(value)) {
            (NFTA_DEVICE_PREFIX, prefix) if prefix.is_empty() => return Devices::All,
            (NFTA_DEVICE_PREFIX, prefix) => names.push(format!("{prefix}*")),
            (_, name) => names.push(name),
        }
    }
    Devices::Names { names }
}

fn read_rules(
    fd: RawFd,
    family: TableFamily,
    table: &str,
    anonymous: &Anonymous,
    chains: &mut [Chain],
) -> Result<(), Errno> {
    let mut request = message(GETRULE, 0, family.number());
    request.text(NFTA_RULE_TABLE, table);
    let elements = |set: &str| anonymous.iter().find(|(name, _)| name == set).map(|(_, types)| types.clone());
    let rules = dump(fd, &request, |m| {
        let (mut of, mut chain, mut list, mut note) =
            (String::new(), String::new(), Vec::new(), String::new());
        for (kind, value) in attributes(m.body, GENERIC) {
            match kind {
                NFTA_RULE_TABLE => of = string(value),
                NFTA_RULE_CHAIN => chain = string(value),
                NFTA_RULE_EXPRESSIONS => list = expression::read_list(value),
                NFTA_RULE_USERDATA => note = read_note(value),
                _ => {}
            }
        }
        (of == table).then(|| (chain, read_rule(family, note, &list, &elements)))
    })?;
    for (of, rule) in rules {
        if let Some(chain) = chains.iter_mut().find(|chain| chain.name == of) {
            chain.rules.push(rule);
        }
    }
    Ok(())
}

fn read_rule(
    family: TableFamily,
    note: String,
    list: &[expression::Expression],
    elements: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> ReadRule {
    match rule::read(family, note, list, elements) {
        Some((rule, packets, bytes)) => ReadRule::Ours { rule, packets, bytes },
        None => ReadRule::Foreign { foreign: format!("{list:?}") },
    }
}

/// Type, length, text with its terminator; what else programs put there is skipped.
fn read_note(mut userdata: &[u8]) -> String {
    while let [kind, length, rest @ ..] = userdata {
        let Some(value) = rest.get(..usize::from(*length)) else { break };
        if *kind == 0 {
            return string(value);
        }
        userdata = &rest[value.len()..];
    }
    String::new()
}

fn hook_name(family: u8, number: u32) -> String {
    let known = if family == NETDEV { &[EGRESS][..] } else { &HOOKS[..] };
    let name = known.iter().find(|(_, known)| *known == number).map(|(name, _)| *name);
    name.map_or_else(|| format!("hook{number}"), Into::into)
}

/// NFPROTO_*
pub fn family_name(number: u8) -> String {
    match number {
        INET => "inet".into(),
        2 => "ip".into(),
        3 => "arp".into(),
        NETDEV => "netdev".into(),
        7 => "bridge".into(),
        10 => "ip6".into(),
        other => format!("family{other}"),
    }
}
