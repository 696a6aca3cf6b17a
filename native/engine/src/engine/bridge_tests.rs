//! Layer 2 on a simulated network ([`super::net`]): host 0 is the node, hosts 1 and 2 its clients.

use super::config::{Change, PeerChange};
use super::counters::Refusal;
use super::net::*;
use crate::wire::{etherip, ip};

fn frame(to: u8, by: u8, text: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, by, 0x88, 0xb5];
    if to == 0xff {
        frame[..6].fill(0xff);
    }
    frame.extend(text);
    frame
}

/// Every host takes part; clients know only the node.
fn bridged() -> Net {
    let mut net = Net::new(3);
    for host in 0..3 {
        let others: Vec<_> = if host == 0 { vec![1, 2] } else { vec![0] };
        let port = |other: usize| PeerChange {
            public: net.hosts[other].public,
            bridge: Some(inside(other as u8).parse().unwrap()),
            ..PeerChange::default()
        };
        let peers = others.into_iter().map(port).collect();
        let bridge = Some(inside(host as u8).parse().unwrap());
        let change = Change { bridge, peers, ..Change::default() };
        net.with(host, |engine, now, out| engine.apply(now, &change, out));
    }
    net
}

fn send(net: &mut Net, host: usize, frame: &[u8]) {
    net.with(host, |engine, now, out| engine.send_frame(now, &mut engine.reader(), frame, out));
    net.settle();
}

fn heard(net: &mut Net) -> Vec<Vec<Vec<u8>>> {
    net.hosts.iter_mut().map(|host| std::mem::take(&mut host.frames)).collect()
}

#[test]
fn a_broadcast_reaches_all_and_the_answer_only_who_asked() {
    let mut net = bridged();
    let ask = frame(0xff, 1, b"who has it?");
    send(&mut net, 1, &ask);
    assert_eq!(heard(&mut net), [vec![ask.clone()], vec![], vec![ask]]);
    let answer = frame(1, 2, b"I have it");
    send(&mut net, 2, &answer);
    assert_eq!(heard(&mut net), [vec![], vec![answer], vec![]]);
    assert!(net.hosts.iter().all(|host| host.heard.is_empty()), "nothing of it goes to the TUN");
}

#[test]
fn a_tagged_frame_that_is_no_ip_crosses_unchanged() {
    let mut net = bridged();
    let mut tagged = frame(0xff, 1, b"");
    tagged.truncate(12);
    tagged.extend([0x81, 0, 0, 100, 0x88, 0xb5, 1, 2, 3]);
    send(&mut net, 1, &tagged);
    assert_eq!(heard(&mut net)[2], [tagged]);
}

#[test]
fn a_client_cannot_take_over_anothers_mac_at_once_nor_speak_from_another_address() {
    let mut net = bridged();
    send(&mut net, 1, &frame(0xff, 1, b"mine"));
    heard(&mut net);
    // As sent by a client whose own switch does not mind.
    let (here, node) = (inside(2).parse().unwrap(), inside(0).parse().unwrap());
    net.send(2, &etherip::packet(here, node, &frame(0xff, 1, b"no, mine")).unwrap());
    net.settle();
    assert_eq!(heard(&mut net)[0].len(), 0);
    assert_eq!(net.counter(0, Refusal::BadFrame), 1);
    let spoofed =
        etherip::packet(inside(2).parse().unwrap(), inside(0).parse().unwrap(), &frame(0xff, 9, b"x"))
            .unwrap();
    assert_eq!(ip::view(&spoofed).unwrap().protocol, etherip::PROTOCOL);
    net.send(1, &spoofed);
    net.settle();
    assert_eq!(net.counter(0, Refusal::InsideSource), 1);
}
