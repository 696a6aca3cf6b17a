//! Culvert's engine against wireguard-go and against itself, on real interfaces.
//!
//! `cargo test --release -p culvert-engine -- --include-ignored` as root, with iproute2, wireguard-go and wg.

mod lab;

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;

use lab::Kind::*;
use lab::relay::{self, Faults, RELAY_PORT};
use lab::traffic::{self, Answers, tcp_between, tcp_both_ways};
use lab::{Kind, Lab, PORT, inside_of, pause, wait_until};

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
        traffic::every_packet_arrives(&lab, 12_000, Answers::None);
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

/// The second address of b is asked; an answer from the first would move a's endpoint.
#[test]
#[ignore = "needs root"]
fn answers_leave_by_the_address_that_was_asked() {
    for (a, b) in [(WireguardGo, Culvert), (Culvert, CulvertGiven)] {
        for (address, endpoint) in
            [("192.168.77.22/24", "192.168.77.22:51820"), ("fd77::22/64", "[fd77::22]:51820")]
        {
            let lab = Lab::new(a, b);
            lab.b.address(&lab.cable(), address);
            // The kernel's own choice is the first address.
            let route = if address.contains(':') { "fd77::1" } else { "192.168.77.1" };
            let prefix = format!("{route}/{}", if address.contains(':') { 128 } else { 32 });
            let first = route.replace("77.1", "77.2").replace("::1", "::2");
            lab.b.ip(&["route", "add", &prefix, "dev", &lab.cable(), "src", &first]);
            lab.connect(endpoint);
            tcp_both_ways(&lab, false, 1 << 20);
            assert_eq!(lab.a.get("endpoint"), endpoint);
            lab.b.ip(&["addr", "del", address, "dev", &lab.cable()]);
            // Gone, and b speaks first: from the address that is left, where a follows.
            tcp_between(&lab.b, &lab.a, &inside_of(1, false, 9000).to_string(), 100_000);
            let left = endpoint.replace("22]", "2]").replace("77.22", "77.2");
            assert_eq!(lab.a.get("endpoint"), left);
        }
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

/// As the kernel freezes processes before it suspends the machine; the other end speaks on, more than the socket keeps.
#[test]
#[ignore = "needs root"]
fn an_engine_that_was_stopped_goes_on_with_the_session_it_had() {
    for other in [Culvert, WireguardGo] {
        let lab = Lab::new(Culvert, other);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 100_000);
        signal(lab.a.pid(), libc::SIGSTOP);
        let (from, to) = (inside_of(2, false, 0), inside_of(1, false, 9));
        lab.b.inside(move || flood(from, to, 50_000)).join().unwrap();
        pause(2000);
        signal(lab.a.pid(), libc::SIGCONT);
        tcp_both_ways(&lab, false, 1 << 20);
        let told = lab.a.lines();
        let count = |event: &str| told.iter().filter(|line| line.contains(event)).count();
        assert!(count("\"silent\"") == count("\"heard\""), "{told:?}");
    }
}

/// Reads and writes of a TUN that is down fail (EIO), as writes do when the kernel has no memory; the engine drops and goes on.
#[test]
#[ignore = "needs root"]
fn an_interface_that_was_down_carries_again() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
    for machine in [&lab.a, &lab.b] {
        let other = if machine.number == 1 { &lab.b } else { &lab.a };
        machine.ip(&["link", "set", &machine.interface, "down"]);
        let (from, to) = (inside_of(other.number, false, 0), inside_of(machine.number, false, 9));
        other.inside(move || flood(from, to, 200)).join().unwrap();
        let refused = || machine.ask("get=culvert\n\n");
        wait_until("writes to it were refused", || !refused().contains("refused_tun_full=0\n"));
        machine.ip(&["link", "set", &machine.interface, "up"]);
        tcp_both_ways(&lab, false, 1 << 20);
    }
}

/// The wall clock goes back an hour and the machine was asleep, so that a new session is needed and its timestamp must
/// still be above the last; then it was asleep for so long that every key is forgotten; then the wall clock goes ahead.
#[test]
#[ignore = "needs root"]
fn a_clock_that_jumps_does_not_lock_us_out() {
    const REALTIME: u64 = 0;
    const BOOTTIME: u64 = 1;
    for other in [Culvert, WireguardGo] {
        let lab = Lab::new(CulvertFaulty, other);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 100_000);
        let sessions = || lab.a.lines().iter().filter(|line| line.contains("\"handshake\"")).count();
        for (realtime, boottime) in
            [(-3_600, 130), (-7_200, 300), (-7_200, 10_000), (86_400, 10_200), (0, 10_400)]
        {
            // Two initiations within 20 ms are a flood.
            pause(100);
            let before = sessions();
            lab.a.set_fault(REALTIME, realtime);
            lab.a.set_fault(BOOTTIME, boottime);
            tcp_both_ways(&lab, false, 100_000);
            wait_until("a new session is in use", || sessions() > before);
            tcp_both_ways(&lab, false, 100_000);
        }
        if other == Culvert {
            assert_eq!(lab.b.refused("stale_initiation"), 0);
        }
    }
}

/// The kernel has no memory for what is written to the TUN, or sent; what it had to refuse is counted, and all goes on.
#[test]
#[ignore = "needs root"]
fn a_kernel_without_memory_costs_packets_and_nothing_more() {
    let lab = Lab::new(CulvertFaulty, Culvert);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
    for (number, code, reason) in [
        (2, libc::ENOMEM, "tun_full"),
        (2, libc::ENOBUFS, "tun_full"),
        (3, libc::ENOMEM, "udp_full"),
        (3, libc::ENOBUFS, "udp_full"),
    ] {
        let before = lab.a.refused(reason);
        lab.a.set_fault(number, code.into());
        for (from, to) in [(&lab.a, 2), (&lab.b, 1)] {
            let (from_address, to) = (inside_of(from.number, false, 0), inside_of(to, false, 9));
            from.inside(move || flood(from_address, to, 200)).join().unwrap();
        }
        wait_until("it is counted", || lab.a.refused(reason) > before);
        lab.a.set_fault(number, 0);
        tcp_both_ways(&lab, false, 1 << 20);
    }
}

/// More than any queue on the way takes, with queues of one packet at both TUNs.
#[test]
#[ignore = "needs root"]
fn a_flood_that_fills_every_queue_ends_and_nothing_is_left_of_it() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    for machine in [&lab.a, &lab.b] {
        machine.ip(&["link", "set", &machine.interface, "txqueuelen", "1"]);
    }
    tcp_both_ways(&lab, false, 100_000);
    let there = |from: &lab::Machine, to: u8| {
        let (from_address, to) = (inside_of(from.number, false, 0), inside_of(to, false, 9));
        from.inside(move || flood(from_address, to, 50_000))
    };
    for sent in [there(&lab.a, 2), there(&lab.b, 1)] {
        sent.join().unwrap();
    }
    tcp_both_ways(&lab, false, 1 << 20);
}

/// Packets as fast as the socket takes them; what it refuses is not sent again.
fn flood(from: std::net::SocketAddr, to: std::net::SocketAddr, count: u32) {
    let socket = UdpSocket::bind(from).unwrap();
    for _ in 0..count {
        let _ = socket.send_to(&[7; 1000], to);
    }
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

/// The second client lives on the node's machine, and the node's engine knows it only as a peer.
#[test]
#[ignore = "needs root"]
fn between_clients_a_node_passes_what_it_allows_unchanged_without_its_kernel() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
    let client = lab.b.beside(Culvert);
    client.address(&client.interface, "10.88.0.2/24");
    client.ip(&["link", "set", &client.interface, "mtu", "1420", "up"]);
    client.ip(&["route", "add", "10.77.0.1/32", "dev", &client.interface]);
    lab.a.ip(&["route", "add", "10.88.0.0/24", "dev", &lab.a.interface]);
    let (there, node) = (lab::hex(&client.identity.public), lab::hex(&lab.b.identity.public));
    client.set(&format!(
        "private_key={}\nlisten_port=51821\npublic_key={node}\nallowed_ip=10.77.0.1/32\nendpoint=192.168.77.2:51820\n",
        client.private()
    ));
    lab.a.set(&format!("public_key={node}\nallowed_ip=10.88.0.2/32\n"));
    lab.b.set(&format!(
        "culvert_inside=route\npublic_key={there}\nallowed_ip=10.88.0.2/32\nendpoint=192.168.77.2:51821\n"
    ));
    let before = traffic::received(&lab.b);
    tcp_between(&lab.a, &lab.b, "10.88.0.2:9004", 8 << 20);
    assert_eq!(traffic::received(&lab.b), before, "nothing came out of the node's TUN");
    assert!(traffic::received(&client) > 8 << 20);
    // Only what the list names, from a; then nothing from client to client.
    let me = lab::hex(&lab.a.identity.public);
    let probe = |reason: &str| {
        let (before, after) = (lab.b.refused(reason), traffic::received(&client));
        let there = "10.88.0.2:9".parse().unwrap();
        lab.a.inside(move || flood(inside_of(1, false, 0), there, 200)).join().unwrap();
        wait_until("all of them are counted", || lab.b.refused(reason) - before == 200);
        assert_eq!(traffic::received(&client), after, "none passed");
    };
    lab.b.set(&format!("public_key={me}\nculvert_access=10.88.0.2/32 tcp 9004\n"));
    tcp_between(&lab.a, &lab.b, "10.88.0.2:9004", 1 << 20);
    probe("inside_denied");
    lab.b.set(&format!("culvert_inside=refuse\npublic_key={me}\nculvert_access=0.0.0.0/0\n"));
    probe("inside_client");
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

/// The helper moves the tunnel to other sockets, here to another port, without a new engine.
#[test]
#[ignore = "needs root"]
fn sockets_handed_over_later_take_the_place_of_those_there_are() {
    let lab = Lab::new(Culvert, CulvertGiven);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 100_000);
    let bind =
        |address: &'static str| lab.b.inside(move || UdpSocket::bind(address).unwrap()).join().unwrap();
    let (v4, v6, other) = (bind("0.0.0.0:51999"), bind("[fd77::2]:51999"), bind("0.0.0.0:51998"));
    let tcp = lab.b.inside(|| std::net::TcpListener::bind("0.0.0.0:51997").unwrap()).join().unwrap();
    let hand = |count: usize, fds: &[i32]| {
        let request = format!("set=1\nculvert_udp_fds={count}\nlisten_port=51999\n\n");
        lab.b.ask_handing(&request, fds)
    };
    let refused = |code: i32| format!("errno=-{code}\n\n");
    assert_eq!(hand(1, &[]), refused(libc::EBADF));
    assert_eq!(hand(1, &[v4.as_raw_fd(), v6.as_raw_fd()]), refused(libc::EBADF));
    assert_eq!(hand(2, &[v6.as_raw_fd(), v4.as_raw_fd()]), refused(libc::EINVAL), "the wrong way round");
    assert_eq!(hand(2, &[v4.as_raw_fd(), tcp.as_raw_fd()]), refused(libc::EINVAL));
    assert_eq!(lab.b.get("listen_port"), PORT.to_string());
    tcp_both_ways(&lab, false, 100_000);
    assert_eq!(hand(2, &[v4.as_raw_fd(), v6.as_raw_fd()]), "errno=0\n\n");
    assert_eq!(lab.b.get("listen_port"), "51999");
    drop((v4, v6));
    // b speaks first: a does not know the new port yet.
    tcp_between(&lab.b, &lab.a, &inside_of(1, false, 9000).to_string(), 1 << 20);
    assert_eq!(lab.a.get("endpoint"), "192.168.77.2:51999");
    lab.a.set(&format!("public_key={}\nendpoint=[fd77::2]:51999\n", lab::hex(&lab.b.identity.public)));
    tcp_both_ways(&lab, true, 1 << 20);
    assert_eq!(hand(1, &[other.as_raw_fd()]), refused(libc::EPERM), "it has another port than is asked for");
    assert_eq!(lab.b.get("listen_port"), "51999");
}
