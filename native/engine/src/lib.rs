//! Culvert's packet engine: WireGuard in user space, between a TUN descriptor and UDP sockets.
//!
//! Four layers, each importing only those above it:
//!
//! - [`wire`]: formats. Judges lengths, nothing else.
//! - [`noise`]: handshake, cookies, sessions. Knows keys and bytes, no time of its own, no peers' configuration.
//! - [`offload`]: cutting what the kernel hands over whole into packets, joining packets into what it takes whole.
//! - [`engine`]: peers, allowed IPs, timers. Packets and time in; datagrams, packets and a deadline out. No I/O.
//! - [`io`]: the only place with effects: TUN, UDP, the UAPI socket, threads, giving rights away.
//!
//! A packet's way out: `io/tun` → `engine/send` → `offload/split` → `noise/session` → `io/udp`.
//! A packet's way in: `io/udp` → `engine/receive` → `noise/session` → `offload/join` → `io/tun`.

pub mod engine;
pub mod io;
pub mod noise;
pub mod offload;
pub mod wire;

#[cfg(test)]
pub mod tests {
    /// xorshift64*: seeded, so that a failing case can be run again.
    pub struct Random(pub u64);

    impl Random {
        pub fn word(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        pub fn below(&mut self, limit: u64) -> u64 {
            self.word() % limit
        }
    }
}
