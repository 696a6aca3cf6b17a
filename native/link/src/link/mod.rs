//! A frame's way: `tap` (leaves a machine) → `record` (written down) → `segment` (which ports) → `shape` (when, and
//! whether) → `tap` (enters a machine). `run` turns the crank, `control` is what may be asked while it turns.

pub mod control;
pub mod record;
pub mod run;
pub mod segment;
pub mod shape;
pub mod tap;
