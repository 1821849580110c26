//! `probe tls`: every fault of a certificate alone, several at once, and what is no TLS at all.

use std::io::{Read, Write};

use logmill::document::{Cell, Level};
use logmill::probe::Class;

use crate::support::certs::{Identity, Lab, pem, self_signed};
use crate::support::peers::{check, classes, says, serve, serve_tls};

/// The classes found for an identity that is asked for by a name.
fn found(lab: &Lab, identity: &Identity, name: &str) -> Vec<&'static str> {
    let address = serve_tls(identity, |tls| drop(tls.read(&mut [0])));
    let target = format!("{name}:{}", address.port());
    let resolve = format!("{name}=127.0.0.1");
    classes(&check("tls", &target, &[("resolve", &resolve), ("ca-file", lab.ca())]))
}

#[test]
fn each_fault_has_its_class() {
    let lab = Lab::new("tls-each");
    let www = "www.lab.test";
    let leaf = |names: &[&str], from, to| lab.leaf(names, from, to);
    let mut incomplete = lab.good();
    incomplete.chain.truncate(1);
    let cases: [(&str, Identity, &str, &[&str]); 13] = [
        ("good", lab.good(), www, &[]),
        ("by the root", lab.by_root(&[www]), www, &[]),
        ("expired", leaf(&[www], (1, 1), (6, 1)), www, &["expired"]),
        ("not yet", leaf(&[www], (7, 1), (12, 1)), www, &["not_yet_valid"]),
        ("soon", leaf(&[www], (1, 1), (6, 25)), www, &["expiring"]),
        ("short-lived", leaf(&[www], (6, 12), (6, 18)), www, &[]),
        ("self-signed CA", self_signed(&[www], true), www, &["self_signed"]),
        ("self-signed", self_signed(&[www], false), www, &["self_signed"]),
        ("incomplete", incomplete, www, &["incomplete_chain"]),
        ("wrong name", leaf(&["mail.lab.test"], (5, 1), (8, 1)), www, &["wrong_name"]),
        ("apex", leaf(&["*.lab.test"], (5, 1), (8, 1)), "lab.test", &["wildcard_too_narrow"]),
        (
            "two labels",
            leaf(&["*.lab.test"], (5, 1), (8, 1)),
            "a.b.lab.test",
            &["wildcard_too_narrow"],
        ),
        ("no names", leaf(&[], (5, 1), (8, 1)), www, &["no_san"]),
    ];
    for (what, identity, name, wanted) in cases {
        assert_eq!(found(&lab, &identity, name), wanted, "{what}");
    }
}

#[test]
fn all_faults_show_at_once() {
    let lab = Lab::new("tls-all");
    let mut bad = lab.leaf(&["*.lab.test"], (1, 1), (6, 1));
    bad.chain.truncate(1);
    let all = found(&lab, &bad, "a.b.lab.test");
    assert_eq!(all, ["expired", "wildcard_too_narrow", "incomplete_chain"]);
}

#[test]
fn an_unknown_root_and_a_wrong_order() {
    let (lab, other) = (Lab::new("tls-unknown"), Lab::new("tls-other"));
    assert_eq!(found(&other, &lab.good(), "www.lab.test"), ["unknown_root"]);
    let mut with_root = lab.good();
    with_root.chain.push(lab.root_der.clone());
    assert_eq!(found(&other, &with_root, "www.lab.test"), ["unknown_root"]);
    with_root.chain.swap(1, 2);
    assert_eq!(found(&lab, &with_root, "www.lab.test"), ["chain_order"]);
}

#[test]
fn a_self_signed_certificate_can_be_trusted() {
    let identity = self_signed(&["www.lab.test"], true);
    let file = format!("{}/self.pem", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, pem("CERTIFICATE", &identity.chain[0])).unwrap();
    let mut lab = Lab::new("tls-trusted");
    lab.ca_file = file.into();
    assert_eq!(found(&lab, &identity, "www.lab.test"), [""; 0]);
}

#[test]
fn an_address_without_a_name_is_not_judged_by_name() {
    let lab = Lab::new("tls-address");
    let address = serve_tls(&lab.good(), |tls| drop(tls.read(&mut [0])));
    let outcome = check("tls", &address.to_string(), &[("ca-file", lab.ca())]);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert!(matches!(outcome.fact("tls_version"), Some(Cell::Text(text)) if text == b"TLSv1.3"));
    assert_eq!(outcome.measure("days"), Some(47.0));
    let outcome =
        check("tls", &address.to_string(), &[("ca-file", lab.ca()), ("name", "x.lab.test")]);
    assert_eq!(outcome.class(), Class::WrongName);
}

#[test]
fn names_that_must_be_covered() {
    let lab = Lab::new("tls-names");
    let address = serve_tls(&lab.good(), |tls| drop(tls.read(&mut [0])));
    let options = [("ca-file", lab.ca()), ("names", "www.lab.test,lab.test")];
    let outcome = check("tls", &address.to_string(), &options);
    assert_eq!(classes(&outcome), ["wrong_name"]);
    assert!(outcome.sections.iter().any(|section| section.name == "names"));
}

#[test]
fn a_renewed_file_that_was_not_reloaded() {
    let lab = Lab::new("tls-file");
    let old = lab.leaf(&["www.lab.test"], (4, 1), (6, 20));
    let file = format!("{}/renewed.pem", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, pem("CERTIFICATE", &lab.good().chain[0])).unwrap();
    let address = serve_tls(&old, |tls| drop(tls.read(&mut [0])));
    let options = [("ca-file", lab.ca()), ("compare-file", file.as_str())];
    let outcome = check("tls", &address.to_string(), &options);
    assert_eq!(classes(&outcome), ["expiring", "renewed_not_reloaded"]);
    assert_eq!(outcome.level(), Level::Critical);
    let outcome = check("tls", &format!("file:{file}"), &[("ca-file", lab.ca())]);
    assert_eq!(classes(&outcome), ["incomplete_chain"]);
}

#[test]
fn a_port_that_does_not_speak_tls() {
    for words in [b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), b"220 mail\r\n", b"SSH-2.0-x\r\n"]
    {
        let address = says(words);
        let outcome = check("tls", &address.to_string(), &[("timeout", "2s")]);
        assert_eq!(outcome.class(), Class::NotTls, "{outcome:?}");
    }
}

#[test]
fn nonsense_and_silence() {
    let address = says(&[0x16, 3, 3, 0xff, 0xff, 9, 9, 9, 9]);
    let outcome = check("tls", &address.to_string(), &[("timeout", "200ms")]);
    assert!(matches!(outcome.class(), Class::NotTls | Class::TlsHandshake | Class::Stalled));
    let address = serve(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let outcome = check("tls", &address.to_string(), &[("timeout", "60ms")]);
    assert_eq!(outcome.class(), Class::Silent);
}

#[test]
fn only_old_versions() {
    // A server of TLS 1.0: it answers any greeting with a hello of its own version.
    let hello = |minor: u8| {
        let mut bytes = vec![22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
        bytes.extend([7; 32]);
        bytes.extend([0, 0, 0x2f, 0]);
        bytes
    };
    let address = serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&hello(1));
    });
    let outcome = check("tls", &address.to_string(), &[]);
    assert_eq!(outcome.class(), Class::TlsTooOld, "{outcome:?}");
    // An alert that names the version says the same.
    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, 70]);
    });
    assert_eq!(check("tls", &address.to_string(), &[]).class(), Class::TlsTooOld);
}

/// What is awaited (nothing at first) and what is answered.
type Lines = &'static [(&'static str, &'static str)];

/// The dialogue in clear before TLS: what is said, and then nothing but the handshake.
fn starttls_server(lab: &Lab, lines: Lines) -> std::net::SocketAddr {
    let config = crate::support::peers::server_config(&lab.good());
    serve(move |mut socket| {
        for (wanted, answer) in lines {
            if !wanted.is_empty() && !line(&mut socket).starts_with(wanted) {
                return;
            }
            socket.write_all(answer.as_bytes()).unwrap();
        }
        let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
        let _ = rustls::Stream::new(&mut tls, &mut socket).read_to_end(&mut Vec::new());
    })
}

fn line(socket: &mut std::net::TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while byte[0] != b'\n' && socket.read(&mut byte).is_ok_and(|got| got == 1) {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn starttls_of_three_protocols() {
    let lab = Lab::new("tls-starttls");
    let cases: [(&str, Lines, &[&str]); 5] = [
        (
            "smtp",
            &[
                ("", "220-a\r\n220 b\r\n"),
                ("EHLO", "250-b\r\n250 STARTTLS\r\n"),
                ("STARTTLS", "220 go\r\n"),
            ],
            &[],
        ),
        (
            "smtp",
            &[("", "220 b\r\n"), ("EHLO", "250 b\r\n"), ("QUIT", "221 b\r\n")],
            &["starttls_missing"],
        ),
        ("imap", &[("", "* OK a\r\n"), ("b STARTTLS", "* x\r\nb OK\r\n")], &[]),
        ("pop3", &[("", "+OK a\r\n"), ("STLS", "-ERR no\r\n")], &["starttls_missing"]),
        ("pop3", &[("", "+OK a\r\n"), ("STLS", "+OK\r\n")], &[]),
    ];
    for (protocol, lines, wanted) in cases {
        let address = starttls_server(&lab, lines);
        let options = [("starttls", protocol), ("ca-file", lab.ca()), ("timeout", "2s")];
        let outcome = check("tls", &address.to_string(), &options);
        assert_eq!(classes(&outcome), wanted, "{protocol} {outcome:?}");
    }
}

#[test]
fn words_smuggled_in_before_tls_are_a_fault() {
    let lab = Lab::new("tls-smuggled");
    let address = starttls_server(
        &lab,
        &[("", "220 b\r\n"), ("EHLO", "250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n250 evil\r\n")],
    );
    let options = [("starttls", "smtp"), ("ca-file", lab.ca()), ("timeout", "2s")];
    assert_eq!(check("tls", &address.to_string(), &options).class(), Class::WrongProtocol);
}

mod damaged {
    use logmill::probe::options::Options;
    use logmill::probe::tls::{KNOBS, Settings, judge};
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use std::sync::LazyLock;

    use crate::support::certs::Lab;

    static CHAIN: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| Lab::new("tls-damaged").good().chain);
    static SETTINGS: LazyLock<Settings> =
        LazyLock::new(|| Settings::parse(&Options::parse(&[KNOBS], []).unwrap()).unwrap());

    proptest! {
        /// Whatever is in a certificate, it is judged and nothing panics.
        #[test]
        fn any_certificate_is_judged(at: usize, value: u8, cut: usize, name in "[a-z.*]{0,12}") {
            let mut leaf = CHAIN[0].to_vec();
            let at = at % leaf.len();
            leaf[at] = value;
            leaf.truncate(leaf.len() - cut % 3);
            let chain = [CertificateDer::from(leaf), CHAIN[1].clone()];
            prop_assert!(!judge(&chain, Some(&name), &SETTINGS, 1_781_481_600).is_empty());
        }
    }
}
