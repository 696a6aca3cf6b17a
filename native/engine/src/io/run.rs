//! Two threads carry packets, each from its input to its output without handing anything over: a wake on another
//! processor costs about 29 µs, more than a whole packet.
//!
//! ```text
//! outward   TUN → cut → seal → UDP      reads until there is no more, then sends, then sleeps
//! inward    UDP → open → join → TUN     one receive call is one batch
//! ```
//! While little is going on the inward thread watches the TUN too and carries what it finds there, so that an answer
//! leaves by the thread that brought the question; the outward thread is asleep until there is much ([`Duty`]).
//!
//! A third, [`super::control`], has the timers and the UAPI and is asleep while packets flow.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::clock;
use super::flood::Flood;
use super::ports::Origin;
use super::sys::{Bell, poll, wait_for};
use super::tun::{READ_LEN, Tun};
use super::udp::{BATCH, Batch, Run, Sender, Sockets};
use crate::engine::counters::Refusal;
use crate::engine::out::{Event, Out};
use crate::engine::receive::{Inbound, Received};
use crate::engine::{Engine, Now, TableReader};
use crate::offload::join::{Join, Piece};
use crate::offload::vnet::Vnet;

/// Sealed bytes after which the outward thread sends before it reads on: one large read is never held back.
const SEND_AT: usize = 32 << 10;

/// Batches after which the inward thread looks at the other socket, so that neither can starve the other.
const FAIR: usize = 8;

/// Packets (or large reads) in one go that are too many for one thread.
const MUCH: usize = 4;
/// The outward thread gives the TUN back when fewer than `FEW` packets came in a window of so many milliseconds.
const WINDOW: u64 = 10;
const FEW: usize = 8;

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
    /// Wakes the inward thread to poll anew, after the sockets were exchanged or the TUN was given to it.
    pub rebound: Bell,
    pub events: Mutex<Vec<Event>>,
    pub duty: Duty,
}

/// Who reads the TUN. Only the one who does gives it away, and sends what it read before it does, so packets stay in
/// order.
pub struct Duty {
    is_outward: AtomicBool,
    /// Wakes the outward thread.
    bell: Bell,
}

impl Duty {
    pub fn new() -> io::Result<Self> {
        Ok(Self { is_outward: AtomicBool::new(false), bell: Bell::new()? })
    }

    fn is_outward(&self) -> bool {
        self.is_outward.load(Acquire)
    }

    fn give_to_outward(&self) {
        self.is_outward.store(true, Release);
        self.bell.ring();
    }

    fn give_to_inward(&self, rebound: &Bell) {
        self.is_outward.store(false, Release);
        rebound.ring();
    }
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

/// Sends what the engine wants sent, of which some stands in `arena`, and passes on what it tells.
pub fn flush(shared: &Shared, table: &mut TableReader, sender: &mut Sender, out: &mut Out, arena: &[u8]) {
    shared.engine.unfold(clock::now(), table, out);
    if !out.is_empty() {
        let refused = sender.send(&shared.sockets, out, arena);
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
    let (mut since, mut count) = (0, 0);
    loop {
        if !shared.duty.is_outward() {
            poll(&mut [wait_for(shared.duty.bell.fd())], -1)?;
            shared.duty.bell.hush();
            (since, count) = (clock::now().ms, 0);
            continue;
        }
        match shared.tun.read(&mut buffer) {
            Ok(Some((vnet, packet))) => {
                count += 1;
                shared.engine.send(clock::now(), &mut table, &vnet, packet, &mut out);
                if out.len() >= SEND_AT {
                    flush(shared, &mut table, &mut sender, &mut out, &[]);
                }
            }
            Ok(None) => {
                flush(shared, &mut table, &mut sender, &mut out, &[]);
                let now = clock::now().ms;
                if now >= since + WINDOW {
                    if count < FEW {
                        shared.duty.give_to_inward(&shared.rebound);
                        continue;
                    }
                    (since, count) = (now, 0);
                }
                poll(&mut [wait_for(shared.tun.fd())], WINDOW as i32)?;
            }
            // The interface is down (EIO): it may come up again, and poll reports an error until then.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => {
                flush(shared, &mut table, &mut sender, &mut out, &[]);
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
                    flush(shared, &mut table, &mut sender, &mut out, &[]);
                }
            }
            Ok(None) => {
                flush(shared, &mut table, &mut sender, &mut out, &[]);
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
    flood: Flood,
    buffer: Box<[u8; READ_LEN]>,
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
        flood: Flood::default(),
        buffer: Box::new([0; READ_LEN]),
    };
    let (v4, v6, rebound) = (shared.sockets.v4(), shared.sockets.v6(), shared.rebound.fd());
    let tun = shared.tun.fd();
    let mut fds = [wait_for(v4), wait_for(v6), wait_for(rebound), wait_for(tun)];
    loop {
        // poll(2) passes over negative descriptors.
        fds[3].fd = if shared.duty.is_outward() { -1 } else { tun };
        poll(&mut fds, -1)?;
        if fds[2].revents != 0 {
            shared.rebound.hush();
        }
        for fd in [0, 1].map(|i| (fds[i].fd, fds[i].revents)).into_iter().filter(|fd| fd.1 != 0) {
            state.drain(fd.0)?;
        }
        if !shared.duty.is_outward() {
            state.carry_outward()?;
        }
    }
}

impl Inward<'_> {
    /// What is in the TUN now, an answer to what was just written for one; if it is much, the outward thread goes on.
    fn carry_outward(&mut self) -> io::Result<()> {
        let Self { shared, table, batch, buffer, out, sender, .. } = self;
        let mut is_much = true;
        for _ in 0..MUCH {
            match shared.tun.read(buffer) {
                Ok(Some((vnet, packet))) => shared.engine.send(clock::now(), table, &vnet, packet, out),
                Ok(None) => {
                    is_much = false;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The outward thread knows what to do about it.
                Err(_) => break,
            }
            if out.len() >= SEND_AT {
                break;
            }
        }
        flush(shared, table, sender, out, &batch.arena);
        if is_much {
            shared.duty.give_to_outward();
        }
        Ok(())
    }

    fn drain(&mut self, fd: i32) -> io::Result<()> {
        for _ in 0..FAIR {
            let got = match self.batch.receive(fd) {
                Ok(got) => got,
                // An error some earlier send left on the socket; it is cleared by being read.
                Err(error) if error.raw_os_error() != Some(libc::EBADF) => 0,
                Err(error) => return Err(error),
            };
            let now = clock::now();
            self.take(now, got)?;
            self.flood.pace(now.ms, &self.shared.engine.counters, got);
            if got < BATCH {
                return Ok(());
            }
            if !self.shared.duty.is_outward() {
                self.shared.duty.give_to_outward();
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
                    self.flush();
                }
            }
        }
        self.shared.engine.finish(now, &mut self.inbound, &mut self.out);
        let mut result = Ok(());
        self.join.flush(&mut self.batch.arena, &mut |vnet, pieces, arena| {
            write(self.shared, vnet, pieces, arena, &mut result);
        });
        self.flush();
        result
    }

    fn flush(&mut self) {
        let Self { shared, table, sender, out, batch, .. } = self;
        flush(shared, table, sender, out, &batch.arena);
    }

    fn take_run(&mut self, now: Now, run: &Run) -> io::Result<()> {
        let mut result = Ok(());
        let mut at = run.at;
        self.inbound.is_run = run.len > run.segment;
        while at < run.at + run.len {
            let end = (at + run.segment).min(run.at + run.len);
            let datagram = &mut self.batch.arena[at..end];
            let received = self.shared.engine.receive(
                now,
                &mut self.table,
                run.from,
                datagram,
                &mut self.inbound,
                &mut self.out,
            );
            match received {
                Received::Packet(packet) => {
                    let piece = Piece { at: at + packet.start, len: packet.len() };
                    self.join.push(&mut self.batch.arena, piece, &mut |vnet, pieces, arena| {
                        write(self.shared, vnet, pieces, arena, &mut result);
                    });
                }
                Received::Onward { to, tos } => self.out.lend(to, tos, Piece { at, len: end - at }),
                Received::Nothing => {}
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
