//! When a frame arrives, in how many copies and how damaged: one direction of a wire. Pure: the time and the chance are
//! arguments. In this order: black hole, loss, rate (a queue that overflows), delay with jitter, reorder, corruption,
//! duplication. Frames keep their order unless `reorder` says otherwise: jitter alone holds later ones back, too.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Shape {
    pub delay_ms: f64,
    /// Uniform in ±jitter around the delay.
    pub jitter_ms: f64,
    /// Probabilities, 0…1.
    pub loss: f64,
    pub duplicate: f64,
    pub reorder: f64,
    pub corrupt: f64,
    /// Kilobit a second, 0: as fast as it comes.
    pub rate_kbit: f64,
    /// Bytes that may wait for the rate; more is dropped. 0: the default below.
    pub queue_bytes: f64,
    /// IP packets longer than this vanish without a word, 0: none do.
    pub black_hole: usize,
}

/// A home router's buffer, roughly: 256 KiB.
const QUEUE_BYTES: f64 = 262_144.0;
/// A reordered frame overtakes by this share of the delay.
const OVERTAKES: f64 = 0.5;
const ETHERNET_HEADER: usize = 14;
const MS: f64 = 1e6;

/// State of one direction: when the sender is free again, and when the last frame is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    free_at: u64,
    last_due: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Dropped(Why),
    /// Due at these times (the second one is a copy); with this byte flipped.
    Due {
        at: u64,
        copy: Option<u64>,
        flip: Option<usize>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    TooBig,
    Lost,
    QueueFull,
}

impl Shape {
    pub fn fate(&self, line: &mut Line, length: usize, now: u64, chance: &mut Chance) -> Fate {
        if self.black_hole > 0 && length > self.black_hole + ETHERNET_HEADER {
            return Fate::Dropped(Why::TooBig);
        }
        if chance.hits(self.loss) {
            return Fate::Dropped(Why::Lost);
        }
        let mut leaves = now;
        if self.rate_kbit > 0.0 {
            let per_byte = 8.0 * MS / self.rate_kbit;
            let waiting = line.free_at.saturating_sub(now) as f64 / per_byte;
            let room = if self.queue_bytes > 0.0 { self.queue_bytes } else { QUEUE_BYTES };
            if waiting + length as f64 > room {
                return Fate::Dropped(Why::QueueFull);
            }
            leaves = now.max(line.free_at) + (length as f64 * per_byte) as u64;
            line.free_at = leaves;
        }
        let wobble = self.jitter_ms * (2.0 * chance.draw() - 1.0);
        let delay = ((self.delay_ms + wobble) * MS).max(0.0);
        let at = if chance.hits(self.reorder) {
            leaves + (delay * OVERTAKES) as u64
        } else {
            line.last_due = (leaves + delay as u64).max(line.last_due);
            line.last_due
        };
        let flip = chance.hits(self.corrupt).then(|| {
            let body = length.saturating_sub(ETHERNET_HEADER).max(1);
            (ETHERNET_HEADER + (chance.draw() * body as f64) as usize).min(length.saturating_sub(1))
        });
        Fate::Due { at, copy: chance.hits(self.duplicate).then_some(at), flip }
    }
}

/// xorshift64*: a wire's luck must be repeatable, not good.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed | 1)
    }

    /// 0 ≤ x < 1
    pub fn draw(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn hits(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.draw() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(fate: Fate) -> u64 {
        match fate {
            Fate::Due { at, .. } => at,
            Fate::Dropped(why) => panic!("dropped: {why:?}"),
        }
    }

    #[test]
    fn a_frame_is_delayed_and_jitter_does_not_reorder() {
        let shape = Shape { delay_ms: 10.0, jitter_ms: 5.0, ..Shape::default() };
        let (mut line, mut chance) = (Line::default(), Chance::new(7));
        let times: Vec<u64> =
            (0..1000u64).map(|n| due(shape.fate(&mut line, 100, n * 1000, &mut chance))).collect();
        assert!(times.is_sorted());
        assert!(
            times.iter().enumerate().all(|(n, at)| *at >= n as u64 * 1000 + 5_000_000 && *at <= 16_000_000)
        );
        assert!(times.first() != times.last());
    }

    #[test]
    fn the_rate_spaces_frames_and_the_queue_is_bounded() {
        // 8,000 kbit/s is a byte a microsecond
        let shape = Shape { rate_kbit: 8_000.0, queue_bytes: 2500.0, ..Shape::default() };
        let (mut line, mut chance) = (Line::default(), Chance::new(7));
        assert_eq!(due(shape.fate(&mut line, 1000, 0, &mut chance)), 1_000_000);
        assert_eq!(due(shape.fate(&mut line, 1000, 0, &mut chance)), 2_000_000);
        assert_eq!(shape.fate(&mut line, 1000, 0, &mut chance), Fate::Dropped(Why::QueueFull));
        assert_eq!(due(shape.fate(&mut line, 1000, 5_000_000, &mut chance)), 6_000_000);
    }

    #[test]
    fn packets_above_the_black_hole_vanish_and_those_of_its_size_pass() {
        let shape = Shape { black_hole: 1400, ..Shape::default() };
        let (mut line, mut chance) = (Line::default(), Chance::new(7));
        assert_eq!(shape.fate(&mut line, 1415, 0, &mut chance), Fate::Dropped(Why::TooBig));
        assert_eq!(due(shape.fate(&mut line, 1414, 0, &mut chance)), 0);
    }

    #[test]
    fn loss_duplication_and_corruption_hit_as_often_as_told() {
        let shape = Shape { loss: 0.1, duplicate: 0.2, corrupt: 0.3, ..Shape::default() };
        let (mut line, mut chance) = (Line::default(), Chance::new(7));
        let (mut lost, mut copied, mut flipped) = (0, 0, 0);
        for _ in 0..10_000 {
            match shape.fate(&mut line, 100, 0, &mut chance) {
                Fate::Dropped(_) => lost += 1,
                Fate::Due { copy, flip, .. } => {
                    copied += usize::from(copy.is_some());
                    flipped += usize::from(flip.is_some());
                    assert!(flip.is_none_or(|at| (14..100).contains(&at)));
                }
            }
        }
        assert!((900..1100).contains(&lost), "{lost}");
        assert!((1650..1950).contains(&copied), "{copied}");
        assert!((2500..2900).contains(&flipped), "{flipped}");
    }

    #[test]
    fn reordered_frames_overtake() {
        let shape = Shape { delay_ms: 10.0, reorder: 0.2, ..Shape::default() };
        let (mut line, mut chance) = (Line::default(), Chance::new(7));
        let times: Vec<u64> =
            (0..100u64).map(|n| due(shape.fate(&mut line, 100, n * 1000, &mut chance))).collect();
        assert!(!times.is_sorted());
    }
}
