//! Records of Apache error logs, read whole; the traps have the numbers of the list that the project keeps.

use super::*;
use crate::format::Format;
use crate::format::testing::{self, Words};
use crate::ledger::Account;
use crate::record::Field;

const REFUSED: &str = "[Thu Mar 07 09:15:02.418123 2024] [proxy_http:error] [pid 812:tid 139872345216768] (111)Connection refused: [client 2001:db8::7:51004] AH01114: HTTP: failed to make connection to backend: 192.0.2.20, referer: http://shop.example/a,b, c";
const OLD: &str = "[Thu Mar 07 09:15:02 2024] [error] [client 203.0.113.9] File does not exist: /srv/www/favicon.ico, referer: http://shop.example/";

fn read(text: &[u8]) -> (Vec<Words>, Account) {
    testing::read(&ApacheError, text, ApacheError.fields())
}

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&ApacheError, text, expected);
}

fn refusal(text: &str) -> Option<Reason> {
    testing::refusal(&ApacheError, text)
}

#[test]
fn every_field_of_a_whole_line() {
    check(
        REFUSED,
        &[
            (Field::TIME, "1709802902418123"),
            (Field::CLASS, "error"),
            (Field::KIND, "upstream_refused"),
            (Field::LEVEL, "error"),
            (Field::MODULE, "proxy_http"),
            (Field::CODE, "AH01114"),
            (Field::PID, "812"),
            (Field::TID, "139872345216768"),
            (Field::ERRNO, "111"),
            (Field::REASON, "Connection refused"),
            (Field::CLIENT, "2001:db8::7"),
            (Field::CLIENT_PORT, "51004"),
            (Field::MESSAGE, "HTTP: failed to make connection to backend: 192.0.2.20"),
            (Field::UPSTREAM, "192.0.2.20"),
            (Field::REFERER, "http://shop.example/a,b, c"),
        ],
    );
    check(
        OLD,
        &[
            (Field::TIME, "1709802902000000"),
            (Field::CLASS, "warn"),
            (Field::KIND, "not_found"),
            (Field::CLIENT, "203.0.113.9"),
            (Field::CLIENT_PORT, "<absent>"),
            (Field::MODULE, "<absent>"),
            (Field::FILE, "/srv/www/favicon.ico"),
            (Field::REFERER, "http://shop.example/"),
        ],
    );
}

#[test]
fn stamps_of_other_error_log_formats() {
    check(
        "[2024-03-07 10:15:02.418123 +0100] [core:error] [pid 7] x",
        &[(Field::TIME, "1709802902418123")],
    );
    check("[Thu Mar  7 09:15:02 2024] [error] x", &[(Field::TIME, "1709802902000000")]);
    check(
        "[Thu Mar 07 09:15:02 2024] [R:ab] [C:cd] [core:info] x",
        &[(Field::REQUEST_ID, "ab"), (Field::CONNECTION, "cd"), (Field::MODULE, "core")],
    );
    check(
        "[Thu Mar 07 09:15:02 2024] what is this",
        &[(Field::LEVEL, "<absent>"), (Field::MESSAGE, "what is this"), (Field::CLASS, "warn")],
    );
}

#[test]
fn trap_13_a_forged_referer_stays_with_the_client() {
    let forged = "[Thu Mar 07 09:15:02 2024] [error] [client ::1] File does not exist: /a, referer: x, referer: y";
    check(forged, &[(Field::REFERER, "y"), (Field::FILE, "/a, referer: x")]);
    check(
        "[Thu Mar 07 09:15:02 2024] [error] no client, referer: y",
        &[(Field::REFERER, "<absent>")],
    );
}

/// The address of a client stood among the servers behind.
#[test]
fn the_remote_end_of_wsgi_is_the_client() {
    let line = "[Thu Mar 07 09:15:02.000012 2024] [wsgi:error] [pid 812:tid 3] [remote 203.0.113.9:51004] mod_wsgi (pid=812): Exception occurred processing WSGI script '/srv/app.wsgi'.";
    let told = [
        (Field::CLIENT, "203.0.113.9"),
        (Field::CLIENT_PORT, "51004"),
        (Field::UPSTREAM, "<absent>"),
        (Field::KIND, "script"),
        (Field::REASON, "Exception occurred processing WSGI script"),
    ];
    check(line, &told);
}

#[test]
fn trap_14_line_feeds_are_escaped() {
    let php = "[Thu Mar 07 09:15:03.000002 2024] [php7:error] [pid 812] [client 203.0.113.9:51005] PHP Fatal error:  Uncaught x in /a.php:3\\nStack trace:\\n#0 {main}";
    check(
        php,
        &[
            (Field::KIND, "script"),
            (Field::REASON, "PHP Fatal error"),
            (Field::CLIENT_PORT, "51005"),
        ],
    );
    let fastcgi = "[Thu Mar 07 09:15:03.000002 2024] [proxy_fcgi:error] [pid 8] [client ::1:5] AH01071: Got error 'PHP message: PHP Warning:  x'";
    check(fastcgi, &[(Field::KIND, "fastcgi_stderr"), (Field::REASON, "PHP Warning")]);
}

/// Seen on a running server: a script that ended without a line end on stderr took the next record with it.
#[test]
fn a_record_behind_what_a_script_left_unended() {
    let glued = format!("  thrown in /x.php on line 5{REFUSED}");
    check(
        &glued,
        &[
            (Field::TIME, "1709802902418123"),
            (Field::KIND, "upstream_refused"),
            (Field::CODE, "AH01114"),
            (Field::CLIENT, "2001:db8::7"),
        ],
    );
    check(
        "he wrote [Thu Mar 07 09:15:02 2024] once",
        &[(Field::KIND, "raw_stderr"), (Field::TIME, "<absent>")],
    );
}

/// The format for threads in Apache's manual writes referers without a colon.
#[test]
fn a_referer_without_a_colon() {
    let line = "[Thu Mar 07 09:15:02.418123 2024] [core:info] [pid 8:tid 9] [client 1.2.3.4:5] [shop.example] AH00128: File does not exist: /w/x, referer http://r/x, y";
    check(
        line,
        &[
            (Field::KIND, "not_found"),
            (Field::CLASS, "warn"),
            (Field::FILE, "/w/x"),
            (Field::REFERER, "http://r/x, y"),
        ],
    );
}

#[test]
fn trap_17_level_is_not_class() {
    let at = "[Thu Mar 07 09:15:03.000002 2024]";
    check(
        &format!("{at} [core:notice] [pid 8] AH00052: child pid 481 exit signal Aborted (6)"),
        &[(Field::CLASS, "error"), (Field::KIND, "crash")],
    );
    check(
        &format!("{at} [core:alert] [pid 8] AH00558: apache2: Could not determine"),
        &[(Field::CLASS, "ok"), (Field::KIND, "config_noise")],
    );
    check(
        &format!(
            "{at} [ssl:info] [pid 8] SSL Library Error: error:0A000418:SSL routines::tlsv1 alert unknown ca (SSL alert number 48)"
        ),
        &[
            (Field::KIND, "tls_detail"),
            (Field::REASON, "tlsv1 alert unknown ca"),
            (Field::CODE, "48"),
        ],
    );
}

#[test]
fn words_of_some_kinds() {
    let at = "[Thu Mar 07 09:15:03.000002 2024] [a:error] [pid 8]";
    check(
        &format!(
            "{at} [remote 192.0.2.20:8080] AH01097: pass request body failed to 192.0.2.20:8080 (x)"
        ),
        &[(Field::UPSTREAM, "192.0.2.20:8080")],
    );
    check(
        &format!("{at} [client ::1:5] AH01618: user mallory\"], client not found: /private/"),
        &[(Field::USER, "mallory\"], client"), (Field::PATH, "/private/")],
    );
    check(
        &format!(
            "{at} [client ::1:5] [client ::1] ModSecurity: Access denied [id \"942100\"] [msg \"SQL\"] [hostname \"h\"] [uri \"/q\"]"
        ),
        &[
            (Field::KIND, "firewall"),
            (Field::RULE, "942100"),
            (Field::REASON, "SQL"),
            (Field::HOST, "h"),
            (Field::PATH, "/q"),
            (Field::CODE, "<absent>"),
        ],
    );
}

#[test]
fn lines_without_a_stamp() {
    check(
        "(98)Address already in use: AH00072: make_sock: could not bind to address",
        &[(Field::KIND, "bind"), (Field::ERRNO, "98"), (Field::TIME, "<absent>")],
    );
    check("AH00526: Syntax error on line 48 of /etc/apache2/x.conf:", &[(Field::KIND, "config")]);
    check(
        "sh: 1: convert: not found",
        &[
            (Field::KIND, "raw_stderr"),
            (Field::CLASS, "warn"),
            (Field::LEVEL, "<absent>"),
            (Field::MESSAGE, "sh: 1: convert: not found"),
        ],
    );
}

#[test]
fn trap_37_envelopes_and_repetitions() {
    check(
        "Mar  7 09:15:02 web1 apache2[812]: [core:error] [pid 812] AH00124: Request exceeded",
        &[
            (Field::TIME, "1709802902000000"),
            (Field::LOGHOST, "web1"),
            (Field::KIND, "redirect_cycle"),
        ],
    );
    let folded = format!("Mar  7 09:15:06 web1 httpd: message repeated 3 times: [ {REFUSED}]");
    let (records, account) = read(folded.as_bytes());
    assert_eq!((records.len(), account.counted.records), (3, 1));
    assert_eq!(refusal("Mar  7 09:15:06 web1 sshd[7]: x"), Some(Reason::OtherProgram));
    assert_eq!(refusal("Mar  7 09:15:06 web1 -- MARK --"), Some(Reason::Banner));
}

#[test]
fn refused_lines() {
    assert_eq!(refusal("[Thu Mar 07 09:15:02.0 2024] [authz_core:er"), Some(Reason::Truncated));
    assert_eq!(refusal("[Thu Feb 30 09:15:02.0 2024] [core:error] x"), Some(Reason::BadTime));
    assert_eq!(refusal(" \r\n"), Some(Reason::Blank));
    assert_eq!(refusal("\0\0\0"), Some(Reason::Binary));
}

#[test]
fn raw_lines_are_claimed_by_nobody() {
    let sample = format!("dear diary\n{REFUSED}\n{OLD}\nAH00558: apache2: x\nAHA: x\n[x] y\n");
    assert_eq!(ApacheError.claims(sample.as_bytes()), Some(3));
    let syslog = b"Mar  7 09:15:02 web1 apache2[812]: [core:error] [pid 812] x\n";
    assert_eq!(ApacheError.claims(syslog), Some(1));
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let text = format!(
        "{REFUSED}\n<187>Mar  7 09:15:06 web1 httpd: {OLD}\n{OLD}\n[Thu Mar 07 09:15:03 2024] [a:error] [client ::1:5] ModSecurity: x [id \"9\"] [unique_id \"u\"]\n"
    );
    testing::check_damaged(&ApacheError, text.as_bytes());
}

/// A container's log holds the access log too, whose lines are not what a program wrote on stderr.
#[test]
fn access_lines_are_no_stderr() {
    let access = r#"10.0.0.7 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;
    assert_eq!(refusal(access), Some(Reason::Malformed));
}

#[test]
fn trap_38_line_ends_holes_marks_and_bytes_that_are_no_text() {
    let count = |text: &[u8]| {
        let (records, account) = read(text);
        assert_eq!(account.rejected().records, 0, "{}", text.escape_ascii());
        let is_refused = |words: &&Words| words.contains(&(Field::KIND, "upstream_refused".into()));
        records.iter().filter(is_refused).count()
    };
    assert_eq!(count(format!("{REFUSED}\r\n{REFUSED}\r\n").as_bytes()), 2);
    assert_eq!(count(format!("\u{feff}{REFUSED}\n").as_bytes()), 1);
    assert_eq!(count(format!("\0\0\0{REFUSED}\n").as_bytes()), 1);
    assert_eq!(count(REFUSED.as_bytes()), 1, "without a line end");
    assert_eq!(count(&[REFUSED.as_bytes(), b"\xff\xfe\n"].concat()), 1);
    assert_eq!(count(format!("{REFUSED}{}", "x".repeat(2 << 20)).as_bytes()), 1);
}
