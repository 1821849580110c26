//! Postfix: sound, busy, turning away, out of processes, with TLS that works and TLS that does not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use logmill::document::Cell;
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes};
use crate::support::servers::{Server, free_port, installed, open_folder};

const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// The parts that one Postfix plays, each on a port of its own.
struct Ports {
    sound: u16,
    /// Rejects everybody at once.
    rejects: u16,
    tls: u16,
    /// Offers STARTTLS and cannot read its certificate.
    broken_tls: u16,
    /// TLS from the first byte, as on port 465.
    wrapped: u16,
    /// One process for all.
    one_process: u16,
    /// One connection for each client.
    one_each: u16,
}

fn services(ports: &Ports, folder: &Path) -> String {
    let folder = folder.display();
    let tls = |name: &str| {
        let files = format!(
            "-o smtpd_tls_cert_file={folder}/{name}.crt -o smtpd_tls_key_file={folder}/{name}.key"
        );
        format!("-o smtpd_tls_security_level=may {files}")
    };
    let lines = [
        (ports.sound, "-", String::new()),
        (ports.rejects, "-", "-o smtpd_delay_reject=no -o smtpd_client_restrictions=reject".into()),
        (ports.tls, "-", tls("mail")),
        (ports.broken_tls, "-", tls("missing")),
        (ports.wrapped, "-", tls("mail") + " -o smtpd_tls_wrappermode=yes"),
        (ports.one_process, "1", String::new()),
        (
            ports.one_each,
            "-",
            "-o smtpd_client_connection_count_limit=1 -o smtpd_client_event_limit_exceptions="
                .into(),
        ),
    ];
    let line = |(port, most, options): &(u16, &str, String)| {
        format!("127.0.0.1:{port} inet n - n - {most} smtpd {options}\n")
    };
    lines.iter().map(line).collect()
}

/// Debian's table of services, without its listener and without chroot, and ours behind it.
fn table(ports: &Ports, folder: &Path) -> String {
    let dist = fs::read_to_string("/usr/share/postfix/master.cf.dist").unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let own = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let service = |line: &str| {
        let mut words = words(line);
        (words.get(1).is_some_and(|kind| kind != "inet")).then(|| {
            words[4] = "n".to_owned();
            words.join(" ") + "\n"
        })
    };
    let kept: String = dist.lines().filter(own).filter_map(service).collect();
    kept + &services(ports, folder)
}

fn main_cf(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/mail.log\nmaillog_file_prefixes = {folder}\nmyhostname = mail.lab.test\n\
         mydestination = lab.test\ninet_interfaces = 127.0.0.1\nmynetworks =\nalias_maps =\nalias_database =\n\
         local_recipient_maps = inline:{{ {{good@lab.test = x}}, {{gray@lab.test = x}} }}\n\
         smtp_dns_support_level = disabled\nsmtp_host_lookup = native\n\
         smtpd_recipient_restrictions = check_recipient_access inline:{{ {{gray@lab.test = 450 4.7.1 Greylisted}} }},\n\
         \treject_unauth_destination\n"
    )
}

fn start(ports: &Ports, lab: &Lab) -> Server {
    let folder = open_folder("postfix");
    for sub in ["etc", "queue", "data"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    lab.leaf(&["mail.lab.test"], (5, 1), (8, 1)).write(&folder, "mail");
    fs::write(folder.join("etc/main.cf"), main_cf(&folder)).unwrap();
    fs::write(folder.join("etc/master.cf"), table(ports, &folder)).unwrap();
    let etc = folder.join("etc").display().to_string();
    let data = folder.join("data");
    assert!(Command::new("chown").arg("postfix").arg(data).status().unwrap().success());
    // Makes the folders of the queue.
    let checked = Command::new("/usr/sbin/postfix").args(["-c", &etc, "check"]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.sound));
    Server::start(&folder, MASTER, &["-c", &etc, "-d"], &[ready])
}

/// A client that has its greeting and stays.
fn hold(port: u16) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
    reader.read_line(&mut String::new()).unwrap();
    reader
}

fn ask(port: u16, options: &[(&str, &str)]) -> Outcome {
    let target = format!("mail.lab.test:{port}");
    let options = [options, &[("resolve", "mail.lab.test=127.0.0.1"), ("timeout", "5s")]].concat();
    check("smtp", &target, &options)
}

#[test]
fn postfix_in_health_and_in_its_faults() {
    if !installed("postfix", &[MASTER, "/usr/sbin/postfix"], true) {
        return;
    }
    let lab = Lab::new("real-postfix");
    let ports = Ports {
        sound: free_port(),
        rejects: free_port(),
        tls: free_port(),
        broken_tls: free_port(),
        wrapped: free_port(),
        one_process: free_port(),
        one_each: free_port(),
    };
    let server = start(&ports, &lab);

    let sound = ask(ports.sound, &[("offers", "PIPELINING,SIZE"), ("expect", "ESMTP Postfix")]);
    assert_eq!(sound.class(), Class::Open, "{sound:?}");
    assert_eq!(sound.fact("size_limit"), Some(&Cell::Bytes(10_240_000)));
    assert_eq!(classes(&ask(ports.sound, &[("starttls", "require")])), ["starttls_missing"]);

    recipients(&server, &ports);
    turned_away(&server, &ports);
    encrypted(&server, &ports, &lab);
    out_of_processes(&ports);

    assert!(!server.text("mail.log").contains("lost connection after EHLO"), "we leave with QUIT");
    let gone = ports.sound;
    drop(server);
    assert_eq!(ask(gone, &[]).class(), Class::Refused);
}

fn recipients(server: &Server, ports: &Ports) {
    let rcpt = ["good@lab.test", "gray@lab.test", "nobody@lab.test", "x@else.test"];
    let options: Vec<_> = rcpt.iter().map(|address| ("rcpt", *address)).collect();
    let outcome = ask(ports.sound, &options);
    assert_eq!(
        classes(&outcome),
        ["mail_deferred", "mail_rejected", "mail_deferred"],
        "{outcome:?}"
    );
    let causes: Vec<_> = outcome.faults.iter().map(|fault| fault.cause.as_str()).collect();
    assert!(
        causes[0].contains("greylisting") && causes[1].contains("no such mailbox"),
        "{causes:?}"
    );
    assert!(causes[2].contains("relaying"), "{causes:?}");
    assert!(server.says("mail.log", "User unknown in local recipient table"));
}

fn turned_away(server: &Server, ports: &Ports) {
    let outcome = ask(ports.rejects, &[]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::TurnedAway, Some("greeting")));
    assert!(server.says("mail.log", "NOQUEUE: reject: CONNECT"));
    let held = hold(ports.one_each);
    let outcome = ask(ports.one_each, &[]);
    assert_eq!(outcome.class(), Class::Busy, "{outcome:?}");
    drop(held);
    assert!(server.says("mail.log", "Connection concurrency limit exceeded"));
}

fn encrypted(server: &Server, ports: &Ports, lab: &Lab) {
    let good = ask(ports.tls, &[("starttls", "require"), ("ca-file", lab.ca())]);
    assert_eq!(good.class(), Class::Open, "{good:?}");
    assert_eq!(classes(&ask(ports.tls, &[("starttls", "require")])), ["unknown_root"]);
    let wrapped = ask(ports.wrapped, &[("tls", ""), ("ca-file", lab.ca())]);
    assert_eq!(wrapped.class(), Class::Open, "{wrapped:?}");
    assert_eq!(classes(&ask(ports.wrapped, &[("tls", "")])), ["unknown_root"]);
    let in_clear = ask(ports.wrapped, &[("step-timeout", "greeting=300ms")]);
    assert_eq!(in_clear.class(), Class::Silent, "{in_clear:?}");
    assert!(in_clear.worst_fault().unwrap().cause.contains("--tls"), "{in_clear:?}");
    assert_eq!(ask(ports.tls, &[("tls", "")]).class(), Class::NotTls);
    let broken = ask(ports.broken_tls, &[]);
    assert_eq!(broken.class(), Class::StarttlsRefused, "{broken:?}");
    assert!(server.says("mail.log", "missing.crt"));
}

/// The system accepts in the place of the process that is busy with another client.
fn out_of_processes(ports: &Ports) {
    let held = hold(ports.one_process);
    let outcome = ask(ports.one_process, &[("step-timeout", "greeting=300ms")]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::Silent, Some("greeting")));
    drop(held);
    assert_eq!(ask(ports.one_process, &[]).class(), Class::Open);
}
