//! What tries to get out: `spec` says which packets, `socket` opens what sends them (before anything is sent, so that a
//! socket can be older than a tunnel), `packet` forms what no socket forms, `run` sends at a steady rate and counts.

pub mod packet;
pub mod run;
pub mod socket;
pub mod spec;
