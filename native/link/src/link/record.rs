//! Everything that left one machine on this wire, as a pcap file with nanoseconds (magic 0xa1b23c4d), readable while
//! it grows. One file a port: whatever source address a frame claims, the file says which machine sent it.
//!
//! A frame is written down before it is handed on, so nothing can have an effect that is not in the file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::clock::SECOND;

/// Enough for Ethernet, VLAN, IPv6 with extension headers and the transport header; payload is not kept.
pub const SNAPLEN: usize = 192;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

pub struct Record {
    file: File,
    pending: Vec<u8>,
}

impl Record {
    pub fn create(path: &Path) -> io::Result<Record> {
        let mut record = Record { file: File::create(path)?, pending: Vec::with_capacity(64 * 1024) };
        for word in [MAGIC_NANOSECONDS, 0x0004_0002, 0, 0, SNAPLEN as u32, LINKTYPE_ETHERNET] {
            record.pending.extend_from_slice(&word.to_le_bytes());
        }
        record.flush()?;
        Ok(record)
    }

    pub fn add(&mut self, at: u64, frame: &[u8]) {
        let kept = &frame[..frame.len().min(SNAPLEN)];
        let words = [at / SECOND, at % SECOND, kept.len() as u64, frame.len() as u64];
        for word in words {
            self.pending.extend_from_slice(&(word as u32).to_le_bytes());
        }
        self.pending.extend_from_slice(kept);
    }

    pub fn flush(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.file.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}
