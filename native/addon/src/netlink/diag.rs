//! Closing others' sockets (sock_diag(7), SOCK_DESTROY): a TCP connection is reset, a UDP socket is disconnected and
//! told so. Listening sockets are left: what they accept answers by the way it came.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, RawFd};

use super::message::{Message, attributes, number, word_at};
use super::socket;
use crate::sys::{Doing, Outcome};

/// NETLINK_SOCK_DIAG
const PROTOCOL: i32 = 4;
// linux/sock_diag.h, linux/inet_diag.h
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const INET_DIAG_MARK: u16 = 15;
const ANSWER: usize = 72;
/// family, state, timer, retransmissions
const ID: std::ops::Range<usize> = 4..52;
const INODE: usize = 68;
/// TCP_LISTEN, linux/tcp_states.h
const LISTEN: u32 = 10;

/// Which sockets, by the bits of their mark under `mask`.
pub enum Chosen {
    /// Those with one of these marks.
    Marked(Vec<u32>),
    /// Those of these numbers that have another mark than is told with it.
    Unlike(BTreeMap<u64, u32>),
}

/// How many there are.
pub fn count(chosen: &Chosen, mask: u32) -> Outcome<u32> {
    each(|fd, family, protocol| Ok(find(fd, family, protocol, chosen, mask)?.len() as u32))
}

/// How many there were.
pub fn destroy(chosen: &Chosen, mask: u32) -> Outcome<u32> {
    each(|fd, family, protocol| close(fd, family, protocol, &find(fd, family, protocol, chosen, mask)?))
}

fn each(of: impl Fn(RawFd, u8, u8) -> Outcome<u32>) -> Outcome<u32> {
    let fd = socket::open(PROTOCOL)?;
    let mut count = 0;
    for protocol in [libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
        for family in [libc::AF_INET, libc::AF_INET6] {
            count += of(fd.as_raw_fd(), family as u8, protocol as u8)?;
        }
    }
    Ok(count)
}

fn find(fd: RawFd, family: u8, protocol: u8, chosen: &Chosen, mask: u32) -> Outcome<Vec<Vec<u8>>> {
    let all = Message::new(BY_FAMILY, 0, &request(family, protocol, &[0; 48]));
    socket::dump(fd, &all, |message| {
        let body = message.body.get(..ANSWER)?;
        let mark = attributes(message.body, ANSWER).find(|(kind, _)| *kind == INET_DIAG_MARK);
        let mark = mark.map_or(0, |(_, value)| number(value)) & mask;
        let wanted = match chosen {
            Chosen::Marked(marks) => marks.contains(&mark),
            Chosen::Unlike(numbers) => {
                numbers.get(&u64::from(word_at(body, INODE)?)).is_some_and(|m| *m != mark)
            }
        };
        wanted.then(|| body[ID].to_vec())
    })
    .doing("listing sockets")
}

fn close(fd: RawFd, family: u8, protocol: u8, found: &[Vec<u8>]) -> Outcome<u32> {
    let requests = found.iter().map(|id| Message::new(DESTROY, 0, &request(family, protocol, id)));
    // one that is gone by now is closed
    let refused = socket::send_all(fd, requests.collect(), 1, 32_768).doing("closing sockets")?;
    match refused.iter().find(|r| r.errno.0 != libc::ENOENT) {
        Some(no) => Err(no.errno).doing("closing sockets"),
        None => Ok((found.len() - refused.len()) as u32),
    }
}

/// struct inet_diag_req_v2
fn request(family: u8, protocol: u8, id: &[u8]) -> Vec<u8> {
    let states: u32 = !(1 << LISTEN);
    [&[family, protocol, 0, 0], &states.to_ne_bytes()[..], id].concat()
}
