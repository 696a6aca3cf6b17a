//! Which ports a frame goes to: a wire has two ends, a segment of more ports is a switch that learns (IEEE 802.1D,
//! without ageing: machines of the lab do not move).

use std::collections::HashMap;

type Mac = [u8; 6];

#[derive(Default)]
pub struct Segment {
    learned: HashMap<Mac, usize>,
}

/// A frame that claims a new source address for each packet must not eat the memory.
const MOST_LEARNED: usize = 4096;

impl Segment {
    /// The one port to send to, or None for all but `from`.
    pub fn target(&mut self, frame: &[u8], from: usize) -> Option<usize> {
        let (to, source) = (mac(frame, 0)?, mac(frame, 6)?);
        if source[0] & 1 == 0 && (self.learned.len() < MOST_LEARNED || self.learned.contains_key(&source)) {
            self.learned.insert(source, from);
        }
        if to[0] & 1 == 1 { None } else { self.learned.get(&to).copied() }
    }

    pub fn forget(&mut self, port: usize) {
        self.learned.retain(|_, at| *at != port);
    }
}

fn mac(frame: &[u8], at: usize) -> Option<Mac> {
    frame.get(at..at + 6)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(to: u8, from: u8) -> Vec<u8> {
        [[2, 0, 0, 0, 0, to], [2, 0, 0, 0, 0, from]].concat()
    }

    #[test]
    fn a_frame_to_an_unknown_address_goes_everywhere_and_its_answer_to_one_port() {
        let mut segment = Segment::default();
        assert_eq!(segment.target(&frame(9, 1), 0), None);
        assert_eq!(segment.target(&frame(1, 9), 2), Some(0));
        assert_eq!(segment.target(&frame(9, 1), 0), Some(2));
    }

    #[test]
    fn multicast_goes_everywhere_and_a_port_that_left_is_forgotten() {
        let mut segment = Segment::default();
        segment.target(&frame(9, 1), 0);
        assert_eq!(segment.target(&[0xff; 14], 1), None);
        segment.forget(0);
        assert_eq!(segment.target(&frame(1, 9), 2), None);
    }

    #[test]
    fn a_frame_too_short_for_addresses_is_not_learned_from() {
        assert_eq!(Segment::default().target(&[1, 2, 3], 0), None);
    }
}
