//! A BPF program as it is written: one method an instruction, jumps by label. The layout of an instruction is that of
//! struct bpf_insn, the opcodes those of linux/bpf_common.h and linux/bpf.h (RFC 9669).

/// r0: answers; r1 to r5: arguments, lost at a call; r6 to r9: kept; r10: the stack's top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg(pub u8);
pub const R0: Reg = Reg(0);
pub const R1: Reg = Reg(1);
pub const R2: Reg = Reg(2);
pub const R3: Reg = Reg(3);
pub const R4: Reg = Reg(4);
pub const R6: Reg = Reg(6);
pub const R7: Reg = Reg(7);
pub const R8: Reg = Reg(8);
pub const R9: Reg = Reg(9);
pub const STACK: Reg = Reg(10);

#[derive(Clone, Copy, Debug)]
pub enum Size {
    Half = 0x08,
    Word = 0x00,
    Double = 0x18,
}

/// Where a jump goes; placed once.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

#[derive(Clone, Copy, Debug)]
pub enum If {
    Equal = 0x10,
    NotEqual = 0x50,
}

#[derive(Default)]
pub struct Code {
    instructions: Vec<[u8; 8]>,
    jumps: Vec<(usize, Label)>,
    places: Vec<Option<usize>>,
}

const LOAD: u8 = 0x61;
const STORE_IMMEDIATE: u8 = 0x62;
const STORE: u8 = 0x63;
const LOAD_DOUBLE_IMMEDIATE: u8 = 0x18;
const ALU64_REGISTER: u8 = 0x0f;
const ALU64_IMMEDIATE: u8 = 0x07;
const JUMP: u8 = 0x05;
const JUMP_IF: u8 = 0x05;
const REGISTER: u8 = 0x08;
/// BPF_PSEUDO_MAP_FD
const MAP_FD: u8 = 1;

impl Code {
    pub fn load(&mut self, size: Size, to: Reg, from: Reg, offset: i16) {
        self.push(LOAD & !0x18 | size as u8, to.0, from.0, offset, 0);
    }

    pub fn store(&mut self, size: Size, to: Reg, offset: i16, from: Reg) {
        self.push(STORE & !0x18 | size as u8, to.0, from.0, offset, 0);
    }

    pub fn store_value(&mut self, size: Size, to: Reg, offset: i16, value: i32) {
        self.push(STORE_IMMEDIATE & !0x18 | size as u8, to.0, 0, offset, value);
    }

    pub fn copy(&mut self, to: Reg, from: Reg) {
        self.push(ALU64_REGISTER | 0xb0, to.0, from.0, 0, 0);
    }

    pub fn set(&mut self, to: Reg, value: i32) {
        self.push(ALU64_IMMEDIATE | 0xb0, to.0, 0, 0, value);
    }

    pub fn set_double(&mut self, to: Reg, value: u64) {
        self.push(LOAD_DOUBLE_IMMEDIATE, to.0, 0, 0, value as u32 as i32);
        self.push(0, 0, 0, 0, (value >> 32) as i32);
    }

    pub fn add(&mut self, to: Reg, value: i32) {
        self.push(ALU64_IMMEDIATE, to.0, 0, 0, value);
    }

    pub fn or(&mut self, to: Reg, with: Reg) {
        self.push(ALU64_REGISTER | 0x40, to.0, with.0, 0, 0);
    }

    pub fn and(&mut self, to: Reg, value: i32) {
        self.push(ALU64_IMMEDIATE | 0x50, to.0, 0, 0, value);
    }

    pub fn call(&mut self, helper: i32) {
        self.push(0x85, 0, 0, 0, helper);
    }

    pub fn exit(&mut self) {
        self.push(0x95, 0, 0, 0, 0);
    }

    pub fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    pub fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.instructions.len());
    }

    pub fn jump(&mut self, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP, 0, 0, 0, 0);
    }

    pub fn jump_if(&mut self, when: If, left: Reg, right: i32, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP_IF | when as u8, left.0, 0, 0, right);
    }

    pub fn jump_if_register(&mut self, when: If, left: Reg, right: Reg, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP_IF | REGISTER | when as u8, left.0, right.0, 0, 0);
    }

    /// The map, as the first argument of a helper.
    pub fn map(&mut self, fd: i32) {
        self.push(LOAD_DOUBLE_IMMEDIATE, R1.0, MAP_FD, 0, fd);
        self.push(0, 0, 0, 0, 0);
    }

    /// The address of a place on the stack.
    pub fn stack(&mut self, to: Reg, offset: i32) {
        self.copy(to, STACK);
        self.add(to, offset);
    }

    /// The program with its jumps resolved. A label that was never placed is a fault of the program's author.
    pub fn finish(mut self) -> Vec<[u8; 8]> {
        for (at, label) in &self.jumps {
            let place = self.places[label.0].expect("every label is placed");
            let distance = place as i64 - *at as i64 - 1;
            let bytes = i16::try_from(distance).expect("programs are short").to_ne_bytes();
            self.instructions[*at][2..4].copy_from_slice(&bytes);
        }
        self.instructions
    }

    fn push(&mut self, code: u8, to: u8, from: u8, offset: i16, value: i32) {
        let mut bytes = [0; 8];
        bytes[0] = code;
        // struct bpf_insn: dst_reg:4, src_reg:4
        bytes[1] = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        bytes[2..4].copy_from_slice(&offset.to_ne_bytes());
        bytes[4..8].copy_from_slice(&value.to_ne_bytes());
        self.instructions.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_as_the_bytes_of_the_standard() {
        let mut code = Code::default();
        code.load(Size::Word, R2, R1, 16);
        code.store(Size::Word, R1, 16, R2);
        code.store_value(Size::Double, STACK, -8, -1);
        code.set(R0, 1);
        code.exit();
        assert_eq!(
            code.finish(),
            [
                [0x61, 0x12, 16, 0, 0, 0, 0, 0],
                [0x63, 0x21, 16, 0, 0, 0, 0, 0],
                [0x7a, 0x0a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff],
                [0xb7, 0x00, 0, 0, 1, 0, 0, 0],
                [0x95, 0, 0, 0, 0, 0, 0, 0],
            ]
        );
    }

    #[test]
    fn a_jump_counts_from_the_instruction_after_it() {
        let mut code = Code::default();
        let out = code.label();
        code.jump_if(If::Equal, R0, 0, out);
        code.set_double(R3, 0x1_0000_0002);
        code.place(out);
        code.exit();
        let program = code.finish();
        assert_eq!(program[0], [0x15, 0, 2, 0, 0, 0, 0, 0]);
        assert_eq!((program[1], program[2]), ([0x18, 3, 0, 0, 2, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0]));
    }
}
