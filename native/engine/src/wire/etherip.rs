//! EtherIP (RFC 3378): an Ethernet frame behind two bytes, in an IP packet of protocol 97.

use std::net::IpAddr;

use super::ip;

pub const PROTOCOL: u8 = 97;
/// Version 3, the other twelve bits zero.
const HEADER: [u8; 2] = [0x30, 0x00];
/// Destination, source, type.
const ETHERNET: usize = 14;
/// TPIDs of 802.1Q and 802.1ad.
const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];

pub type Mac = [u8; 6];

/// The frame in an IP packet of protocol 97; RFC 3378 has other versions dropped.
pub fn frame<'p>(view: &ip::View, packet: &'p [u8]) -> Option<&'p [u8]> {
    let body = packet.get(view.header..view.total)?;
    let whole = !view.fragment && body.starts_with(&HEADER) && body.len() >= HEADER.len() + ETHERNET;
    whole.then(|| &body[HEADER.len()..])
}

pub fn destination(frame: &[u8]) -> Option<Mac> {
    frame.get(..6)?.try_into().ok()
}

pub fn source(frame: &[u8]) -> Option<Mac> {
    frame.get(6..12).filter(|_| frame.len() >= ETHERNET)?.try_into().ok()
}

/// Of the outermost tag; 0 without one.
pub fn vlan(frame: &[u8]) -> u16 {
    match frame.get(12..16) {
        Some(tag) if TAGS.iter().any(|tpid| tag.starts_with(tpid)) => {
            u16::from_be_bytes([tag[2], tag[3]]) & 0x0fff
        }
        _ => 0,
    }
}

/// Group bit: broadcast and multicast.
pub fn is_group(mac: Mac) -> bool {
    mac[0] & 1 == 1
}

/// The IP packet that carries `frame`; None when the families differ or it is too long. It may be fragmented, because a
/// bridge has no way to say that a frame is too big (RFC 3378 section 3).
pub fn packet(source: IpAddr, destination: IpAddr, frame: &[u8]) -> Option<Vec<u8>> {
    let mut packet = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut head = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, PROTOCOL, 0, 0];
            head.extend(source.octets());
            head.extend(destination.octets());
            head
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut head = vec![0x60, 0, 0, 0, 0, 0, PROTOCOL, 64];
            head.extend(source.octets());
            head.extend(destination.octets());
            head
        }
        _ => return None,
    };
    let header = packet.len();
    packet.extend(HEADER);
    packet.extend(frame);
    let total = packet.len();
    if total > usize::from(u16::MAX) {
        return None;
    }
    ip::put_total(&mut packet, header, total);
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        for (a, b) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let sent: Vec<u8> = (0..60).collect();
            let mut packet = packet(a.parse().unwrap(), b.parse().unwrap(), &sent).unwrap();
            let view = ip::view(&packet).unwrap();
            assert_eq!((view.protocol, frame(&view, &packet)), (PROTOCOL, Some(&sent[..])));
            packet[view.header] = 0x40;
            assert_eq!(frame(&view, &packet), None, "another version");
        }
        assert_eq!(packet("10.0.0.1".parse().unwrap(), "::1".parse().unwrap(), &[0; 60]), None);
    }

    #[test]
    fn the_vlan_is_the_outermost_tags() {
        let mut tagged = vec![0; 60];
        tagged[12..16].copy_from_slice(&[0x81, 0x00, 0xe0, 0x64]);
        assert_eq!(vlan(&tagged), 100);
        assert_eq!(vlan(&[0; 60]), 0);
        assert_eq!(vlan(&[0; 13]), 0);
    }
}
