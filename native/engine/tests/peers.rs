//! The long check, apart from the other tests: every other implementation of WireGuard at the other end, with sessions
//! that end by age (two minutes of real time).
//!
//! `cargo test --release -p culvert-engine --features long --test peers -- --include-ignored` as root, with iproute2, go
//! and, the first time, a network.

mod lab;

use lab::Kind::*;
use lab::traffic::{self, Answers, tcp_both_ways};
use lab::{Kind, Lab, peers};

const OTHERS: [Kind; 3] = [NewestWireguardGo, Gotatun, Boringtun];

/// Culvert first, then the other, as the one who begins.
fn pairs() -> impl Iterator<Item = (Kind, Kind)> {
    OTHERS.iter().for_each(|other| peers::build(*other));
    OTHERS.into_iter().flat_map(|other| [(Culvert, other), (other, CulvertGiven)])
}

/// With a preshared key, as everywhere in the lab.
#[test]
#[ignore = "needs root"]
fn tcp_passes_unchanged_over_either_family_whoever_begins() {
    for (a, b) in pairs() {
        for (endpoint, is_v6) in [("192.168.77.2:51820", false), ("[fd77::2]:51820", true)] {
            eprintln!("{a:?} to {b:?} at {endpoint}");
            let lab = Lab::new(a, b);
            lab.connect(endpoint);
            tcp_both_ways(&lab, is_v6, 4 << 20);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn either_end_follows_when_the_other_moves() {
    for (a, b) in pairs() {
        eprintln!("{a:?} to {b:?}");
        let lab = Lab::new(a, b);
        lab.connect("192.168.77.2:51820");
        tcp_both_ways(&lab, false, 100_000);
        let before = lab.b.get("endpoint");
        assert!(before.starts_with("192.168.77.1:"), "{before}");
        lab.a.ip(&["addr", "del", "192.168.77.1/24", "dev", &lab.cable()]);
        lab.a.address(&lab.cable(), "192.168.77.9/24");
        tcp_both_ways(&lab, false, 100_000);
        assert_eq!(lab.b.get("endpoint"), before.replace("77.1:", "77.9:"));
    }
}

/// Answered packets for longer than REKEY_AFTER_TIME, so that nothing but age replaces the session.
#[test]
#[ignore = "needs root, takes two and a half minutes"]
fn a_session_that_ends_by_age_under_load_loses_no_packet() {
    let all: Vec<_> = pairs().map(|(a, b)| std::thread::spawn(move || rekey(a, b))).collect();
    let ended: Vec<_> = all.into_iter().map(|one| one.join().is_ok()).collect();
    assert!(ended.iter().all(|held| *held), "{ended:?}, in the order of the pairs");
}

fn rekey(a: Kind, b: Kind) {
    let lab = Lab::new(a, b);
    lab.connect("192.168.77.2:51820");
    tcp_both_ways(&lab, false, 1000);
    let begun = lab.a.get("last_handshake_time_sec");
    traffic::every_packet_arrives(&lab, 125_000, Answers::All);
    assert_ne!(lab.a.get("last_handshake_time_sec"), begun, "{a:?} to {b:?}: no new session");
}
