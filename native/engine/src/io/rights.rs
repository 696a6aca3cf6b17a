//! Giving rights away: dies with its parent, no root, no capability, nothing to gain by exec, and a short list of
//! system calls none of which opens a file.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::ports::Origin;
use super::sys::check;

/// User and group to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub user: u32,
    pub group: u32,
}

/// SIGKILL when the parent thread ends. `parent` was asked before: if it is another now, the parent died in between
/// and the signal would never come.
pub fn die_with_parent(parent: i32) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    // SAFETY: has no arguments and cannot fail.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::other("the parent ended during start"));
    }
    Ok(())
}

/// Becomes `ids` when running as root, and drops every capability. Call it before there are threads: capabilities
/// belong to each thread. With sockets of our own CAP_NET_ADMIN stays, for marks and buffers of sockets opened later.
pub fn drop_privileges(ids: Option<Ids>, origin: Origin) -> io::Result<()> {
    // SAFETY: has no arguments and cannot fail.
    if let Some(ids) = ids.filter(|_| unsafe { libc::geteuid() } == 0) {
        // SAFETY: an empty list of groups; then three ids each.
        unsafe {
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(ids.group, ids.group, ids.group))?;
            check(libc::setresuid(ids.user, ids.user, ids.user))?;
        }
    }
    keep_capabilities(if origin == Origin::Own { 1 << CAP_NET_ADMIN } else { 0 })?;
    // SAFETY: takes four integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// linux/capability.h
const CAP_NET_ADMIN: u32 = 12;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

fn keep_capabilities(wanted: u32) -> io::Result<()> {
    let header = [CAPABILITY_VERSION_3, 0];
    let mut has = [0u32; 6];
    // SAFETY: version 3 writes two triples (effective, permitted, inheritable) of 32 bits.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), has.as_mut_ptr()) } as i32)?;
    let kept = wanted & has[1];
    let sets = [kept, kept, 0, 0, 0, 0];
    // SAFETY: version 3 reads two triples of 32 bits.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } as i32)?;
    // SAFETY: takes five integers.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }).map(drop)
}

/// Packets, waiting, clocks, random bytes, memory, the UAPI socket, ending.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvmmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    // Descriptors over the UAPI socket, and what a socket needs that takes another's place.
    libc::SYS_recvmsg,
    libc::SYS_setsockopt,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_sendto,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_accept4,
    libc::SYS_close,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    // SIOCGIFMTU, and FIONBIO on accepted clients.
    libc::SYS_ioctl,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Only for sockets of our own, which `listen_port` exchanges.
const CALLS_OF_OWN_SOCKETS: &[libc::c_long] = &[libc::SYS_socket, libc::SYS_bind];

/// Holds for all threads. Another call fails with EPERM rather than ending the process: a C library that asks for
/// something harmless must not cost the tunnel.
pub fn restrict_calls(origin: Origin) -> io::Result<()> {
    let own = if origin == Origin::Own { CALLS_OF_OWN_SOCKETS } else { &[] };
    let rules: BTreeMap<i64, _> = CALLS.iter().chain(own).map(|call| (*call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}
