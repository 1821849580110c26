//! Listeners that play one part for every connection. Their threads end with the test process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use logmill::probe::{Outcome, plan};
use rustls::{ServerConfig, ServerConnection};

use super::certs::Identity;

/// A listener on loopback that gives each connection to `part`.
pub fn serve(part: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let part = Arc::new(part);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let part = Arc::clone(&part);
            thread::spawn(move || {
                // A peer that never ends must not outlive the test that talks to it by much.
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                part(stream);
            });
        }
    });
    address
}

/// With room for a thousand connections that wait: the standard library's has room for 128.
fn listener() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(2048).unwrap();
    socket.into()
}

/// Says one thing to everybody and then waits for the other side to close.
pub fn says(words: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| {
        let _ = stream.write_all(words);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Reads one request (up to an empty line) and answers with these bytes, then closes.
pub fn answers(words: impl Into<Vec<u8>>) -> SocketAddr {
    let words = words.into();
    serve(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(&words);
    })
}

/// Reads up to an empty line, or to the end.
pub fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A TLS server that shows this identity and lets `part` speak inside.
pub fn serve_tls(
    identity: &Identity,
    part: impl Fn(&mut rustls::Stream<'_, ServerConnection, TcpStream>) + Send + Sync + 'static,
) -> SocketAddr {
    let config = server_config(identity);
    serve(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        part(&mut rustls::Stream::new(&mut tls, &mut socket));
        tls.send_close_notify();
        let _ = tls.write_tls(&mut socket);
    })
}

/// The server's side of TLS with this identity.
pub fn server_config(identity: &Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .unwrap();
    Arc::new(config)
}

/// A UDP socket on loopback that answers each datagram with what `part` makes of it.
pub fn serve_udp(part: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut space = [0; 4096];
        while let Ok((got, from)) = socket.recv_from(&mut space) {
            let answer = part(&space[..got]);
            if !answer.is_empty() {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// The instant by which the tests judge: 2026-06-15 00:00 UTC, in microseconds.
pub const NOW: i64 = 1_781_481_600_000_000;

/// Runs one check that has one address, at the instant of the tests.
pub fn check(kind: &str, target: &str, options: &[(&str, &str)]) -> Outcome {
    let mut all = check_all(kind, target, options);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// Runs the checks of one target at the instant of the tests.
pub fn check_all(kind: &str, target: &str, options: &[(&str, &str)]) -> Vec<Outcome> {
    let checks = plan(kind, [target], options.iter().copied()).unwrap();
    checks.iter().flat_map(|check| check.run_by(|| NOW)).collect()
}

/// The names of all classes that an outcome has, in the order found.
pub fn classes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.faults.iter().map(|fault| fault.class.name()).collect()
}
