//! Whose child a process is, and what it runs: fork, check, exec and exit of `programs`.

use super::btf::Btf;
use super::code::{Code, If, Label, R0, R1, R2, R3, R4, R6, R7, R8, R9, STACK, Size};
use super::programs::{
    LOST, MAP_UPDATE, Maps, PATH_BYTES, READ_KERNEL_STRING, Written, forget, inode, leave, lookup,
};

/// Below it on the stack lies a path; above it what the programs keep.
const PATH: i16 = -48;

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
    check_at(btf, maps, 0)
}

/// `argument`: where in ctx the struct linux_binprm is.
pub fn check_at(btf: &Btf, maps: &Maps, argument: i16) -> Written {
    let file = btf.offset("linux_binprm", "file")?;
    let [filename, interp] = ["filename", "interp"].map(|m| btf.offset("linux_binprm", m));
    let mut code = Code::default();
    let [out, unnamed, later, put] = [(); 4].map(|()| code.label());
    code.load(Size::Double, R6, R1, argument);
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
    let [out, unchecked, unnamed, known] = [(); 4].map(|()| code.label());
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
    code.place(unchecked);
    path_class(&mut code, btf, maps, -20, unnamed)?;
    code.jump(known);
    code.place(unnamed);
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

/// r6: struct linux_binprm. The class of the path that was called goes to `at`; else on to `unnamed`.
fn path_class(code: &mut Code, btf: &Btf, maps: &Maps, at: i16, unnamed: Label) -> Option<()> {
    let key = PATH - PATH_BYTES as i16;
    for slot in (key..PATH).step_by(8) {
        code.store_value(Size::Double, STACK, slot, 0);
    }
    code.stack(R1, key.into());
    code.set(R2, PATH_BYTES as i32);
    code.load(Size::Double, R3, R6, btf.offset("linux_binprm", "filename")?);
    code.call(READ_KERNEL_STRING);
    lookup(code, maps.paths, key.into(), unnamed);
    code.load(Size::Word, R1, R0, 0);
    code.store(Size::Word, STACK, at, R1);
    Some(())
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
