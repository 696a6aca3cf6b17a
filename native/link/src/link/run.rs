//! One thread, one epoll: frames from the devices, the timer of the next frame due, orders on standard input. Sleeps
//! whenever there is nothing to do; ends when standard input does, that is with the process that started it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::control::{self, Order, Totals, What, WireSpec};
use super::record::Record;
use super::segment::Segment;
use super::shape::{Chance, Fate, Line, Shape, Why};
use super::tap::{PortSpec, Tap, check};
use crate::clock;

/// Frames taken from one device before the others have their turn: a flood must not starve orders.
const TURN: usize = 128;
/// Settling ends under a flood, too: a queue of 20,000 frames is taken in half as many turns.
const MOST_TURNS: usize = 300;
/// Larger than any frame of a device with an MTU up to 65,535.
const LONGEST: usize = 65_600;
const STDIN: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

struct Port {
    name: String,
    tap: Option<Tap>,
    carrier: bool,
    record: Record,
    shape: Shape,
    lines: BTreeMap<usize, Line>,
    totals: Totals,
}

/// Due time, a number that keeps equal times in order, the port, the frame.
type Waiting = Reverse<(u64, u64, usize, Box<[u8]>)>;

pub struct Wire {
    folder: PathBuf,
    shape: Shape,
    ports: Vec<Port>,
    segment: Segment,
    waiting: BinaryHeap<Waiting>,
    counter: u64,
    chance: Chance,
    epoll: OwnedFd,
    timer: OwnedFd,
}

pub fn run(spec: WireSpec) -> io::Result<()> {
    let mut wire = Wire::new(&spec)?;
    for port in &spec.ports {
        wire.plug(port)?;
    }
    say(&control::answer(None, Ok(json!("ready"))))?;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
    let mut typed = Vec::new();
    let mut buffer = vec![0u8; LONGEST];
    loop {
        // SAFETY: the kernel fills at most `events.len()` entries of a live array.
        let ready = unsafe { libc::epoll_wait(wire.epoll.as_raw_fd(), events.as_mut_ptr(), 16, -1) };
        if ready < 0 {
            let wrong = io::Error::last_os_error();
            if wrong.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(wrong);
        }
        for event in &events[..ready as usize] {
            let (token, broken) = (event.u64, event.events & libc::EPOLLERR as u32 != 0);
            match token {
                STDIN => {
                    if !wire.orders(&mut typed)? {
                        return Ok(());
                    }
                }
                TIMER => drain(&wire.timer),
                // the machine deleted its device: the descriptor would be ready for ever
                port if broken => wire.ports[port as usize].tap = None,
                port => {
                    wire.take(port as usize, &mut buffer)?;
                }
            }
        }
        wire.deliver()?;
    }
}

impl Wire {
    fn new(spec: &WireSpec) -> io::Result<Wire> {
        // SAFETY: plain system calls without pointers; the descriptors are owned at once.
        let (epoll, timer) = unsafe {
            let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
            let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, flags);
            check(epoll)?;
            check(timer)?;
            (OwnedFd::from_raw_fd(epoll), OwnedFd::from_raw_fd(timer))
        };
        let wire = Wire {
            folder: PathBuf::from(&spec.record),
            shape: spec.shape,
            ports: Vec::new(),
            segment: Segment::default(),
            waiting: BinaryHeap::new(),
            counter: 0,
            chance: Chance::new(spec.seed),
            epoll,
            timer,
        };
        wire.listen(wire.timer.as_raw_fd(), TIMER)?;
        wire.listen(0, STDIN)?;
        Ok(wire)
    }

    fn listen(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: epoll_ctl reads one epoll_event.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) })
    }

    /// A port that was there before continues its record and its totals.
    fn plug(&mut self, spec: &PortSpec) -> io::Result<()> {
        let tap = Tap::open(spec)?;
        let fd = tap.raw();
        let known = self.ports.iter().position(|port| port.name == spec.name);
        let index = if let Some(index) = known {
            if self.ports[index].tap.is_some() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is plugged in already"));
            }
            index
        } else {
            let path = Path::new(&self.folder).join(format!("{}.pcap", spec.name));
            self.ports.push(Port {
                name: spec.name.clone(),
                tap: None,
                carrier: true,
                record: Record::create(&path)?,
                shape: self.shape,
                lines: BTreeMap::new(),
                totals: Totals::default(),
            });
            self.ports.len() - 1
        };
        self.ports[index].tap = Some(tap);
        self.ports[index].carrier = true;
        self.listen(fd, index as u64)
    }

    /// How many frames there were, at most a turn.
    fn take(&mut self, from: usize, buffer: &mut [u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < TURN {
            let Some(port) = self.ports.get_mut(from) else { break };
            let Some(length) = port.tap.as_ref().and_then(|tap| tap.read(buffer)) else { break };
            taken += 1;
            let frame = &buffer[..length];
            port.record.add(clock::realtime(), frame);
            port.totals.frames += 1;
            port.totals.bytes += length as u64;
            self.pass(from, frame);
        }
        // before deliver(): what arrives is in the file
        if let Some(port) = self.ports.get_mut(from) {
            port.record.flush()?;
        }
        Ok(taken)
    }

    /// Takes all that machines have sent by now, so that the records hold it when this is answered.
    fn settle(&mut self) -> io::Result<()> {
        let mut buffer = vec![0u8; LONGEST];
        for port in 0..self.ports.len() {
            let mut turns = MOST_TURNS;
            while turns > 0 && self.take(port, &mut buffer)? > 0 {
                turns -= 1;
            }
        }
        Ok(())
    }

    fn pass(&mut self, from: usize, frame: &[u8]) {
        let target = if self.ports.len() > 2 { self.segment.target(frame, from) } else { None };
        let now = clock::monotonic();
        for to in 0..self.ports.len() {
            if to == from || target.is_some_and(|only| only != to) {
                continue;
            }
            let port = &mut self.ports[from];
            let line = port.lines.entry(to).or_default();
            match port.shape.fate(line, frame.len(), now, &mut self.chance) {
                Fate::Dropped(Why::Lost) => port.totals.lost += 1,
                Fate::Dropped(Why::TooBig) => port.totals.too_big += 1,
                Fate::Dropped(Why::QueueFull) => port.totals.queue_full += 1,
                Fate::Due { at, copy, flip } => {
                    let mut frame: Box<[u8]> = frame.into();
                    if let Some(place) = flip {
                        frame[place] ^= 0xff;
                    }
                    for at in [Some(at), copy].into_iter().flatten() {
                        self.counter += 1;
                        self.waiting.push(Reverse((at, self.counter, to, frame.clone())));
                    }
                }
            }
        }
    }

    /// Hands over what is due and sets the timer for the rest.
    fn deliver(&mut self) -> io::Result<()> {
        let now = clock::monotonic();
        while let Some(Reverse((at, ..))) = self.waiting.peek() {
            if *at > now {
                return arm(&self.timer, *at);
            }
            let Some(Reverse((_, _, to, frame))) = self.waiting.pop() else { break };
            let port = &mut self.ports[to];
            let taken = port.carrier && port.tap.as_ref().is_some_and(|tap| tap.write(&frame));
            if taken { port.totals.delivered += 1 } else { port.totals.refused += 1 }
        }
        Ok(())
    }

    /// False at the end of the input.
    fn orders(&mut self, typed: &mut Vec<u8>) -> io::Result<bool> {
        let mut chunk = [0u8; 4096];
        let n = io::stdin().lock().read(&mut chunk)?;
        if n == 0 {
            return Ok(false);
        }
        typed.extend_from_slice(&chunk[..n]);
        while let Some(end) = typed.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = typed.drain(..=end).collect();
            let reply = match control::parse(&String::from_utf8_lossy(&line)) {
                Err(why) => control::answer(None, Err(why)),
                Ok(Order { id, what }) => control::answer(Some(id), self.obey(what)),
            };
            say(&reply)?;
        }
        Ok(true)
    }

    fn obey(&mut self, what: What) -> Result<Value, String> {
        match what {
            What::Shape { from: None, shape } => {
                self.shape = shape;
                self.ports.iter_mut().for_each(|port| port.shape = shape);
            }
            What::Shape { from: Some(name), shape } => self.port(&name)?.1.shape = shape,
            What::Carrier { port, on } => {
                let (_, port) = self.port(&port)?;
                let tap = port.tap.as_ref().ok_or("is not plugged in")?;
                tap.carrier(on).map_err(|wrong| wrong.to_string())?;
                port.carrier = on;
            }
            What::Plug { port } => self.plug(&port).map_err(|wrong| wrong.to_string())?,
            What::Unplug { port } => {
                let (index, port) = self.port(&port)?;
                // closing the descriptor removes the device, and the descriptor from epoll
                port.tap = None;
                self.segment.forget(index);
            }
            What::Totals => {
                self.settle().map_err(|wrong| wrong.to_string())?;
                let totals: BTreeMap<&str, Totals> =
                    self.ports.iter().map(|port| (port.name.as_str(), port.totals)).collect();
                return Ok(json!(totals));
            }
        }
        Ok(Value::Null)
    }

    fn port(&mut self, name: &str) -> Result<(usize, &mut Port), String> {
        let found = self.ports.iter_mut().enumerate().find(|(_, port)| port.name == name);
        found.ok_or_else(|| format!("no port {name}"))
    }
}

fn arm(timer: &OwnedFd, at: u64) -> io::Result<()> {
    let due = libc::timespec { tv_sec: (at / clock::SECOND) as i64, tv_nsec: (at % clock::SECOND) as i64 };
    let spec = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: due };
    let absolute = libc::TFD_TIMER_ABSTIME;
    // SAFETY: timerfd_settime reads one itimerspec; the old value is not asked for.
    check(unsafe { libc::timerfd_settime(timer.as_raw_fd(), absolute, &spec, std::ptr::null_mut()) })
}

fn drain(timer: &OwnedFd) {
    let mut expirations = [0u8; 8];
    // SAFETY: a timerfd read fills at most eight bytes of a live array.
    unsafe { libc::read(timer.as_raw_fd(), expirations.as_mut_ptr().cast(), 8) };
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
