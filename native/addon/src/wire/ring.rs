//! Frames that leave one device, read out of a ring that the kernel fills (PACKET_RX_RING, TPACKET_V3): memory of a fixed
//! size however many frames come, no system call per frame, and what finds no room is counted. The tap sits behind the
//! egress hook and tc (dev_queue_xmit_nit), so what is here has passed every lock.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{self, Doing, Errno, Outcome};

const ETH_P_ALL: u16 = 3;
/// Enough for IPv6 with extension headers, ports and what an ICMP error quotes.
const SNAP: u32 = 160;
/// A block is handed over when it is full or this old. 16 of them hold some 4,000 frames: 50 ms at 83,000 a second, which
/// is 1 Gbit/s of full frames.
const BLOCK: u32 = 64 << 10;
const BLOCKS: u32 = 16;
const BLOCK_AGE_MS: u32 = 20;
/// linux/if_packet.h, enum tpacket_versions
const TPACKET_V3: i32 = 2;

/// Which frames by the mark they carry: lanes of programs are known on the wire by nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marks {
    Any,
    /// helper/plan/numbers.ts: programs' groups and the direct lane.
    Program,
    Other,
}

pub struct Ring {
    socket: OwnedFd,
    memory: *mut u8,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone and is reached through `&mut self`
unsafe impl Send for Ring {}

/// One frame from its network header on.
pub struct Caught<'a> {
    pub ethertype: u16,
    pub bytes: &'a [u8],
    /// The driver tags it: the frame of a VLAN link, which has a tap of its own.
    pub tagged: bool,
}

impl Ring {
    /// Cooked: without the link's header, its type told beside. The filter is there before the socket is bound, so nothing
    /// but outgoing frames is ever queued.
    pub fn open(index: u32, marks: Marks) -> Outcome<Self> {
        let what = || format!("watching the wire of link {index}");
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0).doing(what())?;
        let fd = socket.as_raw_fd();
        attach_filter(fd, marks).doing(what())?;
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, TPACKET_V3).doing(what())?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK,
            tp_block_nr: BLOCKS,
            tp_frame_size: 2048,
            tp_frame_nr: BLOCK / 2048 * BLOCKS,
            tp_retire_blk_tov: BLOCK_AGE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, request).doing(what())?;
        let memory = sys::map(fd, (BLOCK * BLOCKS) as usize).doing(what())?;
        let ring = Self { socket, memory, next: 0 };
        // SAFETY: all zeros is a valid sockaddr_ll
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ETH_P_ALL.to_be();
        address.sll_ifindex = index as i32;
        sys::bind(fd, &address).doing(what())?;
        Ok(ring)
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// At most one round of the ring, so that whoever waits for the counts does not wait for ever.
    pub fn drain(&mut self, mut each: impl FnMut(&Caught)) {
        // a link that goes down says so once (ENETDOWN); unread it would wake the thread for ever
        let _: Result<i32, Errno> = sys::option(self.fd(), libc::SOL_SOCKET, libc::SO_ERROR);
        for _ in 0..BLOCKS {
            // SAFETY: `next` is below BLOCKS, so the block lies within the mapping, which lives as long as self
            let block = unsafe { self.memory.add(self.next * BLOCK as usize) };
            if !is_ours(block) {
                return;
            }
            frames(block, &mut each);
            give_back(block);
            self.next = (self.next + 1) % BLOCKS as usize;
        }
    }

    /// Since it was last asked (PACKET_STATISTICS reads and clears).
    pub fn missed(&self) -> u64 {
        let stats =
            sys::option::<libc::tpacket_stats_v3>(self.fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
        stats.map_or(0, |stats| stats.tp_drops.into())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        sys::unmap(self.memory, (BLOCK * BLOCKS) as usize);
    }
}

/// Outgoing frames, their first bytes only (linux/filter.h: SKF_AD_PKTTYPE 4, SKF_AD_MARK 20; PACKET_OUTGOING is 4).
fn attach_filter(fd: i32, marks: Marks) -> Result<(), Errno> {
    const LD_W_ABS: u16 = 0x20;
    const AND_K: u16 = 0x54;
    const JEQ_K: u16 = 0x15;
    const JGE_K: u16 = 0x35;
    const RET_K: u16 = 0x06;
    const ANCILLARY: u32 = (-0x1000i32) as u32;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let (of_program, of_others) = match marks {
        Marks::Any => (SNAP, SNAP),
        Marks::Program => (SNAP, 0),
        Marks::Other => (0, SNAP),
    };
    // plan/numbers.ts: marks.direct 0xc4, appMarks from 0xd0 on, under the mask of bits 24-31
    let mut program = [
        step(LD_W_ABS, 0, 0, ANCILLARY + 4),
        step(JEQ_K, 1, 0, 4),
        step(RET_K, 0, 0, 0),
        step(LD_W_ABS, 0, 0, ANCILLARY + 20),
        step(AND_K, 0, 0, 0xff00_0000),
        step(JEQ_K, 1, 0, 0xc400_0000),
        step(JGE_K, 0, 1, 0xd000_0000),
        step(RET_K, 0, 0, of_program),
        step(RET_K, 0, 0, of_others),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, filter)
}

/// Where a block says whose it is (linux/if_packet.h, tpacket_block_desc: version, offset_to_priv, then tpacket_hdr_v1).
fn status(block: *mut u8) -> &'static AtomicU32 {
    // SAFETY: the word lies inside the block, is aligned, and kernel and reader share it by this protocol; the reference
    // does not leave the two functions below
    unsafe { &*block.add(8).cast::<AtomicU32>() }
}

fn is_ours(block: *mut u8) -> bool {
    status(block).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
}

fn give_back(block: *mut u8) {
    status(block).store(libc::TP_STATUS_KERNEL, Ordering::Release);
}

fn frames(block: *mut u8, each: &mut impl FnMut(&Caught)) {
    // SAFETY: a block that is ours is not written by the kernel until it is given back
    let block = unsafe { std::slice::from_raw_parts(block, BLOCK as usize) };
    let word = |at: usize| block.get(at..at + 4).map_or(0, |b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    let half = |at: usize| block.get(at..at + 2).map_or(0, |b| u16::from_ne_bytes([b[0], b[1]]));
    // tpacket_hdr_v1: block_status, num_pkts, offset_to_first_pkt
    let count = word(12);
    let mut at = word(16) as usize;
    for _ in 0..count {
        // tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac, net; behind its 48 bytes stands a sockaddr_ll
        let (next, length, status) = (word(at) as usize, word(at + 12) as usize, word(at + 20));
        let from = at + usize::from(half(at + 26));
        let bytes = block.get(from..from + length).unwrap_or_default();
        let tagged = status & libc::TP_STATUS_VLAN_VALID != 0;
        each(&Caught { ethertype: u16::from_be(half(at + 48 + 2)), bytes, tagged });
        if next == 0 {
            return;
        }
        at += next;
    }
}
