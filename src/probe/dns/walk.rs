//! The way from the root to a name, one referral after the other, as a resolver goes it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use domain::base::Rtype;

use super::authority::fault_of;
use super::{Server, said, table};
use crate::document::{Cell, Role, Section};
use crate::probe::class::Class;
use crate::probe::resolver::{self, Question, Reply};
use crate::probe::trace::Trace;

/// The address of a.root-servers.net since 1993.
const ROOT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4));

/// Names have at most 127 labels; sound ways are under ten steps.
const MOST: usize = 20;

/// Walks to the name. Starts at the server that was probed if it is none of this system's resolvers, else at the root.
pub(super) fn walk(trace: &mut Trace<'_>, server: Server, asked: &Question, port: u16) {
    let resolvers = resolver::system_servers();
    let start = match resolvers.contains(&server.address) {
        true => SocketAddr::new(ROOT, port),
        false => server.address,
    };
    let own = Question { recurse: false, ..asked.clone() };
    let mut at = start;
    let mut rows = Vec::new();
    for _ in 0..MOST {
        let reply = match server.at(at).ask(&own) {
            Ok(reply) => reply,
            Err(failure) => {
                rows.push(row(at, "", failure.class.name()));
                trace.fault(failure.class, format!("{asked} of {at} on the way"), failure.came);
                break;
            }
        };
        let zone = reply.authority.iter().find(|record| record.rtype == Rtype::NS);
        let zone = zone.map_or(String::new(), |record| record.owner.clone());
        rows.push(row(at, &zone, &said(&reply)));
        if !reply.answers.is_empty() || reply.authoritative || reply.rcode != "NOERROR" {
            // What the first server said is judged already.
            if let Some(class) = fault_of(&reply, asked.rtype).filter(|_| at != start) {
                trace.fault(class, format!("{asked} of {at}, the end of the way"), said(&reply));
            }
            break;
        }
        let Some(next) = next(server, &reply, port) else {
            trace.fault(Class::Lame, format!("a way to {asked}"), format!("{at} knows no further"));
            break;
        };
        at = next;
    }
    let columns = [("server", Role::Key), ("refers_to", Role::Value), ("said", Role::Detail)];
    trace.section(Section::table("way", "The way to the name", table(&columns, rows)));
}

fn row(at: SocketAddr, zone: &str, said: &str) -> Vec<Cell> {
    vec![Cell::text(at.to_string()), Cell::text(zone), Cell::text(said)]
}

/// The first server of a referral whose address is known, or can be asked for.
fn next(server: Server, reply: &Reply, port: u16) -> Option<SocketAddr> {
    let names = reply.authority.iter().filter(|record| record.rtype == Rtype::NS);
    let mut addresses = names.take(3).flat_map(|record| match reply.glue(&record.data) {
        Some(address) => vec![address],
        None => server.addresses(&record.data),
    });
    addresses.next().map(|address| SocketAddr::new(address, port))
}
