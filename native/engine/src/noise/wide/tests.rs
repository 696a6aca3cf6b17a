use ::chacha20::cipher::consts::U10;
use ring::aead::Aad;

use super::*;
use crate::tests::Random;

/// On a machine that cannot there is nothing to test; what runs there is ring.
fn wide(key: &Key) -> Option<Wide> {
    let wide = Wide::new(key);
    assert_eq!(wide.is_some(), is_possible(), "it agrees with ring");
    wide
}

fn theirs(key: &Key, counter: u64, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut sealed = plain.to_vec();
    let tag = aead_key(key).seal_in_place_separate_tag(nonce(counter), Aad::empty(), &mut sealed).unwrap();
    (sealed, tag.as_ref().to_vec())
}

#[test]
fn it_seals_as_ring_does_at_every_length_and_opens_it() {
    let mut random = Random(1);
    for len in (0..3400).chain([9000, 20_000, 65_535]) {
        let key = std::array::from_fn(|_| random.word() as u8);
        let Some(wide) = wide(&key) else { return };
        let counter = random.word() >> (len % 64);
        let plain: Vec<u8> = (0..len).map(|_| random.word() as u8).collect();
        let mut ours = plain.clone();
        let tag = wide.seal(counter, &mut ours);
        assert_eq!((ours.clone(), tag.to_vec()), theirs(&key, counter, &plain), "length {len}");
        wide.open(counter, &mut ours, &tag).unwrap();
        assert_eq!(ours, plain, "length {len}");
    }
}

#[test]
fn a_changed_bit_of_message_or_tag_is_refused_and_the_message_stays() {
    let key = [9; 32];
    let Some(wide) = wide(&key) else { return };
    for len in [0, 1, 16, 100, 240, 241, 1420, 3000] {
        let mut sealed = vec![3; len];
        let tag = wide.seal(7, &mut sealed);
        for bit in 0..len * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let before = bad.clone();
            assert_eq!(wide.open(7, &mut bad, &tag), Err(Forged), "length {len} bit {bit}");
            assert_eq!(bad, before);
        }
        for bit in 0..128 {
            let mut bad = tag;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(wide.open(7, &mut sealed.clone(), &bad), Err(Forged), "length {len} tag bit {bit}");
        }
        assert_eq!(wide.open(8, &mut sealed, &tag), Err(Forged), "length {len}: another counter");
    }
}

/// A sum at or just above 2^130 - 5, and limbs that are all ones: RFC 8439, appendix A.3, vectors 7 to 11 and what is
/// like them. There r and s are given; each block's own length block must be taken into account, so a slow twin tells
/// what is right.
#[test]
fn sums_about_the_modulus_reduce_as_in_the_slow_twin() {
    if !is_possible() {
        return;
    }
    let keys = [
        [&[1u8][..], &[0; 31]].concat(),
        [&[2u8][..], &[0; 31]].concat(),
        [&[1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0][..], &[0; 16]].concat(),
        [&[2u8][..], &[0; 15], &[0xff; 16]].concat(),
        vec![0xff; 32],
        vec![0; 32],
    ];
    let words = [0xffu8, 0xfe, 0xfb, 0xf0, 0x01, 0x00, 0x11];
    let mut random = Random(5);
    for key in keys {
        let key: [u8; 32] = key.try_into().unwrap();
        for len in 0..600 {
            let word = words[random.below(7) as usize];
            let mut message = vec![word; len];
            if len > 0 && random.below(2) == 0 {
                message[random.below(len as u64) as usize] ^= 1 << random.below(8);
            }
            // SAFETY: the processor was asked above.
            let tag = unsafe { poly1305::tag(&key, &message) };
            assert_eq!(tag, slow_tag(&key, &message), "key {key:?} length {len}");
        }
    }
}

/// With r = 1 the sum is that of the blocks, which two of them can be chosen for.
#[test]
fn a_sum_between_the_modulus_and_its_bits_is_reduced() {
    if !is_possible() {
        return;
    }
    let key: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
    for above in 0..10 {
        // m1 + m2 + the length's block + three top bits = 2^130 - 10 + above
        let both = (u128::MAX - 9 + above) - (32 << 64);
        let message = [(both / 3).to_le_bytes(), (both - both / 3).to_le_bytes()].concat();
        // SAFETY: the processor was asked above.
        let tag = unsafe { poly1305::tag(&key, &message) };
        assert_eq!(tag, slow_tag(&key, &message), "{above}");
        let expected = if above < 5 { u128::MAX - 9 + above } else { above - 5 };
        assert_eq!(u128::from_le_bytes(tag), expected, "{above}");
    }
}

/// With r = 1 once more, and the sum just below twice the modulus: the second of the last carries is needed.
#[test]
fn a_sum_just_below_twice_the_modulus_is_reduced() {
    if !is_possible() {
        return;
    }
    let key: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
    for less in 1..=10u128 {
        // six blocks and the length's, seven top bits: 2 * 2^130 - 2^128 + 2^128 - less
        let first = 0u128.wrapping_sub(less).wrapping_sub(96 << 64);
        let message = [&first.to_le_bytes()[..], &[0; 80]].concat();
        // SAFETY: the processor was asked above.
        let tag = unsafe { poly1305::tag(&key, &message) };
        assert_eq!(tag, slow_tag(&key, &message), "{less}");
        assert_eq!(u128::from_le_bytes(tag), 10 - less, "{less}");
    }
}

#[test]
fn what_ring_seals_it_opens_and_ring_what_it_seals() {
    use super::super::cipher::Cipher;
    let key = [5; 32];
    let (Some(wide), ring) = (wide(&key).map(Cipher::Wide), Cipher::Ring(Box::new(aead_key(&key)))) else {
        return;
    };
    for len in [0, 1, 16, 240, 241, 1420, 9000] {
        for (from, to) in [(&wide, &ring), (&ring, &wide)] {
            let mut sealed = vec![6; len];
            let tag = from.seal(len as u64, &mut sealed);
            sealed.extend(tag);
            assert_eq!(to.open(len as u64, &mut sealed.clone()).unwrap(), vec![6; len], "length {len}");
            sealed[len] ^= 1;
            assert!(to.open(len as u64, &mut sealed).is_err(), "length {len}");
        }
    }
    for len in 0..TAG {
        assert!(
            wide.open(0, &mut vec![0; len]).is_err() && ring.open(0, &mut vec![0; len]).is_err(),
            "length {len}"
        );
    }
}

/// XChaCha20-Poly1305 is ChaCha20-Poly1305 with a key made of the nonce's first 16 bytes and a nonce of its last 8, which
/// is WireGuard's form of nonce.
#[test]
fn it_seals_and_opens_as_project_wycheproof_says() {
    let hex = |text: &str| -> Vec<u8> {
        let text = text.trim_matches('-');
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let mut count = 0;
    for line in include_str!("wycheproof.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split(' ').map(hex).collect();
        let [key, nonce, message, sealed, tag] = &fields[..] else { panic!("{line}") };
        let (first, end) = nonce.split_first_chunk::<16>().unwrap();
        let key = ::chacha20::hchacha::<U10>(key.as_slice().into(), first.into()).into();
        let counter = u64::from_le_bytes(end.try_into().unwrap());
        let Some(wide) = wide(&key) else { return };
        let mut ours = message.clone();
        let made = wide.seal(counter, &mut ours);
        assert_eq!((&ours, &made[..]), (sealed, &tag[..]), "length {}", message.len());
        wide.open(counter, &mut ours, &made).unwrap();
        assert_eq!(ours, *message);
        count += 1;
    }
    assert_eq!(count, 16);
}

/// Memory between two pages that nobody may touch: a byte read or written beyond either end is a fault.
struct Fenced {
    base: *mut u8,
    page: usize,
    room: usize,
}

impl Fenced {
    fn new(room: usize) -> Self {
        // SAFETY: plain integers in; anonymous memory out, which is checked and is this one's alone.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let room = room.next_multiple_of(page);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(std::ptr::null_mut(), room + 2 * page, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let within = base.cast::<u8>().add(page);
            assert_eq!(libc::mprotect(within.cast(), room, libc::PROT_READ | libc::PROT_WRITE), 0);
            Self { base: base.cast(), page, room }
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: between the fences the memory is ours and may be read and written.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(self.page), self.room) }
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nothing borrows it any more.
        unsafe { libc::munmap(self.base.cast(), self.room + 2 * self.page) };
    }
}

#[test]
fn it_touches_no_byte_beside_the_message() {
    let key = [4; 32];
    let Some(wide) = wide(&key) else { return };
    let mut fenced = Fenced::new(4000);
    for len in (0..=2000).chain([3000, 3977]) {
        let (sealed, tag) = theirs(&key, 5, &vec![7; len]);
        for is_at_end in [false, true] {
            let memory = fenced.bytes();
            let at = if is_at_end { memory.len() - len - TAG } else { 0 };
            memory.fill(0xaa);
            let (message, behind) = memory[at..].split_at_mut(len);
            message.fill(7);
            assert_eq!(wide.seal(5, message), tag[..], "length {len}");
            assert_eq!(*message, sealed[..]);
            behind[..TAG].copy_from_slice(&tag);
            let tag: &[u8; TAG] = behind[..TAG].try_into().unwrap();
            wide.open(5, message, tag).unwrap();
            assert!(message.iter().all(|byte| *byte == 7));
            let beside = memory[..at].iter().chain(&memory[at + len + TAG..]);
            assert!(beside.copied().all(|byte| byte == 0xaa), "length {len}");
        }
        // The very last byte is the message's.
        let memory = fenced.bytes();
        let end = memory.len();
        memory[end - len..].fill(7);
        let tag = wide.seal(5, &mut memory[end - len..]);
        wide.open(5, &mut memory[end - len..], &tag).unwrap();
    }
}

/// RFC 8439, section 2.5.1, with numbers of five words of 32 bits and a remainder taken bit by bit.
fn slow_tag(key: &[u8; 32], message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.resize(message.len().next_multiple_of(16) + 8, 0);
    padded.extend((message.len() as u64).to_le_bytes());
    let r = u128::from_le_bytes(key[..16].try_into().unwrap()) & 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;
    let mut sum = Number([0; 9]);
    for block in padded.chunks(16) {
        let block = u128::from_le_bytes(block.try_into().unwrap());
        sum = sum.plus(&Number::from(block)).plus(&Number::from(1 << 64).times(1 << 64)).times(r).modulo();
    }
    let low = u128::from(sum.0[0])
        | u128::from(sum.0[1]) << 32
        | u128::from(sum.0[2]) << 64
        | u128::from(sum.0[3]) << 96;
    low.wrapping_add(u128::from_le_bytes(key[16..].try_into().unwrap())).to_le_bytes()
}

/// 288 bits, least word first.
#[derive(Clone, PartialEq)]
struct Number([u32; 9]);

impl From<u128> for Number {
    fn from(value: u128) -> Self {
        Self(std::array::from_fn(|i| if i < 4 { (value >> (32 * i)) as u32 } else { 0 }))
    }
}

impl Number {
    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0u64;
        Self(std::array::from_fn(|i| {
            carry += u64::from(self.0[i]) + u64::from(other.0[i]);
            let word = carry as u32;
            carry >>= 32;
            word
        }))
    }

    fn times(&self, factor: u128) -> Self {
        (0..128).rev().fold(Self([0; 9]), |sum, bit| {
            let twice = sum.plus(&sum);
            if factor >> bit & 1 == 1 { twice.plus(self) } else { twice }
        })
    }

    /// Modulo 2^130 - 5: what is above bit 130 comes round times five.
    fn modulo(&self) -> Self {
        let mut value = self.clone();
        loop {
            let mut low = value.clone();
            low.0[4] &= 3;
            low.0[5..].fill(0);
            if low == value {
                break;
            }
            let high = Self(std::array::from_fn(|i| {
                let word = |at: usize| value.0.get(at).copied().unwrap_or(0);
                word(i + 4) >> 2 | word(i + 5) << 30
            }));
            value = low.plus(&high.times(5));
        }
        let carried = value.plus(&Self::from(5));
        if carried.0[4] >> 2 == 1 {
            let mut less = carried;
            less.0[4] &= 3;
            return less;
        }
        value
    }
}
