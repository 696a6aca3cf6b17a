//! What makes sessions.
//!
//! ```text
//! initiate            → initiation           (data waits, a session ages, or nothing was heard)
//! answer_initiation   initiation → response  (the new session waits in `next` until the peer proves it has it)
//! take_response       response → session, what waited is sent
//! take_cookie         cookie → mac2 on the next initiation
//! ```
//! Before the first key exchange stand mac1 and, under load, mac2 and a rate for each address ([`Guard`]).

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::counters::Refusal;
use super::limiter::Limiter;
use super::out::{Endpoint, Event, Out};
use super::peer::{Peer, Slow};
use super::receive::From;
use super::{Engine, Index, Now, Table};
use crate::noise::constants::*;
use crate::noise::cookie::{Checker, Verdict};
use crate::noise::handshake::{Identity, Initiating, Known, Received, SessionKeys};
use crate::noise::session::Session;
use crate::wire::wg::{COOKIE_LEN, INITIATION_LEN, Kind, RESPONSE_LEN, cookie, response, word};

/// DSCP AF41 for handshakes, as the kernel's HANDSHAKE_DSCP.
const HANDSHAKE_TOS: u8 = 0x88;

/// Judges how busy handshakes keep us.
#[derive(Default)]
pub struct Guard {
    checker: Option<Checker>,
    limiter: Limiter,
    window: u64,
    count: u32,
    busy_until: u64,
}

impl Guard {
    pub fn new(checker: Option<Checker>) -> Self {
        Self { checker, ..Self::default() }
    }

    /// Counts one handshake message whose mac1 is right, and says whether this machine is under load.
    fn is_busy(&mut self, now: u64) -> bool {
        if now / 100 != self.window {
            self.window = now / 100;
            self.count = 0;
        }
        self.count += 1;
        if self.count > LOAD_THRESHOLD {
            self.busy_until = now + LOAD_LASTS;
        }
        now < self.busy_until
    }
}

impl Engine {
    /// Begins a handshake, unless one was begun within REKEY_TIMEOUT.
    pub(super) fn initiate(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        self.initiate_after(REKEY_TIMEOUT, true, now, peer, out);
    }

    /// Sends an initiation; the one before it, if any, is forgotten. Not if another thread has just sent one: the peer would
    /// answer that, which we had forgotten, and refuse this.
    pub(super) fn initiate_again(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        self.initiate_after(INITIATION_INTERVAL, false, now, peer, out);
    }

    fn initiate_after(&self, least: u64, is_first: bool, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        // Asked and answered under one lock: packets and timers come here from three threads.
        let mut slow = peer.slow();
        if slow.initiated.is_some_and(|at| now.ms.saturating_sub(at) < least) {
            return;
        }
        if is_first {
            slow.attempts = 0;
        }
        let Some(to) = peer.endpoint() else { return };
        let mut table = self.table();
        let Some(identity) = &table.get(&self.table).identity else { return };
        if peer.removed.load(Relaxed) {
            return;
        }
        let Some(mut message) = self.start(now, identity, peer, &mut slow) else { return };
        slow.stamp.stamp(now.ms, &mut message);
        slow.initiated = Some(now.ms);
        drop(slow);
        out.datagram(to, HANDSHAKE_TOS, INITIATION_LEN).copy_from_slice(&message);
        peer.count_sent(INITIATION_LEN);
        self.sent_any(now, peer, out);
        self.expect_answer(now, peer, out);
        self.arm(peer, &peer.timers.retransmit, now.ms + REKEY_TIMEOUT + self.jitter(), out);
    }

    fn start(
        &self,
        now: Now,
        identity: &Identity,
        peer: &Arc<Peer>,
        slow: &mut Slow,
    ) -> Option<[u8; INITIATION_LEN]> {
        let shared = slow.shared.clone()?;
        let known = Known { me: identity, peer: &peer.public, shared: &shared, preshared: &slow.preshared };
        let timestamp = later(slow.told, tai64n(now.unix_ns));
        let local = self.new_index(|_| Index::Initiating(peer.clone()));
        match Initiating::start(&known, local, self.random(), timestamp) {
            Ok((waiting, message)) => {
                slow.told = timestamp;
                slow.initiating.replace(waiting).inspect(|old| self.forget_index(old.local));
                Some(message)
            }
            Err(_) => {
                self.forget_index(local);
                None
            }
        }
    }

    pub(super) fn receive_handshake(
        &self,
        now: Now,
        table: &Table,
        kind: Kind,
        from: From,
        message: &[u8],
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if kind == Kind::Cookie {
            return self.take_cookie(now, message);
        }
        self.admit(now, from, message, out)?;
        match kind {
            Kind::Initiation => self.answer_initiation(now, table, from, message, out),
            _ => self.take_response(now, table, from, message, out),
        }
    }

    /// mac1 always, mac2 under load: a forger gets no key exchange out of us, a cookie goes only to an address that
    /// knows our public key, and who has one gets so many key exchanges a second.
    fn admit(&self, now: Now, from: From, message: &[u8], out: &mut Out) -> Result<(), Refusal> {
        let mut guard = self.guard.lock().expect("no panic holds this lock");
        let checker = guard.checker.as_ref().ok_or(Refusal::UnknownPeer)?;
        let verdict = checker.check(now.ms, from.address, message);
        if verdict == Verdict::Wrong {
            return Err(Refusal::WrongMac1);
        }
        if !guard.is_busy(now.ms) {
            return Ok(());
        }
        if verdict == Verdict::Mac2 {
            let is_allowed = guard.limiter.allows(now.ms, from.address.ip());
            return is_allowed.then_some(()).ok_or(Refusal::RateLimited);
        }
        let sender = word(message, 4);
        let checker = guard.checker.as_mut().expect("looked at above");
        let reply = checker.reply(now.ms, from.address, message, sender, || self.random());
        let to = Endpoint { address: from.address, local: from.local, chained: None };
        out.datagram(to, HANDSHAKE_TOS, COOKIE_LEN).copy_from_slice(&reply);
        Err(Refusal::UnderLoad)
    }

    fn answer_initiation(
        &self,
        now: Now,
        table: &Table,
        from: From,
        message: &[u8],
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let identity = table.identity.as_ref().ok_or(Refusal::UnknownPeer)?;
        let message = message.try_into().map_err(|_| Refusal::NotWireguard)?;
        let received = Received::open(identity, message).map_err(|_| Refusal::Forged)?;
        let peer = table.by_key.get(&received.peer).ok_or(Refusal::UnknownPeer)?;
        let mut slow = peer.slow();
        let shared = slow.shared.clone().ok_or(Refusal::UnknownPeer)?;
        let proven = received.prove(&shared).map_err(|_| Refusal::Forged)?;
        let too_soon = slow.heard_at.is_some_and(|at| now.ms.saturating_sub(at) < INITIATION_INTERVAL);
        if proven.timestamp <= slow.heard || too_soon || peer.removed.load(Relaxed) {
            return Err(Refusal::StaleInitiation);
        }
        slow.heard = proven.timestamp;
        slow.heard_at = Some(now.ms);

        let local = self.new_index(|_| Index::Initiating(peer.clone()));
        let Ok((keys, mut reply)) = proven.respond(&slow.preshared, local, self.random()) else {
            self.forget_index(local);
            return Err(Refusal::Forged);
        };
        slow.stamp.stamp(now.ms, &mut reply);
        self.keep_answered(now, peer, &mut slow, &keys);
        drop(slow);
        peer.follow(from, true);
        peer.count_received(INITIATION_LEN);
        if let Some(to) = peer.endpoint() {
            out.datagram(to, HANDSHAKE_TOS, RESPONSE_LEN).copy_from_slice(&reply);
            peer.count_sent(RESPONSE_LEN);
        }
        self.heard_any(now, peer, out);
        self.sent_any(now, peer, out);
        self.arm(peer, &peer.timers.zero, now.ms + REJECT_AFTER_TIME * 3, out);
        Ok(())
    }

    fn keep_answered(&self, now: Now, peer: &Arc<Peer>, slow: &mut Slow, keys: &SessionKeys) {
        let session = Arc::new(Session::new(keys, now.ms));
        self.set_index(keys.local, Index::Session(session.clone(), peer.clone()));
        let forgotten = [slow.next.replace(session), slow.previous.take()];
        forgotten.iter().flatten().for_each(|old| self.forget_session(old));
    }

    fn take_response(
        &self,
        now: Now,
        table: &Table,
        from: From,
        message: &[u8],
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let local = word(message, response::RECEIVER.start);
        let Some(Index::Initiating(peer)) = self.find_index(local) else { return Err(Refusal::UnknownIndex) };
        let identity = table.identity.as_ref().ok_or(Refusal::UnknownPeer)?;
        let message = message.try_into().map_err(|_| Refusal::NotWireguard)?;
        let mut slow = peer.slow();
        let waiting =
            slow.initiating.take_if(|waiting| waiting.local == local).ok_or(Refusal::UnknownIndex)?;
        let shared = slow.shared.clone().ok_or(Refusal::UnknownPeer)?;
        let known = Known { me: identity, peer: &peer.public, shared: &shared, preshared: &slow.preshared };
        let keys = match waiting.finish(&known, message) {
            Ok(keys) => keys,
            Err(_) => {
                slow.initiating = Some(waiting);
                return Err(Refusal::Forged);
            }
        };
        let round_trip = slow.initiated.map_or(0, |at| now.ms.saturating_sub(at));
        slow.attempts = 0;
        self.keep_initiated(now, &peer, &mut slow, &keys);
        drop(slow);
        peer.follow(from, false);
        peer.count_received(RESPONSE_LEN);
        peer.timers.round_trip.store(round_trip, Relaxed);
        self.heard_any(now, &peer, out);
        self.complete(now, &peer, out);
        // The responder uses the session only after it heard it used.
        if !self.send_staged(now, &peer, out) {
            self.send_keepalive(now, &peer, out);
        }
        Ok(())
    }

    /// The old session stays readable as `previous`: packets sealed with it are still under way.
    fn keep_initiated(&self, now: Now, peer: &Arc<Peer>, slow: &mut Slow, keys: &SessionKeys) {
        let session = Arc::new(Session::new(keys, now.ms));
        self.set_index(keys.local, Index::Session(session.clone(), peer.clone()));
        let current = peer.replace_session(Some(session));
        let (previous, forgotten) = match slow.next.take() {
            Some(next) => (Some(next), current),
            None => (current, None),
        };
        let older = std::mem::replace(&mut slow.previous, previous);
        [forgotten, older].iter().flatten().for_each(|old| self.forget_session(old));
    }

    /// A packet came over `session`; if it is the one we answered, the peer has it and it is used now.
    pub(super) fn confirm(&self, now: Now, peer: &Arc<Peer>, session: &Arc<Session>, out: &mut Out) {
        if session.initiator {
            return;
        }
        let mut slow = peer.slow();
        let Some(next) = slow.next.take_if(|next| Arc::ptr_eq(next, session)) else { return };
        let current = peer.replace_session(Some(next));
        let older = std::mem::replace(&mut slow.previous, current);
        older.inspect(|old| self.forget_session(old));
        drop(slow);
        self.complete(now, peer, out);
        self.send_staged(now, peer, out);
    }

    fn complete(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        peer.timers.retransmit.store(0, SeqCst);
        peer.slow().attempts = 0;
        peer.last_handshake.store(now.unix_ns, Relaxed);
        self.arm(peer, &peer.timers.zero, now.ms + REJECT_AFTER_TIME * 3, out);
        self.check_path(now, peer, out);
        out.events.push(Event::Handshake { peer: peer.public, unix_ms: now.unix_ns / 1_000_000 });
    }

    fn take_cookie(&self, now: Now, message: &[u8]) -> Result<(), Refusal> {
        let peer = match self.find_index(word(message, cookie::RECEIVER.start)) {
            Some(Index::Initiating(peer) | Index::Session(_, peer)) => peer,
            None => return Err(Refusal::UnknownIndex),
        };
        peer.slow().stamp.take(now.ms, message).map_err(|_| Refusal::Forged)
    }
}

/// TAI64N (paper, section 5.1), with the nanoseconds' lower 24 bits cleared as in the kernel: a precise clock in the
/// open would be a fingerprint.
fn tai64n(unix_ns: u64) -> [u8; 12] {
    let seconds = 0x4000_0000_0000_000a + unix_ns / 1_000_000_000;
    let nanoseconds = (unix_ns % 1_000_000_000) as u32 & !0x00ff_ffff;
    let mut stamp = [0; 12];
    stamp[..8].copy_from_slice(&seconds.to_be_bytes());
    stamp[8..].copy_from_slice(&nanoseconds.to_be_bytes());
    stamp
}

/// The stamp, or when the clock stands or was set back, the smallest one above the last.
fn later(last: [u8; 12], stamp: [u8; 12]) -> [u8; 12] {
    if stamp > last {
        return stamp;
    }
    let mut bytes = [0; 16];
    bytes[4..].copy_from_slice(&last);
    let mut next = [0; 12];
    next.copy_from_slice(&(u128::from_be_bytes(bytes) + 1).to_be_bytes()[4..]);
    next
}
