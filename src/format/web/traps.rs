//! The traps of access logs, one by one. The numbers are those of the list that the project keeps.

use super::*;
use crate::format::testing::{self, check, refusal};
use crate::record::Field;

fn access(definition: &str) -> Access {
    Access::new("trap", definition).unwrap()
}

/// A combined line with another request, status, size, user or agent.
fn line(user: &str, request: &str, answer: &str, agent: &str) -> String {
    format!(
        r#"203.0.113.9 - {user} [07/Mar/2024:09:15:02 +0100] "{request}" {answer} "-" "{agent}""#
    )
}

fn agent(text: &str) -> String {
    line("-", "GET / HTTP/1.1", "200 5", text)
}

fn request(text: &str) -> String {
    line("-", text, "400 0", "-")
}

#[test]
fn trap_1_a_quote_inside_a_field() {
    let format = access(COMBINED);
    for text in [
        r#"a \"quoted\" agent"#,
        r"a \x22quoted\x22 agent",
        r"ends in a backslash \\",
        r#"\\\" both"#,
    ] {
        check(&format, &agent(text), &[(Field::AGENT, text), (Field::STATUS, "200")]);
    }
}

#[test]
fn trap_2_a_user_with_spaces_or_without_a_name() {
    let format = access(COMBINED);
    for (text, user) in [
        ("jo smith", "jo smith"),
        ("dom\\\\jo [x] y", "dom\\\\jo [x] y"),
        ("\"\"", ""),
        ("-", "<absent>"),
    ] {
        let line = line(text, "GET / HTTP/1.1", "200 5", "x");
        check(&format, &line, &[(Field::USER, user), (Field::PATH, "/"), (Field::AGENT, "x")]);
    }
}

#[test]
fn trap_3_no_request_and_statuses_that_are_none() {
    let format = access(COMBINED);
    let absent = (Field::PATH, "<absent>");
    check(
        &format,
        &line("-", "-", "408 -", "-"),
        &[(Field::REQUEST, "<absent>"), absent, (Field::STATUS, "408")],
    );
    check(
        &format,
        &line("-", "", "400 0", "-"),
        &[(Field::REQUEST, ""), absent, (Field::METHOD, "<absent>")],
    );
    check(
        &format,
        &line("-", "GET / HTTP/1.1", "000 0", "-"),
        &[(Field::STATUS, "0"), (Field::KIND, "no_response"), (Field::CLASS, "warn")],
    );
    check(
        &format,
        &line("-", "GET /", "009 7", "-"),
        &[(Field::STATUS, "9"), (Field::CLASS, "ok")],
    );
}

#[test]
fn trap_4_no_bytes_and_more_than_thirty_two_bits() {
    let format = access(COMBINED);
    let bytes = |answer| line("-", "GET / HTTP/1.1", answer, "-");
    check(&format, &bytes("304 -"), &[(Field::BYTES, "<absent>"), (Field::STATUS, "304")]);
    check(&format, &bytes("304 0"), &[(Field::BYTES, "0")]);
    check(&format, &bytes("200 5000000000"), &[(Field::BYTES, "5000000000")]);
    assert_eq!(refusal(&format, &bytes("200 99999999999999999999")), Some(Reason::Malformed));
}

#[test]
fn trap_5_lists_of_tries_hold_the_separator_of_columns() {
    let format = access(
        "$status $upstream_addr $upstream_response_time $upstream_connect_time $upstream_status $request_time",
    );
    let text = "200 10.0.0.1:80, [2001:db8::7]:80 : unix:/run/app 0.002, - : 0.450 -, 0.001 : 0.000 502, 504 : 200 0.460";
    check(
        &format,
        text,
        &[
            (Field::UPSTREAM, "unix:/run/app"),
            (Field::UPSTREAMS, "10.0.0.1:80, [2001:db8::7]:80 : unix:/run/app"),
            (Field::UPSTREAM_TRIES, "3"),
            (Field::UPSTREAM_DURATION, "452000"),
            (Field::UPSTREAM_CONNECT, "1000"),
            (Field::UPSTREAM_STATUS, "502, 504 : 200"),
            (Field::DURATION, "460000"),
            (Field::KIND, "retried_upstream"),
        ],
    );
    check(
        &format,
        "499 app - - - 0.000",
        &[(Field::UPSTREAM, "app"), (Field::UPSTREAM_DURATION, "<absent>")],
    );
}

#[test]
fn trap_6_every_server_has_its_own_unit_of_durations() {
    for (definition, text, micros) in [
        ("$request_time", "1.204", "1204000"),
        ("%D", "1204", "1204"),
        ("%T", "3", "3000000"),
        ("%{s}T", "3", "3000000"),
        ("%{ms}T", "1204", "1204000"),
        ("%{us}T", "1204", "1204"),
    ] {
        check(&access(definition), text, &[(Field::DURATION, micros)]);
    }
    // A load balancer that got no answer says -1: no time at all, which is not the shortest one.
    for definition in ["$request_time", "%D"] {
        check(&access(definition), "-1", &[(Field::DURATION, "<absent>")]);
    }
    let tries = access("$upstream_response_time");
    check(&tries, "-1", &[(Field::UPSTREAM_DURATION, "<absent>")]);
    check(&tries, "-1, 0.5", &[(Field::UPSTREAM_DURATION, "500000")]);
    check(&access("%^FB"), "77", &[(Field::TIME_TO_FIRST_BYTE, "77")]);
    check(&access("%^FB"), "-", &[(Field::TIME_TO_FIRST_BYTE, "<absent>")]);
}

/// Apache's dash is a state: the connection is closed behind the answer.
#[test]
fn each_state_of_a_connection_is_told() {
    for state in ["X", "+", "-"] {
        check(&access("%>s %X"), &format!("200 {state}"), &[(Field::CONNECTION_STATE, state)]);
    }
}

/// Nginx's streams have variables of their own for what requests have.
#[test]
fn sessions_of_streams() {
    let format = access(
        r#"$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time "$upstream_addr" "$upstream_session_time""#,
    );
    let line = r#"203.0.113.9 [07/Mar/2024:09:15:02 +0100] TCP 502 120 240 1.004 "10.0.0.1:5432, 10.0.0.2:5432" "0.000, 1.003""#;
    let read = [
        (Field::PROTOCOL, "TCP"),
        (Field::BYTES, "120"),
        (Field::BYTES_IN, "240"),
        (Field::DURATION, "1004000"),
        (Field::UPSTREAM, "10.0.0.2:5432"),
        (Field::UPSTREAM_DURATION, "1003000"),
    ];
    check(&format, line, &read);
}

#[test]
fn trap_7_a_time_before_that_of_the_line_before() {
    let text = [("09:15:02", 1), ("08:15:02", 2), ("09:15:03", 3)]
        .map(|(time, status)| format!("[07/Mar/2024:{time} +0100] 20{status}"))
        .join("\n");
    let format = access("[$time_local] $status");
    let (records, _) = testing::read(&format, text.as_bytes(), format.fields());
    let times: Vec<&str> = records.iter().map(|record| record[0].1.as_str()).collect();
    assert_eq!(times, ["1709799302000000", "1709795702000000", "1709799303000000"]);
}

#[test]
fn trap_8_clients_of_every_spelling() {
    let format = access(COMBINED);
    for client in [
        "2001:db8::7",
        "::ffff:192.0.2.7",
        "fe80::1%eth0",
        "unix:",
        "host.example.org",
        "10.example",
    ] {
        let line = agent("x").replacen("203.0.113.9", client, 1);
        check(&format, &line, &[(Field::CLIENT, client), (Field::AGENT, "x")]);
    }
    check(
        &access(VHOST_COMBINED),
        &format!("-:80 {}", agent("x")),
        &[(Field::HOST, "<absent>"), (Field::PORT, "80")],
    );
}

#[test]
fn trap_9_requests_of_every_kind() {
    let format = access(COMBINED);
    let is = |text: &str, method, target, path, protocol| {
        let fields = [
            (Field::METHOD, method),
            (Field::TARGET, target),
            (Field::PATH, path),
            (Field::PROTOCOL, protocol),
        ];
        check(&format, &request(text), &fields);
        check(&format, &request(text), &[(Field::REQUEST, text)]);
    };
    let none = "<absent>";
    is(r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC", none, none, none, none);
    is("CONNECT a:443 HTTP/1.1", "CONNECT", "a:443", "a:443", "HTTP/1.1");
    is("GET http://h.example/p?q HTTP/1.1", "GET", "http://h.example/p?q", "/p", "HTTP/1.1");
    is("OPTIONS * HTTP/1.1", "OPTIONS", "*", "*", "HTTP/1.1");
    is("GET /old", "GET", "/old", "/old", none);
    is("GET / HTTP/2.0", "GET", "/", "/", "HTTP/2.0");
    is("GET /a b c HTTP/1.1", "GET", "/a b c", "/a b c", "HTTP/1.1");
    is("GET /?a=?b HTTP/3.0", "GET", "/?a=?b", "/", "HTTP/3.0");
}

#[test]
fn trap_10_a_list_of_forwarders_stays_in_its_quotes() {
    let line = format!(r#"{} "1.2.3.4, 10.1.1.1""#, agent("x"));
    check(
        &access(MAIN),
        &line,
        &[(Field::FORWARDED, "1.2.3.4, 10.1.1.1"), (Field::CLIENT, "203.0.113.9")],
    );
}

/// Behind a balancer many log the list without quotes: a comma stood in the client, and the second address for the user.
#[test]
fn lists_of_forwarders_without_quotes() {
    let behind = "- jo [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5";
    let format = access("%{X-Forwarded-For}i %h %l %u %t \"%r\" %>s %b");
    let read = [
        (Field::FORWARDED, "203.0.113.9, 10.1.1.1"),
        (Field::CLIENT, "10.9.9.9"),
        (Field::IDENT, "<absent>"),
        (Field::USER, "jo"),
    ];
    check(&format, &format!("203.0.113.9, 10.1.1.1 10.9.9.9 {behind}"), &read);
    let alone = access("%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b");
    for (list, client) in [
        ("203.0.113.9, 10.1.1.1, 10.1.1.2", "203.0.113.9"),
        ("203.0.113.9,10.1.1.1", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("-", "<absent>"),
    ] {
        let list_read = (Field::FORWARDED, if list == "-" { "<absent>" } else { list });
        let read = [(Field::CLIENT, client), list_read, (Field::USER, "jo")];
        check(&alone, &format!("{list} {behind}"), &read);
    }
}

/// What stands behind the agent was told as columns that nobody named.
#[test]
fn lines_of_traefik() {
    let line = |behind: &str| format!("{} {behind}", agent("x"));
    let read = [
        (Field::DURATION, "247000"),
        (Field::UPSTREAM, "http://10.0.0.5:8080"),
        (Field::CLIENT, "203.0.113.9"),
        (Field::AGENT, "x"),
    ];
    check(&access(TRAEFIK), &line(r#"13 "shop@docker" "http://10.0.0.5:8080" 247ms"#), &read);
    let absent = [(Field::DURATION, "0"), (Field::UPSTREAM, "<absent>")];
    check(&access(TRAEFIK), &line(r#"27 "-" "-" 0ms"#), &absent);
}

/// Its access logs were of no known format.
#[test]
fn lines_of_nginx_proxy_manager() {
    let line = |front: &str, sent: &str| {
        format!(
            r#"[07/Mar/2024:09:15:02 +0100] {front} - GET https shop.example "/a?b=1" [Client 203.0.113.9] [Length 512] [Gzip 3.10]{sent} "x" "-""#
        )
    };
    let common = [
        (Field::TIME, "1709799302000000"),
        (Field::CLIENT, "203.0.113.9"),
        (Field::METHOD, "GET"),
        (Field::HOST, "shop.example"),
        (Field::QUERY, "b=1"),
        (Field::BYTES, "512"),
        (Field::AGENT, "x"),
    ];
    for (format, front, sent, fields) in [
        (
            PROXY_MANAGER,
            "HIT - 200",
            " [Sent-to 10.0.0.5]",
            [(Field::STATUS, "200"), (Field::CACHE_STATUS, "HIT")],
        ),
        (
            PROXY_MANAGER,
            "- 502, 200 200",
            " [Sent-to 10.0.0.5]",
            [(Field::STATUS, "200"), (Field::UPSTREAM_STATUS, "502, 200")],
        ),
        (PROXY_MANAGER_OWN, "404", "", [(Field::STATUS, "404"), (Field::SCHEME, "https")]),
    ] {
        check(&access(format), &line(front, sent), &[&fields[..], &common].concat());
    }
}

#[test]
fn trap_11_what_is_no_valid_json() {
    let json = Json::defined(
        "trap",
        r#"{"status":$status,"took":$upstream_response_time,"agent":"$http_user_agent"}"#,
    )
    .unwrap();
    check(
        &json,
        r#"{"status":200,"took":,"agent":"\x22x\x22 \xfc"}"#,
        &[(Field::STATUS, "200"), (Field::UPSTREAM_DURATION, "<absent>")],
    );
    check(
        &json,
        r#"{"status":200,"status":500,"took":-,"agent":"caf\u00e9"}"#,
        &[(Field::STATUS, "200"), (Field::AGENT, "café")],
    );
}

#[test]
fn trap_12_an_agent_that_holds_a_line_of_the_log() {
    let format = access(COMBINED);
    for text in [
        r#"1.1.1.1 - root [01/Jan/2020:00:00:00 +0000] \"GET /fake HTTP/1.1\" 200 1 \"-\" \"fake\""#,
        r"1.1.1.1 - root [01/Jan/2020:00:00:00 +0000] \x22GET /fake HTTP/1.1\x22 200 1 \x22-\x22 \x22fake\x22",
        r#"] \" 200 5 \"x\" \"y"#,
        r#"\" 200 "#,
    ] {
        let fields = [
            (Field::CLIENT, "203.0.113.9"),
            (Field::PATH, "/"),
            (Field::AGENT, text),
            (Field::TIME, "1709799302000000"),
        ];
        check(&format, &agent(text), &fields);
    }
}

#[test]
fn trap_38_line_ends_holes_marks_and_bytes_that_are_no_text() {
    let format = access(COMBINED);
    let one = agent("x");
    check(&format, &format!("{one}\r\n"), &[(Field::AGENT, "x")]);
    check(&format, &format!("\u{feff}{one}"), &[(Field::CLIENT, "203.0.113.9")]);
    check(&format, &format!("\0\0\0{one}\n"), &[(Field::CLIENT, "203.0.113.9")]);
    let raw = [&one.as_bytes()[..one.len() - 2], b"\xff\xfe\"\n"].concat();
    let (records, account) = testing::read(&format, &raw, format.fields());
    assert_eq!((records.len(), account.rejected().records), (1, 0));
}

#[test]
fn trap_40_offsets_are_heeded_and_impossible_dates_refused() {
    let format = access("[$time_local]");
    check(&format, "[07/Mar/2024:09:15:02 +0100]", &[(Field::TIME, "1709799302000000")]);
    check(&format, "[07/Mar/2024:09:15:02 +0200]", &[(Field::TIME, "1709795702000000")]);
    check(&format, "[07/Mar/2024:09:15:02 -0330]", &[(Field::TIME, "1709815502000000")]);
    check(&format, "[29/Feb/2024:23:59:60 +0000]", &[(Field::TIME, "1709251200000000")]);
    for date in ["30/Feb/2024", "29/Feb/2023", "00/Mar/2024", "07/Mxr/2024"] {
        assert_eq!(
            refusal(&format, &format!("[{date}:09:15:02 +0100]")),
            Some(Reason::BadTime),
            "{date}"
        );
    }
}

/// A definition without the stamp of the log was once taken for its own: all before the request was the client.
#[test]
fn a_client_is_one_word() {
    let line = r#"203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5"#;
    for lacking in [r#"$remote_addr "$request" $status $body_bytes_sent"#, "$remote_addr", "%h"] {
        assert_eq!(refusal(&access(lacking), line), Some(Reason::Malformed), "{lacking}");
    }
    let format = access(r#"$remote_addr "$request" $status $body_bytes_sent"#);
    check(&format, r#"::1 "GET / HTTP/1.1" 200 5"#, &[(Field::CLIENT, "::1")]);
    check(&format, r#"- "GET / HTTP/1.1" 200 5"#, &[(Field::CLIENT, "<absent>")]);
}
