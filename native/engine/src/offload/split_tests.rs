use super::*;
use std::net::IpAddr;

/// Collects packets.
#[derive(Default)]
pub struct Packets(pub Vec<Vec<u8>>);

impl Slots for Packets {
    fn slot(&mut self, len: usize) -> &mut [u8] {
        self.0.push(vec![0; len]);
        self.0.last_mut().unwrap()
    }
    fn done(&mut self) {}
}

/// A TCP packet with 12 bytes of options and a right checksum.
pub fn tcp_packet(source: &str, destination: &str, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x30, 0x39, 0x01, 0xbb];
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 9, 0x80, flags, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    segment.extend(payload);
    transport(source, destination, ip::TCP, tcp::CHECKSUM, segment)
}

pub fn udp_packet(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x30, 0x39, 0x01, 0xbb];
    datagram.extend((payload.len() as u16 + 8).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    transport(source, destination, ip::UDP, udp::CHECKSUM, datagram)
}

fn transport(source: &str, destination: &str, protocol: u8, at: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
    let header = ip::tests::packet(source, destination, protocol, &[]);
    let sum = checksum::add(checksum::pseudo(ip::addresses(&header), protocol, bytes.len()), &bytes);
    bytes[at..at + 2].copy_from_slice(&udp::nonzero(!checksum::fold(sum)).to_ne_bytes());
    let mut packet = ip::tests::packet(source, destination, protocol, &bytes);
    if packet[0] >> 4 == 4 {
        packet[6] = 0x40;
        let total = packet.len();
        ip::put_total(&mut packet, 20, total);
    }
    packet
}

pub fn has_right_checksums(packet: &[u8]) -> bool {
    let view = ip::view(packet).unwrap();
    let transport = &packet[view.header..];
    let pseudo = checksum::pseudo(ip::addresses(packet), view.protocol, transport.len());
    let header_is_right =
        view.version == 6 || checksum::fold(checksum::add(0, &packet[..view.header])) == 0xffff;
    header_is_right
        && view.total == packet.len()
        && checksum::fold(checksum::add(pseudo, transport)) == 0xffff
}

fn large(gso: Gso, start: u16, segment: u16) -> Vnet {
    Vnet { needs_checksum: true, gso, header: 0, segment, checksum_start: start, checksum_offset: 16 }
}

#[test]
fn tcp_segments_carry_the_payload_on_with_right_sequence_and_checksums() {
    for (source, destination, gso, start) in
        [("192.0.2.1", "192.0.2.2", Gso::TcpV4, 20), ("2001:db8::1", "2001:db8::2", Gso::TcpV6, 40)]
    {
        let payload: Vec<u8> = (0..3500u32).map(|i| (i / 3) as u8).collect();
        let flags = tcp::ACK | tcp::PSH | tcp::FIN | tcp::CWR;
        let mut packet = tcp_packet(source, destination, u32::MAX - 1000, flags, &payload);
        let mut out = Packets::default();
        assert_eq!(count(&large(gso, start, 1368), &packet), 3);
        split(&large(gso, start, 1368), &mut packet, &mut out).unwrap();

        let header = usize::from(start) + 32;
        assert_eq!(out.0.len(), 3);
        assert!(out.0.iter().all(|piece| has_right_checksums(piece)));
        let joined: Vec<u8> = out.0.iter().flat_map(|piece| piece[header..].to_vec()).collect();
        assert_eq!(joined, payload);
        let seen: Vec<_> =
            out.0.iter().map(|p| (tcp::sequence(&p[start.into()..]), p[usize::from(start) + 13])).collect();
        let first = u32::MAX - 1000;
        let expected = [
            (first, tcp::ACK | tcp::CWR),
            (first.wrapping_add(1368), tcp::ACK),
            (first.wrapping_add(2736), tcp::ACK | tcp::PSH | tcp::FIN),
        ];
        assert_eq!(seen, expected);
    }
}

#[test]
fn udp_segments_are_datagrams_of_one_size_and_a_rest() {
    let mut packet = udp_packet("192.0.2.1", "192.0.2.2", &[7; 2500]);
    let mut out = Packets::default();
    let vnet = Vnet { checksum_offset: 6, ..large(Gso::Udp, 20, 1000) };
    split(&vnet, &mut packet, &mut out).unwrap();
    assert!(out.0.iter().all(|piece| has_right_checksums(piece)));
    assert_eq!(out.0.iter().map(|piece| piece.len() - 28).collect::<Vec<_>>(), [1000, 1000, 500]);
}

#[test]
fn a_partial_checksum_is_completed() {
    let right = udp_packet("192.0.2.1", "192.0.2.2", b"payload");
    let mut packet = right.clone();
    let pseudo = checksum::fold(checksum::pseudo(ip::addresses(&packet), ip::UDP, packet.len() - 20));
    packet[26..28].copy_from_slice(&pseudo.to_ne_bytes());
    let mut out = Packets::default();
    let vnet = Vnet { gso: Gso::None, checksum_offset: 6, ..large(Gso::None, 20, 0) };
    split(&vnet, &mut packet, &mut out).unwrap();
    assert_eq!(out.0, [right]);
}

#[test]
fn a_header_that_contradicts_the_packet_writes_nothing() {
    let mut packet = tcp_packet("192.0.2.1", "192.0.2.2", 1, tcp::ACK, &[1; 100]);
    let mut out = Packets::default();
    for vnet in [
        large(Gso::TcpV6, 40, 50),
        large(Gso::TcpV4, 24, 50),
        large(Gso::TcpV4, 20, 0),
        large(Gso::TcpV4, 150, 50),
        large(Gso::TcpV4, 4000, 50),
        large(Gso::None, 4000, 50),
    ] {
        assert_eq!(split(&vnet, &mut packet, &mut out), Err(Malformed), "{vnet:?}");
    }
    assert_eq!(out.0.len(), 0);
}
