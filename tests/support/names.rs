//! A name server of a few lines: it answers from a function, over UDP and TCP on one port of a loopback address.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Serial, Ttl};
use domain::rdata::{A, Cname, Mx, Ns, Ptr, Soa};

/// What to answer: the code, whether with authority, and records as `SECTION OWNER TTL TYPE DATA`, the sections being
/// `an` and `ns`. `truncate` cuts the UDP answer.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub rcode: &'static str,
    pub authoritative: bool,
    pub records: Vec<String>,
    pub truncate: bool,
}

/// An authoritative answer with these records.
pub fn said(records: &[&str]) -> Said {
    let records = records.iter().map(ToString::to_string).collect();
    Said { rcode: "NOERROR", authoritative: true, records, truncate: false }
}

/// An answer with another code.
pub fn refused_with(rcode: &'static str, records: &[&str]) -> Said {
    Said { rcode, ..said(records) }
}

/// Serves `part(name, type)` at 127.0.0.`host`, on the port given or a free one.
pub fn serve(
    host: u8,
    port: u16,
    part: impl Fn(&str, &str) -> Said + Send + Sync + 'static,
) -> SocketAddr {
    let part = Arc::new(part);
    let (udp, tcp) = sockets(SocketAddr::from(([127, 0, 0, host], port)));
    let address = udp.local_addr().unwrap();
    let over_tcp = Arc::clone(&part);
    thread::spawn(move || {
        let mut space = [0; 4096];
        while let Ok((got, from)) = udp.recv_from(&mut space) {
            if let Some(answer) = answer(&space[..got], &*part, true) {
                let _ = udp.send_to(&answer, from);
            }
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            let _ = stream.read_exact(&mut length);
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            let _ = stream.read_exact(&mut bytes);
            if let Some(answer) = answer(&bytes, &*over_tcp, false) {
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length[..], &answer].concat());
            }
        }
    });
    address
}

/// Both sockets on one port. One that is free for the first may be taken for the second: then another is tried.
fn sockets(wanted: SocketAddr) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind(wanted).unwrap();
        match TcpListener::bind(udp.local_addr().unwrap()) {
            Ok(tcp) => return (udp, tcp),
            Err(error) if wanted.port() == 0 && error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("{wanted}: {error}"),
        }
    }
    panic!("no port of {wanted} is free for both");
}

fn answer(bytes: &[u8], part: &impl Fn(&str, &str) -> Said, udp: bool) -> Option<Vec<u8>> {
    let message = Message::from_slice(bytes).ok()?;
    let question = message.first_question()?;
    let name = question.qname().to_string();
    let said = part(name.trim_end_matches('.'), &question.qtype().to_string());
    let rcode = match said.rcode {
        "NXDOMAIN" => Rcode::NXDOMAIN,
        "SERVFAIL" => Rcode::SERVFAIL,
        "REFUSED" => Rcode::REFUSED,
        "silent" => return None,
        _ => Rcode::NOERROR,
    };
    let mut builder = MessageBuilder::new_vec().start_answer(message, rcode).ok()?;
    builder.header_mut().set_aa(said.authoritative);
    builder.header_mut().set_tc(said.truncate && udp);
    let section = |section: &'static str| {
        said.records.iter().filter(move |record| record.starts_with(section))
    };
    for record in section("an") {
        push(record, |name, ttl, data| match data {
            Data::A(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Ns(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Mx(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Cname(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Ptr(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Soa(data) => builder.push((name, ttl, data)).unwrap(),
        });
    }
    let mut builder = builder.authority();
    for record in section("ns") {
        push(record, |name, ttl, data| match data {
            Data::Ns(data) => builder.push((name, ttl, data)).unwrap(),
            Data::Soa(data) => builder.push((name, ttl, data)).unwrap(),
            _ => panic!("not for the authority section"),
        });
    }
    Some(builder.finish())
}

type Host = Name<Vec<u8>>;

enum Data {
    A(A),
    Ns(Ns<Host>),
    Mx(Mx<Host>),
    Cname(Cname<Host>),
    Ptr(Ptr<Host>),
    Soa(Soa<Host>),
}

fn push(record: &str, mut into: impl FnMut(Host, Ttl, Data)) {
    let words: Vec<_> = record.split(' ').collect();
    let host = |text: &str| Name::vec_from_str(text).unwrap();
    let seconds = |text: &str| Ttl::from_secs(text.parse().unwrap());
    let data = match (words[3], words[4]) {
        ("A", address) => Data::A(A::from_str(address).unwrap()),
        ("NS", name) => Data::Ns(Ns::new(host(name))),
        ("MX", name) => Data::Mx(Mx::new(10, host(name))),
        ("CNAME", name) => Data::Cname(Cname::new(host(name))),
        ("PTR", name) => Data::Ptr(Ptr::new(host(name))),
        ("SOA", serial) => {
            let serial = Serial(serial.parse().unwrap());
            let time = |text| seconds(text);
            Data::Soa(Soa::new(
                host("ns."),
                host("me."),
                serial,
                time("60"),
                time("60"),
                time("60"),
                time("30"),
            ))
        }
        other => panic!("{other:?}"),
    };
    into(host(words[1]), seconds(words[2]), data);
}
