//! The list of changes as one transaction. What is to be changed was decided by the caller from what it read: tables
//! and chains are made when missing and changed in place otherwise, never deleted and made again (kernel/README A).

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use super::expression;
use super::interval;
use super::rule::{self, Anonymous};
use super::value::{Base, Devices, Rule, SetType, TableFamily};
use super::*;
use crate::netlink::message::{Message, NLM_F_APPEND, NLM_F_CREATE};
use crate::sys::{Doing, Errno, Outcome};

const NFTA_SET_ID: u16 = 10;
const NFTA_SET_ELEM_LIST_SET_ID: u16 = 4;
const NFTA_SET_DESC: u16 = 9;
const NFTA_SET_DESC_SIZE: u16 = 1;
/// NFTNL_UDATA_RULE_COMMENT
const COMMENT: u8 = 0;
/// TYPE_* of nft(8)'s src/datatype: how nft prints the keys
const TYPE_IPADDR: u32 = 7;
const TYPE_IP6ADDR: u32 = 8;
const TYPE_ICMP: u32 = 14;
const TYPE_ICMP6: u32 = 29;
/// A list of elements is one attribute of at most 64 KiB; an IPv6 key takes 36 bytes.
const ELEMENTS_A_MESSAGE: usize = 1500;
/// hook numbers: NF_INET_*, and NF_NETDEV_EGRESS
pub const HOOKS: [(&str, u32); 5] =
    [("prerouting", 0), ("input", 1), ("forward", 2), ("output", 3), ("postrouting", 4)];
pub const EGRESS: (&str, u32) = ("egress", 1);

#[derive(Deserialize)]
pub struct Change {
    family: TableFamily,
    table: String,
    #[serde(flatten)]
    step: Step,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
pub enum Step {
    /// Makes it, or takes an orphan over (`owned`: owner and persist).
    #[serde(rename = "table.set")]
    TableSet { owned: bool },
    #[serde(rename = "table.del")]
    TableDelete,
    #[serde(rename = "set.add")]
    SetAdd {
        set: String,
        #[serde(rename = "type")]
        kind: SetType,
    },
    /// Empties it and fills it again.
    #[serde(rename = "set.fill")]
    SetFill {
        set: String,
        #[serde(rename = "type")]
        kind: SetType,
        elements: Vec<String>,
    },
    #[serde(rename = "set.del")]
    SetDelete { set: String },
    /// Makes it, or sets the policy of one that is there.
    #[serde(rename = "chain.set")]
    ChainSet { chain: String, base: Option<Base> },
    /// Takes devices off a chain that lists them by name.
    #[serde(rename = "chain.devices.del")]
    ChainDevicesDelete { chain: String, base: Base },
    /// Flushes the chain and adds these rules.
    #[serde(rename = "chain.fill")]
    ChainFill { chain: String, rules: Vec<Rule> },
    #[serde(rename = "chain.del")]
    ChainDelete { chain: String },
}

#[derive(Serialize)]
pub struct Failure {
    /// Place in the list of changes.
    pub index: usize,
    pub code: String,
    pub detail: String,
}

/// Empty: done, all of it. Otherwise nothing was changed.
pub fn apply(fd: RawFd, changes: &[Change], generation: Option<u32>) -> Outcome<Vec<Failure>> {
    let mut batch = Batch { messages: Vec::new(), places: Vec::new(), sets: 0 };
    for (index, change) in changes.iter().enumerate() {
        if let Err(errno) = batch.add(change) {
            return Ok(vec![Failure {
                index,
                code: errno.name(),
                detail: "cannot be said in nftables".into(),
            }]);
        }
        batch.places.resize(batch.messages.len(), index);
    }
    if batch.messages.is_empty() {
        return Ok(Vec::new());
    }
    let places = batch.places;
    let refused = transaction(fd, batch.messages, generation).doing("sending an nftables transaction")?;
    let place = |sequence: u32| places.get(sequence as usize).copied().unwrap_or(0);
    let mut failures: Vec<Failure> = refused
        .into_iter()
        .map(|r| Failure { index: place(r.sequence), code: r.errno.name(), detail: r.detail })
        .collect();
    // a change is several messages: its first refusal is the one to tell
    failures.dedup_by_key(|failure| failure.index);
    Ok(failures)
}

struct Batch {
    messages: Vec<Message>,
    /// For each message, the change it belongs to.
    places: Vec<usize>,
    /// Anonymous sets so far: their ids within the transaction.
    sets: u32,
}

impl Batch {
    fn add(&mut self, change: &Change) -> Result<(), Errno> {
        let family = change.family.number();
        let table = change.table.as_str();
        match &change.step {
            Step::TableSet { owned } => {
                let mut m = message(NEWTABLE, NLM_F_CREATE, family);
                m.text(NFTA_TABLE_NAME, table).network_word(NFTA_TABLE_FLAGS, if *owned { OWNED } else { 0 });
                self.messages.push(m);
            }
            Step::TableDelete => {
                let mut m = message(DELTABLE, 0, family);
                m.text(NFTA_TABLE_NAME, table);
                self.messages.push(m);
            }
            Step::SetAdd { set, kind } => {
                let (key_type, length) = key(*kind);
                let mut m = message(NEWSET, NLM_F_CREATE, family);
                self.sets += 1;
                m.text(NFTA_SET_TABLE, table).text(NFTA_SET_NAME, set).network_word(NFTA_SET_ID, self.sets);
                m.network_word(NFTA_SET_FLAGS, NFT_SET_INTERVAL);
                m.network_word(NFTA_SET_KEY_TYPE, key_type).network_word(NFTA_SET_KEY_LEN, length as u32);
                self.messages.push(m);
            }
            Step::SetFill { set, kind, elements } => {
                let mut flush = message(DELSETELEM, 0, family);
                flush.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, set);
                self.messages.push(flush);
                let keys = interval::write(elements, key(*kind).1)?;
                for some in keys.chunks(ELEMENTS_A_MESSAGE) {
                    let mut m = message(NEWSETELEM, NLM_F_CREATE, family);
                    m.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, set);
                    write_elements(&mut m, some);
                    self.messages.push(m);
                }
            }
            Step::SetDelete { set } => {
                let mut m = message(DELSET, 0, family);
                m.text(NFTA_SET_TABLE, table).text(NFTA_SET_NAME, set);
                self.messages.push(m);
            }
            Step::ChainSet { chain, base } => {
                let mut m = message(NEWCHAIN, NLM_F_CREATE, family);
                m.text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, chain);
                if let Some(base) = base {
                    write_hook(&mut m, base)?;
                    m.network_word(NFTA_CHAIN_POLICY, u32::from(base.policy == "accept"));
                    m.text(NFTA_CHAIN_TYPE, &base.kind);
                }
                self.messages.push(m);
            }
            Step::ChainDevicesDelete { chain, base } => {
                let mut m = message(DELCHAIN, 0, family);
                m.text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, chain);
                write_hook(&mut m, base)?;
                self.messages.push(m);
            }
            Step::ChainFill { chain, rules } => {
                let mut flush = message(DELRULE, 0, family);
                flush.text(NFTA_RULE_TABLE, table).text(NFTA_RULE_CHAIN, chain);
                self.messages.push(flush);
                for rule in rules {
                    self.add_rule(change.family, table, chain, rule)?;
                }
            }
            Step::ChainDelete { chain } => {
                let mut m = message(DELCHAIN, 0, family);
                m.text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, chain);
                self.messages.push(m);
            }
        }
        Ok(())
    }

    fn add_rule(&mut self, family: TableFamily, table: &str, chain: &str, rule: &Rule) -> Result<(), Errno> {
        let mut anonymous: Anonymous = Vec::new();
        let mut list = rule::write(family, rule, &mut anonymous)?;
        let first = self.sets + 1;
        for types in anonymous {
            self.sets += 1;
            self.add_anonymous(family.number(), table, &types);
        }
        for expression in &mut list {
            if let expression::Expression::Lookup { id: Some(id), .. } = expression {
                *id += first;
            }
        }
        let mut m = message(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family.number());
        m.text(NFTA_RULE_TABLE, table).text(NFTA_RULE_CHAIN, chain);
        m.nested(NFTA_RULE_EXPRESSIONS, |m| {
            for expression in &list {
                expression::write(m, expression);
            }
        });
        if !rule.note.is_empty() {
            let length = u8::try_from(rule.note.len() + 1).map_err(|_| Errno(libc::EINVAL))?;
            m.attribute(NFTA_RULE_USERDATA, &[&[COMMENT, length], rule.note.as_bytes(), &[0]].concat());
        }
        self.messages.push(m);
        Ok(())
    }

    /// A set of ICMP types that lives and dies with its rule.
    fn add_anonymous(&mut self, family: u8, table: &str, types: &[u8]) {
        let icmp6 = types.iter().all(|kind| *kind >= 128);
        let mut m = message(NEWSET, NLM_F_CREATE, family);
        m.text(NFTA_SET_TABLE, table).text(NFTA_SET_NAME, "__set%d").network_word(NFTA_SET_ID, self.sets);
        m.network_word(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT);
        m.network_word(NFTA_SET_KEY_TYPE, if icmp6 { TYPE_ICMP6 } else { TYPE_ICMP });
        m.network_word(NFTA_SET_KEY_LEN, 1);
        m.nested(NFTA_SET_DESC, |m| _ = m.network_word(NFTA_SET_DESC_SIZE, types.len() as u32));
        self.messages.push(m);
        let mut m = message(NEWSETELEM, NLM_F_CREATE, family);
        m.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, "__set%d");
        m.network_word(NFTA_SET_ELEM_LIST_SET_ID, self.sets);
        let keys: Vec<interval::Key> = types.iter().map(|kind| (vec![*kind], false)).collect();
        write_elements(&mut m, &keys);
        self.messages.push(m);
    }
}

pub fn write_hook(m: &mut Message, base: &Base) -> Result<(), Errno> {
    let (_, number) =
        HOOKS.iter().chain([&EGRESS]).find(|(name, _)| *name == base.hook).ok_or(Errno(libc::EINVAL))?;
    m.nested(NFTA_CHAIN_HOOK, |m| {
        m.network_word(NFTA_HOOK_HOOKNUM, *number).network_word(NFTA_HOOK_PRIORITY, base.priority as u32);
        match &base.devices {
            None => {}
            Some(Devices::All) => _ = m.nested(NFTA_HOOK_DEVS, |m| _ = m.text(NFTA_DEVICE_PREFIX, "")),
            Some(Devices::Names { names }) => {
                m.nested(NFTA_HOOK_DEVS, |m| {
                    for name in names {
                        m.text(NFTA_DEVICE_NAME, name);
                    }
                });
            }
        }
    });
    Ok(())
}

fn write_elements(m: &mut Message, keys: &[interval::Key]) {
    m.nested(NFTA_SET_ELEM_LIST_ELEMENTS, |m| {
        for (key, end) in keys {
            m.nested(NFTA_LIST_ELEM, |m| {
                if *end {
                    m.network_word(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
                }
                m.nested(NFTA_SET_ELEM_KEY, |m| _ = m.attribute(NFTA_DATA_VALUE, key));
            });
        }
    });
}

/// How nft names the key's type, and its length in bytes.
fn key(kind: SetType) -> (u32, usize) {
    match kind {
        SetType::Ipv4Addr => (TYPE_IPADDR, 4),
        SetType::Ipv6Addr => (TYPE_IP6ADDR, 16),
    }
}
