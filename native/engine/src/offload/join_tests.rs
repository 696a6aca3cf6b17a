use super::*;
use crate::offload::split::{self, tests::*};
use crate::tests::Random;

const ALL: Takes = Takes { tcp: true, udp: true };
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

/// Joins the packets of one batch; what comes out is what `writev` would see.
fn join(takes: Takes, packets: &[Vec<u8>]) -> Vec<(Vnet, Vec<u8>)> {
    let mut arena = packets.concat();
    let mut out = Vec::new();
    let mut write = |vnet: &Vnet, pieces: &[Piece], arena: &[u8]| {
        let bytes = pieces.iter().flat_map(|piece| &arena[piece.at..piece.at + piece.len]).copied().collect();
        out.push((*vnet, bytes));
    };
    let (mut join, mut at) = (Join::new(takes), 0);
    for packet in packets {
        join.push(&mut arena, Piece { at, len: packet.len() }, &mut write);
        at += packet.len();
    }
    join.flush(&mut arena, &mut write);
    out
}

fn segments(sequences: &[u32]) -> Vec<Vec<u8>> {
    sequences.iter().map(|&s| tcp_packet(A, B, s, tcp::ACK, &[s as u8; 100])).collect()
}

#[test]
fn consecutive_segments_become_one_and_cut_back_into_the_same() {
    for (a, b) in [(A, B), ("2001:db8::1", "2001:db8::2")] {
        let mut packets: Vec<_> =
            (0..40).map(|i| tcp_packet(a, b, i * 100, tcp::ACK, &[i as u8; 100])).collect();
        packets.push(tcp_packet(a, b, 4000, tcp::ACK | tcp::PSH, &[9; 60]));
        // The identification counts up in what is cut, so it must in what is joined for the comparison.
        for (i, packet) in packets.iter_mut().enumerate().filter(|_| a == A) {
            packet[4..6].copy_from_slice(&(i as u16).to_be_bytes());
            let total = packet.len();
            ip::put_total(packet, 20, total);
        }
        let mut joined = join(ALL, &packets);
        assert_eq!(joined.len(), 1);
        let (vnet, bytes) = &mut joined[0];
        let mut cut = Packets::default();
        split::split(vnet, bytes, &mut cut).unwrap();
        assert_eq!(cut.0, packets);
    }
}

#[test]
fn datagrams_of_one_size_become_one() {
    let mut packets: Vec<_> = (0..10).map(|i| udp_packet(A, B, &[i; 500])).collect();
    packets.push(udp_packet(A, B, &[1; 20]));
    packets.push(udp_packet(A, B, &[1; 20]));
    let mut joined = join(ALL, &packets);
    assert_eq!(joined.len(), 2, "nothing follows the short one");
    let (vnet, bytes) = &mut joined[0];
    let mut cut = Packets::default();
    split::split(vnet, bytes, &mut cut).unwrap();
    assert!(cut.0.iter().all(|packet| has_right_checksums(packet)));
    let payloads = |packets: &[Vec<u8>]| packets.iter().map(|p| p[20..].to_vec()).collect::<Vec<_>>();
    assert_eq!(payloads(&cut.0), payloads(&packets[..11]));
}

#[test]
fn what_means_something_of_its_own_is_not_joined() {
    let wrong_checksum = {
        let mut packet = tcp_packet(A, B, 100, tcp::ACK, &[1; 100]);
        packet[36] ^= 1;
        packet
    };
    for second in [
        tcp_packet(A, B, 100, tcp::ACK | tcp::FIN, &[1; 100]),
        tcp_packet(A, B, 100, tcp::ACK, &[]),
        tcp_packet(A, B, 100, tcp::ACK, &[1; 101]),
        tcp_packet(A, B, 200, tcp::ACK, &[1; 100]),
        wrong_checksum,
    ] {
        let packets = [tcp_packet(A, B, 0, tcp::ACK, &[0; 100]), second];
        let out = join(ALL, &packets);
        assert_eq!(out.len(), 2);
        assert!(
            out.iter()
                .zip(&packets)
                .all(|((vnet, bytes), packet)| *vnet == Vnet::default() && bytes == packet)
        );
    }
}

#[test]
fn an_interface_without_the_offload_gets_single_packets() {
    assert_eq!(join(Takes { tcp: false, udp: false }, &segments(&[0, 100, 200])).len(), 3);
}

#[test]
fn a_large_packet_never_exceeds_what_the_header_can_say() {
    let packets: Vec<_> = (0..100).map(|i| tcp_packet(A, B, i * 1368, tcp::ACK, &[1; 1368])).collect();
    let joined = join(ALL, &packets);
    assert!(joined.iter().all(|(_, bytes)| bytes.len() <= 65_535));
    assert_eq!(joined.len(), 3);
}

#[test]
fn flows_in_random_order_each_keep_their_bytes_in_order() {
    for seed in 1..200 {
        let mut random = Random(seed);
        let sources: Vec<String> = (1..=12).map(|i| format!("192.0.2.{i}")).collect();
        let (mut next, mut sent) = ([0u32; 12], vec![Vec::<u8>::new(); 12]);
        let packets: Vec<_> = (0..300)
            .map(|_| {
                let flow = random.below(12) as usize;
                let payload = vec![random.word() as u8; 1 + random.below(3) as usize * 50];
                let flags = if random.below(8) == 0 { tcp::ACK | tcp::PSH } else { tcp::ACK };
                let packet = tcp_packet(&sources[flow], B, next[flow], flags, &payload);
                next[flow] += payload.len() as u32;
                sent[flow].extend(&payload);
                packet
            })
            .collect();
        let mut heard = vec![Vec::<u8>::new(); 12];
        for (vnet, mut bytes) in join(ALL, &packets) {
            let mut cut = Packets::default();
            split::split(&vnet, &mut bytes, &mut cut).unwrap();
            for packet in cut.0 {
                assert!(has_right_checksums(&packet), "seed {seed}");
                let flow = usize::from(packet[15]) - 1;
                assert_eq!(tcp::sequence(&packet[20..]) as usize, heard[flow].len(), "seed {seed}");
                heard[flow].extend(&packet[52..]);
            }
        }
        assert_eq!(heard, sent, "seed {seed}");
    }
}
