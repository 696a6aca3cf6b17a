//! Two engines that know each other, and a far end whose every byte the test chooses: for hostile input here and for the
//! fuzz targets (`fuzz/`).
#![allow(dead_code)] // each user has its own part

use std::net::SocketAddr;

use culvert_engine::engine::config::{AllowedChange, Change, PeerChange};
use culvert_engine::engine::inside::Inside;
use culvert_engine::engine::out::Out;
use culvert_engine::engine::receive::{From, Inbound, Received};
use culvert_engine::engine::{Engine, Now};
use culvert_engine::noise::cookie::Stamp;
use culvert_engine::noise::handshake::{Identity, Initiating, Known};
use culvert_engine::noise::session::Session;
use culvert_engine::wire::wg::{DATA_HEADER, DATA_OVERHEAD};

pub fn now(ms: u64) -> Now {
    Now { ms, unix_ns: 1_700_000_000_000_000_000 + ms * 1_000_000 }
}

fn prefix(text: &str) -> AllowedChange {
    AllowedChange::Add(culvert_engine::engine::allowed_ips::Prefix::parse(text).unwrap())
}

pub fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 51820))
}

/// An engine with one peer, which is a port of its switch.
pub fn engine(me: u8, other: u8, allowed: &[&str], entropy: fn(&mut [u8])) -> Engine {
    let engine = Engine::new(entropy);
    let peer = PeerChange {
        public: Identity::new([other; 32]).public,
        endpoint: Some(address(other)),
        bridge: Some([10, 0, 0, other].into()),
        allowed: allowed.iter().map(|text| prefix(text)).collect(),
        ..PeerChange::default()
    };
    let change = Change {
        private_key: Some([me; 32]),
        inside: Some(Inside::Route),
        bridge: Some([10, 0, 0, me].into()),
        peers: vec![peer],
        ..Change::default()
    };
    engine.apply(now(1_000), &change, &mut Out::default());
    engine
}

/// What is to be sent, datagram by datagram.
pub fn datagrams(out: &mut Out) -> Vec<Vec<u8>> {
    let cut = |train: &culvert_engine::engine::out::Train| {
        out.bytes()[train.at..train.at + train.len]
            .chunks(train.segment)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let all = out.trains().iter().flat_map(cut).collect();
    out.clear();
    all
}

/// At two seconds, by a congested path.
pub fn receive(
    engine: &Engine,
    from: u8,
    datagram: &mut [u8],
    out: &mut Out,
) -> Option<std::ops::Range<usize>> {
    let mut inbound = Inbound::default();
    inbound.is_run = true;
    let from = From { address: address(from), local: None, ecn: 3 };
    let received = engine.receive(now(2_000), &mut engine.reader(), from, datagram, &mut inbound, out);
    engine.finish(now(2_000), &mut inbound, out);
    match received {
        Received::Packet(packet) => Some(packet),
        Received::Onward { to, tos } => {
            out.datagram(to, tos, datagram.len()).copy_from_slice(datagram);
            None
        }
        Received::Nothing => None,
    }
}

/// Peer 2 of engine 1, made of the handshake's parts: whatever it seals is authentic.
pub struct Far(Session);

impl Far {
    pub fn of(engine: &Engine) -> Self {
        let (me, peer) = (Identity::new([2; 32]), Identity::new([1; 32]).public);
        let shared = me.shared(&peer).expect("its key is a point");
        let known = Known { me: &me, peer: &peer, shared: &shared, preshared: &[0; 32] };
        let (waiting, mut message) = Initiating::start(&known, 7, [9; 32], [1; 12]).expect("an initiation");
        Stamp::new(&peer).stamp(1, &mut message);
        let mut out = Out::default();
        receive(engine, 2, &mut message, &mut out);
        let response = datagrams(&mut out).pop().expect("an answer");
        let keys = waiting.finish(&known, response.as_slice().try_into().expect("a response"));
        Self(Session::new(&keys.expect("it is for us"), 1))
    }

    pub fn seal(&self, packet: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0; packet.len() + DATA_OVERHEAD];
        datagram[DATA_HEADER..DATA_HEADER + packet.len()].copy_from_slice(packet);
        self.0.seal(self.0.reserve(1).expect("a counter"), &mut datagram);
        datagram
    }
}
