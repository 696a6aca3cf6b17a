//! One read from the TUN → packets. A plain packet passes with its checksum completed; a large one is cut as the
//! kernel's `tcp_gso_segment` and `__udp_gso_segment` cut it, each segment straight into the place it is sealed in.

use super::vnet::{Gso, Vnet};
use crate::wire::{checksum, ip, tcp, udp};

/// Where segments go. `slot` hands out the place for a packet of `len` bytes, `done` says that it is filled.
pub trait Slots {
    fn slot(&mut self, len: usize) -> &mut [u8];
    fn done(&mut self);
}

/// The header and the packet contradict each other; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

pub fn split(vnet: &Vnet, packet: &mut [u8], out: &mut impl Slots) -> Result<(), Malformed> {
    match vnet.gso {
        Gso::None => whole(vnet, packet, out),
        Gso::TcpV4 | Gso::TcpV6 | Gso::Udp => {
            let cut = Cut::of(vnet, packet)?;
            cut.run(packet, out);
            Ok(())
        }
    }
}

/// How many packets `split` makes of this one.
pub fn count(vnet: &Vnet, packet: &[u8]) -> usize {
    match vnet.gso {
        Gso::None => 1,
        _ => Cut::of(vnet, packet).map_or(0, |cut| (packet.len() - cut.header).div_ceil(cut.segment)),
    }
}

fn whole(vnet: &Vnet, packet: &mut [u8], out: &mut impl Slots) -> Result<(), Malformed> {
    if vnet.needs_checksum {
        let start = usize::from(vnet.checksum_start);
        let at = start + usize::from(vnet.checksum_offset);
        if at + 2 > packet.len() {
            return Err(Malformed);
        }
        // The field holds the sum of the pseudo header, so the sum over all is the sum to complement.
        let sum = !checksum::fold(checksum::add(0, &packet[start..]));
        let is_udp = usize::from(vnet.checksum_offset) == udp::CHECKSUM;
        let sum = if is_udp { udp::nonzero(sum) } else { sum };
        packet[at..at + 2].copy_from_slice(&sum.to_ne_bytes());
    }
    out.slot(packet.len()).copy_from_slice(packet);
    out.done();
    Ok(())
}

/// Length of all headers of a large packet.
pub fn header(vnet: &Vnet, packet: &[u8]) -> Option<usize> {
    Cut::of(vnet, packet).ok().map(|cut| cut.header)
}

/// Where a large packet is cut.
struct Cut {
    is_tcp: bool,
    /// Start of the transport header.
    start: usize,
    /// Length of all headers.
    header: usize,
    segment: usize,
}

impl Cut {
    /// `hdr_len` is not trusted: on the forwarding path it may be the length of the whole first segment.
    fn of(vnet: &Vnet, packet: &[u8]) -> Result<Self, Malformed> {
        let is_tcp = vnet.gso != Gso::Udp;
        let start = usize::from(vnet.checksum_start);
        let version = packet.first().ok_or(Malformed)? >> 4;
        let least = if version == 4 { ip::IPV4_MIN } else { ip::IPV6_LEN };
        let fits = match vnet.gso {
            Gso::TcpV4 => version == 4,
            Gso::TcpV6 => version == 6,
            _ => version == 4 || version == 6,
        };
        let segment = usize::from(vnet.segment);
        if !fits || segment == 0 || start < least || start >= packet.len() {
            return Err(Malformed);
        }
        let transport = if is_tcp { tcp::header(&packet[start..]).ok_or(Malformed)? } else { udp::HEADER };
        let header = start + transport;
        if header >= packet.len() || (version == 4 && usize::from(packet[0] & 15) * 4 != start) {
            return Err(Malformed);
        }
        Ok(Self { is_tcp, start, header, segment })
    }

    fn run(&self, packet: &[u8], out: &mut impl Slots) {
        let (header, data) = packet.split_at(self.header);
        for (index, payload) in data.chunks(self.segment).enumerate() {
            let offset = index * self.segment;
            let last = offset + payload.len() == data.len();
            let piece = out.slot(header.len() + payload.len());
            piece[..header.len()].copy_from_slice(header);
            piece[header.len()..].copy_from_slice(payload);
            self.mend_ip(piece, index);
            if self.is_tcp {
                self.mend_tcp(piece, offset, last)
            } else {
                self.mend_udp(piece)
            }
            out.done();
        }
    }

    fn mend_ip(&self, piece: &mut [u8], index: usize) {
        if piece[0] >> 4 == 4 {
            let first = u16::from_be_bytes([piece[4], piece[5]]);
            piece[4..6].copy_from_slice(&first.wrapping_add(index as u16).to_be_bytes());
        }
        let total = piece.len();
        ip::put_total(piece, self.start, total);
    }

    /// FIN and PSH belong to the last segment only, CWR to the first (RFC 3168 section 6.1.2).
    fn mend_tcp(&self, piece: &mut [u8], offset: usize, last: bool) {
        let pseudo = checksum::pseudo(ip::addresses(piece), ip::TCP, piece.len() - self.start);
        let segment = &mut piece[self.start..];
        let sequence = tcp::sequence(segment).wrapping_add(offset as u32);
        segment[tcp::SEQUENCE..tcp::SEQUENCE + 4].copy_from_slice(&sequence.to_be_bytes());
        if !last {
            segment[tcp::FLAGS] &= !(tcp::FIN | tcp::PSH);
        }
        if offset > 0 {
            segment[tcp::FLAGS] &= !tcp::CWR;
        }
        segment[tcp::CHECKSUM..tcp::CHECKSUM + 2].fill(0);
        let sum = !checksum::fold(checksum::add(pseudo, segment));
        segment[tcp::CHECKSUM..tcp::CHECKSUM + 2].copy_from_slice(&sum.to_ne_bytes());
    }

    fn mend_udp(&self, piece: &mut [u8]) {
        let pseudo = checksum::pseudo(ip::addresses(piece), ip::UDP, piece.len() - self.start);
        let datagram = &mut piece[self.start..];
        let length = datagram.len() as u16;
        datagram[udp::LENGTH..udp::LENGTH + 2].copy_from_slice(&length.to_be_bytes());
        datagram[udp::CHECKSUM..udp::CHECKSUM + 2].fill(0);
        let sum = udp::nonzero(!checksum::fold(checksum::add(pseudo, datagram)));
        datagram[udp::CHECKSUM..udp::CHECKSUM + 2].copy_from_slice(&sum.to_ne_bytes());
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
pub mod tests;
