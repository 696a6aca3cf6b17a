//! Requests over the UAPI socket, one after the other to one engine; what is printed must be whole.
#![no_main]

use culvert_engine::engine::out::Out;
use culvert_engine::engine::{Engine, Now};
use culvert_engine::io::uapi::{self, Request};
use libfuzzer_sys::fuzz_target;
use std::sync::atomic::{AtomicU64, Ordering};

/// The same bytes in the same order for the same input, yet never twice: an engine asks until it finds a free index.
static DRAWN: AtomicU64 = AtomicU64::new(0);

fn draw(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        // splitmix64's step: every value once
        let drawn = DRAWN.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        chunk.copy_from_slice(&drawn.to_be_bytes()[..chunk.len()]);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    DRAWN.store(7, Ordering::Relaxed);
    let engine = Engine::new(draw);
    let mut ms = 1_000;
    for request in text.split("\n\n") {
        ms += 1_000;
        let now = Now { ms, unix_ns: ms * 1_000_000 };
        if let Ok(Request::Set(set)) = uapi::parse(request) {
            engine.apply(now, &set.change, &mut Out::default());
            engine.tick(now, &mut Out::default());
        }
        let printed = uapi::print(&engine, 1, 0);
        assert!(printed.ends_with("errno=0\n\n") && !printed.trim_end().contains("\n\n"), "{printed}");
        assert!(uapi::print_extension(&engine).ends_with("errno=0\n\n"));
    }
});
