//! A netlink socket: dumps, and batches of changes with one answer for each refused message.
//!
//! The kernel works a batch off inside `send`, so when `send` returns all answers lie in the receive queue; reading
//! until it is empty loses nothing and waits for nothing. Only refusals are answered (no NLM_F_ACK): 200 changes cost
//! one system call and, when all went well, no answer at all.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::message::{
    Message, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, Received,
    attributes, messages, string,
};
use crate::sys::{self, Doing, Errno, Outcome};

// linux/netlink.h; the libc crate names only some of them
const SOL_NETLINK: i32 = 270;
const NETLINK_CAP_ACK: i32 = 10;
const NETLINK_EXT_ACK: i32 = 11;
const NETLINK_GET_STRICT_CHK: i32 = 12;
/// A dump's datagrams are at most 32 KiB (netlink_dump, NLMSG_GOODSIZE up to SKB_WITH_OVERHEAD(32768)).
const BUFFER: usize = 65536;
/// Answers to a batch of refused changes must fit: 200 of them with their texts.
const RECEIVE_QUEUE: i32 = 4 << 20;
/// A dump that was changed underneath is asked again; who changes faster than this is not waited for.
const DUMP_ATTEMPTS: u32 = 10;

/// What the kernel said to one refused message.
#[derive(Debug)]
pub struct Refused {
    pub sequence: u32,
    pub errno: Errno,
    pub detail: String,
}

pub fn open(protocol: i32) -> Outcome<OwnedFd> {
    let socket = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol).doing("opening a netlink socket")?;
    let fd = socket.as_raw_fd();
    bind(fd, 0).doing("binding a netlink socket")?;
    // older kernels answer without texts, and with the whole message
    let _ = sys::set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1i32);
    let _ = sys::set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1i32);
    // FORCE needs rights that a mere reader has not, and needs not
    if sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_QUEUE).is_err() {
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_QUEUE);
    }
    Ok(socket)
}

pub fn bind(fd: RawFd, groups: u32) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid sockaddr_nl
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    sys::bind(fd, &address)
}

/// Asks for all objects of a kind and hands each to `each`. Asked again when the kernel says that it changed meanwhile.
pub fn dump<T>(
    fd: RawFd,
    request: &Message,
    mut each: impl FnMut(&Received) -> Option<T>,
) -> Result<Vec<T>, Errno> {
    let mut found = Vec::new();
    for _ in 0..DUMP_ATTEMPTS {
        found.clear();
        if dump_once(fd, request, &mut |message| found.extend(each(message)))? {
            return Ok(found);
        }
    }
    Err(Errno(libc::EINTR))
}

/// With questions that name a table answered for that table alone (Linux 4.20 and after).
pub fn strictly<T>(fd: RawFd, work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    sys::set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1i32)?;
    let done = work();
    sys::set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 0i32)?;
    done
}

/// One question with one answer.
pub fn ask<T>(fd: RawFd, request: Message, mut each: impl FnMut(&Received) -> T) -> Result<T, Refused> {
    let refused = |errno| Refused { sequence: 1, errno, detail: String::new() };
    drain(fd);
    sys::send(fd, &request.finish(1, NLM_F_ACK)).map_err(refused)?;
    let mut answer = None;
    let mut buffer = vec![0; BUFFER];
    loop {
        let got = receive(fd, &mut buffer, 0).map_err(refused)?;
        for message in messages(&buffer[..got]) {
            match refusal(&message) {
                Some(no) if no.errno.0 != 0 => return Err(no),
                Some(_) => return answer.ok_or(refused(Errno(libc::ENOENT))),
                None => answer = Some(each(&message)),
            }
        }
    }
}

/// Sends messages in as few system calls as `room` allows; their sequence numbers count from `first`.
pub fn send_all(fd: RawFd, batch: Vec<Message>, first: u32, room: usize) -> Result<Vec<Refused>, Errno> {
    let mut refused = Vec::new();
    let mut bytes = Vec::new();
    for (at, message) in batch.into_iter().enumerate() {
        if !bytes.is_empty() && bytes.len() + message.len() > room {
            sys::send(fd, &bytes)?;
            refused.extend(refusals(fd)?);
            bytes.clear();
        }
        bytes.extend(message.finish(first + at as u32, 0));
    }
    if !bytes.is_empty() {
        sys::send(fd, &bytes)?;
        refused.extend(refusals(fd)?);
    }
    Ok(refused)
}

/// The refusals that lie in the queue.
pub fn refusals(fd: RawFd) -> Result<Vec<Refused>, Errno> {
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match receive(fd, &mut buffer, libc::MSG_DONTWAIT) {
            Ok(got) => {
                found.extend(messages(&buffer[..got]).filter_map(|m| refusal(&m)).filter(|r| r.errno.0 != 0))
            }
            Err(Errno(libc::EAGAIN)) => return Ok(found),
            Err(errno) => return Err(errno),
        }
    }
}

/// Throws away what an earlier, broken-off exchange left in the queue.
pub fn drain(fd: RawFd) {
    let mut buffer = [0; 64];
    while !matches!(sys::receive(fd, &mut buffer, libc::MSG_DONTWAIT), Err(Errno(libc::EAGAIN | libc::EBADF)))
    {
    }
}

/// A datagram; EINTR is tried again, a datagram longer than the buffer is a surprise.
pub fn receive(fd: RawFd, buffer: &mut [u8], flags: i32) -> Result<usize, Errno> {
    loop {
        match sys::receive(fd, buffer, flags | libc::MSG_TRUNC) {
            Err(Errno(libc::EINTR)) => {}
            Ok(length) if length > buffer.len() => return Err(Errno(libc::EMSGSIZE)),
            other => return other,
        }
    }
}

fn dump_once(fd: RawFd, request: &Message, each: &mut impl FnMut(&Received)) -> Result<bool, Errno> {
    drain(fd);
    sys::send(fd, &request.clone().finish(1, NLM_F_DUMP))?;
    let mut buffer = vec![0; BUFFER];
    let mut whole = true;
    loop {
        let got = receive(fd, &mut buffer, 0)?;
        for message in messages(&buffer[..got]) {
            whole &= message.flags & NLM_F_DUMP_INTR == 0;
            match message.kind {
                NLMSG_DONE | NLMSG_ERROR => {
                    let errno = super::message::word_at(message.body, 0).unwrap_or(0) as i32;
                    return match -errno {
                        0 => Ok(whole),
                        libc::EINTR => Ok(false),
                        errno => Err(Errno(errno)),
                    };
                }
                _ => each(&message),
            }
        }
    }
}

fn refusal(message: &Received) -> Option<Refused> {
    if message.kind != NLMSG_ERROR {
        return None;
    }
    let errno = Errno(-(super::message::word_at(message.body, 0)? as i32));
    // the refused message's header stands behind the number, and its attributes only if NETLINK_CAP_ACK is unknown
    let text = (message.flags & NLM_F_ACK_TLVS != 0)
        .then(|| attributes(message.body, 20).find(|(kind, _)| *kind == 1).map(|(_, value)| string(value)))
        .flatten();
    Some(Refused { sequence: message.sequence, errno, detail: text.unwrap_or_default() })
}
