//! Where tools that read HAProxy's logs go wrong, one by one: each a test with the name of the trap.
//!
//! What such a line then counts as is tested beside the reports; the lines that halog reads wrongly stand in
//! `tests/halog.rs`.

use super::*;
use crate::format::testing::{self, read};
use crate::record::Field;

const SESSION: &str = "198.51.100.4:52110 [07/Mar/2024:09:15:02.418] www app/s1 3/0/1/44/49 200 8812 - - ---- 41/40/12/3/0 0/0 \"GET /cart HTTP/1.1\"";

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&Haproxy::built_in(), text, expected);
}

/// The session with a part of it replaced.
fn session(part: &str, by: &str) -> String {
    assert!(SESSION.contains(part), "{part}");
    format!("Mar  7 09:15:02 lb1 haproxy[77]: {}", SESSION.replacen(part, by, 1))
}

/// Each line alone, and behind another one with the same names in its envelope.
fn check_behind(text: &str, expected: &[(Field, &str)]) {
    check(text, expected);
    let both = format!("{}\n{text}\n", session("", ""));
    let fields = Haproxy::built_in().fields();
    let (records, _) = read(&Haproxy::built_in(), both.as_bytes(), fields);
    let (alone, _) = read(&Haproxy::built_in(), text.as_bytes(), fields);
    assert_eq!(records[1..], alone, "{text}");
}

#[test]
fn a_line_cut_at_1024_bytes_is_still_a_session() {
    let long = "x".repeat(2_000);
    let line = session("/cart HTTP/1.1\"", &long);
    let cut = &line[..1024];
    let path = &cut[cut.find("xxx").unwrap()..];
    assert!(!path.ends_with('"'));
    check_behind(
        cut,
        &[(Field::STATUS, "200"), (Field::METHOD, "<absent>"), (Field::SERVER, "s1")],
    );
    let cut = &session("/cart HTTP/1.1\"", &format!("/{long}"))[..1024];
    check_behind(cut, &[(Field::METHOD, "GET"), (Field::PROTOCOL, "<absent>"), (Field::CUT, "1")]);
    check_behind(&session("", ""), &[(Field::CUT, "<absent>")]);
}

#[test]
fn captured_headers_keep_their_spaces_and_their_encoding() {
    let line = session(
        "0/0 \"GET",
        "0/0 {Mozilla/5.0 (X11; Linux)|a#7Cb#22} {text/html; charset=x} \"GET",
    );
    check_behind(
        &line,
        &[
            (Field::REQUEST_CAPTURES, "Mozilla/5.0 (X11; Linux)|a#7Cb#22"),
            (Field::RESPONSE_CAPTURES, "text/html; charset=x"),
            (Field::PATH, "/cart"),
        ],
    );
}

#[test]
fn days_one_to_nine_have_two_spaces() {
    for day in ["Mar  7", "Mar 17"] {
        let line = session("", "").replace("Mar  7", day);
        check_behind(&line, &[(Field::LOGHOST, "lb1"), (Field::CLIENT, "198.51.100.4")]);
    }
}

/// The stamp in brackets is that of the beginning, the line is written at the end.
#[test]
fn a_session_happened_when_it_began() {
    let line = session("", "").replace("Mar  7 09:15:02", "Mar  7 10:59:59");
    check_behind(&line, &[(Field::TIME, "1709802902418000")]);
}

#[test]
fn the_port_stands_behind_the_last_colon() {
    for (peer, client, port) in [
        ("2001:db8::1:42448", "2001:db8::1", "42448"),
        ("::ffff:192.0.2.7:99", "::ffff:192.0.2.7", "99"),
        ("unix:12", "unix", "12"),
    ] {
        let line = session("198.51.100.4:52110", peer);
        check_behind(&line, &[(Field::CLIENT, client), (Field::CLIENT_PORT, port)]);
    }
}

#[test]
fn tcp_has_three_timers_and_no_status() {
    let tcp = "Mar  7 09:15:02 lb1 haproxy[77]: 198.51.100.4:1 [07/Mar/2024:09:15:02.418] sql sql/db1 1/2/5007 212 sD 1/1/1/1/0 0/0";
    check_behind(
        tcp,
        &[
            (Field::STATUS, "<absent>"),
            (Field::BYTES, "212"),
            (Field::DURATION, "5007000"),
            (Field::T_RESPONSE, "<absent>"),
            (Field::STATE, "sD"),
            (Field::COOKIE_STATE, "<absent>"),
        ],
    );
}

#[test]
fn a_failed_handshake_is_no_session() {
    let line = "Mar  7 09:15:02 lb1 haproxy[77]: 198.51.100.4:1 [07/Mar/2024:09:15:02.418] www/1: SSL handshake failure";
    check_behind(
        line,
        &[(Field::KIND, "tls_handshake"), (Field::STATE, "<absent>"), (Field::SERVER, "<absent>")],
    );
}

#[test]
fn a_plus_is_a_lower_bound() {
    let line = session("3/0/1/44/49 200 8812", "3/0/1/44/+49 200 +8812");
    check_behind(
        &line,
        &[
            (Field::PARTIAL, "1"),
            (Field::DURATION, "49000"),
            (Field::BYTES, "8812"),
            (Field::T_DATA, "<absent>"),
        ],
    );
}

#[test]
fn a_server_that_refused_is_an_error_though_all_timers_came() {
    let line = session("200 8812 - - ----", "503 212 - - SC--");
    check_behind(&line, &[(Field::CLASS, "error"), (Field::KIND, "SC")]);
}

#[test]
fn a_plus_before_retries_names_another_server() {
    let line = session("41/40/12/3/0", "41/40/12/3/+2");
    check_behind(
        &line,
        &[(Field::RETRIES, "2"), (Field::REDISPATCHED, "1"), (Field::KIND, "retry")],
    );
}

#[test]
fn names_in_angle_brackets() {
    check_behind(&session("app/s1", "app/<NOSRV>"), &[(Field::SERVER, "<absent>")]);
    check_behind(&session("app/s1", "stats/<STATS>"), &[(Field::SERVER, "<STATS>")]);
    let line = session("\"GET /cart HTTP/1.1\"", "\"<BADREQ>\"");
    check_behind(&line, &[(Field::METHOD, "<absent>"), (Field::REQUEST, "<BADREQ>")]);
}

#[test]
fn timers_and_statuses_that_never_came() {
    let line = session("3/0/1/44/49 200 8812 - - ----", "-1/-1/-1/-1/9 -1 0 - - CR--");
    check_behind(
        &line,
        &[
            (Field::T_REQUEST, "<absent>"),
            (Field::T_QUEUE, "<absent>"),
            (Field::T_CONNECT, "<absent>"),
            (Field::T_RESPONSE, "<absent>"),
            (Field::STATUS, "<absent>"),
            (Field::DURATION, "9000"),
        ],
    );
}

#[test]
fn columns_behind_the_request() {
    let tls = " 0/0000000000000000/0/0/0 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384";
    let line = session("HTTP/1.1\"", &format!("HTTP/1.1\"{tls}"));
    check_behind(&line, &[(Field::SNI, "shop.example"), (Field::TLS_VERSION, "TLSv1.3")]);
    let line = session("HTTP/1.1\"", "HTTP/1.1\" TLSv1.2 -");
    check_behind(&line, &[(Field::PATH, "/cart"), (Field::PROTOCOL, "HTTP/1.1")]);
}

#[test]
fn any_envelope_or_none() {
    for head in [
        "",
        "<134>",
        "<134>Mar  7 09:15:02 haproxy[77]: ",
        "2024-03-07T09:15:02.418+00:00 lb1 haproxy[77]: ",
        "<134>1 2024-03-07T09:15:02.418+00:00 lb1 haproxy 77 - - ",
    ] {
        check(&format!("{head}{SESSION}"), &[(Field::SERVER, "s1"), (Field::PATH, "/cart")]);
    }
}

#[test]
fn layouts_of_the_users_own() {
    let format = Haproxy::new("own", "%ci [%tr] %b/%s %ST %Ta id=%ID").unwrap();
    let line = "198.51.100.4 [07/Mar/2024:09:15:02.418] app/s1 200 49 id=77";
    testing::check(
        &format,
        line,
        &[(Field::SERVER, "s1"), (Field::DURATION, "49000"), (Field::REQUEST_ID, "77")],
    );
}
