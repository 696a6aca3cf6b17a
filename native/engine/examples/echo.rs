//! Sends back what it is sent: TCP on port 9000 and UDP on 9001, of any address. Runs in the virtual machine of
//! tests/kernel.rs.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

fn main() {
    let udp = UdpSocket::bind("[::]:9001").expect("UDP");
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            if let Ok((len, from)) = udp.recv_from(&mut buffer) {
                let _ = udp.send_to(&buffer[..len], from);
            }
        }
    });
    for stream in TcpListener::bind("[::]:9000").expect("TCP").incoming() {
        let Ok(mut stream) = stream else { continue };
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(len @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..len]).is_err() {
                    return;
                }
            }
        });
    }
}
