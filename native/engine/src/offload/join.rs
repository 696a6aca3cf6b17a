//! Packets → one write to the TUN. Consecutive TCP segments of one flow become one large segment, UDP datagrams of
//! one size one large datagram, as the kernel's GRO does it, so that what is above sees few large packets.
//!
//! Nothing is copied: a packet is a range of the receive arena, and a joined one is a list of ranges. Checksums
//! are verified before joining, because the joined packet's own says nothing about the parts.
//! Packets of one flow keep their order; different flows may overtake each other within one batch.

use super::vnet::{Gso, Vnet};
use crate::wire::{checksum, ip, tcp, udp};

/// Open flows in one batch; more are written out and begun again.
const FLOWS: usize = 8;
/// UDP_MAX_SEGMENTS of older kernels (include/linux/udp.h); also bounds the iovec.
pub const SEGMENTS: usize = 64;
/// A large packet's length must fit the 16 bits of the IP header.
const LONGEST: usize = 65_535;

/// A range of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub at: usize,
    pub len: usize,
}

/// What the interface takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    pub tcp: bool,
    pub udp: bool,
}

pub struct Join {
    takes: Takes,
    flows: [Flow; FLOWS],
    used: usize,
}

#[derive(Default)]
struct Flow {
    pieces: Vec<Piece>,
    vnet: Gso,
    /// Start of the transport header, length of all headers.
    start: usize,
    header: usize,
    segment: usize,
    payload: usize,
    next_sequence: u32,
    closed: bool,
}

impl Join {
    pub fn new(takes: Takes) -> Self {
        Self { takes, flows: Default::default(), used: 0 }
    }

    /// Adds the packet in `arena[piece]`, writing out first when there is no room for another flow.
    pub fn push(&mut self, arena: &mut [u8], piece: Piece, write: &mut impl FnMut(&Vnet, &[Piece], &[u8])) {
        let shape = Shape::of(&arena[piece.at..piece.at + piece.len], self.takes);
        if let Some(shape) = &shape
            && self.append(arena, piece, shape)
        {
            return;
        }
        if self.used == FLOWS {
            self.flush(arena, write);
        }
        self.flows[self.used].begin(piece, shape);
        self.used += 1;
    }

    /// Writes everything out, oldest flow first.
    pub fn flush(&mut self, arena: &mut [u8], write: &mut impl FnMut(&Vnet, &[Piece], &[u8])) {
        for flow in &mut self.flows[..self.used] {
            let vnet = flow.finish(arena);
            write(&vnet, &flow.pieces, arena);
        }
        self.used = 0;
    }

    /// Only the newest entry of the same flow is asked: joining an older one would overtake.
    fn append(&mut self, arena: &mut [u8], piece: Piece, shape: &Shape) -> bool {
        let newest = self.flows[..self.used].iter_mut().rev().find(|flow| flow.is_same(arena, piece, shape));
        newest.is_some_and(|flow| flow.append(arena, piece, shape))
    }
}

/// A packet that could be joined with others.
struct Shape {
    gso: Gso,
    start: usize,
    header: usize,
    payload: usize,
    sequence: u32,
    /// Nothing may follow: PSH is set.
    last: bool,
}

impl Shape {
    fn of(packet: &[u8], takes: Takes) -> Option<Self> {
        let view = ip::view(packet)?;
        // Without DF the kernel's GRO would have to check identifications; such flows are rare.
        let plain =
            view.version == 6 || (view.header == ip::IPV4_MIN && !view.fragment && packet[6] & 0x40 != 0);
        if !plain || view.total != packet.len() {
            return None;
        }
        let transport = &packet[view.header..];
        let shape = match view.protocol {
            ip::TCP if takes.tcp => Self::tcp(&view, transport)?,
            ip::UDP if takes.udp => Self::udp(&view, transport)?,
            _ => return None,
        };
        let pseudo = checksum::pseudo(ip::addresses(packet), view.protocol, transport.len());
        (checksum::fold(checksum::add(pseudo, transport)) == 0xffff).then_some(shape)
    }

    /// Only plain data: a segment with SYN, FIN, RST, URG or ECE means something of its own.
    fn tcp(view: &ip::View, segment: &[u8]) -> Option<Self> {
        let header = tcp::header(segment)?;
        let payload = segment.len() - header;
        let flags = segment[tcp::FLAGS];
        (payload > 0 && flags & !tcp::PSH == tcp::ACK).then_some(Self {
            gso: if view.version == 4 { Gso::TcpV4 } else { Gso::TcpV6 },
            start: view.header,
            header: view.header + header,
            payload,
            sequence: tcp::sequence(segment),
            last: flags & tcp::PSH != 0,
        })
    }

    fn udp(view: &ip::View, datagram: &[u8]) -> Option<Self> {
        let payload = udp::length(datagram)?.checked_sub(udp::HEADER)?;
        let has_checksum = datagram[udp::CHECKSUM..udp::HEADER] != [0, 0];
        (payload > 0 && has_checksum && payload + udp::HEADER == datagram.len()).then_some(Self {
            gso: Gso::Udp,
            start: view.header,
            header: view.header + udp::HEADER,
            payload,
            sequence: 0,
            last: false,
        })
    }
}

impl Flow {
    fn begin(&mut self, piece: Piece, shape: Option<Shape>) {
        self.pieces.clear();
        self.pieces.push(piece);
        self.closed = shape.as_ref().is_none_or(|shape| shape.last);
        self.vnet = shape.as_ref().map_or(Gso::None, |shape| shape.gso);
        if let Some(shape) = shape {
            self.start = shape.start;
            self.header = shape.header;
            self.segment = shape.payload;
            self.payload = shape.payload;
            self.next_sequence = shape.sequence.wrapping_add(shape.payload as u32);
        }
    }

    /// Same addresses and ports.
    fn is_same(&self, arena: &[u8], piece: Piece, shape: &Shape) -> bool {
        let head = &arena[self.pieces[0].at..];
        let packet = &arena[piece.at..];
        let addresses = if shape.start == ip::IPV4_MIN { 12 } else { 8 };
        let same = addresses..shape.start + 4;
        self.vnet == shape.gso && self.start == shape.start && head[same.clone()] == packet[same]
    }

    fn append(&mut self, arena: &mut [u8], piece: Piece, shape: &Shape) -> bool {
        let fits = !self.closed
            && self.header == shape.header
            && shape.payload <= self.segment
            && self.pieces.len() < SEGMENTS
            && self.header + self.payload + shape.payload <= LONGEST;
        let follows = shape.gso == Gso::Udp || shape.sequence == self.next_sequence;
        if !fits || !follows || !self.has_same_header(arena, piece) {
            return false;
        }
        self.pieces.push(Piece { at: piece.at + shape.header, len: shape.payload });
        self.payload += shape.payload;
        self.next_sequence = self.next_sequence.wrapping_add(shape.payload as u32);
        if shape.last {
            arena[self.pieces[0].at + self.start + tcp::FLAGS] |= tcp::PSH;
        }
        self.closed = shape.last || shape.payload < self.segment;
        true
    }

    /// Everything that is not length, identification, sequence, PSH or checksum.
    fn has_same_header(&self, arena: &[u8], piece: Piece) -> bool {
        let head = &arena[self.pieces[0].at..][..self.header];
        let packet = &arena[piece.at..][..self.header];
        let same = |range: std::ops::Range<usize>| head[range.clone()] == packet[range];
        let start = self.start;
        let ip_is_same = if start == ip::IPV4_MIN {
            same(0..2) && same(6..10) && same(12..start)
        } else {
            same(0..4) && same(6..start)
        };
        let is_udp = self.vnet == Gso::Udp;
        ip_is_same
            && (is_udp
                || (same(start + 8..start + 13)
                    && same(start + 14..start + 16)
                    && same(start + 18..self.header)))
    }

    /// Mends the first packet's header to speak for all.
    fn finish(&self, arena: &mut [u8]) -> Vnet {
        if self.pieces.len() == 1 {
            return Vnet::default();
        }
        let packet = &mut arena[self.pieces[0].at..][..self.header];
        let total = self.header + self.payload;
        ip::put_total(packet, self.start, total);
        let (protocol, offset) = match self.vnet {
            Gso::Udp => (ip::UDP, udp::CHECKSUM),
            _ => (ip::TCP, tcp::CHECKSUM),
        };
        let pseudo = checksum::fold(checksum::pseudo(ip::addresses(packet), protocol, total - self.start));
        let transport = &mut packet[self.start..];
        if self.vnet == Gso::Udp {
            let length = (total - self.start) as u16;
            transport[udp::LENGTH..udp::LENGTH + 2].copy_from_slice(&length.to_be_bytes());
        }
        transport[offset..offset + 2].copy_from_slice(&pseudo.to_ne_bytes());
        Vnet {
            needs_checksum: true,
            gso: self.vnet,
            header: self.header as u16,
            segment: self.segment as u16,
            checksum_start: self.start as u16,
            checksum_offset: offset as u16,
        }
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
