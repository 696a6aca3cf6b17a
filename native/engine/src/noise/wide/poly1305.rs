//! Poly1305 (RFC 8439, section 2.5) over a message without additional data, sixteen blocks at once.
//!
//! Numbers modulo 2^130 - 5 are three limbs of 44, 44 and 42 bits, which the multiplier takes (52 bits and 52, of the
//! product the lower or the upper 52). With r the tag's key, a message of blocks m₁ … mₙ is m₁·rⁿ + … + mₙ·r. Lane i of
//! two registers takes every sixteenth block, multiplied by r¹⁶ between them, and at the end each lane by what it lacks.
//! A message that is no multiple of sixteen blocks gets blocks of zero before its first, which add nothing.

use std::arch::x86_64::*;

use super::chacha20::load;
use crate::wire::wg::TAG;

const BLOCK: usize = 16;
/// Blocks in one register for each limb.
const LANES: usize = 8;
const TURN: usize = 2 * LANES * BLOCK;

const LOW_44: u64 = (1 << 44) - 1;
const LOW_42: u64 = (1 << 42) - 1;
/// The bit after a block's 128 (RFC 8439, section 2.5.1), in the third limb.
const TOP: i64 = 1 << (128 - 88);

/// RFC 8439 section 2.8: message, zeros up to a block's end, length of what is authenticated only, length of the message.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,bmi2")]
pub fn tag(key: &[u8; 32], message: &[u8]) -> [u8; TAG] {
    let [low, high, pad_low, pad_high] = words(key);
    // RFC 8439, section 2.5: some bits of r are zero.
    let (low, high) = (low & 0x0fff_fffc_0fff_ffff, high & 0x0fff_fffc_0fff_fffc);
    let powers = powers([low & LOW_44, (low >> 44 | high << 20) & LOW_44, high >> 24]);
    let sum = sum(&powers, message);
    let pad = u128::from(pad_low) | u128::from(pad_high) << 64;
    sum.wrapping_add(pad).to_le_bytes()
}

/// The message's polynomial modulo 2^130 - 5, its lower 128 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,bmi2")]
fn sum(powers: &[[u64; 3]; LANES], message: &[u8]) -> u128 {
    let blocks = message.len().div_ceil(BLOCK) + 1;
    let missing = blocks.next_multiple_of(2 * LANES) - blocks;
    let last = Factor::of(spread(powers));
    let length = (message.len() as u64).to_le_bytes();

    // What is neither the first turn nor the last stands in the message as it is.
    let first_len = (2 * LANES - missing) * BLOCK;
    if message.len() < first_len {
        let mut only = [0; TURN];
        only[missing * BLOCK..][..message.len()].copy_from_slice(message);
        only[TURN - 8..].copy_from_slice(&length);
        let [even, odd] = limbs(&only, missing);
        if missing >= LANES {
            return finish(multiply(odd, &last));
        }
        let before = Factor::of(multiply(last.limbs, &Factor::all(powers[LANES - 1])));
        return finish(add(multiply(even, &before), multiply(odd, &last)));
    }
    let before = Factor::of(multiply(last.limbs, &Factor::all(powers[LANES - 1])));
    // Its first lane is r⁸·r⁸.
    let sixteen = Factor::of(before.limbs.map(|limb| _mm512_broadcastq_epi64(_mm512_castsi512_si128(limb))));

    let (head, rest) = message.split_at(first_len);
    let mut first = [0; TURN];
    first[missing * BLOCK..].copy_from_slice(head);
    let [mut even, mut odd] = limbs(&first, missing);
    let (turns, end) = rest.as_chunks::<TURN>();
    for turn in turns {
        let next = limbs(turn, 0);
        even = add(multiply(even, &sixteen), next[0]);
        odd = add(multiply(odd, &sixteen), next[1]);
    }
    // Fifteen blocks are left over and the length makes sixteen.
    let mut tail = [0; TURN];
    tail[..end.len()].copy_from_slice(end);
    tail[TURN - 8..].copy_from_slice(&length);
    let next = limbs(&tail, 0);
    even = add(multiply(even, &sixteen), next[0]);
    odd = add(multiply(odd, &sixteen), next[1]);
    finish(add(multiply(even, &before), multiply(odd, &last)))
}

/// r to r⁸.
fn powers(r: [u64; 3]) -> [[u64; 3]; LANES] {
    let r2 = product(r, r);
    let r4 = product(r2, r2);
    let r3 = product(r2, r);
    [r, r2, r3, r4, product(r4, r), product(r4, r2), product(r4, r3), product(r4, r4)]
}

fn product(a: [u64; 3], b: [u64; 3]) -> [u64; 3] {
    let of = |x: u64, y: u64| u128::from(x) * u128::from(y);
    // 2^132 is 20 modulo 2^130 - 5.
    let (b1, b2) = (b[1] * 20, b[2] * 20);
    let low = of(a[0], b[0]) + of(a[1], b2) + of(a[2], b1);
    let middle = of(a[0], b[1]) + of(a[1], b[0]) + of(a[2], b2) + (low >> 44);
    let high = of(a[0], b[2]) + of(a[1], b[1]) + of(a[2], b[0]) + (middle >> 44);
    let low = (low as u64 & LOW_44) + (high >> 42) as u64 * 5;
    [low & LOW_44, (middle as u64 & LOW_44) + (low >> 44), high as u64 & LOW_42]
}

type Limbs = [__m512i; 3];

/// What lanes are multiplied by, with the limbs that come round times 20.
struct Factor {
    limbs: Limbs,
    round: [__m512i; 2],
}

impl Factor {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn of(limbs: Limbs) -> Self {
        let [_, middle, high] = limbs;
        let twenty = |limb| _mm512_add_epi64(_mm512_slli_epi64::<4>(limb), _mm512_slli_epi64::<2>(limb));
        Self { limbs, round: [twenty(middle), twenty(high)] }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn all(power: [u64; 3]) -> Self {
        Self::of(power.map(|limb| _mm512_set1_epi64(limb as i64)))
    }
}

/// r⁸ for the lane of the first block of eight, r for that of the last; lanes stand as [`limbs`] lays them.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread([r1, r2, r3, r4, r5, r6, r7, r8]: &[[u64; 3]; LANES]) -> Limbs {
    let lane = |limb: usize| {
        let [r1, r2, r3, r4, r5, r6, r7, r8] = [r1, r2, r3, r4, r5, r6, r7, r8].map(|r| r[limb] as i64);
        _mm512_set_epi64(r1, r5, r2, r6, r3, r7, r4, r8)
    };
    [lane(0), lane(1), lane(2)]
}

/// Sixteen blocks, the first `missing` of which are none, as limbs of eight and eight.
#[inline]
#[target_feature(enable = "avx512f")]
fn limbs(turn: &[u8; TURN], missing: usize) -> [Limbs; 2] {
    let (quarters, _) = turn.as_chunks::<64>();
    let half = |quarters: &[[u8; 64]], missing: usize| {
        let (a, b) = (load(&quarters[0]), load(&quarters[1]));
        let (low, high) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        let order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
        let is_there = _mm512_cmpge_epi64_mask(order, _mm512_set1_epi64(missing as i64));
        let mask = _mm512_set1_epi64(LOW_44 as i64);
        let middle = _mm512_or_si512(_mm512_srli_epi64::<44>(low), _mm512_slli_epi64::<20>(high));
        [
            _mm512_and_si512(low, mask),
            _mm512_and_si512(middle, mask),
            _mm512_or_si512(_mm512_srli_epi64::<24>(high), _mm512_maskz_set1_epi64(is_there, TOP)),
        ]
    };
    [half(&quarters[..2], missing), half(&quarters[2..], missing.saturating_sub(LANES))]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: Limbs, b: Limbs) -> Limbs {
    [_mm512_add_epi64(a[0], b[0]), _mm512_add_epi64(a[1], b[1]), _mm512_add_epi64(a[2], b[2])]
}

/// Every lane of `h` times its own. Limbs of `h` below 2^46 give limbs of at most 44 bits, the second a little more; of
/// a factor the second times 20 has 49 bits, and a sum of three halves of products 54.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply([h0, h1, h2]: Limbs, factor: &Factor) -> Limbs {
    let [r0, r1, r2] = factor.limbs;
    let [s1, s2] = factor.round;
    let zero = _mm512_setzero_si512();
    let lower = |[(a, x), (b, y), (c, z)]: [(__m512i, __m512i); 3]| {
        let two = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, b, y), c, z);
        _mm512_add_epi64(two, _mm512_madd52lo_epu64(zero, a, x))
    };
    let upper = |[(a, x), (b, y), (c, z)]: [(__m512i, __m512i); 3]| {
        let two = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, b, y), c, z);
        _mm512_add_epi64(two, _mm512_madd52hi_epu64(zero, a, x))
    };
    let terms0 = [(h0, r0), (h1, s2), (h2, s1)];
    let terms1 = [(h0, r1), (h1, r0), (h2, s2)];
    let terms2 = [(h0, r2), (h1, r1), (h2, r0)];
    let (low_44, low_42) = (_mm512_set1_epi64(LOW_44 as i64), _mm512_set1_epi64(LOW_42 as i64));

    // The upper half of a product stands at bit 52: 8 above the next limb of 44 bits, 10 above the next of 42.
    let d0 = lower(terms0);
    let carried = _mm512_add_epi64(_mm512_slli_epi64::<8>(upper(terms0)), _mm512_srli_epi64::<44>(d0));
    let d1 = _mm512_add_epi64(lower(terms1), carried);
    let carried = _mm512_add_epi64(_mm512_slli_epi64::<8>(upper(terms1)), _mm512_srli_epi64::<44>(d1));
    let d2 = _mm512_add_epi64(lower(terms2), carried);
    let carried = _mm512_add_epi64(_mm512_slli_epi64::<10>(upper(terms2)), _mm512_srli_epi64::<42>(d2));
    let five = _mm512_add_epi64(_mm512_slli_epi64::<2>(carried), carried);
    let h0 = _mm512_add_epi64(_mm512_and_si512(d0, low_44), five);
    let h1 = _mm512_add_epi64(_mm512_and_si512(d1, low_44), _mm512_srli_epi64::<44>(h0));
    [_mm512_and_si512(h0, low_44), h1, _mm512_and_si512(d2, low_42)]
}

/// Adds the lanes and reduces fully.
#[inline]
#[target_feature(enable = "avx512f")]
fn finish(lanes: Limbs) -> u128 {
    let [mut h0, mut h1, mut h2] = lanes.map(|limb| _mm512_reduce_add_epi64(limb) as u64);
    // The first round leaves at most a carry of one, the second none.
    for _ in 0..2 {
        h1 += h0 >> 44;
        h2 += h1 >> 44;
        h0 = (h0 & LOW_44) + (h2 >> 42) * 5;
        (h1, h2) = (h1 & LOW_44, h2 & LOW_42);
    }
    h1 += h0 >> 44;
    h0 &= LOW_44;
    // Minus 2^130 - 5 when it is not less: plus 5 then carries out of bit 130.
    let g0 = h0 + 5;
    let g1 = h1 + (g0 >> 44);
    let g2 = h2 + (g1 >> 44);
    let takes = (g2 >> 42).wrapping_neg();
    let pick = |h: u64, g: u64| u128::from((h & !takes) | (g & takes));
    pick(h0, g0 & LOW_44) | pick(h1, g1 & LOW_44) << 44 | pick(h2, g2 & LOW_42) << 88
}

fn words(key: &[u8; 32]) -> [u64; 4] {
    let (chunks, _) = key.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(chunks[i]))
}
