//! Packets between engines on a simulated network ([`super::net`]).

use std::net::SocketAddr;

use super::config::{Change, PeerChange};
use super::counters::Refusal;
use super::net::*;
use super::out;
use crate::noise::constants::*;
use crate::offload::split::tests::{tcp_packet, udp_packet};
use crate::offload::vnet::{Gso, Vnet};
use crate::tests::Random;
use crate::wire::{ip, wg};

#[test]
fn packets_that_wait_for_the_handshake_arrive_in_order() {
    let mut net = Net::new(2);
    let sent: Vec<_> = (0..5).map(|i| packet(0, 1, &format!("number {i}"))).collect();
    sent.iter().for_each(|packet| net.send(0, packet));
    net.settle();
    assert_eq!(net.hosts[1].heard, sent);
    assert_eq!(net.handshakes, 2, "one initiation, one response");
    net.send(1, &packet(1, 0, "back"));
    net.settle();
    assert_eq!(net.hosts[0].heard, [packet(1, 0, "back")]);
}

#[test]
fn a_large_packet_arrives_as_its_segments() {
    let mut net = Net::new(2);
    let payload: Vec<u8> = (0..60_000u32).map(|i| (i / 7) as u8).collect();
    let mut large = tcp_packet(&inside(0), &inside(1), 1, 0x18, &payload);
    let vnet = Vnet {
        needs_checksum: true,
        gso: Gso::TcpV4,
        header: 52,
        segment: 1368,
        checksum_start: 20,
        checksum_offset: 16,
    };
    for _ in 0..2 {
        net.with(0, |engine, now, out| {
            engine.send(now, &mut engine.reader(), &vnet, &mut large, out);
            assert!(out.trains().iter().all(|train| train.len <= out::LONGEST_TRAIN && train.count <= 64));
        });
        net.settle();
        let heard: Vec<u8> = net.hosts[1].heard.drain(..).flat_map(|packet| packet[52..].to_vec()).collect();
        assert!(heard == payload, "staged and direct");
    }
}

#[test]
fn a_source_outside_the_peers_allowed_ips_is_dropped_and_counted() {
    let mut net = Net::new(3);
    net.send(0, &packet(0, 1, "mine"));
    net.settle();
    net.send(0, &packet(2, 1, "another peer's address"));
    net.send(0, &udp_packet("203.0.113.5", &inside(1), b"nobody's address"));
    net.settle();
    assert_eq!(net.hosts[1].heard.len(), 1);
    assert_eq!(net.counter(1, Refusal::InsideSource), 2);
    net.send(0, &udp_packet(&inside(0), "203.0.113.5", b"no way"));
    assert_eq!(net.counter(0, Refusal::NoRoute), 1);
}

#[test]
fn both_sides_beginning_at_once_end_with_a_working_session() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "from a"));
    net.send(1, &packet(1, 0, "from b"));
    net.settle();
    net.pass(20_000);
    assert_eq!((net.hosts[0].heard.len(), net.hosts[1].heard.len()), (1, 1));
    net.send(0, &packet(0, 1, "again"));
    net.send(1, &packet(1, 0, "again"));
    net.settle();
    assert_eq!((net.hosts[0].heard.len(), net.hosts[1].heard.len()), (2, 2));
}

#[test]
fn any_authentic_packet_moves_the_endpoint_and_forged_ones_do_not() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "here"));
    net.settle();
    let elsewhere = "198.51.100.7:4000".parse().unwrap();
    net.send(0, &packet(0, 1, "from elsewhere"));
    let (_, _, datagram) = net.wire.pop_front().unwrap();
    let mut forged = datagram.clone();
    forged[20] ^= 1;
    net.receive(1, elsewhere, 0, &forged);
    assert_eq!(net.hosts[1].engine.report()[0].endpoint, Some(outside(0)));
    net.receive(1, elsewhere, 0, &datagram);
    assert_eq!(net.hosts[1].engine.report()[0].endpoint, Some(elsewhere));
    net.receive(1, outside(0), 0, &datagram);
    assert_eq!(net.hosts[1].engine.report()[0].endpoint, Some(elsewhere), "nor replayed ones");
    assert_eq!((net.counter(1, Refusal::Forged), net.counter(1, Refusal::Replayed)), (1, 1));
}

#[test]
fn an_initiation_is_answered_once() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "x"));
    let (from, _, initiation) = net.wire.pop_front().unwrap();
    net.receive(1, from, 0, &initiation);
    net.ms += 1000;
    net.receive(1, from, 0, &initiation);
    assert_eq!(net.wire.len(), 1);
    assert_eq!(net.counter(1, Refusal::StaleInitiation), 1);
}

#[test]
fn under_load_an_initiation_gets_a_cookie_and_with_it_an_answer() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "x"));
    let (from, _, initiation) = net.wire.pop_front().unwrap();
    net.ms += 1000;
    // Another source keeps the responder busy.
    for i in 0..LOAD_THRESHOLD as u16 {
        net.receive(1, SocketAddr::from(([198, 51, 100, 1], 1000 + i)), 0, &initiation);
    }
    net.wire.clear();
    net.ms += 10;
    net.receive(1, from, 0, &initiation);
    let (_, to, cookie) = net.wire.pop_front().unwrap();
    assert_eq!((to, wg::kind(&cookie)), (outside(0), Some(wg::Kind::Cookie)));
    net.receive(0, outside(1), 0, &cookie);
    net.ms += 500;
    net.with(0, |engine, now, out| {
        let peer = engine.reader().get(&engine.table).by_id[0].clone().unwrap();
        engine.initiate_again(now, &peer, out);
    });
    let (from, _, second) = net.wire.pop_front().unwrap();
    assert_ne!(second[132..], [0; 16], "mac2 is there");
    net.receive(1, from, 0, &second);
    assert_eq!(wg::kind(&net.wire[0].2), Some(wg::Kind::Response));
    let elsewhere = "198.51.100.9:1".parse().unwrap();
    net.receive(1, elsewhere, 0, &second);
    assert_eq!(wg::kind(&net.wire[1].2), Some(wg::Kind::Cookie), "the cookie is worth nothing elsewhere");
}

/// At one moment a packet, an answer and a timer may each want a new session. A second initiation would be refused as
/// too soon, and the answer to the first would find nobody who waits for it: five seconds without a session.
#[test]
fn of_threads_that_begin_at_once_one_does() {
    for _ in 0..200 {
        let mut net = Net::new(2);
        let (engine, now) = (&net.hosts[0].engine, net.now());
        let peer = engine.reader().get(&engine.table).by_id[0].clone().unwrap();
        let ready = std::sync::Barrier::new(3);
        let begin = || {
            let mut out = out::Out::default();
            ready.wait();
            engine.initiate(now, &peer, &mut out);
            out.trains().len()
        };
        let sent: usize = std::thread::scope(|scope| {
            [(); 3].map(|()| scope.spawn(begin)).map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(sent, 1);
        net.with(0, |engine, now, out| engine.initiate_again(now, &peer, out));
        assert!(net.wire.is_empty(), "nor does a timer that was late");
    }
}

#[test]
fn under_load_a_cookie_is_good_for_so_many_handshakes_a_second() {
    let mut net = Net::new(2);
    let answers = |net: &mut Net, times: usize| {
        let before = net.counter(1, Refusal::RateLimited);
        for _ in 0..times {
            net.with(0, |engine, now, out| {
                let peer = engine.reader().get(&engine.table).by_id[0].clone().unwrap();
                peer.slow().initiated = None;
                engine.initiate_again(now, &peer, out);
            });
            let (from, _, initiation) = net.wire.pop_back().unwrap();
            net.wire.clear();
            net.receive(1, from, 0, &initiation);
            if let Some((_, _, cookie)) =
                net.wire.pop_front().filter(|sent| wg::kind(&sent.2) == Some(wg::Kind::Cookie))
            {
                net.receive(0, outside(1), 0, &cookie);
            }
            net.wire.clear();
        }
        net.counter(1, Refusal::RateLimited) - before
    };
    assert_eq!(answers(&mut net, LOAD_THRESHOLD as usize), 0);
    // One for the cookie, five with it.
    assert_eq!(answers(&mut net, 1 + 5), 0);
    assert_eq!(answers(&mut net, 10), 10);
    net.ms += 100;
    assert_eq!(answers(&mut net, 10), 8, "two more after a tenth of a second");
}

#[test]
fn a_removed_peer_neither_sends_nor_is_heard() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "x"));
    net.settle();
    let public = net.hosts[0].public;
    let change = PeerChange { public, remove: true, ..PeerChange::default() };
    net.with(1, |engine, now, out| {
        engine.apply(now, &Change { peers: vec![change], ..Change::default() }, out)
    });
    net.send(0, &packet(0, 1, "y"));
    net.send(1, &packet(1, 0, "z"));
    net.settle();
    assert_eq!((net.hosts[1].heard.len(), net.hosts[0].heard.len()), (1, 0));
    assert_eq!(net.counter(1, Refusal::UnknownIndex), 1);
    assert!(net.hosts[1].engine.indices.lock().unwrap().is_empty());
}

#[test]
fn congestion_outside_is_congestion_inside_where_it_can_be_said() {
    let mut net = Net::new(2);
    net.send(0, &packet(0, 1, "x"));
    net.settle();
    let mut capable = packet(0, 1, "capable");
    capable[1] = 2;
    ip::put_total(&mut capable, 20, 35);
    for packet in [capable, packet(0, 1, "not capable")] {
        net.send(0, &packet);
        let (from, _, datagram) = net.wire.pop_front().unwrap();
        net.receive(1, from, 3, &datagram);
    }
    assert_eq!(net.hosts[1].heard.len(), 2);
    assert_eq!(ip::ecn(&net.hosts[1].heard[1]), 3);
    assert_eq!(net.counter(1, Refusal::InsideEcn), 1);
}

#[test]
fn a_link_that_loses_reorders_and_doubles_delivers_only_true_packets() {
    for seed in 1..20 {
        let mut net = Net::new(2);
        let mut random = Random(seed);
        let mut sent = std::collections::HashSet::new();
        for i in 0..2000 {
            let packet = packet(0, 1, &format!("{seed} {i}"));
            sent.insert(packet.clone());
            net.send(0, &packet);
            net.send(1, &super::tests::packet(1, 0, "ack"));
            for k in 0..net.wire.len() {
                let other = random.below(net.wire.len() as u64) as usize;
                net.wire.swap(k, other);
            }
            let under_way: Vec<_> = net.wire.drain(..).collect();
            for (from, to, mut datagram) in under_way {
                let host = net.hosts.iter().position(|host| host.address == to).unwrap();
                match random.below(10) {
                    0 => continue,
                    1 => net.receive(host, from, 0, &datagram.clone()),
                    2 => {
                        let at = random.below(datagram.len() as u64) as usize;
                        datagram[at] ^= 1 << random.below(8);
                    }
                    3 => net.wire.push_back((from, to, datagram.clone())),
                    _ => {}
                }
                net.receive(host, from, 0, &datagram);
            }
            net.ms += 200;
            for host in 0..2 {
                net.with(host, |engine, now, out| _ = engine.tick(now, out));
            }
        }
        let heard = &net.hosts[1].heard;
        assert!(heard.iter().all(|packet| sent.remove(packet)), "seed {seed}: true packets, each once");
        assert!(heard.len() > 1300, "seed {seed}: the session lives: {}", heard.len());
    }
}

/// Host 1 has two addresses and is asked at the second.
#[test]
fn whoever_began_is_answered_from_the_address_it_asked() {
    let mut net = Net::new(2);
    let asked = Some("198.51.100.9".parse().unwrap());
    net.hosts[1].asked = asked;
    net.send(0, &packet(0, 1, "question"));
    net.settle();
    net.send(1, &packet(1, 0, "answer"));
    net.settle();
    assert!(net.hosts[1].left_by.len() >= 2 && net.hosts[1].left_by.iter().all(|local| *local == asked));
    assert!(net.hosts[0].left_by.iter().all(Option::is_none), "the kernel chooses for who begins");
}

#[test]
fn an_address_that_brings_no_answer_is_left_for_the_kernel_to_choose() {
    let mut net = Net::new(2);
    let asked = Some("198.51.100.9".parse().unwrap());
    net.hosts[1].asked = asked;
    net.send(0, &packet(0, 1, "question"));
    net.settle();
    net.drop = |_| true;
    net.hosts[1].left_by.clear();
    for _ in 0..10 {
        net.send(1, &packet(1, 0, "answer"));
        net.pass(1_000);
    }
    assert_eq!(net.hosts[1].left_by.first(), Some(&asked));
    assert_eq!(net.hosts[1].left_by.last(), Some(&None));
}
