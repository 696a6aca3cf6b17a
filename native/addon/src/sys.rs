//! The few system calls everything here stands on, each wrapped once so that the rest needs no `unsafe`.

use std::ffi::CString;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What the kernel answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// A refused call: what was being done, and the kernel's answer.
#[derive(Debug)]
pub struct Fault {
    pub doing: String,
    pub errno: Errno,
}

pub type Outcome<T> = Result<T, Fault>;

pub trait Doing<T> {
    /// Names what was being done, for the message the caller reads.
    fn doing(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T> Doing<T> for Result<T, Errno> {
    fn doing(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|errno| Fault { doing: what.into(), errno })
    }
}

pub fn last() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

pub fn check(answer: i32) -> Result<i32, Errno> {
    if answer < 0 { Err(last()) } else { Ok(answer) }
}

/// Every descriptor made here is close-on-exec: an engine that inherited the nft socket would keep the ownership of the
/// tables alive (kernel/README 5.19).
pub fn socket(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed; the new descriptor belongs to nobody else
    unsafe {
        let fd = check(libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub fn open(path: &str, flags: i32) -> Result<OwnedFd, Errno> {
    let path = CString::new(path).map_err(|_| Errno(libc::EINVAL))?;
    // SAFETY: the path is a terminated string that outlives the call
    unsafe {
        let fd = check(libc::open(path.as_ptr(), flags | libc::O_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub fn close(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: closing a descriptor number touches no memory of ours
    unsafe { check(libc::close(fd)).map(|_| ()) }
}

pub fn set_option<T: Copy>(fd: RawFd, level: i32, name: i32, value: T) -> Result<(), Errno> {
    // SAFETY: pointer and length describe `value`, which lives through the call
    unsafe {
        let pointer = (&raw const value).cast();
        check(libc::setsockopt(fd, level, name, pointer, size_of_val(&value) as libc::socklen_t)).map(|_| ())
    }
}

/// T must be a plain C structure for which all zeros is a value.
pub fn option<T: Copy>(fd: RawFd, level: i32, name: i32) -> Result<T, Errno> {
    // SAFETY: the kernel writes at most the length given, which is that of `value`; callers pass plain C structures
    unsafe {
        let mut value: T = zeroed();
        let mut length = size_of::<T>() as libc::socklen_t;
        check(libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length))?;
        Ok(value)
    }
}

/// An option whose length only the kernel knows (SO_PEERGROUPS): a list of 32 bit words.
pub fn option_words(fd: RawFd, level: i32, name: i32) -> Result<Vec<u32>, Errno> {
    let mut words = vec![0u32; 64];
    loop {
        let mut length = (words.len() * 4) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes, the size of the vector
        let answer =
            unsafe { check(libc::getsockopt(fd, level, name, words.as_mut_ptr().cast(), &raw mut length)) };
        let needed = length as usize / 4;
        match answer {
            Ok(_) => {
                words.truncate(needed);
                return Ok(words);
            }
            Err(Errno(libc::ERANGE)) if needed > words.len() => words.resize(needed, 0),
            Err(errno) => return Err(errno),
        }
    }
}

/// `address` is one of the `sockaddr_*` structures.
pub fn bind<T: Copy>(fd: RawFd, address: &T) -> Result<(), Errno> {
    // SAFETY: pointer and length describe `address`
    unsafe {
        let pointer = std::ptr::from_ref(address).cast();
        check(libc::bind(fd, pointer, size_of::<T>() as libc::socklen_t)).map(|_| ())
    }
}

/// The own address of a socket, as the `sockaddr_*` structure it was bound with.
pub fn own_address<T: Copy>(fd: RawFd) -> Result<T, Errno> {
    // SAFETY: the kernel writes at most the length given; callers pass plain C structures
    unsafe {
        let mut address: T = zeroed();
        let mut length = size_of::<T>() as libc::socklen_t;
        check(libc::getsockname(fd, (&raw mut address).cast(), &raw mut length))?;
        Ok(address)
    }
}

pub fn send(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: pointer and length describe `bytes`
    let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(last()) } else { Ok(sent as usize) }
}

pub fn send_to<T: Copy>(fd: RawFd, bytes: &[u8], address: &T) -> Result<usize, Errno> {
    // SAFETY: both pointers come with the length of what they point at
    let sent = unsafe {
        let to = std::ptr::from_ref(address).cast();
        libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, to, size_of::<T>() as libc::socklen_t)
    };
    if sent < 0 { Err(last()) } else { Ok(sent as usize) }
}

pub fn receive(fd: RawFd, buffer: &mut [u8], flags: i32) -> Result<usize, Errno> {
    // SAFETY: pointer and length describe `buffer`
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    if got < 0 { Err(last()) } else { Ok(got as usize) }
}

pub fn read(fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: pointer and length describe `buffer`
    let got = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    if got < 0 { Err(last()) } else { Ok(got as usize) }
}

/// Memory shared with the kernel through a descriptor, from its beginning.
pub fn map(fd: RawFd, length: usize) -> Result<*mut u8, Errno> {
    // SAFETY: a new mapping where the kernel chooses; nothing of ours lies there
    let at = unsafe {
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(std::ptr::null_mut(), length, rights, libc::MAP_SHARED, fd, 0)
    };
    if at == libc::MAP_FAILED { Err(last()) } else { Ok(at.cast()) }
}

/// What `map` gave, with the same length; nothing may point into it any more.
pub fn unmap(at: *mut u8, length: usize) {
    // SAFETY: callers give back exactly what `map` gave them
    unsafe { libc::munmap(at.cast(), length) };
}

/// Waits until one of the descriptors can be read, or the time is over. Gives which are ready.
pub fn readable(fds: &[RawFd], timeout_ms: i32) -> Result<Vec<bool>, Errno> {
    let mut list: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: pointer and count describe `list`
    match unsafe { check(libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, timeout_ms)) } {
        Ok(_) => Ok(list.iter().map(|entry| entry.revents != 0).collect()),
        Err(Errno(libc::EINTR)) => Ok(vec![false; fds.len()]),
        Err(errno) => Err(errno),
    }
}

/// `ioctl` with a structure that the kernel reads and may write.
pub fn ioctl<T: Copy>(fd: RawFd, request: u64, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: callers pair the request with the structure it is defined for
    unsafe { check(libc::ioctl(fd, request as libc::Ioctl, std::ptr::from_mut(argument))).map(|_| ()) }
}

/// `ioctl` whose argument is a number.
pub fn ioctl_number(fd: RawFd, request: u64, argument: u64) -> Result<(), Errno> {
    // SAFETY: these requests take their argument by value
    unsafe { check(libc::ioctl(fd, request as libc::Ioctl, argument)).map(|_| ()) }
}

/// A descriptor that wakes a thread out of `readable`.
pub fn event() -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed; the new descriptor belongs to nobody else
    unsafe {
        let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub fn wake(event: &OwnedFd) {
    let one = 1u64;
    // SAFETY: eight bytes from a live local; the only failure is a counter that is already set
    unsafe { libc::write(event.as_raw_fd(), (&raw const one).cast(), 8) };
}

/// Monotonic time that goes on while the machine sleeps, nanoseconds.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure given; CLOCK_BOOTTIME exists since Linux 2.6.39
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn index_of(name: &str) -> Result<u32, Errno> {
    let name = CString::new(name).map_err(|_| Errno(libc::EINVAL))?;
    // SAFETY: a terminated string that outlives the call
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Errno(libc::ENODEV)),
        index => Ok(index),
    }
}

impl Errno {
    /// The symbol of errno(3); what is not in the list is `E` and the number.
    pub fn name(self) -> String {
        let known = NAMES.iter().find(|(number, _)| *number == self.0);
        known.map_or_else(|| format!("E{}", self.0), |(_, name)| (*name).to_string())
    }
}

macro_rules! names { ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] } }
const NAMES: &[(i32, &str)] = names!(
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV ENODEV ENOTDIR
    EISDIR EINVAL ENFILE EMFILE ENOTTY EFBIG ENOSPC EROFS EPIPE ERANGE ENAMETOOLONG ENOTEMPTY ELOOP EPROTO EBADMSG
    EOVERFLOW EBADFD ENOTSOCK EDESTADDRREQ EMSGSIZE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP
    EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ECONNRESET ENOBUFS EISCONN ENOTCONN
    ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY ERESTART
);
