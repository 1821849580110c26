//! `probe mysql`: every shape of error, both plugins, the counters, and servers that lie about lengths.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome, plan};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes, says, serve, server_config};

const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const END: &[u8] = &[0xfe, 0, 0, 2, 0];

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

fn greeting(tls: bool, plugin: &str) -> Vec<u8> {
    let mut body = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0".to_vec();
    body.extend([0xff, if tls { 0xff } else { 0xf7 }, 45, 2, 0, 0xff, 0x81, 21]);
    body.extend([0; 10]);
    body.extend(format!("ijklmnopqrst\0{plugin}\0").bytes());
    packet(0, &body)
}

fn error(code: u16, text: &str) -> Vec<u8> {
    [&[0xff], &code.to_le_bytes()[..], text.as_bytes()].concat()
}

/// One packet: its number and its body. Empty at the end.
fn read(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 4];
    if stream.read_exact(&mut head).is_err() {
        return (0, Vec::new());
    }
    let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    let _ = stream.read_exact(&mut body);
    (head[3], body)
}

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// Greets, gives these answers to the packets of the login, and then answers questions; keeps what it hears.
fn server(plugin: &'static str, answers: Vec<Vec<u8>>) -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let ears = Arc::clone(&heard);
    let address = serve(move |mut stream| {
        let _ = stream.write_all(&greeting(false, plugin));
        converse(&mut stream, &answers, &ears);
    });
    (address, heard)
}

fn converse(stream: &mut (impl Read + Write), answers: &[Vec<u8>], ears: &Heard) {
    let mut answers = answers.iter();
    loop {
        let (number, body) = read(stream);
        if body.is_empty() && number == 0 {
            return;
        }
        ears.lock().unwrap().push(body.clone());
        let sent = match answers.next() {
            Some(answer) => stream.write_all(&packet(number + 1, answer)),
            None => stream.write_all(&answer_to(&body)),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Nine of ten connections, two processes, and an error for what it does not know.
fn answer_to(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body.get(1..).unwrap_or_default()).into_owned();
    match (body.first(), text.as_str()) {
        (Some(14), _) => packet(1, OK),
        (_, "SHOW GLOBAL STATUS") => table(&[
            &["Threads_connected", "9"],
            &["Threads_running", "2"],
            &["Slow_queries", "3"],
            &["Questions", "5"],
        ]),
        (_, text) if text.starts_with("SHOW GLOBAL VARIABLES") => {
            table(&[&["max_connections", "10"]])
        }
        (_, "SHOW PROCESSLIST") => table(&[
            &["1", "a", "h", "d", "Sleep", "9", "", ""],
            &["2", "a", "h", "d", "Query", "7", "Waiting for table metadata lock", "ALTER TABLE x"],
        ]),
        (_, "START TRANSACTION READ ONLY") => packet(1, OK),
        (_, "SELECT 42") => table(&[&["42"]]),
        _ => packet(1, &error(1064, "#42000You have an error")),
    }
}

fn table(rows: &[&[&str]]) -> Vec<u8> {
    let columns = rows[0].len();
    let mut bytes = packet(1, &[u8::try_from(columns).unwrap()]);
    for _ in 0..columns {
        bytes.extend(packet(2, b"\x03def"));
    }
    bytes.extend(packet(3, END));
    for row in rows {
        let mut body = Vec::new();
        for value in *row {
            body.push(u8::try_from(value.len()).unwrap());
            body.extend(value.bytes());
        }
        bytes.extend(packet(4, &body));
    }
    bytes.extend(packet(5, END));
    bytes
}

fn ask(answers: Vec<Vec<u8>>, options: &[(&str, &str)]) -> (Outcome, Vec<Vec<u8>>) {
    ask_by(NATIVE, answers, options)
}

fn ask_by(
    plugin: &'static str,
    answers: Vec<Vec<u8>>,
    options: &[(&str, &str)],
) -> (Outcome, Vec<Vec<u8>>) {
    let (address, heard) = server(plugin, answers);
    let options = [options, &[("timeout", "2s")]].concat();
    let outcome = check("mysql", &address.to_string(), &options);
    let heard = heard.lock().unwrap().clone();
    (outcome, heard)
}

const DENIED: &str = "#28000Access denied for user 'logmill'@'h' (using password: NO)";

#[test]
fn a_stranger_who_is_refused_has_met_a_healthy_server() {
    let (outcome, heard) = ask(vec![error(1045, DENIED)], &[]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Ok, Class::Open), "{outcome:?}");
    assert_eq!(outcome.fact("login"), Some(&Cell::text("not tested")));
    assert_eq!(outcome.fact("version"), Some(&Cell::text("8.0.36")));
    assert_eq!(heard.len(), 1);
    assert!(heard[0].windows(9).any(|part| part == b"logmill\0\0"), "the login is sent");
}

#[test]
fn a_known_user_who_is_refused_has_not() {
    let (outcome, _) = ask(vec![error(1045, DENIED)], &[("user", "app")]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::AuthFail, Some("login")));
    assert!(outcome.worst_fault().unwrap().next.contains("mysql.user"));
}

#[test]
fn errors_in_the_place_of_the_greeting() {
    let cases = [
        (1040, "Too many connections", Class::TooManyConnections),
        (1129, "Host '127.0.0.2' is blocked because of many connection errors", Class::HostBlocked),
        (1130, "Host '127.0.0.2' is not allowed to connect", Class::HostDenied),
    ];
    for (code, text, class) in cases {
        let address = serve(move |mut stream| {
            let _ = stream.write_all(&packet(0, &error(code, text)));
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let outcome = check("mysql", &address.to_string(), &[]);
        assert_eq!((outcome.class(), outcome.failing_step()), (class, Some("greeting")));
        assert_eq!(outcome.fact("refused"), Some(&Cell::text("in the place of the greeting")));
        assert!(outcome.line().contains(text), "{}", outcome.line());
    }
}

#[test]
fn errors_after_the_login() {
    let cases = [
        (1040, Class::TooManyConnections),
        (1044, Class::DatabaseDenied),
        (1049, Class::DatabaseDenied),
        (1203, Class::UserLimit),
        (1226, Class::UserLimit),
        (1251, Class::AuthPlugin),
        (1698, Class::AuthFail),
        (1820, Class::PasswordExpired),
        (3159, Class::TlsRequired),
        (1053, Class::ShuttingDown),
        (1290, Class::ReadOnly),
        (9999, Class::ServerError),
    ];
    for (code, class) in cases {
        let (outcome, _) =
            ask(vec![error(code, "#HY000words")], &[("user", "app"), ("database", "d")]);
        assert_eq!(outcome.class(), class, "{code}");
        assert_eq!(outcome.fact("refused"), Some(&Cell::text("after the login")));
    }
    let (outcome, _) = ask(vec![error(1040, "#08004Too many connections")], &[]);
    assert_eq!(outcome.class(), Class::TooManyConnections, "for a stranger too");
}

#[test]
fn an_open_session_is_asked_and_ended() {
    let options = [("user", "app"), ("processlist", ""), ("query", "SELECT 42"), ("expect", "42")];
    let (outcome, heard) = ask(vec![OK.to_vec()], &options);
    assert_eq!(classes(&outcome), ["near_connection_limit", "lock_waits"], "{outcome:?}");
    assert_eq!(outcome.level(), Level::Warning);
    assert_eq!(outcome.measure("connections"), Some(90.0));
    assert_eq!(outcome.measure("value"), Some(42.0));
    assert_eq!(outcome.fact("slow_queries"), Some(&Cell::Count(3)));
    assert_eq!(outcome.fact("idle"), Some(&Cell::Count(1)));
    assert_eq!(heard.last().unwrap(), &[1], "COM_QUIT");
}

#[test]
fn own_ranges_replace_the_built_in_ones() {
    let options = [("user", "app"), ("crit", "connections=85")];
    let (outcome, _) = ask(vec![OK.to_vec()], &options);
    assert_eq!(classes(&outcome), ["threshold"]);
    assert_eq!(outcome.level(), Level::Critical);
}

#[test]
fn rates_between_two_looks() {
    let (outcome, _) = ask(vec![OK.to_vec()], &[("user", "app"), ("interval", "10ms")]);
    assert_eq!(outcome.measure("queries_per_second"), Some(0.0));
}

#[test]
fn a_statement_that_fails() {
    let options = [("user", "app"), ("query", "SELECT nonsense")];
    let (outcome, _) = ask(vec![OK.to_vec()], &options);
    assert!(outcome.has(Class::ServerError) && outcome.line().contains("You have an error"));
}

fn password() -> String {
    let path = format!("{}/mysql-password", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, "secret\n").unwrap();
    path
}

/// A server as MySQL 8 is with a user whose password it has seen before: it holds the digest of the digest, checks the
/// proof against it, says that it is good and, unasked, that the session is open.
fn mysql_8(password: &'static str) -> SocketAddr {
    use ring::digest::{SHA256, digest};
    serve(move |mut stream| {
        let _ = stream.write_all(&greeting(false, SHA2));
        let (number, login) = read(&mut stream);
        let name = login[32..].iter().position(|byte| *byte == 0).unwrap() + 33;
        let proof = &login[name + 1..name + 1 + usize::from(login[name])];
        let stored = digest(&SHA256, digest(&SHA256, password.as_bytes()).as_ref());
        let mask = digest(&SHA256, &[stored.as_ref(), b"abcdefghijklmnopqrst"].concat());
        let once: Vec<u8> = proof.iter().zip(mask.as_ref()).map(|(a, b)| a ^ b).collect();
        if digest(&SHA256, &once).as_ref() != stored.as_ref() {
            let no =
                error(1045, "#28000Access denied for user 'app'@'127.0.0.1' (using password: YES)");
            let _ = stream.write_all(&packet(number + 1, &no));
            return;
        }
        let _ = stream.write_all(&[packet(number + 1, &[1, 3]), packet(number + 2, OK)].concat());
        converse(&mut stream, &[], &Heard::default());
    })
}

#[test]
fn the_fast_path_of_sha2() {
    let path = password();
    let options = [("user", "app"), ("password-file", path.as_str()), ("timeout", "3s")];
    let asked = |password| check("mysql", &mysql_8(password).to_string(), &options);
    let good = asked("secret");
    assert_eq!(good.fact("login"), Some(&Cell::text("accepted")), "{good:?}");
    assert_eq!(good.measure("threads_running"), Some(2.0));
    assert_eq!(asked("changed").class(), Class::AuthFail);
}

#[test]
fn a_switch_of_the_plugin() {
    let switch = [b"\xfe".as_slice(), SHA2.as_bytes(), b"\0ABCDEFGHIJKLMNOPQRST\0"].concat();
    let path = password();
    let options = [("user", "app"), ("password-file", path.as_str())];
    let (outcome, heard) = ask(vec![switch, OK.to_vec()], &options);
    assert!(outcome.fact("login") == Some(&Cell::text("accepted")), "{outcome:?}");
    assert_eq!(heard[1].len(), 32);
}

#[test]
fn the_password_itself_is_not_sent_in_clear() {
    let path = password();
    let options = [("user", "app"), ("password-file", path.as_str())];
    let (outcome, heard) = ask_by(SHA2, vec![vec![1, 4], error(1045, DENIED)], &options);
    assert_eq!((outcome.level(), outcome.class()), (Level::Unknown, Class::LoginUntested));
    assert!(!heard.concat().windows(6).any(|part| part == b"secret"));
    // The same plugin, and any other, leave a stranger's verdict as it is.
    let (outcome, _) = ask_by(SHA2, vec![vec![1, 4], error(1045, DENIED)], &[]);
    assert_eq!(outcome.class(), Class::Open);
    let switch = b"\xfedialog\0salt\0".to_vec();
    let (outcome, heard) = ask(vec![switch, error(1045, DENIED)], &[("user", "app")]);
    assert_eq!(outcome.class(), Class::LoginUntested);
    assert!(outcome.line().contains("dialog"));
    assert_eq!(heard[1], b"", "the switch is answered");
}

#[test]
fn inside_tls_the_password_goes_to_a_server_that_proves_itself() {
    let lab = Lab::new("mysql-tls");
    let config = server_config(&lab.good());
    let heard = Heard::default();
    let ears = Arc::clone(&heard);
    let address = serve(move |mut socket| {
        let _ = socket.write_all(&greeting(true, SHA2));
        let (number, request) = read(&mut socket);
        assert_eq!((number, request.len()), (1, 32));
        let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        converse(&mut stream, &[vec![1, 4], OK.to_vec()], &ears);
    });
    let path = password();
    let target = format!("www.lab.test:{}", address.port());
    let mut options = vec![
        ("resolve", "www.lab.test=127.0.0.1"),
        ("user", "app"),
        ("password-file", path.as_str()),
        ("tls", ""),
        ("timeout", "2s"),
    ];
    let distrusted = check("mysql", &target, &options);
    assert!(distrusted.has(Class::UnknownRoot), "{distrusted:?}");
    assert!(!heard.lock().unwrap().concat().windows(6).any(|part| part == b"secret"));
    options.push(("ca-file", lab.ca()));
    let outcome = check("mysql", &target, &options);
    assert_eq!(outcome.class(), Class::NearConnectionLimit, "{outcome:?}");
    assert!(heard.lock().unwrap().contains(&b"secret\0".to_vec()));
}

#[test]
fn tls_that_is_not_offered() {
    let (outcome, heard) = ask(vec![error(1045, DENIED)], &[("tls", "")]);
    assert_eq!(outcome.class(), Class::StarttlsMissing);
    assert_eq!(heard.len(), 1, "left with a login");
}

#[test]
fn the_reserved_door() {
    let (door, _) = server(NATIVE, vec![error(1045, DENIED)]);
    let full = serve(|mut stream| {
        let _ = stream.write_all(&packet(0, &error(1040, "Too many connections")));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let port = door.port().to_string();
    let outcome = check("mysql", &full.to_string(), &[("extra-port", &port), ("timeout", "2s")]);
    assert_eq!(outcome.class(), Class::TooManyConnections);
    let Some(Cell::Text(text)) = outcome.fact("extra_port") else { panic!("no fact") };
    assert!(String::from_utf8_lossy(text).contains("1045"));
}

#[test]
fn hostile_and_other_servers() {
    let class = |words: &'static [u8]| {
        check("mysql", &says(words).to_string(), &[("timeout", "150ms")]).class()
    };
    assert_eq!(class(b"220 mail\r\n"), Class::WrongProtocol);
    assert_eq!(class(b"SSH-2.0-x\r\n"), Class::WrongProtocol);
    assert_eq!(class(b"\xff\xff\xff\0\x0a8"), Class::TooLarge);
    assert_eq!(class(b"\xff\x0f\0\0\x0a8.0"), Class::Stalled);
    assert_eq!(class(b"\x03\0\0\0\x0a8\0"), Class::Malformed);
    assert_eq!(class(b"\0\0\0\0"), Class::Malformed);
    assert_eq!(class(b"\x03\0\0\0\x093\0"), Class::Unexpected);
    assert_eq!(class(b""), Class::Silent);
    let closed = check("mysql", &serve(drop).to_string(), &[]);
    assert!(matches!(closed.class(), Class::ClosedEarly | Class::Reset));
}

#[test]
fn a_login_without_end_and_rows_without_end() {
    let more: Vec<Vec<u8>> = vec![vec![1, 3]; 20];
    let (outcome, _) = ask(more, &[("user", "app")]);
    assert!(matches!(outcome.class(), Class::LoginUntested | Class::Stalled), "{outcome:?}");
    let address = serve(|mut stream| {
        let _ = stream.write_all(&greeting(false, NATIVE));
        read(&mut stream);
        let _ = stream.write_all(&packet(2, OK));
        read(&mut stream);
        let _ = stream.write_all(&packet(1, OK));
        let head = [packet(1, &[1]), packet(2, b"x"), packet(3, END)].concat();
        let _ = stream.write_all(&head);
        let rows = packet(4, &[1, b'x'].repeat(100)).repeat(100);
        while stream.write_all(&rows).is_ok() {}
    });
    let outcome = check("mysql", &address.to_string(), &[("user", "app"), ("timeout", "60s")]);
    assert_eq!(outcome.class(), Class::TooLarge, "{outcome:?}");
}

#[test]
fn options_are_checked() {
    let usage = |pairs: &[(&str, &str)]| plan("mysql", ["h"], pairs.iter().copied()).unwrap_err();
    assert!(usage(&[("query", "SELECT 1")]).is_usage());
    assert!(usage(&[("user", "a"), ("query", "DELETE FROM t")]).to_string().contains("DELETE"));
    assert!(usage(&[("user", "a\0b")]).is_usage());
    assert!(usage(&[("extra-port", "high")]).is_usage());
    assert_eq!(plan("mysql", ["h"], []).unwrap()[0].target().port(), 3306);
}
