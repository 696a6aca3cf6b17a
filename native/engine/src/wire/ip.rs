//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, as far as a tunnel looks at them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const IPV4_MIN: usize = 20;
pub const IPV6_LEN: usize = 40;

/// A checked look at one IP packet: the lengths in the header fit the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub version: u8,
    /// Length of the IP header; in IPv6 without extension headers.
    pub header: usize,
    /// Length of the whole packet as the header says it; what follows is padding.
    pub total: usize,
    /// IPv4 protocol or IPv6 next header.
    pub protocol: u8,
    /// IPv4 fragment other than a whole packet.
    pub fragment: bool,
}

/// Checks version and lengths.
pub fn view(packet: &[u8]) -> Option<View> {
    match packet.first()? >> 4 {
        4 if packet.len() >= IPV4_MIN => {
            let header = usize::from(packet[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
            (header >= IPV4_MIN && total >= header && total <= packet.len()).then_some(View {
                version: 4,
                header,
                total,
                protocol: packet[9],
                fragment,
            })
        }
        6 if packet.len() >= IPV6_LEN => {
            let total = IPV6_LEN + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            (total <= packet.len()).then_some(View {
                version: 6,
                header: IPV6_LEN,
                total,
                protocol: packet[6],
                fragment: false,
            })
        }
        _ => None,
    }
}

/// Source and destination as bytes, as the pseudo header wants them.
pub fn addresses(packet: &[u8]) -> &[u8] {
    if packet[0] >> 4 == 4 { &packet[12..20] } else { &packet[8..40] }
}

pub fn source(packet: &[u8]) -> IpAddr {
    address(packet, 12, 8)
}

pub fn destination(packet: &[u8]) -> IpAddr {
    address(packet, 16, 24)
}

fn address(packet: &[u8], v4: usize, v6: usize) -> IpAddr {
    if packet[0] >> 4 == 4 {
        let mut octets = [0; 4];
        octets.copy_from_slice(&packet[v4..v4 + 4]);
        Ipv4Addr::from(octets).into()
    } else {
        let mut octets = [0; 16];
        octets.copy_from_slice(&packet[v6..v6 + 16]);
        Ipv6Addr::from(octets).into()
    }
}

/// Writes the length of a packet that was cut or joined, and in IPv4 its header checksum.
pub fn put_total(packet: &mut [u8], header: usize, total: usize) {
    if packet[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        packet[10..12].fill(0);
        let sum = !checksum::fold(checksum::add(0, &packet[..header]));
        packet[10..12].copy_from_slice(&sum.to_ne_bytes());
    } else {
        packet[4..6].copy_from_slice(&((total - IPV6_LEN) as u16).to_be_bytes());
    }
}

/// The two ECN bits of the traffic class (RFC 3168 section 5).
pub fn ecn(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 { packet[1] & 3 } else { (packet[1] >> 4) & 3 }
}

/// Marks congestion experienced, mending the IPv4 header checksum incrementally (RFC 1624).
pub fn set_congestion_experienced(packet: &mut [u8]) {
    if packet[0] >> 4 == 4 {
        let old = u16::from_be_bytes([packet[0], packet[1]]);
        packet[1] |= 3;
        let new = u16::from_be_bytes([packet[0], packet[1]]);
        let sum = u16::from_be_bytes([packet[10], packet[11]]);
        let mended = !checksum::fold(u64::from(!sum) + u64::from(!old) + u64::from(new));
        packet[10..12].copy_from_slice(&mended.to_be_bytes());
    } else {
        packet[1] |= 0x30;
    }
}

/// One hop less, with the IPv4 header checksum mended (RFC 1624); false when none is left.
pub fn decrement_hops(packet: &mut [u8]) -> bool {
    let at = if packet[0] >> 4 == 4 { 8 } else { 7 };
    if packet[at] <= 1 {
        return false;
    }
    packet[at] -= 1;
    if at == 8 {
        let sum = u16::from_be_bytes([packet[10], packet[11]]);
        // The checksum grows by what the word of hops and protocol loses.
        let mended = checksum::fold(u64::from(sum) + 0x0100);
        packet[10..12].copy_from_slice(&mended.to_be_bytes());
    }
    true
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An IPv4 or IPv6 packet with `payload` behind a correct header.
    pub fn packet(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut head = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0];
                head.extend(source.octets());
                head.extend(destination.octets());
                head
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut head = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
                head.extend(source.octets());
                head.extend(destination.octets());
                head
            }
            _ => panic!("one family"),
        };
        let header = packet.len();
        packet.extend(payload);
        let total = packet.len();
        put_total(&mut packet, header, total);
        packet
    }

    #[test]
    fn a_header_longer_than_the_bytes_is_refused() {
        let mut packet = packet("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap(), UDP, b"12345678");
        assert!(view(&packet).is_some());
        packet[3] += 1;
        assert_eq!(view(&packet), None);
        assert_eq!(view(&[]), None);
        assert_eq!(view(&[0x45; 19]), None);
        assert_eq!(view(&[0x60; 39]), None);
    }

    #[test]
    fn padding_behind_the_packet_is_not_part_of_it() {
        let mut bytes = packet("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), UDP, b"abc");
        bytes.extend([0; 13]);
        assert_eq!(view(&bytes).unwrap().total, 43);
        assert_eq!(source(&bytes), "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(destination(&bytes), "2001:db8::2".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_hop_less_keeps_the_ipv4_checksum_right() {
        let mut bytes = packet("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap(), UDP, b"x");
        for left in (1..64).rev() {
            assert!(decrement_hops(&mut bytes));
            assert_eq!((bytes[8], checksum::fold(checksum::add(0, &bytes[..20]))), (left, 0xffff));
        }
        assert!(!decrement_hops(&mut bytes));
    }

    #[test]
    fn marking_congestion_keeps_the_ipv4_checksum_right() {
        let mut bytes = packet("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap(), UDP, b"x");
        bytes[1] = 0x02;
        put_total(&mut bytes, 20, 21);
        set_congestion_experienced(&mut bytes);
        assert_eq!(ecn(&bytes), 3);
        assert_eq!(checksum::fold(checksum::add(0, &bytes[..20])), 0xffff);
    }
}
