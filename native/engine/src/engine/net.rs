//! Two or three engines on a simulated network: datagrams are values, time is a number.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::config::{AllowedChange, Change, PeerChange};
use super::counters::Refusal;
use super::out::{Event, Out};
use super::receive::{From, Inbound, Received};
use super::*;
use crate::offload::split::tests::udp_packet;
use crate::offload::vnet::Vnet;
use crate::tests::Random;

fn entropy(bytes: &mut [u8]) {
    use std::cell::RefCell;
    thread_local!(static RANDOM: RefCell<Random> = const { RefCell::new(Random(0x1234_5678_9abc_def1)) });
    RANDOM.with_borrow_mut(|random| bytes.iter_mut().for_each(|byte| *byte = (random.word() >> 32) as u8));
}

/// A machine: its engine, its address, and what came out of its TUN.
pub struct Host {
    pub engine: Engine,
    pub address: SocketAddr,
    pub public: Key,
    pub heard: Vec<Vec<u8>>,
    pub events: Vec<Event>,
    /// What the engine answered to packets from its TUN.
    pub answers: Vec<Vec<u8>>,
    /// Which of its addresses others ask, and by which each of its datagrams left.
    pub asked: Option<IpAddr>,
    pub left_by: Vec<Option<IpAddr>>,
    /// What came out of its TAP.
    pub frames: Vec<Vec<u8>>,
}

pub struct Net {
    pub ms: u64,
    pub hosts: Vec<Host>,
    pub wire: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Decides for each datagram whether it arrives.
    pub drop: fn(&[u8]) -> bool,
    /// Handshake messages that were sent.
    pub handshakes: usize,
    /// Datagrams that were sealed anew where they stood.
    pub stayed: usize,
    /// Datagrams arrive as parts of runs.
    pub is_run: bool,
}

pub const START: u64 = 1_000;

impl Net {
    /// `count` hosts; host i has 10.0.0.(i+1) inside and knows every other.
    pub fn new(count: u8) -> Self {
        let keys: Vec<Key> = (0..count).map(|i| [i + 1; 32]).collect();
        let publics: Vec<Key> = keys.iter().map(|key| Identity::new(*key).public).collect();
        let mut net = Self {
            ms: START,
            hosts: Vec::new(),
            wire: VecDeque::new(),
            drop: |_| false,
            handshakes: 0,
            stayed: 0,
            is_run: false,
        };
        for i in 0..count {
            let engine = Engine::new(entropy);
            let others = (0..count).filter(|j| *j != i);
            let peers = others.map(|j| peer(publics[usize::from(j)], j)).collect();
            let private_key = Some(keys[usize::from(i)]);
            let change = Change { private_key, replace_peers: true, peers, ..Change::default() };
            engine.apply(net.now(), &change, &mut Out::default());
            net.hosts.push(Host {
                engine,
                address: outside(i),
                public: publics[usize::from(i)],
                heard: Vec::new(),
                events: Vec::new(),
                answers: Vec::new(),
                frames: Vec::new(),
                asked: None,
                left_by: Vec::new(),
            });
        }
        net
    }

    pub fn now(&self) -> Now {
        Now { ms: self.ms, unix_ns: 1_700_000_000_000_000_000 + self.ms * 1_000_000 }
    }

    pub fn with(&mut self, host: usize, act: impl FnOnce(&Engine, Now, &mut Out)) {
        let mut out = Out::default();
        act(&self.hosts[host].engine, self.now(), &mut out);
        self.take(host, out);
    }

    fn take(&mut self, host: usize, mut out: Out) {
        self.hosts[host].engine.unfold(self.now(), &mut self.hosts[host].engine.reader(), &mut out);
        self.hosts[host].events.append(&mut out.events);
        self.hosts[host].answers.append(&mut out.answers);
        self.hosts[host].frames.append(&mut out.frames);
        for train in out.trains() {
            self.hosts[host].left_by.push(train.local);
            for datagram in out.bytes()[train.at..train.at + train.len].chunks(train.segment) {
                self.handshakes += usize::from(datagram[0] != 4);
                self.wire.push_back((self.hosts[host].address, train.to, datagram.to_vec()));
            }
        }
    }

    pub fn send(&mut self, host: usize, packet: &[u8]) {
        let mut packet = packet.to_vec();
        self.with(host, |engine, now, out| {
            engine.send(now, &mut engine.reader(), &Vnet::default(), &mut packet, out);
        });
    }

    pub fn receive(&mut self, host: usize, from: SocketAddr, ecn: u8, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let (mut out, mut inbound) = (Out::default(), Inbound::default());
        inbound.is_run = self.is_run;
        let engine = &self.hosts[host].engine;
        let from = From { address: from, local: self.hosts[host].asked, ecn };
        let mut reader = engine.reader();
        let received = engine.receive(self.now(), &mut reader, from, &mut datagram, &mut inbound, &mut out);
        engine.finish(self.now(), &mut inbound, &mut out);
        match received {
            Received::Packet(range) => self.hosts[host].heard.push(datagram[range].to_vec()),
            Received::Onward { to, tos } => {
                out.datagram(to, tos, datagram.len()).copy_from_slice(&datagram);
                self.stayed += 1;
            }
            Received::Nothing => {}
        }
        self.take(host, out);
    }

    /// Delivers everything that is under way, and what that causes.
    pub fn settle(&mut self) {
        while !self.wire.is_empty() {
            self.settle_one();
        }
    }

    /// Delivers the datagram that is under way longest.
    pub fn settle_one(&mut self) {
        let Some((from, to, datagram)) = self.wire.pop_front() else { return };
        let host = self.hosts.iter().position(|host| host.address == to);
        if let Some(host) = host.filter(|_| !(self.drop)(&datagram)) {
            self.receive(host, from, 0, &datagram);
        }
    }

    /// Lets time pass, with timers called when they asked to be.
    pub fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        loop {
            let mut next = None;
            for host in 0..self.hosts.len() {
                self.with(host, |engine, now, out| next = earlier(next, engine.tick(now, out)));
            }
            self.settle();
            for host in 0..self.hosts.len() {
                self.with(host, |engine, now, out| next = earlier(next, engine.tick(now, out)));
            }
            match next {
                Some(at) if at <= end => self.ms = at.max(self.ms),
                _ => break self.ms = end,
            }
        }
    }

    pub fn counter(&self, host: usize, refusal: Refusal) -> u64 {
        self.hosts[host].engine.counters.get(refusal)
    }

    pub fn is_silent(&self, host: usize) -> bool {
        self.hosts[host].engine.report()[0].is_silent
    }
}

fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    [a, b].into_iter().flatten().min()
}

pub fn outside(i: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, i + 1], 51820))
}

pub fn inside(i: u8) -> String {
    format!("10.0.0.{}", i + 1)
}

pub fn add(prefix: &str) -> AllowedChange {
    AllowedChange::Add(allowed_ips::Prefix::parse(prefix).unwrap())
}

pub fn peer(public: Key, i: u8) -> PeerChange {
    PeerChange {
        public,
        preshared: Some([9; 32]),
        endpoint: Some(outside(i)),
        allowed: vec![add(&format!("{}/32", inside(i)))],
        ..PeerChange::default()
    }
}

pub fn packet(from: u8, to: u8, text: &str) -> Vec<u8> {
    udp_packet(&inside(from), &inside(to), text.as_bytes())
}
