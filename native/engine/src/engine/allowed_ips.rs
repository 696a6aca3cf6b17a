//! Allowed IPs: the routing table of what goes out, the access list of what comes in. Longest prefix wins.
//!
//! Prefixes either contain each other or are disjoint, so in order of address they cut the address space into
//! intervals with one owner each. A lookup goes down a tree of nodes of sixteen, a line of the cache each, for between two
//! lookups a whole packet passes through the cache: at 100,000 prefixes with gaps, four nodes that stay in it (53 kB) and
//! a leaf of two lines, which are asked for at once. The table is built whole and never changed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block; host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    is_v6: bool,
    /// IPv4 addresses stand in the upper 32 bits.
    address: u128,
    len: u8,
}

impl Prefix {
    /// None when `len` is too long for the address family. Host bits are cleared.
    pub fn new(address: IpAddr, len: u8) -> Option<Self> {
        let (is_v6, bits, limit) = match address {
            IpAddr::V4(v4) => (false, u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (true, v6.to_bits(), 128),
        };
        (len <= limit).then(|| Self { is_v6, address: bits & mask(len), len })
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (address, len) = text.split_once('/')?;
        if len.is_empty() || !len.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::new(address.parse().ok()?, len.parse().ok()?)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.len)
            .is_some_and(|other| other.is_v6 == self.is_v6 && other.address == self.address)
    }

    fn last(&self) -> u128 {
        self.address | !mask(self.len)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_v6 {
            write!(f, "{}/{}", Ipv6Addr::from_bits(self.address), self.len)
        } else {
            write!(f, "{}/{}", Ipv4Addr::from_bits((self.address >> 96) as u32), self.len)
        }
    }
}

fn mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

/// Owners are small numbers that mean something to the caller.
pub type Owner = u32;
const NOBODY: Owner = Owner::MAX;

#[derive(Default)]
pub struct AllowedIps {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl AllowedIps {
    pub fn build(prefixes: &BTreeMap<Prefix, Owner>) -> Self {
        let of = |is_v6| prefixes.iter().filter(move |(prefix, _)| prefix.is_v6 == is_v6);
        let v4 = sweep(of(false));
        let v4 = v4.into_iter().map(|(start, owner)| ((start >> 96) as u32, owner)).unzip();
        Self {
            v4: Intervals::of(v4, u32::MAX),
            v6: Intervals::of(sweep(of(true)).into_iter().unzip(), u128::MAX),
        }
    }

    pub fn lookup(&self, address: IpAddr) -> Option<Owner> {
        match address {
            IpAddr::V4(v4) => self.v4.lookup(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.lookup(v6.to_bits()),
        }
    }
}

const NODE: usize = 16;

#[repr(align(64))]
struct Node<T>([T; NODE]);

/// Sixteen intervals: each begins at its start and ends before the next; it has one owner. Both lines of it are asked for
/// at once, for in a large table each is a walk to memory.
#[repr(align(64))]
struct Leaf<T> {
    starts: Node<T>,
    owners: [Owner; NODE],
}

#[derive(Default)]
struct Intervals<T> {
    /// Every sixteenth of the starts that follow, up to a single node. The last node of a level and the last leaf are filled
    /// up with the greatest address and its owner.
    levels: Vec<Vec<Node<T>>>,
    leaves: Vec<Leaf<T>>,
}

impl<T: Ord + Copy> Intervals<T> {
    fn of((mut starts, owners): (Vec<T>, Vec<Owner>), greatest: T) -> Self {
        let node = |keys: &[T]| Node(std::array::from_fn(|i| keys.get(i).copied().unwrap_or(greatest)));
        let last = owners.last().copied().unwrap_or(NOBODY);
        let leaf = |(starts, owners): (&[T], &[Owner])| Leaf {
            starts: node(starts),
            owners: std::array::from_fn(|i| owners.get(i).copied().unwrap_or(last)),
        };
        let leaves = starts.chunks(NODE).zip(owners.chunks(NODE)).map(leaf).collect();
        let mut levels = Vec::new();
        while starts.len() > NODE {
            starts = starts.iter().step_by(NODE).copied().collect();
            levels.insert(0, starts.chunks(NODE).map(node).collect());
        }
        Self { levels, leaves }
    }

    fn lookup(&self, address: T) -> Option<Owner> {
        let mut at = 0;
        for level in &self.levels {
            // The greatest address counts what only fills up.
            let node = at.min(level.len() - 1);
            at = (node * NODE + at_or_below(&level[node], address)).checked_sub(1)?;
        }
        let leaf = self.leaves.get(at.min(self.leaves.len().checked_sub(1)?))?;
        prefetch(&leaf.owners);
        let owner = leaf.owners[at_or_below(&leaf.starts, address).checked_sub(1)?];
        (owner != NOBODY).then_some(owner)
    }
}

fn at_or_below<T: Ord + Copy>(node: &Node<T>, address: T) -> usize {
    node.0.iter().filter(|start| **start <= address).count()
}

/// Asks for the line; the processor goes on meanwhile.
#[inline]
fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint without effect on memory, for an address that is a reference's.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>((&raw const *place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Goes over prefixes of one family in order of address, outer before inner, with those still open on a stack.
fn sweep<'a>(prefixes: impl Iterator<Item = (&'a Prefix, &'a Owner)>) -> Vec<(u128, Owner)> {
    let mut out: Vec<(u128, Owner)> = Vec::new();
    let mut open: Vec<(u128, Owner)> = Vec::new();
    for (prefix, owner) in prefixes {
        close(&mut open, &mut out, Some(prefix.address));
        put(&mut out, prefix.address, *owner);
        open.push((prefix.last(), *owner));
    }
    close(&mut open, &mut out, None);
    out
}

/// Ends the open prefixes that end before `next`: what follows belongs to the one around, or to nobody.
fn close(open: &mut Vec<(u128, Owner)>, out: &mut Vec<(u128, Owner)>, next: Option<u128>) {
    while let Some(&(last, _)) = open.last()
        && next.is_none_or(|next| last < next)
    {
        open.pop();
        if let Some(after) = last.checked_add(1) {
            put(out, after, open.last().map_or(NOBODY, |&(_, owner)| owner));
        }
    }
}

fn put(out: &mut Vec<(u128, Owner)>, start: u128, owner: Owner) {
    match out.last_mut() {
        Some(last) if last.0 == start => last.1 = owner,
        Some(last) if last.1 == owner => {}
        _ => out.push((start, owner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;

    fn table(rows: &[(&str, Owner)]) -> BTreeMap<Prefix, Owner> {
        rows.iter().map(|(text, owner)| (Prefix::parse(text).unwrap(), *owner)).collect()
    }

    #[test]
    fn the_longest_prefix_wins_and_gaps_belong_to_nobody() {
        let routes = AllowedIps::build(&table(&[
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.2.3/32", 3),
            ("::/0", 4),
            ("2001:db8::/32", 5),
        ]));
        let of = |text: &str| routes.lookup(text.parse().unwrap());
        let asked = ["10.0.0.1", "10.1.0.1", "10.1.2.3", "10.1.2.4", "10.2.0.0", "11.0.0.0", "9.9.9.9"];
        assert_eq!(asked.map(of), [Some(1), Some(2), Some(3), Some(2), Some(1), None, None]);
        assert_eq!(
            ["2001:db8::1", "2001:db9::", "::", "ffff::"].map(of),
            [Some(5), Some(4), Some(4), Some(4)]
        );
    }

    #[test]
    fn host_bits_are_cleared_and_lengths_checked() {
        assert_eq!(Prefix::parse("192.0.2.77/24").unwrap().to_string(), "192.0.2.0/24");
        assert_eq!(Prefix::parse("2001:db8::1/64").unwrap().to_string(), "2001:db8::/64");
        assert!(
            ["192.0.2.1/33", "::/129", "192.0.2.1", "192.0.2.1/", "192.0.2.1/+8", "x/8"]
                .iter()
                .all(|t| Prefix::parse(t).is_none())
        );
    }

    /// The slow, obvious twin.
    fn slow(prefixes: &BTreeMap<Prefix, Owner>, address: IpAddr) -> Option<Owner> {
        let host = Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }).unwrap();
        let covers = |p: &Prefix| p.is_v6 == host.is_v6 && host.address & mask(p.len) == p.address;
        prefixes.iter().filter(|(p, _)| covers(p)).max_by_key(|(p, _)| p.len).map(|(_, owner)| *owner)
    }

    /// Few distinct bits, so that prefixes nest and touch.
    fn random_address(random: &mut Random) -> IpAddr {
        let bits = (random.word() & 0x8000_0001_8001_8181) as u32 | (random.below(4) as u32) << 30;
        if random.below(2) == 0 {
            Ipv4Addr::from_bits(bits).into()
        } else {
            Ipv6Addr::from_bits(u128::from(bits) << 96 | u128::from(random.below(3))).into()
        }
    }

    #[test]
    fn random_tables_agree_with_a_linear_search() {
        for seed in 1..300 {
            let mut random = Random(seed);
            let mut prefixes = BTreeMap::new();
            // Now and then several levels.
            for _ in 0..random.below(if seed % 8 == 0 { 900 } else { 60 }) {
                let address = random_address(&mut random);
                let len = random.below(if address.is_ipv4() { 33 } else { 129 }) as u8;
                prefixes.insert(Prefix::new(address, len).unwrap(), random.below(5) as Owner);
            }
            let routes = AllowedIps::build(&prefixes);
            let ends: Vec<_> = prefixes.keys().copied().collect();
            let greatest = ["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];
            for address in greatest.map(|text| text.parse().unwrap()) {
                assert_eq!(routes.lookup(address), slow(&prefixes, address), "seed {seed} {address}");
            }
            for i in 0..400 {
                let mut address = random_address(&mut random);
                if let Some(end) = ends.get(i) {
                    let last = end
                        .last()
                        .wrapping_add(u128::from(random.below(2)) << if end.is_v6 { 0 } else { 96 });
                    address = if end.is_v6 {
                        Ipv6Addr::from_bits(last).into()
                    } else {
                        Ipv4Addr::from_bits((last >> 96) as u32).into()
                    };
                }
                assert_eq!(routes.lookup(address), slow(&prefixes, address), "seed {seed} {address}");
            }
        }
    }
}
