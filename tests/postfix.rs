//! Mail logs, from the file to the answer: the traps that summaries of Postfix logs fall into, one by one, and the
//! numbers of pflogsumm where it is right, beside a record of where it is wrong.
#![allow(clippy::print_stderr)] // A test that leaves something out has to say so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use logmill::document::{Cell, Document, Table};
use logmill::generate::{self, Spec};
use logmill::plan::{Plan, Question, Request};

fn document_of(path: &Path, filters: &[&str]) -> Document {
    let mut request = Request::new(Question::Report, [path]);
    request.asked.options.limit = 0;
    request.asked.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    // 27 November 2026: stamps without a year are of the twelve months before.
    request.now = 1_795_737_600_000_000;
    Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document()
}

/// The full report of a log of these lines.
fn document(text: &str) -> Document {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    fs::write(&path, text).unwrap();
    document_of(&path, &[])
}

/// The report of lines that are given without what stands in front of `postfix/…`, a second apart.
fn told(lines: &[&str]) -> Document {
    let stamped = lines.iter().enumerate().map(|(second, line)| {
        format!("Mar  7 09:{:02}:{:02} mx1 {line}\n", 15 + second / 60, second % 60)
    });
    document(&stamped.collect::<String>())
}

fn fact(document: &Document, section: &str, name: &str) -> Cell {
    let section = document.section(section).unwrap_or_else(|| panic!("no section '{section}'"));
    section.fact(name).unwrap_or_else(|| panic!("no fact '{name}'")).clone()
}

fn table<'d>(document: &'d Document, name: &str) -> &'d Table {
    let section = document.section(name).unwrap_or_else(|| panic!("no section '{name}'"));
    section.as_table().unwrap_or_else(|| panic!("'{name}' is no table"))
}

fn column(document: &Document, name: &str, column: &str) -> Vec<Cell> {
    let table = table(document, name);
    let at = table.column(column);
    let at = at.unwrap_or_else(|| panic!("no column '{column}' in '{name}'"));
    table.rows.iter().map(|row| row[at].clone()).collect()
}

fn texts(document: &Document, name: &str, wanted: &str) -> Vec<String> {
    let text = |cell: Cell| match cell {
        Cell::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        Cell::Empty => String::new(),
        other => panic!("{other:?} is no text"),
    };
    column(document, name, wanted).into_iter().map(text).collect()
}

fn counts(document: &Document, name: &str, wanted: &str) -> Vec<u64> {
    let number = |cell: Cell| match cell {
        Cell::Count(number) | Cell::Bytes(number) => number,
        other => panic!("{other:?} is no count"),
    };
    column(document, name, wanted).into_iter().map(number).collect()
}

fn check(document: &Document, section: &str, expected: &[(&str, u64)]) {
    for (name, number) in expected {
        let found = fact(document, section, name);
        let is_same = matches!(found, Cell::Count(n) | Cell::Bytes(n) if n == *number);
        assert!(is_same, "{name} of {section} is {found:?} and not {number}");
    }
}

/// A message that a client brings and that is delivered.
const MESSAGE: [&str; 4] = [
    "postfix/smtpd[9]: A710A9AE097: client=mx.a.example[192.0.2.7]",
    "postfix/qmgr[1]: A710A9AE097: from=<jo@a.example>, size=1000, nrcpt=1 (queue active)",
    "postfix/smtp[2]: A710A9AE097: to=<u@b.example>, relay=mx.b.example[192.0.2.8]:25, delay=0.5, delays=0.1/0/0.3/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as B710A9AE097)",
    "postfix/qmgr[1]: A710A9AE097: removed",
];

/// Rejects that have no queue id, or are of the whole message.
const REFUSED: [&str; 4] = [
    "postfix/smtpd[9]: NOQUEUE: milter-reject: RCPT from unknown[192.0.2.7]: 451 4.7.1 Service unavailable - try again later; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>",
    "postfix/smtpd[9]: NOQUEUE: milter-reject: CONNECT from unknown[192.0.2.7]: 554 5.7.1 no; proto=SMTP",
    "postfix/smtpd[9]: proxy-reject: END-OF-MESSAGE: 550 5.7.1 virus; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>",
    "postfix/cleanup[9]: A710A9AE097: reject: mime-error improper use of 8-bit data in message header: Subject: x from unknown[192.0.2.7]; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>",
];

/// The same as Postfix 3.11 writes it, with a key that was not there before.
fn of_3_11() -> Vec<String> {
    let key = "0.1/0/0.3/0.1, tls=may/verified, dsn";
    MESSAGE.iter().map(|line| line.replace("0.1/0/0.3/0.1, dsn", key)).collect()
}

fn lines(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn trap_56_tls_of_3_11_hides_no_delivery() {
    let document = told(&lines(&of_3_11()));
    check(&document, "mail", &[("received", 1), ("delivered", 1)]);
    check(&document, "queue", &[("bytes_delivered", 1_000), ("removed", 1), ("left", 0)]);
    assert_eq!(texts(&document, "tls_features", "tls"), ["may/verified"]);
}

#[test]
fn trap_56_services_and_instances_of_any_name() {
    let mut text = Vec::new();
    for (nth, tag) in
        ["postfix/submissions", "postfix/relay", "postfix-mx/content-filter", "outbound"]
            .iter()
            .enumerate()
    {
        text.push(format!("{tag}/smtpd[9]: A710A9AE09{nth}: client=a[192.0.2.7]"));
        text.push(MESSAGE[1].replace("A710A9AE097", &format!("A710A9AE09{nth}")));
    }
    let document = told(&lines(&text));
    check(&document, "mail", &[("received", 4)]);
    let mut instances = texts(&document, "instances", "instance");
    instances.sort();
    let expected = [
        "outbound",
        "postfix",
        "postfix-mx/content-filter",
        "postfix/relay",
        "postfix/submissions",
    ];
    assert_eq!(instances, expected);
    assert_eq!(texts(&document, "senders", "sender"), ["jo@a.example"]);
}

#[test]
fn trap_56_a_short_id_that_comes_again_is_another_message() {
    let other = MESSAGE.map(|line| line.replace("jo@a", "al@c").replace("size=1000", "size=70"));
    let all: Vec<&str> = MESSAGE.into_iter().chain(other.iter().map(String::as_str)).collect();
    let document = told(&all);
    check(&document, "queue", &[("messages", 2), ("bytes_received", 1_070), ("removed", 2)]);
    assert_eq!(texts(&document, "senders", "sender"), ["al@c.example", "jo@a.example"]);
    // On another host it is another message too, at the same time.
    let elsewhere =
        MESSAGE.map(|line| format!("Mar  7 09:15:00 mx2 {line}\nMar  7 09:15:00 mx1 {line}\n"));
    check(&self::document(&elsewhere.concat()), "queue", &[("messages", 2), ("removed", 2)]);
}

#[test]
fn trap_56_expired_soft_bounces_and_probes_are_what_they_are() {
    let line = |status: &str, dsn: &str| {
        format!(
            "postfix/smtp[2]: A710A9AE097: to=<u@b.example>, relay=none, delay=5, delays=1/0/4/0, dsn={dsn}, status={status} (host gone)"
        )
    };
    let text = [
        line("SOFTBOUNCE", "5.1.1"),
        line("deliverable", "2.0.0"),
        line("undeliverable", "4.4.1"),
        "postfix/qmgr[1]: A710A9AE097: from=<a@b.example>, status=expired, returned to sender".into(),
        "postfix/qmgr[1]: A710A9AE098: from=<a@b.example>, status=force-expired, returned to sender".into(),
    ];
    let document = told(&lines(&text));
    let expected =
        [("delivered", 0), ("deferred", 1), ("bounced", 0), ("expired", 2), ("verified", 2)];
    check(&document, "mail", &expected);
    check(&document, "queue", &[("deliveries", 0), ("deferrals", 1), ("expired_messages", 2)]);
    let mut probed = texts(&document, "verifications", "delivery");
    probed.sort();
    assert_eq!(probed, ["deliverable", "undeliverable"]);
}

/// Rejects that pflogsumm leaves out, so that it has fewer.
#[test]
fn rejects_by_milters_and_proxies_count() {
    for refused in REFUSED {
        check(&told(&[refused]), "mail", &[("rejected", 1)]);
    }
}

#[test]
fn trap_56_many_recipients_and_content_filters() {
    let to = |user: &str| MESSAGE[2].replace("u@b", &format!("{user}@b"));
    let text = [
        MESSAGE[0].to_owned(),
        MESSAGE[1].replace("nrcpt=1", "nrcpt=3"),
        to("u"),
        to("v"),
        to("w").replace("mx.b.example[192.0.2.8]:25", "127.0.0.1[127.0.0.1]:10024"),
        "postfix/smtpd[9]: B710A9AE097: client=localhost[127.0.0.1], orig_queue_id=A710A9AE097, orig_client=mx.a.example[192.0.2.7]".to_owned(),
        MESSAGE[1].replace("A710", "B710"),
        MESSAGE[3].to_owned(),
    ];
    let document = told(&lines(&text));
    check(&document, "mail", &[("received", 2), ("delivered", 3)]);
    let expected =
        [("messages", 2), ("resubmitted", 1), ("deliveries", 3), ("bytes_delivered", 3_000)];
    check(&document, "queue", &expected);
    assert_eq!(texts(&document, "delivery_programs", "program"), ["smtp"]);
    assert_eq!(counts(&document, "delivery_programs", "bytes"), [3_000]);
}

#[test]
fn trap_56_folded_lines_count_as_often_as_they_happened() {
    let lost = "postfix/smtpd[9]: lost connection after AUTH from unknown[203.0.113.24]";
    let folded = format!(
        "postfix/smtpd[9]: message repeated 3 times: [ {}]",
        &lost["postfix/smtpd[9]: ".len()..]
    );
    let document = told(&[
        lost,
        "last message repeated 2 times",
        &folded,
        "postfix/qmgr[1]: A710A9AE097: removed",
        "--- last message repeated 1 time ---",
        "sshd[7]: Accepted",
        "last message repeated 5 times",
    ]);
    check(&document, "mail", &[("lost_connections", 6)]);
    assert_eq!(counts(&document, "broken_clients", "count"), [6]);
    let ledger = table(&document, "ledger");
    assert!(ledger.rows.iter().any(|row| row[0] == Cell::text("read") && row[1] == Cell::Count(4)));
}

#[test]
fn trap_56_reasons_without_what_is_different_each_time() {
    let text: Vec<String> = (0..5)
        .map(|nth| format!("postfix/smtp[2]: A710A9AE09{nth}: to=<u{nth}@b.example>, relay=mx{nth}.b.example[192.0.2.{nth}]:25, delay=5, delays=1/0/4/0, dsn=4.2.0, status=deferred (host mx{nth}.b.example[192.0.2.{nth}] said: 450 4.2.0 <u{nth}@b.example>: Recipient address rejected: Greylisted, see http://grey.example/{nth}.html (in reply to RCPT TO command))"))
        .collect();
    let document = told(&lines(&text));
    assert_eq!(counts(&document, "deferrals", "count"), [5]);
    assert_eq!(texts(&document, "deferrals", "category"), ["greylist"]);
    let rejects: Vec<String> = (0..4)
        .map(|nth| format!("postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[203.0.113.{nth}]: 554 5.7.1 Service unavailable; Client host [203.0.113.{nth}] blocked using zen.example; https://z.example/q/203.0.113.{nth}; from=<a@b.example> to=<u@c.example> proto=ESMTP helo=<h{nth}>"))
        .collect();
    let document = told(&lines(&rejects));
    assert_eq!(counts(&document, "rejects", "count"), [4]);
    assert_eq!(texts(&document, "reject_kinds", "category"), ["dnsbl"]);
    assert_eq!(texts(&document, "lists", "rule"), ["zen.example"]);
    assert_eq!(counts(&document, "rejected_clients", "count"), [1; 4]);
}

#[test]
fn trap_56_sizes_are_exact() {
    let large = MESSAGE.map(|line| line.replace("size=1000", "size=73400321"));
    let document = told(&lines(&large));
    check(&document, "queue", &[("bytes_received", 73_400_321), ("bytes_delivered", 73_400_321)]);
}

#[test]
fn trap_56_what_3_10_changed() {
    let document = told(&[
        "postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[203.0.113.24]: 550 5.1.1 <x@y.example>: Recipient address rejected: User unknown; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=jo smith",
        "postfix/smtpd[9]: NOQUEUE: lost connection after RCPT from unknown[203.0.113.24]",
        // The notification before the first line of the new message.
        "postfix/bounce[3]: A710A9AE097: sender non-delivery notification: B710A9AE097",
        "postfix/cleanup[3]: B710A9AE097: message-id=<1@mx1>",
        "postfix/qmgr[1]: B710A9AE097: from=<>, size=2000, nrcpt=1 (queue active)",
        "postfix/smtp[2]: B710A9AE097: to=<a@b.example>, relay=none, delay=5, delays=1/0/4/0, dsn=5.4.4, status=bounced (Host not found)",
        "postfix/qmgr[1]: B710A9AE097: removed",
        "postfix/bounce[3]: C710A9AE097: sender non-delivery notification failed",
    ]);
    let expected = [
        ("rejected", 1),
        ("lost_connections", 1),
        ("notifications", 1),
        ("notifications_failed", 1),
    ];
    check(&document, "mail", &expected);
    assert_eq!(texts(&document, "notification_chains", "about"), ["A710A9AE097"]);
    assert_eq!(texts(&document, "notification_chains", "outcome"), ["bounced"]);
    let refused =
        [texts(&document, "refused", "what"), texts(&document, "refused", "who")].concat();
    assert_eq!(refused, ["Recipient", "x@y.example"]);
}

#[test]
fn trap_52_addresses_may_hold_anything() {
    let odd = MESSAGE.map(|line| line.replace("u@b", "\"odd>, user\"@b"));
    let document = told(&lines(&odd));
    check(&document, "mail", &[("delivered", 1)]);
    assert_eq!(texts(&document, "recipients", "recipient"), ["\"odd>, user\"@b.example"]);
    assert_eq!(texts(&document, "recipient_domains", "recipient_domain"), ["b.example"]);
}

fn on_days(stamps: &[&str]) -> Document {
    let line =
        |stamp: &&str| format!("{stamp} mx1 postfix/smtpd[9]: A710A9AE097: client=a[192.0.2.7]\n");
    document(&stamps.iter().map(line).collect::<String>())
}

#[test]
fn trap_53_a_year_that_is_written_counts() {
    let document = on_days(&[
        "2024-03-07T09:15:02.418123+01:00",
        "2025-03-07T09:15:02+01:00",
        "2025-03-07T09:15:03Z",
    ]);
    assert_eq!(texts(&document, "mail_days", "day"), ["2024-03-07", "2025-03-07"]);
    assert_eq!(counts(&document, "mail_days", "received"), [1, 2]);
}

#[test]
fn trap_53_a_year_that_is_not_written_is_the_last_possible() {
    let document = on_days(&["Dec 31 23:59:59", "Jan  1 00:00:01", "Nov  3 10:00:00"]);
    assert_eq!(texts(&document, "mail_days", "day"), ["2025-12-31", "2026-01-01", "2026-11-03"]);
}

#[test]
fn trap_53_days_that_interleave_are_two_days() {
    let document =
        on_days(&["Mar  7 23:59:59", "Mar  8 00:00:00", "Mar  7 23:59:58", "Mar  8 00:00:01"]);
    assert_eq!(texts(&document, "mail_days", "day"), ["2026-03-07", "2026-03-08"]);
    assert_eq!(counts(&document, "mail_days", "received"), [2, 2]);
    // Sums by hour are sums: no day more or less divides them.
    assert_eq!(counts(&document, "mail_hours", "received")[23], 2);
}

#[test]
fn trap_53_impossible_days_are_refused_and_leap_seconds_are_not() {
    let document =
        on_days(&["Jun 30 23:59:59", "Feb 30 10:00:00", "Jun 30 23:59:60", "Jul  1 00:00:00"]);
    assert_eq!(fact(&document, "totals", "records"), Cell::Count(3));
    let ledger = table(&document, "ledger");
    let rejected = ledger.rows.iter().find(|row| row[0] == Cell::text("rejected")).unwrap();
    assert_eq!(rejected[1], Cell::Count(1));
}

/// At three o'clock the clocks of Berlin went back to two, while messages were in the queue.
#[test]
fn trap_40_local_stamps_that_go_back_an_hour_make_no_life_negative() {
    let lines = [
        "02:59:57 mx1 postfix/smtpd[1]: connect from a.example[192.0.2.7]",
        "02:59:58 mx1 postfix/smtpd[1]: A710A9AE097: client=a.example[192.0.2.7]",
        "02:59:59 mx1 postfix/qmgr[2]: A710A9AE097: from=<a@a.example>, size=9, nrcpt=1 (queue active)",
        "02:59:59 mx1 postfix/smtpd[1]: B710A9AE097: client=a.example[192.0.2.7]",
        "02:00:00 mx1 postfix/qmgr[2]: B710A9AE097: from=<a@a.example>, size=9, nrcpt=1 (queue active)",
        "02:00:01 mx1 postfix/smtp[3]: A710A9AE097: to=<u@b.example>, relay=b.example[192.0.2.8]:25, delay=3, delays=1/0/1/1, dsn=2.0.0, status=sent (250 Ok)",
        "02:00:01 mx1 postfix/qmgr[2]: A710A9AE097: removed",
        "02:00:02 mx1 postfix/smtp[3]: B710A9AE097: to=<v@b.example>, relay=none, delay=3, delays=1/0/1/1, dsn=4.4.1, status=deferred (connect to b.example[192.0.2.8]:25: Connection refused)",
        "02:00:03 mx1 postfix/smtpd[1]: disconnect from a.example[192.0.2.7] ehlo=1 quit=1 commands=2",
        "03:10:00 mx1 postfix/qmgr[2]: B710A9AE097: from=<a@a.example>, size=9, nrcpt=1 (queue active)",
        "03:10:01 mx1 postfix/smtp[3]: B710A9AE097: to=<v@b.example>, relay=b.example[192.0.2.8]:25, delay=4203, delays=4202/0/1/0, dsn=2.0.0, status=sent (250 Ok)",
        "03:10:01 mx1 postfix/qmgr[2]: B710A9AE097: removed",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    fs::write(&path, lines.map(|line| format!("Oct 25 {line}\n")).concat()).unwrap();
    let mut request = Request::new(Question::Report, [&path]);
    request.zone = "Europe/Berlin".parse().unwrap();
    request.now = 1_795_737_600_000_000;
    let found = Plan::new(request).unwrap().run(&|_, _| {}).unwrap().document();
    let expected = [("messages", 2), ("removed", 2), ("left", 0), ("from_before", 0)];
    check(&found, "queue", &expected);
    let mut times = column(&found, "queue_longest", "time");
    times.sort_by_key(|cell| format!("{cell:?}"));
    assert_eq!(times, [3, 4_202].map(|second| Cell::Duration(second * 1_000_000)));
    for section in &found.sections {
        assert!(!format!("{section:?}").contains("Duration(-"), "{}", section.name);
    }
}

#[test]
fn trap_54_hosts_are_not_folded_by_a_guess() {
    let line = |host: &str, nth: usize| {
        [
            format!("postfix/smtpd[{nth}]: connect from {host}"),
            format!("postfix/smtpd[{nth}]: disconnect from {host} quit=1 commands=1"),
        ]
    };
    let hosts =
        ["mx.shop.photography[192.0.2.1]", "mx.shop.co.uk[192.0.2.2]", "unknown[2001:db8::7]"];
    let text: Vec<String> = hosts.iter().zip(1..).flat_map(|(host, nth)| line(host, nth)).collect();
    let document = told(&lines(&text));
    let mut found = texts(&document, "session_hosts", "client_name");
    found.sort();
    assert_eq!(found, ["mx.shop.co.uk", "mx.shop.photography", "unknown"]);
    check(&document, "sessions", &[("sessions", 3), ("without_end", 0)]);
}

#[test]
fn trap_59_percentiles_are_by_nearest_rank() {
    let text: Vec<String> = (1..=100)
        .map(|nth| {
            MESSAGE[2]
                .replace("delay=0.5", &format!("delay={nth}"))
                .replace("A710A", &format!("A7{nth:03}"))
        })
        .collect();
    let document = told(&lines(&text));
    let whole = |name: &str| column(&document, "delays", name)[4].clone();
    let seconds = |seconds: i64| Cell::Duration(seconds * 1_000_000);
    for (name, expected) in [("min", 1), ("max", 100)] {
        assert_eq!(whole(name), seconds(expected), "{name}");
    }
    for (name, expected) in [("p25", 25_i64), ("p50", 50), ("p75", 75), ("p90", 90), ("p98", 98)] {
        let Cell::Duration(found) = whole(name) else { panic!("{name} is no duration") };
        let error = (found - expected * 1_000_000).abs();
        assert!(error <= expected * 1_000, "{name} is {found}");
    }
}

#[test]
fn trap_37_and_38_envelopes_and_damage() {
    let log = [
        "\0\0\0<22>Mar  7 09:15:02 mx1 postfix/smtpd[9]: connect from a[192.0.2.7]\r\n",
        "<22>1 2026-03-07T09:15:02Z mx1 postfix/smtpd 9 - - \u{feff}connect from a[192.0.2.7]\n",
        "2026-03-07T09:15:02.1+00:00 mx1 postfix/smtpd[9]: connect from \u{e4}[192.0.2.7]\r\n",
        "2026 Mar 07 09:15:02.418 mx1 postfix/smtpd[9]: connect from a[192.0.2.7]\n",
        "2026-03-07T09:15:02.418123456Z stdout F Mar  7 09:15:02 mx1 postfix/smtpd[9]: connect from a[192.0.2.7]\n",
        "Mar  7 09:15:02 mx1 postfix/smtpd[9]: connect from a[192.0.2.7]",
    ];
    check(&document(&log.concat()), "mail", &[("connections", 6)]);
}

#[test]
fn a_message_that_was_asked_for_is_told_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let other = MESSAGE.map(|line| line.replace("A710", "B710"));
    let text = MESSAGE.iter().copied().chain(other.iter().map(String::as_str));
    fs::write(&path, text.map(|line| format!("Mar  7 09:15:02 mx1 {line}\n")).collect::<String>())
        .unwrap();
    let document = document_of(&path, &["queue_id=A710A9AE097"]);
    let steps = texts(&document, "message_detail", "step");
    assert_eq!(steps, ["received", "active", "sent", "removed"]);
    assert_eq!(texts(&document, "message_detail", "who")[1..3], ["jo@a.example", "u@b.example"]);
}

/// pflogsumm's numbers: those in front of the words of its totals, and its tables by number of messages.
struct Summary {
    totals: BTreeMap<String, u64>,
    text: String,
}

impl Summary {
    /// `None` where pflogsumm is not installed, which only CI may not do without.
    fn of(path: &Path) -> Option<Self> {
        let output = Command::new("pflogsumm").arg(path).env("LC_ALL", "C").output();
        let Ok(output) = output else {
            let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!is_ci, "pflogsumm is not installed, and CI skips nothing");
            eprintln!("skipped: pflogsumm is not installed (Debian: apt-get install pflogsumm)");
            return None;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let totals = text.split("Per-").next().unwrap().lines().filter_map(|line| {
            let (number, words) = line.trim().split_once("   ")?;
            let words = words.split(" (").next()?.trim_start().split("  (").next()?;
            Some((words.trim().to_owned(), number.parse().ok()?))
        });
        Some(Self { totals: totals.collect(), text })
    }

    fn total(&self, words: &str) -> u64 {
        *self.totals.get(words).unwrap_or_else(|| panic!("no '{words}' in {:?}", self.totals))
    }

    /// A table of a number and a text each line.
    fn table(&self, heading: &str) -> BTreeMap<String, u64> {
        let rest = self.text.split_once(&format!("\n{heading}\n-")).expect("the table").1;
        let rows = rest.lines().skip(1).map_while(|line| {
            let (number, name) = line.trim().split_once("   ")?;
            Some((name.trim().to_owned(), number.trim().parse().ok()?))
        });
        rows.collect()
    }
}

fn made(name: &str, folder: &Path) -> std::path::PathBuf {
    let path = folder.join("mail.log");
    let mut spec = Spec::new(generate::find(name).unwrap());
    (spec.records, spec.clients, spec.bursts) = (Some(20_000), 300, 1);
    generate::write(&spec, 1, &mut fs::File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn pflogsumm_counts_the_same_where_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["postfix", "postfix-iso"] {
        let path = made(name, folder.path());
        let Some(summary) = Summary::of(&path) else { return };
        let document = document_of(&path, &[]);
        for (ours, theirs) in [
            ("received", "received"),
            ("delivered", "delivered"),
            ("forwarded", "forwarded"),
            ("bounced", "bounced"),
            ("rejected", "rejected"),
            ("held", "held"),
            ("discarded", "discarded"),
            ("reject_warnings", "reject warnings"),
        ] {
            check(&document, "mail", &[(ours, summary.total(theirs))]);
        }
        check(&document, "queue", &[("deferred_messages", summary.total("deferred"))]);
        for (section, key, heading) in [
            ("senders", "sender", "Senders by message count"),
            ("recipients", "recipient", "Recipients by message count"),
        ] {
            let ours = texts(&document, section, key)
                .into_iter()
                .zip(counts(&document, section, "messages"));
            let ours =
                ours.filter(|(_, count)| *count > 0).map(|(key, count)| (spelt(&key), count));
            let mut ours: BTreeMap<String, u64> = ours.collect();
            // Notifications are messages too; pflogsumm leaves out what came in by no client and no program.
            if let Some(nobody) = ours.get_mut("from=<>") {
                let Cell::Count(made) = fact(&document, "queue", "notifications") else { panic!() };
                *nobody -= made;
            }
            same(&ours, &summary.table(heading), heading);
        }
    }
}

/// Compares two tables, and shows a few of the rows that differ.
fn same(ours: &BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>, what: &str) {
    let keys = ours.keys().chain(theirs.keys());
    let differing = keys.filter(|key| ours.get(*key) != theirs.get(*key));
    let rows: Vec<_> = differing.map(|key| (key, ours.get(key), theirs.get(key))).take(5).collect();
    assert!(rows.is_empty(), "{what}: {rows:?}");
    assert!(!ours.is_empty(), "{what}");
}

/// An address as pflogsumm spells it.
fn spelt(address: &str) -> String {
    if address == "<>" { "from=<>".to_owned() } else { address.to_lowercase() }
}

/// Where pflogsumm 1.1.5 is wrong, so that nobody takes a difference for ours. When this fails it has learnt something.
#[test]
fn pflogsumm_is_wrong_about_these() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let wrong = |lines: &[&str], words: &str| {
        let stamped = lines.iter().map(|line| format!("Mar  7 09:15:02 mx1 {line}\n"));
        fs::write(&path, stamped.collect::<String>()).unwrap();
        Summary::of(&path).map(|summary| summary.total(words))
    };
    let Some(delivered) = wrong(&lines(&of_3_11()), "delivered") else { return };
    assert_eq!(delivered, 0, "deliveries of 3.11 with tls=");
    let submissions = MESSAGE[0].replace("postfix/smtpd", "postfix/submissions/smtpd");
    assert_eq!(wrong(&[&submissions], "received"), Some(0), "mail of submissions/smtpd");
    let odd = MESSAGE.map(|line| line.replace("u@b", "\"odd>user\"@b"));
    assert_eq!(wrong(&lines(&odd), "delivered"), Some(0), "recipients with a quoted >");
    for refused in REFUSED {
        assert_eq!(wrong(&[refused], "rejected"), Some(0), "{refused}");
    }
    let soft = MESSAGE.map(|line| line.replace("status=sent", "status=SOFTBOUNCE"));
    assert_eq!(wrong(&lines(&soft), "deferred"), Some(0), "SOFTBOUNCE");
    let lost = "postfix/smtpd[9]: message repeated 3 times: [ NOQUEUE: reject: RCPT from a[192.0.2.7]: 554 5.7.1 <x@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>]";
    assert!(wrong(&[lost], "rejected") < Some(3), "folded lines");
    let expired =
        "postfix/qmgr[1]: A710A9AE097: from=<a@b.example>, status=expired, returned to sender";
    assert_eq!(wrong(&[expired], "bounced"), Some(0), "expired messages");
}
