//! MariaDB: who is let in, who is not and why, the limits, and the lock-out that a probe must not cause.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes};
use crate::support::servers::{Server, free_port, installed, open_folder};

const MARIADBD: &str = "/usr/sbin/mariadbd";
const INSTALL: &str = "/usr/bin/mariadb-install-db";
const CLIENT: &str = "/usr/bin/mariadb";

struct Ports {
    open: u16,
    extra: u16,
}

fn start(ports: &Ports, lab: &Lab) -> Server {
    let folder = open_folder("mariadb");
    lab.leaf(&["db.lab.test"], (5, 1), (8, 1)).write(&folder, "db");
    let path = folder.display();
    let data = format!("--datadir={path}/data");
    let made = Command::new(INSTALL)
        .args(["--no-defaults", "--user=root", &data, "--skip-test-db"])
        .arg("--auth-root-authentication-method=normal")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let Ports { open, extra } = ports;
    let options = format!(
        "[mariadbd]\nuser=root\ndatadir={path}/data\nport={open}\nextra_port={extra}\nbind-address=127.0.0.1\n\
         socket={path}/s.sock\npid-file={path}/pid\nlog-error={path}/error.log\nlog-warnings=4\n\
         slow_query_log=1\nslow_query_log_file={path}/slow.log\nlong_query_time=0.05\nmax_connect_errors=3\n\
         innodb_buffer_pool_size=16M\nperformance_schema=off\nlock_wait_timeout=5\n\
         ssl_cert={path}/db.crt\nssl_key={path}/db.key\n"
    );
    fs::write(folder.join("my.cnf"), options).unwrap();
    let file = format!("--defaults-file={path}/my.cnf");
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, *open));
    Server::start(&folder, MARIADBD, &[&file], &[ready])
}

fn client(folder: &Path, statement: &str) -> Command {
    let mut command = Command::new(CLIENT);
    let socket = folder.join("s.sock");
    command.arg("--no-defaults").arg("-S").arg(socket).args(["-u", "root", "-e", statement]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn sql(server: &Server, statement: &str) {
    let done = client(&server.folder, statement).output().unwrap();
    assert!(done.status.success(), "{statement}: {done:?}");
}

const USERS: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT) ENGINE=InnoDB; \
    CREATE USER app@127.0.0.1 IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO app@127.0.0.1; \
    GRANT PROCESS ON *.* TO app@127.0.0.1; CREATE USER idle@127.0.0.1; CREATE USER near@127.0.0.2; \
    CREATE USER one@127.0.0.1 WITH MAX_USER_CONNECTIONS 1; CREATE USER old@127.0.0.1 PASSWORD EXPIRE; \
    CREATE USER gone@127.0.0.1 ACCOUNT LOCK; CREATE USER system@127.0.0.1 IDENTIFIED VIA unix_socket; \
    CREATE USER secure@127.0.0.1 REQUIRE SSL; INSTALL SONAME 'auth_ed25519'; \
    CREATE USER modern@127.0.0.1 IDENTIFIED VIA ed25519 USING PASSWORD('secret')";

fn ask(port: u16, options: &[(&str, &str)]) -> Outcome {
    let options = [options, &[("timeout", "8s")]].concat();
    check("mysql", &format!("127.0.0.1:{port}"), &options)
}

/// A session of a user without a password, held open; the answer to its login.
fn session(port: u16, user: &str) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    packet(&mut stream);
    let mut body = 0x0008_a201_u32.to_le_bytes().to_vec();
    body.extend([0, 0, 0, 1, 45]);
    body.extend([0; 23]);
    body.extend(format!("{user}\0\0mysql_native_password\0").bytes());
    let head = [u8::try_from(body.len()).unwrap(), 0, 0, 1];
    stream.write_all(&[&head[..], &body].concat()).unwrap();
    let answer = packet(&mut stream);
    (stream, answer[0])
}

fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    stream.read_exact(&mut body).unwrap();
    body
}

#[test]
fn mariadb_in_health_and_in_its_faults() {
    if !installed("mariadb", &[MARIADBD, INSTALL, CLIENT], true) {
        return;
    }
    let ports = Ports { open: free_port(), extra: free_port() };
    let lab = Lab::new("real-mariadb");
    let server = start(&ports, &lab);
    sql(&server, USERS);
    let secret = server.folder.join("password");
    fs::write(&secret, "secret\n").unwrap();
    let secret = secret.display().to_string();
    let app = [("user", "app"), ("password-file", secret.as_str())];

    health(&server, &ports, &app);
    logins(&server, &ports, &app);
    encrypted(&server, &ports, &app, &lab);
    limits(&server, &ports, &app);
    locks(&server, &ports, &app);
    hosts(&server, &ports);

    let gone = ports.open;
    drop(server);
    assert_eq!(ask(gone, &[]).class(), Class::Refused);
}

fn health(server: &Server, ports: &Ports, app: &[(&str, &str)]) {
    let stranger = ask(ports.open, &[]);
    assert_eq!((stranger.level(), stranger.class()), (Level::Ok, Class::Open), "{stranger:?}");
    assert_eq!(stranger.fact("login"), Some(&Cell::text("not tested")));
    let socket = format!("unix:{}/s.sock", server.folder.display());
    assert_eq!(check("mysql", &socket, &[]).class(), Class::Open);
    sql(server, "SELECT SLEEP(0.1)");
    let known =
        [app, &[("query", "SELECT 6 * 7"), ("expect", "42"), ("interval", "50ms")]].concat();
    let known = ask(ports.open, &known);
    assert_eq!(known.class(), Class::Open, "{known:?}");
    assert_eq!(known.fact("login"), Some(&Cell::text("accepted")));
    // The session's own value would be 0: the slow statement was another session's.
    assert!(known.measure("slow_queries").unwrap() >= 1.0);
    assert!(known.measure("connections").unwrap() < 10.0);
    assert!(known.measure("queries_per_second").is_some());
    // Bound to one address, it is not there at another of the same machine.
    let other = check("mysql", &format!("127.0.0.3:{}", ports.open), &[]);
    assert_eq!(other.class(), Class::Refused);
}

fn encrypted(server: &Server, ports: &Ports, app: &[(&str, &str)], lab: &Lab) {
    let target = format!("db.lab.test:{}", ports.open);
    let ask = |kind: &str, options: &[(&str, &str)]| {
        let always = [("resolve", "db.lab.test=127.0.0.1"), ("timeout", "8s")];
        check(kind, &target, &[options, &always].concat())
    };
    let trusted = [("ca-file", lab.ca()), ("tls", "")];
    let good = ask("mysql", &[app, &trusted].concat());
    assert_eq!((good.class(), good.fact("login")), (Class::Open, Some(&Cell::text("accepted"))));
    assert!(good.fact("tls_version").is_some(), "{good:?}");
    let untrusted = ask("mysql", &[app, &[("tls", "")]].concat());
    assert_eq!(classes(&untrusted), ["unknown_root"], "{untrusted:?}");
    assert_eq!(untrusted.fact("login"), Some(&Cell::text("not tested")), "the password stays here");
    let certificate = ask("tls", &[("starttls", "mysql"), ("ca-file", lab.ca())]);
    assert_eq!(certificate.class(), Class::Open, "{certificate:?}");
    // An account that wants TLS, and a server that does.
    assert_eq!(ask("mysql", &[("user", "secure")]).class(), Class::AuthFail);
    assert_eq!(ask("mysql", &[&[("user", "secure")], &trusted[..]].concat()).class(), Class::Open);
    sql(server, "SET GLOBAL require_secure_transport = ON");
    // MySQL has an error of its own for this (3159); MariaDB 10.11 says that access is denied.
    let in_clear = ask("mysql", app);
    assert!(matches!(in_clear.class(), Class::TlsRequired | Class::AuthFail), "{in_clear:?}");
    assert!(format!("{:?}", in_clear.worst_fault()).contains("--tls"), "{in_clear:?}");
    assert_eq!(ask("mysql", &[app, &trusted].concat()).class(), Class::Open);
    sql(server, "SET GLOBAL require_secure_transport = OFF");
}

fn logins(server: &Server, ports: &Ports, app: &[(&str, &str)]) {
    let of = |options: &[(&str, &str)]| ask(ports.open, options);
    assert_eq!(of(&[("user", "app")]).class(), Class::AuthFail);
    assert!(server.says("error.log", "Access denied for user 'app'@"));
    let no_database = of(&[app, &[("database", "nodb")]].concat());
    assert_eq!(no_database.class(), Class::DatabaseDenied, "{no_database:?}");
    assert_eq!(of(&[app, &[("database", "shop")]].concat()).class(), Class::Open);
    let locked = of(&[("user", "gone")]);
    assert_eq!(locked.class(), Class::AuthFail);
    assert!(locked.worst_fault().unwrap().cause.contains("locked"), "{locked:?}");
    assert_eq!(of(&[("user", "old")]).class(), Class::PasswordExpired);
    let by_system = of(&[("user", "system")]);
    assert_eq!(by_system.class(), Class::AuthFail);
    assert!(by_system.line().contains("1698"), "{}", by_system.line());
    let modern = of(&[("user", "modern"), ("password-file", app[1].1)]);
    assert_eq!((modern.class(), modern.level()), (Class::LoginUntested, Level::Unknown));
    assert!(modern.line().contains("client_ed25519"), "{}", modern.line());
    let socket = format!("unix:{}/s.sock", server.folder.display());
    let no_such = check("mysql", &socket, &[("user", "root"), ("database", "nodb")]);
    assert!(no_such.line().contains("1049"), "{no_such:?}");
    assert_eq!(no_such.class(), Class::DatabaseDenied);
    let failing = of(&[app, &[("query", "SELECT * FROM shop.nothing")]].concat());
    assert_eq!(failing.class(), Class::ServerError);
    let (held, answer) = session(ports.open, "one");
    assert_eq!((answer, of(&[("user", "one")]).class()), (0, Class::UserLimit));
    drop(held);
}

/// Asks again until it holds. A count of tries would be a bet on the machine's speed.
fn within_seconds(seconds: u64, mut holds: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !holds() {
        if std::time::Instant::now() > end {
            return false;
        }
    }
    true
}

/// Ends a client that a test has left waiting.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn locks(server: &Server, ports: &Ports, app: &[(&str, &str)]) {
    let spawn = |statement: &str| Waiting(client(&server.folder, statement).spawn().unwrap());
    let _holder = spawn("LOCK TABLES shop.t WRITE; SELECT SLEEP(30)");
    let options = [app, &[("processlist", "")]].concat();
    let asks = || ask(ports.open, &options);
    let until = |what: &dyn Fn(&Outcome) -> bool| within_seconds(15, || what(&asks()));
    assert!(until(&|outcome| outcome.fact("longest_statement").is_some()));
    // What was seen may still have been the locking itself: a reader that came before it has ended and is sent again.
    let mut reader = spawn("SELECT * FROM shop.t");
    let waits = within_seconds(15, || {
        if matches!(reader.0.try_wait(), Ok(Some(_))) {
            reader = spawn("SELECT * FROM shop.t");
        }
        asks().class() == Class::LockWaits
    });
    assert!(waits, "no reader waits for the lock");
}

/// The server takes ten at the least, and the eleventh up to its login.
fn limits(server: &Server, ports: &Ports, app: &[(&str, &str)]) {
    sql(server, "SET GLOBAL max_connections = 10");
    // The server ends a session a moment after its client has left.
    let alone = || ask(ports.open, app).fact("threads_connected") == Some(&Cell::Count(1));
    assert!(within_seconds(15, alone), "no session left of others");
    let hold = |count: usize| (0..count).map(|_| session(ports.open, "idle").0).collect::<Vec<_>>();
    let mut held = hold(9);
    // Each question is a session too, and the one before may not have ended yet: so each is asked until it holds.
    let near = || {
        let near = ask(ports.open, app);
        (near.level(), near.class()) == (Level::Critical, Class::NearConnectionLimit)
    };
    assert!(within_seconds(15, near));
    held.extend(hold(1));
    // The password is looked at first: a stranger is refused as ever.
    assert!(within_seconds(15, || ask(ports.open, &[]).class() == Class::Open));
    let refused = |outcome: &Outcome, when: &str| {
        outcome.class() == Class::TooManyConnections
            && outcome.fact("refused") == Some(&Cell::text(when))
    };
    assert!(within_seconds(15, || refused(&ask(ports.open, app), "after the login")));
    let mut eleventh = TcpStream::connect((Ipv4Addr::LOCALHOST, ports.open)).unwrap();
    packet(&mut eleventh);
    let extra = ports.extra.to_string();
    let over = ask(ports.open, &[app, &[("extra-port", extra.as_str())]].concat());
    assert!(refused(&over, "in the place of the greeting"), "{over:?}");
    assert_eq!(over.fact("extra_port"), Some(&Cell::text("lets us in")));
    assert!(server.says("error.log", "(Too many connections)"));
    drop((held, eleventh));
    let again = within_seconds(15, || ask(ports.open, &[]).class() == Class::Open);
    assert!(again);
    sql(server, "SET GLOBAL max_connections = 151");
}

/// What a bare port check does to a host, and that ours does not do it.
fn hosts(server: &Server, ports: &Ports) {
    let from = |source: &'static str| ask(ports.open, &[("source", source)]);
    let denied = from("127.0.0.3");
    assert_eq!((denied.class(), denied.failing_step()), (Class::HostDenied, Some("greeting")));
    for _ in 0..6 {
        assert_eq!(from("127.0.0.2").class(), Class::Open);
    }
    let target = format!("127.0.0.1:{}", ports.open);
    for _ in 0..6 {
        let tcp = check("tcp", &target, &[("source", "127.0.0.2"), ("banner", "")]);
        assert_eq!(tcp.class(), Class::Open);
    }
    assert_eq!(from("127.0.0.2").class(), Class::Open);
    for _ in 0..4 {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, ports.open)).into()).unwrap();
        packet(&mut TcpStream::from(socket));
    }
    let blocked = (0..50).map(|_| from("127.0.0.2")).find(|outcome| outcome.class() != Class::Open);
    assert_eq!(blocked.unwrap().class(), Class::HostBlocked);
    assert!(server.says("error.log", "closed normally without authentication"));
    sql(server, "FLUSH HOSTS");
    assert_eq!(from("127.0.0.2").class(), Class::Open);
}
