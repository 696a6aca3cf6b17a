//! "Packet too big": ICMP type 3 code 4 (RFC 792, RFC 1191 section 4) and ICMPv6 type 2 (RFC 4443 section 3.2).

use super::{checksum, ip};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// RFC 1812 section 4.3.2.3: an error is at most 576 bytes; RFC 4443 section 3.2: at most the least IPv6 MTU.
const LONGEST_V4: usize = 576;
const LONGEST_V6: usize = 1280;

/// The answer to a packet that does not fit `mtu`, as if its destination had sent it. None where none may be sent:
/// the packet may be fragmented, or is an ICMP error itself (RFC 1122 section 3.2.2).
pub fn too_big(packet: &[u8], mtu: usize) -> Option<Vec<u8>> {
    let view = ip::view(packet)?;
    let is_error = |kind: Option<&u8>, errors: &[u8]| kind.is_none_or(|kind| errors.contains(kind));
    let body = packet.get(view.header);
    if view.version == 4 {
        let may_fragment = packet[6] & 0x40 == 0;
        if may_fragment || (view.protocol == ICMP && is_error(body, &[3, 4, 5, 11, 12])) {
            return None;
        }
        let quoted = &packet[..view.total.min(LONGEST_V4 - 28)];
        Some(answer_v4(packet, quoted, mtu))
    } else {
        // ICMPv6 errors are the types below 128.
        if view.protocol == ICMPV6 && body.is_none_or(|kind| *kind < 128) {
            return None;
        }
        let quoted = &packet[..view.total.min(LONGEST_V6 - 48)];
        Some(answer_v6(packet, quoted, mtu))
    }
}

fn answer_v4(packet: &[u8], quoted: &[u8], mtu: usize) -> Vec<u8> {
    let mut answer = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 64, ICMP, 0, 0];
    answer.extend(&packet[16..20]);
    answer.extend(&packet[12..16]);
    answer.extend([3, 4, 0, 0, 0, 0]);
    answer.extend((mtu as u16).to_be_bytes());
    answer.extend(quoted);
    let sum = !checksum::fold(checksum::add(0, &answer[20..]));
    answer[22..24].copy_from_slice(&sum.to_ne_bytes());
    let total = answer.len();
    ip::put_total(&mut answer, 20, total);
    answer
}

fn answer_v6(packet: &[u8], quoted: &[u8], mtu: usize) -> Vec<u8> {
    let mut answer = vec![0x60, 0, 0, 0, 0, 0, ICMPV6, 64];
    answer.extend(&packet[24..40]);
    answer.extend(&packet[8..24]);
    answer.extend([2, 0, 0, 0]);
    answer.extend((mtu as u32).to_be_bytes());
    answer.extend(quoted);
    let pseudo = checksum::pseudo(ip::addresses(&answer), ICMPV6, answer.len() - ip::IPV6_LEN);
    let sum = !checksum::fold(checksum::add(pseudo, &answer[ip::IPV6_LEN..]));
    answer[42..44].copy_from_slice(&sum.to_ne_bytes());
    let total = answer.len();
    ip::put_total(&mut answer, ip::IPV6_LEN, total);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offload::split::tests::udp_packet;

    #[test]
    fn the_answer_goes_to_the_source_with_right_checksums_and_the_mtu() {
        let packet = udp_packet("192.0.2.1", "192.0.2.2", &[1; 1400]);
        let answer = too_big(&packet, 1300).unwrap();
        assert_eq!(ip::view(&answer).unwrap().total, answer.len());
        assert_eq!((&answer[12..16], &answer[16..20]), (&packet[16..20], &packet[12..16]));
        assert_eq!(checksum::fold(checksum::add(0, &answer[..20])), 0xffff);
        assert_eq!(checksum::fold(checksum::add(0, &answer[20..])), 0xffff);
        assert_eq!((answer[20], answer[21], &answer[26..28]), (3, 4, &1300u16.to_be_bytes()[..]));
        assert!(answer.len() <= 576 && packet.starts_with(&answer[28..]));

        let packet = udp_packet("2001:db8::1", "2001:db8::2", &[1; 1400]);
        let answer = too_big(&packet, 1300).unwrap();
        let pseudo = checksum::pseudo(ip::addresses(&answer), ICMPV6, answer.len() - 40);
        assert_eq!(checksum::fold(checksum::add(pseudo, &answer[40..])), 0xffff);
        assert_eq!((answer[40], &answer[44..48], answer.len()), (2, &1300u32.to_be_bytes()[..], 1280));
    }

    #[test]
    fn no_answer_where_fragmenting_is_allowed_or_to_errors() {
        let mut packet = udp_packet("192.0.2.1", "192.0.2.2", &[1; 1400]);
        packet[6] = 0;
        assert_eq!(too_big(&packet, 1300), None);
        let packet = udp_packet("192.0.2.1", "192.0.2.2", &[1; 1400]);
        assert_eq!(
            too_big(
                &too_big(&packet, 1300)
                    .map(|mut answer| {
                        answer[6] = 0x40;
                        answer
                    })
                    .unwrap(),
                500
            ),
            None
        );
    }
}
