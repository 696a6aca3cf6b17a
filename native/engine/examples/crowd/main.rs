//! A crowd of simulated peers before one running engine, for measurements. It configures the engine, holds handshakes
//! and sends sealed packets, all prepared beforehand, so that what is measured is the engine and not the crowd.
//!
//! usage: crowd UAPI-SOCKET PID INTERFACE ADDRESS [peers=N] [talking=N] [prefixes=N] [train=N] [packets=N]
//!
//! Engine and crowd share a machine and its loopback. One JSON object on stdout:
//!
//! ```text
//! bytes_a_peer                          resident memory for each configured peer, with its prefixes, without sessions
//! handshakes.per_second, .cpu_ns        initiations of all peers answered; processor time of the engine for each
//! goodput, cpu_per_gb                   packets of the talking peers, `train` of one peer before the next, that reach the TUN,
//!                                       each from another of the peer's prefixes
//! forged.cpu_ns, unmade.cpu_ns          an initiation with a wrong mac1; one with a right mac1 and nothing else
//! unmade.under_load                     share of those that were refused before any key exchange
//! established                           share of an established peer's packets that arrived meanwhile
//! ```

mod houses;
mod node;
mod peers;
mod send;

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

use culvert_engine::io::sys;
use culvert_engine::wire::wg::INITIATION_LEN;
use houses::Houses;
use node::Node;
use peers::Peers;

/// Initiations that are under way at a time: fewer than the engine's socket has room for.
const WINDOW: usize = 128;
/// Forged initiations of each kind, and how many follow each other before the crowd looks at the clock.
const FORGED: usize = 100_000;
const FORGED_RUN: usize = 100;
/// A flood of 100,000 a second, which a line of 150 Mbit/s carries.
const FORGED_PAUSE_US: u64 = 1_000;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut word = |what: &str| words.next().unwrap_or_else(|| panic!("{what} is missing, see the source"));
    let node = Node::new(&word("UAPI-SOCKET"), &word("PID"), &word("INTERFACE"), &word("ADDRESS"));
    let options: Vec<String> = words.collect();
    let option = |name: &str, default: usize| {
        let found = options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        found.map_or(default, |value| value.parse().expect("a number"))
    };
    let (count, talking) = (option("peers", 10_000), option("talking", 1_000));

    let before = node.resident();
    let mut peers = Peers::new(count, option("prefixes", 0), &node.public());
    node.configure(&peers);
    let mut figures = vec![("bytes_a_peer", (node.resident() - before) / count as f64)];

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    // So that nothing is lost here when the crowd is not scheduled: nobody sends again.
    sys::set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &(16i32 << 20))
        .expect("room");
    socket.connect(node.address).expect("the engine's address");
    handshakes(&node, &mut peers, &mut figures);
    packets(&node, &socket, &mut peers, &option, talking, &mut figures);
    floods(&node, &socket, &mut peers, &mut figures);

    let lines: Vec<_> = figures.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    println!("{{{}}}", lines.join(","));
}

type Figures = Vec<(&'static str, f64)>;

/// All peers begin at once; under load they are asked for a cookie first, as WireGuard has it.
fn handshakes(node: &Node, peers: &mut Peers, figures: &mut Figures) {
    let initiations: Vec<_> = (0..peers.len()).map(|i| peers.initiate(i)).collect();
    let mut responses = Vec::with_capacity(peers.len());
    let mut houses = Houses::new(node.address);
    let (begun, cpu) = (node::seconds(), node.cpu_ns());
    let (mut next, mut open) = (0, 0);
    while responses.len() < peers.len() {
        while open < WINDOW && next < initiations.len() {
            houses.send(next, &initiations[next]);
            (next, open) = (next + 1, open + 1);
        }
        let heard = houses.hear();
        assert!(!heard.is_empty(), "{} answered of {next} begun, {}", responses.len(), node.counters());
        for message in heard {
            match peers.hear(&message) {
                peers::Heard::Cookie(i) => houses.send(i, &peers.stamped(i, initiations[i])),
                peers::Heard::Response(i) => {
                    responses.push((i, message));
                    open -= 1;
                }
                peers::Heard::Other => {}
            }
        }
    }
    figures.push(("handshakes.per_second", peers.len() as f64 / (node::seconds() - begun)));
    figures.push(("handshakes.cpu_ns", (node.cpu_ns() - cpu) / peers.len() as f64));
    responses.iter().for_each(|(i, response)| peers.finish(*i, response));
}

/// Rounds of prepared packets, at full speed: what the engine cannot take its socket drops.
fn packets(
    node: &Node,
    socket: &UdpSocket,
    peers: &mut Peers,
    option: &dyn Fn(&str, usize) -> usize,
    talking: usize,
    figures: &mut Figures,
) {
    const ROUND: usize = 64_000;
    let (train, total) = (option("train", 32), option("packets", 5 * ROUND));
    // Evenly over all peers, so that tables are walked as widely as they are in use.
    let who: Vec<usize> = (0..talking).map(|i| i * peers.len() / talking).collect();
    // The first packet of a session tells the responder that it may use it.
    who.iter().for_each(|i| send::all(socket, &peers.sealed(*i, 1), 1));
    node.settled();
    let (mut bytes, mut seconds, mut cpu) = (0.0, 0.0, 0.0);
    for _ in 0..total.div_ceil(ROUND) {
        let each = ROUND / train;
        let trains: Vec<_> = (0..each).map(|i| peers.sealed(who[i % who.len()], train)).collect();
        let (cpu_before, arrived, begun) = (node.cpu_ns(), node.received().bytes, node::seconds());
        trains.iter().for_each(|bytes| send::all(socket, bytes, train));
        let ended = node.settled();
        bytes += (node.received().bytes - arrived) as f64;
        seconds += ended - begun;
        cpu += node.cpu_ns() - cpu_before;
    }
    figures.push(("goodput", bytes * 8.0 / seconds / 1e9));
    figures.push(("cpu_per_gb", cpu / bytes));
}

/// Initiations that are none, while one peer goes on sending.
fn floods(node: &Node, socket: &UdpSocket, peers: &mut Peers, figures: &mut Figures) {
    let mut established = (0, 0);
    for (name, is_mac1_right) in [("forged.cpu_ns", false), ("unmade.cpu_ns", true)] {
        let message: [u8; INITIATION_LEN] = peers.unmade(is_mac1_right);
        let (cpu, refused) = (node.cpu_ns(), node.refused("under_load"));
        let arrived = node.received().packets;
        for _ in 0..FORGED / FORGED_RUN {
            for _ in 0..FORGED_RUN {
                socket.send(&message).expect("sending");
            }
            send::all(socket, &peers.sealed(0, 1), 1);
            send::drain(socket);
            node::pause_us(FORGED_PAUSE_US);
        }
        node.settled();
        figures.push((name, (node.cpu_ns() - cpu) / FORGED as f64));
        if is_mac1_right {
            let share = (node.refused("under_load") - refused) / FORGED as f64;
            figures.push(("unmade.under_load", share));
        }
        established.0 += node.received().packets - arrived;
        established.1 += FORGED / FORGED_RUN;
    }
    figures.push(("established", established.0 as f64 / established.1 as f64));
}
