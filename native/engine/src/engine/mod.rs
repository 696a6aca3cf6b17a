//! The engine without I/O: time, datagrams and packets in; datagrams, packets, events and a deadline out.
//!
//! ```text
//! send.rs       packet from the TUN → peer by destination → sealed datagrams
//! receive.rs    datagram → session → packet, whose source must be the peer's
//! inside.rs     → another peer or the TUN, by access.rs; onward.rs to that peer
//! handshake.rs  what makes sessions: initiations, responses, cookies; limiter.rs how many for whom
//! bridge.rs     frames instead of packets, by switch.rs
//! chain.rs      peers that are reached through other peers
//! path.rs       what size of packet passes
//! timers.rs     what happens when nothing happens
//! config.rs     what the UAPI changes and reads
//! ```
//! Any thread may call any method. One thread sends and one receives, and what they touch for every packet is
//! read from a [`Snapshot`] or is atomic. Locks are taken in this order: configuration, a peer's `Slow`, indices, the rest.

pub mod access;
pub mod allowed_ips;
pub mod bridge;
mod chain;
pub mod config;
pub mod counters;
mod handshake;
pub mod inside;
mod limiter;
mod onward;
pub mod out;
mod path;
pub mod peer;
pub mod receive;
mod send;
pub mod snapshot;
pub mod switch;
pub mod timers;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use access::Access;
use allowed_ips::AllowedIps;
use bridge::Bridge;
use config::Config;
use counters::Counters;
use handshake::Guard;
use inside::Inside;
use peer::Peer;
use snapshot::{Reader, Snapshot};
use switch::Switch;
use timers::Schedule;

use crate::noise::constants::REKEY_JITTER;
use crate::noise::handshake::Identity;
use crate::noise::primitives::Key;
use crate::noise::session::Session;

/// One look at the clocks. `ms` never goes back and counts suspended time (CLOCK_BOOTTIME), it is never 0;
/// `unix_ns` is the wall clock, for timestamps in handshakes and events only.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub ms: u64,
    pub unix_ns: u64,
}

pub struct Engine {
    pub counters: Counters,
    /// Inside MTU, for padding.
    pub mtu: AtomicUsize,
    /// Fills with random bytes; tests give a seeded one.
    entropy: fn(&mut [u8]),
    config: Mutex<Config>,
    table: Snapshot<Table>,
    indices: Mutex<HashMap<u32, Index>>,
    guard: Mutex<Guard>,
    schedule: Schedule,
    switch: Mutex<Switch>,
}

/// What packets are routed by.
#[derive(Default)]
pub struct Table {
    identity: Option<Arc<Identity>>,
    by_key: HashMap<Key, Arc<Peer>>,
    by_id: Vec<Option<Arc<Peer>>>,
    allowed: AllowedIps,
    /// Our addresses inside, to which datagrams of chained peers come.
    chain_sources: Vec<SocketAddr>,
    inside: Inside,
    /// Access lists by peer.
    access: HashMap<u32, Arc<Access>>,
    bridge: Option<Bridge>,
}

/// What a receiver index in a message stands for.
#[derive(Clone)]
enum Index {
    Session(Arc<Session>, Arc<Peer>),
    Initiating(Arc<Peer>),
}

pub type TableReader = Reader<Table>;

impl Table {
    fn access(&self, peer: &Peer) -> Option<&Arc<Access>> {
        if self.access.is_empty() { None } else { self.access.get(&peer.id) }
    }

    fn peer_of(&self, address: IpAddr) -> Option<&Arc<Peer>> {
        self.by_id.get(self.allowed.lookup(address)? as usize)?.as_ref()
    }
}

impl Engine {
    pub fn new(entropy: fn(&mut [u8])) -> Self {
        Self {
            counters: Counters::default(),
            mtu: AtomicUsize::new(1420),
            entropy,
            config: Mutex::default(),
            table: Snapshot::new(Table::default()),
            indices: Mutex::default(),
            guard: Mutex::default(),
            schedule: Schedule::default(),
            switch: Mutex::default(),
        }
    }

    pub fn reader(&self) -> TableReader {
        self.table.reader()
    }

    /// The table as it is, for a caller that has no reader.
    fn table(&self) -> TableReader {
        self.table.reader()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }

    fn jitter(&self) -> u64 {
        u64::from(u16::from_ne_bytes(self.random())) % REKEY_JITTER
    }

    fn padding_mtu(&self) -> usize {
        self.mtu.load(Relaxed)
    }

    // ---- indices ----

    /// Draws an unused random index, so that indices tell an observer nothing.
    fn new_index(&self, index: impl FnOnce(u32) -> Index) -> u32 {
        let mut indices = self.indices.lock().expect("no panic holds this lock");
        loop {
            let local = u32::from_ne_bytes(self.random());
            if let std::collections::hash_map::Entry::Vacant(place) = indices.entry(local) {
                place.insert(index(local));
                return local;
            }
        }
    }

    fn find_index(&self, local: u32) -> Option<Index> {
        self.indices.lock().expect("no panic holds this lock").get(&local).cloned()
    }

    fn set_index(&self, local: u32, index: Index) {
        self.indices.lock().expect("no panic holds this lock").insert(local, index);
    }

    fn forget_index(&self, local: u32) {
        self.indices.lock().expect("no panic holds this lock").remove(&local);
    }

    fn forget_session(&self, session: &Session) {
        session.dead.store(true, Relaxed);
        self.forget_index(session.local);
    }

    fn forget_sessions(&self, peer: &Peer) {
        let mut slow = peer.slow();
        let all = [slow.previous.take(), slow.next.take(), peer.replace_session(None)];
        all.iter().flatten().for_each(|session| self.forget_session(session));
        slow.initiating.take().inspect(|waiting| self.forget_index(waiting.local));
        slow.staged.clear();
    }
}

#[cfg(test)]
mod bridge_tests;
#[cfg(test)]
mod chain_tests;
#[cfg(test)]
mod inside_tests;
#[cfg(test)]
mod net;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timers_tests;
