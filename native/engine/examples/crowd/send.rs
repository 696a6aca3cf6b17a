//! Sending trains (UDP_SEGMENT) without sealing anything on the way.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use culvert_engine::io::sys::set_option;

/// Sends `count` datagrams of one size that follow each other in `bytes`; a full queue is waited for.
pub fn all(socket: &UdpSocket, bytes: &[u8], count: usize) {
    let segment = (bytes.len() / count) as i32;
    set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, &segment).expect("UDP_SEGMENT");
    socket.send(bytes).expect("sending");
    set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, &0i32).expect("UDP_SEGMENT");
}

/// Throws away what came back.
pub fn drain(socket: &UdpSocket) {
    socket.set_nonblocking(true).expect("fcntl");
    while socket.recv(&mut [0; 256]).is_ok() {}
    socket.set_nonblocking(false).expect("fcntl");
}
