//! Chains on a simulated network ([`super::net`]): host 0 reaches host 2 (and 3) only through host 1.

use std::net::SocketAddr;

use super::config::{Change, PeerChange};
use super::net::*;
use super::out::Event;
use crate::offload::split::tests::{tcp_packet, udp_packet};
use crate::offload::vnet::{Gso, Vnet};
use crate::wire::{ip, udp};

/// Our address in host 1's network, and where host 1's kernel sends our packets from.
const SOURCE: &str = "10.0.0.1:4000";
const TRANSLATED: ([u8; 4], u16) = ([192, 0, 2, 2], 40_000);

fn via(net: &Net, peer: usize, outer: usize, source: &str) -> PeerChange {
    let source = Some(source.parse().unwrap());
    let outer = Some(net.hosts[outer].public);
    PeerChange { public: net.hosts[peer].public, via: outer, via_source: source, ..PeerChange::default() }
}

fn allow(net: &Net, peer: usize, prefix: &str) -> PeerChange {
    let prefix = super::allowed_ips::Prefix::parse(prefix).unwrap();
    let allowed = vec![super::config::AllowedChange::Add(prefix)];
    PeerChange { public: net.hosts[peer].public, allowed, ..PeerChange::default() }
}

fn apply(net: &mut Net, host: usize, peers: Vec<PeerChange>) {
    net.with(host, |engine, now, out| engine.apply(now, &Change { peers, ..Change::default() }, out));
}

fn chain() -> Net {
    let mut net = Net::new(3);
    let changes = vec![via(&net, 2, 1, SOURCE), allow(&net, 1, "192.0.2.3/32")];
    apply(&mut net, 0, changes);
    net
}

/// Host 1's kernel: what came out of its TUN for host 2 goes to host 2's socket, and what comes back goes into the TUN.
fn settle(net: &mut Net) {
    loop {
        let back = net.wire.iter().position(|(_, to, _)| *to == SocketAddr::from(TRANSLATED));
        if let Some(at) = back {
            let (from, _, datagram) = net.wire.remove(at).unwrap();
            let SocketAddr::V4(from) = from else { panic!() };
            let mut packet = udp_packet(&from.ip().to_string(), "10.0.0.1", &datagram);
            packet[20..22].copy_from_slice(&from.port().to_be_bytes());
            packet[22..24].copy_from_slice(&4000u16.to_be_bytes());
            packet[26..28].fill(0);
            net.send(1, &packet);
            continue;
        }
        let forwarded: Vec<_> = net.hosts[1].heard.drain(..).collect();
        if forwarded.is_empty() && net.wire.is_empty() {
            return;
        }
        for packet in forwarded {
            assert_eq!(ip::destination(&packet).to_string(), "192.0.2.3");
            assert_eq!(packet[20..22], 4000u16.to_be_bytes());
            net.receive(2, TRANSLATED.into(), 0, &packet[20 + udp::HEADER..]);
        }
        let direct = net.wire.iter().filter(|(from, to, _)| *from == outside(0) && *to == outside(2)).count();
        assert_eq!(direct, 0, "nothing goes to the second hop but through the first");
        if net.wire.front().is_some_and(|(_, to, _)| *to != SocketAddr::from(TRANSLATED)) {
            net.settle_one();
        }
    }
}

#[test]
fn the_second_hop_is_reached_through_the_first_and_answers() {
    let mut net = chain();
    // Host 1 takes what comes from host 2's address on behalf of its kernel.
    let back = allow(&net, 0, "10.0.0.1/32");
    apply(&mut net, 1, vec![back]);
    net.send(0, &packet(0, 2, "to the exit"));
    settle(&mut net);
    assert_eq!(net.hosts[2].heard, [packet(0, 2, "to the exit")]);
    net.send(2, &packet(2, 0, "from the exit"));
    settle(&mut net);
    assert_eq!(net.hosts[0].heard, [packet(2, 0, "from the exit")]);
    let handshakes = net.hosts[0].events.iter().filter(|event| matches!(event, Event::Handshake { .. }));
    assert_eq!(handshakes.count(), 2);
}

#[test]
fn a_large_packet_passes_two_hops_whole() {
    let mut net = chain();
    net.send(0, &packet(0, 2, "first"));
    settle(&mut net);
    net.hosts[2].heard.clear();
    let payload: Vec<u8> = (0..60_000u32).map(|i| (i / 11) as u8).collect();
    let mut large = tcp_packet(&inside(0), &inside(2), 1, 0x10, &payload);
    let vnet = Vnet {
        needs_checksum: true,
        gso: Gso::TcpV4,
        header: 52,
        segment: 1288,
        checksum_start: 20,
        checksum_offset: 16,
    };
    net.with(0, |engine, now, out| engine.send(now, &mut engine.reader(), &vnet, &mut large, out));
    let largest = net.wire.iter().map(|(_, _, datagram)| datagram.len()).max().unwrap();
    assert_eq!(largest, 1288 + 52 + 4 + 32 + 28 + 4 + 32, "the packet, twice padded and wrapped");
    settle(&mut net);
    let heard: Vec<u8> = net.hosts[2].heard.iter().flat_map(|packet| packet[52..].to_vec()).collect();
    assert!(heard == payload);
}

#[test]
fn a_hop_is_replaced_without_losing_the_session_behind_it() {
    let mut net = Net::new(4);
    let changes = vec![via(&net, 2, 1, SOURCE), allow(&net, 1, "192.0.2.3/32")];
    apply(&mut net, 0, changes);
    net.send(0, &packet(0, 2, "through host 1"));
    settle(&mut net);
    let changes = vec![via(&net, 2, 3, SOURCE), allow(&net, 3, "192.0.2.3/32")];
    apply(&mut net, 0, changes);
    net.send(0, &packet(0, 2, "through host 3"));
    net.settle();
    let forwarded = net.hosts[3].heard.pop().expect("it went to host 3");
    net.receive(2, ([192, 0, 2, 4], 50_000).into(), 0, &forwarded[28..]);
    assert_eq!(net.hosts[2].heard.last(), Some(&packet(0, 2, "through host 3")));
    let with_exit = Event::Handshake { peer: net.hosts[2].public, unix_ms: 1_700_000_001_000 };
    assert_eq!(net.hosts[0].events.iter().filter(|event| **event == with_exit).count(), 1);
}

#[test]
fn a_circle_or_a_missing_hop_leaves_no_way_rather_than_the_direct_one() {
    let mut net = Net::new(3);
    let first = via(&net, 1, 2, SOURCE);
    apply(&mut net, 0, vec![first]);
    let circle = via(&net, 2, 1, SOURCE);
    apply(&mut net, 0, vec![circle]);
    net.send(0, &packet(0, 2, "round and round"));
    assert!(net.wire.is_empty());
    let missing = PeerChange { via: Some([7; 32]), ..via(&net, 2, 1, SOURCE) };
    apply(&mut net, 0, vec![missing]);
    net.send(0, &packet(0, 2, "nowhere"));
    assert!(net.wire.is_empty());
}
