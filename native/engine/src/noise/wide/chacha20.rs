//! ChaCha20's key stream (RFC 8439, section 2.3), four blocks to a group: a register holds one row of the state of each of
//! them, and six groups fill 24 of the 32 registers, which is just what a packet of 1,420 bytes and its tag's key need.

use std::arch::x86_64::*;

use crate::noise::primitives::Key;

pub const BLOCK: usize = 64;
const GROUP: usize = 4 * BLOCK;
/// Key stream made in one go.
pub const STRETCH: usize = 6 * GROUP;

/// "expand 32-byte k" (RFC 8439, section 2.3).
const CONSTANTS: [u8; 16] = *b"expand 32-byte k";

#[repr(align(64))]
struct Bytes([u8; STRETCH]);

/// The key stream of one message.
pub struct Stream<'k> {
    key: &'k Key,
    counter: u64,
    /// Number of the block that stands first in `bytes`.
    block: u32,
    bytes: Bytes,
    used: usize,
}

impl<'k> Stream<'k> {
    /// Makes the stretch that holds the tag's key and the stream for the first bytes of a message of `len`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
    pub fn start(key: &'k Key, counter: u64, len: usize) -> Self {
        let mut stream = Self { key, counter, block: 0, bytes: Bytes([0; STRETCH]), used: BLOCK };
        stream.make(BLOCK + len);
        stream
    }

    /// First half of block 0 (RFC 8439, section 2.6).
    pub fn tag_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(&self.bytes.0[..32]);
        key
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
    pub fn apply(&mut self, message: &mut [u8]) {
        let mut rest = message;
        loop {
            let len = rest.len().min(STRETCH - self.used);
            let (now, later) = rest.split_at_mut(len);
            xor(now, &self.bytes.0[self.used..self.used + len]);
            if later.is_empty() {
                return;
            }
            rest = later;
            self.block += (STRETCH / BLOCK) as u32;
            self.used = 0;
            self.make(rest.len());
        }
    }

    /// Fills as much of the stretch as `len` bytes need.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
    fn make(&mut self, len: usize) {
        let Self { key, counter, block, bytes: Bytes(bytes), .. } = self;
        match len.div_ceil(GROUP) {
            0 | 1 => groups::<1>(key, *counter, *block, bytes),
            2 => groups::<2>(key, *counter, *block, bytes),
            3 | 4 => groups::<4>(key, *counter, *block, bytes),
            _ => groups::<6>(key, *counter, *block, bytes),
        }
    }
}

/// Every step is done for all groups before the next, so that none waits for the step before.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
fn groups<const N: usize>(key: &Key, counter: u64, block: u32, out: &mut [u8; STRETCH]) {
    let (low, high) = key.split_first_chunk::<16>().expect("a key has 32 bytes");
    let row0 = four(&CONSTANTS);
    let row1 = four(low);
    let row2 = four(high.try_into().expect("a key has 32 bytes"));
    let mut last = [0; 16];
    last[..4].copy_from_slice(&block.to_le_bytes());
    last[8..].copy_from_slice(&counter.to_le_bytes());
    let steps = _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0);
    let mut row3 = [_mm512_add_epi32(four(&last), steps); N];
    for n in 1..N {
        row3[n] = _mm512_add_epi32(row3[n - 1], _mm512_set4_epi32(0, 0, 0, 4));
    }
    let mut state = State { a: [row0; N], b: [row1; N], c: [row2; N], d: row3 };
    for _ in 0..10 {
        state.columns();
        state.turn::<0b00_11_10_01, 0b01_00_11_10, 0b10_01_00_11>();
        state.columns();
        state.turn::<0b10_01_00_11, 0b01_00_11_10, 0b00_11_10_01>();
    }
    let State { a, b, c, d } = state;
    for (n, place) in out.as_chunks_mut::<GROUP>().0.iter_mut().take(N).enumerate() {
        let rows = [
            _mm512_add_epi32(a[n], row0),
            _mm512_add_epi32(b[n], row1),
            _mm512_add_epi32(c[n], row2),
            _mm512_add_epi32(d[n], row3[n]),
        ];
        let (blocks, _) = place.as_chunks_mut::<BLOCK>();
        for (block, whole) in blocks.iter_mut().zip(whole_blocks(rows)) {
            store(block, whole);
        }
    }
}

struct State<const N: usize> {
    a: [__m512i; N],
    b: [__m512i; N],
    c: [__m512i; N],
    d: [__m512i; N],
}

impl<const N: usize> State<N> {
    /// Four quarter rounds at once (RFC 8439, section 2.1).
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn columns(&mut self) {
        let Self { a, b, c, d } = self;
        step::<16, N>(a, b, d);
        step::<12, N>(c, d, b);
        step::<8, N>(a, b, d);
        step::<7, N>(c, d, b);
    }

    /// Turns rows 1 to 3, so that diagonals become columns, and back.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn turn<const B: i32, const C: i32, const D: i32>(&mut self) {
        for n in 0..N {
            self.b[n] = _mm512_shuffle_epi32::<B>(self.b[n]);
            self.c[n] = _mm512_shuffle_epi32::<C>(self.c[n]);
            self.d[n] = _mm512_shuffle_epi32::<D>(self.d[n]);
        }
    }
}

/// `sum += term; mixed = (mixed ^ sum) <<< LEFT`.
#[inline]
#[target_feature(enable = "avx512f")]
fn step<const LEFT: i32, const N: usize>(
    sum: &mut [__m512i; N],
    term: &[__m512i; N],
    mixed: &mut [__m512i; N],
) {
    for n in 0..N {
        sum[n] = _mm512_add_epi32(sum[n], term[n]);
    }
    for n in 0..N {
        mixed[n] = _mm512_rol_epi32::<LEFT>(_mm512_xor_si512(mixed[n], sum[n]));
    }
}

/// The rows of four blocks → the blocks.
#[inline]
#[target_feature(enable = "avx512f")]
fn whole_blocks([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab01, ab23) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let (cd01, cd23) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(ab01, cd01),
        _mm512_shuffle_i32x4::<0xdd>(ab01, cd01),
        _mm512_shuffle_i32x4::<0x88>(ab23, cd23),
        _mm512_shuffle_i32x4::<0xdd>(ab23, cd23),
    ]
}

/// Both of one length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor(message: &mut [u8], stream: &[u8]) {
    let (message, message_end) = message.as_chunks_mut::<BLOCK>();
    let (stream, stream_end) = stream.as_chunks::<BLOCK>();
    for (block, key) in message.iter_mut().zip(stream) {
        store(block, _mm512_xor_si512(load(block), load(key)));
    }
    if !message_end.is_empty() && message_end.len() == stream_end.len() {
        let mask = u64::MAX >> (BLOCK - message_end.len());
        let place = message_end.as_mut_ptr().cast::<i8>();
        // SAFETY: the mask has one bit for each byte that there is, and only these are read and written.
        unsafe {
            let bytes = _mm512_maskz_loadu_epi8(mask, place);
            let key = _mm512_maskz_loadu_epi8(mask, stream_end.as_ptr().cast());
            _mm512_mask_storeu_epi8(place, mask, _mm512_xor_si512(bytes, key));
        }
    }
}

/// The same row for four blocks.
#[inline]
#[target_feature(enable = "avx512f")]
fn four(row: &[u8; 16]) -> __m512i {
    // SAFETY: 16 bytes are read from `row`, at any alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
pub fn load(bytes: &[u8; BLOCK]) -> __m512i {
    // SAFETY: 64 bytes are read from `bytes`, at any alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; BLOCK], value: __m512i) {
    // SAFETY: 64 bytes are written to `bytes`, at any alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}
