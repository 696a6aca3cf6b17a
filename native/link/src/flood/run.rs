//! Opens every stream's sockets, then sends each at its rate until the time is up, standard input ends, or a line
//! "stop" comes. What a send answered is counted by errno: a refusal is a result, not an end.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use serde_json::json;

use super::packet;
use super::socket;
use super::spec::{FloodSpec, MOST_SECONDS, StreamSpec, Way, What};
use crate::clock;

const TICK_MS: libc::c_int = 1;
/// A stalled machine does not get all it missed at once.
const MOST_A_TICK: u64 = 200;

enum Sender {
    Udp { fd: Option<OwnedFd>, to: SocketAddr, way: Way, bytes: Vec<u8>, pktinfo: Option<u32> },
    Connect { to: SocketAddr, way: Way },
    Stream { fd: OwnedFd, to: SocketAddr },
    Echo { fd: OwnedFd, to: SocketAddr, sequence: u16 },
    Frame { fd: OwnedFd, to: libc::sockaddr_ll, bytes: Vec<u8> },
}

struct Running {
    name: String,
    rate: f64,
    most: u64,
    sender: Result<Sender, String>,
    tried: u64,
    sent: u64,
    refused: BTreeMap<String, u64>,
}

pub fn run(spec: &FloodSpec) -> io::Result<()> {
    let mut streams: Vec<Running> = spec.streams.iter().map(start).collect();
    if spec.wait {
        println!("ready");
        typed()?;
    }
    let begin = clock::monotonic();
    let seconds = spec.seconds.clamp(0.0, MOST_SECONDS);
    loop {
        let elapsed = (clock::monotonic() - begin) as f64 / clock::SECOND as f64;
        for stream in &mut streams {
            stream.catch_up(elapsed);
        }
        let all_sent = streams.iter().all(|stream| stream.tried >= stream.most);
        if elapsed >= seconds || all_sent || stopped()? {
            break;
        }
    }
    let report: BTreeMap<&str, _> =
        streams.iter().map(|stream| (stream.name.as_str(), stream.report())).collect();
    println!("{}", json!(report));
    io::stdout().flush()
}

impl Running {
    fn catch_up(&mut self, elapsed: f64) {
        // the first one at once
        let due = ((elapsed * self.rate) as u64 + 1).min(self.most);
        if self.sender.is_err() {
            self.tried = self.most;
            return;
        }
        for _ in 0..due.saturating_sub(self.tried).min(MOST_A_TICK) {
            self.tried += 1;
            let Ok(sender) = &mut self.sender else { return };
            match sender.send() {
                Ok(()) => self.sent += 1,
                Err(wrong) => *self.refused.entry(errno(&wrong)).or_default() += 1,
            }
        }
        // what could not be caught up with is not owed
        self.tried = self.tried.max(due.saturating_sub(MOST_A_TICK));
    }

    fn report(&self) -> serde_json::Value {
        match &self.sender {
            Ok(_) => json!({ "sent": self.sent, "refused": self.refused }),
            Err(why) => json!({ "sent": 0, "refused": {}, "notOpened": why }),
        }
    }
}

impl Sender {
    fn send(&mut self) -> io::Result<()> {
        match self {
            Sender::Udp { fd: Some(fd), to, bytes, pktinfo, .. } => socket::send(fd, bytes, *to, *pktinfo),
            Sender::Udp { fd: None, to, way, bytes, pktinfo } => {
                socket::send(&socket::open(libc::SOCK_DGRAM, 0, to.ip(), way)?, bytes, *to, *pktinfo)
            }
            Sender::Connect { to, way } => {
                let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
                match socket::connect(&socket::open(kind, 0, to.ip(), way)?, *to) {
                    Err(wrong) if wrong.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                    other => other,
                }
            }
            Sender::Stream { fd, to } => socket::send(fd, &packet::payload(), *to, None),
            Sender::Echo { fd, to, sequence } => {
                *sequence = sequence.wrapping_add(1);
                socket::send(fd, &packet::echo(to.ip(), *sequence), *to, None)
            }
            Sender::Frame { fd, to, bytes } => socket::send_frame(fd, bytes, to),
        }
    }
}

fn start(spec: &StreamSpec) -> Running {
    Running {
        name: spec.name.clone(),
        rate: spec.rate,
        most: spec.count.unwrap_or(u64::MAX),
        sender: open(&spec.what),
        tried: 0,
        sent: 0,
        refused: BTreeMap::new(),
    }
}

fn open(what: &What) -> Result<Sender, String> {
    let text = |wrong: io::Error| wrong.to_string();
    match what {
        What::Udp { to, port, way, hex, fresh } => {
            let bytes = hex.as_deref().map_or(Ok(packet::payload()), packet::unhex)?;
            let pktinfo = way.pktinfo.as_deref().map(socket::index_of).transpose().map_err(text)?;
            let open = || socket::open(libc::SOCK_DGRAM, 0, *to, way).map_err(text);
            let fd = if *fresh { None } else { Some(open()?) };
            Ok(Sender::Udp { fd, to: SocketAddr::new(*to, *port), way: way.clone(), bytes, pktinfo })
        }
        What::Connect { to, port, way } => {
            Ok(Sender::Connect { to: SocketAddr::new(*to, *port), way: way.clone() })
        }
        What::Stream { to, port, way } => {
            let to = SocketAddr::new(*to, *port);
            let fd = socket::open(libc::SOCK_STREAM, 0, to.ip(), way).map_err(text)?;
            socket::connect(&fd, to).map_err(text)?;
            Ok(Sender::Stream { fd, to })
        }
        What::Echo { to, way } => {
            let protocol =
                if matches!(to, IpAddr::V4(_)) { libc::IPPROTO_ICMP } else { libc::IPPROTO_ICMPV6 };
            let fd = socket::open(libc::SOCK_RAW, protocol, *to, way).map_err(text)?;
            Ok(Sender::Echo { fd, to: SocketAddr::new(*to, 0), sequence: 0 })
        }
        What::Frame { device, hex, bypass_qdisc } => {
            let (fd, to) = socket::open_packet(device, *bypass_qdisc).map_err(text)?;
            Ok(Sender::Frame { fd, to, bytes: packet::unhex(hex)? })
        }
    }
}

/// Sleeps a tick; true when somebody wants the end.
fn stopped() -> io::Result<bool> {
    let mut input = libc::pollfd { fd: 0, events: libc::POLLIN, revents: 0 };
    // SAFETY: poll reads and writes one live pollfd.
    let ready = unsafe { libc::poll(&mut input, 1, TICK_MS) };
    if ready <= 0 {
        return Ok(false);
    }
    let line = typed()?;
    Ok(line.is_empty() || line.starts_with(b"stop"))
}

/// What was typed, at most a line's worth: an endless input must not eat the memory. Empty at the end of the input.
fn typed() -> io::Result<Vec<u8>> {
    let mut line = [0u8; 64];
    let length = io::stdin().lock().read(&mut line)?;
    Ok(line[..length].to_vec())
}

fn errno(wrong: &io::Error) -> String {
    match wrong.raw_os_error() {
        Some(libc::EPERM) => "EPERM".into(),
        Some(libc::EACCES) => "EACCES".into(),
        Some(libc::ENETUNREACH) => "ENETUNREACH".into(),
        Some(libc::EHOSTUNREACH) => "EHOSTUNREACH".into(),
        Some(libc::ENETDOWN) => "ENETDOWN".into(),
        Some(libc::ENOBUFS) => "ENOBUFS".into(),
        Some(libc::EAGAIN) => "EAGAIN".into(),
        Some(libc::ECONNREFUSED) => "ECONNREFUSED".into(),
        Some(libc::ENODEV) => "ENODEV".into(),
        Some(libc::ENXIO) => "ENXIO".into(),
        Some(libc::EINVAL) => "EINVAL".into(),
        _ => wrong.to_string(),
    }
}
