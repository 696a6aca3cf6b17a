//! The programs, in the order in which a program of the user's meets them:
//!
//!   fork     a new process has its parent's class
//!   check    an exec names a file (a script first, then its interpreter): is it one that policy names?
//!   exec     it succeeded: the process has that file's class, or keeps the one it had
//!   socket   a socket is born: process class and place class give its mark
//!   exit     the last thread is gone
//!   born, gone   a cgroup appears or goes: is its name one that policy names?
//!
//! Each runs inside the very system call it is about, before the process sees it return: there is no instant in which a
//! socket could be made and the class is not known. None ever refuses anything: whatever they cannot read, they let be.
//!
//! Where members lie comes from the kernel's own BTF. Following a pointer of the kernel's types is for programs under a
//! licence that the GPL admits: those in this file may also be used under the MIT licence, and say so when loaded.

use std::ffi::CStr;

use super::btf::Btf;
use super::code::{Code, If, Label, R0, R1, R2, R3, R4, R6, R7, R8, R9, STACK, Size};

pub const LICENCE: &CStr = c"Dual MIT/GPL";

/// BPF_PROG_TYPE_CGROUP_SOCK with BPF_CGROUP_INET_SOCK_CREATE
pub const SOCKET: (u32, u32) = (9, 2);
/// BPF_PROG_TYPE_TRACING with BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY, BPF_TRACE_ITER
pub const TRACEPOINT: (u32, u32) = (26, 23);
pub const FUNCTION_ENTRY: (u32, u32) = (26, 24);
pub const ITERATOR: (u32, u32) = (26, 28);

/// Descriptors of the maps.
#[derive(Clone, Copy)]
pub struct Maps {
    pub programs: i32,
    pub tasks: i32,
    pub pending: i32,
    pub names: i32,
    pub places: i32,
    pub marks: i32,
    pub settings: i32,
}

/// A file's key is 16 bytes: number of its filesystem's device, its inode's number. A cgroup's name is at most 127
/// bytes, its end included.
pub const FILE_KEY: u32 = 16;
pub const NAME_BYTES: u32 = 128;
/// Class and generation of the inode; 0: any generation.
pub const FILE_VALUE: u32 = 8;
/// Settings by number: whether any place is named; how many processes could not be remembered.
pub const PLACES_NAMED: u32 = 0;
pub const LOST: u32 = 1;

/// A process as the iterator tells it: six words of four bytes.
pub const TASK_BYTES: usize = 32;
/// A process's class, the number of its cgroup, and of a socket it has.
pub const SOCKET_BYTES: usize = 24;

pub const WANTED: [&str; 22] = [
    "task_struct",
    "signal_struct",
    "mm_struct",
    "linux_binprm",
    "file",
    "inode",
    "super_block",
    "cgroup",
    "cgroup_root",
    "css_set",
    "kernfs_node",
    "bpf_iter__task",
    "bpf_iter__task_file",
    "bpf_iter_meta",
    "btf_trace_sched_process_fork",
    "btf_trace_sched_process_exec",
    "btf_trace_sched_process_exit",
    "btf_trace_cgroup_mkdir",
    "btf_trace_cgroup_rmdir",
    "security_bprm_check",
    "bpf_iter_task",
    "bpf_iter_task_file",
];

/// linux/bpf.h, ___BPF_FUNC_MAPPER
const MAP_LOOKUP: i32 = 1;
const MAP_UPDATE: i32 = 2;
const MAP_DELETE: i32 = 3;
const READ_KERNEL_STRING: i32 = 115;
const NETNS_COOKIE: i32 = 122;
const ANCESTOR_CGROUP: i32 = 123;
const SEQ_WRITE: i32 = 127;
const CURRENT_TASK: i32 = 158;

/// A cgroup deeper than this is in the place of the ancestor at this depth.
const DEEPEST: i32 = 12;
/// S_IFMT, S_IFSOCK
const FILE_TYPE: i32 = 0o170_000;
const IS_SOCKET: i32 = 0o140_000;

/// `None`: this kernel lacks a member that is needed.
type Written = Option<Vec<[u8; 8]>>;

/// ctx: struct bpf_sock. `mask`: the bits of the mark that are ours.
pub fn socket(btf: &Btf, maps: &Maps, netns: u64, mask: u32) -> Written {
    let tgid = btf.offset("task_struct", "tgid")?;
    // struct bpf_sock, linux/bpf.h
    let mark = 16;
    let mut code = Code::default();
    let [out, no_class, no_place, placed, both] = [(); 5].map(|()| code.label());
    code.copy(R6, R1);
    // a container's sockets are its own affair: its rules are not ours
    code.call(NETNS_COOKIE);
    code.set_double(R1, netns);
    code.jump_if_register(If::NotEqual, R0, R1, out);
    code.call(CURRENT_TASK);
    code.load(Size::Word, R1, R0, tgid);
    code.store(Size::Word, STACK, -4, R1);
    code.set(R7, 0);
    lookup(&mut code, maps.tasks, -4, no_class);
    code.load(Size::Word, R7, R0, 0);
    code.place(no_class);
    code.set(R8, 0);
    code.store_value(Size::Word, STACK, -4, PLACES_NAMED as i32);
    lookup(&mut code, maps.settings, -4, no_place);
    code.load(Size::Word, R1, R0, 0);
    code.jump_if(If::Equal, R1, 0, no_place);
    for level in (1..=DEEPEST).rev() {
        let next = code.label();
        code.set(R1, level);
        code.call(ANCESTOR_CGROUP);
        code.jump_if(If::Equal, R0, 0, next);
        code.store(Size::Double, STACK, -16, R0);
        lookup(&mut code, maps.places, -16, next);
        code.jump(placed);
        code.place(next);
    }
    code.jump(no_place);
    code.place(placed);
    code.load(Size::Word, R8, R0, 0);
    code.place(no_place);
    code.store(Size::Word, STACK, -16, R7);
    code.store(Size::Word, STACK, -12, R8);
    code.jump_if(If::NotEqual, R7, 0, both);
    code.jump_if(If::Equal, R8, 0, out);
    code.place(both);
    lookup(&mut code, maps.marks, -16, out);
    code.load(Size::Word, R1, R0, 0);
    code.load(Size::Word, R2, R6, mark);
    // others' programs may have set theirs
    code.and(R2, !mask as i32);
    code.or(R2, R1);
    code.store(Size::Word, R6, mark, R2);
    code.place(out);
    code.set(R0, 1);
    code.exit();
    Some(code.finish())
}

/// ctx: the parent, the child. Runs before the child does.
pub fn fork(btf: &Btf, maps: &Maps) -> Written {
    let tgid = btf.offset("task_struct", "tgid")?;
    let mut code = Code::default();
    let [out, orphan] = [(); 2].map(|()| code.label());
    code.load(Size::Double, R6, R1, 0);
    code.load(Size::Double, R7, R1, 8);
    code.load(Size::Word, R8, R6, tgid);
    code.load(Size::Word, R9, R7, tgid);
    // a thread
    code.jump_if_register(If::Equal, R8, R9, out);
    code.store(Size::Word, STACK, -4, R8);
    code.store(Size::Word, STACK, -8, R9);
    lookup(&mut code, maps.tasks, -4, orphan);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, -12, R1);
    remember(&mut code, maps, -8, -12);
    code.jump(out);
    // the number may have been another's
    code.place(orphan);
    forget(&mut code, maps.tasks, -8);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: struct linux_binprm. Runs once for the file that was named, and again for each interpreter.
pub fn check(btf: &Btf, maps: &Maps) -> Written {
    let file = btf.offset("linux_binprm", "file")?;
    let [filename, interp] = ["filename", "interp"].map(|m| btf.offset("linux_binprm", m));
    let mut code = Code::default();
    let [out, unnamed, later, put] = [(); 4].map(|()| code.label());
    code.load(Size::Double, R6, R1, 0);
    code.store(Size::Double, STACK, -8, R6);
    // the class of this file to -12
    code.load(Size::Double, R7, R6, file);
    file_class(&mut code, btf, maps, -12, unnamed)?;
    code.load(Size::Double, R1, R6, filename?);
    code.load(Size::Double, R2, R6, interp?);
    code.jump_if_register(If::Equal, R1, R2, put);
    // an interpreter: what the script said stands
    lookup(&mut code, maps.pending, -8, put);
    code.jump(out);
    code.place(put);
    code.map(maps.pending);
    code.stack(R2, -8);
    code.stack(R3, -12);
    code.set(R4, 0);
    code.call(MAP_UPDATE);
    code.jump(out);
    code.place(unnamed);
    code.load(Size::Double, R1, R6, filename?);
    code.load(Size::Double, R2, R6, interp?);
    code.jump_if_register(If::NotEqual, R1, R2, later);
    // the address may have been that of an exec that failed
    forget(&mut code, maps.pending, -8);
    code.place(later);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: the process, its number before, struct linux_binprm.
pub fn exec(btf: &Btf, maps: &Maps) -> Written {
    let tgid = btf.offset("task_struct", "tgid")?;
    let file = btf.offset("linux_binprm", "file")?;
    let mut code = Code::default();
    let [out, unchecked, known] = [(); 3].map(|()| code.label());
    code.load(Size::Double, R8, R1, 0);
    code.load(Size::Double, R6, R1, 16);
    code.load(Size::Word, R1, R8, tgid);
    code.store(Size::Word, STACK, -4, R1);
    code.store(Size::Double, STACK, -16, R6);
    lookup(&mut code, maps.pending, -16, unchecked);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, -20, R1);
    forget(&mut code, maps.pending, -16);
    code.jump(known);
    // where functions cannot be watched, the last interpreter speaks for the whole exec
    code.place(unchecked);
    code.load(Size::Double, R7, R6, file);
    file_class(&mut code, btf, maps, -20, out)?;
    code.place(known);
    remember(&mut code, maps, -4, -20);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: a thread that ends. The count of living ones was lowered before.
pub fn exit(btf: &Btf, maps: &Maps) -> Written {
    let tgid = btf.offset("task_struct", "tgid")?;
    let signal = btf.offset("task_struct", "signal")?;
    let live = btf.offset("signal_struct", "live")?;
    let mut code = Code::default();
    let out = code.label();
    code.load(Size::Double, R6, R1, 0);
    code.load(Size::Double, R1, R6, signal);
    code.load(Size::Word, R1, R1, live);
    code.jump_if(If::NotEqual, R1, 0, out);
    code.load(Size::Word, R1, R6, tgid);
    code.store(Size::Word, STACK, -4, R1);
    forget(&mut code, maps.tasks, -4);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: a cgroup that nobody is in yet. Names are matched by their longest known beginning.
pub fn born(btf: &Btf, maps: &Maps) -> Written {
    let [name, id] = ["name", "id"].map(|m| btf.offset("kernfs_node", m));
    let key = -(NAME_BYTES as i16) - 8;
    let mut code = Code::default();
    let out = code.label();
    cgroup_node(&mut code, btf, out)?;
    for at in (key..0).step_by(8) {
        code.store_value(Size::Double, STACK, at, 0);
    }
    code.store_value(Size::Word, STACK, key, NAME_BYTES as i32 * 8);
    code.stack(R1, i32::from(key) + 4);
    code.set(R2, NAME_BYTES as i32);
    code.load(Size::Double, R3, R7, name?);
    code.call(READ_KERNEL_STRING);
    lookup(&mut code, maps.names, key.into(), out);
    code.load(Size::Word, R1, R0, 0);
    code.load(Size::Double, R2, R7, id?);
    code.store(Size::Double, STACK, -16, R2);
    code.store(Size::Word, STACK, -20, R1);
    code.map(maps.places);
    code.stack(R2, -16);
    code.stack(R3, -20);
    code.set(R4, 0);
    code.call(MAP_UPDATE);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: a cgroup that is removed.
pub fn gone(btf: &Btf, maps: &Maps) -> Written {
    let id = btf.offset("kernfs_node", "id")?;
    let mut code = Code::default();
    let out = code.label();
    cgroup_node(&mut code, btf, out)?;
    code.load(Size::Double, R1, R7, id);
    code.store(Size::Double, STACK, -8, R1);
    forget(&mut code, maps.places, -8);
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: struct bpf_iter__task. Tells every process: number, parent's number, class, device, inode, generation.
pub fn tell_tasks(btf: &Btf, maps: &Maps) -> Written {
    let [pid, tgid, parent, mm] = ["pid", "tgid", "real_parent", "mm"].map(|m| btf.offset("task_struct", m));
    let exe = btf.offset("mm_struct", "exe_file")?;
    let from = -(TASK_BYTES as i16);
    let mut code = Code::default();
    let [out, tell, no_class, no_parent] = [(); 4].map(|()| code.label());
    code.copy(R6, R1);
    code.load(Size::Double, R8, R6, btf.offset("bpf_iter__task", "task")?);
    code.jump_if(If::Equal, R8, 0, out);
    code.load(Size::Word, R1, R8, pid?);
    code.load(Size::Word, R2, R8, tgid?);
    code.jump_if_register(If::NotEqual, R1, R2, out);
    for at in (from..0).step_by(8) {
        code.store_value(Size::Double, STACK, at, 0);
    }
    code.store(Size::Word, STACK, from, R2);
    code.load(Size::Double, R1, R8, parent?);
    code.jump_if(If::Equal, R1, 0, no_parent);
    code.load(Size::Word, R1, R1, tgid?);
    code.store(Size::Word, STACK, from + 4, R1);
    code.place(no_parent);
    lookup(&mut code, maps.tasks, from.into(), no_class);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, from + 8, R1);
    code.place(no_class);
    // a kernel thread has neither
    code.load(Size::Double, R1, R8, mm?);
    code.jump_if(If::Equal, R1, 0, tell);
    code.load(Size::Double, R7, R1, exe);
    code.jump_if(If::Equal, R7, 0, tell);
    inode(&mut code, btf, from + 16, tell)?;
    code.load(Size::Word, R1, R7, btf.offset("inode", "i_generation")?);
    code.store(Size::Word, STACK, from + 12, R1);
    code.place(tell);
    write(&mut code, btf, "bpf_iter__task", TASK_BYTES)?;
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// ctx: struct bpf_iter__task_file. Tells every socket that a process has open.
pub fn tell_sockets(btf: &Btf, maps: &Maps) -> Written {
    let [task, file] = ["task", "file"].map(|m| btf.offset("bpf_iter__task_file", m));
    let [mode, number] = ["i_mode", "i_ino"].map(|m| btf.offset("inode", m));
    let [tgid, groups] = ["tgid", "cgroups"].map(|m| btf.offset("task_struct", m));
    let steps = [groups, btf.offset("css_set", "dfl_cgrp"), btf.offset("cgroup", "kn")];
    let from = -(SOCKET_BYTES as i16);
    let mut code = Code::default();
    let [out, tell, no_class] = [(); 3].map(|()| code.label());
    code.copy(R6, R1);
    code.load(Size::Double, R8, R6, task?);
    code.jump_if(If::Equal, R8, 0, out);
    code.load(Size::Double, R7, R6, file?);
    code.jump_if(If::Equal, R7, 0, out);
    code.load(Size::Double, R7, R7, btf.offset("file", "f_inode")?);
    code.jump_if(If::Equal, R7, 0, out);
    code.load(Size::Half, R1, R7, mode?);
    code.and(R1, FILE_TYPE);
    code.jump_if(If::NotEqual, R1, IS_SOCKET, out);
    for at in (from..0).step_by(8) {
        code.store_value(Size::Double, STACK, at, 0);
    }
    code.load(Size::Double, R1, R7, number?);
    code.store(Size::Double, STACK, from + 16, R1);
    code.load(Size::Word, R1, R8, tgid?);
    code.store(Size::Word, STACK, from + 4, R1);
    lookup(&mut code, maps.tasks, i32::from(from) + 4, no_class);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, from, R1);
    code.place(no_class);
    code.copy(R9, R8);
    for offset in steps {
        code.load(Size::Double, R9, R9, offset?);
        code.jump_if(If::Equal, R9, 0, tell);
    }
    code.load(Size::Double, R1, R9, btf.offset("kernfs_node", "id")?);
    code.store(Size::Double, STACK, from + 8, R1);
    code.place(tell);
    write(&mut code, btf, "bpf_iter__task_file", SOCKET_BYTES)?;
    code.place(out);
    leave(&mut code);
    Some(code.finish())
}

/// r7: struct file, and then its inode. The class of a file that policy names goes to `at`; else on to `unnamed`.
fn file_class(code: &mut Code, btf: &Btf, maps: &Maps, at: i16, unnamed: Label) -> Option<()> {
    let generation = btf.offset("inode", "i_generation")?;
    let any = code.label();
    code.jump_if(If::Equal, R7, 0, unnamed);
    inode(code, btf, -40, unnamed)?;
    lookup(code, maps.programs, -40, unnamed);
    code.load(Size::Word, R1, R0, 4);
    code.jump_if(If::Equal, R1, 0, any);
    // the number of a file that is gone may be given to another
    code.load(Size::Word, R2, R7, generation);
    code.jump_if_register(If::NotEqual, R1, R2, unnamed);
    code.place(any);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, at, R1);
    Some(())
}

/// r7: struct file, and then its inode, whose key goes to `at`.
fn inode(code: &mut Code, btf: &Btf, at: i16, none: Label) -> Option<()> {
    code.load(Size::Double, R7, R7, btf.offset("file", "f_inode")?);
    code.jump_if(If::Equal, R7, 0, none);
    code.load(Size::Double, R1, R7, btf.offset("inode", "i_sb")?);
    code.jump_if(If::Equal, R1, 0, none);
    code.load(Size::Word, R1, R1, btf.offset("super_block", "s_dev")?);
    code.store(Size::Double, STACK, at, R1);
    code.load(Size::Double, R1, R7, btf.offset("inode", "i_ino")?);
    code.store(Size::Double, STACK, at + 8, R1);
    Some(())
}

/// r7: struct kernfs_node of the cgroup in the context. Numbers of version 1 are others than those of version 2, whose
/// hierarchy is number 0.
fn cgroup_node(code: &mut Code, btf: &Btf, not_ours: Label) -> Option<()> {
    code.load(Size::Double, R6, R1, 0);
    code.load(Size::Double, R1, R6, btf.offset("cgroup", "root")?);
    code.jump_if(If::Equal, R1, 0, not_ours);
    code.load(Size::Word, R1, R1, btf.offset("cgroup_root", "hierarchy_id")?);
    code.jump_if(If::NotEqual, R1, 0, not_ours);
    code.load(Size::Double, R7, R6, btf.offset("cgroup", "kn")?);
    code.jump_if(If::Equal, R7, 0, not_ours);
    Some(())
}

/// r0: the value of the key at `key` on the stack; else on to `none`.
fn lookup(code: &mut Code, map: i32, key: i32, none: Label) {
    code.map(map);
    code.stack(R2, key);
    code.call(MAP_LOOKUP);
    code.jump_if(If::Equal, R0, 0, none);
}

/// A process that finds no room is counted.
fn remember(code: &mut Code, maps: &Maps, key: i32, class: i32) {
    let done = code.label();
    code.map(maps.tasks);
    code.stack(R2, key);
    code.stack(R3, class);
    code.set(R4, 0);
    code.call(MAP_UPDATE);
    code.jump_if(If::Equal, R0, 0, done);
    code.store_value(Size::Word, STACK, -48, LOST as i32);
    lookup(code, maps.settings, -48, done);
    code.load(Size::Word, R1, R0, 0);
    code.add(R1, 1);
    code.store(Size::Word, R0, 0, R1);
    code.place(done);
}

fn forget(code: &mut Code, map: i32, key: i32) {
    code.map(map);
    code.stack(R2, key);
    code.call(MAP_DELETE);
}

/// r6: an iterator's context. The record lies at the stack's end.
fn write(code: &mut Code, btf: &Btf, context: &str, bytes: usize) -> Option<()> {
    code.load(Size::Double, R1, R6, btf.offset(context, "meta")?);
    code.load(Size::Double, R1, R1, btf.offset("bpf_iter_meta", "seq")?);
    code.stack(R2, -(bytes as i32));
    code.set(R3, bytes as i32);
    code.call(SEQ_WRITE);
    Some(())
}

fn leave(code: &mut Code) {
    code.set(R0, 0);
    code.exit();
}
