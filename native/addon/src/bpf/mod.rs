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
mod lineage;
mod place;
mod programs;
mod tell;
mod walk;

pub use self::life::{mount, unmount};

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use serde::{Deserialize, Serialize};

use self::life::Life;
use self::programs::{LOST, NAME_BYTES, PATH_BYTES, PLACES_NAMED};
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
    pub paths: Vec<CalledBy>,
    pub places: Vec<Place>,
    pub marks: Vec<Mark>,
}

/// `file`: device, inode and generation (0: any), as `file_key` says them.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    pub file: String,
    pub class: u32,
}

/// A program by the path that an exec calls it by; longer ones than 255 bytes are known by their file only.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalledBy {
    pub path: String,
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
    pub paths: Vec<CalledBy>,
    pub places: Vec<Place>,
    pub marks: Vec<Mark>,
}

pub struct Marks {
    pub mask: u32,
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
        Ok(Self { mask: options.mask, life: life::open(options)?, cgroup: options.cgroup.clone() })
    }

    /// Marks before the classes that lead to them, and the other way round when they go: no class is ever without.
    pub fn apply(&self, wanted: &Wanted) -> Outcome<()> {
        let marks = entries(&wanted.marks, mark_entry);
        let programs = fallible(&wanted.programs, program_entry).doing("reading a file's key")?;
        let paths = fallible(&wanted.paths, path_entry).doing("reading a path")?;
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
        replace(&maps.paths, &self.entries_of("paths")?, &paths).doing("writing paths")?;
        drop_stale(&maps.marks, &before, &marks).doing("deleting marks")
    }

    pub fn read(&self) -> Outcome<Reading> {
        let lost = self.setting(LOST)?;
        let mut programs: Vec<_> = self.entries_of("programs")?.iter().map(read_program).collect();
        let mut places: Vec<_> = self.entries_of("names")?.iter().map(read_name).collect();
        let mut marks: Vec<_> = self.entries_of("marks")?.iter().map(read_mark).collect();
        let mut paths: Vec<_> = self.entries_of("paths")?.iter().map(read_path).collect();
        programs.sort();
        paths.sort();
        places.sort();
        marks.sort();
        let (whole, scripts) = (self.life.whole(), self.life.scripts());
        Ok(Reading { whole, scripts, lost, programs, paths, places, marks })
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

    /// Sockets that processes of these classes have open, by number, with the mark that they would be born with.
    pub fn sockets(&self, programs: &[u32], places: &[u32]) -> Outcome<BTreeMap<u64, u32>> {
        let Reading { places: names, marks, .. } = self.read()?;
        let cgroups = match names.as_slice() {
            [] => BTreeMap::new(),
            names => walk::cgroups(&self.cgroup, names)?,
        };
        let told = walk::sockets(&self.life)?;
        Ok(told
            .iter()
            .filter_map(|socket| {
                let place = cgroups.get(&socket.cgroup).copied().unwrap_or(0);
                let chosen = programs.contains(&socket.class) || places.contains(&place);
                let mark = marks.iter().find(|m| (m.program, m.place) == (socket.class, place));
                chosen.then(|| (socket.number, mark.map_or(0, |m| m.mark)))
            })
            .collect())
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

fn path_entry(called: &CalledBy) -> Option<Entry> {
    let mut bytes = called.path.clone().into_bytes();
    // its end must fit too
    if bytes.len() >= PATH_BYTES as usize {
        return None;
    }
    bytes.resize(PATH_BYTES as usize, 0);
    Some((bytes, called.class.to_ne_bytes().to_vec()))
}

fn read_path((key, value): (&Vec<u8>, &Vec<u8>)) -> CalledBy {
    let path = String::from_utf8_lossy(key).trim_end_matches('\0').to_owned();
    CalledBy { path, class: word(value, 0) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(key: Option<Entry>) -> Vec<u8> {
        key.expect("an entry").0
    }

    #[test]
    fn what_is_written_reads_back_as_it_was() {
        let program = Program { file: "65024:1234:77".into(), class: 5 };
        let place = Place { name: "snap.firefox.".into(), begins: true, class: 6 };
        let called = CalledBy { path: "/usr/bin/it".into(), class: 7 };
        let mark = Mark { program: 5, place: 6, mark: 0xd100_0000 };
        let (key, value) = program_entry(&program).expect("a key");
        assert!(read_program((&key, &value)) == program);
        let (key, value) = name_entry(&place).expect("a name");
        assert!(read_name((&key, &value)) == place);
        let (key, value) = path_entry(&called).expect("a path");
        assert!(read_path((&key, &value)) == called);
        let (key, value) = mark_entry(&mark);
        assert!(read_mark((&key, &value)) == mark);
    }

    #[test]
    fn a_whole_name_is_longer_than_its_beginning_by_its_end() {
        let whole = bytes(name_entry(&Place { name: "a.service".into(), begins: false, class: 1 }));
        let begins = bytes(name_entry(&Place { name: "a.service".into(), begins: true, class: 1 }));
        assert_eq!((word(&whole, 0), word(&begins, 0)), (80, 72));
        assert_eq!(whole[4..], begins[4..]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(path_entry(&CalledBy { path: "/".repeat(256), class: 1 }).is_none());
        assert!(path_entry(&CalledBy { path: "/".repeat(255), class: 1 }).is_some());
        assert!(name_entry(&Place { name: "n".repeat(128), begins: false, class: 1 }).is_none());
        assert!(program_entry(&Program { file: "1:2".into(), class: 1 }).is_none());
    }
}
