//! Marks on sockets at birth, by the program that makes them. Loads the programs, feeds their maps, and reads back.
//!
//! Maps and links are pinned, so that marks go on when the helper dies: without them a program that policy blocks, or
//! sends through the tunnel while the rest goes direct, would be free. They lie in <bpffs>/culvert/<namespace>/<life>;
//! the link that marks is pinned last, so a life that has it is whole. A later life with the same programs takes it
//! over; one with others attaches its own beside, fills them, and only then the old one goes.

mod btf;
mod call;
mod code;
mod life;
mod programs;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd;

use serde::{Deserialize, Serialize};

use self::life::Life;
use self::programs::{LOST, NAME_BYTES, PLACES_NAMED};
use crate::sys::{Doing, Errno, Outcome};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// The root of cgroup version 2.
    pub cgroup: String,
    pub bpffs: String,
    /// The bits of a mark that are ours.
    pub mask: u32,
}

/// All of what the programs shall know, but the processes.
#[derive(Deserialize, Serialize)]
pub struct Wanted {
    pub programs: Vec<Program>,
    pub places: Vec<Place>,
    pub marks: Vec<Mark>,
}

/// `file`: device, inode and generation (0: any), as `file_key` says them.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    pub file: String,
    pub class: u32,
}

/// Cgroups by name; `begins`: the name is only how theirs begins.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub name: String,
    pub begins: bool,
    pub class: u32,
}

#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub program: u32,
    pub place: u32,
    pub mark: u32,
}

#[derive(Deserialize)]
pub struct TaskClass {
    pub task: u32,
    pub class: u32,
    /// What it was when it was read: where it is another by now, it stays.
    pub was: u32,
}

#[derive(Serialize)]
pub struct Reading {
    /// The programs are attached and pinned.
    pub whole: bool,
    /// Scripts are known by their own file.
    pub scripts: bool,
    /// Processes for which there was no room.
    pub lost: u32,
    pub programs: Vec<Program>,
    pub places: Vec<Place>,
    pub marks: Vec<Mark>,
}

pub struct Marks {
    life: Life,
    cgroup: String,
}

/// Whether all of it loads here; says what does not. Attaches nothing.
pub fn probe(options: &Options) -> Outcome<bool> {
    life::probe(options)
}

/// Takes everything away that is ours in this network namespace. Whether there was anything.
pub fn clear(bpffs: &str) -> Outcome<bool> {
    life::clear(bpffs, None)
}

impl Marks {
    pub fn open(options: &Options) -> Outcome<Self> {
        Ok(Self { life: life::open(options)?, cgroup: options.cgroup.clone() })
    }

    /// Marks before the classes that lead to them, and the other way round when they go: no class is ever without.
    pub fn apply(&self, wanted: &Wanted) -> Outcome<()> {
        let marks = entries(&wanted.marks, mark_entry);
        let programs = fallible(&wanted.programs, program_entry).doing("reading a file's key")?;
        let names = fallible(&wanted.places, name_entry).doing("reading a cgroup's name")?;
        let maps = &self.life.maps;
        let before = self.entries_of("marks")?;
        put(&maps.marks, &before, &marks).doing("writing marks")?;
        let named = u32::from(!wanted.places.is_empty());
        call::update(maps.settings.as_raw_fd(), &PLACES_NAMED.to_ne_bytes(), &named.to_ne_bytes(), call::ANY)
            .doing("writing settings")?;
        let had = self.entries_of("places")?;
        let named_before = self.entries_of("names")?;
        replace(&maps.names, &named_before, &names).doing("writing names of cgroups")?;
        self.place_cgroups(wanted, &had)?;
        replace(&maps.programs, &self.entries_of("programs")?, &programs).doing("writing programs")?;
        drop_stale(&maps.marks, &before, &marks).doing("deleting marks")
    }

    pub fn read(&self) -> Outcome<Reading> {
        let lost = self.setting(LOST)?;
        let mut programs: Vec<_> = self.entries_of("programs")?.iter().map(read_program).collect();
        let mut places: Vec<_> = self.entries_of("names")?.iter().map(read_name).collect();
        let mut marks: Vec<_> = self.entries_of("marks")?.iter().map(read_mark).collect();
        programs.sort();
        places.sort();
        marks.sort();
        Ok(Reading { whole: self.life.whole(), scripts: self.life.scripts(), lost, programs, places, marks })
    }

    /// Lives before this one go.
    pub fn alone(&self) -> Outcome<bool> {
        life::clear(&self.life.bpffs, Some(&self.life.folder))
    }

    pub fn tasks(&self) -> Outcome<Vec<walk::Task>> {
        walk::tasks(&self.life)
    }

    pub fn set_tasks(&self, tasks: &[TaskClass]) -> Outcome<()> {
        let map = self.life.maps.tasks.as_raw_fd();
        for TaskClass { task, class, was } in tasks {
            let key = task.to_ne_bytes();
            let mut value = [0; 4];
            let there = call::lookup(map, &key, &mut value).doing("reading a process's class")?;
            if u32::from_ne_bytes(value) != *was || there != (*was != 0) {
                continue;
            }
            let outcome = match class {
                0 => call::delete(map, &key).map(|_| ()),
                _ if there => call::update(map, &key, &class.to_ne_bytes(), call::ANY),
                // one that was born or started since has its class from the programs
                _ => call::update(map, &key, &class.to_ne_bytes(), call::ABSENT)
                    .or_else(|e| if e == Errno(libc::EEXIST) { Ok(()) } else { Err(e) }),
            };
            outcome.doing("writing a process's class")?;
        }
        Ok(())
    }

    /// Numbers of the sockets that processes of these classes have open.
    pub fn sockets(&self, programs: &[u32], places: &[Place]) -> Outcome<BTreeSet<u64>> {
        let cgroups = match places {
            [] => BTreeMap::new(),
            _ => walk::cgroups(&self.cgroup, places)?,
        };
        let told = walk::sockets(&self.life)?;
        let ours = told.iter().filter(|s| programs.contains(&s.class) || cgroups.contains_key(&s.cgroup));
        Ok(ours.map(|s| s.number).collect())
    }

    /// Cgroups that are there already. Those born since the names were written were placed at birth.
    fn place_cgroups(&self, wanted: &Wanted, had: &Entries) -> Outcome<()> {
        let map = &self.life.maps.places;
        let there: Entries = match wanted.places.as_slice() {
            [] => Entries::new(),
            places => walk::named_cgroups(&self.cgroup, places)?
                .into_iter()
                .map(|(id, class)| (id.to_ne_bytes().to_vec(), class.to_ne_bytes().to_vec()))
                .collect(),
        };
        put(map, had, &there).and_then(|()| drop_stale(map, had, &there)).doing("writing places")
    }

    fn setting(&self, number: u32) -> Outcome<u32> {
        let mut value = [0; 4];
        call::lookup(self.life.maps.settings.as_raw_fd(), &number.to_ne_bytes(), &mut value)
            .doing("reading settings")?;
        Ok(u32::from_ne_bytes(value))
    }

    fn entries_of(&self, name: &str) -> Outcome<Entries> {
        let (map, form) = self.life.maps.named(name);
        read_map(map.as_raw_fd(), form.key as usize, form.value as usize)
            .doing(format!("reading the map {name}"))
    }
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
type Entry = (Vec<u8>, Vec<u8>);

fn entries<T>(list: &[T], of: impl Fn(&T) -> Entry) -> Entries {
    list.iter().map(of).collect()
}

fn fallible<T>(list: &[T], of: impl Fn(&T) -> Option<Entry>) -> Result<Entries, Errno> {
    list.iter().map(of).collect::<Option<Entries>>().ok_or(Errno(libc::EINVAL))
}

fn put(map: &impl AsRawFd, have: &Entries, want: &Entries) -> Result<(), Errno> {
    let mut changed = want.iter().filter(|(key, value)| have.get(*key) != Some(value));
    changed.try_for_each(|(key, value)| call::update(map.as_raw_fd(), key, value, call::ANY))
}

fn drop_stale(map: &impl AsRawFd, have: &Entries, want: &Entries) -> Result<(), Errno> {
    let mut stale = have.keys().filter(|key| !want.contains_key(*key));
    stale.try_for_each(|key| call::delete(map.as_raw_fd(), key).map(|_| ()))
}

fn replace(map: &impl AsRawFd, have: &Entries, want: &Entries) -> Result<(), Errno> {
    put(map, have, want)?;
    drop_stale(map, have, want)
}

fn read_map(map: i32, key: usize, value: usize) -> Result<Entries, Errno> {
    let mut all = Entries::new();
    let mut at: Option<Vec<u8>> = None;
    let mut next = vec![0; key];
    while call::next_key(map, at.as_deref(), &mut next)? {
        let mut found = vec![0; value];
        if call::lookup(map, &next, &mut found)? {
            all.insert(next.clone(), found);
        }
        at = Some(next.clone());
    }
    Ok(all)
}

fn mark_entry(mark: &Mark) -> Entry {
    ([mark.program.to_ne_bytes(), mark.place.to_ne_bytes()].concat(), mark.mark.to_ne_bytes().to_vec())
}

fn read_mark((key, value): (&Vec<u8>, &Vec<u8>)) -> Mark {
    Mark { program: word(key, 0), place: word(key, 4), mark: word(value, 0) }
}

fn program_entry(program: &Program) -> Option<Entry> {
    let mut parts = program.file.split(':');
    let [device, inode] = [(); 2].map(|()| parts.next().and_then(|p| p.parse::<u64>().ok()));
    let generation: u32 = parts.next()?.parse().ok()?;
    let key = [device?.to_ne_bytes(), inode?.to_ne_bytes()].concat();
    Some((key, [program.class.to_ne_bytes(), generation.to_ne_bytes()].concat()))
}

fn read_program((key, value): (&Vec<u8>, &Vec<u8>)) -> Program {
    let [device, inode] = [0, 8].map(|at| double(key, at));
    Program { file: format!("{device}:{inode}:{}", word(value, 4)), class: word(value, 0) }
}

/// A whole name is one that ends where it ends: its closing zero belongs to it.
fn name_entry(place: &Place) -> Option<Entry> {
    let mut bytes = place.name.clone().into_bytes();
    if !place.begins {
        bytes.push(0);
    }
    let length = u32::try_from(bytes.len()).ok().filter(|l| *l <= NAME_BYTES)?;
    bytes.resize(NAME_BYTES as usize, 0);
    Some(([(length * 8).to_ne_bytes().to_vec(), bytes].concat(), place.class.to_ne_bytes().to_vec()))
}

fn read_name((key, value): (&Vec<u8>, &Vec<u8>)) -> Place {
    let bytes = &key[4..4 + word(key, 0) as usize / 8];
    let begins = bytes.last() != Some(&0);
    let name = String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    Place { name, begins, class: word(value, 0) }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn double(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
