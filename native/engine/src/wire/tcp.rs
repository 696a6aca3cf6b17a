//! The TCP header (RFC 9293 section 3.1), as far as cutting and joining segments needs it.

pub const SEQUENCE: usize = 4;
pub const FLAGS: usize = 13;
pub const CHECKSUM: usize = 16;
pub const MIN: usize = 20;

pub const FIN: u8 = 0x01;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const CWR: u8 = 0x80;

/// Length of the header with its options, when it fits.
pub fn header(segment: &[u8]) -> Option<usize> {
    if segment.len() < MIN {
        return None;
    }
    let header = usize::from(segment[12] >> 4) * 4;
    (header >= MIN && header <= segment.len()).then_some(header)
}

pub fn sequence(segment: &[u8]) -> u32 {
    u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_offset_outside_the_segment_is_refused() {
        let mut segment = [0; 24];
        segment[12] = 0x60;
        assert_eq!(header(&segment), Some(24));
        segment[12] = 0x70;
        assert_eq!(header(&segment), None);
        segment[12] = 0x40;
        assert_eq!(header(&segment), None);
    }
}
