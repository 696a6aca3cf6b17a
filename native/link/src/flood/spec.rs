//! A flood as a value: streams, each with its own rate, bounded in time.

use std::net::IpAddr;

use serde::Deserialize;

/// No flood lasts longer, whatever it is told.
pub const MOST_SECONDS: f64 = 300.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FloodSpec {
    pub seconds: f64,
    /// Open everything, say "ready", and send only after a line on standard input.
    #[serde(default)]
    pub wait: bool,
    pub streams: Vec<StreamSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSpec {
    pub name: String,
    /// Packets a second.
    pub rate: f64,
    /// Stops after so many; absent: when the time is up.
    pub count: Option<u64>,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    Udp {
        to: IpAddr,
        port: u16,
        #[serde(default)]
        way: Way,
        /// Payload; absent: 32 bytes.
        hex: Option<String>,
        /// A new socket for each packet, so its source is chosen anew.
        #[serde(default)]
        fresh: bool,
    },
    /// Connection attempts: each a new socket and one SYN, closed at once.
    Connect {
        to: IpAddr,
        port: u16,
        #[serde(default)]
        way: Way,
    },
    /// One connection made at the start; every packet is a write on it.
    Stream {
        to: IpAddr,
        port: u16,
        #[serde(default)]
        way: Way,
    },
    Echo {
        to: IpAddr,
        #[serde(default)]
        way: Way,
    },
    /// A whole Ethernet frame through AF_PACKET.
    Frame {
        device: String,
        hex: String,
        #[serde(default)]
        bypass_qdisc: bool,
    },
}

/// How a socket names its way out; all optional, all at once possible.
#[derive(Debug, Default, Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Way {
    /// SO_BINDTODEVICE
    pub device: Option<String>,
    /// IP_UNICAST_IF, IPV6_UNICAST_IF
    pub unicast_if: Option<String>,
    /// IP_MULTICAST_IF, IPV6_MULTICAST_IF
    pub multicast_if: Option<String>,
    /// IP_PKTINFO, IPV6_PKTINFO with this device's index (UDP only)
    pub pktinfo: Option<String>,
    /// bind(2) to this address
    pub source: Option<IpAddr>,
    /// Source routing by this first hop: LSRR in IPv4, a segment routing header in IPv6.
    pub hop: Option<IpAddr>,
}
