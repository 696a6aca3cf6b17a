//! The engine under trial: what it is told over its UAPI socket, and what the kernel says of it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use culvert_engine::io::clock;
use culvert_engine::noise::handshake::Identity;
use culvert_engine::noise::primitives::Key;

use super::peers::{Peers, inside};

pub struct Node {
    uapi: String,
    pid: String,
    interface: String,
    pub address: SocketAddr,
    identity: Identity,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub bytes: u64,
    pub packets: usize,
}

impl Node {
    pub fn new(uapi: &str, pid: &str, interface: &str, address: &str) -> Self {
        Self {
            uapi: uapi.to_owned(),
            pid: pid.to_owned(),
            interface: interface.to_owned(),
            address: address.parse().expect("ADDRESS is an address and a port"),
            identity: Identity::new([200; 32]),
        }
    }

    pub fn public(&self) -> Key {
        self.identity.public
    }

    /// Every peer has its address; the prefixes are dealt out evenly besides.
    pub fn configure(&self, peers: &Peers) {
        let port = self.address.port();
        let mut text = format!("set=1\nprivate_key={}\nlisten_port={port}\n", hex(&self.identity.private()));
        for i in 0..peers.len() {
            let _ = writeln!(text, "public_key={}\nallowed_ip={}/32", hex(&peers.public(i)), inside(i));
            for prefix in peers.prefixes(i) {
                let _ = writeln!(text, "allowed_ip={prefix}/24");
            }
        }
        let answer = self.ask(&format!("{text}\n"));
        assert!(answer.contains("errno=0"), "{answer}");
    }

    /// A counter of refusals.
    pub fn refused(&self, reason: &str) -> f64 {
        let answer = self.ask("get=culvert\n\n");
        let key = format!("refused_{reason}=");
        let value = answer.lines().find_map(|line| line.strip_prefix(&key)).expect("the counter");
        value.parse().expect("a number")
    }

    /// All counters of refusals that are not zero.
    pub fn counters(&self) -> String {
        let answer = self.ask("get=culvert\n\n");
        let counts = answer.lines().filter(|line| line.starts_with("refused_") && !line.ends_with("=0"));
        counts.collect::<Vec<_>>().join(" ")
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.uapi).expect("the UAPI socket");
        stream.write_all(request.as_bytes()).expect("writing");
        let (mut answer, mut reader) = (String::new(), BufReader::new(stream));
        while reader.read_line(&mut answer).expect("reading") > 1 {}
        answer
    }

    pub fn resident(&self) -> f64 {
        let status = self.proc("status");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        kib.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
    }

    /// Nanoseconds of processor time of all its threads (proc_pid_schedstat: the first field).
    pub fn cpu_ns(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).expect("its threads");
        let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("schedstat")).expect("schedstat");
        let first = |text: String| text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("ns");
        tasks.map(|task| first(of(task.expect("a thread")))).sum()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).expect("the engine runs")
    }

    /// What its interface received from it (proc_net_dev).
    pub fn received(&self) -> Received {
        let all = fs::read_to_string("/proc/net/dev").expect("/proc/net/dev");
        let line = all.lines().find_map(|line| line.trim().strip_prefix(&self.interface)).expect("its line");
        let mut fields = line.trim_start_matches(':').split_whitespace();
        let mut field = || fields.next().and_then(|text| text.parse().ok()).expect("a number");
        Received { bytes: field(), packets: field() as usize }
    }

    /// Waits until nothing more arrives, and says when the last did.
    pub fn settled(&self) -> f64 {
        const QUIET: f64 = 0.05;
        let (mut last, mut at) = (self.received(), seconds());
        while seconds() < at + QUIET {
            pause_us(1_000);
            let now = self.received();
            if now != last {
                (last, at) = (now, seconds());
            }
        }
        at
    }
}

pub fn seconds() -> f64 {
    clock::now().unix_ns as f64 / 1e9
}

#[allow(clippy::disallowed_methods)] // a measurement paces what it sends
pub fn pause_us(us: u64) {
    std::thread::sleep(Duration::from_micros(us));
}

fn hex(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
