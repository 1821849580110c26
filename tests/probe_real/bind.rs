//! BIND: zones that do not load, refusals, forwarders that are closed or silent, stale secondaries and stale caches.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use logmill::document::Cell;
use logmill::probe::{Class, Outcome};

use crate::support::peers::{check, classes};
use crate::support::servers::{Server, folder, free_port, installed};

const NAMED: &str = "/usr/sbin/named";

fn there() -> bool {
    installed("bind9", &[NAMED], false)
}

/// Starts named with these zones. It listens on addresses that an interface has, so only on 127.0.0.1.
fn start(name: &str, port: u16, zones: &str, files: &[(&str, String)]) -> Server {
    let folder = folder(name);
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    let here = folder.display();
    let configuration = format!(
        "options {{ directory \"{here}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         pid-file \"named.pid\"; session-keyfile \"session.key\"; managed-keys-directory \"{here}\";\n\
         dnssec-validation no; recursion yes; allow-recursion {{ any; }}; empty-zones-enable no; notify no; }};\n\
         controls {{ }};\n{zones}\n"
    );
    fs::write(folder.join("named.conf"), configuration).unwrap();
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let file = folder.join("named.conf");
    let arguments = ["-4", "-g", "-n", "1", "-c", file.to_str().unwrap()];
    let mut server = Server::start(&folder, NAMED, &arguments, &[ready]);
    let output = folder.join("output.log");
    server.wait_until(|| fs::read_to_string(&output).is_ok_and(|text| text.contains("running")));
    server
}

/// A zone file: two name servers, and more records.
fn zone(serial: u32, more: &str) -> String {
    format!(
        "$TTL 300\n@ IN SOA ns1 me ( {serial} 60 60 3600 30 )\n@ NS ns1\n@ NS ns2\n\
         ns1 A 127.0.0.1\nns2 A 127.0.0.1\n{more}\n"
    )
}

fn ask(name: &str, port: u16, options: &[(&str, &str)]) -> Outcome {
    let mut options = options.to_vec();
    if !options.iter().any(|(name, _)| *name == "timeout") {
        options.push(("timeout", "5s"));
    }
    check("dns", &format!("{name}@127.0.0.1:{port}"), &options)
}

#[test]
fn each_answer_of_a_real_server() {
    if !there() {
        return;
    }
    let (port, closed) = (free_port(), free_port());
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let more = "www A 127.0.0.9\nalias CNAME gone\n@ MX 10 mail\n@ MX 20 nowhere\nmail A 127.0.0.7\nbig TXT \"";
    let big = format!("{more}{}\"", vec!["x".repeat(250); 8].join("\" \""));
    let zones = format!(
        "zone \"lab.test\" {{ type primary; file \"lab\"; }};\n\
         zone \"broken.test\" {{ type primary; file \"broken\"; }};\n\
         zone \"refused.test\" {{ type primary; file \"lab\"; allow-query {{ none; }}; }};\n\
         zone \"closed.test\" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {closed}; }}; }};\n\
         zone \"silent.test\" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {silent_port}; }}; }};\n"
    );
    let files = [
        ("lab", zone(1, &big)),
        ("broken", "$TTL 300\n@ IN SOA ns1 me ( 1 60\n@ NS ns1\n".to_owned()),
    ];
    let server = start("bind-answers", port, &zones, &files);
    for (name, options, class) in [
        ("www.lab.test", &[][..], Class::Open),
        ("www.lab.test", &[("both", ""), ("tries", "3"), ("expect", "127.0.0.9")], Class::Open),
        ("www.lab.test", &[("expect", "127.0.0.8")], Class::Unexpected),
        ("www.lab.test", &[("type", "AAAA")], Class::Nodata),
        ("nx.lab.test", &[], Class::Nxdomain),
        ("alias.lab.test", &[], Class::DanglingCname),
        ("lab.test", &[("mx", "")], Class::MailTarget),
        ("big.lab.test", &[("type", "TXT")], Class::Open),
        ("www.broken.test", &[], Class::Servfail),
        ("www.refused.test", &[], Class::DnsRefused),
        ("www.closed.test", &[], Class::Servfail),
        ("www.silent.test", &[("timeout", "300ms")], Class::DnsTimeout),
    ] {
        let outcome = ask(name, port, options);
        assert_eq!(outcome.class(), class, "{name} {options:?} {outcome:?}");
    }
    let big = ask("big.lab.test", port, &[("type", "TXT")]);
    assert_eq!(big.fact("transport"), Some(&Cell::text("tcp")), "over the size of a datagram");
    let refused = ask("www.refused.test", port, &[]);
    assert_eq!(refused.fact("extended_error"), Some(&Cell::Number(18)), "{refused:?}");
    let log = server.text("output.log");
    for line in
        ["zone broken.test/IN: not loaded due to errors", "query 'www.refused.test/A/IN' denied"]
    {
        assert!(log.contains(line), "{line}\n{log}");
    }
    drop(server);
    assert_eq!(ask("www.lab.test", port, &[]).class(), Class::DnsPortClosed);
}

/// Writes a zone file in place, newer than before.
fn rewrite(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    fs::File::options().append(true).open(folder.join(file)).unwrap().set_modified(later).unwrap();
}

#[test]
fn stale_secondaries_and_caches() {
    if !there() {
        return;
    }
    let (port, second) = (free_port(), free_port());
    let good = zone(2_026_112_301, "www A 127.0.0.9");
    let fresh = zone(2_026_112_305, "www A 127.0.0.42");
    let zones = "zone \"stale.test\" { type primary; file \"stale\"; allow-transfer { none; }; };\n\
        zone \"cache.test\" { type primary; file \"cache\"; };\n";
    let files = [("stale", fresh.clone()), ("cache", good.clone())];
    let mut primary = start("bind-primary", port, zones, &files);
    let zones = format!(
        "zone \"stale.test\" {{ type secondary; file \"stale\"; masterfile-format text;\n\
           primaries {{ 127.0.0.1 port {port}; }}; }};\n\
         zone \"cache.test\" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {port}; }}; }};\n"
    );
    let absolute = good.replace("$TTL", "$ORIGIN stale.test.\n$TTL");
    let _secondary = start("bind-secondary", second, &zones, &[("stale", absolute)]);
    let places = |zone: &str| {
        let at = |name: &str, port: u16| format!("{name}.{zone}=127.0.0.1:{port}");
        [at("ns1", port), at("ns2", second)]
    };
    let authorities = |zone: &str, port: u16| {
        let [first, other] = places(zone);
        let options = [
            ("authoritative", ""),
            ("authority-at", first.as_str()),
            ("authority-at", other.as_str()),
        ];
        ask(&format!("www.{zone}"), port, &options)
    };
    let outcome = authorities("stale.test", port);
    assert_eq!(classes(&outcome), ["serial_behind", "disagree"], "{outcome:?}");

    assert_eq!(ask("www.cache.test", second, &[]).class(), Class::Open);
    let only_primary = fresh.replace("@ NS ns2\n", "");
    rewrite(&primary.folder, "cache", &only_primary);
    primary.signal("HUP");
    let log = primary.folder.join("output.log");
    primary.wait_until(|| {
        fs::read_to_string(&log)
            .is_ok_and(|text| text.contains("cache.test/IN: loaded serial 2026112305"))
    });
    let outcome = authorities("cache.test", second);
    assert!(outcome.has(Class::StaleAnswer), "{outcome:?}");
    let Some(Cell::Count(left)) = outcome.fact("seconds_left") else { panic!("{outcome:?}") };
    assert!((200..=300).contains(left), "{left}");
}
