//! nginx: dead, slow and broken upstreams, limits, TLS in all its faults.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome};

use crate::support::certs::{Lab, self_signed};
use crate::support::peers::{check, classes, read_head, serve};
use crate::support::servers::{Server, folder, free_port, installed};

const NGINX: &str = "/usr/sbin/nginx";

fn there() -> bool {
    installed("nginx", &[NGINX], false)
}

/// Starts nginx with these server blocks. One process, so that ending it ends all of it.
fn start(name: &str, events: &str, blocks: &str, port: u16) -> Server {
    let folder = folder(name);
    for sub in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    start_in(&folder, events, blocks, port)
}

fn start_in(folder: &std::path::Path, events: &str, blocks: &str, port: u16) -> Server {
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log info;\n\
         events {{ {events} }}\n\
         http {{ access_log access.log; client_body_temp_path body; proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n{blocks}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let prefix = format!("{}/", folder.display());
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Server::start(folder, NGINX, &["-p", &prefix, "-c", "nginx.conf", "-e", "error.log"], &[ready])
}

fn ask(port: u16, path: &str, options: &[(&str, &str)]) -> Outcome {
    check("http", &format!("http://127.0.0.1:{port}{path}"), options)
}

#[test]
fn upstreams_in_each_of_their_faults() {
    if !there() {
        return;
    }
    let slow = serve(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_millis(600));
    });
    let closes = serve(|mut stream| drop(read_head(&mut stream)));
    let resets = serve(|mut stream| {
        read_head(&mut stream);
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let short = serve(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    });
    let (port, dead) = (free_port(), free_port());
    let blocks = format!(
        "upstream two {{ server 127.0.0.1:{dead} max_fails=1; server 127.0.0.2:{dead} max_fails=1; }}
         limit_req_zone $binary_remote_addr zone=rl:1m rate=1r/m;
         server {{ listen 127.0.0.1:{port}; client_max_body_size 1k;
           location / {{ return 200 \"fine\\n\"; }}
           location /dead {{ proxy_pass http://127.0.0.1:{dead}; }}
           location /two {{ proxy_pass http://two; }}
           location /slow {{ proxy_read_timeout 100ms; proxy_pass http://{slow}; }}
           location /closes {{ proxy_pass http://{closes}; }}
           location /resets {{ proxy_pass http://{resets}; }}
           location /short {{ proxy_pass http://{short}; }}
           location /fpm {{ fastcgi_pass unix:/nonexistent/fpm.sock; }}
           location /limited {{ limit_req zone=rl; proxy_pass http://127.0.0.1:{dead}; }}
           location /loop {{ return 302 /loop; }}
           location /missing {{ return 404; }}
         }}"
    );
    let server = start("nginx-upstreams", "", &blocks, port);
    let cases = [
        ("/", Class::Open, ""),
        (
            "/dead",
            Class::StatusServer,
            "connect() failed (111: Connection refused) while connecting to upstream",
        ),
        ("/two", Class::StatusServer, "upstream server temporarily disabled while connecting"),
        ("/two", Class::StatusServer, "no live upstreams while connecting to upstream"),
        ("/slow", Class::StatusServer, "upstream timed out (110: Connection timed out)"),
        ("/closes", Class::StatusServer, "upstream prematurely closed connection"),
        ("/resets", Class::StatusServer, "recv() failed (104: Connection reset by peer)"),
        (
            "/short",
            Class::BodyTruncated,
            "upstream prematurely closed connection while reading upstream",
        ),
        (
            "/fpm",
            Class::StatusServer,
            "failed (2: No such file or directory) while connecting to upstream",
        ),
        ("/missing", Class::StatusClient, ""),
    ];
    for (path, class, line) in cases {
        let outcome = ask(port, path, &[]);
        assert_eq!(outcome.class(), class, "{path} {outcome:?}");
        assert!(server.text("error.log").contains(line), "{path} {}", server.text("error.log"));
    }
    let outcome = ask(port, "/dead", &[]);
    assert_eq!(outcome.fact("answered_by"), Some(&Cell::text("nginx itself")));
    assert_eq!(outcome.fact("status"), Some(&Cell::Number(502)));
    assert_eq!(ask(port, "/slow", &[]).fact("status"), Some(&Cell::Number(504)));
    assert_eq!(ask(port, "/loop", &[("redirect", "follow")]).class(), Class::RedirectLoop);
    ask(port, "/limited", &[]);
    assert_eq!(ask(port, "/limited", &[]).fact("status"), Some(&Cell::Number(503)));
    assert!(server.text("error.log").contains("limiting requests"));
    let body = server.folder.join("big");
    fs::write(&body, [b'x'; 3000]).unwrap();
    let options = [("method", "POST"), ("body-file", body.to_str().unwrap())];
    assert_eq!(ask(port, "/", &options).fact("status"), Some(&Cell::Number(413)));
    assert!(server.text("access.log").contains("\"logmill/"), "the probe says who it is");
}

/// More connections than the one worker may have: those beyond are closed without a byte and without an access line.
#[test]
fn worker_connections_are_used_up() {
    if !there() {
        return;
    }
    let port = free_port();
    let nobody = free_port();
    let blocks = format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{nobody}; }} }}"
    );
    let server = start("nginx-connections", "worker_connections 8;", &blocks, port);
    // Connections whose body is awaited cannot be used for others; idle ones would be. One more each time, until none
    // is left for the probe.
    let mut held = Vec::new();
    let mut found = Vec::new();
    while held.len() < 40 && !matches!(found.last(), Some(Class::ClosedEarly | Class::Reset)) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
        held.push(stream);
        thread::sleep(Duration::from_millis(20));
        found.push(ask(port, "/", &[("timeout", "1s")]).class());
    }
    assert!(matches!(found.last(), Some(Class::ClosedEarly | Class::Reset)), "{found:?}");
    assert!(server.text("error.log").contains("8 worker_connections are not enough"));
    drop(held);
}

#[test]
fn certificates_in_each_of_their_faults() {
    if !there() || !installed("TLS versions of nginx", &["/usr/bin/openssl"], false) {
        return;
    }
    let folder = folder("nginx-tls");
    for sub in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    let lab = Lab::new("nginx-tls");
    let www = ["www.lab.test"];
    let mut incomplete = lab.good();
    incomplete.chain.truncate(1);
    let identities = [
        ("good", lab.good()),
        ("expired", lab.leaf(&www, (1, 1), (6, 1))),
        ("soon", lab.leaf(&www, (1, 1), (6, 20))),
        ("future", lab.leaf(&www, (7, 1), (12, 1))),
        ("other", lab.leaf(&["mail.lab.test"], (5, 1), (8, 1))),
        ("wildcard", lab.leaf(&["*.www.lab.test"], (5, 1), (8, 1))),
        ("selfsigned", self_signed(&www, true)),
        ("incomplete", incomplete),
    ];
    let ports: Vec<u16> = identities.iter().map(|_| free_port()).collect();
    let mut blocks = String::new();
    for ((name, identity), port) in identities.iter().zip(&ports) {
        identity.write(&folder, name);
        blocks.push_str(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {name}.crt; ssl_certificate_key {name}.key; return 200 ok; }}\n"
        ));
    }
    let (old, both, mixed, plain) = (free_port(), free_port(), free_port(), free_port());
    let rsa = folder.join("rsa.key");
    let made = Command::new("/usr/bin/openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
        .arg(&rsa)
        .output()
        .unwrap();
    assert!(made.status.success());
    let weak = "ssl_ciphers ALL:@SECLEVEL=0; ssl_certificate good.crt; ssl_certificate_key good.key; return 200 ok;";
    blocks.push_str(&format!(
        "server {{ listen 127.0.0.1:{old} ssl; ssl_protocols TLSv1 TLSv1.1; {weak} }}
         server {{ listen 127.0.0.1:{both} ssl; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; {weak} }}
         server {{ listen 127.0.0.1:{mixed} ssl; ssl_certificate good.crt; ssl_certificate_key rsa.key; return 200 ok; }}
         server {{ listen 127.0.0.1:{plain}; return 200 ok; }}"
    ));
    let server = start_in(&folder, "", &blocks, ports[0]);
    let tls = |port: u16, more: &[(&str, &str)]| {
        let mut options = vec![("resolve", "www.lab.test=127.0.0.1"), ("ca-file", lab.ca())];
        options.extend(more);
        check("tls", &format!("www.lab.test:{port}"), &options)
    };
    let wanted: [&[&str]; 8] = [
        &[],
        &["expired"],
        &["expiring"],
        &["not_yet_valid"],
        &["wrong_name"],
        &["wildcard_too_narrow"],
        &["self_signed"],
        &["incomplete_chain"],
    ];
    for (((name, _), port), wanted) in identities.iter().zip(&ports).zip(wanted) {
        assert_eq!(classes(&tls(*port, &[])), wanted, "{name}");
    }
    let outcome = tls(old, &[]);
    assert!(outcome.has(Class::TlsTooOld), "{outcome:?}");
    assert_eq!(classes(&tls(both, &[("old-versions", "")])), ["tls_old_offered"]);
    assert_eq!(classes(&tls(ports[0], &[("old-versions", "")])), [""; 0]);
    assert_eq!(tls(mixed, &[]).class(), Class::TlsHandshake);
    assert_eq!(tls(plain, &[]).class(), Class::NotTls);
    let outcome = ask(ports[0], "/", &[]);
    assert_eq!((outcome.class(), outcome.level()), (Class::WrongProtocol, Level::Critical));
    let log = server.text("error.log");
    assert!(log.contains("unsupported protocol") || log.contains("version too low"), "{log}");
    assert!(log.contains("no shared cipher") || log.contains("no suitable signature"), "{log}");
    // After a healthy probe nothing of it is left in the error log but the end of the connection.
    assert!(!log.contains("alert number"), "{log}");
}

#[test]
fn a_listener_that_nobody_serves() {
    if !there() {
        return;
    }
    let port = free_port();
    let blocks = format!("server {{ listen 127.0.0.1:{port}; return 200 ok; }}");
    let server = start("nginx-stopped", "", &blocks, port);
    server.signal("STOP");
    let outcome = ask(port, "/", &[("timeout", "200ms")]);
    server.signal("CONT");
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::Silent, Some("first_byte")));
    assert_eq!(check("tcp", &format!("127.0.0.1:{port}"), &[]).class(), Class::Open);
    drop(server);
    assert_eq!(ask(port, "/", &[]).class(), Class::Refused);
}
