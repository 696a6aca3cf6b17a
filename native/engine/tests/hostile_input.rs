//! Random and mutated input at every door: UDP, TUN, frames, UAPI. Not coverage-guided; long runs are asked for with
//! CULVERT_FUZZ_SECONDS. A panic, or an overflow in a debug build, fails the test and prints the seed.

mod pair;

use std::time::Duration;

use culvert_engine::engine::Engine;
use culvert_engine::engine::out::Out;
use culvert_engine::io::{clock, uapi};
use culvert_engine::offload::join::{Join, Piece, Takes};
use culvert_engine::offload::vnet::Vnet;
use culvert_engine::wire::{ip, tcp};
use pair::{datagrams, now, receive};

/// xorshift64*
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.word() >> 11) as usize % limit
    }

    /// Bytes with many small and extreme values, where the corners are.
    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        (0..len).map(|_| [0, 1, 4, 0x45, 0x60, 0xff, 6, 17, self.word() as u8][self.below(9)]).collect()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(6) {
            let at = self.below(bytes.len().max(1));
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.push(self.word() as u8),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [0, 0xff, *byte ^ 1 << self.below(8), self.word() as u8][self.below(4)];
                    }
                }
            }
        }
    }
}

/// Runs `case` with new seeds until the time is up: two seconds, or CULVERT_FUZZ_SECONDS.
fn run(case: impl Fn(&mut Random)) {
    let seconds = std::env::var("CULVERT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let end = clock::now().ms + Duration::from_secs(seconds).as_millis() as u64;
    let (mut seed, mut count) = (clock::now().unix_ns | 1, 0);
    while clock::now().ms < end {
        let guard = Told(seed);
        case(&mut Random(seed));
        std::mem::forget(guard);
        seed = seed.wrapping_add(2);
        count += 1;
    }
    println!("{count} cases");
}

struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("seed {}", self.0);
    }
}

fn engine(me: u8, other: u8, allowed: &[&str]) -> Engine {
    pair::engine(me, other, allowed, clock::entropy)
}

#[test]
fn datagrams_of_any_bytes_are_survived() {
    let (a, b) = (engine(1, 2, &["0.0.0.0/0", "::/0"]), engine(2, 1, &["0.0.0.0/0", "::/0"]));
    run(|random| {
        let mut out = Out::default();
        let mut bytes = random.bytes(200);
        if bytes.len() > 4 {
            bytes[..4].copy_from_slice(&[1 + random.below(4) as u8, 0, 0, 0]);
        }
        receive(&a, 2, &mut bytes, &mut out);
        // A true message of the other end, changed a little.
        let mut packet = ip_packet(random);
        b.send(now(2_000), &mut b.reader(), &Vnet::default(), &mut packet, &mut out);
        for mut datagram in datagrams(&mut out) {
            random.mutate(&mut datagram);
            receive(&a, 2, &mut datagram, &mut out);
        }
    });
}

#[test]
fn packets_of_any_bytes_from_either_side_are_survived() {
    let (a, b) = (engine(1, 2, &["0.0.0.0/0", "::/0"]), engine(2, 1, &["0.0.0.0/0", "::/0"]));
    let mut out = Out::default();
    a.send(now(2_000), &mut a.reader(), &Vnet::default(), &mut ip_packet(&mut Random(1)), &mut out);
    for _ in 0..3 {
        for mut datagram in datagrams(&mut out) {
            receive(&b, 1, &mut datagram, &mut out);
        }
        for mut datagram in datagrams(&mut out) {
            receive(&a, 2, &mut datagram, &mut out);
        }
    }
    assert!(a.report()[0].last_handshake_ns != 0 && b.report()[0].last_handshake_ns != 0);
    run(|random| {
        let mut out = Out::default();
        let mut packet = if random.below(3) == 0 { random.bytes(3000) } else { ip_packet(random) };
        random.mutate(&mut packet);
        let header: [u8; 10] =
            std::array::from_fn(|_| [0, 1, 4, 5, 20, 40, 16, 0xff, random.word() as u8][random.below(9)]);
        let vnet = Vnet::parse(&header).unwrap_or_default();
        a.send_frame(now(2_000), &mut a.reader(), &random.bytes(100), &mut out);
        // Whatever passes the sender's eyes reaches the receiver's authentic.
        let mut join = Join::new(Takes { tcp: true, udp: true });
        let mut arena = Vec::new();
        a.send(now(2_000), &mut a.reader(), &vnet, &mut packet, &mut out);
        let mut pieces = Vec::new();
        for mut datagram in datagrams(&mut out) {
            if let Some(range) = receive(&b, 1, &mut datagram, &mut out) {
                pieces.push(Piece { at: arena.len(), len: range.len() });
                arena.extend_from_slice(&datagram[range]);
            }
        }
        for piece in pieces {
            join.push(&mut arena, piece, &mut |_, _, _| ());
        }
        join.flush(&mut arena, &mut |_, pieces, arena| {
            assert!(pieces.iter().all(|p| p.at + p.len <= arena.len()))
        });
    });
}

fn ip_packet(random: &mut Random) -> Vec<u8> {
    let mut packet = vec![
        0x45,
        0,
        0,
        0,
        0,
        0,
        0x40,
        0,
        64,
        [6, 17, 1, 97][random.below(4)],
        0,
        0,
        10,
        0,
        0,
        1,
        10,
        0,
        0,
        2,
    ];
    if random.below(2) == 0 {
        packet = vec![0x60, 0, 0, 0, 0, 0, [6, 17, 58][random.below(3)], 64];
        packet.extend([0x20; 32]);
    }
    let header = packet.len();
    if packet[9] == 97 {
        packet.extend([0x30, 0]);
    }
    packet.extend([1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, [tcp::ACK, tcp::SYN][random.below(2)]]);
    packet.extend(random.bytes(1500));
    let total = packet.len();
    ip::put_total(&mut packet, header, total);
    packet
}

#[test]
fn requests_of_any_text_are_survived() {
    const KEYS: [&str; 20] = [
        "set=1",
        "get=1",
        "get=culvert",
        "private_key",
        "listen_port",
        "fwmark",
        "replace_peers",
        "public_key",
        "remove",
        "update_only",
        "preshared_key",
        "endpoint",
        "persistent_keepalive_interval",
        "replace_allowed_ips",
        "allowed_ip",
        "protocol_version",
        "culvert_via",
        "culvert_via_source",
        "culvert_inside",
        "culvert_access",
    ];
    let engine = engine(1, 2, &[]);
    run(|random| {
        let mut text = String::from("set=1\n");
        for _ in 0..random.below(12) {
            let key = random.word().to_le_bytes().map(|byte| format!("{byte:02x}")).concat().repeat(4);
            let values: [&str; 12] = [
                "true",
                "0",
                "65536",
                "-10.0.0.0/8",
                "10.0.0.0/33",
                "::/0",
                "10.0.0.1:5",
                "[::1]:7",
                &key,
                "10.0.0.0/8 tcp 1-9",
                "route",
                "",
            ];
            let (name, value) = (KEYS[random.below(KEYS.len())], values[random.below(values.len())]);
            text.push_str(&format!("{name}={value}\n"));
        }
        let mut bytes = text.into_bytes();
        if random.below(2) == 0 {
            random.mutate(&mut bytes);
        }
        let Ok(text) = String::from_utf8(bytes) else { return };
        if let Ok(uapi::Request::Set(set)) = uapi::parse(&text) {
            engine.apply(now(2_000), &set.change, &mut Out::default());
            engine.tick(now(4_000), &mut Out::default());
            let printed = uapi::print(&engine, 1, 0);
            assert!(printed.ends_with("errno=0\n\n"));
            uapi::print_extension(&engine);
        }
    });
}
