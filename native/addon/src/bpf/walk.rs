//! What is there already: processes and their sockets, told by iterators of our own (so that no right to look into
//! others' processes is needed, and file keys are the kernel's own), and cgroups, which are folders.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

use serde::Serialize;

use super::life::Life;
use super::tell::{SOCKET_BYTES, TASK_BYTES};
use super::{Place, call, double, word};
use crate::sys::{Doing, Errno, Outcome};

#[derive(Serialize)]
pub struct Task {
    pub task: u32,
    pub parent: u32,
    pub class: u32,
    /// As in `Program`; empty: a kernel thread.
    pub file: String,
}

pub struct Socket {
    pub class: u32,
    pub cgroup: u64,
    pub number: u64,
}

pub fn tasks(life: &Life) -> Outcome<Vec<Task>> {
    let told = tell(&life.tell_tasks)?;
    let records = told.chunks_exact(TASK_BYTES);
    Ok(records
        .map(|r| {
            let (device, inode, generation) = (double(r, 16), double(r, 24), word(r, 12));
            let file = if inode == 0 { String::new() } else { format!("{device}:{inode}:{generation}") };
            Task { task: word(r, 0), parent: word(r, 4), class: word(r, 8), file }
        })
        .collect())
}

pub fn sockets(life: &Life) -> Outcome<Vec<Socket>> {
    let told = tell(&life.tell_sockets)?;
    let records = told.chunks_exact(SOCKET_BYTES);
    Ok(records.map(|r| Socket { class: word(r, 0), cgroup: double(r, 8), number: double(r, 16) }).collect())
}

/// Cgroups with one of these names, by number.
pub fn named_cgroups(root: &str, places: &[Place]) -> Outcome<BTreeMap<u64, u32>> {
    let mut found = BTreeMap::new();
    descend(Path::new(root), None, &mut |id, name, _| {
        let class = class_of(name, places);
        if let Some(class) = class {
            found.insert(id, class);
        }
        class
    })
    .doing(format!("reading {root}"))?;
    Ok(found)
}

/// The same with every cgroup below them.
pub fn cgroups(root: &str, places: &[Place]) -> Outcome<BTreeMap<u64, u32>> {
    let mut found = BTreeMap::new();
    descend(Path::new(root), None, &mut |id, name, above| {
        let class = class_of(name, places).or(above);
        if let Some(class) = class {
            found.insert(id, class);
        }
        class
    })
    .doing(format!("reading {root}"))?;
    Ok(found)
}

/// As the map of names finds it: the longest that fits.
fn class_of(name: &str, places: &[Place]) -> Option<u32> {
    let fits = places.iter().filter(|p| if p.begins { name.starts_with(&p.name) } else { name == p.name });
    fits.max_by_key(|p| p.name.len() + usize::from(!p.begins)).map(|p| p.class)
}

type Visit<'a> = &'a mut dyn FnMut(u64, &str, Option<u32>) -> Option<u32>;

/// A cgroup that goes while we look is none.
fn descend(folder: &Path, above: Option<u32>, visit: Visit) -> Result<(), Errno> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        Err(error) => return Err(Errno(error.raw_os_error().unwrap_or(libc::EIO))),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            let class = visit(entry.ino(), &entry.file_name().to_string_lossy(), above);
            descend(&entry.path(), class, visit)?;
        }
    }
    Ok(())
}

fn tell(link: &OwnedFd) -> Outcome<Vec<u8>> {
    let reader = call::iterate(link.as_raw_fd()).doing("opening an iterator")?;
    call::read_all(&reader).doing("reading an iterator")
}
