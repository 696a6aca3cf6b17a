//! One peer. What every packet touches is atomic or behind a lock nobody holds for long; what only handshakes touch
//! is in [`Slow`] behind one mutex.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::chain::Via;
use super::out::Endpoint;
use super::path::Path;
use super::receive::From;
use super::timers::Timers;
use crate::noise::constants::STAGED_PACKETS;
use crate::noise::cookie::Stamp;
use crate::noise::handshake::Initiating;
use crate::noise::primitives::{Key, Secret};
use crate::noise::session::Session;
use crate::offload::vnet::Vnet;

pub struct Peer {
    pub public: Key,
    /// Place in the table of peers, and owner of its allowed IPs.
    pub id: u32,
    pub removed: AtomicBool,
    place: RwLock<Option<Place>>,
    via: RwLock<Option<Via>>,
    is_chained: AtomicBool,
    /// The session packets are sealed with.
    pub current: RwLock<Option<Arc<Session>>>,
    pub timers: Timers,
    pub sent_bytes: AtomicU64,
    pub received_bytes: AtomicU64,
    /// Unix time of the last completed handshake in nanoseconds, 0 for none.
    pub last_handshake: AtomicU64,
    /// Persistent keepalive in milliseconds, 0 for off.
    pub keepalive: AtomicU64,
    pub path: Path,
    /// Decrypted packets that were refused, and when one was last told.
    pub refused: AtomicU64,
    pub sampled: AtomicU64,
    slow: Mutex<Slow>,
}

/// Where a peer is, and by which of our addresses it knows us.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    address: SocketAddr,
    local: Option<IpAddr>,
}

pub struct Slow {
    pub preshared: Key,
    /// The static-static secret; None when the peer's key is no usable point.
    pub shared: Option<Secret>,
    pub stamp: Stamp,
    pub initiating: Option<Initiating>,
    /// Engine time of our last initiation.
    pub initiated: Option<u64>,
    pub attempts: u32,
    /// TAI64N of our last initiation: the next must be greater even when the clock was set back.
    pub told: [u8; 12],
    /// TAI64N of the peer's last initiation, and when it came.
    pub heard: [u8; 12],
    pub heard_at: Option<u64>,
    pub previous: Option<Arc<Session>>,
    /// A session we answered, until the first packet proves that the peer has it too.
    pub next: Option<Arc<Session>>,
    pub staged: VecDeque<Staged>,
}

/// A read from the TUN that waits for a session.
pub struct Staged {
    pub vnet: Vnet,
    pub packet: Box<[u8]>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {}", self.id)
    }
}

impl Peer {
    pub fn new(public: Key, id: u32, shared: Option<Secret>) -> Self {
        Self {
            public,
            id,
            removed: AtomicBool::new(false),
            place: RwLock::default(),
            via: RwLock::default(),
            is_chained: AtomicBool::new(false),
            current: RwLock::default(),
            timers: Timers::default(),
            sent_bytes: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            last_handshake: AtomicU64::new(0),
            keepalive: AtomicU64::new(0),
            path: Path::default(),
            refused: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            slow: Mutex::new(Slow {
                preshared: [0; 32],
                shared,
                stamp: Stamp::new(&public),
                initiating: None,
                initiated: None,
                attempts: 0,
                told: [0; 12],
                heard: [0; 12],
                heard_at: None,
                previous: None,
                next: None,
                staged: VecDeque::new(),
            }),
        }
    }

    pub fn slow(&self) -> MutexGuard<'_, Slow> {
        self.slow.lock().expect("no panic holds this lock")
    }

    pub fn address(&self) -> Option<SocketAddr> {
        self.place().map(|place| place.address)
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        let Place { address, local } = self.place()?;
        Some(Endpoint { address, local, chained: self.is_chained.load(Relaxed).then_some(self.id) })
    }

    fn place(&self) -> Option<Place> {
        *self.place.read().expect("no panic holds this lock")
    }

    pub fn via(&self) -> Option<Via> {
        self.via.read().expect("no panic holds this lock").clone()
    }

    pub fn set_via(&self, via: Option<Via>) {
        self.is_chained.store(via.is_some(), Relaxed);
        *self.via.write().expect("no panic holds this lock") = via;
    }

    pub fn set_endpoint(&self, endpoint: SocketAddr) {
        self.set_place(Place { address: endpoint, local: None });
    }

    /// Follows the peer to where an authentic datagram came from; true when its address is another. Who began the
    /// session (`is_theirs`) knows us by the address it asked, and its firewall passes no other. In a session of our
    /// own the kernel chooses, so that it follows the routes.
    pub fn follow(&self, from: From, is_theirs: bool) -> bool {
        let before = self.place();
        let is_of_family = |local: &IpAddr| local.is_ipv4() == from.address.is_ipv4();
        let kept = before.and_then(|place| place.local).filter(is_of_family);
        let place = Place { address: from.address, local: if is_theirs { from.local } else { kept } };
        if before != Some(place) {
            self.set_place(place);
        }
        before.map(|before| before.address) != Some(from.address)
    }

    /// No answer came: the address it knew us by may lead nowhere any more (as the kernel's timers.c does).
    pub fn forget_local(&self) {
        if let Some(place) = self.place.write().expect("no panic holds this lock").as_mut() {
            place.local = None;
        }
    }

    fn set_place(&self, place: Place) {
        *self.place.write().expect("no panic holds this lock") = Some(place);
    }

    pub fn session(&self) -> Option<Arc<Session>> {
        self.current.read().expect("no panic holds this lock").clone()
    }

    pub fn replace_session(&self, session: Option<Arc<Session>>) -> Option<Arc<Session>> {
        std::mem::replace(&mut *self.current.write().expect("no panic holds this lock"), session)
    }

    pub fn count_sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub fn count_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Relaxed);
    }
}

impl Slow {
    /// Keeps a packet for later; true when the oldest had to go.
    pub fn stage(&mut self, vnet: Vnet, packet: &[u8]) -> bool {
        let is_full = self.staged.len() == STAGED_PACKETS;
        if is_full {
            self.staged.pop_front();
        }
        self.staged.push_back(Staged { vnet, packet: packet.into() });
        is_full
    }
}
