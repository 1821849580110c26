//! Envelopes in every spelling, and lines that must stay whole.

use super::*;
use proptest::prelude::*;

const MESSAGE: &[u8] = b"2024/03/07 09:15:02 [error] 7#7: *9 oops";

fn utc(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn instant(peeled: Peeled<'_>) -> Option<i64> {
    let clock = Clock::new(chrono_tz::UTC, utc("2024-06-01T00:00:00Z"));
    Stamps::new(clock).instant(peeled.stamp?)
}

/// Peels `around` with the message in place of `@` and checks that exactly the message is left.
fn check<'a>(around: &str, room: &'a mut Vec<u8>) -> Peeled<'a> {
    let message = std::str::from_utf8(MESSAGE).unwrap();
    *room = around.replace('@', message).into_bytes();
    let peeled = peel(room);
    assert_eq!(peeled.message, MESSAGE, "{around}");
    peeled
}

#[test]
fn tags_with_nothing_in_front() {
    let mut room = Vec::new();
    for (line, tag, pid) in [
        ("haproxy[77]: @", "haproxy", 77),
        ("postfix/smtpd[991]: @", "postfix/smtpd", 991),
        ("nginx[7]: message repeated 2 times: [ @]", "nginx", 7),
    ] {
        let peeled = check(line, &mut room);
        assert_eq!((peeled.tag, peeled.pid), (Some(tag.as_bytes()), Some(pid)), "{line}");
        assert_eq!((peeled.host, peeled.stamp), (None, None), "{line}");
    }
    for line in ["haproxy: x", "a b[7]: x", "backend[7] x", "b[x]: y"] {
        assert_eq!(peel(line.as_bytes()).message, line.as_bytes(), "{line}");
    }
    // What a program says in brackets behind its tag is its own.
    let inner = peel(b"Mar  7 09:15:02 lb haproxy[77]: backend[9]: x");
    assert_eq!((inner.tag, inner.message), (Some(&b"haproxy"[..]), &b"backend[9]: x"[..]));
}

#[test]
fn files_of_syslog_daemons() {
    let mut room = Vec::new();
    for (line, host, tag, pid) in [
        ("Mar  7 09:15:02 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("Mar  7 09:15:02 nginx[77]: @", None, "nginx", Some(77)),
        ("Mar  7 09:15:02 2001:db8::7 nginx: @", Some("2001:db8::7"), "nginx", None),
        ("Mar  7 09:15:02 a/b hapee-lb[1]: @", Some("a/b"), "hapee-lb", Some(1)),
        ("Mar  7 09:15:02 h x[7]: [ID 197553 mail.info] @", Some("h"), "x", Some(7)),
        ("2024-03-07T09:15:02.000000+00:00 web1 nginx: @", Some("web1"), "nginx", None),
        ("2024-03-07T09:15:02+0000 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("2024-03-07T09:15:02Z web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("2024 Mar 07 09:15:02.000 web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("Mar  7 09:15:02 web1 local7.err nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("Mar  7 09:15:02 web1 daemon.info nginx: @", Some("web1"), "nginx", None),
        ("Mar  7 09:15:02 <local7.err> web1 nginx[77]: @", Some("web1"), "nginx", Some(77)),
        ("2024-03-07T09:15:02+00:00 web1 user.notice nginx: @", Some("web1"), "nginx", None),
    ] {
        let peeled = check(line, &mut room);
        assert_eq!(peeled.host, host.map(str::as_bytes), "{line}");
        assert_eq!((peeled.tag, peeled.pid), (Some(tag.as_bytes()), pid), "{line}");
        assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02Z")), "{line}");
        assert_eq!((peeled.repeat, peeled.is_noise), (1, false), "{line}");
    }
}

/// `RSYSLOG_SyslogProtocol23Format` of a client that speaks RFC 3164. What is indented stays so.
#[test]
fn a_template_may_put_a_second_space_before_the_message() {
    for (spaces, message) in [(" ", "x"), ("  ", "x"), ("    ", "  x")] {
        let line = format!("<134>1 2024-03-07T09:15:02Z lb1 haproxy 77 - -{spaces}x");
        assert_eq!(peel(line.as_bytes()).message, message.as_bytes(), "{line}");
    }
}

#[test]
fn raw_syslog_says_its_severity() {
    let mut room = Vec::new();
    for line in [
        "<187>Mar  7 09:15:02 web1 nginx: @",
        "<187>Mar  7 09:15:02 nginx: @",
        "<187>Mar  7 09:15:02 nginx: @\0",
        "96 <187>Mar  7 09:15:02 web1 nginx: @",
        "1234 <187>nginx: @",
        "<187>2024-03-07T09:15:02Z nginx[3]: @",
        "<187>nginx: @",
        "<187>@",
        "<187>1 2024-03-07T09:15:02.5Z web1 nginx 77 - - @",
        "<187>1 - - nginx - - [a@1 b=\"\\\"]\" c=\"x\"][d] \u{feff}@",
    ] {
        let line = line.replace("[a@1", "[a\u{1}1");
        let peeled = check(&line, &mut room);
        assert_eq!(peeled.severity, Some(3), "{line}");
        let says_tag = line.contains("nginx");
        assert_eq!(peeled.tag, says_tag.then_some(&b"nginx"[..]), "{line}");
    }
    let line = b"<134>1 2024-03-07T09:15:02.5+01:00 lb1 haproxy 77 - - x";
    let peeled = peel(line);
    assert_eq!((peeled.host, peeled.pid), (Some(&b"lb1"[..]), Some(77)));
    assert_eq!(instant(peeled), Some(utc("2024-03-07T08:15:02.5Z")));
    assert_eq!(peel(b"<192>x").severity, None);
    for line in
        ["Mar  7 09:15:02 web1 local7.err nginx: @", "Mar  7 09:15:02 <mail.err> web1 nginx: @"]
    {
        assert_eq!(check(line, &mut room).severity, Some(3), "{line}");
    }
}

#[test]
fn wrappers_of_containers() {
    let mut room = Vec::new();
    for line in [
        "2024-03-07T08:15:02.418123456Z stdout F @",
        "2024-03-07T08:15:02.4181Z stderr P @",
        "2024-03-07T08:15:02.418123456Z @",
        "web-1  | @",
        "nginx       | @",
        "lb          | <13>Mar  7 09:15:02 web1 nginx: @",
        "shop_web_1 | <13>Mar  7 09:15:02 web1 nginx: @",
    ] {
        check(line, &mut room);
    }
}

#[test]
fn doubled_envelopes_say_the_inner_host() {
    let mut room = Vec::new();
    let peeled = check("Mar  7 09:15:02 relay nginx[77]: web1 nginx: @", &mut room);
    assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
    check("Mar  7 09:15:02 web1 nginx: nginx: @", &mut room);
    let line = "<190>Mar  7 09:15:02 relay Mar  7 09:15:01 web1 nginx: @";
    let peeled = check(line, &mut room);
    assert_eq!(peeled.host, Some(&b"web1"[..]));
    assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:01Z")));
}

#[test]
fn folded_lines_stand_for_several() {
    let mut room = Vec::new();
    let line = "Mar  7 09:15:02 web1 nginx: message repeated 3 times: [ @]";
    assert_eq!(check(line, &mut room).repeat, 3);
    let line = "Mar  7 09:15:02 web1 nginx: message repeated 99999999999 times: [@]";
    assert_eq!(check(line, &mut room).repeat, MOST_REPEATS);
    let line = "Mar  7 09:15:02 web1 nginx: message repeated 0 times: [@]";
    assert_eq!(check(line, &mut room).repeat, 1);
    assert_eq!(repeats_before(b"last message repeated 3 times"), Some(3));
    assert_eq!(repeats_before(b"last message repeated x times"), None);
}

#[test]
fn the_instance_is_told_from_the_program() {
    let peeled = peel(b"Mar  7 09:15:02 mx postfix/submission/smtpd[9911]: connect from x");
    assert_eq!(peeled.program(), Some(&b"smtpd"[..]));
    assert_eq!(peeled.instance(), Some(&b"postfix/submission"[..]));
    let peeled = peel(b"Mar  7 09:15:02 mx nginx: x");
    assert_eq!((peeled.program(), peeled.instance()), (Some(&b"nginx"[..]), None));
}

#[test]
fn lines_about_the_log() {
    for line in [
        &b"Mar  7 09:15:02 web1 last message repeated 3 times"[..],
        b"Mar  7 09:15:02 last message repeated 3 times",
        b"Mar  7 09:15:02 web1 -- MARK --",
        b"Mar  7 00:00:00 web1 newsyslog[99]: logfile turned over due to size>100K",
        b"Mar  7 00:00:00 web1 rsyslogd: [origin software=\"rsyslogd\"] start",
        b"-- Logs begin at Thu 2024-03-07 09:15:02 UTC. --",
        b"-- Reboot --",
        b"-- Boot 3f2a --",
    ] {
        assert!(peel(line).is_noise, "{}", line.escape_ascii());
    }
}

#[test]
fn the_servers_own_lines_stay_whole() {
    for line in [
        MESSAGE,
        b"",
        b"203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
        b"[Thu Mar 07 09:15:02 2024] [error] x",
        b"nginx: [emerg] bind() to 0.0.0.0:80 failed",
        b"Stack trace:",
        b"select a | b",
        b"flags | 2 and other.bits",
        b"flags | [x",
        b"2024-03-07T08:15:02.418123Z 0 [Note] InnoDB: x: y",
        b"2024-03-07T08:15:02.418123+01:00 0 [Note] x: y",
        b"2024-03-07T08:15:02.418123Z\t    5 Query\tselect 1",
        b"2024-03-07T09:15:02.418 queries: info: client 192.0.2.7#53: query: a IN A",
        b"2024-03-07T09:15:02.418 client 192.0.2.7#53: query: a IN A",
        b"2024-03-07T08:15:02.418Z zone example.org/IN: loaded serial 3",
        b"2024-03-07  9:15:02 5 [Warning] Aborted connection",
        b"07-Mar-2024 09:15:02.418 queries: info: x",
        b"-- a comment",
        b"<html>",
    ] {
        assert_eq!(peel(line), Peeled::plain(line), "{}", line.escape_ascii());
    }
}

#[test]
fn an_impossible_stamp_is_told_when_it_is_read() {
    assert_eq!(instant(peel(b"Feb 30 09:15:02 web1 nginx: x")), None);
    assert_eq!(instant(peel(b"Mar  7 09:75:02 web1 nginx: x")), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(parts in proptest::collection::vec(
        prop_oneof!["<[0-9]{0,4}>", "[\\[\\]a-z \"\\\\:-]{0,9}", ".{0,9}", prop_oneof![
            "1 ", "Mar  7 09:15:02 ", "2024-03-07T09:15:02Z ", "web1 ", "nginx[7]: ",
        ]], 0..8,
    )) {
        let line = parts.concat();
        let peeled = peel(line.as_bytes());
        let _ = (peeled.program(), peeled.instance(), instant(peeled));
        prop_assert!(line.len() >= peeled.message.len());
    }
}

/// `journalctl -o short-precise` and `-o short-full` left their stamps on the line.
#[test]
fn stamps_of_journalctl() {
    let mut room = Vec::new();
    let peeled = check("Mar 07 09:15:02.418123 web1 nginx[77]: @", &mut room);
    assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
    assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02.418123Z")));
    let mut stamps = Stamps::new(Clock::new(chrono_tz::UTC, utc("2024-06-01T00:00:00Z")));
    for (text, wanted) in [
        ("Mar 07 09:15:02.5", 2_500_000),
        ("Mar 07 09:15:03", 3_000_000),
        ("Mar 07 09:15:02.25", 2_250_000),
    ] {
        let stamp = Stamp { text: text.as_bytes(), spelling: Spelling::Yearless };
        assert_eq!(stamps.instant(stamp), Some(utc("2024-03-07T09:15:00Z") + wanted), "{text}");
    }
    let peeled = check("Thu 2024-03-07 09:15:02 CET web1 nginx[77]: @", &mut room);
    assert_eq!((peeled.host, peeled.pid), (Some(&b"web1"[..]), Some(77)));
    assert_eq!(instant(peeled), Some(utc("2024-03-07T09:15:02Z")));
}
