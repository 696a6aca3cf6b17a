//! The UDP sockets: batches in with recvmmsg and UDP_GRO, trains out with sendmmsg and UDP_SEGMENT (udp(7)).

use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::sys::{poll, set_nonblocking, set_option};
use crate::engine::out::{Out, Train};
use crate::engine::receive::From;

/// Datagrams (or joined runs of them) in one receive call.
pub const BATCH: usize = 32;
/// Room for the longest run UDP_GRO makes.
pub const SLOT: usize = 1 << 16;
/// Bytes that may wait in the kernel: a quarter of a second at 200 Mbit/s.
const BUFFER: i32 = 7 << 20;
/// So often what the kernel has no memory for is tried again; then it is dropped, for nothing says when there will be.
const TRIES: u32 = 3;
/// Room for UDP_GRO or UDP_SEGMENT (24 bytes), the traffic class (24) and the longer packet info (40).
const CONTROL: usize = 88;

pub struct Sockets {
    v4: OwnedFd,
    /// None on a machine without IPv6.
    v6: Option<OwnedFd>,
    /// The device under the route cannot checksum segments: UDP_SEGMENT fails with EIO.
    cannot_segment: AtomicBool,
}

impl Sockets {
    /// Sets the options; larger buffers than the system's limit need CAP_NET_ADMIN, so call it while we have it.
    pub fn new(v4: OwnedFd, v6: Option<OwnedFd>) -> io::Result<Self> {
        prepare(v4.as_raw_fd(), false)?;
        v6.as_ref().map_or(Ok(()), |v6| prepare(v6.as_raw_fd(), true))?;
        Ok(Self { v4, v6, cannot_segment: AtomicBool::new(false) })
    }

    pub fn v4(&self) -> RawFd {
        self.v4.as_raw_fd()
    }

    /// -1 where there is none: poll(2) passes over it, and sending fails.
    pub fn v6(&self) -> RawFd {
        self.v6.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    fn of(&self, address: SocketAddr) -> RawFd {
        if address.is_ipv4() { self.v4() } else { self.v6() }
    }
}

/// UDP_GRO, the traffic class and the address asked are asked for; a kernel without them only costs speed, ECN, and
/// answers that leave by the address the kernel chooses.
pub fn prepare(fd: RawFd, is_v6: bool) -> io::Result<()> {
    set_nonblocking(fd, false)?;
    let on = 1i32;
    let _ = set_option(fd, libc::SOL_UDP, libc::UDP_GRO, &on);
    let (level, names) = if is_v6 {
        (libc::IPPROTO_IPV6, [libc::IPV6_RECVTCLASS, libc::IPV6_RECVPKTINFO])
    } else {
        (libc::IPPROTO_IP, [libc::IP_RECVTOS, libc::IP_PKTINFO])
    };
    for name in names {
        let _ = set_option(fd, level, name, &on);
    }
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set_option(fd, libc::SOL_SOCKET, force, &BUFFER).is_err() {
            set_option(fd, libc::SOL_SOCKET, plain, &BUFFER)?;
        }
    }
    Ok(())
}

#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// The receive arena and the headers that describe it.
pub struct Batch {
    pub arena: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// A run of datagrams from one sender: `segment` bytes each, the last may be shorter.
pub struct Run {
    pub from: From,
    pub at: usize,
    pub len: usize,
    pub segment: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            arena: vec![0; BATCH * SLOT],
            // SAFETY: all of these are plain structs for which zeros are a valid value.
            names: vec![unsafe { zeroed() }; BATCH],
            controls: vec![Control([0; CONTROL]); BATCH],
            // SAFETY: as above.
            vectors: vec![unsafe { zeroed() }; BATCH],
            // SAFETY: as above.
            headers: vec![unsafe { zeroed() }; BATCH],
        }
    }
}

impl Batch {
    /// Receives what is there, without waiting; returns the number of runs.
    pub fn receive(&mut self, fd: RawFd) -> io::Result<usize> {
        for i in 0..BATCH {
            let base = self.arena[i * SLOT..].as_mut_ptr().cast();
            self.vectors[i] = libc::iovec { iov_base: base, iov_len: SLOT };
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
        }
        let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT);
        // SAFETY: every header points to this batch's own name, control and arena slot, with their lengths, and
        // none of the vectors is moved while the kernel writes.
        let got = unsafe { libc::recvmmsg(fd, headers, BATCH as u32, flags, std::ptr::null_mut()) };
        match usize::try_from(got) {
            Ok(got) => Ok(got),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                error => Err(error),
            },
        }
    }

    pub fn run(&self, i: usize) -> Option<Run> {
        let header = &self.headers[i];
        let len = header.msg_len as usize;
        let (mut segment, mut tos, mut local) = (len, 0, None);
        // SAFETY: the kernel filled the header's control buffer, which this batch owns; CMSG_* stay within it.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(&header.msg_hdr);
            while !control.is_null() {
                let data = libc::CMSG_DATA(control);
                match ((*control).cmsg_level, (*control).cmsg_type) {
                    (libc::SOL_UDP, libc::UDP_GRO) => segment = data.cast::<i32>().read_unaligned() as usize,
                    // IP_TOS comes as one byte, IPV6_TCLASS as an int; its low byte is first on little-endian.
                    (libc::IPPROTO_IP, libc::IP_TOS) => tos = data.read(),
                    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                        tos = data.cast::<i32>().read_unaligned() as u8
                    }
                    // The address to answer from; of a broadcast it is not the destination.
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                        let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                        local = Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)).into());
                    }
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                        let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                        local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(&header.msg_hdr, control);
            }
        }
        let address = address(&self.names[i])?;
        (len > 0 && segment > 0).then_some(Run {
            from: From { address, local, ecn: tos & 3 },
            at: i * SLOT,
            len,
            segment,
        })
    }
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which struct the storage holds.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            // The scope matters only for link-local addresses; elsewhere it would make equal endpoints differ.
            let scope = if ip.is_unicast_link_local() { v6.sin6_scope_id } else { 0 };
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
        _ => None,
    }
}

/// Headers for sending, kept to spare allocations.
#[derive(Default)]
pub struct Sender {
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers in `headers` and `vectors` are only used within one call of `send`, which fills them anew.
unsafe impl Send for Sender {}
// SAFETY: likewise, `receive` fills them anew.
unsafe impl Send for Batch {}

#[derive(Clone, Copy)]
struct Bytes<'b> {
    own: &'b [u8],
    arena: &'b [u8],
}

impl<'b> Bytes<'b> {
    fn of(&self, train: &Train) -> &'b [u8] {
        let place = if train.is_lent { self.arena } else { self.own };
        &place[train.at..train.at + train.len]
    }
}

impl Sender {
    /// Sends all trains, the lent ones from `arena`; returns how many datagrams were refused.
    pub fn send(&mut self, sockets: &Sockets, out: &Out, arena: &[u8]) -> usize {
        let mut refused = 0;
        let bytes = Bytes { own: out.bytes(), arena };
        let mut rest = out.trains();
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|train| train.to.is_ipv4() == first.to.is_ipv4()).count();
            let (now, later) = rest.split_at(same);
            refused += self.send_family(sockets, now, bytes);
            rest = later;
        }
        refused
    }

    fn send_family(&mut self, sockets: &Sockets, trains: &[Train], bytes: Bytes<'_>) -> usize {
        let fd = sockets.of(trains[0].to);
        let (mut done, mut refused, mut tries) = (0, 0, 0);
        while done < trains.len() {
            if sockets.cannot_segment.load(Relaxed) && trains[done].count > 1 {
                refused += self.send_singly(fd, &trains[done], bytes);
                done += 1;
                continue;
            }
            match self.send_some(fd, &trains[done..], bytes) {
                Ok(sent) => (done, tries) = (done + sent, 0),
                Err(error) => {
                    let train = &trains[done];
                    match error.raw_os_error() {
                        Some(libc::EAGAIN) => wait_until_writable(fd),
                        Some(libc::ENOBUFS) if tries < TRIES => {
                            tries += 1;
                            wait_until_writable(fd);
                        }
                        Some(libc::EINTR) => {}
                        // The address it was asked at is not ours any more: the kernel chooses.
                        Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH)
                            if train.local.is_some() =>
                        {
                            let free = Train { local: None, ..*train };
                            refused += self.send_family(sockets, &[free], bytes);
                            done += 1;
                        }
                        // EIO: the device cannot checksum. EINVAL: a segment is larger than the path MTU.
                        Some(code @ (libc::EIO | libc::EINVAL)) if train.count > 1 => {
                            if code == libc::EIO {
                                sockets.cannot_segment.store(true, Relaxed);
                            }
                            refused += self.send_singly(fd, train, bytes);
                            done += 1;
                        }
                        _ => {
                            refused += train.count;
                            done += 1;
                        }
                    }
                }
            }
        }
        refused
    }

    fn send_singly(&mut self, fd: RawFd, train: &Train, bytes: Bytes<'_>) -> usize {
        let mut refused = 0;
        for offset in (0..train.len).step_by(train.segment) {
            let len = train.segment.min(train.len - offset);
            let single = Train { at: train.at + offset, len, segment: len, count: 1, ..*train };
            if self.send_some(fd, &[single], bytes).is_err() {
                refused += 1;
            }
        }
        refused
    }

    /// One sendmmsg; returns how many trains the kernel took.
    fn send_some(&mut self, fd: RawFd, trains: &[Train], bytes: Bytes<'_>) -> io::Result<usize> {
        let trains = &trains[..trains.len().min(BATCH)];
        // SAFETY: plain structs for which zeros are a valid value.
        let (name, vector, header) = unsafe { (zeroed(), zeroed(), zeroed()) };
        self.names.resize(BATCH, name);
        self.controls.resize(BATCH, Control([0; CONTROL]));
        self.vectors.resize(BATCH, vector);
        self.headers.resize(BATCH, header);
        for (i, train) in trains.iter().enumerate() {
            let data = bytes.of(train);
            self.vectors[i] = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
            let namelen = put_address(&mut self.names[i], train.to);
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = namelen;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            put_control(header, &mut self.controls[i], train);
        }
        // SAFETY: every header points to this sender's own name and control and to `bytes`, which the kernel only
        // reads, although `iovec` says otherwise.
        let sent = unsafe { libc::sendmmsg(fd, self.headers.as_mut_ptr(), trains.len() as u32, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

fn wait_until_writable(fd: RawFd) {
    let _ = poll(&mut [libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }], 100);
}

fn put_address(name: &mut libc::sockaddr_storage, to: SocketAddr) -> libc::socklen_t {
    match to {
        SocketAddr::V4(to) => {
            // SAFETY: the storage is large enough and aligned for every socket address.
            let v4 = unsafe { &mut *(&raw mut *name).cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as _;
            v4.sin_port = to.port().to_be();
            v4.sin_addr.s_addr = to.ip().to_bits().to_be();
            size_of::<libc::sockaddr_in>() as _
        }
        SocketAddr::V6(to) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *(&raw mut *name).cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as _;
            v6.sin6_port = to.port().to_be();
            v6.sin6_flowinfo = 0;
            v6.sin6_addr.s6_addr = to.ip().octets();
            v6.sin6_scope_id = to.scope_id();
            size_of::<libc::sockaddr_in6>() as _
        }
    }
}

/// UDP_SEGMENT where there is more than one datagram, the traffic class where it is not zero, the address to leave by
/// where it is known. No interface with it: that would send past the routes.
fn put_control(header: &mut libc::msghdr, control: &mut Control, train: &Train) {
    let mut len = 0;
    let mut put = |level: i32, kind: i32, value: &[u8]| {
        // SAFETY: CMSG_SPACE only computes; the three messages together are at most 88 bytes, the buffer's length.
        unsafe {
            let place = control.0.as_mut_ptr().add(len).cast::<libc::cmsghdr>();
            (*place).cmsg_level = level;
            (*place).cmsg_type = kind;
            (*place).cmsg_len = libc::CMSG_LEN(value.len() as u32) as _;
            std::ptr::copy_nonoverlapping(value.as_ptr(), libc::CMSG_DATA(place), value.len());
            len += libc::CMSG_SPACE(value.len() as u32) as usize;
        }
    };
    if train.count > 1 {
        put(libc::SOL_UDP, libc::UDP_SEGMENT, &(train.segment as u16).to_ne_bytes());
    }
    if train.tos != 0 {
        let (level, kind) = if train.to.is_ipv4() {
            (libc::IPPROTO_IP, libc::IP_TOS)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
        };
        put(level, kind, &i32::from(train.tos).to_ne_bytes());
    }
    // struct in_pktinfo: interface, address to leave by, unused; struct in6_pktinfo: address, interface.
    match train.local {
        Some(IpAddr::V4(local)) => {
            let mut info = [0; size_of::<libc::in_pktinfo>()];
            info[4..8].copy_from_slice(&local.octets());
            put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(local)) => {
            let mut info = [0; size_of::<libc::in6_pktinfo>()];
            info[..16].copy_from_slice(&local.octets());
            put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        None => {}
    }
    header.msg_control = if len == 0 { std::ptr::null_mut() } else { control.0.as_mut_ptr().cast() };
    header.msg_controllen = len as _;
}

#[cfg(test)]
#[path = "udp_tests.rs"]
mod tests;
