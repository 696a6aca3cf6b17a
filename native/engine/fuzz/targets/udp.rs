//! Datagrams: any bytes, any bytes sealed by a true peer (what stands behind the authentication), and true messages with
//! a byte changed. Input: records of a kind, a length of two bytes, and so many bytes.
#![no_main]

#[path = "../../tests/pair/mod.rs"]
mod pair;
mod records;

use culvert_engine::engine::out::Out;
use libfuzzer_sys::fuzz_target;
use pair::{Far, datagrams, receive};

fuzz_target!(|data: &[u8]| {
    records::with_engine(|near, far: &Far| {
        let mut out = Out::default();
        for (kind, bytes) in records::of(data) {
            let mut datagram = match kind % 3 {
                0 => bytes.to_vec(),
                1 => far.seal(bytes),
                _ => {
                    let mut message = far.seal(&[0x45; 40]);
                    let len = message.len();
                    bytes.iter().enumerate().for_each(|(i, byte)| message[i % len] ^= byte);
                    message
                }
            };
            let len = datagram.len();
            if let Some(packet) = receive(near, 2, &mut datagram, &mut out) {
                assert!(packet.end <= len && !packet.is_empty(), "a packet outside its datagram");
            }
            datagrams(&mut out);
        }
    });
});
