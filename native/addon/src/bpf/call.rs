//! bpf(2), one function a command. The attributes are those of union bpf_attr (linux/bpf.h), written word by word at
//! their places, so that no kernel header is needed and what is not said is zero.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::sys::{Errno, last};

pub const HASH: u32 = 1;
pub const ARRAY: u32 = 2;
pub const LRU_HASH: u32 = 9;
pub const PREFIXES: u32 = 11;

/// BPF_F_NO_PREALLOC
pub const ON_DEMAND: u32 = 1;
/// BPF_ANY, BPF_NOEXIST
pub const ANY: u64 = 0;
pub const ABSENT: u64 = 1;

const MAP_CREATE: i32 = 0;
const LOOKUP: i32 = 1;
const UPDATE: i32 = 2;
const DELETE: i32 = 3;
const NEXT_KEY: i32 = 4;
const PROG_LOAD: i32 = 5;
const PIN: i32 = 6;
const GET: i32 = 7;
const TRACEPOINT_OPEN: i32 = 17;
const LINK_CREATE: i32 = 28;
const ITER_CREATE: i32 = 33;

pub struct MapForm {
    pub name: &'static str,
    pub kind: u32,
    pub key: u32,
    pub value: u32,
    pub entries: u32,
    pub flags: u32,
}

pub struct ProgramForm<'a> {
    pub name: &'a str,
    /// BPF_PROG_TYPE_*, BPF_CGROUP_* or BPF_TRACE_*
    pub kind: u32,
    pub attach: u32,
    /// What it is attached to, in the kernel's BTF; 0 for a cgroup's.
    pub attach_to: u32,
    pub code: &'a [[u8; 8]],
}

/// The attributes of the largest command used here.
struct Attributes([u8; 128]);

impl Attributes {
    fn new() -> Self {
        Self([0; 128])
    }
    fn word(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }
    fn double(mut self, at: usize, value: u64) -> Self {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }
    fn pointer<T>(self, at: usize, to: *const T) -> Self {
        self.double(at, to.expose_provenance() as u64)
    }
    /// BPF_OBJ_NAME_LEN is 16, the end included.
    fn name(mut self, at: usize, name: &str) -> Self {
        let bytes = &name.as_bytes()[..name.len().min(15)];
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
}

pub fn create_map(form: &MapForm) -> Result<OwnedFd, Errno> {
    let attributes = Attributes::new()
        .word(0, form.kind)
        .word(4, form.key)
        .word(8, form.value)
        .word(12, form.entries)
        .word(16, form.flags)
        .name(28, form.name);
    descriptor(MAP_CREATE, attributes)
}

/// The value of a key, `None` where there is none.
pub fn lookup(map: RawFd, key: &[u8], value: &mut [u8]) -> Result<bool, Errno> {
    let attributes = Attributes::new()
        .word(0, map as u32)
        .pointer(8, key.as_ptr())
        .pointer(16, value.as_mut_ptr().cast_const());
    found(call(LOOKUP, attributes))
}

pub fn update(map: RawFd, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
    let attributes = Attributes::new()
        .word(0, map as u32)
        .pointer(8, key.as_ptr())
        .pointer(16, value.as_ptr())
        .double(24, flags);
    call(UPDATE, attributes).map(|_| ())
}

pub fn delete(map: RawFd, key: &[u8]) -> Result<bool, Errno> {
    found(call(DELETE, Attributes::new().word(0, map as u32).pointer(8, key.as_ptr())))
}

/// The key after `key`, or the first.
pub fn next_key(map: RawFd, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool, Errno> {
    let from = key.map_or(std::ptr::null(), <[u8]>::as_ptr);
    let attributes =
        Attributes::new().word(0, map as u32).pointer(8, from).pointer(16, next.as_mut_ptr().cast_const());
    found(call(NEXT_KEY, attributes))
}

/// `log`: where the verifier writes why it refused.
pub fn load(form: &ProgramForm, log: Option<&mut [u8]>) -> Result<OwnedFd, Errno> {
    let licence = super::programs::LICENCE;
    let mut attributes = Attributes::new()
        .word(0, form.kind)
        .word(4, form.code.len() as u32)
        .pointer(8, form.code.as_ptr())
        .pointer(16, licence.as_ptr())
        .name(48, form.name)
        .word(68, form.attach)
        .word(108, form.attach_to);
    if let Some(log) = log {
        attributes =
            attributes.word(24, 1).word(28, log.len() as u32).pointer(32, log.as_mut_ptr().cast_const());
    }
    descriptor(PROG_LOAD, attributes)
}

/// To a tracepoint or a function, whichever the program was loaded for.
pub fn attach_tracing(program: RawFd) -> Result<OwnedFd, Errno> {
    descriptor(TRACEPOINT_OPEN, Attributes::new().word(8, program as u32))
}

/// `target`: a cgroup's directory, 0 for an iterator. A link stands beside those of others (BPF_F_ALLOW_MULTI).
pub fn attach(program: RawFd, target: RawFd, kind: u32) -> Result<OwnedFd, Errno> {
    descriptor(LINK_CREATE, Attributes::new().word(0, program as u32).word(4, target as u32).word(8, kind))
}

/// A reading of what an attached iterator tells.
pub fn iterate(link: RawFd) -> Result<OwnedFd, Errno> {
    descriptor(ITER_CREATE, Attributes::new().word(0, link as u32))
}

pub fn pin(fd: RawFd, path: &str) -> Result<(), Errno> {
    let path = CString::new(path).map_err(|_| Errno(libc::EINVAL))?;
    call(PIN, Attributes::new().pointer(0, path.as_ptr()).word(8, fd as u32)).map(|_| ())
}

pub fn pinned(path: &str) -> Result<OwnedFd, Errno> {
    let path = CString::new(path).map_err(|_| Errno(libc::EINVAL))?;
    descriptor(GET, Attributes::new().pointer(0, path.as_ptr()))
}

/// Everything an iterator tells, as it comes.
pub fn read_all(fd: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        // SAFETY: pointer and length describe `part`
        let got = unsafe { libc::read(fd.as_raw_fd(), part.as_mut_ptr().cast(), part.len()) };
        match got {
            0 => return Ok(all),
            got if got > 0 => all.extend_from_slice(&part[..got as usize]),
            _ if last() == Errno(libc::EINTR) || last() == Errno(libc::EAGAIN) => {}
            _ => return Err(last()),
        }
    }
}

fn found(answer: Result<i32, Errno>) -> Result<bool, Errno> {
    match answer {
        Ok(_) => Ok(true),
        Err(Errno(libc::ENOENT)) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn descriptor(command: i32, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let fd = call(command, attributes)?;
    // SAFETY: the kernel made this descriptor for us (close-on-exec, as all of bpf's), nobody else has it
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call(command: i32, attributes: Attributes) -> Result<i32, Errno> {
    // SAFETY: the attributes live through the call, and so does what they point at: each caller above holds it
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.0.as_ptr(), attributes.0.len()) };
    if answer < 0 { Err(last()) } else { Ok(answer as i32) }
}
