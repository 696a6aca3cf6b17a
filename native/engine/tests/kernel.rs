//! The long check with the kernel's WireGuard, in a virtual machine without acceleration (half a minute to start it, and two
//! minutes for a session to end by age).
//!
//! `cargo test --release -p culvert-engine --features long --test kernel -- --include-ignored` as root, with iproute2,
//! qemu-system-x86, busybox-static, cpio, kmod, wireguard-tools and, the first time, apt's network.

mod lab;

use lab::guest::{self, Guest};
use lab::traffic::{every_packet_returns, tcp_returns};
use lab::{Machine, PORT, hex, wait_until};

/// A key of the guest's, and the preshared one, as `wg` reads them.
const GUEST: [u8; 32] = [2; 32];
const PRESHARED: [u8; 32] = [0x5a; 32];

#[test]
#[ignore = "needs root and a virtual machine"]
fn the_kernels_wireguard_and_the_engine_understand_each_other() {
    let (a, guest) = guest::lab();
    let theirs = culvert_engine::noise::handshake::Identity::new(GUEST).public;
    let (me, other) = (base64(&a.identity.public), hex(&theirs));
    let file = |name: &str, key: &[u8; 32]| format!("echo {} > /{name}\n", base64(key));
    let keys = file("private", &GUEST) + &file("preshared", &PRESHARED);
    let peer = |more: &str| {
        format!("wg set wg0 peer {me} preshared-key /preshared allowed-ips 10.77.0.1/32 {more}\n")
    };
    let setup = format!("{keys}wg set wg0 private-key /private listen-port {PORT}\n{}", peer(""));
    assert_eq!(guest.sh(&a, &setup), "");

    eprintln!("the engine begins");
    let preshared = hex(&PRESHARED);
    a.set(&format!(
        "private_key={}\nlisten_port={PORT}\npublic_key={other}\npreshared_key={preshared}\nallowed_ip=10.77.0.2/32\nendpoint=192.168.77.2:{PORT}\n",
        a.private()
    ));
    tcp_returns(&a, "10.77.0.2:9000", 2 << 20);

    eprintln!("the kernel begins");
    forget(&a, &guest, &other, &me);
    a.set(&format!("public_key={other}\npreshared_key={preshared}\nallowed_ip=10.77.0.2/32\n"));
    let ping = format!("{}ping -c 3 10.77.0.1 | grep -c ttl=", peer("endpoint 192.168.77.1:51820"));
    assert_eq!(guest.sh(&a, &ping), "3\n");
    assert_eq!(a.get("endpoint"), format!("192.168.77.2:{PORT}"));
    tcp_returns(&a, "10.77.0.2:9000", 1 << 20);

    eprintln!("the engine moves");
    let tap = format!("v{}", &a.namespace[2..a.namespace.len() - 1]);
    a.ip(&["addr", "del", "192.168.77.1/24", "dev", &tap]);
    a.address(&tap, "192.168.77.9/24");
    tcp_returns(&a, "10.77.0.2:9000", 100_000);
    assert!(guest.sh(&a, "wg show wg0 endpoints").contains("192.168.77.9:51820"));

    eprintln!("over IPv6");
    a.set(&format!("public_key={other}\nendpoint=[fd77::2]:{PORT}\n"));
    tcp_returns(&a, "10.77.0.2:9000", 1 << 20);
    assert!(guest.sh(&a, "wg show wg0 endpoints").contains("[fd77::1]:51820"));

    eprintln!("a session ends by age");
    let begun = a.get("last_handshake_time_sec");
    every_packet_returns(&a, 31_000, 4);
    assert_ne!(a.get("last_handshake_time_sec"), begun, "no new session");
}

/// Both ends lose their keys.
fn forget(a: &Machine, guest: &Guest, other: &str, me: &str) {
    a.set(&format!("public_key={other}\nremove=true\n"));
    assert_eq!(guest.sh(a, &format!("wg set wg0 peer {me} remove")), "");
    wait_until("the guest has no peer", || guest.sh(a, "wg show wg0 peers").is_empty());
}

fn base64(key: &[u8; 32]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(key)
}
