//! The text of the UAPI (wireguard.com/xplatform, "Configuration Protocol"): requests parsed, answers printed.

use std::fmt::Write;
use std::net::SocketAddr;

use super::handed;
use crate::engine::Engine;
use crate::engine::access::Rule;
use crate::engine::allowed_ips::Prefix;
use crate::engine::config::{AllowedChange, Change, PeerChange, PeerReport};
use crate::engine::counters::Refusal;
use crate::engine::inside::Inside;
use crate::noise::primitives::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    Get,
    /// Ours: `get=culvert`, what the standard answer has no key for.
    GetExtension,
    Set(Box<Set>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub change: Change,
    pub listen_port: Option<u16>,
    pub fwmark: Option<u32>,
    /// Ours: so many UDP sockets come with the request, for IPv4 and then for IPv6.
    pub udp_fds: Option<usize>,
}

/// The line that was not understood; answered with EINVAL.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

/// Parses a request without its closing empty line.
pub fn parse(text: &str) -> Result<Request, Invalid> {
    let mut lines = text.lines();
    match lines.next() {
        Some("get=1") => Ok(Request::Get),
        Some("get=culvert") => Ok(Request::GetExtension),
        Some("set=1") => {
            let mut set = Set::default();
            for line in lines {
                set_line(&mut set, line).ok_or_else(|| Invalid(redact(line)))?;
            }
            // Without an address inside there would be no way but the direct one, which it must not take.
            let lost =
                |peer: &PeerChange| peer.via_source.is_none() && peer.via.is_some_and(|via| via != [0; 32]);
            if set.change.peers.iter().any(lost) {
                return Err(Invalid("culvert_via without culvert_via_source".to_owned()));
            }
            Ok(Request::Set(Box::new(set)))
        }
        other => Err(Invalid(other.unwrap_or_default().to_owned())),
    }
}

/// Keys never reach a log.
fn redact(line: &str) -> String {
    match line.split_once('=') {
        Some((key @ ("private_key" | "preshared_key"), _)) => format!("{key}=(hidden)"),
        _ => line.to_owned(),
    }
}

fn set_line(set: &mut Set, line: &str) -> Option<()> {
    let (key, value) = line.split_once('=')?;
    if key == "public_key" {
        set.change.peers.push(PeerChange { public: parse_key(value)?, ..PeerChange::default() });
        return Some(());
    }
    match set.change.peers.last_mut() {
        None => set_device(set, key, value),
        Some(peer) => set_peer(peer, key, value),
    }
}

fn set_device(set: &mut Set, key: &str, value: &str) -> Option<()> {
    match key {
        "private_key" => set.change.private_key = Some(parse_key(value)?),
        "listen_port" => set.listen_port = Some(value.parse().ok()?),
        "fwmark" => set.fwmark = Some(parse_mark(value)?),
        "culvert_udp_fds" => {
            set.udp_fds = Some(value.parse().ok().filter(|count| (1..=handed::MOST).contains(count))?);
        }
        "culvert_bridge" => set.change.bridge = Some(value.parse().ok()?),
        "culvert_inside" => set.change.inside = Some(Inside::parse(value)?),
        "replace_peers" => set.change.replace_peers = is_true(value)?,
        _ => return None,
    }
    Some(())
}

fn set_peer(peer: &mut PeerChange, key: &str, value: &str) -> Option<()> {
    match key {
        "remove" => peer.remove = is_true(value)?,
        "update_only" => peer.update_only = is_true(value)?,
        "preshared_key" => peer.preshared = Some(parse_key(value)?),
        "endpoint" => peer.endpoint = Some(value.parse::<SocketAddr>().ok()?),
        "persistent_keepalive_interval" => peer.keepalive = Some(value.parse().ok()?),
        "replace_allowed_ips" => peer.replace_allowed = is_true(value)?,
        "allowed_ip" => peer.allowed.push(match value.strip_prefix('-') {
            Some(prefix) => AllowedChange::Remove(Prefix::parse(prefix)?),
            None => AllowedChange::Add(Prefix::parse(value)?),
        }),
        // The list is begun anew in each request that names it; alone, it denies everything.
        "culvert_access" if value.is_empty() => drop(peer.access.get_or_insert_default()),
        "culvert_access" => peer.access.get_or_insert_default().push(Rule::parse(value)?),
        "culvert_bridge" => peer.bridge = Some(value.parse().ok()?),
        "culvert_via" => peer.via = Some(parse_key(value)?),
        "culvert_via_source" => peer.via_source = Some(value.parse().ok()?),
        "protocol_version" => (value == "1").then_some(())?,
        _ => return None,
    }
    Some(())
}

fn is_true(value: &str) -> Option<bool> {
    (value == "true").then_some(true)
}

fn parse_mark(value: &str) -> Option<u32> {
    match value.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => value.parse().ok(),
    }
}

fn parse_key(hex: &str) -> Option<Key> {
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(key)
}

fn print_key(out: &mut String, name: &str, key: &Key) {
    let _ = write!(out, "{name}=");
    for byte in key {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\n');
}

/// The answer to `get=1`.
pub fn print(engine: &Engine, listen_port: u16, fwmark: u32) -> String {
    let mut out = String::new();
    if let Some(private) = engine.private_key() {
        print_key(&mut out, "private_key", &private);
    }
    let _ = writeln!(out, "listen_port={listen_port}");
    if fwmark != 0 {
        let _ = writeln!(out, "fwmark={fwmark}");
    }
    engine.report().iter().for_each(|peer| print_peer(&mut out, peer));
    out.push_str("errno=0\n\n");
    out
}

fn print_peer(out: &mut String, peer: &PeerReport) {
    print_key(out, "public_key", &peer.public);
    print_key(out, "preshared_key", &peer.preshared);
    out.push_str("protocol_version=1\n");
    if let Some(endpoint) = peer.endpoint {
        let _ = writeln!(out, "endpoint={endpoint}");
    }
    let (seconds, nanoseconds) =
        (peer.last_handshake_ns / 1_000_000_000, peer.last_handshake_ns % 1_000_000_000);
    let _ = writeln!(out, "last_handshake_time_sec={seconds}\nlast_handshake_time_nsec={nanoseconds}");
    let _ = writeln!(out, "tx_bytes={}\nrx_bytes={}", peer.sent_bytes, peer.received_bytes);
    let _ = writeln!(out, "persistent_keepalive_interval={}", peer.keepalive);
    for prefix in &peer.allowed {
        let _ = writeln!(out, "allowed_ip={prefix}");
    }
}

/// The answer to `get=culvert`: one line for each reason of refusal, then what the standard does not say of a peer.
pub fn print_extension(engine: &Engine) -> String {
    let mut out = String::new();
    for refusal in Refusal::ALL {
        let _ = writeln!(out, "refused_{}={}", refusal.key(), engine.counters.get(*refusal));
    }
    for peer in engine.report() {
        print_key(&mut out, "public_key", &peer.public);
        let _ = writeln!(out, "refused={}", peer.refused);
        for rule in peer.access.iter().flat_map(|access| &access.rules) {
            let _ = writeln!(out, "access={rule}");
        }
        let _ = writeln!(out, "silent={}\nround_trip_ms={}", peer.is_silent, peer.round_trip_ms);
        if let Some(limit) = peer.path_limit {
            let _ = writeln!(out, "path_mtu={limit}");
        }
        if let Some((outer, source)) = peer.via {
            print_key(&mut out, "via", &outer);
            let _ = writeln!(out, "via_source={source}");
        }
    }
    out.push_str("errno=0\n\n");
    out
}

/// Errors are negative, as wireguard-go prints them.
pub fn print_errno(code: i32) -> String {
    format!("errno={}\n\n", -code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";

    #[test]
    fn the_documented_example_parses() {
        let text = format!(
            "set=1\nprivate_key={KEY}\nfwmark=0\nlisten_port=12912\nreplace_peers=true\npublic_key={KEY}\nreplace_allowed_ips=true\nallowed_ip=192.168.4.10/32\nendpoint=[abcd:23::33%2]:51820\n"
        );
        let Ok(Request::Set(set)) = parse(&text) else { panic!() };
        assert_eq!(
            set.change.peers[0].endpoint.map(|at| at.to_string()),
            Some("[abcd:23::33%2]:51820".into())
        );
        assert_eq!((set.listen_port, set.fwmark, set.change.replace_peers), (Some(12912), Some(0), true));
        assert_eq!(
            set.change.peers[0].allowed,
            [AllowedChange::Add(Prefix::parse("192.168.4.10/32").unwrap())]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for bad in [
            "",
            "get=2",
            "set=1\nunknown=1",
            "set=1\nprivate_key=00",
            "set=1\nlisten_port=70000",
            "set=1\nallowed_ip=10.0.0.0/8",
            &format!("set=1\npublic_key={KEY}\nprivate_key={KEY}"),
            &format!("set=1\npublic_key={KEY}\nallowed_ip=10.0.0.0/33"),
            &format!("set=1\npublic_key={KEY}\nprotocol_version=2"),
            "set=1\nreplace_peers=yes",
            "set=1\nculvert_udp_fds=0",
            "set=1\nculvert_udp_fds=3",
            &format!("set=1\npublic_key={KEY}\nculvert_via={KEY}"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let text = format!("set=1\npublic_key={KEY}\nprivate_key={KEY}");
        assert_eq!(parse(&text), Err(Invalid("private_key=(hidden)".into())));
    }

    #[test]
    fn extension_keys_are_taken_and_shown() {
        let engine = Engine::new(|bytes| bytes.fill(7));
        let other = KEY.replace('b', "1");
        let text = format!(
            "set=1\nculvert_inside=route\nculvert_bridge=10.0.0.1\npublic_key={KEY}\npublic_key={other}\nculvert_bridge=10.0.0.2\nculvert_access=10.0.0.0/8 tcp 443\nculvert_via={KEY}\nculvert_via_source=10.0.0.9:4000"
        );
        let Ok(Request::Set(set)) = parse(&text) else { panic!() };
        assert_eq!(set.change.inside, Some(Inside::Route));
        let now = crate::engine::Now { ms: 1, unix_ns: 0 };
        engine.apply(now, &set.change, &mut crate::engine::out::Out::default());
        let shown = print_extension(&engine);
        for line in ["access=10.0.0.0/8 tcp 443-443", &format!("via={KEY}"), "via_source=10.0.0.9:4000"] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
        }
    }

    #[test]
    fn what_was_set_is_printed_again() {
        let engine = Engine::new(|bytes| bytes.fill(7));
        let text = format!(
            "set=1\nprivate_key={KEY}\npublic_key={}\nendpoint=[2001:db8::1]:51820\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=2001:db8::/32",
            KEY.replace('b', "1")
        );
        let Ok(Request::Set(set)) = parse(&text) else { panic!() };
        let now = crate::engine::Now { ms: 1, unix_ns: 0 };
        engine.apply(now, &set.change, &mut crate::engine::out::Out::default());
        let printed = print(&engine, 51820, 0);
        for line in text.lines().filter(|line| !line.starts_with("set") && !line.starts_with("private")) {
            assert!(printed.contains(line), "{line} in {printed}");
        }
        assert!(printed.contains("listen_port=51820\n") && printed.ends_with("\nerrno=0\n\n"));
        assert!(print_extension(&engine).contains("refused_inside_source=0\n"));
    }
}
