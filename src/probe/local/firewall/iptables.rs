//! Rules as `iptables-save` and `ip6tables-save` write them.
//!
//! ```text
//! *filter
//! :INPUT DROP [0:0]
//! -A INPUT -i lo -j ACCEPT
//! -A INPUT -p tcp -m multiport --dports 80,443 -m conntrack --ctstate NEW -j ACCEPT
//! -A INPUT -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset
//! COMMIT
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::walk::{Action, Chain, Condition, Rule, Rules, Verdict};
use crate::probe::escape::escaped;

/// Reads the tables that packets to this machine pass; `None` if there is no table at all.
pub(super) fn parse(text: &str, v6: bool) -> Option<Rules> {
    let mut rules = Rules::default();
    let mut table = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            table = Some(name.to_owned());
        } else if let (Some(table), Some(rest)) = (&table, line.strip_prefix(':')) {
            rules.0.extend(chain(table, rest, v6));
        } else if let (Some(table), Some(rest)) = (&table, line.strip_prefix("-A ")) {
            append(&mut rules, table, rest, v6);
        }
    }
    table.map(|_| rules)
}

fn table_name(table: &str, v6: bool) -> String {
    format!("{} {table}", if v6 { "ip6tables" } else { "iptables" })
}

/// `INPUT DROP [0:0]`, `OWN - [0:0]`. In the order in which the kernel passes the tables.
fn chain(table: &str, text: &str, v6: bool) -> Option<Chain> {
    let mut words = text.split(' ');
    let name = words.next()?;
    let policy = match words.next()? {
        "ACCEPT" => Some(Verdict::Accept),
        "DROP" => Some(Verdict::Drop),
        _ => None,
    };
    let place = match (table, name) {
        ("raw", "PREROUTING") => Some(-300),
        ("mangle", "PREROUTING") => Some(-150),
        ("mangle", "INPUT") => Some(-149),
        ("filter", "INPUT") => Some(0),
        ("security", "INPUT") => Some(50),
        _ => None,
    };
    Some(Chain {
        table: table_name(table, v6),
        name: name.to_owned(),
        v6: Some(v6),
        priority: place,
        policy,
        foreign: false,
        rules: Vec::new(),
    })
}

fn append(rules: &mut Rules, table: &str, text: &str, v6: bool) {
    let words = words(text);
    let Some((name, rest)) = words.split_first() else { return };
    let table = table_name(table, v6);
    let chain = rules.0.iter_mut().find(|chain| chain.table == table && chain.name == *name);
    if let Some(chain) = chain {
        chain.rules.push(rule(text, rest, v6));
    }
}

/// Words apart; quotes hold one together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn rule(text: &str, words: &[String], v6: bool) -> Rule {
    let mut conditions = Vec::new();
    let mut action = Action::Nothing;
    let mut negated = false;
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "!" => negated = true,
            "-j" | "-g" => {
                action = target(word, rest.next().unwrap_or_default());
                // What stands behind are the target's own words.
                break;
            }
            option => {
                if let Some(found) = condition(option, &mut rest, v6) {
                    conditions.push(match std::mem::take(&mut negated) {
                        true => Condition::Not(Box::new(found)),
                        false => found,
                    });
                }
            }
        }
    }
    Rule { text: format!("-A {}", escaped(text.as_bytes(), 200)), conditions, action }
}

/// What an option asks, with its values taken off the rest; nothing for words that ask nothing.
fn condition<'w>(
    option: &str,
    rest: &mut impl Iterator<Item = &'w str>,
    v6: bool,
) -> Option<Condition> {
    let mut value = || rest.next().unwrap_or_default();
    let new = || Condition::State(vec!["new".to_owned()]);
    Some(match option {
        // A match's name; its words follow.
        "-m" | "--match" => return module(value()),
        // Words for people.
        "--comment" => {
            value();
            return None;
        }
        "-p" => Condition::Protocol(vec![value().to_owned()]),
        "-s" => sources(value(), v6),
        "-i" => interface(value()),
        "--dport" | "--dports" | "--destination-port" => ports(value()),
        "--state" | "--ctstate" => {
            Condition::State(value().to_ascii_lowercase().split(',').map(str::to_owned).collect())
        }
        // A new connection begins with SYN alone.
        "--syn" => new(),
        "--tcp-flags" => match (value().contains("SYN"), value()) {
            (true, "SYN") => new(),
            _ => Condition::Unknown,
        },
        option if option.starts_with('-') => Condition::Unknown,
        // The value of an option that is not known here.
        _ => return None,
    })
}

/// Matches that say nothing by themselves; of any other it is not known what it asks.
fn module(name: &str) -> Option<Condition> {
    let plain = ["tcp", "udp", "state", "conntrack", "multiport", "comment"];
    (!plain.contains(&name)).then_some(Condition::Unknown)
}

fn target(word: &str, name: &str) -> Action {
    match (word, name) {
        (_, "ACCEPT") => Action::End(Verdict::Accept),
        (_, "DROP") => Action::End(Verdict::Drop),
        (_, "REJECT") => Action::End(Verdict::Reject),
        (_, "RETURN") => Action::Return,
        ("-g", chain) => Action::Goto(chain.to_owned()),
        // A target that is no chain of the table (LOG, MARK) leads nowhere, and the packet goes on.
        (_, chain) => Action::Jump(chain.to_owned()),
    }
}

/// `10.0.0.0/8,192.0.2.7`; also with the bits written as a mask.
fn sources(text: &str, v6: bool) -> Condition {
    let all: Option<Vec<_>> = text.split(',').map(|one| net(one, v6)).collect();
    all.map_or(Condition::Unknown, Condition::Source)
}

fn net(text: &str, v6: bool) -> Option<(IpAddr, u8)> {
    let whole = if v6 { 128 } else { 32 };
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let bits = match bits {
        None => whole,
        Some(bits) => bits.parse().ok().or_else(|| mask(bits))?,
    };
    let address = match v6 {
        true => address.parse::<Ipv6Addr>().map(IpAddr::from).ok()?,
        false => address.parse::<Ipv4Addr>().map(IpAddr::from).ok()?,
    };
    (bits <= whole).then_some((address, bits))
}

fn mask(text: &str) -> Option<u8> {
    let bits = text.parse::<Ipv4Addr>().ok()?.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then(|| u8::try_from(ones).ok())?
}

/// `eth+` stands for all that begin so, which nothing is known of.
fn interface(name: &str) -> Condition {
    match name.ends_with('+') {
        true => Condition::Unknown,
        false => Condition::Interface(name.to_owned()),
    }
}

/// `80`, `80,443,8000:8999`.
fn ports(text: &str) -> Condition {
    let range = |one: &str| {
        let (from, to) = one.split_once(':').unwrap_or((one, one));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    let all: Option<Vec<_>> = text.split(',').map(range).collect();
    all.map_or(Condition::Unknown, Condition::Port)
}

#[cfg(test)]
mod tests {
    use super::super::walk::{Packet, decide};
    use super::*;
    use proptest::prelude::*;

    const SAVED: &str = "# Generated by iptables-save\n*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n\
        :own - [0:0]\n-A INPUT -i lo -j ACCEPT\n\
        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
        -A INPUT -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset\n\
        -A INPUT -p tcp -m multiport --dports 80,443,8000:8999 -m comment --comment \"web, all\" -j ACCEPT\n\
        -A INPUT -s 10.0.0.0/8 -p tcp -j own\n\
        -A INPUT ! -s 192.0.2.0/24 -p udp -m udp --dport 53 -j DROP\n\
        -A INPUT -p udp -m udp --dport 53 -m limit --limit 5/sec -j ACCEPT\n\
        -A own -p tcp -m tcp --dport 22 -j ACCEPT\n-A own -j RETURN\nCOMMIT\n";

    fn decision(port: u16, udp: bool, source: Option<&str>) -> (Verdict, String, usize) {
        let rules = parse(SAVED, false).unwrap();
        let source = source.map(|text| text.parse().unwrap());
        let decision = decide(&rules, &Packet { port, udp, source, v6: false });
        (decision.verdict, decision.by, decision.perhaps.len())
    }

    #[test]
    fn the_rule_that_decides() {
        let verdict = |port, source| decision(port, false, source).0;
        assert_eq!(verdict(25, None), Verdict::Reject);
        assert_eq!(verdict(8080, Some("198.51.100.1")), Verdict::Accept);
        assert_eq!(verdict(22, Some("10.1.2.3")), Verdict::Accept);
        assert_eq!(verdict(22, Some("11.1.2.3")), Verdict::Drop);
        assert_eq!(verdict(9, Some("127.0.0.1")), Verdict::Accept);
        assert_eq!(verdict(9, Some("10.1.2.3")), Verdict::Drop);
        assert!(decision(443, false, None).1.contains("web, all"));
        assert_eq!(decision(9, false, None).1, "the policy of iptables filter INPUT");
    }

    #[test]
    fn what_is_not_known_is_named_and_not_guessed() {
        assert_eq!((decision(22, false, None).0, decision(22, false, None).2), (Verdict::Drop, 1));
        assert_eq!(decision(53, true, Some("198.51.100.1")).0, Verdict::Drop);
        let limited = decision(53, true, Some("192.0.2.7"));
        assert_eq!((limited.0, limited.2), (Verdict::Drop, 1));
    }

    #[test]
    fn the_other_family_has_rules_of_its_own() {
        let rules = parse(SAVED, false).unwrap();
        let packet = Packet { port: 25, udp: false, source: None, v6: true };
        assert_eq!(decide(&rules, &packet).verdict, Verdict::Accept);
    }

    #[test]
    fn masks() {
        assert_eq!(net("10.0.0.0/255.0.0.0", false), Some(("10.0.0.0".parse().unwrap(), 8)));
        assert_eq!(net("10.0.0.0/255.0.255.0", false), None);
        assert_eq!(net("10.0.0.0/33", false), None);
    }

    proptest! {
        #[test]
        fn any_text(text in "(-A |:|\\*|-[jgmpsi] |--dport |! |INPUT|[a-z0-9:/.\" \n]){0,40}") {
            if let Some(rules) = parse(&format!("*filter\n:INPUT DROP [0:0]\n{text}"), false) {
                let _ = decide(&rules, &Packet { port: 80, udp: false, source: None, v6: false });
            }
        }

        /// Chains that jump to each other end.
        #[test]
        fn any_jumps(jumps in proptest::collection::vec((0_u8..4, 0_u8..4), 0..40)) {
            let mut text = "*filter\n:INPUT DROP [0:0]\n:c0 - [0:0]\n:c1 - [0:0]\n:c2 - [0:0]\n:c3 - [0:0]\n-A INPUT -j c0\n".to_owned();
            for (from, to) in jumps {
                text.push_str(&format!("-A c{from} -j c{to}\n"));
            }
            let rules = parse(&text, false).unwrap();
            let packet = Packet { port: 80, udp: false, source: None, v6: false };
            prop_assert_eq!(decide(&rules, &packet).verdict, Verdict::Drop);
        }
    }
}
