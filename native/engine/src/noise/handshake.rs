//! Noise IKpsk2 in WireGuard's two messages (WireGuard paper, sections 5.4.2 to 5.4.5).
//!
//! ```text
//! initiator                                responder
//! Initiating::start   -- initiation -->    Received::open, then prove (the sender must be known first)
//!                     <-- response ---     Proven::respond
//! Initiating::finish
//! ```
//! Both ends get [`SessionKeys`]. Random bytes and the timestamp are arguments. The macs behind each message are
//! `cookie`'s business.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::constants::{CONSTRUCTION, IDENTIFIER};
use super::primitives::{Forged, Key, Secret, hash, kdf, open, seal};
use crate::wire::wg::{INITIATION_LEN, RESPONSE_LEN, initiation, response, word};

/// Our static key pair.
pub struct Identity {
    private: StaticSecret,
    pub public: Key,
}

impl Identity {
    pub fn new(private: Key) -> Self {
        let private = StaticSecret::from(private);
        let public = PublicKey::from(&private).to_bytes();
        Self { private, public }
    }

    pub fn private(&self) -> Key {
        self.private.to_bytes()
    }

    /// The static-static secret, the same for every handshake with this peer.
    pub fn shared(&self, peer: &Key) -> Result<Secret, Forged> {
        exchange(&self.private, peer)
    }
}

/// What both ends know of each other before the handshake.
pub struct Known<'a> {
    pub me: &'a Identity,
    pub peer: &'a Key,
    /// [`Identity::shared`] with this peer.
    pub shared: &'a Secret,
    pub preshared: &'a Key,
}

/// Keys and indices of a new session. `local` is the index under which the other end addresses us.
pub struct SessionKeys {
    pub local: u32,
    pub remote: u32,
    pub send: Secret,
    pub receive: Secret,
    pub initiator: bool,
}

/// The symmetric state: chaining key and hash of everything said.
struct Symmetric {
    chain: Secret,
    hash: Key,
}

impl Symmetric {
    fn towards(responder: &Key) -> Self {
        let chain = hash(&[CONSTRUCTION]);
        let start = hash(&[&chain, IDENTIFIER]);
        Self { chain: Zeroizing::new(chain), hash: hash(&[&start, responder]) }
    }

    fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = hash(&[&self.hash, bytes]);
    }

    fn mix_ephemeral(&mut self, public: &[u8]) {
        let [chain] = kdf(&*self.chain, public);
        self.chain = chain;
        self.mix_hash(public);
    }

    fn mix_key(&mut self, input: &[u8]) -> Secret {
        let [chain, key] = kdf(&*self.chain, input);
        self.chain = chain;
        key
    }

    fn mix_preshared(&mut self, preshared: &Key) -> Secret {
        let [chain, middle, key] = kdf(&*self.chain, preshared);
        self.chain = chain;
        self.mix_hash(&*middle);
        key
    }

    fn seal(&mut self, key: &Key, plain: &[u8], sealed: &mut [u8]) {
        seal(key, plain, &self.hash, sealed);
        self.mix_hash(sealed);
    }

    fn open(&mut self, key: &Key, sealed: &[u8], plain: &mut [u8]) -> Result<(), Forged> {
        open(key, sealed, &self.hash, plain)?;
        self.mix_hash(sealed);
        Ok(())
    }

    /// First output is the initiator's sending key.
    fn split(&self) -> [Secret; 2] {
        kdf(&*self.chain, &[])
    }
}

/// A secret of zeros means the other key has small order (RFC 7748, section 6.1): nothing was agreed.
fn exchange(private: &StaticSecret, public: &Key) -> Result<Secret, Forged> {
    let shared = private.diffie_hellman(&PublicKey::from(*public));
    if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(Forged) }
}

/// An initiation of ours that waits for its response.
pub struct Initiating {
    pub local: u32,
    ephemeral: StaticSecret,
    state: Symmetric,
}

impl Initiating {
    /// `ephemeral` are 32 fresh random bytes; `timestamp` is TAI64N and greater than any sent to this peer.
    pub fn start(
        known: &Known<'_>,
        local: u32,
        ephemeral: Key,
        timestamp: [u8; 12],
    ) -> Result<(Self, [u8; INITIATION_LEN]), Forged> {
        let ephemeral = StaticSecret::from(ephemeral);
        let public = PublicKey::from(&ephemeral).to_bytes();
        let mut message = [0; INITIATION_LEN];
        message[0] = 1;
        message[initiation::SENDER].copy_from_slice(&local.to_le_bytes());
        message[initiation::EPHEMERAL].copy_from_slice(&public);

        let mut state = Symmetric::towards(known.peer);
        state.mix_ephemeral(&public);
        let key = state.mix_key(&*exchange(&ephemeral, known.peer)?);
        state.seal(&key, &known.me.public, &mut message[initiation::STATIC]);
        let key = state.mix_key(&**known.shared);
        state.seal(&key, &timestamp, &mut message[initiation::TIMESTAMP]);
        Ok((Self { local, ephemeral, state }, message))
    }

    /// Takes the response. The initiation stays usable when the response is forged.
    pub fn finish(&self, known: &Known<'_>, message: &[u8; RESPONSE_LEN]) -> Result<SessionKeys, Forged> {
        let mut state = Symmetric { chain: self.state.chain.clone(), hash: self.state.hash };
        let mut theirs = [0; 32];
        theirs.copy_from_slice(&message[response::EPHEMERAL]);
        state.mix_ephemeral(&theirs);
        state.mix_key(&*exchange(&self.ephemeral, &theirs)?);
        state.mix_key(&*exchange(&known.me.private, &theirs)?);
        let key = state.mix_preshared(known.preshared);
        state.open(&key, &message[response::NOTHING], &mut [])?;
        let [send, receive] = state.split();
        let remote = word(message, response::SENDER.start);
        Ok(SessionKeys { local: self.local, remote, send, receive, initiator: true })
    }
}

/// An initiation whose static key was read: we know who claims to speak.
pub struct Received<'m> {
    pub peer: Key,
    message: &'m [u8; INITIATION_LEN],
    ephemeral: Key,
    state: Symmetric,
}

impl<'m> Received<'m> {
    /// Costs one key exchange.
    pub fn open(me: &Identity, message: &'m [u8; INITIATION_LEN]) -> Result<Self, Forged> {
        let mut ephemeral = [0; 32];
        ephemeral.copy_from_slice(&message[initiation::EPHEMERAL]);
        let mut state = Symmetric::towards(&me.public);
        state.mix_ephemeral(&ephemeral);
        let key = state.mix_key(&*exchange(&me.private, &ephemeral)?);
        let mut peer = [0; 32];
        state.open(&key, &message[initiation::STATIC], &mut peer)?;
        Ok(Self { peer, message, ephemeral, state })
    }

    /// With the static-static secret, what was claimed is proven. Costs no key exchange.
    pub fn prove(mut self, shared: &Secret) -> Result<Proven, Forged> {
        let key = self.state.mix_key(&**shared);
        let mut timestamp = [0; 12];
        self.state.open(&key, &self.message[initiation::TIMESTAMP], &mut timestamp)?;
        let remote = word(self.message, initiation::SENDER.start);
        Ok(Proven { timestamp, peer: self.peer, ephemeral: self.ephemeral, remote, state: self.state })
    }
}

/// A genuine initiation; whether its timestamp is new is the caller's question.
pub struct Proven {
    pub timestamp: [u8; 12],
    pub peer: Key,
    ephemeral: Key,
    remote: u32,
    state: Symmetric,
}

impl Proven {
    pub fn respond(
        mut self,
        preshared: &Key,
        local: u32,
        ephemeral: Key,
    ) -> Result<(SessionKeys, [u8; RESPONSE_LEN]), Forged> {
        let ephemeral = StaticSecret::from(ephemeral);
        let public = PublicKey::from(&ephemeral).to_bytes();
        let mut message = [0; RESPONSE_LEN];
        message[0] = 2;
        message[response::SENDER].copy_from_slice(&local.to_le_bytes());
        message[response::RECEIVER].copy_from_slice(&self.remote.to_le_bytes());
        message[response::EPHEMERAL].copy_from_slice(&public);

        self.state.mix_ephemeral(&public);
        self.state.mix_key(&*exchange(&ephemeral, &self.ephemeral)?);
        self.state.mix_key(&*exchange(&ephemeral, &self.peer)?);
        let key = self.state.mix_preshared(preshared);
        self.state.seal(&key, &[], &mut message[response::NOTHING]);
        let [receive, send] = self.state.split();
        Ok((SessionKeys { local, remote: self.remote, send, receive, initiator: false }, message))
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
