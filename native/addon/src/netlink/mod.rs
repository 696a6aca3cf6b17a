//! rtnetlink: the machine's links, addresses, routes, rules and nexthops, read and changed.
//!
//! `message` builds and cuts messages, `socket` carries them, one file for each kind of object says how it looks in a
//! message and as a value, `operation` is the list of changes, `read` the whole reading, `question` asks RTM_GETROUTE,
//! `diag` closes sockets.

pub mod address;
pub mod diag;
pub mod link;
pub mod message;
pub mod nexthop;
pub mod operation;
pub mod question;
pub mod read;
pub mod route;
pub mod rule;
pub mod socket;
pub mod text;
