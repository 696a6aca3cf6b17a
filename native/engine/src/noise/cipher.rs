//! The cipher of a session: ChaCha20-Poly1305 with WireGuard's nonce and no additional data, in the widest registers there are.

use ring::aead::{Aad, LessSafeKey};

use super::primitives::{Forged, Key, aead_key, nonce};
#[cfg(target_arch = "x86_64")]
use super::wide::Wide;
use crate::wire::wg::TAG;

pub enum Cipher {
    #[cfg(target_arch = "x86_64")]
    Wide(Wide),
    Ring(Box<LessSafeKey>),
}

impl Cipher {
    pub fn new(key: &Key) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(wide) = Wide::new(key) {
            return Self::Wide(wide);
        }
        Self::Ring(Box::new(aead_key(key)))
    }

    /// Encrypts in place and returns the tag.
    #[inline]
    pub fn seal(&self, counter: u64, packet: &mut [u8]) -> [u8; TAG] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => wide.seal(counter, packet),
            Self::Ring(key) => {
                let made = key.seal_in_place_separate_tag(nonce(counter), Aad::empty(), packet);
                let made = made.expect("a packet is far below the cipher's limit");
                made.as_ref().try_into().expect("a tag has 16 bytes")
            }
        }
    }

    /// Decrypts in place what stands before the tag, and returns it.
    #[inline]
    pub fn open<'p>(&self, counter: u64, sealed: &'p mut [u8]) -> Result<&'p mut [u8], Forged> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => {
                let (packet, tag) = sealed.split_last_chunk_mut::<TAG>().ok_or(Forged)?;
                wide.open(counter, packet, tag)?;
                Ok(packet)
            }
            Self::Ring(key) => key.open_in_place(nonce(counter), Aad::empty(), sealed).map_err(|_| Forged),
        }
    }
}
