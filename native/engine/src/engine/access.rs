//! What a peer may begin: a list with default deny. Whoever was sent something may answer it.
//!
//! Rules are looked at in order of nothing: one that allows is enough. Conversations are remembered for each peer that has
//! a list, bounded and with an age; one that was forgotten lives again with the next packet towards the peer.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Mutex;

use super::allowed_ips::Prefix;
use crate::wire::ip;

/// Conversations remembered for one peer: 4,096 at about 60 bytes.
const CONVERSATIONS: usize = 4_096;
/// Idle time after which an answer is no answer any more (RFC 4787 section 4.3 recommends five minutes).
const LASTS: u64 = 300_000;
/// What is kept when there are too many.
const RECENT: u64 = 30_000;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    to: Prefix,
    protocol: Option<Protocol>,
    ports: Option<RangeInclusive<u16>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// Both families'.
    Icmp,
    Number(u8),
}

impl Rule {
    /// `PREFIX [tcp|udp|icmp|NUMBER [PORT[-PORT]]]`
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let to = Prefix::parse(words.next()?)?;
        let protocol = match words.next() {
            None => None,
            Some("icmp") => Some(Protocol::Icmp),
            Some("tcp") => Some(Protocol::Number(ip::TCP)),
            Some("udp") => Some(Protocol::Number(ip::UDP)),
            Some(number) => Some(Protocol::Number(number.parse().ok()?)),
        };
        let ports = match words.next() {
            None => None,
            Some(_) if !matches!(protocol, Some(Protocol::Number(ip::TCP | ip::UDP))) => return None,
            Some(ports) => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                Some(first.parse().ok()?..=last.parse().ok()?)
            }
        };
        words.next().is_none().then_some(Self { to, protocol, ports })
    }

    fn allows(&self, packet: &Flow) -> bool {
        let protocol = match self.protocol {
            None => true,
            Some(Protocol::Icmp) => matches!(packet.protocol, ICMP | ICMPV6),
            Some(Protocol::Number(number)) => packet.protocol == number,
        };
        let port =
            self.ports.as_ref().is_none_or(|ports| packet.has_ports && ports.contains(&packet.there.1));
        protocol && port && self.to.contains(packet.there.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        match self.protocol {
            None => {}
            Some(Protocol::Icmp) => write!(f, " icmp")?,
            Some(Protocol::Number(ip::TCP)) => write!(f, " tcp")?,
            Some(Protocol::Number(ip::UDP)) => write!(f, " udp")?,
            Some(Protocol::Number(number)) => write!(f, " {number}")?,
        }
        self.ports.as_ref().map_or(Ok(()), |ports| write!(f, " {}-{}", ports.start(), ports.end()))
    }
}

/// A packet as an access list sees it, from the peer's side.
struct Flow {
    protocol: u8,
    /// False for other protocols and for fragments: the ports are 0 then.
    has_ports: bool,
    here: (IpAddr, u16),
    there: (IpAddr, u16),
}

impl Flow {
    fn of(view: &ip::View, packet: &[u8], is_from_peer: bool) -> Self {
        let transport = &packet[view.header..view.total];
        let has_ports = matches!(view.protocol, ip::TCP | ip::UDP) && !view.fragment && transport.len() >= 4;
        let port =
            |at: usize| if has_ports { u16::from_be_bytes([transport[at], transport[at + 1]]) } else { 0 };
        let (source, destination) = ((ip::source(packet), port(0)), (ip::destination(packet), port(2)));
        let (here, there) = if is_from_peer { (source, destination) } else { (destination, source) };
        Self { protocol: view.protocol, has_ports, here, there }
    }
}

type Conversation = (u8, (IpAddr, u16), (IpAddr, u16));

#[derive(Default)]
pub struct Access {
    pub rules: Vec<Rule>,
    /// When something was last sent to the peer.
    conversations: Mutex<HashMap<Conversation, u64>>,
}

impl Access {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, conversations: Mutex::default() }
    }

    /// May the peer send this?
    pub fn allows(&self, now: u64, view: &ip::View, packet: &[u8]) -> bool {
        let flow = Flow::of(view, packet, true);
        if self.rules.iter().any(|rule| rule.allows(&flow)) {
            return true;
        }
        let conversations = self.conversations.lock().expect("no panic holds this lock");
        let last = conversations.get(&(flow.protocol, flow.here, flow.there));
        last.is_some_and(|last| now.saturating_sub(*last) < LASTS)
    }

    /// This is sent to the peer: it may answer.
    pub fn note(&self, now: u64, view: &ip::View, packet: &[u8]) {
        let flow = Flow::of(view, packet, false);
        let mut conversations = self.conversations.lock().expect("no panic holds this lock");
        let conversation = (flow.protocol, flow.here, flow.there);
        if conversations.len() >= CONVERSATIONS && !conversations.contains_key(&conversation) {
            conversations.retain(|_, last| now.saturating_sub(*last) < RECENT);
            if conversations.len() >= CONVERSATIONS {
                conversations.clear();
            }
        }
        conversations.insert(conversation, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offload::split::tests::{tcp_packet, udp_packet};

    fn list(rules: &[&str]) -> Access {
        Access::new(rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect())
    }

    fn may(access: &Access, packet: &[u8]) -> bool {
        access.allows(1_000, &ip::view(packet).unwrap(), packet)
    }

    // The test packets go from port 12345 to port 443.

    #[test]
    fn rules_name_prefix_protocol_and_ports() {
        let packet = tcp_packet("10.0.0.1", "10.0.0.2", 1, 2, &[]);
        for allows in ["10.0.0.0/8", "0.0.0.0/0 tcp", "10.0.0.2/32 tcp 443", "10.0.0.2/32 6 1-443"] {
            assert!(may(&list(&[allows]), &packet), "{allows}");
        }
        for refuses in
            ["10.0.0.1/32", "10.0.0.2/32 udp", "10.0.0.2/32 tcp 444-500", "::/0", "10.0.0.2/32 icmp"]
        {
            assert!(!may(&list(&[refuses]), &packet), "{refuses}");
        }
        assert!(!may(&list(&[]), &packet), "default deny");
    }

    #[test]
    fn rules_print_as_they_parse_and_nonsense_is_refused() {
        for text in ["10.0.0.0/8", "10.0.0.0/8 tcp 1-443", "::/0 icmp", "10.0.0.0/8 47"] {
            assert_eq!(Rule::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/8 sctp",
            "10.0.0.0/8 icmp 1",
            "10.0.0.0/8 tcp 1-",
            "10.0.0.0/8 tcp 1 2",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn whoever_was_asked_may_answer_that_and_nothing_else() {
        let access = list(&[]);
        let asked = tcp_packet("10.0.0.1", "10.0.0.2", 1, 2, &[]);
        access.note(1_000, &ip::view(&asked).unwrap(), &asked);
        let mut answer = tcp_packet("10.0.0.2", "10.0.0.1", 1, 18, &[]);
        answer[20..22].copy_from_slice(&443u16.to_be_bytes());
        answer[22..24].copy_from_slice(&12345u16.to_be_bytes());
        assert!(may(&access, &answer));
        assert!(!access.allows(1_000 + LASTS, &ip::view(&answer).unwrap(), &answer), "too late");
        answer[23] ^= 1;
        assert!(!may(&access, &answer), "another port");
        assert!(!may(&access, &udp_packet("10.0.0.2", "10.0.0.1", b"x")));
    }

    #[test]
    fn conversations_are_bounded() {
        let access = list(&[]);
        for i in 0..3 * CONVERSATIONS as u32 {
            let source = std::net::Ipv4Addr::from_bits(0x0b00_0000 + i).to_string();
            let packet = udp_packet(&source, "10.0.0.2", b"x");
            access.note(1_000, &ip::view(&packet).unwrap(), &packet);
        }
        assert!(access.conversations.lock().unwrap().len() <= CONVERSATIONS);
    }
}
