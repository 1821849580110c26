//! `probe dns`: every answer code, authorities that disagree, stale answers, loss, and messages that are none.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome, plan};

use crate::support::names::{Said, refused_with, said, serve};
use crate::support::peers::{check, classes, serve_udp};

fn ask(name: &str, server: SocketAddr, options: &[(&str, &str)]) -> Outcome {
    let mut options = options.to_vec();
    if !options.iter().any(|(name, _)| *name == "timeout") {
        options.push(("timeout", "3s"));
    }
    check("dns", &format!("{name}@{server}"), &options)
}

/// The zone of most tests.
fn lab(name: &str, rtype: &str) -> Said {
    match (name, rtype) {
        ("www.lab.test", "A") => said(&["an www.lab.test. 300 A 127.0.0.9"]),
        ("alias.lab.test", "A") => refused_with(
            "NXDOMAIN",
            &["an alias.lab.test. 300 CNAME gone.lab.test.", "ns lab.test. 60 SOA 1"],
        ),
        ("www.lab.test", _) => said(&["ns lab.test. 60 SOA 1"]),
        ("broken.lab.test", _) => refused_with("SERVFAIL", &[]),
        ("refused.lab.test", _) => refused_with("REFUSED", &[]),
        ("big.lab.test", "A") => {
            Said { truncate: true, ..said(&["an big.lab.test. 300 A 127.0.0.9"]) }
        }
        ("child.lab.test", _) => {
            Said { authoritative: false, ..said(&["ns child.lab.test. 60 NS ns.child.lab.test."]) }
        }
        ("silent.lab.test", _) => refused_with("silent", &[]),
        ("lab.test", "MX") => {
            said(&["an lab.test. 60 MX mail.lab.test.", "an lab.test. 60 MX none.lab.test."])
        }
        ("null.test", "MX") => said(&["an null.test. 60 MX ."]),
        ("mail.lab.test", "A") => said(&["an mail.lab.test. 60 A 127.0.0.7"]),
        ("9.0.0.127.in-addr.arpa", "PTR") => {
            said(&["an 9.0.0.127.in-addr.arpa. 60 PTR www.lab.test."])
        }
        ("7.0.0.127.in-addr.arpa", "PTR") => {
            said(&["an 7.0.0.127.in-addr.arpa. 60 PTR www.lab.test."])
        }
        _ => refused_with("NXDOMAIN", &["ns lab.test. 60 SOA 1"]),
    }
}

#[test]
fn each_answer_has_its_class() {
    let server = serve(1, 0, lab);
    for (name, options, class) in [
        ("www.lab.test", &[][..], Class::Open),
        ("www.lab.test", &[("tcp", "")], Class::Open),
        ("www.lab.test", &[("both", "")], Class::Open),
        ("www.lab.test", &[("type", "MX")], Class::Nodata),
        ("none.lab.test", &[], Class::Nxdomain),
        ("none.lab.test", &[("expect-rcode", "nxdomain")], Class::Open),
        ("www.lab.test", &[("expect-rcode", "nxdomain")], Class::Unexpected),
        ("alias.lab.test", &[], Class::DanglingCname),
        ("broken.lab.test", &[], Class::Servfail),
        ("refused.lab.test", &[], Class::DnsRefused),
        ("child.lab.test", &[], Class::Lame),
        ("www.lab.test", &[("expect", "127.0.0.9")], Class::Open),
        ("www.lab.test", &[("expect", "127.0.0.9,127.0.0.8")], Class::Unexpected),
        ("www.lab.test", &[("expect-some", "127.0.0.0/8,10.0.0.1")], Class::Open),
        ("www.lab.test", &[("expect-some", "~^10\\.")], Class::Unexpected),
        ("silent.lab.test", &[("timeout", "60ms")], Class::DnsTimeout),
    ] {
        let outcome = ask(name, server, options);
        assert_eq!(outcome.class(), class, "{name} {options:?} {outcome:?}");
    }
    let outcome = ask("none.lab.test", server, &[]);
    assert!(outcome.worst_fault().unwrap().cause.contains("30 s"));
}

#[test]
fn a_truncated_answer_is_asked_again_over_tcp() {
    let server = serve(1, 0, lab);
    let outcome = ask("big.lab.test", server, &[]);
    assert_eq!(
        (outcome.class(), outcome.fact("transport")),
        (Class::Open, Some(&Cell::text("tcp")))
    );
    let udp_only = serve_udp(|bytes| {
        let mut answer = bytes.to_vec();
        answer[2] |= 0x82;
        answer
    });
    assert_eq!(ask("big.lab.test", udp_only, &[]).class(), Class::TruncatedNoTcp);
}

#[test]
fn nobody_listens() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask("www.lab.test", gone, &[]).class(), Class::DnsPortClosed);
}

#[test]
fn answers_to_other_questions_and_nonsense() {
    let other_id = serve_udp(|bytes| {
        let mut answer = bytes.to_vec();
        answer[0] ^= 0xff;
        answer[2] |= 0x80;
        answer
    });
    assert_eq!(ask("www.lab.test", other_id, &[("timeout", "80ms")]).class(), Class::IdMismatch);
    let nonsense = serve_udp(|_| vec![0xff; 40]);
    assert_eq!(ask("www.lab.test", nonsense, &[("timeout", "80ms")]).class(), Class::Malformed);
    // An answer whose name points at itself.
    let looped = serve_udp(|bytes| {
        let mut answer = bytes[..12 + 14 + 4].to_vec();
        answer[2] |= 0x80;
        answer[7] = 1;
        answer[11] = 0;
        answer.extend([0xc0, 30, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 9]);
        answer
    });
    assert_eq!(ask("www.lab.test", looped, &[]).class(), Class::Malformed);
}

/// Now this and now that: two servers on one port.
#[test]
fn answers_that_change_from_try_to_try() {
    let asked = AtomicUsize::new(0);
    let server = serve(1, 0, move |_, _| match asked.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => said(&["an www.lab.test. 60 A 127.0.0.9"]),
        _ => said(&["an www.lab.test. 60 A 127.0.0.42"]),
    });
    let outcome = ask("www.lab.test", server, &[("tries", "4")]);
    assert_eq!(classes(&outcome), ["disagree"], "{outcome:?}");
    assert!(outcome.line().contains("127.0.0.42 (2 times)"), "{}", outcome.line());
}

#[test]
fn loss_over_several_tries() {
    let asked = AtomicUsize::new(0);
    let server = serve(1, 0, move |name, rtype| match asked.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => lab(name, rtype),
        _ => refused_with("silent", &[]),
    });
    let outcome = ask("www.lab.test", server, &[("tries", "4"), ("timeout", "400ms")]);
    assert_eq!((outcome.class(), outcome.level()), (Class::Loss, Level::Warning));
    assert_eq!(outcome.measure("loss"), Some(50.0));
    assert!(outcome.measure("rtt").unwrap() < 0.1);
}

/// A zone with two servers on one port of two addresses: the serial and the record of each.
fn two_authorities(second: impl Fn(&str, &str) -> Said + Send + Sync + 'static) -> SocketAddr {
    let first = serve(2, 0, move |name, rtype| match (name, rtype) {
        ("two.test", "NS") => {
            said(&["an two.test. 60 NS ns1.two.test.", "an two.test. 60 NS ns2.two.test."])
        }
        ("ns1.two.test", "A") => said(&["an ns1.two.test. 60 A 127.0.0.2"]),
        ("ns2.two.test", "A") => said(&["an ns2.two.test. 60 A 127.0.0.3"]),
        ("two.test", "SOA") => said(&["an two.test. 60 SOA 2026112305"]),
        ("www.two.test", "A") => said(&["an www.two.test. 60 A 127.0.0.42"]),
        _ => said(&["ns two.test. 60 SOA 2026112305"]),
    });
    serve(3, first.port(), second);
    first
}

fn authoritative(server: SocketAddr) -> Outcome {
    let port = server.port().to_string();
    ask("www.two.test", server, &[("authoritative", ""), ("authority-port", &port)])
}

#[test]
fn authorities_that_agree() {
    let server = two_authorities(|name, rtype| match (name, rtype) {
        ("two.test", "SOA") => said(&["an two.test. 60 SOA 2026112305"]),
        _ => said(&["an www.two.test. 60 A 127.0.0.42"]),
    });
    let outcome = authoritative(server);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert_eq!(outcome.fact("zone_serial"), Some(&Cell::Count(2_026_112_305)));
    assert_eq!(outcome.sections.len(), 1);
}

#[test]
fn authorities_that_do_not() {
    let server = two_authorities(|name, rtype| match (name, rtype) {
        ("two.test", "SOA") => said(&["an two.test. 60 SOA 2026112301"]),
        _ => said(&["an www.two.test. 60 A 127.0.0.9"]),
    });
    assert_eq!(classes(&authoritative(server)), ["serial_behind", "disagree"]);
    let lame = two_authorities(|_, _| refused_with("REFUSED", &[]));
    assert_eq!(classes(&authoritative(lame)), ["lame"]);
}

#[test]
fn a_stale_answer_says_how_long() {
    let authority = two_authorities(|_, _| said(&["an www.two.test. 60 A 127.0.0.42"]));
    let resolver = serve(1, 0, move |name, rtype| {
        let reply = match (name, rtype) {
            ("www.two.test", "A") => said(&["an www.two.test. 299 A 127.0.0.9"]),
            ("two.test", "NS") => said(&["an two.test. 60 NS ns1.two.test."]),
            ("ns1.two.test", "A") => said(&["an ns1.two.test. 60 A 127.0.0.2"]),
            _ => said(&["ns two.test. 60 SOA 1"]),
        };
        Said { authoritative: false, ..reply }
    });
    let port = authority.port().to_string();
    let outcome =
        ask("www.two.test", resolver, &[("authoritative", ""), ("authority-port", &port)]);
    assert_eq!(classes(&outcome), ["stale_answer"]);
    assert_eq!(outcome.fact("seconds_left"), Some(&Cell::Count(299)));
}

#[test]
fn other_servers_are_compared() {
    let (one, same) = (serve(1, 0, lab), serve(1, 0, lab));
    let other = serve(1, 0, |_, _| said(&["an www.lab.test. 60 A 127.0.0.8"]));
    let compare = |with: SocketAddr| ask("www.lab.test", one, &[("compare", &with.to_string())]);
    assert_eq!(compare(same).class(), Class::Open);
    assert_eq!(compare(other).class(), Class::Disagree);
}

#[test]
fn mail_exchangers_and_reverse_names() {
    let server = serve(1, 0, lab);
    let outcome = ask("lab.test", server, &[("mx", "")]);
    assert_eq!(classes(&outcome), ["mail_target"]);
    assert!(outcome.faults[0].asked.contains("none.lab.test"));
    assert!(ask("null.test", server, &[("mx", "")]).fact("null_mx").is_some());
    assert_eq!(ask("127.0.0.9", server, &[("ptr", "")]).class(), Class::Open);
    assert_eq!(ask("127.0.0.7", server, &[("ptr", "")]).class(), Class::Disagree);
}

#[test]
fn the_way_to_a_name() {
    let child = serve(3, 0, |_, _| said(&["an www.child.test. 60 A 127.0.0.5"]));
    let parent = serve(2, child.port(), |name, _| match name {
        "ns.child.test" => said(&["an ns.child.test. 60 A 127.0.0.3"]),
        _ => Said { authoritative: false, ..said(&["ns child.test. 60 NS ns.child.test."]) },
    });
    let port = parent.port().to_string();
    let outcome = ask("www.child.test", parent, &[("trace", ""), ("authority-port", &port)]);
    assert_eq!(classes(&outcome), [""; 0]);
    let way = outcome.sections.iter().find(|section| section.name == "way").unwrap();
    let logmill::document::Body::Table(table) = &way.body else { panic!() };
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn wrong_questions_get_the_right_form() {
    let error = |word: &str, options: &[(&str, &str)]| {
        plan("dns", [word], options.iter().copied()).unwrap_err()
    };
    assert!(error("a b@127.0.0.1", &[]).advice().unwrap().contains("NAME@SERVER"));
    assert!(error("a@127.0.0.1", &[("type", "XYZ")]).to_string().contains("XYZ"));
    assert!(error("a@/run/x", &[]).is_usage());
}
