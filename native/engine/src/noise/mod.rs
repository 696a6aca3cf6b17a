//! Noise IKpsk2 as WireGuard uses it: two handshake messages, the cookie that guards them, and the session that
//! comes out. Nothing here knows time, sockets or peers' configuration.

mod cipher;
pub mod constants;
pub mod cookie;
pub mod handshake;
pub mod primitives;
pub mod replay;
pub mod session;
#[cfg(target_arch = "x86_64")]
mod wide;
