//! The path's MTU, found without ICMP (after RFC 8899). A probe is a data message whose packet has IP version 0, padded to
//! the size in question: every WireGuard drops such a packet unread, Culvert answers it with a small one.
//!
//! ```text
//! check   the size in use, and the smallest   both answered: fine; only the smallest: a black hole, search
//! search  all sizes at once                   the largest that was answered is the limit
//! ```
//! A check runs with each new session and, while large packets are sent, about once a second; so a path that begins to
//! swallow large packets is healed within two. Sizes are those of the packet inside.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::out::Out;
use super::peer::Peer;
use super::{Engine, Now};
use crate::noise::constants::*;
use crate::wire::wg::{DATA_HEADER, DATA_OVERHEAD, TAG};

/// Sizes tried below the interface's MTU: common paths (PPPoE, 6in4, another tunnel), then the least IPv6 MTU.
const SIZES: [usize; 10] = [1412, 1400, 1380, 1360, 1340, 1320, 1300, 1280, 1200, 1000];
/// The smallest probe only asks whether anything is answered.
const LEAST: usize = 64;
/// Packets from this size on are large: they make the path be checked.
pub const LARGE: usize = 1_000;

/// First byte is IP version 0; then the kind, the size and the round it belongs to.
const PROBE: u8 = 1;
const ANSWER: u8 = 2;
const LEN: usize = 16;

#[derive(Default)]
pub struct Path {
    /// Largest packet that passes; 0 while nothing says that the interface's MTU does not.
    limit: AtomicUsize,
    /// The peer answers probes.
    knows: AtomicBool,
    round: AtomicU32,
    state: Mutex<Round>,
}

#[derive(Default)]
struct Round {
    is_search: bool,
    sizes: Vec<usize>,
    /// Largest size answered.
    answered: usize,
    tries: u32,
    searched: u64,
}

impl Path {
    pub fn limit(&self) -> Option<usize> {
        Some(self.limit.load(Relaxed)).filter(|limit| *limit != 0)
    }
}

impl Engine {
    /// Largest packet this peer can be sent.
    pub(super) fn inside_limit(&self, peer: &Peer) -> usize {
        let mtu = self.padding_mtu();
        peer.path.limit().map_or(mtu, |limit| limit.min(mtu))
    }

    /// A session is new, or the peer has moved: see what the path carries.
    pub(super) fn check_path(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let mut state = peer.path.state.lock().expect("no panic holds this lock");
        state.tries = 0;
        let is_due = peer.path.limit().is_some() && now.ms.saturating_sub(state.searched) >= PATH_RAISE;
        self.begin_round(now, peer, &mut state, is_due, out);
    }

    /// Large packets are sent: check now and then that they arrive.
    pub(super) fn sent_large(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        if peer.path.knows.load(Relaxed) && peer.timers.path.load(Relaxed) == 0 {
            self.arm(peer, &peer.timers.path, now.ms + PATH_CHECK, out);
        }
    }

    fn begin_round(&self, now: Now, peer: &Arc<Peer>, state: &mut Round, is_search: bool, out: &mut Out) {
        let mtu = self.padding_mtu();
        let at_most = |limit: usize| SIZES.into_iter().filter(move |size| *size < limit);
        state.is_search = is_search;
        state.answered = 0;
        state.sizes = match is_search {
            true => [mtu].into_iter().chain(at_most(mtu)).chain([LEAST]).collect(),
            false => vec![self.inside_limit(peer), LEAST],
        };
        let round = peer.path.round.fetch_add(1, SeqCst) + 1;
        for size in &state.sizes {
            self.send_probe(now, peer, PROBE, *size, *size, round, out);
        }
        let wait = PATH_WAIT.max(2 * peer.timers.round_trip.load(Relaxed));
        self.arm(peer, &peer.timers.path, now.ms + wait, out);
    }

    /// The path timer: either answers were waited for, or a check is due.
    pub(super) fn path_due(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let mut state = peer.path.state.lock().expect("no panic holds this lock");
        let Some(&asked) = state.sizes.first() else {
            return self.begin_round(now, peer, &mut state, false, out);
        };
        let answered = state.answered;
        state.sizes.clear();
        match (answered, state.is_search) {
            (0, _) => {
                // Nothing at all passes, or the peer does not know probes: that says nothing about sizes.
                state.tries += 1;
                if state.tries < PATH_TRIES {
                    self.arm(peer, &peer.timers.path, now.ms + PATH_CHECK, out);
                }
            }
            (_, false) if answered < asked => self.begin_round(now, peer, &mut state, true, out),
            (_, true) => {
                state.searched = now.ms;
                self.conclude(peer, answered);
            }
            _ => {}
        }
    }

    fn conclude(&self, peer: &Peer, answered: usize) {
        let is_whole = answered >= self.padding_mtu();
        peer.path.limit.store(if is_whole { 0 } else { answered.max(LARGE) }, Relaxed);
    }

    /// Takes a packet of IP version 0 from a session; false when it is none of ours.
    pub(super) fn take_probe(&self, now: Now, peer: &Arc<Peer>, packet: &[u8], out: &mut Out) -> bool {
        if packet.len() < LEN || packet[0] != 0 {
            return false;
        }
        let size = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let round = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        match packet[1] {
            PROBE => self.send_probe(now, peer, ANSWER, LEN, size, round, out),
            ANSWER => self.take_answer(peer, size, round),
            _ => return false,
        }
        true
    }

    fn take_answer(&self, peer: &Peer, size: usize, round: u32) {
        if peer.path.round.load(SeqCst) != round {
            return;
        }
        peer.path.knows.store(true, Relaxed);
        let mut state = peer.path.state.lock().expect("no panic holds this lock");
        state.answered = state.answered.max(size);
        state.tries = 0;
        // The largest was answered: nothing is left to wait for.
        if state.sizes.first() == Some(&size) {
            if state.is_search {
                self.conclude(peer, size);
            }
            state.sizes.clear();
            peer.timers.path.store(0, SeqCst);
        }
    }

    #[allow(clippy::too_many_arguments)] // the three words of a probe, behind what every sending function takes
    fn send_probe(
        &self,
        now: Now,
        peer: &Arc<Peer>,
        kind: u8,
        len: usize,
        size: usize,
        round: u32,
        out: &mut Out,
    ) {
        let Some(session) = peer.session().filter(|session| session.usable(now.ms)) else { return };
        let (Some(to), Some(counter)) = (peer.endpoint(), session.reserve(1)) else { return };
        let datagram = out.datagram(to, 0, len + DATA_OVERHEAD);
        let packet = &mut datagram[DATA_HEADER..DATA_HEADER + len];
        packet.fill(0);
        packet[1] = kind;
        packet[2..4].copy_from_slice(&(size as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&round.to_be_bytes());
        debug_assert!(datagram.len() >= LEN + DATA_HEADER + TAG);
        session.seal(counter, datagram);
        peer.count_sent(len + DATA_OVERHEAD);
        self.sent_any(now, peer, out);
    }
}
