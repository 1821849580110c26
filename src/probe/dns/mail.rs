//! Mail exchangers and reverse names: each must lead to an address, and the way back should lead home.

use domain::base::Rtype;

use super::{Server, level, table};
use crate::document::{Cell, Role, Section};
use crate::probe::class::Class;
use crate::probe::resolver::Reply;
use crate::probe::trace::Trace;

/// Follows each exchanger: it must have an address and must not be an alias.
pub(super) fn check(trace: &mut Trace<'_>, server: Server, reply: &Reply) {
    let exchangers: Vec<(String, String)> = reply
        .set(Rtype::MX)
        .into_iter()
        .filter_map(|data| data.split_once(' '))
        .map(|(preference, name)| (preference.to_owned(), name.to_owned()))
        .collect();
    if exchangers.iter().any(|(_, name)| name == ".") {
        trace.fact("null_mx", Cell::text("the domain takes no mail"));
        return;
    }
    let mut rows = Vec::new();
    for (preference, name) in &exchangers {
        let alias = is_alias(server, name);
        let addresses: Vec<_> = server.addresses(name).iter().map(ToString::to_string).collect();
        let wrong = match (alias, addresses.is_empty()) {
            (_, true) => Some("it has no address"),
            (true, false) => Some("it is an alias, which mail forbids"),
            (false, false) => None,
        };
        if let Some(wrong) = wrong {
            trace.fault(Class::MailTarget, format!("the mail exchanger {name}"), wrong);
        }
        rows.push(vec![
            Cell::text(name),
            Cell::text(preference),
            level(wrong.map(|_| Class::MailTarget)),
            Cell::List(addresses.iter().map(Cell::text).collect()),
        ]);
    }
    let columns = [
        ("exchanger", Role::Key),
        ("preference", Role::Value),
        ("level", Role::Value),
        ("addresses", Role::Value),
    ];
    trace.section(Section::table("exchangers", "Mail exchangers", table(&columns, rows)));
}

fn is_alias(server: Server, name: &str) -> bool {
    server.look_up(name, "CNAME", true).is_ok_and(|reply| !reply.set(Rtype::CNAME).is_empty())
}

/// A reverse name whose own address is another one: mail servers refuse such clients.
pub(super) fn check_reverse(trace: &mut Trace<'_>, server: Server, name: &str, reply: &Reply) {
    let names = reply.set(Rtype::PTR);
    let back = |host: &&str| {
        server.addresses(host).into_iter().any(|address| super::reverse(address) == name)
    };
    if names.is_empty() {
        return;
    }
    let confirmed = names.iter().any(back);
    trace.fact("forward_confirmed", Cell::text(if confirmed { "yes" } else { "no" }));
    if !confirmed {
        let came = format!("{} leads to another address", names.join(", "));
        trace.fault(Class::Disagree, "a name that leads back to the address", came);
        trace.because("the reverse record and the address record were not changed together");
    }
}
