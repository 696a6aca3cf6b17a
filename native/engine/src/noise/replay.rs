//! The replay window (RFC 6479): a ring of bit words, so that moving on clears words instead of shifting bits.
//! Packets below the window are refused, as are those seen.

use super::constants::{REJECT_AFTER_MESSAGES, REPLAY_WINDOW};

/// One word more than the window, because the newest word is only partly filled.
const WORDS: u64 = (REPLAY_WINDOW + 64) / 64;

pub struct Replay {
    /// One above the greatest counter seen.
    next: u64,
    seen: Box<[u64]>,
}

impl Default for Replay {
    fn default() -> Self {
        Self { next: 0, seen: vec![0; WORDS as usize].into_boxed_slice() }
    }
}

impl Replay {
    /// Marks `counter` as seen; false when it was seen already or is too old. Call it only for packets that
    /// authenticate, or a forger moves the window.
    pub fn accept(&mut self, counter: u64) -> bool {
        if counter >= REJECT_AFTER_MESSAGES || counter + 1 + REPLAY_WINDOW < self.next {
            return false;
        }
        let word = counter / 64;
        if counter >= self.next {
            let newest = self.next.saturating_sub(1) / 64;
            let fresh = (word - newest).min(WORDS);
            for ahead in 1..=fresh {
                self.seen[((newest + ahead) % WORDS) as usize] = 0;
            }
            self.next = counter + 1;
        }
        let slot = &mut self.seen[(word % WORDS) as usize];
        let bit = 1 << (counter % 64);
        let new = *slot & bit == 0;
        *slot |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const LIMIT: u64 = REPLAY_WINDOW + 1;

    /// The cases of the kernel's self-test (drivers/net/wireguard/selftest/counter.c).
    #[test]
    fn the_kernels_cases_hold() {
        let mut replay = Replay::default();
        for (counter, expected) in [
            (0, true),
            (1, true),
            (1, false),
            (9, true),
            (8, true),
            (7, true),
            (7, false),
            (LIMIT, true),
            (LIMIT - 1, true),
            (LIMIT - 1, false),
            (LIMIT - 2, true),
            (2, true),
            (2, false),
            (LIMIT + 16, true),
            (3, false),
            (LIMIT + 16, false),
            (LIMIT * 4, true),
            (LIMIT * 4 - (LIMIT - 1), true),
            (10, false),
            (LIMIT * 4 - LIMIT, false),
            (LIMIT * 4 - (LIMIT + 1), false),
            (LIMIT * 4 - (LIMIT - 2), true),
            (LIMIT * 4 + 1 - LIMIT, false),
            (0, false),
            (REJECT_AFTER_MESSAGES, false),
            (REJECT_AFTER_MESSAGES - 1, true),
            (REJECT_AFTER_MESSAGES, false),
            (REJECT_AFTER_MESSAGES - 1, false),
            (REJECT_AFTER_MESSAGES - 2, true),
            (REJECT_AFTER_MESSAGES + 1, false),
            (REJECT_AFTER_MESSAGES + 2, false),
            (REJECT_AFTER_MESSAGES - 2, false),
            (REJECT_AFTER_MESSAGES - 3, true),
            (0, false),
        ] {
            assert_eq!(replay.accept(counter), expected, "counter {counter}");
        }
        let mut replay = Replay::default();
        assert!((1..=REPLAY_WINDOW).all(|counter| replay.accept(counter)));
        assert!(replay.accept(0) && !replay.accept(0));

        let mut replay = Replay::default();
        assert!((2..=LIMIT).all(|counter| replay.accept(counter)));
        assert!(replay.accept(1) && !replay.accept(0));

        let mut replay = Replay::default();
        assert!((0..LIMIT).rev().all(|counter| replay.accept(counter)));
    }

    #[test]
    fn it_agrees_with_a_set_of_everything_seen() {
        for seed in 0..20u64 {
            let mut random = crate::tests::Random(seed + 1);
            let (mut replay, mut seen, mut next) = (Replay::default(), HashSet::new(), 0u64);
            for _ in 0..20_000 {
                let step = random.word() % if random.0.is_multiple_of(50) { 20_000 } else { 200 };
                let counter = (next + 100).saturating_sub(step).max(next.saturating_sub(9000));
                let slow = counter + 1 + REPLAY_WINDOW >= next && seen.insert(counter);
                assert_eq!(replay.accept(counter), slow, "seed {seed} counter {counter} next {next}");
                next = next.max(counter + 1);
            }
        }
    }
}
