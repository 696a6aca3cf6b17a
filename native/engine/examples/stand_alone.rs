//! Starts the engine as wireguard-go is started, for tests and measurements: makes the TUN and the UAPI socket at
//! /var/run/wireguard/NAME.sock, then becomes the engine. What the helper does in the app.
//!
//! usage: stand_alone ENGINE NAME [plain]      ("plain": a TUN without the virtio header)
//! With CULVERT_TAP it also makes a TAP of that name. With CULVERT_UDP_PORT it also binds the UDP sockets and hands them over.

use std::io::Error;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (engine, name) = (&args[1], &args[2]);
    let has_header = args.get(3).is_none_or(|word| word != "plain");
    let header = if has_header { libc::IFF_VNET_HDR } else { 0 };
    let tun = inheritable(attach(name, libc::IFF_TUN | header));

    let path = format!("/var/run/wireguard/{name}.sock");
    std::fs::create_dir_all("/var/run/wireguard").expect("making /var/run/wireguard");
    let _ = std::fs::remove_file(&path);
    let uapi = inheritable(UnixListener::bind(&path).expect("binding the UAPI socket").into_raw_fd());

    let mut command = Command::new(engine);
    command.arg(name).env("WG_TUN_FD", tun.to_string()).env("WG_UAPI_FD", uapi.to_string());
    if let Ok(tap) = std::env::var("CULVERT_TAP") {
        command.env("CULVERT_TAP_FD", inheritable(attach(&tap, libc::IFF_TAP)).to_string());
    }
    if let Ok(port) = std::env::var("CULVERT_UDP_PORT") {
        let v4 =
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port.parse().expect("a port"))).expect("binding UDP");
        command.env(
            "CULVERT_UDP_FDS",
            format!("{},{}", inheritable(v4.into_raw_fd()), inheritable(udp6(&port))),
        );
    }
    panic!("starting {engine}: {}", command.exec());
}

fn attach(name: &str, flags: i32) -> RawFd {
    let file =
        std::fs::File::options().read(true).write(true).open("/dev/net/tun").expect("opening /dev/net/tun");
    // SAFETY: an interface request is plain bytes; all zeros is one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (flags | libc::IFF_NO_PI) as i16;
    // SAFETY: TUNSETIFF reads and writes one interface request.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert!(done == 0, "attaching {name}: {}", Error::last_os_error());
    file.into_raw_fd()
}

fn udp6(port: &str) -> RawFd {
    // SAFETY: plain integers; the descriptor is checked below.
    let fd = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0) };
    // SAFETY: zeros are a valid address struct: any address.
    let mut name: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    name.sin6_family = libc::AF_INET6 as _;
    name.sin6_port = port.parse::<u16>().expect("a port").to_be();
    let on = 1i32;
    // SAFETY: both calls read a value of the size given.
    let bound = unsafe {
        libc::setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, (&raw const on).cast(), 4);
        libc::bind(fd, (&raw const name).cast(), size_of_val(&name) as u32)
    };
    assert!(bound == 0, "binding UDP over IPv6: {}", Error::last_os_error());
    fd
}

fn inheritable(fd: RawFd) -> RawFd {
    // SAFETY: F_SETFD with 0 clears FD_CLOEXEC.
    unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    fd
}
