//! Changes of the machine as the kernel announces them, each with its author: the netlink port of who asked for it,
//! 0 for the kernel itself (kernel/README 9.15). One thread, two multicast sockets, one event a call. The author's name is
//! read here and at once: `ip` is gone a millisecond later.
//!
//! Not everything is announced (IPv4 routes lost with their link, 9.17), and a full queue loses announcements: that is
//! told as `overrun`. In both cases the listener reads the machine again.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;

use crate::netlink::link::Link;
use crate::netlink::message::{Received, attributes, messages, string};
use crate::netlink::{address, link, nexthop, route, rule, socket};
use crate::nft::read::family_name;
use crate::sys::{self, Doing, Errno, Outcome};

const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;
/// RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE, _NEXTHOP
const ROUTING_GROUPS: [u32; 8] = [1, 5, 7, 8, 9, 11, 19, 32];
/// NFNLGRP_NFTABLES
const NFT_GROUP: u32 = 7;
const NFT_SUBSYSTEM: u16 = 10;
/// NFT_MSG_NEWGEN closes each transaction; its attributes name the program.
const NEWGEN: u16 = 15;
const NFTA_GEN_PROC_PID: u16 = 2;
const NFTA_GEN_PROC_NAME: u16 = 3;
/// In every message but NEWGEN, NFTA_*_TABLE or NFTA_TABLE_NAME.
const NFTA_ANY_TABLE: u16 = 1;
const BUFFER: usize = 65536;
const QUEUE: i32 = 8 << 20;
/// nice(2)
const HURRIED: i32 = -15;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Event {
    Link { gone: bool, author: u32, by: Program, link: Link },
    Address { gone: bool, author: u32, by: Program, address: address::Address },
    Route { gone: bool, author: u32, by: Program, route: Box<route::Route> },
    Rule { gone: bool, author: u32, by: Program, rule: Box<rule::Rule> },
    Nexthop { gone: bool, author: u32, by: Program, nexthop: nexthop::Nexthop },
    Nft { author: u32, by: Program, tables: Vec<NamedTable> },
    Overrun,
}

/// Empty where it is not known: the kernel itself, or a socket whose port is not its owner's pid.
#[derive(Serialize, Clone, Default)]
struct Program {
    name: String,
    /// Who started it: `ip` alone says little.
    parent: String,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct NamedTable {
    family: String,
    name: String,
}

pub struct Watch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// `tell` gets each event as JSON, on the watch's own thread.
    pub fn start(tell: impl Fn(String) + Send + 'static) -> Outcome<Self> {
        let routing = open(libc::NETLINK_ROUTE, &ROUTING_GROUPS)?;
        // a kernel without nftables has nothing to announce
        let nft = open(libc::NETLINK_NETFILTER, &[NFT_GROUP]).ok();
        let asking = socket::open(libc::NETLINK_ROUTE)?;
        let links = socket::dump(asking.as_raw_fd(), &link::request(), link::read).doing("reading links")?;
        let stop = Arc::new(sys::event().doing("making an event descriptor")?);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("culvert-watch".into())
            .spawn(move || {
                hurry();
                let mut listener = Listener { links, touched: BTreeSet::new(), last: None, tell: &tell };
                listener.run(&routing, nft.as_ref(), &stopped);
            })
            .map_err(|_| Errno(libc::EAGAIN))
            .doing("starting the watch")?;
        Ok(Self { stop, thread: Some(thread) })
    }

    pub fn close(&mut self) {
        sys::wake(&self.stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

struct Listener<'a> {
    links: Vec<Link>,
    /// Tables that the running transaction has touched.
    touched: BTreeSet<NamedTable>,
    /// Who asked for the message before: bursts have one author.
    last: Option<(u32, Program)>,
    tell: &'a dyn Fn(String),
}

impl Listener<'_> {
    fn run(&mut self, routing: &OwnedFd, nft: Option<&OwnedFd>, stop: &OwnedFd) {
        let mut fds = vec![stop.as_raw_fd(), routing.as_raw_fd()];
        fds.extend(nft.map(AsRawFd::as_raw_fd));
        let mut buffer = vec![0; BUFFER];
        loop {
            let Ok(ready) = sys::readable(&fds, -1) else { return };
            if ready[0] {
                return;
            }
            for (&fd, ready) in fds.iter().zip(&ready).skip(1) {
                if *ready && !self.take(fd, fd == routing.as_raw_fd(), &mut buffer) {
                    return;
                }
            }
        }
    }

    /// Everything that lies in one socket's queue. False: the socket is broken.
    fn take(&mut self, fd: RawFd, routing: bool, buffer: &mut [u8]) -> bool {
        self.last = None;
        loop {
            match socket::receive(fd, buffer, libc::MSG_DONTWAIT) {
                Ok(got) => {
                    for message in messages(&buffer[..got]) {
                        let event = if routing { self.routing(&message) } else { self.nft(&message) };
                        event.iter().for_each(|event| self.send(event));
                    }
                }
                Err(Errno(libc::EAGAIN)) => return true,
                Err(Errno(libc::ENOBUFS | libc::EMSGSIZE)) => self.send(&Event::Overrun),
                Err(_) => {
                    self.send(&Event::Overrun);
                    return false;
                }
            }
        }
    }

    fn routing(&mut self, message: &Received) -> Option<Event> {
        let author = message.port;
        let by = self.program(author);
        // each kind has NEW and DEL, one after the other
        let gone = message.kind & 3 == 1;
        match message.kind & !3 {
            link::RTM_NEWLINK => {
                let link = link::read(message)?;
                self.links.retain(|known| known.index != link.index);
                if !gone {
                    self.links.push(link.clone());
                }
                Some(Event::Link { gone, author, by, link })
            }
            address::RTM_NEWADDR => {
                Some(Event::Address { gone, author, by, address: address::read(message, &self.links)? })
            }
            route::RTM_NEWROUTE => {
                Some(Event::Route { gone, author, by, route: Box::new(route::read(message, &self.links)?) })
            }
            rule::RTM_NEWRULE => Some(Event::Rule { gone, author, by, rule: Box::new(rule::read(message)?) }),
            nexthop::RTM_NEWNEXTHOP => {
                Some(Event::Nexthop { gone, author, by, nexthop: nexthop::read(message, &self.links)? })
            }
            _ => None,
        }
    }

    fn nft(&mut self, message: &Received) -> Option<Event> {
        if message.kind >> 8 != NFT_SUBSYSTEM {
            return None;
        }
        if message.kind & 0xff != NEWGEN {
            let family = family_name(*message.body.first()?);
            let (_, name) = attributes(message.body, 4).find(|(kind, _)| *kind == NFTA_ANY_TABLE)?;
            self.touched.insert(NamedTable { family, name: string(name) });
            return None;
        }
        let author = message.port;
        let told = |kind| attributes(message.body, 4).find(move |(k, _)| *k == kind).map(|(_, value)| value);
        let name = told(NFTA_GEN_PROC_NAME).map(string).unwrap_or_default();
        let pid = told(NFTA_GEN_PROC_PID)
            .and_then(|value| value.try_into().ok())
            .map_or(author, u32::from_be_bytes);
        // the pid counts in the first pid namespace, where this process may not be
        let by = program_of(pid)
            .filter(|known| known.name == name)
            .unwrap_or(Program { name, parent: String::new() });
        Some(Event::Nft { author, by, tables: std::mem::take(&mut self.touched).into_iter().collect() })
    }

    fn program(&mut self, author: u32) -> Program {
        if let Some((_, program)) = self.last.as_ref().filter(|(port, _)| *port == author) {
            return program.clone();
        }
        let program = program_of(author).unwrap_or_default();
        self.last = Some((author, program.clone()));
        program
    }

    fn send(&self, event: &Event) {
        if let Ok(text) = serde_json::to_string(event) {
            (self.tell)(text);
        }
    }
}

/// What is ours is mended, and who did it named, before anybody else runs: `ip` exits within a millisecond. Without the
/// right to it (CAP_SYS_NICE) the watch works all the same.
fn hurry() {
    // SAFETY: plain numbers; on Linux the id 0 is the calling thread alone (setpriority(2), bugs).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, HURRIED) };
}

/// 9.15: a netlink port is its owner's pid where one socket is all it has.
fn program_of(pid: u32) -> Option<Program> {
    let comm = |pid: u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim_end().to_owned())
    };
    if pid == 0 {
        return None;
    }
    let name = comm(pid).ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // the name is in brackets and may hold anything; state and the parent's pid follow it
    let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    let parent = parent.filter(|pid: &u32| *pid > 0).and_then(|pid| comm(pid).ok()).unwrap_or_default();
    Some(Program { name, parent })
}

fn open(protocol: i32, groups: &[u32]) -> Outcome<OwnedFd> {
    let socket = socket::open(protocol)?;
    let fd = socket.as_raw_fd();
    let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, QUEUE);
    for group in groups {
        // a group this kernel does not have (nexthops before 5.3) announces nothing
        match sys::set_option(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, *group) {
            Ok(()) | Err(Errno(libc::EINVAL | libc::ENOENT)) => {}
            Err(errno) => return Err(errno).doing("joining a netlink group"),
        }
    }
    Ok(socket)
}
