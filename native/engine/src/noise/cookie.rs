//! mac1, mac2 and cookies (WireGuard paper, sections 5.3 and 5.4.4 to 5.4.7): what makes a forged handshake cheap to refuse.
//!
//! The receiver of handshakes has one [`Checker`] for each identity; who sends handshakes has one [`Stamp`] for each peer.

use std::net::SocketAddr;

use ring::aead::LessSafeKey;
use subtle::ConstantTimeEq;

use super::constants::{COOKIE_LIFETIME, LABEL_COOKIE, LABEL_MAC1};
use super::primitives::{Forged, Key, MacKey, hash, xkey, xopen, xseal};
use crate::wire::wg::{COOKIE_LEN, MAC_LEN, cookie};

/// Judges macs of received handshakes and makes cookie replies.
pub struct Checker {
    mac1_key: MacKey,
    /// Keyed secret from which every source's cookie is derived, renewed every two minutes.
    secret: MacKey,
    secret_born: u64,
    /// The first 16 bytes of every reply's nonce, and the key that they make of the cookie key: both stay, and what is
    /// done for each reply is a third.
    nonce: [u8; 16],
    reply_key: LessSafeKey,
    /// The nonce's other 8 bytes in the last reply: random at first, then counted up, for a nonce need only never come
    /// twice (192 random bits for each would cost two system calls of a flood's 3 µs).
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// mac1 is wrong: whoever sent it does not even know our public key.
    Wrong,
    /// mac1 is right; mac2 is missing or not this source's.
    Mac1,
    /// Both are right: the sender receives what we send to that address.
    Mac2,
}

impl Checker {
    /// `nonce` is fresh random bytes: the cookie key is the same after every start.
    pub fn new(public: &Key, nonce: [u8; 24]) -> Self {
        let (first, end) = nonce.split_first_chunk().expect("16 of 24");
        Self {
            mac1_key: MacKey::new(&hash(&[LABEL_MAC1, public])),
            secret: MacKey::new(&[0; 32]),
            secret_born: 0,
            nonce: *first,
            reply_key: xkey(&hash(&[LABEL_COOKIE, public]), first),
            count: u64::from_le_bytes(end.try_into().expect("8 of 24")),
        }
    }

    pub fn check(&self, now: u64, from: SocketAddr, message: &[u8]) -> Verdict {
        let end = message.len() - 2 * MAC_LEN;
        let (mac1, mac2) = message[end..].split_at(MAC_LEN);
        if !bool::from(self.mac1_key.mac(&message[..end]).ct_eq(mac1)) {
            return Verdict::Wrong;
        }
        let fresh = self.secret_born != 0 && now.saturating_sub(self.secret_born) < COOKIE_LIFETIME;
        // Not a secret: who has no cookie says so with zeros.
        if !fresh || mac2 == [0; MAC_LEN] {
            return Verdict::Mac1;
        }
        let expected = MacKey::new(&self.cookie_of(from)).mac(&message[..end + MAC_LEN]);
        if bool::from(expected.ct_eq(mac2)) { Verdict::Mac2 } else { Verdict::Mac1 }
    }

    /// The reply that hands `from` its cookie, bound to the mac1 of the message that asked. `random`
    /// gives a fresh secret and is asked only when the old one has aged.
    pub fn reply(
        &mut self,
        now: u64,
        from: SocketAddr,
        message: &[u8],
        sender: u32,
        random: impl FnOnce() -> Key,
    ) -> [u8; COOKIE_LEN] {
        if self.secret_born == 0 || now.saturating_sub(self.secret_born) >= COOKIE_LIFETIME {
            self.secret = MacKey::new(&random());
            self.secret_born = now;
        }
        self.count = self.count.wrapping_add(1);
        let end = message.len() - 2 * MAC_LEN;
        let mac1 = &message[end..end + MAC_LEN];
        let mut reply = [0; COOKIE_LEN];
        reply[0] = 3;
        reply[cookie::RECEIVER].copy_from_slice(&sender.to_le_bytes());
        let (nonce, end) = reply[cookie::NONCE].split_at_mut(self.nonce.len());
        nonce.copy_from_slice(&self.nonce);
        end.copy_from_slice(&self.count.to_le_bytes());
        let sealed = xseal(&self.reply_key, self.count, &self.cookie_of(from), mac1);
        reply[cookie::COOKIE].copy_from_slice(&sealed);
        reply
    }

    /// The source's address and port, so that a cookie is worth nothing elsewhere.
    fn cookie_of(&self, from: SocketAddr) -> [u8; 16] {
        let mut bytes = [0; 18];
        let end = match from {
            SocketAddr::V4(v4) => {
                bytes[..4].copy_from_slice(&v4.ip().octets());
                4
            }
            SocketAddr::V6(v6) => {
                bytes[..16].copy_from_slice(&v6.ip().octets());
                16
            }
        };
        bytes[end..end + 2].copy_from_slice(&from.port().to_be_bytes());
        self.secret.mac(&bytes[..end + 2])
    }
}

/// Puts macs on the handshakes sent to one peer, and remembers the cookie it gave us.
pub struct Stamp {
    mac1_key: Key,
    cookie_key: Key,
    last_mac1: Option<[u8; MAC_LEN]>,
    cookie: Option<([u8; 16], u64)>,
}

impl Stamp {
    pub fn new(peer: &Key) -> Self {
        Self {
            mac1_key: hash(&[LABEL_MAC1, peer]),
            cookie_key: hash(&[LABEL_COOKIE, peer]),
            last_mac1: None,
            cookie: None,
        }
    }

    /// Fills the last 32 bytes of a handshake message.
    pub fn stamp(&mut self, now: u64, message: &mut [u8]) {
        let end = message.len() - 2 * MAC_LEN;
        let mac1 = MacKey::new(&self.mac1_key).mac(&message[..end]);
        message[end..end + MAC_LEN].copy_from_slice(&mac1);
        self.last_mac1 = Some(mac1);
        if let Some((cookie, got)) = self.cookie
            && now.saturating_sub(got) < COOKIE_LIFETIME
        {
            let mac2 = MacKey::new(&cookie).mac(&message[..end + MAC_LEN]);
            message[end + MAC_LEN..].copy_from_slice(&mac2);
        }
    }

    /// Takes a cookie reply; it must answer the last message stamped.
    pub fn take(&mut self, now: u64, reply: &[u8]) -> Result<(), Forged> {
        let mac1 = self.last_mac1.ok_or(Forged)?;
        let (mut nonce, mut sealed) = ([0; 24], [0; 32]);
        nonce.copy_from_slice(&reply[cookie::NONCE]);
        sealed.copy_from_slice(&reply[cookie::COOKIE]);
        let opened = xopen(&self.cookie_key, &nonce, &sealed, &mac1)?;
        self.cookie = Some((opened, now));
        self.last_mac1 = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::wg::INITIATION_LEN;

    const PUBLIC: Key = [7; 32];

    fn here() -> SocketAddr {
        "192.0.2.1:51820".parse().unwrap()
    }

    #[test]
    fn without_the_public_key_no_mac1_is_right() {
        let (mut message, checker) = ([1; INITIATION_LEN], Checker::new(&PUBLIC, [3; 24]));
        Stamp::new(&[8; 32]).stamp(1, &mut message);
        assert_eq!(checker.check(1, here(), &message), Verdict::Wrong);
        Stamp::new(&PUBLIC).stamp(1, &mut message);
        assert_eq!(checker.check(1, here(), &message), Verdict::Mac1);
    }

    #[test]
    fn a_cookie_makes_mac2_right_for_its_source_and_two_minutes() {
        let (mut stamp, mut checker) = (Stamp::new(&PUBLIC), Checker::new(&PUBLIC, [3; 24]));
        let mut message = [1; INITIATION_LEN];
        stamp.stamp(5, &mut message);
        let reply = checker.reply(5, here(), &message, 9, || [4; 32]);
        assert_eq!(reply.len(), COOKIE_LEN);
        stamp.take(5, &reply).unwrap();
        stamp.stamp(6, &mut message);
        assert_eq!(checker.check(6, here(), &message), Verdict::Mac2);
        let elsewhere = "192.0.2.2:51820".parse().unwrap();
        assert_eq!(checker.check(6, elsewhere, &message), Verdict::Mac1);
        let other_port = "192.0.2.1:51821".parse().unwrap();
        assert_eq!(checker.check(6, other_port, &message), Verdict::Mac1);
        assert_eq!(checker.check(5 + COOKIE_LIFETIME, here(), &message), Verdict::Mac1);
    }

    #[test]
    fn no_two_replies_have_the_same_nonce() {
        // The last before the count begins anew.
        let mut checker = Checker::new(&PUBLIC, [0xff; 24]);
        let nonces = [(); 3].map(|()| {
            let reply = checker.reply(5, here(), &[1; INITIATION_LEN], 9, || [4; 32]);
            reply[cookie::NONCE].to_vec()
        });
        assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2]);
        assert!(nonces.iter().all(|nonce| nonce[..16] == [0xff; 16]));
    }

    #[test]
    fn a_cookie_for_another_message_is_refused() {
        let (mut stamp, mut checker) = (Stamp::new(&PUBLIC), Checker::new(&PUBLIC, [3; 24]));
        let (mut first, mut second) = ([1; INITIATION_LEN], [2; INITIATION_LEN]);
        stamp.stamp(5, &mut first);
        let reply = checker.reply(5, here(), &first, 9, || [4; 32]);
        stamp.stamp(6, &mut second);
        assert_eq!(stamp.take(6, &reply), Err(Forged));
    }
}
