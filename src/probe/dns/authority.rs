//! Every name server of a zone, asked for itself: does it have authority, which version of the zone does it have, does
//! it give the same record? And other servers that the user names.

use std::net::SocketAddr;
use std::time::Instant;

use domain::base::Rtype;

use super::{Server, class_of, level, question, said, table};
use crate::document::{Cell, Level, Role, Section};
use crate::probe::class::Class;
use crate::probe::net::{self, Answer};
use crate::probe::resolver::{Question, Reply};
use crate::probe::target::Target;
use crate::probe::trace::Trace;

/// The most servers of one zone that are asked.
const MOST: usize = 20;

/// Where authorities are reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'p> {
    /// The port of all.
    pub(super) port: u16,
    /// Those that are reached elsewhere than their names say.
    pub(super) at: &'p [(String, SocketAddr)],
}

impl Places<'_> {
    fn of(self, server: Server, name: &str) -> Vec<SocketAddr> {
        match self.at.iter().find(|(own, _)| own == name) {
            Some((_, address)) => vec![*address],
            None => {
                let addresses = server.addresses(name).into_iter();
                addresses.map(|ip| SocketAddr::new(ip, self.port)).collect()
            }
        }
    }
}

/// One authority and what it said.
struct Authority {
    name: String,
    address: String,
    serial: Option<u32>,
    answers: Vec<String>,
    class: Option<Class>,
    came: String,
    micros: i64,
}

/// Asks all authorities of the zone that the name is in, and compares them with each other and with the resolver.
pub(super) fn check(
    trace: &mut Trace<'_>,
    server: Server,
    places: Places<'_>,
    asked: &Question,
    resolved: &Reply,
) {
    let Some((zone, names)) = zone_of(server, asked) else {
        trace.fault(Class::Lame, format!("the name servers of {}", asked.name), "none is known");
        return;
    };
    trace.fact("zone", Cell::text(&zone));
    let authorities = ask_all(server, places, asked, &zone, &names);
    for one in authorities.iter().filter(|one| one.class.is_some()) {
        let class = one.class.unwrap_or(Class::Lame);
        trace.fault(class, format!("{} of {} ({})", asked, one.name, one.address), &one.came);
    }
    compare_serials(trace, &zone, &authorities);
    compare_answers(trace, asked, &authorities, resolved);
    trace.section(Section::table("authorities", "Name servers of the zone", rows(&authorities)));
}

/// The zone of a name and the names of its servers: the nearest parent that has any.
fn zone_of(server: Server, asked: &Question) -> Option<(String, Vec<String>)> {
    let name = asked.name.to_string();
    let mut zone = name.trim_end_matches('.');
    loop {
        let found = server.look_up(if zone.is_empty() { "." } else { zone }, "NS", true);
        let names: Vec<String> = found
            .map(|reply| reply.set(Rtype::NS).into_iter().map(str::to_owned).collect())
            .unwrap_or_default();
        if !names.is_empty() {
            return Some((zone.to_owned(), names));
        }
        zone = zone.split_once('.').map(|(_, parent)| parent)?;
    }
}

fn ask_all(
    server: Server,
    places: Places<'_>,
    asked: &Question,
    zone: &str,
    names: &[String],
) -> Vec<Authority> {
    let mut all = Vec::new();
    for name in names {
        let addresses = places.of(server, name);
        if addresses.is_empty() {
            all.push(without_address(name));
        }
        for address in addresses {
            if all.len() < MOST {
                all.push(ask_one(server.at(address), asked, zone, name));
            }
        }
    }
    all
}

fn without_address(name: &str) -> Authority {
    Authority {
        name: name.to_owned(),
        address: String::new(),
        serial: None,
        answers: Vec::new(),
        class: Some(Class::Lame),
        came: "it has no address".to_owned(),
        micros: 0,
    }
}

fn ask_one(server: Server, asked: &Question, zone: &str, name: &str) -> Authority {
    let mut one =
        Authority { address: server.address.to_string(), class: None, ..without_address(name) };
    let began = Instant::now();
    let own = Question { recurse: false, ..asked.clone() };
    let reply = server.ask(&own);
    one.micros = i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
    match reply {
        Err(failure) => (one.class, one.came) = (Some(failure.class), failure.came),
        Ok(reply) => {
            one.answers = reply.set(asked.rtype).into_iter().map(str::to_owned).collect();
            one.came = said(&reply);
            one.class = fault_of(&reply, asked.rtype);
            let soa = question(zone, "SOA", false).and_then(|soa| server.ask(&soa));
            one.serial = soa.ok().and_then(|reply| reply.serial());
        }
    }
    one
}

/// An authority must say that it is one. That the name does not exist is the zone's matter, not the server's.
pub(super) fn fault_of(reply: &Reply, rtype: Rtype) -> Option<Class> {
    match class_of(reply, rtype) {
        Some(Class::Nxdomain | Class::Nodata | Class::DanglingCname) | None => {
            (!reply.authoritative).then_some(Class::Lame)
        }
        Some(Class::DnsRefused) => Some(Class::Lame),
        other => other,
    }
}

/// Serial numbers go round (RFC 1982): the newer is the one less than half the circle ahead.
fn is_newer(one: u32, other: u32) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 31
}

fn compare_serials(trace: &mut Trace<'_>, zone: &str, authorities: &[Authority]) {
    let serials = || authorities.iter().filter_map(|one| one.serial);
    let newest = serials().reduce(|best, one| if is_newer(one, best) { one } else { best });
    let Some(newest) = newest else { return };
    trace.fact("zone_serial", Cell::Count(u64::from(newest)));
    for one in authorities {
        if let Some(serial) = one.serial.filter(|serial| *serial != newest) {
            let came = format!("{} ({}) has serial {serial}", one.name, one.address);
            trace.fault(Class::SerialBehind, format!("serial {newest} of {zone}"), came);
        }
    }
}

fn compare_answers(
    trace: &mut Trace<'_>,
    asked: &Question,
    authorities: &[Authority],
    resolved: &Reply,
) {
    let mut good = authorities.iter().filter(|one| one.class.is_none());
    let Some(first) = good.next() else { return };
    for other in good.filter(|other| other.answers != first.answers) {
        let shown = |one: &Authority| format!("{}: {}", one.name, one.answers.join(", "));
        trace.fault(
            Class::Disagree,
            format!("{asked} alike everywhere"),
            format!("{} against {}", shown(first), shown(other)),
        );
    }
    let cached = resolved.set(asked.rtype);
    let overlap =
        authorities.iter().any(|one| one.answers.iter().any(|a| cached.contains(&a.as_str())));
    if overlap || resolved.authoritative || cached.is_empty() && first.answers.is_empty() {
        return;
    }
    let left = resolved.answers.iter().map(|record| record.ttl).min();
    let left = left.or(resolved.negative_ttl()).unwrap_or_default();
    trace.fact("seconds_left", Cell::Count(u64::from(left)));
    let came = format!(
        "{} for {left} s more, the authority says {}",
        shown(&cached),
        first.answers.join(", ")
    );
    trace.fault(Class::StaleAnswer, format!("{asked} as the authority has it"), came);
    trace.because(format!("the resolver keeps its answer for {left} s more"));
}

fn shown(answers: &[&str]) -> String {
    if answers.is_empty() { "nothing".to_owned() } else { answers.join(", ") }
}

fn rows(authorities: &[Authority]) -> crate::document::Table {
    let columns = [
        ("server", Role::Key),
        ("address", Role::Value),
        ("level", Role::Value),
        ("serial", Role::Value),
        ("answers", Role::Value),
        ("time", Role::Value),
        ("said", Role::Detail),
    ];
    let row = |one: &Authority| {
        vec![
            Cell::text(&one.name),
            Cell::text(&one.address),
            level(one.class),
            one.serial.map_or(Cell::Empty, |serial| Cell::Count(u64::from(serial))),
            Cell::List(one.answers.iter().map(Cell::text).collect()),
            Cell::Duration(one.micros),
            Cell::text(&one.came),
        ]
    };
    table(&columns, authorities.iter().map(row).collect())
}

/// How often a server is asked before its answers are compared: some give another part of a set each time.
const ROUNDS: usize = 3;

/// Asks other servers the same, and records those that share no answer with the first.
pub(super) fn compare(
    trace: &mut Trace<'_>,
    server: Server,
    others: &[Target],
    asked: &Question,
    reply: &Reply,
) {
    let mut rows = Vec::new();
    let mine = answers_of(asked, reply);
    for other in others {
        let found = ask_other(trace, server, other, asked);
        let (level, theirs) = match &found {
            Ok(theirs) => {
                let agrees = theirs == &mine || theirs.iter().any(|answer| mine.contains(answer));
                if !agrees {
                    let came = format!("{other}: {}", theirs.join(", "));
                    trace.fault(Class::Disagree, format!("{asked}: {}", mine.join(", ")), came);
                }
                (if agrees { Level::Ok } else { Level::Warning }, theirs.join(", "))
            }
            Err(failure) => {
                trace.fault(failure.class, format!("{asked} of {other}"), &failure.came);
                (Level::Critical, failure.class.name().to_owned())
            }
        };
        rows.push(vec![Cell::text(&other.label), Cell::Level(level), Cell::text(theirs)]);
    }
    let columns = [("server", Role::Key), ("level", Role::Value), ("answers", Role::Value)];
    trace.section(Section::table("compared", "Other servers", table(&columns, rows)));
}

/// The answers, or the answer code where there is none: two servers may agree that there is nothing.
pub(super) fn answers_of(asked: &Question, reply: &Reply) -> Vec<String> {
    let set = reply.set(asked.rtype);
    match set.is_empty() {
        true => vec![reply.rcode.clone()],
        false => set.into_iter().map(str::to_owned).collect(),
    }
}

fn ask_other(
    trace: &Trace<'_>,
    server: Server,
    other: &Target,
    asked: &Question,
) -> Answer<Vec<String>> {
    let host = other.host().unwrap_or_default();
    let found = net::resolve(host, other.port(), trace.run().common, server.deadline)?;
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let reply = server.at(found[0]).ask(asked)?;
        all.extend(answers_of(asked, &reply));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_go_round() {
        assert!(is_newer(2, 1) && !is_newer(1, 2) && !is_newer(5, 5));
        assert!(is_newer(3, u32::MAX - 3) && !is_newer(u32::MAX - 3, 3));
        assert!(is_newer(2_026_112_305, 2_026_112_301));
    }
}
