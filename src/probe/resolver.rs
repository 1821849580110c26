//! One question to one name server, over UDP or TCP, and what it answered, header bits and extended errors included.
//!
//! The messages themselves are read by the `domain` crate; the dialogue, its limits and the meaning of what came are
//! here. The DNS probe is built on this, and so is the answer to "why has this name no address", which the system's
//! resolver does not tell.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::Opcode;
use domain::base::opt::ExtendedError;
use domain::base::{
    Message, MessageBuilder, Name, ParsedName, ParsedRecord, RecordSection, ToName,
};
use domain::rdata::AllRecordData;
use ring::rand::{SecureRandom, SystemRandom};

use super::class::Class;
use super::escape::escaped;
use super::net::{self, Answer, Deadline, Failure, Peer, plain};

/// The size of a datagram that passes any path in one piece; what is announced and accepted.
const DATAGRAM: u16 = 1232;

/// How many records of one section are kept.
const MOST_RECORDS: usize = 200;

/// A question, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name, absolute.
    pub name: Name<Vec<u8>>,
    /// The type of record.
    pub rtype: Rtype,
    /// Whether the server may ask others for us.
    pub recurse: bool,
}

impl Question {
    /// A question from text; `None` if the name or type is none.
    pub fn parse(name: &str, rtype: &str, recurse: bool) -> Option<Self> {
        let name = Name::vec_from_str(name).ok()?;
        let rtype = Rtype::from_str(&rtype.to_ascii_uppercase()).ok()?;
        Some(Self { name, rtype, recurse })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.rtype)
    }
}

/// One resource record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is, lower case, without the final dot.
    pub owner: String,
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// The type of record.
    pub rtype: Rtype,
    /// The data in the form of zone files, lower case where it is a name.
    pub data: String,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The answer code in capitals: `NOERROR`, `NXDOMAIN`.
    pub rcode: String,
    /// The server has authority for the name.
    pub authoritative: bool,
    /// It would ask others for us.
    pub recursion: bool,
    /// It has verified signatures.
    pub authentic: bool,
    /// The answer did not fit.
    pub truncated: bool,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The address records of the additional section.
    pub additional: Vec<Record>,
    /// Extended error: its number and its text.
    pub extended: Option<(u16, String)>,
    /// The size of the message in bytes.
    pub size: usize,
    /// Whether it came over TCP.
    pub over_tcp: bool,
}

impl Reply {
    /// The data of the answers of one type, sorted, so that sets compare.
    pub fn set(&self, rtype: Rtype) -> Vec<&str> {
        let of_type = self.answers.iter().filter(|record| record.rtype == rtype);
        let mut set: Vec<_> = of_type.map(|record| record.data.as_str()).collect();
        set.sort_unstable();
        set.dedup();
        set
    }

    /// Seconds for which a "there is none" may be kept: the smaller of the SOA's own time and its last number.
    pub fn negative_ttl(&self) -> Option<u32> {
        let soa = self.authority.iter().find(|record| record.rtype == Rtype::SOA)?;
        let minimum = soa.data.split_ascii_whitespace().last()?.parse().ok()?;
        Some(soa.ttl.min(minimum))
    }

    /// The address that came along for a name.
    pub fn glue(&self, name: &str) -> Option<IpAddr> {
        let record = self.additional.iter().find(|record| record.owner == name)?;
        record.data.parse().ok()
    }

    /// The serial of the first SOA record among the answers.
    pub fn serial(&self) -> Option<u32> {
        let soa = self.answers.iter().find(|record| record.rtype == Rtype::SOA)?;
        soa.data.split_ascii_whitespace().nth(2)?.parse().ok()
    }
}

/// The bytes of a question.
pub fn encode(question: &Question, id: u16) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_opcode(Opcode::QUERY);
    builder.header_mut().set_rd(question.recurse);
    let mut builder = builder.question();
    let fits = "one question and an empty option record fit any message";
    builder.push((&question.name, question.rtype)).expect(fits);
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(DATAGRAM);
            Ok(())
        })
        .expect(fits);
    builder.finish()
}

/// Reads an answer. What breaks the rules of the format is `None`; a compression loop is one such break.
pub fn decode(bytes: &[u8], over_tcp: bool) -> Option<(u16, Option<Question>, Reply)> {
    let message = Message::from_slice(bytes).ok()?;
    let header = message.header();
    if !header.qr() {
        return None;
    }
    let opt = message.opt();
    let extended = opt.as_ref().and_then(|opt| opt.opt().first::<ExtendedError<_>>());
    let rcode = message.opt_rcode().to_string();
    let reply = Reply {
        rcode,
        authoritative: header.aa(),
        recursion: header.ra(),
        authentic: header.ad(),
        truncated: header.tc(),
        answers: records(message.answer().ok()?)?,
        authority: records(message.authority().ok()?)?,
        additional: addresses(message.additional().ok()?),
        extended: extended.map(|error| {
            (error.code().to_int(), escaped(error.text_slice().unwrap_or_default(), 200))
        }),
        size: bytes.len(),
        over_tcp,
    };
    Some((header.id(), echoed(message), reply))
}

/// The question as the server repeated it.
fn echoed(message: &Message<[u8]>) -> Option<Question> {
    let question = message.first_question()?;
    let name = question.qname().to_vec();
    Some(Question { name, rtype: question.qtype(), recurse: message.header().rd() })
}

fn records(section: RecordSection<'_, [u8]>) -> Option<Vec<Record>> {
    let mut found = Vec::new();
    for record in section.take(MOST_RECORDS) {
        found.push(text_of(&record.ok()?)?);
    }
    Some(found)
}

/// The additional section holds the option record too, and may be cut off; what can be read of it is taken.
fn addresses(section: RecordSection<'_, [u8]>) -> Vec<Record> {
    let read = section.take(MOST_RECORDS).map_while(std::result::Result::ok);
    let records = read.filter(|record| matches!(record.rtype(), Rtype::A | Rtype::AAAA));
    records.filter_map(|record| text_of(&record)).collect()
}

fn text_of(record: &ParsedRecord<'_, [u8]>) -> Option<Record> {
    let data = record.to_any_record::<AllRecordData<_, ParsedName<_>>>().ok()?;
    Some(Record {
        owner: tidy(&record.owner().to_string()),
        ttl: record.ttl().as_secs(),
        rtype: record.rtype(),
        data: tidy_data(record.rtype(), &data.data().to_string()),
    })
}

/// Names are compared without case and final dot; the root keeps its dot. What the peer chose is escaped.
fn tidy(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    let name = if name.is_empty() { "." } else { name };
    escaped(name.to_ascii_lowercase().as_bytes(), 300)
}

/// Text keeps its case, all else is names and numbers.
fn tidy_data(rtype: Rtype, data: &str) -> String {
    match rtype {
        Rtype::TXT | Rtype::CAA | Rtype::DNSKEY | Rtype::RRSIG => {
            data.chars().filter(|c| !c.is_control()).take(2000).collect()
        }
        _ => {
            let words: Vec<_> = data.split_ascii_whitespace().map(tidy).collect();
            words.join(" ")
        }
    }
}

fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // Without random bytes the probe still works; only a forged answer would be easier.
    let _ = SystemRandom::new().fill(&mut bytes);
    u16::from_ne_bytes(bytes)
}

/// Asks over UDP; after a truncated answer again over TCP.
pub fn ask(
    server: SocketAddr,
    question: &Question,
    source: Option<IpAddr>,
    deadline: Deadline,
) -> Answer<Reply> {
    let reply = ask_udp(server, question, source, deadline)?;
    if !reply.truncated {
        return Ok(reply);
    }
    ask_tcp(server, question, source, deadline).map_err(|failure| {
        Failure::new(Class::TruncatedNoTcp, format!("over TCP: {}", failure.came))
    })
}

/// Asks over UDP. Answers to other questions are passed over until the deadline.
pub fn ask_udp(
    server: SocketAddr,
    question: &Question,
    source: Option<IpAddr>,
    deadline: Deadline,
) -> Answer<Reply> {
    let socket = udp_socket(server, source)?;
    let id = random_id();
    socket.send(&encode(question, id)).map_err(|error| udp_failure(&error))?;
    let mut space = [0; 4096];
    let mut foreign = 0;
    loop {
        let Some(left) = deadline.remaining() else { return Err(no_answer(foreign)) };
        let got = match socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut space)) {
            Ok(got) => got,
            Err(error) if is_timeout(&error) => return Err(no_answer(foreign)),
            Err(error) => return Err(udp_failure(&error)),
        };
        match accept(&space[..got], id, question, false) {
            Ok(reply) => return Ok(reply),
            Err(failure) if failure.class == Class::IdMismatch => foreign += 1,
            Err(failure) => return Err(failure),
        }
    }
}

fn udp_socket(server: SocketAddr, source: Option<IpAddr>) -> Answer<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    // Port 0: the system picks a random one, which is half of the guard against forged answers.
    let socket = UdpSocket::bind((source.unwrap_or(any), 0));
    let connected = socket.and_then(|socket| socket.connect(server).map(|()| socket));
    connected.map_err(|error| udp_failure(&error))
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn no_answer(foreign: u32) -> Failure {
    match foreign {
        0 => Failure::new(Class::DnsTimeout, "no answer in time"),
        _ => Failure::new(Class::IdMismatch, format!("{foreign} answers to other questions")),
    }
}

fn udp_failure(error: &std::io::Error) -> Failure {
    let class = match error.kind() {
        ErrorKind::ConnectionRefused => Class::DnsPortClosed,
        ErrorKind::HostUnreachable => Class::Unreachable,
        ErrorKind::NetworkUnreachable => Class::NoRoute,
        ErrorKind::PermissionDenied => Class::NotPermitted,
        _ => Class::LocalLimit,
    };
    Failure::new(class, plain(error))
}

/// Asks over TCP: two bytes of length before each message.
pub fn ask_tcp(
    server: SocketAddr,
    question: &Question,
    source: Option<IpAddr>,
    deadline: Deadline,
) -> Answer<Reply> {
    let mut wire = net::connect(&Peer::Tcp(server), source, deadline)?;
    let id = random_id();
    let message = encode(question, id);
    let mut framed = u16::try_from(message.len()).unwrap_or_default().to_be_bytes().to_vec();
    framed.extend(message);
    wire.send(&framed, deadline)?;
    let length = wire.exact(2, deadline)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let bytes = wire.exact(length, deadline)?;
    wire.leave(b"");
    accept(&bytes, id, question, true)
}

/// An answer must be readable, carry our number and repeat our question.
fn accept(bytes: &[u8], id: u16, question: &Question, over_tcp: bool) -> Answer<Reply> {
    let Some((answered, echoed, reply)) = decode(bytes, over_tcp) else {
        let came = format!("{} bytes that are no answer", bytes.len());
        return Err(Failure::new(Class::Malformed, came));
    };
    // Servers that cannot read the question at all may leave it out of their error.
    let same = |echo: Question| echo.name == question.name && echo.rtype == question.rtype;
    let repeats = echoed.map_or(reply.rcode != "NOERROR", same);
    match answered == id && repeats {
        true => Ok(reply),
        false => Err(Failure::new(Class::IdMismatch, "an answer to another question")),
    }
}

/// Why the system found no address: asked of the configured name servers, because its own words hide four different
/// faults behind one.
pub(super) fn why_no_address(host: &str, said: &str, deadline: Deadline) -> Failure {
    let classified = |class: Class| Failure::new(class, said);
    let Some(question) = Question::parse(host, "A", true) else {
        return classified(Class::BadTarget);
    };
    let Some(server) = system_servers().first().copied() else {
        return classified(Class::NameFailed);
    };
    let short = deadline.min(Deadline::after(Duration::from_secs(2)));
    match ask(server, &question, None, short) {
        Ok(reply) => classified(match reply.rcode.as_str() {
            "NXDOMAIN" => Class::NameUnknown,
            "NOERROR" => Class::NameEmpty,
            "SERVFAIL" => Class::NameServfail,
            _ => Class::NameFailed,
        }),
        Err(failure) if failure.class == Class::DnsTimeout => classified(Class::NameTimeout),
        Err(_) => classified(Class::NameFailed),
    }
}

/// The name servers of `/etc/resolv.conf`; the system asks the first three.
pub fn system_servers() -> Vec<SocketAddr> {
    servers_of(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

fn servers_of(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let ip = (words.next()? == "nameserver").then(|| words.next())??;
        Some(SocketAddr::new(ip.parse().ok()?, 53))
    };
    text.lines().filter_map(address).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn question() -> Question {
        Question::parse("www.lab.test", "a", true).unwrap()
    }

    /// The head of an answer to [`question`] with one answer record that follows.
    fn answer(record: &[u8]) -> Vec<u8> {
        let mut bytes = encode(&question(), 7);
        bytes[2] |= 0x80;
        bytes[7] = 1;
        bytes[11] = 0;
        bytes.truncate(12 + 14 + 4);
        bytes.extend_from_slice(record);
        bytes
    }

    #[test]
    fn reads_an_answer() {
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 9];
        let reply = accept(&answer(&record), 7, &question(), false).unwrap();
        assert_eq!(reply.set(Rtype::A), ["127.0.0.9"]);
        assert_eq!((reply.answers[0].ttl, reply.rcode.as_str()), (300, "NOERROR"));
        assert_eq!(
            accept(&answer(&record), 8, &question(), false).unwrap_err().class,
            Class::IdMismatch
        );
    }

    /// The root is written as nothing in some places and as a dot in others.
    #[test]
    fn the_root_is_a_name_too() {
        let root = Question::parse(".", "NS", true).unwrap();
        let mut bytes = encode(&root, 7);
        (bytes[2], bytes[7], bytes[11]) = (bytes[2] | 0x80, 1, 0);
        bytes.truncate(12 + 1 + 4);
        bytes.extend([0, 0, 2, 0, 1, 0, 0, 1, 44, 0, 3, 1, b'a', 0]);
        let reply = accept(&bytes, 7, &root, false).unwrap();
        assert_eq!((reply.answers[0].owner.as_str(), reply.set(Rtype::NS)), (".", vec!["a"]));
    }

    #[test]
    fn a_compression_loop_is_malformed() {
        for pointer in [30_u8, 31] {
            let record = [0xc0, pointer, 0xc0, 30, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 9];
            let failure = accept(&answer(&record), 7, &question(), false).unwrap_err();
            assert_eq!(failure.class, Class::Malformed);
        }
    }

    #[test]
    fn the_systems_servers() {
        let text = "# x\nnameserver 127.0.0.53\nnameserver ::1\nsearch lab.test\nnameserver x\n";
        let found: Vec<_> = servers_of(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.53:53", "[::1]:53"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&bytes, false);
        }

        #[test]
        fn a_damaged_answer_never_panics(at in 0usize..46, value: u8) {
            let mut bytes = answer(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 9]);
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = decode(&bytes, false);
        }
    }
}
