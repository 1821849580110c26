//! Listeners of this machine: who listens on a port, where, and how many connections wait to be taken.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::process;
use crate::document::{Cell, Column, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::listeners::{self, Listener};
use crate::probe::trace::{Halt, Trace};

/// A port, and the address at which it must be served if one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port {
    pub address: Option<IpAddr>,
    pub number: u16,
    pub udp: bool,
}

/// `80`, `127.0.0.1:80`, `[::1]:80`, `53/udp`.
pub(super) fn parse(text: &str) -> Option<Port> {
    let (place, udp) = match text.rsplit_once('/') {
        Some((place, "udp")) => (place, true),
        Some((place, "tcp")) => (place, false),
        Some(_) => return None,
        None => (text, false),
    };
    if let Ok(address) = place.parse::<SocketAddr>() {
        return Some(Port { address: Some(address.ip()), number: address.port(), udp });
    }
    let number = place.parse().ok().filter(|number| *number != 0)?;
    Some(Port { address: None, number, udp })
}

impl Port {
    fn serves(&self, listener: &Listener) -> bool {
        let own = listener.address.ip();
        let at = self.address.is_none_or(|wanted| own == wanted || own.is_unspecified());
        at && listener.address.port() == self.number
    }

    fn found(&self) -> Vec<Listener> {
        let all = if self.udp { listeners::udp() } else { listeners::all() };
        all.into_iter().filter(|listener| self.serves(listener)).collect()
    }
}

/// Looks at one port.
pub(super) fn check(trace: &mut Trace<'_>, port: &Port) -> std::result::Result<(), Halt> {
    let asked = format!("a listener on port {}", port.number);
    let found = trace.step("listener", asked.as_str(), |_| Ok(port.found()))?;
    if found.is_empty() {
        let halt = trace.halt(Class::NotListening, asked, "none");
        trace.next(&format!("ss -ltunp 'sport = :{}'", port.number));
        return Err(halt);
    }
    let owners = owners(&found);
    let waiting = found.iter().map(|listener| listener.waiting).max().unwrap_or_default();
    trace.measure("waiting", f64::from(waiting), "");
    keep_overflows(trace);
    trace.section(table(&found, &owners));
    let places: BTreeSet<_> = found.iter().map(|listener| listener.address.to_string()).collect();
    let places = places.into_iter().collect::<Vec<_>>().join(", ");
    trace.summary(format!("{places}, {waiting} connections wait"));
    if port.address.is_none() && found.iter().all(|listener| listener.address.ip().is_loopback()) {
        trace.fault(Class::LoopbackOnly, "a listener that others can reach", places.as_str());
    }
    // A datagram socket has no queue of connections: what waits there is bytes.
    if waiting > 0 && !port.udp {
        trace.fault(Class::AcceptQueue, "no connection that waits", format!("{waiting} wait"));
        trace.next(&format!("ss -ltn 'sport = :{}'; nstat -az TcpExtListenOverflows", port.number));
    }
    judge_owners(trace, port, &found, &owners);
    Ok(())
}

/// Two services that share one port answer in turn: requests go now to the one and now to the other.
fn judge_owners(trace: &mut Trace<'_>, port: &Port, found: &[Listener], owners: &Owners) {
    let mut addresses: BTreeMap<String, Vec<&BTreeSet<u32>>> = BTreeMap::new();
    for listener in found {
        let Some(owner) = owners.get(&listener.inode) else { continue };
        addresses.entry(listener.address.to_string()).or_default().push(owner);
    }
    for (address, sets) in addresses {
        let groups = groups(&sets, &parents());
        if groups.len() > 1 {
            let shown: Vec<_> =
                groups.iter().filter_map(|group| group.first()).map(u32::to_string).collect();
            let came = format!("{address} belongs to the processes {}", shown.join(" and "));
            trace.fault(Class::TwoOwners, format!("one service on port {}", port.number), came);
        }
    }
}

/// The processes that hold a socket, by its inode; as far as we may look.
type Owners = BTreeMap<u64, BTreeSet<u32>>;

fn owners(found: &[Listener]) -> Owners {
    let mut owners = Owners::new();
    for process in process::all() {
        let held = process::sockets(process.pid);
        for listener in found.iter().filter(|listener| held.contains(&listener.inode)) {
            owners.entry(listener.inode).or_default().insert(process.pid);
        }
    }
    owners
}

/// The parent of each process that goes by its parent's name: a worker of the same service.
fn parents() -> BTreeMap<u32, u32> {
    let all = process::all();
    let names: BTreeMap<_, _> = all.iter().map(|one| (one.pid, one.name.as_str())).collect();
    let kin = all.iter().filter(|one| names.get(&one.parent) == Some(&one.name.as_str()));
    kin.map(|one| (one.pid, one.parent)).collect()
}

/// Joins sets of processes that share a member or a parent: the workers of one service.
fn groups(sets: &[&BTreeSet<u32>], parents: &BTreeMap<u32, u32>) -> Vec<BTreeSet<u32>> {
    let family = |pid: &u32| parents.get(pid).copied().filter(|parent| *parent > 1);
    let mut groups: Vec<BTreeSet<u32>> = Vec::new();
    for set in sets {
        let mut joined: BTreeSet<u32> = (*set).clone();
        let kin: BTreeSet<u32> = set.iter().copied().chain(set.iter().filter_map(family)).collect();
        groups.retain(|group| {
            let related = group
                .iter()
                .any(|pid| kin.contains(pid) || family(pid).is_some_and(|p| kin.contains(&p)));
            if related {
                joined.extend(group);
            }
            !related
        });
        groups.push(joined);
    }
    groups
}

fn table(found: &[Listener], owners: &Owners) -> Section {
    let columns = vec![
        Column::new("address", Role::Key),
        Column::new("waiting", Role::Main),
        Column::new("processes", Role::Value),
    ];
    let row = |listener: &Listener| {
        let pids = owners.get(&listener.inode);
        let pids = pids.map(|pids| pids.iter().map(|pid| Cell::Number(i64::from(*pid))).collect());
        vec![
            Cell::text(listener.address.to_string()),
            Cell::Count(u64::from(listener.waiting)),
            pids.map_or(Cell::Empty, Cell::List),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    Section::table("listeners", "Listeners", table)
}

/// All listeners of the machine as a table, for a look at the whole of it.
pub(super) fn overview(trace: &mut Trace<'_>) {
    let mut found = listeners::all();
    found.sort_by_key(|listener| (listener.address.port(), listener.address.ip()));
    let waiting: Vec<_> = found.iter().filter(|listener| listener.waiting > 0).collect();
    trace.fact("listeners", Cell::Count(found.len() as u64));
    trace.measure("waiting", waiting.iter().map(|l| f64::from(l.waiting)).sum(), "");
    if !waiting.is_empty() {
        let word = |l: &&Listener| format!("{} at {}", l.waiting, l.address);
        let came: Vec<_> = waiting.iter().map(word).collect();
        trace.fault(Class::AcceptQueue, "no connection that waits", came.join(", "));
        trace.next("ss -ltnp; nstat -az TcpExtListenOverflows");
    }
    keep_overflows(trace);
    trace.section(table(&found, &owners(&found)));
}

/// Of the whole machine: the kernel does not count them for each listener.
fn keep_overflows(trace: &mut Trace<'_>) {
    if let Some(count) = listeners::overflows() {
        trace.fact("listen_overflows", Cell::Count(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let port = |text: &str| parse(text).unwrap();
        assert_eq!(port("80"), Port { address: None, number: 80, udp: false });
        assert_eq!(port("53/udp"), Port { address: None, number: 53, udp: true });
        assert_eq!(port("[::1]:25").address, Some("::1".parse().unwrap()));
        for bad in ["", "0", "http", "80/sctp", "70000"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn workers_of_one_service_are_one_owner() {
        let sets = [BTreeSet::from([10, 11]), BTreeSet::from([12]), BTreeSet::from([20])];
        let sets: Vec<_> = sets.iter().collect();
        let parents = BTreeMap::from([(10, 1), (11, 10), (12, 10), (20, 1)]);
        let groups = groups(&sets, &parents);
        assert_eq!(groups, [BTreeSet::from([10, 11, 12]), BTreeSet::from([20])]);
    }
}
