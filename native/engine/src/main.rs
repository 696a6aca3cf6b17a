//! Descriptors in, rights away, run. The boundary is described in `README.md`.

use std::env;
use std::io::{self, Error};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use culvert_engine::engine::Engine;
use culvert_engine::io::ports::{self, Origin};
use culvert_engine::io::rights::{self, Ids};
use culvert_engine::io::run::{self, Duty, Shared};
use culvert_engine::io::sys::Bell;
use culvert_engine::io::tun::Tun;
use culvert_engine::io::udp::Sockets;
use culvert_engine::io::{clock, control};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("culvert-engine: {panic}");
        std::process::abort();
    }));
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("culvert-engine: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> io::Result<()> {
    // SAFETY: has no arguments and cannot fail.
    let parent = unsafe { libc::getppid() };
    rights::die_with_parent(parent)?;

    let tun = Tun::new(descriptor("WG_TUN_FD")?).map_err(|error| at("taking the TUN", &error))?;
    let tap = tap()?;
    let listener = UnixListener::from(descriptor("WG_UAPI_FD")?);
    let (sockets, origin) = sockets()?;

    rights::drop_privileges(ids()?, origin).map_err(|error| at("dropping privileges", &error))?;
    // Changing the user clears the signal.
    rights::die_with_parent(parent)?;

    let shared = Arc::new(Shared {
        engine: Engine::new(clock::entropy),
        tun,
        tap,
        sockets,
        origin,
        bell: Bell::new()?,
        rebound: Bell::new()?,
        events: Mutex::default(),
        duty: Duty::new()?,
    });
    run::start(&shared)?;
    rights::restrict_calls(origin).map_err(|error| at("restricting system calls", &error))?;
    control::run(&shared, &listener)
}

fn sockets() -> io::Result<(Sockets, Origin)> {
    let Ok(text) = env::var("CULVERT_UDP_FDS") else {
        return Ok((ports::open_own().map_err(|error| at("opening UDP sockets", &error))?, Origin::Own));
    };
    let mut fds = text.split(',').map(|number| take(number, "CULVERT_UDP_FDS"));
    let (v4, v6) = (fds.next().transpose()?, fds.next().transpose()?);
    let v4 = v4.ok_or_else(|| Error::other("CULVERT_UDP_FDS is empty"))?;
    Ok((Sockets::new(v4, v6).map_err(|error| at("taking the UDP sockets", &error))?, Origin::Given))
}

/// Frames are not cut, so the TAP may not have the virtio header.
fn tap() -> io::Result<Option<Tun>> {
    if env::var("CULVERT_TAP_FD").is_err() {
        return Ok(None);
    }
    let tap = Tun::new(descriptor("CULVERT_TAP_FD")?).map_err(|error| at("taking the TAP", &error))?;
    if tap.has_header() {
        return Err(Error::other("CULVERT_TAP_FD: opened with IFF_VNET_HDR"));
    }
    Ok(Some(tap))
}

fn descriptor(name: &str) -> io::Result<OwnedFd> {
    take(&env::var(name).map_err(|_| Error::other(format!("{name} is not set")))?, name)
}

fn take(number: &str, name: &str) -> io::Result<OwnedFd> {
    let fd: RawFd =
        number.parse().map_err(|_| Error::other(format!("{name}: {number:?} is no descriptor")))?;
    // SAFETY: F_GETFD only looks whether the descriptor is open.
    if fd < 3 || unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(Error::other(format!("{name}: descriptor {fd} is not open")));
    }
    // SAFETY: it is open, and by the boundary it is ours; each is taken once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ids() -> io::Result<Option<Ids>> {
    let read = |name: &str| match env::var(name) {
        Ok(text) => text.parse().map(Some).map_err(|_| Error::other(format!("{name}: {text:?} is no id"))),
        Err(_) => Ok(None),
    };
    let (user, group) = (read("CULVERT_ENGINE_UID")?, read("CULVERT_ENGINE_GID")?);
    Ok(user.zip(group).map(|(user, group)| Ids { user, group }))
}

fn at(doing: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("{doing}: {error}"))
}
