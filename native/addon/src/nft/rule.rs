//! Rules of helper/plan/nft.ts to expressions and back. Each match is a fixed sequence, and the sequences are so chosen
//! that reading is unambiguous: a match that implies its family always brings the family's own check along, also where
//! an earlier match has made it already.

use super::expression::{ACCEPT, DROP, Expression, JUMP, META_MARK, RETURN};
use super::value::{Match, Rule, TableFamily, Verdict};
use super::words::{bitwise, word};
use super::{read_match::read_match, write_match::write_match};
use crate::sys::Errno;

const TCP: u8 = 6;
/// NFT_REJECT_TCP_RST; NFT_REJECT_ICMPX_UNREACH with NFT_REJECT_ICMPX_ADMIN_PROHIBITED
const RESET: Expression = Expression::Reject { kind: 1, code: 0 };
const PROHIBITED: Expression = Expression::Reject { kind: 2, code: 3 };

/// An anonymous set that a rule needs: its one-byte elements. Its expression carries the place in this list as id.
pub type Anonymous = Vec<Vec<u8>>;

pub fn write(table: TableFamily, rule: &Rule, anonymous: &mut Anonymous) -> Result<Vec<Expression>, Errno> {
    let mut list = Vec::new();
    for one in &rule.matches {
        write_match(table, one, anonymous, &mut list)?;
    }
    if rule.counter {
        list.push(Expression::Counter { packets: 0, bytes: 0 });
    }
    match &rule.verdict {
        Verdict::Accept => list.push(verdict(ACCEPT, None)),
        Verdict::Drop => list.push(verdict(DROP, None)),
        Verdict::Return => list.push(verdict(RETURN, None)),
        Verdict::Jump { chain } => list.push(verdict(JUMP, Some(chain.clone()))),
        Verdict::SetMark { mask, value } => {
            list.push(Expression::Meta(META_MARK));
            list.push(bitwise(!mask, *value));
            list.push(Expression::SetMark);
        }
        Verdict::Redirect { port } => list.extend([Expression::Port(*port), Expression::Redirect]),
        Verdict::Reject => list.push(if resets(rule) { RESET } else { PROHIBITED }),
    }
    Ok(list)
}

/// The rule and its counter, or None: it is not one that `write` makes. `elements` gives an anonymous set's elements.
pub fn read(
    table: TableFamily,
    note: String,
    list: &[Expression],
    elements: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Option<(Rule, u64, u64)> {
    let mut rest = list;
    let mut rule = Rule { note, matches: Vec::new(), counter: false, verdict: Verdict::Drop };
    let (mut packets, mut bytes) = (0, 0);
    rule.verdict = loop {
        if let Some(found) = read_verdict(rest) {
            break found;
        }
        if let Expression::Counter { packets: p, bytes: b } = rest.first()? {
            (rule.counter, packets, bytes) = (true, *p, *b);
            rest = &rest[1..];
            continue;
        }
        let (found, length) = read_match(table, rest, elements)?;
        rule.matches.push(found);
        rest = &rest[length..];
    };
    // the slow and certain check of all of the above: writing it again gives what was read
    let mut anonymous = Vec::new();
    let again = write(table, &rule, &mut anonymous).ok()?;
    let same = again.len() == list.len() && again.iter().zip(list).all(|(a, b)| alike(a, b));
    same.then_some((rule, packets, bytes))
}

fn read_verdict(list: &[Expression]) -> Option<Verdict> {
    match list {
        [Expression::Verdict { code, chain }] => match (*code, chain) {
            (ACCEPT, None) => Some(Verdict::Accept),
            (DROP, None) => Some(Verdict::Drop),
            (RETURN, None) => Some(Verdict::Return),
            (JUMP, Some(chain)) => Some(Verdict::Jump { chain: chain.clone() }),
            _ => None,
        },
        [Expression::Reject { .. }] => Some(Verdict::Reject),
        [Expression::Port(port), Expression::Redirect] => Some(Verdict::Redirect { port: *port }),
        [Expression::Meta(META_MARK), Expression::Bitwise { mask, xor }, Expression::SetMark] => {
            Some(Verdict::SetMark { mask: !word(mask)?, value: word(xor)? })
        }
        _ => None,
    }
}

/// A TCP reset is for rules that match TCP only; all others answer with ICMP, TCP included.
fn resets(rule: &Rule) -> bool {
    rule.matches.contains(&Match::Protocol { protocol: TCP })
}

/// Equal, but for what the kernel fills in: counts, and the name of an anonymous set.
fn alike(written: &Expression, found: &Expression) -> bool {
    match (written, found) {
        (Expression::Counter { .. }, Expression::Counter { .. }) => true,
        (Expression::Lookup { id: Some(_), not, .. }, Expression::Lookup { not: other, .. }) => not == other,
        _ => written == found,
    }
}

fn verdict(code: i32, chain: Option<String>) -> Expression {
    Expression::Verdict { code, chain }
}
