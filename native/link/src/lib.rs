//! The lab's two tools. `link` is a wire: it takes every frame that leaves a machine, writes it down, and hands it on
//! late, damaged or not at all. `flood` is what tries to get out: packets of every kind that a program can make.

pub mod clock;
pub mod flood;
pub mod link;
