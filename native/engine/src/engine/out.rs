//! What the engine wants done: datagrams to send, events to tell, a timer to look at sooner.

use std::net::{IpAddr, SocketAddr};

use crate::noise::primitives::Key;
use crate::offload::join::Piece;

/// Where a peer's datagrams go: an address, in the outer world or, for a chained peer (its id), inside another tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub address: SocketAddr,
    /// Which of our addresses they leave by; None leaves the choice to the kernel.
    pub local: Option<IpAddr>,
    pub chained: Option<u32>,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address, local: None, chained: None }
    }
}

/// Datagrams of one size to one address (the last may be shorter), for one UDP_SEGMENT send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train {
    pub to: SocketAddr,
    pub local: Option<IpAddr>,
    pub chained: Option<u32>,
    pub tos: u8,
    pub at: usize,
    /// Its bytes stand in the receive arena, not here.
    pub is_lent: bool,
    pub len: usize,
    pub segment: usize,
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Handshake {
        peer: Key,
        unix_ms: u64,
    },
    /// Data was sent, a handshake asked, and nothing was heard for this long.
    Silent {
        peer: Key,
        for_ms: u64,
    },
    /// A silent peer was heard again.
    Heard {
        peer: Key,
    },
    /// A sample of what a peer was refused.
    Refused {
        peer: Key,
        reason: &'static str,
        source: IpAddr,
        destination: IpAddr,
    },
}

/// The largest UDP payload over IPv4, which a train may not exceed as a whole (RFC 791: 65,535 - 20 - 8).
pub const LONGEST_TRAIN: usize = 65_507;
/// UDP_MAX_SEGMENTS of kernels before 6.9 (include/linux/udp.h).
const LONGEST_COUNT: usize = 64;

#[derive(Default)]
pub struct Out {
    pub events: Vec<Event>,
    /// A timer was set that is due before the one that is waited for.
    pub wake: bool,
    /// Packets for the TUN: answers to what came from it.
    pub answers: Vec<Vec<u8>>,
    /// Frames for the TAP.
    pub frames: Vec<Vec<u8>>,
    trains: Vec<Train>,
    /// Never shrinks and is never cleared: `used` says how much of it counts.
    bytes: Vec<u8>,
    used: usize,
    /// Bytes of lent datagrams.
    lent: usize,
    /// Room for wrapping a chained peer's datagrams.
    pub(super) scratch: Vec<u8>,
}

impl Out {
    pub fn trains(&self) -> &[Train] {
        &self.trains
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    pub fn len(&self) -> usize {
        self.used + self.lent
    }

    pub fn is_empty(&self) -> bool {
        self.trains.is_empty()
    }

    /// Forgets the datagrams, after they were sent.
    pub fn clear(&mut self) {
        self.trains.clear();
        (self.used, self.lent) = (0, 0);
    }

    /// The place for one more datagram of `len` bytes.
    pub fn datagram(&mut self, to: Endpoint, tos: u8, len: usize) -> &mut [u8] {
        let at = self.used;
        self.used += len;
        if self.bytes.len() < self.used {
            self.bytes.resize(self.used.next_multiple_of(1 << 16), 0);
        }
        self.couple(to, tos, Piece { at, len }, false);
        &mut self.bytes[at..self.used]
    }

    /// One more datagram, which stands in the receive arena until it was sent.
    pub fn lend(&mut self, to: Endpoint, tos: u8, piece: Piece) {
        self.lent += piece.len;
        self.couple(to, tos, piece, true);
    }

    fn couple(&mut self, to: Endpoint, tos: u8, Piece { at, len }: Piece, is_lent: bool) {
        match self.trains.last_mut() {
            Some(train)
                if train.takes(to, tos, len) && train.is_lent == is_lent && train.at + train.len == at =>
            {
                train.len += len;
                train.count += 1;
            }
            _ => {
                let Endpoint { address, local, chained } = to;
                self.trains.push(Train {
                    to: address,
                    local,
                    chained,
                    tos,
                    at,
                    is_lent,
                    len,
                    segment: len,
                    count: 1,
                });
            }
        }
    }

    /// Takes the first train of a chained peer out of the list; its bytes stay.
    pub fn take_chained(&mut self) -> Option<Train> {
        let at = self.trains.iter().position(|train| train.chained.is_some())?;
        Some(self.trains.remove(at))
    }

    /// The last datagram handed out, `len` long.
    pub fn last(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.used - len..self.used]
    }
}

impl Train {
    fn takes(&self, to: Endpoint, tos: u8, len: usize) -> bool {
        let is_whole = self.len == self.segment * self.count;
        let fits = self.count < LONGEST_COUNT && self.len + len <= LONGEST_TRAIN;
        is_whole
            && fits
            && len <= self.segment
            && self.to == to.address
            && self.local == to.local
            && self.chained == to.chained
            && self.tos == tos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_train_ends_with_a_shorter_datagram_another_address_or_at_the_limit() {
        let (a, b): (SocketAddr, SocketAddr) =
            ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap());
        let mut out = Out::default();
        for (to, len) in [(a, 100), (a, 100), (a, 60), (a, 60), (b, 60), (b, 61)] {
            out.datagram(to.into(), 0, len).fill(len as u8);
        }
        let shape = |out: &Out| out.trains().iter().map(|t| (t.to, t.segment, t.count)).collect::<Vec<_>>();
        assert_eq!(shape(&out), [(a, 100, 3), (a, 60, 1), (b, 60, 1), (b, 61, 1)]);
        out.clear();
        // What stands elsewhere, or was taken out between them, is not one run of bytes.
        out.datagram(a.into(), 0, 10);
        for at in [100, 110, 130] {
            out.lend(a.into(), 0, Piece { at, len: 10 });
        }
        assert_eq!((shape(&out), out.len()), (vec![(a, 10, 1), (a, 10, 2), (a, 10, 1)], 40));
        out.clear();
        out.datagram(a.into(), 0, 10);
        out.datagram(Endpoint { chained: Some(1), ..a.into() }, 0, 10);
        out.take_chained();
        out.datagram(a.into(), 0, 10);
        assert_eq!(shape(&out), [(a, 10, 1), (a, 10, 1)]);
        out.clear();
        (0..65).for_each(|_| out.datagram(a.into(), 0, 10).fill(0));
        assert_eq!(shape(&out), [(a, 10, 64), (a, 10, 1)]);
        out.clear();
        (0..46).for_each(|_| out.datagram(a.into(), 0, 1452).fill(0));
        assert_eq!(shape(&out), [(a, 1452, 45), (a, 1452, 1)]);
    }
}
