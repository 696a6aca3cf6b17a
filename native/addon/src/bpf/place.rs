//! Which cgroups bear a name that policy knows: born and gone of `programs`.

use super::btf::Btf;
use super::code::{Code, If, Label, R0, R1, R2, R3, R4, R6, R7, STACK, Size};
use super::programs::{MAP_UPDATE, Maps, NAME_BYTES, READ_KERNEL_STRING, Written, forget, leave, lookup};

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
