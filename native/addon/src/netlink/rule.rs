//! Routing rules: `ip rule`, as facts (RuleFact) and as changes.

use serde::{Deserialize, Serialize};

use super::message::{
    Message, NLM_F_CREATE, NLM_F_EXCL, Received, attributes, half_at, number, string, word_at,
};
use super::text::{bytes_of, family_number, parse_prefix, print_prefix};
use crate::sys::Errno;

pub const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const HEADER: usize = 12;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FIB_RULE_INVERT: u32 = 2;
const RTPROT_KERNEL: u8 = 2;
/// FR_ACT_* (linux/fib_rules.h)
const LOOKUP: u8 = 1;
const GOTO: u8 = 2;
const NOP: u8 = 3;
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub family: u8,
    pub priority: u32,
    pub protocol: u8,
    pub not: bool,
    pub from: Option<String>,
    pub to: Option<String>,
    pub iif: Option<String>,
    pub oif: Option<String>,
    pub mark: Option<Mark>,
    pub uids: Option<Range>,
    pub ip_protocol: Option<u8>,
    pub sport: Option<Range>,
    pub dport: Option<Range>,
    pub tos: u8,
    pub suppress_prefix_length: Option<u32>,
    pub action: Action,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
pub struct Mark {
    value: u32,
    mask: u32,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
pub struct Range {
    from: u32,
    to: u32,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Action {
    Lookup { table: u32 },
    Goto { priority: u32 },
    Unreachable,
    Blackhole,
    Prohibit,
    Nop,
}

/// PlanRule (helper/plan/plan.ts).
#[derive(Deserialize)]
pub struct Wanted {
    family: u8,
    priority: u32,
    from: Option<String>,
    to: Option<String>,
    iif: Option<String>,
    oif: Option<String>,
    mark: Option<Mark>,
    uids: Option<Range>,
    protocol: Option<u8>,
    sport: Option<Range>,
    dport: Option<Range>,
    action: Action,
}

pub fn request(family: u8) -> Message {
    let mut fixed = [0; HEADER];
    fixed[0] = family;
    Message::new(RTM_GETRULE, 0, &fixed)
}

pub fn read(message: &Received) -> Option<Rule> {
    let fixed = message.body.get(..HEADER)?;
    let mut table = u32::from(fixed[4]);
    let mut target = 0;
    let mut value_of_mark = 0;
    let mut mask = None;
    let mut rule = Rule {
        family: if i32::from(fixed[0]) == libc::AF_INET { 4 } else { 6 },
        priority: 0,
        protocol: 0,
        not: word_at(fixed, 8)? & FIB_RULE_INVERT != 0,
        from: None,
        to: None,
        iif: None,
        oif: None,
        mark: None,
        uids: None,
        ip_protocol: None,
        sport: None,
        dport: None,
        tos: fixed[3],
        suppress_prefix_length: None,
        action: Action::Nop,
    };
    for (kind, value) in attributes(message.body, HEADER) {
        match kind {
            FRA_DST => rule.to = print_prefix(value, fixed[1]),
            FRA_SRC => rule.from = print_prefix(value, fixed[2]),
            FRA_IIFNAME => rule.iif = Some(string(value)),
            FRA_OIFNAME => rule.oif = Some(string(value)),
            FRA_GOTO => target = number(value),
            FRA_PRIORITY => rule.priority = number(value),
            FRA_FWMARK => value_of_mark = number(value),
            FRA_FWMASK => mask = Some(number(value)),
            FRA_TABLE => table = number(value),
            FRA_PROTOCOL => rule.protocol = *value.first()?,
            FRA_IP_PROTO => rule.ip_protocol = value.first().copied(),
            // -1: nothing is suppressed
            FRA_SUPPRESS_PREFIXLEN => {
                rule.suppress_prefix_length = Some(number(value)).filter(|length| *length != u32::MAX);
            }
            FRA_UID_RANGE => rule.uids = Some(Range { from: word_at(value, 0)?, to: word_at(value, 4)? }),
            FRA_SPORT_RANGE => rule.sport = ports(value),
            FRA_DPORT_RANGE => rule.dport = ports(value),
            _ => {}
        }
    }
    rule.mark = mask.map(|mask| Mark { value: value_of_mark, mask });
    rule.action = match fixed[7] {
        LOOKUP => Action::Lookup { table },
        GOTO => Action::Goto { priority: target },
        BLACKHOLE => Action::Blackhole,
        UNREACHABLE => Action::Unreachable,
        PROHIBIT => Action::Prohibit,
        _ => Action::Nop,
    };
    Some(rule)
}

pub fn add(w: &Wanted) -> Result<Message, Errno> {
    let selectors = Selectors {
        family: w.family,
        flags: 0,
        tos: 0,
        protocol: RTPROT_KERNEL,
        priority: w.priority,
        from: w.from.as_deref(),
        to: w.to.as_deref(),
        iif: w.iif.as_deref(),
        oif: w.oif.as_deref(),
        mark: w.mark,
        uids: w.uids,
        ip_protocol: w.protocol,
        sport: w.sport,
        dport: w.dport,
        suppress: None,
    };
    build(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &selectors, &w.action)
}

/// Names every selector the rule has: the kernel takes the first rule that has all the named ones.
pub fn delete(r: &Rule) -> Result<Message, Errno> {
    let selectors = Selectors {
        family: r.family,
        flags: if r.not { FIB_RULE_INVERT } else { 0 },
        tos: r.tos,
        protocol: r.protocol,
        priority: r.priority,
        from: r.from.as_deref(),
        to: r.to.as_deref(),
        iif: r.iif.as_deref(),
        oif: r.oif.as_deref(),
        mark: r.mark,
        uids: r.uids,
        ip_protocol: r.ip_protocol,
        sport: r.sport,
        dport: r.dport,
        suppress: r.suppress_prefix_length,
    };
    build(RTM_DELRULE, 0, &selectors, &r.action)
}

struct Selectors<'a> {
    family: u8,
    flags: u32,
    tos: u8,
    protocol: u8,
    priority: u32,
    from: Option<&'a str>,
    to: Option<&'a str>,
    iif: Option<&'a str>,
    oif: Option<&'a str>,
    mark: Option<Mark>,
    uids: Option<Range>,
    ip_protocol: Option<u8>,
    sport: Option<Range>,
    dport: Option<Range>,
    suppress: Option<u32>,
}

fn build(kind: u16, flags: u16, s: &Selectors, action: &Action) -> Result<Message, Errno> {
    let from = s.from.map(parse_prefix).transpose()?;
    let to = s.to.map(parse_prefix).transpose()?;
    let code = match action {
        Action::Lookup { .. } => LOOKUP,
        Action::Goto { .. } => GOTO,
        Action::Nop => NOP,
        Action::Blackhole => BLACKHOLE,
        Action::Unreachable => UNREACHABLE,
        Action::Prohibit => PROHIBIT,
    };
    let length = |prefix: Option<(std::net::IpAddr, u8)>| prefix.map_or(0, |(_, length)| length);
    let mut fixed = vec![family_number(s.family), length(to), length(from), s.tos, 0, 0, 0, code];
    fixed.extend_from_slice(&s.flags.to_ne_bytes());
    let mut message = Message::new(kind, flags, &fixed);
    message.word(FRA_PRIORITY, s.priority).attribute(FRA_PROTOCOL, &[s.protocol]);
    if let Some((address, _)) = from {
        message.attribute(FRA_SRC, &bytes_of(address));
    }
    if let Some((address, _)) = to {
        message.attribute(FRA_DST, &bytes_of(address));
    }
    for (attribute, name) in [(FRA_IIFNAME, s.iif), (FRA_OIFNAME, s.oif)] {
        if let Some(name) = name {
            message.text(attribute, name);
        }
    }
    if let Some(mark) = s.mark {
        message.word(FRA_FWMARK, mark.value).word(FRA_FWMASK, mark.mask);
    }
    if let Some(uids) = s.uids {
        message.attribute(FRA_UID_RANGE, &[uids.from.to_ne_bytes(), uids.to.to_ne_bytes()].concat());
    }
    if let Some(protocol) = s.ip_protocol {
        message.attribute(FRA_IP_PROTO, &[protocol]);
    }
    for (attribute, range) in [(FRA_SPORT_RANGE, s.sport), (FRA_DPORT_RANGE, s.dport)] {
        if let Some(range) = range {
            let bytes = [(range.from as u16).to_ne_bytes(), (range.to as u16).to_ne_bytes()].concat();
            message.attribute(attribute, &bytes);
        }
    }
    if let Some(length) = s.suppress {
        message.word(FRA_SUPPRESS_PREFIXLEN, length);
    }
    match action {
        Action::Lookup { table } => message.word(FRA_TABLE, *table),
        Action::Goto { priority } => message.word(FRA_GOTO, *priority),
        _ => &mut message,
    };
    Ok(message)
}

fn ports(value: &[u8]) -> Option<Range> {
    Some(Range { from: half_at(value, 0)?.into(), to: half_at(value, 2)?.into() })
}
