//! Lines of every kind, the traps, and the laws.

use proptest::prelude::*;

use super::*;
use crate::format::Format;
use crate::format::detect::detect;
use crate::format::testing;
use crate::record::Field;

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&Bind, text, expected);
}

/// Checks a message, given without its prefixes.
fn says(prefix: &str, text: &str, expected: &[(Field, &str)]) {
    check(&format!("07-Mar-2024 09:15:02.418 {prefix}: {text}"), expected);
}

/// Checks kind and class of a message.
fn is(prefix: &str, text: &str, kind: &str, class: &str) {
    says(prefix, text, &[(Field::KIND, kind), (Field::CLASS, class), (Field::MESSAGE, text)]);
}

fn refusal(text: &str) -> Option<Reason> {
    testing::refusal(&Bind, text)
}

const CLIENT: &str = "client @0x7f0147b14098 192.0.2.7#51004";

#[test]
fn a_query() {
    says(
        "queries: info",
        &format!(
            "{CLIENT} (WwW.Example.ORG): view inside: query: WwW.Example.ORG IN AAAA +E(0)TDCK (192.0.2.53#853) [ECS 203.0.113.0/24/0]"
        ),
        &[
            (Field::TIME, "1709802902418000"),
            (Field::CATEGORY, "queries"),
            (Field::LEVEL, "info"),
            (Field::CLIENT, "192.0.2.7"),
            (Field::CLIENT_PORT, "51004"),
            (Field::VIEW, "inside"),
            (Field::QNAME, "WwW.Example.ORG"),
            (Field::NAME, "www.example.org"),
            (Field::DOMAIN, "example.org"),
            (Field::QCLASS, "IN"),
            (Field::QTYPE, "AAAA"),
            (Field::FLAGS, "+E(0)TDCK"),
            (Field::LOCAL_ADDRESS, "192.0.2.53"),
            (Field::PORT, "853"),
            (Field::ECS, "203.0.113.0/24/0"),
            (Field::RCODE, "<absent>"),
            (Field::MESSAGE, "<absent>"),
            (Field::KIND, "query"),
            (Field::CLASS, "ok"),
        ],
    );
}

#[test]
fn answers_by_their_codes() {
    for (rcode, kind, class) in [
        ("NOERROR", "response", "ok"),
        ("NXDOMAIN", "response_nxdomain", "ok"),
        ("SERVFAIL", "response_servfail", "error"),
        ("REFUSED", "response_refused", "warn"),
        ("FORMERR", "response_failed", "warn"),
        ("17", "response_failed", "warn"),
    ] {
        says(
            "responses: info",
            &format!("{CLIENT} (a.b): response: a.b IN A {rcode} 1 0 2 +E(0) (192.0.2.53)"),
            &[
                (Field::RCODE, rcode),
                (Field::KIND, kind),
                (Field::CLASS, class),
                (Field::ANSWERS, "1"),
                (Field::AUTHORITIES, "0"),
                (Field::ADDITIONALS, "2"),
                (Field::FLAGS, "+E(0)"),
            ],
        );
    }
}

#[test]
fn trap_27_flags_of_all_versions_are_kept_as_they_are() {
    for flags in ["+", "-", "+E", "+SE", "+E(0)STDCV", "+SE(0)TDCV", "-E(1)K"] {
        check(
            &format!("client 192.0.2.7#1: query: a.b IN A {flags}"),
            &[(Field::FLAGS, flags), (Field::LOCAL_ADDRESS, "<absent>")],
        );
    }
}

#[test]
fn trap_28_the_order_of_type_and_class() {
    let question = [(Field::QNAME, "a/b.c"), (Field::QTYPE, "TYPE65"), (Field::QCLASS, "IN")];
    let on = |text: &str| says("security: info", &format!("{CLIENT} (a/b.c): {text}"), &question);
    on("query failed (SERVFAIL) for a/b.c/IN/TYPE65 at ../../lib/ns/query.c:7413");
    on("query (cache) 'a/b.c/TYPE65/IN' denied");
    let text = "query failed (SERVFAIL) at query.c:1";
    let expected = [(Field::KIND, "servfail"), (Field::QNAME, "x.y"), (Field::QTYPE, "<absent>")];
    says("query-errors: info", &format!("{CLIENT} (x.y): {text}"), &expected);
}

#[test]
fn trap_29_names_with_escapes() {
    for (name, domain) in [
        ("a\\.b\\032c.shop.example", "shop.example"),
        ("x\\):\\032query:\\032fake.shop.example", "shop.example"),
        (".", "."),
        ("\\000\\255.example", "\\000\\255.example"),
    ] {
        check(
            &format!("{CLIENT} ({name}): query: {name} IN TYPE65280 + (192.0.2.53)"),
            &[(Field::QNAME, name), (Field::DOMAIN, domain), (Field::QTYPE, "TYPE65280")],
        );
    }
}

#[test]
fn trap_30_transfers_with_and_without_the_pointer() {
    for pointer in ["", "0x7f0147b99000: "] {
        says(
            "xfer-in: info",
            &format!(
                "{pointer}transfer of 'shop.example/IN/inside' from 2001:db8::1#53: Transfer completed: 3 messages, 14 records, 2098 bytes, 0.004 secs (524500 bytes/sec) (serial 7)"
            ),
            &[
                (Field::ZONE, "shop.example"),
                (Field::VIEW, "inside"),
                (Field::UPSTREAM, "2001:db8::1"),
                (Field::ACTION, "completed"),
                (Field::BYTES, "2098"),
                (Field::DURATION, "4000"),
                (Field::ANSWERS, "14"),
                (Field::KIND, "xfer_in"),
            ],
        );
        says(
            "xfer-in: error",
            &format!(
                "{pointer}transfer of 'shop.example/IN' from 192.0.2.1#53: failed while receiving responses: REFUSED"
            ),
            &[(Field::KIND, "xfer_fail"), (Field::CLASS, "error"), (Field::REASON, "REFUSED")],
        );
    }
}

/// Field map 5.8: the name of the context may be written in another way than the one that was asked.
#[test]
fn trap_the_name_in_parentheses_is_not_the_one_that_was_asked() {
    check(
        &format!("{CLIENT} (ALIAS.example): query: target.Example IN A + (192.0.2.53)"),
        &[(Field::QNAME, "target.Example"), (Field::NAME, "target.example")],
    );
}

#[test]
fn trap_37_syslog_doubled_and_repeated() {
    let text = format!("queries: info: {CLIENT} (a.b): query: a.b IN A +E(0) (192.0.2.53)");
    let line = format!("Mar  7 09:15:02 ns1 named[77]: message repeated 3 times: [ {text}]");
    let (records, account) = testing::read(&Bind, line.as_bytes(), Bind.fields());
    assert_eq!((records.len(), account.counted.records), (3, 1));
    let local = (Field::LOCAL_ADDRESS, "192.0.2.53".to_owned());
    assert!(records.iter().all(|record| record.contains(&local)));
    for line in [
        format!("<30>Mar  7 09:15:02 ns1 named[77]: {text}"),
        format!("Mar  7 09:15:02 relay named[77]: ns1 named[77]: {text}"),
        format!("2024-03-07T09:15:02+00:00 ns1 named[77]: {text}"),
        format!("<30>1 2024-03-07T09:15:02Z ns1 named 77 - - {text}"),
    ] {
        check(
            &line,
            &[
                (Field::TIME, "1709802902000000"),
                (Field::LOGHOST, "ns1"),
                (Field::PID, "77"),
                (Field::CATEGORY, "queries"),
                (Field::QNAME, "a.b"),
                (Field::LOCAL_ADDRESS, "192.0.2.53"),
            ],
        );
    }
    assert_eq!(refusal("Mar  7 09:15:02 ns1 sshd[1]: Accepted"), Some(Reason::OtherProgram));
    assert_eq!(refusal("Mar  7 09:15:02 ns1 last message repeated 3 times"), Some(Reason::Banner));
}

#[test]
fn refusals_and_limits() {
    says(
        "security: info",
        &format!(
            "{CLIENT} (a.b): query (cache) 'a.b/A/IN' denied (allow-query-cache did not match)"
        ),
        &[
            (Field::ACTION, "query (cache)"),
            (Field::REASON, "allow-query-cache did not match"),
            (Field::KIND, "denied"),
        ],
    );
    says(
        "rate-limit: info",
        "*stop limiting NXDOMAIN responses to 198.51.100.0/24 for shop.example  (3954e396)",
        &[
            (Field::ACTION, "stop limiting"),
            (Field::REASON, "NXDOMAIN"),
            (Field::RULE, "198.51.100.0/24"),
            (Field::QNAME, "shop.example"),
            (Field::QTYPE, "<absent>"),
        ],
    );
    says(
        "rate-limit: info",
        &format!(
            "{CLIENT} (a.b): rate limit slip response to 192.0.2.0/24 for a.b IN A  (57853ba2)"
        ),
        &[(Field::ACTION, "slip"), (Field::QTYPE, "A"), (Field::REASON, "<absent>")],
    );
    is("client: warning", "no more recursive clients: quota reached", "quota", "error");
    is(
        "spill: info",
        "too many simultaneous fetches for a.b (allowed 6 spilled 1)",
        "quota",
        "error",
    );
    is(
        "security: error",
        "request has invalid signature: TSIG k: tsig verify failure (BADSIG)",
        "denied",
        "warn",
    );
}

#[test]
fn other_servers() {
    let expected = [(Field::QNAME, "a.b"), (Field::UPSTREAM, "192.0.2.1"), (Field::KIND, "lame")];
    let lame = |text: &str| says("lame-servers: info", text, &expected);
    lame("lame server resolving 'a.b' (in 'b'?): 192.0.2.1#53");
    lame("REFUSED unexpected RCODE resolving 'a.b/A/IN': 192.0.2.1#53");
    lame("unexpected RCODE (SERVFAIL) resolving 'a.b/A/IN': 192.0.2.1#53");
    lame("error (connection refused) resolving 'a.b/A/IN': 192.0.2.1#53");
    for client in ["203.0.113.9#47258", "client 203.0.113.9#47258"] {
        says(
            "resolver: info",
            &format!(
                "DNS format error from 192.0.2.1#53 resolving a.b/A for {client}: non-improving referral"
            ),
            &[
                (Field::CLIENT, "203.0.113.9"),
                (Field::UPSTREAM, "192.0.2.1"),
                (Field::REASON, "non-improving referral"),
                (Field::KIND, "resolver"),
            ],
        );
    }
    is(
        "edns-disabled: info",
        "success resolving 'a.b/A' (in 'b'?) after disabling EDNS",
        "resolver",
        "warn",
    );
    is("dnssec: info", "validating a.b/A: no valid signature found", "dnssec", "warn");
    is("dnssec: debug 3", "validating @0x7f01: a.b A: starting", "dnssec", "ok");
    is("dnssec: info", "  validating @0x7f01: a.b A: got insecure response", "dnssec", "warn");
}

#[test]
fn policies() {
    says(
        "rpz: info",
        &format!(
            "{CLIENT} (bad.b): disabled rpz CLIENT-IP CNAME rewrite bad.b/A/IN via 32.7.2.0.192.rpz-client-ip.pol (CNAME to: x.y)"
        ),
        &[
            (Field::ACTION, "disabled"),
            (Field::RULE, "32.7.2.0.192.rpz-client-ip.pol"),
            (Field::QTYPE, "A"),
            (Field::KIND, "rpz_passthru"),
            (Field::CLASS, "ok"),
        ],
    );
    is(
        "rpz-passthru: info",
        "rpz QNAME PASSTHRU rewrite a.b/A/IN via a.b.pol",
        "rpz_passthru",
        "ok",
    );
    is(
        "rpz: error",
        "rpz QNAME rewrite a.b/A/IN via a.b.pol failed: timed out",
        "rpz_failed",
        "error",
    );
    is("general: info", "rpz: pol: reload done: success", "rpz_zone", "ok");
}

#[test]
fn zones_and_transfers() {
    let zone = |told: &str, kind: &str, class: &str| {
        let text = format!("zone shop.example/IN/inside (signed): {told}");
        says(
            "general: info",
            &text,
            &[
                (Field::ZONE, "shop.example"),
                (Field::VIEW, "inside"),
                (Field::KIND, kind),
                (Field::CLASS, class),
            ],
        );
    };
    zone("loaded serial 7", "zone_loaded", "ok");
    zone("not loaded due to errors.", "zone_not_loaded", "error");
    // One failure, of which two lines tell.
    zone("loading from master file a.db failed: extra input text", "zone_load_error", "error");
    zone("expired", "zone_expired", "error");
    zone("refresh: unexpected rcode (REFUSED) from primary 192.0.2.1#53", "zone_refresh", "warn");
    zone("refused notify from non-primary: 192.0.2.1#4711", "notify_refused", "warn");
    zone("notify from 192.0.2.1#4711: zone is up to date", "notify", "ok");
    zone("NS 'ns.x' has no address records (A or AAAA)", "zone_data", "ok");
    zone("something new", "zone", "ok");
    says(
        "general: info",
        "zone a.b/IN: refresh: failure trying primary 192.0.2.58#53 (source 0.0.0.0#0): timed out",
        &[(Field::UPSTREAM, "192.0.2.58"), (Field::ZONE, "a.b")],
    );
    is("general: info", "managed-keys-zone: loaded serial 0", "zone_loaded", "ok");
    is("notify: info", "received notify for zone 'a.b': TSIG 'k'", "notify", "ok");
    is(
        "notify: notice",
        "received notify for zone 'a.b': not authoritative",
        "notify_refused",
        "warn",
    );
    is(
        "xfer-out: info",
        "bad zone transfer request: 'a.b/IN': non-authoritative zone (NOTAUTH)",
        "xfer_refused",
        "warn",
    );
    says(
        "xfer-out: info",
        &format!(
            "{CLIENT} (a.b): transfer of 'a.b/IN': AXFR-style IXFR ended: 1 messages, 14 records, 2137 bytes, 0.001 secs (2137000 bytes/sec) (serial 7)"
        ),
        &[
            (Field::KIND, "xfer_out"),
            (Field::QTYPE, "IXFR"),
            (Field::ACTION, "ended"),
            (Field::BYTES, "2137"),
        ],
    );
    says(
        "xfer-out: info",
        &format!(
            "{CLIENT} (a.b): transfer of 'a.b/IN': IXFR delta size (555 bytes) exceeds the maximum ratio to database size (368 bytes), falling back to AXFR"
        ),
        &[(Field::QTYPE, "IXFR"), (Field::ACTION, "falling back to AXFR")],
    );
    says(
        "general: info",
        "catz: adding zone 'a.b' from catalog 'cat.example' - success",
        &[
            (Field::KIND, "catalog_zone"),
            (Field::ZONE, "a.b"),
            (Field::ACTION, "adding zone"),
            (Field::REASON, "success"),
        ],
    );
    says(
        "general: info",
        "catz: cat.example: reload start",
        &[(Field::ZONE, "cat.example"), (Field::ACTION, "reload start")],
    );
    says(
        "xfer-in: info",
        "zone a.b/IN: zone transfer deferred due to quota",
        &[(Field::KIND, "xfer_in"), (Field::ACTION, "deferred")],
    );
    says(
        "general: info",
        "zone a.b/IN: refused notify from non-primary: 192.0.2.1#4711",
        &[(Field::CLIENT, "192.0.2.1"), (Field::REASON, "non-primary")],
    );
    is("general: info", "freezing zone 'a.b/IN' outside: success", "control", "ok");
    for text in [
        "query logging is now off",
        "flush tree 'a.b' in cache view '_default': success",
        "dumpdb started: -all",
        "added NTA 'a.b' (5 sec) in view '_default'",
        "zone a.b scheduled for removal via delzone",
    ] {
        says("general: info", text, &[(Field::KIND, "control"), (Field::ACTION, text)]);
    }
    is(
        "rate-limit: info",
        "would limit responses to 192.0.2.0/24 for www.a.b IN A  (f4f34af3)",
        "rrl_log_only",
        "ok",
    );
    is(
        "update: info",
        "updating zone 'a.b/IN': adding an RR at 'x.a.b' A 192.0.2.9",
        "update",
        "ok",
    );
    is(
        "update: error",
        "updating zone 'a.b/IN': update failed: x (NOTZONE)",
        "update_failed",
        "warn",
    );
}

#[test]
fn the_server_itself() {
    is("general: notice", "running", "lifecycle", "ok");
    is("general: error", "reloading configuration failed: failure", "config_failed", "error");
    is("general: critical", "query.c:4321: INSIST(x != 0) failed, back trace", "crash", "error");
    is("general: critical", "exiting (due to assertion failure)", "crash", "error");
    is(
        "network: error",
        "could not listen on UDP socket: address in use",
        "network_failed",
        "error",
    );
    is("network: info", "listening on IPv4 interface eth0, 192.0.2.53#53", "network", "ok");
    is(
        "general: error",
        "db.shop:7: www.shop.example: CNAME and other data",
        "zone_syntax",
        "error",
    );
    says(
        "client: info",
        "client @0x7f01 (no-peer): error sending response: not connected",
        &[(Field::KIND, "send_failed"), (Field::CLASS, "warn"), (Field::REASON, "not connected")],
    );
    says(
        "general: info",
        "received control channel command 'reload a.b'",
        &[(Field::ACTION, "reload a.b"), (Field::KIND, "control")],
    );
    is("config: warning", "something about an option", "config", "warn");
    is("general: info", "something new", "other", "ok");
}

#[test]
fn a_dump_belongs_to_its_message() {
    let text = "07-Mar-2024 09:15:06.000 resolver: debug 11: received packet from 192.0.2.53#53\n;; ->>HEADER<<- opcode: QUERY\n;www.example.\t\t\tIN\tA\n\nwww.example.\t\t300\tIN\tA\t192.0.2.1\n07-Mar-2024 09:15:06.001 general: info: running\n";
    let (records, account) = testing::read(&Bind, text.as_bytes(), Bind.fields());
    assert_eq!((records.len(), account.read.records), (2, 2));
    assert_eq!(refusal(";; the end of a dump"), Some(Reason::Orphan));
    let query = format!("{CLIENT} (a.b): query: a.b IN A + (192.0.2.53)\n;; x\n");
    check(&query, &[(Field::LOCAL_ADDRESS, "192.0.2.53")]);
}

#[test]
fn what_is_no_record() {
    let query = format!("{CLIENT} (a.b): query: a.b IN A");
    for (text, reason) in [
        (query.clone(), Reason::Truncated),
        (format!("{query} +E(0) (192.0.2."), Reason::Truncated),
        (format!("{query} +E(0) (192.0.2.53) [ECS 1.2"), Reason::Truncated),
        (format!("{query} +E(0) (192.0.2.53) and more"), Reason::Malformed),
        ("30-Feb-2024 09:15:02.418 general: info: running".to_owned(), Reason::BadTime),
        ("dear diary".to_owned(), Reason::Malformed),
        ("\0\0".to_owned(), Reason::Binary),
    ] {
        assert_eq!(refusal(&text), Some(reason), "{text}");
    }
}

/// Tomcat writes the same stamps.
#[test]
fn other_logs_with_such_stamps_are_not_taken() {
    let clock = Clock::new(chrono_tz::UTC, 0);
    let tomcat =
        "07-Mar-2024 09:15:02.418 INFO [main] org.apache.catalina.startup.Catalina.start\n";
    assert!(detect(tomcat.as_bytes(), true, &clock).is_err());
    let timed =
        format!("07-Mar-2024 09:15:02.418 {CLIENT} (a.b): query: a.b IN A + (192.0.2.53)\n");
    assert_eq!(detect(timed.as_bytes(), true, &clock).unwrap().format.name(), "bind");
}

const LINES: &str = include_str!("../../../fixtures/bind/bind.grammar.log");
const REAL: &str = include_str!("../../../fixtures/bind/authority.log");

#[test]
fn wanting_less_changes_nothing() {
    for field in FIELDS {
        testing::check_wanting_less(&Bind, REAL.as_bytes(), Fields::of(&[*field]));
    }
}

/// What messages are put together from.
const WORDS: &[&str] = &[
    "client ",
    "@0x7f ",
    "192.0.2.7#1",
    " (a.b)",
    ": ",
    "view x: ",
    "query: ",
    "response: ",
    "query failed (",
    "query 'a/A/IN' denied",
    "rate limit slip ",
    "limit ",
    "rpz QNAME ",
    "rewrite ",
    " resolving '",
    "zone a/IN: ",
    "transfer of 'a/IN' from ",
    "updating zone '",
    "received notify for zone '",
    "validating ",
    "refresh: ",
    "DNS format error from ",
];

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    testing::check_damaged(&Bind, LINES.as_bytes());
}

proptest! {
    #[test]
    fn messages_of_any_words_never_panic(parts in proptest::collection::vec(prop_oneof![
        "[a-z'/:#(). 0-9]{0,12}",
        proptest::sample::select(WORDS).prop_map(str::to_owned),
    ], 0..9)) {
        let text = format!("07-Mar-2024 09:15:02.418 general: info: {}", parts.concat());
        testing::check_wanting_less(&Bind, text.as_bytes(), Fields::of(&[Field::KIND, Field::DOMAIN]));
    }
}

/// A log without categories whose first lines are those of the start was taken for nobody's.
#[test]
fn a_stamp_of_bind_and_a_severity_are_enough() {
    let log = "07-Mar-2024 09:15:02.418 notice: all zones loaded\n07-Mar-2024 09:15:02.418 debug 1: shutting down\n";
    assert_eq!(certain(log.as_bytes()), 2);
    let others = "07-Mar-2024 09:15:02.418 INFO [main] org.apache: x\n2024-03-07T09:15:02.418 info: running\n";
    assert_eq!(certain(others.as_bytes()), 0);
}

/// A view `inner staff` was counted as `inner` where zones were told of, and apart from itself.
#[test]
fn views_with_spaces_in_what_is_told_of_zones() {
    for (text, kind) in [
        ("zone op.example/IN/inner staff: loaded serial 1", "zone_loaded"),
        ("zone op.example/IN/inner staff (signed): loaded serial 1", "zone_loaded"),
        ("zone op.example/IN/inner staff: final reference detached", "zone"),
    ] {
        let expected = [
            (Field::KIND, kind),
            (Field::ZONE, "op.example"),
            (Field::QCLASS, "IN"),
            (Field::VIEW, "inner staff"),
        ];
        says("zoneload: info", text, &expected);
    }
}

/// A crash of 9.18.49 was counted 23 times, once for each line of its trace.
#[test]
fn a_crash_is_one_whatever_the_length_of_its_trace() {
    let crash = "db.c:232: REQUIRE((db->attributes & 0x01) == 0) failed, back trace";
    is("general: critical", crash, "crash", "error");
    for frame in [
        "named(+0x246f4) [0x55c81473e6f4]",
        "/lib/x86_64-linux-gnu/libns-9.18.49-1~deb12u3-Debian.so(ns_query_done+0x78b) [0x7f0301543ecb]",
        "#0 0x559a4e6c40c3 in ??",
    ] {
        is("general: critical", frame, "crash_trace", "ok");
    }
    is("general: critical", "exiting (due to assertion failure)", "crash", "error");
}

/// Of one transfer that was refused, two failures were counted: the failure and the status behind it.
#[test]
fn a_transfer_that_failed_is_one_failure() {
    let transfer = "transfer of 'cat.example/IN' from 192.0.2.53#53: ";
    for (told, kind, class) in [
        ("failed while receiving responses: REFUSED", "xfer_fail", "error"),
        ("Transfer status: REFUSED", "xfer_in", "ok"),
    ] {
        let expected = [(Field::KIND, kind), (Field::CLASS, class), (Field::REASON, "REFUSED")];
        says("xfer-in: info", &format!("{transfer}{told}"), &expected);
    }
}

/// Serials and names stood in what rows are told apart by, so that there were as many rows as zones had changes.
#[test]
fn steps_and_actions_without_serials_and_names() {
    for (text, action) in [
        ("zone cat.example/IN: Transfer started.", "started"),
        ("zone cat.example/IN: transferred serial 2026112301: TSIG 'k'", "transferred"),
        ("zone cat.example/IN: got incremental response to AXFR request", "got"),
        (
            "updating zone 'op.example/IN': delete all rrsets from name 'www.op.example'",
            "delete all rrsets",
        ),
        ("updating zone 'op.example/IN': deleting rrset at 'n1.op.example' A", "deleting rrset"),
    ] {
        says("general: info", text, &[(Field::ACTION, action), (Field::REASON, "<absent>")]);
    }
}

#[test]
fn updates_of_zones_that_are_not_here() {
    says(
        "update: info",
        &format!(
            "{CLIENT}/key k: view outer: update failed: nozone.example: not authoritative for update zone (NOTAUTH)"
        ),
        &[
            (Field::KIND, "update_failed"),
            (Field::ZONE, "nozone.example"),
            (Field::REASON, "not authoritative for update zone (NOTAUTH)"),
        ],
    );
}

#[test]
fn names_that_were_answered_from_what_had_expired() {
    for reason in [
        "stale answer used, an attempt to refresh the RRset will still be made",
        "resolver failure, stale answer unavailable",
    ] {
        says(
            "serve-stale: info",
            &format!("www.op.example {reason}"),
            &[
                (Field::KIND, "serve_stale"),
                (Field::NAME, "www.op.example"),
                (Field::REASON, reason),
                (Field::CLASS, "warn"),
            ],
        );
    }
}

/// Checks kind and class of a message that came by syslog, which writes no severity.
fn by_syslog(text: &str, kind: &str, class: &str) {
    check(
        &format!("Mar  7 09:15:02 ns1 named[77]: {text}"),
        &[(Field::KIND, kind), (Field::CLASS, class)],
    );
}

#[test]
fn failures_are_failures_where_no_severity_says_so() {
    let zone = |told: &str| format!("zone example.org/IN: {told}");
    by_syslog(&zone("journal rollforward failed: journal out of sync"), "zone_journal", "error");
    by_syslog(&zone("dumping to 'x.db' failed: permission denied"), "zone", "error");
    by_syslog("dumping master file: tmp-a1: open: permission denied", "zone", "error");
    by_syslog("binding TCP socket: address in use", "network_failed", "error");
    by_syslog("/etc/bind/x.db: open: permission denied", "other", "error");
    by_syslog("reloading zones succeeded", "lifecycle", "ok");
    by_syslog(&zone("reconfiguring zone keys"), "zone_keys", "ok");
    is("general: info", "dumping master file: x failed", "zone", "ok");
}

#[test]
fn what_became_of_notifies_of_ours() {
    let told = "zone example.org/IN: notify to 192.0.2.7#53: retries exceeded";
    by_syslog(told, "notify_failed", "warn");
    check(
        &format!("Mar  7 09:15:02 ns1 named[77]: {told}"),
        &[(Field::UPSTREAM, "192.0.2.7"), (Field::REASON, "retries exceeded")],
    );
    by_syslog(
        "zone example.org/IN: notify response from 192.0.2.7#53: REFUSED",
        "notify_failed",
        "warn",
    );
    by_syslog(
        "client 192.0.2.7#4242: notify question section contains no SOA",
        "notify_refused",
        "warn",
    );
}

#[test]
fn errors_of_configurations_are_none_of_zones() {
    by_syslog("/etc/bind/named.conf.options:20: missing ';' before '}'", "config_failed", "error");
    by_syslog("/etc/named.conf:12: option 'dnssec-enable' no longer exists", "config", "ok");
    is("config: warning", "/etc/named.conf:9: option 'x' is deprecated", "config", "warn");
    by_syslog("/var/named/x.zone:12: unknown RR type 'FOO'", "zone_syntax", "error");
    is("general: warning", "x.db:9: file does not end with newline", "zone_syntax", "warn");
}

#[test]
fn messages_of_old_versions_and_of_every_start() {
    by_syslog("client 192.0.2.7#4242: query (cache) denied", "denied", "warn");
    let private =
        "client 192.0.2.7#4242: RFC 1918 response from Internet for 1.0.0.10.in-addr.arpa";
    by_syslog(private, "resolver", "warn");
    by_syslog("received SIGHUP signal to reload zones", "control", "ok");
    by_syslog("Inc. (ISC), a non-profit 501(c)(3) public-benefit", "lifecycle", "ok");
}

/// rsyslog's template for RFC 5424 puts a space in front of the one that a message of named begins with.
#[test]
fn a_message_behind_two_spaces_is_read_as_behind_one() {
    for spaces in [" ", "  "] {
        check(
            &format!(
                "<158>1 2026-12-01T04:49:59.043694+00:00 ns1 named 158 - -{spaces}queries: info: client @0x7f01 192.0.2.7#5 (www.a.b): query: www.a.b IN A +E(0)K (192.0.2.53)"
            ),
            &[
                (Field::KIND, "query"),
                (Field::CATEGORY, "queries"),
                (Field::LEVEL, "info"),
                (Field::CLIENT, "192.0.2.7"),
                (Field::QNAME, "www.a.b"),
            ],
        );
    }
}
