//! A TAP device inside another network namespace, held by this process: when it ends, the device is gone.
//!
//! The device belongs to the namespace of the thread that opens /dev/net/tun, so the thread steps in, opens, and steps
//! back. No offload is asked for: the kernel hands over finished frames, checksums done, nothing larger than the MTU.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use serde::Deserialize;

// linux/if_tun.h
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETCARRIER: libc::c_ulong = 0x4004_54e2;
const IFF_TAP: libc::c_short = 0x0002;
const IFF_NO_PI: libc::c_short = 0x1000;
/// What a port is: a device of this name in the network namespace of this process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortSpec {
    pub name: String,
    pub pid: u32,
    pub device: String,
    pub mac: String,
}

pub struct Tap {
    fd: OwnedFd,
}

impl Tap {
    pub fn open(spec: &PortSpec) -> io::Result<Tap> {
        let home = File::open("/proc/thread-self/ns/net")?;
        let there = File::open(format!("/proc/{}/ns/net", spec.pid))?;
        enter(&there)?;
        let opened = open_here(spec);
        enter(&home)?;
        opened
    }

    pub fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// None: nothing there to be read. A device that is down or deleted reads as nothing, too.
    pub fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into a live buffer.
        let n = unsafe { libc::read(self.raw(), buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(n).ok().filter(|n| *n > 0)
    }

    /// False: the machine did not take it (its device is down, or without carrier).
    pub fn write(&self, frame: &[u8]) -> bool {
        // SAFETY: the kernel reads `frame.len()` bytes of a live slice.
        let n = unsafe { libc::write(self.raw(), frame.as_ptr().cast(), frame.len()) };
        usize::try_from(n) == Ok(frame.len())
    }

    pub fn carrier(&self, on: bool) -> io::Result<()> {
        let value = libc::c_int::from(on);
        // SAFETY: TUNSETCARRIER reads one int through the pointer.
        check(unsafe { libc::ioctl(self.raw(), TUNSETCARRIER, &value) })
    }
}

fn open_here(spec: &PortSpec) -> io::Result<Tap> {
    // SAFETY: a NUL-terminated constant path.
    let raw =
        unsafe { libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC) };
    check(raw)?;
    // SAFETY: `raw` was just opened and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };

    let mut request = named(&spec.device)?;
    request.ifr_ifru.ifru_flags = IFF_TAP | IFF_NO_PI;
    // SAFETY: TUNSETIFF reads and writes one ifreq.
    check(unsafe { libc::ioctl(raw, TUNSETIFF, &mut request) })?;

    request.ifr_ifru.ifru_hwaddr = hardware_address(&spec.mac)?;
    // SAFETY: SIOCSIFHWADDR on a TAP descriptor reads one ifreq.
    check(unsafe { libc::ioctl(raw, libc::SIOCSIFHWADDR as libc::Ioctl, &request) })?;
    Ok(Tap { fd })
}

fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: setns changes only this thread's network namespace.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

fn named(device: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain old data, all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if device.is_empty() || device.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("device name {device:?}")));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn hardware_address(mac: &str) -> io::Result<libc::sockaddr> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, format!("hardware address {mac:?}"));
    let bytes: Vec<u8> = mac
        .split(':')
        .map(|part| u8::from_str_radix(part, 16))
        .collect::<Result<_, _>>()
        .map_err(|_| wrong())?;
    if bytes.len() != 6 {
        return Err(wrong());
    }
    // SAFETY: sockaddr is plain old data, all zeros is a valid value.
    let mut address: libc::sockaddr = unsafe { std::mem::zeroed() };
    address.sa_family = libc::ARPHRD_ETHER;
    for (to, from) in address.sa_data.iter_mut().zip(bytes) {
        *to = from as libc::c_char;
    }
    Ok(address)
}

pub fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
