//! HAProxy: its statistics by each way, servers down and taken out, queues, errors; and `probe balance` through it.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes, read_head, serve};
use crate::support::servers::{Server, folder, free_port, installed};

const HAPROXY: &str = "/usr/sbin/haproxy";

struct Ports {
    web: u16,
    /// The same inside TLS.
    secure: u16,
    control: u16,
    user: u16,
    dead: u16,
}

/// A back end that says its name, and remembers who has logged in where.
fn named(name: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        let head = read_head(&mut stream);
        if head.contains("/slow ") || head.contains("/health ") {
            thread::sleep(Duration::from_millis(800));
        }
        let answer =
            format!("HTTP/1.1 200 OK\r\nX-Served-By: {name}\r\nContent-Length: 3\r\n\r\nok\n");
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn backends(one: SocketAddr, two: SocketAddr, dead: u16) -> String {
    let pair = format!(" server web1 {one}\n server web2 {two}\n");
    let kept = format!(" server web1 {one} cookie w1\n server web2 {two} cookie w2\n");
    format!(
        "backend even\n balance roundrobin\n{pair}\
         backend bound\n balance source\n{pair}\
         backend sticky\n balance roundrobin\n cookie SERVERID insert indirect nocache\n{kept}\
         backend lost\n balance roundrobin\n cookie SERVERID insert indirect nocache secure\n{kept}\
         backend half\n balance roundrobin\n server web1 {one}\n server dead 127.0.0.1:{dead} check inter 100ms fall 1\n\
         backend dead\n server dead 127.0.0.1:{dead} check inter 100ms fall 1\n\
         backend alarm\n option httpchk GET /health\n server web1 {one} check inter 200ms fall 1\n\
         backend out\n server web1 {one} disabled\n server web2 {two}\n\
         backend busy\n server web1 {one} maxconn 1\n\
         backend failing\n server gone 127.0.0.1:{dead}\n\
         backend late\n timeout server 200ms\n server web1 {one}\n\
         backend full\n timeout queue 200ms\n server web1 {one} maxconn 1\n"
    )
}

const NAMES: [&str; 12] = [
    "even", "bound", "sticky", "lost", "half", "dead", "alarm", "out", "busy", "failing", "late",
    "full",
];

fn start(ports: &Ports, lab: &Lab) -> Server {
    let folder = folder("haproxy");
    lab.good().write(&folder, "www");
    let parts = ["www.crt", "www.key"].map(|part| fs::read(folder.join(part)).unwrap());
    fs::write(folder.join("www.pem"), parts.concat()).unwrap();
    let Ports { web, secure, control, user, dead } = ports;
    let rules: String = NAMES
        .iter()
        .map(|name| format!(" use_backend {name} if {{ path_beg /{name} }}\n"))
        .collect();
    let configuration = format!(
        "global\n stats socket {path}/s.sock level operator\n stats socket ipv4@127.0.0.1:{control} level admin\n\
         stats socket ipv4@127.0.0.1:{user} level user\n\
         defaults\n mode http\n retries 1\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n\
         timeout queue 5s\n timeout check 150ms\n\
         frontend fe\n bind 127.0.0.1:{web}\n bind 127.0.0.1:{secure} ssl crt {path}/www.pem\n\
         http-request deny if {{ path /denied }}\n stats enable\n stats uri /stats\n stats auth u:p\n\
         {rules}{backends}",
        path = folder.display(),
        backends = backends(named("web1"), named("web2"), *dead),
    );
    fs::write(folder.join("haproxy.cfg"), configuration).unwrap();
    let ready = [*web, *control, *user].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    Server::start(&folder, HAPROXY, &["-db", "-f", "haproxy.cfg"], &ready)
}

fn socket(server: &Server) -> String {
    format!("unix:{}/s.sock", server.folder.display())
}

fn backend(server: &Server, name: &str, options: &[(&str, &str)]) -> Outcome {
    check("haproxy", &socket(server), &[options, &[("backend", name), ("timeout", "5s")]].concat())
}

fn balance(ports: &Ports, name: &str, options: &[(&str, &str)]) -> Outcome {
    check("balance", &format!("http://127.0.0.1:{}/{name}/", ports.web), options)
}

#[test]
fn haproxy_in_health_and_in_its_faults() {
    if !installed("haproxy", &[HAPROXY], false) {
        return;
    }
    let ports = Ports {
        web: free_port(),
        secure: free_port(),
        control: free_port(),
        user: free_port(),
        dead: free_port(),
    };
    let lab = Lab::new("real-haproxy");
    let mut server = start(&ports, &lab);
    let path = socket(&server);
    server.wait_until(|| check("haproxy", &path, &[("backend", "alarm")]).has(Class::BackendDown));

    ways_in(&server, &ports);
    servers(&server);
    balancing(&ports);
    pages(&ports, &lab);
    queues(&server, &ports);
    errors(&server, &ports);
}

fn ways_in(server: &Server, ports: &Ports) {
    let by_socket = backend(server, "even", &[]);
    assert_eq!((by_socket.level(), by_socket.class()), (Level::Ok, Class::Open), "{by_socket:?}");
    assert!(by_socket.fact("version").is_some() && by_socket.measure("idle").is_some());
    let page = format!("http://127.0.0.1:{}/stats", ports.web);
    assert_eq!(check("haproxy", &page, &[]).class(), Class::AuthFail);
    let login = server.folder.join("login");
    fs::write(&login, "u:p\n").unwrap();
    let login = login.display().to_string();
    let by_page = check("haproxy", &page, &[("basic-file", &login), ("backend", "even,sticky")]);
    assert_eq!(by_page.class(), Class::Open, "{by_page:?}");
    assert_eq!(by_page.measure("servers_up"), Some(4.0));
    let over_tcp =
        |port: u16| check("haproxy", &format!("127.0.0.1:{port}"), &[("backend", "even")]);
    assert_eq!(over_tcp(ports.control).class(), Class::OpenControlPort);
    assert_eq!(over_tcp(ports.user).class(), Class::Open);
    // The port of the pages is none for questions of the socket.
    let wrong = over_tcp(ports.web);
    assert_eq!(wrong.class(), Class::WrongProtocol, "{wrong:?}");
}

fn servers(server: &Server) {
    assert_eq!(classes(&backend(server, "half", &[])), ["server_down"]);
    let dead = backend(server, "dead", &[]);
    assert_eq!(dead.class(), Class::BackendDown);
    assert!(dead.worst_fault().unwrap().cause.contains("nothing listens"), "{dead:?}");
    let next = &dead.worst_fault().unwrap().next;
    assert!(next.starts_with("logmill probe tcp 127.0.0.1:"), "{next}");
    let alarm = backend(server, "alarm", &[]);
    assert!(alarm.worst_fault().unwrap().next.starts_with("logmill probe http http://127.0.0.1:"));
    assert!(alarm.worst_fault().unwrap().cause.contains("timeout check"), "{alarm:?}");
    let out = backend(server, "out", &[]);
    assert_eq!((out.class(), out.measure("servers_out")), (Class::Open, Some(1.0)), "{out:?}");
}

fn balancing(ports: &Ports) {
    let even = balance(ports, "even", &[("keep-alive", ""), ("servers", "2")]);
    assert_eq!(even.class(), Class::Open, "{even:?}");
    assert_eq!(even.measure("largest_share"), Some(50.0));
    let bound = balance(ports, "bound", &[]);
    assert_eq!(classes(&bound), ["unbalanced"]);
    assert_eq!(bound.measure("largest_share"), Some(100.0));
    let half = balance(ports, "half", &[("weight", "web1=1"), ("weight", "web2=1")]);
    assert_eq!(half.class(), Class::Unbalanced);
    let sticky = balance(ports, "sticky", &[("sticky", "")]);
    assert_eq!(sticky.class(), Class::Open, "{sticky:?}");
    assert_eq!(sticky.fact("sessions_stick"), Some(&Cell::text("yes")));
    let none = balance(ports, "even", &[("sticky", "")]);
    assert_eq!(classes(&none), ["session_lost"]);
    let lost = balance(ports, "lost", &[("sticky", "")]);
    assert_eq!(lost.class(), Class::SessionLost);
    assert!(lost.worst_fault().unwrap().cause.contains("https only"), "{lost:?}");
    let by = balance(ports, "sticky", &[("by", "cookie:SERVERID")]);
    assert_eq!(by.measure("servers"), Some(2.0), "{by:?}");
}

/// What a visitor sees of each fault, and that HAProxy itself gave the answer.
fn pages(ports: &Ports, lab: &Lab) {
    let page = |path: &str| check("http", &format!("http://127.0.0.1:{}{path}", ports.web), &[]);
    let haproxy = Some(&Cell::text("HAProxy itself"));
    for (path, class, status) in [
        ("/dead/", Class::StatusServer, 503),
        ("/late/slow", Class::StatusServer, 504),
        ("/failing/", Class::StatusServer, 503),
        ("/denied", Class::StatusClient, 403),
    ] {
        let outcome = page(path);
        let status = Some(&Cell::Number(status));
        assert_eq!((outcome.class(), outcome.fact("status")), (class, status), "{outcome:?}");
        assert_eq!(outcome.fact("answered_by"), haproxy, "{path} {outcome:?}");
    }
    let mut held = TcpStream::connect((Ipv4Addr::LOCALHOST, ports.web)).unwrap();
    held.write_all(b"GET /full/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // The first is on its way to the server before the second asks.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(page("/full/").fact("status"), Some(&Cell::Number(503)));
    // In clear to the port of TLS: not a word, and no line in its log either.
    let clear = check("http", &format!("http://127.0.0.1:{}/", ports.secure), &[]);
    assert!(matches!(clear.class(), Class::ClosedEarly | Class::Reset), "{clear:?}");
    let options = [("resolve", "www.lab.test=127.0.0.1"), ("ca-file", lab.ca())];
    let secure = check("http", &format!("https://www.lab.test:{}/even/", ports.secure), &options);
    assert_eq!(secure.class(), Class::Open, "{secure:?}");
}

/// Two slow requests to a server that takes one at a time: the second waits.
fn queues(server: &Server, ports: &Ports) {
    let send = |_| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports.web)).unwrap();
        stream.write_all(b"GET /busy/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    };
    let held: Vec<_> = (0..3).map(send).collect();
    let found = (0..50).any(|_| backend(server, "busy", &[]).class() == Class::Queueing);
    assert!(found, "a request that waits");
    drop(held);
}

fn errors(server: &Server, ports: &Ports) {
    let quiet = backend(server, "failing", &[("interval", "20ms")]);
    assert_eq!(quiet.class(), Class::Open, "{quiet:?}");
    let port = ports.web;
    let sender = thread::spawn(move || {
        for _ in 0..5 {
            let path = format!("http://127.0.0.1:{port}/failing/");
            assert_eq!(check("http", &path, &[]).class(), Class::StatusServer);
        }
    });
    let failing = backend(server, "failing", &[("interval", "3s")]);
    sender.join().unwrap();
    assert_eq!(failing.class(), Class::BackendErrors, "{failing:?}");
}
