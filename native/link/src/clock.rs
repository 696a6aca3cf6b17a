//! The only place that reads a clock. Records carry wall time, because the lab compares them with what other processes
//! did; deadlines are monotonic.

pub const SECOND: u64 = 1_000_000_000;

/// CLOCK_REALTIME in nanoseconds.
pub fn realtime() -> u64 {
    read(libc::CLOCK_REALTIME)
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec for the kernel to fill; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec as u64 * SECOND + now.tv_nsec as u64
}
