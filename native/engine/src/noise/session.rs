//! A session: two keys, the sending counter and the replay window. Sealing needs no lock (the counter is reserved
//! atomically), so that any thread may send; the window is locked once for each received packet, by the one thread
//! that receives.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::cipher::Cipher;
use super::constants::{REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME, REKEY_AFTER_MESSAGES};
use super::handshake::SessionKeys;
use super::replay::Replay;
use crate::wire::wg::{DATA_HEADER, DATA_OVERHEAD, TAG, data_counter, put_data_header};

pub struct Session {
    pub local: u32,
    pub remote: u32,
    pub initiator: bool,
    /// When the handshake completed, in the engine's milliseconds.
    pub born: u64,
    /// Set when the session is forgotten, so that cached references stop using it.
    pub dead: AtomicBool,
    send: Cipher,
    receive: Cipher,
    counter: AtomicU64,
    replay: Mutex<Replay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Expired,
    Forged,
    Replayed,
}

impl Session {
    pub fn new(keys: &SessionKeys, now: u64) -> Self {
        Self {
            local: keys.local,
            remote: keys.remote,
            initiator: keys.initiator,
            born: now,
            dead: AtomicBool::new(false),
            send: Cipher::new(&keys.send),
            receive: Cipher::new(&keys.receive),
            counter: AtomicU64::new(0),
            replay: Mutex::default(),
        }
    }

    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.born)
    }

    pub fn usable(&self, now: u64) -> bool {
        self.age(now) < REJECT_AFTER_TIME
            && self.counter.load(Relaxed) < REJECT_AFTER_MESSAGES
            && !self.dead.load(Relaxed)
    }

    pub fn wants_rekey(&self, now: u64, after: u64) -> bool {
        self.counter.load(Relaxed) > REKEY_AFTER_MESSAGES || (self.initiator && self.age(now) >= after)
    }

    /// Reserves `count` counters and returns the first; None when they are used up.
    pub fn reserve(&self, count: u64) -> Option<u64> {
        let first = self.counter.fetch_add(count, Relaxed);
        if first.saturating_add(count) < REJECT_AFTER_MESSAGES {
            return Some(first);
        }
        // Closed for good. Never taken back: of two attempts that failed at once the later could give a number out again.
        self.counter.store(REJECT_AFTER_MESSAGES, Relaxed);
        None
    }

    /// Makes a data message of `message`, in which the padded packet stands between header and tag.
    pub fn seal(&self, counter: u64, message: &mut [u8]) {
        put_data_header(message, self.remote, counter);
        let end = message.len() - TAG;
        let (body, tag) = message[DATA_HEADER..].split_at_mut(end - DATA_HEADER);
        tag.copy_from_slice(&self.send.seal(counter, body));
    }

    /// Opens a data message in place and returns the padded packet.
    pub fn open<'m>(&self, now: u64, message: &'m mut [u8]) -> Result<&'m mut [u8], Refused> {
        debug_assert!(message.len() >= DATA_OVERHEAD);
        if self.age(now) >= REJECT_AFTER_TIME {
            return Err(Refused::Expired);
        }
        let counter = data_counter(message);
        let sealed = &mut message[DATA_HEADER..];
        let packet = self.receive.open(counter, sealed).map_err(|_| Refused::Forged)?;
        if self.replay.lock().expect("no panic holds this lock").accept(counter) {
            Ok(packet)
        } else {
            Err(Refused::Replayed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn pair() -> (Session, Session) {
        let keys = |a: u8, b: u8, initiator| SessionKeys {
            local: a.into(),
            remote: b.into(),
            send: Zeroizing::new([a; 32]),
            receive: Zeroizing::new([b; 32]),
            initiator,
        };
        (Session::new(&keys(1, 2, true), 0), Session::new(&keys(2, 1, false), 0))
    }

    fn message(session: &Session, plain: &[u8]) -> Vec<u8> {
        let mut message = vec![0; plain.len() + DATA_OVERHEAD];
        message[DATA_HEADER..DATA_HEADER + plain.len()].copy_from_slice(plain);
        session.seal(session.reserve(1).unwrap(), &mut message);
        message
    }

    #[test]
    fn a_sealed_packet_opens_once() {
        let (a, b) = pair();
        let sealed = message(&a, b"sixteen bytes ok");
        assert_eq!(b.open(1, &mut sealed.clone()).unwrap(), b"sixteen bytes ok");
        assert_eq!(b.open(1, &mut sealed.clone()), Err(Refused::Replayed));
    }

    #[test]
    fn a_changed_byte_is_refused_and_does_not_move_the_window() {
        let (a, b) = pair();
        let sealed = message(&a, b"sixteen bytes ok");
        let mut bad = sealed.clone();
        bad[15] = 0x70;
        assert_eq!(b.open(1, &mut bad), Err(Refused::Forged));
        assert!(b.open(1, &mut sealed.clone()).is_ok());
    }

    #[test]
    fn an_old_session_neither_opens_nor_counts_as_usable() {
        let (a, b) = pair();
        let mut sealed = message(&a, b"");
        assert!(a.usable(REJECT_AFTER_TIME - 1) && !a.usable(REJECT_AFTER_TIME));
        assert_eq!(b.open(REJECT_AFTER_TIME, &mut sealed), Err(Refused::Expired));
    }

    /// Each cipher at either end, and the whole way of a message: header, counter, tag, window.
    #[test]
    fn sessions_with_either_cipher_understand_each_other() {
        let ring = |key: u8| Cipher::Ring(Box::new(super::super::primitives::aead_key(&[key; 32])));
        for is_ring_first in [true, false] {
            let (mut a, mut b) = pair();
            let slow = if is_ring_first { &mut a } else { &mut b };
            let (send, receive) = if is_ring_first { (1, 2) } else { (2, 1) };
            (slow.send, slow.receive) = (ring(send), ring(receive));
            for len in (0..600).chain([1391, 1392, 1419, 1420, 9000, 65_000]) {
                for (from, to) in [(&a, &b), (&b, &a)] {
                    let plain: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
                    let sealed = message(from, &plain);
                    let mut bad = sealed.clone();
                    let at = DATA_HEADER - 8 + len * 5 % (bad.len() - DATA_HEADER + 8);
                    bad[at] ^= 1 << (len % 8);
                    assert_eq!(to.open(1, &mut bad), Err(Refused::Forged), "length {len}, byte {at}");
                    assert_eq!(to.open(1, &mut sealed.clone()).unwrap(), plain, "length {len}");
                    assert_eq!(to.open(1, &mut sealed.clone()), Err(Refused::Replayed), "length {len}");
                    assert_eq!(from.open(1, &mut sealed.clone()), Err(Refused::Forged), "its own");
                }
            }
        }
    }

    #[test]
    fn used_up_counters_stay_used_up() {
        let (a, _) = pair();
        a.counter.store(REJECT_AFTER_MESSAGES - 2, Relaxed);
        assert_eq!(a.reserve(1), Some(REJECT_AFTER_MESSAGES - 2));
        for _ in 0..10_000 {
            assert_eq!(a.reserve(64), None);
        }
        assert!(a.reserve(1).is_none());
    }
}
