//! Formats on the wire, each file in the same order: offsets, check, fields, form, tests.
//!
//! Contract on panics: after a file's check has passed, its accessors do not fail on the same bytes.

pub mod checksum;
pub mod etherip;
pub mod icmp;
pub mod ip;
pub mod tcp;
pub mod udp;
pub mod wg;
