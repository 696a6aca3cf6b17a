//! Large packets: the kernel hands over and takes several TCP segments or UDP datagrams as one, with a header that
//! says how they are cut. Cutting and joining happen here, without I/O.

pub mod join;
pub mod split;
pub mod vnet;
