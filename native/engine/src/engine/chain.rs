//! Chains: WireGuard in WireGuard. The datagrams of a peer that has a [`Via`] do not go to a socket but, as UDP packets
//! from an address inside, to the peer it is reached through; so to any depth, without leaving the process.
//!
//! ```text
//! out   train for a chained peer → one large UDP packet → send to the outer peer, which cuts and seals it
//! in    packet from the outer peer, for the address inside → a datagram like one from a socket
//! ```
//! A hop is replaced by giving its peer another endpoint or via; sessions are end to end and stay.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::out::{Out, Train};
use super::peer::Peer;
use super::{Engine, Now, Table, TableReader};
use crate::offload::vnet::{Gso, Vnet};
use crate::wire::{checksum, ip, udp};

/// Through whom a peer is reached, and our address and port inside that peer's network.
#[derive(Clone)]
pub struct Via {
    pub outer: Weak<Peer>,
    pub source: SocketAddr,
}

/// Hops of a chain; more are refused when configured, and not followed when received.
pub const DEEPEST: usize = 4;

impl Engine {
    /// Turns the trains of chained peers into trains for sockets. Call it before sending.
    pub fn unfold(&self, now: Now, table: &mut TableReader, out: &mut Out) {
        let mut packet = std::mem::take(&mut out.scratch);
        while let Some(train) = out.take_chained() {
            let table = table.get(&self.table);
            let Some((outer, source)) = way(table, &train) else { continue };
            let Some(vnet) = wrap(&mut packet, &train, source, out.bytes()) else { continue };
            let answers = out.answers.len();
            self.send_to(now, &outer, &vnet, &mut packet, out);
            // "Too big" would be about a packet that nobody above us sent.
            out.answers.truncate(answers);
        }
        out.scratch = packet;
    }
}

fn way(table: &Table, train: &Train) -> Option<(Arc<Peer>, SocketAddr)> {
    let peer = table.by_id.get(train.chained? as usize)?.as_ref()?;
    let via = peer.via()?;
    Some((via.outer.upgrade()?, via.source))
}

/// Writes the train as one UDP packet with a partial checksum. None when the families differ.
fn wrap(packet: &mut Vec<u8>, train: &Train, source: SocketAddr, bytes: &[u8]) -> Option<Vnet> {
    packet.clear();
    let length = udp::HEADER + train.len;
    match (source.ip(), train.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // Without DF: the outer tunnel's packet may be fragmented rather than lost.
            packet.extend([0x45, train.tos, 0, 0, 0, 0, 0, 0, 64, ip::UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60 | train.tos >> 4, train.tos << 4, 0, 0, 0, 0, ip::UDP, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => return None,
    }
    let start = packet.len();
    let pseudo = checksum::fold(checksum::pseudo(ip::addresses(packet), ip::UDP, length));
    packet.extend(source.port().to_be_bytes());
    packet.extend(train.to.port().to_be_bytes());
    packet.extend((length as u16).to_be_bytes());
    packet.extend(pseudo.to_ne_bytes());
    packet.extend(&bytes[train.at..train.at + train.len]);
    let total = packet.len();
    ip::put_total(packet, start, total);
    Some(Vnet {
        needs_checksum: true,
        gso: if train.count > 1 { Gso::Udp } else { Gso::None },
        header: (start + udp::HEADER) as u16,
        segment: train.segment as u16,
        checksum_start: start as u16,
        checksum_offset: udp::CHECKSUM as u16,
    })
}

/// Where in a decrypted packet a datagram for one of our chained peers stands, and from whom it is.
pub(super) fn nested(table: &Table, view: &ip::View, packet: &[u8]) -> Option<(SocketAddr, Range<usize>)> {
    if table.chain_sources.is_empty() || view.protocol != ip::UDP || view.fragment {
        return None;
    }
    let datagram = &packet[view.header..view.total];
    let length = udp::length(datagram)?;
    let port = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
    let to = SocketAddr::new(ip::destination(packet), port(2));
    let from = SocketAddr::new(ip::source(packet), port(0));
    table.chain_sources.contains(&to).then(|| (from, view.header + udp::HEADER..view.header + length))
}

/// Whether reaching `peer` through `outer` would lead back to `peer`, or be too deep.
pub(super) fn is_circle(peer: &Arc<Peer>, outer: &Arc<Peer>) -> bool {
    let mut at = outer.clone();
    for _ in 1..DEEPEST {
        if Arc::ptr_eq(&at, peer) {
            return true;
        }
        match at.via().and_then(|via| via.outer.upgrade()) {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}
