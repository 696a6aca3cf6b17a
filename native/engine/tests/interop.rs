//! Culvert's engine against wireguard-go and against itself, on real interfaces.
//!
//! `cargo test --release -p culvert-engine -- --include-ignored` as root, with iproute2, wireguard-go and wg.

mod lab;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use culvert_engine::io::sys;
use lab::Kind::*;
use lab::relay::{self, Faults, RELAY_PORT};
use lab::{Kind, Lab, Machine, PORT, inside_of, pause, wait_until};

/// Bytes that differ at every position, so that what is lost, doubled or moved shows.
fn content(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn tcp_both_ways(lab: &Lab, is_v6: bool, len: usize) {
    tcp_between(&lab.a, &lab.b, &inside_of(2, is_v6, 9000).to_string(), len);
}

/// Carries `len` bytes from a to b at `address` and back, and compares them.
fn tcp_between(a: &Machine, b: &Machine, address: &str, len: usize) {
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

const PAIRS: [(Kind, Kind); 5] = [
    (Culvert, WireguardGo),
    (WireguardGo, Culvert),
    (Culvert, Culvert),
    (CulvertPlain, CulvertGiven),
    (CulvertGiven, WireguardGo),
];

#[test]
#[ignore = "needs root"]
fn tcp_passes_unchanged_from_either_side_over_ipv4() {
    for (a, b) in PAIRS {
        let lab = Lab::new(a, b);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 8 << 20);
    }
}

#[test]
#[ignore = "needs root"]
fn tcp_passes_unchanged_inside_ipv6_and_over_ipv6() {
    for (a, b) in PAIRS {
        let lab = Lab::new(a, b);
        lab.connect("[fd77::2]:51820");
        tcp_both_ways(&lab, true, 8 << 20);
    }
}

#[test]
#[ignore = "needs root"]
fn a_bad_link_slows_tcp_and_changes_nothing() {
    let faults = Faults { lost: 2, doubled: 2, reordered: 3, corrupted: 2, largest: 2000 };
    for (a, b) in [(Culvert, WireguardGo), (WireguardGo, Culvert), (Culvert, Culvert)] {
        let lab = Lab::new(a, b);
        let _relay = relay::start(&lab.b, faults);
        lab.connect(&format!("192.168.77.2:{RELAY_PORT}"));
        tcp_both_ways(&lab, false, 1 << 20);
    }
}

/// An outer MTU of 1400 that no ICMP tells of; the interfaces' own MTU is 1420.
#[test]
#[ignore = "needs root"]
fn a_path_that_swallows_large_packets_still_carries_tcp() {
    let faults = Faults { lost: 0, doubled: 0, reordered: 0, corrupted: 0, largest: 1400 - 28 };
    let lab = Lab::new(Culvert, Culvert);
    let _relay = relay::start(&lab.b, faults);
    lab.connect(&format!("192.168.77.2:{RELAY_PORT}"));
    tcp_both_ways(&lab, false, 1 << 20);
    for machine in [&lab.a, &lab.b] {
        assert!(
            machine.ask("get=culvert\n\n").contains("path_mtu=1340\n"),
            "{}",
            machine.ask("get=culvert\n\n")
        );
    }
}

/// One-way traffic makes Culvert ask for signs of life with handshakes, so the session is replaced several times.
#[test]
#[ignore = "needs root"]
fn rekeying_under_load_loses_no_packet() {
    for (a, b) in [(Culvert, WireguardGo), (Culvert, Culvert)] {
        let lab = Lab::new(a, b);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 1000);
        const COUNT: u32 = 12_000;
        let server = lab.b.inside(|| UdpSocket::bind(inside_of(2, false, 9001)).unwrap()).join().unwrap();
        server.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        // Only the engines are on trial: nothing else may lose a packet when the machine is busy.
        let room = 16i32 << 20;
        sys::set_option(server.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &room).unwrap();
        let heard = std::thread::spawn(move || {
            let (mut heard, mut buffer) = (Vec::new(), [0; 2000]);
            while let Ok(len) = server.recv(&mut buffer) {
                assert_eq!(len, 1000);
                heard.push(u32::from_be_bytes(buffer[..4].try_into().unwrap()));
            }
            heard
        });
        let send = lab.a.inside(move || {
            let socket = UdpSocket::bind(inside_of(1, false, 0)).unwrap();
            for number in 0..COUNT {
                let mut packet = [7; 1000];
                packet[..4].copy_from_slice(&number.to_be_bytes());
                socket.send_to(&packet, inside_of(2, false, 9001)).unwrap();
                pause(1);
            }
        });
        send.join().unwrap();
        // A busy machine's cable may reorder (each processor has its own backlog), so each number counts, not the order.
        let mut heard = heard.join().unwrap();
        heard.sort_unstable();
        let lost: Vec<_> = (0..COUNT).filter(|number| heard.binary_search(number).is_err()).collect();
        let refused = lab.b.kind.is_culvert().then(|| lab.b.ask("get=culvert\n\n"));
        assert!(heard.len() == COUNT as usize && lost.is_empty(), "{b:?}: lost {lost:?}, {refused:?}");
        let handshakes = lab.a.lines().iter().filter(|line| line.contains("\"handshake\"")).count();
        assert!(handshakes >= 3, "{b:?}: only {handshakes} handshakes");
    }
}

#[test]
#[ignore = "needs root"]
fn the_other_end_follows_when_an_address_changes() {
    for (a, b) in [(Culvert, WireguardGo), (WireguardGo, Culvert)] {
        let lab = Lab::new(a, b);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 100_000);
        let port = lab.a.get("listen_port");
        assert_eq!(lab.b.get("endpoint"), format!("192.168.77.1:{port}"));
        lab.a.ip(&["addr", "del", "192.168.77.1/24", "dev", &lab.cable()]);
        lab.a.address(&lab.cable(), "192.168.77.9/24");
        tcp_both_ways(&lab, false, 100_000);
        assert_eq!(lab.b.get("endpoint"), format!("192.168.77.9:{port}"));
    }
}

#[test]
#[ignore = "needs root"]
fn a_killed_peer_is_told_in_about_a_second_and_back_by_itself() {
    let mut lab = Lab::new(Culvert, Culvert);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
    pause(1100);
    // Stopped, not killed: the interface stays and nothing answers.
    signal(lab.b.pid(), libc::SIGSTOP);
    let ping = lab.a.inside(|| {
        let socket = UdpSocket::bind(inside_of(1, false, 0)).unwrap();
        for _ in 0..15 {
            socket.send_to(b"anybody?", inside_of(2, false, 9)).unwrap();
            pause(100);
        }
    });
    ping.join().unwrap();
    let silent = lab.a.lines().into_iter().find(|line| line.contains("\"silent\""));
    let silent = silent.expect("no event within 1.5 s");
    let for_ms: u64 = silent.split("\"for_ms\":").nth(1).unwrap().trim_end_matches('}').parse().unwrap();
    assert!((900..1400).contains(&for_ms), "{silent}");
    signal(lab.b.pid(), libc::SIGCONT);
    tcp_both_ways(&lab, false, 100_000);
    wait_until("it is told that the peer is back", || {
        lab.a.lines().iter().any(|line| line.contains("\"heard\""))
    });
    // Killed and started anew: it has forgotten every key.
    lab.b.kill();
    lab.b.start();
    lab.b.address(&lab.b.interface.clone(), "10.77.0.2/24");
    lab.b.ip(&["link", "set", &lab.b.interface, "up"]);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: plain integers; the process is a child of this one.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
}

/// The exit listens on an address that only exists inside the first hop's tunnel.
#[test]
#[ignore = "needs root"]
fn a_chain_of_two_carries_tcp_unchanged_and_keeps_its_session_when_a_hop_moves() {
    for (hop, exit) in [(WireguardGo, WireguardGo), (Culvert, Culvert)] {
        let lab = Lab::new(Culvert, hop);
        lab.connect("192.168.77.2:51820");
        let exit = lab.b.beside(exit);
        exit.address(&exit.interface, "10.88.0.2/24");
        exit.ip(&["link", "set", &exit.interface, "mtu", "1340", "up"]);
        let me = lab::hex(&lab.a.identity.public);
        exit.set(&format!(
            "private_key={}\nlisten_port=51821\npublic_key={me}\nallowed_ip=10.88.0.1/32\n",
            exit.private()
        ));
        let (far, near) = (lab::hex(&exit.identity.public), lab::hex(&lab.b.identity.public));
        lab.a.set(&format!(
            "public_key={far}\nallowed_ip=10.88.0.2/32\nendpoint=10.77.0.2:51821\nculvert_via={near}\nculvert_via_source=10.77.0.1:4000\n"
        ));
        lab.a.address(&lab.a.interface, "10.88.0.1/24");
        lab.a.ip(&["link", "set", &lab.a.interface, "mtu", "1340"]);
        tcp_between(&lab.a, &lab.b, "10.88.0.2:9002", 4 << 20);
        assert_eq!(exit.get("endpoint"), "10.77.0.1:4000");
        lab.a.ip(&["addr", "del", "192.168.77.1/24", "dev", &lab.cable()]);
        lab.a.address(&lab.cable(), "192.168.77.9/24");
        tcp_between(&lab.a, &lab.b, "10.88.0.2:9002", 1 << 20);
        let sessions = lab.a.lines().iter().filter(|line| line.contains("\"handshake\"")).count();
        assert_eq!(sessions, 2, "one for each hop");
    }
}

/// ARP finds the other end, so broadcast and a protocol that is no IP cross, and TCP runs over it.
#[test]
#[ignore = "needs root"]
fn ethernet_crosses_between_taps() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    for (me, other) in [(&lab.a, &lab.b), (&lab.b, &lab.a)] {
        let tap = format!("t{}", me.interface);
        me.address(&tap, &format!("10.99.0.{}/24", me.number));
        me.ip(&["link", "set", &tap, "mtu", "1380", "up"]);
        let key = lab::hex(&other.identity.public);
        me.set(&format!(
            "culvert_bridge=10.77.0.{}\npublic_key={key}\nculvert_bridge=10.77.0.{}\n",
            me.number, other.number
        ));
    }
    tcp_between(&lab.a, &lab.b, "10.99.0.2:9003", 1 << 20);
}

#[test]
#[ignore = "needs root"]
fn wg_shows_and_sets_the_engine() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 1000);
    let wg = |machine: &lab::Machine, args: &[&str]| {
        let output =
            Command::new("ip").args(["netns", "exec", &machine.namespace, "wg"]).args(args).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (_, shown) = wg(&lab.a, &["show", &lab.a.interface]);
    for expected in
        ["endpoint: 192.168.77.2:51820", "allowed ips: 10.77.0.2/32, fd78::2/128", "latest handshake:"]
    {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(wg(&lab.a, &["set", &lab.a.interface, "listen-port", "51999"]).0);
    assert_eq!(lab.a.get("listen_port"), "51999");
    tcp_both_ways(&lab, false, 100_000);
    assert_eq!(lab.b.get("endpoint"), "192.168.77.1:51999");
    assert!(wg(&lab.b, &["set", &lab.b.interface, "listen-port", &PORT.to_string()]).0, "what it has");
    assert!(!wg(&lab.b, &["set", &lab.b.interface, "listen-port", "51999"]).0, "given sockets stay");
    assert!(lab.b.ask("get=culvert\n\n").contains("refused_forged=0\n"));
}

#[test]
#[ignore = "needs root"]
fn the_engine_has_no_rights_and_dies_with_its_interface() {
    let mut lab = Lab::new(CulvertGiven, WireguardGo);
    let status = std::fs::read_to_string(format!("/proc/{}/status", lab.a.pid())).unwrap();
    for expected in [
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "Uid:\t65534\t65534",
        "Groups:\t \n",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(expected), "{expected} in {status}");
    }
    lab.a.ip(&["link", "del", &lab.a.interface]);
    let status = lab.a.wait();
    assert_eq!(status, Some(3), "{:?}", lab.a.lines());
}
