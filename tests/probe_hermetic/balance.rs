//! `probe balance`: even, uneven, bound and failing back ends, cookies that stick and cookies that are lost.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome, plan};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes, read_head, serve, serve_tls};

/// A balancer that answers each request with what `part` makes of its number and its head.
fn balancer(part: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> SocketAddr {
    let count = AtomicUsize::new(0);
    serve(move |mut stream| {
        loop {
            let head = read_head(&mut stream);
            if head.is_empty() {
                return;
            }
            let answer = part(count.fetch_add(1, Ordering::SeqCst), &head);
            if stream.write_all(answer.as_bytes()).is_err() || head.contains("Connection: close") {
                return;
            }
        }
    })
}

fn by(name: &str, headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Served-By: {name}\r\n{headers}Content-Length: 2\r\n\r\nok")
}

fn turn(number: usize) -> String {
    format!("web{}", number % 2 + 1)
}

fn ask(address: SocketAddr, options: &[(&str, &str)]) -> Outcome {
    check("balance", &format!("http://{address}/"), options)
}

#[test]
fn even_and_uneven() {
    let even = ask(balancer(|number, _| by(&turn(number), "")), &[("keep-alive", "")]);
    assert_eq!((even.level(), even.class()), (Level::Ok, Class::Open), "{even:?}");
    assert_eq!((even.measure("servers"), even.measure("largest_share")), (Some(2.0), Some(50.0)));
    assert_eq!(even.fact("over_one_connection"), Some(&Cell::text("web1 5, web2 5")));
    let mostly =
        |number: usize, _: &str| by(if number.is_multiple_of(10) { "web2" } else { "web1" }, "");
    assert_eq!(classes(&ask(balancer(mostly), &[])), ["unbalanced"]);
    let weighted = [("weight", "web1=9"), ("weight", "web2=1")];
    assert_eq!(ask(balancer(mostly), &weighted).class(), Class::Open);
}

#[test]
fn one_server_takes_all() {
    let one = balancer(|_, _| by("web1", ""));
    let outcome = ask(one, &[("requests", "5")]);
    assert_eq!(outcome.class(), Class::Unbalanced);
    assert!(outcome.worst_fault().unwrap().cause.contains("ip_hash"));
    assert_eq!(ask(one, &[("requests", "5"), ("servers", "3")]).class(), Class::Unbalanced);
}

#[test]
fn bound_by_the_address_of_the_client() {
    let bound = serve(|mut stream| {
        read_head(&mut stream);
        let last = stream.peer_addr().unwrap().ip().to_string().pop().unwrap();
        let _ = stream.write_all(by(&format!("web{last}"), "").as_bytes());
    });
    assert_eq!(ask(bound, &[]).class(), Class::Unbalanced);
    let from = [("from", "127.0.0.1,127.0.0.2"), ("requests", "10")];
    let outcome = ask(bound, &from);
    assert_eq!(outcome.measure("servers"), Some(2.0), "{outcome:?}");
}

#[test]
fn some_answers_fail() {
    let half = balancer(|number, _| match number % 4 {
        3 => "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => by(&turn(number), ""),
    });
    let outcome = ask(half, &[("requests", "20")]);
    assert!(outcome.has(Class::BackendErrors), "{outcome:?}");
    assert_eq!(outcome.measure("failed"), Some(5.0));
    assert!(outcome.line().contains("502 Bad Gateway"), "{}", outcome.line());
}

#[test]
fn answers_without_a_mark() {
    let plain = balancer(|_, _| "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nnode 01".to_owned());
    let outcome = ask(plain, &[("requests", "4")]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Unknown, Class::IdentityMissing));
    let outcome = ask(plain, &[("requests", "4"), ("by", "body:~node ([0-9]+)")]);
    assert_eq!(outcome.class(), Class::Unbalanced);
    assert!(outcome.line().contains("01 4"), "{}", outcome.line());
}

/// With its cookie a client stays; without, requests go round.
fn sticky(attributes: &'static str) -> SocketAddr {
    balancer(move |number, head| match head.split("SRV=").nth(1) {
        Some(rest) => by(rest.lines().next().unwrap_or_default(), ""),
        None => {
            let name = turn(number);
            by(&name, &format!("Set-Cookie: SRV={name}; path=/{attributes}\r\n"))
        }
    })
}

#[test]
fn sessions() {
    let kept = ask(sticky(""), &[("sticky", "")]);
    assert_eq!(kept.class(), Class::Open, "{kept:?}");
    assert_eq!(kept.fact("sessions_stick"), Some(&Cell::text("yes")));
    let lost = ask(sticky("; Secure"), &[("sticky", "")]);
    assert_eq!(classes(&lost), ["session_lost"]);
    assert!(lost.worst_fault().unwrap().cause.contains("https only"), "{lost:?}");
    let elsewhere = ask(sticky("app"), &[("sticky", "")]);
    assert!(elsewhere.worst_fault().unwrap().cause.contains("another path"));
    let none = ask(balancer(|number, _| by(&turn(number), "")), &[("sticky", "")]);
    assert!(none.worst_fault().unwrap().cause.contains("sets no cookie"));
    // Where nobody asks for it, it is a fact and no fault.
    let told = ask(sticky("; Secure"), &[]);
    assert_eq!((told.class(), told.fact("sessions_stick")), (Class::Open, Some(&Cell::text("no"))));
}

#[test]
fn inside_tls() {
    let lab = Lab::new("balance-tls");
    let count = AtomicUsize::new(0);
    let address = serve_tls(&lab.good(), move |tls| {
        read_head(tls);
        let number = count.fetch_add(1, Ordering::SeqCst);
        let _ = tls.write_all(by(&turn(number), "").as_bytes());
    });
    let target = format!("https://www.lab.test:{}/", address.port());
    let options = [("resolve", "www.lab.test=127.0.0.1"), ("ca-file", lab.ca()), ("requests", "6")];
    let outcome = check("balance", &target, &options);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
}

/// A server may close a connection between two requests: the answers until then count.
#[test]
fn a_connection_that_is_not_kept() {
    let once = serve(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(by("web1", "").as_bytes());
    });
    let outcome = ask(once, &[("requests", "2"), ("servers", "1"), ("keep-alive", "")]);
    assert_eq!(outcome.fact("requests_on_one_connection"), Some(&Cell::Count(1)), "{outcome:?}");
}

#[test]
fn what_is_no_balancer() {
    let class = |part: fn(usize, &str) -> String| ask(balancer(part), &[("requests", "3")]).class();
    assert_eq!(class(|_, _| "SSH-2.0-x\r\n".to_owned()), Class::WrongProtocol);
    let closes = ask(serve(drop), &[("requests", "3")]);
    assert!(matches!(closes.class(), Class::ClosedEarly | Class::Reset), "{closes:?}");
    for bad in [("requests", "1000"), ("requests", "1"), ("by", "colour"), ("weight", "a=b")] {
        assert!(plan("balance", ["http://a/"], [bad]).unwrap_err().is_usage(), "{bad:?}");
    }
}
