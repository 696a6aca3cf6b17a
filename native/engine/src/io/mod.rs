//! The edges: descriptors, threads, clocks. Everything with an effect is here, and nothing here decides.
//!
//! `unsafe` is confined to the files that make system calls; [`run`] and [`control`] have none.

pub mod clock;
pub mod control;
mod flood;
pub mod handed;
pub mod ports;
pub mod rights;
pub mod run;
pub mod sys;
pub mod tun;
pub mod uapi;
pub mod udp;
