//! Bytes that no socket forms for us: echo requests (RFC 792, RFC 4443), the options of source routing (RFC 791,
//! RFC 8754).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const PAYLOAD: &[u8; 32] = b"culvert flood: must not get out.";

pub fn payload() -> Vec<u8> {
    PAYLOAD.to_vec()
}

pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(format!("not hexadecimal: {text:.40}"));
    }
    let pairs = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().map_err(|_| format!("not hexadecimal: {text:.40}"))
}

/// An echo request. The kernel fills in the ICMPv6 checksum (RFC 3542, 3.1), not the ICMP one.
pub fn echo(to: IpAddr, sequence: u16) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let [high, low] = sequence.to_be_bytes();
    let mut packet = vec![kind, 0, 0, 0, 0xc0, 0xde, high, low];
    packet.extend_from_slice(PAYLOAD);
    if to.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// Loose source and record route: the socket's destination comes last, the hop first (ip(7), IP_OPTIONS).
pub fn lsrr(hop: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    // type 131, length, pointer; padded with end-of-list to a multiple of four
    [&[131, 11, 4][..], &hop.octets(), &to.octets(), &[0]].concat()
}

/// Segment routing header, one segment left: first `hop`, then `to`. Segments stand last one first (RFC 8754, 2).
pub fn routing_header(hop: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    // next header 0 (the kernel fills it), length in 8 bytes beyond the first, type 4, segments left 1, last entry 1
    [&[0, 4, 4, 1, 1, 0, 0, 0][..], &to.octets(), &hop.octets()].concat()
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_request_sums_to_zero_and_carries_its_number() {
        let packet = echo("192.0.2.1".parse().unwrap(), 0x1234);
        assert_eq!(checksum(&packet), 0);
        assert_eq!(packet[6..8], [0x12, 0x34]);
        assert_eq!(echo("2001:db8::1".parse().unwrap(), 1)[0], 128);
    }

    #[test]
    fn source_routes_have_the_length_they_claim() {
        let option = lsrr(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!((option.len() % 4, option[1]), (0, 11));
        let header = routing_header(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        assert_eq!(header.len(), 8 + 8 * usize::from(header[1]));
    }

    #[test]
    fn hexadecimal_is_read_in_pairs_or_refused() {
        assert_eq!(unhex("00ff10").unwrap(), [0, 255, 16]);
        assert!(unhex("0").is_err());
        assert!(unhex("zz").is_err());
    }
}
