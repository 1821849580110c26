//! Peers that mean harm or are broken beyond sense: each probe ends in time, takes a bounded part of what they send,
//! gives it a class, and never panics.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use logmill::document::Level;
use logmill::probe::{Class, Outcome};
use proptest::prelude::*;

use crate::support::peers::{check, check_all, read_head, says, serve, serve_udp};

/// The kinds that talk over a connection, and options with which they wait for an answer.
const KINDS: [(&str, &[(&str, &str)]); 10] = [
    ("tcp", &[("expect", "never said")]),
    ("http", &[]),
    ("tls", &[]),
    ("dns", &[("tcp", "")]),
    ("smtp", &[]),
    ("imap", &[]),
    ("pop3", &[]),
    ("mysql", &[]),
    ("haproxy", &[]),
    ("balance", &[("requests", "2")]),
];

fn ask(kind: &str, address: SocketAddr, options: &[(&str, &str)], timeout: &str) -> Outcome {
    let target = match kind {
        "http" | "balance" => format!("http://{address}/"),
        "dns" => format!("www.lab.test@{address}"),
        _ => address.to_string(),
    };
    check(kind, &target, &[options, &[("timeout", timeout)]].concat())
}

/// Each kind against one peer: not good, and within its time.
fn each_kind(what: &str, address: SocketAddr) {
    thread::scope(|scope| {
        for (kind, options) in KINDS {
            scope.spawn(move || {
                let began = Instant::now();
                let outcome = ask(kind, address, options, "300ms");
                assert_ne!(outcome.level(), Level::Ok, "{kind} {what} {outcome:?}");
                assert!(began.elapsed() < Duration::from_secs(3), "{kind} {what}");
            });
        }
    });
}

#[test]
fn a_peer_that_sends_a_byte_now_and_then() {
    let drip = serve(|mut stream| {
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    each_kind("byte by byte", drip);
}

/// What is sent counts until the probe hangs up; the system's own buffers are in it.
#[test]
fn a_gigabyte_of_header_is_not_taken() {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let endless = serve(move |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while counted.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&[b'x'; 65536]).is_ok() {
            counted.fetch_add(65536, Ordering::SeqCst);
        }
    });
    let outcome = ask("http", endless, &[], "20s");
    assert_eq!(outcome.class(), Class::TooLarge, "{outcome:?}");
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 32 << 20, "{sent} bytes were taken");
}

#[test]
fn a_flood_of_anything() {
    for piece in [&[0_u8; 65536][..], &[b'\n'; 65536], &[0xff; 65536]] {
        let piece: &'static [u8] = Box::leak(piece.into());
        each_kind("flood", serve(move |mut stream| while stream.write_all(piece).is_ok() {}));
    }
}

#[test]
fn a_banner_with_terminal_escapes() {
    for words in [
        &b"220 \x1b]0;owned\x07\x1b[2J\r\n"[..],
        b"* OK \x1b[31m\x9b31m\r\n",
        b"HTTP/1.1 500 \xc2\x9b31m\r\nServer: \x1b[0m\r\n\r\n\x1b[0m",
    ] {
        let address = says(words);
        for (kind, options) in KINDS {
            let shown = format!("{:?}", ask(kind, address, options, "200ms"));
            // Debug prints its own escapes with a brace: what is left of the peer's is text.
            assert!(!shown.contains("\\u{1b}") && !shown.contains("\\u{9b}"), "{kind} {shown}");
        }
    }
}

#[test]
fn a_name_that_points_at_itself() {
    // An answer whose owner is a pointer to itself, and one with two pointers to each other.
    for pointers in [&[0xc0_u8, 30][..], &[0xc0, 32, 0xc0, 30]] {
        let looped = serve_udp(move |bytes| {
            let mut answer = bytes[..12 + 14 + 4].to_vec();
            (answer[2], answer[7], answer[11]) = (answer[2] | 0x80, 1, 0);
            answer.extend(pointers);
            answer.extend([0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 9]);
            answer
        });
        let outcome = check("dns", &format!("www.lab.test@{looped}"), &[("timeout", "2s")]);
        assert_eq!(outcome.class(), Class::Malformed, "{outcome:?}");
    }
}

#[test]
fn a_tls_record_of_nonsense() {
    for words in [
        // A handshake of a length that never comes, one of no known kind, an alert that is cut, a record of no version.
        &[22_u8, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff][..],
        &[22, 3, 3, 0, 5, 99, 0, 0, 1, 7],
        &[21, 3, 3, 0, 1, 2],
        &[22, 9, 9, 0, 4, 1, 2, 3, 4],
        &[0x80, 0x2e, 1, 0, 2],
    ] {
        let address = says(Box::leak(words.into()));
        let outcome = ask("tls", address, &[], "200ms");
        let class = outcome.class();
        let known = [Class::NotTls, Class::TlsHandshake, Class::Stalled, Class::ClosedEarly];
        assert!(known.contains(&class), "{words:?} {outcome:?}");
    }
}

#[test]
fn a_mysql_packet_with_a_false_length() {
    let of = |words: &'static [u8]| ask("mysql", says(words), &[], "200ms").class();
    assert_eq!(of(b"\xff\xff\xff\0\x0a8.0.36"), Class::TooLarge);
    assert_eq!(of(b"\x40\0\0\0\x0a8.0.36\0\x01\0"), Class::Stalled);
    assert_eq!(of(b"\x02\0\0\0\x0a8.0.36\0\x01\0\0\0abcdefgh\0"), Class::Malformed);
    assert_eq!(of(b"\0\0\0\0"), Class::Malformed);
}

#[test]
fn an_endless_redirect() {
    let onward = serve(|mut stream| {
        let head = read_head(&mut stream);
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        let answer =
            format!("HTTP/1.1 302 Found\r\nLocation: {path}x\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    let outcome = ask("http", onward, &[("redirect", "follow")], "5s");
    assert_eq!(outcome.class(), Class::RedirectTooMany, "{outcome:?}");
}

/// A body that unpacks to a thousand times its size.
#[test]
fn a_small_body_that_unpacks_to_a_large_one() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![0; 64 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let page = [head.into_bytes(), packed].concat();
    let address = serve(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(&page);
    });
    let outcome = ask("http", address, &[("expect-body", "\\x00")], "10s");
    assert_eq!(outcome.measure("size"), Some(1_048_576.0), "{outcome:?}");
}

/// Closed and reset at each point of what a sound server says.
#[test]
fn cut_at_every_byte() {
    const SOUND: [(&str, &[u8]); 4] = [
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("smtp", b"220-a\r\n220 b\r\n250-c\r\n250 SIZE 1\r\n"),
        ("imap", b"* OK a\r\n* CAPABILITY IMAP4rev1\r\na OK\r\n"),
        ("haproxy", b"# pxname,svname,status,\r\na,b,UP\r\n"),
    ];
    for (kind, words) in SOUND {
        for at in 0..words.len() {
            let address = serve(move |mut stream| {
                if kind != "smtp" && kind != "imap" {
                    let _ = stream.read(&mut [0; 500]);
                }
                let _ = stream.write_all(&words[..at]);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            });
            let outcome = ask(kind, address, &[], "2s");
            assert!(outcome.took < 2_500_000, "{kind} {at} {outcome:?}");
            // The statistics may end anywhere: what came is a table.
            assert!(kind == "haproxy" || outcome.level() != Level::Ok, "{kind} {at} {outcome:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever a peer says first, and whatever it answers, each kind comes to an end.
    #[test]
    fn any_words(first in proptest::collection::vec(any::<u8>(), 0..60), later in proptest::collection::vec(any::<u8>(), 0..60)) {
        let address = serve(move |mut stream| {
            let _ = stream.write_all(&first);
            let mut space = [0; 500];
            while matches!(stream.read(&mut space), Ok(got) if got > 0) {
                if stream.write_all(&later).is_err() {
                    return;
                }
            }
        });
        for (kind, options) in KINDS {
            let _ = ask(kind, address, options, "30ms");
        }
    }

    /// Whatever stands in the place of a body, it is read or refused.
    #[test]
    fn any_body(
        body in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'5'), Just(b'0'), any::<u8>()], 0..60),
        kind in prop_oneof![Just("Transfer-Encoding: chunked"), Just("Content-Encoding: gzip"), Just("Content-Length: 7")],
    ) {
        let address = serve(move |mut stream| {
            read_head(&mut stream);
            let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        });
        let outcomes = check_all("http", &format!("http://{address}/"), &[("timeout", "2s")]);
        prop_assert!(outcomes[0].took < 2_500_000);
    }
}
