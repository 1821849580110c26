//! Lines of every kind, the traps, and the laws.

use super::*;
use crate::format::testing;
use crate::format::testing::Words;
use crate::ledger::Account;
use crate::record::{Field, Fields};

fn read(text: &[u8]) -> (Vec<Words>, Account) {
    testing::read(&Postfix, text, Fields::of(FIELDS))
}

/// Checks a line of that program, given without its envelope.
fn says(program: &str, text: &str, expected: &[(Field, &str)]) {
    check(&format!("Mar  7 09:15:02 mx1 postfix/{program}[9]: {text}"), expected);
}

fn check(text: &str, expected: &[(Field, &str)]) {
    testing::check(&Postfix, text, expected);
}

fn refusal(text: &str) -> Option<Reason> {
    testing::refusal(&Postfix, text)
}

const SENT: &str = "Mar  7 09:15:02 mx1 postfix/smtp[101]: A710A9AE097: to=<u@good.example>, relay=mx.good.example[192.0.2.7]:25, delay=0.5, delays=0.1/0/0.3/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as B710A9AE097)";

#[test]
fn a_delivery() {
    check(
        SENT,
        &[
            (Field::TIME, "1709802902000000"),
            (Field::LOGHOST, "mx1"),
            (Field::INSTANCE, "postfix"),
            (Field::PROGRAM, "smtp"),
            (Field::PID, "101"),
            (Field::QUEUE_ID, "A710A9AE097"),
            (Field::RECIPIENT, "u@good.example"),
            (Field::RECIPIENT_DOMAIN, "good.example"),
            (Field::RELAY, "mx.good.example[192.0.2.7]:25"),
            (Field::RELAY_ADDRESS, "192.0.2.7"),
            (Field::DURATION, "500000"),
            (Field::DELAY_BEFORE, "100000"),
            (Field::DELAY_QUEUE, "0"),
            (Field::DELAY_CONNECT, "300000"),
            (Field::DELAY_TRANSMIT, "100000"),
            (Field::DSN, "2.0.0"),
            (Field::REPLY, "250"),
            (Field::DELIVERY, "sent"),
            (Field::REASON, "<absent>"),
            (Field::NEW_QUEUE_ID, "B710A9AE097"),
            (Field::CLASS, "ok"),
            (Field::KIND, "sent"),
        ],
    );
}

#[test]
fn trap_18_odd_addresses_and_texts() {
    let to = |address: &str| {
        let line = format!(
            "A710A9AE097: to=<{address}>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (a (b); status=sent (c))"
        );
        says(
            "smtp",
            &line,
            &[
                (Field::RECIPIENT, address),
                (Field::RELAY, "none"),
                (Field::DELIVERY, "deferred"),
                (Field::REASON, "a (b); status=sent (c)"),
            ],
        );
    };
    to("\"odd, address\"@example.org");
    to("\"odd>user\"@example.org");
    to("\"x>, relay=mx, status=sent (y)\"@example.org");
    to("\"a\\\">, relay=b\"@example.org");
    to("open\"quote@example.org");
    to("");
    says(
        "qmgr",
        "A710A9AE097: from=<>, size=9, nrcpt=1 (queue active)",
        &[(Field::SENDER, ""), (Field::SENDER_DOMAIN, "<absent>"), (Field::BYTES, "9")],
    );
    says(
        "smtpd",
        "NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 450 4.2.0 <u@b.example>: Greylisted; see (http://b/?x=1; from=<z>), status=sent; from=<\"s; p\"@a.example> to=<u@b.example> proto=ESMTP helo=<a b>",
        &[
            (Field::SENDER, "\"s; p\"@a.example"),
            (Field::RECIPIENT, "u@b.example"),
            (Field::HELO, "a b"),
            (Field::REPLY, "450"),
            (Field::DSN, "4.2.0"),
            (Field::STAGE, "RCPT"),
            (Field::KIND, "reject_4xx"),
            (Field::DELIVERY, "<absent>"),
        ],
    );
}

#[test]
fn trap_19_each_recipient_and_each_attempt_is_a_record() {
    let second = SENT.replace("u@good", "v@good");
    let (records, _) = read(format!("{SENT}\n{second}\n").as_bytes());
    let recipients: Vec<_> =
        records.iter().flatten().filter(|(f, _)| *f == Field::RECIPIENT).collect();
    assert_eq!(recipients[0].1, "u@good.example");
    assert_eq!(recipients[1].1, "v@good.example");
}

#[test]
fn trap_20_content_filters_are_linked() {
    says(
        "smtpd",
        "4F9D195432E: client=filter.example[127.0.0.1]:51004, orig_queue_id=4F9D195432D, orig_client=mail.client.example[203.0.113.9]",
        &[
            (Field::QUEUE_ID, "4F9D195432E"),
            (Field::CLIENT, "127.0.0.1"),
            (Field::CLIENT_PORT, "51004"),
        ],
    );
    says(
        "local",
        "4F9D195432E: to=<u@a.example>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (forwarded as 5F9D195432E)",
        &[(Field::NEW_QUEUE_ID, "5F9D195432E"), (Field::ACTION, "forwarded")],
    );
}

#[test]
fn trap_21_keys_of_all_versions() {
    let line = |keys: &str| format!("A710A9AE097: to=<u@a.example>, {keys}status=sent (250 Ok)");
    says(
        "smtp",
        &line(
            "relay=a.example[192.0.2.7]:25, conn_use=2, delay=1, delays=0/0/1/0, tls=dane/may:secure, dsn=2.0.0, ",
        ),
        &[(Field::TLS_FEATURES, "dane/may:secure"), (Field::DSN, "2.0.0"), (Field::KEEPALIVE, "2")],
    );
    says(
        "smtp",
        &line("relay=a.example[192.0.2.7], delay=12, "),
        &[(Field::DURATION, "12000000"), (Field::DSN, "<absent>"), (Field::KIND, "sent")],
    );
    says(
        "lmtp",
        &line("relay=a.example[private/dovecot-lmtp], delay=1, delays=0/0/1/0, dsn=2.0.0, "),
        &[(Field::RELAY, "a.example[private/dovecot-lmtp]"), (Field::KIND, "sent")],
    );
    says(
        "smtp",
        &line("relay=local, what_comes_next=(x), delay=1, dsn=2.0.0, "),
        &[(Field::RELAY, "local"), (Field::DURATION, "1000000"), (Field::KIND, "sent")],
    );
    says(
        "submission/smtpd",
        "NOQUEUE: reject: RCPT from unknown[2001:db8::7]: 554 5.7.1 <x@e.example>: Relay access denied; from=<jo@s.example> to=<x@e.example> proto=ESMTP helo=<a b> sasl_method=PLAIN sasl_username=jo@s.example",
        &[
            (Field::INSTANCE, "postfix/submission"),
            (Field::SASL_METHOD, "PLAIN"),
            (Field::SASL_USER, "jo@s.example"),
            (Field::KIND, "reject_5xx"),
            (Field::REASON, "<x@e.example>: Relay access denied"),
        ],
    );
}

#[test]
fn trap_22_postscreen_and_disconnect() {
    says(
        "postscreen",
        "NOQUEUE: reject: RCPT from [198.51.100.99]:57269: 550 5.7.1 Service unavailable; client [198.51.100.99] blocked using zen.example; from=<a@c.example>, to=<b@b.example>, proto=ESMTP, helo=<c.example>",
        &[
            (Field::CLIENT, "198.51.100.99"),
            (Field::CLIENT_PORT, "57269"),
            (Field::CLIENT_NAME, "<absent>"),
            (Field::SENDER, "a@c.example"),
            (Field::RECIPIENT, "b@b.example"),
            (Field::PROTOCOL, "ESMTP"),
            (Field::HELO, "c.example"),
            (Field::RULE, "zen.example"),
        ],
    );
    says(
        "postscreen",
        "reject: CONNECT from [192.0.2.7]:1: all server ports busy",
        &[
            (Field::STAGE, "CONNECT"),
            (Field::CLIENT, "192.0.2.7"),
            (Field::REASON, "all server ports busy"),
            // It sends 421, and does not write it.
            (Field::KIND, "reject_4xx"),
        ],
    );
    says(
        "smtp",
        "certificate verification failed for mx.c.example[192.0.2.7]:25: untrusted issuer /O=X",
        &[
            (Field::KIND, "tls_trouble"),
            (Field::RELAY, "mx.c.example[192.0.2.7]:25"),
            (Field::REASON, "untrusted issuer /O=X"),
        ],
    );
    says(
        "bounce",
        "warning: [built-in]: zero result in delay template conversion",
        &[(Field::KIND, "warning"), (Field::CLIENT, "<absent>")],
    );
    says(
        "postscreen",
        "CONNECT from [198.51.100.77]:38357 to [192.0.2.25]:25",
        &[
            (Field::CLIENT, "198.51.100.77"),
            (Field::CLIENT_PORT, "38357"),
            (Field::KIND, "screened"),
        ],
    );
    says(
        "smtpd",
        "disconnect from unknown[203.0.113.24] ehlo=1 auth=0/1 quit=1 commands=2/3 notes=bare_lf",
        &[(Field::CLIENT, "203.0.113.24"), (Field::KIND, "disconnect"), (Field::CLASS, "ok")],
    );
    for line in ["", "NOQUEUE: ", "4F9D195432D: "] {
        says(
            "smtpd",
            &format!("{line}lost connection after DATA (17 bytes) from unknown[203.0.113.24]"),
            &[
                (Field::ACTION, "lost connection"),
                (Field::STAGE, "DATA"),
                (Field::CLIENT, "203.0.113.24"),
                (Field::KIND, "session"),
            ],
        );
    }
}

#[test]
fn trap_23_severities_instances_and_stamps() {
    for line in [
        "warning: E47599AE0BB: queue file write error",
        "E47599AE0BB: warning: queue file write error",
    ] {
        says(
            "cleanup",
            line,
            &[
                (Field::QUEUE_ID, "E47599AE0BB"),
                (Field::LEVEL, "warning"),
                (Field::KIND, "space"),
                (Field::CLASS, "error"),
            ],
        );
    }
    says(
        "cleanup",
        "E47599AE0BB: warning: header Subject: x from a[192.0.2.7]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>: seen",
        &[
            (Field::LEVEL, "<absent>"),
            (Field::KIND, "policy"),
            (Field::ACTION, "warning"),
            (Field::REASON, "seen"),
        ],
    );
    check(
        "2024 Mar 07 09:15:06.418 mx1 postfix-in/mx/smtpd[107]: connect from unknown[203.0.113.24]",
        &[
            (Field::TIME, "1709802906418000"),
            (Field::INSTANCE, "postfix-in/mx"),
            (Field::PROGRAM, "smtpd"),
        ],
    );
    check(
        "<22>1 2026-11-23T09:59:58.421518+00:00 mx1 postfix-out 361 - -  connect from a.example[192.0.2.7]",
        &[(Field::INSTANCE, "postfix-out"), (Field::PROGRAM, "<absent>"), (Field::KIND, "connect")],
    );
    let (records, _) = read(b"Dec 31 23:59:59 mx1 postfix/qmgr[1]: A710A9AE097: removed\nDec 30 23:59:59 mx1 postfix/qmgr[1]: A710A9AE097: removed\n");
    let times: Vec<_> = records.iter().map(|record| record[0].1.as_str()).collect();
    assert_eq!(times, ["1735689599000000", "1735603199000000"]);
}

#[test]
fn trap_37_folded_lines_count_as_often_as_they_happened() {
    let line = "Mar  7 09:15:06 mx1 postfix/smtpd[9]: message repeated 3 times: [ lost connection after AUTH from unknown[203.0.113.24]]\n";
    let (records, account) = read(line.as_bytes());
    assert_eq!((records.len(), account.counted.records), (3, 1));
    assert!(records.iter().all(|record| record.contains(&(Field::KIND, "session".to_owned()))));
}

#[test]
fn lives_of_messages() {
    says(
        "pickup",
        "A710A9AE097: uid=0 from=<root> orig_id=B710A9AE097",
        &[(Field::SENDER, "root"), (Field::KIND, "received")],
    );
    says(
        "cleanup",
        "A710A9AE097: message-id=<a@b>",
        &[(Field::MESSAGE_ID, "a@b"), (Field::KIND, "message_id")],
    );
    says("cleanup", "A710A9AE097: message-id=", &[(Field::MESSAGE_ID, "")]);
    says(
        "qmgr",
        "A710A9AE097: from=<a@b.example>, status=expired, returned to sender",
        &[(Field::SENDER, "a@b.example"), (Field::DELIVERY, "expired"), (Field::CLASS, "error")],
    );
    says(
        "bounce",
        "A710A9AE097: sender non-delivery notification: B710A9AE097",
        &[
            (Field::NEW_QUEUE_ID, "B710A9AE097"),
            (Field::ACTION, "sender non-delivery"),
            (Field::KIND, "notification"),
        ],
    );
    says(
        "postsuper",
        "A710A9AE097: placed on hold",
        &[(Field::KIND, "queue_admin"), (Field::ACTION, "placed on hold")],
    );
    says("qmgr", "A710A9AE097: removed", &[(Field::KIND, "removed"), (Field::CLASS, "ok")]);
    says(
        "smtp",
        "A710A9AE097: host a[192.0.2.7] said: 450 4.2.0 no (in reply to RCPT TO command)",
        &[
            (Field::KIND, "relay_trouble"),
            (Field::RELAY, "a[192.0.2.7]"),
            (Field::DELIVERY, "<absent>"),
        ],
    );
    says(
        "smtp",
        "connect to a.example[192.0.2.7]:25: Connection refused",
        &[
            (Field::RELAY, "a.example[192.0.2.7]:25"),
            (Field::REASON, "Connection refused"),
            (Field::KIND, "connect_failed"),
        ],
    );
}

#[test]
fn content_and_milters() {
    says(
        "cleanup",
        "DB3CA9AE0BB: reject: header Subject: cheap pills from here from relay.client.example[198.51.100.4]; from=<a@c.example> to=<b@b.example> proto=ESMTP helo=<c>: 5.7.1 no pills; please",
        &[
            (Field::STAGE, "header"),
            (Field::CLIENT, "198.51.100.4"),
            (Field::SENDER, "a@c.example"),
            (Field::DSN, "5.7.1"),
            (Field::REASON, "no pills; please"),
            (Field::KIND, "content_reject"),
        ],
    );
    says(
        "cleanup",
        "4F9D195432C: milter-reject: END-OF-MESSAGE from r[198.51.100.4]: 5.7.1 Spam; score=(12); from=<x@s.example> to=<a@b.example> proto=ESMTP helo=<s>",
        &[
            (Field::ACTION, "milter-reject"),
            (Field::REASON, "Spam; score=(12)"),
            (Field::KIND, "content_reject"),
        ],
    );
    says(
        "smtpd",
        "NOQUEUE: hold: RCPT from l[198.51.100.77]: <x@h>: Sender address look; from=<x@h> to=<a@b> proto=ESMTP helo=<c>",
        &[(Field::KIND, "policy"), (Field::CLASS, "ok"), (Field::ACTION, "hold")],
    );
}

#[test]
fn warnings_and_tls() {
    says(
        "smtpd",
        "warning: liar.example[198.51.100.77]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=jo smith",
        &[
            (Field::CLIENT, "198.51.100.77"),
            (Field::SASL_METHOD, "LOGIN"),
            (Field::SASL_USER, "jo smith"),
            (Field::REASON, "UGFzc3dvcmQ6"),
            (Field::KIND, "auth_fail"),
        ],
    );
    says(
        "smtpd",
        "warning: SASL authentication failure: x",
        &[(Field::KIND, "auth_detail"), (Field::CLIENT, "<absent>")],
    );
    says(
        "smtpd",
        "warning: hostname liar.example does not resolve to address 192.0.2.7: Name or service not known",
        &[
            (Field::CLIENT, "192.0.2.7"),
            (Field::CLIENT_NAME, "liar.example"),
            (Field::KIND, "resolve"),
        ],
    );
    says(
        "smtpd",
        "fatal: no SASL authentication mechanisms",
        &[(Field::KIND, "fatal"), (Field::LEVEL, "fatal")],
    );
    says(
        "smtp",
        "Verified TLS connection established to mx.a.example[192.0.2.7]:25 to sni.example: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
        &[
            (Field::TLS_TRUST, "Verified"),
            (Field::TLS_VERSION, "TLSv1.3"),
            (Field::TLS_CIPHER, "TLS_AES_256_GCM_SHA384"),
            (Field::RELAY, "mx.a.example[192.0.2.7]:25"),
            (Field::CLIENT, "<absent>"),
        ],
    );
    says(
        "anvil",
        "statistics: max connection rate 3/60s for (smtp:192.0.2.7) at Mar  7 09:15:02",
        &[(Field::CLIENT, "192.0.2.7"), (Field::KIND, "statistics")],
    );
    says(
        "dnsblog",
        "addr 192.0.2.7 listed by domain zen.example as 127.0.0.4",
        &[(Field::RULE, "zen.example"), (Field::KIND, "dnsbl")],
    );
}

#[test]
fn cut_lines_are_kept() {
    for len in SENT.find("A710").unwrap()..SENT.len() {
        let (records, _) = read(&SENT.as_bytes()[..len]);
        assert_eq!(records.len(), 1, "{}", &SENT[..len]);
    }
    let cut = SENT.strip_suffix(")").unwrap();
    check(cut, &[(Field::DELIVERY, "sent"), (Field::DSN, "2.0.0")]);
    let deferred = SENT.replace("=sent", "=deferred");
    let reason = "250 2.0.0 Ok: queued as B710A9AE097";
    check(&format!("{deferred} 7f3a"), &[(Field::REASON, reason)]);
}

#[test]
fn a_log_is_known_for_one_of_postfix() {
    let clock = Clock::new(chrono_tz::UTC, 1_735_603_200_000_000);
    for head in [
        LINES,
        include_str!("../../../fixtures/postfix/traditional.log"),
        include_str!("../../../fixtures/postfix/rfc3339.log"),
        include_str!("../../../fixtures/postfix/rfc5424.log"),
    ] {
        let found = crate::format::detect::detect(head.as_bytes(), true, &clock).ok().unwrap();
        assert_eq!((found.format.name(), found.runner_up), ("postfix", None));
    }
}

/// What a verdict led to stands in a line of Postfix, which is the one that counts as bad.
#[test]
fn verdicts_of_services_are_normal_work_and_their_troubles_are_not() {
    let text = include_str!("../../../fixtures/postfix/policy.log").to_owned()
        + include_str!("../../../fixtures/postfix/policy.grammar.log");
    let (records, account) = read(text.as_bytes());
    assert_eq!(account.rejected().records, 0);
    let field = |record: &Words, field| {
        let found = record.iter().find(|(known, _)| *known == field);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    for record in &records {
        let (program, class) = (field(record, Field::PROGRAM), field(record, Field::CLASS));
        if service_of(&program) {
            let is_trouble = field(record, Field::KIND) == "policy_trouble";
            assert_eq!(class == "ok", !is_trouble, "{record:?}");
        }
    }
    assert!(records.iter().all(|record| field(record, Field::KIND) != "other"));
}

fn service_of(program: &str) -> bool {
    policy::service(program.as_bytes()).is_some() || program == "policy-spf"
}

#[test]
fn lines_that_are_not_of_postfix() {
    assert_eq!(
        refusal("Mar  7 09:15:07 mx1 dovecot: imap-login: Login: user=<jo>"),
        Some(Reason::OtherProgram)
    );
    assert_eq!(refusal("Mar  7 09:15:10 mx1 postfix/smtp"), Some(Reason::Malformed));
    assert_eq!(
        refusal("cut at the front: relay=none, delay=1, status=sent"),
        Some(Reason::Malformed)
    );
    assert_eq!(
        refusal("Mar 32 09:15:10 mx1 postfix/smtp[1]: connect from a[1]"),
        Some(Reason::BadTime)
    );
    assert_eq!(
        refusal("Mar  7 09:15:06 mx1 newsyslog[7]: logfile turned over"),
        Some(Reason::Banner)
    );
    assert_eq!(refusal("\r\n"), Some(Reason::Blank));
    assert_eq!(refusal("\0\0"), Some(Reason::Binary));
}

/// A line of each kind.
const LINES: &str = include_str!("../../../fixtures/postfix/postfix.grammar.log");

#[test]
fn damage_never_panics_and_wanting_less_changes_nothing() {
    let services = include_str!("../../../fixtures/postfix/policy.grammar.log");
    testing::check_damaged(&Postfix, (LINES.to_owned() + services).as_bytes());
}

#[test]
fn steps_of_tls_are_no_unknown_lines() {
    for text in [
        "postfix/smtpd[7]: SSL_accept:TLSv1.3 early data",
        "postfix/smtpd[7]: initializing the server-side TLS engine",
        "postfix/smtp[7]: setting up TLS connection to mx.a.example[192.0.2.7]:25",
        "postfix/smtp[7]: mx.a.example[192.0.2.7]:25: TLS cipher list \"aNULL:HIGH\"",
        "postfix/smtp[7]: mx.a.example[192.0.2.7]:25: depth=0 verify=1 subject=/CN=mx.a.example",
    ] {
        check(&format!("Mar  7 09:15:02 mx1 {text}"), &[(Field::KIND, "tls_detail")]);
    }
}

/// The forms are those of the source of policyd-weight 0.1.15 beta-2.
#[test]
fn what_policyd_weight_decides() {
    let head = "Mar  7 09:15:02 mx1 postfix/policyd-weight[7]: ";
    let parties = "<client=mx.b.example[198.51.100.4]> <helo=mx.b.example> <from=\"x> <to=y\"@b.example> <to=c@d.example>";
    let sender = "\"x> <to=y\"@b.example";
    let both = [
        (Field::CLIENT, "198.51.100.4"),
        (Field::HELO, "mx.b.example"),
        (Field::SENDER, sender),
        (Field::RECIPIENT, "c@d.example"),
    ];
    let check_one = |text: &str, more: &[(Field, &str)]| {
        check(&format!("{head}{text}"), &[&both[..], more].concat());
    };
    check_one(
        &format!(
            "decided action=550 Mail appeared to be SPAM; please relay via your ISP; {parties}; delay: 2s"
        ),
        &[
            (Field::KIND, "policy_refused"),
            (Field::REPLY, "550"),
            (Field::REASON, "Mail appeared to be SPAM; please relay via your ISP"),
        ],
    );
    check_one(
        &format!(
            "decided action=PREPEND X-policyd-weight: using cached result; rate: -7; {parties}; delay: 0s"
        ),
        &[(Field::KIND, "policy_pass"), (Field::ACTION, "PREPEND")],
    );
    check_one(
        &format!(
            "weighted check:  NOT_IN_SBL=-1.5 (check from: .a. - helo: .b.); {parties}; rate: -6.1"
        ),
        &[(Field::KIND, "policy_service"), (Field::ACTION, "<absent>")],
    );
}

/// A client that said `EHLO h> to=<evil@y.example` became another recipient's.
#[test]
fn a_helo_that_looks_like_pairs_is_a_helo() {
    let said = "NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 554 5.7.1 <x@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=";
    for helo in [
        "h> to=<evil@y.example>, relay=none, status=sent (250 ok)",
        "h; from=<evil@y.example> to=<evil@y.example> proto=SMTP helo=<z",
    ] {
        says(
            "smtpd",
            &format!("{said}<{helo}>"),
            &[
                (Field::SENDER, "a@b.example"),
                (Field::RECIPIENT, "x@y.example"),
                (Field::PROTOCOL, "ESMTP"),
                (Field::HELO, helo),
                (Field::REASON, "<x@y.example>: Relay access denied"),
            ],
        );
    }
}

#[test]
fn older_spellings_and_what_fails_beside_deliveries() {
    let tls = "TLSv1 with cipher DHE-RSA-AES256-SHA (256/256 bits)";
    says(
        "smtpd",
        &format!("TLS connection established from mx.example.org[192.0.2.7]: {tls}"),
        &[(Field::KIND, "tls"), (Field::CLIENT, "192.0.2.7"), (Field::TLS_TRUST, "<absent>")],
    );
    says(
        "dnsblog",
        "addr 192.0.2.7 blocked by domain zen.example as 127.0.0.4",
        &[(Field::KIND, "dnsbl"), (Field::CLIENT, "192.0.2.7"), (Field::RULE, "zen.example")],
    );
    says(
        "smtp",
        "A710A9AE097: SASL authentication failed; server mx.example.org[192.0.2.7] said: 535 5.7.8 Error: no",
        &[
            (Field::KIND, "relay_trouble"),
            (Field::RELAY_ADDRESS, "192.0.2.7"),
            (Field::REPLY, "535"),
        ],
    );
    says(
        "smtp",
        "A710A9AE097: TLS is required, but was not offered by host mx.example.org[192.0.2.7]",
        &[
            (Field::KIND, "tls_trouble"),
            (Field::CLASS, "warn"),
            (Field::RELAY_ADDRESS, "192.0.2.7"),
        ],
    );
    says(
        "tlsproxy",
        "TLS handshake failed for service=smtpd peer=[192.0.2.7]:4242",
        &[(Field::KIND, "tls_trouble"), (Field::CLIENT, "192.0.2.7")],
    );
}

#[test]
fn a_server_that_refuses_to_talk_has_a_code() {
    let refused = "host mx.example.org[192.0.2.7] refused to talk to me: 554 5.7.1 not you";
    says(
        "smtp",
        &format!("A710A9AE097: {refused}"),
        &[
            (Field::KIND, "relay_trouble"),
            (Field::REPLY, "554"),
            (Field::RELAY_ADDRESS, "192.0.2.7"),
        ],
    );
    says(
        "smtp",
        &format!(
            "A710A9AE097: to=<u@good.example>, relay=mx.example.org[192.0.2.7]:25, delay=1, delays=1/0/0/0, dsn=4.7.1, status=deferred ({refused})"
        ),
        &[(Field::KIND, "deferred"), (Field::REPLY, "554"), (Field::DSN, "4.7.1")],
    );
}

#[test]
fn postscreen_under_stress_puts_clients_off() {
    says(
        "postscreen",
        "NOQUEUE: reject: CONNECT from [192.0.2.7]:4242: all screening ports busy",
        &[(Field::KIND, "reject_4xx"), (Field::CLIENT, "192.0.2.7")],
    );
    for (text, kind) in [
        ("entering STRESS mode with 90 connections", "rate_limit"),
        ("leaving STRESS mode with 10 connections", "screened"),
        ("ALLOWLIST VETO [192.0.2.7]:4242", "policy"),
        ("warning: dnsblog reply timeout 10s for zen.example", "resolve"),
    ] {
        says("postscreen", text, &[(Field::KIND, kind)]);
    }
    says(
        "smtpd",
        "discarding EHLO keywords: CHUNKING",
        &[(Field::KIND, "ehlo"), (Field::CLASS, "ok")],
    );
}

#[test]
fn names_in_warnings_are_of_the_client() {
    says(
        "smtpd",
        "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: Connection lost to authentication server",
        &[(Field::KIND, "communication"), (Field::CLASS, "error"), (Field::CLIENT, "192.0.2.7")],
    );
    says(
        "smtpd",
        "warning: Unable to look up MX host mx.example.org for Sender address a@b.example: hostname nor servname provided, or not known",
        &[(Field::KIND, "resolve"), (Field::CLIENT_NAME, "<absent>")],
    );
    says(
        "smtpd",
        "warning: 192.0.2.7: address not listed for hostname liar.example",
        &[(Field::CLIENT, "192.0.2.7"), (Field::CLIENT_NAME, "liar.example")],
    );
    says(
        "smtp",
        "warning: host mx.example.org[192.0.2.7]:25 greeted me with my own hostname mx1.example",
        &[(Field::KIND, "relay_trouble"), (Field::RELAY_ADDRESS, "192.0.2.7")],
    );
    says(
        "cleanup",
        "A710A9AE097: reject: content Received: by x from mx.example.org[192.0.2.7]; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<h>: 5.7.1 disallowed character",
        &[(Field::KIND, "content_reject"), (Field::STAGE, "content"), (Field::CLIENT, "192.0.2.7")],
    );
}

/// A service may be told by the address that it listens at, and then anvil's keys have a colon more.
#[test]
fn the_client_of_a_statistic_stands_behind_any_service() {
    for (key, client) in [
        ("smtp:192.0.2.7", "192.0.2.7"),
        ("25:2001:db8::7", "2001:db8::7"),
        ("192.0.2.25:2626:203.0.113.24", "203.0.113.24"),
        ("192.0.2.25:2627:2001:db8::7", "2001:db8::7"),
        ("mx.shop.example:smtp:203.0.113.24", "203.0.113.24"),
        ("[2001:db8::25]:25:2001:db8::7", "2001:db8::7"),
        ("localhost:10025:127.0.0.1", "127.0.0.1"),
        ("localhost:10025:::1", "::1"),
        ("smtp:unknown", "unknown"),
    ] {
        let text = format!("statistics: max message rate 4/60s for ({key}) at Dec  1 04:41:08");
        says("anvil", &text, &[(Field::KIND, "statistics"), (Field::CLIENT, client)]);
    }
}

#[test]
fn tls_that_is_refused_fails_or_is_told_in_detail() {
    says(
        "submission/smtpd",
        "SSL3 alert write:fatal:unexpected_message",
        &[(Field::KIND, "tls_detail"), (Field::CLASS, "ok")],
    );
    says(
        "smtpd",
        "warning: Refusing STARTTLS request from mx.a.example[192.0.2.7] for service 192.0.2.25:25",
        &[(Field::KIND, "rate_limit"), (Field::CLIENT, "192.0.2.7")],
    );
    says(
        "smtp",
        "4jdp9w1hMRz1SSDh: Cannot start TLS: handshake failure",
        &[
            (Field::KIND, "relay_trouble"),
            (Field::RELAY, "<absent>"),
            (Field::REASON, "Cannot start TLS: handshake failure"),
        ],
    );
}

#[test]
fn bytes_of_tls_are_detail() {
    for text in [
        "read from 56267FB62790 [56267FB75563] (5 bytes => -1)",
        "write to 56267FB62790 [56267FB7E740] (2235 bytes => 2235 (0x8BB))",
        "0010 e9 48 0a 73 11 9d c8 64|f2 7a b4 b2 57 ac 71 92  .H.s...d .z..W.q.",
        "0004 - <SPACES/NULLS>",
        "subject=/CN=client.example",
        "issuer=/CN=Test CA",
        "mx.a.example[192.0.2.7]:25: matched peername: mx.a.example",
    ] {
        says("smtpd", text, &[(Field::KIND, "tls_detail"), (Field::QUEUE_ID, "<absent>")]);
    }
}

#[test]
fn messages_that_postsuper_lets_expire_are_its_work() {
    let expected = [(Field::KIND, "queue_admin"), (Field::ACTION, "Force-expired")];
    says("postsuper", "Force-expired: 1 message", &expected);
}

#[test]
fn line_feeds_alone_end_a_session() {
    says(
        "smtpd",
        "bare <LF> received after BDAT from mx.example.org[192.0.2.7]",
        &[
            (Field::KIND, "session"),
            (Field::ACTION, "bare <LF> received"),
            (Field::STAGE, "BDAT"),
            (Field::CLIENT, "192.0.2.7"),
        ],
    );
}

#[test]
fn checks_of_headers_that_a_milter_added() {
    let line = |action: &str, text: &str| {
        format!(
            "4F9D195432C: milter-header-{action}: header X-Spam: Yes from mx.example.org[192.0.2.7]; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>: {text}"
        )
    };
    let common = [
        (Field::STAGE, "header"),
        (Field::CLIENT, "192.0.2.7"),
        (Field::SENDER, "a@s.example"),
        (Field::RECIPIENT, "b@r.example"),
    ];
    let redirect = [(Field::KIND, "policy"), (Field::ACTION, "milter-header-redirect")];
    says("cleanup", &line("redirect", "c@r.example"), &[&redirect[..], &common].concat());
    let reject = [
        (Field::KIND, "content_reject"),
        (Field::ACTION, "milter-header-reject"),
        (Field::DSN, "5.7.1"),
        (Field::REASON, "no spam"),
    ];
    says("cleanup", &line("reject", "5.7.1 no spam"), &[&reject[..], &common].concat());
}

#[test]
fn the_other_server_behind_workarounds() {
    says(
        "smtp",
        "4F9D195432C: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.org[192.0.2.7]:25",
        &[
            (Field::KIND, "relay_trouble"),
            (Field::RELAY, "mx.example.org[192.0.2.7]:25"),
            (Field::RELAY_ADDRESS, "192.0.2.7"),
        ],
    );
}
