//! The main thread after start: timers, the UAPI socket, and events to stdout. It never waits for a client, so a
//! client that does not read cannot stop the timers.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::Ordering::Relaxed;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::clock;
use super::handed;
use super::ports;
use super::run::{Shared, flush};
use super::sys::{poll, wait_for};
use super::uapi::{self, Request, Set};
use super::udp::Sender;
use crate::engine::out::{Event, Out};

/// Connections served at a time; more wait in the listener's queue.
const CLIENTS: usize = 8;
/// The longest request: 100,000 prefixes and 10,000 peers are about 8 MB.
const REQUEST: usize = 32 << 20;

pub fn run(shared: &Shared, listener: &UnixListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let (mut out, mut sender, mut clients) = (Out::default(), Sender::default(), Vec::new());
    let mut table = shared.engine.reader();
    tell(r#"{"event":"ready"}"#)?;
    loop {
        let now = clock::now();
        if let Ok(mtu) = shared.tun.mtu(shared.sockets.v4()) {
            shared.engine.mtu.store(mtu, Relaxed);
        }
        let deadline = shared.engine.tick(now, &mut out);
        flush(shared, &mut table, &mut sender, &mut out, &[]);
        tell_events(shared)?;
        wait(shared, listener, &mut clients, deadline.map(|at| at.saturating_sub(clock::now().ms)))?;
        serve(shared, &mut clients, &mut out);
        flush(shared, &mut table, &mut sender, &mut out, &[]);
        if clients.len() < CLIENTS
            && let Ok((stream, _)) = listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            clients.push(Client { stream, request: Vec::new(), handed: Vec::new(), answer: Vec::new() });
        }
    }
}

fn wait(
    shared: &Shared,
    listener: &UnixListener,
    clients: &mut [Client],
    in_ms: Option<u64>,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let is_full = clients.len() == CLIENTS;
    let mut fds = vec![wait_for(shared.bell.fd()), wait_for(if is_full { -1 } else { listener.as_raw_fd() })];
    fds.extend(clients.iter().map(|client| {
        let events = if client.answer.is_empty() { libc::POLLIN } else { libc::POLLOUT };
        libc::pollfd { fd: client.stream.as_raw_fd(), events, revents: 0 }
    }));
    poll(&mut fds, in_ms.map_or(-1, |ms| ms.min(i32::MAX as u64) as i32))?;
    if fds[0].revents != 0 {
        shared.bell.hush();
    }
    Ok(())
}

struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    /// Descriptors that came with the request so far.
    handed: Vec<OwnedFd>,
    answer: Vec<u8>,
}

fn serve(shared: &Shared, clients: &mut Vec<Client>, out: &mut Out) {
    clients.retain_mut(|client| client.write() && (!client.answer.is_empty() || client.read(shared, out)));
}

impl Client {
    /// False when the client is gone.
    fn write(&mut self) -> bool {
        while !self.answer.is_empty() {
            match self.stream.write(&self.answer) {
                Ok(0) => return false,
                Ok(sent) => drop(self.answer.drain(..sent)),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Answers every request that is there whole. False when the client is gone or says too much.
    fn read(&mut self, shared: &Shared, out: &mut Out) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            // Only what is new, and the byte before it, can hold the end.
            let mut from = self.request.len().saturating_sub(1);
            match handed::read(&self.stream, &mut buffer, &mut self.handed) {
                Ok(0) => return false,
                Ok(got) => self.request.extend_from_slice(&buffer[..got]),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
            while let Some(end) = self.request[from..].windows(2).position(|pair| pair == b"\n\n") {
                let end = from + end;
                let request: Vec<u8> = self.request.drain(..end + 2).collect();
                from = 0;
                let handed = std::mem::take(&mut self.handed);
                self.answer.extend_from_slice(answer(shared, &request[..end], &handed, out).as_bytes());
            }
            if self.request.len() > REQUEST || self.handed.len() > handed::MOST || !self.write() {
                return false;
            }
        }
    }
}

fn answer(shared: &Shared, request: &[u8], handed: &[OwnedFd], out: &mut Out) -> String {
    let parsed =
        std::str::from_utf8(request).map_err(|_| uapi::Invalid("not text".into())).and_then(uapi::parse);
    match parsed {
        Ok(Request::Get) => {
            let port = ports::port(&shared.sockets).unwrap_or(0);
            uapi::print(&shared.engine, port, ports::mark(&shared.sockets).unwrap_or(0))
        }
        Ok(Request::GetExtension) => uapi::print_extension(&shared.engine),
        Ok(Request::Set(set)) => uapi::print_errno(apply(shared, &set, handed, out)),
        Err(uapi::Invalid(line)) => {
            eprintln!("culvert-engine: UAPI: not understood: {line:?}");
            uapi::print_errno(libc::EINVAL)
        }
    }
}

/// Sockets, port and mark first: when they are refused, nothing was changed.
fn apply(shared: &Shared, set: &Set, handed: &[OwnedFd], out: &mut Out) -> i32 {
    let (port, mark) = (set.listen_port, set.fwmark);
    let changed = match set.udp_fds {
        Some(count) => ports::exchange(&shared.sockets, count, handed, port, mark),
        None => ports::change(&shared.sockets, shared.origin, port, mark),
    };
    if let Err(error) = changed {
        eprintln!(
            "culvert-engine: UAPI: listen_port {:?}, fwmark {:?}: {error}",
            set.listen_port, set.fwmark
        );
        return error.raw_os_error().unwrap_or(libc::EIO);
    }
    if set.listen_port.is_some() || set.udp_fds.is_some() {
        shared.rebound.ring();
    }
    shared.engine.apply(clock::now(), &set.change, out);
    0
}

fn tell_events(shared: &Shared) -> io::Result<()> {
    let events = std::mem::take(&mut *shared.events.lock().expect("no panic holds this lock"));
    events.iter().try_for_each(|event| tell(&print_event(event)))
}

fn tell(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn print_event(event: &Event) -> String {
    match event {
        Event::Handshake { peer, unix_ms } => {
            format!(r#"{{"event":"handshake","peer":"{}","at":{unix_ms}}}"#, STANDARD.encode(peer))
        }
        Event::Silent { peer, for_ms } => {
            format!(r#"{{"event":"silent","peer":"{}","for_ms":{for_ms}}}"#, STANDARD.encode(peer))
        }
        Event::Refused { peer, reason, source, destination } => format!(
            r#"{{"event":"refused","peer":"{}","reason":"{reason}","source":"{source}","destination":"{destination}"}}"#,
            STANDARD.encode(peer)
        ),
        Event::Heard { peer } => format!(r#"{{"event":"heard","peer":"{}"}}"#, STANDARD.encode(peer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_of_json() {
        let peer = [0; 32];
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(
            print_event(&Event::Silent { peer, for_ms: 1000 }),
            format!(r#"{{"event":"silent","peer":"{key}","for_ms":1000}}"#)
        );
        assert_eq!(
            print_event(&Event::Handshake { peer, unix_ms: 5 }),
            format!(r#"{{"event":"handshake","peer":"{key}","at":5}}"#)
        );
    }
}
