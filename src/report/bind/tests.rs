//! The reports about BIND over made-up records and over lines.

use super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
use super::super::{AnyReport, Options};
use super::events::Events;
use super::names::{self, Names};
use super::queries::Queries;
use crate::document::{Body, Cell, Section};
use crate::format::bind::Bind;
use crate::format::{Family, Format, testing};
use crate::record::time::SECOND;
use crate::record::{Field, Fields, Zone};

fn reports() -> Vec<Box<dyn AnyReport>> {
    vec![
        Box::new(Queries::new(Zone::new(chrono_tz::Europe::Berlin))),
        Box::new(Names::new()),
        Box::new(Events::new()),
    ]
}

/// Records as the format reads them from lines, each given without its prefixes.
fn lines(lines: &[String]) -> Vec<Made> {
    let lines = lines.iter().enumerate().map(|(at, line)| {
        format!("07-Mar-2024 09:{:02}:{:02}.418 {line}\n", at / 60 % 60, at % 60)
    });
    let text: String = lines.collect();
    testing::read(&Bind, text.as_bytes(), Bind.fields()).0
}

fn query(client: &str, name: &str, rest: &str) -> String {
    format!(
        "queries: info: client @0x7f01 {client}#53 ({name}): query: {name} IN {rest} (192.0.2.53)"
    )
}

fn told(report: impl AnyReport, records: &[Made]) -> Vec<Section> {
    let found = sections(&report, Family::Bind, &Options::default(), records);
    found.iter().for_each(check_form);
    found
}

fn fact(sections: &[Section], name: &str) -> Option<Cell> {
    sections.iter().find_map(|section| section.fact(name).cloned())
}

fn made(count: usize) -> Vec<Made> {
    let mut dice = Dice(11);
    let mut line = |_| {
        let client = format!("192.0.2.{}", dice.below(30));
        let name = format!("h{}.zone{}.example", dice.below(60), dice.below(4));
        match dice.below(12) {
            0 => format!(
                "query-errors: info: client @0x7f01 {client}#53 ({name}): query failed (timed out) for {name}/IN/A at query.c:1"
            ),
            1 => format!(
                "responses: info: client @0x7f01 {client}#53 ({name}): response: {name} IN A NXDOMAIN 0 1 1 +E(0) (192.0.2.53)"
            ),
            2 => format!(
                "lame-servers: info: timed out resolving '{name}/A/IN': 198.51.100.{}#53",
                dice.below(5)
            ),
            3 => format!(
                "security: info: client @0x7f01 {client}#53 ({name}): query (cache) '{name}/A/IN' denied"
            ),
            4 => format!("zoneload: info: zone zone{}.example/IN: loaded serial 7", dice.below(4)),
            5 => query(&client, &name, "ANY +E(0)"),
            _ => query(&client, &name, ["A +", "AAAA +E(0)DK", "A -T"][dice.below(3)]),
        }
    };
    let text: Vec<String> = (0..count).map(&mut line).collect();
    lines(&text)
}

#[test]
fn merging_changes_nothing() {
    let records = made(3_000);
    for report in reports() {
        check_merging(&*report, Family::Bind, &Options::default(), &records);
        let found = sections(&*report, Family::Bind, &Options::default(), &records);
        assert!(!found.is_empty());
        found.iter().for_each(check_form);
        sections(&*report, Family::Bind, &Options::default(), &[]);
    }
    // With more pairs than fit, too.
    check_merging(&names::bounded(200), Family::Bind, &Options::default(), &records);
}

#[test]
fn what_was_asked_and_how_it_ended() {
    let failure = "query-errors: info: client @0x7f01 192.0.2.1#53 (a.b): query failed (SERVFAIL) for a.b/IN/A at query.c:1";
    let found = told(
        Queries::new(Zone::default()),
        &lines(&[
            query("192.0.2.1", "a.b", "A +E(0)TDK"),
            query("192.0.2.1", "a.b", "A -SE(0)"),
            query("192.0.2.2", "a.b", "TYPE65 +"),
            failure.to_owned(),
            "responses: info: client @0x7f01 192.0.2.1#53 (a.b): response: a.b IN A SERVFAIL 0 0 1 + (192.0.2.53)".to_owned(),
        ]),
    );
    assert_eq!(fact(&found, "queries"), Some(Cell::Count(3)));
    assert_eq!(fact(&found, "responses"), Some(Cell::Count(1)));
    assert_eq!(fact(&found, "failed"), Some(Cell::Count(1)));
    assert_eq!(fact(&found, "queries_in_it"), Some(Cell::Count(3)));
    assert_eq!(column(&found, "query_types", "qtype"), ["A", "TYPE65"].map(Cell::text));
    let flags = ["+", "-", "T", "E", "D", "K", "S"].map(Cell::text);
    assert_eq!(column(&found, "query_flags", "flag"), flags);
    assert_eq!(column(&found, "query_flags", "count"), [2, 1, 1, 2, 1, 1, 1].map(Cell::Count));
    assert_eq!(column(&found, "response_codes", "rcode"), [Cell::text("SERVFAIL")]);
    assert!(found.iter().all(|section| section.name != "query_classes"));
}

/// Resolvers ask in mixed case, to make answers hard to forge.
#[test]
fn trap_names_are_counted_without_case() {
    let found = told(
        Names::new(),
        &lines(&[
            query("192.0.2.1", "WwW.eXample.com", "A +"),
            query("192.0.2.1", "www.Example.COM", "A +"),
            query("192.0.2.1", "ftp.example.com", "A +"),
            query("192.0.2.1", "example.co.uk", "A +"),
        ]),
    );
    let names = ["www.example.com", "example.co.uk", "ftp.example.com"].map(Cell::text);
    assert_eq!(column(&found, "names", "name"), names);
    assert_eq!(column(&found, "names", "queries"), [2, 1, 1].map(Cell::Count));
    let domains = ["example.com", "example.co.uk"].map(Cell::text);
    assert_eq!(column(&found, "domains", "domain"), domains);
    assert_eq!(column(&found, "domains", "names"), [2, 1].map(Cell::Count));
    let level = column(&found, "name_levels", "suffix");
    assert_eq!(level[..2], ["com", "uk"].map(Cell::text));
}

/// Refusals stand in two categories, failures in two as well: each counts once.
#[test]
fn a_failure_that_two_categories_tell_of_counts_once() {
    let client = "client @0x7f01 192.0.2.1#53 (a.b)";
    let found = told(
        Names::new(),
        &lines(&[
            query("192.0.2.1", "a.b", "A +"),
            format!("security: info: {client}: query 'a.b/A/IN' denied"),
            format!(
                "query-errors: info: {client}: query failed (REFUSED) for a.b/IN/A at query.c:1"
            ),
        ]),
    );
    assert_eq!(column(&found, "names_refused", "refused"), [Cell::Count(1)]);
    assert_eq!(column(&found, "clients_refused", "rate"), [Cell::Share(1.0)]);
    assert!(found.iter().all(|section| section.name != "names_servfail"));
}

fn suspicions(records: &[Made]) -> Vec<(Cell, Cell)> {
    let found = told(Names::new(), records);
    let Some(section) = found.iter().find(|section| section.name == "suspicions") else {
        return Vec::new();
    };
    let Body::Table(table) = &section.body else { panic!("it is no table") };
    table.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[test]
fn random_labels_under_one_domain() {
    let victim =
        |at: usize| query(&format!("192.0.2.{}", at % 40), &format!("x{at}q.victim.com"), "A +");
    let usual = |at: usize| {
        query(&format!("192.0.2.{}", at % 40), &format!("h{}.usual.com", at % 9), "A +")
    };
    let text: Vec<String> = (0..400).flat_map(|at| [victim(at), usual(at)]).collect();
    assert_eq!(
        suspicions(&lines(&text)),
        [(Cell::text("random_labels"), Cell::text("victim.com"))]
    );
    let quiet: Vec<String> = (0..400).map(usual).collect();
    assert_eq!(suspicions(&lines(&quiet)), []);
}

/// Clients ask for both kinds of addresses, and again when the answer is a failure: no name is asked for once.
#[test]
fn random_labels_that_are_asked_for_a_few_times() {
    let victim = |at: usize| {
        let kind = ["A +", "AAAA +"][at % 2];
        query(&format!("192.0.2.{}", at % 40), &format!("x{}q.victim.com", at / 4), kind)
    };
    let text: Vec<String> = (0..800).map(victim).collect();
    assert_eq!(
        suspicions(&lines(&text)),
        [(Cell::text("random_labels"), Cell::text("victim.com"))]
    );
    // A domain of many hosts of which a few get the most queries is none.
    let usual = |at: usize| {
        let host = if at.is_multiple_of(2) { at % 9 } else { at };
        query(&format!("192.0.2.{}", at % 40), &format!("h{}.usual.com", host / 3), "A +")
    };
    let text: Vec<String> = (0..800).map(usual).collect();
    assert_eq!(suspicions(&lines(&text)), []);
}

/// In an office of eight each client asks for more than a tenth of all names, and nothing is wrong with that.
#[test]
fn clients_of_a_small_office_are_no_scanners() {
    let usual = |at: usize| {
        let name = format!("h{}.d{}.com", at * 7 % 13, at * 31 % 97);
        query(&format!("192.0.2.{}", at % 8), &name, "A +")
    };
    let text: Vec<String> = (0..3000).map(usual).collect();
    let records = lines(&text);
    let Cell::Count(names) = column(&told(Names::new(), &records), "client_spread", "names")[0]
    else {
        panic!("no count")
    };
    assert!(names > 100, "{names}");
    assert_eq!(suspicions(&records), []);
}

/// Two channels of a category write each query into two files; whoever reads the folder counts each twice.
#[test]
fn queries_in_two_files_are_told_of() {
    let of_file = |file: &str, from: usize| -> Vec<Made> {
        let text: Vec<String> = (0..60)
            .map(|at| query("192.0.2.7", &format!("h{}.shop.com", from + at), "A +"))
            .collect();
        let mut records = lines(&text);
        for record in &mut records {
            record.push((Field::SOURCE_FILE, file.to_owned()));
        }
        records
    };
    let warned = |parts: [&[Made]; 2]| {
        let records = parts.concat();
        check_merging(&Queries::new(Zone::default()), Family::Bind, &Options::default(), &records);
        let found = told(Queries::new(Zone::default()), &records);
        found[0].notes.iter().any(|note| note.text.contains("100 % stand in several files"))
    };
    let (one, again, other) = (of_file("a.log", 0), of_file("b.log", 0), of_file("b.log", 500));
    assert!(warned([&one, &again]));
    assert!(!warned([&one, &other]));
    assert!(!warned([&one, &one]));
}

/// A file has milliseconds, the copy that syslog keeps has seconds.
#[test]
fn queries_in_a_file_and_in_syslog_are_told_of() {
    let of_file = |file: &str, micros: i64, port: i64| -> Vec<Made> {
        let record = |at: i64| {
            [
                (Field::KIND, "query".to_owned()),
                (Field::TIME, (at / 4 * SECOND + micros * (at % 4 + 1)).to_string()),
                (Field::CLIENT, "192.0.2.7".to_owned()),
                (Field::CLIENT_PORT, (port + at).to_string()),
                (Field::NAME, "shop.com".to_owned()),
                (Field::SOURCE_FILE, file.to_owned()),
            ]
        };
        (0..60).map(|at| record(at).to_vec()).collect()
    };
    let warned = |parts: [&[Made]; 2]| {
        let records = parts.concat();
        check_merging(&Queries::new(Zone::default()), Family::Bind, &Options::default(), &records);
        let found = told(Queries::new(Zone::default()), &records);
        found[0].notes.iter().any(|note| note.text.contains("100 % stand in several files"))
    };
    let file = of_file("queries.log", 123_000, 40_000);
    assert!(warned([&file, &of_file("syslog", 0, 40_000)]));
    // Two servers that were asked for the same name in the same seconds.
    assert!(!warned([&file, &of_file("syslog", 0, 50_000)]));
    assert!(!warned([&file, &of_file("other.log", 124_000, 40_000)]));
}

/// `rate-limit { log-only yes; }` limits nobody.
#[test]
fn what_would_be_limited_is_not() {
    let text = "rate-limit: info: client @0x7f01 192.0.2.7#53 (www.shop.com): would rate limit slip response to 192.0.2.0/24 for www.shop.com IN A  (f4f34af3)".to_owned();
    let records = lines(&[query("192.0.2.7", "www.shop.com", "A +"), text]);
    let found = told(Queries::new(Zone::default()), &records);
    assert_eq!(fact(&found, "rate_limited"), None);
    assert_eq!(fact(&found, "rate_limited_log_only"), Some(Cell::Count(1)));
    let found = told(Names::new(), &records);
    assert!(found.iter().all(|section| section.name != "clients_limited"));
    let found = told(Events::new(), &records);
    assert_eq!(column(&found, "rate_limits", "action"), [Cell::text("would rate limit")]);
}

#[test]
fn amplification_and_reflection() {
    let usual = |at: usize| {
        query(&format!("192.0.2.{}", at % 40), &format!("h{}.usual.com", at % 9), "A +")
    };
    let forged = |_| query("203.0.113.9", "big.example", "ANY +E(0)");
    let text: Vec<String> = (0..300).map(usual).chain((0..120).map(forged)).collect();
    let expected = ["any_amplification", "same_question"]
        .map(|kind| (Cell::text(kind), Cell::text("203.0.113.9")));
    assert_eq!(suspicions(&lines(&text)), expected);
    // Over TCP, or with a cookie of the server, no address is forged.
    for flags in ["ANY +E(0)T", "ANY +E(0)V"] {
        let honest = |at: usize| query("203.0.113.9", &format!("h{}.usual.com", at % 50), flags);
        let text: Vec<String> = (0..300).map(usual).chain((0..120).map(honest)).collect();
        assert_eq!(suspicions(&lines(&text)), []);
    }
}

#[test]
fn one_client_with_too_many_names() {
    let usual = |at: usize| {
        query(&format!("192.0.2.{}", at % 40), &format!("h{}.usual.com", at % 9), "A +")
    };
    let scan = |at: usize| query("203.0.113.9", &format!("www.domain{at}.com"), "A +");
    let text: Vec<String> = (0..300).map(usual).chain((0..150).map(scan)).collect();
    let records = lines(&text);
    assert_eq!(suspicions(&records), [(Cell::text("many_names"), Cell::text("203.0.113.9"))]);
    let found = told(Names::new(), &records);
    assert_eq!(column(&found, "client_spread", "names")[0], Cell::Count(150));
}

#[test]
fn odd_queries_as_dnstop_filters_them() {
    let found = told(
        Names::new(),
        &lines(&[
            query("192.0.2.1", "printer.lan", "A +"),
            query("192.0.2.1", "192.0.2.7", "A +"),
            query("192.0.2.1", "7.1.168.192.in-addr.arpa", "PTR +"),
            query("192.0.2.1", "7.1.17.172.in-addr.arpa", "PTR +"),
            query("192.0.2.1", "7.1.32.172.in-addr.arpa", "PTR +"),
            query("192.0.2.1", "example.com", "ANY +"),
        ]),
    );
    let filters = ["unknown_suffix", "a_for_a", "private_reverse", "any"].map(Cell::text);
    assert_eq!(column(&found, "odd_queries", "filter"), filters);
    assert_eq!(column(&found, "odd_queries", "queries"), [2, 1, 2, 1].map(Cell::Count));
}

#[test]
fn events_by_topic() {
    let transfer =
        |told: &str| format!("xfer-in: info: transfer of 'a.b/IN' from 192.0.2.1#53: {told}");
    let found = told(
        Events::new(),
        &lines(&[
            transfer(
                "Transfer completed: 1 messages, 14 records, 2098 bytes, 0.5 secs (1 bytes/sec)",
            ),
            transfer("Transfer completed: 1 messages, 14 records, 2 bytes, 0.5 secs (1 bytes/sec)"),
            transfer("failed while receiving responses: REFUSED"),
            "general: info: zone a.b/IN/inside: expired".to_owned(),
            "lame-servers: info: timed out resolving 'x.y/A/IN': 192.0.2.9#53".to_owned(),
            "general: info: received control channel command 'reload'".to_owned(),
            "general: critical: mem.c:1: INSIST(x) failed".to_owned(),
            "resolver: debug 3: something new\n;; with a dump".to_owned(),
        ]),
    );
    assert_eq!(column(&found, "transfers_in", "count"), [Cell::Count(2)]);
    assert_eq!(column(&found, "transfers_in", "bytes"), [Cell::Bytes(2_100)]);
    assert_eq!(column(&found, "transfers_in", "duration"), [Cell::Duration(1_000_000)]);
    assert_eq!(column(&found, "transfer_failures", "reason"), [Cell::text("REFUSED")]);
    assert_eq!(column(&found, "zone_trouble", "view"), [Cell::text("inside")]);
    assert_eq!(column(&found, "lame_servers", "upstream"), [Cell::text("192.0.2.9")]);
    assert_eq!(column(&found, "control_commands", "action"), [Cell::text("reload")]);
    assert_eq!(column(&found, "server_trouble", "kind"), [Cell::text("crash")]);
}

/// What logwatch has a section for has a topic here: every kind of trouble that the format knows.
#[test]
fn the_reports_need_what_the_format_supplies() {
    for report in reports() {
        // The file is known to the engine.
        let of_the_engine = Fields::of(&[Field::SOURCE_FILE]);
        let needs = report.needs().all().without(of_the_engine);
        assert!(needs.without(Bind.fields()) == Fields::NONE, "{}", report.name());
    }
    assert!(!Bind.fields().has(Field::PATH));
}
