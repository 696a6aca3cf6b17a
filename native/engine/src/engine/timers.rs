//! Timers (WireGuard paper, section 6; the kernel's timers.c). Each timer of a peer is one number: when it is due, or
//! zero. Packets only store numbers; who is due is found by [`Engine::tick`] through a heap with one live entry for
//! each peer, so that ten thousand idle peers cost nothing.
//!
//! ```text
//! retransmit     an initiation went unanswered for REKEY_TIMEOUT: send another, for REKEY_ATTEMPT_TIME
//! new_handshake  data was sent and nothing came back for KEEPALIVE_TIMEOUT + REKEY_TIMEOUT: begin anew
//! keepalive      data was received and nothing sent for KEEPALIVE_TIMEOUT: send an empty packet
//! persistent     nothing passed either way for the configured time: send an empty packet
//! zero           no new session for three times REJECT_AFTER_TIME: forget all keys
//! probe, verdict data was sent and nothing heard: ask with a handshake, then call the peer silent (ours)
//! path           probes of the path's MTU are due, or their answers (ours)
//! ```

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::out::{Event, Out};
use super::peer::Peer;
use super::{Engine, Now};
use crate::noise::constants::*;

#[derive(Default)]
pub struct Timers {
    pub retransmit: AtomicU64,
    pub new_handshake: AtomicU64,
    pub keepalive: AtomicU64,
    pub persistent: AtomicU64,
    pub zero: AtomicU64,
    pub probe: AtomicU64,
    pub verdict: AtomicU64,
    pub path: AtomicU64,
    /// More data came while the keepalive timer ran: set it again after it fired.
    keepalive_again: AtomicBool,
    /// When the unanswered data was sent; 0 when all is answered.
    unanswered: AtomicU64,
    pub silent: AtomicBool,
    /// Least time between probes; 0 stands for PROBE_INTERVAL.
    probe_interval: AtomicU64,
    /// Round trip of the last handshake in milliseconds.
    pub round_trip: AtomicU64,
    /// Due time of the live entry in the heap; 0 for none.
    scheduled: AtomicU64,
}

impl Timers {
    fn all(&self) -> [&AtomicU64; 8] {
        [
            &self.retransmit,
            &self.new_handshake,
            &self.keepalive,
            &self.persistent,
            &self.zero,
            &self.probe,
            &self.verdict,
            &self.path,
        ]
    }

    fn earliest(&self) -> Option<u64> {
        self.all().iter().map(|timer| timer.load(SeqCst)).filter(|at| *at != 0).min()
    }

    pub fn stop(&self) {
        self.all().iter().for_each(|timer| timer.store(0, SeqCst));
    }
}

/// Takes the timer when it is due.
fn due(timer: &AtomicU64, now: u64) -> bool {
    let at = timer.load(SeqCst);
    at != 0 && at <= now && timer.compare_exchange(at, 0, SeqCst, SeqCst).is_ok()
}

#[derive(Default)]
pub struct Schedule {
    heap: Mutex<BinaryHeap<Entry>>,
    /// What the caller of `tick` waits for; 0 when it waits for nothing.
    waiting: AtomicU64,
}

struct Entry {
    at: u64,
    peer: Arc<Peer>,
}

impl Ord for Entry {
    /// Reversed: the heap's greatest is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl Engine {
    /// Sets a timer; it replaces an earlier setting of the same timer.
    pub(super) fn arm(&self, peer: &Arc<Peer>, timer: &AtomicU64, at: u64, out: &mut Out) {
        timer.store(at, SeqCst);
        self.schedule(peer, at, out);
    }

    /// Sets a timer that is not running.
    fn arm_idle(&self, peer: &Arc<Peer>, timer: &AtomicU64, at: u64, out: &mut Out) {
        if timer.load(Relaxed) == 0 {
            self.arm(peer, timer, at, out);
        }
    }

    fn schedule(&self, peer: &Arc<Peer>, at: u64, out: &mut Out) {
        let scheduled = peer.timers.scheduled.load(SeqCst);
        if scheduled != 0 && scheduled <= at {
            return;
        }
        peer.timers.scheduled.store(at, SeqCst);
        self.schedule.heap.lock().expect("no panic holds this lock").push(Entry { at, peer: peer.clone() });
        let waiting = self.schedule.waiting.load(SeqCst);
        out.wake |= waiting == 0 || at < waiting;
    }

    /// Does what is due and says when to call again.
    pub fn tick(&self, now: Now, out: &mut Out) -> Option<u64> {
        loop {
            let mut heap = self.schedule.heap.lock().expect("no panic holds this lock");
            let next = heap.peek().map(|entry| entry.at);
            if next.is_none_or(|at| at > now.ms) {
                self.schedule.waiting.store(next.unwrap_or(0), SeqCst);
                return next;
            }
            let entry = heap.pop().expect("peeked");
            drop(heap);
            // An entry that is not the live one was replaced by an earlier one.
            if entry.peer.timers.scheduled.load(SeqCst) == entry.at {
                entry.peer.timers.scheduled.store(0, SeqCst);
                self.check(now, &entry.peer, out);
            }
        }
    }

    fn check(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let timers = &peer.timers;
        if peer.removed.load(Relaxed) {
            return;
        }
        if due(&timers.retransmit, now.ms) {
            self.retransmit(now, peer, out);
        }
        if due(&timers.new_handshake, now.ms) {
            peer.forget_local();
            self.initiate(now, peer, out);
        }
        if due(&timers.keepalive, now.ms) {
            self.send_keepalive(now, peer, out);
            if timers.keepalive_again.swap(false, SeqCst) {
                self.arm(peer, &timers.keepalive, now.ms + KEEPALIVE_TIMEOUT, out);
            }
        }
        if due(&timers.persistent, now.ms) && peer.keepalive.load(Relaxed) != 0 {
            self.send_keepalive(now, peer, out);
            // Without a session or endpoint nothing was sent, so nothing set the timer.
            self.arm_idle(peer, &timers.persistent, now.ms + peer.keepalive.load(Relaxed), out);
        }
        if due(&timers.zero, now.ms) {
            self.forget_sessions(peer);
        }
        if due(&timers.probe, now.ms) {
            self.probe(now, peer, out);
        }
        if due(&timers.verdict, now.ms) {
            self.verdict(now, peer, out);
        }
        if due(&timers.path, now.ms) {
            self.path_due(now, peer, out);
        }
        if let Some(at) = timers.earliest() {
            self.schedule(peer, at, out);
        }
    }

    fn retransmit(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let attempts = {
            let mut slow = peer.slow();
            slow.attempts += 1;
            slow.attempts
        };
        if u64::from(attempts) <= REKEY_ATTEMPT_TIME / REKEY_TIMEOUT {
            peer.forget_local();
            return self.initiate_again(now, peer, out);
        }
        peer.timers.keepalive.store(0, SeqCst);
        let mut slow = peer.slow();
        slow.staged.clear();
        slow.initiating.take().inspect(|waiting| self.forget_index(waiting.local));
        drop(slow);
        self.arm_idle(peer, &peer.timers.zero, now.ms + REJECT_AFTER_TIME * 3, out);
    }

    /// A live peer answers an initiation at once, also one that has nothing to say; so one-way traffic is not
    /// mistaken for a dead peer.
    fn probe(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let unanswered = peer.timers.unanswered.load(SeqCst);
        if unanswered == 0 {
            return;
        }
        let interval = peer.timers.probe_interval.load(Relaxed).max(PROBE_INTERVAL);
        let (is_open, asked) = {
            let slow = peer.slow();
            (slow.initiating.is_some(), slow.initiated)
        };
        match asked.filter(|at| is_open || now.ms.saturating_sub(*at) < interval) {
            Some(at) if is_open => {
                let at = (at + patience(peer)).max(unanswered + SILENCE_PROBE + SILENCE_VERDICT);
                self.arm(peer, &peer.timers.verdict, at, out);
            }
            Some(at) => self.arm(peer, &peer.timers.probe, at + interval, out),
            None => {
                peer.timers.probe_interval.store((interval * 2).min(REKEY_TIMEOUT), Relaxed);
                peer.slow().attempts = 0;
                self.initiate_again(now, peer, out);
                self.arm(peer, &peer.timers.verdict, now.ms + patience(peer), out);
            }
        }
    }

    fn verdict(&self, now: Now, peer: &Peer, out: &mut Out) {
        let unanswered = peer.timers.unanswered.load(SeqCst);
        if unanswered != 0 && !peer.timers.silent.swap(true, SeqCst) {
            let for_ms = now.ms.saturating_sub(unanswered);
            out.events.push(Event::Silent { peer: peer.public, for_ms });
        }
    }

    // ---- what packets tell the timers ----

    /// Data (not a keepalive) was sent. Every conversation ends with a packet nobody answers, so only who goes on
    /// sending without an answer (a retransmission, the next ping, a stream) is in doubt about the peer.
    pub(super) fn sent_data(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let timers = &peer.timers;
        // Looked at before the jitter is drawn, which asks the kernel: this runs for every packet.
        if timers.new_handshake.load(Relaxed) == 0 {
            let at = now.ms + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + self.jitter();
            self.arm(peer, &timers.new_handshake, at, out);
        }
        let unanswered = timers.unanswered.load(Relaxed);
        let since = now.ms.saturating_sub(unanswered);
        if unanswered == 0 || since > KEEPALIVE_TIMEOUT {
            timers.unanswered.store(now.ms, SeqCst);
        } else if since >= INSISTS && timers.probe.load(Relaxed) == 0 && timers.verdict.load(Relaxed) == 0 {
            let at = (unanswered + SILENCE_PROBE).max(now.ms + INSISTS);
            self.arm(peer, &timers.probe, at, out);
        }
    }

    /// An initiation was sent; a living peer answers it.
    pub(super) fn expect_answer(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        if peer.timers.unanswered.load(Relaxed) == 0 {
            peer.timers.unanswered.store(now.ms, SeqCst);
            self.arm(peer, &peer.timers.probe, now.ms + SILENCE_PROBE, out);
        }
    }

    /// Anything was sent that the peer can authenticate.
    pub(super) fn sent_any(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        peer.timers.keepalive.store(0, SeqCst);
        self.passed(now, peer, out);
    }

    pub(super) fn heard_data(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let timers = &peer.timers;
        timers.probe_interval.store(0, Relaxed);
        if timers.keepalive.load(Relaxed) == 0 {
            self.arm(peer, &timers.keepalive, now.ms + KEEPALIVE_TIMEOUT, out);
        } else {
            timers.keepalive_again.store(true, Relaxed);
        }
    }

    /// Anything authentic was received.
    pub(super) fn heard_any(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let timers = &peer.timers;
        for timer in [&timers.new_handshake, &timers.unanswered, &timers.probe, &timers.verdict] {
            timer.store(0, SeqCst);
        }
        if timers.silent.load(Relaxed) && timers.silent.swap(false, SeqCst) {
            out.events.push(Event::Heard { peer: peer.public });
        }
        self.passed(now, peer, out);
    }

    fn passed(&self, now: Now, peer: &Arc<Peer>, out: &mut Out) {
        let interval = peer.keepalive.load(Relaxed);
        if interval != 0 {
            self.arm(peer, &peer.timers.persistent, now.ms + interval, out);
        }
    }
}

/// How long a living peer may take to answer a handshake.
fn patience(peer: &Peer) -> u64 {
    SILENCE_VERDICT.max(4 * peer.timers.round_trip.load(Relaxed))
}
