//! A packet's way in.
//!
//! ```text
//! datagram → handshake message → handshake.rs
//!          └ data: index → session → open → length → source must be this peer's → the packet
//! ```
//! What a batch did to a peer (bytes, timers, endpoint) is told once for the batch, in [`Engine::finish`].

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use super::chain::{DEEPEST, nested};
use super::counters::Refusal;
use super::onward::Onward;
use super::out::{Endpoint, Out};
use super::peer::Peer;
use super::send::clamp;
use super::{Engine, Index, Now, Table, TableReader};
use crate::noise::constants::{KEEPALIVE_TIMEOUT, REJECT_AFTER_TIME, REKEY_TIMEOUT};
use crate::noise::session::{Refused, Session};
use crate::wire::ip;
use crate::wire::wg::{DATA_HEADER, Kind, data_receiver, kind};

/// Outer header: sender, which of our addresses it asked (None where that is not known), and ECN bits.
#[derive(Clone, Copy, Debug)]
pub struct From {
    pub address: SocketAddr,
    pub local: Option<IpAddr>,
    pub ecn: u8,
}

/// The sessions of the batch so far.
#[derive(Default)]
pub struct Inbound {
    /// One for each depth of a chain; the first is of datagrams from a socket.
    tallies: [Option<Tally>; DEEPEST],
    onward: Option<Onward>,
    /// The datagram is one of a run: sealed where it stands, the run leaves as one. Those that came each alone are copied
    /// together, for that a send of its own for each would cost more.
    pub is_run: bool,
}

/// What became of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// There is nothing more to do with it.
    Nothing,
    /// Where in it a packet for the TUN stands.
    Packet(Range<usize>),
    /// It was sealed anew where it stands and is to be sent.
    Onward { to: Endpoint, tos: u8 },
}

struct Tally {
    session: Arc<Session>,
    peer: Arc<Peer>,
    from: From,
    bytes: usize,
    /// Packets that were not keepalives.
    data: bool,
}

impl Engine {
    /// Takes one datagram and decrypts it in place.
    pub fn receive(
        &self,
        now: Now,
        table: &mut TableReader,
        from: From,
        datagram: &mut [u8],
        inbound: &mut Inbound,
        out: &mut Out,
    ) -> Received {
        self.receive_at(0, now, table.get(&self.table), from, datagram, inbound, out)
    }

    #[allow(clippy::too_many_arguments)] // the depth, before what `receive` takes
    fn receive_at(
        &self,
        depth: usize,
        now: Now,
        table: &Table,
        from: From,
        datagram: &mut [u8],
        inbound: &mut Inbound,
        out: &mut Out,
    ) -> Received {
        let refusal = match kind(datagram) {
            Some(Kind::Data) => match self.receive_data(depth, now, table, from, datagram, inbound, out) {
                Ok(packet) => return packet,
                Err(refusal) => refusal,
            },
            Some(kind) => match self.receive_handshake(now, table, kind, from, datagram, out) {
                Ok(()) => return Received::Nothing,
                Err(refusal) => refusal,
            },
            None => Refusal::NotWireguard,
        };
        self.counters.count(refusal);
        Received::Nothing
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn receive_data(
        &self,
        depth: usize,
        now: Now,
        table: &Table,
        from: From,
        datagram: &mut [u8],
        inbound: &mut Inbound,
        out: &mut Out,
    ) -> Result<Received, Refusal> {
        let index = data_receiver(datagram);
        let is_current = inbound.tallies[depth].as_ref().is_some_and(|tally| tally.session.local == index);
        if !is_current {
            self.finish_tally(now, &mut inbound.tallies[depth], out);
            inbound.tallies[depth] = Some(self.tally(index, from)?);
        }
        let tally = inbound.tallies[depth].as_mut().expect("set above");
        let len = datagram.len();
        let packet = tally.session.open(now.ms, datagram).map_err(|refused| match refused {
            Refused::Expired => Refusal::Expired,
            Refused::Forged => Refusal::Forged,
            Refused::Replayed => Refusal::Replayed,
        })?;
        if tally.bytes == 0 {
            // Before anything is answered over it.
            self.confirm(now, &tally.peer, &tally.session, out);
        }
        tally.bytes += len;
        tally.from = from;
        if packet.is_empty() {
            return Ok(Received::Nothing);
        }
        if packet[0] >> 4 == 0 && self.take_probe(now, &tally.peer, packet, out) {
            return Ok(Received::Nothing);
        }
        tally.data = true;
        let view = ip::view(packet).ok_or(Refusal::InsideNotIp)?;
        let owner = table.peer_of(ip::source(packet));
        if !owner.is_some_and(|owner| Arc::ptr_eq(owner, &tally.peer)) {
            self.refuse_inside(now, &tally.peer, Refusal::InsideSource, packet, out);
            return Err(Refusal::InsideSource);
        }
        carry_ecn(from.ecn, packet)?;
        if let Some((address, range)) = nested(table, &view, packet)
            && depth + 1 < DEEPEST
        {
            let from = From { address, local: None, ecn: ip::ecn(packet) };
            let start = DATA_HEADER + range.start;
            let received = self.receive_at(depth + 1, now, table, from, &mut packet[range], inbound, out);
            return Ok(match received {
                Received::Packet(packet) => Received::Packet(start + packet.start..start + packet.end),
                other => other,
            });
        }
        if self.receive_frame(now, table, &tally.peer, &view, packet, out) {
            return Ok(Received::Nothing);
        }
        clamp(&view, packet, self.inside_limit(&tally.peer), false);
        match self.route_inside(now, table, &tally.peer, &view, packet) {
            Ok(None) => Ok(Received::Packet(DATA_HEADER..DATA_HEADER + view.total)),
            // A datagram within another is no datagram of the arena.
            Ok(Some(to)) => {
                let may_stay = inbound.is_run && depth == 0;
                Ok(self.pass_on(now, &mut inbound.onward, to, &view, datagram, may_stay, out))
            }
            Err(refusal) => {
                self.refuse_inside(now, &tally.peer, refusal, packet, out);
                Err(refusal)
            }
        }
    }

    fn tally(&self, index: u32, from: From) -> Result<Tally, Refusal> {
        match self.find_index(index) {
            Some(Index::Session(session, peer)) => Ok(Tally { session, peer, from, bytes: 0, data: false }),
            _ => Err(Refusal::UnknownIndex),
        }
    }

    /// Ends a batch: counts, moves the endpoint, sets timers.
    /// Forgotten sessions are not kept for the next batch.
    pub fn finish(&self, now: Now, inbound: &mut Inbound, out: &mut Out) {
        inbound.tallies.iter_mut().for_each(|tally| self.finish_tally(now, tally, out));
        self.finish_onward(now, &mut inbound.onward, out);
    }

    fn finish_tally(&self, now: Now, tally: &mut Option<Tally>, out: &mut Out) {
        let Some(tally) = tally.take() else { return };
        if tally.bytes == 0 {
            return;
        }
        let peer = &tally.peer;
        peer.count_received(tally.bytes);
        if peer.follow(tally.from, !tally.session.initiator) {
            self.check_path(now, peer, out);
        }
        self.heard_any(now, peer, out);
        if tally.data {
            self.heard_data(now, peer, out);
        }
        // So late that the peer could not begin itself before the session dies (paper, section 6.2).
        let late = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
        if tally.session.initiator && tally.session.age(now.ms) >= late && is_current(peer, &tally.session) {
            self.initiate(now, peer, out);
        }
    }
}

fn is_current(peer: &Peer, session: &Arc<Session>) -> bool {
    peer.session().is_some_and(|current| Arc::ptr_eq(&current, session))
}

/// Decapsulation by RFC 6040 section 4.2: congestion outside is congestion inside, where the packet can say so.
fn carry_ecn(outer: u8, packet: &mut [u8]) -> Result<(), Refusal> {
    const CONGESTION: u8 = 3;
    match (outer, ip::ecn(packet)) {
        (CONGESTION, 0) => Err(Refusal::InsideEcn),
        (CONGESTION, 1 | 2) => {
            ip::set_congestion_experienced(packet);
            Ok(())
        }
        _ => Ok(()),
    }
}
