//! `probe ping`: whatever way the system permits, loopback answers; silence is never critical.

use logmill::document::{Cell, Level};
use logmill::probe::Class;

use crate::support::peers::{check, serve};

const QUICK: [(&str, &str); 2] = [("count", "3"), ("interval", "1ms")];

#[test]
fn loopback_answers() {
    let outcome = check("ping", "127.0.0.1", &QUICK);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert_eq!(outcome.measure("loss"), Some(0.0));
    assert!(outcome.measure("rta").unwrap() < 1.0);
}

#[test]
fn by_tcp_a_refusal_is_an_answer() {
    let open = serve(drop).port().to_string();
    for port in ["1", &open] {
        let options = [QUICK[0], QUICK[1], ("by", "tcp"), ("port", port)];
        let outcome = check("ping", "127.0.0.1", &options);
        assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
        assert_eq!(outcome.fact("by"), Some(&Cell::text("tcp")));
    }
}

#[test]
fn silence_is_a_warning() {
    // A port whose accept queue is full drops requests, as a firewall does.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let held: Vec<_> = (0..2)
        .map_while(|_| {
            let patience = std::time::Duration::from_millis(50);
            std::net::TcpStream::connect_timeout(&address, patience).ok()
        })
        .collect();
    let port = address.port().to_string();
    let options = [
        ("count", "2"),
        ("interval", "1ms"),
        ("by", "tcp"),
        ("port", port.as_str()),
        ("timeout", "100ms"),
    ];
    let outcome = check("ping", "127.0.0.1", &options);
    assert_eq!((outcome.class(), outcome.level()), (Class::PingSilent, Level::Warning));
    drop(held);
}
