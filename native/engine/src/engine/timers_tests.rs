//! What time does to engines on a simulated network ([`super::net`]).

use super::Now;
use super::config::{Change, PeerChange};
use super::net::*;
use super::out::Event;
use crate::noise::constants::*;
use crate::offload::vnet::Vnet;

#[test]
fn rekeying_under_traffic_loses_nothing() {
    let mut net = Net::new(2);
    for i in 0..3000 {
        net.send(0, &packet(0, 1, &format!("{i}")));
        net.send(1, &packet(1, 0, &format!("{i}")));
        net.pass(100);
    }
    let texts = |host: usize| {
        net.hosts[host].heard.iter().map(|p| String::from_utf8(p[28..].to_vec()).unwrap()).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..3000).map(|i| i.to_string()).collect();
    assert_eq!((texts(0), texts(1)), (expected.clone(), expected));
    let handshakes = net.hosts[0].events.iter().filter(|e| matches!(e, Event::Handshake { .. })).count();
    assert_eq!(handshakes, 3, "at 0, 120 and 240 of 300 seconds");
}

#[test]
fn rekeying_with_everything_in_flight_loses_nothing() {
    // Both directions always have packets under way while the handshakes pass between them.
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "first"));
    net.settle();
    for i in 0..2600 {
        net.send(0, &packet(0, 1, &format!("{i}")));
        net.send(1, &packet(1, 0, &format!("{i}")));
        let under_way: Vec<_> = net.wire.drain(..).collect();
        for (from, to, datagram) in under_way {
            let host = net.hosts.iter().position(|host| host.address == to).unwrap();
            net.receive(host, from, 0, &datagram);
        }
        net.ms += 100;
    }
    net.settle();
    assert_eq!((net.hosts[0].heard.len(), net.hosts[1].heard.len()), (2600, 2601));
}

#[test]
fn lost_handshakes_are_repeated_for_ninety_seconds() {
    let mut net = Net::new(2);
    net.drop = |_| true;
    net.send(0, &packet(0, 1, "into the void"));
    net.pass(300_000);
    assert_eq!(net.handshakes, 19, "the first and 18 more");
    net.drop = |_| false;
    net.send(0, &packet(0, 1, "it is back"));
    net.settle();
    assert_eq!(net.hosts[1].heard.len(), 1, "what waited was given up with the handshake");
}

#[test]
fn a_receiver_with_nothing_to_say_sends_a_keepalive_after_ten_seconds() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "one way"));
    net.settle();
    let before = net.hosts[1].engine.report()[0].sent_bytes;
    net.pass(KEEPALIVE_TIMEOUT - 1);
    assert_eq!(net.hosts[1].engine.report()[0].sent_bytes - before, 0);
    net.pass(1);
    assert_eq!(net.hosts[1].engine.report()[0].sent_bytes - before, 32);
}

#[test]
fn persistent_keepalives_pass_both_with_and_without_traffic() {
    let mut net = Net::new(2);
    let public = net.hosts[1].public;
    let change = PeerChange { public, keepalive: Some(25), update_only: true, ..PeerChange::default() };
    net.with(0, |engine, now, out| {
        engine.apply(now, &Change { peers: vec![change], ..Change::default() }, out)
    });
    net.settle();
    assert_eq!(net.handshakes, 2, "switching it on opens the way at once");
    let before = net.hosts[1].engine.report()[0].received_bytes;
    net.pass(100_500);
    assert_eq!(net.hosts[1].engine.report()[0].received_bytes - before, 4 * 32);
}

#[test]
fn a_dead_peer_is_called_silent_after_a_second_and_heard_when_it_is_back() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "alive"));
    net.settle();
    net.send(1, &packet(1, 0, "yes"));
    net.pass(1_200);
    net.drop = |_| true;
    for _ in 0..4 {
        net.send(0, &packet(0, 1, "anybody?"));
        net.pass(200);
    }
    net.pass(199);
    assert!(!net.is_silent(0));
    net.pass(1);
    let silent = Event::Silent { peer: net.hosts[1].public, for_ms: 1000 };
    assert_eq!(net.hosts[0].events.last(), Some(&silent));
    net.drop = |_| false;
    net.pass(6_000);
    assert!(net.hosts[0].events.contains(&Event::Heard { peer: net.hosts[1].public }));
}

#[test]
fn one_way_traffic_is_not_mistaken_for_silence() {
    let mut net = Net::new(2);
    for _ in 0..600 {
        net.send(0, &packet(0, 1, "one way"));
        net.pass(100);
    }
    assert!(!net.hosts[0].events.iter().any(|event| matches!(event, Event::Silent { .. })));
    assert_eq!(net.hosts[1].heard.len(), 600);
    assert!(net.handshakes / 2 <= 60 / 5 + 4, "no more often than the paper allows: {}", net.handshakes);
}

#[test]
fn an_idle_pair_sends_nothing_and_forgets_its_keys() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "hello"));
    net.send(1, &packet(1, 0, "hello"));
    net.pass(60_000);
    let sent = |net: &Net| net.hosts.iter().map(|host| host.engine.report()[0].sent_bytes).sum::<u64>();
    let before = sent(&net);
    net.pass(REJECT_AFTER_TIME * 3 + 60_000);
    assert_eq!(sent(&net), before);
    assert!(net.hosts.iter().all(|host| host.engine.indices.lock().unwrap().is_empty()));
    net.send(0, &packet(0, 1, "good morning"));
    net.settle();
    assert_eq!(net.hosts[1].heard.len(), 2);
}

#[test]
fn a_clock_set_back_does_not_lock_us_out() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "before"));
    net.settle();
    let mut early = packet(0, 1, "after");
    net.ms += REJECT_AFTER_TIME;
    net.with(0, |engine, now, out| {
        let set_back = Now { unix_ns: now.unix_ns - 86_400_000_000_000, ..now };
        engine.send(set_back, &mut engine.reader(), &Vnet::default(), &mut early, out);
    });
    net.settle();
    assert_eq!(net.hosts[1].heard.len(), 2);
}

/// Suspended for an hour: timers were not called, and the clock counted on.
#[test]
fn a_machine_that_slept_is_heard_with_its_first_packet() {
    for sleeper in [0, 1] {
        let mut net = Net::new(2);
        net.send(0, &packet(0, 1, "before"));
        net.settle();
        net.ms += 3_600_000;
        let (from, to) = (sleeper as u8, 1 - sleeper as u8);
        net.send(sleeper, &packet(from, to, "after"));
        net.settle();
        assert_eq!(net.hosts[1 - sleeper].heard.last(), Some(&packet(from, to, "after")), "{sleeper} first");
        net.pass(1_000);
        assert!(!net.is_silent(0) && !net.is_silent(1));
    }
}
