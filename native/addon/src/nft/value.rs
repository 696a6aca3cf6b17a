//! helper/plan/nft.ts in Rust: the names of the fields are the contract, both for what is asked and what was read.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum TableFamily {
    Inet,
    Netdev,
    /// Of these only other programs have tables; all we do with one is to delete it.
    Ip,
    Ip6,
    Arp,
    Bridge,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SetType {
    Ipv4Addr,
    Ipv6Addr,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Base {
    #[serde(rename = "type")]
    pub kind: String,
    pub hook: String,
    pub priority: i32,
    pub policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Devices>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Devices {
    All,
    Names { names: Vec<String> },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub note: String,
    pub matches: Vec<Match>,
    pub counter: bool,
    pub verdict: Verdict,
}

/// 4 or 6.
pub type Family = u8;

fn is_false(value: &bool) -> bool {
    !*value
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Match {
    Iifname(Name),
    Oifname(Name),
    Mark {
        #[serde(default, skip_serializing_if = "is_false")]
        not: bool,
        mask: u32,
        value: u32,
    },
    Saddr(Prefix),
    Daddr(Prefix),
    SaddrSet(InSet),
    DaddrSet(InSet),
    Family {
        family: Family,
    },
    Ethertype {
        #[serde(rename = "type")]
        number: u16,
    },
    ArpSaddr(Prefix),
    ArpDaddr(Prefix),
    Protocol {
        protocol: u8,
    },
    Sport(Ports),
    Dport(Ports),
    IcmpType {
        family: Family,
        types: Vec<u8>,
    },
    Hops {
        family: Family,
        value: u8,
    },
    CtState {
        states: Vec<String>,
    },
    CtDirection {
        direction: String,
    },
    IpOption {
        option: String,
    },
    RoutingHeader,
    Hdrlength {
        above: u8,
    },
    FibDaddrType {
        #[serde(default, skip_serializing_if = "is_false")]
        not: bool,
        #[serde(rename = "type")]
        name: String,
    },
    Skuid {
        from: u32,
        to: u32,
    },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Name {
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
    pub name: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Prefix {
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
    pub prefix: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InSet {
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
    pub family: Family,
    pub set: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Ports {
    pub from: u16,
    pub to: u16,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    Accept,
    Drop,
    SetMark { mask: u32, value: u32 },
    Reject,
    Jump { chain: String },
    Redirect { port: u16 },
    Return,
}

impl TableFamily {
    pub fn number(self) -> u8 {
        match self {
            TableFamily::Inet => super::INET,
            TableFamily::Netdev => super::NETDEV,
            TableFamily::Ip => super::IP,
            TableFamily::Ip6 => super::IP6,
            TableFamily::Arp => super::ARP,
            TableFamily::Bridge => super::BRIDGE,
        }
    }
}
