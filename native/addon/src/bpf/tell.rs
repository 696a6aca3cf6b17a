//! Programs that tell what is there already: every process, and every socket that one has open.

use super::btf::Btf;
use super::code::{Code, If, R0, R1, R2, R3, R6, R7, R8, R9, STACK, Size};
use super::programs::{Maps, Written, inode, leave, lookup};

/// A process as it is told: number, parent's number, class, generation, device, inode.
pub const TASK_BYTES: usize = 32;
/// A process's class, the number of its cgroup, and of a socket it has.
pub const SOCKET_BYTES: usize = 24;
/// linux/bpf.h, ___BPF_FUNC_MAPPER
const SEQ_WRITE: i32 = 127;
/// S_IFMT, S_IFSOCK
const FILE_TYPE: i32 = 0o170_000;
const IS_SOCKET: i32 = 0o140_000;

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

/// r6: an iterator's context. The record lies at the stack's end.
fn write(code: &mut Code, btf: &Btf, context: &str, bytes: usize) -> Option<()> {
    code.load(Size::Double, R1, R6, btf.offset(context, "meta")?);
    code.load(Size::Double, R1, R1, btf.offset("bpf_iter_meta", "seq")?);
    code.stack(R2, -(bytes as i32));
    code.set(R3, bytes as i32);
    code.call(SEQ_WRITE);
    Some(())
}
