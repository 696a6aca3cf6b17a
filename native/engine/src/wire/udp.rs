//! The UDP header (RFC 768).

pub const LENGTH: usize = 4;
pub const CHECKSUM: usize = 6;
pub const HEADER: usize = 8;

/// Length field of a datagram that fits its bytes.
pub fn length(datagram: &[u8]) -> Option<usize> {
    if datagram.len() < HEADER {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[4], datagram[5]]));
    (length >= HEADER && length <= datagram.len()).then_some(length)
}

/// A computed sum of zero is sent as all ones; zero would mean "no checksum" (RFC 768).
pub fn nonzero(sum: u16) -> u16 {
    if sum == 0 { 0xffff } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_outside_the_datagram_is_refused() {
        assert_eq!(length(&[0, 0, 0, 0, 0, 9, 0, 0, 1]), Some(9));
        assert_eq!(length(&[0, 0, 0, 0, 0, 10, 0, 0, 1]), None);
        assert_eq!(length(&[0, 0, 0, 0, 0, 7, 0, 0, 1]), None);
    }
}
