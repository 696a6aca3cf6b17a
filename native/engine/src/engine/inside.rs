//! Inside routing: where a decrypted packet goes whose source is its peer's.
//!
//! ```text
//! the peer's access list → destination another peer's? → by mode: that peer, sealed anew, without the kernel; or refused
//!                                                      └ nobody's, or mode "system": the TUN
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::counters::Refusal;
use super::out::{Event, Out};
use super::peer::Peer;
use super::{Engine, Now, Table};
use crate::wire::ip;

/// What happens to packets from one peer to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inside {
    /// They go to the TUN like all others; the system forwards or not.
    #[default]
    System,
    /// They go from peer to peer within the engine.
    Route,
    /// They are dropped, also when the system forwards them back.
    Refuse,
}

impl Inside {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::Route, Self::Refuse].into_iter().find(|mode| mode.word() == text)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Route => "route",
            Self::Refuse => "refuse",
        }
    }
}

/// One refused packet of a peer in this time is told as an event, so that a flood is counted and not logged.
const SAMPLE: u64 = 1_000;

impl Engine {
    /// The peer that the packet is for, with one hop less; None when it is for the TUN.
    pub(super) fn route_inside<'t>(
        &self,
        now: Now,
        table: &'t Table,
        from: &Arc<Peer>,
        view: &ip::View,
        packet: &mut [u8],
    ) -> Result<Option<&'t Arc<Peer>>, Refusal> {
        if let Some(access) = table.access(from)
            && !access.allows(now.ms, view, packet)
        {
            return Err(Refusal::InsideDenied);
        }
        if table.inside == Inside::System {
            return Ok(None);
        }
        let Some(to) = table.peer_of(ip::destination(packet)) else { return Ok(None) };
        if table.inside == Inside::Refuse {
            return Err(Refusal::InsideClient);
        }
        // Back to where it came from: the peer's own routes send it in a circle.
        if Arc::ptr_eq(to, from) || !ip::decrement_hops(packet) {
            return Err(Refusal::InsideLoop);
        }
        self.note_conversation(now, table, to, packet);
        Ok(Some(to))
    }

    /// A packet from the TUN: False when it is one peer's for another and that is refused.
    pub(super) fn may_enter(&self, table: &Table, packet: &[u8]) -> bool {
        table.inside != Inside::Refuse || table.peer_of(ip::source(packet)).is_none()
    }

    pub(super) fn note_conversation(&self, now: Now, table: &Table, to: &Peer, packet: &[u8]) {
        if let Some(access) = table.access(to)
            && let Some(view) = ip::view(packet)
        {
            access.note(now.ms, &view, packet);
        }
    }

    /// Counts what a peer was refused, and tells one packet of it now and then.
    pub(super) fn refuse_inside(
        &self,
        now: Now,
        peer: &Peer,
        refusal: Refusal,
        packet: &[u8],
        out: &mut Out,
    ) {
        peer.refused.fetch_add(1, Relaxed);
        let last = peer.sampled.load(Relaxed);
        if ip::view(packet).is_none() || (last != 0 && now.ms.saturating_sub(last) < SAMPLE) {
            return;
        }
        peer.sampled.store(now.ms, Relaxed);
        out.events.push(Event::Refused {
            peer: peer.public,
            reason: refusal.key(),
            source: ip::source(packet),
            destination: ip::destination(packet),
        });
    }
}
