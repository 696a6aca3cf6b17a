//! Why packets were refused: one counter for each reason, so that nothing is dropped silently.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the UAPI extension keys.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }
    };
}

refusals! {
    /// From the TUN: not IP, or lengths that contradict each other.
    NotIp = "not_ip",
    /// From the TUN: no peer's allowed IPs hold the destination.
    NoRoute = "no_route",
    NoEndpoint = "no_endpoint",
    /// Larger than the path carries; its sender was told.
    TooBig = "too_big",
    /// More packets than may wait for a handshake.
    StagedFull = "staged_full",
    /// From outside: none of the four messages.
    NotWireguard = "not_wireguard",
    UnknownIndex = "unknown_index",
    Forged = "forged",
    Replayed = "replayed",
    Expired = "expired",
    /// A handshake with a wrong mac1.
    WrongMac1 = "wrong_mac1",
    /// A genuine handshake from a key that is no peer's.
    UnknownPeer = "unknown_peer",
    /// An initiation that is not newer than the last, or too soon after it.
    StaleInitiation = "stale_initiation",
    /// Answered with a cookie instead of a handshake.
    UnderLoad = "under_load",
    /// Under load, with a right cookie, but too often from one address.
    RateLimited = "rate_limited",
    /// Decrypted, but not IP.
    InsideNotIp = "inside_not_ip",
    /// Decrypted, but the source is not among the peer's allowed IPs.
    InsideSource = "inside_source",
    /// Decrypted, but not allowed by the peer's access list.
    InsideDenied = "inside_denied",
    /// From one peer to another, which is refused here.
    InsideClient = "inside_client",
    /// Back to the peer it came from, or its hops are used up.
    InsideLoop = "inside_loop",
    /// No Ethernet frame, not from a port of the switch, or its source lives elsewhere.
    BadFrame = "bad_frame",
    /// Congestion was marked outside on a packet that cannot carry the mark (RFC 6040 section 4.2).
    InsideEcn = "inside_ecn",
    /// The TUN did not take it.
    TunFull = "tun_full",
    /// The socket did not take it.
    UdpFull = "udp_full",
}

pub struct Counters([AtomicU64; Refusal::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Refusal::ALL.len()])
    }
}

impl Counters {
    pub fn count(&self, refusal: Refusal) {
        self.0[refusal as usize].fetch_add(1, Relaxed);
    }

    pub fn get(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize].load(Relaxed)
    }
}
