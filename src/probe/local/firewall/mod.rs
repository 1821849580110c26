//! The firewall of this machine, read and never changed: is a port let in, and which rule decides?
//!
//! `firewall:PORT[/udp][@SOURCE]`. The rules come from nftables and from both kinds of iptables, or from what one of
//! them has written to a file (`--firewall-dump`). They are followed as the kernel follows them for a new connection
//! from the source; what depends on something that is not known (an interface, a mark, no source given) is said, not
//! guessed. Whoever may not read the rules is told so. What is handed on to containers or other hosts goes another way,
//! which is not looked at.

mod iptables;
mod nft;
mod walk;

use std::net::IpAddr;

use self::walk::{Decision, Packet, Rules, Verdict, decide};
use super::command::{NotDone, run_for};
use crate::document::{Cell, Level};
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::net::{Answer, Deadline, Failure};
use crate::probe::trace::{Halt, Trace};

/// A port, and who wants to reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    port: u16,
    udp: bool,
    source: Option<IpAddr>,
}

/// `80`, `53/udp`, `22@192.0.2.7`.
pub(super) fn parse(text: &str) -> Option<Question> {
    let (place, source) = match text.split_once('@') {
        Some((place, source)) => (place, Some(source.parse().ok()?)),
        None => (text, None),
    };
    let (number, udp) = match place.split_once('/') {
        Some((number, "udp")) => (number, true),
        Some((number, "tcp")) => (number, false),
        Some(_) => return None,
        None => (place, false),
    };
    let port = number.parse().ok().filter(|port| *port != 0)?;
    Some(Question { port, udp, source })
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {}{}", self.port, if self.udp { "/udp" } else { "" })?;
        match self.source {
            Some(source) => write!(f, " from {source}"),
            None => f.write_str(" from elsewhere"),
        }
    }
}

/// Looks at the rules for one port.
pub(super) fn check(
    trace: &mut Trace<'_>,
    question: &Question,
    dump: Option<&str>,
) -> std::result::Result<(), Halt> {
    let asked = format!("{question} let in");
    let rules = trace.step("firewall", asked.as_str(), |deadline| match dump {
        Some(path) => of_file(path),
        None => of_this_machine(deadline),
    })?;
    trace.fact("rules", Cell::Count(rules.count() as u64));
    let Question { port, udp, source } = *question;
    let families = match source {
        Some(source) => vec![source.is_ipv6()],
        None => vec![false, true],
    };
    let decisions: Vec<_> =
        families.iter().map(|v6| decide(&rules, &Packet { port, udp, source, v6: *v6 })).collect();
    for decision in &decisions {
        judge(trace, &asked, decision);
    }
    if let Some(first) = decisions.first() {
        trace.summary(format!("{question}: {}", shown(first)));
    }
    Ok(())
}

/// What a decision means: kept out for certain, for some, or let in.
fn judge(trace: &mut Trace<'_>, asked: &str, decision: &Decision) {
    let kept_out = decision.verdict != Verdict::Accept;
    let level = match (kept_out, decision.perhaps.is_empty()) {
        (true, true) => Level::Critical,
        (true, false) => Level::Warning,
        (false, _) => {
            if let Some(other) = decision.perhaps.first() {
                trace.fact("unless", Cell::text(other));
            }
            return;
        }
    };
    trace.fault_at(Class::FirewallBlocks, level, asked, shown(decision));
    let clients = match decision.verdict {
        Verdict::Drop => "clients wait and get 'timeout'",
        _ => "clients are told at once: 'refused' or 'unreachable'",
    };
    trace.because(match decision.perhaps.first() {
        Some(other) => format!("{clients}, except those for whom this holds: {other}"),
        None => format!("a rule of this machine's firewall; {clients}"),
    });
}

fn shown(decision: &Decision) -> String {
    let family = if decision.v6 { "IPv6" } else { "IPv4" };
    let word = match decision.verdict {
        Verdict::Accept => "let in",
        Verdict::Drop => "dropped",
        Verdict::Reject => "rejected",
    };
    format!("{family} {word} by {}", decision.by)
}

fn of_file(path: &str) -> Answer<Rules> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::new(Class::BadTarget, format!("{path}: {error}")))?;
    of_text(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
        Failure::new(
            Class::BadTarget,
            format!("{path}: neither rules of nft -j list ruleset nor of iptables-save"),
        )
    })
}

/// Rules in the one form or the other.
fn of_text(text: &str) -> Option<Rules> {
    match text.trim_start().starts_with('{') {
        true => nft::parse(text),
        false => iptables::parse(text, false),
    }
}

/// Programs that write rules, with their arguments, and whether they speak of IPv6.
const SOURCES: [(&str, &[&str], Option<bool>); 5] = [
    ("nft", &["-j", "list", "ruleset"], None),
    ("iptables-legacy-save", &[], Some(false)),
    ("ip6tables-legacy-save", &[], Some(true)),
    ("iptables-nft-save", &[], Some(false)),
    ("ip6tables-nft-save", &[], Some(true)),
];

/// The most bytes of rules: a host with ten thousand containers has fewer.
const LIMIT: u64 = 64 * 1024 * 1024;

/// All rules that can be read here. What iptables has written into nftables is read in the words of iptables where
/// those can be had, because they say more.
fn of_this_machine(deadline: Deadline) -> Answer<Rules> {
    let mut all = Rules::default();
    let (mut asked, mut refused) = (0, None);
    for (program, arguments, family) in SOURCES {
        let done = match run_for(LIMIT, program, arguments, deadline) {
            Ok(done) => done,
            Err(NotDone::Missing) => continue,
            Err(NotDone::TooSlow) => {
                return Err(Failure::new(
                    Class::CheckerFailed,
                    format!("{program} did not end in time"),
                ));
            }
            Err(NotDone::NotStarted(why)) => return Err(Failure::new(Class::CheckerFailed, why)),
        };
        asked += 1;
        if done.code != Some(0) {
            refused = Some(format!("{program}: {}", escaped(done.output.trim_ascii(), 200)));
            continue;
        }
        let text = String::from_utf8_lossy(&done.output);
        let rules = match family {
            None => nft::parse(&text),
            // No table is no rule.
            Some(v6) => Some(iptables::parse(&text, v6).unwrap_or_default()),
        };
        let came = || format!("{program}: rules that cannot be read");
        all.add(rules.ok_or_else(|| Failure::new(Class::CheckerFailed, came()))?);
        if let Some(v6) = family.filter(|_| program.contains("nft")) {
            all.leave_out_foreign(v6);
        }
    }
    match (asked, refused) {
        (0, _) => Err(Failure::new(Class::NotInstalled, "neither nft nor iptables is installed")),
        (_, Some(why)) if all.is_empty() => Err(Failure::new(Class::NotPermitted, why)),
        _ => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let question = |text: &str| parse(text).unwrap().to_string();
        assert_eq!(question("80"), "port 80 from elsewhere");
        assert_eq!(question("53/udp@192.0.2.7"), "port 53/udp from 192.0.2.7");
        for bad in ["", "0", "http", "80/sctp", "80@there", "80@"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_dump() {
        assert!(of_text("hello").is_none() && of_text("{}").is_none() && of_text("").is_none());
    }
}
