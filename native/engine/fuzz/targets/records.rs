//! Input cut into records, and the engine they are thrown at.
#![allow(dead_code)] // each target uses its own part

use std::cell::RefCell;

use culvert_engine::engine::Engine;

use super::pair::{Far, engine};

/// Kind, length (two bytes), bytes; the last record may be short.
pub fn of(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = data.split_first()?;
        let (len, rest) = rest.split_at_checked(2)?;
        let len = usize::from(u16::from_le_bytes([len[0], len[1]])).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        data = rest;
        Some((*kind, bytes))
    })
}

/// Uses of one engine; a handshake for each input would be most of the time.
const USES: u32 = 2_000;

/// The same bytes in every run, so that a find can be run again.
fn entropy(bytes: &mut [u8]) {
    thread_local!(static STATE: RefCell<u64> = const { RefCell::new(0x9e37_79b9_7f4a_7c15) });
    STATE.with_borrow_mut(|state| {
        for byte in bytes {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (*state >> 56) as u8;
        }
    });
}

/// Engine 1 and its peer 2, with a session.
pub fn with_engine(act: impl FnOnce(&Engine, &Far)) {
    thread_local!(static PAIR: RefCell<Option<(Engine, Far, u32)>> = const { RefCell::new(None) });
    PAIR.with_borrow_mut(|pair| {
        let (near, far, uses) = pair.get_or_insert_with(|| {
            let near = engine(1, 2, &["0.0.0.0/0", "::/0"], entropy);
            let far = Far::of(&near);
            (near, far, 0)
        });
        *uses += 1;
        let is_old = *uses == USES;
        act(near, far);
        if is_old {
            *pair = None;
        }
    });
}
