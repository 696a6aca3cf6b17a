//! What the running kernel says of its own types (/sys/kernel/btf/vmlinux, Documentation/bpf/btf.rst): where a member
//! lies in a structure, and the number of a type or function to attach to. Nothing about the kernel's insides is known
//! beforehand, so another kernel, or another configuration of it, needs no other programs.

use std::collections::HashMap;

use crate::sys::{Doing, Errno, Outcome};

const PATH: &str = "/sys/kernel/btf/vmlinux";
const MAGIC: u16 = 0xeb9f;

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const FUNCTION: u32 = 12;

pub struct Btf {
    data: Vec<u8>,
    strings: usize,
    /// Where the record of a type begins, by its number.
    records: Vec<usize>,
    structures: HashMap<Vec<u8>, u32>,
    attachable: HashMap<Vec<u8>, u32>,
}

impl Btf {
    /// `wanted`: the structures, typedefs and functions that will be asked for; a kernel has a hundred thousand others.
    pub fn read(wanted: &[&str]) -> Outcome<Self> {
        let data = std::fs::read(PATH)
            .map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)))
            .doing(format!("reading {PATH}"))?;
        Self::parse(data, wanted).ok_or(Errno(libc::EBADMSG)).doing(format!("reading {PATH}"))
    }

    /// Bytes from the start of the structure. `None`: this kernel has no such member.
    pub fn offset(&self, structure: &str, member: &str) -> Option<i16> {
        let number = *self.structures.get(structure.as_bytes())?;
        let bits = self.find(number, member.as_bytes(), 0)?;
        i16::try_from(bits / 8).ok()
    }

    /// A function, or the typedef that a tracepoint's arguments have.
    pub fn attach(&self, name: &str) -> Option<u32> {
        self.attachable.get(name.as_bytes()).copied()
    }

    fn parse(data: Vec<u8>, wanted: &[&str]) -> Option<Self> {
        if u16::from_ne_bytes(data.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let header = word(&data, 4)? as usize;
        let [types, length, strings] = [8, 12, 16].map(|at| word(&data, at).map(|v| v as usize));
        let (types, length, strings) = (header + types?, length?, header + strings?);
        let mut btf = Self {
            ..Self { data, strings, records: vec![0], structures: HashMap::new(), attachable: HashMap::new() }
        };
        let mut at = types;
        while at < types + length {
            let number = btf.records.len() as u32;
            let info = word(&btf.data, at + 4)?;
            let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            btf.records.push(at);
            let name = btf.name(at)?;
            if wanted.iter().any(|w| w.as_bytes() == name) {
                let name = name.to_vec();
                match kind {
                    STRUCT => btf.structures.insert(name, number),
                    TYPEDEF | FUNCTION => btf.attachable.insert(name, number),
                    _ => None,
                };
            }
            at += 12 + beside(kind, count)?;
        }
        Some(btf)
    }

    /// Members of unnamed structures and unions count as the outer one's own.
    fn find(&self, number: u32, member: &[u8], base: u32) -> Option<u32> {
        let at = *self.records.get(number as usize)?;
        let info = word(&self.data, at + 4)?;
        let bitfields = info >> 31 == 1;
        if !matches!(info >> 24 & 0x1f, STRUCT | UNION) {
            return None;
        }
        for index in 0..(info & 0xffff) as usize {
            let record = at + 12 + index * 12;
            let raw = word(&self.data, record + 8)?;
            let bits = base + if bitfields { raw & 0xff_ffff } else { raw };
            let name = self.name(record)?;
            if name == member {
                return Some(bits);
            }
            if name.is_empty()
                && let Some(found) = self.find(word(&self.data, record + 4)?, member, bits)
            {
                return Some(found);
            }
        }
        None
    }

    fn name(&self, record: usize) -> Option<&[u8]> {
        let from = self.data.get(self.strings + word(&self.data, record)? as usize..)?;
        Some(&from[..from.iter().position(|b| *b == 0)?])
    }
}

/// Bytes that follow the twelve of every record.
fn beside(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        // pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        // integer, variable, declaration tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // structure, union, section, 64 bit enumeration
        4 | 5 | 15 | 19 => 12 * count,
        // enumeration, function's parameters
        6 | 13 => 8 * count,
        _ => return None,
    })
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_ne_bytes()).collect()
    }

    fn sample() -> Vec<u8> {
        // names: 1 task, 6 pid, 10 inner, 16 hook
        let strings = b"\0task\0pid\0inner\0hook\0";
        let types = [
            record(&[0, 1 << 24, 4, 32]),
            // an unnamed union of one member `inner`
            record(&[0, UNION << 24 | 1, 4, 10, 1, 0]),
            record(&[1, STRUCT << 24 | 2, 16, 6, 1, 32, 0, 2, 96]),
            record(&[16, FUNCTION << 24, 1]),
        ]
        .concat();
        let header = [0x0001_eb9f, 24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
        [record(&header), types, strings.to_vec()].concat()
    }

    #[test]
    fn members_are_found_also_in_unnamed_unions() {
        let btf = Btf::parse(sample(), &["task", "hook"]).expect("a sample");
        assert_eq!(btf.offset("task", "pid"), Some(4));
        assert_eq!(btf.offset("task", "inner"), Some(12));
        assert_eq!(btf.offset("task", "comm"), None);
        assert_eq!(btf.attach("hook"), Some(4));
        assert_eq!(btf.attach("task"), None);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let whole = sample();
        for length in 0..whole.len() - 1 {
            let cut = Btf::parse(whole[..length].to_vec(), &["task", "hook"]);
            assert!(cut.is_none_or(|b| b.attach("hook").is_none() || length > 100), "{length}");
        }
        assert!(Btf::parse(vec![1; 64], &[]).is_none());
    }
}
