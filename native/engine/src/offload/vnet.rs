//! `struct virtio_net_hdr` (linux/virtio_net.h) as a TUN descriptor with IFF_VNET_HDR puts it before each packet.
//! Without TUNSETVNETLE its words are in the machine's byte order.

pub const LEN: usize = 10;

pub const NEEDS_CSUM: u8 = 1;

/// What the packet behind the header is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gso {
    #[default]
    None,
    TcpV4,
    TcpV6,
    /// Several UDP datagrams of one size (VIRTIO_NET_HDR_GSO_UDP_L4).
    Udp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vnet {
    pub needs_checksum: bool,
    pub gso: Gso,
    pub header: u16,
    /// Payload bytes in each segment but the last.
    pub segment: u16,
    /// Where the transport header starts.
    pub checksum_start: u16,
    pub checksum_offset: u16,
}

impl Vnet {
    /// None when the kernel uses a kind of packet nobody asked it for.
    pub fn parse(bytes: &[u8; LEN]) -> Option<Self> {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        // The top bit tells that the first segment has CWR set (VIRTIO_NET_HDR_GSO_ECN), which the packet says too.
        let gso = match bytes[1] & 0x7f {
            0 => Gso::None,
            1 => Gso::TcpV4,
            4 => Gso::TcpV6,
            5 => Gso::Udp,
            _ => return None,
        };
        Some(Self {
            needs_checksum: bytes[0] & NEEDS_CSUM != 0,
            gso,
            header: word(2),
            segment: word(4),
            checksum_start: word(6),
            checksum_offset: word(8),
        })
    }

    pub fn print(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = if self.needs_checksum { NEEDS_CSUM } else { 0 };
        bytes[1] = match self.gso {
            Gso::None => 0,
            Gso::TcpV4 => 1,
            Gso::TcpV6 => 4,
            Gso::Udp => 5,
        };
        let words = [self.header, self.segment, self.checksum_start, self.checksum_offset];
        for (place, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_written() {
        let header = Vnet {
            needs_checksum: true,
            gso: Gso::Udp,
            header: 28,
            segment: 1392,
            checksum_start: 20,
            checksum_offset: 6,
        };
        assert_eq!(Vnet::parse(&header.print()), Some(header));
        assert_eq!(Vnet::parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), None, "UFO was not asked for");
    }
}
