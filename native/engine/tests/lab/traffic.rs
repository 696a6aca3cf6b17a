//! What is sent through a tunnel and compared at the other end, byte by byte or number by number.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use culvert_engine::io::sys;

use super::{Lab, Machine, inside_of, pause};

/// Bytes that differ at every position, so that what is lost, doubled or moved shows.
pub fn content(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Bytes that a machine's kernel had from its tunnel (proc_net_dev).
pub fn received(machine: &Machine) -> u64 {
    let (interface, all) =
        (machine.interface.clone(), machine.inside(|| fs::read_to_string("/proc/thread-self/net/dev")));
    let all = all.join().unwrap().unwrap();
    let line = all.lines().find_map(|line| line.trim().strip_prefix(&interface)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("the interface's line")
}

pub fn tcp_both_ways(lab: &Lab, is_v6: bool, len: usize) {
    tcp_between(&lab.a, &lab.b, &inside_of(2, is_v6, 9000).to_string(), len);
}

/// Carries `len` bytes from a to b at `address` and back, and compares them.
pub fn tcp_between(a: &Machine, b: &Machine, address: &str, len: usize) {
    let address: SocketAddr = address.parse().unwrap();
    let server = b.inside(move || TcpListener::bind(address).unwrap()).join().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut heard = vec![0; len];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(&heard).unwrap();
        heard
    });
    let back = a.inside(move || {
        let timeout = Duration::from_secs(20);
        let mut stream = TcpStream::connect_timeout(&address, timeout).unwrap();
        stream.set_read_timeout(Some(timeout)).unwrap();
        stream.write_all(&content(len)).unwrap();
        let mut back = vec![0; len];
        stream.read_exact(&mut back).unwrap();
        back
    });
    let sent = content(len);
    assert!(back.join().unwrap() == sent && echo.join().unwrap() == sent, "the bytes differ");
}

/// Whether b sends every packet back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    All,
    None,
}

/// Sends `count` numbered packets from a to b, about one a millisecond, and asks that every number arrives (at a again
/// when they are answered). A busy machine's cable may reorder (each processor has its own backlog), so each number
/// counts, not the order. What the kernel dropped before another implementation's socket, whose buffer is small
/// (Debian's wireguard-go keeps the default of 208 KiB, 92 packets), no engine could have carried.
pub fn every_packet_arrives(lab: &Lab, count: u32, answers: Answers) {
    let overruns =
        || [&lab.a, &lab.b].map(|machine| if machine.kind.is_culvert() { 0 } else { overrun(machine) });
    let before: u64 = overruns().iter().sum();
    let there = roomy(&lab.b, inside_of(2, false, 9001));
    let here = roomy(&lab.a, inside_of(1, false, 9001));
    let listener = if answers == Answers::All { here.try_clone() } else { there.try_clone() }.unwrap();
    let heard = std::thread::spawn(move || numbers(&listener));
    let echo = std::thread::spawn(move || {
        if answers == Answers::All {
            let mut buffer = [0; 2000];
            while let Ok((len, from)) = there.recv_from(&mut buffer) {
                let _ = there.send_to(&buffer[..len], from);
            }
        }
    });
    for number in 0..count {
        let mut packet = [7; 1000];
        packet[..4].copy_from_slice(&number.to_be_bytes());
        here.send_to(&packet, inside_of(2, false, 9001)).unwrap();
        pause(1);
    }
    let mut heard = heard.join().unwrap();
    echo.join().unwrap();
    heard.sort_unstable();
    let doubled = heard.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let lost: Vec<_> = (0..count).filter(|number| heard.binary_search(number).is_err()).collect();
    let overrun = overruns().iter().sum::<u64>() - before;
    let told = [&lab.a, &lab.b].map(|machine| {
        let is_culvert = machine.kind.is_culvert();
        (machine.kind, is_culvert.then(|| machine.ask("get=culvert\n\n")))
    });
    assert!(
        doubled == 0 && lost.len() as u64 <= overrun,
        "{doubled} doubled, {} lost, {overrun} dropped by the kernel before the other's socket: {lost:?} {told:?}",
        lost.len()
    );
}

/// Only the engines are on trial: nothing else may lose a packet when the machine is busy.
fn roomy(machine: &Machine, address: SocketAddr) -> UdpSocket {
    let socket = machine.inside(move || UdpSocket::bind(address).unwrap()).join().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let room = 64i32 << 20;
    sys::set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &room).unwrap();
    socket
}

/// The numbers of all packets until three seconds are silent.
fn numbers(socket: &UdpSocket) -> Vec<u32> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 2000]);
    while let Ok(len) = socket.recv(&mut buffer) {
        assert_eq!(len, 1000);
        heard.push(u32::from_be_bytes(buffer[..4].try_into().unwrap()));
    }
    heard
}

/// Datagrams for which a socket of this machine had no room (the kernel's RcvbufErrors, IPv4 and IPv6).
fn overrun(machine: &Machine) -> u64 {
    let read = || {
        let snmp = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let mut udp = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let (names, values) = (udp.next().unwrap(), udp.next().unwrap());
        let at = names.split(' ').position(|name| name == "RcvbufErrors").unwrap();
        let v4: u64 = values.split(' ').nth(at).unwrap().parse().unwrap();
        let snmp6 = std::fs::read_to_string("/proc/thread-self/net/snmp6").unwrap_or_default();
        let v6 = snmp6.lines().find_map(|line| line.strip_prefix("Udp6RcvbufErrors")).unwrap_or("0");
        v4 + v6.trim().parse::<u64>().unwrap()
    };
    machine.inside(read).join().unwrap()
}

/// Sends `count` numbered packets to an echo at 10.77.0.2, one every `ms`, and asks that every number comes back.
pub fn every_packet_returns(machine: &Machine, count: u32, ms: u64) {
    let here = roomy(machine, inside_of(1, false, 9001));
    let listener = here.try_clone().unwrap();
    let heard = std::thread::spawn(move || numbers(&listener));
    for number in 0..count {
        let mut packet = [7; 1000];
        packet[..4].copy_from_slice(&number.to_be_bytes());
        here.send_to(&packet, inside_of(2, false, 9001)).unwrap();
        pause(ms);
    }
    let mut heard = heard.join().unwrap();
    heard.sort_unstable();
    let lost: Vec<_> = (0..count).filter(|number| heard.binary_search(number).is_err()).collect();
    assert!(heard.len() == count as usize && lost.is_empty(), "{} heard, lost {lost:?}", heard.len());
}

/// Carries `len` bytes to an echo and compares what comes back.
pub fn tcp_returns(machine: &Machine, address: &str, len: usize) {
    let address: SocketAddr = address.parse().unwrap();
    let back = machine.inside(move || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut sender = stream.try_clone().unwrap();
        let sending = std::thread::spawn(move || sender.write_all(&content(len)).unwrap());
        let mut back = vec![0; len];
        stream.read_exact(&mut back).unwrap();
        sending.join().unwrap();
        back
    });
    assert!(back.join().unwrap() == content(len), "the bytes differ");
}
