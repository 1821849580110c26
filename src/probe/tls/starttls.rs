//! The few words in clear that come before TLS: STARTTLS of SMTP, LMTP, IMAP and POP3, and MySQL's own way.

use crate::probe::class::Class;
use crate::probe::courtesy::{MYSQL_TLS_REQUEST, mysql_login};
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Failure, Wire};

/// The longest line that any of the protocols allows, with room.
const LINE: usize = 4096;

/// The most lines of one answer.
const LINES: usize = 100;

/// Where TLS begins after a few words in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starttls {
    /// EHLO, STARTTLS.
    Smtp,
    /// LHLO, STARTTLS.
    Lmtp,
    /// CAPABILITY, STARTTLS.
    Imap,
    /// CAPA, STLS.
    Pop3,
    /// The greeting, then a short packet.
    Mysql,
}

impl std::str::FromStr for Starttls {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "smtp" => Ok(Self::Smtp),
            "lmtp" => Ok(Self::Lmtp),
            "imap" => Ok(Self::Imap),
            "pop3" => Ok(Self::Pop3),
            "mysql" => Ok(Self::Mysql),
            _ => Err(()),
        }
    }
}

impl Starttls {
    /// The port where the protocol lives.
    pub fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Lmtp => 24,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Mysql => 3306,
        }
    }

    /// The name of the step and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Lmtp => "LMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Mysql => "MySQL",
        }
    }

    /// Asks in clear for TLS. After it the wire is ready for the handshake.
    pub fn ask(self, wire: &mut Wire, deadline: Deadline) -> Answer<()> {
        match self {
            Self::Smtp => smtp(wire, "EHLO", deadline),
            Self::Lmtp => smtp(wire, "LHLO", deadline),
            Self::Imap => imap(wire, deadline),
            Self::Pop3 => pop3(wire, deadline),
            Self::Mysql => mysql(wire, deadline),
        }
    }

    /// Says goodbye inside TLS.
    pub fn leave(self, mut wire: Wire, deadline: Deadline) {
        match self {
            Self::Smtp | Self::Lmtp | Self::Pop3 => wire.leave(b"QUIT\r\n"),
            Self::Imap => wire.leave(b"c LOGOUT\r\n"),
            Self::Mysql => {
                // The refusal is welcome: a login that was refused is not counted as a broken connection.
                let _ = wire.send(&mysql_login(true), deadline).and_then(|()| wire.some(deadline));
                wire.leave(b"");
            }
        }
    }
}

fn not_offered(came: impl Into<String>) -> Failure {
    Failure::new(Class::StarttlsMissing, came)
}

fn smtp(wire: &mut Wire, hello: &str, deadline: Deadline) -> Answer<()> {
    let banner = reply(wire, deadline)?;
    if !banner[0].starts_with(b"220") {
        return Err(refused(&banner));
    }
    wire.send(format!("{hello} logmill.invalid\r\n").as_bytes(), deadline)?;
    let offers = reply(wire, deadline)?;
    let offered =
        |line: &&Vec<u8>| line.get(4..).is_some_and(|l| l.eq_ignore_ascii_case(b"STARTTLS"));
    if !offers.iter().any(|line| offered(&line)) {
        wire.send(b"QUIT\r\n", deadline)?;
        return Err(not_offered("not among its extensions"));
    }
    wire.send(b"STARTTLS\r\n", deadline)?;
    let answer = reply(wire, deadline)?;
    match answer[0].starts_with(b"220") {
        true => Ok(()),
        false => Err(not_offered(quoted(&answer[0]))),
    }
}

/// The lines of one SMTP reply, at least one: all but the last have a hyphen behind the code.
pub fn reply(wire: &mut Wire, deadline: Deadline) -> Answer<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    loop {
        let line = wire.line(LINE, deadline)?;
        let code = line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit);
        let more = line.get(3) == Some(&b'-');
        if !code || !matches!(line.get(3), None | Some(b' ' | b'-')) {
            return Err(Failure::new(Class::WrongProtocol, quoted(&line)));
        }
        lines.push(line);
        if !more {
            return Ok(lines);
        }
        if lines.len() >= LINES {
            return Err(Failure::new(Class::TooLarge, format!("a reply of over {LINES} lines")));
        }
    }
}

fn refused(lines: &[Vec<u8>]) -> Failure {
    Failure::new(Class::Unexpected, quoted(&lines[0]))
}

fn imap(wire: &mut Wire, deadline: Deadline) -> Answer<()> {
    let greeting = wire.line(LINE, deadline)?;
    if !greeting.starts_with(b"* ") {
        return Err(Failure::new(Class::WrongProtocol, quoted(&greeting)));
    }
    if greeting.starts_with(b"* BYE") {
        return Err(refused(&[greeting]));
    }
    wire.send(b"b STARTTLS\r\n", deadline)?;
    for _ in 0..LINES {
        let line = wire.line(LINE, deadline)?;
        match line.starts_with(b"* ") {
            true => {}
            false if line.starts_with(b"b OK") => return Ok(()),
            false => return Err(not_offered(quoted(&line))),
        }
    }
    Err(Failure::new(Class::TooLarge, format!("over {LINES} lines before the answer")))
}

fn pop3(wire: &mut Wire, deadline: Deadline) -> Answer<()> {
    let greeting = wire.line(LINE, deadline)?;
    if !greeting.starts_with(b"+OK") {
        let class = match greeting.starts_with(b"-ERR") {
            true => Class::Unexpected,
            false => Class::WrongProtocol,
        };
        return Err(Failure::new(class, quoted(&greeting)));
    }
    wire.send(b"STLS\r\n", deadline)?;
    let answer = wire.line(LINE, deadline)?;
    match answer.starts_with(b"+OK") {
        true => Ok(()),
        false => Err(not_offered(quoted(&answer))),
    }
}

/// A greeting of version 10 that offers TLS; an error packet instead of it is shown as it is.
fn mysql(wire: &mut Wire, deadline: Deadline) -> Answer<()> {
    let head = wire.exact(4, deadline)?;
    let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
    if length > LINE || head[3] != 0 {
        return Err(Failure::new(Class::WrongProtocol, quoted(&head)));
    }
    let body = wire.exact(length, deadline)?;
    match body.first() {
        Some(10) => {}
        Some(0xff) => return Err(Failure::new(Class::Unexpected, quoted(&body[1..]))),
        _ => return Err(Failure::new(Class::WrongProtocol, quoted(&body))),
    }
    if !mysql_offers_tls(&body) {
        // Leave with a login, so that the host is not counted as one that hangs up.
        wire.send(&mysql_login(false), deadline)?;
        wire.more(deadline)?;
        return Err(not_offered("its greeting does not offer TLS"));
    }
    wire.send(&MYSQL_TLS_REQUEST, deadline)
}

/// Version, a text that ends in zero, a thread number, eight bytes and a zero, then the first two bytes of abilities.
fn mysql_offers_tls(greeting: &[u8]) -> bool {
    let version = greeting.iter().skip(1).position(|byte| *byte == 0);
    let abilities = version.and_then(|end| greeting.get(end + 15..end + 17));
    abilities.is_some_and(|bytes| bytes[1] & 0x08 != 0)
}
