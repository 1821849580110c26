use super::*;
use crate::format::testing::{self, check_wanting_less, read, refusal};
use crate::record::Field;

const HEAD: &str = "Mar  7 09:15:02 lb1 haproxy[77]: ";

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&Haproxy::built_in(), text, expected);
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/haproxy/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

#[test]
fn trap_24_capture_blocks() {
    for (blocks, request, response) in [
        ("", "<absent>", "<absent>"),
        ("{a b|c} ", "a b|c", "<absent>"),
        ("{} {} ", "", ""),
        ("{x#7Dy#22} {z} ", "x#7Dy#22", "z"),
    ] {
        let text = format!(
            "{HEAD}198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 {blocks}\"GET /{{}} HTTP/1.1\""
        );
        check(
            &text,
            &[
                (Field::REQUEST_CAPTURES, request),
                (Field::RESPONSE_CAPTURES, response),
                (Field::PATH, "/{}"),
            ],
        );
    }
}

#[test]
fn trap_24_requests_that_were_cut() {
    let head = "198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 ";
    for (end, request, path) in [
        ("{a} {b} \"GET /cut/without", "GET /cut/without", "/cut/without"),
        ("\"GET /within/it H", "GET /within/it H", "/within/it"),
        ("\"GET /within/it HTTP/2.", "GET /within/it HTTP/2.", "/within/it"),
        ("\"GET /within/it ", "GET /within/it", "/within/it"),
        ("\"GET /with space", "GET /with space", "/with space"),
        ("\"GET /a HTTP/1.1\" TLSv1.2 -", "GET /a HTTP/1.1", "/a"),
        ("{a \"quoted\" b} \"GET /b HTTP/1.1\"", "GET /b HTTP/1.1", "/b"),
        ("\"<BADREQ>\"", "<BADREQ>", "<absent>"),
        ("\"\"", "", "<absent>"),
        ("\"", "", "<absent>"),
        ("{cut in the capt", "<absent>", "<absent>"),
        ("", "<absent>", "<absent>"),
    ] {
        let expected = [(Field::REQUEST, request), (Field::PATH, path), (Field::STATUS, "200")];
        check(&format!("{HEAD}{head}{end}"), &expected);
    }
    let cut = |len: usize| refusal(&Haproxy::built_in(), &format!("{HEAD}{}", &head[..len]));
    assert_eq!(cut(25), Some(Reason::Truncated));
    assert_eq!(cut(60), Some(Reason::Truncated));
    assert_eq!(cut(80), Some(Reason::Truncated));
}

#[test]
fn trap_25_signs_and_names_in_brackets() {
    let line = "Mar  7 09:15:02 haproxy: 2001:db8::7:58353 [07/Mar/2024:09:15:02.418] www~ app/<NOSRV> 5/-1/-1/-1/+9 -1 +385 - - CR-- 1/1/0/0/+2 0/0 \"<BADREQ>\"";
    check(
        line,
        &[
            (Field::CLIENT, "2001:db8::7"),
            (Field::CLIENT_PORT, "58353"),
            (Field::FRONTEND, "www"),
            (Field::SCHEME, "https"),
            (Field::BACKEND, "app"),
            (Field::SERVER, "<absent>"),
            (Field::T_REQUEST, "5000"),
            (Field::T_QUEUE, "<absent>"),
            (Field::T_CONNECT, "<absent>"),
            (Field::T_RESPONSE, "<absent>"),
            (Field::T_DATA, "<absent>"),
            (Field::DURATION, "9000"),
            (Field::PARTIAL, "1"),
            (Field::STATUS, "<absent>"),
            (Field::BYTES, "385"),
            (Field::RETRIES, "2"),
            (Field::REDISPATCHED, "1"),
            (Field::KIND, "CR"),
            (Field::CLASS, "warn"),
        ],
    );
}

/// halog reads the byte count of a TCP line as its status.
#[test]
fn trap_26_tcp_is_told_from_http() {
    check(
        &format!(
            "{HEAD}198.51.100.4:1 [07/Mar/2024:09:15:04.000] sql sql/db1 1/2/5007 212 sD 0/0/0/0/3 4/5"
        ),
        &[
            (Field::STATUS, "<absent>"),
            (Field::COOKIE_STATE, "<absent>"),
            (Field::BYTES, "212"),
            (Field::T_QUEUE, "1000"),
            (Field::T_CONNECT, "2000"),
            (Field::T_DATA, "5004000"),
            (Field::DURATION, "5007000"),
            (Field::T_REQUEST, "<absent>"),
            (Field::STATE, "sD"),
            (Field::SERVER_QUEUE, "4"),
            (Field::BACKEND_QUEUE, "5"),
            (Field::SCHEME, "tcp"),
            (Field::LOGHOST, "lb1"),
            (Field::PID, "77"),
        ],
    );
}

#[test]
fn trap_26_https_says_more_behind_the_request() {
    let line = |tail: &str| {
        format!(
            "{HEAD}198.51.100.4:1 [07/Mar/2024:09:15:02.418] www~ app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\"{tail}"
        )
    };
    let codes = "0/0000000000000000/0/0/0";
    check(
        &line(&format!(" {codes} shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384")),
        &[
            (Field::SNI, "shop.example"),
            (Field::TLS_VERSION, "TLSv1.3"),
            (Field::TLS_CIPHER, "TLS_AES_256_GCM_SHA384"),
            (Field::CODE, "<absent>"),
            (Field::KIND, "http_2xx"),
        ],
    );
    check(
        &line(" 31/000000000A000086/0/0/0 -/-/-"),
        &[
            (Field::SNI, "<absent>"),
            (Field::CODE, "000000000A000086"),
            (Field::KIND, "tls_handshake"),
            (Field::CLASS, "warn"),
        ],
    );
    for tail in [" TLSv1.2 -", " a/b/c", " 0/x/0/0/0 a/b/c", " 0/0/0/0/0 a"] {
        check(&line(tail), &[(Field::SNI, "<absent>"), (Field::PATH, "/")]);
    }
}

#[test]
fn a_cookie_with_spaces_does_not_shift_the_columns() {
    check(
        "198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 a=b c d - --VN 1/1/1/1/0 0/0 \"GET / HTTP/1.1\"",
        &[(Field::STATUS, "200"), (Field::COOKIE_STATE, "VN"), (Field::PATH, "/")],
    );
}

#[test]
fn events_of_servers_checks_and_proxies() {
    for (text, class, kind, action, server, reason) in [
        (
            "Server app/s is DOWN, reason: Layer4 timeout, check duration: 2001ms. 1 active and 0 backup servers left. 3 sessions active, 0 requeued, 0 remaining in queue.",
            "error",
            "server_down",
            "down",
            "s",
            "Layer4 timeout",
        ),
        (
            "Backup Server app/s is UP, reason: Layer7 check passed, code: 200. 2 active",
            "ok",
            "health",
            "up",
            "s",
            "Layer7 check passed",
        ),
        (
            "Server app/s is going DOWN for maintenance. 1 active and 0 backup servers left.",
            "warn",
            "lifecycle",
            "maintenance",
            "s",
            "<absent>",
        ),
        (
            "Server app/s was DOWN and now enters maintenance.",
            "ok",
            "lifecycle",
            "maintenance",
            "s",
            "<absent>",
        ),
        (
            "Server app/s is UP/READY (leaving forced maintenance).",
            "ok",
            "lifecycle",
            "ready",
            "s",
            "<absent>",
        ),
        (
            "Server app/s enters drain state. 1 active and 0 backup servers online.",
            "ok",
            "lifecycle",
            "drain",
            "s",
            "<absent>",
        ),
        (
            "Agent check for backup server app/s failed, reason: Layer7 wrong status, code: 503, status: 0/2 DOWN.",
            "warn",
            "health_fail",
            "check_failed",
            "s",
            "Layer7 wrong status",
        ),
        (
            "backend app has no server available!",
            "error",
            "no_server",
            "no_server",
            "<absent>",
            "<absent>",
        ),
        (
            "Server app/s is UP/DRAIN (leaving forced maintenance).",
            "ok",
            "lifecycle",
            "drain",
            "s",
            "<absent>",
        ),
        (
            "Proxy www reached process FD limit (maxsock=4128).",
            "error",
            "capacity",
            "<absent>",
            "<absent>",
            "<absent>",
        ),
        (
            "Cannot bind to source address before connect() for backend app.",
            "error",
            "capacity",
            "<absent>",
            "<absent>",
            "Cannot bind to source address",
        ),
        (
            "Connect() failed for backend app: no free ports.",
            "error",
            "capacity",
            "<absent>",
            "<absent>",
            "no free ports.",
        ),
        ("Paused frontend www.", "ok", "lifecycle", "paused", "<absent>", "<absent>"),
        ("Loading success.", "ok", "lifecycle", "<absent>", "<absent>", "<absent>"),
        ("haproxy version is 2.8.1-a90123a", "ok", "lifecycle", "<absent>", "<absent>", "<absent>"),
        (
            "All workers exited. Exiting... (143)",
            "ok",
            "lifecycle",
            "<absent>",
            "<absent>",
            "<absent>",
        ),
        (
            "All workers exited. Exiting... (137)",
            "error",
            "lifecycle",
            "<absent>",
            "<absent>",
            "<absent>",
        ),
        ("Something new.", "ok", "other", "<absent>", "<absent>", "<absent>"),
    ] {
        check(
            &format!("{HEAD}{text}"),
            &[
                (Field::TIME, "1709802902000000"),
                (Field::CLASS, class),
                (Field::KIND, kind),
                (Field::ACTION, action),
                (Field::SERVER, server),
                (Field::REASON, reason),
                (Field::MESSAGE, text),
            ],
        );
    }
}

#[test]
fn connections_that_became_no_session() {
    check(
        "Connect from 203.0.113.24:35815 to 192.0.2.90:8084 (plain/HTTP)",
        &[
            (Field::CLIENT, "203.0.113.24"),
            (Field::LOCAL_ADDRESS, "192.0.2.90"),
            (Field::PORT, "8084"),
            (Field::FRONTEND, "plain"),
            (Field::KIND, "connect"),
        ],
    );
    for (why, kind, class) in [
        (
            "SSL handshake failure (error:0A000418:SSL routines::tlsv1 alert unknown ca)",
            "tls_handshake",
            "warn",
        ),
        ("Timeout during SSL handshake", "tls_handshake", "warn"),
        (
            "Received something which does not look like a PROXY protocol header",
            "client_conn",
            "warn",
        ),
        ("Reached configured maxconn value", "capacity", "error"),
    ] {
        let line = format!("{HEAD}198.51.100.4:1 [07/Mar/2024:09:15:04.100] secure/1: {why}");
        check(
            &line,
            &[
                (Field::TIME, "1709802904100000"),
                (Field::FRONTEND, "secure"),
                (Field::KIND, kind),
                (Field::CLASS, class),
                (Field::REASON, why),
            ],
        );
    }
}

#[test]
fn what_is_not_haproxys() {
    let refused = |text: &str| refusal(&Haproxy::built_in(), text);
    assert_eq!(
        refused("Mar  7 09:15:09 lb1 sshd[9]: Accepted publickey"),
        Some(Reason::OtherProgram)
    );
    assert_eq!(refused("Mar  7 09:15:09 lb1 last message repeated 3 times"), Some(Reason::Banner));
    assert_eq!(refused("dear diary"), Some(Reason::Malformed));
    assert_eq!(refused("\n"), Some(Reason::Blank));
    assert_eq!(refused("\0\0"), Some(Reason::Binary));
    let odd = "198.51.100.4:1 [30/Feb/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 \"\"";
    assert_eq!(refused(odd), Some(Reason::BadTime));
    assert_eq!(
        refused("::1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\""),
        Some(Reason::Malformed)
    );
}

/// HAProxy cuts its own layouts and those of the user at the same length.
#[test]
fn trap_24_lines_in_layouts_of_ones_own_are_cut_too() {
    let layout = r#"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %tsc %hr %hs "%HM %HU %HV" id=%ID ua=%{+Q}[capture.req.hdr(1)]"#;
    let own = Haproxy::new("own", layout).unwrap();
    let head = "198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 ----";
    let whole = r#" {a|b} {c} "GET /long/path HTTP/1.1" id=77 ua="Mozilla/5.0""#;
    let line = |end: &str| format!("{HEAD}{head}{end}");
    testing::check(&own, &line(whole), &[(Field::CUT, "<absent>"), (Field::STATUS, "200")]);
    // Behind `ua=` alone the header may have been empty.
    let cuts = (1..whole.len()).map(|len| &whole[..len]).filter(|cut| !cut.ends_with("ua="));
    for cut in cuts {
        let mut expected = vec![(Field::CUT, "1"), (Field::STATUS, "200"), (Field::BYTES, "9")];
        if cut.len() > " {a|b".len() {
            expected.push((Field::REQUEST_CAPTURES, "a|b"));
        }
        if cut.len() > " {a|b} {c} \"GET ".len() {
            expected.push((Field::METHOD, "GET"));
        }
        testing::check(&own, &line(cut), &expected);
    }
    // Too early: the status is not there. A line of the usual length is no line that was cut.
    let refused = |text: &str| testing::refusal(&own, text);
    let late = r#"%ci:%cp [%tr] %ft %b/%s "%HM %HU %HV" %ST %tsc"#;
    let late = Haproxy::new("late", late).unwrap();
    let long = format!(
        "{HEAD}198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s \"GET /{}",
        "x".repeat(960)
    );
    assert_eq!(testing::refusal(&late, &long), Some(Reason::Truncated));
    assert_eq!(refused(&line(whole)[..HEAD.len() + 60]), Some(Reason::Truncated));
}

/// The layouts as definitions read what the code for them reads.
#[test]
fn the_fast_parser_equals_its_twin() {
    let text = fixture("haproxy.log");
    let twin = Haproxy::new("twin", template::HTTP).unwrap();
    let fields = Fields::of(session::FIELDS);
    let (fast, account) = read(&Haproxy::built_in(), &text, fields);
    assert_eq!(fast, read(&twin, &text, fields).0);
    assert_eq!(account.counted.records, 151);
}

/// What the code for the usual line reads, and what it leaves to the code for all lines, is what the definition reads.
#[test]
fn the_usual_line_equals_its_twin() {
    let twin = Haproxy::new("twin", template::HTTP).unwrap();
    let fields = Fields::of(session::FIELDS);
    for (timers, tail) in [
        ("0/0/1/57/59", r#""GET /a?b=1?c HTTP/1.1""#),
        ("10/200/3000/40000/50000", r#"{h|} "GET /a HTTP/1.1""#),
        ("0/0/1/57/+59", r#"{h} {x y} "POST / HTTP/2.0""#),
        ("0/-1/-1/-1/0", r#""<BADREQ>""#),
        ("1/2/3/4/5", r#""GET http://h/a?b HTTP/1.0""#),
        ("1/2/3/4/5", r#""GET /old""#),
        ("1/2/3/4/5", r#""get /a HTTP/1.1""#),
        ("1/2/3/4/5", r#""GET /a b HTTP/1.1""#),
        ("1/2/3/4/5", r#""OPTIONS * HTTP/1.1""#),
        ("1/2/3/4/5", r#""GET /?HTTP/1.1""#),
        ("99999/99999/99999/99999/99999999", r#""M-SEARCH /a HTTP/1.1""#),
        ("1/2/3/4/5", r#"{h} "GET /a HTTP/2.0" 0/0000000000000000/0/0/0 h/TLSv1.3/AES"#),
    ] {
        for (names, bytes, state, connections) in [
            ("www app/s1", "8812", "----", "41/40/12/3/0"),
            ("www~ app/<NOSRV>", "0", "--VN", "1/1/1/1/+1"),
            ("www~ app/", "123456789012", "LR--", "100000/1/1/1/2"),
            ("a-very-long-name /x", "+12", "sH--", "0/0/0/0/0"),
        ] {
            for client in ["198.51.100.4:52110", "2001:db8::7:1", "unix:3", "a:00080"] {
                let line = format!(
                    "{HEAD}{client} [07/Mar/2024:09:15:02.418] {names} {timers} 200 {bytes} - x=y {state} {connections} 0/0 {tail}\n"
                );
                let (fast, slow) = (
                    read(&Haproxy::built_in(), line.as_bytes(), fields),
                    read(&twin, line.as_bytes(), fields),
                );
                assert_eq!(fast.0, slow.0, "{line}");
                assert_eq!(fast.0.len(), 1, "{line}");
            }
        }
    }
}

#[test]
fn wanting_less_changes_nothing() {
    for name in ["haproxy.log", "clf.log", "haproxy.grammar.log"] {
        let text = fixture(name);
        for field in Haproxy::built_in().fields().iter() {
            check_wanting_less(&Haproxy::built_in(), &text, Fields::of(&[field]));
        }
    }
}

#[test]
fn every_fixture_is_recognised() {
    for name in ["haproxy.log", "rfc5424.log", "raw.log", "naive.log", "clf.log", "own.log"] {
        let clock = Clock::new(chrono_tz::UTC, 0);
        let found = crate::format::detect::detect(&fixture(name), true, &clock).unwrap();
        assert_eq!(found.format.name(), "haproxy", "{name}");
    }
}

/// A line whose many fits would take for ever is refused.
#[test]
fn a_hostile_line_ends() {
    let format = Haproxy::new("own", "%[src] %[a] %[b] %[c] %[d] %[e] %[f] %ST!").unwrap();
    let text = "x ".repeat(5_000);
    assert_eq!(read(&format, text.as_bytes(), format.fields()).0.len(), 0);
}

/// Mutation found these: a space more in the stamp of a line whose names are known, a message that is not there, and a
/// tag of no bytes. Each once broke the arithmetic of the fast path.
#[test]
fn damaged_envelopes_are_read_as_far_as_they_go() {
    let head = "Nov 23 09:39:45 lb1 haproxy[122]: ";
    let session = "198.51.100.4:1 [23/Nov/2026:09:39:45.519] www a/s 0/0/1/2/3 200 5 - - ---- 2/2/0/0/0 0/0 \"GET / HTTP/1.1\"";
    let first = format!("{head}{session}\n");
    for second in ["No  23 09:39:45 lb1 haproxy[122]: ", "Nov 23 09 39:45 lb1 haproxy[122]: ", head]
    {
        let account = read(
            &Haproxy::built_in(),
            format!("{first}{second}{session}\n").as_bytes(),
            Fields::of(session::FIELDS),
        )
        .1;
        assert!(account.counted.records >= 1, "{second}");
    }
    for rest in [
        format!("{head}\n"),
        format!("{head}   \n"),
        "Nov 23 09:39:45 lb1 : x\n".into(),
        "Nov 23 09:39:45 : rsyslogd\n".into(),
    ] {
        read(
            &Haproxy::built_in(),
            format!("{first}{rest}{first}").as_bytes(),
            Haproxy::built_in().fields(),
        );
    }
}

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let own = r#"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %hr %hs %{+Q}r id=%ID %HQ"#;
    let own = Haproxy::new("own", own).unwrap();
    for name in ["haproxy.log", "clf.log", "haproxy.grammar.log", "rfc5424.log"] {
        let text = fixture(name);
        // Some of the lines, so that a few bytes of damage are some of them.
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').step_by(9).collect();
        for format in [&Haproxy::built_in(), &own] {
            testing::check_damaged(format, &lines.join(&b'\n'));
        }
    }
}

#[test]
fn a_backend_in_quotes() {
    let line = "[ALERT]    (15658) : backend 'app' has no server available!";
    check(line, &[(Field::BACKEND, "app"), (Field::KIND, "no_server")]);
}

#[test]
fn stamps_of_the_log_formats_iso_and_timed() {
    let session = "::1:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 \"GET /a HTTP/1.1\"";
    for stamp in ["2024-03-07T09:15:02.419221+01:00", "2024-03-07T09:15:02.419221Z"] {
        check(
            &format!("{stamp} {session}"),
            &[
                (Field::CLIENT, "::1"),
                (Field::PATH, "/a"),
                (Field::LOGHOST, "<absent>"),
                (Field::TIME, "1709802902418000"),
            ],
        );
    }
    check(
        "2024-03-07T09:15:02.419221+01:00 Server app/s is DOWN. 1 active and 0 backup servers left.",
        &[(Field::KIND, "server_down"), (Field::TIME, "1709799302419221")],
    );
}

#[test]
fn a_path_with_its_query_behind_it() {
    let lines = [
        ("GET /a HTTP/1.1", "/a", "<absent>"),
        ("GET /a?b?c HTTP/1.1", "/a", "b?c"),
        ("GET /a? HTTP/1.1", "/a", ""),
        ("<BADREQ> <BADREQ> <BADREQ>", "<absent>", "<absent>"),
    ];
    for layout in ["%ci %ST %HM %HP%HQ %HV", "%ci %ST %HM %HU %HV", "%ci %ST %HM %[pathq] %HV"] {
        let own = Haproxy::new("own", layout).unwrap();
        for (request, path, query) in lines {
            let expected = [(Field::PATH, path), (Field::QUERY, query), (Field::STATUS, "200")];
            testing::check(&own, &format!("{HEAD}198.51.100.4 200 {request}"), &expected);
        }
    }
}

/// A configuration's frontends write into one log; of each line the definition that fits is found again.
#[test]
fn several_definitions_and_escaped_values() {
    let json = r#""{\\"c\\":\\"%ci\\",\\"s\\":%ST,\\"p\\":\\"%[var(txn.path),json]\\",\\"ua\\":%{+Q,+E}[req.hdr(user-agent)],\\"id\\":\\"%ID\\"}""#;
    let json = &json.replace("\\\\", "\\");
    let define = |text: &str, language| Definition {
        name: "www".to_owned(),
        text: text.to_owned(),
        language,
        place: crate::format::web::conf::Place { file: "haproxy.cfg".into(), line: 1 },
    };
    let definitions = [
        define("%ci %ST %HM %HP%HQ", Language::Haproxy),
        define(json, Language::Haproxy),
        define("%b%s", Language::Haproxy),
        define("%ci:%cp [%tr] %ft %[fc_err]", Language::HaproxyErrors),
    ];
    let (format, problems) = from_definitions(&definitions.each_ref()).unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].0, 2);
    let check = |line: &str, expected: &[(Field, &str)]| {
        testing::check(&*format, &format!("{HEAD}{line}"), expected);
    };
    check("198.51.100.4 200 GET /a?b", &[(Field::STATUS, "200"), (Field::PATH, "/a")]);
    check(
        r#"{"c":"198.51.100.4","s":404,"p":"\/x\u00e9","ua":"say \"hi\",\"id\":\"no\"\} \\","id":"7"}"#,
        &[
            (Field::STATUS, "404"),
            (Field::PATH, "/xé"),
            (Field::AGENT, r#"say "hi","id":"no"} \"#),
            (Field::REQUEST_ID, "7"),
        ],
    );
    check(
        "198.51.100.4:77 [07/Mar/2024:09:15:02.418] www~ 32",
        &[
            (Field::KIND, "tls_handshake"),
            (Field::CLASS, "warn"),
            (Field::FRONTEND, "www"),
            (Field::TIME, "1709802902418000"),
        ],
    );
    check(
        "198.51.100.4:1 [07/Mar/2024:09:15:02.418] www app/s 0/0/0/1/1 200 9 - - ---- 1/1/1/1/0 0/0 \"GET /a HTTP/1.1\"",
        &[(Field::KIND, "http_2xx"), (Field::PATH, "/a"), (Field::CLIENT_PORT, "1")],
    );
    check(
        "Proxy www stopped (cumulated conns: FE: 4, BE: 0).",
        &[(Field::KIND, "lifecycle"), (Field::ACTION, "stopped"), (Field::BACKEND, "www")],
    );
    check(
        "198.51.100.4:1 [07/Mar/2024:09:15:02.418] www/1: SSL handshake failure",
        &[(Field::KIND, "tls_handshake"), (Field::FRONTEND, "www")],
    );
}

/// Every line behind HAProxy's tag was one of HAProxy, so that a log of its sessions in an own layout was read as one of
/// remarks, without a word.
#[test]
fn sessions_in_an_unknown_layout_are_not_claimed() {
    let format = Haproxy::built_in();
    let own = format!("{HEAD}time=1 client=198.51.100.4 status=200\n");
    let known = format!("{HEAD}backend app has no server available!\n");
    let remark = format!("{HEAD}New worker (77) forked\n");
    assert_eq!(format.claims(format!("{own}{own}{known}").as_bytes()), Some(1));
    assert_eq!(format.claims(format!("{known}{known}{remark}").as_bytes()), None);
    assert_eq!(Haproxy::new("own", "%ci %ST").unwrap().claims(own.as_bytes()), None);
}

#[test]
fn names_that_resolve_and_workers() {
    for (text, class, kind, action, server) in [
        (
            "Server app/s ('s.example') is UP/READY (resolves again).",
            "ok",
            "lifecycle",
            "ready",
            "s",
        ),
        (
            "Server app/s administratively READY thanks to valid DNS answer.",
            "ok",
            "lifecycle",
            "ready",
            "s",
        ),
        ("Server app/s under maintenance.", "ok", "lifecycle", "maintenance", "s"),
        (
            "app/s changed its IP from (none) to 192.0.2.7 by dns/ns1.",
            "ok",
            "lifecycle",
            "<absent>",
            "s",
        ),
        (
            "Detected 10 consecutive errors, last one was: L7 response error. Server app/s is DOWN.",
            "warn",
            "health_fail",
            "<absent>",
            "s",
        ),
        ("New worker (77) forked", "ok", "lifecycle", "<absent>", "<absent>"),
        (
            "Current worker (77) exited with code 139 (Segmentation fault)",
            "error",
            "lifecycle",
            "<absent>",
            "<absent>",
        ),
        ("Former worker (77) exited with code 0 (Exit)", "ok", "lifecycle", "<absent>", "<absent>"),
    ] {
        let expected = [
            (Field::CLASS, class),
            (Field::KIND, kind),
            (Field::ACTION, action),
            (Field::SERVER, server),
        ];
        check(&format!("{HEAD}{text}"), &expected);
    }
}
