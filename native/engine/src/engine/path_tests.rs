//! Paths that swallow large packets, on a simulated network ([`super::net`]).

use super::net::*;
use crate::noise::constants::*;
use crate::offload::split::tests::tcp_packet;
use crate::offload::vnet::{Gso, Vnet};
use crate::wire::{ip, tcp, wg};

/// Datagrams above this size vanish without a word: an outer MTU of 1400 over IPv4.
fn black_hole(datagram: &[u8]) -> bool {
    datagram.len() > 1400 - 28
}

/// What then passes inside: 1400 - 28 - 32, and the next smaller size that is tried.
const PASSES: usize = 1340;

fn large(len: usize) -> (Vnet, Vec<u8>) {
    let payload: Vec<u8> = (0..len as u32).map(|i| (i / 5) as u8).collect();
    let packet = tcp_packet(&inside(0), &inside(1), 1, tcp::ACK, &payload);
    let vnet = Vnet {
        needs_checksum: true,
        gso: Gso::TcpV4,
        header: 52,
        segment: 1368,
        checksum_start: 20,
        checksum_offset: 16,
    };
    (vnet, packet)
}

fn send_large(net: &mut Net) -> usize {
    let (vnet, mut packet) = large(20_000);
    net.hosts[1].heard.clear();
    net.with(0, |engine, now, out| engine.send(now, &mut engine.reader(), &vnet, &mut packet, out));
    net.settle();
    net.hosts[1].heard.iter().map(|packet| packet.len() - 52).sum()
}

fn limit(net: &Net, host: usize) -> Option<usize> {
    net.hosts[host].engine.report()[0].path_limit
}

#[test]
fn a_whole_path_is_left_at_the_interfaces_mtu() {
    let mut net = Net::new(2);
    assert_eq!(send_large(&mut net), 20_000);
    net.pass(5_000);
    assert_eq!((limit(&net, 0), limit(&net, 1)), (None, None));
}

#[test]
fn a_path_that_swallows_large_packets_from_the_start_is_measured_in_half_a_second() {
    let mut net = Net::new(2);
    net.drop = black_hole;
    net.send(0, &packet(0, 1, "small"));
    net.settle();
    net.pass(2 * PATH_WAIT);
    assert_eq!((limit(&net, 0), limit(&net, 1)), (Some(PASSES), Some(PASSES)));
    assert_eq!(send_large(&mut net), 20_000, "cut smaller than the kernel asked");
    assert!(net.hosts[1].heard.iter().all(|packet| packet.len() <= PASSES));
}

#[test]
fn a_path_that_begins_to_swallow_large_packets_is_healed_within_two_seconds() {
    let mut net = Net::new(2);
    assert_eq!(send_large(&mut net), 20_000);
    net.send(1, &packet(1, 0, "something comes back"));
    net.pass(3_000);
    net.drop = black_hole;
    let mut waited = 0;
    while send_large(&mut net) < 20_000 {
        net.send(1, &packet(1, 0, "something comes back"));
        net.pass(100);
        waited += 100;
        assert!(waited < 2_000);
    }
    // The same path grows again: it is tried anew with a later session.
    net.drop = |_| false;
    for _ in 0..40 {
        send_large(&mut net);
        net.send(1, &packet(1, 0, "something comes back"));
        net.pass(5_000);
    }
    assert_eq!(limit(&net, 0), None);
}

#[test]
fn the_sender_of_a_packet_that_cannot_be_cut_is_told() {
    let mut net = Net::new(2);
    net.drop = black_hole;
    net.send(0, &packet(0, 1, "small"));
    net.settle();
    net.pass(1_000);
    let whole = tcp_packet(&inside(0), &inside(1), 1, tcp::ACK, &[1; 1368]);
    net.send(0, &whole);
    let answer = &net.hosts[0].answers[0];
    assert_eq!(ip::destination(answer).to_string(), inside(0));
    assert_eq!(u16::from_be_bytes([answer[26], answer[27]]), PASSES as u16);
    assert!(net.wire.is_empty());
}

#[test]
fn a_syn_announces_what_passes_in_both_directions() {
    let mut net = Net::new(2);
    net.drop = black_hole;
    net.send(0, &packet(0, 1, "small"));
    net.settle();
    net.pass(1_000);
    net.hosts[1].heard.clear();
    let mut syn = tcp_packet(&inside(0), &inside(1), 1, tcp::SYN, &[]);
    syn[40..44].copy_from_slice(&[2, 4, 5, 0xb4]);
    net.send(0, &syn);
    net.settle();
    let heard = &net.hosts[1].heard[0];
    assert_eq!(usize::from(u16::from_be_bytes([heard[42], heard[43]])), PASSES - 40);
}

#[test]
fn a_peer_that_does_not_know_probes_is_asked_three_times_and_keeps_the_mtu() {
    let mut net = Net::new(2);
    // As every other WireGuard treats them: authenticated, and dropped unread.
    net.drop =
        |datagram| wg::kind(datagram) == Some(wg::Kind::Data) && datagram.len() == 16 + wg::DATA_OVERHEAD;
    net.send(0, &packet(0, 1, "a packet longer than a probe's answer is"));
    net.settle();
    net.pass(10_000);
    assert_eq!(limit(&net, 0), None);
    assert_eq!(send_large(&mut net), 20_000);
    let before = net.hosts[0].engine.report()[0].sent_bytes;
    net.pass(5_000);
    assert!(net.hosts[0].engine.report()[0].sent_bytes - before < 200, "no more probes");
}
