//! The programs, in the order in which a program of the user's meets them:
//!
//!   fork     a new process has its parent's class
//!   check    an exec names a file (a script first, then its interpreter): is it one that policy names?
//!   exec     it succeeded: the process has that file's class, or that of the path it was called by, or keeps its own
//!   socket   a socket is born: process class and place class give its mark
//!   exit     the last thread is gone
//!   born, gone   a cgroup appears or goes: is its name one that policy names?
//!
//! Each runs inside the very system call it is about, before the process sees it return: there is no instant in which a
//! socket could be made and the class is not known. None ever refuses anything: whatever they cannot read, they let be.
//!
//! A file is known by its inode however it is called, which only `check` can see of a script: of an exec, the interpreter
//! is left. Not every kernel lets functions be watched (lockdown may forbid it), so the path it was called by speaks too:
//! it also catches a file that was replaced (an upgrade) until its new inode is in the map.
//!
//! Where members lie comes from the kernel's own BTF. Following a pointer of the kernel's types is for programs under a
//! licence that the GPL admits: those in this file may also be used under the MIT licence, and say so when loaded.

use std::ffi::CStr;

use super::btf::Btf;
use super::code::{Code, If, Label, R0, R1, R2, R6, R7, R8, STACK, Size};

pub const LICENCE: &CStr = c"Dual MIT/GPL";

/// BPF_PROG_TYPE_CGROUP_SOCK with BPF_CGROUP_INET_SOCK_CREATE
pub const SOCKET: (u32, u32) = (9, 2);
/// BPF_PROG_TYPE_TRACING with BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY, BPF_TRACE_ITER
pub const TRACEPOINT: (u32, u32) = (26, 23);
pub const FUNCTION_ENTRY: (u32, u32) = (26, 24);
pub const ITERATOR: (u32, u32) = (26, 28);

/// Descriptors of the maps.
#[derive(Clone, Copy, Default)]
pub struct Maps {
    pub programs: i32,
    pub paths: i32,
    pub tasks: i32,
    pub pending: i32,
    pub names: i32,
    pub places: i32,
    pub marks: i32,
    pub settings: i32,
}

/// A file's key is 16 bytes: number of its filesystem's device, its inode's number. A cgroup's name is at most 127
/// bytes, a path 255: a program has 512 bytes of stack.
pub const FILE_KEY: u32 = 16;
pub const NAME_BYTES: u32 = 128;
pub const PATH_BYTES: u32 = 256;
/// Class and generation of the inode; 0: any generation.
pub const FILE_VALUE: u32 = 8;
/// Settings by number: whether any place is named; how many processes could not be remembered.
pub const PLACES_NAMED: u32 = 0;
pub const LOST: u32 = 1;

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
pub const MAP_UPDATE: i32 = 2;
const MAP_DELETE: i32 = 3;
pub const READ_KERNEL_STRING: i32 = 115;
const NETNS_COOKIE: i32 = 122;
const ANCESTOR_CGROUP: i32 = 123;
const CURRENT_TASK: i32 = 158;

/// A cgroup deeper than this is in the place of the ancestor at this depth.
const DEEPEST: i32 = 12;

/// `None`: this kernel lacks a member that is needed.
pub type Written = Option<Vec<[u8; 8]>>;

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

/// r7: struct file, and then its inode, whose key goes to `at`.
pub fn inode(code: &mut Code, btf: &Btf, at: i16, none: Label) -> Option<()> {
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

/// r0: the value of the key at `key` on the stack; else on to `none`.
pub fn lookup(code: &mut Code, map: i32, key: i32, none: Label) {
    code.map(map);
    code.stack(R2, key);
    code.call(MAP_LOOKUP);
    code.jump_if(If::Equal, R0, 0, none);
}

pub fn forget(code: &mut Code, map: i32, key: i32) {
    code.map(map);
    code.stack(R2, key);
    code.call(MAP_DELETE);
}

pub fn leave(code: &mut Code) {
    code.set(R0, 0);
    code.exit();
}
