//! Preloaded into an engine under test (LD_PRELOAD), for no test may set the machine's clock or use up its memory: moves
//! the clocks it reads, and refuses what it writes. The file that `CULVERT_FAULTS` names says how, in numbers of 64 bits:
//!
//! ```text
//! 0  seconds added to CLOCK_REALTIME     2  error code for every write to the TUN
//! 1  seconds added to CLOCK_BOOTTIME     3  error code for every send
//! ```
//! Read anew at every call. Mapped when it is loaded: later the engine may open no file.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::Relaxed};

use libc::{c_int, c_uint, clockid_t, iovec, mmsghdr, timespec};

type Faults = [AtomicI64; 4];

static FAULTS: AtomicPtr<Faults> = AtomicPtr::new(std::ptr::null_mut());

#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn() = map;

extern "C" fn map() {
    const NAME: &CStr = c"CULVERT_FAULTS";
    // SAFETY: getenv and open read strings that live; the mapping is checked and stays for ever.
    unsafe {
        let path = libc::getenv(NAME.as_ptr());
        let fd = if path.is_null() { -1 } else { libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC) };
        let map =
            libc::mmap(std::ptr::null_mut(), size_of::<Faults>(), libc::PROT_READ, libc::MAP_SHARED, fd, 0);
        if map != libc::MAP_FAILED {
            FAULTS.store(map.cast(), Relaxed);
        }
    }
}

fn fault(number: usize) -> i64 {
    // SAFETY: null, or the mapping of that many numbers.
    unsafe { FAULTS.load(Relaxed).as_ref() }.map_or(0, |faults| faults[number].load(Relaxed))
}

/// True when the call is to fail with what stands at `number`.
fn fails(number: usize) -> bool {
    let code = fault(number);
    // SAFETY: the place of this thread's error code.
    unsafe { *libc::__errno_location() = code as c_int };
    code != 0
}

/// # Safety
/// As clock_gettime(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let done = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    let number = match clock {
        libc::CLOCK_REALTIME => 0,
        libc::CLOCK_BOOTTIME => 1,
        _ => return done,
    };
    if done == 0 {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += fault(number) };
    }
    done
}

/// # Safety
/// As writev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> isize {
    if fails(2) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_writev, fd, pieces, count) as isize }
}

/// # Safety
/// As sendmmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmmsg(fd: c_int, headers: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    if fails(3) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_sendmmsg, fd, headers, count, flags) as c_int }
}
