//! Reads from the TUN: a virtio header and a packet, cut and sealed; and packets that came, joined for writing. Input:
//! records whose first ten bytes are the virtio header.
#![no_main]

#[path = "../../tests/pair/mod.rs"]
mod pair;
mod records;

use culvert_engine::engine::out::Out;
use culvert_engine::offload::join::{Join, Piece, Takes};
use culvert_engine::offload::vnet::{LEN, Vnet};
use libfuzzer_sys::fuzz_target;
use pair::{datagrams, now};

fuzz_target!(|data: &[u8]| {
    records::with_engine(|near, _| {
        let (mut out, mut arena, mut pieces) = (Out::default(), Vec::new(), Vec::new());
        for (kind, bytes) in records::of(data) {
            let Some((header, packet)) = bytes.split_first_chunk::<LEN>() else { continue };
            pieces.push(Piece { at: arena.len(), len: packet.len() });
            arena.extend_from_slice(packet);
            if kind % 8 == 0 {
                near.send_frame(now(2_000), &mut near.reader(), packet, &mut out);
            }
            if let Some(vnet) = Vnet::parse(header) {
                near.send(now(2_000), &mut near.reader(), &vnet, &mut packet.to_vec(), &mut out);
            }
            datagrams(&mut out);
        }
        let mut join = Join::new(Takes { tcp: true, udp: true });
        let whole: usize = pieces.iter().map(|piece| piece.len).sum();
        let mut written = 0;
        let mut write = |_: &Vnet, pieces: &[Piece], arena: &[u8]| {
            assert!(
                pieces.iter().all(|piece| piece.at + piece.len <= arena.len()),
                "a piece outside the arena"
            );
            written += pieces.iter().map(|piece| piece.len).sum::<usize>();
        };
        for piece in pieces.into_iter().filter(|piece| piece.len > 0) {
            join.push(&mut arena, piece, &mut write);
        }
        join.flush(&mut arena, &mut write);
        assert!(written <= whole, "more was written than came");
    });
});
