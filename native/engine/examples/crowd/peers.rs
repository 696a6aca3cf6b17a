//! The peers: keys, handshakes and sealed packets, from the engine's own parts.

use std::net::Ipv4Addr;

use culvert_engine::io::clock;
use culvert_engine::noise::cookie::Stamp;
use culvert_engine::noise::handshake::{Identity, Initiating, Known};
use culvert_engine::noise::primitives::{Key, Secret};
use culvert_engine::noise::session::Session;
use culvert_engine::wire::ip;
use culvert_engine::wire::wg::{DATA_HEADER, DATA_OVERHEAD, INITIATION_LEN, RESPONSE_LEN, word};

pub struct Peers {
    node: Key,
    /// How many there are behind all of them.
    prefixes: usize,
    all: Vec<Peer>,
}

struct Peer {
    identity: Identity,
    shared: Secret,
    stamp: Stamp,
    waiting: Option<Initiating>,
    session: Option<Session>,
}

pub enum Heard {
    Response(usize),
    Cookie(usize),
    Other,
}

/// Inside packets as large as the usual interface takes.
const PACKET: usize = 1420;
/// Message types: response and cookie reply (paper, section 5.4).
const RESPONSE: u8 = 2;
const COOKIE: u8 = 3;

/// 10.0.0.0 and on.
pub fn inside(i: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + i as u32)
}

impl Peers {
    pub fn new(count: usize, prefixes: usize, node: &Key) -> Self {
        let peer = |i: usize| {
            let mut private = [1; 32];
            // Clamping leaves these bytes alone.
            private[8..16].copy_from_slice(&(i as u64).to_le_bytes());
            let identity = Identity::new(private);
            let shared = identity.shared(node).expect("the node's key is a point");
            Peer { identity, shared, stamp: Stamp::new(node), waiting: None, session: None }
        };
        Self { node: *node, prefixes, all: (0..count).map(peer).collect() }
    }

    /// Networks of 256 addresses behind a peer, dealt out in turn, with a gap behind each: neighbours would be one.
    pub fn prefixes(&self, i: usize) -> impl ExactSizeIterator<Item = Ipv4Addr> {
        (i..self.prefixes).step_by(self.len()).map(|n| Ipv4Addr::from_bits(0x2000_0000 | (n as u32) << 9))
    }

    /// Where packet `n` of a peer is from: from its prefixes, far apart, or its own address when it has none.
    fn source(&self, i: usize, n: u64) -> Ipv4Addr {
        // A prime that no number of prefixes here is a multiple of.
        const STRIDE: u64 = 7919;
        let prefixes = self.prefixes(i);
        match prefixes.len() as u64 {
            0 => inside(i),
            count => self.prefixes(i).nth((n * STRIDE % count) as usize).unwrap_or_else(|| inside(i)),
        }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn public(&self, i: usize) -> Key {
        self.all[i].identity.public
    }

    /// The index it goes by is its number.
    pub fn initiate(&mut self, i: usize) -> [u8; INITIATION_LEN] {
        let Peer { identity, shared, .. } = &self.all[i];
        let known = Known { me: identity, peer: &self.node, shared, preshared: &[0; 32] };
        let mut ephemeral = [0; 32];
        clock::entropy(&mut ephemeral);
        let begun = Initiating::start(&known, i as u32, ephemeral, [1; 12]).expect("an initiation");
        self.all[i].waiting = Some(begun.0);
        self.stamped(i, begun.1)
    }

    pub fn stamped(&mut self, i: usize, mut message: [u8; INITIATION_LEN]) -> [u8; INITIATION_LEN] {
        self.all[i].stamp.stamp(clock::now().ms, &mut message);
        message
    }

    /// A cookie is kept for the next stamp.
    pub fn hear(&mut self, message: &[u8]) -> Heard {
        match message[0] {
            RESPONSE => Heard::Response(word(message, 8) as usize),
            COOKIE => {
                let i = word(message, 4) as usize;
                let taken = self.all.get_mut(i).map(|peer| peer.stamp.take(clock::now().ms, message));
                taken.and_then(Result::ok).map_or(Heard::Other, |()| Heard::Cookie(i))
            }
            _ => Heard::Other,
        }
    }

    pub fn finish(&mut self, i: usize, response: &[u8]) {
        let Peer { identity, shared, waiting, .. } = &self.all[i];
        let known = Known { me: identity, peer: &self.node, shared, preshared: &[0; 32] };
        let response: &[u8; RESPONSE_LEN] = response.try_into().expect("a response");
        let waiting = waiting.as_ref().expect("it began");
        let keys = waiting.finish(&known, response).expect("the response is for it");
        self.all[i].session = Some(Session::new(&keys, clock::now().ms));
    }

    /// `count` sealed packets, one after the other, to an address that is not the node's and that it does not forward.
    pub fn sealed(&self, i: usize, count: usize) -> Vec<u8> {
        let session = self.all[i].session.as_ref().expect("a session");
        let first = session.reserve(count as u64).expect("counters");
        let mut bytes = Vec::with_capacity(count * (PACKET + DATA_OVERHEAD));
        for n in 0..count {
            let at = bytes.len();
            bytes.resize(at + DATA_HEADER, 0);
            bytes.extend(packet(self.source(i, first + n as u64)));
            bytes.resize(at + PACKET + DATA_OVERHEAD, 0);
            session.seal(first + n as u64, &mut bytes[at..]);
        }
        bytes
    }

    /// An initiation of which, at best, mac1 is right.
    pub fn unmade(&mut self, is_mac1_right: bool) -> [u8; INITIATION_LEN] {
        let mut message = [0; INITIATION_LEN];
        message[0] = 1;
        if is_mac1_right { self.stamped(0, message) } else { message }
    }
}

/// UDP with 1,392 bytes and no checksum.
fn packet(from: Ipv4Addr) -> Vec<u8> {
    const HEADER: usize = 20;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, ip::UDP, 0, 0];
    packet.extend(from.octets());
    packet.extend([198, 51, 100, 1, 0x12, 0x34, 0, 9]);
    packet.extend(((PACKET - HEADER) as u16).to_be_bytes());
    packet.resize(PACKET, 0);
    ip::put_total(&mut packet, HEADER, PACKET);
    packet
}
