//! `probe tcp`: each class of "cannot connect" and "does not answer", and hostile peers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use logmill::document::Level;
use logmill::probe::outcome::End;
use logmill::probe::{Class, plan};

use crate::support::peers::{check, check_all, classes, says, serve};

#[test]
fn an_open_port_is_open() {
    let address = serve(|mut stream| drop(stream.read(&mut [0])));
    let outcome = check("tcp", &address.to_string(), &[]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Ok, Class::Open));
    assert!(outcome.step("connect").unwrap().micros().is_some());
}

#[test]
fn nothing_listens() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = check("tcp", &gone.to_string(), &[]);
    assert_eq!(outcome.class(), Class::Refused);
    assert_eq!(outcome.failing_step(), Some("connect"));
    assert_eq!(outcome.step("greeting").unwrap().end, End::NotReached);
    let fault = outcome.worst_fault().unwrap();
    assert!(fault.next.contains(&gone.port().to_string()) && !fault.next.contains('{'));
}

#[test]
fn several_ports_are_several_outcomes() {
    let one = says(b"220 a\r\n");
    let all = check_all("tcp", &format!("127.0.0.1:{},1", one.port()), &[]);
    let found: Vec<_> = all.iter().map(|outcome| outcome.class().name()).collect();
    assert_eq!(found, ["open", "refused"]);
}

#[test]
fn connected_and_silent() {
    let address = serve(|mut stream| drop(stream.read(&mut [0])));
    let outcome = check("tcp", &address.to_string(), &[("banner", ""), ("timeout", "50ms")]);
    assert_eq!(outcome.class(), Class::Silent);
}

#[test]
fn connected_and_closed() {
    let address = serve(drop);
    let outcome = check("tcp", &address.to_string(), &[]);
    assert_eq!(outcome.class(), Class::ClosedEarly);
}

#[test]
fn another_protocol_than_expected() {
    let address = says(b"SSH-2.0-OpenSSH_9.2\r\n");
    let outcome = check("tcp", &address.to_string(), &[("expect", "220 ")]);
    assert_eq!(outcome.class(), Class::WrongProtocol);
    let outcome = check("tcp", &address.to_string(), &[("expect", "SSH-1"), ("timeout", "80ms")]);
    assert_eq!(outcome.class(), Class::Unexpected);
    let outcome = check("tcp", &address.to_string(), &[("expect", "~^SSH-2")]);
    assert_eq!(outcome.class(), Class::Open);
}

#[test]
fn a_banner_with_terminal_escapes_is_shown_harmless() {
    let address = says(b"220 \x1b]0;owned\x07 \x1b[31m|\r\n");
    let outcome = check("tcp", &address.to_string(), &[("expect", "none"), ("timeout", "80ms")]);
    let all = format!("{} {:?}", outcome.line(), outcome.faults);
    assert!(!all.contains('\x1b') && all.contains("\\x1b"), "{all}");
}

#[test]
fn one_byte_after_the_other_is_bounded_by_the_deadline() {
    let address = serve(|mut stream| {
        while stream.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let began = Instant::now();
    let outcome = check("tcp", &address.to_string(), &[("expect", "end"), ("timeout", "100ms")]);
    assert_eq!(outcome.class(), Class::Unexpected);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_endless_answer_is_bounded() {
    let address = serve(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let outcome = check("tcp", &address.to_string(), &[("expect", "end")]);
    assert_eq!(classes(&outcome), ["unexpected"]);
}

/// Hanging up after MySQL's greeting locks the host out after a while: see the first point of the laboratory's notes.
#[test]
fn mysql_is_never_left_without_a_login() {
    let (sender, receiver) = mpsc::channel();
    let address = serve(move |mut stream| {
        stream.write_all(b"\x4a\0\0\0\x0a5.5.5-10.11.19-MariaDB\0\x01\0\0\0").unwrap();
        let mut login = [0; 4];
        stream.read_exact(&mut login).unwrap();
        let mut body = vec![0; usize::from(login[0])];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(b"\x03\0\0\x02\xff\x15\x04").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        sender.send((body, rest)).unwrap();
    });
    let outcome = check("tcp", &address.to_string(), &[]);
    assert_eq!(outcome.class(), Class::Open);
    let (login, rest) = receiver.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(login.windows(8).any(|part| part == b"logmill\0"));
    assert_eq!(rest, [1, 0, 0, 0, 1]);
}

#[test]
fn success_on_the_second_try_is_a_warning() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let address = serve(move |mut stream| {
        if !first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let _ = stream.write_all(b"220 ready\r\n");
            let _ = stream.read(&mut [0]);
        }
    });
    let options = [("expect", "220"), ("retries", "2"), ("retry-delay", "10ms")];
    let outcome = check("tcp", &address.to_string(), &options);
    assert_eq!((outcome.level(), outcome.class()), (Level::Warning, Class::Retried));
    assert_eq!(outcome.tries, 2);
}

#[test]
fn thresholds_judge_steps() {
    let address = says(b"220 a\r\n");
    let outcome = check("tcp", &address.to_string(), &[("crit", "connect=10:")]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Critical, Class::Threshold));
    assert!(plan("tcp", ["a:1"], [("warn", "speed=1")]).unwrap_err().is_usage());
}

#[test]
fn a_full_accept_queue_is_told_from_a_firewall() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let held: Vec<_> = (0..2)
        .map_while(|_| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok()
        })
        .collect();
    let outcome = check("tcp", &address.to_string(), &[("timeout", "100ms")]);
    assert_eq!(outcome.class(), Class::BacklogFull, "{outcome:?}");
    drop(held);
}

/// The system says of a socket file at once that its queue is full; a moment later there may be room.
#[test]
fn a_full_queue_of_a_socket_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let target = format!("unix:{}", path.display());
    let full = check("tcp", &target, &[("timeout", "50ms")]);
    assert_eq!((full.class(), full.failing_step()), (Class::BacklogFull, Some("connect")));
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let first = socket.accept().unwrap();
        let second = socket.accept().unwrap();
        (first, second)
    });
    assert_eq!(check("tcp", &target, &[("timeout", "5s")]).class(), Class::Open);
    drop(later.join());
}

#[test]
fn unix_sockets() {
    let path = format!("{}/tcp-test.sock", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_file(&path);
    let outcome = check("tcp", &path, &[]);
    assert_eq!(outcome.class(), Class::SocketMissing);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    thread::spawn(move || listener.accept().map(|(mut stream, _)| stream.write_all(b"hello\n")));
    let outcome = check("tcp", &format!("unix:{path}"), &[("expect", "hello")]);
    assert_eq!(outcome.class(), Class::Open);
}
