//! The TUN descriptor: reads with and writes after a virtio header where the interface has one (linux/if_tun.h).

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::sys::{check, set_nonblocking};
use crate::offload::join::{Piece, SEGMENTS, Takes};
use crate::offload::vnet::{self, Vnet};

/// The largest read: a packet of 65,535 bytes behind its header.
pub const READ_LEN: usize = vnet::LEN + 65_535;

// linux/if_tun.h: _IOR('T', 210, unsigned int), _IOW('T', 208, unsigned int), _IOW('T', 216, int).
const TUNGETIFF: libc::Ioctl = 0x8004_54d2;
const TUNSETOFFLOAD: libc::Ioctl = 0x4004_54d0;
const TUNSETVNETHDRSZ: libc::Ioctl = 0x4004_54d8;

const TUN_F_CSUM: libc::c_ulong = 0x01;
const TUN_F_TSO4: libc::c_ulong = 0x02;
const TUN_F_TSO6: libc::c_ulong = 0x04;
const TUN_F_TSO_ECN: libc::c_ulong = 0x08;
const TUN_F_USO4: libc::c_ulong = 0x20;
const TUN_F_USO6: libc::c_ulong = 0x40;

pub struct Tun {
    fd: OwnedFd,
    has_header: bool,
    takes: Takes,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Tun {
    /// Takes over an attached descriptor and asks for what it can: TSO, and USO where the kernel has it (6.2).
    /// None of these calls needs a privilege once the descriptor is attached.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: an interface request is plain bytes; all zeros is one.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // SAFETY: TUNGETIFF writes one interface request.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNGETIFF, &raw mut request) })?;
        // SAFETY: TUNGETIFF filled in the flags variant.
        let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
        set_nonblocking(fd.as_raw_fd(), true)?;
        let has_header = flags & libc::IFF_VNET_HDR != 0;
        let takes = if has_header { set_offload(fd.as_raw_fd())? } else { Takes { tcp: false, udp: false } };
        Ok(Self { fd, has_header, takes, name: request.ifr_name })
    }

    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub fn has_header(&self) -> bool {
        self.has_header
    }

    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// Reads one packet into `buffer`; None when there is none.
    pub fn read<'b>(&self, buffer: &'b mut [u8; READ_LEN]) -> io::Result<Option<(Vnet, &'b mut [u8])>> {
        let head = if self.has_header { 0 } else { vnet::LEN };
        let place = &mut buffer[head..];
        // SAFETY: pointer and length are those of `place`.
        let got = unsafe { libc::read(self.fd(), place.as_mut_ptr().cast(), place.len()) };
        let Ok(got) = usize::try_from(got) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        };
        let (header, packet) = buffer[..head + got].split_at_mut(vnet::LEN.min(head + got));
        let parsed = match <&[u8; vnet::LEN]>::try_from(&*header) {
            Ok(header) if self.has_header => Vnet::parse(header),
            _ => Some(Vnet::default()),
        };
        // A kind of packet nobody asked for cannot come; an empty one is counted as no IP.
        Ok(Some(parsed.map_or_else(|| (Vnet::default(), &mut [][..]), |parsed| (parsed, packet))))
    }

    /// Writes one packet made of pieces of `arena`.
    pub fn write(&self, header: &Vnet, pieces: &[Piece], arena: &[u8]) -> io::Result<()> {
        let header = header.print();
        let mut slices = [IoSlice::new(&header); 1 + SEGMENTS];
        for (slice, piece) in slices[1..].iter_mut().zip(pieces) {
            *slice = IoSlice::new(&arena[piece.at..piece.at + piece.len]);
        }
        let slices = &slices[usize::from(!self.has_header)..=pieces.len()];
        // SAFETY: `IoSlice` has the layout of `iovec` (documented), and each points to live bytes.
        let put = unsafe { libc::writev(self.fd(), slices.as_ptr().cast(), slices.len() as i32) };
        if put < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Inside MTU, asked through any socket (SIOCGIFMTU).
    pub fn mtu(&self, socket: RawFd) -> io::Result<usize> {
        // SAFETY: an interface request is plain bytes; all zeros is one.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name = self.name;
        // SAFETY: SIOCGIFMTU reads the name and writes the MTU variant of one interface request.
        check(unsafe { libc::ioctl(socket, libc::SIOCGIFMTU, &raw mut request) })?;
        // SAFETY: SIOCGIFMTU filled in the MTU variant.
        Ok(unsafe { request.ifr_ifru.ifru_mtu } as usize)
    }
}

fn set_offload(fd: RawFd) -> io::Result<Takes> {
    let header = vnet::LEN as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one integer.
    check(unsafe { libc::ioctl(fd, TUNSETVNETHDRSZ, &raw const header) })?;
    let tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    let offload = |features: libc::c_ulong| {
        // SAFETY: TUNSETOFFLOAD takes the features as its argument itself.
        check(unsafe { libc::ioctl(fd, TUNSETOFFLOAD, features) })
    };
    if offload(tcp | TUN_F_USO4 | TUN_F_USO6).is_ok() {
        return Ok(Takes { tcp: true, udp: true });
    }
    offload(tcp)?;
    Ok(Takes { tcp: true, udp: false })
}
