//! The programs' life in the kernel: loaded, attached, pinned; found again; taken away.

use std::ffi::CString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use super::btf::Btf;
use super::call::{self, MapForm, ProgramForm};
use super::programs::{FUNCTION_ENTRY, ITERATOR, SOCKET, TRACEPOINT};
use super::{Options, lineage, place, programs, tell};
use crate::sys::{self, Doing, Errno, Fault, Outcome};

pub type Writer = fn(&Btf, &programs::Maps) -> Option<Vec<[u8; 8]>>;

pub struct Life {
    pub bpffs: String,
    pub folder: String,
    pub maps: OwnedMaps,
    /// Links of the iterators: they are read, nobody calls them.
    pub tell_tasks: OwnedFd,
    pub tell_sockets: OwnedFd,
}

pub struct OwnedMaps {
    pub programs: OwnedFd,
    pub paths: OwnedFd,
    pub tasks: OwnedFd,
    pub pending: OwnedFd,
    pub names: OwnedFd,
    pub places: OwnedFd,
    pub marks: OwnedFd,
    pub settings: OwnedFd,
}

/// What is traced: name of the link, kind, what it is attached to, the program.
const TRACED: [(&str, (u32, u32), &str, Writer); 7] = [
    ("fork", TRACEPOINT, "btf_trace_sched_process_fork", lineage::fork),
    ("exec", TRACEPOINT, "btf_trace_sched_process_exec", lineage::exec),
    ("exit", TRACEPOINT, "btf_trace_sched_process_exit", lineage::exit),
    ("born", TRACEPOINT, "btf_trace_cgroup_mkdir", place::born),
    ("gone", TRACEPOINT, "btf_trace_cgroup_rmdir", place::gone),
    (SCRIPTS, FUNCTION_ENTRY, "security_bprm_check", lineage::check),
    ("whole", SOCKET, "", |_, _| None),
];
/// Not every kernel lets functions be watched; without it a script is known by its interpreter only.
const SCRIPTS: &str = "check";
const SOCKET_LINK: &str = "whole";

/// Programs by policy: at most 256 a rule. Processes that are in a class at one time.
const FORMS: [MapForm; 8] = [
    form("programs", call::HASH, programs::FILE_KEY, programs::FILE_VALUE, 65_536, call::ON_DEMAND),
    form("paths", call::HASH, programs::PATH_BYTES, 4, 65_536, call::ON_DEMAND),
    // made at once: at exec and fork there is no second try
    form("tasks", call::HASH, 4, 4, 16_384, 0),
    // for the time of one execve; those that failed are forgotten, the oldest first
    form("pending", call::LRU_HASH, 8, 4, 1024, 0),
    form("names", call::PREFIXES, 4 + programs::NAME_BYTES, 4, 65_536, call::ON_DEMAND),
    form("places", call::HASH, 8, 4, 65_536, call::ON_DEMAND),
    form("marks", call::HASH, 8, 4, 1 << 20, call::ON_DEMAND),
    form("settings", call::ARRAY, 4, 4, 2, 0),
];

/// BPF_FS_MAGIC, linux/magic.h
const BPF_FS: i64 = 0xcafe_4a11;
/// SO_NETNS_COOKIE, asm-generic/socket.h
const NETNS_COOKIE: i32 = 71;

impl OwnedMaps {
    pub fn named(&self, name: &str) -> (&OwnedFd, &'static MapForm) {
        let form = FORMS.iter().find(|f| f.name == name).expect("one of the maps");
        let all =
            [&self.programs, &self.paths, &self.tasks, &self.pending, &self.names, &self.places, &self.marks];
        let at = FORMS.iter().position(|f| f.name == name).expect("one of the maps");
        (all.get(at).copied().unwrap_or(&self.settings), form)
    }

    fn make(each: impl Fn(&'static MapForm) -> Result<OwnedFd, Errno>) -> Result<Self, Errno> {
        let [programs, paths, tasks, pending, names, places, marks, settings] = &FORMS;
        Ok(Self {
            programs: each(programs)?,
            paths: each(paths)?,
            tasks: each(tasks)?,
            pending: each(pending)?,
            names: each(names)?,
            places: each(places)?,
            marks: each(marks)?,
            settings: each(settings)?,
        })
    }

    fn numbers(&self) -> programs::Maps {
        programs::Maps {
            programs: self.programs.as_raw_fd(),
            paths: self.paths.as_raw_fd(),
            tasks: self.tasks.as_raw_fd(),
            pending: self.pending.as_raw_fd(),
            names: self.names.as_raw_fd(),
            places: self.places.as_raw_fd(),
            marks: self.marks.as_raw_fd(),
            settings: self.settings.as_raw_fd(),
        }
    }
}

impl Life {
    pub fn whole(&self) -> bool {
        TRACED.iter().all(|(name, ..)| *name == SCRIPTS || Path::new(&self.path(name)).exists())
    }

    pub fn scripts(&self) -> bool {
        Path::new(&self.path(SCRIPTS)).exists()
    }

    fn around(bpffs: &str, folder: String, maps: OwnedMaps, btf: &Btf) -> Outcome<Self> {
        let numbers = maps.numbers();
        let [tell_tasks, tell_sockets] = [
            iterator(btf, &numbers, "bpf_iter_task", tell::tell_tasks)?,
            iterator(btf, &numbers, "bpf_iter_task_file", tell::tell_sockets)?,
        ];
        Ok(Self { bpffs: bpffs.to_owned(), folder, maps, tell_tasks, tell_sockets })
    }

    fn path(&self, name: &str) -> String {
        format!("{}/link-{name}", self.folder)
    }
}

pub fn probe(options: &Options) -> Outcome<bool> {
    let btf = Btf::read(&programs::WANTED)?;
    let maps = OwnedMaps::make(call::create_map).doing("creating BPF maps")?;
    let numbers = maps.numbers();
    let scripts = load_traced(&btf, &numbers, |_, _| Ok(()))?;
    load_socket(&btf, &numbers, options)?;
    sys::open(&options.cgroup, libc::O_DIRECTORY).doing(format!("opening {}", options.cgroup))?;
    Ok(scripts)
}

/// The life that stands, where it is whole and its programs are these; else a new one beside it.
pub fn open(options: &Options) -> Outcome<Life> {
    let btf = Btf::read(&programs::WANTED)?;
    mounted(&options.bpffs)?;
    let home = home(&options.bpffs)?;
    let version = version(&btf, options)?;
    let lives = lives(&home);
    let whole = |name: &&String| Path::new(&format!("{home}/{name}/link-{SOCKET_LINK}")).exists();
    let same = lives.iter().filter(|name| name.ends_with(&format!("-{version:016x}"))).find(whole);
    if let Some(name) = same {
        let folder = format!("{home}/{name}");
        let maps = OwnedMaps::make(|form| call::pinned(&format!("{folder}/{}", form.name)))
            .doing("finding BPF maps again")?;
        return Life::around(&options.bpffs, folder, maps, &btf);
    }
    let number = lives.iter().filter_map(|n| n.split('-').next()?.parse::<u32>().ok()).max().unwrap_or(0);
    let folder = format!("{home}/{}-{version:016x}", number + 1);
    fs::create_dir_all(&folder).map_err(|error| errno(&error)).doing(format!("making {folder}"))?;
    let maps = OwnedMaps::make(call::create_map).doing("creating BPF maps")?;
    let life = Life::around(&options.bpffs, folder, maps, &btf)?;
    begin(&btf, &life, options).inspect_err(|_| {
        remove(Path::new(&life.folder));
    })?;
    Ok(life)
}

/// Every life of this network namespace but the one kept.
pub fn clear(bpffs: &str, keep: Option<&str>) -> Outcome<bool> {
    let home = home(bpffs)?;
    let mut removed = false;
    for name in lives(&home) {
        let folder = format!("{home}/{name}");
        if keep == Some(folder.as_str()) {
            continue;
        }
        if !remove(Path::new(&folder)) {
            return Err(sys::last()).doing(format!("removing {folder}"));
        }
        removed = true;
    }
    // not empty: another network namespace's, or the life that is kept
    let _ = fs::remove_dir(&home);
    let _ = fs::remove_dir(format!("{bpffs}/culvert"));
    Ok(removed)
}

/// Fork, exec and exit before the rest, marks last: from the first mark on every class is known.
fn begin(btf: &Btf, life: &Life, options: &Options) -> Outcome<()> {
    for form in &FORMS {
        let (map, _) = life.maps.named(form.name);
        pin(map, &format!("{}/{}", life.folder, form.name))?;
    }
    let numbers = life.maps.numbers();
    load_traced(btf, &numbers, |name, program| {
        let link = call::attach_tracing(program.as_raw_fd()).doing(format!("attaching {name}"))?;
        pin(&link, &life.path(name))
    })?;
    let program = load_socket(btf, &numbers, options)?;
    let cgroup =
        sys::open(&options.cgroup, libc::O_DIRECTORY).doing(format!("opening {}", options.cgroup))?;
    let link = call::attach(program.as_raw_fd(), cgroup.as_raw_fd(), SOCKET.1)
        .doing(format!("attaching to {}", options.cgroup))?;
    pin(&link, &life.path(SOCKET_LINK))
}

fn iterator(btf: &Btf, maps: &programs::Maps, of: &str, writer: Writer) -> Outcome<OwnedFd> {
    let program = load(btf, maps, of, ITERATOR, of, writer)?;
    call::attach(program.as_raw_fd(), 0, ITERATOR.1).doing(format!("attaching {of}"))
}

/// Whether scripts can be watched.
fn load_traced(
    btf: &Btf,
    maps: &programs::Maps,
    with: impl Fn(&str, &OwnedFd) -> Outcome<()>,
) -> Outcome<bool> {
    let mut scripts = true;
    for (name, kind, to, writer) in TRACED.iter().filter(|(_, kind, ..)| *kind != SOCKET) {
        let done = load(btf, maps, name, *kind, to, *writer).and_then(|program| with(name, &program));
        match done {
            Err(_) if *name == SCRIPTS => scripts = false,
            other => other?,
        }
    }
    Ok(scripts)
}

fn load_socket(btf: &Btf, maps: &programs::Maps, options: &Options) -> Outcome<OwnedFd> {
    let code = programs::socket(btf, maps, namespace()?, options.mask);
    load_code(code, "socket", SOCKET, 0)
}

fn load(
    btf: &Btf,
    maps: &programs::Maps,
    name: &str,
    kind: (u32, u32),
    to: &str,
    writer: Writer,
) -> Outcome<OwnedFd> {
    let target = btf.attach(to).ok_or(Errno(libc::ENOENT)).doing(format!("finding {to}"))?;
    load_code(writer(btf, maps), name, kind, target)
}

fn load_code(code: Option<Vec<[u8; 8]>>, name: &str, kind: (u32, u32), target: u32) -> Outcome<OwnedFd> {
    let code = code.ok_or(Errno(libc::EOPNOTSUPP)).doing(format!("writing the BPF program {name}"))?;
    let label = format!("culvert_{name}");
    let form = ProgramForm { name: &label, kind: kind.0, attach: kind.1, attach_to: target, code: &code };
    call::load(&form, None).or_else(|errno| {
        let mut log = vec![0; 65_536];
        // a program that loads now was refused for want of something else
        call::load(&form, Some(&mut log)).map_err(|_| {
            let said = String::from_utf8_lossy(&log);
            let lines: Vec<_> = said.trim_end_matches('\0').lines().filter(|l| !l.is_empty()).collect();
            let last = lines.iter().rev().find(|l| !l.starts_with("processed")).copied().unwrap_or("");
            Fault { doing: format!("loading the BPF program {name} ({last})"), errno }
        })
    })
}

/// What the programs are on this kernel: another helper's may differ, and so may those after an upgrade of ours.
fn version(btf: &Btf, options: &Options) -> Outcome<u64> {
    let maps = programs::Maps::default();
    let mut hasher = DefaultHasher::new();
    programs::socket(btf, &maps, namespace()?, options.mask).hash(&mut hasher);
    for (name, .., writer) in TRACED {
        (name, writer(btf, &maps)).hash(&mut hasher);
    }
    for form in &FORMS {
        (form.key, form.value, form.entries).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Numbers of network namespaces are never used twice while the machine runs.
fn namespace() -> Outcome<u64> {
    let socket = sys::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0).doing("opening a socket")?;
    sys::option(socket.as_raw_fd(), libc::SOL_SOCKET, NETNS_COOKIE)
        .doing("reading the network namespace's number")
}

fn home(bpffs: &str) -> Outcome<String> {
    Ok(format!("{bpffs}/culvert/{:x}", namespace()?))
}

fn lives(home: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(home) else { return Vec::new() };
    entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// A BPF filesystem of our own, for where the machine has none; systemd has it on every machine it runs.
pub fn mount(folder: &str) -> Outcome<()> {
    if mounted(folder).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| errno(&error)).doing(format!("making {folder}"))?;
    let (name, path) = (c"bpf".as_ptr(), path_of(folder)?);
    // SAFETY: all three are terminated strings; no data is passed
    let answer = unsafe { libc::mount(name, path.as_ptr(), name, 0, std::ptr::null()) };
    sys::check(answer).map(|_| ()).doing(format!("mounting a BPF filesystem on {folder}"))
}

/// Whether there was one.
pub fn unmount(folder: &str) -> Outcome<bool> {
    if mounted(folder).is_err() {
        return Ok(false);
    }
    let path = path_of(folder)?;
    // SAFETY: the path is a terminated string
    sys::check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })
        .doing(format!("unmounting {folder}"))?;
    let _ = fs::remove_dir(folder);
    Ok(true)
}

fn mounted(bpffs: &str) -> Outcome<()> {
    let path = path_of(bpffs)?;
    // SAFETY: an all-zero statfs is a value, the kernel fills it, and the path is a terminated string
    let kind = unsafe {
        let mut about: libc::statfs = std::mem::zeroed();
        sys::check(libc::statfs(path.as_ptr(), &raw mut about)).map(|_| about.f_type as i64)
    };
    let kind = kind.doing(format!("looking at {bpffs}"))?;
    if kind == BPF_FS { Ok(()) } else { Err(Errno(libc::ENODEV)).doing(format!("looking at {bpffs}")) }
}

fn path_of(folder: &str) -> Outcome<CString> {
    CString::new(folder).map_err(|_| Errno(libc::EINVAL)).doing("reading a path")
}

fn pin(fd: &impl AsRawFd, path: &str) -> Outcome<()> {
    call::pin(fd.as_raw_fd(), path).doing(format!("pinning {path}"))
}

/// The link that marks first: whatever stays after a crash in between does nothing.
fn remove(folder: &Path) -> bool {
    let _ = fs::remove_file(folder.join(format!("link-{SOCKET_LINK}")));
    fs::remove_dir_all(folder).is_ok()
}

fn errno(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

const fn form(name: &'static str, kind: u32, key: u32, value: u32, entries: u32, flags: u32) -> MapForm {
    MapForm { name, kind, key, value, entries, flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where functions may not be watched (EPERM under this kernel's lockdown) the verifier never sees `check`. A tracepoint
    /// whose first argument has the same type shows it to it.
    #[test]
    fn every_program_passes_the_verifier() {
        // SAFETY: it takes nothing and cannot fail
        if unsafe { libc::geteuid() } != 0 {
            return;
        }
        let later = "btf_trace_sched_prepare_exec";
        let wanted = [&programs::WANTED[..], &[later]].concat();
        let btf = Btf::read(&wanted).unwrap_or_else(|f| panic!("{}: {}", f.doing, f.errno.0));
        let maps = OwnedMaps::make(call::create_map).expect("maps");
        let numbers = maps.numbers();
        let loaded = |fault: Fault| panic!("{}: {}", fault.doing, fault.errno.0);
        load_traced(&btf, &numbers, |_, _| Ok(())).map_err(loaded).ok();
        let options = Options { cgroup: String::new(), bpffs: String::new(), mask: 0xff00_0000 };
        load_socket(&btf, &numbers, &options).map_err(loaded).ok();
        Life::around("", String::new(), OwnedMaps::make(call::create_map).expect("maps"), &btf)
            .map_err(loaded)
            .ok();
        // since Linux 6.10
        if btf.attach(later).is_some() {
            load(&btf, &numbers, SCRIPTS, TRACEPOINT, later, |btf, maps| lineage::check_at(btf, maps, 8))
                .map_err(loaded)
                .ok();
        }
    }
}
