//! ChaCha20-Poly1305 (RFC 8439) in 512-bit registers, for processors with AVX-512 and its multiplier (IFMA): Intel since
//! Ice Lake, AMD since Zen 4. The crates we know stop at 256 bits; a packet of 1,420 bytes takes ring 770 ns and this
//! 320 ns, and the cipher was three quarters of all that a gigabyte costs.
//!
//! ```text
//! seal   key stream → first block is the tag's key → message ^ stream → tag
//! open   key stream → first block is the tag's key → tag is compared → message ^ stream
//! ```
//! No branch and no address depends on a secret. The key is wiped when its session ends; key stream on the stack is not, as
//! with ring. Before first use it must agree with ring ([`Wide::new`]), and the
//! tests hold it against ring at every length; where it is not possible [`super::cipher`] takes ring.

mod chacha20;
mod poly1305;

use std::arch::is_x86_feature_detected as has;
use std::sync::LazyLock;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::chacha20::Stream;
use super::primitives::{Forged, Key, aead_key, nonce};
use crate::wire::wg::TAG;

/// Bytes of the message that the first stretch of key stream covers: its first block is the tag's key.
const FIRST: usize = chacha20::STRETCH - chacha20::BLOCK;

/// On the heap, so that moving it leaves no copy of the key behind.
pub struct Wide(Box<Zeroizing<Key>>);

impl Wide {
    /// None where the processor cannot, or where what it computes is not what ring computes.
    pub fn new(key: &Key) -> Option<Self> {
        static IS_USABLE: LazyLock<bool> = LazyLock::new(|| is_possible() && agrees_with_ring());
        IS_USABLE.then(|| Self(Box::new(Zeroizing::new(*key))))
    }

    /// Encrypts in place and returns the tag.
    pub fn seal(&self, counter: u64, message: &mut [u8]) -> [u8; TAG] {
        // SAFETY: a `Wide` exists only where the processor has every feature named there; nothing else is required.
        unsafe { seal(&self.0, counter, message) }
    }

    /// Decrypts in place; a message whose tag is not `tag` stays as it is.
    pub fn open(&self, counter: u64, message: &mut [u8], tag: &[u8; TAG]) -> Result<(), Forged> {
        // SAFETY: as above.
        unsafe { open(&self.0, counter, message, tag) }
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,bmi2")]
fn seal(key: &Key, counter: u64, message: &mut [u8]) -> [u8; TAG] {
    let mut stream = Stream::start(key, counter, message.len());
    let tag_key = stream.tag_key();
    stream.apply(message);
    poly1305::tag(&tag_key, message)
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,bmi2")]
fn open(key: &Key, counter: u64, message: &mut [u8], tag: &[u8; TAG]) -> Result<(), Forged> {
    let mut stream = Stream::start(key, counter, message.len());
    // As one number: byte for byte takes 20 ns.
    let made = u128::from_ne_bytes(poly1305::tag(&stream.tag_key(), message));
    if !bool::from(made.ct_eq(&u128::from_ne_bytes(*tag))) {
        return Err(Forged);
    }
    stream.apply(message);
    Ok(())
}

fn is_possible() -> bool {
    has!("avx512f")
        && has!("avx512vl")
        && has!("avx512dq")
        && has!("avx512bw")
        && has!("avx512ifma")
        && has!("bmi2")
}

/// One message of each kind: shorter than a block, one and several stretches, ends within a block and at its end, one turn of
/// the tag and several, with any number of blocks missing in the first. Each is opened, and refused with a wrong tag.
fn agrees_with_ring() -> bool {
    let key = std::array::from_fn(|i| (i * 7 + 1) as u8);
    let wide = Wide(Box::new(Zeroizing::new(key)));
    let lengths =
        [0, 1, 15, 16, 17, 63, 64, 65, 100, 112, 113, 200, 240, 241, 450, 1000, 1420, FIRST, FIRST + 1, 9000];
    lengths.into_iter().all(|len| {
        let counter = 1 << (len % 64);
        let plain: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
        let (mut theirs, mut ours) = (plain.clone(), plain.clone());
        let sealed =
            aead_key(&key).seal_in_place_separate_tag(nonce(counter), ring::aead::Aad::empty(), &mut theirs);
        let tag = wide.seal(counter, &mut ours);
        let is_same = sealed.is_ok_and(|sealed| sealed.as_ref() == tag && theirs == ours);
        let mut bad = tag;
        bad[len % TAG] ^= 1 << (len % 8);
        let refuses = wide.open(counter, &mut ours, &bad).is_err() && ours == theirs;
        is_same && refuses && wide.open(counter, &mut ours, &tag).is_ok() && ours == plain
    })
}

#[cfg(test)]
mod tests;
