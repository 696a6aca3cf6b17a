//! Who is at the other end of a connected Unix socket, as the kernel noted it at connect(2): the process may be gone
//! since, or be another program, but these ids were its.

use crate::sys::{self, Doing, Outcome};

/// asm-generic/socket.h, Linux 4.13
const SO_PEERGROUPS: i32 = 59;

pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

pub fn credentials(fd: i32) -> Outcome<Peer> {
    let ids: libc::ucred =
        sys::option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED).doing("reading peer credentials")?;
    let groups = sys::option_words(fd, libc::SOL_SOCKET, SO_PEERGROUPS).doing("reading peer groups")?;
    Ok(Peer { pid: ids.pid, uid: ids.uid, gid: ids.gid, groups })
}
