//! The functions Noise is made of (Noise specification revision 34, sections 4 and 5; WireGuard paper, section 5.4).

use blake2::digest::core_api::{Buffer, UpdateCore, VariableOutputCore};
use blake2::digest::{FixedOutput, KeyInit, Mac, Output, Update};
use blake2::{Blake2s256, Blake2sVarCore};
use chacha20::cipher::consts::U10;
use chacha20::hchacha;
use hmac::SimpleHmac;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::wire::wg::MAC_LEN;

pub type Key = [u8; 32];
pub type Secret = Zeroizing<[u8; 32]>;

/// A message that does not authenticate, or whose key exchange contributes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

pub fn hash(parts: &[&[u8]]) -> Key {
    let mut state = Blake2s256::default();
    for part in parts {
        state.update(part);
    }
    state.finalize_fixed().into()
}

/// Keyed BLAKE2s with 16 bytes of output (RFC 7693, section 3.3). The key's block is taken in once: of the three that a
/// handshake's mac1 consists of, two are left.
#[derive(Clone)]
pub struct MacKey(Blake2sVarCore);

impl MacKey {
    /// `key` is at most 32 bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut core = Blake2sVarCore::new_with_params(&[], &[], key.len(), MAC_LEN);
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        core.update_blocks(&[block.into()]);
        Self(core)
    }

    /// `message` is not empty: the key's block would be the last, which is hashed differently.
    pub fn mac(&self, message: &[u8]) -> [u8; MAC_LEN] {
        debug_assert!(!message.is_empty());
        let mut core = self.0.clone();
        let mut buffer = Buffer::<Blake2sVarCore>::default();
        buffer.digest_blocks(message, |blocks| core.update_blocks(blocks));
        let mut whole = Output::<Blake2sVarCore>::default();
        core.finalize_variable_core(&mut buffer, &mut whole);
        *whole.first_chunk().expect("32 bytes")
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut state = <SimpleHmac<Blake2s256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    for part in parts {
        Mac::update(&mut state, part);
    }
    Zeroizing::new(state.finalize_fixed().into())
}

/// HKDF with N outputs (Noise specification, section 4.3).
pub fn kdf<const N: usize>(chain: &[u8], input: &[u8]) -> [Secret; N] {
    let root = hmac(chain, &[input]);
    let mut outputs: [Secret; N] = std::array::from_fn(|_| Zeroizing::default());
    for i in 0..N {
        let counter = [i as u8 + 1];
        outputs[i] = match i {
            0 => hmac(&*root, &[&counter]),
            _ => hmac(&*root, &[&*outputs[i - 1], &counter]),
        };
    }
    outputs
}

pub fn aead_key(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("32 bytes"))
}

/// ChaCha20-Poly1305 with WireGuard's nonce: 32 zero bits and the counter (RFC 8439, section 2.8).
pub fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Seals `plain` into `sealed`, which is 16 bytes longer. Handshake keys are used once, so the counter is zero.
pub fn seal(key: &Key, plain: &[u8], aad: &[u8], sealed: &mut [u8]) {
    let (body, tag) = sealed.split_at_mut(plain.len());
    body.copy_from_slice(plain);
    let made = aead_key(key)
        .seal_in_place_separate_tag(nonce(0), Aad::from(aad), body)
        .expect("handshake fields are far below the cipher's limit");
    tag.copy_from_slice(made.as_ref());
}

/// Opens `sealed` into `plain`, which is 16 bytes shorter.
pub fn open(key: &Key, sealed: &[u8], aad: &[u8], plain: &mut [u8]) -> Result<(), Forged> {
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let opened = aead_key(key).open_in_place(nonce(0), Aad::from(aad), &mut bytes).map_err(|_| Forged)?;
    plain.copy_from_slice(opened);
    Ok(())
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), used for cookies only: the key that the first 16 bytes of a nonce
/// make, with which the last 8 are a nonce of ChaCha20-Poly1305.
pub fn xkey(key: &Key, nonce: &[u8; 16]) -> LessSafeKey {
    aead_key(&hchacha::<U10>(key.into(), nonce.into()).into())
}

pub fn xseal(key: &LessSafeKey, nonce_end: u64, plain: &[u8; 16], aad: &[u8]) -> [u8; 32] {
    let mut sealed = [0; 32];
    sealed[..16].copy_from_slice(plain);
    let tag = key
        .seal_in_place_separate_tag(nonce(nonce_end), Aad::from(aad), &mut sealed[..16])
        .expect("16 bytes are far below the cipher's limit");
    sealed[16..].copy_from_slice(tag.as_ref());
    sealed
}

pub fn xopen(key: &Key, xnonce: &[u8; 24], sealed: &[u8; 32], aad: &[u8]) -> Result<[u8; 16], Forged> {
    let (first, end) = xnonce.split_first_chunk().expect("16 of 24");
    let end = u64::from_le_bytes(end.try_into().expect("8 of 24"));
    let mut sealed = *sealed;
    let plain =
        xkey(key, first).open_in_place(nonce(end), Aad::from(aad), &mut sealed).map_err(|_| Forged)?;
    Ok((&*plain).try_into().expect("16 of 32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn blake2s_hashes_abc_as_rfc_7693_appendix_b() {
        let expected = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982";
        assert_eq!(hash(&[b"a", b"bc"]).to_vec(), hex(expected));
    }

    #[test]
    fn a_prepared_mac_is_keyed_blake2s_at_every_length() {
        use blake2::{Blake2sMac, digest::consts::U16};
        for key_len in [16, 32] {
            let key: Vec<u8> = (0..key_len).collect();
            let prepared = MacKey::new(&key);
            for len in 1..300 {
                let message: Vec<u8> = (0..len).map(|i| i as u8).collect();
                let mut theirs = <Blake2sMac<U16> as KeyInit>::new_from_slice(&key).unwrap();
                Update::update(&mut theirs, &message);
                assert_eq!(prepared.mac(&message), <[u8; 16]>::from(theirs.finalize_fixed()), "length {len}");
            }
        }
    }

    #[test]
    fn hchacha20_makes_the_key_of_the_draft_section_2_2_1() {
        let key: Key = std::array::from_fn(|i| i as u8);
        let nonce: [u8; 16] = hex("000000090000004a0000000031415927").try_into().unwrap();
        let expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc";
        assert_eq!(hchacha::<U10>(&key.into(), &nonce.into()).to_vec(), hex(expected));
    }

    #[test]
    fn cookies_are_sealed_as_xchacha20_poly1305_seals_them() {
        use chacha20poly1305::{AeadInPlace, XChaCha20Poly1305};
        let (key, nonce): (Key, [u8; 24]) = ([1; 32], std::array::from_fn(|i| i as u8 * 9));
        let end = u64::from_le_bytes(nonce[16..].try_into().unwrap());
        let sealed = xseal(&xkey(&key, nonce[..16].try_into().unwrap()), end, &[3; 16], b"mac1");
        let mut theirs = [3; 16];
        let tag = XChaCha20Poly1305::new(&key.into())
            .encrypt_in_place_detached(&nonce.into(), b"mac1", &mut theirs)
            .unwrap();
        assert_eq!(sealed[..], [&theirs[..], &tag].concat());
        assert_eq!(xopen(&key, &nonce, &sealed, b"mac1"), Ok([3; 16]));
        assert_eq!(xopen(&key, &nonce, &sealed, b"mac2"), Err(Forged));
    }

    #[test]
    fn chacha20_poly1305_agrees_with_rfc_8439_appendix_a5_key() {
        // The RFC's nonce is not a counter, so the vector is checked on the cipher below `seal`.
        let key: Key =
            hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0").try_into().unwrap();
        let nonce = Nonce::assume_unique_for_key(hex("000000000102030405060708").try_into().unwrap());
        let aad = hex("f33388860000000000004e91");
        let mut sealed = hex(
            "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
        );
        let plain = aead_key(&key).open_in_place(nonce, Aad::from(&aad), &mut sealed).unwrap();
        assert!(plain.starts_with(b"Internet-Drafts are draft documents"));
    }
}
