//! nftables expressions and their bytes. All data goes through register 1, as nft(8) itself does for single matches;
//! what was read and is not one of these is `Foreign`, and never equal to anything asked for.

use crate::netlink::message::{Message, attributes, network_number, string};

use super::{NFTA_DATA_VALUE, NFTA_LIST_ELEM};

// linux/netfilter/nf_tables.h
pub const META_PROTOCOL: u32 = 1;
pub const META_MARK: u32 = 3;
pub const META_IIFNAME: u32 = 6;
pub const META_OIFNAME: u32 = 7;
pub const META_SKUID: u32 = 10;
pub const META_NFPROTO: u32 = 15;
pub const META_L4PROTO: u32 = 16;
pub const EQ: u32 = 0;
pub const NEQ: u32 = 1;
pub const LTE: u32 = 3;
pub const GT: u32 = 4;
pub const GTE: u32 = 5;
pub const NETWORK: u32 = 1;
pub const TRANSPORT: u32 = 2;
pub const CT_STATE: u32 = 0;
pub const CT_DIRECTION: u32 = 1;
pub const EXTHDR_IPV6: u32 = 0;
pub const EXTHDR_IPV4: u32 = 2;
pub const DROP: i32 = 0;
pub const ACCEPT: i32 = 1;
pub const JUMP: i32 = -3;
pub const RETURN: i32 = -5;
const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_VERDICT_CHAIN: u16 = 2;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const LOOKUP_INVERTED: u32 = 1;
const EXTHDR_PRESENT: u32 = 1;
const FIB_RESULT_ADDRTYPE: u32 = 3;
const FIB_DADDR: u32 = 2;
const BYTEORDER_HTON: u32 = 1;
/// NF_NAT_RANGE_PROTO_SPECIFIED (nf_nat.h)
const NAT_PROTO_SPECIFIED: u32 = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    Meta(u32),
    SetMark,
    Compare {
        operator: u32,
        data: Vec<u8>,
    },
    /// register = (register & mask) ^ xor
    Bitwise {
        mask: Vec<u8>,
        xor: Vec<u8>,
    },
    Payload {
        base: u32,
        offset: u32,
        length: u32,
    },
    /// Host to network order, one word.
    Hton,
    /// `id` names an anonymous set of the same transaction.
    Lookup {
        set: String,
        id: Option<u32>,
        not: bool,
    },
    Conntrack(u32),
    /// Is this header or option there?
    Exthdr {
        operation: u32,
        header: u8,
    },
    FibDaddrType,
    Counter {
        packets: u64,
        bytes: u64,
    },
    Verdict {
        code: i32,
        chain: Option<String>,
    },
    Reject {
        kind: u32,
        code: u8,
    },
    /// One word into register 1: the port in network order, before a redirect.
    Port(u16),
    /// To this machine itself, at the port in register 1.
    Redirect,
    Foreign(String),
}

pub fn write(message: &mut Message, expression: &Expression) {
    message.nested(NFTA_LIST_ELEM, |m| {
        m.text(NFTA_EXPR_NAME, name(expression));
        m.nested(NFTA_EXPR_DATA, |m| write_data(m, expression));
    });
}

/// The list in NFTA_RULE_EXPRESSIONS.
pub fn read_list(list: &[u8]) -> Vec<Expression> {
    attributes(list, 0).map(|(_, element)| read(element)).collect()
}

fn name(expression: &Expression) -> &'static str {
    match expression {
        Expression::Meta(_) | Expression::SetMark => "meta",
        Expression::Compare { .. } => "cmp",
        Expression::Bitwise { .. } => "bitwise",
        Expression::Payload { .. } => "payload",
        Expression::Hton => "byteorder",
        Expression::Lookup { .. } => "lookup",
        Expression::Conntrack(_) => "ct",
        Expression::Exthdr { .. } => "exthdr",
        Expression::FibDaddrType => "fib",
        Expression::Counter { .. } => "counter",
        Expression::Verdict { .. } | Expression::Port(_) => "immediate",
        Expression::Redirect => "redir",
        Expression::Reject { .. } => "reject",
        Expression::Foreign(_) => "foreign",
    }
}

/// Attribute numbers are NFTA_META_*, NFTA_CMP_*, … in the order of nf_tables.h.
fn write_data(m: &mut Message, expression: &Expression) {
    match expression {
        Expression::Meta(key) => {
            m.network_word(1, REGISTER_1).network_word(2, *key);
        }
        Expression::SetMark => {
            m.network_word(2, META_MARK).network_word(3, REGISTER_1);
        }
        Expression::Compare { operator, data } => {
            m.network_word(1, REGISTER_1).network_word(2, *operator);
            m.nested(3, |m| _ = m.attribute(NFTA_DATA_VALUE, data));
        }
        Expression::Bitwise { mask, xor } => {
            m.network_word(1, REGISTER_1).network_word(2, REGISTER_1).network_word(3, mask.len() as u32);
            m.nested(4, |m| _ = m.attribute(NFTA_DATA_VALUE, mask));
            m.nested(5, |m| _ = m.attribute(NFTA_DATA_VALUE, xor));
        }
        Expression::Payload { base, offset, length } => {
            m.network_word(1, REGISTER_1).network_word(2, *base);
            m.network_word(3, *offset).network_word(4, *length);
        }
        Expression::Hton => {
            m.network_word(1, REGISTER_1).network_word(2, REGISTER_1);
            m.network_word(3, BYTEORDER_HTON).network_word(4, 4).network_word(5, 4);
        }
        Expression::Lookup { set, id, not } => {
            m.text(1, set).network_word(2, REGISTER_1);
            if let Some(id) = id {
                m.network_word(4, *id);
            }
            m.network_word(5, if *not { LOOKUP_INVERTED } else { 0 });
        }
        Expression::Conntrack(key) => {
            m.network_word(1, REGISTER_1).network_word(2, *key);
        }
        Expression::Exthdr { operation, header } => {
            m.network_word(1, REGISTER_1).attribute(2, &[*header]).network_word(3, 0).network_word(4, 1);
            m.network_word(5, EXTHDR_PRESENT).network_word(6, *operation);
        }
        Expression::FibDaddrType => {
            m.network_word(1, REGISTER_1).network_word(2, FIB_RESULT_ADDRTYPE).network_word(3, FIB_DADDR);
        }
        Expression::Counter { packets, bytes } => {
            m.attribute(1, &bytes.to_be_bytes()).attribute(2, &packets.to_be_bytes());
        }
        Expression::Verdict { code, chain } => {
            m.network_word(1, REGISTER_VERDICT);
            m.nested(2, |m| {
                m.nested(NFTA_DATA_VERDICT, |m| {
                    m.network_word(NFTA_VERDICT_CODE, *code as u32);
                    if let Some(chain) = chain {
                        m.text(NFTA_VERDICT_CHAIN, chain);
                    }
                });
            });
        }
        Expression::Reject { kind, code } => {
            m.network_word(1, *kind).attribute(2, &[*code]);
        }
        Expression::Port(port) => {
            m.network_word(1, REGISTER_1);
            m.nested(2, |m| _ = m.attribute(NFTA_DATA_VALUE, &port.to_be_bytes()));
        }
        Expression::Redirect => {
            m.network_word(1, REGISTER_1).network_word(3, NAT_PROTO_SPECIFIED);
        }
        Expression::Foreign(_) => {}
    }
}

fn read(element: &[u8]) -> Expression {
    let find = |wanted| attributes(element, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let name = find(NFTA_EXPR_NAME).map(string).unwrap_or_default();
    let data = Data(find(NFTA_EXPR_DATA).unwrap_or(&[]));
    read_data(&name, &data).unwrap_or(Expression::Foreign(name))
}

/// None: a shape of this expression that is never asked for.
fn read_data(name: &str, data: &Data) -> Option<Expression> {
    let one = |kind| (data.word(kind)? == REGISTER_1).then_some(());
    match name {
        "meta" if data.get(3).is_some() => {
            (data.word(2)? == META_MARK && data.word(3)? == REGISTER_1).then_some(Expression::SetMark)
        }
        "meta" => one(1).and(Some(Expression::Meta(data.word(2)?))),
        "cmp" => one(1).and(Some(Expression::Compare { operator: data.word(2)?, data: data.value(3)? })),
        "bitwise" if data.word(6).unwrap_or(0) == 0 => {
            one(1).and(one(2)).and(Some(Expression::Bitwise { mask: data.value(4)?, xor: data.value(5)? }))
        }
        "payload" => one(1).and(Some(Expression::Payload {
            base: data.word(2)?,
            offset: data.word(3)?,
            length: data.word(4)?,
        })),
        "byteorder" => {
            let same = data.word(3)? == BYTEORDER_HTON && data.word(4)? == 4 && data.word(5)? == 4;
            one(1).and(one(2)).and(same.then_some(Expression::Hton))
        }
        "lookup" if data.get(3).is_none() => one(2).and(Some(Expression::Lookup {
            set: string(data.get(1)?),
            id: None,
            not: data.word(5).unwrap_or(0) & LOOKUP_INVERTED != 0,
        })),
        "ct" if data.get(3).is_none() => one(1).and(Some(Expression::Conntrack(data.word(2)?))),
        "exthdr" => {
            let present = data.word(5)? == EXTHDR_PRESENT && data.word(3)? == 0 && data.word(4)? == 1;
            let operation = data.word(6).unwrap_or(EXTHDR_IPV6);
            one(1).and(present.then_some(Expression::Exthdr { operation, header: *data.get(2)?.first()? }))
        }
        "fib" => {
            let same = data.word(2)? == FIB_RESULT_ADDRTYPE && data.word(3)? == FIB_DADDR;
            one(1).and(same.then_some(Expression::FibDaddrType))
        }
        "counter" => Some(Expression::Counter { bytes: data.long(1)?, packets: data.long(2)? }),
        "immediate" if data.word(1)? == REGISTER_VERDICT => {
            let verdict = Data(Data(data.get(2)?).get(NFTA_DATA_VERDICT)?);
            let chain = verdict.get(NFTA_VERDICT_CHAIN).map(string);
            Some(Expression::Verdict { code: verdict.word(NFTA_VERDICT_CODE)? as i32, chain })
        }
        "immediate" => {
            let port = Data(data.get(2)?).get(NFTA_DATA_VALUE)?.try_into().ok()?;
            one(1).and(Some(Expression::Port(u16::from_be_bytes(port))))
        }
        "redir" if data.get(2).is_none_or(|_| data.word(2) == Some(REGISTER_1)) => {
            one(1).and((data.word(3)? == NAT_PROTO_SPECIFIED).then_some(Expression::Redirect))
        }
        "reject" => {
            // a TCP reset has no code
            let code = data.get(2).and_then(|v| v.first().copied()).unwrap_or(0);
            Some(Expression::Reject { kind: data.word(1)?, code })
        }
        _ => None,
    }
}

struct Data<'a>(&'a [u8]);

impl<'a> Data<'a> {
    fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        attributes(self.0, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    }

    fn word(&self, wanted: u16) -> Option<u32> {
        self.get(wanted).map(network_number)
    }

    fn long(&self, wanted: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(wanted)?.try_into().ok()?))
    }

    fn value(&self, wanted: u16) -> Option<Vec<u8>> {
        Some(Data(self.get(wanted)?).get(NFTA_DATA_VALUE)?.to_vec())
    }
}
