//! An Ethernet switch between our own TAP and peers (IEEE 802.1D, clause 7, without spanning tree): learns where a MAC
//! lives, forgets it, floods what it does not know.
//!
//! Bounded, because whoever is connected may send what he likes: each port fills its own share of the table only, and
//! a MAC that another port claims too soon after it was seen stays where it is (a spoofer or a loop).

use std::collections::HashMap;

use crate::wire::etherip::{Mac, destination, is_group, source, vlan};

/// IEEE 802.1D table 7-5: ageing time.
const AGES: u64 = 300_000;
/// Addresses a port may hold.
const PER_PORT: usize = 256;
/// A MAC may not change its port sooner after it was seen.
const MOVES: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    Tap,
    Peer(u32),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    To(Port),
    /// Every port but the one it came from.
    Flood,
    /// It is where it belongs already.
    Drop,
    /// Its source address is no station's, or lives elsewhere.
    Refuse,
}

#[derive(Default)]
pub struct Switch {
    stations: HashMap<(Mac, u16), Station>,
    held: HashMap<Port, usize>,
}

struct Station {
    port: Port,
    seen: u64,
}

impl Switch {
    /// Where a frame goes that came in at `from`.
    pub fn pass(&mut self, now: u64, from: Port, frame: &[u8]) -> Verdict {
        let (Some(to), Some(by)) = (destination(frame), source(frame)) else { return Verdict::Refuse };
        let vlan = vlan(frame);
        if is_group(by) || !self.learn(now, from, (by, vlan)) {
            return Verdict::Refuse;
        }
        let known = self.stations.get(&(to, vlan)).filter(|station| now.saturating_sub(station.seen) < AGES);
        match known {
            _ if is_group(to) => Verdict::Flood,
            Some(station) if station.port == from => Verdict::Drop,
            Some(station) => Verdict::To(station.port),
            None => Verdict::Flood,
        }
    }

    /// A port is gone, and with it who lived there.
    pub fn forget(&mut self, port: Port) {
        self.stations.retain(|_, station| station.port != port);
        self.held.remove(&port);
    }

    /// False when the address lives at another port. A port that is full forwards and does not learn.
    fn learn(&mut self, now: u64, port: Port, station: (Mac, u16)) -> bool {
        if let Some(known) = self.stations.get_mut(&station) {
            if known.port == port {
                known.seen = now;
                return true;
            }
            if now.saturating_sub(known.seen) < MOVES {
                return false;
            }
            let before = known.port;
            self.stations.remove(&station);
            self.release(before);
        }
        if self.held.get(&port).copied().unwrap_or(0) >= PER_PORT {
            self.age(now, port);
        }
        let held = self.held.entry(port).or_default();
        if *held < PER_PORT {
            *held += 1;
            self.stations.insert(station, Station { port, seen: now });
        }
        true
    }

    fn release(&mut self, port: Port) {
        if let Some(held) = self.held.get_mut(&port) {
            *held = held.saturating_sub(1);
        }
    }

    fn age(&mut self, now: u64, port: Port) {
        let is_old = |station: &Station| station.port == port && now.saturating_sub(station.seen) >= AGES;
        self.stations.retain(|_, station| !is_old(station));
        let held = self.stations.values().filter(|station| station.port == port).count();
        self.held.insert(port, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u32) -> Mac {
        let n = n.to_be_bytes();
        [2, 0, n[0], n[1], n[2], n[3]]
    }

    fn frame(to: Mac, by: Mac, vlan: u16) -> Vec<u8> {
        let mut frame = [to, by].concat();
        if vlan != 0 {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend([8, 0]);
        frame.resize(60, 0);
        frame
    }

    const A: Port = Port::Peer(1);
    const B: Port = Port::Peer(2);

    #[test]
    fn it_floods_until_it_has_learned_and_after_it_has_forgotten() {
        let mut switch = Switch::default();
        assert_eq!(switch.pass(0, A, &frame([0xff; 6], mac(1), 0)), Verdict::Flood);
        assert_eq!(switch.pass(1, B, &frame(mac(1), mac(2), 0)), Verdict::To(A));
        assert_eq!(switch.pass(2, A, &frame(mac(2), mac(1), 0)), Verdict::To(B));
        assert_eq!(switch.pass(3, A, &frame(mac(1), mac(3), 0)), Verdict::Drop);
        assert_eq!(switch.pass(4, A, &frame(mac(9), mac(1), 0)), Verdict::Flood);
        assert_eq!(switch.pass(4 + AGES, B, &frame(mac(1), mac(2), 0)), Verdict::Flood);
        switch.forget(B);
        assert_eq!(switch.pass(5 + AGES, A, &frame(mac(2), mac(1), 0)), Verdict::Flood);
    }

    #[test]
    fn vlans_are_switched_apart() {
        let mut switch = Switch::default();
        switch.pass(0, A, &frame([0xff; 6], mac(1), 10));
        assert_eq!(switch.pass(0, B, &frame(mac(1), mac(2), 10)), Verdict::To(A));
        assert_eq!(switch.pass(0, B, &frame(mac(1), mac(2), 20)), Verdict::Flood);
    }

    #[test]
    fn a_mac_that_moves_too_fast_stays_where_it_is() {
        let mut switch = Switch::default();
        switch.pass(0, A, &frame([0xff; 6], mac(1), 0));
        assert_eq!(switch.pass(MOVES - 1, B, &frame([0xff; 6], mac(1), 0)), Verdict::Refuse);
        assert_eq!(switch.pass(MOVES - 1, B, &frame(mac(1), mac(2), 0)), Verdict::To(A));
        assert_eq!(switch.pass(MOVES, B, &frame([0xff; 6], mac(1), 0)), Verdict::Flood, "it has moved");
        assert_eq!(switch.pass(MOVES, A, &frame(mac(1), mac(3), 0)), Verdict::To(B));
    }

    #[test]
    fn a_flood_of_macs_fills_only_its_own_share() {
        let mut switch = Switch::default();
        switch.pass(0, B, &frame([0xff; 6], mac(1 << 20), 0));
        for n in 0..100_000 {
            assert_eq!(switch.pass(u64::from(n), A, &frame([0xff; 6], mac(n), 0)), Verdict::Flood);
        }
        assert_eq!(switch.stations.len(), PER_PORT + 1);
        assert_eq!(switch.pass(100_000, A, &frame(mac(1 << 20), mac(5), 0)), Verdict::To(B));
        switch.pass(99_999 + AGES, A, &frame([0xff; 6], mac(1 << 21), 0));
        assert_eq!(switch.held[&A], 2, "the old ones made room, the refreshed one stayed");
    }

    #[test]
    fn a_group_address_is_no_source_and_a_short_frame_no_frame() {
        let mut switch = Switch::default();
        assert_eq!(switch.pass(0, A, &frame(mac(1), [0xff; 6], 0)), Verdict::Refuse);
        assert_eq!(switch.pass(0, A, &[0; 13]), Verdict::Refuse);
    }
}
