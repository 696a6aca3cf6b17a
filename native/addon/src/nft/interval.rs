//! Prefixes as an interval set stores them: the first address of each range, and the first address behind it marked as
//! its end. Ranges that touch are one. Reading gives the fewest prefixes that make up each range.

use crate::netlink::text::{bytes_of, parse_prefix, print_prefix};
use crate::sys::Errno;

/// A key of the set, and whether a range ends there.
pub type Key = (Vec<u8>, bool);

pub fn write(prefixes: &[String], bytes: usize) -> Result<Vec<Key>, Errno> {
    let bits = bytes as u32 * 8;
    let mut ranges = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        let (address, length) = parse_prefix(prefix)?;
        let octets = bytes_of(address);
        if octets.len() != bytes {
            return Err(Errno(libc::EINVAL));
        }
        let first = number(&octets);
        ranges.push((first, first | below(bits - u32::from(length))));
    }
    ranges.sort_unstable();
    let mut keys = Vec::with_capacity(ranges.len() * 2);
    for (first, last) in merge(ranges) {
        keys.push((octets(first, bytes), false));
        // a range up to the last address of all has no end
        if last != below(bits) {
            keys.push((octets(last + 1, bytes), true));
        }
    }
    Ok(keys)
}

/// Keys in any order; a lone end (nft puts one at zero) belongs to no range.
pub fn read(mut keys: Vec<Key>, bytes: usize) -> Vec<String> {
    let bits = bytes as u32 * 8;
    // where one range ends and the next begins, the end comes first
    keys.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut ranges = Vec::new();
    let mut open = None;
    for (key, end) in keys {
        let at = number(&key);
        match (end, open) {
            (false, _) => open = Some(at),
            (true, Some(first)) => {
                ranges.push((first, at - 1));
                open = None;
            }
            (true, None) => {}
        }
    }
    if let Some(first) = open {
        ranges.push((first, below(bits)));
    }
    merge(ranges).into_iter().flat_map(|(first, last)| prefixes(first, last, bits)).collect()
}

fn merge(ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if before.1 == u128::MAX || first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn prefixes(mut first: u128, last: u128, bits: u32) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        // the largest block that begins here and does not go over the end
        let mut free = first.trailing_zeros().min(bits);
        while first.checked_add(below(free)).is_none_or(|end| end > last) {
            free -= 1;
        }
        let address = octets(first, bits as usize / 8);
        found.extend(print_prefix(&address, (bits - free) as u8));
        let end = first + below(free);
        if end >= last {
            return found;
        }
        first = end + 1;
    }
}

/// The number of `bits` ones.
fn below(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX >> (128 - bits) }
}

fn number(octets: &[u8]) -> u128 {
    octets.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn octets(number: u128, bytes: usize) -> Vec<u8> {
    number.to_be_bytes()[16 - bytes..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(prefixes: &[&str], bytes: usize) -> Vec<String> {
        let prefixes: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
        read(write(&prefixes, bytes).unwrap(), bytes)
    }

    #[test]
    fn minimal_lists_come_back_as_they_were() {
        for (list, bytes) in [
            (vec!["0.0.0.0/0"], 4),
            (vec!["0.0.0.0/32", "10.0.0.0/8", "192.0.2.1/32", "255.255.255.255/32"], 4),
            (vec!["128.0.0.0/1"], 4),
            (vec!["::/0"], 16),
            (vec!["2001:db8::/32", "fe80::/10", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"], 16),
            (vec![], 4),
        ] {
            assert_eq!(there_and_back(&list, bytes), list);
        }
    }

    #[test]
    fn prefixes_that_touch_or_overlap_come_back_as_the_fewest() {
        assert_eq!(there_and_back(&["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16"], 4), ["10.0.0.0/8"]);
        assert_eq!(there_and_back(&["10.0.0.1/32", "10.0.0.2/32"], 4), ["10.0.0.1/32", "10.0.0.2/32"]);
    }

    #[test]
    fn a_lone_end_at_zero_is_no_range() {
        let keys = vec![(vec![0; 4], true), (vec![10, 0, 0, 0], false), (vec![11, 0, 0, 0], true)];
        assert_eq!(read(keys, 4), ["10.0.0.0/8"]);
    }
}
