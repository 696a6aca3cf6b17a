//! Where the peers live while they begin: five to an address of the loopback, for that many handshakes at once are what an
//! address gets answered under load. One socket speaks for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use culvert_engine::engine::out::{Endpoint, Out};
use culvert_engine::io::sys::{poll, wait_for};
use culvert_engine::io::udp::{Batch, Sender, Sockets};

const IN_A_HOUSE: usize = 5;
/// 127.1.0.0 and on.
const STREET: u32 = 0x7f01_0000;
const PATIENCE_MS: i32 = 2_000;

pub struct Houses {
    sockets: Sockets,
    sender: Sender,
    batch: Batch,
    node: SocketAddr,
}

impl Houses {
    pub fn new(node: SocketAddr) -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let sockets = Sockets::new(socket.into(), None).expect("its options");
        Self { sockets, sender: Sender::default(), batch: Batch::default(), node }
    }

    pub fn send(&mut self, peer: usize, message: &[u8]) {
        let house = Ipv4Addr::from_bits(STREET + (peer / IN_A_HOUSE) as u32);
        let to = Endpoint { address: self.node, local: Some(IpAddr::V4(house)), chained: None };
        let mut out = Out::default();
        out.datagram(to, 0, message.len()).copy_from_slice(message);
        assert_eq!(self.sender.send(&self.sockets, &out, &[]), 0, "the loopback takes it");
    }

    /// What came back; nothing if nothing does.
    pub fn hear(&mut self) -> Vec<Vec<u8>> {
        poll(&mut [wait_for(self.sockets.v4())], PATIENCE_MS).expect("poll");
        let got = self.batch.receive(self.sockets.v4()).expect("receiving");
        let runs: Vec<_> = (0..got).filter_map(|i| self.batch.run(i)).collect();
        let bytes = |at: usize, len: usize| &self.batch.arena[at..at + len];
        runs.iter().flat_map(|run| bytes(run.at, run.len).chunks(run.segment)).map(<[u8]>::to_vec).collect()
    }
}
