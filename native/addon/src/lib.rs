//! The edge to the kernel for what Node cannot do. Decides nothing: each function is one question or one order.
//!
//! Lists and unions cross as JSON text, whose types are helper/plan's own: one copy for a hundred thousand routes
//! instead of a call per field. helper/kernel/native.ts is the only file that imports this, and gives the types back.
//! Refusals of the kernel to single changes are values; a call that cannot be made at all throws with the errno's
//! symbol as `code`. Descriptors are plain numbers and belong to the caller.

// called from JavaScript alone, and a test build registers nothing there
#[cfg_attr(test, allow(dead_code))]
mod app_marks;
#[cfg_attr(test, allow(dead_code))]
mod bpf;
mod canary;
mod file_key;
mod memory;
mod netlink;
mod nft;
mod peer;
mod ping;
mod socket;
mod sys;
mod tun;
mod watch;
mod wire;

use std::os::fd::IntoRawFd;

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, Task};
use napi_derive::napi;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::{Doing, Errno, Fault, Outcome};

/// An rtnetlink socket.
#[napi]
pub fn netlink_open() -> Result<i32, String> {
    Ok(done(netlink::socket::open(libc::NETLINK_ROUTE))?.into_raw_fd())
}

/// An nfnetlink socket; tables made with owner are its own for as long as it is open.
#[napi]
pub fn nft_open() -> Result<i32, String> {
    Ok(done(netlink::socket::open(libc::NETLINK_NETFILTER))?.into_raw_fd())
}

/// The netlink port of a socket: how its changes are signed in announcements.
#[napi]
pub fn netlink_port(fd: i32) -> Result<u32, String> {
    let own: Outcome<libc::sockaddr_nl> = sys::own_address(fd).doing("reading a netlink port");
    Ok(done(own)?.nl_pid)
}

/// `without`: first and last of the tables whose routes are not asked for.
#[napi]
pub fn netlink_read(fd: i32, without: Option<Vec<u32>>) -> Result<String, String> {
    let range = |tables: &[u32]| Some(*tables.first()?..=*tables.last()?);
    text(netlink::read::read(fd, without.as_deref().and_then(range)))
}

#[napi]
pub fn netlink_apply(fd: i32, operations: String) -> Result<String, String> {
    let operations: Vec<netlink::operation::Operation> = parse(&operations)?;
    text(netlink::operation::apply(fd, &operations))
}

/// Routes and the gate's sets at once, each on its socket: two locks of the kernel's, and no packet's way leads over both
/// while the sets are in no chain yet.
#[napi]
pub fn lay_both(
    route_fd: i32,
    operations: String,
    nft_fd: i32,
    changes: String,
    generation: Option<u32>,
) -> Result<Vec<String>, String> {
    std::thread::scope(|scope| {
        let routing = scope.spawn(|| netlink_apply(route_fd, operations));
        let gate = nft_apply(nft_fd, changes, generation);
        let routing =
            routing.join().map_err(|_| napi::Error::new("EIO".into(), "a thread ended".to_string()))?;
        Ok(vec![routing?, gate?])
    })
}

#[napi]
pub fn route_get(fd: i32, question: String) -> Result<String, String> {
    let question: netlink::question::Question = parse(&question)?;
    text(netlink::question::ask(fd, &question))
}

#[napi]
pub fn nft_list(fd: i32) -> Result<String, String> {
    text(nft::read::list(fd))
}

#[napi]
pub fn nft_generation(fd: i32) -> Result<u32, String> {
    done(nft::generation(fd))
}

#[napi]
pub fn nft_read(fd: i32, family: String, name: String, known: Option<Vec<String>>) -> Result<String, String> {
    let family = parse(&format!("{family:?}"))?;
    text(nft::read::read(fd, family, &name, &known.unwrap_or_default()))
}

#[napi]
pub fn nft_apply(fd: i32, changes: String, generation: Option<u32>) -> Result<String, String> {
    let changes: Vec<nft::change::Change> = parse(&changes)?;
    text(nft::change::apply(fd, &changes, generation))
}

#[napi]
pub fn nft_probe(fd: i32) -> Result<String, String> {
    text(nft::probe::probe(fd))
}

#[napi(object)]
pub struct TunOptions {
    pub name: String,
    pub vnet_header: bool,
    pub packet_info: Option<bool>,
    pub persist: Option<bool>,
    pub owner: Option<u32>,
}

#[napi]
pub fn tun_open(options: TunOptions) -> Result<i32, String> {
    let TunOptions { name, vnet_header, packet_info, persist, owner } = options;
    let packet_info = packet_info == Some(true);
    Ok(done(tun::open(&tun::Wanted { name, vnet_header, packet_info, persist, owner }))?.into_raw_fd())
}

#[napi(object)]
pub struct UdpSocket {
    pub fd: i32,
    pub port: u16,
}

#[napi]
pub fn udp_open(family: u8, port: u16, mark: u32, address: Option<String>) -> Result<UdpSocket, String> {
    let (socket, port) = done(socket::udp(family, port, mark, address.as_deref()))?;
    Ok(UdpSocket { fd: socket.into_raw_fd(), port })
}

#[napi]
pub fn tcp_open(family: u8, mark: u32) -> Result<i32, String> {
    Ok(done(socket::tcp(family, mark))?.into_raw_fd())
}

#[napi]
pub fn unix_listen(path: String, mode: u32) -> Result<i32, String> {
    Ok(done(socket::unix(&path, mode))?.into_raw_fd())
}

#[napi(object)]
pub struct PeerCredentials {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

#[napi]
pub fn peer_credentials(fd: i32) -> Result<PeerCredentials, String> {
    let peer::Peer { pid, uid, gid, groups } = done(peer::credentials(fd))?;
    Ok(PeerCredentials { pid, uid, gid, groups })
}

#[napi]
pub fn close_fd(fd: i32) -> Result<(), String> {
    done(sys::close(fd).doing("closing a descriptor"))
}

pub struct Ping {
    addresses: Vec<String>,
    mark: u32,
    timeout_ms: u32,
}

impl Task for Ping {
    type Output = Vec<Option<f64>>;
    type JsValue = Vec<Option<f64>>;

    fn compute(&mut self) -> Result<Self::Output> {
        let answer = ping::ping(&self.addresses, self.mark, self.timeout_ms);
        answer.map_err(|fault| napi::Error::new(Status::GenericFailure, sentence(&fault)))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output)
    }
}

#[napi]
pub fn ping(addresses: Vec<String>, mark: u32, timeout_ms: u32) -> AsyncTask<Ping> {
    AsyncTask::new(Ping { addresses, mark, timeout_ms })
}

/// Announcements until `close`; keeps no event loop alive.
#[napi]
pub struct Watcher {
    watch: watch::Watch,
}

type Listener = ThreadsafeFunction<String, (), String, Status, false, true>;

#[napi]
pub fn watch(listener: Listener) -> Result<Watcher, String> {
    let watch = done(watch::Watch::start(move |event| {
        listener.call(event, ThreadsafeFunctionCallMode::NonBlocking);
    }))?;
    Ok(Watcher { watch })
}

#[napi]
impl Watcher {
    #[napi]
    pub fn close(&mut self) {
        self.watch.close();
    }
}

/// Sees what leaves the uplinks, until `close`.
#[napi]
pub struct WireTap {
    tap: wire::Tap,
}

#[napi]
pub fn wire_tap(rules: String) -> Result<WireTap, String> {
    Ok(WireTap { tap: done(wire::Tap::start(&parse(&rules)?))? })
}

#[napi]
impl WireTap {
    #[napi]
    pub fn follow(&self, rules: String) -> Result<(), String> {
        done(self.tap.follow(&parse(&rules)?))
    }

    #[napi]
    pub fn counts(&self) -> Result<String, String> {
        text(Ok(self.tap.counts()))
    }

    #[napi]
    pub fn look_for(&self, sought: Vec<String>) {
        self.tap.look_for(sought);
    }

    #[napi]
    pub fn close(&mut self) {
        self.tap.close();
    }
}

/// A datagram out of a socket bound to a device.
#[napi]
pub fn send_by(device: String, address: String, port: u16, bytes: Buffer) -> Result<(), String> {
    done(canary::send_by(&device, &address, port, &bytes))
}

/// A raw frame out of a device, for nobody. CAP_NET_RAW.
#[napi]
pub fn frame_send(device: String, ethertype: u16, bytes: Buffer) -> Result<(), String> {
    done(canary::frame(&device, ethertype, &bytes))
}

/// Has malloc keep less of what is freed, from here on.
#[napi]
pub fn memory_keep_little() {
    memory::keep_little();
}

/// Gives back what malloc keeps of what was freed.
#[napi]
pub fn memory_trim() {
    memory::trim();
}

fn done<T>(outcome: Outcome<T>) -> Result<T, String> {
    outcome.map_err(|fault| napi::Error::new(fault.errno.name(), sentence(&fault)))
}

fn sentence(fault: &Fault) -> String {
    format!("{}: {}", fault.doing, fault.errno.name())
}

fn text<T: Serialize>(outcome: Outcome<T>) -> Result<String, String> {
    let value = done(outcome)?;
    serde_json::to_string(&value).map_err(|error| napi::Error::new("EBADMSG".into(), error.to_string()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text)
        .map_err(|error| napi::Error::new(Errno(libc::EINVAL).name(), error.to_string()))
}
