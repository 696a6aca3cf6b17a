//! Inside routing on a simulated network ([`super::net`]): host 0 is the node, hosts 1 to 3 its clients.

use super::access::Rule;
use super::config::{Change, PeerChange};
use super::counters::Refusal;
use super::inside::Inside;
use super::net::*;
use super::out::Event;
use crate::offload::split::tests::{tcp_packet, udp_packet};
use crate::wire::wg::{DATA_HEADER, DATA_OVERHEAD};

/// Clients know only the node, which has everything; client 3 has a network behind it.
fn node(inside: Inside) -> Net {
    let mut net = Net::new(4);
    for client in 1..4 {
        let node = PeerChange { allowed: vec![add("10.0.0.0/8")], ..peer(net.hosts[0].public, 0) };
        let change = Change { replace_peers: true, peers: vec![node], ..Change::default() };
        net.with(client, |engine, now, out| engine.apply(now, &change, out));
    }
    let behind = PeerChange {
        public: net.hosts[3].public,
        allowed: vec![add("10.3.0.0/16")],
        ..PeerChange::default()
    };
    set(&mut net, Change { inside: Some(inside), peers: vec![behind], ..Change::default() });
    net
}

fn set(net: &mut Net, change: Change) {
    net.with(0, |engine, now, out| engine.apply(now, &change, out));
}

fn access(net: &mut Net, client: usize, rules: &[&str]) {
    let access = Some(rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect());
    let public = net.hosts[client].public;
    set(
        net,
        Change { peers: vec![PeerChange { public, access, ..PeerChange::default() }], ..Change::default() },
    );
}

fn heard(net: &Net) -> Vec<usize> {
    net.hosts.iter().map(|host| host.heard.len()).collect()
}

#[test]
fn clients_and_the_networks_behind_them_reach_each_other_within_the_engine() {
    let mut net = node(Inside::Route);
    net.send(1, &packet(1, 2, "to a client"));
    net.send(1, &udp_packet("10.0.0.2", "10.3.7.7", b"to a network behind one"));
    net.send(3, &udp_packet("10.3.7.7", "10.0.0.2", b"and back"));
    net.send(1, &udp_packet("10.0.0.2", "10.200.0.1", b"to nobody: the system's"));
    net.settle();
    assert_eq!(heard(&net), [1, 1, 1, 1]);
    let hops = |packet: &[u8]| packet[8];
    assert_eq!((hops(&net.hosts[2].heard[0]), hops(&net.hosts[0].heard[0])), (63, 64));
    assert_eq!(net.hosts[2].heard[0][28..], *b"to a client");
}

#[test]
fn in_mode_system_everything_goes_to_the_tun() {
    let mut net = node(Inside::System);
    net.send(1, &packet(1, 2, "to a client"));
    net.settle();
    assert_eq!(heard(&net), [1, 0, 0, 0]);
}

#[test]
fn in_mode_refuse_clients_do_not_reach_each_other_even_through_the_system() {
    let mut net = node(Inside::Refuse);
    net.send(1, &packet(1, 2, "to a client"));
    net.send(1, &udp_packet("10.0.0.2", "10.200.0.1", b"elsewhere"));
    net.settle();
    assert_eq!(heard(&net), [1, 0, 0, 0]);
    net.send(0, &packet(1, 2, "forwarded by the system"));
    net.send(0, &packet(0, 2, "from the node itself"));
    net.settle();
    assert_eq!(heard(&net), [1, 0, 1, 0]);
    assert_eq!(net.counter(0, Refusal::InsideClient), 2);
}

#[test]
fn a_spoofed_source_is_counted_for_its_peer_and_told_once_a_second() {
    let mut net = node(Inside::Route);
    for _ in 0..100 {
        net.send(1, &packet(3, 2, "as if from another client"));
    }
    net.settle();
    assert_eq!(heard(&net), [0, 0, 0, 0]);
    let key = net.hosts[1].public;
    let report = net.hosts[0].engine.report().into_iter().find(|peer| peer.public == key).unwrap();
    assert_eq!(report.refused, 100);
    let told: Vec<_> =
        net.hosts[0].events.iter().filter(|event| matches!(event, Event::Refused { .. })).collect();
    let expected = Event::Refused {
        peer: key,
        reason: "inside_source",
        source: inside(3).parse().unwrap(),
        destination: inside(2).parse().unwrap(),
    };
    assert_eq!(told, [&expected]);
}

#[test]
fn an_access_list_denies_what_it_does_not_allow_and_lets_answers_pass() {
    let mut net = node(Inside::Route);
    access(&mut net, 1, &["10.0.0.3/32 tcp 443"]);
    access(&mut net, 2, &[]);
    net.send(1, &packet(1, 2, "udp is not on the list"));
    net.send(1, &packet(1, 3, "nor is client 3"));
    net.settle();
    assert_eq!(heard(&net), [0, 0, 0, 0]);
    let ask = tcp_packet(&inside(1), &inside(2), 1, 2, &[]);
    net.send(1, &ask);
    net.settle();
    assert_eq!(heard(&net), [0, 0, 1, 0]);
    let mut answer = tcp_packet(&inside(2), &inside(1), 1, 18, &[]);
    answer[20..24].copy_from_slice(&[0x01, 0xbb, 0x30, 0x39]);
    net.send(2, &answer);
    net.send(2, &tcp_packet(&inside(2), &inside(1), 1, 2, &[]));
    net.settle();
    assert_eq!(heard(&net), [0, 1, 1, 0], "the answer, and not what it begins itself");
    assert_eq!(net.counter(0, Refusal::InsideDenied), 3);
}

#[test]
fn a_packet_that_goes_in_a_circle_ends() {
    let mut net = node(Inside::Route);
    net.send(3, &udp_packet("10.3.7.7", "10.3.9.9", b"my own network"));
    let mut old = packet(1, 2, "last hop");
    old[8] = 1;
    crate::wire::ip::put_total(&mut old, 20, 36);
    net.send(1, &old);
    net.settle();
    assert_eq!(heard(&net), [0, 0, 0, 0]);
    assert_eq!(net.counter(0, Refusal::InsideLoop), 2);
}

/// Bytes that the node has sent to a client.
fn sent_to(net: &Net, client: usize) -> u64 {
    let report = net.hosts[0].engine.report();
    report.iter().find(|peer| peer.public == net.hosts[client].public).unwrap().sent_bytes
}

#[test]
fn what_comes_in_runs_is_sealed_where_it_stands_and_arrives_like_all_else() {
    let mut net = node(Inside::Route);
    net.is_run = true;
    net.send(1, &packet(1, 2, "makes sessions"));
    net.settle();
    assert_eq!(net.stayed, 0, "the first waits for a session");
    let before = sent_to(&net, 2);
    for length in [0, 1, 15, 16, 700, 1391, 1392] {
        net.send(1, &packet(1, 2, &"x".repeat(length)));
    }
    net.send(1, &udp_packet("10.0.0.2", "10.200.0.1", b"the system's"));
    net.settle();
    assert_eq!((heard(&net), net.stayed), (vec![1, 0, 8, 0], 7));
    let lengths: Vec<_> = net.hosts[2].heard.iter().map(|packet| packet.len() - 28).collect();
    assert_eq!(lengths, [14, 0, 1, 15, 16, 700, 1391, 1392]);
    assert!(net.hosts[2].heard.iter().all(|packet| packet[8] == 63));
    let data = |length: usize| (28 + length).next_multiple_of(16).min(1420) + 32;
    let sent: usize = [0, 1, 15, 16, 700, 1391, 1392].into_iter().map(data).sum();
    assert_eq!(sent_to(&net, 2) - before, sent as u64, "all that was passed on is counted");
}

#[test]
fn what_is_too_big_for_the_next_peer_is_not_sealed_where_it_stands() {
    let mut net = node(Inside::Route);
    net.is_run = true;
    net.send(1, &packet(1, 2, "makes sessions"));
    net.settle();
    let stayed = net.stayed;
    net.hosts[0].engine.mtu.store(1300, std::sync::atomic::Ordering::Relaxed);
    net.send(1, &packet(1, 2, &"x".repeat(1392)));
    net.settle();
    assert_eq!((net.stayed, heard(&net)[2]), (stayed, 1));
    assert_eq!(net.counter(0, Refusal::TooBig), 1);
}

#[test]
fn padding_does_not_pass_from_one_client_to_another() {
    let mut net = node(Inside::Route);
    net.is_run = true;
    net.send(1, &packet(1, 2, "makes sessions"));
    net.settle();
    let session = |net: &Net, host: usize| {
        let engine = &net.hosts[host].engine;
        engine.reader().get(&engine.table).by_key[&net.hosts[0].public].session().unwrap()
    };
    let packet = packet(1, 2, "x");
    let mut datagram = vec![0xff; packet.len().next_multiple_of(16) + DATA_OVERHEAD];
    datagram[DATA_HEADER..DATA_HEADER + packet.len()].copy_from_slice(&packet);
    let client = session(&net, 1);
    client.seal(client.reserve(1).unwrap(), &mut datagram);
    net.receive(0, outside(1), 0, &datagram);
    assert_eq!(net.stayed, 1);
    let (_, _, mut passed) = net.wire.pop_front().unwrap();
    let opened = session(&net, 2).open(net.ms, &mut passed).unwrap();
    assert_eq!(opened[packet.len()..], [0; 3]);
}
