//! Dovecot: IMAP and POP3 in health, with the wrong certificate, full, and spoken to in the wrong way.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use logmill::document::Cell;
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes};
use crate::support::servers::{Server, free_port, installed, open_folder};

const DOVECOT: &str = "/usr/sbin/dovecot";

struct Ports {
    imap: u16,
    imaps: u16,
    pop3: u16,
    pop3s: u16,
    lmtp: u16,
}

fn start(ports: &Ports, lab: &Lab) -> Server {
    let folder = open_folder("dovecot");
    lab.leaf(&["mail.lab.test"], (5, 1), (8, 1)).write(&folder, "mail");
    let path = folder.display();
    let Ports { imap, imaps, pop3, pop3s, lmtp } = ports;
    let configuration = format!(
        "base_dir = {path}/run\nlog_path = {path}/dovecot.log\nprotocols = imap pop3 lmtp\nlisten = 127.0.0.1\n\
         ssl = yes\nssl_cert = <{path}/mail.crt\nssl_key = <{path}/mail.key\n\
         passdb {{\n driver = static\n args = password=x\n}}\n\
         userdb {{\n driver = passwd-file\n args = {path}/users\n}}\n\
         service lmtp {{\n inet_listener lmtp {{\n port = {lmtp}\n }}\n}}\n\
         service imap-login {{\n inet_listener imap {{\n port = {imap}\n }}\n\
         inet_listener imaps {{\n port = {imaps}\n }}\n}}\n\
         service pop3-login {{\n process_limit = 1\n client_limit = 1\n\
         inet_listener pop3 {{\n port = {pop3}\n }}\n inet_listener pop3s {{\n port = {pop3s}\n }}\n}}\n"
    );
    fs::write(folder.join("dovecot.conf"), configuration).unwrap();
    fs::write(folder.join("users"), "good@lab.test::65534:65534::/nonexistent::\n").unwrap();
    let file = folder.join("dovecot.conf").display().to_string();
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, *imap));
    Server::start(&folder, DOVECOT, &["-F", "-c", &file], &[ready])
}

fn ask(kind: &str, port: u16, options: &[(&str, &str)]) -> Outcome {
    let target = format!("mail.lab.test:{port}");
    let options = [options, &[("resolve", "mail.lab.test=127.0.0.1"), ("timeout", "5s")]].concat();
    check(kind, &target, &options)
}

#[test]
fn dovecot_in_health_and_in_its_faults() {
    let programs =
        ["imap-login", "pop3-login", "lmtp"].map(|part| format!("/usr/lib/dovecot/{part}"));
    let programs: Vec<_> = programs.iter().map(String::as_str).chain([DOVECOT]).collect();
    if !installed("dovecot", &programs, true) {
        return;
    }
    let lab = Lab::new("real-dovecot");
    let ports = Ports {
        imap: free_port(),
        imaps: free_port(),
        pop3: free_port(),
        pop3s: free_port(),
        lmtp: free_port(),
    };
    let mut server = start(&ports, &lab);
    for (kind, clear, secure) in
        [("imap", ports.imap, ports.imaps), ("pop3", ports.pop3, ports.pop3s)]
    {
        let trusted = ("ca-file", lab.ca());
        let good = ask(kind, clear, &[trusted, ("starttls", "require"), ("expect", "Dovecot")]);
        assert_eq!(good.class(), Class::Open, "{good:?}");
        assert!(good.fact("tls_version").is_some() && good.fact("offers").is_some());
        let good = ask(kind, secure, &[trusted, ("tls", "")]);
        assert_eq!(good.class(), Class::Open, "{good:?}");
        let other = [trusted, ("tls", ""), ("name", "www.lab.test")];
        assert_eq!(classes(&ask(kind, secure, &other)), ["wrong_name"]);
        let clear_to_tls = ask(kind, secure, &[("step-timeout", "greeting=300ms")]);
        assert_eq!(clear_to_tls.class(), Class::Silent);
        assert_eq!(ask(kind, clear, &[("tls", "")]).class(), Class::NotTls);
    }
    assert_eq!(ask("pop3", ports.imap, &[]).class(), Class::WrongProtocol);
    assert_eq!(ask("imap", ports.imap, &[]).fact("login"), Some(&Cell::text("possible")));
    delivery(&ports, &lab);
    full(&mut server, &ports);
}

/// LMTP: what SMTP asks, with other words, and an answer for each recipient.
fn delivery(ports: &Ports, lab: &Lab) {
    let trusted = ("ca-file", lab.ca());
    let good = ask("smtp", ports.lmtp, &[("lmtp", ""), trusted, ("rcpt", "good@lab.test")]);
    assert_eq!(good.class(), Class::Open, "{good:?}");
    assert!(good.fact("offers").is_some());
    let unknown = ask("smtp", ports.lmtp, &[("lmtp", ""), trusted, ("rcpt", "nobody@lab.test")]);
    assert_eq!(unknown.class(), Class::MailRejected, "{unknown:?}");
    // A server of LMTP does not know the words of SMTP.
    let smtp = ask("smtp", ports.lmtp, &[]);
    assert_eq!((smtp.class(), smtp.failing_step()), (Class::TurnedAway, Some("ehlo")), "{smtp:?}");
    let tls = ask("tls", ports.lmtp, &[("starttls", "lmtp"), trusted]);
    assert_eq!(tls.class(), Class::Open, "{tls:?}");
}

/// With room for one client Dovecot drops the older one for the newer, and says so in its log only.
fn full(server: &mut Server, ports: &Ports) {
    let mut held = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, ports.pop3)).unwrap());
    held.read_line(&mut String::new()).unwrap();
    assert_eq!(ask("pop3", ports.pop3, &[("starttls", "never")]).class(), Class::Open);
    let log = server.folder.join("dovecot.log");
    let says = |words| fs::read_to_string(&log).unwrap_or_default().contains(words);
    server.wait_until(|| says("client connections are being dropped"));
    assert!(says("Aborted login by logging out"), "we leave with LOGOUT and QUIT");
}
