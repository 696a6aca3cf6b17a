//! Layer 2 between our TAP and peers: frames cross as EtherIP (RFC 3378) between inside addresses, so what is said of
//! sources and access lists holds for them as for all packets. The switch decides where a frame goes.
//!
//! ```text
//! out   TAP → switch → a peer, or all → EtherIP → send as any packet
//! in    packet of protocol 97 for our address → switch → the TAP, another peer, or all
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use super::counters::Refusal;
use super::out::Out;
use super::peer::Peer;
use super::switch::{Port, Verdict};
use super::{Engine, Now, Table, TableReader};
use crate::offload::vnet::Vnet;
use crate::wire::{etherip, ip};

/// Who takes part.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Our inside address.
    pub here: IpAddr,
    /// Peers and their inside addresses.
    pub ports: Vec<(Arc<Peer>, IpAddr)>,
}

impl Engine {
    /// Takes a frame from the TAP.
    pub fn send_frame(&self, now: Now, table: &mut TableReader, frame: &[u8], out: &mut Out) {
        let table = table.get(&self.table);
        match &table.bridge {
            Some(bridge) => self.switch_frame(now, bridge, Port::Tap, frame, out),
            None => self.counters.count(Refusal::NoRoute),
        }
    }

    /// True when the packet was a frame for us; it is not for the TUN then.
    pub(super) fn receive_frame(
        &self,
        now: Now,
        table: &Table,
        from: &Arc<Peer>,
        view: &ip::View,
        packet: &[u8],
        out: &mut Out,
    ) -> bool {
        let Some(bridge) = &table.bridge else { return false };
        if view.protocol != etherip::PROTOCOL || ip::destination(packet) != bridge.here {
            return false;
        }
        let is_port =
            bridge.ports.iter().any(|(peer, at)| Arc::ptr_eq(peer, from) && *at == ip::source(packet));
        match etherip::frame(view, packet).filter(|_| is_port) {
            Some(frame) => self.switch_frame(now, bridge, Port::Peer(from.id), frame, out),
            None => self.counters.count(Refusal::BadFrame),
        }
        true
    }

    fn switch_frame(&self, now: Now, bridge: &Bridge, from: Port, frame: &[u8], out: &mut Out) {
        let verdict = self.switch.lock().expect("no panic holds this lock").pass(now.ms, from, frame);
        let is_to = |port: Port| match verdict {
            Verdict::To(to) => to == port,
            Verdict::Flood => port != from,
            Verdict::Drop | Verdict::Refuse => false,
        };
        if verdict == Verdict::Refuse {
            self.counters.count(Refusal::BadFrame);
        }
        if is_to(Port::Tap) {
            out.frames.push(frame.to_vec());
        }
        for (peer, there) in bridge.ports.iter().filter(|(peer, _)| is_to(Port::Peer(peer.id))) {
            if let Some(mut packet) = etherip::packet(bridge.here, *there, frame) {
                self.send_to(now, peer, &Vnet::default(), &mut packet, out);
            }
        }
    }
}
