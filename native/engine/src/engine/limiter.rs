//! How many handshakes one address gets answered while we are under load. A cookie proves only that the sender hears
//! what is sent to its address; from there it could still make us do key exchanges all day (WireGuard paper, section
//! 5.3). The numbers are wireguard-go's and the kernel's (ratelimiter.go, ratelimiter.c).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Milliseconds that one handshake costs an address: 20 a second.
const COST: u64 = 50;
/// What an address may save up: five handshakes at once.
const MOST: u64 = 5 * COST;
/// An address that was not heard for this long has saved up everything, and is as good as a new one.
const FORGOTTEN: u64 = 1_000;
/// Addresses that are known at a time; more are refused, for they can only come from a flood that gets cookies.
const ADDRESSES: usize = 8_192;

#[derive(Default)]
pub struct Limiter {
    saved: HashMap<IpAddr, Saved>,
    swept: u64,
}

struct Saved {
    ms: u64,
    at: u64,
}

impl Limiter {
    pub fn allows(&mut self, now: u64, from: IpAddr) -> bool {
        if now.saturating_sub(self.swept) >= FORGOTTEN {
            self.swept = now;
            self.saved.retain(|_, saved| now.saturating_sub(saved.at) < FORGOTTEN);
        }
        let (from, is_full) = (of(from), self.saved.len() >= ADDRESSES);
        if is_full && !self.saved.contains_key(&from) {
            return false;
        }
        let saved = self.saved.entry(from).or_insert(Saved { ms: MOST, at: now });
        saved.ms = (saved.ms + now.saturating_sub(saved.at)).min(MOST);
        saved.at = now;
        let is_enough = saved.ms >= COST;
        saved.ms -= if is_enough { COST } else { 0 };
        is_enough
    }
}

/// A subscriber has a whole /64 (RFC 6177).
fn of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(limiter: &mut Limiter, from: &str, times: impl Iterator<Item = u64>) -> usize {
        let from = from.parse().unwrap();
        times.filter(|now| limiter.allows(*now, from)).count()
    }

    #[test]
    fn an_address_gets_five_at_once_and_twenty_a_second() {
        let mut limiter = Limiter::default();
        assert_eq!(count(&mut limiter, "192.0.2.1", (0..100).map(|_| 10)), 5);
        assert_eq!(count(&mut limiter, "192.0.2.1", 11..=5010), 100);
        assert_eq!(count(&mut limiter, "192.0.2.1", (0..100).map(|_| 7000)), 5, "rest is saved up to five");
    }

    #[test]
    fn another_address_is_not_held_back_but_the_same_subscriber_is() {
        let mut limiter = Limiter::default();
        assert_eq!(count(&mut limiter, "192.0.2.1", (0..100).map(|_| 10)), 5);
        assert_eq!(count(&mut limiter, "192.0.2.2", (0..100).map(|_| 10)), 5);
        assert_eq!(count(&mut limiter, "2001:db8::1", (0..100).map(|_| 10)), 5);
        assert_eq!(count(&mut limiter, "2001:db8::ffff:1", (0..100).map(|_| 10)), 0);
        assert_eq!(count(&mut limiter, "2001:db8:0:1::1", (0..100).map(|_| 10)), 5);
    }

    #[test]
    fn what_it_remembers_is_bounded_and_forgotten() {
        let mut limiter = Limiter::default();
        let allowed =
            (0..20_000u32).filter(|i| limiter.allows(10, IpAddr::V4((0x0a00_0000 + i).into()))).count();
        assert_eq!(allowed, ADDRESSES);
        assert!(limiter.allows(10, "10.0.0.1".parse().unwrap()), "who is known goes on");
        assert!(limiter.allows(10 + FORGOTTEN, "192.0.2.1".parse().unwrap()));
        assert_eq!(limiter.saved.len(), 1);
    }
}
