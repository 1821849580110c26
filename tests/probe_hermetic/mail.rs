//! `probe smtp`, `probe imap`, `probe pop3`: greetings, offers, STARTTLS, recipients, and hostile servers.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logmill::document::{Body, Cell, Level};
use logmill::probe::outcome::End;
use logmill::probe::{Class, Outcome, plan};

use crate::support::certs::{Identity, Lab, self_signed};
use crate::support::peers::{check, classes, says, serve, serve_tls, server_config};

/// What a server is told and what it says to it: the first answer comes unasked.
type Script = &'static [(&'static str, &'static str)];

/// A server that follows a script and keeps all that it was told. Without an identity it goes on in clear.
fn server(script: Script, identity: Option<&Identity>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let config = identity.map(server_config);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let address = serve(move |mut socket| {
        play(&mut socket, script, &ears);
        let Some(config) = config.clone() else { return };
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        play(&mut stream, INSIDE, &ears);
    });
    (address, heard)
}

/// What is said inside TLS, whatever the protocol.
const INSIDE: Script = &[
    ("EHLO", "250-mail\r\n250 SIZE 1024\r\n"),
    ("MAIL", "250 2.1.0 ok\r\n"),
    ("RCPT", "250 2.1.5 ok\r\n"),
    ("RSET", "250 2.0.0 ok\r\n"),
    ("a CAPABILITY", "* CAPABILITY IMAP4rev1\r\na OK\r\n"),
    ("CAPA", "+OK\r\nUIDL\r\n.\r\n"),
    ("QUIT", "221 bye\r\n"),
    ("z LOGOUT", "z OK\r\n"),
];

/// Says the first answer if nothing is wanted for it, then to each line the answer whose word begins it.
fn play(stream: &mut (impl Read + Write), script: Script, heard: &Mutex<Vec<String>>) {
    if let Some(("", greeting)) = script.first() {
        let _ = stream.write_all(greeting.as_bytes());
    }
    loop {
        let line = line(stream);
        if line.is_empty() {
            return;
        }
        heard.lock().unwrap().push(line.trim_end().to_owned());
        let known = script.iter().find(|(word, _)| !word.is_empty() && line.starts_with(word));
        let answer = known.map_or("500 what?\r\n", |(_, answer)| answer);
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
        if line.to_ascii_uppercase().contains("STARTTLS") && answer.contains("go ahead")
            || line.starts_with("STLS") && answer.starts_with("+OK")
        {
            return;
        }
    }
}

fn line(stream: &mut impl Read) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while byte[0] != b'\n' && matches!(stream.read(&mut byte), Ok(1)) {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn ask(kind: &str, script: Script, options: &[(&str, &str)]) -> (Outcome, Vec<String>) {
    let (address, heard) = server(script, None);
    let mut options = options.to_vec();
    options.push(("timeout", "2s"));
    let outcome = check(kind, &address.to_string(), &options);
    let heard = heard.lock().unwrap().clone();
    (outcome, heard)
}

const PLAIN: Script = &[
    ("", "220-mail.lab.test ESMTP\r\n220 ready\r\n"),
    ("EHLO", "250-mail\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN\r\n250 PIPELINING\r\n"),
    ("MAIL", "250 2.1.0 ok\r\n"),
    ("RCPT TO:<good", "250 2.1.5 ok\r\n"),
    ("RCPT TO:<gray", "450 4.7.1 Greylisted\r\n"),
    ("RCPT TO:<gone", "550 5.1.1 unknown\r\n"),
    ("RSET", "250 ok\r\n"),
    ("QUIT", "221 bye\r\n"),
];

#[test]
fn a_sound_mail_server() {
    let (outcome, heard) = ask("smtp", PLAIN, &[]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Ok, Class::Open), "{outcome:?}");
    assert_eq!(heard, ["EHLO logmill.invalid", "QUIT"]);
    assert_eq!(outcome.fact("size_limit"), Some(&Cell::Bytes(10_240_000)));
    assert_eq!(outcome.fact("starttls"), Some(&Cell::text("not offered")));
    assert!(outcome.line().contains("220 mail.lab.test"), "{}", outcome.line());
    assert!(outcome.step("greeting").unwrap().micros().is_some());
}

#[test]
fn recipients_are_named_and_taken_back() {
    let options = [("rcpt", "good@lab.test"), ("rcpt", "gray@lab.test"), ("rcpt", "gone@lab.test")];
    let (outcome, heard) = ask("smtp", PLAIN, &options);
    assert_eq!(classes(&outcome), ["mail_deferred", "mail_rejected"]);
    assert_eq!(outcome.class(), Class::MailRejected);
    assert_eq!(outcome.worst_fault().unwrap().cause, "there is no such mailbox");
    assert_eq!(heard[1], "MAIL FROM:<>");
    assert_eq!(heard[5..], ["RSET", "QUIT"]);
    assert!(!heard.iter().any(|line| line.starts_with("DATA") || line.starts_with("VRFY")));
    let Body::Table(table) = &outcome.sections[0].body else { panic!("no table") };
    assert_eq!(table.rows.len(), 4);
}

#[test]
fn a_refused_sender_ends_the_dialogue() {
    const SCRIPT: Script = &[
        ("", "220 a\r\n"),
        ("EHLO", "250 a\r\n"),
        ("MAIL", "530 5.7.0 Must issue STARTTLS first\r\n"),
        ("RSET", "250 ok\r\n"),
    ];
    let (outcome, heard) = ask("smtp", SCRIPT, &[("rcpt", "a@b.test"), ("from", "x@y.test")]);
    assert_eq!(classes(&outcome), ["mail_rejected"]);
    assert_eq!(heard[1..], ["MAIL FROM:<x@y.test>", "RSET", "QUIT"]);
}

#[test]
fn greetings_that_turn_away() {
    let class = |script| ask("smtp", script, &[]).0;
    let busy = class(&[("", "421 4.7.0 mail Error: too many connections\r\n")]);
    assert_eq!((busy.class(), busy.failing_step()), (Class::Busy, Some("greeting")));
    assert!(busy.worst_fault().unwrap().cause.contains("policy"));
    assert!(matches!(busy.step("ehlo").unwrap().end, End::NotReached));
    let away = class(&[("", "554-no SMTP service here\r\n554 go away\r\n")]);
    assert_eq!(away.class(), Class::TurnedAway);
    assert!(away.line().contains("go away"), "{}", away.line());
    assert_eq!(class(&[("", "SSH-2.0-x\r\n")]).class(), Class::WrongProtocol);
    assert_eq!(class(&[("", "hello\r\n")]).class(), Class::WrongProtocol);
    assert_eq!(class(&[("", "220-a\r\n250 b\r\n")]).class(), Class::Malformed);
    assert_eq!(class(&[("", "250 hm\r\n")]).class(), Class::Unexpected);
}

#[test]
fn old_servers_get_helo() {
    const SCRIPT: Script = &[("", "220 a\r\n"), ("EHLO", "502 what\r\n"), ("HELO", "250 a\r\n")];
    let (outcome, heard) = ask("smtp", SCRIPT, &[("helo", "me.test")]);
    assert_eq!(outcome.class(), Class::Open);
    assert_eq!(heard, ["EHLO me.test", "HELO me.test", "QUIT"]);
    let (outcome, _) = ask("smtp", &[("", "220 a\r\n"), ("EHLO", "421 4.3.2 bye\r\n")], &[]);
    assert_eq!(outcome.class(), Class::Busy);
}

#[test]
fn what_must_be_offered_and_greeted() {
    let options = [("offers", "AUTH,CHUNKING"), ("expect", "~ESMTP")];
    assert_eq!(classes(&ask("smtp", PLAIN, &options).0), ["unexpected"]);
    let (outcome, _) = ask("smtp", PLAIN, &[("starttls", "require")]);
    assert_eq!(classes(&outcome), ["starttls_missing"]);
    assert_eq!(classes(&ask("smtp", PLAIN, &[("expect", "Exim")]).0), ["unexpected"]);
}

const OFFERING: Script = &[
    ("", "220 mail\r\n"),
    ("EHLO", "250-mail\r\n250 STARTTLS\r\n"),
    ("STARTTLS", "220 2.0.0 go ahead\r\n"),
];

#[test]
fn starttls_and_again() {
    let lab = Lab::new("mail-starttls");
    let (address, heard) = server(OFFERING, Some(&lab.good()));
    let options = [("ca-file", lab.ca()), ("rcpt", "good@lab.test"), ("timeout", "2s")];
    let outcome = check("smtp", &address.to_string(), &options);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    let heard = heard.lock().unwrap().clone();
    let words: Vec<_> = heard.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "RSET", "QUIT"]);
    assert_eq!(outcome.measure("days"), Some(47.0));
}

#[test]
fn a_certificate_nobody_counts_on_is_a_warning() {
    let identity = self_signed(&["www.lab.test"], true);
    for (when, level) in [("auto", Level::Warning), ("require", Level::Critical)] {
        let (address, _) = server(OFFERING, Some(&identity));
        let options = [("starttls", when), ("timeout", "2s")];
        let outcome = check("smtp", &address.to_string(), &options);
        assert_eq!((outcome.level(), outcome.class()), (level, Class::SelfSigned), "{outcome:?}");
    }
    let (address, heard) = server(OFFERING, Some(&identity));
    let outcome = check("smtp", &address.to_string(), &[("starttls", "never")]);
    assert_eq!(outcome.class(), Class::Open);
    assert_eq!(heard.lock().unwrap().clone(), ["EHLO logmill.invalid", "QUIT"]);
}

#[test]
fn starttls_that_is_offered_and_refused() {
    const SMTP: Script = &[
        ("", "220 mail\r\n"),
        ("EHLO", "250-mail\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "454 4.7.0 TLS not available due to local problem\r\n"),
    ];
    let (outcome, heard) = ask("smtp", SMTP, &[]);
    assert_eq!(classes(&outcome), ["starttls_refused"]);
    assert_eq!(heard.last().unwrap(), "QUIT");
    const IMAP: Script = &[
        ("", "* OK ready\r\n"),
        ("a CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\na OK done\r\n"),
        ("a STARTTLS", "a NO not now\r\n"),
    ];
    assert_eq!(classes(&ask("imap", IMAP, &[]).0), ["starttls_refused"]);
    const POP3: Script =
        &[("", "+OK ready\r\n"), ("CAPA", "+OK\r\nSTLS\r\n.\r\n"), ("STLS", "-ERR no\r\n")];
    assert_eq!(classes(&ask("pop3", POP3, &[]).0), ["starttls_refused"]);
}

#[test]
fn mailboxes() {
    const IMAP: Script = &[
        ("", "* OK [CAPABILITY IMAP4rev1] ready\r\n"),
        ("a CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\na OK done\r\n"),
        ("z LOGOUT", "* BYE\r\nz OK\r\n"),
    ];
    let (outcome, heard) = ask("imap", IMAP, &[("offers", "AUTH")]);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert_eq!(outcome.fact("login"), Some(&Cell::text("disabled")));
    assert_eq!(heard, ["a CAPABILITY", "z LOGOUT"]);
    let (outcome, heard) = ask("pop3", &[("", "+OK\r\n"), ("CAPA", "-ERR what\r\n")], &[]);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert_eq!(heard, ["CAPA", "QUIT"]);
}

#[test]
fn mailboxes_that_turn_away_or_are_something_else() {
    let class = |kind, script| ask(kind, script, &[]).0.class();
    assert_eq!(class("imap", &[("", "* BYE too many\r\n")]), Class::TurnedAway);
    assert_eq!(class("imap", &[("", "+OK ready\r\n")]), Class::WrongProtocol);
    assert_eq!(
        class("imap", &[("", "* OK a\r\n"), ("a CAPABILITY", "junk\r\n")]),
        Class::Malformed
    );
    assert_eq!(
        class("imap", &[("", "* OK a\r\n"), ("a CAPABILITY", "a BAD\r\n")]),
        Class::Unexpected
    );
    assert_eq!(class("pop3", &[("", "-ERR [SYS/TEMP] no\r\n")]), Class::TurnedAway);
    assert_eq!(class("pop3", &[("", "220 ftp\r\n")]), Class::WrongProtocol);
    assert_eq!(class("pop3", &[("", "+OK\r\n"), ("CAPA", "junk\r\n")]), Class::Malformed);
}

#[test]
fn starttls_of_mailboxes() {
    let lab = Lab::new("mail-boxes");
    const IMAP: Script = &[
        ("", "* OK ready\r\n"),
        ("a CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\na OK done\r\n"),
        ("a STARTTLS", "a OK go ahead\r\n"),
    ];
    const POP3: Script =
        &[("", "+OK ready\r\n"), ("CAPA", "+OK\r\nSTLS\r\n.\r\n"), ("STLS", "+OK go\r\n")];
    for (kind, script, bye) in [("imap", IMAP, "z LOGOUT"), ("pop3", POP3, "QUIT")] {
        let (address, heard) = server(script, Some(&lab.good()));
        let options = [("ca-file", lab.ca()), ("starttls", "require"), ("timeout", "2s")];
        let outcome = check(kind, &address.to_string(), &options);
        assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
        assert_eq!(heard.lock().unwrap().last().unwrap(), bye);
    }
}

#[test]
fn tls_from_the_first_byte() {
    let lab = Lab::new("mail-secure");
    for (kind, greeting) in [("smtp", "220 a\r\n"), ("imap", "* OK a\r\n"), ("pop3", "+OK a\r\n")] {
        let address = serve_tls(&lab.good(), move |tls| {
            let _ = tls.write_all(greeting.as_bytes());
            play(tls, INSIDE, &Mutex::default());
        });
        let options = [("tls", ""), ("ca-file", lab.ca()), ("timeout", "2s")];
        let outcome = check(kind, &address.to_string(), &options);
        assert_eq!(outcome.class(), Class::Open, "{kind} {outcome:?}");
        // Spoken to in clear, such a port says nothing.
        let outcome = check(kind, &address.to_string(), &[("timeout", "60ms")]);
        assert_eq!(outcome.class(), Class::Silent);
        assert!(outcome.worst_fault().unwrap().cause.contains("--tls"));
    }
}

#[test]
fn hostile_servers_are_bounded() {
    for (kind, words) in [("smtp", "220-"), ("imap", "* OK "), ("pop3", "+OK ")] {
        let endless = serve(move |mut stream| while stream.write_all(words.as_bytes()).is_ok() {});
        assert_eq!(check(kind, &endless.to_string(), &[]).class(), Class::TooLarge, "{kind}");
        let drip = serve(|mut stream| {
            while stream.write_all(b"2").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let began = Instant::now();
        let outcome = check(kind, &drip.to_string(), &[("timeout", "100ms")]);
        assert_eq!(outcome.class(), Class::Stalled, "{kind}");
        assert!(began.elapsed() < Duration::from_secs(1));
        let closed = check(kind, &serve(drop).to_string(), &[]);
        assert!(matches!(closed.class(), Class::ClosedEarly | Class::Reset), "{kind}");
    }
    let lines = serve(|mut stream| while stream.write_all(b"220-again\r\n").is_ok() {});
    assert_eq!(check("smtp", &lines.to_string(), &[]).class(), Class::TooLarge);
    let escapes = says(b"554 \x1b[31mno\x1b[0m\r\n");
    let outcome = check("smtp", &escapes.to_string(), &[]);
    assert!(!format!("{} {:?}", outcome.line(), outcome.faults).contains('\x1b'));
}

#[test]
fn addresses_that_would_be_commands_are_refused() {
    for bad in ["a@b>\r\nDATA", "", "a b@c", "<a@b>"] {
        assert!(plan("smtp", ["h"], [("rcpt", bad)]).unwrap_err().is_usage(), "{bad}");
    }
    assert!(plan("smtp", ["h"], [("helo", "a\r\nb")]).is_err());
    assert!(plan("smtp", ["h"], [("starttls", "maybe")]).is_err());
    assert_eq!(plan("smtp", ["h"], [("tls", "")]).unwrap()[0].target().port(), 465);
    assert_eq!(plan("smtp", ["h"], [("lmtp", "")]).unwrap()[0].target().port(), 24);
}
