//! Two threads carry packets, each from its input to its output without handing anything over: a wake on another
//! processor costs about 29 µs, more than a whole packet.
//!
//! ```text
//! outward   TUN → cut → seal → UDP      reads until there is no more, then sends, then sleeps
//! inward    UDP → open → join → TUN     one receive call is one batch
//! ```
//! A third, [`super::control`], has the timers and the UAPI and is asleep while packets flow.

use std::io;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::clock;
use super::ports::Origin;
use super::sys::{Bell, poll, wait_for};
use super::tun::{READ_LEN, Tun};
use super::udp::{BATCH, Batch, Run, Sender, Sockets};
use crate::engine::counters::Refusal;
use crate::engine::out::{Event, Out};
use crate::engine::receive::Inbound;
use crate::engine::{Engine, Now, TableReader};
use crate::offload::join::{Join, Piece};
use crate::offload::vnet::Vnet;

/// Sealed bytes after which the outward thread sends before it reads on: one large read is never held back.
const SEND_AT: usize = 32 << 10;

/// Batches after which the inward thread looks at the other socket, so that neither can starve the other.
const FAIR: usize = 8;

/// Exit code when the interface is gone (EBADFD from the TUN).
pub const INTERFACE_GONE: i32 = 3;

pub struct Shared {
    pub engine: Engine,
    pub tun: Tun,
    /// For Ethernet frames between peers, where it was handed over.
    pub tap: Option<Tun>,
    pub sockets: Sockets,
    pub origin: Origin,
    /// Wakes the control thread: an earlier timer, or an event to tell.
    pub bell: Bell,
    /// Wakes the inward thread to poll the sockets anew, after they were exchanged.
    pub rebound: Bell,
    pub events: Mutex<Vec<Event>>,
}

type Body = fn(&Shared) -> io::Result<()>;

/// Starts both threads and returns when they run: the C library registers a new thread with system calls that are
/// not allowed later.
pub fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let bodies: [(&str, Body); 3] = [("outward", outward), ("inward", inward), ("frames", frames)];
    let count = bodies.len() - usize::from(shared.tap.is_none());
    let running = Arc::new(Barrier::new(1 + count));
    for (name, body) in bodies.into_iter().take(count) {
        let (shared, running) = (shared.clone(), running.clone());
        thread::Builder::new().name(name.into()).spawn(move || {
            running.wait();
            end(&body(&shared));
        })?;
    }
    running.wait();
    Ok(())
}

/// A packet thread ends only when its descriptor is of no use any more, and then the process is of none.
fn end(result: &io::Result<()>) {
    if let Err(error) = result {
        eprintln!("culvert-engine: {error}");
        let is_gone = error.raw_os_error() == Some(libc::EBADFD);
        std::process::exit(if is_gone { INTERFACE_GONE } else { 1 });
    }
}

/// Sends what the engine wants sent and passes on what it tells.
pub fn flush(shared: &Shared, table: &mut TableReader, sender: &mut Sender, out: &mut Out) {
    shared.engine.unfold(clock::now(), table, out);
    if !out.is_empty() {
        let refused = sender.send(&shared.sockets, out);
        (0..refused).for_each(|_| shared.engine.counters.count(Refusal::UdpFull));
        out.clear();
    }
    for answer in out.answers.drain(..) {
        let whole = Piece { at: 0, len: answer.len() };
        if shared.tun.write(&Vnet::default(), &[whole], &answer).is_err() {
            shared.engine.counters.count(Refusal::TunFull);
        }
    }
    for frame in out.frames.drain(..) {
        let whole = Piece { at: 0, len: frame.len() };
        if shared.tap.as_ref().is_none_or(|tap| tap.write(&Vnet::default(), &[whole], &frame).is_err()) {
            shared.engine.counters.count(Refusal::TunFull);
        }
    }
    if !out.events.is_empty() {
        shared.events.lock().expect("no panic holds this lock").append(&mut out.events);
        out.wake = true;
    }
    if std::mem::take(&mut out.wake) {
        shared.bell.ring();
    }
}

fn outward(shared: &Shared) -> io::Result<()> {
    let mut buffer = Box::new([0; READ_LEN]);
    let (mut out, mut sender) = (Out::default(), Sender::default());
    let mut table = shared.engine.reader();
    loop {
        match shared.tun.read(&mut buffer) {
            Ok(Some((vnet, packet))) => {
                shared.engine.send(clock::now(), &mut table, &vnet, packet, &mut out);
                if out.len() >= SEND_AT {
                    flush(shared, &mut table, &mut sender, &mut out);
                }
            }
            Ok(None) => {
                flush(shared, &mut table, &mut sender, &mut out);
                poll(&mut [wait_for(shared.tun.fd())], -1)?;
            }
            // The interface is down (EIO): it may come up again, and poll reports an error until then.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => {
                flush(shared, &mut table, &mut sender, &mut out);
                poll(&mut [], 50)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// TAP → switch → UDP, for the few frames that are no IP traffic of the TUN.
fn frames(shared: &Shared) -> io::Result<()> {
    let Some(tap) = &shared.tap else { return Ok(()) };
    let mut buffer = Box::new([0; READ_LEN]);
    let (mut out, mut sender) = (Out::default(), Sender::default());
    let mut table = shared.engine.reader();
    loop {
        match tap.read(&mut buffer) {
            Ok(Some((_, frame))) => {
                shared.engine.send_frame(clock::now(), &mut table, frame, &mut out);
                if out.len() >= SEND_AT {
                    flush(shared, &mut table, &mut sender, &mut out);
                }
            }
            Ok(None) => {
                flush(shared, &mut table, &mut sender, &mut out);
                poll(&mut [wait_for(tap.fd())], -1)?;
            }
            Err(error) if error.raw_os_error() == Some(libc::EIO) => poll(&mut [], 50)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What the inward thread keeps between batches.
struct Inward<'s> {
    shared: &'s Shared,
    table: TableReader,
    batch: Batch,
    join: Join,
    inbound: Inbound,
    out: Out,
    sender: Sender,
}

fn inward(shared: &Shared) -> io::Result<()> {
    let mut state = Inward {
        shared,
        table: shared.engine.reader(),
        batch: Batch::default(),
        join: Join::new(shared.tun.takes()),
        inbound: Inbound::default(),
        out: Out::default(),
        sender: Sender::default(),
    };
    let (v4, v6, rebound) = (shared.sockets.v4(), shared.sockets.v6(), shared.rebound.fd());
    let mut fds = [wait_for(v4), wait_for(v6), wait_for(rebound)];
    loop {
        poll(&mut fds, -1)?;
        if fds[2].revents != 0 {
            shared.rebound.hush();
        }
        for fd in [0, 1].map(|i| (fds[i].fd, fds[i].revents)).into_iter().filter(|fd| fd.1 != 0) {
            state.drain(fd.0)?;
        }
    }
}

impl Inward<'_> {
    fn drain(&mut self, fd: i32) -> io::Result<()> {
        for _ in 0..FAIR {
            let got = match self.batch.receive(fd) {
                Ok(got) => got,
                // An error some earlier send left on the socket; it is cleared by being read.
                Err(error) if error.raw_os_error() != Some(libc::EBADF) => 0,
                Err(error) => return Err(error),
            };
            self.take(clock::now(), got)?;
            if got < BATCH {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, now: Now, got: usize) -> io::Result<()> {
        for i in 0..got {
            if let Some(run) = self.batch.run(i) {
                self.take_run(now, &run)?;
                // Packets that go from peer to peer are not held until the batch ends.
                if self.out.len() >= SEND_AT {
                    flush(self.shared, &mut self.table, &mut self.sender, &mut self.out);
                }
            }
        }
        self.shared.engine.finish(now, &mut self.inbound, &mut self.out);
        let mut result = Ok(());
        self.join.flush(&mut self.batch.arena, &mut |vnet, pieces, arena| {
            write(self.shared, vnet, pieces, arena, &mut result);
        });
        flush(self.shared, &mut self.table, &mut self.sender, &mut self.out);
        result
    }

    fn take_run(&mut self, now: Now, run: &Run) -> io::Result<()> {
        let mut result = Ok(());
        let mut at = run.at;
        while at < run.at + run.len {
            let end = (at + run.segment).min(run.at + run.len);
            let datagram = &mut self.batch.arena[at..end];
            let packet = self.shared.engine.receive(
                now,
                &mut self.table,
                run.from,
                datagram,
                &mut self.inbound,
                &mut self.out,
            );
            if let Some(packet) = packet {
                let piece = Piece { at: at + packet.start, len: packet.len() };
                self.join.push(&mut self.batch.arena, piece, &mut |vnet, pieces, arena| {
                    write(self.shared, vnet, pieces, arena, &mut result);
                });
            }
            at = end;
        }
        result
    }
}

/// A TUN that is full or out of memory drops the packet, as a full queue anywhere does; one that is gone ends us.
fn write(shared: &Shared, vnet: &Vnet, pieces: &[Piece], arena: &[u8], result: &mut io::Result<()>) {
    if let Err(error) = shared.tun.write(vnet, pieces, arena) {
        shared.engine.counters.count(Refusal::TunFull);
        if error.raw_os_error() == Some(libc::EBADFD) {
            *result = Err(error);
        }
    }
}
