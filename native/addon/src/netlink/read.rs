//! The whole reading, as helper/plan/facts.ts wants it. Links come first: everything else names them by index.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;

use serde::Serialize;

use super::{address, link, nexthop, route, rule, socket};
use crate::sys::{Doing, Errno, Outcome};

/// default, main, local (linux/rtnetlink.h)
const OF_THE_MACHINE: [u32; 3] = [253, 254, 255];

#[derive(Serialize)]
pub struct Reading {
    links: Vec<link::Link>,
    addresses: Vec<address::Address>,
    routes: Vec<route::Route>,
    rules: Vec<rule::Rule>,
    /// null: this kernel has no nexthop objects
    nexthops: Option<Vec<nexthop::Nexthop>>,
}

/// `without`: routes of these tables are not asked for, and of the others only of those that rules lead to.
pub fn read(fd: RawFd, without: Option<RangeInclusive<u32>>) -> Outcome<Reading> {
    let mut links = socket::dump(fd, &link::request(), link::read).doing("reading links")?;
    // a kernel without tc has no hooks of it
    let hooked = absent_is_none(socket::dump(fd, &link::qdisc_request(), link::read_tc_hook))
        .doing("reading qdiscs")?
        .unwrap_or_default();
    for link in &mut links {
        link.clsact = hooked.contains(&link.index);
    }
    let addresses =
        socket::dump(fd, &address::request(), |m| address::read(m, &links)).doing("reading addresses")?;
    let mut routes = Vec::new();
    let mut rules = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6].map(|family| family as u8) {
        let found = absent_is_none(socket::dump(fd, &rule::request(family), rule::read));
        let mine = found.doing("reading rules")?.unwrap_or_default();
        let found = match &without {
            None => socket::dump(fd, &route::request(family), |m| route::read(m, &links)),
            Some(without) => routes_of(fd, family, &tables_beside(&mine, without), &links),
        };
        routes.extend(route::joined(absent_is_none(found).doing("reading routes")?.unwrap_or_default()));
        rules.extend(mine);
    }
    let found = socket::dump(fd, &nexthop::request(), |m| nexthop::read(m, &links));
    let nexthops = absent_is_none(found).doing("reading nexthops")?;
    Ok(Reading { links, addresses, routes, rules, nexthops })
}

fn tables_beside(rules: &[rule::Rule], without: &RangeInclusive<u32>) -> BTreeSet<u32> {
    let named = rules.iter().filter_map(|rule| match rule.action {
        rule::Action::Lookup { table } => Some(table),
        _ => None,
    });
    named.chain(OF_THE_MACHINE).filter(|table| !without.contains(table)).collect()
}

fn routes_of(
    fd: RawFd,
    family: u8,
    tables: &BTreeSet<u32>,
    links: &[link::Link],
) -> Result<Vec<route::Route>, Errno> {
    socket::strictly(fd, || {
        let mut routes = Vec::new();
        for table in tables {
            let asked = route::request_table(family, *table);
            match socket::dump(fd, &asked, |m| route::read(m, links)) {
                Ok(found) => routes.extend(found),
                // a rule may lead to a table that nobody laid a route into
                Err(Errno(libc::ENOENT)) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(routes)
    })
}

/// The name behind an index; a link that went between two dumps is told by its number.
pub fn name_of(index: u32, links: &[link::Link]) -> String {
    links
        .iter()
        .find(|link| link.index == index)
        .map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

/// What a kernel was built without (IPv6, tc, nexthop objects) is not there, and that is no failure.
fn absent_is_none<T>(found: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno(libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)) => Ok(None),
        Err(errno) => Err(errno),
    }
}
