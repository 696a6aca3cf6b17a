//! A flood of datagrams that are all refused wakes the inward thread for each, and a wake costs as much as refusing it.
//! While it lasts the thread sleeps a moment after each such batch, so that the next one holds many. What was taken has been
//! passed on by then; runs that came coalesced count once in a batch and singly as refused, so a batch of both may count too.

use super::sys::nap;
use crate::engine::counters::{Counters, Refusal};

/// Batches of refused datagrams in one window of so many milliseconds that make a flood: 2,000 a second.
const WINDOW: u64 = 10;
const MANY: u32 = 20;
/// At most 6,600 sleeps a second: enough of them to go on counting as a flood.
const NAP_US: u32 = 100;
/// More in a batch need no help to come together.
const ENOUGH: usize = 16;

#[derive(Default)]
pub struct Flood {
    window: u64,
    batches: u32,
    is_on: bool,
    refused: u64,
}

impl Flood {
    /// After a batch of `got` runs of datagrams.
    pub fn pace(&mut self, now: u64, counters: &Counters, got: usize) {
        if self.is_worth_a_nap(now, refused(counters), got) {
            nap(NAP_US);
        }
    }

    /// `refused` counts all datagrams ever refused.
    fn is_worth_a_nap(&mut self, now: u64, refused: u64, got: usize) -> bool {
        let here = refused - std::mem::replace(&mut self.refused, refused);
        if now / WINDOW != self.window {
            // A window in which nothing came ends it, too.
            self.is_on = now / WINDOW == self.window + 1 && self.batches >= MANY;
            (self.window, self.batches) = (now / WINDOW, 0);
        }
        let is_worthless = got > 0 && here >= got as u64;
        self.batches += u32::from(is_worthless);
        is_worthless && got < ENOUGH && (self.is_on || self.batches >= MANY)
    }
}

/// What is refused before any packet is decrypted or key agreed on.
fn refused(counters: &Counters) -> u64 {
    [
        Refusal::NotWireguard,
        Refusal::UnknownIndex,
        Refusal::WrongMac1,
        Refusal::UnderLoad,
        Refusal::RateLimited,
    ]
    .iter()
    .map(|refusal| counters.get(*refusal))
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_batches_in_which_all_was_refused_are_held_up_and_only_while_they_are_many() {
        let (mut flood, mut refused) = (Flood::default(), 0);
        let mut batch = |now: u64, got: usize, worthless: usize| {
            refused += worthless as u64;
            flood.is_worth_a_nap(now, refused, got)
        };
        assert_eq!((0..25).filter(|_| batch(100, 1, 1)).count(), 6, "from the twentieth on");
        assert!(batch(110, 3, 3), "the window before had many");
        assert!(!batch(111, 3, 2), "one was taken");
        assert!(!batch(112, ENOUGH, ENOUGH), "they come together by themselves");
        assert!(!batch(120, 1, 1), "the flood is over");
        assert_eq!((0..25).filter(|_| batch(130, 1, 1)).count(), 6);
        assert!(!batch(500, 1, 1), "and that one is forgotten");
    }
}
