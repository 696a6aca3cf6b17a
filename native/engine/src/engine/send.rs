//! A packet's way out.
//!
//! ```text
//! destination → allowed IPs → peer → session → cut → pad → seal → datagrams in `Out`
//!                                    └ none: wait in the peer's queue, begin a handshake
//! ```

use std::sync::Arc;

use super::counters::Refusal;
use super::out::{Endpoint, Out};
use super::peer::Peer;
use super::{Engine, Now, TableReader, path};
use crate::noise::constants::REKEY_AFTER_TIME;
use crate::noise::session::Session;
use crate::offload::split::{self, Slots};
use crate::offload::vnet::{Gso, Vnet};
use crate::wire::wg::{DATA_HEADER, DATA_OVERHEAD, TAG, padded};
use crate::wire::{icmp, ip, tcp};

impl Engine {
    /// Takes one read from the TUN. The packet's checksum may be completed in place.
    pub fn send(&self, now: Now, table: &mut TableReader, vnet: &Vnet, packet: &mut [u8], out: &mut Out) {
        if ip::view(packet).is_none() {
            return self.counters.count(Refusal::NotIp);
        }
        let table = table.get(&self.table);
        match table.peer_of(ip::destination(packet)) {
            Some(_) if !self.may_enter(table, packet) => self.counters.count(Refusal::InsideClient),
            Some(peer) => {
                self.note_conversation(now, table, peer, packet);
                self.send_to(now, peer, vnet, packet, out);
            }
            None => self.counters.count(Refusal::NoRoute),
        }
    }

    pub(super) fn send_to(&self, now: Now, peer: &Arc<Peer>, vnet: &Vnet, packet: &mut [u8], out: &mut Out) {
        let Some(to) = peer.endpoint() else {
            return self.counters.count(Refusal::NoEndpoint);
        };
        let Some(session) = peer.session().filter(|session| session.usable(now.ms)) else {
            if peer.slow().stage(*vnet, packet) {
                self.counters.count(Refusal::StagedFull);
            }
            return self.initiate(now, peer, out);
        };
        let limit = self.inside_limit(peer);
        let Some(vnet) = &fit(vnet, packet, limit, out) else {
            return self.counters.count(Refusal::TooBig);
        };
        if packet.len() >= path::LARGE {
            self.sent_large(now, peer, out);
        }
        let count = split::count(vnet, packet);
        let Some(counter) = session.reserve(count as u64) else {
            return self.initiate(now, peer, out);
        };
        let before = out.len();
        let mut seal = Seal { session: &session, counter, to, tos: ip::ecn(packet), mtu: limit, len: 0, out };
        if split::split(vnet, packet, &mut seal).is_err() {
            return self.counters.count(Refusal::NotIp);
        }
        peer.count_sent(out.len() - before);
        self.sent_any(now, peer, out);
        self.sent_data(now, peer, out);
        if session.wants_rekey(now.ms, REKEY_AFTER_TIME) {
            self.initiate(now, peer, out);
        }
    }

    /// An empty packet; without a session, a handshake.
    pub(super) fn send_keepalive(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let Some(to) = peer.endpoint() else { return };
        let sealed = peer.session().filter(|session| session.usable(now.ms));
        match sealed.as_ref().and_then(|session| Some((session, session.reserve(1)?))) {
            Some((session, counter)) => {
                session.seal(counter, out.datagram(to, 0, DATA_OVERHEAD));
                peer.count_sent(DATA_OVERHEAD);
                self.sent_any(now, peer, out);
                if session.wants_rekey(now.ms, REKEY_AFTER_TIME) {
                    self.initiate(now, peer, out);
                }
            }
            None => self.initiate(now, peer, out),
        }
    }

    /// A session is there: what waited for it goes. Says whether anything did.
    pub(super) fn send_staged(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) -> bool {
        let staged = std::mem::take(&mut peer.slow().staged);
        let any = !staged.is_empty();
        for mut waiting in staged {
            self.send_to(now, peer, &waiting.vnet, &mut waiting.packet, out);
        }
        any
    }
}

/// Makes a packet fit the path: a large one is cut smaller, a SYN announces less, and for what cannot be cut the sender
/// is told (None). A packet that may be fragmented passes, and the kernel fragments the datagram.
fn fit(vnet: &Vnet, packet: &mut [u8], limit: usize, out: &mut Out) -> Option<Vnet> {
    let view = ip::view(packet)?;
    if vnet.gso != Gso::None {
        let header = packet.len().min(split::header(vnet, packet).unwrap_or(0));
        let segment = limit.saturating_sub(header).clamp(1, u16::MAX.into()) as u16;
        // Datagrams may not be cut into smaller ones.
        let cuts = vnet.gso != Gso::Udp && segment < vnet.segment;
        return Some(if cuts { Vnet { segment, ..*vnet } } else { *vnet });
    }
    clamp(&view, packet, limit, vnet.needs_checksum);
    if packet.len() > limit
        && let Some(answer) = icmp::too_big(packet, limit)
    {
        out.answers.push(answer);
        return None;
    }
    Some(*vnet)
}

/// Clamps the MSS of a TCP SYN to what passes.
pub(super) fn clamp(view: &ip::View, packet: &mut [u8], limit: usize, is_partial: bool) {
    if view.protocol == ip::TCP && !view.fragment {
        let mss = limit.saturating_sub(view.header + tcp::MIN).min(u16::MAX.into()) as u16;
        tcp::clamp_mss(&mut packet[view.header..view.total], mss, is_partial);
    }
}

/// Hands out places in datagrams and seals them as soon as they are filled, while the bytes are in the cache.
struct Seal<'a> {
    session: &'a Session,
    counter: u64,
    to: Endpoint,
    tos: u8,
    mtu: usize,
    /// Length of the packet being filled.
    len: usize,
    out: &'a mut Out,
}

impl Slots for Seal<'_> {
    fn slot(&mut self, len: usize) -> &mut [u8] {
        self.len = len;
        let datagram = self.out.datagram(self.to, self.tos, padded(len, self.mtu) + DATA_OVERHEAD);
        &mut datagram[DATA_HEADER..DATA_HEADER + len]
    }

    fn done(&mut self) {
        let datagram = self.out.last(padded(self.len, self.mtu) + DATA_OVERHEAD);
        let end = datagram.len() - TAG;
        datagram[DATA_HEADER + self.len..end].fill(0);
        self.session.seal(self.counter, datagram);
        self.counter += 1;
    }
}
