//! A bad link: a UDP relay that loses, doubles, reorders and corrupts, from a seed.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::{Machine, PORT};

pub const RELAY_PORT: u16 = 7777;

/// Percent of datagrams.
#[derive(Clone, Copy)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub corrupted: u64,
    /// Larger datagrams vanish, and nobody is told.
    pub largest: usize,
}

pub struct Relay(Arc<AtomicBool>);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Stands on `machine` at 192.168.77.2:7777, before its engine.
pub fn start(machine: &Machine, faults: Faults) -> Relay {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    machine.inside(move || {
        let outer = UdpSocket::bind(("192.168.77.2", RELAY_PORT)).unwrap();
        let inner = UdpSocket::bind(("192.168.77.2", RELAY_PORT + 1)).unwrap();
        let engine = SocketAddr::from(([192, 168, 77, 2], PORT));
        let (outer_in, inner_in) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
        for socket in [&outer, &inner] {
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        }
        let client = Arc::new(std::sync::Mutex::new(None));
        let (client_seen, stopped_too) = (client.clone(), stopped.clone());
        ready.send(()).unwrap();
        let back = std::thread::spawn(move || {
            carry(
                &inner_in,
                faults,
                2,
                &stopped_too,
                |_| (),
                |bytes| {
                    if let Some(client) = *client.lock().unwrap() {
                        let _ = outer.send_to(bytes, client);
                    }
                },
            );
        });
        let note = |from| *client_seen.lock().unwrap() = Some(from);
        carry(&outer_in, faults, 1, &stopped, note, |bytes| drop(inner.send_to(bytes, engine)));
        back.join().unwrap();
    });
    is_ready.recv().expect("the relay starts");
    Relay(stop)
}

fn carry(
    from: &UdpSocket,
    faults: Faults,
    mut seed: u64,
    stopped: &AtomicBool,
    note: impl Fn(SocketAddr),
    send: impl Fn(&[u8]),
) {
    let mut percent = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % 100
    };
    let (mut buffer, mut held) = ([0; 2048], Vec::new());
    while !stopped.load(Relaxed) {
        let Ok((len, sender)) = from.recv_from(&mut buffer) else { continue };
        note(sender);
        let bytes = &mut buffer[..len];
        if percent() < faults.lost || len > faults.largest {
            continue;
        }
        if percent() < faults.corrupted {
            let at = percent() as usize * len / 100;
            bytes[at] ^= 1 << (percent() % 8);
        }
        if held.is_empty() && percent() < faults.reordered {
            held = bytes.to_vec();
            continue;
        }
        send(bytes);
        if percent() < faults.doubled {
            send(bytes);
        }
        if !held.is_empty() && percent() < 30 {
            send(&std::mem::take(&mut held));
        }
    }
}
