//! The TCP header (RFC 9293 section 3.1), as far as cutting and joining segments needs it.

use super::checksum;

pub const SEQUENCE: usize = 4;
pub const FLAGS: usize = 13;
pub const CHECKSUM: usize = 16;
pub const MIN: usize = 20;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
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

/// Lowers the maximum segment size a SYN announces (RFC 9293 section 3.7.1) to `mss`. The checksum is mended
/// incrementally (RFC 1624), unless it is partial and covers only the pseudo header.
pub fn clamp_mss(segment: &mut [u8], mss: u16, is_partial: bool) {
    let Some(header) = header(segment).filter(|_| segment[FLAGS] & SYN != 0) else { return };
    let Some(at) = mss_option(&segment[..header]) else { return };
    let old = u16::from_be_bytes([segment[at], segment[at + 1]]);
    if old <= mss {
        return;
    }
    segment[at..at + 2].copy_from_slice(&mss.to_be_bytes());
    if !is_partial {
        // An option may stand at an odd offset, where its bytes are swapped in the sum.
        let turn = |word: u16| if at.is_multiple_of(2) { word } else { word.swap_bytes() };
        let sum = u16::from_be_bytes([segment[CHECKSUM], segment[CHECKSUM + 1]]);
        let sum = u64::from(!sum) + u64::from(!turn(old)) + u64::from(turn(mss));
        segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&(!checksum::fold(sum)).to_be_bytes());
    }
}

/// Offset of the value of option 2.
fn mss_option(header: &[u8]) -> Option<usize> {
    let mut at = MIN;
    loop {
        match *header.get(at)? {
            0 => return None,
            1 => at += 1,
            2 => return (*header.get(at + 1)? == 4 && at + 4 <= header.len()).then_some(at + 2),
            _ => at += usize::from(*header.get(at + 1)?).max(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(options: &[u8]) -> Vec<u8> {
        let mut segment = vec![0; 20];
        segment[12] = (((20 + options.len()) / 4) << 4) as u8;
        segment[FLAGS] = SYN;
        segment.extend(options);
        let sum = !checksum::fold(checksum::add(0, &segment));
        segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_ne_bytes());
        segment
    }

    #[test]
    fn a_larger_mss_is_lowered_and_the_checksum_stays_right() {
        for options in [&[2, 4, 5, 0xb4][..], &[1, 2, 4, 5, 0xb4, 1, 1, 0], &[1, 1, 4, 2, 2, 4, 5, 0xb4]] {
            let mut segment = syn(options);
            clamp_mss(&mut segment, 1300, false);
            let at = mss_option(&segment).unwrap();
            assert_eq!(u16::from_be_bytes([segment[at], segment[at + 1]]), 1300);
            assert_eq!(checksum::fold(checksum::add(0, &segment)), 0xffff, "{options:?}");
            clamp_mss(&mut segment, 1400, false);
            assert_eq!(u16::from_be_bytes([segment[at], segment[at + 1]]), 1300, "never raised");
        }
    }

    #[test]
    fn broken_options_are_left_alone() {
        for options in [&[2, 3, 5, 0xb4][..], &[3, 0, 2, 4], &[1, 1, 1, 2], &[9, 200, 2, 4], &[0, 2, 4, 5]] {
            let mut segment = syn(options);
            let before = segment.clone();
            clamp_mss(&mut segment, 10, false);
            assert_eq!(segment, before);
        }
    }

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
