//! `probe http`: verdicts, phases, redirects, parts of pages, and answers that are none.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use logmill::document::{Cell, Level};
use logmill::probe::outcome::End;
use logmill::probe::{Class, Outcome, plan};

use crate::support::certs::Lab;
use crate::support::peers::{answers, check, classes, read_head, says, serve, serve_tls};

fn ask(address: SocketAddr, options: &[(&str, &str)]) -> Outcome {
    check("http", &format!("http://{address}/x"), options)
}

/// The class of an answer with these bytes.
fn class_of(answer: &str, options: &[(&str, &str)]) -> Class {
    ask(answers(answer), options).class()
}

#[test]
fn a_good_page_has_all_its_phases() {
    let outcome =
        ask(answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: a\r\n\r\nhello"), &[]);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    for step in ["resolve", "connect", "first_byte", "headers", "body"] {
        assert!(outcome.step(step).unwrap().micros().is_some(), "{step}");
    }
    assert_eq!(outcome.measure("size"), Some(5.0));
    assert_eq!(outcome.fact("status"), Some(&Cell::Number(200)));
    assert_eq!(outcome.line(), "HTTP/1.1 200 OK, 5 bytes");
}

#[test]
fn statuses_have_their_weight() {
    for (status, class, level) in [
        ("204 No", Class::Open, Level::Ok),
        ("302 Found", Class::Open, Level::Ok),
        ("404 Not Found", Class::StatusClient, Level::Warning),
        ("502 Bad Gateway", Class::StatusServer, Level::Critical),
    ] {
        let outcome = ask(answers(format!("HTTP/1.1 {status}\r\n\r\n")), &[]);
        assert_eq!((outcome.class(), outcome.level()), (class, level), "{status}");
    }
    let answer = "HTTP/1.1 401 No\r\n\r\n";
    assert_eq!(class_of(answer, &[("expect-status", "200,401-403")]), Class::Open);
    assert_eq!(class_of(answer, &[("expect-status", "200")]), Class::Unexpected);
}

#[test]
fn who_answered() {
    let page = "HTTP/1.1 502 Bad Gateway\r\n\r\n<hr><center>nginx/1.22.1</center>";
    let outcome = ask(answers(page), &[]);
    assert_eq!(outcome.fact("answered_by"), Some(&Cell::text("nginx itself")));
    assert!(outcome.worst_fault().unwrap().cause.contains("behind it"));
}

#[test]
fn expectations_on_the_content() {
    let page = "HTTP/1.1 200 OK\r\nX-A: one\r\nLast-Modified: Sun, 14 Jun 2026 23:00:00 GMT\r\n\r\n\
        {\"status\":\"up\",\"items\":[{\"id\":7}]}";
    for (option, value, class) in [
        ("expect-body", "up", Class::Open),
        ("expect-body", "~\"id\":[0-9]", Class::Open),
        ("expect-body", "!~\"up\"", Class::Unexpected),
        ("expect-header", "X-A=one", Class::Open),
        ("expect-header", "x-a=~^two$", Class::Unexpected),
        ("expect-header", "x-b=", Class::Unexpected),
        ("expect-json", "/status=up", Class::Open),
        ("expect-json", "/items/0/id=7", Class::Open),
        ("expect-json", "/items/0/id=8", Class::Unexpected),
        ("max-age", "2h", Class::Open),
        ("max-age", "10m", Class::Stale),
        ("size", "10:", Class::Open),
        ("size", "10", Class::Unexpected),
    ] {
        assert_eq!(class_of(page, &[(option, value)]), class, "{option} {value}");
    }
}

#[test]
fn bodies_in_pieces_packed_and_cut() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(class_of(chunked, &[("expect-body", "abcde"), ("size", "5:5")]), Class::Open);
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        assert_eq!(class_of(answer, &[]), Class::BodyTruncated, "{answer}");
    }
    let mut packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    encoder.write_all(&[b'a'; 10_000_000]).unwrap();
    encoder.finish().unwrap();
    let outcome = ask(answers(packed), &[("expect-body", "aaa")]);
    assert_eq!((outcome.class(), outcome.measure("size")), (Class::Open, Some(1_048_576.0)));
}

#[test]
fn what_is_not_http() {
    assert_eq!(ask(says(b"SSH-2.0-OpenSSH\r\n"), &[]).class(), Class::WrongProtocol);
    assert_eq!(ask(says(b"\x15\x03\x03\0\x02\x02\x46"), &[]).class(), Class::WrongProtocol);
    assert_eq!(class_of("HTTP/1.1 abc\r\n\r\n", &[]), Class::Malformed);
    assert_eq!(
        class_of("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", &[]),
        Class::Malformed
    );
    assert_eq!(
        class_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot", &[]),
        Class::Malformed
    );
    let tls_wanted = "HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>";
    assert_eq!(class_of(tls_wanted, &[]), Class::WrongProtocol);
}

/// The signature of exhausted workers: the system accepts at once, and then nothing comes.
#[test]
fn silent_closed_and_stalled() {
    let silent = serve(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let outcome = ask(silent, &[("timeout", "60ms")]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::Silent, Some("first_byte")));
    assert_eq!(outcome.step("body").unwrap().end, End::NotReached);
    let closed = serve(|mut stream| drop(read_head(&mut stream)));
    assert_eq!(ask(closed, &[]).class(), Class::ClosedEarly);
    let half = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nServ");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let outcome = ask(half, &[("step-timeout", "headers=50ms")]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::Stalled, Some("headers")));
}

#[test]
fn a_byte_at_a_time_ends_with_the_deadline() {
    let slow = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let began = Instant::now();
    assert_eq!(ask(slow, &[("timeout", "120ms")]).class(), Class::Stalled);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_endless_head_is_too_large() {
    let line = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert_eq!(ask(line, &[]).class(), Class::TooLarge);
    let lines = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all("X: y\r\n".repeat(1000).as_bytes()).is_ok() {}
    });
    assert_eq!(ask(lines, &[]).class(), Class::TooLarge);
}

/// A server that answers each path with what `page` makes of it.
fn site(page: impl Fn(&str) -> String + Send + Sync + 'static) -> SocketAddr {
    serve(move |mut stream| {
        let head = read_head(&mut stream);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let _ = stream.write_all(page(&path).as_bytes());
    })
}

#[test]
fn redirects() {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\n\r\n");
    let address = site(move |path| match path {
        "/x" => to("/y"),
        "/y" => "HTTP/1.1 200 OK\r\n\r\nend".to_owned(),
        "/loop" => to("loop"),
        endless => to(&format!("{endless}a")),
    });
    let of = |path: &str, policy: &str| {
        check("http", &format!("http://{address}{path}"), &[("redirect", policy)])
    };
    let outcome = of("/x", "follow");
    assert_eq!((outcome.class(), outcome.measure("redirects")), (Class::Open, Some(1.0)));
    assert_eq!(of("/x", "warn").class(), Class::RedirectFound);
    assert_eq!(of("/x", "stop").level(), Level::Critical);
    assert_eq!(of("/x", "ok").class(), Class::Open);
    assert_eq!(of("/loop", "follow").class(), Class::RedirectLoop);
    assert_eq!(of("/e", "follow").class(), Class::RedirectTooMany);
}

#[test]
fn parts_of_the_page() {
    let address = site(|path| match path {
        "/x" => {
            "HTTP/1.1 200 OK\r\n\r\n<link rel=stylesheet href=a.css><script src=/b.js></script>"
                .into()
        }
        "/a.css" => "HTTP/1.1 200 OK\r\n\r\nbody{}".into(),
        _ => "HTTP/1.1 404 Not Found\r\n\r\n".into(),
    });
    let outcome = ask(address, &[("assets", "")]);
    assert_eq!(classes(&outcome), ["asset_broken"]);
    assert_eq!(outcome.fact("assets"), Some(&Cell::Count(2)));
}

#[test]
fn over_tls_every_fault_of_the_certificate_shows() {
    let lab = Lab::new("http-tls");
    let page = |tls: &mut rustls::Stream<'_, rustls::ServerConnection, std::net::TcpStream>| {
        read_head(tls);
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    };
    let good = serve_tls(&lab.good(), page);
    let target = |port: u16| format!("https://www.lab.test:{port}/");
    let options = [("resolve", "www.lab.test=127.0.0.1"), ("ca-file", lab.ca())];
    let outcome = check("http", &target(good.port()), &options);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert!(
        outcome.step("tls").unwrap().micros().is_some() && outcome.measure("days") == Some(47.0)
    );
    let bad = serve_tls(&lab.leaf(&["a.test"], (1, 1), (6, 1)), page);
    let outcome = check("http", &target(bad.port()), &options);
    assert_eq!(classes(&outcome), ["expired", "wrong_name"]);
    assert_eq!(outcome.fact("status"), Some(&Cell::Number(200)));
}

#[test]
fn through_a_proxy() {
    let proxy = site(|target| match target {
        "http://a.test/x" => "HTTP/1.1 200 OK\r\n\r\nby proxy".into(),
        "a.test:443" => "HTTP/1.1 403 Filtered\r\n\r\n".into(),
        _ => "HTTP/1.1 407 Login\r\n\r\n".into(),
    });
    let proxy = proxy.to_string();
    let of = |url: &str| check("http", url, &[("proxy", &proxy)]);
    assert_eq!(of("http://a.test/x").class(), Class::Open);
    assert_eq!(of("https://a.test/").class(), Class::ProxyRefused);
    assert_eq!(of("https://b.test/").class(), Class::ProxyLogin);
}

#[test]
fn wrong_questions_get_the_right_form() {
    let error = |target: &str, options: &[(&str, &str)]| {
        plan("http", [target], options.iter().copied()).unwrap_err()
    };
    assert!(error("gopher://x", &[]).advice().unwrap().contains("https://HOST"));
    assert!(error("a", &[("method", "DELETE")]).to_string().contains("change something"));
    assert!(error("a", &[("header", "a: b\r\nc: d")]).is_usage());
    assert!(error("a", &[("expect-status", "2xx")]).to_string().contains("200,301-302"));
    assert!(error("a", &[("expect-body", "~(")]).is_usage());
    assert!(error("a", &[("basic-env", "LOGMILL_NO_SUCH")]).is_usage());
}
