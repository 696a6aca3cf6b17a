//! Frames: in authentic packets of protocol 97 from a port of the switch, and from the TAP. Input: records; kind 0 is the
//! body of a packet over IPv4 (EtherIP header and frame), 1 a frame from the TAP, 2 a whole packet.
#![no_main]

#[path = "../../tests/pair/mod.rs"]
mod pair;
mod records;

use culvert_engine::engine::out::Out;
use libfuzzer_sys::fuzz_target;
use pair::{datagrams, now, receive};

fuzz_target!(|data: &[u8]| {
    records::with_engine(|near, far| {
        let mut out = Out::default();
        for (kind, bytes) in records::of(data) {
            match kind % 3 {
                0 => {
                    let length = (20 + bytes.len()).min(usize::from(u16::MAX)) as u16;
                    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 97, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
                    packet[2..4].copy_from_slice(&length.to_be_bytes());
                    packet.extend_from_slice(bytes);
                    receive(near, 2, &mut far.seal(&packet), &mut out);
                }
                1 => near.send_frame(now(2_000), &mut near.reader(), bytes, &mut out),
                _ => drop(receive(near, 2, &mut far.seal(bytes), &mut out)),
            }
            assert!(out.frames.iter().all(|frame| frame.len() >= 14), "a frame without its header");
            out.frames.clear();
            datagrams(&mut out);
        }
    });
});
