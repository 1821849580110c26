//! The packets of the MySQL protocol, taken apart and put together: pure functions over bytes.
//!
//! An error in the place of the greeting (1040, 1129, 1130) has no SQLSTATE, because the two sides have not agreed on
//! anything yet; every other one has. Both are read.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>

use crate::probe::class::Class;
use crate::probe::escape::{escaped, quoted};
use crate::probe::net::{Answer, Deadline, Failure, Wire};

/// One packet: its number in the exchange, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub number: u8,
    pub body: Vec<u8>,
}

impl Packet {
    /// Reads one packet of at most `limit` bytes.
    pub(super) fn read(wire: &mut Wire, limit: usize, deadline: Deadline) -> Answer<Self> {
        let head = wire.exact(4, deadline)?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if length > limit {
            let came = format!("a packet of {length} bytes, {limit} are plenty");
            return Err(Failure::new(Class::TooLarge, came));
        }
        Ok(Self { number: head[3], body: wire.exact(length, deadline)? })
    }

    /// Its bytes on the wire. Ours are all far below the 16 MiB that a length can say.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or_default().to_le_bytes();
        let mut bytes = vec![length[0], length[1], length[2], self.number];
        bytes.extend(&self.body);
        bytes
    }
}

/// What the server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum First {
    Greeting(Greeting),
    Error(ServerError),
    /// The protocol of before 1998, by its number.
    Old(u8),
}

/// The greeting of version 10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The version of the server, escaped; MariaDB's without the `5.5.5-` that it puts before it.
    pub version: String,
    /// The number of this connection in the server's process list.
    pub thread: u32,
    /// Twenty bytes to mix a password with; fewer from a server before 4.1.
    pub salt: Vec<u8>,
    /// What the server can do, as a set of bits.
    pub abilities: u32,
    /// The way to log in that it prefers.
    pub plugin: String,
}

/// The bits of [`Greeting::abilities`] that matter here.
pub(super) mod ability {
    pub(in crate::probe::mysql) const LONG_PASSWORD: u32 = 0x0000_0001;
    pub(in crate::probe::mysql) const WITH_DATABASE: u32 = 0x0000_0008;
    pub(in crate::probe::mysql) const PROTOCOL_41: u32 = 0x0000_0200;
    pub(in crate::probe::mysql) const TLS: u32 = 0x0000_0800;
    pub(in crate::probe::mysql) const TRANSACTIONS: u32 = 0x0000_2000;
    pub(in crate::probe::mysql) const SECURE: u32 = 0x0000_8000;
    pub(in crate::probe::mysql) const PLUGINS: u32 = 0x0008_0000;
}

impl Greeting {
    /// True when it offers TLS.
    pub(super) fn offers_tls(&self) -> bool {
        self.abilities & ability::TLS != 0
    }
}

/// An error of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerError {
    /// 1045 and the like.
    pub code: u16,
    /// Five characters; empty where the error came in the place of the greeting.
    pub state: String,
    /// The server's words, escaped.
    pub text: String,
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.state.as_str() {
            "" => write!(f, "error {}: {}", self.code, self.text),
            state => write!(f, "error {} ({state}): {}", self.code, self.text),
        }
    }
}

/// What the server answers to a login or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Ok,
    Error(ServerError),
    /// Log in by this plugin, with this salt.
    Switch(String, Vec<u8>),
    /// Log in as servers did before 4.1.
    SwitchToOld,
    /// A word of the plugin.
    More(Vec<u8>),
    /// Anything else: the head of a table.
    Other(Vec<u8>),
}

/// Takes the first packet apart.
pub(super) fn first(body: &[u8]) -> Answer<First> {
    match body.first() {
        Some(0xff) => error(body).map(First::Error).ok_or_else(|| malformed(body)),
        Some(10) => greeting(body).map(First::Greeting).ok_or_else(|| malformed(body)),
        Some(version @ 1..=9) => Ok(First::Old(*version)),
        _ => Err(malformed(body)),
    }
}

/// Takes an answer apart.
pub(super) fn reply(body: &[u8]) -> Answer<Reply> {
    match body {
        [0x00, ..] => Ok(Reply::Ok),
        [0xff, ..] => error(body).map(Reply::Error).ok_or_else(|| malformed(body)),
        [0xfe] => Ok(Reply::SwitchToOld),
        [0xfe, rest @ ..] => {
            let mut bytes = Bytes(rest);
            let plugin = bytes.until_zero().ok_or_else(|| malformed(body))?;
            Ok(Reply::Switch(escaped(plugin, 64), without_zero(bytes.0).to_vec()))
        }
        [0x01, rest @ ..] if rest.len() <= 1 => Ok(Reply::More(rest.to_vec())),
        [] => Err(malformed(body)),
        _ => Ok(Reply::Other(body.to_vec())),
    }
}

fn malformed(body: &[u8]) -> Failure {
    Failure::new(Class::Malformed, format!("a packet {}", quoted(&body[..body.len().min(80)])))
}

fn greeting(body: &[u8]) -> Option<Greeting> {
    let mut bytes = Bytes(body.get(1..)?);
    let version = bytes.until_zero()?;
    let thread = bytes.number(4)?;
    let mut salt = bytes.take(8)?.to_vec();
    bytes.take(1)?;
    let mut abilities = bytes.number(2)?;
    let mut plugin = String::new();
    // Servers before 4.1 end here.
    if let Some(rest) = bytes.take(3).and_then(|_| later_half(&mut bytes, &mut salt)) {
        abilities |= rest.0 << 16;
        plugin = rest.1;
    }
    let text = escaped(version, 100);
    let version = text.strip_prefix("5.5.5-").unwrap_or(&text).to_owned();
    Some(Greeting { version, thread, salt, abilities, plugin })
}

/// The upper half of the abilities, the rest of the salt, the plugin.
fn later_half(bytes: &mut Bytes<'_>, salt: &mut Vec<u8>) -> Option<(u32, String)> {
    let abilities = bytes.number(2)?;
    let whole = usize::try_from(bytes.number(1)?).ok()?;
    bytes.take(10)?;
    let rest = bytes.take(whole.saturating_sub(8).max(13).min(bytes.0.len()))?;
    salt.extend(without_zero(rest));
    let plugin = bytes.until_zero().unwrap_or(bytes.0);
    Some((abilities, escaped(plugin, 64)))
}

fn without_zero(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(&[0]).unwrap_or(bytes)
}

/// Code, `#` and five characters where there are any, words.
pub(super) fn error(body: &[u8]) -> Option<ServerError> {
    let mut bytes = Bytes(body.get(1..)?);
    let code = u16::try_from(bytes.number(2)?).ok()?;
    let (state, text) = match bytes.0 {
        [b'#', rest @ ..] if rest.len() >= 5 => rest.split_at(5),
        text => (&[][..], text),
    };
    Some(ServerError { code, state: escaped(state, 5), text: escaped(text, 300) })
}

/// The values of a row in text form; `None` for NULL.
pub(super) fn row(body: &[u8]) -> Answer<Vec<Option<Vec<u8>>>> {
    let mut bytes = Bytes(body);
    let mut values = Vec::new();
    while let Some(&lead) = bytes.0.first() {
        if lead == 0xfb {
            bytes.take(1);
            values.push(None);
            continue;
        }
        let length = bytes.length().and_then(|length| usize::try_from(length).ok());
        let value = length.and_then(|length| bytes.take(length)).ok_or_else(|| malformed(body))?;
        values.push(Some(value.to_vec()));
    }
    Ok(values)
}

/// How many columns the head of a table announces.
pub(super) fn columns(body: &[u8]) -> Answer<u64> {
    let mut bytes = Bytes(body);
    let count = bytes.length().filter(|count| bytes.0.is_empty() && (1..=4096).contains(count));
    count.ok_or_else(|| malformed(body))
}

/// True for the packet that ends columns and rows.
pub(super) fn is_end(body: &[u8]) -> bool {
    matches!(body, [0xfe, rest @ ..] if rest.len() < 8)
}

/// The first request: who wants in, by which plugin, to which database.
pub(super) fn login(
    abilities: u32,
    user: &str,
    proof: &[u8],
    database: &str,
    plugin: &str,
) -> Vec<u8> {
    let mut body = tls_request(abilities);
    body.extend(user.as_bytes());
    body.push(0);
    body.push(u8::try_from(proof.len()).unwrap_or_default());
    body.extend(proof);
    if !database.is_empty() {
        body.extend(database.as_bytes());
        body.push(0);
    }
    body.extend(plugin.as_bytes());
    body.push(0);
    body
}

/// The head of a login alone, which asks for TLS.
pub(super) fn tls_request(abilities: u32) -> Vec<u8> {
    let mut body = abilities.to_le_bytes().to_vec();
    // Packets of up to 16 MiB; utf8mb4.
    body.extend([0, 0, 0, 1, 45]);
    body.extend([0; 23]);
    body
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The lowest byte first, at most four.
    fn number(&mut self, bytes: usize) -> Option<u32> {
        let taken = self.take(bytes)?;
        Some(taken.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn until_zero(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// A length of one, three, four or nine bytes.
    fn length(&mut self) -> Option<u64> {
        match self.number(1)? {
            short @ 0..=0xfa => Some(u64::from(short)),
            0xfc => self.number(2).map(u64::from),
            0xfd => self.number(3).map(u64::from),
            0xfe => {
                let low = self.number(4)?;
                Some(u64::from(self.number(4)?) << 32 | u64::from(low))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As MariaDB 10.11 of Debian greets.
    fn mariadb() -> Vec<u8> {
        let mut body = b"\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0\x07\0\0\0abcdefgh\0".to_vec();
        body.extend([0xfe, 0xf7, 45, 2, 0, 0xff, 0x81, 21]);
        body.extend([0; 10]);
        body.extend(b"ijklmnopqrst\0mysql_native_password\0");
        body
    }

    #[test]
    fn greets() {
        let Ok(First::Greeting(greeting)) = first(&mariadb()) else { panic!("no greeting") };
        assert_eq!(greeting.version, "10.11.19-MariaDB-0+deb12u1");
        assert_eq!((greeting.thread, greeting.abilities), (7, 0x81ff_f7fe));
        assert_eq!(greeting.salt, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, "mysql_native_password");
        assert!(!greeting.offers_tls());
        assert_eq!(first(&[9, b'3', 0]), Ok(First::Old(9)));
    }

    #[test]
    fn errors_of_both_shapes() {
        let before = error(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!(before.to_string(), "error 1040: Too many connections");
        let after = error(b"\xff\x10\x04#08004Too many connections").unwrap();
        assert_eq!(after.to_string(), "error 1040 (08004): Too many connections");
        assert!(error(b"\xff\x10").is_none());
    }

    #[test]
    fn rows_and_their_ends() {
        assert_eq!(row(b"\x01a\xfb\x02bc"), Ok(vec![Some(b"a".into()), None, Some(b"bc".into())]));
        assert!(row(b"\x05a").is_err() && row(b"\xff").is_err());
        assert!(is_end(&[0xfe, 0, 0, 2, 0]) && !is_end(b"\xfe12345678"));
        assert_eq!(columns(&[2]), Ok(2));
        assert!(columns(&[0xfb]).is_err() && columns(&[0]).is_err());
    }

    #[test]
    fn a_packet_says_its_length() {
        let packet = Packet { number: 3, body: vec![7; 300] };
        assert_eq!(packet.bytes()[..5], [44, 1, 0, 3, 7]);
    }

    #[test]
    fn switches() {
        let Ok(Reply::Switch(plugin, salt)) = reply(b"\xfecaching_sha2_password\0salt\0") else {
            panic!("no switch")
        };
        assert_eq!((plugin.as_str(), &salt[..]), ("caching_sha2_password", &b"salt"[..]));
        assert_eq!(reply(&[1, 4]), Ok(Reply::More(vec![4])));
        assert!(reply(b"\xfeno end").is_err() && reply(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (first(&body), reply(&body), row(&body), columns(&body), error(&body));
        }

        #[test]
        fn a_cut_or_changed_greeting(cut in 0_usize..120, at in 0_usize..90, byte in any::<u8>()) {
            let mut body = mariadb();
            let place = at % body.len();
            body[place] = byte;
            body.truncate(cut);
            let _ = first(&body);
        }

        #[test]
        fn lengths_are_read_back(values in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..400), 1..5)
        ) {
            let mut body = Vec::new();
            for value in &values {
                body.push(0xfc);
                body.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
                body.extend(value);
            }
            let read: Vec<_> = row(&body).unwrap().into_iter().flatten().collect();
            prop_assert_eq!(read, values);
        }
    }
}
