//! Noise IKpsk2 as WireGuard uses it: two handshake messages, the cookie that guards them, and the session that
//! comes out. Nothing here knows time, sockets or peers' configuration.

pub mod constants;
pub mod cookie;
pub mod handshake;
pub mod primitives;
pub mod replay;
pub mod session;
