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
use crate::support::servers::{Server, folder, free_port, installed, open_folder, php_fpm};

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

/// A page with a part that is missing, one that is packed, one of another type than JSON; and a back end that does not
/// speak HTTP at all, whose words nginx hands on.
#[test]
fn pages_and_their_parts() {
    if !there() {
        return;
    }
    let garbage = serve(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
    });
    let port = free_port();
    let folder = folder("nginx-pages");
    for sub in ["body", "proxy", "fastcgi", "uwsgi", "scgi", "www"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    let page =
        "<link rel=stylesheet href=/there.css><script src='missing.js'></script><p>Welcome</p>";
    fs::write(folder.join("www/index.html"), page).unwrap();
    fs::write(folder.join("www/whole.html"), page.replace("missing.js", "there.css")).unwrap();
    fs::write(folder.join("www/there.css"), "p { color: red }".repeat(100)).unwrap();
    fs::write(folder.join("www/health.json"), "{\"status\": \"up\", \"queue\": 7}").unwrap();
    let blocks = format!(
        "server {{ listen 127.0.0.1:{port}; root www; gzip on; gzip_min_length 10; gzip_types text/plain application/octet-stream;
           location /garbage {{ proxy_pass http://{garbage}; }}
           location /moved {{ return 301 http://127.0.0.1:{port}/whole.html; }} }}"
    );
    let server = start_in(&folder, "", &blocks, port);
    let whole = ask(port, "/whole.html", &[("assets", ""), ("expect-body", "Welcome")]);
    assert_eq!(whole.class(), Class::Open, "{whole:?}");
    assert_eq!(whole.fact("assets"), Some(&Cell::Count(1)));
    let broken = ask(port, "/", &[("assets", "")]);
    assert_eq!(classes(&broken), ["asset_broken"], "{broken:?}");
    let packed = ask(
        port,
        "/there.css",
        &[("header", "Accept-Encoding: gzip"), ("expect-body", "color: red")],
    );
    assert_eq!((packed.class(), packed.measure("size")), (Class::Open, Some(1600.0)), "{packed:?}");
    let json = |wanted: &str| ask(port, "/health.json", &[("expect-json", wanted)]).class();
    assert_eq!((json("/status=up"), json("/queue=8")), (Class::Open, Class::Unexpected));
    let moved = ask(port, "/moved", &[("redirect", "follow"), ("expect-body", "Welcome")]);
    assert_eq!((moved.class(), moved.fact("redirects")), (Class::Open, Some(&Cell::Count(1))));
    assert_eq!(ask(port, "/moved", &[("redirect", "stop")]).class(), Class::RedirectFound);
    let old = [("max-age", "1h"), ("expect-status", "200")];
    assert_eq!(
        ask(port, "/there.css", &old).class(),
        Class::Open,
        "the file is newer than the tests' now"
    );
    let garbage = ask(port, "/garbage", &[]);
    assert_eq!(garbage.class(), Class::WrongProtocol, "{garbage:?}");
    assert!(server.text("error.log").contains("upstream sent no valid HTTP/1.0 header"));
}

/// Balancing that has no effect, by each of its causes; and one peer that is dead and hidden by retries.
#[test]
fn balancing_and_its_causes() {
    if !there() {
        return;
    }
    let named = |name: &'static str| {
        serve(move |mut stream| {
            read_head(&mut stream);
            let answer =
                format!("HTTP/1.1 200 OK\r\nX-Served-By: {name}\r\nContent-Length: 2\r\n\r\nok");
            let _ = stream.write_all(answer.as_bytes());
        })
    };
    let (one, two, dead, port) = (named("web1"), named("web2"), free_port(), free_port());
    let blocks = format!(
        "upstream even {{ server {one}; server {two}; }}
         upstream bound {{ ip_hash; server {one}; server {two}; }}
         upstream half {{ server 127.0.0.1:{dead} fail_timeout=1h; server {two}; }}
         server {{ listen 127.0.0.1:{port};
           location /even/ {{ proxy_pass http://even; }}
           location /slash/ {{ proxy_pass http://even/; }}
           location /bound/ {{ proxy_pass http://bound; }}
           location /literal/ {{ proxy_pass http://{one}; }}
           location /half/ {{ proxy_pass http://half; }} }}"
    );
    let _server = start("nginx-balance", "", &blocks, port);
    let balance = |path: &str| {
        check("balance", &format!("http://127.0.0.1:{port}{path}"), &[("servers", "2")])
    };
    for path in ["/even/", "/slash/"] {
        let outcome = balance(path);
        assert_eq!(
            (outcome.class(), outcome.measure("largest_share")),
            (Class::Open, Some(50.0)),
            "{path}"
        );
    }
    for path in ["/bound/", "/literal/", "/half/"] {
        let outcome = balance(path);
        assert_eq!(outcome.class(), Class::Unbalanced, "{path} {outcome:?}");
        assert_eq!(outcome.measure("largest_share"), Some(100.0), "{path}");
    }
}

/// PHP-FPM: well, out of children with its queue full, and stopped. nginx answers 502 for both faults.
#[test]
fn php_fpm_behind_nginx() {
    let Some(program) = php_fpm().filter(|_| there()) else { return };
    let folder = open_folder("php");
    let here = folder.display().to_string();
    fs::write(folder.join("x.php"), "<?php usleep(intval($_GET['ms'] ?? 0) * 1000); echo 'done';")
        .unwrap();
    let pool = format!(
        "[global]\ndaemonize = no\nerror_log = {here}/fpm.log\n[www]\nuser = nobody\ngroup = nogroup\n\
         listen = {here}/fpm.sock\nlisten.mode = 0666\nlisten.backlog = 1\npm = static\npm.max_children = 1\n"
    );
    fs::write(folder.join("fpm.conf"), pool).unwrap();
    let mut fpm = Server::start(&folder, &program, &["-R", "-n", "-y", "fpm.conf"], &[]);
    let socket = folder.join("fpm.sock");
    fpm.wait_until(|| socket.exists());
    let port = free_port();
    let blocks = format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ fastcgi_pass unix:{here}/fpm.sock;
           fastcgi_param SCRIPT_FILENAME {here}/x.php; fastcgi_param QUERY_STRING $query_string;
           fastcgi_param REQUEST_METHOD $request_method; }} }}"
    );
    let nginx = start("nginx-php", "", &blocks, port);
    let well = ask(port, "/", &[("expect-body", "done")]);
    assert_eq!(well.class(), Class::Open, "{well:?}");
    // One request at work and the queue behind it full: those beyond are refused. Asked until it holds, because the
    // requests that fill the queue may come later than the one that finds it full.
    let socket = format!("unix:{here}/fpm.sock");
    let end = std::time::Instant::now() + Duration::from_secs(20);
    let (mut full, mut direct) = (false, false);
    while !(full && direct) && std::time::Instant::now() < end {
        let ask = move || ask(port, "/?ms=600", &[("timeout", "12s")]);
        let busy: Vec<_> = (0..5).map(|_| thread::spawn(ask)).collect();
        thread::sleep(Duration::from_millis(150));
        direct |= check("tcp", &socket, &[("timeout", "50ms")]).class() == Class::BacklogFull;
        let status = |outcome: &Outcome| outcome.fact("status") == Some(&Cell::Number(502));
        full |= busy.into_iter().any(|one| status(&one.join().unwrap()));
    }
    assert!(full && direct, "{full} {direct} {}", nginx.text("error.log"));
    assert!(nginx.text("error.log").contains("(11: Resource temporarily unavailable)"));
    drop(fpm);
    let stopped = ask(port, "/", &[]);
    assert_eq!(stopped.fact("status"), Some(&Cell::Number(502)), "{stopped:?}");
    let log = nginx.text("error.log");
    assert!(log.contains("(2: No such file or directory) while connecting to upstream"), "{log}");
}
