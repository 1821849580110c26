//! Rules as `nft -j list ruleset` writes them: JSON, one object for each table, chain, set and rule.
//!
//! ```text
//! {"nftables": [{"chain": {"family": "inet", "table": "t", "name": "i", "hook": "input", "prio": 0, "policy": "drop"}},
//!   {"rule": {"family": "inet", "table": "t", "chain": "i", "expr": [{"match": {"op": "==",
//!     "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}, {"accept": null}]}}]}
//! ```
//!
//! <https://manpages.debian.org/bookworm/libnftables1/libnftables-json.5.en.html>

use std::net::IpAddr;

use serde_json::Value;

use super::walk::{Action, Chain, Condition, Rule, Rules, Verdict};
use crate::probe::escape::escaped;

/// Reads all chains that packets to this machine may pass; `None` if it is no such document. Rules that iptables wrote
/// hold its own words, which are not here: such a rule may do anything, and all chains of its table are marked.
pub(super) fn parse(text: &str) -> Option<Rules> {
    let read: Value = serde_json::from_str(text).ok()?;
    let objects = read.get("nftables")?.as_array()?;
    let of = |kind: &'static str| objects.iter().filter_map(move |object| object.get(kind));
    let mut rules = Rules(of("chain").filter_map(chain).collect());
    let sets: Vec<&Value> = of("set").chain(of("map")).collect();
    for rule in of("rule") {
        let table = table(rule);
        let name = rule.get("chain").and_then(Value::as_str).unwrap_or_default();
        let Some(chain) = rules.0.iter_mut().find(|c| c.table == table && c.name == name) else {
            continue;
        };
        chain.rules.extend(rules_of(rule, &sets));
    }
    let foreign: Vec<String> = of("rule").filter(|rule| is_of_iptables(rule)).map(table).collect();
    for chain in &mut rules.0 {
        chain.foreign = foreign.contains(&chain.table);
    }
    Some(rules)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn table(value: &Value) -> String {
    format!("{} {}", text(value, "family"), text(value, "table"))
}

fn expressions(rule: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = rule.get("expr").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_object).flatten().map(|(name, value)| (name.as_str(), value))
}

fn is_of_iptables(rule: &Value) -> bool {
    matches!(text(rule, "family"), "ip" | "ip6") && expressions(rule).any(|(name, _)| name == "xt")
}

fn chain(value: &Value) -> Option<Chain> {
    let v6 = match text(value, "family") {
        "inet" => None,
        "ip" => Some(false),
        "ip6" => Some(true),
        _ => return None,
    };
    let input =
        text(value, "type") == "filter" && matches!(text(value, "hook"), "input" | "prerouting");
    let priority = value.get("prio").and_then(Value::as_i64).unwrap_or_default();
    // What stands before the routing decision is passed first, whatever its number.
    let first = if text(value, "hook") == "prerouting" { -1_000_000 } else { 0 };
    Some(Chain {
        table: table(value),
        name: text(value, "name").to_owned(),
        v6,
        priority: input.then(|| priority.saturating_add(first)),
        policy: verdict(text(value, "policy")),
        foreign: false,
        rules: Vec::new(),
    })
}

fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "accept" => Some(Verdict::Accept),
        "drop" => Some(Verdict::Drop),
        "reject" => Some(Verdict::Reject),
        _ => None,
    }
}

/// One rule, or as many as a map of verdicts has entries.
fn rules_of(rule: &Value, sets: &[&Value]) -> Vec<Rule> {
    let words = escaped(words_of(rule).as_bytes(), 200);
    let shown = format!("{} {}: {words}", table(rule), text(rule, "chain"));
    let mut conditions = Vec::new();
    let mut found = Vec::new();
    for (name, value) in expressions(rule) {
        let mut made = |conditions: Vec<Condition>, action| {
            found.push(Rule { text: shown.clone(), conditions, action });
        };
        match name {
            "match" => conditions.extend(conditions_of(value, sets)),
            "vmap" => {
                for (key, action) in entries(value, sets) {
                    let own = of_field(value.get("key"), &[key]);
                    made([&conditions[..], &own].concat(), action);
                }
            }
            "counter" | "log" | "mangle" | "ct helper" | "notrack" => {}
            // A match, or a target, which may be anything; older versions do not say which.
            "xt" => {
                if text(value, "type") != "match" {
                    made(vec![Condition::Unknown], Action::End(Verdict::Drop));
                }
                conditions.push(Condition::Unknown);
            }
            name => match action(name, value) {
                Some(action) => made(conditions.clone(), action),
                // A limit, a quota, a set that is filled on the way.
                None => conditions.push(Condition::Unknown),
            },
        }
    }
    found
}

fn action(name: &str, value: &Value) -> Option<Action> {
    match name {
        "jump" => Some(Action::Jump(text(value, "target").to_owned())),
        "goto" => Some(Action::Goto(text(value, "target").to_owned())),
        "return" => Some(Action::Return),
        "continue" => Some(Action::Nothing),
        other => verdict(other).map(Action::End),
    }
}

/// The keys and actions of a map of verdicts, written in the rule or named.
fn entries(value: &Value, sets: &[&Value]) -> Vec<(Value, Action)> {
    let pair = |pair: &Value| {
        let (key, end) = (pair.get(0)?.clone(), pair.get(1)?.as_object()?);
        end.iter().find_map(|(name, value)| Some((key.clone(), action(name, value)?)))
    };
    values(value.get("data"), sets).iter().filter_map(pair).collect()
}

fn conditions_of(value: &Value, sets: &[&Value]) -> Vec<Condition> {
    let mut all = of_field(value.get("left"), &values(value.get("right"), sets));
    // What a field implies holds whatever the field is compared with.
    if let Some(last) = all.pop() {
        all.push(match text(value, "op") {
            "==" | "in" => last,
            "!=" => Condition::Not(Box::new(last)),
            _ => Condition::Unknown,
        });
    }
    all
}

/// The values of a right side: one, a list, a set in place or by name.
fn values(value: Option<&Value>, sets: &[&Value]) -> Vec<Value> {
    let Some(value) = value else { return Vec::new() };
    if let Some(name) = value.as_str().and_then(|text| text.strip_prefix('@')) {
        let set = sets.iter().find(|set| text(set, "name") == name);
        let elements = set.and_then(|set| set.get("elem")).and_then(Value::as_array);
        return elements.cloned().unwrap_or_default();
    }
    match value.get("set").unwrap_or(value) {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    }
}

/// What a field must be, behind what a packet must be to have that field.
fn of_field(field: Option<&Value>, right: &[Value]) -> Vec<Condition> {
    let name = field.map(field_name).unwrap_or_default();
    // An element with a comment or a time of its own is wrapped.
    let bare =
        |value: &Value| value.get("elem").and_then(|elem| elem.get("val")).unwrap_or(value).clone();
    let right: Vec<Value> = right.iter().map(bare).collect();
    let words = || right.iter().map(word).collect::<Option<Vec<_>>>();
    let protocol = |name: &str| Condition::Protocol(vec![name.to_owned()]);
    let (implied, wanted) = match name.as_str() {
        "tcp dport" => (Some(protocol("tcp")), ports(&right)),
        "udp dport" => (Some(protocol("udp")), ports(&right)),
        "th dport" => (None, ports(&right)),
        "ip saddr" => (Some(Condition::Version6(false)), nets(&right)),
        "ip6 saddr" => (Some(Condition::Version6(true)), nets(&right)),
        "ip protocol" => (Some(Condition::Version6(false)), words().map(Condition::Protocol)),
        "ip6 nexthdr" => (Some(Condition::Version6(true)), words().map(Condition::Protocol)),
        "meta l4proto" => (None, words().map(Condition::Protocol)),
        "ct state" => (None, words().map(Condition::State)),
        "meta iifname" | "meta iif" => (None, words().and_then(|words| interface(&words))),
        "meta nfproto" => (None, words().map(|words| Condition::Version6(words == ["ipv6"]))),
        _ => (None, None),
    };
    implied.into_iter().chain([wanted.unwrap_or(Condition::Unknown)]).collect()
}

/// `{"payload": {"protocol": "tcp", "field": "dport"}}` is `tcp dport`; `{"ct": {"key": "state"}}` is `ct state`.
fn field_name(field: &Value) -> String {
    for kind in ["meta", "ct"] {
        if let Some(inner) = field.get(kind) {
            return format!("{kind} {}", text(inner, "key"));
        }
    }
    let payload = field.get("payload");
    payload.map_or(String::new(), |one| format!("{} {}", text(one, "protocol"), text(one, "field")))
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// One name; `eth*` stands for all that begin so, which nothing is known of.
fn interface(names: &[String]) -> Option<Condition> {
    match names {
        [one] if !one.ends_with('*') => Some(Condition::Interface(one.clone())),
        _ => None,
    }
}

fn ports(right: &[Value]) -> Option<Condition> {
    let number = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
    let range = |value: &Value| match value.get("range") {
        Some(range) => Some((number(range.get(0)?)?, number(range.get(1)?)?)),
        None => number(value).map(|port| (port, port)),
    };
    right.iter().map(range).collect::<Option<_>>().map(Condition::Port)
}

fn nets(right: &[Value]) -> Option<Condition> {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let net = |value: &Value| match value.get("prefix") {
        Some(prefix) => {
            let bits = prefix.get("len").and_then(Value::as_u64)?;
            Some((address(text(prefix, "addr"))?, u8::try_from(bits).ok()?))
        }
        None => {
            let one = address(value.as_str()?)?;
            Some((one, if one.is_ipv4() { 32 } else { 128 }))
        }
    };
    right.iter().map(net).collect::<Option<_>>().map(Condition::Source)
}

/// The rule in few words, for people; nft itself shows it by its handle.
fn words_of(rule: &Value) -> String {
    let mut words: Vec<String> = expressions(rule).filter_map(expression_words).collect();
    if let Some(comment) = rule.get("comment").and_then(Value::as_str) {
        words.push(format!("({comment})"));
    }
    if let Some(handle) = rule.get("handle").and_then(Value::as_u64) {
        words.push(format!("# handle {handle}"));
    }
    words.join(" ")
}

fn expression_words((name, value): (&str, &Value)) -> Option<String> {
    match name {
        "counter" => None,
        "match" => {
            let left = value.get("left").map(field_name).filter(|name| !name.is_empty());
            let op = if text(value, "op") == "!=" { " !=" } else { "" };
            let right = value.get("right").map(value_words).unwrap_or_default();
            Some(format!("{}{op} {right}", left.unwrap_or_else(|| "…".to_owned())))
        }
        "vmap" => Some(format!("{} vmap …", value.get("key").map(field_name).unwrap_or_default())),
        "jump" | "goto" => Some(format!("{name} {}", text(value, "target"))),
        "reject" => Some(format!("reject {}", text(value, "expr")).trim_end().to_owned()),
        other => Some(other.to_owned()),
    }
}

fn value_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(all) => all.iter().map(value_words).collect::<Vec<_>>().join(","),
        other => {
            let pair = |of: &Value, dash: &str| {
                format!(
                    "{}{dash}{}",
                    of.get(0).map(value_words).unwrap_or_default(),
                    of.get(1).map(value_words).unwrap_or_default()
                )
            };
            match (other.get("set"), other.get("range"), other.get("prefix")) {
                (Some(set), _, _) => format!("{{{}}}", value_words(set)),
                (_, Some(range), _) => pair(range, "-"),
                (_, _, Some(prefix)) => format!(
                    "{}/{}",
                    text(prefix, "addr"),
                    prefix.get("len").map(value_words).unwrap_or_default()
                ),
                _ => "…".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{Packet, decide};
    use super::*;
    use proptest::prelude::*;

    /// What nft 1.0.6 writes of rules such as a careful administrator's.
    const LISTED: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
      {"table": {"family": "inet", "name": "f", "handle": 1}},
      {"set": {"family": "inet", "name": "admins", "table": "f", "type": "ipv4_addr", "handle": 9,
        "flags": ["interval"], "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.7"]}},
      {"chain": {"family": "inet", "table": "f", "name": "in", "handle": 2, "type": "filter", "hook": "input",
        "prio": 0, "policy": "drop"}},
      {"chain": {"family": "inet", "table": "f", "name": "web", "handle": 3}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 4, "expr": [
        {"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["established", {"accept": null}],
          ["related", {"accept": null}], ["invalid", {"drop": null}]]}}}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 5, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 6, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
          "right": {"set": [80, 443, {"range": [8000, 8999]}]}}}, {"counter": {"packets": 0, "bytes": 0}},
        {"jump": {"target": "web"}}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 7, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@admins"}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}},
        {"accept": null}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 8, "expr": [
        {"match": {"op": "!=", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}},
        {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "in", "handle": 10, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}},
        {"limit": {"rate": 5, "per": "second"}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "f", "chain": "web", "handle": 11, "comment": "all the web", "expr": [
        {"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}},
          "right": {"prefix": {"addr": "198.51.100.0", "len": 24}}}}, {"accept": null}]}}]}"#;

    fn decision(port: u16, udp: bool, source: Option<&str>) -> super::super::walk::Decision {
        let source: Option<IpAddr> = source.map(|text| text.parse().unwrap());
        let v6 = source.is_some_and(|source| source.is_ipv6());
        decide(&parse(LISTED).unwrap(), &Packet { port, udp, source, v6 })
    }

    #[test]
    fn the_rule_that_decides() {
        let tcp = |port, source| decision(port, false, source).verdict;
        assert_eq!(tcp(80, Some("203.0.113.9")), Verdict::Accept);
        assert_eq!(tcp(8500, Some("203.0.113.9")), Verdict::Accept);
        assert_eq!(tcp(80, Some("198.51.100.9")), Verdict::Drop);
        assert_eq!(tcp(22, Some("10.9.9.9")), Verdict::Accept);
        assert_eq!(tcp(22, Some("11.9.9.9")), Verdict::Drop);
        assert_eq!(tcp(22, Some("2001:db8::1")), Verdict::Drop);
        assert_eq!(tcp(9, Some("127.0.0.1")), Verdict::Accept);
        assert_eq!(decision(99, true, Some("10.9.9.9")).verdict, Verdict::Reject);
        let web = decision(443, false, Some("203.0.113.9"));
        assert_eq!(
            web.by,
            "inet f web: ip saddr != 198.51.100.0/24 accept (all the web) # handle 11"
        );
        let admins = decision(22, false, None);
        assert_eq!((admins.verdict, admins.perhaps.len()), (Verdict::Drop, 1));
        assert!(admins.perhaps[0].contains("ip saddr @admins tcp dport 22 accept"), "{admins:?}");
        let limited = decision(53, true, Some("10.9.9.9"));
        assert_eq!((limited.verdict, limited.perhaps.len()), (Verdict::Drop, 1));
    }

    /// What iptables wrote is not known here: it may drop, and that is said.
    #[test]
    fn words_of_iptables() {
        let listed = r#"{"nftables": [
          {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0,
            "policy": "accept"}},
          {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 4, "expr": [
            {"xt": {"type": "match", "name": "multiport"}}, {"drop": null}]}}]}"#;
        let mut rules = parse(listed).unwrap();
        let packet = Packet { port: 80, udp: false, source: None, v6: false };
        let decision = decide(&rules, &packet);
        assert_eq!(
            (decision.verdict, decision.perhaps.len()),
            (Verdict::Accept, 1),
            "{decision:?}"
        );
        rules.leave_out_foreign(false);
        assert!(rules.is_empty());
    }

    #[test]
    fn nothing_forbids() {
        let none = parse(r#"{"nftables": [{"metainfo": {}}]}"#).unwrap();
        let packet = Packet { port: 80, udp: false, source: None, v6: false };
        assert_eq!(decide(&none, &packet).verdict, Verdict::Accept);
        assert!(parse("[]").is_none() && parse("").is_none());
    }

    proptest! {
        /// Whatever stands in the place of a value, the rest is read.
        #[test]
        fn any_change(at in 0_usize..2000, byte in b' '..b'~') {
            let mut bytes = LISTED.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Some(rules) = parse(&String::from_utf8(bytes).unwrap()) {
                let _ = decide(&rules, &Packet { port: 80, udp: false, source: None, v6: false });
            }
        }
    }
}
