//! What really leaves the uplinks: every outgoing frame is seen behind all hooks of nftables (ring.rs), read (packet.rs)
//! and held against what may leave (allowed.rs). The rest is beside the tunnel: counted, the first of it kept as evidence.
//!
//! It decides nothing and stops nothing. Several lists of what may leave hold at once while a plan changes, because frames
//! let out by the old one may still be on their way; none at all means that nothing is judged yet. Frames that came
//! faster than they were read are told as missed. A leak check's canaries are known by their
//! nonce, or by an address that nobody else speaks to.

mod allowed;
mod packet;
mod ring;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::netlink::text::{bytes_of, parse_address, print_address};
use crate::sys::{self, Doing, Errno, Outcome, index_of};
use allowed::Allowed;
use packet::{Ip, Net, Packet};
use ring::{Caught, Marks, Ring};

/// Frames kept as evidence; the first ones tell how it began.
const KEPT: usize = 8;
/// Fragmented packets whose first fragment was let through, remembered for the rest of them.
const FRAGMENTS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    links: Vec<Tapped>,
    allowed: Vec<allowed::Said>,
}

/// A port of a bridge or bond is judged as the link above it.
#[derive(Deserialize, Clone, PartialEq, Eq)]
pub struct Tapped {
    device: String,
    link: String,
}

#[derive(Serialize, Clone, Default)]
pub struct Counts {
    seen: u64,
    beside: u64,
    /// Not seen, because they came too fast: whether they were beside is unknown.
    missed: u64,
    first: Vec<Frame>,
    /// What was looked for and seen.
    sighted: Vec<String>,
}

#[derive(Serialize, Clone)]
pub struct Frame {
    device: String,
    ethertype: u16,
    protocol: Option<u8>,
    source: Option<String>,
    destination: Option<String>,
    sport: Option<u16>,
    dport: Option<u16>,
}

pub struct Tap {
    shared: Arc<Mutex<Shared>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    counts: Counts,
    allowed: Vec<Allowed>,
    sought: Vec<(String, Option<IpAddr>)>,
    fragments: VecDeque<(IpAddr, IpAddr, u32)>,
    /// What the thread is to read from; it takes them over when it is woken.
    rings: Option<Vec<Eye>>,
    /// What it reads from, to know what is there already.
    eyes: Vec<(u32, Marks, Tapped)>,
    closed: bool,
}

/// One ring: frames of one device, of one kind of mark.
struct Eye {
    index: u32,
    marks: Marks,
    tapped: Tapped,
    /// None: the ring the thread has for this already.
    ring: Option<Ring>,
}

impl Tap {
    pub fn start(rules: &Rules) -> Outcome<Self> {
        let wake = Arc::new(sys::event().doing("making an event descriptor")?);
        let mut tap = Self { shared: Arc::default(), wake, thread: None };
        tap.follow(rules)?;
        let (shared, woken) = (Arc::clone(&tap.shared), Arc::clone(&tap.wake));
        let thread = std::thread::Builder::new()
            .name("culvert-wire".into())
            .spawn(move || run(&shared, &woken))
            .map_err(|_| Errno(libc::EAGAIN))
            .doing("starting the wire watch")?;
        tap.thread = Some(thread);
        Ok(tap)
    }

    /// From here on by these rules; links that are not there are left out and come with the next call. What is new is
    /// watched when this returns.
    pub fn follow(&self, rules: &Rules) -> Outcome<()> {
        let allowed: Result<Vec<Allowed>, Errno> = rules.allowed.iter().map(Allowed::from).collect();
        let allowed = allowed.doing("reading what may leave")?;
        let marks: &[Marks] = if allowed.iter().any(Allowed::asks_marks) {
            &[Marks::Program, Marks::Other]
        } else {
            &[Marks::Any]
        };
        let mut shared = lock(&self.shared);
        let mut rings = Vec::new();
        for tapped in &rules.links {
            let Ok(index) = index_of(&tapped.device) else { continue };
            for &marks in marks {
                let there = shared.eyes.iter().any(|(i, m, _)| (*i, *m) == (index, marks));
                let ring = if there { None } else { Some(Ring::open(index, marks)?) };
                rings.push(Eye { index, marks, tapped: tapped.clone(), ring });
            }
        }
        shared.eyes = rings.iter().map(|eye| (eye.index, eye.marks, eye.tapped.clone())).collect();
        shared.allowed = allowed;
        let waiting = shared.rings.take().unwrap_or_default();
        shared.rings = Some(merge(waiting, rings));
        drop(shared);
        sys::wake(&self.wake);
        Ok(())
    }

    pub fn counts(&self) -> Counts {
        lock(&self.shared).counts.clone()
    }

    /// Replaces what was looked for before. An address is seen where a packet goes to it or a neighbour is asked for it:
    /// a packet that no neighbour takes never reaches the wire itself (kernel finding B).
    pub fn look_for(&self, sought: Vec<String>) {
        let mut shared = lock(&self.shared);
        shared.sought = sought
            .into_iter()
            .map(|text| {
                let address = parse_address(&text).ok();
                (text, address)
            })
            .collect();
        shared.counts.sighted.clear();
    }

    pub fn close(&mut self) {
        lock(&self.shared).closed = true;
        sys::wake(&self.wake);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.close();
    }
}

/// Rings that the thread has not taken over yet are not opened twice.
fn merge(mut waiting: Vec<Eye>, mut wanted: Vec<Eye>) -> Vec<Eye> {
    for eye in wanted.iter_mut().filter(|eye| eye.ring.is_none()) {
        let same = waiting.iter_mut().find(|old| (old.index, old.marks) == (eye.index, eye.marks));
        eye.ring = same.and_then(|old| old.ring.take());
    }
    wanted
}

fn run(shared: &Mutex<Shared>, wake: &OwnedFd) {
    let mut eyes: Vec<Eye> = Vec::new();
    loop {
        let mut fds = vec![wake.as_raw_fd()];
        fds.extend(eyes.iter().filter_map(|eye| eye.ring.as_ref()).map(Ring::fd));
        let Ok(ready) = sys::readable(&fds, -1) else { return };
        let mut shared = lock(shared);
        for eye in &mut eyes {
            look(eye, &mut shared);
        }
        if shared.closed {
            return;
        }
        if ready[0] {
            let mut told = [0; 8];
            let _ = sys::read(wake.as_raw_fd(), &mut told);
            if let Some(wanted) = shared.rings.take() {
                eyes = merge(std::mem::take(&mut eyes), wanted);
            }
        }
    }
}

fn look(eye: &mut Eye, shared: &mut Shared) {
    let Some(ring) = &mut eye.ring else { return };
    let (tapped, marked) = (&eye.tapped, eye.marks == Marks::Program);
    ring.drain(|caught| shared.judge(tapped, caught, marked));
    shared.counts.missed += ring.missed();
}

impl Shared {
    fn judge(&mut self, tapped: &Tapped, caught: &Caught, marked: bool) {
        self.counts.seen += 1;
        let packet = packet::parse(caught.ethertype, caught.bytes);
        self.sight(caught.bytes, &packet);
        if caught.tagged || self.allowed.is_empty() || self.may_leave(&tapped.link, &packet, marked) {
            return;
        }
        self.counts.beside += 1;
        if self.counts.first.len() < KEPT {
            self.counts.first.push(told(&tapped.device, &packet));
        }
    }

    fn may_leave(&mut self, link: &str, packet: &Packet, marked: bool) -> bool {
        let fragment = match &packet.net {
            Some(Net::Ip(ip)) => ip.fragment.map(|f| ((ip.source, ip.destination, f.id), f.first)),
            _ => None,
        };
        if fragment.is_some_and(|(whole, first)| !first && self.fragments.contains(&whole)) {
            return true;
        }
        let may = self.allowed.iter().any(|allowed| allowed.may_leave(link, packet, marked));
        if let Some((whole, true)) = fragment.filter(|_| may) {
            self.fragments.push_back(whole);
            if self.fragments.len() > FRAGMENTS {
                self.fragments.pop_front();
            }
        }
        may
    }

    fn sight(&mut self, bytes: &[u8], packet: &Packet) {
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        for (text, address) in &self.sought {
            let found = match (address, &packet.net) {
                (None, _) => has(text.as_bytes()),
                (Some(address), Some(Net::Arp(arp))) => arp.target == *address,
                (Some(address), Some(Net::Ip(ip))) if ip.destination == *address => true,
                // neighbour discovery names it further in; 16 bytes are nowhere by chance
                (Some(IpAddr::V6(address)), Some(Net::Ip(_))) => has(&address.octets()),
                _ => false,
            };
            if found && !self.counts.sighted.contains(text) {
                self.counts.sighted.push(text.clone());
            }
        }
    }
}

fn told(device: &str, packet: &Packet) -> Frame {
    let ip: Option<&Ip> = match &packet.net {
        Some(Net::Ip(ip)) => Some(ip),
        _ => None,
    };
    let (source, destination) = match &packet.net {
        Some(Net::Ip(ip)) => (Some(ip.source), Some(ip.destination)),
        Some(Net::Arp(arp)) => (Some(arp.sender), Some(arp.target)),
        None => (None, None),
    };
    let text = |address: IpAddr| print_address(&bytes_of(address));
    Frame {
        device: device.into(),
        ethertype: packet.ethertype,
        protocol: ip.map(|ip| ip.protocol),
        source: source.and_then(text),
        destination: destination.and_then(text),
        sport: ip.and_then(|ip| ip.ports).map(|(source, _)| source),
        dport: ip.and_then(|ip| ip.ports).map(|(_, destination)| destination),
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
