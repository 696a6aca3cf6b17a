//! The internet checksum (RFC 1071) in native byte order: the sum is the same in any byte order, so nothing is
//! swapped, and `to_ne_bytes` writes it back.

/// Adds `bytes` to the running sum. Four lanes of 32 bits into 64 never overflow for a packet, and let the compiler
/// use wide registers.
pub fn add(sum: u64, bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 64 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, checked on the line above; the function has no other requirement.
        return unsafe { add_avx2(sum, bytes) };
    }
    add_lanes(sum, bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2(sum: u64, bytes: &[u8]) -> u64 {
    add_lanes(sum, bytes)
}

#[inline(always)]
fn add_lanes(sum: u64, bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 8];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut words = blocks.remainder().chunks_exact(4);
    let mut sum = sum + lanes.iter().sum::<u64>();
    for word in &mut words {
        sum += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mut last = [0; 4];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    sum + u64::from(u32::from_ne_bytes(last))
}

/// Folds the sum to 16 bits, not complemented.
pub fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1): addresses, protocol, length.
/// `addresses` is source and destination as they stand in the header, 8 or 32 bytes.
pub fn pseudo(addresses: &[u8], protocol: u8, len: usize) -> u64 {
    let tail = [0, protocol];
    let sum = add(u64::from(u16::from_ne_bytes(tail)), addresses);
    add(sum, &(len as u32).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(add(0, &bytes)).to_be(), 0xddf2);
    }

    #[test]
    fn wide_lanes_agree_with_the_slow_sum_at_every_length() {
        let bytes: Vec<u8> = (0..2000u32).map(|i| (i * 31 + i / 7) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(fold(add(0, &bytes[..len])).to_be(), slow(&bytes[..len]), "length {len}");
        }
    }
}
