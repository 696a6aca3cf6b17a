//! WireGuard's four messages (WireGuard paper, section 5.4). All integers are little-endian.
//!
//! ```text
//! initiation  type 1 | sender | ephemeral 32 | static 32+16 | timestamp 12+16 | mac1 16 | mac2 16
//! response    type 2 | sender | receiver | ephemeral 32 | nothing 0+16 | mac1 16 | mac2 16
//! cookie      type 3 | receiver | nonce 24 | cookie 16+16
//! data        type 4 | receiver | counter 8 | packet n+16
//! ```

pub const INITIATION_LEN: usize = 148;
pub const RESPONSE_LEN: usize = 92;
pub const COOKIE_LEN: usize = 64;
pub const DATA_HEADER: usize = 16;
pub const TAG: usize = 16;
pub const DATA_OVERHEAD: usize = DATA_HEADER + TAG;

/// mac1 and mac2 are the last 32 bytes of both handshake messages.
pub const MAC_LEN: usize = 16;

pub mod initiation {
    use std::ops::Range;
    pub const SENDER: Range<usize> = 4..8;
    pub const EPHEMERAL: Range<usize> = 8..40;
    pub const STATIC: Range<usize> = 40..88;
    pub const TIMESTAMP: Range<usize> = 88..116;
}

pub mod response {
    use std::ops::Range;
    pub const SENDER: Range<usize> = 4..8;
    pub const RECEIVER: Range<usize> = 8..12;
    pub const EPHEMERAL: Range<usize> = 12..44;
    pub const NOTHING: Range<usize> = 44..60;
}

pub mod cookie {
    use std::ops::Range;
    pub const RECEIVER: Range<usize> = 4..8;
    pub const NONCE: Range<usize> = 8..32;
    pub const COOKIE: Range<usize> = 32..64;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Initiation,
    Response,
    Cookie,
    Data,
}

/// The kind of a datagram whose length fits that kind; the three reserved bytes must be zero.
pub fn kind(datagram: &[u8]) -> Option<Kind> {
    let head: [u8; 4] = datagram.get(..4)?.try_into().ok()?;
    match (u32::from_le_bytes(head), datagram.len()) {
        (1, INITIATION_LEN) => Some(Kind::Initiation),
        (2, RESPONSE_LEN) => Some(Kind::Response),
        (3, COOKIE_LEN) => Some(Kind::Cookie),
        (4, DATA_OVERHEAD..) => Some(Kind::Data),
        _ => None,
    }
}

/// Reads the little-endian word at `at`.
pub fn word(message: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]])
}

pub fn data_receiver(message: &[u8]) -> u32 {
    word(message, 4)
}

pub fn data_counter(message: &[u8]) -> u64 {
    u64::from(word(message, 8)) | u64::from(word(message, 12)) << 32
}

pub fn put_data_header(message: &mut [u8], receiver: u32, counter: u64) {
    message[..4].copy_from_slice(&4u32.to_le_bytes());
    message[4..8].copy_from_slice(&receiver.to_le_bytes());
    message[8..16].copy_from_slice(&counter.to_le_bytes());
}

/// Length of the padded packet: the next multiple of 16, but never above the inside MTU, so that padding alone
/// makes no outer packet too big (as the kernel's `calculate_skb_padding`).
pub fn padded(len: usize, mtu: usize) -> usize {
    if len > mtu { len } else { len.next_multiple_of(16).min(mtu) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_type_and_exact_length() {
        let mut datagram = vec![0; INITIATION_LEN];
        datagram[0] = 1;
        assert_eq!(kind(&datagram), Some(Kind::Initiation));
        assert_eq!(kind(&datagram[..INITIATION_LEN - 1]), None);
        datagram[2] = 1;
        assert_eq!(kind(&datagram), None, "reserved bytes are zero");
        assert_eq!(kind(&[4, 0, 0, 0]), None);
    }

    #[test]
    fn padding_stays_within_the_inside_mtu() {
        assert_eq!(padded(0, 1420), 0);
        assert_eq!(padded(1, 1420), 16);
        assert_eq!(padded(1419, 1420), 1420);
        assert_eq!(padded(1500, 1420), 1500, "a packet above the MTU is not cut");
    }

    #[test]
    fn the_data_header_reads_back() {
        let mut message = [0; DATA_HEADER];
        put_data_header(&mut message, 0x0102_0304, 0x1122_3344_5566_7788);
        assert_eq!(data_receiver(&message), 0x0102_0304);
        assert_eq!(data_counter(&message), 0x1122_3344_5566_7788);
    }
}
