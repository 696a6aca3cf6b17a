//! The only place that reads clocks and randomness.

use crate::engine::Now;

/// CLOCK_BOOTTIME counts suspended time, so that keys age while a laptop sleeps. One second is added because the
/// engine takes 0 for "not set".
pub fn now() -> Now {
    let boot = read(libc::CLOCK_BOOTTIME);
    let unix = read(libc::CLOCK_REALTIME);
    Now { ms: boot / 1_000_000 + 1_000, unix_ns: unix }
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place to write to, and both clocks exist on every Linux this runs on.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Fills with random bytes from the kernel.
pub fn entropy(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: pointer and length are those of `rest`.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            // Only EINTR is possible; without randomness there is no safe way on.
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => std::process::abort(),
        }
    }
}
