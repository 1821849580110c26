//! Records of Nginx error logs, read whole; the traps have the numbers of the list that the project keeps.

use super::*;
use crate::format::Format;
use crate::format::testing::{self, Words};
use crate::ledger::Account;
use crate::record::Field;

fn read(text: &[u8]) -> (Vec<Words>, Account) {
    testing::read(&NginxError, text, NginxError.fields())
}

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&NginxError, text, expected);
}

fn refusal(text: &str) -> Option<Reason> {
    testing::refusal(&NginxError, text)
}

const REFUSED: &str = "2024/03/07 09:15:02 [error] 4711#4711: *90210 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.9, server: shop.example, request: \"GET /cart?a=1 HTTP/1.1\", upstream: \"http://192.0.2.20:8080/cart?a=1\", host: \"shop.example\", referrer: \"http://shop.example/\"";

#[test]
fn every_field_of_a_whole_line() {
    check(
        REFUSED,
        &[
            (Field::TIME, "1709802902000000"),
            (Field::CLASS, "error"),
            (Field::KIND, "upstream_refused"),
            (Field::LEVEL, "error"),
            (Field::PID, "4711"),
            (Field::TID, "4711"),
            (Field::CONNECTION, "90210"),
            (
                Field::MESSAGE,
                "connect() failed (111: Connection refused) while connecting to upstream",
            ),
            (Field::ERRNO, "111"),
            (Field::ACTION, "connecting to upstream"),
            (Field::CLIENT, "203.0.113.9"),
            (Field::SERVER_NAME, "shop.example"),
            (Field::REQUEST, "GET /cart?a=1 HTTP/1.1"),
            (Field::METHOD, "GET"),
            (Field::TARGET, "/cart?a=1"),
            (Field::PATH, "/cart"),
            (Field::QUERY, "a=1"),
            (Field::PROTOCOL, "HTTP/1.1"),
            (Field::UPSTREAM, "http://192.0.2.20:8080"),
            (Field::HOST, "shop.example"),
            (Field::REFERER, "http://shop.example/"),
            (Field::USER, "<absent>"),
        ],
    );
}

#[test]
fn trap_14_what_fastcgi_says_keeps_its_lines() {
    let text = "2024/03/07 09:15:02 [error] 7#7: *9 FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Uncaught x in /a.php:1\nStack trace:\n#0 {main}\n  thrown in /a.php on line 1\" while reading response header from upstream, client: ::1, server: s, request: \"GET /a.php HTTP/1.1\", upstream: \"fastcgi://unix:/run/php.sock:\", host: \"s\"\n";
    check(
        text,
        &[
            (Field::KIND, "fastcgi_stderr"),
            (Field::CLASS, "error"),
            (Field::REASON, "PHP Fatal error"),
            (Field::ACTION, "reading response header from upstream"),
            (Field::CLIENT, "::1"),
            (Field::PATH, "/a.php"),
            (Field::UPSTREAM, "fastcgi://unix:/run/php.sock"),
        ],
    );
    let two = format!("{text}{REFUSED}\n");
    assert_eq!(read(two.as_bytes()).0.len(), 2);
}

#[test]
fn trap_15_missing_and_truncated() {
    check(
        "2024/03/07 09:15:03 [error] 4711#0: *12 [lua] r.lua:7: x, context: ngx.timer",
        &[
            (Field::CLIENT, "<absent>"),
            (Field::KIND, "script"),
            (Field::TID, "0"),
            (Field::MESSAGE, "[lua] r.lua:7: x, context: ngx.timer"),
        ],
    );
    for cut in STAMP..REFUSED.len() {
        let (records, account) = read(&REFUSED.as_bytes()[..cut]);
        assert_eq!(records.len() as u64 + account.rejected().records, 1);
        let client = records.iter().flatten().find(|(field, _)| *field == Field::CLIENT);
        assert!(client.is_none_or(|(_, client)| "203.0.113.9".starts_with(client)));
    }
    assert_eq!(refusal("2024/03/07 09:15:02 [err"), Some(Reason::Truncated));
    assert_eq!(refusal("2024/03/07 09:1"), Some(Reason::Truncated));
    assert_eq!(refusal("2024/02/30 09:15:02 [error] 1#1: x"), Some(Reason::BadTime));
    assert_eq!(refusal("2024/03/07 09:15:02 [loud] 1#1: something long"), Some(Reason::Malformed));
}

#[test]
fn trap_17_level_is_not_class() {
    let at = "2024/03/07 09:15:02";
    let found =
        format!("{at} [error] 1#1: *1 open() \"/w/\"q\"\" failed (2: No such file or directory)");
    check(
        &found,
        &[
            (Field::CLASS, "warn"),
            (Field::KIND, "not_found"),
            (Field::FILE, "/w/\"q\""),
            (Field::ERRNO, "2"),
        ],
    );
    let handshake = format!(
        "{at} [crit] 1#1: *1 SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking, client: ::1, server: 0.0.0.0:443"
    );
    check(
        &handshake,
        &[
            (Field::CLASS, "warn"),
            (Field::KIND, "tls_handshake"),
            (Field::REASON, "tlsv1 alert unknown ca"),
            (Field::CODE, "48"),
            (Field::SERVER_NAME, "0.0.0.0:443"),
        ],
    );
    check(
        &format!("{at} [debug] 1#1: *1 x, client: ::1, server: s"),
        &[(Field::CLASS, "ok"), (Field::CLIENT, "<absent>")],
    );
}

/// ModSecurity opens a quote that it never closes, and the client, the request and the host behind it were lost.
#[test]
fn the_context_behind_words_of_modsecurity() {
    let line = "2024/03/07 09:15:02 [error] 7#7: *9 [client 203.0.113.9] ModSecurity: Access denied with code 403 (phase 2). Matched \"Operator `Ge' with parameter `5' against variable `TX:ANOMALY_SCORE' (Value: `5' ) [file \"/etc/crs/949.conf\"] [line \"81\"] [id \"949110\"] [msg \"Inbound Anomaly Score Exceeded\"] [uri \"/x\"] [ref \"\"], client: 203.0.113.9, server: s, request: \"GET /x?id=1 HTTP/1.1\", host: \"h\"";
    let told = [
        (Field::KIND, "firewall"),
        (Field::CLIENT, "203.0.113.9"),
        (Field::PATH, "/x"),
        (Field::HOST, "h"),
        (Field::RULE, "949110"),
        (Field::REASON, "Inbound Anomaly Score Exceeded"),
    ];
    check(line, &told);
}

/// Told as refused by the rights of a client: a folder of the server's own that it may not write to.
#[test]
fn files_of_the_servers_own() {
    let tail = "client: ::1, server: s, request: \"POST /a HTTP/1.1\"";
    let open = "open() \"/var/lib/nginx/body/01\" failed (13: Permission denied)";
    for (level, kind, class) in [("crit", "disk", "error"), ("error", "forbidden", "warn")] {
        let line = format!("2024/03/07 09:15:02 [{level}] 1#1: *1 {open}, {tail}");
        let told = [(Field::FILE, "/var/lib/nginx/body/01"), (Field::KIND, kind)];
        check(&line, &[told[0], told[1], (Field::CLASS, class)]);
    }
}

#[test]
fn more_words_of_some_kinds() {
    for (said, kind, class) in [
        (
            "[info] 1#1: *1 client SSL certificate verify error: (18:self-signed certificate) while reading client request headers",
            "tls_handshake",
            "warn",
        ),
        (
            "[error] 1#1: *1 broken header: \"GET / HTTP/1.1\" while reading PROXY protocol",
            "bad_request",
            "warn",
        ),
        (
            "[error] 1#1: *1 http2 flood detected while processing HTTP/2 connection",
            "bad_request",
            "warn",
        ),
        ("[alert] 1#1: *11 open socket #3 left in connection 5", "lifecycle", "error"),
        ("[alert] 1#1: aborting", "crash", "error"),
    ] {
        let line = format!("2024/03/07 09:15:02 {said}, client: ::1, server: s");
        check(&line, &[(Field::KIND, kind), (Field::CLASS, class)]);
    }
}

/// A limit on trial refuses and delays nothing, at the level of one that does.
#[test]
fn a_limit_on_trial_is_no_limit() {
    let at = "2024/03/07 09:15:02 [error] 1#1: *1";
    let tail = "zone \"z\", client: ::1, server: s, request: \"GET / HTTP/1.1\"";
    for said in [
        "limiting requests, dry run, excess: 1.989 by",
        "limiting connections, dry run, by",
        "delaying request, dry run, excess: 0.989, by",
    ] {
        let told = [(Field::KIND, "limit_dry_run"), (Field::CLASS, "warn"), (Field::ZONE, "z")];
        check(&format!("{at} {said} {tail}"), &told);
    }
}

#[test]
fn words_of_some_kinds() {
    let at = "2024/03/07 09:15:02 [error] 1#1: *1";
    let tail = "client: ::1, server: s, request: \"GET / HTTP/1.1\"";
    check(
        &format!("{at} limiting requests, excess: 1.918 by zone \"per\", {tail}"),
        &[(Field::KIND, "limit_req"), (Field::ZONE, "per"), (Field::CLIENT, "::1")],
    );
    check(
        &format!("{at} user \"jo, client: x\": password mismatch, {tail}"),
        &[(Field::USER, "jo, client: x"), (Field::CLIENT, "::1")],
    );
    check(
        &format!("{at} client intended to send too large body: 3000 bytes, {tail}"),
        &[(Field::BYTES_IN, "3000")],
    );
}

#[test]
fn trap_37_envelopes_and_repetitions() {
    check(
        &format!("<187>Mar  7 09:15:06 web1 nginx: {REFUSED}"),
        &[
            (Field::TIME, "1709802902000000"),
            (Field::LOGHOST, "web1"),
            (Field::PROGRAM, "nginx"),
            (Field::PATH, "/cart"),
        ],
    );
    check(
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        &[(Field::KIND, "bind"), (Field::TIME, "<absent>"), (Field::ERRNO, "98")],
    );
    check(
        "2024-03-07T09:15:02+00:00 web1 nginx[7]: nginx: [emerg] host not found in upstream \"a\"",
        &[(Field::KIND, "config"), (Field::TIME, "1709802902000000")],
    );
    let folded = format!("Mar  7 09:15:06 web1 nginx: message repeated 600 times: [ {REFUSED}]\n");
    let (records, account) = read(folded.as_bytes());
    assert_eq!(records.len(), 600);
    assert!(records.iter().all(|record| record == &records[0]));
    assert_eq!((account.read.records, account.counted.records), (1, 1));
    let line = format!("Mar  7 09:15:06 web1 nginx: {REFUSED}\n");
    let last = format!("{line}Mar  7 09:15:09 web1 last message repeated 2 times\n{line}");
    let (records, account) = read(last.as_bytes());
    assert_eq!((records.len(), account.read.records), (4, 2));
    assert_eq!(records[0], records[3]);
}

#[test]
fn lines_that_are_not_of_nginx() {
    assert_eq!(refusal("Mar  7 09:15:06 web1 sshd[7]: Accepted"), Some(Reason::OtherProgram));
    assert_eq!(refusal("Mar  7 09:15:06 web1 nginx[7]: what"), Some(Reason::Malformed));
    assert_eq!(refusal("Mar  7 09:15:06 web1 -- MARK --"), Some(Reason::Banner));
    assert_eq!(refusal("Stack trace:"), Some(Reason::Orphan));
    assert_eq!(refusal("\r\n"), Some(Reason::Blank));
    assert_eq!(refusal("\0\0"), Some(Reason::Binary));
    let (records, account) = read(format!("{REFUSED}\n\0\0{REFUSED}\r\n").as_bytes());
    assert_eq!((records.len(), account.hole_bytes), (2, 2));
    assert_eq!(records[0], records[1]);
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let text = format!(
        "{REFUSED}\n<187>Mar  7 09:15:06 web1 nginx: {REFUSED}\n2024/03/07 09:15:02 [error] 1#1: *1 user \"a\": password mismatch, client: ::1, server: s\n"
    );
    testing::check_damaged(&NginxError, text.as_bytes());
}

/// Of a container's log, with both logs in it, the access lines went as more text of the errors before them.
#[test]
fn access_lines_continue_no_error() {
    let error = "2024/03/07 09:15:02 [error] 7#7: *1 FastCGI sent in stderr: \"PHP message: oh";
    let access = r#"10.0.0.7 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;
    for (text, records) in [
        (format!("{error}\n{access}\n{error}\n"), 2),
        (format!("{error}\n10.0.0.7 - - [not a stamp]\n{access}\n"), 1),
    ] {
        let (found, account) = read(text.as_bytes());
        assert_eq!(found.len(), records, "{text}");
        assert_eq!(
            account.refused(Reason::Malformed).map(|refused| refused.amount.records),
            Some(1)
        );
    }
}

#[test]
fn trap_38_line_ends_holes_marks_and_bytes_that_are_no_text() {
    let line = "2024/03/07 09:15:02 [error] 7#7: *9 open() \"/w/x\" failed (2: No such file or directory), client: 10.0.0.7, server: s, request: \"GET /x HTTP/1.1\", host: \"h\"";
    let host = |text: &[u8]| {
        let (records, account) = read(text);
        assert_eq!(account.rejected().records, 0, "{}", text.escape_ascii());
        let host = |words: &Words| {
            words.iter().find(|(field, _)| *field == Field::HOST).map(|(_, host)| host.clone())
        };
        records.iter().filter_map(host).collect::<Vec<_>>()
    };
    assert_eq!(host(format!("{line}\r\n{line}\r\n").as_bytes()), ["h", "h"]);
    assert_eq!(host(format!("\u{feff}{line}\n").as_bytes()), ["h"]);
    assert_eq!(host(format!("\0\0\0\0{line}\n").as_bytes()), ["h"]);
    assert_eq!(host(line.as_bytes()), ["h"], "without a line end");
    // The request of a TLS client on the plain port is logged as it came.
    let raw = line.replace("GET /x", "\u{16}\0\u{1}");
    assert_eq!(host(raw.as_bytes()), ["h"]);
    let raw = [line.as_bytes().strip_suffix(b"h\"").unwrap(), b"caf\xe9\"\n"].concat();
    assert_eq!(host(&raw).len(), 1);
    let long = line.replace("/w/x", &"x".repeat(2 << 20));
    assert_eq!(host(long.as_bytes()), ["h"]);
}
